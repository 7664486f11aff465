/* SPDX-License-Identifier: MIT */
/* Large files that can be continued, see download.h. */
#include "tools/get/download.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <whorl/fd.h>
#include <whorl/file.h>
#include <whorl/scope.h>
#include <whorl/url.h>

#include "tools/get/text.h"
#include "tools/get/validator.h"

enum { SEE_BYTES = 256 << 10 };

static const int64_t keep_ns = 5 * WHORL_SECOND; /* for the last line after a cancel */

/* A part of the file that one connection fetches. */
struct piece {
    struct download *download;
    int64_t at;   /* the next byte to receive; bytes before `join` are only compared */
    int64_t join; /* the first byte to write */
    int64_t end;
};

int download_init(struct download *download, int dir_fd, const char *path)
{
    const char *source = download->source;
    size_t start = 0, end = 0;

    if (text_find_userinfo(source, &start, &end))
        end++; /* the '@' */
    if (asprintf(&download->url, "%.*s%s", (int)start, source, source + end) < 0) {
        download->url = NULL;
        return -ENOMEM;
    }
    return part_init(&download->part, dir_fd, path, download->url);
}

void download_finish(struct download *download)
{
    part_finish(&download->part);
    free(download->url);
    download->url = NULL;
}

bool download_has_part(const struct download *download)
{
    return part_is_open(&download->part);
}

int64_t download_done(const struct download *download)
{
    return ranges_sum(&download->part.journal.done);
}

int64_t download_length(const struct download *download)
{
    return download->part.journal.length;
}

/* Starting afresh */

__attribute__((format(printf, 2, 3))) static void set_afresh(struct download *d, const char *format,
                                                             ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(d->afresh, sizeof d->afresh, format, args);
    va_end(args);
}

/* Gives the part up. Returns DOWNLOAD_AFRESH. */
static WHORL_SUSPENDS int give_up(struct download *d)
{
    d->resumed_from = 0;
    part_remove(&d->part);
    return DOWNLOAD_AFRESH;
}

WHORL_SUSPENDS bool download_find(struct download *d)
{
    const char *why = "";
    int found = part_find(&d->part, &why);

    if (found == 1 && strcmp(d->part.journal.url, d->url) == 0) {
        d->resumed_from = ranges_sum(&d->part.journal.done);
        return true;
    }
    if (found == 1) {
        part_finish(&d->part);
        return false;
    }
    if (found == -EBADMSG)
        set_afresh(d, "%s", why);
    return false;
}

/* Receiving */

static int fail_write(struct download *d, int err)
{
    return whorl_error_set(d->error, err, "write", "%s", whorl_strerror(err));
}

static struct validator validator_of(const struct whorl_http_response *response)
{
    return (struct validator){whorl_http_response_header(response, "etag"),
                              whorl_http_response_header(response, "last-modified")};
}

/* Compares bytes with those in the file `fd`. Returns 0, or DOWNLOAD_AFRESH when they differ. */
static WHORL_SUSPENDS int compare(struct piece *piece, int fd, const char *bytes, size_t len)
{
    struct download *d = piece->download;
    char there[DOWNLOAD_OVERLAP / 16];

    while (len > 0) {
        size_t n = len < sizeof there ? len : sizeof there;
        int err = whorl_pread_exact(fd, there, n, piece->at);
        if (err)
            return fail_write(d, err);
        if (memcmp(there, bytes, n) != 0) {
            set_afresh(d, "its bytes differ from those on the server");
            return DOWNLOAD_AFRESH;
        }
        d->wasted += (int64_t)n;
        piece->at += (int64_t)n;
        bytes += n;
        len -= n;
    }
    return 0;
}

/* Passes bytes on that are the next ones of the file. */
static void see(struct download *d, int64_t start, const char *bytes, size_t len)
{
    if (!d->see || start != d->seen)
        return;
    d->see(d->arg, bytes, len);
    d->seen += (int64_t)len;
}

