/* Linux's types on x86_64, and the two structures of time that many headers have. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef long ssize_t;
typedef long off_t, off64_t, loff_t;
typedef int pid_t;
typedef unsigned uid_t, gid_t, id_t, mode_t, useconds_t, socklen_t;
typedef unsigned long dev_t, ino_t, ino64_t, nlink_t;
typedef long blksize_t, blkcnt_t, time_t, suseconds_t, clock_t;
typedef unsigned long fsblkcnt_t, fsfilcnt_t;
typedef int clockid_t, key_t;
typedef void *timer_t;

typedef unsigned char u_char, u_int8_t;
typedef unsigned short u_short, ushort, u_int16_t;
typedef unsigned int u_int, uint, u_int32_t;
typedef unsigned long u_long, ulong, u_int64_t;
typedef char *caddr_t;

struct timespec {
    time_t tv_sec;
    long tv_nsec;
};
struct timeval {
    time_t tv_sec;
    suseconds_t tv_usec;
};

typedef unsigned long pthread_t;
typedef unsigned pthread_key_t;
typedef int pthread_once_t, pthread_spinlock_t;
typedef union {
    char octets[40];
    long align;
} pthread_mutex_t;
typedef union {
    char octets[48];
    long align;
} pthread_cond_t;
typedef union {
    char octets[56];
    long align;
} pthread_rwlock_t, pthread_attr_t;
typedef union {
    char octets[32];
    long align;
} pthread_barrier_t;
typedef union {
    char octets[8];
    long align;
} pthread_rwlockattr_t;
typedef union {
    char octets[4];
    int align;
} pthread_mutexattr_t, pthread_condattr_t, pthread_barrierattr_t;
