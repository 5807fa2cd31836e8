/*
 * hypercall.h: how an hvt guest calls its tender.
 */
#ifndef HYPERCALL_H
#define HYPERCALL_H

static void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile ("outl %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

/* `arg` lies in guest memory, hence below 4 GiB. */
static void hypercall(enum hvt_hypercall nr, volatile void *arg)
{
    out32((uint16_t)(HVT_HYPERCALL_PIO_BASE + nr), (uint32_t)(uintptr_t)arg);
}

#endif
