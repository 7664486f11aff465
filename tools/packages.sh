#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The packages which this project needs, and the commands that install them. tools/demo and
# tools/test source this file.
#     tools/packages.sh [OS_RELEASE]    prints what to install on this system, or on the system
#                                       which the file OS_RELEASE describes; installs nothing

# The packages which all tests and checks need, with their names in Debian 12.
packages_test=(g++ clang libclang-rt-14-dev python3-clang-14 clang-format-14 nginx-light nghttp2-server nghttp2-client openssl curl wget
    tinyproxy squid-openssl microsocks
    apache2-bin haproxy caddy libnginx-mod-http-brotli-filter python3-httpbin
    gdb python3
    strace binutils libunistring-dev libcurl4-openssl-dev libpq-dev
    redis-server postgresql chromium bash fish zsh)
# The additional packages for tools/test --full.
packages_full=(valgrind gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user musl-tools)
# The packages for the architecture arm64 which tools/test --full unpacks into its own directory.
packages_arm64=(libc6-dev libstdc++6 liburing-dev libc-ares-dev libbearssl-dev libssl-dev
    zlib1g-dev libidn2-dev libnghttp2-dev libpsl-dev libbrotli-dev libzstd-dev)

# packages_know [OS_RELEASE]: identifies the system. Reads the file OS_RELEASE, or else the file
# which WHORL_OS_RELEASE names, or else /etc/os-release. Sets:
#   packages_system   the name of the system
#   packages_tried    true if whorl has been built and tested on this system, else false
#   packages_build    the packages which the build needs; empty if the system is unknown
#   packages_install  the command that installs packages
#   packages_notes    lines about what else the build needs
packages_know() {
    local file=${1:-${WHORL_OS_RELEASE:-/etc/os-release}} id version
    # The file consists of shell assignments, so a subshell reads it.
    { read -r id; read -r version; read -r packages_system; } < <(
        unset ID VERSION_ID NAME PRETTY_NAME
        . "$(realpath "$file")" 2>/dev/null
        printf '%s\n' "${ID:-}" "${VERSION_ID:-}" "${PRETTY_NAME:-${NAME:-an unknown system}}")
    packages_left=() packages_tried=false packages_build=() packages_install= packages_notes=()
    local debian=(gcc libc6-dev meson ninja-build pkg-config liburing-dev libc-ares-dev
        libbearssl-dev libssl-dev zlib1g-dev libidn2-dev libnghttp2-dev
        libpsl-dev libbrotli-dev libzstd-dev libgumbo-dev libjansson-dev libxml2-dev nettle-dev
        libhiredis-dev ca-certificates)
    case $id in
    debian | ubuntu)
        packages_install='apt-get install'
        # On these systems, node-llhttp contains llhttp's C sources. Later systems have the library.
        case $id-$version in
        debian-12) packages_tried=true packages_build=("${debian[@]}" node-llhttp) ;;
        ubuntu-24.04) packages_build=("${debian[@]}" node-llhttp) ;;
        debian-13) packages_build=("${debian[@]}" libllhttp-dev) ;;
        *)
            packages_build=("${debian[@]}" libllhttp-dev)
            packages_notes+=("The names are those of Debian 13. If libllhttp-dev does not exist,
                node-llhttp may contain llhttp's sources.")
            ;;
        esac
        [ $id = debian ] ||
            packages_notes+=("Some of these packages are in Ubuntu's section universe.")
        ;;
    fedora)
        packages_install='dnf install'
        packages_build=(gcc meson ninja-build pkgconf-pkg-config liburing-devel c-ares-devel
            llhttp-devel openssl-devel zlib-ng-compat-devel libidn2-devel libnghttp2-devel
            libpsl-devel brotli-devel libzstd-devel gumbo-parser-devel jansson-devel libxml2-devel
            nettle-devel hiredis-devel ca-certificates)
        packages_notes+=("BearSSL: no package was found for Fedora. Build it from its sources, and
            install bearssl.h and libbearssl in directories which the compiler searches.")
        ;;
    arch)
        packages_install='pacman -S'
        packages_build=(gcc meson ninja pkgconf liburing c-ares bearssl openssl llhttp zlib libidn2
            libnghttp2 libpsl brotli zstd gumbo-parser jansson libxml2 nettle
            hiredis ca-certificates)
        ;;
    esac
}

