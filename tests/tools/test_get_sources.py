# SPDX-License-Identifier: MIT
"""One file from several servers: the setting mirror= and the URLs of Metalink documents.

    test_get_sources.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import hashlib
import json
import os
import sys

from lib import Peer, contains, equal, free_port, main, noise, read, reply, run, test
from ranged import RangedFile

GET = os.path.abspath(sys.argv[1])
MIB = 1 << 20


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def get_line(line, *argv, status=0):
    """Fetches the URL of a line to the file f. Returns the JSON object and the messages."""
    r = run(GET, '--no-config', '--json', '-i', '-', *argv, stdin=(line + ' out=f\n').encode())
    equal(r.status, status)
    return json.loads(r.out.splitlines()[0]), r.err


def clear():
    for name in os.listdir('.'):
        os.unlink(name)


def bad_url():
    return 'http://127.0.0.1:%d/f' % free_port()


def counting(answer):
    """A route that keeps the requests."""
    requests = []

    def serve(connection, request):
        requests.append(request)
        answer(connection, request)
    return serve, requests


@test
def a_mirror_replaces_a_url_that_fails():
    data = noise(1000)
    with Peer({'/gone': reply(b'', status='404 Not Found'), '/f': reply(data)}) as peer:
        for first in (bad_url(), peer.origin + '/gone'):
            for more in ('', ' mirror=' + bad_url()):
                clear()
                o, _ = get_line('%s%s mirror=%s/f' % (first, more, peer.origin))
                equal((o['ok'], o['status'], o['final_url'], read('f') == data),
                      (True, 200, peer.origin + '/f', True))


@test
def the_last_failure_is_reported():
    with Peer({'/gone': reply(b'', status='404 Not Found'), '/lost': reply(b'', status='410 Gone')}) as peer:
        o, _ = get_line('%s/gone mirror=%s/lost' % (peer.origin, peer.origin), status=3)
        equal((o['status'], o['tries'], os.listdir('.')), (410, 2, []))


@test
def a_temporary_failure_is_retried_after_a_mirror_that_does_not_have_the_file():
    data, answers = noise(1000), [reply(b'', status='503 Busy')]
    with Peer({'/f': lambda c, r: (answers.pop() if answers else reply(data))(c, r),
               '/gone': reply(b'', status='404 Not Found')}) as peer:
        o, _ = get_line('%s/f mirror=%s/gone' % (peer.origin, peer.origin))
        equal((o['ok'], o['tries'], read('f') == data), (True, 3, True))


@test
def a_mirror_replaces_a_body_with_another_hash():
    data = noise(1000)
    with Peer({'/wrong': reply(b'wrong'), '/f': reply(data)}) as peer:
        o, _ = get_line('%s/wrong sha256=%s mirror=%s/f' % (peer.origin, sha256(data), peer.origin))
        equal((o['ok'], o['verified'], read('f') == data), (True, 'sha256', True))
        equal(sorted(os.listdir('.')), ['f', 'f.bad'])


@test
def a_mirror_gets_no_secrets():
    route, requests = counting(reply(b'hello'))
    with Peer({'*': route}) as mirror:
        get_line('%s mirror=%s/f header="X-Key: secret" header="Accept: text/plain"' % (bad_url(), mirror.origin),
                 '-u', 'me:word', '-H', 'Authorization: Bearer secret', '-H', 'Cookie: a=secret')
        equal(requests[0].headers.get('accept'), 'text/plain')
        equal([n for n in ('x-key', 'authorization', 'cookie') if n in requests[0].headers], [])


@test
def a_mirror_that_asks_for_a_password_does_not_get_that_of_another_server():
    route, requests = counting(reply(b'', status='401 Unauthorized', headers=(('WWW-Authenticate', 'Basic realm="x"'),)))
    with Peer({'*': route}) as mirror:
        get_line('%s mirror=%s/f' % (bad_url(), mirror.origin), '-u', 'me:word', '--retries', '0', status=3)
        equal(['authorization' in r.headers for r in requests], [False])


@test
def several_servers_send_ranges_of_one_file():
    data = noise(8 * MIB)
    with RangedFile(data, rate=8 * MIB) as one, RangedFile(data, etag='"two"', rate=8 * MIB) as two:
        o, _ = get_line('%s sha256=%s mirror=%s' % (one.url, sha256(data), two.url), '--split', '4',
                        '--per-host', '2')
        equal((o['verified'], o['splits'], read('f') == data), ('sha256', 3, True))
        equal((len(one.asked) >= 2, len(two.asked) >= 2, one.active_max <= 2, two.active_max <= 2),
              (True, True, True, True))


@test
def without_a_hash_bytes_of_several_servers_are_not_joined():
    data = noise(8 * MIB)
    with RangedFile(data, rate=8 * MIB) as one, RangedFile(data, rate=8 * MIB) as two:
        get_line('%s mirror=%s' % (one.url, two.url), '--split', '4', '--per-host', '2')
        equal((read('f') == data, two.asked), (True, []))
        clear()
        one.cuts = [2 * MIB]
        one.after_first = None
        one.asked.clear()
        o, _ = get_line('%s mirror=%s' % (one.url, two.url), '--split', '1', '--retries', '0')
        equal((read('f') == data, two.asked, o['tries']), (True, [None], 2))
        contains(o['afresh'], 'no hash is known')


@test
def a_mirror_continues_what_another_server_has_begun():
    data = noise(4 * MIB)
    with RangedFile(data) as one, RangedFile(data, etag='"two"') as two:
        one.cuts = [2 * MIB, 0, 0, 0, 0]
        o, _ = get_line('%s sha256=%s mirror=%s' % (one.url, sha256(data), two.url), '--split', '1')
        equal((read('f') == data, o['verified'], o['tries']), (True, 'sha256', 2))
        equal((len(two.asked), two.asked[0] is not None), (1, True))
        equal(two.sent < 3 * MIB, True)


@test
def a_mirror_that_cannot_continue_costs_nothing():
    data, other = noise(4 * MIB), noise(5 * MIB, 2)
    for case in ('length', 'ranges', 'bytes'):
        clear()
        with RangedFile(data) as one, RangedFile(other if case == 'length' else data, etag='"two"') as two:
            two.knows_ranges = case != 'ranges'
            if case == 'bytes':
                two.body = lambda start, end: bytes(end - start)
            one.cuts = [2 * MIB]
            o, _ = get_line('%s sha256=%s mirror=%s' % (one.url, sha256(data), two.url), '--split', '1')
            equal((case, read('f') == data, o['verified'], os.listdir('.')), (case, True, 'sha256', ['f']))
            one.settle()
            equal((case, one.sent < 5 * MIB), (case, True))


@test
def a_mirror_that_lies_does_not_make_the_file_wrong():
    data = noise(8 * MIB)
    with RangedFile(data, rate=16 * MIB) as one, RangedFile(data, etag='"two"', rate=16 * MIB) as two:
        two.body = lambda start, end: bytes(end - start)
        o, _ = get_line('%s sha256=%s mirror=%s' % (one.url, sha256(data), two.url), '--split', '4',
                        '--per-host', '2')
        equal((read('f') == data, o['verified'], os.listdir('.')), (True, 'sha256', ['f']))
        contains(o['afresh'], ' ')


@test
def a_part_of_several_servers_is_continued_only_with_the_hash():
    data = noise(8 * MIB)
    with RangedFile(data) as one, RangedFile(data, etag='"two"') as two:
        line = '%s sha256=%s mirror=%s' % (one.url, sha256(data), two.url)
        one.cuts, two.cuts = [2 * MIB] + [0] * 9, [2 * MIB] + [0] * 9
        get_line(line, '--split', '1', '--retries', '0', status=3)
        for server in (one, two):
            server.cuts = []
            server.forget()
        o, _ = get_line(one.url, '--split', '1')
        equal((o['resumed_from'], read('f') == data), (0, True))
        os.unlink('f')
        one.forget()
        o, _ = get_line(line, '--split', '1')
        equal((o['resumed_from'] > 3 * MIB, read('f') == data, o['verified']), (True, True, 'sha256'))


if __name__ == '__main__':
    main()
