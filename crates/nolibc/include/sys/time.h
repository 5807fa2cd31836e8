#pragma once
#include <sys/select.h>
#include <sys/types.h>

struct timezone {
    int tz_minuteswest, tz_dsttime;
};
struct itimerval {
    struct timeval it_interval, it_value;
};

#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2

int gettimeofday(struct timeval *time, void *zone);
int settimeofday(const struct timeval *time, const struct timezone *zone);
int utimes(const char *path, const struct timeval times[2]);
int getitimer(int which, struct itimerval *value);
int setitimer(int which, const struct itimerval *value, struct itimerval *old);
