#include "stress/files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACE_ENDING ".trace.xz"

/* Three strings, one after the other; false, and nothing, if they do not fit. */
static bool join(char *out, size_t size, const char *a, const char *b,
                 const char *c) {
    int length = snprintf(out, size, "%s%s%s", a, b, c);
    if (length >= 0 && (size_t)length < size) return true;
    out[0] = 0;
    return false;
}

/* The i-th folder that may be the top of the tree; false after the last. */
static bool top_folder(int i, char *folder, size_t size) {
    /* Bazel names the tree's folder after the workspace, or _main since 7. */
    static const char *const trees[] = {"linn", "_main"};
    char exe[STRESS_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[length > 0 ? length : 0] = 0;
    const char *tree = trees[i % 2];
    const char *from = NULL;
    switch (i / 2) {
        case 0:
            (void)join(folder, size, exe, ".runfiles/", tree);
            return true;
        case 1:
            from = getenv("TEST_SRCDIR");
            break;
        case 2:
            from = getenv("RUNFILES_DIR");
            break;
        case 3: {
            /* The folder two above the program: the top of its output tree. */
            for (int up = 0; up < 2; up++) {
                char *slash = strrchr(exe, '/');
                if (slash != NULL) *slash = 0;
            }
            (void)join(folder, size, exe, "", "");
            return true;
        }
        case 4:
            return getcwd(folder, size) != NULL;
        default:
            return false;
    }
    (void)join(folder, size, from != NULL ? from : "", "/", tree);
    return true;
}

bool stress_find_file(const char *name, char *path, size_t path_size) {
    char folder[STRESS_PATH_MAX];
    for (int i = 0; top_folder(i, folder, sizeof folder); i++) {
        if (join(path, path_size, folder, "/", name) && path[0] == '/' &&
            access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_trace(const char *name, size_t *stem) {
    size_t length = strlen(name), ending = strlen(TRACE_ENDING);
    if (length <= ending) return false;
    *stem = length - ending;
    return strcmp(name + *stem, TRACE_ENDING) == 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct stress_trace_file *)a)->name,
                  ((const struct stress_trace_file *)b)->name);
}

size_t stress_find_traces(struct stress_trace_file *traces, size_t most) {
    char folder[STRESS_PATH_MAX];
    size_t count = 0;
    if (!stress_find_file("stress/traces", folder, sizeof folder)) return 0;
    DIR *listing = opendir(folder);
    if (listing == NULL) return 0;
    struct dirent *entry;
    while (count < most && (entry = readdir(listing)) != NULL) {
        size_t stem;
        if (!is_trace(entry->d_name, &stem)) continue;
        struct stress_trace_file *t = &traces[count++];
        snprintf(t->name, sizeof t->name, "%.*s", (int)stem, entry->d_name);
        if (!join(t->path, sizeof t->path, folder, "/", entry->d_name)) {
            count--;
        }
    }
    closedir(listing);
    qsort(traces, count, sizeof traces[0], by_name);
    return count;
}

void stress_callers_path(const char *given, char *path, size_t path_size) {
    const char *folder = getenv("BUILD_WORKING_DIRECTORY");
    if (given[0] == '/' || folder == NULL) {
        (void)join(path, path_size, given, "", "");
    } else {
        (void)join(path, path_size, folder, "/", given);
    }
}
