// The recorder under known loads: what recorder_victim did is what the
// recording says.  Arguments: librecorder.so, recorder_victim and
// liballocating_dlsym.so.

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "stress/trace/convert.h"
#include "stress/trace/raw.h"
#include "stress/trace/trace.h"

namespace {

std::string recorder, victim, allocating_dlsym;

using TracePtr = std::unique_ptr<trace, decltype(&trace_free)>;

constexpr uint32_t kSizeBase = 90000, kSizeEnd = 100000;

// The victim's own blocks; the C library has a few more.
bool IsOurs(uint32_t size) {
    return size >= kSizeBase && size < kSizeEnd;
}

struct Recorded {
    TracePtr trace{nullptr, trace_free};
    convert_report report = {};
    std::string error;
};

Recorded Convert(const std::string &path, size_t events_max = SIZE_MAX) {
    Recorded r;
    char error[512] = "";
    struct trace *t = nullptr;
    if (convert_recording(path.c_str(), events_max, &t, &r.report, error,
                          sizeof error) != 0)
        r.error = error;
    r.trace.reset(t);
    return r;
}

class Recorder : public testing::Test {
   protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "recorder_XXXXXX";
        ASSERT_NE(nullptr, mkdtemp(pattern.data()));
        folder_ = pattern;
    }

    // Runs the victim and returns its status as waitpid gives it.
    int Run(const char *load, const char *events_max = nullptr) {
        std::string preload = recorder;
        if (!more_preload_.empty()) preload += " " + more_preload_;
        pid_t child = fork();
        if (child == 0) {
            setenv("TRACE_RECORD", folder_.c_str(), 1);
            setenv("LD_PRELOAD", preload.c_str(), 1);
            if (events_max != nullptr)
                setenv("TRACE_RECORD_EVENTS", events_max, 1);
            execl(victim.c_str(), victim.c_str(), load, nullptr);
            _exit(126);
        }
        int status = -1;
        EXPECT_EQ(child, waitpid(child, &status, 0));
        pid_ = child;
        return status;
    }

    std::vector<std::string> Files() {
        std::vector<std::string> names;
        DIR *d = opendir(folder_.c_str());
        while (dirent *e = readdir(d))
            if (e->d_name[0] != '.') names.push_back(folder_ + "/" + e->d_name);
        closedir(d);
        std::sort(names.begin(), names.end());
        return names;
    }

    std::string MainFile() {
        return folder_ + "/recorder_victim." + std::to_string(pid_) + ".raw";
    }

    // The recording of the load's first process, which made sense throughout.
    Recorded RunAndConvert(const char *load) {
        EXPECT_EQ(0, Run(load));
        Recorded r = Convert(MainFile());
        EXPECT_EQ("", r.error);
        EXPECT_EQ(0u, r.report.unknown_frees);
        EXPECT_EQ(0u, r.report.unknown_reallocs);
        EXPECT_EQ(0u, r.report.reused_without_free);
        EXPECT_EQ(UINT64_MAX, r.report.lost_from);
        EXPECT_EQ(0u, r.report.left_over);
        return r;
    }

    std::string folder_, more_preload_;
    pid_t pid_ = 0;
};

// The events of blocks that had one of our sizes when allocated.
std::vector<trace_event> Ours(const struct trace *t) {
    std::vector<trace_event> out;
    std::set<uint32_t> blocks;
    for (size_t i = 0; i < trace_count(t); i++) {
        trace_event e = trace_event_at(t, i);
        if (e.operation <= TRACE_ALIGNED && IsOurs(e.size))
            blocks.insert(e.block);
        if (blocks.count(e.block) != 0) out.push_back(e);
    }
    return out;
}

std::string Story(const struct trace *t) {
    std::string s;
    for (trace_event e : Ours(t)) {
        s += trace_operation_name(e.operation);
        if (e.operation != TRACE_FREE) s += " " + std::to_string(e.size);
        if (e.operation == TRACE_ALIGNED)
            s += "/" + std::to_string(1u << e.align_log2);
        s += "\n";
    }
    return s;
}

