/* SPDX-License-Identifier: MIT */
/* Forms with files as request bodies: the descriptors of the parts, and reading from them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <whorl/file.h>
#include <whorl/http_form.h>

#include "io/http/multipart.h"

struct whorl_http_form {
    struct multipart parts;
    char content_type[MULTIPART_BOUNDARY_SIZE + 32];
};

int whorl_http_form_create(struct whorl_http_form **ret)
{
    unsigned char random[MULTIPART_RANDOM];

    errno = 0;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return errno ? -errno : -EIO;
    struct whorl_http_form *form = malloc(sizeof *form);
    if (!form)
        return -ENOMEM;
    multipart_init(&form->parts, random);
    strcpy(form->content_type, "multipart/form-data; boundary=");
    strcat(form->content_type, form->parts.boundary);
    *ret = form;
    return 0;
}

void whorl_http_form_destroy(struct whorl_http_form *form)
{
    struct multipart_part *part;

    if (!form)
        return;
    STAILQ_FOREACH(part, &form->parts.parts, link)
    {
        if (part->owns_fd)
            close(part->fd);
    }
    multipart_finish(&form->parts);
    free(form);
}

/* The file of a part, before the part is added. */
struct part_file {
    int fd;
    bool is_regular;
    int64_t len; /* -1: unknown */
};

static int look_at(int fd, int64_t offset, struct part_file *ret)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    bool is_regular = S_ISREG(st.st_mode);
    if (offset < 0 || (is_regular ? offset > st.st_size : offset != 0))
        return -EINVAL;
    *ret = (struct part_file){
        .fd = fd,
        .is_regular = is_regular,
        .len = is_regular ? st.st_size - offset : -1,
    };
    return 0;
}

static int add_file(struct whorl_http_form *form, const struct whorl_http_form_part *part,
                    const struct part_file *file, bool owns_fd)
{
    struct multipart_part *new;

    int err = multipart_add(&form->parts, part, true, &new);
    if (err)
        return err;
    new->fd = file->fd;
    new->owns_fd = owns_fd;
    new->is_regular = file->is_regular;
    new->offset = part->offset;
    new->len = file->len;
    return 0;
}

int whorl_http_form_add(struct whorl_http_form *form, const struct whorl_http_form_part *part)
{
    struct multipart_part *new;
    struct part_file file = {.fd = -1};

    if (!part->use_fd)
        return part->offset != 0 ? -EINVAL : multipart_add(&form->parts, part, false, &new);
    int err = look_at(part->fd, part->offset, &file);
    return err ? err : add_file(form, part, &file, false);
}

/* O_NONBLOCK, because an open of a FIFO would wait where it cannot be cancelled. Without the flag,
 * the first read waits for the writer. */
static WHORL_SUSPENDS int open_file(const char *path, int64_t offset, struct part_file *ret)
{
    int fd = whorl_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    int err = fd < 0 ? fd : look_at(fd, offset, ret);

    if (err == 0 && !ret->is_regular && fcntl(fd, F_SETFL, O_RDONLY) < 0)
        err = -errno;
    if (err && fd >= 0)
        close(fd);
    return err;
}

WHORL_SUSPENDS int whorl_http_form_add_file(struct whorl_http_form *form,
                                            const struct whorl_http_form_part *part,
                                            const char *path, struct whorl_error *error)
{
    struct whorl_http_form_part named = *part;
    const char *slash = strrchr(path, '/');
    struct part_file file = {.fd = -1};

    if (!named.file_name)
        named.file_name = slash ? slash + 1 : path;
    else if (!*named.file_name)
        named.file_name = NULL;
    int err = part->use_fd ? -EINVAL : open_file(path, part->offset, &file);
    if (err == 0) {
        err = add_file(form, &named, &file, true);
        if (err)
            close(file.fd);
    }
    return err ? whorl_error_set(error, err, "form", "%s: %s", path, whorl_strerror(err)) : 0;
}

/* The body */

/* Whether a regular file still has the length that was announced. */
static int check_len(const struct multipart_part *part)
{
    struct stat st;

    if (fstat(part->fd, &st) < 0)
        return -errno;
    return st.st_size - part->offset == part->len ? 0 : WHORL_EHTTP_REQUEST_BODY;
}

/* The next bytes of a part's file; 0 at its end. A regular file is checked before its last bytes
 * are given: once they are sent, the server could take the body for complete. */
static WHORL_SUSPENDS ssize_t read_file(struct multipart_part *part, int64_t done, void *buf,
                                        size_t len)
{
    if (!part->is_regular) {
        part->was_read = true;
        return whorl_read(part->fd, buf, len);
    }
    int64_t left = part->len - done;
    size_t n = left < (int64_t)len ? (size_t)left : len;
    ssize_t got = n > 0 ? whorl_pread(part->fd, buf, n, part->offset + done) : 0;
    if (got == 0 && n > 0)
        return WHORL_EHTTP_REQUEST_BODY;
    int err = got == left ? check_len(part) : 0;
    return err ? err : got;
}

static WHORL_SUSPENDS ssize_t read_form(void *arg, void *buf, size_t len)
{
    struct whorl_http_form *form = arg;
    struct multipart_part *file;

    for (;;) {
        size_t n = multipart_read(&form->parts, buf, len, &file);
        if (!file)
            return (ssize_t)n;
        ssize_t got = read_file(file, form->parts.done, buf, len);
        if (got >= 0)
            multipart_took(&form->parts, (size_t)got);
        if (got != 0)
            return got;
    }
}

static int rewind_form(void *arg)
{
    struct whorl_http_form *form = arg;

    multipart_rewind(&form->parts);
    return 0;
}

int whorl_http_form_get_body(struct whorl_http_form *form, struct whorl_http_body *ret)
{
    const struct multipart_part *part;
    int64_t len = multipart_len(&form->parts);
    bool is_once = false;

    if (len == -EOVERFLOW)
        return -EOVERFLOW;
    STAILQ_FOREACH(part, &form->parts.parts, link)
    {
        if (part->was_read)
            return -ENODATA;
        is_once |= part->fd >= 0 && !part->is_regular;
    }
    multipart_rewind(&form->parts);
    *ret = (struct whorl_http_body){
        .len = len,
        .content_type = form->content_type,
        .read = read_form,
        .rewind = is_once ? NULL : rewind_form,
        .arg = form,
    };
    return 0;
}
