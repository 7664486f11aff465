# SPDX-License-Identifier: MIT
"""whorl-get and the library against real servers: one table of cases, which runs over every version
of HTTP that a server speaks, with each TLS library, and through proxies. curl is the witness.

    test_get_servers.py WHORL-GET ASK [WORD]...

With TEST_SLOW=1, every way to a server runs every case that the server can do. Otherwise the ways
of a server take turns: the cases run once for each server, and each way runs some of them.
"""
import base64
import collections
import hashlib
import json
import os
import random
import subprocess
import sys
import urllib.parse

from lib import TESTS, Certificates, Peer, Skip, contains, equal, main, read, run, test, time, write
from servers import (PASSWORD, USER, Apache, Caddy, Haproxy, Httpbin, Microsocks, Nghttpd, NghttpdTls, Nginx, Squid,
                     Tinyproxy)

GET, ASK = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
del sys.argv[2]  # main() takes the words after the first argument
ALL = bool(os.environ.get('TEST_SLOW'))

SMALL = b'hello world\n'
TEXT = b'all work and no play makes jack a dull boy\n' * 3000
LARGE = random.Random(1).randbytes(1 << 20)
HUGE = random.Random(3).randbytes(3 << 20)
BODY = random.Random(2).randbytes(100_000)


# The site


def slow(connection, _):
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\n')
    for _ in range(5):
        time.sleep(0.03)
        connection.sendall(b'0123456789')


def cut(connection, _):
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nConnection: close\r\n\r\n' + b'x' * 100_000)


def cut_chunked(connection, _):
    connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'
                       b'186a0\r\n' + b'x' * 100_000 + b'\r\n')


class Site:
    """What all servers show, and the servers, which start when they are used first."""

    def __init__(self):
        self.started = {}
        self.closers = []

    def once(self, key, make):
        if key not in self.started:
            for _ in range(3):  # another program may take a port before the server does
                try:
                    self.started[key] = make()
                    break
                except Exception as reason:
                    self.started[key] = reason  # also for those that ask for it later
                    if isinstance(reason, Skip):
                        break
            if hasattr(self.started[key], 'stop'):
                self.closers.append(self.started[key].stop)
        if isinstance(self.started[key], Exception):
            raise self.started[key]
        return self.started[key]

    @property
    def certificates(self):
        def make():
            c = Certificates()
            self.closers.append(c.remove)
            os.chmod(c.directory, 0o755)
            c.client = c.make('client', 'DNS:client.test')
            c.foreign = c.make('foreign', 'DNS:client.test', 'other')
            return c
        return self.once('certificates', make)

    @property
    def www(self):
        def make():
            www = os.path.join(self.certificates.directory, 'www')
            os.makedirs(www + '/files')
            for name, data in (('small', SMALL), ('text.txt', TEXT), ('large', LARGE), ('huge', HUGE),
                               ('empty', b'')):
                write('%s/files/%s' % (www, name), data)
            return www
        return self.once('www', make)

    @property
    def raw(self):
        def make():
            peer = Peer({'/raw/slow': slow, '/raw/cut': cut, '/raw/cut-chunked': cut_chunked}).__enter__()
            self.closers.append(peer.__exit__)
            return peer
        return self.once('raw', make)

    @property
    def app(self):
        return self.once('Httpbin', Httpbin)

    def server(self, kind):
        if kind is Httpbin:
            return self.app
        if kind is Haproxy:
            return self.once('Haproxy', lambda: Haproxy(self, self.server(Nginx)))
        return self.once(kind.__name__, lambda: kind(self))

    def proxy(self, kind):
        return self.once(kind.__name__, kind)

    @staticmethod
    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()

    def stop(self):
        for close in reversed(self.closers):
            close()


site = Site()


# Ways to servers

PROXIES = {'squid': Squid, 'tinyproxy': Tinyproxy, 'microsocks': Microsocks}


missing = {}


def is_missing(text, *options):
    """Whether whorl-get refuses the options, because it was built without a library."""
    key = ' '.join(options)
    if key not in missing:
        missing[key] = text in run(GET, '--retries', '0', *options, site.raw.origin).messages
    return missing[key]


def need_openssl():
    if is_missing('whorl was built without OpenSSL', '--tls', 'openssl'):
        raise Skip('whorl was built without OpenSSL')


