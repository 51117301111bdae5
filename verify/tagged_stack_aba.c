/* A pops a node and is slow between its look at the link and its compare-and-swap;
 * B pops both nodes and pushes the first one back.  Without a tag, or with one that
 * a removal leaves as it was, A now puts the node that B owns on the stack.
 *
 * The tag is near its wrap.  Payload plain: two owners at once are a data race. */

#include "sync/section.h"
#include "sync/tagged_stack.h"
#include "verify/scenario.h"

#define FIRST_TAG (UINT64_MAX - 4)

static struct object {
    struct linn_stack_node node; /* first: a node is its object */
    long payload;
} objects[2];
static struct linn_tagged_stack stack;
static struct linn_section section;
static long pops[2];

static struct object *pop(void) {
    linn_section_enter(&section);
    struct linn_stack_node *node = linn_tagged_stack_pop(&stack);
    linn_section_leave(&section);
    return (struct object *)(void *)node;
}

static void push(struct object *o) {
    linn_section_enter(&section);
    linn_tagged_stack_push(&stack, &o->node);
    linn_section_leave(&section);
}

static void before(void) {
    linn_tagged_stack_init(&stack, FIRST_TAG);
    for (int i = 0; i < 2; i++) {
        objects[i].payload = 0;
        push(&objects[i]);
    }
    pops[0] = pops[1] = 0;
}

static void thread0(void) {
    struct object *a = pop();
    if (a == NULL) return;
    linn_scenario_touch(&a->payload);
    pops[0]++;
    push(a);
}

static void thread1(void) {
    struct object *a = pop(), *b = pop();
    if (a != NULL) {
        linn_scenario_touch(&a->payload);
        pops[1]++;
        push(a);
    }
    if (b != NULL) {
        linn_scenario_touch(&b->payload);
        pops[1]++;
        push(b);
    }
}

enum { ALL_THREE, EMPTY_ONCE };

static void after(void) {
    struct object *a = pop(), *b = pop();
    LINN_SCENARIO_CHECK(a != NULL && b != NULL && a != b);
    LINN_SCENARIO_CHECK(pop() == NULL);
    LINN_SCENARIO_CHECK(a->payload + b->payload == pops[0] + pops[1]);
    linn_scenario_saw(pops[0] + pops[1] == 3 ? ALL_THREE : EMPTY_ONCE);
}

LINN_SCENARIO(tagged_stack_aba, .labels = "TS.N2 TS.H1 TS.H2 TS.H4 TS.P1 TS.O1",
              .bound = "2 nodes; one thread pops and pushes one, one both",
              .before = before, .thread = {thread0, thread1}, .after = after,
              .outcome = {[ALL_THREE] = "each pop found a node",
                          [EMPTY_ONCE] = "a pop found the stack empty"},
              .rounds = 200000);
