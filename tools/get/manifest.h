/* SPDX-License-Identifier: MIT */
/* The list of the files that are complete under their names: --manifest.
 *
 *     manifest_open()      reads the list of an earlier run, and begins a new one
 *     manifest_find()      for each URL: the file that an earlier run has fetched from it
 *     manifest_add()       for each file that is complete
 *     manifest_save()      at the end, also after an interruption: the new list gets the name
 *
 * The new list is written to a temporary file in the same directory, .NAME.new, one line as soon as
 * its file is complete. It gets its name at the end, so the name always leads to a whole list. It
 * has the lines of this run, and then those of the old list whose files this run has not written.
 *
 * After a kill, the temporary file has the lines of that run. manifest_open() takes them over:
 *
 *     1. .NAME.merged    the good lines of .NAME.new, and those of NAME about other files
 *     2. rename          .NAME.merged becomes NAME
 *     3. unlink          .NAME.new
 *
 * A kill between two steps does no harm: the next run takes the same lines over once more. Both
 * NAME and .NAME.new are locked, so the lines of a process that still runs are not taken.
 *
 * The lines stay in the files. The memory has about 64 bytes for each line of the old list. The
 * functions wait for the disk and do not suspend. */
#ifndef WHORL_GET_MANIFEST_H
#define WHORL_GET_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tools/get/buffer.h"
#include "tools/get/manifest_line.h"

/* Zero-initialised is valid: there is no manifest. */
struct manifest {
    const char *path; /* borrowed; NULL: not open */
    int fd;           /* the old list, which is locked */
    dev_t dev;
    ino_t ino;
    struct manifest_slot {
        uint64_t url_hash, file_hash;
        int64_t start;     /* of the line in the file */
        uint32_t len;      /* without the newline */
        uint32_t number;   /* of the line */
        uint32_t next_url; /* the next slot in the same chain, plus 1; 0: none */
        uint32_t next_file;
        bool is_found;    /* manifest_find() has returned it */
        bool is_replaced; /* this run has written its file */
    } * slots;
    size_t count, size;
    uint32_t *urls, *files; /* chains of slots, by hash; slot numbers plus 1 */
    size_t chains;          /* a power of 2; 0: none */

    char *new_path; /* owned; NULL: manifest_read() has opened it */
    int new_fd;
    struct buffer text; /* new lines that are not written yet */
    size_t added;
    size_t taken_over; /* lines of a run that was killed */
    size_t lost;       /* files that no line can store: not UTF-8, or too long */
    int err;           /* the first failure of a write */
};

/**
 * Opens a manifest for reading only; or creates it if it does not exist, takes over the lines of a
 * run that was killed, and begins a new list.
 *
 * @path  borrowed
 * @why   the message: "FILE:LINE: cause" or "FILE: cause"; without control bytes
 *
 * Returns: 0; -EINVAL when a line is wrong; -EBUSY when another process uses it; -errno. Call
 *          manifest_finish() in every case.
 */
int manifest_read(struct manifest *ret, const char *path, char *why, size_t why_size);
int manifest_open(struct manifest *ret, const char *path, char *why, size_t why_size);

/* Whether there is a manifest. */
bool manifest_is_open(const struct manifest *manifest);

/**
 * Finds a file that an earlier run has fetched from `url`, and that `accepts`. No other call
 * returns the same line.
 *
 * Returns: 1; 0 when there is none; -errno. Call manifest_line_finish() after 1.
 */
int manifest_find(struct manifest *manifest, const char *url,
                  bool (*accepts)(const void *arg, const char *file), const void *arg,
                  struct manifest_line *ret);

/* Reads line `index` of the old list, from 0. Returns 0 or -errno. Call manifest_line_finish()
 * after 0. */
int manifest_get(const struct manifest *manifest, size_t index, struct manifest_line *ret);

/* Adds a file, in place of the line of the old list that has the same file. Failures appear in
 * manifest_save(). */
void manifest_add(struct manifest *manifest, const struct manifest_line *line);

/* Whether this is the file of the list itself, which no download may replace. */
bool manifest_is_itself(const struct manifest *manifest, dev_t dev, ino_t ino);

/* Writes the rest and gives the new list its name. Returns 0; -EILSEQ when `lost` files are not in
 * it; -errno, and then the old list is as it was. */
int manifest_save(struct manifest *manifest);

/* Closes and frees. Removes a list that was not saved. Accepts a zeroed struct. */
void manifest_finish(struct manifest *manifest);

#endif
