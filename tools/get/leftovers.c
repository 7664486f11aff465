/* SPDX-License-Identifier: MIT */
/* Partial files in a directory, see leftovers.h. */
#include "tools/get/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/get/journal.h"

enum { ENTRIES_MAX = 100000, IDLE_S = 600 };

static const char without_part[] = "a journal without its partial file";
static const char journal_suffix[] = ".journal", new_suffix[] = ".journal.new";

/* Takes the suffix off, if there is one. */
static bool take_suffix(const char *name, size_t *len, const char *suffix)
{
    size_t n = strlen(suffix);

    if (*len <= n || memcmp(name + *len - n, suffix, n) != 0)
        return false;
    *len -= n;
    return true;
}

/* Whether it is a name such as part_init() and the library's temporary names: NAME.01234567.part */
static bool is_part_name(const char *name, size_t len)
{
    if (!take_suffix(name, &len, ".part") || len < 10 || name[len - 9] != '.')
        return false;
    for (size_t i = len - 8; i < len; i++)
        if (!strchr("0123456789abcdef", name[i]))
            return false;
    return true;
}

/* Whether it is a regular file of this user that no process writes. Parts are locked. The library's
 * temporary files, whose names begin with a dot, are not: but one that has not changed for longer
 * than any transfer waits is not being written. */
static bool is_idle(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return false;
    bool yes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
               (name[0] != '.' || time(NULL) - st.st_mtime > IDLE_S) &&
               flock(fd, LOCK_SH | LOCK_NB) == 0;
    close(fd);
    return yes;
}

/* Whether the file is a journal that can be read. */
static bool is_journal(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    char *text = fd < 0 ? NULL : malloc(JOURNAL_SIZE_MAX);
    struct journal journal = {0};
    struct journal_end end;
    ssize_t n = 0;
    size_t len = 0;

    while (text && len < JOURNAL_SIZE_MAX && (n = read(fd, text + len, JOURNAL_SIZE_MAX - len)) > 0)
        len += (size_t)n;
    bool yes = text && n == 0 && journal_read(&journal, &end, text, len, "") == 0;
    journal_finish(&journal);
    free(text);
    if (fd >= 0)
        close(fd);
    return yes;
}

