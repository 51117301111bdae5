#include "sync/reclaim.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kPeriods = 300;
constexpr long kLitmusTrials = 10000;
#else
constexpr int kPeriods = 3000;
constexpr long kLitmusTrials = 50000;
#endif

class ReclaimTest : public testing::Test {
   protected:
    ReclaimTest() {
        linn_thread_registry_init(0);
        me = linn_thread_register();
        EXPECT_NE(me, nullptr);
    }
    ~ReclaimTest() override {
        linn_thread_unregister(me);
    }
    struct linn_thread *me;
};

// Another thread that enters and leaves when told.
class reader {
   public:
    reader() : thread([this] { run(); }) {
        while (record.load() == nullptr) {
            sched_yield();
        }
    }
    ~reader() {
        say(quit);
        thread.join();
    }
    void enter() {
        say(go_in);
    }
    void leave() {
        say(go_out);
    }
    std::atomic<struct linn_thread *> record{nullptr};

   private:
    enum { none, go_in, go_out, quit };
    void say(int what) {
        order.store(what);
        while (order.load() != none) {
            sched_yield();
        }
    }
    void run() {
        struct linn_thread *t = linn_thread_register();
        record.store(t);
        for (int what = none; what != quit; order.store(none)) {
            while ((what = order.load()) == none) {
                sched_yield();
            }
            if (what == go_in) linn_reclaim_enter(t);
            if (what == go_out) linn_reclaim_leave(t);
        }
        linn_thread_unregister(t);
    }
    std::atomic<int> order{none};
    std::thread thread;
};

// ---- what a period must do, as a check of any implementation ----

struct implementation {
    void (*start)(struct linn_grace *);
    bool (*poll)(struct linn_grace *);
};

// Whether a period ends too early in one of the plain cases.
bool ends_early(const implementation &with) {
    reader one, two;
    bool early = false;
    struct linn_grace g, later;
    one.enter();
    with.start(&g);
    early |= with.poll(&g);  // one is inside
    early |= with.poll(&g);
    two.enter();  // after the start: not waited for
    with.start(&later);
    early |= with.poll(&later);  // both are
    one.leave();
    with.poll(&g);
    early |= with.poll(&later);  // two is
    one.enter();
    two.leave();
    with.poll(&later);
    one.leave();
    // A section older than the period before.
    one.enter();
    for (int i = 0; i < 3; i++) {
        with.start(&g);
        early |= with.poll(&g);
    }
    one.leave();
    return early;
}

TEST_F(ReclaimTest, APeriodDoesNotEndBeforeItsReaders) {
    EXPECT_FALSE(ends_early({linn_grace_start, linn_grace_poll}));
}

// Planted: the period ends at its second poll whatever it sees.
bool poll_gives_up(struct linn_grace *g) {
    if (linn_grace_poll(g)) return true;
    return g->next++ > 0 || g->next > 1;
}

// Planted: only sections of the sequence just before count.
bool poll_forgets_old_sections(struct linn_grace *g) {
    for (uint32_t i = 0; i < g->limit; i++) {
        uint64_t section = sync_u64_load_acquire(&linn_thread_at(i)->section);
        if (section >> LINN_RECLAIM_DEPTH_BITS == g->sequence - 1 &&
            section != 0) {
            return false;
        }
    }
    return true;
}

// Planted: the period takes the sequence that readers copy already.
void start_without_advancing(struct linn_grace *g) {
    linn_grace_start(g);
    g->sequence--;
}

TEST_F(ReclaimTest, PlantedEarlyEndsAreCaught) {
    EXPECT_TRUE(ends_early({linn_grace_start, poll_gives_up}));
    EXPECT_TRUE(ends_early({linn_grace_start, poll_forgets_old_sections}));
    EXPECT_TRUE(ends_early({start_without_advancing, linn_grace_poll}));
}

TEST_F(ReclaimTest, APeriodEndsWithItsReaders) {
    reader one;
    struct linn_grace g;
    linn_grace_start(&g);
    EXPECT_TRUE(linn_grace_poll(&g)) << "nobody is inside";
    one.enter();
    linn_grace_start(&g);
    EXPECT_FALSE(linn_grace_poll(&g));
    one.leave();
    EXPECT_TRUE(linn_grace_poll(&g));
    EXPECT_TRUE(linn_grace_poll(&g)) << "and stays over";
    // A reader that comes after the start is not waited for.
    linn_grace_start(&g);
    one.enter();
    EXPECT_TRUE(linn_grace_poll(&g));
    one.leave();
}

TEST_F(ReclaimTest, SectionsNest) {
    reader other;
    struct linn_grace g;
    linn_reclaim_enter(me);
    EXPECT_TRUE(linn_reclaim_is_inside(me));
    linn_grace_start(&g);
    linn_reclaim_enter(me);  // deeper: keeps the old sequence
    EXPECT_FALSE(linn_grace_poll(&g));
    linn_reclaim_leave(me);
    EXPECT_TRUE(linn_reclaim_is_inside(me));
    EXPECT_FALSE(linn_grace_poll(&g));
    linn_reclaim_leave(me);
    EXPECT_FALSE(linn_reclaim_is_inside(me));
    EXPECT_TRUE(linn_grace_poll(&g));
}

