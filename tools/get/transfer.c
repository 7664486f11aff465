/* SPDX-License-Identifier: MIT */
/* One transfer: request, save, retry, report; see transfer.h. */
#include "tools/get/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <whorl/file.h>
#include <whorl/local.h>
#include <whorl/task.h>
#include <whorl/text.h>
#include <whorl/url.h>

#include "tools/get/disk_file.h"
#include "tools/get/disposition.h"
#include "tools/get/download.h"
#include "tools/get/entry.h"
#include "tools/get/existing.h"
#include "tools/get/get.h"
#include "tools/get/mirror.h"
#include "tools/get/retry.h"
#include "tools/get/target.h"
#include "tools/get/text.h"
#include "tools/get/verify.h"

/* How long a host gets no request if it says only that there were too many. */
#define REFUSED_NS WHORL_SECOND

struct transfer {
    struct get *get;
    struct schedule_item *scheduled;
    struct whorl_url url;
    struct target target;  /* from the URL */
    char taken[NAME_SIZE]; /* the name with a number, used when the plain name is taken */
    const char *path; /* relative to the directory of the target; NULL when no file was opened */
    char *full_path;  /* owned; see full_path() */
    char *location;   /* owned; where a mirrored URL redirects; NULL: nowhere */
    char type[64];    /* the Content-Type header of the last response; "": none */
    bool in_place;    /* the body went where it cannot be taken back, so there is no other try */
    bool is_foreign;  /* a link of a page leads here, and the user's secrets stay away */
    bool is_over;     /* what the task does now is no part of the transfer */
    bool is_refused;  /* the host wants fewer requests */
    int64_t asked_ns; /* the delay from the Retry-After header, or -1 */
    char refused[NAME_SIZE]; /* the host that refused the last connection; "": none did */
    uint16_t refused_port;
    char dialed[NAME_SIZE]; /* the server or proxy that could not be connected to; "": none */
    uint16_t dialed_port;
    char opened[NAME_SIZE]; /* the server of the last connection */
    uint16_t opened_port;
    struct outcome outcome;
    struct followed followed;
    char *final_url;
    struct entry entry;       /* the settings of the URL */
    const char *source;       /* the URL that is asked: that of the item, or one of its mirrors */
    size_t mirrors_tried;     /* of the first ones */
    const char *worth_trying; /* the URL whose failure may have been temporary; NULL: none */
    struct whorl_http_header *headers; /* owned; those of all URLs and of this one */
    size_t headers_count;
    struct whorl_limiter limiter; /* of --limit-rate-each; shared by its connections */
    struct verify verify;
    struct existing existing;    /* the file that has the name already */
    bool is_conditional;         /* the last request of the whole file was; 304 is a success */
    char modified[64];           /* the Last-Modified header of the last response; "": none */
    char *etag;                  /* its ETag header; owned; NULL: none */
    struct manifest_line before; /* what --manifest says about the file; `json` NULL: nothing */
    bool is_elsewhere; /* the server says "not modified" of another URL than that of `before` */
    bool is_bad;       /* the body is not the expected one: its name ends with ".bad" */
    char *bad_path;    /* owned */
    char *plan;        /* owned */
    char why[512];     /* what is wrong with the body; "": nothing */
    bool may_keep;     /* a part may be kept and continued */
    struct download download;
    int failures;      /* attempts that failed since one that has received new bytes of a part */
    int64_t had_bytes; /* of the part, at the end of the last attempt */
};

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

static bool to_stdout(const struct options *options)
{
    return options->output && strcmp(options->output, "-") == 0;
}

/* A path of this transfer, relative to --dir. Valid until the next call. */
static const char *full_path(struct transfer *t, const char *path)
{
    if (t->get->options->output || !t->target.folder || !*t->target.folder)
        return path;
    free(t->full_path);
    if (asprintf(&t->full_path, "%s%s", t->target.folder, path) < 0)
        t->full_path = NULL;
    return t->full_path ? t->full_path : path;
}

/* Where the file is, or goes unless its name is taken; in where_to(). A dry run does not open the
 * directory of the target. */
static const char *wanted_path(struct transfer *t)
{
    const struct options *options = t->get->options;

    if (options->output)
        return options->output;
    return options->dry_run ? full_path(t, t->target.name) : t->target.name;
}

static int where_to(const struct transfer *t)
{
    const struct options *options = t->get->options;

    return options->output ? AT_FDCWD : options->dry_run ? t->get->dir_fd : t->target.dir_fd;
}

/* The user name and password of --user. */
static const struct user *user_of(const struct transfer *t)
{
    static const struct user none = {0};

    return t->is_foreign ? &none : &t->get->user;
}

static uint64_t next_random(struct get *get)
{
    uint64_t x = get->random; /* xorshift64 */

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return get->random = x;
}

/* Called when the name is taken. Returns the next name to try. */
static const char *next_path(void *arg, unsigned attempt)
{
    struct transfer *t = arg;
    const char *name = t->is_bad ? t->bad_path : t->target.name;

    (void)attempt;
    name_numbered(t->taken, name, name_hints_next(&t->get->names, name));
    return t->path = t->taken;
}

/* The observer of all requests of a transfer. */
static void observe(void *arg, const struct whorl_http_event *event)
{
    struct transfer *t = arg;
    const struct whorl_http_observer *next = &t->get->observer;

    if (event->kind == WHORL_HTTP_EVENT_OPEN) {
        snprintf(t->opened, sizeof t->opened, "%s", event->host);
        t->opened_port = event->port;
    }
    events_observe(&t->get->events, &t->followed, event);
    if (event->kind == WHORL_HTTP_EVENT_END)
        events_note_limited(&t->get->events, &t->followed, event->info->limited_ns);
    if (next->event)
        next->event(next->arg, event);
}

/* Sets the limits of --limit-rate and --limit-rate-each. */
static void limit_speed(struct transfer *t, struct whorl_http_request *request)
{
    request->limiters[0] = t->get->limiter.rate > 0 ? &t->get->limiter : NULL;
    request->limiters[1] = t->limiter.rate > 0 ? &t->limiter : NULL;
}

