/* SPDX-License-Identifier: MIT */
/* Where files go, see target.h. */
#include "tools/get/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/url.h>

#include "tools/get/folder.h"
#include "tools/get/options.h"
#include "tools/get/pattern.h"

/* Splits a path into `folder` and `name`. Owns the path. */
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
    target->folder = path;
    return 0;
}

int target_decide(struct target *target, const struct options *options, const struct whorl_url *url,
                  uint64_t number, const char *out)
{
    if (out)
        snprintf(target->name, sizeof target->name, "%s", out);
    else
        name_from_target(target->name, url->target);
    if (options->pattern && !out)
        return take_path(target, pattern_path(options->pattern, url, target->name, number));
    if (!out && !options->output && options->force_directories)
        return take_path(target, pattern_path_of_url(url, target->name));
    return take_path(target, strdup(target->name));
}

WHORL_SUSPENDS int target_open(struct target *target, int dir_fd)
{
    char *folder;

    target->dir_fd = dir_fd;
    if (!*target->folder)
        return 0;
    int fd = folder_open_numbered(dir_fd, target->folder, &folder);
    if (fd < 0)
        return fd;
    free(target->folder);
    target->folder = folder;
    target->dir_fd = fd;
    target->owns_dir_fd = true;
    return 0;
}

void target_finish(struct target *target)
{
    if (target->owns_dir_fd)
        close(target->dir_fd);
    free(target->folder);
    *target = (struct target){0};
}
