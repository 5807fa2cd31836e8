/* Numbers of Linux's system calls that C code makes by `syscall`, which knows few of them: the others fail with ENOSYS. */
#pragma once

#define __NR_mbind 237
#define __NR_mincore 27
#define __NR_getpid 39
#define __NR_gettid 186
#define __NR_futex 202
#define __NR_set_mempolicy 238
#define __NR_get_mempolicy 239
#define __NR_getcpu 309
#define __NR_getrandom 318
#define __NR_memfd_create 319
#define __NR_membarrier 324
#define __NR_mlock2 325
#define __NR_copy_file_range 326
#define __NR_statx 332
#define SYS_mbind __NR_mbind
#define SYS_mincore __NR_mincore
#define SYS_getpid __NR_getpid
#define SYS_gettid __NR_gettid
#define SYS_futex __NR_futex
#define SYS_set_mempolicy __NR_set_mempolicy
#define SYS_get_mempolicy __NR_get_mempolicy
#define SYS_getcpu __NR_getcpu
#define SYS_getrandom __NR_getrandom
#define SYS_memfd_create __NR_memfd_create
#define SYS_membarrier __NR_membarrier
#define SYS_mlock2 __NR_mlock2
#define SYS_copy_file_range __NR_copy_file_range
#define SYS_statx __NR_statx
