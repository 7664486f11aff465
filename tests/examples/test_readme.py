#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/README.md and the programs it shows: each prints the output that the page shows.

usage: test_readme.py BUILD [TEST]...
       test_readme.py BUILD --update [WORD]...
           writes the present output of the programs to examples/README.md: of all programs, or of
           those whose command contains one of the words

A block of the page is a few commands with their output:

    <!-- varies: REGEX; in tests: OPTIONS; any order -->
    ```console
    $ build/examples/models cpu
    ...
    ```

Text that matches REGEX is not compared. The test adds OPTIONS to the last command. With `any order`
the lines are sorted before they are compared. A command that ends in & is a server. The test lets
it choose a free port, and uses this port wherever the page has that of its option --port.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'tools'))
from lib import SCALE, Skip, contains, equal, main, test  # noqa: E402

BUILD = os.path.abspath(sys.argv[1])
EXAMPLES = os.path.join(ROOT, 'examples')
README = os.path.join(EXAMPLES, 'README.md')
TEXT = open(README, encoding='utf-8').read()
BLOCK = re.compile(r'(?:<!-- (?P<notes>.*?) -->\n)?```console\n(?P<body>.*?)```\n', re.S)
LINES_MAX = 59
PORT_OPTION = re.compile(r'--port (\d+)')
# Programs that are built only if their library is installed.
OPTIONAL = ['examples/programs/api_client']


# The watchdog's backtraces, which the page leaves out.
BACKTRACE = re.compile(r'  (#\d+ |source lines: )')


class Block:
    def __init__(self, match):
        notes = dict((part.strip().split(': ', 1) + [''])[:2]
                     for part in (match['notes'] or '').split(';'))
        self.varies = notes.get('varies')
        self.options = notes.get('in tests', '')
        self.any_order = 'any order' in notes
        self.commands, self.output = [], []
        for line in match['body'].splitlines():
            if line.startswith('$ '):
                self.commands.append(line[2:])
            else:
                self.output.append(line)
        self.name = re.sub(r'\W+', '_', self.commands[-1].split(' http')[0]).strip('_')

    def programs(self):
        return re.findall(r'\bbuild/([\w/-]+)', ' '.join(self.commands))

    def run(self, options):
        """Returns the outputs of the commands, one text per command."""
        texts, servers, ports = [], [], {}  # port on the page -> port of the server
        with tempfile.TemporaryDirectory(prefix='whorl-test-') as directory:
            os.symlink(BUILD, os.path.join(directory, 'build'))
            try:
                for i, command in enumerate(self.commands):
                    if i + 1 == len(self.commands):
                        command += ' ' + options
                    shown = PORT_OPTION.search(command)
                    if shown:
                        command = command.replace(shown[0], '--port 0')
                    for page, real in ports.items():
                        command = command.replace(page, real)
                    if command.endswith(' &'):
                        argv = command[:-2].split()
                        server = subprocess.Popen(argv, cwd=directory, stdout=subprocess.PIPE, text=True)
                        servers.append(server)
                        line = server.stdout.readline()
                        ports[shown[1]] = re.search(r'\d+$', line.strip())[0]
                        texts.append(line.replace(ports[shown[1]], shown[1]))
                        continue
                    done = subprocess.run(['bash', '-c', command], cwd=directory,
                                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT, text=True, timeout=60 * SCALE)
                    expected = 124 if command.startswith('timeout ') else 0
                    if done.returncode != expected:
                        raise AssertionError('%s: status %d: %s' % (command, done.returncode, done.stdout))
                    text = done.stdout
                    for page, real in ports.items():
                        text = text.replace(real, page)
                    texts.append(text)
            finally:
                for server in servers:
                    server.terminate()
                    server.communicate()
        return texts

    def comparable(self, lines):
        """Removes what varies: the matches of REGEX, the widths of columns, lines that vary as a
        whole, and the repetitions of equal lines."""
        result = []
        for line in lines:
            if BACKTRACE.match(line):
                continue
            if self.varies:
                line = re.sub(self.varies, '#', line)
            line = re.sub(r'\s+', ' ', line).rstrip()
            if line != '#' and ('#' not in line or result[-1:] != [line]):
                result.append(line)
        return sorted(result) if self.any_order else result


BLOCKS = [Block(match) for match in BLOCK.finditer(TEXT)]
CHAPTERS = re.findall(r'^\[(\d\d_\w+)\.c\]', TEXT, re.M)


