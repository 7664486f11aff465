# SPDX-License-Identifier: MIT
"""whorl-get: the trace of --verbose, with curl -v as the witness of its order; and what the JSON
says of each exchange and of each failure.

    test_get_trace.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import json
import os
import re
import shutil
import signal
import sys
import types

from lib import Certificates, Nginx, Peer, Skip, contains, equal, hang_after, main, raw, reply, run, running, test, \
    wait_until
from servers import Microsocks, Squid

GET = os.path.abspath(sys.argv[1])
LINE = re.compile(r' *(\d+) +(\d+\.\d{6}) ([*<>]) (.*)')
shared = types.SimpleNamespace(certificates=None, nginx=None, squid=None, socks=None)


def get(*argv, **kwargs):
    return run(GET, '--no-config', *argv, **kwargs)


def nginx():
    if not shared.nginx:
        shared.certificates = Certificates()
        shared.nginx = Nginx(shared.certificates)
        shared.nginx.put('a', b'hello')
    return shared.nginx


def squid():
    if not shared.squid:
        shared.squid = Squid()
    return shared.squid


def socks():
    if not shared.socks:
        shared.socks = Microsocks()
    return shared.socks


def stop():
    for server in (shared.nginx, shared.squid, shared.socks):
        if server:
            server.stop()
    if shared.certificates:
        shared.certificates.remove()


def trace(text):
    """The lines of a trace as (number, time, sign, text)."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    return [(int(m[1]), float(m[2]), m[3], m[4]) for m in found if m]


def order(text, *patterns):
    """Checks that lines that match the patterns occur in this order."""
    lines, at = text.splitlines(), 0
    for pattern in patterns:
        while at < len(lines) and not re.search(pattern, lines[at]):
            at += 1
        if at == len(lines):
            raise AssertionError('%r is missing, or in the wrong place, in %s' % (pattern, text))
        at += 1


def curl(*argv):
    if not shutil.which('curl'):
        raise Skip('curl is not installed')
    return run('curl', '-v', '-s', '-o', '/dev/null', *argv).messages


def objects(r):
    return [json.loads(line) for line in r.out.splitlines()]


# The trace


@test
def the_steps_of_https_come_in_the_order_that_curl_shows():
    url, ca = nginx().https_named + '/a', shared.certificates.ca
    order(curl('--http1.1', '--cacert', ca, url), r'Trying .*127\.0\.0\.1', r'Connected to', r'SSL connection using',
          r'^> GET /a', r'^> Host: localhost', r'^< HTTP/1\.1 200', r'^< Content-Length: 5', r'left intact')
    for library in ('bearssl', 'openssl'):
        r = get('-v', '--tls', library, '--http1.1', '--cacert', ca, '-o', '/dev/null', url)
        if r.status == 2 and 'OpenSSL' in r.messages:
            continue
        equal(r.status, 0)
        order(r.messages, r'\* GET https://localhost', r'\* opens connection 1 to localhost:\d+: there was no',
              r'\* looks up localhost', r'\* addresses:.* 127\.0\.0\.1:', r'\* connects to 127\.0\.0\.1',
              r'\* connected to 127\.0\.0\.1', r'\* TLS 1\.[23] with localhost: \S+', r'\* speaks HTTP/1\.1',
              r'> GET /a', r'> Host: localhost', r'< HTTP/1\.1 200', r'< Content-Length: 5',
              r'\* keeps connection 1', r'\* done: 5 B')


@test
def a_server_that_refuses_tls_1_2_is_shown():
    r = get('-v', '-o', '/dev/null', '--cacert', nginx() and shared.certificates.ca, nginx().https_new + '/a')
    if r.status != 0:
        raise Skip('this build has no OpenSSL')
    order(r.messages, r'\* connected to', r'\* localhost refuses TLS 1\.2: connects again, with OpenSSL',
          r'\* connected to', r'\* TLS 1\.3 with localhost', r'> GET /a')


