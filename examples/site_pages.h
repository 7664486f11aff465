/* SPDX-License-Identifier: MIT */
/* The pages of the demonstration site. Their contents are the same in every run. */
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

/* The host names, NULL-terminated. Names that end in .localhost are loopback addresses: RFC 6761
 * §6.3. */
extern const char *const site_hosts[];

/* Makes `count` pages and assigns them to the hosts in turn. Returns 0 or -ENOMEM. */
int site_create(struct site *ret, int count);
void site_finish(struct site *site);

/* Returns the page with the path `path` ("/page-001.html") on `host`, or NULL. `host` has no port
 * and may be in any case. */
const struct site_page *site_find(const struct site *site, const char *host, const char *path);

/* Returns an HTML page with links to all pages of `host`; free() it. Returns NULL when there is no
 * memory. */
char *site_index(const struct site *site, const char *host, size_t *ret_len);

/* Returns the entry of site_hosts that equals `host` in any case, or NULL. */
const char *site_host(const char *host);

/* Writes one URL per line, in the order of the page numbers. Returns 0 or -errno. */
int site_write_urls(const struct site *site, uint16_t port, const char *path);

/* Writes lines that `sha256sum --check` reads. Returns 0 or -errno. */
int site_write_manifest(const struct site *site, const char *path);

#endif
