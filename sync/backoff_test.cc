#include "sync/backoff.h"

#include "gtest/gtest.h"
#include "sync/cacheline.h"

namespace {

TEST(BackoffTest, DoublesAndIsBounded) {
    struct linn_backoff b = LINN_BACKOFF_START;
    for (uint32_t expected = LINN_BACKOFF_FIRST; expected < LINN_BACKOFF_LIMIT;
         expected++) {
        EXPECT_EQ(b.shift, expected);
        linn_backoff_pause(&b);
    }
    for (int i = 0; i < 100; i++) {
        linn_backoff_pause(&b);
        EXPECT_EQ(b.shift, uint32_t{LINN_BACKOFF_LIMIT});
    }
}

TEST(CachelineTest, AlignedObjectsDoNotShareALine) {
    struct word {
        char c;
    } LINN_ALIGNED_LINE;
    struct word two[2];
    EXPECT_EQ(
        reinterpret_cast<char *>(&two[1]) - reinterpret_cast<char *>(&two[0]),
        LINN_CACHE_LINE);
}

}  // namespace
