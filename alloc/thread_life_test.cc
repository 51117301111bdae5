// Threads that end, die, are interrupted and forked, with full caches.

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "alloc/linn.h"
#include "alloc/thread_cache.h"
#include "gtest/gtest.h"
#include "sync/asym.h"

namespace {

#if defined(__SANITIZE_THREAD__)
#define LINN_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LINN_UNDER_TSAN 1
#endif
#endif
#ifndef LINN_UNDER_TSAN
#define LINN_UNDER_TSAN 0
#endif

// AddressSanitizer's run-time does not survive threads that end by a raw system
// call, and its allocator may be locked for ever in the child of a fork.
#if defined(__SANITIZE_ADDRESS__)
#define LINN_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LINN_UNDER_ASAN 1
#endif
#endif
#ifndef LINN_UNDER_ASAN
#define LINN_UNDER_ASAN 0
#endif

#ifdef LINN_SANITIZED
constexpr int kScale = 10;
#else
constexpr int kScale = 1;
#endif

linn_counters Counters(linn_pool *pool) {
    linn_counters c{};
    c.size = sizeof c;
    EXPECT_TRUE(linn_pool_counters(pool, &c));
    return c;
}

class ThreadLifeTest : public testing::Test {
   protected:
    void SetUp() override {
        char error[200] = "";
        pool_ = linn_pool_create(nullptr, error, sizeof error);
        ASSERT_NE(pool_, nullptr) << error;
    }
    void TearDown() override {
        size_t live = 1;
        EXPECT_TRUE(linn_pool_destroy(pool_, &live)) << live << " live";
    }
    void Fill(int blocks) {
        std::vector<void *> held;
        for (int i = 0; i < blocks; i++) {
            held.push_back(linn_alloc(pool_, static_cast<size_t>(i % 2000)));
        }
        for (void *p : held)
            linn_free(p);
    }
    linn_pool_core *core() const {
        return &linn_pool_cores[reinterpret_cast<uintptr_t>(pool_) & 0xff];
    }
    linn_pool *pool_ = nullptr;
};

TEST_F(ThreadLifeTest, ACacheReturnsWhenItsThreadEnds) {
    std::thread([&] {
        Fill(1000);
        EXPECT_GT(Counters(pool_).cached_blocks, 0u);
        EXPECT_EQ(Counters(pool_).thread_caches, 1u);
    }).join();
    EXPECT_EQ(Counters(pool_).cached_blocks, 0u);
    EXPECT_EQ(Counters(pool_).thread_caches, 0u);
}

TEST_F(ThreadLifeTest, BlocksOutliveTheirThread) {
    std::vector<void *> left;
    std::thread([&] {
        Fill(100);
        for (int i = 0; i < 1000; i++)
            left.push_back(linn_alloc(pool_, 300));
    }).join();
    for (void *p : left)
        linn_free(p);
    (void)linn_thread_flush();
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
}

struct LateUser {
    linn_pool *pool = nullptr;
    void *held = nullptr;
    ~LateUser() {
        linn_free(held);
        for (int i = 0; i < 100; i++)
            linn_free(linn_alloc(pool, 100));
    }
};

// A destructor of the thread's that runs after ours, and one that runs before.
TEST_F(ThreadLifeTest, ADestructorMayAllocateAfterOurs) {
    static linn_pool *late_pool;
    late_pool = pool_;
    pthread_key_t late;
    ASSERT_EQ(pthread_key_create(&late,
                                 [](void *p) {
                                     linn_free(p);
                                     linn_free(linn_alloc(late_pool, 100));
                                 }),
              0);
    for (int i = 0; i < 20; i++) {
        std::thread([&] {
            static thread_local LateUser user;
            user.pool = pool_;
            Fill(100);
            user.held = linn_alloc(pool_, 64);
            pthread_setspecific(late, linn_alloc(pool_, 64));
        }).join();
    }
    pthread_key_delete(late);
    linn_counters c = Counters(pool_);
    EXPECT_EQ(c.live_blocks, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
}

TEST_F(ThreadLifeTest, AnIdleThreadsCacheCanBeTaken) {
    std::atomic<int> step{0};
    std::thread sleeper([&] {
        Fill(1000);
        step = 1;
        while (step != 2)
            std::this_thread::yield();
        Fill(1000);
        EXPECT_GT(Counters(pool_).cached_blocks, 0u);
    });
    while (step != 1)
        std::this_thread::yield();
    EXPECT_GT(Counters(pool_).cached_blocks, 0u);
    linn_free(linn_alloc(nullptr, 1));  // this thread has a record
    EXPECT_EQ(linn_cache_drain_all(nullptr), 0u);
    EXPECT_EQ(Counters(pool_).cached_blocks, 0u);
    EXPECT_GE(Counters(pool_).drains, 1u);
    step = 2;
    sleeper.join();
}

// Thieves rob busy threads all the while: nothing is lost, nothing is doubled.
TEST_F(ThreadLifeTest, ThievesAndOwners) {
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> raids{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; t++) {
        threads.emplace_back([&, t] {
            std::vector<unsigned char *> held(64, nullptr);
            unsigned seed = static_cast<unsigned>(t) + 1;
            // The thieves may start late: wait for them with something to take.
            for (int i = 0; i < 300000 / kScale || raids < 10; i++) {
                seed = seed * 1664525u + 1013904223u;
                unsigned char *&p = held[seed >> 8 & 63];
                if (p != nullptr) {
                    ASSERT_EQ(p[8], static_cast<unsigned char>(t));
                    ASSERT_EQ(p[60], static_cast<unsigned char>(t));
                    linn_free(p);
                    p = nullptr;
                } else {
                    p = static_cast<unsigned char *>(
                        linn_alloc(pool_, 61 + (seed >> 16) % 500));
                    ASSERT_NE(p, nullptr);
                    p[8] = p[60] = static_cast<unsigned char>(t);
                }
            }
            for (unsigned char *p : held)
                linn_free(p);
        });
    }
    std::vector<std::thread> thieves;
    for (int t = 0; t < 2; t++) {
        thieves.emplace_back([&] {
            linn_free(linn_alloc(pool_, 10));
            while (!stop) {
                (void)linn_cache_drain_all(core());
                raids++;
            }
        });
    }
    for (std::thread &t : threads)
        t.join();
    stop = true;
    for (std::thread &t : thieves)
        t.join();
    linn_counters c = Counters(pool_);
    printf("%llu raids, %llu caches drained\n",
           static_cast<unsigned long long>(raids.load()),
           static_cast<unsigned long long>(c.drains));
    EXPECT_GE(c.drains, 1u);
    EXPECT_EQ(c.live_blocks, 0u);
}

// Bounded in bytes, whatever the sizes.
TEST_F(ThreadLifeTest, ACacheIsBounded) {
    std::vector<void *> held;
    for (int round = 0; round < 20; round++) {
        for (size_t size = 1; size <= 131072; size = size * 5 / 4 + 1) {
            for (int i = 0; i < 8; i++)
                held.push_back(linn_alloc(pool_, size));
        }
        for (void *p : held)
            linn_free(p);
        held.clear();
        EXPECT_LE(Counters(pool_).cached_bytes, 524288u);
    }
    EXPECT_GT(Counters(pool_).cached_bytes, 65536u);
}

// Who only frees holds one batch of a class, and no more.
TEST_F(ThreadLifeTest, WhoOnlyFreesHoldsOneBatch) {
    std::vector<void *> held;
    for (int i = 0; i < 20000; i++)
        held.push_back(linn_alloc(pool_, 64));
    (void)linn_thread_flush();
    std::thread([&] {
        for (void *p : held)
            linn_free(p);
        EXPECT_LE(Counters(pool_).cached_blocks, 64u);
    }).join();
}

#if !LINN_LOCKED && !LINN_UNDER_TSAN && !LINN_UNDER_ASAN
// ThreadSanitizer's own run-time does not survive a thread that ends by a raw
// system call.
TEST_F(ThreadLifeTest, TheCacheOfADeadThreadIsAdopted) {
    for (int i = 0; i < 20; i++) {
        pthread_t t;
        ASSERT_EQ(pthread_create(
                      &t, nullptr,
                      [](void *self) -> void * {
                          auto *pool = static_cast<linn_pool *>(self);
                          for (int j = 0; j < 500; j++) {
                              linn_free(linn_alloc(pool, 100));
                          }
                          syscall(SYS_exit, 0);
                          return nullptr;
                      },
                      pool_),
                  0);
        pthread_join(t, nullptr);
    }
    linn_free(linn_alloc(nullptr, 1));
    uint32_t found = linn_cache_adopt(65536);
    printf("%u dead threads adopted here\n", found);
    linn_counters c = Counters(pool_);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_EQ(c.thread_caches, 0u);
    EXPECT_GE(c.drains, 20u);
}
#endif

#if !LINN_LOCKED
std::atomic<uint64_t> handled{0};
linn_pool *handler_pool;

void Handler(int) {
    uint64_t n = handled.fetch_add(1);
    void *p = linn_alloc(handler_pool, n % 3000);
    void *q = linn_alloc(nullptr, 64);
    if (p == nullptr || q == nullptr) abort();
    memset(p, 0xee, n % 3000);
    linn_free(p);
    linn_free(q);
}

TEST_F(ThreadLifeTest, ASignalHandlerMayAllocateAtAnyTime) {
    handler_pool = pool_;
    handled = 0;
    struct sigaction action{};
    action.sa_handler = Handler;
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
    std::atomic<bool> stop{false};
    std::thread victim([&] {
        std::vector<unsigned char *> held(32, nullptr);
        unsigned seed = 1;
        while (!stop) {
            seed = seed * 1664525u + 1013904223u;
            unsigned char *&p = held[seed >> 8 & 31];
            size_t size = 16 + (seed >> 13) % 2000;
            if (p != nullptr) {
                ASSERT_EQ(p[8], 0x11);
                ASSERT_EQ(p[15], 0x11);
                linn_free(p);
            }
            p = static_cast<unsigned char *>(linn_alloc(pool_, size));
            ASSERT_NE(p, nullptr);
            p[8] = p[15] = 0x11;
        }
        for (unsigned char *p : held)
            linn_free(p);
    });
    const uint64_t kSignals = 10000 / kScale;
    while (handled < kSignals) {
        uint64_t before = handled;
        pthread_kill(victim.native_handle(), SIGUSR1);
        while (handled == before)
            std::this_thread::yield();
    }
    stop = true;
    victim.join();
    printf("%llu signals\n", static_cast<unsigned long long>(handled.load()));
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
}

jmp_buf out_of_handler;

// Slow, correct, and its cache cannot be taken until it ends.
TEST_F(ThreadLifeTest, AThreadThatLongjmpsOutOfAHandlerGoesOn) {
    std::thread([&] {
        linn_free(linn_alloc(pool_, 100));
        struct sigaction action{};
        action.sa_handler = [](int) { longjmp(out_of_handler, 1); };
        action.sa_flags = SA_NODEFER;
        ASSERT_EQ(sigaction(SIGUSR2, &action, nullptr), 0);
        for (int i = 0; i < 50; i++) {
            std::thread killer;
            if (setjmp(out_of_handler) == 0) {
                raise(SIGUSR2);
            }
            for (int j = 0; j < 100; j++) {
                void *p = linn_alloc(pool_, static_cast<size_t>(j * 10));
                ASSERT_NE(p, nullptr);
                linn_free(p);
            }
        }
    }).join();
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
}

#if !LINN_UNDER_ASAN
// A child of a threaded parent allocates at once, and starts threads that do.
TEST_F(ThreadLifeTest, AForkedChildMayAllocate) {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; t++) {
        threads.emplace_back([&] {
            while (!stop)
                Fill(200);
        });
    }
    const int kForks = 100 / kScale;
    for (int i = 0; i < kForks; i++) {
        linn_free(linn_alloc(pool_, 100));
        pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            alarm(20);
            for (size_t size = 1; size < (30u << 20); size = size * 3 + 1) {
                auto *p = static_cast<char *>(linn_alloc(pool_, size));
                if (p == nullptr) _exit(1);
                p[0] = p[size - 1] = 1;
                linn_free(p);
            }
            Fill(500);
#if !LINN_UNDER_TSAN  // which allows no thread in a child
            pthread_t t;
            if (pthread_create(
                    &t, nullptr,
                    [](void *pool) -> void * {
                        for (int j = 0; j < 300; j++) {
                            linn_free(linn_alloc(static_cast<linn_pool *>(pool),
                                                 static_cast<size_t>(j)));
                        }
                        return nullptr;
                    },
                    pool_) == 0) {
                pthread_join(t, nullptr);
            }
#endif
            // The caches of the parent's threads are nobody's here.
            (void)linn_cache_adopt(65536);
            linn_counters c{};
            c.size = sizeof c;
            (void)linn_pool_counters(pool_, &c);
            _exit(c.thread_caches <= 1 ? 0 : 2);
        }
        int status = -1;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_EQ(status, 0) << "fork " << i;
    }
    stop = true;
    for (std::thread &t : threads)
        t.join();
    printf("%d forks\n", kForks);
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
}
#endif
#endif

// Without membarrier every operation takes the slow path, and a thief still can.
TEST_F(ThreadLifeTest, WithoutMembarrier) {
    linn_asym_force_unavailable(true);
    std::atomic<int> step{0};
    std::thread sleeper([&] {
        Fill(1000);
        step = 1;
        while (step != 2)
            std::this_thread::yield();
        Fill(1000);
    });
    while (step != 1)
        std::this_thread::yield();
    EXPECT_GT(Counters(pool_).cached_blocks, 0u);
    (void)linn_cache_drain_all(core());
    EXPECT_EQ(Counters(pool_).cached_blocks, 0u);
    step = 2;
    sleeper.join();
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
    linn_asym_force_unavailable(false);
}

}  // namespace
