/* SPDX-License-Identifier: MIT */
/* Remembers the last URL that was parsed twice in a row. A program that polls, or that sends many
 * requests to one URL, passes the same text each time; a copy costs a tenth of a parse.
 */
#ifndef IO_URL_CACHE_H
#define IO_URL_CACHE_H

#include <whorl/url.h>

/* A zeroed cache is valid and empty. The fields are private. */
struct url_cache {
    const char *given;    /* address of the last text; compared, never followed */
    char *text;           /* owned; NULL: nothing is remembered */
    struct whorl_url url; /* what `text` means */
};

/* As whorl_url_parse(). A text at a new address is parsed and not remembered, so URLs that are used
 * once cost no memory. */
int url_cache_parse(struct url_cache *cache, const char *text, struct whorl_error *error,
                    struct whorl_url *ret);

/* Frees what is remembered. */
void url_cache_finish(struct url_cache *cache);

#endif
