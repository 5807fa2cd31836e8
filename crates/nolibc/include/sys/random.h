#pragma once
#include <sys/types.h>

#define GRND_NONBLOCK 1
#define GRND_RANDOM 2
#define GRND_INSECURE 4

ssize_t getrandom(void *data, size_t size, unsigned flags);
int getentropy(void *data, size_t size);
