# shellcheck shell=bash
# Sourced by ci/test and ci/long: runs steps, which are functions named step_NAME, and sums up.

# Network namespaces need root, or a user namespace in which one is root.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else unshare --user --map-root-user "$@"; fi
}

# The programs of ci/tools come before the machine's own.
tools=${CARGO_TARGET_DIR:-target}/tools/bin
PATH=$(realpath -m "$tools"):$PATH

# skip REASON...: what a step ends with, as in `skip "no KVM" || return`, when the machine lacks what it needs.
skip() {
    echo "skipped: $*"
    return 77
}

# Whether the nightly toolchain is there, with the component named if one is.
has_nightly() {
    # Not by `cargo +nightly`, with which rustup would try to fetch what is absent.
    rustup toolchain list 2>/dev/null | grep -q '^nightly' &&
        { [ $# = 0 ] || rustup component list --installed --toolchain nightly 2>/dev/null | grep -q "^$1"; }
}

# packages FILTER: those of the workspace that are published and for which jq's FILTER is true, as arguments of Cargo.
packages() {
    cargo metadata --no-deps --format-version 1 |
        jq -r ".packages[] | select(.publish == null) | select($1) | \"--package=\" + .name"
}

# Examples and guests without unit tests, as arguments of Cargo that exclude them.
without_tests() {
    local manifest
    for manifest in examples/*/Cargo.toml tests/guests/*/Cargo.toml; do
        grep -rqs '#\[test\]' "${manifest%/*}/src" || sed -n 's/^name = "\(.*\)"/--exclude=\1/p;T;q' "$manifest"
    done
}

# The packages outside of the workspace; those of benchmarks whose peers are many crates apart.
with_peers=(ci/benches/crypto/guest/Cargo.toml ci/benches/http/Cargo.toml ci/benches/sched/Cargo.toml)
outside=(ci/api-listing/Cargo.toml ci/size-listing/Cargo.toml ci/benches/http/async-executor/Cargo.toml
    ci/benches/std/guest/Cargo.toml fuzz/Cargo.toml)
for manifest in ci/benches/*/Cargo.toml; do
    [[ " ${with_peers[*]} " = *" $manifest "* ]] || outside+=("$manifest")
done

# lint_outside MANIFEST...: lints packages outside of the workspace.
lint_outside() {
    local manifest
    # With the debug information of the workspace, and so with its libraries where their features are the same.
    for manifest; do
        CARGO_PROFILE_DEV_DEBUG=line-tables-only CARGO_PROFILE_DEV_BUILD_OVERRIDE_DEBUG=false cargo clippy -q --all-targets \
            --manifest-path "$manifest" --target-dir "${CARGO_TARGET_DIR:-target}" -- -D warnings || return
    done
}

# lint_features WHICH... PACKAGE...: lints these packages with some sets of their features, as cargo-hack's options say.
lint_features() {
    if [ -x "$tools/cargo-hack" ]; then
        cargo hack clippy --exclude-features default "$@" -- -D warnings
    else
        echo "not all features: no cargo-hack"
    fi
}

# document FEATURES...: the documentation of what is published, and of the tests' library; no warning allowed.
document() {
    local documented
    mapfile -t documented < <(packages true)
    RUSTDOCFLAGS='-D warnings' cargo doc -q --no-deps "$@" "${documented[@]}" --package=system-tests
}

# publish OPTION...: packs every publishable crate, with the licence, and does all that comes before it is uploaded.
publish() {
    local packed=${CARGO_TARGET_DIR:-target}/packages crates crate
    mapfile -t crates < <(packages true)
    for crate in "${crates[@]}"; do
        cargo package -q --allow-dirty --list "$crate" | grep -qx LICENSE || { echo "$crate: no LICENSE" && return 1; }
    done
    # What cargo unpacked of our packages before, and built, it would take for those of today: their versions are the same.
    rm -rf "$packed" "${CARGO_HOME:-$HOME/.cargo}"/registry/{cache,index,src}/-*
    # They only have to build.
    CARGO_PROFILE_DEV_DEBUG=0 cargo publish -q --dry-run --allow-dirty --target-dir "$packed" "$@" "${crates[@]}"
}

# fuzz TARGET FOLDER SECONDS [OPTION...]: fuzzes TARGET from what fuzz/seeds and FOLDER have of it; finds are put into
# FOLDER. The options are those it was built with, if it was.
fuzz() {
    local folders=("$2")
    mkdir -p "$2"
    [ ! -d "fuzz/seeds/$1" ] || folders+=("fuzz/seeds/$1")
    cargo +nightly fuzz run --debug-assertions "${@:4}" "$1" "${folders[@]}" -- -max_total_time="$3" -print_final_stats=1
}

# failures_of LOG: what failed, as libtest sums it up, or the end of what was printed.
failures_of() {
    local tests
    tests=$(awk '/^failures:$/ { on = 1 } on && NF; /^test result:/ { on = 0 }' "$1")
    if [ -n "$tests" ]; then tail -n 100 <<<"$tests"; else tail -n 30 "$1"; fi
}

# run_steps [STEP...]: runs the steps named, or all of the array `steps`, and fails when one did; `--list` names them.
# NAME=A,B is the step NAME with the arguments A and B.
#
# Every step runs, even after one has failed. The last line sums up the tests that ran; a step without tests of its own
# (a linter, say) counts as one. The line before it says what each step took; before that comes again what failed.
run_steps() {
    local log step name start status step_passed step_failed passed=0 failed=0 skipped=0 times='' failures=''
    if [ "${1:-}" = --list ]; then
        # shellcheck disable=SC2154  # the sourcing script's
        printf '%s\n' "${steps[@]}"
        return
    fi
    [ $# -eq 0 ] || steps=("$@")
    for step in "${steps[@]}"; do
        if ! declare -F "step_${step%%=*}" >/dev/null; then
            echo "$0: no step '${step%%=*}'; there are: $("$0" --list | tr '\n' ' ')" >&2
            return 1
        fi
    done

    ci/setup || return
    ci/tools || echo "$0: without the programs of ci/tools.txt, steps are skipped" >&2
    # Tests build in network namespaces, from which no registry is reached.
    cargo fetch -q --locked || return
    log=$(mktemp)
    # shellcheck disable=SC2064  # the name is known now
    trap "rm -f '$log'" EXIT
    for step in "${steps[@]}"; do
        name=${step%%=*}
        echo "==> $name"
        start=$SECONDS
        local arguments=()
        [ "$name" = "$step" ] || IFS=, read -ra arguments <<<"${step#*=}"
        "step_$name" "${arguments[@]}" 2>&1 | tee "$log"
        status=$?
        times+="$name $((SECONDS - start)) s, "
        if [ $status = 77 ]; then
            skipped=$((skipped + 1))
            echo "==> $name: skipped"
            continue
        fi
        read -r step_passed step_failed < <(awk '/^test result:/ { p += $4; f += $6 } END { print p + 0, f + 0 }' "$log")
        if [ "$step_passed" = 0 ] && [ $status = 0 ]; then step_passed=1; fi
        if [ "$step_failed" = 0 ] && [ $status != 0 ]; then step_failed=1; fi
        [ "$step_failed" = 0 ] || failures+="==> $name failed:"$'\n'"$(failures_of "$log")"$'\n'
        passed=$((passed + step_passed))
        failed=$((failed + step_failed))
        echo "==> $name: $step_passed passed, $step_failed failed, $((SECONDS - start)) s"
    done
    printf '%s' "$failures"
    echo "==> times: ${times}together $SECONDS s"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
