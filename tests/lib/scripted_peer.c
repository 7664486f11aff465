/* SPDX-License-Identifier: MIT */
/* A TCP server that follows a script byte by byte, correctly or incorrectly. */
#include "scripted_peer.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports.h"
#include "test.h"

enum { CONNS_MAX = 4096, RECEIVED_MAX = 16 << 20 };

struct conn {
    struct scripted_peer *peer;
    const struct peer_step *steps;
    pthread_t thread;
    int fd; /* -1 once closed; protected by the peer's lock */
    char *received;
    char *shown; /* the copy that peer_received() has returned last */
    size_t received_len;
    size_t consumed; /* number of received bytes that the script's steps have used */
};

struct scripted_peer {
    pthread_t thread;
    pthread_mutex_t lock;
    int listen_fd;
    int stop_fds[2]; /* readable when the peer must stop */
    uint16_t port;
    const struct peer_step *next;
    struct conn *conns[CONNS_MAX];
    int conns_count, open_count;
};

static bool ends_part(const struct peer_step *step)
{
    return step->action == PEER_ACTION_END || step->action == PEER_ACTION_RESET ||
           step->action == PEER_ACTION_CLOSE || step->action == PEER_ACTION_HANG;
}

/* Waits for events or the stop. Returns false on the stop. */
static bool ready(struct conn *conn, short events, int wait_ms, short *ret_events)
{
    struct pollfd fds[2] = {{.fd = conn->fd, .events = events},
                            {.fd = conn->peer->stop_fds[0], .events = POLLIN}};
    poll(fds, 2, wait_ms);
    if (ret_events)
        *ret_events = fds[0].revents;
    return !fds[1].revents;
}

/* Receives once. Returns false when the client or the test has ended. */
static bool receive(struct conn *conn)
{
    char buf[16384];

    if (!ready(conn, POLLIN, -1, NULL))
        return false;
    ssize_t n = recv(conn->fd, buf, sizeof buf, 0);
    if (n <= 0)
        return false;
    pthread_mutex_lock(&conn->peer->lock);
    /* Too much to keep: only counted as consumed. */
    if (conn->received_len + (size_t)n > RECEIVED_MAX) {
        conn->received_len = conn->consumed = 0;
    }
    conn->received = realloc(conn->received, conn->received_len + (size_t)n + 1);
    memcpy(conn->received + conn->received_len, buf, (size_t)n);
    conn->received_len += (size_t)n;
    conn->received[conn->received_len] = '\0';
    pthread_mutex_unlock(&conn->peer->lock);
    return true;
}

static bool read_until(struct conn *conn, const char *text, size_t len)
{
    for (;;) {
        size_t have = conn->received_len - conn->consumed;
        const char *found = NULL;
        if (have >= len)
            found = memmem(conn->received + conn->consumed, have, text, len);
        if (found) {
            conn->consumed = (size_t)(found - conn->received) + len;
            return true;
        }
        if (!receive(conn))
            return false;
    }
}

static bool read_count(struct conn *conn, size_t count)
{
    while (conn->received_len - conn->consumed < count)
        if (!receive(conn))
            return false;
    conn->consumed += count;
    return true;
}

/* Sends all bytes. Meanwhile it reads what the client sends, so that neither side blocks. */
static bool send_all(struct conn *conn, const char *data, size_t len)
{
    bool reads = true; /* false once the client has half-closed; it may still want to read */

    while (len > 0) {
        short events;
        if (!ready(conn, reads ? POLLOUT | POLLIN : POLLOUT, -1, &events))
            return false;
        if (events & POLLIN && reads)
            reads = receive(conn);
        if (events & (POLLOUT | POLLERR | POLLHUP)) {
            ssize_t n = send(conn->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && errno != EAGAIN)
                return false;
            if (n > 0) {
                data += n;
                len -= (size_t)n;
            }
        }
    }
    return true;
}

static bool send_step(struct conn *conn, const struct peer_step *step)
{
    size_t chunk = step->chunk ? step->chunk : step->len;
    uint64_t times = step->repeat ? step->repeat : 1;

    for (uint64_t i = 0; i < times; i++)
        for (size_t at = 0; at < step->len; at += chunk) {
            size_t n = step->len - at < chunk ? step->len - at : chunk;
            if (!send_all(conn, step->data + at, n))
                return false;
            if (step->pause_ms && !ready(conn, 0, step->pause_ms, NULL))
                return false;
        }
    return true;
}

/* Executes one step. Returns false when the rest of the part must be skipped. */
static bool follow(struct conn *conn, const struct peer_step *step)
{
    struct linger linger = {.l_onoff = 1};

    switch (step->action) {
    case PEER_ACTION_READ_UNTIL:
        return read_until(conn, step->data, step->len);
    case PEER_ACTION_READ:
        return read_count(conn, step->len);
    case PEER_ACTION_SEND:
        return send_step(conn, step);
    case PEER_ACTION_PAUSE:
        return ready(conn, 0, step->pause_ms, NULL);
    case PEER_ACTION_FIN:
        shutdown(conn->fd, SHUT_WR);
        return true;
    case PEER_ACTION_RESET:
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        return false;
    case PEER_ACTION_CLOSE:
        shutdown(conn->fd, SHUT_WR);
        __attribute__((fallthrough)); /* with unread bytes, close() would send a reset */
    case PEER_ACTION_HANG:
    case PEER_ACTION_END:
        while (receive(conn))
            ;
        return false;
    }
    return false;
}

