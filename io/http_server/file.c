/* SPDX-License-Identifier: MIT */
/* Replies with files. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/http_server.h>

#include "io/http/date.h"
#include "io/http_server/beneath.h"
#include "io/http_server/conditions.h"
#include "io/http_server/path.h"
#include "io/http_server/reply.h"

enum { PATH_SIZE = 4096 };

/* An open file and what the headers say about it. */
struct served_file {
    int fd;
    struct representation facts;
    char etag[48];
    char date[HTTP_DATE_SIZE];
};

/* Whether the file does not exist for the client. RFC 9110 §15.5.4: 404 may hide that a file is
 * forbidden. */
static bool is_missing(int err)
{
    switch (err) {
    case -ENOENT:
    case -ENOTDIR:
    case -EISDIR:
    case -EXDEV:
    case -ELOOP:
    case -EACCES:
    case -EPERM:
    case -ENAMETOOLONG:
    case -ENXIO: /* a socket */
    case -ENODEV:
        return true;
    default:
        return false;
    }
}

static WHORL_SUSPENDS int send_missing(struct whorl_http_reply *reply)
{
    return reply_send_status(reply, 404);
}

/* Makes the path of the file from the path of the URL. Returns false when that names no file. */
static bool make_path(const char *path, const char *index, char ret[PATH_SIZE])
{
    if (!path_decode(path, ret, PATH_SIZE))
        return false;
    size_t len = strlen(ret);
    if (len > 0 && ret[len - 1] != '/')
        return true;
    if (!index || len + strlen(index) >= PATH_SIZE)
        return false;
    strcpy(ret + len, index);
    return true;
}

