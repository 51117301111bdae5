#include "sync/asym.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "sync/cacheline.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kTrials = 20000;
#else
constexpr int kTrials = 100000;
#endif

// A machine with much else to do ends earlier, but not before this many.
constexpr int kTrialsMin = 5000;
constexpr std::chrono::seconds kLongest(8);

struct word {
    sync_u64 w;
} LINN_ALIGNED_LINE;

enum class hot { nothing, light, exchange };
enum class rare { nothing, heavy };

// A few nanoseconds more or less after each meeting, so that the two sides find
// every distance from each other.
struct jitter {
    uint32_t state;
    void wait() {
        state = state * 1664525 + 1013904223;
        for (uint32_t i = state >> 24; i > 0; i--) {
            sync_compiler_barrier();
        }
    }
};

// Store buffering: each side stores its own word and loads the other's.  Counts
// the trials in which both loads missed the other's store.
//
// The two sides meet before each trial without a lock: each announces its trial
// and spins until the other has announced the same.
long both_missed(hot hot_side, rare rare_side, int trials) {
    static word x, y, arrived[2], saw[2];
    for (word *w : {&x, &y, &arrived[0], &arrived[1]}) {
        sync_u64_store_relaxed(&w->w, 0);
    }
    auto meet = [](int me, uint64_t trial) {
        sync_u64_store_release(&arrived[me].w, trial);
        for (int spins = 0; sync_u64_load_acquire(&arrived[1 - me].w) < trial;
             spins++) {
            if (spins > 10000) std::this_thread::yield();
        }
    };
    long missed = 0;
    int made = 0;
    auto start = std::chrono::steady_clock::now();
    std::atomic<bool> stop{false};  // set before a meeting, read after it
    std::thread other([&] {
        jitter j = {1};
        for (int i = 1; i <= trials; i++) {
            uint64_t n = static_cast<uint64_t>(i);
            meet(1, 2 * n);
            if (stop.load(std::memory_order_relaxed)) break;
            j.wait();
            sync_u64_store_relaxed(&y.w, n);
            if (rare_side == rare::heavy) {
                ASSERT_TRUE(linn_asym_heavy());
            } else {
                sync_compiler_barrier();
            }
            sync_u64_store_relaxed(&saw[1].w, sync_u64_load_relaxed(&x.w));
            meet(1, 2 * n + 1);
        }
    });
    jitter j = {2};
    for (int i = 1; i <= trials; i++) {
        uint64_t n = static_cast<uint64_t>(i);
        bool late =
            i % 256 == 0 && std::chrono::steady_clock::now() - start > kLongest;
        if (late) stop.store(true, std::memory_order_relaxed);
        meet(0, 2 * n);
        if (late) break;
        made = i;
        j.wait();
        if (hot_side == hot::exchange) {
            sync_u64_exchange_acq_rel(&x.w, n);
        } else {
            sync_u64_store_relaxed(&x.w, n);
            if (hot_side == hot::light) linn_asym_light();
            sync_compiler_barrier();
        }
        uint64_t seen = sync_u64_load_relaxed(&y.w);
        meet(0, 2 * n + 1);
        uint64_t other_seen = sync_u64_load_relaxed(&saw[1].w);
        if (seen < n && other_seen < n) missed++;
    }
    other.join();
    std::printf("%d trials, both sides missed in %ld\n", made, missed);
    EXPECT_GE(made, kTrialsMin);
    return missed;
}

TEST(AsymTest, LightAndHeavyForbidStoreBuffering) {
    ASSERT_TRUE(linn_asym_available())
        << "membarrier(PRIVATE_EXPEDITED) is refused here";
    // What a machine shows without a barrier depends on its load; it is printed.
    std::printf("without a barrier: ");
    (void)both_missed(hot::nothing, rare::nothing, kTrials);
    std::printf("with light and heavy: ");
    EXPECT_EQ(both_missed(hot::light, rare::heavy, kTrials), 0);
}

TEST(AsymTest, WithoutMembarrierAnExchangeTakesItsPlace) {
    linn_asym_force_unavailable(true);
    EXPECT_FALSE(linn_asym_available());
    std::printf("with an exchange: ");
    EXPECT_EQ(both_missed(hot::exchange, rare::heavy, kTrials), 0);
    linn_asym_force_unavailable(false);
    EXPECT_TRUE(linn_asym_available());
}

TEST(AsymTest, LostIsSaidAndStays) {
    linn_asym_force_lost();
    EXPECT_FALSE(linn_asym_available());
    EXPECT_FALSE(linn_asym_heavy());
    EXPECT_FALSE(linn_asym_heavy());
    EXPECT_EQ(linn_asym_start(), LINN_ASYM_LOST);
    linn_asym_force_unavailable(false);
    EXPECT_TRUE(linn_asym_heavy());
}

TEST(AsymTest, TheRegistrationSurvivesAFork) {
    ASSERT_TRUE(linn_asym_heavy());
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        _exit(linn_asym_available() && linn_asym_heavy() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(AsymTest, CostOfTheHeavySide) {
    constexpr int kCalls = 2000;
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; i++) {
        ASSERT_TRUE(linn_asym_heavy());
    }
    std::chrono::duration<double, std::nano> spent =
        std::chrono::steady_clock::now() - start;
    std::printf("heavy: %.0f ns a call over %d calls, one thread\n",
                spent.count() / kCalls, kCalls);
}

}  // namespace