# Prints the result of packages_know.
packages_print() {
    local note
    echo "This is $packages_system."
    if [ ${#packages_build[@]} = 0 ]; then
        {
            echo "tools/packages.sh knows Debian, Ubuntu, Fedora and Arch Linux. This system must have"
            echo "gcc or clang, meson 1.0, ninja and pkg-config. It must also have these libraries with"
            echo "their headers: liburing 2.3, c-ares 1.18, BearSSL, llhttp 9, zlib and libidn2."
            echo "OpenSSL 3 is used for TLS 1.3 if it is there."
            echo "With nghttp2 1.52, the client also speaks HTTP/2. With libbrotlidec and libzstd,"
            echo "it decodes br and zstd; with libpsl, it knows which domains cookies must not have."
            echo "whorl-get needs gumbo, jansson 2.8, libxml2 and nettle; with hiredis, it has --queue."
        } | fold -s -w 96
    else
        echo "To build whorl, run as root:"
        echo "  $packages_install ${packages_build[*]}" | fold -s -w 92 |
            sed '$!s/ *$/ \\/; 2,$s/^/      /' # a backslash joins the lines, so they can be copied
    fi
    for note in "${packages_notes[@]}"; do
        xargs <<<"${note//\'/\\\'}" | fold -s -w 96
    done
    $packages_tried ||
        echo "Not tested on this system: whorl is built and tested only on Debian 12."
}

# packages_missing NAME...: prints the named packages which are not installed.
packages_missing() {
    local installed
    [ $# -gt 0 ] || return 0
    installed=$(dpkg-query -W -f '${Package} ${Status}\n' "$@" 2>/dev/null |
        sed -n 's/ .* installed$//p')
    printf '%s\n' "$@" | grep -Fxv "$installed"
}

# packages_need NAME...: installs the named packages which are missing. If it cannot, prints their
# names, stores them in `packages_left`, and returns 1.
packages_need() {
    local missing
    packages_left=()
    if ! command -v dpkg-query >/dev/null; then
        [ "$*" = "${packages_build[*]}" ] || return 0
        packages_print
        echo "The packages were not checked, because this script can check only Debian packages."
        return 0
    fi
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing: ${missing[*]}" | fold -s -w 96
        export DEBIAN_FRONTEND=noninteractive
        # A server must not start when it is installed. RUNLEVEL=1 tells that to the scripts of
        # init, and SYSTEMD_OFFLINE=1 makes systemctl ignore the command to start it.
        {
            apt-get update -q && RUNLEVEL=1 SYSTEMD_OFFLINE=1 \
                apt-get install -q -y --no-install-recommends "${missing[@]}"
        } >"${TMPDIR:-/tmp}/whorl-apt.$$" 2>&1 || tail -n 15 "${TMPDIR:-/tmp}/whorl-apt.$$"
        rm -f "${TMPDIR:-/tmp}/whorl-apt.$$"
        mapfile -t packages_left < <(packages_missing "$@")
        [ ${#packages_left[@]} -gt 0 ] || return 0
        echo "These packages could not be installed: ${packages_left[*]}" | fold -s -w 96
        return 1
    fi
    packages_left=("${missing[@]}")
    echo "Some packages are missing. To install them, run as root:"
    echo "  apt-get update && apt-get install ${missing[*]}" | fold -s -w 96
    return 1
}

# Prints how many jobs to run in parallel.
processors() {
    nproc 2>/dev/null || echo 2
}

# build_configure DIRECTORY OPTION...: sets up a build directory, or reconfigures it if the options
# changed.
build_configure() {
    local directory=$1 wanted
    shift
    wanted="$* CC=${CC:-}"
    if [ ! -f "$directory/build.ninja" ]; then
        mkdir -p "$directory"
        meson setup "$directory" "$@" || return 1
    elif [ "$(cat "$directory/.configured" 2>/dev/null)" != "$wanted" ]; then
        meson setup --reconfigure "$directory" "$@" || return 1
    fi
    echo "$wanted" >"$directory/.configured"
}

packages_know
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    packages_know "$@"
    packages_print
fi
