// Every byte of blocks of every size, in pools of every shape, of the lock-free
// library and of the twin.  (What else the public functions promise is in
// pool_test.cc, thread_life_test.cc and bad_calls_test.cc.)

#include "alloc/linn.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace {

linn_pool *Create(const linn_options *options) {
    char error[256] = "";
    linn_pool *pool = linn_pool_create(options, error, sizeof error);
    EXPECT_NE(pool, nullptr) << error;
    return pool;
}

linn_counters Counters(linn_pool *pool) {
    linn_counters c{};
    c.size = sizeof c;
    EXPECT_TRUE(linn_pool_counters(pool, &c));
    return c;
}

// Every byte that may be used is written and read back.
void *Filled(linn_pool *pool, size_t size) {
    auto *block = static_cast<unsigned char *>(linn_alloc(pool, size));
    EXPECT_NE(block, nullptr) << size;
    if (block == nullptr) return nullptr;
    size_t usable = linn_usable_size(block);
    EXPECT_GE(usable, size);
    EXPECT_EQ(usable, linn_good_size(pool, size)) << size;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 16, 0u);
    memset(block, static_cast<int>(size % 251), size);
    return block;
}

void ExpectFilled(const void *block, size_t size) {
    auto *bytes = static_cast<const unsigned char *>(block);
    if (size == 0) return;
    ASSERT_EQ(bytes[0], size % 251) << "first byte of " << size;
    ASSERT_EQ(memcmp(bytes, bytes + 1, size - 1), 0) << size;
}

TEST(LinnTest, ABlockOfEverySizeIsItsOwn) {
    std::vector<std::pair<void *, size_t>> blocks;
    int walked = 0;
    size_t step = 1;
    for (size_t size = 0; size <= (1u << 20); size += step) {
        blocks.emplace_back(Filled(nullptr, size), size);
        walked++;
        step = size < 300 ? 1 : size / 37 + 1;
    }
    for (auto &b : blocks)
        ExpectFilled(b.first, b.second);
    for (auto &b : blocks)
        linn_free(b.first);
    printf("%d sizes\n", walked);
    EXPECT_GT(walked, 400);
    EXPECT_EQ(Counters(nullptr).live_blocks, 0u);
}

TEST(LinnTest, EveryShapeOfPoolServesEverySize) {
    int pools = 0;
    for (size_t page = 4096; page <= 65536; page *= 2) {
        for (size_t order = 0; order <= 11; order++) {
            for (size_t classes = 0; classes < 2; classes++) {
                linn_options o = LINN_OPTIONS_INIT;
                o.page_size = page;
                o.chunk_order = order;
                o.size_classes = classes;
                o.arenas = 1 + order % 3;
                o.cache = order % 4 != 3;
                linn_pool *pool = Create(&o);
                std::vector<std::pair<void *, size_t>> blocks;
                for (size_t size = 1; size <= (1u << 20); size = size * 3 + 1) {
                    blocks.emplace_back(Filled(pool, size), size);
                    blocks.emplace_back(Filled(pool, size), size);
                }
                for (auto &b : blocks)
                    ExpectFilled(b.first, b.second);
                size_t live = 0;
                EXPECT_FALSE(linn_pool_destroy(pool, &live));
                EXPECT_EQ(live, blocks.size());
                for (auto &b : blocks)
                    linn_free(b.first);
                EXPECT_EQ(Counters(pool).live_blocks, 0u);
                EXPECT_TRUE(linn_pool_destroy(pool, &live));
                EXPECT_EQ(live, 0u);
                pools++;
            }
        }
    }
    printf("%d pools\n", pools);
    EXPECT_EQ(pools, 5 * 12 * 2);
}

}  // namespace
