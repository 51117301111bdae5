#include "alloc/chunk.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kRounds = 20000;
#else
constexpr int kRounds = 200000;
#endif

constexpr uint32_t kLastGeneration = LINN_GUARD_MASK(LINN_GUARD_GEN_BITS);
constexpr uint32_t kLastVersion = LINN_GUARD_MASK(LINN_GUARD_VER_BITS);

// A chunk without memory behind it, each call inside its arena's section.
struct guarded_chunk {
    struct linn_chunk chunk = {};
    struct linn_bands bands = {};
    struct linn_section section = {};

    explicit guarded_chunk(uint32_t pages) {
        linn_bands_init(&bands, pages);
        linn_section_init(&section);
    }
    uint32_t born(uint32_t used = 0, uint32_t arena = 5) {
        linn_page_tree_init(&chunk.tree, bands.pages);
        for (uint32_t i = 0; i < used; i++) {
            EXPECT_NE(linn_page_tree_claim(&chunk.tree, bands.pages, 1, 0),
                      LINN_NO_PAGE);
        }
        return linn_chunk_born(&chunk, &bands, arena, used);
    }
    uint64_t word() {
        return sync_u64_load_acquire(&chunk.guard);
    }
    struct linn_guard guard() {
        return linn_chunk_look(&chunk);
    }
    void set(struct linn_guard g) {
        sync_u64_store_release(&chunk.guard, linn_guard_pack(g));
    }
    struct linn_crossing reserve(uint64_t seen, uint32_t pages) {
        linn_section_enter(&section);
        struct linn_crossing c =
            linn_chunk_reserve(&chunk, &bands, seen, pages);
        linn_section_leave(&section);
        return c;
    }
    struct linn_crossing give(uint32_t pages) {
        linn_section_enter(&section);
        struct linn_crossing c = linn_chunk_return(&chunk, &bands, pages);
        linn_section_leave(&section);
        return c;
    }
    bool retire(uint64_t seen, uint32_t *band) {
        linn_section_enter(&section);
        bool done = linn_chunk_retire(&chunk, seen, band);
        linn_section_leave(&section);
        return done;
    }
    uint32_t claim(uint32_t k, uint32_t order) {
        linn_section_enter(&section);
        uint32_t p = linn_page_tree_claim(&chunk.tree, bands.pages, k, order);
        linn_section_leave(&section);
        return p;
    }
    bool release(uint32_t first, uint32_t k) {
        linn_section_enter(&section);
        bool done = linn_page_tree_release(&chunk.tree, first, k);
        linn_section_leave(&section);
        return done;
    }
    bool is_valid() {
        return linn_chunk_is_valid_quiescent(&chunk, &bands);
    }
};

// ---- bands ----

// Netty's PoolChunkList, in bytes and in floating point as it stands there.
constexpr double kBytesPerPage = 8192;

struct netty_list {
    int min, max;
};
constexpr int kOpen = 1000;
constexpr netty_list kLists[LINN_BANDS] = {
    {-kOpen, 25}, {1, 50}, {25, 75}, {50, 100}, {75, 100}, {100, kOpen}};

double bytes_at(uint32_t pages, int percent) {
    double chunk = pages * kBytesPerPage;
    return std::floor(chunk * (100.0 - percent + 0.99999999) / 100.0);
}

// Leaves upward when freeBytes <= this.
double free_min(uint32_t pages, netty_list list) {
    return list.max >= 100 ? 0 : bytes_at(pages, list.max);
}

// Leaves downward when freeBytes > this.
double free_max(uint32_t pages, netty_list list) {
    if (list.min < 0) return pages * kBytesPerPage;  // never
    return list.min == 100 ? 0 : bytes_at(pages, list.min);
}

