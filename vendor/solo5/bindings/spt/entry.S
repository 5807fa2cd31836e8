/*
 * entry.S: where the tender jumps to. RDI is the address of boot info, RSP is
 * the end of memory less 8, and no return address is pushed.
 */
    .text
    .globl  _start
    .type   _start, @function
_start:
    xor     %ebp, %ebp      /* the outermost frame */
    cld
    and     $-16, %rsp
    call    _start_spt      /* does not return */
    ud2
    .size   _start, . - _start

    .section .note.GNU-stack, "", @progbits
