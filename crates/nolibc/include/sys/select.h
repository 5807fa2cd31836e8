#pragma once
#include <signal.h>
#include <sys/types.h>

#define FD_SETSIZE 1024
typedef struct {
    unsigned long bits[FD_SETSIZE / 64];
} fd_set;

#define FD_ZERO(set) __builtin_memset((set), 0, sizeof(fd_set))
#define FD_SET(file, set) ((void)((set)->bits[(file) / 64] |= 1UL << ((file) % 64)))
#define FD_CLR(file, set) ((void)((set)->bits[(file) / 64] &= ~(1UL << ((file) % 64))))
#define FD_ISSET(file, set) (((set)->bits[(file) / 64] >> ((file) % 64) & 1) != 0)

int select(int count, fd_set *read, fd_set *write, fd_set *except, struct timeval *timeout);
int pselect(int count, fd_set *read, fd_set *write, fd_set *except, const struct timespec *timeout, const sigset_t *mask);