TEST(BandsTest, ThresholdsAreThoseOfNettysFourMebibyteChunk) {
    struct linn_bands b;
    linn_bands_init(&b, 512);
    const double up[LINN_BANDS] = {3187671, 2139095, 1090519, 0, 0, 0};
    const double down[LINN_BANDS] = {4194304, 4194303, 3187671,
                                     2139095, 1090519, 0};
    for (int i = 0; i < LINN_BANDS; i++) {
        EXPECT_EQ(b.leave_up[i], std::floor(up[i] / kBytesPerPage)) << i;
        EXPECT_EQ(b.leave_down[i], std::floor(down[i] / kBytesPerPage)) << i;
        if (i != LINN_BAND_INIT) {
            EXPECT_EQ(free_min(512, kLists[i]), up[i]) << "the formula here";
        }
    }
}

TEST(BandsTest, ThresholdsFollowNettysFormulaForEverySize) {
    long compared = 0;
    for (uint32_t pages = 1; pages <= LINN_TREE_PAGES_MAX; pages *= 2) {
        struct linn_bands b;
        linn_bands_init(&b, pages);
        EXPECT_EQ(b.pages, pages);
        for (int i = 0; i < LINN_BANDS; i++) {
            for (uint32_t room = 0; room <= pages; room++) {
                double bytes = room * kBytesPerPage;
                ASSERT_EQ(room <= b.leave_up[i],
                          bytes <= free_min(pages, kLists[i]))
                    << pages << " pages, band " << i << ", room " << room;
                ASSERT_EQ(room > b.leave_down[i],
                          bytes > free_max(pages, kLists[i]))
                    << pages << " pages, band " << i << ", room " << room;
                compared++;
            }
        }
    }
    std::printf("bands: %ld compared\n", compared);
    EXPECT_GE(compared, 20000);
}

// Every band and every fill: the band after a change keeps the chunk, moves only
// the way the change went, and what one change settled another leaves alone.
TEST(BandsTest, AChangeSettlesTheBand) {
    for (uint32_t pages = 1; pages <= LINN_TREE_PAGES_MAX; pages *= 2) {
        struct linn_bands b;
        linn_bands_init(&b, pages);
        for (uint32_t band = 0; band < LINN_BANDS; band++) {
            for (uint32_t used = 0; used <= pages; used++) {
                uint32_t up = linn_bands_after_alloc(&b, band, used);
                ASSERT_GE(up, band);
                ASSERT_LE(up, static_cast<uint32_t>(LINN_BAND_100));
                ASSERT_EQ(linn_bands_after_alloc(&b, up, used), up);
                if (up != LINN_BAND_100) {
                    ASSERT_GT(pages - used, b.leave_up[up]);
                }
                uint32_t down = linn_bands_after_free(&b, band, used);
                ASSERT_LE(down, band);
                ASSERT_EQ(linn_bands_after_free(&b, down, used), down);
                if (band != LINN_BAND_INIT) {
                    ASSERT_GE(down, static_cast<uint32_t>(LINN_BAND_000));
                } else {
                    ASSERT_EQ(down, band) << "qInit is left upward only";
                }
            }
        }
    }
}

// Usage in percent as Netty reports it.
uint32_t usage_of(uint32_t pages, uint32_t used) {
    uint32_t room = pages - used;
    if (room == 0) return 100;
    uint32_t percent = room * 100 / pages;
    return percent == 0 ? 99 : 100 - percent;
}

void expect_admits(uint32_t band, uint32_t usage) {
    static const uint32_t least[] = {0, 0, 25, 50, 75, 100};
    static const uint32_t most[] = {25, 50, 75, 100, 100, 100};
    EXPECT_GE(usage, least[band]) << "band " << band;
    EXPECT_LE(usage, most[band]) << "band " << band;
}

