#include "alloc/page_source.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;
constexpr size_t kOsPage = 4096;

size_t AddressSpaceBytes() {
    size_t pages = 0;
    std::FILE *f = std::fopen("/proc/self/statm", "r");
    if (f == nullptr || std::fscanf(f, "%zu", &pages) != 1) pages = 0;
    if (f != nullptr) std::fclose(f);
    EXPECT_GT(pages, 0u);
    return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

bool IsZero(const char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (p[i] != 0) return false;
    }
    return true;
}

size_t ResidentPages(void *p, size_t bytes) {
    std::vector<unsigned char> in(bytes / kOsPage);
    EXPECT_EQ(mincore(p, bytes, in.data()), 0);
    size_t n = 0;
    for (unsigned char c : in) {
        n += c & 1;
    }
    return n;
}

class PageSourceTest : public testing::Test {
   protected:
    void TearDown() override {
        linn_page_source_fail_never();
    }
};

TEST_F(PageSourceTest, MapsAlignedZeroedMemoryAndGivesItBack) {
    AddressSpaceBytes();  // stdio makes its buffer
    size_t before = AddressSpaceBytes();
    int mapped = 0;
    for (size_t bytes : {kOsPage, 3 * kOsPage, kMiB, 16 * kMiB, 17 * kMiB}) {
        for (size_t alignment = 1; alignment <= 64 * kMiB; alignment *= 2) {
            // A page in between, so that addresses are not aligned by luck.
            char *odd =
                static_cast<char *>(linn_page_source_map(kOsPage, kOsPage));
            char *p =
                static_cast<char *>(linn_page_source_map(bytes, alignment));
            ASSERT_NE(p, nullptr);
            EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % alignment, 0u);
            EXPECT_TRUE(IsZero(p, kOsPage));
            EXPECT_TRUE(IsZero(p + bytes - kOsPage, kOsPage));
            p[0] = p[bytes - 1] = 1;
            EXPECT_EQ(AddressSpaceBytes(), before + kOsPage + bytes);
            linn_page_source_unmap(p, bytes);
            linn_page_source_unmap(odd, kOsPage);
            ASSERT_EQ(AddressSpaceBytes(), before);
            mapped++;
        }
    }
    EXPECT_EQ(mapped, 5 * 27);
}

TEST_F(PageSourceTest, NeighbouringChunksCostOneCall) {
    std::vector<void *> chunks;
    for (int i = 0; i < 8; i++) {
        chunks.push_back(linn_page_source_map(16 * kMiB, 16 * kMiB));
        ASSERT_NE(chunks.back(), nullptr);
    }
    uint64_t before = linn_page_source_calls();
    void *p = linn_page_source_map(16 * kMiB, 16 * kMiB);
    EXPECT_EQ(linn_page_source_calls(), before + 1);
    linn_page_source_unmap(p, 16 * kMiB);
    EXPECT_EQ(linn_page_source_calls(), before + 2);
    for (void *chunk : chunks) {
        linn_page_source_unmap(chunk, 16 * kMiB);
    }
}

// Maps single pages until the next map of `bytes` is not aligned by luck.
std::vector<void *> SpoilLuck(size_t bytes) {
    std::vector<void *> odd;
    for (;;) {
        void *p = linn_page_source_map(bytes, kOsPage);
        linn_page_source_unmap(p, bytes);
        if (reinterpret_cast<uintptr_t>(p) % bytes != 0) return odd;
        odd.push_back(linn_page_source_map(kOsPage, kOsPage));
    }
}

// Each of the calls inside one map fails in turn; nothing is left behind.
TEST_F(PageSourceTest, FailuresLeaveNothingBehind) {
    AddressSpaceBytes();
    size_t before = AddressSpaceBytes();
    std::vector<void *> odd = SpoilLuck(kMiB);
    before += odd.size() * kOsPage;
    // Misaligned at first and then trimmed: two calls that can fail.
    for (uint64_t n = 0; n < 3; n++) {
        for (size_t alignment : {kOsPage, kMiB, 64 * kMiB}) {
            uint64_t faults = linn_page_source_faults();
            linn_page_source_fail_after(n);
            void *p = linn_page_source_map(kMiB, alignment);
            linn_page_source_fail_never();
            uint64_t can_fail = alignment == kMiB ? 2 : 1;
            EXPECT_EQ(p == nullptr, n < can_fail) << n << " " << alignment;
            EXPECT_EQ(linn_page_source_faults(), faults + (n < can_fail));
            if (p != nullptr) linn_page_source_unmap(p, kMiB);
            ASSERT_EQ(AddressSpaceBytes(), before);
        }
    }
    for (void *p : odd) {
        linn_page_source_unmap(p, kOsPage);
    }
}

