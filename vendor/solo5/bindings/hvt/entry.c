/*
 * entry.c: where the tender starts the processor. RDI is the address of boot
 * info, RSP is the end of memory less 8, and no return address is pushed.
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
    "    call start_hvt\n" /* does not return */
    "    ud2\n"
    ".size _start, . - _start\n"
    ".popsection\n"
);

static const struct hvt_boot_info *boot_info;

static void hvt_init(void)
{
    clock_init(boot_info->cpu_cycle_freq);
    net_init(boot_info);
}

__attribute__((used, no_stack_protector))
static NORETURN void start_hvt(const struct hvt_boot_info *info)
{
    stack_protector_init();
    /* Stray TLS use shall fault. */
    (void)platform_set_fs_base(0);
    gdt_init();
    idt_init();
    boot_info = info;

    const struct boot boot = {
        .mem_size = info->mem_size,
        .cmdline = (const char *)info->cmdline,
        .mft = (const struct mft *)info->mft,
    };
    start(&boot, hvt_init);
}
