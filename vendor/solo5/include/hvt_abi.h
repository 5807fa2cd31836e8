/*
 * hvt_abi.h: the interface between an hvt guest and its tender, version 2.
 *
 * The guest runs as a virtual machine with one vCPU. A hypercall is a 32-bit
 * OUT of the address of an argument structure; pointers inside structures are
 * 64-bit guest physical addresses. A pointer the tender finds outside guest
 * memory ends the guest.
 */
#ifndef SOLO5_HVT_ABI_H
#define SOLO5_HVT_ABI_H

#include <stdint.h>

#define HVT_ABI_VERSION 2

/* Where the tender puts boot info; guests use the pointer in RDI instead. */
#define HVT_BOOT_INFO_BASE 0x10000

/* Where the ELF image starts. */
#define HVT_GUEST_MIN_BASE 0x100000

/* Bytes of the command line, with the NUL. */
#define HVT_CMDLINE_SIZE 8192

/* struct hvt_boot_info.host_features */
#define HVT_FEATURE_NET_RING 0x1u

struct hvt_boot_info {
    uint64_t mem_size;       /* bytes the guest may use */
    uint64_t kernel_end;     /* end of the last segment with file content */
    uint64_t cpu_cycle_freq; /* of the TSC, in Hz */
    uint64_t cmdline;        /* address of a NUL-terminated string */
    uint64_t mft;            /* address of a struct mft */
    uint32_t host_features;  /* since v0.11; before, other things follow mft */
    uint32_t guest_features; /* always 0 */
    uint64_t net_ring;       /* address of a struct hvt_net_ring, or 0 */
};

/* A hypercall is an OUT to this port plus its number. */
#define HVT_HYPERCALL_PIO_BASE 0x500

enum hvt_hypercall {
    HVT_HYPERCALL_RESERVED = 0,
    HVT_HYPERCALL_WALLTIME = 1,
    HVT_HYPERCALL_PUTS = 2,
    HVT_HYPERCALL_POLL = 3,
    HVT_HYPERCALL_BLOCK_WRITE = 4,
    HVT_HYPERCALL_BLOCK_READ = 5,
    HVT_HYPERCALL_NET_WRITE = 6,
    HVT_HYPERCALL_NET_READ = 7,
    HVT_HYPERCALL_HALT = 8,
    HVT_HYPERCALL_MAX = 9, /* the first that Solo5 does not have */
    /* An extension of ours, of tenders that grant MFT_TENDER_POLL_SET. */
    HVT_HYPERCALL_POLL_SET = 128,
    /* And of those that grant MFT_BLOCK_FLUSH. */
    HVT_HYPERCALL_BLOCK_FLUSH = 129,
    /* And of those that grant MFT_BLOCK_DISCARD. */
    HVT_HYPERCALL_BLOCK_DISCARD = 130,
    /* And of those that grant MFT_TENDER_FLUSH. */
    HVT_HYPERCALL_FLUSH_BEGIN = 131,
    HVT_HYPERCALL_FLUSH_END = 132,
};

struct hvt_hc_walltime {
    uint64_t nsecs; /* out: since 1970-01-01 UTC */
};

struct hvt_hc_puts {
    uint64_t data; /* in: address */
    uint64_t len;  /* in: bytes */
};

struct hvt_hc_poll {
    uint64_t timeout_nsecs; /* in: relative */
    uint64_t ready_set;     /* out: bit h set if handle h is readable */
    int32_t ret;            /* out: the number of readable devices */
};

struct hvt_hc_poll_set {
    uint64_t timeout_nsecs; /* in: relative */
    uint64_t wanted_set;    /* in: bit h set to wait for handle h */
    uint64_t ready_set;     /* out: those of them that are readable */
    int32_t ret;            /* out: the number of these */
};

/* BLOCK_WRITE and BLOCK_READ. */
struct hvt_hc_block_io {
    uint64_t handle; /* in */
    uint64_t offset; /* in: bytes */
    uint64_t data;   /* in: address */
    uint64_t len;    /* in: bytes */
    int32_t ret;     /* out: a solo5_result_t */
};

/* BLOCK_FLUSH, FLUSH_BEGIN and FLUSH_END. */
struct hvt_hc_block_flush {
    uint64_t handle; /* in */
    int32_t ret;     /* out: a solo5_result_t */
};

struct hvt_hc_block_discard {
    uint64_t handle; /* in */
    uint64_t offset; /* in: bytes */
    uint64_t len;    /* in: bytes */
    int32_t ret;     /* out: a solo5_result_t */
};

/* NET_WRITE and NET_READ. */
struct hvt_hc_net_io {
    uint64_t handle; /* in */
    uint64_t data;   /* in: address */
    uint64_t len;    /* in: bytes; NET_READ, out: bytes of the frame */
    int32_t ret;     /* out: a solo5_result_t */
};

/* The tender checks that this many bytes are readable at a HALT cookie. */
#define HVT_HALT_COOKIE_MAX 512

struct hvt_hc_halt {
    uint64_t cookie;     /* in: address of a struct hvt_trap_regs, or 0 */
    int32_t exit_status; /* in */
};

/* For the core dump of a guest that ended in a trap. */
struct hvt_trap_regs {
    uint64_t cr2;
    uint64_t ec;
    uint64_t rip;
    uint64_t cs;
    uint64_t rflags;
    uint64_t rsp;
    uint64_t ss;
};

/*
 * The shared ring for network I/O. Indices are free-running; a slot is an
 * index modulo HVT_NET_RING_SIZE; a queue is empty when head equals tail.
 */
#define HVT_NET_RING_SIZE     1024
#define HVT_NET_RING_KICK_PIO 0x600 /* OUT any 32-bit value: wakes the host */

enum hvt_net_ring_operation {
    HVT_NET_RING_WRITE = 1, /* no completion */
    HVT_NET_RING_READ = 2,  /* one completion */
};

struct hvt_net_ring_entry {
    uint32_t operation;
    uint32_t handle;
    uint64_t data; /* address */
    uint32_t len;  /* bytes */
    uint32_t id;   /* any; copied to the completion */
    uint64_t reserved;
};

struct hvt_net_ring_commit {
    uint32_t id;
    int32_t ret; /* a solo5_result_t */
    uint32_t len;
    uint32_t reserved;
};

struct hvt_net_ring {
    /* Written by the guest. */
    uint32_t ent_tail; /* submissions produced */
    uint32_t com_head; /* completions consumed */
    uint8_t pad0[56];
    /* Written by the host. */
    uint32_t ent_head;   /* submissions consumed */
    uint32_t com_tail;   /* completions produced */
    uint32_t needs_kick; /* the host sleeps */
    uint8_t pad1[52];
    struct hvt_net_ring_entry entries[HVT_NET_RING_SIZE];  /* by the guest */
    struct hvt_net_ring_commit commits[HVT_NET_RING_SIZE]; /* by the host */
};

#endif