TEST_F(PageSourceTest, RefusalsKeepErrno) {
    errno = 12345;
    EXPECT_EQ(linn_page_source_map(SIZE_MAX / 2 & ~(kMiB - 1), kMiB), nullptr);
    EXPECT_EQ(linn_page_source_map(SIZE_MAX & ~(kMiB - 1), 64 * kMiB), nullptr);
    EXPECT_EQ(linn_page_source_map(kMiB, SIZE_MAX / 2 + 1), nullptr);
    EXPECT_EQ(linn_page_source_reserve(SIZE_MAX / 2 & ~(kMiB - 1)), nullptr);
    EXPECT_EQ(linn_page_source_reserve_readable(SIZE_MAX / 2 & ~(kMiB - 1)),
              nullptr);
    // A page that nobody has: the first one.
    EXPECT_FALSE(linn_page_source_enable(nullptr, kOsPage));
    linn_page_source_unmap(reinterpret_cast<void *>(1), kOsPage);
    EXPECT_EQ(errno, 12345);
}

TEST_F(PageSourceTest, ReservesMoreThanTheMachineHas) {
    // 512 GiB.
    size_t bytes = 512 * 1024 * kMiB;
    char *p = static_cast<char *>(linn_page_source_reserve(bytes));
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(p[bytes / 2], 0);
    p[bytes - 1] = 1;
    linn_page_source_unmap(p, bytes);
}

TEST_F(PageSourceTest, ReadableUntilEnabled) {
    constexpr size_t kBytes = 64 * kMiB;
    char *p = static_cast<char *>(linn_page_source_reserve_readable(kBytes));
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(IsZero(p, 2 * kOsPage));
    EXPECT_DEATH(p[kMiB] = 1, "");
    linn_page_source_fail_after(0);
    EXPECT_FALSE(linn_page_source_enable(p + kMiB, 64 * kKiB));
    EXPECT_DEATH(p[kMiB] = 1, "");
    for (int twice = 0; twice < 2; twice++) {
        ASSERT_TRUE(linn_page_source_enable(p + kMiB, 64 * kKiB));
        EXPECT_EQ(p[kMiB], twice);
        p[kMiB] = p[kMiB + 64 * kKiB - 1] = 1;
    }
    EXPECT_DEATH(p[kMiB + 64 * kKiB] = 1, "");
    EXPECT_DEATH(p[kMiB - 1] = 1, "");
    linn_page_source_unmap(p, kBytes);
}

TEST_F(PageSourceTest, PurgeGivesMemoryBackAndKeepsAddresses) {
    for (bool locked : {false, true}) {
        constexpr size_t kBytes = 8 * kOsPage;  // below any RLIMIT_MEMLOCK
        char *p = static_cast<char *>(linn_page_source_map(kBytes, kOsPage));
        ASSERT_NE(p, nullptr);
        if (locked) {
            ASSERT_EQ(mlock(p, kBytes), 0) << "raise RLIMIT_MEMLOCK to 32 KiB";
        }
        std::memset(p, 1, kBytes);
        EXPECT_EQ(ResidentPages(p, kBytes), 8u);
        errno = 12345;
        linn_page_source_purge(p + kOsPage, kBytes - 2 * kOsPage);
        EXPECT_EQ(errno, 12345);
        if (!locked) {
            EXPECT_EQ(ResidentPages(p, kBytes), 2u);
        }
        EXPECT_TRUE(IsZero(p + kOsPage, kBytes - 2 * kOsPage));
        EXPECT_EQ(p[kOsPage - 1], 1);
        EXPECT_EQ(p[kBytes - kOsPage], 1);
        std::memset(p, 2, kBytes);
        linn_page_source_unmap(p, kBytes);
    }
}

