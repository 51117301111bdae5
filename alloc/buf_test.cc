// Lives and references, stale handles, growth, failures, threads and handlers.

#include "alloc/linn_buf.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <set>
#include <thread>

#include "alloc/buf_descriptor.h"
#include "alloc/buf_fixture.h"
#include "alloc/page_source.h"
#include "alloc/size_class.h"

namespace {

using namespace buf_fixture;  // NOLINT
using linn_fixture::kScale;

class Buf : public BufTest {};

// ---- allocation ----

// Netty cases 1, 2, 3 and 7.
TEST_F(Buf, Allocation) {
    linn_buf b = linn_buf_alloc(pool_, 1);
    EXPECT_EQ(linn_buf_capacity(b), 1u);
    EXPECT_EQ(linn_buf_max_capacity(b), LINN_BUF_MAX);
    EXPECT_EQ(linn_buf_reader(b) + linn_buf_writer(b), 0u);
    EXPECT_EQ(linn_buf_references(b), 1u);
    EXPECT_TRUE(linn_buf_is_sole_owner(b));
    EXPECT_EQ(linn_buf_pool(b), pool_);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);

    ASSERT_EQ(linn_buf_alloc_max(pool_, 1, 8, &b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_max_capacity(b), 8u);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
    linn_buf none = {5};
    EXPECT_EQ(linn_buf_alloc_max(pool_, 9, 8, &none), LINN_BUF_CAPACITY);
    EXPECT_EQ(linn_buf_alloc_max(pool_, 1, SIZE_MAX, &none), LINN_BUF_CAPACITY);
    EXPECT_EQ(linn_buf_alloc_max(pool_, 1, 8, nullptr), LINN_BUF_ARGUMENT);
    EXPECT_EQ(none.id, 5u);
    EXPECT_TRUE(linn_buf_is_none(linn_buf_alloc(pool_, SIZE_MAX)));
    EXPECT_EQ(LastError().status, LINN_BUF_CAPACITY);
    EXPECT_TRUE(linn_buf_is_none(linn_buf_alloc(pool_, LINN_BUF_MAX)));
    EXPECT_EQ(LastError().status, LINN_BUF_NO_MEMORY);

    for (size_t size : {size_t{16777217}, size_t{1024}, size_t{512}}) {
        b = linn_buf_alloc(pool_, size);
        ASSERT_FALSE(linn_buf_is_none(b));
        EXPECT_EQ(linn_buf_capacity(b), size);
        EXPECT_EQ(linn_buf_set_u8(b, size - 1, 1), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
    }
}

TEST_F(Buf, AnEmptyBufferTakesNoMemoryUntilItIsWrittenTo) {
    linn_buf b, e;
    ASSERT_EQ(linn_buf_alloc_max(pool_, 0, 100, &b), LINN_BUF_OK);
    EXPECT_EQ(linn_fixture::Counters(pool_).live_blocks, 0u);
    EXPECT_EQ(linn_buf_write_u32(b, 7), LINN_BUF_OK);
    EXPECT_EQ(linn_fixture::Counters(pool_).live_blocks, 1u);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_alloc_max(pool_, 0, 0, &e), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_write_u8(e, 1), LINN_BUF_FULL);
    EXPECT_TRUE(linn_buf_is_contiguous(e));
    EXPECT_EQ(linn_buf_release(e), LINN_BUF_OK);
}

// ---- references ----

// Netty cases 40 to 42, with values in the place of exceptions.
TEST_F(Buf, References) {
    linn_buf b = linn_buf_alloc(pool_, 10);
    EXPECT_EQ(linn_buf_retain_n(b, 0), LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_release_n(b, 0, nullptr), LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_retain(b), LINN_BUF_OK);
    EXPECT_FALSE(linn_buf_is_sole_owner(b));
    EXPECT_EQ(linn_buf_retain_n(b, 3), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_references(b), 5u);
    EXPECT_EQ(linn_buf_release_n(b, 6, nullptr), LINN_BUF_REFERENCES);
    EXPECT_EQ(linn_buf_retain_n(b, INT32_MAX), LINN_BUF_REFERENCES);
    EXPECT_EQ(linn_buf_references(b), 5u);
    EXPECT_EQ(linn_buf_retain_n(b, INT32_MAX - 5), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_retain(b), LINN_BUF_REFERENCES);
    EXPECT_EQ(linn_buf_references(b), uint32_t{INT32_MAX});
    bool freed = true;
    EXPECT_EQ(linn_buf_release_n(b, INT32_MAX - 1, &freed), LINN_BUF_OK);
    EXPECT_FALSE(freed);
    EXPECT_EQ(linn_buf_release_n(b, 1, &freed), LINN_BUF_OK);
    EXPECT_TRUE(freed);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(linn_buf_retain(b), LINN_BUF_DEAD);
        EXPECT_EQ(linn_buf_retain_n(b, 2), LINN_BUF_DEAD);
        EXPECT_EQ(linn_buf_release(b), LINN_BUF_DEAD);
        EXPECT_EQ(linn_buf_release_n(b, INT32_MAX, &freed), LINN_BUF_DEAD);
    }
    EXPECT_EQ(linn_buf_references(b), 0u);
}

