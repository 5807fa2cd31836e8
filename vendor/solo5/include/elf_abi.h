/*
 * elf_abi.h: the ELF notes by which a Solo5 binary is recognised.
 *
 * Tenders look only at the first note of each PT_NOTE segment, so every note
 * has a program header of its own.
 */
#ifndef SOLO5_ELF_ABI_H
#define SOLO5_ELF_ABI_H

#include <stdint.h>

#define SOLO5_NOTE_NAME "Solo5" /* owner of the ABI1 and MFT1 notes */
#define ABI1_NOTE_TYPE  0x31494241u /* the bytes "ABI1" */
#define MFT1_NOTE_TYPE  0x3154464du /* the bytes "MFT1" */

/* A note's header, with the owner's name padded to eight bytes. */
struct solo5_note_header {
    uint32_t n_namesz; /* 6: "Solo5" and its NUL */
    uint32_t n_descsz;
    uint32_t n_type;
    char name[8];
};

enum abi_target {
    HVT_ABI_TARGET = 1,
    SPT_ABI_TARGET = 2,
    VIRTIO_ABI_TARGET = 3,
    MUEN_ABI_TARGET = 4,
    GENODE_ABI_TARGET = 5,
    XEN_ABI_TARGET = 6,
};

/* Content of the ABI1 note. */
struct abi1_info {
    uint32_t abi_target;
    uint32_t abi_version;
    uint32_t reserved0;
    uint32_t reserved1;
};

struct abi1_note {
    struct solo5_note_header h;
    struct abi1_info i;
};

/* Expands to the one ABI1 note of a set of bindings. */
#define ABI1_NOTE_DECLARE(target, version) \
    __attribute__((section(".note.solo5.abi"), used, aligned(4))) \
    static const struct abi1_note solo5_abi1_note = { \
        .h = { \
            .n_namesz = sizeof SOLO5_NOTE_NAME, \
            .n_descsz = sizeof (struct abi1_info), \
            .n_type = ABI1_NOTE_TYPE, \
            .name = SOLO5_NOTE_NAME, \
        }, \
        .i = { .abi_target = (target), .abi_version = (version) }, \
    };

/*
 * The fake program interpreter: makes the host's kernel refuse to execute a
 * unikernel directly.
 */
#define SOLO5_INTERP "/nonexistent/solo5/"
#define INTERP_DECLARE() \
    __attribute__((section(".interp"), used, aligned(8))) \
    static const char solo5_interp[24] = SOLO5_INTERP;

/*
 * OpenBSD looks at its own note before the interpreter, and before 6.7 only
 * at the first PT_NOTE.
 */
struct not_openbsd_note {
    struct solo5_note_header h;
    uint32_t zero;
};

#define NOT_OPENBSD_NOTE_DECLARE() \
    __attribute__((section(".note.solo5.not_openbsd"), used, aligned(4))) \
    static const struct not_openbsd_note solo5_not_openbsd_note = { \
        .h = { \
            .n_namesz = 8, .n_descsz = 4, .n_type = 1, .name = "OpenBSD", \
        }, \
        .zero = 0, \
    };

#endif