/* Passes on what see() has not got, once the part is complete. */
static WHORL_SUSPENDS int see_rest(struct download *d)
{
    char *buf = d->see && d->seen < d->part.journal.length ? malloc(SEE_BYTES) : NULL;
    int err = 0;

    while (buf && err == 0 && d->seen < d->part.journal.length) {
        int64_t left = d->part.journal.length - d->seen;
        size_t n = left < SEE_BYTES ? (size_t)left : SEE_BYTES;
        err = whorl_pread_exact(d->part.fd, buf, n, d->seen);
        if (err == 0)
            see(d, d->seen, buf, n);
    }
    free(buf);
    if (err == 0 && d->see && d->seen < d->part.journal.length)
        err = -ENOMEM;
    return err ? whorl_error_set(d->error, err, "read", "%s", whorl_strerror(err)) : 0;
}

/* Writes bytes to the part. */
static WHORL_SUSPENDS int write_bytes(struct piece *piece, const char *bytes, size_t len)
{
    struct download *d = piece->download;
    int64_t start = piece->at;

    if (len == 0)
        return 0;
    int err = whorl_pwrite_all(d->part.fd, bytes, len, start);
    if (err == 0)
        err = part_note(&d->part, start, start + (int64_t)len);
    if (err == 0) {
        piece->at = start + (int64_t)len;
        see(d, start, bytes, len);
        d->progress(d->arg, download_done(d));
        err = part_record(&d->part, false);
    }
    return err ? fail_write(d, err) : 0;
}

/* Takes the next bytes of the response. What is behind the end of the piece is dropped. */
static WHORL_SUSPENDS int take_bytes(struct piece *piece, const char *bytes, size_t len)
{
    struct download *d = piece->download;
    int err = 0;

    d->received += (int64_t)len;
    if (piece->at < piece->join) {
        int64_t left = piece->join - piece->at;
        size_t n = (int64_t)len < left ? len : (size_t)left;
        err = compare(piece, piece->download->part.fd, bytes, n);
        bytes += n;
        len -= n;
    }
    if (err)
        return err;
    int64_t room = piece->end - piece->at;
    size_t n = (int64_t)len < room ? len : (size_t)room;
    d->wasted += (int64_t)(len - n);
    return write_bytes(piece, bytes, n);
}

/* Receives a piece. Returns 0; DOWNLOAD_AFRESH; or a negative code, and `error` is filled. */
static WHORL_SUSPENDS int receive(struct piece *piece, struct whorl_http_response *response)
{
    struct download *d = piece->download;
    const char *bytes;
    ssize_t n = 1;
    int err = 0;

    while (err == 0 && n > 0 && piece->at < piece->end) {
        n = whorl_http_response_read_part(response, &bytes);
        if (n > 0)
            err = take_bytes(piece, bytes, (size_t)n);
    }
    if (n < 0) {
        err = (int)n;
        *d->error = *whorl_http_response_error(response);
        if (d->error->code != err)
            whorl_error_set(d->error, err, "body", "%s", whorl_strerror(err));
    } else if (err == 0 && piece->at < piece->end) {
        err = whorl_error_set(d->error, WHORL_EHTTP_TRUNCATED, "body", "%s",
                              whorl_strerror(WHORL_EHTTP_TRUNCATED));
    }
    return err;
}

/* Writes the line for the last bytes, also after a cancel. */
static WHORL_SUSPENDS_SHIELDED int keep(struct download *d, int err)
{
    struct whorl_scope shield;

    if (!download_has_part(d))
        return err;
    whorl_scope_enter_shield(&shield, whorl_after(keep_ns));
    int recorded = part_record(&d->part, true);
    whorl_scope_leave(&shield, 0);
    return err || recorded == 0 ? err : fail_write(d, recorded);
}

/* Asking for a range */

/* Whether the 206 response carries exactly the bytes that were asked for, of the same file. */
static bool is_continuation(struct download *d, const struct whorl_http_response *response,
                            const struct piece *piece)
{
    const struct journal *journal = &d->part.journal;
    const char *value = whorl_http_response_header(response, "content-range");
    const char *type = whorl_http_response_header(response, "content-type");
    struct validator before = {journal->etag, journal->modified}, now = validator_of(response);
    int64_t len = whorl_http_response_length(response);
    struct content_range range;

    /* RFC 9110 §15.3.7.2: only a request for several ranges may be answered in this way. */
    if (type && strncasecmp(type, "multipart/byteranges", 20) == 0)
        set_afresh(d, "the server sends several ranges instead of one");
    else if (!content_range_read(value, &range))
        set_afresh(d, "the server does not say which bytes it sends");
    else if (range.length != journal->length)
        set_afresh(d, "the file on the server has another length now");
    else if (!validator_is_same(&before, &now))
        set_afresh(d, "the file on the server has changed");
    else if (range.start != piece->at || range.end != piece->end ||
             (len >= 0 && len != range.end - range.start))
        set_afresh(d, "the server sends other bytes than it was asked for");
    else
        return true;
    return false;
}

