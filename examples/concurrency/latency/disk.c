/* SPDX-License-Identifier: MIT */
/* Reading a megabyte of a file from the page cache and from the disk, and making data durable. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "latency.h"
#include "stopwatch.h"

enum { MIB = 1 << 20, FILE_MIB = 32 };

/* Creates a file in the directory and removes its name at once. Before that, opens it a second time
 * with `flags` if that is not 0. May fill ret->why. */
static int open_file(const struct latency_settings *settings, int flags, int *ret_second,
                     struct latency_result *ret)
{
    char path[PATH_MAX];

    int len = snprintf(path, sizeof path, "%s/latency-XXXXXX", settings->directory);
    if (len >= (int)sizeof path) {
        snprintf(ret->why, sizeof ret->why,
                 "%.30s...: a file in this directory has a path of %d bytes; the limit is %d",
                 settings->directory, len, PATH_MAX - 1);
        return -ENAMETOOLONG;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int second = flags ? open(path, flags | O_CLOEXEC) : 0;
    int err = second < 0 ? -errno : 0;
    unlink(path);
    if (err) {
        close(fd);
        return err;
    }
    if (ret_second)
        *ret_second = second;
    return fd;
}

/* Fills the file and writes it to the disk. */
static int fill(int fd, char *buf)
{
    for (int i = 0; i < FILE_MIB; i++)
        if (pwrite(fd, buf, MIB, (off_t)i * MIB) != MIB)
            return errno ? -errno : -ENOSPC;
    return fsync(fd) < 0 ? -errno : 0;
}

/* Reads one megabyte after the other. */
static int read_all(const struct latency_settings *settings, int fd, char *buf,
                    struct latency_result *ret)
{
    struct stopwatch watch;
    long at = 0;

    stopwatch_init(&watch, settings);
    for (long n; (n = stopwatch_next(&watch)) > 0;)
        for (long i = 0; i < n; i++, at = (at + 1) % FILE_MIB)
            if (pread(fd, buf, MIB, (off_t)at * MIB) != MIB)
                return errno ? -errno : -EIO;
    ret->ns = stopwatch_median_ns(&watch);
    return 0;
}

/* Direct transfers need aligned memory. */
static char *new_buffer(void)
{
    void *buf;

    if (posix_memalign(&buf, 4096, MIB) != 0)
        return NULL;
    memset(buf, 'x', MIB);
    return buf;
}

int latency_read_cached(const struct latency_settings *settings, struct latency_result *ret)
{
    char *buf = new_buffer();
    int fd = open_file(settings, 0, NULL, ret);
    int err = !buf ? -ENOMEM : fd < 0 ? fd : fill(fd, buf);

    if (err == 0)
        err = read_all(settings, fd, buf, ret);
    if (fd >= 0)
        close(fd);
    free(buf);
    return err;
}

/* Whether files of the directory are in memory only. */
static bool is_in_memory(const struct latency_settings *settings, struct latency_result *ret)
{
    struct statfs is;

    if (statfs(settings->directory, &is) < 0 ||
        (is.f_type != TMPFS_MAGIC && is.f_type != RAMFS_MAGIC))
        return false;
    snprintf(ret->why, sizeof ret->why, "%.60s is in memory, not on a disk", settings->directory);
    return true;
}

int latency_read_disk(const struct latency_settings *settings, struct latency_result *ret)
{
    int direct = -1;

    if (is_in_memory(settings, ret))
        return -EOPNOTSUPP;
    char *buf = new_buffer();
    int fd = open_file(settings, O_RDONLY | O_DIRECT, &direct, ret);
    if (fd == -EINVAL)
        snprintf(ret->why, sizeof ret->why, "the file system of %.60s has no O_DIRECT",
                 settings->directory);
    int err = !buf ? -ENOMEM : fd < 0 ? fd : fill(fd, buf);
    if (err == 0)
        err = read_all(settings, direct, buf, ret);
    if (fd >= 0) {
        close(fd);
        close(direct);
    }
    free(buf);
    return err;
}

/* Each time 4 KiB are written, and fsync() waits until the disk has them. */
int latency_fsync(const struct latency_settings *settings, struct latency_result *ret)
{
    struct stopwatch watch;
    char buf[4096] = "x";
    int err = 0;

    if (is_in_memory(settings, ret))
        return -EOPNOTSUPP;
    int fd = open_file(settings, 0, NULL, ret);
    if (fd < 0)
        return fd;
    stopwatch_init(&watch, settings);
    for (long n; err == 0 && (n = stopwatch_next(&watch)) > 0;)
        for (long i = 0; i < n && err == 0; i++)
            if (pwrite(fd, buf, sizeof buf, 0) != sizeof buf || fsync(fd) < 0)
                err = -errno;
    close(fd);
    if (err == 0)
        ret->ns = stopwatch_median_ns(&watch);
    return err;
}
