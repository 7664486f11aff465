/* SPDX-License-Identifier: MIT */
/* Manifests, see manifest.h. */
#include "tools/get/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <whorl/error.h>

#include "tools/get/text.h"

enum {
    WRITE_BYTES = 32 << 10,
    LOCK_TRIES = 50, /* once in 10 ms */
};

static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325; /* FNV-1a */

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3;
    return h ^ h >> 32;
}

/* Writes "FILE:LINE: cause". Returns `err`. */
static int complain(const struct manifest *m, uint32_t line, int err, const char *cause, char *why,
                    size_t why_size)
{
    char path[1024], number[16] = "";

    text_escape(path, sizeof path, m->path, strlen(m->path));
    if (line > 0)
        snprintf(number, sizeof number, ":%u", (unsigned)line);
    snprintf(why, why_size, "%s%s: %s", path, number, cause);
    return err;
}

/* The old list */

static int add_slot(struct manifest *m, const struct manifest_line *line, int64_t start, size_t len,
                    uint32_t number)
{
    if (m->count == m->size) {
        size_t size = m->size ? 2 * m->size : 64;
        struct manifest_slot *slots = reallocarray(m->slots, size, sizeof *slots);
        if (!slots)
            return -ENOMEM;
        m->slots = slots;
        m->size = size;
    }
    m->slots[m->count++] = (struct manifest_slot){
        .url_hash = hash(line->url),
        .file_hash = hash(line->file),
        .start = start,
        .len = (uint32_t)len,
        .number = number,
    };
    return 0;
}

/* Returns the slot with the same file, or NULL. */
static struct manifest_slot *find_file(const struct manifest *m, uint64_t file_hash)
{
    uint32_t i = m->chains ? m->files[file_hash & (m->chains - 1)] : 0;

    for (; i; i = m->slots[i - 1].next_file)
        if (m->slots[i - 1].file_hash == file_hash)
            return &m->slots[i - 1];
    return NULL;
}

static void add_to_files(struct manifest *m, size_t i)
{
    struct manifest_slot *slot = &m->slots[i];
    uint32_t *chain = &m->files[slot->file_hash & (m->chains - 1)];

    slot->next_file = *chain;
    *chain = (uint32_t)i + 1;
}

/* Makes the chains. Slots of the same URL keep their order. */
static int make_chains(struct manifest *m, char *why, size_t why_size)
{
    char cause[64];

    m->chains = 64;
    while (m->chains < m->count)
        m->chains *= 2;
    m->urls = calloc(m->chains, sizeof *m->urls);
    m->files = calloc(m->chains, sizeof *m->files);
    if (!m->urls || !m->files)
        return complain(m, 0, -ENOMEM, "out of memory", why, why_size);
    for (size_t i = 0; i < m->count; i++) {
        struct manifest_slot *slot = &m->slots[i], *same = find_file(m, slot->file_hash);
        if (same) {
            snprintf(cause, sizeof cause, "the same file as in line %u", (unsigned)same->number);
            return complain(m, slot->number, -EINVAL, cause, why, why_size);
        }
        add_to_files(m, i);
    }
    for (size_t i = m->count; i > 0; i--) {
        uint32_t *chain = &m->urls[m->slots[i - 1].url_hash & (m->chains - 1)];
        m->slots[i - 1].next_url = *chain;
        *chain = (uint32_t)i;
    }
    return 0;
}

/* Takes one line, and then the newline that may follow it. */
static int take_line(struct manifest *m, const char *text, size_t len, int64_t start,
                     uint32_t number, char *why, size_t why_size)
{
    char cause[MANIFEST_WHY_SIZE];
    struct manifest_line line;

    if (len > MANIFEST_LINE_MAX)
        return complain(m, number, -EINVAL, "the line is too long", why, why_size);
    if (number == UINT32_MAX - 1)
        return complain(m, number, -EFBIG, "too many lines", why, why_size);
    if (manifest_line_read(&line, text, len, cause))
        return complain(m, number, -EINVAL, cause, why, why_size);
    int err = add_slot(m, &line, start, len, number);
    manifest_line_finish(&line);
    return err ? complain(m, number, err, whorl_strerror(err), why, why_size) : 0;
}

