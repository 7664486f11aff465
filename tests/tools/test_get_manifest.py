# SPDX-License-Identifier: MIT
"""whorl-get --manifest lists what is complete, and fetches only what has changed since.

    test_get_manifest.py PROGRAM [WORD]...  run all tests, or those whose names contain a word
"""
import contextlib
import hashlib
import json
import os
import resource
import signal
import sys
import threading
import time

from lib import *
from ranged import RangedFile

GET = os.path.abspath(sys.argv[1])
OLD = 'Sun, 06 Nov 1994 08:49:37 GMT'
NEW = 'Mon, 07 Nov 2016 08:49:37 GMT'


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


def write(name, data):
    with open(name, 'wb') as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def read(name):
    with open(name, 'rb') as f:
        return f.read()


def lines(name='m'):
    return [json.loads(line) for line in read(name).splitlines()]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def objects(result):
    return {o['url'].rsplit('/', 1)[1]: o for o in map(json.loads, result.out.splitlines()) if 'url' in o}


class Versioned:
    """A route of one file that knows If-None-Match and If-Modified-Since."""

    def __init__(self, body, etag='"1"', modified=None):
        self.body, self.etag, self.modified, self.sent = body, etag, modified, 0

    def __call__(self, connection, request):
        headers = [(n, v) for n, v in (('ETag', self.etag), ('Last-Modified', self.modified)) if v]
        match, since = (request.headers.get('if-' + n) for n in ('none-match', 'modified-since'))
        if (match == self.etag) if match and self.etag else (since and since == self.modified):
            reply(b'', '304 Not Modified', headers)(connection, request)
        else:
            self.sent += 1
            reply(self.body, headers=headers)(connection, request)


@test
def complete_files_are_listed_with_what_identifies_them():
    routes = {'/a': Versioned(b'aaa', 'W/"x"', OLD), '/b': reply(b'b' * 70000),
              '/to': raw(b'HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n'), '/gone': not_found}
    with Peer(routes) as peer:
        secret = peer.origin.replace('//', '//me:s3cret@')
        start = time.time()
        r = get('--retries', '0', '-d', 'd', '--manifest', 'm', secret + '/a', peer.origin + '/b', peer.origin + '/to', peer.origin + '/gone')
        equal(r.status, 1)
    got = {l['file']: l for l in lines()}
    equal(sorted(got), ['a', 'b', 'to'])
    a = got['a']
    equal((a['url'], a['final_url'], a['size'], a['sha256'], a['etag'], a['last_modified']),
          (peer.origin.replace('//', '//***@') + '/a', peer.origin + '/a', 3, sha256(b'aaa'), 'W/"x"', OLD))
    equal((got['b']['size'], got['b']['sha256'], got['b']['etag'], got['b']['last_modified']),
          (70000, sha256(b'b' * 70000), None, None))
    equal((got['to']['url'], got['to']['final_url']), (peer.origin + '/to', peer.origin + '/a'))
    fetched = time.strptime(a['fetched'], '%Y-%m-%dT%H:%M:%SZ')
    equal(abs(__import__('calendar').timegm(fetched) - start) < 60, True)
    equal(sorted(os.listdir('.')), ['d', 'm'])
    equal(b's3cret' in read('m'), False)


@test
def the_next_run_fetches_only_what_has_changed():
    a, b, c = Versioned(b'a1', '"a"'), Versioned(b'b1', None, OLD), Versioned(b'c1', '"c"')
    with Peer({'/a': a, '/b': b, '/c': c}) as peer:
        urls = [peer.origin + '/' + n for n in 'abc']
        equal(get('--manifest', 'm', *urls).status, 0)
        first = read('m')
        r = get('--json', '--manifest', 'm', *urls)
        equal((r.status, [o['existing'] for o in objects(r).values()]), (0, 3 * ['not modified']))
        equal((a.sent, b.sent, c.sent, read('m')), (1, 1, 1, first))
        a.body, a.etag = b'a2 is new', '"a2"'
        os.unlink('b')
        r = get('--json', '--manifest', 'm', *urls)
        equal({n: o.get('existing') for n, o in objects(r).items()}, {'a': 'replaced', 'b': None, 'c': 'not modified'})
        equal((r.status, a.sent, b.sent, c.sent, read('a'), read('b')), (0, 2, 2, 1, b'a2 is new', b'b1'))
        got = {l['file']: l for l in lines()}
        equal((len(lines()), got['a']['sha256'], got['a']['etag']), (3, sha256(b'a2 is new'), '"a2"'))
        equal(sorted(os.listdir('.')), ['a', 'b', 'c', 'm'])


