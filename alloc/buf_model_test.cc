// Random operations on random buffers, against a model that is a string and a few
// numbers.  Every result, index, capacity and byte must be the model's.
//
//     buf_model_test [OPERATIONS [SEED]]
//
// The model knows roots (who has the bytes) and buffers (who sees some of them), and
// nothing of blocks, pieces or descriptors.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "alloc/buf_fixture.h"

namespace {

using namespace buf_fixture;  // NOLINT
using linn_fixture::Random;

uint64_t operations = 400000 / linn_fixture::kScale;
uint64_t seed = 1;

struct Root {
    std::string bytes;
    size_t max = 0;
    bool composite = false, fixed = false;
};

struct Model {
    linn_buf b;
    std::shared_ptr<Root> root;
    bool is_root = false, read_only = false, follows = false;
    size_t offset = 0, length = 0;  // of a view that does not follow
    size_t reader = 0, writer = 0, marked_reader = 0, marked_writer = 0;
    Model *owner = nullptr;   // whose count it shares (itself, mostly)
    Model *parent = nullptr;  // of which it holds a reference
    unsigned references = 1;
    unsigned views = 0;  // of these, held by views
    bool alive = true;

    size_t Room() const {
        size_t size = root->bytes.size();
        size_t rest = size > offset ? size - offset : 0;
        return follows || is_root ? rest : std::min(rest, length);
    }
    size_t Most() const {
        return follows || is_root ? root->max : length;
    }
    bool Fits(size_t index, size_t n) const {
        return n <= Room() && index <= Room() - n;
    }
    char *At(size_t index) {
        return &root->bytes[offset + index];
    }
    std::string Visible() const {
        size_t from = std::min(offset, root->bytes.size());
        return root->bytes.substr(from, Room());
    }
    std::string Readable() const {
        return Visible().substr(reader, writer - reader);
    }
};

class BufModel : public BufTest {
   protected:
    using Handle = std::unique_ptr<Model>;

    // ---- births and deaths ----

