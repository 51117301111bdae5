// Thread caches at their edges: late destructors, thieves, death, signals, jumps,
// forks, no membarrier and no records.  (alloc/thread_life_test.cc has the
// ordinary life of a cache.)

#include "alloc/thread_cache.h"

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>

#include "alloc/linn_fixture.h"
#include "alloc/page_source.h"
#include "sync/asym.h"

namespace {

using namespace linn_fixture;

linn_pool_core *CoreOf(linn_pool *pool) {
    return &linn_pool_cores[AddressOf(pool) & 0xff];
}

// Blocks of every class, `each` of each at once.
void UseAllClasses(linn_pool *pool, int each) {
    std::vector<void *> held;
    for (size_t size = 1; size <= 131072; size = size * 5 / 4 + 1) {
        for (int i = 0; i < each; i++) {
            void *p = linn_alloc(pool, size);
            ASSERT_NE(p, nullptr);
            held.push_back(p);
        }
    }
    for (void *p : held)
        linn_free(p);
}

// What a thread does when nothing is special about it: random blocks with
// canaries, until told to stop.
class Worker {
   public:
    Worker(linn_pool *pool, uint64_t seed) : pool_(pool), random_(seed) {}
    void Step() {
        Canary &c = held_[random_.Below(held_.size())];
        if (c.block != nullptr) {
            if (!c.IsWhole()) broken++;
            linn_free(c.block);
            c.block = nullptr;
            return;
        }
        void *p = linn_alloc(pool_, 16 + random_.Below(2000));
        if (p == nullptr) abort();
        c.Write(p, linn_usable_size(p), random_.Next());
        operations++;
    }
    void End() {
        for (Canary &c : held_) {
            if (c.block != nullptr && !c.IsWhole()) broken++;
            linn_free(c.block);
            c.block = nullptr;
        }
    }
    uint64_t operations = 0, broken = 0;

