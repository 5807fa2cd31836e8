/*
 * solo5.h: the interface between a unikernel and the Solo5 bindings.
 *
 * An independent implementation of Solo5's public API as of v0.12; see
 * vendor/README.md. The API has no threads and no interrupts: every function
 * runs to completion on the caller's stack, and only solo5_yield() blocks.
 */
#ifndef SOLO5_H
#define SOLO5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call that can fail returns. */
typedef enum {
    SOLO5_R_OK = 0,      /* done */
    SOLO5_R_AGAIN = 1,   /* nothing there yet: try again after solo5_yield() */
    SOLO5_R_EINVAL = 2,  /* an argument is not acceptable */
    SOLO5_R_EUNSPEC = 3, /* the host failed in a way it does not tell */
    /* Extensions of ours, of what is one, too: see SOLO5_BLOCK_*. */
    SOLO5_R_ESHRUNK = 128, /* the image is shorter than it was */
    SOLO5_R_ENOSPC = 129,  /* the host has no room for what is written */
} solo5_result_t;

typedef uint64_t solo5_time_t;       /* nanoseconds */
typedef uint64_t solo5_off_t;        /* bytes from the start of a block device */
typedef uint64_t solo5_handle_t;     /* an acquired device; 0..63 */
typedef uint64_t solo5_handle_set_t; /* bit h stands for handle h */

/* Statuses for solo5_exit(); a status of 255 means an abort to the host. */
#define SOLO5_EXIT_SUCCESS 0
#define SOLO5_EXIT_FAILURE 1
#define SOLO5_EXIT_ABORT   255

/* What the application starts with. Read-only. */
struct solo5_start_info {
    const char *cmdline;  /* NUL-terminated, without the --solo5:* options */
    uintptr_t heap_start; /* first byte the application owns */
    size_t heap_size;     /* bytes from there; the stack grows down from the end */
};

/*
 * Supplied by the application and called once. Returning n is solo5_exit(n).
 * The stack lies at the upper end of the heap range, has no guard page and no
 * size of its own: the application divides the range. The thread pointer is 0.
 */
int solo5_app_main(const struct solo5_start_info *info);

/* Ends the guest with `status` modulo 256. */
void solo5_exit(int status) __attribute__((noreturn));

/* Ends the guest with status 255; the host may take a core dump. */
void solo5_abort(void) __attribute__((noreturn));

/*
 * Thread-local storage, local-exec model. For each thread: allocate
 * solo5_tls_size() zeroed bytes at any address, fill them with
 * solo5_tls_init(), and switch to the thread with
 * solo5_set_tls_base(solo5_tls_tp_offset(block)).
 */
size_t solo5_tls_size(void);

/* The thread pointer that belongs to the block at `block`. */
uintptr_t solo5_tls_tp_offset(uintptr_t block);

/* Fills the block with its initial contents; EINVAL if `block` is 0. */
solo5_result_t solo5_tls_init(uintptr_t block);

/* Loads the thread pointer; EINVAL if the platform refuses the value. */
solo5_result_t solo5_set_tls_base(uintptr_t tp);

/*
 * Whether the instruction WRFSBASE loads the thread pointer, too, and sooner:
 * on spt, where the host lets it be. An extension of ours.
 */
bool solo5_has_wrfsbase(void);

/* Nanoseconds since an arbitrary origin; never goes back. */
solo5_time_t solo5_clock_monotonic(void);

/* Nanoseconds since 1970-01-01 00:00 UTC, asked from the host at each call. */
solo5_time_t solo5_clock_wall(void);

/*
 * Blocks until solo5_clock_monotonic() reaches `deadline` (absolute) or an
 * acquired network device has a frame to read. Unless NULL, `*ready` is
 * overwritten with the handles that have, 0 after a timeout.
 */
void solo5_yield(solo5_time_t deadline, solo5_handle_set_t *ready);

/*
 * As solo5_yield(), for those acquired devices alone whose bits are set in
 * `wanted`, of which there may be none: frames that nobody reads then keep
 * nobody awake. An extension of ours. Under a tender that does not have it,
 * frames on other devices end the wait early, with none of `wanted` in
 * `*ready`.
 *
 * Bit 0, which is no device's, stands for the host's wish that the guest end.
 * A manifest whose first entry says MFT_TENDER_SHUTDOWN asks to be told of it;
 * from then on each wait with the bit in `wanted` returns at once, with the bit
 * in `*ready`, and the guest has some time left. Under a tender that does not
 * have this extension the bit is never set.
 */
