/*
 * platform.c: console, end and thread pointer on hvt.
 */
#define MSR_FS_BASE 0xc0000100u

static void net_drain(void);

static void platform_puts(const char *buf, size_t size)
{
    struct hvt_hc_puts args = { .data = (uintptr_t)buf, .len = size };

    if (size > 0)
        hypercall(HVT_HYPERCALL_PUTS, &args);
}

static void platform_exit(int status, const void *cookie)
{
    struct hvt_hc_halt args = {
        .cookie = (uintptr_t)cookie,
        .exit_status = status,
    };

    net_drain();
    for (;;)
        hypercall(HVT_HYPERCALL_HALT, &args);
}

static bool platform_set_fs_base(uint64_t base)
{
    /* The processor refuses a non-canonical address with a trap. */
    if ((int64_t)(base << 16) >> 16 != (int64_t)base)
        return false;
    __asm__ volatile ("wrmsr" : : "c" (MSR_FS_BASE),
            "a" ((uint32_t)base), "d" ((uint32_t)(base >> 32)) : "memory");
    return true;
}
