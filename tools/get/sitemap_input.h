/* SPDX-License-Identifier: MIT */
/* Sitemaps as a source of URLs: --sitemap. */
#ifndef WHORL_GET_SITEMAP_INPUT_H
#define WHORL_GET_SITEMAP_INPUT_H

#include <whorl/base.h>

struct get;

/* Sitemaps that one index may have. */
enum { SITEMAP_INDEX_MAX = 1000 };

/* Takes a URL of a sitemap. `list` is the sitemap, which lives as long as the run's options.
 * Returns 0 or -ECANCELED. */
typedef WHORL_SUSPENDS int sitemap_input_fn(void *arg, const char *url, const char *list);

/* Fetches a sitemap, or an index and the sitemaps in it, and calls `take` for each URL. URLs of
 * other hosts are left out, because a sitemap speaks for its own host only, and so are those that
 * --no-parent, --accept and --reject leave out. A failure is reported like that of a transfer.
 * Returns 0 or -ECANCELED. */
WHORL_SUSPENDS int sitemap_input_read(struct get *get, const char *url, sitemap_input_fn *take,
                                      void *arg);

#endif
