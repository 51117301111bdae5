#include "stress/replay.h"

#include <malloc.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "stress/files.h"
#include "stress/trace/trace.h"
#include "stress/workload.h"
#include "stress/workload_trace.h"

namespace {

#ifdef LINN_SANITIZED
constexpr size_t kEvents = 3000;
#else
constexpr size_t kEvents = 12000;
#endif

struct TraceFree {
    void operator()(struct trace *t) const {
        trace_free(t);
    }
};
using TracePointer = std::unique_ptr<struct trace, TraceFree>;
struct PlanFree {
    void operator()(replay_plan *p) const {
        replay_plan_free(p);
    }
};
using PlanPointer = std::unique_ptr<replay_plan, PlanFree>;

TracePointer Build(const std::vector<trace_event> &events) {
    struct trace *t = nullptr;
    char error[256];
    EXPECT_EQ(
        trace_build(events.data(), events.size(), &t, error, sizeof error), 0)
        << error;
    return TracePointer(t);
}

PlanPointer Plan(const struct trace *t, uint32_t lanes = 0) {
    char error[256];
    PlanPointer p(replay_plan_make(t, lanes, error, sizeof error));
    EXPECT_NE(p, nullptr) << error;
    return p;
}

trace_event Event(uint8_t operation, uint32_t block, uint32_t size,
                  unsigned thread) {
    trace_event e = {};
    e.operation = operation;
    e.block = block;
    e.size = size;
    e.thread = static_cast<uint16_t>(thread);
    return e;
}

// A random program: `threads` threads, any frees any block; sizes are unique per
// block (reallocs keep them apart too), so a subject can tell blocks by size.
std::vector<trace_event> RandomEvents(unsigned threads, size_t count,
                                      uint64_t seed, bool with_reallocs) {
    std::mt19937_64 random(seed);
    std::vector<trace_event> events;
    std::vector<uint32_t> live;
    uint32_t blocks = 0;
    size_t target = 0;
    for (size_t i = 0; i < count; i++) {
        // Every thread has an event, in the order of their numbers.
        unsigned thread =
            static_cast<unsigned>(i < threads ? i : random() % threads);
        // One high tide; elsewhere there is room below the peak, or the
        // replay would have to go in single file.
        target = i > count / 2 && i < count / 2 + 3000 ? 2000 : 20 + i % 700;
        uint64_t dice = random() % 100;
        if (live.empty() || (dice < 50 && live.size() < target) ||
            i < threads) {
            uint32_t size = with_reallocs
                                ? static_cast<uint32_t>(random() % 3000)
                                : blocks + 1;
            events.push_back(Event(TRACE_ALLOC, blocks, size, thread));
            live.push_back(blocks++);
        } else if (with_reallocs && dice < 60) {
            uint32_t block = live[random() % live.size()];
            events.push_back(Event(TRACE_REALLOC, block,
                                   static_cast<uint32_t>(1 + random() % 5000),
                                   thread));
        } else {
            size_t at = random() % live.size();
            events.push_back(Event(TRACE_FREE, live[at], 0, thread));
            live[at] = live.back();
            live.pop_back();
        }
    }
    return events;
}

TEST(ReplayPlanTest, OneThreadIsTheTraceItself) {
    auto trace =
        Build({Event(TRACE_ALLOC, 0, 100, 0), Event(TRACE_ALLOC, 1, 50, 0),
               Event(TRACE_REALLOC, 0, 300, 0), Event(TRACE_FREE, 1, 0, 0)});
    auto p = Plan(trace.get());
    EXPECT_EQ(p->lanes, 1u);
    EXPECT_EQ(p->blocks, 2u);
    ASSERT_EQ(p->operations, 5u);  // block 0 is freed at the end
    EXPECT_EQ(p->peak_live_bytes, 350u);
    EXPECT_EQ(p->peak_index, 2u);
    const replay_operation *o = replay_operations(p.get());
    const uint32_t kinds[] = {REPLAY_ALLOC, REPLAY_ALLOC, REPLAY_REALLOC,
                              REPLAY_FREE, REPLAY_FREE};
    const uint32_t steps[] = {0, 0, 1, 1, 2};
    const uint32_t blocks[] = {0, 1, 0, 1, 0};
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT_EQ(o[i].kind_step & 3, kinds[i]) << i;
        EXPECT_EQ(o[i].kind_step >> 2, steps[i]) << i;
        EXPECT_EQ(o[i].block, blocks[i]) << i;
        EXPECT_EQ(o[i].index, i);
    }
    EXPECT_TRUE(replay_plan_is_valid(p.get(), p->bytes));
    EXPECT_FALSE(replay_plan_is_valid(p.get(), p->bytes - 1));
}

