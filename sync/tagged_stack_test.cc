#include "sync/tagged_stack.h"

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kRounds = 10000;
#else
constexpr int kRounds = 200000;
#endif

// Three pushes or pops below the wrap of the tag.
constexpr uint64_t kNearWrap = UINT64_MAX - 2;

struct object {
    struct linn_stack_node node;  // first, so that a node is its object
    long payload;                 // plain: ThreadSanitizer judges the orders
};

object *object_of(struct linn_stack_node *node) {
    return reinterpret_cast<object *>(node);
}

uint64_t tag_of(const struct linn_tagged_stack &s) {
    return sync_pair_load_relaxed(&s.head).high;
}

TEST(TaggedStackTest, LastInFirstOut) {
    struct linn_tagged_stack s;
    linn_tagged_stack_init(&s, kNearWrap);
    EXPECT_TRUE(linn_tagged_stack_is_empty_hint(&s));
    EXPECT_EQ(linn_tagged_stack_pop(&s), nullptr);
    object o[4];
    for (object &x : o) {
        linn_tagged_stack_push(&s, &x.node);
    }
    EXPECT_FALSE(linn_tagged_stack_is_empty_hint(&s));
    for (int i = 3; i >= 0; i--) {
        EXPECT_EQ(linn_tagged_stack_pop(&s), &o[i].node);
    }
    EXPECT_EQ(linn_tagged_stack_pop(&s), nullptr);
    EXPECT_TRUE(linn_tagged_stack_is_empty_hint(&s));
}

TEST(TaggedStackTest, EveryPushAndRemovalAdvancesTheTag) {  // T2
    struct linn_tagged_stack s;
    linn_tagged_stack_init(&s, kNearWrap);
    object o[3];
    uint64_t tag = kNearWrap;
    for (object &x : o) {
        linn_tagged_stack_push(&s, &x.node);
        EXPECT_EQ(tag_of(s), ++tag);
    }
    EXPECT_EQ(tag, 0u) << "the wrap was passed";
    linn_tagged_stack_pop(&s);
    EXPECT_EQ(tag_of(s), ++tag);
    linn_tagged_stack_pop_all(&s);
    EXPECT_EQ(tag_of(s), ++tag);
    linn_tagged_stack_pop_all(&s);
    linn_tagged_stack_pop(&s);
    EXPECT_EQ(tag_of(s), tag) << "nothing was removed";
}

TEST(TaggedStackTest, PopAllGivesTheWholeList) {
    struct linn_tagged_stack s;
    linn_tagged_stack_init(&s, 0);
    EXPECT_EQ(linn_tagged_stack_pop_all(&s), nullptr);
    object o[5];
    for (object &x : o) {
        linn_tagged_stack_push(&s, &x.node);
    }
    struct linn_stack_node *n = linn_tagged_stack_pop_all(&s);
    for (int i = 4; i >= 0; i--) {
        ASSERT_EQ(n, &o[i].node);
        n = linn_stack_node_next(n);
    }
    EXPECT_EQ(n, nullptr);
    EXPECT_TRUE(linn_tagged_stack_is_empty_hint(&s));
}

TEST(TaggedStackTest, HeadHasALineOfItsOwn) {
    EXPECT_EQ(alignof(struct linn_tagged_stack), size_t{LINN_CACHE_LINE});
    EXPECT_EQ(sizeof(struct linn_tagged_stack), size_t{LINN_CACHE_LINE});
}

#if !LINN_LOCKED
// The pop of tagged_stack.h cut in two, so that others work in between.
// `advance` is what each removal adds to the tag: 1 is the real stack, 0 is the
// stack without a tag.
struct popper {
    struct linn_tagged_stack *s;
    uint64_t advance;
    sync_pair_value seen, next;

    void begin() {
        seen = sync_pair_load_relaxed(&s->head);
        struct linn_stack_node *first = linn_stack_node_of(seen.low);
        next.low = reinterpret_cast<uint64_t>(linn_stack_node_next(first));
        next.high = seen.high + advance;
    }
    bool finish() {
        return sync_pair_cas_acq_rel_acquire(&s->head, &seen, next);
    }
};

