/* SPDX-License-Identifier: MIT */
/* Files that are continued, see transfer_keep.h. */
#include "tools/get/transfer_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <whorl/fd.h>
#include <whorl/file.h>

#include "tools/get/disk_file.h"
#include "tools/get/text.h"
#include "tools/get/transfer_answer.h"
#include "tools/get/transfer_error.h"
#include "tools/get/transfer_settings.h"
#include "tools/get/transfer_store.h"

/* Sends a request with more headers. Returns 0 or a negative code, and the error is filled.
 * Responses of HTTP/2 share a connection, and of HTTP/1.1 each has its own. */
static WHORL_SUSPENDS int ask_more(void *arg, const char *url,
                                   const struct whorl_http_header *extra, size_t extra_count,
                                   bool own_connection, struct whorl_error *error,
                                   struct whorl_http_response **ret)
{
    struct transfer *t = arg;
    size_t count = t->headers_count + extra_count;
    struct whorl_http_header *headers = calloc(count, sizeof *headers);
    struct ask_request request;

    if (!headers)
        return whorl_error_set(error, -ENOMEM, "request", "out of memory");
    count = transfer_headers_for(t, url, headers);
    memcpy(headers + count, extra, extra_count * sizeof *extra);
    count += extra_count;
    int err =
        ask_begin(&request, &t->get->ask, url, headers, count, transfer_user_for(t, url), error);
    transfer_prepare_request(t, &request.http);
    if (own_connection && t->get->options->http == WHORL_HTTP_ANY)
        request.http.version = WHORL_HTTP_1;
    if (err == 0)
        err = whorl_http_do(t->get->session, &request.http, error, ret);
    ask_end(&request); /* it has no body, so the response does not need it */
    free(headers);
    return err;
}

static void note_part_response(void *arg, struct whorl_http_response *response)
{
    struct transfer *t = arg;

    transfer_note_response(t, response);
    transfer_tell_schedule(t);
    if (t->get->options->show_headers)
        report_head(t->get->report, response);
}

/* Whether a part may be kept: the bytes of the response are those of the file, from its first one
 * to its last, and they go to a file. */
static bool may_keep(const struct transfer *t)
{
    const struct options *options = t->get->options;

    if (options->no_resume || options->header_names || options->compressed ||
        transfer_to_stdout(options) || !ask_is_plain(&t->get->ask))
        return false;
    return !transfer_has_conditions(t);
}

static void *take_connection(void *arg, const char *url)
{
    struct transfer *t = arg;
    struct schedule *schedule = &t->get->schedule;

    if (url != t->source)
        return schedule_take_place(schedule, url);
    return schedule_take_connection(schedule, t->scheduled) ? t->scheduled->host : NULL;
}

static void free_connection(void *arg, void *place)
{
    struct transfer *t = arg;

    schedule_free_place(&t->get->schedule, place);
}

static void save_state(void *arg, struct buffer *ret)
{
    struct transfer *t = arg;

    verify_save(&t->verify, ret);
}

static void show_connections(void *arg, int count)
{
    struct transfer *t = arg;

    t->followed.connections = count;
}

/* The name of the part as leftovers.h knows it. */
static const char *part_name(const struct transfer *t)
{
    const char *path = t->download.part.path;
    const char *slash = t->get->options->output ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path;
}

/* The strongest hash that is expected; HASH_KINDS: none. */
static enum hash_kind strongest_hash(const struct transfer *t)
{
    enum hash_kind strongest = HASH_KINDS;

    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++)
        if (t->verify.expected[kind].hex)
            strongest = kind;
    return strongest;
}

bool transfer_joins_mirrors(const struct transfer *t)
{
    return t->entry.mirrors_count > 0 && verify_has_hash(&t->verify);
}

/* Makes the names of the part, if that was not done yet. Returns 0 or -ENOMEM, and the error is
 * filled. */
