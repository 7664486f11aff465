/* SPDX-License-Identifier: MIT */
/* What all parts of a transfer need, see transfer_state.h. */
#include "tools/get/transfer_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <whorl/file.h>

bool transfer_to_stdout(const struct options *options)
{
    return options->output && strcmp(options->output, "-") == 0;
}

const char *transfer_full_path(struct transfer *t, const char *path)
{
    if (t->get->options->output || !t->target.subdir || !*t->target.subdir)
        return path;
    free(t->full_path);
    if (asprintf(&t->full_path, "%s%s", t->target.subdir, path) < 0)
        t->full_path = NULL;
    return t->full_path ? t->full_path : path;
}

const char *transfer_wanted_path(struct transfer *t)
{
    const struct options *options = t->get->options;

    if (options->output)
        return options->output;
    return options->dry_run ? transfer_full_path(t, t->target.name) : t->target.name;
}

int transfer_where(const struct transfer *t)
{
    const struct options *options = t->get->options;

    return options->output ? AT_FDCWD : options->dry_run ? t->get->dir_fd : t->target.dir_fd;
}

bool transfer_has_conditions(const struct transfer *t)
{
    for (size_t i = 0; i < t->headers_count; i++)
        if (strcasecmp(t->headers[i].name, "Range") == 0 ||
            strncasecmp(t->headers[i].name, "If-", 3) == 0)
            return true;
    return false;
}

WHORL_SUSPENDS bool transfer_is_plain_output(const char *output)
{
    struct statx file;

    if (strncmp(output, "/dev/", 5) == 0 || strncmp(output, "/proc/", 6) == 0)
        return false;
    int err = whorl_statx(AT_FDCWD, output, 0, STATX_TYPE | STATX_INO, &file);
    if (err)
        return err == -ENOENT;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat open;
        if (fstat(fd, &open) == 0 && open.st_ino == file.stx_ino &&
            open.st_dev == makedev(file.stx_dev_major, file.stx_dev_minor))
            return false;
    }
    return S_ISREG(file.stx_mode);
}
