/* SPDX-License-Identifier: MIT */
/* Checking the files of a manifest, see manifest_check.h. */
#include "tools/get/manifest_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/group.h>
#include <whorl/io.h>

#include "tools/get/buffer.h"
#include "tools/get/disk_file.h"
#include "tools/get/manifest.h"
#include "tools/get/object.h"
#include "tools/get/report.h"
#include "tools/get/text.h"

enum { FILES_AT_ONCE = 8 };

struct checking {
    const struct manifest_check *check;
    struct manifest manifest;
    int dir_fd;
    size_t same, different, missing, failed;
};

/* The argument of a file's task. */
struct job {
    struct checking *checking;
    size_t index;
};

static void print_escaped(FILE *out, const char *text)
{
    struct buffer line = {0};
    size_t len = strlen(text), room = 4 * len;
    char *to = buffer_room(&line, room);

    if (to)
        text_escape(to, room + 1, text, len);
    fputs(to ? to : "(out of memory)", out);
    buffer_finish(&line);
}

/* Prints the verdict on a file; `cause` is NULL when it is as its line says. */
static void print(const struct checking *c, const struct manifest_line *line, const char *cause)
{
    struct buffer text = {0};
    struct object object;

    if (c->check->json) {
        object_begin(&object);
        object_add_bool(&object, "ok", !cause);
        object_add_text(&object, "file", line->file);
        object_add_text(&object, "url", line->url);
        object_add_text(&object, "error", cause);
        object_write(&object, &text);
        fputs(text.failed ? "" : text.text, stdout);
        buffer_finish(&text);
    }
    if (!cause)
        return;
    fputs("whorl-get: ", stderr);
    if (c->check->dir) {
        print_escaped(stderr, c->check->dir);
        fputs(c->check->dir[strlen(c->check->dir) - 1] == '/' ? "" : "/", stderr);
    }
    print_escaped(stderr, line->file);
    fprintf(stderr, ": %s\n", cause);
}

/* Compares the file with its line, and counts and prints the verdict. */
static void judge(struct checking *c, const struct manifest_line *line,
                  const struct disk_file *file, int err)
{
    char cause[256];

    if (err == -ENOENT) {
        c->missing++;
        print(c, line, "is missing");
    } else if (err == -ELOOP || err == -ENOTDIR || err == -EISDIR || err == -EINVAL) {
        c->different++;
        print(c, line, "is not a regular file, or is behind a symbolic link");
    } else if (err) {
        c->failed++;
        print(c, line, whorl_strerror(err));
    } else if (file->found_size != line->size) {
        c->different++;
        snprintf(cause, sizeof cause,
                 "its size is %" PRId64 " bytes, and the manifest says %" PRId64, file->found_size,
                 line->size);
        print(c, line, cause);
    } else if (strcasecmp(file->sha256, line->sha256) != 0) {
        c->different++;
        snprintf(cause, sizeof cause, "its sha256 is %s, and the manifest says %s", file->sha256,
                 line->sha256);
        print(c, line, cause);
    } else {
        c->same++;
        print(c, line, NULL);
    }
}

static WHORL_SUSPENDS int check_file(void *arg)
{
    const struct job *job = arg;
    struct checking *c = job->checking;
    struct manifest_line line;

    int err = manifest_get(&c->manifest, job->index, &line);
    if (err)
        return err;
    struct disk_file file = {
        .dir_fd = c->dir_fd, .path = line.file, .size = line.size, .mtime_ns = -1};
    err = disk_file_look(&file);
    bool is_over = err != -ECANCELED && err != -ENOMEM && err != -EAGAIN;
    if (is_over)
        judge(c, &line, &file, err);
    manifest_line_finish(&line);
    return is_over ? 0 : err;
}

static int root(void *arg)
{
    struct checking *c = arg;
    WHORL_AUTO(group) group = {0};
    int err = 0;

    for (size_t i = 0; i < c->manifest.count && err == 0; i++) {
        struct job job = {.checking = c, .index = i};
        err = whorl_group_wait_below(&group, FILES_AT_ONCE);
        if (err == 0)
            err = whorl_spawn_copy(&group, check_file, &job);
    }
    int failed = whorl_group_wait(&group);
    return failed ? failed : err;
}

static int complain(const char *about, int err)
{
    fputs("whorl-get: ", stderr);
    print_escaped(stderr, about);
    fprintf(stderr, ": %s\n", whorl_strerror(err));
    return EXIT_USAGE;
}

static int run(struct checking *c)
{
    const struct manifest_check *check = c->check;
    struct whorl_error error = {0};
    int err = whorl_io_run_with(NULL, &error, root, c);

    if (err) {
        fprintf(stderr, "whorl-get: run: %s\n", error.text[0] ? error.text : whorl_strerror(err));
        return EXIT_NONE;
    }
    if (!check->quiet)
        fprintf(stderr, "whorl-get: %zu of %zu files are as the manifest says", c->same,
                c->manifest.count);
    if (!check->quiet && c->different + c->missing + c->failed > 0)
        fprintf(stderr, "; %zu differ, %zu missing, %zu unreadable", c->different, c->missing,
                c->failed);
    if (!check->quiet)
        fputs("\n", stderr);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("standard output", -errno);
        return EXIT_NONE;
    }
    return c->same == c->manifest.count ? EXIT_ALL : EXIT_MISMATCH;
}

int manifest_check(const struct manifest_check *check)
{
    struct checking c = {.check = check, .dir_fd = AT_FDCWD};
    char why[1536];
    int status = EXIT_USAGE;

    if (check->dir) {
        c.dir_fd = open(check->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c.dir_fd < 0)
            return complain(check->dir, -errno);
    }
    if (manifest_read(&c.manifest, check->path, why, sizeof why))
        fprintf(stderr, "whorl-get: %s\n", why);
    else
        status = run(&c);
    manifest_finish(&c.manifest);
    if (check->dir)
        close(c.dir_fd);
    return status;
}
