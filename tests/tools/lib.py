# SPDX-License-Identifier: MIT
"""Fixtures for tests of the programs: a TAP runner, servers on loopback, certificates, a terminal.

Servers listen on 127.0.0.1 and a free port. Every wait has a time limit. A test leaves nothing when
it ends.
"""
import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import pty
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback

for name in ('http_proxy', 'https_proxy', 'all_proxy'):  # the programs warn about these
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)

os.environ['XDG_CONFIG_HOME'] = '/dev/null'  # whoever runs the tests may have a get.conf

# The programs leave signals ignored that were ignored when they began, as nohup(1) does.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

TESTS = []
SANITIZED = os.environ.get('TEST_SANITIZED') == '1'
SCALE = max(4 if SANITIZED else 1, int(os.environ.get('TEST_TIMEOUT_SCALE', '1') or 1))


class Skip(Exception):
    pass


def test(function):
    """Registers a test. Its name is its claim. It runs in a new, empty working directory."""
    TESTS.append(function)
    return function


def run_test(number, function):
    """Runs a test and prints its result. Returns whether it is good."""
    directory = tempfile.mkdtemp(prefix='whorl-test-')
    before = os.getcwd()
    os.chdir(directory)
    start = time.monotonic()
    good = True
    try:
        function()
        line = 'ok %d - %s' % (number, function.__name__)
    except Skip as reason:
        line = 'ok %d - %s # SKIP %s' % (number, function.__name__, reason)
    except BaseException as error:  # the directory is also removed after an interrupt
        for text in traceback.format_exc().splitlines():
            print('# ' + text)
        line = 'not ok %d - %s' % (number, function.__name__)
        good = False
        if isinstance(error, KeyboardInterrupt):
            raise
    finally:
        os.chdir(before)
        shutil.rmtree(directory, ignore_errors=True)
    print(line, flush=True)
    if time.monotonic() - start > 3:
        print('# took %.1f s' % (time.monotonic() - start), flush=True)
    return good


def fork_test(number, function):
    """Runs a test in a process of its own. Returns its id and the file with what it prints."""
    output = tempfile.TemporaryFile()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.dup2(output.fileno(), 1)
            status = 0 if run_test(number, function) else 1
            sys.stdout.flush()
        finally:
            os._exit(status)
    return pid, output


def run_side_by_side(chosen, at_once):
    """Runs tests in processes, and prints their results in order. Returns how many failed."""
    pending, failed = [], 0

    def end_first():
        pid, output = pending[0]
        status = os.waitpid(pid, 0)[1]
        del pending[0]
        output.seek(0)
        sys.stdout.write(output.read().decode())
        sys.stdout.flush()
        output.close()
        return 1 if status else 0

    try:
        for number, function in enumerate(chosen, 1):
            if len(pending) == at_once:
                failed += end_first()
            pending.append(fork_test(number, function))
        while pending:
            failed += end_first()
    finally:
        for pid, _ in pending:
            os.kill(pid, signal.SIGINT)
    return failed


def main(at_once=1):
    """Runs the chosen tests. Those of a program that mostly waits can run side by side."""
    chosen = [t for t in TESTS if len(sys.argv) < 3 or any(w in t.__name__ for w in sys.argv[2:])]
    print('1..%d' % len(chosen), flush=True)
    if at_once > 1:
        failed = run_side_by_side(chosen, at_once)
    else:
        failed = sum(not run_test(number, function) for number, function in enumerate(chosen, 1))
    sys.exit(1 if failed else 0)


@functools.lru_cache(maxsize=8)
def noise(size, seed=1):
    """Bytes that look random, and are the same in every run."""
    return random.Random(seed).randbytes(size)


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def write(path, data):
    """Writes bytes, or a text as UTF-8."""
    with open(path, 'wb') as f:
        f.write(data.encode() if isinstance(data, str) else data)


def files(directory='.'):
    return sorted(os.listdir(directory))


def equal(actual, expected):
    if actual != expected:
        raise AssertionError('%.2000r is not %.2000r' % (actual, expected))


def contains(text, part):
    if part not in text:
        raise AssertionError('%.3000r does not contain %r' % (text, part))


