#include "alloc/subpage.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kRounds = 20000, kSteps = 30000;
#else
constexpr int kRounds = 100000, kSteps = 300000;
#endif

constexpr uint64_t kLastGeneration = LINN_SUBPAGE_MASK(LINN_SUBPAGE_GEN_BITS);
constexpr uint32_t kClass = 7;

// A subpage and its stack, each call inside the stack's section.
struct guarded_subpage {
    struct linn_subpage sp = {};
    struct linn_tagged_stack stack = {};
    struct linn_section section = {};
    uint32_t total = 0;

    guarded_subpage() {
        linn_section_init(&section);
        linn_tagged_stack_init(&stack, 0);
    }
    // Begins a life; lists the subpage when it says so.
    bool born(uint32_t of_total, uint32_t taken, uint32_t size_class = kClass) {
        total = of_total;
        bool listed = linn_subpage_born(&sp, size_class, of_total, taken);
        if (listed) push();
        return listed;
    }
    void push() {
        linn_section_enter(&section);
        linn_tagged_stack_push(&stack, &sp.node);
        linn_section_leave(&section);
    }
    uint64_t word() {
        return sync_u64_load_acquire(&sp.guard);
    }
    struct linn_subpage_guard guard() {
        return linn_subpage_look(&sp);
    }
    uint32_t reserve(uint64_t seen, uint32_t want) {
        linn_section_enter(&section);
        uint32_t got = linn_subpage_reserve(&sp, seen, want);
        linn_section_leave(&section);
        return got;
    }
    struct linn_elements claim(uint32_t count) {
        struct linn_elements taken;
        linn_section_enter(&section);
        linn_subpage_claim(&sp, count, &taken);
        linn_section_leave(&section);
        return taken;
    }
    struct linn_elements take(uint32_t want) {
        uint32_t got = reserve(word(), want);
        return claim(got);
    }
    uint32_t set_bits(struct linn_elements *e) {
        linn_section_enter(&section);
        uint32_t doubles = linn_subpage_set_bits(&sp, e);
        linn_section_leave(&section);
        return doubles;
    }
    bool leave(uint32_t count) {
        linn_section_enter(&section);
        bool list = linn_subpage_leave(&sp, count);
        linn_section_leave(&section);
        return list;
    }
    // What arena.c does: free, count, list.
    bool give(struct linn_elements e, uint32_t count) {
        EXPECT_EQ(set_bits(&e), 0u);
        bool list = leave(count);
        if (list) push();
        return list;
    }
    bool pop() {
        linn_section_enter(&section);
        struct linn_stack_node *node = linn_tagged_stack_pop(&stack);
        linn_section_leave(&section);
        if (node == nullptr) return false;
        EXPECT_EQ(linn_subpage_of_node(node), &sp);
        return true;
    }
    enum linn_popped popped() {
        linn_section_enter(&section);
        enum linn_popped p = linn_subpage_popped(&sp, total);
        linn_section_leave(&section);
        return p;
    }
    bool is_valid() {
        return linn_subpage_is_valid_quiescent(&sp, total);
    }
    void set_generation(uint64_t gen) {  // while DEAD
        struct linn_subpage_guard g = guard();
        g.gen = gen;
        sync_u64_store_release(&sp.guard, linn_subpage_guard_pack(g));
    }
};

uint32_t count_of(const struct linn_elements &e) {
    uint32_t n = 0;
    for (uint64_t w : e.word) {
        n += static_cast<uint32_t>(__builtin_popcountll(w));
    }
    return n;
}

std::vector<uint32_t> indices_of(const struct linn_elements &e) {
    std::vector<uint32_t> all;
    for (uint32_t w = 0; w < LINN_SUBPAGE_WORDS; w++) {
        for (uint64_t bits = e.word[w]; bits != 0; bits &= bits - 1) {
            all.push_back(w * 64 +
                          static_cast<uint32_t>(__builtin_ctzll(bits)));
        }
    }
    return all;
}

struct linn_elements only(uint32_t index) {
    struct linn_elements e = {};
    e.word[index / 64] = UINT64_C(1) << index % 64;
    return e;
}

