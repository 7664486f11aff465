/* SPDX-License-Identifier: MIT */
/* The body of a response becomes a file, if it is the expected one. */
#ifndef WHORL_GET_TRANSFER_STORE_H
#define WHORL_GET_TRANSFER_STORE_H

#include "tools/get/transfer_state.h"

/* These four are callbacks of a save; `arg` is the transfer. */

/* Called when the name is taken. Returns the next name to try. */
const char *transfer_next_path(void *arg, unsigned attempt);

/* Called when bytes of the body have been received: for the events. */
void transfer_note_progress(void *arg, int64_t received);

/* Called with the bytes of the body, in order: for the hashes. */
void transfer_see_part(void *arg, const char *data, size_t len);

/* The body is complete. A body that is not the expected one gets a name that says so. */
int transfer_decide(void *arg, const char **path);

/* Saves the body to the file. Returns 0; -EBADMSG for a body that is not the expected one, and then
 * `is_bad` says whether it was kept; another error of whorl_http_response_save(). */
WHORL_SUSPENDS int transfer_save(struct transfer *t, struct whorl_http_response *response);

#endif
