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
    char **journals;  /* names of journals without a part; owned, the strings as well */
    size_t journals_count, journals_size;
};

/* Called for a file that nothing explains, after its removal if it is removed. `err` is 0, or why
 * it could not be removed. */
typedef void leftovers_fn(void *arg, const char *name, const char *why, int err);

/* Reads the directory, which has a trailing slash or is "", relative to `dir_fd`. Files that
 * another process uses are left alone. A directory of very many files is not read to its end. May
 * wait for the disk.
 *
 * A journal without a part is not reported at once if it stays, because it is removed when its file
 * turns out to be complete. See leftovers_report_journals().
 *
 * @removes  remove what nothing explains
 *
 * Returns: 0; -ENOMEM; -errno of opendir(3). */
int leftovers_read(struct leftovers *leftovers, int dir_fd, const char *dir, bool removes,
                   leftovers_fn *report, void *arg);

/* Notes that this run leaves a part, too. `path` is relative to the directory. */
void leftovers_note(struct leftovers *leftovers, const char *path);

/* Whether the directory may have parts: it has some, or it was not searched to the end. */
bool leftovers_may_have_parts(const struct leftovers *leftovers);

/* Whether the directory may have this part. `path` is relative to that directory. */
bool leftovers_may_have(const struct leftovers *leftovers, const char *path);

/* Whether a journal without a part was found that is still there. */
bool leftovers_have_journals(const struct leftovers *leftovers);

/* Removes the journals of the part `path`, which is relative to `dir_fd`, if they were found and
 * the part is still missing. `name` is its name in the directory that was read. May wait for the
 * disk. */
void leftovers_remove_journals(struct leftovers *leftovers, int dir_fd, const char *path,
                               const char *name);

/* Reports the journals that are still there. */
void leftovers_report_journals(const struct leftovers *leftovers, leftovers_fn *report, void *arg);

void leftovers_finish(struct leftovers *leftovers);

#endif
