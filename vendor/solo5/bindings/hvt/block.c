/*
 * block.c: block devices on hvt, by hypercall.
 */
static solo5_result_t block_transfer(enum hvt_hypercall nr,
        solo5_handle_t handle, solo5_off_t offset, const void *buf, size_t size)
{
    struct hvt_hc_block_io args = {
        .handle = handle,
        .offset = offset,
        .data = (uintptr_t)buf,
        .len = size,
    };

    if (block_check(handle, offset, size) == NULL)
        return SOLO5_R_EINVAL;
    hypercall(nr, &args);
    return (solo5_result_t)args.ret;
}

solo5_result_t solo5_block_write(solo5_handle_t handle, solo5_off_t offset,
        const uint8_t *buf, size_t size)
{
    return block_transfer(HVT_HYPERCALL_BLOCK_WRITE, handle, offset, buf, size);
}

static solo5_result_t block_flush(enum hvt_hypercall nr, unsigned feature,
        solo5_handle_t handle)
{
    struct hvt_hc_block_flush args = { .handle = handle };

    if (block_having(handle, feature) == NULL)
        return SOLO5_R_EINVAL;
    hypercall(nr, &args);
    return (solo5_result_t)args.ret;
}

solo5_result_t solo5_block_flush(solo5_handle_t handle)
{
    return block_flush(HVT_HYPERCALL_BLOCK_FLUSH, SOLO5_BLOCK_FLUSH, handle);
}

solo5_result_t solo5_block_flush_begin(solo5_handle_t handle)
{
    return block_flush(HVT_HYPERCALL_FLUSH_BEGIN, SOLO5_BLOCK_FLUSH_BEGIN,
            handle);
}

solo5_result_t solo5_block_flush_end(solo5_handle_t handle)
{
    return block_flush(HVT_HYPERCALL_FLUSH_END, SOLO5_BLOCK_FLUSH_BEGIN,
            handle);
}

bool solo5_block_flush_has_ended(solo5_handle_t handle)
{
    return block_having(handle, SOLO5_BLOCK_FLUSH_BEGIN) != NULL
            && poll_set(0, 1ull << handle) != 0;
}

solo5_result_t solo5_block_discard(solo5_handle_t handle, solo5_off_t offset,
        solo5_off_t size)
{
    const struct mft_entry *e = block_having(handle, SOLO5_BLOCK_DISCARD);
    struct hvt_hc_block_discard args = {
        .handle = handle,
        .offset = offset,
        .len = size,
    };

    if (e == NULL || !block_range(e, offset, size))
        return SOLO5_R_EINVAL;
    hypercall(HVT_HYPERCALL_BLOCK_DISCARD, &args);
    return (solo5_result_t)args.ret;
}

solo5_result_t solo5_block_read(solo5_handle_t handle, solo5_off_t offset,
        uint8_t *buf, size_t size)
{
    return block_transfer(HVT_HYPERCALL_BLOCK_READ, handle, offset, buf, size);
}
