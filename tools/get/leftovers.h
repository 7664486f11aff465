/* SPDX-License-Identifier: MIT */
/* What interrupted runs have left in a directory: parts that a journal explains, which a later run
 * continues (part.h), and files that nothing explains. */
#ifndef WHORL_GET_LEFTOVERS_H
#define WHORL_GET_LEFTOVERS_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised is valid: nothing is known yet. */
struct leftovers {
    char **parts; /* names of parts; sorted, owned */
    size_t count, size;
    bool is_complete; /* all parts of the directory are in `parts` */
};

/* Called for a file that nothing explains, after its removal if it is removed. `err` is 0, or why
 * it could not be removed. */
typedef void leftovers_fn(void *arg, const char *name, const char *why, int err);

/* Reads the directory, which has a trailing slash or is "", relative to `dir_fd`. Files that
 * another process uses are left alone. A directory of very many files is not read to its end. May
 * wait for the disk.
 *
 * @removes  remove what nothing explains
 *
 * Returns: 0; -ENOMEM; -errno of opendir(3). */
int leftovers_read(struct leftovers *leftovers, int dir_fd, const char *dir, bool removes,
                   leftovers_fn *report, void *arg);

/* Notes that this run leaves a part, too. `path` is relative to the directory. */
void leftovers_note(struct leftovers *leftovers, const char *path);

/* Whether it is known that the directory has no part. */
bool leftovers_are_none(const struct leftovers *leftovers);

/* Whether the directory may have this part. `path` is relative to that directory. */
bool leftovers_may_have(const struct leftovers *leftovers, const char *path);

void leftovers_finish(struct leftovers *leftovers);

#endif
