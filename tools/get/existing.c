/* SPDX-License-Identifier: MIT */
/* Files that exist already, see existing.h. */
#include "tools/get/existing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <whorl/file.h>
#include <whorl/scope.h>

#include "tools/get/validator.h"

static const int64_t date_ns = 5 * WHORL_SECOND; /* to set a time after a cancel */

/* Names */

static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325; /* FNV-1a */

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3;
    return h ? h : 1;
}

/* Returns the slot of the hash, or the free one where it belongs. */
static uint64_t *find(uint64_t *hashes, size_t size, uint64_t h)
{
    size_t i = (size_t)(h ^ h >> 32) & (size - 1);

    while (hashes[i] && hashes[i] != h)
        i = (i + 1) & (size - 1);
    return &hashes[i];
}

static int grow(struct taken_names *taken)
{
    size_t size = taken->size ? 2 * taken->size : 64;
    uint64_t *hashes = calloc(size, sizeof *hashes);

    if (!hashes)
        return -ENOMEM;
    for (size_t i = 0; i < taken->size; i++)
        if (taken->hashes[i])
            *find(hashes, size, taken->hashes[i]) = taken->hashes[i];
    free(taken->hashes);
    taken->hashes = hashes;
    taken->size = size;
    return 0;
}

/* Two names with the same hash count as one: then a number follows the second one, which does no
 * harm. */
bool taken_add(struct taken_names *taken, const char *name)
{
    if (2 * taken->count >= taken->size && grow(taken))
        return false;
    uint64_t h = hash(name), *slot = find(taken->hashes, taken->size, h);
    if (*slot)
        return false;
    *slot = h;
    taken->count++;
    return true;
}

void taken_finish(struct taken_names *taken)
{
    free(taken->hashes);
    *taken = (struct taken_names){0};
}

/* Files */

/* RFC 9110 §13.1.3: a time of the local clock. One in the future would hide every change. */
static void set_since(struct existing *existing, time_t modified)
{
    struct tm tm;

    if (modified >= 0 && modified <= time(NULL) && gmtime_r(&modified, &tm))
        strftime(existing->since, sizeof existing->since, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

WHORL_SUSPENDS int existing_look(struct existing *ret, enum existing_policy policy,
                                 struct taken_names *taken, const char *full_path, int dir_fd,
                                 const char *path)
{
    const unsigned mask = STATX_TYPE | STATX_MTIME;
    struct statx link, file;

    *ret = (struct existing){0};
    if (policy <= EXISTING_CONTINUE)
        return 0;
    int err = whorl_statx(dir_fd, path, AT_SYMLINK_NOFOLLOW, mask, &link);
    bool is_free = err == -ENOENT, is_file = err == 0 && S_ISREG(link.stx_mode);
    file = link;
    if (err == 0 && S_ISLNK(link.stx_mode)) {
        err = whorl_statx(dir_fd, path, 0, mask, &file);
        is_file = err == 0 && S_ISREG(file.stx_mode);
    }
    if (err == -ECANCELED || err == -ENOMEM)
        return err;
    ret->is_there = is_file;
    ret->skips = is_file && policy == EXISTING_SKIP;
    if (policy == EXISTING_SKIP || (!is_free && !is_file))
        return 0; /* a directory, for example, is not replaced */
    ret->replaces = !taken || taken_add(taken, full_path);
    if (ret->replaces && is_file && policy == EXISTING_UPDATE)
        set_since(ret, (time_t)file.stx_mtime.tv_sec);
    return 0;
}

size_t existing_headers(const struct existing *existing,
                        struct whorl_http_header ret[EXISTING_HEADERS_MAX])
{
    size_t count = 0;

    if (existing->etag)
        ret[count++] = (struct whorl_http_header){"If-None-Match", existing->etag};
    if (existing->since[0])
        ret[count++] = (struct whorl_http_header){"If-Modified-Since", existing->since};
    return count;
}

WHORL_SUSPENDS_SHIELDED void existing_date(int dir_fd, const char *path, const char *modified)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    struct whorl_scope shield;
    int64_t ns;

    if (!validator_date(modified, &ns) || ns == 0)
        return;
    times[1].tv_sec = (time_t)(ns / WHORL_SECOND);
    if (times[1].tv_sec > time(NULL))
        return;
    whorl_scope_enter_shield(&shield, whorl_after(date_ns));
    int err = whorl_utimensat(dir_fd, path, times, AT_SYMLINK_NOFOLLOW);
    whorl_scope_leave(&shield, err); /* the old time is only less exact */
}
