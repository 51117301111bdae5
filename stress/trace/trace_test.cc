// The format: what is written is what is read, and what cannot be right is
// refused with a reason.

#include "stress/trace/trace.h"

#include <gtest/gtest.h>
#include <lzma.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using Bytes = std::vector<uint8_t>;
using TracePtr = std::unique_ptr<trace, decltype(&trace_free)>;

trace_event Event(uint8_t operation, uint16_t thread, uint32_t block,
                  uint32_t size, uint32_t time = 0, uint8_t align_log2 = 0) {
    trace_event e;
    e.block = block;
    e.size = size;
    e.time_steps = time;
    e.thread = thread;
    e.operation = operation;
    e.align_log2 = align_log2;
    return e;
}

// Threads 0 and 1, five blocks, every operation.
std::vector<trace_event> Sample() {
    return {
        Event(TRACE_ALLOC, 0, 0, 100, 0),
        Event(TRACE_CALLOC, 1, 1, 5000, 3),
        Event(TRACE_ALIGNED, 0, 2, 70000, 3, 12),
        Event(TRACE_REALLOC, 0, 0, 250, 200),
        Event(TRACE_FREE, 1, 0, 0, 300),
        Event(TRACE_ALLOC, 1, 3, 0, 40000),
        Event(TRACE_FREE, 1, 1, 0, 40001),
        Event(TRACE_ALIGNED, 0, 4, 1, 40001, 0),
        Event(TRACE_FREE, 0, 2, 0, 5000000),
    };
}

TracePtr Build(const std::vector<trace_event> &events) {
    char error[256] = "";
    struct trace *t = nullptr;
    EXPECT_EQ(
        0, trace_build(events.data(), events.size(), &t, error, sizeof error))
        << error;
    return TracePtr(t, trace_free);
}

Bytes Encode(const struct trace *t, bool with_times = true) {
    char error[256] = "";
    void *bytes = nullptr;
    size_t size = 0;
    EXPECT_EQ(0,
              trace_encode(t, with_times, &bytes, &size, error, sizeof error))
        << error;
    Bytes out(static_cast<uint8_t *>(bytes),
              static_cast<uint8_t *>(bytes) + size);
    free(bytes);
    return out;
}

// The reader's reason, or "" if it accepts.
std::string Refusal(const Bytes &file) {
    char error[256] = "";
    struct trace *t = nullptr;
    int result =
        trace_decode(file.data(), file.size(), &t, error, sizeof error);
    EXPECT_EQ(result == 0, t != nullptr);
    EXPECT_EQ(result == 0, error[0] == '\0');
    trace_free(t);
    return error;
}

Bytes Pack(const Bytes &plain) {
    Bytes out(lzma_stream_buffer_bound(plain.size()));
    size_t used = 0;
    EXPECT_EQ(LZMA_OK, lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, nullptr,
                                               plain.data(), plain.size(),
                                               out.data(), &used, out.size()));
    out.resize(used);
    return out;
}

Bytes Unpack(const Bytes &file) {
    Bytes out(1 << 20);
    size_t in = 0, used = 0;
    uint64_t memory = UINT64_MAX;
    EXPECT_EQ(LZMA_OK, lzma_stream_buffer_decode(
                           &memory, 0, nullptr, file.data(), &in, file.size(),
                           out.data(), &used, out.size()));
    out.resize(used);
    return out;
}

void Refused(const Bytes &file, const std::string &reason) {
    EXPECT_NE(std::string::npos, Refusal(file).find(reason))
        << "wanted: " << reason << "\ngot: " << Refusal(file);
}

// A file as Sample's, its unpacked bytes changed.
void RefusedAfter(const std::function<void(Bytes *)> &change,
                  const std::string &reason) {
    Bytes plain = Unpack(Encode(Build(Sample()).get()));
    change(&plain);
    Refused(Pack(plain), reason);
}

void PutWord(Bytes *plain, int word, uint64_t value) {
    for (int i = 0; i < 8; i++)
        (*plain)[static_cast<size_t>(8 + 8 * word + i)] =
            static_cast<uint8_t>(value >> (8 * i));
}