constexpr char kCalls[] =
    "alloc 90001\nfree\n"
    "calloc 90009\nfree\n"
    "alloc 90010\nrealloc 90011\nrealloc 99000\nrealloc 90012\nfree\n"
    "alloc 90021\nrealloc 90024\nfree\n"
    "aligned 90112/64\nfree\n"
    "aligned 90040/4096\nfree\n"
    "aligned 90050/128\nfree\n"
    "aligned 90060/4096\nfree\n"
    "aligned 90112/4096\nfree\n"
    "alloc 90070\nfree\n";

TEST_F(Recorder, WritesEveryCallDown) {
    Recorded r = RunAndConvert("calls");
    ASSERT_NE(nullptr, r.trace);
    EXPECT_STREQ("recorder_victim", r.report.program);
    EXPECT_EQ(1u, r.report.failed_reallocs);
    EXPECT_EQ(kCalls, Story(r.trace.get()));
}

// A dlsym that allocates, frees and reallocates while the recorder looks for
// the real functions.
TEST_F(Recorder, ServesDlsymBeforeItKnowsMalloc) {
    more_preload_ = allocating_dlsym;
    Recorded r = RunAndConvert("calls");
    ASSERT_NE(nullptr, r.trace);
    EXPECT_EQ(kCalls, Story(r.trace.get()));
}

TEST_F(Recorder, KnowsWhichThreadFreed) {
    Recorded r = RunAndConvert("threads");
    ASSERT_NE(nullptr, r.trace);
    std::map<uint32_t, uint16_t> producer, consumer;  // by quarter of sizes
    std::map<uint32_t, uint32_t> size_of;
    size_t allocated = 0, freed = 0;
    std::vector<uint32_t> next(4, 0);
    for (trace_event e : Ours(r.trace.get())) {
        bool fresh = e.operation == TRACE_ALLOC;
        if (fresh) size_of[e.block] = e.size;
        uint32_t quarter = (size_of[e.block] - kSizeBase) / 1000;
        ASSERT_LT(quarter, 4u);
        if (fresh) {
            allocated++;
            // Each thread's own order is kept.
            EXPECT_EQ(kSizeBase + 1000 * quarter + next[quarter]++, e.size);
            auto known = producer.emplace(quarter, e.thread).first;
            EXPECT_EQ(known->second, e.thread);
        } else {
            ASSERT_EQ(TRACE_FREE, e.operation);
            freed++;
            auto known = consumer.emplace(quarter, e.thread).first;
            EXPECT_EQ(known->second, e.thread);
        }
    }
    EXPECT_EQ(4000u, allocated);
    EXPECT_EQ(4000u, freed);
    std::set<uint16_t> threads;
    for (auto &p : producer)
        threads.insert(p.second);
    for (auto &c : consumer)
        threads.insert(c.second);
    EXPECT_EQ(8u, threads.size());
    // The main thread frees a few things for threads that ended.
    EXPECT_GE(trace_totals_of(r.trace.get()).cross_thread_frees, 4000u);
    EXPECT_LE(trace_totals_of(r.trace.get()).cross_thread_frees, 4100u);
    EXPECT_EQ(9u, trace_threads(r.trace.get()));
}

// An address changes hands 160,000 times; each time its free comes first.
TEST_F(Recorder, KeepsIdentityWhenAddressesAreReused) {
    Recorded r = RunAndConvert("reuse");
    ASSERT_NE(nullptr, r.trace);
    size_t allocated = 0, freed = 0;
    for (trace_event e : Ours(r.trace.get())) {
        allocated += e.operation == TRACE_ALLOC;
        freed += e.operation == TRACE_FREE;
    }
    // realloc of nothing is an allocation, and frees what it made.
    EXPECT_GE(allocated, 160000u);
    EXPECT_LE(allocated, 160016u);
    EXPECT_LE(allocated - freed, 16u);
    EXPECT_GE(allocated - freed, 1u);
    EXPECT_GE(trace_totals_of(r.trace.get()).reallocs, 10000u);
    EXPECT_GE(trace_totals_of(r.trace.get()).cross_thread_frees, 1000u);
}

