#ifndef LINN_ALLOC_BUF_FIXTURE_H_
#define LINN_ALLOC_BUF_FIXTURE_H_

// buf_fixture: a buffer of every kind, all alike to their users.  C++ only.

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "alloc/linn_buf.h"
#include "alloc/linn_fixture.h"
#include "gtest/gtest.h"

namespace buf_fixture {

enum Kind {
    kPlain,
    kSliced,
    kRetainedSlice,
    kDuplicate,
    kRetainedDuplicate,
    kWrapped,
    kComposite,
    kNestedComposite,
    kSliceOfComposite,
    kSliceOfSlice,
    kKinds
};
inline const char *NameOf(Kind k) {
    static const char *names[kKinds] = {"Plain",
                                        "Sliced",
                                        "RetainedSlice",
                                        "Duplicate",
                                        "RetainedDuplicate",
                                        "Wrapped",
                                        "Composite",
                                        "NestedComposite",
                                        "SliceOfComposite",
                                        "SliceOfSlice"};
    return names[k];
}
inline bool Grows(Kind k) {
    return k == kPlain || k == kDuplicate || k == kRetainedDuplicate ||
           k == kComposite || k == kNestedComposite;
}
inline bool IsComposite(Kind k) {
    return k == kComposite || k == kNestedComposite || k == kSliceOfComposite;
}

inline void FreeWrapped(void *memory, size_t, void *context) {
    ++*static_cast<int *>(context);
    delete[] static_cast<unsigned char *>(memory);
}
inline int &WrappedReleased() {
    static int count = 0;
    return count;
}

inline linn_buf Plain(linn_pool *pool, size_t capacity) {
    linn_buf b = linn_buf_alloc(pool, capacity);
    EXPECT_FALSE(linn_buf_is_none(b));
    if (capacity > 0) {
        EXPECT_EQ(linn_buf_set_zero(b, 0, capacity), LINN_BUF_OK);
    }
    return b;
}

// Components of 1, 2, 3, ... bytes, so that every number straddles somewhere.
inline linn_buf Composite(linn_pool *pool, size_t capacity, bool nested) {
    linn_buf c = linn_buf_none();
    EXPECT_EQ(linn_buf_composite(pool, 10000, &c), LINN_BUF_OK);
    size_t at = 0;
    for (size_t n = 1; at < capacity; n++) {
        size_t bytes = n % 11 + (nested ? 5 : 0);
        if (bytes > capacity - at) bytes = capacity - at;
        linn_buf part = linn_buf_none();
        if (nested && bytes > 1) {
            part = Composite(pool, bytes, false);
            EXPECT_EQ(linn_buf_set_writer(part, bytes), LINN_BUF_OK);
        } else {
            // Not all of it, and not from its first byte.
            part = Plain(pool, bytes + 3);
            EXPECT_EQ(linn_buf_set_indices(part, 2, 2 + bytes), LINN_BUF_OK);
        }
        EXPECT_EQ(linn_buf_composite_add(c, false, part), LINN_BUF_OK);
        at += bytes;
    }
    return c;
}

// A buffer of a kind: all zeros, both indices 0.  `b` is to be used; releasing it
// and `parent`, if there is one, releases everything.
struct Made {
    linn_buf b = linn_buf_none();
    linn_buf parent = linn_buf_none();
};
inline Made Make(Kind kind, linn_pool *pool, size_t capacity) {
    Made m;
    linn_buf p = linn_buf_none();
    switch (kind) {
        case kPlain:
            m.b = Plain(pool, capacity);
            break;
        case kSliced:  // shares the count: one release ends both
            p = Plain(pool, capacity + 10);
            EXPECT_EQ(linn_buf_slice(p, 7, capacity, &m.b), LINN_BUF_OK);
            break;
        case kRetainedSlice:
            m.parent = Plain(pool, capacity + 10);
            EXPECT_EQ(linn_buf_retained_slice(m.parent, 3, capacity, &m.b),
                      LINN_BUF_OK);
            break;
        case kDuplicate:
            p = Plain(pool, capacity);
            EXPECT_EQ(linn_buf_duplicate(p, &m.b), LINN_BUF_OK);
            break;
        case kRetainedDuplicate:
            m.parent = Plain(pool, capacity);
            EXPECT_EQ(linn_buf_retained_duplicate(m.parent, &m.b), LINN_BUF_OK);
            break;
        case kWrapped:
            EXPECT_EQ(linn_buf_wrap(new unsigned char[capacity + 1](), capacity,
                                    FreeWrapped, &WrappedReleased(), &m.b),
                      LINN_BUF_OK);
            break;
        case kComposite:
            m.b = Composite(pool, capacity, false);
            break;
        case kNestedComposite:
            m.b = Composite(pool, capacity, true);
            break;
        case kSliceOfComposite:
            p = Composite(pool, capacity + 9, true);
            EXPECT_EQ(linn_buf_slice(p, 4, capacity, &m.b), LINN_BUF_OK);
            break;
        case kSliceOfSlice:
            p = Plain(pool, capacity + 30);
            EXPECT_EQ(linn_buf_slice(p, 20, capacity + 5, &m.parent),
                      LINN_BUF_OK);
            EXPECT_EQ(linn_buf_retained_slice(m.parent, 2, capacity, &m.b),
                      LINN_BUF_OK);
            break;
        case kKinds:
            break;
    }
    EXPECT_EQ(linn_buf_clear(m.b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_capacity(m.b), capacity);
    return m;
}
inline void Release(const Made &m) {
    EXPECT_EQ(linn_buf_release(m.b), LINN_BUF_OK);
    if (!linn_buf_is_none(m.parent)) {
        EXPECT_EQ(linn_buf_release(m.parent), LINN_BUF_OK);
    }
}

// All bytes of a buffer.
inline std::string Bytes(linn_buf b) {
    std::string s(linn_buf_capacity(b), '\0');
    EXPECT_EQ(linn_buf_get_bytes(b, 0, &s[0], s.size()), LINN_BUF_OK);
    return s;
}
inline std::string Readable(linn_buf b) {
    std::string s(linn_buf_readable(b), '\0');
    EXPECT_EQ(linn_buf_get_bytes(b, linn_buf_reader(b), &s[0], s.size()),
              LINN_BUF_OK);
    return s;
}
inline void Write(linn_buf b, const std::string &s) {
    EXPECT_EQ(linn_buf_write_bytes(b, s.data(), s.size()), LINN_BUF_OK);
}
inline linn_buf Text(linn_pool *pool, const std::string &s) {
    linn_buf b = linn_buf_alloc(pool, s.size());
    Write(b, s);
    return b;
}

// A pool of its own, which must be empty at the end.
class BufTest : public testing::Test {
   protected:
    void SetUp() override {
        pool_ = linn_fixture::Create();
        ASSERT_NE(pool_, nullptr);
    }
    void TearDown() override {
        linn_fixture::Destroy(pool_);
    }
    linn_pool *pool_ = nullptr;
};

class EveryKind : public BufTest, public testing::WithParamInterface<Kind> {
   protected:
    Kind kind() const {
        return GetParam();
    }
    // Released at the end of the test.
    linn_buf Make(size_t capacity) {
        made_.push_back(buf_fixture::Make(kind(), pool_, capacity));
        return made_.back().b;
    }
    linn_buf Keep(linn_buf b) {
        Made m;
        m.b = b;
        made_.push_back(m);
        return b;
    }
    void TearDown() override {
        for (const Made &m : made_)
            Release(m);
        BufTest::TearDown();
    }
    std::vector<Made> made_;
};

inline std::string KindName(const testing::TestParamInfo<Kind> &info) {
    return NameOf(info.param);
}
inline std::vector<Kind> AllKinds() {
    std::vector<Kind> all;
    for (int k = 0; k < kKinds; k++)
        all.push_back(static_cast<Kind>(k));
    return all;
}

inline linn_buf_error LastError() {
    linn_buf_error e;
    linn_buf_last_error(&e);
    return e;
}

}  // namespace buf_fixture

#endif  // LINN_ALLOC_BUF_FIXTURE_H_
