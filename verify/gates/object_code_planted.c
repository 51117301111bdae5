/* What object_code.py must find: a loop, a locked instruction, a second call. */

#include <stddef.h>

void *planted_loop(void **list, size_t size);
void *planted_lock(long *word, size_t size);
void *planted_calls(void **list, size_t size);
void planted_other(void *p);
void *planted_slow(size_t size);

void *planted_loop(void **list, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (list[i] != NULL) return list[i];
    }
    return planted_slow(size);
}

void *planted_lock(long *word, size_t size) {
    long n = __atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
    long a = n * 3, b = n ^ 7, c = n & 12;
    if (size > 7) return planted_slow(size);
    word[1] = a;
    word[2] = b;
    word[3] = c;
    word[4] = a - b;
    word[5] = b - c;
    return word;
}

void *planted_calls(void **list, size_t size) {
    if (size > 100) return planted_slow(size);
    planted_other(list);
    planted_other(list + 1);
    planted_other(list + 2);
    list[3] = list[4];
    list[5] = list[6];
    return list;
}