/* Only the trace shows heads. */
static struct whorl_http_observer observer_of(struct transfer *t)
{
    return (struct whorl_http_observer){
        .event = observe, .arg = t, .no_heads = !t->get->options->verbose};
}

static void note_progress(void *arg, int64_t received)
{
    struct transfer *t = arg;

    events_note_progress(&t->get->events, &t->followed, received);
}

static void see_part(void *arg, const char *data, size_t len)
{
    struct transfer *t = arg;

    verify_update(&t->verify, data, len);
}

/* The body is complete. A body that is not the expected one gets a name that says so. */
static int decide(void *arg, const char **path)
{
    struct transfer *t = arg;
    enum hash_kind kind;

    if (verify_end(&t->verify, &kind, t->why, sizeof t->why)) {
        t->outcome.verified = kind < HASH_KINDS ? hash_name(kind) : NULL;
        return 0;
    }
    if (t->in_place)
        return -EBADMSG;
    if (!t->bad_path && asprintf(&t->bad_path, "%.*s.bad", NAME_SIZE - 5, *path) < 0) {
        t->bad_path = NULL;
        return -ENOMEM;
    }
    t->is_bad = true;
    *path = t->path = t->bad_path;
    return 0;
}

static WHORL_SUSPENDS int save(struct transfer *t, struct whorl_http_response *response)
{
    const struct options *options = t->get->options;
    struct whorl_http_save_options how = {
        .progress = note_progress,
        .ret_in_place = &t->in_place,
        .ret_written = &t->outcome.written,
        .arg = t,
    };

    if (options->output) {
        how.overwrite = true;
        t->path = to_stdout(options) ? "/dev/stdout" : options->output;
    } else {
        how.overwrite = t->existing.replaces;
        how.dir_fd = t->target.dir_fd;
        how.use_dir_fd = true;
        how.next_path = next_path;
        t->path = t->target.name;
    }
    t->is_bad = false;
    t->why[0] = '\0';
    t->outcome.verified = NULL;
    verify_begin(&t->verify, response, options->compressed);
    if (verify_is_needed(&t->verify)) {
        how.part = see_part;
        how.complete = decide;
    }
    int err = whorl_http_response_save(response, t->path, &how);
    t->outcome.mismatched = t->why[0] && (err == 0 || err == -EBADMSG);
    return err == 0 && t->is_bad ? -EBADMSG : err;
}

/* RFC 9110 §15.4.5: the answer to a conditional request when there is nothing new. It has no
 * body. */
static bool is_unmodified(const struct transfer *t)
{
    return t->outcome.status == 304 && (t->get->conditional || t->is_conditional);
}

/* Checks the status of the response. Returns 0 when the body is what the user asked for, and 1 when
 * the status is a failure. */
static int judge(struct transfer *t, struct whorl_http_response *response)
{
    struct outcome *o = &t->outcome;
    char reason[128];

    if (o->status >= 200 && o->status < 300 && (o->status != 206 || t->get->ranged))
        return 0;
    if (is_unmodified(t))
        return 0;
    o->error = (struct whorl_error){.step = "status"};
    const char *raw = whorl_http_response_reason(response);
    text_escape(reason, sizeof reason, raw, strlen(raw));
    const char *why = "";
    if (o->status == 206)
        why = " (no range was requested)";
    else if (o->status >= 300 && o->status < 400)
        why = whorl_http_response_header(response, "location") ? " (redirect not followed)" : "";
    snprintf(o->error.text, sizeof o->error.text, "%d%s%s%s", o->status, *reason ? " " : "", reason,
             why);
    t->asked_ns = whorl_http_retry_after(whorl_http_response_header(response, "retry-after"),
                                         (int64_t)time(NULL));
    return 1;
}

/* Tells all transfers of the host whether it wants fewer requests. Without a Retry-After header,
 * 503 is a trouble of this URL only. */
static void tell_schedule(struct transfer *t)
{
    const struct outcome *o = &t->outcome;
    struct schedule *schedule = &t->get->schedule;
    const struct whorl_http_retry_policy *retry = &t->get->retry;

    t->is_refused = o->status == 429 || (o->status == 503 && t->asked_ns >= 0);
    if (!t->is_refused)
        schedule_answered(schedule, t->scheduled, -1);
    else if (t->asked_ns > retry->retry_after_max_ns)
        schedule_silence(schedule, t->scheduled);
    else
        schedule_answered(schedule, t->scheduled, t->asked_ns >= 0 ? t->asked_ns : REFUSED_NS);
}

/* Keeps what identifies this version of the file. */
static void note_validators(struct transfer *t, const char *etag, const char *modified)
{
    char *copy = etag ? strdup(etag) : NULL; /* without memory, it is not in the manifest */

    free(t->etag);
    t->etag = copy;
    snprintf(t->modified, sizeof t->modified, "%s", modified ? modified : "");
}

static void note_response(struct transfer *t, struct whorl_http_response *response)
{
    struct outcome *o = &t->outcome;

    const char *final_url = whorl_http_response_url(response)->text;

    o->status = whorl_http_response_status(response);
    note_validators(t, whorl_http_response_header(response, "etag"),
                    whorl_http_response_header(response, "last-modified"));
    /* An entity tag identifies a version of one resource only (RFC 9110 §8.8.3). */
    t->is_elsewhere = o->status == 304 && t->is_conditional && t->before.final_url &&
                      strcmp(t->before.final_url, final_url) != 0;
    whorl_http_response_get_timing(response, &o->timing);
    if (t->get->report->json || t->get->options->events || o->timing.redirects > 0 ||
        manifest_is_open(&t->get->manifest)) {
        free(t->final_url);
        t->final_url = strdup(final_url);
        o->final_url = t->final_url;
    }
    const char *type = whorl_http_response_header(response, "content-type");
    snprintf(t->type, sizeof t->type, "%s", type ? type : "");
    bool is_part = download_has_part(&t->download);
    events_headers(&t->get->events, &t->followed, response,
                   is_part ? download_done(&t->download) : 0,
                   is_part ? download_length(&t->download) : whorl_http_response_length(response));
}