/* Reads all lines. `bytes` has room for one that is too long. */
static int read_lines(struct manifest *m, char *bytes, char *why, size_t why_size)
{
    size_t len = 0, size = MANIFEST_LINE_MAX + 2;
    int64_t start = 0; /* of `bytes` in the file */
    uint32_t number = 1;
    ssize_t n = 1;
    int err = 0;

    while (err == 0 && n > 0) {
        n = pread(m->fd, bytes + len, size - len, start + (int64_t)len);
        if (n < 0)
            return complain(m, 0, -errno, whorl_strerror(-errno), why, why_size);
        len += (size_t)n;
        size_t at = 0;
        while (err == 0 && at < len) {
            const char *end = memchr(bytes + at, '\n', len - at);
            size_t line = end ? (size_t)(end - bytes) - at : len - at;
            if (!end && n > 0 && line <= MANIFEST_LINE_MAX)
                break;
            err = take_line(m, bytes + at, line, start + (int64_t)at, number++, why, why_size);
            at += line + (end ? 1 : 0);
        }
        memmove(bytes, bytes + at, len - at);
        start += (int64_t)at;
        len -= at;
    }
    return err;
}

/* When a process is killed, the kernel may release its locks a moment later. */
static int lock(int fd)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    int err = -EWOULDBLOCK;

    for (int i = 0; i < LOCK_TRIES && err == -EWOULDBLOCK; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        err = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
    }
    return err == -EWOULDBLOCK ? -EBUSY : 0; /* there are file systems without locks */
}

/* Opens the file. With `is_new`, creates and locks it. Returns 0; 1 when another process has
 * replaced it before the lock was taken (UNTESTED: that takes some microseconds); -errno. */
static int open_old(struct manifest *m, bool is_new, struct stat *ret)
{
    const int flags = O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat now;

    m->fd = open(m->path, flags | (is_new ? O_RDWR | O_CREAT : O_RDONLY), 0666);
    int err = m->fd < 0 || fstat(m->fd, ret) < 0 ? -errno : 0;
    if (err || !is_new || !S_ISREG(ret->st_mode))
        return err;
    err = lock(m->fd);
    if (err == 0)
        err = stat(m->path, &now) < 0 || now.st_dev != ret->st_dev || now.st_ino != ret->st_ino;
    if (err == 1) {
        close(m->fd);
        m->fd = -1;
    }
    return err;
}

static int load(struct manifest *m, const char *path, bool is_new, char *why, size_t why_size)
{
    enum { TRIES_MAX = 100 };
    struct stat st;
    int err = 1;

    *m = (struct manifest){.path = path, .fd = -1, .new_fd = -1};
    for (int i = 0; i < TRIES_MAX && err == 1; i++)
        err = open_old(m, is_new, &st);
    if (err == 1 || err == -EBUSY)
        return complain(m, 0, -EBUSY, "another process uses it", why, why_size);
    if (err)
        return complain(m, 0, err, whorl_strerror(err), why, why_size);
    if (!S_ISREG(st.st_mode))
        return complain(m, 0, -EINVAL, "not a regular file", why, why_size);
    m->dev = st.st_dev;
    m->ino = st.st_ino;
    char *bytes = malloc(MANIFEST_LINE_MAX + 2);
    if (!bytes)
        return complain(m, 0, -ENOMEM, "out of memory", why, why_size);
    err = read_lines(m, bytes, why, why_size);
    free(bytes);
    return err ? err : make_chains(m, why, why_size);
}

int manifest_read(struct manifest *ret, const char *path, char *why, size_t why_size)
{
    return load(ret, path, false, why, why_size);
}

bool manifest_is_open(const struct manifest *manifest)
{
    return manifest->path;
}

/* Lookups */

int manifest_get(const struct manifest *manifest, size_t index, struct manifest_line *ret)
{
    const struct manifest_slot *slot = &manifest->slots[index];
    char why[MANIFEST_WHY_SIZE], *text = malloc(slot->len + 1);

    if (!text)
        return -ENOMEM;
    ssize_t n = pread(manifest->fd, text, slot->len, slot->start);
    int err = n < 0 ? -errno : n < (ssize_t)slot->len ? -EIO : 0;
    /* Another process may have changed the file meanwhile, so every value is checked again. */
    if (err == 0)
        err = manifest_line_read(ret, text, slot->len, why);
    free(text);
    return err;
}

/* The URL as a line has it. NULL: no memory. */
static char *clean_url(const char *url)
{
    size_t start, end;
    char *clean;

    if (!text_find_userinfo(url, &start, &end))
        return strdup(url);
    return asprintf(&clean, "%.*s***%s", (int)start, url, url + end) < 0 ? NULL : clean;
}

int manifest_find(struct manifest *m, const char *url,
                  bool (*accepts)(const void *arg, const char *file), const void *arg,
                  struct manifest_line *ret)
{
    char *clean = m->chains ? clean_url(url) : NULL;
    int err = m->chains && !clean ? -ENOMEM : 0, found = 0;
    uint64_t url_hash = clean ? hash(clean) : 0;

