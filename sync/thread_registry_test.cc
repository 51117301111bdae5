#include "sync/thread_registry.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

constexpr size_t kPayload = 100;

// The payload: a word, because ThreadSanitizer does not see that the kernel
// gives a dead thread's mutex away.
struct payload {
    sync_u64 touched;
};

payload *payload_of(struct linn_thread *t) {
    return static_cast<payload *>(linn_thread_payload(t));
}

class RegistryTest : public testing::Test {
   protected:
    RegistryTest() {
        linn_thread_registry_init(kPayload);
    }
    ~RegistryTest() override {
        linn_thread_registry_at_exit(nullptr);
        linn_thread_registry_set_probe(nullptr);
        linn_thread_registry_set_max(LINN_THREADS_MAX);
        // Whatever a test left dead is adopted; nothing stays taken.
        for (uint32_t i = 0; i < linn_thread_limit(); i++) {
            struct linn_thread *t = linn_thread_at(i);
            if (linn_thread_adopt_begin(t)) linn_thread_adopt_end(t);
            EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_FREE) << i;
        }
    }
};

void keep_the_record(struct linn_thread *) {}

// ---- ways to end ----

// Dies on the spot.  A thread that ends by a bare system call leaves the
// sanitizers' own thread-specific values in its stack, for the next thread that
// gets it; they stop the program then.  Under them a thread dies by pthread_exit,
// which gives up none of its mutexes either.
void die_here() {
#ifdef LINN_SANITIZED
    pthread_exit(nullptr);
#else
    syscall(SYS_exit, 0);
#endif
}

enum class ending { returns, pthread_exits, exits_raw, is_cancelled };

struct victim {
    ending how;
    struct linn_thread *record;
};

void *run_victim(void *argument) {
    victim *v = static_cast<victim *>(argument);
    v->record = linn_thread_register();
    if (v->record == nullptr) return nullptr;
    sync_u64_store_release(&payload_of(v->record)->touched, 1);
    switch (v->how) {
        case ending::returns:
            return nullptr;
        case ending::pthread_exits:
            pthread_exit(nullptr);
        case ending::exits_raw:
            die_here();
            break;
        case ending::is_cancelled:
            for (;;) {
                pthread_testcancel();
                sched_yield();
            }
    }
    return nullptr;
}

// The record of a thread that is dead and has not given it up.
struct linn_thread *dead_record(ending how) {
    linn_thread_registry_at_exit(keep_the_record);
    victim v = {how, nullptr};
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, nullptr, run_victim, &v), 0);
    if (how == ending::is_cancelled) pthread_cancel(thread);
    EXPECT_EQ(pthread_join(thread, nullptr), 0);
    linn_thread_registry_at_exit(nullptr);
    return v.record;
}

// ---- register and unregister ----

TEST_F(RegistryTest, ARecordIsUsedAgain) {
    struct linn_thread *first = nullptr, *second = nullptr;
    uint32_t life = 0;
    std::thread([&] {
        first = linn_thread_register();
        ASSERT_NE(first, nullptr);
        EXPECT_EQ(linn_thread_own(), first);
        EXPECT_EQ(linn_thread_state_hint(first), LINN_THREAD_LIVE);
        EXPECT_EQ(linn_thread_at(linn_thread_index(first)), first);
        EXPECT_LT(linn_thread_index(first), linn_thread_limit());
        EXPECT_FALSE(linn_thread_is_stale(first));
        life = linn_thread_life(first);
        linn_thread_unregister(first);
        EXPECT_EQ(linn_thread_own(), nullptr);
        EXPECT_EQ(linn_thread_state_hint(first), LINN_THREAD_FREE);
    }).join();
    std::thread([&] {
        second = linn_thread_register();
        ASSERT_NE(second, nullptr);
        EXPECT_EQ(linn_thread_life(second), life + 1);
    }).join();
    EXPECT_EQ(first, second);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % LINN_CACHE_LINE, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(linn_thread_payload(first)) %
                  LINN_CACHE_LINE,
              0u);
    EXPECT_EQ(linn_thread_of_payload(linn_thread_payload(first)), first);
}

