// The public functions as a user sees them, of the lock-free library and of the
// twin.

#include "alloc/linn.h"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kScale = 10;
#else
constexpr int kScale = 1;
#endif

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

TEST(LinnTest, AtLeast64PoolsAndAClearErrorBeyond255) {
    std::vector<linn_pool *> pools;
    char error[256] = "";
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = 1;
    for (;;) {
        linn_pool *pool = linn_pool_create(&o, error, sizeof error);
        if (pool == nullptr) break;
        pools.push_back(pool);
        if (pools.size() % 16 == 1) linn_free(Filled(pool, 100));
    }
    EXPECT_EQ(pools.size(), 255u);
    EXPECT_NE(std::string(error).find("255 pools"), std::string::npos) << error;
    for (linn_pool *pool : pools)
        EXPECT_TRUE(linn_pool_destroy(pool, nullptr));
}

TEST(LinnTest, UnpooledIsServedByTheSystem) {
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = 0;
    linn_pool *pool = Create(&o);
    void *small = Filled(pool, 10);
    void *large = Filled(pool, 3u << 20);
    linn_counters c = Counters(pool);
    EXPECT_EQ(c.huge_blocks, 2u);
    EXPECT_EQ(c.chunks, 0u);
    EXPECT_EQ(c.arenas, 0u);
    linn_free(small);
    linn_free(large);
    EXPECT_EQ(Counters(pool).held_bytes, 0u);
    EXPECT_TRUE(linn_pool_destroy(pool, nullptr));
}

// netty.md 3.2, case 11, in our form.
TEST(LinnTest, BadOptionsGetAMessageThatNamesThem) {
    struct {
        size_t linn_options::*field;
        size_t value;
        const char *name;
    } const kBad[] = {
        {&linn_options::page_size, 4095, "page_size"},
        {&linn_options::page_size, 6000, "page_size"},
        {&linn_options::chunk_order, 12, "chunk_order"},
        {&linn_options::chunk_order, 15, "chunk_order"},
        {&linn_options::alignment, 3, "alignment"},
        {&linn_options::alignment, 16384, "alignment"},
        {&linn_options::arenas, 65, "arenas"},
    };
    for (auto &bad : kBad) {
        linn_options o = LINN_OPTIONS_INIT;
        o.*bad.field = bad.value;
        char error[256] = "";
        EXPECT_EQ(linn_pool_create(&o, error, sizeof error), nullptr);
        EXPECT_NE(std::string(error).find(bad.name), std::string::npos)
            << error;
        EXPECT_NE(std::string(error).find(std::to_string(bad.value)),
                  std::string::npos)
            << error;
    }
}

TEST(LinnTest, AlignedBlocks) {
    int aligned = 0;
    for (size_t alignment = 1; alignment <= (16u << 20); alignment *= 2) {
        for (size_t size : {1u, 64u, 100u, 5000u, 70000u, 600000u}) {
            auto *p = static_cast<char *>(
                linn_alloc_aligned(nullptr, alignment, size));
            ASSERT_NE(p, nullptr) << alignment << " " << size;
            EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % alignment, 0u)
                << alignment << " " << size;
            EXPECT_GE(linn_usable_size(p), size);
            p[0] = p[size - 1] = 1;
            linn_free(p);
            aligned++;
        }
    }
    printf("%d aligned blocks\n", aligned);
    for (size_t bad : {size_t{0}, size_t{3}, size_t{24}, size_t{32} << 20}) {
        void *p = linn_alloc_aligned(nullptr, bad, 100);
        EXPECT_EQ(p, nullptr) << bad;
    }
}

TEST(LinnTest, SizesBeyondEverythingAreOutOfMemory) {
    uint64_t before = Counters(nullptr).out_of_memory;
    for (size_t size : {SIZE_MAX, SIZE_MAX / 2 + 2, size_t{1} << 60}) {
        // Through a variable, or the compiler refuses what it can prove wrong.
        volatile size_t wanted = size;
        void *p = linn_alloc(nullptr, wanted);
        EXPECT_EQ(p, nullptr);
    }
    EXPECT_EQ(Counters(nullptr).out_of_memory, before + 3);
}

TEST(LinnTest, ReallocKeepsContents) {
    void *p = linn_realloc(nullptr, nullptr, 10);
    ASSERT_NE(p, nullptr);
    memset(p, 42, 10);
    size_t held = 10;
    for (size_t size :
         {20u, 64u, 65u, 5000u, 4900u, 300000u, 20000000u, 100u, 0u}) {
        void *moved = linn_realloc(nullptr, p, size);
        ASSERT_NE(moved, nullptr);
        size_t kept = held < size ? held : size;
        for (size_t i = 0; i < kept; i++) {
            ASSERT_EQ(static_cast<char *>(moved)[i], 42) << i << " of " << size;
        }
        memset(moved, 42, size);
        p = moved;
        held = size;
    }
    // Failure leaves the old block as it was.
    p = linn_realloc(nullptr, p, 1000);
    ASSERT_NE(p, nullptr);
    memset(p, 7, 1000);
    volatile size_t too_much = SIZE_MAX - 4096;
    void *failed = linn_realloc(nullptr, p, too_much);
    EXPECT_EQ(failed, nullptr);
    for (int i = 0; i < 1000; i++)
        ASSERT_EQ(static_cast<char *>(p)[i], 7);
    linn_free(p);
}

