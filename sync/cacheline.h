#ifndef LINN_SYNC_CACHELINE_H_
#define LINN_SYNC_CACHELINE_H_

/* cacheline: keeps words that different threads write on different lines.
 *
 * 64 bytes is the line of every x86-64.  (The adjacent-line prefetcher makes
 * pairs of lines travel together on some; two words that must not meet there
 * are 128 bytes apart by their owner's choice, not by this header's.) */

#define LINN_CACHE_LINE   64
#define LINN_ALIGNED_LINE __attribute__((aligned(LINN_CACHE_LINE)))

#endif /* LINN_SYNC_CACHELINE_H_ */
