# SPDX-License-Identifier: MIT
"""The lists of whorl-get: settings of a URL, checksums, Metalink documents.

    test_get_inputs.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.parse

from lib import Peer, contains, equal, files, main, reply, run, test

GET = os.path.abspath(sys.argv[1])


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


@test
def settings_follow_the_url_on_its_line():
    with Peer({'/a': reply(b'1'), '/b': reply(b'2'), '/c': reply(b'3')}) as peer:
        o = peer.origin
        r = get('-i', '-', '-H', 'X-All: 1', stdin=(
            '%s/a out="name with spaces" header="X-One: a b"\n%s/b\n%s/c header=X-All:2\n' % (o, o, o)).encode())
        heads = {head.path: head for head in peer.requests}
    equal((r.status, files()), (0, ['b', 'c', 'name with spaces']))
    equal(open('name with spaces').read(), '1')
    equal([heads[p].headers.get('x-one') for p in ('/a', '/b', '/c')], ['a b', None, None])
    equal([[v for n, v in heads[p].pairs if n == 'x-all'] for p in ('/a', '/b', '/c')], [['1'], ['1'], ['2']])


@test
def wrong_settings_fail_their_url_only():
    with Peer({'/a': reply(b'1')}) as peer:
        for settings, cause in (('size=1 x', "'x' is not a setting such as size=100"),
                                ('out=../x', 'out is not the name of a file in the directory'),
                                ('out=.', 'out is not the name of a file in the directory'),
                                ('out="a\x01"', 'out is not the name of a file in the directory'),
                                ('out=' + 256 * 'x', 'out is not the name of a file in the directory'),
                                ('sha256=12', "sha256 needs 64 hexadecimal digits, not '12'")):
            for name in files():
                os.remove(name)
            r = get('--json', '-j1', '-i', '-', stdin=('%s/a %s\n%s/a\n' % (peer.origin, settings, peer.origin)).encode())
            equal((r.status, files()), (1, ['a']))
            contains(r.messages, 'whorl-get: standard input:1: %s/a: settings: %s\n' % (peer.origin, cause))
            failed = [o for o in map(json.loads, r.out.splitlines()) if not o['ok']]
            equal([(o['line'], o['step']) for o in failed], [(1, 'settings')])


@test
def relative_urls_of_a_list_have_a_base():
    with Peer({'/d/a': reply(b'1'), '/b': reply(b'2'), '/d/x:y': reply(b'3'), '/abs': reply(b'4')}) as peer:
        r = get('--base', peer.origin + '/d/list', '-i', '-', stdin=(
            'a out=A\n/b\n./x:y\n%s/abs\n' % peer.origin).encode())
        equal((r.status, files()), (0, ['A', 'abs', 'b', 'x:y']))
        r = get('--base', 'nope', '-i', '-')
        equal(r.status, 2)
        contains(r.messages, "--base: ")


@test
def a_file_of_checksums_is_a_list_with_a_base():
    bodies = {'a': b'1', 'b c#d?e%f': b'2', 'd:e': b'3'}
    names = sorted(bodies)
    for name in names:
        with open(name, 'wb') as f:
            f.write(bodies[name])
    for argv in (('sha256sum', *names), ('sha512sum', '--tag', *names)):
        sums = subprocess.run(argv, check=True, capture_output=True).stdout
        os.mkdir('d')
        with Peer({'*': lambda c, q: reply(bodies[urllib.parse.unquote(q.target[3:])])(c, q)}) as peer:
            r = get('--json', '-d', 'd', '--base', peer.origin + '/f/', '-i', '-', stdin=sums)
        equal((r.status, len(os.listdir('d'))), (0, 3))
        equal([json.loads(l)['verified'] for l in r.out.splitlines()[:3]], 3 * [argv[0][:-3]])
        shutil.rmtree('d')


METALINK = '''<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink" xmlns:x="urn:x">
 <x:file name="not this"><url>http://127.0.0.1:1/</url></x:file>
 <file name="a &quot;b&quot; \\.iso"> <size>5</size> <description>x</description>
  <hash type="sha-256">%(sha256)s</hash><hash type="sha3-256">ff</hash>
  <url priority="2">http://127.0.0.1:1/never</url>
  <url priority="1">
    %(origin)s/good one
  </url>
  <url>ftp://127.0.0.1/a</url>
 </file>
 <file name="bad"><size>6</size><url>%(origin)s/good%%20one</url></file>
 <file name="ftp only"><url>ftp://127.0.0.1/a</url></file>
 <file name="../up"><url>%(origin)s/good%%20one</url></file>
 <file name="x out=y"><url>%(origin)s/good%%20one?a out=z</url></file>
</metalink>'''


@test
def a_metalink_document_is_a_list():
    with Peer({'/good%20one': reply(b'hello')}) as peer:
        document = METALINK % {'origin': peer.origin, 'sha256': hashlib.sha256(b'hello').hexdigest()}
        for start in ('', '\ufeff', ' \n '):
            if start == ' \n ':
                document = document[document.index('<metalink'):]
            with open('../list.meta4', 'w') as f:
                f.write(start + document)
            r = get('--json', '-j1', '-i', '../list.meta4')
            os.remove('../list.meta4')
            equal((r.status, files()), (4, ['a "b" \\.iso', 'bad.bad', 'x out=y']))
            contains(r.messages, 'list.meta4:3: file no URL of it is http or https')
            contains(r.messages, "settings: the name '../up' in the Metalink document contains \".\" or \"..\", "
                     'so it does not name a file below the directory\n')
            objects = {o['file']: o for o in map(json.loads, r.out.splitlines()) if 'file' in o}
            equal(objects['a "b" \\.iso']['verified'], 'sha256')
            for name in files():
                os.remove(name)


def metalink_of(origin, *names):
    return ('<metalink xmlns="urn:ietf:params:xml:ns:metalink">%s</metalink>' % ''.join(
        '<file name="%s"><url>%s/f</url></file>' % (name, origin) for name in names)).encode()


@test
def names_of_a_metalink_document_may_have_directories():
    with Peer({'/f': reply(b'hello')}) as peer:
        r = get('-q', '-j1', '-d', 'd', '-i', '-', stdin=metalink_of(peer.origin, 'a/b/one', 'a/two', 'three', 'a'))
        equal((r.status, r.messages), (0, ''))
        equal(sorted(os.path.join(at, name) for at, _, names in os.walk('d') for name in names),
              ['d/a.1', 'd/a/b/one', 'd/a/two', 'd/three'])
        # A link to a directory is not followed: another directory gets a number.
        os.mkdir('outside')
        os.symlink('../outside', 'd/link')
        equal(get('-q', '-d', 'd', '-i', '-', stdin=metalink_of(peer.origin, 'link/x')).status, 0)
        equal((os.listdir('outside'), os.listdir('d/link.1')), ([], ['x']))
        # Elsewhere, out= is a name without directories.
        r = get('-i', '-', stdin=(peer.origin + '/f out=a/b\n').encode())
        contains(r.messages, 'settings: out is not the name of a file in the directory\n')
        count = len(peer.requests)
        for name, fault in (('/etc/x', 'is an absolute path'), ('a/../b', 'contains "." or ".."'), ('..', 'contains "." or ".."'),
                            ('a/./b', 'contains "." or ".."'), ('a//b', 'has an empty part'), ('a/', 'has an empty part'),
                            ('', 'is empty'), ('a&#10;b', 'contains a control byte'), (256 * 'x' + '/y', 'has a part that is too long')):
            r = get('-d', 'd', '-i', '-', stdin=metalink_of(peer.origin, name))
            equal(r.status, 3)
            contains(r.messages, 'in the Metalink document %s, so it does not name a file below the directory\n' % fault)
        equal(len(peer.requests), count)
        shutil.rmtree('d')
        os.rmdir('outside')


@test
def a_wrong_document_is_a_failure():
    with Peer({'/f': reply(b'hello')}) as peer:
        for document, cause in (('<a', 'document is not XML: line 1: '), ('<a/>', 'document is XML, but not a Metalink 4 document'),
                                ('<metalink xmlns="urn:x"/>', 'document is XML, but not a Metalink 4 document')):
            with open('../list', 'w') as f:
                f.write(document)
            r = get('-i', '../list', peer.origin + '/f')
            equal((r.status, files()), (1, ['f']))
            contains(r.messages, 'list: ' + cause)
            os.remove('f')
        with open('../list', 'w') as f:  # larger than the limit
            f.write('<metalink xmlns="urn:ietf:params:xml:ns:metalink">' + 17 * 1024 * 1024 * ' ')
        r = get('-i', '../list')
        contains(r.messages, 'list: document is longer than 16 MiB')
        secret = os.path.abspath('secret')
        with open(secret, 'w') as f:
            f.write('http://127.0.0.1:1/secret')
        with open('../list', 'w') as f:  # neither files nor addresses are read for an entity
            f.write('<!DOCTYPE m [<!ENTITY e SYSTEM "file://%s">]><metalink xmlns="urn:ietf:params:xml:ns:metalink">'
                    '<file name="x"><url>&e;</url></file></metalink>' % secret)
        r = get('-i', '../list')
        contains(r.messages, 'no URL of it is http or https')
        os.remove('../list')


@test
def a_dry_run_fetches_nothing_and_says_what_it_would_fetch():
    with open('b', 'w') as f:
        f.write('old')
    with Peer({}) as peer:
        o = peer.origin
        lines = '%s/a size=2048 md5=%s mirror=%s/m\n%s/b\n%s/c size=x\n' % (o, 32 * '0', o, o, o)
        r = get('-j1', '-v', '--dry-run', '-d', 'new', '-i', '-', stdin=lines.encode())
        contains(r.messages, '%s/a -> new/a (not fetched; 2.0 kB; md5 is known; mirrors: 1)\n' % o)
        contains(r.messages, "/c: settings: size needs a number of bytes, not 'x'\n")
        r = get('--json', '--dry-run', '-i', '-', stdin=lines.encode())
        contains(get('-j1', '--dry-run', o + '/b').messages, '/b -> b (not fetched; the name is taken, so a number will follow it)')
        equal((r.status, len(peer.requests)), (1, 0))
    equal(files(), ['b'])
    equal([(l.get('ok'), l.get('dry_run'), l.get('file')) for l in map(json.loads, r.out.splitlines())][:2],
          [(True, True, 'a'), (True, True, 'b')])


main()
