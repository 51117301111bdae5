// All 65,536 records of threads are taken, with the payload that they have in the
// library: threads beyond them use the shared path, slower and still correct, and
// the first record that comes back gives the next thread a cache.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "alloc/linn_fixture.h"
#include "alloc/thread_cache.h"
#include "sync/thread_registry.h"

namespace {

using namespace linn_fixture;

// The thread's list of robust mutexes: while one counts as in work, giving a
// record up forgets it and leaves it taken.  So one thread can hold them all.
struct robust_list_head *RobustList() {
    struct robust_list_head *head = nullptr;
    size_t length = 0;
    EXPECT_EQ(syscall(SYS_get_robust_list, 0, &head, &length), 0);
    return head;
}

struct linn_thread *ClaimForGood(struct robust_list_head *list) {
    static struct robust_list pending;
    struct linn_thread *t = linn_thread_register();
    if (t == nullptr) return nullptr;
    list->list_op_pending = &pending;
    linn_thread_unregister(t);
    list->list_op_pending = nullptr;
    return t;
}

size_t ResidentMiB() {
    size_t pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    return resident * 4096 >> 20;
}

// What a thread does that has no record: every kind of block, half of them freed
// by another thread.  Returns the calls that it made of each sort.
constexpr int kAllocations = 5000 / kScale;

struct Work {
    uint64_t allocations = 0, frees = 0;
};

Work AllocateAndFree(linn_pool *pool, uint64_t seed) {
    Random random(seed);
    std::vector<Canary> held;
    Work work;
    auto drop = [&](size_t i) {
        EXPECT_TRUE(held[i].IsWhole());
        linn_free(held[i].block);
        held[i] = held.back();
        held.pop_back();
        work.frees++;
    };
    for (int i = 0; i < kAllocations; i++) {
        void *p = linn_alloc(pool, random.Size());
        EXPECT_NE(p, nullptr);
        if (p == nullptr) break;
        // An attempt to register looks at every record, so they are few.
        if (i == 0) {
            EXPECT_GT(linn_tls.retry, 1000u);
        }
        held.emplace_back();
        held.back().Write(p, linn_usable_size(p), random.Next());
        work.allocations++;
        if (held.size() > 50) drop(random.Below(held.size()));
    }
    OnThread([&] {
        while (!held.empty())
            drop(held.size() - 1);
    });
    return work;
}

TEST(ThreadFullTest, BeyondAllRecordsTheSharedPathServes) {
    linn_pool *pool = Create();
    struct robust_list_head *list = RobustList();
    uint32_t claimed = 0;
    struct linn_thread *last = nullptr;
    while (struct linn_thread *t = ClaimForGood(list)) {
        // The library's payload, and not one of the test's.
        ASSERT_EQ(linn_thread_index(t), claimed);
        last = t;
        claimed++;
    }
    ASSERT_EQ(claimed, uint32_t{LINN_THREADS_MAX});
    size_t stride = reinterpret_cast<char *>(linn_thread_at(1)) -
                    reinterpret_cast<char *>(linn_thread_at(0));
    EXPECT_GE(stride, sizeof(struct linn_caches));

    constexpr int kThreads = 4;
    Work work[kThreads], sum;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; i++) {
        threads.emplace_back(
            [&, i] { work[i] = AllocateAndFree(pool, 1000 + i); });
    }
    for (std::thread &t : threads)
        t.join();
    for (const Work &w : work) {
        sum.allocations += w.allocations;
        sum.frees += w.frees;
    }
    linn_counters c = Counters(pool);
    EXPECT_EQ(sum.allocations, uint64_t{kThreads} * kAllocations);
    EXPECT_EQ(c.allocations, sum.allocations);
    EXPECT_EQ(c.frees, sum.frees);
    EXPECT_EQ(c.live_blocks, 0u);
    // Nobody had a cache.
    EXPECT_EQ(c.thread_caches, 0u);
    EXPECT_EQ(c.cache_hits, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);

    // A mistake is seen on that path, too.
    OnThread([&] {
        Reports reports;
        uintptr_t p = AddressOf(linn_alloc(pool, 100));
        linn_free(At(p));
        EXPECT_EQ(reports.Count(), 0);
        linn_free(At(p));
        EXPECT_EQ(reports.Take().what.find("already free"), 0u);
    });

    // One record comes back: the next thread has a cache.
    linn_thread_unregister(last);
    OnThread([&] {
        for (int i = 0; i < 100; i++)
            linn_free(linn_alloc(pool, 100));
        EXPECT_EQ(Counters(pool).thread_caches, 1u);
        EXPECT_GT(Counters(pool).cache_hits, 50u);
    });
    printf(
        "%u records of %zu bytes, %llu blocks beyond them, %zu MiB "
        "resident\n",
        claimed, stride, static_cast<unsigned long long>(sum.allocations),
        ResidentMiB());
    Destroy(pool);
}

}  // namespace
