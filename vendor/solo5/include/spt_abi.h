/*
 * spt_abi.h: the interface between an spt guest and its tender, version 2.
 *
 * The guest runs in the tender's own address space behind a seccomp filter
 * and makes the few system calls that the filter lets through.
 */
#ifndef SOLO5_SPT_ABI_H
#define SOLO5_SPT_ABI_H

#include <stdint.h>

#define SPT_ABI_VERSION 2

/* Where guest memory and boot info start; guests use the pointer in RDI. */
#define SPT_HOST_MEM_BASE  0x10000
#define SPT_BOOT_INFO_BASE 0x11000

/* Where the ELF image starts. */
#define SPT_GUEST_MIN_BASE 0x100000

/* Bytes of the command line, with the NUL. */
#define SPT_CMDLINE_SIZE 8192

/* The epoll data value under which the timer is registered. */
#define SPT_INTERNAL_TIMERFD 0xfffffffeu

struct spt_boot_info {
    uint64_t mem_size;   /* end address of guest memory */
    uint64_t kernel_end; /* end of the last segment with file content */
    uint64_t cmdline;    /* address of a NUL-terminated string */
    uint64_t mft;        /* address of a struct mft */
    int32_t epollfd;     /* watches the timer and each network device */
    int32_t timerfd;     /* CLOCK_MONOTONIC, never read */
};

#endif
