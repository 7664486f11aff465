/* SPDX-License-Identifier: MIT */
/* The options and how each takes its value, see option_rows.h. */
#include "tools/get/option_rows.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/url.h>

#include "tools/get/events_json.h"
#include "tools/get/form_field.h"
#include "tools/get/hash.h"
#include "tools/get/pattern.h"
#include "tools/get/queue.h"
#include "tools/get/queue_url.h"
#include "tools/get/text.h"
#include "tools/get/user.h"

enum {
    LEVEL_MAX = 10000,
    SPLIT_MAX = 64,
    JOBS_MAX = 100000,
    RETRIES_MAX = 1000,
    REDIRECTS_MAX = 1000
};

const struct option_topic_row option_topics[TOPIC_COUNT] = {
    [TOPIC_FILES] = {"files", "Where URLs come from, and where their bodies go"},
    [TOPIC_LINKS] = {"links", "Which links of pages are followed"},
    [TOPIC_TRANSFER] = {"transfer", "How many at once, retries, limits"},
    [TOPIC_REQUEST] = {"request", "What is sent to the server"},
    [TOPIC_NETWORK] = {"network", "How connections are made"},
    [TOPIC_TLS] = {"tls", "Certificates and versions of TLS"},
    [TOPIC_LOGIN] = {"login", "Credentials and cookies"},
    [TOPIC_OUTPUT] = {"output", "What is printed"},
    [TOPIC_OTHER] = {"other", "Help and configuration"},
};

bool option_complain(struct option_call *call, const char *format, ...)
{
    char raw[512];
    va_list args;

    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_escape(call->why, call->why_size, raw, strlen(raw));
    return false;
}

/* --- simple kinds: each stores into the field at `offset` --- */

static void *field(const struct option_call *call)
{
    return (char *)call->options + call->row->offset;
}

static bool take_flag(struct option_call *call)
{
    *(bool *)field(call) = true;
    return true;
}

static bool take_text(struct option_call *call)
{
    *(const char **)field(call) = call->value;
    return true;
}

static bool take_name(struct option_call *call)
{
    const char *what = call->row->values == VALUES_DIR ? "directory" : "file";

    return *call->value ? take_text(call)
                        : option_complain(call, "--%s needs a %s name", call->row->name, what);
}

static bool take_number(struct option_call *call)
{
    const struct option_row *row = call->row;
    int err = text_parse_int(call->value, row->min, row->max, field(call));

    return err ? option_complain(call, "--%s needs a whole number from %d to %d, not '%s'",
                                 row->name, row->min, row->max, call->shown)
               : true;
}

/* A time of 0 means no limit. */
static bool take_time(struct option_call *call)
{
    int64_t *ret = field(call);
    int err = text_parse_time(call->value, ret);

    if (err == -ERANGE)
        return option_complain(call, "--%s: '%s' is too long", call->row->name, call->shown);
    if (err)
        return option_complain(call, "--%s needs a time such as 30, 1.5s, 200ms or 5m, not '%s'",
                               call->row->name, call->shown);
    if (*ret == 0)
        *ret = WHORL_FOREVER;
    return true;
}

static bool take_size(struct option_call *call)
{
    int64_t *ret = field(call);
    int err = text_parse_size(call->value, ret);

    if (err == -ERANGE)
        return option_complain(call, "--%s: '%s' is too large", call->row->name, call->shown);
    if (err)
        return option_complain(call, "--%s needs a size such as 500, 20k, 1.5M or 3G, not '%s'",
                               call->row->name, call->shown);
    if (*ret == 0)
        return option_complain(call, "--%s must be more than 0", call->row->name);
    return true;
}

/* Makes room for one more element, and a zeroed one after it. Returns NULL when there is no
 * memory. */
static void *grow(void *array, size_t count, size_t size)
{
    void *grown = reallocarray(array, count + 2, size);

    if (grown)
        memset((char *)grown + count * size, 0, 2 * size);
    return grown;
}

static bool add_text(struct option_call *call, const char ***array, size_t *count)
{
    const char **grown = grow(*array, *count, sizeof **array);

    if (!grown)
        return option_complain(call, "out of memory");
    *array = grown;
    grown[(*count)++] = call->value;
    return true;
}