    Model *Add(linn_buf b) {
        all_.push_back(Handle(new Model));
        all_.back()->b = b;
        all_.back()->owner = all_.back().get();
        return all_.back().get();
    }
    Model *AddRoot(linn_buf b, std::string bytes, size_t max) {
        Model *m = Add(b);
        m->root = std::make_shared<Root>();
        m->root->bytes = std::move(bytes);
        m->root->max = max;
        m->is_root = true;
        return m;
    }
    std::string Noise(size_t n) {
        std::string s(n, ' ');
        for (char &c : s)
            c = static_cast<char>(random_.Below(4) == 0 ? random_.Next()
                                                        : random_.Below(3));
        return s;
    }
    void NewPlain() {
        size_t capacity =
            random_.Below(3) == 0 ? random_.Below(3000) : random_.Below(40);
        size_t max = random_.Below(3) == 0 ? capacity + random_.Below(100)
                                           : LINN_BUF_MAX;
        linn_buf b;
        ASSERT_EQ(linn_buf_alloc_max(pool_, capacity, max, &b), LINN_BUF_OK);
        std::string bytes = Noise(capacity);
        linn_buf_set_bytes(b, 0, bytes.data(), capacity);
        AddRoot(b, bytes, max);
    }
    void NewWrapped() {
        std::string bytes = Noise(random_.Below(60));
        auto *memory = new unsigned char[bytes.size() + 1];
        memcpy(memory, bytes.data(), bytes.size());
        linn_buf b;
        ASSERT_EQ(linn_buf_wrap(memory, bytes.size(), FreeWrapped,
                                &WrappedReleased(), &b),
                  LINN_BUF_OK);
        Model *m = AddRoot(b, bytes, bytes.size());
        m->root->fixed = true;
        m->writer = bytes.size();
    }
    void NewComposite() {
        linn_buf c;
        ASSERT_EQ(linn_buf_composite(pool_, 1 + random_.Below(12), &c),
                  LINN_BUF_OK);
        Model *m = AddRoot(c, "", LINN_BUF_MAX);
        m->root->composite = true;
        for (uint64_t i = random_.Below(8); i > 0; i--)
            AddComponent(m);
    }
    void AddComponent(Model *m) {
        std::string bytes = Noise(random_.Below(30));
        bool advance = random_.Below(2) == 0;
        linn_buf part = Text(pool_, bytes);
        if (random_.Below(4) == 0) {  // a composite in a composite
            linn_buf inner;
            linn_buf_composite(pool_, 4, &inner);
            linn_buf_composite_add(inner, true, part);
            part = inner;
        }
        linn_buf_status status =
            random_.Below(2) == 0
                ? linn_buf_composite_add(m->b, advance, part)
                : linn_buf_composite_add_flattened(m->b, advance, part);
        ASSERT_EQ(status, LINN_BUF_OK);
        m->root->bytes += bytes;
        if (advance) m->writer += bytes.size();
    }
    void NewView(Model *m) {
        bool retained = random_.Below(2) == 0, read = random_.Below(4) == 0;
        uint64_t which = random_.Below(4);
        size_t index = random_.Below(50), n = random_.Below(50);
        linn_buf b = {77};
        linn_buf_status status, want = LINN_BUF_OK;
        bool slice = which < 2;
        if (slice && read) {
            index = m->reader;
            want = n > m->writer - m->reader ? LINN_BUF_UNREADABLE : want;
            status = retained ? linn_buf_read_retained_slice(m->b, n, &b)
                              : linn_buf_read_slice(m->b, n, &b);
        } else if (slice) {
            status = retained ? linn_buf_retained_slice(m->b, index, n, &b)
                              : linn_buf_slice(m->b, index, n, &b);
        } else if (which == 2) {
            status = retained ? linn_buf_retained_duplicate(m->b, &b)
                              : linn_buf_duplicate(m->b, &b);
        } else {
            status = retained ? linn_buf_retained_read_only(m->b, &b)
                              : linn_buf_read_only(m->b, &b);
        }
        if (slice && want == LINN_BUF_OK && !m->Fits(index, n)) {
            want = LINN_BUF_INDEX;
        }
        ASSERT_EQ(status, want);
        if (status != LINN_BUF_OK) return;
        if (slice && read) m->reader += n;
        Model *v = Add(b);
        v->root = m->root;
        v->offset = m->offset + (slice ? index : 0);
        v->follows = !slice && (m->is_root || m->follows);
        v->length = slice ? n : m->Room();
        v->read_only = m->read_only || which == 3;
        v->reader = slice ? 0 : m->reader;
        v->writer = slice ? n : m->writer;
        if (retained) {
            v->parent = m->owner;
            m->owner->references++;
            m->owner->views++;
        } else {
            v->owner = m->owner;
        }
    }
    void Copy(Model *m) {
        size_t index = random_.Below(30), n = random_.Below(40);
        linn_buf b;
        linn_buf_status status = linn_buf_copy(m->b, index, n, &b);
        ASSERT_EQ(status, m->Fits(index, n) ? LINN_BUF_OK : LINN_BUF_INDEX);
        if (status != LINN_BUF_OK) return;
        Model *c = AddRoot(b, n == 0 ? "" : std::string(m->At(index), n),
                           LINN_BUF_MAX);
        c->writer = n;
    }
    void Unhold(Model *owner, unsigned n) {
        while (owner != nullptr) {
            owner->references -= n;
            if (owner->references > 0) return;
            for (Handle &h : all_) {
                if (h->owner == owner) h->alive = false;
            }
            owner = owner->parent;
            if (owner != nullptr) owner->views--;
            n = 1;
        }
    }
    void Release(Model *m) {
        unsigned n = 1 + static_cast<unsigned>(random_.Below(2));
        unsigned references = m->owner->references;
        // Those that views hold are not ours to release.
        if (n <= references && n > references - m->owner->views) return;
        bool freed = false;
        linn_buf_status status = linn_buf_release_n(m->b, n, &freed);
        if (n > references) {
            ASSERT_EQ(status, LINN_BUF_REFERENCES);
            return;
        }
        ASSERT_EQ(status, LINN_BUF_OK);
        ASSERT_EQ(freed, references == n);
        Unhold(m->owner, n);
    }
    void Forget() {
        std::vector<Handle> living;
        for (Handle &h : all_) {
            if (h->alive) {
                living.push_back(std::move(h));
            } else {
                ASSERT_EQ(linn_buf_references(h->b), 0u);
                ASSERT_EQ(linn_buf_release(h->b), LINN_BUF_DEAD);
                deaths_++;
            }
        }
        all_.swap(living);
    }

    // ---- capacity ----