TEST_F(Buf, PublishAndFind) {
    linn_buf b = linn_buf_alloc(pool_, 10);
    EXPECT_EQ(linn_buf_try_retain(b), LINN_BUF_UNPUBLISHED);
    linn_buf_retain(b);
    EXPECT_EQ(linn_buf_publish(b), LINN_BUF_SHARED);
    linn_buf_release(b);
    EXPECT_EQ(linn_buf_publish(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_publish(b), LINN_BUF_OK);
    EXPECT_FALSE(linn_buf_is_sole_owner(b));
    EXPECT_EQ(linn_buf_try_retain(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_references(b), 2u);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
    linn_buf s, r;
    ASSERT_EQ(linn_buf_slice(b, 0, 5, &s), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_publish(s), LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_try_retain(s), LINN_BUF_UNPUBLISHED);
    ASSERT_EQ(linn_buf_retained_slice(b, 0, 5, &r), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_publish(r), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_try_retain(r), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_release_n(r, 2, nullptr), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_try_retain(r), LINN_BUF_DEAD);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_try_retain(b), LINN_BUF_DEAD);
    // The next life of the descriptor is not published.
    linn_buf next = linn_buf_alloc(pool_, 10);
    EXPECT_EQ(linn_buf_try_retain(next), LINN_BUF_UNPUBLISHED);
    EXPECT_EQ(linn_buf_release(next), LINN_BUF_OK);
}

// Netty case 43: another thread sees that it is dead.
TEST_F(Buf, DeathIsVisible) {
    linn_buf b = linn_buf_alloc(pool_, 10);
    std::thread([&] { EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK); }).join();
    EXPECT_EQ(linn_buf_references(b), 0u);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_DEAD);
}