TEST_F(RegistryTest, RegisteringTwiceGivesTheSameRecord) {
    std::thread([] {
        struct linn_thread *t = linn_thread_register();
        ASSERT_NE(t, nullptr);
        EXPECT_EQ(linn_thread_register(), t);
    }).join();
}

TEST_F(RegistryTest, ManyThreadsAtOnceHaveDifferentRecords) {
    constexpr size_t kThreads = 320;
    std::vector<struct linn_thread *> records(kThreads, nullptr);
    pthread_barrier_t all;
    pthread_barrier_init(&all, nullptr, kThreads);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; i++) {
        threads.emplace_back([&, i] {
            records[i] = linn_thread_register();
            pthread_barrier_wait(&all);  // all hold theirs here
            if (records[i] == nullptr) return;
            auto *bytes = static_cast<char *>(linn_thread_payload(records[i]));
            for (size_t b = 0; b < kPayload; b++) {
                bytes[b] = static_cast<char>(i);  // plain: nobody else's
            }
            pthread_barrier_wait(&all);
            for (size_t b = 0; b < kPayload; b++) {
                ASSERT_EQ(bytes[b], static_cast<char>(i));
                bytes[b] = 0;
            }
            linn_thread_unregister(records[i]);
        });
    }
    for (std::thread &t : threads) {
        t.join();
    }
    pthread_barrier_destroy(&all);
    std::set<struct linn_thread *> distinct(records.begin(), records.end());
    EXPECT_EQ(distinct.count(nullptr), 0u);
    EXPECT_EQ(distinct.size(), kThreads);
    EXPECT_GE(linn_thread_limit(), kThreads);
    EXPECT_GT(linn_thread_limit(), uint32_t{LINN_THREADS_PER_SEGMENT});
    EXPECT_EQ(linn_thread_at(LINN_THREADS_MAX - 1), nullptr);
    EXPECT_EQ(linn_thread_at(LINN_THREADS_MAX), nullptr);
}

// Threads that come and go use few records.
TEST_F(RegistryTest, ChurnDoesNotGrow) {
    constexpr int kThreads = 4, kRounds = 2000;
    uint32_t before = linn_thread_limit();
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([] {
            for (int i = 0; i < kRounds; i++) {
                struct linn_thread *r = linn_thread_register();
                ASSERT_NE(r, nullptr);
                // Plain, and another thread's a moment ago.
                *static_cast<int *>(linn_thread_payload(r)) = i;
                linn_thread_unregister(r);
            }
        });
    }
    for (std::thread &t : threads) {
        t.join();
    }
    uint32_t most = before > 2 * kThreads ? before : 2 * kThreads;
    EXPECT_LE(linn_thread_limit(), most);
}

TEST_F(RegistryTest, AllTakenIsNull) {
    constexpr uint32_t kMax = 4;
    linn_thread_registry_set_max(kMax);
    pthread_barrier_t step;
    pthread_barrier_init(&step, nullptr, kMax + 1);
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < kMax; i++) {
        threads.emplace_back([&] {
            struct linn_thread *t = linn_thread_register();
            EXPECT_NE(t, nullptr);
            pthread_barrier_wait(&step);
            pthread_barrier_wait(&step);
            linn_thread_unregister(t);
        });
    }
    pthread_barrier_wait(&step);
    EXPECT_EQ(linn_thread_register(), nullptr);
    pthread_barrier_wait(&step);
    for (std::thread &t : threads) {
        t.join();
    }
    struct linn_thread *t = linn_thread_register();
    ASSERT_NE(t, nullptr);
    EXPECT_LT(linn_thread_index(t), kMax);
    linn_thread_unregister(t);
    pthread_barrier_destroy(&step);
}

TEST_F(RegistryTest, LivesPassTheirWrap) {
    struct linn_thread *t = linn_thread_register();
    ASSERT_NE(t, nullptr);
    linn_thread_unregister(t);
    constexpr uint32_t kLast = (1u << 24) - 1;
    linn_thread_set_life(t, kLast - 2);
    for (uint32_t life : {kLast - 1, kLast, 0u, 1u}) {
        ASSERT_EQ(linn_thread_register(), t);
        EXPECT_EQ(linn_thread_life(t), life);
        EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_LIVE);
        EXPECT_FALSE(linn_thread_is_stale(t));
        linn_thread_unregister(t);
    }
}

