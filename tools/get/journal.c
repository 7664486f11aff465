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
    free(journal->digest);
    ranges_finish(&journal->done);
    ranges_finish(&journal->synced);
    *journal = (struct journal){0};
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

void journal_add_digest(struct buffer *to, uint32_t *check, const char *state)
{
    add_line(to, check, "digest", state);
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
    for (size_t i = 0; i < journal->done.count; i++)
        journal_add_done(to, check, journal->done.items[i]);
    add_optional(to, check, "digest", journal->digest);
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

/* Reads a line behind the identity. Lines of unknown names are ignored: a later version may have
 * written them. */
static int read_record(struct journal *journal, const struct line *line)
{
    if (is_named(line, "done"))
        return read_range(line, journal->length, &journal->done);
    if (is_named(line, "synced"))
        return read_range(line, journal->length, &journal->synced);
    if (!is_named(line, "digest"))
        return 0;
    free(journal->digest);
    journal->digest = NULL;
    return copy_value(line, &journal->digest);
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

int journal_read(struct journal *ret, struct journal_end *ret_end, const char *text, size_t len,
                 const char *boot)
{
    struct journal journal = {0};
    struct journal_end end = {0};
    int err = read_all(&journal, &end, text, len);

    if (err == 0 && strcmp(journal.boot, boot) != 0) {
        ranges_clear(&journal.done);
        free(journal.digest);
        journal.digest = NULL;
    }
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
