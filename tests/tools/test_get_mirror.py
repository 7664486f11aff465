# SPDX-License-Identifier: MIT
"""Following links with nginx: robots.txt, sitemaps, rewritten links.

    test_get_mirror.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import contextlib
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys

from lib import Peer, Skip, contains, equal, free_port, hang_after, in_turn, main, raw, reply, run, running, test, wait_until

GET = os.path.abspath(sys.argv[1])


def get(*argv, **kwargs):
    return run(GET, '--no-config', *argv, **kwargs)


def tree(top='.'):
    """The files below a directory, without that of the host."""
    return sorted(os.path.relpath(os.path.join(d, f), top) for d, _, fs in os.walk(top) for f in fs)


def write(path, text):
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'wb') as f:
        f.write(text if isinstance(text, bytes) else text.encode())


class Site:
    """nginx with a server for each of the directories a and b, outside the working directory."""

    def __init__(self, files, extra=''):
        self.top = os.path.abspath('../' + os.path.basename(os.getcwd()) + '-site')
        self.ports = {name: free_port() for name in 'ab'}
        self.hosts = {name: '127.0.0.1:%d' % port for name, port in self.ports.items()}
        self.origins = {name: 'http://' + host for name, host in self.hosts.items()}
        for path, text in files.items():
            if isinstance(text, str):
                text = text.replace('@A@', self.origins['a']).replace('@B@', self.origins['b'])
            write(os.path.join(self.top, 'www', path), text)
        for name in 'ab':
            os.makedirs(os.path.join(self.top, 'www', name), exist_ok=True)
        servers = ''.join('server { listen 127.0.0.1:%d; root %s/www/%s; absolute_redirect off; %s }\n' % (
            port, self.top, name, extra.replace('@B@', self.origins['b']) if name == 'a' else '')
            for name, port in self.ports.items())
        temp = ' '.join('%s_temp_path %s/tmp;' % (k, self.top) for k in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        write(self.top + '/nginx.conf', '''worker_processes 1; daemon off; master_process off; pid %s/pid;
error_log %s/error.log; events { worker_connections 256; }
http { access_log %s/access.log; log_format x '$request'; %s
types { text/html html; text/css css; image/png png; text/plain txt; application/xml xml; }
default_type application/octet-stream; %s }
''' % (self.top, self.top, self.top, temp, servers))

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        child = self.stack.enter_context(running('nginx', '-c', self.top + '/nginx.conf', '-e', self.top + '/error.log'))
        wait_until(lambda: child.poll() is not None or all(map(self.answers, self.ports.values())), what='nginx')
        return self

    def __exit__(self, *error):
        self.stack.close()
        shutil.rmtree(self.top, ignore_errors=True)

    @staticmethod
    def answers(port):
        import socket
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
            return True
        return False

    def asked(self):
        """The paths that were asked for, sorted."""
        with open(self.top + '/access.log') as f:
            return sorted(line.split('"')[1].split()[1] for line in f)

    def files(self, name='a'):
        return tree(self.hosts[name]) if os.path.isdir(self.hosts[name]) else []


SMALL = {
    'a/index.html': '<a href=one.html>1</a><a href="/dir/">d</a><img src=i.png><link rel=stylesheet href=s.css>'
                    '<a href="@B@/other.html">b</a><a href=mailto:x@y.test>m</a><a href="#top">t</a>',
    'a/one.html': '<a href="./">up</a><a href=two.html#x>2</a><a href="../../two.html">2</a><a href=one.html>self</a>',
    'a/two.html': '<a href=three.html>3</a>',
    'a/three.html': 'end',
    'a/dir/index.html': '<base href="/dir/sub/"><a href=x.txt>x</a><img srcset="/i.png 1x, big.png 2x">',
    'a/dir/sub/x.txt': 'x', 'a/dir/sub/big.png': 'big', 'a/i.png': 'i',
    'a/s.css': '@import "t.css"; b{c:url( j.png )}', 'a/t.css': 'b{c:url(k.png)}', 'a/j.png': 'j', 'a/k.png': 'k',
    'b/other.html': '<a href="@A@/one.html">a</a><a href=deep.html>d</a>', 'b/deep.html': 'deep',
}
ALL = ['dir/index.html', 'dir/sub/big.png', 'dir/sub/x.txt', 'i.png', 'index.html', 'j.png', 'k.png', 'one.html',
       's.css', 't.css', 'three.html', 'two.html']


@test
def links_of_pages_and_styles_are_followed_on_the_host():
    with Site(SMALL) as site:
        r = get('-r', site.origins['a'] + '/')
        equal((r.status, site.files(), site.files('b')), (0, ALL, []))
        equal(sorted(set(site.asked())), sorted(['/', '/robots.txt'] + ['/' + f for f in ALL if f != 'index.html' and
                                                                       f != 'dir/index.html'] + ['/dir/']))
        equal(len(site.asked()), len(set(site.asked())))
        contains(r.messages, 'links not followed: 1 to other hosts')
        with open(site.hosts['a'] + '/one.html') as f:
            equal(f.read(), SMALL['a/one.html'])


@test
def wget_finds_the_same_files():
    if not shutil.which('wget'):
        raise Skip('there is no wget')
    with Site(SMALL) as site:
        equal(get('-r', '-d', 'whorl', site.origins['a'] + '/').status, 0)
        subprocess.run(['wget', '-q', '-r', '-P', 'wget', '--no-config', site.origins['a'] + '/'], timeout=60, check=True)
        # wget saves robots.txt as well
        equal([f for f in tree('wget/' + site.hosts['a']) if f not in ('robots.txt',)], tree('whorl/' + site.hosts['a']))


@test
def the_level_is_that_of_the_shortest_way():
    chain = {'a/index.html': '<a href=1.html>', **{'a/%d.html' % n: '<a href=%d.html>' % (n + 1) for n in range(1, 9)}}
    with Site(chain) as site:
        for level, expected in ((1, 1), (3, 3), (5, 5), (0, 8)):
            r = get('-r', '--level', str(level), '-d', str(level), site.origins['a'] + '/')
            equal(tree('%d/%s' % (level, site.hosts['a'])), ['%d.html' % n for n in range(1, expected + 1)] + ['index.html'])


@test
def a_page_that_is_found_on_a_shorter_way_later_is_read_again():
    # The long way is fast; the short way, whose page is slow, is known only later.
    pages = {'/': '<a href=/slow><a href=/a1>', '/a1': '<a href=/a2>', '/a2': '<a href=/x>', '/x': '<a href=/y>',
             '/slow': '<a href=/x>', '/y': 'end'}
    import threading
    x_was_read = threading.Event()

    def route(connection, request):
        if request.path == '/slow':
            x_was_read.wait(20)
        if request.path not in pages:
            return reply('', '404 Not Found')(connection, request)
        reply(pages[request.path], headers=(('Content-Type', 'text/html'),))(connection, request)
        if request.path == '/x':
            x_was_read.set()
    with Peer({'*': route}) as peer:
        r = get('-r', '--level', '3', peer.origin + '/')
        equal((r.status, tree('127.0.0.1:%d' % peer.port)), (0, ['a1', 'a2', 'index.html', 'slow', 'x', 'y']))


@test
def endless_links_end_at_a_limit():
    def calendar(connection, request):
        if request.path == '/robots.txt':
            return reply('', '404 Not Found')(connection, request)
        n = int(request.path[1:] or 0)
        reply(('<a href=/%d>next</a><a href=/%d>self</a>' % (n + 1, n)).encode() + b'x' * 1000,
              headers=(('Content-Type', 'text/html; charset=utf-8'),))(connection, request)
    with Peer({'*': calendar}) as peer:
        def count(*argv):
            shutil.rmtree('out', ignore_errors=True)
            r = get('-r', '-d', 'out', *argv, peer.origin + '/')
            equal(r.status, 0)
            return len(tree('out'))
        equal(count(), 7)
        equal(count('--level', '0', '--max-files', '20'), 20)
        n = count('--level', '0', '--quota', '10k')
        equal(10 <= n <= 12, True)


@test
def robots_txt_is_honoured_unless_told_otherwise():
    files = {**SMALL, 'a/robots.txt': 'User-agent: *\nDisallow: /\nUser-agent: whorl-get\nDisallow: /dir/\nDisallow: /*.png$\n'}
    with Site(files) as site:
        r = get('-r', site.origins['a'] + '/')
        equal((r.status, site.files()), (0, ['index.html', 'one.html', 's.css', 't.css', 'three.html', 'two.html']))
        contains(r.messages, ' by robots.txt')
        equal(site.asked().count('/robots.txt'), 1)
        shutil.rmtree(site.hosts['a'])
        equal((get('-r', '--no-robots', site.origins['a'] + '/').status, site.files()), (0, ALL))
        equal(site.asked().count('/robots.txt'), 1)


@test
def a_server_without_an_answer_for_robots_txt_allows_nothing():
    def run_with(robots):
        with Peer({'/': reply('<a href=/x>', headers=(('Content-Type', 'text/html'),)), '/x': reply('x'),
                   '/robots.txt': robots, '/r2': reply('', '302 Found', (('Location', '/r3'),)),
                   '/r3': reply('User-agent: *\nDisallow: /x')}) as peer:
            shutil.rmtree('out', ignore_errors=True)
            r = get('-r', '-d', 'out', peer.origin + '/')
            equal(r.status, 0)
            return len(tree('out')), r.messages
    equal(run_with(reply('', '404 Not Found'))[0], 2)
    equal(run_with(reply('', '403 Forbidden'))[0], 2)
    equal(run_with(reply('', '302 Found', (('Location', '/r2'),)))[0], 1)
    equal(run_with(reply('', '302 Found', (('Location', '/robots.txt'),)))[0], 2)  # more than five


@test
def robots_txt_is_retried_before_nothing_is_allowed():
    failed = reply('', '503 Service Unavailable')
    slow = reply('', '429 Too Many Requests', (('Retry-After', '0'),))
    rules = reply('User-agent: *\nDisallow: /y')
    cut = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nUser-agent: *\n')
    for robots, asked, fetched, cause in (
            (failed, 2, ['/'], 'status 503 (tried 2 times)'),
            (in_turn(failed, rules), 2, ['/', '/x'], None),
            (in_turn(cut, rules), 2, ['/', '/x'], None),
            (cut, 2, ['/'], 'closed after 14 of 100 bytes of body (tried 2 times)'),
            (lambda c, q: None, 2, ['/'], ''),
            (in_turn(slow, rules), 2, ['/', '/x'], None),
            (reply('', '404 Not Found'), 1, ['/', '/x', '/y'], None)):
        with Peer({'/': reply('<a href=/x></a><a href=/y></a>', headers=(('Content-Type', 'text/html'),)), '/x': reply('x'),
                   '/y': reply('y'), '/robots.txt': robots}) as peer:
            shutil.rmtree('out', ignore_errors=True)
            r = get('-r', '-d', 'out', '--retries', '1', peer.origin + '/')
            equal(r.status, 0)
            equal(sorted(q.path for q in peer.requests if q.path != '/robots.txt'), fetched)
            equal(peer.count('/robots.txt'), asked)
            equal('could not be fetched' in r.messages, cause is not None)
            if cause is not None:
                contains(r.messages, '%s/robots.txt could not be fetched: ' % peer.origin)
                contains(r.messages, cause)
                contains(r.messages, '(tried 2 times); links to %s/ are not followed\n' % peer.origin)


@test
def pages_may_forbid_to_follow_their_links():
    with Site({'a/index.html': '<meta name=robots content=nofollow><a href=x.txt>', 'a/x.txt': 'x'}) as site:
        equal((get('-r', site.origins['a'] + '/').status, site.files()), (0, ['index.html']))
        shutil.rmtree(site.hosts['a'])
        equal((get('-r', '--no-robots', site.origins['a'] + '/').status, site.files()), (0, ['index.html', 'x.txt']))


@test
def other_hosts_are_followed_when_allowed():
    with Site(SMALL) as site:
        equal((get('-r', '--span-hosts', site.origins['a'] + '/').status, site.files(), site.files('b')),
              (0, ALL, ['deep.html', 'other.html']))
        shutil.rmtree(site.hosts['b'])
        equal((get('-r', '--domains', 'x.test,127.0.0.1', '-d', 'o', site.origins['a'] + '/').status,
               tree('o/' + site.hosts['b'])), (0, ['deep.html', 'other.html']))
        equal((get('-r', '--domains', '0.0.1', '-d', 'p', site.origins['a'] + '/').status, os.listdir('p')), (0, [site.hosts['a']]))


@test
def the_parent_is_left_alone():
    files = {'a/d/index.html': '<a href=x.txt><a href=/up.txt><a href=../d2/y.txt><img src=/up.png>', 'a/d/x.txt': 'x',
             'a/up.txt': '', 'a/d2/y.txt': '', 'a/up.png': ''}
    with Site(files) as site:
        equal((get('-r', '--no-parent', site.origins['a'] + '/d/').status, site.files()), (0, ['d/index.html', 'd/x.txt']))
        equal((get('-r', '-p', '--no-parent', '-d', 'o', site.origins['a'] + '/d/').status, tree('o/' + site.hosts['a'])),
              (0, ['d/index.html', 'd/x.txt', 'up.png']))


@test
def patterns_choose_files_but_pages_are_read():
    with Site(SMALL) as site:
        u = site.origins['a'] + '/'
        equal((get('-r', '--accept', '*.png,*.txt', '-d', '1', u).status, tree('1/' + site.hosts['a'])),
              (0, ['dir/sub/big.png', 'dir/sub/x.txt', 'i.png', 'index.html']))
        equal((get('-r', '--accept', 'i.png', '-d', '4', u).status, sorted(os.listdir('4/' + site.hosts['a']))), (0, ['i.png', 'index.html']))
        equal((get('-r', '--reject', '*.png,t*', '-d', '2', u).status, tree('2/' + site.hosts['a'])),
              (0, ['dir/index.html', 'dir/sub/x.txt', 'index.html', 'one.html', 's.css']))
        equal((get('-r', '--reject', '*/dir/*', '-d', '3', u).status, [f for f in tree('3/' + site.hosts['a']) if 'dir' in f]), (0, []))


@test
def parts_of_pages_are_fetched_without_their_links():
    with Site(SMALL) as site:
        u = site.origins['a'] + '/'
        equal((get('-p', '-d', '1', u).status, tree('1/' + site.hosts['a'])),
              (0, ['i.png', 'index.html', 'j.png', 'k.png', 's.css', 't.css']))
        equal((get('-r', '--level', '1', '-p', '-d', '2', u).status, tree('2/' + site.hosts['a'])),
              (0, ['dir/index.html', 'dir/sub/big.png', 'i.png', 'index.html', 'j.png', 'k.png', 'one.html', 's.css', 't.css']))


@test
def redirects_are_links():
    files = {'a/index.html': '<a href=/in><a href=/out><a href=/loop><a href=/in2>', 'a/x.txt': 'x', 'b/y.txt': 'y',
             'b/index.html': '<a href=z.txt>', 'b/z.txt': 'z'}
    extra = '''location = /in { return 301 /x.txt; } location = /in2 { return 302 /x.txt; } location = /out { return 302 @B@/y.txt; }
location = /loop { return 302 /loop2; } location = /loop2 { return 302 /loop; } location = /start { return 301 @B@/; }'''
    with Site(files, extra) as site:
        r = get('-r', '--convert-links', site.origins['a'] + '/')
        equal((r.status, site.files(), site.files('b')), (0, ['index.html', 'x.txt'], []))
        contains(r.messages, '/out: 302, see %s/y.txt' % site.origins['b'])
        equal(site.asked().count('/x.txt'), 1)
        with open(site.hosts['a'] + '/index.html') as f:
            equal(f.read(), '<a href="x.txt"><a href="%s/out"><a href="%s/loop"><a href="x.txt">' % (2 * (site.origins['a'],)))
        # That of a given URL may lead anywhere.
        r = get('-r', '-d', 'o', site.origins['a'] + '/start')
        equal((r.status, tree('o')), (0, [site.hosts['b'] + '/index.html', site.hosts['b'] + '/z.txt']))


@test
def chains_of_redirects_end_at_the_limit():
    def route(connection, request):
        if request.path in ('/', '/robots.txt'):
            return reply('<a href=/1>' if request.path == '/' else '', headers=(('Content-Type', 'text/html'),))(connection, request)
        reply('', '302 Found', (('Location', '/%d' % (int(request.path[1:]) + 1)),))(connection, request)
    with Peer({'*': route}) as peer:
        for argv, last in (((), 11), (('--max-redirects', '2'), 3)):
            for start in ('/', '/1'):
                peer.requests.clear()
                r = get('-r', '-d', 'o%s%d' % (start[1:], last), *argv, peer.origin + start)
                equal(max(int(q.path[1:]) for q in peer.requests if q.path[1:].isdigit()), last)
                contains(r.messages, '1 beyond a limit')


@test
def the_quota_ends_the_crawl_in_time():
    def route(connection, request):
        body = ''.join('<a href=/%d>' % n for n in range(1000)) if request.path == '/' else 1000 * 'x'
        reply('' if request.path == '/robots.txt' else body, headers=(('Content-Type', 'text/html'),))(connection, request)
    with Peer({'*': route}) as peer:
        r = get('-r', '-j2', '--quota', '40k', peer.origin + '/')
        n = len(tree())
        equal((r.status, 25 <= n <= 35), (0, True))


@test
def secrets_are_for_the_given_origins_only():
    html = (('Content-Type', 'text/html'),)

    def private(connection, request):
        if 'authorization' not in request.headers:
            return reply('', '401 Unauthorized', (('WWW-Authenticate', 'Basic realm="r"'),))(connection, request)
        reply('secret')(connection, request)
    with Peer({'/x': private}) as other, Peer({'/x': private}) as peer:
        peer.routes['/'] = reply('<a href="%s/x">o</a><a href=/x>x</a><a href=/r>r</a>' % other.origin, headers=html)
        peer.routes['/r'] = reply('', '302 Found', (('Location', other.origin + '/r2'),))
        other.routes['/r2'] = reply('r')
        for argv in (('-u', 'me:pw', peer.origin + '/'), (peer.origin.replace('://', '://me:pw@') + '/',)):
            peer.requests.clear(), other.requests.clear()
            shutil.rmtree('o', ignore_errors=True)
            r = get('-r', '--span-hosts', '-d', 'o', '-H', 'Accept: a/b', '-H', 'X-Secret: 1', *argv)
            equal(r.status, 1)
            equal(tree('o'), sorted(['127.0.0.1:%d/index.html' % peer.port, '127.0.0.1:%d/x' % peer.port,
                                     '127.0.0.1:%d/r2' % other.port]))
            equal('pw' in r.messages, False)
            asked = [q for q in other.requests if q.path != '/robots.txt']
            equal(len(asked), 2)
            for q in other.requests:
                equal(('x-secret' in q.headers, 'authorization' in q.headers), (False, False))
            equal([q.headers.get('accept') for q in asked], 2 * ['a/b'])
            equal({'x-secret' in q.headers for q in peer.requests if q.path == '/x'}, {True})
        other.requests.clear()
        get('-r', '--span-hosts', '--trust-redirects', '-d', 'p', '-H', 'X-Secret: 1', peer.origin + '/')
        equal({q.path: 'x-secret' in q.headers for q in other.requests}, {'/robots.txt': False, '/x': True, '/r2': True})


@test
def hostile_names_stay_in_the_directory():
    links = ['/../../../etc/x', '/%2e%2e/%2e%2e/y', '/a%2f..%2f..%2fz', '/..%2f..%2fw', '/%00n', '/%0ac', '/-rf', '/.hidden',
             '//127.0.0.1:1/h', '/a//b', '/' + 300 * 'l' + '/' + 300 * 'n', '\\..\\v']

    def route(connection, request):
        if request.path == '/robots.txt':
            return reply('', '404 Not Found')(connection, request)
        body = ''.join('<a href="%s">x</a>' % l for l in links) if request.path == '/' else 'x'
        reply(body, headers=(('Content-Type', 'text/html'),))(connection, request)
    write('secret/keep', 'k')
    os.mkdir('out')
    with Peer({'*': route}) as peer:
        host = '127.0.0.1:%d' % peer.port
        r = get('-r', '--convert-links', '-d', 'out', peer.origin + '/')
        equal(r.status, 0)
        equal(sorted(os.listdir('.')), ['out', 'secret'])
        equal(os.listdir('out'), [host])
        found = tree('out/' + host)
        equal(len(found) >= 8, True)
        for name in found:
            equal([c for c in name if c < ' '], [])
            equal([p for p in name.split('/') if p in ('.', '..') or p.startswith(('.', '-'))], [])
        # A link in the place of a directory is not followed.
        shutil.rmtree('out/' + host)
        os.symlink('../secret', 'out/' + host)
        equal(get('-r', '-d', 'out', peer.origin + '/').status, 0)
        equal((tree('secret'), os.path.isdir('out/%s.1' % host)), (['keep'], True))


@test
def a_file_and_a_directory_of_one_name_are_both_kept():
    with Peer({'/a': reply('<a href=/a/b>', headers=(('Content-Type', 'text/html'),)), '/a/b': reply('<a href=/a/b/c>', headers=(
            ('Content-Type', 'text/html'),)), '/a/b/c': reply('c')}) as peer:
        host = '127.0.0.1:%d' % peer.port
        equal((get('-r', '--convert-links', peer.origin + '/a').status, tree(host)), (0, ['a', 'a.1/b', 'a.1/b.1/c']))
        with open(host + '/a') as a, open(host + '/a.1/b') as b:
            equal((a.read(), b.read()), ('<a href="a.1/b">', '<a href="b.1/c">'))
        equal((get('-x', '-j1', '-d', 'o', peer.origin + '/a/b', peer.origin + '/a').status, tree('o/' + host)), (0, ['a.1', 'a/b']))


@test
def converted_links_lead_to_the_files():
    page = ('<!doctype html>\n<A HREF = "sub/p%C3%A9.html?q=1#frag">&eacute;</A><a href=\'@A@/dir/\' >d</a><a href=none.html>n</a>\n'
            '<a href="javascript:x()">j</a><img srcset="i.png 1x,i.png?2 2x"><p style="b:url(i.png)">\r\n\xff')
    files = {'a/index.html': page.encode('latin-1').decode('latin-1'), 'a/sub/p\u00e9.html': '<a href=../><a href="#x"><a href=//h.test/>',
             'a/dir/index.html': '<base href="/sub/"><a href="p%C3%A9.html?q=1"><a href="/i.png">', 'a/i.png': 'i'}
    with Site(files) as site:
        r = get('-r', '--convert-links', site.origins['a'] + '/')
        equal(r.status, 1)  # none.html
        a = site.hosts['a']
        with open(a + '/index.html') as f:
            text = f.read()
        o = site.origins['a']
        equal(text, ('<!doctype html>\n<A HREF = "sub/p%C3%A9.html%3Fq%3D1#frag">&eacute;</A><a href="dir/index.html" >d</a>'
                     '<a href="' + o + '/none.html">n</a>\n<a href="javascript:x()">j</a><img srcset="i.png 1x,i.png%3F2 2x">'
                     '<p style="b:url(&quot;i.png&quot;)">\n\xff'))
        with open(a + '/sub/p\u00e9.html?q=1') as f:
            equal(f.read(), '<a href="../index.html"><a href="#x"><a href="http://h.test/">')
        with open(a + '/dir/index.html') as f:
            equal(f.read(), '<base href=""><a href="../sub/p%C3%A9.html%3Fq%3D1"><a href="../i.png">')
        equal([f for f in tree() if '.whorl' in f], [])


@test
def pages_that_are_not_modified_are_read_for_links():
    files = {**SMALL, 'a/noname': '<!doctype html><a href=/from-noname.txt>', 'a/from-noname.txt': 'f'}
    files['a/two.html'] += '<a href=noname>'
    with Site(files, 'location = /noname { default_type text/html; }') as site:
        u = site.origins['a'] + '/'
        equal(get('-r', u).status, 0)
        equal(site.files(), sorted(ALL + ['from-noname.txt', 'noname']))
        for f in ('dir/sub/x.txt', 'from-noname.txt', 'k.png'):
            os.remove(site.hosts['a'] + '/' + f)
        for argv in (('--update',), ('--skip-existing',)):
            r = get('-r', *argv, u)
            equal((r.status, site.files()), (0, sorted(ALL + ['from-noname.txt', 'noname'])))


@test
def directories_without_files_are_removed():
    with Site({'a/index.html': '<a href=no/such/x><a href=d/y.txt><a href=d/z>', 'a/d/y.txt': 'y'}) as site:
        os.makedirs(site.hosts['a'] + '/no')
        equal((get('-r', site.origins['a'] + '/').status, site.files()), (1, ['d/y.txt', 'index.html']))
        equal(sorted(os.listdir(site.hosts['a'])), ['d', 'index.html', 'no'])
        equal(os.listdir(site.hosts['a'] + '/no'), [])


@test
def a_sitemap_in_a_file_is_a_list():
    ns = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    with Site({'a/one.txt': '1', 'a/two.txt': '2'}) as site:
        o = site.origins['a']
        r = get('-i', '-', stdin=('<?xml version="1.0"?><urlset %s><url><loc>%s/one.txt</loc></url><url><loc>%s/two.txt</loc></url></urlset>'
                                  % (ns, o, o)).encode())
        equal((r.status, tree()), (0, ['one.txt', 'two.txt']))
        r = get('-i', '-', stdin=('<sitemapindex %s><sitemap><loc>%s/m</loc></sitemap></sitemapindex>' % (ns, o)).encode())
        equal(r.status, 3)
        contains(r.messages, 'is an index of sitemaps; use --sitemap')


@test
def sitemaps_are_lists_of_urls():
    ns = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    files = {'a/index.xml': '<sitemapindex %s><sitemap><loc>@A@/m.xml.gz</loc></sitemap><sitemap><loc>@A@/list.txt</loc></sitemap>'
                            '<sitemap><loc>@B@/m.xml</loc></sitemap></sitemapindex>' % ns,
             'a/list.txt': '@A@/two.txt\n@B@/other.txt\n', 'a/one.txt': '1', 'a/two.txt': '2', 'a/bad.xml': '<html/>', 'b/other.txt': 'o'}
    with Site(files) as site:
        o = site.origins['a']
        write(site.top + '/www/a/m.xml.gz', gzip.compress(('<urlset %s><url><loc>%s/one.txt</loc></url></urlset>' % (ns, o)).encode()))
        r = get('--sitemap', o + '/index.xml')
        equal((r.status, tree()), (0, ['one.txt', 'two.txt']))
        contains(r.messages, '/index.xml: 2 URLs are left out')
        r = get('--json', '--sitemap', o + '/bad.xml', '--sitemap', o + '/none.xml', o + '/one.txt')
        equal(r.status, 1)
        contains(r.messages, '/bad.xml: sitemap is XML, but not a sitemap')
        contains(r.messages, '/none.xml: status 404')
        equal(len([x for x in r.out.splitlines() if not json.loads(x).get('ok', True)]) >= 2, True)


@test
def each_file_has_events_and_an_object():
    with Site(SMALL) as site:
        r = get('-r', '--json', '--events', 'jsonl:events', site.origins['a'] + '/')
        equal(r.status, 0)
        objects = [json.loads(line) for line in r.out.splitlines()]
        equal(sorted(o['file'] for o in objects if 'file' in o and o['file']), [site.hosts['a'] + '/' + f for f in ALL])
        with open('events') as f:
            events = [json.loads(line) for line in f]
        for kind in ('queued', 'done'):
            equal(sorted(e['id'] for e in events if e['event'] == kind and 'id' in e), list(range(1, len(ALL) + 1)))


@test
def objects_and_events_say_where_a_crawl_found_a_url():
    page = lambda body: reply(body, headers=(('Content-Type', 'text/html'),))
    with Peer({'/': page('<a href=/a>'), '/a': page('<a href=/b><a href=/r>'), '/b': page('<a href=/a>'),
               '/r': reply('', '302 Found', (('Location', '/s'),)), '/s': reply('s'), '/robots.txt': reply('')}) as peer:
        o = peer.origin
        argv = ['-r', '--json', '--events', 'jsonl:events', o.replace('//', '//me:secret@') + '/']
        r = get(*argv)
        with open('events') as f:
            events = [json.loads(line) for line in f]
        expected = {'/': (0, None), '/a': (1, o + '/'), '/b': (2, o + '/a'), '/r': (2, o + '/a'), '/s': (2, o + '/r')}
        for lines in ([json.loads(line) for line in r.out.splitlines()], [e for e in events if e['event'] == 'queued'],
                      [e for e in events if e['event'] == 'done']):
            equal({'/' + x['url'].rsplit('/', 1)[1]: (x['depth'], x['parent']) for x in lines if 'url' in x}, expected)
        equal('secret' in r.out.decode() + str(events), False)
        r = get('--json', o + '/b')
        equal('depth' in r.out.decode(), False)


@test
def an_interruption_ends_the_crawl_and_rewrites_nothing():
    page = '<a href=/slow>s</a><a href=/a>a</a>'
    for slow in ('/slow', '/robots.txt'):
        with Peer({'/': reply(page, headers=(('Content-Type', 'text/html'),)), '/b': reply(page, headers=(('Content-Type', 'text/html'),)),
                   '/a': reply('a'), slow: hang_after(b'')}) as peer:
            top = 'o' + slow.replace('/', '-')
            with running(GET, '--no-config', '-r', '--convert-links', '-d', top, peer.origin + '/', peer.origin + '/b') as child:
                wait_until(lambda: peer.count(slow) and len(tree(top)) >= (3 if slow == '/slow' else 2), what='the crawl')
                child.send_signal(signal.SIGINT)
                equal(child.wait(20), -signal.SIGINT)
            with open('%s/127.0.0.1:%d/index.html' % (top, peer.port)) as f:
                equal(f.read(), page)
            equal([f for f in tree(top) if '.whorl' in f], [])
            equal(peer.count('/robots.txt'), 1)


@test
def options_that_contradict_are_refused():
    for argv, cause in ((('-r', '-o', 'x'), '--recursive and --output'), (('-p', '-I'), '--page-requisites and --head'),
                        (('--convert-links',), '--convert-links needs'), (('-r', '--convert-links', '--manifest', 'm'), '--manifest'), (('-r', '--data', 'x'), '--recursive and --data'),
                        (('-x', '-o', 'x'), '--force-directories and --output')):
        r = get(*argv, 'http://127.0.0.1:1/')
        equal(r.status, 2)
        contains(r.messages, cause)


main()
