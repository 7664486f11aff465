/* SPDX-License-Identifier: MIT */
/* Compares the files of a manifest with the disk: --verify-manifest. Uses no network. */
#ifndef WHORL_GET_MANIFEST_CHECK_H
#define WHORL_GET_MANIFEST_CHECK_H

#include <stdbool.h>

/* Set all fields. */
struct manifest_check {
    const char *path; /* of the manifest */
    const char *dir;  /* of the files; NULL: the current directory */
    bool quiet;       /* print only what differs */
    bool json;        /* print a JSON object for each file to standard output */
};

/* Starts a run, which hashes several files at a time. Prints each file that differs from its line,
 * or is missing, and a summary. Returns the exit status: 0; EXIT_MISMATCH; EXIT_USAGE when the
 * manifest or the directory cannot be read; EXIT_NONE when the output cannot be written, or for
 * lack of memory. */
int manifest_check(const struct manifest_check *check);

#endif