    linn_buf_status Resizable(Model *m) {
        if (m->read_only) return LINN_BUF_READ_ONLY;
        if (!m->is_root && !m->follows) return LINN_BUF_FIXED;
        return m->root->fixed ? LINN_BUF_FIXED : LINN_BUF_OK;
    }
    // The capacity has changed: what is new in it becomes zeros, in both.
    void Resized(Model *m, size_t capacity) {
        size_t before = m->root->bytes.size();
        m->root->bytes.resize(capacity);
        if (capacity > before) {
            ASSERT_EQ(linn_buf_set_zero(m->b, before, capacity - before),
                      LINN_BUF_OK);
        }
    }
    // What a write of n bytes comes to; grows the model as the buffer grew.
    linn_buf_status ExpectRoom(Model *m, size_t n) {
        if (m->read_only) return LINN_BUF_READ_ONLY;
        size_t room = m->Room();
        if (m->writer <= room && n <= room - m->writer) return LINN_BUF_OK;
        if (m->writer > m->Most() || n > m->Most() - m->writer) {
            return LINN_BUF_FULL;
        }
        linn_buf_status status = Resizable(m);
        if (status == LINN_BUF_OK) grew_++;
        return status;
    }
    void SetCapacity(Model *m) {
        size_t capacity =
            random_.Below(8) == 0 ? random_.Below(20000) : random_.Below(100);
        linn_buf_status want = LINN_BUF_OK;
        if (capacity > m->Most()) {
            want = LINN_BUF_CAPACITY;
        } else if (capacity != m->Room()) {
            want = Resizable(m);
        }
        ASSERT_EQ(linn_buf_set_capacity(m->b, capacity), want);
        if (want != LINN_BUF_OK) return;
        if (capacity != m->root->bytes.size() && (m->is_root || m->follows)) {
            Resized(m, capacity);
        }
        for (Handle &h : all_) {
            if (h.get() != m && !(h->is_root && h->root == m->root)) continue;
            h->writer = std::min(h->writer, capacity);
            h->reader = std::min(h->reader, capacity);
        }
    }
    void Ensure(Model *m) {
        size_t n =
            random_.Below(8) == 0 ? random_.Below(9000) : random_.Below(60);
        bool force = random_.Below(2) == 0;
        size_t before = m->Room();
        linn_buf_ensured got = linn_buf_ensure_writable(m->b, n, force);
        size_t after = linn_buf_capacity(m->b);
        bool has = m->writer <= before && n <= before - m->writer;
        bool fits = m->writer <= m->Most() && n <= m->Most() - m->writer;
        linn_buf_ensured want = LINN_BUF_NOT_ENOUGH;
        if (has) {
            want = LINN_BUF_ENOUGH;
        } else if (Resizable(m) == LINN_BUF_OK) {
            if (fits) want = LINN_BUF_GROWN;
            if (!fits && force && before < m->Most()) {
                want = LINN_BUF_GROWN_TO_MAX;
            }
        }
        ASSERT_EQ(got, want);
        if (after == before) return;
        ASSERT_GE(after, fits ? m->writer + n : m->Most());
        Resized(m, after);
    }

    // ---- bytes ----

