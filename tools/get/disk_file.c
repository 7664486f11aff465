/* SPDX-License-Identifier: MIT */
/* Files on the disk, see disk_file.h. */
#include "tools/get/disk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/offload.h>
#include <whorl/task.h>

enum { READ_BYTES = 256 << 10 };

/* Opens the file. Returns the descriptor or -errno. */
static int open_beneath(int dir_fd, const char *path)
{
    const int file_flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const int dir_flags = O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC;
    char part[NAME_MAX + 1];
    int at = dir_fd;

    for (;;) {
        size_t len = strcspn(path, "/");
        if (len > NAME_MAX)
            len = NAME_MAX;
        memcpy(part, path, len);
        part[len] = '\0';
        path += len;
        int fd = openat(at, part, *path ? dir_flags : file_flags);
        int err = fd < 0 ? -errno : 0;
        if (at != dir_fd)
            close(at);
        if (err || !*path)
            return err ? err : fd;
        at = fd;
        path++;
    }
}

/* Where the bytes of a file go. */
struct reading {
    int fd;
    void (*see)(void *arg, const char *bytes, size_t len);
    void *arg;
};

/* Reads from the first byte to the end. Runs on a thread of the pool. */
static int read_all(void *arg)
{
    const struct reading *reading = arg;
    char *bytes = malloc(READ_BYTES);
    int64_t at = 0;
    ssize_t n = 1;
    int err = bytes ? 0 : -ENOMEM;

    while (err == 0 && n > 0) {
        n = pread(reading->fd, bytes, READ_BYTES, at);
        if (n > 0) {
            reading->see(reading->arg, bytes, (size_t)n);
            at += n;
        }
        err = n < 0 && errno != EINTR ? -errno : whorl_check_cancelled();
        n = n < 0 ? 1 : n;
    }
    free(bytes);
    return err;
}

WHORL_SUSPENDS int disk_file_read(int fd, void (*see)(void *arg, const char *bytes, size_t len),
                                  void *arg)
{
    struct reading reading = {fd, see, arg};

    return whorl_offload_run(NULL, read_all, &reading);
}

/* A hash that is being calculated. */
struct hashing {
    struct hash hash;
    int64_t size;
};

static void take_bytes(void *arg, const char *bytes, size_t len)
{
    struct hashing *hashing = arg;

    hash_update(&hashing->hash, bytes, len);
    hashing->size += (int64_t)len;
}

/* Calculates the hash. */
static int hash_all(struct disk_file *file, int fd)
{
    struct hashing hashing = {.size = 0};
    struct reading reading = {fd, take_bytes, &hashing};

    hash_init(&hashing.hash, 1u << HASH_SHA256);
    int err = read_all(&reading);
    file->found_size = hashing.size;
    hash_finish(&hashing.hash, HASH_SHA256, file->sha256);
    file->is_read = err == 0;
    return err;
}

/* Runs on a thread of the pool. */
static int look(void *arg)
{
    struct disk_file *file = arg;
    int fd = open_beneath(file->dir_fd, file->path);
    struct stat st;

    if (fd < 0)
        return fd;
    int err = fstat(fd, &st) < 0 ? -errno : 0;
    if (err == 0 && !S_ISREG(st.st_mode))
        err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if (err == 0) {
        file->found_size = st.st_size;
        file->found_mtime_ns = (int64_t)st.st_mtim.tv_sec * WHORL_SECOND + st.st_mtim.tv_nsec;
        bool is_other = file->size >= 0 && file->size != st.st_size;
        bool is_known = file->mtime_ns >= 0 && file->mtime_ns == file->found_mtime_ns;
        if (!is_other && !is_known)
            err = hash_all(file, fd);
    }
    close(fd);
    return err;
}

WHORL_SUSPENDS int disk_file_look(struct disk_file *file)
{
    file->is_read = false;
    file->found_size = file->found_mtime_ns = -1;
    return whorl_offload_run(NULL, look, file);
}
