// The committed traces: each loads (so its events are in order and add up to
// its header), is what traces.tsv says it is, and is worth replaying.
// Argument: traces.tsv, which lies beside the traces.

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "stress/trace/trace.h"

namespace {

// What issue and README promise.
constexpr size_t kTraces = 6;
constexpr size_t kTracesOfAMillion = 6;
constexpr size_t kTracesWithCrossThreadFrees = 3;
constexpr double kCrossThreadShare = 0.10;
constexpr uint64_t kLoopBytesPerMillion = 20 * 1024;
constexpr uint64_t kBytesInAll = 5 << 20;

std::string table_path, folder;

using Row = std::map<std::string, std::string>;

std::vector<std::string> Fields(const std::string &line) {
    std::vector<std::string> out;
    std::istringstream in(line);
    for (std::string field; std::getline(in, field, '\t');)
        out.push_back(field);
    return out;
}

std::vector<Row> Table() {
    std::vector<Row> rows;
    std::ifstream in(table_path);
    std::string line;
    EXPECT_TRUE(std::getline(in, line)) << table_path;
    std::vector<std::string> names = Fields(line);
    while (std::getline(in, line)) {
        std::vector<std::string> fields = Fields(line);
        EXPECT_EQ(names.size(), fields.size()) << line;
        Row row;
        for (size_t i = 0; i < fields.size() && i < names.size(); i++)
            row[names[i]] = fields[i];
        rows.push_back(row);
    }
    return rows;
}

std::string PathOf(const Row &row) {
    return folder + "/" + row.at("name") + ".trace.xz";
}

using TracePtr = std::unique_ptr<trace, decltype(&trace_free)>;

TracePtr Load(const Row &row) {
    char error[512] = "";
    struct trace *t = nullptr;
    EXPECT_EQ(0, trace_load(PathOf(row).c_str(), &t, error, sizeof error))
        << error;
    return TracePtr(t, trace_free);
}

TEST(Traces, AreWhatTheTableSays) {
    std::vector<Row> table = Table();
    EXPECT_GE(table.size(), kTraces);
    uint64_t bytes_in_all = 0;
    size_t cross = 0, million = 0;
    for (const Row &row : table) {
        SCOPED_TRACE(row.at("name"));
        TracePtr t = Load(row);
        ASSERT_NE(nullptr, t);
        trace_totals a = trace_totals_of(t.get());
        const std::pair<const char *, uint64_t> wanted[] = {
            {"events", a.events},
            {"threads", a.threads},
            {"blocks", a.blocks},
            {"frees", a.frees},
            {"cross_thread_frees", a.cross_thread_frees},
            {"peak_live_bytes", a.peak_live_bytes},
            {"peak_live_blocks", a.peak_live_blocks},
        };
        for (auto &w : wanted)
            EXPECT_EQ(row.at(w.first), std::to_string(w.second)) << w.first;
        struct stat s;
        ASSERT_EQ(0, stat(PathOf(row).c_str(), &s));
        EXPECT_EQ(row.at("packed_bytes"), std::to_string(s.st_size));
        bytes_in_all += static_cast<uint64_t>(s.st_size);
        EXPECT_GT(a.peak_live_bytes, 0u);
        double share = static_cast<double>(a.cross_thread_frees) /
                       static_cast<double>(a.frees);
        cross += share >= kCrossThreadShare;
        million += a.events >= 1000000;
        printf("%-10s %8llu events %4u threads %5.1f %% cross-thread\n",
               row.at("name").c_str(),
               static_cast<unsigned long long>(a.events), a.threads,
               100 * share);
    }
    printf(
        "%zu traces, %zu of a million events, %zu with cross-thread frees, "
        "%llu bytes\n",
        table.size(), million, cross,
        static_cast<unsigned long long>(bytes_in_all));
    EXPECT_GE(million, kTracesOfAMillion);
    EXPECT_GE(cross, kTracesWithCrossThreadFrees);
    EXPECT_LE(bytes_in_all, kBytesInAll);
}

// The table was not written by this code: the share and the peak once more,
// from the events alone.
TEST(Traces, PeakIsTheEvents) {
    for (const Row &row : Table()) {
        SCOPED_TRACE(row.at("name"));
        TracePtr t = Load(row);
        ASSERT_NE(nullptr, t);
        std::vector<std::pair<uint32_t, uint16_t>> block(trace_blocks(t.get()));
        uint64_t live = 0, peak = 0, cross = 0;
        for (size_t i = 0; i < trace_count(t.get()); i++) {
            trace_event e = trace_event_at(t.get(), i);
            auto &b = block[e.block];
            if (e.operation == TRACE_FREE) cross += b.second != e.thread;
            if (e.operation >= TRACE_REALLOC) live -= b.first;
            live += e.size;
            b = {e.size, e.thread};
            if (live > peak) peak = live;
        }
        EXPECT_EQ(row.at("peak_live_bytes"), std::to_string(peak));
        EXPECT_EQ(row.at("cross_thread_frees"), std::to_string(cross));
    }
}

// A loop packs to almost nothing and would teach a cache one thing.  The table
// has what the recording command measured; the one nearest to a loop is
// measured again (liblzma may do a little better or worse by version).
TEST(Traces, AreNoLoops) {
    auto per_million = [](const Row &row, uint64_t bytes) {
        return bytes * 1000000 / std::stoull(row.at("events"));
    };
    Row nearest;
    uint64_t nearest_bytes = UINT64_MAX;
    for (const Row &row : Table()) {
        SCOPED_TRACE(row.at("name"));
        uint64_t bytes =
            per_million(row, std::stoull(row.at("packed_bytes_without_times")));
        EXPECT_GT(bytes, kLoopBytesPerMillion);
        if (bytes < nearest_bytes) {
            nearest = row;
            nearest_bytes = bytes;
        }
    }
    ASSERT_FALSE(nearest.empty());
    TracePtr t = Load(nearest);
    ASSERT_NE(nullptr, t);
    char error[256] = "";
    void *bytes = nullptr;
    size_t size = 0;
    ASSERT_EQ(0,
              trace_encode(t.get(), false, &bytes, &size, error, sizeof error))
        << error;
    free(bytes);
    uint64_t measured = per_million(nearest, size);
    printf("nearest to a loop: %s, %llu bytes a million without times\n",
           nearest.at("name").c_str(),
           static_cast<unsigned long long>(measured));
    EXPECT_GT(measured, kLoopBytesPerMillion);
    EXPECT_NEAR(static_cast<double>(measured),
                static_cast<double>(nearest_bytes),
                0.05 * static_cast<double>(nearest_bytes));
}

TEST(Traces, NoneIsMissingFromTheTable) {
    std::set<std::string> named, found;
    for (const Row &row : Table())
        named.insert(row.at("name") + ".trace.xz");
    DIR *d = opendir(folder.c_str());
    ASSERT_NE(nullptr, d);
    const std::string end = ".trace.xz";
    while (dirent *e = readdir(d)) {
        std::string name = e->d_name;
        if (name.size() > end.size() &&
            name.compare(name.size() - end.size(), end.size(), end) == 0)
            found.insert(name);
    }
    closedir(d);
    EXPECT_EQ(named, found);
}

}  // namespace

int main(int argc, char **argv) {
    testing::InitGoogleTest(&argc, argv);
    if (argc != 2) {
        fprintf(stderr, "usage: traces_test TRACES.TSV\n");
        return 2;
    }
    table_path = argv[1];
    size_t slash = table_path.rfind('/');
    folder = slash == std::string::npos ? "." : table_path.substr(0, slash);
    return RUN_ALL_TESTS();
}
