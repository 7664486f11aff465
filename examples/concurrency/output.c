/* SPDX-License-Identifier: MIT */
/* Writes files that are either complete or absent, see output.h. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Creates a file with the permissions that open(2) would give it. */
static int open_beside(char *name)
{
    mode_t mask = umask(0);

    umask(mask);
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, 0666 & ~mask) < 0) {
        int err = -errno;
        close(fd);
        unlink(name);
        return err;
    }
    return fd;
}

static int fill(int fd, output_fn write, const void *arg)
{
    FILE *to = fdopen(fd, "w");

    if (!to) {
        int err = -errno;
        close(fd);
        return err;
    }
    errno = 0; /* afterwards it is the error of the first failed write, if any */
    int err = write(arg, to);
    if (err == 0 && ferror(to))
        err = errno ? -errno : -EIO;
    if (fclose(to) != 0 && err == 0)
        err = -errno;
    return err;
}

/* True for the file that standard output writes to, either as /dev/stdout or by its name. */
static bool is_stdout(const struct stat *is)
{
    struct stat out;

    return fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == is->st_dev && out.st_ino == is->st_ino;
}

/* Pipes and devices must not be replaced by a regular file. On standard output the contents follow
 * the text that was printed before. */
static int write_in_place(const char *path, output_fn write, const void *arg)
{
    struct stat is;
    int fd = stat(path, &is) == 0 && is_stdout(&is) && fflush(stdout) == 0
                 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                 : open(path, O_WRONLY | O_CLOEXEC);

    return fd < 0 ? -errno : fill(fd, write, arg);
}

/* Replaces the target of a symbolic link and keeps the link. */
static int begin_beside(const char *path, char **ret_target, char **ret_name)
{
    char *target, *name;

    if (!*path)
        return -ENOENT;
    target = realpath(path, NULL);
    if (!target && !(target = strdup(path)))
        return -ENOMEM;
    int fd = -ENOMEM;
    if (asprintf(&name, "%s.XXXXXX", target) < 0)
        name = NULL;
    else
        fd = open_beside(name);
    if (fd < 0) {
        free(target);
        free(name);
        return fd;
    }
    *ret_target = target;
    *ret_name = name;
    return fd;
}

static int write_beside(const char *path, output_fn write, const void *arg)
{
    char *target, *name;
    int fd = begin_beside(path, &target, &name);

    if (fd < 0)
        return fd;
    int err = fill(fd, write, arg);
    if (err == 0 && rename(name, target) < 0)
        err = -errno;
    if (err)
        unlink(name);
    free(target);
    free(name);
    return err;
}

/* True for paths that are written in place: standard output and all but regular files. */
static bool is_special(const char *path)
{
    struct stat is;

    return stat(path, &is) == 0 && (!S_ISREG(is.st_mode) || is_stdout(&is));
}

static int report(const char *path, int err)
{
    if (err)
        fprintf(stderr, "models: cannot write %s: %s\n", *path ? path : "''", strerror(-err));
    return err;
}

int output_write(const char *path, output_fn write, const void *arg)
{
    return report(path, is_special(path) ? write_in_place(path, write, arg)
                                         : write_beside(path, write, arg));
}

/* Creates a temporary file as write_beside() does, and removes it. */
static int try_beside(const char *path)
{
    char *target, *name;
    int fd = begin_beside(path, &target, &name);

    if (fd < 0)
        return fd;
    close(fd);
    unlink(name);
    free(target);
    free(name);
    return 0;
}

int output_check(const char *path)
{
    struct stat is;

    if (!is_special(path))
        return report(path, try_beside(path));
    if (stat(path, &is) == 0 && S_ISDIR(is.st_mode))
        return report(path, -EISDIR);
    return report(path, access(path, W_OK) < 0 ? -errno : 0);
}
