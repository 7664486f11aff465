/* SPDX-License-Identifier: MIT */
/* The command line and the configuration file, see command_line.h. Both are read with the table of
 * option_rows.h. */
#include "tools/get/command_line.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <whorl/error.h>

#include "tools/get/events_json.h"
#include "tools/get/form_field.h"
#include "tools/get/option_rows.h"
#include "tools/get/suggest.h"
#include "tools/get/text.h"

enum {
    LEVEL_DEFAULT = 5,
    JOBS_DEFAULT = 16,
    PER_HOST_DEFAULT = 6,
    RETRIES_DEFAULT = 3,
    REDIRECTS_DEFAULT = 10,
    CONFIG_MAX = 1024 * 1024, /* bytes of a configuration file */
    ROWS_MAX = 128,
    LONG_BASE = 256, /* getopt_long() returns LONG_BASE plus the number of the row */
};

/* The state of one options_parse(). */
struct parser {
    struct options *options;
    char *why;
    size_t why_size;
    bool given[ROWS_MAX]; /* on the command line */
    struct option longs[ROWS_MAX + 1];
    char letters[2 * ROWS_MAX + 2];
};

static void prepare(struct parser *p)
{
    char *letter = p->letters;

    if (option_rows_count > ROWS_MAX)
        abort();
    *letter++ = ':'; /* getopt_long() tells a missing value from an unknown option */
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        int kind = !row->value            ? no_argument
                   : row->value[0] == '[' ? optional_argument
                                          : required_argument;
        p->longs[i] = (struct option){row->name, kind, NULL, LONG_BASE + (int)i};
        if (row->letter)
            *letter++ = row->letter;
        if (row->letter && row->value)
            *letter++ = ':';
    }
}

static struct option_call call_of(struct parser *p, const struct option_row *row, char *value)
{
    return (struct option_call){
        .row = row,
        .options = p->options,
        .value = value,
        .shown = value ? value : "",
        .why = p->why,
        .why_size = p->why_size,
    };
}

/* --- the configuration file --- */

/* The path of the default file; NULL: there is none. free() it. */
static char *default_config(void)
{
    const char *dir = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;

    if (dir && *dir == '/') /* the XDG Base Directory Specification: relative paths are ignored */
        n = asprintf(&path, "%s/whorl/get.conf", dir);
    else if (home && *home)
        n = asprintf(&path, "%s/.config/whorl/get.conf", home);
    return n < 0 ? NULL : path;
}

