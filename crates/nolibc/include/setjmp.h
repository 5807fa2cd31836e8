#pragma once

typedef struct {
    unsigned long registers[8];
} jmp_buf[1];

int setjmp(jmp_buf place) __attribute__((__returns_twice__));
int _setjmp(jmp_buf place) __attribute__((__returns_twice__));
void longjmp(jmp_buf place, int value) __attribute__((__noreturn__));
void _longjmp(jmp_buf place, int value) __attribute__((__noreturn__));
