/* SPDX-License-Identifier: MIT */
/* Counting the words of text files: what 19_map_reduce.c and 20_map_processes.c spread over threads
 * and over processes. */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>

/* A word with how often it occurs; plain data, so that it can be sent to another process. */
struct word {
    unsigned count;
    char text[28]; /* in lower case; longer words are cut */
};

/* In the order of the alphabet. Zeroed: none. */
struct words {
    struct word *at;
    size_t count;
};

/* Counts the words of a file. Runs anywhere: on a thread, in a process. 0 or -errno; a file that cannot
 * be read is told on standard error. */
int words_count(struct words *words, const char *path);

/* Adds the counts of `from`. 0 or -ENOMEM. */
int words_merge(struct words *words, const struct words *from);

/* Prints how many there are of how many files, and the most frequent. */
void words_print(const struct words *words, size_t files);

void words_finish(struct words *words);

/* A folder of text files. */
struct folder {
    char **paths;
    size_t count;
    const char *path;
    char made[32]; /* the folder, if it was made here */
};

/* Lists the regular files of a folder. NULL: makes a folder with a few short texts, which closing it
 * removes. 0 or -errno; to be closed in either case. */
int folder_open(struct folder *ret, const char *path);

/* Says on standard error what went wrong, if anything did. Returns the program's exit status. */
int folder_close(struct folder *folder, int err);

#endif
