/* SPDX-License-Identifier: MIT */
/* Runs nginx on loopback, over http and https, for the duration of a test.
 *
 *     struct nginx *nginx = nginx_start(&(struct nginx_options){.docroot = test_tmpdir()});
 *     snprintf(url, sizeof url, "https://localhost:%d/file", nginx_tls_port(nginx));
 *
 * It listens on 127.0.0.1 and, if the machine has it, on ::1. It answers when nginx_start()
 * returns. It stops when the test ends, also when the test fails. nginx_start() skips the test when
 * nginx is not installed.
 */
#ifndef TEST_NGINX_H
#define TEST_NGINX_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised options are valid. They are borrowed for the call. */
struct nginx_options {
    const char *docroot;     /* directory that nginx serves; NULL: an empty one */
    const char *cert;        /* name of a certificate of certs.h; NULL: "good" */
    const char *protocols;   /* of TLS; NULL: "TLSv1.2" */
    const char *server_conf; /* directives for the server block, such as "location /x { ... }" */
    bool http2;              /* offer HTTP/2 on the https port, besides HTTP/1.1 */
    const char *http_conf;   /* directives for the http block, before the server block */
};

struct nginx;

struct nginx *nginx_start(const struct nginx_options *options);

/* The ports of http and https. */
uint16_t nginx_port(const struct nginx *nginx);
uint16_t nginx_tls_port(const struct nginx *nginx);

/* Number of lines of the access log that contain `text`. A line is "HOST METHOD URI STATUS
 * connection NUMBER requests NUMBER". nginx writes it after the response, so call
 * nginx_wait_requests() first. */
int nginx_requests(const struct nginx *nginx, const char *text);

/* Waits until at least `count` lines contain `text`; fails the test after 5 s. */
void nginx_wait_requests(const struct nginx *nginx, const char *text, int count);

/* Stops nginx before the test ends. Its connections are cut, and after that its ports refuse
 * connections. */
void nginx_stop(struct nginx *nginx);

#endif
