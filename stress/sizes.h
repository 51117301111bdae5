#ifndef LINN_STRESS_SIZES_H_
#define LINN_STRESS_SIZES_H_

/* sizes: what a network program asks for, as two distributions.
 *
 *   proxy     a web-socket proxy's buffers, our own mixture with the shares of
 *             the table in Netty's allocation-pattern benchmark:
 *             up to 64 B 14 %, 256 B 24 %, 513..640 B 11 %, 1024 B 33 %,
 *             2048 B 3 %, about 16.6 KiB 11 %, the rest 1 to 5.5 KiB 4 %;
 *             mean about 2.5 KB
 *   gateway   an API gateway: log-normal, mu 7.6, sigma 1.0, clamped to
 *             8 B .. 1 MiB; median 2 KiB, 99 % below 20 KiB
 *
 * A table of drawn sizes is walked in order, so drawing costs a workload a
 * sixteenth of a cache line and no arithmetic. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { STRESS_SIZES = 65536 }; /* entries of a table; a power of two */

/* Fill table[0 .. STRESS_SIZES), the same for the same seed. */
void stress_sizes_proxy(uint32_t *table, uint64_t seed);
void stress_sizes_gateway(uint32_t *table, uint64_t seed);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_SIZES_H_ */