@test
def the_steps_of_a_tunnel_come_in_the_order_that_curl_shows():
    url, ca, proxy = nginx().https_named + '/a', None, squid().url
    ca = shared.certificates.ca
    order(curl('--http1.1', '--cacert', ca, '-x', proxy, url), r'Trying', r'^> CONNECT localhost:\d+ HTTP/1\.1',
          r'^< HTTP/1\.[01] 200', r'SSL connection using', r'^> GET /a', r'^< HTTP/1\.1 200')
    r = get('-v', '--http1.1', '--cacert', ca, '--proxy', proxy, '-o', '/dev/null', url)
    equal(r.status, 0)
    order(r.messages, r'\* connects to', r'\* asks the proxy http://127\.0\.0\.1:\d+ for localhost:\d+',
          r'> CONNECT localhost:\d+ HTTP/1\.1', r'< HTTP/1\.[01] 200', r'\* TLS 1\.[23] with localhost',
          r'> GET /a', r'< HTTP/1\.1 200', r'\* done')


@test
def the_steps_through_a_socks_proxy_are_shown():
    r = get('-v', '--proxy', socks().url, '-o', '/dev/null', nginx().http + '/a')
    equal(r.status, 0)
    order(r.messages, r'\* opens connection 1 to 127\.0\.0\.1', r'\* connects to 127\.0\.0\.1:%d' % socks().ports['proxy'],
          r'\* asks the proxy socks5h://127\.0\.0\.1:\d+ for 127\.0\.0\.1:%d' % nginx().port,
          r'\* the proxy has connected', r'> GET /a', r'< HTTP/1\.1 200', r'\* done')


@test
def a_request_that_goes_to_a_proxy_without_a_tunnel_is_shown_as_it_is_sent():
    r = get('-v', '--proxy', squid().url, '-o', '/dev/null', nginx().http + '/a')
    equal(r.status, 0)
    order(r.messages, r'> GET %s/a HTTP/1\.1' % nginx().http, r'< HTTP/1\.1 200')


@test
def a_long_url_is_not_cut():
    url = nginx().http + '/a?' + 'x' * 3000
    contains(get('-v', '-o', '/dev/null', url).messages, '* GET %s\n' % url)


@test
def an_upload_and_its_informational_response_are_shown():
    def go_on(connection, request):
        connection.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
        left = int(request.headers['content-length'])
        while left > 0:
            left -= len(connection.recv(65536))
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')

    with open('body', 'wb') as f:
        f.write(b'x' * 2_000_000)
    with Peer({'*': go_on}) as peer:
        r = get('-v', '--data', '@body', '-o', '/dev/null', peer.origin + '/')
    equal(r.status, 0)
    order(r.messages, r'> POST / HTTP/1\.1', r'> Content-Length: 2000000', r'\* informational response 100',
          r'\* sent: 2\.0 MB of body', r'< HTTP/1\.1 200')


@test
def a_redirect_a_second_request_and_http2_are_shown():
    server = nginx()
    r = get('-v', '--cacert', shared.certificates.ca, '-o', '/dev/null', server.http + '/secure/a')
    equal(r.status, 0)
    order(r.messages, r'> GET /secure/a', r'< HTTP/1\.1 302', r'\* keeps connection 1',
          r'\* follows the redirect: GET https://', r'\* opens connection 2', r'> GET /a', r'< HTTP/1\.1 200')
    r = get('-v', '-j', '1', '-d', 'out', server.http + '/a', server.http + '/a')
    order(r.messages, r'^ +1 .*opens connection 1', r'^ +1 .*done', r'^ +2 .*reuses connection 1 to 127\.0\.0\.1',
          r'^ +2 .*done')
    r = get('-v', '--cacert', shared.certificates.ca, '-o', '/dev/null', server.https_both + '/protocol')
    order(r.messages, r'chose h2', r'\* speaks HTTP/2', r'> GET /protocol HTTP/2$', r'< HTTP/2 200')


