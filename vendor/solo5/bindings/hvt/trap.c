/*
 * trap.c: every trap is the end: its registers go to the console and, through
 * HALT's cookie, to the host's core dump.
 */
struct trap_frame {
    /* Pushed by the entry code. */
    uint64_t vector;
    uint64_t ec; /* 0 where the processor has none */
    /* Pushed by the processor. */
    uint64_t rip;
    uint64_t cs;
    uint64_t rflags;
    uint64_t rsp;
    uint64_t ss;
};

/*
 * One entry for each vector that can occur; the processor pushes an error code
 * for 8, 10-14 and 17 only. Below them, the table of their addresses.
 */
__asm__ (
    ".pushsection .text, \"ax\", @progbits\n"
    ".macro TRAP vector, has_error_code\n"
    "trap_\\vector:\n"
    "    .if \\has_error_code == 0\n"
    "    pushq $0\n"
    "    .endif\n"
    "    pushq $\\vector\n"
    "    jmp trap_common\n"
    ".endm\n"
    ".irp v, 0, 1, 2, 3, 4, 5, 6, 7, 16, 18, 19, 20\n"
    "    TRAP \\v, 0\n"
    ".endr\n"
    ".irp v, 8, 10, 11, 12, 13, 14, 17\n"
    "    TRAP \\v, 1\n"
    ".endr\n"
    ".irp v, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47\n"
    "    TRAP \\v, 0\n"
    ".endr\n"
    "trap_common:\n"
    "    cld\n"
    "    movq %rsp, %rdi\n"
    "    andq $-16, %rsp\n"
    "    call trap_report\n" /* does not return */
    "    ud2\n"
    ".popsection\n"
    ".pushsection .rodata, \"a\", @progbits\n"
    ".balign 8\n"
    "trap_entries:\n"
    ".irp v, 0, 1, 2, 3, 4, 5, 6, 7, 8\n"
    "    .quad trap_\\v\n"
    ".endr\n"
    "    .quad 0\n"
    ".irp v, 10, 11, 12, 13, 14\n"
    "    .quad trap_\\v\n"
    ".endr\n"
    "    .quad 0\n"
    ".irp v, 16, 17, 18, 19, 20\n"
    "    .quad trap_\\v\n"
    ".endr\n"
    "    .fill 11, 8, 0\n"
    ".irp v, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47\n"
    "    .quad trap_\\v\n"
    ".endr\n"
    ".popsection\n"
);

static const char *trap_name(uint64_t vector)
{
    static const char names[][5] = {
        "#DE", "#DB", "#NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9",
        "#TS", "#NP", "#SS", "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM",
        "#VE",
    };

    return vector < sizeof names / sizeof names[0] ? names[vector] : "IRQ";
}

__attribute__((used))
static NORETURN void trap_report(const struct trap_frame *frame)
{
    /* The tender checks that so many bytes are there. */
    static union {
        struct hvt_trap_regs regs;
        uint8_t room[HVT_HALT_COOKIE_MAX];
    } cookie;
    static bool reporting;
    uint64_t cr2;

    if (reporting) /* a trap in the lines below */
        platform_exit(SOLO5_EXIT_ABORT, NULL);
    reporting = true;
    __asm__ volatile ("movq %%cr2, %0" : "=r" (cr2));
    cookie.regs = (struct hvt_trap_regs) {
        .cr2 = cr2,
        .ec = frame->ec,
        .rip = frame->rip,
        .cs = frame->cs,
        .rflags = frame->rflags,
        .rsp = frame->rsp,
        .ss = frame->ss,
    };
    log_line(LOG_INFO,
            "Solo5: trap: type=%s ec=0x%lx rip=0x%lx rsp=0x%lx rflags=0x%lx",
            trap_name(frame->vector), frame->ec, frame->rip, frame->rsp,
            frame->rflags);
    if (frame->vector == 14)
        log_line(LOG_INFO, "Solo5: trap: cr2=0x%lx", cr2);
    abort_at(__FILE_NAME__, __LINE__, &cookie, "Fatal trap: %s at 0x%lx",
            trap_name(frame->vector), frame->rip);
}
