/* SPDX-License-Identifier: MIT */
/* Bodies and files, see transfer_store.h. */
#include "tools/get/transfer_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *transfer_next_path(void *arg, unsigned attempt)
{
    struct transfer *t = arg;
    const char *name = t->is_bad ? t->bad_path : t->target.name;

    (void)attempt;
    name_numbered(t->taken, name, name_hints_next(&t->get->names, name));
    return t->path = t->taken;
}

void transfer_note_progress(void *arg, int64_t received)
{
    struct transfer *t = arg;

    events_note_progress(&t->get->events, &t->followed, received);
}

void transfer_see_part(void *arg, const char *data, size_t len)
{
    struct transfer *t = arg;

    verify_update(&t->verify, data, len);
}

int transfer_decide(void *arg, const char **path)
{
    struct transfer *t = arg;
    enum hash_kind kind;

    if (verify_end(&t->verify, &kind, t->why, sizeof t->why)) {
        t->outcome.verified = kind < HASH_KINDS ? hash_name(kind) : NULL;
        return 0;
    }
    if (t->in_place)
        return -EBADMSG;
    if (!t->bad_path && asprintf(&t->bad_path, "%.*s.bad", NAME_SIZE - 5, *path) < 0) {
        t->bad_path = NULL;
        return -ENOMEM;
    }
    t->is_bad = true;
    *path = t->path = t->bad_path;
    return 0;
}

WHORL_SUSPENDS int transfer_save(struct transfer *t, struct whorl_http_response *response)
{
    const struct options *options = t->get->options;
    struct whorl_http_save_options how = {
        .progress = transfer_note_progress,
        .ret_in_place = &t->in_place,
        .ret_written = &t->outcome.written,
        .arg = t,
    };

    if (options->output) {
        how.overwrite = true;
        t->path = transfer_to_stdout(options) ? "/dev/stdout" : options->output;
    } else {
        how.overwrite = t->existing.replaces;
        how.dir_fd = t->target.dir_fd;
        how.use_dir_fd = true;
        how.next_path = transfer_next_path;
        t->path = t->target.name;
    }
    t->is_bad = false;
    t->why[0] = '\0';
    t->outcome.verified = NULL;
    verify_begin(&t->verify, response, options->compressed);
    if (verify_is_needed(&t->verify)) {
        how.part = transfer_see_part;
        how.complete = transfer_decide;
    }
    int err = whorl_http_response_save(response, t->path, &how);
    t->outcome.mismatched = t->why[0] && (err == 0 || err == -EBADMSG);
    return err == 0 && t->is_bad ? -EBADMSG : err;
}
