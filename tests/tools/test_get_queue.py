# SPDX-License-Identifier: MIT
"""whorl-get --queue: workers that share a stream of a real redis-server.

    test_get_queue.py PROGRAM [WORD]...    run all tests, or those whose names contain a word

With TEST_SLOW=1, the workers get more work and are killed more often.
"""
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

from lib import (SANITIZED, SCALE, Certificates, Peer, Skip, contains, equal, free_port, hang_after,
                 in_turn, main, raw, read, reply, run, running, test, time, wait_measuring,
                 wait_until)

GET = os.path.abspath(sys.argv[1])
SLOW = os.environ.get('TEST_SLOW') == '1'
SEED = int(os.environ.get('TEST_SEED') or random.randrange(1 << 32))


class RedisError(Exception):
    pass


class Redis:
    """A redis-server with a directory of its own. Called with a command, it returns the reply."""

    def __init__(self, *options, durable=False, certificates=None, password=None):
        if not shutil.which('redis-server'):
            raise Skip('redis-server is not installed')
        self.directory = os.path.abspath('redis-%d' % free_port())
        os.mkdir(self.directory)
        self.port, self.socket = free_port(), os.path.join(self.directory, 's')
        self.tls_port = free_port() if certificates else 0
        self.options = ['--save', '', '--appendonly', 'yes' if durable else 'no', '--appendfsync', 'always', *options]
        if certificates:
            self.options += ['--tls-port', str(self.tls_port), '--tls-cert-file', certificates.good,
                             '--tls-key-file', certificates.key, '--tls-auth-clients', 'no']
        if password:
            self.options += ['--requirepass', password]
        self.password = password
        self.address = '127.0.0.1:%d' % self.port

    def url(self, **parameters):
        userinfo = ':%s@' % self.password if self.password else ''
        text = '&'.join('%s=%s' % p for p in parameters.items())
        return 'redis://%s%s%s' % (userinfo, self.address, '?' + text if text else '')

    def start(self):
        self.child = subprocess.Popen(
            ['redis-server', '--bind', '127.0.0.1', '--port', str(self.port), '--unixsocket', self.socket,
             '--dir', self.directory, *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, what='redis-server answering')

    def answers(self):
        with contextlib.suppress(OSError, RedisError):  # LOADING
            self.connect()
            return self('PING') == 'PONG'
        return False

    def connect(self):
        self.peer = socket.create_connection(('127.0.0.1', self.port), 10)
        self.file = self.peer.makefile('rb')
        if self.password:
            self('AUTH', self.password)

    def __call__(self, *words):
        return self.pipeline([words])[0]

    def pipeline(self, commands):
        data = []
        for words in commands:
            words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
            data.append(b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words))
        self.peer.sendall(b''.join(data))
        return [self.receive() for _ in commands]

    def receive(self):
        line = self.file.readline()
        if not line:
            raise OSError('closed')
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b'-':
            raise RedisError(rest)
        if kind == b':':
            return int(rest)
        if kind == b'$':
            return None if rest == '-1' else self.file.read(int(rest) + 2)[:-2].decode(errors='replace')
        if kind == b'*':
            return None if rest == '-1' else [self.receive() for _ in range(int(rest))]
        return rest

    def add(self, urls):
        return self.pipeline([('XADD', 'urls', '*', 'url', u) for u in urls])

    def pending(self):
        return self('XPENDING', 'urls', 'whorl-get')[0]

    def results(self, key='urls:results'):
        """Each result as a dict of its fields, with the object as another dict."""
        found = []
        for _, fields in self('XRANGE', key, '-', '+'):
            fields = dict(zip(fields[::2], fields[1::2]))
            fields['result'] = json.loads(fields['result'])
            found.append(fields)
        return found

    def kill(self):
        self.child.kill()
        self.child.wait(10)
        self.file.close()
        self.peer.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


def body(number):
    return random.Random(number).randbytes(20000)


def numbered(connection, request):
    reply(body(int(request.path[2:])))(connection, request)


def slow(seconds, data=b'slow'):
    """A route that takes its time between two halves of the body."""
    def route(connection, request):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(data), data[:1]))
        time.sleep(seconds)
        connection.sendall(data[1:])
    return route


