#include "sync/section.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kRounds = 5000;
#else
constexpr int kRounds = 50000;
#endif

// Guarded operations inside a section are atomic in either variant.
TEST(SectionTest, GuardedOperationsLoseNothing) {
    constexpr int kThreads = 4;
    struct linn_section section;
    linn_section_init(&section);
    sync_u64 word = {0}, bits = {0};
    sync_pair pair;
    sync_pair_store_relaxed(&pair, {0, 0});
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kRounds; i++) {
                linn_section_enter(&section);
                uint64_t seen = sync_u64_load_relaxed(&word);
                while (!sync_guarded_u64_cas_acq_rel_relaxed(&word, &seen,
                                                             seen + 1)) {
                }
                sync_pair_value p = sync_pair_load_relaxed(&pair);
                while (!sync_guarded_pair_cas_acq_rel_acquire(
                    &pair, &p, {p.low + 1, p.high + 2})) {
                }
                uint64_t mine = uint64_t{1} << t;
                sync_guarded_u64_fetch_or_acq_rel(&bits, mine);
                sync_guarded_u64_fetch_and_acq_rel(&bits, ~mine);
                linn_section_leave(&section);
            }
        });
    }
    for (std::thread &t : threads) {
        t.join();
    }
    EXPECT_EQ(sync_u64_load_relaxed(&word), uint64_t{kThreads} * kRounds);
    EXPECT_EQ(sync_u64_load_relaxed(&bits), 0u);
    sync_pair_value p = sync_pair_load_relaxed(&pair);
    EXPECT_EQ(p.low, uint64_t{kThreads} * kRounds);
    EXPECT_EQ(p.high, 2 * p.low);
}

TEST(SectionTest, AFailedGuardedCasTellsWhatWasThere) {
    struct linn_section section;
    linn_section_init(&section);
    linn_section_enter(&section);
    sync_u64 word = {5};
    uint64_t seen = 4;
    EXPECT_FALSE(sync_guarded_u64_cas_acquire_relaxed(&word, &seen, 9));
    EXPECT_EQ(seen, 5u);
    EXPECT_TRUE(sync_guarded_u64_cas_acquire_relaxed(&word, &seen, 9));
    EXPECT_EQ(sync_u64_load_relaxed(&word), 9u);
    linn_section_leave(&section);
}

#if LINN_LOCKED
// The twin's section excludes: plain data inside it is safe.
TEST(SectionTest, TheTwinExcludes) {
    struct linn_section section;
    linn_section_init(&section);
    long counter = 0;
    auto work = [&] {
        for (int i = 0; i < kRounds; i++) {
            linn_section_enter(&section);
            counter++;
            linn_section_leave(&section);
        }
    };
    std::thread one(work), two(work);
    one.join();
    two.join();
    EXPECT_EQ(counter, 2L * kRounds);
}
#else
TEST(SectionTest, TheLockFreeSectionIsNothing) {
    EXPECT_EQ(sizeof(struct linn_section), 1u);
}
#endif

}  // namespace