// The places of a file's parts, as trace.h draws them.
constexpr int kWordEvents = 0, kWordColumns = 10, kWordReserved = 15;
constexpr size_t kHeader = 8 + 8 * 16, kEvents = 9;
constexpr size_t kOperations = kHeader, kThreads = kOperations + kEvents,
                 kSizes = kThreads + kEvents,
                 kBlocks = kSizes + 1 + 2 + 3 + 2 + 1 + 1;

// Random but valid: what a program might do.
std::vector<trace_event> RandomEvents(uint32_t seed, size_t count) {
    std::mt19937 g(seed);
    auto below = [&g](uint32_t n) { return static_cast<uint32_t>(g() % n); };
    std::vector<trace_event> events;
    std::vector<uint32_t> live;
    uint32_t blocks = 0, time = 0;
    const uint32_t threads = 1 + below(300);
    for (size_t i = 0; i < count; i++) {
        time += i == 0 ? 0 : below(4) == 0 ? below(100000) : below(3);
        // Each thread has its first event in turn, so none is missing.
        auto thread = static_cast<uint16_t>(i < threads ? i : below(threads));
        uint32_t what = live.empty() ? below(3) : below(6);
        uint32_t size =
            below(20) == 0 ? below(TRACE_SIZE_MAX) + 1 : below(2u << below(16));
        if (what <= TRACE_ALIGNED) {
            auto align = static_cast<uint8_t>(
                what == TRACE_ALIGNED ? below(TRACE_ALIGN_LOG2_MAX + 1) : 0);
            live.push_back(blocks);
            events.push_back(Event(static_cast<uint8_t>(what), thread, blocks++,
                                   size, time, align));
            continue;
        }
        size_t which = below(static_cast<uint32_t>(live.size()));
        if (what == 3) {
            events.push_back(
                Event(TRACE_REALLOC, thread, live[which], size, time));
            continue;
        }
        events.push_back(Event(TRACE_FREE, thread, live[which], 0, time));
        live[which] = live.back();
        live.pop_back();
    }
    return events;
}

TEST(Trace, EventIsSixteenBytes) {
    EXPECT_EQ(16u, sizeof(trace_event));
}

TEST(Trace, AddsUp) {
    TracePtr t = Build(Sample());
    trace_totals a = trace_totals_of(t.get());
    EXPECT_EQ(9u, a.events);
    EXPECT_EQ(5u, a.blocks);
    EXPECT_EQ(1u, a.reallocs);
    EXPECT_EQ(3u, a.frees);
    EXPECT_EQ(1u, a.cross_thread_frees);
    EXPECT_EQ(75250u, a.peak_live_bytes);
    EXPECT_EQ(3u, a.peak_live_blocks);
    EXPECT_EQ(1u, a.final_live_bytes);
    EXPECT_EQ(5000000u, a.duration_steps);
    EXPECT_EQ(2u, a.threads);
    EXPECT_EQ(2u, trace_threads(t.get()));
    EXPECT_EQ(5u, trace_blocks(t.get()));
    EXPECT_EQ(75250u, trace_peak_live_bytes(t.get()));
    EXPECT_EQ(12u, trace_event_at(t.get(), 2).align_log2);
}

// A block belongs to whoever moved it last.
TEST(Trace, ReallocTakesABlockOver) {
    TracePtr t =
        Build({Event(TRACE_ALLOC, 0, 0, 10), Event(TRACE_REALLOC, 1, 0, 20),
               Event(TRACE_FREE, 1, 0, 0)});
    EXPECT_EQ(0u, trace_totals_of(t.get()).cross_thread_frees);
}

TEST(Trace, ReadsWhatItWrote) {
    uint64_t events = 0;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        std::vector<trace_event> in =
            RandomEvents(seed, seed % 10 == 0 ? 20000 : 300 + 10 * seed);
        Bytes file = Encode(Build(in).get());
        char error[256] = "";
        struct trace *t = nullptr;
        ASSERT_EQ(
            0, trace_decode(file.data(), file.size(), &t, error, sizeof error))
            << error << " seed " << seed;
        TracePtr owner(t, trace_free);
        ASSERT_EQ(in.size(), trace_count(t));
        ASSERT_EQ(0, memcmp(in.data(), trace_events(t),
                            in.size() * sizeof(trace_event)))
            << "seed " << seed;
        events += in.size();
    }
    printf("%llu events went round\n", static_cast<unsigned long long>(events));
    EXPECT_GE(events, 100000u);
}

