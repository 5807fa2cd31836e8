/* C code with headers of many kinds, and a function that nolibc lacks. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(SOLO5) && defined(__GLIBC__)
#error the headers are those of the host
#endif

double half_of_text(void) { return strtod("3.5", NULL) / 2; }