@test
def entries_that_were_not_touched_stay():
    with Peer({'/a': Versioned(b'a'), '/b': Versioned(b'b')}) as peer:
        equal(get('--manifest', 'm', peer.origin + '/a').status, 0)
        equal(get('--manifest', 'm', peer.origin + '/b').status, 0)
        equal(sorted(l['file'] for l in lines()), ['a', 'b'])
        equal(get('--retries', '0', '--manifest', 'm', peer.origin + '/gone').status, 3)
        equal(sorted(l['file'] for l in lines()), ['a', 'b'])


@test
def a_file_that_someone_else_has_changed_is_not_replaced():
    a = Versioned(b'new')
    with Peer({'/a': a}) as peer:
        equal(get('--manifest', 'm', peer.origin + '/a').status, 0)
        os.utime('a')  # another time but the same bytes: it is still ours
        a.body, a.etag = b'newer', '"2"'
        equal(get('--manifest', 'm', peer.origin + '/a').status, 0)
        equal((read('a'), sorted(os.listdir('.'))), (b'newer', ['a', 'm']))
        write('a', 'mine!')  # as long as before
        equal(get('--manifest', 'm', peer.origin + '/a').status, 0)
        equal((read('a'), read('a.1')), (b'mine!', b'newer'))
        equal('if-none-match' in peer.requests[-1].headers, False)
        a.body, a.etag = b'newest', '"3"'  # a.1 is ours
        equal(get('--manifest', 'm', peer.origin + '/a').status, 0)
        equal((read('a'), read('a.1'), sorted(os.listdir('.'))), (b'mine!', b'newest', ['a', 'a.1', 'm']))
        equal(get('--overwrite', '--manifest', 'm', peer.origin + '/a').status, 0)
        equal(sorted(os.listdir('.')), ['a', 'a.1', 'm'])


@test
def a_manifest_does_not_choose_which_file_is_replaced():
    write('Makefile', 'all:')
    time_ns = os.stat('Makefile').st_mtime_ns
    with Peer({'/a': reply(b'evil')}) as peer:
        def entry(name, **more):
            return json.dumps({'url': peer.origin + '/a', 'file': name, 'size': 4, 'sha256': sha256(b'all:'),
                               'mtime': '%d.%09d' % divmod(time_ns, 10**9), **more}) + '\n'
        write('m', entry('Makefile'))
        equal(get('--manifest', 'm', peer.origin + '/a').status, 0)
        equal((read('Makefile'), read('a')), (b'all:', b'evil'))
        os.unlink('a')
        os.symlink('Makefile', 'a')
        write('m', entry('a'))
        equal(get('--manifest', 'm', peer.origin + '/a').status, 0)
        equal((read('Makefile'), os.readlink('a'), read('a.1')), (b'all:', 'Makefile', b'evil'))


@test
def no_download_takes_the_name_of_the_manifest():
    with Peer({'*': reply(b'not a list')}) as peer:
        for option in ('-q', '--overwrite', '--update'):
            equal(get(option, '--manifest', 'm', peer.origin + '/m').status, 0)
            equal((read('m.1'), [l['file'] for l in lines()]), (b'not a list', ['m.1']))
            os.unlink('m.1')
            os.unlink('m')


