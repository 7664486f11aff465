#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/packages.sh: its advice for several systems, which their os-release files describe."""
import os
import sys

from lib import contains, equal, main, run, test

SCRIPT = os.path.abspath(sys.argv[1])
UNTRIED = 'Not tested on this system'


def advice(os_release, argument=True):
    """Returns the output of the script for a system. An argument or the environment names the
    os-release file."""
    with open('os-release', 'w', encoding='utf-8') as file:
        file.write(os_release)
    path = os.path.abspath('os-release')
    result = run(SCRIPT, path) if argument else run(SCRIPT, env={'WHORL_OS_RELEASE': path})
    equal((result.status, result.messages), (0, ''))
    text = result.out.decode()
    equal(max(len(line) for line in text.splitlines()) <= 100, True)
    return ' '.join(text.split())


@test
def debian_12_has_llhttp_as_sources_and_is_the_system_that_was_tried():
    text = advice('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n')
    contains(text, 'This is Debian GNU/Linux 12 (bookworm).')
    contains(text, 'apt-get install gcc ')
    contains(text, ' libbearssl-dev ')
    contains(text, ' libssl-dev ')
    contains(text, ' node-llhttp')
    equal(UNTRIED in text, False)


@test
def debian_13_has_llhttp_as_a_library():
    text = advice('ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')
    contains(text, ' libllhttp-dev')
    equal('node-llhttp' in text, False)
    contains(text, UNTRIED)


@test
def ubuntu_24_04_has_llhttp_as_sources():
    text = advice('PRETTY_NAME="Ubuntu 24.04.1 LTS"\nID=ubuntu\nID_LIKE=debian\n'
                  'VERSION_ID="24.04"\n')
    contains(text, ' node-llhttp')
    contains(text, 'universe')
    contains(text, UNTRIED)


@test
def another_version_of_debian_gets_the_newest_names_and_is_told_so():
    for os_release in ('ID=debian\nPRETTY_NAME="Debian GNU/Linux sid"\n',
                       'ID=ubuntu\nVERSION_ID=25.04\nPRETTY_NAME="Ubuntu 25.04"\n'):
        text = advice(os_release)
        contains(text, ' libllhttp-dev')
        contains(text, 'The names are those of Debian 13.')
        contains(text, UNTRIED)


@test
def fedora_is_told_that_bearssl_is_not_packaged():
    text = advice("ID=fedora\nVERSION_ID=43\nPRETTY_NAME='Fedora Linux 43 (Server Edition)'\n")
    contains(text, 'dnf install gcc ')
    for name in ('liburing-devel', 'c-ares-devel', 'llhttp-devel', 'zlib-ng-compat-devel',
                 'libidn2-devel', 'libnghttp2-devel'):
        contains(text, ' %s ' % name)
    contains(text, 'BearSSL: no package was found for Fedora.')
    contains(text, UNTRIED)


@test
def arch_linux_has_all_of_them():
    text = advice('NAME="Arch Linux"\nPRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n')
    contains(text, 'pacman -S gcc ')
    for name in ('liburing', 'c-ares', 'bearssl', 'openssl', 'llhttp', 'zlib', 'libidn2',
                 'libnghttp2'):
        contains(text, ' %s ' % name)
    contains(text, UNTRIED)


@test
def an_unknown_system_is_told_the_libraries():
    for os_release in ('ID=plan9\nNAME="Plan 9"\n', ''):
        text = advice(os_release)
        contains(text, 'This system must have')
        for name in ('liburing', 'c-ares', 'BearSSL', 'OpenSSL', 'llhttp', 'zlib', 'libidn2',
                     'nghttp2'):
            contains(text, name)
        contains(text, UNTRIED)
    contains(advice('ID=plan9\nNAME="Plan 9"\n'), 'This is Plan 9.')


@test
def the_environment_names_the_file_as_the_argument_does():
    os_release = 'ID=arch\nPRETTY_NAME="Arch Linux"\n'
    equal(advice(os_release, argument=False), advice(os_release))


if __name__ == '__main__':
    main()
