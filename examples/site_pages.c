/* SPDX-License-Identifier: MIT */
/* The pages of the demonstration site. Their contents are the same in every run. */
#include "site_pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bearssl.h>

const char *const site_hosts[] = {"one.localhost", "two.localhost", "three.localhost", NULL};

static const char *const words[] = {
    "whorl", "spindle", "fibre",  "thread", "wool",    "flax",   "distaff", "yarn",
    "twist", "draw",    "weave",  "loom",   "warp",    "weft",   "shuttle", "bobbin",
    "turn",  "ring",    "weight", "stone",  "clay",    "hand",   "wheel",   "strand",
    "skein", "reel",    "knot",   "cloth",  "pattern", "colour", "needle",  "hem",
};

/* A pseudo-random number. The sequence is the same on every machine. */
static uint32_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static int write_page(struct site_page *page, int number)
{
    uint64_t state = (uint64_t)number * 0x9e3779b97f4a7c15u;
    FILE *out = open_memstream(&page->text, &page->len);

    if (!out)
        return -ENOMEM;
    fprintf(out, "<!doctype html>\n<title>Page %d of %s</title>\n<h1>Page %d</h1>\n", number,
            page->host, number);
    for (uint32_t paragraphs = 4 + draw(&state) % 60; paragraphs > 0; paragraphs--) {
        fputs("<p>", out);
        for (uint32_t count = 20 + draw(&state) % 80; count > 0; count--)
            fprintf(out, "%s%c", words[draw(&state) % (sizeof words / sizeof *words)],
                    count % 12 == 1 ? '\n' : ' ');
    }
    return fclose(out) == 0 ? 0 : -ENOMEM;
}

int site_create(struct site *ret, int count)
{
    *ret = (struct site){.pages = calloc((size_t)count, sizeof *ret->pages)};
    if (!ret->pages)
        return -ENOMEM;
    for (int i = 0; i < count; i++) {
        struct site_page *page = &ret->pages[ret->count++];
        page->host = site_hosts[i % 3];
        snprintf(page->name, sizeof page->name, "page-%03d.html", i + 1);
        if (write_page(page, i + 1) != 0) {
            site_finish(ret);
            return -ENOMEM;
        }
    }
    return 0;
}

void site_finish(struct site *site)
{
    for (int i = 0; i < site->count; i++)
        free(site->pages[i].text);
    free(site->pages);
    *site = (struct site){0};
}

const char *site_host(const char *host)
{
    for (const char *const *name = site_hosts; *name; name++)
        if (strcasecmp(host, *name) == 0)
            return *name;
    return NULL;
}

const struct site_page *site_find(const struct site *site, const char *host, const char *path)
{
    int number, end = 0;

    if (sscanf(path, "/page-%d.html%n", &number, &end) != 1 || end == 0 || path[end] != '\0' ||
        number < 1 || number > site->count)
        return NULL;
    const struct site_page *page = &site->pages[number - 1];
    return strcmp(path + 1, page->name) == 0 && site_host(host) == page->host ? page : NULL;
}

char *site_index(const struct site *site, const char *host, size_t *ret_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_len);

    if (!out)
        return NULL;
    fprintf(out, "<!doctype html>\n<title>%s</title>\n<ul>\n", host);
    for (int i = 0; i < site->count; i++)
        if (site->pages[i].host == host)
            fprintf(out, "<li><a href=\"%s\">%s</a>\n", site->pages[i].name, site->pages[i].name);
    fputs("</ul>\n", out);
    return fclose(out) == 0 ? text : NULL;
}

int site_write_urls(const struct site *site, uint16_t port, const char *path)
{
    FILE *out = fopen(path, "w");

    if (!out)
        return -errno;
    for (int i = 0; i < site->count; i++)
        fprintf(out, "http://%s:%d/%s\n", site->pages[i].host, port, site->pages[i].name);
    return fclose(out) == 0 ? 0 : -errno;
}

int site_write_manifest(const struct site *site, const char *path)
{
    FILE *out = fopen(path, "w");

    if (!out)
        return -errno;
    for (int i = 0; i < site->count; i++) {
        unsigned char digest[br_sha256_SIZE];
        br_sha256_context sha256;
        br_sha256_init(&sha256);
        br_sha256_update(&sha256, site->pages[i].text, site->pages[i].len);
        br_sha256_out(&sha256, digest);
        for (size_t j = 0; j < sizeof digest; j++)
            fprintf(out, "%02x", digest[j]);
        fprintf(out, "  %s\n", site->pages[i].name);
    }
    return fclose(out) == 0 ? 0 : -errno;
}
