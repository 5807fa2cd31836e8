/*
 * storage.c: a guest with a block device that it asks for all that Solo5's
 * interface does not have. The command line names the case.
 */
#include "guest.h"
#include "mft_abi.h"
#include "spt_abi.h"

#define SECOND 1000000000ull

#ifndef WANTED
#define WANTED (MFT_BLOCK_FLUSH | MFT_BLOCK_MANY | MFT_BLOCK_DISCARD)
#endif

#ifndef TENDER_WANTED
#define TENDER_WANTED MFT_TENDER_FLUSH
#endif

/* That the manifest's first entry says so, if this is referred to. */
static const uint8_t wants_flush
__attribute__((section(".solo5.manifest.wants.flush"))) = 0;

/* That it has all features already is a lie, which must come to nothing. */
static const struct mft_entry disk
__attribute__((section(".solo5.manifest.device.disk"))) = {
    .name = "disk",
    .type = MFT_DEV_BLOCK_BASIC,
    .u.block_basic = { .wanted = WANTED, .granted = 0xffff },
};

#ifdef FRAMES
static const struct mft_entry service
__attribute__((section(".solo5.manifest.device.service"))) = {
    .name = "service",
    .type = MFT_DEV_NET_BASIC,
};
#endif

static uint8_t out[SOLO5_BLOCK_MANY_MAX + 512] __attribute__((aligned(8)));
static uint8_t in[SOLO5_BLOCK_MANY_MAX + 512] __attribute__((aligned(8)));

/* Eight bytes of a buffer. */
typedef uint64_t __attribute__((may_alias)) word;

static solo5_handle_t handle;
static struct solo5_block_info info;

/* Has one block of `out` hold nothing else. */
static void fill(uint8_t with)
{
    for (size_t i = 0; i < info.block_size; i++)
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
    if ((has & SOLO5_BLOCK_FLUSH_BEGIN) == 0) {
        CHECK(solo5_block_flush_begin(handle) == SOLO5_R_EINVAL);
        CHECK(solo5_block_flush_end(handle) == SOLO5_R_EINVAL);
        CHECK(!solo5_block_flush_has_ended(handle));
    }
    if ((has & SOLO5_BLOCK_DISCARD) == 0)
        CHECK(solo5_block_discard(handle, 0, info.block_size)
                == SOLO5_R_EINVAL);
    SUCCESS();
}

/* What stands at an offset of the device, 8 bytes of it. */
static uint64_t pattern(solo5_off_t at)
{
    return at * 0x9e3779b97f4a7c15 + 1;
}

static solo5_result_t write_pattern(solo5_off_t at, size_t size)
{
    word *words = (word *)out;

    for (size_t i = 0; i < size / 8; i++)
        words[i] = pattern(at + 8 * i);
    return solo5_block_write(handle, at, out, size);
}

static int check_pattern(solo5_off_t at, size_t size)
{
    const word *words = (const word *)in;

    CHECK(solo5_block_read(handle, at, in, size) == SOLO5_R_OK);
    for (size_t i = 0; i < size / 8; i++)
        CHECK(words[i] == pattern(at + 8 * i));
    return 0;
}

/* Transfers of all sizes, on a device of more than two of the largest. */
static int many(void)
{
    const size_t block = info.block_size, most = SOLO5_BLOCK_MANY_MAX;
    solo5_off_t at = 0;
    size_t size = block;
    int failed;

    while (at < info.capacity) {
        if (size > info.capacity - at)
            size = info.capacity - at;
        CHECK(write_pattern(at, size) == SOLO5_R_OK);
        at += size;
        size = size * 3 > most ? most : size * 3;
    }
    for (at = 0; at < info.capacity; at += size) {
        size = info.capacity - at < most ? info.capacity - at : most;
        if ((failed = check_pattern(at, size)))
            return failed;
    }
    if ((failed = check_pattern(info.capacity - 2 * block, 2 * block)))
        return failed;
#define REFUSED(offset, length) \
    CHECK(solo5_block_read(handle, offset, in, length) == SOLO5_R_EINVAL); \
    CHECK(solo5_block_write(handle, offset, out, length) == SOLO5_R_EINVAL)
    REFUSED(0, 0);
    REFUSED(0, block - 1);
    REFUSED(0, block + 1);
    REFUSED(0, most + block);
    REFUSED(0, 0 - block);
    REFUSED(1, block);
    REFUSED(block / 2, 2 * block);
    REFUSED(info.capacity, block);
    REFUSED(info.capacity - block, 2 * block);
    REFUSED(info.capacity - most + block, most);
    REFUSED(0 - (solo5_off_t)block, 2 * block);
    REFUSED(0 - (solo5_off_t)block, block);
    CHECK(solo5_block_flush(handle) == SOLO5_R_OK);
    SUCCESS();
}

