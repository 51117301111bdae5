/* recorder: an LD_PRELOAD library that writes down every allocation call.
 *
 *     TRACE_RECORD=/absolute/folder LD_PRELOAD=.../librecorder.so program
 *
 * leaves folder/PROGRAM.PID.raw of every process that program becomes or forks
 * (raw.h has the format).  TRACE_RECORD_EVENTS limits the events of a process;
 * calls beyond it go through unrecorded, and the file says from where.
 *
 * The recorder allocates nothing and takes no lock: records go to a mapped
 * file, a thread's place in it is in thread-local storage of the initial-exec
 * kind (no lazy allocation), and what runs before the real functions are found
 * is served from a static array.  Nothing needs to happen when a thread or the
 * process ends.
 *
 * Fork: `process` lies on a page the kernel wipes in a child, so the child's
 * first call finds generation 0 and opens its own file.  That also holds for
 * forks that run no handlers.  A vfork child shares its parent's memory, so its
 * calls are the parent's and are recorded there.
 *
 * Progress: wait-free but for the first call of a process.  Cost: two locked
 * instructions (one of them for a chunk, every 1,023 records) and one clock
 * reading a record.
 * Checked by: recorder_test.cc. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "stress/trace/raw.h"
#include "sync/atomic.h"

#define EXPORT __attribute__((visibility("default")))
#define COLD   __attribute__((cold, noinline))

#define STEP_NS           16000
#define EVENTS_DEFAULT    (UINT64_C(16) << 20)
#define EVENTS_MAX        (UINT64_C(1) << 30)
#define GENERATION_BEGINS UINT32_C(0xfffffffe)
#define GENERATION_OFF    UINT32_C(0xffffffff)

/* The next definitions of what we export: the real allocator. */
static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void (*free)(void *);
    size_t (*malloc_usable_size)(void *);
    bool found;
    bool searching;
} real;

/* What one process has; wiped in a forked child. */
struct process {
    /* ATOMIC generation, which process of a line of forks runs; 0 wiped
     *   RE.G1 look   load   acquire  pairs RE.G3  the file is mapped
     *   RE.G2 begin  cas    relaxed  one thread begins, others wait at RE.G1
     *   RE.G3 begun  store  release  pairs RE.G1 */
    sync_u32 generation;
    struct raw_header *header;
    struct raw_record *records;
};
static struct process *process;

/* What a child keeps of its parent. */
static struct {
    bool configured;
    char folder[192];
    uint64_t events_max;
    uint64_t start_ns;
    uint32_t generation;
    uint32_t pid;
    char file[256]; /* base name of the newest process's file */
} line;
/* ATOMIC sequence, the next number
 *   RE.S1 number add    relaxed  read-modify-writes of one word have one order,
 *                                and it agrees with the allocator's
 *   RE.S2 fork   load   relaxed  the process has one thread here */
static sync_u64 sequence;
/* ATOMIC threads, how many have numbers
 *   RE.T1 number add    relaxed  any number that nobody else has */
static sync_u64 threads;

struct place {
    struct raw_record *next, *end;
    uint64_t thread;
    uint32_t generation;
    bool busy; /* a signal handler found this thread inside append */
};
static __thread struct place place __attribute__((tls_model("initial-exec")));

/* ---- Before the real functions are known ------------------------------ */

/* dlsym may allocate.  What it gets from here is never given back. */
static alignas(16) unsigned char early[64 * 1024];
static size_t early_used;

static bool is_early(const void *p) {
    return (uintptr_t)p >= (uintptr_t)early &&
           (uintptr_t)p < (uintptr_t)early + sizeof early;
}

static void *early_alloc(size_t size) {
    if (size > sizeof early) return NULL;
    size_t need = 16 + ((size + 15) & ~(size_t)15);
    if (need > sizeof early - early_used) return NULL;
    unsigned char *p = early + early_used;
    early_used += need;
    memcpy(p, &size, sizeof size);
    return p + 16;
}

static size_t early_size(const void *p) {
    size_t size;
    memcpy(&size, (const unsigned char *)p - 16, sizeof size);
    return size;
}