def wait_until(condition, seconds=10.0, what='it'):
    end = time.monotonic() + seconds * SCALE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError('%s did not happen in time' % what)
        time.sleep(0.01)


class Result:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds
        self.messages = err.decode(errors='replace')


def run(*argv, stdin=b'', timeout=60, preexec=None, env=None, cwd=None):
    """Runs a program to its end; fails when it does not end in time."""
    start = time.monotonic()
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, preexec_fn=preexec, cwd=cwd,
                             env=None if env is None else {**os.environ, **env})
    try:
        out, err = child.communicate(stdin, timeout * SCALE)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        raise AssertionError('%r did not end; it said %r' % (argv, err[-2000:]))
    if b'Sanitizer' in err or b'runtime error:' in err:
        raise AssertionError(err.decode(errors='replace'))
    return Result(child.returncode, out, err, time.monotonic() - start)


@contextlib.contextmanager
def running(*argv, **kwargs):
    """A program in the background, killed at the end if it still runs."""
    child = subprocess.Popen(argv, **{'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE,
                                      'stderr': subprocess.PIPE, **kwargs})
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                pipe.close()


def wait_measuring(child):
    """Waits for the end, and returns the largest resident memory in kB. The number that the kernel
    reports at the end would also count the memory of the process that started the child."""
    peak = 0
    while child.poll() is None:
        try:
            with open('/proc/%d/status' % child.pid) as f:
                peak = max([peak] + [int(line.split()[1]) for line in f if line.startswith('VmHWM')])
        except OSError:
            pass
        time.sleep(0.005)
    return peak


def free_port():
    """A free port. It is below those that the kernel gives to outgoing connections, so that none of
    these takes it before the server does."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(('127.0.0.1', port))
            return port
    raise AssertionError('no port is free')


class Request:
    def __init__(self, head):
        lines = head.decode('latin-1').split('\r\n')
        self.method, self.target, _ = lines[0].split(' ', 2)
        self.path = self.target.split('?')[0]
        self.pairs = []  # every header, in order
        for line in lines[1:]:
            name, _, value = line.partition(':')
            self.pairs.append((name.strip().lower(), value.strip()))
        self.headers = dict(self.pairs)


class Peer:
    """A server that is scripted byte by byte. For each request, `routes[path](connection, request)`
    writes any bytes, then the connection is closed. The received requests are in `requests`."""

    def __init__(self, routes, backlog=1024):
        self.routes, self.requests, self.lock = routes, [], threading.Lock()
        self.active = 0
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=backlog)
        self.port = self.listener.getsockname()[1]
        self.origin = 'http://127.0.0.1:%d' % self.port
        self.stopping = threading.Event()
        self.connections = set()

    def __enter__(self):
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for c in self.connections:
                with contextlib.suppress(OSError):
                    c.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.settimeout(60)
            head = b''
            while b'\r\n\r\n' not in head:
                part = connection.recv(65536)
                if not part:
                    return
                head += part
            request = Request(head.split(b'\r\n\r\n')[0])
            with self.lock:
                self.requests.append(request)
                self.active += 1
            try:
                route = self.routes.get(request.path) or self.routes.get('*') or not_found
                route(connection, request)
            finally:
                with self.lock:
                    self.active -= 1
        except OSError:
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)
            connection.close()

    def count(self, path):
        with self.lock:
            return sum(r.path == path for r in self.requests)


def reply(body=b'', status='200 OK', headers=(), length=None):
    """A route that sends a correct response."""
    if isinstance(body, str):
        body = body.encode()
    head = 'HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n' % (
        status, len(body) if length is None else length)
    head += ''.join('%s: %s\r\n' % h for h in headers)

    def route(connection, request):
        connection.sendall(head.encode('latin-1') + b'\r\n' + (b'' if request.method == 'HEAD' else body))
    return route


def raw(data):
    """A route that writes these bytes and closes."""
    return lambda connection, request: connection.sendall(data)


def not_found(connection, request):
    reply(b'no such page', '404 Not Found')(connection, request)


def in_turn(*routes):
    """A route that calls the first of `routes` at the first request, and so on. The last one also
    answers all later requests."""
    lock, left = threading.Lock(), list(routes)

    def route(connection, request):
        with lock:
            now = left.pop(0) if len(left) > 1 else left[0]
        now(connection, request)
    return route


def reset(connection, request):
    """A route that resets the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def hang_after(data, seconds=30):
    """A route that writes these bytes and then sends nothing for a long time."""
    def route(connection, request):
        connection.sendall(data)
        connection.settimeout(seconds)
        connection.recv(1)  # returns when the client has closed
    return route


