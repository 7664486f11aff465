/* SPDX-License-Identifier: MIT */
/* Where a crawl has found a URL. */
#ifndef WHORL_GET_CRAWL_PLACE_H
#define WHORL_GET_CRAWL_PLACE_H

#include <stdbool.h>

/* Zero-initialised: the URL is no part of a crawl. */
struct crawl_place {
    bool is_crawled;
    int depth;          /* links from a given URL to this one, on the shortest way that is known */
    const char *parent; /* the URL before it on this way: its page links here, or it redirects here;
                           borrowed; NULL: this is a given URL */
};

#endif
