#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The programs of examples/programs/, each as its users run it: what it is for, what may go wrong
around it, and its size.

usage: test_programs.py DIRECTORY [TEST]...     the programs are in DIRECTORY
"""
import contextlib
import http.server
import os
import re
import signal
import socket
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'tools'))
from lib import (SCALE, Skip, contains, equal, free_port, main, run, running, test,  # noqa: E402
                 wait_until)

PROGRAMS = os.path.abspath(sys.argv[1])
LINES_MAX = {'chat': 110, 'proxy': 50, 'api_client': 90}


def program(name):
    path = os.path.join(PROGRAMS, name)
    if name == 'api_client' and not os.path.exists(path):
        raise Skip('jansson is not installed')
    return path


@contextlib.contextmanager
def serving(name, *argv):
    """Starts a server on a free port. Yields the process and the port."""
    with running(program(name), '--port', '0', *argv) as child:
        line = child.stdout.readline().decode()
        yield child, int(re.fullmatch(r'listening on port (\d+)\n', line)[1])


def connect(port):
    s = socket.create_connection(('127.0.0.1', port))
    s.settimeout(10 * SCALE)
    return s


@test
def programs_are_no_longer_than_what_they_promise():
    for name, most in LINES_MAX.items():
        with open(os.path.join(ROOT, 'examples', 'programs', name + '.c'), encoding='utf-8') as f:
            count = len(f.readlines())
        if count > most:
            raise AssertionError('%s.c has %d lines, %d are allowed' % (name, count, most))


# --- chat -----------------------------------------------------------------------------------------


class Person:
    """A client of the chat server that has entered the room."""

    def __init__(self, port, name):
        self.socket = connect(port)
        self.file = self.socket.makefile('rb')
        self.heard('your name?')
        self.say(name)
        self.heard(name + ' is here')

    def say(self, text):
        self.socket.sendall(text.encode() + b'\n')

    def line(self):
        return self.file.readline().decode()

    def heard(self, text):
        equal(self.line(), text + '\n')

    def close(self):
        self.file.close()
        self.socket.close()


@test
def chat_sends_each_line_to_all_others():
    with serving('chat') as (_, port):
        ada, bob = Person(port, 'ada'), Person(port, 'bob')
        ada.heard('bob is here')
        cem = Person(port, 'cem')
        for other in ada, bob:
            other.heard('cem is here')
        ada.say('hello')
        ada.say('a bell \a and \x1b[31mred')
        for other in bob, cem:
            other.heard('ada: hello')
            other.heard('ada: a bell \\x07 and \\x1b[31mred')  # harmless for a terminal
        bob.say('hi ada')
        for other in ada, cem:
            other.heard('bob: hi ada')
        bob.close()
        for other in ada, cem:
            other.heard('bob has left')
        cem.socket.shutdown(socket.SHUT_WR)  # it leaves, and still reads what was said before
        ada.heard('cem has left')
        equal(cem.line(), '')
        for person in ada, cem:
            person.close()


@test
def chat_disconnects_a_client_that_does_not_read_and_no_other_one_waits():
    with serving('chat') as (_, port):
        ada, slow, bob = Person(port, 'ada'), Person(port, 'slow'), Person(port, 'bob')
        ada.heard('slow is here')
        ada.heard('bob is here')
        lines = ['x' * 200] * 50  # fewer than its channel holds
        left = False
        for _ in range(2000):  # more than the buffers of a connection
            ada.say('\n'.join(lines))
            for line in lines:
                heard = bob.line()
                if heard == 'slow has left\n':
                    left = True
                    heard = bob.line()
                equal(heard, 'ada: %s\n' % line)
            if left:
                break
        equal(left, True)
        for person in ada, slow, bob:
            person.close()


@test
def chat_stops_gracefully():
    for number in signal.SIGINT, signal.SIGTERM:
        with serving('chat') as (server, port):
            ada, bob = Person(port, 'ada'), Person(port, 'bob')
            ada.heard('bob is here')
            nameless = connect(port)
            equal(nameless.recv(100), b'your name?\n')
            ada.say('bye')
            bob.heard('ada: bye')
            server.send_signal(number)
            for person in ada, bob:
                lines = person.file.read().decode().splitlines()
                equal(lines[-1], 'the server ends')
                person.close()
            equal(nameless.recv(100), b'the server ends\n')
            nameless.close()
            equal(server.wait(10 * SCALE), 0)


# --- proxy ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def upstream(handle):
    """A server on a thread that calls handle(connection) for one connection after the other."""
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                handle(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10 * SCALE)


def read_all(s):
    parts = []
    while True:
        part = s.recv(65536)
        if not part:
            return b''.join(parts)
        parts.append(part)


def answer_after_the_end(connection):
    connection.sendall(b''.join(sorted(read_all(connection).splitlines(True))))


@test
def proxy_passes_on_the_end_of_one_direction():
    lines = [b'line %d\n' % (i * 7919 % 100000) for i in range(100000)]  # more than the buffers
    with upstream(answer_after_the_end) as port, \
            serving('proxy', '127.0.0.1', str(port)) as (_, front):
        client = connect(front)
        client.sendall(b''.join(lines))
        client.shutdown(socket.SHUT_WR)
        equal(read_all(client), b''.join(sorted(lines)))
        client.close()


def expect_reset(client):
    try:
        equal(read_all(client), 'a reset')
    except ConnectionResetError:
        pass
    client.close()


@test
def proxy_resets_the_client_when_the_server_fails():
    def reset(connection):
        connection.sendall(b'half of an ans')
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')

    with upstream(reset) as port, serving('proxy', '127.0.0.1', str(port)) as (proxy, front):
        client = connect(front)
        equal(client.recv(100), b'half of an ans')
        client.sendall(b'and?')
        expect_reset(client)
        contains(proxy.stderr.readline().decode(), 'proxy: 127.0.0.1 port %d: connection reset' % port)
        client = connect(front)  # other connections still work
        equal(client.recv(100), b'half of an ans')
        client.close()


@test
def proxy_says_that_it_cannot_reach_the_server():
    port = free_port()
    with serving('proxy', '127.0.0.1', str(port)) as (proxy, front):
        for _ in range(2):
            expect_reset(connect(front))
            equal(proxy.stderr.readline().decode(),
                  'proxy: 127.0.0.1 port %d: connection refused\n' % port)


# --- web servers for the crawler and the API client -----------------------------------------------


class Site:
    """An HTTP server with the given pages: path -> text, or function of the handler. Records what
    was asked for and when, and how many requests were answered at the same time."""

    def __init__(self, pages, delay=0.0):
        self.pages, self.delay = pages, delay
        self.asked, self.times, self.agents = [], [], set()
        self.now = self.most = 0
        self.lock = threading.Lock()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                with site.lock:
                    site.asked.append(self.path)
                    site.times.append(time.monotonic())
                    site.agents.add(self.headers['User-Agent'])
                    site.now += 1
                    site.most = max(site.most, site.now)
                time.sleep(site.delay)
                page = site.pages.get(self.path)
                with site.lock:
                    site.now -= 1
                if callable(page):
                    page(self)
                elif page is None:
                    self.reply(404, 'no such page')
                else:
                    self.reply(200, page)

            def reply(self, status, text, **headers):
                headers.setdefault('Content_Type', 'text/html')
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace('_', '-'), value)
                self.send_header('Content-Length', str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = 'http://127.0.0.1:%d' % self.server.server_port

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


# --- crawler --------------------------------------------------------------------------------------


def crawl(site, *argv):
    """Returns the lines for the pages, as (depth, status, links, path), and the last line."""
    result = run(program('crawler'), *argv, site.url + '/')
    equal((result.status, result.messages), (0, ''))
    *lines, last = result.out.decode().splitlines()
    pages = [re.fullmatch(r'(\d+) +(\d+) +(\d+) links http://[^/]+(/\S*)(.*)', line).groups()
             for line in lines]
    return [(int(d), int(s), int(n), path + rest) for d, s, n, path, rest in pages], last


@test
def crawler_visits_each_page_of_the_site_once():
    site = Site({
        '/': '<a href="/b">b</a><A HREF=\'c?x=1&amp;y=2\'>c</A><a href="/b#part">b</a><a href="">',
        '/b': '<a href="http://elsewhere.invalid/">no</a><a href="/">up</a><a href="/d/">d</a>',
        '/c?x=1&y=2': lambda h: h.reply(200, 'href="/text"', Content_Type='text/plain'),
        '/d/': '<a href="e">e</a><a href="../b">b</a><a href="mailto:x">m</a><a href="/moved">',
        '/d/e': 'the end <a href="unfinished',
        '/moved': lambda h: h.reply(301, '', Location='/target'),
        '/target': '<a href=',
    })
    with site:
        pages, last = crawl(site, '-p', '1', '-d', '9')
    equal(pages, [(0, 200, 3, '/'), (1, 200, 3, '/b'), (1, 200, 0, '/c?x=1&y=2'), (2, 200, 4, '/d/'),
                  (3, 200, 0, '/d/e'), (3, 301, 0, '/moved'), (4, 200, 0, '/target')])
    equal(last, '7 pages')
    equal(sorted(site.asked), sorted(['/robots.txt', '/', '/b', '/c?x=1&y=2', '/d/', '/d/e', '/moved',
                                      '/target']))
    equal(site.agents, {'whorl-crawler/1.0'})


@test
def crawler_obeys_its_limits():
    links = ''.join('<a href="/%d">' % i for i in range(8))
    site = Site({'/': links, **{'/%d' % i: '<a href="/deep/%d">' % i for i in range(8)}}, 0.1)
    with site:
        pages, last = crawl(site, '-d', '1', '-p', '40', '-n', '2')
        equal((len(pages), last), (9, '9 pages'))
        equal([path for path in site.asked if path.startswith('/deep')], [])
        equal(site.most, 2)
        site.delay = 0
        site.times.clear()
        pages, last = crawl(site, '-p', '100', '-n', '8', '-m', '6')
        equal((len(pages), last), (6, '6 pages'))
        # The pauses are between the starts of requests, and the first request is for robots.txt.
        # Requests may arrive late, but the last one cannot arrive early.
        took = site.times[-1] - site.times[0]
        if took < 0.1 * 5:
            raise AssertionError('7 requests in %.3f s' % took)


@test
def crawler_obeys_robots_txt():
    site = Site({
        '/robots.txt': 'User-agent: other\nDisallow: /\n\nuser-agent: *\nUser-Agent: more\n'
                       'Disallow: /private # this\nDisallow:\r\nDISALLOW: /x\n',
        '/': '<a href="/private/a"><a href="/public"><a href="/x">',
        '/public': '',
    })
    with site:
        equal(crawl(site, '-p', '1'), ([(0, 200, 3, '/'), (1, 200, 0, '/public')], '2 pages'))


@test
def crawler_says_what_failed_and_continues():
    def cut(handler):
        handler.send_response(200)
        handler.send_header('Content-Type', 'text/html')
        handler.send_header('Content-Length', '100')
        handler.end_headers()
        handler.close_connection = True

    with Site({'/': '<a href="/cut"><a href="/missing"><a href="/good">', '/cut': cut, '/good': ''}) as site:
        pages, last = crawl(site, '-p', '1')
    equal([page[:2] for page in pages], [(0, 200), (1, 200), (1, 404), (1, 200)])
    contains(pages[1][3], '/cut: ')
    equal(last, '4 pages')
    for argv in [], ['-n', '0', site.url], ['-d', 'x', site.url], ['-q', site.url]:
        result = run(program('crawler'), *argv)
        equal(result.status, 2)
        contains(result.messages, 'usage: crawler')
    equal(run(program('crawler'), 'ftp://h/').status, 1)
    result = run(program('crawler'), 'http://127.0.0.1:%d/' % free_port())
    equal((result.status, result.messages), (1, 'crawler: connection refused\n'))


# --- jobs -----------------------------------------------------------------------------------------


def jobs(commands, *argv):
    with open('list', 'w') as f:
        f.write('\n'.join(commands) + '\n')
    return run(program('jobs'), *argv, 'list')


@test
def jobs_prints_each_output_at_the_end_of_its_job():
    commands = ['# a comment', '', 'for i in 1 2 3; do echo a$i; sleep 0.05; echo err >&2; done',
                'for i in 1 2 3; do echo b$i; sleep 0.05; done', 'exit 3', 'kill -9 $$', 'cat']
    result = jobs(commands)
    equal(result.status, 1)
    out = result.out.decode()
    contains(out, '[1] status 0 after 1 try: %s\na1\nerr\na2\nerr\na3\nerr\n' % commands[2])
    contains(out, '[2] status 0 after 1 try: %s\nb1\nb2\nb3\n' % commands[3])
    contains(out, '[3] FAILED: status 3 after 1 try: exit 3\n')
    contains(out, '[4] FAILED: ended by signal 9 after 1 try: kill -9 $$\n')
    contains(out, '[5] status 0 after 1 try: cat\n')  # its input is empty
    equal(out.splitlines()[-1], '5 jobs: 3 succeeded, 2 failed, 0 not run')


@test
def jobs_never_mixes_outputs_larger_than_the_pipe():
    # The reader begins late, so each report has to wait in the middle of its output.
    letters = 'abcdef'
    with open('list', 'w') as f:
        for c in letters:
            f.write("head -c 300000 /dev/zero | tr '\\0' %s; touch done.%s\n" % (c, c))
    with running(program('jobs'), '-n', str(len(letters)), 'list') as child:
        wait_until(lambda: all(os.path.exists('done.' + c) for c in letters), what='the end of all jobs')
        out, _ = child.communicate(timeout=30 * SCALE)
    equal(child.returncode, 0)
    for c in letters:
        contains(out, b'\n' + c.encode() * 300000)


@test
def jobs_runs_so_many_at_a_time():
    # Each job counts the files of those that run, itself included.
    command = 'touch run.$$; sleep 0.1; ls run.* | wc -l; rm run.$$'
    result = jobs([command] * 9, '-n', '3')
    equal(result.status, 0)
    counts = [int(line) for line in result.out.decode().splitlines() if line.isdigit()]
    equal((len(counts), max(counts) <= 3, max(counts) > 1), (9, True, True))


@test
def jobs_repeats_what_failed():
    result = jobs(['echo x >>tries; test $(wc -l <tries) = 3', 'exit 1', 'true'], '-r', '3')
    equal(result.status, 1)
    out = result.out.decode()
    contains(out, '[1] status 0 after 3 tries: ')
    contains(out, '[2] FAILED: status 1 after 3 tries: ')
    contains(out, '[3] status 0 after 1 try: ')


@test
def jobs_ends_what_takes_too_long_and_keeps_its_output():
    result = jobs(['echo begun; sleep 1000 & echo $! >pid; wait', 'true'], '-t', '1')
    equal(result.status, 1)
    contains(result.out.decode(), '[1] FAILED: took too long after 1 try: ')
    contains(result.out.decode(), '\nbegun\n')
    with open('pid') as f:
        pid = f.read().strip()
    wait_until(lambda: not os.path.exists('/proc/%s' % pid) or open('/proc/%s/stat' % pid).read().split()[2] == 'Z',
               what='the end of what the job has started')


@test
def jobs_stops_at_an_interrupt():
    with open('list', 'w') as f:
        f.write('echo here; touch begun; exec sleep 1000\n' + 'touch late\n' * 5)
    with running(program('jobs'), '-n', '1', 'list') as child:
        wait_until(lambda: os.path.exists('begun'), what='the first job')
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=10 * SCALE)
    equal((child.returncode, err), (130, b'jobs: interrupted\n'))
    contains(out.decode(), '[1] FAILED: interrupted after 1 try: ')
    contains(out.decode(), '\nhere\n')
    equal(out.decode().splitlines()[-1], '6 jobs: 0 succeeded, 1 failed, 5 not run')
    equal(os.path.exists('late'), False)


@test
def jobs_refuses_wrong_arguments():
    for argv in [], ['-n', '0', 'x'], ['-t', 'soon', 'x'], ['-r', '11', 'x'], ['-z', 'x'], ['x', 'y']:
        result = run(program('jobs'), *argv)
        equal((result.status, result.out), (2, b''))
        contains(result.messages, 'usage: jobs')
    result = run(program('jobs'), '/nowhere')
    equal((result.status, result.messages), (1, 'jobs: no such file or directory\n'))


# --- the API client -------------------------------------------------------------------------------


def ask(url):
    result = run(program('api_client'), url)
    return result.status, sorted(result.out.decode().splitlines()), result.messages


@test
def api_client_asks_again_when_the_server_is_overloaded():
    with serving('prices') as (_, port):
        for _ in range(2):
            equal(ask('http://127.0.0.1:%d' % port),
                  (0, ['apple: 30', 'bread: 250', 'cheese: 420', 'dates: 180'], ''))


@test
def api_client_asks_concurrently_and_again_only_if_that_helps():
    def down(handler):
        handler.reply(500, '{}')

    def missing(handler):
        handler.reply(404, '{}')

    names = ['n%d' % i for i in range(16)]
    pages = {'/items/' + name: '{"price": 7}' for name in names}
    site = Site({'/items': str(names).replace("'", '"'), **pages}, 0.05)
    with site:
        equal(ask(site.url), (0, sorted(name + ': 7' for name in names), ''))
        equal(site.most, 6)
        site.asked.clear()
        site.pages.update({'/items': '["a", "b", "c"]', '/items/a': down, '/items/b': missing,
                           '/items/c': '{"price": 1}'})
        status, lines, messages = ask(site.url)
        equal((status, lines), (1, ['c: 1']))
        contains(messages, site.url + '/items/a: ')
        contains(messages, site.url + '/items/b: no such file')
        equal([site.asked.count('/items/' + name) for name in 'abc'], [4, 1, 1])
        site.pages['/items/c'] = '[' * 2000 + ']' * 2000  # deep, but JSON
        equal(ask(site.url)[1], ['c: 0'])
        site.pages['/items'] = 'no JSON'
        status, lines, messages = ask(site.url)
        equal((status, lines), (1, []))
        contains(messages, site.url + '/items: ')


@test
def api_client_asks_for_the_whole_name():
    name = 'n' * 2000
    with Site({'/items': '["%s"]' % name, '/items/' + name: '{"price": 7}'}) as site:
        equal(ask(site.url), (0, [name + ': 7'], ''))
        equal(site.asked, ['/items', '/items/' + name])


if __name__ == '__main__':
    main()
