/* The attributes of linn.h in ordinary use: this file compiles without a warning
 * (warnings are errors here), and does what it says.  attributes_wrong.c is the
 * other side.  It is plain C, and the only header of linn's is linn.h. */

#include <stdio.h>
#include <string.h>

#include "alloc/linn.h"

struct node {
    struct node *next;
    char text[40];
};

/* A constructor and a destructor of a user's, as users write them. */
static struct node *node_make(linn_pool *pool, const char *text) {
    struct node *n = linn_alloc(pool, sizeof *n);
    if (n == NULL) return NULL;
    n->next = NULL;
    strncpy(n->text, text, sizeof n->text - 1);
    n->text[sizeof n->text - 1] = '\0';
    return n;
}

static int list(linn_pool *pool) {
    struct node *head = NULL;
    for (int i = 0; i < 10; i++) {
        struct node *n = node_make(pool, "a node");
        if (n == NULL) return 1;
        n->next = head;
        head = n;
    }
    int length = 0;
    while (head != NULL) {
        struct node *next = head->next;
        if (strcmp(head->text, "a node") != 0) return 1;
        linn_free(head);
        head = next;
        length++;
    }
    return length == 10 ? 0 : 1;
}

/* A block that grows, and the old pointer that is dropped only on success. */
static int growing(linn_pool *pool) {
    size_t size = 16;
    char *p = linn_alloc(pool, size);
    if (p == NULL) return 1;
    memset(p, 'x', size);
    while (size < 100000) {
        char *grown = linn_realloc(pool, p, size * 2);
        if (grown == NULL) {
            linn_free(p);
            return 1;
        }
        p = grown;
        memset(p + size, 'x', size);
        size *= 2;
    }
    int wrong = 0;
    for (size_t i = 0; i < size; i++)
        wrong += p[i] != 'x';
    linn_free(p);
    return wrong;
}

/* The compiler may believe the alignment (alloc_align); it had better be true. */
static int aligned(linn_pool *pool) {
    int wrong = 0;
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        void *p = linn_alloc_aligned(pool, alignment, 100);
        if (p == NULL) return 1;
        wrong += ((uintptr_t)p & (alignment - 1)) != 0;
        linn_free(p);
    }
    return wrong;
}

int main(void) {
    char error[200] = "";
    struct linn_options options = LINN_OPTIONS_INIT;
    options.arenas = 1;
    linn_pool *pool = linn_pool_create(&options, error, sizeof error);
    if (pool == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    int wrong = list(pool) + list(NULL) + growing(pool) + aligned(pool);
    size_t live = 1;
    if (!linn_pool_destroy(pool, &live) || live != 0) wrong++;
    printf("linn %s: %d wrong\n", linn_version(), wrong);
    return wrong == 0 ? 0 : 1;
}
