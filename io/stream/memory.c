/* SPDX-License-Identifier: MIT */
/* Streams in memory: a ring buffer for each direction, and a channel of connections to accept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/chan.h>
#include <whorl/memory.h>
#include <whorl/park.h>
#include <whorl/sync.h>
#include <whorl/task.h>
#include <whorl/timer.h>

#include "runtime/base/check.h"

enum { CAPACITY_DEFAULT = 65536, BACKLOG = 128 };

/* Bytes that were written together and have not arrived yet. */
struct packet {
    size_t len;
    int64_t due_ns;
};

/* One direction. The bytes in the ring have arrived, or belong to the packets, in this order. */
struct direction {
    char *ring;
    size_t start, len, size;
    size_t arrived; /* of the `len` bytes; all of them if there is no latency */
    struct packet *packets;
    size_t packets_first, packets_count, packets_size;
    int64_t latency_ns, end_due_ns;
    size_t read_max;
    bool ended;  /* the writer has closed its side */
    bool unread; /* the reader has closed its side */
    struct whorl_wait_queue readers, writers;
    struct whorl_stream_wait *wait; /* of a select; NULL: none */
    struct whorl_timer timer;       /* for `wait`: armed while something is on its way */
};

struct end {
    struct whorl_stream stream;
    struct direction *in, *out;
    bool reading, writing; /* a task is in read() or writev() */
    struct memory_pair *pair;
};

struct memory_pair {
    struct end ends[2];
    struct direction directions[2];
    int open; /* ends that are not closed */
};

static void wake_all(struct whorl_wait_queue *queue)
{
    while (whorl_wait_queue_wake_one(queue, 0))
        ;
}

/* --- one direction ---------------------------------------------------------------------------- */

static bool direction_init(struct direction *d, const struct whorl_memory_options *options)
{
    d->size = options->capacity ? options->capacity : CAPACITY_DEFAULT;
    d->read_max = options->read_max;
    d->latency_ns = options->latency_ns;
    d->ring = malloc(d->size);
    return d->ring != NULL;
}

static void direction_finish(struct direction *d)
{
    free(d->ring);
    free(d->packets);
}

/* Counts the packets that have arrived by now. */
static void receive_packets(struct direction *d)
{
    if (d->latency_ns == 0)
        d->arrived = d->len;
    for (; d->packets_count > 0; d->packets_count--, d->packets_first++) {
        const struct packet *first = &d->packets[d->packets_first];
        if (first->due_ns > whorl_now())
            return;
        d->arrived += first->len;
    }
    d->packets_first = 0;
}

/* The instant at which the reader has something to read next, as far as known. */
static int64_t readable_at(struct direction *d)
{
    receive_packets(d);
    if (d->arrived > 0)
        return 0;
    if (d->len > 0)
        return d->packets[d->packets_first].due_ns;
    return d->ended ? d->end_due_ns : WHORL_FOREVER;
}

static void fire(struct whorl_timer *timer);

/* Called when something was written, or has arrived: serves a select that waits for it. */
static void serve_wait(struct direction *d)
{
    struct whorl_stream_wait *wait = d->wait;
    int64_t at_ns = wait ? readable_at(d) : WHORL_FOREVER;

    if (at_ns == WHORL_FOREVER)
        return;
    if (at_ns > whorl_now()) {
        whorl_timer_arm(&d->timer, at_ns, fire);
        return;
    }
    whorl_timer_disarm(&d->timer);
    d->wait = NULL;
    wait->ready(wait, 0);
}

static void fire(struct whorl_timer *timer)
{
    serve_wait(container_of(timer, struct direction, timer));
}

static int add_packet(struct direction *d, size_t len)
{
    if (d->packets_first > 0 && d->packets_first + d->packets_count == d->packets_size) {
        memmove(d->packets, d->packets + d->packets_first, d->packets_count * sizeof *d->packets);
        d->packets_first = 0;
    }
    if (d->packets_count == d->packets_size) {
        size_t size = d->packets_size ? 2 * d->packets_size : 8;
        struct packet *packets = realloc(d->packets, size * sizeof *packets);
        if (!packets)
            return -ENOMEM;
        d->packets = packets;
        d->packets_size = size;
    }
    d->packets[d->packets_first + d->packets_count++] =
        (struct packet){len, whorl_after(d->latency_ns)};
    return 0;
}