// Netty case 45: four orders, slice and duplicate.
TEST_F(Buf, WhoFreesTheBytes) {
    for (bool slice : {true, false}) {
        auto plain = [&](linn_buf b, linn_buf *v) {
            return slice ? linn_buf_slice(b, 2, 5, v)
                         : linn_buf_duplicate(b, v);
        };
        auto retained = [&](linn_buf b, linn_buf *v) {
            return slice ? linn_buf_retained_slice(b, 2, 5, v)
                         : linn_buf_retained_duplicate(b, v);
        };
        linn_buf b, v, w;
        // Released by the view, or by the parent: one and the same.
        for (bool by_view : {true, false}) {
            b = Text(pool_, "0123456789");
            ASSERT_EQ(plain(b, &v), LINN_BUF_OK);
            EXPECT_EQ(linn_buf_references(v), 1u);
            EXPECT_EQ(linn_buf_retain(v), LINN_BUF_OK);
            EXPECT_EQ(linn_buf_references(b), 2u);
            bool freed = false;
            linn_buf_release_n(b, 1, &freed);
            EXPECT_FALSE(freed);
            linn_buf_release_n(by_view ? v : b, 1, &freed);
            EXPECT_TRUE(freed);
            EXPECT_FALSE(linn_buf_is_live(b));
            EXPECT_FALSE(linn_buf_is_live(v));
        }
        // A retained view outlives its parent's other references, or not.
        for (bool parent_first : {true, false}) {
            b = Text(pool_, "0123456789");
            ASSERT_EQ(retained(b, &v), LINN_BUF_OK);
            EXPECT_EQ(linn_buf_references(v), 1u);
            EXPECT_EQ(linn_buf_references(b), 2u);
            EXPECT_EQ(linn_buf_release(parent_first ? b : v), LINN_BUF_OK);
            EXPECT_TRUE(linn_buf_is_live(b));
            EXPECT_EQ(linn_buf_is_live(v), parent_first);
            if (parent_first) {
                uint8_t c = 0;
                EXPECT_EQ(linn_buf_get_u8(v, 0, &c), LINN_BUF_OK);
                EXPECT_EQ(c, slice ? '2' : '0');
            }
            EXPECT_EQ(linn_buf_release(parent_first ? v : b), LINN_BUF_OK);
            EXPECT_FALSE(linn_buf_is_live(b));
        }
        // Views of views: the direct parent's reference is held.
        b = Text(pool_, "0123456789");
        ASSERT_EQ(retained(b, &v), LINN_BUF_OK);
        ASSERT_EQ(linn_buf_retained_slice(v, 1, 3, &w), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_references(v), 2u);
        EXPECT_EQ(linn_buf_references(b), 2u);
        EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_release(v), LINN_BUF_OK);
        EXPECT_EQ(Readable(w), slice ? "345" : "123");
        EXPECT_EQ(linn_buf_release(w), LINN_BUF_OK);
        for (linn_buf dead : {b, v, w})
            EXPECT_FALSE(linn_buf_is_live(dead));
    }
}

TEST_F(Buf, AThousandSlicesOfSlices) {
    linn_buf b = Text(pool_, std::string(3000, 'x'));
    linn_buf v = b;
    for (int i = 0; i < 1000; i++) {
        linn_buf w;
        ASSERT_EQ(linn_buf_retained_slice(v, 1, linn_buf_capacity(v) - 1, &w),
                  LINN_BUF_OK);
        ASSERT_EQ(linn_buf_release(v), LINN_BUF_OK);
        v = w;
    }
    EXPECT_TRUE(linn_buf_is_live(b));
    EXPECT_EQ(linn_buf_release(v), LINN_BUF_OK);  // and no deep stack
    EXPECT_FALSE(linn_buf_is_live(b));
}

// ---- stale handles ----

TEST_F(Buf, AStaleHandleNeverMeansASuccessor) {
    std::set<uint64_t> seen;
    linn_buf first = linn_buf_alloc(pool_, 64);
    linn_buf_release(first);
    seen.insert(first.id);
    int same_descriptor = 0;
    for (int i = 0; i < 10000 / kScale; i++) {
        linn_buf b = linn_buf_alloc(pool_, 64);
        ASSERT_TRUE(seen.insert(b.id).second);
        if (static_cast<uint32_t>(b.id) == static_cast<uint32_t>(first.id)) {
            same_descriptor++;
        }
        Write(b, "mine");
        ASSERT_EQ(linn_buf_release(first), LINN_BUF_DEAD);
        ASSERT_EQ(linn_buf_set_u8(first, 0, 'x'), LINN_BUF_DEAD);
        ASSERT_EQ(Readable(b), "mine");
        ASSERT_EQ(linn_buf_release(b), LINN_BUF_OK);
    }
    EXPECT_GT(same_descriptor, 9000 / kScale);
}

