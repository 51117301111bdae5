// Composites: ownership, consolidation, flattening, shrinking, pieces.

#include <sys/uio.h>

#include "alloc/buf_fixture.h"
#include "alloc/page_source.h"

namespace {

using namespace buf_fixture;  // NOLINT

class BufComposite : public BufTest {
   protected:
    linn_buf New(size_t max_components) {
        linn_buf c = linn_buf_none();
        EXPECT_EQ(linn_buf_composite(pool_, max_components, &c), LINN_BUF_OK);
        return c;
    }
    void Add(linn_buf c, const std::string &s) {
        EXPECT_EQ(linn_buf_composite_add(c, true, Text(pool_, s)), LINN_BUF_OK);
    }
    void Release(linn_buf b) {
        EXPECT_EQ(linn_buf_release(b), LINN_BUF_OK);
    }
};

TEST_F(BufComposite, IsEmptyAtFirst) {
    linn_buf c = New(16);
    EXPECT_EQ(linn_buf_capacity(c), 0u);
    EXPECT_EQ(linn_buf_composite_components(c), 0u);
    EXPECT_TRUE(linn_buf_is_contiguous(c));
    uint8_t byte;
    EXPECT_EQ(linn_buf_get_u8(c, 0, &byte), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_composite_consolidate(c), LINN_BUF_OK);
    Release(c);
    linn_buf out;
    EXPECT_EQ(linn_buf_composite(pool_, 0, &out), LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_composite(pool_, 1, nullptr), LINN_BUF_ARGUMENT);
}

// Netty case 58: the count does not change; each is dropped once.
TEST_F(BufComposite, TakesOverOneReference) {
    linn_buf c = New(16);
    linn_buf a = Text(pool_, "one"), b = Text(pool_, "two");
    linn_buf_retain(b);
    ASSERT_EQ(linn_buf_composite_add(c, true, a), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_composite_add(c, true, b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_references(a), 1u);
    EXPECT_EQ(linn_buf_references(b), 2u);
    EXPECT_EQ(Readable(c), "onetwo");
    Release(c);
    EXPECT_FALSE(linn_buf_is_live(a));
    EXPECT_EQ(linn_buf_references(b), 1u);
    Release(b);
}

TEST_F(BufComposite, AddsWhatIsReadable) {
    linn_buf c = New(16);
    linn_buf a = Text(pool_, "0123456789");
    linn_buf_set_indices(a, 3, 7);
    ASSERT_EQ(linn_buf_composite_add(c, false, a), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_writer(c), 0u);
    EXPECT_EQ(Bytes(c), "3456");
    linn_buf empty = linn_buf_alloc(pool_, 10);
    ASSERT_EQ(linn_buf_composite_add(c, true, empty), LINN_BUF_OK);
    EXPECT_FALSE(linn_buf_is_live(empty));
    EXPECT_EQ(linn_buf_composite_components(c), 1u);
    // A view that shares its parent's count: the count is what is taken over.
    linn_buf p = Text(pool_, "abcdef"), s;
    ASSERT_EQ(linn_buf_slice(p, 1, 3, &s), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_composite_add(c, false, s), LINN_BUF_OK);
    EXPECT_EQ(Bytes(c), "3456bcd");
    Release(c);
    EXPECT_FALSE(linn_buf_is_live(p));
    EXPECT_FALSE(linn_buf_is_live(s));
}

TEST_F(BufComposite, InsertsAndRemoves) {
    linn_buf c = New(16);
    Add(c, "one");
    Add(c, "three");
    ASSERT_EQ(linn_buf_composite_insert(c, true, 1, Text(pool_, "two")),
              LINN_BUF_OK);
    ASSERT_EQ(linn_buf_composite_insert(c, true, 0, Text(pool_, "zero")),
              LINN_BUF_OK);
    EXPECT_EQ(Readable(c), "zeroonetwothree");
    for (int i = 0; i < 6; i++)
        Add(c, "x");  // the array grows
    EXPECT_EQ(linn_buf_composite_components(c), 10u);
    linn_buf two;
    size_t begin = 0, component = 0;
    ASSERT_EQ(linn_buf_composite_component(c, 2, &two, &begin), LINN_BUF_OK);
    EXPECT_EQ(begin, 7u);
    EXPECT_EQ(Readable(two), "two");
    for (size_t at = 0; at < linn_buf_capacity(c); at++) {
        ASSERT_EQ(linn_buf_composite_find(c, at, &component), LINN_BUF_OK);
        size_t want = at < 4    ? 0
                      : at < 7  ? 1
                      : at < 10 ? 2
                      : at < 15 ? 3
                                : at - 11;
        EXPECT_EQ(component, want) << at;
    }
    EXPECT_EQ(linn_buf_composite_find(c, 21, &component), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_composite_component(c, 10, &two, nullptr),
              LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_composite_remove(c, 9, 2), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_composite_remove(c, SIZE_MAX, 2), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_composite_remove(c, 1, 2), LINN_BUF_OK);
    EXPECT_FALSE(linn_buf_is_live(two));
    EXPECT_EQ(Readable(c), "zerothreexxxxxx");
    linn_buf refused = Text(pool_, "refused");
    EXPECT_EQ(linn_buf_composite_insert(c, true, 9, refused), LINN_BUF_INDEX);
    EXPECT_FALSE(linn_buf_is_live(refused)) << "taken over all the same";
    Release(c);
}

// Netty case 59.
TEST_F(BufComposite, MoreThanTheMaximumBecomeOne) {
    linn_buf c = New(2);
    Add(c, "one");
    Add(c, "two");
    EXPECT_EQ(linn_buf_composite_components(c), 2u);
    EXPECT_FALSE(linn_buf_is_contiguous(c));
    Add(c, "three");
    EXPECT_EQ(linn_buf_composite_components(c), 1u);
    EXPECT_TRUE(linn_buf_is_contiguous(c));
    EXPECT_EQ(Readable(c), "onetwothree");
    Release(c);
}

TEST_F(BufComposite, BeyondTheLargestSizeIsRefusedAndReleased) {
    linn_buf c = New(16);
    Add(c, "one");
    static unsigned char byte;
    int released = 0;
    linn_buf huge;
    ASSERT_EQ(linn_buf_wrap(
                  &byte, LINN_BUF_MAX,
                  [](void *, size_t, void *n) { ++*static_cast<int *>(n); },
                  &released, &huge),
              LINN_BUF_OK);
    EXPECT_EQ(linn_buf_composite_add(c, true, huge), LINN_BUF_CAPACITY);
    EXPECT_EQ(released, 1);
    EXPECT_EQ(Readable(c), "one");
    Release(c);
}

TEST_F(BufComposite, WrongParts) {
    linn_buf c = New(16), plain = Text(pool_, "x"), dead = Text(pool_, "y");
    Release(dead);
    EXPECT_EQ(linn_buf_composite_add(c, true, dead), LINN_BUF_DEAD);
    linn_buf_retain(c);
    EXPECT_EQ(linn_buf_composite_add(c, true, c), LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_references(c), 1u);
    linn_buf part = Text(pool_, "z");
    EXPECT_EQ(linn_buf_composite_add(plain, true, part), LINN_BUF_ARGUMENT);
    EXPECT_FALSE(linn_buf_is_live(part));
    EXPECT_EQ(linn_buf_composite_remove(plain, 0, 0), LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_composite_components(plain), 0u);
    Release(plain);
    Release(c);
}

TEST_F(BufComposite, Flattened) {
    linn_buf inner = New(16), outer = New(16), nested = New(16);
    Add(inner, "one");
    Add(inner, "two");
    Add(inner, "three");
    linn_buf_skip(inner, 1);
    linn_buf_set_writer(inner, 9);
    linn_buf_retain(inner);
    Add(outer, "<");
    ASSERT_EQ(linn_buf_composite_add_flattened(outer, true, inner),
              LINN_BUF_OK);
    EXPECT_EQ(linn_buf_composite_components(outer), 4u);
    EXPECT_EQ(Readable(outer), "<netwothr");
    ASSERT_EQ(linn_buf_composite_add(nested, true, inner), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_composite_components(nested), 1u);
    EXPECT_EQ(Readable(nested), "netwothr");
    Release(nested);
    EXPECT_FALSE(linn_buf_is_live(inner));
    EXPECT_EQ(Readable(outer), "<netwothr") << "the slices hold their bytes";
    ASSERT_EQ(linn_buf_composite_add_flattened(outer, true, Text(pool_, ">")),
              LINN_BUF_OK);
    EXPECT_EQ(Readable(outer), "<netwothr>");
    Release(outer);
}

// Netty case 58: shrinking drops and releases those behind; growing adds one.
TEST_F(BufComposite, CapacityByComponents) {
    linn_buf c = New(16);
    linn_buf parts[3];
    for (linn_buf &p : parts) {
        p = Text(pool_, "0123456789");
        ASSERT_EQ(linn_buf_composite_add(c, true, p), LINN_BUF_OK);
    }
    ASSERT_EQ(linn_buf_set_capacity(c, 15), LINN_BUF_OK);
    EXPECT_TRUE(linn_buf_is_live(parts[1]));
    EXPECT_FALSE(linn_buf_is_live(parts[2]));
    EXPECT_EQ(Readable(c), "012345678901234");
    ASSERT_EQ(linn_buf_set_capacity(c, 10), LINN_BUF_OK);
    EXPECT_FALSE(linn_buf_is_live(parts[1]));
    ASSERT_EQ(linn_buf_set_capacity(c, 50), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_composite_components(c), 2u);
    EXPECT_EQ(Bytes(c).substr(0, 10), "0123456789");
    Write(c, "abcdef");
    EXPECT_EQ(Readable(c), "0123456789abcdef");
    Release(c);
}

TEST_F(BufComposite, DiscardDropsWithoutCopying) {
    linn_buf c = New(16);
    linn_buf parts[3];
    for (linn_buf &p : parts) {
        p = Text(pool_, "0123456789");
        ASSERT_EQ(linn_buf_composite_add(c, true, p), LINN_BUF_OK);
    }
    const void *before, *after;
    linn_buf_data(c, 25, 1, &before);
    linn_buf_skip(c, 14);
    ASSERT_EQ(linn_buf_discard_read(c), LINN_BUF_OK);
    EXPECT_FALSE(linn_buf_is_live(parts[0]));
    EXPECT_TRUE(linn_buf_is_live(parts[1]));
    EXPECT_EQ(Readable(c), "4567890123456789");
    EXPECT_EQ(linn_buf_capacity(c), 16u);
    linn_buf_data(c, 11, 1, &after);
    EXPECT_EQ(before, after);
    linn_buf_skip(c, 16);
    ASSERT_EQ(linn_buf_discard_read(c), LINN_BUF_OK);
    EXPECT_FALSE(linn_buf_is_live(parts[2]));
    EXPECT_EQ(linn_buf_capacity(c), 0u);
    Release(c);
}

TEST_F(BufComposite, Consolidated) {
    linn_buf c = New(16), parts[2];
    for (linn_buf &p : parts) {
        p = Text(pool_, "0123456789");
        ASSERT_EQ(linn_buf_composite_add(c, true, p), LINN_BUF_OK);
    }
    linn_buf_skip(c, 3);
    ASSERT_EQ(linn_buf_composite_consolidate(c), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_composite_components(c), 1u);
    EXPECT_FALSE(linn_buf_is_live(parts[0]));
    EXPECT_EQ(linn_buf_reader(c), 3u);
    EXPECT_EQ(Bytes(c), "01234567890123456789");
    Release(c);
}

TEST_F(BufComposite, ASliceKeepsIt) {
    linn_buf c = New(16), s;
    Add(c, "Hello, ");
    Add(c, "Netty Memory ");
    Add(c, "Pool!");
    ASSERT_EQ(linn_buf_retained_slice(c, 5, 14, &s), LINN_BUF_OK);
    Release(c);
    EXPECT_EQ(Readable(s), ", Netty Memory");
    iovec v[4];
    size_t pieces = 0;
    ASSERT_EQ(linn_buf_iovec(s, 0, 14, v, 4, &pieces), LINN_BUF_OK);
    EXPECT_EQ(pieces, 2u);
    Release(s);
}

// What is the composite's and was taken from under it is an error and no crash.
TEST_F(BufComposite, AComponentThatItsUserReleased) {
    linn_buf c = New(16), p = Text(pool_, "0123456789");
    Add(c, "before");
    ASSERT_EQ(linn_buf_composite_add(c, true, p), LINN_BUF_OK);
    Release(p);  // not ours to release any more
    char out[16];
    uint64_t u;
    size_t n;
    iovec v[4];
    EXPECT_EQ(linn_buf_get_bytes(c, 0, out, 6), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_get_bytes(c, 0, out, 7), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_set_bytes(c, 6, out, 7), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_get_u64(c, 2, &u), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_find_byte(c, 0, 16, 'x', &n), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_iovec(c, 0, 16, v, 4, &n), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_hash(c, &u), LINN_BUF_INDEX);
    EXPECT_FALSE(linn_buf_is_contiguous(c));
    Release(c);
    // One that has shrunk.
    c = New(16);
    p = Text(pool_, "0123456789");
    linn_buf_composite_add(c, true, p);
    linn_buf_set_capacity(p, 5);
    EXPECT_EQ(linn_buf_get_bytes(c, 0, out, 5), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_get_bytes(c, 0, out, 6), LINN_BUF_INDEX);
    Release(c);
}

TEST_F(BufComposite, NoMemory) {
    linn_buf c = New(1);
    Add(c, std::string(20 << 20, 'x'));
    (void)linn_thread_flush();
    linn_buf second = Text(pool_, "y");
    linn_page_source_fail_always();
    ASSERT_EQ(linn_buf_composite_add(c, true, second), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_composite_components(c), 2u) << "not consolidated";
    EXPECT_EQ(linn_buf_composite_consolidate(c), LINN_BUF_NO_MEMORY);
    linn_page_source_fail_never();
    uint8_t byte = 0;
    EXPECT_EQ(linn_buf_get_u8(c, 20 << 20, &byte), LINN_BUF_OK);
    EXPECT_EQ(byte, 'y');
    EXPECT_EQ(linn_buf_composite_consolidate(c), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_composite_components(c), 1u);
    Release(c);
}

}  // namespace
