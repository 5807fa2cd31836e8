/*
 * many.c: as many devices as a manifest holds, declared for the linker to
 * collect; and one that nothing refers to, which the linker is to drop.
 */
#include "guest.h"
#include "mft_abi.h"

#ifndef COUNT
#define COUNT 63
#endif

/* A declaration as net! and block! make it. */
#define DISK(n) \
    static const struct mft_entry disk##n \
    __attribute__((section(".solo5.manifest.device.disk" #n))) = { \
        .name = "disk" #n, .type = MFT_DEV_BLOCK_BASIC, \
    };
#define TEN(d) \
    DISK(d##0) DISK(d##1) DISK(d##2) DISK(d##3) DISK(d##4) \
    DISK(d##5) DISK(d##6) DISK(d##7) DISK(d##8) DISK(d##9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6)
DISK(70) DISK(71) DISK(72)
#if COUNT > 63
DISK(73)
#endif

__attribute__((used))
static const struct mft_entry *spare(void)
{
    static const struct mft_entry unreachable
    __attribute__((section(".solo5.manifest.device.unreachable"))) = {
        .name = "unreachable", .type = MFT_DEV_NET_BASIC,
    };
    return &unreachable;
}

#define NAME(n) disk##n.name,
#define TEN_NAMES(d) \
    NAME(d##0) NAME(d##1) NAME(d##2) NAME(d##3) NAME(d##4) \
    NAME(d##5) NAME(d##6) NAME(d##7) NAME(d##8) NAME(d##9)
static const char *const names[] = {
    TEN_NAMES(1) TEN_NAMES(2) TEN_NAMES(3) TEN_NAMES(4) TEN_NAMES(5)
    TEN_NAMES(6) NAME(70) NAME(71) NAME(72)
#if COUNT > 63
    NAME(73)
#endif
};

int solo5_app_main(const struct solo5_start_info *start)
{
    static uint8_t block[512];

    (void)start;
    for (uint64_t i = 0; i < COUNT; i++) {
        struct solo5_block_info info;
        solo5_handle_t handle;

        CHECK(solo5_block_acquire(names[i], &handle, &info) == SOLO5_R_OK);
        CHECK(handle == i + 1);
        CHECK(info.block_size == sizeof block);
        block[0] = (uint8_t)handle;
        CHECK(solo5_block_write(handle, 0, block, sizeof block) == SOLO5_R_OK);
        CHECK(solo5_block_read(handle, 0, block, sizeof block) == SOLO5_R_OK);
        CHECK(block[0] == handle);
    }
    SUCCESS();
}