TEST_F(Recorder, GivesEveryChildAFile) {
    Recorded parent = RunAndConvert("fork");
    ASSERT_NE(nullptr, parent.trace);
    EXPECT_EQ(0u, parent.report.forks);
    EXPECT_EQ("alloc 90001\nalloc 90002\nfree\nfree\nalloc 90007\nfree\n",
              Story(parent.trace.get()));

    // Besides the parent: child, grandchild, raw child and `true`.
    std::vector<std::string> files = Files();
    ASSERT_EQ(5u, files.size());
    std::multiset<std::string> stories;
    for (const std::string &f : files) {
        if (f == MainFile()) continue;
        Recorded r = Convert(f);
        ASSERT_NE(nullptr, r.trace) << r.error;
        EXPECT_EQ(0u, r.report.unknown_frees);
        EXPECT_EQ(0u, r.report.reused_without_free);
        std::string story = Story(r.trace.get());
        if (f.find("/true.") != std::string::npos) {
            EXPECT_EQ("", story);
            EXPECT_EQ(0u, r.report.forks);
            continue;
        }
        // The child's thread made 1,000 blocks more.
        size_t many = story.find("alloc 90000\n");
        if (many != std::string::npos) {
            EXPECT_EQ(1000, std::count(story.begin() + static_cast<long>(many),
                                       story.end(), '\n'));
            story.resize(many);
            EXPECT_EQ(2u, trace_threads(r.trace.get()));
        }
        stories.insert(std::to_string(r.report.forks) + "\n" + story);
    }
    const std::string inherited = "alloc 90001\nalloc 90002\n";
    const std::string child =
        inherited + "free\nalloc 90003\nfree\nalloc 90004\n";
    EXPECT_EQ((std::multiset<std::string>{
                  "1\n" + child,
                  "2\n" + child + "free\nfree\nalloc 90005\nfree\n",
                  "1\n" + inherited + "alloc 90006\nfree\n",
              }),
              stories);
}

TEST_F(Recorder, LosesNothingWhenKilled) {
    int status = Run("killed");
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    Recorded r = Convert(MainFile());
    ASSERT_NE(nullptr, r.trace) << r.error;
    std::string story;
    for (int i = 0; i < 10; i++)
        story += "alloc " + std::to_string(90000 + i) + "\n";
    EXPECT_EQ(story, Story(r.trace.get()));
}

TEST_F(Recorder, SaysWhereAFullFileEnds) {
    EXPECT_EQ(0, Run("limit", "5000"));
    Recorded r = Convert(MainFile());
    ASSERT_NE(nullptr, r.trace) << r.error;
    EXPECT_NE(UINT64_MAX, r.report.lost_from);
    EXPECT_GE(trace_count(r.trace.get()), 5000u);
    EXPECT_LE(trace_count(r.trace.get()), 5000u + RAW_CHUNK_RECORDS);
    EXPECT_EQ(r.report.lost_from, trace_count(r.trace.get()));
    // A prefix of what happened: pairs, with no gap.
    uint32_t size = kSizeBase;
    for (trace_event e : Ours(r.trace.get())) {
        if (e.operation != TRACE_ALLOC) continue;
        ASSERT_EQ(size, e.size);
        size++;
    }
}

TEST_F(Recorder, BadLimitRecordsNothing) {
    EXPECT_EQ(0, Run("limit", "none"));
    EXPECT_TRUE(Files().empty());
}

