// A program prints its options under LINN_SHOW_OPTIONS=1, and a bad variable is
// told: this program, run again with another environment.

#include <unistd.h>

#include <cstdio>

#include "alloc/linn_fixture.h"

namespace {

using namespace linn_fixture;

// What the program says on stderr when it makes a pool of 4 KiB pages.
std::string Told(const std::string &environment) {
    char self[4096] = "";
    EXPECT_GT(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    std::string command =
        "env -u LINN_SHOW_OPTIONS -u LINN_LOCK " + environment + " '" + self +
        "' --gtest_also_run_disabled_tests "
        "--gtest_filter=OptionsShowTest.DISABLED_Child 2>&1 >/dev/null";
    FILE *child = popen(command.c_str(), "r");
    EXPECT_NE(child, nullptr);
    std::string told;
    for (int c; (c = fgetc(child)) != EOF;)
        told += static_cast<char>(c);
    EXPECT_EQ(pclose(child), 0) << told;
    // Under chaos its seed comes before all.
    if (told.rfind("LINN_CHAOS_SEED=", 0) == 0) {
        told.erase(0, told.find('\n') + 1);
    }
    return told;
}

TEST(OptionsShowTest, DISABLED_Child) {
    linn_options o = LINN_OPTIONS_INIT;
    o.page_size = 4096;
    linn_pool *pool = Create(&o);
    linn_free(linn_alloc(pool, 100));
    Destroy(pool);
}

int Count(const std::string &text, const std::string &part) {
    int n = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at++)
        n++;
    return n;
}

TEST(OptionsShowTest, EveryPoolIsShownWithItsOptions) {
    std::string told =
        Told("LINN_SHOW_OPTIONS=1 LINN_SMALL_CACHE=7 LINN_LOCK=mcs");
    // The default pool and the child's.
    EXPECT_EQ(Count(told, "linn: default pool\n"), 1) << told;
    EXPECT_EQ(Count(told, "linn: pool\n"), 1) << told;
    EXPECT_EQ(Count(told, "page_size = 8192 (default, LINN_PAGE_SIZE)"), 1);
    EXPECT_EQ(Count(told, "page_size = 4096 (caller, LINN_PAGE_SIZE)"), 1);
    EXPECT_EQ(Count(told, "small_cache = 7 (environment, LINN_SMALL_CACHE)"),
              2);
    // The lock is the twin's alone.
    EXPECT_EQ(Count(told, "linn:   lock = mcs (environment, LINN_LOCK)\n"),
              kLockFree ? 0 : 2)
        << told;
    EXPECT_EQ(Count(told, "\n"), 2 * (kLockFree ? 12 : 13)) << told;
}

TEST(OptionsShowTest, NothingIsSaidUnasked) {
    EXPECT_EQ(Told("LINN_LOCK=ticket"), "");
    EXPECT_EQ(Told("LINN_SHOW_OPTIONS=0"), "");
}

TEST(OptionsShowTest, ABadVariableIsToldOnce) {
    EXPECT_EQ(Told("LINN_PAGE_SIZE=8192 LINN_CHUNK_ORDER=11 LINN_ARENAS=2"),
              "");
    // Pools that are made later with the variable are refused, the child's has
    // its own page size.
    EXPECT_EQ(Told("LINN_PAGE_SIZE=6000"),
              "linn: LINN_PAGE_SIZE = 6000: must be a power of two from 4096 "
              "to 65536; the default is used\n");
    std::string lock =
        "linn: LINN_LOCK = spin: must be one of mutex, fas, ticket, mcs, clh, "
        "rwlock; the default is used\n";
    EXPECT_EQ(Told("LINN_LOCK=spin"), kLockFree ? "" : lock);
    EXPECT_EQ(Count(Told("LINN_LOCK=spin LINN_SHOW_OPTIONS=1"),
                    "lock = mutex (default, LINN_LOCK)"),
              kLockFree ? 0 : 2);
}

}  // namespace