// ---- guard ----

TEST(SubpageGuardTest, EveryFieldKeepsItsOwnBits) {
    EXPECT_EQ(LINN_SUBPAGE_GEN_SHIFT + LINN_SUBPAGE_GEN_BITS, 64);
    const struct linn_subpage_guard extremes[] = {
        {0, 0, 0, false, 0},
        {kLastGeneration, 0, 0, false, 0},
        {0, 255, 0, false, 0},
        {0, 0, 1023, false, 0},
        {0, 0, 0, true, 0},
        {0, 0, 0, false, 3},
        {kLastGeneration, 255, 1023, true, 3},
        {kLastGeneration - 1, 63, 512, true, LINN_SUBPAGE_LIVE},
    };
    for (const struct linn_subpage_guard &g : extremes) {
        struct linn_subpage_guard back =
            linn_subpage_guard_unpack(linn_subpage_guard_pack(g));
        EXPECT_EQ(back.gen, g.gen);
        EXPECT_EQ(back.size_class, g.size_class);
        EXPECT_EQ(back.free, g.free);
        EXPECT_EQ(back.listed, g.listed);
        EXPECT_EQ(back.state, g.state);
    }
    EXPECT_EQ(linn_subpage_guard_pack(extremes[6]), UINT64_MAX);
    EXPECT_EQ(linn_subpage_guard_pack(extremes[0]), 0u);
}

// ---- one thread ----

TEST(SubpageTest, ClaimsEachElementOnceThenReportsNone) {
    for (uint32_t total : {1u, 2u, 63u, 64u, 65u, 100u, 511u, 512u}) {
        for (uint32_t batch : {1u, 3u, 64u}) {
            guarded_subpage s;
            ASSERT_TRUE(s.born(total, 0));
            std::set<uint32_t> seen;
            while (uint32_t got = s.reserve(s.word(), batch)) {
                ASSERT_LE(got, batch);
                struct linn_elements e = s.claim(got);
                ASSERT_EQ(count_of(e), got);
                for (uint32_t i : indices_of(e)) {
                    ASSERT_TRUE(seen.insert(i).second) << i << " twice";
                }
                ASSERT_TRUE(s.is_valid());
            }
            EXPECT_EQ(seen.size(), total);
            EXPECT_EQ(*seen.rbegin(), total - 1);
            EXPECT_EQ(s.guard().free, 0u);
            EXPECT_TRUE(s.guard().listed) << "nobody has popped it";
        }
    }
}

TEST(SubpageTest, TheBirthTakesTheFirstElements) {
    for (uint32_t total : {2u, 64u, 100u, 512u}) {
        for (uint32_t taken : {0u, 1u, 63u, 64u, 65u, 511u, 512u}) {
            if (taken > total) continue;
            guarded_subpage s;
            EXPECT_EQ(s.born(total, taken), taken < total);
            EXPECT_EQ(s.guard().free, total - taken);
            EXPECT_EQ(s.guard().listed, taken < total);
            for (uint32_t i = 0; i < 512; i++) {
                ASSERT_EQ(linn_subpage_is_free_hint(&s.sp, i),
                          i >= taken && i < total)
                    << i;
            }
            EXPECT_FALSE(linn_subpage_is_free_hint(&s.sp, 512));
            EXPECT_TRUE(s.is_valid());
        }
    }
}

TEST(SubpageTest, ABatchTakesTheLowestOfTheFirstWords) {
    guarded_subpage s;
    s.born(200, 0);
    std::vector<uint32_t> got = indices_of(s.take(100));
    ASSERT_EQ(got.size(), 100u);
    for (uint32_t i = 0; i < 100; i++) {
        EXPECT_EQ(got[i], i);
    }
    EXPECT_EQ(s.guard().free, 100u);
}

