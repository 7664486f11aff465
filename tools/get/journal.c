/* SPDX-License-Identifier: MIT */
/* The text of journals, see journal.h. */
#include "tools/get/journal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "tools/get/buffer.h"

static const char magic[] = "whorl-get 1";

void journal_finish(struct journal *journal)
{
    free(journal->url);
    free(journal->final_url);
    free(journal->etag);
    free(journal->modified);
    free(journal->digest.state);
    free(journal->synced_digest.state);
    ranges_finish(&journal->done);
    ranges_finish(&journal->synced);
    *journal = (struct journal){0};
}

int journal_digest_set(struct journal_digest *to, int64_t end, const char *state, size_t len)
{
    char *copy = strndup(state, len);

    free(to->state);
    *to = (struct journal_digest){copy ? end : 0, copy};
    return copy ? 0 : -ENOMEM;
}

void journal_drop_digests(struct journal *journal)
{
    free(journal->digest.state);
    free(journal->synced_digest.state);
    journal->digest = journal->synced_digest = (struct journal_digest){0};
}

/* Values */

static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return len > 0 && len <= JOURNAL_VALUE_MAX;
}

bool journal_can_store(const char *value)
{
    return is_plain(value, strlen(value));
}

static bool read_number(const char **p, const char *end, int64_t *ret)
{
    const char *start = *p;
    int64_t value = 0;

    for (; *p < end && **p >= '0' && **p <= '9'; ++*p)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, **p - '0', &value))
            return false;
    *ret = value;
    return *p > start;
}

/* Writing */

static uint32_t check_of(uint32_t before, const char *text, size_t len)
{
    return (uint32_t)crc32(before, (const unsigned char *)text, (unsigned)len);
}

/* Appends a line: "NAME VALUE". */
static void add_line(struct buffer *to, uint32_t *check, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value), len = name_len + 1 + value_len;
    char *room = buffer_room(to, 9 + len + 1);

    if (!room)
        return;
    char *text = room + 9;
    memcpy(text, name, name_len);
    text[name_len] = ' ';
    memcpy(text + name_len + 1, value, value_len);
    *check = check_of(*check, text, len);
    char sum[10];
    snprintf(sum, sizeof sum, "%08x ", *check);
    memcpy(room, sum, 9);
    text[len] = '\n';
    to->len += 9 + len + 1;
}

static void add_optional(struct buffer *to, uint32_t *check, const char *name, const char *value)
{
    if (value)
        add_line(to, check, name, value);
}

static void add_range(struct buffer *to, uint32_t *check, const char *name, struct range range)
{
    char value[48];

    snprintf(value, sizeof value, "%lld %lld", (long long)range.start, (long long)range.end);
    add_line(to, check, name, value);
}

void journal_add_done(struct buffer *to, uint32_t *check, struct range range)
{
    add_range(to, check, "done", range);
}

void journal_add_synced(struct buffer *to, uint32_t *check, struct range range)
{
    add_range(to, check, "synced", range);
}

void journal_add_digest(struct buffer *to, uint32_t *check, const struct journal_digest *digest)
{
    struct buffer value = {0};

    buffer_printf(&value, "%lld %s", (long long)digest->end, digest->state);
    to->failed |= value.failed;
    if (!value.failed)
        add_line(to, check, "digest", value.text);
    buffer_finish(&value);
}

static void add_digest(struct buffer *to, uint32_t *check, const struct journal_digest *digest)
{
    if (digest->state)
        journal_add_digest(to, check, digest);
}

void journal_add_all(struct buffer *to, uint32_t *check, const struct journal *journal)
{
    char length[24];

    snprintf(length, sizeof length, "%lld", (long long)journal->length);
    add_line(to, check, "whorl-get", magic + sizeof "whorl-get");
    add_line(to, check, "url", journal->url);
    add_optional(to, check, "final", journal->final_url);
    add_optional(to, check, "etag", journal->etag);
    add_optional(to, check, "modified", journal->modified);
    add_line(to, check, "length", length);
    add_line(to, check, "boot", journal->boot);
    for (size_t i = 0; i < journal->synced.count; i++)
        journal_add_synced(to, check, journal->synced.items[i]);
    add_digest(to, check, &journal->synced_digest);
    for (size_t i = 0; i < journal->done.count; i++)
        journal_add_done(to, check, journal->done.items[i]);
    add_digest(to, check, &journal->digest);
}

/* Reading */

/* A line without its checksum. */
struct line {
    const char *text, *value; /* `value` is behind the first space */
    size_t len, value_len;
};

/* Takes the next line. Returns false at the end and at a damaged line. */
static bool next_line(const char **p, const char *end, uint32_t *check, struct line *ret)
{
    const char *stop = memchr(*p, '\n', (size_t)(end - *p));
    char sum[10];

    if (!stop || stop - *p < 9)
        return false;
    ret->text = *p + 9;
    ret->len = (size_t)(stop - ret->text);
    uint32_t expected = check_of(*check, ret->text, ret->len);
    snprintf(sum, sizeof sum, "%08x ", expected);
    const char *space = memchr(ret->text, ' ', ret->len);
    if (memcmp(sum, *p, 9) != 0 || !space)
        return false;
    ret->value = space + 1;
    ret->value_len = (size_t)(stop - ret->value);
    *check = expected;
    *p = stop + 1;
    return is_plain(ret->value, ret->value_len);
}

static bool is_named(const struct line *line, const char *name)
{
    size_t len = strlen(name);

    return line->value - line->text == (ptrdiff_t)len + 1 && memcmp(line->text, name, len) == 0;
}