def check_files(count, directory='.'):
    """Each file is right, also those that were fetched a second time."""
    seen = set()
    for name in os.listdir(directory):
        if name[0] != 'f':
            continue
        number = int(name[1:].split('.')[0])
        equal(read(os.path.join(directory, name)) == body(number), True)
        seen.add(number)
    equal(sorted(seen), list(range(count)))


@test
def a_worker_fetches_all_entries_writes_results_and_ends():
    with Redis() as redis, Peer({'*': numbered, '/gone': raw(b'HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n')}) as peer:
        ids = redis.add('%s/f%d' % (peer.origin, i) for i in range(40))
        ids.append(redis('XADD', 'urls', '*', 'url', peer.origin + '/f40', 'settings', 'out=named sha256=' + '0' * 64))
        ids.append(redis('XADD', 'urls', '*', 'line', peer.origin + '/f1 out="a b"'))
        ids += redis.add([peer.origin + '/gone'])
        r = get('-d', 'd', '--queue', redis.url())
        equal(r.status, 4)
        check_files(40, 'd')
        equal(read('d/a b'), body(1))
        equal(os.path.exists('d/named.bad'), True)
        equal(redis.pending(), 0)
        results = redis.results()
        equal(sorted(x['entry'] for x in results), sorted(ids))
        by_id = {x['entry']: x for x in results}
        equal([by_id[i]['ok'] for i in ids], ['1'] * 40 + ['0', '1', '0'])
        first = by_id[ids[0]]['result']
        equal((first['ok'], first['url'], first['status'], first['bytes'], first['file'], first['list']),
              (True, peer.origin + '/f0', 200, 20000, 'f0', 'urls ' + ids[0]))
        equal(by_id[ids[40]]['result']['class'], 'verify')
        equal(by_id[ids[42]]['result']['status'], 404)
        equal(redis('XINFO', 'CONSUMERS', 'urls', 'whorl-get'), [])  # it has left no trace
        r = get('--queue', redis.url())  # there is nothing left
        equal((r.status, r.messages, r.seconds < 5 * SCALE), (0, '', True))



class Crew:
    """Workers that can be killed and started again. Each has a directory of its own."""

    def __init__(self, redis, count, *options, **parameters):
        self.options = ['-q', '--queue', redis.url(**parameters), *options]
        self.count, self.children, self.kills = count, {}, 0

    def start(self, number):
        self.children[number] = subprocess.Popen([GET, '-d', 'w%d' % number, *self.options], stdin=subprocess.DEVNULL,
                                                 stderr=open('w%d.log' % number, 'ab'))

    def __enter__(self):
        for number in range(self.count):
            self.start(number)
        return self

    def kill_one(self, random):
        """Kills a worker with SIGKILL, and starts another one. False when all have ended."""
        alive = [n for n, child in self.children.items() if child.poll() is None]
        if not alive:
            return False
        number = random.choice(alive)
        self.children[number].kill()
        self.children[number].wait(10)
        self.kills += 1
        self.start(number)
        return True

    def wait(self, seconds=60):
        for child in self.children.values():
            equal(child.wait(seconds * SCALE), 0)

    def __exit__(self, *_):
        for child in self.children.values():
            child.kill()
            child.wait(10)

    def check_files(self, count):
        seen = set()
        for number in range(self.count):
            directory = 'w%d' % number
            for name in os.listdir(directory) if os.path.exists(directory) else []:
                equal(name[0], 'f')  # files without a name leave nothing
                seen.add(int(name[1:].split('.')[0]))
                equal(read(os.path.join(directory, name)) == body(int(name[1:].split('.')[0])), True)
        equal(sorted(seen), list(range(count)))

    def messages(self):
        return ''.join(read('w%d.log' % n).decode() for n in range(self.count))


def drip(connection, request):
    """The body of `numbered`, in two parts."""
    data = body(int(request.path[2:]))
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' % len(data) + data[:5000])
    time.sleep(0.1)
    connection.sendall(data[5000:])


def check_results(redis, ids):
    """Each entry has a result, and all are good."""
    results = redis.results()
    equal({x['ok'] for x in results}, {'1'})
    equal({x['entry'] for x in results}, set(ids))
    return results