// Netty's case 24: filled in steps of 1 %, drained in random order; after every
// step the band admits the usage.
TEST(BandsTest, TheBandAlwaysAdmitsTheUsage) {
    uint64_t x = 5;
    for (uint32_t pages : {512u, 2048u}) {
        for (int round = 0; round < 20; round++) {
            guarded_chunk c(pages);
            EXPECT_EQ(c.born(), static_cast<uint32_t>(LINN_BAND_INIT));
            std::vector<uint32_t> held;
            std::set<uint32_t> bands_up, bands_down;
            for (uint32_t percent = 1; percent <= 100; percent++) {
                while (held.size() * 100 <
                       static_cast<size_t>(pages) * percent) {
                    ASSERT_TRUE(c.reserve(c.word(), 1).done);
                    held.push_back(c.claim(1, 0));
                    ASSERT_NE(held.back(), LINN_NO_PAGE);
                    struct linn_guard g = c.guard();
                    expect_admits(g.band, usage_of(pages, g.used));
                    bands_up.insert(g.band);
                }
                ASSERT_TRUE(c.is_valid());
            }
            EXPECT_EQ(c.guard().band, static_cast<uint32_t>(LINN_BAND_100));
            EXPECT_FALSE(c.reserve(c.word(), 1).done) << "full";
            while (!held.empty()) {
                x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
                std::swap(held[(x >> 33) % held.size()], held.back());
                ASSERT_TRUE(c.release(held.back(), 1));
                held.pop_back();
                ASSERT_TRUE(c.give(1).done);
                struct linn_guard g = c.guard();
                ASSERT_EQ(g.used, held.size());
                expect_admits(g.band, usage_of(pages, g.used));
                bands_down.insert(g.band);
            }
            EXPECT_TRUE(c.is_valid());
            EXPECT_EQ(c.guard().band, static_cast<uint32_t>(LINN_BAND_000))
                << "empty, and waiting for its retirement";
            EXPECT_EQ(bands_up.size(), 5u) << "q075 is entered from above only";
            EXPECT_EQ(bands_down.size(), 4u);
            uint32_t band;
            EXPECT_TRUE(c.retire(c.word(), &band));
            EXPECT_EQ(band, static_cast<uint32_t>(LINN_BAND_000));
        }
    }
}

TEST(BandsTest, AChunkThatNeverLeftQInitStaysThere) {
    guarded_chunk c(2048);
    c.born();
    ASSERT_TRUE(c.reserve(c.word(), 400).done);
    struct linn_crossing back = c.give(400);
    EXPECT_EQ(back.from, static_cast<uint32_t>(LINN_BAND_INIT));
    EXPECT_EQ(back.to, static_cast<uint32_t>(LINN_BAND_INIT));
}

TEST(BandsTest, OneChangeMayCrossSeveralBands) {
    guarded_chunk c(2048);
    c.born();
    struct linn_crossing up = c.reserve(c.word(), 2048);
    EXPECT_TRUE(up.done);
    EXPECT_EQ(up.from, static_cast<uint32_t>(LINN_BAND_INIT));
    EXPECT_EQ(up.to, static_cast<uint32_t>(LINN_BAND_100));
    struct linn_crossing down = c.give(2048);
    EXPECT_EQ(down.from, static_cast<uint32_t>(LINN_BAND_100));
    EXPECT_EQ(down.to, static_cast<uint32_t>(LINN_BAND_000));
}

// ---- guard ----

TEST(GuardTest, EveryFieldKeepsItsOwnBits) {
    EXPECT_EQ(LINN_GUARD_GEN_SHIFT + LINN_GUARD_GEN_BITS, 64);
    const uint32_t most[] = {kLastGeneration, kLastVersion, 3, 7, 255, 4095};
    for (uint32_t mask = 0; mask < 64; mask++) {
        for (uint32_t less = 0; less < 2; less++) {
            uint32_t f[6];
            for (uint32_t i = 0; i < 6; i++) {
                f[i] = mask >> i & 1 ? most[i] - less : less;
            }
            struct linn_guard g = {f[0], f[1], f[2], f[3], f[4], f[5]};
            struct linn_guard back = linn_guard_unpack(linn_guard_pack(g));
            EXPECT_EQ(back.gen, g.gen);
            EXPECT_EQ(back.ver, g.ver);
            EXPECT_EQ(back.state, g.state);
            EXPECT_EQ(back.band, g.band);
            EXPECT_EQ(back.arena, g.arena);
            EXPECT_EQ(back.used, g.used);
        }
    }
    EXPECT_EQ(
        linn_guard_pack({most[0], most[1], most[2], most[3], most[4], most[5]}),
        UINT64_MAX);
    EXPECT_GT(LINN_GUARD_MASK(LINN_GUARD_USED_BITS),
              static_cast<uint64_t>(LINN_TREE_PAGES_MAX) - 1);
}

