# SPDX-License-Identifier: MIT
"""Files that exist before whorl-get fetches them: kept, replaced, skipped or updated.

    test_get_existing.py PROGRAM [WORD]...  run all tests, or those whose names contain a word
"""
import email.utils
import json
import os
import sys
import time

from lib import *
from ranged import RangedFile

GET = os.path.abspath(sys.argv[1])
OLD = 'Sun, 06 Nov 1994 08:49:37 GMT'
OLD_S = 784111777
NEW = 'Mon, 07 Nov 2016 08:49:37 GMT'
NEW_S = 1478508577


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


def write(name, text, seconds=None):
    with open(name, 'w') as f:
        f.write(text)
    if seconds is not None:
        os.utime(name, (seconds, seconds))


def text(name):
    with open(name) as f:
        return f.read()


def changed(name):
    return int(os.stat(name).st_mtime)


def dated(body, modified):
    """A route of a file that was last modified then; it knows If-Modified-Since."""
    def route(connection, request):
        since = request.headers.get('if-modified-since')
        date = email.utils.parsedate_to_datetime
        headers = (('Last-Modified', modified),)
        if since and date(since) >= date(modified):
            reply(b'', '304 Not Modified', headers)(connection, request)
        else:
            reply(body, headers=headers)(connection, request)
    return route


def known(*ways):
    """Runs -c with the hash of the body `new` of /f, given in each of the ways."""
    import hashlib
    h = hashlib.sha256(b'new').hexdigest()
    write('SUMS', h + '  f\n')
    return {'option': lambda url: ['--checksum', 'sha256=' + h, url],
            'file': lambda url: ['--checksum-file', 'SUMS', url],
            'list': lambda url: write('list', url + ' sha256=' + h + '\n') or ['-i', 'list'],
            'metalink': lambda url: write('list.meta4', '<metalink xmlns="urn:ietf:params:xml:ns:metalink">'
                                          '<file name="f"><size>3</size><hash type="sha-256">%s</hash><url>%s</url>'
                                          '</file></metalink>' % (h, url)) or ['-i', 'list.meta4']}


@test
def continue_does_not_fetch_a_file_that_has_the_known_hash():
    with Peer({'/f': reply('new')}) as peer:
        for name, argv in known().items():
            write('f', 'new')
            argv = argv(peer.origin + '/f')
            r = get('-c', '--json', *argv)
            o = json.loads(r.out.splitlines()[0])
            equal((name, r.status, o['existing'], o['verified'], o['tries'], o['file'], o['bytes'], o['resumed_from']),
                  (name, 0, 'complete', 'sha256', 0, 'f', 0, 3))
            equal((json.loads(r.out.splitlines()[-1])['ok'], peer.count('/f')), (1, 0))
            contains(get('-c', *argv).messages, '/f -> f (already complete, sha256 matches)\n')
            r = get('-c', '-q', '--events', 'jsonl', *argv)
            equal([json.loads(line)['event'] for line in r.out.splitlines()][-3:], ['verified', 'done', 'summary'])
        equal(peer.count('/f'), 0)
        equal(sorted(os.listdir('.')), ['SUMS', 'f', 'list', 'list.meta4'])


@test
def continue_fetches_a_file_that_does_not_have_the_known_hash():
    with Peer({'/f': reply('new')}) as peer:
        for i, (name, argv) in enumerate(known().items()):
            write('f', 'old' if i % 2 else 'newer')
            r = get('-c', '--json', *argv(peer.origin + '/f'))
            o = json.loads(r.out.splitlines()[0])
            equal((name, r.status, o['file'], o['verified'], peer.count('/f')), (name, 0, 'f.1', 'sha256', i + 1))
            equal((text('f'), text('f.1')), ('old' if i % 2 else 'newer', 'new'))
            contains(o['afresh'], 'the file that exists does not have the expected sha256')
            os.unlink('f.1')
        write('f', 'old')
        r = get('-c', '--checksum', 'sha256=' + '0' * 64, peer.origin + '/f')
        equal((r.status, text('f'), text('f.bad')), (4, 'old', 'new'))