TEST(SubpageTest, AnotherLifeOrClassCannotReserve) {
    guarded_subpage s;
    EXPECT_EQ(s.reserve(s.word(), 1), 0u) << "dead";
    s.born(4, 0);
    uint64_t seen = s.word();
    EXPECT_EQ(s.reserve(seen, 1), 1u);
    EXPECT_EQ(s.reserve(seen, 1), 1u) << "the count may have moved";
    EXPECT_EQ(count_of(s.claim(2)), 2u);
    struct linn_elements e = {{3}};
    s.give(e, 2);
    ASSERT_TRUE(s.pop());
    ASSERT_EQ(s.popped(), LINN_POPPED_RETIRED);
    EXPECT_EQ(s.reserve(seen, 1), 0u) << "dead";
    EXPECT_EQ(s.reserve(s.word(), 1), 0u) << "dead, as seen";
    s.born(4, 0);
    EXPECT_EQ(s.reserve(seen, 1), 0u) << "the next life";
    uint64_t other = s.word() ^ UINT64_C(1) << LINN_SUBPAGE_CLASS_SHIFT;
    EXPECT_EQ(s.reserve(other, 1), 0u) << "another class";
    EXPECT_EQ(s.guard().free, 4u) << "none of these took any";
    EXPECT_EQ(s.reserve(s.word(), 9), 4u) << "as many as there are";
}

TEST(SubpageTest, DoubleFreesAreClearedAndChangeNothing) {
    guarded_subpage s;
    s.born(512, 512);
    struct linn_elements e = {};
    e.word[0] = 0xff;
    e.word[7] = UINT64_C(1) << 63;
    ASSERT_EQ(s.set_bits(&e), 0u);
    EXPECT_EQ(count_of(e), 9u);
    EXPECT_TRUE(s.leave(9));
    EXPECT_TRUE(s.is_valid());

    struct linn_elements again = e;
    again.word[0] |= 0xf00;  // four that were not free
    EXPECT_EQ(s.set_bits(&again), 9u);
    EXPECT_EQ(again.word[0], 0xf00u) << "the doubles are cleared";
    EXPECT_EQ(again.word[7], 0u);
    EXPECT_FALSE(s.leave(4));
    EXPECT_EQ(s.guard().free, 13u);
    EXPECT_TRUE(s.is_valid());

    struct linn_elements none = e;
    EXPECT_EQ(s.set_bits(&none), 9u);
    EXPECT_EQ(count_of(none), 0u);
    EXPECT_TRUE(s.is_valid());
}

TEST(SubpageTest, TheFirstFreeOfAnUnlistedSubpageListsIt) {
    guarded_subpage s;
    ASSERT_FALSE(s.born(3, 3)) << "nothing is left: nobody lists it";
    for (int life = 0; life < 3; life++) {
        struct linn_elements e = only(1);
        EXPECT_TRUE(s.give(e, 1));
        e = only(2);
        EXPECT_FALSE(s.give(e, 1)) << "it is listed already";
        EXPECT_EQ(count_of(s.take(5)), 2u);
        ASSERT_TRUE(s.pop());
        EXPECT_FALSE(s.pop()) << "it was there once";
        EXPECT_EQ(s.popped(), LINN_POPPED_DROPPED);
        EXPECT_FALSE(s.guard().listed);
    }
}

TEST(SubpageTest, APoppedSubpageIsKeptDroppedOrRetired) {
    guarded_subpage s;
    s.set_generation(41);
    s.born(3, 0);
    EXPECT_EQ(count_of(s.take(1)), 1u);
    ASSERT_TRUE(s.pop());
    EXPECT_EQ(s.popped(), LINN_POPPED_KEEP);
    EXPECT_TRUE(s.guard().listed) << "it is about to be pushed";
    s.push();
    EXPECT_EQ(count_of(s.take(2)), 2u);
    ASSERT_TRUE(s.pop());
    EXPECT_EQ(s.popped(), LINN_POPPED_DROPPED);
    struct linn_elements e = {{7}};
    EXPECT_TRUE(s.give(e, 3));
    ASSERT_TRUE(s.pop());
    EXPECT_EQ(s.popped(), LINN_POPPED_RETIRED);
    struct linn_subpage_guard g = s.guard();
    EXPECT_EQ(g.state, static_cast<uint32_t>(LINN_SUBPAGE_DEAD));
    EXPECT_EQ(g.gen, 42u);
    EXPECT_EQ(g.free, 0u);
    EXPECT_FALSE(g.listed);
    EXPECT_TRUE(s.is_valid());
}

