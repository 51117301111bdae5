#include "alloc/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "alloc/arena_fixture.h"
#include "alloc/misuse.h"
#include "alloc/page_map.h"
#include "alloc/page_source.h"
#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kRounds = 3000, kSteps = 20000, kBursts = 20;
#else
constexpr int kRounds = 30000, kSteps = 200000, kBursts = 100;
#endif

constexpr uint32_t kGroup = LINN_GROUP_PAGES;

// A pool core with one arena, and what a test wants to know of it.
struct world {
    struct linn_pool_core core = {};
    struct linn_arena arena = {};

    explicit world(size_t page_bytes = 8192, size_t chunk_order = 11) {
        linn_fixture_core(&core, &arena, 1, page_bytes, chunk_order);
    }
    // Whatever a test did: in the end everything can be given back.
    ~world() {
        EXPECT_TRUE(is_valid());
        collect_all();
        linn_arena_release_empty(&arena);
        EXPECT_EQ(linn_fixture_held(&core), 0u);
        EXPECT_EQ(chunks(), 0u);
        EXPECT_EQ(linn_fixture_subpages(&core), 0u);
    }
    void collect_all() {
        linn_arena_collect(&arena, UINT32_MAX);
        linn_arena_collect(&arena, UINT32_MAX);
    }
    bool is_valid() {
        return linn_arena_is_valid_quiescent(&arena);
    }
    uint32_t class_of(size_t size) {
        return linn_class_of(&core.geometry, size);
    }
    const struct linn_size_class &of(uint32_t c) {
        return core.geometry.of[c];
    }
    std::vector<void *> take(uint32_t c, uint32_t want, bool grow = true) {
        void *out[64];
        uint32_t n = linn_arena_take(&arena, c, want, grow, out);
        EXPECT_LE(n, want);
        return std::vector<void *>(out, out + n);
    }
    void *take_one(uint32_t c, bool grow = true) {
        std::vector<void *> got = take(c, 1, grow);
        return got.empty() ? nullptr : got[0];
    }
    uint32_t give(uint32_t c, const std::vector<void *> &blocks) {
        uint32_t given = 0;
        for (size_t i = 0; i < blocks.size(); i += 64) {
            size_t n = std::min<size_t>(64, blocks.size() - i);
            given += linn_arena_give(&core, c, &blocks[i],
                                     static_cast<uint32_t>(n), "test");
        }
        return given;
    }
    void *take_groups(uint32_t groups, bool grow = true) {
        return linn_arena_take_groups(&arena, groups, grow);
    }
    bool give_groups(void *block) {
        return linn_arena_give_groups(linn_chunk_of(block), block);
    }
    uint64_t tally(enum linn_tally_field f) {
        return linn_tally_read(&core.tally, f);
    }
    uint64_t chunks() {
        return linn_fixture_chunks(&core);
    }
    uint64_t births() {
        return tally(LINN_TALLY_CHUNKS_BORN);
    }
    uint64_t hint(uint32_t band, uint32_t word = 0) {
        return sync_u64_load_relaxed(&arena.hint[band][word]);
    }
    void set_hint(uint32_t band, uint64_t bits) {
        sync_u64_store_relaxed(&arena.hint[band][0], bits);
    }
    uint32_t spare() {
        return sync_u32_load_relaxed(&arena.spare);
    }
    // Chunks that are LIVE in a place, without the spare.
    uint32_t placed() {
        uint32_t n = 0;
        for (uint32_t p = 0; p < LINN_PLACES; p++) {
            if (sync_u32_load_acquire(&arena.slot_of[p]) != 0) n++;
        }
        return n;
    }
    // A mapped chunk in the spare slot, as a thread leaves it there that found
    // another's chunk after it had mapped its own.
    void make_spare() {
        struct linn_chunk *chunk = linn_chunk_slot_take();
        size_t bytes =
            std::max<size_t>(core.geometry.chunk_bytes, LINN_GRANULE_BYTES);
        chunk->base = linn_page_source_map(bytes, bytes);
        chunk->bytes = bytes;
        chunk->pool = &core;
        ASSERT_NE(chunk->base, nullptr);
        ASSERT_TRUE(linn_page_map_add(chunk->base, bytes, chunk->slot));
        linn_tally_add(&core.tally, LINN_TALLY_CHUNKS_BORN, 1);
        linn_tally_add(&core.tally, LINN_TALLY_HELD_BYTES_TAKEN, bytes);
        sync_u32_store_release(&arena.spare, chunk->slot + 1);
    }
};

uint32_t band_of(const struct linn_chunk *chunk) {
    return linn_chunk_look(chunk).band;
}

// Misuse reports, kept instead of aborting.
struct report {
    std::string function, what;
    const void *pointer;
};
std::vector<report> *reports;

struct misuse_catcher {
    std::vector<report> seen;
    linn_misuse_handler before;

    misuse_catcher() {
        reports = &seen;
        before = linn_set_misuse_handler([](const struct linn_misuse *m) {
            reports->push_back({m->function, m->what, m->pointer});
        });
    }
    ~misuse_catcher() {
        linn_set_misuse_handler(before);
        reports = nullptr;
    }
    long count(const void *pointer, const std::string &what) {
        return std::count_if(seen.begin(), seen.end(), [&](const report &r) {
            return r.pointer == pointer && r.what == what;
        });
    }
};

