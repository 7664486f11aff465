/* SPDX-License-Identifier: MIT */
/* WHORL_DEBUG=trace=FILE: writes what tasks do as trace events in JSON, for Perfetto and
 * chrome://tracing.
 *
 * A run is shown as a process, a task as a thread. The life of a task is a row of slices: each
 * change ends one slice and begins the next. So nothing must be remembered about earlier slices,
 * and the memory is one buffer, however many tasks there are. All runs of the process share the
 * file. Each write ends with the "]" that closes the list, and the next write overwrites it, so the
 * file is always complete JSON. The file is written several times during a run, so a crash loses
 * only the last events.
 */
#include "runtime/debug/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/task.h>
#include <whorl/text.h>

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/debug.h"
#include "runtime/debug/trace.h"
#include "runtime/sched.h"

#define FLUSH_NS (100 * WHORL_MILLISECOND)
#define CLOSING  "\n]\n"

/* The trace file of the process; all fields under `lock`. The file is opened for each write: a
 * descriptor that stays open would disturb programs that count or close their descriptors. */
static struct {
    pthread_mutex_t lock;
    /* Process that writes the file; 0: none yet; FORKED: this process is a forked child. */
    pid_t pid;
    bool failed; /* nothing more is written */
    unsigned runs;
    int64_t began_ns;   /* start of the time axis of all runs */
    int64_t flushed_ns; /* time of the last write */
    off_t end;          /* end of the events in the file */
    size_t used;        /* bytes used in `buf` */
    char buf[1 << 16];  /* events that are not in the file yet, and room for CLOSING */
    char path[PATH_MAX];
} file = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define FORKED (-1)

/* One observed run. */
struct traced_run {
    pid_t pid; /* process that started the run; a forked child writes nothing of it */
    unsigned number;
    int64_t began_ns;
};

/* --- the file --------------------------------------------------------------------------------- */

/* Prints an error. Uses the buffer, whose events are lost anyway: an unbuffered stream would take 8
 * KiB of what may be a task's stack. */
static void complain(const char *why)
{
    int n = snprintf(file.buf, sizeof file.buf, "whorl: trace %s: %s\n", file.path, why);

    if (write(STDERR_FILENO, file.buf, (size_t)n) < 0)
        return; /* there is no other place to report to */
}

/* Writes all of `text` at offset `at`. Returns 0 or -errno. */
static int write_at(int fd, const char *text, size_t len, off_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, text, len, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENOSPC;
        text += n;
        len -= (size_t)n;
        at += n;
    }
    return 0;
}

/* Writes the buffer to the file. A failed write ends the trace. The file is then cut to what was
 * written before, because that part is already on the disk and complete. */
static void flush(int flags)
{
    size_t closing = strlen(CLOSING);

    if (file.failed) {
        file.used = 0;
        return;
    }
    int fd = open(file.path, O_WRONLY | O_CLOEXEC | flags, 0666), err = fd < 0 ? -errno : 0;
    if (fd >= 0) {
        memcpy(file.buf + file.used, CLOSING, closing);
        err = write_at(fd, file.buf, file.used + closing, file.end);
        if (err && ftruncate(fd, file.end + (off_t)closing) == 0)
            (void)write_at(fd, CLOSING, closing, file.end);
        close(fd);
    }
    file.failed = err;
    if (err)
        complain(strerror(-err));
    file.end += (off_t)file.used;
    file.used = 0;
    file.flushed_ns = clock_monotonic_ns();
}

/* Larger than the text of any event; see reserve(). */
#define EVENT_MAX 2048

/* Makes room for one event, so that no write ends inside an event. */
static void reserve(void)
{
    if (sizeof file.buf - file.used < EVENT_MAX)
        flush(0);
}

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(file.buf + file.used, sizeof file.buf - file.used, format, args);
    va_end(args);
    if (n > 0)
        file.used += (size_t)n;
    whorl_check(file.used + strlen(CLOSING) <= sizeof file.buf);
}

/* Replaces "%p" in the pattern with the process id. Without a "%p", a forked child puts its process
 * id in front of the file name extension. The path is made absolute, because the program may change
 * its working directory. */