   private:
    linn_pool *pool_;
    Random random_;
    std::vector<Canary> held_ = std::vector<Canary>(64);
};

class ThreadCacheTest : public testing::Test {
   protected:
    void SetUp() override {
        pool_ = Create();
        core_ = CoreOf(pool_);
    }
    void TearDown() override {
        if (pool_ != nullptr) Destroy(pool_);
    }
    // A thread that fills its cache, sleeps until released, and fills it again.
    std::thread Sleeper(int rounds = 1) {
        int before = asleep_;
        std::thread t([this, rounds] {
            for (int i = 0; i < rounds; i++) {
                UseAllClasses(pool_, 3);
                int wanted = released_ + 1;
                asleep_++;
                while (released_ < wanted)
                    std::this_thread::yield();
            }
            UseAllClasses(pool_, 3);
        });
        while (asleep_ == before)
            std::this_thread::yield();
        return t;
    }
    void Release() {
        released_++;
    }
    linn_pool *pool_ = nullptr;
    linn_pool_core *core_ = nullptr;
    std::atomic<int> asleep_{0}, released_{0};
};

// Runs `body` in a child, and fails if a check failed there.
void InChild(const std::function<void()> &body) {
    fflush(stdout);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        alarm(100);
        body();
        fflush(stdout);
        _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

// ---- the end of a thread ----

// A key whose destructor comes again in every round, so that it runs before and
// after ours.
struct Late {
    pthread_key_t key;
    linn_pool *pool;
    std::atomic<int> rounds;
};
Late late;

// ThreadSanitizer's run-time is gone when the last round begins.
#if defined(__SANITIZE_THREAD__)
constexpr int kDestructorRounds = PTHREAD_DESTRUCTOR_ITERATIONS - 1;
#else
constexpr int kDestructorRounds = PTHREAD_DESTRUCTOR_ITERATIONS;
#endif

void LateDestructor(void *p) {
    static thread_local int round = 0;
    late.rounds++;
    linn_free(p);
    for (size_t size = 1; size < 300000; size = size * 3 + 1) {
        void *q = linn_alloc(late.pool, size);
        if (q == nullptr) abort();
        memset(q, 1, size);
        linn_free(q);
    }
    if (++round < kDestructorRounds) {
        pthread_setspecific(late.key, linn_alloc(late.pool, 64));
    }
}

struct LateObject {
    void *held = nullptr;
    ~LateObject() {
        linn_free(held);
        held = linn_alloc(late.pool, 5000);
        linn_free(held);
    }
};

TEST_F(ThreadCacheTest, DestructorsInEveryRound) {
    late.pool = pool_;
    late.rounds = 0;
    ASSERT_EQ(pthread_key_create(&late.key, LateDestructor), 0);
    constexpr int kThreads = 50;
    for (int i = 0; i < kThreads; i++) {
        OnThread([&] {
            static thread_local LateObject object;
            pthread_setspecific(late.key, linn_alloc(pool_, 64));
            object.held = linn_alloc(pool_, 100);
            UseAllClasses(pool_, 2);
        });
    }
    pthread_key_delete(late.key);
    printf("%d rounds of destructors\n", late.rounds.load());
    EXPECT_EQ(late.rounds, kThreads * kDestructorRounds);
    linn_counters c = Counters(pool_);
    EXPECT_EQ(c.thread_caches, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_EQ(c.live_blocks, 0u);
}

// ---- bounds ----

// (T2), at every stop, for caches of any size.
TEST_F(ThreadCacheTest, NeverMoreThanItsBytes) {
    int looks = 0;
    uint64_t fullest = 0;
    for (size_t bytes : {0u, 100u, 4096u, 65536u, 524288u, 8u << 20}) {
        linn_options o = LINN_OPTIONS_INIT;
        o.cache_bytes = bytes;
        o.cached_max = 524288;
        o.cache_sweep = 5000;
        linn_pool *pool = Create(&o);
        Random random(bytes);
        std::vector<void *> held(2000, nullptr);
        for (int i = 0; i < 60000 / kScale; i++) {
            void *&p = held[random.Below(held.size())];
            if (p != nullptr) {
                linn_free(p);
                p = nullptr;
            } else {
                p = linn_alloc(
                    pool, 1 + random.Below(UINT64_C(1) << random.Below(20)));
                ASSERT_NE(p, nullptr);
            }
            if (i % 97 != 0) continue;
            uint64_t cached = Counters(pool).cached_bytes;
            ASSERT_LE(cached, bytes);
            if (cached > fullest) fullest = cached;
            looks++;
        }
        for (void *p : held)
            linn_free(p);
        EXPECT_LE(Counters(pool).cached_bytes, bytes);
        Destroy(pool);
    }
    printf("%d looks, fullest %llu bytes\n", looks,
           static_cast<unsigned long long>(fullest));
    EXPECT_GT(fullest, 500000u);
}

// A class that is not used any more gives back what it holds.
TEST_F(ThreadCacheTest, ASweepEmptiesIdleClasses) {
    linn_options o = LINN_OPTIONS_INIT;
    o.cache_sweep = 1000;
    linn_pool *pool = Create(&o);
    std::vector<void *> held;
    for (int i = 0; i < 100; i++)
        held.push_back(linn_alloc(pool, 1000));
    for (void *p : held)
        linn_free(p);
    uint64_t idle = Counters(pool).cached_blocks;
    EXPECT_GT(idle, 20u);
    // The class that is used keeps what it has.
    for (int i = 0; i < 3500; i++)
        linn_free(linn_alloc(pool, 64));
    linn_counters c = Counters(pool);
    EXPECT_GT(c.cached_blocks, 0u);
    EXPECT_EQ(c.cached_bytes, c.cached_blocks * 64);
    Destroy(pool);
}

// Classes that filled the cache give room to one that is missed more often, and it
// keeps the room while they are used a little.
TEST_F(ThreadCacheTest, BytesGoWhereTheyAreMissed) {
    linn_options o = LINN_OPTIONS_INIT;
    o.cache_sweep = size_t{1} << 30;  // no sweep: nobody is idle here
    linn_pool *pool = Create(&o);
    auto burst = [&](size_t size, int count) {
        std::vector<void *> held;
        for (int i = 0; i < count; i++)
            held.push_back(linn_alloc(pool, size));
        for (void *p : held)
            linn_free(p);
    };
    const size_t kFirst[] = {2048, 1024, 640, 512};
    for (int i = 0; i < 20; i++) {
        for (size_t size : kFirst)
            burst(size, 150);
    }
    EXPECT_GT(Counters(pool).cached_bytes, 300000u);
    uint64_t hits = 0;
    for (int i = 0; i < 600; i++) {
        if (i == 400) hits = Counters(pool).cache_hits;
        burst(20000, 8);
        for (size_t size : kFirst)
            burst(size, 1);
    }
    // 200 rounds of 8, and of 4 that are always hits.
    hits = Counters(pool).cache_hits - hits;
    printf("%llu hits of 2400\n", static_cast<unsigned long long>(hits));
    EXPECT_GT(hits, 2200u);
    EXPECT_LE(Counters(pool).cached_bytes, 524288u);
    Destroy(pool);
}

// ---- other threads take it ----

TEST_F(ThreadCacheTest, TakenAgainAndAgainWhileItSleeps) {
    constexpr int kRounds = 100;
    std::thread sleeper = Sleeper(kRounds);
    for (int i = 0; i < kRounds; i++) {
        while (asleep_ != i + 1)
            std::this_thread::yield();
        ASSERT_GT(Counters(pool_).cached_blocks, 20u);
        ASSERT_EQ(linn_cache_drain_all(core_), 0u);
        ASSERT_EQ(Counters(pool_).cached_blocks, 0u);
        ASSERT_EQ(Counters(pool_).thread_caches, 0u);
        ASSERT_EQ(Counters(pool_).drains, static_cast<uint64_t>(i + 1));
        Release();
    }
    sleeper.join();
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
}

// The body that was taken is given to the same thread again, for another pool:
// the first pool's call must leave it alone.
TEST_F(ThreadCacheTest, ABodyThatComesBackForAnotherPool) {
    linn_pool *other = Create();
    OnThread([&] {
        UseAllClasses(pool_, 3);
        OnThread([&] { EXPECT_EQ(linn_cache_drain_all(core_), 0u); });
        UseAllClasses(other, 3);
        uint64_t cached = Counters(other).cached_blocks;
        EXPECT_GT(cached, 20u);
        linn_free(linn_alloc(pool_, 100));
        EXPECT_EQ(Counters(other).cached_blocks, cached);
        EXPECT_EQ(Counters(other).thread_caches, 1u);
        EXPECT_EQ(Counters(pool_).thread_caches, 1u);
        EXPECT_TRUE(linn_thread_flush());
        EXPECT_EQ(Counters(other).cached_blocks, 0u);
        EXPECT_EQ(Counters(pool_).cached_blocks, 0u);
    });
    Destroy(other);
}

// Two thieves rob three working threads until they had enough.
void ThievesAndOwners(linn_pool *pool, uint64_t drains, bool must_drain) {
    linn_pool_core *core = CoreOf(pool);
    uint64_t before = Counters(pool).drains;
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> operations{0}, broken{0}, raids{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; t++) {
        threads.emplace_back([&, t] {
            Worker worker(pool, t);
            do {
                for (int i = 0; i < 1000; i++)
                    worker.Step();
            } while (!stop);
            worker.End();
            operations += worker.operations;
            broken += worker.broken;
        });
    }
    for (int t = 0; t < 2; t++) {
        threads.emplace_back([&] {
            while (!stop) {
                (void)linn_cache_drain_all(core);
                raids++;
                std::this_thread::yield();
            }
        });
    }
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        uint64_t enough =
            must_drain ? Counters(pool).drains - before : raids.load();
        if (enough >= drains) break;
    }
    stop = true;
    for (std::thread &t : threads)
        t.join();
    linn_counters c = Counters(pool);
    printf("%llu operations, %llu raids, %llu caches drained\n",
           static_cast<unsigned long long>(operations.load()),
           static_cast<unsigned long long>(raids.load()),
           static_cast<unsigned long long>(c.drains - before));
    EXPECT_EQ(broken, 0u);
    EXPECT_EQ(c.live_blocks, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_EQ(c.thread_caches, 0u);
    EXPECT_GT(operations, 1000u);
    if (must_drain) {
        EXPECT_GE(c.drains - before, drains);
    }
}

TEST_F(ThreadCacheTest, TwoThievesAndWorkingOwners) {
    ThievesAndOwners(pool_, 300 / kScale, true);
}

TEST_F(ThreadCacheTest, WithoutMembarrier) {
    InChild([&] {
        linn_asym_force_unavailable(true);
        ThievesAndOwners(pool_, 300 / kScale, true);
        std::thread sleeper = Sleeper();
        EXPECT_EQ(linn_cache_drain_all(core_), 0u);
        EXPECT_EQ(Counters(pool_).cached_blocks, 0u);
        Release();
        sleeper.join();
        Destroy(pool_);
    });
}

// Membarrier was there and is refused from now on: nothing can be taken any more
// from a thread that lives, and all else works; the pool can be destroyed.
TEST_F(ThreadCacheTest, MembarrierLost) {
    InChild([&] {
        std::thread sleeper = Sleeper();
        linn_asym_force_lost();
        EXPECT_GT(linn_cache_drain_all(core_), 0u);
        EXPECT_GT(Counters(pool_).cached_blocks, 0u);
        Release();
        sleeper.join();
        EXPECT_EQ(Counters(pool_).cached_blocks, 0u);
        ThievesAndOwners(pool_, 100 / kScale, false);
        asleep_ = released_ = 0;
        // A pool ends with a sleeper's cache in it.
        linn_pool *other = Create();
        std::atomic<int> step{0};
        std::thread second([&] {
            UseAllClasses(other, 3);
            step = 1;
            while (step != 2)
                std::this_thread::yield();
        });
        while (step != 1)
            std::this_thread::yield();
        Destroy(other);
        step = 2;
        second.join();
        Destroy(pool_);
    });
}

// ---- more threads than records ----

TEST_F(ThreadCacheTest, MoreThreadsThanRecords) {
    InChild([&] {
        constexpr int kRecords = 3, kThreads = 10;
        linn_thread_registry_set_max(kRecords);
        std::atomic<bool> stop{false};
        std::atomic<uint64_t> broken{0}, operations{0};
        std::atomic<int> inside{0};
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < kThreads; t++) {
            threads.emplace_back([&, t] {
                Worker worker(pool_, t);
                for (int i = 0; i < 5000 / kScale; i++)
                    worker.Step();
                inside++;
                do
                    worker.Step();
                while (!stop);
                worker.End();
                operations += worker.operations;
                broken += worker.broken;
            });
        }
        while (inside != kThreads)
            std::this_thread::yield();
        EXPECT_LE(Counters(pool_).thread_caches, 3u);
        EXPECT_GT(Counters(pool_).thread_caches, 0u);
        stop = true;
        for (std::thread &t : threads)
            t.join();
        linn_counters c = Counters(pool_);
        printf("%llu operations, %llu of them hits\n",
               static_cast<unsigned long long>(operations.load()),
               static_cast<unsigned long long>(c.cache_hits));
        EXPECT_EQ(broken, 0u);
        EXPECT_EQ(c.live_blocks, 0u);
        EXPECT_EQ(c.thread_caches, 0u);
        EXPECT_LT(c.cache_hits, c.allocations);
        // A record that is free again goes to who asks long enough.
        OnThread([&] {
            for (int i = 0; i < 1000; i++)
                linn_free(linn_alloc(pool_, 100));
            EXPECT_EQ(Counters(pool_).thread_caches, 1u);
        });
        Destroy(pool_);
    });
}

// All records are taken by sleepers; a thread without one destroys their pool.
TEST_F(ThreadCacheTest, DestroyedByAThreadWithoutARecord) {
    InChild([&] {
        linn_pool *other = Create();
        std::thread a = Sleeper(), b = Sleeper();
        EXPECT_EQ(Counters(pool_).thread_caches, 2u);
        linn_thread_registry_set_max(0);
        OnThread([&] {
            linn_free(linn_alloc(other, 100));
            EXPECT_EQ(Counters(other).thread_caches, 0u);
            Destroy(pool_);
        });
        linn_options o = LINN_OPTIONS_INIT;
        o.size_classes = LINN_CLASSES_POWER_OF_TWO;
        o.page_size = 16384;
        linn_pool *next = Create(&o);
        EXPECT_EQ(CoreOf(next), core_);
        EXPECT_EQ(Counters(next).cached_blocks, 0u);
        pool_ = next;  // the sleepers wake up to it
        Release();
        a.join();
        b.join();
        EXPECT_EQ(Counters(next).live_blocks, 0u);
        EXPECT_EQ(Counters(next).cached_blocks, 0u);
        Destroy(next);
        Destroy(other);
    });
}

// ---- death ----

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
// The run-times of these do not survive threads that end by a raw system call.

void Die(int) {
    syscall(SYS_exit, 0);
}

// Killed at any instruction: an adopter finds the cache whole.  What is lost is
// what was on its way: a batch, for each thread.
TEST_F(ThreadCacheTest, KilledAnywhere) {
    if (!kLockFree) GTEST_SKIP() << "the twin's locks stay locked";
    struct sigaction action{};
    action.sa_handler = Die;
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
    const int kKills = 300 / kScale;
    struct Victim {
        linn_pool *pool;
        std::atomic<uint64_t> operations;
    };
    for (int i = 0; i < kKills; i++) {
        auto *victim = new Victim{pool_, {0}};
        pthread_t thread;
        ASSERT_EQ(pthread_create(
                      &thread, nullptr,
                      [](void *arg) -> void * {
                          auto *v = static_cast<Victim *>(arg);
                          for (size_t n = 0;; n++) {
                              void *held[40];
                              size_t size = n * 97 % 3000;
                              for (void *&p : held)
                                  p = linn_alloc(v->pool, size);
                              for (void *p : held)
                                  linn_free(p);
                              v->operations++;
                          }
                          return nullptr;
                      },
                      victim),
                  0);
        while (victim->operations < static_cast<uint64_t>(3 + i % 40))
            std::this_thread::yield();
        pthread_kill(thread, SIGUSR1);
        pthread_join(thread, nullptr);
        delete victim;
    }
    uint32_t found = linn_cache_adopt(LINN_THREADS_MAX);
    linn_counters c = Counters(pool_);
    // A victim also takes the blocks with it that its program held.
    auto lost = static_cast<int64_t>(c.live_blocks);
    printf("%d kills, %u found at the end, %lld blocks lost\n", kKills, found,
           static_cast<long long>(lost));
    EXPECT_EQ(c.thread_caches, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_GE(c.drains, static_cast<uint64_t>(kKills));
    EXPECT_LE(lost, kKills * (40 + 65));
    EXPECT_GE(lost, -kKills * 65);
    // The pool serves on, and every block is one's own.
    std::vector<Canary> held(5000);
    uint64_t n = 0;
    for (Canary &h : held) {
        void *p = linn_alloc(pool_, n % 3000);
        ASSERT_NE(p, nullptr);
        h.Write(p, linn_usable_size(p), n++);
    }
    for (Canary &h : held) {
        ASSERT_TRUE(h.IsWhole());
        linn_free(h.block);
    }
    pool_ = nullptr;  // it cannot be destroyed: blocks are out for ever
}
#endif

// ---- signals ----

struct Storm {
    linn_pool *pool, *other;
    std::atomic<uint64_t> handled, nested, broken;
    // What handlers keep from one to the next; used by one thread alone.
    Canary kept[16];
    Worker *worker;
};
Storm storm;

void Handle(int signal) {
    static thread_local volatile sig_atomic_t depth = 0;
    depth = depth + 1;
    if (depth > 1) storm.nested++;
    uint64_t n = storm.handled.fetch_add(1);
    // Of its own.
    size_t size = 16 + n * 37 % 3000;
    if (n % 200 == 0) size = n * 7919 % 700000 + 16;
    Canary c, d;
    void *p = linn_alloc(n % 3 == 0 ? storm.other : storm.pool, size);
    if (p == nullptr) abort();
    c.Write(p, linn_usable_size(p), n);
    p = linn_alloc(nullptr, 64);
    if (p == nullptr) abort();
    d.Write(p, linn_usable_size(p), ~n);
    if (!c.IsWhole() || !d.IsWhole()) storm.broken++;
    linn_free(d.block);
    if (signal == SIGUSR1) {
        // Of an earlier handler.
        Canary &old = storm.kept[n % 16];
        if (old.block != nullptr && !old.IsWhole()) storm.broken++;
        linn_free(old.block);
        old = c;
    } else {
        void *q = linn_realloc(storm.pool, c.block, size * 3);
        if (q == nullptr) abort();
        linn_free(q);
    }
    depth = depth - 1;
}

// Two signals, each nesting in the other, at any instruction of a thread in a
// tight loop, by timer and by another thread.
TEST_F(ThreadCacheTest, SignalStorm) {
    if (!kLockFree) GTEST_SKIP() << "a handler would wait for its own lock";
    storm.pool = pool_;
    storm.other = Create();
    storm.handled = storm.nested = storm.broken = 0;
    struct sigaction action{}, before_alarm{};
    action.sa_handler = Handle;
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
    ASSERT_EQ(sigaction(SIGALRM, &action, &before_alarm), 0);
    const uint64_t kSignals = 20000 / kScale;
    std::atomic<bool> stop{false}, started{false};
    std::atomic<uint64_t> operations{0}, broken{0};
    std::thread victim([&] {
        Worker worker(pool_, 5), second(storm.other, 6);
        started = true;
        while (!stop) {
            worker.Step();
            second.Step();
        }
        worker.End();
        second.End();
        operations = worker.operations + second.operations;
        broken = worker.broken + second.broken;
    });
    while (!started)
        std::this_thread::yield();
    pid_t process = getpid();
    // The timer's signals go to whatever thread; only the victim takes them.
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm_only, nullptr);
    itimerval every{{0, 200}, {0, 200}};
    setitimer(ITIMER_REAL, &every, nullptr);
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    uint64_t sent = 0;
    while (storm.handled < kSignals && std::chrono::steady_clock::now() < end) {
        pthread_kill(victim.native_handle(), SIGUSR1);
        if (sent++ % 64 == 0) kill(process, SIGALRM);
        for (int i = 0; i < 50; i++)
            sync_compiler_barrier();
    }
    itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    stop = true;
    victim.join();
    for (Canary &c : storm.kept) {
        if (c.block != nullptr && !c.IsWhole()) storm.broken++;
        linn_free(c.block);
        c = Canary();
    }
    printf("%llu signals handled, %llu nested, %llu operations\n",
           static_cast<unsigned long long>(storm.handled.load()),
           static_cast<unsigned long long>(storm.nested.load()),
           static_cast<unsigned long long>(operations.load()));
    EXPECT_GE(storm.handled, kSignals);
    EXPECT_EQ(storm.broken, 0u);
    EXPECT_EQ(broken, 0u);
    (void)linn_thread_flush();
    for (linn_pool *pool : {pool_, storm.other}) {
        EXPECT_EQ(Counters(pool).live_blocks, 0u);
        EXPECT_EQ(Counters(pool).cached_blocks, 0u);
    }
    Destroy(storm.other);
    sigaction(SIGALRM, &before_alarm, nullptr);
    pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
}

// Handlers that come while a thread registers, takes its first cache, and ends:
// nothing is left in a cache that nobody knows of.
TEST_F(ThreadCacheTest, SignalsWhileThreadsStartAndEnd) {
    if (!kLockFree) GTEST_SKIP() << "a handler would wait for its own lock";
    storm.pool = pool_;
    storm.other = Create();
    storm.handled = storm.nested = storm.broken = 0;
    struct sigaction action{};
    action.sa_handler = Handle;
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
    const int kThreads = 600 / kScale;
    int threads = 0;
    std::atomic<uint64_t> broken{0};
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (int i = 0; i < kThreads; i++) {
        bool too_late = std::chrono::steady_clock::now() > end;
        if (too_late && threads >= kThreads / 10) break;
        threads++;
        std::atomic<bool> started{false}, done{false}, may_end{false};
        std::thread victim([&] {
            Worker worker(pool_, static_cast<uint64_t>(i));
            uint64_t before = storm.handled;
            started = true;
            for (int n = 0; n < 50 || storm.handled < before + 20; n++)
                worker.Step();
            worker.End();
            broken += worker.broken;
            done = true;
            while (!may_end)
                std::this_thread::yield();
        });
        while (!started) {
            // Not a moment is lost: the first call is what matters.
        }
        while (!done) {
            uint64_t before = storm.handled;
            pthread_kill(victim.native_handle(), SIGUSR1);
            // One after the other, or the thread itself hardly goes on.
            for (int n = 0; n < 2000 && storm.handled == before; n++)
                sync_compiler_barrier();
        }
        may_end = true;
        // The handle is good until the thread is joined.
        for (int n = 0; n < 20; n++)
            pthread_kill(victim.native_handle(), SIGUSR1);
        victim.join();
    }
    for (Canary &c : storm.kept) {
        if (c.block != nullptr && !c.IsWhole()) storm.broken++;
        linn_free(c.block);
        c = Canary();
    }
    (void)linn_thread_flush();
    // A thread that was interrupted while it gave up its record is adopted.
    uint32_t adopted = linn_cache_adopt(LINN_THREADS_MAX);
    printf("%d threads, %llu signals handled, %u threads adopted\n", threads,
           static_cast<unsigned long long>(storm.handled.load()), adopted);
    EXPECT_GE(threads, kThreads / 10);
    EXPECT_GE(storm.handled, static_cast<uint64_t>(threads) * 20);
    EXPECT_EQ(storm.broken, 0u);
    EXPECT_EQ(broken, 0u);
    for (linn_pool *pool : {pool_, storm.other}) {
        EXPECT_EQ(Counters(pool).live_blocks, 0u);
        EXPECT_EQ(Counters(pool).cached_blocks, 0u);
        EXPECT_LE(Counters(pool).thread_caches, 1u);
    }
    Destroy(storm.other);
}

// ---- jumps ----

thread_local jmp_buf out_of_linn;

// Out of a call, at a place where a handler may come: its thread goes on without
// a cache, nobody can take the one it had, and the pool can be destroyed.
TEST_F(ThreadCacheTest, AJumpOutOfACall) {
    linn_pool *other = Create();
    std::atomic<int> step{0};
    linn_pool *volatile next = nullptr;
    std::thread jumper([&] {
        UseAllClasses(pool_, 3);
        linn_page_source_visit_next([] { longjmp(out_of_linn, 1); });
        if (setjmp(out_of_linn) == 0) {
            // A chunk is needed, and so the system is asked.
            for (;;) {
                void *p = linn_alloc(pool_, 16u << 20);
                if (p == nullptr) abort();
                linn_free(p);
            }
        }
        // Slower, and still right; of both pools.
        Worker worker(pool_, 1), second(other, 2);
        for (int i = 0; i < 20000 / kScale; i++) {
            worker.Step();
            second.Step();
        }
        worker.End();
        second.End();
        EXPECT_EQ(worker.broken + second.broken, 0u);
        step = 1;
        while (step != 2)
            std::this_thread::yield();
        // The pool's number belongs to another.
        Worker third(next, 3);
        for (int i = 0; i < 20000 / kScale; i++)
            third.Step();
        third.End();
        EXPECT_EQ(third.broken, 0u);
    });
    while (step != 1)
        std::this_thread::yield();
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
    EXPECT_GT(Counters(pool_).cached_blocks, 0u);
    EXPECT_EQ(linn_cache_drain_all(core_), 1u);  // it seems to be inside
    EXPECT_GT(Counters(pool_).cached_blocks, 0u);
    Destroy(pool_);
    linn_options o = LINN_OPTIONS_INIT;
    o.page_size = 65536;
    o.chunk_order = 6;
    pool_ = Create(&o);
    next = pool_;
    EXPECT_EQ(CoreOf(pool_), core_);
    step = 2;
    jumper.join();
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
    EXPECT_EQ(Counters(pool_).cached_blocks, 0u);
    Destroy(other);
}

// ---- fork ----

#if !defined(__SANITIZE_THREAD__)
// ThreadSanitizer's children of a threaded parent have no threads.

TEST_F(ThreadCacheTest, AChildAdoptsItsParentsThreads) {
    constexpr int kSleepers = 5;
    std::vector<std::thread> sleepers;
    for (int i = 0; i < kSleepers; i++)
        sleepers.push_back(Sleeper());
    UseAllClasses(pool_, 2);
    EXPECT_EQ(Counters(pool_).thread_caches, 6u);
    InChild([&] {
        EXPECT_EQ(Counters(pool_).thread_caches, 6u);
        linn_free(linn_alloc(pool_, 100));  // its first call
        // Threads that start look at two records each.
        for (int i = 0; i < 8; i++)
            OnThread([&] { UseAllClasses(pool_, 1); });
        EXPECT_EQ(Counters(pool_).thread_caches, 1u);
        (void)linn_thread_flush();
        EXPECT_EQ(Counters(pool_).cached_blocks, 0u);
        EXPECT_EQ(Counters(pool_).live_blocks, 0u);
        Destroy(pool_);
    });
    // The parent's are untouched.
    EXPECT_EQ(Counters(pool_).thread_caches, 6u);
    Release();
    for (std::thread &t : sleepers)
        t.join();
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
}

#if !defined(__SANITIZE_ADDRESS__)
// AddressSanitizer's own allocator may be locked in the child for ever.
TEST_F(ThreadCacheTest, ForkStorm) {
    if (!kLockFree) GTEST_SKIP() << "a child may find a lock locked for ever";
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> broken{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; t++) {
        threads.emplace_back([&, t] {
            Worker worker(pool_, t);
            while (!stop) {
                worker.Step();
                linn_free(linn_alloc(pool_, 200000 + t));
            }
            worker.End();
            broken += worker.broken;
        });
    }
    const int kForks = 200 / kScale;
    int done = 0;
    for (int i = 0; i < kForks && !HasFailure(); i++) {
        std::vector<Canary> mine(50);
        for (size_t k = 0; k < mine.size(); k++) {
            void *p = linn_alloc(pool_, k * 100);
            mine[k].Write(p, linn_usable_size(p), k);
        }
        InChild([&] {
            for (size_t size = 1; size < (40u << 20); size = size * 3 + 1) {
                auto *p = static_cast<char *>(linn_alloc(pool_, size));
                if (p == nullptr) abort();
                p[0] = p[size - 1] = 1;
                linn_free(p);
            }
            for (Canary &c : mine) {
                if (!c.IsWhole()) abort();
                linn_free(c.block);
            }
            for (unsigned t = 0; t < 2; t++) {
                OnThread([&] {
                    Worker worker(pool_, t);
                    for (int n = 0; n < 500; n++)
                        worker.Step();
                    worker.End();
                    if (worker.broken != 0) abort();
                });
            }
        });
        for (Canary &c : mine) {
            ASSERT_TRUE(c.IsWhole());
            linn_free(c.block);
        }
        done++;
    }
    stop = true;
    for (std::thread &t : threads)
        t.join();
    printf("%d forks\n", done);
    EXPECT_EQ(done, kForks);
    EXPECT_EQ(broken, 0u);
    EXPECT_EQ(Counters(pool_).live_blocks, 0u);
}
#endif
#endif

}  // namespace
