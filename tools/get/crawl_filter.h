/* SPDX-License-Identifier: MIT */
/* Which links of a page are followed: the rules that need no server. No I/O. */
#ifndef WHORL_GET_CRAWL_FILTER_H
#define WHORL_GET_CRAWL_FILTER_H

#include <stdbool.h>

#include "tools/get/references.h"

struct options;
struct whorl_url;

enum crawl_verdict {
    CRAWL_FOLLOW,
    CRAWL_LINKS_ONLY, /* a page that --accept or --reject leaves out: only its links are wanted */
    CRAWL_OTHER_HOST,
    CRAWL_ABOVE_START, /* --no-parent */
    CRAWL_PATTERN,     /* --accept, --reject */
};

/* Decides about a link in the page `from`; `start` is the URL with which the crawl began.
 *
 * - Without --span-hosts, the host must be that of `from`, or one of --domains. The default ports
 *   of http and https count as the same host; other ports are other hosts.
 * - With --no-parent, a URL on the host of `start` must be in its directory, unless it is a part of
 *   a page and --page-requisites is given.
 * - The patterns are those of fnmatch(3). One with a slash is compared with the whole URL, and any
 *   other with the last part of its path. A link to a page whose name ends with ".html", ".htm" or
 *   "/" is followed for its links also if its name is left out. */
enum crawl_verdict crawl_judge(const struct options *options, const struct whorl_url *start,
                               const struct whorl_url *from, enum reference_kind kind,
                               const struct whorl_url *link);

#endif
