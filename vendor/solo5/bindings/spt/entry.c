/*
 * entry.c: where the tender jumps to. RDI is the address of boot info, RSP is
 * the end of memory less 8, and no return address is pushed.
 *
 * In assembly, because a function's prologue would use the stack before it is
 * known to be aligned; in this translation unit, so that only _start is
 * global.
 */
__asm__ (
    ".pushsection .text, \"ax\", @progbits\n"
    ".globl _start\n"
    ".type _start, @function\n"
    "_start:\n"
    "    xor  %ebp, %ebp\n" /* the outermost frame */
    "    cld\n"
    "    and  $-16, %rsp\n"
    "    call start_spt\n" /* does not return */
    "    ud2\n"
    ".size _start, . - _start\n"
    ".popsection\n"
);

__attribute__((used, no_stack_protector))
static NORETURN void start_spt(const struct spt_boot_info *info)
{
    stack_protector_init();
    /* Until now FS base is the tender's; stray TLS use shall fault. */
    (void)platform_set_fs_base(0);
    spt_epollfd = info->epollfd;
    spt_timerfd = info->timerfd;

    const struct boot boot = {
        .mem_size = info->mem_size,
        .cmdline = (const char *)info->cmdline,
        .mft = (const struct mft *)info->mft,
    };
    start(&boot, NULL);
}
