/* SPDX-License-Identifier: MIT */
/* Decides where the file of a URL goes, and opens its directory.
 *
 *     http://h:8080/a/b?c    b?c              in the directory of --dir
 *                            h:8080/a/b?c     with --force-directories, and when links are followed
 *                            1-b?c            with --output {number}-{name}
 *
 * A directory and a file may need the same name: /a is a file, and /a/b needs the directory "a".
 * Neither replaces the other. The one that comes second gets a number: "a" and "a.1/b", or "a/b"
 * and "a.1".
 */
#ifndef WHORL_GET_TARGET_H
#define WHORL_GET_TARGET_H

#include <stdint.h>

#include <whorl/base.h>

#include "tools/get/names.h"

struct options;
struct whorl_url;

/* Zero-initialised is valid for target_finish(). */
struct target {
    char name[NAME_SIZE]; /* of the file in its directory */
    char *subdir; /* the directory, relative to that of --dir: "h/a/"; "": that of --dir; owned */
    size_t kept_len; /* of `subdir`, the part that existed before target_open() */
    int dir_fd;      /* of the directory; valid after target_open() */
    bool owns_dir_fd;
};

/* Sets `name` and `subdir`.
 *
 * @number  of the URL, from 1
 * @out     the name that a list gives the file, or NULL; it may have directories: "a/b"
 *
 * Returns: 0; -ENOMEM; -ENAMETOOLONG for a pattern whose name is too long. */
WHORL_CHECKED int target_decide(struct target *target, const struct options *options,
                                const struct whorl_url *url, uint64_t number, const char *out);

/* Opens the directory, and creates what is missing of it, below the directory of --dir, `dir_fd`.
 * If a part of it needs a number, `subdir` has it afterwards. Returns 0 or a negative code. */
WHORL_SUSPENDS int target_open(struct target *target, int dir_fd);

/* Directories that were made for files which then did not arrive. Zero-initialised: none. */
struct target_subdirs {
    struct target_subdir {
        char *path; /* owned */
        size_t kept_len;
    } * list;
    size_t count, size;
};

/* Notes the directory of a target without a file, if it was made for it. At most
 * TARGET_SUBDIRS_MAX are noted; the others stay. */
enum { TARGET_SUBDIRS_MAX = 10000 };
void target_subdirs_note(struct target_subdirs *subdirs, const struct target *target);

/* After the run: removes those of them that are empty, and frees the memory. Blocks. */
void target_subdirs_finish(struct target_subdirs *subdirs, int dir_fd);

/* Closes the directory and frees the memory. */
void target_finish(struct target *target);

#endif
