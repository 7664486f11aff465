#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`models io` as users run it: the table, the pictures, the report in a browser, failures, and
Ctrl-C."""
import glob
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
from browser import Browser
from lib import (Peer, contains, equal, free_port, hang_after, main, not_found, reply, run, running, test,
                 wait_until)

MODELS = os.path.abspath(sys.argv[1])
NAMES = ['sequential', 'threads', 'tasks', 'processes']
# A slow machine may delay a test for any time, but no page may time out because of that.
PATIENT = ['--timeout', '1000']


def io(*argv, **kwargs):
    return run(MODELS, 'io', *PATIENT, *argv, **kwargs)


def rows(result):
    """Returns the rows of the table: model name -> the words after the name."""
    lines = [line.split() for line in result.out.decode().splitlines()]
    return {line[0]: line[1:] for line in lines if line and line[0] in NAMES}


def right(result):
    return [row[-1] for row in rows(result).values()]


def members(session):
    """Returns the processes of a session that have not ended: process id -> name."""
    found = {}
    for path in glob.glob('/proc/[0-9]*/stat'):
        try:
            with open(path) as f:
                number, rest = f.read().split(' (', 1)
        except OSError:
            continue
        name, rest = rest.rsplit(') ', 1)
        state, _, _, its_session = rest.split()[:4]
        if int(its_session) == session and state not in 'ZX':
            found[int(number)] = name
    return found


# --- it runs and checks itself --------------------------------------------------------------------


@test
def every_model_fetches_every_page_right():
    result = io('--sites', '3', '--pages', '5', '--latency', '2', '--threads', '4', '--processes', '3',
                '--per-site', '2', '--runs', '3')
    equal((result.status, result.messages), (0, ''))
    table = rows(result)
    equal(list(table), NAMES)
    equal([row[0] for row in table.values()], ['1', '4', '6', '3'])  # at once
    equal([row[2] for row in table.values()], ['0.03', '0.01', '0.01', '0.01'])  # expected
    equal(right(result), ['15/15'] * 4)
    equal(table['sequential'][1], '3')   # connections: one per site, which is kept
    equal(table['tasks'][1], '6')
    out = result.out.decode()
    contains(out, '15 pages of 3 sites, each answered after 2 ms; at most 2 connections to a site.')
    contains(out, 'medians of 3 runs.')
    contains(out, 'ceil(15 / 6) x 2 ms = 0.006 s')
    with open('/proc/sys/kernel/osrelease') as f:
        contains(out, 'Linux ' + f.read().strip())
    contains(out, '%d processor' % len(os.sched_getaffinity(0)))


@test
def without_options_it_is_160_pages_of_two_sites():
    text = run(MODELS, 'io', '--help').out.decode()
    for option, default in (('sites', 2), ('pages', 80), ('threads', 5), ('runs', 3),
                            ('processes', len(os.sched_getaffinity(0)))):
        equal(re.search(r'--%s N .*\((\d+)\)\n' % option, text)[1], str(default))


@test
def given_urls_are_fetched_by_every_model_as_often_as_asked():
    with Peer({'/one': reply(b'first'), '/two': reply(b'second' * 10000)}) as peer:
        result = io('--times', '3', '--runs', '2', '--processes', '2', peer.origin + '/one',
                    peer.origin + '/two')
        equal((result.status, result.messages), (0, ''))
        equal(right(result), ['6/6'] * 4)
        equal([row[2] for row in rows(result).values()], ['-'] * 4)  # the latency is unknown
        equal((peer.count('/one'), peer.count('/two')), (24, 24))


# --- pictures and the report ----------------------------------------------------------------------

SMALL = ['--pages', '6', '--latency', '5', '--threads', '3', '--processes', '2', '--per-site', '2',
         '--runs', '3']

# The elements that extend beyond the window and are not inside an element that scrolls.
BEYOND = """[...document.body.querySelectorAll('*')].filter(e =>
    e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('figure > div > *')
).map(e => e.outerHTML.slice(0, 200))"""

# For each diagram below the bars: its size, its text, and the heading of its section.
DIAGRAMS = """[...document.querySelectorAll('section figure svg')].map(e => {
    const box = e.getBoundingClientRect();
    return [box.width, box.height, e.textContent, e.closest('section').querySelector('h2').textContent];
})"""


def colours(page):
    style = 'getComputedStyle(document.body)'
    return [[int(n) for n in re.findall(r'\d+', page.evaluate('%s.%s' % (style, name)))[:3]]
            for name in ('backgroundColor', 'color')]


@test
def the_report_is_a_page_that_shows_four_diagrams_at_any_width():
    result = io(*SMALL, '--report', 'report.html')
    equal((result.status, result.messages), (0, ''))
    contains(result.out.decode(), '\nReport: report.html\n')
    with Browser() as browser:
        for width in (360, 1200):
            for dark in (False, True):
                page = browser.open('report.html', width, 800, dark)
                equal(page.complaints, [])
                equal(page.requests, ['file://' + os.path.abspath('report.html')])
                equal(page.evaluate('document.compatMode'), 'CSS1Compat')
                equal(page.evaluate('innerWidth'), width)
                equal(page.evaluate('document.scrollingElement.scrollWidth <= innerWidth'), True)
                equal(page.evaluate(BEYOND), [])
                diagrams = page.evaluate(DIAGRAMS)
                equal(len(diagrams), 4)
                for (name, row), (shown, high, text, heading) in zip(rows(result).items(), diagrams):
                    equal(shown > 300 and high > 60, True)
                    contains(text, name)
                    equal(heading, '%s: %s s' % (name, row[3]))  # the time that the table has
                background, text = colours(page)
                equal((max(background) < 80, min(text) > 150) if dark else
                      (min(background) > 200, max(text) < 100), (True, True))


@test
def the_report_says_what_was_measured_and_where():
    equal(io(*SMALL, '--report', 'report.html').status, 0)
    with open('report.html') as f:
        text = re.sub(r'\s+', ' ', re.sub(r'<[^>]+>', ' ', f.read().split('<body>')[1]))
    with open('/proc/sys/kernel/osrelease') as f:
        contains(text, 'Linux ' + f.read().strip())
    for part in ('The same 12 pages', 'From 2 sites, which delay each page by 5 ms', 'median of 3 runs',
                 'at most 2 connections to a site', '%d processor' % len(os.sched_getaffinity(0)),
                 'A pool of 3 threads', 'A task for each of the 12 pages', 'A pool of 2 processes',
                 '12 of 12 pages correct', '14.3', '3.7', '2.6', '5.7'):
        contains(text, part)


@test
def the_timeline_shows_the_models_under_each_other():
    equal(io(*SMALL, '--timeline', 'all.svg').status, 0)
    root = xml.etree.ElementTree.parse('all.svg').getroot()
    text = ' '.join(t.strip() for t in root.itertext())
    for name in NAMES + ['12 pages of 2 sites', 'thread 3', 'process 2']:
        contains(text, name)


@test
def a_high_timeline_is_scrolled_and_not_shrunk():
    equal(io(*SMALL, '--timeline', 'all.svg').status, 0)
    high = float(xml.etree.ElementTree.parse('all.svg').getroot().get('viewBox').split()[3])
    with Browser() as browser:
        page = browser.open('all.svg', 1200, int(high / 2), False)
        lane = "document.querySelector('rect.page').getBoundingClientRect()"
        equal((round(page.evaluate(lane + '.width')), round(page.evaluate(lane + '.height'))), (760, round(high)))


@test
def the_trace_has_a_lane_for_each_thread_task_and_process():
    equal(io(*SMALL, '--trace', 'trace.json').status, 0)
    with open('trace.json') as f:
        events = json.load(f)['traceEvents']
    names = {e['pid']: e['args']['name'] for e in events if e['name'] == 'process_name'}
    lanes = [names[e['pid']] for e in events if e['name'] == 'thread_name']
    equal([lanes.count(name) for name in NAMES], [1, 3, 1 + 12, 2])
    for number, name in names.items():  # each one computes and waits, and waits longer
        spent = {'computes': 0, 'waits': 0}
        for e in events:
            if e['ph'] == 'X' and e['pid'] == number:
                spent[e['name']] += e['dur']
        equal((name, spent['waits'] > spent['computes'] > 0), (name, True))


@test
def a_report_says_how_many_pages_were_right():
    with Peer({'/good': reply(b'good'), '/missing': not_found}) as peer:
        result = io('--report', 'r.html', peer.origin + '/good', peer.origin + '/missing')
        equal(result.status, 1)
        with open('r.html') as f:
            text = f.read()
        equal(text.count('1 of 2 pages correct'), 4)
        contains(text, 'the page that the first model received')


@test
def a_file_that_cannot_be_written_is_said_before_anything_is_downloaded():
    for option in ('--report', '--timeline', '--trace'):
        result = io(option, 'no-such-directory/file')
        equal((result.status, result.out), (1, b''))
        equal(result.messages, 'models: cannot write no-such-directory/file: No such file or directory\n')


@test
def a_directory_and_no_name_are_no_files():
    os.mkdir('directory')
    for path, complaint in (('directory', 'directory: Is a directory'), ('', "'': No such file or directory")):
        result = io('--report', path)
        equal((result.status, result.out), (1, b''))
        equal(result.messages, 'models: cannot write %s\n' % complaint)
    equal(os.listdir('.'), ['directory'])


@test
def a_picture_may_follow_the_table_on_standard_output():
    os.symlink('/proc/self/fd/1', 'link')
    with open('both', 'wb') as both:
        child = subprocess.run([MODELS, 'cpu', '--below', '10', '--runs', '1', '--timeline', 'link'],
                               stdout=both, timeout=600)
    equal((child.returncode, os.path.islink('link')), (0, True))
    with open('both') as f:
        table, svg = f.read().split('<svg ')
    contains(table, '80 of 80 sums agree')
    contains(svg, '</svg>')


@test
def what_a_link_leads_to_is_replaced_and_not_the_link():
    os.symlink('file', 'link')
    with open('file', 'w') as f:
        f.write('before')
    equal(run(MODELS, 'cpu', '--below', '10', '--runs', '1', '--trace', 'link').status, 0)
    equal(os.readlink('link'), 'file')
    with open('file') as f:
        contains(json.load(f)['otherData']['title'], 'squares')


@test
def a_report_that_the_disk_has_no_room_for_says_so():
    result = io(*SMALL, '--report', '/dev/full')
    equal(result.status, 1)
    equal(result.messages, 'models: cannot write /dev/full: No space left on device\n')


@test
def a_run_that_fails_leaves_no_files():
    url = 'http://127.0.0.1:%d/' % free_port()
    equal(io('--report', 'r.html', '--timeline', 't.svg', '--trace', 't.json', url).status, 1)
    equal(os.listdir('.'), [])


# --- failures -------------------------------------------------------------------------------------


@test
def wrong_arguments_are_refused_with_what_and_where():
    for argv, complaint in (
            (['--sites', '4'], "--sites needs a whole number from 1 to 3, not '4'"),
            (['--sites', '0'], "--sites needs a whole number from 1 to 3, not '0'"),
            (['--latency', 'x'], "--latency needs a whole number from 0 to 60000, not 'x'"),
            (['--latency', '5ms'], "not '5ms'"),
            (['--threads', '-1'], "--threads needs a whole number from 1 to 256, not '-1'"),
            (['--processes', ''], "not ''"),
            (['--runs', '99999999999999999999'], "not '99999999999999999999'"),
            (['--runs'], '--runs needs a value'),
            (['--nothing'], "there is no option '--nothing'"),
            (['-x'], "there is no option '-x'"),
            (['-xyz'], "there is no option '-x'"),
            (['--p', '3'], "there is no option '--p'"),  # pages, per-site or processes
            (['ftp://127.0.0.1/'], "'ftp://127.0.0.1/': "),
            (['nonsense'], "'nonsense': "),
            (['http://127.0.0.1:99999/'], "'http://127.0.0.1:99999/': ")):
        result = run(MODELS, 'io', *argv)
        equal((result.status, result.out), (2, b''))
        contains(result.messages, 'models io: ')
        contains(result.messages, complaint)
        contains(result.messages, '\nsee models io --help\n')


@test
def a_refused_page_is_told_and_ends_it():
    url = 'http://127.0.0.1:%d/page' % free_port()
    result = io(url, url + '2')
    equal(result.status, 1)
    contains(result.messages, 'sequential: %s: connect: ' % url)
    contains(result.messages, 'sequential: %s2: connect: ' % url)
    contains(result.messages, 'refused')
    contains(result.messages, 'no page was correct')
    equal(list(rows(result)), ['sequential'])


@test
def one_bad_page_among_good_ones_is_told_by_every_model():
    with Peer({'/good': reply(b'good'), '/missing': not_found,
               '/short': reply(b'short', length=100)}) as peer:
        result = io('--runs', '2', *(peer.origin + path for path in ('/good', '/missing', '/short')))
        equal(result.status, 1)
        equal(right(result), ['1/3'] * 4)
        for name in NAMES:
            contains(result.messages, '%s: %s/missing: status 404\n' % (name, peer.origin))
            contains(result.messages, '%s: %s/short: body: ' % (name, peer.origin))
        equal((result.messages.count('\n'), peer.count('/good')), (8, 4))  # no second run


@test
def a_page_that_changes_is_not_right():
    number = itertools.count()
    with Peer({'*': lambda c, r: reply(b'page %d' % next(number))(c, r)}) as peer:
        result = io('--runs', '1', peer.origin + '/')
        equal(result.status, 1)
        equal(right(result), ['1/1', '0/1'])
        contains(result.messages, 'threads: %s/: received 6 bytes, not the expected page' % peer.origin)


@test
def a_page_that_never_comes_times_out():
    with Peer({'*': hang_after(b'')}) as peer:
        result = run(MODELS, 'io', '--timeout', '1', peer.origin + '/')
        equal(result.status, 1)
        contains(result.messages, 'not finished within 1 s (total limit)')


@test
def a_silent_site_costs_ten_time_outs_and_no_more():
    with Peer({'*': hang_after(b'')}) as peer:
        result = run(MODELS, 'io', '--timeout', '1', '--times', '60', peer.origin + '/')
        equal(result.status, 1)
        equal(result.messages.count('not finished within 1 s (total limit)'), 10)
        contains(result.messages, 'sequential: 50 not tried: too many others failed\n')
        equal(len(peer.requests), 10)


def with_site(script, *argv):
    """Runs a copy of the program, which finds another `site` in its directory."""
    shutil.copy(MODELS, 'models')
    with open('site', 'w') as f:
        f.write('#!/bin/sh\n' + script)
    os.chmod('site', 0o755)
    return run(os.path.abspath('models'), 'io', *argv)


@test
def what_the_site_serves_is_checked_byte_by_byte():
    with running(os.path.join(os.path.dirname(MODELS), 'site'), '--latency', '0') as site:
        port = int(re.search(rb'listening on port (\d+)', site.stdout.readline())[1])
        connection = http.client.HTTPConnection('127.0.0.1', port)
        connection.request('GET', '/page-001.html', headers={'Host': 'one.localhost'})
        page = connection.getresponse().read()
        connection.close()
    other = page[:-2] + bytes([page[-2] ^ 1]) + page[-1:]
    for body, status, counts in ((page, 0, ['1/1'] * 4), (other, 1, ['0/1'])):
        with Peer({'/page-001.html': reply(body)}) as peer:
            result = with_site('echo listening on port %d; exec sleep 1000' % peer.port, '--sites', '1',
                               '--pages', '1')
        equal((result.status, right(result)), (status, counts))
        contains(result.messages, '' if body is page else
                 '/page-001.html: received %d bytes, not the expected page\n' % len(page))


@test
def a_site_that_does_not_start_is_told():
    for script, why in (('exit 1', ''), ('echo hello', '')):
        result = with_site(script)
        equal((result.status, result.out), (1, b''))
        contains(result.messages, 'models io: the site did not start')
    os.remove('site')
    result = run(os.path.abspath('models'), 'io')
    equal(result.status, 1)
    contains(result.messages, 'site: No such file or directory')


@test
def many_failures_are_counted_and_not_all_listed():
    with Peer({'*': not_found}) as peer:
        result = io('--times', '30', '--runs', '1', peer.origin + '/')
        equal((result.status, result.messages.count('status 404\n')), (1, 10))
        contains(result.messages, '\nsequential: 20 more failed\n')
        contains(result.messages, 'no page was correct')


@test
def a_model_that_is_killed_has_no_time():
    count = itertools.count()

    # The second page never arrives, so the model waits for it until it is killed.
    def route(connection, request):
        (hang_after(b'', 1000) if next(count) == 1 else reply(b'page'))(connection, request)
    with Peer({'*': route}) as peer, \
            running(MODELS, 'io', *PATIENT, '--runs', '1', '--times', '3', '--report', 'r.html',
                    peer.origin + '/') as child:
        wait_until(lambda: peer.count('/') == 2, seconds=60, what='the second page')
        os.kill(children(child.pid)[0], signal.SIGKILL)
        out, err = child.communicate(timeout=600)
        equal((child.returncode, err.decode()), (1, (
            'sequential: ended by signal 9\n'
            'sequential: %s/: in flight when the model ended\n'
            'sequential: 1 not tried: the model ended early\n') % peer.origin))
        table = {line.split()[0]: line.split()[1:] for line in out.decode().splitlines() if line}
        equal([table['sequential'][n] for n in (2, 3, 4, 5, 7)], ['-', '-', '-', '-', '1/3'])
        equal([table['tasks'][n] for n in (5, 7)], ['-', '3/3'])  # there is no time to compare with
    with open('r.html') as f:
        text = f.read()
    contains(text, '<h2>sequential: it did not end</h2>')
    equal(('inf' in text.split('<h2>How')[1], 'nan' in text.split('<h2>How')[1]), (False, False))


@test
def a_site_that_is_killed_fails_its_pages():
    with running(MODELS, 'io', *PATIENT, '--latency', '60000', start_new_session=True) as child:
        def site():
            return [pid for pid, name in members(child.pid).items() if name == 'site']
        wait_until(lambda: site() and len(members(child.pid)) > 2, what='the site and a model')
        os.kill(site()[0], signal.SIGKILL)
        out, err = child.communicate(timeout=600)
        equal(child.returncode, 1)
        contains(err.decode(), 'sequential: http://one.localhost:')
        contains(err.decode(), 'connection refused')
        contains(err.decode(), ' not tried: too many others failed')
        equal(members(child.pid), {})


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
        return [int(child) for child in f.read().split()]


@test
def a_worker_that_is_killed_costs_its_page_only():
    count, released = itertools.count(), threading.Event()

    # The first two pages of the last model wait until one worker is dead.
    def route(connection, request):
        if next(count) >= 12:
            released.wait(600)
        reply(b'page')(connection, request)
    with Peer({'*': route}) as peer, \
            running(MODELS, 'io', *PATIENT, '--runs', '1', '--processes', '2', '--times', '4',
                    peer.origin + '/', start_new_session=True) as child:
        wait_until(lambda: peer.count('/') == 14, seconds=60, what='a page asked for by each worker')
        server = children(children(child.pid)[0])[0]
        os.kill(children(server)[0], signal.SIGKILL)
        released.set()
        out, err = child.communicate(timeout=600)
        equal((child.returncode, err.decode().count('\n')), (1, 2))
        contains(err.decode(), 'processes: %s/: worker: the worker process died\n' % peer.origin)
        equal(out.decode().splitlines()[-1].split()[-1], '3/4')


@test
def a_process_that_is_killed_is_told_by_the_other_commands_too():
    for argv in (['spinner', '--ms', '2000', 'process'],
                 ['cpu', '--below', '1000000000', '--count', '1', '--processes', '1', '--runs', '1']):
        with running(MODELS, *argv) as child:
            wait_until(lambda: children(child.pid), seconds=60, what='its process')
            os.kill(children(child.pid)[0], signal.SIGKILL)
            out, err = child.communicate(timeout=600)
        equal((child.returncode, err.decode()), (1, 'models %s: %s: the worker process died\n' % (
            argv[0], 'process' if argv[0] == 'spinner' else 'processes')))


@test
def output_that_nobody_takes_is_a_failure():
    reads, writes = os.pipe()
    os.close(reads)
    for argv in (['io', *PATIENT, '--pages', '1', '--latency', '0', '--runs', '1'], ['--help']):
        child = subprocess.run([MODELS, *argv], stdout=writes, stderr=subprocess.PIPE, timeout=600)
        equal((child.returncode, child.stderr), (1, b'models: cannot write the output\n'))
    os.close(writes)


# --- no process is left ---------------------------------------------------------------------------


def ends_with(child, number):
    os.kill(child.pid, number)
    child.wait(600)
    equal(child.returncode, -number)
    wait_until(lambda: not members(child.pid), seconds=30, what='the end of all processes')


@test
def signals_end_the_site_and_the_model_too():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with running(MODELS, 'io', *PATIENT, '--latency', '60000', start_new_session=True) as child:
            wait_until(lambda: len(members(child.pid)) > 2, what='the site and a model')
            ends_with(child, number)


@test
def signals_end_a_pool_of_processes():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        count = itertools.count()

        def route(connection, request):  # answers only the first three models
            (reply(b'page') if next(count) < 6 else hang_after(b'', 1000))(connection, request)
        with Peer({'*': route}) as peer, \
                running(MODELS, 'io', *PATIENT, '--runs', '1', '--processes', '2', '--times', '2',
                        peer.origin + '/', start_new_session=True) as child:
            # The program, the model, the server that forks the workers, and two workers.
            wait_until(lambda: len(members(child.pid)) == 5 and peer.count('/') == 8,
                       what='a page asked for by each worker')
            ends_with(child, number)


@test
def at_its_end_it_has_left_no_process():
    with running(MODELS, 'io', *PATIENT, '--pages', '2', '--latency', '1', start_new_session=True) as child:
        child.communicate(timeout=600)
        equal((child.returncode, members(child.pid)), (0, {}))


if __name__ == '__main__':
    main()
