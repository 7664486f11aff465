/* SPDX-License-Identifier: MIT */
/* The errors of reading URLs. Each function fills `error`, which may be NULL, and returns its
 * code. */
#ifndef IO_URL_ERROR_H
#define IO_URL_ERROR_H

#include <whorl/error.h>

int url_refuse(struct whorl_error *error, const char *why); /* WHORL_EHTTP_URL */
int url_no_memory(struct whorl_error *error);

#endif
