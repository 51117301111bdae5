#ifndef LINN_VERIFY_EXPLORE_THREADS_H_
#define LINN_VERIFY_EXPLORE_THREADS_H_

/* threads: what libc and the kernel keep for each thread of the program: the robust
 * mutexes that it holds, the values of its keys, and its end.
 *
 * A robust mutex is one atomic word, the first eight bytes of the pthread_mutex_t:
 * 0 free, else its owner's number + 1, OWNER_DIED or NOT_RECOVERABLE.  A trylock is a
 * compare-and-swap with acquire, from 0 or from OWNER_DIED; unlocking, and the
 * kernel's giving up of a dead owner's, is an exchange with release.  A trylock may
 * fail for having read an older word: C11 allows that.
 *
 * A thread whose part is over is idle and alive; it dies, or ends with its keys'
 * destructors, where it says so (linn_scenario_dies, linn_scenario_ends).
 *
 * Not modelled: a handler, or a death, between two steps of locking; fork. */

/* What threads have now, they have at the start of each execution. */
void threads_seal(void);

/* As it was at the start. */
void threads_begin(void);

#endif /* LINN_VERIFY_EXPLORE_THREADS_H_ */
