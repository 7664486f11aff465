# SPDX-License-Identifier: MIT
"""whorl-get end to end: against nginx, compared with curl, and against a server that misbehaves.

    test_get.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import base64
import gzip
import hashlib
import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import termios
import threading
import time

from lib import (SANITIZED, SCALE, Certificates, Nghttpd, Nginx, Peer, Screen, Skip, Terminal,
                 contains, equal, files, forbid_io_uring, forbid_links_and_flags, hang_after,
                 in_turn, main, noise, raw, read, reply, reset, run, running, test, wait_measuring,
                 wait_until, write)

GET = os.path.abspath(sys.argv[1])
shared = {}


def nginx():
    if 'nginx' not in shared:
        certificates()
        shared['nginx'] = Nginx(shared['certificates'])
    return shared['nginx']


def certificates():
    if 'certificates' not in shared:
        shared['certificates'] = Certificates()
    return shared['certificates']


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


def curl(*argv):
    return subprocess.run(['curl', '-s', *argv], check=True, capture_output=True, timeout=60).stdout


def device(name, minor):
    """A memory device that a broken program may replace. A user other than root gets the real one,
    which that user cannot replace."""
    if os.geteuid() != 0:
        return '/dev/' + name
    try:
        os.mknod(name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        with open(name, 'rb'):
            return os.path.abspath(name)
    except OSError as error:
        raise Skip('no device files here: %s' % error)


def dead_origin():
    """An origin on which nothing listens."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return 'http://127.0.0.1:%d' % s.getsockname()[1], '127.0.0.1:%d' % s.getsockname()[1]


# Files and their bytes


@test
def same_bytes_as_curl_over_http():
    n = nginx()
    for name, size in (('empty', 0), ('one', 1), ('1k.bin', 1024), ('64k', 65536), ('big', 20_000_003)):
        n.put(name, noise(size))
    r = get(*('%s/%s' % (n.http, name) for name in ('empty', 'one', '1k.bin', '64k', 'big')))
    equal((r.status, r.out), (0, b''))
    equal(files(), ['1k.bin', '64k', 'big', 'empty', 'one'])
    for name in files():
        equal(read(name) == curl(n.http + '/' + name), True)


@test
def same_bytes_as_curl_over_https():
    n = nginx()
    n.put('tls', noise(3_000_001))
    r = get('--cacert', certificates().ca, n.https + '/tls', n.https_named + '/tls?named')
    equal(r.status, 0)
    expected = curl('--cacert', certificates().ca, n.https + '/tls')
    equal(read('tls') == expected and read('tls?named') == expected, True)


@test
def chunked_body_arrives_whole():
    data = noise(100_000)
    body = b''.join(b'%x\r\n%s\r\n' % (len(data[i:i + 7777]), data[i:i + 7777])
                    for i in range(0, len(data), 7777))
    with Peer({'/c': raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + body
                         + b'0\r\nX: y\r\n\r\n')}) as peer:
        equal(get(peer.origin + '/c').status, 0)
    equal(read('c') == data, True)


@test
def body_until_close_arrives_whole():
    with Peer({'/c': raw(b'HTTP/1.0 200 OK\r\n\r\n' + b'x' * 70000)}) as peer:
        equal(get(peer.origin + '/c').status, 0)
    equal(len(read('c')), 70000)


@test
def output_names_the_file_and_replaces_it():
    write('f', 'old')
    with Peer({'/a': reply(b'new')}) as peer:
        equal(get('-o', 'f', peer.origin + '/a').status, 0)
        equal((files(), read('f')), (['f'], b'new'))
        os.mkdir('sub')
        equal(get('-o', 'sub/g', peer.origin + '/a').status, 0)
        equal(read('sub/g'), b'new')


@test
def output_dash_writes_the_body_only():
    data = noise(300_000)
    with Peer({'/a': reply(data)}) as peer:
        r = get('-v', '-o', '-', peer.origin + '/a')
    equal((r.status, r.out == data, files()), (0, True, []))
    contains(r.messages, '/a -> - (')


@test
def output_to_a_device_is_written_in_place():
    with Peer({'/a': reply(b'x' * 1000)}) as peer:
        null = device('null', 3)
        equal(get('-q', '-o', null, peer.origin + '/a').status, 0)
    equal(stat.S_ISCHR(os.stat(null).st_mode), True)


@test
def output_to_a_closed_pipe_is_a_failure():
    with Peer({'/a': reply(b'x' * 4_000_000)}) as peer:
        with running(GET, '-o', '-', peer.origin + '/a') as child:
            child.stdout.read(10)
            child.stdout.close()
            message = child.stderr.read().decode()
            equal(child.wait(20), 3)
        equal(peer.count('/a'), 1)
    contains(message, '/a: write standard output: broken pipe')


