#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`models latency`: figures in an order that holds on every machine, the picture, the file for
programs, and what it says when something cannot be measured.

usage: test_models_latency.py MODELS [TEST]...
"""
import json
import os
import re
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
from lib import Skip, contains, equal, main, run, test

MODELS = os.path.abspath(sys.argv[1])
QUICK = ['--time', '100', '--runs', '11', '--memory', '64']
KEYS = ['l1', 'task_switch', 'l2', 'mutex', 'memory', 'system_call', 'thread_switch', 'process_switch',
        'loopback', 'read_memory', 'read_cached', 'name', 'fsync', 'read_disk', 'tls', 'far']


def latency(*argv):
    return run(MODELS, 'latency', *argv)


def below(ns, *keys):
    """Checks an order, without the rows that were not measured."""
    keys = [key for key in keys if key in ns]
    for fast, slow in zip(keys, keys[1:]):
        if ns[fast] >= ns[slow]:
            raise AssertionError('%s: %s, but %s: %s' % (fast, ns[fast], slow, ns[slow]))


@test
def latency_measures_in_an_order_that_always_holds():
    result = latency(*QUICK, '--json', 'out.json', '--picture', 'out.svg')
    equal((result.status, result.messages), (0, ''))
    with open('out.json') as f:
        report = json.load(f)
    equal([row['key'] for row in report['rows']], KEYS)
    equal(report['runs'], 11)
    ns = {row['key']: row['ns'] for row in report['rows'] if 'ns' in row}
    equal([key for key in KEYS if key not in ns and key not in ('far', 'fsync', 'read_disk')], [])
    below(ns, 'l1', 'l2', 'memory')
    below(ns, 'task_switch', 'thread_switch')
    below(ns, 'task_switch', 'process_switch')
    below(ns, 'mutex', 'thread_switch')
    below(ns, 'system_call', 'thread_switch')
    below(ns, 'system_call', 'loopback', 'tls')
    below(ns, 'system_call', 'name')
    below(ns, 'system_call', 'read_cached')
    below(ns, 'system_call', 'fsync')
    if not 0.1 < ns['l1'] < 100 or not 1 < ns['memory'] < 1e5:
        raise AssertionError('not plausible: %r' % ns)
    classic = {row['key']: row['classic_ns'] for row in report['rows'] if 'classic_ns' in row}
    equal(classic, {'l1': 0.5, 'l2': 7, 'mutex': 25, 'memory': 100, 'read_memory': 250e3, 'read_disk': 1e6,
                    'far': 150e6})
    out = result.out.decode()
    for row in report['rows']:  # the table has them all
        contains(out, '\n' + row['name'] + ' ')
        if 'why' in row:
            contains(out, '\n%s: not measured: %s\n' % (row['name'], row['why']))
    contains(out, '\nround trip to another continent            -    150 ms       150000 km\n')
    contains(out, 'In the time of one TLS handshake')
    svg = xml.etree.ElementTree.parse('out.svg').getroot()
    name = '{http://www.w3.org/2000/svg}'
    bars = [r for r in svg.iter(name + 'rect') if r.get('class') == 'bar']
    equal(len(bars), len(ns) + 1)  # and the legend
    equal(len(list(svg.iter(name + 'circle'))), len(classic) + 1)
    texts = [t.text for t in svg.iter(name + 'text')]
    equal([row['name'] for row in report['rows'] if row['name'] not in texts], [])
    widths = [float(r.get('width')) for r in bars]
    equal(all(0 < width <= 690 - 236 for width in widths), True)
    equal(sorted(os.listdir('.')), ['out.json', 'out.svg'])  # its own files are gone


@test
def latency_says_what_it_cannot_measure():
    if not os.path.isdir('/dev/shm'):
        raise Skip('there is no /dev/shm')
    result = latency(*QUICK, '--directory', '/dev/shm')
    equal(result.status, 0)
    for name in 'fsync of 4 KiB', '1 MiB from the disk':
        contains(result.out.decode(), '%s: not measured: /dev/shm is in memory, not on a disk\n' % name)
        equal(bool(re.search(r'^%s +- ' % name, result.out.decode(), re.M)), True)
    result = latency(*QUICK, '--directory', '/proc')  # nothing can be created there
    equal(result.status, 0)
    contains(result.out.decode(), '1 MiB from the page cache: not measured: ')


@test
def latency_says_that_the_path_of_a_file_is_too_long():
    fits = '././' * 1020  # with "/latency-XXXXXX" 4095 bytes, the most that Linux accepts
    result = latency(*QUICK, '--directory', fits)
    equal((result.status, 'bytes; the limit is' in result.out.decode()), (0, False))
    equal('1 MiB from the page cache: not measured' in result.out.decode(), False)
    result = latency(*QUICK, '--directory', fits + '/')
    equal(result.status, 0)
    in_memory = 'is in memory, not on a disk' in result.out.decode()  # no file is created there
    for name in ['1 MiB from the page cache'] + ([] if in_memory else ['fsync of 4 KiB', '1 MiB from the disk']):
        contains(result.out.decode(), '%s: not measured: %s...: a file in this directory has a path of '
                 '4096 bytes; the limit is 4095\n' % (name, fits[:30]))
    equal(os.listdir('.'), [])
    result = latency('--directory', fits + '././' * 4)
    equal((result.status, result.out), (2, b''))
    equal(result.messages, "models latency: cannot use the directory '%s': File name too long\n"
          'see models latency --help\n' % (fits + '././' * 4))


@test
def latency_refuses_wrong_arguments():
    for argv, complaint in ((['--runs', '0'], "--runs needs a whole number from 1 to 999, not '0'"),
                            (['--time', 'x'], "--time needs a whole number from 1 to 1000000, not 'x'"),
                            (['--memory', '-1'], "--memory needs a whole number from 1 to 16384, not '-1'"),
                            (['--directory', '/nowhere'],
                             "cannot use the directory '/nowhere': No such file or directory"),
                            (['--directory', '/dev/null'], "'/dev/null' is not a directory"),
                            (['--nothing'], "there is no option '--nothing'"),
                            (['extra'], "unexpected argument 'extra'")):
        result = latency(*argv)
        equal((result.status, result.out), (2, b''))
        equal(result.messages, 'models latency: %s\nsee models latency --help\n' % complaint)
    for option in '--json', '--picture':
        result = latency(option, '/nowhere/file')  # before it measures
        equal((result.status, result.out), (1, b''))
        equal(result.messages, 'models: cannot write /nowhere/file: No such file or directory\n')


if __name__ == '__main__':
    main()
