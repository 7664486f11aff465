/* SPDX-License-Identifier: MIT */
/* What the tests of the HTTP server share: a server on one end of a stream in memory, and a
 * client's bytes on the other.
 *
 *     struct served_setup setup = {.fn = hello};
 *     char *replies = served(&setup, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
 *     CHECK_STR(replies, "HTTP/1.1 200 OK\r\n...");
 *     free(replies);
 */
#ifndef TEST_SERVED_H
#define TEST_SERVED_H

#include <whorl.h>

struct served_setup {
    whorl_http_handler_fn fn;
    void *arg;
    struct whorl_http_server_options options;
    size_t chunk;    /* bytes that the server reads at a time; 0: all that are there */
    size_t capacity; /* bytes that the client leaves unread at most; 0: any number */
    bool stay_open;  /* the client closes only after the server */
    int result;      /* of whorl_http_serve_stream() */
};

/* A server in a task of its own. The client's end is `client`. */
struct served_conn {
    struct served_setup *setup;
    struct whorl_stream *client, *server;
    struct whorl_group group;
};

/* Opens a connection and starts the server's task. */
void served_open(struct served_conn *conn, struct served_setup *setup);

WHORL_SUSPENDS_SHIELDED void served_send(struct served_conn *conn, const char *bytes, size_t len);

/* Reads until the server closes, and joins it. Returns the replies without their Date headers;
 * free() them. */
WHORL_SUSPENDS_SHIELDED char *served_close(struct served_conn *conn);

/* Opens, sends, and closes. */
WHORL_SUSPENDS_SHIELDED char *served(struct served_setup *setup, const char *text);
WHORL_SUSPENDS_SHIELDED char *served_bytes(struct served_setup *setup, const char *bytes,
                                           size_t len);

/* Removes the Date headers, which differ from run to run. */
void served_strip_dates(char *text);

#endif
