/* SPDX-License-Identifier: MIT */
/* URLs from arguments and lists, see source.h. */
#include "tools/get/source.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/file.h>

#include "tools/get/checksums.h"
#include "tools/get/entry.h"
#include "tools/get/metalink.h"
#include "tools/get/sitemap.h"

static bool is_stdin(const char *list)
{
    return strcmp(list, "-") == 0;
}

static void close_list(struct source *source)
{
    if (source->fd > STDIN_FILENO)
        close(source->fd);
    source->fd = -1;
    source->list_index++;
    buffer_clear(&source->document);
    source->document_at = 0;
    source->document_line = 0;
}

/* Whether opening and reading the list never waits for another process. */
static bool is_regular(const char *list)
{
    struct stat st;
    int err = is_stdin(list) ? fstat(STDIN_FILENO, &st) : stat(list, &st);

    return err == 0 && S_ISREG(st.st_mode);
}

/* A FIFO is opened without O_NONBLOCK only when it has a writer, and that wait cannot be cancelled.
 * So it is opened at once, and fill() waits for the writer. */
static WHORL_SUSPENDS int open_list(struct source *source, const char *list)
{
    int fd = is_stdin(list) ? STDIN_FILENO : whorl_openat(AT_FDCWD, list, O_RDONLY | O_NONBLOCK, 0);
    struct stat st;

    if (fd < 0)
        return fd;
    source->fd = fd;
    source->awaits_writer = !is_stdin(list) && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
    source->at_end = false;
    source->lines.start = source->lines.end = 0;
    source->lines.number = 0;
    source->lines.skipping = false;
    return 0;
}

static WHORL_SUSPENDS int fill(struct source *source)
{
    size_t room;
    void *to = lines_room(&source->lines, &room);
    int err = source->awaits_writer ? whorl_poll_fd(source->fd, POLLIN) : 0;
    if (err < 0)
        return err;
    source->awaits_writer = false;
    ssize_t n = whorl_read(source->fd, to, room);
    if (n < 0)
        return (int)n;
    lines_added(&source->lines, (size_t)n);
    source->at_end = n == 0;
    return 0;
}

static int failed(struct source_item *ret, int err, const char *step)
{
    ret->err = err;
    ret->step = step;
    return 1;
}

/* Adds the line of a URL in a sitemap; `arg` is the source. */
static int add_sitemap_line(void *arg, bool is_sitemap, const char *url)
{
    struct source *source = arg;

    if (is_sitemap) {
        snprintf(source->why, sizeof source->why, "is an index of sitemaps; use --sitemap");
        return -EINVAL;
    }
    for (; *url; url++) /* so that nothing of it is a setting */
        if (*url == ' ')
            buffer_printf(&source->document, "%%20");
        else
            buffer_add(&source->document, url, 1);
    buffer_add(&source->document, "", 1); /* the NUL */
    return source->document.failed ? -ENOMEM : 0;
}

static int to_lines(struct source *source, const struct buffer *text)
{
    char why[sizeof source->why] = "";
    int err;

    if (!sitemap_is_xml(text->text, text->len))
        return metalink_to_lines(text->text, text->len, &source->document, source->why,
                                 sizeof source->why);
    source->why[0] = '\0';
    err = sitemap_read(text->text, text->len, add_sitemap_line, source, why, sizeof why);
    if (err && !source->why[0])
        strcpy(source->why, why);
    return err;
}

/* Reads the rest of a list that begins with "<", and makes lines of it. Returns 0; a failure of
 * reading; 1 when the document is wrong, and `why` says how. */
static WHORL_SUSPENDS int read_document(struct source *source)
{
    struct lines *lines = &source->lines;
    struct buffer text = {0};
    int err = 0;

    while (err == 0 && !source->at_end && !text.failed && text.len <= METALINK_MAX) {
        buffer_add(&text, lines->buf + lines->start, lines->end - lines->start);
        lines->start = lines->end;
        err = fill(source);
    }
    source->at_end = true;
    lines->start = lines->end;
    if (err == 0 && text.failed) {
        err = -ENOMEM;
    } else if (err == 0 && text.len > METALINK_MAX) {
        snprintf(source->why, sizeof source->why, "is longer than %d MiB", METALINK_MAX >> 20);
        err = 1;
    } else if (err == 0) {
        err = to_lines(source, &text);
        err = err == -EINVAL ? 1 : err;
    }
    buffer_finish(&text);
    return err;
}

