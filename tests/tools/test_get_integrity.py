# SPDX-License-Identifier: MIT
"""whorl-get compares bodies with sizes and hashes.

    test_get_integrity.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import base64
import hashlib
import json
import os
import subprocess
import sys

from lib import Peer, contains, equal, files, main, raw, read, reply, run, test

GET = os.path.abspath(sys.argv[1])
BODIES = {'/none': b'', '/small': b'hello', '/large': bytes(range(256)) * 8000}
KINDS = ('md5', 'sha1', 'sha256', 'sha512')


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


def chunked(body):
    chunk = b'%x\r\n%s\r\n' % (len(body), body) if body else b''
    return raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk + b'0\r\n\r\n')


def with_header(line):
    return reply(b'hello', headers=(tuple(line.split(': ', 1)),))


def routes():
    return {**{p: reply(b) for p, b in BODIES.items()}, **{'/chunked' + p: chunked(b) for p, b in BODIES.items()}}


def only_object(r):
    return json.loads(r.out.splitlines()[0])


@test
def the_right_hashes_are_accepted():
    with Peer(routes()) as peer:
        for path in routes():
            body = BODIES[path.replace('/chunked', '')]
            for kind in KINDS:
                right = getattr(hashlib, kind)(body).hexdigest()
                for text in (right, right.upper()):
                    r = get('--json', '-o', 'f', '--checksum', '%s=%s' % (kind, text), peer.origin + path)
                    equal((r.status, read('f'), files()), (0, body, ['f']))
                    equal(only_object(r)['verified'], kind)
        r = get('-v', '--checksum', 'sha256=' + hashlib.sha256(b'hello').hexdigest(), peer.origin + '/small')
        contains(r.messages, 'sha256 verified')


@test
def another_hash_keeps_the_evidence_and_says_both():
    with Peer(routes()) as peer:
        for path in routes():
            body, name = BODIES[path.replace('/chunked', '')], path.split('/')[-1]
            is_, says = hashlib.sha256(body).hexdigest(), 64 * '0'
            r = get('--json', '--checksum', 'sha256=' + says, peer.origin + path)
            equal((r.status, files(), read(name + '.bad')), (4, [name + '.bad'], body))
            contains(r.messages, ': verify %s.bad: kept, but its sha256 is %s, ' % (name, is_))
            contains(r.messages, 'and --checksum says %s' % says)
            o = only_object(r)
            equal((o['ok'], o['step'], o['verified'], o['file']), (False, 'verify', None, None))
            equal(peer.count(path), 1)  # the next try would fetch the same bytes
            # the next time, the evidence is not replaced
            r = get('--checksum', 'sha256=' + says, peer.origin + path)
            equal(files(), [name + '.bad', name + '.bad.1'])
            for f in files():
                os.remove(f)
            peer.requests.clear()


@test
def an_existing_file_is_kept_when_the_new_one_is_wrong():
    with open('f', 'w') as f:
        f.write('old')
    with Peer(routes()) as peer:
        r = get('-o', 'f', '--checksum', 'md5=' + 32 * '0', peer.origin + '/small')
    equal((r.status, read('f'), read('f.bad')), (4, b'old', b'hello'))


@test
def standard_output_is_checked_too():
    with Peer(routes()) as peer:
        r = get('-o', '-', '--checksum', 'md5=' + 32 * '0', peer.origin + '/large')
        equal((r.status, r.out, files()), (4, BODIES['/large'], []))
        contains(r.messages, 'verify standard output: its md5 is ')


@test
def a_list_has_sizes_and_hashes():
    good = hashlib.sha512(b'hello').hexdigest()
    with Peer(routes()) as peer:
        o = peer.origin
        r = get('--json', '-j1', '-i', '-', stdin=(
            '%s/small out=a size=5 sha512=%s\n%s/small out=b size=6\n%s/small out=c size=5 sha512=%s\n'
            % (o, good, o, o, 128 * 'f')).encode())
    equal((r.status, files()), (4, ['a', 'b.bad', 'c.bad']))
    contains(r.messages, 'kept, but its size is 5 bytes, and the list says 6')
    equal([json.loads(l).get('verified') for l in r.out.splitlines()[:3]], ['sha512', None, None])


@test
def a_file_of_checksums_is_made_by_the_tools_of_the_system():
    for path, body in BODIES.items():
        with open(path[1:], 'wb') as f:
            f.write(body)
    names = files()
    for tool, *argv in (('md5sum',), ('sha256sum', '--tag'), ('sha512sum', '-b')):
        sums = subprocess.run([tool, *argv, *names], check=True, capture_output=True).stdout
        with open('SUMS', 'wb') as f:
            f.write(sums)
        for name in names:
            os.remove(name)
        with Peer(routes()) as peer:
            r = get('--json', '--checksum-file', 'SUMS', *(peer.origin + '/' + n for n in names))
            equal((r.status, files()), (0, sorted(names + ['SUMS'])))
            equal({json.loads(l)['verified'] for l in r.out.splitlines()[:3]}, {tool[:-3]})
            peer.routes['/other'] = reply(b'x')
            r = get('--checksum-file', 'SUMS', peer.origin + '/other')
            equal((r.status, peer.count('/other')), (3, 0))
            contains(r.messages, 'settings: other: the file of checksums does not have this name')
    with open('SUMS', 'w') as f:
        f.write('nonsense\n')
    r = get('--checksum-file', 'SUMS', 'http://127.0.0.1:1/')
    equal(r.status, 2)
    contains(r.messages, 'whorl-get: SUMS:1: checksums: ')


def b64(kind, body):
    return base64.b64encode(getattr(hashlib, kind)(body).digest()).decode()


@test
def headers_of_the_server_are_compared():
    body, other = b'hello', b'olleh'
    for form in ('Repr-Digest: sha-256=:%s:', 'Content-Digest: unixsum=1, sha-256=:%s:;x=1', 'Digest: SHA-256=%s', 'Digest: crc32c=AAAAAA==,sha-256=%s'):
        for source, status in ((body, 0), (other, 4)):
            with Peer({'/f': with_header(form % b64('sha256', source))}) as peer:
                r = get('--json', peer.origin + '/f')
            equal((form, r.status, files()), (form, status, ['f'] if status == 0 else ['f.bad']))
            equal(only_object(r)['verified'], None if status else 'sha256')
            if status:
                contains(r.messages, form.split(':')[0] + ' says ' + hashlib.sha256(other).hexdigest())
            os.remove(files()[0])
    for ignored in ('Repr-Digest: sha-256=%s', 'Repr-Digest: sha-256=:AAAA:', 'Repr-Digest: sha-256=:%s', 'Digest: sha-256=!', 'Repr-Digest: sha-256',
                    'Repr-Digest: sha-256=:' + 4000 * 'A' + ':', 'Digest: x', 'Repr-Digest: ,,='):
        with Peer({'/f': with_header(ignored % b64('sha256', other) if '%s' in ignored else ignored)}) as peer:
            r = get('--json', peer.origin + '/f')
        equal((ignored, r.status, only_object(r)['verified']), (ignored, 0, None))
        os.remove('f')


@test
def expectations_that_contradict_each_other_are_refused():
    with Peer(routes()) as peer:
        r = get('--checksum', 'md5=' + 32 * '0', '--checksum', 'MD5=' + 32 * '1', peer.origin + '/small')
        equal((r.status, files(), len(peer.requests)), (3, [], 0))
        contains(r.messages, 'the expected hashes contradict each other')
    for argv, cause in ((('--checksum', 'crc=1'), "--checksum needs md5, sha1, sha256 or sha512, '=' and the hash, not 'crc=1'"),
                        (('--checksum', 'md5=1'), "--checksum: md5 has 32 hexadecimal digits, not '1'"),
                        (('--checksum', 'md5=' + 32 * '0', 'http://h/'), '--checksum takes exactly one URL')):
        r = get(*argv, 'http://127.0.0.1:1/')
        equal(r.status, 2)
        contains(r.messages, cause)


main()
