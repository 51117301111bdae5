#include "sync/reclaim.h"

sync_u64 linn_reclaim_sequence;

void linn_grace_start(struct linn_grace *g) {
    g->next = 0;
    /* RC.G1 acq_rel, pairs with RC.H1: what the caller unpublished is not
     * published for a section that copies the new sequence. */
    g->sequence = sync_u64_fetch_add_acq_rel(&linn_reclaim_sequence, 1) + 1;
    g->begun = linn_asym_heavy();
    /* After the barrier: a thread that raises the limit later enters its first
     * section later still. */
    g->limit = linn_thread_limit();
}

bool linn_grace_poll(struct linn_grace *g) {
    if (!g->begun) {
        /* The barrier failed.  It fails for ever, or a test has repaired it. */
        linn_grace_start(g);
        return false;
    }
    for (; g->next < g->limit; g->next++) {
        const struct linn_thread *t = linn_thread_at(g->next);
        if (t == NULL) continue;
        /* RC.P2 acquire, pairs with RC.L1 and RC.C1 (and with the entries that
         * may follow them): the reads of a section that is over are done. */
        uint64_t section = sync_u64_load_acquire(&t->section);
        if (section == 0) continue;
        if (linn_reclaim_is_before(section, g->sequence)) return false;
    }
    return true;
}

void linn_reclaim_set_sequence(uint64_t sequence) {
    /* RC.T1 relaxed: before the threads of the test. */
    sync_u64_store_relaxed(&linn_reclaim_sequence, sequence);
}