static void *serve(void *arg)
{
    struct conn *conn = arg;

    for (const struct peer_step *step = conn->steps; follow(conn, step); step++)
        ;
    pthread_mutex_lock(&conn->peer->lock);
    close(conn->fd);
    conn->fd = -1;
    conn->peer->open_count--;
    pthread_mutex_unlock(&conn->peer->lock);
    return NULL;
}

/* The part of the script for the next connection. */
static const struct peer_step *take_part(struct scripted_peer *peer)
{
    const struct peer_step *part = peer->next, *end = part;

    while (!ends_part(end))
        end++;
    if (end->action != PEER_ACTION_END && end[1].action != PEER_ACTION_END)
        peer->next = end + 1;
    return part;
}

static void *accept_all(void *arg)
{
    struct scripted_peer *peer = arg;

    for (;;) {
        struct pollfd fds[2] = {{.fd = peer->listen_fd, .events = POLLIN},
                                {.fd = peer->stop_fds[0], .events = POLLIN}};
        poll(fds, 2, -1);
        if (fds[1].revents)
            return NULL;
        int fd = accept4(peer->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        struct conn *conn = calloc(1, sizeof *conn);
        *conn = (struct conn){.peer = peer, .fd = fd, .steps = take_part(peer)};
        pthread_mutex_lock(&peer->lock);
        if (peer->conns_count == CONNS_MAX ||
            pthread_create(&conn->thread, NULL, serve, conn) != 0) {
            close(fd);
            free(conn);
        } else {
            peer->conns[peer->conns_count++] = conn;
            peer->open_count++;
        }
        pthread_mutex_unlock(&peer->lock);
    }
}

static void stop_at_end(void *arg)
{
    peer_stop(arg);
}

struct scripted_peer *peer_start(const struct peer_step *script)
{
    struct scripted_peer *peer = calloc(1, sizeof *peer);
    sigset_t all, before;

    peer->next = script;
    pthread_mutex_init(&peer->lock, NULL);
    peer->listen_fd = port_listen(&peer->port);
    if (pipe2(peer->stop_fds, O_CLOEXEC) != 0)
        test_fail(__FILE__, __LINE__, "pipe: %s", strerror(errno));
    /* Signals are for the thread under test. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&peer->thread, NULL, accept_all, peer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        test_fail(__FILE__, __LINE__, "pthread_create: %s", strerror(err));
    test_at_end(stop_at_end, peer);
    return peer;
}

uint16_t peer_port(const struct scripted_peer *peer)
{
    return peer->port;
}

int peer_connections(struct scripted_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    int count = peer->conns_count;
    pthread_mutex_unlock(&peer->lock);
    return count;
}

int peer_open(struct scripted_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    int count = peer->open_count;
    pthread_mutex_unlock(&peer->lock);
    return count;
}

void peer_wait_connections(struct scripted_peer *peer, int count)
{
    for (int i = 0; i < 1000 * test_timeout_scale() && peer_connections(peer) < count; i++)
        poll(NULL, 0, 5);
    if (peer_connections(peer) < count)
        test_fail(__FILE__, __LINE__, "the peer has accepted %d connections, expected %d",
                  peer_connections(peer), count);
}

void peer_wait_open(struct scripted_peer *peer, int count)
{
    for (int i = 0; i < 1000 * test_timeout_scale() && peer_open(peer) > count; i++)
        poll(NULL, 0, 5);
    if (peer_open(peer) > count)
        test_fail(__FILE__, __LINE__, "%d connections are still open, expected %d", peer_open(peer),
                  count);
}

const char *peer_received(struct scripted_peer *peer, int index, size_t *ret_len)
{
    pthread_mutex_lock(&peer->lock);
    if (index >= peer->conns_count)
        test_fail(__FILE__, __LINE__, "there was no connection %d", index);
    struct conn *conn = peer->conns[index];
    size_t len = conn->received ? conn->received_len : 0;
    /* A copy, because the connection's thread may be receiving more. */
    char *text = realloc(conn->shown, len + 1);
    if (!text)
        test_fail(__FILE__, __LINE__, "out of memory");
    if (len > 0)
        memcpy(text, conn->received, len);
    text[len] = '\0';
    conn->shown = text;
    if (ret_len)
        *ret_len = len;
    pthread_mutex_unlock(&peer->lock);
    return text;
}

void peer_stop(struct scripted_peer *peer)
{
    test_not_at_end(peer);
    close(peer->stop_fds[1]); /* makes stop_fds[0] readable for every thread */
    pthread_join(peer->thread, NULL);
    for (int i = 0; i < peer->conns_count; i++) {
        pthread_join(peer->conns[i]->thread, NULL);
        free(peer->conns[i]->received);
        free(peer->conns[i]->shown);
        free(peer->conns[i]);
    }
    close(peer->listen_fd);
    close(peer->stop_fds[0]);
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}