/* Waits until bytes or the end have arrived. Returns 0 or an error. */
static WHORL_SUSPENDS int wait_for_input(struct direction *d)
{
    int err = whorl_check_cancelled();

    while (err == 0) {
        receive_packets(d);
        if (d->arrived > 0)
            return 0;
        if (d->len > 0)
            err = whorl_sleep_until(d->packets[d->packets_first].due_ns);
        else if (!d->ended)
            err = (int)whorl_wait_queue_park(&d->readers, "bytes of a memory stream");
        else if (d->end_due_ns > whorl_now())
            err = whorl_sleep_until(d->end_due_ns);
        else
            return 0;
    }
    return err;
}

static size_t take(struct direction *d, char *buf, size_t len)
{
    size_t n = d->arrived < len ? d->arrived : len;

    if (d->read_max > 0 && n > d->read_max)
        n = d->read_max;
    size_t before_wrap = d->size - d->start < n ? d->size - d->start : n;
    memcpy(buf, d->ring + d->start, before_wrap);
    memcpy(buf + before_wrap, d->ring, n - before_wrap);
    d->start = (d->start + n) % d->size;
    d->len -= n;
    d->arrived -= n;
    wake_all(&d->writers);
    return n;
}

/* Writes what fits. Returns the count or a negative code. */
static ssize_t put(struct direction *d, const char *buf, size_t len)
{
    size_t n = d->size - d->len < len ? d->size - d->len : len;
    size_t at = (d->start + d->len) % d->size;
    size_t before_wrap = d->size - at < n ? d->size - at : n;

    if (n > 0 && d->latency_ns > 0) {
        int err = add_packet(d, n);
        if (err)
            return err;
    }
    memcpy(d->ring + at, buf, before_wrap);
    memcpy(d->ring, buf + before_wrap, n - before_wrap);
    d->len += n;
    wake_all(&d->readers);
    serve_wait(d);
    return (ssize_t)n;
}

static WHORL_SUSPENDS int write_part(struct direction *d, const char *buf, size_t len)
{
    int err = whorl_check_cancelled();

    while (err == 0) {
        if (d->unread || d->ended)
            return -EPIPE;
        ssize_t n = put(d, buf, len);
        if (n < 0)
            return (int)n;
        buf += n;
        len -= (size_t)n;
        if (len == 0)
            return 0;
        err = (int)whorl_wait_queue_park(&d->writers, "room in a memory stream");
    }
    return err;
}

static void end_direction(struct direction *d)
{
    if (d->ended)
        return;
    d->ended = true;
    d->end_due_ns = d->latency_ns ? whorl_after(d->latency_ns) : 0;
    wake_all(&d->readers);
    serve_wait(d);
}

/* --- the stream ------------------------------------------------------------------------------- */

static struct end *end_of(struct whorl_stream *stream)
{
    return container_of(stream, struct end, stream);
}

static WHORL_SUSPENDS ssize_t memory_read(struct whorl_stream *stream, void *buf, size_t len)
{
    struct end *end = end_of(stream);

    whorl_check(!end->reading);
    if (len == 0)
        return whorl_check_cancelled();
    end->reading = true;
    int err = wait_for_input(end->in);
    end->reading = false;
    return err ? err : (ssize_t)take(end->in, buf, len);
}

static WHORL_SUSPENDS int memory_writev(struct whorl_stream *stream, const struct iovec *iov,
                                        int iov_count)
{
    struct end *end = end_of(stream);
    int err = whorl_check_cancelled();

    whorl_check(!end->writing);
    end->writing = true;
    for (int i = 0; i < iov_count && err == 0; i++)
        if (iov[i].iov_len > 0)
            err = write_part(end->out, iov[i].iov_base, iov[i].iov_len);
    end->writing = false;
    return err;
}

static int memory_close_write(struct whorl_stream *stream)
{
    int err = whorl_check_cancelled();

    if (err == 0)
        end_direction(end_of(stream)->out);
    return err;
}

static bool memory_is_readable(struct whorl_stream *stream)
{
    return readable_at(end_of(stream)->in) <= whorl_now();
}

static bool memory_is_idle(struct whorl_stream *stream)
{
    return !memory_is_readable(stream);
}

static ssize_t memory_try_read(struct whorl_stream *stream, void *buf, size_t len)
{
    struct end *end = end_of(stream);

    whorl_check(!end->reading);
    return memory_is_readable(stream) ? (ssize_t)take(end->in, buf, len) : -EAGAIN;
}

static int memory_start_wait(struct whorl_stream *stream, struct whorl_stream_wait *wait)
{
    struct end *end = end_of(stream);

    whorl_check(!end->reading && !end->in->wait);
    int64_t at_ns = readable_at(end->in);
    if (at_ns != WHORL_FOREVER)
        whorl_timer_arm(&end->in->timer, at_ns, fire);
    end->in->wait = wait;
    return 0;
}

