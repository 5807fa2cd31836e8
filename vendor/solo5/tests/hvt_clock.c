/*
 * hvt_clock.c: a program of the host that reads hvt's clock against a TSC of its
 * own making, at rates of reading from 10 ns to 1 ms: for ten minutes, or two
 * million readings, since what a reading loses it loses each time. Exits with 1
 * if time then differs from the TSC's by more than one part per million.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base.h"
#include "hvt_abi.h"

#undef ABORT
#define ABORT(...) abort()

static uint64_t tsc;

static uint64_t read_tsc(void)
{
    return tsc;
}

static void hypercall(unsigned number, void *args)
{
    (void)number;
    (void)args;
    abort();
}

static bool manifest_poll_set(void)
{
    return false;
}

static void log_line(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

#include "hvt/clock.c"

static bool drifts(uint64_t frequency, double interval_ns)
{
    const double minutes_ns = 10 * 60e9;
    double span_ns = interval_ns * 2e6 < minutes_ns ? interval_ns * 2e6 : minutes_ns;
    double step = interval_ns * (double)frequency / 1e9, at = 0;
    uint64_t start_tsc, start;

    tsc_base = tsc_base_ns = tsc_remainder = 0;
    tsc = 123456789;
    clock_init(frequency);
    start_tsc = tsc;
    start = solo5_clock_monotonic();
    while (at * 1e9 < span_ns * (double)frequency) {
        at += step;
        tsc = start_tsc + (uint64_t)at;
        (void)solo5_clock_monotonic();
    }
    double passed = (double)(solo5_clock_monotonic() - start);
    double right = (double)(tsc - start_tsc) / (double)frequency * 1e9;
    double ppm = (passed - right) / right * 1e6;
    if (ppm < -1 || ppm > 1) {
        printf("%lu Hz read each %g ns: %g ppm\n", (unsigned long)frequency, interval_ns, ppm);
        return true;
    }
    return false;
}

int main(void)
{
    static const uint64_t frequencies[] = { 24000000, 1000000000, 2445410123, 3999999999 };
    bool wrong = false;

    for (size_t f = 0; f < sizeof frequencies / sizeof *frequencies; f++)
        for (double interval = 10; interval <= 1e6; interval *= 1.2)
            wrong |= drifts(frequencies[f], interval);
    return wrong;
}
