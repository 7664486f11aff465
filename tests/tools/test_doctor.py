#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""whorl-doctor: its lines, its JSON object, and its reports of what is missing."""
import json
import os
import resource
import subprocess
import sys

from lib import SCALE, contains, equal, main, test

DOCTOR = os.path.abspath(sys.argv[1])


def run(*argv, env=None, limit=None):
    def prepare():
        if limit:
            resource.setrlimit(*limit)
    p = subprocess.run([DOCTOR, *argv], capture_output=True, text=True, timeout=30 * SCALE,
                       env={**os.environ, **(env or {})}, preexec_fn=prepare)
    return p.returncode, p.stdout, p.stderr


def findings(**kw):
    status, out, err = run('--json', **kw)
    report = json.loads(out)
    equal((err, report['ok']), ('', status == 0))
    equal(any(f['limits'] for f in report['findings']), status == 1)
    return {f['name']: f for f in report['findings']}


@test
def every_thing_looked_at_has_a_line():
    _, out, _ = run()
    for name in ('kernel', 'driver', 'io_uring sysctl', 'seccomp', 'memlock', 'open files', 'guard pages',
                 'max_map_count', 'overcommit', 'small stacks', 'huge pages', 'page size', 'tasks that fit', 'CA bundle'):
        contains('\n' + out, '\n' + name + ' ')


@test
def the_object_says_what_the_lines_say():
    found = findings(env={'WHORL_DRIVER': ''})
    equal(found['driver']['value'].split(':')[0] in ('io_uring', 'epoll'), True)
    equal(int(found['tasks that fit']['value']) > 1000, True)


@test
def a_forced_driver_is_the_one_reported():
    contains(findings(env={'WHORL_DRIVER': 'epoll'})['driver']['value'], 'epoll')


@test
def an_unknown_driver_is_a_limit():
    driver = findings(env={'WHORL_DRIVER': 'nothing'})['driver']
    equal(driver['limits'], True)
    contains(driver['value'], 'none')


@test
def few_open_files_are_a_limit():
    files = findings(limit=(resource.RLIMIT_NOFILE, (64, 64)))['open files']
    equal((files['value'], files['limits']), ('64 of 64', True))


@test
def little_address_space_bounds_the_tasks():
    size = 2 << 30
    fit = findings(limit=(resource.RLIMIT_AS, (size, size)))['tasks that fit'] \
        if os.environ.get('TEST_SANITIZED') != '1' else None
    if fit:
        equal((fit['value'], fit['note'], fit['limits']),
              (str(size // (65536 + 4096)), 'limited by address space', True))


@test
def a_missing_bundle_is_a_limit():
    bundle = findings(env={'SSL_CERT_FILE': '/nowhere.pem'})['CA bundle']
    equal((bundle['value'], bundle['limits']), ('none', True))


@test
def wrong_arguments_are_refused_with_status_2():
    for argv in (['x'], ['--nothing']):
        status, out, err = run(*argv)
        equal((status, out), (2, ''))
        contains(err, 'whorl-doctor')


@test
def help_fits_a_screen():
    status, out, _ = run('--help')
    equal((status, len(out.splitlines()) < 24), (0, True))
    equal(max(len(line) for line in out.splitlines()) <= 85, True)


if __name__ == '__main__':
    main()