TEST(Trace, EmptyIsATrace) {
    TracePtr t = Build({});
    EXPECT_EQ("", Refusal(Encode(t.get())));
    EXPECT_EQ(0u, trace_count(t.get()));
}

TEST(Trace, WithoutTimesOnlyTimesAreGone) {
    std::vector<trace_event> in = RandomEvents(7, 5000);
    Bytes file = Encode(Build(in).get(), false);
    EXPECT_LT(file.size(), Encode(Build(in).get()).size());
    char error[256] = "";
    struct trace *t = nullptr;
    ASSERT_EQ(0,
              trace_decode(file.data(), file.size(), &t, error, sizeof error))
        << error;
    TracePtr owner(t, trace_free);
    for (trace_event &e : in)
        e.time_steps = 0;
    EXPECT_EQ(
        0, memcmp(in.data(), trace_events(t), in.size() * sizeof(trace_event)));
}

TEST(Trace, GoesThroughAFile) {
    std::string path = testing::TempDir() + "trace_test.trace.xz";
    char error[256] = "";
    TracePtr t = Build(Sample());
    ASSERT_EQ(0, trace_save(t.get(), path.c_str(), error, sizeof error))
        << error;
    struct trace *back = nullptr;
    ASSERT_EQ(0, trace_load(path.c_str(), &back, error, sizeof error)) << error;
    EXPECT_EQ(9u, trace_count(back));
    trace_free(back);
    EXPECT_NE(0, access((path + ".new").c_str(), F_OK));
    EXPECT_EQ(0, unlink(path.c_str()));
}

TEST(Trace, NamesTheFileInItsErrors) {
    char error[256] = "";
    struct trace *t = nullptr;
    EXPECT_EQ(-1, trace_load("/nowhere/x.trace.xz", &t, error, sizeof error));
    EXPECT_STREQ("/nowhere/x.trace.xz: No such file or directory", error);
    EXPECT_EQ(-1, trace_load("/", &t, error, sizeof error));
    EXPECT_NE(nullptr, strstr(error, "no regular file")) << error;
    std::string path = testing::TempDir() + "bad.trace.xz";
    std::ofstream(path) << "not a trace at all";
    EXPECT_EQ(-1, trace_load(path.c_str(), &t, error, sizeof error));
    EXPECT_EQ(path + ": is no xz file", error);
    // A caller may not want to know.
    EXPECT_EQ(-1, trace_load(path.c_str(), &t, nullptr, 0));
    EXPECT_EQ(-1, trace_save(Build(Sample()).get(), "/nowhere/x", error,
                             sizeof error));
    EXPECT_NE(nullptr, strstr(error, "/nowhere/x")) << error;
}

// ---- Files that are wrong ------------------------------------------------

TEST(BadFile, Empty) {
    Refused({}, "is truncated");
}

TEST(BadFile, EveryTruncation) {
    Bytes file = Encode(Build(RandomEvents(3, 400)).get());
    for (size_t size = 0; size < file.size(); size++) {
        Bytes cut(file.begin(),
                  file.begin() + static_cast<std::ptrdiff_t>(size));
        ASSERT_NE("", Refusal(cut)) << "cut to " << size;
    }
}

TEST(BadFile, EveryTruncationInsideXz) {
    Bytes plain = Unpack(Encode(Build(Sample()).get()));
    for (size_t size = 0; size < plain.size(); size++) {
        Bytes cut(plain.begin(),
                  plain.begin() + static_cast<std::ptrdiff_t>(size));
        Refused(Pack(cut), "is truncated");
    }
}

TEST(BadFile, EveryFlippedBitOfXz) {
    Bytes file = Encode(Build(Sample()).get());
    for (size_t bit = 0; bit < 8 * file.size(); bit++) {
        file[bit / 8] = static_cast<uint8_t>(file[bit / 8] ^ (1u << bit % 8));
        ASSERT_NE("", Refusal(file)) << "bit " << bit;
        file[bit / 8] = static_cast<uint8_t>(file[bit / 8] ^ (1u << bit % 8));
    }
}

