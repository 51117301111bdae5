// The system refuses each call in turn, from the first that a process makes: every
// n has a child of its own, in which nothing has been allocated yet.  So the tables
// that are made once (pointer map, descriptors, cache bodies) fail too.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "alloc/linn_fixture.h"
#include "alloc/page_source.h"
#include "alloc/pool_core.h"

namespace {

using namespace linn_fixture;

constexpr int kNoFault = 0, kFault = 10;

void Require(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "not so: %s\n", what);
    _exit(1);
}

struct Held {
    Canary canary;
    void *block = nullptr;
};

void Keep(std::vector<Held> *held, void *p) {
    if (p == nullptr) return;
    Held h;
    h.block = p;
    h.canary.Write(p, linn_usable_size(p), held->size() + 1);
    held->push_back(h);
}

// Blocks of every path, kept or refused; a realloc that fails leaves its block.
void Allocate(linn_pool *pool, std::vector<Held> *held) {
    for (size_t size : {1u, 100u, 3000u, 20000u, 100000u, 200000u, 600000u,
                        1u << 20, 3u << 20}) {
        Keep(held, linn_alloc(pool, size));
        Keep(held, linn_alloc_aligned(pool, 4096, size));
        Held last = held->empty() ? Held() : held->back();
        if (last.block == nullptr) continue;
        void *moved = linn_realloc(pool, last.block, size * 3);
        if (moved == nullptr) {
            // As it was, in its place.
            Require(last.canary.IsWhole(), "a failed realloc leaves the block");
            continue;
        }
        held->pop_back();
        Require(*static_cast<uint64_t *>(moved) == last.canary.value,
                "a realloc keeps the contents");
        Keep(held, moved);
    }
}

void FreeAll(std::vector<Held> *held) {
    for (Held &h : *held) {
        Require(h.canary.IsWhole(), "every block is as it was written");
        linn_free(h.block);
    }
    held->clear();
}

uint64_t HeldBytes(const linn_pool_core *core) {
    return linn_tally_read(&core->tally, LINN_TALLY_HELD_BYTES_TAKEN) -
           linn_tally_read(&core->tally, LINN_TALLY_HELD_BYTES_GIVEN);
}

// The whole life of a pool, in a process that has done nothing before.
void Life(size_t arenas) {
    linn_options o = LINN_OPTIONS_INIT;
    o.arenas = arenas;
    o.chunk_order = 7;  // 1 MiB
    char error[200] = "";
    linn_pool *pool = linn_pool_create(&o, error, sizeof error);
    if (pool == nullptr) {
        Require(error[0] != '\0', "a refusal says why");
        pool = linn_pool_create(&o, error, sizeof error);
        Require(pool != nullptr, "only one call is refused");
    }
    const linn_pool_core *core = &linn_pool_cores[AddressOf(pool) & 0xff];
    std::vector<Held> held, others;
    Allocate(pool, &held);
    std::thread([&] { Allocate(pool, &others); }).join();
    linn_counters c{};
    c.size = sizeof c;
    Require(linn_pool_counters(pool, &c), "counters");
    Require(c.live_blocks == held.size() + others.size(),
            "what is out is counted");
    FreeAll(&others);
    std::thread([&] {
        Allocate(pool, &others);
        FreeAll(&others);
    }).join();
    FreeAll(&held);
    size_t live = 1;
    Require(linn_pool_destroy(pool, &live), "nothing is out");
    Require(live == 0, "nothing is counted as out");
    Require(HeldBytes(core) == 0, "all memory went back");
    // The default pool, once more for everything.
    Allocate(nullptr, &held);
    FreeAll(&held);
}

TEST(OutOfMemoryFreshTest, EachCallInTurn) {
    int children = 0;
    for (size_t arenas : {2u, 0u}) {
        int refused = 0;
        for (uint64_t n = 0;; n++) {
            fflush(stdout);
            pid_t child = fork();
            ASSERT_GE(child, 0);
            if (child == 0) {
                alarm(60);
                linn_page_source_fail_after(n);
                Life(arenas);
                _exit(linn_page_source_faults() > 0 ? kFault : kNoFault);
            }
            int status = -1;
            ASSERT_EQ(waitpid(child, &status, 0), child);
            ASSERT_TRUE(WIFEXITED(status)) << "call " << n << ": " << status;
            children++;
            if (WEXITSTATUS(status) == kNoFault) break;
            ASSERT_EQ(WEXITSTATUS(status), kFault) << "call " << n;
            refused++;
            ASSERT_LT(n, 1000u);
        }
        printf("%zu arenas: %d calls refused in turn\n", arenas, refused);
        EXPECT_GT(refused, 20);
    }
    EXPECT_GT(children, 40);
}

// From some call on, all of them, and the pool serves what it has.
TEST(OutOfMemoryFreshTest, EveryCallFromOneOn) {
    int lives = 0;
    for (uint64_t n = 0; n < 60; n += 3) {
        fflush(stdout);
        pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            alarm(60);
            linn_options o = LINN_OPTIONS_INIT;
            o.arenas = 2;
            o.chunk_order = 7;
            linn_pool *pool = linn_pool_create(&o, nullptr, 0);
            std::vector<Held> held;
            uint64_t calls = linn_page_source_calls();
            while (linn_page_source_calls() < calls + n)
                Allocate(pool, &held);
            linn_page_source_fail_always();
            for (int i = 0; i < 20; i++)
                Allocate(pool, &held);
            std::thread([&] { Allocate(pool, &held); }).join();
            FreeAll(&held);
            linn_page_source_fail_never();
            Allocate(pool, &held);
            Require(held.size() >= 18, "all is well again");
            FreeAll(&held);
            size_t live = 1;
            Require(linn_pool_destroy(pool, &live) && live == 0, "destroyed");
            _exit(0);
        }
        int status = -1;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_EQ(status, 0) << "from call " << n;
        lives++;
    }
    EXPECT_EQ(lives, 20);
}

}  // namespace