/* Reads the whole file. Returns it with a NUL at its end, or NULL with errno. */
static char *read_config(const char *path, size_t *ret_len)
{
    char *text = malloc(CONFIG_MAX + 1);
    int fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? -1 : 1;
    size_t len = 0;

    while (n > 0 && len < CONFIG_MAX + 1) {
        n = read(fd, text + len, CONFIG_MAX + 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    int err = n < 0 ? errno : len > CONFIG_MAX ? EFBIG : 0;
    if (fd >= 0)
        close(fd);
    if (err) {
        free(text);
        errno = err;
        return NULL;
    }
    text[len] = '\0';
    *ret_len = len;
    return text;
}

/* Cuts the spaces at both ends. */
static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    return text;
}

/* Takes "NAME" or "NAME = VALUE". */
static bool take_line(struct parser *p, char *line)
{
    char *equals = strchr(line, '='), suggestion[SUGGESTION_SIZE];

    if (equals)
        *equals = '\0';
    char *name = trim(line), *value = equals ? trim(equals + 1) : NULL;
    const struct option_row *row = option_find(name);
    struct option_call call = call_of(p, row, value);
    call.is_from_config = true;
    if (!row)
        return option_complain(&call, "unknown option '%s'%s", name,
                               suggest_option(name, suggestion));
    if (row->is_for_this_call)
        return option_complain(&call, "'%s' belongs on the command line", name);
    if (row->value && !value)
        return option_complain(&call, "'%s' needs a value: %s = %s", name, name, row->value);
    if (!row->value && value)
        return option_complain(&call, "'%s' takes no value", name);
    return row->take(&call);
}

/* Puts "FILE:LINE: " before the message. */
static bool locate(struct parser *p, const char *path, long line)
{
    char message[512], raw[1200];

    snprintf(message, sizeof message, "%s", p->why);
    size_t len = text_escape(raw, sizeof raw, path, strlen(path));
    if (line > 0)
        snprintf(raw + len, sizeof raw - len, ":%ld", line);
    snprintf(p->why, p->why_size, "%s: %s", raw, message);
    return false;
}

static bool take_config(struct parser *p, const char *path, bool must_exist)
{
    size_t len;
    char *text = read_config(path, &len);
    long number = 0;

    if (!text && !must_exist && (errno == ENOENT || errno == ENOTDIR))
        return true;
    if (!text) {
        snprintf(p->why, p->why_size, "%s", whorl_strerror(-errno));
        return locate(p, path, 0);
    }
    p->options->config = text; /* values point into it */
    for (char *line = text, *next; line < text + len; line = next) {
        char *end = memchr(line, '\n', (size_t)(text + len - line));
        next = end ? end + 1 : text + len;
        if (end)
            *end = '\0';
        number++;
        if (strlen(line) < (size_t)((end ? end : text + len) - line)) {
            snprintf(p->why, p->why_size, "a NUL byte");
            return locate(p, path, number);
        }
        line = trim(line);
        if (*line && *line != '#' && !take_line(p, line))
            return locate(p, path, number);
    }
    return true;
}

/* --- the command line --- */

/* Says which options begin with `word`. */
static void complain_ambiguous(struct parser *p, const char *word, size_t len)
{
    struct option_call call = call_of(p, NULL, NULL);
    char names[256] = "";

    for (size_t i = 0; i < option_rows_count; i++) {
        size_t used = strlen(names);
        if (strncmp(option_rows[i].name, word, len) == 0)
            snprintf(names + used, sizeof names - used, "%s--%s", used ? ", " : "",
                     option_rows[i].name);
    }
    option_complain(&call, "--%.*s is ambiguous: %s", (int)len, word, names);
}

/* Says why getopt_long() has refused a word. */
static void complain_refused(struct parser *p, int opt, const char *word)
{
    struct option_call call = call_of(p, NULL, NULL);
    char suggestion[SUGGESTION_SIZE];
    size_t matches = 0, len = strcspn(word, "=");

    if (opt == ':') {
        option_complain(&call, "%s needs a value", word);
    } else if (optopt >= LONG_BASE) {
        option_complain(&call, "--%s takes no value", option_rows[optopt - LONG_BASE].name);
    } else if (optopt > 0) {
        char name[] = {(char)optopt, '\0'};
        option_complain(&call, "unknown option -%s%s", name, suggest_option(name, suggestion));
    } else {
        for (size_t i = 0; len > 2 && i < option_rows_count; i++)
            matches += strncmp(option_rows[i].name, word + 2, len - 2) == 0;
        if (matches > 1) {
            complain_ambiguous(p, word + 2, len - 2);
            return;
        }
        char *name = strndup(word + 2, len - 2);
        option_complain(&call, "unknown option %.*s%s", (int)len, word,
                        suggest_option(name ? name : "", suggestion));
        free(name);
    }
}

static const struct option_row *row_of(int opt)
{
    return opt >= LONG_BASE ? &option_rows[opt - LONG_BASE] : option_find_letter((char)opt);
}

/* The word after --help is a topic if there is one of that name. */
static const char *help_topic(char **argv)
{
    if (optarg)
        return optarg;
    return argv[optind] && suggest_is_topic(argv[optind]) ? argv[optind] : "";
}

/* The first reading of the command line finds unknown options, and those that must be known before
 * all others. OPTIONS_RUN: go on. */
static enum options_verdict look(struct parser *p, int argc, char **argv, const char **ret_config,
                                 bool *ret_no_config)
{
    int opt;

    optind = 0; /* resets the state of glibc's getopt */
    opterr = 0;
    while ((opt = getopt_long(argc, argv, p->letters, p->longs, NULL)) != -1) {
        if (opt == ':' || opt == '?') {
            complain_refused(p, opt, argv[optind - 1]);
            return OPTIONS_BAD;
        }
        const char *name = row_of(opt)->name;
        struct option_call call = call_of(p, row_of(opt), optarg);
        if (strcmp(name, "help") == 0) {
            p->options->help_topic = help_topic(argv);
            if (!*p->options->help_topic || suggest_is_topic(p->options->help_topic))
                return OPTIONS_HELP;
            option_complain(&call, "--help has no topic '%s'; try --help all", call.shown);
            return OPTIONS_BAD;
        }
        if (strcmp(name, "version") == 0)
            return OPTIONS_VERSION;
        if (strcmp(name, "completion") == 0) {
            p->options->shell = optarg;
            if (strcmp(optarg, "bash") == 0 || strcmp(optarg, "zsh") == 0 ||
                strcmp(optarg, "fish") == 0)
                return OPTIONS_COMPLETION;
            option_complain(&call, "--completion needs bash, zsh or fish, not '%s'", call.shown);
            return OPTIONS_BAD;
        }
        if (strcmp(name, "config") == 0)
            *ret_config = optarg;
        *ret_no_config |= strcmp(name, "no-config") == 0;
    }
    return OPTIONS_RUN;
}

static bool take_command_line(struct parser *p, int argc, char **argv)
{
    int opt;

    optind = 0;
    while ((opt = getopt_long(argc, argv, p->letters, p->longs, NULL)) != -1) {
        const struct option_row *row = row_of(opt);
        struct option_call call = call_of(p, row, optarg);
        call.is_repeated = p->given[row - option_rows];
        p->given[row - option_rows] = true;
        if (!row->take(&call))
            return false;
    }
    p->options->urls = argv + optind;
    p->options->urls_count = (size_t)(argc - optind);
    return true;
}

/* Rejects combinations of options that say what is sent. */
static bool check_request(struct option_call *c, const struct options *o)
{
    const struct {
        const char *name;
        bool is_given;
    } kinds[] = {{"data", o->data_count > 0},
                 {"json-data", o->json_data},
                 {"form", o->form_count > 0},
                 {"upload-file", o->upload_file},
                 {"head", o->head}};
    const char *first = NULL;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].is_given && first)
            return option_complain(c, "--%s and --%s cannot be used together", first,
                                   kinds[i].name);
        first = kinds[i].is_given ? kinds[i].name : first;
    }
    if (o->head && o->method)
        return option_complain(c, "--head and --method cannot be used together");
    if (o->head && o->output)
        return option_complain(c, "--head writes no file; leave --output out");
    if (o->head && o->checksums_count > 0)
        return option_complain(c, "--head and --checksum cannot be used together");
    if (o->head && o->json)
        return option_complain(c, "--head and --json both write to standard output");
    return true;
}

