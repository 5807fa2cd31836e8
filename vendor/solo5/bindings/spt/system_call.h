/*
 * system_call.h: the Linux system calls that an spt tender lets through.
 */
#ifndef SYSTEM_CALL_H
#define SYSTEM_CALL_H

#include <stdint.h>

enum {
    SYS_READ = 0,
    SYS_WRITE = 1,
    SYS_LSEEK = 8,
    SYS_PREAD64 = 17,
    SYS_PWRITE64 = 18,
    SYS_FDATASYNC = 75,
    SYS_ARCH_PRCTL = 158,
    SYS_CLOCK_GETTIME = 228,
    SYS_EXIT_GROUP = 231,
    SYS_EPOLL_CTL = 233,
    SYS_EPOLL_PWAIT = 281,
    SYS_FALLOCATE = 285,
    SYS_TIMERFD_SETTIME = 286,
};

/* errno values, negated as the kernel returns them. */
enum {
    NEG_EINTR = -4,
    NEG_EAGAIN = -11,
    NEG_EFBIG = -27,
    NEG_ENOSPC = -28,
    NEG_ENOBUFS = -105,
    NEG_EDQUOT = -122,
};

enum {
    STDOUT = 1,
    SEEK_END = 2,
    FALLOC_FL_KEEP_SIZE = 1,
    FALLOC_FL_PUNCH_HOLE = 2,
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    TFD_TIMER_ABSTIME = 1,
    ARCH_SET_FS = 0x1002,
    EPOLL_CTL_ADD = 1,
    EPOLL_CTL_DEL = 2,
    EPOLLIN = 1,
};

struct timespec {
    int64_t tv_sec;
    int64_t tv_nsec;
};

struct itimerspec {
    struct timespec it_interval;
    struct timespec it_value;
};

struct epoll_event {
    uint32_t events;
    uint64_t data;
} __attribute__((packed));

/* Six arguments are the most; the kernel ignores the ones a call lacks. */
static long system_call(long nr, uint64_t a, uint64_t b, uint64_t c,
        uint64_t d, uint64_t e, uint64_t f)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    long result;

    __asm__ volatile ("syscall" : "=a" (result)
            : "0" (nr), "D" (a), "S" (b), "d" (c), "r" (r10), "r" (r8), "r" (r9)
            : "rcx", "r11", "memory");
    return result;
}

#endif