// While a gate is open, every thread that maps a chunk waits in mmap until all
// are there; then they leave, one after another if `in_turn`: each when those
// before it have been served.
struct gate {
    int threads;
    bool in_turn;
    std::atomic<int> arrived{0}, done{0};

    gate(int n, bool turn) : threads(n), in_turn(turn) {}
    void pass() {
        int number = arrived.fetch_add(1);
        while (arrived.load() < threads) {
            std::this_thread::yield();
        }
        while (in_turn && done.load() < number) {
            std::this_thread::yield();
        }
    }
};
struct gate *open_gate;

}  // namespace

// The linker sends the calls of mmap here (--wrap).
extern "C" void *__real_mmap(void *, size_t, int, int, int, off_t);
extern "C" void *__wrap_mmap(void *, size_t, int, int, int, off_t);

extern "C" void *__wrap_mmap(void *address, size_t bytes, int protection,
                             int flags, int fd, off_t offset) {
    void *p = __real_mmap(address, bytes, protection, flags, fd, offset);
    bool chunk = bytes == size_t{16} << 20;
    if (open_gate != nullptr && chunk) open_gate->pass();
    return p;
}

namespace {

// ---- failures of the operating system ----

// Each call that may fail fails in turn: NULL or success, and nothing is lost.
// First in this file and at first without a success in between, so that the
// tables that are made once for the process are made under faults too.
template <typename visit_t>
void fail_each_call(const char *name, size_t chunk_order, visit_t visit) {
    linn_page_map_init();
    long injected = 0;
    for (bool recover : {false, true}) {
        bool through = false;
        for (uint64_t n = 0; n < 30 && !through; n++) {
            for (int again = 0; again < 3 && !through; again++) {
                auto w = std::make_unique<world>(8192, chunk_order);
                uint64_t before = linn_page_source_faults();
                linn_page_source_fail_after(n);
                bool served = visit(w.get());
                linn_page_source_fail_never();
                through = linn_page_source_faults() == before;
                injected += !through;
                ASSERT_TRUE(w->is_valid());
                ASSERT_TRUE(served || !through) << "refused for no reason";
                if (!recover) continue;
                ASSERT_TRUE(visit(w.get())) << "after the failure of " << n;
                ASSERT_TRUE(w->is_valid());
            }
        }
        ASSERT_TRUE(through) << "it never came through";
    }
    std::printf("%s: %ld calls failed in turn\n", name, injected);
    EXPECT_GE(injected, 3);
}

TEST(ArenaFaultTest, TakingElementsSurvivesEachFailure) {
    fail_each_call("elements", 11, [](world *w) {
        uint32_t c = w->class_of(1024);
        std::vector<void *> got = w->take(c, 64);
        EXPECT_EQ(w->give(c, got), got.size());
        return !got.empty();
    });
}

TEST(ArenaFaultTest, TakingRunsSurvivesEachFailure) {
    fail_each_call("runs", 7, [](world *w) {
        uint32_t c = w->class_of(448 << 10);
        EXPECT_EQ(w->of(c).elements, 0u);
        std::vector<void *> got = w->take(c, 1), more = w->take(c, 1);
        bool both = !got.empty() && !more.empty();
        w->give(c, got);
        w->give(c, more);
        return both;
    });
}

TEST(ArenaFaultTest, TakingGroupsSurvivesEachFailure) {
    fail_each_call("groups", 8, [](world *w) {
        void *a = w->take_groups(3), *b = w->take_groups(2);
        EXPECT_TRUE(a == nullptr || w->give_groups(a));
        EXPECT_TRUE(b == nullptr || w->give_groups(b));
        return a != nullptr && b != nullptr;
    });
}

TEST(ArenaFaultTest, ARefusingSystemIsAnAnswer) {
    world w;
    linn_page_source_fail_always();
    EXPECT_EQ(w.take_one(w.class_of(64)), nullptr);
    EXPECT_EQ(w.take_groups(1), nullptr);
    linn_page_source_fail_never();
    EXPECT_EQ(w.births(), 0u);
    void *p = w.take_one(w.class_of(64));
    ASSERT_NE(p, nullptr);
    linn_page_source_fail_always();
    void *q = w.take_one(w.class_of(128));
    EXPECT_NE(q, nullptr) << "the chunk has room: no call is needed";
    linn_page_source_fail_never();
    w.give(w.class_of(64), {p});
    w.give(w.class_of(128), {q});
}

// ---- every size of chunk and page ----

TEST(ArenaTest, ServesEveryClassOfEveryGeometry) {
    long blocks = 0;
    for (size_t page_bytes = 4096; page_bytes <= 65536; page_bytes *= 2) {
        for (size_t order = 0; order <= 11; order++) {
            auto w = std::make_unique<world>(page_bytes, order);
            const struct linn_geometry &g = w->core.geometry;
            for (uint32_t c = 1; c <= g.classes; c++) {
                std::vector<void *> got = w->take(c, 3);
                ASSERT_GE(got.size(), 1u)
                    << page_bytes << " << " << order << ", class " << c;
                for (void *p : got) {
                    struct linn_chunk *chunk = linn_chunk_of(p);
                    ASSERT_NE(chunk, nullptr);
                    ASSERT_EQ(chunk->pool, &w->core);
                    ASSERT_EQ(linn_page_map_get(p),
                              linn_map_entry(&w->core, c));
                    char *first = static_cast<char *>(p);
                    char *base = static_cast<char *>(chunk->base);
                    ASSERT_GE(first, base);
                    ASSERT_LE(first + g.of[c].size, base + g.chunk_bytes);
                    first[0] = 1;
                    first[g.of[c].size - 1] = 1;
                }
                ASSERT_TRUE(w->is_valid());
                ASSERT_EQ(w->give(c, got), got.size());
                blocks += static_cast<long>(got.size());
            }
            if (g.chunk_pages >= kGroup) {
                uint32_t groups = g.chunk_pages / kGroup;
                void *all = w->take_groups(groups);
                ASSERT_NE(all, nullptr);
                ASSERT_EQ(linn_arena_groups_bytes(linn_chunk_of(all), all),
                          g.chunk_bytes);
                ASSERT_EQ(band_of(linn_chunk_of(all)),
                          static_cast<uint32_t>(LINN_BAND_100));
                ASSERT_TRUE(w->give_groups(all));
            }
        }
    }
    std::printf("geometries: 60, %ld blocks\n", blocks);
    EXPECT_GE(blocks, 2000);
}

// ---- Netty's cases ----

// Case 16: a request of a whole chunk fills one chunk, which is then in q100
// alone; given back, the chunk is empty and its memory goes.
TEST(ArenaTest, ARequestOfAChunkFillsAChunk) {
    world w;
    void *all = w.take_groups(32);
    ASSERT_NE(all, nullptr);
    struct linn_chunk *chunk = linn_chunk_of(all);
    EXPECT_EQ(chunk->base, all);
    EXPECT_EQ(w.births(), 1u);
    EXPECT_EQ(band_of(chunk), static_cast<uint32_t>(LINN_BAND_100));
    for (uint32_t band = 0; band < LINN_BANDS; band++) {
        EXPECT_EQ(w.hint(band), band == LINN_BAND_100 ? 1u : 0u) << band;
    }
    EXPECT_EQ(w.take_groups(1, /*grow=*/false), nullptr) << "never asked";
    ASSERT_TRUE(w.give_groups(all));
    EXPECT_EQ(band_of(chunk), static_cast<uint32_t>(LINN_BAND_000));
    EXPECT_EQ(w.hint(LINN_BAND_100), 0u);
    EXPECT_EQ(w.hint(LINN_BAND_000), 1u);
    EXPECT_EQ(linn_arena_release_empty(&w.arena), 1u);
    for (uint32_t band = 0; band < LINN_BANDS; band++) {
        EXPECT_EQ(w.hint(band), 0u) << band;
    }
    EXPECT_EQ(w.placed(), 0u);
    EXPECT_EQ(linn_chunk_of(all), nullptr) << "the map forgot it";
}

// Case 22: a chunk that never left qInit is kept.
TEST(ArenaTest, AChunkInQInitIsKept) {
    world w;
    uint32_t small = w.class_of(800), pages = w.class_of(5 * 8192);
    void *a = w.take_one(small), *b = w.take_one(pages);
    struct linn_chunk *chunk = linn_chunk_of(a);
    EXPECT_EQ(linn_chunk_of(b), chunk);
    EXPECT_EQ(w.give(small, {a}), 1u);
    EXPECT_EQ(w.give(pages, {b}), 1u);
    EXPECT_EQ(band_of(chunk), static_cast<uint32_t>(LINN_BAND_INIT));
    EXPECT_EQ(w.births(), 1u);
    EXPECT_EQ(w.tally(LINN_TALLY_CHUNKS_DIED), 0u);
    EXPECT_EQ(w.hint(LINN_BAND_INIT), 1u);
}

// Case 26: n + 1 blocks where a chunk holds n need exactly two chunks.
TEST(ArenaTest, OneBlockMoreThanAChunkHoldsNeedsTwoChunks) {
    for (size_t size : {size_t{64}, size_t{16896}, size_t{100000},
                        size_t{200000}, size_t{524288}}) {
        world w;
        uint32_t c = w.class_of(size);
        const struct linn_size_class &k = w.of(c);
        uint32_t in_run = k.elements == 0 ? 1 : k.elements;
        uint32_t n = 32 * (kGroup >> k.run_order) * in_run;
        std::vector<void *> held;
        while (held.size() < n) {
            std::vector<void *> got = w.take(
                c,
                std::min<uint32_t>(64, n - static_cast<uint32_t>(held.size())));
            ASSERT_GE(got.size(), 1u);
            held.insert(held.end(), got.begin(), got.end());
        }
        EXPECT_EQ(w.births(), 1u) << size << " bytes, " << n << " blocks";
        std::set<void *> distinct(held.begin(), held.end());
        EXPECT_EQ(distinct.size(), n);
        void *last = w.take_one(c);
        ASSERT_NE(last, nullptr);
        EXPECT_EQ(w.births(), 2u) << size;
        held.push_back(last);
        EXPECT_EQ(w.give(c, held), held.size());
    }
}

TEST(ArenaTest, ChurnOverThirtyLiveBlocksNeedsOneChunk) {
    world w;
    uint32_t c = w.class_of(16896);
    std::vector<void *> live;
    for (int i = 0; i < 30; i++) {
        live.push_back(w.take_one(c));
    }
    for (int i = 0; i < 128; i++) {
        void *p = w.take_one(c);
        ASSERT_NE(p, nullptr);
        ASSERT_EQ(w.give(c, {p}), 1u);
    }
    EXPECT_EQ(w.births(), 1u);
    w.give(c, live);
}

// The six bands are asked in the order q050, q025, q000, qInit, q075; q100 never.
TEST(ArenaTest, BandsAreAskedInNettysOrder) {
    world w;
    const uint32_t order[] = {LINN_BAND_050, LINN_BAND_025, LINN_BAND_000,
                              LINN_BAND_INIT, LINN_BAND_075};
    const uint32_t kept[] = {17, 10, 2, 1, 28};  // groups of 32
    std::vector<std::vector<void *>> blocks(5);
    struct linn_chunk *chunk[6] = {};
    // Five chunks are filled, each a chunk of its own; the one of qInit comes
    // last, while the others are full.
    for (int i : {0, 1, 2, 4, 3}) {
        uint32_t n = i == 3 ? kept[3] : 32;
        while (blocks[static_cast<size_t>(i)].size() < n) {
            void *p = w.take_groups(1);
            ASSERT_NE(p, nullptr);
            blocks[static_cast<size_t>(i)].push_back(p);
        }
        chunk[i] = linn_chunk_of(blocks[static_cast<size_t>(i)][0]);
    }
    ASSERT_EQ(w.births(), 5u);
    for (size_t i : {0u, 1u, 2u, 4u}) {
        while (blocks[i].size() > kept[i]) {
            ASSERT_TRUE(w.give_groups(blocks[i].back()));
            blocks[i].pop_back();
        }
    }
    for (int i = 0; i < 5; i++) {
        ASSERT_EQ(band_of(chunk[i]), order[i]) << i;
    }
    // Each is filled up before the next one is asked.
    for (int i = 0; i < 5; i++) {
        for (uint32_t used = kept[i]; used < 32; used++) {
            void *p = w.take_groups(1, /*grow=*/false);
            ASSERT_NE(p, nullptr);
            ASSERT_EQ(linn_chunk_of(p), chunk[i]) << i << ", " << used;
            blocks[static_cast<size_t>(i)].push_back(p);
        }
        ASSERT_EQ(band_of(chunk[i]), static_cast<uint32_t>(LINN_BAND_100));
    }
    EXPECT_EQ(w.take_groups(1, /*grow=*/false), nullptr);
    EXPECT_TRUE(w.is_valid());
    for (std::vector<void *> &of_chunk : blocks) {
        for (void *p : of_chunk) {
            ASSERT_TRUE(w.give_groups(p));
        }
    }
    EXPECT_EQ(linn_arena_release_empty(&w.arena), 5u);
}

// ---- growth ----

// Fills the one chunk with blocks of class c.
std::vector<void *> fill_a_chunk(world *w, uint32_t c) {
    std::vector<void *> held;
    for (;;) {
        std::vector<void *> got = w->take(c, 64, held.empty());
        if (got.empty()) return held;
        held.insert(held.end(), got.begin(), got.end());
    }
}

TEST(ArenaGrowthTest, CollectsFreeSubpagesFirst) {
    world w(8192, 6);
    uint32_t a = w.class_of(1024), b = w.class_of(96);
    std::vector<void *> held = fill_a_chunk(&w, a);
    ASSERT_EQ(w.births(), 1u);
    ASSERT_EQ(w.give(a, held), held.size());
    EXPECT_GE(linn_fixture_subpages(&w.core), 2u) << "they stay";
    w.make_spare();
    uint32_t spare = w.spare();
    void *p = w.take_one(b);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(w.spare(), spare) << "the spare was not needed";
    EXPECT_EQ(w.placed(), 1u);
    EXPECT_EQ(linn_fixture_subpages(&w.core), 1u);
    w.give(b, {p});
}

TEST(ArenaGrowthTest, ALostHintIsFoundByTheFullScan) {
    world w;
    void *p = w.take_groups(1);
    for (uint32_t band = 0; band < LINN_BANDS; band++) {
        w.set_hint(band, 0);
    }
    EXPECT_FALSE(w.is_valid()) << "A2";
    w.make_spare();
    uint32_t spare = w.spare();
    EXPECT_EQ(w.take_groups(1, /*grow=*/false), nullptr);
    void *q = w.take_groups(1);
    ASSERT_NE(q, nullptr);
    EXPECT_EQ(linn_chunk_of(q), linn_chunk_of(p));
    EXPECT_EQ(w.spare(), spare);
    EXPECT_EQ(w.births(), 2u) << "the chunk and the spare made by hand";
    // Crossing a threshold sets the hint again.
    std::vector<void *> more;
    for (int i = 0; i < 10; i++) {
        more.push_back(w.take_groups(1));
    }
    EXPECT_TRUE(w.is_valid());
    for (void *m : more) {
        w.give_groups(m);
    }
    EXPECT_TRUE(w.give_groups(p));
    EXPECT_TRUE(w.give_groups(q));
}

TEST(ArenaGrowthTest, TakesTheSpareBeforeItMaps) {
    world w;
    w.make_spare();
    struct linn_chunk *spare = linn_chunk_at(w.spare() - 1);
    uint64_t calls = linn_page_source_calls();
    void *p = w.take_groups(32);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(linn_chunk_of(p), spare);
    EXPECT_EQ(w.spare(), 0u);
    EXPECT_EQ(linn_page_source_calls(), calls) << "nothing was mapped";
    void *q = w.take_groups(1);
    ASSERT_NE(q, nullptr);
    EXPECT_NE(linn_chunk_of(q), spare);
    EXPECT_GT(linn_page_source_calls(), calls) << "and now it was";
    EXPECT_EQ(w.births(), 2u);
    w.give_groups(p);
    w.give_groups(q);
}

TEST(ArenaGrowthTest, WithoutGrowthNothingIsMapped) {
    world w;
    w.make_spare();
    uint64_t calls = linn_page_source_calls();
    EXPECT_EQ(w.take_one(w.class_of(64), /*grow=*/false), nullptr);
    EXPECT_EQ(w.take_one(w.class_of(200000), /*grow=*/false), nullptr);
    EXPECT_EQ(w.take_groups(1, /*grow=*/false), nullptr);
    EXPECT_EQ(linn_page_source_calls(), calls);
    EXPECT_EQ(w.placed(), 0u);
}

TEST(ArenaGrowthTest, StaleHintsAreClearedByThoseWhoFollowThem) {
    world w;
    void *p = w.take_groups(1);    // in qInit, at place 0
    w.set_hint(LINN_BAND_050, 1);  // not true
    w.set_hint(LINN_BAND_025, 2);  // nothing is at place 1
    sync_u32_store_relaxed(&w.arena.places, 2);
    EXPECT_EQ(w.take_groups(32, /*grow=*/false), nullptr);
    EXPECT_EQ(w.hint(LINN_BAND_050), 0u) << "the guard decides";
    EXPECT_EQ(w.hint(LINN_BAND_025), 0u);
    EXPECT_EQ(w.hint(LINN_BAND_INIT), 1u) << "a true hint stays";
    EXPECT_TRUE(w.is_valid());
    w.give_groups(p);
}

TEST(ArenaGrowthTest, APlaceIsUsedAgain) {
    world w(8192, 6);
    std::vector<void *> all;
    for (int i = 0; i < 70; i++) {  // more places than a hint word has bits
        all.push_back(w.take_groups(1));
        ASSERT_NE(all.back(), nullptr);
    }
    EXPECT_EQ(w.placed(), 70u);
    EXPECT_EQ(w.hint(LINN_BAND_100, 1), 0x3fu);
    struct linn_chunk *third = linn_chunk_of(all[3]);
    EXPECT_EQ(third->place, 3u);
    ASSERT_TRUE(w.give_groups(all[3]));
    EXPECT_EQ(linn_arena_release_empty(&w.arena), 1u);
    all[3] = w.take_groups(1);
    EXPECT_EQ(linn_chunk_of(all[3])->place, 3u);
    EXPECT_EQ(sync_u32_load_relaxed(&w.arena.places), 70u);
    ASSERT_TRUE(w.is_valid());
    for (void *p : all) {
        w.give_groups(p);
    }
    EXPECT_EQ(linn_arena_release_empty(&w.arena), 70u);
}

TEST(ArenaGrowthTest, AnArenaThatHasNoPlaceLeftSaysSo) {
    auto w = std::make_unique<world>(4096, 0);
    for (uint32_t p = 0; p < LINN_PLACES; p++) {
        sync_u32_store_relaxed(&w->arena.slot_of[p], LINN_CHUNK_SLOTS_MAX);
    }
    EXPECT_EQ(w->take_one(w->class_of(64)), nullptr);
    EXPECT_NE(w->spare(), 0u) << "what was mapped is kept for the next";
    for (uint32_t p = 0; p < LINN_PLACES; p++) {
        sync_u32_store_relaxed(&w->arena.slot_of[p], 0);
    }
    void *block = w->take_one(w->class_of(64));
    EXPECT_NE(block, nullptr);
    w->give(w->class_of(64), {block});
}

// Eight threads find an empty arena at once, and all are inside mmap before the
// first comes back.  Whether they come back one after another or all at once
// (`in_turn`), when all is done one chunk serves them all, and one is the spare.
void stampede(int bursts, bool in_turn, long *extra) {
    constexpr int kThreads = 8;
    auto w = std::make_unique<world>(8192, 11);
    std::vector<void *> got(kThreads);
    long spares = 0;
    *extra = 0;
    for (int i = 0; i < bursts; i++) {
        struct gate g(kThreads, in_turn);
        open_gate = &g;
        std::vector<std::thread> threads;
        for (size_t t = 0; t < kThreads; t++) {
            threads.emplace_back([&, t] {
                got[t] = w->take_groups(1);
                g.done++;
            });
        }
        for (std::thread &t : threads) {
            t.join();
        }
        open_gate = nullptr;
        uint32_t placed = w->placed();
        *extra += placed - 1;
        spares += w->spare() != 0;
        EXPECT_EQ(w->chunks(), placed + (w->spare() != 0)) << "one is lost";
        std::set<void *> distinct(got.begin(), got.end());
        EXPECT_EQ(distinct.size(), size_t{kThreads});
        EXPECT_TRUE(w->is_valid());
        for (void *p : got) {
            ASSERT_NE(p, nullptr);
            ASSERT_TRUE(w->give_groups(p));
        }
        linn_arena_release_empty(&w->arena);
        ASSERT_EQ(w->chunks(), 0u);
    }
    std::printf(
        "stampede: %d bursts of %d threads, %lu chunks mapped, "
        "%ld live beyond one, %ld spares\n",
        bursts, kThreads, static_cast<unsigned long>(w->births()), *extra,
        spares);
    EXPECT_EQ(w->births(), static_cast<uint64_t>(bursts) * kThreads)
        << "the threads did not meet";
}

TEST(ArenaGrowthTest, WhoComesBackLaterFindsTheFirstOnesChunk) {
    long extra;
    stampede(kBursts, /*in_turn=*/true, &extra);
    EXPECT_EQ(extra, 0);
}

// Between the last look and the publication lie a few instructions, in which a
// second thread may do the same: then one chunk more is live.  Chaos yields in
// between, so that a third and fourth may come, and seldom all seven.
TEST(ArenaGrowthTest, NoStampede) {
    long extra;
    stampede(kBursts, /*in_turn=*/false, &extra);
#if LINN_CHAOS
    EXPECT_LE(extra, 4 * kBursts);
#else
    EXPECT_LE(extra, kBursts);
#endif
}

// ---- giving back ----

TEST(ArenaGiveTest, MisuseIsReportedAndTheRestIsGivenBack) {
    world w;
    uint32_t c = w.class_of(96);
    std::vector<void *> got = w.take(c, 64), more = w.take(c, 64);
    ASSERT_EQ(got.size(), 64u);
    got.insert(got.end(), more.begin(), more.end());
    char on_stack[96];
    char *inside = static_cast<char *>(got[10]) + 16;
    std::vector<void *> batch(got.begin(), got.begin() + 8);
    batch.push_back(inside);    // no start of an element
    batch.push_back(on_stack);  // not ours
    batch.push_back(got[3]);    // twice in one batch
    misuse_catcher m;
    EXPECT_EQ(w.give(c, batch), 8u);
    ASSERT_EQ(m.seen.size(), 3u);
    EXPECT_EQ(m.count(inside, "not the start of a block"), 1);
    EXPECT_EQ(m.count(on_stack, "already free"), 1);
    EXPECT_EQ(m.count(got[3], "already free"), 1);
    EXPECT_EQ(m.seen[0].function, "test");
    EXPECT_TRUE(w.is_valid());

    m.seen.clear();
    std::vector<void *> second(got.begin() + 6, got.begin() + 12);
    EXPECT_EQ(w.give(c, second), 4u) << "two of them were free";
    EXPECT_EQ(m.seen.size(), 2u);
    EXPECT_EQ(m.count(got[6], "already free"), 1);
    EXPECT_EQ(m.count(got[7], "already free"), 1);
    EXPECT_TRUE(w.is_valid());

    m.seen.clear();
    EXPECT_EQ(w.give(c, {got[0]}), 0u);
    EXPECT_EQ(w.give(w.class_of(64), {got[20]}), 0u) << "another class";
    EXPECT_EQ(m.seen.size(), 2u);
    m.seen.clear();
    EXPECT_EQ(w.give(c, std::vector<void *>(got.begin() + 12, got.end())),
              got.size() - 12);
    EXPECT_TRUE(m.seen.empty());
    EXPECT_TRUE(w.is_valid());

    // The subpages are retired: their pages hold no block any more.
    w.collect_all();
    ASSERT_EQ(linn_fixture_subpages(&w.core), 0u);
    EXPECT_EQ(w.give(c, {got[30]}), 0u);
    EXPECT_EQ(m.count(got[30], "already free"), 1);
    EXPECT_TRUE(w.is_valid());
}

TEST(ArenaGiveTest, MisuseOfRunsAndGroupsIsReported) {
    world w;
    uint32_t c = w.class_of(300000);
    void *a = w.take_one(c), *b = w.take_one(c);
    misuse_catcher m;
    EXPECT_EQ(w.give(c, {a, a, static_cast<char *>(b) + 8192, b}), 2u);
    ASSERT_EQ(m.seen.size(), 2u);
    EXPECT_EQ(m.seen[0].pointer, a);
    EXPECT_EQ(m.seen[1].pointer, static_cast<char *>(b) + 8192);
    EXPECT_TRUE(w.is_valid());
    void *g = w.take_groups(2);
    ASSERT_NE(g, nullptr);
    struct linn_chunk *chunk = linn_chunk_of(g);
    EXPECT_EQ(linn_arena_groups_bytes(chunk, g), size_t{2} * kGroup * 8192);
    EXPECT_TRUE(linn_arena_give_groups(chunk, g));
    EXPECT_FALSE(linn_arena_give_groups(chunk, g));
    EXPECT_TRUE(w.is_valid());
}

TEST(ArenaGiveTest, ABatchMayLieInManySubpages) {
    world w;
    uint32_t c = w.class_of(32 << 10);
    uint32_t elements = w.of(c).elements;
    ASSERT_GE(elements, 2u);
    ASSERT_LE(elements, 8u);
    std::vector<void *> all;
    while (all.size() < 64) {
        all.push_back(w.take_one(c));
    }
    std::vector<void *> mixed;
    for (size_t i = 0; i < 64; i++) {
        mixed.push_back(all[i * 27 % 64]);
    }
    EXPECT_EQ(w.give(c, mixed), 64u);
    EXPECT_TRUE(w.is_valid());
    EXPECT_EQ(linn_fixture_subpages(&w.core), 64 / elements);
    linn_arena_collect(&w.arena, UINT32_MAX);
    EXPECT_EQ(linn_fixture_subpages(&w.core), 0u);
}

// ---- collecting ----

TEST(ArenaCollectTest, RetiresFreeSubpagesOfBothStacks) {
    world w;
    uint32_t c = w.class_of(4096);
    uint32_t in_one = w.of(c).elements;
    std::vector<void *> all;
    while (all.size() < 13 * in_one) {
        all.push_back(w.take_one(c));
    }
    ASSERT_EQ(linn_fixture_subpages(&w.core), 13u);
    // One element of ten of them is free: a collection without limit moves
    // these to the other stack and drops the three that have none.
    std::vector<void *> firsts, rest, three;
    for (size_t i = 0; i < all.size(); i++) {
        if (i >= 10 * in_one) {
            three.push_back(all[i]);
        } else {
            (i % in_one == 0 ? firsts : rest).push_back(all[i]);
        }
    }
    ASSERT_EQ(w.give(c, firsts), 10u);
    EXPECT_EQ(linn_arena_collect(&w.arena, UINT32_MAX), 0u);
    struct linn_partial *partial = &w.arena.partial[c];
    EXPECT_TRUE(linn_tagged_stack_is_empty_hint(&partial->stack[0]));
    EXPECT_FALSE(linn_tagged_stack_is_empty_hint(&partial->stack[1]));
    ASSERT_EQ(w.give(c, three), three.size());
    EXPECT_FALSE(linn_tagged_stack_is_empty_hint(&partial->stack[0]));
    ASSERT_EQ(w.give(c, rest), rest.size());
    uint32_t pages = linn_arena_collect(&w.arena, UINT32_MAX);
    EXPECT_LT(pages, 13u * w.of(c).run_pages) << "a call works one stack";
    pages += linn_arena_collect(&w.arena, UINT32_MAX);
    EXPECT_EQ(pages, 13u * w.of(c).run_pages) << "two calls have seen all";
    EXPECT_EQ(linn_fixture_subpages(&w.core), 0u);
    EXPECT_EQ(linn_chunk_look(
                  linn_chunk_at(sync_u32_load_acquire(&w.arena.slot_of[0]) - 1))
                  .used,
              0u);
}

TEST(ArenaCollectTest, ALimitIsKeptAndTheNextCallGoesOn) {
    world w;
    uint32_t c = w.class_of(4096);
    uint32_t in_one = w.of(c).elements;
    std::vector<void *> all;
    while (all.size() < 20 * in_one) {
        all.push_back(w.take_one(c));
    }
    w.give(c, all);
    EXPECT_EQ(linn_arena_collect(&w.arena, 7), 7u * w.of(c).run_pages);
    EXPECT_EQ(linn_arena_collect(&w.arena, 7), 7u * w.of(c).run_pages);
    EXPECT_EQ(linn_arena_collect(&w.arena, 7), 6u * w.of(c).run_pages);
    EXPECT_EQ(linn_arena_collect(&w.arena, 7), 0u);
}

TEST(ArenaCollectTest, ReleaseEmptyGivesEveryEmptyChunkBack) {
    world w(8192, 6);
    std::vector<void *> all;
    for (int i = 0; i < 9; i++) {
        all.push_back(w.take_groups(1));
    }
    w.make_spare();
    for (size_t i = 0; i < all.size(); i += 2) {
        w.give_groups(all[i]);
    }
    EXPECT_EQ(linn_arena_release_empty(&w.arena), 6u) << "five and the spare";
    EXPECT_EQ(w.spare(), 0u);
    EXPECT_EQ(w.chunks(), 4u);
    EXPECT_EQ(linn_fixture_held(&w.core), 4u * LINN_GRANULE_BYTES);
    for (size_t i = 0; i < all.size(); i++) {
        EXPECT_EQ(linn_chunk_of(all[i]) == nullptr, i % 2 == 0) << i;
    }
    for (size_t i = 1; i < all.size(); i += 2) {
        w.give_groups(all[i]);
    }
    EXPECT_EQ(linn_arena_release_empty(&w.arena), 4u);
    EXPECT_EQ(linn_fixture_held(&w.core), 0u);
}

// ---- many steps, many threads ----

// A walk of all kinds of requests; every block is marked with its own address,
// and its marks are there when it is given back.
struct walker {
    struct world *w;
    uint64_t x;
    struct held_block {
        uint32_t c;  // 0: groups
        void *p;
    };
    std::vector<held_block> held = {};
    long taken = 0, refused = 0, collected = 0, released = 0;