/* --- options of their own kind --- */

static bool take_input(struct option_call *call)
{
    return add_text(call, &call->options->lists, &call->options->lists_count);
}

static bool take_output(struct option_call *call)
{
    const char *why;
    int has_fields = pattern_check(call->value, &why);

    if (call->is_repeated)
        return option_complain(call, "--output may be given only once");
    if (has_fields < 0)
        return option_complain(call, "--output %s: %s", call->shown, why);
    if (has_fields == 0)
        return take_name(call);
    call->options->pattern = call->value;
    return true;
}

static bool take_base(struct option_call *call)
{
    WHORL_AUTO(url) url = {0};
    struct whorl_error error = {0};

    if (whorl_url_parse(call->value, &error, &url))
        return option_complain(call, "--base: %s", error.text);
    call->options->base = call->value;
    return true;
}

static bool take_sitemap(struct option_call *call)
{
    WHORL_AUTO(url) url = {0};
    struct whorl_error error = {0};

    if (whorl_url_parse(call->value, &error, &url))
        return option_complain(call, "--sitemap: %s", error.text);
    return add_text(call, &call->options->sitemaps, &call->options->sitemaps_count);
}

/* 0 means no limit. */
static bool take_level(struct option_call *call)
{
    if (!take_number(call))
        return false;
    call->options->level = call->options->level ? call->options->level : -1;
    return true;
}

/* The options that say what happens to existing files. The command line replaces what the
 * configuration file says. */
static bool take_existing(struct option_call *call, enum existing_policy policy)
{
    static const char *const names[] = {
        [EXISTING_CONTINUE] = "continue",
        [EXISTING_OVERWRITE] = "overwrite",
        [EXISTING_SKIP] = "skip-existing",
        [EXISTING_UPDATE] = "update",
    };
    struct options *options = call->options;
    enum existing_policy before = options->existing;

    if (before && before != policy && options->is_existing_from_config == call->is_from_config)
        return option_complain(call, "--%s and --%s cannot be used together", names[before],
                               names[policy]);
    options->existing = policy;
    options->is_existing_from_config = call->is_from_config;
    return true;
}

static bool take_continue(struct option_call *call)
{
    return take_existing(call, EXISTING_CONTINUE);
}

static bool take_overwrite(struct option_call *call)
{
    return take_existing(call, EXISTING_OVERWRITE);
}

static bool take_skip_existing(struct option_call *call)
{
    return take_existing(call, EXISTING_SKIP);
}

static bool take_update(struct option_call *call)
{
    return take_existing(call, EXISTING_UPDATE);
}

static bool take_rate(struct option_call *call)
{
    char *end;
    double rate = strtod(call->value, &end);

    if (!isdigit((unsigned char)call->value[0]) || *end || !(rate >= 0.001 && rate <= 1e6))
        return option_complain(call, "--rate needs a number from 0.001 to 1000000, not '%s'",
                               call->shown);
    call->options->rate = rate;
    return true;
}

static bool take_pin(struct option_call *call)
{
    return add_text(call, &call->options->pins, &call->options->pins_count);
}

static bool take_checksum(struct option_call *call)
{
    const char *equals = strchr(call->value, '=');
    enum hash_kind kind;

    if (!equals || !hash_find(call->value, (size_t)(equals - call->value), &kind))
        return option_complain(call,
                               "--checksum needs md5, sha1, sha256 or sha512, '=' and the hash, "
                               "not '%s'",
                               call->shown);
    if (!hash_is_hex(kind, equals + 1))
        return option_complain(call, "--checksum: %s has %zu hexadecimal digits, not '%s'",
                               hash_name(kind), 2 * hash_size(kind), equals + 1);
    return add_text(call, &call->options->checksums, &call->options->checksums_count);
}

static bool take_tls(struct option_call *call)
{
    bool is_openssl = strcmp(call->value, "openssl") == 0;

    call->options->tls = is_openssl ? WHORL_TLS_OPENSSL : WHORL_TLS_BEARSSL;
    return is_openssl || strcmp(call->value, "bearssl") == 0
               ? true
               : option_complain(call, "--tls needs bearssl or openssl, not '%s'", call->shown);
}

