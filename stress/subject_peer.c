#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/subject.h"

static struct stress_subject of_process;
static struct stress_subject opened;

const struct stress_subject *stress_subject_of_process(const char *name) {
    of_process.name = name;
    of_process.alloc = malloc;
    of_process.free = free;
    of_process.realloc = realloc;
    of_process.usable_size = malloc_usable_size;
    return &of_process;
}

/* A function of the object itself: dlsym also answers with what the object's
 * dependencies define, and that would be glibc's malloc once more. */
static void *own_symbol(void *object, const char *symbol) {
    void *found = dlsym(object, symbol);
    Dl_info info;
    struct link_map *map;
    if (found == NULL || dladdr(found, &info) == 0) return NULL;
    if (dlinfo(object, RTLD_DI_LINKMAP, &map) != 0) return NULL;
    return (uintptr_t)info.dli_fbase == map->l_addr ? found : NULL;
}

static void *either(void *object, const char *first, const char *second) {
    void *found = own_symbol(object, first);
    return found != NULL ? found : own_symbol(object, second);
}

const struct stress_subject *stress_subject_open(const char *name,
                                                 const char *file, char *error,
                                                 size_t error_size) {
    void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        snprintf(error, error_size, "%s", dlerror());
        return NULL;
    }
    opened.name = name;
    /* POSIX lets a pointer to an object be used as one to a function here; C
     * does not let it be converted, so it is copied. */
    struct {
        const char *name, *fallback;
        void *slot;
    } wanted[] = {
        {"subject_alloc", "malloc", &opened.alloc},
        {"subject_free", "free", &opened.free},
        {"subject_realloc", "realloc", &opened.realloc},
        {"subject_usable_size", "malloc_usable_size", &opened.usable_size},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *found = either(object, wanted[i].name, wanted[i].fallback);
        if (found == NULL) {
            snprintf(error, error_size, "%s defines neither %s nor %s", file,
                     wanted[i].name, wanted[i].fallback);
            return NULL;
        }
        memcpy(wanted[i].slot, &found, sizeof found);
    }
    return &opened;
}
