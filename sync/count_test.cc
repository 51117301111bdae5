#include "sync/count.h"

#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "sync/atomic.h"

// Declared by sync/atomic.h only in a build that counts.
extern "C" void linn_count_access(int layer, enum sync_kind kind,
                                  const void *address);

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

#if LINN_COUNT
// The hook is called by the words themselves.
TEST(CountTest, WordsCountThemselves) {
    sync_u64 w = {0};
    uint64_t seen = 7;
    linn_count_reset();
    sync_u64_load_relaxed(&w);
    sync_u64_store_relaxed(&w, 1);
    EXPECT_FALSE(sync_u64_cas_relaxed_relaxed(&w, &seen, 9));
    sync_u64_fetch_add_relaxed(&w, 1);
    struct linn_count c = read(LINN_COUNT_OTHER);
    EXPECT_EQ(c.loads, 1u);
    EXPECT_EQ(c.stores, 1u);
    EXPECT_EQ(c.rmws, 2u);
    EXPECT_EQ(c.failed, 1u);
}
#endif

TEST(CountTest, EveryLayerHasAName) {
    for (int layer = 0; layer < LINN_COUNT_LAYERS; layer++) {
        auto l = static_cast<enum linn_count_layer>(layer);
        EXPECT_NE(std::string(linn_count_layer_name(l)), "") << layer;
    }
}

}  // namespace
