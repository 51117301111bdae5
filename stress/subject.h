#ifndef LINN_STRESS_SUBJECT_H_
#define LINN_STRESS_SUBJECT_H_

/* subject: one allocator under the same four calls as all the others.
 *
 *     linn          the lock-free library, linked into the program
 *     linn-locked   its twin, linked likewise (several locks, several names)
 *     glibc         what the C library brings
 *     peers         jemalloc, mimalloc, tcmalloc: loaded in place of glibc's
 *     NAME=file.so  anybody's, see stress_subject_open
 *
 * Every call goes through a pointer of this table, so all subjects pay the same
 * indirect call.  linn pays one jump more, where `pool` is put in front of the
 * size; nothing else stands between a workload and a subject.
 *
 * Checked by: stress/workload_test.cc, stress/compare_test.cc. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What ours can tell of itself.  read_modify_writes and retries are known to a
 * build with LINN_COUNT alone: `counted` says whether they are. */
struct stress_counters {
    uint64_t allocations;
    uint64_t frees;
    uint64_t live_blocks;
    uint64_t held_bytes;
    bool counted;
    uint64_t read_modify_writes;
    uint64_t retries; /* failed compare-and-swaps */
};

struct stress_subject {
    const char *name;
    void *(*alloc)(size_t size);
    void (*free)(void *block);
    void *(*realloc)(void *block, size_t size);
    size_t (*usable_size)(void *block);

    /* The rest may be NULL. */
    void (*thread_end)(void);
    bool (*counters)(struct stress_counters *out);
    /* From now on one in n requests to the operating system fails; 0 ends it.
     * Returns the number of failures so far. */
    uint64_t (*faults)(uint32_t one_in_n);
};

/* glibc's, or whatever LD_PRELOAD put in its place. */
const struct stress_subject *stress_subject_of_process(const char *name);

/* Looks up the four functions of a shared object: subject_alloc, subject_free,
 * subject_realloc and subject_usable_size, or else malloc, free, realloc and
 * malloc_usable_size, if they are defined by this very file (not by what it is
 * linked with).  `file` may be a soname.  NULL on failure, with one line in
 * error. */
const struct stress_subject *stress_subject_open(const char *name,
                                                 const char *file, char *error,
                                                 size_t error_size);

/* Ours, each in its own library: //stress:subject_linn and its twin. */
const struct stress_subject *linn_stress_subject(void);
const struct stress_subject *linn_locked_stress_subject(void);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_SUBJECT_H_ */
