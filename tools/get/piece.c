/* SPDX-License-Identifier: MIT */
/* One connection of a download, see piece.h. */
#include "tools/get/piece.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <whorl/fd.h>
#include <whorl/task.h>

/* Bytes that another connection has fetched in between are received again if they are fewer:
 * another request would take longer. */
enum { SKIP_MAX = 1 << 20 };

/* At most this part of a file is held outside it, because a kill loses what is held. */
enum { HELD_SHARE = 64 };

__attribute__((format(printf, 2, 3))) static int set_why(struct piece *piece, const char *format,
                                                         ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(piece->why, sizeof piece->why, format, args);
    va_end(args);
    return DOWNLOAD_AFRESH;
}

static int fail_write(struct piece *piece, int err)
{
    return whorl_error_set(piece->error, err, "write", "%s", whorl_strerror(err));
}

bool piece_is_of_mirror(const struct piece *piece)
{
    const struct download *d = piece->download;

    return d->origin && strcmp(piece->source, d->origin) != 0;
}

struct validator piece_validator(const struct whorl_http_response *response)
{
    return (struct validator){whorl_http_response_header(response, "etag"),
                              whorl_http_response_header(response, "last-modified")};
}

/* Receiving */

WHORL_SUSPENDS int piece_compare(struct piece *piece, int fd, const char *bytes, size_t len)
{
    struct download *d = piece->download;
    char there[DOWNLOAD_OVERLAP / 16];

    while (len > 0) {
        size_t n = len < sizeof there ? len : sizeof there;
        int err = whorl_pread_exact(fd, there, n, piece->claim.at);
        if (err)
            return whorl_error_set(piece->error, err, "read", "%s", whorl_strerror(err));
        if (memcmp(there, bytes, n) != 0) {
            piece->is_corrupt = true;
            return set_why(piece, "its bytes differ from those on the server");
        }
        d->wasted += (int64_t)n;
        piece->claim.at += (int64_t)n;
        bytes += n;
        len -= n;
    }
    return 0;
}

void piece_see(struct download *d, int64_t start, const char *bytes, size_t len)
{
    if (!d->see || start != d->seen)
        return;
    d->see(d->arg, bytes, len);
    d->seen += (int64_t)len;
}

/* Between these two calls the piece waits for the server. The second one returns `err`. */

static void begin_wait(struct piece *piece)
{
    whorl_scope_enter(&piece->wait, WHORL_FOREVER);
    piece->is_waiting = true;
}

static int end_wait(struct piece *piece, int err)
{
    piece->is_waiting = false;
    return whorl_scope_leave(&piece->wait, err);
}

void piece_stop_waiting(struct piece *piece)
{
    if (piece->is_waiting)
        whorl_scope_cancel(&piece->wait);
}

/* Writes bytes to the part. Meanwhile another connection may take what follows them. `bytes` NULL:
 * the response holds them. */
static WHORL_SUSPENDS int write_bytes(struct piece *piece, struct whorl_http_response *response,
                                      const char *bytes, size_t len)
{
    struct download *d = piece->download;
    int64_t start = piece->claim.at;

    piece->claim.kept = start + (int64_t)len;
    int err = bytes ? whorl_pwrite_all(d->part.fd, bytes, len, start)
                    : whorl_http_response_write_held(response, d->part.fd, start, len);
    if (err == 0)
        err = part_note(&d->part, start, start + (int64_t)len);
    if (err == 0) {
        d->is_mixed |= piece_is_of_mirror(piece);
        piece->claim.at = start + (int64_t)len;
        if (bytes)
            piece_see(d, start, bytes, len);
        d->progress(d->arg, ranges_sum(&d->part.journal.done));
        err = part_record(&d->part, false);
    }
    return err ? fail_write(piece, err) : 0;
}

/* Claims what follows the claim, if the response has it. */
static bool extend(struct piece *piece)
{
    struct download *d = piece->download;
    const struct ranges *done = &d->part.journal.done;
    int64_t end = piece->claim.end, last = piece->response_end;
    int64_t next = end < last ? ranges_until(done, end) : last;

    if (next >= last || next - end > SKIP_MAX)
        return false;
    int64_t until = claims_free_until(&d->claims, done, next, last);
    if (until == next)
        return false;
    piece->join = piece->claim.kept = next;
    piece->claim.end = until;
    return true;
}