/* Whether a 416 response says that there is nothing behind a complete part. */
static bool is_complete(struct download *d, const struct whorl_http_response *response)
{
    const char *value = whorl_http_response_header(response, "content-range");
    struct content_range range;

    if (part_is_complete(&d->part) && content_range_read(value, &range) && range.end == 0 &&
        range.length == d->part.journal.length)
        return true;
    set_afresh(d, "the file on the server does not have the missing bytes");
    return false;
}

/* Decides what a response means. Returns 0: it continues the part; or a verdict. With the file
 * complete and nothing to receive, the piece becomes empty. */
static int judge(struct download *d, const struct whorl_http_response *response,
                 struct piece *piece)
{
    const struct journal *journal = &d->part.journal;
    struct validator before = {journal->etag, journal->modified}, now = validator_of(response);
    int status = whorl_http_response_status(response);

    if (status == 206)
        return is_continuation(d, response, piece) ? 0 : DOWNLOAD_AFRESH;
    if (status == 200) {
        bool is_same = validator_is_same(&before, &now) &&
                       whorl_http_response_length(response) == journal->length;
        set_afresh(d, is_same ? "the server does not send ranges"
                              : "the file on the server has changed");
        d->no_ranges |= is_same;
        return DOWNLOAD_AFRESH;
    }
    if (status != 416)
        return DOWNLOAD_STATUS;
    if (!is_complete(d, response))
        return DOWNLOAD_AFRESH;
    piece->at = piece->join = piece->end;
    return 0;
}

/* Asks for a piece. The validator was strong when the part was begun, so it may be in If-Range. */
static WHORL_SUSPENDS int ask(struct download *d, const char *url, const struct piece *piece,
                              struct whorl_http_response **ret)
{
    const struct journal *journal = &d->part.journal;
    char range[64];
    const struct whorl_http_header extra[] = {
        {"Range", range},
        {"If-Range", journal->etag ? journal->etag : journal->modified},
    };

    snprintf(range, sizeof range, "bytes=%" PRId64 "-%" PRId64, piece->at, piece->end - 1);
    return d->ask(d->arg, url, extra, 2, d->error, ret);
}

static void note(struct download *d, struct whorl_http_response *response)
{
    if (!d->noted)
        d->note(d->arg, response);
    d->noted = true;
}

/* Fetches a run of missing bytes. On DOWNLOAD_STATUS and DOWNLOAD_AFRESH, `*ret` may be set. */
static WHORL_SUSPENDS int fetch_gap(struct download *d, struct range gap,
                                    struct whorl_http_response **ret)
{
    int64_t before = ranges_before(&d->part.journal.done, gap.start);
    int64_t overlap = before < DOWNLOAD_OVERLAP ? before : DOWNLOAD_OVERLAP;
    struct piece piece = {
        .download = d, .at = gap.start - overlap, .join = gap.start, .end = gap.end};
    struct whorl_http_response *response;

    int err = ask(d, d->source, &piece, &response);
    if (err)
        return err;
    err = judge(d, response, &piece);
    bool is_for_caller = err == DOWNLOAD_STATUS ||
                         (err == DOWNLOAD_AFRESH && whorl_http_response_status(response) == 200);
    if (is_for_caller) {
        *ret = response;
        return err;
    }
    if (err == 0) {
        note(d, response);
        err = receive(&piece, response);
    }
    whorl_http_response_close(response);
    return err;
}

WHORL_SUSPENDS int download_resume(struct download *d, struct whorl_http_response **ret)
{
    int64_t length = d->part.journal.length;
    struct range gap;
    int err = 0;

    *ret = NULL;
    d->noted = false;
    /* All bytes may be there already, when the file was complete but did not get its name. Then
     * only the last ones are compared. */
    if (part_is_complete(&d->part))
        err = fetch_gap(d, (struct range){length, length}, ret);
    while (err == 0 && ranges_first_gap(&d->part.journal.done, length, &gap))
        err = fetch_gap(d, gap, ret);
    err = keep(d, err);
    if (err == DOWNLOAD_AFRESH)
        return give_up(d);
    return err ? err : see_rest(d);
}