/* Fills in the properties of an open file. Returns 0 or a code. */
static int look_at(struct served_file *file)
{
    struct timespec now;
    struct stat st;

    if (fstat(file->fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -ENOENT;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    /* A change that keeps the length and the time is not noticed. Because the kernel's times are
     * finer than a second, the tag may still be strong. */
    snprintf(file->etag, sizeof file->etag, "\"%llx.%08lx-%llx\"", (long long)st.st_mtim.tv_sec,
             (unsigned long)st.st_mtim.tv_nsec, (long long)st.st_size);
    http_date_write(file->date, st.st_mtim.tv_sec);
    file->facts = (struct representation){
        .etag = file->etag,
        .mtime_s = st.st_mtim.tv_sec,
        .now_unix_s = now.tv_sec,
        .len = st.st_size,
    };
    return 0;
}

static int put_headers(struct whorl_http_reply *reply, const struct served_file *file,
                       const struct verdict *verdict, const char *content_type)
{
    char range[72];
    long long first = verdict->first, last = first + verdict->len - 1, len = file->facts.len;
    int err = 0;

    if (verdict->status == 416)
        snprintf(range, sizeof range, "bytes */%lld", len);
    else
        snprintf(range, sizeof range, "bytes %lld-%lld/%lld", first, last, len);
    if (verdict->status == 206 || verdict->status == 416)
        err = reply_put_header(reply, "Content-Range", range);
    if (err == 0 && verdict->status < 300)
        err = reply_put_header(reply, "Content-Type", content_type);
    if (err == 0 && verdict->status < 300)
        err = reply_put_header(reply, "Accept-Ranges", "bytes");
    if (err == 0 && verdict->status < 400)
        err = reply_put_header(reply, "Last-Modified", file->date);
    return err ? err : reply_put_header(reply, "ETag", file->etag);
}

/* Reads a short part of a file: at once if the kernel has it in memory. */
static WHORL_SUSPENDS int read_part(int fd, char *buf, size_t len, int64_t offset)
{
    struct iovec part = {buf, len};

    ssize_t n = preadv2(fd, &part, 1, offset, RWF_NOWAIT);
    if (n == (ssize_t)len)
        return 0;
    int err = whorl_pread_exact(fd, buf, len, offset);
    return err == -ENODATA ? WHORL_EHTTP_REPLY_BODY : err;
}

/* Sends the body of a begun reply. A short one is read into `buf` and sent together with the
 * head. */
static WHORL_SUSPENDS int send_part(struct whorl_http_reply *reply, int fd,
                                    const struct verdict *verdict, struct http_buf *buf)
{
    if (!reply->has_body)
        return reply_end(reply);
    if (verdict->len > HTTP_BUF_SIZE)
        return reply_send_file(reply, fd, verdict->first, verdict->len);
    int err = read_part(fd, buf->data, (size_t)verdict->len, verdict->first);
    if (err)
        return err;
    reply->written = verdict->len;
    return reply_send_head(reply, buf->data, (size_t)verdict->len);
}

static WHORL_SUSPENDS int send_open(struct whorl_http_reply *reply, struct served_file *file,
                                    const char *content_type, struct http_buf *buf)
{
    struct verdict verdict;

    conditions_judge(http1_headers(&reply->incoming->parser), &file->facts, &verdict);
    reply->may_compress = false; /* the ranges and the tag are those of the file */
    int err = put_headers(reply, file, &verdict, content_type);
    if (err)
        return err;
    if (verdict.status == 412 || verdict.status == 416)
        return whorl_http_reply_send(reply, verdict.status, NULL, NULL, 0);
    err = whorl_http_reply_start(reply, verdict.status, verdict.len);
    return err ? err : send_part(reply, file->fd, &verdict, buf);
}

/* Redirects to the path with a slash at its end. The Location is relative to the request's path:
 * it begins with a dot, because a name with a colon would be read as a scheme, and the whole path
 * could begin with two slashes and lead to another host. */
static WHORL_SUSPENDS int send_to_slash(struct whorl_http_reply *reply, struct http_buf *buf)
{
    const char *path = whorl_http_incoming_path(reply->incoming), *name = strrchr(path, '/');
    const char *query = whorl_http_incoming_query(reply->incoming);
    size_t room = sizeof buf->data;

    if (!name || name[1] == '\0') /* the handler serves another path than the request's */
        return send_missing(reply);
    int len = snprintf(buf->data, room, ".%s/%s%s", name, query ? "?" : "", query ? query : "");
    if (len < 0 || (size_t)len >= room)
        return send_missing(reply);
    int err = reply_put_header(reply, "Location", buf->data);
    return err ? err : whorl_http_reply_send(reply, 301, NULL, NULL, 0);
}

/* `buf` holds the name of the file until it is open. */
static WHORL_SUSPENDS int send_named(struct whorl_http_reply *reply, int dir_fd, const char *path,
                                     const struct whorl_http_file_options *options,
                                     struct http_buf *buf)
{
    struct served_file file;

    if (!make_path(path, options->index, buf->data))
        return send_missing(reply);
    file.fd = beneath_open(dir_fd, buf->data);
    if (file.fd < 0)
        return is_missing(file.fd) ? send_missing(reply) : file.fd;
    const char *type = options->content_type ? options->content_type : path_media_type(buf->data);
    int err = look_at(&file);
    if (err == -EISDIR && options->index)
        err = send_to_slash(reply, buf);
    else if (err)
        err = is_missing(err) ? send_missing(reply) : err;
    else
        err = send_open(reply, &file, type, buf);
    close(file.fd);
    return err;
}

WHORL_SUSPENDS int whorl_http_reply_send_file(struct whorl_http_reply *reply, int dir_fd,
                                              const char *path,
                                              const struct whorl_http_file_options *options)
{
    static const struct whorl_http_file_options defaults;
    const char *type = options ? options->content_type : NULL;

    if (reply->state != REPLY_OPEN || (type && !header_is_value(type, strlen(type))))
        return WHORL_EHTTP_REPLY;
    if (!incoming_is(reply->incoming, "GET") && !incoming_is(reply->incoming, "HEAD")) {
        int err = reply_put_header(reply, "Allow", "GET, HEAD");
        return err ? err : whorl_http_reply_send(reply, 405, NULL, NULL, 0);
    }
    size_t mark = reply->out.len;
    struct http_buf *buf = http_buf_acquire(reply->wire->store);
    if (!buf)
        return -ENOMEM;
    int err = send_named(reply, dir_fd, path, options ? options : &defaults, buf);
    http_buf_release(reply->wire->store, buf);
    return reply_undo(reply, mark, err);
}
