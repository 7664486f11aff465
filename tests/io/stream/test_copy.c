/* SPDX-License-Identifier: MIT */
/* Copying from stream to stream: everything arrives, ends are passed on, errors end both
 * directions. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "faults.h"
#include "memstream.h"
#include "test.h"

/* Client and server, and the proxy's ends of their connections. */
struct proxied {
    struct whorl_stream *client, *left, *right, *server;
    int64_t to_left, to_right;
    int result;
};

static void open_proxied(struct proxied *p)
{
    memset(p, 0, sizeof *p);
    CHECK_OK(memstream_pair(&p->client, &p->left));
    CHECK_OK(memstream_pair(&p->right, &p->server));
}

static void close_proxied(struct proxied *p)
{
    whorl_stream_close(p->client);
    whorl_stream_close(p->left);
    whorl_stream_close(p->right);
    whorl_stream_close(p->server);
}

static int proxy(void *arg)
{
    struct proxied *p = arg;
    p->result = whorl_stream_copy_both(p->left, p->right, &p->to_left, &p->to_right);
    return 0;
}

TEST_VIRTUAL(bytes_and_ends_pass_in_both_directions)
{
    struct proxied p;
    WHORL_AUTO(group) group = {0};
    char *text;
    open_proxied(&p);
    CHECK_OK(whorl_spawn(&group, proxy, &p));
    CHECK_OK(whorl_stream_write(p.client, "question", 8));
    CHECK_OK(whorl_stream_close_write(p.client));
    CHECK_OK(whorl_stream_read_to_end(p.server, 100, &text, NULL)); /* the half-close arrives */
    CHECK_STR(text, "question");
    free(text);
    CHECK_EQ(p.to_right, 8);
    CHECK_EQ(p.to_left, 0);
    CHECK_OK(whorl_stream_write(p.server, "an answer", 9));
    CHECK_OK(whorl_stream_close_write(p.server));
    CHECK_OK(whorl_stream_read_to_end(p.client, 100, &text, NULL));
    CHECK_STR(text, "an answer");
    free(text);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(p.result);
    CHECK_EQ(p.to_left, 9);
    close_proxied(&p);
}

TEST_VIRTUAL(an_error_in_one_direction_ends_both)
{
    struct proxied p;
    WHORL_AUTO(group) group = {0};
    open_proxied(&p);
    memstream_fail(p.server, 3, -EIO);
    CHECK_OK(whorl_spawn(&group, proxy, &p));
    CHECK_OK(whorl_stream_write(p.server, "abcdef", 6));
    CHECK_OK(whorl_group_wait(&group)); /* although the client neither writes nor closes */
    CHECK_ERR(p.result, -EIO);
    CHECK_EQ(p.to_left, 3);
    close_proxied(&p);
}

TEST_VIRTUAL(a_deadline_ends_both_directions)
{
    struct whorl_scope scope;
    struct proxied p;
    open_proxied(&p);
    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    int err = whorl_stream_copy_both(p.left, p.right, NULL, NULL);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    close_proxied(&p);
}

TEST_VIRTUAL(a_copy_waits_for_a_slow_receiver)
{
    struct proxied p;
    WHORL_AUTO(group) group = {0};
    char buf[100];
    open_proxied(&p);
    memstream_capacity(p.right, 10);
    CHECK_OK(whorl_spawn(&group, proxy, &p));
    for (int i = 0; i < 5; i++) {
        CHECK_OK(whorl_stream_write(p.client, "0123456789", 10));
        CHECK_OK(whorl_sleep(WHORL_SECOND));
    }
    CHECK(p.to_right <= 20); /* the rest waits in the stream of the client */
    CHECK_OK(whorl_stream_close_write(p.client));
    CHECK_OK(whorl_stream_read_exact(p.server, buf, 50));
    CHECK_ERR(whorl_stream_read(p.server, buf, 1), 0);
    CHECK_EQ(p.to_right, 50);
    CHECK_OK(whorl_stream_close_write(p.server));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(p.result);
    close_proxied(&p);
}

/* --- sockets ---------------------------------------------------------------------------------- */

enum { LONG = 3000000 };

static int send_long(void *arg)
{
    char *bytes = malloc(LONG);
    CHECK(bytes);
    for (size_t i = 0; i < LONG; i++)
        bytes[i] = (char)(i * 31 % 251);
    int err = whorl_stream_write(arg, bytes, LONG);
    free(bytes);
    return err ? err : whorl_stream_close_write(arg);
}

static void pair(struct whorl_stream **a, struct whorl_stream **b)
{
    int fds[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    CHECK_OK(whorl_stream_from_socket(fds[0], a));
    CHECK_OK(whorl_stream_from_socket(fds[1], b));
}

TEST_IO(a_long_copy_between_sockets_arrives_whole)
{
    struct proxied p = {0};
    WHORL_AUTO(group) group = {0};
    char *bytes;
    size_t len;
    pair(&p.client, &p.left);
    pair(&p.right, &p.server);
    CHECK_OK(whorl_spawn(&group, proxy, &p));
    CHECK_OK(whorl_spawn(&group, send_long, p.client));
    CHECK_OK(whorl_spawn(&group, send_long, p.server));
    struct whorl_stream *ends[] = {p.client, p.server};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(whorl_stream_read_to_end(ends[1 - i], LONG, &bytes, &len));
        CHECK_EQ(len, LONG);
        for (size_t j = 0; j < LONG; j++)
            if (bytes[j] != (char)(j * 31 % 251))
                test_fail(__FILE__, __LINE__, "byte %zu differs", j);
        free(bytes);
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(p.result);
    CHECK_EQ(p.to_left, LONG);
    CHECK_EQ(p.to_right, LONG);
    close_proxied(&p);
}

static int copy_a_little(void *arg)
{
    WHORL_AUTO(stream) *client = NULL;
    WHORL_AUTO(stream) *left = NULL;
    WHORL_AUTO(stream) *right = NULL;
    WHORL_AUTO(stream) *server = NULL;
    (void)arg;
    int err = memstream_pair(&client, &left);
    if (err == 0)
        err = memstream_pair(&right, &server);
    if (err == 0)
        err = whorl_stream_write(client, "abc", 3);
    if (err == 0)
        err = whorl_stream_close_write(client);
    if (err == 0)
        err = whorl_stream_close_write(server);
    return err ? err : whorl_stream_copy_both(left, right, NULL, NULL);
}

static int run_copy(void *arg)
{
    return whorl_run_virtual(NULL, copy_a_little, arg);
}

TEST(failed_allocations_are_reported_and_leak_nothing)
{
    CHECK(faults_sweep(run_copy, NULL) > 6);
}

TEST_MAIN()
