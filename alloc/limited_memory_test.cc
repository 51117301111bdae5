// The whole library where address space is short (`ulimit -v`): the flat map of
// addresses is refused, the two-level form serves, and running out is a value.
// This program runs itself again under a limit, which so holds before the
// library's constructor.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "alloc/linn_fixture.h"
#include "alloc/page_map.h"

namespace {

using namespace linn_fixture;

constexpr rlim_t kLimit = rlim_t{600} << 20;

bool IsLimited() {
    rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == kLimit;
}

// Runs one of the tests below in a process of its own under the limit.
void RunLimited(const char *name) {
    std::string filter = std::string("--gtest_filter=LimitedChild.DISABLED_");
    filter += name;
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        rlimit limit = {kLimit, kLimit};
        if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(99);
        execl("/proc/self/exe", "limited", filter.c_str(),
              "--gtest_also_run_disabled_tests", nullptr);
        _exit(98);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(LimitedMemoryTest, EveryKindOfBlock) {
    RunLimited("EveryKindOfBlock");
}
TEST(LimitedMemoryTest, SeveralPoolsAndThreads) {
    RunLimited("SeveralPoolsAndThreads");
}
TEST(LimitedMemoryTest, ToTheEndAndBack) {
    RunLimited("ToTheEndAndBack");
}
TEST(LimitedMemoryTest, MisuseIsNamed) {
    RunLimited("MisuseIsNamed");
}

// The size of every class and group, and some huge ones.
std::vector<size_t> Sizes(linn_pool *pool) {
    std::vector<size_t> sizes;
    for (size_t size = linn_good_size(pool, 0); size <= (3u << 20);
         size = linn_good_size(pool, size + 1)) {
        sizes.push_back(size);
    }
    for (size_t mib : {15u, 16u, 17u, 33u, 100u})
        sizes.push_back(mib << 20);
    return sizes;
}

void TwoOfEachSize(linn_pool *pool) {
    std::vector<Canary> held;
    size_t walked = 0;
    for (size_t size : Sizes(pool)) {
        Canary two[2];
        for (Canary &c : two) {
            void *p = linn_alloc(pool, size);
            ASSERT_NE(p, nullptr) << size;
            ASSERT_EQ(linn_usable_size(p), size);
            c.Write(p, size, ++walked);
        }
        // The small ones stay for a while.
        for (Canary &c : two) {
            ASSERT_TRUE(c.IsWhole()) << size;
            if (size <= 65536) {
                held.push_back(c);
            } else {
                linn_free(c.block);
            }
        }
    }
    for (Canary &c : held) {
        ASSERT_TRUE(c.IsWhole());
        linn_free(c.block);
    }
    EXPECT_GE(walked, 16u);  // unpooled: 16
    EXPECT_EQ(Counters(pool).live_blocks, 0u);
}

class LimitedChild : public testing::Test {
   protected:
    void SetUp() override {
        ASSERT_TRUE(IsLimited());
        // Nobody has decided for the two-level form but the refusal.
        void *p = linn_alloc(nullptr, 1);
        ASSERT_NE(p, nullptr);
        linn_free(p);
        EXPECT_NE(sync_ptr_load_relaxed(&linn_page_map.flat), nullptr);
        EXPECT_EQ(sync_u64_load_relaxed(&linn_page_map.limit), 0u);
        EXPECT_FALSE(linn_page_map_is_flat(AddressOf(p)));
    }
};

TEST_F(LimitedChild, DISABLED_EveryKindOfBlock) {
    TwoOfEachSize(nullptr);
    for (size_t alignment = 16; alignment <= (16u << 20); alignment *= 2) {
        void *p = linn_alloc_aligned(nullptr, alignment, 100);
        ASSERT_NE(p, nullptr) << alignment;
        EXPECT_EQ(AddressOf(p) % alignment, 0u);
        linn_free(p);
    }
    void *p = linn_alloc(nullptr, 100);
    for (size_t size : {5000u, 70000u, 600000u, 20000000u, 10u}) {
        memset(p, 7, 10);
        p = linn_realloc(nullptr, p, size);
        ASSERT_NE(p, nullptr) << size;
        EXPECT_EQ(static_cast<char *>(p)[9], 7);
    }
    linn_free(p);
}

TEST_F(LimitedChild, DISABLED_SeveralPoolsAndThreads) {
    linn_pool *pools[6];
    for (int i = 0; i < 6; i++) {
        linn_options o = LINN_OPTIONS_INIT;
        o.arenas = i == 0 ? 0 : 1;
        o.chunk_order = i == 1 ? 11 : 7;
        o.cache = i != 2;
        pools[i] = Create(&o);
    }
    for (linn_pool *pool : pools)
        TwoOfEachSize(pool);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&, t] {
            Random random(static_cast<uint64_t>(t));
            std::vector<Canary> held(20);
            for (int i = 0; i < 5000; i++) {
                Canary &c = held[random.Below(held.size())];
                if (c.block != nullptr) {
                    ASSERT_TRUE(c.IsWhole());
                    linn_free(c.block);
                }
                size_t size = 1 + random.Below(20000);
                void *p = linn_alloc(pools[1 + random.Below(5)], size);
                ASSERT_NE(p, nullptr);
                c.Write(p, linn_usable_size(p), random.Next());
            }
            for (Canary &c : held)
                linn_free(c.block);
        });
    }
    for (std::thread &t : threads)
        t.join();
    for (linn_pool *pool : pools)
        Destroy(pool);
}

TEST_F(LimitedChild, DISABLED_ToTheEndAndBack) {
    for (size_t size :
         {size_t{1000}, size_t{100000}, size_t{900000}, size_t{30} << 20}) {
        linn_pool *pool = Create();
        void *head = nullptr;
        size_t blocks = 0;
        for (;;) {
            void *p = linn_alloc(pool, size);
            if (p == nullptr) break;
            memcpy(p, &head, sizeof head);
            head = p;
            blocks++;
        }
        // Most of the limit was to be had, and no more.
        EXPECT_GT(blocks * size, kLimit / 2) << size;
        EXPECT_LT(blocks * size, kLimit);
        EXPECT_EQ(Counters(pool).live_blocks, blocks);
        EXPECT_GT(Counters(pool).out_of_memory, 0u);
        while (head != nullptr) {
            void *next;
            memcpy(&next, head, sizeof next);
            linn_free(head);
            head = next;
        }
        printf("%zu blocks of %zu bytes\n", blocks, size);
        Destroy(pool);
    }
    TwoOfEachSize(nullptr);
}

TEST_F(LimitedChild, DISABLED_MisuseIsNamed) {
    for (size_t size : {100u, 5000u, 600000u, 20000000u}) {
        Reports reports;
        uintptr_t p = AddressOf(linn_alloc(nullptr, size));
        linn_free(At(p + 8));
        EXPECT_EQ(reports.Take().what, "inside a block, not its start");
        linn_free(At(p));
        EXPECT_EQ(reports.Count(), 0);
        linn_free(At(p));
        EXPECT_EQ(reports.Take().count, 1);
        int foreign = 0;
        linn_free(&foreign + Opaque(0));
        EXPECT_EQ(reports.Take().what, "not a pointer of linn's");
    }
}

// Without a limit this machine gives the flat form; else the tests above would
// show nothing.
TEST(LimitedMemoryTest, TheFormWithoutALimitIsFlat) {
    ASSERT_FALSE(IsLimited());
    linn_free(linn_alloc(nullptr, 1));
    EXPECT_GT(sync_u64_load_relaxed(&linn_page_map.limit), 0u);
}

}  // namespace
