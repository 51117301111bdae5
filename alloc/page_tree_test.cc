#include "alloc/page_tree.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kSteps = 100000, kRounds = 10000, kWords = 2000;
#else
constexpr int kSteps = 1000000, kRounds = 100000, kWords = 20000;
#endif

// SplitMix64: each seed gives the same sequence everywhere.
struct random_numbers {
    uint64_t state;

    uint64_t next() {
        state += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t x = state;
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        return x ^ x >> 31;
    }
    uint32_t below(uint32_t n) {
        return static_cast<uint32_t>(next() % n);
    }
};

// The tree, each call inside a section as the twin wants it.
struct guarded_tree {
    struct linn_page_tree tree;
    struct linn_section section;
    uint32_t pages;

    explicit guarded_tree(uint32_t n) : pages(n) {
        // What an earlier life left: init must not mind.
        std::memset(static_cast<void *>(&tree), 0xff, sizeof tree);
        linn_section_init(&section);
        linn_page_tree_init(&tree, pages);
    }
    uint32_t claim(uint32_t k, uint32_t order) {
        linn_section_enter(&section);
        uint32_t page = linn_page_tree_claim(&tree, pages, k, order);
        linn_section_leave(&section);
        return page;
    }
    uint32_t claim_groups(uint32_t groups) {
        linn_section_enter(&section);
        uint32_t page = linn_page_tree_claim_groups(&tree, pages, groups);
        linn_section_leave(&section);
        return page;
    }
    bool release(uint32_t first, uint32_t k) {
        linn_section_enter(&section);
        bool done = linn_page_tree_release(&tree, first, k);
        linn_section_leave(&section);
        return done;
    }
    bool release_groups(uint32_t first, uint32_t groups) {
        linn_section_enter(&section);
        bool done = linn_page_tree_release_groups(&tree, first, groups);
        linn_section_leave(&section);
        return done;
    }
    uint32_t free_pages() {
        return linn_page_tree_free_pages(&tree);
    }
    bool is_valid() {
        return linn_page_tree_is_valid_quiescent(&tree, pages);
    }
    uint64_t root() {
        return sync_u64_load_relaxed(&tree.root);
    }
    uint64_t leaf(uint32_t g) {
        return sync_u64_load_relaxed(&tree.leaf[g]);
    }
};

uint32_t order_of(uint32_t n) {
    uint32_t order = 0;
    while (1u << order < n) {
        order++;
    }
    return order;
}

// ---- linn_find_run ----

uint64_t mask_of(uint32_t k) {
    uint64_t mask = 0;
    for (uint32_t i = 0; i < k; i++) {
        mask |= UINT64_C(1) << i;
    }
    return mask;
}

uint32_t find_by_looking(uint64_t word, uint32_t k, uint32_t order) {
    uint64_t mask = mask_of(k);
    for (uint32_t at = 0; at < 64; at += 1u << order) {
        if ((word >> at & mask) == mask) return at;
    }
    return 64;
}

TEST(FindRunTest, FindsWhatLookingFinds) {
    std::vector<uint64_t> words = {0, UINT64_MAX, 1, UINT64_C(1) << 63};
    for (uint32_t i = 0; i < 64; i++) {
        words.push_back(UINT64_MAX << i);
        words.push_back(UINT64_MAX >> i);
        words.push_back(UINT64_MAX ^ UINT64_C(1) << i);
    }
    random_numbers r = {1};
    while (words.size() < static_cast<size_t>(kWords)) {
        uint64_t w = r.next();
        switch (words.size() % 4) {  // from nearly empty to nearly full
            case 0:
                w &= r.next() & r.next();
                break;
            case 1:
                break;
            case 2:
                w |= r.next() | r.next();
                break;
            case 3:
                w |= r.next() | r.next() | r.next() | r.next();
                break;
        }
        words.push_back(w);
    }
    long compared = 0, found = 0;
    for (uint32_t order = 0; order <= 6; order++) {
        for (uint32_t k = 1; k <= 1u << order; k++) {
            for (uint64_t w : words) {
                uint32_t want = find_by_looking(w, k, order);
                ASSERT_EQ(linn_find_run(w, k, order), want)
                    << std::hex << w << std::dec << " k " << k << " order "
                    << order;
                compared++;
                if (want != 64) found++;
            }
        }
    }
    std::printf("find_run: %ld compared, %ld with a run\n", compared, found);
    EXPECT_GE(compared, 127L * kWords);
    EXPECT_GE(found, compared / 20) << "most words had no run at all";
    EXPECT_LE(found, compared - compared / 20);
}

