# SPDX-License-Identifier: MIT
"""whorl-get: which address it connects to and from, and Unix sockets, against nginx.

    test_get_names_net.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile

from lib import Certificates, Skip, contains, equal, free_port, main, run, test, wait_until

GET = os.path.abspath(sys.argv[1])
shared = {}


class Server:
    """nginx on several addresses of one port, and on Unix sockets. It answers with the addresses of
    both ends, the Host header and the version of HTTP."""

    def __init__(self):
        if not shutil.which('nginx'):
            raise Skip('nginx is not installed')
        self.certificates = Certificates()
        self.directory = tempfile.mkdtemp(prefix='whorl-test-')
        os.chmod(self.directory, 0o755)
        self.has_ipv6 = has_ipv6()
        self.port, self.tls_port, self.v4_port, self.v6_port = (free_port() for _ in range(4))
        v6 = '' if not self.has_ipv6 else f'listen [::1]:{self.port}; listen [::1]:{self.v6_port};'
        temp = ' '.join('%s_temp_path %s/tmp;' % (k, self.directory)
                        for k in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        with open(self.at('nginx.conf'), 'w') as f:
            f.write(f'''worker_processes 1; daemon off; master_process off; pid {self.directory}/pid;
error_log {self.directory}/error.log; events {{ worker_connections 1024; }}
http {{ access_log off; {temp}
  server {{
    listen 127.0.0.1:{self.port}; listen 127.0.0.2:{self.port}; listen 127.0.0.1:{self.v4_port}; {v6}
    listen 127.0.0.1:{self.tls_port} ssl http2; listen unix:{self.at('plain')};
    listen unix:{self.at('http2')} http2; listen unix:{self.at('tls')} ssl http2;
    ssl_certificate {self.certificates.good}; ssl_certificate_key {self.certificates.key};
    location = /away {{ return 302 http://elsewhere.test/file; }}
    location / {{ return 200 "$server_addr from $remote_addr $http_host $server_protocol"; }} }} }}
''')
        self.child = subprocess.Popen(['nginx', '-c', self.at('nginx.conf'), '-e', self.at('error.log')],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, what='nginx answering')

    def at(self, name):
        return os.path.join(self.directory, name)

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(('127.0.0.1', self.port)) == 0

    def stop(self):
        self.child.terminate()
        self.child.wait(10)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.certificates.remove()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(('::1', 0))
            return True
    except OSError:
        return False


def has_openssl():
    """Whether the program is built with OpenSSL. It says so before it connects."""
    r = get('--tls', 'openssl', 'http://127.0.0.1:1/')
    return r.status == 3


def server():
    if 'server' not in shared:
        shared['server'] = Server()
    return shared['server']


def get(*argv):
    return run(GET, '--no-config', '--retries', '0', '-q', '-o', '-', *argv)


def answer(*argv):
    """What nginx says about the request."""
    r = get(*argv)
    equal((r.status, r.messages), (0, ''))
    return r.out.decode()


def failure(status, *argv):
    r = get(*argv)
    equal((r.status, r.out), (status, b''))
    return r.messages


@test
def resolve_replaces_the_lookup():
    s = server()
    host = 'name.test:%d' % s.port
    equal(answer('--resolve', host + ':127.0.0.1', 'http://%s/' % host),
          '127.0.0.1 from 127.0.0.1 %s HTTP/1.1' % host)
    equal(answer('--resolve', host + ':127.0.0.2', '--resolve', '*:%d:127.0.0.1' % s.port, 'http://%s/' % host),
          '127.0.0.2 from 127.0.0.1 %s HTTP/1.1' % host)
    equal(answer('--resolve', '*:%d:127.0.0.2' % s.port, 'http://%s/' % host),
          '127.0.0.2 from 127.0.0.1 %s HTTP/1.1' % host)
    # A literal address too, and the first address that refuses is not the end.
    equal(answer('--resolve', '192.0.2.1:%d:127.0.0.9,127.0.0.2' % s.port, 'http://192.0.2.1:%d/' % s.port),
          '127.0.0.2 from 127.0.0.1 192.0.2.1:%d HTTP/1.1' % s.port)
    contains(failure(3, '--resolve', host + ':127.0.0.9', 'http://%s/' % host), '127.0.0.9:%d' % s.port)


@test
def resolve_keeps_the_name_of_the_certificate():
    s = server()
    ca = ['--cacert', s.certificates.ca]
    equal(answer(*ca, '--resolve', 'localhost:%d:127.0.0.1' % s.tls_port, 'https://localhost:%d/' % s.tls_port),
          '127.0.0.1 from 127.0.0.1 localhost:%d HTTP/2.0' % s.tls_port)
    contains(failure(3, *ca, '--resolve', 'name.test:%d:127.0.0.1' % s.tls_port, 'https://name.test:%d/' % s.tls_port),
             'TLS')


@test
def an_address_that_is_a_black_hole_is_left_for_the_next_one():
    with socket.socket() as hole:
        hole.bind(('127.0.0.3', server().port))
        hole.listen(0)
        full = []
        try:
            for _ in range(4):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex(('127.0.0.3', server().port))
                full.append(s)
            r = get('--resolve', 'a.test:%d:127.0.0.3,127.0.0.2' % server().port, 'http://a.test:%d/' % server().port)
            equal((r.status, r.messages), (0, ''))
            equal(r.out.decode().split()[0], '127.0.0.2')
            equal(r.seconds >= 0.25, True)
        finally:
            for s in full:
                s.close()


@test
def the_family_can_be_chosen():
    s = server()
    if not s.has_ipv6:
        raise Skip('no IPv6 on loopback')
    url = 'http://localhost:%d/' % s.port
    equal(answer('-4', url).split()[0], '127.0.0.1')
    equal(answer('--ipv6', url).split()[0], '::1')
    contains(failure(3, '-6', 'http://127.0.0.1:%d/' % s.port),
             'resolve 127.0.0.1: this is an IPv4 address, but only IPv6 is allowed (-6)\n')
    contains(failure(3, '-4', 'http://[::1]:%d/' % s.port),
             'resolve ::1: this is an IPv6 address, but only IPv4 is allowed (-4)\n')
    contains(failure(3, '-6', 'http://localhost:%d/' % s.v4_port), 'refused')
    contains(failure(3, '-4', 'http://localhost:%d/' % s.v6_port), 'refused')


@test
def the_configuration_file_chooses_a_family_and_the_command_line_another():
    s = server()
    if not s.has_ipv6:
        raise Skip('no IPv6 on loopback')
    with open('conf', 'w') as f:
        f.write('ipv6\nresolve = name.test:%d:127.0.0.1,::1\n' % s.port)
    url = 'http://name.test:%d/' % s.port
    for argv, address in (([], '::1'), (['-4'], '127.0.0.1')):
        r = run(GET, '--config', 'conf', '-q', '-o', '-', *argv, url)
        equal((r.status, r.messages), (0, ''))
        equal(r.out.decode().split()[0], address)


@test
def the_local_end_can_be_chosen():
    s = server()
    url = 'http://127.0.0.1:%d/' % s.port
    equal(answer('--interface', '127.0.0.7', url).split()[2], '127.0.0.7')
    equal(answer('--interface', 'lo', url).split()[2], '127.0.0.1')
    if s.has_ipv6:
        equal(answer('--interface', '127.0.0.7', 'http://localhost:%d/' % s.port).split()[2], '127.0.0.7')
        equal(answer('--interface', '::1', 'http://localhost:%d/' % s.port).split()[2], '::1')
    contains(failure(2, '--interface', 'no-such0', url), 'no-such0: interface: no such device')
    contains(failure(2, '--interface', '192.0.2.1', url), '192.0.2.1: interface: cannot assign requested address')


@test
def a_unix_socket_takes_the_place_of_the_host():
    s = server()
    equal(answer('--unix-socket', s.at('plain'), 'http://name.test/a'), 'unix:%s from unix: name.test HTTP/1.1'
          % s.at('plain'))
    equal(answer('--unix-socket', s.at('plain'), 'http://name.test/away'),
          'unix:%s from unix: elsewhere.test HTTP/1.1' % s.at('plain'))
    equal(answer('--unix-socket', s.at('http2'), '--http2', 'http://name.test/').split()[-1], 'HTTP/2.0')
    ca = ['--cacert', s.certificates.ca]
    for version, said in ((['--http1.1'], 'HTTP/1.1'), ([], 'HTTP/2.0')):
        for library in ['bearssl'] + ['openssl'] * has_openssl():
            equal(answer(*ca, *version, '--tls', library, '--unix-socket', s.at('tls'), 'https://localhost/'),
                  'unix:%s from unix: localhost %s' % (s.at('tls'), said))
    contains(failure(3, *ca, '--unix-socket', s.at('tls'), 'https://name.test/'), 'TLS')
    contains(failure(3, '--unix-socket', s.at('none'), 'http://name.test/'), s.at('none'))
    contains(failure(2, '--unix-socket', s.at('plain'), '-4', 'http://name.test/'), '--unix-socket and -4')


try:
    main()
finally:
    if 'server' in shared:
        shared['server'].stop()
