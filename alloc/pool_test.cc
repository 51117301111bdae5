// Pools: how they are made, what their options do, what they count, how they end.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <set>

#include "alloc/linn_fixture.h"
#include "alloc/pool_core.h"

namespace {

using namespace linn_fixture;

linn_pool_core *CoreOf(linn_pool *pool) {
    return &linn_pool_cores[AddressOf(pool) & 0xff];
}

uint64_t HeldBytes(const linn_pool_core *core) {
    return linn_tally_read(&core->tally, LINN_TALLY_HELD_BYTES_TAKEN) -
           linn_tally_read(&core->tally, LINN_TALLY_HELD_BYTES_GIVEN);
}

// Ends the pool, and sees to it that all its memory went back to the system.
void DestroyWholly(linn_pool *pool) {
    Destroy(pool);
    EXPECT_EQ(HeldBytes(CoreOf(pool)), 0u);
}

// Allocates and frees `count` blocks of `size` bytes, all held at once.
void Use(linn_pool *pool, size_t size, int count) {
    std::vector<void *> held;
    for (int i = 0; i < count; i++) {
        held.push_back(linn_alloc(pool, size));
        ASSERT_NE(held.back(), nullptr);
    }
    for (void *p : held)
        linn_free(p);
}

// ---- options ----

TEST(PoolOptionsTest, EveryPageSizeAndChunkOrderIsHonoured) {
    int pools = 0;
    for (size_t page = 4096; page <= 65536; page *= 2) {
        for (size_t order = 0; order <= 11; order++) {
            linn_options o = LINN_OPTIONS_INIT;
            o.page_size = page;
            o.chunk_order = order;
            o.arenas = 1;
            linn_pool *pool = Create(&o);
            size_t chunk = page << order;
            void *whole = linn_alloc(pool, chunk);
            ASSERT_NE(whole, nullptr);
            EXPECT_GE(linn_usable_size(whole), chunk);
            linn_counters c = Counters(pool);
            // A chunk smaller than a granule of the pointer map takes one.
            size_t mapped = std::max(chunk, size_t{1} << 20);
            EXPECT_EQ(c.chunks, 1u) << page << " << " << order;
            EXPECT_EQ(c.held_bytes, mapped);
            EXPECT_EQ(c.huge_blocks, 0u);
            // One byte more than a chunk is huge.
            void *more = linn_alloc(pool, chunk + 1);
            EXPECT_EQ(Counters(pool).huge_blocks, 1u);
            linn_free(more);
            // A second chunk's worth needs a second chunk.
            void *second = linn_alloc(pool, chunk);
            EXPECT_EQ(Counters(pool).chunks, 2u);
            linn_free(second);
            linn_free(whole);
            DestroyWholly(pool);
            pools++;
        }
    }
    printf("%d shapes of pool\n", pools);
    EXPECT_EQ(pools, 60);
}

// netty.md 3.2, case 12: sizes {0, 15, 510, 1023, 1024, 1025}.
TEST(PoolOptionsTest, BothSetsOfSizeClasses) {
    linn_options o = LINN_OPTIONS_INIT;
    o.size_classes = LINN_CLASSES_POWER_OF_TWO;
    linn_pool *powers = Create(&o);
    const size_t kSizes[] = {0, 15, 510, 1023, 1024, 1025};
    const size_t kPowers[] = {16, 16, 512, 1024, 1024, 2048};
    const size_t kFine[] = {64, 64, 512, 1024, 1024, 1280};
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(linn_good_size(powers, kSizes[i]), kPowers[i]);
        EXPECT_EQ(linn_good_size(nullptr, kSizes[i]), kFine[i]);
    }
    DestroyWholly(powers);
}

// netty.md 3.2, case 14: class(size) >= size, and the class below is smaller.
TEST(PoolOptionsTest, GoodSizeIsTheSmallestThatFits) {
    size_t walked = 0, classes = 0, previous = 0;
    for (size_t size = 1; size <= (16u << 20); size += size < 70000 ? 1 : 509) {
        size_t good = linn_good_size(nullptr, size);
        ASSERT_GE(good, size);
        ASSERT_EQ(linn_good_size(nullptr, good), good);
        if (good != previous) {
            // The first size beyond a class is the next one's.
            ASSERT_GT(good, previous);
            ASSERT_GE(size, previous + 1);
            if (previous > 0) {
                ASSERT_EQ(linn_good_size(nullptr, previous + 1), good);
            }
            classes++;
            previous = good;
        }
        walked++;
    }
    printf("%zu sizes, %zu good ones\n", walked, classes);
    EXPECT_GT(classes, 80u);
}

// netty.md 3.2, case 9: no caches at all, by either way to say so.
TEST(PoolOptionsTest, WithoutACacheNothingIsCached) {
    for (int way = 0; way < 3; way++) {
        linn_options o = LINN_OPTIONS_INIT;
        if (way == 0) o.cache = 0;
        if (way == 1) o.small_cache = o.normal_cache = 0;
        if (way == 2) o.cache_bytes = 0;
        linn_pool *pool = Create(&o);
        for (size_t size : {1u, 1000u, 5000u, 40000u})
            Use(pool, size, 100);
        linn_counters c = Counters(pool);
        EXPECT_EQ(c.cached_blocks, 0u) << way;
        EXPECT_EQ(c.cached_bytes, 0u) << way;
        EXPECT_EQ(c.cache_hits, 0u) << way;
        EXPECT_EQ(c.refills, 0u) << way;
        EXPECT_EQ(c.allocations, 400u) << way;
        EXPECT_EQ(c.live_blocks, 0u) << way;
        if (way == 0) {
            EXPECT_EQ(c.thread_caches, 0u);
        }
        DestroyWholly(pool);
    }
}

