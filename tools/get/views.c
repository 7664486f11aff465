/* SPDX-License-Identifier: MIT */
/* The views of the events, see views.h. */
#include "tools/get/views.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tools/get/options.h"
#include "tools/get/report.h"
#include "tools/get/timeline_svg.h"

/* A reader of --events that takes nothing for this time gets no more events: it must not hold up
 * the transfers for ever. */
static const int64_t stream_stall_ns = 5 * WHORL_SECOND;

void views_init(struct views *views, const struct options *options)
{
    *views = (struct views){.options = options, .stream_fd = -1, .timeline_fd = -1};
}

void views_finish(struct views *views)
{
    if (views->owns_stream_fd)
        close(views->stream_fd);
    if (views->timeline_fd >= 0)
        close(views->timeline_fd);
    writer_finish(&views->stream);
    events_json_finish(&views->events_json);
    why_finish(&views->why);
    timeline_finish(&views->timeline);
}

/* Opens a file that is to be written. A FIFO without a reader is an error, not a reason to wait.
 * Returns the descriptor or -errno. */
static int open_output(const char *path, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, 0666);

    return fd < 0 ? -errno : fd;
}

static int open_stream(struct views *views)
{
    const char *path;
    int fd = events_json_parse(views->options->events, &path);

    if (path) {
        fd = open_output(path, O_TRUNC);
        views->owns_stream_fd = fd >= 0;
    } else {
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
            return -EBADF;
    }
    if (fd < 0)
        return fd;
    views->stream_fd = fd;
    return 0;
}

/* The old picture stays until the new one is written. */
static int open_timeline(struct views *views)
{
    int fd = open_output(views->options->timeline, 0);

    if (fd < 0)
        return fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    views->timeline_fd = fd;
    return 0;
}

int views_open(struct views *views, const char **ret_about)
{
    int err = 0;

    if (views->options->events) {
        *ret_about = views->options->events;
        err = open_stream(views);
    }
    if (err == 0 && views->options->timeline) {
        *ret_about = views->options->timeline;
        err = open_timeline(views);
    }
    return err;
}

void views_attach(struct views *views, struct events *events, struct report *report)
{
    if (views->stream_fd >= 0) {
        bool shares = views->stream_fd == STDERR_FILENO;
        views->stream.fd = views->stream_fd;
        views->stream.stall_ns = stream_stall_ns;
        views->events_json.out = shares ? report->messages : &views->stream;
        report->stream = shares ? NULL : &views->stream;
        events_json_attach(&views->events_json, events);
    }
    if (views->options->why_slow)
        why_attach(&views->why, events);
    if (views->timeline_fd >= 0)
        timeline_attach(&views->timeline, events);
}

void views_end(struct views *views, const struct events *events, struct report *report,
               bool interrupted)
{
    struct buffer text = {0};

    if (views->timeline_fd >= 0)
        timeline_end(&views->timeline);
    if (views->options->why_slow) {
        why_format(&text, &views->why);
        report_say(report, &text);
    }
    if (views->stream_fd >= 0)
        events_json_end(&views->events_json, events, &report->totals, interrupted);
    buffer_finish(&text);
}

/* Replaces what a file has. A device or a pipe has nothing to replace. */
static int rewrite(int fd, const char *text, size_t len)
{
    if (ftruncate(fd, 0) < 0 && errno != EINVAL)
        return -errno;
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, text + done, len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

int views_write(struct views *views)
{
    struct buffer svg = {0};

    if (views->timeline_fd < 0)
        return 0;
    timeline_svg_format(&svg, &views->timeline);
    int err = svg.failed ? -ENOMEM : rewrite(views->timeline_fd, svg.text, svg.len);
    buffer_finish(&svg);
    return err;
}
