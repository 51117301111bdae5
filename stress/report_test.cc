#include "stress/report.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace {

std::string Written(const stress_outcome &outcome) {
    char *text = nullptr;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    stress_report_write(to, &outcome);
    fclose(to);
    std::string result(text, size);
    free(text);
    return result;
}

std::unique_ptr<stress_outcome> Sample() {
    auto o = std::make_unique<stress_outcome>();
    o->lanes = 7;
    o->operations = UINT64_C(123456789012345);
    o->wall_seconds = 0.75;
    o->cpu_seconds = 1.5;
    o->wait_seconds = 0.25;
    o->ticks_per_ns = 2.5;
    o->allocations = 10;
    o->frees = 10;
    o->checks = 3;
    o->peak_rss_bytes = UINT64_C(1) << 40;
    o->has_counters = true;
    o->counters_after.counted = true;
    o->counters_after.read_modify_writes = 99;
    o->counters_final.live_blocks = 2;
    for (uint64_t v = 0; v < 5000; v += 7) {
        stress_histogram_add(&o->alloc_ticks, v);
        stress_histogram_add(&o->free_ticks, v * v);
    }
    return o;
}

TEST(ReportTest, ReadsWhatItWrote) {
    auto o = Sample();
    auto back = std::make_unique<stress_outcome>();
    char error[256];
    ASSERT_TRUE(stress_report_read(Written(*o).c_str(), back.get(), error,
                                   sizeof error))
        << error;
    EXPECT_EQ(back->lanes, 7u);
    EXPECT_EQ(back->operations, o->operations);
    EXPECT_DOUBLE_EQ(back->wall_seconds, 0.75);
    EXPECT_DOUBLE_EQ(back->ticks_per_ns, 2.5);
    EXPECT_EQ(back->peak_rss_bytes, o->peak_rss_bytes);
    EXPECT_TRUE(back->has_counters);
    EXPECT_TRUE(back->counters_after.counted);
    EXPECT_EQ(back->counters_after.read_modify_writes, 99u);
    EXPECT_EQ(back->counters_final.live_blocks, 2u);
    EXPECT_EQ(
        memcmp(&back->alloc_ticks, &o->alloc_ticks, sizeof o->alloc_ticks), 0);
    EXPECT_EQ(memcmp(&back->free_ticks, &o->free_ticks, sizeof o->free_ticks),
              0);
}

// A cell that died halfway must not pass for one that measured.
TEST(ReportTest, EveryCutIsSeen) {
    std::string text = Written(*Sample());
    auto back = std::make_unique<stress_outcome>();
    char error[256];
    for (size_t length = 0; length < text.size(); length++) {
        ASSERT_FALSE(stress_report_read(text.substr(0, length).c_str(),
                                        back.get(), error, sizeof error))
            << length;
    }
}

TEST(ReportTest, StrangeLinesAreNamed) {
    std::string text = Written(*Sample());
    auto back = std::make_unique<stress_outcome>();
    char error[256];
    EXPECT_FALSE(stress_report_read(("strange 1\n" + text).c_str(), back.get(),
                                    error, sizeof error));
    EXPECT_NE(std::string(error).find("strange 1"), std::string::npos) << error;
    EXPECT_FALSE(stress_report_read(("alloc_ticks 999999 1\n" + text).c_str(),
                                    back.get(), error, sizeof error));
    EXPECT_FALSE(stress_report_read((text + "more 1\n").c_str(), back.get(),
                                    error, sizeof error));
}

}  // namespace
