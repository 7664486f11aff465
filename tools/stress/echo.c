/* SPDX-License-Identifier: MIT */
/* The workload with a network: an echo server and its clients in one run, over loopback TCP. If
 * there are more clients than the descriptor limit allows, they share the connections in turn. */
#include "tools/stress/echo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <whorl.h>

#include "tools/echo_server.h"
#include "tools/resident.h"
#include "tools/stress/run.h"

#define MESSAGE   64
#define TRIPS_MIN 50000
#define CONNS_MAX 4000

struct echo {
    struct run *run;
    uint64_t trips;           /* round trips per task */
    struct whorl_chan *conns; /* descriptors of the free connections */
    uint64_t next_id;
};

static WHORL_SUSPENDS int recv_exactly(int fd, char *buf, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = whorl_recv(fd, buf + got, len - got, 0);
        if (n <= 0)
            return n < 0 ? (int)n : -ECONNRESET;
        got += (size_t)n;
    }
    return 0;
}

/* Sends one message, receives it back, and compares. */
static WHORL_SUSPENDS int trip(struct run *run, int fd, uint64_t id, uint64_t number)
{
    char message[MESSAGE] = {0}, answer[MESSAGE];
    int64_t sent = whorl_now();

    memcpy(message, &id, sizeof id);
    memcpy(message + sizeof id, &number, sizeof number);
    int err = whorl_send_all(fd, message, MESSAGE, 0);
    if (err == 0)
        err = recv_exactly(fd, answer, MESSAGE);
    if (err)
        return err;
    histogram_add(&run->latency, whorl_now() - sent);
    run->sum += memcmp(message, answer, MESSAGE) == 0;
    if ((++run->ops & 255) == 0)
        *run->progress = run->ops;
    return 0;
}

static int client(void *arg)
{
    struct echo *echo = arg;
    uint64_t id = echo->next_id++;
    int fd;

    int err = whorl_chan_recv(echo->conns, &fd);
    for (uint64_t i = 0; i < echo->trips && err == 0; i++)
        err = trip(echo->run, fd, id, i);
    return err ? err : whorl_chan_send(echo->conns, &fd);
}

/* Opens `count` connections. Stores their descriptors in `fds`, and sends them to echo->conns, from
 * which the clients take them. */
static WHORL_SUSPENDS int connect_all(struct echo *echo, const struct whorl_addr *addr, int *fds,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = whorl_dial_tcp("127.0.0.1", whorl_addr_port(addr), NULL, NULL, NULL);
        if (fds[i] < 0)
            return fds[i];
        int err = whorl_chan_send(echo->conns, &fds[i]);
        if (err)
            return err;
    }
    return 0;
}

static WHORL_SUSPENDS int run_clients(struct echo *echo, const struct whorl_addr *addr, int *fds,
                                      size_t count)
{
    struct run *run = echo->run;
    WHORL_AUTO(group) clients = {0};
    int err = connect_all(echo, addr, fds, count);
    int64_t before = resident_bytes();

    run_begin(run);
    for (size_t i = 0; i < run->tasks && err == 0; i++)
        err = whorl_spawn(&clients, client, echo);
    if (err == 0)
        err = whorl_yield();
    run->bytes_per_task = (resident_bytes() - before) / (int64_t)run->tasks;
    if (err == 0)
        err = whorl_group_wait(&clients);
    run_end(run);
    return err;
}

WHORL_SUSPENDS int stress_echo(void *arg)
{
    struct run *run = arg;
    struct rlimit limit = {0};
    struct whorl_addr addr;

    getrlimit(RLIMIT_NOFILE, &limit);
    size_t count = limit.rlim_cur > 128 ? (limit.rlim_cur - 64) / 2 : 32;
    if (count > CONNS_MAX)
        count = CONNS_MAX;
    if (count > run->tasks)
        count = run->tasks;

    WHORL_AUTO(listener) *listener = NULL;
    WHORL_AUTO(chan) *conns = NULL;
    struct echo_server server = {.stack_size = 16384};
    WHORL_AUTO(group) serving = {0};
    int err = whorl_chan_create(sizeof(int), count, &conns);
    struct echo echo = {.run = run, .conns = conns};
    int *fds = malloc(count * sizeof *fds);

    if (err || !fds) {
        free(fds);
        return err ? err : -ENOMEM;
    }
    memset(fds, -1, count * sizeof *fds);
    echo.trips = run->tasks < TRIPS_MIN ? TRIPS_MIN / run->tasks : 1;
    run->expected = echo.trips * run->tasks;
    err = whorl_addr_parse("127.0.0.1", 0, &addr);
    if (err == 0)
        err = whorl_listen(&addr, &(struct whorl_listen_options){.no_delay = true}, &listener);
    server.listener = listener;
    if (err == 0)
        err = whorl_spawn(&serving, echo_server_run, &server);
    if (err == 0)
        err = run_clients(&echo, whorl_listener_addr(listener), fds, count);
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            whorl_close(fds[i]);
    free(fds);
    return err;
}
