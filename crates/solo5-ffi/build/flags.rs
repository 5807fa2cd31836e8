//! What the bindings are compiled with, by the build script and by the tests of the bindings.

/// Beyond the include path and the optimisation: freestanding, at fixed addresses
/// below 2 GiB, without vector registers or a red zone (they run trap handlers), with the stack
/// protector's guard in a global because there is no thread pointer yet. Never as intermediate code
/// for link-time optimisation, which CFLAGS may ask for: the notes would not be there yet.
pub(crate) const FLAGS: &[&str] = &[
    "-std=gnu11",
    "-ffreestanding",
    "-fno-pie",
    "-mno-red-zone",
    "-mno-sse",
    "-mno-mmx",
    "-mno-avx",
    "-fstack-protector-strong",
    "-mstack-protector-guard=global",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
    "-fno-lto",
    "-Wall",
    "-Wextra",
    "-Werror",
];
