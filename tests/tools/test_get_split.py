# SPDX-License-Identifier: MIT
"""One file over several connections of whorl-get.

    test_get_split.py PROGRAM [WORD]...    run all tests, or those whose names contain a word

With TEST_SLOW=1, what is done at random moments is done 500 times, and what is measured takes
longer.
"""
import contextlib
import hashlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

from lib import (Certificates, Nginx, SANITIZED, SCALE, Skip, contains, equal, files, free_port,
                 main, noise, read, run, running, test, wait_until)
from ranged import RangedFile

GET = os.path.abspath(sys.argv[1])
FULL = bool(os.environ.get('TEST_SLOW'))
MIB = 1 << 20


def get(*argv, **kwargs):
    return run(GET, '--no-config', *argv, **kwargs)


def fetch(server, *argv):
    """Fetches the file, checks its bytes, and returns the JSON object."""
    data = server.data
    r = get('--json', '-o', 'f', *argv, server.url)
    equal((r.status, read('f') == data, files()), (0, True, ['f']))
    os.unlink('f')
    return json.loads(r.out.splitlines()[0])


@test
def split_opens_all_connections_at_once():
    with RangedFile(noise(8 * MIB), rate=4 * MIB) as server:
        o = fetch(server, '--split', '4')
        equal((o['splits'], server.active_max, o['tries'], o['status']), (3, 4, 1, 200))
        equal(server.asked[0], None)
        equal(sorted(server.asked[1:4]),
              ['bytes=%d-%d' % (i * 2 * MIB, (i + 1) * 2 * MIB - 1) for i in (1, 2, 3)])


@test
def four_connections_are_nearly_four_times_as_fast():
    size, best = 24 * MIB if FULL else 12 * MIB, 0
    with RangedFile(noise(size), rate=2 * MIB) as server:
        for _ in range(6):  # other processes can only make it slower
            best = max(best, size / (2 * MIB) / fetch(server, '--split', '4')['seconds'])
            if best >= 3.8 or SANITIZED:
                break
        print('# %.2f times one stream' % best)
        equal(best >= 3.8 or bool(SANITIZED), True)


@test
def there_are_never_more_connections_than_per_host():
    with RangedFile(noise(8 * MIB), rate=16 * MIB) as server:
        equal(fetch(server, '--split', '8', '--per-host', '3')['splits'], 2)
        equal(server.active_max, 3)
        server.active_max = 0
        equal(fetch(server, '--split', '8', '--per-host', '1')['splits'], 0)
        equal(server.active_max, 1)
        server.active_max = 0
        r = get('--split', '8', '--per-host', '3', *(server.url + '?%d' % i for i in range(5)))
        equal((r.status, server.active_max <= 3), (0, True))


@test
def one_connection_is_one_stream():
    with RangedFile(noise(4 * MIB)) as server:
        equal(fetch(server, '--split', '1')['splits'], 0)
        equal(server.asked, [None])


@test
def a_fast_download_is_not_split():
    with RangedFile(noise(16 * MIB)) as server:
        equal(fetch(server)['splits'], 0)
        equal(server.asked, [None])


@test
def a_long_download_gets_more_connections():
    with RangedFile(noise(20 * MIB), rate=2 * MIB) as server:
        o = fetch(server)
        equal(o['splits'] > 0, True)
        equal(o['seconds'] < 9, True)


@test
def a_link_that_is_full_gets_one_connection():
    if not FULL:
        raise Skip('takes 10 s; the policy is tested in test_get_gain.c')
    with RangedFile(noise(20 * MIB)) as server:
        server.total_rate = 2 * MIB
        o = fetch(server)
        equal(o['splits'] <= 1, True)
        equal(server.asked[0], None)
        equal(o['wasted'] < MIB, True)


@test
def the_slowest_is_helped():
    with RangedFile(noise(8 * MIB), rate=8 * MIB) as server:
        server.rates = [8 * MIB, MIB]  # one of them would take 4 s
        equal(fetch(server, '--split', '2')['seconds'] < 3, True)


