# SPDX-License-Identifier: MIT
"""The lists of whorl-get: settings of a URL.

    test_get_inputs.py PROGRAM [WORD]...    run all tests, or those whose names contain a word
"""
import json
import os
import sys

from lib import Peer, contains, equal, main, reply, run, test

GET = os.path.abspath(sys.argv[1])


def get(*argv, **kwargs):
    return run(GET, *argv, **kwargs)


def files():
    return sorted(os.listdir('.'))


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
            contains(r.messages, '/a: settings ' + cause)
            failed = [o for o in map(json.loads, r.out.splitlines()) if not o['ok']]
            equal([(o['line'], o['step']) for o in failed], [(1, 'settings')])


main()
