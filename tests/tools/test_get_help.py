# SPDX-License-Identifier: MIT
"""Help, man page, configuration file and completions of whorl-get name the same options."""
import os
import re
import subprocess
import sys

from lib import *

PROGRAM, MAN_PAGE = map(os.path.abspath, sys.argv[1:3])
del sys.argv[2]


def run(*argv, **options):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * SCALE, **options)


def long_options(text):
    return re.findall(r'^ +(?:-\w, )?--([\w.-]+)', text, re.MULTILINE)


def all_options():
    r = run(PROGRAM, '--help', 'all')
    equal((r.returncode, r.stderr), (0, b''))
    options = long_options(r.stdout.decode())
    equal(len(options) > 30, True)
    return options


def script(shell):
    r = run(PROGRAM, '--completion', shell)
    equal((r.returncode, r.stderr), (0, b''))
    with open('completion', 'wb') as f:
        f.write(r.stdout)
    return os.path.abspath('completion')


@test
def the_topics_hold_every_option_once():
    topics = re.search(r'\n  (files, .*), all\n', run(PROGRAM, '--help').stdout.decode()).group(1).split(', ')
    found = [o for t in topics for o in long_options(run(PROGRAM, '--help', t).stdout.decode())]
    equal(found, all_options())


@test
def the_man_page_has_an_entry_for_every_option_and_no_other():
    with open(MAN_PAGE) as f:
        page = f.read().replace('\\-', '-')
    section = page[page.index('.SH OPTIONS'):]
    section = section[:section.index('\n.SH ', 1)]
    entries = [o for line in re.findall(r'^\.TP\n(.*)', section, re.MULTILINE) for o in re.findall(r'--([\w.-]+)', line)]
    equal(sorted(entries), sorted(all_options()))


# Codes that only servers and other programs meet.
OTHER_CODES = set('''WHORL_ENOTASK WHORL_ENOIO WHORL_EBUSYRUN WHORL_EWORKER WHORL_EHTTP_REQUEST_LINE
WHORL_EHTTP_TARGET_TOO_LONG WHORL_EHTTP_HOST WHORL_EHTTP_HEAD_TIMEOUT WHORL_EHTTP_REPLY WHORL_EHTTP_REPLY_BODY
WHORL_EHTTP_EXPECT WHORL_EHTTP_TRANSFER_CODING WHORL_EHTTP_BODY_RATE'''.split())


@test
def the_man_page_lists_every_code_of_a_failure_under_its_class():
    with open(MAN_PAGE) as f:
        section = f.read().split('\n.SH FAILURES\n')[1].split('\n.SH ')[0]
    found = {c: m[1] for m in re.finditer(r'^\.B (\w+)\n(.*?)(?=^\.TP|\Z)', section, re.MULTILINE | re.DOTALL)
             for c in re.findall(r'WHORL_E\w+', m[2])}
    with open(os.path.join(os.path.dirname(MAN_PAGE), '../../runtime/error_class.c')) as f:
        codes = f.read().split('class_of_code')[1].split('\n}\n')[0]
    expected, waiting = {}, []
    for code, class_name in re.findall(r'case (WHORL_E\w+):|return WHORL_CLASS_(\w+);', codes):
        if code:
            waiting.append(code)
        else:
            expected.update({c: class_name.lower() for c in waiting if c not in OTHER_CODES})
            waiting = []
    equal(sorted(expected.items() - found.items()), [])  # missing in the man page
    equal(sorted(found.items() - expected.items()), [])  # wrong in the man page


@test
def the_configuration_file_sets_options():
    os.makedirs('home/whorl')
    with open('home/whorl/get.conf', 'w') as f:
        f.write('jobs = many\n')
    path = os.path.abspath('home/whorl/get.conf')
    environment = dict(os.environ, XDG_CONFIG_HOME=os.path.abspath('home'))
    r = run(PROGRAM, 'http://127.0.0.1:1/', env=environment)
    equal((r.returncode, r.stdout), (2, b''))
    contains(r.stderr.decode(), "%s:1: --jobs needs a whole number from 1 to 100000, not 'many'\n" % path)
    del environment['XDG_CONFIG_HOME']
    os.rename('home', '.config')
    environment['HOME'] = os.getcwd()
    contains(run(PROGRAM, 'http://127.0.0.1:1/', env=environment).stderr.decode(), '.config/whorl/get.conf:1: --jobs')
    os.chmod('.config/whorl/get.conf', 0o600)
    os.remove('.config/whorl/get.conf')
    os.mkdir('.config/whorl/get.conf')
    contains(run(PROGRAM, 'http://127.0.0.1:1/', env=environment).stderr.decode(), 'get.conf: is a directory')


def completed_by_bash(*words):
    line = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _whorl_get; printf "%s\\n" "${COMPREPLY[@]}"'
    r = run('bash', '--norc', '-c', line, 'bash', script('bash'), 'whorl-get', *words)
    equal((r.returncode, r.stderr), (0, b''))
    return r.stdout.decode().split()


@test
def bash_completes_options_and_values():
    equal(completed_by_bash('--per'), ['--per-host'])
    equal(set(completed_by_bash('--')), {'--' + o for o in all_options()})
    equal(completed_by_bash('--tls', 'o'), ['openssl'])
    equal(completed_by_bash('--jobs', ''), [])
    open('list.txt', 'w').close()
    os.mkdir('listed')
    equal(sorted(completed_by_bash('-i', 'lis')), ['list.txt', 'listed'])
    equal(completed_by_bash('--dir', 'lis'), ['listed'])
    equal(completed_by_bash('http'), [])


def completed_by_fish(line):
    r = run('fish', '--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', script('fish'), 'whorl-get ' + line,
            env=dict(os.environ, HOME=os.getcwd(), XDG_CONFIG_HOME=os.getcwd(), XDG_DATA_HOME=os.getcwd()))
    equal((r.returncode, r.stderr), (0, b''))
    return [l.split('\t')[0] for l in r.stdout.decode().splitlines()]


@test
def fish_completes_options_and_values():
    equal(completed_by_fish('--per'), ['--per-host'])
    equal({o for o in completed_by_fish('--') if o.startswith('--')}, {'--' + o for o in all_options()})
    equal(completed_by_fish('--tls o'), ['openssl'])
    open('list.txt', 'w').close()
    os.mkdir('listed')
    equal(completed_by_fish('--dir lis'), ['listed/'])


ZSHRC = '''
PS1='READY> '
fpath=($PWD/functions $fpath)
autoload -Uz compinit
compinit -u -d $PWD/dump
show() { print -r -- "<<<$BUFFER>>>" }
zle -N show
bindkey '^O' show
'''


@test
def zsh_completes_options_and_values():
    equal(run('zsh', '-f', '-n', script('zsh')).returncode, 0)
    os.mkdir('functions')
    os.rename('completion', 'functions/_whorl-get')
    with open('.zshrc', 'w') as f:
        f.write(ZSHRC)
    environment = dict(os.environ, HOME=os.getcwd(), ZDOTDIR=os.getcwd(), TERM='dumb')
    with Terminal('zsh', '-i', '-d', env=environment) as terminal:
        terminal.read_until(b'READY> ')
        for typed, completed in (('--per', '--per-host='), ('--tls o', '--tls openssl'), ('--qui', '--quiet')):
            terminal.type(b'whorl-get %s\t\x0f' % typed.encode())
            terminal.read_until(b'<<<whorl-get %s' % completed.encode())
            terminal.type(b'\x15')  # Ctrl-U empties the line


main()
