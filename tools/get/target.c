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
    char *folder;

    target->dir_fd = dir_fd;
    if (!*target->folder)
        return 0;
    int fd = folder_open_numbered(dir_fd, target->folder, &folder, &target->kept_len);
    if (fd < 0)
        return fd;
    free(target->folder);
    target->folder = folder;
    target->dir_fd = fd;
    target->owns_dir_fd = true;
    return 0;
}

void target_folders_note(struct target_folders *folders, const struct target *target)
{
    if (!target->owns_dir_fd || !target->folder[target->kept_len] ||
        folders->count == TARGET_FOLDERS_MAX)
        return;
    if (folders->count == folders->size) {
        size_t size = folders->size ? 2 * folders->size : 16;
        struct target_folder *list = reallocarray(folders->list, size, sizeof *list);
        if (!list)
            return;
        folders->list = list;
        folders->size = size;
    }
    char *path = strdup(target->folder);
    if (path)
        folders->list[folders->count++] = (struct target_folder){path, target->kept_len};
}

/* Removes the last directory of the path. Returns whether it was there and empty. */
static bool remove_last(struct target_folder *folder, int dir_fd)
{
    size_t len = strlen(folder->path);
    const char *name;

    if (len <= folder->kept_len)
        return false;
    folder->path[len - 1] = '\0'; /* the slash */
    int fd = folder_find(dir_fd, folder->path, &name);
    bool removed = fd >= 0 && unlinkat(fd, name, AT_REMOVEDIR) == 0;
    if (fd >= 0)
        close(fd);
    if (removed)
        folder->path[name - folder->path] = '\0';
    else
        folder->path[len - 1] = '/';
    return removed;
}

void target_folders_finish(struct target_folders *folders, int dir_fd)
{
    /* A directory may be empty only after another one of the list was removed. */
    for (bool again = true; again;) {
        again = false;
        for (size_t i = folders->count; i-- > 0;)
            while (remove_last(&folders->list[i], dir_fd))
                again = true;
    }
    for (size_t i = 0; i < folders->count; i++)
        free(folders->list[i].path);
    free(folders->list);
    *folders = (struct target_folders){0};
}

void target_finish(struct target *target)
{
    if (target->owns_dir_fd)
        close(target->dir_fd);
    free(target->folder);
    *target = (struct target){0};
}