// ---- one thread ----

// Every k and order on every size of tree: a fresh tree serves as many runs as it
// has blocks of that order, each aligned and no page twice; exhaustion is an
// answer, and releasing all in another order restores it.
TEST(PageTreeTest, ServesEachSizeUntilExhaustedAndRecovers) {
    random_numbers r = {2};
    long runs = 0;
    for (uint32_t pages = 1; pages <= LINN_TREE_PAGES_MAX; pages *= 2) {
        for (uint32_t order = 0; order <= 6 && 1u << order <= pages; order++) {
            for (uint32_t k = 1; k <= 1u << order; k++) {
                if (pages > 256 && k != 1u << order && k % 7 != 3) continue;
                guarded_tree t(pages);
                ASSERT_EQ(t.free_pages(), pages);
                std::vector<bool> taken(pages, false);
                std::vector<uint32_t> held;
                for (;;) {
                    uint32_t page = t.claim(k, order);
                    if (page == LINN_NO_PAGE) break;
                    ASSERT_EQ(page % (1u << order), 0u);
                    ASSERT_LE(page + k, pages);
                    for (uint32_t i = page; i < page + k; i++) {
                        ASSERT_FALSE(taken[i]) << i;
                        taken[i] = true;
                    }
                    held.push_back(page);
                }
                runs += static_cast<long>(held.size());
                ASSERT_EQ(held.size(), pages >> order)
                    << "pages " << pages << " k " << k << " order " << order;
                ASSERT_EQ(t.free_pages(),
                          pages - k * static_cast<uint32_t>(held.size()));
                ASSERT_TRUE(t.is_valid());
                for (size_t i = held.size(); i > 1; i--) {
                    std::swap(held[i - 1],
                              held[r.below(static_cast<uint32_t>(i))]);
                }
                for (uint32_t page : held) {
                    ASSERT_TRUE(t.release(page, k));
                    ASSERT_FALSE(t.release(page, k)) << "a double free";
                }
                ASSERT_EQ(t.free_pages(), pages);
                ASSERT_TRUE(t.is_valid());
                ASSERT_NE(t.claim(k, order), LINN_NO_PAGE) << "recovered";
            }
        }
    }
    std::printf("page_tree: %ld runs\n", runs);
    EXPECT_GE(runs, 10000);
}

TEST(PageTreeTest, WholeGroupsOfEveryNumber) {
    for (uint32_t pages = 64; pages <= LINN_TREE_PAGES_MAX; pages *= 2) {
        uint32_t in_tree = pages / 64;
        for (uint32_t groups = 1; groups <= in_tree; groups++) {
            guarded_tree t(pages);
            uint32_t block = 1u << order_of(groups);
            std::vector<uint32_t> held;
            for (;;) {
                uint32_t page = t.claim_groups(groups);
                if (page == LINN_NO_PAGE) break;
                ASSERT_EQ(page % (block * 64), 0u);
                held.push_back(page);
            }
            ASSERT_EQ(held.size(), in_tree / block) << groups;
            ASSERT_TRUE(t.is_valid());
            for (uint32_t page : held) {
                ASSERT_TRUE(t.release_groups(page, groups));
                ASSERT_FALSE(t.release_groups(page, groups));
            }
            ASSERT_EQ(t.free_pages(), pages);
        }
        guarded_tree t(pages);
        EXPECT_EQ(t.claim_groups(in_tree + 1), LINN_NO_PAGE);
        EXPECT_EQ(t.free_pages(), pages);
    }
}

