/*
 * spt_clock.c: a program of the host that reads spt's clock against a TSC and
 * clocks of its own making. Exits with 1, and says what was wrong, if time is
 * off by more than it may be, goes back, or asks the host more than it should.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base.h"

#define SYS_CLOCK_GETTIME 228

#define clock host_clock /* C has another of this name */
#undef ABORT
#define ABORT(...) abort()

/* The world: what time it is, and how its clocks run. */
static double now;           /* nanoseconds */
static double tsc_at, tsc_hz;
static double wall_ahead = 1.7e18;
static bool invariant;
static int interrupted; /* one in so many calls; 0: none */
static unsigned long calls, readings;

static void pass(double ns)
{
    now += ns;
    tsc_at += ns * tsc_hz / 1e9;
}

static uint64_t read_tsc(void)
{
    return (uint64_t)tsc_at;
}

static bool tsc_is_invariant(void)
{
    return invariant;
}

static long system_call(long nr, uint64_t id, uint64_t to, uint64_t c,
        uint64_t d, uint64_t e, uint64_t f)
{
    uint64_t ns;

    (void)nr, (void)c, (void)d, (void)e, (void)f;
    calls++;
    pass(60);
    ns = (uint64_t)(id == CLOCK_REALTIME ? now + wall_ahead : now);
    *(struct timespec *)to = (struct timespec){
        .tv_sec = (long)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC) };
    pass(interrupted != 0 && rand() % interrupted == 0 ? 30000 : 60);
    return 0;
}

#include "spt/clock.c"

static bool wrong;

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Reads the clocks for `span` ns, each `interval` ns; how far off they were. */
static double run(double span, double interval)
{
    double end = now + span, worst = 0, before = 0;

    while (now < end) {
        double begin = now, read = (double)solo5_clock_monotonic();
        /* What a call takes, it may be off by. */
        double off = read < begin ? begin - read : read > now ? read - now : 0;

        if (read < before) {
            printf("back from %.0f to %.0f\n", before, read);
            wrong = true;
        }
        before = read;
        readings += 2;
        worst = larger(worst, off);
        begin = now + wall_ahead;
        read = (double)solo5_clock_wall();
        /* A double has no nanoseconds at this size. */
        off = read < begin ? begin - read : read - begin - 30300;
        worst = larger(worst, off - 512);
        pass(interval);
    }
    return worst;
}

static void check(const char *what, double got, double most)
{
    if (got > most) {
        printf("%s: %g, and %g is the most\n", what, got, most);
        wrong = true;
    }
}

static void start(double hz)
{
    last_reading = measured_from = (struct reading){ 0 };
    tsc_mult = tsc_fresh = told_ns = 0;
    calls = readings = 0;
    now = 5e9;
    tsc_at = 1e12;
    tsc_hz = hz;
    invariant = true;
    interrupted = 0;
}

int main(void)
{
    static const double frequencies[] = { 0.5e9, 1e9, 2445410123, 3999999999, 5e9 };

    for (size_t f = 0; f < sizeof frequencies / sizeof *frequencies; f++) {
        double hz = frequencies[f];

        for (double interval = 100; interval <= 1e8; interval *= 7) {
            start(hz);
            check("steady, off by ns", run(1e9, interval), 200);
            if (interval < 1e5)
                /* Two a millisecond, but for the first ten of them. */
                check("steady, calls", (double)calls, 2 * 1000 + 4 * 1e7 / interval);
        }

        start(hz);
        interrupted = 4;
        check("interrupted, off by ns", run(1e9, 1000), 2000);

        /* All of them, for a while: no more than one call a reading, and then as before. */
        start(hz);
        interrupted = 1;
        check("slow, off by ns", run(1e9, 1000), 30000);
        check("slow, calls", (double)calls, 1.01 * (double)readings + 16);
        interrupted = 0;
        run(1e7, 1000);
        check("no longer slow, off by ns", run(1e8, 1000), 200);
        calls = 0;
        run(1e9, 1000);
        check("no longer slow, calls", (double)calls, 2100);

        /* On another processor, ahead and behind. */
        start(hz);
        run(1e8, 1000);
        tsc_at += hz / 1e4;
        check("ahead, off by ns", run(1e8, 1000), 101000);
        tsc_at -= hz / 1e4;
        check("behind, off by ns", run(1e8, 1000), 101000);
        tsc_at -= hz;
        check("far behind, off by ns", run(1e8, 1000), 200);

        /* Migrated: it runs at another rate from now on. */
        start(hz);
        run(1e8, 1000);
        tsc_hz = hz * 1.5;
        check("faster, off by ns", run(1e8, 1000), 501000);
        check("faster, later, off by ns", run(1e8, 1000), 200);
        tsc_hz = hz * 0.75;
        check("slower, off by ns", run(1e8, 1000), 1001000);
        check("slower, later, off by ns", run(1e8, 1000), 200);

        /* The machine slept. */
        start(hz);
        run(1e8, 1000);
        now += 3600e9;
        tsc_at = 0;
        check("woken, off by ns", run(1e8, 1000), 200);

        /* The wall clock is set. */
        wall_ahead += 1e12;
        run(1e6, 1000);
        check("set, off by ns", run(1e8, 1000), 200);

        start(hz);
        invariant = false;
        check("not invariant, off by ns", run(1e8, 1000), 0);
    }
    return wrong;
}