@test
def not_modified_is_not_believed_of_another_file():
    here = {'to': '/a'}

    def route(connection, request):
        raw(b'HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n' % here['to'].encode())(connection, request)
    with Peer({'/f': route, '/a': Versioned(b'a', '"1"'), '/b': Versioned(b'b', '"1"')}) as peer:
        equal(get('--manifest', 'm', peer.origin + '/f').status, 0)
        here['to'] = '/b'
        equal(get('--manifest', 'm', peer.origin + '/f').status, 0)
        equal((read('f'), lines()[0]['final_url']), (b'b', peer.origin + '/b'))


@test
def files_that_were_not_fetched_now_are_hashed_on_the_disk():
    data = bytes(range(256)) * 8000
    with RangedFile(data, modified=OLD) as server:
        for option in ('--continue', '--update'):
            write('f', data)
            if option == '--update':
                server.peer.routes['/f'] = reply(b'', '304 Not Modified', (('ETag', '"one"'),))
            equal(get(option, '--manifest', option + '.m', server.url).status, 0)
            equal([(l['sha256'], l['size'], l['etag']) for l in lines('./' + option + '.m')], [(sha256(data), len(data), '"one"')])
        equal(get('--skip-existing', '--manifest', 's', server.url).status, 0)
        equal(read('s'), b'')


@test
def resumed_and_split_files_have_the_hash_of_all_bytes():
    data = os.urandom(3 << 20)
    with RangedFile(data) as server:
        server.cuts = [1 << 20]
        equal(get('--retries', '0', '--manifest', 'm', server.url).status, 3)
        equal(lines(), [])
        r = get('--json', '--manifest', 'm', server.url)
        equal((r.status, json.loads(r.out.splitlines()[0])['resumed_from'] > 0), (0, True))
        equal([(l['sha256'], l['etag'], l['size']) for l in lines()], [(sha256(data), '"one"', len(data))])
        server.cuts = [2 << 20]
        r = get('--manifest', 'm2', '--split', '4', '--limit-rate-each', '4M', server.url)
        equal([(l['sha256'], l['file']) for l in lines('m2')], [(sha256(data), 'f.1')])


@test
def a_resumed_file_keeps_the_date_of_its_first_response():
    data = os.urandom(3 << 20)
    with RangedFile(data, modified=OLD) as server:
        server.cuts = [1 << 20]
        equal(get('--retries', '0', server.url).status, 3)
        # RFC 9110 §15.3.7: a response with a part may leave the date out.
        server.head = lambda request, start, end: (
            b'HTTP/1.1 206 Partial Content\r\nETag: "one"\r\nConnection: close\r\n'
            b'Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n' % (start, end - 1, len(data), end - start))
        equal(get('--manifest', 'm', server.url).status, 0)
    equal([(l['etag'], l['last_modified'], l['sha256']) for l in lines()], [('"one"', OLD, sha256(data))])


@test
def decoded_bodies_are_listed_as_they_are_on_the_disk():
    import gzip
    body = gzip.compress(b'x' * 5000)
    with Peer({'/a': reply(body, headers=(('Content-Encoding', 'gzip'),))}) as peer:
        equal(get('--compressed', '--manifest', 'm', peer.origin + '/a').status, 0)
    equal([(l['size'], l['sha256']) for l in lines()], [(5000, sha256(b'x' * 5000))])
    equal(get('--verify-manifest', 'm').status, 0)


@test
def files_in_directories_of_hosts_are_listed_with_them():
    a = Versioned(b'one')
    with Peer({'/x/a': a, '/y/a': Versioned(b'two')}) as peer:
        host = peer.origin[len('http://'):]
        urls = [peer.origin + '/x/a', peer.origin + '/y/a']
        equal(get('-x', '-d', 'd', '--manifest', 'm', *urls).status, 0)
        equal(sorted(l['file'] for l in lines()), [host + '/x/a', host + '/y/a'])
        equal(get('-d', 'd', '--verify-manifest', 'm').status, 0)
        a.body, a.etag = b'newer', '"2"'
        r = get('-x', '-d', 'd', '--json', '--manifest', 'm', *urls)
        equal((r.status, sorted(o['existing'] for o in map(json.loads, r.out.splitlines()) if 'url' in o)),
              (0, ['not modified', 'replaced']))
        equal((read('d/%s/x/a' % host), os.listdir('d/%s/x' % host)), (b'newer', ['a']))
        equal(get('-d', 'd', '--verify-manifest', 'm').status, 0)