/* Takes the next bytes of the response. What is behind the end of the claim is dropped. */
static WHORL_SUSPENDS int take_bytes(struct piece *piece, struct whorl_http_response *response,
                                     const char *bytes, size_t len)
{
    struct download *d = piece->download;
    struct claim *claim = &piece->claim;
    int err = 0;

    d->received += (int64_t)len;
    speed_add(&claim->speed, whorl_now(), (int64_t)len);
    while (err == 0 && len > 0 && (claim->at < claim->end || extend(piece))) {
        bool compares = claim->at < piece->join;
        int64_t room = (compares ? piece->join : claim->end) - claim->at;
        size_t n = (int64_t)len < room ? len : (size_t)room;
        err = compares ? piece_compare(piece, d->part.fd, bytes, n)
                       : write_bytes(piece, response, bytes, n);
        bytes += n;
        len -= n;
    }
    d->wasted += (int64_t)len;
    return err;
}

/* Takes the next bytes, which the response holds. While they were received, another connection may
 * have taken the end of the claim, or all of it. */
static WHORL_SUSPENDS int take_held(struct piece *piece, struct whorl_http_response *response,
                                    size_t len)
{
    struct download *d = piece->download;
    struct claim *claim = &piece->claim;
    int64_t room = claim->end > claim->at ? claim->end - claim->at : 0;
    size_t n = (int64_t)len < room ? len : (size_t)room;

    d->received += (int64_t)len;
    speed_add(&claim->speed, whorl_now(), (int64_t)len);
    if (n < len) {
        d->wasted += (int64_t)(len - n);
        piece->response_end = claim->end; /* the rest of the bytes is lost, so do not continue */
    }
    return n > 0 ? write_bytes(piece, response, NULL, n) : 0;
}

/* Receives the next bytes, and keeps them out of the memory of this process when no code needs to
 * see them. Sets `*ret` to NULL then. Returns as whorl_http_response_read_part(). */
static WHORL_SUSPENDS ssize_t next_bytes(const struct piece *piece,
                                         struct whorl_http_response *response, const char **ret)
{
    const struct claim *claim = &piece->claim;
    int64_t most = piece->download->part.journal.length / HELD_SHARE;
    ssize_t n = -EOPNOTSUPP;

    *ret = NULL;
    if (claim->end - claim->at < most)
        most = claim->end - claim->at;
    if (!piece->download->see && claim->at >= piece->join && most > 0)
        n = whorl_http_response_hold(response, (size_t)most);
    return n == -EOPNOTSUPP ? whorl_http_response_read_part(response, ret) : n;
}

WHORL_SUSPENDS int piece_receive(struct piece *piece, struct whorl_http_response *response)
{
    struct claim *claim = &piece->claim;
    const char *bytes;
    ssize_t n = 1;
    int err = 0;

    speed_answer(&claim->speed, whorl_now());
    while (err == 0 && n > 0 && !claim->is_lost && (claim->at < claim->end || extend(piece))) {
        begin_wait(piece);
        n = next_bytes(piece, response, &bytes);
        end_wait(piece, 0);
        if (n > 0)
            err = bytes ? take_bytes(piece, response, bytes, (size_t)n)
                        : take_held(piece, response, (size_t)n);
    }
    if (claim->is_lost) {
        speed_lose(&claim->speed, whorl_now());
        return n == -ECANCELED ? 0 : err;
    }
    speed_end(&claim->speed, whorl_now());
    if (n < 0) {
        err = (int)n;
        *piece->error = *whorl_http_response_error(response);
        if (piece->error->code != err)
            whorl_error_set(piece->error, err, "body", "%s", whorl_strerror(err));
    } else if (err == 0 && claim->at < claim->end) {
        err = whorl_error_set(piece->error, WHORL_EHTTP_TRUNCATED, "body", "%s",
                              whorl_strerror(WHORL_EHTTP_TRUNCATED));
    }
    return err;
}

/* Asking */

/* Whether the 206 response carries exactly the bytes that were asked for, of the same file. Returns
 * 0 or DOWNLOAD_AFRESH. */
static int judge_part(struct piece *piece, const struct whorl_http_response *response,
                      struct range asked)
{
    const struct journal *journal = &piece->download->part.journal;
    const char *value = whorl_http_response_header(response, "content-range");
    const char *type = whorl_http_response_header(response, "content-type");
    struct validator before = {journal->etag, journal->modified}, now = piece_validator(response);
    int64_t len = whorl_http_response_length(response);
    struct content_range range;

