/* SPDX-License-Identifier: MIT */
/* Forms with files: request bodies of the type multipart/form-data (RFC 7578), as browsers send
 * them. For a form without files, whorl_http_form_encode() in http.h is shorter.
 *
 *     WHORL_AUTO(http_form) *form = NULL;
 *     struct whorl_http_form_part title = {.name = "title", .text = "A cat"};
 *     struct whorl_http_form_part picture = {.name = "picture", .content_type = "image/png"};
 *     struct whorl_http_request request = {.method = "POST", .url = url};
 *     int err = whorl_http_form_create(&form);
 *     if (err == 0)
 *         err = whorl_http_form_add(form, &title);
 *     if (err == 0)
 *         err = whorl_http_form_add_file(form, &picture, "cat.png", NULL);
 *     if (err == 0)
 *         err = whorl_http_form_get_body(form, &request.body);
 *     if (err == 0)
 *         err = whorl_http_do(session, &request, &error, &response);
 *
 * Parts are sent in the order in which they were added. Files are read while they are sent, so they
 * take no memory. The length of a regular file is taken when it is added, so that the body has a
 * Content-Length. With a part from a pipe, a terminal or a device the length is unknown, and the
 * body is sent in chunks; such a part can be read only once, so the body cannot be sent again for a
 * redirect, a retry or a 401. All other bodies can be sent again, also in later requests.
 *
 * A regular file must keep its length until it has been sent. If it has become shorter or longer,
 * the request fails with WHORL_EHTTP_REQUEST_BODY before the body is complete, so the server never
 * takes a part of a file for the whole.
 *
 * The boundary between the parts has 128 random bits, which are drawn for each form. No data can be
 * made to contain it, and parts are not searched for it.
 *
 * In the names of parts and files, a quote, CR and LF are sent as %22, %0D and %0A (HTML Standard,
 * "multipart/form-data encoding algorithm"); all other bytes are sent as they are, and should be
 * UTF-8. So no name can add a header. As in browsers, a percent sign is not escaped.
 */
#ifndef WHORL_HTTP_FORM_H
#define WHORL_HTTP_FORM_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/http.h>

struct whorl_http_form;

/* A part of a form. One of `text`, `data` and `use_fd` says where its bytes come from; without any
 * of them the part is empty. */
struct whorl_http_form_part {
    const char *name;
    const char *file_name;    /* NULL: a plain field; see also whorl_http_form_add_file() */
    const char *content_type; /* NULL: application/octet-stream with a file name, else none */

    const char *text; /* a NUL ends it; borrowed until the form is destroyed */
    const void *data; /* borrowed until the form is destroyed */
    size_t data_len;

    int fd; /* stays open and the caller's until the form is destroyed */
    bool use_fd;
    int64_t offset; /* of the first byte to send from a regular file, whose position does not
                       change; any other file is read once, at its position, and `offset` is 0 */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a form without parts. Never suspends.
 *
 * @ret  the form; destroy it with whorl_http_form_destroy()
 *
 * Returns: 0; -ENOMEM; an error of getrandom(2).
 */
WHORL_API WHORL_CHECKED int whorl_http_form_create(struct whorl_http_form **ret);

/** Frees the form. The response to a request with its body must be closed before. Accepts NULL. */
WHORL_API void whorl_http_form_destroy(struct whorl_http_form *form);

/**
 * Adds a part. Never suspends.
 *
 * Returns: 0; -ENOMEM; -EINVAL: no name, more than one source of bytes, or a wrong offset;
 *          WHORL_EHTTP_REQUEST_HEADER: a control byte in the type; -EISDIR; an error of fstat(2).
 * Owns:    copies the names and the type, and borrows the bytes.
 */
WHORL_API WHORL_CHECKED int whorl_http_form_add(struct whorl_http_form *form,
                                                const struct whorl_http_form_part *part);

/**
 * Opens a file and adds it as a part. The form closes it.
 *
 * @part   its sources of bytes are not set; if `file_name` is NULL, it is the last component of
 *         `path`; if it is "", the part is a plain field with the bytes of the file
 * @path   relative to the working directory. The body of a FIFO waits for its writer
 * @error  filled on failure, with the path in its text; may be NULL
 *
 * Returns:  as whorl_http_form_add(); an error of openat(2).
 * Suspends: while the file is opened.
 * Cancel:   -ECANCELED; nothing is added.
 * Owns:     as whorl_http_form_add(); copies what it needs of `path`.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_form_add_file(struct whorl_http_form *form,
                                                      const struct whorl_http_form_part *part,
                                                      const char *path, struct whorl_error *error);

/**
 * Gives the body of a request, from its start. The form must outlive the response, gets no further
 * parts until then, and is the body of one request at a time. Never suspends.
 *
 * Returns: 0; -ENODATA: a part that can be read only once has been read; -EOVERFLOW: the lengths of
 *          the parts are too large together.
 */
WHORL_API WHORL_CHECKED int whorl_http_form_get_body(struct whorl_http_form *form,
                                                     struct whorl_http_body *ret);

static inline void whorl_auto_http_form(struct whorl_http_form **form)
{
    whorl_http_form_destroy(*form);
}

#ifdef __cplusplus
}
#endif

#endif
