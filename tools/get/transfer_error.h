/* SPDX-License-Identifier: MIT */
/* The texts of failures. */
#ifndef WHORL_GET_TRANSFER_ERROR_H
#define WHORL_GET_TRANSFER_ERROR_H

#include "tools/get/transfer_state.h"

/* Adds to the text of a failure. */
__attribute__((format(printf, 2, 3))) void transfer_append(struct whorl_error *error,
                                                           const char *format, ...);

/* Whether the failure concerns the file and not the network. */
bool transfer_is_local(const struct whorl_error *error);

/* Completes the error text: the library's text, and what only this program knows. */
void transfer_explain(struct transfer *t, int err, const char *step);

#endif
