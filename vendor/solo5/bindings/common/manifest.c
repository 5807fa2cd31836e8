/*
 * manifest.c: devices by name and by handle, in the copy of the manifest that
 * the tender has completed. A handle is an index in it; entry 0 is reserved.
 */
static const struct mft *manifest;
static uint64_t manifest_acquired; /* bit h: handle h */

static void manifest_init(const struct mft *m)
{
    ASSERT(m->version == MFT_VERSION);
    ASSERT(m->entries >= 1 && m->entries <= MFT_MAX_ENTRIES);
    manifest = m;
}

/* NULL if there is no such device; each can be acquired once. */
static const struct mft_entry *manifest_acquire(const char *name,
        mft_type_t type, solo5_handle_t *handle)
{
    for (uint32_t i = 1; i < manifest->entries; i++) {
        const struct mft_entry *e = &manifest->e[i];

        if (e->type != (uint32_t)type || !e->attached
                || !string_equal(name, e->name, sizeof e->name))
            continue;
        if (manifest_acquired & (1ull << i))
            return NULL;
        manifest_acquired |= 1ull << i;
        *handle = i;
        return e;
    }
    return NULL;
}

/* NULL unless `handle` is an acquired device of that type. */
static const struct mft_entry *manifest_device(solo5_handle_t handle,
        mft_type_t type)
{
    if (handle >= manifest->entries || !(manifest_acquired & (1ull << handle)))
        return NULL;

    const struct mft_entry *e = &manifest->e[handle];
    return e->type == (uint32_t)type ? e : NULL;
}

static uint32_t manifest_count(mft_type_t type)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < manifest->entries; i++)
        if (manifest->e[i].type == (uint32_t)type)
            count++;
    return count;
}

/* Whether the tender can be asked to wait for some devices alone. */
static bool manifest_poll_set(void)
{
    return (manifest->e[0].u.tender.granted & MFT_TENDER_POLL_SET) != 0;
}

/* In a section of its own: few programs call it. */
__attribute__((section(".text.solo5_has_wrfsbase")))
bool solo5_has_wrfsbase(void)
{
    return (manifest->e[0].u.tender.granted & MFT_TENDER_WRFSBASE) != 0;
}

/* Whether frames on that device are preceded by a struct solo5_net_header. */
static bool net_has_offload(const struct mft_entry *e)
{
    return (e->u.net_basic.granted & MFT_NET_OFFLOAD) != 0;
}

static uint16_t net_features(const struct mft_entry *e)
{
    if (!net_has_offload(e))
        return 0;
    if ((e->u.net_basic.granted & MFT_NET_OFFLOAD_V6) == 0)
        return SOLO5_NET_OFFLOAD;
    return SOLO5_NET_OFFLOAD | SOLO5_NET_OFFLOAD_V6
            | ((e->u.net_basic.granted & MFT_NET_OFFLOAD_UDP) != 0
                    ? SOLO5_NET_OFFLOAD_UDP : 0);
}

static size_t net_min_frame(const struct mft_entry *e)
{
    return net_has_offload(e) ? SOLO5_NET_OFFLOAD_MIN : SOLO5_NET_HLEN;
}

static size_t net_max_frame(const struct mft_entry *e)
{
    return net_has_offload(e) ? SOLO5_NET_OFFLOAD_MAX
            : (size_t)e->u.net_basic.mtu + SOLO5_NET_HLEN;
}

solo5_result_t solo5_net_acquire(const char *name, solo5_handle_t *handle,
        struct solo5_net_info *info)
{
    const struct mft_entry *e =
            manifest_acquire(name, MFT_DEV_NET_BASIC, handle);

    if (e == NULL)
        return SOLO5_R_EINVAL;
    memcpy(info->mac_address, e->u.net_basic.mac, sizeof info->mac_address);
    info->mtu = e->u.net_basic.mtu;
    info->features = net_features(e);
    return SOLO5_R_OK;
}

solo5_result_t solo5_block_acquire(const char *name, solo5_handle_t *handle,
        struct solo5_block_info *info)
{
    const struct mft_entry *e =
            manifest_acquire(name, MFT_DEV_BLOCK_BASIC, handle);

    if (e == NULL)
        return SOLO5_R_EINVAL;
    info->capacity = e->u.block_basic.capacity;
    info->block_size = e->u.block_basic.block_size;
    return SOLO5_R_OK;
}

unsigned solo5_block_features(solo5_handle_t handle)
{
    const struct mft_entry *e = manifest_device(handle, MFT_DEV_BLOCK_BASIC);
    unsigned features = e == NULL ? 0 : e->u.block_basic.granted
            & (SOLO5_BLOCK_FLUSH | SOLO5_BLOCK_MANY | SOLO5_BLOCK_DISCARD);

    if ((features & SOLO5_BLOCK_FLUSH) != 0
            && (manifest->e[0].u.tender.granted & MFT_TENDER_FLUSH) != 0)
        features |= SOLO5_BLOCK_FLUSH_BEGIN;
    return features;
}

/* NULL unless `handle` is an acquired block device that has the feature. */
static const struct mft_entry *block_having(solo5_handle_t handle,
        unsigned feature)
{
    if ((solo5_block_features(handle) & feature) == 0)
        return NULL;
    return manifest_device(handle, MFT_DEV_BLOCK_BASIC);
}

/* The checks of a frame to send: a tender may end the guest for a bad one. */
static const struct mft_entry *net_check_write(solo5_handle_t handle,
        size_t size)
{
    const struct mft_entry *e = manifest_device(handle, MFT_DEV_NET_BASIC);

    if (e == NULL || size < net_min_frame(e) || size > net_max_frame(e))
        return NULL;
    return e;
}

/* The checks of a buffer to receive into: a shorter one would cut frames. */
static const struct mft_entry *net_check_read(solo5_handle_t handle,
        size_t size)
{
    const struct mft_entry *e = manifest_device(handle, MFT_DEV_NET_BASIC);

    if (e == NULL || size < net_max_frame(e))
        return NULL;
    return e;
}

static bool block_has_many(const struct mft_entry *e)
{
    return (e->u.block_basic.granted & MFT_BLOCK_MANY) != 0;
}

/* Whether these are whole blocks of the device, at least one. */
static bool block_range(const struct mft_entry *e, solo5_off_t offset,
        uint64_t size)
{
    uint64_t block_size = e->u.block_basic.block_size;
    uint64_t capacity = e->u.block_basic.capacity;

    return block_size != 0 && size != 0 && size % block_size == 0
            && offset % block_size == 0 && size <= capacity
            && offset <= capacity - size;
}

/*
 * The checks of a block transfer: one block, or as many as may be, aligned,
 * within the device. The spt tender's filter kills the guest for anything else.
 */
static const struct mft_entry *block_check(solo5_handle_t handle,
        solo5_off_t offset, size_t size)
{
    const struct mft_entry *e = manifest_device(handle, MFT_DEV_BLOCK_BASIC);

    if (e == NULL || !block_range(e, offset, size))
        return NULL;
    if (size > (block_has_many(e) ? SOLO5_BLOCK_MANY_MAX
                : e->u.block_basic.block_size))
        return NULL;
    return e;
}
