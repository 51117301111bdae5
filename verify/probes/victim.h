#ifndef LINN_VERIFY_PROBES_VICTIM_H_
#define LINN_VERIFY_PROBES_VICTIM_H_

/* victim: the traced process.  A controller starts victims, each a thread that
 * carries out one operation; two workers and the threads and children that they
 * start are what must not be blocked. */

#include <stdbool.h>
#include <stdint.h>

#include "verify/probes/mail.h"

struct linn_probe_operation {
    const char *name;
    void (*prepare)(void); /* not stepped */
    void (*run)(void);     /* stepped */
    bool to_the_end;       /* stepped until the thread has ended */
    uint32_t field; /* ledger.field that the operation must raise, or 0 */
};

extern const struct linn_probe_operation linn_probe_operations[];
extern const uint32_t linn_probe_operation_count;

/* The victim carries out random operations until it is killed; the seed is in the
 * bits above. */
#define LINN_PROBE_RANDOM UINT64_C(0xff)

/* Fields of the ledger. */
enum {
    LINN_PROBE_REFILLS = 1,
    LINN_PROBE_FLUSHES,
    LINN_PROBE_DRAINS,
    LINN_PROBE_BORN,
    LINN_PROBE_DIED,
    LINN_PROBE_HUGE,
    LINN_PROBE_SUBPAGES_GONE,
};

/* The traced process's main; does not return. */
void linn_probe_child(struct linn_probe_mail *mail) __attribute__((noreturn));

#endif /* LINN_VERIFY_PROBES_VICTIM_H_ */
