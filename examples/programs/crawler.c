/* SPDX-License-Identifier: MIT */
/* A crawler: follows the links of a site, and lists its pages with their status.
 *
 * It visits one level of links after the other, the pages of a level concurrently. It stays on the
 * first page's origin, visits no page twice, and is bounded in depth, pages, and bytes per page. It
 * is polite: at most N requests at the same time, a pause between the starts of two requests, and
 * no page that robots.txt disallows for all robots.
 *
 * Links are the values of href="..." and href='...' wherever they occur in an HTML page, also in a
 * comment; <base> is not looked at. A parser for HTML would find more and costs a library.
 * Next: jobs.c */
#include <getopt.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <whorl.h>

enum { BODY_MAX = 1 << 20 };

struct crawl;

struct page {
    struct crawl *crawl;
    char *url;
    int status, links;
    int err;
};

struct crawl {
    struct whorl_http_session *session;
    struct whorl_url start;
    void *seen;        /* a search tree of URLs, see tsearch(3); owns them */
    struct page *next; /* of the next level */
    size_t next_count;
    size_t seen_count, visited;
    char *robots;              /* robots.txt, or NULL */
    struct whorl_limiter pace; /* of the starts of requests */
    long depth, pages_max, at_once, pause_ms;
};

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Whether robots.txt (RFC 9309) allows the path to all robots: no Disallow line of a group for "*"
 * is the beginning of the path. */
static bool allowed(const char *robots, const char *target)
{
    bool ours = false, named = false; /* the group is for us; the line before named a robot */

    for (const char *at = robots; at && *at; at += strspn(at, "\r\n")) {
        char line[256], value[256] = "";
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\r\n"), at);
        at += strcspn(at, "\r\n");
        sscanf(line, "%*[^:]: %255[^ #]", value);
        if (strncasecmp(line, "user-agent:", 11) == 0) {
            ours = (named && ours) || strcmp(value, "*") == 0;
            named = true;
            continue;
        }
        named = false;
        if (ours && strncasecmp(line, "disallow:", 9) == 0 && value[0] &&
            strncmp(target, value, strlen(value)) == 0)
            return false;
    }
    return true;
}

/* Adds a link to the next level, unless it leads elsewhere or is known. */
static int add(struct crawl *crawl, const struct whorl_url *base, const char *link)
{
    WHORL_AUTO(url) url = {0};

    if (whorl_url_resolve(base, link, NULL, &url) != 0 ||
        !whorl_url_same_origin(&url, &crawl->start) || !allowed(crawl->robots, url.target) ||
        tfind(url.text, &crawl->seen, compare) || crawl->seen_count == (size_t)crawl->pages_max)
        return 0;
    char *text = strdup(url.text);
    struct page *next = realloc(crawl->next, (crawl->next_count + 1) * sizeof *next);
    if (next)
        crawl->next = next;
    if (!text || !next || !tsearch(text, &crawl->seen, compare)) {
        free(text);
        return -ENOMEM;
    }
    next[crawl->next_count++] = (struct page){.crawl = crawl, .url = text};
    crawl->seen_count++;
    return 0;
}

/* Follows the links in the text of a page, which it changes. */
static int follow(struct page *page, const struct whorl_url *base, char *text)
{
    int err = 0;

    for (char *at = text; err == 0 && (at = strcasestr(at, "href="));) {
        char quote = *(at += 5);
        size_t len = quote == '"' || quote == '\'' ? strcspn(at + 1, (char[]){quote, 0}) : 0;
        char *end = at + 1 + len;
        if (len == 0 || *end == '\0')
            continue;
        *end = '\0';
        for (char *amp = at; (amp = strstr(amp, "&amp;")); amp++)
            memmove(amp + 1, amp + 5, strlen(amp + 5) + 1);
        page->links++;
        err = add(page->crawl, base, at + 1);
        at = end + 1;
    }
    return err;
}

/* Waits for its turn, and then requests a page. Redirects are links like others. */
static WHORL_SUSPENDS int get(struct crawl *crawl, const char *url,
                              struct whorl_http_response **ret)
{
    const struct whorl_http_request request = {
        .url = url, .decode = true, .redirects_max = -1, .timeouts.total_ns = 30 * WHORL_SECOND};

    int err = whorl_limiter_acquire(&crawl->pace, 1);
    return err ? err : whorl_http_do(crawl->session, &request, NULL, ret);
}