TEST(ReplayPlanTest, EveryEventIsInItsLaneInOrder) {
    for (unsigned threads : {1u, 2u, 7u, 16u, 17u, 104u}) {
        auto events = RandomEvents(threads, kEvents, threads, true);
        auto trace = Build(events);
        auto p = Plan(trace.get());
        EXPECT_EQ(p->lanes, std::min(threads, 16u));
        ASSERT_TRUE(replay_plan_is_valid(p.get(), p->bytes));
        EXPECT_EQ(p->peak_live_bytes, trace_peak_live_bytes(trace.get()));
        const replay_operation *o = replay_operations(p.get());
        std::vector<bool> seen(p->operations);
        for (uint32_t lane = 0; lane < p->lanes; lane++) {
            for (uint32_t i = p->lane_begin[lane]; i < p->lane_begin[lane + 1];
                 i++) {
                if (i > p->lane_begin[lane]) {
                    ASSERT_LT(o[i - 1].index, o[i].index);
                }
                ASSERT_FALSE(seen[o[i].index]);
                seen[o[i].index] = true;
                if (o[i].index >= events.size()) continue;  // (R4)
                const trace_event &e = events[o[i].index];
                ASSERT_EQ(e.thread % p->lanes, lane);
                ASSERT_EQ(e.block, o[i].block);
                ASSERT_EQ(e.size, o[i].size);
            }
        }
    }
}

TEST(ReplayPlanTest, FoldsOntoFewerLanesWhenAsked) {
    auto trace = Build(RandomEvents(7, kEvents, 3, true));
    EXPECT_EQ(Plan(trace.get(), 2)->lanes, 2u);
    EXPECT_EQ(Plan(trace.get(), 64)->lanes, 7u);
}

TEST(ReplayPlanTest, LimitsKeepLiveBytesBelowThePeakInTheWorstOrder) {
    auto trace = Build(RandomEvents(5, kEvents, 11, true));
    auto p = Plan(trace.get());
    std::vector<replay_operation> ordered(p->operations);
    for (uint32_t i = 0; i < p->operations; i++) {
        const replay_operation &o = replay_operations(p.get())[i];
        ordered[o.index] = o;
    }
    // Worst order: as long as event m is not done, all of its later events
    // below the limit that allocate are, and none that frees.
    std::map<uint32_t, uint32_t> size_of;
    uint64_t live = 0;
    size_t looked_at = 0;
    for (uint32_t m = 0; m < p->operations; m++) {
        uint32_t limit = replay_limits(p.get())[m / REPLAY_LIMIT_STRIDE];
        ASSERT_LE(limit, p->operations);
        if (m <= p->peak_index) {
            ASSERT_LE(limit, p->peak_index + 1);
        }
        if (m % 64 == 0) {
            uint64_t worst = live;
            auto sizes = size_of;
            for (uint32_t i = m; i < limit; i++) {
                uint32_t before = sizes[ordered[i].block];
                if (ordered[i].size > before) {
                    worst += ordered[i].size - before;
                }
                sizes[ordered[i].block] = ordered[i].size;
            }
            ASSERT_LE(worst, p->peak_live_bytes) << m;
            looked_at++;
        }
        live = live - size_of[ordered[m].block] + ordered[m].size;
        size_of[ordered[m].block] = ordered[m].size;
    }
    EXPECT_EQ(live, 0u);
    EXPECT_GE(looked_at, p->operations / 64);
}

