#ifndef LINN_VERIFY_FAULTS_SITES_H_
#define LINN_VERIFY_FAULTS_SITES_H_

/* sites: put in front of every source of a copy of the library by -include, so
 * that each compare-and-swap of a shared word says where it stands and asks before
 * it is made.  Nothing of the library changes, and nothing is in it when this file
 * is not: the wrappers are macros of the functions' own names, which do not expand
 * again inside themselves. */

#include "sync/atomic.h"
#include "sync/section.h"

enum linn_fault_width { LINN_FAULT_4, LINN_FAULT_8, LINN_FAULT_16 };

/* Before the compare-and-swap at file:line of `word`, which expects what is at
 * `seen`.  It may change the word, as another thread would; true: the operation is
 * to fail although the word is as expected. */
bool linn_fault_before(const char *file, int line, void *word, const void *seen,
                       enum linn_fault_width width);
void linn_fault_after(bool done);

#define LINN_FAULT_WRAP(type, value_t, name, width)                      \
    static inline bool linn_fault_##type##_##name(                       \
        sync_##type *w, value_t *seen, value_t next, const char *file,   \
        int line) {                                                      \
        bool refused = linn_fault_before(file, line, w, seen, width);    \
        bool done = !refused && sync_##type##_cas_##name(w, seen, next); \
        linn_fault_after(done);                                          \
        return done;                                                     \
    }

#define LINN_FAULT_WRAP_ALL(type, value_t, width)          \
    LINN_FAULT_WRAP(type, value_t, relaxed_relaxed, width) \
    LINN_FAULT_WRAP(type, value_t, acquire_relaxed, width) \
    LINN_FAULT_WRAP(type, value_t, acquire_acquire, width) \
    LINN_FAULT_WRAP(type, value_t, release_relaxed, width) \
    LINN_FAULT_WRAP(type, value_t, acq_rel_relaxed, width) \
    LINN_FAULT_WRAP(type, value_t, acq_rel_acquire, width)

LINN_FAULT_WRAP_ALL(u32, uint32_t, LINN_FAULT_4)
LINN_FAULT_WRAP_ALL(u64, uint64_t, LINN_FAULT_8)
LINN_FAULT_WRAP_ALL(ptr, void *, LINN_FAULT_8)
LINN_FAULT_WRAP(pair, sync_pair_value, acq_rel_acquire, LINN_FAULT_16)

#define LINN_FAULT_HERE(type, name, w, seen, next) \
    linn_fault_##type##_##name(w, seen, next, __FILE__, __LINE__)

/* Every one that atomic.h has, and below every guarded one. */
#define sync_u32_cas_relaxed_relaxed(w, s, n) \
    LINN_FAULT_HERE(u32, relaxed_relaxed, w, s, n)
#define sync_u32_cas_acquire_relaxed(w, s, n) \
    LINN_FAULT_HERE(u32, acquire_relaxed, w, s, n)
#define sync_u32_cas_acquire_acquire(w, s, n) \
    LINN_FAULT_HERE(u32, acquire_acquire, w, s, n)
#define sync_u32_cas_release_relaxed(w, s, n) \
    LINN_FAULT_HERE(u32, release_relaxed, w, s, n)
#define sync_u32_cas_acq_rel_relaxed(w, s, n) \
    LINN_FAULT_HERE(u32, acq_rel_relaxed, w, s, n)
#define sync_u32_cas_acq_rel_acquire(w, s, n) \
    LINN_FAULT_HERE(u32, acq_rel_acquire, w, s, n)
#define sync_u64_cas_relaxed_relaxed(w, s, n) \
    LINN_FAULT_HERE(u64, relaxed_relaxed, w, s, n)
#define sync_u64_cas_acquire_relaxed(w, s, n) \
    LINN_FAULT_HERE(u64, acquire_relaxed, w, s, n)
#define sync_u64_cas_acquire_acquire(w, s, n) \
    LINN_FAULT_HERE(u64, acquire_acquire, w, s, n)
#define sync_u64_cas_release_relaxed(w, s, n) \
    LINN_FAULT_HERE(u64, release_relaxed, w, s, n)
#define sync_u64_cas_acq_rel_relaxed(w, s, n) \
    LINN_FAULT_HERE(u64, acq_rel_relaxed, w, s, n)
#define sync_u64_cas_acq_rel_acquire(w, s, n) \
    LINN_FAULT_HERE(u64, acq_rel_acquire, w, s, n)
#define sync_ptr_cas_relaxed_relaxed(w, s, n) \
    LINN_FAULT_HERE(ptr, relaxed_relaxed, w, s, n)
#define sync_ptr_cas_acquire_relaxed(w, s, n) \
    LINN_FAULT_HERE(ptr, acquire_relaxed, w, s, n)
#define sync_ptr_cas_acquire_acquire(w, s, n) \
    LINN_FAULT_HERE(ptr, acquire_acquire, w, s, n)
#define sync_ptr_cas_release_relaxed(w, s, n) \
    LINN_FAULT_HERE(ptr, release_relaxed, w, s, n)
#define sync_ptr_cas_acq_rel_relaxed(w, s, n) \
    LINN_FAULT_HERE(ptr, acq_rel_relaxed, w, s, n)
#define sync_ptr_cas_acq_rel_acquire(w, s, n) \
    LINN_FAULT_HERE(ptr, acq_rel_acquire, w, s, n)
#define sync_guarded_u32_cas_relaxed_relaxed(w, s, n) \
    LINN_FAULT_HERE(u32, relaxed_relaxed, w, s, n)
#define sync_guarded_u32_cas_acquire_relaxed(w, s, n) \
    LINN_FAULT_HERE(u32, acquire_relaxed, w, s, n)
#define sync_guarded_u32_cas_acq_rel_relaxed(w, s, n) \
    LINN_FAULT_HERE(u32, acq_rel_relaxed, w, s, n)
#define sync_guarded_u64_cas_acquire_relaxed(w, s, n) \
    LINN_FAULT_HERE(u64, acquire_relaxed, w, s, n)
#define sync_guarded_u64_cas_release_relaxed(w, s, n) \
    LINN_FAULT_HERE(u64, release_relaxed, w, s, n)
#define sync_guarded_u64_cas_acq_rel_relaxed(w, s, n) \
    LINN_FAULT_HERE(u64, acq_rel_relaxed, w, s, n)
#define sync_guarded_pair_cas_acq_rel_acquire(w, s, n) \
    LINN_FAULT_HERE(pair, acq_rel_acquire, w, s, n)

#endif /* LINN_VERIFY_FAULTS_SITES_H_ */
