// One contract, kept by every kind of buffer, in both byte orders.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "alloc/buf_fixture.h"

namespace {

using namespace buf_fixture;  // NOLINT

// ---- numbers ----

// A number's four functions with its value as raw bytes (low byte first, zeros
// above), its width, and whether its low byte comes first in the buffer.  Without
// types, so that a test is compiled once and not for each of them.
struct Number {
    const char *name;
    size_t n;
    bool little;
    linn_buf_status (*get)(linn_buf, size_t, uint64_t *);
    linn_buf_status (*set)(linn_buf, size_t, uint64_t);
    linn_buf_status (*read)(linn_buf, uint64_t *);
    linn_buf_status (*write)(linn_buf, uint64_t);
    std::vector<uint64_t> values;
};

template <typename T>
uint64_t RawOf(T value) {
    uint64_t raw = 0;
    memcpy(&raw, &value, sizeof value);
    return raw;
}
template <typename T>
T Of(uint64_t raw) {
    T value;
    memcpy(&value, &raw, sizeof value);
    return value;
}

// A value that must stay as it is when there is an error.
constexpr uint64_t kUntouched = 0x0101010101010101u;

#define NUMBER(name, type, n, little, ...)                        \
    Number {                                                      \
        #name, n, little,                                         \
            [](linn_buf b, size_t at, uint64_t *raw) {            \
                type value = Of<type>(kUntouched);                \
                auto status = linn_buf_get_##name(b, at, &value); \
                *raw = RawOf(value);                              \
                return status;                                    \
            },                                                    \
            [](linn_buf b, size_t at, uint64_t raw) {             \
                return linn_buf_set_##name(b, at, Of<type>(raw)); \
            },                                                    \
            [](linn_buf b, uint64_t *raw) {                       \
                type value = Of<type>(kUntouched);                \
                auto status = linn_buf_read_##name(b, &value);    \
                *raw = RawOf(value);                              \
                return status;                                    \
            },                                                    \
            [](linn_buf b, uint64_t raw) {                        \
                return linn_buf_write_##name(b, Of<type>(raw));   \
            },                                                    \
            RawsOf(std::vector<type>{__VA_ARGS__})                \
    }
#define BOTH(name, type, n, ...)               \
    NUMBER(name, type, n, false, __VA_ARGS__), \
        NUMBER(name##_le, type, n, true, __VA_ARGS__)

template <typename T>
std::vector<uint64_t> RawsOf(const std::vector<T> &values) {
    std::vector<uint64_t> raws;
    for (T value : values)
        raws.push_back(RawOf(value));
    return raws;
}

const std::vector<Number> &Numbers() {
    static const std::vector<Number> all = {
        NUMBER(bool, bool, 1, false, false, true),
        NUMBER(u8, uint8_t, 1, false, 0, 1, 0x7f, 0x80, 0xff),
        NUMBER(i8, int8_t, 1, false, 0, 1, -1, 127, -128),
        BOTH(u16, uint16_t, 2, 0, 1, 0x0102, 0x7fff, 0x8000, 0xffff),
        BOTH(i16, int16_t, 2, 0, 1, -1, 0x0102, 32767, -32768),
        BOTH(u24, uint32_t, 3, 0, 1, 0x010203, 0x7fffff, 0x800000, 0xffffff),
        BOTH(i24, int32_t, 3, 0, 1, -1, -2, 0x010203, 0x7fffff, -0x800000),
        BOTH(u32, uint32_t, 4, 0, 1, 0x01020304, INT32_MAX, 0x80000000u,
             UINT32_MAX),
        BOTH(i32, int32_t, 4, 0, 1, -1, 0x01020304, INT32_MAX, INT32_MIN),
        BOTH(u64, uint64_t, 8, 0, 1, 0x0102030405060708u, INT64_MAX,
             uint64_t{1} << 63, UINT64_MAX),
        BOTH(i64, int64_t, 8, 0, 1, -1, 0x0102030405060708, INT64_MAX,
             INT64_MIN),
        BOTH(f32, float, 4, 0.0f, -0.0f, 1.5f, -3.25e-20f,
             std::numeric_limits<float>::infinity(),
             std::numeric_limits<float>::denorm_min()),
        BOTH(f64, double, 8, 0.0, -0.0, 1.5, -3.25e-200,
             -std::numeric_limits<double>::infinity(),
             std::numeric_limits<double>::denorm_min()),
    };
    return all;
}

uint64_t Untouched(const Number &number) {
    uint64_t raw;
    EXPECT_EQ(number.get(linn_buf_none(), 0, &raw), LINN_BUF_DEAD);
    return raw;
}

// The bytes of a value as they must lie in the buffer.
std::string BytesOf(const Number &number, uint64_t raw) {
    std::string low_first(reinterpret_cast<const char *>(&raw), number.n);
    return number.little ? low_first
                         : std::string(low_first.rbegin(), low_first.rend());
}

TEST_P(EveryKind, NumbersAtEveryIndex) {
    constexpr size_t kCapacity = 37;
    linn_buf b = Make(kCapacity);
    int places = 0;
    for (const Number &number : Numbers()) {
        for (size_t at = 0; at + number.n <= kCapacity; at++) {
            for (uint64_t value : number.values) {
                places++;
                linn_buf_set_zero(b, 0, kCapacity);
                ASSERT_EQ(number.set(b, at, value), LINN_BUF_OK) << number.name;
                std::string want(kCapacity, '\0');
                want.replace(at, number.n, BytesOf(number, value));
                ASSERT_EQ(Bytes(b), want) << number.name << " at " << at;
                uint64_t got;
                ASSERT_EQ(number.get(b, at, &got), LINN_BUF_OK);
                ASSERT_EQ(got, value) << number.name << " at " << at;
            }
        }
    }
    EXPECT_EQ(Numbers().size(), 23u);
    EXPECT_GT(places, 3000);
    EXPECT_EQ(linn_buf_reader(b), 0u);
    EXPECT_EQ(linn_buf_writer(b), 0u);
}

TEST_P(EveryKind, ANumberBeyondTheCapacityIsAnErrorThatTouchesNothing) {
    constexpr size_t kCapacity = 16;
    linn_buf b = Make(kCapacity);
    std::string before = Bytes(b);
    for (const Number &number : Numbers()) {
        uint64_t got, untouched = Untouched(number);
        for (size_t at : {kCapacity - number.n + 1, kCapacity, kCapacity + 1,
                          SIZE_MAX - number.n + 1, SIZE_MAX}) {
            ASSERT_EQ(number.set(b, at, number.values.back()), LINN_BUF_INDEX)
                << number.name;
            ASSERT_EQ(number.get(b, at, &got), LINN_BUF_INDEX) << number.name;
            ASSERT_EQ(got, untouched);
            linn_buf_error e = LastError();
            EXPECT_EQ(e.status, LINN_BUF_INDEX);
            EXPECT_EQ(e.buf.id, b.id);
            EXPECT_EQ(e.index, at);
            EXPECT_EQ(e.length, number.n);
            EXPECT_EQ(e.capacity, kCapacity);
        }
        ASSERT_EQ(number.read(b, &got), LINN_BUF_UNREADABLE) << number.name;
        ASSERT_EQ(got, untouched);
    }
    EXPECT_EQ(Bytes(b), before);
}

TEST_P(EveryKind, NumbersInSequence) {
    size_t total = 0;
    for (const Number &number : Numbers())
        total += number.n * number.values.size();
    linn_buf b = Make(total);
    std::string want;
    for (const Number &number : Numbers()) {
        for (uint64_t value : number.values) {
            ASSERT_EQ(number.write(b, value), LINN_BUF_OK) << number.name;
            want += BytesOf(number, value);
            ASSERT_EQ(linn_buf_writer(b), want.size());
        }
    }
    EXPECT_EQ(Readable(b), want);
    EXPECT_EQ(linn_buf_writable(b), 0u);
    uint64_t got;
    for (const Number &number : Numbers()) {
        for (uint64_t value : number.values) {
            ASSERT_EQ(number.read(b, &got), LINN_BUF_OK) << number.name;
            ASSERT_EQ(got, value) << number.name;
        }
    }
    EXPECT_EQ(Numbers()[0].read(b, &got), LINN_BUF_UNREADABLE);
    EXPECT_EQ(linn_buf_reader(b), total);
}

TEST_P(EveryKind, AWideValueLosesWhatDoesNotFit24Bits) {
    linn_buf b = Make(6);
    uint32_t u = 0;
    ASSERT_EQ(linn_buf_set_u24(b, 0, 0xff123456u), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_get_u24(b, 0, &u), LINN_BUF_OK);
    EXPECT_EQ(u, 0x123456u);
    ASSERT_EQ(linn_buf_set_u24_le(b, 3, 0xff123456u), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_get_u24_le(b, 3, &u), LINN_BUF_OK);
    EXPECT_EQ(u, 0x123456u);
    bool yes = false;
    ASSERT_EQ(linn_buf_set_u8(b, 1, 0x40), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_get_bool(b, 1, &yes), LINN_BUF_OK);
    EXPECT_TRUE(yes);
}

TEST_P(EveryKind, UncheckedIsTheSameWhereTheBytesAreInOnePiece) {
    linn_buf b = Make(40);
    if (!linn_buf_is_contiguous(b)) {
        EXPECT_TRUE(IsComposite(kind()));
        return;
    }
    EXPECT_FALSE(IsComposite(kind()));
#define AGREE(name, type, value)                                      \
    do {                                                              \
        for (size_t at = 0; at < 30; at++) {                          \
            type got = 0;                                             \
            linn_buf_set_##name##_unchecked(b, at, value);            \
            ASSERT_EQ(linn_buf_get_##name(b, at, &got), LINN_BUF_OK); \
            EXPECT_EQ(got, static_cast<type>(value)) << #name;        \
            EXPECT_EQ(linn_buf_get_##name##_unchecked(b, at), got);   \
        }                                                             \
    } while (0)
#define AGREE_BOTH(name, type, value) \
    AGREE(name, type, value);         \
    AGREE(name##_le, type, value)
    AGREE(u8, uint8_t, 0x81);
    AGREE(i8, int8_t, -3);
    AGREE_BOTH(u16, uint16_t, 0x8102);
    AGREE_BOTH(i16, int16_t, -300);
    AGREE_BOTH(u32, uint32_t, 0x81020304u);
    AGREE_BOTH(i32, int32_t, -70000);
    AGREE_BOTH(u64, uint64_t, 0x8102030405060708u);
    AGREE_BOTH(i64, int64_t, -70000000000);
    AGREE_BOTH(f32, float, 1.25f);
    AGREE_BOTH(f64, double, -1.25);
    const void *data = nullptr;
    ASSERT_EQ(linn_buf_data(b, 0, 40, &data), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_address_unchecked(b, 5),
              static_cast<const unsigned char *>(data) + 5);
}

// ---- bytes ----

TEST_P(EveryKind, BytesToAndFromMemory) {
    linn_buf b = Make(50);
    std::string in(30, 'x'), out(30, ' ');
    for (size_t i = 0; i < in.size(); i++)
        in[i] = static_cast<char>(i + 1);
    for (size_t at = 0; at + in.size() <= 50; at++) {
        ASSERT_EQ(linn_buf_set_bytes(b, at, in.data(), in.size()), LINN_BUF_OK);
        ASSERT_EQ(linn_buf_get_bytes(b, at, &out[0], out.size()), LINN_BUF_OK);
        ASSERT_EQ(out, in);
    }
    std::string before = Bytes(b);
    EXPECT_EQ(linn_buf_set_bytes(b, 21, in.data(), 30), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_get_bytes(b, 21, &out[0], 30), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_get_bytes(b, SIZE_MAX, &out[0], 2), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_get_bytes(b, 2, &out[0], SIZE_MAX), LINN_BUF_INDEX);
    EXPECT_EQ(Bytes(b), before);
    EXPECT_EQ(linn_buf_get_bytes(b, 50, &out[0], 0), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_get_bytes(b, 51, &out[0], 0), LINN_BUF_INDEX);
    // In sequence.
    Write(b, in);
    EXPECT_EQ(linn_buf_writer(b), 30u);
    out.assign(30, ' ');
    EXPECT_EQ(linn_buf_read_bytes(b, &out[0], 10), LINN_BUF_OK);
    EXPECT_EQ(out.substr(0, 10), in.substr(0, 10));
    EXPECT_EQ(linn_buf_read_bytes(b, &out[0], 21), LINN_BUF_UNREADABLE);
    EXPECT_EQ(linn_buf_reader(b), 10u);
    EXPECT_EQ(linn_buf_read_bytes(b, &out[0], 20), LINN_BUF_OK);
    EXPECT_EQ(out.substr(0, 20), in.substr(10));
}

// Every kind to every kind.
TEST_P(EveryKind, BytesToAndFromBuffers) {
    for (Kind other : AllKinds()) {
        Made m = buf_fixture::Make(other, pool_, 40);
        linn_buf b = Make(40), o = m.b;
        Write(b, "0123456789abcdefghijklmnop");
        ASSERT_EQ(linn_buf_get_buf(b, 3, o, 5, 20), LINN_BUF_OK);
        EXPECT_EQ(Bytes(o).substr(5, 20), "3456789abcdefghijklm");
        ASSERT_EQ(linn_buf_set_buf(b, 30, o, 5, 10), LINN_BUF_OK);
        EXPECT_EQ(Bytes(b).substr(30, 10), "3456789abc");
        EXPECT_EQ(linn_buf_get_buf(b, 30, o, 0, 11), LINN_BUF_INDEX);
        EXPECT_EQ(linn_buf_get_buf(b, 0, o, 30, 11), LINN_BUF_INDEX);
        EXPECT_EQ(linn_buf_read_buf(b, o, 27), LINN_BUF_UNREADABLE);
        EXPECT_EQ(linn_buf_reader(b), 0u);
        EXPECT_EQ(linn_buf_writer(o), 0u);
        ASSERT_EQ(linn_buf_read_buf(b, o, 6), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_reader(b), 6u);
        EXPECT_EQ(linn_buf_writer(o), 6u);
        EXPECT_EQ(Readable(o), "012345");
        ASSERT_EQ(linn_buf_write_buf(b, o, 4), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_reader(o), 4u);
        EXPECT_EQ(Readable(b), "6789abcdefghijklmnop0123");
        Release(m);
    }
}

// A buffer onto itself, overlapping both ways.
TEST_P(EveryKind, BytesOntoItself) {
    for (size_t from : {size_t{0}, size_t{3}, size_t{9}}) {
        for (size_t to : {size_t{0}, size_t{4}, size_t{9}}) {
            linn_buf b = Make(700);
            std::string want(700, ' ');
            for (size_t i = 0; i < want.size(); i++)
                want[i] = static_cast<char>(i * 7);
            linn_buf_set_bytes(b, 0, want.data(), want.size());
            ASSERT_EQ(linn_buf_get_buf(b, from, b, to, 690), LINN_BUF_OK);
            memmove(&want[to], &want[from], 690);
            EXPECT_EQ(Bytes(b), want) << from << " to " << to;
        }
    }
}

TEST_P(EveryKind, ScatteredMemory) {
    linn_buf b = Make(30);
    char a[] = "one", c[] = "three";
    iovec in[3] = {{a, 3}, {nullptr, 0}, {c, 5}};
    ASSERT_EQ(linn_buf_write_iovec(b, in, 3), LINN_BUF_OK);
    EXPECT_EQ(Readable(b), "onethree");
    char x[2], y[6];
    iovec out[2] = {{x, 2}, {y, 6}};
    ASSERT_EQ(linn_buf_read_iovec(b, out, 2), LINN_BUF_OK);
    EXPECT_EQ(std::string(x, 2) + std::string(y, 6), "onethree");
    EXPECT_EQ(linn_buf_read_iovec(b, out, 1), LINN_BUF_UNREADABLE);
    iovec huge[2] = {{a, SIZE_MAX}, {a, 2}};
    EXPECT_EQ(linn_buf_write_iovec(b, huge, 2), LINN_BUF_FULL);
    EXPECT_EQ(linn_buf_read_iovec(b, huge, 2), LINN_BUF_UNREADABLE);
    EXPECT_EQ(linn_buf_readable(b), 0u);
}

TEST_P(EveryKind, PiecesCoverTheRange) {
    linn_buf b = Make(100);
    std::string text(100, ' ');
    for (size_t i = 0; i < text.size(); i++)
        text[i] = static_cast<char>(i);
    linn_buf_set_bytes(b, 0, text.data(), text.size());
    iovec v[128];
    size_t pieces = 0;
    ASSERT_EQ(linn_buf_iovec(b, 9, 80, v, 128, &pieces), LINN_BUF_OK);
    std::string joined;
    for (size_t i = 0; i < pieces; i++)
        joined.append(static_cast<char *>(v[i].iov_base), v[i].iov_len);
    EXPECT_EQ(joined, text.substr(9, 80));
    EXPECT_EQ(pieces == 1, linn_buf_is_contiguous(b));
    size_t all = pieces;
    ASSERT_EQ(linn_buf_iovec(b, 9, 80, v, 1, &pieces), LINN_BUF_OK);
    EXPECT_EQ(pieces, 1u);
    EXPECT_GE(all, pieces);
    EXPECT_EQ(linn_buf_iovec(b, 21, 80, v, 1, &pieces), LINN_BUF_INDEX);
    const void *data = nullptr;
    linn_buf_status one = linn_buf_data(b, 0, 100, &data);
    EXPECT_EQ(one, all == 1 ? LINN_BUF_OK : LINN_BUF_SCATTERED);
    EXPECT_EQ(linn_buf_data(b, 50, 51, &data), LINN_BUF_INDEX);
    void *writable = nullptr;
    ASSERT_EQ(linn_buf_data_writable(b, 99, 1, &writable), LINN_BUF_OK);
    *static_cast<char *>(writable) = 'z';
    EXPECT_EQ(Bytes(b)[99], 'z');
}

TEST_P(EveryKind, Zeros) {
    linn_buf b = Make(40);
    linn_buf_set_bytes(b, 0, std::string(40, 'x').data(), 40);
    ASSERT_EQ(linn_buf_set_zero(b, 5, 20), LINN_BUF_OK);
    EXPECT_EQ(Bytes(b), std::string(5, 'x') + std::string(20, '\0') +
                            std::string(15, 'x'));
    EXPECT_EQ(linn_buf_set_zero(b, 21, 20), LINN_BUF_INDEX);
    ASSERT_EQ(linn_buf_write_zero(b, 7), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_writer(b), 7u);
    EXPECT_EQ(Bytes(b).substr(0, 7), std::string(7, '\0'));
}

TEST_P(EveryKind, StringsBehindTheirLength) {
    for (unsigned prefix : {1u, 2u, 3u, 4u, 8u}) {
        linn_buf b = Make(64);
        ASSERT_EQ(linn_buf_write_string(b, prefix, "waterfall", 9),
                  LINN_BUF_OK);
        ASSERT_EQ(linn_buf_write_string(b, prefix, "", 0), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_readable(b), 9 + 2 * size_t{prefix});
        uint8_t last = 0;
        linn_buf_get_u8(b, prefix - 1, &last);
        EXPECT_EQ(last, 9);
        char out[16] = "untouched";
        size_t n = 77;
        EXPECT_EQ(linn_buf_read_string(b, prefix, out, 9, &n),
                  LINN_BUF_ARGUMENT);
        EXPECT_STREQ(out, "untouched");
        EXPECT_EQ(n, 77u);
        EXPECT_EQ(linn_buf_reader(b), 0u);
        ASSERT_EQ(linn_buf_read_string(b, prefix, out, 10, &n), LINN_BUF_OK);
        EXPECT_STREQ(out, "waterfall");
        EXPECT_EQ(n, 9u);
        ASSERT_EQ(linn_buf_read_string(b, prefix, out, 1, &n), LINN_BUF_OK);
        EXPECT_EQ(n, 0u);
        // One that has not come whole.
        linn_buf_write_string(b, prefix, "partial", 7);
        linn_buf_set_writer(b, linn_buf_writer(b) - 1);
        size_t reader = linn_buf_reader(b);
        EXPECT_EQ(linn_buf_read_string(b, prefix, out, 16, &n),
                  LINN_BUF_UNREADABLE);
        EXPECT_EQ(linn_buf_reader(b), reader);
    }
    linn_buf b = Make(8);
    char out[4];
    EXPECT_EQ(linn_buf_write_string(b, 5, "x", 1), LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_write_string(b, 0, "x", 1), LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_write_string(b, 1, "x", 256), LINN_BUF_ARGUMENT);
    EXPECT_EQ(linn_buf_read_string(b, 7, out, 4, nullptr), LINN_BUF_ARGUMENT);
    // A length that would overflow everything.
    linn_buf_write_u64(b, UINT64_MAX);
    EXPECT_EQ(linn_buf_read_string(b, 8, out, 4, nullptr), LINN_BUF_UNREADABLE);
}

// ---- files and sockets ----

TEST_P(EveryKind, PipesAndSockets) {
    int fd[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    linn_buf b = Make(60), in = Make(60);
    std::string text = "a stream of bytes that goes through a socket";
    Write(b, text);
    size_t done = 77;
    ASSERT_EQ(linn_buf_read_to_fd(b, fd[0], 10, &done), LINN_BUF_OK);
    EXPECT_EQ(done, 10u);
    EXPECT_EQ(linn_buf_reader(b), 10u);
    ASSERT_EQ(linn_buf_read_to_socket(b, fd[0], linn_buf_readable(b), 0, &done),
              LINN_BUF_OK);
    EXPECT_EQ(done, text.size() - 10);
    ASSERT_EQ(linn_buf_write_from_fd(in, fd[1], 10, &done), LINN_BUF_OK);
    EXPECT_EQ(done, 10u);
    // Partial: more is asked than there is.
    ASSERT_EQ(linn_buf_write_from_socket(in, fd[1], 45, 0, &done), LINN_BUF_OK);
    EXPECT_EQ(done, text.size() - 10);
    EXPECT_EQ(Readable(in), text);
    EXPECT_EQ(linn_buf_write_from_socket(in, fd[1], 5, MSG_DONTWAIT, &done),
              LINN_BUF_AGAIN);
    EXPECT_EQ(done, 0u);
    EXPECT_EQ(linn_buf_write_from_fd(in, fd[1], 0, &done), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_read_to_fd(b, fd[0], 1, &done), LINN_BUF_UNREADABLE);
    // By index.
    ASSERT_EQ(linn_buf_get_to_fd(b, 2, fd[0], 6, &done), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_set_from_fd(in, 50, fd[1], 10, &done), LINN_BUF_OK);
    EXPECT_EQ(done, 6u);
    EXPECT_EQ(Bytes(in).substr(50, 6), "stream");
    EXPECT_EQ(linn_buf_get_to_fd(b, 55, fd[0], 6, &done), LINN_BUF_INDEX);
    close(fd[0]);
    EXPECT_EQ(linn_buf_write_from_fd(in, fd[1], 5, &done), LINN_BUF_END);
    linn_buf_clear(b);
    Write(b, "x");
    // The peer is gone: an error, and no signal that ends the program.
    EXPECT_EQ(linn_buf_read_to_socket(b, fd[1], 1, 0, &done), LINN_BUF_SYSTEM);
    EXPECT_EQ(errno, EPIPE);
    EXPECT_EQ(linn_buf_reader(b), 0u);
    close(fd[1]);
    EXPECT_EQ(linn_buf_read_to_fd(b, fd[1], 1, &done), LINN_BUF_SYSTEM);
    EXPECT_EQ(errno, EBADF);
}

TEST_P(EveryKind, Files) {
    char path[] = "/tmp/linn_buf_XXXXXX";
    int fd = mkstemp(path);
    ASSERT_GE(fd, 0);
    unlink(path);
    linn_buf b = Make(40), in = Make(40);
    Write(b, "0123456789abcdefghij");
    size_t done = 0;
    ASSERT_EQ(linn_buf_read_to_file(b, fd, 100, 20, &done), LINN_BUF_OK);
    EXPECT_EQ(done, 20u);
    ASSERT_EQ(linn_buf_get_to_file(b, 5, fd, 0, 3, &done), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_write_from_file(in, fd, 110, 30, &done), LINN_BUF_OK);
    EXPECT_EQ(done, 10u);
    EXPECT_EQ(Readable(in), "abcdefghij");
    ASSERT_EQ(linn_buf_set_from_file(in, 20, fd, 0, 3, &done), LINN_BUF_OK);
    EXPECT_EQ(Bytes(in).substr(20, 3), "567");
    EXPECT_EQ(linn_buf_write_from_file(in, fd, 120, 1, &done), LINN_BUF_END);
    close(fd);
}

// ---- search and comparison ----

TEST_P(EveryKind, Search) {
    linn_buf b = Make(60);
    std::string text = "GET /index.html HTTP/1.1\r\nHost: linn\r\n\r\n";
    Write(b, text);
    size_t n = text.size(), at = 77;
    for (size_t from = 0; from < n; from++) {
        for (char c : {'G', '\r', 'n', '\n', 'x'}) {
            size_t want = text.find(c, from);
            at = 77;
            linn_buf_status status = linn_buf_find_byte(
                b, from, n - from, static_cast<uint8_t>(c), &at);
            if (want == std::string::npos) {
                EXPECT_EQ(status, LINN_BUF_NOT_FOUND);
                EXPECT_EQ(at, 77u);
            } else {
                EXPECT_EQ(status, LINN_BUF_OK);
                EXPECT_EQ(at, want);
            }
            want = text.rfind(c, from);
            status = linn_buf_find_last_byte(b, 0, from + 1,
                                             static_cast<uint8_t>(c), &at);
            EXPECT_EQ(status == LINN_BUF_OK, want != std::string::npos);
            if (status == LINN_BUF_OK) {
                EXPECT_EQ(at, want);
            }
        }
        for (const char *s :
             {"\r\n", "\r\n\r\n", "HTTP", "nn", "ll", "linn\r\n\r\n!"}) {
            size_t want = text.find(s, from);
            linn_buf_status status =
                linn_buf_find(b, from, n - from, s, strlen(s), &at);
            EXPECT_EQ(status == LINN_BUF_OK, want != std::string::npos) << s;
            if (status == LINN_BUF_OK) {
                EXPECT_EQ(at, want);
            }
        }
        size_t want = text.find_first_of(":/\n", from);
        EXPECT_EQ(
            linn_buf_find_any(b, from, n - from, ":/\n", 3, &at) == LINN_BUF_OK,
            want != std::string::npos);
        if (want != std::string::npos) {
            EXPECT_EQ(at, want);
        }
    }
    EXPECT_EQ(linn_buf_find(b, 3, 5, "", 0, &at), LINN_BUF_OK);
    EXPECT_EQ(at, 3u);
    EXPECT_EQ(linn_buf_find(b, 0, 2, "GET", 3, &at), LINN_BUF_NOT_FOUND);
    EXPECT_EQ(linn_buf_find_any(b, 0, n, "", 0, &at), LINN_BUF_NOT_FOUND);
    EXPECT_EQ(linn_buf_find_byte(b, 30, 31, 'x', &at), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_find(b, 30, 31, "x", 1, &at), LINN_BUF_INDEX);
    linn_buf_skip(b, 4);
    EXPECT_EQ(linn_buf_bytes_before(b, ' ', &at), LINN_BUF_OK);
    EXPECT_EQ(at, 11u);
    EXPECT_EQ(linn_buf_bytes_before(b, 'z', &at), LINN_BUF_NOT_FOUND);
}

struct Seen {
    std::string bytes;
    size_t stop_after;
};
bool See(uint8_t byte, void *context) {
    Seen *seen = static_cast<Seen *>(context);
    seen->bytes += static_cast<char>(byte);
    return seen->bytes.size() < seen->stop_after;
}

TEST_P(EveryKind, ForEachAndItsEarlyStop) {
    linn_buf b = Make(600);
    std::string text;
    for (int i = 0; i < 600; i++)
        text += static_cast<char>(i * 3);
    linn_buf_set_bytes(b, 0, text.data(), text.size());
    for (size_t stop : {size_t{1}, size_t{7}, size_t{300}, size_t{1000}}) {
        Seen up{"", stop}, down{"", stop};
        size_t at = 0;
        linn_buf_status status = linn_buf_for_each(b, 20, 500, See, &up, &at);
        size_t seen = stop < 500 ? stop : 500;
        EXPECT_EQ(up.bytes, text.substr(20, seen));
        EXPECT_EQ(status, stop <= 500 ? LINN_BUF_OK : LINN_BUF_NOT_FOUND);
        if (stop <= 500) {
            EXPECT_EQ(at, 20 + stop - 1);
        }
        status = linn_buf_for_each_down(b, 20, 500, See, &down, &at);
        std::string back = text.substr(20, 500);
        back = std::string(back.rbegin(), back.rend()).substr(0, seen);
        EXPECT_EQ(down.bytes, back);
        if (stop <= 500) {
            EXPECT_EQ(at, 520 - stop);
        }
    }
    EXPECT_EQ(linn_buf_for_each(b, 0, 5, nullptr, nullptr, nullptr),
              LINN_BUF_ARGUMENT);
}

// Against every kind, with indices that differ: what is readable counts.
TEST_P(EveryKind, ComparisonAndHash) {
    for (Kind other : AllKinds()) {
        Made m = buf_fixture::Make(other, pool_, 40);
        linn_buf a = Make(30), b = m.b;
        int order = 7;
        EXPECT_TRUE(linn_buf_equal(a, b));  // both empty
        ASSERT_EQ(linn_buf_compare(a, b, &order), LINN_BUF_OK);
        EXPECT_EQ(order, 0);
        Write(a, "waterfall");
        Write(b, "__waterfall");
        EXPECT_FALSE(linn_buf_equal(a, b));
        linn_buf_skip(b, 2);
        EXPECT_TRUE(linn_buf_equal(a, b));
        uint64_t x = 0, y = 1;
        ASSERT_EQ(linn_buf_hash(a, &x), LINN_BUF_OK);
        ASSERT_EQ(linn_buf_hash(b, &y), LINN_BUF_OK);
        EXPECT_EQ(x, y);
        EXPECT_EQ(x, 0xa2274f90c938a8f9u) << "the same in every process";
        Write(b, "s");
        ASSERT_EQ(linn_buf_compare(a, b, &order), LINN_BUF_OK);
        EXPECT_LT(order, 0);
        ASSERT_EQ(linn_buf_compare(b, a, &order), LINN_BUF_OK);
        EXPECT_GT(order, 0);
        linn_buf_set_u8(a, 3, 0xff);
        ASSERT_EQ(linn_buf_compare(a, b, &order), LINN_BUF_OK);
        EXPECT_GT(order, 0) << "bytes are unsigned";
        linn_buf_hash(a, &x);
        EXPECT_NE(x, y);
        Release(m);
    }
}

TEST_P(EveryKind, Hexadecimal) {
    linn_buf b = Make(40);
    Write(b, "Hello, Netty Memory Pool!");
    char out[400];
    EXPECT_EQ(linn_buf_hex(b, 0, 5, out, sizeof out), 10u);
    EXPECT_STREQ(out, "48656c6c6f");
    EXPECT_EQ(linn_buf_hex(b, 0, 5, out, 4), 10u);
    EXPECT_STREQ(out, "486");
    EXPECT_EQ(linn_buf_hex(b, 39, 2, out, sizeof out), 0u);
    EXPECT_STREQ(out, "");
    size_t n = linn_buf_hex_pretty(b, 0, 25, out, sizeof out);
    EXPECT_EQ(n, strlen(out));
    EXPECT_STREQ(out,
                 "00000000  48 65 6c 6c 6f 2c 20 4e  65 74 74 79 20 4d 65 6d  "
                 "|Hello, Netty Mem|\n"
                 "00000010  6f 72 79 20 50 6f 6f 6c  21                       "
                 "|ory Pool!|\n");
}

// ---- indices ----

TEST_P(EveryKind, Indices) {
    linn_buf b = Make(20);
    EXPECT_EQ(linn_buf_reader(b), 0u);
    EXPECT_EQ(linn_buf_writer(b), 0u);
    EXPECT_EQ(linn_buf_writable(b), 20u);
    EXPECT_TRUE(linn_buf_is_writable(b, 20));
    EXPECT_FALSE(linn_buf_is_writable(b, 21));
    EXPECT_EQ(linn_buf_set_reader(b, 1), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_set_writer(b, 21), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_set_indices(b, 3, 2), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_set_indices(b, 5, 15), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_readable(b), 10u);
    EXPECT_TRUE(linn_buf_is_readable(b, 10));
    EXPECT_FALSE(linn_buf_is_readable(b, 11));
    EXPECT_EQ(linn_buf_set_writer(b, 4), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_skip(b, 11), LINN_BUF_UNREADABLE);
    EXPECT_EQ(linn_buf_skip(b, 4), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reader(b), 9u);
    EXPECT_EQ(linn_buf_skip(b, SIZE_MAX), LINN_BUF_UNREADABLE);
    EXPECT_EQ(linn_buf_clear(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_writer(b), 0u);
}

TEST_P(EveryKind, Marks) {
    linn_buf b = Make(20);
    linn_buf_set_indices(b, 5, 10);
    EXPECT_EQ(linn_buf_reset_reader(b), LINN_BUF_OK);  // new: at 0
    EXPECT_EQ(linn_buf_reader(b), 0u);
    EXPECT_EQ(linn_buf_reset_writer(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_writer(b), 0u);
    linn_buf_set_indices(b, 5, 10);
    linn_buf_mark_reader(b);
    linn_buf_mark_writer(b);
    linn_buf_set_indices(b, 8, 18);
    EXPECT_EQ(linn_buf_reset_reader(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reader(b), 5u);
    EXPECT_EQ(linn_buf_reset_writer(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_writer(b), 10u);
    // Netty case 56: below the reader.
    linn_buf_set_indices(b, 12, 15);
    EXPECT_EQ(linn_buf_reset_writer(b), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_writer(b), 15u);
    linn_buf_set_indices(b, 0, 4);
    EXPECT_EQ(linn_buf_reset_reader(b), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_reader(b), 0u);
}

// Netty case 55.
TEST_P(EveryKind, DiscardMovesWhatIsReadable) {
    linn_buf b = Make(20);
    Write(b, "0123456789abcdefghij");
    linn_buf_set_indices(b, 4, 18);
    linn_buf_mark_reader(b);
    linn_buf_mark_writer(b);
    linn_buf_set_indices(b, 6, 20);
    ASSERT_EQ(linn_buf_discard_read(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reader(b), 0u);
    EXPECT_EQ(Readable(b), "6789abcdefghij");
    EXPECT_EQ(linn_buf_reset_writer(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_writer(b), 12u);  // 18 - 6
    EXPECT_EQ(linn_buf_reset_reader(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reader(b), 0u);                 // 4 - 6
    ASSERT_EQ(linn_buf_discard_read(b), LINN_BUF_OK);  // nothing to do
    EXPECT_EQ(Readable(b), "6789abcdefgh");
    linn_buf_set_reader(b, 12);
    ASSERT_EQ(linn_buf_discard_read(b), LINN_BUF_OK);  // all was read
    EXPECT_EQ(linn_buf_writer(b), 0u);
}

TEST_P(EveryKind, DiscardSomeOnlyBeyondTheHalf) {
    linn_buf b = Make(20);
    Write(b, "0123456789abcdefghij");
    linn_buf_skip(b, 9);
    ASSERT_EQ(linn_buf_discard_some_read(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reader(b), 9u);
    linn_buf_skip(b, 1);
    ASSERT_EQ(linn_buf_discard_some_read(b), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reader(b), 0u);
    EXPECT_EQ(Readable(b), "abcdefghij");
    linn_buf_clear(b);
    linn_buf_set_indices(b, 3, 3);
    ASSERT_EQ(linn_buf_discard_some_read(b), LINN_BUF_OK);  // all was read
    EXPECT_EQ(linn_buf_writer(b), 0u);
}

// ---- growth ----

TEST_P(EveryKind, AWriteGrowsOrIsRefused) {
    linn_buf b = Make(10);
    Write(b, "0123456789");
    std::string before = Bytes(b);
    linn_buf_status status = linn_buf_write_bytes(b, "abcdef", 6);
    if (!Grows(kind())) {
        EXPECT_EQ(status, LINN_BUF_FULL);
        EXPECT_EQ(linn_buf_max_capacity(b), 10u);
        EXPECT_EQ(linn_buf_write_u64(b, 1), LINN_BUF_FULL);
        EXPECT_EQ(linn_buf_write_zero(b, 1), LINN_BUF_FULL);
        EXPECT_EQ(linn_buf_ensure_writable(b, 1, true), LINN_BUF_NOT_ENOUGH);
        EXPECT_EQ(linn_buf_set_capacity(b, 5), LINN_BUF_FIXED);
        EXPECT_EQ(linn_buf_set_capacity(b, 11), LINN_BUF_CAPACITY);
        EXPECT_EQ(Bytes(b), before);
        EXPECT_EQ(linn_buf_writer(b), 10u);
        return;
    }
    EXPECT_EQ(status, LINN_BUF_OK);
    EXPECT_EQ(Readable(b), "0123456789abcdef");
    std::string more(100000, 'x');
    Write(b, more);
    EXPECT_EQ(Readable(b), "0123456789abcdef" + more);
    EXPECT_GE(linn_buf_capacity(b), 100016u);
}

TEST_P(EveryKind, SetCapacity) {
    if (!Grows(kind())) return;
    linn_buf b = Make(100);
    std::string text;
    for (int i = 0; i < 100; i++)
        text += static_cast<char>('!' + i % 90);
    Write(b, text);
    linn_buf_skip(b, 60);
    ASSERT_EQ(linn_buf_set_capacity(b, 3000), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_capacity(b), 3000u);
    EXPECT_EQ(Bytes(b).substr(0, 100), text);
    EXPECT_EQ(linn_buf_writer(b), 100u);
    ASSERT_EQ(linn_buf_set_capacity(b, 80), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_writer(b), 80u);
    EXPECT_EQ(linn_buf_reader(b), 60u);
    ASSERT_EQ(linn_buf_set_capacity(b, 50), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reader(b), 50u);
    EXPECT_EQ(Bytes(b), text.substr(0, 50));
    ASSERT_EQ(linn_buf_set_capacity(b, 0), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_capacity(b), 0u);
    uint8_t byte;
    EXPECT_EQ(linn_buf_get_u8(b, 0, &byte), LINN_BUF_INDEX);
    Write(b, "again");
    EXPECT_EQ(Readable(b), "again");
    EXPECT_EQ(linn_buf_set_capacity(b, LINN_BUF_MAX + 1), LINN_BUF_CAPACITY);
    EXPECT_EQ(linn_buf_set_capacity(b, LINN_BUF_MAX), LINN_BUF_NO_MEMORY);
    EXPECT_EQ(Readable(b), "again");
}

// ---- views of every kind ----

// Netty case 48: and nothing is held.
TEST_P(EveryKind, ASliceOutOfBoundsHoldsNothing) {
    linn_buf b = Make(20);
    linn_buf_set_writer(b, 20);
    uint32_t references = linn_buf_references(b);
    linn_buf out = linn_buf_none();
    for (auto f : {linn_buf_slice, linn_buf_retained_slice, linn_buf_copy}) {
        EXPECT_EQ(f(b, 0, 21, &out), LINN_BUF_INDEX);
        EXPECT_EQ(f(b, 21, 0, &out), LINN_BUF_INDEX);
        EXPECT_EQ(f(b, SIZE_MAX, 2, &out), LINN_BUF_INDEX);
        EXPECT_EQ(f(b, 2, SIZE_MAX, &out), LINN_BUF_INDEX);
    }
    EXPECT_EQ(linn_buf_read_slice(b, 21, &out), LINN_BUF_UNREADABLE);
    EXPECT_EQ(linn_buf_read_retained_slice(b, 21, &out), LINN_BUF_UNREADABLE);
    EXPECT_EQ(linn_buf_reader(b), 0u);
    EXPECT_EQ(linn_buf_references(b), references);
    EXPECT_TRUE(linn_buf_is_none(out));
}

TEST_P(EveryKind, SlicesShareBytesAndNotIndices) {
    linn_buf b = Make(30);
    Write(b, "0123456789abcdefghij");
    linn_buf s, r;
    ASSERT_EQ(linn_buf_slice(b, 5, 10, &s), LINN_BUF_OK);
    EXPECT_EQ(Readable(s), "56789abcde");
    EXPECT_EQ(linn_buf_capacity(s), 10u);
    EXPECT_EQ(linn_buf_max_capacity(s), 10u);
    linn_buf_set_u8(s, 0, 'X');
    EXPECT_EQ(Bytes(b).substr(0, 8), "01234X67");
    linn_buf_set_u16(b, 6, 0x5959);
    EXPECT_EQ(Readable(s).substr(0, 4), "XYY8");
    linn_buf_skip(s, 3);
    EXPECT_EQ(linn_buf_reader(b), 0u);
    ASSERT_EQ(linn_buf_read_retained_slice(s, 4, &r), LINN_BUF_OK);
    EXPECT_EQ(Readable(r), "89ab");
    EXPECT_EQ(linn_buf_reader(s), 7u);
    linn_buf t;
    ASSERT_EQ(linn_buf_read_slice(s, 3, &t), LINN_BUF_OK);
    EXPECT_EQ(Readable(t), "cde");
    EXPECT_EQ(linn_buf_write_u8(t, 1), LINN_BUF_FULL);
    linn_buf parent;
    ASSERT_EQ(linn_buf_unwrap(r, &parent), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_release(r), LINN_BUF_OK);
    EXPECT_TRUE(linn_buf_is_live(b));
}

TEST_P(EveryKind, ADuplicateHasIndicesOfItsOwn) {
    linn_buf b = Make(30);
    Write(b, "0123456789");
    linn_buf_skip(b, 2);
    linn_buf d;
    ASSERT_EQ(linn_buf_duplicate(b, &d), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_reader(d), 2u);
    EXPECT_EQ(linn_buf_writer(d), 10u);
    EXPECT_EQ(linn_buf_capacity(d), 30u);
    EXPECT_TRUE(linn_buf_equal(b, d));
    linn_buf_set_indices(d, 0, 30);
    EXPECT_EQ(linn_buf_reader(b), 2u);
    // Netty case 47: a capacity that changes is visible in both.
    linn_buf_status grown = linn_buf_set_capacity(d, 5000);
    if (Grows(kind())) {
        EXPECT_EQ(grown, LINN_BUF_OK);
        EXPECT_EQ(linn_buf_capacity(b), 5000u);
        ASSERT_EQ(linn_buf_set_capacity(b, 20), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_capacity(d), 20u);
        uint8_t byte;
        EXPECT_EQ(linn_buf_get_u8(d, 20, &byte), LINN_BUF_INDEX);
    } else {
        EXPECT_EQ(grown, LINN_BUF_CAPACITY);
        EXPECT_EQ(linn_buf_set_capacity(d, 20), LINN_BUF_FIXED);
    }
}

// A slice of a root that shrinks under it cannot reach beyond.
TEST_P(EveryKind, ViewsFollowTheirRoot) {
    if (!Grows(kind())) return;
    linn_buf b = Make(100);
    linn_buf_set_writer(b, 100);
    linn_buf_set_bytes(b, 50, "slice", 5);
    linn_buf s;
    ASSERT_EQ(linn_buf_slice(b, 50, 40, &s), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_set_capacity(b, 100000), LINN_BUF_OK);  // moves
    char out[6] = "";
    ASSERT_EQ(linn_buf_get_bytes(s, 0, out, 5), LINN_BUF_OK);
    EXPECT_STREQ(out, "slice");
    ASSERT_EQ(linn_buf_set_capacity(b, 60), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_capacity(s), 10u);
    EXPECT_EQ(linn_buf_get_bytes(s, 0, out, 5), LINN_BUF_OK);
    uint64_t u;
    EXPECT_EQ(linn_buf_get_u64(s, 3, &u), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_read_bytes(s, out, 5), LINN_BUF_OK);
    uint8_t byte;
    linn_buf_set_reader(s, 5);
    linn_buf_skip(s, 10);
    EXPECT_EQ(linn_buf_read_u8(s, &byte), LINN_BUF_INDEX);
    ASSERT_EQ(linn_buf_set_capacity(b, 20), LINN_BUF_OK);
    EXPECT_EQ(linn_buf_capacity(s), 0u);
    EXPECT_EQ(linn_buf_set_u8(s, 0, 1), LINN_BUF_INDEX);
    EXPECT_EQ(linn_buf_write_u8(s, 1), LINN_BUF_FULL);
}

TEST_P(EveryKind, AReadOnlyViewRefusesEveryWrite) {
    linn_buf b = Make(64);
    Write(b, std::string(40, 'x'));
    linn_buf r, rr, rs;
    ASSERT_EQ(linn_buf_read_only(b, &r), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_retained_read_only(b, &rr), LINN_BUF_OK);
    ASSERT_EQ(linn_buf_slice(r, 4, 20, &rs), LINN_BUF_OK);
    EXPECT_FALSE(linn_buf_is_read_only(b));
    std::string before = Bytes(b);
    int pipe_fd[2];
    ASSERT_EQ(pipe(pipe_fd), 0);
    for (linn_buf v : {r, rr, rs}) {
        EXPECT_TRUE(linn_buf_is_read_only(v));
        for (const Number &number : Numbers()) {
            EXPECT_EQ(number.set(v, 0, number.values[0]), LINN_BUF_READ_ONLY);
            EXPECT_EQ(number.write(v, number.values[0]), LINN_BUF_READ_ONLY);
            uint64_t got;
            EXPECT_EQ(number.get(v, 0, &got), LINN_BUF_OK);
        }
        char c = 'y';
        iovec one = {&c, 1};
        size_t done;
        void *p = nullptr;
        EXPECT_EQ(linn_buf_set_bytes(v, 0, &c, 1), LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_write_bytes(v, &c, 1), LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_write_iovec(v, &one, 1), LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_set_buf(v, 0, b, 0, 1), LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_get_buf(b, 0, v, 0, 1), LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_write_buf(v, b, 1), LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_set_zero(v, 0, 1), LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_write_zero(v, 1), LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_write_string(v, 1, "", 0), LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_write_from_fd(v, pipe_fd[0], 1, &done),
                  LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_set_from_fd(v, 0, pipe_fd[0], 1, &done),
                  LINN_BUF_READ_ONLY);
        EXPECT_EQ(linn_buf_data_writable(v, 0, 1, &p), LINN_BUF_READ_ONLY);
        linn_buf_skip(v, 1);
        EXPECT_EQ(linn_buf_discard_read(v), LINN_BUF_READ_ONLY);
        EXPECT_NE(linn_buf_set_capacity(v, 3), LINN_BUF_OK);
        linn_buf copy;
        ASSERT_EQ(linn_buf_copy(v, 0, 20, &copy), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_set_u8(copy, 0, 1), LINN_BUF_OK);
        EXPECT_EQ(linn_buf_release(copy), LINN_BUF_OK);
    }
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    EXPECT_EQ(Bytes(b), before);
    linn_buf_set_u8(b, 4, 'z');  // through the original it shows
    uint8_t byte = 0;
    linn_buf_get_u8(rs, 0, &byte);
    EXPECT_EQ(byte, 'z');
    EXPECT_EQ(linn_buf_release(rr), LINN_BUF_OK);
}

// ---- the dead ----

// Every function of a dead handle says so, and touches nothing.
TEST_P(EveryKind, ADeadHandleIsAnErrorEverywhere) {
    Made made = buf_fixture::Make(kind(), pool_, 40);
    linn_buf b = made.b, live = Keep(Plain(pool_, 40)), out = {77};
    Release(made);
    // Its descriptors and its memory are somebody else's by now.
    linn_buf other = Make(40), again = Make(40);
    Write(other, "somebody else's");
    std::string others = Bytes(other), lives = Bytes(live);
    char c[8] = "keep";
    iovec v[1] = {{c, 1}};
    size_t n = 77;
    int order = 77, fd[2];
    uint64_t hash = 77;
    const void *p = c;
    void *w = c;
    ASSERT_EQ(pipe(fd), 0);
    for (linn_buf d : {b, linn_buf_none(), linn_buf{b.id + 1},
                       linn_buf{UINT64_MAX}, linn_buf{b.id | 0xffffffffu}}) {
        if (d.id == other.id || d.id == again.id || d.id == live.id) continue;
        if (linn_buf_is_live(d)) continue;  // a component of another
        for (const Number &number : Numbers()) {
            uint64_t got;
            EXPECT_EQ(number.get(d, 0, &got), LINN_BUF_DEAD);
            EXPECT_EQ(number.set(d, 0, got), LINN_BUF_DEAD);
            EXPECT_EQ(number.read(d, &got), LINN_BUF_DEAD);
            EXPECT_EQ(got, Untouched(number));
            EXPECT_EQ(number.write(d, got), LINN_BUF_DEAD);
        }
        linn_buf_status all[] = {
            linn_buf_retain(d),
            linn_buf_retain_n(d, 3),
            linn_buf_release(d),
            linn_buf_release_n(d, 2, nullptr),
            linn_buf_publish(d),
            linn_buf_try_retain(d),
            linn_buf_set_capacity(d, 1),
            linn_buf_set_reader(d, 0),
            linn_buf_set_writer(d, 0),
            linn_buf_set_indices(d, 0, 0),
            linn_buf_clear(d),
            linn_buf_skip(d, 0),
            linn_buf_mark_reader(d),
            linn_buf_reset_reader(d),
            linn_buf_mark_writer(d),
            linn_buf_reset_writer(d),
            linn_buf_discard_read(d),
            linn_buf_discard_some_read(d),
            linn_buf_get_bytes(d, 0, c, 1),
            linn_buf_set_bytes(d, 0, c, 1),
            linn_buf_read_bytes(d, c, 1),
            linn_buf_write_bytes(d, c, 1),
            linn_buf_get_buf(d, 0, live, 0, 1),
            linn_buf_get_buf(live, 0, d, 0, 1),
            linn_buf_set_buf(d, 0, live, 0, 1),
            linn_buf_read_buf(d, live, 0),
            linn_buf_read_buf(live, d, 0),
            linn_buf_write_buf(d, live, 0),
            linn_buf_read_iovec(d, v, 1),
            linn_buf_write_iovec(d, v, 1),
            linn_buf_set_zero(d, 0, 1),
            linn_buf_write_zero(d, 1),
            linn_buf_write_string(d, 1, c, 1),
            linn_buf_read_string(d, 1, c, 8, &n),
            linn_buf_write_from_fd(d, fd[0], 1, &n),
            linn_buf_read_to_fd(d, fd[1], 1, &n),
            linn_buf_write_from_socket(d, fd[0], 1, 0, &n),
            linn_buf_read_to_socket(d, fd[1], 1, 0, &n),
            linn_buf_write_from_file(d, fd[0], 0, 1, &n),
            linn_buf_read_to_file(d, fd[1], 0, 1, &n),
            linn_buf_set_from_fd(d, 0, fd[0], 1, &n),
            linn_buf_get_to_fd(d, 0, fd[1], 1, &n),
            linn_buf_set_from_file(d, 0, fd[0], 0, 1, &n),
            linn_buf_get_to_file(d, 0, fd[1], 0, 1, &n),
            linn_buf_data(d, 0, 1, &p),
            linn_buf_data_writable(d, 0, 1, &w),
            linn_buf_iovec(d, 0, 1, v, 1, &n),
            linn_buf_find_byte(d, 0, 1, 0, &n),
            linn_buf_find_last_byte(d, 0, 1, 0, &n),
            linn_buf_find_any(d, 0, 1, c, 1, &n),
            linn_buf_find(d, 0, 1, c, 1, &n),
            linn_buf_bytes_before(d, 0, &n),
            linn_buf_for_each(d, 0, 1, See, nullptr, &n),
            linn_buf_for_each_down(d, 0, 1, See, nullptr, &n),
            linn_buf_compare(d, live, &order),
            linn_buf_compare(live, d, &order),
            linn_buf_hash(d, &hash),
            linn_buf_slice(d, 0, 1, &out),
            linn_buf_retained_slice(d, 0, 1, &out),
            linn_buf_duplicate(d, &out),
            linn_buf_retained_duplicate(d, &out),
            linn_buf_read_only(d, &out),
            linn_buf_retained_read_only(d, &out),
            linn_buf_read_slice(d, 0, &out),
            linn_buf_read_retained_slice(d, 0, &out),
            linn_buf_unwrap(d, &out),
            linn_buf_copy(d, 0, 1, &out),
            linn_buf_composite_remove(d, 0, 0),
            linn_buf_composite_consolidate(d),
            linn_buf_composite_component(d, 0, &out, &n),
            linn_buf_composite_find(d, 0, &n),
        };
        size_t calls = 0;
        for (linn_buf_status status : all) {
            EXPECT_EQ(status, LINN_BUF_DEAD) << "call " << calls;
            calls++;
        }
        EXPECT_EQ(calls, 71u);
        EXPECT_EQ(LastError().status, LINN_BUF_DEAD);
        EXPECT_EQ(linn_buf_references(d), 0u);
        EXPECT_EQ(linn_buf_capacity(d) + linn_buf_max_capacity(d) +
                      linn_buf_reader(d) + linn_buf_writer(d) +
                      linn_buf_readable(d) + linn_buf_writable(d) +
                      linn_buf_max_writable(d) + linn_buf_max_fast_writable(d) +
                      linn_buf_composite_components(d),
                  0u);
        EXPECT_FALSE(linn_buf_is_sole_owner(d));
        EXPECT_FALSE(linn_buf_is_readable(d, 0));
        EXPECT_FALSE(linn_buf_is_writable(d, 0));
        EXPECT_FALSE(linn_buf_is_contiguous(d));
        EXPECT_FALSE(linn_buf_is_read_only(d));
        EXPECT_FALSE(linn_buf_equal(d, live));
        EXPECT_EQ(linn_buf_pool(d), nullptr);
        EXPECT_EQ(linn_buf_hex(d, 0, 1, c, 0), 0u);
        EXPECT_EQ(linn_buf_ensure_writable(d, 1, true), LINN_BUF_NOT_ENOUGH);
    }
    close(fd[0]);
    close(fd[1]);
    EXPECT_STREQ(c, "keep");
    EXPECT_EQ(out.id, 77u);
    EXPECT_EQ(order, 77);
    EXPECT_EQ(hash, 77u);
    EXPECT_EQ(Bytes(other), others);
    EXPECT_EQ(Bytes(live), lives);
    EXPECT_EQ(linn_buf_writer(other), 15u);
}

INSTANTIATE_TEST_SUITE_P(All, EveryKind, testing::ValuesIn(AllKinds()),
                         KindName);

}  // namespace
