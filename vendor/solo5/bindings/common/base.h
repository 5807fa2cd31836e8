/*
 * base.h: what all parts of the bindings share.
 *
 * Each set of bindings is one translation unit (solo5_hvt.c, solo5_spt.c)
 * that includes the parts, and everything in the parts is static: so the
 * object exports the API and nothing else, whatever the toolchain.
 */
#ifndef BASE_H
#define BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf_abi.h"
#include "mft_abi.h"
#include "solo5.h"

#define PAGE_SIZE      4096u
#define NSEC_PER_SEC   1000000000ull
#define RETRY_NS       (NSEC_PER_SEC / 10) /* what the host refused */
#define SHUTDOWN       1ull /* of a set of handles: the guest is to end */
#define MIN_APP_MEMORY (512 * 1024) /* bytes of heap and stack to start with */

#define ROUND_UP(n, to)  (((n) + (to) - 1) / (to) * (to))
#define NORETURN         __attribute__((noreturn))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* A file's base name: no path of the build machine reaches a binary. */
#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* One line on the console, without the LF in `fmt`. */
static void log_line(enum log_level level, const char *fmt, ...)
        PRINTF_LIKE(2, 3);

/* Prints `Solo5: ABORT: file:line: reason` and ends with status 255. */
static void abort_at(const char *file, int line, const void *cookie,
        const char *fmt, ...) PRINTF_LIKE(4, 5) NORETURN;

#define ABORT(...)  abort_at(__FILE_NAME__, __LINE__, NULL, __VA_ARGS__)
#define ASSERT(c)   ((c) ? (void)0 : ABORT("Assertion `%s' failed", #c))

/* What an ABI's part supplies to the common ones. */

/* Hands bytes to the console; no report. */
static void platform_puts(const char *buf, size_t size);

/* Ends the guest; `cookie` is a struct hvt_trap_regs or NULL. */
static void platform_exit(int status, const void *cookie) NORETURN;

/* Loads FS base; false if the platform refuses the value. */
static bool platform_set_fs_base(uint64_t base);

/* Reads one frame and forgets it; false if there is none to be had. */
static bool platform_net_drop(solo5_handle_t handle);

/* What boot info of either ABI says. */
struct boot {
    uint64_t mem_size;
    const char *cmdline;
    const struct mft *mft;
};

#endif
