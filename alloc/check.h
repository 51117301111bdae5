#ifndef LINN_ALLOC_CHECK_H_
#define LINN_ALLOC_CHECK_H_

/* check: three grades of assertion, and no fourth kind of error.
 *
 *   LINN_CHECK      cheap facts whose failure means corruption: always on
 *   LINN_ASSERT     facts worth a test while debugging: LINN_DEBUG
 *   LINN_INVARIANT  whole structures: LINN_PARANOID
 *
 * They hang on linn's own macros and never on NDEBUG, which a user's build sets
 * for reasons of its own. */

#ifndef LINN_DEBUG
#define LINN_DEBUG 0
#endif
#ifndef LINN_PARANOID
#define LINN_PARANOID 0
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Prints the fact that does not hold, without allocating, and aborts. */
void linn_check_failed(const char *fact, const char *file, int line)
    __attribute__((noreturn, cold));

#define LINN_CHECK(fact)           \
    (__builtin_expect(!!(fact), 1) \
         ? (void)0                 \
         : linn_check_failed(#fact, __FILE__, __LINE__))

#if LINN_DEBUG
#define LINN_ASSERT(fact) LINN_CHECK(fact)
#else
#define LINN_ASSERT(fact) ((void)(0 && (fact)))
#endif

#if LINN_PARANOID
#define LINN_INVARIANT(fact) LINN_CHECK(fact)
#else
#define LINN_INVARIANT(fact) ((void)(0 && (fact)))
#endif

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_CHECK_H_ */
