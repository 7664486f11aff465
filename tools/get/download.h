/* SPDX-License-Identifier: MIT */
/* Receives one large file into a part (part.h) that a later run can continue.
 *
 *     download_find()    opens the part that an earlier run has left
 *     download_resume()  asks for what is missing, and receives it
 *     download_start()   receives the body of a response with status 200, from its first byte
 *     download_take()    gives the complete file its name
 *
 * Bytes of two responses are joined only if the server says that they are of the same file: by the
 * same strong ETag, or the same strong Last-Modified date (validator.h), and by the same length. In
 * addition, up to OVERLAP bytes before the join are received again and compared. A request for the
 * rest carries If-Range, so a server whose file has changed sends the whole new file at once.
 *
 * The first connection may get help: others claim parts of what it has still to receive (claims.h),
 * either at once, as the user asks, or when the rest would take long (gain.h). If one of them
 * fails, or the server does not send ranges, the others continue without it. The download fails
 * when the last one has failed.
 *
 * Bytes of several URLs are joined only if a hash of the file is known. Then the validators are
 * those of the URL that began the part. Other URLs must have the same length, and the same bytes
 * before the join.
 *
 * A body is not joined if it is decoded on the way: a coded body has other positions than the file.
 */
#ifndef WHORL_GET_DOWNLOAD_H
#define WHORL_GET_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/http.h>

#include "tools/get/piece.h"

/* The state of a download is struct download in piece.h. */

/* Makes the names of the part for the file `path` in `dir_fd`. Returns 0 or -ENOMEM. */
WHORL_CHECKED int download_init(struct download *download, int dir_fd, const char *path);

/* Closes the part and keeps it. Accepts a zeroed download. */
void download_finish(struct download *download);

/* Opens the part that an earlier run has left. Returns whether there is one that can be continued;
 * `afresh` says why not, if there is one that cannot. */
WHORL_SUSPENDS bool download_find(struct download *download);

/* Compares the existing file `path` with that on the server: the length, and the last bytes. Counts
 * the bytes of the file as `resumed_from` if they are the same.
 *
 * Returns: 1 when they are the same; 0 when not, or when there is no such file; or a negative code,
 *          and `error` is filled. */
WHORL_SUSPENDS int download_is_there(struct download *download, int dir_fd, const char *path);

/* Passes all bytes of a complete part to `see`, from the first one. Returns 0 or a negative code,
 * and `error` is filled. */
WHORL_SUSPENDS int download_see_again(struct download *download);

/* Whether a part is open, which download_resume() continues. */
bool download_has_part(const struct download *download);

/* Whether the response is one that a part is kept for: large, complete, and with a validator. */
bool download_is_worth(const struct whorl_http_response *response);

/* Fetches what is missing.
 *
 * @ret  with DOWNLOAD_STATUS: the response; with DOWNLOAD_AFRESH: the response with the whole file,
 *       for download_start(), or NULL: it must be asked for. Close it.
 *
 * Returns: 0; one of enum download_verdict; or a negative code, and `error` is filled. The part is
 *          kept, unless it is to be fetched afresh. */
WHORL_SUSPENDS int download_resume(struct download *download, struct whorl_http_response **ret);

/* Creates a part and receives the body of `*response`, which download_is_worth(). When the part has
 * been created, the response is closed as early as possible, and `*response` is NULL; before that,
 * the response can still be saved in another way.
 *
 * Returns: 0; DOWNLOAD_AFRESH when its bytes are not those of other responses: the part has been
 *          removed, and ranges of the file are not to be asked for; or a negative code, and `error`
 *          is filled. */
WHORL_SUSPENDS int download_start(struct download *download, struct whorl_http_response **response);

/* Removes the part. `why` is for `afresh`. */
WHORL_SUSPENDS_SHIELDED void download_drop(struct download *download, const char *why);

/* Bytes of the file that are there, of how many. Both are 0 without a part. */
int64_t download_done(const struct download *download);
int64_t download_length(const struct download *download);

/* As part_take(). */
WHORL_SUSPENDS int download_take(struct download *download, const char *path, bool replace);

#endif
