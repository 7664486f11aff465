# SPDX-License-Identifier: MIT
"""Interrupted downloads of whorl-get: what is kept, and that no wrong byte gets a final name.

    test_get_resume.py PROGRAM [WORD]...    run all tests, or those whose names contain a word

With TEST_SLOW=1, what is done at random moments is done 500 times.
"""
import contextlib
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import zlib

from lib import (Certificates, Nginx, SANITIZED, SCALE, Skip, contains, equal, files, main, noise,
                 read, run, running, test, wait_until)
from ranged import RangedFile

GET = os.path.abspath(sys.argv[1])
FULL = bool(os.environ.get('TEST_SLOW'))
MIB = 1 << 20


def get(*argv, **kwargs):
    return run(GET, '--no-config', *argv, **kwargs)


def write(path, data):
    with open(path, 'wb') as f:
        f.write(data)


def parts():
    return [name for name in files() if name.endswith('.part')]


def object_of(result):
    return json.loads(result.out.splitlines()[0])


def kill_after(server, count, *argv, number=signal.SIGKILL):
    """Starts a download and sends a signal when the server has sent `count` bytes of bodies."""
    server.forget()
    server.hold = count
    with running(GET, '--no-config', *argv, server.url) as child:
        wait_until(lambda: server.sent >= count or child.poll() is not None, what='progress')
        child.send_signal(number)
        _, err = child.communicate(timeout=30 * SCALE)
    server.hold = None
    server.forget()
    return err.decode()


def interrupted(server, size=5 * MIB // 2, *argv):
    """Leaves a part of a little less than `size` bytes."""
    kill_after(server, size, *argv)
    equal(len(parts()), 1)


def check_again(shares):
    """What was fetched again counts at the server, so it also has the bytes that were in the
    buffers of the kernel when the process was killed: more of them when the machine is busy."""
    mean = sum(shares) / len(shares)
    print('# fetched again: %.2f %%, at most %.2f %%' % (100 * mean, 100 * max(shares)))
    equal((mean < 0.05, max(shares) < 0.5), (True, True))


# Killed


@test
def a_killed_download_continues_where_it_was():
    data = noise(8 * MIB)
    with RangedFile(data) as server:
        interrupted(server, 4 * MIB)
        name = parts()[0]
        equal(bool(re.fullmatch(r'f\.[0-9a-f]{8}\.part', name)), True)
        equal(files(), [name, name + '.journal'])
        equal(os.stat(name + '.journal').st_mode & 0o777, 0o600)
        server.sent = 0
        r = get('--json', server.url)
        equal((r.status, files()), (0, ['f']))
        equal(read('f') == data, True)
        o = object_of(r)
        equal(server.asked[1], 'bytes=%d-%d' % (o['resumed_from'] - 65536, len(data) - 1))
        equal(o['bytes'], server.sent)
        equal(o['written'] + o['resumed_from'], len(data))
        equal(o['wasted'], 65536)
        equal(o['resumed_from'] > 2 * MIB, True)


@test
def the_line_says_what_an_earlier_run_had_left():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server, 2 * MIB)
        contains(get(server.url).messages, ' of an earlier run in ')


@test
def killed_at_random_moments_it_gives_the_same_bytes():
    size, rate = 12 * MIB, 40 * MIB
    rounds = 500 if FULL else 4 if SANITIZED else 10
    data, chance, again = noise(size), random.Random(), []
    seed = chance.randrange(1 << 32)
    chance.seed(seed)
    print('# seed %d' % seed)
    with RangedFile(data, rate=rate) as server:
        sums = ['--checksum', 'sha256=' + hashlib.sha256(data).hexdigest()]
        for i in range(rounds):
            argv = ['-q', '-c', '-o', 'f', *(sums if i % 2 else []), server.url]
            server.sent = 0
            with running(GET, '--no-config', *argv) as child:
                time.sleep(chance.uniform(0, size / rate + 0.05))
                child.kill()
            server.settle()
            equal([name for name in files() if name == 'f'] in ([], ['f']), True)
            if os.path.exists('f'):
                equal(read('f') == data, True)
            equal(get(*argv).status, 0)
            equal(read('f') == data, True)
            equal(files(), ['f'])
            again.append((server.sent - size) / size)
            os.unlink('f')
    check_again(again)


@test
def killed_again_and_again_it_ends_at_last():
    data = noise(12 * MIB)
    with RangedFile(data, rate=30 * MIB) as server:
        for _ in range(6):
            kill_after(server, MIB, '-o', 'f')
            equal('f' in files(), False)
        equal(get('-o', 'f', server.url).status, 0)
        equal((read('f') == data, files()), (True, ['f']))
        equal(server.sent < 8 * MIB, True)