static bool take_tls_min(struct option_call *call)
{
    bool is_1_3 = strcmp(call->value, "1.3") == 0;

    call->options->tls_min = is_1_3 ? WHORL_TLS_1_3 : WHORL_TLS_1_2;
    return is_1_3 || strcmp(call->value, "1.2") == 0
               ? true
               : option_complain(call, "--tls-min needs 1.2 or 1.3, not '%s'", call->shown);
}

/* The command line replaces what the configuration file says. */
static bool take_http(struct option_call *call, enum whorl_http_version version)
{
    struct options *options = call->options;

    if (options->http && !options->is_http_from_config)
        return option_complain(call,
                               "--http1.1 and --http2 may be given only once, and not together");
    options->http = version;
    options->is_http_from_config = call->is_from_config;
    return true;
}

static bool take_http1(struct option_call *call)
{
    return take_http(call, WHORL_HTTP_1);
}

static bool take_http2(struct option_call *call)
{
    return take_http(call, WHORL_HTTP_2);
}

static bool take_header(struct option_call *call)
{
    struct options *options = call->options;
    struct whorl_http_header header;
    const char *cause;

    if (text_parse_header(call->value, &header, &cause))
        return option_complain(call, "--header %s, not '%s'", cause, call->shown);
    struct whorl_http_header *grown =
        grow(options->headers, options->headers_count, sizeof *options->headers);
    if (!grown)
        return option_complain(call, "out of memory");
    options->headers = grown;
    grown[options->headers_count++] = header;
    return true;
}

static bool take_agent(struct option_call *call)
{
    for (const char *p = call->value; *p; p++)
        if (iscntrl((unsigned char)*p))
            return option_complain(call, "--user-agent must not contain control bytes");
    call->options->agent = call->value;
    return true;
}

/* Copies the URL, and hides the name and the password in the process list. */
static bool take_proxy(struct option_call *call)
{
    char *text = call->value, *start = strstr(text, "://"), *at = strrchr(text, '@');

    free(call->options->proxy);
    call->options->proxy = strdup(text);
    if (!call->options->proxy)
        return option_complain(call, "out of memory");
    start = start && at && start < at ? start + 3 : text;
    if (at)
        memset(start, '*', (size_t)(at - start));
    return true;
}

/* Copies the URL, and hides the user and the password in the process list. */
static bool take_queue(struct option_call *call)
{
    char *text = call->value, *start = strstr(text, "://"), *at = strrchr(text, '@');
    char why[QUEUE_URL_WHY_SIZE];
    struct queue_url url;
    int err = queue_url_parse(&url, text, why);

    queue_url_finish(&url);
    user_wipe(call->options->queue);
    call->options->queue = strdup(text);
    if (at) {
        start = start && start < at ? start + 3 : text;
        memset(start, '*', (size_t)(at - start));
    }
    if (err)
        return option_complain(call, "--queue: the URL %s", why);
    if (!queue_is_possible())
        return option_complain(call, "--queue: this whorl-get was built without hiredis");
    return call->options->queue ? true : option_complain(call, "out of memory");
}

static bool take_resolve(struct option_call *call)
{
    const char *value = call->value;
    const struct whorl_dial_options dial = {.overrides = &value, .overrides_count = 1};
    struct whorl_error error;

    if (whorl_dial_options_check(&dial, &error))
        return option_complain(call, "--resolve: %s", error.text);
    return add_text(call, &call->options->overrides, &call->options->overrides_count);
}

/* The command line replaces what the configuration file says. */
static bool take_family(struct option_call *call, int family)
{
    struct options *options = call->options;

    if (options->family && options->family != family && !options->is_family_from_config)
        return option_complain(call, "-4 and -6 cannot be used together");
    options->family = family;
    options->is_family_from_config = call->is_from_config;
    return true;
}

static bool take_ipv4(struct option_call *call)
{
    return take_family(call, AF_INET);
}

static bool take_ipv6(struct option_call *call)
{
    return take_family(call, AF_INET6);
}