TEST(PoolOptionsTest, CacheLimitsAreKept) {
    linn_options o = LINN_OPTIONS_INIT;
    o.small_cache = 6;
    o.normal_cache = 2;
    o.cached_max = 32768;
    linn_pool *pool = Create(&o);
    Use(pool, 100, 500);
    EXPECT_LE(Counters(pool).cached_blocks, 6u);
    EXPECT_GT(Counters(pool).cached_blocks, 0u);
    (void)linn_thread_flush();
    Use(pool, 10000, 50);
    EXPECT_LE(Counters(pool).cached_blocks, 2u);
    EXPECT_GT(Counters(pool).cached_blocks, 0u);
    // netty.md 3.2, case 31: 32 KiB twice is a hit, one byte more never is.
    (void)linn_thread_flush();
    for (int i = 0; i < 3; i++)
        Use(pool, 32768, 1);
    uint64_t hits = Counters(pool).cache_hits;
    Use(pool, 32768, 1);
    EXPECT_EQ(Counters(pool).cache_hits, hits + 1);
    (void)linn_thread_flush();
    hits = Counters(pool).cache_hits;
    for (int i = 0; i < 10; i++)
        Use(pool, 32769, 1);
    EXPECT_EQ(Counters(pool).cache_hits, hits);
    EXPECT_EQ(Counters(pool).cached_blocks, 0u);
    DestroyWholly(pool);
}

TEST(PoolOptionsTest, AlignmentIsEveryBlocks) {
    int blocks = 0;
    for (size_t alignment = 16; alignment <= 65536; alignment *= 4) {
        linn_options o = LINN_OPTIONS_INIT;
        o.page_size = 65536;
        o.alignment = alignment;
        o.chunk_order = 8;
        linn_pool *pool = Create(&o);
        std::vector<void *> held;
        for (size_t size = 0; size <= 300000; size = size * 2 + 1) {
            for (int i = 0; i < 5; i++) {
                void *p = linn_alloc(pool, size);
                ASSERT_NE(p, nullptr);
                EXPECT_EQ(AddressOf(p) % alignment, 0u) << size;
                EXPECT_EQ(linn_usable_size(p), linn_good_size(pool, size));
                EXPECT_EQ(linn_usable_size(p) % alignment, 0u) << size;
                held.push_back(p);
                blocks++;
            }
        }
        for (void *p : held)
            linn_free(p);
        DestroyWholly(pool);
    }
    printf("%d blocks\n", blocks);
    EXPECT_GT(blocks, 600);
}

// netty.md 3.2, case 32: each of two threads gets an arena of its own, and who
// comes after one that ended takes the arena that became empty.
TEST(PoolOptionsTest, ThreadsAreSpreadOverArenas) {
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = 4;
    linn_pool *pool = Create(&o);
    EXPECT_EQ(Counters(pool).arenas, 4u);
    std::atomic<int> inside{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&] {
            void *p = linn_alloc(pool, 100);
            inside++;
            while (!go)
                std::this_thread::yield();
            linn_free(p);
        });
        while (inside != t + 1)
            std::this_thread::yield();
    }
    // Four arenas with a thread each hold a chunk each.
    linn_counters c = Counters(pool);
    EXPECT_EQ(c.thread_caches, 4u);
    EXPECT_EQ(c.chunks, 4u);
    go = true;
    for (std::thread &t : threads)
        t.join();
    for (int i = 0; i < 8; i++)
        OnThread([&] { Use(pool, 100, 1); });
    c = Counters(pool);
    EXPECT_EQ(c.thread_caches, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_EQ(c.live_blocks, 0u);
    EXPECT_EQ(c.chunks, 4u);
    DestroyWholly(pool);
}

// netty.md 3.2, case 8: 0 arenas is unpooled, and the chunk figures stay empty.
TEST(PoolOptionsTest, ZeroArenasIsUnpooled) {
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = 0;
    linn_pool *pool = Create(&o);
    std::vector<void *> held;
    for (size_t size : {0u, 1u, 100u, 8192u, 600000u, 20000000u}) {
        void *p = linn_alloc(pool, size);
        ASSERT_NE(p, nullptr);
        EXPECT_EQ(linn_usable_size(p), linn_good_size(pool, size));
        EXPECT_GE(linn_usable_size(p), size);
        memset(p, 1, size);
        held.push_back(p);
    }
    void *aligned = linn_alloc_aligned(pool, 1 << 20, 5);
    ASSERT_NE(aligned, nullptr);
    EXPECT_EQ(AddressOf(aligned) % (1 << 20), 0u);
    held.push_back(aligned);
    held[0] = linn_realloc(pool, held[0], 3000000);
    ASSERT_NE(held[0], nullptr);
    linn_counters c = Counters(pool);
    EXPECT_EQ(c.arenas, 0u);
    EXPECT_EQ(c.chunks_born, 0u);
    EXPECT_EQ(c.subpages, 0u);
    EXPECT_EQ(c.huge_blocks, held.size());
    EXPECT_EQ(c.live_blocks, held.size());
    size_t live = 0;
    EXPECT_FALSE(linn_pool_destroy(pool, &live));
    EXPECT_EQ(live, held.size());
    for (void *p : held)
        linn_free(p);
    EXPECT_EQ(Counters(pool).held_bytes, 0u);
    DestroyWholly(pool);
}

// netty.md 3.2, case 11, every field: below, above and between.
TEST(PoolOptionsTest, BadOptionsAreRefusedByName) {
    struct {
        size_t linn_options::*field;
        const char *name;
        std::vector<size_t> bad;
    } const kRows[] = {
        {&linn_options::arenas, "arenas", {65, SIZE_MAX - 1}},
        {&linn_options::page_size, "page_size", {0, 1, 4095, 6000, 131072}},
        {&linn_options::chunk_order, "chunk_order", {12, 13, 14, 15}},
        {&linn_options::small_cache, "small_cache", {4097}},
        {&linn_options::normal_cache, "normal_cache", {4097}},
        {&linn_options::cached_max, "cached_max", {524289}},
        {&linn_options::cache_bytes, "cache_bytes", {(1u << 30) + 1}},
        {&linn_options::cache_sweep, "cache_sweep", {0, size_t{1} << 32}},
        {&linn_options::cache, "cache", {2}},
        {&linn_options::alignment, "alignment", {0, 1, 3, 8, 24, 16384}},
        {&linn_options::size_classes, "size_classes", {2}},
    };
    int refused = 0;
    for (auto &row : kRows) {
        for (size_t bad : row.bad) {
            linn_options o = LINN_OPTIONS_INIT;
            o.*row.field = bad;
            char error[256] = "";
            EXPECT_EQ(linn_pool_create(&o, error, sizeof error), nullptr)
                << row.name << " = " << bad;
            std::string start =
                std::string(row.name) + " = " + std::to_string(bad) + ":";
            EXPECT_EQ(std::string(error).rfind(start, 0), 0u) << error;
            refused++;
        }
    }
    // The size of the struct, and a caller who wants no message.
    linn_options o = LINN_OPTIONS_INIT;
    o.size = 8;
    EXPECT_EQ(linn_pool_create(&o, nullptr, 0), nullptr);
    EXPECT_EQ(refused, 25);
}

