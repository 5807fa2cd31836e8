/*
 * clock.c: time on hvt. Monotonic time comes from the TSC, which the tender
 * says the frequency of; the wall clock is the host's; waiting is a hypercall.
 *
 * Ticks become nanoseconds by (ticks * mult) >> shift. The conversion is
 * applied to the ticks since the last reading, so time cannot go back and the
 * product stays small; the fraction of a nanosecond that the shift cuts off is
 * carried to the next reading, so that frequent ones lose nothing.
 */
static uint64_t tsc_base;      /* the TSC at the last reading */
static uint64_t tsc_base_ns;   /* the time then */
static uint64_t tsc_remainder; /* and what it is short of, << shift */
static uint32_t tsc_mult;
static unsigned tsc_shift;

static void clock_advance(uint64_t ticks)
{
    unsigned __int128 product = (unsigned __int128)ticks * tsc_mult
            + tsc_remainder;

    tsc_base_ns += (uint64_t)(product >> tsc_shift);
    tsc_remainder = (uint64_t)product & ((1ull << tsc_shift) - 1);
    tsc_base += ticks;
}

static void clock_init(uint64_t frequency)
{
    uint64_t mult;

    ASSERT(frequency > 0);
    tsc_shift = 32;
    while ((mult = (NSEC_PER_SEC << tsc_shift) / frequency) > UINT32_MAX)
        tsc_shift--;
    tsc_mult = (uint32_t)mult;
    clock_advance(read_tsc());
    log_line(LOG_DEBUG,
            "Solo5: tscclock_init(): tsc_freq=%lu tsc_mult=%u tsc_shift=%u",
            frequency, tsc_mult, tsc_shift);
}

solo5_time_t solo5_clock_monotonic(void)
{
    uint64_t now = read_tsc();

    /* Another core's TSC may be a little behind. */
    if (now > tsc_base)
        clock_advance(now - tsc_base);
    return tsc_base_ns;
}

solo5_time_t solo5_clock_wall(void)
{
    struct hvt_hc_walltime args = { 0 };

    hypercall(HVT_HYPERCALL_WALLTIME, &args);
    return args.nsecs;
}

/* Waits for these devices, as far as the tender can; those that are ready. */
static solo5_handle_set_t poll_set(uint64_t timeout, solo5_handle_set_t wanted)
{
    if (manifest_poll_set()) {
        struct hvt_hc_poll_set args = {
            .timeout_nsecs = timeout,
            .wanted_set = wanted,
        };

        hypercall(HVT_HYPERCALL_POLL_SET, &args);
        return args.ready_set;
    }

    struct hvt_hc_poll args = { .timeout_nsecs = timeout };
    hypercall(HVT_HYPERCALL_POLL, &args);
    return args.ready_set;
}

/*
 * The host's timer and the TSC may disagree by some parts per million, so a
 * time-out is believed only once the deadline has been reached.
 */
void solo5_yield_set(solo5_time_t deadline, solo5_handle_set_t wanted,
        solo5_handle_set_t *ready)
{
    uint64_t now = solo5_clock_monotonic();
    solo5_handle_set_t set;

    do {
        set = poll_set(deadline > now ? deadline - now : 0, wanted);
        now = solo5_clock_monotonic();
    } while (set == 0 && now < deadline);

    if (ready != NULL)
        *ready = set & wanted;
}