static bool take_interface(struct option_call *call)
{
    struct options *options = call->options;
    struct whorl_addr addr;
    bool is_addr = whorl_addr_parse(call->value, 0, &addr) == 0;
    const struct whorl_dial_options dial = {.interface = is_addr ? NULL : call->value};

    if (whorl_dial_options_check(&dial, NULL))
        return option_complain(call,
                               "--interface needs the name of a network interface or a local "
                               "address, not '%s'",
                               call->shown);
    options->local_addr = is_addr ? call->value : NULL;
    options->interface = is_addr ? NULL : call->value;
    return true;
}

static bool take_unix_socket(struct option_call *call)
{
    const struct whorl_dial_options dial = {.unix_path = call->value};
    int err = whorl_dial_options_check(&dial, NULL);

    if (err == -ENAMETOOLONG)
        return option_complain(call, "--unix-socket: '%s' is too long for a Unix socket",
                               call->shown);
    return err ? option_complain(call, "--unix-socket needs a path") : take_text(call);
}

/* Copies the name and the password, and hides the password in the process list. */
static bool take_user(struct option_call *call)
{
    char *text = call->value, *colon = *text == '@' ? NULL : strchr(text, ':');

    user_wipe(call->options->user);
    call->options->user = strdup(text);
    if (!call->options->user)
        return option_complain(call, "out of memory");
    if (colon)
        memset(colon + 1, '*', strlen(colon + 1));
    return *text ? true : option_complain(call, "--user needs a name");
}

/* Copies a value that may be a secret. In the process list, it is hidden from `start` on, unless it
 * names a file. Returns NULL after option_complain(). */
static char *copy_and_hide(struct option_call *call, char *start)
{
    char *copy = strdup(call->value);

    if (!copy)
        option_complain(call, "out of memory");
    else if (*start != '@')
        memset(start, '*', strlen(start));
    return copy;
}

static bool add_copy(struct option_call *call, char *start, char ***array, size_t *count)
{
    char **grown = grow(*array, *count, sizeof **array);

    if (!grown)
        return option_complain(call, "out of memory");
    *array = grown;
    grown[*count] = copy_and_hide(call, start);
    return grown[*count] && ++*count;
}

static bool take_data(struct option_call *call)
{
    return add_copy(call, call->value, &call->options->data, &call->options->data_count);
}

static bool take_json_data(struct option_call *call)
{
    if (call->options->json_data)
        return option_complain(call, "--json-data may be given only once");
    call->options->json_data = copy_and_hide(call, call->value);
    return call->options->json_data;
}

static bool take_form(struct option_call *call)
{
    struct form_field field;
    char why[FORM_FIELD_WHY_SIZE];
    int err = form_field_parse(&field, call->value, why);

    form_field_finish(&field);
    if (err)
        return option_complain(call, "--form %s, not '%s'", why, call->shown);
    return add_copy(call, strchr(call->value, '=') + 1, &call->options->form,
                    &call->options->form_count);
}

static bool take_method(struct option_call *call)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789!#$%&'*+-.^_`|~"; /* RFC 9110 §5.6.2 */
    const char *method = call->value;

    if (!*method || method[strspn(method, letters)])
        return option_complain(call, "--method needs a name such as PUT, not '%s'", call->shown);
    if (strcmp(method, "CONNECT") == 0)
        return option_complain(call, "--method CONNECT makes a tunnel; see --proxy");
    call->options->head |= strcmp(method, "HEAD") == 0;
    call->options->method = strcmp(method, "HEAD") == 0 ? NULL : method;
    return true;
}

/* "SPEED" or "SPEED,TIME". */
static bool take_speed(struct option_call *call)
{
    struct options *options = call->options;
    char *comma = strchr(call->value, ',');
    int64_t speed_ns = 30 * WHORL_SECOND;

    if (comma)
        *comma = '\0';
    int err = text_parse_size(call->value, &options->speed_min);
    if (err == 0 && comma)
        err = text_parse_time(comma + 1, &speed_ns);
    if (comma)
        *comma = ',';
    if (err || options->speed_min == 0 || speed_ns == 0)
        return option_complain(
            call, "--speed-limit needs bytes per second, and a time: 500, 20k or 1M,60s, not '%s'",
            call->shown);
    options->speed_ns = speed_ns;
    return true;
}

