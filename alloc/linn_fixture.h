#ifndef LINN_ALLOC_LINN_FIXTURE_H_
#define LINN_ALLOC_LINN_FIXTURE_H_

// linn_fixture: what the tests of the whole library share.  C++ only.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "alloc/linn.h"
#include "gtest/gtest.h"

namespace linn_fixture {

// Sanitizers are slow, so they get a tenth of the work.
#ifdef LINN_SANITIZED
constexpr int kScale = 10;
#else
constexpr int kScale = 1;
#endif

#if defined(LINN_LOCKED) && LINN_LOCKED
constexpr bool kLockFree = false;
#else
constexpr bool kLockFree = true;
#endif

// What a report calls linn_<rest>: each library by its own name.
inline std::string NameOf(const std::string &rest) {
    return (kLockFree ? "linn_" : "linn_locked_") + rest;
}

inline linn_pool *Create(const linn_options *options = nullptr) {
    char error[256] = "";
    linn_pool *pool = linn_pool_create(options, error, sizeof error);
    EXPECT_NE(pool, nullptr) << error;
    return pool;
}

inline linn_counters Counters(linn_pool *pool) {
    linn_counters c{};
    c.size = sizeof c;
    EXPECT_TRUE(linn_pool_counters(pool, &c));
    return c;
}

inline void Destroy(linn_pool *pool) {
    size_t live = 0;
    EXPECT_TRUE(linn_pool_destroy(pool, &live)) << live << " live";
}

// The compiler knows what linn_alloc and linn_free do, and refuses the mistakes
// that these tests make on purpose.  It does not see through a volatile.
inline void *At(uintptr_t address) {
    volatile uintptr_t hidden = address;
    return reinterpret_cast<void *>(hidden);
}
inline uintptr_t AddressOf(const void *p) {
    volatile uintptr_t hidden = reinterpret_cast<uintptr_t>(p);
    return hidden;
}
inline size_t Opaque(size_t size) {
    volatile size_t hidden = size;
    return hidden;
}

// A canary at both ends: what the block is, so that a block handed out twice, or
// one that overlaps another, is seen.
struct Canary {
    uint64_t *block = nullptr;
    size_t words = 0;
    uint64_t value = 0;

    void Write(void *p, size_t usable, uint64_t v) {
        block = static_cast<uint64_t *>(p);
        words = usable / sizeof *block;
        value = v;
        block[0] = block[words - 1] = v;
    }
    bool IsWhole() const {
        return block[0] == value && block[words - 1] == value;
    }
};

// splitmix64: the same everywhere, and one word of state.
class Random {
   public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t Next() {
        uint64_t z = state_ += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
    }
    uint64_t Below(uint64_t n) {
        return Next() % n;
    }
    // From 1 B to 4 MiB, small ones more often; all paths are walked.
    size_t Size() {
        uint64_t shift = Below(100) < 95 ? 3 + Below(11) : 14 + Below(9);
        return static_cast<size_t>(1 + Below(UINT64_C(1) << shift));
    }

   private:
    uint64_t state_;
};

inline void OnThread(const std::function<void()> &body) {
    std::thread(body).join();
}

// Installed as the misuse handler: remembers the last report.
struct Report {
    int count = 0;
    std::string function, what, message;
    const void *pointer = nullptr, *block = nullptr;
    size_t block_size = 0;
};

inline Report &LastReport() {
    static Report report;
    return report;
}

inline void Remember(const linn_misuse *misuse) {
    Report &r = LastReport();
    r.count++;
    r.function = misuse->function;
    r.what = misuse->what;
    r.message = misuse->message;
    r.pointer = misuse->pointer;
    r.block = misuse->block;
    r.block_size = misuse->block_size;
}

// While it lives, misuse is remembered and does not stop the program.
class Reports {
   public:
    Reports() {
        LastReport() = Report();
        before_ = linn_set_misuse_handler(Remember);
    }
    ~Reports() {
        linn_set_misuse_handler(before_);
    }
    Reports(const Reports &) = delete;
    Reports &operator=(const Reports &) = delete;

    int Count() const {
        return LastReport().count;
    }
    // The reports since the last call.
    Report Take() {
        Report r = LastReport();
        LastReport() = Report();
        return r;
    }

   private:
    linn_misuse_handler before_;
};

}  // namespace linn_fixture

#endif  // LINN_ALLOC_LINN_FIXTURE_H_
