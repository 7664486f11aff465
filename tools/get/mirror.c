/* SPDX-License-Identifier: MIT */
/* The crawl, see mirror.h. */
#include "tools/get/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <whorl/file.h>
#include <whorl/offload.h>

#include "tools/get/convert.h"
#include "tools/get/crawl_filter.h"
#include "tools/get/css.h"
#include "tools/get/get.h"
#include "tools/get/html.h"
#include "tools/get/subdir.h"
#include "tools/get/user.h"

/* --- the URLs that are known --- */

static int compare(const void *a, const void *b)
{
    const struct mirror_url *x = a, *y = b;

    return strcmp(x->text, y->text);
}

static struct mirror_url *create_url(const char *text)
{
    struct mirror_url *url = calloc(1, sizeof *url + strlen(text) + 1);

    if (url)
        strcpy(url->text, text);
    return url;
}

static struct mirror_url *find_url(const struct mirror *mirror, const char *text)
{
    struct mirror_url *key = create_url(text);
    struct mirror_url **found = key ? tfind(key, &mirror->known, compare) : NULL;

    free(key);
    return found ? *found : NULL;
}

/* Adds a URL that is not known. Returns NULL at the limits and without memory. */
static struct mirror_url *add_url(struct mirror *mirror, const char *text)
{
    size_t size = sizeof(struct mirror_url) + 32 + strlen(text);
    bool has_room = mirror->count < MIRROR_URLS_MAX && mirror->bytes + size <= MIRROR_BYTES_MAX;
    struct mirror_url *url = has_room ? create_url(text) : NULL;

    if (!url || !tsearch(url, &mirror->known, compare)) {
        free(url);
        mirror->left.limits++;
        return NULL;
    }
    mirror->count++;
    mirror->bytes += size;
    url->start = url;
    return url;
}

static void free_url(void *arg)
{
    struct mirror_url *url = arg;

    free(url->path);
    free(url);
}

/* --- the origins of the given URLs --- */

struct trusted {
    char *userinfo; /* of the first URL that has one; owned; NULL: none */
    char name[];    /* "https://h:8080" */
};

