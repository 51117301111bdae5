/* Mistakes that the attributes of linn.h show to the compiler.  Never run, and
 * compiled by attributes_wrong_test.sh alone, which wants a warning for each line that
 * says so: "WANT" and the name of the warning. */

#include <stddef.h>
#include <stdlib.h>

#include "linn.h"

char take(const char *p);

/* Freed by the wrong function. */
void wrong_free(linn_pool *pool) {
    void *p = linn_alloc(pool, 100);
    free(p); /* WANT mismatched-dealloc */
}

void wrong_alloc(void) {
    void *p = malloc(100);
    linn_free(p); /* WANT mismatched-dealloc */
}

void wrong_aligned(linn_pool *pool) {
    void *p = linn_alloc_aligned(pool, 64, 100);
    free(p); /* WANT mismatched-dealloc */
}

/* Not the start of the block. */
void inside(linn_pool *pool) {
    char *p = linn_alloc(pool, 100);
    linn_free(p + 8); /* WANT free-nonheap-object */
}

/* Not of the heap at all. */
void local(void) {
    char on_the_stack[16];
    linn_free(on_the_stack); /* WANT free-nonheap-object */
}

/* Nobody will free these. */
void forgotten(linn_pool *pool) {
    linn_alloc(pool, 100);                   /* WANT unused-result */
    linn_alloc_aligned(pool, 64, 100);       /* WANT unused-result */
    linn_pool_create(NULL, NULL, (size_t)0); /* WANT unused-result */
}

/* The old pointer is gone. */
void lost(linn_pool *pool, void *p) {
    linn_realloc(pool, p, 100); /* WANT unused-result */
}

/* Used after it was freed. */
char used_after(linn_pool *pool) {
    char *p = linn_alloc(pool, 100);
    p[0] = 1;
    linn_free(p);
    return take(p); /* WANT use-after-free */
}

/* More than there can be. */
void *too_large(linn_pool *pool) {
    return linn_alloc(pool, (size_t)-1); /* WANT alloc-size-larger-than= */
}

void *too_large_aligned(linn_pool *pool) {
    return linn_alloc_aligned(pool, 64, /* WANT alloc-size-larger-than= */
                              (size_t)-4096);
}

/* Beyond the end. */
void beyond(linn_pool *pool) {
    char *p = linn_alloc(pool, 100);
    if (p == NULL) return;
    p[100] = 1; /* WANT array-bounds */
    take(p);
    linn_free(p);
}
