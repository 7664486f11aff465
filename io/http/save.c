/* SPDX-License-Identifier: MIT */
/* Saves a body to a file. Until it is complete, the file has no name or a temporary one
 * (io/fd/new_file.h).
 *
 *     look at the target -- a device, pipe, socket, or our output? -- yes --> open it, write to it
 *          | no
 *     new_file_open --> write ... --> new_file_complete --> new_file_take
 *          any failure or a cancel on the way: close, unlink
 *
 * The target is looked at first, so that a body is not fetched if its file cannot be created. When
 * the whole body has arrived with the head, this saves nothing: then the target is looked at only
 * when its name is taken. When an existing file keeps its name in any case, a small body is
 * received first. A body of unknown length is saved under a temporary name: it may grow without
 * limit, and the name lets a user find it.
 *
 * The system calls between two waits for the network are made together, on a thread. io_uring would
 * pass each of them to a thread of the kernel.
 *
 * For a small file whose body is in memory, the run's thread makes these calls, if the file system
 * is in memory or on a disk of this machine and is not slow now (disk_call_here()).
 *
 * The rest of a long body goes through a pipe to the file, without a copy in memory
 * (whorl_http_response_hold()), if nothing looks at its bytes. Other bytes are written directly
 * from the buffer that they were received into (io/http/part_buf.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/file.h>
#include <whorl/http.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "io/fd/disk_call.h"
#include "io/fd/file_pipe.h"
#include "io/fd/new_file.h"
#include "io/http/response.h"
#include "io/http/stage.h"
#include "runtime/base/backoff.h"

enum {
    SMALL_MAX = 64 << 10, /* a longer body is not collected before it is written */
    IN_PLACE = 1,         /* instead of an error: the target is a device, pipe or socket */
};

#define CLEANUP_NS        (5 * WHORL_SECOND)
#define FIFO_PAUSE_MIN_NS WHORL_MILLISECOND
#define FIFO_PAUSE_MAX_NS (50 * WHORL_MILLISECOND) /* between two looks for a FIFO's reader */

struct save {
    struct whorl_http_response *response;
    const struct whorl_http_save_options *options;
    const char *path;
    const char *name;  /* the path, or another path that replaces it */
    bool looked;       /* the target needs no look, or no second one */
    bool appends;      /* the target is this process's standard output or error */
    bool is_fifo;      /* the target is a FIFO */
    bool awaits;       /* the FIFO has no reader yet */
    const char *whole; /* the whole body, when it is in memory; else NULL */
    size_t whole_len;
    size_t collected; /* bytes in `buf` that are to be written first */
    bool accepted;    /* options->complete() was called */
    int64_t shown;    /* bytes that options->part() was called with */
    struct new_file file;
    int fd; /* of the target itself; -1: closed, or there is a new file instead */
    int64_t offset;
    struct http_part_buf buf;
};

static int fail(struct save *save, int err)
{
    const struct whorl_http_response *response = save->response;
    char timeout[HTTP_TIMEOUT_TEXT_SIZE];
    const char *text = http_timeout_text(timeout, err, http_response_limits(response),
                                         whorl_http_response_received(response),
                                         whorl_http_response_length(response));
    return whorl_error_set(http_response_detail(save->response), err, "write", "%s: %s%s",
                           save->path, save->awaits ? "no reader, " : "",
                           text ? text : whorl_strerror(err));
}

/* The result of a read that returned no bytes. The read has set the detail of the error, except for
 * a cancel, because a later read could continue. */
static int fail_reading(struct save *save, int err)
{
    if (err != -ECANCELED)
        return err;
    return whorl_error_set(http_response_detail(save->response), err, "body", "%s",
                           whorl_strerror(err));
}

/* The target */

/* /dev/stdout is a link that may lead to a file, to which this process's output was redirected.
 * That file is open already, and the link belongs to the system, so neither may be replaced. */
