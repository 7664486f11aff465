/* SPDX-License-Identifier: MIT */
/* Counts words, see words.h. */
#include "words.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/error.h>

enum { SHOWN = 3, TEXTS = 40 };

/* The index of a word, or the index at which to insert it. */
static size_t find(const struct words *words, const char *text)
{
    size_t from = 0, to = words->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(words->at[middle].text, text) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static int add(struct words *words, const char *text, unsigned count)
{
    size_t i = find(words, text);

    if (i == words->count || strcmp(words->at[i].text, text) != 0) {
        struct word *at = words->at;
        if ((words->count & (words->count - 1)) == 0) /* 0 or a power of two: it is full */
            at = reallocarray(at, words->count ? 2 * words->count : 1, sizeof *at);
        if (!at)
            return -ENOMEM;
        words->at = at;
        memmove(&at[i + 1], &at[i], (words->count - i) * sizeof *at);
        words->count++;
        at[i] = (struct word){0};
        strcpy(at[i].text, text);
    }
    words->at[i].count += count;
    return 0;
}

int words_count(struct words *words, const char *path)
{
    FILE *file = fopen(path, "re");
    char text[sizeof words->at->text];
    size_t len = 0;
    int c, err = 0;

    if (!file) {
        err = -errno;
        fprintf(stderr, "%s: %s\n", path, whorl_strerror(err));
        return err;
    }
    do {
        c = getc(file);
        if (isalpha(c) || c >= 0x80) { /* a letter, or a byte of a UTF-8 sequence */
            if (len < sizeof text - 1)
                text[len++] = (char)tolower(c);
        } else if (len > 0) {
            text[len] = '\0';
            err = add(words, text, 1);
            len = 0;
        }
    } while (c != EOF && err == 0);
    if (err == 0 && ferror(file)) {
        err = -EIO;
        fprintf(stderr, "%s: %s\n", path, whorl_strerror(err));
    }
    fclose(file);
    return err;
}

int words_merge(struct words *words, const struct words *from)
{
    int err = 0;

    for (size_t i = 0; i < from->count && err == 0; i++)
        err = add(words, from->at[i].text, from->at[i].count);
    return err;
}

static int by_count(const void *a, const void *b)
{
    const struct word *one = a, *other = b;

    if (one->count != other->count)
        return one->count < other->count ? 1 : -1;
    return strcmp(one->text, other->text);
}

void words_print(const struct words *words, size_t files)
{
    struct word *sorted = calloc(words->count + 1, sizeof *sorted);
    unsigned long all = 0;

    if (!sorted)
        return;
    for (size_t i = 0; i < words->count; i++)
        all += (sorted[i] = words->at[i]).count;
    qsort(sorted, words->count, sizeof *sorted, by_count);
    printf("%zu file%s, %lu words, %zu different\n", files, files == 1 ? "" : "s", all,
           words->count);
    for (size_t i = 0; i < words->count && i < SHOWN; i++)
        printf("%6u %s\n", sorted[i].count, sorted[i].text);
    free(sorted);
}

void words_finish(struct words *words)
{
    free(words->at);
    *words = (struct words){0};
}

/* --- directories ------------------------------------------------------------------------------ */

static int make_texts(char dir[32])
{
    static const char *const lines[] = {
        "A whorl keeps the spindle turning while fibres become thread.\n",
        "A task waits, and another task runs.\n",
        "The thread waits when every task waits.\n",
    };

    strcpy(dir, "/tmp/whorl-texts-XXXXXX");
    if (!mkdtemp(dir)) {
        *dir = '\0';
        return -errno;
    }
    for (int i = 0; i < TEXTS; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%02d.txt", dir, i);
        FILE *file = fopen(path, "we");
        if (!file)
            return -errno;
        for (int line = 0; line <= i; line++)
            fputs(lines[(i + line) % 3], file);
        if (fclose(file) != 0)
            return -errno;
    }
    return 0;
}

static int list(struct directory *directory, const char *path)
{
    DIR *dir = opendir(path);
    int err = dir ? 0 : -errno;

    for (struct dirent *entry; err == 0 && (entry = readdir(dir));) {
        struct stat info;
        char *name;
        if (asprintf(&name, "%s/%s", path, entry->d_name) < 0) {
            err = -ENOMEM;
        } else if (stat(name, &info) < 0 || !S_ISREG(info.st_mode)) {
            free(name);
        } else {
            char **paths = reallocarray(directory->paths, directory->count + 1, sizeof *paths);
            if (paths) {
                directory->paths = paths;
                directory->paths[directory->count++] = name;
            } else {
                free(name);
                err = -ENOMEM;
            }
        }
    }
    if (dir)
        closedir(dir);
    return err;
}

int directory_open(struct directory *ret, const char *path)
{
    *ret = (struct directory){0};
    int err = path ? 0 : make_texts(ret->made);

    ret->path = path ? path : ret->made;
    return err ? err : list(ret, ret->path);
}

int directory_close(struct directory *directory, int err)
{
    if (err)
        fprintf(stderr, "%s: %s%s\n", directory->path, directory->count ? "not counted: " : "",
                whorl_strerror(err));
    for (size_t i = 0; i < directory->count; i++) {
        if (*directory->made)
            unlink(directory->paths[i]);
        free(directory->paths[i]);
    }
    free(directory->paths);
    if (*directory->made)
        rmdir(directory->made);
    return err ? 1 : 0;
}