class Way:
    """A way to a server: a port, a version of HTTP, a TLS library, and perhaps a proxy."""

    def __init__(self, kind, port, version, library='any', proxy=None):
        self.kind, self.port, self.version, self.library, self.proxy_name = kind, port, version, library, proxy
        words = [kind.__name__.lower(), 'http1' if version == 1 else 'http2', port, library, proxy and 'by ' + proxy]
        self.is_by_tinyproxy = proxy == 'tinyproxy' and port == 'http'  # it sees the requests
        self.name = ' '.join(w for w in words if w and w not in ('any', 'http')).replace(' ', '_')

    def connect(self):
        """Starts what is needed."""
        if self.version == 2 and is_missing('this build of whorl does not speak HTTP/2', '--http2'):
            raise Skip('whorl was built without HTTP/2')
        if self.library == 'openssl' or self.port == 'tls13':
            need_openssl()
        self.server = site.server(self.kind)
        self.origin = self.curl_origin = self.server.origin(self.port)
        self.proxy = site.proxy(PROXIES[self.proxy_name]).url if self.proxy_name else None
        tls = self.port.startswith('tls')
        ca = ['--cacert', site.certificates.ca] if tls else []
        self.get_options = ca + ([] if self.library == 'any' else ['--tls', self.library])
        self.curl_options = ca + (['--tls-max', '1.2'] if self.library == 'bearssl' else [])
        if self.version == 1:
            self.get_options.append('--http1.1')
            self.curl_options.append('--http1.1')
        else:
            # With TLS, whorl chooses HTTP/2 without being told to.
            self.get_options += [] if tls else ['--http2']
            if tls:
                self.curl_options.append('--http2')
            elif 'http' in self.server.ports:
                # curl 7.88 cannot follow redirects with prior knowledge.
                self.curl_origin = self.server.origin('http')
            else:
                self.curl_options.append('--http2-prior-knowledge')
        if self.proxy:
            self.get_options += ['--proxy', self.proxy]
            self.curl_options += ['-x', self.proxy]

    def get(self, *argv):
        """Runs whorl-get and returns its result, with the JSON objects in `objects`."""
        r = run(GET, '--json', '--retries', '0', *self.get_options, *argv)
        r.objects = [json.loads(line) for line in r.out.splitlines()]
        return r

    def curl(self, *argv):
        """Runs curl, with the path as the last argument. Returns its exit status and the status of
        the response."""
        r = subprocess.run(['curl', '-sS', '-w', '%{http_code}', *self.curl_options, *argv[:-1],
                            self.curl_origin + argv[-1]], capture_output=True, timeout=60)
        return r.returncode, int(r.stdout or b'0')

    def ask(self, method, body, *paths):
        """Sends requests with the library and returns the lines that tell of the responses."""
        r = run(ASK, self.library, 'any' if self.port.startswith('tls') and self.version == 2 else str(self.version),
                site.certificates.ca, self.proxy or '-', method, body, *(self.origin + p for p in paths))
        return r.out.decode().splitlines()

    def same(self, path, *argv, get=(), curl=(), status=200):
        """Both programs get the same. Returns whorl-get's JSON object and the body."""
        r = self.get('-o', 'got', *argv, *get, self.origin + path)
        result = self.curl('-o', 'expected', *argv, *curl, path)
        equal((r.status, r.objects[0]['status'], r.messages), (0, status, ''))
        equal(result, (0, status))
        body = read('got')
        equal(body == (read('expected') if os.path.exists('expected') else b''), True)
        return r.objects[0], body


# Cases. Each gets a way and checks what happens on it.

CASES = []


def case(*needs):
    """Registers a case for the servers that can do all of `needs`."""
    def register(function):
        CASES.append((function, set(needs)))
        return function
    return register


@case('files')
def small_file(way):
    equal(way.same('/files/small')[1], SMALL)


@case('files')
def large_file(way):
    equal(way.same('/files/large')[1] == LARGE, True)


@case('files')
def empty_file(way):
    equal(way.same('/files/empty')[1], b'')


@case('files')
def missing_file(way):
    r = way.get(way.origin + '/files/missing')
    equal((r.status, r.objects[0]['status'], os.listdir('.')), (3, 404, []))
    equal(way.curl('-o', 'expected', '/files/missing'), (0, 404))