TEST_F(Recorder, HearsThreadsOutToTheEnd) {
    Recorded r = RunAndConvert("late");
    ASSERT_NE(nullptr, r.trace);
    std::map<uint16_t, std::string> story;
    for (trace_event e : Ours(r.trace.get()))
        story[e.thread] += e.operation == TRACE_FREE
                               ? std::string("free ")
                               : std::to_string(e.size) + " ";
    ASSERT_EQ(2u, story.size());
    for (auto &s : story)
        EXPECT_EQ("90000 free 90100 free ", s.second);
}

TEST_F(Recorder, CutsWhereTheCallerSays) {
    EXPECT_EQ(0, Run("threads"));
    Recorded r = Convert(MainFile(), 1234);
    ASSERT_NE(nullptr, r.trace) << r.error;
    EXPECT_EQ(1234u, trace_count(r.trace.get()));
    EXPECT_GE(r.report.left_over, 6766u);
    EXPECT_EQ(r.report.records, 1234u + r.report.left_over);
}

// ---- Recordings that are wrong ---------------------------------------------

class BadRecording : public testing::Test {
   protected:
    void SetUp() override {
        path_ = testing::TempDir() + "bad_recording.raw";
        header_.magic = RAW_MAGIC;
        header_.chunks = 2;
        header_.chunks_claimed.value = 1;
        header_.first_lost.value = RAW_NONE_LOST;
        memcpy(header_.program, "x", 2);
        raw_owner owner = {};
        owner.thread = 1;
        memcpy(&records_[0], &owner, sizeof owner);
    }

    void Add(uint32_t operation, uint64_t address, uint64_t size) {
        raw_record &r = records_[++used_];
        r.sequence = used_;
        r.address = address;
        r.size = size;
        r.operation.value = operation;
    }

    Recorded Converted(size_t chunks = 1) {
        std::ofstream out(path_, std::ios::binary);
        out.write(reinterpret_cast<const char *>(&header_), sizeof header_);
        out.write(reinterpret_cast<const char *>(records_),
                  static_cast<std::streamsize>(chunks * sizeof records_));
        out.close();
        return Convert(path_);
    }

    void Refused(const std::string &reason, size_t chunks = 1) {
        Recorded r = Converted(chunks);
        EXPECT_EQ(nullptr, r.trace);
        EXPECT_NE(std::string::npos, r.error.find(reason)) << r.error;
        EXPECT_EQ(0u, r.error.find(path_)) << r.error;
    }

    std::string path_;
    raw_header header_ = {};
    raw_record records_[RAW_CHUNK_RECORDS] = {};
    size_t used_ = 0;
};

TEST_F(BadRecording, GoodOneIsConverted) {
    Add(RAW_ALLOC, 0x1000, 5);
    Add(RAW_FREE, 0x1000, 0);
    Recorded r = Converted();
    ASSERT_NE(nullptr, r.trace) << r.error;
    EXPECT_EQ(2u, trace_count(r.trace.get()));
}

TEST_F(BadRecording, Missing) {
    EXPECT_EQ("/nowhere/x: No such file or directory",
              Convert("/nowhere/x").error);
}

TEST_F(BadRecording, Short) {
    std::ofstream(path_) << "short";
    EXPECT_EQ(path_ + ": is too short for a recording", Convert(path_).error);
}

TEST_F(BadRecording, Magic) {
    header_.magic++;
    Refused("wrong magic");
}

TEST_F(BadRecording, Header) {
    memset(header_.parent_file, 'x', sizeof header_.parent_file);
    Refused("damaged header");
    memset(header_.parent_file, 0, sizeof header_.parent_file);
    memcpy(header_.parent_file, "../up", 6);
    Refused("damaged header");
}

TEST_F(BadRecording, Truncated) {
    Refused("is truncated", 0);
}

TEST_F(BadRecording, MissingParent) {
    memcpy(header_.parent_file, "gone.raw", 9);
    Recorded r = Converted();
    EXPECT_NE(std::string::npos, r.error.find("gone.raw: No such file"))
        << r.error;
}