@test
def four_workers_killed_at_random_lose_nothing():
    count, kills, chance = 600 if SLOW else 200, 60 if SLOW else 10, random.Random(SEED)
    print('# TEST_SEED=%d' % SEED)
    with Redis() as redis, Peer({'*': drip}) as peer:
        ids = redis.add('%s/f%d' % (peer.origin, i) for i in range(count))
        with Crew(redis, 4, '-j', '8', '--per-host', '8', claim='1s', deliveries='100') as crew:
            while crew.kills < kills and crew.kill_one(chance):
                time.sleep(chance.random() * 0.4)
            crew.wait()
            crew.check_files(count)
            check_results(redis, ids)
            equal((redis.pending(), crew.kills >= 6, crew.messages()), (0, True, ''))


@test
def a_server_that_is_killed_and_started_again_costs_nothing():
    count, chance = 1000 if SLOW else 150, random.Random(SEED)
    with Redis(durable=True) as redis, Peer({'*': drip}) as peer:
        ids = redis.add('%s/f%d' % (peer.origin, i) for i in range(count))
        with Crew(redis, 4, '-j', '4', '--per-host', '4', claim='1s', deliveries='100') as crew:
            for _ in range(10 if SLOW else 2):
                time.sleep(0.4 + chance.random() * 0.3)
                redis.kill()
                time.sleep(0.3)
                redis.start()
            crew.wait()
            crew.check_files(count)
            check_results(redis, ids)
            equal((redis.pending(), crew.messages()), (0, ''))


@test
def a_lost_connection_is_reported_once_and_a_new_one_too():
    with Redis(durable=True) as redis, Peer({'*': slow(1.5 * SCALE)}) as peer:
        redis.add([peer.origin + '/a'])
        with running(GET, '--queue', redis.url()) as child:
            wait_until(lambda: peer.requests, what='the request')
            time.sleep(0.5)  # one connection waits for entries, and the other one for results
            redis.kill()
            time.sleep(0.5)
            redis.start()
            _, err = child.communicate(timeout=60 * SCALE)
            messages = err.decode()
            equal((child.returncode, read('a'), redis.pending(), len(redis.results())), (0, b'slow', 0, 1))
            equal(messages.count('; trying again\n'), 1)
            equal(messages.count('whorl-get: redis://%s/0: connected again\n' % redis.address), 1)


@test
def what_cannot_work_is_an_error_at_once():
    with Redis(password='s3cret') as redis:
        redis('SET', 'text', '1')
        shown = 'whorl-get: redis://%s/0: ' % redis.address
        for url, message in (
                (redis.url().replace('s3cret', 'wr0ng'), shown + 'reply WRONGPASS'),
                (redis.url().replace(':s3cret@', ''), shown + 'reply NOAUTH'),
                (redis.url().replace(':s3cret@', 'me:s3cret@'), shown + 'reply WRONGPASS'),
                (redis.url(stream='text'), shown + 'reply WRONGTYPE'),
                (redis.url(results='text'), shown + "results 'text' is no stream"),
                (redis.url() + '/99', '/99: reply ERR DB index is out of range'),
                ('redis://127.0.0.1:%d' % free_port(), 'connect 127.0.0.1'),
                ('redis+unix://%s/none' % redis.directory, '/none: no such file or directory')):
            r = get('--queue', url, timeout=30)
            equal((r.status, r.out), (3, b''))
            contains(r.messages, message)
            equal('s3cret' in r.messages or 'wr0ng' in r.messages, False)
        r = get('--json', '-q', '--queue', redis.url(stream='text'))
        equal((json.loads(r.out.splitlines()[0])['url'], r.status), (None, 3))
    with contextlib.closing(socket.create_server(('127.0.0.1', 0))) as mail:
        threading.Thread(target=lambda: mail.accept()[0].sendall(b'220 mail\r\n'), daemon=True).start()
        r = get('--queue', 'redis://127.0.0.1:%d' % mail.getsockname()[1])
        contains(r.messages, 'reply is not one of Redis')
        equal(r.status, 3)