    for (uint32_t i = clean ? m->urls[url_hash & (m->chains - 1)] : 0; i && !found && err == 0;) {
        struct manifest_slot *slot = &m->slots[i - 1];
        i = slot->next_url;
        if (slot->url_hash != url_hash || slot->is_found || slot->is_replaced)
            continue;
        err = manifest_get(m, (size_t)(slot - m->slots), ret);
        if (err)
            break;
        found = strcmp(ret->url, clean) == 0 && accepts(arg, ret->file);
        slot->is_found = found;
        if (!found)
            manifest_line_finish(ret);
    }
    free(clean);
    return err ? err : found;
}

bool manifest_is_itself(const struct manifest *manifest, dev_t dev, ino_t ino)
{
    return manifest->path && manifest->dev == dev && manifest->ino == ino;
}

/* The new list */

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void flush(struct manifest *m)
{
    if (m->err == 0)
        m->err = m->text.failed ? -ENOMEM : write_all(m->new_fd, m->text.text, m->text.len);
    buffer_clear(&m->text);
}

void manifest_add(struct manifest *manifest, const struct manifest_line *line)
{
    struct manifest_slot *old = find_file(manifest, hash(line->file));
    struct manifest_line kept = *line;

    size_t len = manifest->text.len;

    if (!manifest_can_store(line->url) || !manifest_can_store(line->file) ||
        !manifest_can_store(line->final_url)) {
        manifest->lost++;
        return;
    }
    if (!manifest_can_store(kept.etag))
        kept.etag = NULL; /* RFC 9110 §8.8.3 allows any bytes from 0x80 on */
    if (!manifest_can_store(kept.modified))
        kept.modified = NULL;
    if (old)
        old->is_replaced = true;
    manifest_line_write(&manifest->text, &kept);
    if (manifest->text.len - len > MANIFEST_LINE_MAX) {
        manifest->text.len = len;
        manifest->lost++;
        return;
    }
    manifest->added++;
    flush(manifest); /* at once, so that a kill loses no line */
}

/* Copies the lines of `from` whose files have no newer line. */
static int copy_lines(struct manifest *to, const struct manifest *from)
{
    char *bytes = malloc(MANIFEST_LINE_MAX + 1);
    int err = bytes ? 0 : -ENOMEM;

    for (size_t i = 0; i < from->count && err == 0; i++) {
        const struct manifest_slot *slot = &from->slots[i];
        if (slot->is_replaced)
            continue;
        ssize_t n = pread(from->fd, bytes, slot->len, slot->start);
        bytes[slot->len] = '\n';
        err = n < 0 ? -errno : n < (ssize_t)slot->len ? -EIO : 0;
        if (err == 0)
            buffer_add(&to->text, bytes, slot->len + 1);
        if (to->text.len >= WRITE_BYTES)
            flush(to);
    }
    free(bytes);
    return err;
}

/* Adds the lines of the old list, and gives the new one its name. Returns 0 or -errno. */
static int finish_new(struct manifest *m)
{
    int err = copy_lines(m, m);

    flush(m);
    if (err == 0)
        err = m->err;
    if (err == 0 && fsync(m->new_fd) < 0)
        err = -errno;
    if (err == 0 && rename(m->new_path, m->path) < 0)
        err = -errno;
    if (err)
        return err;
    free(m->new_path);
    m->new_path = NULL;
    return 0;
}

int manifest_save(struct manifest *manifest)
{
    struct manifest *m = manifest;

    if (!m->new_path)
        return 0;
    if (m->added == 0)
        return m->err ? m->err : m->lost ? -EILSEQ : 0; /* the old list is the new one */
    int err = finish_new(m);
    return err ? err : m->lost ? -EILSEQ : 0;
}

void manifest_finish(struct manifest *manifest)
{
    struct manifest *m = manifest;

    if (!m->path)
        return;
    if (m->new_path)
        unlink(m->new_path);
    if (m->new_fd >= 0)
        close(m->new_fd);
    if (m->fd >= 0)
        close(m->fd);
    free(m->new_path);
    free(m->slots);
    free(m->urls);
    free(m->files);
    buffer_finish(&m->text);
    *m = (struct manifest){0};
}

/* Beginning a new list */

/* Makes the path of a temporary file beside the list. Returns NULL without memory. */
static char *path_beside(const struct manifest *m, const char *suffix)
{
    const char *slash = strrchr(m->path, '/'), *name = slash ? slash + 1 : m->path;
    char *path;

    return asprintf(&path, "%.*s.%.200s.%s", (int)(name - m->path), m->path, name, suffix) < 0
               ? NULL
               : path;
}