@test
def a_slow_connection_keeps_no_bytes_at_the_end():
    """One of two connections drips: 20 kB/s. Whatever is left for it, the other one takes."""
    with RangedFile(noise(6 * MIB), rate=4 * MIB) as server:
        for slow_first in (True, False):
            server.rates = [20000, 4 * MIB] if slow_first else [4 * MIB, 20000]
            o = fetch(server, '--split', '2')
            equal((slow_first, o['seconds'] < 3.5, o['tries']), (slow_first, True, 1))


@test
def a_silent_connection_keeps_no_bytes_at_the_end():
    """One of two connections sends half of its bytes, or none, and then nothing more."""
    with RangedFile(noise(4 * MIB), rate=4 * MIB) as server:
        for cases in ([MIB, None], [None, MIB], [0, None], [None, 0]):
            server.holds = list(cases)
            o = fetch(server, '--split', '2')
            equal((cases, o['seconds'] < 6, o['tries'], server.holds), (cases, True, 1, []))
            server.settle()


@test
def a_mirror_that_does_not_answer_keeps_no_bytes():
    data = noise(4 * MIB)
    with RangedFile(data, rate=4 * MIB) as one, RangedFile(data, rate=4 * MIB) as two:
        two.before_head = lambda connection: select.select([connection], [], [], 30)
        line = '%s sha256=%s mirror=%s out=f\n' % (one.url, hashlib.sha256(data).hexdigest(), two.url)
        r = get('--json', '--split', '2', '--per-host', '1', '-i', '-', stdin=line.encode())
        o = json.loads(r.out.splitlines()[0])
        equal((r.status, read('f') == data, files()), (0, True, ['f']))
        equal((o['seconds'] < 4, len(two.asked)), (True, 1))