@test
def continue_with_a_known_hash_and_other_options():
    with Peer({'/f': reply('new')}) as peer:
        argv = known()['option'](peer.origin + '/f')
        write('f', 'new')
        equal(get('-c', '--manifest', 'm', *argv).status, 0)
        line = json.loads(text('m'))
        equal((line['file'], line['size'], line['sha256']), ('f', 3, argv[1][7:]))
        equal(get('-c', '-o', 'f', *argv).status, 0)
        os.mkdir('d')
        os.symlink('../f', 'd/f')
        equal(get('-c', '-d', 'd', *argv).status, 0)
        equal((peer.count('/f'), os.path.islink('d/f')), (0, True))
        equal(get(*argv).status, 0)
        equal((peer.count('/f'), text('f.1')), (1, 'new'))
        os.unlink('f')
        os.mkfifo('f')
        equal(get('-c', *argv).status, 0)
        equal((peer.count('/f'), text('f.2')), (2, 'new'))


@test
def a_known_size_decides_as_well():
    with RangedFile(b'abc') as server:
        write('f', 'abc')
        write('list', server.url + ' size=3\n')
        equal((get('-c', '-i', 'list').status, sorted(os.listdir('.'))), (0, ['f', 'list']))
        equal(server.asked, ['bytes=0-2'])


@test
def existing_files_are_kept():
    with Peer({'/f': reply('new')}) as peer:
        write('f', 'old')
        equal(get(peer.origin + '/f').status, 0)
        equal((text('f'), text('f.1')), ('old', 'new'))


@test
def overwrite_replaces_files_and_links_but_no_directory():
    with Peer({'*': reply('new')}) as peer:
        os.mkdir('d')
        write('d/f', 'old')
        write('elsewhere', 'kept')
        os.symlink('../elsewhere', 'd/link')
        os.mkdir('d/dir')
        r = get('-d', 'd', '--json', '--overwrite', *(peer.origin + p for p in ('/f', '/link', '/dir', '/free')))
        equal(r.status, 0)
        equal((text('d/f'), text('d/link'), text('elsewhere'), text('d/free')), ('new', 'new', 'kept', 'new'))
        equal((os.path.islink('d/link'), text('d/dir.1')), (False, 'new'))
        said = {o['file']: o.get('existing') for o in map(json.loads, r.out.splitlines()) if 'file' in o}
        equal(said, {'f': 'replaced', 'link': 'replaced', 'dir.1': None, 'free': None})


@test
def a_failure_replaces_nothing():
    cut = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nxxxxx')
    with Peer({'/cut': cut, '/gone': not_found, '/wrong': reply('evil')}) as peer:
        for name in ('cut', 'gone', 'wrong'):
            write(name, 'old', OLD_S)
        for option in ('--overwrite', '--update'):
            equal(get(option, '--retries', '0', peer.origin + '/cut', peer.origin + '/gone').status, 3)
            equal(get(option, '--checksum', 'md5=' + 32 * '0', peer.origin + '/wrong').status, 4)
            equal([text(n) for n in ('cut', 'gone', 'wrong', 'wrong.bad')], ['old', 'old', 'old', 'evil'])
        equal(sorted(os.listdir('.')), ['cut', 'gone', 'wrong', 'wrong.bad'])


@test
def two_urls_of_one_run_do_not_replace_each_other():
    with Peer({'/1/f': reply('one'), '/2/f': reply('two')}) as peer:
        for option in ('--overwrite', '--update'):
            write('f', 'old', OLD_S)
            r = get('-j', '1', option, peer.origin + '/1/f', peer.origin + '/2/f')
            equal((r.status, text('f'), text('f.1')), (0, 'one', 'two'))
            os.unlink('f.1')


@test
def skip_existing_asks_for_nothing():
    with Peer({'*': reply('new')}) as peer:
        write('f', 'old')
        r = get('--skip-existing', '--json', peer.origin + '/f', peer.origin + '/g')
        objects = {o['file']: o for o in map(json.loads, r.out.splitlines()) if 'file' in o}
        equal((r.status, text('f'), text('g'), peer.count('/f')), (0, 'old', 'new', 0))
        equal((objects['f']['ok'], objects['f']['existing'], objects['f']['status'], objects['f']['tries']),
              (True, 'skipped', None, 0))
        equal('existing' in objects['g'], False)
        r = get('--skip-existing', peer.origin + '/f')
        contains(r.messages, '/f -> f (exists, skipped)\n')
        r = get('--skip-existing', '-o', 'f', peer.origin + '/x')
        equal((r.status, text('f'), peer.count('/x')), (0, 'old', 0))


