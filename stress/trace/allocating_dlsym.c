/* allocating_dlsym: a dlsym that needs memory, as those of other C libraries
 * and of older glibc did.  Preloaded behind the recorder by recorder_test. */

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* What such a dlsym keeps for dlerror. */
static char *kept;
static void *early_one;

void *dlsym(void *restrict handle, const char *restrict name) {
    static void *(*real)(void *, const char *);
    if (real == NULL) {
        void *found = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
        if (found == NULL) abort();
        memcpy(&real, &found, sizeof real);
    }
    if (early_one == NULL) early_one = malloc(10);
    char *zero = calloc(3, 50), *grown = malloc(20);
    if (zero == NULL || grown == NULL || zero[149] != 0) abort();
    memset(grown, 'x', 20);
    char *more = realloc(grown, 300);
    if (more == NULL || more[19] != 'x') abort();
    free(zero);
    free(kept);
    kept = more;
    return real(handle, name);
}

/* By now the recorder knows the real functions, which never saw this block. */
__attribute__((destructor)) static void give_back(void) {
    char *more = realloc(kept, 400);
    if (more == NULL || more[19] != 'x') abort();
    free(more);
    free(early_one);
}