/* Rejects conditional requests of what is no plain download. */
static bool check_existing(struct option_call *c, const struct options *o)
{
    const char *name = o->manifest ? "manifest" : "update";

    if (!o->manifest && (o->existing != EXISTING_UPDATE || o->is_existing_from_config))
        return true;
    if (o->head || o->data_count > 0 || o->json_data || o->form_count > 0 || o->upload_file ||
        (o->method && strcmp(o->method, "GET") != 0))
        return option_complain(c, "--%s needs GET requests without a body", name);
    if (o->manifest && o->output)
        return option_complain(c, "--manifest and --output cannot be used together; use --dir");
    if (o->output && strcmp(o->output, "-") == 0)
        return option_complain(c, "--update and --output - cannot be used together");
    for (size_t i = 0; i < o->headers_count; i++)
        if (strcasecmp(o->headers[i].name, "Range") == 0 ||
            strncasecmp(o->headers[i].name, "If-", 3) == 0)
            return option_complain(c, "--%s and --header %s cannot be used together", name,
                                   o->headers[i].name);
    return true;
}

/* Rejects combinations of options that say which links are followed. */
static bool check_links(struct option_call *c, const struct options *o)
{
    const char *links = o->recursive         ? "--recursive"
                        : o->page_requisites ? "--page-requisites"
                                             : NULL;
    const char *other = o->output           ? "--output"
                        : o->pattern        ? "--output with fields"
                        : o->header_names   ? "--remote-header-name"
                        : o->queue          ? "--queue"
                        : o->head           ? "--head"
                        : o->method         ? "--method"
                        : o->data_count > 0 ? "--data"
                        : o->json_data      ? "--json-data"
                        : o->form_count > 0 ? "--form"
                        : o->upload_file    ? "--upload-file"
                                            : NULL;

    if (links && other)
        return option_complain(c, "%s and %s cannot be used together", links, other);
    if (!links && o->convert_links)
        return option_complain(c, "--convert-links needs --recursive or --page-requisites");
    if (o->convert_links && o->manifest)
        return option_complain(c, "--manifest lists files as the server has them, so "
                                  "--convert-links cannot be used together with it");
    if (o->force_directories && o->output)
        return option_complain(c, "--force-directories and --output cannot be used together");
    return true;
}

