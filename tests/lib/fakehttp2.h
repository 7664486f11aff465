/* SPDX-License-Identifier: MIT */
/* A gateway in memory between an HTTP/2 client and a server of HTTP/1.1 that follows a script. */
#ifndef TEST_FAKEHTTP2_H
#define TEST_FAKEHTTP2_H

#include "fakehttp.h"

struct fakehttp2;

/* Starts a gateway whose client has the other end of `stream`. It owns the stream. */
int fakehttp2_start(struct fake *fake, struct whorl_stream *stream);

/* Asks all gateways of `fake` to end. */
void fakehttp2_stop(struct fake *fake);

/* Starts a server that follows the next script, and returns the client's end of its connection. */
int fake_start_script(struct fake *fake, struct whorl_stream **ret);

#endif