@test
def usage_errors_do_not_show_the_password():
    for argv, why in (
            (['--queue', 'http://h/'], 'must begin with redis://, rediss:// or redis+unix://'),
            (['--queue', 'redis://:s3cret@h?a=b'], 'has an unknown parameter'),
            (['--queue', 'redis://s3cret@h'], 'has a user but no password'),
            (['--queue', 'redis://h', 'http://h/'], '--queue and URLs cannot be used together'),
            (['--queue', 'redis://h', '-i', '-'], '--queue and --input cannot be used together'),
            (['--queue', 'redis://h', '-o', 'x'], '--queue and --output cannot be used together'),
            (['--queue', 'redis://h', '--base', 'http://h/'], '--queue and --base cannot be used together'),
            (['--queue', 'redis://h', '--sitemap', 'http://h/'], '--queue and --sitemap cannot be used together'),
            (['--queue', 'redis://h', '-r'], '--recursive and --queue cannot be used together'),
            (['--queue', 'redis://h', '--dry-run'], '--queue and --dry-run cannot be used together')):
        r = get(*argv)
        equal((r.status, r.out), (2, b''))
        contains(r.messages, why)
        equal('s3cret' in r.messages, False)


@test
def the_password_is_hidden_in_the_list_of_processes():
    with Redis(password='s3cret') as redis, Peer({'*': hang_after(b'')}) as peer:
        redis.add([peer.origin + '/a'])
        with running(GET, '-q', '--queue', redis.url(consumer='me')) as child:
            wait_until(lambda: peer.requests, what='the request')
            with open('/proc/%d/cmdline' % child.pid, 'rb') as f:
                shown = f.read()
            equal(b's3cret' in shown, False)
            contains(shown, b'redis://*******@127.0.0.1')
            child.terminate()
            child.wait(10 * SCALE)


@test
def hostile_entries_fail_alone():
    with Redis() as redis, Peer({'*': numbered}) as peer:
        good = redis.add([peer.origin + '/f0'])
        bad = {}
        for words, why in ((['a', 'b'], 'entry has neither url nor line'),
                           (['url', b'http://h/\0x'], 'entry contains a NUL byte'),
                           (['url', ''], 'entry has no URL in it'),
                           (['line', '# no'], 'entry has no URL in it'),
                           (['url', 'http://h/', 'line', 'http://h/'], 'entry has both url and line'),
                           (['line', 'http://h/', 'settings', 'size=1'], 'entry has line and settings'),
                           (['url', bytes(range(1, 256))], 'URL'),
                           (['url', 'x' * 70000], 'entry is too long'),
                           (['url', 'x' * 9000000], 'entry is too long'),
                           (['url', 'http://h/\r\nX: 1'], 'URL'),
                           (['url', 'ftp://h/'], 'URL'),
                           (['url', 'http://h/', 'settings', 'x=1'], "settings: unknown setting 'x'"),
                           (['url', 'http://h/', 'settings', 'out=../x'], 'out is not the name of a file')):
            bad[redis('XADD', 'urls', '*', *words)] = why
        good += redis.add([peer.origin + '/f1'])
        deleted = redis.add([peer.origin + '/f2'])
        redis('XGROUP', 'CREATE', 'urls', 'whorl-get', '0')
        redis('XREADGROUP', 'GROUP', 'whorl-get', 'dead', 'STREAMS', 'urls', '>')
        redis('XDEL', 'urls', *deleted)
        time.sleep(0.2)
        r = get('--queue', redis.url(claim='100ms'))
        equal((r.status, r.messages.isprintable() or '\0' not in r.messages), (1, True))
        check_files(2)
        results = {x['entry']: x for x in redis.results()}
        equal(sorted(results), sorted(good + list(bad)))
        for i, why in bad.items():
            result = results[i]['result']
            contains('%s %s' % (result['step'], result['error']) if ':' not in why else
                     '%s: %s' % (result['step'], result['error']), why)
        equal((redis.pending(), len(redis.results())), (0, len(good) + len(bad)))


@test
def a_slow_transfer_is_not_taken_from_a_worker_that_lives():
    with Redis() as redis, Peer({'*': slow(2 * SCALE)}) as peer:
        redis.add([peer.origin + '/a'])
        with Crew(redis, 3, claim='%dms' % (900 * SCALE)) as crew:
            crew.wait()
        equal((peer.count('/a'), len(redis.results()), redis.pending()), (1, 1, 0))


