/* SPDX-License-Identifier: MIT */
/* The hosts file: parsed once and kept until it changes. The parser and the table do no I/O. */
#ifndef IO_DNS_HOSTS_H
#define IO_DNS_HOSTS_H

#include <sys/stat.h>

#include "io/dns/ip.h"

struct dns_hosts_table;

/* Parses the text of a hosts file, see hosts(5). Invalid lines and names are skipped, as other
 * resolvers do. Returns 0, or -ENOMEM. Copies `text`. */
int dns_hosts_parse(const char *text, size_t len, struct dns_hosts_table **ret);
void dns_hosts_table_destroy(struct dns_hosts_table *table);

/* Writes the addresses of `name` (lower case, with or without a trailing dot) in one family into
 * `ret`, in the order of the file and without duplicates. Returns their number, which may be 0;
 * -ENOENT when the file does not have the name in any family. Accepts a NULL table. */
int dns_hosts_find(const struct dns_hosts_table *table, const char *name, int family,
                   struct dns_ip ret[static DNS_IPS_MAX]);

/* The state of a file on disk. It differs when the file was changed. */
struct dns_file_state {
    struct timespec mtime;
    dev_t dev;
    ino_t ino;
    off_t size;
    bool exists;
};

/* The current state of a file. Never fails: a file that stat(2) cannot read does not exist. */
struct dns_file_state dns_file_state(const char *path);
bool dns_file_state_equal(const struct dns_file_state *a, const struct dns_file_state *b);

/* Must be zero-initialised, except `path`. */
struct dns_hosts {
    const char *path;              /* borrowed */
    struct dns_hosts_table *table; /* NULL while the file cannot be read */
    struct dns_file_state state;   /* of the file when it was parsed into `table` */
    int64_t checked_ns;
    bool checked;
};

/* Reads the file again if it has changed; checks that at most once per second. Returns 0, or
 * -ENOMEM with the old table kept. A file that cannot be read counts as empty. */
int dns_hosts_refresh(struct dns_hosts *hosts, int64_t now_ns);
void dns_hosts_finish(struct dns_hosts *hosts);

#endif
