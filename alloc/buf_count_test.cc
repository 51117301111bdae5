// The count word: its steps against the specification, its ends, and threads.

#include "alloc/buf_count.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

#ifdef LINN_SANITIZED
constexpr int kScale = 10;
#else
constexpr int kScale = 1;
#endif

constexpr uint64_t Word(uint64_t generation, bool published, uint64_t count) {
    return generation << 32 | (published ? LINN_REFS_PUBLISHED : 0) | count;
}
constexpr uint64_t Name(uint64_t generation, uint32_t index = 77) {
    return generation << 32 | index;
}

struct Count {
    linn_refs_word c;
    explicit Count(uint64_t word) {
        sync_u64_store_relaxed(&c.word, word);
    }
    uint64_t word() const {
        return sync_u64_load_relaxed(&c.word);
    }
};

// One state of tla/BufferRefcount's variable `word`, and its actions there.
struct Spec {
    uint64_t gen;
    bool pub;
    uint64_t count;

    uint64_t word() const {
        return Word(gen, pub, count);
    }
    Spec Retained() const {
        return {gen, pub, count + 1};
    }
    Spec Released() const {
        return count == 1 ? Spec{gen + 1, false, 0} : Spec{gen, pub, count - 1};
    }
};

// Every word of two lives and up to three references, every handle of three lives:
// the code does what the action of the specification does, and refuses where the
// action is not enabled, changing nothing.
TEST(BufCount, AgreesWithTheSpecification) {
    int cases = 0;
    for (uint64_t gen = 1; gen <= 2; gen++) {
        for (int pub = 0; pub <= 1; pub++) {
            for (uint64_t count = 0; count <= 3; count++) {
                if (count == 0 && pub == 1) continue;  // no such state
                for (uint64_t cell = 1; cell <= 3; cell++) {
                    Spec s{gen, pub == 1, count};
                    bool lives = cell == gen && count > 0;
                    cases++;

                    Count retain(s.word());
                    EXPECT_EQ(linn_refs_retain(&retain.c, Name(cell), 1),
                              lives ? LINN_COUNTED : LINN_COUNTED_DEAD);
                    EXPECT_EQ(retain.word(), (lives ? s.Retained() : s).word());

                    Count release(s.word());
                    auto want = !lives       ? LINN_COUNTED_DEAD
                                : count == 1 ? LINN_COUNTED_LAST
                                             : LINN_COUNTED;
                    EXPECT_EQ(linn_refs_release(&release.c, Name(cell), 1),
                              want);
                    EXPECT_EQ(release.word(),
                              (lives ? s.Released() : s).word());

                    Count found(s.word());
                    bool may = lives && s.pub;
                    EXPECT_EQ(linn_refs_try_retain(&found.c, Name(cell)),
                              may     ? LINN_COUNTED
                              : lives ? LINN_COUNTED_UNPUBLISHED
                                      : LINN_COUNTED_DEAD);
                    EXPECT_EQ(found.word(), (may ? s.Retained() : s).word());

                    Count publish(s.word());
                    bool sole = lives && count == 1;
                    auto said = linn_refs_publish(&publish.c, Name(cell));
                    if (!lives) {
                        EXPECT_EQ(said, LINN_COUNTED_DEAD);
                    } else if (sole || s.pub) {
                        EXPECT_EQ(said, LINN_COUNTED);
                    } else {
                        EXPECT_EQ(said, LINN_COUNTED_SHARED);
                    }
                    EXPECT_EQ(publish.word(),
                              sole ? Word(gen, true, 1) : s.word());

                    EXPECT_EQ(linn_refs_is_live(&publish.c, Name(cell)), lives);
                    EXPECT_EQ(linn_refs_read(&publish.c, Name(cell)),
                              lives ? count : 0);
                    Count look(s.word());
                    EXPECT_EQ(linn_refs_is_sole(&look.c, Name(cell)),
                              sole && !s.pub);
                }
            }
        }
    }
    EXPECT_EQ(cases, 42);
}

TEST(BufCount, ALifeBeginsWithOneReference) {
    Count c(0);
    linn_refs_born(&c.c, 5);
    EXPECT_FALSE(linn_refs_is_live(&c.c, Name(5)));
    EXPECT_EQ(linn_refs_begin(&c.c), Word(5, false, 0));
    EXPECT_TRUE(linn_refs_is_live(&c.c, Name(5)));
    EXPECT_EQ(linn_refs_read(&c.c, Name(5)), 1u);
}

