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

#include "tools/get/crew.h"
#include "tools/get/text.h"
#include "tools/get/validator.h"

enum { SEE_BYTES = 256 << 10 };

static const int64_t keep_ns = 5 * WHORL_SECOND; /* for the last line after a cancel */

/* The state of the hashes for the journal; `arg` is the download. */
static int64_t save_seen(void *arg, struct buffer *ret)
{
    struct download *d = arg;

    if (!d->see || !d->save || d->seen == 0)
        return 0;
    d->save(d->arg, ret);
    return ret->len > 0 ? d->seen : 0;
}

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
    int err = part_init(&download->part, dir_fd, path, download->url);
    if (err == 0) {
        download->part.save = save_seen;
        download->part.save_arg = download;
    }
    return err;
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
static WHORL_SUSPENDS_SHIELDED int give_up(struct download *d)
{
    d->resumed_from = 0;
    d->origin = NULL;
    part_remove(&d->part);
    return DOWNLOAD_AFRESH;
}

WHORL_SUSPENDS_SHIELDED void download_drop(struct download *d, const char *why)
{
    set_afresh(d, "%s", why);
    give_up(d);
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

/* Passes on what piece_see() has not got, once the part is complete. */
static WHORL_SUSPENDS int see_rest(struct download *d)
{
    char *buf = d->see && d->seen < d->part.journal.length ? malloc(SEE_BYTES) : NULL;
    int err = 0;

    while (buf && err == 0 && d->seen < d->part.journal.length) {
        int64_t left = d->part.journal.length - d->seen;
        size_t n = left < SEE_BYTES ? (size_t)left : SEE_BYTES;
        err = whorl_pread_exact(d->part.fd, buf, n, d->seen);
        if (err == 0) {
            d->reread += (int64_t)n;
            piece_see(d, d->seen, buf, n);
        }
    }
    free(buf);
    if (err == 0 && d->see && d->seen < d->part.journal.length)
        err = -ENOMEM;
    return err ? whorl_error_set(d->error, err, "read", "%s", whorl_strerror(err)) : 0;
}

WHORL_SUSPENDS int download_see_again(struct download *d)
{
    d->seen = 0;
    return see_rest(d);
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
    return err || recorded == 0
               ? err
               : whorl_error_set(d->error, recorded, "write", "%s", whorl_strerror(recorded));
}

WHORL_SUSPENDS int download_resume(struct download *d, struct whorl_http_response **ret)
{
    *ret = NULL;
    d->noted = false;
    if (!d->origin)
        d->origin = d->source;
    bool is_of_mirror = strcmp(d->origin, d->source) != 0;
    int err = keep(d, crew_run(d, NULL, ret));
    if (err == DOWNLOAD_AFRESH && is_of_mirror && !d->is_corrupt) {
        whorl_http_response_close(*ret);
        *ret = NULL;
        whorl_error_set(d->error, -EBADMSG, "body", "cannot continue the file: %s", d->afresh);
        d->afresh[0] = '\0';
        return -EBADMSG;
    }
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
    if (status != 206 || range.start != piece->claim.at || range.end != piece->claim.end)
        return 0;
    while (err == 0 && n > 0 && piece->claim.at < piece->claim.end) {
        n = whorl_http_response_read_part(response, &bytes);
        d->received += n > 0 ? n : 0;
        if (n > piece->claim.end - piece->claim.at)
            return 0;
        err = n > 0 ? piece_compare(piece, fd, bytes, (size_t)n) : (int)n;
    }
    return err < 0 ? err : err == 0 && piece->claim.at == piece->claim.end;
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
    struct piece piece = {
        .download = d, .error = d->error, .claim = {.at = st.st_size - overlap, .end = st.st_size}};
    /* An empty file is asked for its first byte, so that the server says that there is none. */
    snprintf(value, sizeof value, "bytes=%" PRId64 "-%" PRId64, piece.claim.at,
             st.st_size > 0 ? piece.claim.end - 1 : 0);
    int err = d->ask(d->arg, d->source, &range, 1, false, d->error, &response);
    if (err)
        return err;
    int same = compare_all(&piece, fd, response, st.st_size);
    if (same == 1) {
        d->resumed_from = st.st_size;
        d->note(d->arg, response);
    } else if (same < 0) {
        *d->error = *whorl_http_response_error(response);
    }
    return same;
}

/* The first response */

bool download_is_worth(const struct whorl_http_response *response)
{
    const char *why;

    if (whorl_http_response_status(response) != 200 ||
        whorl_http_response_length(response) < DOWNLOAD_LENGTH_MIN)
        return false;
    const char *accepts = whorl_http_response_header(response, "accept-ranges");
    const char *coding = whorl_http_response_header(response, "content-encoding");
    struct validator validator = piece_validator(response);
    if (accepts && strcasecmp(accepts, "none") == 0)
        return false;
    /* The same date does not say that the coding is the same; the same strong ETag does. */
    if (coding && strcasecmp(coding, "identity") != 0 && !validator.etag)
        return false;
    return validator_choose(&validator, whorl_http_response_header(response, "date"), &why) != NULL;
}

WHORL_SUSPENDS int download_start(struct download *d, struct whorl_http_response **response)
{
    struct validator validator = piece_validator(*response);
    int64_t length = whorl_http_response_length(*response);
    const char *final_url = whorl_http_response_url(*response)->text;

    struct whorl_http_response *first = *response;

    int err = part_begin(&d->part, d->url, final_url, validator.etag, validator.modified, length);
    if (err)
        return err;
    *response = NULL;
    d->noted = true; /* the caller knows the response */
    d->seen = 0;
    d->origin = d->source;
    d->is_mixed = d->is_corrupt = false;
    err = keep(d, crew_run(d, first, NULL));
    if (err == DOWNLOAD_AFRESH) {
        d->no_ranges = true;
        return give_up(d);
    }
    return err ? err : see_rest(d);
}

WHORL_SUSPENDS int download_take(struct download *d, const char *path, bool replace)
{
    return part_take(&d->part, path, replace);
}
