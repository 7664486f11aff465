/* SPDX-License-Identifier: MIT */
/* The bytes of a multipart/form-data body (RFC 7578; RFC 2046 §5.1.1), except those of files. Each
 * part begins with a delimiter and headers:
 *
 *     --BOUNDARY CRLF  Content-Disposition: form-data; name="N"; filename="F" CRLF
 *     Content-Type: T CRLF  CRLF  bytes  CRLF
 *     ...
 *     --BOUNDARY-- CRLF
 *
 * The CRLF after the bytes belongs to the next delimiter, and is stored with it. No I/O.
 */
#ifndef IO_HTTP_MULTIPART_H
#define IO_HTTP_MULTIPART_H

#include <sys/queue.h>
#include <sys/types.h>

#include <whorl/base.h>
#include <whorl/http_form.h>

enum {
    MULTIPART_RANDOM = 16,                               /* bytes */
    MULTIPART_BOUNDARY_SIZE = 16 + 2 * MULTIPART_RANDOM, /* with its NUL; RFC 2046 allows 70 */
};

struct multipart_part {
    STAILQ_ENTRY(multipart_part) link;
    const char *data; /* NULL: the bytes are those of a file */
    int64_t len;      /* of the bytes; -1: unknown */
    int fd;
    bool owns_fd;
    bool is_regular;
    bool was_read; /* some of a file that is not regular has been read */
    int64_t offset;
    size_t head_len;
    char head[]; /* the delimiter and the headers */
};

/* The parts, and how far they have been read. A zeroed struct must be given to multipart_init(). */
struct multipart {
    char boundary[MULTIPART_BOUNDARY_SIZE];
    STAILQ_HEAD(multipart_parts, multipart_part) parts;
    struct multipart_part *part; /* that is read now; NULL: the end delimiter */
    bool in_data;                /* its head has been read */
    int64_t done;                /* bytes read of the head, the data or the end delimiter */
};

/* `random` becomes the boundary. */
void multipart_init(struct multipart *m, const unsigned char random[MULTIPART_RANDOM]);

/* Frees the parts. Their descriptors have been closed. */
void multipart_finish(struct multipart *m);

/* Adds a part; for one of a file, the caller fills in `fd` and `len`, which are -1 and 0 here.
 * Rewinds.
 * 0; -EINVAL; -ENOMEM; WHORL_EHTTP_REQUEST_HEADER. */
WHORL_CHECKED int multipart_add(struct multipart *m, const struct whorl_http_form_part *part,
                                bool is_file, struct multipart_part **ret);

/* The length of the whole body; -1: unknown; -EOVERFLOW. */
int64_t multipart_len(const struct multipart *m);

void multipart_rewind(struct multipart *m);

/* Reads the next bytes, up to those of a file. The count; 0 at the end, or if `*ret_file` is not
 * NULL: bytes of that file come next, from `done` on. */
size_t multipart_read(struct multipart *m, char *buf, size_t len, struct multipart_part **ret_file);

/* `n` bytes of the file have been read; 0: it is at its end. */
void multipart_took(struct multipart *m, size_t n);

#endif
