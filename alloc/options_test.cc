#include "alloc/options.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "alloc/page_source.h"
#include "gtest/gtest.h"

namespace {

constexpr size_t kDefault = LINN_DEFAULT;

struct Field {
    const char *name, *variable;
    size_t linn_options::*member;
    size_t fallback, min, max;
    bool power_of_two;
    const char *unit, *netty;  // what the page in docs says besides
};

size_t DefaultArenas() {
    cpu_set_t set;
    EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    return std::min<size_t>(64, 2 * static_cast<size_t>(CPU_COUNT(&set)));
}

// linn.h in numbers.
std::vector<Field> Fields() {
    using O = linn_options;
    return {
        {"arenas", "LINN_ARENAS", &O::arenas, DefaultArenas(), 0, 64, false,
         "arenas; 0 is unpooled", "numDirectArenas"},
        {"page_size", "LINN_PAGE_SIZE", &O::page_size, 8192, 4096, 65536, true,
         "bytes", "pageSize"},
        {"chunk_order", "LINN_CHUNK_ORDER", &O::chunk_order, 11, 0, 11, false,
         "doublings of a page", "maxOrder"},
        {"small_cache", "LINN_SMALL_CACHE", &O::small_cache, 256, 0, 4096,
         false, "blocks of a class", "smallCacheSize"},
        {"normal_cache", "LINN_NORMAL_CACHE", &O::normal_cache, 64, 0, 4096,
         false, "blocks of a class", "normalCacheSize"},
        {"cached_max", "LINN_CACHED_MAX", &O::cached_max, 131072, 0, 524288,
         false, "bytes", "maxCachedBufferCapacity"},
        {"cache_bytes", "LINN_CACHE_BYTES", &O::cache_bytes, 524288, 0,
         size_t{1} << 30, false, "bytes of a thread and pool", ""},
        {"cache_sweep", "LINN_CACHE_SWEEP", &O::cache_sweep, 8192, 1,
         UINT32_MAX, false, "operations of a thread", "cacheTrimInterval"},
        {"cache", "LINN_CACHE", &O::cache, 1, 0, 1, false, "0 or 1",
         "useCacheForAllThreads"},
        // Up to the page size, which is 8192 unless a test sets it.
        {"alignment", "LINN_ALIGNMENT", &O::alignment, 16, 16, 8192, true,
         "bytes", "directMemoryCacheAlignment"},
        {"size_classes", "LINN_CLASSES", &O::size_classes, 0, 0, 1, false,
         "`fine` or `power-of-two`", ""},
    };
}

struct Result {
    bool ok;
    std::string error;
    linn_options out;
};

Result Resolve(const linn_options *in) {
    char error[256] = "untouched";
    Result r;
    std::memset(&r.out, 0xee, sizeof r.out);
    r.ok = linn_options_resolve(in, &r.out, error, sizeof error);
    r.error = error;
    return r;
}

Result ResolveWith(const Field &f, size_t value) {
    linn_options in = LINN_OPTIONS_INIT;
    in.*f.member = value;
    return Resolve(&in);
}

class OptionsTest : public testing::Test {
   protected:
    void SetUp() override {
        for (const Field &f : Fields()) {
            unsetenv(f.variable);
        }
        unsetenv("LINN_SHOW_OPTIONS");
        unsetenv("LINN_LOCK");
        linn_options_forget_environment();
    }
    void TearDown() override {
        SetUp();
    }

