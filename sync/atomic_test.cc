#include "sync/atomic.h"

#include <cstdint>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

TEST(AtomicTest, CasTellsWhatWasThere) {
    sync_u64 w = {5};
    uint64_t seen = 4;
    EXPECT_FALSE(sync_u64_cas_acq_rel_relaxed(&w, &seen, 9));
    EXPECT_EQ(seen, 5u);
    EXPECT_TRUE(sync_u64_cas_acq_rel_relaxed(&w, &seen, 9));
    EXPECT_EQ(sync_u64_load_acquire(&w), 9u);
}

TEST(AtomicTest, FetchOperationsReturnTheOldValue) {
    sync_u64 w = {0x0f};
    EXPECT_EQ(sync_u64_fetch_or_acq_rel(&w, 0xf0), 0x0fu);
    EXPECT_EQ(sync_u64_fetch_and_acq_rel(&w, 0x3c), 0xffu);
    EXPECT_EQ(sync_u64_fetch_add_relaxed(&w, 4), 0x3cu);
    EXPECT_EQ(sync_u64_exchange_acq_rel(&w, 1), 0x40u);
    EXPECT_EQ(sync_u64_load_relaxed(&w), 1u);
}

TEST(AtomicTest, PairComparesBothHalves) {
    sync_pair w;
    sync_pair_store_relaxed(&w, {1, 2});
    sync_pair_value seen = {1, 3};
    EXPECT_FALSE(sync_pair_cas_acq_rel_acquire(&w, &seen, {7, 8}));
    EXPECT_EQ(seen.low, 1u);
    EXPECT_EQ(seen.high, 2u);
    seen = {0, 2};
    EXPECT_FALSE(sync_pair_cas_acq_rel_acquire(&w, &seen, {7, 8}));
    EXPECT_TRUE(sync_pair_cas_acq_rel_acquire(&w, &seen, {7, 8}));
    sync_pair_value now = sync_pair_load_relaxed(&w);
    EXPECT_EQ(now.low, 7u);
    EXPECT_EQ(now.high, 8u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(&w) % 16, 0u);
}

// Two halves that always move together never part, and no move is lost.
TEST(AtomicTest, PairMovesAsOne) {
    constexpr int kThreads = 4, kRounds = 20000;
    sync_pair w;
    sync_pair_store_relaxed(&w, {0, 0});
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&] {
            for (int i = 0; i < kRounds; i++) {
                sync_pair_value seen = sync_pair_load_relaxed(&w);
                while (!sync_pair_cas_acq_rel_acquire(
                    &w, &seen, {seen.low + 1, seen.high + 3})) {
                }
                ASSERT_EQ(seen.high, 3 * seen.low);
            }
        });
    }
    for (std::thread &t : threads) {
        t.join();
    }
    sync_pair_value now = sync_pair_load_relaxed(&w);
    EXPECT_EQ(now.low, uint64_t{kThreads} * kRounds);
    EXPECT_EQ(now.high, uint64_t{kThreads} * kRounds * 3);
}

// A release store, an acquire load, and a plain word between them.
TEST(AtomicTest, PublishesPlainData) {
    sync_ptr slot = {nullptr};
    int payload = 0;
    std::thread writer([&] {
        payload = 42;
        sync_ptr_store_release(&slot, &payload);
    });
    void *p;
    while ((p = sync_ptr_load_acquire(&slot)) == nullptr) {
    }
    EXPECT_EQ(*static_cast<int *>(p), 42);
    writer.join();
}

}  // namespace
