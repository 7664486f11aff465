/* SPDX-License-Identifier: MIT */
/* Sitemaps (sitemaps.org, protocol 0.9): the URLs of a site, as XML, or as text with a URL on each
 * line. Both may be compressed with gzip. libxml2 parses the XML. No I/O.
 */
#ifndef WHORL_GET_SITEMAP_H
#define WHORL_GET_SITEMAP_H

#include <stdbool.h>
#include <stddef.h>

/* The protocol's limits, and the longest URL. */
enum { SITEMAP_MAX = 50 << 20, SITEMAP_URLS_MAX = 50000, SITEMAP_URL_MAX = 2048 };

/* Called for each URL; `is_sitemap`: it is that of another sitemap. Returns 0, or a code that ends
 * the reading. */
typedef int sitemap_fn(void *arg, bool is_sitemap, const char *url);

/* Whether the text begins like the XML of a sitemap or of an index of sitemaps: its first element
 * is <urlset> or <sitemapindex>. */
bool sitemap_is_xml(const char *text, size_t len);

/**
 * Reads a sitemap. What is neither XML nor text with http URLs is wrong.
 *
 * @why  what is wrong, without control bytes; set with -EINVAL
 *
 * Returns: 0; what `take` returns; -EINVAL, perhaps after some calls of `take`; -ENOMEM.
 */
int sitemap_read(const char *text, size_t len, sitemap_fn *take, void *arg, char *why,
                 size_t why_size);

#endif
