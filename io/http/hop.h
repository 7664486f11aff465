/* SPDX-License-Identifier: MIT */
/* One hop of a request: an exchange with one server. */
#ifndef IO_HTTP_HOP_H
#define IO_HTTP_HOP_H

#include <whorl/base.h>

struct fetch;

/* Carries out the hop from the queue to the end of the head. Sends the request again where that is
 * safe, and answers a proxy which gets the request itself.
 *
 * 0: `response->exchange` has the head. Else a code, with `error` filled; the exchange may be there
 * for the info at the end. */
WHORL_SUSPENDS int hop_run(struct fetch *f);

#endif