    /* RFC 9110 §15.3.7.2: only a request for several ranges may be answered in this way. */
    if (type && strncasecmp(type, "multipart/byteranges", 20) == 0)
        return set_why(piece, "the server sends several ranges instead of one");
    if (!content_range_read(value, &range))
        return set_why(piece, "the server does not say which bytes it sends");
    if (range.length != journal->length)
        return set_why(piece, "the file on the server has another length now");
    /* A coded body has other positions. A mirror has other validators: the hash decides. */
    const char *coding = whorl_http_response_header(response, "content-encoding");
    if (piece_is_of_mirror(piece) && coding && strcasecmp(coding, "identity") != 0)
        return set_why(piece, "the server sends a coded body");
    if (!piece_is_of_mirror(piece) && !validator_is_same(&before, &now))
        return set_why(piece, "the file on the server has changed");
    if (range.start != asked.start || range.end != asked.end ||
        (len >= 0 && len != range.end - range.start))
        return set_why(piece, "the server sends other bytes than it was asked for");
    return 0;
}

/* A 416 response says that there are no such bytes. That is right behind a complete part, and then
 * nothing is left to receive. */
static int judge_unsatisfied(struct piece *piece, const struct whorl_http_response *response)
{
    const struct part *part = &piece->download->part;
    const char *value = whorl_http_response_header(response, "content-range");
    struct content_range range;

    if (!part_is_complete(part) || !content_range_read(value, &range) || range.end != 0 ||
        range.length != part->journal.length)
        return set_why(piece, "the file on the server does not have the missing bytes");
    piece->claim.at = piece->join = piece->claim.end;
    return 0;
}

/* Decides what a response means. Returns 0: it has the bytes; or a verdict. */
static int judge(struct piece *piece, const struct whorl_http_response *response,
                 struct range asked)
{
    struct download *d = piece->download;
    struct validator before = {d->part.journal.etag, d->part.journal.modified};
    struct validator now = piece_validator(response);

    switch (whorl_http_response_status(response)) {
    case 206:
        return judge_part(piece, response, asked);
    case 416:
        return judge_unsatisfied(piece, response);
    case 200:
        if (piece_is_of_mirror(piece))
            return set_why(piece, "the server does not send ranges");
        if (!validator_is_same(&before, &now) ||
            whorl_http_response_length(response) != d->part.journal.length)
            return set_why(piece, "the file on the server has changed");
        d->no_ranges = true;
        return set_why(piece, "the server does not send ranges");
    default:
        return DOWNLOAD_STATUS;
    }
}

/* Asks for bytes. The validator was strong when the part was begun, so it may be in If-Range. */
static WHORL_SUSPENDS int ask(struct piece *piece, struct range bytes,
                              struct whorl_http_response **ret)
{
    const struct journal *journal = &piece->download->part.journal;
    char range[64];
    const struct whorl_http_header extra[] = {
        {"Range", range},
        {"If-Range", journal->etag ? journal->etag : journal->modified},
    };

    snprintf(range, sizeof range, "bytes=%" PRId64 "-%" PRId64, bytes.start, bytes.end - 1);
    /* An entity tag is of one URL only (RFC 9110 §8.8.3). */
    size_t count = piece_is_of_mirror(piece) ? 1 : 2;
    const struct download *d = piece->download;
    speed_ask(&piece->claim.speed, whorl_now());
    begin_wait(piece);
    int err = d->ask(d->arg, piece->source, extra, count, piece->own_connection, piece->error, ret);
    return end_wait(piece, err);
}

void piece_claim_end(struct piece *piece)
{
    int64_t length = piece->download->part.journal.length;

    piece->claim = (struct claim){.at = length, .end = length};
}

/* Some bytes before the claim are asked for as well, to compare them. */
static void add_overlap(struct piece *piece)
{
    int64_t before = ranges_before(&piece->download->part.journal.done, piece->claim.at);

    piece->join = piece->claim.kept = piece->claim.at;
    piece->claim.at -= before < DOWNLOAD_OVERLAP ? before : DOWNLOAD_OVERLAP;
}

WHORL_SUSPENDS int piece_fetch(struct piece *piece, struct whorl_http_response **ret)
{
    struct download *d = piece->download;
    struct whorl_http_response *response;

    add_overlap(piece);
    const struct range asked = {piece->claim.at, piece->claim.end};
    int err = ask(piece, asked, &response);
    if (err && piece->claim.is_lost)
        speed_lose(&piece->claim.speed, whorl_now());
    else if (err)
        speed_end(&piece->claim.speed, whorl_now());
    if (err)
        return piece->claim.is_lost && err == -ECANCELED ? 0 : err;
    piece->response_end = asked.end;
    err = judge(piece, response, asked);
    if (err == DOWNLOAD_STATUS ||
        (err == DOWNLOAD_AFRESH && whorl_http_response_status(response) == 200)) {
        *ret = response;
        return err;
    }
    if (err == 0) {
        if (!d->noted)
            d->note(d->arg, response);
        d->noted = true;
        err = piece_receive(piece, response);
    }
    whorl_http_response_close(response);
    return err;
}
