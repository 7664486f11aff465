/* SPDX-License-Identifier: MIT */
/* Files and directories: open, create, sync, allocate, stat, rename and remove. */
#include <linux/io_uring.h>

#include <whorl/file.h>

#include "io/driver/op.h"

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
