/* SPDX-License-Identifier: MIT */
/* Earlier files, see transfer_earlier.h. */
#include "tools/get/transfer_earlier.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "tools/get/disk_file.h"
#include "tools/get/text.h"

/* Whether a manifest may say that this file is the one of the transfer: it has the name that the
 * transfer chooses, or that name with a number. So a manifest cannot choose which file is replaced.
 * `arg` is the transfer. */
static bool is_named_so(const void *arg, const char *file)
{
    const struct transfer *t = arg;
    const char *dot = strrchr(file, '.');
    size_t subdir_len = strlen(t->target.subdir);
    char numbered[NAME_SIZE];
    int number;

    if (strncmp(file, t->target.subdir, subdir_len) != 0)
        return false;
    file += subdir_len;
    if (strcmp(file, t->target.name) == 0)
        return true;
    if (!dot || text_parse_int(dot + 1, 1, INT_MAX, &number))
        return false;
    name_numbered(numbered, t->target.name, (unsigned)number);
    return strcmp(file, numbered) == 0;
}

/* Looks for the file of an earlier run in the manifest. If it is there and unchanged, it is ours:
 * it may be replaced, and the server is asked whether there is a newer one. */
static WHORL_SUSPENDS int find_before(struct transfer *t)
{
    struct get *get = t->get;

    int found = manifest_find(&get->manifest, t->scheduled->url, is_named_so, t, &t->before);
    if (found <= 0)
        return found;
    const struct manifest_line *before = &t->before;
    const char *name = before->file + strlen(t->target.subdir); /* is_named_so() says so */
    struct disk_file file = {.dir_fd = transfer_where(t),
                             .path = get->options->dry_run ? before->file : name,
                             .size = before->size,
                             .mtime_ns = before->mtime_ns};
    int err = disk_file_look(&file);
    if (err == -ECANCELED)
        return err;
    bool is_same = err == 0 && file.found_size == before->size &&
                   (!file.is_read || strcasecmp(file.sha256, before->sha256) == 0);
    if (!is_same || !taken_add(&get->taken, before->file)) {
        manifest_line_finish(&t->before);
        return 0;
    }
    snprintf(t->target.name, sizeof t->target.name, "%s", name);
    t->existing = (struct existing){.is_there = true, .replaces = true, .etag = before->etag};
    if (before->modified)
        snprintf(t->existing.since, sizeof t->existing.since, "%s", before->modified);
    return 0;
}

/* The manifest is replaced at the end of the run, so no download may take its name. */
static bool is_manifest(struct transfer *t)
{
    struct stat st;

    return manifest_is_open(&t->get->manifest) &&
           fstatat(transfer_where(t), transfer_wanted_path(t), &st, 0) == 0 &&
           manifest_is_itself(&t->get->manifest, st.st_dev, st.st_ino);
}

WHORL_SUSPENDS int transfer_prepare_existing(struct transfer *t)
{
    const struct options *options = t->get->options;
    struct existing *existing = &t->existing;
    bool is_other = transfer_has_conditions(t) || !ask_is_plain(&t->get->ask);

    if (transfer_to_stdout(options) ||
        (options->output && !transfer_is_plain_output(options->output)))
        return 0;
    t->verify.notes_sha256 = manifest_is_open(&t->get->manifest) && !is_other;
    int err = 0;
    if (t->verify.notes_sha256 && options->existing != EXISTING_SKIP)
        err = find_before(t);
    /* With --update, the date of the file says nothing about a response of another kind. */
    if (err == 0 && !existing->replaces && !(is_other && options->existing == EXISTING_UPDATE))
        err = existing_look(existing, options->existing, options->output ? NULL : &t->get->taken,
                            transfer_full_path(t, t->target.name), transfer_where(t),
                            transfer_wanted_path(t));
    if (err)
        return whorl_error_set(&t->outcome.error, err, "transfer", "%s", whorl_strerror(err));
    if (is_manifest(t))
        *existing = (struct existing){0};
    /* If a hash is expected, only a new download shows whether it is right. */
    if (verify_is_expected(&t->verify)) {
        existing->since[0] = '\0';
        existing->etag = NULL;
    }
    return 0;
}

WHORL_SUSPENDS int transfer_record(struct transfer *t)
{
    const struct verify *verify = &t->verify;
    bool is_hashed = verify->sha256[0];
    struct disk_file file = {
        .dir_fd = transfer_where(t), .path = t->path, .size = -1, .mtime_ns = -1};
    struct manifest_line line = {.url = t->scheduled->url,
                                 .final_url = t->final_url,
                                 .file = transfer_full_path(t, t->path),
                                 .sha256 = is_hashed ? verify->sha256 : file.sha256,
                                 .etag = t->etag,
                                 .modified = t->modified[0] ? t->modified : NULL};
    time_t now = time(NULL);
    char fetched[32];
    struct stat st;
    struct tm tm;

    if (is_hashed) { /* while it was received */
        if (fstatat(file.dir_fd, t->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
        file.found_size = verify->seen;
        file.found_mtime_ns = (int64_t)st.st_mtim.tv_sec * WHORL_SECOND + st.st_mtim.tv_nsec;
    } else {
        int err = disk_file_look(&file);
        if (err)
            return err;
    }
    line.size = file.found_size;
    line.mtime_ns = file.found_mtime_ns;
    strftime(fetched, sizeof fetched, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    line.fetched = fetched;
    manifest_add(&t->get->manifest, &line);
    return 0;
}

void transfer_note_existing(struct transfer *t)
{
    struct outcome *o = &t->outcome;

    if (t->existing.skips)
        o->existing = "skipped";
    else if (t->is_conditional && o->status == 304)
        o->existing = "not modified";
    else if (t->existing.replaces && t->existing.is_there && t->path && !o->existing)
        o->existing = "replaced";
    if (t->existing.skips)
        t->path = transfer_wanted_path(t);
}