#ifndef LINN_SANITIZED
// With as many mappings as the kernel allows, it can split none, and so cannot
// unmap the middle of one.  Sanitizers need mappings of their own.
TEST_F(PageSourceTest, MemoryGoesBackWhereAddressesCannot) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        char *p =
            static_cast<char *>(linn_page_source_map(3 * kOsPage, kOsPage));
        std::memset(p, 1, 3 * kOsPage);
        constexpr size_t kMany = size_t{1} << 24;
        char *many = static_cast<char *>(
            linn_page_source_reserve_readable(kMany * kOsPage));
        size_t n = 0;
        while (n < kMany &&
               linn_page_source_enable(many + n * kOsPage, kOsPage)) {
            n += 2;
        }
        linn_page_source_unmap(p + kOsPage, kOsPage);
        bool refused = mincore(p + kOsPage, kOsPage, new unsigned char) == 0;
        bool zero = refused && IsZero(p + kOsPage, kOsPage);
        bool kept = p[kOsPage - 1] == 1 && p[2 * kOsPage] == 1;
        _exit(n < kMany && refused && zero && kept ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}
#endif

TEST_F(PageSourceTest, FaultPlans) {
    auto fails = [] {
        void *p = linn_page_source_map(kOsPage, kOsPage);
        if (p != nullptr) linn_page_source_unmap(p, kOsPage);
        return p == nullptr;
    };
    uint64_t faults = linn_page_source_faults();
    EXPECT_FALSE(fails());
    linn_page_source_fail_after(2);
    EXPECT_FALSE(fails());
    EXPECT_FALSE(fails());
    EXPECT_TRUE(fails());
    EXPECT_FALSE(fails());
    EXPECT_EQ(linn_page_source_faults(), faults + 1);
    linn_page_source_fail_always();
    EXPECT_TRUE(fails());
    EXPECT_TRUE(fails());
    linn_page_source_fail_never();
    EXPECT_FALSE(fails());
    linn_page_source_fail_every(1);
    EXPECT_TRUE(fails());
    EXPECT_TRUE(fails());
    linn_page_source_fail_every(0);
    EXPECT_FALSE(fails());
    EXPECT_EQ(linn_page_source_faults(), faults + 5);
    linn_page_source_fail_every(4);
    int failed = 0;
    for (int i = 0; i < 4000; i++) {
        failed += fails();
    }
    EXPECT_GT(failed, 800);
    EXPECT_LT(failed, 1200);
    EXPECT_EQ(linn_page_source_faults(),
              faults + 5 + static_cast<uint64_t>(failed));
}

int visits;

TEST_F(PageSourceTest, AVisitorComesOnceAndFirst) {
    void *p = linn_page_source_map(kOsPage, kOsPage);
    visits = 0;
    linn_page_source_visit_next([] {
        visits++;
        linn_page_source_fail_after(0);
    });
    linn_page_source_purge(p, kOsPage);  // cannot fail
    EXPECT_EQ(visits, 0);
    EXPECT_FALSE(linn_page_source_enable(p, kOsPage));
    EXPECT_EQ(visits, 1);
    EXPECT_TRUE(linn_page_source_enable(p, kOsPage));
    EXPECT_EQ(visits, 1);
    linn_page_source_unmap(p, kOsPage);
    linn_page_source_visit_next([] { visits++; });
    p = linn_page_source_map(kOsPage, kOsPage);
    EXPECT_EQ(visits, 2);
    linn_page_source_unmap(p, kOsPage);
}

TEST_F(PageSourceTest, ThreadsShareOnePlan) {
    constexpr int kThreads = 4, kRounds = 500;
    for (uint64_t nth : {0u, 1u, 1000u, kThreads * kRounds - 1u}) {
        uint64_t faults = linn_page_source_faults();
        uint64_t calls = linn_page_source_calls();
        std::atomic<int> failed{0};
        linn_page_source_fail_after(nth);
        std::vector<std::thread> threads;
        for (int t = 0; t < kThreads; t++) {
            threads.emplace_back([&] {
                for (int i = 0; i < kRounds; i++) {
                    void *p = linn_page_source_map(kOsPage, kOsPage);
                    if (p == nullptr) {
                        failed++;
                    } else {
                        linn_page_source_unmap(p, kOsPage);
                    }
                }
            });
        }
        for (std::thread &t : threads) {
            t.join();
        }
        EXPECT_EQ(failed.load(), 1) << nth;
        EXPECT_EQ(linn_page_source_faults(), faults + 1);
        EXPECT_EQ(linn_page_source_calls(),
                  calls + 2 * (kThreads * kRounds - 1));
    }
}

}  // namespace
