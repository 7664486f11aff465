/* SPDX-License-Identifier: MIT */
/* Fetching one page, in the same way for every model. So sequential.c, threads.c, tasks.c and
 * processes.c differ only in the model. */
#ifndef MODELS_IO_PAGE_H
#define MODELS_IO_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include <whorl.h>

#include "batch.h"

/* Creates a session with the same options for every model. Returns 0 or -ENOMEM. */
int page_session(const struct batch *batch, struct whorl_http_session **ret);

/* Fetches a page and stores its result. */
WHORL_SUSPENDS_SHIELDED void page_get(struct batch *batch, struct whorl_http_session *session,
                                      const struct page *page, struct result *ret);

/* Creates a lane with the name `kind` and a number. */
int page_lane(struct batch *batch, const char *kind);

/* Computes the FNV-1a digest of a text in pieces. The first call gets PAGE_DIGEST_EMPTY. */
#define PAGE_DIGEST_EMPTY UINT64_C(14695981039346656037)
uint64_t page_digest(uint64_t digest, const char *data, size_t len);

#endif