// ---- Replays ----

// Operations in all, with which the busiest lane does a pass and a bit: every
// lane then has done one.
uint64_t OnePass(const replay_plan *p) {
    uint64_t most = 0;
    for (uint32_t lane = 0; lane < p->lanes; lane++) {
        most = std::max<uint64_t>(
            most, p->lane_begin[lane + 1] - p->lane_begin[lane]);
    }
    return (most + most / 4 + 200) * p->lanes;
}

struct Outcome {
    std::unique_ptr<stress_outcome> run = std::make_unique<stress_outcome>();
    uint64_t peak = 0, passes = 0;
};

Outcome Replay(const replay_plan *p, const stress_subject *subject,
               uint64_t operations, bool check = true) {
    static stress_run run;
    run = stress_run();
    run.subject = subject;
    run.workload = &stress_workload_trace;
    run.plan = p;
    run.lanes = p->lanes;
    run.seed = 1;
    run.operations = operations;
    run.check = check;
    Outcome out;
    EXPECT_TRUE(stress_perform(&run, out.run.get())) << run.error;
    out.peak = replay_peak_seen(&run);
    out.passes = replay_passes(&run);
    return out;
}

TEST(ReplayTest, PeakLiveIsTheRecordings) {
    int replayed = 0;
    for (unsigned threads : {1u, 2u, 3u, 16u, 40u}) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            auto trace = Build(RandomEvents(threads, kEvents, seed, true));
            auto p = Plan(trace.get());
            Outcome o = Replay(p.get(), stress_subject_of_process("glibc"),
                               OnePass(p.get()));
            EXPECT_EQ(o.peak, trace_peak_live_bytes(trace.get()))
                << threads << " threads, seed " << seed;
            EXPECT_EQ(o.run->allocations, o.run->frees);
            EXPECT_EQ(o.run->failed, 0u);
            EXPECT_GE(o.run->checks, p->operations / 2u);
            replayed++;
        }
    }
    EXPECT_EQ(replayed, 15);
}

// The recordings themselves: every one, the one of 104 threads among them.
TEST(ReplayTest, PeakLiveOfEveryRecordedTraceIsReached) {
    static stress_trace_file files[STRESS_TRACES_MAX];
    size_t count = stress_find_traces(files, STRESS_TRACES_MAX);
    ASSERT_GE(count, 7u);
    size_t replayed = 0;
    for (size_t i = 0; i < count; i++) {
        std::string name = files[i].name;
#ifdef LINN_SANITIZED
        // A million events each; this one has a lane for each thread and frees
        // nearly all blocks on another one.
        if (name != "rsyslogd") continue;
#endif
        struct trace *t = nullptr;
        char error[256];
        ASSERT_EQ(trace_load(files[i].path, &t, error, sizeof error), 0)
            << error;
        TracePointer trace(t);
        auto p = Plan(t);
        Outcome o = Replay(p.get(), stress_subject_of_process("glibc"),
                           OnePass(p.get()));
        EXPECT_EQ(o.peak, trace_peak_live_bytes(t)) << name;
        EXPECT_EQ(o.run->allocations, o.run->frees) << name;
        EXPECT_GE(o.run->checks, p->operations / 3u) << name;
        printf("%s: %u lanes, %llu operations, %llu waits, peak %llu\n",
               name.c_str(), p->lanes,
               (unsigned long long)(o.run->allocations + o.run->frees),
               (unsigned long long)o.run->waits, (unsigned long long)o.peak);
        replayed++;
    }
#ifdef LINN_SANITIZED
    EXPECT_EQ(replayed, 1u);
#else
    EXPECT_EQ(replayed, count);
#endif
}

// A subject that poisons both ends of a block, with different bytes, and looks at
// them when the block comes back: a lane writes the same byte to both.
struct Header {
    size_t size;
    size_t unused;
};
std::atomic<uint64_t> g_looked_at, g_untouched;

