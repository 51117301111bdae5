#ifndef LINN_VERIFY_TRACE_TRACED_H_
#define LINN_VERIFY_TRACE_TRACED_H_

/* traced: what instrument.py puts in place of labelled accesses.
 *
 * An access and its entry in the log are made under one test lock, so the order
 * of the log is an order in which the accesses happened, of every word.  (So a
 * run shows interleavings of steps, and nothing of orders weaker than that.) */

#include <stdint.h>

void linn_trace_enter(void);
void linn_trace_leave(const char *label, const char *function, const void *word,
                      uint64_t before, uint64_t after, uint64_t tag, int done);

#define LINN_TRACE_WORD(v) ((uint64_t)(uintptr_t)(v))

#define LINN_TRACED_LOAD(f, label, w)                                        \
    ({                                                                       \
        __auto_type w_ = (w);                                                \
        linn_trace_enter();                                                  \
        __auto_type v_ = f(w_);                                              \
        linn_trace_leave(label, __func__, w_, 0, LINN_TRACE_WORD(v_), 0, 1); \
        v_;                                                                  \
    })
#define LINN_TRACED_LOAD_PAIR(f, label, w)                            \
    ({                                                                \
        __auto_type w_ = (w);                                         \
        linn_trace_enter();                                           \
        sync_pair_value v_ = f(w_);                                   \
        linn_trace_leave(label, __func__, w_, 0, v_.low, v_.high, 1); \
        v_;                                                           \
    })
#define LINN_TRACED_STORE(f, label, w, v)                                    \
    do {                                                                     \
        __auto_type w_ = (w);                                                \
        __auto_type v_ = (v);                                                \
        linn_trace_enter();                                                  \
        f(w_, v_);                                                           \
        linn_trace_leave(label, __func__, w_, 0, LINN_TRACE_WORD(v_), 0, 1); \
    } while (0)
#define LINN_TRACED_CAS(f, label, w, seen, next)                           \
    ({                                                                     \
        __auto_type w_ = (w);                                              \
        __auto_type s_ = (seen);                                           \
        __auto_type n_ = (next);                                           \
        linn_trace_enter();                                                \
        uint64_t b_ = LINN_TRACE_WORD(*s_);                                \
        bool d_ = f(w_, s_, n_);                                           \
        linn_trace_leave(label, __func__, w_, b_,                          \
                         LINN_TRACE_WORD(d_ ? (uint64_t)n_ : *s_), 0, d_); \
        d_;                                                                \
    })
/* Of a 64-bit word; in the log `after` is the operand.  Nobody else writes the
 * word meanwhile, because of the lock. */
#define LINN_TRACED_FETCH(f, label, w, v)                           \
    do {                                                            \
        __auto_type w_ = (w);                                       \
        uint64_t v_ = (v);                                          \
        linn_trace_enter();                                         \
        uint64_t b_ = *(const volatile uint64_t *)(const void *)w_; \
        f(w_, v_);                                                  \
        linn_trace_leave(label, __func__, w_, b_, v_, 0, 1);        \
    } while (0)
#define LINN_TRACED_CAS_PAIR(f, label, w, seen, next)                    \
    ({                                                                   \
        __auto_type w_ = (w);                                            \
        __auto_type s_ = (seen);                                         \
        __auto_type n_ = (next);                                         \
        linn_trace_enter();                                              \
        uint64_t b_ = s_->low;                                           \
        bool d_ = f(w_, s_, n_);                                         \
        linn_trace_leave(label, __func__, w_, b_, d_ ? n_.low : s_->low, \
                         d_ ? n_.high : s_->high, d_);                   \
        d_;                                                              \
    })

#endif /* LINN_VERIFY_TRACE_TRACED_H_ */
