/* SPDX-License-Identifier: MIT */
/* Reading a directory: a handle that returns one entry after the other, in no particular order. The
 * entries "." and ".." are left out.
 *
 *     static WHORL_SUSPENDS int print_names(const char *path)
 *     {
 *         WHORL_AUTO(dir) *dir = NULL;
 *         struct whorl_dir_entry entry;
 *         int err = whorl_dir_open(AT_FDCWD, path, &dir);
 *         while (err == 0 && (err = whorl_dir_read(dir, &entry)) == 1) {
 *             puts(entry.name);
 *             err = 0;
 *         }
 *         return err;
 *     }
 *
 * The kernel fills a buffer with many entries at once, so most reads do not wait. An entry that is
 * added or removed between the reads may be returned or not, as with readdir(3).
 */
#ifndef WHORL_DIR_H
#define WHORL_DIR_H

#include <dirent.h>
#include <fcntl.h>

#include <whorl/base.h>

struct whorl_dir;

/* An entry of a directory: a name, and the file that has it. */
struct whorl_dir_entry {
    const char *name;   /* without the directory; valid until the next read or the close */
    uint64_t inode;     /* the file's inode number */
    unsigned char type; /* DT_REG, DT_DIR, DT_LNK, ...; DT_UNKNOWN: the file system does not say */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Opens a directory.
 *
 * @dir_fd  `path` is relative to this directory; AT_FDCWD: to the working directory
 * @ret     the handle; close it with whorl_dir_close()
 *
 * Returns:  0; -ENOENT, -ENOTDIR, -EACCES and other open(2) errors; -ENOMEM; WHORL_ENOTASK;
 *           WHORL_ENOIO.
 * Suspends: until it is open.
 * Cancel:   -ECANCELED; nothing is left open.
 */
WHORL_API WHORL_SUSPENDS int whorl_dir_open(int dir_fd, const char *path, struct whorl_dir **ret);

/**
 * Reads the next entry. One task at a time may read a handle.
 *
 * Returns:  1 with `*ret` filled in; 0 at the end; -ENOENT when the directory has been removed;
 *           other getdents(2) errors; -ENOMEM; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until the kernel has read more entries, when the buffer is used up.
 * Cancel:   -ECANCELED; no entry is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_dir_read(struct whorl_dir *dir, struct whorl_dir_entry *ret);

/** The descriptor, for whorl_openat() and similar calls. The handle still owns it. */
WHORL_API int whorl_dir_fd(const struct whorl_dir *dir);

/** Closes the directory and frees the handle. No task may be reading it. Accepts NULL. Never
 *  suspends. */
WHORL_API void whorl_dir_close(struct whorl_dir *dir);

static inline void whorl_auto_dir(struct whorl_dir **dir)
{
    whorl_dir_close(*dir);
}

#ifdef __cplusplus
}
#endif

#endif