// What is counted agrees with what was done, exactly, when nobody is inside.
TEST(LinnTest, CountersAddUp) {
    linn_pool *pool = Create(nullptr);
    std::mt19937 random(7);
    std::vector<void *> blocks(500, nullptr);
    uint64_t allocations = 0, frees = 0;
    for (int i = 0; i < 200000 / kScale; i++) {
        void *&slot = blocks[random() % blocks.size()];
        if (slot != nullptr) {
            linn_free(slot);
            frees++;
            slot = nullptr;
        } else {
            size_t size = random() % 3000;
            if (random() % 100 == 0) size = random() % 3000000;
            slot = linn_alloc(pool, size);
            ASSERT_NE(slot, nullptr);
            allocations++;
        }
    }
    linn_counters c = Counters(pool);
    EXPECT_EQ(c.allocations, allocations);
    EXPECT_EQ(c.frees, frees);
    EXPECT_EQ(c.live_blocks, allocations - frees);
    EXPECT_LE(c.cached_bytes, 524288u);
    EXPECT_GT(c.cache_hits, allocations / 2);
    EXPECT_EQ(c.thread_caches, 1u);
    for (void *p : blocks)
        linn_free(p);
    EXPECT_TRUE(linn_thread_flush());
    c = Counters(pool);
    EXPECT_EQ(c.live_blocks, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_TRUE(linn_pool_destroy(pool, nullptr));
}

TEST(LinnTest, TheDefaultPoolStays) {
    EXPECT_FALSE(linn_pool_destroy(nullptr, nullptr));
    linn_free(Filled(nullptr, 1));
}

TEST(LinnTest, DestroyTakesBackTheCachesOfOtherThreads) {
    linn_pool *pool = Create(nullptr);
    std::thread([&] {
        std::vector<void *> blocks;
        for (int i = 0; i < 1000; i++)
            blocks.push_back(Filled(pool, 100));
        for (void *p : blocks)
            linn_free(p);
        EXPECT_GT(Counters(pool).cached_blocks, 0u);
        // This thread lives on, asleep, while another destroys the pool.
        std::thread([&] {
            size_t live = 1;
            EXPECT_TRUE(linn_pool_destroy(pool, &live));
            EXPECT_EQ(live, 0u);
        }).join();
        // And it may go on with other pools.
        linn_free(Filled(nullptr, 100));
        linn_pool *next = Create(nullptr);
        linn_free(Filled(next, 100));
        EXPECT_TRUE(linn_pool_destroy(next, nullptr));
    }).join();
}

// netty.md 3.2, cases 34 and 63: 64 threads, half of the frees by another.
TEST(LinnTest, ManyThreadsLoseNothing) {
    constexpr int kThreads = 64, kBoxes = 1024;
    const int kOperations = 1000000 / kThreads / kScale;
    linn_pool *pool = Create(nullptr);
    struct Box {
        std::atomic<unsigned char *> block{nullptr};
    };
    std::vector<Box> boxes(kBoxes);
    auto check = [](unsigned char *p) {
        size_t size;
        memcpy(&size, p, sizeof size);
        ASSERT_EQ(p[size - 1], static_cast<unsigned char>(size)) << size;
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&, t] {
            std::mt19937 random(static_cast<unsigned>(t));
            for (int i = 0; i < kOperations; i++) {
                size_t size = 16 + random() % 4000;
                if (random() % 64 == 0) size = 16 + random() % 200000;
                auto *p = static_cast<unsigned char *>(linn_alloc(pool, size));
                ASSERT_NE(p, nullptr);
                memcpy(p, &size, sizeof size);
                p[size - 1] = static_cast<unsigned char>(size);
                if (random() % 2 == 0) {
                    check(p);
                    linn_free(p);
                    continue;
                }
                p = boxes[random() % kBoxes].block.exchange(p);
                if (p == nullptr) continue;
                check(p);
                linn_free(p);
            }
        });
    }
    for (std::thread &t : threads)
        t.join();
    for (Box &b : boxes)
        linn_free(b.block.load());
    linn_counters c = Counters(pool);
    EXPECT_EQ(c.allocations, static_cast<uint64_t>(kThreads) *
                                 static_cast<uint64_t>(kOperations));
    EXPECT_EQ(c.live_blocks, 0u);
    EXPECT_LE(c.thread_caches, 1u);
    EXPECT_TRUE(linn_pool_destroy(pool, nullptr));
}

}  // namespace
