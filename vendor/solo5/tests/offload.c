/*
 * offload.c: a guest that asks for network offload and sends every IPv4 packet,
 * and every segment of TCP over IPv6, back to where it came from, with the
 * addresses swapped: a connection of the host's to the guest ends up being one
 * to itself. A frame of EtherType 0x88b5 ends the guest, which says how long
 * the longest frame of either was.
 */
#include "guest.h"
#include "mft_abi.h"

#define SECOND 1000000000ull

#ifndef WANTED
#define WANTED (MFT_NET_OFFLOAD | MFT_NET_OFFLOAD_V6)
#endif

/* That it has the feature already is a lie, which must come to nothing. */
static const struct mft_entry service
__attribute__((section(".solo5.manifest.device.service"))) = {
    .name = "service",
    .type = MFT_DEV_NET_BASIC,
    .u.net_basic = { .wanted = WANTED, .granted = 0xffff },
};

static uint8_t frame[SOLO5_NET_OFFLOAD_MAX + 1];

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = a[i];

        a[i] = b[i];
        b[i] = byte;
    }
}

/* What the bindings refuse, with the bounds that hold for this device. */
static int check_bounds(solo5_handle_t handle, size_t shortest, size_t longest)
{
    size_t size;

    CHECK(solo5_net_write(handle, frame, shortest - 1) == SOLO5_R_EINVAL);
    CHECK(solo5_net_write(handle, frame, longest + 1) == SOLO5_R_EINVAL);
    CHECK(solo5_net_read(handle, frame, longest - 1, &size) == SOLO5_R_EINVAL);
    return 0;
}

/* A header that does not fit its frame loses that frame and nothing else. */
static int check_bad_headers(solo5_handle_t handle)
{
    struct solo5_net_header *header = (struct solo5_net_header *)frame;

    *header = (struct solo5_net_header){
        .flags = SOLO5_NET_HEADER_NEEDS_CSUM,
        .csum_start = 0xfff0,
        .csum_offset = 0xfff0,
    };
    (void)solo5_net_write(handle, frame, 100);
    *header = (struct solo5_net_header){ .gso_type = 0x7f, .hdr_len = 0xffff };
    (void)solo5_net_write(handle, frame, sizeof frame - 1);
    *header = (struct solo5_net_header){ 0 };
    return 0;
}

/* Sends the packet back, if it is one of those; its length goes to seen[]. */
static int reflect(solo5_handle_t handle, size_t at, size_t size, size_t *seen)
{
    uint8_t *ethernet = frame + at;
    bool v4 = ethernet[12] == 0x08 && ethernet[13] == 0x00;
    bool v6 = ethernet[12] == 0x86 && ethernet[13] == 0xdd;

    if (!v4 && !(v6 && ethernet[20] == 6))
        return 0;
    if (size - at > seen[v6])
        seen[v6] = size - at;
    swap(ethernet, ethernet + 6, 6); /* Ethernet addresses */
    if (v4)
        swap(ethernet + 26, ethernet + 30, 4);
    else
        swap(ethernet + 22, ethernet + 38, 16);
    CHECK(solo5_net_write(handle, frame, size) == SOLO5_R_OK);
    return 0;
}

int solo5_app_main(const struct solo5_start_info *start)
{
    struct solo5_net_info info = { .features = 0 };
    solo5_handle_t handle;
    size_t size, at = 0, shortest = SOLO5_NET_HLEN, longest;
    size_t seen[2] = { 0, 0 };
    int failed;

    (void)start;
    CHECK(solo5_net_acquire(service.name, &handle, &info) == SOLO5_R_OK);
    longest = info.mtu + SOLO5_NET_HLEN;
    if (info.features & SOLO5_NET_OFFLOAD) {
        at = sizeof (struct solo5_net_header);
        shortest = SOLO5_NET_OFFLOAD_MIN;
        longest = SOLO5_NET_OFFLOAD_MAX;
        if ((failed = check_bad_headers(handle)))
            return failed;
    }
    if ((failed = check_bounds(handle, shortest, longest)))
        return failed;
    say("features ");
    say_number(info.features);
    say("\n");

    solo5_time_t deadline = solo5_clock_monotonic() + 180 * SECOND;
    for (;;) {
        CHECK(solo5_clock_monotonic() < deadline);
        solo5_yield(deadline, NULL);
        for (;;) {
            solo5_result_t result =
                    solo5_net_read(handle, frame, sizeof frame, &size);
            uint8_t *ethernet = frame + at;

            if (result == SOLO5_R_AGAIN)
                break;
            CHECK(result == SOLO5_R_OK);
            CHECK(size >= shortest && size <= longest);
            if (ethernet[12] == 0x88 && ethernet[13] == 0xb5) {
                say("longest ");
                say_number(seen[0]);
                say("\nlongest6 ");
                say_number(seen[1]);
                say("\n");
                SUCCESS();
            }
            if ((failed = reflect(handle, at, size, seen)))
                return failed;
        }
    }
}
