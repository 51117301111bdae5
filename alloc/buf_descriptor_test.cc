// Descriptors: each has one owner, whatever threads and handlers do; generations
// and their wrap; a cache taken over at any of its moments.

#include "alloc/buf_descriptor.h"

#include <signal.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "alloc/page_source.h"
#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kScale = 10;
#else
constexpr int kScale = 1;
#endif

struct Cache : linn_descriptor_cache {
    Cache() : linn_descriptor_cache() {}
    linn_descriptor *Take() {
        EXPECT_TRUE(linn_descriptor_enter(this));
        linn_descriptor *d = linn_descriptor_pop(this);
        linn_descriptor_leave(this);
        return d;
    }
    void Give(linn_descriptor *d) {
        ASSERT_TRUE(linn_descriptor_enter(this));
        linn_descriptor_push(this, d);
        linn_descriptor_leave(this);
    }
    ~Cache() {
        linn_descriptor_cache_flush(this);
    }
};

// All that can be had without a new number, given back again.
std::set<linn_descriptor *> Drain() {
    std::set<linn_descriptor *> all;
    uint32_t born = linn_descriptor_born();
    for (;;) {
        linn_descriptor *d = linn_descriptor_take();
        EXPECT_TRUE(all.insert(d).second) << "twice in the stack";
        if (linn_descriptor_born() != born) break;
    }
    return all;
}
void GiveAll(const std::set<linn_descriptor *> &all) {
    for (linn_descriptor *d : all)
        linn_descriptor_give(d);
}
// Every number that was born is in the stack.
void ExpectAllThere() {
    auto all = Drain();
    EXPECT_EQ(
        all.size() + linn_descriptor_retired() + LINN_DESCRIPTOR_BATCH - 1,
        linn_descriptor_born());
    GiveAll(all);
}

TEST(BufDescriptor, HasItsNumberAndIsReadyForABuffer) {
    linn_descriptor *d = linn_descriptor_take();
    ASSERT_NE(d, nullptr);
    EXPECT_EQ(linn_descriptor_at(d->index), d);
    EXPECT_EQ(d->root, d);
    EXPECT_EQ(d->kind, LINN_KIND_OWN);
    EXPECT_EQ(d->flags, 0);
    EXPECT_EQ(d->offset, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(d) % LINN_CACHE_LINE, 0u);
    linn_descriptor_give(d);
}

TEST(BufDescriptor, NumbersThatWereNeverGivenHaveNone) {
    EXPECT_EQ(linn_descriptor_at(LINN_DESCRIPTORS_MAX), nullptr);
    EXPECT_EQ(linn_descriptor_at(UINT32_MAX), nullptr);
    EXPECT_EQ(linn_descriptor_at(LINN_DESCRIPTORS_MAX - 1), nullptr);
}

TEST(BufDescriptor, ACacheServesWhatItWasGiven) {
    Cache cache;
    linn_descriptor *a = cache.Take(), *b = cache.Take();
    ASSERT_NE(a, b);
    cache.Give(a);
    EXPECT_EQ(cache.Take(), a);
    cache.Give(a);
    cache.Give(b);
    linn_descriptor_cache_flush(&cache);
    EXPECT_EQ(sync_ptr_load_relaxed(&cache.loaded), nullptr);
}

// Halves fill, spill and come back; nothing is lost or doubled.
TEST(BufDescriptor, ManyThroughOneCache) {
    {
        Cache cache;
        std::set<linn_descriptor *> held;
        for (int round = 0; round < 4; round++) {
            for (int i = 0; i < 150; i++) {
                ASSERT_TRUE(held.insert(cache.Take()).second);
            }
            for (linn_descriptor *d : held)
                cache.Give(d);
            held.clear();
        }
    }
    ExpectAllThere();
}

TEST(BufDescriptor, WhoIsInsideOrHasNoCacheIsSentAway) {
    Cache cache;
    ASSERT_TRUE(linn_descriptor_enter(&cache));
    EXPECT_FALSE(linn_descriptor_enter(&cache));
    linn_descriptor_leave(&cache);
    linn_descriptor_cache none = LINN_DESCRIPTOR_NO_CACHE;
    EXPECT_FALSE(linn_descriptor_enter(&none));
}

// An adopter finds both halves to be the same list when the owner was killed
// between the two stores of a move.
TEST(BufDescriptor, ACacheTakenOverInTheMiddleOfAMove) {
    Cache cache;
    std::set<linn_descriptor *> held;
    for (int i = 0; i < LINN_DESCRIPTOR_BATCH; i++)
        held.insert(cache.Take());
    for (linn_descriptor *d : held)
        cache.Give(d);
    sync_ptr_store_relaxed(&cache.previous,
                           sync_ptr_load_relaxed(&cache.loaded));
    linn_descriptor_cache_flush(&cache);
    ExpectAllThere();
}