@test
def a_worker_waits_for_the_entries_of_others_and_takes_them_when_these_are_gone():
    with Redis() as redis, Peer({'/a': in_turn(slow(60), reply(b'fast'))}) as peer:
        redis.add([peer.origin + '/a'])
        with running(GET, '-d', '1', '--queue', redis.url(claim='500ms')) as first:
            wait_until(lambda: peer.requests, what='the request')
            with running(GET, '-d', '2', '--queue', redis.url(claim='500ms')) as second:
                time.sleep(0.7)
                equal((second.poll(), peer.count('/a')), (None, 1))
                first.kill()
                equal((second.wait(30 * SCALE), read('2/a'), peer.count('/a')), (0, b'fast', 2))
        equal((os.listdir('1'), redis.pending(), len(redis.results())), ([], 0, 1))


@test
def an_interrupted_worker_gives_back_what_it_has_not_finished():
    with Redis() as redis, Peer({'/done': reply(b'1'), '*': hang_after(b'')}) as peer:
        ids = redis.add([peer.origin + '/done'] + ['%s/f%d' % (peer.origin, i) for i in range(30)])
        with running(GET, '-q', '-j', '4', '--queue', redis.url(claim='1h')) as child:
            wait_until(lambda: len(peer.requests) >= 5, what='the requests')
            child.send_signal(signal.SIGINT)
            equal(child.wait(10 * SCALE), -signal.SIGINT)
        equal([x['entry'] for x in redis.results()], ids[:1])
        pending = redis('XPENDING', 'urls', 'whorl-get', '-', '+', 100)
        equal(4 <= len(pending) <= 6, True)  # those in work, and at most a quarter more
        equal({(row[2] >= 3600000, row[3]) for row in pending}, {(True, 0)})
        peer.routes = {'/done': reply(b'1'), '*': numbered}
        equal(get('-q', '--queue', redis.url(claim='1h')).status, 0)
        check_files(30)
        check_results(redis, ids)


@test
def an_entry_that_ended_several_workers_fails():
    with Redis() as redis, Peer({'/bad': slow(60), '*': numbered}) as peer:
        ids = redis.add([peer.origin + '/bad', peer.origin + '/f0'])
        for number in range(1, 4):
            with running(GET, '-q', '--queue', redis.url(claim='200ms', deliveries=3)) as child:
                wait_until(lambda: peer.count('/bad') == number and redis('EXISTS', 'urls:results') == 1,
                           what='the request, and the result of the other')
                child.kill()
        r = get('--queue', redis.url(claim='200ms', deliveries=3))
        contains(r.messages, '/bad: queue was given to 3 workers, and none of them has finished it')
        results = {x['entry']: x['ok'] for x in redis.results()}
        equal((results, redis.pending(), peer.count('/bad')), ({ids[0]: '0', ids[1]: '1'}, 0, 3))


@test
def a_named_worker_begins_with_what_it_had():
    with Redis() as redis, Peer({'*': slow(60)}) as peer:
        redis.add([peer.origin + '/f0'])
        with running(GET, '-q', '--queue', redis.url(claim='1h', consumer='me')) as child:
            wait_until(lambda: peer.requests, what='the request')
            child.kill()
        peer.routes = {'*': numbered}
        equal(get('-q', '--queue', redis.url(claim='1h', consumer='me')).status, 0)
        check_files(1)
        equal((redis.pending(), redis.results()[0]['worker']), (0, 'me'))


@test
def with_wait_a_worker_takes_entries_that_come_later():
    with Redis() as redis, Peer({'*': numbered}) as peer:
        with running(GET, '-q', '--queue', redis.url(wait=1)) as child:
            time.sleep(0.3)
            for number in range(3):
                redis.add(['%s/f%d' % (peer.origin, number)])
                wait_until(lambda: len(redis.results()) == number + 1, what='the result')
            equal(child.poll(), None)
            child.terminate()
            equal(child.wait(10 * SCALE), -signal.SIGTERM)
        check_files(3)