static int name_part(struct transfer *t)
{
    struct download *d = &t->download;
    char *name = NULL;

    if (t->has_part_name)
        return 0;
    t->has_part_name = true; /* also if another URL turns out to have it */
    /* The hash is a part of the name of the part: without it, or with another one, the bytes of
     * several URLs are not continued. */
    if (transfer_joins_mirrors(t)) {
        d->mirrors = t->entry.mirrors;
        d->mirrors_count = t->entry.mirrors_count;
        if (asprintf(&name, "%s#%s", t->source, t->verify.expected[strongest_hash(t)].hex) < 0)
            return whorl_error_set(&t->outcome.error, -ENOMEM, "transfer", "out of memory");
        d->source = name;
    }
    int err = download_init(d, transfer_where(t), transfer_wanted_path(t));
    d->source = t->source;
    free(name);
    return err ? whorl_error_set(&t->outcome.error, err, "transfer", "out of memory") : 0;
}

void transfer_remove_journals(struct transfer *t)
{
    struct leftovers *leftovers = &t->get->leftovers;
    const char *output = t->get->options->output;

    if (!leftovers_have_journals(leftovers) || *t->target.subdir || !t->path ||
        (output && transfer_to_stdout(t->get->options)))
        return;
    if (!t->has_part_name)
        t->source = t->scheduled->url; /* the part has its name from it, not from a mirror */
    t->download.source = t->source;
    if (name_part(t) == 0 && t->download.part.path)
        leftovers_remove_journals(leftovers, transfer_where(t), t->download.part.path,
                                  part_name(t));
}

/* Whether an earlier run may have left a part of this file. Only the directory of --dir itself was
 * searched, and nothing is known of those below it. */
static bool may_have_part(const struct transfer *t)
{
    return *t->target.subdir || leftovers_may_have_parts(&t->get->leftovers);
}

/* Removes the part of a file that is complete, if there is one. */
static WHORL_SUSPENDS int remove_needless(struct transfer *t)
{
    struct download *d = &t->download;

    if (!may_have_part(t))
        return 0;
    int err = name_part(t);
    if (err)
        return err;
    if (download_find(d))
        download_drop(d, "");
    d->afresh[0] = '\0';
    d->resumed_from = 0;
    return 0;
}

/* With --continue and a known hash, the file that has the name is complete if it has the hash. Sets
 * `*ret_differs` if it does not. Returns 1 when the file is complete; 0; or a negative code, and
 * the error is filled. */
static WHORL_SUSPENDS int find_complete(struct transfer *t, bool *ret_differs)
{
    const char *path = transfer_wanted_path(t);
    struct verify *verify = &t->verify;
    enum hash_kind kind;
    struct stat st;

    *ret_differs = false;
    if (t->get->options->existing != EXISTING_CONTINUE || !t->may_keep || !verify_has_hash(verify))
        return 0;
    WHORL_AUTO(fd)
    file = whorl_fd_own(whorl_openat(transfer_where(t), path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0));
    int fd = whorl_fd_get(&file), err = 0;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fd == -ECANCELED ? fd : 0;
    verify_begin(verify, NULL, false);
    *ret_differs = verify->size_source && verify->size != st.st_size;
    if (!*ret_differs)
        err = disk_file_read(fd, transfer_see_part, t);
    if (err == -ECANCELED || err == -ENOMEM)
        return whorl_error_set(&t->outcome.error, err, "read", "%s", whorl_strerror(err));
    *ret_differs |= err || !verify_end(verify, &kind, t->why, sizeof t->why);
    t->why[0] = '\0'; /* is about the body only */
    if (*ret_differs)
        return 0;
    t->path = path;
    t->outcome.existing = "complete";
    t->outcome.verified = hash_name(kind);
    t->outcome.resumed_from = verify->seen;
    events_verify(&t->get->events, &t->followed, t->outcome.verified);
    err = remove_needless(t);
    return err ? err : 1;
}

