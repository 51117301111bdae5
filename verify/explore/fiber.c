#include "verify/explore/fiber.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { FIBERS = 6, STACK_BYTES = 1 << 18, LOCALS_MAX = 4096 };

static char *stacks;
static void *saved_stack[FIBERS];
static char locals[FIBERS][LOCALS_MAX];
static char kept[FIBERS][LOCALS_MAX];
static bool is_kept[FIBERS];
static const void *template_first;
static size_t template_bytes, locals_bytes;
static char *locals_block;
static void (*functions[FIBERS])(int);
static int starting;

/* Saves the registers that a call preserves and the stack pointer, and takes up
 * another's.  (glibc's swapcontext makes a system call for the signal mask.) */
void linn_explore_swap(void **save, void *take);
__asm__(
    ".text\n"
    ".globl linn_explore_swap\n"
    ".type linn_explore_swap, @function\n"
    "linn_explore_swap:\n"
    "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n"
    "    pushq %r13\n    pushq %r14\n    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n    popq %r14\n    popq %r13\n"
    "    popq %r12\n    popq %rbx\n    popq %rbp\n"
    "    ret\n"
    ".size linn_explore_swap, .-linn_explore_swap\n");

static int find_locals(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_TLS) continue;
        template_first = (const void *)(info->dlpi_addr + p->p_vaddr);
        template_bytes = p->p_filesz;
        locals_bytes = p->p_memsz;
        size_t room = (p->p_memsz + p->p_align - 1) & ~(p->p_align - 1);
        locals_block = (char *)__builtin_thread_pointer() - room;
    }
    return 1; /* the first object is the program */
}

void fiber_init(void) {
    stacks = mmap(NULL, (size_t)FIBERS * STACK_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)dl_iterate_phdr(find_locals, NULL);
    if (stacks == MAP_FAILED || locals_bytes > LOCALS_MAX) {
        (void)fprintf(stderr, "explore: no stacks\n");
        exit(2);
    }
}

static void first_function(void) {
    int me = starting;
    functions[me](me);
    abort(); /* it never returns */
}

void fiber_begin(int fiber, void (*function)(int)) {
    functions[fiber] = function;
    memset(locals[fiber], 0, locals_bytes);
    if (is_kept[fiber]) {
        memcpy(locals[fiber], kept[fiber], locals_bytes);
    } else if (template_bytes > 0) {
        memcpy(locals[fiber], template_first, template_bytes);
    }
    /* Six registers, where to return to, and a word that aligns the stack. */
    void **top = (void **)(void *)(stacks + (size_t)(fiber + 1) * STACK_BYTES);
    top -= 8;
    memset(top, 0, 8 * sizeof *top);
    void (*first)(void) = first_function;
    memcpy(&top[6], &first, sizeof first);
    saved_stack[fiber] = top;
}

void fiber_keep(int fiber) {
    memcpy(kept[fiber], locals[fiber], locals_bytes);
    is_kept[fiber] = true;
}

void fiber_switch(int from, int to) {
    if (locals_bytes > 0) {
        memcpy(locals[from], locals_block, locals_bytes);
        memcpy(locals_block, locals[to], locals_bytes);
    }
    starting = to;
    linn_explore_swap(&saved_stack[from], saved_stack[to]);
}

bool fiber_is_private(uintptr_t address) {
    return address - (uintptr_t)stacks < (uintptr_t)FIBERS * STACK_BYTES ||
           address - (uintptr_t)locals_block < locals_bytes;
}