// Netty case 40: at the maximum a retain is refused and the count stays.
TEST(BufCount, StopsAtItsMaximum) {
    for (bool published : {false, true}) {
        Count c(Word(9, published, LINN_REFS_MAX - 1));
        EXPECT_EQ(linn_refs_retain(&c.c, Name(9), 2), LINN_COUNTED_TOO_MANY);
        EXPECT_EQ(linn_refs_retain(&c.c, Name(9), UINT32_MAX),
                  LINN_COUNTED_TOO_MANY);
        EXPECT_EQ(c.word(), Word(9, published, LINN_REFS_MAX - 1));
        EXPECT_EQ(linn_refs_retain(&c.c, Name(9), 1), LINN_COUNTED);
        EXPECT_EQ(linn_refs_retain(&c.c, Name(9), 1), LINN_COUNTED_TOO_MANY);
        if (published) {
            EXPECT_EQ(linn_refs_try_retain(&c.c, Name(9)),
                      LINN_COUNTED_TOO_MANY);
        }
        EXPECT_EQ(c.word(), Word(9, published, LINN_REFS_MAX));
        EXPECT_EQ(linn_refs_release(&c.c, Name(9), LINN_REFS_MAX),
                  LINN_COUNTED_LAST);
        EXPECT_EQ(c.word(), Word(10, false, 0));
    }
}

TEST(BufCount, ManyAtOnce) {
    Count c(Word(1, false, 1));
    EXPECT_EQ(linn_refs_retain(&c.c, Name(1), 6), LINN_COUNTED);
    EXPECT_EQ(linn_refs_release(&c.c, Name(1), 8), LINN_COUNTED_TOO_FEW);
    EXPECT_EQ(c.word(), Word(1, false, 7));
    EXPECT_EQ(linn_refs_release(&c.c, Name(1), 3), LINN_COUNTED);
    EXPECT_EQ(linn_refs_release(&c.c, Name(1), 4), LINN_COUNTED_LAST);
    EXPECT_EQ(linn_refs_release(&c.c, Name(1), 1), LINN_COUNTED_DEAD);
    EXPECT_EQ(linn_refs_retain(&c.c, Name(1), 1), LINN_COUNTED_DEAD);
}

// B3: from three below the wrap, every life differs, and after the last there is
// none that any name fits.
TEST(BufCount, TheLastGenerationHasNoSuccessor) {
    Count c(0);
    linn_refs_born(&c.c, UINT32_MAX - 2);
    for (uint64_t gen = UINT32_MAX - 2; gen <= UINT32_MAX; gen++) {
        ASSERT_EQ(linn_refs_begin(&c.c), gen << 32);
        for (uint64_t other = UINT32_MAX - 3; other <= UINT32_MAX; other++) {
            EXPECT_EQ(linn_refs_is_live(&c.c, Name(other)), other == gen);
        }
        EXPECT_FALSE(linn_refs_is_live(&c.c, Name(0)));
        EXPECT_EQ(linn_refs_release(&c.c, Name(gen), 1), LINN_COUNTED_LAST);
    }
    EXPECT_EQ(c.word(), 0u);
    for (uint64_t gen : {uint64_t{0}, uint64_t{1}, uint64_t{UINT32_MAX}}) {
        EXPECT_FALSE(linn_refs_is_live(&c.c, Name(gen)));
        EXPECT_EQ(linn_refs_retain(&c.c, Name(gen), 1), LINN_COUNTED_DEAD);
        EXPECT_EQ(linn_refs_try_retain(&c.c, Name(gen)), LINN_COUNTED_DEAD);
    }
}

// Threads that share references; the last one out owns the payload, which is plain.
TEST(BufCount, OneOfManyIsTheLast) {
    constexpr int kThreads = 3;
    const int rounds = 20000 / kScale;
    int payload = 0;
    uint64_t lasts = 0;
    Count c(0);
    linn_refs_born(&c.c, 1);
    for (int r = 0; r < rounds; r++) {
        uint64_t name = linn_refs_begin(&c.c);
        if (r % 2 == 0) {
            ASSERT_EQ(linn_refs_publish(&c.c, name), LINN_COUNTED);
        }
        ASSERT_EQ(linn_refs_retain(&c.c, name, kThreads - 1), LINN_COUNTED);
        std::atomic<int> last{0};
        auto work = [&] {
            EXPECT_EQ(linn_refs_retain(&c.c, name, 1), LINN_COUNTED);
            EXPECT_EQ(linn_refs_release(&c.c, name, 1), LINN_COUNTED);
            if (linn_refs_release(&c.c, name, 1) == LINN_COUNTED_LAST) {
                payload++;
                last++;
            }
        };
        if (r % 100 == 0) {
            std::vector<std::thread> threads;
            for (int t = 0; t < kThreads; t++)
                threads.emplace_back(work);
            for (auto &t : threads)
                t.join();
        } else {
            for (int t = 0; t < kThreads; t++)
                work();
        }
        ASSERT_EQ(last.load(), 1);
        lasts++;
    }
    EXPECT_EQ(lasts, static_cast<uint64_t>(rounds));
    EXPECT_EQ(payload, rounds);
}

}  // namespace
