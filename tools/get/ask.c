/* SPDX-License-Identifier: MIT */
/* The requests that the options ask for, see ask.h. */
#include "tools/get/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/file.h>

#include "tools/get/buffer.h"
#include "tools/get/form_field.h"
#include "tools/get/text.h"
#include "tools/get/user.h"

enum { TEXT_MAX = 256 * 1024 * 1024 }; /* of the files of --data and --json-data together */

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* --- before the run --- */

static int complain(char *why, size_t why_size, const char *option, const char *path, int err,
                    const char *text)
{
    char raw[1024];

    snprintf(raw, sizeof raw, "--%s: %s: %s", option, is_stdin(path) ? "standard input" : path,
             text ? text : whorl_strerror(err));
    text_escape(why, why_size, raw, strlen(raw));
    return err;
}

/* Appends all bytes of the descriptor. */
static int append_all(struct buffer *text, int fd)
{
    for (;;) {
        char *room = buffer_room(text, 65536);
        if (!room)
            return -ENOMEM;
        ssize_t n = read(fd, room, 65536);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        text->len += n > 0 ? (size_t)n : 0;
        if (text->len > TEXT_MAX)
            return -EFBIG;
    }
}

/* Appends one value of --data or --json-data: a text, or what "@FILE" contains, as it is. */
static int append_value(struct buffer *text, const char *option, const char *value, char *why,
                        size_t why_size)
{
    if (*value != '@') {
        buffer_add(text, value, strlen(value));
        return text->failed ? complain(why, why_size, option, "", -ENOMEM, NULL) : 0;
    }
    const char *path = value + 1;
    int fd = is_stdin(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int err = fd < 0 ? -errno : append_all(text, fd);
    if (fd > STDIN_FILENO)
        close(fd);
    if (err == -EFBIG)
        return complain(why, why_size, option, path, err,
                        "more than 256M; send it with --upload-file FILE --method POST");
    return err ? complain(why, why_size, option, path, err, NULL) : 0;
}

/* Looks whether a file that is sent later exists, and whether it can be read more than once. */
static int look_at(struct ask *ask, const char *option, const char *path, char *why,
                   size_t why_size)
{
    struct stat st;
    int err = is_stdin(path) ? fstat(STDIN_FILENO, &st) : stat(path, &st);

    if (err == 0 && S_ISDIR(st.st_mode))
        return complain(why, why_size, option, path, -EISDIR, NULL);
    if (err == 0 && !is_stdin(path))
        err = access(path, R_OK);
    if (err)
        return complain(why, why_size, option, path, -errno, NULL);
    ask->is_once |= !S_ISREG(st.st_mode);
    return 0;
}

/* Looks at the file of a field, if it has one. */
static int look_at_field(struct ask *ask, const char *text, char *why, size_t why_size)
{
    struct form_field field;
    char wrong[FORM_FIELD_WHY_SIZE];
    int err = form_field_parse(&field, text, wrong); /* it was parsed before */

    if (err == 0 && field.path)
        err = look_at(ask, "form", field.path, why, why_size);
    else if (err)
        snprintf(why, why_size, "--form %s", wrong);
    form_field_finish(&field);
    return err;
}

static const char *choose_method(const struct options *o)
{
    if (o->method)
        return o->method;
    if (o->head)
        return "HEAD";
    if (o->upload_file)
        return "PUT";
    return o->data_count > 0 || o->json_data || o->form_count > 0 ? "POST" : "GET";
}

int ask_load(struct ask *ret, const struct options *options, char *why, size_t why_size)
{
    struct buffer text = {0};
    int err = 0;

    *ret = (struct ask){.options = options, .method = choose_method(options)};
    for (size_t i = 0; err == 0 && i < options->data_count; i++) {
        if (i > 0)
            buffer_add(&text, "&", 1);
        err = append_value(&text, "data", options->data[i], why, why_size);
    }
    if (options->json_data)
        err = append_value(&text, "json-data", options->json_data, why, why_size);
    for (size_t i = 0; err == 0 && i < options->form_count; i++)
        err = look_at_field(ret, options->form[i], why, why_size);
    if (err == 0 && options->upload_file)
        err = look_at(ret, "upload-file", options->upload_file, why, why_size);
    if (err == 0 && ret->is_once && (options->urls_count > 1 || options->lists_count > 0)) {
        err = -EINVAL;
        snprintf(why, why_size,
                 "a pipe can be sent only once, and so only to one URL; use a regular file");
    }
    ret->text = text.text;
    ret->text_len = text.len;
    return err;
}

void ask_finish(struct ask *ask)
{
    if (ask->text)
        explicit_bzero(ask->text, ask->text_len);
    free(ask->text);
    *ask = (struct ask){0};
}

/* --- one request --- */

/* Where the bytes of standard input begin that nothing has read yet. */
static int64_t stdin_offset(void)
{
    struct stat st;
    bool is_regular = fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode);
    off_t at = is_regular ? lseek(STDIN_FILENO, 0, SEEK_CUR) : 0;

    return at > 0 ? at : 0;
}

static WHORL_SUSPENDS int add_parsed(struct whorl_http_form *form, const struct form_field *field,
                                     const char *value, struct whorl_error *error)
{
    struct whorl_http_form_part part = {
        .name = field->name, .content_type = field->type, .file_name = field->file_name};

    if (field->path && !is_stdin(field->path))
        return whorl_http_form_add_file(form, &part, field->path, error);
    if (!field->path) {
        part.text = value;
    } else {
        part.file_name = part.file_name ? part.file_name : field->path;
        part.use_fd = true;
        part.fd = STDIN_FILENO;
        part.offset = stdin_offset();
    }
    int err = whorl_http_form_add(form, &part);
    return err ? whorl_error_set(error, err, "form", "%s: %s", field->name, whorl_strerror(err))
               : 0;
}