TEST(PageTreeTest, SplitsAGroupOnlyWhenNoLeafHasRoom) {
    guarded_tree t(256);
    EXPECT_EQ(t.root(), 0xfu);
    uint32_t first = t.claim(3, 2);
    EXPECT_EQ(first, 0u);
    EXPECT_EQ(t.root(), 0xeu);
    EXPECT_EQ(t.leaf(0), ~UINT64_C(7));
    EXPECT_EQ(t.claim(60, 6), 64u) << "the first group has no room for that";
    EXPECT_EQ(t.root(), 0xcu);
    EXPECT_EQ(t.claim(4, 2), 124u) << "where the last one was served";
    EXPECT_EQ(t.claim(4, 2), 4u) << "and round to the first";
    EXPECT_EQ(t.root(), 0xcu);
}

TEST(PageTreeTest, UnitesFullLeavesOnlyWhenGroupsAreWanted) {
    guarded_tree t(128);
    uint32_t a = t.claim(64, 6), b = t.claim(1, 0);
    ASSERT_TRUE(t.release(a, 64) && t.release(b, 1));
    EXPECT_EQ(t.root(), 0u) << "coalescing is lazy";
    EXPECT_EQ(t.free_pages(), 128u);
    uint32_t c = t.claim(1, 0);
    EXPECT_EQ(t.claim_groups(2), LINN_NO_PAGE) << "one page is missing";
    EXPECT_EQ(t.free_pages(), 127u) << "nothing got lost by trying";
    ASSERT_TRUE(t.release(c, 1));
    EXPECT_EQ(t.claim_groups(2), 0u);
    EXPECT_EQ(t.free_pages(), 0u);
    ASSERT_TRUE(t.release_groups(0, 2));
    EXPECT_EQ(t.root(), 3u);
    EXPECT_TRUE(t.is_valid());
}

// A free page is a free page in whichever of the two places it lies.
TEST(PageTreeTest, DoubleReleaseIsRefusedAlsoAfterUniting) {
    guarded_tree t(128);
    uint32_t a = t.claim(64, 6), b = t.claim(64, 6);
    ASSERT_TRUE(t.release(a, 64));
    uint32_t groups = t.claim_groups(1);
    ASSERT_EQ(groups, a) << "united and claimed";
    ASSERT_TRUE(t.release_groups(groups, 1));
    EXPECT_FALSE(t.release(a, 64)) << "free in the root word";
    EXPECT_FALSE(t.release(a + 5, 1));
    EXPECT_EQ(t.free_pages(), 64u);
    EXPECT_TRUE(t.is_valid());
    EXPECT_EQ(t.claim(1, 0), a);
    EXPECT_FALSE(t.release_groups(a, 1)) << "63 of its pages are free";
    EXPECT_FALSE(t.release_groups(a, 2));
    EXPECT_EQ(t.free_pages(), 63u);
    EXPECT_TRUE(t.is_valid());
    EXPECT_TRUE(t.release(b, 64));
}

TEST(PageTreeTest, AnInvalidTreeIsSeen) {
    guarded_tree t(128);
    EXPECT_TRUE(t.is_valid());
    sync_u64_store_relaxed(&t.tree.leaf[0], 1);  // under the root bit, too
    EXPECT_FALSE(t.is_valid());
    sync_u64_store_relaxed(&t.tree.leaf[0], 0);
    sync_u64_store_relaxed(&t.tree.root, 7);  // a group that is not there
    EXPECT_FALSE(t.is_valid());
    guarded_tree small(16);
    EXPECT_TRUE(small.is_valid());
    sync_u64_store_relaxed(&small.tree.leaf[0], UINT64_C(1) << 16);
    EXPECT_FALSE(small.is_valid());
}

