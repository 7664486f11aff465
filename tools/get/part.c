/* SPDX-License-Identifier: MIT */
/* Partial files and their journals, see part.h. */
#include "tools/get/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/file.h>
#include <whorl/scope.h>
#include <whorl/text.h>

enum {
    NAME_BYTES_MAX = 255,
    LINES_MAX = 256 << 10, /* a longer journal is written again, without what has become needless */
    STEP_MIN = 64 << 10,   /* bytes between two lines */
    STEP_MAX = 4 << 20,
    STEPS = 256, /* lines per file, between these two limits */
    PLACES_TRIED_MAX = 3,
    CHANGED_AFTER_S = 2, /* file systems may round times up to 2 s */
};

static const int64_t record_ns = WHORL_SECOND / 4; /* the longest time between two lines */
static const int64_t lock_ns = WHORL_SECOND / 2;   /* the wait for a lock */
static const int64_t remove_ns = 5 * WHORL_SECOND;

/* Names */

static uint32_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325; /* FNV-1a */

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3;
    return (uint32_t)(h ^ h >> 32);
}

int part_init(struct part *part, int dir_fd, const char *path, const char *url)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int dir_len = (int)(name - path);
    size_t name_max = NAME_BYTES_MAX - (sizeof ".01234567.part.journal" - 1);
    int name_len = (int)whorl_text_cut(name, strlen(name), name_max);

    *part = (struct part){.dir_fd = dir_fd, .fd = -1, .journal_fd = -1};
    if (asprintf(&part->path, "%.*s%.*s.%08x.part", dir_len, path, name_len, name, hash(url)) < 0)
        part->path = NULL;
    if (!part->path || asprintf(&part->journal_path, "%s.journal", part->path) < 0) {
        free(part->path);
        *part = (struct part){0};
        return -ENOMEM;
    }
    return 0;
}

static void close_files(struct part *part)
{
    if (part->fd >= 0)
        close(part->fd);
    if (part->journal_fd >= 0)
        close(part->journal_fd);
    part->fd = part->journal_fd = -1;
    journal_finish(&part->journal);
    ranges_clear(&part->unrecorded);
}

void part_finish(struct part *part)
{
    if (!part->path)
        return;
    close_files(part);
    ranges_finish(&part->unrecorded);
    buffer_finish(&part->text);
    free(part->path);
    free(part->journal_path);
    *part = (struct part){0};
}

/* The id changes when the machine restarts. Where it cannot be read, nothing but durable bytes
 * counts after the end of this process. */
static void read_boot_id(char ret[JOURNAL_BOOT_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, ret, JOURNAL_BOOT_SIZE - 1);

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        n = snprintf(ret, JOURNAL_BOOT_SIZE, "unknown-%d", (int)getpid());
    ret[n] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

/* Opening */

/* Whether the file is ours alone: a regular file of this user that has one name. */
static bool is_ours(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1;
}

/* Whether the path still leads to the open file. Another process may have renamed or replaced it
 * before we locked it. */
static WHORL_SUSPENDS bool is_current(int dir_fd, const char *path, int fd)
{
    struct statx now;
    struct stat st;

    return whorl_statx(dir_fd, path, AT_SYMLINK_NOFOLLOW, STATX_INO, &now) == 0 &&
           fstat(fd, &st) == 0 && now.stx_ino == st.st_ino &&
           makedev(now.stx_dev_major, now.stx_dev_minor) == st.st_dev;
}

/* Locks an open part. When a process is killed, the kernel may close the files of its ring a moment
 * later, so a lock that is held is waited for. Returns 0, -EBUSY or -errno. */
static WHORL_SUSPENDS int lock(int fd)
{
    struct whorl_scope scope;
    int err = whorl_flock(fd, LOCK_EX | LOCK_NB);

    if (err != -EWOULDBLOCK)
        return err;
    whorl_scope_enter(&scope, whorl_after(lock_ns));
    err = whorl_scope_leave(&scope, whorl_flock(fd, LOCK_EX));
    return err == -ETIMEDOUT ? -EBUSY : err;
}

/* Opens and locks an existing part. Returns 0; -EBUSY; -EBADMSG when the file is not ours; or
 * -errno. */
static WHORL_SUSPENDS int open_locked(struct part *part)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    struct stat st;

    for (int i = 0; i < PLACES_TRIED_MAX; i++) {
        WHORL_AUTO(fd)
        file = whorl_fd_own(whorl_openat(part->dir_fd, part->path, flags, 0));
        int fd = whorl_fd_get(&file);
        if (fd < 0)
            return fd == -ELOOP || fd == -EISDIR ? -EBADMSG : fd;
        int err = lock(fd);
        if (err)
            return err;
        if (fstat(fd, &st) < 0)
            return -errno;
        if (!is_current(part->dir_fd, part->path, fd))
            continue;
        if (!is_ours(&st))
            return -EBADMSG;
        part->fd = whorl_fd_take(&file);
        return 0;
    }
    return -EBUSY;
}