/* Blocks that are given up read as zeros, and their neighbours as before. */
static int discard(void)
{
    const size_t block = info.block_size, all = info.capacity;
    const word *words = (const word *)in;
    int failed;

    CHECK(write_pattern(0, all) == SOLO5_R_OK);
    CHECK(solo5_block_flush(handle) == SOLO5_R_OK);
    CHECK(solo5_block_discard(handle, block, block) == SOLO5_R_OK);
    CHECK(solo5_block_discard(handle, 8192, 32768) == SOLO5_R_OK);
    CHECK(solo5_block_read(handle, block, in, block) == SOLO5_R_OK);
    for (size_t i = 0; i < block / 8; i++)
        CHECK(words[i] == 0);
    CHECK(solo5_block_read(handle, 8192, in, 32768) == SOLO5_R_OK);
    for (size_t i = 0; i < 32768 / 8; i++)
        CHECK(words[i] == 0);
    if ((failed = check_pattern(0, block))
            || (failed = check_pattern(2 * block, 8192 - 2 * block))
            || (failed = check_pattern(40960, all - 40960)))
        return failed;
#define NOT_DISCARDED(offset, length) \
    CHECK(solo5_block_discard(handle, offset, length) == SOLO5_R_EINVAL)
    NOT_DISCARDED(0, 0);
    NOT_DISCARDED(0, block - 1);
    NOT_DISCARDED(1, block);
    NOT_DISCARDED(0, all + block);
    NOT_DISCARDED(all, block);
    NOT_DISCARDED(all - block, 2 * block);
    NOT_DISCARDED(0 - (solo5_off_t)block, block);
    NOT_DISCARDED(0 - (solo5_off_t)block, 2 * block);
    NOT_DISCARDED(block, 0 - (solo5_off_t)block);
    CHECK(solo5_block_discard(0, 0, block) == SOLO5_R_EINVAL);
    CHECK(solo5_block_discard(handle + 64, 0, block) == SOLO5_R_EINVAL);
    if ((failed = check_pattern(0, block)))
        return failed;
    CHECK(solo5_block_flush(handle) == SOLO5_R_OK);
    SUCCESS();
}

/* The number that was written last: one in each block, in turn. */
static uint64_t last_number(void)
{
    uint64_t last = 0;

    for (solo5_off_t at = 0; at < info.capacity; at += info.block_size) {
        if (solo5_block_read(handle, at, in, info.block_size) != SOLO5_R_OK)
            return UINT64_MAX;
        if (*(const word *)in > last)
            last = *(const word *)in;
    }
    return last;
}

/* Writes number after number, and says so when each is durable, or is not. */
static int count(bool flush)
{
    const uint64_t blocks = info.capacity / info.block_size;
    uint64_t number = last_number();

    say("found ");
    say_number(number);
    say("\n");
    for (;;) {
        number++;
        *(word *)out = number;
        CHECK(solo5_block_write(handle, number % blocks * info.block_size, out,
                info.block_size) == SOLO5_R_OK);
        if (flush)
            CHECK(solo5_block_flush(handle) == SOLO5_R_OK);
        say_number(number);
        say("\n");
        if (!flush)
            solo5_yield(solo5_clock_monotonic() + SECOND / 1000, NULL);
    }
}

/* The host's disk is full, and then it is not. */
static int full(void)
{
    const size_t most = SOLO5_BLOCK_MANY_MAX;
    solo5_off_t at = 0;
    solo5_result_t result;
    int failed;

    CHECK(write_pattern(0, most) == SOLO5_R_OK);
    do
        at += most;
    while ((result = solo5_block_write(handle, at, out, most)) == SOLO5_R_OK);
    CHECK(result == SOLO5_R_ENOSPC);
    CHECK(solo5_block_write(handle, at, out, most) == SOLO5_R_ENOSPC);
    if ((failed = check_pattern(0, most)))
        return failed;
    CHECK(solo5_block_flush(handle) == SOLO5_R_OK);
    say("full\n");
    CHECK(wait_for_host() == 0);
    CHECK(write_pattern(at, most) == SOLO5_R_OK);
    if ((failed = check_pattern(at, most)))
        return failed;
    CHECK(solo5_block_flush(handle) == SOLO5_R_OK);
    SUCCESS();
}