// ---- many pools ----

TEST(PoolTest, SixtyFourPoolsAtOnceAreApart) {
    constexpr int kPools = 64;
    std::vector<linn_pool *> pools;
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = 2;
    o.chunk_order = 6;
    for (int i = 0; i < kPools; i++)
        pools.push_back(Create(&o));
    EXPECT_EQ(std::set<linn_pool *>(pools.begin(), pools.end()).size(), 64u);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&, t] {
            Random random(static_cast<uint64_t>(t));
            std::vector<Canary> held(kPools);
            for (int i = 0; i < 60000 / kScale; i++) {
                size_t at = random.Below(kPools);
                Canary &c = held[at];
                if (c.block != nullptr) {
                    ASSERT_TRUE(c.IsWhole());
                    linn_free(c.block);
                    c.block = nullptr;
                    continue;
                }
                size_t size = 16 + random.Below(4000);
                void *p = linn_alloc(pools[at], size);
                ASSERT_NE(p, nullptr);
                c.Write(p, linn_usable_size(p), random.Next());
            }
            for (Canary &c : held)
                linn_free(c.block);
        });
    }
    for (std::thread &t : threads)
        t.join();
    uint64_t sum = 0;
    for (linn_pool *pool : pools) {
        linn_counters c = Counters(pool);
        EXPECT_EQ(c.live_blocks, 0u);
        EXPECT_EQ(c.thread_caches, 0u);
        sum += c.allocations;
        DestroyWholly(pool);
    }
    printf("%llu allocations in %d pools\n",
           static_cast<unsigned long long>(sum), kPools);
    EXPECT_GT(sum, 4u * 25000u / kScale);
}

TEST(PoolTest, TwoHundredAndFiftyFivePoolsAndNoMore) {
    std::vector<linn_pool *> pools;
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = 1;
    char error[256] = "";
    for (;;) {
        linn_pool *pool = linn_pool_create(&o, error, sizeof error);
        if (pool == nullptr) break;
        pools.push_back(pool);
        ASSERT_LE(pools.size(), 255u);
    }
    EXPECT_EQ(pools.size(), 255u);
    EXPECT_STREQ(error, "255 pools exist already");
    // One that ends makes room for one.
    Destroy(pools.back());
    pools.back() = Create(&o);
    EXPECT_EQ(linn_pool_create(&o, error, sizeof error), nullptr);
    for (linn_pool *pool : pools) {
        Use(pool, 64, 1);
        DestroyWholly(pool);
    }
}

// Made and ended by many threads at once: each has pools of its own.
TEST(PoolTest, PoolsComeAndGoConcurrently) {
    std::atomic<int> made{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; t++) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 100 / kScale; i++) {
                linn_options o = LINN_OPTIONS_INIT;
                o.page_size = size_t{4096} << (t + i) % 5;
                o.size_classes = static_cast<size_t>(i % 2);
                o.arenas = static_cast<size_t>(1 + i % 2);
                linn_pool *pool = Create(&o);
                ASSERT_NE(pool, nullptr);
                for (size_t size : {1u, 100u, 3000u, 70000u})
                    Use(pool, size, 20);
                EXPECT_EQ(Counters(pool).allocations, 80u);
                Destroy(pool);  // its number is another's at once
                made++;
            }
        });
    }
    for (std::thread &t : threads)
        t.join();
    printf("%d pools\n", made.load());
    EXPECT_EQ(made, 8 * (100 / kScale));
}

// ---- handles ----

// Each call with a handle; what it returns when the misuse handler returns.
void EveryCallReports(linn_pool *dead) {
    Reports reports;
    struct {
        const char *function;
        std::function<void()> call;
    } const kCalls[] = {
        {"alloc", [&] { EXPECT_EQ(linn_alloc(dead, 10), nullptr); }},
        {"alloc", [&] { EXPECT_EQ(linn_realloc(dead, nullptr, 10), nullptr); }},
        {"alloc_aligned",
         [&] { EXPECT_EQ(linn_alloc_aligned(dead, 64, 10), nullptr); }},
        {"good_size", [&] { EXPECT_EQ(linn_good_size(dead, 10), 0u); }},
        {"pool_counters",
         [&] {
             linn_counters c{};
             c.size = sizeof c;
             EXPECT_FALSE(linn_pool_counters(dead, &c));
         }},
        {"pool_destroy",
         [&] { EXPECT_FALSE(linn_pool_destroy(dead, nullptr)); }},
    };
    for (auto &c : kCalls) {
        c.call();
        Report r = reports.Take();
        EXPECT_EQ(r.count, 1) << c.function;
        EXPECT_EQ(r.function, NameOf(c.function));
        EXPECT_EQ(r.pointer, dead);
        EXPECT_NE(r.what.find("no live pool"), std::string::npos) << r.what;
    }
}

TEST(PoolTest, ADeadHandleIsReportedByEveryCall) {
    linn_pool *dead = Create();
    Use(dead, 100, 10);
    DestroyWholly(dead);
    EveryCallReports(dead);
    // Its number belongs to another pool now.
    linn_pool *next = Create();
    EXPECT_EQ(CoreOf(next), CoreOf(dead));
    EXPECT_NE(next, dead);
    Use(next, 100, 10);
    EveryCallReports(dead);
    Use(next, 100, 10);
    EXPECT_EQ(Counters(next).allocations, 20u);
    DestroyWholly(next);
    // Handles that no pool ever had.
    int local = 0;
    for (uintptr_t bad : {uintptr_t{1}, uintptr_t{255}, uintptr_t{256},
                          AddressOf(&local), UINTPTR_MAX}) {
        EveryCallReports(reinterpret_cast<linn_pool *>(bad));
    }
}

TEST(PoolDeathTest, WithoutAHandlerADeadPoolStopsTheProgram) {
    linn_pool *dead = Create();
    Destroy(dead);
    EXPECT_DEATH(
        linn_free(linn_alloc(dead, 10)),
        "linn: " + NameOf("alloc") + "\\(.*no live pool has this handle");
}

// ---- the end of a pool ----

