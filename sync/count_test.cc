// Built with LINN_COUNT in every configuration: the words of this file count, and
// they count for this layer.
#define SYNC_LAYER LINN_COUNT_HUGE
#include "sync/count.h"

#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "sync/atomic.h"

#if !LINN_COUNT
#error "sync/BUILD says -DLINN_COUNT=1"
#endif

namespace {

struct linn_count read(enum linn_count_layer layer) {
    struct linn_count c;
    linn_count_read(layer, &c);
    return c;
}

TEST(CountTest, CountsByLayerAndKind) {
    alignas(64) int word = 0;
    linn_count_reset();
    linn_count_access(LINN_COUNT_CHUNK, SYNC_LOAD, &word);
    linn_count_access(LINN_COUNT_CHUNK, SYNC_LOAD, &word);
    linn_count_access(LINN_COUNT_CHUNK, SYNC_STORE, &word);
    linn_count_access(LINN_COUNT_CHUNK, SYNC_RMW, &word);
    linn_count_access(LINN_COUNT_CHUNK, SYNC_RMW_FAILED, &word);
    linn_count_access(LINN_COUNT_HUGE, SYNC_RMW, &word);
    struct linn_count c = read(LINN_COUNT_CHUNK);
    EXPECT_EQ(c.loads, 2u);
    EXPECT_EQ(c.stores, 1u);
    EXPECT_EQ(c.rmws, 1u);
    EXPECT_EQ(c.failed, 1u);
    EXPECT_EQ(c.line_moves, 0u);
    EXPECT_EQ(read(LINN_COUNT_HUGE).rmws, 1u);
    EXPECT_EQ(read(LINN_COUNT_SUBPAGE).rmws, 0u);
}

TEST(CountTest, AWriteByAnotherThreadMovesTheLine) {
    alignas(64) char line[128];
    linn_count_reset();
    auto write = [&](int offset) {
        linn_count_access(LINN_COUNT_ARENA, SYNC_RMW, &line[offset]);
    };
    write(0);
    write(8);  // the same line, the same thread
    EXPECT_EQ(read(LINN_COUNT_ARENA).line_moves, 0u);
    std::thread([&] {
        write(16);  // moves
        write(24);
        linn_count_access(LINN_COUNT_ARENA, SYNC_LOAD, &line[64]);
    }).join();
    EXPECT_EQ(read(LINN_COUNT_ARENA).line_moves, 1u);
    write(0);   // moves back
    write(64);  // a line that only loads have seen
    EXPECT_EQ(read(LINN_COUNT_ARENA).line_moves, 2u);
}

// From here on the hook is called by the words themselves.

// Runs f in a thread of its own.
template <typename F>
void Elsewhere(F f) {
    std::thread(f).join();
}

TEST(CountTest, WordsCountThemselves) {
    sync_u64 w = {0};
    linn_count_reset();
    sync_u64_load_relaxed(&w);
    sync_u64_store_relaxed(&w, 1);
    sync_u64_fetch_add_relaxed(&w, 1);
    uint64_t seen = 2;
    EXPECT_TRUE(sync_u64_cas_acq_rel_relaxed(&w, &seen, 3));
    struct linn_count c = read(LINN_COUNT_HUGE);
    EXPECT_EQ(c.loads, 1u);
    EXPECT_EQ(c.stores, 1u);
    EXPECT_EQ(c.rmws, 2u);
    EXPECT_EQ(c.failed, 0u);
    EXPECT_EQ(c.line_moves, 0u);
    EXPECT_EQ(read(LINN_COUNT_OTHER).rmws, 0u);
}

// Another thread is faster between the load and the compare-and-swap.
TEST(CountTest, ALostCompareAndSwapIsCounted) {
    alignas(128) static sync_u64 w;
    linn_count_reset();
    uint64_t seen = sync_u64_load_relaxed(&w);
    Elsewhere([] {
        uint64_t seen_there = sync_u64_load_relaxed(&w);
        EXPECT_TRUE(sync_u64_cas_acq_rel_relaxed(&w, &seen_there, 5));
    });
    EXPECT_FALSE(sync_u64_cas_acq_rel_relaxed(&w, &seen, 6));
    EXPECT_EQ(seen, 5u);
    EXPECT_EQ(read(LINN_COUNT_HUGE).failed, 1u);
    EXPECT_TRUE(sync_u64_cas_acq_rel_relaxed(&w, &seen, 6));
    struct linn_count c = read(LINN_COUNT_HUGE);
    EXPECT_EQ(c.rmws, 3u);
    EXPECT_EQ(c.failed, 1u);
    // There, and back with the first try here, though it failed: it took the line.
    EXPECT_EQ(c.line_moves, 1u);
}

TEST(CountTest, ALostCompareAndSwapOfAPairIsCounted) {
    static sync_pair w;
    linn_count_reset();
    sync_pair_value seen = sync_pair_load_relaxed(&w);
    Elsewhere([] {
        sync_pair_value seen_there = sync_pair_load_relaxed(&w);
        EXPECT_TRUE(sync_pair_cas_acq_rel_acquire(
            &w, &seen_there, {seen_there.low, seen_there.high + 1}));
    });
    EXPECT_FALSE(sync_pair_cas_acq_rel_acquire(&w, &seen, {7, 7}));
    EXPECT_EQ(read(LINN_COUNT_HUGE).failed, 1u);
    EXPECT_TRUE(sync_pair_cas_acq_rel_acquire(&w, &seen, {7, 7}));
    EXPECT_EQ(read(LINN_COUNT_HUGE).rmws, 3u);
    EXPECT_EQ(read(LINN_COUNT_HUGE).failed, 1u);
}

TEST(CountTest, AWordMovesItsLineBetweenThreads) {
    alignas(128) static sync_u32 w, neighbour;
    linn_count_reset();
    sync_u32_store_relaxed(&w, 1);
    Elsewhere([] { sync_u32_load_relaxed(&w); });  // shares the line
    EXPECT_EQ(read(LINN_COUNT_HUGE).line_moves, 0u);
    Elsewhere([] { sync_u32_store_release(&w, 2); });
    EXPECT_EQ(read(LINN_COUNT_HUGE).line_moves, 1u);
    sync_u32_fetch_add_relaxed(&w, 1);
    sync_u32_fetch_add_relaxed(&w, 1);
    EXPECT_EQ(read(LINN_COUNT_HUGE).line_moves, 2u);
    Elsewhere([] { sync_u32_exchange_acquire(&neighbour, 1); });
    Elsewhere([] { sync_u32_exchange_acquire(&neighbour, 2); });
    EXPECT_EQ(read(LINN_COUNT_HUGE).line_moves, 3u);
}

TEST(CountTest, EveryLayerHasAName) {
    for (int layer = 0; layer < LINN_COUNT_LAYERS; layer++) {
        auto l = static_cast<enum linn_count_layer>(layer);
        EXPECT_NE(std::string(linn_count_layer_name(l)), "") << layer;
    }
}

}  // namespace
