/* SPDX-License-Identifier: MIT */
/* Directories below the one of --dir, for files whose path has directories in it. */
#ifndef WHORL_GET_SUBDIR_H
#define WHORL_GET_SUBDIR_H

#include <stddef.h>

#include <whorl/base.h>

/**
 * Opens the directory of a relative path, and creates what is missing of it. No symbolic link is
 * followed, so the directory is below `dir_fd`, also if a link was put there meanwhile.
 *
 * @dir_fd    may be AT_FDCWD
 * @path      "a/b/name": the directory is "a/b"
 * @ret_name  the part behind the last slash
 *
 * Returns:  a descriptor, which the caller closes; -EINVAL for an absolute path, and for "." and
 *           ".." and an empty segment in it; -ELOOP or -ENOTDIR for a link; -errno.
 * Suspends: threads make the system calls.
 * Cancel:   -ECANCELED; directories that were created stay.
 */
WHORL_SUSPENDS int subdir_open(int dir_fd, const char *path, const char **ret_name);

/**
 * Like subdir_open() for a path that ends with a slash. A directory gets a number if a file or a
 * link has its name: "a.1/" for "a/".
 *
 * @ret           the path of the directory that was opened; free() it
 * @ret_kept_len  of this path, the part that existed before
 *
 * Returns: as subdir_open(); -ENOMEM; -ENOTDIR if SUBDIR_NUMBERS_MAX numbers are taken as well.
 */
enum { SUBDIR_NUMBERS_MAX = 100 };
WHORL_SUSPENDS int subdir_open_numbered(int dir_fd, const char *path, char **ret,
                                        size_t *ret_kept_len);

/* Like subdir_open(), but it creates nothing, and it blocks. */
int subdir_find(int dir_fd, const char *path, const char **ret_name);

#endif