@contextlib.contextmanager
def nginx_with_big(data, rest):
    """Runs an nginx that has the data as /big. `rest` is the rest of its server; %s in it is the
    directory of the file. Yields its origin."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        port = free_port()
        with open(directory + '/big', 'wb') as f:
            f.write(data)
        temp = ' '.join('%s_temp_path %s/tmp;' % (k, directory)
                        for k in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        with open(directory + '/conf', 'w') as f:
            f.write('daemon off; master_process off; pid %s/pid; error_log %s/log; events {}\n'
                    'http { access_log off; %s root %s; server { listen 127.0.0.1:%d; %s } }\n' %
                    (directory, directory, temp, directory, port, rest.replace('%s', directory)))
        with running('nginx', '-c', directory + '/conf', '-e', directory + '/log', stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL):
            wait_until(lambda: socket.socket().connect_ex(('127.0.0.1', port)) == 0, what='nginx')
            yield 'http://127.0.0.1:%d' % port


@test
def nginx_that_drips_at_one_location_takes_as_long_as_the_other_one():
    data = noise(8 * MIB)
    with nginx_with_big(data, 'location /slow/ { alias %s/; limit_rate 20k; }\n'
                              'location /fast/ { alias %s/; limit_rate 4m; }') as origin:
        slow, fast = (origin + path for path in ('/slow/big', '/fast/big'))
        for first, second in ((slow, fast), (fast, slow)):
            line = '%s sha256=%s mirror=%s out=f\n' % (first, hashlib.sha256(data).hexdigest(), second)
            r = get('--json', '--split', '2', '-i', '-', stdin=line.encode())
            o = json.loads(r.out.splitlines()[0])
            equal((r.status, read('f') == data, o['verified']), (0, True, 'sha256'))
            equal((first, o['seconds'] < 2 * 8 / 4 + 1), (first, True))
            os.unlink('f')


# Servers that do not play along


@test
def a_server_without_ranges_gives_one_stream():
    with RangedFile(noise(8 * MIB), rate=16 * MIB) as server:
        server.knows_ranges = False
        o = fetch(server, '--split', '4')
        equal((o['splits'], o['tries'], 'afresh' in o), (0, 1, False))


@test
def a_changed_validator_leaves_the_first_stream():
    """The file is replaced while the first response is sent, which is the old file to its end."""
    old = noise(8 * MIB)
    new = noise(8 * MIB, 2)
    with RangedFile(old, rate=16 * MIB) as server:
        def change():
            server.data, server.etag = new, '"two"'
        server.after_first = change
        r = get('--json', '--split', '4', server.url)
        equal((r.status, read('f') == old, files()), (0, True, ['f']))
        equal(json.loads(r.out.splitlines()[0])['splits'], 0)


@test
def a_changed_file_and_a_broken_first_stream_start_afresh():
    new = noise(8 * MIB, 2)
    with RangedFile(noise(8 * MIB), rate=16 * MIB) as server:
        def change():
            server.data, server.etag = new, '"two"'
        server.after_first = change
        server.cuts = [3 * MIB]
        r = get('--json', '--split', '3', server.url)
        equal((r.status, read('f') == server.data, files()), (0, True, ['f']))
        contains(json.loads(r.out.splitlines()[0])['afresh'], 'changed')


@test
def wrong_ranges_are_not_used():
    good = 'HTTP/1.1 206 Partial Content\r\nETag: "one"\r\nConnection: close\r\n'
    heads = [
        lambda request, start, end: (good + 'Content-Range: bytes 0-%d/%d\r\nContent-Length: %d\r\n\r\n' %
                                     (end - start - 1, 8 * MIB, end - start)),
        lambda request, start, end: (good + 'Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n' %
                                     (start, end - 1, 9 * MIB, end - start)),
        lambda request, start, end: good + 'Content-Length: %d\r\n\r\n' % (end - start),
        lambda request, start, end: (good + 'Content-Type: multipart/byteranges; boundary=x\r\n'
                                     'Content-Length: %d\r\n\r\n' % (end - start)),
        lambda request, start, end: ('HTTP/1.1 206 Partial Content\r\nETag: "two"\r\nConnection: close\r\n'
                                     'Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n' %
                                     (start, end - 1, 8 * MIB, end - start)),
    ]
    for head in heads:
        with RangedFile(noise(8 * MIB), rate=32 * MIB) as server:
            server.head = lambda request, start, end: head(request, start, end).encode()
            server.body = lambda start, end: server.data[start:end] if start == 0 else bytes(end - start)
            equal(fetch(server, '--split', '4')['splits'], 0)


@test
def ranges_with_other_bytes_are_noticed():
    """The second connection breaks, and the first one continues through what it has received."""
    with RangedFile(noise(4 * MIB), rate=4 * MIB) as server:
        server.body = lambda start, end: server.data[start:end] if start == 0 else bytes(end - start)
        server.cuts = [None, 500000]
        o = fetch(server, '--split', '2')
        equal((o['tries'], server.asked[-1]), (1, None))
        contains(o['afresh'], 'bytes differ')


@test
def statuses_and_resets_leave_the_first_stream():
    with RangedFile(noise(8 * MIB), rate=32 * MIB) as server:
        server.status = ('503 Busy', 'Retry-After: 100\r\n')
        o = fetch(server, '--split', '4')
        equal((o['splits'], o['tries']), (0, 1))
        server.status = None
        server.cuts = [None, 0, 0, 100000]
        o = fetch(server, '--split', '4')
        equal((o['splits'], o['tries']), (1, 1))


@test
def the_others_finish_without_the_first():
    with RangedFile(noise(8 * MIB), rate=8 * MIB) as server:
        server.cuts = [MIB]
        o = fetch(server, '--split', '4')
        equal((o['tries'], o['splits']), (1, 3))


@test
def when_all_fail_a_retry_continues():
    with RangedFile(noise(8 * MIB), rate=32 * MIB) as server:
        server.cuts = [MIB, MIB, MIB, MIB]
        o = fetch(server, '--split', '4')
        equal((o['tries'], o['bytes'] < 9 * MIB), (2, True))


# Interrupted


@test
def hashes_see_every_byte_in_order():
    with RangedFile(noise(8 * MIB), rate=16 * MIB) as server:
        good = hashlib.sha256(server.data).hexdigest()
        equal(fetch(server, '--split', '4', '--checksum', 'sha256=' + good)['verified'], 'sha256')
        r = get('-o', 'f', '--split', '4', '--checksum', 'sha256=' + '1' * 64, server.url)
        equal((r.status != 0, files()), (True, ['f.bad']))


@test
def killed_at_random_moments_it_gives_the_same_bytes():
    size, rate = 16 * MIB, 10 * MIB
    rounds = 500 if FULL else 3 if SANITIZED else 6
    data, chance, again = noise(size), random.Random(), []
    seed = chance.randrange(1 << 32)
    chance.seed(seed)
    print('# seed %d' % seed)
    with RangedFile(data, rate=rate) as server:
        for _ in range(rounds):
            server.sent = 0
            with running(GET, '--no-config', '-q', '-c', '--split', '4', '-o', 'f', server.url) as child:
                time.sleep(chance.uniform(0, size / rate / 4 + 0.05))
                child.kill()
            server.settle()
            if os.path.exists('f'):
                equal(read('f') == data, True)
            equal(get('-q', '-c', '--split', chance.choice('14'), '-o', 'f', server.url).status, 0)
            equal(read('f') == data, True)
            equal(files(), ['f'])
            server.settle()
            again.append((server.sent - size) / size)
            os.unlink('f')
    mean = sum(again) / len(again)
    print('# fetched again: %.2f %%, at most %.2f %%' % (100 * mean, 100 * max(again)))
    equal((mean < 0.05, max(again) < 0.5), (True, True))


@test
def an_interrupt_keeps_all_pieces():
    with RangedFile(noise(16 * MIB), rate=4 * MIB) as server:
        with running(GET, '--no-config', '-o', 'f', '--split', '4', server.url) as child:
            wait_until(lambda: server.sent > 8 * MIB, what='progress')
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=30 * SCALE)
        contains(err.decode(), ' MB; run again to continue')
        server.settle()
        server.rate = 0
        o = fetch(server)
        equal(o['resumed_from'] > 6 * MIB, True)
        equal(o['bytes'] < 10 * MIB + 4 * 65536, True)


@test
def a_full_disk_ends_all_connections():
    import resource
    with RangedFile(noise(8 * MIB), rate=16 * MIB) as server:
        r = get('-o', 'f', '--split', '4', server.url,
                preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5 * MIB, 5 * MIB)))
        equal((r.status, 'f' in files()), (3, False))
        contains(r.messages, ': write f: file too large (kept ')
        fetch(server)


# Real servers


@test
def nginx_gives_the_same_bytes():
    certificates = Certificates()
    nginx = Nginx(certificates)
    try:
        data = nginx.put('big', noise(30 * MIB))
        for origin, argv in ((nginx.http, []), (nginx.https, []), (nginx.https_both, ['--http2'])):
            r = get('--json', '--split', '5', '--cacert', certificates.ca, *argv, '-o', 'f', origin + '/big')
            equal((r.status, read('f') == data, files()), (0, True, ['f']))
            os.unlink('f')
    finally:
        nginx.stop()
        certificates.remove()


@test
def each_part_has_a_connection_of_its_own():
    """Responses of HTTP/2 would share one, so only the first request may use HTTP/2."""
    certificates = Certificates()
    nginx = Nginx(certificates)
    try:
        data = nginx.put('big', noise(30 * MIB))
        for argv, connections, http2 in (([], 4, 1), (['--http1.1'], 4, 0), (['--http2'], 1, 4)):
            r = get('--json', '--split', '4', '--cacert', certificates.ca, *argv, '-o', 'f',
                    nginx.https_both + '/logged/big')
            equal((r.status, read('f') == data, json.loads(r.out.splitlines()[0])['splits']), (0, True, 3))
            with open(nginx.at('connections')) as f:
                requests = [line.split() for line in f]
            equal((argv, len({connection for connection, _ in requests}),
                   [protocol for _, protocol in requests].count('HTTP/2.0')), (argv, connections, http2))
            os.truncate(nginx.at('connections'), 0)
            os.unlink('f')
    finally:
        nginx.stop()
        certificates.remove()


@test
def nginx_with_a_limit_per_connection():
    """Four connections of 5 MB/s each are at least 3.8 times as fast as one."""
    if not FULL:
        raise Skip('takes 25 s; run with TEST_SLOW=1')
    data = noise(100 * MIB)
    with nginx_with_big(data, 'limit_rate 5m;') as origin:
        seconds = []
        for split in ('1', '4', '4'):
            r = get('--json', '--split', split, '-o', 'f', origin + '/big')
            equal((r.status, read('f') == data), (0, True))
            seconds.append(json.loads(r.out.splitlines()[0])['seconds'])
    ratio = seconds[0] / min(seconds[1:])
    print('# %.2f times one stream' % ratio)
    equal(ratio >= 3.8, True)


main()