void solo5_yield_set(solo5_time_t deadline, solo5_handle_set_t wanted,
        solo5_handle_set_t *ready);

/* Writes to the console. What the host does not take is lost. */
void solo5_console_write(const char *buf, size_t size);

#define SOLO5_NET_ALEN 6  /* bytes in a MAC address */
#define SOLO5_NET_HLEN 14 /* bytes in an Ethernet header */

struct solo5_net_info {
    uint8_t mac_address[SOLO5_NET_ALEN]; /* the guest's own */
    uint16_t features;                   /* SOLO5_NET_*, see below */
    size_t mtu;                          /* bytes, Ethernet header not counted */
};

/*
 * Offload, an extension of ours. Solo5's own bindings leave `features` as it
 * is: zero it before solo5_net_acquire(). The feature is granted only if the
 * manifest entry asks for it (MFT_NET_OFFLOAD) and the tender can do it.
 *
 * With it, each frame that is sent or received is preceded by a struct
 * solo5_net_header, which counts in all sizes: one of SOLO5_NET_OFFLOAD_MIN..
 * SOLO5_NET_OFFLOAD_MAX bytes is sent, whatever the MTU, and a buffer to
 * receive into has SOLO5_NET_OFFLOAD_MAX. What is received may lack its
 * checksum (NEEDS_CSUM), also where gso_type is NONE.
 *
 * SOLO5_NET_OFFLOAD_V6 is asked for (MFT_NET_OFFLOAD_V6) and granted beside it,
 * never alone; without it no gso_type is TCPV6. So is SOLO5_NET_OFFLOAD_UDP
 * (MFT_NET_OFFLOAD_UDP), beside both: without it no gso_type is UDP.
 */
#define SOLO5_NET_OFFLOAD     0x1u
#define SOLO5_NET_OFFLOAD_V6  0x2u
#define SOLO5_NET_OFFLOAD_UDP 0x4u
#define SOLO5_NET_OFFLOAD_MIN (sizeof (struct solo5_net_header) + SOLO5_NET_HLEN)
#define SOLO5_NET_OFFLOAD_MAX (SOLO5_NET_OFFLOAD_MIN + 65535)

#define SOLO5_NET_HEADER_NEEDS_CSUM 0x1u  /* flags: checksum to be filled in */
#define SOLO5_NET_HEADER_DATA_VALID 0x2u  /* flags: checksum found good */
#define SOLO5_NET_HEADER_GSO_NONE   0     /* gso_type: a frame as it is */
#define SOLO5_NET_HEADER_GSO_TCPV4  1     /* gso_type: to be cut into segments */
#define SOLO5_NET_HEADER_GSO_TCPV6  4     /* gso_type: the same, over IPv6 */
#define SOLO5_NET_HEADER_GSO_UDP    5     /* gso_type: UDP, into datagrams */
#define SOLO5_NET_HEADER_GSO_ECN    0x80u /* bit of gso_type: CWR in the first */

/* As Linux's struct virtio_net_hdr. Offsets count from the Ethernet header. */
struct solo5_net_header {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;     /* bytes of headers; a hint, may be more if received */
    uint16_t gso_size;    /* bytes of payload in each but the last */
    uint16_t csum_start;  /* where the bytes to be summed start */
    uint16_t csum_offset; /* from there: where the checksum goes */
};

/*
 * Acquires the network device that the manifest declares as `name`. EINVAL if
 * there is none, if it has another type, or if it is acquired already.
 */
solo5_result_t solo5_net_acquire(const char *name, solo5_handle_t *handle,
        struct solo5_net_info *info);

/*
 * Sends one Ethernet frame of SOLO5_NET_HLEN..mtu+SOLO5_NET_HLEN bytes without
 * blocking. A frame for which the host has no room is dropped, which is OK.
 * (With SOLO5_NET_OFFLOAD, other sizes: see there.)
 */
solo5_result_t solo5_net_write(solo5_handle_t handle, const uint8_t *buf,
        size_t size);