@test
def the_first_interrupt_says_what_is_kept():
    with RangedFile(noise(8 * MIB), rate=20 * MIB) as server:
        err = kill_after(server, 4 * MIB, number=signal.SIGINT)
        contains(err, 'interrupted; 1 transfer stopped, kept ')
        contains(err, ' MB; run again to continue\n')
        equal(get(server.url).status, 0)
        equal((read('f') == server.data, files()), (True, ['f']))


# A retry in the same run


@test
def a_retry_in_the_same_run_continues():
    data = noise(6 * MIB)
    with RangedFile(data) as server:
        server.cuts = [3 * MIB, 2 * MIB]
        r = get('--json', server.url)
        equal((r.status, read('f') == data, files()), (0, True, ['f']))
        o = object_of(r)
        equal((o['tries'], o['resumed_from']), (3, 0))
        equal(server.asked[0], None)
        equal([bool(a) for a in server.asked], [False, True, True])


@test
def resets_at_any_byte_lead_to_the_right_bytes():
    data, chance = noise(2 * MIB), random.Random(5)
    offsets = [0, 1, 65535, 65536, 65537, MIB, 2 * MIB - 1, 2 * MIB]
    offsets += [chance.randrange(2 * MIB) for _ in range(100 if FULL else 8)]
    with contextlib.ExitStack() as stack:
        children = []
        for i, offset in enumerate(offsets):
            server = stack.enter_context(RangedFile(data))
            server.cuts = [offset, 70000]
            children.append(stack.enter_context(running(GET, '--no-config', '-o', str(i), server.url)))
        for i, child in enumerate(children):
            equal(child.wait(60 * SCALE), 0)
            equal(read(str(i)) == data, True)
    equal(len(files()), len(offsets))


@test
def attempts_that_get_further_do_not_count():
    with RangedFile(noise(2 * MIB)) as server:
        server.cuts = [MIB, 200000, 200000, 200000]
        r = get('--json', '--retries', '1', server.url)
        equal((r.status, object_of(r)['tries'], read('f') == server.data), (0, 5, True))
        os.unlink('f')
        server.cuts = [MIB, 65536, 65536]
        r = get('--json', '--retries', '1', server.url)
        equal((r.status, object_of(r)['tries']), (3, 2))


@test
def the_same_url_again_in_the_same_run_continues():
    """It fails first. The second line of the list comes when the first transfer is over."""
    with RangedFile(noise(4 * MIB)) as server:
        server.cuts = [3 * MIB]
        r = get('--json', '-j', '1', '--retries', '0', server.url, server.url)
        first, second = (json.loads(line) for line in r.out.splitlines()[:2])
        equal((first['ok'], second['ok'], read('f') == server.data), (False, True, True))
        equal(second['resumed_from'], first['kept'])


@test
def a_limit_of_the_size_counts_for_the_whole_file():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server, 3 * MIB)
        r = get('--max-size', '2M', server.url)
        equal((r.status, 'f' in files(), len(parts())), (3, False, 1))
        equal(get('--max-size', '4M', server.url).status, 0)
        equal(read('f') == server.data, True)


@test
def a_failure_keeps_the_part_and_says_so():
    data = noise(6 * MIB)
    with RangedFile(data) as server:
        server.cuts = [3 * MIB, 0]
        r = get('--retries', '1', server.url)
        equal((r.status, len(parts()), 'f' in files()), (3, 1, False))
        contains(r.messages, ' of 6.3 MB; run again to continue)')
        equal(get(server.url).status, 0)
        equal((read('f') == data, files()), (True, ['f']))


# The file on the server


def check_afresh(server, reason, data=None, *argv):
    """The next run fetches the whole file and says why."""
    r = get('--json', *argv, server.url)
    equal((r.status, files()), (0, ['f']))
    equal(read('f') == (data or server.data), True)
    contains(object_of(r)['afresh'], reason)
    equal(object_of(r)['resumed_from'], 0)


@test
def a_changed_file_is_fetched_afresh():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        server.data, server.etag = noise(4 * MIB, 2), '"two"'
        check_afresh(server, 'the file on the server has changed')
        equal(len(server.asked), 2)  # the answer to the condition was the whole file


@test
def a_changed_date_is_a_changed_file():
    with RangedFile(noise(4 * MIB), None, 'Sun, 06 Nov 1994 08:49:37 GMT') as server:
        interrupted(server)
        server.data, server.modified = noise(4 * MIB, 2), 'Sun, 06 Nov 1994 08:49:38 GMT'
        check_afresh(server, 'the file on the server has changed')


@test
def the_same_date_continues():
    with RangedFile(noise(4 * MIB), None, 'Sun, 06 Nov 1994 08:49:37 GMT') as server:
        interrupted(server)
        r = get('--json', server.url)
        equal((r.status, read('f') == server.data), (0, True))
        equal(object_of(r)['resumed_from'] > 0, True)


