/* SPDX-License-Identifier: MIT */
/* Servers: a task for each connection, limits, failures, and the graceful stop; listeners from the
 * service manager. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <whorl.h>

#include "child.h"
#include "faults.h"
#include "test.h"

static struct whorl_listener *listen_here(void)
{
    struct whorl_listener *listener;
    struct whorl_addr addr;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener));
    return listener;
}

/* A server in a task of its own. */
struct served {
    struct whorl_listener *listeners[2];
    size_t count;
    struct whorl_serve_options options;
    whorl_serve_fn fn;
    struct whorl_group group;
    int result;
    size_t open, open_max; /* connections in their handlers */
    int failures, last_failure, pauses;
};

static int run_server(void *arg)
{
    struct served *server = arg;
    server->result =
        whorl_serve(server->listeners, server->count, &server->options, server->fn, server);
    return 0;
}

static void begin(struct served *server, whorl_serve_fn fn, size_t count)
{
    server->fn = fn;
    server->count = count;
    server->result = 1;
    for (size_t i = 0; i < count; i++)
        server->listeners[i] = listen_here();
    CHECK_OK(whorl_spawn(&server->group, run_server, server));
}

static void close_listeners(struct served *server)
{
    for (size_t i = 0; i < server->count; i++)
        whorl_listener_close(server->listeners[i]);
}

static WHORL_SUSPENDS_SHIELDED struct whorl_stream *dial_server(const struct served *server,
                                                                size_t listener)
{
    const struct whorl_addr *addr = whorl_listener_addr(server->listeners[listener]);
    struct whorl_stream *stream;
    int fd = whorl_socket(addr->sa.sa_family, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_OK(whorl_connect(fd, addr));
    CHECK_OK(whorl_stream_from_socket(fd, &stream));
    return stream;
}

/* Answers every byte with the number of connections, until the peer closes or the server stops. */
static WHORL_SUSPENDS int count_conns(void *arg, struct whorl_stream *stream)
{
    struct served *server = arg;
    int err = 0;
    if (++server->open > server->open_max)
        server->open_max = server->open;
    while (err == 0) {
        struct whorl_case cases[] = {whorl_case_stop(),
                                     whorl_case_fd(whorl_stream_fd(stream), POLLIN)};
        char byte;
        int taken = whorl_select(cases, 2);
        ssize_t n = taken == 1 ? whorl_stream_read(stream, &byte, 1) : taken;
        if (n <= 0 || byte == 'F') {
            err = n < 0 ? (int)n : n > 0 ? -EIO : 0;
            break;
        }
        byte = (char)('0' + server->open);
        err = whorl_stream_write(stream, &byte, 1);
    }
    server->open--;
    return err;
}

static WHORL_SUSPENDS_SHIELDED char ask(struct whorl_stream *stream, char byte)
{
    CHECK_OK(whorl_stream_write(stream, &byte, 1));
    CHECK_OK(whorl_stream_read_exact(stream, &byte, 1));
    return byte;
}

static WHORL_SUSPENDS_SHIELDED void expect_end(struct whorl_stream *stream)
{
    char byte;
    CHECK_ERR(whorl_stream_read(stream, &byte, 1), 0);
    whorl_stream_close(stream);
}

TEST_IO(each_connection_has_a_task_until_the_server_is_asked_to_stop)
{
    struct served server = {0};
    begin(&server, count_conns, 1);
    struct whorl_stream *a = dial_server(&server, 0);
    CHECK_EQ(ask(a, '?'), '1');
    struct whorl_stream *b = dial_server(&server, 0);
    CHECK_EQ(ask(b, '?'), '2');
    CHECK_EQ(ask(a, '?'), '2');
    CHECK_OK(whorl_group_stop(&server.group, WHORL_SECOND));
    CHECK_OK(server.result);
    CHECK_EQ(server.open, 0);
    expect_end(a);
    expect_end(b);
    close_listeners(&server);
}

TEST_IO(a_server_takes_connections_of_all_its_listeners)
{
    struct served server = {0};
    begin(&server, count_conns, 2);
    struct whorl_stream *a = dial_server(&server, 1);
    CHECK_EQ(ask(a, '?'), '1');
    struct whorl_stream *b = dial_server(&server, 0);
    CHECK_EQ(ask(b, '?'), '2');
    CHECK_OK(whorl_group_stop(&server.group, WHORL_SECOND));
    whorl_stream_close(a);
    whorl_stream_close(b);
    close_listeners(&server);
}

TEST_IO(the_number_of_connections_has_a_limit)
{
    struct served server = {.options.conns_max = 2};
    struct whorl_stream *conns[6];
    begin(&server, count_conns, 1);
    for (int i = 0; i < 6; i++)
        conns[i] = dial_server(&server, 0);
    for (int i = 0; i < 6; i++) {
        ask(conns[i], '?'); /* answered once the connections before it are closed */
        whorl_stream_close(conns[i]);
    }
    CHECK_EQ(server.open_max, 2);
    CHECK_OK(whorl_group_stop(&server.group, WHORL_SECOND));
    CHECK_OK(server.result);
    close_listeners(&server);
}

TEST_IO(a_full_server_can_be_stopped)
{
    struct served server = {.options.conns_max = 1};
    begin(&server, count_conns, 1);
    struct whorl_stream *a = dial_server(&server, 0);
    CHECK_EQ(ask(a, '?'), '1');
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND)); /* the server waits for the end of the connection */
    CHECK_OK(whorl_group_stop(&server.group, WHORL_SECOND));
    CHECK_OK(server.result);
    expect_end(a);
    close_listeners(&server);
}

