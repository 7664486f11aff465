# SPDX-License-Identifier: MIT
"""A server of one file that knows ranges, and that lies, stops or slows down on request.

    ranged.py MIB MIB_PER_SECOND    serve a file of that size, with that limit for each connection,
                                    and print its URL and its SHA-256; runs until it is killed
"""
import hashlib
import random
import re
import select
import socket
import struct
import sys
import threading
import time

from lib import Peer, wait_until


def is_open(connection):
    """Whether the client has not closed the connection yet. It sends nothing after its request."""
    try:
        return not select.select([connection], [], [], 0)[0]
    except (OSError, ValueError):
        return False


class RangedFile:
    """Serves `data` under every path. Set the attributes to misbehave. `sent` counts the bytes of
    bodies, and `asked` has the Range header of each request, or None."""

    def __init__(self, data, etag='"one"', modified=None, rate=0):
        self.data, self.etag, self.modified, self.rate = data, etag, modified, rate
        self.cuts = []           # for each of the next responses: reset after this many body bytes
        self.knows_ranges = True
        self.head = None         # (request, start, end) -> head of a 206, instead of the right one
        self.body = None         # (start, end) -> body bytes, instead of the right ones
        self.rates = []          # for each of the next responses: its rate, instead of `rate`
        self.total_rate = 0      # of all responses together
        self.hold = None         # send no more when `sent` is that much, until the client closes
        self.holds = []          # for each of the next responses: send that many body bytes, or all
        self.before_head = None  # (connection), called before each response
        self.after_first = None  # called once, before the first response is sent
        self.status = None       # the answer to each request with a range, as (status, headers)
        self.sent, self.asked, self.lock = 0, [], threading.Lock()
        self.connections = set()
        self.active = 0      # responses that are being sent
        self.active_max = 0  # connections that were open at once
        self.free_at = 0  # when the link has room for the next bytes
        self.peer = Peer({'*': self.serve})
        self.url = self.peer.origin + '/f'

    def __enter__(self):
        self.peer.__enter__()
        return self

    def __exit__(self, *details):
        self.peer.__exit__(*details)

    def settle(self):
        """Waits until no response is being sent."""
        wait_until(lambda: self.active == 0, what='the end of all responses')

    def forget(self):
        """Counts from 0 again."""
        self.settle()
        self.sent = 0

    def lines(self):
        lines = 'Connection: close\r\n'
        if self.etag:
            lines += 'ETag: %s\r\n' % self.etag
        if self.modified:
            lines += 'Last-Modified: %s\r\nDate: Sun, 06 Nov 2016 08:49:37 GMT\r\n' % self.modified
        return lines

    def serve(self, connection, request):
        wanted = request.headers.get('range')
        with self.lock:
            self.asked.append(wanted)
            self.active += 1
            self.connections.add(connection)
            self.active_max = max(sum(map(is_open, self.connections)), self.active_max)
            cut = self.cuts.pop(0) if self.cuts else None
            rate = self.rates.pop(0) if self.rates else self.rate
            hold = self.holds.pop(0) if self.holds else None
        try:
            if self.before_head:
                self.before_head(connection)
            self.answer(connection, request, wanted, cut, rate, hold)
        finally:
            with self.lock:
                self.active -= 1
                self.connections.discard(connection)

    def answer(self, connection, request, wanted, cut, rate, hold):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        length = len(self.data)
        start, end = 0, length
        match = re.fullmatch(r'bytes=(\d+)-(\d*)', wanted or '')
        condition = request.headers.get('if-range')
        if match and self.status:
            status, headers = self.status
            connection.sendall(b'HTTP/1.1 %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n' %
                               (status.encode(), headers.encode()))
            return
        if match and self.knows_ranges and condition in (None, self.etag, self.modified):
            start = int(match[1])
            end = min(int(match[2]) + 1 if match[2] else length, length)
            if start >= length:
                connection.sendall(b'HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */%d\r\n'
                                   b'Content-Length: 0\r\nConnection: close\r\n\r\n' % length)
                return
            head = ('HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\n'
                    'Content-Length: %d\r\n%s\r\n' % (start, end - 1, length, end - start, self.lines())
                    ).encode()
            if self.head:
                head = self.head(request, start, end)
        else:
            head = ('HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n' % (length, self.lines())).encode()
        data = self.body(start, end) if self.body else self.data[start:end]
        with self.lock:
            after, self.after_first = self.after_first, None
        if after:
            after()
        connection.sendall(head)
        self.send(connection, data[:hold], cut, rate)
        if hold is not None:
            select.select([connection], [], [], 30)  # until the client closes it

    def send(self, connection, body, cut, rate):
        begun, done = time.monotonic(), 0
        step = 16384
        body = memoryview(body)[:cut]
        while done < len(body):
            if self.hold is not None and self.sent >= self.hold:
                select.select([connection], [], [], 30)  # until the client closes it
                return
            n = connection.send(body[done:done + step])
            done += n
            with self.lock:
                self.sent += n
            now = time.monotonic()
            wait = begun + done / rate - now if rate else 0
            if self.total_rate:
                with self.lock:
                    self.free_at = max(self.free_at, now - 0.05) + n / self.total_rate
                    wait = max(wait, self.free_at - now)
            if wait > 0:
                time.sleep(wait)
        if cut is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def serve(size, rate):
    data = random.Random(1).randbytes(size << 20)
    with RangedFile(data, rate=rate << 20) as server:
        print(server.peer.origin + '/large', hashlib.sha256(data).hexdigest(), flush=True)
        while True:
            time.sleep(60)


if __name__ == '__main__':
    serve(int(sys.argv[1]), int(sys.argv[2]))