void set_tag(struct linn_tagged_stack *s, uint64_t tag) {
    sync_pair_value v = sync_pair_load_relaxed(&s->head);
    v.high = tag;
    sync_pair_store_relaxed(&s->head, v);
}

// A pops X and is stopped between the link and the compare-and-swap; B pops X
// and Y and pushes X again.  If A succeeds now, Y is on the stack while B owns
// it.  Returns whether a node came to have two owners.
bool replay_aba(uint64_t first_tag, bool with_tag) {
    struct linn_tagged_stack s;
    linn_tagged_stack_init(&s, first_tag);
    object x, y, z;
    linn_tagged_stack_push(&s, &z.node);
    linn_tagged_stack_push(&s, &y.node);
    linn_tagged_stack_push(&s, &x.node);
    uint64_t tag = tag_of(s);
    popper a = {&s, with_tag ? 1u : 0u, {}, {}};
    a.begin();
    EXPECT_EQ(linn_tagged_stack_pop(&s), &x.node);
    EXPECT_EQ(linn_tagged_stack_pop(&s), &y.node);  // B owns y from here on
    linn_tagged_stack_push(&s, &x.node);
    if (!with_tag) set_tag(&s, tag);
    if (!a.finish()) return false;
    std::set<struct linn_stack_node *> left;
    while (struct linn_stack_node *n = linn_tagged_stack_pop(&s)) {
        if (!left.insert(n).second) return true;
    }
    return left.count(&y.node) != 0;
}

TEST(TaggedStackTest, AbaIsRefusedAndAStackWithoutTagIsCaught) {
    for (uint64_t tag : {uint64_t{0}, kNearWrap - 3, kNearWrap - 2,
                         kNearWrap - 1, kNearWrap, kNearWrap + 1}) {
        EXPECT_FALSE(replay_aba(tag, /*with_tag=*/true)) << tag;
        EXPECT_TRUE(replay_aba(tag, /*with_tag=*/false)) << tag;
    }
}
#endif

// Threads pop and push objects that carry plain counters.  An object that two
// threads own at once loses counts; the tag passes its wrap at the beginning.
TEST(TaggedStackTest, ManyThreadsShareTheObjects) {
    constexpr int kThreads = 4, kObjects = 6;
    struct linn_section section;
    linn_section_init(&section);
    struct linn_tagged_stack s;
    linn_tagged_stack_init(&s, kNearWrap);
    std::vector<object> objects(kObjects);
    for (object &x : objects) {
        x.payload = 0;
        linn_tagged_stack_push(&s, &x.node);
    }
    std::vector<long> counts(kThreads * 16, 0);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([&, t] {
            auto give = [&](struct linn_stack_node *n) {
                object_of(n)->payload++;
                counts[static_cast<size_t>(t) * 16]++;
                linn_section_enter(&section);
                linn_tagged_stack_push(&s, n);
                linn_section_leave(&section);
            };
            for (int i = 0; i < kRounds; i++) {
                linn_section_enter(&section);
                bool all = i % 64 == 0;
                struct linn_stack_node *n = all ? linn_tagged_stack_pop_all(&s)
                                                : linn_tagged_stack_pop(&s);
                linn_section_leave(&section);
                while (all && n != nullptr) {
                    struct linn_stack_node *rest = linn_stack_node_next(n);
                    give(n);
                    n = rest;
                }
                if (n != nullptr) give(n);
            }
        });
    }
    for (std::thread &t : threads) {
        t.join();
    }
    long owned = 0, counted = 0;
    int found = 0;
    while (struct linn_stack_node *n = linn_tagged_stack_pop(&s)) {
        found++;
        owned += object_of(n)->payload;
    }
    for (long c : counts) {
        counted += c;
    }
    EXPECT_EQ(found, kObjects);
    EXPECT_EQ(owned, counted);
    EXPECT_GT(counted, kRounds);
}

}  // namespace