TEST_F(ReclaimTest, TheSequencePassesItsWrap) {
    constexpr uint64_t kWrap = uint64_t{1} << 48;
    uint64_t before = sync_u64_load_relaxed(&linn_reclaim_sequence);
    for (uint64_t from : {kWrap - 3, kWrap - 2, kWrap - 1, uint64_t{0} - 3,
                          uint64_t{0} - 2, uint64_t{0} - 1}) {
        linn_reclaim_set_sequence(from);
        reader one;
        for (int i = 0; i < 5; i++) {
            struct linn_grace g;
            one.enter();
            linn_grace_start(&g);
            EXPECT_FALSE(linn_grace_poll(&g)) << from << " + " << i;
            one.leave();
            one.enter();
            EXPECT_TRUE(linn_grace_poll(&g)) << from << " + " << i;
            one.leave();
        }
    }
    linn_reclaim_set_sequence(before);
}

// ---- stopped and killed readers ----

TEST_F(ReclaimTest, AReaderStoppedInsideDelaysItForEver) {
    reader stopped;
    stopped.enter();
    struct linn_grace g;
    linn_grace_start(&g);
    for (int i = 0; i < 1000; i++) {
        ASSERT_FALSE(linn_grace_poll(&g));
        ASSERT_FALSE(linn_thread_adopt_begin(stopped.record));
    }
    // Nothing else is delayed: threads come, go, enter and leave.
    std::thread([] {
        struct linn_thread *t = linn_thread_register();
        linn_reclaim_enter(t);
        linn_reclaim_leave(t);
    }).join();
    ASSERT_FALSE(linn_grace_poll(&g));
    stopped.leave();
    EXPECT_TRUE(linn_grace_poll(&g));
}

void *enter_and_die(void *out) {
    struct linn_thread *t = linn_thread_register();
    *static_cast<struct linn_thread **>(out) = t;
    linn_reclaim_enter(t);
#ifdef LINN_SANITIZED
    pthread_exit(nullptr);  // see die_here in thread_registry_test.cc
#else
    syscall(SYS_exit, 0);
#endif
    return nullptr;
}

TEST_F(ReclaimTest, AReaderKilledInsideIsClosedByItsAdopter) {
    // The hook of a thread that ends otherwise would find it inside a section.
    linn_thread_registry_at_exit([](struct linn_thread *) {});
    struct linn_thread *dead = nullptr;
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, nullptr, enter_and_die, &dead), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
    linn_thread_registry_at_exit(nullptr);
    ASSERT_NE(dead, nullptr);
    struct linn_grace g;
    linn_grace_start(&g);
    for (int i = 0; i < 100; i++) {
        ASSERT_FALSE(linn_grace_poll(&g));
    }
    ASSERT_TRUE(linn_thread_adopt_begin(dead));
    EXPECT_FALSE(linn_grace_poll(&g)) << "not before the adoption is over";
    linn_thread_adopt_end(dead);
    EXPECT_TRUE(linn_grace_poll(&g));
}

// ---- without membarrier ----

TEST_F(ReclaimTest, ALostBarrierEndsNoPeriod) {
    linn_asym_force_lost();
    struct linn_grace g;
    linn_grace_start(&g);
    for (int i = 0; i < 10; i++) {
        EXPECT_FALSE(linn_grace_poll(&g));
    }
    linn_asym_force_unavailable(false);
    EXPECT_FALSE(linn_grace_poll(&g)) << "begins again";
    EXPECT_TRUE(linn_grace_poll(&g));
}

// ---- under load ----

// Readers use whatever is published; a maintainer replaces it, waits a period
// and writes all over it with plain stores.  A reader that sees the writing, or
// a race that ThreadSanitizer sees, is a period that ended too early.
void churn() {
    constexpr int kReaders = 3;
    constexpr long kAlive = 0x600d, kDead = 0xdead;
    struct thing {
        long words[8];
    };
    sync_ptr slot = {nullptr};
    std::atomic<bool> stop{false};
    std::atomic<long> reads{0}, bad{0};
    std::atomic<int> started{0};
    std::vector<std::thread> threads;
    std::vector<thing> things(4);
    for (thing &t : things) {
        for (long &w : t.words) {
            w = kAlive;
        }
    }
    linn_reclaim_publish(&slot, &things[0]);
    for (int r = 0; r < kReaders; r++) {
        threads.emplace_back([&] {
            struct linn_thread *t = linn_thread_register();
            long mine = 0;
            while (!stop.load(std::memory_order_relaxed)) {
                linn_reclaim_enter(t);
                auto *p = static_cast<thing *>(linn_reclaim_read(&slot));
                for (int w = 0; p != nullptr && w < 8; w++) {
                    if (p->words[w] != kAlive) bad.fetch_add(1);
                    if (++mine % 512 == 0)
                        sched_yield();  // inside, now and then
                }
                linn_reclaim_leave(t);
                if (mine == 8) started.fetch_add(1);
            }
            reads.fetch_add(mine);
            linn_thread_unregister(t);
        });
    }
    while (started.load() < kReaders) {
        sched_yield();
    }
    size_t current = 0;
    long polls = 0;
    for (int i = 0; i < kPeriods; i++) {
        size_t next = (current + 1) % things.size();
        linn_reclaim_publish(&slot, &things[next]);
        struct linn_grace g;
        linn_grace_start(&g);
        while (!linn_grace_poll(&g)) {
            polls++;
            sched_yield();
        }
        for (long &w : things[current].words) {
            w = kDead;
        }
        for (long &w : things[current].words) {
            w = kAlive;
        }
        current = next;
    }
    stop.store(true);
    for (std::thread &t : threads) {
        t.join();
    }
    EXPECT_EQ(bad.load(), 0);
    EXPECT_GT(reads.load(), 8L * kReaders);
    std::printf("%d periods, %ld polls in vain, %ld reads\n", kPeriods, polls,
                reads.load());
}