TEST(GuardTest, TheVersionPassesItsWrapAndSpillsNowhere) {
    guarded_chunk c(64);
    c.born();
    struct linn_guard g = c.guard();
    g.ver = kLastVersion - 1;
    c.set(g);
    for (uint32_t i = 0; i < 4; i++) {
        ASSERT_TRUE(c.reserve(c.word(), 1).done);
        ASSERT_TRUE(c.give(1).done);
        EXPECT_EQ(c.guard().ver, (kLastVersion + i) & kLastVersion);
        EXPECT_EQ(c.guard().gen, 0u);
        EXPECT_EQ(c.guard().state, static_cast<uint32_t>(LINN_CHUNK_LIVE));
        EXPECT_EQ(c.guard().arena, 5u);
    }
}

TEST(GuardTest, StepsRefuseWhatTheyMust) {
    struct linn_bands bands;
    linn_bands_init(&bands, 64);
    struct linn_guard g = {1, 2, LINN_CHUNK_LIVE, LINN_BAND_INIT, 3, 60};
    uint64_t word = linn_guard_pack(g), before = word;
    EXPECT_FALSE(linn_guard_step_reserve(&bands, &word, 5)) << "65 of 64";
    EXPECT_FALSE(linn_guard_step_return(&bands, &word, 61));
    EXPECT_FALSE(linn_guard_step_retire(&word)) << "60 pages are used";
    EXPECT_EQ(word, before);
    EXPECT_TRUE(linn_guard_step_reserve(&bands, &word, 4));
    EXPECT_EQ(linn_guard_unpack(word).used, 64u);
    EXPECT_EQ(linn_guard_unpack(word).band,
              static_cast<uint32_t>(LINN_BAND_100));
    for (uint32_t state :
         {LINN_CHUNK_DEAD, LINN_CHUNK_DRAINING, LINN_CHUNK_HUGE}) {
        g = {1, 2, state, LINN_BAND_INIT, 3, 0};
        word = linn_guard_pack(g);
        EXPECT_FALSE(linn_guard_step_reserve(&bands, &word, 1)) << state;
        bool retires = state == LINN_CHUNK_DRAINING;
        EXPECT_EQ(linn_guard_step_retire(&word), retires) << state;
    }
}

// ---- life ----

TEST(ChunkTest, IsBornInTheBandOfWhatIsTaken) {
    const struct {
        uint32_t used, band;
    } births[] = {{0, LINN_BAND_INIT}, {10, LINN_BAND_INIT},
                  {20, LINN_BAND_000}, {40, LINN_BAND_025},
                  {50, LINN_BAND_050}, {63, LINN_BAND_050},
                  {64, LINN_BAND_100}};
    for (auto birth : births) {
        guarded_chunk c(64);
        EXPECT_EQ(c.born(birth.used), birth.band) << birth.used;
        struct linn_guard g = c.guard();
        EXPECT_EQ(g.used, birth.used);
        EXPECT_EQ(g.band, birth.band);
        EXPECT_EQ(g.arena, 5u);
        EXPECT_EQ(g.state, static_cast<uint32_t>(LINN_CHUNK_LIVE));
        EXPECT_TRUE(c.is_valid());
    }
}

TEST(ChunkTest, OnlyALivingChunkOfTheSameLifeReserves) {
    guarded_chunk c(64);
    EXPECT_FALSE(c.reserve(c.word(), 1).done) << "dead";
    c.born();
    uint64_t first_life = c.word();
    EXPECT_TRUE(c.reserve(first_life, 40).done);
    EXPECT_TRUE(c.reserve(first_life, 20).done) << "used may have moved";
    EXPECT_FALSE(c.reserve(first_life, 5).done) << "four are left";
    EXPECT_TRUE(c.reserve(c.word(), 4).done);
    EXPECT_FALSE(c.reserve(c.word(), 1).done) << "full";
    c.give(64);
    uint32_t band;
    uint64_t empty = c.word();
    ASSERT_TRUE(c.retire(empty, &band));
    EXPECT_FALSE(c.reserve(first_life, 1).done);
    EXPECT_FALSE(c.reserve(c.word(), 1).done) << "dead";
    c.born();
    EXPECT_FALSE(c.reserve(first_life, 1).done) << "the next life";
    EXPECT_FALSE(c.reserve(empty, 1).done);
    EXPECT_TRUE(c.reserve(c.word(), 1).done);
    c.give(1);
    uint64_t here = c.word();
    ASSERT_TRUE(c.retire(here, &band));
    c.born(0, /*arena=*/6);
    struct linn_guard other = c.guard();
    other.arena = 5;
    EXPECT_FALSE(c.reserve(linn_guard_pack(other), 1).done)
        << "the same generation, as if in another arena";
    struct linn_guard draining = c.guard();
    draining.state = LINN_CHUNK_DRAINING;
    c.set(draining);
    EXPECT_FALSE(c.reserve(c.word(), 1).done);
    EXPECT_TRUE(c.retire(c.word(), &band));
}

