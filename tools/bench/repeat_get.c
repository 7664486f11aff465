/* SPDX-License-Identifier: MIT */
/* Fetches 1 KiB many times from a server in the same run. The server does as little as it can, and
 * client and server take turns, so the number of instructions is that of the client's work and is
 * the same in every run. */
#include "tools/bench/repeat_get.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <whorl.h>

#include "tools/bench/root.h"

static const char head[] = "HTTP/1.1 200 OK\r\n"
                           "Server: nginx/1.22.1\r\n"
                           "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                           "Content-Type: application/octet-stream\r\n"
                           "Content-Length: 1024\r\n"
                           "Last-Modified: Sun, 06 Nov 1994 08:00:00 GMT\r\n"
                           "Connection: keep-alive\r\n"
                           "ETag: \"2ebb9e60-400\"\r\n"
                           "Accept-Ranges: bytes\r\n"
                           "\r\n";

/* Answers each request of one connection. A request arrives in one piece, because it is short. */
static int answer(void *arg)
{
    char reply[sizeof head - 1 + 1024], request[4096];
    ssize_t n = 0;
    int fd = whorl_accept(arg, NULL);

    if (fd < 0)
        return fd;
    memcpy(reply, head, sizeof head - 1);
    memset(reply + sizeof head - 1, 'x', 1024);
    while (n >= 0 && (n = whorl_recv(fd, request, sizeof request, 0)) > 0)
        n = whorl_send(fd, reply, sizeof reply, 0);
    close(fd);
    return (int)n;
}

static WHORL_SUSPENDS int fetch(struct whorl_http_session *session, const char *url)
{
    WHORL_AUTO(http_response) *response = NULL;
    char buf[16384];
    ssize_t n = whorl_http_get(session, url, &response);
    size_t len = 0;

    while (n >= 0 && (n = whorl_http_response_read(response, buf, sizeof buf)) > 0)
        len += (size_t)n;
    return n < 0 ? (int)n : len == 1024 ? 0 : -EPROTO;
}

static int root(void *arg)
{
    WHORL_AUTO(listener) *listener = NULL;
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(http_session) *session = NULL;
    struct whorl_addr addr;
    char url[64];

    int err = whorl_addr_parse("127.0.0.1", 0, &addr);
    if (err == 0)
        err = whorl_listen(&addr, NULL, &listener);
    if (err == 0)
        err = whorl_spawn(&group, answer, listener);
    if (err == 0)
        err = whorl_http_session_create(NULL, &session);
    if (err)
        return err;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/1k.bin",
             whorl_addr_port(whorl_listener_addr(listener)));
    for (long n = *(long *)arg; n > 0 && err == 0; n--)
        err = fetch(session, url);
    whorl_http_session_close_idle(session);
    return err ? err : whorl_group_wait(&group);
}

int bench_repeat_get(long n)
{
    return bench_run("repeat get", root, &n);
}