// From three below the wrap: three lives, and then it is nobody's any more.
TEST(BufDescriptor, IsRetiredWhereItsGenerationWraps) {
    std::set<linn_descriptor *> old = Drain();
    uint64_t retired = linn_descriptor_retired();
    linn_descriptor_set_first_generation(UINT32_MAX - 2);
    std::set<linn_descriptor *> fresh;
    for (int i = 0; i < LINN_DESCRIPTOR_BATCH - 1; i++)
        fresh.insert(linn_descriptor_take());  // the rest of Drain's batch
    linn_descriptor *d = nullptr;
    do {
        d = linn_descriptor_take();
        fresh.insert(d);
        ASSERT_LT(fresh.size(), 1000u);
    } while (linn_refs_generation(sync_u64_load_relaxed(&d->count.word)) !=
             UINT32_MAX - 2);
    fresh.erase(d);
    linn_descriptor_set_first_generation(1);
    std::vector<uint64_t> names;
    for (int life = 0; life < 3; life++) {
        names.push_back(linn_refs_begin(&d->count) | d->index);
        for (size_t i = 0; i < names.size(); i++) {
            EXPECT_EQ(linn_refs_is_live(&d->count, names[i]),
                      i + 1 == names.size());
        }
        ASSERT_EQ(linn_refs_release(&d->count, names.back(), 1),
                  LINN_COUNTED_LAST);
        EXPECT_EQ(linn_descriptor_is_spent(d), life == 2);
        linn_descriptor_give(d);
        if (life < 2) {
            EXPECT_EQ(linn_descriptor_take(), d);
        }
    }
    EXPECT_EQ(linn_descriptor_retired(), retired + 1);
    GiveAll(old);
    GiveAll(fresh);
    EXPECT_EQ(Drain().count(d), 0u);
}

TEST(BufDescriptor, NoMemoryIsNull) {
    std::set<linn_descriptor *> held = Drain();
    linn_page_source_fail_always();
    bool refused = false;
    for (int i = 0; i < 2 * LINN_DESCRIPTORS_PER_SLAB && !refused; i++) {
        linn_descriptor *d = linn_descriptor_take();
        if (d == nullptr) {
            refused = true;
        } else {
            held.insert(d);
        }
    }
    linn_page_source_fail_never();
    EXPECT_TRUE(refused);
    uint32_t born = linn_descriptor_born();
    linn_descriptor *d = linn_descriptor_take();
    ASSERT_NE(d, nullptr);
    EXPECT_EQ(linn_descriptor_born(), born + LINN_DESCRIPTOR_BATCH);
    held.insert(d);
    GiveAll(held);
}

// Threads take and give; what one has, no other has: the owner writes plainly.
TEST(BufDescriptor, ThreadsNeverShareOne) {
    constexpr int kThreads = 4;
    std::atomic<uint64_t> operations{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([t, &operations] {
            Cache cache;
            std::vector<linn_descriptor *> held;
            uint64_t state = static_cast<uint64_t>(t) + 1;
            for (int i = 0; i < 60000 / kScale; i++) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                bool shared = (state >> 33) % 8 == 0;
                if (held.size() < 100 && (state >> 40) % 2 == 0) {
                    linn_descriptor *d =
                        shared ? linn_descriptor_take() : cache.Take();
                    EXPECT_NE(d, nullptr);
                    d->reader = static_cast<size_t>(t);
                    d->writer = held.size();
                    held.push_back(d);
                } else if (!held.empty()) {
                    linn_descriptor *d = held.back();
                    held.pop_back();
                    EXPECT_EQ(d->reader, static_cast<size_t>(t));
                    EXPECT_EQ(d->writer, held.size());
                    if (shared) {
                        linn_descriptor_give(d);
                    } else {
                        cache.Give(d);
                    }
                }
                operations++;
            }
            for (linn_descriptor *d : held)
                cache.Give(d);
        });
    }
    for (auto &t : threads)
        t.join();
    EXPECT_EQ(operations.load(), kThreads * uint64_t{60000 / kScale});
}

#if !defined(LINN_LOCKED) || !LINN_LOCKED
// A handler that comes at any moment uses what is shared.  (Not in the twin, whose
// sections are locks.)
Cache *handlers_cache;
std::atomic<int> handled{0};
std::atomic<bool> stop{false};
void Handle(int) {
    linn_descriptor *d = nullptr;
    bool inside = linn_descriptor_enter(handlers_cache);
    d = inside ? linn_descriptor_pop(handlers_cache) : linn_descriptor_take();
    if (d == nullptr) abort();
    d->reader = 12345;
    if (inside) {
        linn_descriptor_push(handlers_cache, d);
        linn_descriptor_leave(handlers_cache);
    } else {
        linn_descriptor_give(d);
    }
    handled++;
}

TEST(BufDescriptor, HandlersAnywhere) {
    Cache cache;
    handlers_cache = &cache;
    struct sigaction action = {}, before = {};
    action.sa_handler = Handle;
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
    pthread_t self = pthread_self();
    std::thread sender([self] {
        while (!stop) {
            pthread_kill(self, SIGUSR1);
            std::this_thread::yield();
        }
    });
    std::vector<linn_descriptor *> held;
    uint64_t rounds = 0;
    while (handled < 2000 / kScale) {
        for (int i = 0; i < 70; i++) {
            held.push_back(cache.Take());
            held.back()->reader = 6;
        }
        while (!held.empty()) {
            ASSERT_EQ(held.back()->reader, 6u);
            cache.Give(held.back());
            held.pop_back();
        }
        rounds++;
    }
    stop = true;
    sender.join();
    sigaction(SIGUSR1, &before, nullptr);
    EXPECT_GT(rounds, 0u);
    EXPECT_GE(handled.load(), 2000 / kScale);
}
#endif

}  // namespace
