/* SPDX-License-Identifier: MIT */
/* The same with processes. For each file, one task sends a request to a worker of the pool.
 * Processes share no memory, so the path is sent to the worker and the counts are sent back.
 * Next: 21_crash.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl.h>

#include "words.h"

static struct whorl_process_pool *workers;
static struct words all;

static int map(void *state, const void *path, size_t len, void **ret, size_t *ret_len)
{
    struct words words = {0}; /* runs in a worker */
    int err = words_count(&words, path);
    (void)state, (void)len;
    *ret = words.at; /* the pool sends it back and frees it */
    *ret_len = words.count * sizeof *words.at;
    return err;
}

static int ask(void *arg)
{
    const char *path = *(char **)arg;
    void *answer = NULL;
    size_t len = 0;
    int err = whorl_process_pool_call(workers, path, strlen(path) + 1, &answer, &len);

    if (err == 0) /* reduce: needs no lock, since words_merge() never suspends */
        err = words_merge(&all, &(struct words){answer, len / sizeof(struct word)});
    free(answer);
    return err;
}

static int root(void *arg)
{
    struct directory *directory = arg;
    return whorl_map(ask, directory->paths, sizeof *directory->paths, directory->count, 0, NULL);
}

int main(int argc, char **argv)
{
    struct whorl_process_pool_options options = {.work = map}; /* one worker per processor */
    struct directory directory;
    int err = directory_open(&directory, argc > 1 ? argv[1] : NULL);
    if (err == 0)
        err = whorl_process_pool_create(&options, &workers);
    if (err == 0 && (err = whorl_io_run(root, &directory)) == 0)
        words_print(&all, directory.count);
    whorl_process_pool_destroy(workers);
    words_finish(&all);
    return directory_close(&directory, err);
}