/* Whether the list is a document: its first byte that is not a space is "<". */
static bool is_document(const struct lines *lines)
{
    const char *p = lines->buf + lines->start, *end = lines->buf + lines->end;

    if (lines->number > 0 || lines->skipping)
        return false;
    if (end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    while (p < end && strchr(" \t\r\n", *p))
        p++;
    return p < end && *p == '<';
}

/* --- lines --- */

/* Writes a name as the path of a URL: what is not plain is percent-encoded. */
static void add_encoded(struct buffer *ret, const char *name)
{
    for (; *name; name++) {
        if (isalnum((unsigned char)*name) || strchr("/-._~", *name))
            buffer_add(ret, name, 1);
        else
            buffer_printf(ret, "%%%02X", (unsigned char)*name);
    }
}

/* Resolves a relative URL. A URL that is wrong stays as it is: the transfer says so. */
static int resolve(struct source *source, const char *reference, struct buffer *ret)
{
    WHORL_AUTO(url) url = {0};

    if (!source->base.text) {
        int err = whorl_url_parse(source->options->base, NULL, &source->base);
        if (err)
            return err;
    }
    int err = whorl_url_resolve(&source->base, reference, NULL, &url);
    if (err == -ENOMEM)
        return err;
    buffer_printf(ret, "%s", err ? reference : url.text);
    return 0;
}

/* Makes an absolute URL of a line, with --base. */
static int complete_line(struct source *source, char *line, struct source_item *ret)
{
    struct buffer text = {0}, path = {0};
    struct checksum sum;
    int err;

    if (checksum_parse(line, &sum)) {
        buffer_printf(&path, "./"); /* so that a colon in the name is no scheme */
        add_encoded(&path, sum.name);
        err = path.failed ? -ENOMEM : resolve(source, path.text, &text);
        buffer_printf(&text, " %s=%s", hash_name(sum.kind), sum.hex);
    } else {
        const char *settings = entry_split(line);
        err = resolve(source, line, &text);
        buffer_printf(&text, " %s", settings);
    }
    buffer_finish(&path);
    if (err || text.failed) {
        buffer_finish(&text);
        return failed(ret, err ? err : -ENOMEM, "line");
    }
    free(source->text);
    source->text = text.text;
    char *settings = source->text + strcspn(source->text, " ");
    *settings++ = '\0';
    ret->url = source->text;
    ret->settings = settings;
    return 1;
}

static int take_line(struct source *source, char *line, struct source_item *ret)
{
    if (source->options->base && !strstr(line, "://"))
        return complete_line(source, line, ret);
    ret->url = line;
    ret->settings = entry_split(line);
    return 1;
}

/* Gets the next file of a document. Returns 0 at its end. */
static int next_of_document(struct source *source, struct source_item *ret)
{
    if (source->document_at >= source->document.len)
        return 0;
    char *line = source->document.text + source->document_at;
    source->document_at += strlen(line) + 1;
    ret->line = source->document_line++;
    if (*line == '#') {
        snprintf(source->why, sizeof source->why, "no URL of it is http or https");
        ret->why = source->why;
        return failed(ret, -EINVAL, "file");
    }
    return take_line(source, line, ret);
}

/* Reads more lines. If that may wait and must not, drops the part of a line that is there. */
static WHORL_SUSPENDS int fill_or_end(struct source *source, const char *list)
{
    if (source->at_end)
        return 0;
    if (!source->no_waiting || is_regular(list))
        return fill(source);
    source->at_end = true;
    source->lines.start = source->lines.end;
    source->lines.skipping = false;
    return 0;
}

/* Gets the next item of the current list. Returns 0 at the end of the list. */
static WHORL_SUSPENDS int next_of_list(struct source *source, struct source_item *ret)
{
    const char *list = source->options->lists[source->list_index];
    int err;

    *ret = (struct source_item){.list = is_stdin(list) ? "standard input" : list};
    if (source->fd < 0 && source->no_waiting && !is_regular(list)) {
        source->list_index++;
        return 0;
    }
    if (source->fd < 0 && (err = open_list(source, list)) < 0) {
        if (err == -ECANCELED)
            return err;
        source->list_index++;
        return failed(ret, err, "open");
    }
    for (;;) {
        char *line;
        if (source->document_line > 0 && (err = next_of_document(source, ret)) != 0)
            return err;
        if (is_document(&source->lines)) {
            err = read_document(source);
            source->document_line = 1;
            if (err == -ECANCELED)
                return err;
            if (err == 1) {
                ret->why = source->why;
                return failed(ret, -EINVAL, "document");
            }
            if (err)
                return failed(ret, err, "read");
            continue;
        }
        int n = lines_next(&source->lines, source->at_end, &line);
        if (n != 0)
            ret->line = source->lines.number;
        if (n < 0)
            return failed(ret, n, "line");
        if (n > 0) {
            return take_line(source, line, ret);
        }
        err = fill_or_end(source, list);
        if (err == -ECANCELED)
            return err;
        if (err || (source->at_end && source->lines.start == source->lines.end &&
                    !source->lines.skipping)) {
            close_list(source);
            return err ? failed(ret, err, "read") : 0;
        }
    }
}

WHORL_SUSPENDS int source_next(struct source *source, struct source_item *ret)
{
    if (source->url_index < source->options->urls_count) {
        *ret =
            (struct source_item){.url = source->options->urls[source->url_index++], .settings = ""};
        return 1;
    }
    while (source->list_index < source->options->lists_count) {
        int n = next_of_list(source, ret);
        if (n != 0)
            return n;
    }
    return 0;
}

void source_stop_waiting(struct source *source)
{
    source->no_waiting = true;
}

void source_finish(struct source *source)
{
    buffer_finish(&source->document);
    whorl_url_finish(&source->base);
    free(source->text);
    source->text = NULL;
    if (source->fd > STDIN_FILENO)
        close(source->fd);
    source->fd = -1;
}