TEST(SubpageTest, TheGenerationPassesItsWrap) {  // B3
    guarded_subpage s;
    s.set_generation(kLastGeneration - 2);
    uint64_t expected = kLastGeneration - 2;
    for (int life = 0; life < 6; life++) {
        s.born(2, 0, /*size_class=*/63);
        EXPECT_EQ(s.guard().gen, expected);
        EXPECT_EQ(s.guard().size_class, 63u) << "gen did not spill over";
        uint64_t seen = s.word();
        struct linn_elements e = s.take(2);
        s.give(e, 2);
        ASSERT_TRUE(s.pop());
        ASSERT_EQ(s.popped(), LINN_POPPED_RETIRED);
        expected = (expected + 1) & kLastGeneration;
        EXPECT_EQ(s.guard().gen, expected);
        s.born(2, 2);
        EXPECT_EQ(s.reserve(seen, 1), 0u);
        struct linn_elements both = {{3}};
        s.give(both, 2);
        ASSERT_TRUE(s.pop());
        ASSERT_EQ(s.popped(), LINN_POPPED_RETIRED);
        expected = (expected + 1) & kLastGeneration;
    }
    EXPECT_LT(s.guard().gen, 20u) << "the wrap was passed";
}

TEST(SubpageTest, AnInvalidSubpageIsSeen) {
    guarded_subpage s;
    s.born(64, 60);
    ASSERT_TRUE(s.is_valid());
    struct linn_elements e = only(3);
    s.set_bits(&e);
    EXPECT_FALSE(s.is_valid()) << "a bit that nobody counted";
    s.leave(1);
    EXPECT_TRUE(s.is_valid());
    struct linn_subpage_guard g = s.guard();
    g.listed = false;
    sync_u64_store_release(&s.sp.guard, linn_subpage_guard_pack(g));
    EXPECT_FALSE(s.is_valid()) << "free elements in no stack";
}

// A random walk against a set of indices, on the largest subpage there is.
TEST(SubpageTest, AgreesWithAModel) {
    guarded_subpage s;
    s.born(LINN_SUBPAGE_WORDS * 64, 0);
    std::vector<char> is_free(512, 1);
    std::vector<uint32_t> held;
    uint64_t x = 88172645463325252;
    auto below = [&x](size_t n) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        return static_cast<uint32_t>(x % n);
    };
    long taken = 0, given = 0, doubled = 0, retired = 0;
    for (int i = 0; i < kSteps; i++) {
        bool filling = i / 1000 % 2 == 0;
        if (below(3) != 0 ? filling : !filling) {
            struct linn_elements e = s.take(1 + below(64));
            for (uint32_t index : indices_of(e)) {
                ASSERT_TRUE(is_free[index]);
                is_free[index] = 0;
                held.push_back(index);
                taken++;
            }
        } else if (!held.empty()) {
            struct linn_elements e = {};
            uint32_t n = 0;
            for (uint32_t k = 1 + below(64); k > 0 && !held.empty(); k--) {
                uint32_t at = below(held.size());
                std::swap(held[at], held.back());
                uint32_t index = held.back();
                held.pop_back();
                e.word[index / 64] |= UINT64_C(1) << index % 64;
                is_free[index] = 1;
                n++;
            }
            given += n;
            s.give(e, n);
        }
        uint32_t index = below(512);
        if (is_free[index]) {
            struct linn_elements e = only(index);
            ASSERT_EQ(s.set_bits(&e), 1u);
            doubled++;
        }
        if (i % 64 != 0) continue;
        ASSERT_EQ(s.guard().free, 512 - held.size());
        ASSERT_TRUE(s.is_valid());
        if (!s.pop()) continue;
        switch (s.popped()) {
            case LINN_POPPED_KEEP:
                s.push();
                break;
            case LINN_POPPED_DROPPED:
                ASSERT_EQ(held.size(), 512u);
                break;
            case LINN_POPPED_RETIRED:
                ASSERT_TRUE(held.empty());
                retired++;
                s.born(512, 0);
                break;
        }
    }
    std::printf(
        "model: %d steps, %ld taken, %ld given, %ld doubled, "
        "%ld lives ended\n",
        kSteps, taken, given, doubled, retired);
    EXPECT_GE(taken, kSteps);
    EXPECT_GE(given, kSteps);
    EXPECT_GE(doubled, kSteps / 10);
    EXPECT_GE(retired, 1);
}