@case('files')
def version_and_reuse(way):
    lines = way.ask('GET', '-', *['/files/small'] * 3)
    kept = 'new' if way.is_by_tinyproxy else 'reused'
    equal(lines[0], '200 %d new %d' % (way.version, len(SMALL)))
    equal(lines[1:], ['200 %d %s %d' % (way.version, kept, len(SMALL))] * 2)
    equal([read('body-%d' % n) for n in (1, 2, 3)], [SMALL] * 3)


@case('files')
def several_files_in_one_run(way):
    urls = [way.origin + '/files/' + name for name in ('small', 'large', 'empty', 'text.txt')]
    r = way.get('-d', 'out', '-j', '1', *urls)
    equal((r.status, [o['status'] for o in r.objects[:-1]]), (0, [200] * 4))
    equal([read('out/' + n) for n in ('small', 'large', 'empty', 'text.txt')] == [SMALL, LARGE, b'', TEXT], True)


@case('files')
def head(way):
    lines = way.ask('HEAD', '-', '/files/large', '/files/large')
    equal([line.split()[:2] + line.split()[3:] for line in lines], [['200', str(way.version), str(len(LARGE))]] * 2)
    equal((read('body-1'), read('body-2')), (b'', b''))


def not_modified(way, name, condition):
    way.curl('-D', 'head', '-o', 'expected', '/files/small')
    fields = [line.partition(': ') for line in read('head').decode().splitlines()]
    condition += [value for key, _, value in fields if key.lower() == name][0]
    r = way.get('-o', 'got', '-H', condition, way.origin + '/files/small')
    equal((r.status, r.objects[0]['status'], os.path.exists('got')), (0, 304, False))
    equal(way.curl('-o', 'second', '-H', condition, '/files/small'), (0, 304))


@case('etag')
def not_modified_by_etag(way):
    not_modified(way, 'etag', 'If-None-Match: ')


@case('files')
def not_modified_by_time(way):
    not_modified(way, 'last-modified', 'If-Modified-Since: ')


@case('range')
def part_of_a_file(way):
    equal(way.same('/files/large', '-H', 'Range: bytes=1000-200999', status=206)[1] == LARGE[1000:201000], True)