/* Why nothing explains the file, or NULL. `part` is the name of the part that it belongs to. */
static const char *judge(int dir_fd, const char *name, const char *part)
{
    char journal[NAME_MAX + sizeof journal_suffix];
    struct stat st;

    if (strcmp(name, part) != 0) /* a journal */
        return fstatat(dir_fd, part, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
                       is_idle(dir_fd, name)
                   ? without_part
                   : NULL;
    snprintf(journal, sizeof journal, "%s%s", name, journal_suffix);
    if (is_journal(dir_fd, journal) || !is_idle(dir_fd, name))
        return NULL;
    return fstatat(dir_fd, journal, &st, AT_SYMLINK_NOFOLLOW) < 0
               ? "a partial file without a journal"
               : "a partial file whose journal cannot be read";
}

static int add_name(char ***names, size_t *count, size_t *size, const char *name)
{
    if (*count == *size) {
        size_t new_size = *size ? 2 * *size : 16;
        char **new_names = reallocarray(*names, new_size, sizeof *new_names);
        if (!new_names)
            return -ENOMEM;
        *names = new_names;
        *size = new_size;
    }
    (*names)[*count] = strdup(name);
    return (*names)[*count] ? (++*count, 0) : -ENOMEM;
}

static int add(struct leftovers *l, const char *name)
{
    return add_name(&l->parts, &l->count, &l->size, name);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct scan {
    struct leftovers *leftovers;
    int dir_fd;
    bool removes;
    leftovers_fn *report;
    void *arg;
};

static int look_at(const struct scan *scan, const char *name)
{
    char part[NAME_MAX + 1];
    size_t len = strlen(name);
    bool is_part = !take_suffix(name, &len, new_suffix) && !take_suffix(name, &len, journal_suffix);

    if (!is_part_name(name, len))
        return 0;
    snprintf(part, sizeof part, "%.*s", (int)len, name);
    const char *why = judge(scan->dir_fd, name, part);
    if (!why)
        return is_part ? add(scan->leftovers, name) : 0;
    if (!is_part && !scan->removes)
        return add_name(&scan->leftovers->journals, &scan->leftovers->journals_count,
                        &scan->leftovers->journals_size, name);
    int err = scan->removes && unlinkat(scan->dir_fd, name, 0) < 0 ? -errno : 0;
    scan->report(scan->arg, name, why, err);
    return is_part && (err || !scan->removes) ? add(scan->leftovers, name) : 0;
}

int leftovers_read(struct leftovers *leftovers, int dir_fd, const char *dir, bool removes,
                   leftovers_fn *report, void *arg)
{
    struct scan scan = {leftovers, -1, removes, report, arg};
    const struct dirent *entry = NULL;
    int err = 0, seen = 0;

    scan.dir_fd = openat(dir_fd, *dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (scan.dir_fd < 0)
        return -errno;
    DIR *stream = fdopendir(scan.dir_fd);
    if (!stream) {
        err = -errno;
        close(scan.dir_fd);
        return err;
    }
    while (err == 0 && seen++ < ENTRIES_MAX && (entry = readdir(stream)))
        err = look_at(&scan, entry->d_name);
    closedir(stream);
    leftovers->is_complete = err == 0 && !entry;
    if (leftovers->count > 0)
        qsort(leftovers->parts, leftovers->count, sizeof *leftovers->parts, compare);
    return err;
}

void leftovers_note(struct leftovers *leftovers, const char *path)
{
    if (leftovers_may_have(leftovers, path))
        return;
    if (add(leftovers, path) == 0)
        qsort(leftovers->parts, leftovers->count, sizeof *leftovers->parts, compare);
    else
        leftovers->is_complete = false;
}

bool leftovers_may_have_parts(const struct leftovers *leftovers)
{
    return !leftovers->is_complete || leftovers->count > 0;
}

bool leftovers_may_have(const struct leftovers *leftovers, const char *path)
{
    if (!leftovers->is_complete || strchr(path, '/'))
        return true;
    return leftovers->count > 0 && bsearch(&path, leftovers->parts, leftovers->count,
                                           sizeof *leftovers->parts, compare) != NULL;
}

bool leftovers_have_journals(const struct leftovers *leftovers)
{
    return leftovers->journals_count > 0;
}

/* Whether the name is that of the part with one of the suffixes of journals. */
static const char *suffix_behind(const char *name, const char *part)
{
    size_t len = strlen(part);
    const char *suffix = strncmp(name, part, len) == 0 ? name + len : "";

    return strcmp(suffix, journal_suffix) == 0 || strcmp(suffix, new_suffix) == 0 ? suffix : NULL;
}

void leftovers_remove_journals(struct leftovers *l, int dir_fd, const char *path, const char *name)
{
    char *journal;
    struct stat st;

    if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
        return;
    for (size_t i = l->journals_count; i > 0; i--) {
        const char *suffix = suffix_behind(l->journals[i - 1], name);
        if (!suffix || asprintf(&journal, "%s%s", path, suffix) < 0)
            continue;
        if (unlinkat(dir_fd, journal, 0) == 0 || errno == ENOENT) {
            free(l->journals[i - 1]);
            l->journals[i - 1] = l->journals[--l->journals_count];
        }
        free(journal);
    }
}

void leftovers_report_journals(const struct leftovers *leftovers, leftovers_fn *report, void *arg)
{
    for (size_t i = 0; i < leftovers->journals_count; i++)
        report(arg, leftovers->journals[i], without_part, 0);
}

void leftovers_finish(struct leftovers *leftovers)
{
    for (size_t i = 0; i < leftovers->journals_count; i++)
        free(leftovers->journals[i]);
    free(leftovers->journals);
    for (size_t i = 0; i < leftovers->count; i++)
        free(leftovers->parts[i]);
    free(leftovers->parts);
    *leftovers = (struct leftovers){0};
}