static bool is_standard_stream(const struct statx *file)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat open;
        if (fstat(fd, &open) == 0 && open.st_ino == file->stx_ino &&
            open.st_dev == makedev(file->stx_dev_major, file->stx_dev_minor))
            return true;
    }
    return false;
}

/* The mode of the target, 0 when there is none, or an error. May block. */
static int look_at_target(struct save *save)
{
    struct statx st;
    if (statx(save->file.dir_fd, save->path, 0, STATX_TYPE | STATX_MODE | STATX_INO, &st) != 0)
        return errno == ENOENT ? 0 : -errno;
    save->appends = S_ISREG(st.stx_mode) && is_standard_stream(&st);
    save->is_fifo = S_ISFIFO(st.stx_mode);
    return st.stx_mode;
}

static bool is_special(const struct save *save, int mode)
{
    return mode > 0 && (save->appends || (!S_ISREG(mode) && !S_ISDIR(mode)));
}

static void note_in_place(const struct save *save)
{
    if (save->options->ret_in_place)
        *save->options->ret_in_place = true;
}

/* Opens a FIFO for writing once another process reads it. open(2) does the same, but a thread that
 * waits in open(2) cannot be cancelled. This function tries again and again, because the kernel has
 * no event for it. The total limit of the exchange applies. */
static WHORL_SUSPENDS int open_with_reader(struct save *save, int flags)
{
    int64_t pause_ns = 0;
    struct http_stage stage;
    int fd;

    save->awaits = true;

    http_stage_enter(&stage, WHORL_FOREVER, 0, http_response_total_deadline_ns(save->response));
    while ((fd = whorl_openat(save->file.dir_fd, save->path, flags | O_NONBLOCK, 0)) == -ENXIO) {
        pause_ns = backoff_longer(pause_ns, FIFO_PAUSE_MIN_NS, FIFO_PAUSE_MAX_NS);
        int err = whorl_sleep(pause_ns);
        if (err) {
            fd = err;
            break;
        }
    }
    if (fd >= 0) {
        save->awaits = false;
        note_in_place(save);
    }
    return (int)http_stage_leave(&stage, fd);
}

static WHORL_SUSPENDS int open_in_place(struct save *save)
{
    int flags = O_WRONLY | O_NOCTTY | O_CLOEXEC | (save->appends ? O_APPEND : 0);
    int fd;

    if (save->is_fifo)
        fd = open_with_reader(save, flags);
    else
        fd = whorl_openat(save->file.dir_fd, save->path, flags, 0);
    if (fd < 0)
        return fd;
    save->fd = fd;
    return 0;
}