@test
def links_of_pages_that_are_not_modified_are_followed():
    page = Versioned(b'<a href="b.html">b</a>')

    def typed(connection, request):
        if request.headers.get('if-none-match') == '"1"':
            reply(b'', '304 Not Modified', (('ETag', '"1"'),))(connection, request)
        else:
            reply(page.body, headers=(('ETag', '"1"'), ('Content-Type', 'text/html')))(connection, request)
    with Peer({'/a.html': typed, '/b.html': Versioned(b'b')}) as peer:
        for count in (1, 2):
            equal((get('-r', '--manifest', 'm', peer.origin + '/a.html').status, peer.count('/b.html')), (0, count))
    equal(len(lines()), 2)


@test
def an_interrupted_run_lists_what_is_complete():
    with Peer({'/a': Versioned(b'a'), '/slow': hang_after(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx')}) as peer:
        write('m', json.dumps({'url': 'http://h/old', 'file': 'old', 'size': 1, 'sha256': 64 * '0'}) + '\n')
        with running(GET, '--manifest', 'm', peer.origin + '/a', peer.origin + '/slow') as child:
            wait_until(lambda: os.path.exists('a') and peer.count('/slow') == 1)
            child.send_signal(signal.SIGINT)
            equal(child.wait(10 * SCALE), -signal.SIGINT)
        equal([l['file'] for l in lines()], ['a', 'old'])
        with running(GET, '--manifest', 'm', peer.origin + '/slow') as child:
            wait_until(lambda: peer.count('/slow') == 2)
            r = get('--manifest', 'm', peer.origin + '/a')
            equal(r.status, 2)
            contains(r.messages, 'm: another process uses it')
            child.kill()
            child.wait()
        equal([l['file'] for l in lines()], ['a', 'old'])


SLOW = {'/slow': hang_after(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx')}


def killed(peer, *paths):
    """Kills a run when all files but /slow are in the new list."""
    slow = peer.count('/slow')
    with running(GET, '--manifest', 'm', *(peer.origin + p for p in paths), peer.origin + '/slow') as child:
        wait_until(lambda: peer.count('/slow') > slow and os.path.exists('.m.new') and
                   len(read('.m.new').splitlines()) == len(paths), what='the lines')
        child.kill()
        child.wait()


@test
def a_killed_run_loses_no_line():
    a, b = Versioned(b'a'), Versioned(b'b')
    with Peer({'/a': a, '/b': b, **SLOW}) as peer:
        write('m', json.dumps({**GOOD, 'file': 'old'}) + '\n')
        killed(peer, '/a', '/b')
        equal([l['file'] for l in lines()], ['old'])
        killed(peer)  # takes over, and is killed as well
        equal(sorted(l['file'] for l in lines()), ['a', 'b', 'old'])
        r = get('--json', '--manifest', 'm', peer.origin + '/a', peer.origin + '/b')
        equal((r.status, [o['existing'] for o in objects(r).values()]), (0, 2 * ['not modified']))
        equal((a.sent, b.sent, [n for n in sorted(os.listdir('.')) if n[-5:] != '.part']), (1, 1, ['a', 'b', 'm']))


@test
def the_next_run_says_what_it_takes_over():
    with Peer({'/a': Versioned(b'a'), '/b': Versioned(b'b'), **SLOW}) as peer:
        killed(peer, '/a')
        contains(get('--manifest', 'm', peer.origin + '/a').messages, 'whorl-get: m: has 1 file of a run that was killed')
        equal('was killed' in get('--manifest', 'm', peer.origin + '/a').messages, False)
        killed(peer, '/b')
        equal('was killed' in get('-q', '--manifest', 'm', peer.origin + '/a').messages, False)


@test
def the_last_line_of_a_killed_run_may_be_torn():
    with Peer({'/a': Versioned(b'a'), '/b': Versioned(b'b'), **SLOW}) as peer:
        killed(peer, '/a', '/b')
        whole = read('.m.new')
        first, last = whole.splitlines()
        for n in (1, len(last) - 1, len(last)):
            write('.m.new', first + b'\n' + last[:n])
            equal(get('--retries', '0', '--manifest', 'm', peer.origin + '/none').status, 3)
            equal([l['file'] for l in lines()], [json.loads(first)['file']])
            os.unlink('m')
        write('.m.new', first + b'\n\0\0\0\n{}\n' + last + b'\n')
        write('.m.merged', 'of a run that was killed while it merged')
        equal(get('--retries', '0', '--manifest', 'm', peer.origin + '/none').status, 3)
        equal(sorted(l['file'] for l in lines()), ['a', 'b'])
        equal([n for n in os.listdir('.') if n[:2] == '.m'], [])


@test
def of_two_lines_about_a_file_the_newer_one_counts():
    a = Versioned(b'1')
    with Peer({'/a': a, **SLOW}) as peer:
        equal(get('--manifest', 'm', peer.origin + '/a').status, 0)
        a.body, a.etag = b'22', '"2"'
        killed(peer, '/a')
        equal([l['size'] for l in lines()], [1])
        line = json.loads(read('.m.new'))
        write('.m.new', json.dumps({**line, 'size': 3}) + '\n' + json.dumps(line) + '\n')
        r = get('--json', '--manifest', 'm', peer.origin + '/a')
        equal((objects(r)['a']['existing'], [l['size'] for l in lines()]), ('not modified', [2]))


@test
def lines_of_others_are_not_taken_over():
    with Peer({'/a': Versioned(b'a'), **SLOW}) as peer:
        os.symlink('x', '.m.new')
        write('x', json.dumps(GOOD) + '\n')
        r = get('--manifest', 'm', peer.origin + '/a')
        equal((r.status, read('m'), peer.count('/a')), (2, b'', 0))
        contains(r.messages, 'm: what a run has left beside it is no file of this user')
        os.unlink('.m.new')
        # The list of a process that runs, whose name someone has removed.
        with running(GET, '--manifest', 'm', peer.origin + '/slow') as child:
            wait_until(lambda: peer.count('/slow') == 1)
            os.unlink('m')
            r = get('--manifest', 'm', peer.origin + '/a')
            equal(r.status, 2)
            contains(r.messages, 'm: another process uses it')
            equal(os.path.exists('.m.new'), True)
            child.kill()
            child.wait()


@test
def killed_at_random_moments_a_manifest_lists_every_file_that_was_complete():
    import random
    names = ['/%d' % n for n in range(40)]
    with Peer({n: Versioned(n.encode(), '"%s"' % n) for n in names}) as peer:
        for _ in range(50 if os.environ.get('TEST_SLOW') else 5):
            with running(GET, '--no-config', '-q', '-j', '2', '--manifest', 'm', *(peer.origin + n for n in names)) as child:
                time.sleep(random.uniform(0, 0.3))
                child.kill()
                child.wait()
            there = {n for n in os.listdir('.') if n[0] != 'm' and n[0] != '.'}
            equal(get('-q', '--manifest', 'm', peer.origin + '/0').status, 0)
            # A file can have its name while its line is not written yet.
            equal(len(there - {l['file'] for l in lines()}) <= 2, True)
            for l in lines():
                equal((l['sha256'], l['size']), (sha256(read(l['file'])), len(read(l['file']))))
            for n in os.listdir('.'):
                os.unlink(n)


@test
def without_room_on_the_disk_the_old_manifest_stays():
    with Peer({'/a': reply(b'a')}) as peer:
        old = ''.join(json.dumps({**GOOD, 'file': 'd/%d' % n}) + '\n' for n in range(2000))
        write('m', old)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        r = get('--manifest', 'm', peer.origin + '/a', preexec=limit)
        equal((r.status, read('m').decode() == old, sorted(os.listdir('.'))), (1, True, ['a', 'm']))
        contains(r.messages, 'whorl-get: m: write: file too large')


@test
def processes_that_use_one_manifest_in_turn_lose_no_line():
    problems = []

    def fetch(url):
        for _ in range(2000):
            r = get('-q', '--manifest', 'm', url)
            if r.status != 2:
                break
            time.sleep(0.005)  # another process uses it
        if r.status != 0:
            problems.append(r.messages)
    with Peer({'*': reply(b'x')}) as peer:
        threads = [threading.Thread(target=fetch, args=('%s/%d' % (peer.origin, n),)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    equal((problems, sorted(int(l['file']) for l in lines())), ([], list(range(16))))


@test
def a_manifest_that_cannot_be_written_is_a_failure():
    with Peer({'/a': reply(b'a')}) as peer:
        for path, cause in (('gone/m', 'no such file'), ('.', 'directory'), ('/dev/null', 'not a regular file')):
            r = get('--manifest', path, peer.origin + '/a')
            equal((r.status, os.listdir('.')), (2, []))
            contains(r.messages, cause)
    for extra in (['-o', 'x'], ['--data', 'x'], ['-H', 'Range: bytes=1-'], ['--verify-manifest', 'm']):
        equal(get('--manifest', 'm', *extra, 'http://127.0.0.1:1/').status, 2)


@test
def a_hundred_thousand_entries_are_read_and_written_in_little_memory():
    with Peer({'/a': Versioned(b'a')}) as peer:
        old = [json.dumps({'url': 'http://h/%d' % n, 'file': 'dir/%d' % n, 'size': n, 'sha256': 64 * '0', 'other': 100 * 'x'})
               for n in range(100000)]
        peaks = []
        for text in ('', '\n'.join(old)):
            write('m', text)
            with contextlib.suppress(FileNotFoundError):
                os.unlink('a')
            with running(GET, '--manifest', 'm', peer.origin + '/a') as child:
                peaks.append(wait_measuring(child))
                equal(child.returncode, 0)
    if not SANITIZED and peaks[1] - peaks[0] > 16000:
        raise AssertionError('the memory grows from %d kB to %d kB' % tuple(peaks))
    got = read('m').decode().splitlines()
    equal((json.loads(got[0])['file'], got[1:] == old), ('a', True))


GOOD = {'url': 'http://h/a', 'file': 'a', 'size': 1, 'sha256': 64 * '0'}


@test
def wrong_manifests_are_refused_with_their_lines():
    os.mkdir('in')
    write('secret', 'x')
    good = json.dumps(GOOD).encode()

    def line(**changed):
        return json.dumps({**GOOD, **changed}).encode()

    cases = [(line(file=f), '"file" is not the name of a file inside') for f in
             ('', '.', '..', '../secret', '/etc/passwd', 'a/../../secret', 'a//b', 'a/', './a', 'x' * 256, 'a\nb', 'a\x7f')]
    cases += [(b'{', 'not JSON'), (b'', 'not JSON'), (b'[]', 'not a JSON object'), (b'\xff', 'not JSON'), (b'[' * 5000, 'not JSON'),
              (good[:-1] + b', "file": "b"}', 'not JSON: duplicate'), (good + b' x', 'not JSON'), (b'{"a":"\\u0000"}', 'not JSON'),
              (good[:20] + b'\0' + good[20:], 'not JSON'), (b'{"url":"' + b'x' * 70000 + b'"}', 'the line is too long'),
              (line(url=None), '"url" is'), (line(file=7), '"file" is not a string'), (line(size=-1), '"size" is not'),
              (line(size=1.5), '"size" is not'), (line(size=10**30), 'not JSON'), (line(sha256='00'), '"sha256" does not'),
              (line(etag='"a"\r\nX: y"'), '"etag" is not'), (line(etag='x'), '"etag" is not'),
              (line(last_modified='x\r\ny'), '"last_modified" is not'), (line(last_modified='soon'), '"last_modified" is not'),
              (line(mtime='1'), '"mtime" is not'), (line(mtime='99999999999.000000000'), '"mtime" is not'),
              (line(file='b', url='http://h/b') + b'\n' + line(), 'm:3: the same file as in line 1')]
    for wrong, cause in cases:
        write('m', good + b'\n' + wrong + b'\n' + good)
        for argv in (['--verify-manifest', 'm'], ['--manifest', 'm', 'http://127.0.0.1:1/']):
            before = read('m')
            r = get('-d', 'in', *argv)
            equal((r.status, r.out, read('m') == before), (2, b'', True))
            contains(r.messages, cause if cause[:2] == 'm:' else 'm:2: ' + cause)
            equal(len(r.messages) < 700, True)
    equal((sorted(os.listdir('.')), os.listdir('in')), (['in', 'm', 'secret'], []))


@test
def verify_finds_every_difference():
    os.makedirs('d/sub')
    entries, names = [], ('same', 'sub/same', 'longer', 'other', 'missing', 'link', 'dir', 'sub/behind/f', 'fifo')
    for name in names:
        entries.append(json.dumps({'url': 'http://h/' + name, 'file': name, 'size': 3, 'sha256': sha256(b'yes')}))
    write('m', '\n'.join(entries) + '\n')
    write('d/same', 'yes')
    write('d/sub/same', 'yes')
    write('d/longer', 'yes!')
    write('d/other', 'no!')
    write('f', 'yes')
    os.symlink('../f', 'd/link')
    os.symlink('../..', 'd/sub/behind')
    os.mkdir('d/dir')
    os.mkfifo('d/fifo')
    r = get('-d', 'd', '--verify-manifest', 'm')
    equal((r.status, r.out), (4, b''))
    said = sorted(r.messages.splitlines())
    special = ': is not a regular file, or is behind a symbolic link'
    equal(said, sorted(
        ['whorl-get: d/longer: its size is 4 bytes, and the manifest says 3', 'whorl-get: d/missing: is missing',
         'whorl-get: d/other: its sha256 is %s, and the manifest says %s' % (sha256(b'no!'), sha256(b'yes')),
         'whorl-get: 2 of 9 files are as the manifest says; 6 differ, 1 missing, 0 unreadable'] +
        ['whorl-get: d/' + n + special for n in ('link', 'dir', 'sub/behind/f', 'fifo')]))
    r = get('-q', '-d', 'd', '--json', '--verify-manifest', 'm')
    equal({o['file']: o['ok'] for o in map(json.loads, r.out.splitlines())}, {n: n.endswith('same') for n in names})
    write('m', '\n'.join(entries[:2]))
    r = get('-d', 'd', '--verify-manifest', 'm')
    equal((r.status, r.messages), (0, 'whorl-get: 2 of 2 files are as the manifest says\n'))
    equal(get('-q', '-d', 'd', '--verify-manifest', 'm').messages, '')
    for argv, cause in ((['gone'], 'no such file'), (['m', '-d', 'gone'], 'no such file'), (['m', 'http://h/'], 'fetches nothing')):
        r = get('--verify-manifest', *argv)
        equal(r.status, 2)
        contains(r.messages, cause)


# Interruptions

SLOW_PAGE = b'HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Max-Age=999\r\nConnection: close\r\n\r\nx'


class Half:
    """A large file: one connection sends only its first half, and any other one the rest."""

    def __init__(self):
        self.file = RangedFile(os.urandom(4 << 20))
        self.file.cuts = []
        self.stalls = True
        self.file.peer.routes = {'/f': self.serve, '/ok': Versioned(b'ok'), '/page': hang_after(SLOW_PAGE)}
        self.origin = self.file.peer.origin

    def serve(self, connection, request):
        if not self.stalls:
            self.file.serve(connection, request)
            return
        connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: %d\r\n\r\n' % len(self.file.data))
        connection.sendall(self.file.data[:2 << 20])
        connection.settimeout(30)
        connection.recv(1)

    def ready(self):
        return (os.path.exists('d/ok') and os.path.exists(self.part()) and os.stat(self.part()).st_size >= 2 << 20 and
                self.file.peer.count('/page') == 1)

    def part(self):
        names = [n for n in os.listdir('d') if n.endswith('.part') and n[0] != '.'] if os.path.exists('d') else []
        return 'd/' + names[0] if names else 'd/none'

    def arguments(self):
        return ['--split', '1', '-d', 'd', '--manifest', 'm', '--events', 'jsonl:e', '--save-cookies', 'c',
                *(self.origin + p for p in ('/f', '/ok', '/page'))]

    def check_kept(self):
        """What the first interruption keeps, and that the next run continues with it."""
        with open(self.part() + '.journal') as f:
            contains(f.read(), '"one"')
        equal([l['file'] for l in lines()], ['ok'])
        events = [json.loads(line) for line in read('e').splitlines()]
        equal((events[-1]['event'], events[-1]['interrupted']), ('summary', True))
        contains(read('c').decode(), 'a\tb')
        equal([n for n in os.listdir('d') if n[0] == '.'], [])
        self.stalls = False
        r = get('--json', '--split', '1', '-d', 'd', '--manifest', 'm', self.origin + '/f')
        o = json.loads(r.out.splitlines()[0])
        equal((r.status, o['resumed_from'] >= 1 << 20, read('d/f') == self.file.data), (0, True, True))
        equal(sorted(l['file'] for l in lines()), ['f', 'ok'])


@test
def the_first_interrupt_keeps_everything_on_a_pipe():
    half = Half()
    with half.file, running(GET, *half.arguments()) as child:
        wait_until(half.ready, what='half a file')
        child.send_signal(signal.SIGINT)
        message = child.stderr.read().decode()
        equal(child.wait(10 * SCALE), -signal.SIGINT)
        contains(message, 'whorl-get: interrupted; 2 transfers stopped, kept 2.1 MB of 1; run again to continue\n')
        contains(message, 'whorl-get: m: lists the files that are complete')
        half.check_kept()


@test
def the_first_ctrl_c_keeps_everything_on_a_terminal():
    half = Half()
    with half.file, Terminal(GET, *half.arguments()) as terminal:
        wait_until(lambda: terminal.read(0.05) and half.ready(), what='half a file')
        terminal.type(b'\x03')
        equal(terminal.finish(), -signal.SIGINT)
        contains(terminal.output.decode(), 'interrupted; 2 transfers stopped, kept 2.1 MB of 1; run again to continue\r\n')
        half.check_kept()


@test
def the_second_interrupt_leaves_at_once_and_loses_no_journal():
    half = Half()
    into = os.pipe()  # nobody reads its messages, so the program cannot end tidily at once
    os.set_blocking(into[1], False)
    try:
        while True:
            os.write(into[1], b'x' * 4096)
    except BlockingIOError:
        os.set_blocking(into[1], True)
    write('m', json.dumps(GOOD) + '\n')
    with half.file, running(GET, *half.arguments(), stderr=into[1]) as child:
        wait_until(half.ready, what='half a file')
        child.send_signal(signal.SIGINT)
        wait_until(lambda: not [n for n in os.listdir('d') if n[0] == '.'], what='the end of the transfers')
        child.send_signal(signal.SIGINT)
        equal(child.wait(10 * SCALE), -signal.SIGINT)
        os.close(into[0])
        os.close(into[1])
        equal([l['file'] for l in lines()], ['a'])
        half.stalls = False
        r = get('--json', '--split', '1', '-d', 'd', '--manifest', 'm', half.origin + '/f')
        o = json.loads(r.out.splitlines()[0])
        equal((r.status, o['resumed_from'] >= 1 << 20, read('d/f') == half.file.data), (0, True, True))
        equal(sorted(l['file'] for l in lines()), ['a', 'f', 'ok'])


main()