// ---- threads ----

// Many lives.  Threads reserve at the top of the stack without taking it off,
// use their elements with plain accesses and give them back; any of them pops.
// The one that retires a life owns the run alone: it reads and writes every
// element, then begins the next life.  ThreadSanitizer judges the orders.
TEST(SubpageTest, RetirementHandsTheRunToOneThread) {
    constexpr int kThreads = 4;
    guarded_subpage s;
    s.set_generation(kLastGeneration - 50);
    long payload[4] = {0, 0, 0, 0}, collected = 0;
    long lives = 0;
    std::atomic<long> uses{0};
    // Here a class is its number of elements.
    auto total_now = [&s] { return s.guard().size_class; };
    s.born(4, 0, /*size_class=*/4);
    auto use = [&](uint32_t want) {
        uint32_t got = 0;
        struct linn_elements e = {};
        linn_section_enter(&s.section);
        struct linn_top top;
        if (linn_tagged_stack_look(&s.stack, &top)) {
            uint64_t seen = sync_u64_load_acquire(&s.sp.guard);
            if (linn_tagged_stack_is_still(&s.stack, &top)) {
                got = linn_subpage_reserve(&s.sp, seen, want);
                if (got > 0) linn_subpage_claim(&s.sp, got, &e);
            }
        }
        linn_section_leave(&s.section);
        if (got == 0) return;
        for (uint32_t i : indices_of(e)) {
            payload[i]++;
        }
        uses.fetch_add(got, std::memory_order_relaxed);
        linn_section_enter(&s.section);
        EXPECT_EQ(linn_subpage_set_bits(&s.sp, &e), 0u);
        if (linn_subpage_leave(&s.sp, got)) {
            linn_tagged_stack_push(&s.stack, &s.sp.node);
        }
        linn_section_leave(&s.section);
    };
    auto collect = [&] {
        linn_section_enter(&s.section);
        struct linn_stack_node *node = linn_tagged_stack_pop(&s.stack);
        enum linn_popped p = LINN_POPPED_DROPPED;
        if (node != nullptr) {
            p = linn_subpage_popped(&s.sp, total_now());
            if (p == LINN_POPPED_KEEP) linn_tagged_stack_push(&s.stack, node);
        }
        linn_section_leave(&s.section);
        if (p != LINN_POPPED_RETIRED) return;
        for (long &element : payload) {
            collected += element;
            element = 0;
        }
        lives++;
        uint32_t total = 2 + static_cast<uint32_t>(lives % 3);
        s.born(total, 0, total);
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&, t] {
            // A use that finds the subpage popped takes nothing.
            for (int i = 0;
                 i < kRounds || (uses.load() < kRounds && i < 100 * kRounds);
                 i++) {
                use(1 + static_cast<uint32_t>(i + t) % 3);
                if (i % 4 == t) collect();
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    for (long element : payload) {
        collected += element;
    }
    std::printf("threads: %ld elements used in %ld lives\n", uses.load(),
                lives);
    EXPECT_EQ(collected, uses.load());
    EXPECT_GE(uses.load(), kRounds);
    EXPECT_GE(lives, 100) << "the wrap of the generation was not passed";
    EXPECT_TRUE(linn_subpage_is_valid_quiescent(&s.sp, total_now()));
    ASSERT_TRUE(s.pop()) << "all elements are free, so it is listed";
    EXPECT_EQ(linn_subpage_popped(&s.sp, total_now()), LINN_POPPED_RETIRED);
}

}  // namespace
