#include "stress/workload.h"

#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "stress/ring.h"
#include "stress/sizes.h"

namespace {

#ifdef LINN_SANITIZED
constexpr uint64_t kOperations = 40000;
#else
constexpr uint64_t kOperations = 400000;
#endif

const stress_subject *Subject() {
#ifdef STRESS_TEST_LINN
    return linn_stress_subject();
#else
    return stress_subject_of_process("glibc");
#endif
}

// A lock that is held when a child is forked, or a handler comes, stays held.
bool MayStorm() {
    return std::string(Subject()->name) != "linn-locked";
}

std::unique_ptr<stress_outcome> Perform(const std::string &name, uint32_t lanes,
                                        uint64_t operations,
                                        const stress_subject *subject,
                                        uint64_t seed = 1, bool check = true) {
    static stress_run run;
    run = stress_run();
    run.subject = subject;
    run.workload = stress_workload_named(name.c_str());
    run.lanes = lanes;
    run.seed = seed;
    run.operations = operations;
    run.check = check;
    auto out = std::make_unique<stress_outcome>();
    EXPECT_TRUE(stress_perform(&run, out.get())) << run.error;
    return out;
}

class WorkloadTest
    : public testing::TestWithParam<std::tuple<const char *, int>> {};

TEST_P(WorkloadTest, LosesNothing) {
    std::string name = std::get<0>(GetParam());
    uint32_t lanes = static_cast<uint32_t>(std::get<1>(GetParam()));
    const stress_workload *w = stress_workload_named(name.c_str());
    ASSERT_NE(w, nullptr);
    if ((w->needs_fork || w->needs_signal) && !MayStorm()) {
        GTEST_SKIP() << name << " is not for a subject that locks";
    }
#ifndef STRESS_TEST_LINN
#ifdef LINN_SANITIZED
    // What stands for malloc here is the sanitizer's: its locks stay held in a
    // child that is forked while another thread has them.
    if (w->needs_fork) GTEST_SKIP() << "the sanitizer's malloc after fork";
#endif
    // glibc's malloc is no friend of handlers either.
    if (w->needs_signal) GTEST_SKIP() << "malloc in a handler";
#endif
    auto o = Perform(name, lanes, kOperations, Subject());
    EXPECT_GE(o->allocations + o->frees, kOperations);
    EXPECT_EQ(o->allocations, o->frees);
    EXPECT_EQ(o->checks, o->frees);
    EXPECT_EQ(o->failed, 0u);
    if (o->has_counters) {
        EXPECT_EQ(o->counters_final.live_blocks, 0u);
        EXPECT_GE(o->counters_final.allocations, o->allocations);
    }
    RecordProperty("operations", std::to_string(o->allocations + o->frees));
    RecordProperty("elsewhere", std::to_string(o->frees_elsewhere));
    if (name == "ring") {
        EXPECT_EQ(o->frees_elsewhere, o->frees);
    }
    if (name == "hand-off") {
        // What is on the board at the end is freed by whoever clears it.
        EXPECT_GE(o->frees_elsewhere + 4096, o->frees * 45 / 100);
        EXPECT_LE(o->frees_elsewhere, o->frees * 55 / 100);
    }
    if (name == "thread-churn") {
        EXPECT_GE(o->frees_elsewhere, o->frees * 40 / 100);
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, WorkloadTest,
    testing::Combine(testing::Values("pair", "churn", "mix", "gateway", "ring",
                                     "hand-off", "larson", "thread-churn",
                                     "fork-storm", "signal-storm"),
                     testing::Values(2, 16)));

TEST(WorkloadTest, TheTestsAboveNameEveryWorkloadButTheTrace) {
    size_t count = 0;
    while (stress_workloads[count] != nullptr) {
        count++;
    }
    EXPECT_EQ(count, 10u + 1u);
    EXPECT_EQ(stress_workload_named("no such"), nullptr);
}

#ifndef STRESS_TEST_LINN

// ---- Determinism: the sizes that a subject sees, in order ----

uint64_t g_hash;

void *HashingAlloc(size_t size) {
    g_hash = stress_random_mix(g_hash + size);
    return malloc(size);
}

const stress_subject kHashing = {
    "hashing",          HashingAlloc, free,    realloc,
    malloc_usable_size, nullptr,      nullptr, nullptr};

uint64_t SizesOf(const std::string &name, uint64_t seed) {
    g_hash = 0;
    // Two lanes where one only frees; else one, so that the order is one.
    Perform(name, name == "ring" ? 2 : 1, 20000, &kHashing, seed, false);
    return g_hash;
}

TEST(WorkloadTest, TheSameSeedGivesTheSameSizes) {
    for (const char *name :
         {"mix", "gateway", "ring", "larson", "thread-churn"}) {
        uint64_t first = SizesOf(name, 1);
        EXPECT_EQ(SizesOf(name, 1), first) << name;
        EXPECT_NE(SizesOf(name, 2), first) << name;
    }
}

// ---- Canaries ----

// Two blocks that are one.
unsigned char g_shared[1 << 16];
void *OverlappingAlloc(size_t) {
    return g_shared;
}
void NoFree(void *) {}
void *NoRealloc(void *block, size_t) {
    return block;
}
size_t AllOfIt(void *) {
    return sizeof g_shared;
}
size_t TooLittle(void *) {
    return 1;
}
void *Misaligned(size_t) {
    return g_shared + 4;
}

stress_subject Faulty(void *(*alloc)(size_t), size_t (*usable)(void *)) {
    stress_subject s = {};
    s.name = "faulty";
    s.alloc = alloc;
    s.free = NoFree;
    s.realloc = NoRealloc;
    s.usable_size = usable;
    return s;
}

TEST(CanaryDeathTest, OverlapIsReportedWithSeedBlockAndBothOwners) {
    stress_subject s = Faulty(OverlappingAlloc, AllOfIt);
    EXPECT_EXIT(Perform("churn", 1, 10000, &s, 77),
                testing::ExitedWithCode(STRESS_EXIT_BROKEN),
                "canary is broken(.|\n)*seed 77(.|\n)*block(.|\n)*held by  "
                "thread 0, its allocation [0-9]+ of 256(.|\n)*written by  "
                "thread 0, its allocation [0-9]+ of 256");
}

TEST(CanaryDeathTest, ABlockThatIsTooSmallIsReported) {
    stress_subject s = Faulty(OverlappingAlloc, TooLittle);
    EXPECT_EXIT(Perform("churn", 1, 10000, &s),
                testing::ExitedWithCode(STRESS_EXIT_BROKEN), "usable size");
}

TEST(CanaryDeathTest, ABlockThatIsNotAlignedIsReported) {
    stress_subject s = Faulty(Misaligned, AllOfIt);
    EXPECT_EXIT(Perform("churn", 1, 10000, &s),
                testing::ExitedWithCode(STRESS_EXIT_BROKEN), "not aligned");
}

// Every byte position of both ends, for sizes around all the borders.
TEST(CanaryTest, EveryByteOfTheEndsIsGuarded) {
    static stress_run run;
    run = stress_run();
    run.workload = &stress_workload_pair;
    stress_subject s = Faulty(OverlappingAlloc, AllOfIt);
    static stress_lane lane;
    lane.run = &run;
    lane.subject = &s;
    size_t looked_at = 0;
    for (uint32_t size :
         {0u, 1u, 7u, 8u, 9u, 63u, 64u, 127u, 128u, 129u, 200u, 1000u}) {
        stress_block b = {g_shared, size, 5};
        stress_canary_write(&lane, &b);
        stress_canary_check(&lane, &b);
        for (uint32_t i = 0; i < size; i++) {
            if (i >= 64 && i + 64 < size) continue;
            looked_at++;
            unsigned char was = g_shared[i];
            // Only a few in a child process: dying is slow.
            if (looked_at % 97 != 0) continue;
            g_shared[i] = static_cast<unsigned char>(was ^ 0x40);
            EXPECT_EXIT(stress_canary_check(&lane, &b),
                        testing::ExitedWithCode(STRESS_EXIT_BROKEN), "broken")
                << size << " " << i;
            g_shared[i] = was;
        }
    }
    EXPECT_GE(looked_at, 700u);
}

int g_calls;
void *RefusingAlloc(size_t size) {
    return ++g_calls % 10 == 0 ? nullptr : malloc(size);
}

TEST(WorkloadTest, ARefusedAllocationIsCountedAndNothingIsLost) {
    stress_subject s = *stress_subject_of_process("refusing");
    s.alloc = RefusingAlloc;
    for (const char *name : {"mix", "larson", "thread-churn", "pair"}) {
        g_calls = 0;
        auto o = Perform(name, 1, 20000, &s);
        EXPECT_GE(o->failed, 500u) << name;
        EXPECT_EQ(o->allocations, o->frees) << name;
    }
}

// ---- Sizes ----

double ShareOf(const std::vector<uint32_t> &sizes, uint32_t least,
               uint32_t most) {
    auto in = std::count_if(sizes.begin(), sizes.end(), [&](uint32_t s) {
        return s >= least && s <= most;
    });
    return 100.0 * static_cast<double>(in) / static_cast<double>(sizes.size());
}

TEST(SizesTest, ProxyHasTheStatedShares) {
    std::vector<uint32_t> sizes(STRESS_SIZES);
    stress_sizes_proxy(sizes.data(), 1);
    EXPECT_NEAR(ShareOf(sizes, 1, 64), 14, 1);
    EXPECT_NEAR(ShareOf(sizes, 256, 256), 24, 1);
    EXPECT_NEAR(ShareOf(sizes, 513, 640), 11, 1);
    EXPECT_NEAR(ShareOf(sizes, 1024, 1024), 33, 1);
    EXPECT_NEAR(ShareOf(sizes, 2048, 2048), 3, 1);
    EXPECT_NEAR(ShareOf(sizes, 16384, 18432), 11, 1);
    double sum = 0;
    for (uint32_t s : sizes) {
        sum += s;
    }
    EXPECT_NEAR(sum / int{STRESS_SIZES}, 2534, 150);
}

TEST(SizesTest, GatewayIsLogNormal) {
    std::vector<uint32_t> sizes(STRESS_SIZES);
    stress_sizes_gateway(sizes.data(), 1);
    std::sort(sizes.begin(), sizes.end());
    EXPECT_NEAR(sizes[STRESS_SIZES / 2], 1998, 60);           // e^7.6
    EXPECT_NEAR(sizes[STRESS_SIZES * 95 / 100], 10352, 600);  // e^(7.6+1.645)
    EXPECT_NEAR(sizes[STRESS_SIZES * 99 / 100], 20460, 1800);
    EXPECT_GE(sizes.front(), 8u);
    EXPECT_LE(sizes.back(), 1048576u);
}

// ---- The ring, across the wrap of its indexes ----

TEST(RingTest, KeepsOrderAcrossTheWrap) {
    auto ring = std::make_unique<stress_ring>();
    uint32_t start = UINT32_MAX - 100;
    ring->tail_own = ring->head_seen = ring->head_own = ring->tail_seen = start;
    // SR.P1, SR.C2: both indexes, just below their wrap.
    sync_u32_store_release(&ring->tail, start);
    sync_u32_store_release(&ring->head, start);
    uint32_t put = 0, taken = 0;
    for (int round = 0; round < 1000; round++) {
        uint32_t room = stress_ring_room(ring.get(), STRESS_RING_SLOTS);
        ASSERT_EQ(room, STRESS_RING_SLOTS - (put - taken));
        uint32_t count = std::min<uint32_t>(room, 1 + (uint32_t)round % 700);
        for (uint32_t i = 0; i < count; i++) {
            stress_ring_put_at(ring.get(), i)->size = put + i;
        }
        stress_ring_put(ring.get(), count);
        put += count;
        uint32_t filled = stress_ring_filled(ring.get(), STRESS_RING_SLOTS);
        ASSERT_EQ(filled, put - taken);
        count = std::min<uint32_t>(filled, (uint32_t)round % 650);
        for (uint32_t i = 0; i < count; i++) {
            ASSERT_EQ(stress_ring_take_at(ring.get(), i)->size, taken + i);
        }
        stress_ring_taken(ring.get(), count);
        taken += count;
    }
    EXPECT_GT(taken, 100u);
}

#endif  // STRESS_TEST_LINN

}  // namespace