@test
def the_lines_of_many_transfers_can_be_told_apart():
    server = nginx()
    r = get('-v', '-j', '8', '-d', 'out', *['%s/a?%d' % (server.http, i) for i in range(20)])
    equal(r.status, 0)
    lines = trace(r.messages)
    for number in range(1, 21):
        own = [line for line in lines if line[0] == number]
        equal([t for _, t, _, _ in own], sorted(t for _, t, _, _ in own))
        equal(own[0][3], 'GET %s/a?%d' % (server.http, number - 1))
        equal(own[-1][3].startswith('done: 5 B'), True)
        equal(sum(line[2:] == ('<', 'HTTP/1.1 200 OK') for line in own), 1)
    # All other lines are the 20 results and the summary.
    equal(len(r.messages.splitlines()) - len(lines), 21)


@test
def the_servers_bytes_are_escaped():
    with Peer({'*': raw(b'HTTP/1.1 200 O\x9b2JK\r\nX: \x9b2J\x80\xe2\x80\xae\r\nContent-Length: 0\r\n\r\n')}) as peer:
        r = get('-v', '-o', '/dev/null', peer.origin + '/%1b')
    for byte in (b'\x9b', b'\x80', b'\xae'):
        equal(byte in r.err, False)
    contains(r.messages, '< X: ')


@test
def a_failure_has_its_class_code_and_sentence():
    r = get('-v', '--retries', '0', '-o', '/dev/null', 'http://127.0.0.1:1/')
    order(r.messages, r'\* 127\.0\.0\.1:1: connection refused',
          r'\* failed \(connect, ECONNREFUSED\): connect 127\.0\.0\.1:1: connection refused')


@test
def the_trace_has_no_secrets():
    secret = 'hunter2'
    with open('cookies', 'w') as f:
        f.write('# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsid\t%s\n' % secret)
    headers = (('Set-Cookie', 'a=%s; Path=/' % secret), ('X-Auth-Token', secret))
    with Peer({'*': reply(b'x', headers=headers)}) as peer:
        r = get('-v', '-o', '/dev/null', '-H', 'X-Api-Key: ' + secret, '-H', 'Authorization: Bearer ' + secret,
                '--cookies', 'cookies', '--proxy', 'http://me:%s@127.0.0.1:%d' % (secret, peer.port),
                'http://me:%s@127.0.0.1:%d/' % (secret, peer.port))
        sent = ' '.join(v for request in peer.requests for _, v in request.pairs)
    equal(r.status, 0)
    equal(sent.count(secret), 3)  # the server did get the header, the token and the cookie
    equal(secret in r.messages, False)
    for line in ('> X-Api-Key: ***', '> Authorization: Bearer ***', '> Cookie: sid=***', '< Set-Cookie: a=***; Path=/',
                 '< X-Auth-Token: ***'):
        contains(r.messages, line)


@test
def without_verbose_there_is_no_trace():
    server = nginx()
    for argv in ((), ('--json',), ('-q',)):
        equal(trace(get(*argv, '-o', '/dev/null', server.http + '/a').messages), [])


# JSON


@test
def the_json_has_addresses_times_and_bytes():
    url, ca = nginx().https_named + '/a', shared.certificates.ca
    first, second, _ = objects(get('--json', '-j', '1', '-d', 'out', '--cacert', ca, url, url))
    equal((first['protocol'], first['tls'], first['connection'], first['reused']), ('HTTP/1.1', 'TLS 1.2', 'first', False))
    equal(first['address'], '127.0.0.1:%d' % shared.nginx.tls_port)
    equal(first['local_address'].startswith('127.0.0.1:'), True)
    contains(first['cipher'], 'ECDHE')
    times = [first[name] for name in ('dns', 'connect', 'handshake', 'first_byte', 'body')]
    equal(all(t >= 0 for t in times) and sum(times) <= first['seconds'], True)
    equal((first['queue'], first['received'] > first['bytes'] == 5, first['sent'] > 50), (None, True, True))
    equal((second['connection'], second['reused'], second['dns'], second['connect'], second['handshake']),
          ('reused', True, None, None, None))
    equal(second['local_address'], first['local_address'])
    h2, _ = objects(get('--json', '-o', '/dev/null', '--cacert', ca, shared.nginx.https_both + '/a'))
    equal((h2['protocol'], h2['ok']), ('HTTP/2', True))