__attribute__((format(printf, 2, 3))) static void append(struct whorl_error *error,
                                                         const char *format, ...)
{
    size_t len = strlen(error->text);
    va_list args;

    va_start(args, format);
    vsnprintf(error->text + len, sizeof error->text - len, format, args);
    va_end(args);
}

/* Whether the failure concerns the file and not the network. */
static bool is_local(const struct whorl_error *error)
{
    return strcmp(error->step, "write") == 0;
}

/* The library's text is "PATH: cause", without --dir, and cut if the path is long. Keeps the cause
 * and notes the whole path. */
static void name_place(struct transfer *t)
{
    struct outcome *o = &t->outcome;
    char path[sizeof o->error.text], cause[sizeof o->error.text];
    size_t len = whorl_text_escape(t->path, strlen(t->path), path, sizeof path);

    if (strncmp(o->error.text, path, len) == 0 && strncmp(o->error.text + len, ": ", 2) == 0)
        snprintf(cause, sizeof cause, "%s", o->error.text + len + 2);
    else
        snprintf(cause, sizeof cause, "%s", whorl_strerror(o->error.code));
    strcpy(o->error.text, cause);
    o->place = to_stdout(t->get->options) ? "standard output" : full_path(t, t->path);
    o->dir = t->get->options->dir;
}

/* Completes the error text: the library's text, and what only this program knows. */
static void explain(struct transfer *t, int err, const char *step)
{
    struct whorl_error *error = &t->outcome.error;
    const struct options *options = t->get->options;

    if (error->code != err || !error->text[0])
        whorl_error_set(error, err, step, "%s", whorl_strerror(err));
    if (t->outcome.mismatched) {
        whorl_error_set(error, err, "verify", "%s%s", t->is_bad ? "kept, but " : "", t->why);
        t->outcome.place = to_stdout(options) ? "standard output" : full_path(t, t->path);
        t->outcome.dir = options->dir;
        return;
    }
    if (err == WHORL_EHTTP_BODY_TOO_LARGE)
        append(error, "%s",
               options->size_max ? " (--max-size)"
                                 : " (after decoding; --max-size changes the limit)");
    if (err == WHORL_EHTTP_REDIRECT_DOWNGRADE)
        append(error, " (--allow-downgrade follows it)");
    if (err == WHORL_EHTTP_PROXY_AUTH)
        append(error, " (--proxy SCHEME://NAME:PASSWORD@HOST:PORT)");
    if (is_local(error) && t->path)
        name_place(t);
}

/* Whether the body of the response is saved. The response to an upload is often empty, which makes
 * no file unless the user has named one, or says what it must contain. */
static bool has_body_to_save(const struct transfer *t, const struct whorl_http_response *response)
{
    const struct get *get = t->get;

    if (ask_is_head(&get->ask))
        return false;
    return ask_is_download(&get->ask) || get->options->output || verify_is_expected(&t->verify) ||
           (t->outcome.status != 204 && whorl_http_response_length(response) != 0);
}

/* Whether a mirror may get the user's headers, name and password: it has the origin of the URL. */
static bool is_trusted(const struct transfer *t, const char *url)
{
    WHORL_AUTO(url) mirror = {0};

    return url == t->scheduled->url ||
           (whorl_url_parse(url, NULL, &mirror) == 0 && whorl_url_same_origin(&mirror, &t->url));
}

static const struct user *user_for(const struct transfer *t, const char *url)
{
    static const struct user none = {0};

    return is_trusted(t, url) ? user_of(t) : &none;
}

static bool is_harmless(const struct whorl_http_header *header)
{
    static const char *const harmless[] = {"Accept", "Accept-Encoding", "Accept-Language",
                                           "Cache-Control", "Pragma"};

    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcasecmp(header->name, harmless[i]) == 0)
            return true;
    return false;
}

/* Writes the headers of a request for the URL, at most `headers_count`. Returns their count. */
static size_t headers_for(const struct transfer *t, const char *url, struct whorl_http_header *ret)
{
    bool all = is_trusted(t, url);
    size_t count = 0;

    for (size_t i = 0; i < t->headers_count; i++)
        if (all || is_harmless(&t->headers[i]))
            ret[count++] = t->headers[i];
    return count;
}

/* Files that are continued */

/* Sends a request with more headers. Returns 0 or a negative code, and the error is filled. */
static WHORL_SUSPENDS int ask_more(void *arg, const char *url,
                                   const struct whorl_http_header *extra, size_t extra_count,
                                   struct whorl_error *error, struct whorl_http_response **ret)
{
    struct transfer *t = arg;
    size_t count = t->headers_count + extra_count;
    struct whorl_http_header *headers = calloc(count, sizeof *headers);
    struct ask_request request;

    if (!headers)
        return whorl_error_set(error, -ENOMEM, "request", "out of memory");
    count = headers_for(t, url, headers);
    memcpy(headers + count, extra, extra_count * sizeof *extra);
    count += extra_count;
    int err = ask_begin(&request, &t->get->ask, url, headers, count, user_for(t, url), error);
    request.http.observer = observer_of(t);
    limit_speed(t, &request.http);
    request.http.redirects_max = t->get->mirror ? -1 : 0;
    if (err == 0)
        err = whorl_http_do(t->get->session, &request.http, error, ret);
    ask_end(&request); /* it has no body, so the response does not need it */
    free(headers);
    return err;
}

static void note_part_response(void *arg, struct whorl_http_response *response)
{
    struct transfer *t = arg;

    note_response(t, response);
    tell_schedule(t);
    if (t->get->options->show_headers)
        report_head(t->get->report, response);
}