@test
def a_server_that_ignores_the_condition_is_noticed():
    """It sends the range of the new file."""
    def head(request, start, end):
        return ('HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n'
                'ETag: "two"\r\nConnection: close\r\n\r\n' % (start, end - 1, 4 * MIB, end - start)).encode()
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        server.data, server.head = noise(4 * MIB, 2), head
        check_afresh(server, 'the file on the server has changed')


@test
def a_changed_length_is_a_changed_file():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        server.data = noise(5 * MIB)
        server.head = lambda request, start, end: (
            'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n'
            'ETag: "one"\r\n\r\n' % (start, end - 1, 5 * MIB, end - start)).encode()
        check_afresh(server, 'another length')


@test
def other_bytes_under_the_same_etag_are_noticed():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        server.data = noise(4 * MIB, 2)
        check_afresh(server, 'its bytes differ')


@test
def a_server_without_ranges_sends_the_whole_file():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        server.knows_ranges = False
        check_afresh(server, 'the server does not send ranges')
        equal(len(server.asked), 2)


@test
def wrong_ranges_are_refused():
    heads = {
        'bytes %d-%d/%d' % (0, 99, 4 * MIB): 'other bytes',
        'bytes %d-%d/%d' % (1, 4 * MIB - 1, 4 * MIB): 'other bytes',
        'bytes */%d' % (4 * MIB): 'other bytes',
        'bytes 0-99/*': 'another length',
        '0-99/100': 'which bytes',
        'bytes 99-1/%d' % (4 * MIB): 'which bytes',
    }
    for value, reason in heads.items():
        with RangedFile(noise(4 * MIB)) as server:
            interrupted(server)
            server.head = lambda request, start, end: (
                'HTTP/1.1 206 Partial Content\r\nContent-Range: %s\r\nContent-Length: 100\r\n'
                'ETag: "one"\r\nConnection: close\r\n\r\n' % value).encode()
            check_afresh(server, reason)
            os.unlink('f')


@test
def several_ranges_are_refused():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        server.head = lambda request, start, end: (
            'HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\n'
            'Content-Length: 100\r\nETag: "one"\r\nConnection: close\r\n\r\n').encode()
        check_afresh(server, 'several ranges')


@test
def a_range_that_is_cut_short_is_asked_for_again():
    """The length in the head is right, and fewer bytes follow."""
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        server.cuts = [100000, 100000, 65536]
        r = get(server.url)
        equal((r.status, read('f') == server.data, files()), (0, True, ['f']))


@test
def a_server_that_falls_silent_is_an_error_and_is_continued():
    with RangedFile(noise(4 * MIB)) as server:
        server.hold = 3 * MIB + 16384
        r = get('--json', '--retries', '0', '--stall-timeout', '0.5', server.url)
        equal((r.status, 'f' in files()), (3, False))
        contains(r.messages, ' of 4.2 MB; run again to continue)')
        kept = object_of(r)['kept']
        equal(kept, server.hold)
        server.hold = None
        r = get('--json', server.url)
        equal((r.status, read('f') == server.data), (0, True))
        equal(object_of(r)['resumed_from'], kept)


