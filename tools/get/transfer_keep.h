/* SPDX-License-Identifier: MIT */
/* Large files are received into a part, which a later attempt or run continues (download.h). */
#ifndef WHORL_GET_TRANSFER_KEEP_H
#define WHORL_GET_TRANSFER_KEEP_H

#include "tools/get/transfer_state.h"

/* Whether the bytes of several URLs may be joined: a wrong byte of any of them is noticed. */
bool transfer_joins_mirrors(const struct transfer *t);

/* After a success: a journal without a part explains nothing now, and is removed. */
void transfer_remove_journals(struct transfer *t);

/* Looks for what an earlier run has left: with --continue and a known hash, for the file, and then
 * for a part. Returns 1 when the file has the hash, so there is nothing to fetch; 0; or a negative
 * code, and the error of the outcome is filled. */
WHORL_SUSPENDS int transfer_prepare_download(struct transfer *t);

/* Receives the body into a new part. Returns as transfer_try_once(); DOWNLOAD_AFRESH when there can
 * be none, and then the response is unchanged; or, if `*response` is NULL, when the file must be
 * asked for again, and be saved without a part. */
WHORL_SUSPENDS int transfer_receive_part(struct transfer *t, struct whorl_http_response **response);

/* Continues what is there already. Returns as transfer_try_once(); DOWNLOAD_AFRESH when there is
 * nothing, and then `*ret` is a response with the whole file, or NULL. */
WHORL_SUSPENDS int transfer_try_continue(struct transfer *t, struct whorl_http_response **ret);

/* Says what the next run can continue. */
void transfer_note_kept(struct transfer *t);

#endif
