#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "gtest/gtest.h"
#include "sync/thread_registry.h"

namespace {

// Holds every record there can be.  One thread does: unregistering while a
// robust mutex counts as interrupted forgets the record and leaves it LIVE.
TEST(ThreadManyTest, AllRecordsAreClaimedInLinearTime) {
    linn_thread_registry_init(0);
    struct robust_list_head *head = nullptr;
    size_t length = 0;
    ASSERT_EQ(syscall(SYS_get_robust_list, 0, &head, &length), 0);
    struct robust_list pending;
    double quarter_seconds[4];
    uint32_t claimed = 0;
    for (double &seconds : quarter_seconds) {
        auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < LINN_THREADS_MAX / 4; i++) {
            struct linn_thread *t = linn_thread_register();
            ASSERT_NE(t, nullptr) << claimed;
            ASSERT_EQ(linn_thread_index(t), claimed);
            claimed++;
            head->list_op_pending = &pending;
            linn_thread_unregister(t);
            head->list_op_pending = nullptr;
        }
        seconds = std::chrono::duration<double>(
                      std::chrono::steady_clock::now() - start)
                      .count();
    }
    EXPECT_EQ(claimed, uint32_t{LINN_THREADS_MAX});
    EXPECT_EQ(linn_thread_limit(), uint32_t{LINN_THREADS_MAX});
    EXPECT_EQ(linn_thread_register(), nullptr);
    std::printf("%u records: first quarter %.4f s, last quarter %.4f s\n",
                claimed, quarter_seconds[0], quarter_seconds[3]);
    // Quadratic would be 7 times as long, and seconds.
    EXPECT_LT(quarter_seconds[3], 4 * quarter_seconds[0] + 0.5);
}

}  // namespace
