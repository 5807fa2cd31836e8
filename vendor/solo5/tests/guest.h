/*
 * guest.h: what the test guests share. A guest is freestanding: it brings the
 * few functions that it needs.
 */
#ifndef GUEST_H
#define GUEST_H

#include "solo5.h"

static size_t length(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0')
        n++;
    return n;
}

static void say(const char *s)
{
    solo5_console_write(s, length(s));
}

static __attribute__((unused)) void say_number(uint64_t n)
{
    char digits[20];
    size_t i = sizeof digits;

    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    solo5_console_write(&digits[i], sizeof digits - i);
}

static __attribute__((unused)) bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Ends the guest with status 1 and says where. */
#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            say("FAILED: " #condition " in line "); \
            say_number(__LINE__); \
            say("\n"); \
            return SOLO5_EXIT_FAILURE; \
        } \
    } while (0)

#define SUCCESS() \
    do { \
        say("SUCCESS\n"); \
        return SOLO5_EXIT_SUCCESS; \
    } while (0)

#endif
