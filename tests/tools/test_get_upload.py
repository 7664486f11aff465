# SPDX-License-Identifier: MIT
"""What whorl-get sends: methods, bodies, forms and uploads; curl, nginx and httpbin are witnesses.

    test_get_upload.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import email.message
import email.policy
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading

from lib import (SCALE, Peer, Skip, contains, equal, files, free_port, hang_after, in_turn, main,
                 raw, reply, reset, run, running, test, time, wait_until)
from servers import Daemon, Httpbin

GET = os.path.abspath(sys.argv[1])
DRIVERS = ({'WHORL_DRIVER': 'io_uring'}, {'WHORL_DRIVER': 'epoll'})


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


def write(name, data):
    with open(name, 'wb') as f:
        f.write(data)
    return name


class Echo(http.server.ThreadingHTTPServer):
    """Keeps every request as (method, path, headers, body) and answers with its body."""

    def __init__(self, status=200, answer=None, headers=()):
        super().__init__(('127.0.0.1', 0), Handler)
        self.seen, self.status, self.answer, self.more = [], status, answer, headers
        self.origin = 'http://127.0.0.1:%d' % self.server_port

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def bodies(self):
        return [body for _, _, _, body in self.seen]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def handle_all(self):
        if self.headers.get('Transfer-Encoding') == 'chunked':
            body = b''
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                equal(self.rfile.readline(), b'\r\n')
            equal(self.rfile.readline(), b'\r\n')
        else:
            body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        server = self.server
        server.seen.append((self.command, self.path, self.headers, body))
        answer = body if server.answer is None else server.answer
        self.send_response(server.status)
        for name, value in server.more:
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = handle_all

    def log_message(self, *_):
        pass


def curl(*argv, **kwargs):
    if not shutil.which('curl'):
        raise Skip('curl is not installed')
    r = run('curl', '-sS', '--noproxy', '*', *argv, **kwargs)
    equal((r.status, r.err), (0, b''))
    return r


def same_as_curl(ours, theirs, stdin=b''):
    """Sends two requests. The servers must see the same method, type and body, boundaries aside."""
    with Echo() as server:
        r = get('-q', '-o', 'out', *ours, server.origin + '/x', stdin=stdin)
        equal((r.status, r.messages), (0, ''))
        curl(*theirs, server.origin + '/x', stdin=stdin)
    found = []
    for method, _, headers, body in server.seen:
        kind = headers.get('Content-Type')
        boundary = re.search('boundary=([^;]+)', kind or '')
        if boundary:
            equal(len(boundary[1]) <= 70, True)
            kind, body = kind.replace(boundary[1], 'B'), body.replace(boundary[1].encode(), b'B')
        found.append((method, kind, body))
    equal(found[0], found[1])
    return found[0]


# --- bodies ---

@test
def data_is_sent_as_curl_sends_it():
    write('f', b'c=\x00\xff\r\n')
    equal(same_as_curl(['--data', 'a=1'], ['-d', 'a=1']), ('POST', 'application/x-www-form-urlencoded', b'a=1'))
    same_as_curl(['--data', 'a=1', '--data', '@f', '--data', 'b'],
                 ['--data-binary', 'a=1', '--data-binary', '@f', '--data-binary', 'b'])
    same_as_curl(['--data', '@-'], ['--data-binary', '@-'], stdin=b'from stdin\n')
    same_as_curl(['--data', ''], ['-d', ''])
    same_as_curl(['--data', 'x', '-X', 'PATCH', '-H', 'Content-Type: a/b'],
                 ['-d', 'x', '-X', 'PATCH', '-H', 'Content-Type: a/b'])
    equal(same_as_curl(['--json-data', '{"a": 1}'], ['--json', '{"a": 1}'])[1], 'application/json')
    same_as_curl(['--json-data', '@-'], ['--json', '@-'], stdin=b'[1]')


@test
def forms_are_sent_as_curl_sends_them():
    write('cat.bin', b'\r\n--x\r\n\x00')
    write('na"me', b'')
    write('\xfc'.encode() + b'.bin', b'u')
    fields = ['a=1', 'b==', 'c=', 'f=@cat.bin', 'quo"te\r\nX: y=two\nlines', 'f=@na"me', 'u=@\xfc.bin']
    typed = [f + ';type=application/octet-stream' if '@' in f else f for f in fields]
    typed[5] = 'f=@"na\\"me";type=application/octet-stream'
    _, kind, body = same_as_curl([w for f in fields for w in ('--form', f)], [w for f in typed for w in ('-F', f)])
    message = email.message_from_bytes(b'Content-Type: ' + kind.encode() + b'\r\n\r\n' + body,
                                       policy=email.policy.compat32)
    equal(len(message.get_payload()), len(fields))
    equal(message.defects, [])


@test
def a_file_of_a_form_has_the_name_and_the_type_that_curl_gives_it():
    write('cat.bin', b'meow')
    write('a;b"c\\d', b'odd')
    for field in ('f=@cat.bin;type=image/x-cat', 'f=@cat.bin;filename=a b;type=text/x',
                  'f=@cat.bin;type=text/plain;charset=utf-8;filename="x;y\\"z"',
                  'f=@"cat.bin";filename=dir/n;type=a/b', 'f=@"a;b\\"c\\\\d";type=text/x',
                  'f=@-;type=text/x;filename=n'):
        same_as_curl(['--form', field], ['-F', field], stdin=b'from stdin\n')
    # Without @, a value is sent as it is, unlike curl's.
    same_as_curl(['--form', 'a=1;type=text/x'], ['--form-string', 'a=1;type=text/x'])


@test
def httpbin_reads_the_same_form():
    server = Httpbin()
    try:
        write('cat.bin', b'meow')
        url = server.origin('http').replace('localhost', '127.0.0.1')
        r = get('-q', '-o', '-', '--form', 'a=1', '--form', 'f=@cat.bin', url + '/post')
        equal((r.status, r.messages), (0, ''))
        seen = json.loads(r.out)
        equal((seen['form'], seen['files']), ({'a': '1'}, {'f': 'meow'}))
        r = get('-q', '-o', '-', '--data', 'a=1', '--data', 'b=x+y', url + '/post')
        equal(json.loads(r.out)['form'], {'a': '1', 'b': 'x y'})
        r = get('-q', '-o', '-', '--json-data', '{"a": [1]}', url + '/anything')
        equal(json.loads(r.out)['json'], {'a': [1]})
        r = get('-q', '-o', '-', '-X', 'DELETE', url + '/anything')
        equal(json.loads(r.out)['method'], 'DELETE')
    finally:
        server.stop()


@test
def a_pipe_is_sent_in_chunks_and_only_to_one_url():
    for env in DRIVERS:
        with Echo() as server:
            r = get('-q', '-o', 'out', '--upload-file', '-', server.origin + '/a', stdin=200000 * b'x', env=env)
            equal((r.status, r.messages), (0, ''))
            r = get('-q', '-o', 'out', '--form', 'f=@-', server.origin + '/a', stdin=b'hello', env=env)
            equal((r.status, r.messages), (0, ''))
            contains(server.bodies()[1], b'filename="-"\r\nContent-Type: application/octet-stream\r\n\r\nhello\r\n')
            r = get('-q', '--upload-file', '-', server.origin + '/a', server.origin + '/b', stdin=b'x', env=env)
            equal((r.status, len(server.seen)), (2, 2))
            contains(r.messages, 'only to one URL')
        equal((server.seen[0][0], server.bodies()[0]), ('PUT', 200000 * b'x'))


@test
def standard_input_is_sent_from_where_it_is():
    write('f', b'first\nrest\n')
    with Echo(status=503) as server:
        script = 'read line; exec "$0" -q --retries 1 --upload-file - "$1"'
        with open('f', 'rb') as stdin:
            subprocess.run(['sh', '-c', script, GET, server.origin + '/a'], stdin=stdin, timeout=60,
                           stderr=subprocess.DEVNULL)
    # sh has read the first line; a regular file is sent again.
    equal(server.bodies(), [b'rest\n', b'rest\n'])


@test
def a_url_that_ends_with_a_slash_gets_the_name_of_the_file():
    os.mkdir('dir')
    write('dir/a b%.txt', b'1')
    with Echo() as server:
        for path in ('/d/', '', '/', '/d/?q', '/d/c'):
            equal(get('-q', '-o', 'out', '--upload-file', 'dir/a b%.txt', server.origin + path).status, 0)
    equal([s[1] for s in server.seen], ['/d/a%20b%25.txt', '/', '/a%20b%25.txt', '/d/?q', '/d/c'])


# --- nginx ---

class Dav(Daemon):
    program = 'nginx'
    names = ('http', 'h2c')

    def __init__(self):
        super().__init__()
        os.mkdir(self.at('www'))
        servers = ''.join('''server { listen 127.0.0.1:%d %s; root %s; location / {
            dav_methods PUT DELETE; create_full_put_path on; client_max_body_size 100m; }
            location /small/ { dav_methods PUT; client_max_body_size 1k; } }\n'''
                          % (self.ports[n], 'http2' if n == 'h2c' else '', self.at('www')) for n in self.names)
        self.write('nginx.conf', f'''daemon off; master_process off; pid {self.at('pid')};
error_log {self.at('error.log')}; events {{ }}
http {{ access_log off; client_body_temp_path {self.at('www')}/tmp; proxy_temp_path {self.at('tmp')};
fastcgi_temp_path {self.at('tmp')}; uwsgi_temp_path {self.at('tmp')}; scgi_temp_path {self.at('tmp')};
{servers} }}''')
        self.start('-c', self.at('nginx.conf'), '-e', self.at('error.log'))

    def content(self, name):
        with open(os.path.join(self.at('www'), name), 'rb') as f:
            return f.read()


@test
def nginx_stores_uploads_of_any_size_in_both_versions():
    server = Dav()
    try:
        large = os.urandom(1 << 20) * 8 + b'end'
        write('large', large)
        write('empty', b'')
        for env in DRIVERS:
            for port, version in (('http', '--http1.1'), ('h2c', '--http2')):
                o = 'http://127.0.0.1:%d/' % server.ports[port]
                for name, content in (('large', large), ('empty', b'')):
                    r = get('-v', version, '--upload-file', name, o, env=env)
                    equal(r.status, 0)
                    contains(r.messages, o + ': 20')
                    equal(server.content(name) == content, True)
                    os.remove(os.path.join(server.at('www'), name))
                r = get('-q', version, '--upload-file', '-', o + 'pipe', stdin=large, env=env)
                equal((r.status, server.content('pipe') == large), (0, True))
                r = get('--json', version, '-X', 'DELETE', o + 'pipe', env=env)
                first = json.loads(r.out.splitlines()[0])
                equal((r.status, first['method'], first['status'], first['file']), (0, 'DELETE', 204, None))
                r = get(version, '--upload-file', 'large', o + 'small/x', env=env)
                equal(r.status, 3)
                contains(r.messages, '413')
        equal(files(), ['empty', 'large'])
    finally:
        server.stop()


# --- responses ---

@test
def the_response_is_saved_as_that_of_a_download():
    with Echo(status=201, answer=b'stored') as server:
        equal(get('-q', '--data', 'a', server.origin + '/x').status, 0)
    equal((files(), open('x').read()), (['x'], 'stored'))
    with Echo(status=201, answer=b'') as server:
        r = get('--data', 'a', server.origin + '/y')
        equal((r.status, files()), (0, ['x']))
        contains(r.messages, '/y: 201 (0 B in ')
        equal(get('-q', '-o', 'z', '--data', 'a', server.origin + '/y').status, 0)
        equal(get('-q', server.origin + '/empty').status, 0)
    equal(files(), ['empty', 'x', 'z'])


@test
def an_empty_response_is_compared_with_what_is_expected():
    with Echo(status=201, answer=b'') as server:
        r = get('-q', '--data', 'a', '--checksum', 'md5=' + 32 * '0', server.origin + '/a')
        equal((r.status != 0, r.messages != ''), (True, True))
        r = get('-q', '--data', 'a', '-i', '-', stdin=(server.origin + '/a size=1\n').encode())
        equal(r.status != 0, True)


@test
def head_prints_the_head_and_writes_no_file():
    with Echo(answer=b'body', headers=[('X-Esc', 'a\x9b31mb'), ('X-Two', '1'), ('X-Two', '2')]) as server:
        r = get('-I', server.origin + '/a')
        equal((r.status, files()), (0, []))
        lines = r.out.decode().split('\n')
        equal((lines[0], lines[-2:]), ('HTTP/1.1 200 OK', ['', '']))
        for line in ('X-Esc: a\\x9b31mb', 'X-Two: 1', 'X-Two: 2', 'Content-Length: 4'):
            contains(lines, line)
        r = get('-q', '-X', 'HEAD', server.origin + '/a', server.origin + '/b')
        equal((r.status, r.messages), (0, ''))
        heads = sorted(r.out.decode().split('\n\n'))
        equal([h.split('\n')[:2] for h in heads[1:]],
              [[server.origin + p, 'HTTP/1.1 200 OK'] for p in ('/a', '/b')])
        equal({s[0] for s in server.seen}, {'HEAD'})
    with Echo(status=404) as server:
        r = get('-I', server.origin + '/a')
        equal((r.status, r.out.split(b'\n')[0]), (3, b'HTTP/1.1 404 Not Found'))


@test
def a_full_standard_output_fails_a_head():
    with Echo() as server, open('/dev/full', 'wb') as full:
        child = subprocess.run([GET, '-q', '-I', server.origin + '/'], stdout=full, stderr=subprocess.PIPE, timeout=60)
    equal(child.returncode != 0, True)
    contains(child.stderr, b'no space left')


@test
def show_headers_prints_the_head_as_a_message():
    with Echo(answer=b'body', headers=[('X-A', '1')]) as server:
        r = get('-q', '--show-headers', '-o', '-', server.origin + '/a')
        equal((r.status, r.out), (0, b'body'))
        equal(r.messages.startswith('HTTP/1.1 200 OK\n'), True)
        contains(r.messages, '\nX-A: 1\nContent-Length: 4\n\n')


@test
def objects_have_the_method():
    with Echo() as server:
        for argv, method in (([], 'GET'), (['--data', 'a'], 'POST'), (['--upload-file', '/dev/null'], 'PUT'),
                             (['-X', 'M-SEARCH'], 'M-SEARCH')):
            r = get('-q', '--json', *argv, server.origin + '/a')
            first = json.loads(r.out.splitlines()[0])
            equal((first['method'], first['status']), (method, 501 if method == 'M-SEARCH' else 200))


@test
def redirects_change_the_method_as_the_manual_says():
    for status, follows in (('301', 'GET'), ('302', 'GET'), ('303', 'GET'), ('307', 'POST'), ('308', 'POST')):
        with Echo() as server:
            with Peer({'/a': reply(b'', status + ' M', [('Location', server.origin + '/b')])}) as peer:
                equal(get('-q', '-o', 'out', '--data', 'a=1', peer.origin + '/a').status, 0)
                equal([r.method for r in peer.requests], ['POST'])
        (method, _, headers, body), = server.seen
        equal((method, body), (follows, b'a=1' if follows == 'POST' else b''))
        equal(headers.get('Content-Type') is None, follows == 'GET')


# --- retries ---

@test
def only_idempotent_requests_are_retried():
    write('f', b'x')
    for argv, tries in ((['--data', 'a'], 1), (['--form', 'f=@f'], 1), (['--upload-file', 'f'], 3),
                        (['-X', 'DELETE'], 3), (['-X', 'PATCH', '--data', 'a'], 1), (['-I'], 3),
                        (['--upload-file', 'f', '-X', 'POST'], 1)):
        for route in (reply(b'', '503 Busy'), reset):
            with Peer({'*': route}) as peer:
                r = get('--retries', '2', *argv, peer.origin + '/a')
                equal((r.status, len(peer.requests)), (3, tries))
            if tries == 1:
                contains(r.messages, ' is not retried: the server may have carried it out)')


@test
def without_retries_nothing_is_said_about_them():
    with Peer({'*': reply(b'', '503 Busy')}) as peer:
        r = get('--retries', '0', '--data', 'a', peer.origin + '/a')
    equal((r.status, 'retried' in r.messages), (3, False))


@test
def a_pipe_is_not_retried():
    with Peer({'*': reply(b'', '503 Busy')}) as peer:
        r = get('--retries', '2', '--upload-file', '-', peer.origin + '/a', stdin=b'x')
        equal((r.status, len(peer.requests)), (3, 1))
    contains(r.messages, '(PUT is not retried: its body can be sent only once)')


@test
def what_was_not_sent_is_retried_whatever_the_method():
    port = free_port()
    r = get('--retries', '1', '--data', 'a', 'http://127.0.0.1:%d/a' % port)
    contains(r.messages, '(tried 2 times)')
    r = get('--retries', '1', '--upload-file', '-', 'http://127.0.0.1:%d/a' % port, stdin=b'x')
    contains(r.messages, '(tried 2 times)')


# --- limits ---

@test
def a_server_that_does_not_want_the_body_does_not_get_it():
    write('f', (8 << 20) * b'x')
    with Peer({'*': raw(b'HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n')}) as peer:
        r = get('--upload-file', 'f', peer.origin + '/a')
        equal((r.status, peer.requests[0].headers.get('expect')), (3, '100-continue'))
    contains(r.messages, 'status 403 No')


@test
def a_success_before_the_body_was_sent_is_a_failed_upload():
    write('f', (8 << 20) * b'x')
    with Peer({'*': raw(b'HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n')}) as peer:
        r = get('--json', '--upload-file', 'f', peer.origin + '/a')
        equal((r.status, len(peer.requests)), (3, 1))
    o = json.loads(r.out.splitlines()[0])
    equal((o['ok'], o['status'], o['class'], o['sent'] < 1000), (False, 201, 'status', True))
    contains(r.messages, '/a: status 201 Made, but the body was not sent whole: '
             'the server answered after 0 bytes of it\n')


@test
def a_transfer_below_the_minimum_speed_fails():
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'
    for env in DRIVERS:
        with Peer({'*': hang_after(head + 10 * b'x')}) as peer:
            r = get('--retries', '0', '--speed-limit', '1k,0.5s', peer.origin + '/a', env=env)
        equal((r.status, files()), (3, []))
        contains(r.messages, 'slower than 1024 bytes/s for 500 ms (minimum speed), after 10 of 1000 bytes')
        equal(r.seconds < 10 * SCALE, True)
    with Peer({'*': in_turn(hang_after(head), reply(b'ok'))}) as peer:
        equal(get('-q', '--speed-limit', '1k,0.2s', peer.origin + '/a').status, 0)


# --- usage ---

@test
def wrong_requests_are_wrong_usage():
    write('f', b'')
    for argv, why in (
            (['--data', 'a', '--form', 'b=c'], '--data and --form cannot be used together'),
            (['--data', 'a', '--json-data', '1'], '--data and --json-data cannot be used together'),
            (['--form', 'a=b', '--upload-file', 'f'], '--form and --upload-file cannot be used together'),
            (['--data', 'a', '-I'], '--data and --head cannot be used together'),
            (['--upload-file', 'f', '-X', 'HEAD'], '--upload-file and --head cannot be used together'),
            (['-I', '-X', 'GET'], '--head and --method cannot be used together'),
            (['-I', '-o', 'x'], '--head writes no file; leave --output out'),
            (['-I', '--checksum', 'md5=' + 32 * '0'], '--head and --checksum cannot be used together'),
            (['-I', '--json'], '--head and --json both write to standard output'),
            (['--json-data', '1', '--json-data', '2'], '--json-data may be given only once'),
            (['--form', 'a'], "--form needs NAME=VALUE or NAME=@FILE, not 'a'"),
            (['--form', '=a'], "--form needs NAME=VALUE or NAME=@FILE, not '=a'"),
            (['--form', 'a=@f;x'], "--form needs type= or filename= after a semicolon (quote a name that contains one), "
                                   "not 'a=@f;x'"),
            (['--form', 'a=@"f'], '--form needs a double quote at the end of a quoted name'),
            (['--form', 'a=@"f"x'], '--form needs a semicolon after the closing quote'),
            (['--form', 'a=@f;type=text'], '--form needs a type such as text/plain after type='),
            (['--form', 'a=@f;type=a/b\n;filename=x'], '--form needs a type without control bytes'),
            (['--form', 'a=@f;filename='], '--form needs a name after filename='),
            (['--form', 'a=@"-"', '--form', 'b=@-;type=a/b'], 'standard input can be read only once'),
            (['-X', 'A B'], "--method needs a name such as PUT, not 'A B'"),
            (['-X', ''], "--method needs a name such as PUT, not ''"),
            (['-X', 'CONNECT'], '--method CONNECT makes a tunnel'),
            (['--upload-file', ''], '--upload-file needs a file name'),
            (['--data', '@-', '--form', 'a=@-'], '--data and --form cannot be used together'),
            (['--data', '@-', '--data', '@-'], 'standard input can be read only once'),
            (['--data', '@-', '-i', '-'], 'standard input can be read only once'),
            (['--form', 'a=@-', '--form', 'b=@-'], 'standard input can be read only once'),
            (['--upload-file', '-', '-i', '-'], 'standard input can be read only once'),
            (['--speed-limit', 'x'], "--speed-limit needs bytes per second, and a time"),
            (['--speed-limit', '0'], "--speed-limit needs bytes per second, and a time"),
            (['--speed-limit', '1,0'], "--speed-limit needs bytes per second, and a time"),
            (['--speed-limit', '1,'], "--speed-limit needs bytes per second, and a time"),
            (['--upload-file', '/none'], '--upload-file: /none: no such file or directory'),
            (['--form', 'a=@/none'], '--form: /none: no such file or directory'),
            (['--data', '@/none'], '--data: /none: no such file or directory'),
            (['--json-data', '@.'], '--json-data: .: is a directory'),
            (['--form', 'a=@.'], '--form: .: is a directory')):
        r = get(*argv, 'http://127.0.0.1:1/')
        equal((r.status, r.out), (2, b''))
        contains(r.messages, why)


def never(connection, _):
    """A route that reads until the client closes, and answers nothing."""
    connection.settimeout(30 * SCALE)
    while connection.recv(65536):
        pass


@test
def texts_are_hidden_in_the_list_of_processes():
    for argv in (['--data', 'pass=s3cret'], ['--data=pass=s3cret'], ['--json-data', '"s3cret"'],
                 ['--form', 'pass=s3cret']):
        with Peer({'*': never}) as peer, running(GET, '-q', *argv, peer.origin + '/') as child:
            wait_until(lambda: peer.requests, what='the request')
            with open('/proc/%d/cmdline' % child.pid, 'rb') as f:
                shown = f.read()
            equal(b's3cret' in shown, False)
            contains(shown, b'*')
            child.terminate()
            child.wait(10)


main()
