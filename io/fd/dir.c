/* SPDX-License-Identifier: MIT */
/* Reads directories: getdents(2) fills a buffer, and the entries are taken from it. */
#include "io/fd/dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/file.h>
#include <whorl/task.h>

#include "io/driver/op.h"
#include "runtime/base/check.h"

enum {
    BUF_SIZE = 32768, /* what readdir(3) uses */
};

struct whorl_dir {
    int fd;
    bool reading;     /* a task is in whorl_dir_read() */
    size_t next, len; /* in `buf`: the start of the next entry; the number of valid bytes */
    _Alignas(struct dirent64) char buf[BUF_SIZE];
};

WHORL_SUSPENDS int dir_open(int dir_fd, const char *path, int flags, struct whorl_dir **ret)
{
    struct whorl_dir *dir = malloc(sizeof *dir);

    if (!dir)
        return -ENOMEM;
    int fd = whorl_openat(dir_fd, path, O_RDONLY | O_DIRECTORY | flags, 0);
    if (fd < 0) {
        free(dir);
        return fd;
    }
    dir->fd = fd;
    dir->reading = false;
    dir->next = dir->len = 0;
    *ret = dir;
    return 0;
}

WHORL_SUSPENDS int whorl_dir_open(int dir_fd, const char *path, struct whorl_dir **ret)
{
    return dir_open(dir_fd, path, 0, ret);
}

/* Fills the buffer. Returns how many bytes, 0 at the end, or a negative code. */
WHORL_SUSPENDS static int fill(struct whorl_dir *dir)
{
    struct io_op op = {
        .code = IO_OP_GETDENTS,
        .fd = dir->fd,
        .addr = (uint64_t)(uintptr_t)dir->buf,
        .len = sizeof dir->buf,
    };

    whorl_check_text(!dir->reading, "two tasks read a directory through one handle");
    dir->reading = true;
    int n = io_op_run(&op, "getdents");
    dir->reading = false;
    dir->next = 0;
    dir->len = n > 0 ? (size_t)n : 0;
    return n;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

WHORL_SUSPENDS int whorl_dir_read(struct whorl_dir *dir, struct whorl_dir_entry *ret)
{
    const struct dirent64 *entry;

    int err = whorl_check_cancelled();
    if (err)
        return err;
    do {
        int n = dir->next < dir->len ? 1 : fill(dir);
        if (n <= 0)
            return n;
        entry = (const struct dirent64 *)(const void *)(dir->buf + dir->next);
        dir->next += entry->d_reclen;
    } while (is_dot(entry->d_name));
    *ret = (struct whorl_dir_entry){
        .name = entry->d_name,
        .inode = entry->d_ino,
        .type = entry->d_type,
    };
    return 1;
}

int whorl_dir_fd(const struct whorl_dir *dir)
{
    return dir->fd;
}

void whorl_dir_close(struct whorl_dir *dir)
{
    if (!dir)
        return;
    /* A request in flight would have its memory in use. */
    whorl_check_text(!dir->reading, "a directory was closed while a task reads it");
    close(dir->fd);
    free(dir);
}
