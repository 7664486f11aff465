/* SPDX-License-Identifier: MIT */
/* Writing files that are whole or not there, see output.h. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A fresh file, of the mode that creating one the plain way gives. */
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
    int err = write(arg, to);
    if (err == 0 && ferror(to))
        err = -EIO;
    if (fclose(to) != 0 && err == 0)
        err = -errno;
    return err;
}

/* What is no file, /dev/stdout or a pipe, must not be replaced by one. */
static int write_in_place(const char *path, output_fn write, const void *arg)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd < 0 ? -errno : fill(fd, write, arg);
}

static int write_beside(const char *path, output_fn write, const void *arg)
{
    char *name = NULL;

    if (asprintf(&name, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    int fd = open_beside(name), err = fd;
    if (fd >= 0) {
        err = fill(fd, write, arg);
        if (err == 0 && rename(name, path) < 0)
            err = -errno;
        if (err)
            unlink(name);
    }
    free(name);
    return err;
}

/* What is no file is written in place. */
static bool is_special(const char *path)
{
    struct stat is;

    return stat(path, &is) == 0 && !S_ISREG(is.st_mode);
}

static int tell(const char *path, int err)
{
    if (err)
        fprintf(stderr, "models: cannot write %s: %s\n", path, strerror(-err));
    return err;
}

int output_write(const char *path, output_fn write, const void *arg)
{
    return tell(path, is_special(path) ? write_in_place(path, write, arg)
                                       : write_beside(path, write, arg));
}

/* By making a file as write_beside() would, and leaving none. */
static int try_beside(const char *path)
{
    char *name = NULL;

    if (asprintf(&name, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    int fd = open_beside(name);
    if (fd >= 0) {
        close(fd);
        unlink(name);
    }
    free(name);
    return fd < 0 ? fd : 0;
}

int output_check(const char *path)
{
    if (!is_special(path))
        return tell(path, try_beside(path));
    return tell(path, access(path, W_OK) < 0 ? -errno : 0);
}