/* Copies the value of a line to `*ret`. Returns 0; -EBADMSG when there is a value already; or
 * -ENOMEM. */
static int copy_value(const struct line *line, char **ret)
{
    if (*ret)
        return -EBADMSG;
    *ret = strndup(line->value, line->value_len);
    return *ret ? 0 : -ENOMEM;
}

static int read_length(const struct line *line, int64_t *ret)
{
    const char *p = line->value, *end = p + line->value_len;

    if (*ret > 0 || !read_number(&p, end, ret) || p != end || *ret == 0)
        return -EBADMSG;
    return 0;
}

static int read_boot(const struct line *line, char boot[JOURNAL_BOOT_SIZE])
{
    if (boot[0] || line->value_len >= JOURNAL_BOOT_SIZE)
        return -EBADMSG;
    memcpy(boot, line->value, line->value_len);
    return 0;
}

/* Reads a line of the part that says which file it is. Returns 0; 1 for `boot`, the last line of
 * this part; -EBADMSG; or -ENOMEM. */
static int read_identity(struct journal *journal, const struct line *line)
{
    if (is_named(line, "url"))
        return copy_value(line, &journal->url);
    if (is_named(line, "final"))
        return copy_value(line, &journal->final_url);
    if (is_named(line, "etag"))
        return copy_value(line, &journal->etag);
    if (is_named(line, "modified"))
        return copy_value(line, &journal->modified);
    if (is_named(line, "length"))
        return read_length(line, &journal->length);
    if (!is_named(line, "boot") || read_boot(line, journal->boot))
        return -EBADMSG;
    return 1;
}

static int read_range(const struct line *line, int64_t length, struct ranges *ranges)
{
    const char *p = line->value, *end = p + line->value_len;
    int64_t from, to;

    if (!read_number(&p, end, &from) || p == end || *p++ != ' ' || !read_number(&p, end, &to) ||
        p != end || from >= to || to > length || ranges->count >= JOURNAL_RANGES_MAX)
        return -EBADMSG;
    return ranges_add(ranges, from, to);
}

/* The end of the first bytes that are in one of the sets. */
static int64_t end_of_first(const struct ranges *a, const struct ranges *b)
{
    int64_t before, end = 0;

    do {
        before = end;
        end = ranges_until(b, ranges_until(a, before));
    } while (end > before);
    return end;
}

/* A state of bytes that no line claims is as bad as a damaged line. */
static int read_digest(struct journal *journal, const struct line *line)
{
    const char *p = line->value, *end = p + line->value_len;
    int64_t covered;

    if (!read_number(&p, end, &covered) || p == end || *p++ != ' ' || p == end || covered == 0 ||
        covered > end_of_first(&journal->done, &journal->synced))
        return -EBADMSG;
    int err = 0;
    if (covered >= journal->digest.end)
        err = journal_digest_set(&journal->digest, covered, p, (size_t)(end - p));
    if (err == 0 && covered <= ranges_until(&journal->synced, 0))
        err = journal_digest_set(&journal->synced_digest, covered, p, (size_t)(end - p));
    return err;
}

/* Reads a line behind the identity. Lines of unknown names are ignored: a later version may have
 * written them. */
static int read_record(struct journal *journal, const struct line *line)
{
    if (is_named(line, "done"))
        return read_range(line, journal->length, &journal->done);
    if (is_named(line, "synced"))
        return read_range(line, journal->length, &journal->synced);
    return is_named(line, "digest") ? read_digest(journal, line) : 0;
}

static int read_all(struct journal *journal, struct journal_end *at, const char *text, size_t len)
{
    const char *p = text, *end = text + len;
    struct line line;
    int err;

    if (!next_line(&p, end, &at->check, &line) || line.len != sizeof magic - 1 ||
        memcmp(line.text, magic, line.len) != 0)
        return -EBADMSG;
    do
        err = next_line(&p, end, &at->check, &line) ? read_identity(journal, &line) : -EBADMSG;
    while (err == 0);
    if (err < 0)
        return err;
    if (!journal->url || journal->length == 0 || (!journal->etag && !journal->modified))
        return -EBADMSG;
    at->size = p - text;
    for (uint32_t check = at->check; next_line(&p, end, &check, &line); at->check = check) {
        err = read_record(journal, &line);
        if (err < 0)
            return err == -EBADMSG ? 0 : err;
        at->size = p - text;
    }
    return 0;
}

/* Leaves out what a restart of the machine may have lost. Returns 0 or -ENOMEM. */
static int keep_durable(struct journal *journal)
{
    const struct journal_digest *durable = &journal->synced_digest;

    ranges_clear(&journal->done);
    free(journal->digest.state);
    journal->digest = (struct journal_digest){0};
    return durable->state ? journal_digest_set(&journal->digest, durable->end, durable->state,
                                               strlen(durable->state))
                          : 0;
}

int journal_read(struct journal *ret, struct journal_end *ret_end, const char *text, size_t len,
                 const char *boot)
{
    struct journal journal = {0};
    struct journal_end end = {0};
    int err = read_all(&journal, &end, text, len);

    if (err == 0 && strcmp(journal.boot, boot) != 0)
        err = keep_durable(&journal);
    if (err == 0)
        err = ranges_add_all(&journal.done, &journal.synced);
    if (err) {
        journal_finish(&journal);
        return err;
    }
    *ret = journal;
    *ret_end = end;
    return 0;
}
