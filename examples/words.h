/* SPDX-License-Identifier: MIT */
/* Counts the words of text files. 19_map_reduce.c does this on threads and 20_map_processes.c in
 * processes. */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>

/* A word and the number of times it occurs; plain data, so it can be sent to another process. */
struct word {
    unsigned count;
    char text[28]; /* in lower case; longer words are cut */
};

/* Sorted by strcmp(). Valid when zeroed: an empty list. */
struct words {
    struct word *at;
    size_t count;
};

/* Counts the words of a file. Any thread or process may call it. Returns 0 or -errno; when the file
 * cannot be read, a message goes to standard error. */
int words_count(struct words *words, const char *path);

/* Adds the counts of `from`. Returns 0 or -ENOMEM. */
int words_merge(struct words *words, const struct words *from);

/* Prints the number of files and words, and the most frequent words. */
void words_print(const struct words *words, size_t files);

void words_finish(struct words *words);

/* A directory of text files. */
struct directory {
    char **paths;
    size_t count;
    const char *path;
    char made[32]; /* the directory, if directory_open() made it; else "" */
};

/* Lists the regular files of a directory. If `path` is NULL, it makes a directory with a few short
 * texts, which directory_close() removes. Returns 0 or -errno; close it in either case. */
int directory_open(struct directory *ret, const char *path);

/* Prints `err` to standard error unless it is 0. Returns the exit status of the program. */
int directory_close(struct directory *directory, int err);

#endif