@test
def the_json_says_why_a_connection_was_not_reused():
    with Peer({'*': reply(b'x')}) as peer:  # it closes each connection
        r = get('--json', '-j', '1', '-d', 'out', peer.origin + '/a', peer.origin + '/b')
    equal([o.get('connection') for o in objects(r)], ['first', 'refused', None])


def failure(*argv):
    place = () if '-o' in argv else ('-d', 'out')
    found, summary = objects(get('--json', '--retries', '0', *place, *argv))
    equal((found['ok'], summary['failed']), (False, 1))
    equal(bool(found['error']), True)  # the sentence
    return found['class'], found['code'], found['step']


@test
def each_class_of_failures_is_in_the_json():
    server, proxy = nginx(), 'http://127.0.0.1:1'
    gzip = reply(b'this is not gzip', headers=(('Content-Encoding', 'gzip'),))
    with Peer({'/silent': hang_after(b''), '/garbage': raw(b'SMTP ready\r\n\r\n'), '/gzip': gzip, '/big': reply(b'x' * 99),
               '/cut': reply(b'x', length=9), '/moved': reply(status='302 Found', headers=(('Location', '/moved'),)),
               '/none': raw(b'')}) as peer:
        o = peer.origin
        equal(failure('-6', 'http://127.0.0.1:1/'), ('dns', 'WHORL_EDNS_NODATA', 'resolve'))
        equal(failure('http://127.0.0.1:1/'), ('connect', 'ECONNREFUSED', 'connect'))
        equal(failure(o + '/none'), ('connect', 'WHORL_EHTTP_NO_RESPONSE', 'response'))
        equal(failure(o + '/cut'), ('connect', 'WHORL_EHTTP_TRUNCATED', 'body'))
        equal(failure(server.https_named + '/a'), ('tls', 'WHORL_ETLS_TRUST', 'TLS'))
        equal(failure('--proxy', proxy, o + '/'), ('proxy', 'ECONNREFUSED', 'proxy'))
        equal(failure(o + '/garbage'), ('protocol', 'WHORL_EHTTP_STATUS_LINE', 'response'))
        equal(failure('--stall-timeout', '200ms', o + '/silent'),
              ('timeout', 'WHORL_EHTTP_FIRST_BYTE_TIMEOUT', 'response'))
        equal(failure('--compressed', o + '/gzip'), ('decode', 'WHORL_EHTTP_ENCODING', 'body'))
        equal(failure('--max-size', '10', o + '/big'), ('limit', 'WHORL_EHTTP_BODY_TOO_LARGE', 'response'))
        equal(failure(o + '/moved'), ('limit', 'WHORL_EHTTP_REDIRECTS', 'redirect'))
        equal(failure('ftp://127.0.0.1/'), ('local', 'WHORL_EHTTP_SCHEME', 'URL'))
        equal(failure('-o', 'none/a', o + '/big'), ('local', 'ENOENT', 'write'))
        equal(failure(o + '/404'), ('status', None, 'status'))
        equal(failure('--checksum', 'md5=' + '0' * 32, '-o', '/dev/null', o + '/big')[0::2], ('verify', 'verify'))


@test
def an_interrupted_transfer_is_of_the_class_cancelled():
    with Peer({'*': hang_after(b'')}) as peer:
        with running(GET, '--json', '-d', 'out', peer.origin + '/') as child:
            wait_until(lambda: peer.count('/') == 1)
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(timeout=30)
    found, summary = [json.loads(line) for line in out.splitlines()]
    equal((found['class'], found['code'], summary['interrupted']), ('cancelled', 'ECANCELED', True))


@test
def a_failed_exchange_has_what_is_known_of_it():
    with Peer({'*': hang_after(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc')}) as peer:
        found, _ = objects(get('--json', '--retries', '0', '--stall-timeout', '200ms', peer.origin + '/'))
    equal((found['class'], found['address'], found['protocol'], found['bytes'], found['body']),
          ('timeout', '127.0.0.1:%d' % peer.port, 'HTTP/1.1', 3, None))
    equal((found['first_byte'] >= 0, found['received'] > 3), (True, True))


try:
    main()
finally:
    stop()