static void write_message(const char *text) {
    if (write(2, text, strlen(text)) < 0) return; /* Nowhere left to say so. */
}

/* The object pointer that dlsym returns, as the function pointer it stands for;
 * ISO C has no cast for that. */
static void find(void *function, const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        write_message("recorder: no further definition of ");
        write_message(name);
        write_message("\n");
        _exit(126);
    }
    memcpy(function, &found, sizeof found);
}

/* Returns false to calls that dlsym itself makes.  The first call of a program
 * comes from the dynamic linker, long before there is a second thread. */
static COLD bool find_real(void) {
    if (real.searching) return false;
    real.searching = true;
    find(&real.malloc, "malloc");
    find(&real.calloc, "calloc");
    find(&real.realloc, "realloc");
    find(&real.aligned_alloc, "aligned_alloc");
    find(&real.posix_memalign, "posix_memalign");
    find(&real.memalign, "memalign");
    find(&real.valloc, "valloc");
    find(&real.pvalloc, "pvalloc");
    find(&real.free, "free");
    find(&real.malloc_usable_size, "malloc_usable_size");
    real.found = true;
    return true;
}

static bool has_real(void) {
    return __builtin_expect(real.found, 1) || find_real();
}

/* ---- The file of this process ----------------------------------------- */

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* Copies text to the end of the string in buffer; false if there is no room. */
static bool append_text(char *buffer, size_t size, const char *text) {
    size_t used = strlen(buffer), more = strlen(text);
    if (more >= size - used) return false;
    memcpy(buffer + used, text, more + 1);
    return true;
}

static bool append_number(char *buffer, size_t size, uint64_t n) {
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    return append_text(buffer, size, digits + at);
}

/* The environment is read once: servers overwrite it for their titles. */
static bool configure(void) {
    if (line.configured) return line.folder[0] != '\0';
    line.configured = true;
    line.start_ns = now_ns();
    const char *folder = getenv("TRACE_RECORD");
    if (folder == NULL) return false;
    if (folder[0] != '/' || strlen(folder) >= sizeof line.folder) {
        write_message("recorder: TRACE_RECORD is no short absolute path\n");
        return false;
    }
    line.events_max = EVENTS_DEFAULT;
    const char *events = getenv("TRACE_RECORD_EVENTS");
    if (events != NULL) {
        uint64_t n = 0;
        for (const char *c = events; *c >= '0' && *c <= '9'; c++)
            if (n <= EVENTS_MAX) n = n * 10 + (uint64_t)(*c - '0');
        if (n == 0 || n > EVENTS_MAX) {
            write_message("recorder: TRACE_RECORD_EVENTS is not in 1..2^30\n");
            return false;
        }
        line.events_max = n;
    }
    memcpy(line.folder, folder, strlen(folder) + 1);
    return true;
}

/* The kernel's name of the process, fit for a file name. */
static void program_name(char name[32]) {
    memset(name, 0, 32);
    if (prctl(PR_GET_NAME, name) != 0 || name[0] == '\0') memcpy(name, "x", 2);
    for (char *c = name; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '_';
        if (!plain) *c = '_';
    }
}

/* Opens and maps the file of this process.  False leaves it unrecorded. */
static bool open_file(struct process *p) {
    char name[32], base[256] = "", path[sizeof line.folder + 260] = "";
    program_name(name);
    uint32_t pid = (uint32_t)getpid();
    append_text(base, sizeof base, name);
    append_text(base, sizeof base, ".");
    append_number(base, sizeof base, pid);
    append_text(base, sizeof base, ".raw");
    append_text(path, sizeof path, line.folder);
    append_text(path, sizeof path, "/");
    append_text(path, sizeof path, base);

    uint64_t chunks =
        (line.events_max + RAW_CHUNK_RECORDS - 2) / (RAW_CHUNK_RECORDS - 1);
    size_t bytes = sizeof(struct raw_header) + (size_t)chunks *
                                                   RAW_CHUNK_RECORDS *
                                                   sizeof(struct raw_record);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return false;
    void *mapped = MAP_FAILED;
    if (ftruncate(fd, (off_t)bytes) == 0)
        mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED) return false;
    /* A child must not write into its parent's file; it opens its own. */
    if (madvise(mapped, bytes, MADV_DONTFORK) != 0) {
        munmap(mapped, bytes);
        return false;
    }

    struct raw_header *h = mapped;
    h->pid = pid;
    h->parent_pid = line.pid;
    /* RE.S2 relaxed: nobody else runs in a process that has just begun. */
    h->fork_sequence = sync_u64_load_relaxed(&sequence);
    h->chunks = chunks;
    h->first_lost.value = RAW_NONE_LOST;
    memcpy(h->program, name, sizeof name);
    memcpy(h->parent_file, line.file, sizeof line.file);
    h->magic = RAW_MAGIC;
    line.pid = pid;
    memcpy(line.file, base, sizeof base);
    p->header = h;
    p->records = (struct raw_record *)(h + 1);
    return true;
}

