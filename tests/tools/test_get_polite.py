# SPDX-License-Identifier: MIT
"""whorl-get asks servers no faster than they, or the user, allow.

    test_get_polite.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import contextlib
import json
import os
import socket
import ssl
import sys
import threading
import time

from lib import (Certificates, Peer, SCALE, contains, equal, in_turn, main, not_found, reply, reset,
                 run, test)

GET = os.path.abspath(sys.argv[1])


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


class Limit:
    """A route that accepts `burst` requests at once and then `rate` a second."""

    def __init__(self, rate, burst, retry_after='1', status='429 Too Many Requests'):
        self.rate, self.burst, self.status = rate, burst, status
        self.headers = (('Retry-After', retry_after),) if retry_after else ()
        self.tokens, self.at, self.lock = float(burst), time.monotonic(), threading.Lock()
        self.refused = []
        self.accepted = []

    def __call__(self, connection, request):
        with self.lock:
            now = time.monotonic()
            self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
            self.at = now
            ok = self.tokens >= 1
            self.tokens -= ok
            (self.accepted if ok else self.refused).append(now)
        route = reply(b'ok') if ok else reply(b'', self.status, self.headers)
        route(connection, request)

    def needless(self):
        """Refusals of requests that were made when a refusal was known, with some time for it to
        arrive."""
        return [t for t in self.refused if t > self.refused[0] + 0.2]


def urls(peer, count):
    return ''.join('%s/%d\n' % (peer.origin, n) for n in range(count)).encode()


@test
def a_rate_limit_refuses_no_more_than_three_needless_requests():
    limits = (Limit(50, 20), Limit(50, 5), Limit(50, 5, None), Limit(50, 5, '1', '503 Busy'))
    problems = []

    def fetch(n, limit):
        with Peer({'*': limit}) as peer:
            r = get('--json', '-d', 'out%d' % n, '-i', '-', stdin=urls(peer, 100))
        if (r.status, len(limit.accepted)) != (0, 100) or len(limit.needless()) > 3:
            problems.append('%d: status %d, %d accepted, %d refused, %d of these needless' % (
                n, r.status, len(limit.accepted), len(limit.refused), len(limit.needless())))
    threads = [threading.Thread(target=fetch, args=arguments) for arguments in enumerate(limits)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(problems, [])


@test
def a_retry_after_silences_its_host_and_no_other():
    limit = Limit(1000, 1000, '2')
    with Peer({'*': limit}) as peer, Peer({'*': reply(b'ok')}) as other:
        first = []

        def once(connection, request):
            first.append(time.monotonic())
            reply(b'', '429 Too Many Requests', (('Retry-After', '2'),))(connection, request)
            peer.routes['/0'] = limit
        peer.routes['/0'] = once
        start = time.monotonic()
        r = get('-j', '1', '--json', '-i', '-', stdin=urls(peer, 2) + urls(other, 2))
        times = [o['seconds'] for o in map(json.loads, r.out.splitlines()) if 'url' in o and other.origin in o['url']]
    equal((r.status, len(times), max(times) < 1), (0, 2, True))
    equal(all(t >= first[0] + 1.9 for t in limit.accepted), True)


@test
def a_pause_that_is_too_long_ends_the_hosts_urls():
    with Peer({'*': reply(b'', '429 Too Many Requests', (('Retry-After', '3600'),))}) as peer:
        r = get('-j', '1', '-i', '-', stdin=urls(peer, 20))
        equal((r.status, len(peer.requests)), (3, 1))
        contains(r.messages, '(the server asks to retry after 1:00:00)')
        contains(r.messages, 'not tried, it has asked for a pause that is too long')


@test
def the_user_limits_the_rate():
    limit = Limit(1000, 1000)
    with Peer({'*': limit}) as peer:
        r = get('--rate', '20', '-i', '-', stdin=urls(peer, 11))
        equal(r.status, 0)
        equal(limit.accepted[-1] - limit.accepted[0] >= 0.45, True)
    for wrong in ('0', 'x', '-1', '1x', '1e9', ''):
        r = get('--rate', wrong, 'http://127.0.0.1:1/')
        equal(r.status, 2)
        contains(r.messages, "--rate needs a number from 0.001 to 1000000, not '%s'" % wrong)


@test
def the_user_limits_the_speed():
    body = bytes(range(256)) * 2000  # 512,000 bytes
    with Peer({'*': reply(body)}) as peer:
        for option, parallel, seconds in (('--limit-rate', 2, 1.8), ('--limit-rate-each', 2, 0.8)):
            start = time.monotonic()
            r = get('-d', option, option, '500k', '--why-slow', *('%s/%d' % (peer.origin, n) for n in range(parallel)))
            took = time.monotonic() - start
            equal((r.status, sorted(os.listdir(option))), (0, ['0', '1']))
            if took < seconds or took > 3 * seconds:
                raise AssertionError('%s took %.2f s, not %.1f' % (option, took, seconds))
            contains(r.messages, 'waiting because a rate is limited')


@contextlib.contextmanager
def black_hole():
    """An address that answers nothing: the queue of its listener is full."""
    with socket.socket() as hole, contextlib.ExitStack() as stack:
        hole.bind(('127.0.0.1', 0))
        hole.listen(0)
        for _ in range(4):
            s = stack.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(hole.getsockname())
        yield '127.0.0.1:%d' % hole.getsockname()[1]


class CountingTls:
    """A TLS server that counts connections; it answers each request with "ok"."""

    def __init__(self, certificate, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=128)
        self.at = 'localhost:%d' % self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            with self.context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(65536)
                tls.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def outcomes(result):
    return [o for o in map(json.loads, result.out.splitlines()) if 'url' in o]


def listed(at, scheme='http', count=100):
    return ''.join('%s://%s/%d\n' % (scheme, at, n) for n in range(count)).encode()


@test
def a_wrong_certificate_ends_the_urls_of_its_host():
    certificates = Certificates()
    try:
        for library in ('bearssl', 'openssl'):
            wrong = CountingTls(certificates.wrong, certificates.key)
            with Peer({'*': reply(b'ok')}) as other:
                r = get('-d', library, '--tls', library, '--json', '--cacert', certificates.ca, '--http1.1', '-i', '-',
                        stdin=listed(wrong.at, 'https') + urls(other, 3))
            wrong.stop()
            got = outcomes(r)
            equal((r.status, len(got), sum(o['ok'] for o in got)), (1, 103, 3))
            equal({o['code'] for o in got if not o['ok']}, {'WHORL_ETLS_NAME'})
            equal({o['class'] for o in got if not o['ok']}, {'tls'})
            contains(r.messages, '%s: not tried, 3 URLs in a row have failed: certificate is for another host name' % wrong.at)
            equal(3 <= wrong.connections <= 8, True)  # --per-host at once, and then no more
    finally:
        certificates.remove()


@test
def a_black_hole_ends_the_urls_of_its_host():
    with black_hole() as at:
        for extra in ([], ['--proxy', 'http://' + at]):
            r = get('--json', '--connect-timeout', '400ms', '--retries', '1', *extra, '-i', '-',
                    stdin=listed('127.0.0.1:9' if extra else at))
            got = outcomes(r)
            equal((r.status, len(got), r.seconds < 8 * SCALE), (3, 100, True))
            equal({o['code'] for o in got}, {'WHORL_EHTTP_CONNECT_TIMEOUT'})
            contains(r.messages, 'not tried, 3 URLs in a row have failed')


@test
def a_name_that_does_not_exist_ends_its_urls():
    # RFC 7686: no name server is asked for such a name.
    r = get('--json', '-i', '-', stdin=listed('x.onion'))
    got = outcomes(r)
    equal((r.status, len(got), {o['code'] for o in got}), (3, 100, {'WHORL_EDNS_NOTFOUND'}))
    contains(r.messages, 'x.onion:80: not tried, 3 URLs in a row have failed: host name not found')


@test
def a_proxy_that_does_not_reach_a_server_is_not_given_up():
    held = []

    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                held.append(listener.accept()[0])  # it is asked to connect, and says nothing
    with socket.create_server(('127.0.0.1', 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        hosts = ''.join('http://host%d.test/\n' % n for n in range(12)).encode()
        r = get('--proxy', 'socks5h://127.0.0.1:%d' % listener.getsockname()[1], '--connect-timeout', '200ms',
                '--json', '--retries', '0', '-j', '6', '-i', '-', stdin=hosts)
        listener.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()
    equal((r.status, len(outcomes(r)), len(held), 'not tried' in r.messages), (3, 12, 12, False))


@test
def failures_of_single_urls_end_no_others():
    with Peer({'*': in_turn(not_found, not_found, not_found, reset, reset, reset, reset, reply(b'ok'))}) as peer:
        r = get('-j', '1', '--retries', '0', '-i', '-', stdin=urls(peer, 10))
    equal((r.status, len(peer.requests), sorted(os.listdir('.'))), (1, 10, ['7', '8', '9']))


main()
