/*
 * storage.c: a guest with a block device that it asks for all that Solo5's
 * interface does not have. The command line names the case.
 */
#include "guest.h"
#include "mft_abi.h"

#define SECOND 1000000000ull

#ifndef WANTED
#define WANTED MFT_BLOCK_FLUSH
#endif

/* That it has all features already is a lie, which must come to nothing. */
static const struct mft_entry disk
__attribute__((section(".solo5.manifest.device.disk"))) = {
    .name = "disk",
    .type = MFT_DEV_BLOCK_BASIC,
    .u.block_basic = { .wanted = WANTED, .granted = 0xffff },
};

static uint8_t out[32768], in[32768];

static solo5_handle_t handle;
static struct solo5_block_info info;

static void fill(uint8_t with)
{
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = with;
}

/* Waits until the test has written to the last block. */
static int wait_for_host(void)
{
    solo5_time_t end = solo5_clock_monotonic() + 60 * SECOND;

    do {
        CHECK(solo5_clock_monotonic() < end);
        solo5_yield(solo5_clock_monotonic() + SECOND / 100, NULL);
        CHECK(solo5_block_read(handle, info.capacity - info.block_size, in,
                info.block_size) == SOLO5_R_OK);
    } while (in[0] != 0xaa);
    return 0;
}

/* What there is, and that a flush is done or refused. */
static int features(void)
{
    unsigned has = solo5_block_features(handle);
    solo5_result_t flushed = has & SOLO5_BLOCK_FLUSH
            ? SOLO5_R_OK : SOLO5_R_EINVAL;

    say("features ");
    say_number(has);
    say("\n");
    CHECK(solo5_block_features(0) == 0);
    CHECK(solo5_block_features(handle + 64) == 0);
    CHECK(solo5_block_features(handle + (1ull << 32)) == 0);
    CHECK(solo5_block_flush(0) == SOLO5_R_EINVAL);
    CHECK(solo5_block_flush(handle + 64) == SOLO5_R_EINVAL);
    CHECK(solo5_block_flush(handle + (1ull << 32)) == SOLO5_R_EINVAL);
    fill(9);
    CHECK(solo5_block_write(handle, 0, out, info.block_size) == SOLO5_R_OK);
    CHECK(solo5_block_flush(handle) == flushed);
    CHECK(solo5_block_flush(handle) == flushed);
    SUCCESS();
}

/* The host fails to sync: an error now and ever after. */
static int flush_fails(void)
{
    fill(9);
    CHECK(solo5_block_write(handle, 0, out, info.block_size) == SOLO5_R_OK);
    CHECK(solo5_block_flush(handle) == SOLO5_R_EUNSPEC);
    say("failed\n");
    CHECK(wait_for_host() == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(solo5_block_write(handle, 0, out, info.block_size)
                == SOLO5_R_OK);
        CHECK(solo5_block_flush(handle) == SOLO5_R_EUNSPEC);
    }
    CHECK(solo5_block_read(handle, 0, in, info.block_size) == SOLO5_R_OK);
    SUCCESS();
}

/* Flushes until the image is cut short, and when it has its length again. */
static int shrunk(void)
{
    solo5_time_t end = solo5_clock_monotonic() + 60 * SECOND;
    solo5_result_t result;

    say("there\n");
    while ((result = solo5_block_flush(handle)) == SOLO5_R_OK) {
        CHECK(solo5_clock_monotonic() < end);
        solo5_yield(solo5_clock_monotonic() + SECOND / 100, NULL);
    }
    CHECK(result == SOLO5_R_ESHRUNK);
    say("shrunk\n");
    while ((result = solo5_block_flush(handle)) == SOLO5_R_ESHRUNK) {
        CHECK(solo5_clock_monotonic() < end);
        solo5_yield(solo5_clock_monotonic() + SECOND / 100, NULL);
    }
    CHECK(result == SOLO5_R_EUNSPEC);
    CHECK(solo5_block_flush(handle) == SOLO5_R_EUNSPEC);
    SUCCESS();
}

int solo5_app_main(const struct solo5_start_info *start)
{
    /* What has not been acquired has no features. */
    CHECK(solo5_block_features(1) == 0);
    CHECK(solo5_block_flush(1) == SOLO5_R_EINVAL);
    CHECK(solo5_block_acquire(disk.name, &handle, &info) == SOLO5_R_OK);
    if (same(start->cmdline, "features"))
        return features();
    if (same(start->cmdline, "flush-fails"))
        return flush_fails();
    if (same(start->cmdline, "shrunk"))
        return shrunk();
    say("no such case\n");
    return SOLO5_EXIT_FAILURE;
}