/* Returns the generation of the running process, which the first call of the
 * process makes.  GENERATION_OFF if it is not recorded. */
static COLD uint32_t begin(void) {
    int saved_errno = errno;
    uint32_t generation = 0;
    if (process == NULL) {
        /* The program's first call: no thread yet, no race. */
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED || madvise(page, 4096, MADV_WIPEONFORK) != 0) {
            write_message("recorder: no page that fork wipes\n");
            _exit(126);
        }
        process = page;
    }
    /* RE.G2 relaxed: whoever turns 0 into "begins" opens the file alone. */
    if (sync_u32_cas_relaxed_relaxed(&process->generation, &generation,
                                     GENERATION_BEGINS)) {
        generation = GENERATION_OFF;
        if (configure()) {
            if (open_file(process))
                generation = ++line.generation;
            else
                write_message("recorder: cannot make the recording's file\n");
        }
        /* RE.G3 release, pairs with RE.G1: header and records are set. */
        sync_u32_store_release(&process->generation, generation);
    } else {
        do {
            sched_yield();
            /* RE.G1 acquire, pairs with RE.G3: then the file is mapped. */
            generation = sync_u32_load_acquire(&process->generation);
        } while (generation == GENERATION_BEGINS);
    }
    errno = saved_errno;
    return generation;
}

static COLD void lose(uint64_t number) {
    struct raw_header *h = process->header;
    /* RE.L1 relaxed: only a first guess for RE.L2. */
    uint64_t seen = sync_u64_load_relaxed(&h->first_lost);
    while (number < seen) {
        /* RE.L2 relaxed: a minimum; nobody reads it while we run. */
        if (sync_u64_cas_relaxed_relaxed(&h->first_lost, &seen, number)) break;
    }
}

/* Gives the thread a fresh chunk; false if the file is full. */
static COLD bool claim(struct place *t, uint32_t generation) {
    struct raw_header *h = process->header;
    if (t->thread == 0) {
        /* RE.T1 relaxed: any number that nobody else has. */
        t->thread = 1 + sync_u64_fetch_add_relaxed(&threads, 1);
    }
    t->generation = generation;
    t->next = t->end = NULL;
    /* RE.C1 relaxed: the chunk is ours by its number; it is all zero. */
    uint64_t chunk = sync_u64_fetch_add_relaxed(&h->chunks_claimed, 1);
    if (chunk >= h->chunks) return false;
    struct raw_record *first = process->records + chunk * RAW_CHUNK_RECORDS;
    ((struct raw_owner *)first)->thread = t->thread;
    t->next = first + 1;
    t->end = first + RAW_CHUNK_RECORDS;
    return true;
}