TEST(ChunkTest, OnlyAnEmptyChunkOfTheSameLifeRetires) {
    guarded_chunk c(64);
    uint32_t band = 99;
    EXPECT_FALSE(c.retire(c.word(), &band)) << "dead already";
    c.born();
    uint64_t seen_empty = c.word();
    ASSERT_TRUE(c.reserve(c.word(), 1).done);
    EXPECT_FALSE(c.retire(seen_empty, &band)) << "somebody came in";
    EXPECT_FALSE(c.retire(c.word(), &band));
    c.give(1);
    EXPECT_EQ(band, 99u);
    EXPECT_TRUE(c.retire(seen_empty, &band)) << "used is 0 again";
    EXPECT_EQ(band, static_cast<uint32_t>(LINN_BAND_INIT));
    EXPECT_EQ(c.guard().gen, 1u);
    EXPECT_EQ(c.guard().used, 0u);
    EXPECT_TRUE(c.is_valid());
    c.born();
    EXPECT_FALSE(c.retire(seen_empty, &band)) << "that was the life before";
    EXPECT_TRUE(c.retire(c.word(), &band));
    EXPECT_FALSE(c.retire(c.word(), &band)) << "once";
}

TEST(ChunkTest, TheGenerationPassesItsWrap) {  // C2
    guarded_chunk c(4);
    struct linn_guard g = c.guard();
    g.gen = kLastGeneration - 1;
    c.set(g);
    uint32_t expected = kLastGeneration - 1, band;
    for (int life = 0; life < 4; life++) {
        c.born(0, /*arena=*/255);
        EXPECT_EQ(c.guard().gen, expected);
        uint64_t seen = c.word();
        ASSERT_TRUE(c.reserve(seen, 4).done);
        ASSERT_TRUE(c.give(4).done);
        ASSERT_TRUE(c.retire(seen, &band));
        expected = (expected + 1) & kLastGeneration;
        EXPECT_EQ(c.guard().gen, expected);
        EXPECT_EQ(c.guard().arena, 255u);
        c.born();
        EXPECT_FALSE(c.reserve(seen, 1).done);
        EXPECT_FALSE(c.retire(seen, &band));
        ASSERT_TRUE(c.retire(c.word(), &band));
        expected = (expected + 1) & kLastGeneration;
    }
    EXPECT_LT(expected, 10u) << "the wrap was passed";
}

TEST(ChunkDeathTest, ReturningMoreThanIsUsedAborts) {
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
    guarded_chunk c(64);
    c.born();
    ASSERT_TRUE(c.reserve(c.word(), 3).done);
    EXPECT_DEATH(linn_chunk_return(&c.chunk, &c.bands, 4),
                 "linn_guard_step_return");
}