TEST_F(RegistryTest, ALivingThreadIsNotAdopted) {
    struct linn_thread *record = nullptr;
    pthread_barrier_t step;
    pthread_barrier_init(&step, nullptr, 2);
    std::thread other([&] {
        record = linn_thread_register();
        pthread_barrier_wait(&step);
        pthread_barrier_wait(&step);
        linn_thread_unregister(record);
    });
    pthread_barrier_wait(&step);
    for (int i = 0; i < 100; i++) {
        EXPECT_FALSE(linn_thread_adopt_begin(record));
    }
    pthread_barrier_wait(&step);
    other.join();
    EXPECT_FALSE(linn_thread_adopt_begin(record)) << "a free record";
    struct linn_thread *own = linn_thread_register();
    EXPECT_FALSE(linn_thread_adopt_begin(own)) << "one's own";
    linn_thread_unregister(own);
    pthread_barrier_destroy(&step);
}

// ---- death ----

class DeathTest : public RegistryTest,
                  public testing::WithParamInterface<ending> {};

TEST_P(DeathTest, TheDeadAreAdoptedAndTheirRecordIsUsedAgain) {
    struct linn_thread *t = dead_record(GetParam());
    ASSERT_NE(t, nullptr);
    EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_LIVE);
    ASSERT_TRUE(linn_thread_adopt_begin(t));
    EXPECT_EQ(sync_u64_load_acquire(&payload_of(t)->touched), 1u);
    EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_ADOPTED);
    EXPECT_FALSE(linn_thread_adopt_begin(t)) << "adopting already";
    sync_u64_store_relaxed(&payload_of(t)->touched, 0);
    linn_thread_adopt_end(t);
    EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_FREE);
    EXPECT_FALSE(linn_thread_adopt_begin(t)) << "free";
    std::thread([&] { EXPECT_EQ(linn_thread_register(), t); }).join();
}

TEST_P(DeathTest, ExactlyOneOfSeveralAdopts) {
    constexpr int kAdopters = 4, kDeaths = 50;
    std::atomic<struct linn_thread *> record{nullptr};
    std::atomic<int> adopted{0}, round{0};
    std::vector<std::thread> adopters;
    for (int a = 0; a < kAdopters; a++) {
        adopters.emplace_back([&] {
            while (round.load() < kDeaths) {
                struct linn_thread *t = record.load();
                if (t == nullptr || !linn_thread_adopt_begin(t)) {
                    sched_yield();
                    continue;
                }
                payload *p = payload_of(t);
                uint64_t had = sync_u64_load_acquire(&p->touched);
                EXPECT_EQ(had, 1u);
                sync_u64_store_relaxed(&p->touched, had - 1);
                adopted.fetch_add(1);
                record.store(nullptr);
                linn_thread_adopt_end(t);
                round.fetch_add(1);
            }
        });
    }
    for (int d = 0; d < kDeaths; d++) {
        struct linn_thread *t = dead_record(GetParam());
        EXPECT_NE(t, nullptr);
        record.store(t);
        while (round.load() == d) {
            sched_yield();
        }
    }
    for (std::thread &t : adopters) {
        t.join();
    }
    EXPECT_EQ(adopted.load(), kDeaths);
}

INSTANTIATE_TEST_SUITE_P(Endings, DeathTest,
                         testing::Values(ending::returns, ending::pthread_exits,
                                         ending::exits_raw,
                                         ending::is_cancelled));

void *adopt_and_die(void *record) {
    auto *t = static_cast<struct linn_thread *>(record);
    if (linn_thread_adopt_begin(t)) {
        // Half of the work.
        sync_u64_store_release(&payload_of(t)->touched, 77);
        die_here();
    }
    return nullptr;
}