class Certificates:
    """An authority and a server certificate for localhost and 127.0.0.1, made by openssl."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix='whorl-test-')
        self.ca, self.key = self.at('ca.pem'), self.at('key.pem')
        self.make_ca('ca')
        self.make_ca('other')
        self.good = self.make('good', 'DNS:localhost,IP:127.0.0.1')
        self.wrong = self.make('wrong', 'DNS:example.invalid')

    def at(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *argv):
        subprocess.run(['openssl', *argv], check=True, capture_output=True, timeout=60)

    def make_ca(self, name):
        self.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                     '-keyout', self.at(name + '.key'), '-out', self.at(name + '.pem'), '-days', '30',
                     '-subj', '/CN=whorl test ' + name)

    def make(self, name, names, ca='ca'):
        """A certificate for `names` with the common key, signed by one of the authorities."""
        if not os.path.exists(self.key):
            self.openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out',
                         self.key)
        self.openssl('req', '-new', '-key', self.key, '-subj', '/CN=' + name, '-out', self.at('csr'))
        with open(self.at('ext'), 'w') as f:
            f.write('subjectAltName=%s\nbasicConstraints=CA:FALSE\n' % names)
        self.openssl('x509', '-req', '-in', self.at('csr'), '-CA', self.at(ca + '.pem'), '-CAkey', self.at(ca + '.key'),
                     '-set_serial', '7', '-days', '30', '-extfile', self.at('ext'), '-out', self.at(name))
        return self.at(name)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Nginx:
    """nginx that serves a directory over http and, with certificates, over https."""

    def __init__(self, certificates):
        if not shutil.which('nginx'):
            raise Skip('nginx is not installed')
        self.directory = tempfile.mkdtemp(prefix='whorl-test-')
        os.chmod(self.directory, 0o755)  # its workers run as another user
        self.www = os.path.join(self.directory, 'www')
        os.mkdir(self.www)
        self.port, self.tls_port, self.wrong_port = free_port(), free_port(), free_port()
        self.new_port, self.client_port, self.both_port = free_port(), free_port(), free_port()
        self.http = 'http://127.0.0.1:%d' % self.port
        self.https = 'https://127.0.0.1:%d' % self.tls_port
        self.https_named = 'https://localhost:%d' % self.tls_port
        self.https_wrong = 'https://localhost:%d' % self.wrong_port
        self.https_new = 'https://localhost:%d' % self.new_port  # TLS 1.3 only
        self.https_both = 'https://localhost:%d' % self.both_port  # offers HTTP/1.1 and HTTP/2
        self.https_client = 'https://localhost:%d' % self.client_port  # wants a client certificate
        temp = ' '.join('%s_temp_path %s/tmp;' % (k, self.directory)
                        for k in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        with open(self.at('users'), 'w') as f:
            f.write('me:' + subprocess.run(['openssl', 'passwd', '-apr1', 's3cret:x'], check=True,
                                           capture_output=True, text=True).stdout)
        with open(self.at('nginx.conf'), 'w') as f:
            f.write(f'''worker_processes 1; daemon off; master_process off; pid {self.directory}/pid;
error_log {self.directory}/error.log; events {{ worker_connections 4096; }}
http {{ access_log off; {temp} root {self.www}; gzip_types *; gzip_min_length 1;
  log_format connections '$connection $server_protocol';
  server {{ listen 127.0.0.1:{self.port} backlog=2048; location /gz/ {{ alias {self.www}/; gzip on; }}
    location /private/ {{ alias {self.www}/; auth_basic "r"; auth_basic_user_file {self.directory}/users; }}
    location ~ ^/secure(/.*)$ {{ return 302 {self.https}$1; }} }}
  server {{ listen 127.0.0.1:{self.tls_port} ssl; ssl_certificate {certificates.good};
    ssl_certificate_key {certificates.key}; location ~ ^/plain(/.*)$ {{ return 302 {self.http}$1; }} }}
  server {{ listen 127.0.0.1:{self.wrong_port} ssl; ssl_certificate {certificates.wrong};
    ssl_certificate_key {certificates.key}; }}
  server {{ listen 127.0.0.1:{self.new_port} ssl; ssl_certificate {certificates.good};
    ssl_certificate_key {certificates.key}; ssl_protocols TLSv1.3; }}
  server {{ listen 127.0.0.1:{self.both_port} ssl http2; ssl_certificate {certificates.good};
    ssl_certificate_key {certificates.key}; location /protocol {{ return 200 $server_protocol; }}
    location /logged/ {{ alias {self.www}/; access_log {self.directory}/connections connections; }} }}
  server {{ listen 127.0.0.1:{self.client_port} ssl; ssl_certificate {certificates.good};
    ssl_certificate_key {certificates.key}; ssl_verify_client on;
    ssl_client_certificate {certificates.ca}; }} }}
''')
        self.child = subprocess.Popen(['nginx', '-c', self.at('nginx.conf'), '-e', self.at('error.log')],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        wait_until(lambda: self.answers(), what='nginx answering')

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(('127.0.0.1', self.port)) == 0

    def at(self, name):
        return os.path.join(self.directory, name)

    def put(self, name, data):
        with open(os.path.join(self.www, name), 'wb') as f:
            f.write(data)
        return data

    def stop(self):
        self.child.terminate()
        self.child.wait(10)
        shutil.rmtree(self.directory, ignore_errors=True)


class Nghttpd:
    """nghttpd, which speaks HTTP/2 only, serves a directory. With certificates, it uses TLS."""

    def __init__(self, www, certificates=None):
        if not shutil.which('nghttpd'):
            raise Skip('nghttpd is not installed')
        self.port = free_port()
        self.origin = '%s://127.0.0.1:%d' % ('https' if certificates else 'http', self.port)
        last = [certificates.key, certificates.good] if certificates else ['--no-tls']
        self.argv = ['nghttpd', '-a', '127.0.0.1', '-d', www, str(self.port)] + last

    def __enter__(self):
        self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.answers(), what='nghttpd answering')
        except BaseException:
            self.__exit__()
            raise
        return self

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(('127.0.0.1', self.port)) == 0

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait(10)


class Terminal:
    """A program on a new terminal. The text that it writes to the terminal is in `output`."""

    def __init__(self, *argv, columns=80, rows=24, env=None):
        self.output, self.status = b'', None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                self.size(columns, rows, 2)
                os.execvpe(argv[0], argv, {**os.environ, 'TERM': 'xterm', 'LC_ALL': 'C.UTF-8',
                                           **(env or {})})
            finally:
                os._exit(127)
        self.size(columns, rows)

    def size(self, columns, rows, fd=None):
        fcntl.ioctl(self.fd if fd is None else fd, termios.TIOCSWINSZ,
                    struct.pack('HHHH', rows, columns, 0, 0))

    def read(self, seconds=0.1):
        """Reads the output that arrives within that time. Returns False when the program has
        ended."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return True
            try:
                part = os.read(self.fd, 65536)
            except OSError:
                part = b''
            if not part:
                return False
            self.output += part

    def read_until(self, text, seconds=10):
        end = time.monotonic() + seconds * SCALE
        while text not in self.output:
            if time.monotonic() > end or not self.read(0.1):
                raise AssertionError('%r did not come: %r' % (text, self.output[-1500:]))

    def type(self, data):
        os.write(self.fd, data)

    def stop(self):
        """Stops the program, as Ctrl-Z does, and reads what it wrote before."""
        os.kill(self.pid, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(self.pid, os.WUNTRACED)[1])
        self.read(0.1)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def finish(self, seconds=30):
        """Waits for the end and returns the exit status."""
        end = time.monotonic() + seconds * SCALE
        while self.status is None:
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.read(0.1)
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise AssertionError('did not end: %r' % self.output[-1500:])
        return self.status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Screen:
    """The text that a terminal shows after these bytes. It knows only the escape sequences that our
    programs use, and fails on others. Lines that were scrolled off the top are kept."""

    def __init__(self, data, columns=80, rows=24):
        self.columns, self.rows = columns, rows
        self.lines, self.x, self.y = [''], 0, 0
        text, i = data.decode(), 0
        while i < len(text):
            c = text[i]
            i += 1
            if c == '\x1b':
                assert text[i] == '[', 'unknown escape %r' % text[i:i + 8]
                j = i + 1
                while text[j] in '0123456789;':
                    j += 1
                self.sequence(text[i + 1:j], text[j])
                i = j + 1
            elif c == '\r':
                self.x = 0
            elif c == '\n':
                self.down()
            else:
                assert ord(c) >= 32 and c != '\x7f', 'control byte %r' % c
                self.put(c)

    def down(self):
        self.y += 1
        while len(self.lines) <= self.y:
            self.lines.append('')

    def put(self, c):
        if self.x >= self.columns:
            self.x = 0
            self.down()
        line = self.lines[self.y].ljust(self.x)
        self.lines[self.y] = line[:self.x] + c + line[self.x + 1:]
        self.x += 1

    def sequence(self, number, kind):
        if kind == 'm':
            return
        if kind == 'K':
            assert number in ('', '0')
            self.lines[self.y] = self.lines[self.y][:self.x]
        elif kind == 'J':
            assert number in ('', '0')
            self.lines[self.y] = self.lines[self.y][:self.x]
            del self.lines[self.y + 1:]
        elif kind == 'A':
            top = max(0, len(self.lines) - self.rows)
            self.y = max(top, self.y - int(number or 1))
        else:
            raise AssertionError('unknown sequence %r' % (number + kind))

    def text(self):
        return [line.rstrip() for line in self.lines if line.strip()]


