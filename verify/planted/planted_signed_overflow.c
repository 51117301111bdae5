/* Adds one to an int.  With PLANTED it is the largest one, and the undefined
 * behaviour sanitizer must name add_one. */

#include <limits.h>
#include <stdio.h>

#ifdef PLANTED
enum { START = INT_MAX };
#else
enum { START = INT_MAX - 2 };
#endif

__attribute__((noinline)) static int add_one(int n) {
    return n + 1;
}

int main(int argc, char **argv) {
    (void)argv;
    printf("%d\n", add_one(START + (argc - 1)));
    return 0;
}