static int compare_trusted(const void *a, const void *b)
{
    const struct trusted *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static struct trusted *create_trusted(const struct whorl_url *url)
{
    size_t size = strlen(url->scheme) + 3 + strlen(url->authority) + 1;
    struct trusted *trusted = calloc(1, sizeof *trusted + size);

    if (trusted)
        snprintf(trusted->name, size, "%s://%s", url->scheme, url->authority);
    return trusted;
}

static struct trusted *find_trusted(const struct mirror *mirror, const struct whorl_url *url)
{
    struct trusted *key = create_trusted(url);
    struct trusted **found = key ? tfind(key, &mirror->trusted, compare_trusted) : NULL;

    free(key);
    return found ? *found : NULL;
}

/* Without memory, links to the origin do not get the secrets. */
static void trust(struct mirror *mirror, const struct whorl_url *url)
{
    struct trusted *trusted = create_trusted(url);
    struct trusted **found = trusted ? tsearch(trusted, &mirror->trusted, compare_trusted) : NULL;

    if (!found || *found != trusted)
        free(trusted);
    if (found && url->userinfo && !(*found)->userinfo)
        (*found)->userinfo = strdup(url->userinfo);
}

static void free_trusted(void *arg)
{
    struct trusted *trusted = arg;

    user_wipe(trusted->userinfo);
    free(trusted);
}

bool mirror_trusts(const struct mirror *mirror, const struct whorl_url *url)
{
    return find_trusted(mirror, url) != NULL;
}

void mirror_init(struct mirror *mirror, struct get *get)
{
    *mirror = (struct mirror){.get = get};
    TAILQ_INIT(&mirror->waiting);
    TAILQ_INIT(&mirror->again);
}

void mirror_finish(struct mirror *mirror)
{
    tdestroy(mirror->known, free_url);
    tdestroy(mirror->trusted, free_trusted);
    mirror->known = mirror->trusted = NULL;
    robots_cache_finish(&mirror->robots);
}

/* A URL that is known was found again; `parent` is NULL for a given URL. */
static void find_again(struct mirror *mirror, struct mirror_url *url, struct mirror_url *parent,
                       int depth, bool is_part)
{
    bool is_nearer = depth < url->depth || (url->is_part && !is_part);

    if (!is_nearer)
        return;
    if (depth < url->depth) {
        url->depth = depth;
        url->parent = parent;
    }
    url->is_part = url->is_part && is_part;
    if (url->path && !url->is_queued) {
        url->is_queued = true;
        TAILQ_INSERT_TAIL(&mirror->again, url, in_queue);
    }
}

bool mirror_give(struct mirror *mirror, const char *url)
{
    WHORL_AUTO(url) parsed = {0};

    if (whorl_url_parse(url, NULL, &parsed))
        return true; /* the transfer says what is wrong */
    trust(mirror, &parsed);
    struct mirror_url *known = find_url(mirror, parsed.text);
    if (known) {
        bool is_given = known->start == known;
        known->parent = NULL;
        find_again(mirror, known, NULL, 0, false);
        return is_given;
    }
    if (add_url(mirror, parsed.text))
        mirror->files++;
    return true;
}

static struct crawl_place place_of(const struct mirror_url *url)
{
    return (struct crawl_place){
        .is_crawled = true, .depth = url->depth, .parent = url->parent ? url->parent->text : NULL};
}

struct crawl_place mirror_place(const struct mirror *mirror, const char *url)
{
    WHORL_AUTO(url) parsed = {0};
    const struct mirror_url *known =
        whorl_url_parse(url, NULL, &parsed) ? NULL : find_url(mirror, parsed.text);

    return known ? place_of(known) : (struct crawl_place){0};
}

/* --- the schedule --- */

static bool is_full(const struct mirror *mirror)
{
    const struct options *options = mirror->get->options;

    return options->quota > 0 && mirror->saved_bytes >= options->quota;
}

/* Adds a URL, with the user name and password of its origin. Returns 0 or -ENOMEM. */
static int add_to_schedule(struct mirror *mirror, const struct mirror_url *url)
{
    WHORL_AUTO(url) parsed = {0};
    struct buffer text = {0};

    int err = whorl_url_parse(url->text, NULL, &parsed);
    const struct trusted *trusted = err ? NULL : find_trusted(mirror, &parsed);
    if (err == 0 && trusted && trusted->userinfo)
        buffer_printf(&text, "%s://%s@%s%s", parsed.scheme, trusted->userinfo, parsed.authority,
                      parsed.target);
    if (err == 0)
        err = text.failed ? -ENOMEM
                          : schedule_add(&mirror->get->schedule, text.text ? text.text : url->text,
                                         "", NULL, 0);
    user_wipe(text.text);
    return err;
}

/* Moves URLs to the schedule. Only as many as can soon start, so that --quota ends the crawl in
 * time. */
void mirror_feed(struct mirror *mirror)
{
    struct get *get = mirror->get;
    struct mirror_url *url;

    while ((url = TAILQ_FIRST(&mirror->waiting)) &&
           (is_full(mirror) || get->schedule.count < get->schedule.jobs)) {
        TAILQ_REMOVE(&mirror->waiting, url, in_queue);
        if (is_full(mirror) || add_to_schedule(mirror, url)) {
            mirror->left.limits++;
            continue;
        }
        events_queue(&get->events, get->schedule.added, url->text, NULL, 0, place_of(url));
    }
    get->report->totals.queued = get->schedule.count;
}

/* --- links --- */

/* The links of a file: for each, a byte for its kind, its text and a NUL. */
struct reading {
    int dir_fd;
    const char *name;
    enum mirror_type type;
    struct buffer links;
};

static const char *note_link(void *arg, enum reference_kind kind, const char *text)
{
    struct buffer *links = arg;
    char letter = (char)('0' + kind);

    if (*text == '#' || strlen(text) > MIRROR_LINK_MAX)
        return NULL;
    buffer_add(links, &letter, 1);
    buffer_add(links, text, strlen(text) + 1);
    return NULL;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);

    return len > suffix_len && strcasecmp(name + len - suffix_len, suffix) == 0;
}

/* Guesses the type of a file from its name and its first bytes. */
static enum mirror_type sniff(const char *name, const struct buffer *text)
{
    static const char *const starts[] = {"<!doctype html", "<html", "<head", "<body"};
    const char *p = text->text ? text->text : "";

    if (has_suffix(name, ".css"))
        return MIRROR_CSS;
    if (has_suffix(name, ".html") || has_suffix(name, ".htm") || has_suffix(name, ".xhtml"))
        return MIRROR_HTML;
    p += strncmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    p += strspn(p, " \t\r\n");
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncasecmp(p, starts[i], strlen(starts[i])) == 0)
            return MIRROR_HTML;
    return MIRROR_OTHER;
}