    uint32_t below(size_t n) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        return static_cast<uint32_t>((x >> 11) % n);
    }
    size_t bytes_of(held_block b) {
        return b.c != 0 ? w->of(b.c).size
                        : linn_arena_groups_bytes(linn_chunk_of(b.p), b.p);
    }
    // Plain accesses to the block: ThreadSanitizer judges the orders.
    void mark(held_block b) {
        uintptr_t *words = static_cast<uintptr_t *>(b.p);
        words[0] = reinterpret_cast<uintptr_t>(b.p);
        words[bytes_of(b) / sizeof *words - 1] = ~words[0];
    }
    void check(held_block b) {
        uintptr_t *words = static_cast<uintptr_t *>(b.p);
        uintptr_t last = words[bytes_of(b) / sizeof *words - 1];
        EXPECT_EQ(last, ~reinterpret_cast<uintptr_t>(b.p));
        EXPECT_EQ(words[0], ~last);
    }
    void step(size_t live_max) {
        uint32_t dice = below(64);
        if (dice == 0) {
            collected += linn_arena_collect(&w->arena, 8);
        } else if (dice == 1) {
            released += linn_arena_release_empty(&w->arena);
        } else if (held.size() < live_max && below(2) == 0) {
            uint32_t groups =
                dice < 6 && w->core.geometry.chunk_pages >= kGroup
                    ? 1 + below(w->core.geometry.chunk_pages / kGroup)
                    : 0;
            if (groups > 0) {
                void *p = w->take_groups(groups, below(4) == 0);
                if (p == nullptr) {
                    refused++;
                    return;
                }
                held.push_back({0, p});
                mark(held.back());
                taken++;
                return;
            }
            uint32_t c = 1 + below(w->core.geometry.classes);
            std::vector<void *> got = w->take(c, 1 + below(16));
            EXPECT_FALSE(got.empty());
            for (void *p : got) {
                held.push_back({c, p});
                mark(held.back());
            }
            taken += static_cast<long>(got.size());
        } else if (!held.empty()) {
            size_t at = below(held.size());
            held_block b = held[at];
            held[at] = held.back();
            held.pop_back();
            check(b);
            if (b.c == 0) {
                EXPECT_TRUE(w->give_groups(b.p));
                return;
            }
            std::vector<void *> batch = {b.p};
            for (size_t i = held.size(); i-- > 0 && batch.size() < 16;) {
                if (held[i].c != b.c) continue;
                check(held[i]);
                batch.push_back(held[i].p);
                held[i] = held.back();
                held.pop_back();
            }
            EXPECT_EQ(w->give(b.c, batch), batch.size());
        }
    }
    void give_all() {
        for (held_block b : held) {
            check(b);
            if (b.c == 0) {
                EXPECT_TRUE(w->give_groups(b.p));
            } else {
                EXPECT_EQ(w->give(b.c, {b.p}), 1u);
            }
        }
        held.clear();
    }
};

