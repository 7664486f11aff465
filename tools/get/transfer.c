/* SPDX-License-Identifier: MIT */
/* A transfer from its settings to its end, see transfer.h and transfer_state.h. */
#include "tools/get/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <whorl/local.h>
#include <whorl/task.h>
#include <whorl/url.h>

#include "tools/get/mirror.h"
#include "tools/get/text.h"
#include "tools/get/transfer_earlier.h"
#include "tools/get/transfer_error.h"
#include "tools/get/transfer_keep.h"
#include "tools/get/transfer_retry.h"
#include "tools/get/transfer_settings.h"
#include "tools/get/transfer_state.h"

/* The running task's struct transfer. */
static const struct whorl_local running = {0};

/* NULL when it is over. */
static struct transfer *current(void)
{
    struct transfer *t = whorl_local_get(&running);

    return t && !t->is_over ? t : NULL;
}

struct followed *transfer_followed(void)
{
    struct transfer *t = current();

    return t ? &t->followed : NULL;
}

void transfer_note_dial(const char *host, uint16_t port, int err)
{
    struct transfer *t = current();

    if (!t)
        return;
    snprintf(t->refused, sizeof t->refused, "%s", err == -ECONNREFUSED ? host : "");
    t->refused_port = port;
    /* A proxy that was reached may say that the server cannot be: that is not its own failure. */
    snprintf(t->dialed, sizeof t->dialed, "%s", err ? host : "");
    t->dialed_port = port;
}

void transfer_note_info(const struct whorl_http_info *info)
{
    struct transfer *t = current();

    if (t)
        t->outcome.info = *info;
}

/* Fetches the file, sets its time, and adds it to the manifest. */
static WHORL_SUSPENDS int fetch(struct transfer *t)
{
    int err = transfer_prepare_download(t);

    bool is_complete = err == 1;
    if (err == 0)
        err = transfer_try_all(t);
    if (is_complete)
        err = 0;
    bool is_unmodified = t->is_conditional && t->outcome.status == 304;
    if (err || t->in_place)
        return err;
    if (is_unmodified)
        t->path = transfer_wanted_path(t);
    if (!t->path)
        return 0;
    if (!is_unmodified && !is_complete && t->get->options->existing == EXISTING_UPDATE)
        existing_date(transfer_where(t), t->path, t->modified);
    /* What a manifest says about an unmodified file stays as it is. */
    bool is_old = is_unmodified || is_complete;
    if (t->verify.notes_sha256 && !(is_old && t->before.json) && transfer_record(t) < 0)
        return 0; /* the file is complete all the same */
    return 0;
}

/* Makes the file name from the URL. A URL that cannot be parsed ends the transfer here. */
static int name_it(struct transfer *t)
{
    int err = whorl_url_parse(t->scheduled->url, &t->outcome.error, &t->url);

    if (err) {
        transfer_explain(t, err, "URL");
        return err;
    }
    err = target_decide(&t->target, t->get->options, &t->url, t->followed.id, t->entry.out);
    if (err)
        transfer_explain(t, err, "transfer");
    return err;
}

/* Opens the directory of the file. */
static WHORL_SUSPENDS int open_target(struct transfer *t)
{
    const struct options *options = t->get->options;

    if (options->output || options->dry_run)
        return 0;
    int err = target_open(&t->target, t->get->dir_fd);
    if (err)
        whorl_error_set(&t->outcome.error, err, "write", "%s", whorl_strerror(err));
    if (err && err != -ECANCELED) {
        t->outcome.place = transfer_full_path(t, t->target.name);
        t->outcome.dir = options->dir;
    }
    return err;
}

/* Follows the links of the file. The transfer is over, so what is fetched for that is no part of
 * it. */
static WHORL_SUSPENDS int follow_links(struct transfer *t)
{
    struct mirror *mirror = t->get->mirror;
    struct mirror_file file = {
        .url = &t->url,
        .location = t->location,
        .type = t->type,
        .path =
            t->path && !transfer_to_stdout(t->get->options) ? transfer_full_path(t, t->path) : NULL,
        .dir_fd = transfer_where(t),
        .name = t->path,
        .size = t->outcome.written,
    };

    if (!mirror || !t->outcome.ok || !t->url.text || t->outcome.plan)
        return 0;
    t->is_over = true;
    int err = mirror_ended(mirror, &file);
    if (file.removed)
        target_subdirs_note(&t->get->subdirs, &t->target);
    return err;
}

