/*
 * memory_functions.c: the four functions that a compiler may call even in
 * freestanding code, and two for strings.
 *
 * They are static, so that an application brings its own; `used` keeps them
 * for the calls that the compiler makes up after it has dropped what nothing
 * refers to. A call to `memcpy` in this translation unit's assembly then
 * resolves to the local symbol.
 */
#define COMPILER_CALLS __attribute__((used, unused))

COMPILER_CALLS
static void *memcpy(void *to, const void *from, size_t size)
{
    void *end = to;
    size_t words = size / 8, bytes = size % 8;

    /*
     * Words first: not every processor, or emulator, is fast with bytes. All
     * three registers change before `bytes` is read, hence the early clobbers:
     * without them it may share RCX where both counts are known to be equal.
     */
    __asm__ volatile ("rep movsq\n" "mov %[bytes], %%rcx\n" "rep movsb"
            : "+&D" (end), "+&S" (from), "+&c" (words) : [bytes] "r" (bytes)
            : "memory");
    return to;
}

COMPILER_CALLS
static void *memset(void *to, int byte, size_t size)
{
    void *end = to;
    __asm__ volatile ("rep stosb"
            : "+D" (end), "+c" (size) : "a" (byte) : "memory");
    return to;
}

COMPILER_CALLS
static void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);

    char *last_to = (char *)to + size - 1;
    const char *last_from = (const char *)from + size - 1;
    __asm__ volatile ("std; rep movsb; cld"
            : "+D" (last_to), "+S" (last_from), "+c" (size) : : "memory");
    return to;
}

COMPILER_CALLS
static int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;

    for (; size > 0; size--, x++, y++)
        if (*x != *y)
            return *x < *y ? -1 : 1;
    return 0;
}

/* Whether `text` starts with `prefix`; its length, or 0. */
static size_t starts_with(const char *text, const char *prefix)
{
    size_t i = 0;

    for (; prefix[i] != '\0'; i++)
        if (text[i] != prefix[i])
            return 0;
    return i;
}

static bool string_equal(const char *a, const char *b, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        if (a[i] != b[i])
            return false;
        if (a[i] == '\0')
            return true;
    }
    return false;
}