TEST(PoolTest, DestroyRefusesWhileBlocksAreOut) {
    linn_pool *pool = Create();
    Use(pool, 200, 1000);
    std::vector<Canary> held;
    for (size_t size : {1u, 100u, 4000u, 20000u, 150000u, 600000u, 17000000u}) {
        void *p = linn_alloc(pool, size);
        held.emplace_back();
        held.back().Write(p, linn_usable_size(p), size);
    }
    while (!held.empty()) {
        size_t live = 0;
        EXPECT_FALSE(linn_pool_destroy(pool, &live));
        EXPECT_EQ(live, held.size());
        EXPECT_FALSE(linn_pool_destroy(pool, nullptr));
        // As if nothing had been asked.
        EXPECT_EQ(Counters(pool).live_blocks, held.size());
        for (Canary &c : held)
            EXPECT_TRUE(c.IsWhole());
        Use(pool, 200, 10);
        linn_free(held.back().block);
        held.pop_back();
    }
    DestroyWholly(pool);
}

TEST(PoolTest, TheDefaultPoolStays) {
    size_t live = 77;
    EXPECT_FALSE(linn_pool_destroy(nullptr, &live));
    EXPECT_EQ(live, 0u);
    Use(nullptr, 100, 10);
}

// Other threads hold caches of the pool, asleep; whoever destroys it takes them,
// whether or not that thread ever allocated.  Then the number gets another
// geometry, and the sleepers go on.
void DestroyUnderSleepers(bool destroyer_has_a_record) {
    linn_options first = LINN_OPTIONS_INIT;
    first.arenas = 2;
    linn_options second = LINN_OPTIONS_INIT;
    second.arenas = 1;
    second.page_size = 65536;
    second.chunk_order = 7;
    second.size_classes = LINN_CLASSES_POWER_OF_TWO;
    linn_pool *pool = Create(&first);
    linn_pool *next = nullptr;
    constexpr int kSleepers = 3;
    std::atomic<int> asleep{0}, step{0};
    std::vector<std::thread> sleepers;
    for (int t = 0; t < kSleepers; t++) {
        sleepers.emplace_back([&, t] {
            for (size_t size = 1; size < 100000; size = size * 2 + 1)
                Use(pool, size, 40);
            asleep++;
            while (step != 1)
                std::this_thread::yield();
            // One uses the new pool, one flushes, one ends at once.
            if (t == 0) {
                for (size_t size = 1; size < 100000; size = size * 2 + 1)
                    Use(next, size, 40);
            }
            if (t == 1) (void)linn_thread_flush();
        });
    }
    while (asleep != kSleepers)
        std::this_thread::yield();
    EXPECT_EQ(Counters(pool).thread_caches, 3u);
    EXPECT_GT(Counters(pool).cached_blocks, 100u);
    OnThread([&] {
        if (destroyer_has_a_record) Use(nullptr, 1, 1);
        DestroyWholly(pool);
        next = Create(&second);
    });
    EXPECT_EQ(CoreOf(next), CoreOf(pool));
    EXPECT_EQ(Counters(next).thread_caches, 0u);
    EXPECT_EQ(Counters(next).cached_blocks, 0u);
    step = 1;
    for (std::thread &t : sleepers)
        t.join();
    EXPECT_EQ(Counters(next).live_blocks, 0u);
    EXPECT_EQ(Counters(next).cached_blocks, 0u);
    DestroyWholly(next);
}

TEST(PoolTest, DestroyTakesOtherThreadsCachesBack) {
    DestroyUnderSleepers(true);
}

TEST(PoolTest, DestroyByAThreadThatNeverAllocated) {
    DestroyUnderSleepers(false);
}

// ---- sizes and alignments ----

TEST(PoolTest, SizesAtTheEnds) {
    void *nothing = linn_alloc(nullptr, 0);
    void *another = linn_alloc(nullptr, 0);
    ASSERT_NE(nothing, nullptr);
    ASSERT_NE(another, nullptr);
    EXPECT_NE(nothing, another);
    linn_free(nothing);
    linn_free(another);
    linn_free(nullptr);
    EXPECT_EQ(linn_usable_size(nullptr), 0u);

    uint64_t before = Counters(nullptr).out_of_memory;
    uint64_t refused = 0;
    errno = 1234;
    for (size_t size : {SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2 + 1,
                        SIZE_MAX / 2, size_t{1} << 62, size_t{1} << 48}) {
        EXPECT_EQ(linn_alloc(nullptr, Opaque(size)), nullptr) << size;
        EXPECT_EQ(linn_alloc_aligned(nullptr, 4096, Opaque(size)), nullptr);
        EXPECT_EQ(linn_realloc(nullptr, nullptr, Opaque(size)), nullptr);
        refused += 3;
    }
    EXPECT_EQ(errno, 1234);
    EXPECT_EQ(linn_good_size(nullptr, SIZE_MAX), 0u);
    EXPECT_EQ(linn_good_size(nullptr, SIZE_MAX / 2 + 1), 0u);
    EXPECT_EQ(Counters(nullptr).out_of_memory, before + refused);
    EXPECT_EQ(Counters(nullptr).live_blocks, 0u);
}

// Every size to 1 MiB, a window of 64 of them alive at once, with canaries at
// both ends of all that may be used.
void EverySize(linn_pool *pool, size_t step) {
    std::vector<Canary> window(64);
    size_t walked = 0;
    for (size_t size = 0; size <= (1u << 20); size += step) {
        Canary &c = window[walked++ % window.size()];
        if (c.block != nullptr) {
            ASSERT_TRUE(c.IsWhole()) << "before " << size;
            linn_free(c.block);
        }
        void *p = linn_alloc(pool, size);
        ASSERT_NE(p, nullptr) << size;
        size_t usable = linn_usable_size(p);
        ASSERT_GE(usable, size);
        ASSERT_EQ(usable, linn_good_size(pool, size)) << size;
        ASSERT_EQ(AddressOf(p) % 16, 0u) << size;
        c.Write(p, usable, walked);
    }
    for (Canary &c : window) {
        EXPECT_TRUE(c.IsWhole());
        linn_free(c.block);
    }
    printf("%zu sizes\n", walked);
    EXPECT_EQ(Counters(pool).live_blocks, 0u);
}

TEST(PoolTest, EverySizeToAMebibyte) {
    EverySize(nullptr, kScale == 1 ? 1 : 61);
}

