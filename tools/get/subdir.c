/* SPDX-License-Identifier: MIT */
/* Directories of files, see subdir.h. */
#include "tools/get/subdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <whorl/file.h>

#include "tools/get/buffer.h"
#include "tools/get/names.h"

/* Opens a directory in `dir_fd`, and creates it if it is missing. */
static WHORL_SUSPENDS int open_segment(int dir_fd, const char *name, bool *ret_made)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    int fd = whorl_openat(dir_fd, name, flags, 0);

    *ret_made = false;

    if (fd != -ENOENT)
        return fd;
    int err = whorl_mkdirat(dir_fd, name, 0777);
    if (err && err != -EEXIST) /* another transfer may just have created it */
        return err;
    *ret_made = err == 0;
    return whorl_openat(dir_fd, name, flags, 0);
}

WHORL_SUSPENDS int subdir_open(int dir_fd, const char *path, const char **ret_name)
{
    int fd = whorl_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
    const char *slash;

    for (; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char name[NAME_SIZE];
        bool made;
        if ((size_t)(slash - path) >= sizeof name) {
            close(fd);
            return -ENAMETOOLONG;
        }
        snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
        int next = name_is_safe(name) ? open_segment(fd, name, &made) : -EINVAL;
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

/* Opens the directory `name` in `dir_fd`, or the first one with a number that is no file. Sets
 * `name` to the one that was opened. */
static WHORL_SUSPENDS int open_numbered(int dir_fd, char name[NAME_SIZE], bool *ret_made)
{
    char plain[NAME_SIZE];
    int fd = name_is_safe(name) ? open_segment(dir_fd, name, ret_made) : -EINVAL;

    strcpy(plain, name);
    for (unsigned n = 1; (fd == -ENOTDIR || fd == -ELOOP) && n <= SUBDIR_NUMBERS_MAX; n++) {
        name_numbered(name, plain, n);
        fd = open_segment(dir_fd, name, ret_made);
    }
    return fd;
}

WHORL_SUSPENDS int subdir_open_numbered(int dir_fd, const char *path, char **ret,
                                        size_t *ret_kept_len)
{
    int fd = whorl_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
    struct buffer opened = {0};
    size_t kept_len = 0;
    const char *slash;

    for (; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char name[NAME_SIZE] = "";
        int next = -ENAMETOOLONG;
        bool made = false;
        if ((size_t)(slash - path) < sizeof name) {
            snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
            next = open_numbered(fd, name, &made);
        }
        close(fd);
        fd = next;
        buffer_printf(&opened, "%s/", name);
        kept_len = made ? kept_len : opened.len;
    }
    if (fd >= 0 && opened.failed) {
        close(fd);
        fd = -ENOMEM;
    }
    if (fd < 0)
        buffer_finish(&opened);
    else
        *ret = opened.text, *ret_kept_len = kept_len;
    return fd;
}

int subdir_find(int dir_fd, const char *path, const char **ret_name)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 ? -errno : 0;
    const char *slash;

    for (; err == 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        err = next < 0 ? -errno : 0;
        close(fd);
        fd = next;
    }
    *ret_name = path;
    return err ? err : fd;
}
