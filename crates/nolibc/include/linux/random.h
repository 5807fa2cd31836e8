#pragma once
#include <sys/random.h>

#define RNDGETENTCNT 0x80045200
