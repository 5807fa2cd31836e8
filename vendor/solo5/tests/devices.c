/*
 * devices.c: a guest with two block devices and a network device, whose
 * manifest is a C file made by solo5-elftool. The command line names the case.
 */
#include "guest.h"

#define SECOND 1000000000ull

static uint8_t out[65536], in[65536];

static int fill_and_check(const char *name)
{
    struct solo5_block_info info;
    solo5_handle_t handle, again;
    size_t size;

    CHECK(solo5_block_acquire(name, &handle, &info) == SOLO5_R_OK);
    CHECK(solo5_block_acquire(name, &again, &info) == SOLO5_R_EINVAL);
    size = info.block_size;
    say("block size ");
    say_number(size);
    say(", capacity ");
    say_number(info.capacity);
    say("\n");
    for (solo5_off_t at = 0; at < info.capacity; at += size) {
        for (size_t i = 0; i < size; i++)
            out[i] = (uint8_t)(i * 31 + at / size);
        CHECK(solo5_block_write(handle, at, out, size) == SOLO5_R_OK);
    }
    for (solo5_off_t at = 0; at < info.capacity; at += size) {
        CHECK(solo5_block_read(handle, at, in, size) == SOLO5_R_OK);
        for (size_t i = 0; i < size; i++)
            CHECK(in[i] == (uint8_t)(i * 31 + at / size));
    }
#define REFUSED(offset, length) \
    CHECK(solo5_block_read(handle, offset, in, length) == SOLO5_R_EINVAL); \
    CHECK(solo5_block_write(handle, offset, out, length) == SOLO5_R_EINVAL)
    REFUSED(info.capacity, size);
    REFUSED(info.capacity + size, size);
    REFUSED(0 - (solo5_off_t)size, size);
    REFUSED(1, size);
    REFUSED(size / 2, size);
    REFUSED(0, size - 1);
    REFUSED(0, 2 * size);
    REFUSED(0, 0);
    CHECK(solo5_block_read(handle + (1ull << 32), 0, in, size)
            == SOLO5_R_EINVAL);
    CHECK(solo5_block_read(handle + 64, 0, in, size) == SOLO5_R_EINVAL);
    CHECK(solo5_block_read(0, 0, in, size) == SOLO5_R_EINVAL);
    return 0;
}

static int block(void)
{
    struct solo5_net_info net;
    solo5_handle_t handle;
    int failed;

    CHECK(solo5_net_acquire("disk", &handle, &net) == SOLO5_R_EINVAL);
    CHECK(solo5_net_acquire("disks", &handle, &net) == SOLO5_R_EINVAL);
    CHECK(solo5_net_acquire("dis", &handle, &net) == SOLO5_R_EINVAL);
    if ((failed = fill_and_check("disk")) || (failed = fill_and_check("store")))
        return failed;
    SUCCESS();
}

/* Writes until the image has been cut short, which is an error of the disk's. */
static int shrunk(void)
{
    struct solo5_block_info info;
    solo5_handle_t handle;
    solo5_time_t end = solo5_clock_monotonic() + 60 * SECOND;
    solo5_result_t result;

    CHECK(solo5_block_acquire("disk", &handle, &info) == SOLO5_R_OK);
    for (size_t i = 0; i < info.block_size; i++)
        out[i] = 7;
    while ((result = solo5_block_write(handle, 0, out, info.block_size))
            == SOLO5_R_OK) {
        CHECK(solo5_clock_monotonic() < end);
        solo5_yield(solo5_clock_monotonic() + SECOND / 100, NULL);
    }
    CHECK(result == SOLO5_R_EUNSPEC);
    CHECK(solo5_block_write(handle, info.capacity - info.block_size, out,
            info.block_size) == SOLO5_R_EUNSPEC);
    CHECK(solo5_block_read(handle, 0, in, info.block_size) == SOLO5_R_EUNSPEC);
    SUCCESS();
}

/* Sends each frame back to where it came from, up to one with a number of -1. */
static int echo(void)
{
    struct solo5_net_info info;
    solo5_handle_t handle;
    solo5_handle_set_t ready;
    size_t size;
    size_t longest;

    CHECK(solo5_net_acquire("service", &handle, &info) == SOLO5_R_OK);
    longest = info.mtu + SOLO5_NET_HLEN;
    say("MTU ");
    say_number(info.mtu);
    say("\n");
    CHECK(longest <= sizeof in);
    CHECK(solo5_net_write(handle, out, 13) == SOLO5_R_EINVAL);
    CHECK(solo5_net_write(handle, out, longest + 1) == SOLO5_R_EINVAL);
    CHECK(solo5_net_write(handle, out, SIZE_MAX) == SOLO5_R_EINVAL);
    CHECK(solo5_net_write(handle + (1ull << 32), out, 60) == SOLO5_R_EINVAL);
    CHECK(solo5_net_read(handle, in, longest - 1, &size) == SOLO5_R_EINVAL);

    solo5_time_t deadline = solo5_clock_monotonic() + 180 * SECOND;
    for (;;) {
        CHECK(solo5_clock_monotonic() < deadline);
        solo5_yield(deadline, &ready);
        if (ready == 0)
            continue;
        CHECK(ready == 1ull << handle);
        for (;;) {
            solo5_result_t result =
                    solo5_net_read(handle, in, sizeof in, &size);
            if (result == SOLO5_R_AGAIN)
                break;
            CHECK(result == SOLO5_R_OK);
            CHECK(size >= SOLO5_NET_HLEN && size <= longest);
            /* Only frames of the test's own EtherType, 0x88b5. */
            if (in[12] != 0x88 || in[13] != 0xb5)
                continue;
            for (int i = 0; i < SOLO5_NET_ALEN; i++) {
                in[i] = in[i + SOLO5_NET_ALEN];
                in[i + SOLO5_NET_ALEN] = info.mac_address[i];
            }
            CHECK(solo5_net_write(handle, in, size) == SOLO5_R_OK);
            if ((in[14] & in[15] & in[16] & in[17]) == 0xff)
                SUCCESS();
        }
    }
}

/* Sends more frames than the ring has buffers, numbered, and ends at once. */
static int flood(uint64_t count)
{
    struct solo5_net_info info;
    solo5_handle_t handle;

    CHECK(solo5_net_acquire("service", &handle, &info) == SOLO5_R_OK);
    for (int i = 0; i < SOLO5_NET_ALEN; i++) {
        out[i] = 0xff;
        out[i + SOLO5_NET_ALEN] = info.mac_address[i];
    }
    out[12] = 0x88;
    out[13] = 0xb5;
    for (uint64_t n = 0; n < count; n++) {
        for (int i = 0; i < 8; i++)
            out[14 + i] = (uint8_t)(n >> 8 * i);
        CHECK(solo5_net_write(handle, out, 60 + n % 1000) == SOLO5_R_OK);
    }
    SUCCESS();
}

int solo5_app_main(const struct solo5_start_info *info)
{
    if (same(info->cmdline, "block"))
        return block();
    if (same(info->cmdline, "shrunk"))
        return shrunk();
    if (same(info->cmdline, "echo"))
        return echo();
    if (same(info->cmdline, "flood"))
        return flood(400);
    say("no such case\n");
    return SOLO5_EXIT_FAILURE;
}
