/*
 * platform.c: end, thread pointer and waiting on spt.
 */
static int spt_epollfd;
static int spt_timerfd;

static void platform_exit(int status, const void *cookie)
{
    uint64_t begin = clock(CLOCK_MONOTONIC);

    (void)cookie;
    console_refused_until = 0; /* a last chance */
    do {
        console_flush();
    } while (console_waits()
            && clock(CLOCK_MONOTONIC) - begin < CONSOLE_EXIT_NS);
    for (;;)
        (void)system_call(SYS_EXIT_GROUP, (uint64_t)status, 0, 0, 0, 0, 0);
}

static bool platform_set_fs_base(uint64_t base)
{
    return system_call(SYS_ARCH_PRCTL, ARCH_SET_FS, base, 0, 0, 0, 0) == 0;
}

/* Waits until the deadline at most; the handles that are ready. */
static solo5_handle_set_t wait_until(solo5_time_t deadline)
{
    static struct epoll_event events[MFT_MAX_ENTRIES + 1]; /* and the timer */
    /*
     * Solo5's monotonic time is CLOCK_MONOTONIC here, so the deadline goes to
     * the timer as it is. A value of zero would disarm it: the lowest bit is
     * set.
     */
    const struct itimerspec timer = {
        .it_value = {
            .tv_sec = (int64_t)(deadline / NSEC_PER_SEC),
            .tv_nsec = (int64_t)((deadline % NSEC_PER_SEC) | 1),
        },
    };
    static solo5_time_t set_to; /* what the timer was set to last */
    solo5_handle_set_t set = 0;
    long count;

    /* One that has expired stays ready, as nobody reads it. */
    if ((deadline | 1) != set_to) {
        count = system_call(SYS_TIMERFD_SETTIME, (uint64_t)spt_timerfd,
                TFD_TIMER_ABSTIME, (uintptr_t)&timer, 0, 0, 0);
        ASSERT(count == 0);
        set_to = deadline | 1;
    }
    do {
        count = system_call(SYS_EPOLL_PWAIT, (uint64_t)spt_epollfd,
                (uintptr_t)events, manifest_count(MFT_DEV_NET_BASIC)
                + manifest_count(MFT_DEV_BLOCK_BASIC) + 2,
                (uint64_t)-1, 0, 0);
    } while (count == NEG_EINTR);
    ASSERT(count >= 0);

    for (long i = 0; i < count; i++)
        if (events[i].data < MFT_MAX_ENTRIES)
            set |= 1ull << events[i].data;
    return set;
}

/*
 * Has the epoll set hold these network devices alone, if the tender permits
 * that. All that are attached are in it at first. False if the host has no
 * memory for it now.
 */
static bool wait_for(solo5_handle_set_t wanted)
{
    static solo5_handle_set_t left_out, last = ~0ull;
    bool done = true;

    if (wanted == last || !manifest_poll_set())
        return true;
    for (uint32_t i = 1; i < manifest->entries; i++) {
        const struct mft_entry *e = &manifest->e[i];
        struct epoll_event event = { .events = EPOLLIN, .data = i };
        bool is_out = left_out >> i & 1, shall_be = !(wanted >> i & 1);

        if (e->type != MFT_DEV_NET_BASIC || is_out == shall_be)
            continue;
        if (system_call(SYS_EPOLL_CTL, (uint64_t)spt_epollfd,
                    shall_be ? EPOLL_CTL_DEL : EPOLL_CTL_ADD,
                    (uint64_t)e->b.hostfd, (uintptr_t)&event, 0, 0) == 0)
            left_out ^= 1ull << i;
        else
            done = false;
    }
    if (done)
        last = wanted;
    return done;
}

/*
 * What the tender says once: that the guest is to end, and, for the handle of a
 * block device, that a flush has ended, until its user knows.
 */
static solo5_handle_set_t told;

static bool block_flush_hear(solo5_handle_t handle);

/* Notes what the tender says once; the network devices that are ready. */
static solo5_handle_set_t hear(solo5_handle_set_t set)
{
    for (uint32_t i = 1; i < manifest->entries; i++)
        if ((set >> i & 1) && manifest->e[i].type == MFT_DEV_BLOCK_BASIC) {
            block_flush_hear(i);
            set &= ~(1ull << i);
        }
    told |= set & SHUTDOWN;
    return set & ~SHUTDOWN;
}

void solo5_yield_set(solo5_time_t deadline, solo5_handle_set_t wanted,
        solo5_handle_set_t *ready)
{
    solo5_handle_set_t set, before;
    solo5_time_t until, now;
    bool retry;

    do {
        before = told;
        until = (told & wanted) != 0 ? 0 : deadline;
        retry = !wait_for(wanted);
        console_flush();
        if (retry || console_waits()) {
            now = solo5_clock_monotonic();
            if (deadline > now && deadline - now > RETRY_NS)
                until = now + RETRY_NS;
        }
        set = hear(wait_until(until));
        set |= told & wanted;
    } while (set == 0 && (until < deadline || told != before));
    if (ready != NULL)
        *ready = set & wanted;
}
