/* SPDX-License-Identifier: MIT */
/* Follows the links of pages: --recursive and --page-requisites.
 *
 *     reader      mirror_give() for each URL that the user has given
 *     transfer    mirror_ended() when a file is there: its links become new items of the schedule
 *     end         mirror_convert() rewrites the links of all pages
 *
 * Each URL is known once, so loops end. Links are followed in the order in which they are found, as
 * far as options.h and crawl_filter.h allow, and if robots.txt allows it. The URLs that the user
 * has given are fetched in any case. A redirect of a file is a link, too, and follows the same
 * rules; that of a given URL may lead to any host, and the crawl continues there.
 *
 * Headers, user name and password of the user are for the origins of the given URLs, as with
 * redirects: links to other origins do not get them.
 *
 * A page that is found again on a shorter way is read again if links of it were too deep before. So
 * the files that are fetched do not depend on the order in which answers come.
 *
 * Of the URLs that are known, MIRROR_URLS_MAX and MIRROR_BYTES_MAX are the most; others are left
 * out, and a message says so. A URL takes about 120 bytes besides its text and its path.
 */
#ifndef WHORL_GET_MIRROR_H
#define WHORL_GET_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <whorl/base.h>
#include <whorl/url.h>

#include "tools/get/buffer.h"
#include "tools/get/crawl_place.h"
#include "tools/get/robots_cache.h"

struct get;
struct schedule_item;

enum { MIRROR_URLS_MAX = 1000000, MIRROR_BYTES_MAX = 512 << 20, MIRROR_LINK_MAX = 4096 };

/* MIRROR_UNKNOWN: the response did not say it, as for a file that is not modified. */
enum mirror_type { MIRROR_OTHER, MIRROR_HTML, MIRROR_CSS, MIRROR_UNKNOWN };

/* A URL that is known. */
struct mirror_url {
    TAILQ_ENTRY(mirror_url) in_queue;
    struct mirror_url *start;    /* with which the crawl began; itself for a given URL */
    struct mirror_url *parent;   /* whose page links to it, or which redirects to it, and that has
                                    the depth before it; NULL: this is a given URL */
    struct mirror_url *moved_to; /* where it redirects; NULL: nowhere */
    char *path;                  /* of its file, relative to --dir; NULL: there is none; owned */
    int depth;                   /* links from the given URL to it */
    int redirects;               /* that lead to it, one after the other */
    enum mirror_type type;
    bool is_part;    /* a part of a page, of which only the parts are wanted: --page-requisites */
    bool links_only; /* its file is removed when its links are known */
    bool is_queued;  /* in `again` */
    char text[];
};

TAILQ_HEAD(mirror_urls, mirror_url);

/* Why links were not followed, for the message at the end. */
struct mirror_left {
    uint64_t hosts, above, patterns, robots, nofollow, limits, unread;
};

/* mirror_init() sets it up. */
struct mirror {
    struct get *get;
    void *known;                /* the root of a tsearch(3) tree */
    void *trusted;              /* of the origins of the given URLs */
    struct mirror_urls waiting; /* not in the schedule yet */
    struct mirror_urls again;   /* to be read again */
    size_t count, bytes;
    uint64_t files;      /* that were or will be fetched */
    int64_t saved_bytes; /* of all files */
    struct robots_cache robots;
    struct mirror_left left;
};

/* A file that a transfer has saved, or a redirect that it has got. */
struct mirror_file {
    const struct whorl_url *url;
    const char *location; /* where the response redirects; NULL: it does not */
    const char *type;     /* of the Content-Type header; "": none */
    const char *path;     /* relative to --dir; NULL: there is no file */
    int dir_fd;           /* of the directory of the file */
    const char *name;     /* in this directory */
    int64_t size;
    bool removed; /* set by mirror_ended(): only its links were wanted */
};

void mirror_init(struct mirror *mirror, struct get *get);
void mirror_finish(struct mirror *mirror);

/* Notes a URL of the user. Returns false when it is fetched already, because a link led to it. */
bool mirror_give(struct mirror *mirror, const char *url);

/* Whether the URL has the origin of a given URL, so that it may get the secrets of the user. */
bool mirror_trusts(const struct mirror *mirror, const struct whorl_url *url);

/* Where the URL was found, as far as the crawl is now. Valid until mirror_finish(). */
struct crawl_place mirror_place(const struct mirror *mirror, const char *url);

/* Moves URLs to the schedule if it has room. Called before schedule_next(). */
void mirror_feed(struct mirror *mirror);

/* Whether the status of a response is a redirect that the mirror follows. */
bool mirror_is_redirect(int status);

/* Follows the links of a file. Called before the transfer's item ends, so that the schedule knows
 * that URLs may still be added. Returns 0 or -ECANCELED. */
WHORL_SUSPENDS int mirror_ended(struct mirror *mirror, struct mirror_file *file);

/* Rewrites the links in all pages and style sheets: those to files that are there become relative,
 * and all others absolute. Every other byte stays. Returns 0, or the first failure, which was
 * reported. */
WHORL_SUSPENDS int mirror_convert(struct mirror *mirror);

/* Appends a line about the links that were not followed. */
void mirror_format_left(struct buffer *ret, const struct mirror *mirror);

#endif
