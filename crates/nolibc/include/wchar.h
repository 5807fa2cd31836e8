#pragma once
#include <stddef.h>

typedef __WINT_TYPE__ wint_t;
typedef struct {
    unsigned state[2];
} mbstate_t;

#define WEOF ((wint_t)-1)

size_t wcslen(const wchar_t *text);
int wcscmp(const wchar_t *a, const wchar_t *b);
wchar_t *wcscpy(wchar_t *to, const wchar_t *from);
wchar_t *wcschr(const wchar_t *text, wchar_t character);
wchar_t *wmemcpy(wchar_t *to, const wchar_t *from, size_t size);
wchar_t *wmemset(wchar_t *to, wchar_t character, size_t size);
size_t mbrtowc(wchar_t *to, const char *text, size_t size, mbstate_t *state);
size_t wcrtomb(char *to, wchar_t character, mbstate_t *state);