@test
def bytes_are_made_durable_every_ten_seconds():
    if not FULL:
        raise Skip('takes 12 s; run with TEST_SLOW=1')
    with RangedFile(noise(13 * MIB), rate=MIB) as server:
        with running(GET, '--no-config', '--split', '1', server.url) as child:
            wait_until(lambda: server.sent >= 11 * MIB + MIB // 2, seconds=30, what='progress')
            lines = [line.split() for line in read(parts()[0] + '.journal').decode().splitlines()]
            equal(child.wait(30), 0)
        equal([line[2] for line in lines if line[1] == 'synced'], ['0'])
        equal([int(line[3]) > 8 * MIB for line in lines if line[1] == 'synced'], [True])


@test
def a_missing_file_keeps_the_part():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        server.status = ('503 Busy', '')
        r = get('--retries', '0', server.url)
        equal((r.status, len(parts())), (3, 1))
        contains(r.messages, '503 Busy (kept ')
        server.status = None
        equal(get(server.url).status, 0)
        equal((read('f') == server.data, files()), (True, ['f']))


# Journals


def lines_of(*texts):
    check, out = 0, b''
    for text in texts:
        check = zlib.crc32(text.encode(), check)
        out += b'%08x %s\n' % (check, text.encode())
    return out


def invent(server, data, *records, url=None):
    """Makes a part with a correct journal by hand."""
    interrupted(server)
    name = parts()[0]
    with open('/proc/sys/kernel/random/boot_id') as f:
        boot = f.read().strip()
    write(name, data)
    write(name + '.journal', lines_of('whorl-get 1', 'url ' + (url or server.url), 'etag "one"', 'length %d' %
                                      len(server.data), 'boot ' + boot, *records))


@test
def a_complete_part_only_needs_its_name():
    """The process was killed after the last byte."""
    with RangedFile(noise(4 * MIB)) as server:
        invent(server, server.data, 'done 0 %d' % (4 * MIB))
        server.sent = 0
        r = get(server.url)
        equal((r.status, read('f') == server.data, files()), (0, True, ['f']))
        equal(server.sent, 65536)


@test
def status_416_for_a_complete_part_is_success():
    with RangedFile(noise(4 * MIB)) as server:
        invent(server, server.data, 'done 0 %d' % (4 * MIB))
        server.status = ('416 No', 'Content-Range: bytes */%d\r\n' % (4 * MIB))
        r = get(server.url)
        equal((r.status, read('f') == server.data, files()), (0, True, ['f']))


@test
def status_416_otherwise_starts_afresh():
    with RangedFile(noise(4 * MIB)) as server:
        invent(server, server.data, 'done 0 %d' % (4 * MIB))
        server.status = ('416 No', 'Content-Range: bytes */%d\r\n' % (3 * MIB))
        check_afresh(server, 'does not have the missing bytes')
        os.unlink('f')
        server.status = None
        interrupted(server)
        server.status = ('416 No', 'Content-Range: bytes */%d\r\n' % (4 * MIB))
        check_afresh(server, 'does not have the missing bytes')


@test
def a_part_of_another_url_is_left_alone():
    """The names of two URLs may be the same by chance."""
    with RangedFile(noise(4 * MIB)) as server:
        invent(server, server.data, 'done 0 %d' % (3 * MIB), url=server.url + 'x')
        before = files()
        r = get('--json', server.url)
        equal((r.status, read('f') == server.data, files()), (0, True, sorted(before + ['f'])))
        equal((object_of(r)['resumed_from'], server.asked[-1]), (0, None))


@test
def gaps_are_filled():
    data = noise(4 * MIB)
    holes = bytearray(data)
    for start, end in ((0, 1000), (MIB, MIB + 5), (3 * MIB, 4 * MIB)):
        holes[start:end] = bytes(end - start)
    with RangedFile(data) as server:
        invent(server, holes, 'done 1000 %d' % MIB, 'done %d %d' % (MIB + 5, 3 * MIB))
        server.asked.clear()
        r = get('--json', server.url)
        equal((r.status, read('f') == data, files()), (0, True, ['f']))
        equal(sorted(server.asked), sorted([
            'bytes=0-999', 'bytes=%d-%d' % (MIB - 65536, MIB + 4),
            'bytes=%d-%d' % (3 * MIB - 65536, 4 * MIB - 1)]))


@test
def a_journal_of_another_start_of_the_machine_claims_only_what_is_durable():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        name = parts()[0]
        write(name, server.data[:3 * MIB])
        write(name + '.journal', lines_of('whorl-get 1', 'url ' + server.url, 'etag "one"',
                                          'length %d' % (4 * MIB), 'boot other', 'done 0 %d' % (3 * MIB),
                                          'synced 0 %d' % MIB))
        r = get('--json', server.url)
        equal((r.status, read('f') == server.data), (0, True))
        equal(object_of(r)['resumed_from'], MIB)


@test
def damaged_journals_lead_to_the_right_bytes():
    with RangedFile(noise(2 * MIB)) as server:
        interrupted(server, MIB)
        name = parts()[0]
        part, journal = read(name), read(name + '.journal')
        chance = random.Random(3)
        cases = [journal[:n] for n in chance.sample(range(len(journal)), 60 if FULL else 6)]
        for _ in range(60 if FULL else 6):
            damaged = bytearray(journal)
            damaged[chance.randrange(len(journal))] ^= chance.randrange(1, 256)
            cases.append(damaged)
        cases += [b'', b'\0' * 100000, b'x' * (2 << 20)]
        for case in cases:
            write(name, part)
            write(name + '.journal', case)
            equal(get('-q', server.url).status, 0)
            equal((read('f') == server.data, files()), (True, ['f']))
            os.unlink('f')


@test
def a_part_shorter_than_its_journal_says_is_not_used():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        os.truncate(parts()[0], 100000)
        check_afresh(server, 'size')


@test
def bytes_changed_before_the_join_are_noticed():
    with RangedFile(noise(4 * MIB)) as server:
        invent(server, server.data[:2 * MIB - 1] + b'\0' + bytes(2 * MIB), 'done 0 %d' % (2 * MIB))
        check_afresh(server, 'its bytes differ')


@test
def links_and_files_of_others_are_not_used():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        name = parts()[0]
        os.rename(name, 'elsewhere')
        os.symlink('elsewhere', name)
        r = get(server.url)
        equal((r.status, read('f') == server.data), (0, True))
        equal(os.path.islink(name), True)
        os.unlink(name)
        if os.geteuid() == 0:
            os.rename('elsewhere', name)
            os.chown(name, 12345, 12345)
            r = get('--json', '-o', 'f', server.url)
            equal((r.status, read('f') == server.data), (0, True))
            equal(object_of(r)['resumed_from'], 0)


@test
def a_password_is_not_stored():
    with RangedFile(noise(4 * MIB)) as server:
        url = server.url
        server.url = url.replace('http://', 'http://me:s3cret@')
        interrupted(server)
        equal(b's3cret' in read(parts()[0] + '.journal'), False)
        equal(get(server.url).status, 0)
        equal(len(server.asked), 2)
        equal((read('f') == server.data, files()), (True, ['f']))


# Which files are kept


@test
def what_cannot_be_continued_leaves_nothing():
    cases = [dict(etag=None), dict(etag='W/"one"'), dict(etag='W/"one"', modified='Sun, 06 Nov 1994 08:49:37 GMT')]
    for case in cases:
        with RangedFile(noise(4 * MIB), rate=20 * MIB, **case) as server:
            kill_after(server, MIB)
            equal(files(), [])
    with RangedFile(noise(4 * MIB), rate=20 * MIB) as server:
        for argv in (['--no-continue'], ['--compressed'], ['-H', 'Range: bytes=0-'], ['-H', 'If-Match: *']):
            kill_after(server, MIB, *argv)
            equal(files(), [])
    with RangedFile(noise(MIB - 1), rate=2 * MIB) as server:
        kill_after(server, MIB // 2)
        equal(files(), [])


@test
def devices_and_streams_are_written_directly():
    with RangedFile(noise(4 * MIB)) as server:
        r = get('-o', '-', server.url)
        equal((r.status, r.out == server.data, files()), (0, True, []))
        equal((get('-o', '/dev/null', server.url).status, files()), (0, []))


@test
def no_continue_leaves_the_part_alone():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        before = files()
        equal(get('--no-continue', server.url).status, 0)
        equal(server.asked[1], None)
        equal(files(), sorted(before + ['f']))


@test
def an_existing_file_keeps_its_name():
    write('f', b'old')
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        equal(get(server.url).status, 0)
        equal((files(), read('f'), read('f.1') == server.data), (['f', 'f.1'], b'old', True))


@test
def output_replaces_the_file_and_keeps_its_mode():
    write('f', b'old')
    os.chmod('f', 0o640)
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server, 2 * MIB, '-o', 'f')
        equal(read('f'), b'old')
        equal(get('-o', 'f', server.url).status, 0)
        equal((files(), read('f') == server.data), (['f'], True))
        equal(os.stat('f').st_mode & 0o777, 0o640)


@test
def two_urls_of_the_same_name_do_not_meet():
    with RangedFile(noise(4 * MIB)) as one, RangedFile(noise(4 * MIB, 2)) as two:
        interrupted(one)
        two.rate = 20 * MIB
        kill_after(two, 2 * MIB)
        equal(len(parts()), 2)
        equal(get(one.url, two.url).status, 0)
        equal(files(), ['f', 'f.1'])
        equal(sorted([read('f'), read('f.1')]) == sorted([one.data, two.data]), True)
        equal([bool(s.asked[1]) for s in (one, two)], [True, True])


@test
def the_same_url_twice_gives_two_files():
    with RangedFile(noise(4 * MIB), rate=20 * MIB) as server:
        r = get(server.url, server.url)
        equal((r.status, r.messages.count(' -> ')), (0, 2))
        equal((files(), read('f') == read('f.1') == server.data), (['f', 'f.1'], True))


@test
def two_processes_do_not_share_a_part():
    with RangedFile(noise(4 * MIB), rate=8 * MIB) as server:
        with running(GET, '--no-config', '-o', 'f', server.url) as child:
            wait_until(lambda: server.sent > MIB, what='progress')
            equal(get('-o', 'g', server.url).status, 0)
            equal(get('-o', 'f', server.url).status, 0)
            equal(read('f') == server.data, True)
            equal(child.wait(30), 0)
        equal((read('f') == server.data, files()), (True, ['f', 'g']))


@test
def continue_does_not_fetch_a_complete_file_again():
    with RangedFile(noise(4 * MIB)) as server:
        equal(get(server.url).status, 0)
        server.sent = 0
        r = get('-c', '--json', server.url)
        equal((r.status, object_of(r)['file'], files()), (0, 'f', ['f']))
        equal(server.sent, 65536)
        write('f', server.data[:-1] + b'\0')
        equal(get('-c', server.url).status, 0)
        equal((files(), read('f.1') == server.data), (['f', 'f.1'], True))
        write('f', server.data[:MIB])
        equal(get('-c', '-o', 'f', server.url).status, 0)
        equal(read('f') == server.data, True)


@test
def a_part_of_a_file_that_is_complete_is_removed():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        write('f', server.data)
        r = get('-c', '--checksum', 'sha256=' + hashlib.sha256(server.data).hexdigest(), server.url)
        equal((r.status, files(), len(server.asked)), (0, ['f'], 1))


@test
def a_part_is_continued_if_the_file_does_not_have_the_hash():
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        write('f', b'old')
        r = get('-c', '--json', '--checksum', 'sha256=' + hashlib.sha256(server.data).hexdigest(), server.url)
        equal((r.status, files(), read('f'), read('f.1') == server.data), (0, ['f', 'f.1'], b'old', True))
        equal((object_of(r)['resumed_from'] > 0, 'afresh' in object_of(r)), (True, False))


@test
def continue_of_an_empty_file_is_success():
    with RangedFile(b'') as server:
        equal(get(server.url).status, 0)
        r = get('-c', server.url)
        equal((r.status, files()), (0, ['f']))
        equal(server.asked, [None, 'bytes=0-0'])


@test
def hashes_cover_the_bytes_of_earlier_runs():
    with RangedFile(noise(4 * MIB)) as server:
        good = hashlib.sha256(server.data).hexdigest()
        interrupted(server)
        r = get('--json', '--checksum', 'sha256=' + good, server.url)
        equal((r.status, object_of(r)['verified'], files()), (0, 'sha256', ['f']))
        equal(object_of(r)['resumed_from'] > 0, True)
        os.unlink('f')
        server.cuts = [3 * MIB, 70000]
        equal(get('--checksum', 'sha256=' + good, server.url).status, 0)
        os.unlink('f')
        interrupted(server)
        r = get('--checksum', 'sha256=' + '0' * 64, server.url)
        equal((r.status, files()), (get('--checksum', 'sha256=' + '0' * 64, '--no-continue', '-o', 'g',
                                        server.url).status, ['f.bad']))
        contains(r.messages, good)
        equal(read('f.bad') == server.data, True)


# States of hashes in the journal


def records():
    """The lines of the journal, without their checksums."""
    return [line[9:] for line in read(parts()[0] + '.journal').decode().splitlines()]


def digest():
    """How many bytes the last state in the journal covers, and the state."""
    line = [r for r in records() if r.startswith('digest ')][-1]
    return int(line.split()[1]), line.split(' ', 2)[2]


def change_states(change):
    """Writes the journal again with other states. Its checksums are right."""
    changed = [r if not r.startswith('digest ') else '%s %s %s' % (*r.split()[:2], change(r.split(' ', 2)[2]))
               for r in records()]
    write(parts()[0] + '.journal', lines_of(*changed))


@test
def bytes_of_an_earlier_run_are_not_read_again_for_their_hash():
    with RangedFile(noise(4 * MIB)) as server:
        sums = ['--checksum', 'sha256=' + hashlib.sha256(server.data).hexdigest()]
        for argv in (sums, [*sums, '--split', '3'],
                     [*sums, '--checksum', 'md5=' + hashlib.md5(server.data).hexdigest(), '--checksum',
                      'sha512=' + hashlib.sha512(server.data).hexdigest()]):
            interrupted(server, 2 * MIB, *argv)
            covered, _ = digest()
            r = get('--json', *argv[:2], *argv[4:], server.url)
            equal((r.status, files(), read('f') == server.data), (0, ['f'], True))
            o = object_of(r)
            equal(o['reread'] <= len(server.data) - covered, True)
            if '--split' not in argv:
                equal((covered, o['resumed_from'] > MIB, o['reread']), (o['resumed_from'], True, 0))
            os.unlink('f')


@test
def killed_twice_the_hash_is_continued_twice():
    with RangedFile(noise(8 * MIB)) as server:
        argv = ['--checksum', 'sha1=' + hashlib.sha1(server.data).hexdigest()]
        interrupted(server, 2 * MIB, *argv)
        first, _ = digest()
        interrupted(server, 2 * MIB, *argv)
        second, _ = digest()
        equal(first < second, True)
        r = get('--json', *argv, server.url)
        equal((r.status, object_of(r)['verified'], object_of(r)['reread']), (0, 'sha1', 0))


@test
def a_wrong_state_leads_to_the_right_verdict():
    """It has the right form and a right checksum in the journal. So the hash is wrong, and then the
    bytes decide."""
    with RangedFile(noise(4 * MIB)) as server:
        good = ['--checksum', 'sha256=' + hashlib.sha256(server.data).hexdigest()]
        bad = ['--checksum', 'sha256=' + '0' * 64]
        for argv, expected in ((good, (0, ['f'], 'sha256')), (bad, (4, ['f.bad'], None))):
            interrupted(server, 2 * MIB, *argv)
            change_states(lambda state: re.sub('=.', lambda m: '=1' if m[0] == '=0' else '=0', state))
            r = get('--json', *argv, server.url)
            equal((r.status, files(), object_of(r)['verified']), expected)
            equal(object_of(r)['reread'], len(server.data))
            equal(read(files()[0]) == server.data, True)
            os.unlink(files()[0])


@test
def a_part_that_another_program_has_changed_is_read_for_its_hash():
    with RangedFile(noise(4 * MIB)) as server:
        argv = ['--checksum', 'sha256=' + hashlib.sha256(server.data).hexdigest()]
        interrupted(server, 2 * MIB, *argv)
        part = parts()[0]
        with open(part, 'r+b') as f:
            f.write(bytes([server.data[0] ^ 1]))
        os.utime(part, (time.time() + 10,) * 2)
        r = get('--json', *argv, server.url)
        equal((r.status, files(), object_of(r)['reread']), (4, ['f.bad'], len(server.data)))


@test
def a_state_that_cannot_be_used_is_calculated_again():
    """It is of another version, of another form, or of another hash."""
    with RangedFile(noise(4 * MIB)) as server:
        good = ['--checksum', 'sha256=' + hashlib.sha256(server.data).hexdigest()]
        for change in (lambda s: s.replace('1 nettle', '2 nettle'), lambda s: s.replace('nettle-', 'nettle-9'),
                       lambda s: s.replace('sha256', 'sha1'), lambda s: s + '0', lambda s: s[:-1], lambda s: 'x',
                       lambda s: s.replace(',', ',' + '00' * 300)):
            interrupted(server, 2 * MIB, *good)
            change_states(change)
            r = get('--json', *good, server.url)
            o = object_of(r)
            equal((r.status, files(), o['verified']), (0, ['f'], 'sha256'))
            equal((o['reread'], o['resumed_from'] > MIB), (len(server.data), True))
            os.unlink('f')


@test
def a_state_of_more_bytes_than_are_there_ends_the_journal():
    with RangedFile(noise(4 * MIB)) as server:
        good = ['--checksum', 'sha256=' + hashlib.sha256(server.data).hexdigest()]
        interrupted(server, 2 * MIB, *good)
        _, state = digest()
        head = [r for r in records() if r.split()[0] not in ('done', 'digest')]
        write(parts()[0] + '.journal', lines_of(*head, 'done 0 %d' % MIB, 'digest %d %s' % (MIB + 1, state),
                                                'done %d %d' % (MIB, 2 * MIB)))
        o = object_of(get('--json', *good, server.url))
        equal((o['resumed_from'], o['verified']), (MIB, 'sha256'))


# Files that nothing explains


@test
def unexplained_parts_are_reported_and_removed_on_request():
    hidden = '.f.0a1b2c3d.part'
    with RangedFile(noise(4 * MIB)) as server:
        interrupted(server)
        kept = files()
        for name in ('g.00000000.part', hidden, 'h.11111111.part.journal', 'browser.part', 'k.1234567.part',
                     'K.ABCDEF01.part'):
            write(name, b'x')
        os.mkdir('dir.00000000.part')
        write('.busy.0a1b2c3d.part', b'x')  # another process may be writing it
        os.utime(hidden, (time.time(), time.time() - 601))
        r = get(server.url + '?1')
        contains(r.messages, 'g.00000000.part: a partial file without a journal; --clean removes it')
        contains(r.messages, hidden + ': a partial file without a journal; --clean removes it')
        contains(r.messages, 'h.11111111.part.journal: a journal without its partial file;')
        equal(r.messages.count('--clean'), 3)
        contains(get('--clean', server.url + '?2').messages, 'g.00000000.part: a partial file without a journal; removed')
        equal(files(), sorted(kept + ['f?1', 'f?2', 'browser.part', 'k.1234567.part', 'K.ABCDEF01.part',
                                      'dir.00000000.part', '.busy.0a1b2c3d.part']))
        equal(get(server.url).status, 0)
        equal(server.asked[-1].startswith('bytes='), True)


@test
def a_journal_without_a_part_is_removed_when_its_file_is_complete():
    """The process was killed after it had renamed the part; or someone has removed the part."""
    with RangedFile(noise(2 * MIB)) as server:
        def orphan(*argv):
            interrupted(server, MIB, *argv)
            os.unlink(parts()[0])
            equal([n[-13:] for n in files() if 'part' in n], ['.part.journal'])
        sums = ['--checksum', 'sha256=' + hashlib.sha256(server.data).hexdigest()]
        for argv in ([], ['--skip-existing'], ['-c'], ['-c', *sums], ['--no-continue'], ['--overwrite']):
            if os.path.exists('f'):
                os.unlink('f')
            orphan()
            if argv and argv[0] != '--no-continue':
                write('f', server.data)
            r = get(*argv, server.url)
            equal((argv, r.status, files()), (argv, 0, ['f']))
            equal('--clean' in r.messages, False)
        orphan('-o', 'f')
        os.mkdir('d')
        os.rename(files()[-1], 'd/' + files()[-1])
        equal((get('-o', 'd/f', server.url).status, files('d')), (0, ['f']))


@test
def a_journal_without_a_part_stays_if_its_file_does_not_come():
    with RangedFile(noise(2 * MIB)) as server:
        interrupted(server, MIB)
        os.unlink(parts()[0])
        before = files()
        r = get(server.url + '?2')
        equal(files(), sorted(before + ['f?2']))
        contains(r.messages, before[0] + ': a journal without its partial file; --clean removes it')
        contains(get('--clean', server.url + '?3').messages, before[0] + ': a journal without its partial file; removed')
        equal(files(), ['f?2', 'f?3'])


@test
def parts_in_use_are_not_removed():
    with RangedFile(noise(4 * MIB), rate=8 * MIB) as server:
        with running(GET, '--no-config', server.url) as child:
            wait_until(lambda: server.sent > MIB, what='progress')
            os.unlink(parts()[0] + '.journal')
            r = get('--clean', server.url + '?1')
            equal('removed' in r.messages, False)
            equal(child.wait(30), 0)
        equal(read('f') == server.data, True)


# Disks


def in_small_disk(size, script):
    """Runs a shell script on a new file system of that size, in a mount namespace."""
    if os.geteuid() != 0:
        raise Skip('needs root for a mount namespace')
    os.makedirs('disk', exist_ok=True)
    r = subprocess.run(['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=%d none disk && cd disk && {\n%s\n}' %
                        (size, script)], capture_output=True, timeout=120 * SCALE, text=True)
    if 'unshare' in r.stderr or 'mount:' in r.stderr:
        raise Skip('no mount namespaces here')
    return r


@test
def a_full_disk_keeps_what_was_written():
    data = noise(3 * MIB)
    write('expected', data)
    sizes = list(range(4096, 3 * MIB + 65536, 65536 if FULL else 397312))
    with RangedFile(data) as server:
        for size in sizes:
            r = in_small_disk(size, '''
{0} --no-config {1}; echo "first $?"; ls
mount -o remount,size=20M . ; cd .
{0} --no-config --json {1}; echo "second $?"; ls
cmp f ../expected && echo same'''.format(GET, server.url))
            first, second = r.stdout.split('first ')[1].split('second ')
            if size < 3 * MIB:
                equal(first.split()[0], '3')
                equal('f' in first.split()[1:], False)
                contains(r.stderr, 'no space left on device')
            second = re.sub('{.*}\n', '', second)
            equal(second.split(), ['0', 'f', 'same'] if first.split()[0] == '3' else ['0', 'f', 'f.1', 'same'])
            if MIB < size < 3 * MIB:
                contains(r.stderr, 'run again to continue')
                equal(json.loads(re.search('{.*}', r.stdout)[0])['resumed_from'] > 0, True)


@test
def a_limit_on_the_size_of_files_keeps_what_was_written():
    import resource
    data = noise(3 * MIB)
    with RangedFile(data) as server:
        r = get(server.url, preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)))
        equal((r.status, len(parts())), (3, 1))
        contains(r.messages, 'file too large (kept ')
        equal(get(server.url).status, 0)
        equal((read('f') == data, files()), (True, ['f']))