TEST_F(RegistryTest, AnAdopterThatDiesMidwayIsFollowedByAnother) {
    struct linn_thread *t = dead_record(ending::exits_raw);
    ASSERT_NE(t, nullptr);
    for (int i = 0; i < 3; i++) {
        sync_u64_store_relaxed(&payload_of(t)->touched, 1);
        pthread_t adopter;
        ASSERT_EQ(pthread_create(&adopter, nullptr, adopt_and_die, t), 0);
        ASSERT_EQ(pthread_join(adopter, nullptr), 0);
        EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_ADOPTED);
        EXPECT_EQ(sync_u64_load_acquire(&payload_of(t)->touched), 77u);
    }
    ASSERT_TRUE(linn_thread_adopt_begin(t));
    sync_u64_store_relaxed(&payload_of(t)->touched, 0);
    linn_thread_adopt_end(t);
    EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_FREE);
}

TEST_F(RegistryTest, AnAbandonedAdoptionIsContinued) {
    struct linn_thread *t = dead_record(ending::returns);
    ASSERT_NE(t, nullptr);
    ASSERT_TRUE(linn_thread_adopt_begin(t));
    linn_thread_adopt_abandon(t);
    EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_ORPHANED);
    std::thread([&] {
        ASSERT_NE(linn_thread_register(), t) << "an orphan is not free";
        ASSERT_TRUE(linn_thread_adopt_begin(t));
        sync_u64_store_relaxed(&payload_of(t)->touched, 0);
        linn_thread_adopt_end(t);
    }).join();
    EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_FREE);
}

// Killed between the mutex and the word, a claimer leaves a record that the next
// one takes.
TEST_F(RegistryTest, ADeathInsideRegistrationLosesNothing) {
    linn_thread_registry_set_max(1);
    linn_thread_registry_set_probe(die_here);
    pthread_t thread;
    auto claim = [](void *) -> void * {
        linn_thread_register();
        return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, nullptr, claim, nullptr), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
    linn_thread_registry_set_probe(nullptr);
    EXPECT_EQ(linn_thread_state_hint(linn_thread_at(0)), LINN_THREAD_FREE);
    std::thread([] {
        struct linn_thread *t = linn_thread_register();
        ASSERT_NE(t, nullptr);
        EXPECT_EQ(linn_thread_index(t), 0u);
    }).join();
}

// ---- signal handlers ----

std::function<void()> *in_handler;

void handle(int) {
    (*in_handler)();
}

TEST_F(RegistryTest, AHandlerInsideRegistrationIsRefusedAndLaterServed) {
    struct linn_thread *dead = dead_record(ending::returns);
    ASSERT_NE(dead, nullptr);
    struct sigaction action = {}, before;
    action.sa_handler = handle;
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
    int handled = 0;
    struct linn_thread *seen = nullptr;
    bool adopted = true;
    std::function<void()> ask = [&] {
        handled++;
        seen = linn_thread_register();
        adopted = linn_thread_adopt_begin(dead);
    };
    in_handler = &ask;
    std::thread([&] {
        linn_thread_registry_set_probe([] { raise(SIGUSR1); });
        struct linn_thread *own = linn_thread_register();
        EXPECT_EQ(handled, 1);
        EXPECT_EQ(seen, nullptr);
        EXPECT_FALSE(adopted);
        ASSERT_NE(own, nullptr);
        // The same inside an adoption.
        handled = 0;
        seen = nullptr;
        ASSERT_TRUE(linn_thread_adopt_begin(dead));
        EXPECT_EQ(handled, 1);
        EXPECT_EQ(seen, own) << "it has one, and needs no lock for it";
        EXPECT_FALSE(adopted);
        linn_thread_registry_set_probe(nullptr);
        linn_thread_adopt_end(dead);
        raise(SIGUSR1);
        EXPECT_EQ(seen, own);
    }).join();
    sigaction(SIGUSR1, &before, nullptr);
}