TEST(PoolTest, EverySizeUncachedInAPoolOfPowersOfTwo) {
    linn_options o = LINN_OPTIONS_INIT;
    o.cache = 0;
    o.size_classes = LINN_CLASSES_POWER_OF_TWO;
    o.page_size = 4096;
    linn_pool *pool = Create(&o);
    EverySize(pool, kScale == 1 ? 7 : 409);
    DestroyWholly(pool);
}

// The last size of each class, one less and one more, several of each at once,
// every byte written: nobody's bytes are another's.
TEST(PoolTest, AroundEveryClassBoundary) {
    linn_pool *pool = Create();
    int boundaries = 0;
    for (size_t good = linn_good_size(pool, 0); good <= (2u << 20);
         good = linn_good_size(pool, good + 1)) {
        std::vector<std::pair<unsigned char *, size_t>> held;
        for (size_t size : {good - 1, good, good + 1}) {
            for (int i = 0; i < 3; i++) {
                void *p = linn_alloc(pool, size);
                ASSERT_NE(p, nullptr);
                size_t usable = linn_usable_size(p);
                ASSERT_EQ(usable, linn_good_size(pool, size));
                if (size <= good) {
                    ASSERT_EQ(usable, good);
                } else {
                    ASSERT_GT(usable, good);
                }
                memset(p, static_cast<int>(held.size() + 1), usable);
                held.emplace_back(static_cast<unsigned char *>(p), usable);
            }
        }
        for (size_t i = 0; i < held.size(); i++) {
            auto wanted = static_cast<unsigned char>(i + 1);
            unsigned char *p = held[i].first;
            size_t usable = held[i].second;
            ASSERT_EQ(p[0], wanted);
            ASSERT_EQ(memcmp(p, p + 1, usable - 1), 0) << good;
            linn_free(p);
        }
        boundaries++;
    }
    printf("%d boundaries\n", boundaries);
    EXPECT_GT(boundaries, 50);
    DestroyWholly(pool);
}

// netty.md 3.2, case 28: the last byte of one block and the first of the next.
TEST(PoolTest, NeighboursDoNotTouch) {
    linn_pool *pool = Create();
    auto *a = static_cast<unsigned char *>(linn_alloc(pool, 16384));
    auto *b = static_cast<unsigned char *>(linn_alloc(pool, 65536));
    a[16383] = 1;
    b[0] = 2;
    a[0] = 3;
    b[65535] = 4;
    EXPECT_EQ(a[16383], 1);
    EXPECT_EQ(b[0], 2);
    EXPECT_EQ(a[0], 3);
    EXPECT_EQ(b[65535], 4);
    linn_free(a);
    linn_free(b);
    // netty.md 3.2, case 7: beyond a chunk, and small, and back.
    for (size_t size : {(16u << 20) + 1, 1024u, 512u, 1u})
        Use(pool, size, 1);
    EXPECT_EQ(Counters(pool).live_blocks, 0u);
    DestroyWholly(pool);
}

int EveryAlignment(size_t arenas) {
    int aligned = 0;
    for (size_t page : {4096u, 8192u, 65536u}) {
        for (size_t order : {0u, 3u, 6u, 11u}) {
            linn_options o = LINN_OPTIONS_INIT;
            o.page_size = page;
            o.chunk_order = order;
            o.arenas = arenas;
            linn_pool *pool = Create(&o);
            size_t chunk = page << order;
            if (arenas == 0 && chunk < 1u << 20) chunk = 1u << 20;
            std::vector<Canary> held;
            for (size_t alignment = 1; alignment <= chunk; alignment *= 2) {
                for (size_t size :
                     {size_t{0}, size_t{1}, alignment - 1, alignment,
                      alignment + 1, size_t{5000}, chunk / 2 + 1}) {
                    void *p = linn_alloc_aligned(pool, alignment, size);
                    EXPECT_NE(p, nullptr) << alignment << " " << size;
                    if (p == nullptr) return aligned;
                    EXPECT_EQ(AddressOf(p) % alignment, 0u) << size;
                    EXPECT_GE(linn_usable_size(p), size);
                    held.emplace_back();
                    held.back().Write(p, linn_usable_size(p), held.size());
                    aligned++;
                    if (held.size() < 8) continue;
                    for (Canary &c : held) {
                        EXPECT_TRUE(c.IsWhole());
                        linn_free(c.block);
                    }
                    held.clear();
                }
            }
            for (Canary &c : held)
                linn_free(c.block);
            for (size_t bad :
                 {size_t{0}, size_t{3}, size_t{24}, chunk - 1, chunk + 1,
                  chunk * 2, SIZE_MAX, size_t{1} << 63}) {
                if (bad == 1 || (bad & (bad - 1)) == 0) {
                    if (bad != 0 && bad <= chunk) continue;
                }
                EXPECT_EQ(linn_alloc_aligned(pool, Opaque(bad), 10), nullptr)
                    << bad;
            }
            EXPECT_EQ(Counters(pool).live_blocks, 0u);
            DestroyWholly(pool);
        }
    }
    printf("%d aligned blocks\n", aligned);
    return aligned;
}

TEST(PoolTest, EveryAlignmentToAChunk) {
    EXPECT_GT(EveryAlignment(2), 1000);
}

TEST(PoolTest, EveryAlignmentUnpooled) {
    EXPECT_GT(EveryAlignment(0), 1000);
}

// ---- realloc ----

void FillBytes(void *p, size_t size, unsigned seed) {
    auto *bytes = static_cast<unsigned char *>(p);
    for (size_t i = 0; i < size; i++)
        bytes[i] = static_cast<unsigned char>(i * 31 + seed);
}

void ExpectBytes(const void *p, size_t size, unsigned seed) {
    auto *bytes = static_cast<const unsigned char *>(p);
    for (size_t i = 0; i < size; i++) {
        ASSERT_EQ(bytes[i], static_cast<unsigned char>(i * 31 + seed)) << i;
    }
}

