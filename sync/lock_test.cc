#include "sync/lock.h"

#include <pthread.h>

#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

// First-come-first-served spin locks crawl when threads outnumber processors (a
// turn costs a time slice): small counts, and no more threads than two.
constexpr int kRounds = 300;
constexpr int kThreads = 2;

class LockTest : public testing::TestWithParam<int> {
   protected:
    LockTest() {
        linn_lock_choose(static_cast<enum linn_lock_kind>(GetParam()));
    }
    ~LockTest() override {
        linn_lock_choose(LINN_LOCK_MUTEX);
    }
};

// The counter is plain: a lock that does not exclude loses counts, and a lock
// whose order ThreadSanitizer does not see is reported.
TEST_P(LockTest, ExcludesAndOrders) {
    struct linn_lock lock;
    linn_lock_init(&lock);
    EXPECT_EQ(lock.kind, static_cast<uint32_t>(GetParam()));
    long counter = 0;
    pthread_barrier_t all;
    pthread_barrier_init(&all, nullptr, kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&] {
            pthread_barrier_wait(&all);
            for (int i = 0; i < kRounds; i++) {
                linn_lock_acquire(&lock);
                long seen = counter;
                if (i % 16 == 0) std::this_thread::yield();
                counter = seen + 1;
                linn_lock_release(&lock);
            }
        });
    }
    for (std::thread &t : threads) {
        t.join();
    }
    EXPECT_EQ(counter, long{kThreads} * kRounds);
    pthread_barrier_destroy(&all);
}

// A thread that holds two locks has two nodes, whatever order it gives them
// back in; a third lock then still works for both of them.
TEST_P(LockTest, OneThreadHoldsSeveral) {
    struct linn_lock a, b, c;
    linn_lock_init(&a);
    linn_lock_init(&b);
    linn_lock_init(&c);
    long counters[3] = {0, 0, 0};
    auto work = [&] {
        for (int i = 0; i < kRounds / 4; i++) {
            linn_lock_acquire(&a);
            linn_lock_acquire(&b);
            counters[0]++;
            if (i % 2 == 0) {
                linn_lock_release(&a);
                linn_lock_acquire(&c);
                counters[1]++;
                linn_lock_release(&b);
            } else {
                linn_lock_acquire(&c);
                counters[1]++;
                linn_lock_release(&b);
                linn_lock_release(&a);
            }
            counters[2]++;
            linn_lock_release(&c);
        }
    };
    std::thread one(work), two(work);
    one.join();
    two.join();
    for (long n : counters) {
        EXPECT_EQ(n, 2L * (kRounds / 4));
    }
}

// clh hands nodes from thread to thread; they outlive their first owners.
TEST_P(LockTest, NodesOutliveTheirThreads) {
    struct linn_lock lock;
    linn_lock_init(&lock);
    long counter = 0;
    for (int t = 0; t < 50; t++) {
        auto work = [&] {
            linn_lock_acquire(&lock);
            counter++;
            linn_lock_release(&lock);
        };
        std::thread one(work), two(work);
        one.join();
        two.join();
    }
    EXPECT_EQ(counter, 100);
}

INSTANTIATE_TEST_SUITE_P(Kinds, LockTest,
                         testing::Range(0, static_cast<int>(LINN_LOCK_KINDS)),
                         [](const testing::TestParamInfo<int> &p) {
                             return std::string(linn_lock_kind_name(
                                 static_cast<enum linn_lock_kind>(p.param)));
                         });

TEST(LockNameTest, NamesAndKindsAgree) {
    for (int k = 0; k < LINN_LOCK_KINDS; k++) {
        auto kind = static_cast<enum linn_lock_kind>(k);
        EXPECT_EQ(linn_lock_kind_by_name(linn_lock_kind_name(kind)), kind);
    }
    EXPECT_EQ(linn_lock_kind_by_name("spin"), LINN_LOCK_KINDS);
    EXPECT_EQ(linn_lock_kind_by_name(""), LINN_LOCK_KINDS);
}

TEST(LockNameTest, ALockKeepsItsKind) {
    struct linn_lock mutex, ticket;
    linn_lock_init(&mutex);
    linn_lock_choose(LINN_LOCK_TICKET);
    linn_lock_init(&ticket);
    linn_lock_acquire(&mutex);
    linn_lock_acquire(&ticket);
    EXPECT_NE(pthread_mutex_trylock(&mutex.of.mutex), 0);
    linn_lock_release(&ticket);
    linn_lock_release(&mutex);
    EXPECT_EQ(mutex.kind, uint32_t{LINN_LOCK_MUTEX});
    EXPECT_EQ(ticket.kind, uint32_t{LINN_LOCK_TICKET});
    linn_lock_choose(LINN_LOCK_MUTEX);
}

}  // namespace
