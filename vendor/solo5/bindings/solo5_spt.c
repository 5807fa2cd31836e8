/*
 * solo5_spt.c: the bindings for spt, version 2, on x86_64 Linux.
 */
#include "common/base.h"
#include "spt_abi.h"

#include "common/memory_functions.c"
#include "common/log.c"
#include "common/stack_protector.c"
#include "common/cmdline.c"
#include "common/manifest.c"
#include "common/tls.c"
#include "common/start.c"
#include "spt/system_call.h"
#include "spt/platform.c"
#include "spt/devices.c"

INTERP_DECLARE()
NOT_OPENBSD_NOTE_DECLARE()
ABI1_NOTE_DECLARE(SPT_ABI_TARGET, SPT_ABI_VERSION)

/* Entered from entry.S. */
__attribute__((visibility("hidden"), used, no_stack_protector))
NORETURN void _start_spt(const struct spt_boot_info *info);

void _start_spt(const struct spt_boot_info *info)
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
