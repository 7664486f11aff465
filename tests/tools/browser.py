# SPDX-License-Identifier: MIT
"""A headless Chromium that is controlled over a pipe (DevTools protocol), without any network.

    with Browser() as browser:
        page = browser.open('/path/of/page.html', width=360, height=800, dark=True)
        equal(page.evaluate('document.title'), 'A page')
        equal(page.complaints, [])
"""
import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

from lib import SCALE, Skip

# No sandbox: it needs rights that root does not have in a container, and the pages are our own.
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--disable-default-apps', '--disable-extensions', '--disable-breakpad', '--hide-scrollbars',
         '--host-resolver-rules=MAP * ~NOTFOUND', '--remote-debugging-pipe']


class Browser:
    def __init__(self):
        program = shutil.which('chromium')
        if not program:
            if os.environ.get('CI') == 'true':
                raise AssertionError('chromium is not installed')
            raise Skip('chromium is not installed')
        self.directory = tempfile.mkdtemp(prefix='whorl-test-')
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()
        # Chromium reads from descriptor 3 and writes to 4, so these must have other numbers.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_read, back_write)]
        self.log = open(os.path.join(self.directory, 'log'), 'wb')
        self.child = subprocess.Popen(
            ['bash', '-c', 'exec "$@" 3<&%d 4>&%d' % tuple(ends), 'bash', program, *FLAGS,
             '--user-data-dir=' + os.path.join(self.directory, 'profile'), 'about:blank'],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, pass_fds=ends,
            start_new_session=True,
            env={**os.environ, 'HOME': self.directory, 'XDG_CONFIG_HOME': self.directory})
        for fd in (to_read, back_write, *ends):
            os.close(fd)
        self.number, self.buffer, self.events = 0, b'', []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.send('Browser.close')
            self.child.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self.child.pid, signal.SIGKILL)  # the group has only its processes
        except ProcessLookupError:
            pass
        self.child.wait()
        os.close(self.to)
        os.close(self.back)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def send(self, method, session=None, **params):
        self.number += 1
        message = {'id': self.number, 'method': method, 'params': params}
        if session:
            message['sessionId'] = session
        os.write(self.to, json.dumps(message).encode() + b'\0')
        return self.number

    def receive(self, until):
        while b'\0' not in self.buffer:
            left = until - time.monotonic()
            part = b''
            if left > 0 and select.select([self.back], [], [], left)[0]:
                part = os.read(self.back, 1 << 20)
            if not part:
                with open(self.log.name, errors='replace') as log:
                    raise AssertionError('chromium does not answer; it said:\n' + log.read()[-2000:])
            self.buffer += part
        message, self.buffer = self.buffer.split(b'\0', 1)
        return json.loads(message)

    def call(self, method, session=None, **params):
        number = self.send(method, session, **params)
        until = time.monotonic() + 60 * SCALE
        while True:
            message = self.receive(until)
            if message.get('id') == number:
                if 'error' in message:
                    raise AssertionError('%s: %s' % (method, message['error']))
                return message['result']
            self.events.append(message)

    def open(self, path, width, height, dark=False):
        return Page(self, path, width, height, dark)


class Page:
    """A loaded file. `complaints` contains the messages of the console and the log, `requests` the
    URLs that the page has requested."""

    def __init__(self, browser, path, width, height, dark):
        self.browser = browser
        target = browser.call('Target.createTarget', url='about:blank')['targetId']
        self.session = browser.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Log', 'Runtime', 'Network'):
            self.call(domain + '.enable')
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call('Emulation.setEmulatedMedia',
                  features=[{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])
        failure = self.call('Page.navigate', url='file://' + os.path.abspath(path)).get('errorText')
        if failure:
            raise AssertionError('%s: %s' % (path, failure))
        until = time.monotonic() + 60 * SCALE
        while not any(e.get('method') == 'Page.loadEventFired' for e in self.mine()):
            browser.events.append(browser.receive(until))
        self.evaluate('1')  # its reply comes after all messages about the load
        self.complaints = [str(e['params']) for e in self.mine() if e['method'] in
                           ('Log.entryAdded', 'Runtime.exceptionThrown', 'Runtime.consoleAPICalled')]
        self.requests = [e['params']['request']['url'] for e in self.mine()
                         if e['method'] == 'Network.requestWillBeSent']

    def mine(self):
        return [e for e in self.browser.events if e.get('sessionId') == self.session]

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def evaluate(self, expression):
        result = self.call('Runtime.evaluate', expression=expression, returnByValue=True)
        if 'exceptionDetails' in result:
            raise AssertionError('%s: %s' % (expression, result['exceptionDetails']))
        return result['result'].get('value')

    def screenshot(self, path):
        """Saves the whole page as PNG, for people."""
        picture = self.call('Page.captureScreenshot', captureBeyondViewport=True)
        with open(path, 'wb') as f:
            f.write(base64.b64decode(picture['data']))
