#include <jansson.h>

#include <cstdlib>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "stress/run_test.h"

namespace {

std::string g_compare, g_planted;

Said Compare(std::vector<std::string> arguments, unsigned interrupt_ms = 0) {
    arguments.insert(arguments.begin(), g_compare);
    return RunProgram(arguments, interrupt_ms);
}

bool Has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

struct JsonFree {
    void operator()(json_t *j) const {
        json_decref(j);
    }
};
using Json = std::unique_ptr<json_t, JsonFree>;

Json Load(const std::string &path) {
    json_error_t error;
    Json j(json_load_file(path.c_str(), 0, &error));
    EXPECT_NE(j, nullptr) << error.text;
    return j;
}

std::string TempFile(const char *name) {
    return std::string(getenv("TEST_TMPDIR")) + "/" + name;
}

TEST(CompareTest, ListNamesWorkloadsTracesAndSubjects) {
    Said said = Compare({"--list"});
    EXPECT_EQ(said.status, 0) << said.err;
    for (const char *name :
         {"pair", "churn", "mix", "gateway", "ring", "hand-off", "larson",
          "thread-churn", "rsyslogd", "redis", "varnishd", "linn",
          "linn-locked", "glibc", "jemalloc", "mimalloc", "tcmalloc"}) {
        EXPECT_TRUE(Has(said.out, std::string("  ") + name)) << name;
    }
    EXPECT_FALSE(Has(said.out, "storm"));
}

TEST(CompareTest, HelpNamesEveryOption) {
    Said said = Compare({"--help"});
    EXPECT_EQ(said.status, 0);
    for (const char *option :
         {"--json", "--csv", "--workload", "--threads", "--seconds", "--full",
          "--list", "--check", "--subject", "--locks", "--repetitions",
          "--seed", "--quiet"}) {
        EXPECT_TRUE(Has(said.out, option)) << option;
    }
}

TEST(CompareTest, BadOptionsAreNamedAndNothingRuns) {
    struct {
        std::vector<std::string> arguments;
        const char *names;
    } bad[] = {
        {{"--no-such-thing"}, "no-such-thing"},
        {{"--seconds", "soon"}, "soon"},
        {{"--seconds", "-1"}, "-1"},
        {{"--threads", "2,0"}, "\"0\""},
        {{"--repetitions", "0"}, "repetitions"},
        {{"--locks", "some"}, "some"},
        {{"--workload", "no-such-load"}, "no-such-load"},
        {{"--workload", "fork-storm"}, "fork-storm"},
        {{"--subject", "no-such-malloc"}, "no-such-malloc"},
        {{"--subject", "x=/no/such/file.so"}, "/no/such/file.so"},
        {{"--subject", "x=/proc/self/status"}, "/proc/self/status"},
        {{"stray"}, "stray"},
    };
    for (auto &b : bad) {
        Said said = Compare(b.arguments);
        EXPECT_EQ(said.status, 2) << b.names;
        EXPECT_TRUE(Has(said.err, b.names)) << b.names << ": " << said.err;
        EXPECT_FALSE(Has(said.out, "ns/op")) << b.names;
    }
}

// Two cells (and one for latency each, and one that counts): the table, the
// JSON and the CSV agree.
TEST(CompareTest, MeasuresAndWritesFiles) {
    std::string json = TempFile("a.json"), csv = TempFile("a.csv");
    Said said = Compare({"--workload", "mix", "--subject", "linn", "--subject",
                         "glibc", "--seconds", "0.2", "--repetitions", "2",
                         "--json", json, "--csv", csv});
    ASSERT_EQ(said.status, 0) << said.out << said.err;
    EXPECT_TRUE(Has(said.out, "mix, 2 threads")) << said.out;
    EXPECT_TRUE(Has(said.out, "ns/op")) << said.out;
    EXPECT_EQ(said.err, "") << "progress in a pipe";

    Json all = Load(json);
    ASSERT_NE(all, nullptr);
    json_t *machine = json_object_get(all.get(), "machine");
    EXPECT_GE(json_integer_value(json_object_get(machine, "cores")), 1);
    EXPECT_NE(json_string_value(json_object_get(machine, "cpu")), nullptr);
    json_t *cells = json_object_get(all.get(), "cells");
    ASSERT_EQ(json_array_size(cells), 2u);
    for (size_t i = 0; i < 2; i++) {
        json_t *cell = json_array_get(cells, i);
        std::string subject =
            json_string_value(json_object_get(cell, "subject"));
        json_t *ns = json_object_get(cell, "ns_per_operation");
        EXPECT_GT(json_real_value(json_object_get(ns, "median")), 0) << subject;
        EXPECT_EQ(json_array_size(json_object_get(ns, "samples")), 2u);
        json_t *latency = json_object_get(cell, "latency_ns");
        json_t *call = json_object_get(latency, "call");
        double p50 = json_real_value(json_object_get(call, "p50"));
        double p99 = json_real_value(json_object_get(call, "p99"));
        double max = json_real_value(json_object_get(call, "max"));
        EXPECT_GT(p50, 0);
        EXPECT_LE(p50, p99);
        EXPECT_LE(p99, max);
        EXPECT_GT(json_real_value(json_object_get(
                      json_object_get(cell, "peak_rss_bytes"), "median")),
                  1e6);
        if (subject == "linn") {
            json_t *locked = json_object_get(cell, "locked_per_operation");
            ASSERT_NE(locked, nullptr) << "the counting pass counted nothing";
            EXPECT_GT(json_real_value(locked), 0);
            EXPECT_LT(json_real_value(locked), 100);
        } else {
            EXPECT_EQ(json_object_get(cell, "locked_per_operation"), nullptr);
            double ratio =
                json_real_value(json_object_get(cell, "ratio_to_best_peer"));
            EXPECT_DOUBLE_EQ(ratio, 1);
        }
    }
    FILE *f = fopen(csv.c_str(), "r");
    ASSERT_NE(f, nullptr);
    char line[4096];
    int lines = 0, commas[2] = {0, 0};
    while (fgets(line, sizeof line, f) != nullptr) {
        lines++;
        int count = 0;
        for (const char *c = line; *c != 0; c++) {
            count += *c == ',';
        }
        if (lines == 2) commas[0] = count;
        if (lines > 2) {
            EXPECT_EQ(count, commas[0]) << line;
            commas[1]++;
        }
    }
    fclose(f);
    EXPECT_EQ(commas[1], 2);
}

TEST(CompareTest, FilesGoToTheCallersFolder) {
    setenv("BUILD_WORKING_DIRECTORY", getenv("TEST_TMPDIR"), 1);
    Said said = Compare({"--workload", "pair", "--threads", "1", "--subject",
                         "glibc", "--seconds", "0.05", "--repetitions", "1",
                         "--json", "relative.json"});
    unsetenv("BUILD_WORKING_DIRECTORY");
    ASSERT_EQ(said.status, 0) << said.err;
    EXPECT_NE(Load(TempFile("relative.json")), nullptr);
}

TEST(CompareTest, ReplaysATraceWithCanaries) {
    Said said = Compare({"--workload", "rsyslogd", "--subject", "linn",
                         "--subject", "linn-locked", "--seconds", "0.3",
                         "--repetitions", "1", "--check"});
    EXPECT_EQ(said.status, 0) << said.out << said.err;
    EXPECT_TRUE(Has(said.out, "trace rsyslogd, 7 threads")) << said.out;
    EXPECT_TRUE(Has(said.out, "canaries on")) << said.out;
}

TEST(CompareTest, EachLockIsAVariant) {
    Said said =
        Compare({"--workload", "churn", "--subject", "linn-locked",
                 "--locks=all", "--seconds", "0.05", "--repetitions", "1"});
    EXPECT_EQ(said.status, 0) << said.out << said.err;
    for (const char *name : {"linn-locked", "linn-fas", "linn-ticket",
                             "linn-mcs", "linn-clh", "linn-rwlock"}) {
        EXPECT_TRUE(Has(said.out, name)) << name;
    }
    EXPECT_FALSE(Has(said.out, "failed")) << said.out;
}

TEST(CompareTest, APlantedOverlapIsCaught) {
    Said said = Compare({"--subject", "planted=" + g_planted, "--subject",
                         "planted", "--workload", "mix", "--check", "--seconds",
                         "0.3", "--repetitions", "1"});
    EXPECT_EQ(said.status, 3) << said.out << said.err;
    for (const char *part : {"canary is broken", "subject  planted", "seed 1",
                             "held by  thread", "written by  thread"}) {
        EXPECT_TRUE(Has(said.err, part)) << part << ": " << said.err;
    }
    EXPECT_TRUE(std::regex_search(
        said.out, std::regex("failed: .*stress: canary is broken")))
        << said.out;
}

TEST(CompareTest, AnInterruptPrintsWhatIsDone) {
    Said said = Compare({"--workload", "pair", "--threads", "1", "--subject",
                         "glibc", "--seconds", "0.1", "--repetitions", "50"},
                        3000);
    EXPECT_EQ(said.status, 130) << said.err;
    EXPECT_TRUE(Has(said.out, "INTERRUPTED after")) << said.out;
    EXPECT_TRUE(Has(said.out, "ns/op")) << said.out;
}

}  // namespace

int main(int argc, char **argv) {
    testing::InitGoogleTest(&argc, argv);
    if (argc != 3) {
        fprintf(stderr, "usage: compare_test COMPARE PLANTED\n");
        return 2;
    }
    char path[4096];
    g_compare = realpath(argv[1], path) ? path : argv[1];
    g_planted = realpath(argv[2], path) ? path : argv[2];
    return RUN_ALL_TESTS();
}
