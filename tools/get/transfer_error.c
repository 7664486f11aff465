/* SPDX-License-Identifier: MIT */
/* The texts of failures, see transfer_error.h. */
#include "tools/get/transfer_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <whorl/text.h>

__attribute__((format(printf, 2, 3))) void transfer_append(struct whorl_error *error,
                                                           const char *format, ...)
{
    size_t len = strlen(error->text);
    va_list args;

    va_start(args, format);
    vsnprintf(error->text + len, sizeof error->text - len, format, args);
    va_end(args);
}

bool transfer_is_local(const struct whorl_error *error)
{
    return strcmp(error->step, "write") == 0;
}

/* The library's text is "PATH: cause", without --dir, and cut if the path is long. Keeps the cause
 * and notes the whole path. */
static void name_place(struct transfer *t)
{
    struct outcome *o = &t->outcome;
    char path[sizeof o->error.text], cause[sizeof o->error.text];
    size_t len = whorl_text_escape(t->path, strlen(t->path), path, sizeof path);

    if (strncmp(o->error.text, path, len) == 0 && strncmp(o->error.text + len, ": ", 2) == 0)
        snprintf(cause, sizeof cause, "%s", o->error.text + len + 2);
    else
        snprintf(cause, sizeof cause, "%s", whorl_strerror(o->error.code));
    strcpy(o->error.text, cause);
    o->place =
        transfer_to_stdout(t->get->options) ? "standard output" : transfer_full_path(t, t->path);
    o->dir = t->get->options->dir;
}

void transfer_explain(struct transfer *t, int err, const char *step)
{
    struct whorl_error *error = &t->outcome.error;
    const struct options *options = t->get->options;

    if (error->code != err || !error->text[0])
        whorl_error_set(error, err, step, "%s", whorl_strerror(err));
    if (t->outcome.mismatched) {
        whorl_error_set(error, err, "verify", "%s%s", t->is_bad ? "kept, but " : "", t->why);
        t->outcome.place =
            transfer_to_stdout(options) ? "standard output" : transfer_full_path(t, t->path);
        t->outcome.dir = options->dir;
        return;
    }
    if (err == WHORL_EHTTP_BODY_TOO_LARGE)
        transfer_append(error, "%s",
                        options->size_max ? " (--max-size)"
                                          : " (after decoding; --max-size changes the limit)");
    if (err == WHORL_EHTTP_REDIRECT_DOWNGRADE)
        transfer_append(error, " (--allow-downgrade follows it)");
    if (err == WHORL_EHTTP_PROXY_AUTH)
        transfer_append(error, " (--proxy SCHEME://NAME:PASSWORD@HOST:PORT)");
    if (err == WHORL_EDNS_NODATA && options->family != AF_UNSPEC)
        transfer_append(error, "%s", options->family == AF_INET ? " (-4)" : " (-6)");
    if (transfer_is_local(error) && t->path)
        name_place(t);
}
