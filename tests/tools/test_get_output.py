# SPDX-License-Identifier: MIT
"""How whorl-get names files: fields in --output, and Content-Disposition.

    test_get_output.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import json
import os
import sys

from lib import Peer, contains, equal, main, raw, reply, run, test

GET = os.path.abspath(sys.argv[1])


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


def tree(directory='.'):
    found = []
    for path, _, names in os.walk(directory):
        found += [os.path.relpath(os.path.join(path, name), directory) for name in names]
    return sorted(found)


def disposition(value):
    return reply(b'x', headers=(('Content-Disposition', value),))


@test
def fields_name_the_files_of_many_urls():
    with Peer({'*': reply(b'x')}) as peer:
        host = peer.origin[len('http://'):]
        urls = [peer.origin + path for path in ('/a/b.tar.gz', '/c', '/a/')]
        for pattern, names in (('{host}/{path}', [host + '/a/b.tar.gz', host + '/a/index.html', host + '/c']),
                               ('{number}-{name}', ['1-b.tar.gz', '2-c', '3-index.html']),
                               ('x{{{stem}}}{ext}', ['x{b.tar}.gz', 'x{c}', 'x{index}.html']),
                               ('d/same{{}}', ['d/same{}', 'd/same{}.1', 'd/same{}.2'])):
            directory = 'out%d' % len(pattern)
            r = get('-j1', '--json', '-d', directory, '-o', pattern, *urls)
            equal((pattern, r.status, tree(directory)), (pattern, 0, names))
            equal(sorted(json.loads(l)['file'] for l in r.out.splitlines()[:3]), names)


@test
def fields_lead_nowhere_else():
    os.mkdir('out')
    os.mkdir('elsewhere')
    with Peer({'*': reply(b'x')}) as peer:
        host = peer.origin[len('http://'):]
        os.symlink('../elsewhere', 'out/' + host)
        r = get('-d', 'out', '-o', '{host}/{name}', peer.origin + '/a', peer.origin + '/%2e%2e%2f%2e%2e%2fb')
        equal(tree('elsewhere'), [])
        equal(all(not os.path.islink(os.path.join('out', p)) for p in tree('out')), True)
    for pattern in ('/tmp/{name}', '../{name}', '{name', '{nme}', '{name}/', 'a//{name}', '{path}/.'):
        r = get('-o', pattern, 'http://127.0.0.1:1/')
        equal((pattern, r.status), (pattern, 2))
        contains(r.messages, '--output ' + pattern + ': ')
    long = get('-o', 250 * 'x' + '{name}', 'http://127.0.0.1:1/abcdefgh')
    equal(long.status, 3)
    contains(long.messages, 'file name too long')


@test
def a_large_file_with_fields_is_continued():
    body = os.urandom(3 << 20)
    head = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nAccept-Ranges: bytes\r\nContent-Length: %d\r\n\r\n' % len(body)
    cut = raw(head + body[:2 << 20])

    def rest(connection, request):
        first, last = request.headers['range'][len('bytes='):].split('-')
        part = body[int(first):(int(last) + 1 if last else len(body))]
        connection.sendall(b'HTTP/1.1 206 Partial Content\r\nETag: "1"\r\nContent-Range: bytes %d-%d/%d\r\n'
                           b'Content-Length: %d\r\n\r\n' % (int(first), int(first) + len(part) - 1, len(body), len(part)) + part)
    with Peer({'/d/f': cut}) as peer:
        r = get('--retries', '0', '-o', '{host}/{path}', peer.origin + '/d/f')
        equal(r.status, 3)
        peer.routes['/d/f'] = rest
        r = get('--json', '--retries', '0', '-o', '{host}/{path}', peer.origin + '/d/f')
        host = peer.origin[len('http://'):]
        equal((r.status, tree()), (0, [host + '/d/f']))
        equal(open(host + '/d/f', 'rb').read() == body, True)
        equal(json.loads(r.out.splitlines()[0])['resumed_from'] > 1 << 20, True)


@test
def content_disposition_names_the_file():
    with Peer({'/a?1': disposition('x')}) as peer:
        for value, name in (('attachment; filename="b c.txt"', 'b c.txt'), ("attachment; filename*=UTF-8''%e2%82%ac.txt", '\u20ac.txt'),
                            ('attachment; filename="../../etc/x"', 'x'), ('inline', 'a'), ('attachment; filename=".."', '_.'),
                            ('attachment; filename*=UTF-8\'\'a%0ab', 'a%0Ab'), ('attachment; filename="C:\\\\f"', 'f')):
            peer.routes['/a'] = disposition(value)
            r = get('-J', '-d', 'out', peer.origin + '/a')
            equal((value, r.status, tree('out')), (value, 0, [name]))
            r = get('-J', '-d', 'out', peer.origin + '/a')  # an existing file is kept
            equal(tree('out'), [name, name + '.1'])
            r = get('-d', 'out2', peer.origin + '/a')  # only on request
            equal(tree('out2'), ['a'])
            for directory in ('out', 'out2'):
                for f in tree(directory):
                    os.remove(os.path.join(directory, f))
        r = get('-J', '-i', '-', stdin=(peer.origin + '/a out=mine\n').encode())
        equal(tree(), ['mine'])
    for argv in (('-J', '-o', 'x'), ('-J', '--overwrite'), ('-J', '--update'), ('-J', '-r'), ('-x', '-o', '{name}')):
        equal((argv, get(*argv, 'http://127.0.0.1:1/').status), (argv, 2))


main()
