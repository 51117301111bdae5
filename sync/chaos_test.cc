#include "sync/chaos.h"

#include <cstdlib>
#include <set>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace {

// First in this file: the seed is drawn once.
TEST(ChaosTest, SeedComesFromTheEnvironmentAndIsPrintedOnce) {
    setenv("LINN_CHAOS_SEED", "12345", 1);
    testing::internal::CaptureStderr();
    linn_chaos_point();
    linn_chaos_point();
    std::thread([] { linn_chaos_point(); }).join();
    EXPECT_EQ(linn_chaos_seed(), 12345u);
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "LINN_CHAOS_SEED=12345\n");
}

TEST(ChaosTest, YieldsOneInSixteen) {
    constexpr uint64_t kPoints = 160000;
    uint64_t points = linn_chaos_points(), yields = linn_chaos_yields();
    for (uint64_t i = 0; i < kPoints; i++) {
        linn_chaos_point();
    }
    EXPECT_EQ(linn_chaos_points() - points, kPoints);
    uint64_t made = linn_chaos_yields() - yields;
    EXPECT_GT(made, kPoints / 16 * 9 / 10);
    EXPECT_LT(made, kPoints / 16 * 11 / 10);
}

// Threads that drew the same numbers would yield in step.
TEST(ChaosTest, ThreadsDifferFromEachOther) {
    std::set<uint64_t> figures;
    for (int t = 0; t < 8; t++) {
        std::thread([&] {
            uint64_t pattern = 0;
            for (int i = 0; i < 640; i++) {
                uint64_t before = linn_chaos_yields();
                linn_chaos_point();
                pattern = pattern * 3 + (linn_chaos_yields() - before);
            }
            figures.insert(pattern);
        }).join();
    }
    EXPECT_EQ(figures.size(), 8u);
}

}  // namespace