/* The work of a thread. */
static int read_file(void *arg)
{
    struct reading *reading = arg;
    struct buffer text = {0};
    int err = convert_read(reading->dir_fd, reading->name, HTML_MAX, &text);

    if (err == 0 && reading->type == MIRROR_UNKNOWN)
        reading->type = sniff(reading->name, &text);
    if (err == 0 && text.text && reading->type == MIRROR_HTML)
        err = html_visit(text.text, text.len, note_link, &reading->links, NULL);
    else if (err == 0 && text.text && reading->type == MIRROR_CSS)
        css_visit(text.text, text.len, note_link, &reading->links, NULL);
    buffer_finish(&text);
    return err;
}

/* What a link leads to: the depth, and whether it is only a part of a page. Returns false when it
 * is too deep. */
static bool measure(const struct mirror *mirror, const struct mirror_url *from,
                    enum reference_kind kind, int *ret_depth, bool *ret_is_part)
{
    const struct options *options = mirror->get->options;
    int levels = options->recursive ? options->level : 0;

    *ret_is_part = false;
    *ret_depth = from->depth + 1;
    if (!from->is_part && (levels < 0 || *ret_depth <= levels))
        return true;
    if (!options->page_requisites || kind != REFERENCE_RESOURCE)
        return false;
    *ret_is_part = true;
    *ret_depth = from->depth;
    return true;
}

/* Decides about a link and counts why it is not followed. Returns 1, 0 or a negative code. */
static WHORL_SUSPENDS int may_follow(struct mirror *mirror, const struct mirror_url *from,
                                     const struct whorl_url *base, enum reference_kind kind,
                                     const struct whorl_url *link, bool *ret_links_only)
{
    const struct options *options = mirror->get->options;
    struct mirror_left *left = &mirror->left;
    WHORL_AUTO(url) start = {0};

    int err = whorl_url_parse(from->start->text, NULL, &start);
    if (err)
        return err;
    enum crawl_verdict verdict = crawl_judge(options, &start, base, kind, link);
    *ret_links_only = verdict == CRAWL_LINKS_ONLY;
    switch (verdict) {
    case CRAWL_OTHER_HOST:
        left->hosts++;
        return 0;
    case CRAWL_ABOVE_START:
        left->above++;
        return 0;
    case CRAWL_PATTERN:
        left->patterns++;
        return 0;
    case CRAWL_FOLLOW:
    case CRAWL_LINKS_ONLY:
        break;
    }
    if (is_full(mirror) ||
        (options->files_max > 0 && mirror->files >= (uint64_t)options->files_max)) {
        left->limits++;
        return 0;
    }
    if (options->no_robots)
        return 1;
    int allowed = robots_cache_allows(&mirror->robots, link);
    left->robots += allowed == 0;
    return allowed;
}

/* Makes a URL known and queues it, unless it was found by another task meanwhile. */
static struct mirror_url *queue_link(struct mirror *mirror, struct mirror_url *from,
                                     const struct whorl_url *link)
{
    struct mirror_url *url = find_url(mirror, link->text);

    if (url)
        return url;
    url = add_url(mirror, link->text);
    if (url) {
        url->start = from->start;
        url->parent = from;
        mirror->files++;
        TAILQ_INSERT_TAIL(&mirror->waiting, url, in_queue);
    }
    return url;
}

/* Follows one link of `from`, resolved against `base`. Returns 0 or -ECANCELED. */
static WHORL_SUSPENDS int follow(struct mirror *mirror, struct mirror_url *from,
                                 const struct whorl_url *at, const struct whorl_url *base,
                                 enum reference_kind kind, const char *text)
{
    WHORL_AUTO(url) link = {0};
    bool is_part, links_only;
    int depth;

    if (!measure(mirror, from, kind, &depth, &is_part))
        return 0;
    if (whorl_url_resolve(base, text, NULL, &link))
        return 0; /* mailto:, javascript:, or nothing that can be fetched */
    struct mirror_url *known = find_url(mirror, link.text);
    if (known) {
        find_again(mirror, known, from, depth, is_part);
        return 0;
    }
    int verdict = may_follow(mirror, from, at, kind, &link, &links_only);
    if (verdict <= 0)
        return verdict == -ECANCELED ? verdict : 0;
    /* While robots.txt was fetched, another task may have found it. */
    known = find_url(mirror, link.text);
    if (known) {
        find_again(mirror, known, from, depth, is_part);
        return 0;
    }
    struct mirror_url *url = queue_link(mirror, from, &link);
    if (url) {
        url->depth = depth;
        url->is_part = is_part;
        url->links_only = links_only;
    }
    return 0;
}

