#ifndef LINN_STRESS_FILES_H_
#define LINN_STRESS_FILES_H_

/* files: where a program of ours finds the ones it needs: the cells beside it
 * and the traces among its run files, whether it was started by `bazel run`, by
 * a test or by its path. */

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { STRESS_PATH_MAX = 4096, STRESS_TRACES_MAX = 64 };

/* The path of a file named from the top of the tree ("stress/cell_linn"), as an
 * absolute one.  False if it is nowhere. */
bool stress_find_file(const char *name, char *path, size_t path_size);

struct stress_trace_file {
    char name[64];
    char path[STRESS_PATH_MAX];
};

/* The recorded traces, by name; returns how many. */
size_t stress_find_traces(struct stress_trace_file *traces, size_t most);

/* A path that the user gave, seen from the user's folder (`bazel run` starts us
 * in another). */
void stress_callers_path(const char *given, char *path, size_t path_size);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_FILES_H_ */