/*
 * Receives one Ethernet frame without blocking into a buffer of at least
 * mtu+SOLO5_NET_HLEN bytes; AGAIN when none is queued. `*read_size` is set
 * only on OK. (With SOLO5_NET_OFFLOAD, other sizes: see there.)
 */
solo5_result_t solo5_net_read(solo5_handle_t handle, uint8_t *buf, size_t size,
        size_t *read_size);

struct solo5_block_info {
    solo5_off_t capacity;   /* bytes, a multiple of block_size */
    solo5_off_t block_size; /* bytes in a block: the unit of transfer */
};

/* As solo5_net_acquire(), for a block device. */
solo5_result_t solo5_block_acquire(const char *name, solo5_handle_t *handle,
        struct solo5_block_info *info);

/*
 * Transfer one block (`size` is block_size) at `offset`, a multiple of
 * block_size below capacity; all of it or nothing. (With SOLO5_BLOCK_MANY, other
 * sizes: see there.)
 */
solo5_result_t solo5_block_write(solo5_handle_t handle, solo5_off_t offset,
        const uint8_t *buf, size_t size);
solo5_result_t solo5_block_read(solo5_handle_t handle, solo5_off_t offset,
        uint8_t *buf, size_t size);

/*
 * What an acquired block device has beyond Solo5's interface: SOLO5_BLOCK_*, of
 * that which its manifest entry asks for by MFT_BLOCK_* in u.block_basic.wanted
 * and the tender grants. An extension of ours; 0 under any other tender.
 */
unsigned solo5_block_features(solo5_handle_t handle);

#define SOLO5_BLOCK_FLUSH 0x2u /* solo5_block_flush() */

/*
 * One transfer may be of any whole number of blocks within the device, up to
 * SOLO5_BLOCK_MANY_MAX bytes. One that fails may have transferred any part; it
 * fails with ENOSPC if the host's disk is full or a quota or limit is reached,
 * with ESHRUNK if the image was cut short while in use, else with EUNSPEC.
 */
#define SOLO5_BLOCK_MANY     0x4u
#define SOLO5_BLOCK_MANY_MAX 1048576u

/*
 * Makes durable all that was written to the device before; EINVAL where it does
 * not have SOLO5_BLOCK_FLUSH. An error says that any of that may be lost, and
 * is all that there is from then on: the host's kernel tells once that it could
 * not write something, and may forget what, so that a later success would say
 * nothing of it.
 */
solo5_result_t solo5_block_flush(solo5_handle_t handle);

/* solo5_block_flush_begin(), and what belongs to it */
#define SOLO5_BLOCK_FLUSH_BEGIN 0x100u

/*
 * Begins a flush that goes on while the guest does, and covers what was written
 * before. AGAIN if solo5_block_flush_end() has not yet told of the one before,
 * EINVAL where the device does not have SOLO5_BLOCK_FLUSH_BEGIN: it has if it
 * has SOLO5_BLOCK_FLUSH, and the first entry of the manifest asks for that by
 * MFT_TENDER_FLUSH. Other errors as with solo5_block_flush().
 *
 * From the end of the flush on, the device's bit is set by each
 * solo5_yield_set() that wants it, until solo5_block_flush_end() has told.
 */
solo5_result_t solo5_block_flush_begin(solo5_handle_t handle);

/*
 * What came of the flush that was begun, once: as from solo5_block_flush(),
 * AGAIN as long as it goes on, EINVAL if there is none.
 */
solo5_result_t solo5_block_flush_end(solo5_handle_t handle);

/* Whether solo5_block_flush_end() has something to tell. */
bool solo5_block_flush_has_ended(solo5_handle_t handle);

#define SOLO5_BLOCK_DISCARD 0x8u /* solo5_block_discard() */

/*
 * Gives up any whole number of blocks within the device, so that the host has
 * their room. They read as zeros until they are written again. EINVAL where the
 * device does not have SOLO5_BLOCK_DISCARD; other errors as with
 * SOLO5_BLOCK_MANY. Not durable before a flush, as a write.
 */
solo5_result_t solo5_block_discard(solo5_handle_t handle, solo5_off_t offset,
        solo5_off_t size);

#ifdef __cplusplus
}
#endif

#endif