static WHORL_SUSPENDS int add_field(struct whorl_http_form *form, const char *text,
                                    struct whorl_error *error)
{
    struct form_field field;
    char why[FORM_FIELD_WHY_SIZE];
    int err = form_field_parse(&field, text, why);

    if (err)
        whorl_error_set(error, err, "form", "--form %s", why);
    else /* the form borrows the value, which must live longer than `field` */
        err = add_parsed(form, &field, strchr(text, '=') + 1, error);
    form_field_finish(&field);
    return err;
}

static WHORL_SUSPENDS int make_form(struct ask_request *ret, const struct options *options,
                                    struct whorl_error *error)
{
    int err = whorl_http_form_create(&ret->form);

    if (err)
        return whorl_error_set(error, err, "form", "%s", whorl_strerror(err));
    for (size_t i = 0; err == 0 && i < options->form_count; i++)
        err = add_field(ret->form, options->form[i], error);
    if (err)
        return err;
    err = whorl_http_form_get_body(ret->form, &ret->http.body);
    return err ? whorl_error_set(error, err, "form", "%s", whorl_strerror(err)) : 0;
}

/* A URL that ends with a slash names a directory: the file keeps its name there. */
static int name_upload(struct ask_request *ret, const char *path)
{
    const char *url = ret->http.url, *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t len = strlen(url);

    if (strpbrk(url, "?#") || len == 0 || url[len - 1] != '/')
        return 0;
    char *at = ret->url = malloc(len + 3 * strlen(name) + 1);
    if (!at)
        return -ENOMEM;
    at = stpcpy(at, url);
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        bool stays = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     strchr("-._~", c);
        at += sprintf(at, stays ? "%c" : "%%%02X", c);
    }
    ret->http.url = ret->url;
    return 0;
}

static WHORL_SUSPENDS int open_upload(struct ask_request *ret, const char *path,
                                      struct whorl_error *error)
{
    bool from_stdin = is_stdin(path);
    int fd = from_stdin ? STDIN_FILENO
                        : whorl_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    int err = fd < 0 ? fd : from_stdin ? 0 : name_upload(ret, path);

    ret->fd = fd;
    if (err == 0 && !from_stdin && fcntl(fd, F_SETFL, O_RDONLY) < 0)
        err = -errno;
    if (err)
        return whorl_error_set(error, err, "open", "%s: %s", path, whorl_strerror(err));
    ret->http.body = whorl_http_body_from_file(fd, from_stdin ? stdin_offset() : 0, -1, NULL);
    return 0;
}

static WHORL_SUSPENDS int make_body(struct ask_request *ret, const struct ask *ask,
                                    struct whorl_error *error)
{
    const struct options *o = ask->options;

    if (o->upload_file)
        return open_upload(ret, o->upload_file, error);
    if (o->form_count > 0)
        return make_form(ret, o, error);
    if (o->data_count == 0 && !o->json_data)
        return 0;
    ret->http.body = (struct whorl_http_body){
        .data = ask->text_len > 0 ? ask->text : NULL,
        .len = (int64_t)ask->text_len,
        .content_type = o->json_data ? "application/json" : "application/x-www-form-urlencoded",
    };
    return 0;
}

WHORL_SUSPENDS int ask_begin(struct ask_request *ret, const struct ask *ask, const char *url,
                             const struct whorl_http_header *headers, size_t headers_count,
                             const struct user *user, struct whorl_error *error)
{
    /* Basic shows the password to everybody who can read the connection. So without TLS, it waits
     * until the server asks, which may ask for Digest. */
    *ret = (struct ask_request){
        .credentials = {.user = user->name,
                        .password = user->password,
                        .preemptive = strncasecmp(url, "https:", 6) == 0},
        .http = {.method = ask->method,
                 .url = url,
                 .headers = headers,
                 .headers_count = headers_count,
                 .decode = ask->options->compressed,
                 .trust_redirects = ask->options->trust_redirects},
        .fd = -1,
    };
    ret->http.credentials = user->name ? &ret->credentials : NULL;
    return make_body(ret, ask, error);
}

void ask_end(struct ask_request *request)
{
    whorl_http_form_destroy(request->form);
    if (request->fd > STDIN_FILENO)
        close(request->fd);
    free(request->url);
}

/* --- what the method means --- */

bool ask_is_head(const struct ask *ask)
{
    return strcmp(ask->method, "HEAD") == 0;
}

bool ask_is_download(const struct ask *ask)
{
    return strcmp(ask->method, "GET") == 0;
}

bool ask_is_plain(const struct ask *ask)
{
    const struct options *o = ask->options;

    return ask_is_download(ask) &&
           (!o || (o->data_count == 0 && !o->json_data && o->form_count == 0 && !o->upload_file));
}

static bool is_among(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

bool ask_may_repeat(const struct ask *ask, const char *step, const char **ret_why)
{
    /* RFC 9110 §9.2.2; methods are case-sensitive. */
    static const char *const idempotent[] = {"GET",     "HEAD",  "PUT", "DELETE",
                                             "OPTIONS", "TRACE", NULL};
    /* The steps before the request is sent. */
    static const char *const before[] = {"queue", "resolve", "connect", "proxy", "TLS", NULL};

    if (is_among(step, before))
        return true;
    if (!is_among(ask->method, idempotent)) {
        *ret_why = "the server may have carried it out";
        return false;
    }
    *ret_why = "its body can be sent only once";
    return !ask->is_once;
}