// From three below the wrap: three lives, all told apart, and then the descriptor
// is nobody's any more.
TEST_F(Buf, TheGenerationBeforeItWraps) {
    (void)linn_thread_flush();
    linn_descriptor_set_first_generation(UINT32_MAX - 2);
    std::vector<linn_buf> held;
    linn_buf b = linn_buf_none();
    while (b.id >> 32 != UINT32_MAX - 2) {  // until descriptors are new
        b = linn_buf_alloc(pool_, 8);
        held.push_back(b);
        ASSERT_LT(held.size(), 100000u);
    }
    linn_descriptor_set_first_generation(1);
    held.pop_back();
    auto index = static_cast<uint32_t>(b.id);
    uint64_t retired = linn_descriptor_retired();
    std::vector<linn_buf> lives = {b};
    for (int life = 1; life < 3; life++) {
        ASSERT_EQ(linn_buf_release(b), LINN_BUF_OK);
        b = linn_buf_alloc(pool_, 8);
        ASSERT_EQ(static_cast<uint32_t>(b.id), index);
        for (linn_buf old : lives)
            EXPECT_EQ(linn_buf_release(old), LINN_BUF_DEAD);
        lives.push_back(b);
    }
    EXPECT_EQ(b.id >> 32, UINT32_MAX);
    ASSERT_EQ(linn_buf_release(b), LINN_BUF_OK);
    EXPECT_EQ(linn_descriptor_retired(), retired + 1);
    std::vector<linn_buf> later;
    for (int i = 0; i < 200; i++) {
        later.push_back(linn_buf_alloc(pool_, 8));
        EXPECT_NE(static_cast<uint32_t>(later.back().id), index);
    }
    for (linn_buf old : lives) {
        EXPECT_EQ(linn_buf_release(old), LINN_BUF_DEAD);
        EXPECT_EQ(linn_buf_try_retain(old), LINN_BUF_DEAD);
    }
    for (linn_buf x : later)
        EXPECT_EQ(linn_buf_release(x), LINN_BUF_OK);
    for (linn_buf x : held)
        EXPECT_EQ(linn_buf_release(x), LINN_BUF_OK);
}

