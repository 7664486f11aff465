/* SPDX-License-Identifier: MIT */
/* The public calls that need a clock or a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <whorl/http_cookies.h>

#include "io/http/cookie_file.h"
#include "io/http/cookie_jar.h"

enum { FILE_MAX = 16 << 20, FILE_STEP = 64 << 10 };

int whorl_http_cookies_set(struct whorl_http_cookies *cookies, const struct whorl_url *url,
                           const char *set_cookie, struct whorl_error *error)
{
    return cookie_jar_set(cookies, url, set_cookie, time(NULL), error);
}

int whorl_http_cookies_get(struct whorl_http_cookies *cookies, const struct whorl_url *url,
                           char **ret)
{
    return cookie_jar_get(cookies, url, time(NULL), ret);
}

bool whorl_http_cookies_at(struct whorl_http_cookies *cookies, size_t index,
                           struct whorl_http_cookie *ret)
{
    if (index == 0)
        cookie_jar_expire(cookies, time(NULL));
    return cookie_jar_at(cookies, index, ret);
}

static int fail(struct whorl_error *error, int err, const char *path)
{
    return whorl_error_set(error, err, "cookies", "%s: %s", path, whorl_strerror(err));
}

/* Reads the whole file into one block, with room for a NUL behind it. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
    char *text = NULL;
    size_t len = 0;

    for (;;) {
        char *more = len <= FILE_MAX ? realloc(text, len + FILE_STEP + 1) : NULL;
        int err = more ? 0 : len > FILE_MAX ? -EFBIG : -ENOMEM;
        if (err) {
            free(text);
            return err;
        }
        text = more;
        ssize_t n = read(fd, text + len, FILE_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = -errno;
            free(text);
            return err;
        }
        len += (size_t)n;
        if (n == 0)
            break;
    }
    text[len] = '\0';
    *ret = text;
    *ret_len = len;
    return 0;
}

int whorl_http_cookies_load(struct whorl_http_cookies *cookies, const char *path,
                            struct whorl_error *error)
{
    char *text = NULL;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 ? -errno : read_all(fd, &text, &len);

    if (fd >= 0)
        close(fd);
    if (err)
        return fail(error, err, path);
    err = cookie_file_parse(cookies, text, len, time(NULL), path, error);
    free(text);
    return err;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Writes a new file, which has the mode 0600 from the start, and puts it in the place of `path`. */
static int replace(const char *path, const char *text, size_t len)
{
    char *temporary;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    int fd = mkostemp(temporary, O_CLOEXEC);
    int err = fd < 0 ? -errno : write_all(fd, text, len);
    if (fd >= 0 && close(fd) < 0 && err == 0)
        err = -errno;
    if (err == 0 && rename(temporary, path) < 0)
        err = -errno;
    if (err && fd >= 0)
        unlink(temporary);
    free(temporary);
    return err;
}

int whorl_http_cookies_save(struct whorl_http_cookies *cookies, const char *path,
                            struct whorl_error *error)
{
    char *text;
    size_t len;
    int err = cookie_file_make(cookies, time(NULL), &text, &len);

    if (err == 0) {
        err = replace(path, text, len);
        free(text);
    }
    return err ? fail(error, err, path) : 0;
}
