// The descriptors that a thread's record keeps: they come back when the thread
// ends, flushes, or dies, and in a forked child.

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "alloc/buf_descriptor.h"
#include "alloc/linn.h"
#include "alloc/thread_cache.h"
#include "gtest/gtest.h"

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

// Gives the calling thread a record, and its cache 40 descriptors: both halves.
void FillCache() {
    linn_free(linn_alloc(nullptr, 100));
    linn_descriptor_cache *c = &linn_tls.caches->descriptors;
    ASSERT_TRUE(linn_descriptor_enter(c));
    linn_descriptor *d[40];
    for (linn_descriptor *&i : d)
        i = linn_descriptor_pop(c);
    for (linn_descriptor *i : d)
        linn_descriptor_push(c, i);
    linn_descriptor_leave(c);
}

bool HasSome() {
    return linn_tls.caches != &linn_no_caches &&
           sync_ptr_load_relaxed(&linn_tls.caches->descriptors.loaded) !=
               nullptr;
}

// How many are in the stack that all threads share; each is there once.
size_t Shared() {
    std::set<linn_descriptor *> all;
    uint32_t born = linn_descriptor_born();
    while (linn_descriptor_born() == born) {
        EXPECT_TRUE(all.insert(linn_descriptor_take()).second);
    }
    size_t n = all.size();
    for (linn_descriptor *d : all)
        linn_descriptor_give(d);
    return n;
}

// All that were born are there, but for those of a thread that says so; and for the
// rest of the batch that Shared itself was the first to touch.
void ExpectAllShared() {
    size_t n = Shared();
    EXPECT_EQ(n + LINN_DESCRIPTOR_BATCH - 1, linn_descriptor_born());
}

TEST(BufThread, AFlushGivesThemBack) {
    FillCache();
    EXPECT_TRUE(HasSome());
    EXPECT_TRUE(linn_thread_flush());
    EXPECT_FALSE(HasSome());
    ExpectAllShared();
}

TEST(BufThread, SoDoesTheEndOfAThread) {
    for (int i = 0; i < 20; i++) {
        std::thread([] {
            FillCache();
            EXPECT_TRUE(HasSome());
        }).join();
    }
    ExpectAllShared();
    EXPECT_LT(linn_descriptor_born(), 2000u);
}

TEST(BufThread, WhoHasNoRecordHasNoCache) {
    std::thread([] {
        EXPECT_EQ(linn_tls.caches, &linn_no_caches);
        EXPECT_FALSE(linn_descriptor_enter(&linn_tls.caches->descriptors));
    }).join();
}

#if !LINN_LOCKED && !LINN_UNDER_TSAN && !LINN_UNDER_ASAN
// Sanitizers do not survive a thread that ends by a raw system call.
TEST(BufThread, ADeadThreadsAreAdopted) {
    for (int i = 0; i < 40; i++) {
        pthread_t t;
        ASSERT_EQ(
            pthread_create(
                &t, nullptr,
                [](void *) -> void * {
                    FillCache();
                    // In the middle of an operation, too.
                    (void)linn_descriptor_enter(&linn_tls.caches->descriptors);
                    syscall(SYS_exit, 0);
                    return nullptr;
                },
                nullptr),
            0);
        pthread_join(t, nullptr);
    }
    EXPECT_GT(linn_cache_adopt(LINN_THREADS_MAX), 0u);
    (void)linn_thread_flush();
    ExpectAllShared();
    EXPECT_LT(linn_descriptor_born(), 4000u);
}

TEST(BufThread, AForkedChildHasThoseOfAllThreads) {
    FillCache();
    std::atomic<int> step{0};
    std::thread other([&] {
        FillCache();
        step = 1;
        while (step != 2)
            std::this_thread::yield();
    });
    while (step != 1)
        std::this_thread::yield();
    pid_t child = fork();
    if (child == 0) {
        linn_free(linn_alloc(nullptr, 300000));  // moves to a record of its own
        FillCache();
        (void)linn_cache_adopt(LINN_THREADS_MAX);
        (void)linn_thread_flush();
        size_t n = Shared();
        _exit(n + LINN_DESCRIPTOR_BATCH - 1 == linn_descriptor_born() ? 0 : 1);
    }
    step = 2;
    other.join();
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    (void)linn_thread_flush();
    ExpectAllShared();
}
#endif

}  // namespace
