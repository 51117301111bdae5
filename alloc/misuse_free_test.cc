// A wrong pointer is named and changes nothing: for every class of several shapes
// of pool, at once or at the latest when it is flushed.  (alloc/bad_calls_test.cc
// has the default pool and the table of docs/bad_inputs.md.)

#include <cstdio>
#include <set>

#include "alloc/linn_fixture.h"
#include "alloc/pool_core.h"

namespace {

using namespace linn_fixture;

struct Shape {
    const char *name;
    linn_options options;
};

std::vector<Shape> Shapes() {
    std::vector<Shape> shapes;
    auto add = [&](const char *name,
                   const std::function<void(linn_options *)> &change) {
        linn_options o = LINN_OPTIONS_INIT;
        o.arenas = 2;
        change(&o);
        shapes.push_back({name, o});
    };
    add("default", [](linn_options *) {});
    add("uncached", [](linn_options *o) { o->cache = 0; });
    add("caching all", [](linn_options *o) {
        o->cached_max = 524288;
        o->cache_bytes = 64u << 20;
    });
    add("powers of two", [](linn_options *o) {
        o->size_classes = LINN_CLASSES_POWER_OF_TWO;
        o->page_size = 4096;
    });
    add("64 KiB pages", [](linn_options *o) {
        o->page_size = 65536;
        o->chunk_order = 7;
    });
    add("tiny chunks", [](linn_options *o) { o->chunk_order = 2; });
    add("unpooled", [](linn_options *o) { o->arenas = 0; });
    return shapes;
}

// The size of every class, and some beyond: groups and huge ones.
std::vector<size_t> Sizes(linn_pool *pool) {
    std::vector<size_t> sizes;
    for (size_t size = linn_good_size(pool, 0);
         size <= (4u << 20) && sizes.size() < 100;
         size = linn_good_size(pool, size + 1)) {
        sizes.push_back(size);
    }
    sizes.push_back(linn_good_size(pool, (16u << 20) + 1));
    return sizes;
}

// Calls `check` for each size of each shape, with a neighbour that must not be
// touched, and sees to it that nothing is out and nothing is lost at the end.
int ForEachSize(
    const std::function<void(linn_pool *pool, size_t size)> &check) {
    int walked = 0;
    for (const Shape &shape : Shapes()) {
        linn_pool *pool = Create(&shape.options);
        for (size_t size : Sizes(pool)) {
            SCOPED_TRACE(std::string(shape.name) + ", " + std::to_string(size));
            Canary neighbours[2];
            for (Canary &n : neighbours)
                n.Write(linn_alloc(pool, size), size, size * 3);
            uint64_t live = Counters(pool).live_blocks;
            check(pool, size);
            EXPECT_EQ(Counters(pool).live_blocks, live);
            for (Canary &n : neighbours) {
                EXPECT_TRUE(n.IsWhole());
                linn_free(n.block);
            }
            walked++;
            if (testing::Test::HasFailure()) return walked;
        }
        EXPECT_EQ(Counters(pool).live_blocks, 0u);
        Destroy(pool);
    }
    printf("%d sizes in %zu shapes of pool\n", walked, Shapes().size());
    EXPECT_GT(walked, 300);
    return walked;
}

// The end of a message that names a block of `size` bytes.
std::string KindOf(linn_pool *pool, size_t size) {
    const linn_geometry &g = linn_pool_cores[AddressOf(pool) & 0xff].geometry;
    if (Counters(pool).arenas > 0 && size <= g.class_bytes_max) {
        return " (class " + std::to_string(linn_class_of(&g, size)) + ")";
    }
    bool grouped = Counters(pool).arenas > 0 && size <= g.chunk_bytes &&
                   g.chunk_pages >= LINN_GROUP_PAGES;
    return grouped ? " (group run)" : " (huge)";
}

void ExpectKind(const Report &r, const std::string &kind) {
    size_t at = r.message.rfind(" (");
    ASSERT_NE(at, std::string::npos) << r.message;
    EXPECT_EQ(r.message.substr(at), kind) << r.message;
}

void ExpectFree(linn_pool *pool, const Report &r, uintptr_t block,
                size_t size) {
    EXPECT_EQ(r.count, 1);
    EXPECT_EQ(r.function, NameOf("free"));
    EXPECT_EQ(AddressOf(r.pointer), block);
    // A huge block is gone with all that was known of it.
    bool known = r.what.find("already free") == 0;
    EXPECT_TRUE(known || r.what == "not a pointer of linn's") << r.what;
    if (r.block != nullptr) {
        EXPECT_EQ(AddressOf(r.block), block);
        EXPECT_EQ(r.block_size, size);
        ExpectKind(r, KindOf(pool, size));
    }
}

TEST(MisuseFreeTest, TwiceByOneThread) {
    ForEachSize([](linn_pool *pool, size_t size) {
        Reports reports;
        uintptr_t p = AddressOf(linn_alloc(pool, size));
        linn_free(At(p));
        EXPECT_EQ(reports.Count(), 0);
        linn_free(At(p));
        ExpectFree(pool, reports.Take(), p, size);
        linn_free(At(p));
        ExpectFree(pool, reports.Take(), p, size);
        (void)linn_thread_flush();
        EXPECT_EQ(reports.Count(), 0);
        linn_free(At(p));  // after the flush
        ExpectFree(pool, reports.Take(), p, size);
    });
}

TEST(MisuseFreeTest, ByTwoThreadsInTurn) {
    ForEachSize([](linn_pool *pool, size_t size) {
        Reports reports;
        uintptr_t p = AddressOf(linn_alloc(pool, size));
        // The first has it in its cache, alive and asleep, when the second comes.
        linn_free(At(p));
        OnThread([&] {
            linn_free(At(p));
            ExpectFree(pool, reports.Take(), p, size);
        });
        // And from a thread that has ended.
        uintptr_t q = AddressOf(linn_alloc(pool, size));
        OnThread([&] { linn_free(At(q)); });
        EXPECT_EQ(reports.Count(), 0);
        linn_free(At(q));
        ExpectFree(pool, reports.Take(), q, size);
    });
}

// With the payload written over in between, as by a use after the free: one
// magazine holds the block twice, and the flush sees it for certain.
TEST(MisuseFreeTest, WithThePayloadOverwritten) {
    ForEachSize([](linn_pool *pool, size_t size) {
        Reports reports;
        uintptr_t p = AddressOf(linn_alloc(pool, size));
        size_t chunk_max = 16u << 20;
        bool is_mapped = size <= chunk_max && Counters(pool).arenas > 0 &&
                         Counters(pool).huge_blocks == 0;
        linn_free(At(p));
        // (Of a huge block nothing is left to be written over.)
        if (is_mapped) memset(At(p), 0x5a, size);
        linn_free(At(p));
        if (is_mapped && reports.Count() == 0) memset(At(p), 0xa5, size);
        (void)linn_thread_flush();
        ExpectFree(pool, reports.Take(), p, size);
        EXPECT_EQ(Counters(pool).cached_blocks, 0u);
    });
}

// The same by two threads: each magazine holds it once, and who is flushed second
// is told.
TEST(MisuseFreeTest, OverwrittenAndFreedByAnother) {
    ForEachSize([](linn_pool *pool, size_t size) {
        if (Counters(pool).huge_blocks > 0) return;
        Reports reports;
        uintptr_t p = AddressOf(linn_alloc(pool, size));
        linn_free(At(p));
        memset(At(p), 0x5a, size);
        OnThread([&] { linn_free(At(p)); });
        (void)linn_thread_flush();
        ExpectFree(pool, reports.Take(), p, size);
    });
}

// Many times into one magazine, among others that are right.
TEST(MisuseFreeTest, OneBlockManyTimesInAMagazine) {
    linn_pool *pool = Create();
    for (size_t size : {64u, 100u, 1000u, 8192u}) {
        Reports reports;
        std::vector<uintptr_t> right;
        for (int i = 0; i < 20; i++)
            right.push_back(AddressOf(linn_alloc(pool, size)));
        uintptr_t wrong = AddressOf(linn_alloc(pool, size));
        (void)linn_thread_flush();
        uint64_t live = Counters(pool).live_blocks;
        for (uintptr_t r : right) {
            linn_free(At(wrong));
            memset(At(wrong), 1, 8);
            linn_free(At(r));
        }
        (void)linn_thread_flush();
        EXPECT_EQ(reports.Count(), 19) << size;
        EXPECT_EQ(AddressOf(LastReport().pointer), wrong);
        EXPECT_EQ(Counters(pool).live_blocks, live - 21);
        EXPECT_EQ(Counters(pool).cached_blocks, 0u);
    }
    Destroy(pool);
}

TEST(MisuseFreeTest, InsideABlock) {
    ForEachSize([](linn_pool *pool, size_t size) {
        Reports reports;
        Canary c;
        c.Write(linn_alloc(pool, size), size, 77);
        uintptr_t p = AddressOf(c.block);
        std::set<size_t> offsets = {1,        2,        8,       size / 2,
                                    size - 1, size - 8, size / 3};
        for (size_t more : {16u, 64u, 4096u, 65536u, 1u << 20}) {
            if (more < size) offsets.insert(more);
        }
        for (size_t offset : offsets) {
            for (int call = 0; call < 3; call++) {
                std::string function = NameOf("free");
                if (call == 0) linn_free(At(p + offset));
                if (call == 1) {
                    function = NameOf("usable_size");
                    EXPECT_EQ(linn_usable_size(At(p + offset)), 0u);
                }
                if (call == 2) {
                    function = NameOf("realloc");
                    EXPECT_EQ(linn_realloc(pool, At(p + offset), 10), nullptr);
                }
                Report r = reports.Take();
                EXPECT_EQ(r.count, 1) << offset;
                EXPECT_EQ(r.function, function);
                EXPECT_EQ(AddressOf(r.pointer), p + offset);
                EXPECT_EQ(AddressOf(r.block), p) << offset;
                EXPECT_EQ(r.block_size, size) << offset;
                EXPECT_EQ(r.what, "inside a block, not its start");
                ExpectKind(r, KindOf(pool, size));
            }
        }
        EXPECT_TRUE(c.IsWhole());
        linn_free(c.block);
        EXPECT_EQ(reports.Count(), 0);
    });
}

// realloc and usable_size of a block that is free.
TEST(MisuseFreeTest, UseOfAFreeBlock) {
    ForEachSize([](linn_pool *pool, size_t size) {
        for (int flushed = 0; flushed < 2; flushed++) {
            Reports reports;
            uintptr_t p = AddressOf(linn_alloc(pool, size));
            linn_free(At(p));
            if (flushed) (void)linn_thread_flush();
            EXPECT_EQ(linn_usable_size(At(p)), 0u);
            EXPECT_EQ(reports.Take().count, 1);
            for (size_t to : {size, size * 2, size_t{1}}) {
                EXPECT_EQ(linn_realloc(pool, At(p), to), nullptr);
                Report r = reports.Take();
                EXPECT_EQ(r.count, 1);
                EXPECT_EQ(r.function, NameOf("realloc"));
            }
        }
    });
}

// The pages of a freed block belong to another class by now: unless the pointer is
// the start of a block that is out, it is named.
TEST(MisuseFreeTest, AfterItsPagesWereUsedAgain) {
    int reported = 0;
    const size_t kPairs[][2] = {
        {64, 1280}, {1024, 1280}, {1280, 64}, {5000, 320}, {8192, 100}};
    for (auto &pair : kPairs) {
        linn_options o = LINN_OPTIONS_INIT;
        o.arenas = 1;
        o.cache = 0;
        o.chunk_order = 4;
        linn_pool *pool = Create(&o);
        std::vector<uintptr_t> old;
        while (Counters(pool).chunks < 3)
            old.push_back(AddressOf(linn_alloc(pool, pair[0])));
        for (uintptr_t p : old)
            linn_free(At(p));
        std::vector<Canary> now;
        std::set<uintptr_t> starts;
        while (Counters(pool).chunks <= 3 && now.size() < 20000) {
            now.emplace_back();
            void *p = linn_alloc(pool, pair[1]);
            now.back().Write(p, linn_usable_size(p), now.size());
            starts.insert(AddressOf(p));
        }
        Reports reports;
        uint64_t live = Counters(pool).live_blocks;
        for (uintptr_t p : old) {
            if (starts.count(p) != 0) continue;
            linn_free(At(p));
            Report r = reports.Take();
            ASSERT_EQ(r.count, 1) << pair[0] << " to " << pair[1];
            ASSERT_EQ(AddressOf(r.pointer), p);
            reported++;
        }
        EXPECT_EQ(Counters(pool).live_blocks, live);
        for (Canary &c : now) {
            ASSERT_TRUE(c.IsWhole());
            linn_free(c.block);
        }
        Destroy(pool);
    }
    printf("%d reports\n", reported);
    EXPECT_GT(reported, 3000);
}

// A foreign pointer, also one right beside ours, and addresses that no memory has.
TEST(MisuseFreeTest, ForeignPointers) {
    linn_options o = LINN_OPTIONS_INIT;
    o.chunk_order = 7;
    linn_pool *pool = Create(&o);
    void *whole = linn_alloc(pool, 1u << 20);  // a chunk of its own
    void *some = linn_alloc(pool, 100);
    ASSERT_NE(whole, nullptr);
    static char in_the_program[64];
    char on_the_stack[64];
    std::vector<char> on_the_heap(5000);
    std::vector<uintptr_t> bad = {
        AddressOf(in_the_program),
        AddressOf(on_the_stack),
        AddressOf(on_the_heap.data()),
        AddressOf(pool),
        AddressOf(reinterpret_cast<void *>(&linn_free)),
        1,
        8,
        4096,
        (UINT64_C(1) << 36) - 4096,
        (UINT64_C(1) << 47) - 4096,
        UINT64_C(1) << 47,
        UINT64_C(0x8000000000000000),
        UINT64_C(0xffff800000000000),
        UINT64_MAX - 4095,
        UINT64_MAX - 7,
        UINT64_MAX,
    };
    Reports reports;
    int calls = 0;
    for (uintptr_t p : bad) {
        linn_free(At(p));
        Report r = reports.Take();
        EXPECT_EQ(r.count, 1) << p;
        EXPECT_EQ(r.what, "not a pointer of linn's") << p;
        EXPECT_EQ(r.block, nullptr);
        EXPECT_EQ(r.block_size, 0u);
        EXPECT_EQ(linn_usable_size(At(p)), 0u);
        EXPECT_EQ(reports.Take().count, 1);
        EXPECT_EQ(linn_realloc(pool, At(p), 10), nullptr);
        EXPECT_EQ(reports.Take().count, 1);
        calls += 3;
    }
    // Where our chunk begins and ends.
    for (uintptr_t p :
         {AddressOf(whole) - 1, AddressOf(whole) - 16, AddressOf(whole) - 4096,
          AddressOf(whole) + (1u << 20)}) {
        linn_free(At(p));
        EXPECT_EQ(reports.Take().count, 1) << p;
        calls++;
    }
    // The pages of the chunk that nobody has.
    uintptr_t unused = AddressOf(some) - AddressOf(some) % (1u << 20) + 524288;
    linn_free(At(unused));
    Report r = reports.Take();
    EXPECT_EQ(r.count, 1);
    EXPECT_EQ(r.what, "already free: its pages are free");
    printf("%d calls with foreign pointers\n", calls);
    linn_free(whole);
    linn_free(some);
    EXPECT_EQ(reports.Count(), 0);
    Destroy(pool);
}

// A word that says "freed", written by its user, is only a word.
TEST(MisuseFreeTest, AUsersWordIsNoMark) {
    int marked = 0;
    ForEachSize([&](linn_pool *pool, size_t size) {
        Reports reports;
        // What the library writes into a free block, learned from one.
        auto *p = static_cast<uint64_t *>(linn_alloc(pool, size));
        uintptr_t address = AddressOf(p);
        uint64_t mark = UINT64_C(0x9e3779b97f4a7c15);
        p[0] = mark;
        linn_free(p);
        EXPECT_EQ(reports.Count(), 0);
        bool pooled = Counters(pool).arenas > 0;
        if (pooled && size <= 65536 && Counters(pool).cached_blocks > 0) {
            uint64_t word;
            memcpy(&word, At(address), sizeof word);
            if (word == mark) marked++;
        }
    });
    EXPECT_GT(marked, 50);
}

// ---- the program stops ----

TEST(MisuseFreeDeathTest, EachKindOfBlock) {
    const std::pair<size_t, const char *> kBlocks[] = {
        {64, "of 64 bytes \\(class 1\\)"},
        {1000, "of 1024 bytes \\(class 17\\)"},
        {20000, "of 20480 bytes \\(class 34\\)"},
        {200000, "of 229376 bytes \\(class 48\\)"},
        {600000, "of 1048576 bytes \\(group run\\)"},
        {20000000, "of 20971520 bytes \\(huge\\)"}};
    for (auto &[size, named] : kBlocks) {
        uintptr_t p = AddressOf(linn_alloc(nullptr, size));
        EXPECT_DEATH(linn_free(At(p + 8)),
                     "linn: " + NameOf("free") +
                         "\\(0x[0-9a-f]+\\): inside a block, not its start: "
                         "block 0x[0-9a-f]+ " +
                         named);
        linn_free(At(p));
        // Nothing is left of a huge block to be named.
        if (size > (16u << 20)) continue;
        EXPECT_DEATH(linn_free(At(p)),
                     "linn: " + NameOf("free") + "\\(.*already free");
        EXPECT_DEATH(
            {
                void *moved = linn_realloc(nullptr, At(p), 10);
                linn_free(moved);
            },
            "linn: " + NameOf("realloc") + "\\(.*already free");
    }
    uintptr_t p = AddressOf(linn_alloc(nullptr, 20u << 20));
    linn_free(At(p));
    EXPECT_DEATH(linn_free(At(p)), "not a pointer of linn's");
}

TEST(MisuseFreeDeathTest, AtTheFlush) {
    uintptr_t p = AddressOf(linn_alloc(nullptr, 64));
    EXPECT_DEATH(
        {
            linn_free(At(p));
            memset(At(p), 1, 64);
            linn_free(At(p));
            (void)linn_thread_flush();
        },
        "linn: " + NameOf("free") +
            "\\(.*already free: block 0x[0-9a-f]+ of 64 bytes");
    linn_free(At(p));
}

}  // namespace
