/* SPDX-License-Identifier: MIT */
/* A body into a file: under a temporary name in the same directory, renamed when it is complete.
 *
 *     look at the target -- a device, pipe, socket, or our output? -- yes --> open it, write to it
 *          | no
 *     open .NAME.RANDOM.part (O_EXCL) --> write ... --> [fsync] --> close --> rename to NAME
 *          any failure or a cancel on the way: close, unlink
 *
 * The first look avoids fetching a body whose file cannot be created. When the whole body has
 * arrived with the head, there is nothing to avoid: a small file is written at once, in four
 * requests, and the target is looked at only when its name is taken.
 *
 * Bytes are written from where they were received. At first that is the receive buffer. A long
 * transfer gets a larger buffer of its own, while the sum of these buffers in the session stays
 * below a cap, so a thousand transfers at once do not take a thousand large buffers.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/file.h>
#include <whorl/http.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "io/http/response.h"
#include "io/http/stage.h"
#include "runtime/base/backoff.h"

enum {
    MIDDLE_BUF = 64 << 10, /* for bodies longer than MIDDLE_FROM */
    MIDDLE_FROM = 128 << 10,
    LARGE_BUF = 256 << 10, /* for bodies longer than LARGE_FROM */
    LARGE_FROM = 1 << 20,
    BUFS_MAX = 16 << 20, /* bytes of these buffers in a session */
    TEMP_TRIES = 16,
    NAME_MAX_BYTES = 255,
};

#define CLEANUP_NS        (5 * WHORL_SECOND)
#define FIFO_PAUSE_MIN_NS WHORL_MILLISECOND
#define FIFO_PAUSE_MAX_NS (50 * WHORL_MILLISECOND) /* between two looks for a FIFO's reader */

