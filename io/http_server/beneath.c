/* SPDX-License-Identifier: MIT */
/* Opening of files below a directory, with openat2(2). */
#include "io/http_server/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <whorl/offload.h>
#include <whorl/task.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* 5.12 */
#endif

enum {
    /* O_NONBLOCK: opening a FIFO does not wait. O_NOCTTY: a terminal does not become the
     * controlling terminal. */
    FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
    RACES_MAX = 8,
};

struct open_work {
    int dir_fd;
    const char *path;
};

static int open_now(int dir_fd, const char *path, uint64_t resolve)
{
    struct open_how how = {
        .flags = FLAGS,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve,
    };
    long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);

    return fd < 0 ? -errno : (int)fd;
}

int beneath_walk(int dir_fd, const char *path)
{
    char part[256];
    int at = dir_fd, fd;

    for (;;) {
        path += strspn(path, "/");
        size_t len = strcspn(path, "/");
        bool is_last = path[len + strspn(path + len, "/")] == '\0';
        if (len == 0 || len >= sizeof part) {
            fd = len == 0 ? -ENOENT : -ENAMETOOLONG;
            break;
        }
        memcpy(part, path, len);
        part[len] = '\0';
        if (strcmp(part, "..") == 0) {
            fd = -EXDEV;
            break;
        }
        fd = openat(at, part,
                    is_last && path[len] == '\0' ? FLAGS | O_NOFOLLOW
                                                 : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        fd = fd < 0 ? -errno : fd;
        if (fd < 0 || is_last)
            break;
        if (at != dir_fd)
            close(at);
        at = fd;
        path += len;
    }
    if (at != dir_fd)
        close(at);
    return fd;
}

/* On a thread. The kernel returns -EAGAIN when a directory was renamed meanwhile. */
static int open_blocking(void *arg)
{
    const struct open_work *work = arg;
    int fd = -EAGAIN;

    for (int i = 0; i < RACES_MAX && fd == -EAGAIN; i++)
        fd = open_now(work->dir_fd, work->path, 0);
    return fd == -ENOSYS || fd == -EPERM ? beneath_walk(work->dir_fd, work->path) : fd;
}

WHORL_SUSPENDS int beneath_open(int dir_fd, const char *path)
{
    struct open_work work = {dir_fd, path};
    int fd = whorl_check_cancelled();

    if (fd)
        return fd;
    fd = open_now(dir_fd, path, RESOLVE_CACHED);
    /* -EINVAL: the kernel does not know RESOLVE_CACHED. */
    if (fd != -EAGAIN && fd != -EINVAL && fd != -ENOSYS && fd != -EPERM)
        return fd;
    return whorl_offload_run(NULL, open_blocking, &work);
}
