// The page source fails at every single call in turn, always, and at random: a
// call gives NULL or succeeds, and nothing is lost.

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "alloc/arena.h"
#include "alloc/linn.h"
#include "alloc/page_source.h"
#include "gtest/gtest.h"

namespace {

linn_pool *Create(size_t arenas) {
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = arenas;
    o.chunk_order = 7;  // 1 MiB, so that many chunks are needed
    return linn_pool_create(&o, nullptr, 0);
}

linn_pool_core *Core(linn_pool *pool) {
    return &linn_pool_cores[reinterpret_cast<uintptr_t>(pool) & 0xff];
}

linn_counters Counters(linn_pool *pool) {
    linn_counters c{};
    c.size = sizeof c;
    EXPECT_TRUE(linn_pool_counters(pool, &c));
    return c;
}

void ExpectNothingLost(linn_pool *pool) {
    linn_counters c = Counters(pool);
    EXPECT_EQ(c.live_blocks, 0u);
    for (uint32_t i = 0; i < Core(pool)->set.count; i++) {
        EXPECT_TRUE(linn_arena_is_valid_quiescent(Core(pool)->set.arena[i]));
    }
    size_t live = 1;
    EXPECT_TRUE(linn_pool_destroy(pool, &live));
    EXPECT_EQ(live, 0u);
}

const size_t kSizes[] = {64, 1000, 30000, 200000, 600000, 3000000};

TEST(OutOfMemoryTest, EachCallInTurn) {
    int failed_calls = 0, nulls = 0;
    for (uint64_t n = 0;; n++) {
        uint64_t faults = linn_page_source_faults();
        linn_page_source_fail_after(n);
        linn_pool *pool = Create(2);
        if (pool == nullptr) {  // it was the arenas' reservation
            linn_page_source_fail_never();
            failed_calls++;
            continue;
        }
        std::vector<std::pair<char *, size_t>> held;
        for (int round = 0; round < 3; round++) {
            for (size_t size : kSizes) {
                auto *p = static_cast<char *>(linn_alloc(pool, size));
                if (p == nullptr) {
                    nulls++;
                    continue;
                }
                memset(p, 1, size);
                held.emplace_back(p, size);
            }
        }
        bool failed = linn_page_source_faults() > faults;
        linn_page_source_fail_never();
        for (auto &h : held)
            linn_free(h.first);
        ExpectNothingLost(pool);
        if (!failed) break;
        failed_calls++;
    }
    printf("%d calls failed in turn, %d allocations refused\n", failed_calls,
           nulls);
    EXPECT_GE(failed_calls, 6);
}

TEST(OutOfMemoryTest, Always) {
    linn_pool *pool = Create(1);
    ASSERT_NE(pool, nullptr);
    void *first = linn_alloc(pool, 100);
    ASSERT_NE(first, nullptr);
    linn_page_source_fail_always();
    std::vector<void *> held;
    for (;;) {
        void *p = linn_alloc(pool, 4000);
        if (p == nullptr) break;
        held.push_back(p);
    }
    EXPECT_GT(held.size(), 100u);  // the chunk was used up
    EXPECT_EQ(linn_alloc(pool, 20u << 20), nullptr);
    EXPECT_GE(Counters(pool).out_of_memory, 2u);
    // One comes back, and one can be had.
    linn_free(held.back());
    held.back() = linn_alloc(pool, 4000);
    EXPECT_NE(held.back(), nullptr);
    // All come back, and the memory serves another class.
    for (void *p : held)
        linn_free(p);
    void *other = linn_alloc(pool, 300000);
    EXPECT_NE(other, nullptr);
    linn_page_source_fail_never();
    linn_free(other);
    linn_free(first);
    ExpectNothingLost(pool);
}

TEST(OutOfMemoryTest, AtRandomWithManyThreads) {
    linn_pool *pool = Create(2);
    ASSERT_NE(pool, nullptr);
    linn_page_source_fail_every(3);
    std::atomic<uint64_t> nulls{0}, blocks{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; t++) {
        threads.emplace_back([&, t] {
            std::mt19937 random(t);
            std::vector<unsigned char *> held(64, nullptr);
            for (int i = 0; i < 5000; i++) {
                unsigned char *&p = held[random() % held.size()];
                if (p != nullptr) {
                    ASSERT_EQ(p[9], t);
                    linn_free(p);
                }
                p = static_cast<unsigned char *>(
                    linn_alloc(pool, 10 + random() % 100000));
                if (p == nullptr) {
                    nulls++;
                } else {
                    p[9] = static_cast<unsigned char>(t);
                    blocks++;
                }
            }
            for (unsigned char *p : held)
                linn_free(p);
        });
    }
    for (std::thread &t : threads)
        t.join();
    linn_page_source_fail_never();
    printf("%llu blocks, %llu refusals\n",
           static_cast<unsigned long long>(blocks.load()),
           static_cast<unsigned long long>(nulls.load()));
    EXPECT_GT(blocks, 10000u);
    ExpectNothingLost(pool);
}

}  // namespace
