/* SPDX-License-Identifier: MIT */
/* URLs from arguments and lists, see source.h. */
#include "tools/get/source.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/file.h>

#include "tools/get/entry.h"

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
        int n = lines_next(&source->lines, source->at_end, &line);
        if (n != 0)
            ret->line = source->lines.number;
        if (n < 0)
            return failed(ret, n, "line");
        if (n > 0) {
            ret->url = line;
            ret->settings = entry_split(line);
            return 1;
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
    if (source->fd > STDIN_FILENO)
        close(source->fd);
    source->fd = -1;
}