/* The host cannot read or write what is at offset 4096, and all else. */
static int broken(void)
{
    const size_t block = info.block_size;

    CHECK(write_pattern(0, 4096) == SOLO5_R_OK);
    CHECK(write_pattern(4096, block) == SOLO5_R_EUNSPEC);
    CHECK(solo5_block_read(handle, 4096, in, block) == SOLO5_R_EUNSPEC);
    CHECK(write_pattern(4096, 8 * block) == SOLO5_R_EUNSPEC);
    CHECK(write_pattern(4096 + block, 8 * block) == SOLO5_R_OK);
    CHECK(check_pattern(0, 4096) == 0);
    CHECK(check_pattern(4096 + block, 8 * block) == 0);
    SUCCESS();
}

/* Waits for the end of the flush that was begun, and for nothing else. */
static bool wait_for_flush(void)
{
    solo5_handle_set_t ready;

    solo5_yield_set(solo5_clock_monotonic() + 60 * SECOND, 1ull << handle,
            &ready);
    return ready == 1ull << handle && solo5_block_flush_has_ended(handle);
}

/* A flush that goes on meanwhile, if that can be begun. */
static solo5_result_t flush_beside(void)
{
    solo5_result_t result = solo5_block_flush_begin(handle);

    if (result != SOLO5_R_OK)
        return result;
    return wait_for_flush() ? solo5_block_flush_end(handle) : SOLO5_R_AGAIN;
}

/* Flushes that go on meanwhile, one at a time. */
static int beside(void)
{
    const solo5_handle_set_t bit = 1ull << handle;
    solo5_handle_set_t ready;

    CHECK(solo5_block_flush_end(handle) == SOLO5_R_EINVAL);
    for (uint8_t i = 1; i <= 30; i++) {
        fill(i);
        CHECK(solo5_block_write(handle, 0, out, info.block_size) == SOLO5_R_OK);
        CHECK(solo5_block_flush_begin(handle) == SOLO5_R_OK);
        CHECK(solo5_block_flush_begin(handle) == SOLO5_R_AGAIN);
        if (i % 3 == 0) /* waits for the other, and says nothing of it */
            CHECK(solo5_block_flush(handle) == SOLO5_R_OK);
        CHECK(wait_for_flush());
        CHECK(solo5_block_flush_begin(handle) == SOLO5_R_AGAIN);
        solo5_yield_set(0, 0, &ready);
        CHECK(ready == 0);
        solo5_yield_set((solo5_time_t)-1, bit, &ready);
        CHECK(ready == bit);
        CHECK(solo5_block_flush_end(handle) == SOLO5_R_OK);
        CHECK(!solo5_block_flush_has_ended(handle));
        CHECK(solo5_block_flush_end(handle) == SOLO5_R_EINVAL);
        solo5_yield_set(0, bit, &ready);
        CHECK(ready == 0);
    }
    /* One of which nobody wants to know keeps nobody awake. */
    CHECK(solo5_block_flush_begin(handle) == SOLO5_R_OK);
    solo5_yield_set(solo5_clock_monotonic() + SECOND / 10, 0, &ready);
    CHECK(ready == 0);
    CHECK(wait_for_flush());
    for (uint64_t other = 0; other < 3; other++) {
        uint64_t none = other == 0 ? 0 : handle + (other == 1 ? 64 : 1ull << 32);

        CHECK(solo5_block_flush_begin(none) == SOLO5_R_EINVAL);
        CHECK(solo5_block_flush_end(none) == SOLO5_R_EINVAL);
        CHECK(!solo5_block_flush_has_ended(none));
    }
    SUCCESS();
}

#ifdef FRAMES
/*
 * A frame that nobody reads ends each wait under a tender that can wait for all
 * devices alone, as which this guest takes its own; a flush goes on waiting.
 */
static int beside_frames(void)
{
    const struct spt_boot_info *boot = (void *)SPT_BOOT_INFO_BASE;
    struct mft *mft = (struct mft *)boot->mft;
    solo5_handle_t net;
    struct solo5_net_info net_info;
    solo5_handle_set_t ready;

    CHECK(solo5_net_acquire(service.name, &net, &net_info) == SOLO5_R_OK);
    mft->e[0].u.tender.granted &= (uint16_t)~MFT_TENDER_POLL_SET;
    say("there\n");
    solo5_yield(solo5_clock_monotonic() + 60 * SECOND, &ready);
    CHECK(ready == 1ull << net);
    for (int i = 0; i < 100; i++) {
        CHECK(solo5_block_flush_begin(handle) == SOLO5_R_OK);
        CHECK(solo5_block_flush(handle) == SOLO5_R_OK);
        CHECK(solo5_block_flush_end(handle) == SOLO5_R_OK);
    }
    SUCCESS();
}
#endif

#define SYS_READ  0
#define SYS_WRITE 1