static void note_failure(void *arg, struct whorl_stream *stream, int err)
{
    struct served *server = arg;
    server->failures++;
    server->pauses += stream == NULL;
    server->last_failure = err;
    CHECK(!stream || whorl_stream_fd(stream) >= 0);
}

TEST_IO(a_connection_that_fails_is_reported_and_the_others_continue)
{
    struct served server = {.options.failed = note_failure};
    begin(&server, count_conns, 1);
    struct whorl_stream *a = dial_server(&server, 0), *b = dial_server(&server, 0);
    CHECK_EQ(ask(b, '?'), '2');
    CHECK_OK(whorl_stream_write(a, "F", 1));
    expect_end(a);
    CHECK_EQ(server.failures, 1);
    CHECK_EQ(server.last_failure, -EIO);
    CHECK_EQ(ask(b, '?'), '1');
    whorl_stream_close(b);
    CHECK_OK(whorl_group_stop(&server.group, WHORL_SECOND));
    CHECK_OK(server.result);
    close_listeners(&server);
}

static WHORL_SUSPENDS int ignore_stop(void *arg, struct whorl_stream *stream)
{
    char byte;
    (void)arg;
    return whorl_stream_read_exact(stream, &byte, 1);
}

TEST_IO(connections_that_do_not_end_are_cancelled_after_the_grace_period)
{
    struct served server = {
        .options = {.failed = note_failure, .grace_ns = 20 * WHORL_MILLISECOND}};
    begin(&server, ignore_stop, 1);
    struct whorl_stream *a = dial_server(&server, 0);
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    int64_t start = whorl_now();
    CHECK_OK(whorl_group_stop(&server.group, WHORL_MINUTE));
    CHECK(whorl_now() - start >= 20 * WHORL_MILLISECOND);
    CHECK_ERR(server.result, -ETIMEDOUT);
    CHECK_EQ(server.last_failure, -ECANCELED);
    expect_end(a);
    close_listeners(&server);
}

TEST_IO(a_cancelled_server_cancels_its_connections_at_once)
{
    struct served server = {0};
    begin(&server, ignore_stop, 1);
    struct whorl_stream *a = dial_server(&server, 0);
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    whorl_group_cancel(&server.group);
    whorl_group_finish(&server.group);
    CHECK_ERR(server.result, -ECANCELED);
    expect_end(a);
    close_listeners(&server);
}

TEST_IO(a_closed_listener_ends_the_server)
{
    struct served server = {.options.grace_ns = 1};
    begin(&server, ignore_stop, 2);
    struct whorl_stream *a = dial_server(&server, 0);
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    whorl_listener_close(server.listeners[1]);
    CHECK_OK(whorl_group_wait(&server.group));
    CHECK_ERR(server.result, -EPIPE);
    expect_end(a);
    whorl_listener_close(server.listeners[0]);
}

TEST_IO(a_server_without_listeners_is_refused)
{
    CHECK_ERR(whorl_serve(NULL, 0, NULL, ignore_stop, NULL), -EINVAL);
}

