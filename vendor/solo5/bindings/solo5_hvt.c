/*
 * solo5_hvt.c: the bindings for hvt, version 2, on x86_64.
 */
#include "common/base.h"
#include "common/tsc.h"
#include "hvt_abi.h"

#include "common/memory_functions.c"
#include "hvt/hypercall.h"
#include "hvt/platform.c"
#include "common/log.c"
#include "common/stack_protector.c"
#include "common/cmdline.c"
#include "common/manifest.c"
#include "common/tls.c"
#include "common/start.c"
#include "hvt/clock.c"
#include "hvt/block.c"
#include "hvt/net.c"
#include "common/yield.c"
#include "hvt/processor.c"
#include "hvt/trap.c"
#include "hvt/entry.c"

INTERP_DECLARE()
NOT_OPENBSD_NOTE_DECLARE()
ABI1_NOTE_DECLARE(HVT_ABI_TARGET, HVT_ABI_VERSION)