/* Notes what a run that is not dry would do. */
static int make_plan(struct transfer *t)
{
    const struct options *options = t->get->options;
    const struct verify *verify = &t->verify;
    char size[TEXT_NUMBER_SIZE];
    struct buffer plan = {0};
    struct stat st;

    t->path = transfer_to_stdout(options) ? "/dev/stdout"
              : options->output           ? options->output
                                          : t->target.name;
    if (t->existing.skips)
        buffer_printf(&plan, "; it exists, so it will be skipped");
    else if (t->existing.replaces && t->existing.is_there)
        buffer_printf(&plan, "; it exists, and %s will replace it",
                      options->existing == EXISTING_UPDATE ? "a newer one" : "the new one");
    else if (!options->output && !t->existing.replaces &&
             fstatat(transfer_where(t), transfer_wanted_path(t), &st, AT_SYMLINK_NOFOLLOW) == 0)
        buffer_printf(&plan, "; the name is taken, so a number will follow it");
    if (verify->size_source)
        buffer_printf(&plan, "; %s", text_size(size, verify->size));
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++)
        if (verify->expected[kind].hex)
            buffer_printf(&plan, "; %s is known", hash_name(kind));
    if (t->entry.mirrors_count > 0)
        buffer_printf(&plan, "; mirrors: %zu", t->entry.mirrors_count);
    buffer_add(&plan, "", 0);
    t->plan = plan.text;
    t->outcome.plan = plan.text ? plan.text : "";
    return plan.failed ? whorl_error_set(&t->outcome.error, -ENOMEM, "transfer", "out of memory")
                       : 0;
}

static void settle(struct transfer *t, int err)
{
    const struct options *options = t->get->options;
    struct outcome *o = &t->outcome;

    o->ok = err == 0;
    o->interrupted = err == -ECANCELED;
    if (err)
        transfer_note_kept(t);
    if (err == -ECANCELED) {
        whorl_error_set(&o->error, err, "transfer", "interrupted");
        o->place = NULL; /* the same text whether it was receiving or writing */
    }
    if (err && !t->in_place)
        o->written = 0; /* the file was removed */
    if (err == 0 && !o->plan)
        transfer_note_existing(t);
    if (err == 0 && t->path) {
        o->dir = options->dir;
        o->file = transfer_to_stdout(options) ? "-" : transfer_full_path(t, t->path);
    }
}

WHORL_SUSPENDS int transfer_run(void *arg)
{
    const struct transfer_job *job = arg;
    struct get *get = job->get;
    struct schedule_item *item = job->item;
    struct transfer t = {
        .get = get,
        .scheduled = item,
        .source = item->url,
        .limiter = get_limiter(get->options->limit_rate_each),
        .followed = {.id = item->number + 1, .url = item->url, .queued_ns = item->added_ns},
        .outcome = {.url = item->url,
                    .method = get->ask.method,
                    .list = item->list,
                    .line = item->line},
    };
    int64_t start_ns = whorl_now();

    int err = transfer_take_settings(&t);
    if (err == 0)
        err = name_it(&t);
    if (err == 0)
        transfer_hide_secrets(&t);
    const char *cause;
    if (err == 0 && !transfer_expect_all(&t, &cause))
        err =
            whorl_error_set(&t.outcome.error, -EINVAL, "settings", "%s: %s", t.target.name, cause);
    if (err == 0 && whorl_local_set(&running, &t) < 0)
        err = whorl_error_set(&t.outcome.error, -ENOMEM, "transfer", "out of memory");
    if (err == 0) {
        t.followed.name = get->options->output ? get->options->output : t.target.name;
        t.followed.at = &t.url;
        events_start(&get->events, &t.followed);
        err = open_target(&t);
        if (err == 0)
            err = transfer_prepare_existing(&t);
        if (err == 0)
            err = get->options->dry_run ? make_plan(&t) : t.existing.skips ? 0 : fetch(&t);
    }
    t.outcome.duration_ns = whorl_now() - start_ns;
    settle(&t, err);
    if (t.outcome.ok && !t.outcome.plan)
        transfer_remove_journals(&t);
    if (get->mirror)
        t.outcome.crawl = mirror_place(get->mirror, item->url);
    events_end(&get->events, t.followed.link ? &t.followed : NULL, t.followed.id, &t.outcome);
    download_finish(&t.download);
    int followed = follow_links(&t);
    if (!t.outcome.file && t.outcome.kept == 0)
        target_subdirs_note(&get->subdirs, &t.target);
    target_finish(&t.target);
    free(t.full_path);
    free(t.location);
    free(t.final_url);
    free(t.headers);
    free(t.bad_path);
    free(t.etag);
    manifest_line_finish(&t.before);
    free(t.plan);
    entry_finish(&t.entry);
    whorl_url_finish(&t.url);
    err = followed ? followed : report_wait_room(get->report);
    schedule_end(&get->schedule, item);
    return err;
}