static enum whorl_abort memory_stop_wait(struct whorl_stream *stream,
                                         struct whorl_stream_wait *wait)
{
    struct direction *in = end_of(stream)->in;

    (void)wait;
    whorl_timer_disarm(&in->timer);
    in->wait = NULL;
    return WHORL_ABORT_DONE;
}

static int memory_fd(struct whorl_stream *stream)
{
    (void)stream;
    return -1;
}

static void memory_close(struct whorl_stream *stream)
{
    struct end *end = end_of(stream);
    struct memory_pair *pair = end->pair;

    whorl_check(!end->reading && !end->writing && !end->in->wait);
    end_direction(end->out);
    end->in->unread = true;
    wake_all(&end->in->writers);
    if (--pair->open > 0)
        return;
    direction_finish(&pair->directions[0]);
    direction_finish(&pair->directions[1]);
    free(pair);
}

static const struct whorl_stream_ops memory_ops = {
    .name = "memory",
    .read = memory_read,
    .try_read = memory_try_read,
    .is_readable = memory_is_readable,
    .start_wait = memory_start_wait,
    .stop_wait = memory_stop_wait,
    .writev = memory_writev,
    .close_write = memory_close_write,
    .is_idle = memory_is_idle,
    .fd = memory_fd,
    .close = memory_close,
};

int whorl_stream_pair(const struct whorl_memory_options *options, struct whorl_stream **ret_a,
                      struct whorl_stream **ret_b)
{
    static const struct whorl_memory_options defaults;
    struct memory_pair *pair = calloc(1, sizeof *pair);

    if (!pair)
        return -ENOMEM;
    pair->open = 2;
    for (int i = 0; i < 2; i++) {
        if (!direction_init(&pair->directions[i], options ? options : &defaults)) {
            direction_finish(&pair->directions[0]);
            free(pair);
            return -ENOMEM;
        }
        pair->ends[i] = (struct end){
            .stream.ops = &memory_ops,
            .in = &pair->directions[i],
            .out = &pair->directions[1 - i],
            .pair = pair,
        };
    }
    *ret_a = &pair->ends[0].stream;
    *ret_b = &pair->ends[1].stream;
    return 0;
}

/* --- the listener ----------------------------------------------------------------------------- */

struct whorl_memory_listener {
    struct whorl_memory_options options;
    struct whorl_chan *conns; /* of struct whorl_stream *, the servers' ends */
};

int whorl_memory_listener_create(const struct whorl_memory_options *options,
                                 struct whorl_memory_listener **ret)
{
    struct whorl_memory_listener *listener = calloc(1, sizeof *listener);

    if (!listener)
        return -ENOMEM;
    if (options)
        listener->options = *options;
    int err = whorl_chan_create(sizeof(struct whorl_stream *), BACKLOG, &listener->conns);
    if (err) {
        free(listener);
        return err;
    }
    *ret = listener;
    return 0;
}

void whorl_memory_listener_close(struct whorl_memory_listener *listener)
{
    whorl_chan_close(listener->conns);
}

void whorl_memory_listener_destroy(struct whorl_memory_listener *listener)
{
    struct whorl_stream *stream;

    if (!listener)
        return;
    while (whorl_chan_try_recv(listener->conns, &stream) == 0)
        whorl_stream_close(stream);
    whorl_chan_destroy(listener->conns);
    free(listener);
}

WHORL_SUSPENDS int whorl_memory_listener_dial(struct whorl_memory_listener *listener,
                                              struct whorl_stream **ret)
{
    struct whorl_stream *client, *server;

    int err = whorl_stream_pair(&listener->options, &client, &server);
    if (err)
        return err;
    err = whorl_chan_send(listener->conns, &server);
    if (err) {
        whorl_stream_close(client);
        whorl_stream_close(server);
        return err == -EPIPE ? -ECONNREFUSED : err;
    }
    *ret = client;
    return 0;
}

WHORL_SUSPENDS int whorl_memory_dial_host(void *listener, const char *host, uint16_t port,
                                          struct whorl_error *error, struct whorl_stream **ret)
{
    int err = whorl_memory_listener_dial(listener, ret);

    if (err)
        whorl_error_set(error, err, "connect", "%s:%u: %s", host, port, whorl_strerror(err));
    return err;
}

WHORL_SUSPENDS int whorl_memory_listener_accept(struct whorl_memory_listener *listener,
                                                struct whorl_stream **ret)
{
    return whorl_chan_recv(listener->conns, ret);
}