    void Write(Model *m) {
        std::string bytes = Noise(random_.Below(9) == 0 ? random_.Below(600)
                                                        : random_.Below(20));
        linn_buf_status want = ExpectRoom(m, bytes.size());
        size_t before = m->Room();
        ASSERT_EQ(linn_buf_write_bytes(m->b, bytes.data(), bytes.size()), want);
        Written(m, bytes, before, want);
    }
    void Written(Model *m, const std::string &bytes, size_t before,
                 linn_buf_status status) {
        if (status != LINN_BUF_OK) return;
        size_t after = linn_buf_capacity(m->b);
        if (after != before) {
            // Bytes that were new and are written now must not become zeros.
            m->root->bytes.resize(after);
            size_t end = m->writer + bytes.size();
            if (m->writer > before) {
                ASSERT_EQ(linn_buf_set_zero(m->b, before, m->writer - before),
                          LINN_BUF_OK);
            }
            ASSERT_EQ(linn_buf_set_zero(m->b, end, after - end), LINN_BUF_OK);
        }
        if (!bytes.empty())
            memcpy(m->At(m->writer), bytes.data(), bytes.size());
        m->writer += bytes.size();
    }
    static std::string Packed(uint64_t value, size_t n, bool little) {
        std::string s;
        for (size_t i = 0; i < n; i++)
            s += static_cast<char>(value >> (8 * (little ? i : n - 1 - i)));
        return s;
    }
    void WriteNumber(Model *m) {
        uint64_t v = random_.Next();
        uint64_t which = random_.Below(9);
        static const size_t widths[] = {1, 2, 2, 3, 3, 4, 4, 8, 8};
        size_t n = widths[which];
        linn_buf_status want = ExpectRoom(m, n), got = LINN_BUF_OK;
        size_t before = m->Room();
        auto u16 = static_cast<uint16_t>(v);
        auto u32 = static_cast<uint32_t>(v);
        switch (which) {
            case 0:
                got = linn_buf_write_u8(m->b, static_cast<uint8_t>(v));
                break;
            case 1:
                got = linn_buf_write_u16(m->b, u16);
                break;
            case 2:
                got = linn_buf_write_u16_le(m->b, u16);
                break;
            case 3:
                got = linn_buf_write_u24(m->b, u32);
                break;
            case 4:
                got = linn_buf_write_u24_le(m->b, u32);
                break;
            case 5:
                got = linn_buf_write_u32(m->b, u32);
                break;
            case 6:
                got = linn_buf_write_u32_le(m->b, u32);
                break;
            case 7:
                got = linn_buf_write_u64(m->b, v);
                break;
            default:
                got = linn_buf_write_u64_le(m->b, v);
                break;
        }
        ASSERT_EQ(got, want);
        Written(m, Packed(v, n, which > 0 && which % 2 == 0), before, want);
    }
    void SetBytes(Model *m) {
        std::string bytes = Noise(random_.Below(20));
        size_t index = random_.Below(60);
        linn_buf_status want = !m->Fits(index, bytes.size()) ? LINN_BUF_INDEX
                               : m->read_only ? LINN_BUF_READ_ONLY
                                              : LINN_BUF_OK;
        bool zero = random_.Below(3) == 0;
        if (zero) bytes.assign(bytes.size(), '\0');
        linn_buf_status got =
            zero ? linn_buf_set_zero(m->b, index, bytes.size())
                 : linn_buf_set_bytes(m->b, index, bytes.data(), bytes.size());
        ASSERT_EQ(got, want);
        if (want == LINN_BUF_OK && !bytes.empty()) {
            memcpy(m->At(index), bytes.data(), bytes.size());
        }
    }
    linn_buf_status ExpectRead(Model *m, size_t n) {
        if (n > m->writer - m->reader) return LINN_BUF_UNREADABLE;
        return m->Fits(m->reader, n) ? LINN_BUF_OK : LINN_BUF_INDEX;
    }
    void Read(Model *m) {
        std::string out(random_.Below(30), ' ');
        linn_buf_status want = ExpectRead(m, out.size());
        ASSERT_EQ(linn_buf_read_bytes(m->b, &out[0], out.size()), want);
        if (want != LINN_BUF_OK) return;
        ASSERT_EQ(out, m->Visible().substr(m->reader, out.size()));
        m->reader += out.size();
    }
    void ReadNumber(Model *m) {
        bool little = random_.Below(2) == 0;
        uint32_t got = 0;
        linn_buf_status want = ExpectRead(m, 4);
        ASSERT_EQ(little ? linn_buf_read_u32_le(m->b, &got)
                         : linn_buf_read_u32(m->b, &got),
                  want);
        if (want != LINN_BUF_OK) return;
        ASSERT_EQ(Packed(got, 4, little), std::string(m->At(m->reader), 4));
        m->reader += 4;
    }
    void Between(Model *m, Model *other) {
        size_t from = random_.Below(40), to = random_.Below(40);
        size_t n = random_.Below(30);
        linn_buf_status want = !m->Fits(from, n) || !other->Fits(to, n)
                                   ? LINN_BUF_INDEX
                               : other->read_only ? LINN_BUF_READ_ONLY
                                                  : LINN_BUF_OK;
        ASSERT_EQ(linn_buf_get_buf(m->b, from, other->b, to, n), want);
        if (want != LINN_BUF_OK || n == 0) return;
        std::string bytes(m->At(from), n);
        memcpy(other->At(to), bytes.data(), n);
    }
    void Search(Model *m) {
        size_t room = m->Room(), index = random_.Below(room + 1);
        size_t n = random_.Below(room - index + 1), at = 0;
        std::string in = m->Visible();
        std::string part = in.substr(index, n);
        auto byte = static_cast<char>(random_.Below(3));
        std::string two(2, byte);
        size_t want = part.find(byte);
        ASSERT_EQ(
            linn_buf_find_byte(m->b, index, n, static_cast<uint8_t>(byte), &at),
            want == std::string::npos ? LINN_BUF_NOT_FOUND : LINN_BUF_OK);
        if (want != std::string::npos) {
            ASSERT_EQ(at, index + want);
        }
        want = part.find(two);
        ASSERT_EQ(linn_buf_find(m->b, index, n, two.data(), 2, &at),
                  want == std::string::npos ? LINN_BUF_NOT_FOUND : LINN_BUF_OK);
        if (want != std::string::npos) {
            ASSERT_EQ(at, index + want);
        }
        want = part.rfind(byte);
        ASSERT_EQ(linn_buf_find_last_byte(m->b, index, n,
                                          static_cast<uint8_t>(byte), &at),
                  want == std::string::npos ? LINN_BUF_NOT_FOUND : LINN_BUF_OK);
        if (want != std::string::npos) {
            ASSERT_EQ(at, index + want);
        }
    }
    void Compare(Model *m, Model *other) {
        if (!m->Fits(m->reader, m->writer - m->reader) ||
            !other->Fits(other->reader, other->writer - other->reader)) {
            return;
        }
        int order = 0;
        ASSERT_EQ(linn_buf_compare(m->b, other->b, &order), LINN_BUF_OK);
        std::string a = m->Readable(), b = other->Readable();
        int want = a.compare(b);  // of unsigned bytes
        ASSERT_EQ(order, (want > 0) - (want < 0));
        ASSERT_EQ(linn_buf_equal(m->b, other->b), want == 0);
    }