/* Whether the output is a regular file, or does not exist yet, and is not open already. */
static WHORL_SUSPENDS bool is_plain_output(const char *output)
{
    struct statx file;

    if (strncmp(output, "/dev/", 5) == 0 || strncmp(output, "/proc/", 6) == 0)
        return false;
    int err = whorl_statx(AT_FDCWD, output, 0, STATX_TYPE | STATX_INO, &file);
    if (err)
        return err == -ENOENT;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat open;
        if (fstat(fd, &open) == 0 && open.st_ino == file.stx_ino &&
            open.st_dev == makedev(file.stx_dev_major, file.stx_dev_minor))
            return false;
    }
    return S_ISREG(file.stx_mode);
}

/* Whether a header of the user makes the response another one than that with the whole file. */
static bool has_own_conditions(const struct transfer *t)
{
    for (size_t i = 0; i < t->headers_count; i++)
        if (strcasecmp(t->headers[i].name, "Range") == 0 ||
            strncasecmp(t->headers[i].name, "If-", 3) == 0)
            return true;
    return false;
}

/* Whether a part may be kept: the bytes of the response are those of the file, from its first one
 * to its last, and they go to a file. */
static bool may_keep(const struct transfer *t)
{
    const struct options *options = t->get->options;

    if (options->no_resume || options->header_names || options->compressed || to_stdout(options) ||
        !ask_is_plain(&t->get->ask))
        return false;
    return !has_own_conditions(t);
}

/* Whether a manifest may say that this file is the one of the transfer: it has the name that the
 * transfer chooses, or that name with a number. So a manifest cannot choose which file is replaced.
 * `arg` is the transfer. */
