// Huge blocks beside the module: what comes out, what goes back to the system, and
// what is refused.

#include "alloc/huge.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "alloc/arena_fixture.h"
#include "alloc/page_source.h"
#include "gtest/gtest.h"

namespace {

constexpr size_t kGranule = LINN_GRANULE_BYTES;

linn_pool_core *Core() {
    static linn_pool_core core;
    static bool made = false;
    if (!made) linn_fixture_core(&core, nullptr, 0, 8192, 11);
    made = true;
    return &core;
}

uint64_t Live() {
    return linn_fixture_live(Core(), LINN_TALLY_HUGE_BORN,
                             LINN_TALLY_HUGE_DIED);
}

uint64_t LiveBytes() {
    return linn_fixture_live(Core(), LINN_TALLY_HUGE_BYTES_BORN,
                             LINN_TALLY_HUGE_BYTES_DIED);
}

uintptr_t AddressOf(const void *p) {
    return reinterpret_cast<uintptr_t>(p);
}

// Whether the system has anything at these addresses.
bool IsMapped(uintptr_t at, size_t bytes) {
    std::vector<unsigned char> pages(bytes / 4096);
    if (mincore(reinterpret_cast<void *>(at), bytes, pages.data()) == 0) {
        return true;
    }
    EXPECT_EQ(errno, ENOMEM);
    return false;
}

[[maybe_unused]] size_t Resident(uintptr_t at, size_t bytes) {
    std::vector<unsigned char> pages(bytes / 4096);
    EXPECT_EQ(mincore(reinterpret_cast<void *>(at), bytes, pages.data()), 0);
    size_t n = 0;
    for (unsigned char p : pages)
        n += p & 1u;
    return n;
}

size_t BytesOf(const void *block) {
    return linn_huge_bytes(linn_chunk_of(block));
}

TEST(HugeTest, SizesAreWholeGranules) {
    int walked = 0;
    for (size_t granules : {1u, 2u, 3u, 16u, 17u, 64u, 100u}) {
        for (size_t less : {size_t{0}, size_t{1}, size_t{4096}, kGranule - 1}) {
            size_t bytes = granules * kGranule - less;
            auto *p = static_cast<char *>(linn_huge_take(Core(), bytes, 16));
            ASSERT_NE(p, nullptr) << bytes;
            EXPECT_EQ(AddressOf(p) % kGranule, 0u);
            EXPECT_EQ(BytesOf(p), granules * kGranule);
            EXPECT_EQ(LiveBytes(), granules * kGranule);
            EXPECT_EQ(linn_fixture_held(Core()), granules * kGranule);
            // The map knows its first page as a block's start, and no other's.
            EXPECT_EQ(linn_entry_class(linn_page_map_get(p)),
                      uint32_t{LINN_MAP_HUGE});
            EXPECT_EQ(linn_page_map_get(p + 4096), 0u);
            EXPECT_NE(linn_page_map_slot(p + bytes - 1), LINN_NO_SLOT);
            // Zero, and only touched pages are there.
            EXPECT_EQ(p[0], 0);
            EXPECT_EQ(p[bytes - 1], 0);
            p[0] = p[bytes - 1] = 1;
            EXPECT_TRUE(linn_huge_give(p));
            walked++;
        }
    }
    EXPECT_EQ(Live(), 0u);
    EXPECT_EQ(LiveBytes(), 0u);
    printf("%d sizes\n", walked);
}

TEST(HugeTest, SizesAtTheEnds) {
    void *p = linn_huge_take(Core(), 0, 1);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(BytesOf(p), kGranule);
    EXPECT_TRUE(linn_huge_give(p));
    uint64_t calls = linn_page_source_calls();
    errno = 77;
    for (size_t bytes :
         {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - kGranule, SIZE_MAX / 2 + 1,
          SIZE_MAX / 2, SIZE_MAX / 2 - kGranule + 1}) {
        EXPECT_EQ(linn_huge_take(Core(), bytes, 16), nullptr) << bytes;
    }
    // Those are not even asked for.
    EXPECT_EQ(linn_page_source_calls(), calls);
    for (size_t bytes : {SIZE_MAX / 2 - kGranule, size_t{1} << 60,
                         size_t{1} << 48, (size_t{1} << 47) - kGranule}) {
        EXPECT_EQ(linn_huge_take(Core(), bytes, 16), nullptr) << bytes;
    }
    EXPECT_EQ(errno, 77);
    EXPECT_EQ(Live(), 0u);
    EXPECT_EQ(linn_fixture_held(Core()), 0u);
}

TEST(HugeTest, EveryAlignment) {
    int walked = 0;
    for (size_t alignment = 1; alignment <= (size_t{256} << 20);
         alignment *= 2) {
        for (size_t bytes : {size_t{1}, 3 * kGranule + 5, size_t{40} << 20}) {
            void *two[2];
            for (void *&p : two) {
                p = linn_huge_take(Core(), bytes, alignment);
                ASSERT_NE(p, nullptr) << alignment;
                EXPECT_EQ(AddressOf(p) % alignment, 0u) << bytes;
                EXPECT_EQ(AddressOf(p) % kGranule, 0u);
                walked++;
            }
            EXPECT_TRUE(
                AddressOf(two[0]) + BytesOf(two[0]) <= AddressOf(two[1]) ||
                AddressOf(two[1]) + BytesOf(two[1]) <= AddressOf(two[0]));
            for (void *p : two)
                EXPECT_TRUE(linn_huge_give(p));
        }
    }
    EXPECT_EQ(Live(), 0u);
    printf("%d blocks\n", walked);
}

TEST(HugeTest, EverythingGoesBackToTheSystem) {
    for (size_t alignment : {size_t{16}, size_t{64} << 20}) {
        size_t bytes = 5 * kGranule;
        void *p = linn_huge_take(Core(), bytes - 100, alignment);
        ASSERT_NE(p, nullptr);
        uintptr_t at = AddressOf(p);
        EXPECT_TRUE(IsMapped(at, bytes));
#ifndef LINN_SANITIZED
        EXPECT_EQ(Resident(at, bytes), 0u);
        memset(p, 1, 3 * 4096);
        EXPECT_GE(Resident(at, bytes), 3u);
        EXPECT_LE(Resident(at, bytes), 512u);  // one huge page at most
#endif
        // What alignment cost in addresses has gone back already.
        EXPECT_EQ(linn_fixture_held(Core()), bytes);
        uint64_t calls = linn_page_source_calls();
        ASSERT_TRUE(linn_huge_give(p));
        EXPECT_EQ(linn_page_source_calls(), calls + 1);
        for (size_t i = 0; i < bytes; i += kGranule)
            EXPECT_FALSE(IsMapped(at + i, 4096)) << i;
        for (size_t i = 0; i < bytes; i += kGranule) {
            void *granule = reinterpret_cast<void *>(at + i);
            EXPECT_EQ(linn_page_map_get(granule), 0u);
            EXPECT_EQ(linn_page_map_slot(granule), LINN_NO_SLOT);
        }
    }
    EXPECT_EQ(linn_fixture_held(Core()), 0u);
}

TEST(HugeTest, OnlyALiveBlockIsTaken) {
    auto *p = static_cast<char *>(linn_huge_take(Core(), 3 * kGranule, 16));
    ASSERT_NE(p, nullptr);
    static char in_the_program[64];
    char on_the_stack[64];
    for (char *bad : {in_the_program, on_the_stack, p + 1, p + 8, p + 4096,
                      p + kGranule, p + 3 * kGranule - 1, p - 1,
                      p + 3 * kGranule, static_cast<char *>(nullptr)}) {
        EXPECT_FALSE(linn_huge_give(bad));
    }
    EXPECT_EQ(Live(), 1u);
    p[3 * kGranule - 1] = 1;  // it is all there
    EXPECT_TRUE(linn_huge_give(p));
    EXPECT_FALSE(linn_huge_give(p));
    EXPECT_FALSE(linn_huge_give(p));
    EXPECT_EQ(Live(), 0u);
}

// Of many threads that give one block back, one does.
TEST(HugeTest, OneOfManyGives) {
    constexpr int kThreads = 4, kRounds = 200;
    std::atomic<int> given{0}, arrived{0};
    std::atomic<void *> block{nullptr};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&, t] {
            for (int round = 1; round <= kRounds; round++) {
                if (t == 0) block = linn_huge_take(Core(), kGranule, 16);
                arrived++;
                while (arrived < 2 * kThreads * (round - 1) + kThreads)
                    std::this_thread::yield();
                if (linn_huge_give(block)) given++;
                arrived++;
                while (arrived < 2 * kThreads * round)
                    std::this_thread::yield();
            }
        });
    }
    for (std::thread &t : threads)
        t.join();
    EXPECT_EQ(given, kRounds);
    EXPECT_EQ(Live(), 0u);
    EXPECT_EQ(linn_fixture_held(Core()), 0u);
}

// The system refuses at each call in turn: nothing is lost, and the slot is free.
TEST(HugeTest, ARefusalLosesNothing) {
    ASSERT_TRUE(linn_huge_give(linn_huge_take(Core(), kGranule, 16)));
    int refused = 0;
    for (size_t alignment : {size_t{16}, size_t{8} << 20}) {
        for (uint64_t n = 0;; n++) {
            uint32_t slots = linn_chunk_slot_limit();
            linn_page_source_fail_after(n);
            void *p = linn_huge_take(Core(), 2 * kGranule, alignment);
            linn_page_source_fail_never();
            EXPECT_EQ(linn_chunk_slot_limit(), slots);
            if (p != nullptr) {
                EXPECT_TRUE(linn_huge_give(p));
                break;
            }
            refused++;
            EXPECT_EQ(Live(), 0u);
            EXPECT_EQ(linn_fixture_held(Core()), 0u);
            ASSERT_LT(n, 10u);
        }
    }
    printf("%d refusals\n", refused);
    EXPECT_GE(refused, 2);
}

}  // namespace