/* Opens the part that an earlier run has left, if there is one. Returns 0 or a negative code. */
static WHORL_SUSPENDS int find_part(struct transfer *t)
{
    struct download *d = &t->download;

    /* The names of the part take 5,000 instructions, and most transfers do not need them. */
    if (!may_have_part(t))
        return 0;
    int err = name_part(t);
    if (err)
        return err;
    bool may_have = *t->target.subdir || leftovers_may_have(&t->get->leftovers, part_name(t));
    if (!may_have || !download_find(d))
        return 0;
    if (t->get->options->size_max && download_length(d) > t->get->options->size_max) {
        download_finish(d); /* the whole file will be refused */
        t->may_keep = false;
        return 0;
    }
    d->is_mixed = d->mirrors_count > 0;
    const struct journal_digest *digest = &d->part.journal.digest;
    verify_begin(&t->verify, NULL, false);
    d->see = verify_is_needed(&t->verify) ? transfer_see_part : NULL;
    if (digest->state && verify_restore(&t->verify, digest->end, digest->state))
        d->seen = digest->end;
    return 0;
}

WHORL_SUSPENDS int transfer_prepare_download(struct transfer *t)
{
    const char *output = t->get->options->output;
    struct download *d = &t->download;

    *d = (struct download){.ask = ask_more,
                           .note = note_part_response,
                           .progress = transfer_note_progress,
                           .save = save_state,
                           .take_connection = take_connection,
                           .free_connection = free_connection,
                           .show_connections = show_connections,
                           /* With --rate, each request is one that another URL must wait for. */
                           .split = t->get->options->rate > 0 ? 1 : t->get->options->split,
                           .arg = t,
                           .source = t->source,
                           .error = &t->outcome.error};
    t->may_keep = may_keep(t) && (!output || transfer_is_plain_output(output));
    bool differs;
    int err = find_complete(t, &differs);
    if (err == 0 && t->may_keep)
        err = find_part(t);
    if (err == 0 && differs && !download_has_part(d)) {
        snprintf(d->afresh, sizeof d->afresh, "the file that exists does not have the expected %s",
                 hash_name(strongest_hash(t)));
        t->outcome.afresh = d->afresh;
    }
    return err;
}

/* Notes the counts of the download. */
static void note_download(struct transfer *t)
{
    struct outcome *o = &t->outcome;
    const struct download *d = &t->download;

    o->afresh = d->afresh[0] ? d->afresh : NULL;
    o->resumed_from = d->resumed_from;
    o->wasted = d->wasted;
    o->reread = d->reread;
    o->splits = d->splits;
    o->bytes = d->received;
    o->written = d->received - d->wasted;
}

/* Decides whether the complete part is as expected. If a state of the journal may be the reason why
 * it is not, the bytes decide: all are read. Returns 0 or a negative code. */
static WHORL_SUSPENDS int decide(struct transfer *t)
{
    int err = transfer_decide(t, &t->path);

    if (err || !t->is_bad || !t->verify.is_restored)
        return err;
    t->is_bad = false;
    t->why[0] = '\0';
    t->path = transfer_wanted_path(t);
    verify_begin(&t->verify, NULL, false);
    err = download_see_again(&t->download);
    note_download(t);
    return err ? err : transfer_decide(t, &t->path);
}

/* Gives the complete file its name. Returns as transfer_try_once(). */
static WHORL_SUSPENDS int take_name(struct transfer *t)
{
    const struct options *options = t->get->options;
    struct outcome *o = &t->outcome;
    bool replaces = options->output || t->existing.replaces;

    t->path = transfer_wanted_path(t);
    /* A response with a part need not have them all. */
    transfer_note_validators(t, t->download.part.journal.etag, t->download.part.journal.modified);
    int err = t->download.see ? decide(t) : 0;
    if (err == 0 && t->is_bad && t->download.is_mixed) {
        /* One of the URLs has sent wrong bytes, but which one is not known. */
        t->is_bad = false;
        t->download.mirrors_count = 0;
        download_drop(&t->download, "the bytes of several URLs do not have the expected hash");
        note_download(t);
        return whorl_error_set(&o->error, -EBADMSG, "verify", "%s", t->why);
    }
    if (err == 0)
        err = download_take(&t->download, t->path, replaces);
    while (err == -EEXIST)
        err = download_take(&t->download, transfer_next_path(t, 0), false);
    o->mismatched = t->why[0] && err == 0;
    if (err == 0 && t->is_bad)
        err = -EBADMSG;
    if (err)
        whorl_error_set(&o->error, err, "write", "%s", whorl_strerror(err));
    return err;
}

