/* SPDX-License-Identifier: MIT */
/* Where files go, see target.h. */
#include "tools/get/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/url.h>

#include "tools/get/options.h"
#include "tools/get/pattern.h"
#include "tools/get/subdir.h"

/* Splits a path into `subdir` and `name`. Owns the path. */
static int take_path(struct target *target, char *path)
{
    char *slash = path ? strrchr(path, '/') : NULL, *name = slash ? slash + 1 : path;

    if (!path)
        return -ENOMEM;
    if (strlen(name) >= sizeof target->name) {
        free(path);
        return -ENAMETOOLONG;
    }
    strcpy(target->name, name);
    *name = '\0';
    target->subdir = path;
    return 0;
}

int target_decide(struct target *target, const struct options *options, const struct whorl_url *url,
                  uint64_t number, const char *out)
{
    if (out)
        return take_path(target, strdup(out));
    name_from_target(target->name, url->target);
    if (options->pattern)
        return take_path(target, pattern_path(options->pattern, url, target->name, number));
    if (!options->output && options->force_directories)
        return take_path(target, pattern_path_of_url(url, target->name));
    return take_path(target, strdup(target->name));
}

WHORL_SUSPENDS int target_open(struct target *target, int dir_fd)
{
    char *subdir;

    target->dir_fd = dir_fd;
    if (!*target->subdir)
        return 0;
    int fd = subdir_open_numbered(dir_fd, target->subdir, &subdir, &target->kept_len);
    if (fd < 0)
        return fd;
    free(target->subdir);
    target->subdir = subdir;
    target->dir_fd = fd;
    target->owns_dir_fd = true;
    return 0;
}

void target_subdirs_note(struct target_subdirs *subdirs, const struct target *target)
{
    if (!target->owns_dir_fd || !target->subdir[target->kept_len] ||
        subdirs->count == TARGET_SUBDIRS_MAX)
        return;
    if (subdirs->count == subdirs->size) {
        size_t size = subdirs->size ? 2 * subdirs->size : 16;
        struct target_subdir *list = reallocarray(subdirs->list, size, sizeof *list);
        if (!list)
            return;
        subdirs->list = list;
        subdirs->size = size;
    }
    char *path = strdup(target->subdir);
    if (path)
        subdirs->list[subdirs->count++] = (struct target_subdir){path, target->kept_len};
}

/* Removes the last directory of the path. Returns whether it was there and empty. */
static bool remove_last(struct target_subdir *subdir, int dir_fd)
{
    size_t len = strlen(subdir->path);
    const char *name;

    if (len <= subdir->kept_len)
        return false;
    subdir->path[len - 1] = '\0'; /* the slash */
    int fd = subdir_find(dir_fd, subdir->path, &name);
    bool removed = fd >= 0 && unlinkat(fd, name, AT_REMOVEDIR) == 0;
    if (fd >= 0)
        close(fd);
    if (removed)
        subdir->path[name - subdir->path] = '\0';
    else
        subdir->path[len - 1] = '/';
    return removed;
}

void target_subdirs_finish(struct target_subdirs *subdirs, int dir_fd)
{
    /* A directory may be empty only after another one of the list was removed. */
    for (bool again = true; again;) {
        again = false;
        for (size_t i = subdirs->count; i-- > 0;)
            while (remove_last(&subdirs->list[i], dir_fd))
                again = true;
    }
    for (size_t i = 0; i < subdirs->count; i++)
        free(subdirs->list[i].path);
    free(subdirs->list);
    *subdirs = (struct target_subdirs){0};
}

void target_finish(struct target *target)
{
    if (target->owns_dir_fd)
        close(target->dir_fd);
    free(target->subdir);
    *target = (struct target){0};
}