/* Creates the temporary file and locks it. The new list has the permissions of the old one. Returns
 * 0; -EEXIST; -errno. */
static int create_new(struct manifest *m, const char *suffix)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    char *path = path_beside(m, suffix);
    struct stat st;

    m->new_fd = path ? open(path, flags, 0600) : -1;
    if (m->new_fd < 0) {
        int err = path ? -errno : -ENOMEM;
        free(path);
        return err;
    }
    m->new_path = path;
    if (fstat(m->fd, &st) == 0 && fchmod(m->new_fd, st.st_mode & 0777) < 0)
        return -errno;
    return lock(m->new_fd);
}

/* The lines of a run that was killed */

/* Opens what it has left. Returns 0; -EBUSY; -EINVAL when it is no file that this user's run has
 * left; -errno. */
static int open_killed(struct manifest *killed, const char *path)
{
    struct stat st;

    killed->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (killed->fd < 0 || fstat(killed->fd, &st) < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1)
        return -EINVAL;
    return lock(killed->fd);
}

/* Reads the lines. One that is cut off or damaged is left out: its file is fetched again. */
static int read_killed(struct manifest *killed)
{
    int fd = dup(killed->fd), err = 0;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char *text = NULL, cause[MANIFEST_WHY_SIZE];
    struct manifest_line line;
    size_t size = 0;
    ssize_t n;

    for (int64_t start = 0; file && err == 0 && (n = getline(&text, &size, file)) > 0; start += n) {
        size_t len = (size_t)n - 1;
        if (text[len] != '\n' || len > MANIFEST_LINE_MAX || killed->count == UINT32_MAX - 2 ||
            manifest_line_read(&line, text, len, cause))
            continue;
        err = add_slot(killed, &line, start, len, 0);
        manifest_line_finish(&line);
    }
    if (!file || (err == 0 && ferror(file)))
        err = -errno;
    free(text);
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    return err;
}

/* Of several lines about a file, the last one counts. */
static int choose_lines(struct manifest *m, struct manifest *killed)
{
    killed->chains = 64;
    while (killed->chains < killed->count)
        killed->chains *= 2;
    killed->files = calloc(killed->chains, sizeof *killed->files);
    if (!killed->files)
        return -ENOMEM;
    for (size_t i = killed->count; i > 0; i--) {
        struct manifest_slot *slot = &killed->slots[i - 1];
        struct manifest_slot *old = find_file(m, slot->file_hash);
        slot->is_replaced = find_file(killed, slot->file_hash) != NULL;
        if (slot->is_replaced)
            continue;
        add_to_files(killed, i - 1);
        m->taken_over++;
        if (old)
            old->is_replaced = true;
    }
    return 0;
}

/* Makes the merged list. Returns 0 or -errno. */
static int merge(struct manifest *m, struct manifest *killed)
{
    char *path = path_beside(m, "merged");

    if (!path)
        return -ENOMEM;
    int err = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
    free(path);
    if (err == 0)
        err = read_killed(killed);
    if (err == 0)
        err = choose_lines(m, killed);
    if (err == 0)
        err = create_new(m, "merged");
    if (err == 0)
        err = copy_lines(m, killed);
    return err ? err : finish_new(m);
}

/* Takes over the lines of a run that was killed. Returns 0; -EBUSY; -EINVAL; -errno. */
static int take_over(struct manifest *m)
{
    struct manifest killed = {.path = m->path, .fd = -1, .new_fd = -1};
    char *path = path_beside(m, "new");
    int err = path ? open_killed(&killed, path) : -ENOMEM;

    if (err == 0)
        err = merge(m, &killed);
    if (err == 0 && unlink(path) < 0)
        err = -errno;
    free(path);
    manifest_finish(&killed);
    return err;
}

int manifest_open(struct manifest *ret, const char *path, char *why, size_t why_size)
{
    int err = load(ret, path, true, why, why_size);

    if (err)
        return err;
    err = create_new(ret, "new");
    if (err == -EEXIST) {
        err = take_over(ret);
        if (err == 0) {
            size_t taken_over = ret->taken_over;
            manifest_finish(ret);
            err = load(ret, path, true, why, why_size);
            if (err)
                return err;
            ret->taken_over = taken_over;
            err = create_new(ret, "new");
        }
    }
    if (err == -EBUSY || err == -EEXIST)
        return complain(ret, 0, -EBUSY, "another process uses it", why, why_size);
    if (err == -EINVAL)
        return complain(ret, 0, err, "what a run has left beside it is no file of this user", why,
                        why_size);
    return err ? complain(ret, 0, err, whorl_strerror(err), why, why_size) : 0;
}
