/* SPDX-License-Identifier: MIT */
/* Files, directories and links: open, create, sync, resize, lock, stat, rename, link and remove. */
#include <errno.h>
#include <limits.h>
#include <linux/io_uring.h>

#include <whorl/file.h>
#include <whorl/task.h>

#include "io/driver/op.h"
#include "runtime/base/backoff.h"

/* The pauses between two tries to lock a file that is locked elsewhere. Each pause is twice as long
 * as the one before it. */
#define LOCK_PAUSE_MIN_NS WHORL_MILLISECOND
#define LOCK_PAUSE_MAX_NS (50 * WHORL_MILLISECOND)

WHORL_SUSPENDS int whorl_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct io_op op = {
        .code = IO_OP_OPENAT,
        .fd = dir_fd,
        .addr = (uint64_t)(uintptr_t)path,
        .len = mode,
        .flags = (uint32_t)(flags | O_CLOEXEC | O_LARGEFILE),
    };

    return io_op_run(&op, "openat");
}

WHORL_SUSPENDS int whorl_fsync(int fd, bool data_only)
{
    struct io_op op = {
        .code = IO_OP_FSYNC,
        .fd = fd,
        .flags = data_only ? IORING_FSYNC_DATASYNC : 0,
    };

    return io_op_run(&op, "fsync");
}

WHORL_SUSPENDS int whorl_fallocate(int fd, int mode, int64_t offset, int64_t len)
{
    struct io_op op = {
        .code = IO_OP_FALLOCATE,
        .fd = fd,
        .off = (uint64_t)offset,
        .addr = (uint64_t)len,
        .len = (uint32_t)mode,
    };

    return io_op_run(&op, "fallocate");
}

WHORL_SUSPENDS int whorl_statx(int dir_fd, const char *path, int flags, unsigned mask,
                               struct statx *ret)
{
    struct io_op op = {
        .code = IO_OP_STATX,
        .fd = dir_fd,
        .addr = (uint64_t)(uintptr_t)path,
        .addr2 = (uint64_t)(uintptr_t)ret,
        .len = mask,
        .flags = (uint32_t)flags,
    };

    return io_op_run(&op, "statx");
}

WHORL_SUSPENDS int whorl_renameat(int old_dir_fd, const char *old_path, int new_dir_fd,
                                  const char *new_path, unsigned flags)
{
    struct io_op op = {
        .code = IO_OP_RENAMEAT,
        .fd = old_dir_fd,
        .addr = (uint64_t)(uintptr_t)old_path,
        .addr2 = (uint64_t)(uintptr_t)new_path,
        .len = (uint32_t)new_dir_fd,
        .flags = flags,
    };

    return io_op_run(&op, "renameat");
}

WHORL_SUSPENDS int whorl_unlinkat(int dir_fd, const char *path, int flags)
{
    struct io_op op = {
        .code = IO_OP_UNLINKAT,
        .fd = dir_fd,
        .addr = (uint64_t)(uintptr_t)path,
        .flags = (uint32_t)flags,
    };

    return io_op_run(&op, "unlinkat");
}

WHORL_SUSPENDS int whorl_mkdirat(int dir_fd, const char *path, mode_t mode)
{
    struct io_op op = {
        .code = IO_OP_MKDIRAT,
        .fd = dir_fd,
        .addr = (uint64_t)(uintptr_t)path,
        .len = mode,
    };

    return io_op_run(&op, "mkdirat");
}

WHORL_SUSPENDS int whorl_ftruncate(int fd, int64_t len)
{
    struct io_op op = {.code = IO_OP_FTRUNCATE, .fd = fd, .off = (uint64_t)len};

    return io_op_run(&op, "ftruncate");
}

WHORL_SUSPENDS int whorl_utimensat(int dir_fd, const char *path, const struct timespec times[2],
                                   int flags)
{
    struct io_op op = {
        .code = IO_OP_UTIMENSAT,
        .fd = dir_fd,
        .addr = (uint64_t)(uintptr_t)path,
        .addr2 = (uint64_t)(uintptr_t)times,
        .flags = (uint32_t)flags,
    };

    return io_op_run(&op, "utimensat");
}

WHORL_SUSPENDS int whorl_linkat(int old_dir_fd, const char *old_path, int new_dir_fd,
                                const char *new_path, int flags)
{
    struct io_op op = {
        .code = IO_OP_LINKAT,
        .fd = old_dir_fd,
        .addr = (uint64_t)(uintptr_t)old_path,
        .addr2 = (uint64_t)(uintptr_t)new_path,
        .len = (uint32_t)new_dir_fd,
        .flags = (uint32_t)flags,
    };

    return io_op_run(&op, "linkat");
}

WHORL_SUSPENDS int whorl_symlinkat(const char *target, int dir_fd, const char *path)
{
    struct io_op op = {
        .code = IO_OP_SYMLINKAT,
        .fd = dir_fd,
        .addr = (uint64_t)(uintptr_t)target,
        .addr2 = (uint64_t)(uintptr_t)path,
    };

    return io_op_run(&op, "symlinkat");
}

WHORL_SUSPENDS ssize_t whorl_readlinkat(int dir_fd, const char *path, char *ret, size_t size)
{
    struct io_op op = {
        .code = IO_OP_READLINKAT,
        .fd = dir_fd,
        .addr = (uint64_t)(uintptr_t)path,
        .addr2 = (uint64_t)(uintptr_t)ret,
        .len = size < INT_MAX ? (uint32_t)size : INT_MAX,
    };

    return io_op_run(&op, "readlinkat");
}

WHORL_SUSPENDS int whorl_flock(int fd, int operation)
{
    struct io_op op = {
        .code = IO_OP_FLOCK,
        .fd = fd,
        .flags = (uint32_t)(operation | LOCK_NB),
    };
    int64_t pause_ns = 0;

    if (operation & LOCK_UN)
        return io_op_run_uncancellable(&op, "flock");
    for (;;) {
        int err = io_op_run(&op, "flock");
        if (err != -EWOULDBLOCK || operation & LOCK_NB)
            return err;
        pause_ns = backoff_longer(pause_ns, LOCK_PAUSE_MIN_NS, LOCK_PAUSE_MAX_NS);
        err = whorl_sleep(pause_ns);
        if (err)
            return err;
    }
}
