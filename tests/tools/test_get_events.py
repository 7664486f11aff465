# SPDX-License-Identifier: MIT
"""What whorl-get tells while it works: the stream of --events, the bars, and lines off a terminal.

    test_get_events.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

from lib import *
from ranged import RangedFile

GET = os.path.abspath(sys.argv[1])
UNKNOWN_LENGTH = b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello'
NAMES = ['queued', 'started', 'resolved', 'connected', 'upload', 'headers', 'progress', 'retry', 'verified', 'done',
         'summary']


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


def parse(data):
    """The events of a stream. Each line must be an object that has what all events have."""
    events = [json.loads(line) for line in data.decode().splitlines()]
    last = 0
    for e in events:
        equal(list(e)[:3], ['event', 'time', 'id'])
        equal((e['event'] in NAMES, e['time'] >= last), (True, True))
        last = e['time']
    equal(events[-1]['event'], 'summary')
    return events


def names(events, id=1, progress=False):
    """The names of the events of a transfer. Whether a short body has progress depends on the time,
    so it is left out unless it is asked for; then progress in a row counts once."""
    found = [e['event'] for e in events if e['id'] == id]
    return [n for i, n in enumerate(found) if n != 'progress' or (progress and found[i - 1] != n)]


def one(events, name, id=1):
    found = [e for e in events if e['event'] == name and e['id'] == id]
    equal(len(found), 1)
    return found[0]


def slowly(body, parts, pause, unknown=False):
    """A route that sends the body in parts, with a pause before each but the first."""
    def route(connection, request):
        head = 'HTTP/1.1 200 OK\r\nConnection: close\r\n'
        head += '' if unknown else 'Content-Length: %d\r\n' % len(body)
        connection.sendall(head.encode() + b'\r\n')
        size = len(body) // parts
        for i in range(parts):
            if i > 0:
                time.sleep(pause)
            connection.sendall(body[i * size:(i + 1) * size if i < parts - 1 else None])
    return route


UPLOAD = 32 << 20


def reads(size, parts, pause, status='200 OK'):
    """A route that reads a body of this size in parts, with a pause before each, and answers."""
    def route(connection, request):
        if 'expect' in request.headers:
            connection.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
        left = size
        for i in range(parts):
            time.sleep(pause)
            end = size - size * (i + 1) // parts
            while left > end:
                part = connection.recv(min(left - end, 1 << 20))
                if not part:
                    return
                left -= len(part)
        reply(b'', status)(connection, request)
    return route


def dead_port():
    """A port on which nothing listens."""
    return 'http://127.0.0.1:%d' % free_port()


# The course of a transfer


@test
def a_success_is_told_step_by_step():
    with Peer({'/a': slowly(b'x' * 1000, 4, 0.3)}) as peer:
        r = get('--events', 'jsonl', '-d', 'out', 'http://localhost:%d/a' % peer.port)
    events = parse(r.out)
    equal(r.status, 0)
    equal(names(events, progress=True),
          ['queued', 'started', 'resolved', 'connected', 'headers', 'progress', 'verified', 'done'])
    queued, done = one(events, 'queued'), one(events, 'done')
    equal((queued['url'], queued['list'], queued['line']), ('http://localhost:%d/a' % peer.port, None, None))
    equal(one(events, 'started')['name'], 'a')
    resolved, connected = one(events, 'resolved'), one(events, 'connected')
    equal((resolved['host'], connected['host']), ('localhost', 'localhost'))
    contains(resolved['addresses'], '127.0.0.1:%d' % peer.port)
    equal(connected['address'], '127.0.0.1:%d' % peer.port)
    headers = one(events, 'headers')
    equal((headers['try'], headers['status'], headers['length'], headers['redirects'], headers['reused'],
           headers['version'], headers['final_url']), (1, 200, 1000, 0, False, 'HTTP/1.1', queued['url']))
    equal(headers['headers'], [['Connection', 'close'], ['Content-Length', '1000']])
    progress = [e for e in events if e['event'] == 'progress']
    equal([e['bytes'] for e in progress], sorted(set(e['bytes'] for e in progress)))
    equal(all(e['length'] == 1000 and e['connections'] == 1 and 0 < e['bytes'] <= 1000 for e in progress), True)
    verified = one(events, 'verified')
    equal((verified['bytes'], verified['length'], verified['hash']), (1000, 1000, None))
    equal((done['ok'], done['dir'], done['file'], done['bytes'], done['final_url'], done['tries']),
          (True, 'out', 'a', 1000, queued['url'], 1))
    equal(done['body_seconds'] >= 0.8, True)
    phases = sum(v for k, v in done.items() if k.endswith('_seconds'))
    # The time in the queue before the start belongs to a phase, but not to `seconds`.
    equal(abs(phases - (done['time'] - queued['time'])) < 0.1 * SCALE, True)
    equal((events[-1]['ok'], events[-1]['failed'], events[-1]['bytes'], events[-1]['interrupted']),
          (1, 0, 1000, False))


@test
def a_body_of_unknown_length_has_no_length():
    with Peer({'/a': slowly(b'x' * 1000, 3, 0.3, unknown=True)}) as peer:
        events = parse(get('--events', 'jsonl', peer.origin + '/a').out)
    equal(one(events, 'headers')['length'], None)
    equal({e['length'] for e in events if e['event'] == 'progress'}, {None})
    equal(one(events, 'verified')['bytes'], 1000)


@test
def a_retry_tells_its_cause_and_its_delay():
    route = in_turn(reply(b'later', '503 Busy'), reset, reply(b'x', '429 Slow', [('Retry-After', '1')]), reply(b'x'))
    with Peer({'/a': route}) as peer:
        events = parse(get('--events', 'jsonl', peer.origin + '/a').out)
    equal(names(events), ['queued', 'started'] + ['connected', 'headers', 'retry', 'connected', 'retry'] +
          ['connected', 'headers', 'retry'] + ['connected', 'headers', 'verified', 'done'])
    first, second, third = [e for e in events if e['event'] == 'retry']
    equal((first['try'], first['status'], first['step'], first['error'], first['class'], first['code']),
          (1, 503, 'status', '503 Busy', 'status', None))
    equal((second['try'], second['status'], second['class'], second['code']), (2, None, 'connect', 'ECONNRESET'))
    equal(0 <= first['delay'] <= 0.5 and 0.9 <= third['delay'] <= 1, True)
    done = one(events, 'done')
    equal((done['ok'], done['tries'], [e['try'] for e in events if e['event'] == 'headers']), (True, 4, [1, 3, 4]))
    equal(abs(done['retry_seconds'] - first['delay'] - second['delay']) < 0.5 * SCALE, True)
    equal(abs(done['throttled_seconds'] - third['delay']) < 0.5 * SCALE, True)


@test
def a_redirect_is_told_by_the_headers():
    with Peer({'/a': reply(b'', '302 Found', [('Location', '/b')]), '/b': reply(b'x')}) as peer:
        events = parse(get('--events', 'jsonl', peer.origin + '/a').out)
    equal(names(events), ['queued', 'started', 'connected', 'connected', 'headers', 'verified', 'done'])
    headers = one(events, 'headers')
    equal((headers['redirects'], headers['final_url']), (1, peer.origin + '/b'))
    equal(one(events, 'done')['redirect_seconds'] > 0, True)


@test
def time_before_a_redirect_is_told_as_such():
    def slow(target):
        def route(connection, request):
            time.sleep(0.3)
            reply(b'', '302 Found', [('Location', target)])(connection, request)
        return route
    routes = {'/%d' % i: slow('/%d' % (i + 1)) for i in range(9)}
    with Peer({**routes, '/9': reply(b'x')}) as peer:
        done = one(parse(get('--events', 'jsonl', peer.origin + '/0').out), 'done')
    equal((done['redirects'], done['redirect_seconds'] >= 2.7, done['first_byte_seconds'] < 0.3), (9, True, True))


@test
def a_limit_of_the_rate_is_told_as_such():
    with Peer({'/a': reply(b'x' * 200_000)}) as peer:
        r = get('--events', 'jsonl', '--timeline', 't.svg', '--limit-rate', '100k', peer.origin + '/a')
    done = one(parse(r.out), 'done')
    equal((done['throttled_seconds'] >= 1, done['body_seconds'] < 0.5 * SCALE), (True, True))
    contains(lanes('t.svg')[0][1], '; throttled ')


@test
def transfers_over_http2_share_a_connection():
    os.mkdir('www')
    for i in range(6):
        with open('www/%d' % i, 'w') as f:
            f.write('x' * 1000)
    with Nghttpd('www') as server:
        r = get('--events', 'jsonl', '--http2', *('%s/%d' % (server.origin, i) for i in range(6)))
    if 'this build of whorl does not speak HTTP/2' in r.messages:
        raise Skip('whorl was built without HTTP/2')
    events = parse(r.out)
    equal((r.status, sum(e['event'] == 'connected' for e in events)), (0, 1))
    equal({e['version'] for e in events if e['event'] == 'headers'}, {'HTTP/2'})
    for i in range(1, 7):
        done = one(events, 'done', i)
        spent = sum(v for k, v in done.items() if k.endswith('_seconds'))
        equal(abs(spent - (done['time'] - one(events, 'queued', i)['time'])) < 0.1 * SCALE, True)


@test
def a_failure_belongs_to_the_phase_in_which_it_happened():
    with socket.socket() as hole, socket.socket() as mute:
        hole.bind(('127.0.0.1', 0))
        hole.listen(0)
        mute.bind(('127.0.0.1', 0))
        mute.listen(5)
        full = [socket.socket() for _ in range(4)]
        for s in full:
            s.setblocking(False)
            s.connect_ex(hole.getsockname())
        try:
            for url, phase in (('http://127.0.0.1:%d/' % hole.getsockname()[1], 'connect'),
                               ('https://127.0.0.1:%d/' % mute.getsockname()[1], 'tls'),
                               ('http://127.0.0.1:%d/' % mute.getsockname()[1], 'first_byte')):
                r = get('--events', 'jsonl', '--retries', '0', '--connect-timeout', '0.5', '--stall-timeout', '0.5', url)
                done = one(parse(r.out), 'done')
                spent = {k[:-8]: v for k, v in done.items() if k.endswith('_seconds') and v > 0.25}
                equal(list(spent), [phase])
        finally:
            for s in full:
                s.close()


@test
def the_phases_of_tls_are_told():
    certificates = Certificates()
    nginx = Nginx(certificates)
    try:
        nginx.put('a', b'x' * 100)
        r = get('--events', 'jsonl', '--cacert', certificates.ca, '-j', '1', nginx.https + '/a', nginx.https + '/a', nginx.http + '/a')
    finally:
        nginx.stop()
        certificates.remove()
    first, second, plain = (one(parse(r.out), 'done', i) for i in (1, 2, 3))
    equal([d['ok'] for d in (first, second, plain)], [True] * 3)
    equal([d['tls_seconds'] > 0 for d in (first, second, plain)], [True, False, False])
    equal([d['connect_seconds'] > 0 for d in (first, second, plain)], [True, False, True])
    equal(first['tls_seconds'] >= first['handshake'] > 0, True)


@test
def failures_are_told_with_step_and_code():
    with Peer({}) as peer:
        r = get('--events', 'jsonl', '--retries', '0', dead_port() + '/a', peer.origin + '/404', 'bad')
    events = parse(r.out)
    equal(r.status, 3)
    equal(names(events, 1), ['queued', 'started', 'done'])
    equal(names(events, 2), ['queued', 'started', 'connected', 'headers', 'done'])
    equal(names(events, 3), ['queued', 'done'])
    equal([(d['ok'], d['step'], d['code']) for d in (one(events, 'done', i) for i in (1, 2))],
          [(False, 'connect', 'ECONNREFUSED'), (False, 'status', None)])
    equal((one(events, 'done', 3)['step'], one(events, 'done', 3)['tries']), ('URL', 0))
    equal(events[-1]['failed'], 3)


@test
def an_interruption_ends_what_is_active_and_what_waits():
    with Peer({'*': hang_after(UNKNOWN_LENGTH)}) as peer:
        with running(GET, '--events', 'jsonl', '-j', '1', *('%s/%d' % (peer.origin, i) for i in range(3))) as child:
            wait_until(lambda: peer.requests, what='the request')
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(timeout=30)
            equal(child.returncode, -signal.SIGINT)
    events = parse(out)
    equal(names(events, 1), ['queued', 'started', 'connected', 'headers', 'done'])
    equal((names(events, 2), names(events, 3)), (['queued', 'done'],) * 2)
    equal({(e['ok'], e['code'], e['tries']) for e in events if e['event'] == 'done'},
          {(False, 'ECANCELED', 1), (False, 'ECANCELED', 0)})
    equal((events[-1]['interrupted'], events[-1]['failed']), (True, 3))


@test
def a_kept_connection_is_not_connected_again():
    def route(connection, request):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')
        connection.recv(65536)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')
    with Peer({'*': route}) as peer:
        events = parse(get('--events', 'jsonl', '-j', '1', peer.origin + '/a', peer.origin + '/b').out)
    equal(names(events, 2), ['queued', 'started', 'headers', 'verified', 'done'])
    equal(one(events, 'headers', 2)['reused'], True)


@test
def lines_of_lists_are_told_with_their_place():
    with Peer({'*': reply(b'x')}) as peer:
        with open('list', 'wb') as f:
            f.write(b'# none\n%s/a\nb\0d\n' % peer.origin.encode())
        events = parse(get('--events', 'jsonl', '-i', 'list').out)
    queued = one(events, 'queued')
    equal((queued['list'], queued['line']), ('list', 2))
    bad = one(events, 'done', None)
    equal((bad['url'], bad['list'], bad['line'], bad['step']), (None, 'list', 3, 'line'))


@test
def a_hash_that_was_compared_is_told():
    with Peer({'/a': reply(b'x')}) as peer:
        events = parse(get('--events', 'jsonl', '--checksum', 'sha256=' + hashlib.sha256(b'x').hexdigest(), peer.origin + '/a').out)
        equal(one(events, 'verified')['hash'], 'sha256')
        events = parse(get('--events', 'jsonl', '--checksum', 'sha256=' + hashlib.sha256(b'y').hexdigest(), peer.origin + '/a').out)
        equal(names(events), ['queued', 'started', 'connected', 'headers', 'done'])
        equal((one(events, 'done')['ok'], one(events, 'done')['class']), (False, 'verify'))


@test
def a_file_that_is_continued_counts_what_was_there():
    body = os.urandom(4 << 20)

    def route(connection, request):
        start = int(request.headers.get('range', 'bytes=0-')[6:].rstrip('-').split('-')[0])
        part = body[start:]
        head = 'HTTP/1.1 %s\r\nETag: "a"\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n' % (
            '206 Partial Content' if start else '200 OK', len(part),
            'Content-Range: bytes %d-%d/%d\r\n' % (start, len(body) - 1, len(body)) if start else '')
        connection.sendall(head.encode() + part[:3 << 20])
        if start == 0:
            time.sleep(0.5)
            return
        connection.sendall(part[3 << 20:])
    with Peer({'/a': route}) as peer:
        r = get('--events', 'jsonl', peer.origin + '/a')
    events = parse(r.out)
    equal((r.status, os.path.getsize('a')), (0, len(body)))
    progress = [e['bytes'] for e in events if e['event'] == 'progress']
    equal(progress, sorted(progress))
    equal({e['length'] for e in events if e['event'] in ('progress', 'headers', 'verified')}, {len(body)})
    equal((one(events, 'verified')['bytes'], one(events, 'done')['tries']), (len(body), 2))


@test
def a_file_over_several_connections_is_one_transfer():
    data = os.urandom(8 << 20)
    with RangedFile(data, rate=1 << 20) as server:
        r = get('--events', 'jsonl', '--split', '4', '-o', 'f', server.url)
    events = parse(r.out)
    progress = [e for e in events if e['event'] == 'progress']
    equal((r.status, os.path.getsize('f')), (0, len(data)))
    equal([e['bytes'] for e in progress], sorted(e['bytes'] for e in progress))
    equal({e['length'] for e in progress}, {len(data)})
    equal((max(e['bytes'] for e in progress) <= len(data), max(e['connections'] for e in progress)), (True, 4))
    rates = [e['rate'] for e in progress[3:-3]]
    equal(max(rates) > 2 << 20, True)
    found = names(events)
    equal((found.count('headers'), found[-2:]), (1, ['verified', 'done']))
    done = one(events, 'done')
    spent = sum(v for k, v in done.items() if k.endswith('_seconds'))
    equal(abs(spent - (done['time'] - one(events, 'queued')['time'])) < 0.1 * SCALE, True)
    equal(done['body_seconds'] > 0.8 * done['seconds'], True)


@test
def the_bar_of_a_split_file_is_right():
    data = os.urandom(8 << 20)
    with RangedFile(data, rate=2 << 20) as server:
        server.cuts = [0, 700_000]  # one of the connections breaks
        with Terminal(GET, '--split', '3', '-o', 'f', server.url, columns=120) as t:
            equal(t.finish(), 0)
    parts = [int(p) for p in re.findall(rb'(\d+)%', t.output)]
    equal((parts == sorted(parts), len(set(parts)) > 10, parts[-1] <= 100), (True, True, True))
    contains(t.output, b'f (3 connections)')


# Foreign text


@test
def hostile_text_makes_valid_lines():
    headers = [('X-Evil', '"}\\ \xff\xfe'), ('Set-Cookie', 'id=s3cret'), ('X-Evil', '\u00fc')]
    with Peer({'*': reply(b'x', '200 "}\x80', headers)}) as peer:
        host = '127.0.0.1:%d' % peer.port
        paths = ['/%22%7D%0A', '/%FF%1B', '/a\xff'.encode('latin-1'), '/' + 'x' * 5000]
        with open('list', 'wb') as f:
            for path in paths:
                f.write(b'http://me:hunter2@%s%s\n' % (host.encode(), path if isinstance(path, bytes) else path.encode()))
        for locale in ('C', 'C.UTF-8'):
            r = get('--events', 'jsonl', '-d', locale, '-i', 'list', env={'LC_ALL': locale})
            events = parse(r.out)
            equal((r.status in (0, 1), b'hunter2' in r.out, b's3cret' in r.out), (True, False, False))
            equal(any(c < 32 and c != 10 or c == 127 for c in r.out), False)
            equal(locale == 'C' and not r.out.isascii(), False)
            equal(len([e for e in events if e['event'] == 'done']), len(paths))
            found = one(events, 'headers')['headers']
            contains(found, ['Set-Cookie', '***'])
            equal([v for n, v in found if n == 'X-Evil'][0].startswith('"}\\ '), True)


# Where the stream goes


@test
def the_stream_may_be_a_descriptor_or_a_file():
    with Peer({'*': reply(b'x')}) as peer:
        reader, writer = os.pipe()
        child = subprocess.run([GET, '--events', 'jsonl:%d' % writer, '--json', peer.origin + '/a'],
                               pass_fds=[writer], capture_output=True, timeout=60)
        os.close(writer)
        with open(reader, 'rb') as f:
            events = parse(f.read())
        equal((child.returncode, one(events, 'done')['ok']), (0, True))
        equal([json.loads(line)['ok'] for line in child.stdout.splitlines()], [True, 1])
        with open('events', 'w') as f:
            f.write('old' * 10000)
        equal(get('--events', 'jsonl:events', peer.origin + '/b').status, 0)
        with open('events', 'rb') as f:
            equal(names(parse(f.read()))[-1], 'done')
        r = get('--events', 'jsonl:2', '-q', peer.origin + '/c')
        equal((r.out, names(parse(r.err))[-1]), (b'', 'done'))


@test
def a_target_that_cannot_be_written_is_wrong_usage():
    os.mkfifo('fifo')
    with Peer({'*': reply(b'x')}) as peer:
        for target in ('jsonl:77', 'jsonl:0', 'jsonl:no/such', 'jsonl:fifo', 'jsonl:.'):
            r = get('--events', target, peer.origin + '/a')
            equal((r.status, os.path.exists('a')), (2, False))
            equal(r.messages.startswith('whorl-get: '), True)
        equal(run('sh', '-c', '"$@" >&-', 'sh', GET, '--events', 'jsonl', peer.origin + '/a').status, 2)
        equal(peer.requests, [])


@test
def a_reader_that_goes_away_stops_no_transfer():
    with Peer({'*': slowly(b'x' * 1000, 2, 0.5)}) as peer:
        urls = ['%s/%d' % (peer.origin, i) for i in range(20)]
        with running(GET, '--events', 'jsonl', *urls) as child:
            child.stdout.readline()
            child.stdout.close()
            child.stdout = None
            _, err = child.communicate(timeout=60)
            equal(child.returncode, 1)
    contains(err.decode(), 'whorl-get: events: write: broken pipe')
    equal([os.path.getsize(str(i)) for i in range(20)], [1000] * 20)


@test
def a_full_disk_loses_the_events_and_no_file():
    with Peer({'*': reply(b'x')}) as peer:
        r = get('--events', 'jsonl:/dev/full', peer.origin + '/a')
    equal((r.status, os.path.getsize('a')), (1, 1))
    contains(r.messages, 'whorl-get: events: write: no space left on device')


@test
def a_reader_that_stops_reading_is_given_up():
    with Peer({'*': reply(b'x')}) as peer:
        with open('list', 'w') as f:
            for i in range(60):
                f.write('%s/%d?%s\n' % (peer.origin, i, 'x' * 20_000))
        with running(GET, '--events', 'jsonl', '-d', 'out', '-q', '-i', 'list') as child:
            child.wait(60 * SCALE)  # standard output is not read
            equal(child.returncode, 1)
            contains(child.stderr.read().decode(), 'events: write: their reader has stopped reading')
    equal(len(os.listdir('out')), 60)


@test
def a_slow_reader_misses_nothing_but_progress():
    with Peer({'*': reply(b'x')}) as peer:
        with open('list', 'w') as f:
            for i in range(40):
                f.write('%s/%d?%s\n' % (peer.origin, i, 'x' * 20_000))
        with running(GET, '--events', 'jsonl', '-d', 'out', '-q', '-i', 'list') as child:
            data = b''
            while part := os.read(child.stdout.fileno(), 50_000):
                data += part
                time.sleep(0.02)
            equal(child.wait(30), 0)
    equal(sum(e['event'] == 'done' for e in parse(data)), 40)


@test
def an_interruption_does_not_wait_for_the_reader():
    with Peer({'*': hang_after(UNKNOWN_LENGTH)}) as peer:
        with open('list', 'w') as f:
            for i in range(60):
                f.write('%s/%d?%s\n' % (peer.origin, i, 'x' * 20_000))
        with running(GET, '--events', 'jsonl', '-q', '-i', 'list') as child:
            wait_until(lambda: len(peer.requests) >= 6, what='the requests')
            start = time.monotonic()
            child.send_signal(signal.SIGINT)
            child.wait(60)
            equal((child.returncode, time.monotonic() - start < 4 * SCALE), (-signal.SIGINT, True))


@test
def progress_comes_at_most_five_times_per_second():
    with Peer({'/a': slowly(b'x' * 4000, 200, 0.01)}) as peer:
        events = parse(get('--events', 'jsonl', peer.origin + '/a').out)
        on_stderr = parse(get('-q', '--events', 'jsonl:2', peer.origin + '/a').err)
    contains(names(on_stderr, progress=True), 'progress')
    times = [e['time'] for e in events if e['event'] == 'progress']
    equal(len(times) >= 3, True)
    equal(min(b - a for a, b in zip(times, times[1:])) >= 0.19, True)


# The bars


def frames(t):
    """The frames that a terminal got: each ends by clearing the rest of the screen."""
    return t.output.split(b'\x1b[J')[:-1]


@test
def at_most_twenty_frames_are_drawn_per_second():
    with Peer({'*': hang_after(UNKNOWN_LENGTH)}) as peer:
        with Terminal(GET, *('%s/%d' % (peer.origin, i) for i in range(5))) as t:
            t.read_until(b'5 active')
            t.output, start = b'', time.monotonic()
            while time.monotonic() < start + 2:  # a window that is dragged
                for columns in (60, 70, 80):
                    t.size(columns, 24)
                    t.read(0.005)
            seconds = time.monotonic() - start
            count = len(frames(t))
            t.type(b'\x03')
            t.finish()
    equal((count >= 5, count <= 20 * seconds + 1), (True, True))


@test
def the_part_of_a_bar_never_falls_and_never_exceeds_all():
    half = b'HTTP/1.1 200 OK\r\nContent-Length: 2000\r\nConnection: close\r\n\r\n' + b'x' * 1000

    def cut(connection, request):
        connection.sendall(half)
        time.sleep(0.5)
    with Peer({'/a': in_turn(cut, slowly(b'y' * 2000, 8, 0.15))}) as peer:
        with Terminal(GET, peer.origin + '/a') as t:
            equal(t.finish(), 0)
    parts = [int(p) for p in re.findall(rb'(\d+)%', t.output)]
    equal(parts, sorted(parts))
    equal((50 in parts, parts[-1] <= 100), (True, True))
    contains(t.output, b'(try 2)')
    equal(b'retry in 0 s (' in t.output or b'waiting to retry (' in t.output, True)


@test
def a_file_that_has_changed_has_a_new_share():
    half = b'HTTP/1.1 200 OK\r\nContent-Length: 2000\r\nConnection: close\r\n\r\n' + b'x' * 1000
    with Peer({'/a': in_turn(raw(half), slowly(b'y' * 1000, 10, 0.1))}) as peer:
        with Terminal(GET, peer.origin + '/a') as t:
            equal(t.finish(), 0)
    parts = [int(p) for p in re.findall(rb'(\d+)%', t.output.split(b'(try 2)', 1)[1])]
    equal((min(parts) < 50, len(set(parts)) >= 4), (True, True))


@test
def bars_say_why_nothing_arrives():
    stall = b'HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n' + b'x' * 1000
    retry = reply(b'', '503 Busy', [('Retry-After', '60')])
    with Peer({'/silent': hang_after(b''), '/stalled': hang_after(stall), '/busy': retry}) as peer:
        urls = [peer.origin + path for path in ('/silent', '/stalled', '/busy')]
        with Terminal(GET, *urls, columns=100) as t:
            t.read_until(b'no data for 3 s')
            shown = Screen(t.output, 100).text()
            t.type(b'\x03')
            t.finish()
        lines = {line.split()[0]: line for line in shown}
        contains(lines['silent'], 'waiting for the server')
        contains(lines['stalled'], '50%')
        contains(lines['busy'], 'retry in 5')
        contains(lines['busy'], '(503)')
        contains(shown[-1], '0 of 3 files, 2 active, 1 waiting, ')
        with Terminal(GET, '--per-host', '1', *urls[:2], columns=100) as t:
            t.read_until(b'1 active')
            t.read(0.3)
            contains(t.output, b'1 queued')
            t.type(b'\x03')
            t.finish()


@test
def the_total_tells_the_time_that_is_left():
    with Peer({'*': slowly(b'x' * 100_000, 40, 0.1)}) as peer:
        with Terminal(GET, peer.origin + '/a', peer.origin + '/b') as t:
            t.read(2)
            shown = Screen(t.output).text()
            t.type(b'\x03')
            t.finish()
    total = re.fullmatch(r'0 of 2 files, 2 active, \S+ kB, (\d+) kB/s, ([234]) s left', shown[-1])
    equal((shown[-1], total is not None), (shown[-1], True))
    equal([re.search(r'(\d) s$', line) is not None for line in shown[:2]], [True, True])


@test
def a_list_that_still_grows_leaves_the_number_open():
    with Peer({'*': hang_after(UNKNOWN_LENGTH)}) as peer:
        os.mkfifo('list')
        with Terminal(GET, '-i', 'list') as t:
            with open('list', 'w') as f:
                f.write(peer.origin + '/a\n')
                f.flush()
                t.read_until(b'0 of 1+ files, ')
            t.read_until(b'0 of 1 files, ')
            t.type(b'\x03')
            t.finish()


@test
def a_bar_shows_what_was_sent():
    with open('f', 'wb') as f:
        f.truncate(UPLOAD)
    with Peer({'*': reads(UPLOAD, 8, 0.4)}) as peer:
        with Terminal(GET, '--upload-file', 'f', peer.origin + '/a', columns=100) as t:
            equal(t.finish(), 0)
    shares = [int(p) for p in re.findall(rb'a \(upload\) +\[.*? (\d+)%', t.output)]
    equal((shares == sorted(shares), len(set(shares)) >= 3, min(shares) < 80), (True, True, True))
    contains(t.output, b' of 34 MB')


# Off a terminal


@test
def uploads_have_events_that_begin_again_with_a_retry():
    with open('f', 'wb') as f:
        f.truncate(UPLOAD)
    with Peer({'/a': in_turn(reads(UPLOAD // 4, 2, 0.4, '503 Busy'), reads(UPLOAD, 8, 0.4))}) as peer:
        r = get('--events', 'jsonl:events', '-q', '--upload-file', 'f', peer.origin + '/a')
        equal(r.status, 0)
        with open('events', 'rb') as f:
            events = parse(f.read())
    tries = {n: [e['sent'] for e in events if e['event'] == 'upload' and e['try'] == n] for n in (1, 2)}
    equal({e['send_total'] for e in events if e['event'] == 'upload'}, {UPLOAD})
    equal((len(tries[1]) >= 1, max(tries[1]) < UPLOAD), (True, True))
    equal((len(tries[2]) >= 3, tries[2] == sorted(tries[2]), tries[2][0] < UPLOAD), (True, True, True))
    equal(tries[2].count(UPLOAD), 1)
    equal(tries[2][-1], UPLOAD)


@test
def an_upload_has_an_event_when_it_has_been_sent():
    with Peer({'*': reply()}) as peer:  # which reads a short body with the head
        r = get('--events', 'jsonl:1', '-q', '--data', 'a=1', peer.origin + '/a')
        e = one(parse(r.out), 'upload')
        equal((e['try'], e['sent'], e['send_total']), (1, 3, 3))
        events = parse(get('--events', 'jsonl:1', '-q', peer.origin + '/b').out)
        equal([e for e in events if e['event'] == 'upload'], [])


@test
def the_line_of_progress_says_what_was_sent():
    with open('f', 'wb') as f:
        f.truncate(UPLOAD)
    with Peer({'*': reads(UPLOAD, 2, 6)}) as peer:
        r = get('--upload-file', 'f', peer.origin + '/a')
    equal(r.status, 0)
    line = r.messages.splitlines()[0]
    contains(re.sub(r'sent \S+ \S+', 'sent N', line), 'whorl-get: 0 of 1 files, 1 active, 0 B, 0 B/s, sent N of 34 MB')


@test
def silence_is_broken_by_a_line_of_progress():
    with Peer({'*': slowly(b'x' * 1000, 2, 6)}) as peer:
        with running(GET, peer.origin + '/quiet', '-q') as quiet:
            r = get(peer.origin + '/a')
            _, said = quiet.communicate(timeout=60)
    equal((quiet.returncode, said), (0, b''))
    lines = r.messages.splitlines()
    equal(len(lines), 2)
    equal(re.fullmatch(r'whorl-get: 0 of 1 files, 1 active, 500 B, \d+ B/s(, .* left)?', lines[0]) is not None, True)
    contains(lines[1], '/a -> a (1.0 kB in ')


# At the end


def lanes(path):
    """The lanes of a timeline: name and title of each."""
    root = xml.etree.ElementTree.parse(path).getroot()
    space = '{http://www.w3.org/2000/svg}'
    equal(root.tag, space + 'svg')
    return [(g.findtext(space + 'text'), g.findtext(space + 'title'), g.get('class'))
            for g in root.iter(space + 'g') if g.get('class').startswith('lane')]


@test
def the_timeline_has_one_bar_per_transfer():
    with open('t.svg', 'w') as f:
        f.write('old' * 100_000)
    routes = {'/a': reply(b'x'), '/b': in_turn(reply(b'', '503 Busy'), reply(b'x')), '/%3Cb%3E&%22%1B': reply(b'x')}
    with Peer(routes) as peer:
        urls = [peer.origin + path for path in ('/a', '/b', '/c', '/%3Cb%3E&%22%1B')]
        equal(get('--timeline', 't.svg', '-q', *urls, 'bad', urls[0].replace('//', '//me:s3cret@')).status, 1)
    found = lanes('t.svg')
    equal([name for name, _, _ in found], ['a', 'b', 'c', '<b>&"%1B', 'a'])
    equal([kind for _, _, kind in found], ['lane', 'lane', 'lane failed', 'lane', 'lane'])
    equal([title.split(': ')[0] for _, title, _ in found], urls + [urls[0].replace('//', '//***@')])
    contains(found[1][1], '; retry pauses ')
    with open('t.svg', 'rb') as f:
        equal(b's3cret' in f.read(), False)


@test
def an_interruption_leaves_a_timeline_and_its_reasons():
    with Peer({'*': hang_after(UNKNOWN_LENGTH)}) as peer:
        with running(GET, '--timeline', 't.svg', '--why-slow', '-j', '2', *('%s/%d' % (peer.origin, i) for i in range(3))) as child:
            wait_until(lambda: len(peer.requests) == 2, what='the requests')
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=30)
            equal(child.returncode, -signal.SIGINT)
    equal([kind for _, _, kind in lanes('t.svg')], ['lane', 'lane'])
    contains(lanes('t.svg')[0][1], ': interrupted, 5 B; ')
    contains(err.decode(), 'whorl-get: 2 transfers spent ')
    contains(err.decode(), ' receiving bodies; ')


@test
def a_timeline_that_cannot_be_written_is_wrong_usage():
    os.mkfifo('fifo')
    with Peer({'*': reply(b'x')}) as peer:
        for path in ('no/such', 'fifo', '.'):
            equal(get('--timeline', path, peer.origin + '/a').status, 2)
        equal(peer.requests, [])
        r = get('--timeline', '/dev/full', peer.origin + '/a')
        equal(r.status, 1)
        contains(r.messages, 'whorl-get: /dev/full: write: no space left on device')
        equal(get('--timeline', '/dev/stdout', peer.origin + '/b').out.endswith(b'</svg>\n'), True)


@test
def why_slow_names_the_phase_that_took_longest():
    def late(connection, request):
        time.sleep(0.5)
        reply(b'x')(connection, request)
    with Peer({'/slow': late, '*': reply(b'x')}) as peer:
        r = get('--why-slow', '--events', 'jsonl', peer.origin + '/slow', peer.origin + '/b')
    lines = r.messages.splitlines()
    start = next(i for i, line in enumerate(lines) if ' spent ' in line)
    equal(re.fullmatch(r'whorl-get: 2 transfers spent \d+ % of [\d.]+ m?s waiting for the servers to answer',
                       lines[start]) is not None, True)
    equal(lines[start + 1].split(), ['all', 'share', 'longest', 'of'])
    rows = {line[2:14].strip(): line[14:].split() for line in lines[start + 2:]}
    contains(rows, 'connect')
    equal(rows['first byte'][-1], peer.origin + '/slow')
    total = parse(r.out)[-1]
    shown = float(rows['first byte'][0]) / {'ms': 1000, 's': 1}[rows['first byte'][1]]
    equal(abs(total['first_byte_seconds'] - shown) < (0.001 if shown < 1 else 0.1), True)
    # All lines of the table have their columns below those of the first.
    equal({len(line[:line.rindex('  ')]) for line in lines[start + 1:]}, {len(lines[start + 1]) - 4})


if __name__ == '__main__':
    main()
