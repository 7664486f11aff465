/* SPDX-License-Identifier: MIT */
/* Links of saved files, see convert.h. */
#include "tools/get/convert.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/url.h>

#include "tools/get/css.h"
#include "tools/get/html.h"
#include "tools/get/names.h"
#include "tools/get/subdir.h"

int convert_read(int dir_fd, const char *name, size_t max, struct buffer *ret)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int err = fd < 0 ? -errno : 0;
    struct stat st;

    if (err == 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
        err = -EINVAL;
    while (err == 0) {
        char *to = buffer_room(ret, 64 << 10);
        ssize_t n = to ? read(fd, to, 64 << 10) : -1;
        if (n == 0)
            break;
        if (n < 0)
            err = to ? -errno : -ENOMEM;
        else
            ret->len += (size_t)n;
        if (err == -EINTR)
            err = 0;
        else if (err == 0 && ret->len > max)
            err = -E2BIG;
    }
    if (fd >= 0)
        close(fd);
    return err;
}

/* --- links --- */

struct converter {
    const char *path;
    struct whorl_url at, declared;
    bool has_declared; /* a <base> that is valid */
    convert_path_fn *path_of;
    void *arg;
    struct buffer made;
    bool failed;
};

static void add_encoded(struct buffer *ret, const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x80 &&
            (isalnum((unsigned char)*text) || strchr("-._~/", *text)))
            buffer_add(ret, text, 1);
        else
            buffer_printf(ret, "%%%02X", (unsigned char)*text);
    }
}

void convert_add_relative(struct buffer *ret, const char *from, const char *to)
{
    size_t common = 0;

    for (size_t i = 0; from[i] && from[i] == to[i]; i++)
        if (from[i] == '/')
            common = i + 1;
    for (const char *p = from + common; (p = strchr(p, '/')); p++)
        buffer_add(ret, "../", 3);
    add_encoded(ret, to + common);
}

static const char *convert_link(void *arg, enum reference_kind kind, const char *text)
{
    struct converter *c = arg;
    WHORL_AUTO(url) link = {0};
    const char *fragment = strchr(text, '#');

    if (kind == REFERENCE_NOFOLLOW || *text == '#')
        return NULL;
    if (kind == REFERENCE_BASE) {
        c->has_declared = whorl_url_resolve(&c->at, text, NULL, &c->declared) == 0;
        return "";
    }
    int err = whorl_url_resolve(c->has_declared ? &c->declared : &c->at, text, NULL, &link);
    if (err) {
        c->failed |= err == -ENOMEM;
        return NULL;
    }
    buffer_clear(&c->made);
    const char *path = c->path_of(c->arg, link.text);
    if (path)
        convert_add_relative(&c->made, c->path, path);
    else
        buffer_printf(&c->made, "%s", link.text);
    for (; fragment && *fragment; fragment++)
        if (strchr(" \"'", *fragment))
            buffer_printf(&c->made, "%%%02X", (unsigned char)*fragment);
        else
            buffer_add(&c->made, fragment, 1);
    c->failed |= c->made.failed;
    return c->made.failed ? NULL : c->made.text;
}

/* --- files --- */

static int write_all(int fd, const struct buffer *text)
{
    for (size_t done = 0; done < text->len;) {
        ssize_t n = write(fd, text->text + done, text->len - done);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Replaces a file by one with another text. */
static int replace(int dir_fd, const char *name, const struct buffer *text)
{
    char temporary[NAME_SIZE];
    struct stat st;
    int fd = -1;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    for (unsigned n = 0; fd < 0 && n < 100; n++) {
        snprintf(temporary, sizeof temporary, ".whorl-%ld-%u", (long)getpid(), n);
        fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    st.st_mode & 0777);
        if (fd < 0 && errno != EEXIST)
            return -errno;
    }
    if (fd < 0)
        return -EEXIST;
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, st.st_mtim};
    int err = write_all(fd, text);
    if (err == 0)
        (void)futimens(fd, times);
    if (close(fd) < 0 && err == 0)
        err = -errno;
    if (err == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
        err = -errno;
    if (err)
        unlinkat(dir_fd, temporary, 0);
    return err;
}

/* Converts the text of a file. */
static int convert_text(struct converter *c, const struct buffer *text, bool is_css,
                        struct buffer *ret)
{
    int err = 0;

    if (is_css)
        css_visit(text->text, text->len, convert_link, c, ret);
    else
        err = html_visit(text->text, text->len, convert_link, c, ret);
    return err ? err : c->failed || ret->failed ? -ENOMEM : 0;
}

int convert_file(int dir_fd, const char *path, const char *url, bool is_css,
                 convert_path_fn *path_of, void *arg)
{
    struct converter c = {.path = path, .path_of = path_of, .arg = arg};
    struct buffer text = {0}, made = {0};
    const char *name;
    int fd = subdir_find(dir_fd, path, &name);

    if (fd < 0)
        return fd;
    int err = whorl_url_parse(url, NULL, &c.at);
    if (err == 0)
        err = convert_read(fd, name, HTML_MAX, &text);
    if (err == 0 && text.text)
        err = convert_text(&c, &text, is_css, &made);
    bool changed = made.len != text.len || (made.len > 0 && memcmp(made.text, text.text, made.len));
    if (err == 0 && text.text && changed)
        err = replace(fd, name, &made);
    buffer_finish(&text);
    buffer_finish(&made);
    buffer_finish(&c.made);
    whorl_url_finish(&c.at);
    whorl_url_finish(&c.declared);
    close(fd);
    return err;
}
