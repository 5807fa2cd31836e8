/*
 * devices.c: network and block devices on spt, which are file descriptors of
 * the tender.
 */
solo5_result_t solo5_net_write(solo5_handle_t handle, const uint8_t *buf,
        size_t size)
{
    const struct mft_entry *e = net_check_write(handle, size);
    long result;

    if (e == NULL)
        return SOLO5_R_EINVAL;
    result = system_call(SYS_WRITE, (uint64_t)e->b.hostfd, (uintptr_t)buf, size,
            0, 0, 0);
    /* No room on the host: the frame is dropped, as on any network. */
    if (result == NEG_EAGAIN || result == NEG_ENOBUFS)
        return SOLO5_R_OK;
    return result == (long)size ? SOLO5_R_OK : SOLO5_R_EUNSPEC;
}

solo5_result_t solo5_net_read(solo5_handle_t handle, uint8_t *buf, size_t size,
        size_t *read_size)
{
    const struct mft_entry *e = net_check_read(handle, size);
    long result;

    if (e == NULL)
        return SOLO5_R_EINVAL;
    result = system_call(SYS_READ, (uint64_t)e->b.hostfd, (uintptr_t)buf, size,
            0, 0, 0);
    if (result == NEG_EAGAIN)
        return SOLO5_R_AGAIN;
    /* Nothing read: what was at the other end has gone. */
    if (result <= 0)
        return SOLO5_R_EUNSPEC;
    *read_size = (size_t)result;
    return SOLO5_R_OK;
}

static bool platform_net_drop(solo5_handle_t handle)
{
    char start[64]; /* the kernel cuts off the rest */

    return system_call(SYS_READ, (uint64_t)manifest->e[handle].b.hostfd,
            (uintptr_t)start, sizeof start, 0, 0, 0) > 0;
}

/*
 * Bit h: something that was written to the device with handle h may be lost, so
 * that no flush of it may succeed any more.
 */
static uint64_t block_lost;

static void block_lose(const struct mft_entry *e)
{
    block_lost |= 1ull << (e - manifest->e);
}

/*
 * Whether the image is as long as it was, as far as can be told: a write to one
 * that was cut short would make it grow again, with zeros where data had been.
 */
static bool block_is_whole(const struct mft_entry *e)
{
    long end;

    if ((e->u.block_basic.granted & MFT_BLOCK_WHOLE) == 0)
        return true;
    end = system_call(SYS_LSEEK, (uint64_t)e->b.hostfd, 0, SEEK_END, 0, 0, 0);
    if (end >= 0 && (uint64_t)end >= e->u.block_basic.capacity)
        return true;
    block_lose(e);
    return false;
}

/* Bit h: a flush of the device with handle h was begun, and has not ended. */
static uint64_t block_flushing;

/* Whether a flush has ended; to hear that of one that failed is to lose. */
static bool block_flush_hear(solo5_handle_t handle)
{
    const struct mft_entry *e = &manifest->e[handle];
    uint64_t bit = 1ull << handle, result;

    if ((block_flushing & bit) != 0
            && system_call(SYS_READ, e->b.block.flush_end, (uintptr_t)&result,
                sizeof result, 0, 0, 0) == sizeof result) {
        if (result != 1)
            block_lose(e);
        block_flushing &= ~bit;
        told |= bit;
    }
    return (told & bit) != 0;
}

bool solo5_block_flush_has_ended(solo5_handle_t handle)
{
    return block_having(handle, SOLO5_BLOCK_FLUSH_BEGIN) != NULL
            && block_flush_hear(handle);
}

/* Whether a flush of the device may succeed. */
static solo5_result_t block_flush_check(const struct mft_entry *e)
{
    if (!block_is_whole(e))
        return SOLO5_R_ESHRUNK;
    if (block_lost >> (e - manifest->e) & 1)
        return SOLO5_R_EUNSPEC;
    return SOLO5_R_OK;
}

solo5_result_t solo5_block_flush_begin(solo5_handle_t handle)
{
    const struct mft_entry *e = block_having(handle, SOLO5_BLOCK_FLUSH_BEGIN);
    const uint64_t one = 1;
    solo5_result_t check;

    if (e == NULL)
        return SOLO5_R_EINVAL;
    if ((block_flushing | told) >> handle & 1)
        return SOLO5_R_AGAIN;
    check = block_flush_check(e);
    if (check != SOLO5_R_OK)
        return check;
    if (system_call(SYS_WRITE, e->b.block.flush_begin, (uintptr_t)&one,
                sizeof one, 0, 0, 0) != sizeof one)
        return SOLO5_R_EUNSPEC;
    block_flushing |= 1ull << handle;
    return SOLO5_R_OK;
}

