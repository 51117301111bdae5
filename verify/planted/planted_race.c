/* Two threads add to one plain word.  With PLANTED the threads take no lock,
 * and ThreadSanitizer must name count_up; without it they do, and it must be
 * silent. */

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

enum { ROUNDS = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t count;

static void *count_up(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
#ifndef PLANTED
        pthread_mutex_lock(&lock);
#endif
        count++;
#ifndef PLANTED
        pthread_mutex_unlock(&lock);
#endif
    }
    return unused;
}

int main(void) {
    pthread_t other;
    if (pthread_create(&other, NULL, count_up, NULL) != 0) {
        return 2;
    }
    count_up(NULL);
    pthread_join(other, NULL);
    /* The lock is read here in both builds, so that neither has it unused. */
    pthread_mutex_lock(&lock);
    printf("%llu\n", (unsigned long long)count);
    pthread_mutex_unlock(&lock);
    return 0;
}
