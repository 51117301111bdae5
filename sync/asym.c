#include "sync/asym.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

sync_u32 linn_asym_mode_word;

static bool membarrier_does(int command) {
    /* errno belongs to the caller, who may be a signal handler. */
    int saved = errno;
    bool done = syscall(SYS_membarrier, command, 0, 0) == 0;
    errno = saved;
    return done;
}

enum linn_asym_mode linn_asym_start(void) {
    bool works = membarrier_does(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
                 membarrier_does(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    uint32_t mode = works ? LINN_ASYM_MEMBARRIER : LINN_ASYM_NONE;
    uint32_t seen = LINN_ASYM_UNKNOWN;
    /* AS.N1 relaxed: the first answer stands for every thread, so that a hot
     * side never sees the mode change from "none" to "membarrier". */
    if (!sync_u32_cas_relaxed_relaxed(&linn_asym_mode_word, &seen, mode)) {
        mode = seen;
    }
    return (enum linn_asym_mode)mode;
}

/* Before there is a second thread, so that nobody ever finds it unknown but
 * code that runs before the constructors. */
__attribute__((constructor)) static void start_early(void) {
    (void)linn_asym_start();
}

bool linn_asym_heavy(void) {
#if LINN_CHECKER
    sync_full_fence();
    return true;
#else
    uint32_t mode = sync_u32_load_relaxed(&linn_asym_mode_word); /* AS.H1 */
    if (mode == LINN_ASYM_UNKNOWN) mode = (uint32_t)linn_asym_start();
    if (mode == LINN_ASYM_NONE) {
        sync_full_fence();
        return true;
    }
    if (mode == LINN_ASYM_LOST) return false;
    if (membarrier_does(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return true;
    if (membarrier_does(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
        membarrier_does(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) {
        return true;
    }
    /* AS.X1 relaxed: hot sides that enter from now on fence for themselves,
     * which helps nobody but is what the mode says. */
    sync_u32_store_relaxed(&linn_asym_mode_word, LINN_ASYM_LOST);
    return false;
#endif
}

void linn_asym_force_unavailable(bool unavailable) {
    /* AS.T1 relaxed: the test is alone. */
    sync_u32_store_relaxed(&linn_asym_mode_word,
                           unavailable ? LINN_ASYM_NONE : LINN_ASYM_UNKNOWN);
    if (!unavailable) (void)linn_asym_start();
}

void linn_asym_force_lost(void) {
    /* AS.T1 relaxed: the test is alone. */
    sync_u32_store_relaxed(&linn_asym_mode_word, LINN_ASYM_LOST);
}