TEST_F(ReclaimTest, ReadersNeverSeeWhatWasTakenDown) {
    ASSERT_TRUE(linn_asym_available());
    churn();
}

TEST_F(ReclaimTest, NorWithoutMembarrier) {
    linn_asym_force_unavailable(true);
    churn();
    linn_asym_force_unavailable(false);
}

// ---- the barrier ----

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

// One entry against one period, over and over: counts the trials in which the
// reader got the pointer and the period was over at once.
long unprotected_reads(bool with_barrier, long trials, double seconds_max) {
    struct word {
        sync_u64 w;
    } LINN_ALIGNED_LINE;
    static word arrived[2], got;
    static struct {
        sync_ptr p;
    } LINN_ALIGNED_LINE slot;
    sync_u64_store_relaxed(&arrived[0].w, 0);
    sync_u64_store_relaxed(&arrived[1].w, 0);
    static int thing;
    std::atomic<bool> stop{false};
    auto meet = [&](int side, uint64_t step) {
        sync_u64_store_release(&arrived[side].w, step);
        for (int spins = 0; sync_u64_load_acquire(&arrived[1 - side].w) < step;
             spins++) {
            if (spins > 10000) std::this_thread::yield();
        }
    };
    std::thread other([&] {
        struct linn_thread *t = linn_thread_register();
        jitter j = {1};
        for (uint64_t n = 1;; n += 3) {
            meet(1, n);
            if (stop.load()) break;
            j.wait();
            linn_reclaim_enter(t);
            void *p = linn_reclaim_read(&slot.p);
            sync_u64_store_relaxed(&got.w, p != nullptr);
            meet(1, n + 1);
            meet(1, n + 2);
            linn_reclaim_leave(t);
        }
        linn_thread_unregister(t);
    });
    long found = 0;
    auto start = std::chrono::steady_clock::now();
    jitter j = {2};
    for (uint64_t n = 1;; n += 3) {
        linn_reclaim_publish(&slot.p, &thing);
        std::chrono::duration<double> spent =
            std::chrono::steady_clock::now() - start;
        if (static_cast<long>(n / 3) >= trials || spent.count() > seconds_max ||
            (!with_barrier && found > 0)) {
            stop.store(true);
        }
        meet(0, n);
        if (stop.load()) break;
        j.wait();
        linn_reclaim_publish(&slot.p, nullptr);
        struct linn_grace g;
        if (with_barrier) {
            linn_grace_start(&g);
        } else {
            // Planted: everything but the barrier, and no locked instruction,
            // which would be one on this machine.
            uint64_t next = sync_u64_load_relaxed(&linn_reclaim_sequence) + 1;
            linn_reclaim_set_sequence(next);
            g.sequence = next;
            g.next = 0;
            g.limit = linn_thread_limit();
            g.begun = true;
        }
        bool over = linn_grace_poll(&g);
        meet(0, n + 1);
        if (over && sync_u64_load_relaxed(&got.w) != 0) found++;
        meet(0, n + 2);
    }
    other.join();
    std::printf("%s: %ld unprotected reads in %ld trials\n",
                with_barrier ? "heavy barrier" : "planted, no barrier", found,
                static_cast<long>(sync_u64_load_relaxed(&arrived[0].w) / 3));
    return found;
}

TEST_F(ReclaimTest, TheBarrierSuffices) {
    ASSERT_TRUE(linn_asym_available());
    EXPECT_EQ(unprotected_reads(true, kLitmusTrials, 60), 0);
#ifndef LINN_SANITIZED
    // Store buffers show it within a few thousand trials where two processors run
    // both threads at once.  Where they do not (a loaded or virtual machine) the
    // count is 0, which says nothing: so it is printed and not judged.  That the
    // barrier is needed is shown for certain by tla/ArenaReclaim's model nobarrier.
    (void)unprotected_reads(false, 1000000000, 2);
#endif
}

}  // namespace