/* Writes one record.  Keeps errno: clock_gettime and the slow paths do. */
static void append(uint32_t operation, const void *address, size_t size) {
    struct place *t = &place;
    uint32_t generation = 0;
    if (process != NULL) {
        /* RE.G1 acquire, pairs with RE.G3: the file of this process. */
        generation = sync_u32_load_acquire(&process->generation);
    }
    if (generation == 0 || generation == GENERATION_BEGINS)
        generation = begin();
    if (generation == GENERATION_OFF) return;

    /* RE.S1 relaxed: after an allocation and before a free, so that the
     * allocator's own ordering of the two shows in the numbers. */
    uint64_t number = sync_u64_fetch_add_relaxed(&sequence, 1);
    if (t->busy) {
        /* A signal handler allocates while its thread is in here. */
        lose(number);
        return;
    }
    t->busy = true;
    sync_compiler_barrier();
    if ((t->generation == generation && t->next != t->end) ||
        claim(t, generation)) {
        struct raw_record *r = t->next++;
        r->sequence = number;
        r->address = (uintptr_t)address;
        r->size = size;
        r->time_steps = (uint32_t)((now_ns() - line.start_ns) / STEP_NS);
        /* RE.W1 release, pairs with RE.R1: a record is whole or 0, also if its
         * thread is killed here. */
        sync_u32_store_release(&r->operation, operation);
    } else {
        lose(number);
    }
    sync_compiler_barrier();
    t->busy = false;
}

/* Opens the file even of a program that never allocates, and while it has one
 * thread. */
__attribute__((constructor)) static void begin_early(void) {
    if (has_real() && process == NULL) begin();
}

/* ---- The functions of malloc ------------------------------------------ */

static uint32_t aligned_operation(size_t alignment) {
    return RAW_ALIGNED | (uint32_t)__builtin_ctzl(alignment | (1UL << 62)) << 8;
}

EXPORT void *malloc(size_t size) {
    if (!has_real()) return early_alloc(size);
    void *p = real.malloc(size);
    if (p != NULL) append(RAW_ALLOC, p, size);
    return p;
}

EXPORT void *calloc(size_t nmemb, size_t size) {
    if (!has_real()) {
        size_t bytes;
        if (__builtin_mul_overflow(nmemb, size, &bytes)) return NULL;
        return early_alloc(bytes); /* Static and used once: zero. */
    }
    void *p = real.calloc(nmemb, size);
    if (p != NULL) append(RAW_CALLOC, p, nmemb * size);
    return p;
}

EXPORT void free(void *ptr) {
    if (ptr == NULL || is_early(ptr)) return;
    if (!has_real()) return;
    append(RAW_FREE, ptr, 0);
    real.free(ptr);
}

EXPORT void *realloc(void *ptr, size_t size) {
    if (ptr == NULL) return malloc(size);
    if (is_early(ptr)) {
        void *p = malloc(size); /* Early too, or by now the real one. */
        if (p != NULL) {
            size_t was = early_size(ptr);
            memcpy(p, ptr, was < size ? was : size);
        }
        return p;
    }
    if (!has_real()) return NULL;
    append(RAW_REALLOC_BEGIN, ptr, size);
    void *p = real.realloc(ptr, size);
    append(RAW_REALLOC_END, p, size);
    return p;
}

EXPORT void *reallocarray(void *ptr, size_t nmemb, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(nmemb, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(ptr, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    if (!has_real()) return NULL;
    void *p = real.aligned_alloc(alignment, size);
    if (p != NULL) append(aligned_operation(alignment), p, size);
    return p;
}

EXPORT void *memalign(size_t alignment, size_t size) {
    if (!has_real()) return NULL;
    void *p = real.memalign(alignment, size);
    if (p != NULL) append(aligned_operation(alignment), p, size);
    return p;
}

EXPORT int posix_memalign(void **memptr, size_t alignment, size_t size) {
    if (!has_real()) return ENOMEM;
    int error = real.posix_memalign(memptr, alignment, size);
    if (error == 0) append(aligned_operation(alignment), *memptr, size);
    return error;
}

EXPORT void *valloc(size_t size) {
    if (!has_real()) return NULL;
    void *p = real.valloc(size);
    if (p != NULL)
        append(aligned_operation((size_t)sysconf(_SC_PAGESIZE)), p, size);
    return p;
}

/* Like valloc, but the size becomes whole pages. */
EXPORT void *pvalloc(size_t size) {
    if (!has_real()) return NULL;
    void *p = real.pvalloc(size);
    if (p != NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        append(aligned_operation(page), p, (size + page - 1) & ~(page - 1));
    }
    return p;
}

EXPORT size_t malloc_usable_size(void *ptr) {
    if (ptr == NULL) return 0;
    if (is_early(ptr)) return early_size(ptr);
    if (!has_real()) return 0;
    return real.malloc_usable_size(ptr);
}