// Netty case 49.
TEST_F(Buf, ANewLifeBeginsAtZero) {
    linn_buf b = Text(pool_, "0123456789");
    linn_buf_skip(b, 5);
    linn_buf_mark_reader(b);
    linn_buf_mark_writer(b);
    auto index = static_cast<uint32_t>(b.id);
    linn_buf_release(b);
    b = linn_buf_alloc(pool_, 10);
    EXPECT_EQ(static_cast<uint32_t>(b.id), index);
    linn_buf_set_indices(b, 3, 7);
    EXPECT_EQ(linn_buf_reset_reader(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reset_writer(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reader(b) + linn_buf_writer(b), 0u);
    linn_buf_release(b);
    // Nor is it what its descriptor was before.
    linn_buf p = linn_buf_alloc(pool_, 10), v;
    ASSERT_EQ(linn_buf_retained_read_only(p, &v), LINN_BUF_OK);
    linn_buf_release(v);
    linn_buf_release(p);
    for (int i = 0; i < 3; i++) {
        b = linn_buf_alloc(pool_, 10);
        EXPECT_FALSE(linn_buf_is_read_only(b));
        EXPECT_EQ(linn_buf_write_u64(b, 1), LINN_BUF_OK);
        linn_buf_release(b);
    }
}

// ---- growth ----

TEST_F(Buf, GrownCapacity) {
    constexpr size_t kStep = size_t{4} << 20;
    struct Case {
        size_t needed, max, want;
    };
    for (Case c :
         std::vector<Case>{{0, LINN_BUF_MAX, 64},
                           {1, LINN_BUF_MAX, 64},
                           {64, LINN_BUF_MAX, 64},
                           {65, LINN_BUF_MAX, 128},
                           {1000, LINN_BUF_MAX, 1024},
                           {1000, 1010, 1010},
                           {1000, 1000, 1000},
                           {5, 10, 10},
                           {kStep - 1, LINN_BUF_MAX, kStep},
                           {kStep, LINN_BUF_MAX, kStep},
                           {kStep + 1, LINN_BUF_MAX, 2 * kStep},
                           {2 * kStep, LINN_BUF_MAX, 3 * kStep},
                           {2 * kStep, 2 * kStep + 5, 2 * kStep + 5},
                           {LINN_BUF_MAX - 1, LINN_BUF_MAX, LINN_BUF_MAX}}) {
        EXPECT_EQ(linn_buf_grown_capacity(c.needed, c.max), c.want)
            << c.needed << " of " << c.max;
    }
}

TEST_F(Buf, SlackFirstThenAMove) {
    linn_buf b = linn_buf_alloc(pool_, 1000);
    size_t slot = linn_good_size(pool_, 1000);
    EXPECT_GT(slot, 1000u);
    EXPECT_EQ(linn_buf_max_fast_writable(b), slot);
    const void *before, *after;
    Write(b, std::string(1000, 'x'));
    ASSERT_EQ(linn_buf_data(b, 0, 1, &before), LINN_BUF_OK);
    // Netty case 52: as much as the slot has, without a move.
    EXPECT_EQ(linn_buf_ensure_writable(b, slot - 1000, false), LINN_BUF_GROWN);
    EXPECT_EQ(linn_buf_capacity(b), slot);
    ASSERT_EQ(linn_buf_data(b, 0, 1, &after), LINN_BUF_OK);
    EXPECT_EQ(before, after);
    EXPECT_EQ(linn_buf_max_fast_writable(b), slot - 1000);
    EXPECT_EQ(linn_buf_ensure_writable(b, slot - 1000 + 1, false),
              LINN_BUF_GROWN);
    EXPECT_EQ(linn_buf_capacity(b),
              linn_buf_grown_capacity(slot + 1, LINN_BUF_MAX));
    EXPECT_EQ(Readable(b), std::string(1000, 'x'));
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
}

TEST_F(Buf, EnsureWritableHasFourResults) {
    linn_buf b;
    ASSERT_EQ(linn_buf_alloc_max(pool_, 8, 100, &b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_ensure_writable(b, 8, false), LINN_BUF_ENOUGH);
    EXPECT_EQ(linn_buf_ensure_writable(b, 101, false), LINN_BUF_NOT_ENOUGH);
    EXPECT_EQ(LastError().status, LINN_BUF_FULL);
    EXPECT_EQ(linn_buf_capacity(b), 8u);
    EXPECT_EQ(linn_buf_ensure_writable(b, 20, false), LINN_BUF_GROWN);
    EXPECT_GE(linn_buf_capacity(b), 20u);
    Write(b, "x");
    EXPECT_EQ(linn_buf_ensure_writable(b, SIZE_MAX, false),
              LINN_BUF_NOT_ENOUGH);
    EXPECT_EQ(linn_buf_ensure_writable(b, SIZE_MAX, true),
              LINN_BUF_GROWN_TO_MAX);
    EXPECT_EQ(linn_buf_capacity(b), 100u);
    EXPECT_EQ(linn_buf_ensure_writable(b, 100, true), LINN_BUF_NOT_ENOUGH);
    EXPECT_EQ(linn_buf_ensure_writable(b, 99, true), LINN_BUF_ENOUGH);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
}

// Netty case 50.
TEST_F(Buf, CapacityWithinTheMaximum) {
    linn_buf b;
    ASSERT_EQ(linn_buf_alloc_max(pool_, 3, 13, &b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_set_capacity(b, 14), LINN_BUF_CAPACITY);
    EXPECT_EQ(linn_buf_set_capacity(b, SIZE_MAX), LINN_BUF_CAPACITY);
    for (size_t capacity : {size_t{2}, size_t{4}, size_t{13}}) {
        EXPECT_EQ(linn_buf_set_capacity(b, capacity), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_capacity(b), capacity);
        EXPECT_EQ(linn_buf_max_capacity(b), 13u);
    }
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
}

TEST_F(Buf, ShrinkingKeepsABlockThatIsHalfUsed) {
    linn_buf b = linn_buf_alloc(pool_, 4096);
    const void *first, *now;
    linn_buf_data(b, 0, 1, &first);
    ASSERT_EQ(linn_buf_set_capacity(b, 2049), LINN_BUF_OK);
    linn_buf_data(b, 0, 1, &now);
    EXPECT_EQ(now, first);
    ASSERT_EQ(linn_buf_set_capacity(b, 2048), LINN_BUF_OK);
    linn_buf_data(b, 0, 1, &now);
    EXPECT_NE(now, first);
    EXPECT_EQ(linn_buf_max_fast_writable(b), 2048u);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
}

// Netty case 54: memory fails inside growth; nothing has changed.
TEST_F(Buf, AFailedGrowthChangesNothing) {
    for (Kind kind : {kPlain, kDuplicate, kComposite}) {
        Made m = Make(kind, pool_, 30000);
        std::string text(30000, 'x');
        Write(m.b, text);
        linn_buf_skip(m.b, 5);
        (void)linn_thread_flush();
        linn_page_source_fail_always();
        size_t capacity = linn_buf_capacity(m.b);
        // More than a chunk, so that the system is asked.
        size_t much = size_t{20} << 20;
        EXPECT_EQ(linn_buf_write_zero(m.b, much), LINN_BUF_NO_MEMORY);
        EXPECT_EQ(LastError().status, LINN_BUF_NO_MEMORY);
        EXPECT_EQ(LastError().length, much);
        EXPECT_EQ(linn_buf_set_capacity(m.b, much), LINN_BUF_NO_MEMORY);
        EXPECT_EQ(linn_buf_ensure_writable(m.b, much, true),
                  LINN_BUF_NOT_ENOUGH);
        linn_page_source_fail_never();
        EXPECT_EQ(linn_buf_capacity(m.b), capacity);
        EXPECT_EQ(linn_buf_reader(m.b), 5u);
        EXPECT_EQ(linn_buf_writer(m.b), 30000u);
        EXPECT_EQ(Bytes(m.b), text);
        EXPECT_EQ(linn_buf_write_zero(m.b, 100), LINN_BUF_OK);
        Release(m);
    }
}

// The system refuses now and then: each allocation either works or says so, and
// nothing is lost.
TEST_F(Buf, NoMemoryForBlocksOrDescriptors) {
    int refused = 0;
    std::vector<linn_buf> held;
    for (int i = 0; i < 3000; i++) {
        if (i % 100 == 0) linn_page_source_fail_always();
        if (i % 100 == 50) linn_page_source_fail_never();
        linn_buf b = linn_buf_alloc(pool_, 200000);
        if (linn_buf_is_none(b)) {
            refused++;
            EXPECT_EQ(LastError().status, LINN_BUF_NO_MEMORY);
        } else {
            held.push_back(b);
        }
    }
    linn_page_source_fail_never();
    EXPECT_GT(refused, 100);
    EXPECT_EQ(held.size() + static_cast<size_t>(refused), 3000u);
    for (linn_buf b : held)
        EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
    // A descriptor that there is no memory for: the block goes back.
    held.clear();
    for (int i = 0; i < 100000; i++) {
        if (i == 2000) linn_page_source_fail_always();
        linn_buf b = linn_buf_alloc(pool_, 16);
        if (linn_buf_is_none(b)) break;
        held.push_back(b);
    }
    linn_buf b;
    EXPECT_TRUE(linn_buf_is_none(linn_buf_alloc(pool_, 16)));
    EXPECT_EQ(linn_buf_slice(held[0], 0, 1, &b), LINN_BUF_NO_MEMORY);
    EXPECT_EQ(linn_buf_retained_slice(held[0], 0, 1, &b), LINN_BUF_NO_MEMORY);
    EXPECT_EQ(linn_buf_wrap(&b, 1, nullptr, nullptr, &b), LINN_BUF_NO_MEMORY);
    EXPECT_EQ(linn_buf_composite(pool_, 1, &b), LINN_BUF_NO_MEMORY);
    linn_page_source_fail_never();
    EXPECT_EQ(linn_buf_references(held[0]), 1u);
    EXPECT_EQ(linn_fixture::Counters(pool_).live_blocks, held.size());
    for (linn_buf x : held)
        EXPECT_EQ(linn_buf_release(x), LINN_BUF_OK);
}

// ---- wrapped memory ----

TEST_F(Buf, WrappedMemoryGoesBackOnce) {
    int before = WrappedReleased();
    linn_buf b, v;
    auto *memory = new unsigned char[10]();
    ASSERT_EQ(linn_buf_wrap(memory, 10, FreeWrapped, &WrappedReleased(), &b),
              LINN_BUF_OK);
    EXPECT_EQ(linn_buf_readable(b), 10u);
    ASSERT_EQ(linn_buf_retained_slice(b, 2, 3, &v), LINN_BUF_OK);
    linn_buf_set_u8(v, 0, 'x');
    EXPECT_EQ(memory[2], 'x');
    linn_buf_release(b);
    EXPECT_EQ(WrappedReleased(), before);
    linn_buf_release(v);
    EXPECT_EQ(WrappedReleased(), before + 1);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_DEAD);
    EXPECT_EQ(linn_buf_wrap(nullptr, 1, nullptr, nullptr, &b),
              LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_wrap(memory, SIZE_MAX, nullptr, nullptr, &b),
              LINN_BUF_CAPACITY);
    ASSERT_EQ(linn_buf_wrap(nullptr, 0, nullptr, nullptr, &b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_capacity(b), 0u);
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
}

TEST_F(Buf, ErrorsInWords) {
    linn_buf b = Text(pool_, "0123456789");
    uint32_t u;
    linn_buf_set_capacity(b, 16);
    EXPECT_EQ(linn_buf_get_u32(b, 13, &u), LINN_BUF_INDEX);
    linn_buf_error e = LastError();
    char text[200];
    size_t n = linn_buf_error_text(&e, text, sizeof text);
    EXPECT_EQ(n, strlen(text));
    EXPECT_STREQ(text,
                 "index 13, length 4: beyond the capacity, or indices out of "
                 "order (reader 0, writer 10, capacity 16, maximum "
                 "9223372036854775807)");
    EXPECT_EQ(linn_buf_error_text(&e, text, 9), n);
    EXPECT_STREQ(text, "index 13");
    std::set<std::string> names;
    for (int s = LINN_BUF_OK; s <= LINN_BUF_SYSTEM; s++)
        names.insert(linn_buf_status_name(static_cast<linn_buf_status>(s)));
    EXPECT_EQ(names.size(), size_t{LINN_BUF_SYSTEM} + 1);
    EXPECT_EQ(names.count("unknown"), 0u);
    EXPECT_STREQ(linn_buf_status_name(static_cast<linn_buf_status>(31)),
                 "unknown");
    linn_buf_release(b);
}

// ---- threads ----

// One parent; slices that outlive it, released by other threads.
TEST_F(Buf, SlicesOutliveTheirParentInOtherThreads) {
    constexpr int kThreads = 4;
    for (int round = 0; round < 200 / kScale; round++) {
        linn_buf parent = Text(pool_, std::string(4096, 'p'));
        std::vector<std::thread> threads;
        for (int t = 0; t < kThreads; t++) {
            linn_buf s;
            ASSERT_EQ(linn_buf_retained_slice(
                          parent, static_cast<size_t>(t) * 1000, 1000, &s),
                      LINN_BUF_OK);
            threads.emplace_back([s, t] {
                linn_buf_set_u8(s, 0, static_cast<uint8_t>(t));
                linn_buf w;
                EXPECT_EQ(linn_buf_retained_slice(s, 0, 10, &w), LINN_BUF_OK);
                EXPECT_EQ(linn_buf_release(s), LINN_BUF_OK);
                uint8_t byte = 99;
                EXPECT_EQ(linn_buf_get_u8(w, 0, &byte), LINN_BUF_OK);
                EXPECT_EQ(byte, t);
                EXPECT_EQ(linn_buf_release(w), LINN_BUF_OK);
            });
        }
        EXPECT_EQ(linn_buf_release(parent), LINN_BUF_OK);
        for (auto &t : threads)
            t.join();
        EXPECT_FALSE(linn_buf_is_live(parent));
    }
}

// Finders of a published buffer, and its owner who replaces it again and again: who
// finds it has it, with the bytes that its owner wrote.
TEST_F(Buf, FindersNeverSeeTheDead) {
    std::atomic<uint64_t> cell{0};
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> found{0}, missed{0};
    std::vector<std::thread> finders;
    for (int t = 0; t < 3; t++) {
        finders.emplace_back([&] {
            while (!stop) {
                linn_buf b = {cell.load(std::memory_order_relaxed)};
                if (linn_buf_try_retain(b) != LINN_BUF_OK) {
                    missed++;
                    continue;
                }
                found++;
                uint64_t x = 0, y = 1;
                EXPECT_EQ(linn_buf_get_u64(b, 0, &x), LINN_BUF_OK);
                EXPECT_EQ(linn_buf_get_u64(b, 8, &y), LINN_BUF_OK);
                EXPECT_EQ(x, ~y);
                EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
            }
        });
    }
    uint64_t lives = 0;
    while (lives < 4000 / kScale || found < 100) {
        linn_buf b = linn_buf_alloc(pool_, 16);
        linn_buf_set_u64(b, 0, lives);
        linn_buf_set_u64(b, 8, ~lives);
        ASSERT_EQ(linn_buf_publish(b), LINN_BUF_OK);
        cell.store(b.id, std::memory_order_relaxed);
        if (lives % 64 == 0) std::this_thread::yield();
        ASSERT_EQ(linn_buf_release(b), LINN_BUF_OK);
        lives++;
    }
    stop = true;
    for (auto &t : finders)
        t.join();
    printf("%llu lives, found %llu times, missed %llu times\n",
           static_cast<unsigned long long>(lives),
           static_cast<unsigned long long>(found.load()),
           static_cast<unsigned long long>(missed.load()));
}

// Buffers made by one thread and released by another.
TEST_F(Buf, HandedOver) {
    constexpr int kBuffers = 3000;
    std::vector<linn_buf> made(kBuffers / kScale);
    std::thread([&] {
        for (size_t i = 0; i < made.size(); i++) {
            made[i] = linn_buf_alloc(pool_, i % 3000);
            linn_buf_write_u32(made[i], static_cast<uint32_t>(i));
        }
    }).join();
    for (size_t i = 0; i < made.size(); i++) {
        uint32_t u = 0;
        EXPECT_EQ(linn_buf_read_u32(made[i], &u), LINN_BUF_OK);
        EXPECT_EQ(u, i);
        EXPECT_EQ(linn_buf_release(made[i]), LINN_BUF_OK);
    }
}

#if !defined(LINN_LOCKED) || !LINN_LOCKED
linn_pool *handlers_pool;
std::atomic<int> handled{0};
void Handle(int) {
    linn_buf b = linn_buf_alloc(handlers_pool, 100), s;
    if (linn_buf_is_none(b)) abort();
    if (linn_buf_write_u64(b, 12345) != LINN_BUF_OK) abort();
    if (linn_buf_retained_slice(b, 0, 8, &s) != LINN_BUF_OK) abort();
    if (linn_buf_release(b) != LINN_BUF_OK) abort();
    uint64_t u = 0;
    if (linn_buf_get_u64(s, 0, &u) != LINN_BUF_OK || u != 12345) abort();
    if (linn_buf_release(s) != LINN_BUF_OK) abort();
    handled++;
}

TEST_F(Buf, SignalHandlersAnywhere) {
    handlers_pool = pool_;
    struct sigaction action = {}, before = {};
    action.sa_handler = Handle;
    ASSERT_EQ(sigaction(SIGUSR2, &action, &before), 0);
    std::atomic<bool> stop{false};
    pthread_t self = pthread_self();
    std::thread sender([&] {
        while (!stop) {
            pthread_kill(self, SIGUSR2);
            std::this_thread::yield();
        }
    });
    std::vector<linn_buf> held;
    while (handled < 500 / kScale) {
        for (int i = 0; i < 70; i++) {
            held.push_back(linn_buf_alloc(pool_, 100));
            ASSERT_EQ(linn_buf_write_u32(held.back(), 6), LINN_BUF_OK);
        }
        while (!held.empty()) {
            uint32_t u = 0;
            ASSERT_EQ(linn_buf_read_u32(held.back(), &u), LINN_BUF_OK);
            ASSERT_EQ(u, 6u);
            ASSERT_EQ(linn_buf_release(held.back()), LINN_BUF_OK);
            held.pop_back();
        }
    }
    stop = true;
    sender.join();
    sigaction(SIGUSR2, &before, nullptr);
}
#endif

// A thread that makes nothing but views is given a cache, too.
TEST_F(Buf, AThreadOfViewsOnly) {
    linn_buf b = Text(pool_, "0123456789");
    std::thread([b] {
        uint32_t born = 0;
        for (int i = 0; i < 1000; i++) {
            linn_buf s;
            ASSERT_EQ(linn_buf_retained_slice(b, 0, 5, &s), LINN_BUF_OK);
            ASSERT_EQ(linn_buf_release(s), LINN_BUF_OK);
            if (i == 0) born = linn_descriptor_born();
        }
        EXPECT_EQ(linn_descriptor_born(), born);
    }).join();
    EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
}

}  // namespace