/* A system call of eight bytes, past the bindings. */
static long call(long nr, int fd, uint64_t *word)
{
    long result;

    __asm__ volatile ("syscall" : "=a" (result)
            : "0" (nr), "D" ((long)fd), "S" (word), "d" (8L)
            : "rcx", "r11", "memory");
    return result;
}

/* What an spt guest can do to the descriptors: call without end, and not hear. */
static int ring(const char *how)
{
    const struct spt_boot_info *boot = (void *)SPT_BOOT_INFO_BASE;
    const struct mft *mft = (const struct mft *)boot->mft;
    int begin = mft->e[handle].b.block.flush_begin;
    int end = mft->e[handle].b.block.flush_end;
    uint64_t word = 1;

    if (same(how, "ring-read"))
        call(SYS_READ, begin, &word);
    if (same(how, "ring-write"))
        call(SYS_WRITE, end, &word);
    for (unsigned i = 0; i < 1000; i++) {
        word = i % 2 ? UINT64_MAX - 1 : 1;
        (void)call(SYS_WRITE, begin, &word);
    }
    /* A call that waits for room comes to an end, as the thread goes on. */
    solo5_time_t limit = solo5_clock_monotonic() + 60 * SECOND;
    do {
        CHECK(solo5_clock_monotonic() < limit);
        while (call(SYS_READ, end, &word) == 8)
            ;
        word = 1;
        CHECK(call(SYS_WRITE, begin, &word) == 8);
        while (call(SYS_READ, end, &word) != 8)
            CHECK(solo5_clock_monotonic() < limit);
    } while (word != 1);
    SUCCESS();
}

/* The host fails to sync: an error now and ever after. */
static int flush_fails(bool aside)
{
    fill(9);
    CHECK(solo5_block_write(handle, 0, out, info.block_size) == SOLO5_R_OK);
    if (aside)
        CHECK(solo5_block_flush_begin(handle) == SOLO5_R_OK);
    CHECK(solo5_block_flush(handle) == SOLO5_R_EUNSPEC);
    if (aside)
        CHECK(solo5_block_flush_end(handle) == SOLO5_R_EUNSPEC);
    say("failed\n");
    CHECK(wait_for_host() == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(solo5_block_write(handle, 0, out, info.block_size)
                == SOLO5_R_OK);
        CHECK(solo5_block_flush(handle) == SOLO5_R_EUNSPEC);
        CHECK(flush_beside() == SOLO5_R_EUNSPEC);
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
    /* Of the image, one block and some of another are left. */
    CHECK(solo5_block_read(handle, 0, in, 512) == SOLO5_R_OK);
    CHECK(solo5_block_read(handle, 0, in, 1024) == SOLO5_R_ESHRUNK);
    CHECK(solo5_block_read(handle, 2048, in, 1024) == SOLO5_R_ESHRUNK);
    CHECK(solo5_block_write(handle, 0, out, 512) == SOLO5_R_ESHRUNK);
    CHECK(solo5_block_write(handle, 2048, out, 4096) == SOLO5_R_ESHRUNK);
    CHECK(solo5_block_discard(handle, 0, 512) == SOLO5_R_ESHRUNK);
    CHECK(flush_beside() == SOLO5_R_ESHRUNK);
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
    if (TENDER_WANTED & MFT_TENDER_FLUSH)
        __asm__ volatile ("" : : "r" (&wants_flush));
    /* What has not been acquired has no features. */
    CHECK(solo5_block_features(1) == 0);
    CHECK(solo5_block_flush(1) == SOLO5_R_EINVAL);
    CHECK(solo5_block_acquire(disk.name, &handle, &info) == SOLO5_R_OK);
    if (same(start->cmdline, "features"))
        return features();
    if (same(start->cmdline, "many"))
        return many();
    if (same(start->cmdline, "discard"))
        return discard();
    if (same(start->cmdline, "count"))
        return count(true);
    if (same(start->cmdline, "count-unflushed"))
        return count(false);
    if (same(start->cmdline, "full"))
        return full();
    if (same(start->cmdline, "broken"))
        return broken();
    if (same(start->cmdline, "beside"))
        return beside();
#ifdef FRAMES
    if (same(start->cmdline, "beside-frames"))
        return beside_frames();
#endif
    if (same(start->cmdline, "ring") || same(start->cmdline, "ring-read")
            || same(start->cmdline, "ring-write"))
        return ring(start->cmdline);
    if (same(start->cmdline, "flush-fails"))
        return flush_fails(false);
    if (same(start->cmdline, "flush-fails-beside"))
        return flush_fails(true);
    if (same(start->cmdline, "shrunk"))
        return shrunk();
    say("no such case\n");
    return SOLO5_EXIT_FAILURE;
}
