#define SYNC_LAYER LINN_COUNT_BUFFER
#include "alloc/buf_descriptor.h"

#include "alloc/check.h"
#include "alloc/page_source.h"
#include "sync/section.h"

_Static_assert(sizeof(struct linn_descriptor) == 128, "two lines");

#define SLAB_BYTES (LINN_DESCRIPTORS_PER_SLAB * sizeof(struct linn_descriptor))

sync_ptr
    linn_descriptor_slabs[LINN_DESCRIPTORS_MAX / LINN_DESCRIPTORS_PER_SLAB];

static sync_u32 born;
static sync_u64 retired;
static struct linn_tagged_stack batches;
static struct linn_section section; /* of the stack and of `born` */

static uint32_t first_generation = 1;

void linn_descriptor_set_first_generation(uint32_t generation) {
    first_generation = generation;
}

uint64_t linn_descriptor_retired(void) {
    return sync_u64_load_relaxed(&retired); /* BD.R2 */
}

uint32_t linn_descriptor_born(void) {
    return sync_u32_load_relaxed(&born); /* BD.H2 */
}

/* ---- lists ---- */

static struct linn_stack_node *next_of(const struct linn_stack_node *node) {
    return linn_stack_node_next(node);
}

static void link_to(struct linn_stack_node *node,
                    struct linn_stack_node *next) {
    sync_ptr_store_relaxed(&node->next, next); /* TS.N2, ours */
}

/* ---- batches ---- */

/* Gives a list of n to all threads. */
static void push_batch(struct linn_stack_node *list, size_t n) {
    struct linn_descriptor *head = linn_descriptor_of(list);
    head->data = (unsigned char *)next_of(list);
    head->capacity = n;
    linn_section_enter(&section);
    linn_tagged_stack_push(&batches, list);
    linn_section_leave(&section);
}

static struct linn_stack_node *pop_batch(size_t *n) {
    linn_section_enter(&section);
    struct linn_stack_node *list = linn_tagged_stack_pop(&batches);
    linn_section_leave(&section);
    if (list == NULL) return NULL;
    struct linn_descriptor *head = linn_descriptor_of(list);
    link_to(list, (struct linn_stack_node *)(void *)head->data);
    *n = head->capacity;
    return list;
}

static bool install_slab(uint32_t index) {
    sync_ptr *slab =
        &linn_descriptor_slabs[index >> LINN_DESCRIPTOR_SLAB_SHIFT];
    if (sync_ptr_load_acquire(slab) != NULL) return true; /* BD.H1 */
    void *fresh = linn_page_source_map(SLAB_BYTES, LINN_CACHE_LINE);
    if (fresh == NULL) return false;
    void *seen = NULL;
    /* BD.N1 release, pairs with BD.H1. */
    if (!sync_ptr_cas_release_relaxed(slab, &seen, fresh)) {
        linn_page_source_unmap(fresh, SLAB_BYTES);
    }
    return true;
}

/* Numbers that nobody had before: the first of LINN_DESCRIPTOR_BATCH of them. */
static bool bump(uint32_t *first) {
    bool done = false;
    uint32_t seen = sync_u32_load_relaxed(&born); /* BD.H2 */
    while (!done) {
        if (seen == LINN_DESCRIPTORS_MAX || !install_slab(seen)) return false;
        *first = seen;
        uint32_t next = seen + LINN_DESCRIPTOR_BATCH;
        linn_section_enter(&section);
        /* BD.C1 relaxed: the slab is published by BD.N1. */
        done = sync_guarded_u32_cas_relaxed_relaxed(&born, &seen, next);
        linn_section_leave(&section);
    }
    return true;
}

static void descriptor_init(struct linn_descriptor *d, uint32_t index) {
    linn_refs_born(&d->count, first_generation);
    d->index = index;
    d->root = d;
    d->kind = LINN_KIND_OWN;
}

static struct linn_stack_node *fresh_batch(size_t *n) {
    uint32_t first;
    if (!bump(&first)) return NULL;
    struct linn_stack_node *list = NULL;
    for (uint32_t i = LINN_DESCRIPTOR_BATCH; i-- > 0;) {
        struct linn_descriptor *d = linn_descriptor_at(first + i);
        descriptor_init(d, first + i);
        link_to(&d->node, list);
        list = &d->node;
    }
    *n = LINN_DESCRIPTOR_BATCH;
    return list;
}

static struct linn_stack_node *take_batch(size_t *n) {
    struct linn_stack_node *list = pop_batch(n);
    return list != NULL ? list : fresh_batch(n);
}

/* ---- one, for who has no cache ---- */

struct linn_descriptor *linn_descriptor_take(void) {
    size_t n;
    struct linn_stack_node *list = take_batch(&n);
    if (list == NULL) return NULL;
    if (n > 1) push_batch(next_of(list), n - 1);
    return linn_descriptor_of(list);
}

static void retire(void) {
    sync_u64_fetch_add_relaxed(&retired, 1); /* BD.R1 */
}

void linn_descriptor_give(struct linn_descriptor *d) {
    if (linn_descriptor_is_spent(d)) {
        retire(); /* D2 */
        return;
    }
    link_to(&d->node, NULL);
    push_batch(&d->node, 1);
}

/* ---- a thread's cache ---- */

static struct linn_stack_node *list_of(const sync_ptr *half) {
    return (struct linn_stack_node *)sync_ptr_load_relaxed(half); /* BD.L1 */
}

static void set_list(sync_ptr *half, struct linn_stack_node *list) {
    sync_compiler_barrier(); /* for who adopts us: in the order of the text */
    sync_ptr_store_relaxed(half, list); /* BD.L2 */
    sync_compiler_barrier();
}

struct linn_descriptor *linn_descriptor_refill(
    struct linn_descriptor_cache *c) {
    struct linn_stack_node *list = list_of(&c->previous);
    if (list != NULL) {
        set_list(&c->loaded, list); /* for a moment both are the same list */
        set_list(&c->previous, NULL);
        c->count = LINN_DESCRIPTOR_BATCH;
    } else {
        size_t n;
        list = take_batch(&n);
        if (list == NULL) return NULL;
        set_list(&c->loaded, list);
        c->count = (uint32_t)n;
    }
    set_list(&c->loaded, next_of(list));
    c->count--;
    return linn_descriptor_of(list);
}

void linn_descriptor_spill(struct linn_descriptor_cache *c) {
    struct linn_stack_node *full = list_of(&c->previous);
    set_list(&c->previous, NULL);
    if (full != NULL) push_batch(full, LINN_DESCRIPTOR_BATCH);
    set_list(&c->previous, list_of(&c->loaded)); /* the same list, as above */
    set_list(&c->loaded, NULL);
    c->count = 0;
}

static void give_half(sync_ptr *half) {
    struct linn_stack_node *list = list_of(half);
    set_list(half, NULL);
    if (list == NULL) return;
    size_t n = 0;
    for (struct linn_stack_node *i = list; i != NULL; i = next_of(i))
        n++;
    push_batch(list, n);
}

void linn_descriptor_cache_flush(struct linn_descriptor_cache *c) {
    /* BD.B4 acquire, pairs with BD.B3: all that its thread did in it. */
    (void)sync_u64_load_acquire(&c->busy);
    if (list_of(&c->previous) == list_of(&c->loaded)) {
        set_list(&c->previous, NULL);
    }
    give_half(&c->previous);
    give_half(&c->loaded);
    c->count = 0;
}