    // ---- indices ----

    void SetIndices(Model *m) {
        size_t reader = random_.Below(50), writer = random_.Below(80);
        bool fits = reader <= writer && writer <= m->Room();
        ASSERT_EQ(linn_buf_set_indices(m->b, reader, writer),
                  fits ? LINN_BUF_OK : LINN_BUF_INDEX);
        if (!fits) return;
        m->reader = reader;
        m->writer = writer;
    }
    void Mark(Model *m) {
        bool fits;
        switch (random_.Below(4)) {
            case 0:
                ASSERT_EQ(linn_buf_mark_reader(m->b), LINN_BUF_OK);
                m->marked_reader = m->reader;
                break;
            case 1:
                ASSERT_EQ(linn_buf_mark_writer(m->b), LINN_BUF_OK);
                m->marked_writer = m->writer;
                break;
            case 2:
                fits = m->marked_reader <= m->writer && m->writer <= m->Room();
                ASSERT_EQ(linn_buf_reset_reader(m->b),
                          fits ? LINN_BUF_OK : LINN_BUF_INDEX);
                if (fits) m->reader = m->marked_reader;
                break;
            default:
                fits = m->reader <= m->marked_writer &&
                       m->marked_writer <= m->Room();
                ASSERT_EQ(linn_buf_reset_writer(m->b),
                          fits ? LINN_BUF_OK : LINN_BUF_INDEX);
                if (fits) m->writer = m->marked_writer;
                break;
        }
    }
    void Discard(Model *m) {
        bool some = random_.Below(2) == 0;
        linn_buf_status got = some ? linn_buf_discard_some_read(m->b)
                                   : linn_buf_discard_read(m->b);
        size_t n = m->reader, readable = m->writer - n;
        if (n == 0 || (some && readable > 0 && n < m->Room() / 2)) {
            ASSERT_EQ(got, LINN_BUF_OK);
            return;
        }
        if (m->read_only) {
            ASSERT_EQ(got, LINN_BUF_READ_ONLY);
            return;
        }
        bool drops = m->is_root && m->root->composite;
        if (!drops && readable > 0 && !m->Fits(n, readable)) {
            ASSERT_EQ(got, LINN_BUF_INDEX);
            return;
        }
        ASSERT_EQ(got, LINN_BUF_OK);
        if (drops) {
            m->root->bytes.erase(0, n);
        } else if (readable > 0) {
            std::string bytes(m->At(n), readable);
            memcpy(m->At(0), bytes.data(), readable);
        }
        m->reader = 0;
        m->writer = readable;
        m->marked_reader -= std::min(m->marked_reader, n);
        m->marked_writer -= std::min(m->marked_writer, n);
    }
    void Skip(Model *m) {
        size_t n = random_.Below(20);
        bool fits = n <= m->writer - m->reader;
        ASSERT_EQ(linn_buf_skip(m->b, n),
                  fits ? LINN_BUF_OK : LINN_BUF_UNREADABLE);
        if (fits) m->reader += n;
    }
    void Remove(Model *m) {
        size_t n = linn_buf_composite_components(m->b);
        if (n == 0) return;
        size_t i = random_.Below(n), begin = 0, end = m->root->bytes.size();
        linn_buf part;
        ASSERT_EQ(linn_buf_composite_component(m->b, i, &part, &begin),
                  LINN_BUF_OK);
        if (i + 1 < n) linn_buf_composite_component(m->b, i + 1, &part, &end);
        ASSERT_EQ(linn_buf_composite_remove(m->b, i, 1), LINN_BUF_OK);
        m->root->bytes.erase(begin, end - begin);
        m->writer = std::min(m->writer, m->root->bytes.size());
        m->reader = std::min(m->reader, m->writer);
    }