// A handler that has interrupted some robust mutex of the program: the thread's
// list is between two states, as the C library marks it.
TEST_F(RegistryTest, NothingIsLockedWhileARobustMutexIsInterrupted) {
    struct linn_thread *dead = dead_record(ending::returns);
    ASSERT_NE(dead, nullptr);
    std::thread([&] {
        struct robust_list_head *head = nullptr;
        size_t length = 0;
        ASSERT_EQ(syscall(SYS_get_robust_list, 0, &head, &length), 0);
        ASSERT_NE(head, nullptr);
        struct robust_list pending;
        head->list_op_pending = &pending;
        EXPECT_EQ(linn_thread_register(), nullptr);
        EXPECT_FALSE(linn_thread_adopt_begin(dead));
        head->list_op_pending = nullptr;
        struct linn_thread *own = linn_thread_register();
        ASSERT_NE(own, nullptr);
        // Unregistering now leaves the record to its adopter.
        head->list_op_pending = &pending;
        linn_thread_unregister(own);
        head->list_op_pending = nullptr;
        EXPECT_EQ(linn_thread_own(), nullptr);
        EXPECT_EQ(linn_thread_state_hint(own), LINN_THREAD_LIVE);
    }).join();
    int found = 0;
    for (uint32_t i = 0; i < linn_thread_limit(); i++) {
        struct linn_thread *t = linn_thread_at(i);
        if (!linn_thread_adopt_begin(t)) continue;
        found++;
        linn_thread_adopt_end(t);
    }
    EXPECT_EQ(found, 2);
}

// ---- exit ----

std::atomic<int> exit_calls{0};
std::atomic<int> other_calls_after_hook{0};
std::atomic<bool> registered_in_hook{false};

void give_up(struct linn_thread *t) {
    exit_calls.fetch_add(1);
    linn_thread_unregister(t);
    registered_in_hook = linn_thread_register() != nullptr;
}

TEST_F(RegistryTest, TheHookRunsOnceInTheLastRound) {
    exit_calls = 0;
    other_calls_after_hook = 0;
    linn_thread_registry_at_exit(give_up);
    static pthread_key_t other;
    static std::atomic<int> rounds;  // a join may not order it, see LAST_ROUND
    rounds = 0;
    ASSERT_EQ(
        pthread_key_create(&other,
                           [](void *value) {
                               // Still served in the rounds before.
                               rounds++;
                               if (exit_calls.load() > 0) {
                                   other_calls_after_hook.fetch_add(1);
                                   EXPECT_TRUE(linn_thread_ended());
                                   EXPECT_EQ(linn_thread_register(), nullptr);
                               } else {
                                   EXPECT_NE(linn_thread_register(), nullptr);
                               }
                               pthread_setspecific(other, value);
                           }),
        0);
    std::thread([] {
        ASSERT_NE(linn_thread_register(), nullptr);
        EXPECT_FALSE(linn_thread_ended());
        pthread_setspecific(other, &other);
    }).join();
    pthread_key_delete(other);
    EXPECT_EQ(rounds.load(), PTHREAD_DESTRUCTOR_ITERATIONS);
    EXPECT_EQ(exit_calls.load(), 1);
    EXPECT_LE(other_calls_after_hook.load(), 1 + LINN_TSAN);
    EXPECT_FALSE(registered_in_hook.load());
}

TEST_F(RegistryTest, WithoutAHookTheRecordIsGivenUp) {
    struct linn_thread *t = nullptr;
    std::thread([&] { t = linn_thread_register(); }).join();
    ASSERT_NE(t, nullptr);
    EXPECT_EQ(linn_thread_state_hint(t), LINN_THREAD_FREE);
}

// ---- misuse ----

using RegistryDeathTest = RegistryTest;

TEST_F(RegistryDeathTest, AnotherPayloadSizeAborts) {
    linn_thread_registry_init(kPayload);  // the same is welcome
    EXPECT_DEATH(linn_thread_registry_init(kPayload + 64), "payload size");
}

TEST_F(RegistryDeathTest, UnregisteringInsideASectionAborts) {
    EXPECT_DEATH(
        {
            struct linn_thread *t = linn_thread_register();
            sync_u64_store_relaxed(&t->section, 1);
            linn_thread_unregister(t);
        },
        "read section");
}

}  // namespace