unsigned char *Poison(unsigned char *block, size_t size) {
    Header h = {size, 0};
    memcpy(block - sizeof h, &h, sizeof h);
    if (size > 0) block[0] = 0x55;
    if (size > 1) block[size - 1] = 0xaa;
    return block;
}
void LookAtBothEnds(const unsigned char *block) {
    Header h;
    memcpy(&h, block - sizeof h, sizeof h);
    if (h.size < 2) return;  // one byte may be written as it was
    g_looked_at++;
    if (block[0] != block[h.size - 1]) g_untouched++;
}
void *PoisoningAlloc(size_t size) {
    auto *p = static_cast<unsigned char *>(malloc(size + sizeof(Header)));
    return Poison(p + sizeof(Header), size);
}
void *PoisoningRealloc(void *block, size_t size) {
    auto *b = static_cast<unsigned char *>(block);
    LookAtBothEnds(b);
    auto *p = static_cast<unsigned char *>(
        realloc(b - sizeof(Header), size + sizeof(Header)));
    return Poison(p + sizeof(Header), size);
}
void PoisoningFree(void *block) {
    auto *b = static_cast<unsigned char *>(block);
    LookAtBothEnds(b);
    free(b - sizeof(Header));
}

TEST(ReplayTest, TouchesTheFirstAndTheLastLineOfEveryBlock) {
    stress_subject poisoning = *stress_subject_of_process("poisoning");
    poisoning.alloc = PoisoningAlloc;
    poisoning.realloc = PoisoningRealloc;
    poisoning.free = PoisoningFree;
    for (unsigned threads : {1u, 4u}) {
        auto trace = Build(RandomEvents(threads, kEvents, 21, true));
        auto p = Plan(trace.get());
        g_looked_at = g_untouched = 0;
        Replay(p.get(), &poisoning, OnePass(p.get()), false);
        EXPECT_EQ(g_untouched, 0u) << threads << " threads";
        // Half of the events end a block's life or its size.
        EXPECT_GE(g_looked_at, p->operations * 2u / 5) << threads << " threads";
    }
}

double CpuSeconds() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) +
           static_cast<double>(t.tv_nsec) * 1e-9;
}

// One thread allocates and is slow, the other one frees: it waits for each block.
TEST(ReplayTest, WaitingIsCountedApart) {
    constexpr uint32_t kBlocks = 500;
    std::vector<trace_event> events;
    for (uint32_t i = 0; i < kBlocks; i++) {
        events.push_back(Event(TRACE_ALLOC, i, 64, 0));
        events.push_back(Event(TRACE_FREE, i, 0, 1));
    }
    auto trace = Build(events);
    auto p = Plan(trace.get());
    ASSERT_EQ(p->lanes, 2u);
    stress_subject slow = *stress_subject_of_process("slow");
    slow.alloc = [](size_t size) -> void * {
        usleep(200);
        return malloc(size);
    };
    double before = CpuSeconds();
    // One pass, and no more: the one that frees has half of it.
    Outcome o = Replay(p.get(), &slow, 2 * kBlocks, false);
    double all = CpuSeconds() - before;
    EXPECT_GE(o.run->allocations, kBlocks);
    // A wait for each block, but for those that the slow one had ready while the
    // other was kept from running.
    EXPECT_GE(o.run->waits, 10u);
    EXPECT_GT(o.run->wait_seconds, 0);
    EXPECT_GE(o.run->cpu_seconds, 0);
    // Taken off the time of the work, not only told beside it.
    EXPECT_LE(o.run->cpu_seconds + o.run->wait_seconds, all + 1e-6);
}

// A subject that writes down who did what; blocks are told apart by their size.
struct Call {
    pid_t thread;
    bool is_free;
    size_t size;
};
std::mutex g_mutex;
std::vector<Call> g_calls;

