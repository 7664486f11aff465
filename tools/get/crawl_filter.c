/* SPDX-License-Identifier: MIT */
/* Rules for links, see crawl_filter.h. */
#include "tools/get/crawl_filter.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <whorl/url.h>

#include "tools/get/names.h"
#include "tools/get/options.h"

static bool is_default_port(const struct whorl_url *url)
{
    return url->port == (url->is_tls ? 443 : 80);
}

static bool is_same_host(const struct whorl_url *a, const struct whorl_url *b)
{
    return strcmp(a->host, b->host) == 0 &&
           (a->port == b->port || (is_default_port(a) && is_default_port(b)));
}

/* Calls `matches` with the words of a list, which commas separate, until one matches. */
static bool any_word(const char *list, bool (*matches)(void *arg, const char *word), void *arg)
{
    char word[512];

    for (const char *p = list; p && *p;) {
        size_t len = strcspn(p, ",");
        if (len > 0 && len < sizeof word) {
            memcpy(word, p, len);
            word[len] = '\0';
            if (matches(arg, word))
                return true;
        }
        p += len + (p[len] == ',');
    }
    return false;
}

/* A domain contains the hosts whose names end with it. */
static bool is_in_domain(void *arg, const char *domain)
{
    const struct whorl_url *url = arg;
    size_t len, host_len = strlen(url->host);

    domain += *domain == '.';
    len = strlen(domain);
    if (len > host_len || strcasecmp(url->host + host_len - len, domain) != 0)
        return false;
    return len == host_len || (url->host[host_len - len - 1] == '.' && !url->host_is_ip);
}

static bool is_host_allowed(const struct options *options, const struct whorl_url *from,
                            const struct whorl_url *link)
{
    return options->span_hosts || is_same_host(from, link) ||
           any_word(options->domains, is_in_domain, (void *)link);
}

static bool is_below(const struct whorl_url *start, const struct whorl_url *link)
{
    size_t path_len = strcspn(start->target, "?");

    while (path_len > 0 && start->target[path_len - 1] != '/')
        path_len--;
    return strncmp(start->target, link->target, path_len) == 0;
}

struct link {
    const char *text;
    char name[NAME_SIZE]; /* the last part of the path, or its end */
};

static bool fits(void *arg, const char *pattern)
{
    const struct link *link = arg;

    return fnmatch(pattern, strchr(pattern, '/') ? link->text : link->name, 0) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcasecmp(text + len - end_len, end) == 0;
}

static enum crawl_verdict judge_name(const struct options *options, enum reference_kind kind,
                                     const struct whorl_url *url)
{
    const char *end = url->target + strcspn(url->target, "?"), *name = end;
    struct link link = {.text = url->text};

    while (name > url->target && name[-1] != '/' && end - name < NAME_SIZE - 1)
        name--;
    snprintf(link.name, sizeof link.name, "%.*s", (int)(end - name), name);
    if ((!options->accept || any_word(options->accept, fits, &link)) &&
        !any_word(options->reject, fits, &link))
        return CRAWL_FOLLOW;
    bool may_have_links =
        !*link.name || ends_with(link.name, ".html") || ends_with(link.name, ".htm");
    return kind == REFERENCE_PAGE && may_have_links ? CRAWL_LINKS_ONLY : CRAWL_PATTERN;
}

enum crawl_verdict crawl_judge(const struct options *options, const struct whorl_url *start,
                               const struct whorl_url *from, enum reference_kind kind,
                               const struct whorl_url *link)
{
    bool is_part = kind == REFERENCE_RESOURCE && options->page_requisites;

    if (!is_host_allowed(options, from, link))
        return CRAWL_OTHER_HOST;
    if (options->no_parent && !is_part && is_same_host(start, link) && !is_below(start, link))
        return CRAWL_ABOVE_START;
    return judge_name(options, kind, link);
}