// A file that is its own parent does not keep us for ever.
TEST_F(BadRecording, EndlessLine) {
    Add(RAW_ALLOC, 0x1000, 5);
    memcpy(header_.parent_file, "bad_recording.raw", 18);
    header_.fork_sequence = 0;
    Refused("more than 16 forks");
}

TEST_F(BadRecording, Operation) {
    Add(RAW_REALLOC_END + 1, 0x1000, 5);
    Refused("operation 7");
}

TEST_F(BadRecording, Thread) {
    raw_owner owner = {};
    owner.thread = UINT64_C(1) << 40;
    memcpy(&records_[0], &owner, sizeof owner);
    Refused("belongs to thread 1099511627776");
}

TEST_F(BadRecording, NumberTwice) {
    Add(RAW_ALLOC, 0x1000, 5);
    Add(RAW_ALLOC, 0x2000, 5);
    records_[2].sequence = records_[1].sequence;
    Refused("sequence number 1 is there twice");
}

TEST_F(BadRecording, TooLarge) {
    Add(RAW_ALLOC, 0x1000, UINT64_C(1) << 40);
    Refused("a block of 1099511627776 bytes");
}

// What makes no sense is left out and counted, nothing is invented.
TEST_F(BadRecording, Nonsense) {
    Add(RAW_FREE, 0x1000, 0);
    Add(RAW_ALLOC, 0x2000, 5);
    Add(RAW_ALLOC, 0x2000, 6);
    Add(RAW_REALLOC_BEGIN, 0x3000, 7);
    Add(RAW_REALLOC_END, 0x4000, 7);
    Add(RAW_REALLOC_BEGIN, 0x4000, 8);
    Add(RAW_REALLOC_END, 0, 8);
    Add(RAW_FREE, 0x4000, 0);
    Recorded r = Converted();
    ASSERT_NE(nullptr, r.trace) << r.error;
    EXPECT_EQ(1u, r.report.unknown_frees);
    EXPECT_EQ(1u, r.report.reused_without_free);
    EXPECT_EQ(1u, r.report.unknown_reallocs);
    EXPECT_EQ(1u, r.report.failed_reallocs);
    EXPECT_EQ(3u, trace_blocks(r.trace.get()));
    EXPECT_EQ(1u, trace_totals_of(r.trace.get()).frees);
}

// Inside a realloc the old address may be given to another thread.
TEST_F(BadRecording, ReallocWhoseOldAddressIsReused) {
    Add(RAW_ALLOC, 0x1000, 5);
    Add(RAW_REALLOC_BEGIN, 0x1000, 6);
    Add(RAW_ALLOC, 0x1000, 7);
    Add(RAW_REALLOC_END, 0x2000, 6);
    Add(RAW_FREE, 0x1000, 0);
    Add(RAW_FREE, 0x2000, 0);
    Recorded r = Converted();
    ASSERT_NE(nullptr, r.trace) << r.error;
    EXPECT_EQ(0u, r.report.reused_without_free);
    trace_event e = trace_event_at(r.trace.get(), 2);
    EXPECT_EQ(TRACE_REALLOC, e.operation);
    EXPECT_EQ(0u, e.block);
    EXPECT_EQ(1u, trace_event_at(r.trace.get(), 3).block);
    EXPECT_EQ(0u, trace_event_at(r.trace.get(), 4).block);
}

}  // namespace

int main(int argc, char **argv) {
    testing::InitGoogleTest(&argc, argv);
    if (argc != 4) {
        fprintf(stderr, "usage: recorder_test RECORDER VICTIM DLSYM\n");
        return 2;
    }
    std::string *const paths[] = {&recorder, &victim, &allocating_dlsym};
    for (int i = 0; i < 3; i++) {
        char *path = realpath(argv[i + 1], nullptr);
        if (path == nullptr) {
            fprintf(stderr, "recorder_test: %s is not there\n", argv[i + 1]);
            return 2;
        }
        *paths[i] = path;
        free(path);
    }
    return RUN_ALL_TESTS();
}
