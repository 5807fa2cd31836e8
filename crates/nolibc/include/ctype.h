/* Characters of ASCII, which are those of the only locale. */
#pragma once
#define _SOLO5_CTYPE static __inline __attribute__((__unused__)) int

_SOLO5_CTYPE isascii(int c) { return (c & ~0x7f) == 0; }
_SOLO5_CTYPE toascii(int c) { return c & 0x7f; }
_SOLO5_CTYPE isupper(int c) { return c >= 'A' && c <= 'Z'; }
_SOLO5_CTYPE islower(int c) { return c >= 'a' && c <= 'z'; }
_SOLO5_CTYPE isdigit(int c) { return c >= '0' && c <= '9'; }
_SOLO5_CTYPE isalpha(int c) { return isupper(c) || islower(c); }
_SOLO5_CTYPE isalnum(int c) { return isalpha(c) || isdigit(c); }
_SOLO5_CTYPE isxdigit(int c) { return isdigit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f'); }
_SOLO5_CTYPE isblank(int c) { return c == ' ' || c == '\t'; }
_SOLO5_CTYPE isspace(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
_SOLO5_CTYPE iscntrl(int c) { return (c >= 0 && c < 0x20) || c == 0x7f; }
_SOLO5_CTYPE isprint(int c) { return c >= 0x20 && c < 0x7f; }
_SOLO5_CTYPE isgraph(int c) { return c > 0x20 && c < 0x7f; }
_SOLO5_CTYPE ispunct(int c) { return isgraph(c) && !isalnum(c); }
_SOLO5_CTYPE tolower(int c) { return isupper(c) ? c + ('a' - 'A') : c; }
_SOLO5_CTYPE toupper(int c) { return islower(c) ? c - ('a' - 'A') : c; }

#undef _SOLO5_CTYPE
