#ifndef LINN_STRESS_TRACE_RAW_H_
#define LINN_STRESS_TRACE_RAW_H_

/* raw: what the recorder leaves behind, one file a process.
 *
 *     | header | chunk 0 | chunk 1 | ... | chunk n - 1 | hole |
 *                 |
 *                 +-- | owner | record | record | ... | record |
 *
 * The file is a hole as long as the limit on events allows, mapped shared, so a
 * record is in the file as soon as it is written: nothing is flushed, and a
 * process may be killed at any instruction.  A thread claims a chunk, fills it
 * from the front, claims the next.  A record whose operation is 0 was never
 * finished; the chunk's owner wrote nothing behind it.
 *
 *     (R1)  sequence numbers are unique in a process and its forked parents
 *     (R2)  a free takes its number before the call, an allocation after it
 *     (R3)  a record below first_lost is missing only if its thread was killed
 *           between taking the number and writing the record
 *
 * R2 makes identity exact: if a block's address is used again, its free has a
 * smaller number than the allocation that got the address, because the
 * allocator itself ordered the two.
 *
 * A forked child has a file of its own, which names its parent's and the first
 * sequence number of its own: the child's history is the parent's up to there,
 * then its own.
 *
 * Written by recorder.c, read by convert.c after the process is gone. */

#include <stdint.h>

#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RAW_MAGIC         UINT64_C(0x315741524e4e494c)
#define RAW_CHUNK_RECORDS 1024
#define RAW_NONE_LOST     UINT64_MAX

enum {
    RAW_ALLOC = 1,
    RAW_CALLOC = 2,
    RAW_ALIGNED = 3,
    RAW_FREE = 4,
    RAW_REALLOC_BEGIN = 5, /* address is the old one; before the call */
    RAW_REALLOC_END = 6,   /* address is the new one, 0 if it failed */
};

struct raw_record {
    uint64_t sequence;
    uint64_t address;
    uint64_t size;       /* bytes asked for */
    uint32_t time_steps; /* 16 us, since the first process started */
    /* ATOMIC operation, RAW_* and log2 of the alignment shifted by 8; 0 until
     * the record is whole
     *   RE.W1 write  store  release  pairs RE.R1  the record's other members
     *   RE.R1 read   load   acquire  pairs RE.W1 */
    sync_u32 operation;
};

/* The first record's place of every chunk. */
struct raw_owner {
    uint64_t thread; /* 1, 2, ... in the order of first calls; 0 is nobody */
    uint64_t padding[3];
};

struct raw_header {
    uint64_t magic;
    uint32_t pid;
    uint32_t parent_pid;    /* 0 if this process began by exec */
    uint64_t fork_sequence; /* the first number of this process */
    uint64_t chunks;        /* how many the file has room for */
    /* ATOMIC chunks_claimed, how many have an owner; may exceed chunks
     *   RE.C1 claim  add    relaxed  the number alone decides who owns a chunk
     *   RE.C2 count  load   relaxed  the process is gone */
    sync_u64 chunks_claimed;
    /* ATOMIC first_lost, smallest number without a record, or RAW_NONE_LOST
     *   RE.L1 lose   load   relaxed  hint; RE.L2 decides
     *   RE.L2 lose   cas    relaxed  a minimum
     *   RE.L3 read   load   relaxed  the process is gone */
    sync_u64 first_lost;
    char program[32];      /* as the kernel shows it, with zeros */
    char parent_file[256]; /* base name, empty without a parent */
    uint8_t padding[4096 - 336];
};

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* LINN_STRESS_TRACE_RAW_H_ */
