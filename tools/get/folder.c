/* SPDX-License-Identifier: MIT */
/* Directories of files, see folder.h. */
#include "tools/get/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <whorl/file.h>

#include "tools/get/names.h"

/* Opens a directory in `dir_fd`, and creates it if it is missing. */
static WHORL_SUSPENDS int open_segment(int dir_fd, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    int fd = whorl_openat(dir_fd, name, flags, 0);

    if (fd != -ENOENT)
        return fd;
    int err = whorl_mkdirat(dir_fd, name, 0777);
    if (err && err != -EEXIST) /* another transfer may just have created it */
        return err;
    return whorl_openat(dir_fd, name, flags, 0);
}

WHORL_SUSPENDS int folder_open(int dir_fd, const char *path, const char **ret_name)
{
    int fd = whorl_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
    const char *slash;

    for (; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char name[NAME_SIZE];
        if ((size_t)(slash - path) >= sizeof name) {
            close(fd);
            return -ENAMETOOLONG;
        }
        snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
        int next = name_is_safe(name) ? open_segment(fd, name) : -EINVAL;
        close(fd);
        fd = next;
    }
    *ret_name = path;
    if (fd >= 0 && !name_is_safe(path)) {
        close(fd);
        fd = -EINVAL;
    }
    return fd;
}
