/* What lock_race_test.sh runs: `lock_race KIND clean` works under the lock alone;
 * `lock_race KIND racy` touches the payload once after each release. */

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "sync/lock.h"

enum { ROUNDS = 300 };

static struct linn_lock lock;
static long payload; /* plain on purpose */
static int racy;
static pthread_barrier_t both_ready;

static void *work(void *unused) {
    /* Each thread has its node before the other can end and leave one behind:
     * the pool of nodes would order the two, and rightly hide the race. */
    linn_lock_acquire(&lock);
    linn_lock_release(&lock);
    pthread_barrier_wait(&both_ready);
    for (int i = 0; i < ROUNDS; i++) {
        linn_lock_acquire(&lock);
        payload++;
        linn_lock_release(&lock);
        if (racy) payload++;
    }
    return unused;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    enum linn_lock_kind kind = linn_lock_kind_by_name(argv[1]);
    if (kind == LINN_LOCK_KINDS) return 2;
    racy = strcmp(argv[2], "racy") == 0;
    linn_lock_choose(kind);
    linn_lock_init(&lock);
    pthread_barrier_init(&both_ready, NULL, 2);
    pthread_t one, two;
    if (pthread_create(&one, NULL, work, NULL) != 0) return 2;
    if (pthread_create(&two, NULL, work, NULL) != 0) return 2;
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    printf("payload %ld\n", payload);
    return !racy && payload != 2L * ROUNDS;
}