TEST(ChunkTest, AnInvalidChunkIsSeen) {
    guarded_chunk c(64);
    c.born();
    ASSERT_TRUE(c.is_valid());
    struct linn_guard good = c.guard();
    struct linn_guard g = good;
    g.used = 3;  // and 64 pages free
    c.set(g);
    EXPECT_FALSE(c.is_valid());
    g = good;
    g.used = 65;
    c.set(g);
    EXPECT_FALSE(c.is_valid());
    g = good;
    g.band = LINN_BAND_050;
    c.set(g);
    EXPECT_FALSE(c.is_valid());
    g = good;
    g.state = LINN_CHUNK_DEAD;
    g.used = 1;
    c.set(g);
    EXPECT_FALSE(c.is_valid());
    // Full, and not in q100.
    c.set({0, 0, LINN_CHUNK_DEAD, 0, 0, 0});
    c.born(64);
    ASSERT_TRUE(c.is_valid());
    g = c.guard();
    g.band = LINN_BAND_075;
    c.set(g);
    EXPECT_FALSE(c.is_valid());
}

// ---- slots ----

TEST(ChunkSlotTest, AHugeBlockEndsOnceAndOnlyInItsLife) {
    struct linn_chunk *chunk = linn_chunk_slot_take();
    ASSERT_NE(chunk, nullptr);
    char memory[64];
    linn_chunk_born_huge(chunk, nullptr, memory, sizeof memory);
    EXPECT_EQ(chunk->base, memory);
    EXPECT_EQ(chunk->bytes, sizeof memory);
    EXPECT_EQ(linn_chunk_look(chunk).state,
              static_cast<uint32_t>(LINN_CHUNK_HUGE));
    uint32_t gen = linn_chunk_look(chunk).gen;
    uint64_t seen = sync_u64_load_acquire(&chunk->guard);
    EXPECT_TRUE(linn_chunk_end_huge(chunk, seen));
    EXPECT_FALSE(linn_chunk_end_huge(chunk, seen)) << "the second free";
    EXPECT_FALSE(
        linn_chunk_end_huge(chunk, sync_u64_load_acquire(&chunk->guard)));
    EXPECT_EQ(linn_chunk_look(chunk).gen, gen + 1);
    linn_chunk_born_huge(chunk, nullptr, memory, 32);
    EXPECT_FALSE(linn_chunk_end_huge(chunk, seen)) << "of the life before";
    EXPECT_TRUE(
        linn_chunk_end_huge(chunk, sync_u64_load_acquire(&chunk->guard)));
    EXPECT_EQ(linn_chunk_look(chunk).gen, gen + 2);
    linn_chunk_slot_give(chunk);
}

TEST(ChunkSlotTest, SlotsAreTypeStableAndLastInFirstOut) {
    std::vector<struct linn_chunk *> taken;
    std::set<struct linn_chunk *> distinct;
    for (int i = 0; i < 150; i++) {  // more than two segments
        struct linn_chunk *chunk = linn_chunk_slot_take();
        ASSERT_NE(chunk, nullptr);
        EXPECT_EQ(linn_chunk_at(chunk->slot), chunk);
        EXPECT_LT(chunk->slot, linn_chunk_slot_limit());
        ASSERT_TRUE(distinct.insert(chunk).second);
        taken.push_back(chunk);
    }
    // The descriptors of two slots' subpages do not overlap.
    std::sort(taken.begin(), taken.end(),
              [](struct linn_chunk *a, struct linn_chunk *b) {
                  return a->subpages < b->subpages;
              });
    for (size_t i = 1; i < taken.size(); i++) {
        EXPECT_GE(taken[i]->subpages - taken[i - 1]->subpages,
                  static_cast<ptrdiff_t>(LINN_TREE_PAGES_MAX));
    }
    struct linn_chunk *one = taken[77];
    uint32_t slot = one->slot;
    struct linn_subpage *subpages = one->subpages;
    char memory[16];
    linn_chunk_born_huge(one, nullptr, memory, sizeof memory);
    EXPECT_TRUE(linn_chunk_end_huge(one, sync_u64_load_acquire(&one->guard)));
    uint32_t gen = linn_chunk_look(one).gen;
    EXPECT_GT(gen, 0u);
    linn_chunk_slot_give(one);
    struct linn_chunk *again = linn_chunk_slot_take();
    EXPECT_EQ(again, one);
    EXPECT_EQ(again->slot, slot);
    EXPECT_EQ(again->subpages, subpages);
    EXPECT_EQ(linn_chunk_look(again).gen, gen) << "it never goes back";
    uint32_t limit = linn_chunk_slot_limit();
    for (struct linn_chunk *chunk : taken) {
        linn_chunk_slot_give(chunk);
    }
    for (int i = 0; i < 150; i++) {
        EXPECT_EQ(distinct.count(linn_chunk_slot_take()), 1u);
    }
    EXPECT_EQ(linn_chunk_slot_limit(), limit) << "no new slot was needed";
    for (struct linn_chunk *chunk : taken) {
        linn_chunk_slot_give(chunk);
    }
}

