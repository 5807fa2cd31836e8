/*
 * tsc.h: the processor's time-stamp counter.
 */
#ifndef TSC_H
#define TSC_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t read_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile ("rdtsc" : "=a" (low), "=d" (high));
    return (uint64_t)high << 32 | low;
}

/* Whether it runs at one rate always: CPUID, Advanced Power Management. */
static inline bool tsc_is_invariant(void)
{
    static int known = -1;
    uint32_t a = 0x80000000, b, c = 0, d;

    if (known < 0) {
        __asm__ volatile ("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
        known = a >= 0x80000007;
        if (known) {
            a = 0x80000007;
            __asm__ volatile ("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
            known = d >> 8 & 1;
        }
    }
    return known;
}

#endif