TEST_IO(a_server_without_descriptors_pauses_and_continues)
{
    struct served server = {.options.failed = note_failure};
    struct rlimit limit;
    int fds[64], count = 0;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 64;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    begin(&server, count_conns, 1);
    while ((fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    for (int i = 0; i < 8; i++)
        close(fds[--count]);
    struct whorl_stream *a = dial_server(&server, 0);
    CHECK_EQ(ask(a, '?'), '1');
    while ((fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    close(fds[--count]);
    struct whorl_stream *b = dial_server(&server, 0);
    while (server.pauses < 2)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(server.last_failure, -EMFILE);
    CHECK_EQ(ask(a, '?'), '1');
    while (count > 0)
        close(fds[--count]);
    CHECK_EQ(ask(b, '?'), '2');
    CHECK_EQ(server.failures, server.pauses);
    whorl_stream_close(a);
    whorl_stream_close(b);
    CHECK_OK(whorl_group_stop(&server.group, WHORL_SECOND));
    CHECK_OK(server.result);
    close_listeners(&server);
}

/* --- shortage of memory ----------------------------------------------------------------------- */

static int serve_once(void *arg)
{
    struct whorl_listener *listener;
    struct whorl_addr addr;
    struct served server = {.fn = count_conns, .count = 1};
    (void)arg;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    int err = whorl_listen(&addr, NULL, &listener);
    if (err)
        return err;
    server.listeners[0] = listener;
    err = whorl_spawn(&server.group, run_server, &server);
    if (err == 0) {
        int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
        err = whorl_connect(fd, whorl_listener_addr(listener));
        if (err == 0)
            err = whorl_send_all(fd, "?", 1, 0);
        /* The server pauses when it has no memory for the connection, and then serves it. */
        char byte;
        if (err == 0 && server.result != -ENOMEM)
            err = (int)whorl_recv(fd, &byte, 1, 0) == 1 ? 0 : -EIO;
        close(fd);
        int stopped = whorl_group_stop(&server.group, WHORL_SECOND);
        if (server.result == -ENOMEM)
            err = -ENOMEM;
        else if (err == 0)
            err = stopped;
    }
    whorl_group_finish(&server.group);
    whorl_listener_close(listener);
    return err;
}

static int run_serve_once(void *arg)
{
    return whorl_io_run(serve_once, arg);
}

TEST(failed_allocations_are_survived_or_reported)
{
    CHECK(faults_sweep(run_serve_once, NULL) > 8);
}

/* --- listeners from the service manager ------------------------------------------------------- */

static void set(const char *name, long value)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", value);
    CHECK_OK(setenv(name, text, 1));
}

/* Puts `count` listening sockets at descriptor 3 and above, as the service manager does. */
static void pass_sockets(int count)
{
    for (int i = 0; i < count; i++) {
        struct whorl_addr addr;
        CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
        int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
        CHECK_OK(whorl_bind(fd, &addr));
        CHECK_OK(listen(fd, 5));
        if (fd != 3 + i) {
            CHECK_EQ(dup2(fd, 3 + i), 3 + i);
            close(fd);
        }
    }
}

static void inherit_two(void *arg)
{
    struct whorl_listener *listeners[4];
    size_t count;
    (void)arg;
    pass_sockets(2);
    set("LISTEN_PID", getpid());
    set("LISTEN_FDS", 2);
    CHECK_ERR(whorl_listen_inherited(NULL, listeners, 4, &count), 0);
    CHECK_EQ(count, 2);
    for (size_t i = 0; i < count; i++) {
        CHECK(whorl_addr_port(whorl_listener_addr(listeners[i])) > 0);
        CHECK_EQ(fcntl(3 + (int)i, F_GETFD), FD_CLOEXEC);
        whorl_listener_close(listeners[i]);
    }
    CHECK(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS"));
    CHECK_OK(whorl_listen_inherited(NULL, listeners, 4, &count));
    CHECK_EQ(count, 0);
}

static void inherit_wrongly(void *arg)
{
    struct whorl_listener *listeners[2];
    size_t count;
    (void)arg;
    set("LISTEN_PID", getpid() + 1); /* for another process */
    set("LISTEN_FDS", 1);
    CHECK_OK(whorl_listen_inherited(NULL, listeners, 2, &count));
    CHECK_EQ(count, 0);

    set("LISTEN_PID", getpid());
    CHECK_OK(setenv("LISTEN_FDS", "1x", 1));
    CHECK_ERR(whorl_listen_inherited(NULL, listeners, 2, &count), -EINVAL);

    pass_sockets(3);
    set("LISTEN_PID", getpid());
    set("LISTEN_FDS", 3);
    CHECK_ERR(whorl_listen_inherited(NULL, listeners, 2, &count), -E2BIG);
    CHECK_EQ(fcntl(3, F_GETFD), -1); /* closed */

    pass_sockets(1);
    CHECK_EQ(open("/dev/null", O_RDONLY | O_CLOEXEC), 4);
    set("LISTEN_PID", getpid());
    set("LISTEN_FDS", 2);
    CHECK_ERR(whorl_listen_inherited(NULL, listeners, 2, &count), -EINVAL);
    CHECK_EQ(fcntl(3, F_GETFD), -1);
    CHECK_EQ(fcntl(4, F_GETFD), -1);
}

static void run_child(void (*fn)(void *arg))
{
    static struct child child;
    child_run(&child, fn, NULL);
    if (child.exit_status != 0)
        test_fail(__FILE__, __LINE__, "%s", child.err);
}

TEST(sockets_that_the_service_manager_passes_become_listeners)
{
    run_child(inherit_two);
}

TEST(sockets_that_are_not_ours_or_do_not_listen_are_refused)
{
    run_child(inherit_wrongly);
}

TEST_MAIN()