@test
def what_standard_output_has_is_not_sent_again():
    with Peer({'/a': raw(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345')}) as peer:
        r = get('-o', '-', peer.origin + '/a')
        equal(peer.count('/a'), 1)
    equal((r.status, r.out), (3, b'12345'))


SHORT = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345')


class Reader:
    """Reads a FIFO to its end in a thread; the bytes are in `data`."""

    def __init__(self, path, most=None):
        self.data, self.path, self.most = b'', path, most
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        with open(self.path, 'rb') as f:
            self.data = f.read(self.most)

    def wait(self):
        self.thread.join(20 * SCALE)
        equal(self.thread.is_alive(), False)
        return self.data


@test
def what_a_fifo_has_is_not_sent_again():
    os.mkfifo('fifo')
    reader = Reader('fifo')
    with Peer({'/a': in_turn(SHORT, reply(b'0123456789'))}) as peer:
        r = get('-o', 'fifo', peer.origin + '/a')
        equal((r.status, peer.count('/a')), (3, 1))
    equal(reader.wait(), b'12345')


@test
def what_a_link_to_standard_output_has_is_not_sent_again():
    os.symlink('/proc/self/fd/1', 'link')  # as /dev/stdout is; never risk the real one
    for path in ('link', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'):
        with Peer({'/a': in_turn(SHORT, reply(b'0123456789'))}) as peer:
            r = get('-o', path, peer.origin + '/a')
            equal((path, r.status, r.out, peer.count('/a')), (path, 3, b'12345', 1))
    equal(files(), ['link'])


@test
def a_try_that_wrote_nothing_to_standard_output_is_repeated():
    with Peer({'/a': in_turn(reply(b'', '503 Busy'), reset, reply(b'0123456789'))}) as peer:
        r = get('-o', '-', peer.origin + '/a')
        equal((r.status, r.out, peer.count('/a')), (0, b'0123456789', 3))


@test
def a_reader_that_goes_away_is_no_failure_of_the_network():
    body = b'x' * 4_000_000
    os.mkfifo('fifo')
    reader = Reader('fifo', 10)
    with Peer({'/a': reply(body)}) as peer:
        r = get('-v', '-o', 'fifo', peer.origin + '/a')
        equal((r.status, peer.count('/a')), (3, 1))
        contains(r.messages, '/a: write fifo: broken pipe\n')
        reader.wait()
        r = run('sh', '-c', '"$@" 3>&1 >/dev/null | head -c 10 >/dev/null', 'sh', GET, '-v', '-o', '/dev/fd/3',
                peer.origin + '/a')
        equal(peer.count('/a'), 2)
        contains(r.messages, '/a: write /dev/fd/3: broken pipe\n')


@test
def a_fifo_waits_for_its_reader():
    os.mkfifo('fifo')
    with Peer({'/a': reply(b'hello')}) as peer, running(GET, '-q', '-o', 'fifo', peer.origin + '/a') as child:
        wait_until(lambda: peer.count('/a') == 1, what='the request')
        time.sleep(0.1)
        equal(child.poll(), None)
        equal(Reader('fifo').wait(), b'hello')
        equal(child.wait(20), 0)
    equal(stat.S_ISFIFO(os.stat('fifo').st_mode), True)


@test
def a_fifo_without_a_reader_is_given_up_within_the_time_limit():
    os.mkfifo('fifo')
    with Peer({'/a': reply(b'hello')}) as peer:
        r = get('--timeout', '300ms', '-o', 'fifo', peer.origin + '/a')
        equal((r.status, peer.count('/a')), (3, 1))
    contains(r.messages, '/a: write fifo: no reader, not finished within 300 ms (total limit)')


@test
def waiting_for_the_reader_of_a_fifo_can_be_interrupted():
    os.mkfifo('fifo')
    with Peer({'/a': reply(b'hello')}) as peer, running(GET, '-o', 'fifo', peer.origin + '/a') as child:
        wait_until(lambda: peer.count('/a') == 1, what='the request')
        child.send_signal(signal.SIGINT)
        equal(child.wait(10), -signal.SIGINT)
    equal(files(), ['fifo'])


@test
def output_may_be_a_descriptor():
    with Peer({'/a': reply(b'hello')}) as peer:
        r = run('sh', '-c', 'exec 3>out; printf "<" >&3; "$@"; status=$?; printf ">" >&3; exit $status', 'sh',
                GET, '-q', '-o', '/dev/fd/3', peer.origin + '/a')
        equal((r.status, r.messages, read('out'), files()), (0, '', b'<hello>', ['out']))
        a, b = socket.socketpair()
        with a, b:
            with running(GET, '-q', '-o', '/dev/fd/%d' % b.fileno(), peer.origin + '/a',
                         pass_fds=[b.fileno()]) as child:
                equal(child.wait(20), 0)
            equal(a.recv(100), b'hello')
        # Not descriptors that the program opens for itself.
        for path in ('/dev/fd/3', '/proc/self/fd/4', '/dev/fd/99'):
            r = get('-o', path, peer.origin + '/a')
            equal((r.status, r.messages), (3, 'whorl-get: %s: open: bad file descriptor\n' % path))


@test
def files_arrive_where_names_cannot_be_spared_and_links_are_unknown():
    """Some file systems of FUSE have neither RENAME_NOREPLACE nor links."""
    write('a', 'mine')
    env = {'WHORL_DRIVER': 'epoll'}
    with Peer({'*': reply(b'theirs')}) as peer:
        r = get(*[peer.origin + '/a'] * 3, peer.origin + '/b', preexec=forbid_links_and_flags, env=env)
        equal(r.status, 0)
        r = get('-o', 'b', peer.origin + '/b', preexec=forbid_links_and_flags, env=env)
        equal(r.status, 0)
    equal((files(), read('a')), (['a', 'a.1', 'a.2', 'a.3', 'b'], b'mine'))
    equal({read(name) for name in files() if name != 'a'}, {b'theirs'})


@test
def non_blocking_pipes_lose_nothing():
    data = noise(1_000_000)
    with Peer({'/a': reply(data)}) as peer:
        out, into = os.pipe()
        os.set_blocking(into, False)
        with running(GET, '-o', '-', peer.origin + '/a', stdout=into) as child:
            os.close(into)
            time.sleep(0.2)
            with os.fdopen(out, 'rb') as pipe:
                equal(pipe.read() == data, True)
            equal(child.wait(20), 0)


@test
def closed_standard_descriptors_do_no_harm():
    data = b'x' * 1000
    with Peer({'/a': reply(data)}) as peer:
        for closed, status in (('0', 0), ('1', 1), ('2', 0)):
            r = run('sh', '-c', '"$@" %s>&-' % closed, 'sh', GET, '--json', '-v', '-d', 'd' + closed,
                    peer.origin + '/a')
            equal((r.status, read('d%s/a' % closed) == data), (status, True))
        equal(run('sh', '-c', '"$@" <&-', 'sh', GET, '-i', '-', peer.origin + '/a').status, 1)
        equal(read('a') == data, True)


@test
def directory_is_made_with_all_above_it():
    with Peer({'/a': reply(b'a')}) as peer:
        r = get('-d', 'x/y//z/', peer.origin + '/a')
    equal((r.status, read('x/y/z/a')), (0, b'a'))
    contains(r.messages, '/a -> x/y//z/a (')


@test
def file_is_invisible_until_whole():
    go = threading.Event()

    def slow(connection, request):
        connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n')
        go.wait(30)
        connection.sendall(b'5\r\n67890\r\n0\r\n\r\n')
    with Peer({'/a': slow}) as peer, running(GET, peer.origin + '/a') as child:
        wait_until(files, what='a temporary file')
        equal('a' in files(), False)
        equal(len(files()), 1)
        go.set()
        equal(child.wait(20), 0)
    equal((files(), read('a')), (['a'], b'1234567890'))


@test
def file_of_known_length_has_no_name_until_whole():
    need_unnamed_files()
    go = threading.Event()
    data = noise(500_000)

    def slow(connection, request):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n' + data[:100_000])
        go.wait(30)
        connection.sendall(data[100_000:])
    write('b', 'old')
    os.chmod('b', 0o604)
    for option in ([], ['-o', 'b']):
        go.clear()
        with Peer({'/a': slow}) as peer, running(GET, *option, peer.origin + '/a') as child:
            wait_until(lambda: unnamed_files(child) == 1, what='a file without a name')
            equal(files(), ['a', 'b'] if option else ['b'])
            equal(read('b'), b'old')
            go.set()
            equal(child.wait(20), 0)
    equal((files(), read('a') == data, read('b') == data), (['a', 'b'], True, True))
    equal(stat.S_IMODE(os.stat('b').st_mode), 0o604)


# Names


@test
def names_come_from_urls_and_stay_in_the_directory():
    targets = {'/': 'index.html', '/sub/': 'index.html.1', '/a/b.txt?x=1/2': 'b.txt?x=1%2F2',
               '/%2e%2e%2fup': '_.%2Fup', '/-rf': '_rf', '/.hidden': '_hidden',
               '/caf%C3%A9': 'café', '/%1b%5Bm': '%1B[m', '/nul%00': 'nul%00'}
    with Peer({'*': lambda c, r: reply(r.target)(c, r)}) as peer:
        r = get('-d', 'in', '-j', '1', *(peer.origin + t for t in targets))
    equal(r.status, 0)
    equal(files(), ['in'])
    equal(files('in'), sorted(targets.values()))
    for target, name in targets.items():
        contains(read('in/' + name).decode(), target.split('%')[0][:2])


@test
def clashing_names_are_numbered_and_nothing_is_overwritten():
    write('a', 'mine')
    os.mkdir('a.2')
    with Peer({'/a': reply(b'theirs')}) as peer:
        equal(get('-j', '4', *[peer.origin + '/a'] * 5).status, 0)
    equal(files(), ['a', 'a.1', 'a.2', 'a.3', 'a.4', 'a.5', 'a.6'])
    equal(read('a'), b'mine')
    for n in (1, 3, 4, 5, 6):
        equal(read('a.%d' % n), b'theirs')
    equal(os.path.isdir('a.2'), True)


@test
def directory_or_link_of_that_name_is_left_alone():
    os.mkdir('a')
    os.symlink('/nowhere/at/all', 'b')
    with Peer({'*': reply(b'x')}) as peer:
        equal(get(peer.origin + '/a', peer.origin + '/b').status, 0)
    equal(files(), ['a', 'a.1', 'b', 'b.1'])
    equal(os.readlink('b'), '/nowhere/at/all')


@test
def output_takes_the_place_of_a_link_and_leaves_what_it_points_to():
    write('target', b'mine')
    os.symlink('target', 'a')
    os.symlink('nowhere', 'b')
    with Peer({'*': reply(b'theirs')}) as peer:
        for name in ('a', 'b'):
            equal(get('-o', name, peer.origin + '/x').status, 0)
            equal((os.path.islink(name), read(name)), (False, b'theirs'))
    equal((files(), read('target')), (['a', 'b', 'target'], b'mine'))


@test
def output_that_is_standard_output_redirected_to_a_file_goes_to_its_end():
    write('log', b'before ')
    os.symlink('/proc/self/fd/1', 'stdout')  # as /dev/stdout is; never risk the real one
    with Peer({'*': reply(b'body')}) as peer:
        with open('log', 'ab') as log:
            done = subprocess.run([GET, '-q', '-o', 'stdout', peer.origin + '/x'], stdout=log, timeout=60)
        equal(done.returncode, 0)
    equal((os.readlink('stdout'), read('log'), files()),
          ('/proc/self/fd/1', b'before body', ['log', 'stdout']))


@test
def longest_names_work():
    with Peer({'*': reply(b'x')}) as peer:
        equal(get('-d', '.', *[peer.origin + '/' + 'n' * 3000 + '.txt'] * 2).status, 0)
    equal([len(f) for f in files()], [255, 255])


@test
def thousands_of_queries_are_thousands_of_files():
    n = nginx()
    n.put('1k.bin', noise(1024))
    count = 500 if SANITIZED else 2000
    write('list', ''.join('%s/1k.bin?%d\n' % (n.http, i) for i in range(count)))
    r = get('-q', '-j', '64', '--per-host', '64', '-i', 'list', '-d', 'out')
    equal((r.status, r.out, r.err), (0, b'', b''))
    equal(len(files('out')), count)
    equal(set(map(len, map(read, ('out/1k.bin?%d' % i for i in range(count))))), {1024})


# Lists


@test
def list_skips_blanks_and_comments_and_reports_bad_lines():
    with Peer({'*': reply(b'x')}) as peer:
        write('list', '# a comment\n\n  %s/a  \r\nftp://h/b\nnot a url\n\t%s/c' % (peer.origin, peer.origin))
        r = get('-i', 'list')
    equal((r.status, files()), (1, ['a', 'c', 'list']))
    contains(r.messages, 'whorl-get: list:4: ftp://h/b: URL: ')
    contains(r.messages, 'whorl-get: list:5: not a url: URL: ')


@test
def list_may_come_from_standard_input_with_arguments_and_other_lists():
    with Peer({'*': reply(b'x')}) as peer:
        write('one', peer.origin + '/1\n')
        write('two', peer.origin + '/2\n')
        r = get('-i', 'one', '-i', '-', '-i', 'two', peer.origin + '/0', '-d', 'out',
                stdin=(peer.origin + '/in').encode())
    equal((r.status, files('out')), (0, ['0', '1', '2', 'in']))


@test
def list_is_read_while_it_grows():
    with Peer({'*': reply(b'x')}) as peer, running(GET, '-i', '-', stdin=subprocess.PIPE) as child:
        for name in ('first', 'second'):
            child.stdin.write(('%s/%s\n' % (peer.origin, name)).encode())
            child.stdin.flush()
            wait_until(lambda: name in files(), what=name)
        child.stdin.close()
        equal(child.wait(20), 0)


@test
def a_list_may_be_a_fifo_whose_writer_comes_later():
    os.mkfifo('fifo')
    with Peer({'*': reply(b'x')}) as peer:
        with running(GET, '-q', '-i', 'fifo', peer.origin + '/0') as child:
            wait_until(lambda: '0' in files(), what='the first file')  # while there is no writer
            time.sleep(0.1)
            with open('fifo', 'w') as f:
                f.write(peer.origin + '/1\n')
                f.flush()
                wait_until(lambda: '1' in files(), what='the second file')
                f.write(peer.origin + '/2\n')
            equal((child.wait(20), files()), (0, ['0', '1', '2', 'fifo']))
        with running(GET, '-q', '-i', 'fifo') as child:
            with open('fifo', 'w'):
                pass
            equal(child.wait(20), 0)
        with running(GET, '-q', '-i', 'fifo', peer.origin + '/3') as child:
            wait_until(lambda: '3' in files(), what='the file')
            child.send_signal(signal.SIGINT)  # while it waits for a writer
            equal(child.wait(10), -signal.SIGINT)


@test
def missing_list_is_a_failure_that_stops_no_other():
    with Peer({'*': reply(b'x')}) as peer:
        r = get('-i', 'nowhere', '-i', '/', peer.origin + '/a')
    equal((r.status, files()), (1, ['a']))
    contains(r.messages, 'whorl-get: nowhere: open: no such file or directory\n')
    contains(r.messages, 'whorl-get: /: read: is a directory\n')


@test
def long_or_binary_lines_spoil_only_themselves():
    with Peer({'*': reply(b'x')}) as peer:
        url = peer.origin.encode()
        r = get('-i', '-', stdin=b'x' * 200_000 + b'\n' + url + b'/a\n' + url + b'/\0b\n' + url + b'/c\n')
    equal((r.status, files()), (1, ['a', 'c']))
    contains(r.messages, 'standard input:1: line is too long')
    contains(r.messages, 'standard input:3: line contains a NUL byte')


@test
def empty_list_is_no_failure():
    equal(get('-i', '-').status, 0)
    equal(get('-i', '/dev/null', '-q').status, 0)


@test
def million_lines_take_little_memory():
    if SANITIZED:
        raise Skip('sanitizers use memory of their own')
    with Peer({'*': reply(b'x')}) as peer:
        def feed(pipe):
            block = ('# %s\n' % ('x' * 90)).encode() * 10_000
            for i in range(100):
                pipe.write(block)
            pipe.write((peer.origin + '/last\n').encode())
            for i in range(5):
                pipe.write(b'ftp://no/\n' * 10_000)
            pipe.close()
        with running(GET, '-i', '-', stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            threading.Thread(target=feed, args=(child.stdin,), daemon=True).start()
            peak = wait_measuring(child)
            equal(child.returncode, 1)
    equal(files(), ['last'])
    print('# peak memory %d kB' % peak)
    equal(peak < 20_000, True)


# Failures and their messages


@test
def refused_connection_says_url_step_and_cause():
    origin, address = dead_origin()
    r = get('--retries', '0', origin + '/x')
    equal((r.status, r.out, files()), (3, b'', []))
    equal(r.messages, 'whorl-get: %s/x: connect %s: connection refused\n' % (origin, address))


@test
def bad_status_leaves_no_file():
    with Peer({'/ok': reply(b'x'), '/500': reply(b'oops', '500 Oh \x1b[31mNo'),
               '/206': reply(b'part', '206 Partial Content'), '/304': raw(b'HTTP/1.1 304 Not Modified\r\n\r\n')}) as peer:
        r = get('--retries', '0', *(peer.origin + p for p in ('/ok', '/404', '/500', '/206', '/304')))
    equal((r.status, files()), (1, ['ok']))
    contains(r.messages, 'whorl-get: %s/404: status 404 Not Found\n' % peer.origin)
    contains(r.messages, '/206: status 206 Partial Content (no range was requested)\n')
    contains(r.messages, '/304: status 304 Not Modified\n')
    contains(r.messages, '/500: ')
    equal('\x1b' in r.messages, False)


@test
def not_modified_is_a_success_if_the_request_was_conditional():
    write('a', 'mine')
    with Peer({'*': raw(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n')}) as peer:
        for header in ('If-None-Match: "x"', 'if-modified-since: Sat, 29 Oct 1994 19:43:31 GMT'):
            r = get('--json', '-H', header, '-o', 'a', peer.origin + '/a')
            one = json.loads(r.out.splitlines()[0])
            equal((r.status, one['ok'], one['status'], one['file'], one['written']), (0, True, 304, None, 0))
        r = get('-H', 'If-None-Match: "x"', peer.origin + '/a', peer.origin + '/b')
        equal((r.status, r.messages.count(': not modified (0 B in ')), (0, 2))
        equal(get(peer.origin + '/a').status, 3)
    equal((files(), read('a')), (['a'], b'mine'))


@test
def range_that_was_asked_for_is_a_success():
    with Peer({'/a': reply(b'part', '206 Partial Content', [('Content-Range', 'bytes 0-3/9')])}) as peer:
        equal(get('-H', 'Range: bytes=0-3', peer.origin + '/a').status, 0)
        equal(peer.requests[0].headers['range'], 'bytes=0-3')
    equal(read('a'), b'part')


@test
def bad_urls_are_reported_and_the_others_go_on():
    with Peer({'*': reply(b'x')}) as peer:
        r = get('http://', 'gopher://h/', 'http://[::1', 'http://h:99999/', 'plain', '',
                peer.origin + '/good')
    equal((r.status, files()), (1, ['good']))
    equal(r.messages.count('whorl-get: '), 6)
    contains(r.messages, 'whorl-get: gopher://h/: URL: ')
    contains(r.messages, "whorl-get: '': URL: no scheme")


@test
def unknown_host_is_a_failure_without_retry():
    r = get('http://no-such-host.onion/')  # RFC 7686: answered without a query
    equal((r.status, files()), (3, []))
    contains(r.messages, 'whorl-get: http://no-such-host.onion/: resolve ')


@test
def password_in_a_url_is_never_shown():
    dead = dead_origin()[0].replace('//', '//me:hunter2@') + '/'
    r = get('--retries', '0', '-v', dead)
    equal((r.status, 'hunter2' in r.messages), (3, False))
    contains(r.messages, '//***@127.0.0.1')
    r = get('--retries', '1', '-v', '--json', dead, 'http://me:hun/ter2@h/', 'me:hunter2@h/')
    equal((r.status, 'ter2' in r.messages, b'ter2' in r.out), (3, False, False))
    contains(r.out.decode(), '"url":"' + dead.replace('me:hunter2', '***') + '"')
    with Peer({'*': reply(b'x')}) as peer, \
            Terminal(GET, '-v', peer.origin.replace('//', '//me:hunter2@') + '/a') as terminal:
        equal((terminal.finish(), b'hunter2' in terminal.output), (0, False))


@test
def misbehaving_servers_leave_no_file_and_stop_no_other():
    head = b'HTTP/1.1 200 OK\r\n'
    bad = {
        '/garbage': b'\x00\xff\x01garbage\r\n\r\n',
        '/nothing': b'',
        '/short': head + b'Content-Length: 10\r\n\r\n12345',
        '/cut-head': head + b'Content-Len',
        '/conflict': head + b'Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
        '/huge-length': head + b'Content-Length: 99999999999999999999999\r\n\r\n',
        '/negative': head + b'Content-Length: -1\r\n\r\n',
        '/both': head + b'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
        '/bad-chunk': head + b'Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n',
        '/cut-chunk': head + b'Transfer-Encoding: chunked\r\n\r\n5\r\nab',
        '/no-last-chunk': head + b'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
        '/huge-chunk': head + b'Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nabc',
        '/many-headers': head + b''.join(b'X-%d: y\r\n' % i for i in range(5000)) + b'\r\n',
        '/long-header': head + b'X: ' + b'y' * 500_000 + b'\r\n\r\n',
        '/endless-1xx': b'HTTP/1.1 100 Continue\r\n\r\n' * 200,
        '/http9': b'HTTP/9.9 200 OK\r\nContent-Length: 1\r\n\r\nx',
        '/gzip-unasked': None,
    }
    routes = {path: raw(data) for path, data in bad.items() if data is not None}
    routes['/good'] = reply(b'fine')
    routes['/reset'] = reset
    routes['/redirect-loop'] = reply(b'', '302 Found', [('Location', '/redirect-loop')])
    routes['/redirect-away'] = reply(b'', '302 Found', [('Location', 'file:///etc/passwd')])
    routes['/gzip-unasked'] = reply(b'not gzip at all', '200 OK', [('Content-Encoding', 'gzip')])
    with Peer(routes) as peer:
        r = get('--retries', '0', *(peer.origin + p for p in routes))
    equal((r.status, files()), (1, ['good', 'gzip-unasked']))
    equal(r.messages.count('whorl-get: '), len(routes) - 2)
    for path in routes:
        contains(r.messages, path + (' -> ' if path in ('/good', '/gzip-unasked') else ': '))


@test
def a_server_of_http_2_is_named_and_asked_once():
    settings = b'\0\0\x12\4\0\0\0\0\0' + b'\0\3\0\0\0\x64\0\4\0\0\xff\xff\0\5\0\0\x40\0'
    with Peer({'*': raw(settings)}) as peer:
        for i in range(3):
            r = get(peer.origin + '/a')
            equal(r.status, 3)
            contains(r.messages, 'the server speaks HTTP/2 only\n')
        equal(len(peer.requests), 3)


def need_http2():
    with Peer({'*': reply(b'x')}) as peer:
        if 'this build of whorl does not speak HTTP/2' in get('--http2', peer.origin + '/a').messages:
            raise Skip('whorl was built without HTTP/2')


@test
def http2_is_spoken_without_tls_on_demand_only():
    need_http2()
    os.mkdir('www')
    data = noise(3000000)
    write('www/a', data)
    with Nghttpd('www') as server:
        r = get('--http2', '-d', 'new', server.origin + '/a')
        equal((r.status, read('new/a') == data), (0, True))
        for argv in [], ['--http1.1']:
            r = get(*argv, '-d', 'old', server.origin + '/a')
            equal((r.status, os.path.exists('old/a')), (3, False))
            contains(r.messages, 'the server speaks HTTP/2 only\n')
    with Peer({'*': reply(b'x')}) as peer:
        r = get('--http2', '-d', 'old', peer.origin + '/a')
        equal((r.status, os.path.exists('old/a')), (3, False))
        contains(r.messages, 'the server speaks HTTP/1 only\n')
        equal(get('--http1.1', '-d', 'old', peer.origin + '/a').status, 0)


@test
def http2_is_chosen_in_the_handshake_unless_http1_is_demanded():
    need_http2()
    os.mkdir('www')
    data = noise(3000000)
    write('www/a', data)
    ca = ('--cacert', certificates().ca)
    with Nghttpd('www', certificates()) as server:
        for number, argv in enumerate(([], ['--http2'])):
            r = get(*argv, *ca, '-d', str(number), server.origin + '/a')
            equal((r.status, read('%d/a' % number) == data), (0, True))
        r = get('--http1.1', *ca, '-d', 'none', server.origin + '/a')
        equal((r.status, os.path.exists('none/a')), (3, False))
    n = nginx()
    n.put('s', b'secret')
    for argv, protocol in ([], b'HTTP/2.0'), (['--http2'], b'HTTP/2.0'), (['--http1.1'], b'HTTP/1.1'):
        r = get(*argv, *ca, '-o', '-', n.https_both + '/protocol')
        equal((r.status, r.out), (0, protocol))
    equal(get('--http1.1', *ca, '-d', 'old', n.https + '/s').status, 0)
    r = get('--http2', *ca, '-d', 'none', n.https + '/s')
    equal((r.status, os.path.exists('none/s')), (3, False))
    contains(r.messages, 'the server does not speak HTTP/2\n')


@test
def https_servers_choose_a_version_that_the_build_has():
    n = nginx()
    lacks = 'this build of whorl does not speak HTTP/2' in get('--http2', '--retries', '0', n.http + '/s').messages
    r = get('--cacert', shared['certificates'].ca, '-o', '-', n.https_both + '/protocol')
    equal((r.status, r.out), (0, b'HTTP/1.1' if lacks else b'HTTP/2.0'))


class Proxy(Peer):
    """Answers for every server, as a proxy that forwards; it refuses tunnels."""

    def __init__(self, status='403 Not Allowed'):
        super().__init__({'*': lambda connection, request: reply(b'by proxy')(connection, request)
                          if request.method != 'CONNECT' else reply(b'', status)(connection, request)})
        self.at = self.origin.replace('http://', '')


@test
def a_proxy_is_taken_from_the_command_line_or_the_environment():
    with Peer({'*': reply(b'direct')}) as peer, Proxy() as proxy:
        for options, env, text in (
                (('--proxy', proxy.origin), {}, 'by proxy'),
                (('--proxy', proxy.at), {'http_proxy': 'http://127.0.0.1:9'}, 'by proxy'),
                ((), {'http_proxy': proxy.origin}, 'by proxy'),
                ((), {'ALL_PROXY': proxy.origin}, 'by proxy'),
                ((), {'https_proxy': proxy.origin}, 'direct'),
                (('--proxy', ''), {'http_proxy': proxy.origin}, 'direct'),
                ((), {'http_proxy': proxy.origin, 'no_proxy': '127.0.0.0/8'}, 'direct'),
                (('--noproxy', '127.0.0.1'), {'http_proxy': proxy.origin}, 'direct'),
                (('--noproxy', ''), {'http_proxy': proxy.origin, 'no_proxy': '*'}, 'by proxy')):
            r = get('-q', '-o', '-', *options, peer.origin + '/a', env=env)
            equal((r.status, r.out, r.messages), (0, text.encode(), ''))


@test
def HTTP_PROXY_in_upper_case_is_not_used_and_warned_about():
    with Peer({'*': reply(b'x')}) as peer:
        r = get(peer.origin + '/a', env={'HTTP_PROXY': 'http://127.0.0.1:9'})
        equal(r.status, 0)
        contains(r.messages, 'whorl-get: warning: HTTP_PROXY is not used in upper case; set http_proxy\n')
        r = get('-q', peer.origin + '/a', env={'HTTP_PROXY': 'http://127.0.0.1:9'})
        equal((r.status, r.messages), (0, ''))


@test
def an_unusable_proxy_is_wrong_usage_that_shows_no_password():
    for options, env, why in (
            (('--proxy', 'ftp://me:secret@p'), {}, 'proxy URL: scheme is not http, https, socks5 or socks5h'),
            ((), {'all_proxy': 'http://me:secret@p:x'}, 'all_proxy: port is not a number'),
            (('--noproxy', '1.2.3'), {}, 'no_proxy: 1.2.3: host looks like an IPv4 address')):
        r = get(*options, 'http://127.0.0.1:9/a', env=env)
        equal(r.status, 2)
        contains(r.messages, why)
        equal('secret' in r.messages, False)


@test
def a_failure_of_a_proxy_names_proxy_and_server_and_no_password():
    with Proxy() as proxy:
        url = proxy.origin.replace('http://', 'http://me:secret@')
        r = get('--json', '--retries', '0', '--proxy', url, 'https://a.test/b')
        equal(r.status, 3)
        line = json.loads(r.out.splitlines()[0])
        equal((line['code'], line['step']), ('WHORL_EHTTP_PROXY_REFUSED', 'proxy'))
        equal(line['error'], '%s for a.test:443: it answered CONNECT with 403 Not Allowed' % proxy.origin)
        equal('secret' in r.messages or b'secret' in r.out, False)
    r = get('--retries', '0', '--proxy', url, 'http://a.test/b')
    equal(r.status, 3)
    contains(r.messages, 'proxy %s for a.test:80: ' % proxy.origin)
    contains(r.messages, 'refused')
    equal('secret' in r.messages, False)


@test
def a_server_that_always_fails_gets_few_retries():
    with Peer({'*': reply(b'', '503 Busy')}) as peer:
        urls = ['%s/%d' % (peer.origin, i) for i in range(30)]
        r = get('--json', '--retries', '1', '--per-host', '2', *urls)
        equal(r.status, 3)
        tries = [json.loads(line).get('tries') for line in r.out.splitlines()]
        equal((len(peer.requests), tries.count(2), tries.count(1)), (40, 10, 20))
        contains(r.messages, '503 Busy (not retried: too many retries of 127.0.0.1:%d)' % peer.port)
        # The retries of one URL are all made.
        del peer.requests[:]
        equal(get('--retries', '4', urls[0]).status, 3)
        equal(len(peer.requests), 5)


def ask_proxy(challenge):
    return raw(b'HTTP/1.1 407 No\r\nProxy-Authenticate: ' + challenge.encode() +
               b'\r\nContent-Length: 0\r\n\r\n')


@test
def a_proxy_that_wants_credentials_is_a_failure_of_the_proxy():
    with Peer({'*': ask_proxy('Basic realm="x"')}) as proxy:
        for user, why in (('', 'asks for a name and a password'),
                          ('me:secret@', 'does not accept the name or the password')):
            for url, what in (('http://a.test/b', 'a.test:80: it answered with'),
                              ('https://a.test/b', 'a.test:443: it answered CONNECT with')):
                r = get('--json', '--proxy', proxy.origin.replace('//', '//' + user), url)
                line = json.loads(r.out.splitlines()[0])
                equal((r.status, line['class'], line['code'], line['step'], line['tries']),
                      (3, 'proxy', 'WHORL_EHTTP_PROXY_AUTH', 'proxy', 1))
                equal(line['error'], '%s for %s 407 No (the proxy %s) (--proxy SCHEME://NAME:'
                      'PASSWORD@HOST:PORT)' % (proxy.origin, what, why))
                equal('secret' in r.messages or b'secret' in r.out, False)


@test
def digest_answers_for_a_proxy_are_right_and_curl_says_so_too():
    for algorithm in ('MD5', 'SHA-256', 'MD5-sess', 'SHA-256-sess'):
        # Where curl sends the whole URL to a proxy, its uri is the path only.
        route = digest_server(algorithm, ask_proxy, 'proxy-authorization', ('/a?b=c',))
        with Peer({'*': route}) as proxy:
            url = 'http://a.test/a?b=c'
            witness = subprocess.run(['curl', '-s', '--proxy-digest', '-U', 'me:s3cret', '-x',
                                      proxy.origin, url], stdout=subprocess.PIPE, check=True)
            equal((algorithm, witness.stdout), (algorithm, b'welcome'))
            for url, body in ((url, b'welcome'), ('https://a.test/', None)):
                count = len(proxy.requests)
                r = get('--proxy', proxy.origin.replace('//', '//me:s3cret@'), '--retries', '0', '-o',
                        algorithm, url)
                # The proxy makes no tunnels: an accepted CONNECT ends in the TLS handshake.
                equal((algorithm, r.status), (algorithm, 0 if body else 3))
                if body:
                    equal(read(algorithm), body)
                equal('with 407' in r.messages, False)
                first, second = proxy.requests[count:]
                equal('proxy-authorization' in first.headers, False)
                contains(second.headers['proxy-authorization'], 'uri="%s"' % second.target)


@test
def the_password_of_a_proxy_is_hidden_from_the_process_list():
    with Peer({'*': hang_after(b'')}) as proxy:
        url = proxy.origin.replace('http://', 'http://me:secret@')
        with running(GET, '--proxy', url, 'http://a.test/b') as child:
            wait_until(lambda: proxy.requests, what='the request')
            line = open('/proc/%d/cmdline' % child.pid, 'rb').read()
            contains(line.decode(), 'http://*********@127.0.0.1')
            child.kill()


@test
def user_logs_in_at_nginx():
    write(nginx().at('www/login'), 'in')
    url = nginx().http + '/private/login'
    equal(get('-u', 'me:s3cret:x', '-o', 'a', url).status, 0)
    equal(read('a'), b'in')
    r = get('-u', 'me:wrong', '-o', 'b', url)
    equal(r.status, 3)
    contains(r.messages, '401')
    equal(os.path.exists('b'), False)


def basic(user):
    return 'Basic ' + base64.b64encode(user.encode()).decode()


def ask(challenge):
    return raw(b'HTTP/1.1 401 No\r\nWWW-Authenticate: ' + challenge.encode() +
               b'\r\nContent-Length: 0\r\n\r\n')


def digest_server(algorithm, ask=ask, header='authorization', targets=()):
    """Asks for Digest with that algorithm and checks the answer with Python's hash functions. Its
    uri must be the target of the request, or one of `targets`."""
    def h(*parts):
        data = ':'.join(parts).encode()
        return (hashlib.sha256 if algorithm.startswith('SHA') else hashlib.md5)(data).hexdigest()

    def route(connection, request):
        p = {name: quoted or plain for name, quoted, plain in
             re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', request.headers.get(header, ''))}
        a1 = h('me', 'the realm', 's3cret')
        if algorithm.endswith('-sess'):
            a1 = h(a1, 'the/nonce', p.get('cnonce', ''))
        wanted = h(a1, 'the/nonce', p.get('nc', ''), p.get('cnonce', ''), 'auth',
                   h(request.method, p.get('uri', '')))
        if p and (p['response'], p['opaque']) == (wanted, 'o') and p['uri'] in targets + (request.target,):
            reply(b'welcome')(connection, request)
        else:
            ask('Basic realm="b", Digest realm="the realm", nonce="the/nonce", opaque="o", '
                'algorithm=%s, qop="auth-int, auth"' % algorithm)(connection, request)
    return route


@test
def digest_answers_are_right_and_curl_says_so_too():
    for algorithm in ('MD5', 'SHA-256', 'MD5-sess', 'SHA-256-sess'):
        with Peer({'/a': digest_server(algorithm)}) as peer:
            url = peer.origin + '/a?b=c'
            witness = subprocess.run(['curl', '-s', '--digest', '-u', 'me:s3cret', url],
                                     stdout=subprocess.PIPE, check=True)
            equal((algorithm, witness.stdout), (algorithm, b'welcome'))
            count = len(peer.requests)
            r = get('-u', 'me:s3cret', '-o', algorithm, url)
            equal((algorithm, r.status, r.messages if r.status else ''), (algorithm, 0, ''))
            equal(read(algorithm), b'welcome')
            # The password itself is never sent.
            equal([x.headers.get('authorization', '-')[:6] for x in peer.requests[count:]],
                  ['-', 'Digest'])


@test
def netrc_is_read_as_curl_reads_it():
    write('netrc', '# machine 127.0.0.1 login no password no\nmachine other login a password b\n'
                   'machine 127.0.0.1\n  login "m\\"e" account x password x#1"2\n'
                   'default login c password d\n')
    os.chmod('netrc', 0o640)
    def route(connection, request):
        if 'authorization' in request.headers:
            reply(b'in')(connection, request)
        else:
            ask('Basic realm="r"')(connection, request)
    with Peer({'/a': route}) as peer:
        subprocess.run(['curl', '-s', '--netrc-file', 'netrc', peer.origin + '/a'], check=True,
                       stdout=subprocess.DEVNULL)
        witness = peer.requests[-1].headers['authorization']
        r = get('--netrc-file', 'netrc', '-o', 'a', peer.origin + '/a')
        equal(r.status, 0)
        contains(r.messages, 'warning: other users can read the netrc file')
        equal(peer.requests[-1].headers['authorization'], witness)
        equal(witness, basic('m"e:x#1"2'))
        os.chmod('netrc', 0o600)
        equal('warning' in get('--netrc-file', 'netrc', '-o', 'a', peer.origin + '/a').messages, False)
    write('bad', 'machine a login u secret')
    r = get('--netrc-file', 'bad', 'http://127.0.0.1:9/')
    equal(r.status, 2)
    contains(r.messages, 'netrc: bad: line 1: not machine')
    equal('secret' in r.messages, False)


@test
def the_password_may_come_from_a_file_or_the_environment():
    write('user', 'me:s3cret\n')
    with Peer({'/a': ask('Basic realm="r"')}) as peer:
        for argv, env in ((('-u', '@user'), {}), ((), {'WHORL_GET_USER': 'me:s3cret'}),
                          (('-u', 'me:s3cret'), {'WHORL_GET_USER': 'other:x'})):
            del peer.requests[:]
            get(*argv, peer.origin + '/a', env={**os.environ, **env})
            equal([x.headers.get('authorization') for x in peer.requests], [None, basic('me:s3cret')])
    r = get('-u', '@missing', 'http://127.0.0.1:9/')
    equal(r.status, 2)
    contains(r.messages, '--user: missing: no such file or directory\n')


@test
def a_control_byte_in_a_password_is_an_error_that_says_where():
    write('user', 'me:s3c\x01ret\n')
    write('nul', 'me:s3c\0ret\n')
    write('netrc', 'machine 127.0.0.1 login me password "s3c\\nret"\n')
    os.chmod('netrc', 0o600)
    with Peer({'*': ask('Basic realm="r"')}) as peer:
        at = peer.origin[len('http://'):]
        for status, argv, message in (
                (2, ['-u', 'me:s3c\nret', peer.origin], '--user: the password contains a control byte\n'),
                (2, ['-u', 'm\re:s3cret', peer.origin], '--user: the user name contains a control byte\n'),
                (2, ['-u', '@user', peer.origin], '--user: user: the password contains a control byte\n'),
                (2, ['-u', '@nul', peer.origin], '--user: nul: the first line contains a control byte\n'),
                (3, ['http://me:s3c%00ret@' + at], at + ': the user name or password in the URL contains a control byte\n'),
                (3, ['http://me:s3c%0aret@' + at], at + ': the password in the URL contains a control byte\n'),
                (3, ['--netrc-file', 'netrc', peer.origin], at + ': the password in the netrc file contains a control byte\n'),
                (2, ['--proxy', 'http://me:s3c%0aret@' + at, peer.origin],
                 'proxy URL: user name or password contains a byte that cannot be sent\n')):
            r = get('-o', '-', *argv)
            equal((r.status, 's3c' in r.messages), (status, False))
            contains(r.messages, message)
        equal(len(peer.requests), 0)


@test
def the_password_is_not_sent_to_another_port():
    with Peer({'/b': ask('Basic realm="r"')}) as other:
        def move(connection, request):
            raw(b'HTTP/1.1 302 Found\r\nLocation: %s/b\r\nContent-Length: 0\r\n\r\n' %
                other.origin.encode())(connection, request)
        with Peer({'/a': in_turn(ask('Basic realm="r"'), move)}) as peer:
            equal(get('-u', 'me:s3cret', peer.origin + '/a').status, 3)
            equal(peer.requests[-1].headers.get('authorization'), basic('me:s3cret'))
            equal([x.headers.get('authorization') for x in other.requests], [None])


def cookie_server(connection, request):
    if request.path == '/set':
        connection.sendall(b'HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n'
                           b'Set-Cookie: a=1; Path=/; Max-Age=3600\r\nSet-Cookie: b=2; HttpOnly\r\n'
                           b'Set-Cookie: c=3; Domain=example.org\r\n\r\n')
    else:
        reply(b'x')(connection, request)


@test
def cookies_are_sent_and_saved_and_curl_agrees():
    with Peer({'/set': cookie_server, '/end': cookie_server}) as peer:
        r = get('--save-cookies', 'mine', '-o', 'x', peer.origin + '/set')
        equal((r.status, r.messages if r.status else ''), (0, ''))
        equal(peer.requests[-1].headers.get('cookie'), 'a=1; b=2')  # after the redirect
        equal(os.stat('mine').st_mode & 0o777, 0o600)
        # curl sends what we saved, and we send what curl saved.
        subprocess.run(['curl', '-s', '-b', 'mine', peer.origin + '/end'], check=True,
                       stdout=subprocess.DEVNULL)
        equal(sorted(peer.requests[-1].headers['cookie'].split('; ')), ['a=1', 'b=2'])
        subprocess.run(['curl', '-s', '-L', '-c', 'theirs', '-o', '/dev/null', peer.origin + '/set'],
                       check=True)
        before = open('theirs', 'rb').read()
        r = get('--cookies', 'theirs', '-o', 'y', peer.origin + '/end')
        equal((r.status, sorted(peer.requests[-1].headers['cookie'].split('; '))),
              (0, ['a=1', 'b=2']))
        equal(open('theirs', 'rb').read(), before)
        get('-o', 'z', peer.origin + '/end')
        equal(peer.requests[-1].headers.get('cookie'), None)


@test
def cookie_files_that_cannot_be_used_are_named():
    r = get('--cookies', 'missing', 'http://127.0.0.1:9/')
    equal(r.status, 2)
    contains(r.messages, 'missing')
    write('bad', 'no cookie\n')
    r = get('--cookies', 'bad', 'http://127.0.0.1:9/')
    equal(r.status, 2)
    contains(r.messages, 'bad')
    with Peer({'/a': reply(b'x')}) as peer:
        r = get('--save-cookies', 'no/such', '-o', 'a', peer.origin + '/a')
        equal((r.status, read('a')), (1, b'x'))
        contains(r.messages, 'no/such')


@test
def the_password_of_a_user_is_hidden_from_the_process_list():
    with Peer({'/a': hang_after(b'')}) as peer:
        with running(GET, '-u', 'me:s3cret', peer.origin + '/a') as child:
            wait_until(lambda: peer.requests, what='the request')
            contains(open('/proc/%d/cmdline' % child.pid, 'rb').read().decode(), 'me:******\0')
            child.kill()


@test
def the_password_is_asked_for_without_echo():
    with Peer({'/a': ask('Basic realm="r"')}) as peer:
        with Terminal(GET, '-u', 'me', peer.origin + '/a') as terminal:
            terminal.read_until(b'Password for me: ')
            wait_until(lambda: not echoes(terminal), what='no echo')
            terminal.type(b's3cret\n')
            equal(terminal.finish(), 3)
            equal(b's3cret' in terminal.output, False)
        equal(peer.requests[-1].headers.get('authorization'), basic('me:s3cret'))


def echoes(terminal):
    return bool(termios.tcgetattr(terminal.fd)[3] & termios.ECHO)


@test
def ctrl_c_during_the_question_turns_the_echo_on_again():
    with Terminal(GET, '-u', 'me', 'http://127.0.0.1:9/') as terminal:
        terminal.read_until(b'Password for me: ')
        wait_until(lambda: not echoes(terminal), what='no echo')
        terminal.type(b'\x03')
        wait_until(lambda: echoes(terminal), what='echo')
        equal(terminal.finish(), -signal.SIGINT)


@test
def reset_at_any_byte_leaves_no_file():
    response = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world'

    def cut(connection, request):
        connection.sendall(response[:int(request.path[1:])])
        time.sleep(0.02)
        reset(connection, request)
    with Peer({'*': cut}) as peer:
        r = get('--retries', '0', '-j', '32', *('%s/%d' % (peer.origin, i) for i in range(len(response))))
    equal((r.status, files()), (3, []))


# Retries


@test
def passing_failure_is_tried_again():
    short = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345')
    with Peer({'/503': in_turn(reply(b'', '503 Busy'), reply(b'', '502 Bad'), reply(b'here')),
               '/reset': in_turn(reset, reply(b'here')), '/short': in_turn(short, reply(b'here'))}) as peer:
        r = get('-v', *(peer.origin + p for p in ('/503', '/reset', '/short')))
        equal((peer.count('/503'), peer.count('/reset'), peer.count('/short')), (3, 2, 2))
    equal((r.status, files(), read('short')), (0, ['503', 'reset', 'short'], b'here'))
    contains(r.messages, '/503: status 503 Busy; try 2 in ')
    contains(r.messages, ' on try 3')


@test
def retries_end_and_say_how_many():
    with Peer({'/503': reply(b'', '503 Busy')}) as peer:
        r = get('--retries', '1', peer.origin + '/503')
        equal(peer.count('/503'), 2)
    equal(r.status, 3)
    contains(r.messages, '/503: status 503 Busy (tried 2 times)\n')


@test
def hopeless_failure_is_not_tried_again():
    with Peer({'/403': reply(b'', '403 Forbidden'), '/501': reply(b'', '501 Never'),
               '/chunk': raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n')}) as peer:
        r = get('--retries', '5', *(peer.origin + p for p in ('/403', '/404', '/501', '/chunk')))
        equal(len(peer.requests), 4)
    equal((r.status, r.seconds < 3 * SCALE), (3, True))


@test
def retry_after_is_honoured():
    with Peer({'/a': in_turn(reply(b'', '429 Slow', [('Retry-After', '2')]), reply(b'x'))}) as peer:
        r = get(peer.origin + '/a')
    equal((r.status, files()), (0, ['a']))
    equal(2 <= r.seconds < 10 * SCALE, True)


@test
def retry_after_beyond_the_cap_is_a_failure_at_once():
    with Peer({'/a': reply(b'', '503 Busy', [('Retry-After', '86400')])}) as peer:
        r = get(peer.origin + '/a')
        equal(peer.count('/a'), 1)
    equal((r.status, r.seconds < 5 * SCALE), (3, True))
    contains(r.messages, 'status 503 Busy (the server asks to retry after 24:00:00)')


# Limits


@test
def stalled_transfer_times_out():
    with Peer({'/head': hang_after(b''), '/body': hang_after(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
               '/good': reply(b'x')}) as peer:
        r = get('--stall-timeout', '300ms', '--retries', '0', *(peer.origin + p for p in ('/head', '/body', '/good')))
    equal((r.status, files(), r.seconds < 10 * SCALE), (1, ['good'], True))
    contains(r.messages, '/head: ')
    contains(r.messages, 'nothing moved for 300 ms (stall limit), after 3 of 9 bytes')


@test
def whole_exchange_times_out_once():
    def drip(connection, request):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n')
        for _ in range(300):
            connection.sendall(b'x')
            time.sleep(0.05)
    with Peer({'/a': drip}) as peer:
        r = get('--timeout', '500ms', peer.origin + '/a')
        equal(peer.count('/a'), 1)
    equal((r.status, files(), r.seconds < 8 * SCALE), (3, [], True))
    contains(r.messages, 'not finished within 500 ms (total limit), after ')
    contains(r.messages, ' of 10000 bytes')


@test
def black_hole_times_out():
    with socket.socket() as hole:  # its queue is full, so connecting to it gets no answer
        hole.bind(('127.0.0.1', 0))
        hole.listen(0)
        fillers = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(hole.getsockname())
            fillers.append(s)
        r = get('--connect-timeout', '400ms', '--retries', '0', 'http://127.0.0.1:%d/' % hole.getsockname()[1])
        for s in fillers:
            s.close()
    equal((r.status, files(), r.seconds < 8 * SCALE), (3, [], True))
    contains(r.messages, 'not connected within 400 ms (connect limit)')


@test
def too_large_a_body_is_refused():
    data = b'x' * 5000
    with Peer({'/length': reply(data), '/close': raw(b'HTTP/1.0 200 OK\r\n\r\n' + data), '/fits': reply(data[:2048])}) as peer:
        r = get('--max-size', '2k', *(peer.origin + p for p in ('/length', '/close', '/fits')))
        equal(len(peer.requests), 3)
    equal((r.status, files()), (1, ['fits']))
    contains(r.messages, '(--max-size)')


@test
def compressed_is_decoded_when_asked_for_only():
    n = nginx()
    data = n.put('text', b'all work and no play makes jack a dull boy\n' * 5000)
    r = get('-d', 'asked', '--compressed', '--json', n.http + '/gz/text')
    equal((r.status, read('asked/text') == data), (0, True))
    equal(json.loads(r.out.splitlines()[0])['bytes'] < len(data) / 10, True)
    equal(get('-d', 'not', n.http + '/gz/text').status, 0)
    equal(read('not/text') == data, True)
    with Peer({'/z': reply(gzip.compress(data), '200 OK', [('Content-Encoding', 'gzip')])}) as peer:
        equal(get(peer.origin + '/z').status, 0)
        equal('gzip' in peer.requests[0].headers.get('accept-encoding', ''), False)
    equal(gzip.decompress(read('z')) == data, True)


@test
def bomb_stops_at_the_cap():
    bomb = gzip.compress(bytes(50_000_000))
    with Peer({'/z': reply(bomb, '200 OK', [('Content-Encoding', 'gzip')])}) as peer:
        r = get('--compressed', '--max-size', '1M', peer.origin + '/z')
    equal((r.status, files()), (3, []))
    contains(r.messages, '(--max-size)')


@test
def jobs_and_per_host_bound_what_runs_at_once():
    lock, now, most = threading.Lock(), 0, 0

    def slow(connection, request):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1  # before the reply, because the client may send its next request at once
        reply(b'x')(connection, request)
    with Peer({'*': slow}) as peer:
        urls = ['%s/%d' % (peer.origin, i) for i in range(20)]
        equal(get('-q', '-d', 'a', '-j', '3', '--per-host', '50', *urls).status, 0)
        equal(most, 3)
        most = 0
        equal(get('-q', '-d', 'b', '-j', '20', '--per-host', '2', *urls).status, 0)
        equal(most, 2)


class Gate:
    """A route that answers after open() was called; `most`: how many requests it had at once."""

    def __init__(self):
        self.lock, self.gate, self.now, self.most = threading.Lock(), threading.Event(), 0, 0

    def __call__(self, connection, request):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.gate.wait(60)
        with self.lock:
            self.now -= 1
        reply(b'x')(connection, request)

    def open(self):
        self.gate.set()


@test
def a_busy_host_does_not_hold_up_another():
    one, two = Gate(), Gate()
    with Peer({'*': one}) as a, Peer({'*': two}) as b:
        write('list', ''.join('%s/a%d\n' % (a.origin, i) for i in range(24))
              + ''.join('%s/b%d\n' % (b.origin, i) for i in range(24)))
        with running(GET, '-j', '12', '-q', '-i', 'list', '-d', 'out') as child:
            # Nothing was answered.
            wait_until(lambda: (one.now, two.now) == (6, 6), what='both hosts busy')
            two.open()  # all of the second host, while the first one is stuck
            wait_until(lambda: b.count('/b23') == 1 and two.now == 0, what='the end of the second host')
            equal((one.now, len(a.requests)), (6, 6))
            one.open()
            equal((child.wait(20), one.most, two.most), (0, 6, 6))
    equal(len(files('out')), 48)


@test
def what_waits_for_a_busy_host_is_queued_and_not_active():
    gate = Gate()
    with Peer({'*': gate}) as peer:
        with Terminal(GET, '-j', '12', '--per-host', '2', *('%s/%d' % (peer.origin, i) for i in range(9))) as t:
            t.read_until(b'2 active')
            t.read_until(b'7 queued')
            equal(b'3 active' in t.output, False)
            gate.open()
            equal(t.finish(), 0)
        equal(gate.most, 2)


@test
def a_pause_before_a_retry_holds_up_no_other_host():
    order = []

    def note(name, route):
        def noted(connection, request):
            order.append(name)
            route(connection, request)
        return noted
    with Peer({'*': in_turn(note('busy', reply(b'', '503 Busy', [('Retry-After', '2')])), note('again', reply(b'x')))}) as a, \
            Peer({'*': note('other', reply(b'x'))}) as b:
        r = get('-j', '1', a.origin + '/a', b.origin + '/b', b.origin + '/c')
    equal((r.status, order), (0, ['busy', 'other', 'other', 'again']))


@test
def a_host_that_refuses_is_given_up_for_all_its_urls():
    origin, address = dead_origin()
    with Peer({'*': reply(b'x')}) as peer:
        r = get('--json', *('%s/%d' % (origin, i) for i in range(100)), peer.origin + '/a')
        equal((r.status, files()), (1, ['a']))
    objects = [json.loads(line) for line in r.out.splitlines()][:-1]
    dead = [o for o in objects if not o['ok']]
    equal((len(dead), {o['step'] for o in dead}, {o['code'] for o in dead}), (100, {'connect'}, {'ECONNREFUSED'}))
    # Only the six that could run at once were tried.
    equal(sum(o['tries'] > 0 for o in dead) <= 6, True)
    equal(max(o['tries'] for o in dead), 4)
    contains(r.messages, '/99: connect %s: not tried, it has refused the connections of another URL\n' % address)
    r = get('--retries', '0', '-j', '1', *('%s/%d' % (origin, i) for i in range(3)))
    equal(r.messages.count(': connection refused\n'), 1)


@test
def a_redirect_to_a_host_that_refuses_does_not_condemn_its_source():
    origin, _ = dead_origin()
    with Peer({'/gone': reply(b'', '302 Found', [('Location', origin + '/x')]), '*': reply(b'x')}) as peer:
        r = get('--retries', '1', '-j', '1', peer.origin + '/gone', peer.origin + '/a', peer.origin + '/b')
        equal((r.status, files(), peer.count('/gone')), (1, ['a', 'b'], 2))


@test
def a_host_that_refuses_is_given_up_also_for_redirects_to_it():
    origin, address = dead_origin()
    with Peer({'*': reply(b'', '302 Found', [('Location', origin + '/x')])}) as peer:
        r = get('--json', '--retries', '1', '-j', '2', *('%s/%d' % (peer.origin, i) for i in range(20)))
    objects = [json.loads(line) for line in r.out.splitlines()][:-1]
    equal((r.status, len(objects), {o['code'] for o in objects}), (3, 20, {'ECONNREFUSED'}))
    # Only those that ran at once when the first of them had used up its tries.
    equal(sum(o['error'] == address + ': connection refused' for o in objects) <= 2, True)
    contains(r.messages, ': connect %s: not tried, it has refused the connections of another URL\n' % address)


@test
def a_list_without_end_takes_little_memory():
    if SANITIZED:
        raise Skip('sanitizers use memory of their own')
    origin, _ = dead_origin()

    def feed(pipe):
        for i in range(100):
            pipe.write(b''.join(b'%s/%d\n' % (origin.encode(), 1000 * i + n) for n in range(1000)))
        pipe.close()
    with running(GET, '--retries', '0', '-i', '-', stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        threading.Thread(target=feed, args=(child.stdin,), daemon=True).start()
        lines = []
        counter = threading.Thread(target=lambda: lines.extend(1 for line in child.stderr), daemon=True)
        counter.start()
        peak = wait_measuring(child)
        counter.join(20)
        equal((child.returncode, len(lines)), (3, 100_000))
    print('# peak memory %d kB' % peak)
    equal(peak < 20_000, True)


@test
def kept_connections_never_block_another_host():
    n = nginx()
    n.put('a', b'x')
    with Peer({'*': reply(b'x')}) as peer:
        urls = ['%s/a?%d' % (origin, i) for i in range(4) for origin in (n.http, peer.origin)]
        r = get('-j', '1', *urls)
    equal((r.status, len(files()), r.seconds < 5 * SCALE), (0, 8, True))


@test
def thousand_at_once_take_under_100_mb():
    count = 1000
    gate = threading.Event()
    body = noise(20_000)

    def route(connection, request):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 20000\r\nConnection: close\r\n\r\n')
        connection.sendall(body[:10_000])
        gate.wait(60)
        connection.sendall(body[10_000:])
    with Peer({'*': route}) as peer:
        write('list', ''.join('%s/%d\n' % (peer.origin, i) for i in range(count)))

        def limit():  # the program raises the soft limit itself
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        with running(GET, '-q', '-j', '1000', '--per-host', '1000', '-i', 'list', '-d', 'out',
                     preexec_fn=limit) as child:
            wait_until(lambda: peer.active == count, 30, 'all at once')
            time.sleep(0.2)
            gate.set()
            peak = wait_measuring(child)
            equal((child.returncode, child.stderr.read()), (0, b''))
    equal(len(files('out')), count)
    equal(all(read('out/%d' % i) == body for i in range(count)), True)
    print('# peak memory %d kB' % peak)
    if not SANITIZED:
        equal(peak < 100_000, True)


@test
def transfers_are_fewer_where_few_files_may_be_open():
    with Peer({'*': reply(b'x' * 1000)}) as peer:
        write('list', ''.join('%s/%d\n' % (peer.origin, i) for i in range(200)))
        r = get('-j', '100', '--per-host', '100', '--retries', '0', '-i', 'list', '-d', 'out',
                preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    equal((r.status, len(files('out'))), (0, 200))
    contains(r.messages, 'whorl-get: only 20 transfers at once: the limit on open files is 64\n')


# TLS


@test
def foreign_certificates_are_refused_once():
    n = nginx()
    n.put('s', b'secret')
    r = get(n.https + '/s')
    equal((r.status, files()), (3, []))
    contains(r.messages, '/s: TLS ')
    equal('tried' in r.messages, False)
    r = get('--cacert', certificates().at('other.pem'), n.https + '/s')
    equal((r.status, files()), (3, []))
    r = get('--cacert', certificates().ca, n.https_wrong + '/s')
    equal((r.status, files()), (3, []))
    contains(r.messages, 'certificate is for')


@test
def cacert_may_be_a_directory():
    n = nginx()
    n.put('s', b'secret')
    os.mkdir('cas')
    write('cas/ca.pem', read(certificates().ca))
    equal(get('--cacert', 'cas', n.https_named + '/s').status, 0)
    equal(read('s'), b'secret')


@test
def insecure_accepts_any_certificate():
    n = nginx()
    n.put('s', b'secret')
    equal(get('--insecure', n.https + '/s', n.https_wrong + '/s?2').status, 0)
    equal((read('s'), read('s?2')), (b'secret', b'secret'))


@test
def library_and_version_of_tls_are_chosen():
    n = nginx()
    n.put('s', b'secret')
    ca = ('--cacert', certificates().ca)
    old, new = n.https_named + '/s', n.https_new + '/s'
    r = get('--tls', 'bearssl', *ca, new)
    equal((r.status, files()), (3, []))
    contains(r.messages, ': it does not speak TLS 1.2')
    r = get('--tls', 'openssl', *ca, '-d', 'a', old, new + '?')
    if 'whorl was built without OpenSSL' in r.messages:
        raise Skip('whorl was built without OpenSSL')
    equal(r.status, 0)
    equal(get(*ca, '-d', 'b', old, new + '?').status, 0)  # OpenSSL where the server refuses BearSSL
    equal(get('--tls-min', '1.3', *ca, '-d', 'c', new).status, 0)
    equal([read(name) for name in ('a/s', 'b/s', 'c/s')], [b'secret'] * 3)


@test
def client_certificate_is_sent_to_servers_that_ask():
    n, c = nginx(), certificates()
    n.put('s', b'secret')
    r = get('--cacert', c.ca, '-o', 'none', n.https_client + '/s')
    equal((r.status, files()), (3, []))
    contains(r.messages, 'status 400')
    equal(get('--cacert', c.ca, '--cert', c.good, '--key', c.key, n.https_client + '/s').status, 0)
    equal(read('s'), b'secret')
    r = get('--cacert', c.ca, '--cert', c.good, n.https_client + '/s')
    equal(r.status, 2)
    contains(r.messages, 'no private key in it')


@test
def pins_are_checked_in_addition():
    n, c = nginx(), certificates()
    n.put('s', b'secret')
    other = 'sha256//' + 43 * 'A' + '='
    r = get('--cacert', c.ca, '--pin', other, n.https_named + '/s')
    equal((r.status, files()), (3, []))
    contains(r.messages, 'key of localhost is not one of the pinned ones: it has sha256//')
    pin = r.messages.split(' it has ')[1].split()[0]
    equal(get('--cacert', c.ca, '--pin', other, '--pin', pin, n.https_named + '/s').status, 0)
    r = get('--pin', 'sha256//x', n.https_named + '/s')
    equal(r.status, 2)
    contains(r.messages, 'pin "sha256//x" is not sha256// with 44 characters of base64')


@test
def unusable_cacert_is_wrong_usage():
    write('empty', '')
    for path in ('empty', 'missing'):
        r = get('--cacert', path, 'https://127.0.0.1:9/')
        equal((r.status, files()), (2, ['empty']))
        contains(r.messages, 'whorl-get: %s: ' % path)


# Requests


@test
def headers_and_agent_are_sent():
    with Peer({'*': reply(b'x')}) as peer:
        equal(get('-q', peer.origin + '/0').status, 0)
        equal(get('-q', '-A', 'me/1', '-H', 'X-A: b c', '-H', 'accept:text/html', peer.origin + '/1').status, 0)
        equal(get('-q', '-A', '', peer.origin + '/2').status, 0)
        first, second, third = (r.headers for r in peer.requests)
    contains(first['user-agent'], 'whorl-get/')
    equal((second['user-agent'], second['x-a'], second['accept']), ('me/1', 'b c', 'text/html'))
    equal('user-agent' in third, False)


@test
def redirects_are_followed_within_their_limit():
    with Peer({'/end': reply(b'end'), '/a': reply(b'', '302 Found', [('Location', '/b')]),
               '/b': reply(b'', '301 Moved', [('Location', '/end')])}) as peer:
        r = get('--json', peer.origin + '/a')
        equal((r.status, read('a')), (0, b'end'))
        first = json.loads(r.out.splitlines()[0])
        equal((first['redirects'], first['final_url']), (2, peer.origin + '/end'))
        os.remove('a')
        r = get('--max-redirects', '1', '--json', peer.origin + '/a')
        equal(json.loads(r.out.splitlines()[0])['redirects'], 1)
        equal((r.status, files()), (3, []))
        r = get('--max-redirects', '0', peer.origin + '/a')
        equal((r.status, files()), (3, []))
        contains(r.messages, '302 Found (redirect not followed)')


@test
def redirects_from_https_to_http_are_refused_unless_allowed_and_said():
    n = nginx()
    n.put('s', b'secret')
    argv = ('--cacert', certificates().ca, '-o', 'f')
    r = get(*argv, n.https + '/plain/s')
    equal((r.status, files()), (3, []))
    contains(r.messages, ': redirect from https to http (--allow-downgrade follows it)\n')
    # The last step need not be the downgrade.
    for path in ('/plain/s', '/plain/secure/plain/secure/s'):
        r = get(*argv, '--allow-downgrade', n.https + path)
        equal((r.status, read('f')), (0, b'secret'))
        contains(r.messages, '; redirected from https to http)\n')
        r = get(*argv, '--allow-downgrade', '--json', n.https + path)
        equal((r.status, json.loads(r.out.splitlines()[0])['downgraded']), (0, True))
    r = get(*argv, '--allow-downgrade', n.https + '/plain/missing')
    contains(r.messages, 'status 404 Not Found (redirected from https to http)\n')
    r = get(*argv, n.http + '/secure/s', '--json')
    equal((r.status, json.loads(r.out.splitlines()[0])['downgraded']), (0, False))


@test
def secret_headers_stay_at_their_origin_unless_trusted():
    with Peer({'*': reply(b'x')}) as other, \
            Peer({'*': reply(b'', '302 Found', [('Location', other.origin + '/b')])}) as peer:
        headers = ('-H', 'X-Api-Key: key', '-H', 'Authorization: Bearer x', '-H', 'Accept: text/html')
        equal(get('-q', *headers, peer.origin + '/a').status, 0)
        equal(get('-q', '--trust-redirects', *headers, peer.origin + '/a').status, 0)
        first, second = (r.headers for r in other.requests)
        equal(peer.requests[0].headers['x-api-key'], 'key')
    equal((first.get('x-api-key'), first.get('authorization'), first.get('accept')), (None, None, 'text/html'))
    equal((second.get('x-api-key'), second.get('authorization')), ('key', 'Bearer x'))


@test
def a_bare_percent_in_a_redirect_stands_for_itself():
    with Peer({'/a': reply(b'', '302 Found', [('Location', '/100%/b?c=5%')]), '*': reply(b'x')}) as peer:
        equal(get('-q', peer.origin + '/a').status, 0)
        equal(peer.requests[1].target, '/100%25/b?c=5%25')


# What it prints


@test
def one_line_a_file_off_a_terminal():
    with Peer({'*': reply(b'12345')}) as peer:
        r = get(peer.origin + '/a', peer.origin + '/b')
    equal(r.status, 0)
    lines = sorted(r.messages.splitlines())
    equal(len(lines), 2)
    contains(lines[0], peer.origin + '/a -> a (5 B in ')


@test
def quiet_prints_failures_only():
    with Peer({'/a': reply(b'x')}) as peer:
        r = get('-q', peer.origin + '/a', peer.origin + '/b')
    equal((r.status, r.out), (1, b''))
    equal(r.messages, 'whorl-get: %s/b: status 404 Not Found\n' % peer.origin)


@test
def verbose_tells_how_files_came():
    with Peer({'*': reply(b'x')}) as peer:
        r = get('-v', peer.origin + '/a', peer.origin + '/b')
    contains(r.messages, '; 200, new connection')
    contains(r.messages, 'first byte')
    contains(r.messages, '2 of 2 files, 2 B in ')


@test
def json_objects_are_complete():
    with Peer({'/a': reply(b'12345')}) as peer:
        write('list', peer.origin + '/404\nbad\n')
        r = get('--json', '-d', 'out', '-i', 'list', peer.origin + '/a')
    objects = [json.loads(line) for line in r.out.splitlines()]
    equal((r.status, len(objects)), (1, 4))
    by_url = {o.get('url'): o for o in objects}
    good, missing, bad, total = by_url[peer.origin + '/a'], by_url[peer.origin + '/404'], by_url['bad'], objects[-1]
    equal((good['ok'], good['dir'], good['file'], good['status'], good['bytes'], good['tries']),
          (True, 'out', 'a', 200, 5, 1))
    equal((missing['ok'], missing['file'], missing['status'], missing['step'], missing['error'], missing['code'],
           missing['list'], missing['line']), (False, None, 404, 'status', '404 Not Found', None, 'list', 1))
    equal((bad['ok'], bad['status'], bad['step'], bad['line']), (False, None, 'URL', 2))
    contains(bad['code'], 'WHORL_EHTTP_')
    equal((total['summary'], total['ok'], total['failed'], total['bytes'], total['interrupted']), (True, 1, 2, 5, False))
    equal(r.messages.count('\n'), 2)


@test
def json_strings_are_never_cut():
    query = 'x' * 60_000
    with Peer({'*': reply(b'12345')}) as peer:
        url = peer.origin + '/a?' + query
        write('list', url + '\n' + '"' * 30_000 + '\n')
        r = get('--json', '-i', 'list')
    objects = {o.get('url'): o for o in map(json.loads, r.out.splitlines())}
    equal((r.status, len(objects)), (1, 3))
    equal((objects[url]['ok'], objects[url]['final_url']), (True, url))
    equal(objects['"' * 30_000]['step'], 'URL')


@test
def json_names_the_whole_file_that_cannot_be_written():
    directory = '/'.join(['d' * 200] * 10)
    with Peer({'*': reply(b'x')}) as peer:
        os.makedirs(directory)
        os.mkdir(directory + '/a')
        r = get('--json', '-o', directory + '/a', peer.origin + '/a')
    one = json.loads(r.out.splitlines()[0])
    equal((one['step'], one['error']), ('write', directory + '/a: is a directory'))
    contains(r.messages, '/a: write %s/a: is a directory\n' % directory)


@test
def bytes_on_the_wire_and_bytes_written_are_both_told():
    data = b'all work and no play makes jack a dull boy\n' * 5000
    coded = gzip.compress(data)
    with Peer({'/z': reply(coded, '200 OK', [('Content-Encoding', 'gzip')]), '/short': SHORT}) as peer:
        r = get('--json', '--compressed', '--retries', '0', peer.origin + '/z', peer.origin + '/short')
        one, two, total = sorted((json.loads(line) for line in r.out.splitlines()),
                                 key=lambda o: (o.get('summary', False), not o['ok']))
        equal((one['bytes'], one['written']), (len(coded), len(data)))
        equal((two['bytes'], two['written']), (5, 0))  # its file was removed
        equal((total['bytes'], total['written']), (len(coded) + 5, len(data)))
        r = get('--compressed', '-o', 'z2', peer.origin + '/z')
        contains(r.messages, '(%d B, 215 kB decoded, in ' % len(coded))
        r = get('--json', '-o', '/dev/fd/2', '--retries', '0', peer.origin + '/short')
        equal(json.loads(r.out.splitlines()[0])['written'], 5)  # it cannot be taken back
    equal(len(read('z')), len(data))


@test
def only_ascii_is_printed_in_a_locale_without_utf_8():
    with Peer({'*': reply('x', '404 Nichts für ungut')}) as peer, Peer({'*': reply(b'x')}) as good:
        urls = (good.origin + '/caf%C3%A9', peer.origin + '/é\u06db', '/ü')
        for locale, ascii_only in (('C', True), ('C.UTF-8', False)):
            r = get('--json', '-v', *urls, env={'LC_ALL': locale})
            equal((r.out.isascii(), r.err.isascii()), (ascii_only, ascii_only))
            objects = {o.get('url'): o for o in map(json.loads, r.out.splitlines())}
            contains(objects[urls[0]]['file'], 'café')
            equal(objects[urls[1]]['status'], 404)
        r = get('-j', 'ü', 'http://h/', env={'LC_ALL': 'C'})
        equal((r.status, r.err.isascii()), (2, True))
        with Peer({'*': hang_after(SLOW_OF_KNOWN_LENGTH)}) as slow, Terminal(GET, slow.origin + '/%C3%A9', env={'LC_ALL': 'C'}) as t:
            t.read_until(b'\\xc3\\xa9')
            t.type(b'\x03')
            t.finish()
            equal(t.output.isascii(), True)


@test
def closed_standard_output_loses_the_report_not_the_files():
    with Peer({'*': reply(b'x')}) as peer:
        out, into = os.pipe()
        os.close(out)
        with running(GET, '--json', peer.origin + '/a', stdout=into) as child:
            os.close(into)
            message = child.stderr.read().decode()
            equal(child.wait(20), 1)
    equal(files(), ['a'])
    contains(message, 'whorl-get: standard output: write: broken pipe')


@test
def usage_errors_exit_with_2():
    for argv in ((), ('--nope',), ('-j', '0', 'http://h/'), ('-o', 'x', 'http://h/', 'http://i/'), ('-H', 'x', 'http://h/')):
        r = get(*argv)
        equal((r.status, r.out, files()), (2, b'', []))
        contains(r.messages, 'whorl-get: ')
        contains(r.messages, "Try 'whorl-get --help'.")


@test
def help_and_version_go_to_standard_output():
    r = get('--help')
    equal((r.status, r.err), (0, b''))
    lines = r.out.decode().splitlines()
    equal((len(lines) <= 23, max(map(len, lines)) <= 79), (True, True))
    equal(get('--version').out.startswith(b'whorl-get '), True)


# Disks and kernels that refuse


@test
def full_device_is_a_failure():
    with Peer({'/a': reply(b'x' * 100_000)}) as peer:
        full = device('full', 7)
        r = get('-o', full, peer.origin + '/a')
        equal(len(peer.requests), 1)
    equal((r.status, stat.S_ISCHR(os.stat(full).st_mode)), (3, True))
    contains(r.messages, '/a: write %s: no space left on device\n' % full)


@test
def file_too_large_for_the_disk_stops_no_other():
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    with Peer({'/big': reply(b'x' * 100_000), '/small': reply(b'x')}) as peer:
        r = get(peer.origin + '/big', peer.origin + '/small', preexec=limit)
        equal(peer.count('/big'), 1)
    equal((r.status, files()), (1, ['small']))
    contains(r.messages, '/big: write big: file too large\n')


@test
def full_disk_stops_no_other():
    os.mkdir('disk')
    if os.geteuid() != 0 or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', 'disk'],
                                           capture_output=True).returncode:
        raise Skip('cannot mount a small file system')
    try:
        with Peer({'/big': reply(b'x' * 500_000), '/small': reply(b'x')}) as peer:
            r = get('-d', 'disk', '-j', '1', peer.origin + '/big', peer.origin + '/small')
        equal((r.status, files('disk')), (1, ['small']))
        contains(r.messages, '/big: write disk/big: no space left on device\n')
    finally:
        subprocess.run(['umount', 'disk'], check=True)


@test
def replaced_file_keeps_its_mode():
    with Peer({'*': reply(b'new')}) as peer:
        for mode in (0o600, 0o640, 0o777):
            write('a', 'old')
            os.chmod('a', mode)
            equal(get('-o', 'a', peer.origin + '/a').status, 0)
            equal((read('a'), stat.S_IMODE(os.stat('a').st_mode)), (b'new', mode))


@test
def directory_that_cannot_be_made_says_why():
    os.mkdir('disk')
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'ro', 'none', 'disk'],
                      stderr=subprocess.DEVNULL).returncode:
        raise Skip('cannot mount a tmpfs')
    try:
        r = get('-d', 'disk/sub/sub', 'http://127.0.0.1:9/')
        equal(r.status, 3)
        contains(r.messages, 'whorl-get: disk/sub/sub: open directory: read-only file system\n')
    finally:
        subprocess.run(['umount', 'disk'], check=True)


@test
def unwritable_directories_are_failures():
    write('file', '')
    with Peer({'*': reply(b'x')}) as peer:
        r = get('-d', 'file/sub', peer.origin + '/a')
        equal(r.status, 3)
        contains(r.messages, 'whorl-get: file/sub: open directory: not a directory\n')
        r = get('-d', '/proc', peer.origin + '/a')
        equal(r.status, 3)
        contains(r.messages, '/a: write /proc/a: ')
        r = get('-o', 'missing/a', peer.origin + '/a')
        equal(r.status, 3)
        contains(r.messages, '/a: write missing/a: no such file or directory\n')
        r = get('-o', '.', peer.origin + '/a')
        equal(r.status, 3)
        contains(r.messages, '/a: write .: is a directory\n')
    equal(files(), ['file'])


@test
def blocked_io_uring_is_no_obstacle():
    with Peer({'*': reply(b'x' * 100000)}) as peer:
        r = get('-q', peer.origin + '/a', peer.origin + '/b', preexec=forbid_io_uring,
                env={'WHORL_DRIVER': '', 'WHORL_DEBUG': 'io'})
        equal(r.status, 0)
        contains(r.messages, 'whorl: epoll driver: io_uring refused: operation not permitted '
                             '(a seccomp filter is in force)\n')
    equal(files(), ['a', 'b'])


@test
def blocked_io_uring_is_an_error_when_it_is_demanded():
    r = get('http://127.0.0.1:9/', preexec=forbid_io_uring, env={'WHORL_DRIVER': 'io_uring'})
    equal((r.status, r.messages.count('\n')), (3, 1))
    contains(r.messages, 'whorl-get: ')
    contains(r.messages, 'io_uring is not permitted here')
    r = get('http://127.0.0.1:9/', env={'WHORL_DRIVER': 'abacus'})
    equal((r.status, r.messages.count('\n')), (3, 1))
    contains(r.messages, 'WHORL_DRIVER=abacus: no such driver')


# Interruptions

# A body of unknown length has a temporary name, which shows that it is being saved.
SLOW = b'HTTP/1.1 200 OK\r\n\r\n' + b'x' * 1000
SLOW_OF_KNOWN_LENGTH = b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n' + b'x' * 1000


def need_unnamed_files():
    try:
        os.close(os.open('.', os.O_TMPFILE | os.O_RDWR))
    except OSError as error:
        raise Skip('no files without a name here: %s' % error)


def unnamed_files(child):
    """How many files without a name the process has open in this directory."""
    prefix, count = os.getcwd() + '/#', 0
    for fd in os.listdir('/proc/%d/fd' % child.pid):
        try:
            count += os.readlink('/proc/%d/fd/%s' % (child.pid, fd)).startswith(prefix)
        except FileNotFoundError:  # closed meanwhile
            pass
    return count


@test
def signals_end_the_reading_of_what_options_name():
    def has_reader():
        try:
            return os.open('fifo', os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None  # nobody has opened it yet
    os.mkfifo('fifo')
    for option in ('--data=@fifo', '--json-data=@fifo', '--user=@fifo', '--netrc-file=fifo', '--cookies=fifo',
                   '--checksum-file=fifo', '--cacert=fifo', '--cert=fifo', '--config=fifo'):
        with running(GET, option, 'http://127.0.0.1:9/') as child:
            writers = []
            wait_until(lambda: writers.append(has_reader()) or writers[-1] is not None, what=option)
            child.send_signal(signal.SIGINT)
            equal((option, child.wait(10)), (option, -signal.SIGINT))
            os.close(writers[-1])


@test
def interrupt_removes_temporary_files_and_ends_by_the_signal():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with Peer({'/slow': hang_after(SLOW), '/fast': reply(b'x')}) as peer:
            with running(GET, '-j', '8', peer.origin + '/fast', *[peer.origin + '/slow'] * 5) as child:
                wait_until(lambda: len(files()) == 6 and 'fast' in files(), what='five temporary files')
                child.send_signal(number)
                message = child.stderr.read().decode()
                equal(child.wait(10), -number)
        equal(files(), ['fast'])
        contains(message, 'whorl-get: interrupted; 5 transfers stopped')
        os.remove('fast')


@test
def interrupt_ends_the_loop_of_a_shell():
    with Peer({'/slow': hang_after(SLOW)}) as peer:
        with running('bash', '-c', 'while true; do "$@"; done', 'bash', GET, '-q', peer.origin + '/slow',
                     start_new_session=True) as child:
            wait_until(files, what='a temporary file')
            os.killpg(child.pid, signal.SIGINT)
            equal(child.wait(20), -signal.SIGINT)
        equal((peer.count('/slow'), files()), (1, []))


@test
def interrupt_while_nothing_is_transferred_ends_by_the_signal():
    origin, _ = dead_origin()
    with running(GET, '-i', '-', '-v', '--retries', '100', origin + '/x', stdin=subprocess.PIPE) as child:
        lines = (child.stderr.readline().decode() for _ in range(50))
        equal(any('connection refused; try 2 in' in line for line in lines), True)
        child.send_signal(signal.SIGINT)  # while it waits for its list and for another try
        equal(child.wait(10), -signal.SIGINT)
    equal(files(), [])


@test
def signals_that_are_ignored_stay_ignored():
    for ignored, other in ((signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGHUP),
                           (signal.SIGHUP, signal.SIGINT)):
        with Peer({'/slow': hang_after(SLOW)}) as peer:
            with running(GET, peer.origin + '/slow',
                         preexec_fn=lambda: signal.signal(ignored, signal.SIG_IGN)) as child:
                wait_until(files, what='a temporary file')
                child.send_signal(ignored)
                with open('/proc/%d/status' % child.pid) as f:
                    masks = dict(line.split(':\t') for line in f)
                bit = 1 << (ignored - 1)
                equal((int(masks['SigIgn'], 16) & bit, int(masks['ShdPnd'], 16) & bit), (bit, 0))
                child.send_signal(other)
                contains(child.stderr.read().decode(), 'interrupted; 1 transfer stopped')
                equal(child.wait(10), -other)
    with Peer({'/a': reply(b'x')}) as peer:
        r = run('sh', '-c', 'trap "" INT TERM HUP; "$@"', 'sh', GET, peer.origin + '/a')
        equal((r.status, read('a')), (0, b'x'))


@test
def interrupted_objects_say_so():
    with Peer({'/slow': hang_after(SLOW)}) as peer:
        with running(GET, '--json', peer.origin + '/slow') as child:
            wait_until(files, what='a temporary file')
            child.send_signal(signal.SIGINT)
            objects = [json.loads(line) for line in child.stdout.read().splitlines()]
            equal(child.wait(10), -signal.SIGINT)
    equal((objects[0]['ok'], objects[0]['code'], objects[0]['error']), (False, 'ECANCELED', 'interrupted'))
    equal((objects[1]['interrupted'], objects[1]['failed']), (True, 1))


@test
def what_never_started_is_in_the_report_of_an_interruption():
    """Arguments, lists in files, and what a pipe has brought so far; its end is not awaited."""
    os.mkfifo('fifo')
    with Peer({'*': hang_after(SLOW)}) as peer:
        urls = ['%s/%d' % (peer.origin, i) for i in range(30_000)]
        write('list', ''.join(url + '\n' for url in urls[20:]))
        with running(GET, '--json', '-j', '2', '-i', '-', '-i', 'list', '-i', 'fifo', *urls[:10],
                     stdin=subprocess.PIPE) as child:
            child.stdin.write(''.join(url + '\n' for url in urls[10:20]).encode() + b'http://h/unfinished')
            child.stdin.flush()
            wait_until(lambda: len(files()) == 4, what='two temporary files')
            time.sleep(0.1)  # the pipe is read
            child.send_signal(signal.SIGINT)
            objects = [json.loads(line) for line in child.stdout.read().splitlines()]
            message = child.stderr.read().decode()
            equal(child.wait(10), -signal.SIGINT)
    equal((len(objects[:-1]), set(o['url'] for o in objects[:-1]) ^ set(urls)), (30_000, set()))
    equal({(o['ok'], o['code'], o['step']) for o in objects[:-1]}, {(False, 'ECANCELED', 'transfer')})
    equal([o['tries'] for o in objects[:-1]].count(1), 2)
    equal([o['tries'] for o in objects[:-1]].count(0), 29_998)
    equal((objects[-1]['failed'], objects[-1]['interrupted']), (30_000, True))
    contains(message, 'whorl-get: interrupted; 2 transfers stopped')


@test
def a_report_that_nobody_reads_does_not_delay_an_interruption():
    with Peer({'*': hang_after(SLOW)}) as peer:
        write('list', ''.join('%s/%d\n' % (peer.origin, i) for i in range(50_000)))
        with running(GET, '--json', '-i', 'list') as child:
            wait_until(lambda: len(files()) > 1, what='a temporary file')
            child.send_signal(signal.SIGINT)
            equal(child.wait(10), -signal.SIGINT)
            contains(child.stderr.read().decode(), 'whorl-get: standard output: write: connection timed out\n')
    equal(files(), ['list'])


@test
def second_interrupt_kills():
    with Peer({'/slow': hang_after(SLOW)}) as peer:
        # The program cannot end by itself, because no process reads its output.
        into = os.pipe()
        os.set_blocking(into[1], False)
        try:
            while True:
                os.write(into[1], b'x' * 4096)
        except BlockingIOError:
            os.set_blocking(into[1], True)
        with running(GET, peer.origin + '/slow', stderr=into[1]) as child:
            wait_until(files, what='a temporary file')
            child.send_signal(signal.SIGINT)
            wait_until(lambda: not files(), what='its removal')
            child.send_signal(signal.SIGINT)
            equal(child.wait(10), -signal.SIGINT)
        os.close(into[0])
        os.close(into[1])


@test
def killed_process_leaves_nothing_under_a_final_name():
    with Peer({'/slow': hang_after(SLOW)}) as peer:
        with running(GET, *['%s/slow' % peer.origin] * 3) as child:
            wait_until(lambda: len(files()) == 3, what='three temporary files')
            child.kill()
            child.wait()
        equal([f for f in files() if f.startswith('slow')], [])
        write('keep', 'old')
        with running(GET, '-o', 'keep', peer.origin + '/slow') as child:
            wait_until(lambda: len(files()) == 5, what='a temporary file')
            child.kill()
            child.wait()
        equal(read('keep'), b'old')


@test
def killed_process_leaves_nothing_of_a_body_of_known_length():
    need_unnamed_files()
    write('keep', 'old')
    with Peer({'/slow': hang_after(SLOW_OF_KNOWN_LENGTH)}) as peer:
        for count, arguments in ((3, ['%s/slow' % peer.origin] * 3), (1, ['-o', 'keep', peer.origin + '/slow'])):
            with running(GET, *arguments) as child:
                wait_until(lambda: unnamed_files(child) == count, what='files without a name')
                child.kill()
                child.wait()
            equal((files(), read('keep')), (['keep'], b'old'))


@test
def interrupt_leaves_nothing_of_a_body_of_known_length():
    need_unnamed_files()
    with Peer({'/slow': hang_after(SLOW_OF_KNOWN_LENGTH)}) as peer:
        with running(GET, *['%s/slow' % peer.origin] * 3) as child:
            wait_until(lambda: unnamed_files(child) == 3, what='files without a name')
            child.send_signal(signal.SIGINT)
            contains(child.stderr.read().decode(), 'whorl-get: interrupted; 3 transfers stopped')
            equal(child.wait(10), -signal.SIGINT)
    equal(files(), [])


# Terminals


@test
def bars_are_drawn_and_gone_at_the_end():
    go = threading.Event()

    def route(connection, request):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n' + b'x' * 1000)
        go.wait(30)
        connection.sendall(b'x' * 1000)
    with Peer({'/slow': route, '/quick': reply(b'x')}) as peer:
        with Terminal(GET, peer.origin + '/slow', peer.origin + '/quick', peer.origin + '/404') as t:
            t.read_until(b'50%')
            t.read(0.3)
            shown = Screen(t.output).text()
            go.set()
            equal(t.finish(), 1)
    bars = [line for line in shown if '50%' in line]
    equal((len(bars), bars[0].startswith('slow ')), (1, True))
    contains(bars[0], '[=')
    contains(shown[-1], '1 of 3 files, 1 failed, 1 active, ')
    lines = Screen(t.output).text()
    equal(len(lines), 4)
    equal([line for line in lines if '[' in line or 'active' in line], [])
    contains(lines[-1], '2 of 3 files, ')
    contains('\n'.join(lines), '/404: status 404 Not Found')


@test
def bars_obey_width_height_and_their_changes():
    names = ['a-long-name-%d-%s' % (i, 'x' * 60) for i in range(30)]
    with Peer({'*': hang_after(SLOW_OF_KNOWN_LENGTH)}) as peer:
        with Terminal(GET, '-j', '40', '--per-host', '40', *('%s/%s' % (peer.origin, n) for n in names),
                      columns=50, rows=12) as t:
            t.read_until(b'30 active (20 not shown)')
            screen = Screen(t.output, 50, 12)
            equal(len(screen.text()) <= 12, True)
            equal(max(map(len, screen.text())) < 50, True)
            seen = len(t.output)
            t.size(30, 6)
            t.read_until(b'30 active', 5)
            t.read(0.5)
            frame = t.output[seen:].split(b'\x1b[J')[-2]
            equal(max(map(len, Screen(b'\r' + frame, 100).text())) < 30, True)
            t.type(b'\x03')
            equal(t.finish(), -signal.SIGINT)
    equal([line for line in Screen(t.output, 100, 100).text() if '%' in line and 'active' in line], [])
    equal(files(), [])


@test
def ctrl_c_on_a_terminal_leaves_it_clean():
    with Peer({'/slow': hang_after(SLOW_OF_KNOWN_LENGTH)}) as peer:
        with Terminal(GET, peer.origin + '/slow') as t:
            t.read_until(b'1 active')
            t.type(b'\x03')
            equal(t.finish(), -signal.SIGINT)
    lines = [line.replace('^C', '') for line in Screen(t.output).text()]
    equal(lines, ['whorl-get: interrupted; 1 transfer stopped, partial files removed'])
    equal(files(), [])


@test
def what_the_shell_printed_while_it_was_stopped_stays():
    with Peer({'*': hang_after(SLOW_OF_KNOWN_LENGTH)}) as peer:
        with Terminal(GET, *('%s/%d' % (peer.origin, i) for i in range(5))) as t:
            t.read_until(b'5 active')
            t.stop()
            before = t.output
            t.output = b''
            t.go_on()
            t.read_until(b'5 active')
            t.type(b'\x03')
            t.finish()
    shell = b'\r\n[1]+  Stopped\r\n$ ls\r\none  two\r\n$ fg\r\n'
    lines = Screen(before + shell + t.output).text()
    for line in ('[1]+  Stopped', '$ ls', 'one  two', '$ fg'):
        equal(lines.count(line), 1)


@test
def bars_of_one_name_show_what_differs():
    with Peer({'*': hang_after(SLOW_OF_KNOWN_LENGTH)}) as a, Peer({'*': hang_after(SLOW_OF_KNOWN_LENGTH)}) as b:
        urls = (a.origin + '/one/index.html', a.origin + '/two/index.html', a.origin + '/alone')
        with Terminal(GET, *urls) as t:
            t.read_until(b'3 active')
            t.read(0.3)
            shown = Screen(t.output).text()
            t.type(b'\x03')
            t.finish()
        equal([line.split()[0] for line in shown[:3]], ['/one/index.html', '/two/index.html', 'alone'])
        with Terminal(GET, a.origin + '/x', b.origin + '/x', columns=120) as t:
            t.read_until(b'2 active')
            t.read(0.3)
            shown = Screen(t.output, 120).text()
            t.type(b'\x03')
            t.finish()
        equal([line.split('  ')[0] for line in shown[:2]], ['127.0.0.1:%d: x' % p.port for p in (a, b)])


@test
def colours_are_left_out_on_demand():
    with Peer({'/slow': hang_after(SLOW_OF_KNOWN_LENGTH.replace(b'1000000', b'2000'))}) as peer:
        for env, coloured in (({}, True), ({'NO_COLOR': '1'}, False), ({'NO_COLOR': ''}, True)):
            with Terminal(GET, peer.origin + '/slow', env=env) as t:
                t.read_until(b'50%')
                t.type(b'\x03')
                t.finish()
            equal(b'm[' in t.output or b'\x1b[36m' in t.output, coloured)


@test
def names_cannot_control_the_terminal():
    with Peer({'*': hang_after(SLOW_OF_KNOWN_LENGTH)}) as peer:
        with Terminal(GET, peer.origin + '/%1b%5B2Jx%C2%9B1m%E2%80%AE', peer.origin + '/\x1b[2J') as t:
            t.read_until(b'1 active')
            t.type(b'\x03')
            t.finish()
    Screen(t.output)  # fails on sequences that the program itself never writes
    equal(b'\x1b[2J' in t.output or b'\xc2\x9b' in t.output or b'\xe2\x80\xae' in t.output, False)


@test
def dumb_terminals_and_quiet_get_no_bars():
    with Peer({'*': reply(b'x')}) as peer:
        with Terminal(GET, peer.origin + '/a', env={'TERM': 'dumb'}) as t:
            equal(t.finish(), 0)
        equal((b'\x1b' in t.output, b'/a -> a' in t.output), (False, True))
        with Terminal(GET, '-q', peer.origin + '/b') as t:
            equal((t.finish(), t.output), (0, b''))


@test
def bars_leave_a_terminal_to_bodies_and_objects():
    with Peer({'*': reply(b'x' * 100)}) as peer:
        for argv in (('--json',), ('-o', '-')):
            with Terminal(GET, *argv, peer.origin + '/a') as t:
                equal(t.finish(), 0)
            equal(b'\x1b' in t.output, False)


if __name__ == '__main__':
    try:
        main()
    finally:
        if 'nginx' in shared:
            shared['nginx'].stop()
        if 'certificates' in shared:
            shared['certificates'].remove()
