#include <stddef.h>
#include <stdlib.h>

/* An allocator with a fault: every thousandth block of a thread lies inside the
 * one before it.  compare --check has to find it (stress/compare_test.cc).
 * Nothing is given back, so nothing but the planted fault can break a canary. */

void *subject_alloc(size_t size);
void subject_free(void *block);
void *subject_realloc(void *block, size_t size);
size_t subject_usable_size(void *block);

enum { ROOM = 1 << 16, INSIDE = 32 };

static __thread unsigned char *last;
static __thread unsigned count;

void *subject_alloc(size_t size) {
    if (++count % 1000 == 0 && last != NULL) return last + INSIDE;
    last = (unsigned char *)malloc(size + ROOM);
    return last;
}

void subject_free(void *block) {
    (void)block;
}

void *subject_realloc(void *block, size_t size) {
    return block != NULL ? block : subject_alloc(size);
}

size_t subject_usable_size(void *block) {
    (void)block;
    return ROOM / 2;
}
