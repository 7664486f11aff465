# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The Debian packages this project needs, and how to get them; sourced by tools/demo and tools/test.

# To build the library and its programs.
packages_build=(gcc libc6-dev meson ninja-build pkg-config liburing-dev libc-ares-dev
    libbearssl-dev node-llhttp zlib1g-dev libidn2-dev ca-certificates)
# To run every test and check.
packages_test=(g++ clang libclang-rt-14-dev python3-clang-14 clang-format-14 nginx-light openssl curl gdb python3
    strace binutils libunistring-dev libcurl4-openssl-dev libhiredis-dev libpq-dev redis-server
    postgresql chromium)
# For tools/test --full.
packages_full=(valgrind)

# Prints those of the named packages that are not installed.
packages_missing() {
    local name
    for name in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) in
        *" installed") ;;
        *) echo "$name" ;;
        esac
    done
}

# Installs what is missing of the named packages. Returns 1, having said what is needed, when
# something is still missing then; `packages_left` names it.
packages_need() {
    local missing
    packages_left=()
    if ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian or Ubuntu, so nothing was checked. Needed are what these packages hold:"
        echo "  $*" | fold -s -w 96
        return 0
    fi
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing: ${missing[*]}" | fold -s -w 96
        export DEBIAN_FRONTEND=noninteractive
        # RUNLEVEL=1 keeps a freshly installed web server from starting by itself.
        {
            apt-get update -q && RUNLEVEL=1 apt-get install -q -y --no-install-recommends "${missing[@]}"
        } >"${TMPDIR:-/tmp}/whorl-apt.$$" 2>&1 || tail -n 15 "${TMPDIR:-/tmp}/whorl-apt.$$"
        rm -f "${TMPDIR:-/tmp}/whorl-apt.$$"
        mapfile -t packages_left < <(packages_missing "$@")
        [ ${#packages_left[@]} -gt 0 ] || return 0
        echo "Could not be installed: ${packages_left[*]}" | fold -s -w 96
        return 1
    fi
    packages_left=("${missing[@]}")
    echo "Packages are missing that only root can install here. As root, run:"
    echo "  apt-get update && apt-get install ${missing[*]}" | fold -s -w 96
    return 1
}

# Prints how many jobs to run side by side.
processors() {
    nproc 2>/dev/null || echo 2
}

# build_configure FOLDER OPTION...: sets a build folder up once, and again when the options change.
build_configure() {
    local folder=$1 wanted
    shift
    wanted="$* CC=${CC:-}"
    if [ ! -f "$folder/build.ninja" ]; then
        mkdir -p "$folder"
        meson setup "$folder" "$@" || return 1
    elif [ "$(cat "$folder/.configured" 2>/dev/null)" != "$wanted" ]; then
        meson setup --reconfigure "$folder" "$@" || return 1
    fi
    echo "$wanted" >"$folder/.configured"
}
