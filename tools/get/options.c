/* SPDX-License-Identifier: MIT */
/* The command line, see options.h. */
#include "tools/get/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/get/text.h"
#include "tools/get/user.h"

enum {
    JOBS_DEFAULT = 16,
    JOBS_MAX = 100000,
    PER_HOST_DEFAULT = 6,
    RETRIES_DEFAULT = 3,
    RETRIES_MAX = 1000,
    REDIRECTS_DEFAULT = 10,
    REDIRECTS_MAX = 1000,
};

const char options_help[] =
    "Usage: whorl-get [OPTION]... URL...\n"
    "Fetch many URLs at once, each to its own file. Defaults are in parentheses.\n"
    "  -i, --input FILE        read URLs from FILE, one per line; - is stdin\n"
    "  -o, --output FILE       write the only URL to FILE; - is stdout\n"
    "  -d, --dir DIR           write files to DIR; create DIR if it does not exist\n"
    "  -j, --jobs N            run at most N transfers at once (16)\n"
    "      --per-host N        open at most N connections to one host (6)\n"
    "      --retries N; --max-redirects N  temporary failures (3); redirects (10)\n"
    "      --allow-downgrade; --trust-redirects  follow https to http; -H anywhere\n"
    "      --timeout TIME      limit a whole transfer: 90, 1.5s, 200ms, 5m (none)\n"
    "      --connect-timeout TIME; --stall-timeout TIME  open (30s); next byte (60s)\n"
    "      --max-size SIZE     refuse larger bodies: 500, 20k, 1.5M, 3G (no limit)\n"
    "      --compressed; --http1.1; --http2  decode gzip, br, ...; one HTTP version\n"
    "      --cacert PATH; --insecure  trust only these authorities; any certificate\n"
    "      --tls LIB; --tls-min V  use bearssl or openssl; require TLS 1.2 or 1.3\n"
    "      --cert FILE; --key FILE; --pin HASH  own certificate; server's key\n"
    "      --proxy URL; --noproxy LIST  use this proxy; but not for these servers\n"
    "  -u, --user NAME:PASS; --netrc; --netrc-file FILE  log in; use a netrc file\n"
    "      --cookies FILE; --save-cookies FILE  send cookies; write all of them\n"
    "  -H, --header 'N: V'; -A, --user-agent TEXT  send a header; a User-Agent\n"
    "  -q, --quiet; -v, --verbose; --json  print only failures; details; JSON lines\n"
    "      --help, --version   print this help, or the version\n"
    "Exit status: 0 all files fetched, 1 some failed, 2 wrong usage, 3 none fetched.\n";

enum {
    OPT_PER_HOST = 256,
    OPT_RETRIES,
    OPT_REDIRECTS,
    OPT_DOWNGRADE,
    OPT_TRUST,
    OPT_TIMEOUT,
    OPT_STALL,
    OPT_CONNECT,
    OPT_SIZE,
    OPT_COMPRESSED,
    OPT_CACERT,
    OPT_INSECURE,
    OPT_TLS,
    OPT_TLS_MIN,
    OPT_CERT,
    OPT_KEY,
    OPT_PIN,
    OPT_PROXY,
    OPT_NOPROXY,
    OPT_COOKIES,
    OPT_SAVE_COOKIES,
    OPT_NETRC,
    OPT_NETRC_FILE,
    OPT_HTTP1,
    OPT_HTTP2,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION,
};