// ---- against a model ----

// One byte a page.  With one thread the tree is complete: it says "none" exactly
// when no aligned block begins with that many free pages.
struct page_model {
    std::vector<char> is_free;

    bool all_free(uint32_t first, uint32_t k) const {
        for (uint32_t i = first; i < first + k; i++) {
            if (!is_free[i]) return false;
        }
        return true;
    }
    bool any_free(uint32_t first, uint32_t k) const {
        for (uint32_t i = first; i < first + k; i++) {
            if (is_free[i]) return true;
        }
        return false;
    }
    bool has_block(uint32_t k, uint32_t block) const {
        for (uint32_t at = 0; at + block <= is_free.size(); at += block) {
            if (all_free(at, k)) return true;
        }
        return false;
    }
    void set(uint32_t first, uint32_t k, bool to) {
        for (uint32_t i = first; i < first + k; i++) {
            is_free[i] = to;
        }
    }
};

struct held_run {
    uint32_t first, pages, groups;
};

struct model_counts {
    long claimed = 0, refused = 0, released = 0, doubled = 0;
};

void walk_at_random(uint32_t pages, int steps, uint64_t seed, model_counts *n) {
    guarded_tree t(pages);
    page_model model = {std::vector<char>(pages, 1)};
    std::vector<held_run> held;
    random_numbers r = {seed};
    uint32_t free_pages = pages;
    bool filling = true;
    for (int i = 0; i < steps; i++) {
        if (i % 512 == 0) filling = r.below(2) == 0;
        uint32_t dice = r.below(16);
        if (dice == 0) {  // a double free somewhere
            uint32_t k = 1 + r.below(std::min(pages, 64u));
            uint32_t group = r.below((pages + 63) / 64) * 64;
            uint32_t first = group + r.below(std::min(pages, 64u) - k + 1);
            if (!model.any_free(first, k)) continue;
            ASSERT_FALSE(t.release(first, k)) << first << " + " << k;
            n->doubled++;
        } else if (dice == 1 && pages >= 64) {
            uint32_t groups = 1 + r.below(pages / 64);
            uint32_t first = r.below(pages / 64 - groups + 1) * 64;
            if (!model.any_free(first, groups * 64)) continue;
            ASSERT_FALSE(t.release_groups(first, groups)) << first;
            n->doubled++;
        } else if (dice < (filling ? 12u : 5u)) {
            held_run run = {0, 0, 0};
            uint32_t block;
            if (pages >= 64 && r.below(8) == 0) {
                run.groups = 1 + r.below(pages / 64);
                run.pages = run.groups * 64;
                block = 64u << order_of(run.groups);
                run.first = t.claim_groups(run.groups);
            } else {
                uint32_t order = r.below(order_of(std::min(pages, 64u)) + 1);
                run.pages = 1 + r.below(1u << order);
                block = 1u << order;
                run.first = t.claim(run.pages, order);
            }
            if (run.first == LINN_NO_PAGE) {
                ASSERT_FALSE(model.has_block(run.pages, block))
                    << "there was room for " << run.pages;
                n->refused++;
                continue;
            }
            ASSERT_EQ(run.first % block, 0u);
            ASSERT_LE(run.first + run.pages, pages);
            ASSERT_TRUE(model.all_free(run.first, run.pages));
            model.set(run.first, run.pages, false);
            free_pages -= run.pages;
            held.push_back(run);
            n->claimed++;
        } else if (!held.empty()) {
            size_t at = r.below(static_cast<uint32_t>(held.size()));
            held_run run = held[at];
            held[at] = held.back();
            held.pop_back();
            ASSERT_TRUE(run.groups > 0 ? t.release_groups(run.first, run.groups)
                                       : t.release(run.first, run.pages));
            model.set(run.first, run.pages, true);
            free_pages += run.pages;
            n->released++;
        }
        if (i % 16 != 0) continue;
        ASSERT_EQ(t.free_pages(), free_pages);
        ASSERT_TRUE(t.is_valid());
    }
    for (const held_run &run : held) {
        ASSERT_TRUE(run.groups > 0 ? t.release_groups(run.first, run.groups)
                                   : t.release(run.first, run.pages));
    }
    ASSERT_EQ(t.free_pages(), pages);
}

