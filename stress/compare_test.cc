#include <jansson.h>

#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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
          "--seed", "--quiet", "--plan"}) {
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
                         "--json", "relative.json", "--csv", "relative.csv"});
    unsetenv("BUILD_WORKING_DIRECTORY");
    ASSERT_EQ(said.status, 0) << said.err;
    EXPECT_NE(Load(TempFile("relative.json")), nullptr);
    std::ifstream csv(TempFile("relative.csv"));
    std::string line, first;
    int lines = 0;
    while (std::getline(csv, line)) {
        if (lines++ == 1) first = line;
    }
    EXPECT_EQ(lines, 3);  // the machine, the columns, one cell
    EXPECT_TRUE(Has(first, "workload,threads,subject")) << first;
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

// ---- What it says while it works ----

const std::vector<std::string> kFourCells = {
    "--workload", "pair", "--threads",     "1", "--subject", "glibc",
    "--seconds",  "0.05", "--repetitions", "3"};

std::vector<std::string> With(std::vector<std::string> arguments,
                              const char *more) {
    arguments.insert(arguments.begin(), more);
    return arguments;
}

Said CompareOnTerminal(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), g_compare);
    return RunOnTerminal(arguments);
}

TEST(CompareTest, ATerminalShowsProgressAndTheTimeLeft) {
    Said said = CompareOnTerminal(kFourCells);
    ASSERT_EQ(said.status, 0) << said.err;
    std::regex line(
        "\r\033\\[K([0-9]+)/4  glibc pair, 1 threads  "
        "about ([0-9]+) s left");
    int lines = 0, left_before = 1000;
    for (std::sregex_iterator i(said.err.begin(), said.err.end(), line), end;
         i != end; ++i) {
        EXPECT_EQ(std::stoi((*i)[1]), ++lines) << said.err;
        int left = std::stoi((*i)[2]);
        EXPECT_LE(left, left_before);
        EXPECT_GE(left, 1);
        left_before = left;
    }
    EXPECT_EQ(lines, 4) << said.err;
    // The line is gone in the end.
    ASSERT_GE(said.err.size(), 4u);
    EXPECT_EQ(said.err.substr(said.err.size() - 4), "\r\033[K");
}

TEST(CompareTest, IsSilentInAPipeAndWhenAskedToBe) {
    EXPECT_EQ(Compare(kFourCells).err, "");
    Said said = CompareOnTerminal(With(kFourCells, "--quiet"));
    EXPECT_EQ(said.status, 0);
    EXPECT_EQ(said.err, "");
}

TEST(CompareTest, FullSaysBeforehandHowLong) {
    Said said = Compare(With(kFourCells, "--full"));
    EXPECT_EQ(said.status, 0) << said.err;
    EXPECT_EQ(said.err, "compare: 4 cells, about 1 minutes\n");
}

// ---- The plan ----

struct Planned {
    int cells = 0, seconds = 0;
};

Planned Plan(std::vector<std::string> arguments) {
    Said said = Compare(With(arguments, "--plan"));
    EXPECT_EQ(said.status, 0) << said.err;
    EXPECT_EQ(said.err, "");
    Planned p;
    std::smatch m;
    bool good = std::regex_match(
        said.out, m, std::regex("([0-9]+) cells, about ([0-9]+) s\n"));
    EXPECT_TRUE(good) << said.out;
    if (good) p = {std::stoi(m[1]), std::stoi(m[2])};
    return p;
}

TEST(CompareTest, ADefaultRunIsPlannedToEndWithinTwoMinutes) {
    Planned all = Plan({});
    // Two traces and three loads; linn, linn-locked and glibc are always there:
    // three rounds, a cell for latencies, and one that counts.
    EXPECT_GE(all.cells, 5 * (3 * 3 + 3 + 1));
    EXPECT_LE(all.seconds, 120);
    EXPECT_GE(all.seconds, 60);  // or cells are shorter than they may be
    EXPECT_LE(Plan({"--subject", "linn"}).seconds, 120);
}

TEST(CompareTest, ThePlanIsTheSumOfItsCells) {
    // Two rounds of 1 s; 0.3 s for latencies; to each 0.1 s of warm-up and 0.06 s.
    Planned p = Plan({"--workload", "pair", "--subject", "glibc", "--seconds",
                      "1", "--repetitions", "2"});
    EXPECT_EQ(p.cells, 3);
    EXPECT_EQ(p.seconds, std::ceil(2 * 1.16 + 0.46));
    Planned full = Plan({"--full"});
    EXPECT_GT(full.cells, 5 * 7 * 3);
    EXPECT_GT(full.seconds, 120);
}

