/*
 * yield.c: waiting for the devices that have been acquired.
 *
 * A tender that cannot be told which these are wakes the guest for all that are
 * attached. Frames of one that is not acquired are nobody's: they are read and
 * dropped, or the guest would never sleep again. No more than so many at once,
 * lest they keep those waiting that somebody does read.
 */
#define DROP_MAX 64

static void drop_unacquired(void)
{
    for (uint32_t i = 1; i < manifest->entries; i++) {
        const struct mft_entry *e = &manifest->e[i];

        if (e->type == MFT_DEV_NET_BASIC && e->attached
                && !(manifest_acquired >> i & 1))
            for (unsigned n = 0; n < DROP_MAX && platform_net_drop(i); n++)
                ;
    }
}

void solo5_yield(solo5_time_t deadline, solo5_handle_set_t *ready)
{
    solo5_handle_set_t set;

    for (;;) {
        solo5_yield_set(deadline, manifest_acquired, &set);
        if (set != 0 || manifest_poll_set()
                || solo5_clock_monotonic() >= deadline)
            break;
        drop_unacquired();
    }
    if (ready != NULL)
        *ready = set;
}
