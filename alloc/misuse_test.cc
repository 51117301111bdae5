#include "alloc/misuse.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "alloc/check.h"
#include "gtest/gtest.h"

namespace {

struct Seen {
    int reports = 0;
    std::string function, what, message;
    const void *pointer = nullptr, *block = nullptr;
    size_t block_size = 0;
};
Seen seen;

void Remember(const linn_misuse *misuse) {
    seen.reports++;
    seen.function = misuse->function;
    seen.pointer = misuse->pointer;
    seen.block = misuse->block;
    seen.block_size = misuse->block_size;
    seen.what = misuse->what;
    seen.message = misuse->message;
}

const void *At(uintptr_t p) {
    return reinterpret_cast<const void *>(p);
}

class MisuseTest : public testing::Test {
   protected:
    void SetUp() override {
        seen = Seen();
    }
    void TearDown() override {
        linn_set_misuse_handler(nullptr);
    }
};

TEST_F(MisuseTest, HandlerGetsEverythingAndTheCallReturns) {
    EXPECT_EQ(linn_set_misuse_handler(Remember), nullptr);
    linn_misuse_report("linn_free", At(0x7f12a4003050), At(0x7f12a4003040), 64,
                       "not the start of a block", "class 1, element 65");
    EXPECT_EQ(seen.reports, 1);
    EXPECT_EQ(seen.function, "linn_free");
    EXPECT_EQ(seen.pointer, At(0x7f12a4003050));
    EXPECT_EQ(seen.block, At(0x7f12a4003040));
    EXPECT_EQ(seen.block_size, 64u);
    EXPECT_EQ(seen.what, "not the start of a block");
    EXPECT_EQ(seen.message,
              "linn: linn_free(0x7f12a4003050): not the start of a block: "
              "block 0x7f12a4003040 of 64 bytes (class 1, element 65)");
    EXPECT_EQ(linn_set_misuse_handler(nullptr), Remember);
    EXPECT_EQ(linn_set_misuse_handler(nullptr), nullptr);
}

TEST_F(MisuseTest, BlockAndDetailMayBeAbsent) {
    linn_set_misuse_handler(Remember);
    linn_misuse_report("linn_free", At(0x1000), nullptr, 0, "not ours",
                       nullptr);
    EXPECT_EQ(seen.message, "linn: linn_free(0x1000): not ours");
    linn_misuse_report("linn_alloc", nullptr, nullptr, 0, "the pool is dead",
                       "generation 3");
    EXPECT_EQ(seen.message,
              "linn: linn_alloc((nil)): the pool is dead (generation 3)");
}

TEST_F(MisuseTest, LongTextsAreCutAndTerminated) {
    linn_set_misuse_handler(Remember);
    std::string longest(5000, 'x');
    linn_misuse_report(longest.c_str(), At(0x1000), At(0x1000), 1,
                       longest.c_str(), longest.c_str());
    EXPECT_EQ(seen.message, "linn: " + std::string(511 - 6, 'x'));
    linn_misuse_report("f", At(0x1000), nullptr, 0, "w", longest.c_str());
    EXPECT_EQ(seen.message, "linn: f(0x1000): w (" + std::string(255 - 2, 'x'));
}

using MisuseDeathTest = MisuseTest;

TEST_F(MisuseDeathTest, PrintsOneLineAndAborts) {
    EXPECT_EXIT(linn_misuse_report("linn_free", At(0xabcdef0), At(0xabcdef0),
                                   SIZE_MAX, "already free", "class 1"),
                testing::KilledBySignal(SIGABRT),
                "(^|\n)linn: linn_free\\(0xabcdef0\\): already free: block "
                "0xabcdef0 of 18446744073709551615 bytes \\(class 1\\)\n$");
}

TEST_F(MisuseDeathTest, WorksInASignalHandler) {
    auto in_handler = [] {
        signal(SIGUSR1, [](int) {
            linn_misuse_report("linn_free", At(0x10), nullptr, 0, "not ours",
                               nullptr);
        });
        raise(SIGUSR1);
    };
    EXPECT_EXIT(in_handler(), testing::KilledBySignal(SIGABRT),
                "linn_free\\(0x10\\): not ours");
}

TEST_F(MisuseDeathTest, CheckNamesTheFactAndItsPlace) {
    LINN_CHECK(1 + 1 == 2);
    EXPECT_EXIT(LINN_CHECK(1 + 1 == 3), testing::KilledBySignal(SIGABRT),
                "^linn: .*misuse_test.cc:[1-9][0-9]*: not true: 1 \\+ 1 == "
                "3\n$");
    EXPECT_EXIT(linn_check_failed("f", "x.c", 2147483647),
                testing::KilledBySignal(SIGABRT),
                "^linn: x.c:2147483647: not true: f\n$");
    EXPECT_EXIT(linn_check_failed("f", "x.c", 0),
                testing::KilledBySignal(SIGABRT), "^linn: x.c:0: ");
}

// The graded macros look at their fact only where they are on, and never leave
// a variable unused.
TEST_F(MisuseTest, GradedChecks) {
    int looked = 0;
    LINN_ASSERT(++looked > 0);
    EXPECT_EQ(looked, LINN_DEBUG);
    LINN_INVARIANT(++looked > 0);
    EXPECT_EQ(looked, LINN_DEBUG + LINN_PARANOID);
}

// Threads replace the handler while others report: each report reaches one of
// the two, and what that handler needs is there.  `note` is plain on purpose:
// ThreadSanitizer judges the orders by it.
std::atomic<int> heard_a, heard_b;
int note_a, note_b;

TEST_F(MisuseTest, HandlersAreReplacedWhileOthersReport) {
    constexpr int kRounds = 20000;
    linn_misuse_handler a = [](const linn_misuse *m) {
        if (note_a == 1 && std::strcmp(m->what, "w") == 0) heard_a++;
    };
    linn_misuse_handler b = [](const linn_misuse *) {
        if (note_b == 1) heard_b++;
    };
    note_a = 1;
    linn_set_misuse_handler(a);
    std::atomic<bool> done{false};
    int replaced = 0;
    std::thread replacer([&] {
        note_b = 1;  // not known to the reporters but through the handler
        while (!done.load(std::memory_order_relaxed)) {
            linn_misuse_handler old =
                linn_set_misuse_handler(replaced % 2 == 0 ? b : a);
            if (old == nullptr) break;
            replaced++;
        }
    });
    std::vector<std::thread> reporters;
    for (int t = 0; t < 3; t++) {
        reporters.emplace_back([] {
            for (int i = 0; i < kRounds; i++) {
                linn_misuse_report("f", At(16), nullptr, 0, "w", nullptr);
            }
        });
    }
    for (std::thread &t : reporters) {
        t.join();
    }
    done.store(true, std::memory_order_relaxed);
    replacer.join();
    EXPECT_EQ(heard_a + heard_b, 3 * kRounds);
    EXPECT_GT(replaced, 1);
    std::printf("%d reports to one handler, %d to the other, %d changes\n",
                heard_a.load(), heard_b.load(), replaced);
}

// Against snprintf, over formats, values and buffer sizes at random.
TEST(FormatTest, AgreesWithSnprintf) {
    std::mt19937_64 random(7);
    const char *kTexts[] = {"", "a", "linn_free", "a longer text than most"};
    int compared = 0, cut = 0;
    for (int i = 0; i < 200000; i++) {
        char mine[64], theirs[64];
        std::memset(mine, '?', sizeof mine);
        std::memset(theirs, '?', sizeof theirs);
        size_t bytes = random() % (sizeof mine + 1);
        // Every length of number, and the extremes.
        uint64_t n = random() >> random() % 64;
        if (i % 50 == 0) n = UINT64_MAX;
        if (i % 50 == 1) n = 0;
        const void *p = At(random() >> random() % 64);
        const char *s = kTexts[random() % 4];
        unsigned u = static_cast<unsigned>(n >> 32);
        size_t length = 0;
        int wanted = 0;
        switch (random() % 4) {
            case 0:
                length = linn_format(mine, bytes, "%s=%zu, %p%%", s, n, p);
                wanted = snprintf(theirs, bytes, "%s=%zu, %p%%", s, n, p);
                break;
            case 1:
                length = linn_format(mine, bytes, "%p%lu%s", p, n, s);
                wanted = snprintf(theirs, bytes, "%p%lu%s", p, n, s);
                break;
            case 2:
                length = linn_format(mine, bytes, "%u %u", u, u / 7);
                wanted = snprintf(theirs, bytes, "%u %u", u, u / 7);
                break;
            default:
                length = linn_format(mine, bytes, "<%s><%s> no more", s, s);
                wanted = snprintf(theirs, bytes, "<%s><%s> no more", s, s);
        }
        ASSERT_EQ(length, static_cast<size_t>(wanted));
        size_t written = std::min(bytes, length + 1);
        ASSERT_EQ(std::memcmp(mine, theirs, written), 0);
        // Nothing behind the buffer is touched.
        for (size_t k = bytes; k < sizeof mine; k++) {
            ASSERT_EQ(mine[k], '?');
        }
        compared++;
        cut += length >= bytes;
    }
    std::printf("%d texts agree, %d of them cut\n", compared, cut);
    EXPECT_EQ(compared, 200000);
    EXPECT_GT(cut, 20000);
}

TEST(FormatTest, NullsAndUnknownConversions) {
    // A pointer whose type does not show the compiler the format to object to.
    size_t (*format)(char *, size_t, const char *, ...) = linn_format;
    char out[64];
    // Not known to be NULL when this is compiled.
    const char *null = std::getenv("LINN_NO_SUCH_VARIABLE");
    EXPECT_EQ(format(out, sizeof out, "%s %p", null, null), 12u);
    EXPECT_STREQ(out, "(null) (nil)");
    EXPECT_EQ(format(out, sizeof out, "100%, %d, %"), 11u);
    EXPECT_STREQ(out, "100%, %d, %");
    EXPECT_EQ(format(nullptr, 0, "%u", 12345u), 5u);
}

}  // namespace
