/* SPDX-License-Identifier: MIT */
/* Map and reduce with threads: the words of each file of a folder are counted on a thread of the pool
 * (map), as many at once as it has, and the counts are added up by the task (reduce). They share the
 * memory, so a result is where the thread has put it. Without a folder, of texts made for it.
 * Next: 20_map_processes.c */
#include <stdio.h>
#include <stdlib.h>

#include <whorl.h>

#include "words.h"

struct file {
    const char *path;
    struct words words;
};

static int map(void *arg) /* on a thread */
{
    struct file *file = arg;
    return words_count(&file->words, file->path);
}

static int root(void *arg)
{
    struct folder *folder = arg;
    struct file *files = calloc(folder->count + 1, sizeof *files);
    struct words all = {0};
    int err = files ? 0 : -ENOMEM;

    for (size_t i = 0; i < folder->count && err == 0; i++)
        files[i].path = folder->paths[i];
    if (err == 0)
        err = whorl_offload_map(NULL, map, files, sizeof *files, folder->count);
    for (size_t i = 0; files && i < folder->count; i++) {
        if (err == 0)
            err = words_merge(&all, &files[i].words);
        words_finish(&files[i].words);
    }
    if (err == 0)
        words_print(&all, folder->count);
    words_finish(&all);
    free(files);
    return err;
}

int main(int argc, char **argv)
{
    struct folder folder;
    int err = folder_open(&folder, argc > 1 ? argv[1] : NULL);

    if (err == 0)
        err = whorl_run(root, &folder);
    return folder_close(&folder, err);
}