static bool take_netrc_file(struct option_call *call)
{
    call->options->netrc = true;
    return take_name(call);
}

static bool take_events(struct option_call *call)
{
    const char *path;

    if (events_json_parse(call->value, &path) == -EINVAL)
        return option_complain(
            call, "--events needs jsonl, jsonl:DESCRIPTOR or jsonl:FILE, not '%s'", call->shown);
    return take_text(call);
}

/* The command line itself acts on these, before it takes any option. */
static bool take_nothing(struct option_call *call)
{
    (void)call;
    return true;
}

#define FIELD(member)     .offset = offsetof(struct options, member)
#define FLAG(member)      .take = take_flag, FIELD(member)
#define TEXT(member)      .take = take_text, FIELD(member)
#define FILE_NAME(member) .take = take_name, FIELD(member), .values = VALUES_FILE
#define NUMBER(member, least, most) \
    .take = take_number, FIELD(member), .min = (least), .max = (most)
#define TIME(member) .take = take_time, FIELD(member)
#define SIZE(member) .take = take_size, FIELD(member)

/* clang-format off */
const struct option_row option_rows[] = {
    {"input", 'i', "FILE", TOPIC_FILES, .is_common = true, .is_for_this_call = true,
     .help = "read URLs from FILE, one per line; - is stdin",
     .take = take_input, .values = VALUES_FILE},
    {"queue", 0, "URL", TOPIC_FILES, .is_for_this_call = true,
     .help = "take URLs from a Redis stream that machines share", .take = take_queue},
    {"base", 0, "URL", TOPIC_FILES, .is_for_this_call = true,
     .help = "resolve relative lines of lists; allow SHA256SUMS", .take = take_base},
    {"output", 'o', "FILE", TOPIC_FILES, .is_common = true, .is_for_this_call = true,
     .help = "write to FILE; - is stdout; {host}/{name} names many",
     .take = take_output, FIELD(output), .values = VALUES_FILE},
    {"remote-header-name", 'J', NULL, TOPIC_FILES,
     .help = "name files as Content-Disposition says", FLAG(header_names)},
    {"dir", 'd', "DIR", TOPIC_FILES, .is_common = true,
     .help = "write files to DIR; create DIR if it does not exist",
     .take = take_name, FIELD(dir), .values = VALUES_DIR},
    {"continue", 'c', NULL, TOPIC_FILES, .is_common = true,
     .help = "continue partial files (default), skip complete ones",
     .take = take_continue},
    {"no-continue", 0, NULL, TOPIC_FILES,
     .help = "fetch whole files; keep no partial files", FLAG(no_resume)},
    {"overwrite", 0, NULL, TOPIC_FILES,
     .help = "replace existing files", .take = take_overwrite},
    {"skip-existing", 0, NULL, TOPIC_FILES,
     .help = "do not fetch URLs whose files exist", .take = take_skip_existing},
    {"update", 0, NULL, TOPIC_FILES,
     .help = "replace existing files by newer ones only", .take = take_update},
    {"clean", 0, NULL, TOPIC_FILES, .is_for_this_call = true,
     .help = "remove partial files that cannot be continued", FLAG(cleans)},

    {"checksum", 0, "KIND=HEX", TOPIC_FILES, .is_for_this_call = true,
     .help = "require this hash of the only URL: sha256=...", .take = take_checksum},
    {"checksum-file", 0, "FILE", TOPIC_FILES, .is_for_this_call = true,
     .help = "require the hashes of FILE, such as SHA256SUMS",
     FILE_NAME(checksum_file)},

    {"manifest", 0, "FILE", TOPIC_FILES, .is_for_this_call = true,
     .help = "list complete files in FILE; fetch what changed only",
     FILE_NAME(manifest)},
    {"verify-manifest", 0, "FILE", TOPIC_FILES, .is_for_this_call = true,
     .help = "fetch nothing; compare the files of FILE",
     FILE_NAME(verify_manifest)},

    {"dry-run", 0, NULL, TOPIC_FILES, .is_for_this_call = true,
     .help = "fetch nothing; print which files would be fetched", FLAG(dry_run)},

    {"force-directories", 'x', NULL, TOPIC_FILES,
     .help = "write files to HOST/DIRECTORIES/NAME", FLAG(force_directories)},

    {"recursive", 'r', NULL, TOPIC_LINKS, .is_common = true,
     .help = "follow the links of pages on the same host", FLAG(recursive)},
    {"level", 0, "N", TOPIC_LINKS,
     .help = "follow at most N links in a row (5); 0: any number", .take = take_level,
     FIELD(level), .min = 0, .max = LEVEL_MAX},
    {"page-requisites", 'p', NULL, TOPIC_LINKS,
     .help = "fetch the images, styles and scripts of pages", FLAG(page_requisites)},
    {"span-hosts", 0, NULL, TOPIC_LINKS, .help = "follow links to any host", FLAG(span_hosts)},
    {"domains", 0, "LIST", TOPIC_LINKS,
     .help = "follow links to these domains, too", TEXT(domains)},
    {"no-parent", 0, NULL, TOPIC_LINKS,
     .help = "stay in the directory of the first URL", FLAG(no_parent)},
    {"accept", 0, "LIST", TOPIC_LINKS,
     .help = "follow only links that match: '*.png,*.jpg'", TEXT(accept)},
    {"reject", 0, "LIST", TOPIC_LINKS,
     .help = "do not follow links that match", TEXT(reject)},
    {"max-files", 0, "N", TOPIC_LINKS,
     .help = "follow no links after N files (no limit)", NUMBER(files_max, 1, INT_MAX)},
    {"quota", 0, "SIZE", TOPIC_LINKS,
     .help = "follow no links after SIZE bytes (no limit)", SIZE(quota)},
    {"no-robots", 0, NULL, TOPIC_LINKS,
     .help = "ignore robots.txt and pages that forbid to follow", FLAG(no_robots)},
    {"convert-links", 0, NULL, TOPIC_LINKS,
     .help = "at the end, make links lead to the saved files", FLAG(convert_links)},
    {"sitemap", 0, "URL", TOPIC_LINKS, .is_for_this_call = true,
     .help = "fetch the URLs of this sitemap; may be repeated", .take = take_sitemap},

    {"jobs", 'j', "N", TOPIC_TRANSFER, .is_common = true,
     .help = "run at most N transfers at once (16)", NUMBER(jobs, 1, JOBS_MAX)},
    {"per-host", 0, "N", TOPIC_TRANSFER, .is_common = true,
     .help = "open at most N connections to one host (6)", NUMBER(per_host, 1, JOBS_MAX)},
    {"limit-rate", 0, "SPEED", TOPIC_TRANSFER,
     .help = "receive at most SPEED bytes a second in all: 500k, 2M", SIZE(limit_rate)},
    {"limit-rate-each", 0, "SPEED", TOPIC_TRANSFER,
     .help = "receive at most SPEED bytes a second per transfer", SIZE(limit_rate_each)},
    {"rate", 0, "N", TOPIC_TRANSFER,
     .help = "ask one host at most N times a second: 5, 0.5 (any)", .take = take_rate},
    {"split", 0, "N", TOPIC_TRANSFER, .is_common = true,
     .help = "fetch a large file over N connections (up to 4)", NUMBER(split, 1, SPLIT_MAX)},
    {"retries", 0, "N", TOPIC_TRANSFER, .is_common = true,
     .help = "retry temporary failures up to N times (3)", NUMBER(retries, 0, RETRIES_MAX)},
    {"timeout", 0, "TIME", TOPIC_TRANSFER, .is_common = true,
     .help = "limit a whole transfer: 90, 1.5s, 200ms, 5m (none)", TIME(timeout_ns)},
    {"connect-timeout", 0, "TIME", TOPIC_TRANSFER,
     .help = "limit the opening of a connection (30s)", TIME(connect_timeout_ns)},
    {"stall-timeout", 0, "TIME", TOPIC_TRANSFER,
     .help = "limit the wait for the next byte (60s)", TIME(stall_timeout_ns)},
    {"speed-limit", 0, "SPEED[,TIME]", TOPIC_TRANSFER,
     .help = "give up below SPEED bytes/s for TIME (none; 30s)", .take = take_speed},
    {"max-size", 0, "SIZE", TOPIC_TRANSFER, .is_common = true,
     .help = "refuse larger bodies: 500, 20k, 1.5M, 3G (no limit)", SIZE(size_max)},

    {"header", 'H', "'N: V'", TOPIC_REQUEST, .is_common = true,
     .help = "send a header; may be repeated", .take = take_header},
    {"method", 'X', "M", TOPIC_REQUEST, .is_for_this_call = true,
     .help = "use this method, such as DELETE", .take = take_method},
    {"data", 0, "TEXT", TOPIC_REQUEST, .is_for_this_call = true,
     .help = "POST TEXT, or @FILE; several are joined by &", .take = take_data},
    {"json-data", 0, "TEXT", TOPIC_REQUEST, .is_for_this_call = true,
     .help = "POST TEXT, or @FILE, as JSON", .take = take_json_data},
    {"form", 0, "NAME=V", TOPIC_REQUEST, .is_for_this_call = true,
     .help = "POST a form with the field V, or the file @V[;type=T]", .take = take_form},
    {"upload-file", 0, "FILE", TOPIC_REQUEST, .is_for_this_call = true,
     .help = "PUT FILE; - is stdin", FILE_NAME(upload_file)},
    {"head", 'I', NULL, TOPIC_REQUEST, .is_for_this_call = true,
     .help = "print the head of the response, and fetch no body", FLAG(head)},
    {"user-agent", 'A', "TEXT", TOPIC_REQUEST,
     .help = "send TEXT as User-Agent; '' sends none", .take = take_agent},
    {"compressed", 0, NULL, TOPIC_REQUEST,
     .help = "ask for gzip, br and others, and decode them", FLAG(compressed)},
    {"max-redirects", 0, "N", TOPIC_REQUEST,
     .help = "follow at most N redirects (10)", NUMBER(redirects_max, 0, REDIRECTS_MAX)},
    {"allow-downgrade", 0, NULL, TOPIC_REQUEST,
     .help = "follow redirects from https to http", FLAG(allow_downgrade)},
    {"trust-redirects", 0, NULL, TOPIC_REQUEST,
     .help = "send the headers of -H to other servers, too", FLAG(trust_redirects)},
    {"http1.1", 0, NULL, TOPIC_REQUEST, .help = "use HTTP/1.1 only", .take = take_http1},
    {"http2", 0, NULL, TOPIC_REQUEST, .help = "use HTTP/2 only, also without TLS",
     .take = take_http2},

    {"proxy", 0, "URL", TOPIC_NETWORK,
     .help = "connect through this proxy; '' uses none", .take = take_proxy},
    {"noproxy", 0, "LIST", TOPIC_NETWORK,
     .help = "use no proxy for these servers", TEXT(no_proxy)},
    {"resolve", 0, "HOST:PORT:ADDR", TOPIC_NETWORK,
     .help = "connect to ADDR instead of HOST; may be repeated", .take = take_resolve},
    {"ipv4", '4', NULL, TOPIC_NETWORK, .help = "use IPv4 addresses only", .take = take_ipv4},
    {"ipv6", '6', NULL, TOPIC_NETWORK, .help = "use IPv6 addresses only", .take = take_ipv6},
    {"interface", 0, "NAME|ADDR", TOPIC_NETWORK,
     .help = "connect from this interface or local address", .take = take_interface},
    {"unix-socket", 0, "PATH", TOPIC_NETWORK,
     .help = "connect to this Unix socket", .take = take_unix_socket, FIELD(unix_path),
     .values = VALUES_FILE},

    {"cacert", 0, "PATH", TOPIC_TLS,
     .help = "trust only these authorities", TEXT(cacert), .values = VALUES_FILE},
    {"insecure", 0, NULL, TOPIC_TLS,
     .help = "accept any certificate", FLAG(insecure)},
    {"tls", 0, "LIB", TOPIC_TLS, .help = "use bearssl or openssl", .take = take_tls,
     .values = VALUES_WORDS, .words = "bearssl openssl"},
    {"tls-min", 0, "V", TOPIC_TLS, .help = "require TLS 1.2 or 1.3", .take = take_tls_min,
     .values = VALUES_WORDS, .words = "1.2 1.3"},
    {"cert", 0, "FILE", TOPIC_TLS, .help = "send this certificate",
     TEXT(cert), .values = VALUES_FILE},
    {"key", 0, "FILE", TOPIC_TLS, .help = "use the certificate's key from FILE",
     TEXT(key), .values = VALUES_FILE},
    {"pin", 0, "HASH", TOPIC_TLS,
     .help = "require this public key of the server: sha256//...", .take = take_pin},

    {"user", 'u', "NAME:PASS", TOPIC_LOGIN, .is_common = true,
     .help = "log in; NAME asks for the password, @FILE reads it", .take = take_user},
    {"netrc", 0, NULL, TOPIC_LOGIN, .help = "log in with ~/.netrc", FLAG(netrc)},
    {"netrc-file", 0, "FILE", TOPIC_LOGIN, .help = "log in with FILE",
     .take = take_netrc_file, FIELD(netrc_file), .values = VALUES_FILE},
    {"cookies", 0, "FILE", TOPIC_LOGIN, .help = "send the cookies of FILE", FILE_NAME(cookies)},
    {"save-cookies", 0, "FILE", TOPIC_LOGIN, .help = "write all cookies to FILE at the end",
     FILE_NAME(save_cookies)},

    {"quiet", 'q', NULL, TOPIC_OUTPUT, .is_common = true,
     .help = "print only failures", FLAG(quiet)},
    {"verbose", 'v', NULL, TOPIC_OUTPUT, .is_common = true,
     .help = "print details", FLAG(verbose)},
    {"show-headers", 0, NULL, TOPIC_OUTPUT,
     .help = "print the heads of responses on stderr", FLAG(show_headers)},
    {"json", 0, NULL, TOPIC_OUTPUT, .is_common = true,
     .help = "print one JSON object per URL", FLAG(json)},
    {"events", 0, "jsonl[:TO]", TOPIC_OUTPUT,
     .help = "write events as JSON; TO is a descriptor or a file", .take = take_events,
     FIELD(events)},
    {"why-slow", 0, NULL, TOPIC_OUTPUT, .help = "say at the end where the time went",
     FLAG(why_slow)},
    {"timeline", 0, "FILE.svg", TOPIC_OUTPUT,
     .help = "draw each transfer as a bar over time", FILE_NAME(timeline)},

    {"config", 0, "FILE", TOPIC_OTHER, .is_for_this_call = true,
     .help = "read options from FILE, not from whorl/get.conf", .take = take_nothing,
     .values = VALUES_FILE},
    {"no-config", 0, NULL, TOPIC_OTHER, .is_for_this_call = true,
     .help = "read no configuration file", .take = take_nothing},
    {"completion", 0, "SHELL", TOPIC_OTHER, .is_for_this_call = true,
     .help = "print the completion for bash, zsh or fish", .take = take_nothing,
     .values = VALUES_WORDS, .words = "bash zsh fish"},
    {"help", 0, "[TOPIC]", TOPIC_OTHER, .is_for_this_call = true,
     .help = "print help on a topic, or on all", .take = take_nothing},
    {"version", 0, NULL, TOPIC_OTHER, .is_for_this_call = true,
     .help = "print the version", .take = take_nothing},
};
/* clang-format on */

const size_t option_rows_count = sizeof option_rows / sizeof *option_rows;

const struct option_row *option_find(const char *name)
{
    for (size_t i = 0; i < option_rows_count; i++)
        if (strcmp(option_rows[i].name, name) == 0)
            return &option_rows[i];
    return NULL;
}

const struct option_row *option_find_letter(char letter)
{
    for (size_t i = 0; letter && i < option_rows_count; i++)
        if (option_rows[i].letter == letter)
            return &option_rows[i];
    return NULL;
}