@test
def it_connects_over_tls_and_unix_sockets_and_to_a_database():
    certificates = Certificates()
    try:
        with Redis(certificates=certificates) as redis, Peer({'*': numbered}) as peer:
            for number, url in enumerate(('redis+unix://%s?db=2' % redis.socket, redis.url() + '/2',
                                          'rediss://localhost:%d/2' % redis.tls_port)):
                redis('SELECT', '2')
                redis.add(['%s/f%d' % (peer.origin, number)])
                r = get('-q', '--cacert', certificates.ca, '--queue', url)
                equal((r.status, r.messages), (0, ''))
            check_files(3)
            r = get('--queue', 'rediss://localhost:%d' % redis.tls_port)
            equal(r.messages.count('\n'), 1)
            contains(r.messages, 'whorl test ca, which is not trusted\n')
            equal(r.status, 3)
    finally:
        certificates.remove()


class Wire:
    """A relay to a Redis server. `cut(data)` is asked about each part that the worker sends; its
    answer is None, or which side of the server the connection is cut at: 'before', 'after'."""

    def __init__(self, redis, cut):
        self.redis, self.cut = redis, cut
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.url = 'redis://127.0.0.1:%d' % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(('127.0.0.1', self.redis.port))
                threading.Thread(target=self.copy, args=(far, near), daemon=True).start()
                threading.Thread(target=self.relay, args=(near, far), daemon=True).start()

    def copy(self, source, to):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_RDWR)

    def relay(self, near, far):
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                where = self.cut(data)
                if where:
                    near.shutdown(socket.SHUT_RDWR)
                if where == 'after':  # the server works, and nobody hears the reply
                    far.sendall(data)
                    time.sleep(0.2)
                if where:
                    break
                far.sendall(data)
        far.close()


@test
def a_connection_lost_at_any_command_loses_and_doubles_nothing():
    rest = ((b'EXEC', 'before', (1, 2)), (b'XREADGROUP', 'before', (1, 2)), (b'XPENDING', 'before', (1, 2)),
            (b'TYPE', 'after', (2,)), (b'SELECT', 'after', (2,)))
    for word, where, nths in ((b'EXEC', 'after', (1, 2)), (b'XREADGROUP', 'after', (1, 2)), (b'XPENDING', 'after', (1,)),
                              (b'XGROUP', 'after', (2,)), *(rest if SLOW else ())):
        for nth in nths:
            seen = []

            def cut(data):
                if word in data:
                    seen.append(word)
                return where if word in data and len(seen) == nth else None
            with Redis() as redis, Peer({'*': numbered}) as peer:
                ids = redis.add('%s/f%d' % (peer.origin, i) for i in range(12))
                wire = Wire(redis, cut)
                r = get('-d', 'd', '-j', '2', '--queue', wire.url + '?claim=1h', timeout=30)
                wire.listener.close()
                equal(r.status, 0)
                equal(len(check_results(redis, ids)), 12)
                equal((redis.pending(), len(peer.requests), len(seen) >= nth), (0, 12, True))
            shutil.rmtree('d')


def answering(command, text):
    """A server that gives this reply to the command, and good ones to all others."""
    replies = {b'XGROUP': b'+OK\r\n', b'TYPE': b'+none\r\n', b'XREADGROUP': b'*-1\r\n', b'XCLAIM': b'*0\r\n',
               b'XPENDING': b'*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\na\r\n:9\r\n:1\r\n', b'SELECT': b'+OK\r\n', command: text}
    listener = socket.create_server(('127.0.0.1', 0))

    def serve(connection):
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(replies[data.split(b'\r\n')[2]])

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener


@test
def replies_of_a_wrong_form_end_the_worker():
    stream = b'*1\r\n*2\r\n$4\r\nurls\r\n'
    for command in (b'XREADGROUP', b'XCLAIM', b'XPENDING'):
        for text in (b'+OK\r\n', b':7\r\n', b'$-1\r\n', b'*1\r\n*-1\r\n', b'*2\r\n:1\r\n:1\r\n',
                     b'*1\r\n*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n', b'*1\r\n*4\r\n$60\r\n%s\r\n:1\r\n:1\r\n:1\r\n' % (b'1' * 60),
                     b'*1\r\n*2\r\n$3\r\n1-1\r\n:1\r\n', b'*1\r\n*2\r\n$3\r\n1-2\r\n*1\r\n$1\r\na\r\n',
                     b'*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n:1\r\n', stream + b'*1\r\n:1\r\n',
                     stream + b'*1\r\n*1\r\n:1\r\n', stream + b'*1\r\n*2\r\n$1\r\na\r\n*1\r\n$1\r\na\r\n', b'-ERR no\r\n'):
            with contextlib.closing(answering(command, text)) as server:
                r = get('--queue', 'redis://127.0.0.1:%d?claim=1h' % server.getsockname()[1], timeout=30)
                equal((r.status, r.out, r.messages.count('\n')), (3, b'', 1))
                contains(r.messages, ': reply ' + ('ERR no' if b'ERR' in text else 'has not the expected form'))


@test
def a_file_is_on_the_disk_before_its_entry_is_acknowledged():
    if not shutil.which('strace') or run('strace', '-f', 'true').status != 0:
        raise Skip('strace cannot be used')
    with Redis() as redis, Peer({'*': numbered}) as peer:
        redis.add([peer.origin + '/f0'])
        run('strace', '-f', '-y', '-o', 'log', '-e', 'trace=fsync,fdatasync,sendto,sendmsg,write,writev',
            GET, '-d', 'd', '-x', '--queue', redis.url(), env={'WHORL_DRIVER': 'epoll', 'ASAN_OPTIONS': 'detect_leaks=0'})
        log = read('log').decode(errors='replace')
        equal(redis.pending(), 0)
        places = [re.search(pattern, log).start() for pattern in
                  (r'fsync\(\d+<[^>]*/d/[^/>]*/f0>', r'fsync\(\d+<[^>]*/d/[^/>]*>', r'fsync\(\d+<[^>]*/d>', 'MULTI')]
        equal(places, sorted(places))
        equal(re.search(r'fsync\(.* = -1', log), None)


@test
def a_worker_that_cannot_store_files_leaves_the_entries_to_others():
    os.mkdir('full')
    with Redis() as redis, Peer({'*': lambda c, r: reply(body(int(r.path[2:])) * 10)(c, r)}) as peer:
        ids = redis.add('%s/f%d' % (peer.origin, i) for i in range(20))
        mount = 'mount -t tmpfs -o size=64k none full && shift && exec "$@"'
        r = run('unshare', '-m', 'sh', '-c', mount, 'sh', '-', GET, '-q', '-j', '2', '-d', 'full', '--queue',
                redis.url(claim='1h'))
        if 'unshare' in r.messages or 'mount:' in r.messages:
            raise Skip('a small file system cannot be mounted')
        contains(r.messages, 'no space left on device; this worker takes no more entries, and leaves them to others')
        equal((r.status, redis('EXISTS', 'urls:results')), (3, 0))
        equal(len(peer.requests) < 20, True)
        equal(get('-q', '-d', 'd', '--queue', redis.url(claim='1h', deliveries=1)).status, 0)
        check_results(redis, ids)
        equal(sorted(os.listdir('d')), sorted('f%d' % i for i in range(20)))


@test
def few_entries_are_held_and_the_memory_is_constant():
    peaks = []
    for count in (1000, 100000 if SLOW else 20000):
        with Redis() as redis:
            for first in range(0, count, 1000):
                redis.add(['x%d' % i for i in range(first, first + 1000)])  # these are no URLs
            with running(GET, '-q', '--queue', redis.url(), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL) as child:
                peaks.append(wait_measuring(child))
                equal(child.returncode, 3)
            equal((redis('XLEN', 'urls:results'), redis.pending()), (count, 0))
    equal(SANITIZED or peaks[1] < peaks[0] + 3000, True)
    with Redis() as redis, Peer({'*': hang_after(b'')}) as peer:
        redis.add(['%s/f%d' % (peer.origin, i) for i in range(1000)])
        with running(GET, '-q', '-j', '8', '--queue', redis.url()) as child:
            wait_until(lambda: len(peer.requests) >= 6, what='the requests')
            time.sleep(1)
            equal(redis.pending(), 11)  # --jobs and a quarter, and one
            child.kill()


print('# TEST_SEED=%d' % SEED)
main()