/* Follows the links that were found in a file. */
static WHORL_SUSPENDS int follow_all(struct mirror *mirror, struct mirror_url *url,
                                     const struct buffer *links)
{
    WHORL_AUTO(url) at = {0};
    WHORL_AUTO(url) declared = {0};
    const struct whorl_url *base = &at;
    int err = whorl_url_parse(url->text, NULL, &at);
    const char *end = links->text + links->len;

    if (err)
        return 0;
    for (const char *p = links->text; p < end && err == 0; p += strlen(p) + 1) {
        enum reference_kind kind = (enum reference_kind)(*p - '0');
        if (kind == REFERENCE_BASE && whorl_url_resolve(&at, p + 1, NULL, &declared) == 0)
            base = &declared;
        else if (kind == REFERENCE_NOFOLLOW && !mirror->get->options->no_robots) {
            mirror->left.nofollow++;
            break;
        } else if (kind == REFERENCE_PAGE || kind == REFERENCE_RESOURCE)
            err = follow(mirror, url, &at, base, kind, p + 1);
    }
    return err;
}

/* Whether a file has links that are wanted. */
static bool has_links(const struct mirror *mirror, const struct mirror_url *url)
{
    const struct options *options = mirror->get->options;
    int levels = options->recursive ? options->level : 0;

    return url->type != MIRROR_OTHER &&
           (options->page_requisites || levels < 0 || url->depth < levels);
}

static WHORL_SUSPENDS int read_links(struct mirror *mirror, struct mirror_url *url, int dir_fd,
                                     const char *name)
{
    struct reading reading = {.dir_fd = dir_fd, .name = name, .type = url->type};

    int err = whorl_offload_run(NULL, read_file, &reading);
    if (reading.type != MIRROR_UNKNOWN)
        url->type = reading.type;
    if (err == 0 && reading.links.failed)
        err = -ENOMEM;
    if (err && err != -ECANCELED)
        mirror->left.unread++;
    else if (err == 0 && reading.links.text)
        err = follow_all(mirror, url, &reading.links);
    buffer_finish(&reading.links);
    return err == -ECANCELED ? err : 0;
}

/* Reads the pages again that were found on a shorter way. */
static WHORL_SUSPENDS int read_again(struct mirror *mirror)
{
    struct mirror_url *url;
    int err = 0;

    while (err == 0 && (url = TAILQ_FIRST(&mirror->again))) {
        const char *name;
        TAILQ_REMOVE(&mirror->again, url, in_queue);
        url->is_queued = false;
        int fd = subdir_open(mirror->get->dir_fd, url->path, &name);
        if (fd == -ECANCELED)
            return fd;
        if (fd < 0)
            continue;
        err = has_links(mirror, url) ? read_links(mirror, url, fd, name) : 0;
        close(fd);
    }
    return err;
}

static enum mirror_type type_of(const char *header)
{
    size_t len = strcspn(header, "; \t");

    if (len == 0)
        return MIRROR_UNKNOWN;
    if ((len == 9 && strncasecmp(header, "text/html", len) == 0) ||
        (len == 21 && strncasecmp(header, "application/xhtml+xml", len) == 0))
        return MIRROR_HTML;
    return len == 8 && strncasecmp(header, "text/css", len) == 0 ? MIRROR_CSS : MIRROR_OTHER;
}

bool mirror_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Follows a redirect. That of a given URL is given, too. */
static WHORL_SUSPENDS int follow_redirect(struct mirror *mirror, struct mirror_url *from,
                                          const struct whorl_url *at, const char *location)
{
    WHORL_AUTO(url) link = {0};
    bool is_given = from->start == from && from->depth == 0, links_only = false;
    int verdict = 1;

    if (whorl_url_resolve(at, location, NULL, &link))
        return 0;
    struct mirror_url *to = find_url(mirror, link.text);
    if (!to && from->redirects >= mirror->get->options->redirects_max) {
        mirror->left.limits++;
        return 0;
    }
    if (!to && !is_given)
        verdict = may_follow(mirror, from, at, REFERENCE_PAGE, &link, &links_only);
    if (!to && at->is_tls && !link.is_tls && !mirror->get->options->allow_downgrade) {
        mirror->left.hosts++;
        verdict = 0;
    }
    if (verdict <= 0)
        return verdict == -ECANCELED ? verdict : 0;
    if (!to && (to = queue_link(mirror, from, &link))) {
        to->start = is_given ? to : from->start;
        to->depth = from->depth;
        to->is_part = from->is_part;
        to->links_only = links_only;
        to->redirects = from->redirects + 1;
    } else if (to) {
        find_again(mirror, to, from, from->depth, from->is_part);
    }
    from->moved_to = to;
    return 0;
}

