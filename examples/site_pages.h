/* SPDX-License-Identifier: MIT */
/* The pages of the demonstration site: what each of its hosts has, the same on every run. */
#ifndef SITE_PAGES_H
#define SITE_PAGES_H

#include <stddef.h>
#include <stdint.h>

enum { PAGES_MAX = 100000 };

struct site_page {
    const char *host; /* one of site_hosts */
    char name[24];    /* "page-001.html", unique among all hosts */
    char *text;
    size_t len;
};

struct site {
    struct site_page *pages;
    int count;
};

/* "one.localhost", ...: names below localhost are the loopback addresses (RFC 6761 §6.3). NULL ends
 * the list. */
extern const char *const site_hosts[];

/* Makes `count` pages, dealt to the hosts in turn. 0 or -ENOMEM. */
int site_create(struct site *ret, int count);
void site_finish(struct site *site);

/* The page that `path` ("/page-001.html") means on `host` (without a port, any case), or NULL. */
const struct site_page *site_find(const struct site *site, const char *host, const char *path);

/* The page's links to all pages of `host`, as HTML. free() it; NULL when there is no memory. */
char *site_index(const struct site *site, const char *host, size_t *ret_len);

/* The name in site_hosts, or NULL. */
const char *site_host(const char *host);

/* One URL a line, in the order of the page numbers. 0 or -errno. */
int site_write_urls(const struct site *site, uint16_t port, const char *path);

/* Lines that `sha256sum --check` reads. 0 or -errno. */
int site_write_manifest(const struct site *site, const char *path);

#endif
