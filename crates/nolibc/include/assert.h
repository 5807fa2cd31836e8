/* May be included again, with another NDEBUG. */
#undef assert
#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#define assert(condition) \
    ((condition) ? (void)0 : __assert_fail(#condition, __FILE__, __LINE__, __func__))
#endif
#if !defined(__cplusplus) && !defined(static_assert) && \
    (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L)
#define static_assert _Static_assert
#endif
#ifndef _SOLO5_ASSERT_FAIL
#define _SOLO5_ASSERT_FAIL
void __assert_fail(const char *expression, const char *file, unsigned line, const char *function)
    __attribute__((__noreturn__));
#endif