/* A file that is there already */

/* Whether the response says that the file has this length, and its bytes are those of the piece. */
static WHORL_SUSPENDS int compare_all(struct piece *piece, int fd,
                                      struct whorl_http_response *response, int64_t size)
{
    struct download *d = piece->download;
    int status = whorl_http_response_status(response);
    struct content_range range;
    const char *bytes;
    ssize_t n = 1;
    int err = 0;

    if (!content_range_read(whorl_http_response_header(response, "content-range"), &range) ||
        range.length != size)
        return 0;
    if (status == 416)
        return range.end == 0;
    if (status != 206 || range.start != piece->at || range.end != piece->end)
        return 0;
    while (err == 0 && n > 0 && piece->at < piece->end) {
        n = whorl_http_response_read_part(response, &bytes);
        d->received += n > 0 ? n : 0;
        if (n > piece->end - piece->at)
            return 0;
        err = n > 0 ? compare(piece, fd, bytes, (size_t)n) : (int)n;
    }
    return err < 0 ? err : err == 0 && piece->at == piece->end;
}

WHORL_SUSPENDS int download_is_there(struct download *d, int dir_fd, const char *path)
{
    WHORL_AUTO(fd)
    file = whorl_fd_own(whorl_openat(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0));
    WHORL_AUTO(http_response) *response = NULL;
    int fd = whorl_fd_get(&file);
    char value[64];
    const struct whorl_http_header range = {"Range", value};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fd == -ECANCELED ? fd : 0;
    int64_t overlap = st.st_size < DOWNLOAD_OVERLAP ? st.st_size : DOWNLOAD_OVERLAP;
    struct piece piece = {.download = d, .at = st.st_size - overlap, .end = st.st_size};
    /* An empty file is asked for its first byte, so that the server says that there is none. */
    snprintf(value, sizeof value, "bytes=%" PRId64 "-%" PRId64, piece.at,
             st.st_size > 0 ? piece.end - 1 : 0);
    int err = d->ask(d->arg, d->source, &range, 1, d->error, &response);
    if (err)
        return err;
    bool was_afresh = d->afresh[0];
    int same = compare_all(&piece, fd, response, st.st_size);
    if (!was_afresh)
        d->afresh[0] = '\0'; /* there was no part, so this is no news */
    if (same == 1) {
        d->resumed_from = st.st_size;
        d->noted = false;
        note(d, response);
    } else if (same < 0) {
        *d->error = *whorl_http_response_error(response);
    }
    return same;
}

/* The first response */

bool download_is_worth(const struct whorl_http_response *response)
{
    const char *accepts = whorl_http_response_header(response, "accept-ranges");
    const char *coding = whorl_http_response_header(response, "content-encoding");
    struct validator validator = validator_of(response);
    const char *why;

    if (whorl_http_response_status(response) != 200 ||
        whorl_http_response_length(response) < DOWNLOAD_LENGTH_MIN)
        return false;
    if (accepts && strcasecmp(accepts, "none") == 0)
        return false;
    /* The same date does not say that the coding is the same; the same strong ETag does. */
    if (coding && strcasecmp(coding, "identity") != 0 && !validator.etag)
        return false;
    return validator_choose(&validator, whorl_http_response_header(response, "date"), &why) != NULL;
}

WHORL_SUSPENDS int download_start(struct download *d, struct whorl_http_response *response,
                                  bool *ret_begun)
{
    struct validator validator = validator_of(response);
    int64_t length = whorl_http_response_length(response);
    const char *final_url = whorl_http_response_url(response)->text;

    *ret_begun = false;
    int err = part_begin(&d->part, d->url, final_url, validator.etag, validator.modified, length);
    if (err)
        return err;
    *ret_begun = true;
    d->seen = 0;
    struct piece piece = {.download = d, .end = length};
    err = keep(d, receive(&piece, response));
    return err ? err : see_rest(d);
}

WHORL_SUSPENDS int download_take(struct download *d, const char *path, bool replace)
{
    return part_take(&d->part, path, replace);
}