@test
def a_directory_that_vanishes_is_an_error():
    with RangedFile(noise(4 * MIB), rate=8 * MIB) as server:
        with running(GET, '--no-config', '-d', 'd', server.url) as child:
            wait_until(lambda: server.sent > MIB, what='progress')
            for name in files('d'):
                os.unlink('d/' + name)
            os.rmdir('d')
            _, err = child.communicate(timeout=30 * SCALE)
        equal(child.returncode, 3)
        contains(err.decode(), 'write d/f: no such file or directory')
        equal(files(), [])


# A real server


@test
def nginx_continues_a_killed_download():
    certificates = Certificates()
    nginx = Nginx(certificates)
    try:
        data = nginx.put('big', os.urandom(40 * MIB))
        os.utime(os.path.join(nginx.www, 'big'), (0, 1e9))
        for origin, argv in ((nginx.http, []), (nginx.https, ['--cacert', certificates.ca])):
            # The signal comes at any moment; a download that was faster has its name.
            for _ in range(3):
                with running(GET, '--no-config', '-q', '-o', 'f', *argv, origin + '/big') as child:
                    wait_until(lambda: parts() or child.poll() is not None, what='a part')
                    child.kill()
                r = get('--json', '-o', 'f', *argv, origin + '/big')
                equal((r.status, read('f') == data, files()), (0, True, ['f']))
                os.unlink('f')
    finally:
        nginx.stop()
        certificates.remove()


noise(4 * MIB)  # made once for all processes
main(at_once=4)
