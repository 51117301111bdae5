#include "alloc/page_map.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "alloc/page_source.h"
#include "gtest/gtest.h"

namespace {

constexpr uintptr_t kGiB = uintptr_t{1} << 30;
constexpr uintptr_t kPage = uintptr_t{1} << LINN_MAP_SHIFT;
constexpr uintptr_t kEnd = uintptr_t{1} << LINN_ADDRESS_BITS;
// Where the tests have their chunks.  The map never touches what an address
// points to, so nothing is mapped there.
constexpr uintptr_t kBase = 0x123400000000;

enum class Form { kFlat, kTwoLevel };

const void *At(uintptr_t p) {
    return reinterpret_cast<const void *>(p);
}

uint32_t Get(uintptr_t p) {
    return linn_page_map_get(At(p));
}

uint32_t Slot(uintptr_t p) {
    return linn_page_map_slot(At(p));
}

// A process decides the form once, so each test has a process of its own.
template <typename Body>
void InChild(Body body) {
    std::fflush(nullptr);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        body();
        std::exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "status " << status;
}

class PageMapTest : public testing::TestWithParam<Form> {
   protected:
    template <typename Body>
    void InChildOfForm(Body body) {
        InChild([&] {
            if (GetParam() == Form::kTwoLevel) {
                linn_page_map_force_two_level();
            }
            body();
            uint64_t limit = sync_u64_load_relaxed(&linn_page_map.limit);
            EXPECT_EQ(limit, IsFlat() ? kEnd / kPage : 0);
        });
    }
    bool IsFlat() const {
        return GetParam() == Form::kFlat;
    }
};

std::string NameOf(const testing::TestParamInfo<Form> &form) {
    return form.param == Form::kFlat ? "Flat" : "TwoLevel";
}

INSTANTIATE_TEST_SUITE_P(Forms, PageMapTest,
                         testing::Values(Form::kFlat, Form::kTwoLevel), NameOf);

TEST_P(PageMapTest, AnswersForWhatWasAdded) {
    InChildOfForm([&] {
        linn_page_map_init();
        constexpr uintptr_t kBytes = 16 * LINN_GRANULE_BYTES;
        ASSERT_TRUE(linn_page_map_add(At(kBase), kBytes, 7));
        EXPECT_EQ(Get(kBase), 0u);
        linn_page_map_set(At(kBase + 3 * kPage), 2 * kPage, 0x1234);
        EXPECT_EQ(Get(kBase + 3 * kPage - 1), 0u);
        EXPECT_EQ(Get(kBase + 3 * kPage), 0x1234u);
        EXPECT_EQ(Get(kBase + 3 * kPage + 77), 0x1234u);
        EXPECT_EQ(Get(kBase + 5 * kPage - 1), 0x1234u);
        EXPECT_EQ(Get(kBase + 5 * kPage), 0u);
        // The inline part knows the flat form only.
        EXPECT_EQ(linn_page_map_is_flat(kBase + 3 * kPage), IsFlat());
        if (IsFlat()) {
            EXPECT_EQ(linn_page_map_get_flat(kBase + 3 * kPage), 0x1234u);
        }

        EXPECT_EQ(Slot(kBase), 7u);
        EXPECT_EQ(Slot(kBase + kBytes - 1), 7u);
        EXPECT_EQ(Slot(kBase - 1), LINN_NO_SLOT);
        EXPECT_EQ(Slot(kBase + kBytes), LINN_NO_SLOT);

        linn_page_map_set(At(kBase + 3 * kPage), 2 * kPage, 0);
        linn_page_map_remove(At(kBase), kBytes);
        EXPECT_EQ(Get(kBase + 3 * kPage), 0u);
        EXPECT_EQ(Slot(kBase), LINN_NO_SLOT);
        EXPECT_EQ(Slot(kBase + kBytes - 1), LINN_NO_SLOT);

        // A second life, in another chunk slot; slot 0 and the largest are
        // slots like others.
        ASSERT_TRUE(linn_page_map_add(At(kBase), kBytes, 0));
        EXPECT_EQ(Slot(kBase), 0u);
        ASSERT_TRUE(linn_page_map_add(At(kBase), kBytes, UINT32_MAX - 1));
        EXPECT_EQ(Slot(kBase), UINT32_MAX - 1);
    });
}

TEST_P(PageMapTest, StrangeAddressesAreNotOurs) {
    InChildOfForm([&] {
        int local = 0;
        const uintptr_t kStrange[] = {
            0,
            1,
            kPage,
            kEnd - 1,
            kEnd,
            kEnd + kPage,
            0x8000000000000000,
            0xffff800000000000,
            0xffffffff81000000,
            UINTPTR_MAX - kPage,
            UINTPTR_MAX,
            reinterpret_cast<uintptr_t>(&local),
            reinterpret_cast<uintptr_t>(&linn_page_map_get),
        };
        for (int round = 0; round < 2; round++) {  // before and after init
            for (uintptr_t p : kStrange) {
                EXPECT_EQ(Get(p), 0u) << std::hex << p;
                EXPECT_EQ(Slot(p), LINN_NO_SLOT) << std::hex << p;
                bool flat = IsFlat() && round == 1 && p < kEnd;
                EXPECT_EQ(linn_page_map_is_flat(p), flat) << std::hex << p;
            }
            linn_page_map_init();
        }
    });
}

TEST_P(PageMapTest, FirstAndLastGranuleOfTheAddressSpace) {
    InChildOfForm([&] {
        for (uintptr_t base : {uintptr_t{0}, kEnd - LINN_GRANULE_BYTES}) {
            ASSERT_TRUE(linn_page_map_add(At(base), LINN_GRANULE_BYTES, 3));
            linn_page_map_set(At(base), LINN_GRANULE_BYTES, 0xffff);
            EXPECT_EQ(Get(base), 0xffffu);
            EXPECT_EQ(Get(base + LINN_GRANULE_BYTES - 1), 0xffffu);
            EXPECT_EQ(Slot(base + LINN_GRANULE_BYTES - 1), 3u);
        }
        EXPECT_EQ(Get(kEnd), 0u);
    });
}

// Ranges that cross a 4 GiB leaf, a 64 KiB unit of entries (128 MiB of
// addresses) and one of slots (16 GiB).
TEST_P(PageMapTest, RangesCrossBoundaries) {
    InChildOfForm([&] {
        uint32_t slot = 1;
        for (uintptr_t boundary :
             {128 * LINN_GRANULE_BYTES, 4 * kGiB, 16 * kGiB}) {
            uintptr_t base = kBase / (16 * kGiB) * (16 * kGiB) + boundary -
                             3 * LINN_GRANULE_BYTES;
            constexpr uintptr_t kBytes = 7 * LINN_GRANULE_BYTES;
            ASSERT_TRUE(linn_page_map_add(At(base), kBytes, slot));
            linn_page_map_set(At(base), kBytes, 0x100 + slot);
            for (uintptr_t p = base; p < base + kBytes; p += kPage) {
                ASSERT_EQ(Get(p), 0x100 + slot);
                ASSERT_EQ(Slot(p), slot);
            }
            EXPECT_EQ(Get(base - 1), 0u);
            EXPECT_EQ(Get(base + kBytes), 0u);
            slot++;
        }
    });
}

TEST_P(PageMapTest, AgreesWithAModel) {
    InChildOfForm([&] {
        std::mt19937_64 random(20240607);
        const uintptr_t kBases[] = {kBase, kBase + 4 * kGiB - 32 * kPage * 256,
                                    0x700000000000};
        constexpr uintptr_t kBytes = 64 * LINN_GRANULE_BYTES;
        for (uint32_t i = 0; i < 3; i++) {
            ASSERT_TRUE(linn_page_map_add(At(kBases[i]), kBytes, i));
        }
        std::map<uintptr_t, uint32_t> model;
        uint64_t asked = 0, ours = 0;
        for (int step = 0; step < 20000; step++) {
            uintptr_t base = kBases[random() % 3];
            uintptr_t pages = 1 + random() % 64;
            uintptr_t p = base + random() % (kBytes / kPage - pages) * kPage;
            uint32_t entry = random() % 3 == 0 ? 0 : random() & 0xffff;
            linn_page_map_set(At(p), pages * kPage, entry);
            for (uintptr_t i = 0; i < pages; i++) {
                model[p + i * kPage] = entry;
            }
            for (int k = 0; k < 20; k++) {
                uintptr_t q = kBases[random() % 3] + random() % kBytes;
                auto known = model.find(q / kPage * kPage);
                uint32_t want = known == model.end() ? 0 : known->second;
                ASSERT_EQ(Get(q), want);
                asked++;
                ours += want != 0;
            }
        }
        std::printf("%llu look-ups agree, %llu of them ours\n",
                    static_cast<unsigned long long>(asked),
                    static_cast<unsigned long long>(ours));
        EXPECT_GE(asked, 400000u);
        EXPECT_GE(ours, 200000u);
    });
}

// Each call that add makes for memory fails in turn; the map is as before, and
// the next try succeeds.
TEST_P(PageMapTest, AddFailsCleanly) {
    InChildOfForm([&] {
        linn_page_map_init();
        constexpr uintptr_t kBytes = 512 * LINN_GRANULE_BYTES;
        uintptr_t base = kBase + 4 * kGiB - 256 * LINN_GRANULE_BYTES;
        uint64_t n = 0;
        for (;; n++) {
            uint64_t faults = linn_page_source_faults();
            linn_page_source_fail_after(0);
            // What was made before stays, so 0 is the n-th call.
            bool added = linn_page_map_add(At(base), kBytes, 9);
            linn_page_source_fail_never();
            if (added) {
                EXPECT_EQ(linn_page_source_faults(), faults);
                break;
            }
            EXPECT_EQ(linn_page_source_faults(), faults + 1);
            for (uintptr_t p = base; p < base + kBytes;
                 p += LINN_GRANULE_BYTES) {
                ASSERT_EQ(Slot(p), LINN_NO_SLOT);
                ASSERT_EQ(Get(p), 0u);
            }
            // One step further: only the first call may succeed.
            linn_page_source_fail_after(1);
            if (linn_page_map_add(At(base), kBytes, 9)) {
                linn_page_source_fail_never();
                linn_page_map_remove(At(base), kBytes);
            }
            linn_page_source_fail_never();
        }
        // 4 units of entries and 1 of slots; 2 leaves.
        EXPECT_EQ(n, IsFlat() ? 5u : 2u);
        EXPECT_EQ(Slot(base + kBytes - 1), 9u);
    });
}

// Neighbours share units and leaves, and all begin at once: with the decision,
// and in the two-level form with faults all the way.
TEST_P(PageMapTest, ThreadsShareTheMap) {
    InChild([&] {
        constexpr int kThreads = 8;
        std::atomic<int> ready{0};
        std::atomic<uint64_t> checked{0};
        std::vector<std::thread> threads;
        for (uint32_t t = 0; t < kThreads; t++) {
            threads.emplace_back([&, t] {
                ready.fetch_add(1);
                while (ready.load() < kThreads) {
                }
                if (!IsFlat()) {
                    linn_page_map_force_two_level();
                    linn_page_source_fail_every(2);
                }
                for (uint32_t i = 0; i < 200; i++) {
                    uintptr_t base =
                        kBase + (i * kThreads + t) * LINN_GRANULE_BYTES;
                    while (
                        !linn_page_map_add(At(base), LINN_GRANULE_BYTES, t)) {
                    }
                    linn_page_map_set(At(base), LINN_GRANULE_BYTES, t + 1);
                    for (uintptr_t p = base; p < base + LINN_GRANULE_BYTES;
                         p += kPage) {
                        if (Get(p) == t + 1 && Slot(p) == t) checked++;
                    }
                    linn_page_map_set(At(base), LINN_GRANULE_BYTES, 0);
                    if (i % 2 == 0) {
                        linn_page_map_remove(At(base), LINN_GRANULE_BYTES);
                    }
                }
            });
        }
        for (std::thread &t : threads) {
            t.join();
        }
        linn_page_source_fail_never();
        EXPECT_EQ(checked.load(), kThreads * 200u * 256u);
        uint64_t limit = sync_u64_load_relaxed(&linn_page_map.limit);
        EXPECT_EQ(limit, IsFlat() ? kEnd / kPage : 0);
    });
}

size_t AddressSpaceBytes() {
    size_t pages = 0;
    std::FILE *f = std::fopen("/proc/self/statm", "r");
    if (f == nullptr || std::fscanf(f, "%zu", &pages) != 1) pages = 0;
    if (f != nullptr) std::fclose(f);
    EXPECT_GT(pages, 0u);
    return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// The loser of the race for the form gives its reservation back.  The winner
// comes in while the loser maps its own.
TEST(PageMapFormTest, OneReservationRemains) {
    InChild([] {
        AddressSpaceBytes();  // stdio makes its buffer
        size_t before = AddressSpaceBytes();
        linn_page_source_visit_next(linn_page_map_init);
        linn_page_map_init();
        EXPECT_EQ(linn_page_source_calls(), 3u);  // two maps, one unmap
        size_t grown = AddressSpaceBytes() - before;
        EXPECT_GE(grown, 64 * kGiB);
        EXPECT_LT(grown, 2 * 64 * kGiB);
        ASSERT_TRUE(linn_page_map_add(At(kBase), LINN_GRANULE_BYTES, 1));
        EXPECT_EQ(Slot(kBase), 1u);
    });
}

// The first to decide is the one whom all follow, whatever it chose.
TEST(PageMapFormTest, TheFirstDecisionHolds) {
    InChild([] {
        linn_page_source_visit_next(linn_page_map_force_two_level);
        linn_page_map_init();
        EXPECT_EQ(linn_page_source_calls(), 2u);
        EXPECT_EQ(sync_u64_load_relaxed(&linn_page_map.limit), 0u);
        ASSERT_TRUE(linn_page_map_add(At(kBase), LINN_GRANULE_BYTES, 1));
        EXPECT_EQ(Slot(kBase), 1u);
    });
    InChild([] {
        // Refused only after another has been granted its own.
        linn_page_source_visit_next([] {
            linn_page_map_init();
            linn_page_source_fail_after(0);
        });
        linn_page_map_init();
        linn_page_source_fail_never();
        EXPECT_EQ(linn_page_source_faults(), 1u);
        EXPECT_EQ(sync_u64_load_relaxed(&linn_page_map.limit), kEnd / kPage);
        ASSERT_TRUE(linn_page_map_add(At(kBase), LINN_GRANULE_BYTES, 1));
        EXPECT_EQ(Slot(kBase), 1u);
    });
}

// The same for leaves.
uintptr_t visited_base;

TEST(PageMapFormTest, OneLeafRemains) {
    InChild([] {
        linn_page_map_force_two_level();
        constexpr uint64_t kLeaves = 100;
        constexpr size_t kLeafBytes = (2 << 20) + (16 << 10);
        AddressSpaceBytes();
        size_t before = AddressSpaceBytes();
        for (uintptr_t leaf = 1; leaf <= kLeaves; leaf++) {
            uintptr_t base = leaf * 4 * kGiB;
            visited_base = base + LINN_GRANULE_BYTES;
            linn_page_source_visit_next([] {
                EXPECT_TRUE(
                    linn_page_map_add(At(visited_base), LINN_GRANULE_BYTES, 2));
            });
            ASSERT_TRUE(linn_page_map_add(At(base), LINN_GRANULE_BYTES, 1));
            ASSERT_EQ(Slot(base), 1u);
            ASSERT_EQ(Slot(visited_base), 2u);
        }
        EXPECT_EQ(linn_page_source_calls(), 3 * kLeaves);
        // Give or take what sanitizers map meanwhile.
        size_t grown = AddressSpaceBytes() - before;
        EXPECT_GT(grown, kLeaves / 2 * kLeafBytes);
        EXPECT_LT(grown, kLeaves * 3 / 2 * kLeafBytes);
    });
}

TEST(PageMapFormTest, ARefusedReservationMeansTwoLevel) {
    InChild([] {
        linn_page_source_fail_after(0);
        linn_page_map_init();
        linn_page_source_fail_never();
        linn_page_map_init();  // keeps the decision
        EXPECT_EQ(sync_u64_load_relaxed(&linn_page_map.limit), 0u);
        ASSERT_TRUE(linn_page_map_add(At(kBase), LINN_GRANULE_BYTES, 1));
        linn_page_map_set(At(kBase), kPage, 42);
        EXPECT_EQ(Get(kBase), 42u);
    });
}

#ifndef LINN_SANITIZED
// `ulimit -v`.  Sanitizers need more addresses than that for themselves.
TEST(PageMapFormTest, LimitedAddressSpaceMeansTwoLevel) {
    InChild([] {
        rlimit limit = {kGiB, kGiB};
        ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
        linn_page_map_init();
        EXPECT_EQ(sync_u64_load_relaxed(&linn_page_map.limit), 0u);
        constexpr size_t kBytes = 16 << 20;
        char *chunk = static_cast<char *>(linn_page_source_map(kBytes, kBytes));
        ASSERT_NE(chunk, nullptr);
        ASSERT_TRUE(linn_page_map_add(chunk, kBytes, 5));
        linn_page_map_set(chunk, kBytes, 0x101);
        EXPECT_EQ(linn_page_map_get(chunk + kBytes - 1), 0x101u);
        EXPECT_EQ(linn_page_map_slot(chunk), 5u);
        linn_page_map_set(chunk, kBytes, 0);
        linn_page_map_remove(chunk, kBytes);
        linn_page_source_unmap(chunk, kBytes);
        EXPECT_EQ(linn_page_map_slot(chunk), LINN_NO_SLOT);
    });
}
#endif

TEST(PageMapDeathTest, RefusesWhatIsNoGranule) {
    EXPECT_DEATH(linn_page_map_add(At(kBase + kPage), LINN_GRANULE_BYTES, 0),
                 "is_granules");
    EXPECT_DEATH(linn_page_map_add(At(kBase), kPage, 0), "is_granules");
    EXPECT_DEATH(linn_page_map_add(At(kBase), 0, 0), "is_granules");
    EXPECT_DEATH(linn_page_map_add(At(kEnd), LINN_GRANULE_BYTES, 0),
                 "is_granules");
    EXPECT_DEATH(linn_page_map_add(At(kBase), LINN_GRANULE_BYTES, LINN_NO_SLOT),
                 "LINN_NO_SLOT");
    EXPECT_DEATH(
        {
            linn_page_map_init();
            linn_page_map_force_two_level();
        },
        "FORM_TWO_LEVEL");
}

}  // namespace
