#ifndef LINN_SYNC_CHAOS_H_
#define LINN_SYNC_CHAOS_H_

/* chaos: random yields at each access of a shared word (--config=chaos), so that
 * two processors visit the interleavings of many.
 *
 * Each thread draws from its own generator, seeded by one number for the process
 * and by the order in which threads came; about one access in sixteen yields.
 * The process's number is LINN_CHAOS_SEED, or the time; it is printed once, so
 * that a failure can be tried again.  (Not replayed: the kernel schedules.)
 *
 * Progress: wait-free but for sched_yield.  Any thread, any signal handler. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Made by SYNC_POINT of sync/atomic.h before each access. */
void linn_chaos_point(void);

/* How often the calling thread passed a point, and how often it yielded. */
uint64_t linn_chaos_points(void);
uint64_t linn_chaos_yields(void);

/* The process's number; draws and prints it if nobody has. */
uint64_t linn_chaos_seed(void);

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_CHAOS_H_ */
