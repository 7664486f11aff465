/* SPDX-License-Identifier: MIT */
/* Checks of accounts of responses, see http1_account.h, and the heads that many of them share. */
#ifndef TEST_HTTP1_RESPONSE_H
#define TEST_HTTP1_RESPONSE_H

#include "http1_account.h"

/* A literal may contain NUL bytes. */
#define EXPECT(input, expected) \
    expect(__FILE__, __LINE__, &(struct http1_setup){0}, input, sizeof(input) - 1, expected)
#define EXPECT_WITH(input, expected, ...)                                                    \
    expect(__FILE__, __LINE__, &(struct http1_setup){__VA_ARGS__}, input, sizeof(input) - 1, \
           expected)

#define OK           "HTTP/1.1 200 OK\r\n"
#define CHUNKED      OK "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_HEAD "200(OK){Transfer-Encoding=chunked}"

#endif