static const struct option longs[] = {
    {"input", required_argument, NULL, 'i'},
    {"output", required_argument, NULL, 'o'},
    {"dir", required_argument, NULL, 'd'},
    {"jobs", required_argument, NULL, 'j'},
    {"per-host", required_argument, NULL, OPT_PER_HOST},
    {"retries", required_argument, NULL, OPT_RETRIES},
    {"max-redirects", required_argument, NULL, OPT_REDIRECTS},
    {"allow-downgrade", no_argument, NULL, OPT_DOWNGRADE},
    {"trust-redirects", no_argument, NULL, OPT_TRUST},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"stall-timeout", required_argument, NULL, OPT_STALL},
    {"connect-timeout", required_argument, NULL, OPT_CONNECT},
    {"max-size", required_argument, NULL, OPT_SIZE},
    {"compressed", no_argument, NULL, OPT_COMPRESSED},
    {"cacert", required_argument, NULL, OPT_CACERT},
    {"insecure", no_argument, NULL, OPT_INSECURE},
    {"tls", required_argument, NULL, OPT_TLS},
    {"tls-min", required_argument, NULL, OPT_TLS_MIN},
    {"cert", required_argument, NULL, OPT_CERT},
    {"key", required_argument, NULL, OPT_KEY},
    {"pin", required_argument, NULL, OPT_PIN},
    {"proxy", required_argument, NULL, OPT_PROXY},
    {"noproxy", required_argument, NULL, OPT_NOPROXY},
    {"user", required_argument, NULL, 'u'},
    {"cookies", required_argument, NULL, OPT_COOKIES},
    {"save-cookies", required_argument, NULL, OPT_SAVE_COOKIES},
    {"netrc", no_argument, NULL, OPT_NETRC},
    {"netrc-file", required_argument, NULL, OPT_NETRC_FILE},
    {"http1.1", no_argument, NULL, OPT_HTTP1},
    {"http2", no_argument, NULL, OPT_HTTP2},
    {"header", required_argument, NULL, 'H'},
    {"user-agent", required_argument, NULL, 'A'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* What complain() needs: the buffer for the message, and the option and value in question. */
struct complaint {
    char *text;
    size_t size;
    const char *option;
    const char *value;
};

__attribute__((format(printf, 2, 3))) static bool complain(struct complaint *c, const char *format,
                                                           ...)
{
    char raw[512];
    va_list args;

    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_escape(c->text, c->size, raw, strlen(raw));
    return false;
}

static const char *long_name(int value)
{
    for (const struct option *o = longs; o->name; o++)
        if (o->val == value)
            return o->name;
    return "?";
}

static bool take_int(struct complaint *c, int min, int max, int *ret)
{
    int err = text_parse_int(c->value, min, max, ret);

    return err ? complain(c, "--%s needs a whole number from %d to %d, not '%s'", c->option, min,
                          max, c->value)
               : true;
}

/* A time of 0 means no limit. */
static bool take_time(struct complaint *c, int64_t *ret)
{
    int err = text_parse_time(c->value, ret);

    if (err == -ERANGE)
        return complain(c, "--%s: '%s' is too long", c->option, c->value);
    if (err)
        return complain(c, "--%s needs a time such as 30, 1.5s, 200ms or 5m, not '%s'", c->option,
                        c->value);
    if (*ret == 0)
        *ret = WHORL_FOREVER;
    return true;
}

static bool take_size(struct complaint *c, int64_t *ret)
{
    int err = text_parse_size(c->value, ret);

    if (err == -ERANGE)
        return complain(c, "--%s: '%s' is too large", c->option, c->value);
    if (err)
        return complain(c, "--%s needs a size such as 500, 20k, 1.5M or 3G, not '%s'", c->option,
                        c->value);
    if (*ret == 0)
        return complain(c, "--%s must be more than 0", c->option);
    return true;
}

/* Splits "Name: value" in place. RFC 9110 §5.1 and §5.5 define which characters each part may
 * contain. */
static bool take_header(struct complaint *c, struct options *options)
{
    char *name = optarg, *colon = strchr(name, ':');
    size_t name_len = colon ? (size_t)(colon - name) : 0;

    if (name_len == 0 || strspn(name, "!#$%&'*+-.^_`|~0123456789"
                                      "abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != name_len)
        return complain(c, "--header needs 'Name: value', not '%s'", c->value);
    char *value = colon + 1;
    value += strspn(value, " \t");
    for (const char *p = value; *p; p++)
        if (iscntrl((unsigned char)*p) && *p != '\t')
            return complain(c, "--header: control byte in the value of '%s'", c->value);
    *colon = '\0';
    options->headers[options->headers_count++] = (struct whorl_http_header){name, value};
    return true;
}

/* Copies the URL, and hides the name and the password in the process list. */
static bool take_proxy(struct complaint *c, struct options *options)
{
    char *start = strstr(optarg, "://"), *at = strrchr(optarg, '@');

    free(options->proxy);
    options->proxy = strdup(optarg);
    if (!options->proxy)
        return complain(c, "out of memory");
    start = start && at && start < at ? start + 3 : optarg;
    if (at)
        memset(start, '*', (size_t)(at - start));
    return true;
}

/* Copies the name and the password, and hides the password in the process list. */
static bool take_user(struct complaint *c, struct options *options)
{
    char *colon = *optarg == '@' ? NULL : strchr(optarg, ':');

    user_wipe(options->user);
    options->user = strdup(optarg);
    if (!options->user)
        return complain(c, "out of memory");
    if (colon)
        memset(colon + 1, '*', strlen(colon + 1));
    return *optarg ? true : complain(c, "--user needs a name");
}

static bool take(struct complaint *c, struct options *options, int opt)
{
    switch (opt) {
    case 'i':
        options->lists[options->lists_count++] = optarg;
        return true;
    case 'o':
        if (options->output)
            return complain(c, "--output may be given only once");
        options->output = optarg;
        return *optarg ? true : complain(c, "--output needs a file name");
    case 'd':
        options->dir = optarg;
        return *optarg ? true : complain(c, "--dir needs a directory name");
    case 'j':
        return take_int(c, 1, JOBS_MAX, &options->jobs);
    case OPT_PER_HOST:
        return take_int(c, 1, JOBS_MAX, &options->per_host);
    case OPT_RETRIES:
        return take_int(c, 0, RETRIES_MAX, &options->retries);
    case OPT_REDIRECTS:
        return take_int(c, 0, REDIRECTS_MAX, &options->redirects_max);
    case OPT_DOWNGRADE:
        options->allow_downgrade = true;
        return true;
    case OPT_TRUST:
        options->trust_redirects = true;
        return true;
    case OPT_TIMEOUT:
        return take_time(c, &options->timeout_ns);
    case OPT_STALL:
        return take_time(c, &options->stall_timeout_ns);
    case OPT_CONNECT:
        return take_time(c, &options->connect_timeout_ns);
    case OPT_SIZE:
        return take_size(c, &options->size_max);
    case OPT_COMPRESSED:
        options->compressed = true;
        return true;
    case OPT_CACERT:
        options->cacert = optarg;
        return true;
    case OPT_INSECURE:
        options->insecure = true;
        return true;
    case OPT_TLS:
        options->tls = strcmp(optarg, "openssl") == 0 ? WHORL_TLS_OPENSSL : WHORL_TLS_BEARSSL;
        return options->tls == WHORL_TLS_OPENSSL || strcmp(optarg, "bearssl") == 0
                   ? true
                   : complain(c, "--tls needs bearssl or openssl, not '%s'", c->value);
    case OPT_CERT:
        options->cert = optarg;
        return true;
    case OPT_KEY:
        options->key = optarg;
        return true;
    case OPT_PIN:
        options->pins[options->pins_count++] = optarg;
        return true;
    case OPT_PROXY:
        return take_proxy(c, options);
    case OPT_NOPROXY:
        options->no_proxy = optarg;
        return true;
    case 'u':
        return take_user(c, options);
    case OPT_COOKIES:
        options->cookies = optarg;
        return *optarg ? true : complain(c, "--cookies needs a file name");
    case OPT_SAVE_COOKIES:
        options->save_cookies = optarg;
        return *optarg ? true : complain(c, "--save-cookies needs a file name");
    case OPT_NETRC_FILE:
        options->netrc_file = optarg;
        options->netrc = true;
        return *optarg ? true : complain(c, "--netrc-file needs a file name");
    case OPT_NETRC:
        options->netrc = true;
        return true;
    case OPT_HTTP1:
    case OPT_HTTP2:
        if (options->http)
            return complain(c, "--http1.1 and --http2 may be given only once, and not together");
        options->http = opt == OPT_HTTP2 ? WHORL_HTTP_2 : WHORL_HTTP_1;
        return true;
    case OPT_TLS_MIN:
        options->tls_min = strcmp(optarg, "1.3") == 0 ? WHORL_TLS_1_3 : WHORL_TLS_1_2;
        return options->tls_min == WHORL_TLS_1_3 || strcmp(optarg, "1.2") == 0
                   ? true
                   : complain(c, "--tls-min needs 1.2 or 1.3, not '%s'", c->value);
    case 'H':
        return take_header(c, options);
    case 'A':
        for (const char *p = optarg; *p; p++)
            if (iscntrl((unsigned char)*p))
                return complain(c, "--user-agent must not contain control bytes");
        options->agent = optarg;
        return true;
    case 'q':
        options->quiet = true;
        return true;
    case 'v':
        options->verbose = true;
        return true;
    case OPT_JSON:
        options->json = true;
        return true;
    default:
        return false;
    }
}

/* Rejects combinations of options that make no sense. */
static bool check(struct complaint *c, const struct options *options)
{
    if (options->urls_count == 0 && options->lists_count == 0)
        return complain(c, "no URL given");
    if (options->output && (options->urls_count != 1 || options->lists_count > 0))
        return complain(c, "--output takes exactly one URL; use --dir for several");
    if (options->output && options->dir)
        return complain(c, "--output and --dir cannot be used together");
    if (options->quiet && options->verbose)
        return complain(c, "--quiet and --verbose cannot be used together");
    if (options->json && options->output && strcmp(options->output, "-") == 0)
        return complain(c, "--json and --output - both write to standard output");
    if (options->insecure && options->cacert)
        return complain(c, "--insecure and --cacert cannot be used together");
    if (options->tls == WHORL_TLS_BEARSSL && options->tls_min == WHORL_TLS_1_3)
        return complain(c, "--tls bearssl does not have TLS 1.3; leave one of the options out");
    if (options->key && !options->cert)
        return complain(c, "--key needs --cert");
    int stdin_lists = 0;
    for (size_t i = 0; i < options->lists_count; i++)
        stdin_lists += strcmp(options->lists[i], "-") == 0;
    if (stdin_lists > 1)
        return complain(c, "standard input can be read only once");
    return true;
}

enum options_verdict options_parse(struct options *ret, int argc, char **argv, char *why,
                                   size_t why_size)
{
    struct complaint c = {.text = why, .size = why_size};
    int opt;

    *ret = (struct options){
        .jobs = JOBS_DEFAULT,
        .per_host = PER_HOST_DEFAULT,
        .retries = RETRIES_DEFAULT,
        .redirects_max = REDIRECTS_DEFAULT,
        .timeout_ns = WHORL_FOREVER,
        .stall_timeout_ns = 60 * WHORL_SECOND,
        .connect_timeout_ns = 30 * WHORL_SECOND,
    };
    ret->lists = calloc((size_t)argc + 1, sizeof *ret->lists);
    ret->headers = calloc((size_t)argc + 1, sizeof *ret->headers);
    ret->pins = calloc((size_t)argc + 1, sizeof *ret->pins);
    if (!ret->lists || !ret->headers || !ret->pins) {
        complain(&c, "out of memory");
        return OPTIONS_BAD;
    }
    optind = 0; /* resets the state of glibc's getopt */
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":i:o:d:j:u:H:A:qv", longs, NULL)) != -1) {
        c.value = optarg;
        c.option = long_name(opt);
        if (opt == OPT_HELP)
            return OPTIONS_HELP;
        if (opt == OPT_VERSION)
            return OPTIONS_VERSION;
        if (opt == ':') {
            complain(&c, "%s needs a value", argv[optind - 1]);
            return OPTIONS_BAD;
        }
        if (opt == '?') {
            if (optopt > 0 && optopt < 256)
                complain(&c, "unknown option -%c", optopt);
            else if (optopt >= 256)
                complain(&c, "--%s takes no value", long_name(optopt));
            else
                complain(&c, "unknown or ambiguous option %s", argv[optind - 1]);
            return OPTIONS_BAD;
        }
        if (!take(&c, ret, opt))
            return OPTIONS_BAD;
    }
    ret->urls = argv + optind;
    ret->urls_count = (size_t)(argc - optind);
    return check(&c, ret) ? OPTIONS_RUN : OPTIONS_BAD;
}

void options_finish(struct options *options)
{
    free(options->lists);
    free(options->headers);
    free(options->pins);
    free(options->proxy);
    user_wipe(options->user);
    options->user = NULL;
}