solo5_result_t solo5_block_flush_end(solo5_handle_t handle)
{
    const struct mft_entry *e = block_having(handle, SOLO5_BLOCK_FLUSH_BEGIN);

    if (e == NULL)
        return SOLO5_R_EINVAL;
    if (!block_flush_hear(handle))
        return block_flushing >> handle & 1 ? SOLO5_R_AGAIN : SOLO5_R_EINVAL;
    told &= ~(1ull << handle);
    return block_flush_check(e);
}

solo5_result_t solo5_block_flush(solo5_handle_t handle)
{
    const struct mft_entry *e = block_having(handle, SOLO5_BLOCK_FLUSH);
    solo5_result_t check;
    long result;

    if (e == NULL)
        return SOLO5_R_EINVAL;
    /* Of an error, the kernel tells only one of two that flush. */
    while (block_flushing >> handle & 1)
        solo5_yield_set((solo5_time_t)-1, 1ull << handle, NULL);
    check = block_flush_check(e);
    if (check != SOLO5_R_OK)
        return check;
    do {
        result = system_call(SYS_FDATASYNC, (uint64_t)e->b.hostfd, 0, 0, 0, 0, 0);
    } while (result == NEG_EINTR);
    if (result == 0)
        return SOLO5_R_OK;
    block_lose(e);
    return SOLO5_R_EUNSPEC;
}

/* Why a call failed; 0 is the end of file. */
static solo5_result_t block_error(long result)
{
    switch (result) {
    case 0:
        return SOLO5_R_ESHRUNK;
    case NEG_ENOSPC:
    case NEG_EDQUOT:
    case NEG_EFBIG:
        return SOLO5_R_ENOSPC;
    default:
        return SOLO5_R_EUNSPEC;
    }
}

/* Why a transfer failed, as far as the device may tell. */
static solo5_result_t block_failure(const struct mft_entry *e, long result)
{
    return block_has_many(e) ? block_error(result) : SOLO5_R_EUNSPEC;
}

solo5_result_t solo5_block_discard(solo5_handle_t handle, solo5_off_t offset,
        solo5_off_t size)
{
    const struct mft_entry *e = block_having(handle, SOLO5_BLOCK_DISCARD);
    long result;

    if (e == NULL || !block_range(e, offset, size))
        return SOLO5_R_EINVAL;
    if (!block_is_whole(e))
        return SOLO5_R_ESHRUNK;
    do {
        result = system_call(SYS_FALLOCATE, (uint64_t)e->b.hostfd,
                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size, 0, 0);
    } while (result == NEG_EINTR);
    return result == 0 ? SOLO5_R_OK : block_error(result);
}

/*
 * A transfer that the host cuts off is asked for again from there, where the
 * filter lets that through: what is in the way is told then.
 */
static solo5_result_t block_transfer(long nr, const struct mft_entry *e,
        solo5_off_t offset, uintptr_t buf, size_t size)
{
    size_t done = 0;

    for (;;) {
        long result = system_call(nr, (uint64_t)e->b.hostfd, buf + done,
                size - done, offset + done, 0, 0);

        if (result == NEG_EINTR)
            continue;
        if (result <= 0)
            return block_failure(e, result);
        done += (size_t)result;
        if (done >= size)
            return SOLO5_R_OK;
        if (!block_has_many(e))
            return SOLO5_R_EUNSPEC;
    }
}

solo5_result_t solo5_block_write(solo5_handle_t handle, solo5_off_t offset,
        const uint8_t *buf, size_t size)
{
    const struct mft_entry *e = block_check(handle, offset, size);

    if (e == NULL)
        return SOLO5_R_EINVAL;
    if (!block_is_whole(e))
        return block_failure(e, 0);
    return block_transfer(SYS_PWRITE64, e, offset, (uintptr_t)buf, size);
}

solo5_result_t solo5_block_read(solo5_handle_t handle, solo5_off_t offset,
        uint8_t *buf, size_t size)
{
    const struct mft_entry *e = block_check(handle, offset, size);

    if (e == NULL)
        return SOLO5_R_EINVAL;
    return block_transfer(SYS_PREAD64, e, offset, (uintptr_t)buf, size);
}
