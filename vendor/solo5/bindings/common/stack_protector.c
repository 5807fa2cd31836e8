/*
 * stack_protector.c: the global guard that code compiled with
 * -mstack-protector-guard=global compares, here and in applications.
 */
uintptr_t __stack_chk_guard = 0xdeadbeef00c0ffee; /* until start-up */

void __stack_chk_fail(void) NORETURN;

void __stack_chk_fail(void)
{
    static const char message[] = "Solo5: ABORT: Stack corruption detected\n";

    /* No formatting: the stack is not to be trusted. */
    platform_puts(message, sizeof message - 1);
    platform_exit(SOLO5_EXIT_ABORT, NULL);
}

/* To be inlined in a function that has no guard on its own stack. */
static inline __attribute__((always_inline)) void stack_protector_init(void)
{
    uint64_t t1 = read_tsc();
    uint64_t t2 = read_tsc();

    /* The zero byte stops a string from running through the guard. */
    __stack_chk_guard = (t1 + (t2 << 32)) & ~(uint64_t)0xff00;
}
