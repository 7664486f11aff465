/* SPDX-License-Identifier: MIT */
/* Requests and their responses: what the events and the schedule get of them, and whether a status
 * is a failure. */
#ifndef WHORL_GET_TRANSFER_ANSWER_H
#define WHORL_GET_TRANSFER_ANSWER_H

#include "tools/get/transfer_state.h"

/* Sets what every request of a transfer has: the observer for the events and the trace, the limits
 * of --limit-rate and --limit-rate-each, and, with --recursive, that redirects are not followed. */
void transfer_prepare_request(struct transfer *t, struct whorl_http_request *request);

/* RFC 9110 §15.4.5: the answer to a conditional request when there is nothing new. It has no
 * body. */
bool transfer_is_unmodified(const struct transfer *t);

/* Checks the status of the response. Returns 0 when the body is what the user asked for, and 1 when
 * the status is a failure. */
int transfer_judge(struct transfer *t, struct whorl_http_response *response);

/* Tells all transfers of the host whether it wants fewer requests. Without a Retry-After header,
 * 503 is a trouble of this URL only. */
void transfer_tell_schedule(struct transfer *t);

/* Keeps what identifies this version of the file. */
void transfer_note_validators(struct transfer *t, const char *etag, const char *modified);

/* Notes the status, the final URL and the validators of a response, and reports it as an event. */
void transfer_note_response(struct transfer *t, struct whorl_http_response *response);

#endif
