/* SPDX-License-Identifier: MIT */
/* What the user asks for, see command_line.h for how it is parsed. */
#ifndef WHORL_GET_OPTIONS_H
#define WHORL_GET_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/dial.h>
#include <whorl/http.h>
#include <whorl/tls.h>

/* What happens if the file of a download exists already, see existing.h. */
enum existing_policy {
    EXISTING_KEEP,      /* a number follows the name of the new file */
    EXISTING_CONTINUE,  /* -c: a file that is complete is not fetched again; else as KEEP */
    EXISTING_OVERWRITE, /* the new file replaces it */
    EXISTING_SKIP,      /* the URL is not fetched */
    EXISTING_UPDATE,    /* a newer file replaces it */
};

/* Strings point into argv or `config`, but for those that are owned. WHORL_FOREVER means no time
 * limit, and 0 means no size limit. */
struct options {
    char *const *urls;
    size_t urls_count;
    const char **lists; /* -i, in the order given; "-" is standard input */
    size_t lists_count;

    bool dry_run;

    char *queue; /* owned; --queue, checked already, see queue_url.h; NULL: none */

    const char *base; /* --base; a URL, checked already; NULL: none */

    const char *output;  /* -o; "-" is standard output */
    const char *pattern; /* -o with fields, see pattern.h; then `output` is NULL */
    bool header_names;   /* -J */
    const char *dir;     /* -d */

    bool force_directories; /* -x, and when links are followed: HOST/DIRS/NAME */

    /* Links, see mirror.h. */
    bool recursive, page_requisites;
    int level; /* links from the given URLs to the last files; -1: no limit */
    bool span_hosts, no_parent;
    const char *domains;         /* lists with commas; NULL: none */
    const char *accept, *reject; /* patterns */
    int files_max;               /* 0: no limit */
    int64_t quota;               /* bytes of all files; 0: no limit */
    bool no_robots, convert_links;
    const char **sitemaps; /* URLs, checked already */
    size_t sitemaps_count;

    int jobs, per_host, retries, redirects_max;
    int64_t limit_rate, limit_rate_each; /* bytes per second; 0: any */
    double rate;                         /* requests per second to a host; 0: any */
    int64_t timeout_ns, stall_timeout_ns, connect_timeout_ns;
    int64_t size_max;
    bool compressed, allow_downgrade, trust_redirects;
    enum existing_policy existing;
    bool is_existing_from_config; /* the command line may still choose another one */
    bool no_resume;               /* --no-continue: partial files are neither used nor kept */
    int split;                    /* connections for one large file; 0: as many as help */
    bool cleans;                  /* --clean: remove partial files that nothing explains */

    const char **checksums; /* --checksum, "KIND=HEX", checked already */
    size_t checksums_count;
    const char *checksum_file; /* NULL: none */

    const char *manifest;        /* file to read first, and to write at the end; NULL: none */
    const char *verify_manifest; /* compare the files of this manifest with the disk; NULL: none */

    const char *cacert;
    bool insecure;
    enum whorl_tls_library tls;
    enum whorl_tls_version tls_min;
    const char *cert, *key;
    const char **pins; /* NULL-terminated */
    size_t pins_count;
    char *proxy;            /* owned; NULL: the environment's; "": none */
    const char *no_proxy;   /* NULL: the environment's */
    const char **overrides; /* --resolve, checked already */
    size_t overrides_count;
    const char *local_addr, *interface; /* one of them for --interface; NULL: any */
    const char *unix_path;              /* NULL: none */
    int family;                         /* AF_INET, AF_INET6 or AF_UNSPEC */
    bool is_family_from_config;         /* the command line may still choose the other one */
    char *user;                         /* owned; -u as given, see user.h; NULL: none */
    const char *cookies;                /* file to read; NULL: none */
    const char *save_cookies;           /* file to write at the end; NULL: none */
    bool netrc;
    const char *netrc_file; /* NULL: ~/.netrc */
    enum whorl_http_version http;
    bool is_http_from_config; /* the command line may still choose another one */
    struct whorl_http_header *headers;
    size_t headers_count;
    const char *agent;

    /* The request, see ask.h. The values are copies, because those in argv are hidden. */
    const char *method; /* NULL: as the other fields say */
    char **data, **form;
    size_t data_count, form_count;
    char *json_data;
    const char *upload_file; /* "-" is standard input */
    bool head, show_headers;
    int64_t speed_min, speed_ns; /* bytes per second over this time; 0: no minimum */

    bool quiet, verbose, json;
    bool why_slow;
    const char *timeline; /* the SVG file to write at the end; NULL: none */
    const char *events;   /* where --events writes: "jsonl", "jsonl:FD", "jsonl:FILE"; NULL: none */

    const char *help_topic; /* with OPTIONS_HELP; "": the short help */
    const char *shell;      /* with OPTIONS_COMPLETION */
    char *config;           /* the text of the configuration file; owned */
};

/* Frees the memory. Overwrites secrets. */
void options_finish(struct options *options);

#endif