static void make_path(const char *pattern, bool forked)
{
    const char *slash = strrchr(pattern, '/'), *dot = strrchr(slash ? slash : pattern, '.');
    const char *at = strstr(pattern, "%p"), *rest = at ? at + 2 : dot ? dot : strchr(pattern, 0);
    char dir[PATH_MAX] = "", number[16] = "";

    if (at || forked)
        snprintf(number, sizeof number, "%s%d", at ? "" : "-", (int)getpid());
    if (!at)
        at = rest;
    if (pattern[0] == '/' || !getcwd(dir, sizeof dir - 1))
        dir[0] = '\0';
    else
        strcat(dir, "/");
    int n = snprintf(file.path, sizeof file.path, "%s%.*s%s%s", dir, (int)(at - pattern), pattern,
                     number, rest);
    file.failed = n < 0 || (size_t)n >= sizeof file.path;
    if (file.failed)
        complain(strerror(ENAMETOOLONG));
}

/* The process that was started with the trace setting in its environment. A child that it forks
 * before its first run, such as a worker, also gets a file of its own. 0: the setting was added
 * later. */
static pid_t origin;

__attribute__((constructor)) static void note_origin(void)
{
    char pattern[PATH_MAX];

    if (debug_text("trace", pattern, sizeof pattern))
        origin = getpid();
}

/* Starts the file at the first run of the process or of a forked child. Returns false when there is
 * no file. */
static bool begin_file(const char *pattern)
{
    if (file.pid == getpid())
        return !file.failed;
    make_path(pattern, file.pid != 0 || (origin != 0 && origin != getpid()));
    file.pid = getpid();
    file.runs = 0;
    file.end = 0;
    file.used = 0;
    file.began_ns = clock_monotonic_ns();
    put("[");
    flush(O_CREAT | O_TRUNC);
    return !file.failed;
}

/* Another thread may be writing when the program forks. The lock is held over the fork, so that the
 * child gets it in a defined state, and the child no longer writes to the parent's file. */
static void before_fork(void)
{
    pthread_mutex_lock(&file.lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&file.lock);
}

static void after_fork_in_child(void)
{
    if (file.pid)
        file.pid = FORKED;
    pthread_mutex_unlock(&file.lock);
}

