#ifndef LINN_STRESS_CELL_H_
#define LINN_STRESS_CELL_H_

/* cell: one measurement in a process of its own: one subject, one workload, one
 * number of threads, one pass.  compare starts it by exec, so no subject sees
 * another one's memory, thread-local storage or constructors.
 *
 *     cell_linn     linked with //alloc:linn
 *     cell_locked   linked with //alloc:linn_locked
 *     cell_peer     linked with neither
 *
 * Peers come by LD_PRELOAD.  That is how they are used and built for: their
 * thread-local storage is of the initial-exec kind, which dlopen may have no
 * room for (jemalloc), and their fork and thread hooks are in place from the
 * start.  The price is that the cell's own few calls of malloc reach them too;
 * none falls into the measured stretch but pthread_create's, which is theirs in
 * real life as well.  Only functions that the peer itself defines are called,
 * so a peer that is not there cannot be glibc in disguise.  In a sanitizer's
 * build, which has a malloc of its own, a subject is opened by dlopen.
 *
 * Exit status: 0 measured; 1 could not, and stderr says why; 3 a canary was
 * broken; 4 the subject is not on this machine.
 * Checked by: stress/compare_test.cc. */

#include "stress/subject.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STRESS_EXIT_MISSING = 4 };

/* `ours` is NULL in cell_peer. */
int stress_cell_main(int argc, char **argv, const struct stress_subject *ours);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_CELL_H_ */