// xz's checksum does not protect from a writer's mistake.  A changed byte of
// the header is always found; one of the columns may make another valid trace,
// but then it is valid.
TEST(BadFile, EveryChangedByteInsideXz) {
    Bytes plain = Unpack(Encode(Build(Sample()).get()));
    size_t refused = 0, accepted = 0;
    for (size_t i = 0; i < plain.size(); i++) {
        uint8_t was = plain[i];
        for (int value = 0; value < 256; value += i < kHeader ? 51 : 5) {
            if (value == was) continue;
            plain[i] = static_cast<uint8_t>(value);
            std::string reason = Refusal(Pack(plain));
            if (i < kHeader) {
                ASSERT_NE("", reason) << "byte " << i << " is " << value;
            }
            ++*(reason.empty() ? &accepted : &refused);
        }
        plain[i] = was;
    }
    printf("%zu changes refused, %zu made another trace\n", refused, accepted);
    EXPECT_GE(refused, 2500u);
    EXPECT_GE(accepted, 1u);
}

TEST(BadFile, NoXz) {
    Refused(Unpack(Encode(Build(Sample()).get())), "is no xz file");
}

TEST(BadFile, Magic) {
    RefusedAfter([](Bytes *b) { (*b)[0] = 'l'; }, "wrong magic");
    RefusedAfter([](Bytes *b) { (*b)[7] = '2'; },
                 "is a trace of format 2, this reader knows 1");
}

TEST(BadFile, BytesBehind) {
    Bytes file = Encode(Build(Sample()).get());
    file.push_back(0);
    Refused(file, "has bytes after its end");
    RefusedAfter([](Bytes *b) { b->push_back(0); },
                 "has bytes after its columns");
}

// Small on disk, large when unpacked: found after one byte too many.
TEST(BadFile, Bomb) {
    RefusedAfter([](Bytes *b) { b->resize(64u << 20); },
                 "has bytes after its columns");
}

TEST(BadFile, HeaderAsksForTheMachine) {
    RefusedAfter(
        [](Bytes *b) { PutWord(b, kWordEvents, TRACE_EVENTS_MAX + 1); },
        "events are more than");
    RefusedAfter([](Bytes *b) { PutWord(b, kWordEvents, UINT64_MAX); },
                 "events are more than");
    RefusedAfter([](Bytes *b) { PutWord(b, kWordColumns + 2, UINT64_MAX); },
                 "bytes of sizes for 9 events");
    RefusedAfter([](Bytes *b) { PutWord(b, kWordColumns, 8); },
                 "8 operations for 9 events");
    RefusedAfter([](Bytes *b) { PutWord(b, kWordReserved, 1); },
                 "reserved word");
    // Memory for these is asked for, the bytes are not there.
    RefusedAfter(
        [](Bytes *b) {
            PutWord(b, kWordEvents, 1000000);
            PutWord(b, kWordColumns, 1000000);
        },
        "is truncated");
}

TEST(BadFile, ColumnLengths) {
    for (int c = 1; c < 5; c++) {
        Bytes plain = Unpack(Encode(Build(Sample()).get()));
        size_t at = static_cast<size_t>(8 + 8 * (kWordColumns + c));
        plain[at]--;
        EXPECT_NE("", Refusal(Pack(plain))) << "column " << c;
        plain[at] = static_cast<uint8_t>(plain[at] + 2);
        EXPECT_NE("", Refusal(Pack(plain))) << "column " << c;
    }
    // A byte moved from one column to the next.
    RefusedAfter(
        [](Bytes *b) {
            (*b)[8 + 8 * (kWordColumns + 3)]--;
            (*b)[8 + 8 * (kWordColumns + 4)]++;
        },
        "bad block");
    RefusedAfter(
        [](Bytes *b) {
            (*b)[8 + 8 * (kWordColumns + 3)]++;
            (*b)[8 + 8 * (kWordColumns + 4)]--;
        },
        "bad time");
}

TEST(BadFile, EveryTotal) {
    for (int word = 1; word < kWordColumns; word++) {
        Bytes plain = Unpack(Encode(Build(Sample()).get()));
        plain[static_cast<size_t>(8 + 8 * word)] ^= 1;
        Refused(Pack(plain), "header says");
    }
}

TEST(BadFile, Operation) {
    RefusedAfter([](Bytes *b) { (*b)[kOperations + 4] = 5; },
                 "bad size");  // it wants one, and shifts the column
    RefusedAfter([](Bytes *b) { (*b)[kOperations] = 3 << 3; },
                 "alloc has alignment 2^3");
    RefusedAfter([](Bytes *b) { (*b)[kOperations + 2] = 31 << 3 | 2; },
                 "aligned has alignment 2^31");
}

