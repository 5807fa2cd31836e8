/*
 * mft_abi.h: the manifest, which names the devices that a unikernel uses.
 *
 * It travels twice: in an MFT1 note of the binary, and, with the host's
 * values filled in, in the guest's memory (reached through boot info).
 */
#ifndef SOLO5_MFT_ABI_H
#define SOLO5_MFT_ABI_H

#include <stdbool.h>
#include <stdint.h>

#include "elf_abi.h"

#define MFT_VERSION     1
#define MFT_MAX_ENTRIES 64 /* with the reserved first one: 63 devices */
#define MFT_NAME_SIZE   68 /* with the NUL */

typedef enum {
    MFT_DEV_BLOCK_BASIC = 1,
    MFT_DEV_NET_BASIC = 2,
    MFT_RESERVED_FIRST = 0x40000000, /* from here on, not a device */
} mft_type_t;

struct mft_block_basic {
    uint64_t capacity;   /* bytes */
    uint16_t block_size; /* bytes */
    /* An extension of ours: zero in Solo5's own manifests. */
    uint16_t wanted;  /* in the note: MFT_BLOCK_* that the guest can use */
    uint16_t granted; /* in the tender's copy: what it has */
};

/*
 * A write never makes an image grow again that was cut short while in use: on
 * hvt the tender looks first, on spt lseek(fd, 0, SEEK_END) is permitted.
 */
#define MFT_BLOCK_WHOLE 0x1u

/*
 * What was written can be made durable: on hvt by HVT_HYPERCALL_BLOCK_FLUSH, on
 * spt by fdatasync(fd). To be asked for in `wanted`.
 */
#define MFT_BLOCK_FLUSH 0x2u

/*
 * Up to SOLO5_BLOCK_MANY_MAX bytes in one transfer, and results that say why
 * one failed. To be asked for, too.
 */
#define MFT_BLOCK_MANY 0x4u

/*
 * Blocks can be given up: on hvt by HVT_HYPERCALL_BLOCK_DISCARD, on spt by
 * fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size). To be
 * asked for, too.
 */
#define MFT_BLOCK_DISCARD 0x8u

struct mft_net_basic {
    uint8_t mac[6];
    uint16_t mtu; /* bytes, Ethernet header not counted */
    /* An extension of ours: zero in Solo5's own manifests. */
    uint16_t wanted;  /* in the note: MFT_NET_* that the guest can use */
    uint16_t granted; /* in the tender's copy: those of them that it has */
};

/*
 * In the first entry, which stands for no device: what the tender offers. An
 * extension of ours, too.
 */
struct mft_tender {
    uint8_t reserved[8];
    uint16_t wanted;  /* in the note: MFT_TENDER_SHUTDOWN, MFT_TENDER_FLUSH */
    uint16_t granted; /* in the tender's copy: MFT_TENDER_* */
};

#define MFT_TENDER_POLL_SET 0x1u /* a guest can wait for some devices alone */
#define MFT_TENDER_SHUTDOWN 0x2u /* a guest is told that it is to end */
#define MFT_TENDER_WRFSBASE 0x4u /* on spt: that instruction can be used */

/*
 * A flush can go on while the guest does: on hvt it is begun by
 * HVT_HYPERCALL_FLUSH_BEGIN, on spt by writing the number 1 to an eventfd.
 */
#define MFT_TENDER_FLUSH 0x100u

#define MFT_NET_OFFLOAD 0x1u /* frames carry a struct solo5_net_header */
#define MFT_NET_OFFLOAD_V6 0x2u /* beside it: also to have TCP over IPv6 cut */
#define MFT_NET_OFFLOAD_UDP 0x4u /* beside both: also to have UDP cut */

struct mft_entry {
    char name[MFT_NAME_SIZE];
    uint32_t type; /* an mft_type_t */
    union {
        struct mft_block_basic block_basic;
        struct mft_net_basic net_basic;
        struct mft_tender tender;
    } u;
    union {
        int hostfd; /* the tender's file descriptor */
        void *data;
        /* On spt, of a block device: eventfds, or 0; see MFT_TENDER_FLUSH. */
        struct {
            int hostfd;
            uint16_t flush_begin;
            uint16_t flush_end; /* holds 1 at the end of one that succeeded */
        } block;
    } b;
    bool attached;
};

struct mft {
    uint32_t version;
    uint32_t entries;
    struct mft_entry e[];
};

/*
 * The content of the MFT1 note is aligned to 8 within the note: four bytes of
 * padding follow the header and count in n_descsz.
 */
#define MFT1_NOTE_PAD 4

/*
 * What a C file made by `solo5-elftool gen-manifest` expands, after it has
 * defined MFT_ENTRIES.
 */
#ifdef MFT_ENTRIES
struct mft1_note {
    struct solo5_note_header h;
    uint8_t pad[MFT1_NOTE_PAD];
    struct {
        uint32_t version;
        uint32_t entries;
        struct mft_entry e[MFT_ENTRIES];
    } m;
} __attribute__((packed, aligned(4)));

#define MFT1_NOTE_DECLARE_BEGIN \
    __attribute__((section(".note.solo5.manifest"), used)) \
    const struct mft1_note solo5_mft1_note = { \
        .h = { \
            .n_namesz = sizeof SOLO5_NOTE_NAME, \
            .n_descsz = sizeof (struct mft1_note) \
                    - sizeof (struct solo5_note_header), \
            .n_type = MFT1_NOTE_TYPE, \
            .name = SOLO5_NOTE_NAME, \
        }, \
        .m =
#define MFT1_NOTE_DECLARE_END };
#endif

#endif