TEST(PoolReallocTest, AnySizeToAnySize) {
    linn_pool *pool = Create();
    const size_t kSizes[] = {0,     1,      64,     65,     1000,    4097,
                             20000, 131072, 131073, 524288, 1 << 20, 18 << 20};
    int moves = 0, in_place = 0;
    for (size_t from : kSizes) {
        for (size_t to : kSizes) {
            if (kScale > 1 && (from | to) > 1 << 20) continue;
            void *p = linn_realloc(pool, nullptr, from);
            ASSERT_NE(p, nullptr);
            FillBytes(p, from, 5);
            uintptr_t before = AddressOf(p);
            void *q = linn_realloc(pool, p, to);
            ASSERT_NE(q, nullptr);
            EXPECT_GE(linn_usable_size(q), to);
            ExpectBytes(q, std::min(from, to), 5);
            (AddressOf(q) == before ? in_place : moves)++;
            linn_free(q);
        }
    }
    printf("%d moves, %d in place\n", moves, in_place);
    EXPECT_GT(moves, 50);
    EXPECT_GE(in_place, 10);
    EXPECT_EQ(Counters(pool).live_blocks, 0u);
    DestroyWholly(pool);
}

TEST(PoolReallocTest, InPlaceWhileTheSlotServes) {
    linn_pool *pool = Create();
    for (size_t size : {100u, 1000u, 10000u, 200000u, 3000000u}) {
        void *p = linn_alloc(pool, size);
        uintptr_t before = AddressOf(p);
        size_t usable = linn_usable_size(p);
        p = linn_realloc(pool, p, usable);
        EXPECT_EQ(AddressOf(p), before) << size;
        p = linn_realloc(pool, p, usable / 2 + 1);
        EXPECT_EQ(AddressOf(p), before) << size;
        p = linn_realloc(pool, p, usable + 1);
        EXPECT_NE(AddressOf(p), before) << size;
        linn_free(p);
    }
    // Less than half, but no smaller slot exists: nothing is gained by a move.
    void *p = linn_alloc(pool, 60);
    uintptr_t before = AddressOf(p);
    p = linn_realloc(pool, p, 1);
    EXPECT_EQ(AddressOf(p), before);
    linn_free(p);
    DestroyWholly(pool);
}

TEST(PoolReallocTest, ABlockStaysInItsPool) {
    linn_pool *pool = Create();
    void *p = linn_alloc(pool, 100);
    FillBytes(p, 100, 9);
    p = linn_realloc(nullptr, p, 100000);
    ExpectBytes(p, 100, 9);
    EXPECT_EQ(Counters(pool).live_blocks, 1u);
    EXPECT_EQ(Counters(nullptr).live_blocks, 0u);
    linn_free(p);
    DestroyWholly(pool);
}

TEST(PoolReallocTest, AFailureLeavesTheBlock) {
    for (size_t size : {10u, 5000u, 300000u, 17000000u}) {
        void *p = linn_alloc(nullptr, size);
        ASSERT_NE(p, nullptr);
        FillBytes(p, size, 3);
        for (size_t much : {SIZE_MAX, SIZE_MAX / 2 + 1, size_t{1} << 50}) {
            EXPECT_EQ(linn_realloc(nullptr, p, Opaque(much)), nullptr);
        }
        EXPECT_GE(linn_usable_size(p), size);
        ExpectBytes(p, size, 3);
        linn_free(p);
    }
    EXPECT_EQ(Counters(nullptr).live_blocks, 0u);
}

// netty.md 3.2, case 64: 128 B grown to a random size, many threads.
TEST(PoolReallocTest, ManyThreadsGrow) {
    linn_pool *pool = Create();
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 8; t++) {
        threads.emplace_back([&, t] {
            Random random(t);
            for (int i = 0; i < 1024 / kScale; i++) {
                void *p = linn_alloc(pool, 128);
                ASSERT_NE(p, nullptr);
                FillBytes(p, 128, t);
                p = linn_realloc(pool, p, 512 + random.Below(32257));
                ASSERT_NE(p, nullptr);
                ExpectBytes(p, 128, t);
                linn_free(p);
            }
        });
    }
    for (std::thread &t : threads)
        t.join();
    EXPECT_EQ(Counters(pool).live_blocks, 0u);
    EXPECT_EQ(Counters(pool).allocations, 8u * (1024 / kScale) * 2);
    DestroyWholly(pool);
}

// ---- counters ----

// What the test did is what the pool says, at every stop.
TEST(PoolCountersTest, ExactWhenQuiet) {
    linn_pool *pool = Create();
    Random random(11);
    std::vector<Canary> held(300);
    uint64_t allocations = 0, frees = 0;
    const int kOperations = 100000 / kScale;
    for (int i = 0; i < kOperations; i++) {
        Canary &c = held[random.Below(held.size())];
        if (c.block != nullptr) {
            ASSERT_TRUE(c.IsWhole());
            linn_free(c.block);
            c.block = nullptr;
            frees++;
        } else {
            void *p = linn_alloc(pool, random.Size());
            ASSERT_NE(p, nullptr);
            c.Write(p, linn_usable_size(p), random.Next());
            allocations++;
        }
        if (i % 1009 != 0) continue;
        linn_counters n = Counters(pool);
        ASSERT_EQ(n.allocations, allocations);
        ASSERT_EQ(n.frees, frees);
        ASSERT_EQ(n.live_blocks, allocations - frees);
        ASSERT_LE(n.cached_bytes, 524288u);
        ASSERT_LE(n.cache_hits, allocations);
        ASSERT_EQ(n.chunks, n.chunks_born - n.chunks_died);
        ASSERT_EQ(n.held_bytes, (n.chunks << 24) + n.huge_bytes);
        if (i % 3 == 0) {
            (void)linn_thread_flush();
            n = Counters(pool);
            ASSERT_EQ(n.cached_blocks, 0u);
            ASSERT_EQ(n.cached_bytes, 0u);
            ASSERT_EQ(n.live_blocks, allocations - frees);
        }
    }
    linn_counters n = Counters(pool);
    printf("%d operations: %llu allocations, %llu hits, %llu refills\n",
           kOperations, static_cast<unsigned long long>(n.allocations),
           static_cast<unsigned long long>(n.cache_hits),
           static_cast<unsigned long long>(n.refills));
    EXPECT_GT(n.cache_hits, allocations / 4);
    for (Canary &c : held)
        linn_free(c.block);
    EXPECT_EQ(Counters(pool).live_blocks, 0u);
    DestroyWholly(pool);
}

