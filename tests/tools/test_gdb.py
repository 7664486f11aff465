#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/whorl-gdb.py on a program that stops while its tasks work: on the live process, and on a
core file."""
import os
import re
import resource
import shutil
import subprocess
import sys

from lib import SANITIZED, SCALE, Skip, contains, equal, main, test

STOPPED = os.path.abspath(sys.argv[1])
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../tools/whorl-gdb.py')
FRAME = re.compile(r'#(\d+) +(?:0x[0-9a-f]+ in )?(\w+)')


def gdb(commands, *files):
    if not shutil.which('gdb'):
        raise Skip('there is no gdb')
    argv = ['gdb', '-nx', '-q', '-batch', '-iex', 'set debuginfod enabled off']
    for command in commands:
        argv += ['-ex', command]
    p = subprocess.run(argv + list(files), capture_output=True, text=True, timeout=60 * SCALE,
                       stdin=subprocess.DEVNULL, errors='replace')
    if 'ptrace: Operation not permitted' in p.stderr:
        raise Skip('gdb may not trace here')
    return p.stdout, p.stderr


def alive(*commands):
    return gdb(['run', 'source ' + SCRIPT, *commands], STOPPED)


def core():
    """The path of a core file of the program."""
    with open('/proc/sys/kernel/core_pattern') as f:
        pattern = f.read().strip()
    if pattern.startswith('|') or '/' in pattern:
        raise Skip('core files go elsewhere')
    if SANITIZED:
        raise Skip('sanitizers write no core files')

    def unlimited():
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    p = subprocess.run([STOPPED], preexec_fn=unlimited, timeout=30 * SCALE, stderr=subprocess.DEVNULL)
    equal(p.returncode, -6)
    found = [f for f in os.listdir('.') if f.startswith('core')]
    if not found:
        raise Skip('no core file was written')
    return found[0]


def check_tasks(out):
    runs = re.split(r'^run of thread \d+, ', out, flags=re.M)[1:]
    equal(len(runs), 2)
    first, second = (re.sub(r'\S*/(?=stopped\.c)', '', run) for run in runs)
    equal(re.sub(r'(\d) fd \d+', r'\1', re.sub(r'stopped\.c:\d+', 'stopped.c:N', first)).splitlines()[:7],
          ['6 tasks:',
           '  task 1 root: waits for group',
           '  task 2 dormouse\\x1b: waits for sleep  (spawned as sleeper at stopped.c:N)',
           '  task 3 reader at stopped.c:N: waits for read fd %d' % fd_of(first, 'read'),
           '  task 4 chatter at stopped.c:N: waits for recv fd %d' % fd_of(first, 'recv'),
           '  task 5 stopper at stopped.c:N: running',
           '  task 6 latecomer at stopped.c:N: ready'])
    contains(second, '3 tasks:\n  task 1 other: waits for group  (spawned as root)\n'
                     '  task 2 dormouse\\x1b: waits for sleep')


def fd_of(text, call):
    return int(re.search(r'waits for %s fd (\d+)' % call, text).group(1))


def functions(out, title):
    """Returns the functions of the backtrace below a task's line, up to the runtime's `entry`.
    Stops where the frame numbers do not continue to count from 0."""
    lines = out[out.index('\n' + title) + 1:].split('\n')[1:]
    frames = []
    for line in lines:
        match = FRAME.match(line)
        if not line or match and int(match.group(1)) != len(frames):
            break
        if match:
            frames.append(match.group(2))
        if frames and frames[-1] == 'entry':  # the callers of `entry` depend on the switch
            break
    return frames


def check_backtraces(out):
    frames = functions(out, 'task 2 ')
    equal(frames[frames.index('nap'):], ['nap'] * 4 + ['sleeper', 'entry'])
    equal('abort' in frames, False)
    frames = functions(out, 'task 3 ')
    equal(frames[frames.index('whorl_read'):], ['whorl_read', 'reader', 'entry'])
    frames = functions(out, 'task 5 ')
    equal(frames[frames.index('stopper'):], ['stopper', 'entry'])
    equal('abort' in frames or '__GI_abort' in frames, True)
    frames = functions(out, 'task 6 ')
    if frames:  # with ucontext, a stack runs some code before its first task
        equal('boot' in frames or 'entry' in frames, True)
    else:
        contains(out, 'ready\nhas not begun\n')
    equal(functions(out, 'task 1 other')[-2:], ['other_root', 'entry'])


@test
def tasks_of_a_live_program_are_listed_and_traced():
    out, err = alive('whorl tasks', 'echo \\n', 'whorl bt all')
    check_tasks(out)
    check_backtraces(out)
    equal('Error' in err or 'Traceback' in err, False)


@test
def tasks_of_a_core_file_are_listed_and_traced():
    out, err = gdb(['source ' + SCRIPT, 'whorl tasks', 'echo \\n', 'whorl bt'], STOPPED, core())
    check_tasks(out)
    check_backtraces(out)
    equal('Error' in err or 'Traceback' in err, False)


@test
def one_task_is_traced_and_the_selection_stays():
    out, _ = alive('up 2', 'echo \\nbefore:', 'frame', 'whorl bt 2', 'echo \\n\\nafter:', 'frame', 'bt')
    before, after = out.index('before:'), out.index('after:')
    equal(functions(out, 'task 2 ')[-2:], ['sleeper', 'entry'])
    equal('task 3' in out, False)
    equal(out[after + 6:].split('\n')[0], out[before + 7:].split('\n')[0])
    contains(out[after:], ' stopper ')
    equal('nap' in out[after:], False)


@test
def tasks_of_another_thread_have_its_number_before_theirs():
    out, _ = alive('whorl tasks', 'whorl bt 2.2', 'thread 2', 'echo \\n', 'whorl bt 1')
    contains(out, 'run of thread 2, 3 tasks:')
    equal(functions(out, 'task 2 dormouse')[-2:], ['sleeper', 'entry'])
    equal(functions(out, 'task 1 other')[-2:], ['other_root', 'entry'])


@test
def what_cannot_be_done_is_said():
    _, err = alive('whorl bt 77')
    contains(err, 'No task 77.')
    _, err = alive('whorl bt 7.1')
    contains(err, 'Thread 7 has no run.')
    _, err = alive('whorl bt some')
    contains(err, 'whorl bt NUMBER|THREAD.NUMBER|all')
    _, err = gdb(['source ' + SCRIPT, 'whorl tasks'], STOPPED)
    contains(err, 'not running')
    _, err = gdb(['break main', 'run', 'source ' + SCRIPT, 'whorl tasks'], STOPPED)
    contains(err, 'No thread has a run.')
    _, err = gdb(['source ' + SCRIPT, 'whorl tasks'], '/bin/true')
    contains(err, 'No whorl here')


if __name__ == '__main__':
    main()
