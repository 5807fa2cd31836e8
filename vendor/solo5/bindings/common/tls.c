/*
 * tls.c: thread-local storage of one thread. x86_64's variant II: the
 * variables lie below the thread pointer, which points at itself.
 *
 *     block   padding | initial image, rounded up to the alignment | tp -> tp
 *
 * The linker scripts put .tbss into the image, zeros included, and give the
 * image's size and alignment as the addresses of absolute symbols. The thread
 * pointer is a multiple of that alignment wherever the block lies, because
 * that is what the linker computed the offsets of the variables for.
 */
extern const char _stdata[], _etdata[]; /* the image */
extern const char _ltdata[];            /* its size, rounded up */
extern const char _ltalign[];           /* its alignment */

static uintptr_t tls_align(void)
{
    uintptr_t align = (uintptr_t)_ltalign;

    return align > sizeof (uintptr_t) ? align : sizeof (uintptr_t);
}

static uintptr_t tls_image_size(void)
{
    return ROUND_UP((uintptr_t)_ltdata, tls_align());
}

size_t solo5_tls_size(void)
{
    return tls_align() - 1 + tls_image_size() + sizeof (uintptr_t);
}

uintptr_t solo5_tls_tp_offset(uintptr_t block)
{
    return ROUND_UP(block + tls_image_size(), tls_align());
}

solo5_result_t solo5_tls_init(uintptr_t block)
{
    if (block == 0)
        return SOLO5_R_EINVAL;

    uintptr_t tp = solo5_tls_tp_offset(block);
    memcpy((void *)(tp - (uintptr_t)_ltdata), _stdata,
            (size_t)(_etdata - _stdata));
    *(uintptr_t *)tp = tp;
    return SOLO5_R_OK;
}

solo5_result_t solo5_set_tls_base(uintptr_t tp)
{
    return platform_set_fs_base(tp) ? SOLO5_R_OK : SOLO5_R_EINVAL;
}
