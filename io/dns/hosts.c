/* SPDX-License-Identifier: MIT */
/* The hosts file: parsed once and kept until it changes. */
#include "io/dns/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/dns/name.h"

/* Block lists of half a million lines are in use. A larger file is not a hosts file. */
#define HOSTS_SIZE_MAX ((off_t)64 << 20)

/* The least time between two checks whether the file has changed. */
#define CHECK_INTERVAL_NS WHORL_SECOND

#define NO_RECORD UINT32_MAX

/* One name of one line. */
struct record {
    const char *name; /* in the table's text; lower case, no trailing dot */
    uint32_t next;    /* in the same bucket, in the order of the file */
    struct dns_ip ip;
};

struct dns_hosts_table {
    char *text; /* the file, split into strings */
    struct record *records;
    uint32_t *buckets; /* index of the first record of each bucket; NO_RECORD: empty */
    size_t record_count;
    uint32_t bucket_mask;
};

static uint32_t hash_name(const char *name, size_t len)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Takes the next word from the line that ends at `end`; NULL when there is none. */
static char *next_word(char **pos, char *end)
{
    char *word = *pos;

    while (word < end && is_blank(*word))
        word++;
    if (word == end)
        return NULL;
    char *stop = word;
    while (stop < end && !is_blank(*stop))
        stop++;
    *pos = stop < end ? stop + 1 : end;
    *stop = '\0';
    return word;
}

/* Adds the records of one line to the table, which has room for them. */
static void take_line(struct dns_hosts_table *table, char *line, char *end)
{
    struct dns_ip ip;
    char *comment = memchr(line, '#', (size_t)(end - line));

    if (comment)
        end = comment;
    char *word = next_word(&line, end);
    if (!word || dns_ip_parse(word, &ip) != 0)
        return;
    while ((word = next_word(&line, end)) != NULL) {
        char name[DNS_NAME_SIZE];
        if (dns_name_prepare(word, name) < 0)
            continue;
        size_t len = strlen(name);
        if (name[len - 1] == '.')
            name[--len] = '\0';
        memcpy(word, name, len + 1);
        table->records[table->record_count++] = (struct record){.name = word, .ip = ip};
    }
}

/* An upper bound of the number of names in `text`: the number of words that follow a blank. */
static size_t count_names(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 1; i < len; i++)
        n += is_blank(text[i - 1]) && !is_blank(text[i]) && text[i] != '\n';
    return n;
}

/* Fills the buckets. It starts with the last record, so each chain has the order of the file. */
static void link_records(struct dns_hosts_table *table)
{
    for (size_t i = 0; i <= table->bucket_mask; i++)
        table->buckets[i] = NO_RECORD;
    for (size_t i = table->record_count; i-- > 0;) {
        struct record *record = &table->records[i];
        uint32_t *bucket =
            &table->buckets[hash_name(record->name, strlen(record->name)) & table->bucket_mask];
        record->next = *bucket;
        *bucket = (uint32_t)i;
    }
}

int dns_hosts_parse(const char *text, size_t len, struct dns_hosts_table **ret)
{
    struct dns_hosts_table *table = calloc(1, sizeof *table);
    size_t names = count_names(text, len), buckets = 16;

    if (!table)
        return -ENOMEM;
    while (buckets < names)
        buckets *= 2;
    table->bucket_mask = (uint32_t)(buckets - 1);
    table->text = malloc(len + 1);
    table->records = malloc((names + 1) * sizeof *table->records);
    table->buckets = malloc(buckets * sizeof *table->buckets);
    if (!table->text || !table->records || !table->buckets) {
        dns_hosts_table_destroy(table);
        return -ENOMEM;
    }
    memcpy(table->text, text, len);
    table->text[len] = '\0';
    for (char *line = table->text, *end = line + len; line < end;) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        char *line_end = newline ? newline : end;
        take_line(table, line, line_end);
        line = line_end + 1;
    }
    link_records(table);
    *ret = table;
    return 0;
}

void dns_hosts_table_destroy(struct dns_hosts_table *table)
{
    if (!table)
        return;
    free(table->text);
    free(table->records);
    free(table->buckets);
    free(table);
}

static bool contains(const struct dns_ip *ips, int count, const struct dns_ip *ip)
{
    for (int i = 0; i < count; i++)
        if (dns_ip_equal(&ips[i], ip))
            return true;
    return false;
}

int dns_hosts_find(const struct dns_hosts_table *table, const char *name, int family,
                   struct dns_ip ret[static DNS_IPS_MAX])
{
    size_t len = strlen(name);
    bool known = false;
    int n = 0;

    if (!table)
        return -ENOENT;
    if (len > 0 && name[len - 1] == '.')
        len--;
    for (uint32_t i = table->buckets[hash_name(name, len) & table->bucket_mask]; i != NO_RECORD;
         i = table->records[i].next) {
        const struct record *record = &table->records[i];
        if (strncmp(record->name, name, len) != 0 || record->name[len] != '\0')
            continue;
        known = true;
        if (record->ip.family == family && n < DNS_IPS_MAX && !contains(ret, n, &record->ip))
            ret[n++] = record->ip;
    }
    return known ? n : -ENOENT;
}

static struct dns_file_state state_of(const struct stat *st)
{
    return (struct dns_file_state){.mtime = st->st_mtim,
                                   .dev = st->st_dev,
                                   .ino = st->st_ino,
                                   .size = st->st_size,
                                   .exists = true};
}

struct dns_file_state dns_file_state(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return (struct dns_file_state){0};
    return state_of(&st);
}

bool dns_file_state_equal(const struct dns_file_state *a, const struct dns_file_state *b)
{
    return a->exists == b->exists && a->mtime.tv_sec == b->mtime.tv_sec &&
           a->mtime.tv_nsec == b->mtime.tv_nsec && a->dev == b->dev && a->ino == b->ino &&
           a->size == b->size;
}

/* Reads the whole file with blocking calls: it is short and local, and is read once per change, so
 * requests to the driver are not worthwhile. Returns its text, or NULL. `*ret_err` is -ENOMEM when
 * there is no memory for the text, and 0 otherwise. */
static char *read_file(const char *path, size_t *ret_len, struct dns_file_state *ret_state,
                       int *ret_err)
{
    struct stat st;
    char *text = NULL;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    *ret_err = 0;
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > HOSTS_SIZE_MAX)
        goto out;
    text = malloc((size_t)st.st_size + 1);
    if (!text) {
        *ret_err = -ENOMEM;
        goto out;
    }
    while (len < (size_t)st.st_size) {
        ssize_t n = read(fd, text + len, (size_t)st.st_size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    *ret_state = state_of(&st);
out:
    close(fd);
    return text;
}

int dns_hosts_refresh(struct dns_hosts *hosts, int64_t now_ns)
{
    if (hosts->checked && now_ns - hosts->checked_ns < CHECK_INTERVAL_NS)
        return 0;

    struct dns_file_state state = dns_file_state(hosts->path);
    if (!hosts->checked || !dns_file_state_equal(&state, &hosts->state)) {
        struct dns_hosts_table *table = NULL;
        size_t len;
        int err;
        char *text = read_file(hosts->path, &len, &state, &err);
        if (text)
            err = dns_hosts_parse(text, len, &table);
        free(text);
        if (err)
            return err;
        dns_hosts_table_destroy(hosts->table);
        hosts->table = table;
        hosts->state = state;
    }
    hosts->checked = true;
    hosts->checked_ns = now_ns;
    return 0;
}

void dns_hosts_finish(struct dns_hosts *hosts)
{
    dns_hosts_table_destroy(hosts->table);
    hosts->table = NULL;
}
