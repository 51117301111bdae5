#include "stress/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "stress/histogram.h"

namespace {

TEST(StatisticsTest, MedianAndSpreadOfThree) {
    double values[] = {30, 10, 20};
    stress_summary s = stress_summary_of(values, 3);
    EXPECT_EQ(s.count, 3u);
    EXPECT_DOUBLE_EQ(s.median, 20);
    EXPECT_DOUBLE_EQ(s.smallest, 10);
    EXPECT_DOUBLE_EQ(s.largest, 30);
    EXPECT_DOUBLE_EQ(s.spread, 0.5);
}

TEST(StatisticsTest, OneDisturbedRepetitionMovesNoMedian) {
    double values[] = {11, 10, 10000};
    EXPECT_DOUBLE_EQ(stress_summary_of(values, 3).median, 11);
}

TEST(StatisticsTest, AnEvenCountTakesTheMiddle) {
    double values[] = {4, 1, 3, 2};
    EXPECT_DOUBLE_EQ(stress_summary_of(values, 4).median, 2.5);
}

TEST(StatisticsTest, OneValueHasNoSpreadAndNoneIsZero) {
    double value = 7;
    EXPECT_DOUBLE_EQ(stress_summary_of(&value, 1).median, 7);
    EXPECT_DOUBLE_EQ(stress_summary_of(&value, 1).spread, 0);
    EXPECT_EQ(stress_summary_of(nullptr, 0).count, 0u);
    EXPECT_DOUBLE_EQ(stress_summary_of(nullptr, 0).median, 0);
}

TEST(HistogramTest, BucketsFollowOneAnotherWithoutGap) {
    // Each bucket begins where the one before it ended.
    for (uint32_t b = 0; b + 1 < STRESS_HISTOGRAM_BUCKETS; b++) {
        uint64_t end = stress_histogram_bucket_end(b);
        ASSERT_EQ(stress_histogram_bucket_of(end), b);
        ASSERT_EQ(stress_histogram_bucket_of(end + 1), b + 1);
    }
    EXPECT_EQ(stress_histogram_bucket_of(UINT64_MAX),
              uint32_t{STRESS_HISTOGRAM_BUCKETS - 1});
    EXPECT_EQ(stress_histogram_bucket_end(STRESS_HISTOGRAM_BUCKETS - 1),
              UINT64_MAX);
}

TEST(HistogramTest, ABucketIsAtMostAThirtySecondWide) {
    for (uint32_t b = 1; b < STRESS_HISTOGRAM_BUCKETS; b++) {
        uint64_t begin = stress_histogram_bucket_end(b - 1) + 1;
        uint64_t width = stress_histogram_bucket_end(b) - begin;
        ASSERT_LE(width, begin / 32) << b;
    }
}

TEST(HistogramTest, SmallValuesAreExact) {
    auto h = std::make_unique<stress_histogram>();
    for (uint64_t v = 1; v <= 60; v++) {
        stress_histogram_add(h.get(), v);
    }
    EXPECT_EQ(stress_histogram_percentile(h.get(), 0.5), 30u);
    EXPECT_EQ(stress_histogram_percentile(h.get(), 0.0), 1u);
    EXPECT_EQ(stress_histogram_percentile(h.get(), 1.0), 60u);
    EXPECT_EQ(h->count, 60u);
    EXPECT_EQ(h->largest, 60u);
}

TEST(HistogramTest, EmptyIsZero) {
    auto h = std::make_unique<stress_histogram>();
    EXPECT_EQ(stress_histogram_percentile(h.get(), 0.99), 0u);
}

TEST(HistogramTest, PercentilesAreWithinABucketOfTheSortedValues) {
    std::mt19937_64 random(1);
    std::lognormal_distribution<double> law(5, 2);
    auto h = std::make_unique<stress_histogram>();
    std::vector<uint64_t> values;
    for (int i = 0; i < 100000; i++) {
        values.push_back(static_cast<uint64_t>(law(random)));
        stress_histogram_add(h.get(), values.back());
    }
    std::sort(values.begin(), values.end());
    for (double share : {0.5, 0.9, 0.99, 0.999, 0.9999}) {
        size_t rank = static_cast<size_t>(
            std::ceil(share * static_cast<double>(values.size())));
        uint64_t truth = values[rank - 1];
        uint64_t said = stress_histogram_percentile(h.get(), share);
        EXPECT_GE(said, truth) << share;
        EXPECT_LE(said, truth + truth / 32) << share;
    }
    EXPECT_EQ(stress_histogram_percentile(h.get(), 1), values.back());
}

TEST(HistogramTest, MergingIsAddingAll) {
    auto a = std::make_unique<stress_histogram>();
    auto b = std::make_unique<stress_histogram>();
    auto both = std::make_unique<stress_histogram>();
    for (uint64_t v = 0; v < 1000; v++) {
        stress_histogram_add(v % 3 ? a.get() : b.get(), v * v);
        stress_histogram_add(both.get(), v * v);
    }
    stress_histogram_merge(a.get(), b.get());
    EXPECT_EQ(a->count, both->count);
    EXPECT_EQ(a->largest, both->largest);
    for (int i = 0; i < STRESS_HISTOGRAM_BUCKETS; i++) {
        ASSERT_EQ(a->bucket[i], both->bucket[i]) << i;
    }
}

}  // namespace