WHORL_SUSPENDS int mirror_ended(struct mirror *mirror, struct mirror_file *file)
{
    struct mirror_url *url = find_url(mirror, file->url->text);
    int err = 0;

    mirror->saved_bytes += file->size;
    if (url && file->path && !url->path) {
        url->path = strdup(file->path);
        url->type = type_of(file->type);
        mirror->bytes += strlen(file->path) + 1;
        if (has_links(mirror, url))
            err = read_links(mirror, url, file->dir_fd, file->name);
        if (url->links_only) {
            int removed = err ? 0 : whorl_unlinkat(file->dir_fd, file->name, 0);
            err = removed == -ECANCELED ? removed : err;
            file->removed = removed == 0;
            free(url->path);
            url->path = NULL;
        }
    } else if (url && file->location) {
        err = follow_redirect(mirror, url, file->url, file->location);
    }
    if (err == 0)
        err = read_again(mirror);
    mirror_feed(mirror);
    return err;
}

/* --- the end --- */

static void add_count(struct buffer *ret, uint64_t count, const char *what)
{
    if (count > 0)
        buffer_printf(ret, "; %llu %s", (unsigned long long)count, what);
}

void mirror_format_left(struct buffer *ret, const struct mirror *mirror)
{
    const struct mirror_left *left = &mirror->left;
    struct buffer counts = {0};

    add_count(&counts, left->hosts, "to other hosts");
    add_count(&counts, left->above, "above the start");
    add_count(&counts, left->patterns, "by their names");
    add_count(&counts, left->robots, "by robots.txt");
    add_count(&counts, left->nofollow, "pages that forbid it");
    add_count(&counts, left->unread, "pages that could not be read");
    add_count(&counts, left->limits, "beyond a limit");
    if (counts.len > 0)
        buffer_printf(ret, "links not followed: %s\n", counts.text + 2);
    buffer_finish(&counts);
}

struct conversion {
    struct mirror *mirror;
    struct mirror_url *url; /* of the file */
    int err;
};

/* The file of a URL, after its redirects, for convert.h. */
static const char *path_of(void *arg, const char *text)
{
    const struct mirror *mirror = arg;
    const struct mirror_url *url = find_url(mirror, text);

    for (int n = 0; url && url->moved_to && n < 100; n++)
        url = url->moved_to;
    return url ? url->path : NULL;
}

/* The work of a thread. */
static int convert_one(void *arg)
{
    struct conversion *conversion = arg;
    const struct mirror *mirror = conversion->mirror;
    const struct mirror_url *url = conversion->url;

    return convert_file(mirror->get->dir_fd, url->path, url->text, url->type == MIRROR_CSS, path_of,
                        conversion->mirror);
}

struct collection {
    struct mirror_url **urls;
    size_t count;
};

static void collect(const void *node, VISIT visit, void *arg)
{
    struct collection *collection = arg;
    struct mirror_url *url = *(struct mirror_url *const *)node;

    bool is_page = url->type == MIRROR_HTML || url->type == MIRROR_CSS;

    if ((visit == postorder || visit == leaf) && url->path && is_page)
        collection->urls[collection->count++] = url;
}

WHORL_SUSPENDS int mirror_convert(struct mirror *mirror)
{
    struct collection pages = {.urls = calloc(mirror->count + 1, sizeof(struct mirror_url *))};
    int first = 0;

    if (!pages.urls)
        return -ENOMEM;
    twalk_r(mirror->known, collect, &pages);
    for (size_t i = 0; i < pages.count && first != -ECANCELED; i++) {
        struct conversion conversion = {.mirror = mirror, .url = pages.urls[i]};
        int err = whorl_offload_run(NULL, convert_one, &conversion);
        if (err && err != -ECANCELED) {
            struct buffer line = {0};
            buffer_printf(&line, "whorl-get: %s: links not converted: %s\n", pages.urls[i]->path,
                          whorl_strerror(err));
            report_say(mirror->get->report, &line);
            buffer_finish(&line);
        }
        first = err == -ECANCELED || !first ? err : first;
        if (err != -ECANCELED && report_wait_room(mirror->get->report))
            first = -ECANCELED;
    }
    free(pages.urls);
    return first;
}