// ---- Peers ----

#ifndef LINN_SANITIZED  // beside a sanitizer there are no peers

// A folder that the loader searches first.
struct Folder {
    explicit Folder(const char *name) : path(TempFile(name)) {
        std::filesystem::create_directories(path);
        setenv("LD_LIBRARY_PATH", path.c_str(), 1);
    }
    ~Folder() {
        unsetenv("LD_LIBRARY_PATH");
    }
    void Empty(const std::string &soname) {
        std::ofstream(path + "/" + soname);
    }
    void Working(const std::string &soname) {
        std::filesystem::copy_file(
            g_planted, path + "/" + soname,
            std::filesystem::copy_options::overwrite_existing);
    }
    std::string path;
};

TEST(CompareTest, AMissingPeerIsAVisibleGap) {
    Folder folder("missing");
    for (const char *soname :
         {"libjemalloc.so.2", "libmimalloc.so.2", "libmimalloc.so.3",
          "libtcmalloc_minimal.so.4"}) {
        folder.Empty(soname);
    }
    std::string csv = TempFile("missing.csv"), json = TempFile("missing.json");
    Said said = Compare({"--workload", "pair",     "--threads",     "1",
                         "--subject",  "glibc",    "--subject",     "jemalloc",
                         "--subject",  "mimalloc", "--subject",     "tcmalloc",
                         "--seconds",  "0.05",     "--repetitions", "1",
                         "--csv",      csv,        "--json",        json});
    EXPECT_EQ(said.status, 0) << said.out << said.err;
    for (const char *row :
         {"  jemalloc       missing: no libjemalloc.so.2 ",
          "  mimalloc       missing: no libmimalloc.so.3 or libmimalloc.so.2 ",
          "  tcmalloc       missing: no libtcmalloc_minimal.so.4 "}) {
        EXPECT_TRUE(Has(said.out, row)) << row << "\n" << said.out;
    }
    // The packages of both suites.
    for (const char *package :
         {"libjemalloc2", "libmimalloc3", "libmimalloc2.0",
          "libtcmalloc-minimal4t64", "libtcmalloc-minimal4 "}) {
        EXPECT_TRUE(Has(said.out, package)) << package << "\n" << said.out;
    }
    std::ifstream file(csv);
    std::string line;
    int missing = 0;
    while (std::getline(file, line)) {
        missing += std::regex_search(line, std::regex("malloc,.*,missing$"));
    }
    EXPECT_EQ(missing, 3);
    Json all = Load(json);
    json_t *cells = json_object_get(all.get(), "cells");
    ASSERT_EQ(json_array_size(cells), 4u);
    EXPECT_NE(json_object_get(json_array_get(cells, 1), "missing"), nullptr);
}

TEST(CompareTest, MimallocIsOneRowOfWhicheverVersionIsThere) {
    for (const char *soname : {"libmimalloc.so.2", "libmimalloc.so.3"}) {
        Folder folder(soname);
        folder.Empty("libmimalloc.so.2");
        folder.Empty("libmimalloc.so.3");
        folder.Working(soname);
        Said said = Compare({"--list"});
        EXPECT_TRUE(std::regex_search(
            said.out, std::regex(std::string("  mimalloc +") + soname + "\n")))
            << said.out;
        EXPECT_FALSE(Has(said.out, "mimalloc3 ")) << said.out;
    }
}

#endif

// ---- Interrupted before the first cell ----

// A trace that never comes: compare waits for it when it is interrupted.
TEST(CompareTest, AnInterruptWhileTracesAreLoadedPrintsTheTable) {
    std::string top = TempFile("loading");
    std::string tree = top + "/compare.runfiles/linn/stress";
    std::filesystem::create_directories(tree + "/traces");
    std::filesystem::copy_file(g_compare, top + "/compare");
    std::filesystem::create_symlink(
        std::filesystem::path(g_compare).replace_filename("cell_peer"),
        tree + "/cell_peer");
    ASSERT_EQ(mkfifo((tree + "/traces/slow.trace.xz").c_str(), 0600), 0);
    Said said = RunAndInterruptWhenCaught(
        {top + "/compare", "--workload", "slow", "--subject", "glibc"});
    EXPECT_EQ(said.status, 130) << said.err;
    EXPECT_TRUE(Has(said.out, "INTERRUPTED after 0 of 4 cells")) << said.out;
    EXPECT_TRUE(Has(said.out, "trace slow")) << said.out;
    EXPECT_TRUE(Has(said.out, "glibc          not measured")) << said.out;
    EXPECT_EQ(said.err, "");
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