TEST(BadFile, Thread) {
    // 0xff 0xff 0x03 is 65535, one beyond the last.
    RefusedAfter(
        [](Bytes *b) {
            (*b)[kThreads] = 0xff;
            (*b)[kThreads + 1] = 0xff;
            (*b)[kThreads + 2] = 0x03;
        },
        "thread 65535 is beyond 65534");
    RefusedAfter([](Bytes *b) { (*b)[kThreads + 8] = 3; },
                 "3 of 4 threads have events");
}

TEST(BadFile, Identity) {
    // Event 3, a realloc, reaches back 2 of 3 blocks; 3 is before the first.
    RefusedAfter([](Bytes *b) { (*b)[kBlocks] = 3; },
                 "event 3: realloc of a block 3 before the newest of 3, which "
                 "was never allocated");
    // Event 6 frees block 1, 2 back; block 0 was freed by event 4.
    RefusedAfter([](Bytes *b) { (*b)[kBlocks + 2] = 3; },
                 "event 6: free of block 0, which is already free");
}

TEST(BadFile, SizeAndVarint) {
    // Events 1 and 2 have 5 bytes of size between them.
    auto sizes = [](std::initializer_list<uint8_t> v) {
        return [v](Bytes *b) {
            std::copy(v.begin(), v.end(), b->begin() + kSizes + 1);
        };
    };
    RefusedAfter(sizes({0xff, 0xff, 0xff, 0xff, 0x08}), "size");
    RefusedAfter(sizes({0xff, 0xff, 0xff, 0xff, 0x1f}), "bad size");
    RefusedAfter(sizes({0xff, 0xff, 0xff, 0xff, 0xff}), "bad size");
}

// ---- Events that are wrong ------------------------------------------------

void NotBuilt(const std::vector<trace_event> &events,
              const std::string &reason) {
    char error[256] = "";
    struct trace *t = nullptr;
    EXPECT_EQ(
        -1, trace_build(events.data(), events.size(), &t, error, sizeof error));
    EXPECT_EQ(nullptr, t);
    EXPECT_NE(std::string::npos, std::string(error).find(reason)) << error;
}

TEST(BadEvents, AreNotBuilt) {
    NotBuilt({Event(TRACE_OPERATIONS, 0, 0, 1)}, "no operation has number 5");
    NotBuilt({Event(TRACE_ALLOC, 0, 0, TRACE_SIZE_MAX + 1)},
             "event 0: size 2147483648 is beyond 2147483647");
    NotBuilt({Event(TRACE_ALLOC, TRACE_THREADS_MAX, 0, 1)}, "is beyond");
    NotBuilt({Event(TRACE_ALLOC, 1, 0, 1)}, "1 of 2 threads have events");
    NotBuilt({Event(TRACE_ALLOC, 0, 1, 1)},
             "allocates block 1, the next one is 0");
    NotBuilt({Event(TRACE_ALLOC, 0, 0, 1), Event(TRACE_ALLOC, 0, 0, 1)},
             "event 1: allocates block 0, the next one is 1");
    NotBuilt({Event(TRACE_FREE, 0, 0, 0)},
             "event 0: free of block 0, which was never allocated");
    NotBuilt({Event(TRACE_ALLOC, 0, 0, 1), Event(TRACE_FREE, 0, 0, 0),
              Event(TRACE_FREE, 0, 0, 0)},
             "event 2: free of block 0, which is already free");
    NotBuilt({Event(TRACE_ALLOC, 0, 0, 1), Event(TRACE_FREE, 0, 0, 0),
              Event(TRACE_REALLOC, 0, 0, 9)},
             "event 2: realloc of block 0, which is already free");
    NotBuilt({Event(TRACE_ALLOC, 0, 0, 1), Event(TRACE_FREE, 0, 0, 7)},
             "event 1: a free has size 7");
    NotBuilt({Event(TRACE_ALLOC, 0, 0, 1, 5), Event(TRACE_FREE, 0, 0, 0, 4)},
             "event 1: time goes back from 5 to 4");
    NotBuilt({Event(TRACE_ALLOC, 0, 0, 1, 0, 4)}, "alloc has alignment 2^4");
    NotBuilt({Event(TRACE_ALIGNED, 0, 0, 1, 0, 31)}, "alignment 2^31");
}

}  // namespace
