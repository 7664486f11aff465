/* SPDX-License-Identifier: MIT */
/* The hosts file: parsed once, kept until it changes. The parser and the table do no I/O. */
#ifndef IO_DNS_HOSTS_H
#define IO_DNS_HOSTS_H

#include <sys/stat.h>

#include "io/dns/ip.h"

struct dns_hosts_table;

/* Parses the text of a hosts file, see hosts(5). Lines and names that make no sense are passed over,
 * as everybody does. Returns 0, or -ENOMEM. Copies `text`. */
int dns_hosts_parse(const char *text, size_t len, struct dns_hosts_table **ret);
void dns_hosts_table_destroy(struct dns_hosts_table *table);

/* Writes the addresses of `name` (lower case, with or without a trailing dot) and one family into
 * `ret`, in the order of the file and each once. Returns their number, which may be 0; -ENOENT when
 * the file does not have the name at all. Accepts a NULL table. */
int dns_hosts_find(const struct dns_hosts_table *table, const char *name, int family,
                   struct dns_ip ret[static DNS_IPS_MAX]);

/* A state of a file on disk: what tells that it was changed. */
struct dns_file_state {
    struct timespec mtime;
    dev_t dev;
    ino_t ino;
    off_t size;
    bool exists;
};

/* The state of the file now. Never fails: what cannot be seen does not exist. */
struct dns_file_state dns_file_state(const char *path);
bool dns_file_state_equal(const struct dns_file_state *a, const struct dns_file_state *b);

/* Zero-initialised but for the path. */
struct dns_hosts {
    const char *path;              /* borrowed */
    struct dns_hosts_table *table; /* NULL while there is no such file */
    struct dns_file_state state;   /* of the file that `table` was made from */
    int64_t checked_ns;
    bool checked;
};

/* Reads the file again if it changed; looks at most once a second. Returns 0, or -ENOMEM with the
 * old table kept. A file that cannot be read counts as empty. */
int dns_hosts_refresh(struct dns_hosts *hosts, int64_t now_ns);
void dns_hosts_finish(struct dns_hosts *hosts);

#endif
