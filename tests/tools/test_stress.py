#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""whorl-stress and whorl-bench as users run them: rows, JSON, the picture, wrong arguments."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree

from lib import SCALE, contains, equal, main, test

STRESS, BENCH = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
del sys.argv[2]
WORKLOADS = 'sleep ring mutex spawn echo mix'.split()


def run(*argv, timeout=60):
    p = subprocess.run(argv, capture_output=True, text=True, timeout=timeout * SCALE)
    return p.returncode, p.stdout, p.stderr


@test
def every_workload_runs_and_its_sum_is_right():
    status, out, err = run(STRESS, '-n', '10,300', '--json')
    rows = [json.loads(line) for line in out.splitlines()]
    equal((status, err), (0, ''))
    equal([(r['workload'], r['tasks'], r['ok']) for r in rows],
          [(w, n, True) for w in WORKLOADS for n in (10, 300)])
    for row in rows:
        equal(sorted(row), ['bytes_per_task', 'cpu_ns_per_op', 'ok', 'ops', 'peak_rss_bytes', 'stack',
                            'tasks', 'wake_p50_ns', 'wake_p99_ns', 'wall_s', 'workload'])
        equal(row['stack'], 'guarded')
        equal(row['ops'] > 0 and row['wall_s'] > 0 and row['wake_p99_ns'] >= row['wake_p50_ns'], True)


@test
def the_table_has_a_row_for_each_size():
    status, out, _ = run(STRESS, '-n', '100,1000', 'spawn', 'mutex')
    lines = out.splitlines()
    equal((status, len(lines)), (0, 6))
    equal(lines[0], 'stacks: guarded')
    contains(lines[1], 'bytes/task')
    equal([line.split()[:2] for line in lines[2:]],
          [['mutex', '100'], ['mutex', '1000'], ['spawn', '100'], ['spawn', '1000']])
    equal(max(len(line) for line in lines) <= 80, True)


@test
def a_row_that_takes_too_long_is_a_failure_and_the_next_one_runs():
    status, out, _ = run(STRESS, '-n', '100', '--timeout', '1', 'sleep', 'spawn')
    equal(status, 1)
    contains(out, 'FAILED: not finished after 1 s')
    equal(out.splitlines()[-1].split()[:2], ['spawn', '100'])


@test
def the_picture_is_an_svg_with_a_curve_for_each_workload():
    status, _, _ = run(STRESS, '-q', '-n', '100,1000', 'spawn', 'ring', '--plot', 'p.svg')
    equal(status, 0)
    root = xml.etree.ElementTree.parse('p.svg').getroot()
    texts = [t.text for t in root.iter('{http://www.w3.org/2000/svg}text')]
    circles = list(root.iter('{http://www.w3.org/2000/svg}circle'))
    equal(('spawn' in texts, 'ring' in texts, 'sleep' in texts, len(circles)), (True, True, False, 4))


@test
def a_picture_that_cannot_be_written_is_said():
    status, _, err = run(STRESS, '-q', '-n', '10', 'spawn', '--plot', 'none/p.svg')
    equal(status, 1)
    contains(err, 'none/p.svg: no such file or directory')


@test
def wrong_arguments_are_refused_with_status_2():
    for argv in (['-n', '0'], ['-n', ',10'], ['-n', 'x'], ['-n', '99999999'], ['nothing'],
                 ['--timeout', '0'], ['--stack', '3k'], ['--nothing'], ['-n']):
        status, out, err = run(STRESS, *argv)
        equal((status, out), (2, ''))
        contains(err, 'whorl-stress')


@test
def help_fits_a_screen():
    status, out, _ = run(STRESS, '--help')
    equal(status, 0)
    equal(len(out.splitlines()) <= 24 and max(len(line) for line in out.splitlines()) <= 80, True)


@test
def an_interrupt_leaves_no_process():
    p = subprocess.Popen([STRESS, '-n', '1000', 'sleep'], stdout=subprocess.DEVNULL,
                         start_new_session=True)
    time.sleep(0.5)
    p.send_signal(signal.SIGINT)
    p.wait(10)
    time.sleep(0.3)
    left = [d for d in os.listdir('/proc') if d.isdigit() and group_of(d) == p.pid]
    equal(left, [])


def group_of(pid):
    try:
        with open('/proc/%s/stat' % pid) as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return int(fields[2]) if fields[0] != 'Z' else 0
    except OSError:
        return 0


@test
def bench_refuses_wrong_arguments():
    for argv in ([], ['nothing'], ['echo'], ['echo', 'x'], ['echo', '70000'], ['get', 'x'],
                 ['sleepers', '0'], ['repeat', 'yield', '0'], ['repeat', 'nothing', '1'], ['growth'],
                 ['--stack', '2', 'tasks'], ['--stack']):
        status, out, err = run(BENCH, *argv)
        equal((status, out), (2, ''))
        contains(err, 'whorl-bench')


@test
def bench_repeats_each_operation_silently():
    for what in 'yield pingpong chan spawn deadline get lines'.split():
        equal(run(BENCH, 'repeat', what, '1000'), (0, '', ''))


@test
def every_workload_runs_on_small_stacks():
    for stack, workloads in (('2k', 'sleep ring mutex spawn mix'.split()), ('8k', WORKLOADS)):
        status, out, err = run(STRESS, '-n', '300', '--json', '--stack', stack, *workloads)
        rows = [json.loads(line) for line in out.splitlines()]
        equal((status, err), (0, ''))
        equal([(r['workload'], r['stack'], r['ok']) for r in rows],
              [(w, stack, True) for w in workloads])


@test
def bench_growth_prints_its_figures():
    for stack in 'guarded', '2k', '4k', '8k':
        status, out, _ = run(BENCH, '--stack', stack, 'growth', '1000')
        names = dict(line.split() for line in out.splitlines())
        equal((status, sorted(names)), (0, ['mutex_ns', 'ring_ns', 'spawn_ns', 'stack']))
        equal(names['stack'], stack)


@test
def bench_sleepers_prints_its_figures():
    status, out, _ = run(BENCH, 'sleepers', '100')
    equal(status, 0)
    names = dict(line.split() for line in out.splitlines())
    equal(sorted(names), ['park_bytes', 'sleep1m_s', 'stack'])
    equal(1.9 < float(names['sleep1m_s']) < 2.5 * SCALE, True)


@test
def bench_echo_echoes_and_ends_on_sigterm():
    p = subprocess.Popen([BENCH, 'echo', '0'], stdout=subprocess.PIPE, text=True)
    port = int(re.match(r'port (\d+)', p.stdout.readline()).group(1))
    with socket.create_connection(('127.0.0.1', port), 10) as s:
        s.sendall(b'hello')
        equal(s.recv(100), b'hello')
        p.send_signal(signal.SIGTERM)
        equal(p.wait(10 * SCALE), 0)
    p.stdout.close()


@test
def bench_get_counts_errors():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    status, out, err = run(BENCH, 'get', 'http://127.0.0.1:%d/' % port, '10', '2')
    equal(status, 1)
    contains(out, 'errors 10')
    contains(err, 'connection refused')


if __name__ == '__main__':
    main()