/* The end of an attempt that has received into a part. */
static WHORL_SUSPENDS int end_download(struct transfer *t, int err)
{
    note_download(t);
    if (err == 0)
        err = take_name(t);
    else
        t->path = transfer_wanted_path(t);
    if (err)
        transfer_explain(t, err, "body");
    else
        events_verify(&t->get->events, &t->followed, t->outcome.verified);
    return err;
}

/* Continues the part. Returns as transfer_try_once(), or DOWNLOAD_AFRESH, and then `*ret` may be
 * set. */
static WHORL_SUSPENDS int resume(struct transfer *t, struct whorl_http_response **ret)
{
    int err = download_resume(&t->download, ret);

    if (err != DOWNLOAD_AFRESH && err != DOWNLOAD_STATUS)
        return end_download(t, err);
    note_download(t);
    if (err == DOWNLOAD_AFRESH)
        return err;
    transfer_note_response(t, *ret);
    bool is_failure = transfer_judge(t, *ret);
    transfer_tell_schedule(t);
    return is_failure ? 1 : DOWNLOAD_AFRESH;
}

WHORL_SUSPENDS int transfer_receive_part(struct transfer *t, struct whorl_http_response **response)
{
    struct download *d = &t->download;

    t->is_bad = false;
    t->why[0] = '\0';
    verify_begin(&t->verify, *response, false);
    d->see = verify_is_needed(&t->verify) ? transfer_see_part : NULL;
    int err = name_part(t);
    if (err)
        return err;
    err = download_start(d, response);
    if (*response && err != -ECANCELED)
        return DOWNLOAD_AFRESH;
    if (err == DOWNLOAD_AFRESH) {
        note_download(t);
        return err;
    }
    return end_download(t, err);
}

/* Whether --continue finds that the file is complete. Returns 1, 0 or a negative code. */
static WHORL_SUSPENDS int is_there(struct transfer *t)
{
    const struct options *options = t->get->options;
    const char *path = transfer_wanted_path(t);

    if (options->existing != EXISTING_CONTINUE || !t->may_keep)
        return 0;
    /* If a hash is expected, the file does not have it: find_complete() has looked. */
    if (verify_has_hash(&t->verify))
        return 0;
    int err = name_part(t);
    if (err)
        return err;
    int there = download_is_there(&t->download, transfer_where(t), path);
    if (there == 1 && t->verify.size_source && t->verify.size != t->download.resumed_from) {
        t->download.resumed_from = 0;
        there = 0;
    }
    note_download(t);
    if (there == 1)
        t->path = path;
    else if (there < 0)
        transfer_explain(t, there, "request");
    return there;
}

WHORL_SUSPENDS int transfer_try_continue(struct transfer *t, struct whorl_http_response **ret)
{
    int err = DOWNLOAD_AFRESH;

    *ret = NULL;
    if (download_has_part(&t->download))
        err = resume(t, ret);
    if (err != DOWNLOAD_AFRESH || *ret)
        return err;
    int there = is_there(t);
    return there == 1 ? 0 : there < 0 ? there : DOWNLOAD_AFRESH;
}

void transfer_note_kept(struct transfer *t)
{
    char kept[TEXT_NUMBER_SIZE], length[TEXT_NUMBER_SIZE];
    struct outcome *o = &t->outcome;
    const struct download *d = &t->download;

    o->kept = download_has_part(d) ? download_done(d) : 0;
    if (o->kept > 0)
        leftovers_note(&t->get->leftovers, part_name(t));
    if (o->kept > 0 && o->error.code != -ECANCELED)
        transfer_append(&o->error, " (kept %s of %s; run again to continue)",
                        text_size(kept, o->kept), text_size(length, download_length(d)));
}
