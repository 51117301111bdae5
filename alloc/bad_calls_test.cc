// What each bad call gets.  The table docs/bad_inputs.md is written by this test
// (run it with LINN_WRITE_BAD_INPUTS=FILE) and compared with what it finds.

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "alloc/linn.h"
#include "gtest/gtest.h"

namespace {

// The library that ran is named.
#if defined(LINN_LOCKED) && LINN_LOCKED
const std::string kFree = "linn_locked_free";
#else
const std::string kFree = "linn_free";
#endif

struct Report {
    std::string function, what;
    const void *pointer = nullptr, *block = nullptr;
    size_t size = 0;
};
thread_local std::vector<Report> reports;

void Record(const linn_misuse *m) {
    Report r;
    r.function = m->function;
    r.what = m->what;
    r.pointer = m->pointer;
    r.block = m->block;
    r.size = m->block_size;
    reports.push_back(r);
}

// Reports go to `reports` while one lives.
struct Recording {
    Recording() {
        reports.clear();
        linn_set_misuse_handler(Record);
    }
    ~Recording() {
        linn_set_misuse_handler(nullptr);
    }
};

// One size of each kind of block: elements, runs, groups, huge.
const size_t kSizes[] = {1,     64,     100,    1000,   5000,    16384,
                         70000, 131072, 200000, 524288, 1000000, 20000000};

uint64_t Live() {
    linn_counters c{};
    c.size = sizeof c;
    EXPECT_TRUE(linn_pool_counters(nullptr, &c));
    return c.live_blocks;
}

// The compiler may not know that these pointers are wrong.
char *Hidden(void *p) {
    char *volatile hidden = static_cast<char *>(p);
    return hidden;
}

TEST(BadCallsTest, TwiceByOneThread) {
    for (size_t size : kSizes) {
        Recording recording;
        char *volatile p = Hidden(linn_alloc(nullptr, size));
        linn_free(p);
        linn_free(Hidden(p));
        ASSERT_EQ(reports.size(), 1u) << size;
        EXPECT_EQ(reports[0].function, kFree);
        EXPECT_EQ(reports[0].pointer, p);
        EXPECT_NE(
            (reports[0].what + " ")
                .find(size > (16u << 20) ? "not a pointer" : "already free"),
            std::string::npos)
            << size << ": " << reports[0].what;
    }
    EXPECT_EQ(Live(), 0u);
}

TEST(BadCallsTest, ByTwoThreadsInTurn) {
    for (size_t size : kSizes) {
        if (size > (16u << 20)) continue;
        Recording recording;
        char *volatile p = Hidden(linn_alloc(nullptr, size));
        linn_free(p);
        std::thread([&] {
            reports.clear();
            linn_free(Hidden(p));
            EXPECT_EQ(reports.size(), 1u) << size;
        }).join();
    }
    EXPECT_EQ(Live(), 0u);
}

TEST(BadCallsTest, TwiceAfterAFlush) {
    for (size_t size : kSizes) {
        Recording recording;
        char *volatile p = Hidden(linn_alloc(nullptr, size));
        linn_free(p);
        (void)linn_thread_flush();
        linn_free(Hidden(p));
        EXPECT_EQ(reports.size(), 1u) << size;
    }
    EXPECT_EQ(Live(), 0u);
}

// The word that tells is gone: then the flush tells, for certain.
TEST(BadCallsTest, TwiceWithThePayloadOverwritten) {
    for (size_t size : kSizes) {
        if (size > 131072) continue;
        Recording recording;
        char *volatile p = Hidden(linn_alloc(nullptr, size));
        linn_free(p);
        Hidden(p)[0] = 1;
        linn_free(Hidden(p));
        (void)linn_thread_flush();
        ASSERT_EQ(reports.size(), 1u) << size;
        EXPECT_EQ(reports[0].what, "already free");
        EXPECT_EQ(reports[0].pointer, p);
    }
}

TEST(BadCallsTest, AnotherWordThatLooksFreedIsNot) {
    Recording recording;
    auto *p = static_cast<uint64_t *>(linn_alloc(nullptr, 64));
    p[0] = UINT64_C(0x9e3779b97f4a7c15);
    linn_free(p);
    EXPECT_EQ(reports.size(), 0u);
}

TEST(BadCallsTest, InsideABlock) {
    for (size_t size : kSizes) {
        Recording recording;
        char *volatile p = Hidden(linn_alloc(nullptr, size));
        size_t usable = linn_usable_size(p);
        for (size_t offset :
             {size_t{1}, size_t{8}, size_t{16}, usable / 2, usable - 1}) {
            reports.clear();
            linn_free(Hidden(p) + offset);
            ASSERT_EQ(reports.size(), 1u) << size << " + " << offset;
            EXPECT_EQ(reports[0].what, "inside a block, not its start");
            EXPECT_EQ(reports[0].block, p) << size << " + " << offset;
            EXPECT_EQ(reports[0].size, usable);
        }
        linn_free(p);
    }
    EXPECT_EQ(Live(), 0u);
}

TEST(BadCallsTest, NotOurs) {
    Recording recording;
    static int in_the_program;
    int on_the_stack = 0;
    std::vector<char> on_the_heap(100);
    void *mapped =
        mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *const kBad[] = {
        &in_the_program,
        &on_the_stack,
        on_the_heap.data(),
        mapped,
        reinterpret_cast<void *>(uintptr_t{8}),
        reinterpret_cast<void *>(uintptr_t{0x7fffffffffff}),
        reinterpret_cast<void *>(uintptr_t{0x800000000000}),
        reinterpret_cast<void *>(UINTPTR_MAX),
    };
    for (void *p : kBad) {
        reports.clear();
        linn_free(Hidden(p));
        ASSERT_EQ(reports.size(), 1u) << p;
        EXPECT_EQ(reports[0].what, "not a pointer of linn's");
        EXPECT_EQ(reports[0].block, nullptr);
        reports.clear();
        EXPECT_EQ(linn_usable_size(Hidden(p)), 0u);
        EXPECT_EQ(reports.size(), 1u);
        reports.clear();
        EXPECT_EQ(linn_realloc(nullptr, Hidden(p), 10), nullptr);
        EXPECT_EQ(reports.size(), 1u);
    }
    munmap(mapped, 4096);
}

// Just outside a chunk of ours is not ours.
TEST(BadCallsTest, NextToOurs) {
    Recording recording;
    auto *p = static_cast<char *>(linn_alloc(nullptr, 16u << 20));
    ASSERT_NE(p, nullptr);
    linn_free(Hidden(p) - 1);
    linn_free(Hidden(p) + linn_usable_size(p));
    EXPECT_EQ(reports.size(), 2u);
    linn_free(p);
    EXPECT_EQ(reports.size(), 2u);
}

TEST(BadCallsDeathTest, WithoutAHandlerTheProgramStops) {
    char *volatile p = Hidden(linn_alloc(nullptr, 100));
    linn_free(p);
    EXPECT_DEATH(linn_free(Hidden(p)),
                 "linn: " + kFree +
                     "\\(0x[0-9a-f]+\\): already free: block 0x[0-9a-f]+ of "
                     "112 bytes");
    int local = 0;
    EXPECT_DEATH(linn_free(Hidden(&local)), "not a pointer of linn's");
}

// ---- the table ----

// What a call gets; one that is reported must also say that it did nothing.
std::string Outcome(const std::function<std::string()> &call) {
    Recording recording;
    std::string result = call();
    if (reports.empty()) return result;
    EXPECT_EQ(reports.size(), 1u);
    EXPECT_TRUE(result == "NULL" || result == "0" || result == "false" ||
                result == "nothing")
        << reports[0].what << " and yet " << result;
    return "stops the program: " + reports[0].what;
}

std::string Bool(bool value) {
    return value ? "true" : "false";
}

std::string Pointer(void *p) {
    std::string said = p == nullptr ? "NULL" : "a block";
    linn_free(p);
    return said;
}

std::string Table() {
    static char outside;
    // What a failing call may not touch: `block`, every byte of it.
    char *block = Hidden(linn_alloc(nullptr, 100));
    const size_t usable = linn_usable_size(block);
    auto fill = [&] {
        for (size_t i = 0; i < usable; i++)
            block[i] = static_cast<char>(i * 7 + 1);
    };
    auto is_as_it_was = [&] {
        for (size_t i = 0; i < usable; i++) {
            if (block[i] != static_cast<char>(i * 7 + 1)) return false;
        }
        return linn_usable_size(block) == usable;
    };
    fill();
    char *freed = Hidden(linn_alloc(nullptr, 100));
    linn_free(freed);
    char *freed_huge = Hidden(linn_alloc(nullptr, 20000000));
    linn_free(freed_huge);
    // Else a chunk may come to lie there, and the pointer into it.
    void *kept =
        mmap(freed_huge, 20000000, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
             -1, 0);
    EXPECT_EQ(kept, freed_huge);
    linn_pool *destroyed = linn_pool_create(nullptr, nullptr, 0);
    EXPECT_TRUE(linn_pool_destroy(destroyed, nullptr));
    linn_pool *in_use = linn_pool_create(nullptr, nullptr, 0);
    char *in_it = Hidden(linn_alloc(in_use, 100));
    // Volatile: a compiler that sees these refuses them.
    volatile size_t most = SIZE_MAX, negative = static_cast<size_t>(-1) / 2 + 1;
    volatile size_t none = 0, uneven = 48;
    struct {
        const char *call;
        std::function<std::string()> run;
    } const kRows[] = {
        {"linn_alloc(pool, 0)", [] { return Pointer(linn_alloc(nullptr, 0)); }},
        {"linn_alloc(pool, SIZE_MAX)",
         [&] { return Pointer(linn_alloc(nullptr, most)); }},
        {"linn_alloc(pool, PTRDIFF_MAX + 1)",
         [&] { return Pointer(linn_alloc(nullptr, negative)); }},
        {"linn_alloc_aligned(pool, 0, 100)",
         [&] { return Pointer(linn_alloc_aligned(nullptr, none, 100)); }},
        {"linn_alloc_aligned(pool, 48, 100)",
         [&] { return Pointer(linn_alloc_aligned(nullptr, uneven, 100)); }},
        {"linn_alloc_aligned(pool, chunk, 100)",
         [] { return Pointer(linn_alloc_aligned(nullptr, 16u << 20, 100)); }},
        {"linn_alloc_aligned(pool, 2 * chunk, 100)",
         [] { return Pointer(linn_alloc_aligned(nullptr, 32u << 20, 100)); }},
        {"linn_realloc(pool, NULL, 100)",
         [] { return Pointer(linn_realloc(nullptr, nullptr, 100)); }},
        {"linn_realloc(pool, block, SIZE_MAX)",
         [&] {
             void *p = linn_realloc(nullptr, block, most);
             std::string said = p == nullptr ? "NULL" : "a block";
             return said + (is_as_it_was() ? ", the block is as it was"
                                           : ", the block is changed");
         }},
        {"linn_realloc(pool, block, 0)",
         [&] {
             char *old = Hidden(linn_alloc(nullptr, 100));
             uint64_t live = Live();
             void *p = linn_realloc(nullptr, old, 0);
             EXPECT_EQ(Live(), live);  // one for one
             return Pointer(p);
         }},
        {"linn_realloc(pool, block + 8, 100)",
         [&] {
             return Pointer(linn_realloc(nullptr, Hidden(block) + 8, 100));
         }},
        {"linn_realloc(pool, freed, 100)",
         [&] { return Pointer(linn_realloc(nullptr, Hidden(freed), 100)); }},
        {"linn_realloc(pool, freed huge block, 100)",
         [&] {
             return Pointer(linn_realloc(nullptr, Hidden(freed_huge), 100));
         }},
        {"linn_realloc(pool, foreign, 100)",
         [] { return Pointer(linn_realloc(nullptr, Hidden(&outside), 100)); }},
        {"linn_free(NULL)",
         [] {
             linn_free(nullptr);
             return std::string("nothing");
         }},
        {"linn_free(foreign)",
         [] {
             linn_free(Hidden(&outside));
             return std::string("nothing");
         }},
        {"linn_free(block + 8)",
         [&] {
             linn_free(Hidden(block) + 8);
             return std::string("nothing");
         }},
        {"linn_free(freed)",
         [&] {
             linn_free(Hidden(freed));
             return std::string("nothing");
         }},
        {"linn_free(freed huge block)",
         [&] {
             linn_free(Hidden(freed_huge));
             return std::string("nothing");
         }},
        {"linn_usable_size(NULL)",
         [] { return std::to_string(linn_usable_size(nullptr)); }},
        {"linn_usable_size(foreign)",
         [] { return std::to_string(linn_usable_size(Hidden(&outside))); }},
        {"linn_usable_size(block + 8)",
         [&] { return std::to_string(linn_usable_size(Hidden(block) + 8)); }},
        {"linn_usable_size(freed)",
         [&] { return std::to_string(linn_usable_size(Hidden(freed))); }},
        {"linn_usable_size(freed huge block)",
         [&] { return std::to_string(linn_usable_size(Hidden(freed_huge))); }},
        {"linn_good_size(pool, SIZE_MAX)",
         [&] { return std::to_string(linn_good_size(nullptr, most)); }},
        {"linn_pool_destroy(NULL)",
         [] { return Bool(linn_pool_destroy(nullptr, nullptr)); }},
        {"linn_pool_destroy(pool with a live block)",
         [&] {
             size_t live = 0;
             bool done = linn_pool_destroy(in_use, &live);
             return Bool(done) + ", live blocks: " + std::to_string(live);
         }},
        {"linn_pool_destroy(destroyed)",
         [&] { return Bool(linn_pool_destroy(destroyed, nullptr)); }},
        {"linn_alloc(destroyed, 100)",
         [&] { return Pointer(linn_alloc(destroyed, 100)); }},
        {"linn_alloc_aligned(destroyed, 64, 100)",
         [&] { return Pointer(linn_alloc_aligned(destroyed, 64, 100)); }},
        {"linn_realloc(destroyed, NULL, 100)",
         [&] { return Pointer(linn_realloc(destroyed, nullptr, 100)); }},
        {"linn_good_size(destroyed, 100)",
         [&] { return std::to_string(linn_good_size(destroyed, 100)); }},
        {"linn_pool_counters(destroyed)",
         [&] {
             linn_counters c{};
             c.size = sizeof c;
             return Bool(linn_pool_counters(destroyed, &c));
         }},
        {"linn_pool_counters(pool, unknown size)",
         [] {
             linn_counters c{};
             return Bool(linn_pool_counters(nullptr, &c));
         }},
    };
    std::ostringstream out;
    out << "# What bad calls get\n\nWritten by `//alloc:bad_calls_test`, which "
           "fails when this page differs from what it finds. To write\nit "
           "again:\n"
           "`./bazelw run //alloc:bad_calls_test -- ` with "
           "`LINN_WRITE_BAD_INPUTS=$PWD/docs/bad_inputs.md` set.\n\n"
           "| call | what it gets |\n|---|---|\n";
    int rows = 0;
    for (auto &row : kRows) {
        out << "| `" << row.call << "` | " << Outcome(row.run) << " |\n";
        EXPECT_TRUE(is_as_it_was()) << row.call;
        fill();
        rows++;
    }
    linn_free(block);
    linn_free(in_it);
    EXPECT_TRUE(linn_pool_destroy(in_use, nullptr));
    EXPECT_EQ(munmap(kept, 20000000), 0);
    EXPECT_EQ(Live(), 0u);
    out << "\n\"Stops the program\" is the message on stderr and abort(); a "
           "handler set with `linn_set_misuse_handler` gets\nit instead, and "
           "if "
           "it returns, the call did nothing.\n";
    printf("%d rows\n", rows);
    return out.str();
}

TEST(BadCallsTest, TheTableInDocsIsTrue) {
    std::string table = Table();
    if (const char *file = getenv("LINN_WRITE_BAD_INPUTS")) {
        std::ofstream(file) << table;
    }
    std::ifstream in("docs/bad_inputs.md");
    ASSERT_TRUE(in.good()) << "docs/bad_inputs.md is not in the test's data";
    std::stringstream committed;
    committed << in.rdbuf();
    EXPECT_EQ(committed.str(), table);
}

}  // namespace