def decoded(way, coding, get=()):
    accept = () if coding == 'gzip' else ('-H', 'Accept-Encoding: ' + coding)
    one, body = way.same('/files/text.txt', *accept, '--compressed', get=get)
    equal((body == TEXT, one['bytes'] < len(TEXT) // 10, one['written']), (True, True, len(TEXT)))


@case('gzip')
def gzip_is_decoded(way):
    way.same('/files/text.txt')
    decoded(way, 'gzip')


@case('br')
def br_is_decoded(way):
    decoded(way, 'br')


@case('zstd')
def zstd_is_decoded(way):
    decoded(way, 'zstd')


@case('app')
def deflate_is_decoded(way):
    r = way.get('-o', 'got', '--compressed', way.origin + '/deflate')
    equal(way.curl('-o', 'expected', '--compressed', '/deflate'), (0, 200))
    equal((r.status, r.objects[0]['written']), (0, len(read('got'))))
    equal((json.loads(read('got'))['deflated'], json.loads(read('expected'))['deflated']), (True, True))


@case('moved')
def redirect_of_the_server(way):
    equal(way.same('/moved', curl=['-L'])[1], SMALL)


@case('app', 'files')
def redirect_of_the_application(way):
    equal(way.same('/redirect-to?url=/files/small&status_code=307', curl=['-L'])[1], SMALL)


@case('app')
def several_redirects_and_their_limit(way):
    path = '/bytes/100?seed=1'
    for _ in range(3):
        path = '/redirect-to?url=' + urllib.parse.quote(path, safe='')
    equal(len(way.same(path, curl=['-L'])[1]), 100)
    r = way.get('-o', 'too-many', '--max-redirects', '2', way.origin + path)
    equal((r.status, os.path.exists('too-many')), (3, False))
    contains(r.messages, 'redirect')


@case('app')
def body_of_unknown_length(way):
    equal(len(way.same('/stream-bytes/50000?seed=1&chunk_size=3333')[1]), 50000)


@case('private')
def basic_login_at_the_server(way):
    user = ('-u', '%s:%s' % (USER, PASSWORD))
    equal(way.same('/private/small', *user)[1], SMALL)
    r = way.get('-o', 'denied', '-u', USER + ':wrong', way.origin + '/private/small')
    equal((r.status, r.objects[0]['status'], os.path.exists('denied')), (3, 401, False))


@case('digest')
def digest_login_at_the_server(way):
    user = ('-u', '%s:%s' % (USER, PASSWORD))
    equal(way.same('/digest/small', *user, curl=['--digest'])[1], SMALL)
    r = way.get('-o', 'denied', '-u', USER + ':wrong', way.origin + '/digest/small')
    equal((r.status, r.objects[0]['status'], os.path.exists('denied')), (3, 401, False))


@case('app')
def basic_login_at_the_application(way):
    equal(json.loads(way.same('/basic-auth/me/secret', '-u', 'me:secret')[1])['authenticated'], True)


@case('app')
def digest_login_at_the_application(way):
    for algorithm in 'MD5', 'SHA-256':
        path = '/digest-auth/auth/me/secret/' + algorithm
        equal(json.loads(way.same(path, '-u', 'me:secret', curl=['--digest'])[1])['authenticated'], True)


def cookie_rows(path):
    """The cookies of a file, without the time of expiry, and these times."""
    rows = [line.split('\t') for line in read(path).decode().splitlines()
            if '\t' in line and (not line.startswith('#') or line.startswith('#HttpOnly_'))]
    return sorted(r[:4] + r[5:] for r in rows), {r[5]: int(r[4]) for r in rows}


@case('app')
def cookies_are_stored_and_sent(way):
    write('jar', b'# Netscape HTTP Cookie File\nlocalhost\tFALSE\t/\tFALSE\t0\tearlier\tx\n')
    _, body = way.same('/cookies/set?first=1&second=2', get=['--cookies', 'jar', '--save-cookies', 'ours'],
                       curl=['-L', '-b', 'jar', '-c', 'theirs'])
    if not way.is_by_tinyproxy:  # it passes on only the first Set-Cookie
        equal(json.loads(body)['cookies'], {'earlier': 'x', 'first': '1', 'second': '2'})
    equal(cookie_rows('ours'), cookie_rows('theirs'))
    path = ('/response-headers?Set-Cookie=a%3D1%3B%20Max-Age%3D1000%3B%20Path%3D%2F&'
            'Set-Cookie=b%3D2%3B%20HttpOnly&Set-Cookie=c%3D3%3B%20Path%3D%2Fother&'
            'Set-Cookie=d%3D4%3B%20Domain%3Dexample.org&Set-Cookie=e%3D5%3B%20Max-Age%3D0')
    way.same(path, get=['--save-cookies', 'ours'], curl=['-c', 'theirs'])
    (ours, our_times), (theirs, their_times) = cookie_rows('ours'), cookie_rows('theirs')
    equal(ours, theirs)
    equal(len(ours) == (1 if way.is_by_tinyproxy else 3), True)
    equal([k for k in our_times if abs(our_times[k] - their_times[k]) > 5], [])


@case('app')
def body_is_posted(way):
    write('body', BODY)
    equal(way.ask('POST', 'body', '/post', '/post')[0].split()[:2], ['200', str(way.version)])
    way.curl('-o', 'expected', '--data-binary', '@body', '-H', 'Content-Type: application/octet-stream',
             '/post')
    sent = [json.loads(read(name))['data'] for name in ('body-1', 'body-2', 'expected')]
    equal(base64.b64decode(sent[0].split(',')[1]) == BODY, True)
    equal(sent[0] == sent[1] == sent[2], True)


@case('app')
def forms_are_sent(way):
    write('file', BODY)
    r = way.get('-o', 'got', '--form', 'a=1', '--form', 'f=@file', way.origin + '/post')
    equal((r.status, r.objects[0]['method'], r.messages), (0, 'POST', ''))
    equal(way.curl('-o', 'expected', '-F', 'a=1', '-F', 'f=@file;type=application/octet-stream', '/post'), (0, 200))
    ours, theirs = (json.loads(read(name)) for name in ('got', 'expected'))
    equal((ours['form'], ours['files'] == theirs['files']), (theirs['form'], True))
    equal(base64.b64decode(ours['files']['f'].split(',')[1]) == BODY, True)


@case('app')
def large_file_is_uploaded(way):
    data = LARGE + BODY  # HTTP/1.1 asks for a 100 (Continue) first
    write('file', data)
    r = way.get('-o', 'got', '--upload-file', 'file', way.origin + '/put')
    equal((r.status, r.objects[0]['method'], r.messages), (0, 'PUT', ''))
    equal(base64.b64decode(json.loads(read('got'))['data'].split(',')[1]) == data, True)


def posted(way, path, get, curl):
    """Both programs send the same. Returns what the application got from each."""
    r = way.get('-o', 'got', *get, way.origin + path)
    equal((r.status, r.messages), (0, ''))
    equal(way.curl('-o', 'expected', *curl, path), (0, 200))
    ours, theirs = json.loads(read('got')), json.loads(read('expected'))
    for key in 'data', 'form', 'files':
        equal(ours[key] == theirs[key], True)
    return ours


@case('app')
def data_is_posted_by_whorl_get(way):
    equal(posted(way, '/post', ('--data', 'a=1&b=%C3%A4'), ('--data', 'a=1&b=%C3%A4'))['form'], {'a': '1', 'b': 'ä'})


@case('app')
def a_form_with_a_file_is_posted_by_whorl_get(way):
    write('file', BODY)
    ours = posted(way, '/post', ('--form', 'a=1', '--form', 'f=@file'), ('-F', 'a=1', '-F', 'f=@file'))
    equal(ours['form'], {'a': '1'})
    equal(base64.b64decode(ours['files']['f'].split(',')[1]) == BODY, True)


@case('app')
def a_file_is_put_by_whorl_get(way):
    write('file', SMALL * 1000)
    equal(posted(way, '/put', ('--upload-file', 'file'), ('-T', 'file'))['data'], (SMALL * 1000).decode())


@case('app')
def digest_login_with_a_body(way):
    r = way.get('-o', 'got', '-X', 'GET', '-u', 'me:secret', '--data', 'a=1',
                way.origin + '/digest-auth/auth/me/secret/SHA-256')
    equal((r.status, r.objects[0]['status']), (0, 200))


@case('files')
def head_by_whorl_get(way):
    r = run(GET, '-I', *way.get_options, way.origin + '/files/large')
    text = r.out.decode()
    equal((r.status, os.listdir('.')), (0, []))
    contains(text.lower(), 'content-length: %d' % len(LARGE))


@case('resume')
def a_download_that_was_cut_is_continued(way):
    url = way.origin + '/files/huge'  # nginx sends the last part slowly
    r = way.get('-d', 'out', '--timeout', '0.5', url)
    equal((r.status, os.path.exists('out/huge'), len(os.listdir('out'))), (3, False, 2))
    r = way.get('-d', 'out', url)
    equal((r.status, r.objects[0]['status'], os.listdir('out')), (0, 206, ['huge']))
    equal(read('out/huge') == HUGE, True)


@case('echo')
def body_is_echoed(way):
    write('body', LARGE)
    equal([line.split()[:3] for line in way.ask('POST', 'body', '/files/small', '/files/small')],
          [['200', '2', 'new'], ['200', '2', 'reused']])
    equal(way.curl('-o', 'expected', '--data-binary', '@body', '/files/small'), (0, 200))
    equal(read('body-1') == read('body-2') == read('expected') == LARGE, True)


@case('limit')
def large_body_is_refused_early(way):
    write('body', bytes(30_000_000))  # nginx takes 10 MB
    lines = way.ask('POST', 'body', '/post', '/post')
    equal([line.split()[:2] for line in lines], [['413', str(way.version)]] * 2)


@case('raw')
def slow_body(way):
    equal(way.same('/raw/slow')[1], b'0123456789' * 5)


@case('raw')
def end_in_the_middle(way):
    # Some end a body of unknown length although their source did not, so their client cannot know.
    hides = way.kind is Caddy or way.kind is Haproxy and way.version == 2
    for path in ['/raw/cut'] if hides else ['/raw/cut', '/raw/cut-chunked']:
        r = way.get('-o', 'got', way.origin + path)
        equal((r.status, os.path.exists('got'), r.objects[0]['ok']), (3, False, False))
        equal(r.objects[0]['code'] in ('WHORL_EHTTP_TRUNCATED', 'WHORL_EHTTP_LENGTH'), True)
        equal(way.curl('-o', 'expected', path)[0] != 0, True)


# The table of servers

ABILITIES = {
    Nginx: {'files', 'etag', 'range', 'resume', 'gzip', 'br', 'moved', 'private', 'app', 'raw', 'limit'},
    Apache: {'files', 'etag', 'range', 'gzip', 'br', 'moved', 'private', 'digest', 'app', 'raw'},
    Haproxy: {'files', 'etag', 'range', 'resume', 'gzip', 'moved', 'private', 'app', 'raw'},
    Caddy: {'files', 'etag', 'range', 'gzip', 'zstd', 'moved', 'private', 'app', 'raw'},
    Nghttpd: {'files', 'echo'},
    NghttpdTls: {'files', 'echo'},
    Httpbin: {'app'},
}


def ways(kind):
    plain = {Httpbin: [1], Nghttpd: [2], NghttpdTls: []}.get(kind, [1, 2])
    for version in plain:
        yield Way(kind, 'h2c' if version == 2 and kind in (Nginx, Haproxy, Nghttpd) else 'http', version)
    if 'tls' in kind.names:
        for version in [2] if kind is NghttpdTls else [1, 2]:
            for library in 'bearssl', 'openssl':
                yield Way(kind, 'tls', version, library)
    if kind is Nginx:
        for port, library in (('tls12', 'bearssl'), ('tls12', 'openssl'), ('tls12', 'any'),
                              ('tls13', 'openssl'), ('tls13', 'any')):
            yield Way(kind, port, 2, library)
        for proxy in PROXIES:
            yield Way(kind, 'http', 1, proxy=proxy)
            yield Way(kind, 'tls', 2, proxy=proxy)
        yield Way(kind, 'tls', 1, 'openssl', 'squid')
        yield Way(kind, 'h2c', 2, proxy='microsocks')


def add(way, cases):
    def function():
        way.connect()
        failures = []
        for each in cases:
            directory = os.path.abspath(each.__name__)
            os.mkdir(directory)
            os.chdir(directory)
            try:
                each(way)
            except AssertionError as error:
                failures.append('%s: %s' % (each.__name__, error))
            finally:
                os.chdir('..')
        if failures:
            raise AssertionError('\n'.join(failures))
    function.__name__ = way.name
    TESTS.append(function)


for number, (kind, abilities) in enumerate(ABILITIES.items()):
    possible = [function for function, needs in CASES if needs <= abilities]
    all_ways = list(ways(kind))
    turns = collections.defaultdict(list)
    for i, function in enumerate(possible):
        turns[(i + number) % len(all_ways)].append(function)
    for i, way in enumerate(all_ways):
        add(way, possible if ALL else turns[i])


# Client certificates


def client_certificates(kind, port, library, *options):
    """Runs whorl-get with the right certificate, which gets the file. Returns its messages without
    a certificate, and with one of another authority; it gets nothing."""
    c = site.certificates
    url = site.server(kind).origin(port) + '/files/small'
    messages = []
    for name, argv in (('right', ('--cert', c.client, '--key', c.key)), ('none', ()),
                       ('foreign', ('--cert', c.foreign, '--key', c.key))):
        r = run(GET, '--cacert', c.ca, '--tls', library, '--retries', '0', *options, '-o', name, *argv, url)
        equal((r.status, os.path.exists(name)), (0, True) if name == 'right' else (3, False))
        messages.append(r.messages)
    equal(read('right'), SMALL)
    os.remove('right')
    return messages[1:]


@test
def nginx_gets_the_client_certificate():
    need_openssl()
    for port, library in (('tls_client12', 'bearssl'), ('tls_client12', 'openssl'), ('tls_client13', 'openssl')):
        for options in (), ('--http1.1',):
            for message in client_certificates(Nginx, port, library, *options):
                contains(message, 'status 400')  # nginx completes the handshake, and refuses then


@test
def haproxy_gets_the_client_certificate():
    need_openssl()
    for port, library in (('tls_client12', 'bearssl'), ('tls_client12', 'openssl'), ('tls_client13', 'openssl')):
        for options in (), ('--http1.1',):
            none, foreign = client_certificates(Haproxy, port, library, *options)
            contains(none, 'sent alert ' + ('handshake_failure (40)' if port == 'tls_client12'
                                            else 'certificate_required (116)'))
            contains(foreign, 'sent alert unknown_ca (48)')


try:
    main()
finally:
    site.stop()
