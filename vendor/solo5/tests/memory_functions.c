/*
 * memory_functions.c: a program of the host that calls the bindings' memory
 * functions with sizes known to the compiler, which may then inline them and
 * choose registers as it pleases. Exits with the first size that goes wrong.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/memory_functions.c"

#define MAX 64

static unsigned char from[MAX + 2], to[MAX + 2];

static void prepare(void)
{
    for (size_t i = 0; i < sizeof from; i++) {
        from[i] = (unsigned char)(i * 7 + 1);
        to[i] = 0xee;
    }
}

/* Whether exactly to[1..1 + size] holds what is in from[first..]. */
static bool right(size_t size, size_t first)
{
    for (size_t i = 0; i < size; i++)
        if (to[1 + i] != (unsigned char)((first + i) * 7 + 1))
            return false;
    return to[0] == 0xee && to[1 + size] == 0xee;
}

static bool filled(size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (to[1 + i] != 0x5a)
            return false;
    return to[0] == 0xee && to[1 + size] == 0xee;
}

/* Moved up by one within the same memory. */
static bool moved(size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (from[1 + i] != (unsigned char)(i * 7 + 1))
            return false;
    return from[0] == 1 && from[1 + size] == (unsigned char)((1 + size) * 7 + 1);
}

#define TRY(size) do { \
        prepare(); \
        memcpy(to + 1, from + 1, size); \
        if (!right(size, 1) || memcmp(to + 1, from + 1, size) != 0) \
            return size; \
        prepare(); \
        memset(to + 1, 0x5a, size); \
        if (!filled(size)) \
            return size; \
        prepare(); \
        memmove(from + 1, from, size); \
        if (!moved(size)) \
            return size; \
    } while (0)
#define TRY_8(first) do { \
        TRY(first); TRY(first + 1); TRY(first + 2); TRY(first + 3); \
        TRY(first + 4); TRY(first + 5); TRY(first + 6); TRY(first + 7); \
    } while (0)

int main(void)
{
    TRY_8(1);
    TRY_8(9);
    TRY_8(17);
    TRY_8(25);
    TRY_8(33);
    TRY_8(41);
    TRY_8(49);
    TRY_8(57);
    return 0;
}