// netty.md 3.2, case 23: 100 pairs, without a cache and with one.
TEST(PoolCountersTest, AHundredPairs) {
    for (size_t cache = 0; cache < 2; cache++) {
        linn_options o = LINN_OPTIONS_INIT;
        o.cache = cache;
        linn_pool *pool = Create(&o);
        for (int i = 0; i < 100; i++)
            Use(pool, 500, 1);
        linn_counters c = Counters(pool);
        EXPECT_EQ(c.allocations, 100u);
        EXPECT_EQ(c.frees, 100u);
        EXPECT_EQ(c.live_blocks, 0u);
        EXPECT_EQ(c.cache_hits, cache == 0 ? 0u : 99u);
        EXPECT_EQ(c.subpages, 1u);
        DestroyWholly(pool);
    }
}

TEST(PoolCountersTest, AnUnknownSizeIsRefused) {
    linn_counters c{};
    c.size = sizeof c - 8;
    EXPECT_FALSE(linn_pool_counters(nullptr, &c));
    EXPECT_FALSE(linn_pool_counters(nullptr, nullptr));
}

// ---- threads ----

// Blocks go from thread to thread, each freed by another than its own; the same
// numbers at the end.  netty.md 3.2, case 35.
TEST(PoolThreadsTest, HandOver) {
    linn_pool *pool = Create();
    constexpr int kThreads = 4;
    const int kRounds = 2000 / kScale;
    struct Box {
        std::mutex mutex;
        std::vector<Canary> full;
    };
    std::vector<Box> boxes(kThreads);
    std::atomic<uint64_t> handed{0};
    std::atomic<int> producing{kThreads};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&, t] {
            Random random(static_cast<uint64_t>(t));
            auto drain = [&] {
                std::vector<Canary> mine;
                {
                    std::lock_guard<std::mutex> lock(
                        boxes[static_cast<size_t>(t)].mutex);
                    mine.swap(boxes[static_cast<size_t>(t)].full);
                }
                for (Canary &c : mine) {
                    ASSERT_TRUE(c.IsWhole());
                    linn_free(c.block);
                }
            };
            for (int i = 0; i < kRounds; i++) {
                std::vector<Canary> batch(10);
                for (Canary &c : batch) {
                    size_t size = 16 + random.Below(20000);
                    void *p = linn_alloc(pool, size);
                    ASSERT_NE(p, nullptr);
                    c.Write(p, linn_usable_size(p), random.Next());
                }
                Box &next = boxes[static_cast<size_t>((t + 1) % kThreads)];
                {
                    std::lock_guard<std::mutex> lock(next.mutex);
                    next.full.insert(next.full.end(), batch.begin(),
                                     batch.end());
                }
                handed += batch.size();
                drain();
            }
            producing--;
            while (producing != 0) {
                drain();
                std::this_thread::yield();
            }
            drain();
        });
    }
    for (std::thread &t : threads)
        t.join();
    linn_counters c = Counters(pool);
    EXPECT_EQ(c.allocations, handed.load());
    EXPECT_EQ(c.frees, handed.load());
    EXPECT_EQ(c.live_blocks, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_EQ(c.thread_caches, 0u);
    DestroyWholly(pool);
}

// netty.md 3.2, case 35: what B frees, A gets again, at the latest after B's
// flush.
TEST(PoolThreadsTest, WhatOneFreesTheOtherGets) {
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = 1;
    linn_pool *pool = Create(&o);
    std::set<uintptr_t> first;
    std::vector<void *> held;
    for (int i = 0; i < 2048; i++) {
        held.push_back(linn_alloc(pool, 64));
        first.insert(AddressOf(held.back()));
    }
    (void)linn_thread_flush();
    uint64_t subpages = Counters(pool).subpages;
    OnThread([&] {
        for (void *p : held)
            linn_free(p);
        (void)linn_thread_flush();
        EXPECT_EQ(Counters(pool).cached_blocks, 0u);
    });
    held.clear();
    int again = 0;
    for (int i = 0; i < 2048; i++) {
        held.push_back(linn_alloc(pool, 64));
        again += first.count(AddressOf(held.back())) > 0 ? 1 : 0;
    }
    EXPECT_EQ(again, 2048);
    EXPECT_EQ(Counters(pool).subpages, subpages);
    for (void *p : held)
        linn_free(p);
    DestroyWholly(pool);
}

// netty.md 3.2, case 30: nothing to flush before the first allocation.
// Case 33: a thread has one cache of a pool, whatever it allocates.
// Case 39: who only asks, and frees nothing, has none.
TEST(PoolThreadsTest, WhenACacheIsMade) {
    linn_pool *pool = Create();
    OnThread([&] {
        EXPECT_FALSE(linn_thread_flush());
        EXPECT_GT(linn_good_size(pool, 100), 0u);
        EXPECT_EQ(Counters(pool).thread_caches, 0u);
        Use(pool, 100, 1);
        EXPECT_TRUE(linn_thread_flush());
        for (size_t size : {1u, 5000u, 100000u, 600000u, 20000000u})
            Use(pool, size, 2);
        EXPECT_EQ(Counters(pool).thread_caches, 1u);
    });
    EXPECT_EQ(Counters(pool).thread_caches, 0u);
    DestroyWholly(pool);
}

