/*
 * net.c: network devices on hvt: a ring shared with a thread of the tender
 * where the tender offers one, hypercalls otherwise.
 *
 * The ring is used where boot info says it is; nothing else about its place
 * or the size of memory is assumed. One ring serves all devices.
 *
 * Writes are queued: the frame is copied to a buffer that stays untouched
 * until the host has consumed the entry. Frames leave in order on either path:
 * the hypercall is made only when the queue is empty. With offload, where a
 * frame may have 64 KiB, that is the way of those that gain by it.
 *
 * Reads are answered at once on either path. While the host's thread is awake
 * the ring saves the exit; while it sleeps, a hypercall saves its waking up.
 */
#define RING_MASK   (HVT_NET_RING_SIZE - 1)
#define FRAME_SIZE  2048u /* a longer frame goes by hypercall */
#define FRAME_COUNT 256u  /* a power of two, below HVT_NET_RING_SIZE */
#define DRAIN_NS    (100 * 1000 * 1000ull)

static struct hvt_net_ring *ring;          /* NULL: hypercalls only */
static uint8_t (*ring_frames)[FRAME_SIZE]; /* FRAME_COUNT of them */

/*
 * A tender before v0.11 has other things where the ring's fields are: the bit
 * may then be set, but the address is zero.
 */
static void net_init(const struct hvt_boot_info *info)
{
    if (!(info->host_features & HVT_FEATURE_NET_RING) || info->net_ring == 0
            || manifest_count(MFT_DEV_NET_BASIC) == 0)
        return;
    ring_frames = memory_take(FRAME_COUNT * sizeof *ring_frames);
    if (ring_frames == NULL)
        return;
    ring = (struct hvt_net_ring *)info->net_ring;
}

static void pause(void)
{
    __asm__ volatile ("pause");
}

static uint32_t ring_in_flight(void)
{
    return ring->ent_tail - __atomic_load_n(&ring->ent_head, __ATOMIC_ACQUIRE);
}

static bool ring_host_sleeps(void)
{
    return __atomic_load_n(&ring->needs_kick, __ATOMIC_RELAXED) != 0;
}

/*
 * The full barrier between publishing the tail and reading needs_kick pairs
 * with the host's between setting needs_kick and looking at the tail: one of
 * the two sees the other.
 */
static void ring_submit(uint32_t operation, solo5_handle_t handle,
        const void *data, size_t size)
{
    uint32_t tail = ring->ent_tail;
    struct hvt_net_ring_entry *e = &ring->entries[tail & RING_MASK];

    e->operation = operation;
    e->handle = (uint32_t)handle;
    e->data = (uintptr_t)data;
    e->len = (uint32_t)size;
    e->id = tail;
    __atomic_store_n(&ring->ent_tail, tail + 1, __ATOMIC_RELEASE);
    __asm__ volatile ("mfence" : : : "memory");
    if (ring_host_sleeps())
        out32(HVT_NET_RING_KICK_PIO, 0);
}

static void ring_write(solo5_handle_t handle, const uint8_t *buf, size_t size)
{
    /* The entry FRAME_COUNT before this one used the same frame. */
    while (ring_in_flight() >= FRAME_COUNT)
        pause();

    uint8_t *frame = ring_frames[ring->ent_tail % FRAME_COUNT];
    memcpy(frame, buf, size);
    ring_submit(HVT_NET_RING_WRITE, handle, frame, size);
}

static solo5_result_t ring_read(solo5_handle_t handle, uint8_t *buf,
        size_t size, size_t *read_size)
{
    uint32_t head = ring->com_head;

    while (ring_in_flight() >= FRAME_COUNT)
        pause();
    ring_submit(HVT_NET_RING_READ, handle, buf, size);
    while (__atomic_load_n(&ring->com_tail, __ATOMIC_ACQUIRE) == head)
        pause();

    const struct hvt_net_ring_commit *c = &ring->commits[head & RING_MASK];
    solo5_result_t result = (solo5_result_t)c->ret;
    size_t got = c->len;
    __atomic_store_n(&ring->com_head, head + 1, __ATOMIC_RELEASE);
    if (result != SOLO5_R_OK)
        return result;
    if (got == 0 || got > size)
        return SOLO5_R_EUNSPEC;
    *read_size = got;
    return SOLO5_R_OK;
}

/*
 * Lets the host consume what is queued before the guest ends, which would lose
 * it; bounded by DRAIN_NS, should the host's thread have ended.
 */
static void net_drain(void)
{
    if (ring == NULL)
        return;

    uint64_t begin = solo5_clock_monotonic();
    while (ring_in_flight() != 0 && solo5_clock_monotonic() - begin < DRAIN_NS)
        pause();
}

solo5_result_t solo5_net_write(solo5_handle_t handle, const uint8_t *buf,
        size_t size)
{
    struct hvt_hc_net_io args = {
        .handle = handle,
        .data = (uintptr_t)buf,
        .len = size,
    };

    if (net_check_write(handle, size) == NULL)
        return SOLO5_R_EINVAL;
    if (ring != NULL && size <= FRAME_SIZE) {
        ring_write(handle, buf, size);
        return SOLO5_R_OK;
    }
    while (ring != NULL && ring_in_flight() != 0)
        pause();
    hypercall(HVT_HYPERCALL_NET_WRITE, &args);
    return (solo5_result_t)args.ret;
}

solo5_result_t solo5_net_read(solo5_handle_t handle, uint8_t *buf, size_t size,
        size_t *read_size)
{
    struct hvt_hc_net_io args = {
        .handle = handle,
        .data = (uintptr_t)buf,
        .len = size,
    };

    if (net_check_read(handle, size) == NULL)
        return SOLO5_R_EINVAL;
    if (ring != NULL && !ring_host_sleeps() && size <= UINT32_MAX)
        return ring_read(handle, buf, size, read_size);
    hypercall(HVT_HYPERCALL_NET_READ, &args);
    if (args.ret == SOLO5_R_OK)
        *read_size = args.len;
    return (solo5_result_t)args.ret;
}

static bool platform_net_drop(solo5_handle_t handle)
{
    uint8_t start[64]; /* the host's kernel cuts off the rest */
    struct hvt_hc_net_io args = {
        .handle = handle,
        .data = (uintptr_t)start,
        .len = sizeof start,
    };

    hypercall(HVT_HYPERCALL_NET_READ, &args);
    return args.ret == SOLO5_R_OK;
}
