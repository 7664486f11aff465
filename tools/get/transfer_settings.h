/* SPDX-License-Identifier: MIT */
/* What the options and the settings of a list say about a URL: headers, sizes and hashes. */
#ifndef WHORL_GET_TRANSFER_SETTINGS_H
#define WHORL_GET_TRANSFER_SETTINGS_H

#include "tools/get/transfer_state.h"

/* The user name and the password for a URL of the file; they may be NULL. */
const struct user *transfer_user_for(const struct transfer *t, const char *url);

/* Writes the headers of a request for the URL, at most `headers_count`. Returns their count. */
size_t transfer_headers_for(const struct transfer *t, const char *url,
                            struct whorl_http_header *ret);

/* Collects what is known about the body. Returns false when it contradicts itself. */
bool transfer_expect_all(struct transfer *t, const char **ret_cause);

/* A link to an origin that the user has not given gets only the headers that hold no secret. */
void transfer_hide_secrets(struct transfer *t);

/* Takes the settings of the URL. Settings that are wrong end the transfer here. */
int transfer_take_settings(struct transfer *t);

#endif
