/* SPDX-License-Identifier: MIT */
/* nginx on loopback, over http and https, for the length of a test.
 *
 *     struct nginx *nginx = nginx_start(&(struct nginx_options){.docroot = test_tmpdir()});
 *     snprintf(url, sizeof url, "https://localhost:%d/file", nginx_tls_port(nginx));
 *
 * It listens on 127.0.0.1 and, where there is one, ::1, and answers when nginx_start() returns. It
 * stops with the test, well or badly ended. Skips the test where nginx is not installed.
 */
#ifndef TEST_NGINX_H
#define TEST_NGINX_H

#include <stdint.h>

/* Zero-initialised is valid. Borrowed for the call. */
struct nginx_options {
    const char *docroot;     /* what it serves; NULL: an empty folder */
    const char *cert;        /* a name of certs.h; NULL: "good" */
    const char *server_conf; /* directives for its server block, such as "location /x { ... }" */
    const char *http_conf;   /* directives for the http block, before the server block */
};

struct nginx;

struct nginx *nginx_start(const struct nginx_options *options);

/* The ports of http and https. */
uint16_t nginx_port(const struct nginx *nginx);
uint16_t nginx_tls_port(const struct nginx *nginx);

/* How many requests the access log shows that contain `text` in their line; a line is
 * "HOST METHOD URI STATUS connection NUMBER requests NUMBER". nginx writes it after the response, so
 * ask with nginx_wait_requests() first. */
int nginx_requests(const struct nginx *nginx, const char *text);

/* Waits until at least `count` lines contain `text`; fails the test after 5 s. */
void nginx_wait_requests(const struct nginx *nginx, const char *text, int count);

/* Stops it before the test ends: connections are cut. Its ports refuse from then on. */
void nginx_stop(struct nginx *nginx);

#endif