// netty.md 3.2, case 34: 11 threads allocate, free and end.
TEST(PoolThreadsTest, ElevenThreadsLeaveNothing) {
    linn_pool *pool = Create();
    std::vector<std::thread> threads;
    for (int t = 0; t < 11; t++) {
        threads.emplace_back([&] {
            for (size_t size = 1; size < 100000; size = size * 3 + 1)
                Use(pool, size, 30);
        });
    }
    for (std::thread &t : threads)
        t.join();
    linn_counters c = Counters(pool);
    EXPECT_EQ(c.thread_caches, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_EQ(c.cached_bytes, 0u);
    EXPECT_EQ(c.live_blocks, 0u);
    DestroyWholly(pool);
}

// netty.md 3.2, case 63: one arena, no cache, 64 threads, sizes cycling through
// 0..16383, filled, verified and freed in batches of 10.
TEST(PoolThreadsTest, OneArenaManyThreads) {
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = 1;
    o.cache = 0;
    linn_pool *pool = Create(&o);
    std::vector<std::thread> threads;
    const size_t kBlocks = 200 / kScale;
    for (unsigned t = 0; t < 64; t++) {
        threads.emplace_back([&, t] {
            struct Filled {
                void *block;
                size_t size;
            };
            std::vector<Filled> batch;
            for (size_t i = 0; i < kBlocks; i++) {
                size_t size = (i * 67 + t * 251) % 16384;
                void *p = linn_alloc(pool, size);
                ASSERT_NE(p, nullptr);
                FillBytes(p, size, t);
                batch.push_back({p, size});
                if (batch.size() < 10) continue;
                for (Filled &f : batch) {
                    ExpectBytes(f.block, f.size, t);
                    linn_free(f.block);
                }
                batch.clear();
            }
            for (Filled &f : batch)
                linn_free(f.block);
        });
    }
    for (std::thread &t : threads)
        t.join();
    linn_counters c = Counters(pool);
    EXPECT_EQ(c.allocations, 64 * kBlocks);
    EXPECT_EQ(c.live_blocks, 0u);
    DestroyWholly(pool);
}

// netty.md 3.2, case 65: 16 threads write and read text in blocks of one chunk.
TEST(PoolThreadsTest, NoCrossTalkInOneChunk) {
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = 1;
    linn_pool *pool = Create(&o);
    std::vector<std::thread> threads;
    std::vector<char *> blocks;
    for (int t = 0; t < 16; t++)
        blocks.push_back(static_cast<char *>(linn_alloc(pool, 1024)));
    EXPECT_EQ(Counters(pool).chunks, 1u);
    for (int t = 0; t < 16; t++) {
        threads.emplace_back([&, t] {
            char *p = blocks[static_cast<size_t>(t)];
            for (int i = 0; i < 5000 / kScale; i++) {
                std::string text = std::to_string(t * 1000003 + i);
                memcpy(p + 1024 - text.size(), text.data(), text.size());
                memcpy(p, text.data(), text.size());
                ASSERT_EQ(memcmp(p, text.data(), text.size()), 0);
                ASSERT_EQ(
                    memcmp(p + 1024 - text.size(), text.data(), text.size()),
                    0);
            }
            linn_free(p);
        });
    }
    for (std::thread &t : threads)
        t.join();
    EXPECT_EQ(Counters(pool).live_blocks, 0u);
    DestroyWholly(pool);
}

// netty.md 3.2, case 68: a storm of short threads, frees across threads.
TEST(PoolThreadsTest, ThreadStorm) {
    linn_pool *pool = Create();
    const int kThreads = 10000 / kScale / (kScale > 1 ? 5 : 1);
    std::vector<Canary> left(64);
    std::mutex mutex;
    std::atomic<uint64_t> allocations{0};
    auto life = [&](int n) {
        Random random(static_cast<uint64_t>(n));
        for (int i = 0; i < 8; i++) {
            Canary c;
            void *p = linn_alloc(pool, 16 + random.Below(3000));
            ASSERT_NE(p, nullptr);
            c.Write(p, linn_usable_size(p), random.Next());
            allocations++;
            {
                std::lock_guard<std::mutex> lock(mutex);
                std::swap(c, left[random.Below(left.size())]);
            }
            if (c.block == nullptr) continue;
            ASSERT_TRUE(c.IsWhole());
            linn_free(c.block);
        }
    };
    for (int n = 0; n < kThreads; n += 8) {
        std::vector<std::thread> threads;
        for (int t = 0; t < 8; t++)
            threads.emplace_back(life, n + t);
        for (std::thread &t : threads)
            t.join();
    }
    for (Canary &c : left)
        linn_free(c.block);
    (void)linn_thread_flush();
    linn_counters c = Counters(pool);
    printf("%d threads, %llu allocations, %llu chunks held\n", kThreads,
           static_cast<unsigned long long>(c.allocations),
           static_cast<unsigned long long>(c.chunks));
    EXPECT_EQ(c.allocations, allocations.load());
    EXPECT_EQ(c.live_blocks, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_LE(c.thread_caches, 1u);
    // One that serves, and a spare when two threads mapped at once.
    EXPECT_LE(c.chunks, 2 * c.arenas);
    DestroyWholly(pool);
}

// 64 threads, 10^6 operations, half of the frees by another thread, a canary at
// both ends of every block.  (The big one is stress/soak.)
TEST(PoolThreadsTest, ManyThreadsLoseNothing) {
    constexpr int kThreads = 64;
    const uint64_t kOperations = 1000000 / kScale;
    linn_pool *pool = Create();
    auto seal = [](void *p, size_t usable, uint64_t value) {
        auto *words = static_cast<uint64_t *>(p);
        words[0] = value;
        words[1] = usable / 8;
        words[usable / 8 - 1] = ~value;
    };
    auto is_whole = [](const void *p) {
        auto *words = static_cast<const uint64_t *>(p);
        return words[words[1] - 1] == ~words[0];
    };
    std::vector<std::atomic<void *>> boxes(1024);
    for (auto &b : boxes)
        b = nullptr;
    std::atomic<uint64_t> allocations{0}, frees{0}, foreign{0}, broken{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; t++) {
        threads.emplace_back([&, t] {
            Random random(t + 1);
            uint64_t allocated = 0, freed = 0, passed = 0;
            while (allocated + freed < kOperations / kThreads) {
                size_t size = 24 + random.Below(4000);
                if (random.Below(64) == 0) size = 24 + random.Below(200000);
                void *p = linn_alloc(pool, size);
                if (p == nullptr) abort();
                allocated++;
                seal(p, linn_usable_size(p), random.Next());
                if (random.Below(2) == 0) {
                    p = boxes[random.Below(boxes.size())].exchange(p);
                    if (p == nullptr) continue;
                    passed++;
                }
                if (!is_whole(p)) broken++;
                linn_free(p);
                freed++;
            }
            allocations += allocated;
            frees += freed;
            foreign += passed;
        });
    }
    for (std::thread &t : threads)
        t.join();
    for (auto &b : boxes) {
        void *p = b.load();
        if (p == nullptr) continue;
        if (!is_whole(p)) broken++;
        linn_free(p);
        frees++;
    }
    (void)linn_thread_flush();
    linn_counters c = Counters(pool);
    printf("%llu operations, %llu of %llu frees by another thread\n",
           static_cast<unsigned long long>(allocations + frees),
           static_cast<unsigned long long>(foreign.load()),
           static_cast<unsigned long long>(frees.load()));
    EXPECT_EQ(broken, 0u);
    EXPECT_EQ(c.allocations, allocations.load());
    EXPECT_EQ(c.frees, frees.load());
    EXPECT_EQ(c.live_blocks, 0u);
    EXPECT_EQ(c.cached_blocks, 0u);
    EXPECT_GT(foreign * 5, frees * 2);
    DestroyWholly(pool);
}

}  // namespace
