#include "alloc/size_class.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "gtest/gtest.h"

namespace {

constexpr size_t kKiB = 1024;
const size_t kPageBytes[] = {4 * kKiB, 8 * kKiB, 16 * kKiB, 32 * kKiB,
                             64 * kKiB};

linn_geometry_options DefaultOptions() {
    return {8 * kKiB, 11, 16, false, 256, 64, 128 * kKiB};
}

linn_geometry Make(const linn_geometry_options &options) {
    linn_geometry g;
    linn_geometry_init(&g, &options);
    return g;
}

// The class by a linear search: what the tables are compared with.
uint32_t SlowClassOf(const linn_geometry &g, size_t n) {
    for (uint32_t c = 1; c <= g.classes; c++) {
        if (g.of[c].size >= n) return c;
    }
    return 0;
}

double RunBytes(const linn_geometry &g, uint32_t c) {
    return static_cast<double>(g.of[c].run_pages * g.page_bytes);
}

double SlotBytes(const linn_geometry &g, uint32_t c) {
    uint32_t elements = g.of[c].elements == 0 ? 1 : g.of[c].elements;
    return RunBytes(g, c) / elements;
}

// Every test that steps through sizes says how many, and has a floor.
void ExpectWalked(const char *what, uint64_t walked, uint64_t at_least) {
    std::printf("%s: %llu sizes walked\n", what,
                static_cast<unsigned long long>(walked));
    EXPECT_GE(walked, at_least);
}

TEST(SizeClassTest, EverySizeOfTheDefaultPool) {
    linn_geometry g = Make(DefaultOptions());
    EXPECT_TRUE(linn_geometry_is_valid(&g));
    EXPECT_EQ(g.class_bytes_max, 512 * kKiB);
    EXPECT_EQ(g.classes, 53u);
    uint64_t walked = 0;
    double worst = 0;
    size_t worst_size = 0;
    for (size_t n = 1; n <= 512 * kKiB; n++) {
        uint32_t c = linn_class_of(&g, n);
        ASSERT_EQ(c, SlowClassOf(g, n)) << n;  // S1
        double waste = 1 - static_cast<double>(n) / SlotBytes(g, c);
        if (n >= 64 && waste > worst) {
            worst = waste;
            worst_size = n;
        }
        walked++;
    }
    std::printf("worst waste, tails included: %.4f of the slot at %zu B\n",
                worst, worst_size);
    EXPECT_LE(worst, 0.20);
    EXPECT_GT(worst, 0.10);  // four per doubling cannot do better
    ExpectWalked("default pool", walked, 512 * kKiB);
}

TEST(SizeClassTest, RunsOfTheDefaultPool) {
    linn_geometry g = Make(DefaultOptions());
    const struct {
        size_t up_to;
        uint32_t elements;
    } kWanted[] = {{128, 512},     {256, 256},     {512, 128},
                   {1024, 64},     {4 * kKiB, 32}, {16 * kKiB, 16},
                   {64 * kKiB, 8}, {128 * kKiB, 4}};
    int subpages = 0;
    for (uint32_t c = 1; c <= g.classes; c++) {
        const linn_size_class &k = g.of[c];
        std::printf(
            "class %2u: %6u B, %3u elements in %2u pages of 2^%u, "
            "tail %.2f %%, batch %2u, cached %3u\n",
            c, k.size, k.elements, k.run_pages, k.run_order,
            100 * (1 - k.size / SlotBytes(g, c)), k.batch, k.cache_max);
        EXPECT_EQ(k.elements == 0, k.size > 128 * kKiB) << k.size;
        if (k.elements == 0) {
            EXPECT_EQ(k.size, k.run_pages * g.page_bytes);
            continue;
        }
        subpages++;
        EXPECT_LE(1 - k.size / SlotBytes(g, c), 0.01) << k.size;
        size_t w = 0;
        while (k.size > kWanted[w].up_to)
            w++;
        EXPECT_GE(k.elements, kWanted[w].elements) << k.size;
    }
    EXPECT_EQ(subpages, 45);
    // 64 B to 112 B: 512 elements, in 4 to 7 pages.
    for (uint32_t c = 1; c <= 4; c++) {
        EXPECT_EQ(g.of[c].elements, 512u);
        EXPECT_EQ(g.of[c].run_pages, c + 3);
        EXPECT_EQ(g.of[c].run_order, c == 1 ? 2 : 3);
    }
}

TEST(SizeClassTest, BatchesAndCaches) {
    linn_geometry g = Make(DefaultOptions());
    auto of = [&](size_t n) { return g.of[linn_class_of(&g, n)]; };
    EXPECT_EQ(of(64).batch, 64);
    EXPECT_EQ(of(64).cache_max, 128u);  // two batches, below small_cache
    EXPECT_EQ(of(4096).batch, 32);
    EXPECT_EQ(of(8192).batch, 16);
    EXPECT_EQ(of(8192).cache_max, 32u);
    EXPECT_EQ(of(64 * kKiB).batch, 2);
    EXPECT_EQ(of(128 * kKiB).batch, 1);
    EXPECT_EQ(of(128 * kKiB).cache_max, 2u);
    EXPECT_EQ(of(128 * kKiB + 1).cache_max, 0u);  // above cached_max

    linn_geometry_options small = DefaultOptions();
    small.small_cache = 7;
    small.normal_cache = 3;
    small.cached_max = 16 * kKiB;
    g = Make(small);
    EXPECT_EQ(of(64).cache_max, 7u);
    EXPECT_EQ(of(7 * kKiB).cache_max, 7u);
    EXPECT_EQ(of(8 * kKiB).cache_max, 3u);
    EXPECT_EQ(of(16 * kKiB).cache_max, 3u);
    EXPECT_EQ(of(16 * kKiB + 1).cache_max, 0u);
    small.small_cache = 150;
    g = Make(small);
    EXPECT_EQ(of(64).cache_max, 128u);  // two batches
    small.small_cache = 0;
    g = Make(small);
    EXPECT_EQ(of(64).cache_max, 0u);
}

// Sizes of Netty 4.1.51 and before (PoolArena.normalizeCapacity).
TEST(SizeClassTest, PowersOfTwoAreNettys) {
    linn_geometry_options options = DefaultOptions();
    options.power_of_two = true;
    linn_geometry g = Make(options);
    EXPECT_TRUE(linn_geometry_is_valid(&g));
    const struct {
        size_t request, slot;
    } kNetty[] = {
        {15, 16}, {510, 512}, {1023, 1024}, {1024, 1024}, {1025, 2048}};
    for (const auto &n : kNetty) {
        EXPECT_EQ(g.of[linn_class_of(&g, n.request)].size, n.slot);
    }
    uint64_t walked = 0;
    for (size_t n = 1; n <= 512 * kKiB; n++) {
        size_t netty = (n + 15) / 16 * 16;
        if (netty >= 512) {
            netty = 512;
            while (netty < n)
                netty *= 2;
        }
        ASSERT_EQ(g.of[linn_class_of(&g, n)].size, netty) << n;
        walked++;
    }
    EXPECT_EQ(g.classes, 31u + 11u);  // tiny, then 512 B to 512 KiB
    ExpectWalked("power-of-two pool", walked, 512 * kKiB);
}

TEST(SizeClassTest, NettysCasesInTheFineSet) {
    linn_geometry g = Make(DefaultOptions());
    EXPECT_EQ(g.of[linn_class_of(&g, 510)].size, 512u);
    EXPECT_EQ(g.of[linn_class_of(&g, 1023)].size, 1024u);
    EXPECT_EQ(g.of[linn_class_of(&g, 1024)].size, 1024u);
    EXPECT_EQ(g.of[linn_class_of(&g, 1025)].size, 1280u);
    EXPECT_EQ(linn_class_of(&g, 0), 1u);
}

TEST(SizeClassTest, TableHasOneEntryForEachStep) {
    EXPECT_EQ(linn_fine_index(0), 0u);
    EXPECT_EQ(linn_fine_index(1), 1u);
    EXPECT_EQ(linn_fine_index(4096), 256u);
    EXPECT_EQ(linn_coarse_index(4097), 257u);
    EXPECT_EQ(linn_coarse_index(5120), 257u);
    EXPECT_EQ(linn_coarse_index(5121), 258u);
    EXPECT_EQ(linn_coarse_index(LINN_COARSE_MAX), LINN_TABLE_ENTRIES - 1);
    size_t before = 0;
    uint64_t walked = 0;
    for (size_t n = 1; n <= LINN_COARSE_MAX; n++) {
        bool fine = n <= LINN_FINE_MAX;
        size_t index = fine ? linn_fine_index(n) : linn_coarse_index(n);
        // It steps behind each multiple of the step.
        bool steps = (n - 1) % (fine ? 16 : 1024) == 0;
        ASSERT_EQ(index, before + (steps ? 1 : 0)) << n;
        before = index;
        walked++;
    }
    ExpectWalked("table indices", walked, LINN_COARSE_MAX);
}

// Pages above 8 KiB have classes that the table does not reach.
TEST(SizeClassTest, ClassesBeyondTheTable) {
    linn_geometry_options o = DefaultOptions();
    o.page_bytes = 64 * kKiB;
    linn_geometry g = Make(o);
    ASSERT_EQ(g.class_bytes_max, 4096 * kKiB);
    ASSERT_EQ(g.table_bytes_max, 512 * kKiB);
    uint64_t walked = 0;
    // Every class ends at a whole KiB.
    for (size_t kib = 512; kib < 4096; kib++) {
        for (size_t n : {kib * kKiB + 1, (kib + 1) * kKiB}) {
            uint32_t c = linn_class_of(&g, n);
            ASSERT_GE(g.of[c].size, n);
            ASSERT_LT(g.of[c - 1].size, n);
            walked++;
        }
    }
    ExpectWalked("sizes beyond the table", walked, 7168);
}

struct Shape {
    linn_geometry_options options;
    linn_geometry g;
};

std::vector<Shape> EveryShape() {
    std::vector<Shape> shapes;
    for (size_t page : kPageBytes) {
        for (size_t order = 0; order <= 11; order++) {
            for (size_t alignment = 16; alignment <= page; alignment *= 2) {
                for (bool powers : {false, true}) {
                    linn_geometry_options o = {page, order, alignment, powers,
                                               256,  64,    128 * kKiB};
                    shapes.push_back({o, Make(o)});
                }
            }
        }
    }
    return shapes;
}

// Whether the chunk has 64 pages, so that no run is too short for its class.
bool IsWhole(const linn_geometry &g) {
    return g.chunk_order >= 6;
}

TEST(SizeClassTest, EveryShapeIsValid) {
    uint64_t walked = 0;
    uint32_t most_classes = 0;
    std::vector<Shape> shapes = EveryShape();
    for (const Shape &s : shapes) {
        const linn_geometry &g = s.g;
        SCOPED_TRACE(testing::Message()
                     << "page " << g.page_bytes << " order " << g.chunk_order
                     << " alignment " << g.alignment << " powers "
                     << s.options.power_of_two);
        ASSERT_TRUE(linn_geometry_is_valid(&g));
        size_t group = LINN_GROUP_PAGES * g.page_bytes;
        EXPECT_EQ(g.class_bytes_max, std::min(group, g.chunk_bytes));
        EXPECT_EQ(g.of[0].size, 0u);
        most_classes = std::max(most_classes, g.classes);
        for (uint32_t c = 1; c <= g.classes; c++) {
            const linn_size_class &k = g.of[c];
            // Around every size where an answer can change: each class, each
            // 16 B step, each quarter of a doubling.
            for (size_t n : {k.size - 1, k.size, k.size + 1}) {
                if (n > g.class_bytes_max) continue;
                ASSERT_EQ(linn_class_of(&g, n), SlowClassOf(g, n)) << n;
                walked++;
            }
            ASSERT_EQ(k.size % g.alignment, 0u);  // S2
            uint64_t elements = k.elements == 0 ? 1 : k.elements;
            ASSERT_LE(elements * k.size, k.run_pages * g.page_bytes);  // S3
            ASSERT_LE(elements, 512u);
            ASSERT_NE(k.elements, 1u);
            ASSERT_LE(k.run_pages, 1u << k.run_order);  // S4
            ASSERT_LE(1u << k.run_order, std::min(64u, g.chunk_pages));
            ASSERT_GT(2u * k.run_pages, 1u << k.run_order);
        }
        for (size_t n = 1; n <= g.class_bytes_max; n += n < 8192 ? 1 : n / 64) {
            ASSERT_EQ(linn_class_of(&g, n), SlowClassOf(g, n)) << n;
            walked++;
        }
    }
    std::printf("%zu shapes, at most %u classes\n", shapes.size(),
                most_classes);
    EXPECT_EQ(shapes.size(), (9u + 10 + 11 + 12 + 13) * 12 * 2);
    EXPECT_LT(most_classes, static_cast<uint32_t>(LINN_CLASSES_MAX));
    ExpectWalked("every shape", walked, 10000000);
}

uint32_t ElementsWanted(size_t size) {
    const size_t kUpTo[][2] = {{128, 512},     {256, 256},     {512, 128},
                               {1024, 64},     {4 * kKiB, 32}, {16 * kKiB, 16},
                               {64 * kKiB, 8}, {128 * kKiB, 4}};
    for (const auto &row : kUpTo) {
        if (size <= row[0]) return static_cast<uint32_t>(row[1]);
    }
    return 0;
}

// A run of `pages` for a class, judged in floating point.
struct Choice {
    uint32_t elements;
    double tail, waste;
};

Choice ChoiceOf(const linn_geometry &g, uint32_t c, uint32_t pages) {
    double bytes = static_cast<double>(pages * g.page_bytes);
    auto fit = static_cast<uint32_t>(pages * g.page_bytes / g.of[c].size);
    Choice r;
    r.elements = std::min(512u, fit);
    r.tail = 1 - r.elements * static_cast<double>(g.of[c].size) / bytes;
    r.waste = 1 - (g.of[c - 1].size + 1.0) * r.elements / bytes;
    return r;
}

// Each subpage against all the runs that it could have had.
TEST(SizeClassTest, RunsAreTheBestThereAre) {
    constexpr double kRounding = 1e-12;
    int smallest = 0, most = 0, tightest = 0;
    for (const Shape &s : EveryShape()) {
        const linn_geometry &g = s.g;
        for (uint32_t c = 1; c <= g.classes; c++) {
            const linn_size_class &k = g.of[c];
            uint32_t best = 0, most_elements = 0;
            double least_tail = 1;
            double own = 1 - (g.of[c - 1].size + 1.0) / k.size;
            for (uint32_t p = 1; p <= std::min(64u, g.chunk_pages); p++) {
                Choice r = ChoiceOf(g, c, p);
                if (r.elements < 2 || k.size > 128 * kKiB) continue;
                least_tail = std::min(least_tail, r.tail);
                bool small_tail = r.tail <= 0.01 + kRounding;
                bool ok = own > 0.2 + kRounding ? small_tail
                                                : r.waste <= 0.2 + kRounding;
                if (!ok) continue;
                most_elements = std::max(most_elements, r.elements);
                bool serves = r.elements >= ElementsWanted(k.size);
                if (best == 0 && serves && small_tail) best = p;
            }
            Choice chosen = ChoiceOf(g, c, k.run_pages);
            SCOPED_TRACE(testing::Message()
                         << "page " << g.page_bytes << " order "
                         << g.chunk_order << " alignment " << g.alignment
                         << " size " << k.size);
            if (best != 0) {
                ASSERT_EQ(k.run_pages, best);
                ASSERT_EQ(k.elements, chosen.elements);
                smallest++;
            } else if (most_elements != 0) {
                ASSERT_EQ(k.elements, most_elements);
                most++;
            } else if (least_tail < 1) {
                ASSERT_LE(chosen.tail, least_tail + kRounding);
                ASSERT_EQ(k.elements, chosen.elements);
                tightest++;
            } else {
                ASSERT_EQ(k.elements, 0u);
            }
        }
    }
    std::printf(
        "%d runs the smallest that serves, %d with the most elements, "
        "%d with the least waste\n",
        smallest, most, tightest);
    EXPECT_GE(smallest, 15000);
    EXPECT_GE(most, 3000);
    EXPECT_GE(tightest, 500);
}

// What the header promises of waste, for each shape that can keep it: four
// sizes a doubling need an alignment of 16, and whole groups of pages.
TEST(SizeClassTest, WasteOfEveryPageSize) {
    uint64_t walked = 0;
    int shapes = 0;
    for (const Shape &s : EveryShape()) {
        const linn_geometry &g = s.g;
        if (!IsWhole(g) || g.alignment != 16 || s.options.power_of_two) {
            continue;
        }
        shapes++;
        size_t smallest = g.of[1].size;
        EXPECT_EQ(smallest, std::max<size_t>(64, g.page_bytes / 512));
        double worst = 0;
        size_t worst_size = 0;
        for (uint32_t c = 2; c <= g.classes; c++) {
            size_t n = g.of[c - 1].size + 1;
            double waste = 1 - static_cast<double>(n) / SlotBytes(g, c);
            walked++;
            if (waste > worst) {
                worst = waste;
                worst_size = n;
            }
        }
        if (g.chunk_order == 6) {
            std::printf("page %zu: worst waste %.4f at %zu B\n", g.page_bytes,
                        worst, worst_size);
        }
        // 64 KiB pages round 129 KiB to 192 KiB.
        EXPECT_LE(worst, g.page_bytes == 64 * kKiB ? 1.0 / 3 : 0.20);
    }
    EXPECT_EQ(shapes, 5 * 6);
    ExpectWalked("worst size of each class", walked, 1500);
}

// Elements begin at base + i * size, and a run of 2^order pages at a multiple
// of its own size.
bool IsAlignedByDefinition(const linn_geometry &g, uint32_t c,
                           size_t alignment) {
    size_t base = g.page_bytes << g.of[c].run_order;
    uint32_t elements = g.of[c].elements == 0 ? 1 : g.of[c].elements;
    for (uint32_t i = 0; i < elements; i++) {
        if ((base + i * static_cast<size_t>(g.of[c].size)) % alignment != 0) {
            return false;
        }
    }
    return true;
}

TEST(SizeClassTest, AlignedLookUpsByBruteForce) {
    uint64_t walked = 0;
    uint64_t none = 0;
    for (const Shape &s : EveryShape()) {
        const linn_geometry &g = s.g;
        if (g.alignment != 16) continue;
        if (g.chunk_order % 3 != 2 && g.chunk_order != 0) continue;
        for (size_t a = 1; a <= g.chunk_bytes; a *= 2) {
            std::vector<bool> aligned(g.classes + 1);
            for (uint32_t c = 1; c <= g.classes; c++) {
                aligned[c] = IsAlignedByDefinition(g, c, a);
            }
            auto slow = [&](size_t n) -> uint32_t {
                for (uint32_t c = 1; c <= g.classes; c++) {
                    if (g.of[c].size >= n && aligned[c]) return c;
                }
                return 0;
            };
            for (uint32_t c = 0; c <= g.classes; c++) {
                for (size_t n : {g.of[c].size, g.of[c].size + 1}) {
                    uint32_t found = linn_class_of_aligned(&g, a, n);
                    ASSERT_EQ(found, slow(n)) << a << " " << n;
                    none += found == 0;
                    walked++;
                }
            }
        }
    }
    EXPECT_GT(none, 1000u);
    ExpectWalked("aligned look-ups", walked, 50000);
}

TEST(SizeClassTest, ValidityNoticesEachBrokenRule) {
    const linn_geometry good = Make(DefaultOptions());
    linn_geometry g = good;
    ASSERT_TRUE(linn_geometry_is_valid(&g));
    g.table[linn_fine_index(160)]++;  // S1
    EXPECT_FALSE(linn_geometry_is_valid(&g));
    g = good;
    g.table[linn_coarse_index(8192)]--;  // S1
    EXPECT_FALSE(linn_geometry_is_valid(&g));
    g = good;
    g.alignment = 32;  // S2
    EXPECT_FALSE(linn_geometry_is_valid(&g));
    g = good;
    g.of[5].elements++;  // S3
    EXPECT_FALSE(linn_geometry_is_valid(&g));
    g = good;
    g.of[20].run_order--;  // S4
    EXPECT_FALSE(linn_geometry_is_valid(&g));
    g = good;
    g.of[7].cache_max = 1000;
    EXPECT_FALSE(linn_geometry_is_valid(&g));
    g = good;
    g.classes--;
    EXPECT_FALSE(linn_geometry_is_valid(&g));
}

}  // namespace
