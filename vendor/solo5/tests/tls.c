/*
 * tls.c: thread-local storage of two threads, with whatever alignment and
 * sizes the macros say.
 *
 * ALIGN     of the initialised variable (0: there is none)
 * BSS_ALIGN of the zeroed one (0: there is none)
 * BSS_SIZE  its bytes
 *
 * At last the thread pointer is loaded by WRFSBASE, where that can be done.
 */
#include "guest.h"

/* An extension of ours. */
extern bool solo5_has_wrfsbase(void) __attribute__((weak));

#if ALIGN > 0
static __thread volatile uint64_t initialised __attribute__((aligned(ALIGN)))
        = 0x1122334455667788;
static __thread volatile uint8_t odd = 42;
#endif
#if BSS_ALIGN > 0
static __thread volatile uint8_t zeroed[BSS_SIZE]
        __attribute__((aligned(BSS_ALIGN)));
#endif

static int check_fresh(void)
{
    uintptr_t self;

    __asm__ volatile ("movq %%fs:0, %0" : "=r" (self));
    CHECK(self % 8 == 0);
#if ALIGN > 0
    CHECK(self % ALIGN == 0);
    CHECK((uintptr_t)&initialised % ALIGN == 0);
    CHECK(initialised == 0x1122334455667788);
    CHECK(odd == 42);
    initialised = self;
    odd = 43;
#endif
#if BSS_ALIGN > 0
    CHECK((uintptr_t)zeroed % BSS_ALIGN == 0);
    for (size_t i = 0; i < BSS_SIZE; i++)
        CHECK(zeroed[i] == 0);
    for (size_t i = 0; i < BSS_SIZE; i++)
        zeroed[i] = (uint8_t)i;
#endif
    return 0;
}

static int check_kept(void)
{
    uintptr_t self;

    __asm__ volatile ("movq %%fs:0, %0" : "=r" (self));
#if ALIGN > 0
    CHECK(initialised == self);
    CHECK(odd == 43);
#endif
#if BSS_ALIGN > 0
    for (size_t i = 0; i < BSS_SIZE; i++)
        CHECK(zeroed[i] == (uint8_t)i);
#endif
    return 0;
}

int solo5_app_main(const struct solo5_start_info *info)
{
    size_t size = solo5_tls_size();
    /* As badly aligned as an allocator may return them. */
    uintptr_t one = info->heap_start + 8;
    uintptr_t two = one + (size + 7) / 8 * 8;
    int failed;

    CHECK(solo5_tls_init(one) == SOLO5_R_OK);
    CHECK(solo5_set_tls_base(solo5_tls_tp_offset(one)) == SOLO5_R_OK);
    if ((failed = check_fresh()))
        return failed;
    CHECK(solo5_tls_init(two) == SOLO5_R_OK);
    CHECK(solo5_tls_tp_offset(two) + 8 <= two + size);
    CHECK(solo5_set_tls_base(solo5_tls_tp_offset(two)) == SOLO5_R_OK);
    if ((failed = check_fresh()) || (failed = check_kept()))
        return failed;
    CHECK(solo5_set_tls_base(solo5_tls_tp_offset(one)) == SOLO5_R_OK);
    if ((failed = check_kept()))
        return failed;
    if (solo5_has_wrfsbase != NULL && solo5_has_wrfsbase()) {
        __asm__ volatile ("wrfsbase %0"
                : : "r" (solo5_tls_tp_offset(two)) : "memory");
        if ((failed = check_kept()))
            return failed;
    }
    SUCCESS();
}