    // ---- all of it ----

    void Check(Model *m) {
        ASSERT_EQ(linn_buf_reader(m->b), m->reader);
        ASSERT_EQ(linn_buf_writer(m->b), m->writer);
        ASSERT_EQ(linn_buf_capacity(m->b), m->Room());
        ASSERT_EQ(linn_buf_max_capacity(m->b), m->Most());
        ASSERT_EQ(linn_buf_references(m->b), m->owner->references);
        std::string got(m->Room(), ' ');
        ASSERT_EQ(linn_buf_get_bytes(m->b, 0, &got[0], got.size()),
                  LINN_BUF_OK);
        ASSERT_EQ(got, m->Visible());
    }
    Model *Any() {
        return all_[random_.Below(all_.size())].get();
    }
    void Step() {
        if (all_.size() < 4 || (all_.size() < 24 && random_.Below(20) == 0)) {
            uint64_t which = random_.Below(4);
            if (which < 2) NewPlain();
            if (which == 2) NewComposite();
            if (which == 3) NewWrapped();
            return;
        }
        Model *m = Any();
        switch (random_.Below(20)) {
            case 0:
            case 1:
                if (all_.size() < 32) NewView(m);
                break;
            case 2:
                if (all_.size() < 32) Copy(m);
                break;
            case 3:
                ASSERT_EQ(linn_buf_retain(m->b), LINN_BUF_OK);
                m->owner->references++;
                break;
            case 4:
            case 5:
                Release(m);
                Forget();
                return;
            case 6:
                SetCapacity(m);
                break;
            case 7:
                Ensure(m);
                break;
            case 8:
            case 9:
                Write(m);
                break;
            case 10:
                WriteNumber(m);
                break;
            case 11:
                SetBytes(m);
                break;
            case 12:
                Read(m);
                break;
            case 13:
                ReadNumber(m);
                break;
            case 14:
                Between(m, Any());
                break;
            case 15:
                Search(m);
                Compare(m, Any());
                break;
            case 16:
                SetIndices(m);
                break;
            case 17:
                Mark(m);
                Skip(m);
                break;
            case 18:
                Discard(m);
                break;
            default:
                if (m->is_root && m->root->composite) {
                    if (random_.Below(2) == 0 &&
                        m->root->bytes.size() < 10000) {
                        AddComponent(m);
                    } else {
                        Remove(m);
                    }
                }
                break;
        }
        if (!HasFatalFailure()) Check(m);
    }

    Random random_{seed};
    std::vector<Handle> all_;
    uint64_t deaths_ = 0, grew_ = 0;
};

TEST_F(BufModel, RandomOperations) {
    for (uint64_t i = 0; i < operations; i++) {
        Step();
        if (i % 64 == 0) {
            for (Handle &h : all_)
                Check(h.get());
        }
        ASSERT_FALSE(HasFatalFailure()) << "operation " << i;
    }
    printf("%llu operations of seed %llu, %llu buffers died, %llu grew\n",
           static_cast<unsigned long long>(operations),
           static_cast<unsigned long long>(seed),
           static_cast<unsigned long long>(deaths_),
           static_cast<unsigned long long>(grew_));
    EXPECT_GT(deaths_, operations / 100);
    EXPECT_GT(grew_, operations / 1000);
    while (!all_.empty()) {
        Model *m = all_.back().get();
        for (Handle &h : all_) {
            if (h->owner->references > h->owner->views) m = h.get();
        }
        ASSERT_EQ(linn_buf_release(m->b), LINN_BUF_OK);
        Unhold(m->owner, 1);
        Forget();
    }
}

}  // namespace

int main(int argc, char **argv) {
    testing::InitGoogleTest(&argc, argv);
    if (argc > 1) operations = strtoull(argv[1], nullptr, 10);
    if (argc > 2) seed = strtoull(argv[2], nullptr, 10);
    return RUN_ALL_TESTS();
}