/* The descriptor that a path such as "/dev/fd/3" or "/dev/stdout" names, or -1. */
static int named_fd(const char *path)
{
    static const char *const dirs[] = {"/dev/fd/", "/proc/self/fd/"};

    if (strcmp(path, "/dev/stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0)
        return STDERR_FILENO;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        size_t len = strlen(dirs[i]);
        char *end;
        if (strncmp(path, dirs[i], len) != 0 || path[len] < '0' || path[len] > '9')
            continue;
        long fd = strtol(path + len, &end, 10);
        if (*end == '\0' && fd <= INT_MAX)
            return (int)fd;
    }
    return -1;
}

/* Writes to a copy of the descriptor, which shares its position: what other processes write to it
 * comes before and behind, and a socket, which cannot be opened, works as well. */
static int open_named_fd(struct save *save)
{
    save->fd = fcntl(named_fd(save->path), F_DUPFD_CLOEXEC, 0);
    return save->fd < 0 ? -errno : 0;
}

/* Writing */

/* The next part of the body, decoded if necessary. */
static WHORL_SUSPENDS ssize_t next_part(struct save *save, const char **ret)
{
    ssize_t n = http_response_next_part(save->response, &save->buf, save->offset, ret);

    return n == -ENOMEM && !http_response_detail(save->response)->code ? fail(save, (int)n) : n;
}

/* Writes to what may wait for another process. The total limit applies. */
static WHORL_SUSPENDS int write_in_place(struct save *save, const char *part, size_t len)
{
    struct http_stage stage;

    note_in_place(save);
    http_stage_enter(&stage, WHORL_FOREVER, 0, http_response_total_deadline_ns(save->response));
    return (int)http_stage_leave(&stage, whorl_write_all(save->fd, part, len));
}

static void note_written(const struct save *save)
{
    if (save->options->ret_written)
        *save->options->ret_written = save->offset;
}

static void report_progress(const struct save *save)
{
    if (save->options->progress)
        save->options->progress(save->options->arg, whorl_http_response_received(save->response));
}

/* Calls options->part(), but not again when the bytes are written to another place. */
static void show_part(struct save *save, const char *part, size_t len)
{
    if (save->offset < save->shown || !save->options->part)
        return;
    save->options->part(save->options->arg, part, len);
    save->shown = save->offset + (int64_t)len;
}

static WHORL_SUSPENDS int write_held(struct save *save, size_t len)
{
    if (save->fd < 0)
        return whorl_http_response_write_held(save->response, save->file.fd, save->offset, len);
    note_in_place(save);
    return whorl_http_response_write_held(save->response, save->fd, -1, len);
}

/* Writes the next bytes of the body. `part` NULL: the response holds them. */
static WHORL_SUSPENDS int write_part(struct save *save, const char *part, size_t len)
{
    int err;

    if (part)
        show_part(save, part, len);
    if (!part)
        err = write_held(save, len);
    else if (save->fd < 0)
        err = whorl_pwrite_all(save->file.fd, part, len, save->offset);
    else
        err = write_in_place(save, part, len);
    if (err)
        return fail(save, err);
    save->offset += (int64_t)len;
    note_written(save);
    report_progress(save);
    return 0;
}

/* Whether the bytes need not be seen, and the target can take them out of a pipe. */
static bool may_hold(const struct save *save)
{
    return !save->options->part && (save->fd < 0 || fd_is_null(save->fd));
}

static WHORL_SUSPENDS int write_body(struct save *save)
{
    bool holds = may_hold(save);
    int err = 0;

    if (save->whole)
        return save->whole_len > 0 ? write_part(save, save->whole, save->whole_len) : 0;
    if (save->collected > 0)
        err = write_part(save, save->buf.data, save->collected);
    while (err == 0) {
        const char *part = NULL;
        ssize_t n = holds ? whorl_http_response_hold(save->response, SIZE_MAX) : -EOPNOTSUPP;
        if (n == -EOPNOTSUPP)
            n = next_part(save, &part);
        if (n <= 0)
            return fail_reading(save, (int)n);
        err = write_part(save, part, (size_t)n);
    }
    return err;
}

/* A small body */

/* Whether to wait for the whole body before the file is created. The body must be small. `looked`
 * must be set, because a target that is a device or cannot be created must be noticed early. */
static bool may_await(const struct save *save)
{
    int64_t len = whorl_http_response_length(save->response);

    return save->looked && len > 0 && len <= SMALL_MAX;
}

/* Collects the body in memory if that is worth it. If may_await() is true, collects the whole body.
 * Otherwise, if its length is not announced, collects the bytes that have been received, which may
 * be the whole body. */
static WHORL_SUSPENDS int collect(struct save *save)
{
    struct whorl_http_response *response = save->response;
    int64_t len = whorl_http_response_length(response);
    bool awaits = may_await(save);
    /* One byte more than the body has: only a read at the end shows that the body is complete. */
    size_t size = awaits ? (size_t)len + 1 : HTTP_BUF_SIZE;

    if (save->whole || http_response_is_decoded(response) ||
        (!awaits && (len >= 0 || http_response_must_receive(response))) ||
        http_response_store(response)->save_bytes + size > HTTP_PART_BUFS_MAX)
        return 0;
    int err = http_part_buf_alloc(&save->buf, http_response_store(response), size);
    if (err)
        return fail(save, err);
    while (save->collected < size && (awaits || !http_response_must_receive(response))) {
        char *end = save->buf.data + save->collected;
        const char *part;
        ssize_t n = http_response_read_part(response, end, size - save->collected, &part);
        if (n < 0)
            return fail_reading(save, (int)n);
        if (n == 0) {
            save->whole = save->buf.data;
            save->whole_len = save->collected;
            return 0;
        }
        if (part != end)
            memcpy(end, part, (size_t)n);
        save->collected += (size_t)n;
        if (awaits && (int64_t)save->collected < len)
            report_progress(save);
    }
    return 0;
}

/* The steps that a thread may make. They return 0, IN_PLACE or -errno. */

static int create_file(void *arg)
{
    struct save *save = arg;
    int mode = save->looked ? 0 : look_at_target(save);

    if (mode < 0)
        return mode;
    save->looked = true;
    if (is_special(save, mode))
        return IN_PLACE;
    if (S_ISDIR(mode))
        return -EISDIR;
    if (S_ISREG(mode) && !save->options->overwrite)
        return -EEXIST;
    save->file.has_mode = S_ISREG(mode);
    save->file.mode = (mode_t)mode & 0777;
    return new_file_open(&save->file);
}

static int take_name(void *arg)
{
    struct save *save = arg;
    bool replace = save->options->overwrite;

    int err = new_file_take(&save->file, save->name, replace, save->options->sync);
    if (err != -EEXIST || save->looked)
        return err;
    int mode = look_at_target(save);
    if (is_special(save, mode))
        return IN_PLACE;
    return mode > 0 && S_ISDIR(mode) ? -EISDIR : err;
}

static int finish_file(void *arg)
{
    struct save *save = arg;
    int err = new_file_complete(&save->file, save->options->sync);

    return err ? err : take_name(save);
}

/* Writes a body that is completely in memory. Looks at the target first only with `overwrite` or if
 * it is in /dev. Otherwise looks at it only when its name turns out to be taken, or when no file
 * can be created beside it. */
static int write_whole(void *arg)
{
    struct save *save = arg;
    bool looks = save->options->overwrite || strncmp(save->path, "/dev/", 5) == 0;
    int err;

    if (looks || save->looked)
        err = create_file(save);
    else if ((err = new_file_open(&save->file)) && is_special(save, look_at_target(save)))
        err = IN_PLACE;
    if (err)
        return err;
    err = new_file_write(&save->file, save->whole, save->whole_len);
    if (err)
        return err;
    save->offset = (int64_t)save->whole_len;
    return finish_file(save);
}

/* Where the steps run */

/* Whether the steps take microseconds and may be made on this thread. Replacing a file may make the
 * kernel write its data to the disk. */
static bool is_quick(const struct save *save, int64_t now_ns)
{
    const struct place *place = &save->file.place;
    const struct whorl_http_save_options *options = save->options;

    return save->whole && !options->sync && !options->overwrite && place->is_local &&
           place->way != PLACE_NAMED && now_ns >= place->slow_until_ns;
}

/* Runs a step with all its system calls, and remembers the properties of the directory's file
 * system that it has found. */
static WHORL_SUSPENDS int run_step(struct save *save, int (*step)(void *save))
{
    struct places *places = &http_response_store(save->response)->places;
    int64_t now_ns = whorl_now();
    int err;

    if (is_quick(save, now_ns))
        err = disk_call_here(step, save, now_ns, &save->file.place.slow_until_ns);
    else
        err = disk_call_run(step, save, "save", save->path);
    places_put(places, &save->file.place);
    note_written(save);
    return err;
}

/* All of it */

/* Asks the caller whether the body is accepted, and under which name. */
static int accept_body(struct save *save)
{
    const struct whorl_http_save_options *options = save->options;
    int err = options->complete ? options->complete(options->arg, &save->name) : 0;

    return err ? fail(save, err) : 0;
}

static WHORL_SUSPENDS int save_in_place(struct save *save)
{
    int err = named_fd(save->path) >= 0 ? open_named_fd(save) : open_in_place(save);

    if (err)
        return fail(save, err);
    err = write_body(save);
    if (err == 0 && !save->accepted)
        err = accept_body(save);
    if (err)
        return err;
    err = whorl_close(save->fd);
    save->fd = -1;
    return err ? fail(save, err) : 0;
}

/* Tries the names that the caller offers. Returns 0; -EEXIST when all are taken; another error. */
static WHORL_SUSPENDS int take_another_name(struct save *save)
{
    const struct whorl_http_save_options *options = save->options;
    bool has_file = save->file.fd >= 0 || save->file.temp_exists;
    int err = -EEXIST;

    for (unsigned attempt = 1; err == -EEXIST && has_file && options->next_path; attempt++) {
        save->name = options->next_path(options->arg, attempt);
        if (!save->name)
            break;
        err = run_step(save, take_name);
    }
    return err;
}

/* Returns 0, IN_PLACE, or an error whose detail is set. */
static WHORL_SUSPENDS int save_to_new_file(struct save *save)
{
    const struct whorl_http_save_options *options = save->options;

    /* With `next_path`, an existing file keeps its name in any case: no need to look. */
    save->looked = options->next_path && !options->overwrite;
    int err = collect(save);
    if (err)
        return err;
    save->file.place =
        places_get(&http_response_store(save->response)->places, save->file.dir_fd, save->path);
    save->file.is_named = !save->whole && whorl_http_response_length(save->response) < 0;
    if (save->whole) {
        report_progress(save);
        show_part(save, save->whole, save->whole_len);
        err = accept_body(save);
        if (err)
            return err;
        save->accepted = true;
    }
    err = run_step(save, save->whole ? write_whole : create_file);
    if (err == 0 && !save->whole) {
        err = write_body(save);
        if (err == 0)
            err = accept_body(save);
        if (err)
            return err;
        err = run_step(save, finish_file);
    }
    if (err == -EEXIST)
        err = take_another_name(save);
    return err < 0 ? fail(save, err) : err;
}

static int discard(void *arg)
{
    struct save *save = arg;

    new_file_discard(&save->file);
    return 0;
}

/* Closes and removes an unfinished new file, also when the task is cancelled. */
static WHORL_SUSPENDS_SHIELDED void remove_file(struct save *save)
{
    struct new_file *file = &save->file;

    if (file->fd >= 0 || file->temp_exists) {
        struct whorl_scope shield;
        whorl_scope_enter_shield(&shield, whorl_after(CLEANUP_NS));
        int err = disk_call_run(discard, save, "remove", save->path);
        whorl_scope_leave(&shield, 0);
        if (err == WHORL_ENOIO)
            file->temp_exists = false; /* this is a forked child; the file is its parent's */
        if (err)
            new_file_discard(file);
    }
    free(file->temp);
    file->temp = NULL;
}

static WHORL_SUSPENDS int run(struct save *save)
{
    size_t len = strlen(save->path);

    if (len == 0 || save->path[len - 1] == '/')
        return fail(save, len == 0 ? -ENOENT : -EISDIR);
    int err = named_fd(save->path) >= 0 ? IN_PLACE : save_to_new_file(save);
    if (err != IN_PLACE)
        return err;
    remove_file(save);
    save->offset = 0;
    return save_in_place(save);
}

WHORL_SUSPENDS int whorl_http_response_save(struct whorl_http_response *response, const char *path,
                                            const struct whorl_http_save_options *options)
{
    static const struct whorl_http_save_options defaults;
    struct save save = {
        .response = response,
        .options = options ? options : &defaults,
        .path = path,
        .name = path,
        .file = {.dir_fd = options && options->use_dir_fd ? options->dir_fd : AT_FDCWD,
                 .path = path,
                 .fd = -1},
        .fd = -1,
    };

    save.whole = http_response_take_whole(response, &save.whole_len);
    int err = run(&save);
    remove_file(&save);
    if (save.fd >= 0)
        whorl_close(save.fd);
    http_part_buf_drop(&save.buf, http_response_store(response));
    return err;
}