@test
def every_chapter_is_one_program_of_less_than_60_lines():
    equal(CHAPTERS, sorted(name[:-2] for name in os.listdir(EXAMPLES) if re.match(r'\d\d_.*\.c$', name)))
    for name in CHAPTERS:
        with open(os.path.join(EXAMPLES, name + '.c'), encoding='utf-8') as file:
            count = len(file.readlines())
        if count > LINES_MAX:
            raise AssertionError('%s.c has %d lines' % (name, count))


@test
def every_chapter_names_the_next():
    for name, following in zip(CHAPTERS, CHAPTERS[1:] + ['fetch']):
        with open(os.path.join(EXAMPLES, name + '.c'), encoding='utf-8') as file:
            contains(file.read(), ' * Next: %s.c' % following)


@test
def every_chapter_and_program_is_shown_at_work():
    shown = [program for block in BLOCKS for program in block.programs()]
    programs = [name[:-2] for name in os.listdir(os.path.join(EXAMPLES, 'programs')) if name.endswith('.c')]
    names = CHAPTERS + ['programs/' + name for name in programs]
    equal([name for name in names if 'examples/' + name not in shown], [])


@test
def everything_named_is_there():
    for path in re.findall(r'\]\(([^)#]+)\)', TEXT):
        if '://' not in path and not os.path.exists(os.path.join(EXAMPLES, path)):
            raise AssertionError('no ' + path)
    for program in set(re.findall(r'\bbuild/(examples/[\w/-]+)', TEXT)):
        if not os.access(os.path.join(BUILD, program), os.X_OK) and program not in OPTIONAL:
            raise AssertionError('no build/' + program)


@test
def the_table_has_the_figures_that_were_measured():
    equal(TEXT, with_figures(TEXT))


def with_figures(text):
    """Copies figures from the blocks to the last rows of the table: the figures of `whorl-stress`
    for tasks, and those of `models cost` for threads and processes."""
    stress = re.search(r'^spawn +\d+ +\S+ \S+ +(\S+ \S+).* (\d+) +\S+ \S+$', text, re.M)
    thread, process = (re.search(r'^%s +\d+ +(\S+) +(\S+)$' % kind, text, re.M)
                       for kind in ('thread', 'process'))
    rows = {'start and end of one, here': '| | %s us | %s | %s us |' % (thread[1], stress[1], process[1]),
            'memory of one, here': "| | %s KiB and the kernel's | %s bytes | %s KiB and the kernel's |"
                                   % (thread[2], stress[2], process[2])}
    for name, cells in rows.items():
        text = re.sub(r'^\| %s \|.*$' % name, lambda _: '| %s %s' % (name, cells), text, flags=re.M)
    return text


def add_test(block, running):
    def prints_what_the_page_shows():
        missing = [p for p in block.programs() if not os.access(os.path.join(BUILD, p), os.X_OK)]
        if missing and (missing[0].startswith('tools/') or missing[0] in OPTIONAL):
            raise Skip('build/%s is not built' % missing[0])
        if 'models race' in block.commands[-1] and len(os.sched_getaffinity(0)) < 2:
            raise Skip('on one processor threads lose so rarely that it may take hours')
        texts = running.result()
        if 'check-suspends: libclang' in ''.join(texts):
            raise Skip('python3-clang-14 is not installed')
        equal(block.comparable(''.join(texts).splitlines()), block.comparable(block.output))
    prints_what_the_page_shows.__name__ = 'shown_output_of_' + block.name
    test(prints_what_the_page_shows)


def update(words):
    def rerun(match):
        block = Block(match)
        if words and not any(word in block.commands[-1] for word in words):
            return match[0]
        texts = block.run('')
        texts = [''.join(line for line in text.splitlines(True) if not BACKTRACE.match(line)) for text in texts]
        body = ''.join('$ %s\n%s' % pair for pair in zip(block.commands, texts))
        return match[0][:match.start('body') - match.start()] + body + '```\n'
    text = with_figures(BLOCK.sub(rerun, TEXT))
    with open(README, 'w', encoding='utf-8') as file:
        file.write(text)


if __name__ == '__main__':
    if sys.argv[2:3] == ['--update']:
        update(sys.argv[3:])
        sys.exit(0)
    # Most programs wait most of the time, so several run at the same time.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for block in BLOCKS:
            add_test(block, pool.submit(block.run, block.options))
        main()
