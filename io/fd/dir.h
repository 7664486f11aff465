/* SPDX-License-Identifier: MIT */
/* Opening directories with further flags. */
#ifndef IO_FD_DIR_H
#define IO_FD_DIR_H

#include <whorl/dir.h>

/* whorl_dir_open() with open(2) flags such as O_NOFOLLOW. */
WHORL_SUSPENDS int dir_open(int dir_fd, const char *path, int flags, struct whorl_dir **ret);

#endif