static WHORL_SUSPENDS int read_page(struct page *page)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *text;

    int err = get(page->crawl, page->url, &response);
    if (err)
        return err;
    page->status = whorl_http_response_status(response);
    const struct whorl_url *url = whorl_http_response_url(response);
    const char *type = whorl_http_response_header(response, "Content-Type");
    const char *location = whorl_http_response_header(response, "Location");
    if (page->status >= 300 && page->status < 400 && location)
        return add(page->crawl, url, location);
    if (page->status != 200 || !type || strncasecmp(type, "text/html", 9) != 0)
        return 0;
    err = whorl_http_response_read_to_end(response, BODY_MAX, &text, NULL);
    if (err)
        return err;
    err = follow(page, url, text);
    free(text);
    return err;
}

/* A page that fails does not end the crawl. */
static int visit(void *arg)
{
    struct page *page = arg;

    page->err = read_page(page);
    return page->err == -ECANCELED ? page->err : 0;
}

/* Sets crawl->robots, to NULL if the site has no robots.txt. */
static WHORL_SUSPENDS int read_robots(struct crawl *crawl)
{
    WHORL_AUTO(http_response) *response = NULL;
    WHORL_AUTO(url) url = {0};

    int err = whorl_url_resolve(&crawl->start, "/robots.txt", NULL, &url);
    if (err == 0)
        err = get(crawl, url.text, &response);
    if (err || whorl_http_response_status(response) != 200)
        return err;
    return whorl_http_response_read_to_end(response, BODY_MAX, &crawl->robots, NULL);
}

static int root(void *arg)
{
    struct crawl *crawl = arg;
    const struct whorl_http_session_options options = {
        .user_agent = "whorl-crawler/1.0", .conns_per_host_max = (size_t)crawl->at_once};
    WHORL_AUTO(http_session) *session = NULL;

    int err = whorl_http_session_create(&options, &session);
    crawl->session = session;
    crawl->pace =
        (struct whorl_limiter){.rate = 1, .period_ns = crawl->pause_ms * WHORL_MILLISECOND};
    if (err == 0)
        err = read_robots(crawl);
    if (err == 0)
        err = add(crawl, &crawl->start, crawl->start.text);
    for (long depth = 0; err == 0 && depth <= crawl->depth && crawl->next; depth++) {
        struct page *level = crawl->next;
        size_t count = crawl->next_count;
        crawl->next = NULL;
        crawl->next_count = 0;
        crawl->visited += count;
        err = whorl_map(visit, level, sizeof *level, count, (size_t)crawl->at_once, NULL);
        for (size_t i = 0; i < count; i++)
            printf("%ld %3d %4d links %s%s%s\n", depth, level[i].status, level[i].links,
                   level[i].url, level[i].err ? ": " : "",
                   level[i].err ? whorl_strerror(level[i].err) : "");
        free(level);
    }
    return err;
}

/* The value of an option: a whole number from 1 to 1,000,000, or 0 for anything else. */
static long number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    return *end || value < 1 || value > 1000000 ? 0 : value;
}

int main(int argc, char **argv)
{
    struct crawl crawl = {.depth = 3, .pages_max = 1000, .at_once = 4, .pause_ms = 10};
    struct whorl_error error = {0};
    int option;

    while ((option = getopt(argc, argv, "d:m:n:p:")) != -1)
        *(option == 'd'   ? &crawl.depth
          : option == 'm' ? &crawl.pages_max
          : option == 'n' ? &crawl.at_once
                          : &crawl.pause_ms) = option == '?' ? 0 : number(optarg);
    if (optind + 1 != argc || !crawl.depth || !crawl.pages_max || !crawl.at_once ||
        !crawl.pause_ms) {
        fputs("usage: crawler [-d DEPTH] [-m PAGES_MAX] [-n AT_ONCE] [-p PAUSE_MS] URL\n", stderr);
        return 2;
    }
    int err = whorl_url_parse(argv[optind], &error, &crawl.start);
    if (err == 0)
        err = whorl_io_run(root, &crawl);
    if (err)
        fprintf(stderr, "crawler: %s\n", error.text[0] ? error.text : whorl_strerror(err));
    else
        printf("%zu pages\n", crawl.visited);
    tdestroy(crawl.seen, free);
    free(crawl.next);
    free(crawl.robots);
    whorl_url_finish(&crawl.start);
    return err ? 1 : 0;
}