/* Reads the journal. Returns 0; -ENOENT; -EBADMSG; or -errno. */
static WHORL_SUSPENDS int read_journal(struct part *part, const char *boot)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    WHORL_AUTO(fd)
    file = whorl_fd_own(whorl_openat(part->dir_fd, part->journal_path, flags, 0));
    int fd = whorl_fd_get(&file);
    struct stat st;
    char *text;
    size_t len;

    if (fd < 0)
        return fd == -ELOOP || fd == -EISDIR ? -EBADMSG : fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!is_ours(&st))
        return -EBADMSG;
    int err = whorl_read_to_end(fd, JOURNAL_SIZE_MAX, &text, &len);
    if (err)
        return err == -EFBIG ? -EBADMSG : err;
    err = journal_read(&part->journal, &part->end, text, len, boot);
    free(text);
    if (err == 0)
        part->journal_fd = whorl_fd_take(&file);
    return err;
}

/* Writes the whole journal to a new file that replaces the old one. */
static WHORL_SUSPENDS int rewrite(struct part *part)
{
    struct journal_end end = {0};
    char *path;

    if (asprintf(&path, "%s.new", part->journal_path) < 0)
        return -ENOMEM;
    buffer_clear(&part->text);
    journal_add_all(&part->text, &end.check, &part->journal);
    end.size = (int64_t)part->text.len;
    int err = whorl_unlinkat(part->dir_fd, path, 0);
    int fd = err && err != -ENOENT
                 ? err
                 : whorl_openat(part->dir_fd, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    err = fd < 0 ? fd : part->text.failed ? -ENOMEM : 0;
    if (err == 0)
        err = whorl_pwrite_all(fd, part->text.text, part->text.len, 0);
    if (err == 0)
        err = whorl_fsync(fd, true);
    if (err == 0)
        err = whorl_renameat(part->dir_fd, path, part->dir_fd, part->journal_path, 0);
    if (err && fd >= 0) {
        close(fd);
        (void)unlinkat(part->dir_fd, path, 0);
    } else if (err == 0) {
        close(part->journal_fd);
        part->journal_fd = fd;
        part->end = end;
    }
    free(path);
    return err;
}

/* The journal is written at most a quarter of a second after the bytes. If the part is newer than
 * that, another program has changed it, and the states of the hashes may be of other bytes. */
static bool is_changed(const struct part *part, const struct stat *st)
{
    struct stat journal;

    return fstat(part->journal_fd, &journal) < 0 ||
           st->st_mtim.tv_sec > journal.st_mtim.tv_sec + CHANGED_AFTER_S;
}

/* Checks that the part has the bytes that the journal claims, and prepares the journal for more
 * lines: what follows the last line that counts is cut off. */
static WHORL_SUSPENDS int prepare(struct part *part, const char *boot, const char **ret_why)
{
    struct stat st;

    if (fstat(part->fd, &st) < 0)
        return -errno;
    if (st.st_size < ranges_end(&part->journal.done) || st.st_size > part->journal.length) {
        *ret_why = "the partial file does not have the size that its journal says";
        return -EBADMSG;
    }
    part->recorded_ns = part->synced_ns = whorl_now();
    bool changed = is_changed(part, &st);
    if (changed)
        journal_drop_digests(&part->journal);
    if (!changed && strcmp(part->journal.boot, boot) == 0)
        return whorl_ftruncate(part->journal_fd, part->end.size);
    strcpy(part->journal.boot, boot);
    return rewrite(part);
}

WHORL_SUSPENDS int part_find(struct part *part, const char **ret_why)
{
    char boot[JOURNAL_BOOT_SIZE];

    int err = open_locked(part);
    if (err) {
        *ret_why = "the partial file is a link or belongs to another user";
        return err == -ENOENT ? 0 : err;
    }
    read_boot_id(boot);
    err = read_journal(part, boot);
    if (err == 0)
        err = prepare(part, boot, ret_why);
    else if (err == -ENOENT || err == -EBADMSG)
        *ret_why = err == -ENOENT ? "the partial file has no journal"
                                  : "the journal of the partial file cannot be read";
    if (err) {
        close_files(part);
        return err == -ENOENT ? -EBADMSG : err;
    }
    return 1;
}

/* Creating */

static WHORL_SUSPENDS int unlink_both(struct part *part)
{
    int err = whorl_unlinkat(part->dir_fd, part->path, 0);

    if (err && err != -ENOENT)
        return err;
    err = whorl_unlinkat(part->dir_fd, part->journal_path, 0);
    return err == -ENOENT ? 0 : err;
}

/* Creates the part, in place of one that no process uses. */
static WHORL_SUSPENDS int create_locked(struct part *part)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;

    for (int i = 0; i < PLACES_TRIED_MAX; i++) {
        int fd = whorl_openat(part->dir_fd, part->path, flags, 0666);
        if (fd >= 0) {
            int err = lock(fd);
            if (err == 0 && is_current(part->dir_fd, part->path, fd)) {
                part->fd = fd;
                return 0;
            }
            close(fd);
            if (err)
                return err;
            continue; /* another process was faster to lock it, and has removed it */
        }
        int err = fd == -EEXIST ? open_locked(part) : fd;
        if (err == 0)
            err = unlink_both(part);
        close_files(part);
        if (err && err != -ENOENT)
            return err;
    }
    return -EBUSY;
}

