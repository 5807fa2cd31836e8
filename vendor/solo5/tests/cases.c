/*
 * cases.c: a guest without devices. The command line names the case.
 */
#include "guest.h"

#define MILLISECOND 1000000ull

static int hello(const struct solo5_start_info *info)
{
#ifdef FILLER /* bytes that leave too little memory to start */
    static volatile uint8_t filler[FILLER];
    CHECK(filler[0] == 0);
#endif
    say("Hello, World\nCommand line: '");
    say(info->cmdline);
    say("'\n");
    SUCCESS();
}

static uint64_t in_data = 0x123456789abcdef0;
static uint8_t in_bss[8192];
static const char *const in_rodata[] = { "one", "two" };

static int globals(void)
{
    CHECK(in_data == 0x123456789abcdef0);
    in_data = 1;
    CHECK(in_data == 1);
    for (size_t i = 0; i < sizeof in_bss; i++)
        CHECK(in_bss[i] == 0);
    in_bss[sizeof in_bss - 1] = 7;
    CHECK(in_bss[sizeof in_bss - 1] == 7);
    CHECK(same(in_rodata[1], "two"));
    SUCCESS();
}

/* The heap is ours from end to end, zeroed, and the stack is in it. */
static int memory(const struct solo5_start_info *info)
{
    volatile uint8_t *heap = (uint8_t *)info->heap_start;
    uintptr_t end = info->heap_start + info->heap_size;
    uintptr_t stack = (uintptr_t)__builtin_frame_address(0);

    CHECK(info->heap_start % 4096 == 0);
    CHECK(stack > info->heap_start && stack < end && end - stack < 4096);
    for (uintptr_t at = info->heap_start; at < stack - 65536; at += 4096) {
        CHECK(heap[at - info->heap_start] == 0);
        heap[at - info->heap_start] = 1;
    }
    SUCCESS();
}

static int time(void)
{
    solo5_time_t start, end;
    solo5_handle_set_t ready = 1;

    /* Later than this line was written, and not by centuries. */
    CHECK(solo5_clock_wall() > 1700000000ull * 1000 * MILLISECOND);
    CHECK(solo5_clock_wall() < 7000000000ull * 1000 * MILLISECOND);
    start = solo5_clock_monotonic();
    for (int i = 0; i < 1000; i++) {
        end = solo5_clock_monotonic();
        CHECK(end >= start);
        start = end;
    }
    /* Never early; how late is the host's affair. */
    solo5_yield(start + 50 * MILLISECOND, &ready);
    CHECK(solo5_clock_monotonic() - start >= 50 * MILLISECOND);
    CHECK(ready == 0);
    /* These do not wait. */
    solo5_yield(0, NULL);
    solo5_yield(start, &ready);
    CHECK(ready == 0);
    SUCCESS();
}

static int output(void)
{
    static char text[4000];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 80 == 79 ? '\n' : (char)('a' + i / 80 % 26);
    solo5_console_write(text, sizeof text);
    solo5_console_write(text, 0);
    SUCCESS();
}

/* More lines than any pipe holds, then a while in which it may be read. */
static int flood(void)
{
    solo5_time_t end;

    for (int i = 0; i < 40000; i++) {
        static char line[] = "line ##### is as long as the others are, all fifty\n";

        for (int digit = 9, n = i; digit >= 5; digit--, n /= 10)
            line[digit] = (char)('0' + n % 10);
        solo5_console_write(line, sizeof line - 1);
    }
    end = solo5_clock_monotonic() + 2000 * MILLISECOND;
    solo5_yield(end, NULL);
    CHECK(solo5_clock_monotonic() >= end);
    SUCCESS();
}

/* The guard is a global that starts as a constant and is then random. */
extern uintptr_t __stack_chk_guard;

static int guard(void)
{
    CHECK(__stack_chk_guard != 0xdeadbeef00c0ffee);
    CHECK((__stack_chk_guard & 0xff00) == 0);
    CHECK(__stack_chk_guard >> 32 != 0);
    SUCCESS();
}

