/* SPDX-License-Identifier: MIT */
/* A file that gets its name when it is complete: without a name before, or with a temporary one. */
#include "io/fd/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TEMP_TRIES = 16,
    NAME_MAX_BYTES = 255,
    COPY_MAX = 1 << 30,
};

/* Names */

/* Returns a number that differs between processes, threads and calls. O_EXCL detects the rare
 * collision. */
static uint32_t random_u32(void)
{
    static _Thread_local uint64_t state;
    struct timespec now;

    if (state == 0 && getrandom(&state, sizeof state, GRND_NONBLOCK) != sizeof state) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        state = (uint64_t)now.tv_nsec ^ (uint64_t)gettid() << 32;
    }
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static int dir_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (int)(slash - path) + 1 : 0;
}

/* The directory of the file, as "DIR/." or ".". NULL: no memory. `*ret_owned` is to be freed. */
static const char *directory_of(const struct new_file *file, char **ret_owned)
{
    int len = dir_len(file->path);

    *ret_owned = NULL;
    if (len == 0)
        return ".";
    if (asprintf(ret_owned, "%.*s.", len, file->path) < 0)
        *ret_owned = NULL;
    return *ret_owned;
}

/* Sets `temp` to ".NAME.RANDOM.part" in the directory of the file. A long name is cut. */
static int name_temp(struct new_file *file)
{
    int len = dir_len(file->path), name_max = NAME_MAX_BYTES - (int)sizeof "..01234567.part";

    free(file->temp);
    if (asprintf(&file->temp, "%.*s.%.*s.%08x.part", len, file->path, name_max, file->path + len,
                 random_u32()) < 0) {
        file->temp = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* Opening */

static mode_t mode_of(const struct new_file *file)
{
    return file->has_mode ? file->mode : 0666;
}

static void own(struct new_file *file, int fd)
{
    if (file->has_mode)
        (void)fchmod(fd, file->mode); /* the umask may have removed bits; failing is harmless */
    file->fd = fd;
}

static int open_temp(struct new_file *file)
{
    int fd = -EEXIST;

    for (int i = 0; i < TEMP_TRIES && (fd == -EEXIST || fd == -EINTR); i++) {
        int err = name_temp(file);
        if (err)
            return err;
        fd = openat(file->dir_fd, file->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_of(file));
        if (fd < 0)
            fd = -errno;
    }
    if (fd < 0)
        return fd;
    own(file, fd);
    file->temp_exists = true;
    return 0;
}

/* Whether the file is on the file system that `place` describes. */
static bool is_at_place(const struct place *place, int fd)
{
    struct stat st;

    return place->way != PLACE_UNKNOWN &&
           (!place->is_local || (fstat(fd, &st) == 0 && st.st_dev == place->dev));
}

/* Returns false when this failed, or when the file could not get a name later. */
static bool open_unnamed(struct new_file *file)
{
    char *owned;
    const char *dir = directory_of(file, &owned);
    int fd = dir ? openat(file->dir_fd, dir, O_TMPFILE | O_RDWR | O_CLOEXEC, mode_of(file)) : -1;

    if (fd >= 0 && !is_at_place(&file->place, fd))
        place_look(&file->place, fd, file->dir_fd, dir);
    free(owned);
    if (fd < 0)
        return false;
    if (file->place.way == PLACE_NAMED) {
        close(fd);
        return false;
    }
    own(file, fd);
    return true;
}

int new_file_open(struct new_file *file)
{
    bool unnamed = !file->is_named && file->place.way != PLACE_NAMED;

    if (unnamed && open_unnamed(file))
        return 0;
    int err = open_temp(file);
    if (err == 0 && unnamed)
        file->place.way = PLACE_NAMED;
    return err;
}

int new_file_write(struct new_file *file, const char *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = write(file->fd, buf, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        buf += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sync_fd(int fd)
{
    int err;

    do {
        err = fsync(fd) != 0 ? -errno : 0;
    } while (err == -EINTR);
    return err;
}

int new_file_complete(struct new_file *file, bool sync)
{
    int err = sync ? sync_fd(file->fd) : 0;

    if (err || !file->temp)
        return err;
    int fd = file->fd;
    file->fd = -1;
    return close(fd) != 0 && errno != EINTR ? -errno : 0; /* EINTR: it is closed, see close(2) */
}

void new_file_discard(struct new_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    if (file->temp_exists)
        unlinkat(file->dir_fd, file->temp, 0);
    file->temp_exists = false;
}

/* Renaming */

static bool has_no_flags(int err)
{
    return err == -EINVAL || err == -ENOSYS || err == -EOPNOTSUPP;
}

static bool has_no_links(int err)
{
    return has_no_flags(err) || err == -EPERM || err == -EMLINK;
}

static int rename_temp(struct new_file *file, const char *path, unsigned flags)
{
    if (renameat2(file->dir_fd, file->temp, file->dir_fd, path, flags) != 0)
        return -errno;
    file->temp_exists = false;
    return 0;
}

/* For file systems without RENAME_NOREPLACE: linkat also fails when the name is taken. */
static int link_and_unlink(struct new_file *file, const char *path)
{
    if (linkat(file->dir_fd, file->temp, file->dir_fd, path, 0) != 0)
        return -errno;
    file->temp_exists = unlinkat(file->dir_fd, file->temp, 0) != 0;
    return 0;
}

/* For file systems without RENAME_NOREPLACE and without links, such as some FUSE file systems.
 * Creates an empty file with the name, then replaces that file. So for a moment the name leads to
 * an empty file, but no other program can take it. */
static int reserve_and_rename(struct new_file *file, const char *path)
{
    int fd = openat(file->dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    close(fd);
    int err = rename_temp(file, path, 0);
    if (err)
        unlinkat(file->dir_fd, path, 0);
    return err;
}

static int take_with_temp(struct new_file *file, const char *path, bool replace)
{
    int err = rename_temp(file, path, replace ? 0 : RENAME_NOREPLACE);

    if (has_no_flags(err) && !replace) {
        err = link_and_unlink(file, path);
        if (has_no_links(err))
            err = reserve_and_rename(file, path);
    }
    return err;
}

/* Linking */

static int link_to_temp(struct new_file *file)
{
    int err = -EEXIST;

    for (int i = 0; i < TEMP_TRIES && err == -EEXIST; i++) {
        err = name_temp(file);
        if (err)
            return err;
        err = place_link(&file->place, file->fd, file->dir_fd, file->temp);
    }
    file->temp_exists = err == 0;
    return err;
}

static int copy(int from, int to)
{
    off_t offset = 0;
    ssize_t n;

    while ((n = sendfile(to, from, &offset, COPY_MAX)) != 0)
        if (n < 0 && errno != EINTR)
            return -errno;
    return 0;
}

/* Called when the file could not get its name: a security module allows no links, /proc was
 * unmounted, or the directory no longer exists. Copies the file to one with a temporary name. If
 * that file cannot be created, returns the error of open(2). */
static int copy_to_temp(struct new_file *file, bool sync)
{
    int from = file->fd;

    int err = open_temp(file);
    if (err)
        return err;
    file->place.way = PLACE_NAMED;
    err = copy(from, file->fd);
    close(from);
    return err ? err : new_file_complete(file, sync);
}

/* Returns 0 when the file has its name, or now has a temporary one; -EEXIST when the name is taken
 * and must not be replaced. */
static int take_unnamed(struct new_file *file, const char *path, bool replace, bool sync)
{
    int err = place_link(&file->place, file->fd, file->dir_fd, path);

    if (err == -EEXIST && !replace)
        return err;
    if (err == -EEXIST)
        err = link_to_temp(file);
    if (err)
        return copy_to_temp(file, sync);
    close(file->fd);
    file->fd = -1;
    return 0;
}

static int sync_directory(const struct new_file *file)
{
    char *owned;
    const char *dir = directory_of(file, &owned);
    if (!dir)
        return -ENOMEM;
    int fd = openat(file->dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 ? -errno : sync_fd(fd);
    free(owned);
    if (fd >= 0)
        close(fd);
    return err;
}

int new_file_take(struct new_file *file, const char *path, bool replace, bool sync)
{
    int err = 0;

    if (file->fd >= 0)
        err = take_unnamed(file, path, replace, sync);
    if (err == 0 && file->temp_exists)
        err = take_with_temp(file, path, replace);
    if (err == 0 && sync)
        err = sync_directory(file);
    return err;
}
