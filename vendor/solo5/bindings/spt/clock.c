/*
 * clock.c: time on spt. To read the host's clocks is a system call, so between
 * two readings of them time is told by the TSC, for a millisecond at most, at
 * the rate that earlier readings have shown. A TSC that jumps, as on another
 * processor, or whose rate changes by a factor of two at most, as after a
 * migration, is off by no more than that millisecond; monotonic time never goes
 * back.
 */
static uint64_t clock(uint64_t id)
{
    struct timespec ts;
    long result = system_call(SYS_CLOCK_GETTIME, id, (uintptr_t)&ts, 0, 0, 0, 0);

    ASSERT(result == 0);
    return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

#define TOLD_NS (NSEC_PER_SEC / 1000)         /* how long one reading serves */
#define MEASURED_NS (10 * TOLD_NS)            /* the rate is measured over as much at least, */
#define MEASURED_MAX_NS (4 * NSEC_PER_SEC)    /* and less than this */
#define READING_TICKS 10000                   /* a longer reading was interrupted */
#define SLOW_READINGS 16                      /* after so many in a row, as of a process that is traced, */
#define SLOW_PASSED_OVER 1024                 /* one in so many is tried */

struct reading {
    uint64_t tsc, monotonic, wall;
};

static struct reading last_reading, measured_from;
static uint64_t tsc_mult;  /* nanoseconds of a tick, << 32; 0: not known */
static uint64_t tsc_fresh; /* ticks that the last reading serves for */
static uint64_t told_ns;   /* the latest monotonic time that anybody was told */

/* Learns the TSC's rate from a reading; forgets it where it has changed. */
static void tsc_measure(const struct reading *reading)
{
    uint64_t ns = reading->monotonic - measured_from.monotonic;
    uint64_t ticks = reading->tsc - measured_from.tsc, mult;

    if (ns < MEASURED_NS)
        return;
    if (measured_from.tsc != 0 && ns < MEASURED_MAX_NS && ticks > ns >> 8) {
        mult = (ns << 32) / ticks;
        if (tsc_mult == 0 || (mult - tsc_mult) + (tsc_mult >> 10) <= tsc_mult >> 9)
            tsc_mult = mult;
        else
            tsc_mult = 0;
        tsc_fresh = tsc_mult == 0 ? 0 : (TOLD_NS << 32) / tsc_mult;
    }
    measured_from = *reading;
}

/* Reads both clocks of the host; or only this one, as long as that does not serve for more than now. */
static uint64_t read_clocks(uint64_t id)
{
    static unsigned interrupted, passed_over;
    struct reading reading;
    uint64_t before, ticks;

    if (!tsc_is_invariant()
            || (interrupted >= SLOW_READINGS && ++passed_over % SLOW_PASSED_OVER != 0))
        return clock(id);
    before = read_tsc();
    reading.monotonic = clock(CLOCK_MONOTONIC);
    reading.wall = clock(CLOCK_REALTIME);
    ticks = read_tsc() - before;
    reading.tsc = before + ticks / 2;
    /* One that was interrupted says when it was, but not at which tick. */
    if (ticks >= READING_TICKS) {
        interrupted++;
    } else {
        interrupted = 0;
        tsc_measure(&reading);
        last_reading = reading;
    }
    return id == CLOCK_MONOTONIC ? reading.monotonic : reading.wall;
}

static uint64_t tell(uint64_t id)
{
    uint64_t ticks = read_tsc() - last_reading.tsc;

    if (ticks >= tsc_fresh)
        return read_clocks(id);
    return (id == CLOCK_MONOTONIC ? last_reading.monotonic : last_reading.wall)
            + (ticks * tsc_mult >> 32);
}

solo5_time_t solo5_clock_monotonic(void)
{
    uint64_t now = tell(CLOCK_MONOTONIC);

    if (now > told_ns)
        told_ns = now;
    return told_ns;
}

solo5_time_t solo5_clock_wall(void)
{
    return tell(CLOCK_REALTIME);
}
