/*
 * solo5_spt.c: the bindings for spt, version 2, on x86_64 Linux.
 */
#include "common/base.h"
#include "common/tsc.h"
#include "spt_abi.h"

#include "common/memory_functions.c"
#include "common/log.c"
#include "common/stack_protector.c"
#include "common/cmdline.c"
#include "common/manifest.c"
#include "common/tls.c"
#include "common/start.c"
#include "spt/system_call.h"
#include "spt/clock.c"
#include "spt/console.c"
#include "spt/platform.c"
#include "spt/devices.c"
#include "common/yield.c"
#include "spt/entry.c"

INTERP_DECLARE()
NOT_OPENBSD_NOTE_DECLARE()
ABI1_NOTE_DECLARE(SPT_ABI_TARGET, SPT_ABI_VERSION)