static bool is_named_so(const void *arg, const char *file)
{
    const struct transfer *t = arg;
    const char *dot = strrchr(file, '.');
    size_t folder_len = strlen(t->target.folder);
    char numbered[NAME_SIZE];
    int number;

    if (strncmp(file, t->target.folder, folder_len) != 0)
        return false;
    file += folder_len;
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
    const char *name = before->file + strlen(t->target.folder); /* is_named_so() says so */
    struct disk_file file = {.dir_fd = where_to(t),
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
           fstatat(where_to(t), wanted_path(t), &st, 0) == 0 &&
           manifest_is_itself(&t->get->manifest, st.st_dev, st.st_ino);
}

/* Looks at the file that has the name already. */
static WHORL_SUSPENDS int prepare_existing(struct transfer *t)
{
    const struct options *options = t->get->options;
    struct existing *existing = &t->existing;
    bool is_other = has_own_conditions(t) || !ask_is_plain(&t->get->ask);

    if (to_stdout(options) || (options->output && !is_plain_output(options->output)))
        return 0;
    t->verify.notes_sha256 = manifest_is_open(&t->get->manifest) && !is_other;
    int err = 0;
    if (t->verify.notes_sha256 && options->existing != EXISTING_SKIP)
        err = find_before(t);
    /* With --update, the date of the file says nothing about a response of another kind. */
    if (err == 0 && !existing->replaces && !(is_other && options->existing == EXISTING_UPDATE))
        err = existing_look(existing, options->existing, options->output ? NULL : &t->get->taken,
                            full_path(t, t->target.name), where_to(t), wanted_path(t));
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

static const char *strongest_hash(const struct transfer *t)
{
    const char *hex = "";

    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++)
        if (t->verify.expected[kind].hex)
            hex = t->verify.expected[kind].hex;
    return hex;
}

/* Whether the bytes of several URLs may be joined: a wrong byte of any of them is noticed. */
static bool joins_mirrors(const struct transfer *t)
{
    return t->entry.mirrors_count > 0 && verify_has_hash(&t->verify);
}

/* Looks for a part that an earlier run has left. */
static WHORL_SUSPENDS int prepare_download(struct transfer *t)
{
    const char *output = t->get->options->output;
    struct download *d = &t->download;

    *d = (struct download){.ask = ask_more,
                           .note = note_part_response,
                           .progress = note_progress,
                           .take_connection = take_connection,
                           .free_connection = free_connection,
                           .show_connections = show_connections,
                           /* With --rate, each request is one that another URL must wait for. */
                           .split = t->get->options->rate > 0 ? 1 : t->get->options->split,
                           .arg = t,
                           .source = t->source,
                           .error = &t->outcome.error};
    t->may_keep = may_keep(t) && (!output || is_plain_output(output));
    if (!t->may_keep)
        return 0;
    /* The hash is a part of the name of the part: without it, or with another one, the bytes of
     * several URLs are not continued. */
    char *name = NULL;
    if (joins_mirrors(t)) {
        d->mirrors = t->entry.mirrors;
        d->mirrors_count = t->entry.mirrors_count;
        if (asprintf(&name, "%s#%s", t->source, strongest_hash(t)) < 0)
            return whorl_error_set(&t->outcome.error, -ENOMEM, "transfer", "out of memory");
        d->source = name;
    }
    int err = download_init(d, where_to(t), wanted_path(t));
    d->source = t->source;
    free(name);
    if (err)
        return whorl_error_set(&t->outcome.error, err, "transfer", "out of memory");
    bool may_have = *t->target.folder || leftovers_may_have(&t->get->leftovers, part_name(t));
    if (!may_have || !download_find(d))
        return 0;
    if (t->get->options->size_max && download_length(d) > t->get->options->size_max) {
        download_finish(d); /* the whole file will be refused */
        t->may_keep = false;
        return 0;
    }
    d->is_mixed = d->mirrors_count > 0;
    verify_begin(&t->verify, NULL, false);
    d->see = verify_is_needed(&t->verify) ? see_part : NULL;
    return 0;
}

/* Notes the counts of the download. */
static void note_download(struct transfer *t)
{
    struct outcome *o = &t->outcome;
    const struct download *d = &t->download;

    o->afresh = d->afresh[0] ? d->afresh : NULL;
    o->resumed_from = d->resumed_from;
    o->wasted = d->wasted;
    o->splits = d->splits;
    o->bytes = d->received;
    o->written = d->received - d->wasted;
}

/* Gives the complete file its name. Returns as try_once(). */
static WHORL_SUSPENDS int take_name(struct transfer *t)
{
    const struct options *options = t->get->options;
    struct outcome *o = &t->outcome;
    bool replaces = options->output || t->existing.replaces;

    t->path = wanted_path(t);
    /* A response with a part need not have them all. */
    note_validators(t, t->download.part.journal.etag, t->download.part.journal.modified);
    int err = t->download.see ? decide(t, &t->path) : 0;
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
        err = download_take(&t->download, next_path(t, 0), false);
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
        t->path = wanted_path(t);
    if (err)
        explain(t, err, "body");
    else
        events_verify(&t->get->events, &t->followed, t->outcome.verified);
    return err;
}

/* Continues the part. Returns as try_once(), or DOWNLOAD_AFRESH, and then `*ret` may be set. */
static WHORL_SUSPENDS int resume(struct transfer *t, struct whorl_http_response **ret)
{
    int err = download_resume(&t->download, ret);

    if (err != DOWNLOAD_AFRESH && err != DOWNLOAD_STATUS)
        return end_download(t, err);
    note_download(t);
    if (err == DOWNLOAD_AFRESH)
        return err;
    note_response(t, *ret);
    bool is_failure = judge(t, *ret);
    tell_schedule(t);
    return is_failure ? 1 : DOWNLOAD_AFRESH;
}

/* Receives the body into a new part. Returns as try_once(); DOWNLOAD_AFRESH when there can be
 * none, and then the response is unchanged. */
static WHORL_SUSPENDS int receive_part(struct transfer *t, struct whorl_http_response *response)
{
    struct download *d = &t->download;
    bool begun;

    t->is_bad = false;
    t->why[0] = '\0';
    verify_begin(&t->verify, response, false);
    d->see = verify_is_needed(&t->verify) ? see_part : NULL;
    int err = download_start(d, response, &begun);
    if (!begun && err != -ECANCELED)
        return DOWNLOAD_AFRESH;
    return end_download(t, err);
}

/* Whether --continue finds that the file is complete. Returns 1, 0 or a negative code. */
static WHORL_SUSPENDS int is_there(struct transfer *t)
{
    const struct options *options = t->get->options;
    const char *path = wanted_path(t);

    if (options->existing != EXISTING_CONTINUE || !t->may_keep)
        return 0;
    /* The hash of the file is not known, so only a new download shows whether it is right. */
    verify_begin(&t->verify, NULL, false);
    if (verify_is_expected(&t->verify))
        return 0;
    int there = download_is_there(&t->download, where_to(t), path);
    note_download(t);
    if (there == 1)
        t->path = path;
    else if (there < 0)
        explain(t, there, "request");
    return there;
}

/* Continues what is there already. Returns as try_once(); DOWNLOAD_AFRESH when there is nothing,
 * and then `*ret` is a response with the whole file, or NULL. */
static WHORL_SUSPENDS int try_continue(struct transfer *t, struct whorl_http_response **ret)
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

/* With --recursive, a redirect is a link: it may lead to a file that is there already, or to one
 * that is not wanted. So it is not followed here. */
static bool takes_redirect(struct transfer *t, const struct whorl_http_response *response)
{
    const char *location = whorl_http_response_header(response, "location");
    WHORL_AUTO(url) to = {0};

    if (!t->get->mirror || !mirror_is_redirect(t->outcome.status) || !location)
        return false;
    if (whorl_url_resolve(&t->url, location, NULL, &to))
        return false; /* judge() says that it cannot be followed */
    free(t->location);
    t->location = strdup(location);
    free(t->final_url);
    t->final_url = strdup(to.text);
    t->outcome.final_url = t->final_url;
    t->outcome.moved = true;
    return t->location != NULL;
}

/* With --remote-header-name, the server may name the file. */
static void take_header_name(struct transfer *t, const struct whorl_http_response *response)
{
    const char *header = whorl_http_response_header(response, "Content-Disposition");
    char name[NAME_SIZE];

    if (t->get->options->header_names && !t->entry.out && disposition_name(header, name))
        strcpy(t->target.name, name);
}

/* Sends a request. Returns as try_once(). */
static WHORL_SUSPENDS int try_request(struct transfer *t, const struct whorl_http_request *request)
{
    struct outcome *o = &t->outcome;
    WHORL_AUTO(http_response) *response = NULL;

    int err = try_continue(t, &response);
    if (err != DOWNLOAD_AFRESH)
        return err;
    err = response ? 0 : whorl_http_do(t->get->session, request, &o->error, &response);
    if (err) {
        explain(t, err, "request");
        return err;
    }
    note_response(t, response);
    if (t->get->options->show_headers || ask_is_head(&t->get->ask))
        report_head(t->get->report, response);
    if (takes_redirect(t, response)) {
        tell_schedule(t);
        return 0;
    }
    err = judge(t, response);
    tell_schedule(t);
    if (err == 0)
        take_header_name(t, response);
    if (err || is_unmodified(t) || !has_body_to_save(t, response))
        return err;

    if (t->may_keep && !t->download.no_ranges && download_is_worth(response)) {
        err = receive_part(t, response);
        if (err != DOWNLOAD_AFRESH)
            return err;
    }
    err = save(t, response);
    o->wasted = 0;
    o->bytes = whorl_http_response_received(response);
    if (err) {
        o->error = *whorl_http_response_error(response);
        explain(t, err, "body");
    } else {
        events_verify(&t->get->events, &t->followed, t->outcome.verified);
    }
    return err;
}

/* Makes one attempt. Returns 0, 1 when the response's status is the failure, or a negative code. */
static WHORL_SUSPENDS int try_once(struct transfer *t)
{
    struct outcome *o = &t->outcome;
    struct ask_request request;

    o->error = (struct whorl_error){0};
    o->timing = (struct whorl_http_timing){0};
    o->info = (struct whorl_http_info){0};
    o->status = 0;
    o->bytes = o->written = 0;
    o->place = t->path = NULL;
    free(t->final_url);
    o->final_url = t->final_url = NULL;
    t->asked_ns = -1;
    t->is_elsewhere = false;
    t->dialed[0] = t->opened[0] = '\0';
    events_try(&t->get->events, &t->followed);
    /* There is room for these headers. They are not for the requests of parts. */
    struct whorl_http_header *headers = t->headers;
    size_t count = t->headers_count;
    t->is_conditional = false;
    if (t->source == t->scheduled->url) {
        count += existing_headers(&t->existing, headers + count);
        t->is_conditional = count > t->headers_count;
    } else {
        headers = calloc(count + 1, sizeof *headers);
        if (!headers)
            return whorl_error_set(&o->error, -ENOMEM, "request", "out of memory");
        count = headers_for(t, t->source, headers);
    }
    int err = ask_begin(&request, &t->get->ask, t->source, headers, count, user_for(t, t->source),
                        &o->error);
    request.http.observer = observer_of(t);
    limit_speed(t, &request.http);
    request.http.redirects_max = t->get->mirror ? -1 : 0;
    if (err == 0)
        err = try_request(t, &request.http);
    ask_end(&request);
    if (headers != t->headers)
        free(headers);
    return err;
}

/* Counts a failed attempt. An attempt that got further begins the count again: a large file needs
 * many attempts where connections do not live long. */
static int count_failure(struct transfer *t)
{
    int64_t bytes = download_has_part(&t->download) ? download_done(&t->download) : 0;

    if (bytes > t->had_bytes)
        t->failures = 0;
    t->had_bytes = bytes;
    return ++t->failures;
}

static int64_t longer(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* Which host a failure concerns: the server whose TLS has failed, or the server or proxy that was
 * connected to. Returns false if the failure concerns no host. */
static bool find_blamed(const struct transfer *t, const char **ret_host, uint16_t *ret_port)
{
    const struct whorl_error *error = &t->outcome.error;
    bool is_tls = strcmp(error->step, "TLS") == 0;

    *ret_host = is_tls ? t->opened : t->dialed;
    *ret_port = is_tls ? t->opened_port : t->dialed_port;
    return retry_is_of_host(error) && **ret_host;
}

/* Whether a retry is of use and allowed, and after which pause. */
static bool consider_retry(struct transfer *t, int err, int64_t *ret_pause_ns)
{
    struct outcome *o = &t->outcome;
    const char *host;
    uint16_t port;

    if (t->in_place || !retry_helps(err == 1 ? 0 : err, o->status, is_local(&o->error)))
        return false;
    const char *why;
    if (!ask_may_repeat(&t->get->ask, o->error.step, &why)) {
        if (o->tries < t->get->retry.attempts_max)
            append(&o->error, " (%s is not retried: %s)", t->get->ask.method, why);
        return false;
    }
    bool refused = err == -ECONNREFUSED && t->refused[0];
    if (refused && schedule_is_host_down(&t->get->schedule, t->refused, t->refused_port))
        return false;
    if (find_blamed(t, &host, &port) && schedule_is_host_down(&t->get->schedule, host, port))
        return false;
    *ret_pause_ns =
        whorl_http_retry_pause(&t->get->retry, count_failure(t), t->asked_ns, next_random(t->get));
    if (*ret_pause_ns >= 0) {
        if (t->is_refused)
            *ret_pause_ns = longer(schedule_silence_ns(t->scheduled), t->asked_ns);
        if (whorl_http_retry_budget_take(&t->get->budget, &t->url))
            return true;
        append(&o->error, " (not retried: too many retries of %s)", t->url.authority);
        return false;
    }
    if (t->asked_ns > t->get->retry.retry_after_max_ns) {
        char time[TEXT_NUMBER_SIZE];
        append(&o->error, " (the server asks to retry after %s)", text_time(time, t->asked_ns));
    }
    if (refused)
        schedule_give_up(&t->get->schedule, t->refused, t->refused_port, o->tries);
    return false;
}

static void blame_host(struct transfer *t, int err)
{
    const char *host;
    uint16_t port;

    if (err < 0 && find_blamed(t, &host, &port))
        schedule_fail(&t->get->schedule, host, port, err,
                      strcmp(t->outcome.error.step, "TLS") == 0);
}

/* Whether to retry, and after which pause. If not, the schedule learns of failures that concern all
 * URLs of a host. */
static bool may_retry(struct transfer *t, int err, int64_t *ret_pause_ns)
{
    if (consider_retry(t, err, ret_pause_ns))
        return true;
    blame_host(t, err);
    return false;
}

/* Chooses another URL of the file after a failure: the mirrors in their order, once each, and then
 * the first URL whose failure may have been temporary. Without a hash, bytes of several URLs are
 * not joined, so with `keeps_part` a part is rather continued than dropped.
 *
 * Returns NULL when there is none. */
static WHORL_SUSPENDS const char *choose_mirror(struct transfer *t, int err, bool keeps_part)
{
    const struct entry *entry = &t->entry;
    const struct outcome *o = &t->outcome;
    bool may_help = retry_helps(err == 1 ? 0 : err, o->status, is_local(&o->error));
    bool has_part = download_has_part(&t->download);

    if (entry->mirrors_count == 0 || t->in_place || !ask_is_plain(&t->get->ask) ||
        is_local(&o->error) || strcmp(o->error.step, "read") == 0)
        return NULL;
    bool is_last = t->mirrors_tried == entry->mirrors_count;
    if (is_last && (may_help || !t->worth_trying))
        return NULL;
    if (has_part && !joins_mirrors(t)) {
        if (keeps_part)
            return NULL;
        download_drop(&t->download, "no hash is known, so a mirror cannot continue it");
    }
    if (may_help && !t->worth_trying)
        t->worth_trying = t->source;
    if (!is_last)
        return entry->mirrors[t->mirrors_tried++];
    const char *source = t->worth_trying;
    t->worth_trying = NULL;
    return source;
}

/* Waits before the next try, and lets another transfer run meanwhile. */
static WHORL_SUSPENDS int pause_between(struct transfer *t, int64_t pause_ns)
{
    struct schedule *schedule = &t->get->schedule;

    events_retry(&t->get->events, &t->followed, &t->outcome, pause_ns, t->asked_ns >= 0);
    schedule_pause(schedule, t->scheduled);
    /* After a refusal, the schedule says when it is this transfer's turn. */
    int err = t->is_refused ? 0 : whorl_sleep(pause_ns);
    int resumed = schedule_resume(schedule, t->scheduled);
    return err ? err : resumed;
}

/* Whether the part was dropped because the bytes of several URLs did not have the expected hash. */
static bool was_mixed(struct transfer *t)
{
    bool was = t->download.is_mixed && !download_has_part(&t->download);

    t->download.is_mixed = false;
    return was;
}

/* Goes on with another URL of the file. */
static WHORL_SUSPENDS int change_source(struct transfer *t, const char *source)
{
    struct schedule *schedule = &t->get->schedule;

    events_retry(&t->get->events, &t->followed, &t->outcome, 0, false);
    schedule_pause(schedule, t->scheduled);
    (void)schedule_move(schedule, t->scheduled, source); /* without memory, it does not matter */
    t->source = t->download.source = source;
    return schedule_resume(schedule, t->scheduled);
}

/* Tries once. If the host is down already, no request is sent: a mirror comes next. */
static WHORL_SUSPENDS int try_unless_down(struct transfer *t)
{
    char cause[SCHEDULE_CAUSE_SIZE];

    if (t->entry.mirrors_count == 0 || !schedule_is_down(t->scheduled))
        return try_once(t);
    int err = schedule_item_down_cause(t->scheduled, cause);
    return whorl_error_set(&t->outcome.error, err, "connect", "%s: not tried, %s",
                           schedule_host_name(t->scheduled), cause);
}

/* Retries until the transfer succeeds or a retry would not help. Returns 0, 1 when the status is
 * the failure, or a negative code. */
static WHORL_SUSPENDS int try_all(struct transfer *t)
{
    for (;;) {
        int64_t pause_ns;
        if (t->outcome.tries++ == 0)
            whorl_http_retry_budget_note(&t->get->budget, &t->url);
        int err = try_unless_down(t);
        if (err == 0 && t->is_elsewhere) { /* the answer is about another file than ours */
            t->existing.etag = NULL;
            t->existing.since[0] = '\0';
            continue;
        }
        if (err == 0 || err == -ECANCELED)
            return err;
        if (err == -EBADMSG && was_mixed(t))
            continue; /* with the bytes of one URL only */
        const char *next = choose_mirror(t, err, true);
        if (!next) {
            if (may_retry(t, err, &pause_ns)) {
                if (pause_between(t, pause_ns) == -ECANCELED)
                    return -ECANCELED;
                continue;
            }
            next = choose_mirror(t, err, false);
        } else {
            blame_host(t, err);
        }
        if (!next)
            return err;
        if (change_source(t, next) == -ECANCELED)
            return -ECANCELED;
    }
}

/* Adds the complete file to the manifest. A file that was not received now is read; if that fails
 * or is cancelled, the file is not listed. Returns 0 or a negative code. */
static WHORL_SUSPENDS int record(struct transfer *t)
{
    const struct verify *verify = &t->verify;
    bool is_hashed = verify->sha256[0];
    struct disk_file file = {.dir_fd = where_to(t), .path = t->path, .size = -1, .mtime_ns = -1};
    struct manifest_line line = {.url = t->scheduled->url,
                                 .final_url = t->final_url,
                                 .file = full_path(t, t->path),
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

/* Fetches the file, sets its time, and adds it to the manifest. */
static WHORL_SUSPENDS int fetch(struct transfer *t)
{
    int err = prepare_download(t);

    if (err == 0)
        err = try_all(t);
    bool is_unmodified = t->is_conditional && t->outcome.status == 304;
    if (err || t->in_place)
        return err;
    if (is_unmodified)
        t->path = wanted_path(t);
    if (!t->path)
        return 0;
    if (!is_unmodified && t->get->options->existing == EXISTING_UPDATE)
        existing_date(where_to(t), t->path, t->modified);
    /* What a manifest says about an unmodified file stays as it is. */
    if (t->verify.notes_sha256 && !(is_unmodified && t->before.json) && record(t) < 0)
        return 0; /* the file is complete all the same */
    return 0;
}

/* Says what became of the file that was there. */
static void note_existing(struct transfer *t)
{
    struct outcome *o = &t->outcome;

    if (t->existing.skips)
        o->existing = "skipped";
    else if (t->is_conditional && o->status == 304)
        o->existing = "not modified";
    else if (t->existing.replaces && t->existing.is_there && t->path)
        o->existing = "replaced";
    if (t->existing.skips)
        t->path = wanted_path(t);
}

/* Makes the file name from the URL. A URL that cannot be parsed ends the transfer here. */
static int name_it(struct transfer *t)
{
    int err = whorl_url_parse(t->scheduled->url, &t->outcome.error, &t->url);

    if (err) {
        explain(t, err, "URL");
        return err;
    }
    err = target_decide(&t->target, t->get->options, &t->url, t->followed.id, t->entry.out);
    if (err)
        explain(t, err, "transfer");
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
        t->outcome.place = full_path(t, t->target.name);
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
        .path = t->path && !to_stdout(t->get->options) ? full_path(t, t->path) : NULL,
        .dir_fd = where_to(t),
        .name = t->path,
        .size = t->outcome.written,
    };

    if (!mirror || !t->outcome.ok || !t->url.text || t->outcome.plan)
        return 0;
    t->is_over = true;
    int err = mirror_ended(mirror, &file);
    if (file.removed)
        target_folders_note(&t->get->folders, &t->target);
    return err;
}

/* Collects what is known about the body. Returns false when it contradicts itself. */
static bool expect_all(struct transfer *t, const char **ret_cause)
{
    const struct options *options = t->get->options;
    const struct entry *entry = &t->entry;
    bool ok = true;

    t->verify.size = entry->size;
    t->verify.size_source = entry->size >= 0 ? "the list" : NULL;
    for (size_t i = 0; i < options->checksums_count; i++) {
        const char *equals = strchr(options->checksums[i], '=');
        enum hash_kind kind;
        if (hash_find(options->checksums[i], (size_t)(equals - options->checksums[i]), &kind))
            ok = ok && verify_expect(&t->verify, kind, equals + 1, "--checksum");
    }
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++)
        if (entry->hashes[kind])
            ok = ok && verify_expect(&t->verify, kind, entry->hashes[kind], "the list");
    *ret_cause = "the expected hashes contradict each other";
    if (!options->checksum_file)
        return ok;
    bool is_known = false;
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++) {
        const char *name = options->output ? options->output : t->target.name;
        const char *hex = checksums_find(&t->get->checksums, name, kind);
        if (hex)
            ok = ok && verify_expect(&t->verify, kind, hex, options->checksum_file);
        is_known |= hex != NULL;
    }
    if (!is_known)
        *ret_cause = "the file of checksums does not have this name";
    return ok && is_known;
}

/* A header of the URL takes the place of those of the same name that all URLs have. */
static int merge_headers(struct transfer *t)
{
    const struct options *options = t->get->options;
    const struct entry *entry = &t->entry;

    t->headers = calloc(options->headers_count + entry->headers_count + EXISTING_HEADERS_MAX,
                        sizeof *t->headers);
    if (!t->headers)
        return whorl_error_set(&t->outcome.error, -ENOMEM, "settings", "out of memory");
    for (size_t i = 0; i < options->headers_count; i++) {
        bool is_replaced = false;
        for (size_t j = 0; j < entry->headers_count; j++)
            is_replaced |= strcasecmp(options->headers[i].name, entry->headers[j].name) == 0;
        if (!is_replaced)
            t->headers[t->headers_count++] = options->headers[i];
    }
    for (size_t j = 0; j < entry->headers_count; j++)
        t->headers[t->headers_count++] = entry->headers[j];
    return 0;
}

/* A link to an origin that the user has not given gets only the headers that hold no secret. */
static void hide_secrets(struct transfer *t)
{
    size_t count = 0;

    if (!t->get->mirror || t->get->options->trust_redirects ||
        mirror_trusts(t->get->mirror, &t->url))
        return;
    t->is_foreign = true;
    for (size_t i = 0; i < t->headers_count; i++)
        if (is_harmless(&t->headers[i]))
            t->headers[count++] = t->headers[i];
    t->headers_count = count;
}

/* Takes the settings of the URL. Settings that are wrong end the transfer here. */
static int take_settings(struct transfer *t)
{
    const struct options *options = t->get->options;
    char why[ENTRY_WHY_SIZE];

    int err = entry_parse(&t->entry, t->scheduled->settings, why);
    const char *out = t->entry.out;
    if (err == 0 && out && options->output) {
        err = -EINVAL;
        strcpy(why, "out cannot be used together with --output");
    } else if (err == 0 && out && !name_is_safe(out)) {
        err = -EINVAL;
        strcpy(why, "out is not the name of a file in the directory");
    }
    if (err)
        return whorl_error_set(&t->outcome.error, err, "settings", "%s", why);
    return merge_headers(t);
}

/* Notes what a run that is not dry would do. */
static int make_plan(struct transfer *t)
{
    const struct options *options = t->get->options;
    const struct verify *verify = &t->verify;
    char size[TEXT_NUMBER_SIZE];
    struct buffer plan = {0};
    struct stat st;

    t->path = to_stdout(options) ? "/dev/stdout"
              : options->output  ? options->output
                                 : t->target.name;
    if (t->existing.skips)
        buffer_printf(&plan, "; it exists, so it will be skipped");
    else if (t->existing.replaces && t->existing.is_there)
        buffer_printf(&plan, "; it exists, and %s will replace it",
                      options->existing == EXISTING_UPDATE ? "a newer one" : "the new one");
    else if (!options->output && !t->existing.replaces &&
             fstatat(where_to(t), wanted_path(t), &st, AT_SYMLINK_NOFOLLOW) == 0)
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

/* Says what the next run can continue. */
static void note_kept(struct transfer *t)
{
    char kept[TEXT_NUMBER_SIZE], length[TEXT_NUMBER_SIZE];
    struct outcome *o = &t->outcome;
    const struct download *d = &t->download;

    o->kept = download_has_part(d) ? download_done(d) : 0;
    if (o->kept > 0)
        leftovers_note(&t->get->leftovers, part_name(t));
    if (o->kept > 0 && o->error.code != -ECANCELED)
        append(&o->error, " (kept %s of %s; run again to continue)", text_size(kept, o->kept),
               text_size(length, download_length(d)));
}

static void settle(struct transfer *t, int err)
{
    const struct options *options = t->get->options;
    struct outcome *o = &t->outcome;

    o->ok = err == 0;
    o->interrupted = err == -ECANCELED;
    if (err)
        note_kept(t);
    if (err == -ECANCELED) {
        whorl_error_set(&o->error, err, "transfer", "interrupted");
        o->place = NULL; /* the same text whether it was receiving or writing */
    }
    if (err && !t->in_place)
        o->written = 0; /* the file was removed */
    if (err == 0 && !o->plan)
        note_existing(t);
    if (err == 0 && t->path) {
        o->dir = options->dir;
        o->file = to_stdout(options) ? "-" : full_path(t, t->path);
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

    int err = take_settings(&t);
    if (err == 0)
        err = name_it(&t);
    if (err == 0)
        hide_secrets(&t);
    const char *cause;
    if (err == 0 && !expect_all(&t, &cause))
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
            err = prepare_existing(&t);
        if (err == 0)
            err = get->options->dry_run ? make_plan(&t) : t.existing.skips ? 0 : fetch(&t);
    }
    t.outcome.duration_ns = whorl_now() - start_ns;
    settle(&t, err);
    events_end(&get->events, t.followed.link ? &t.followed : NULL, t.followed.id, &t.outcome);
    download_finish(&t.download);
    int followed = follow_links(&t);
    if (!t.outcome.file && t.outcome.kept == 0)
        target_folders_note(&get->folders, &t.target);
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
