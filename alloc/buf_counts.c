/* Counts read-modify-writes of buffer operations, with a library built to count
 * (sync/count.h).  Prints each figure; exit 1 when one is not what it must be. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc/linn_buf.h"
#include "sync/count.h"

enum { ROUNDS = 1000 };

static int faults, figures;

static uint64_t rmws(void) {
    uint64_t sum = 0;
    for (int layer = 0; layer < LINN_COUNT_LAYERS; layer++) {
        struct linn_count c;
        linn_count_read((enum linn_count_layer)layer, &c);
        sum += c.rmws;
    }
    return sum;
}

static void must(linn_buf_status status) {
    if (status == LINN_BUF_OK) return;
    printf("%s\n", linn_buf_status_name(status));
    exit(2);
}

/* Runs it ROUNDS times; each must cost `want`, neither more nor less. */
static void check(const char *what, void (*f)(linn_buf b), linn_buf b,
                  uint64_t want) {
    for (int i = 0; i < 100; i++)
        f(b);
    uint64_t before = rmws();
    for (int i = 0; i < ROUNDS; i++)
        f(b);
    uint64_t found = rmws() - before;
    printf("%s: %.3f read-modify-writes (%llu)\n", what, (double)found / ROUNDS,
           (unsigned long long)want);
    figures++;
    if (found != want * ROUNDS) faults++;
}

static void retain_release(linn_buf b) {
    must(linn_buf_retain(b));
    must(linn_buf_release(b));
}

static void alloc_release(linn_buf unused) {
    (void)unused;
    must(linn_buf_release(linn_buf_alloc(NULL, 256)));
}

static void alloc_share_release(linn_buf unused) {
    (void)unused;
    linn_buf b = linn_buf_alloc(NULL, 256);
    must(linn_buf_retain(b));
    must(linn_buf_release(b));
    must(linn_buf_release(b));
}

static void alloc_publish_release(linn_buf unused) {
    (void)unused;
    linn_buf b = linn_buf_alloc(NULL, 256);
    must(linn_buf_publish(b));
    must(linn_buf_release(b));
}

static void find_release(linn_buf b) {
    must(linn_buf_try_retain(b));
    must(linn_buf_release(b));
}

static void retained_slice(linn_buf b) {
    linn_buf s;
    must(linn_buf_retained_slice(b, 0, 10, &s));
    must(linn_buf_release(s));
}

static void alloc_slice_release(linn_buf unused) {
    (void)unused;
    linn_buf b = linn_buf_alloc(NULL, 256), s;
    must(linn_buf_slice(b, 0, 10, &s));
    must(linn_buf_release(s));
}

static void numbers(linn_buf b) {
    uint64_t u;
    must(linn_buf_set_u64(b, 3, 7));
    must(linn_buf_get_u64_le(b, 3, &u));
    must(linn_buf_write_u32(b, 1));
    must(linn_buf_skip(b, 4));
    must(linn_buf_clear(b));
}

static void release_of_the_dead(linn_buf b) {
    if (linn_buf_release(b) != LINN_BUF_DEAD) exit(2);
    if (linn_buf_retain(b) != LINN_BUF_DEAD) exit(2);
}

int main(void) {
    linn_buf b = linn_buf_alloc(NULL, 100), p = linn_buf_alloc(NULL, 100);
    linn_buf dead = linn_buf_alloc(NULL, 100);
    must(linn_buf_publish(p));
    must(linn_buf_release(dead));
    check("retain and release of a shared buffer", retain_release, b, 2);
    check("allocate and release, shared by nobody", alloc_release, b, 0);
    check("the same, shared for a while", alloc_share_release, b, 2);
    check("allocate, publish and release", alloc_publish_release, b, 1);
    check("find a published buffer and release it", find_release, p, 2);
    check("retained slice and its release", retained_slice, b, 2);
    check("allocate, slice, release the slice", alloc_slice_release, b, 1);
    check("numbers in and out", numbers, b, 0);
    check("retain and release of the dead", release_of_the_dead, dead, 0);
    must(linn_buf_release(b));
    must(linn_buf_release(p));
    printf("%d figures, %d wrong\n", figures, faults);
    return faults == 0 && figures == 9 ? 0 : 1;
}
