#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "sync/reclaim.h"
#include "sync/thread_registry.h"

namespace {

// Runs `body` in a forked child; its failures are printed and counted there.
// A child that hangs is ended by its alarm, which is a failure too.
void in_child(const std::function<void()> &body) {
    fflush(nullptr);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        alarm(60);
        body();
        fflush(nullptr);
        _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

int adopt_all() {
    int adopted = 0;
    for (uint32_t i = 0; i < linn_thread_limit(); i++) {
        struct linn_thread *t = linn_thread_at(i);
        if (!linn_thread_adopt_begin(t)) continue;
        adopted++;
        linn_thread_adopt_end(t);
    }
    return adopted;
}

// Threads that are registered and wait.
class crowd {
   public:
    explicit crowd(size_t count) : records(count), done(false) {
        std::atomic<size_t> ready{0};
        for (size_t i = 0; i < count; i++) {
            threads.emplace_back([&, i] {
                records[i] = linn_thread_register();
                ready.fetch_add(1);
                while (!done.load()) {
                    usleep(1000);
                }
            });
        }
        while (ready.load() < count) {
            usleep(1000);
        }
    }
    ~crowd() {
        done.store(true);
        for (std::thread &t : threads) {
            t.join();
        }
    }
    std::vector<struct linn_thread *> records;

   private:
    std::atomic<bool> done;
    std::vector<std::thread> threads;
};

class ForkTest : public testing::Test {
   protected:
    ForkTest() {
        linn_thread_registry_init(64);
    }
};

TEST_F(ForkTest, EachChildHasALaterGeneration) {
    uint64_t parent = linn_process_generation();
    EXPECT_GE(parent, 1u);
    in_child([&] {
        uint64_t child = linn_process_generation();
        EXPECT_GT(child, parent);
        EXPECT_EQ(linn_process_generation(), child);
        in_child([&] { EXPECT_GT(linn_process_generation(), child); });
        EXPECT_EQ(linn_process_generation(), child);
    });
    EXPECT_EQ(linn_process_generation(), parent);
}

// No handler runs; the page is wiped all the same.
TEST_F(ForkTest, ABareForkIsSeenToo) {
    uint64_t parent = linn_process_generation();
    pid_t child = static_cast<pid_t>(syscall(SYS_fork));
    ASSERT_GE(child, 0);
    if (child == 0) _exit(linn_process_generation() > parent ? 0 : 1);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(ForkTest, AVforkedChildIsTheSameProcess) {
    uint64_t parent = linn_process_generation();
    pid_t child = vfork();
    if (child == 0) _exit(linn_process_generation() == parent ? 0 : 1);
    ASSERT_GT(child, 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(ForkTest, WithoutWipeOnForkTheHandlerTells) {
    in_child([] {
        linn_process_generation_without_wipe();
        uint64_t parent = linn_process_generation();
        in_child([&] {
            uint64_t child = linn_process_generation();
            EXPECT_GT(child, parent);
            in_child([&] { EXPECT_GT(linn_process_generation(), child); });
        });
        EXPECT_EQ(linn_process_generation(), parent);
    });
}

TEST_F(ForkTest, TheSurvivorMovesFirstAndThenAllAreAdopted) {
    constexpr size_t kOthers = 40;
    crowd others(kOthers);
    struct linn_thread *old = linn_thread_register();
    ASSERT_NE(old, nullptr);
    *static_cast<int *>(linn_thread_payload(old)) = 4711;
    in_child([&] {
        EXPECT_TRUE(linn_thread_is_stale(old));
        for (struct linn_thread *t : others.records) {
            EXPECT_TRUE(linn_thread_is_stale(t));
        }
        EXPECT_EQ(adopt_all(), 0) << "before the survivor has a record";
        struct linn_thread *fresh = linn_thread_reregister(old);
        ASSERT_NE(fresh, nullptr);
        EXPECT_NE(fresh, old);
        EXPECT_FALSE(linn_thread_is_stale(fresh));
        EXPECT_EQ(linn_thread_own(), fresh);
        EXPECT_EQ(*static_cast<int *>(linn_thread_payload(old)), 4711);
        EXPECT_EQ(adopt_all(), 0) << "before adoption is open";
        EXPECT_EQ(linn_thread_state_hint(old), LINN_THREAD_LIVE);
        linn_thread_open_adoption();
        EXPECT_EQ(adopt_all(), static_cast<int>(kOthers) + 1);
        EXPECT_EQ(adopt_all(), 0);
        EXPECT_EQ(linn_thread_state_hint(old), LINN_THREAD_FREE);
        EXPECT_FALSE(linn_thread_is_stale(old));
        // The records work again: threads take them and die in them.
        uint32_t limit = linn_thread_limit();
        crowd again(kOthers);
        for (struct linn_thread *t : again.records) {
            ASSERT_NE(t, nullptr);
            EXPECT_FALSE(linn_thread_is_stale(t));
            EXPECT_FALSE(linn_thread_adopt_begin(t)) << "it lives";
        }
        EXPECT_EQ(linn_thread_limit(), limit);
    });
    // The parent is as it was.
    EXPECT_FALSE(linn_thread_is_stale(old));
    for (struct linn_thread *t : others.records) {
        EXPECT_FALSE(linn_thread_is_stale(t));
        EXPECT_FALSE(linn_thread_adopt_begin(t));
    }
    linn_thread_unregister(old);
}

TEST_F(ForkTest, WhereTheSurvivorHasNoRecordAdoptionIsOpen) {
    constexpr size_t kOthers = 5;
    crowd others(kOthers);
    ASSERT_EQ(linn_thread_own(), nullptr);
    in_child([&] {
        EXPECT_EQ(adopt_all(), 0) << "an adopter of stale records needs a name";
        ASSERT_NE(linn_thread_register(), nullptr);
        EXPECT_EQ(adopt_all(), static_cast<int>(kOthers));
    });
}

TEST_F(ForkTest, EachStaleRecordIsAdoptedOnce) {
    constexpr size_t kOthers = 100;
    constexpr int kAdopters = 4;
    crowd others(kOthers);
    struct linn_thread *old = linn_thread_register();
    ASSERT_NE(old, nullptr);
    in_child([&] {
        ASSERT_NE(linn_thread_reregister(old), nullptr);
        std::atomic<int> adopted{0}, ready{0};
        std::vector<std::thread> threads;
        for (int a = 0; a < kAdopters; a++) {
            threads.emplace_back([&] {
                ASSERT_NE(linn_thread_register(), nullptr);
                ready.fetch_add(1);
                while (ready.load() <= kAdopters) {
                    sched_yield();
                }
                adopted.fetch_add(adopt_all());
            });
        }
        while (ready.load() < kAdopters) {
            sched_yield();
        }
        linn_thread_open_adoption();
        ready.fetch_add(1);
        for (std::thread &t : threads) {
            t.join();
        }
        EXPECT_EQ(adopted.load(), static_cast<int>(kOthers) + 1);
    });
    linn_thread_unregister(old);
}

struct task {
    struct linn_thread *target, *own;
};

void *seize_and_die(void *argument) {
    task *t = static_cast<task *>(argument);
    t->own = linn_thread_register();
    if (!linn_thread_adopt_begin(t->target)) return nullptr;
#ifdef LINN_SANITIZED
    linn_thread_registry_at_exit([](struct linn_thread *) {});
    pthread_exit(nullptr);  // see die_here in thread_registry_test.cc
#else
    syscall(SYS_exit, 0);
#endif
    return nullptr;
}

TEST_F(ForkTest, AnAdopterOfAStaleRecordMayDie) {
    crowd others(1);
    struct linn_thread *old = linn_thread_register();
    ASSERT_NE(old, nullptr);
    in_child([&] {
        ASSERT_NE(linn_thread_reregister(old), nullptr);
        linn_thread_open_adoption();
        struct linn_thread *stale = others.records[0];
        task t = {stale, nullptr};
        pthread_t thread;
        ASSERT_EQ(pthread_create(&thread, nullptr, seize_and_die, &t), 0);
        ASSERT_EQ(pthread_join(thread, nullptr), 0);
        ASSERT_NE(t.own, nullptr);
        EXPECT_EQ(linn_thread_state_hint(stale), LINN_THREAD_SEIZED);
        EXPECT_FALSE(linn_thread_adopt_begin(stale)) << "its adopter has it";
        ASSERT_TRUE(linn_thread_adopt_begin(t.own)) << "which is dead";
        EXPECT_EQ(linn_thread_state_hint(stale), LINN_THREAD_ORPHANED);
        linn_thread_adopt_end(t.own);
        ASSERT_TRUE(linn_thread_adopt_begin(stale));
        linn_thread_adopt_abandon(stale);
        ASSERT_TRUE(linn_thread_adopt_begin(stale));
        linn_thread_adopt_end(stale);
        EXPECT_EQ(linn_thread_state_hint(stale), LINN_THREAD_FREE);
    });
    linn_thread_unregister(old);
}

// The adopter is not dead but in the parent: the grandchild finds its work.
TEST_F(ForkTest, AnAdoptionIsInheritedByAGrandchild) {
    crowd others(1);
    struct linn_thread *old = linn_thread_register();
    ASSERT_NE(old, nullptr);
    in_child([&] {
        struct linn_thread *stale = others.records[0];
        std::atomic<int> step{0};
        ASSERT_NE(linn_thread_reregister(old), nullptr);
        linn_thread_open_adoption();
        std::thread adopter([&] {
            linn_thread_register();
            EXPECT_TRUE(linn_thread_adopt_begin(stale));
            step.store(1);
            while (step.load() == 1) {
                usleep(1000);
            }
            linn_thread_adopt_end(stale);
        });
        while (step.load() == 0) {
            usleep(1000);
        }
        in_child([&] {
            ASSERT_NE(linn_thread_reregister(linn_thread_own()), nullptr);
            EXPECT_EQ(linn_thread_state_hint(stale), LINN_THREAD_SEIZED);
            linn_thread_open_adoption();
            int adopted = 0;
            for (int pass = 0; pass < 2; pass++) {
                adopted += adopt_all();
            }
            EXPECT_EQ(linn_thread_state_hint(stale), LINN_THREAD_FREE);
            // The survivor's old record and its older one, the adopter's, and
            // the stale one.
            EXPECT_EQ(adopted, 4);
        });
        step.store(2);
        adopter.join();
        EXPECT_EQ(linn_thread_state_hint(stale), LINN_THREAD_FREE);
    });
    linn_thread_unregister(old);
}

TEST_F(ForkTest, ASurvivorInsideASectionReregistersLater) {
    struct linn_thread *old = linn_thread_register();
    ASSERT_NE(old, nullptr);
    linn_reclaim_enter(old);
    in_child([&] {  // as if a handler inside the section had forked
        EXPECT_EQ(linn_thread_reregister(old), nullptr);
        EXPECT_EQ(linn_thread_own(), old);
        linn_reclaim_leave(old);
        struct linn_thread *fresh = linn_thread_reregister(old);
        EXPECT_NE(fresh, nullptr);
        EXPECT_NE(fresh, old);
    });
    linn_reclaim_leave(old);
    linn_thread_unregister(old);
}

TEST_F(ForkTest, SectionsOfThreadsThatAreNotHereAreClosedByAdoption) {
    std::atomic<int> step{0};
    std::thread inside([&] {
        struct linn_thread *t = linn_thread_register();
        linn_reclaim_enter(t);
        step.store(1);
        while (step.load() == 1) {
            usleep(1000);
        }
        linn_reclaim_leave(t);
    });
    while (step.load() == 0) {
        usleep(1000);
    }
    struct linn_thread *old = linn_thread_register();
    in_child([&] {
        ASSERT_NE(linn_thread_reregister(old), nullptr);
        linn_thread_open_adoption();
        struct linn_grace g;
        linn_grace_start(&g);
        EXPECT_FALSE(linn_grace_poll(&g));
        EXPECT_EQ(adopt_all(), 2);
        EXPECT_TRUE(linn_grace_poll(&g));
    });
    linn_thread_unregister(old);
    step.store(2);
    inside.join();
}

// A thread that was dead already when the process forked.
TEST_F(ForkTest, TheParentsDeadAreAdoptedInTheChild) {
    linn_thread_registry_at_exit([](struct linn_thread *) {});
    struct linn_thread *dead = nullptr;
    std::thread([&] { dead = linn_thread_register(); }).join();
    ASSERT_NE(dead, nullptr);
    struct linn_thread *old = linn_thread_register();
    in_child([&] {
        EXPECT_FALSE(linn_thread_adopt_begin(dead)) << "not open yet";
        ASSERT_NE(linn_thread_reregister(old), nullptr);
        linn_thread_open_adoption();
        ASSERT_TRUE(linn_thread_adopt_begin(dead));
        linn_thread_adopt_end(dead);
    });
    ASSERT_TRUE(linn_thread_adopt_begin(dead)) << "and in the parent";
    linn_thread_adopt_end(dead);
    linn_thread_registry_at_exit(nullptr);
    linn_thread_unregister(old);
}

// A handler forks while the thread is inside its registration: the child's
// registration is stale from the start, and the next one is not.
TEST_F(ForkTest, AHandlerMayForkInsideARegistration) {
    std::thread([] {
        static pid_t child;
        child = -1;
        linn_thread_registry_set_probe([] {
            linn_thread_registry_set_probe(nullptr);
            child = fork();
        });
        struct linn_thread *t = linn_thread_register();
        if (child == 0) {
            bool good = t != nullptr && linn_thread_is_stale(t);
            struct linn_thread *fresh = linn_thread_reregister(t);
            good = good && fresh != nullptr && fresh != t &&
                   !linn_thread_is_stale(fresh);
            linn_thread_open_adoption();
            good = good && linn_thread_adopt_begin(t);
            if (good) linn_thread_adopt_end(t);
            _exit(good ? 0 : 1);
        }
        EXPECT_NE(t, nullptr);
        EXPECT_FALSE(linn_thread_is_stale(t));
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }).join();
}

}  // namespace