TEST(PageTreeTest, AgreesWithAModelOfBytes) {
    model_counts n;
    const uint32_t sizes[] = {1, 4, 32, 64, 128, 512, 2048};
    uint64_t seed = 3;
    for (uint32_t pages : sizes) {
        walk_at_random(pages, kSteps / 7 + 1, seed++, &n);
        if (HasFatalFailure()) return;
    }
    std::printf(
        "model: %d steps, %ld claimed, %ld refused, %ld released, "
        "%ld doubled\n",
        kSteps, n.claimed, n.refused, n.released, n.doubled);
    EXPECT_GE(n.claimed, kSteps / 10);
    EXPECT_GE(n.refused, kSteps / 100);
    EXPECT_GE(n.doubled, kSteps / 100);
}

// ---- threads ----

// A thread writes every page that it has with plain accesses: ThreadSanitizer
// judges the orders by them.  Pages are reserved first (P2).
TEST(PageTreeTest, ThreadsOwnTheirPagesAlone) {
    constexpr int kThreads = 4;
    constexpr uint32_t kPages = 256;
    guarded_tree t(kPages);
    std::vector<long> payload(kPages, 0);
    std::atomic<uint32_t> reserved{0};
    std::vector<long> counts(kThreads * 16, 0), groups_got(kThreads * 16, 0);
    auto reserve = [&](uint32_t k) {
        uint32_t seen = reserved.load(std::memory_order_relaxed);
        do {
            if (seen + k > kPages) return false;
        } while (!reserved.compare_exchange_weak(seen, seen + k,
                                                 std::memory_order_acq_rel));
        return true;
    };
    auto work = [&](int me) {
        random_numbers r = {static_cast<uint64_t>(me) + 100};
        size_t mine = static_cast<size_t>(me) * 16;
        for (int i = 0; i < kRounds; i++) {
            uint32_t groups = r.below(4) == 0 ? 1 + r.below(2) : 0;
            uint32_t order = r.below(7);
            uint32_t k = groups > 0 ? groups * 64 : 1 + r.below(1u << order);
            if (!reserve(k)) continue;
            uint32_t page =
                groups > 0 ? t.claim_groups(groups) : t.claim(k, order);
            if (page != LINN_NO_PAGE) {
                for (uint32_t p = page; p < page + k; p++) {
                    payload[p]++;
                }
                counts[mine] += k;
                if (groups > 0) groups_got[mine]++;
                bool done = groups > 0 ? t.release_groups(page, groups)
                                       : t.release(page, k);
                EXPECT_TRUE(done);
            }
            reserved.fetch_sub(k, std::memory_order_acq_rel);
        }
    };
    std::vector<std::thread> threads;
    for (int me = 0; me < kThreads; me++) {
        threads.emplace_back(work, me);
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    long written = 0, counted = 0, groups_all = 0;
    for (long p : payload) {
        written += p;
    }
    for (size_t i = 0; i < counts.size(); i++) {
        counted += counts[i];
        groups_all += groups_got[i];
    }
    std::printf("threads: %ld pages used, %ld runs of groups\n", counted,
                groups_all);
    EXPECT_EQ(written, counted);
    EXPECT_GE(counted, kRounds);
    EXPECT_GE(groups_all, kRounds / 100);
    EXPECT_TRUE(t.is_valid());
    EXPECT_EQ(t.free_pages(), kPages);
    EXPECT_NE(t.claim_groups(4), LINN_NO_PAGE) << "all of it can be united";
}

}  // namespace