TEST(ChunkSlotTest, UnknownSlotsAreNull) {
    EXPECT_EQ(linn_chunk_at(LINN_CHUNK_SLOTS_MAX - 1), nullptr);
    EXPECT_EQ(linn_chunk_at(LINN_CHUNK_SLOTS_MAX), nullptr);
    EXPECT_EQ(linn_chunk_at(UINT32_MAX), nullptr);
}

TEST(ChunkSlotTest, ThreadsNeverShareASlot) {
    constexpr int kThreads = 4;
    std::vector<std::thread> threads;
    std::atomic<long> taken{0};
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&] {
            char memory[16];
            for (int i = 0; i < kRounds / 4; i++) {
                struct linn_chunk *chunk = linn_chunk_slot_take();
                if (chunk == nullptr) continue;
                // Plain accesses to an owned slot.
                chunk->base = memory;
                chunk->bytes = static_cast<size_t>(i);
                chunk->place++;
                EXPECT_EQ(chunk->base, memory);
                EXPECT_EQ(chunk->bytes, static_cast<size_t>(i));
                taken.fetch_add(1, std::memory_order_relaxed);
                linn_chunk_slot_give(chunk);
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(taken.load(), kRounds / 4 * kThreads);
}

// ---- threads ----

// Threads reserve, claim, write their pages with plain accesses, release and
// return; whoever retires the chunk owns it alone: it reads and writes every
// page, then begins the next life in the same place.
TEST(ChunkTest, RetirementHandsTheChunkToOneThread) {
    constexpr int kThreads = 4;
    constexpr uint32_t kPages = 8;
    guarded_chunk c(kPages);
    struct linn_guard g = c.guard();
    g.gen = kLastGeneration - 20;
    g.ver = kLastVersion - 20;
    c.set(g);
    c.born();
    long payload[kPages] = {}, collected = 0, lives = 0;
    std::atomic<long> uses{0}, crossings{0};
    auto use = [&](uint32_t order, uint32_t k) {
        uint64_t seen = c.word();
        struct linn_crossing in = c.reserve(seen, k);
        if (!in.done) return;
        uint32_t page = c.claim(k, order);
        if (page != LINN_NO_PAGE) {
            for (uint32_t p = page; p < page + k; p++) {
                payload[p]++;
            }
            uses.fetch_add(k, std::memory_order_relaxed);
            EXPECT_TRUE(c.release(page, k));
        }
        struct linn_crossing out = c.give(k);
        if (in.from != in.to || out.from != out.to) {
            crossings.fetch_add(1, std::memory_order_relaxed);
        }
    };
    auto collect = [&] {
        uint64_t seen = c.word();
        uint32_t band;
        if (!c.retire(seen, &band)) return;
        for (long &p : payload) {
            collected += p;
            p = 0;
        }
        lives++;
        linn_section_enter(&c.section);
        linn_page_tree_init(&c.chunk.tree, kPages);
        linn_chunk_born(&c.chunk, &c.bands, 1, 0);
        linn_section_leave(&c.section);
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kRounds; i++) {
                uint32_t order = static_cast<uint32_t>(i + t) % 3;
                use(order, 1u << order);
                if (i % 4 == t) collect();
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    for (long p : payload) {
        collected += p;
    }
    std::printf("threads: %ld pages used in %ld lives, %ld crossings\n",
                uses.load(), lives, crossings.load());
    EXPECT_EQ(collected, uses.load());
    EXPECT_GE(uses.load(), kRounds);
    EXPECT_GE(lives, 100);
    EXPECT_GE(crossings.load(), 100);
    EXPECT_TRUE(c.is_valid());
    EXPECT_EQ(c.guard().used, 0u);
}

}  // namespace