TEST(ArenaTest, ALongWalkKeepsTheInvariants) {
    long taken = 0;
    for (size_t order : {2u, 7u, 11u}) {
        auto w = std::make_unique<world>(4096, order);
        walker walk = {w.get(), 77 + order};
        for (int i = 0; i < kSteps / 3; i++) {
            walk.step(1000);
            if (i % 512 != 0) continue;
            ASSERT_TRUE(w->is_valid()) << i;
        }
        walk.give_all();
        ASSERT_TRUE(w->is_valid());
        std::printf(
            "order %zu: %ld taken, %ld refused, %ld pages collected, "
            "%ld chunks released\n",
            order, walk.taken, walk.refused, walk.collected, walk.released);
        taken += walk.taken;
        EXPECT_GE(walk.collected, 10);
        EXPECT_GE(walk.released, 10);
    }
    EXPECT_GE(taken, kSteps / 2);
}

TEST(ArenaTest, ThreadsShareAnArena) {
    constexpr int kThreads = 4;
    for (size_t order : {1u, 6u, 8u}) {
        auto w = std::make_unique<world>(4096, order);
        std::vector<walker> walkers;
        for (int t = 0; t < kThreads; t++) {
            walkers.push_back(
                {w.get(), static_cast<uint64_t>(t) * 977 + order + 1});
        }
        std::vector<std::thread> threads;
        for (walker &walk : walkers) {
            threads.emplace_back([&walk] {
                for (int i = 0; i < kRounds; i++) {
                    walk.step(60);
                }
            });
        }
        for (std::thread &t : threads) {
            t.join();
        }
        ASSERT_TRUE(w->is_valid());
        long taken = 0, collected = 0, released = 0;
        std::set<void *> distinct;
        size_t live = 0;
        for (walker &walk : walkers) {
            taken += walk.taken;
            collected += walk.collected;
            released += walk.released;
            live += walk.held.size();
            for (auto b : walk.held) {
                distinct.insert(b.p);
            }
        }
        EXPECT_EQ(distinct.size(), live) << "a block has two owners";
        for (walker &walk : walkers) {
            walk.give_all();
        }
        std::printf(
            "order %zu: %ld taken, %ld pages collected, %ld chunks "
            "released, %lu births\n",
            order, taken, collected, released,
            static_cast<unsigned long>(w->births()));
        EXPECT_GE(taken, kRounds);
        EXPECT_GE(released, 10);
    }
}

}  // namespace