@test
def update_fetches_newer_files_only_and_keeps_their_time():
    with Peer({'/f': dated('new', NEW), '/o': dated('new', NEW)}) as peer:
        equal(get('--update', peer.origin + '/f').status, 0)
        equal((text('f'), changed('f')), ('new', NEW_S))
        r = get('--update', '--json', peer.origin + '/f')
        o = json.loads(r.out.splitlines()[0])
        equal((r.status, o['ok'], o['file'], o['existing'], o['status'], o['written']),
              (0, True, 'f', 'not modified', 304, 0))
        equal(peer.requests[-1].headers['if-modified-since'], NEW)
        contains(get('--update', peer.origin + '/f').messages, '/f -> f (not modified in ')
        write('f', 'old', NEW_S - 1)
        r = get('--update', '--json', peer.origin + '/f')
        equal((r.status, text('f'), changed('f')), (0, 'new', NEW_S))
        equal(json.loads(r.out.splitlines()[0])['existing'], 'replaced')
        write('out', 'old', OLD_S)
        equal(get('--update', '-o', 'out', peer.origin + '/o').status, 0)
        equal((text('out'), changed('out')), ('new', NEW_S))
        equal(sorted(os.listdir('.')), ['f', 'out'])


@test
def update_does_not_use_wrong_dates():
    soon = email.utils.formatdate(time.time() + 7 * 86400, usegmt=True)
    for n, modified in enumerate((soon, 'yesterday', '12', '')):
        with Peer({'/f': reply('new', headers=(('Last-Modified', modified),))}) as peer:
            write('f', 'old', OLD_S)
            start = int(time.time())
            equal(get('--update', peer.origin + '/f').status, 0)
            equal((text('f'), start <= changed('f') <= time.time()), ('new', True))
    with Peer({'/f': dated('new', NEW)}) as peer:  # a file of the future hides no change
        write('f', 'old', time.time() + 7 * 86400)
        equal(get('--update', peer.origin + '/f').status, 0)
        equal((text('f'), 'if-modified-since' in peer.requests[0].headers), ('new', False))


@test
def update_does_not_trust_an_old_file_if_a_hash_is_expected():
    with Peer({'/f': dated('new', OLD)}) as peer:
        write('f', 'damaged', NEW_S)
        r = get('--update', '--checksum', 'md5=22af645d1859cb5ca6da0c484f1f37ea', peer.origin + '/f')
        equal((r.status, text('f'), changed('f')), (0, 'new', OLD_S))


@test
def update_continues_a_large_file_and_then_replaces_the_old_one():
    data = bytes(range(256)) * 20000
    with RangedFile(data, etag=None, modified=OLD) as server:
        write('f', 'old', OLD_S - 9)
        server.cuts = [2 << 20]
        r = get('--update', '--retries', '0', server.url)
        equal((r.status, text('f')), (3, 'old'))
        r = get('--update', '--json', server.url)
        o = json.loads(r.out.splitlines()[0])
        equal((r.status, o['existing'], o['resumed_from'] > 0), (0, 'replaced', True))
        with open('f', 'rb') as f:
            equal(f.read() == data, True)
        equal((changed('f'), sorted(os.listdir('.'))), (OLD_S, ['f']))


@test
def a_dry_run_says_what_becomes_of_existing_files():
    write('f', 'old')
    for option, said in (('--overwrite', 'it exists, and the new one will replace it'),
                         ('--update', 'it exists, and a newer one will replace it'),
                         ('--skip-existing', 'it exists, so it will be skipped'),
                         ('-q', None)):
        r = get('--dry-run', option, 'http://127.0.0.1:1/f')
        equal((r.status, text('f')), (0, 'old'))
        if said:
            contains(r.messages, said)


main()
