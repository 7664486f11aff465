/* SPDX-License-Identifier: MIT */
/* A partial file and the journal beside it (journal.h).
 *
 *     part_find()     an earlier run has left both: opens them
 *     part_begin()    creates both, in place of any others
 *     the owner writes to `fd`, then calls part_note(); part_record() and part_sync() now and then
 *     part_take()     the file is complete: it gets its name, and the journal is removed
 *     part_close()    keeps what is there for the next run
 *     part_remove()   removes both
 *
 * For the file NAME they are NAME.HASH.part and NAME.HASH.part.journal, in the same directory. HASH
 * is made from the URL, so two URLs with the same name do not meet.
 *
 * The order of the steps makes every moment safe for a kill, and for a full disk:
 *
 *     creation     part, then journal       a part without journal is removed by the next run
 *     each write   data, then its line      a line that is missing or torn: fetched again
 *     hashes       after the lines of their bytes; a state that is missing: they are read again
 *     afresh       both are removed, then new ones are created; the old data is never overwritten
 *     end          rename, then journal     the next run that finds the file complete removes it
 *
 * What part_sync() has noted is also safe from a loss of power. An open part is locked with
 * flock(2), so two processes do not use the same one. Files of another user and links are not used:
 * in a directory that others can write to, they could be there to put false bytes into our file.
 */
#ifndef WHORL_GET_PART_H
#define WHORL_GET_PART_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/base.h>

#include "tools/get/buffer.h"
#include "tools/get/journal.h"

/* part_init() sets it up. */
struct part {
    int dir_fd;
    char *path, *journal_path; /* owned; relative to `dir_fd` */
    struct journal journal;
    int fd;                   /* of the part; -1: closed */
    int journal_fd;           /* -1: closed */
    struct journal_end end;   /* where the next line goes */
    struct ranges unrecorded; /* bytes that are in `journal.done` and not yet in the journal */
    int64_t recorded_ns;      /* when the last line was written */
    int64_t synced_ns;        /* when the last bytes were made durable, or the start */
    bool is_recording;        /* a task writes lines */
    struct buffer text;       /* of the lines that are being written; valid while `is_recording` */

    /* Set after part_init(), or NULL. Appends the state of the hashes to `ret`, and returns the
     * count of the first bytes that it covers, all of which were noted; 0: there is no state. */
    int64_t (*save)(void *arg, struct buffer *ret);
    void *save_arg;
};

/* Makes the names for the file `path`, relative to `dir_fd`, and the URL. Returns 0 or
 * -ENOMEM. */
WHORL_CHECKED int part_init(struct part *part, int dir_fd, const char *path, const char *url);

/* Closes the files and keeps them. Accepts a zeroed part. */
void part_finish(struct part *part);

/* Whether the files are open. */
static inline bool part_is_open(const struct part *part)
{
    return part->path && part->fd >= 0;
}

/* Opens what an earlier run has left.
 *
 * Returns:  1 when the part can be continued; 0 when there is none; -EBADMSG when there is one
 *           that cannot be used, and `*ret_why` says why; -EBUSY when another process uses it;
 *           -errno. */
WHORL_SUSPENDS int part_find(struct part *part, const char **ret_why);

/* Creates a part for a file of `length` bytes. Removes a part that is open or that an earlier run
 * has left. Copies the strings; `etag` and `modified` may be NULL.
 *
 * Returns: 0; -EBUSY when another process uses the names; -EBADMSG when one of the strings cannot
 *          be stored; -errno. After a failure no file is left. */
WHORL_SUSPENDS int part_begin(struct part *part, const char *url, const char *final_url,
                              const char *etag, const char *modified, int64_t length);

/* Notes that bytes were written to `fd`. Returns 0 or -ENOMEM. */
int part_note(struct part *part, int64_t start, int64_t end);

/* Writes lines for what was noted, if it is much or the last line is old; with `now` in any case.
 * Several tasks may call it. Returns 0 or -errno. */
WHORL_SUSPENDS int part_record(struct part *part, bool now);

/* Makes durable what was noted, and writes a line for it. To be called by one task at a time. */
WHORL_SUSPENDS int part_sync(struct part *part);

/* Whether all bytes were noted. */
bool part_is_complete(const struct part *part);

/* Gives the complete file the name `path`. Without `replace` it returns -EEXIST when the name is
 * taken, and can be called again; with `replace`, the new file has the mode of the old one. After a
 * success the journal is removed and the part is closed. Returns 0 or -errno. */
WHORL_SUSPENDS int part_take(struct part *part, const char *path, bool replace);

/* Closes and removes both files, also in a cancelled scope. */
WHORL_SUSPENDS_SHIELDED void part_remove(struct part *part);

#endif