static void expect_forks(void)
{
    /* Without memory for the handlers, forks work as without a trace. Only a fork during a write is
     * a problem. */
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* A program may end inside a run. */
__attribute__((destructor)) static void flush_at_exit(void)
{
    if (file.pid == getpid() && pthread_mutex_trylock(&file.lock) == 0) {
        flush(0);
        pthread_mutex_unlock(&file.lock);
    }
}

/* --- events ----------------------------------------------------------------------------------- */

/* Escapes `text` for a JSON string, cut to the buffer. */
static const char *escape(char *buf, size_t size, const char *text)
{
    whorl_text_escape_json(text, strlen(text), buf, size);
    return buf;
}

/* Times in microseconds, as the format requires; the three decimal places are nanoseconds. */
#define TS "\"ts\":%" PRId64 ".%03d"
#define TS_OF(run, event) \
    ((event)->at_ns - (run)->began_ns) / 1000, (int)(((event)->at_ns - (run)->began_ns) % 1000)

static void put_name(const struct traced_run *run, const struct whorl_task *task)
{
    char name[256];

    put(",\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%u,\"tid\":%" PRIu64
        ",\"args\":{\"name\":\"%s\"}}",
        run->number, task->id, escape(name, sizeof name, whorl_task_name(task)));
}

/* Sorts the tasks in the order in which they were spawned. */
static void put_place(const struct traced_run *run, const struct whorl_task *task)
{
    put(",\n{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":%u,\"tid\":%" PRIu64
        ",\"args\":{\"sort_index\":%" PRIu64 "}}",
        run->number, task->id, task->id);
}

/* Ends the current slice of the task. */
static void put_end(const struct traced_run *run, const struct whorl_trace_event *e)
{
    put(",\n{\"ph\":\"E\",\"pid\":%u,\"tid\":%" PRIu64 "," TS, run->number, e->task->id,
        TS_OF(run, e));
    if (e->kind == WHORL_TRACE_ENDS && e->result < 0)
        put(",\"args\":{\"result\":\"%s\"}", whorl_error_name(e->result));
    put("}");
}

/* Begins a slice; `detail` may be "". */
static void put_begin(const struct traced_run *run, const struct whorl_trace_event *e,
                      const char *name, const char *detail)
{
    char text[256];

    put(",\n{\"ph\":\"B\",\"pid\":%u,\"tid\":%" PRIu64 "," TS ",\"name\":\"%s%s\"", run->number,
        e->task->id, TS_OF(run, e), name, e->what ? escape(text, sizeof text, e->what) : "");
    if (detail[0])
        put(",\"args\":{\"for\":\"%s\"}", escape(text, sizeof text, detail));
    put("}");
}

static void put_wait(const struct traced_run *run, const struct whorl_trace_event *e)
{
    const struct whorl_waiter *waiter = e->task->waiter;
    char detail[192] = "";

    if (waiter && waiter->kind && waiter->kind->describe)
        waiter->kind->describe(waiter, detail, sizeof detail);
    put_begin(run, e, "waits: ", detail);
}

/* The loop's waits: slices of their own above the tasks. */
static void put_loop(const struct traced_run *run, const struct whorl_trace_event *e)
{
    put(",\n{\"ph\":\"%s\",\"cat\":\"loop\",\"id\":%u,\"pid\":%u,\"tid\":1,\"name\":\"all "
        "wait\"," TS "}",
        e->kind == WHORL_TRACE_LOOP_WAITS ? "b" : "e", run->number, run->number, TS_OF(run, e));
}

static void put_event(const struct traced_run *run, const struct whorl_trace_event *e)
{
    switch (e->kind) {
    case WHORL_TRACE_SPAWNED:
        put_name(run, e->task);
        put_place(run, e->task);
        put_begin(run, e, "ready", "");
        break;
    case WHORL_TRACE_RUNS:
        put_end(run, e);
        put_begin(run, e, "runs", "");
        break;
    case WHORL_TRACE_YIELDS:
        put_end(run, e);
        put_begin(run, e, "ready", "");
        break;
    case WHORL_TRACE_WAITS:
        put_end(run, e);
        put_wait(run, e);
        break;
    case WHORL_TRACE_ENDS:
        put_end(run, e);
        if (e->task->name[0]) /* the task may have given itself a name */
            put_name(run, e->task);
        break;
    case WHORL_TRACE_LOOP_WAITS:
    case WHORL_TRACE_LOOP_WAKES:
        put_loop(run, e);
        break;
    case WHORL_TRACE_RUN_ENDS:
        flush(0);
        break;
    }
}

static void note(void *arg, const struct whorl_trace_event *event)
{
    struct traced_run *run = arg;

    pthread_mutex_lock(&file.lock);
    if (run->pid == file.pid) {
        reserve();
        put_event(run, event);
        /* A flush costs least just before the thread goes to sleep. */
        if (event->kind == WHORL_TRACE_LOOP_WAITS &&
            clock_monotonic_ns() - file.flushed_ns > FLUSH_NS)
            flush(0);
    }
    pthread_mutex_unlock(&file.lock);
    if (event->kind == WHORL_TRACE_RUN_ENDS)
        free(run);
}

void trace_file_start(struct sched *s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char pattern[PATH_MAX];

    if (!debug_text("trace", pattern, sizeof pattern))
        return;
    if (!pattern[0]) {
        fputs("whorl: WHORL_DEBUG=trace needs a file: trace=FILE.json\n", stderr);
        return;
    }
    pthread_once(&once, expect_forks);
    struct traced_run *run = malloc(sizeof *run);
    pthread_mutex_lock(&file.lock);
    bool opened = run && begin_file(pattern);
    if (opened) {
        reserve();
        run->pid = file.pid;
        run->number = ++file.runs;
        run->began_ns =
            s->poller->ops->virtual_time ? s->poller->ops->now(s->poller) : file.began_ns;
        put("%s{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%u,\"args\":{\"name\":"
            "\"run %u (%s)\"}}",
            run->number > 1 ? ",\n" : "\n", run->number, run->number, s->poller->ops->name);
    }
    pthread_mutex_unlock(&file.lock);
    if (!opened || trace_start(s, note, run) < 0)
        free(run);
}