static __attribute__((noinline)) void smash(volatile char *end)
{
    volatile char buffer[16];

    for (volatile char *p = buffer; p < end; p++)
        *p = 'x';
}

static int ssp(void)
{
    smash((volatile char *)__builtin_frame_address(0));
    SUCCESS(); /* not reached */
}

/* Addresses that no compiler knows to be odd. */
static uintptr_t volatile address;

static int store_to(uintptr_t at)
{
    address = at;
    *(volatile uint64_t *)address = 1;
    SUCCESS(); /* not reached */
}

static int load_tls(void)
{
    uint64_t value;

    __asm__ volatile ("movq %%fs:0x28, %0" : "=r" (value));
    say_number(value);
    SUCCESS(); /* not reached */
}

static int execute_data(void)
{
    static uint8_t code[] = { 0xc3 }; /* ret */

    address = (uintptr_t)code;
    ((void (*)(void))address)();
    SUCCESS(); /* reached on hvt, which has no NX */
}

static int divide(void)
{
    __asm__ volatile ("divl %0" : : "r" (0), "a" (1), "d" (0));
    SUCCESS(); /* not reached */
}

/* Runs into what lies below the heap, with nothing left to run on. */
static int lose_stack(void)
{
    __asm__ volatile ("movq $0x1000, %rsp\n" "pushq $0\n");
    SUCCESS(); /* not reached */
}

static int call_dup(void)
{
    long result;

    __asm__ volatile ("syscall" : "=a" (result) : "0" (32), "D" (1)
            : "rcx", "r11", "memory");
    SUCCESS(); /* not reached */
}

/* There is no device. */
static int acquire(void)
{
    struct solo5_net_info net;
    struct solo5_block_info block;
    solo5_handle_t handle = 99;
    uint8_t buffer[2048] = { 0 };
    size_t size = 1234;

    CHECK(solo5_net_acquire("", &handle, &net) == SOLO5_R_EINVAL);
    CHECK(solo5_net_acquire("service", &handle, &net) == SOLO5_R_EINVAL);
    CHECK(solo5_block_acquire("", &handle, &block) == SOLO5_R_EINVAL);
    CHECK(handle == 99);
    for (handle = 0; handle < 70; handle++) {
        CHECK(solo5_net_write(handle, buffer, 60) == SOLO5_R_EINVAL);
        CHECK(solo5_net_read(handle, buffer, 2048, &size) == SOLO5_R_EINVAL);
        CHECK(solo5_block_write(handle, 0, buffer, 512) == SOLO5_R_EINVAL);
        CHECK(solo5_block_read(handle, 0, buffer, 512) == SOLO5_R_EINVAL);
    }
    CHECK(size == 1234);
    CHECK(solo5_set_tls_base(0x8000000000000000) == SOLO5_R_EINVAL);
    CHECK(solo5_tls_init(0) == SOLO5_R_EINVAL);
    SUCCESS();
}

int solo5_app_main(const struct solo5_start_info *info)
{
    extern const char _stext[];
    const char *name = info->cmdline;

    if (same(name, "globals"))
        return globals();
    if (same(name, "memory"))
        return memory(info);
    if (same(name, "time"))
        return time();
    if (same(name, "output"))
        return output();
    if (same(name, "flood"))
        return flood();
    if (same(name, "guard"))
        return guard();
    if (same(name, "ssp"))
        return ssp();
    if (same(name, "exception"))
        return store_to(0x400000000);
    if (same(name, "zeropage"))
        return store_to(8);
    if (same(name, "xnow"))
        return store_to((uintptr_t)_stext);
    if (same(name, "rnow"))
        return store_to((uintptr_t)in_rodata);
    if (same(name, "wnox"))
        return execute_data();
    if (same(name, "notls"))
        return load_tls();
    if (same(name, "divide"))
        return divide();
    if (same(name, "stack"))
        return lose_stack();
    if (same(name, "seccomp"))
        return call_dup();
    if (same(name, "acquire"))
        return acquire();
    if (same(name, "abort"))
        solo5_abort();
    if (same(name, "exit300"))
        solo5_exit(300);
    if (same(name, "return7"))
        return 7;
    return hello(info);
}