struct save {
    struct whorl_http_response *response;
    const struct whorl_http_save_options *options;
    const char *path;
    int dir_fd;
    char *temp;       /* owned; NULL when written in place */
    bool temp_exists; /* on the disk; it must be unlinked or renamed */
    bool looked;      /* the target needs no look, or no second one */
    bool is_special;  /* the rename found that the target is a device, pipe or socket */
    bool replaces;    /* an existing file with the permissions `mode` */
    bool appends;     /* the target is this process's standard output or error */
    bool is_fifo;     /* the target is a FIFO */
    bool awaits;      /* the FIFO has no reader yet */
    mode_t mode;
    const char *whole; /* the whole body, when it came with the head; else NULL */
    size_t whole_len;
    int fd;        /* -1: closed */
    bool seekable; /* a regular file: written at `offset` */
    int64_t offset;
    char *buf; /* owned; NULL: the receive buffer is used */
    size_t buf_size;
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

/* Names */

/* A number that differs between processes, runs and calls. O_EXCL finds the rare clash. */
static uint32_t random_u32(void)
{
    static _Thread_local uint64_t state;
    if (state == 0 && getrandom(&state, sizeof state, GRND_NONBLOCK) != sizeof state)
        state = (uint64_t)whorl_now() ^ (uint64_t)getpid() << 32;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

/* Sets `temp` to ".NAME.RANDOM.part" in the directory of the target. A long name is cut. */
static int name_temp(struct save *save)
{
    const char *slash = strrchr(save->path, '/');
    const char *name = slash ? slash + 1 : save->path;
    int dir_len = (int)(name - save->path),
        name_max = NAME_MAX_BYTES - (int)sizeof "..01234567.part";

    free(save->temp);
    if (asprintf(&save->temp, "%.*s.%.*s.%08x.part", dir_len, save->path, name_max, name,
                 random_u32()) < 0) {
        save->temp = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* Opening */

static WHORL_SUSPENDS int open_temp(struct save *save)
{
    int fd = -EEXIST;
    for (int i = 0; i < TEMP_TRIES && fd == -EEXIST; i++) {
        int err = name_temp(save);
        if (err)
            return err;
        fd = whorl_openat(save->dir_fd, save->temp, O_WRONLY | O_CREAT | O_EXCL,
                          save->replaces ? save->mode : 0666);
    }
    if (fd < 0)
        return fd;
    if (save->replaces)
        (void)fchmod(fd, save->mode); /* the umask may have removed bits; failing is harmless */
    save->fd = fd;
    save->temp_exists = save->seekable = true;
    return 0;
}

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

/* The mode of the target, 0 when there is none, or an error. */
static WHORL_SUSPENDS int look_at_target(struct save *save)
{
    struct statx st;
    int err = whorl_statx(save->dir_fd, save->path, 0, STATX_TYPE | STATX_MODE | STATX_INO, &st);
    if (err)
        return err == -ENOENT ? 0 : err;
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
    while ((fd = whorl_openat(save->dir_fd, save->path, flags | O_NONBLOCK, 0)) == -ENXIO) {
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
        fd = whorl_openat(save->dir_fd, save->path, flags, 0);
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

static WHORL_SUSPENDS int open_target(struct save *save)
{
    int mode = look_at_target(save);
    if (mode < 0)
        return mode;
    save->looked = true;
    if (is_special(save, mode))
        return open_in_place(save);
    if (S_ISDIR(mode))
        return -EISDIR;
    if (S_ISREG(mode) && !save->options->overwrite)
        return -EEXIST;
    save->replaces = S_ISREG(mode);
    save->mode = (mode_t)mode & 0777;
    return open_temp(save);
}

/* Opens the target or a temporary file, as the picture above says. */
static WHORL_SUSPENDS int open_file(struct save *save)
{
    size_t len = strlen(save->path);
    if (len == 0 || save->path[len - 1] == '/')
        return len == 0 ? -ENOENT : -EISDIR;
    if (named_fd(save->path) >= 0)
        return open_named_fd(save);
    /* With `next_path`, an existing file keeps its name in any case: no need to look. */
    save->looked = save->options->next_path && !save->options->overwrite;
    if (save->looked)
        return open_temp(save);
    if (!save->whole || save->options->overwrite || strncmp(save->path, "/dev/", 5) == 0)
        return open_target(save);
    int err = open_temp(save);
    if (err && is_special(save, look_at_target(save)))
        err = open_in_place(save);
    return err;
}

/* Writing */

/* Takes a larger buffer when the transfer is long enough for it and the cap allows it. */
static void grow_buf(struct save *save)
{
    struct http_store *store = http_response_store(save->response);
    size_t size = save->offset >= LARGE_FROM ? LARGE_BUF : MIDDLE_BUF;

    if (save->offset < MIDDLE_FROM || size <= save->buf_size ||
        store->save_bytes - save->buf_size + size > BUFS_MAX)
        return;
    char *buf = malloc(size);
    if (!buf)
        return;
    free(save->buf);
    store->save_bytes += size - save->buf_size;
    save->buf = buf;
    save->buf_size = size;
}

static void drop_buf(struct save *save)
{
    http_response_store(save->response)->save_bytes -= save->buf_size;
    free(save->buf);
    save->buf = NULL;
    save->buf_size = 0;
}

/* The next part of the body, decoded if necessary. */
static WHORL_SUSPENDS ssize_t next_part(struct save *save, const char **ret)
{
    struct whorl_http_response *response = save->response;
    if (http_response_must_receive(response))
        grow_buf(save);
    if (!http_response_is_decoded(response))
        return http_response_read_part(response, save->buf, save->buf_size, ret);
    if (!save->buf) {
        save->buf = malloc(HTTP_BUF_SIZE);
        if (!save->buf)
            return fail(save, -ENOMEM);
        save->buf_size = HTTP_BUF_SIZE;
        http_response_store(response)->save_bytes += HTTP_BUF_SIZE;
    }
    *ret = save->buf;
    return whorl_http_response_read(response, save->buf, save->buf_size);
}

/* Writes to what may wait for another process. The total limit applies. */
static WHORL_SUSPENDS int write_in_place(struct save *save, const char *part, size_t len)
{
    struct http_stage stage;

    note_in_place(save);
    http_stage_enter(&stage, WHORL_FOREVER, 0, http_response_total_deadline_ns(save->response));
    return (int)http_stage_leave(&stage, whorl_write_all(save->fd, part, len));
}

static WHORL_SUSPENDS int write_part(struct save *save, const char *part, size_t len)
{
    const struct whorl_http_save_options *options = save->options;
    int err = save->seekable ? whorl_pwrite_all(save->fd, part, len, save->offset)
                             : write_in_place(save, part, len);
    if (err)
        return fail(save, err);
    save->offset += (int64_t)len;
    if (options->ret_written)
        *options->ret_written = save->offset;
    if (options->progress)
        options->progress(options->arg, whorl_http_response_received(save->response));
    return 0;
}

static WHORL_SUSPENDS int write_body(struct save *save)
{
    if (save->whole)
        return save->whole_len > 0 ? write_part(save, save->whole, save->whole_len) : 0;
    for (;;) {
        const char *part;
        ssize_t n = next_part(save, &part);
        int err = n > 0 ? write_part(save, part, (size_t)n) : 0;
        if (n <= 0 || err)
            return n < 0 ? (int)n : err;
    }
}

/* Finishing */

/* For file systems without RENAME_NOREPLACE: linkat also fails when the name is taken. */
static int link_and_unlink(struct save *save, const char *path)
{
    if (linkat(save->dir_fd, save->temp, save->dir_fd, path, 0))
        return -errno;
    return 0; /* clean_up() unlinks the temporary name */
}

/* For file systems without RENAME_NOREPLACE and without links, such as some FUSE file systems:
 * takes the name with an empty file, then replaces that file. So for a moment the name is that of
 * an empty file, but nothing else can take it. */
static int reserve_and_rename(struct save *save, const char *path)
{
    int fd = openat(save->dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    close(fd);
    if (renameat(save->dir_fd, save->temp, save->dir_fd, path) == 0) {
        save->temp_exists = false;
        return 0;
    }
    int err = -errno;
    unlinkat(save->dir_fd, path, 0);
    return err;
}

static bool has_no_links(int err)
{
    return err == -EPERM || err == -EOPNOTSUPP || err == -ENOSYS || err == -EMLINK ||
           err == -EINVAL;
}

/* Renames the file to its path, or to the next path that is free; or finds that the path is a
 * device. */
static WHORL_SUSPENDS int take_name(struct save *save)
{
    const struct whorl_http_save_options *options = save->options;
    unsigned flags = options->overwrite ? 0 : RENAME_NOREPLACE;
    const char *path = save->path;
    int err = 0;

    for (unsigned attempt = 1; path; attempt++) {
        err = whorl_renameat(save->dir_fd, save->temp, save->dir_fd, path, flags);
        if (err == 0)
            save->temp_exists = false;
        if ((err == -EINVAL || err == -ENOSYS || err == -EOPNOTSUPP) && flags) {
            err = link_and_unlink(save, path);
            if (has_no_links(err))
                err = reserve_and_rename(save, path);
        }
        if (err != -EEXIST)
            break;
        if (!save->looked) {
            int mode = look_at_target(save);
            save->is_special = is_special(save, mode);
            err = mode > 0 && S_ISDIR(mode) ? -EISDIR : err;
        }
        if (!options->next_path)
            break;
        path = options->next_path(options->arg, attempt);
    }
    return err;
}

static WHORL_SUSPENDS int sync_directory(struct save *save)
{
    const char *slash = strrchr(save->path, '/');
    char *dir = slash ? strndup(save->path, (size_t)(slash - save->path) + 1) : strdup(".");
    if (!dir)
        return -ENOMEM;
    int fd = whorl_openat(save->dir_fd, dir, O_RDONLY | O_DIRECTORY, 0);
    free(dir);
    if (fd < 0)
        return fd;
    int err = whorl_fsync(fd, false);
    whorl_close(fd);
    return err;
}

static WHORL_SUSPENDS int finish_file(struct save *save)
{
    int err = 0;
    if (save->options->sync && save->seekable)
        err = whorl_fsync(save->fd, false);
    if (err)
        return err;
    err = whorl_close(save->fd); /* some file systems report a full disk only now */
    save->fd = -1;
    if (err || !save->temp)
        return err;
    err = take_name(save);
    if (err == 0 && save->options->sync)
        err = sync_directory(save);
    return err;
}

/* Closes and removes what is left over, also when the task is cancelled. */
static WHORL_SUSPENDS_SHIELDED void clean_up(struct save *save)
{
    drop_buf(save);
    if (save->fd >= 0)
        whorl_close(save->fd);
    save->fd = -1;
    if (save->temp_exists) {
        struct whorl_scope shield;
        whorl_scope_enter_shield(&shield, whorl_after(CLEANUP_NS));
        int err = whorl_unlinkat(save->dir_fd, save->temp, 0);
        whorl_scope_leave(&shield, 0);
        if (err == -ECANCELED)
            unlinkat(save->dir_fd, save->temp, 0);
    }
    save->temp_exists = save->seekable = false;
    save->offset = 0;
    free(save->temp);
    save->temp = NULL;
}

static WHORL_SUSPENDS int run(struct save *save, WHORL_SUSPENDS int (*open)(struct save *save))
{
    int err = open(save);
    if (err)
        return fail(save, err);
    err = write_body(save);
    if (err)
        return err;
    err = finish_file(save);
    return err && !save->is_special ? fail(save, err) : err;
}

WHORL_SUSPENDS int whorl_http_response_save(struct whorl_http_response *response, const char *path,
                                            const struct whorl_http_save_options *options)
{
    static const struct whorl_http_save_options defaults;
    struct save save = {
        .response = response,
        .options = options ? options : &defaults,
        .path = path,
        .dir_fd = options && options->use_dir_fd ? options->dir_fd : AT_FDCWD,
        .fd = -1,
    };
    save.whole = http_response_take_whole(response, &save.whole_len);
    int err = run(&save, open_file);
    clean_up(&save);
    /* The body is complete and still in memory, so it can be written to the device now. */
    if (save.is_special) {
        save.is_special = false;
        err = run(&save, open_in_place);
        clean_up(&save);
    }
    return err;
}
