/* SPDX-License-Identifier: MIT */
/* Map and reduce with threads. The threads of a pool count the words of each file of a directory
 * (map). The task adds up the counts (reduce). Threads share memory, so the task finds each result
 * in the array. Without an argument the program counts texts that it makes itself.
 * Next: 20_map_processes.c */
#include <stdio.h>
#include <stdlib.h>

#include <whorl.h>

#include "words.h"

struct file {
    const char *path;
    struct words words;
};

static int map(void *arg) /* runs on a pool thread */
{
    struct file *file = arg;
    return words_count(&file->words, file->path);
}

static int root(void *arg)
{
    struct directory *directory = arg;
    struct file *files = calloc(directory->count + 1, sizeof *files);
    struct words all = {0};
    int err = files ? 0 : -ENOMEM;

    for (size_t i = 0; i < directory->count && err == 0; i++)
        files[i].path = directory->paths[i];
    if (err == 0)
        err = whorl_offload_map(NULL, map, files, sizeof *files, directory->count);
    for (size_t i = 0; files && i < directory->count; i++) {
        if (err == 0)
            err = words_merge(&all, &files[i].words);
        words_finish(&files[i].words);
    }
    if (err == 0)
        words_print(&all, directory->count);
    words_finish(&all);
    free(files);
    return err;
}

int main(int argc, char **argv)
{
    struct directory directory;
    int err = directory_open(&directory, argc > 1 ? argv[1] : NULL);

    if (err == 0)
        err = whorl_run(root, &directory);
    return directory_close(&directory, err);
}
