# shellcheck shell=sh
# shellcheck disable=SC2034  # who sources it uses the variables
# What solo5-rustc and solo5-rustdoc both tell the compiler and the linker. Sourced, not run.

# For each crate: what cfg(solo5) and cfg(solo5 = "hvt") see, and code for fixed addresses without a
# dynamic loader (a tender refuses anything else). crt-static makes std ask for libgcc_eh and libc as
# archives. rustix_use_libc keeps the rustix crate from making Linux's system calls by itself.
solo5_compile_flags() {
    echo "--cfg solo5 --cfg solo5=\"$1\" --check-cfg cfg(solo5,values(none(),\"hvt\",\"spt\"))
        --cfg rustix_use_libc --check-cfg cfg(rustix_use_libc)
        -Crelocation-model=static -Ctarget-feature=+crt-static -Crelro-level=off"
}

# For each program: the linker script and the bindings, both found in solo5-ffi's output directory,
# in place of the C compiler's start-up files. Pages are 4 KiB because Solo5 loads at 1 MiB, below
# the first 2 MiB page. $2 is the size of the stack in bytes (empty if the user has chosen one) and $3
# the program's name, which nolibc makes argv[0] of: eight bytes in each of eight symbols.
solo5_link_flags() {
    echo "-Clink-arg=-nostartfiles -Clink-arg=-Tsolo5_$1.lds -Clink-arg=-l:solo5_$1.o
        -Clink-arg=-Wl,-z,max-page-size=0x1000,--build-id=none"
    if [ -n "$2" ]; then
        echo "-Clink-arg=-Wl,--defsym=__solo5_stack_size=$2"
    fi
    index=0
    for word in $(printf %.64s "$3" | od -An -v -t x8); do
        echo "-Clink-arg=-Wl,--defsym=__solo5_program_name_$index=0x$word"
        index=$((index + 1))
    done
}

# 1 MiB for programs; 4 MiB for tests, which expect the 2 MiB that a test's thread has elsewhere.
solo5_stack=0x100000
solo5_test_stack=0x400000
