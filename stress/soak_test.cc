#include <cstdlib>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "stress/run_test.h"

namespace {

std::string g_soak;

#ifdef LINN_SANITIZED
constexpr uint64_t kMany = 1000000;
const char kBrief[] = "20000";
#else
constexpr uint64_t kMany = 10000000;
const char kBrief[] = "200000";
#endif

Said Soak(std::vector<std::string> arguments, unsigned interrupt_ms = 0) {
    arguments.insert(arguments.begin(), g_soak);
    return RunProgram(arguments, interrupt_ms);
}

bool Has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

// What the closing line says.
struct Counts {
    uint64_t operations = 0, frees = 0, elsewhere = 0, canaries = 0,
             refused = 0, live = 1;
};

// The number behind `name`; one that nobody expects if there is none.
uint64_t NumberAfter(const std::string &text, const std::string &name) {
    size_t at = text.find(name);
    EXPECT_NE(at, std::string::npos) << name << " is not in: " << text;
    if (at == std::string::npos) return UINT64_MAX;
    return std::strtoull(text.c_str() + at + name.size(), nullptr, 10);
}

Counts CountsOf(const Said &said) {
    // The last lines; a rate may have been printed before them.
    size_t at = said.out.rfind("\noperations ");
    EXPECT_NE(at, std::string::npos) << said.out << said.err;
    Counts c;
    if (at == std::string::npos) return c;
    std::string line = said.out.substr(at);
    c.operations = NumberAfter(line, "operations ");
    c.frees = NumberAfter(line, "frees ");
    c.elsewhere = NumberAfter(line, "by another thread ");
    c.canaries = NumberAfter(line, "canaries ");
    c.refused = NumberAfter(line, "refused ");
    c.live = NumberAfter(line, "live at the end ");
    return c;
}

class SoakTest : public testing::TestWithParam<const char *> {};

// The third show: 64 threads, half of the frees by another thread.
TEST_P(SoakTest, SixtyFourThreadsLoseNothing) {
    Said said =
        Soak({"--variant", GetParam(), "--threads", "64", "--operations",
              std::to_string(kMany), "--workload", "hand-off", "--seed", "1"});
    EXPECT_EQ(said.status, 0) << said.out << said.err;
    Counts c = CountsOf(said);
    EXPECT_GE(c.operations, kMany);
    EXPECT_EQ(c.canaries, c.frees);
    EXPECT_GE(c.elsewhere * 100, c.frees * 40);
    EXPECT_EQ(c.refused, 0u);
    EXPECT_EQ(c.live, 0u);
    printf("%s: %s", GetParam(), said.out.c_str());
}

TEST_P(SoakTest, EveryWorkloadEndsWithNothingLive) {
    bool lock_free = std::string(GetParam()) == "lock-free";
    int ran = 0;
    for (const char *workload :
         {"mix", "hand-off", "ring", "larson", "churn", "pair", "gateway",
          "thread-churn", "trace", "fork-storm", "signal-storm"}) {
        bool storm = Has(workload, "storm");
        Said said = Soak({"--variant", GetParam(), "--workload", workload,
                          "--operations", kBrief, "--seed", "1"});
        if (storm && !lock_free) {
            EXPECT_EQ(said.status, 2) << workload;
            EXPECT_TRUE(Has(said.err, "lock-free variant")) << said.err;
            continue;
        }
        EXPECT_EQ(said.status, 0) << workload << said.out << said.err;
        Counts c = CountsOf(said);
        EXPECT_GE(c.operations, std::stoull(kBrief) / 2) << workload;
        EXPECT_EQ(c.live, 0u) << workload;
        ran++;
    }
    EXPECT_EQ(ran, lock_free ? 11 : 9);
}

TEST_P(SoakTest, RefusedMemoryLosesNothing) {
    // gateway needs chunks again and again; one request in two fails.
    Said said =
        Soak({"--variant", GetParam(), "--workload", "gateway", "--threads",
              "8", "--faults", "2", "--operations", kBrief, "--seed", "1"});
    EXPECT_EQ(said.status, 0) << said.out << said.err;
    EXPECT_EQ(CountsOf(said).live, 0u);
    uint64_t faults = NumberAfter(said.out, "(faults ");
    EXPECT_GE(faults, 1u);
    EXPECT_NE(faults, UINT64_MAX);
}

INSTANTIATE_TEST_SUITE_P(Variants, SoakTest,
                         testing::Values("lock-free", "locked"));

TEST(SoakTest, SaysSeedAndStopsWhenItIsTold) {
    Said said = Soak({"--workload", "mix"}, 1500);
    EXPECT_EQ(said.status, 0) << said.out << said.err;
    EXPECT_TRUE(Has(said.out, "seed ")) << said.out;
    EXPECT_EQ(CountsOf(said).live, 0u);
}

TEST(SoakTest, StopsAfterItsSeconds) {
    Said said = Soak({"--workload", "mix", "--seconds", "0.5"});
    EXPECT_EQ(said.status, 0) << said.out << said.err;
    EXPECT_GT(CountsOf(said).operations, 1000u);
}

TEST(SoakTest, BadOptionsAreNamed) {
    struct {
        std::vector<std::string> arguments;
        const char *names;
    } bad[] = {
        {{"--variant", "both"}, "both"},
        {{"--threads", "0"}, "threads"},
        {{"--threads", "many"}, "many"},
        {{"--workload", "no-such-load"}, "no-such-load"},
        {{"--workload", "trace", "--trace", "no-such-trace"}, "no-such-trace"},
        {{"--nonsense"}, "nonsense"},
    };
    for (auto &b : bad) {
        Said said = Soak(b.arguments);
        EXPECT_EQ(said.status, 2) << b.names << said.out;
        EXPECT_TRUE(Has(said.err, b.names)) << b.names << ": " << said.err;
    }
}

}  // namespace

int main(int argc, char **argv) {
    testing::InitGoogleTest(&argc, argv);
    if (argc != 2) {
        fprintf(stderr, "usage: soak_test SOAK\n");
        return 2;
    }
    char path[4096];
    g_soak = realpath(argv[1], path) ? path : argv[1];
    return RUN_ALL_TESTS();
}