static bool form_reads_stdin(const char *text)
{
    struct form_field field;
    char why[FORM_FIELD_WHY_SIZE];
    bool yes =
        form_field_parse(&field, text, why) == 0 && field.path && strcmp(field.path, "-") == 0;

    form_field_finish(&field);
    return yes;
}

/* How many options read standard input. */
static int count_stdin(const struct options *o)
{
    int count = o->upload_file && strcmp(o->upload_file, "-") == 0;

    for (size_t i = 0; i < o->lists_count; i++)
        count += strcmp(o->lists[i], "-") == 0;
    for (size_t i = 0; i < o->data_count; i++)
        count += strcmp(o->data[i], "@-") == 0;
    for (size_t i = 0; i < o->form_count; i++)
        count += form_reads_stdin(o->form[i]);
    return count + (o->json_data && strcmp(o->json_data, "@-") == 0);
}

/* What --unix-socket cannot be used with: an option that is given, or NULL. */
static const char *beside_unix_socket(const struct options *options)
{
    return options->family == AF_INET                  ? "-4"
           : options->family == AF_INET6               ? "-6"
           : options->local_addr || options->interface ? "--interface"
           : options->overrides_count > 0              ? "--resolve"
                                                       : NULL;
}

static bool check_network(struct option_call *c, const struct options *options)
{
    const struct whorl_dial_options dial = {.family = options->family,
                                            .local_addr = options->local_addr};

    if (options->unix_path && beside_unix_socket(options))
        return option_complain(c, "--unix-socket and %s cannot be used together",
                               beside_unix_socket(options));
    if (whorl_dial_options_check(&dial, NULL))
        return option_complain(c, "--interface %s is not an address for -%c", options->local_addr,
                               options->family == AF_INET ? '4' : '6');
    return true;
}

/* What --queue cannot be used with, or NULL. The entries of the queue say what is fetched. */
static const char *beside_queue(const struct options *options)
{
    return options->urls_count > 0        ? "URLs"
           : options->lists_count > 0     ? "--input"
           : options->output              ? "--output"
           : options->checksums_count > 0 ? "--checksum"
           : options->base                ? "--base"
           : options->sitemaps_count > 0  ? "--sitemap"
           : options->verify_manifest     ? "--verify-manifest"
           : options->dry_run             ? "--dry-run"
                                          : NULL;
}