def install_filter(code):
    """Installs a seccomp filter; each instruction is (code, jt, jf, k)."""
    class Filter(ctypes.Structure):
        _fields_ = [('code', ctypes.c_ushort), ('jt', ctypes.c_ubyte), ('jf', ctypes.c_ubyte),
                    ('k', ctypes.c_uint)]

    class Program(ctypes.Structure):
        _fields_ = [('len', ctypes.c_ushort), ('filter', ctypes.POINTER(Filter))]

    filters = (Filter * len(code))(*code)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)                                            # PR_SET_NO_NEW_PRIVS
    if libc.prctl(22, 2, ctypes.byref(Program(len(code), filters)), 0, 0):  # PR_SET_SECCOMP
        os._exit(126)


LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, FLAGS = 0, 16 + 4 * 8  # offsets in struct seccomp_data: the call, its 5th argument
ALLOW, ERRNO = 0x7fff0000, 0x00050000


def forbid_io_uring():
    """For preexec: makes io_uring_setup fail with EPERM, as seccomp profiles of containers do."""
    io_uring_setup = 425  # the number is the same on every machine
    install_filter([(LOAD, 0, 0, NUMBER), (EQUAL, 0, 1, io_uring_setup),
                    (RETURN, 0, 0, ERRNO | errno.EPERM), (RETURN, 0, 0, ALLOW)])


def forbid_links_and_flags():
    """For preexec: linkat fails, and renameat2 with flags, as on file systems of FUSE. It has no
    effect on what a ring carries out: use it with the epoll driver."""
    linkat, renameat2 = {'x86_64': (265, 316), 'aarch64': (37, 276)}[os.uname().machine]
    install_filter([(LOAD, 0, 0, NUMBER),
                    (EQUAL, 0, 1, linkat), (RETURN, 0, 0, ERRNO | errno.EPERM),
                    (EQUAL, 0, 3, renameat2),
                    (LOAD, 0, 0, FLAGS), (EQUAL, 1, 0, 0), (RETURN, 0, 0, ERRNO | errno.EINVAL),
                    (RETURN, 0, 0, ALLOW)])