    void Set(const char *variable, const std::string &value) {
        setenv(variable, value.c_str(), 1);
        linn_options_forget_environment();
    }
    Result ResolveFromEnvironment(const char *variable,
                                  const std::string &value) {
        Set(variable, value);
        Result r = Resolve(nullptr);
        unsetenv(variable);
        linn_options_forget_environment();
        return r;
    }
};

TEST_F(OptionsTest, DefaultsAreThoseOfTheHeader) {
    const linn_options in = LINN_OPTIONS_INIT;
    for (const linn_options *options :
         {static_cast<const linn_options *>(nullptr), &in}) {
        Result r = Resolve(options);
        EXPECT_TRUE(r.ok) << r.error;
        EXPECT_EQ(r.error, "untouched");
        EXPECT_EQ(r.out.size, sizeof(linn_options));
        for (const Field &f : Fields()) {
            EXPECT_EQ(r.out.*f.member, f.fallback) << f.name;
        }
    }
    // Each member of the struct has its row.
    EXPECT_EQ(sizeof(linn_options), (Fields().size() + 1) * sizeof(size_t));
}

TEST_F(OptionsTest, EachFieldAtItsBounds) {
    int accepted = 0, refused = 0;
    auto expect_accepted = [&](const Field &f, size_t value) {
        Result r = ResolveWith(f, value);
        EXPECT_TRUE(r.ok) << r.error;
        EXPECT_EQ(r.out.*f.member, value) << f.name;
        for (const Field &other : Fields()) {
            if (other.member == f.member) continue;
            EXPECT_EQ(r.out.*other.member, other.fallback) << f.name;
        }
        accepted++;
    };
    auto expect_refused = [&](const Field &f, size_t value) {
        Result r = ResolveWith(f, value);
        EXPECT_FALSE(r.ok) << f.name << " " << value;
        std::string text =
            std::string(f.name) + " = " + std::to_string(value) + ": must be " +
            (f.power_of_two ? "a power of two from " : "") +
            std::to_string(f.min) + " to " + std::to_string(f.max);
        EXPECT_EQ(r.error.substr(0, text.size()), text);
        refused++;
    };
    for (const Field &f : Fields()) {
        expect_accepted(f, f.min);
        expect_accepted(f, f.max);
        if (f.min > 0) expect_refused(f, f.min - 1);
        if (f.min > 1) expect_refused(f, f.min / 2);
        expect_refused(f, f.max + 1);
        expect_refused(f, f.max * 2 + 2);
        expect_refused(f, kDefault - 1);
        if (f.power_of_two) {
            for (size_t v = f.min; v < f.max; v *= 2) {
                expect_accepted(f, v);
                expect_refused(f, v + 1);
                expect_refused(f, v + v / 2);
            }
        } else {
            expect_accepted(f, f.min + (f.max - f.min) / 2);
        }
    }
    std::printf("%d values accepted, %d refused\n", accepted, refused);
    EXPECT_GE(accepted, 40);
    EXPECT_GE(refused, 60);
}

TEST_F(OptionsTest, NettysInvalidSettingsAreErrors) {
    auto error_of = [](size_t linn_options::*member, size_t value) {
        linn_options in = LINN_OPTIONS_INIT;
        in.*member = value;
        Result r = Resolve(&in);
        EXPECT_FALSE(r.ok);
        return r.error;
    };
    EXPECT_EQ(error_of(&linn_options::page_size, 4095),
              "page_size = 4095: must be a power of two from 4096 to 65536");
    EXPECT_EQ(error_of(&linn_options::page_size, 6000),
              "page_size = 6000: must be a power of two from 4096 to 65536");
    for (size_t order : {12u, 13u, 14u, 15u}) {
        EXPECT_EQ(error_of(&linn_options::chunk_order, order),
                  "chunk_order = " + std::to_string(order) +
                      ": must be 0 to 11 (a page tree holds 2048 pages, so "
                      "Netty's 12 to 14 are not supported)");
    }
    EXPECT_EQ(error_of(&linn_options::alignment, 3),
              "alignment = 3: must be a power of two from 16 to 8192 "
              "(page_size)");
    // Negative numbers, as size_t.
    EXPECT_EQ(error_of(&linn_options::arenas, static_cast<size_t>(-2)),
              "arenas = 18446744073709551614: must be 0 to 64");
    EXPECT_EQ(error_of(&linn_options::size_classes, 2),
              "size_classes = 2: must be 0 to 1 (fine or power-of-two)");
}

TEST_F(OptionsTest, AlignmentIsAtMostThePage) {
    linn_options in = LINN_OPTIONS_INIT;
    in.page_size = 4096;
    in.alignment = 4096;
    EXPECT_TRUE(Resolve(&in).ok);
    in.alignment = 8192;
    Result r = Resolve(&in);
    EXPECT_FALSE(r.ok);
    EXPECT_EQ(r.error,
              "alignment = 8192: must be a power of two from 16 to 4096 "
              "(page_size)");
    in.page_size = 65536;
    in.alignment = 65536;
    EXPECT_TRUE(Resolve(&in).ok);
    // A variable that does not fit the caller's page is the variable's error.
    Set("LINN_ALIGNMENT", "8192");
    in = LINN_OPTIONS_INIT;
    EXPECT_TRUE(Resolve(&in).ok);
    in.page_size = 4096;
    r = Resolve(&in);
    EXPECT_FALSE(r.ok);
    EXPECT_EQ(r.error,
              "LINN_ALIGNMENT = 8192: must be a power of two from 16 to 4096 "
              "(page_size)");
}

TEST_F(OptionsTest, UnknownSizeOfTheStructIsRefused) {
    for (size_t size : {size_t{0}, size_t{1}, sizeof(linn_options) - 8,
                        sizeof(linn_options) + 8, SIZE_MAX}) {
        linn_options in = LINN_OPTIONS_INIT;
        in.size = size;
        Result r = Resolve(&in);
        EXPECT_FALSE(r.ok);
        EXPECT_EQ(r.error, "size = " + std::to_string(size) +
                               ": must be 96 (start from LINN_OPTIONS_INIT)");
    }
}

TEST_F(OptionsTest, MessagesFitWhateverTheBuffer) {
    linn_options in = LINN_OPTIONS_INIT;
    in.page_size = 6000;
    linn_options out;
    EXPECT_FALSE(linn_options_resolve(&in, &out, nullptr, 0));
    char error[16];
    std::memset(error, '?', sizeof error);
    EXPECT_FALSE(linn_options_resolve(&in, &out, error, 8));
    EXPECT_STREQ(error, "page_si");
    EXPECT_EQ(error[8], '?');
}

TEST_F(OptionsTest, EachVariableAtItsBounds) {
    int accepted = 0, refused = 0;
    for (const Field &f : Fields()) {
        if (std::string(f.name) == "size_classes") continue;  // has words
        for (size_t v : {f.min, f.max}) {
            Result r = ResolveFromEnvironment(f.variable, std::to_string(v));
            EXPECT_TRUE(r.ok) << r.error;
            EXPECT_EQ(r.out.*f.member, v) << f.name;
            accepted++;
        }
        std::vector<std::string> bad = {"",    " ",  "x",  "-1",  "+1",  "0x1",
                                        "1.5", "1 ", " 1", "1k ", "1kk", "1km",
                                        "1g",  "k",  "m",  "1\n"};
        bad.push_back(std::to_string(f.max + 1));
        // LINN_DEFAULT, and what would be 0 modulo 2^64.
        bad.push_back("18446744073709551615");
        bad.push_back("18446744073709551616");
        bad.push_back("18014398509481984k");
        // 4 and 4096 modulo 2^64.
        bad.push_back("18446744073709551620");
        bad.push_back("18446744073709555712");
        bad.push_back("99999999999999999999999");
        // A number, but too long to be copied whole.
        bad.push_back(std::string(100, '0') + std::to_string(f.min));
        if (f.min > 0) bad.push_back(std::to_string(f.min - 1));
        for (const std::string &text : bad) {
            Result r = ResolveFromEnvironment(f.variable, text);
            EXPECT_FALSE(r.ok) << f.variable << " " << text;
            std::string begin = std::string(f.variable) + " = ";
            EXPECT_EQ(r.error.substr(0, begin.size()), begin);
            EXPECT_NE(r.error.find(": must be "), std::string::npos);
            if (text.size() < 40 && !text.empty()) {
                EXPECT_NE(r.error.find(" = " + text + ": "), std::string::npos);
            }
            refused++;
        }
    }
    std::printf("%d variables accepted, %d refused\n", accepted, refused);
    EXPECT_EQ(accepted, 20);
    EXPECT_GE(refused, 210);
    EXPECT_EQ(ResolveFromEnvironment("LINN_ARENAS", "").error,
              "LINN_ARENAS = (empty): must be 0 to 64");
    EXPECT_EQ(ResolveFromEnvironment("LINN_CHUNK_ORDER", "13").error,
              "LINN_CHUNK_ORDER = 13: must be 0 to 11 (a page tree holds 2048 "
              "pages, so Netty's 12 to 14 are not supported)");
}

TEST_F(OptionsTest, SuffixesAndWords) {
    const struct {
        const char *variable, *text;
        size_t linn_options::*member;
        size_t value;
    } kGood[] = {
        {"LINN_PAGE_SIZE", "16k", &linn_options::page_size, 16384},
        {"LINN_PAGE_SIZE", "64K", &linn_options::page_size, 65536},
        {"LINN_CACHE_BYTES", "3m", &linn_options::cache_bytes, 3 << 20},
        {"LINN_CACHE_BYTES", "1024M", &linn_options::cache_bytes, 1 << 30},
        {"LINN_CACHED_MAX", "0k", &linn_options::cached_max, 0},
        {"LINN_ARENAS", "007", &linn_options::arenas, 7},
        {"LINN_CLASSES", "fine", &linn_options::size_classes,
         LINN_CLASSES_FINE},
        {"LINN_CLASSES", "power-of-two", &linn_options::size_classes,
         LINN_CLASSES_POWER_OF_TWO},
    };
    for (const auto &g : kGood) {
        Result r = ResolveFromEnvironment(g.variable, g.text);
        EXPECT_TRUE(r.ok) << r.error;
        EXPECT_EQ(r.out.*g.member, g.value) << g.variable << " " << g.text;
    }
    for (const char *bad : {"", "Fine", "fine ", "1", "power"}) {
        EXPECT_FALSE(ResolveFromEnvironment("LINN_CLASSES", bad).ok) << bad;
    }
}

TEST_F(OptionsTest, CallerThenEnvironmentThenDefault) {
    Set("LINN_ARENAS", "3");
    Set("LINN_SMALL_CACHE", "5");
    linn_options in = LINN_OPTIONS_INIT;
    in.arenas = 9;
    Result r = Resolve(&in);
    EXPECT_TRUE(r.ok) << r.error;
    EXPECT_EQ(r.out.arenas, 9u);
    EXPECT_EQ(r.out.small_cache, 5u);
    EXPECT_EQ(r.out.normal_cache, 64u);
    // A bad variable does not matter where the caller decides.
    Set("LINN_ARENAS", "many");
    EXPECT_TRUE(Resolve(&in).ok);
    EXPECT_FALSE(Resolve(nullptr).ok);
}

TEST_F(OptionsTest, EnvironmentIsReadOnce) {
    EXPECT_EQ(Resolve(nullptr).out.small_cache, 256u);
    setenv("LINN_SMALL_CACHE", "5", 1);
    setenv("LINN_LOCK", "ticket", 1);
    EXPECT_EQ(Resolve(nullptr).out.small_cache, 256u);
    EXPECT_EQ(linn_switches_get()->lock, nullptr);
    linn_options_forget_environment();
    EXPECT_EQ(Resolve(nullptr).out.small_cache, 5u);
    EXPECT_STREQ(linn_switches_get()->lock, "ticket");
}

TEST_F(OptionsTest, Switches) {
    EXPECT_FALSE(linn_switches_get()->show_options);
    EXPECT_EQ(linn_switches_get()->lock, nullptr);
    for (const char *off : {"", "0"}) {
        Set("LINN_SHOW_OPTIONS", off);
        EXPECT_FALSE(linn_switches_get()->show_options) << off;
    }
    for (const char *on : {"1", "yes", "00"}) {
        Set("LINN_SHOW_OPTIONS", on);
        EXPECT_TRUE(linn_switches_get()->show_options) << on;
    }
    Set("LINN_LOCK", "mcs");
    EXPECT_STREQ(linn_switches_get()->lock, "mcs");
}

TEST_F(OptionsTest, WithoutMemoryTheDefaultsServe) {
    Set("LINN_SMALL_CACHE", "5");
    linn_page_source_fail_after(0);
    Result r = Resolve(nullptr);
    linn_page_source_fail_never();
    EXPECT_TRUE(r.ok);
    EXPECT_EQ(r.out.page_size, 8192u);
    EXPECT_EQ(Resolve(nullptr).out.small_cache, 5u);
}

// Who comes in while another reads wins, and both use one copy.
TEST_F(OptionsTest, OneCopyRemains) {
    Set("LINN_LOCK", "first");
    static const linn_switches *inner;
    uint64_t calls = linn_page_source_calls();
    linn_page_source_visit_next([] {
        inner = linn_switches_get();
        setenv("LINN_LOCK", "second", 1);
    });
    const linn_switches *outer = linn_switches_get();
    EXPECT_EQ(outer, inner);
    EXPECT_STREQ(outer->lock, "first");
    EXPECT_EQ(linn_page_source_calls(), calls + 3);  // two maps, one unmap
}

// Threads that all make the first call use one copy, and each finds it whole:
// ThreadSanitizer judges the orders by the text, which is plain.
TEST_F(OptionsTest, FirstCallsAtOnce) {
    for (int round = 0; round < 100; round++) {
        Set("LINN_LOCK", std::to_string(round));
        std::vector<const linn_switches *> seen(4);
        std::vector<std::string> texts(4);
        std::vector<std::thread> threads;
        for (size_t t = 0; t < seen.size(); t++) {
            threads.emplace_back([&, t] {
                seen[t] = linn_switches_get();
                texts[t] = seen[t]->lock;
            });
        }
        for (std::thread &t : threads) {
            t.join();
        }
        for (size_t t = 0; t < seen.size(); t++) {
            ASSERT_EQ(seen[t], seen[0]);
            ASSERT_EQ(texts[t], std::to_string(round));
        }
    }
}

// What `body` writes to file descriptor `fd`.
template <typename Body>
std::string Written(int fd, Body body) {
    std::fflush(nullptr);
    std::FILE *file = std::tmpfile();
    int kept = dup(fd);
    dup2(fileno(file), fd);
    body();
    dup2(kept, fd);
    close(kept);
    std::rewind(file);
    char text[4096];
    size_t n = std::fread(text, 1, sizeof text, file);
    std::fclose(file);
    return std::string(text, n);
}

TEST_F(OptionsTest, DefaultPoolReportsBadVariablesOnce) {
    Set("LINN_PAGE_SIZE", "6000");
    Set("LINN_ALIGNMENT", "64");
    Set("LINN_CACHE_SWEEP", "0");
    linn_options out;
    sync_u32_store_relaxed(&linn_options_state.reported, 0);
    std::string first = Written(2, [&] { linn_options_resolve_default(&out); });
    EXPECT_EQ(first,
              "linn: LINN_PAGE_SIZE = 6000: must be a power of two from 4096 "
              "to 65536; the default is used\n"
              "linn: LINN_CACHE_SWEEP = 0: must be 1 to 4294967295; the "
              "default is used\n");
    EXPECT_EQ(out.size, sizeof out);
    EXPECT_EQ(out.page_size, 8192u);
    EXPECT_EQ(out.alignment, 64u);
    EXPECT_EQ(out.cache_sweep, 8192u);
    std::memset(&out, 0, sizeof out);
    EXPECT_EQ(Written(2, [&] { linn_options_resolve_default(&out); }), "");
    EXPECT_EQ(out.page_size, 8192u);
}

TEST_F(OptionsTest, ABadLockIsReportedOnce) {
    Set("LINN_LOCK", "spin");
    sync_u32_store_relaxed(&linn_options_state.reported, 0);
    EXPECT_EQ(Written(2, [] { linn_options_reject_lock("mutex, fas"); }),
              "linn: LINN_LOCK = spin: must be one of mutex, fas; the default "
              "is used\n");
    EXPECT_EQ(Written(2, [] { linn_options_reject_lock("mutex, fas"); }), "");
    // The variables are reported all the same.
    Set("LINN_PAGE_SIZE", "6000");
    linn_options out;
    EXPECT_NE(Written(2, [&] { linn_options_resolve_default(&out); }), "");
    Set("LINN_LOCK", "mcs");
    EXPECT_EQ(Written(1, [] { linn_options_show_lock(1, "mcs"); }),
              "linn:   lock = mcs (environment, LINN_LOCK)\n");
    EXPECT_EQ(Written(1, [] { linn_options_show_lock(1, "mutex"); }),
              "linn:   lock = mutex (default, LINN_LOCK)\n");
}

TEST_F(OptionsTest, ShowsEachOptionAndItsOrigin) {
    Set("LINN_SMALL_CACHE", "1k");
    Set("LINN_CLASSES", "power-of-two");
    Set("LINN_ARENAS", "many");
    linn_options in = LINN_OPTIONS_INIT;
    in.arenas = 3;
    in.page_size = 4096;
    Result r = Resolve(&in);
    ASSERT_TRUE(r.ok) << r.error;
    std::string shown =
        Written(1, [&] { linn_options_show(1, "a pool", &in, &r.out); });
    EXPECT_EQ(shown,
              "linn: a pool\n"
              "linn:   arenas = 3 (caller, LINN_ARENAS)\n"
              "linn:   page_size = 4096 (caller, LINN_PAGE_SIZE)\n"
              "linn:   chunk_order = 11 (default, LINN_CHUNK_ORDER)\n"
              "linn:   small_cache = 1024 (environment, LINN_SMALL_CACHE)\n"
              "linn:   normal_cache = 64 (default, LINN_NORMAL_CACHE)\n"
              "linn:   cached_max = 131072 (default, LINN_CACHED_MAX)\n"
              "linn:   cache_bytes = 524288 (default, LINN_CACHE_BYTES)\n"
              "linn:   cache_sweep = 8192 (default, LINN_CACHE_SWEEP)\n"
              "linn:   cache = 1 (default, LINN_CACHE)\n"
              "linn:   alignment = 16 (default, LINN_ALIGNMENT)\n"
              "linn:   size_classes = power-of-two (environment, "
              "LINN_CLASSES)\n");
    // The default pool ignored a bad variable, so it is the default's.
    linn_options out;
    Written(2, [&] { linn_options_resolve_default(&out); });
    shown = Written(
        1, [&] { linn_options_show(1, "the default pool", nullptr, &out); });
    EXPECT_NE(shown.find("arenas = " + std::to_string(DefaultArenas()) +
                         " (default, LINN_ARENAS)\n"),
              std::string::npos);
    std::string longest(5000, 't');
    shown = Written(
        1, [&] { linn_options_show(1, longest.c_str(), nullptr, &out); });
    EXPECT_NE(shown.find("size_classes"), std::string::npos);
}

// ---- the page in docs ----

std::string Table() {
    std::ostringstream out;
    out << "| field | variable | unit | range | default | Netty's |\n"
           "|---|---|---|---|---|---|\n";
    for (const Field &f : Fields()) {
        std::string max = std::to_string(f.max);
        std::string fallback = std::to_string(f.fallback);
        if (f.member == &linn_options::arenas) fallback = "min(64, 2 x cores)";
        if (f.member == &linn_options::alignment) max = "page_size";
        std::string range = std::to_string(f.min) + " to " + max;
        if (f.power_of_two) range += ", a power of two";
        if (f.member == &linn_options::size_classes) {
            range = "the two words";
            fallback = "`fine`";
        }
        out << "| `" << f.name << "` | `" << f.variable << "` | " << f.unit
            << " | " << range << " | " << fallback << " | " << f.netty
            << " |\n";
    }
    return out.str();
}

TEST_F(OptionsTest, ThePageInDocsHasThisTable) {
    std::ifstream in("docs/options.md");
    ASSERT_TRUE(in.good()) << "docs/options.md is not in the test's data";
    std::stringstream page;
    page << in.rdbuf();
    EXPECT_NE(page.str().find("\n" + Table() + "\n"), std::string::npos)
        << "the page should have\n"
        << Table();
}

}  // namespace