/* Rejects combinations of options that make no sense. */
static bool check(struct parser *p)
{
    const struct options *options = p->options;
    struct option_call call = call_of(p, NULL, NULL), *c = &call;
    const char *path;

    if (options->verify_manifest)
        return options->urls_count == 0 && options->lists_count == 0 && !options->queue &&
                       options->sitemaps_count == 0 && !options->manifest
                   ? true
                   : option_complain(c, "--verify-manifest fetches nothing; leave the URLs and "
                                        "--manifest out");
    if (options->urls_count == 0 && options->lists_count == 0 && !options->queue &&
        options->sitemaps_count == 0)
        return option_complain(c, "no URL given");
    if (options->queue && beside_queue(options))
        return option_complain(c, "--queue and %s cannot be used together", beside_queue(options));
    if (options->output && (options->urls_count != 1 || options->lists_count > 0))
        return option_complain(c, "--output takes exactly one URL; use --dir for several");
    if ((options->output || options->pattern) && options->header_names)
        return option_complain(c, "--output and --remote-header-name cannot be used together");
    if (options->pattern && options->force_directories)
        return option_complain(c, "--output with fields and --force-directories cannot be used "
                                  "together");
    if (options->header_names && options->existing != EXISTING_KEEP)
        return option_complain(c, "--remote-header-name names a file when it arrives, so "
                                  "--overwrite, --skip-existing, --update and --continue cannot "
                                  "be used with it");
    if (options->header_names && options->manifest)
        return option_complain(c, "--remote-header-name names a file when it arrives, so "
                                  "--manifest cannot be used with it");
    if (options->checksums_count > 0 && (options->urls_count != 1 || options->lists_count > 0))
        return option_complain(c, "--checksum takes exactly one URL; a list has settings, and "
                                  "--checksum-file names");
    if (options->output && p->given[option_find("dir") - option_rows])
        return option_complain(c, "--output and --dir cannot be used together");
    if (options->quiet && options->verbose)
        return option_complain(c, "--quiet and --verbose cannot be used together");
    if (options->json && options->output && strcmp(options->output, "-") == 0)
        return option_complain(c, "--json and --output - both write to standard output");
    if (options->events && events_json_parse(options->events, &path) == STDOUT_FILENO &&
        (options->json || (options->output && strcmp(options->output, "-") == 0)))
        return option_complain(c, "--events %s and %s both write to standard output",
                               options->events, options->json ? "--json" : "--output -");
    if (options->insecure && options->cacert)
        return option_complain(c, "--insecure and --cacert cannot be used together");
    if (options->tls == WHORL_TLS_BEARSSL && options->tls_min == WHORL_TLS_1_3)
        return option_complain(c,
                               "--tls bearssl does not have TLS 1.3; leave one of the options out");
    if (options->key && !options->cert)
        return option_complain(c, "--key needs --cert");
    if (!check_request(c, options) || !check_existing(c, options) || !check_links(c, options))
        return false;
    if (count_stdin(options) > 1)
        return option_complain(c, "standard input can be read only once");
    return check_network(c, options);
}

enum options_verdict options_parse(struct options *ret, int argc, char **argv, char *why,
                                   size_t why_size)
{
    struct parser p = {.options = ret, .why = why, .why_size = why_size};
    const char *config = NULL;
    bool no_config = false;

    *ret = (struct options){
        .level = LEVEL_DEFAULT,
        .jobs = JOBS_DEFAULT,
        .per_host = PER_HOST_DEFAULT,
        .retries = RETRIES_DEFAULT,
        .redirects_max = REDIRECTS_DEFAULT,
        .timeout_ns = WHORL_FOREVER,
        .stall_timeout_ns = 60 * WHORL_SECOND,
        .connect_timeout_ns = 30 * WHORL_SECOND,
    };
    prepare(&p);
    enum options_verdict verdict = look(&p, argc, argv, &config, &no_config);
    if (verdict != OPTIONS_RUN)
        return verdict;
    bool ok = true;
    if (config) {
        ok = take_config(&p, config, true);
    } else if (!no_config) {
        char *path = default_config();
        ok = !path || take_config(&p, path, false);
        free(path);
    }
    ok = ok && take_command_line(&p, argc, argv);
    if (ok && ret->output)
        ret->dir = p.given[option_find("dir") - option_rows] ? ret->dir : NULL;
    ok = ok && check(&p);
    ret->force_directories |= ret->recursive || ret->page_requisites;
    return ok ? OPTIONS_RUN : OPTIONS_BAD;
}