void Log(bool is_free, size_t size) {
    std::lock_guard<std::mutex> hold(g_mutex);
    g_calls.push_back({static_cast<pid_t>(syscall(SYS_gettid)), is_free, size});
}
void *LoggingAlloc(size_t size) {
    char *p = static_cast<char *>(malloc(size + 16));
    memcpy(p, &size, sizeof size);
    Log(false, size);
    return p + 16;
}
void LoggingFree(void *block) {
    char *p = static_cast<char *>(block) - 16;
    size_t size;
    memcpy(&size, p, sizeof size);
    Log(true, size);
    free(p);
}

TEST(ReplayTest, KeepsEachThreadsOrderAndFreesAfterTheAllocation) {
    auto events = RandomEvents(6, kEvents, 5, false);
    auto trace = Build(events);
    auto p = Plan(trace.get());
    stress_subject logging = *stress_subject_of_process("logging");
    logging.alloc = LoggingAlloc;
    logging.free = LoggingFree;
    g_calls.clear();
    // The first pass alone: a lane's quota is less than one pass of the
    // smallest, so the replay is stopped within it; what was done must be a
    // part of the plan, in order.
    uint64_t least = UINT64_MAX;
    for (uint32_t lane = 0; lane < p->lanes; lane++) {
        least = std::min<uint64_t>(
            least, p->lane_begin[lane + 1] - p->lane_begin[lane]);
    }
    ASSERT_GT(least, 300u);
    Replay(p.get(), &logging, (least - 100) * p->lanes, false);

    std::map<pid_t, std::vector<Call>> by_thread;
    std::set<size_t> live, ever;
    for (const Call &c : g_calls) {
        by_thread[c.thread].push_back(c);
        if (c.is_free) {
            ASSERT_EQ(live.erase(c.size), 1u) << c.size;
        } else {
            ASSERT_TRUE(ever.insert(c.size).second) << "allocated twice";
            live.insert(c.size);
        }
    }
    EXPECT_TRUE(live.empty());
    EXPECT_EQ(by_thread.size(), p->lanes);
    // Each thread is one lane: its calls are the lane's operations in order,
    // until the stop; then it clears what is left.
    const replay_operation *o = replay_operations(p.get());
    std::set<uint32_t> lanes;
    size_t in_order = 0;
    for (const auto &[thread, calls] : by_thread) {
        uint32_t best_lane = 0;
        size_t best = 0;
        for (uint32_t lane = 0; lane < p->lanes; lane++) {
            size_t same = 0;
            while (same < calls.size() &&
                   p->lane_begin[lane] + same < p->lane_begin[lane + 1]) {
                const replay_operation &x = o[p->lane_begin[lane] + same];
                bool is_free = (x.kind_step & 3) == REPLAY_FREE;
                // Size = block + 1 in these traces.
                if (is_free != calls[same].is_free ||
                    x.block + 1 != calls[same].size) {
                    break;
                }
                same++;
            }
            if (same > best) {
                best = same;
                best_lane = lane;
            }
        }
        lanes.insert(best_lane);
        in_order += best;
        // Whatever follows is clearing: frees alone.
        for (size_t i = best; i < calls.size(); i++) {
            ASSERT_TRUE(calls[i].is_free);
        }
    }
    EXPECT_EQ(lanes.size(), p->lanes);
    // The lane that ended the replay did its whole quota.
    EXPECT_GE(in_order, least - 100);
}

TEST(ReplayTest, RefusedAllocationsLoseNothing) {
    auto trace = Build(RandomEvents(3, kEvents, 9, true));
    auto p = Plan(trace.get());
    static thread_local int calls;
    stress_subject refusing = *stress_subject_of_process("refusing");
    refusing.alloc = [](size_t size) -> void * {
        return ++calls % 7 == 0 ? nullptr : malloc(size);
    };
    refusing.realloc = [](void *block, size_t size) -> void * {
        return ++calls % 7 == 0 ? nullptr : realloc(block, size);
    };
    Outcome o = Replay(p.get(), &refusing, OnePass(p.get()));
    EXPECT_GE(o.run->failed, p->operations / 30u);
    EXPECT_EQ(o.run->allocations, o.run->frees);
}

}  // namespace