static WHORL_SUSPENDS int create_journal(struct part *part)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
    int err = whorl_unlinkat(part->dir_fd, part->journal_path, 0); /* its part is gone */

    if (err && err != -ENOENT)
        return err;
    part->end = (struct journal_end){0};
    buffer_clear(&part->text);
    journal_add_all(&part->text, &part->end.check, &part->journal);
    if (part->text.failed)
        return -ENOMEM;
    int fd = whorl_openat(part->dir_fd, part->journal_path, flags, 0600);
    if (fd < 0)
        return fd;
    part->journal_fd = fd;
    part->end.size = (int64_t)part->text.len;
    return whorl_pwrite_all(fd, part->text.text, part->text.len, 0);
}

static int copy(char **ret, const char *text)
{
    if (!text)
        return 0;
    if (!journal_can_store(text))
        return -EBADMSG;
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

WHORL_SUSPENDS int part_begin(struct part *part, const char *url, const char *final_url,
                              const char *etag, const char *modified, int64_t length)
{
    struct journal journal = {.length = length};

    if (!part->path) /* another URL has the names */
        return -EBUSY;
    read_boot_id(journal.boot);
    int err = copy(&journal.url, url);
    if (err == 0)
        err = copy(&journal.final_url, final_url);
    if (err == 0)
        err = copy(&journal.etag, etag);
    if (err == 0)
        err = copy(&journal.modified, modified);
    if (err) {
        journal_finish(&journal);
        return err;
    }
    if (part->fd >= 0)
        err = unlink_both(part);
    close_files(part);
    if (err == 0)
        err = create_locked(part);
    part->journal = journal;
    part->recorded_ns = part->synced_ns = whorl_now();
    if (err == 0) {
        err = create_journal(part);
        if (err)
            part_remove(part);
    }
    if (err)
        close_files(part);
    return err;
}

/* Recording */

int part_note(struct part *part, int64_t start, int64_t end)
{
    int err = ranges_add(&part->journal.done, start, end);

    return err ? err : ranges_add(&part->unrecorded, start, end);
}

static bool is_due(const struct part *part)
{
    int64_t step = part->journal.length / STEPS, bytes = ranges_sum(&part->unrecorded);

    step = step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : step;
    return bytes >= step || (bytes > 0 && whorl_now() - part->recorded_ns >= record_ns);
}

/* Writes the lines in `text`, behind which the journal has the CRC `check`. After a failure, the
 * next lines are written over what was written of these. */
static WHORL_SUSPENDS int append(struct part *part, uint32_t check)
{
    if (part->text.failed)
        return -ENOMEM;
    int err = whorl_pwrite_all(part->journal_fd, part->text.text, part->text.len, part->end.size);
    if (err == 0) {
        part->end.size += (int64_t)part->text.len;
        part->end.check = check;
    }
    return err;
}

/* Copies the present state of the hashes to `ret`, if there is one. Without memory there is none,
 * which costs the next run only time. */
static void take_state(struct part *part, struct journal_digest *ret)
{
    struct buffer state = {0};
    int64_t end = part->save ? part->save(part->save_arg, &state) : 0;

    if (end > 0 && end != ret->end && !state.failed)
        (void)journal_digest_set(ret, end, state.text, state.len);
    buffer_finish(&state);
}

/* Adds a line for a state that the journal does not have yet. */
static void add_state(struct part *part, uint32_t *check)
{
    struct journal_digest *digest = &part->journal.digest;
    int64_t before = digest->end;

    take_state(part, digest);
    if (digest->state && digest->end != before)
        journal_add_digest(&part->text, check, digest);
}

static WHORL_SUSPENDS int write_lines(struct part *part)
{
    struct ranges *ranges = &part->unrecorded;
    uint32_t check = part->end.check;

    if (part->end.size > LINES_MAX) {
        ranges_clear(ranges); /* the new journal has them */
        take_state(part, &part->journal.digest);
        return rewrite(part);
    }
    buffer_clear(&part->text);
    for (size_t i = 0; i < ranges->count; i++)
        journal_add_done(&part->text, &check, ranges->items[i]);
    ranges_clear(ranges); /* other tasks add to it while this one writes */
    add_state(part, &check);
    return append(part, check);
}

WHORL_SUSPENDS int part_record(struct part *part, bool now)
{
    if (part->is_recording || part->unrecorded.count == 0 || (!now && !is_due(part)))
        return 0;
    part->is_recording = true;
    part->recorded_ns = whorl_now();
    int err = write_lines(part);
    part->is_recording = false;
    if (err) /* the next line says it again */
        (void)ranges_add_all(&part->unrecorded, &part->journal.done);
    return err;
}

/* Makes the names of both files durable. */
static WHORL_SUSPENDS int sync_dir(const struct part *part)
{
    const char *slash = strrchr(part->path, '/');
    char *dir;

    if (asprintf(&dir, "%.*s.", slash ? (int)(slash - part->path) + 1 : 0, part->path) < 0)
        return -ENOMEM;
    WHORL_AUTO(fd)
    file = whorl_fd_own(whorl_openat(part->dir_fd, dir, O_RDONLY | O_DIRECTORY, 0));
    int fd = whorl_fd_get(&file);
    free(dir);
    return fd < 0 ? fd : whorl_fsync(fd, false);
}

WHORL_SUSPENDS int part_sync(struct part *part)
{
    struct journal_digest digest = {0}; /* of bytes that are in `done` */
    struct ranges done = {0};
    uint32_t check;

    part->synced_ns = whorl_now();
    take_state(part, &digest);
    int err = ranges_add_all(&done, &part->journal.done);
    if (err == 0)
        err = whorl_fsync(part->fd, true);
    if (err == 0 && part->journal.synced.count == 0)
        err = sync_dir(part);
    if (err == 0)
        err = ranges_add_all(&part->journal.synced, &done);
    ranges_finish(&done);
    if (err == 0 && digest.state) {
        free(part->journal.synced_digest.state);
        part->journal.synced_digest = digest;
    } else {
        free(digest.state);
    }
    if (err || part->is_recording)
        return err; /* the next call writes the line */
    part->is_recording = true;
    check = part->end.check;
    buffer_clear(&part->text);
    for (size_t i = 0; i < part->journal.synced.count; i++)
        journal_add_synced(&part->text, &check, part->journal.synced.items[i]);
    if (part->journal.synced_digest.state)
        journal_add_digest(&part->text, &check, &part->journal.synced_digest);
    err = append(part, check);
    if (err == 0)
        err = whorl_fsync(part->journal_fd, true);
    part->is_recording = false;
    return err;
}

/* The end */

bool part_is_complete(const struct part *part)
{
    const struct ranges *done = &part->journal.done;

    return done->count == 1 && done->items[0].start == 0 &&
           done->items[0].end == part->journal.length;
}

/* As rename(2), but fails with -EEXIST when the name is taken. */
static WHORL_SUSPENDS int rename_new(struct part *part, const char *path)
{
    int dir = part->dir_fd;
    int err = whorl_renameat(dir, part->path, dir, path, RENAME_NOREPLACE);

    if (err != -EINVAL && err != -ENOSYS && err != -EOPNOTSUPP)
        return err;
    /* A file system without this flag. linkat(2) also fails when the name is taken. */
    err = whorl_linkat(dir, part->path, dir, path, 0);
    if (err == 0)
        return whorl_unlinkat(dir, part->path, 0);
    if (err != -EPERM && err != -EOPNOTSUPP && err != -ENOSYS)
        return err;
    /* It has no links either. An empty file keeps the name until it is replaced. */
    int fd = whorl_openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    if (fd < 0)
        return fd;
    close(fd);
    err = whorl_renameat(dir, part->path, dir, path, 0);
    if (err)
        (void)unlinkat(dir, path, 0);
    return err;
}

static WHORL_SUSPENDS int rename_over(struct part *part, const char *path)
{
    struct statx old;
    int err = whorl_statx(part->dir_fd, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MODE, &old);

    if (err == 0 && S_ISDIR(old.stx_mode))
        return -EISDIR;
    if (err == 0 && S_ISREG(old.stx_mode) && fchmod(part->fd, old.stx_mode & 0777) < 0)
        return -errno;
    if (err && err != -ENOENT)
        return err;
    return whorl_renameat(part->dir_fd, part->path, part->dir_fd, path, 0);
}

WHORL_SUSPENDS int part_take(struct part *part, const char *path, bool replace)
{
    int err = replace ? rename_over(part, path) : rename_new(part, path);

    if (err)
        return err;
    /* Another process may have begun a new part with its own journal already. A journal that stays
     * because of a failure has no part, so it does no harm. */
    if (is_current(part->dir_fd, part->journal_path, part->journal_fd))
        (void)unlinkat(part->dir_fd, part->journal_path, 0);
    close_files(part);
    return 0;
}

WHORL_SUSPENDS_SHIELDED void part_remove(struct part *part)
{
    struct whorl_scope shield;

    if (part->fd < 0)
        return;
    whorl_scope_enter_shield(&shield, whorl_after(remove_ns));
    int err = unlink_both(part);
    whorl_scope_leave(&shield, err); /* a file that stays is reported by the next run */
    close_files(part);
}
