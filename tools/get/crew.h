/* SPDX-License-Identifier: MIT */
/* The connections that fetch one file together.
 *
 *     the caller's task    the first piece; then whatever is still missing
 *     a task per helper    a piece that was cut off from another one (claims.h), then others; it
 *                          ends when the file is complete, or when its connection fails
 *     the governor's task  starts helpers and dismisses them (gain.h); makes bytes durable
 *
 * A helper that finds nothing worth a request rests: it gives its place at the host to others, and
 * looks again at each tick of the governor, because another connection may become slow or silent.
 *
 * When a helper fails, its claim becomes a gap, which the other connections fill. No helper is
 * added after that, because the server may limit the connections of a client. When the first
 * connection fails, the download goes on as long as there are helpers that receive.
 */
#ifndef WHORL_GET_CREW_H
#define WHORL_GET_CREW_H

#include <whorl/base.h>

#include "tools/get/piece.h"

/**
 * Fetches all missing bytes of the download's part.
 *
 * @response  with the whole file, for the first piece, and is closed; NULL: each piece is asked for
 * @ret       as for piece_fetch(); NULL when `response` is given
 *
 * Returns: 0 when all bytes are there; one of enum download_verdict, and for DOWNLOAD_AFRESH the
 *          reason is in `afresh`; or a negative code, and `error` is filled.
 */
WHORL_SUSPENDS int crew_run(struct download *download, struct whorl_http_response *response,
                            struct whorl_http_response **ret);

#endif
