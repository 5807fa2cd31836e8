/* What the compiler's own limits.h, which includes this one, leaves to the C library. */
#pragma once

#ifndef MB_LEN_MAX
#define MB_LEN_MAX 16
#endif
#define SSIZE_MAX LONG_MAX
#define PATH_MAX 4096
#define NAME_MAX 255
#define IOV_MAX 1024
#define PIPE_BUF 4096
#define HOST_NAME_MAX 64
#define LOGIN_NAME_MAX 256
#define OPEN_MAX 3
#define PTHREAD_KEYS_MAX 128
#define PTHREAD_DESTRUCTOR_ITERATIONS 4
#define PTHREAD_STACK_MIN 16384
#define NGROUPS_MAX 65536
#define ARG_MAX 131072
#define _POSIX_PATH_MAX 256
