/* SPDX-License-Identifier: MIT */
/* An HTTP server on a free port of 127.0.0.1, in a task of the test.
 *
 *     struct served_port server = {.options.log = log_request};
 *     uint16_t port = served_port_begin(&server, handle, &arg);
 *     ... send requests to the port ...
 *     served_port_end(&server);
 */
#ifndef TEST_SERVED_PORT_H
#define TEST_SERVED_PORT_H

#include <whorl.h>

/* Zero-initialised is valid; the test may set `options`. The other fields are for tests that call
 * served_port_serve() themselves. */
struct served_port {
    struct whorl_http_server_options options;
    struct whorl_listener *listener;
    struct whorl_group group;
    whorl_http_handler_fn fn;
    void *arg;
    int result; /* of whorl_http_serve(); 1 before it has ended */
};

/* Starts the server. Returns its port. */
uint16_t served_port_begin(struct served_port *server, whorl_http_handler_fn fn, void *arg);

/* The task of the server; its argument is the struct served_port. */
int served_port_serve(void *server);

/* Connects to the server. */
WHORL_SUSPENDS_SHIELDED struct whorl_stream *served_port_dial(const struct served_port *server);

/* Stops the server, which must not have failed, and closes its listener. */
WHORL_SUSPENDS_SHIELDED void served_port_end(struct served_port *server);

#endif
