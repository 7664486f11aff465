/* SPDX-License-Identifier: MIT */
/* whorl-get: fetches many URLs at once and writes each to its own file. */
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/file.h>
#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/http_cookies.h>
#include <whorl/io.h>
#include <whorl/scope.h>
#include <whorl/tls.h>

#include "tools/get/buffer.h"
#include "tools/get/command_line.h"
#include "tools/get/events.h"
#include "tools/get/fetch.h"
#include "tools/get/get.h"
#include "tools/get/help.h"
#include "tools/get/manifest_check.h"
#include "tools/get/mirror.h"
#include "tools/get/options.h"
#include "tools/get/progress.h"
#include "tools/get/queue.h"
#include "tools/get/report.h"
#include "tools/get/schedule.h"
#include "tools/get/signals.h"
#include "tools/get/source.h"
#include "tools/get/text.h"
#include "tools/get/ticker.h"
#include "tools/get/trace.h"
#include "tools/get/views.h"
#include "tools/get/writer.h"

/* Everything that exists for the whole run of the program. */
struct program {
    struct options options;
    struct whorl_tls_config *tls, *proxy_tls; /* NULL: the defaults */
    struct whorl_http_netrc *netrc;           /* NULL: none */
    struct whorl_http_cookies *cookies;       /* NULL: none */
    struct get get;
    struct fetch fetch;
    struct mirror mirror; /* used with --recursive and --page-requisites */
    bool links_failed;    /* the links of a page could not be converted */
    struct report report;
    struct trace trace;
    struct writer messages, objects;
    struct views views;
    struct progress progress;
    struct ticker ticker;
    struct signals signals;
};

static void complain(const char *about, const char *step, const char *cause)
{
    char text[1024];

    text_escape(text, sizeof text, about, strlen(about));
    fprintf(stderr, "whorl-get: %s%s%s%s%s\n", text, *text ? ": " : "", step, *cause ? " " : "",
            cause);
}

/* If a standard descriptor is closed when the program starts, the next file that is opened gets its
 * number, and our messages would be written to that file. So this opens /dev/null in its place. The
 * access mode is the wrong one on purpose: reads and writes fail, so the error is reported. */
static void fill_standard_fds(void)
{
    static const int useless[] = {O_WRONLY, O_RDONLY, O_RDONLY};

    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", useless[fd]) < 0)
            _exit(EXIT_NONE);
}

/* Every transfer needs a socket and a file. The usual soft limit is 1,024 open files, so this
 * raises it to the hard limit. If the hard limit is too low as well, this reduces the number of
 * transfers that run at once: otherwise they would compete for descriptors and all of them could
 * fail. */
static void fit_open_files(struct options *options)
{
    const long spare = 24; /* standard streams, ring, signals, directory, lists, lookups */
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (soft < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) < 0)
        limit.rlim_cur = soft;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= 2 * (rlim_t)options->jobs + spare)
        return;
    long room = ((long)limit.rlim_cur - spare) / 2;
    options->jobs = room > 1 ? (int)room : 1;
    if (!options->quiet)
        fprintf(stderr, "whorl-get: only %d transfers at once: the limit on open files is %lu\n",
                options->jobs, (unsigned long)limit.rlim_cur);
}

/* Creates the directory and its parents, and opens it. Returns the descriptor, or -errno. */
static int open_dir(const char *dir)
{
    char *path = strdup(dir);
    int err = path ? 0 : -ENOMEM, unmade = 0;

    for (char *p = path; err == 0 && p && *p;) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        char after = *p;
        *p = '\0';
        int made = mkdir(path, 0777) < 0 ? -errno : 0;
        if (made == -EROFS || made == -EACCES)
            unmade = made;
        else if (made != -EEXIST && !(made == -ENOENT && unmade))
            err = made;
        *p = after;
    }
    free(path);
    if (err)
        return err;
    /* A directory which could not be created but exists is good enough. */
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT && unmade ? unmade : -errno;
    return fd;
}

/* A descriptor that is closed now would be one of this program's own when the body is written. */
static bool is_closed_fd(const char *output)
{
    bool is_fd = strncmp(output, "/dev/fd/", 8) == 0 || strncmp(output, "/proc/self/fd/", 14) == 0;
    struct stat st;

    return is_fd && lstat(output, &st) < 0;
}

static int load_checksums(struct program *program)
{
    const char *path = program->options.checksum_file;
    char place[PATH_MAX + 32];
    long line;
    int err = path ? checksums_load(&program->get.checksums, path, &line) : 0;

    if (err == 0)
        return 0;
    snprintf(place, sizeof place, line > 0 ? "%s:%ld" : "%s", path, line);
    complain(place, "checksums:",
             err == -EINVAL ? "neither a hash with a name, nor the same hash as before"
                            : whorl_strerror(err));
    return err;
}

static int load_tls(struct program *program)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    const struct options *options = &program->options;
    struct whorl_tls_options tls = {
        .insecure = options->insecure,
        .library = options->tls,
        .version_min = options->tls_min,
        .cert_file = options->cert,
        .key_file = options->key,
        .pins = options->pins,
        .alpn = alpn,
    };
    struct whorl_error error = {0};
    struct stat st;

    if (!options->cacert && !options->insecure && !options->tls && !options->tls_min &&
        !options->cert && options->pins_count == 0)
        return 0;
    if (options->cacert && stat(options->cacert, &st) < 0) {
        int err = -errno;
        complain(options->cacert, "open:", whorl_strerror(err));
        return err;
    }
    if (options->cacert && S_ISDIR(st.st_mode))
        tls.ca_dir = options->cacert;
    else
        tls.ca_file = options->cacert;
    int err = whorl_tls_config_create(&tls, &error, &program->tls);
    if (err == 0) {
        /* The client's certificate and the pins are for servers only. */
        tls.cert_file = tls.key_file = NULL;
        tls.pins = NULL;
        tls.alpn = NULL;
        err = whorl_tls_config_create(&tls, &error, &program->proxy_tls);
    }
    if (err)
        complain(err == WHORL_ETLS_CAFILE && options->cacert ? options->cacert : "", "TLS",
                 error.text[0] ? error.text : whorl_strerror(err));
    return err;
}

static struct whorl_http_proxy proxy_of(const struct program *program)
{
    return (struct whorl_http_proxy){
        .url = program->options.proxy,
        .no_proxy = program->options.no_proxy,
        .from_environment = true,
        .tls = program->proxy_tls,
    };
}

static int check_proxy(const struct program *program)
{
    const struct whorl_http_proxy proxy = proxy_of(program);
    struct whorl_error error = {0};
    int err = whorl_http_proxy_check(&proxy, &error);

    if (err)
        complain("", "proxy", error.text);
    return err;
}

static struct whorl_dial_options dial_of(const struct options *options)
{
    return (struct whorl_dial_options){
        .family = options->family,
        .overrides = options->overrides,
        .overrides_count = options->overrides_count,
        .local_addr = options->local_addr,
        .interface = options->interface,
        .unix_path = options->unix_path,
    };
}

/* Checks that the machine has what --interface names. Otherwise every transfer would fail. */
static int check_interface(const struct options *options)
{
    struct whorl_addr addr;
    int err = 0;

    if (options->interface && if_nametoindex(options->interface) == 0)
        err = -ENODEV;
    if (options->local_addr) {
        err = whorl_addr_parse(options->local_addr, 0, &addr);
        int fd = err ? err : whorl_socket(addr.sa.sa_family, SOCK_DGRAM, 0);
        err = fd < 0 ? fd : whorl_bind(fd, &addr);
        if (fd >= 0)
            close(fd);
    }
    if (err)
        complain(options->interface ? options->interface : options->local_addr,
                 "interface:", whorl_strerror(err));
    return err;
}

/* Loads what --user and --netrc name. */
static int load_credentials(struct program *program)
{
    const struct options *options = &program->options;
    const char *text = options->user ? options->user : getenv("WHORL_GET_USER");
    struct whorl_error error = {0};
    char why[512];

    if (text && *text && user_load(&program->get.user, text, why, sizeof why)) {
        complain("", why, "");
        return -EINVAL;
    }
    if (!options->netrc)
        return 0;
    int err = whorl_http_netrc_load(options->netrc_file, &error, &program->netrc);
    if (err)
        complain("", "netrc:", error.text);
    else if (whorl_http_netrc_is_exposed(program->netrc) && !options->quiet)
        complain("", "warning:", "other users can read the netrc file; use chmod 600");
    return err;
}

/* Makes the jar of --cookies and --save-cookies. */
static int load_cookies(struct program *program)
{
    const struct options *options = &program->options;
    struct whorl_error error = {0};

    if (!options->cookies && !options->save_cookies)
        return 0;
    int err = whorl_http_cookies_create(&program->cookies);
    if (err)
        complain("", "cookies:", whorl_strerror(err));
    else if (options->cookies)
        err = whorl_http_cookies_load(program->cookies, options->cookies, &error);
    if (error.code)
        complain("", "cookies:", error.text);
    return err;
}

/* Reads what --data and --json-data name. */
static int load_ask(struct program *program)
{
    char why[512];
    int err = ask_load(&program->get.ask, &program->options, why, sizeof why);

    if (err)
        complain("", why, "");
    return err;
}

/* Reads the list of --manifest and begins a new one. */
static int open_manifest(struct program *program)
{
    const struct options *options = &program->options;
    struct manifest *manifest = &program->get.manifest;
    char why[1536];

    if (!options->manifest || (options->dry_run && access(options->manifest, F_OK) < 0))
        return 0;
    int err = options->dry_run ? manifest_read(manifest, options->manifest, why, sizeof why)
                               : manifest_open(manifest, options->manifest, why, sizeof why);
    if (err)
        complain("", why, "");
    else if (manifest->taken_over > 0 && !options->quiet) {
        snprintf(why, sizeof why, "has %zu file%s of a run that was killed", manifest->taken_over,
                 manifest->taken_over == 1 ? "" : "s");
        complain(manifest->path, why, "");
    }
    return err;
}

static int save_manifest(struct program *program)
{
    const struct manifest *manifest = &program->get.manifest;
    char text[128];

    if (!manifest_is_open(manifest))
        return 0;
    int err = manifest_save(&program->get.manifest);
    if (err == -EILSEQ)
        snprintf(text, sizeof text, "%zu files are not in it: not UTF-8, or too long",
                 manifest->lost);
    if (err)
        complain(manifest->path, "write:", err == -EILSEQ ? text : whorl_strerror(err));
    else if (program->signals.caught && !program->options.quiet) /* says what is kept */
        complain(manifest->path, "lists the files that are complete", "");
    return err;
}

static int check_manifest(const struct options *options)
{
    const struct manifest_check check = {
        .path = options->verify_manifest,
        .dir = options->dir,
        .quiet = options->quiet,
        .json = options->json,
    };

    return manifest_check(&check);
}

static int save_cookies(struct program *program)
{
    const char *path = program->options.save_cookies;
    struct whorl_error error = {0};
    int err = path ? whorl_http_cookies_save(program->cookies, path, &error) : 0;

    if (err)
        complain("", "cookies:", error.text);
    return err;
}

/* Connections that all transfers together may have besides their first ones. */
static int split_most(const struct options *options)
{
    return options->split == 1 ? 0 : options->per_host;
}

static int make_session(struct program *program, struct whorl_http_session **ret)
{
    const struct options *options = &program->options;
    /* Without --max-size, a small body that decodes to a huge one could still fill the disk. */
    const int64_t decoded_max = (int64_t)1 << 30;
    const struct whorl_dial_options dial = dial_of(options);
    bool is_watched = options->verbose || options->json || options->events || options->why_slow;

    if (is_watched)
        program->get.observer = trace_observer(&program->trace);
    const struct whorl_http_session_options session = {
        .conns_max = (size_t)options->jobs + (size_t)split_most(options),
        .conns_per_host_max = (size_t)options->per_host,
        .redirects_max = options->redirects_max > 0 ? options->redirects_max : -1,
        .body_bytes_max = options->size_max,
        .decoded_bytes_max = options->size_max ? options->size_max : decoded_max,
        .timeouts =
            {
                .connect_ns = options->connect_timeout_ns,
                .tls_ns = options->connect_timeout_ns,
                .first_byte_ns = options->stall_timeout_ns,
                .stall_ns = options->stall_timeout_ns,
                .total_ns = options->timeout_ns,
                .speed_min = options->speed_min,
                .speed_ns = options->speed_ns,
            },
        .version = options->http,
        .allow_downgrade = options->allow_downgrade,
        .user_agent = options->agent ? options->agent : "whorl-get/" WHORL_VERSION,
        .tls = program->tls,
        .dialer = {.dial_with = fetch_dial, .arg = &program->get},
        .observer = program->get.observer,
        .dial = &dial,
        .proxy = proxy_of(program),
        .netrc = program->netrc,
        .cookies = program->cookies,
    };
    return whorl_http_session_create(&session, ret);
}

/* After a signal, output that nobody reads is waited for this long: Ctrl-C must end the program
 * even if the terminal is stopped with Ctrl-S. */
static const int64_t stall_ns = WHORL_SECOND;

/* Writes the remaining output. */
static WHORL_SUSPENDS_SHIELDED void drain(struct program *program, struct whorl_group *writers)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, program->signals.caught ? whorl_after(stall_ns) : WHORL_FOREVER);
    writer_close(&program->messages);
    writer_close(&program->objects);
    writer_close(&program->views.stream);
    (void)whorl_scope_leave(&scope, whorl_group_wait(writers));
}

/* Rewrites the links, and says which ones were not followed. */
static WHORL_SUSPENDS int end_mirror(struct program *program)
{
    struct buffer line = {0};
    int err = program->options.convert_links ? mirror_convert(&program->mirror) : 0;

    mirror_format_left(&line, &program->mirror);
    if (line.len > 0 && !program->options.quiet)
        report_say(&program->report, &line);
    buffer_finish(&line);
    program->links_failed = err && err != -ECANCELED;
    return err == -ECANCELED ? err : 0;
}

static int root(void *arg)
{
    struct program *program = arg;
    struct report *report = &program->report;
    WHORL_AUTO(group) writers = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_group ticking = {0};
    struct whorl_scope stop;

    report->totals.started_ns = program->get.events.started_ns = whorl_now();
    report_attach(report, &program->get.events);
    views_attach(&program->views, &program->get.events, report);
    int err = make_session(program, &program->get.session);
    if (err == 0)
        err = whorl_spawn(&writers, writer_run, &program->messages);
    if (err == 0)
        err = whorl_spawn(&writers, writer_run, &program->objects);
    if (err == 0)
        err = whorl_spawn(&writers, writer_run, &program->views.stream);
    if (err == 0)
        err = whorl_spawn(whorl_root_group(), signals_run, &program->signals);
    if (err == 0 && (report->progress || program->options.events || program->ticker.says_progress))
        err = whorl_spawn(&ticking, ticker_run, &program->ticker);

    whorl_scope_enter(&stop, WHORL_FOREVER);
    program->signals.stop = &stop;
    program->mirror.robots.session = program->get.session;
    program->mirror.robots.policy = &program->get.retry;
    program->mirror.robots.budget = &program->get.budget;
    if (err == 0)
        err = fetch_all(&program->fetch);
    if (err == 0 && program->get.mirror)
        err = end_mirror(program);
    program->signals.stop = NULL;
    err = whorl_scope_leave(&stop, err);

    whorl_group_finish(&ticking);
    program->signals.progress = NULL;
    if (report->progress)
        progress_clear(report->progress);
    report->progress = NULL;
    /* People know that they interrupted the program, so only the JSON output has the rest. */
    if (program->signals.caught && (report->json || program->options.events) &&
        fetch_report_rest(&program->fetch, stall_ns) == -ETIMEDOUT) {
        writer_fail(&program->objects, -ETIMEDOUT);
        writer_fail(&program->views.stream, -ETIMEDOUT);
    }
    report_summary(report, program->signals.caught != 0);
    views_end(&program->views, &program->get.events, report, program->signals.caught != 0);
    drain(program, &writers);
    whorl_http_session_destroy(program->get.session);
    return err == -ECANCELED ? 0 : err;
}

/* HTTP_PROXY in upper case is not used, see http_proxy.h. A user who has set it expects that it
 * is. */
static void warn_about_proxy(const struct options *options)
{
    static const char *const used[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    const char *unused = getenv("HTTP_PROXY");

    if (options->proxy || !unused || !*unused)
        return;
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++) {
        const char *value = getenv(used[i]);
        if (value && *value)
            return;
    }
    fputs("whorl-get: warning: HTTP_PROXY is not used in upper case; set http_proxy\n", stderr);
}

/* Whether bodies, JSON objects or events are written to a terminal, where lines of progress would
 * disturb them. */
static bool terminal_is_taken(const struct program *program)
{
    const struct options *options = &program->options;
    bool uses_stdout = options->json || options->head ||
                       program->views.stream_fd == STDOUT_FILENO ||
                       (options->output && strcmp(options->output, "-") == 0);

    return (uses_stdout && isatty(STDOUT_FILENO)) ||
           (program->views.stream_fd >= 0 && isatty(program->views.stream_fd));
}

/* Prepares how progress is shown: with bars on a terminal, else with lines now and then. */
static void prepare_progress(struct program *program)
{
    struct report *report = &program->report;

    program->ticker = (struct ticker){.events = &program->get.events, .report = report};
    if (program->options.quiet || terminal_is_taken(program))
        return;
    if (!progress_is_possible(STDERR_FILENO)) {
        program->ticker.says_progress = true;
        return;
    }
    progress_init(&program->progress, STDERR_FILENO, &program->messages, &program->get.events,
                  &report->totals);
    report->progress = program->signals.progress = program->ticker.progress = &program->progress;
}

/* The retries of one host that the budget always allows: all of those transfers that can run at the
 * same time. So an outage of some seconds fails none of them. At least ten. */
static int wave_retries(const struct options *options)
{
    int64_t most = (int64_t)options->per_host * options->retries;

    return most < 10 ? 10 : most < INT_MAX ? (int)most : INT_MAX;
}

static int run(struct program *program)
{
    struct options *options = &program->options;
    struct whorl_error error = {0};
    bool tty = isatty(STDERR_FILENO);

    program->messages.fd = STDERR_FILENO;
    program->objects.fd = STDOUT_FILENO;
    program->fetch.get = &program->get;
    program->fetch.source = (struct source){.options = options, .fd = -1};
    program->report = (struct report){
        .quiet = options->quiet,
        .verbose = options->verbose,
        .json = options->json,
        .heads_to_objects = options->head,
        .has_many = options->urls_count > 1 || options->lists_count > 0 || options->queue ||
                    options->recursive || options->page_requisites || options->sitemaps_count > 0,
        .tty = tty,
        .messages = &program->messages,
        .objects = &program->objects,
    };
    prepare_progress(program);
    program->get.options = options;
    program->get.retry.attempts_max = options->retries + 1;
    program->get.retry.retry_after_max_ns = 2 * WHORL_MINUTE;
    program->get.limiter = get_limiter(options->limit_rate);
    program->get.budget.retries_min = wave_retries(options);
    program->get.report = program->trace.report = &program->report;
    program->trace.has_lines = options->verbose;
    schedule_init(&program->get.schedule, (size_t)options->jobs, (size_t)options->per_host,
                  options->rate);
    mirror_init(&program->mirror, &program->get);
    program->mirror.robots.report = &program->report;
    if (options->recursive || options->page_requisites) {
        program->get.mirror = &program->mirror;
        program->get.schedule.grows = true;
    }
    for (size_t i = 0; i < options->headers_count; i++) {
        program->get.ranged |= strcasecmp(options->headers[i].name, "Range") == 0;
        program->get.conditional |= strncasecmp(options->headers[i].name, "If-", 3) == 0;
    }
    if (getrandom(&program->get.random, sizeof program->get.random, GRND_NONBLOCK) < 0)
        program->get.random = (uint64_t)getpid();
    program->get.random |= 1;

    if (!options->quiet)
        warn_about_proxy(options);
    int err = options->queue
                  ? queue_create(&program->get, options->queue, program->tls, &program->fetch.queue)
                  : 0;
    if (err == 0)
        err = whorl_io_run_with(NULL, &error, root, program);
    if (err) {
        complain("", "run:", error.text[0] ? error.text : whorl_strerror(err));
        return program->report.totals.done > 0 ? EXIT_SOME : EXIT_NONE;
    }
    if (program->objects.err && (options->json || options->head))
        complain("standard output", "write:", whorl_strerror(program->objects.err));
    if (program->views.stream.err)
        complain("events", "write:",
                 program->views.stream.err == -ETIMEDOUT
                     ? "their reader has stopped reading"
                     : whorl_strerror(program->views.stream.err));
    int status = report_exit_status(&program->report, program->signals.caught != 0);
    return status == EXIT_ALL && program->links_failed ? EXIT_SOME : status;
}

/* Opens the files of --events and --timeline. */
static int open_views(struct program *program)
{
    const char *about;
    int err = views_open(&program->views, &about);

    if (err)
        complain(about, "open:", whorl_strerror(err));
    return err;
}

static int write_views(struct program *program)
{
    int err = views_write(&program->views);

    if (err)
        complain(program->options.timeline, "write:", whorl_strerror(err));
    return err;
}

static void report_leftover(void *arg, const char *name, const char *why, int err)
{
    const struct options *options = arg;
    char text[128];

    if (!options->cleans)
        snprintf(text, sizeof text, "%s; --clean removes it", why);
    else if (err)
        snprintf(text, sizeof text, "%s; remove: %s", why, whorl_strerror(err));
    else
        snprintf(text, sizeof text, "%s; removed", why);
    if (err || !options->quiet)
        complain(name, text, "");
}

/* Reports, or removes, what interrupted runs have left in the directory of the files. */
static int look_at_leftovers(struct program *program)
{
    struct options *options = &program->options;
    const char *slash = options->output ? strrchr(options->output, '/') : NULL;
    int dir_fd = options->output ? AT_FDCWD : program->get.dir_fd;
    char *dir =
        slash ? strndup(options->output, (size_t)(slash - options->output) + 1) : strdup("");

    int err = dir ? leftovers_read(&program->get.leftovers, dir_fd, dir, options->cleans,
                                   report_leftover, options)
                  : -ENOMEM;
    free(dir);
    if (options->queue) /* other workers may leave partial files while this one runs */
        program->get.leftovers.is_complete = false;
    if (err == -ENOMEM)
        complain("", "partial files:", whorl_strerror(err));
    return err == -ENOMEM ? EXIT_NONE : 0; /* other failures appear when the file is written */
}

static int prepare(struct program *program)
{
    const char *dir = program->options.dir, *output = program->options.output;

    program->get.dir_fd = AT_FDCWD;
    if (output && is_closed_fd(output)) {
        complain(output, "open:", whorl_strerror(-EBADF));
        return EXIT_NONE;
    }
    if (open_views(program))
        return EXIT_USAGE;
    /* These read files, which may be pipes whose writers never come. Meanwhile signals end the
     * program at once. */
    if (load_checksums(program) || load_tls(program) || check_proxy(program) ||
        check_interface(&program->options) || load_credentials(program) || load_cookies(program) ||
        load_ask(program))
        return EXIT_USAGE;
    int err = signals_init(&program->signals);
    if (err) {
        complain("", "signals:", whorl_strerror(err));
        return EXIT_NONE;
    }
    if (dir) {
        bool exists = access(dir, F_OK) == 0;
        int fd = program->options.dry_run && !exists ? -1 : open_dir(dir);
        if (fd < 0 && !(program->options.dry_run && !exists)) {
            complain(dir, "open directory:", whorl_strerror(fd));
            return EXIT_NONE;
        }
        program->get.dir_fd = fd;
    }
    if (open_manifest(program))
        return EXIT_USAGE;
    return program->options.dry_run ? 0 : look_at_leftovers(program);
}

int main(int argc, char **argv)
{
    static struct program program;
    struct buffer text = {0}; /* to print */
    char why[1024];
    int status = EXIT_ALL;

    fill_standard_fds();
    program.get.dir_fd = -1;
    views_init(&program.views, &program.options);
    setlocale(LC_CTYPE, ""); /* sets the terminal's encoding and the width of its characters */
    switch (options_parse(&program.options, argc, argv, why, sizeof why)) {
    case OPTIONS_HELP:
        help_add(&text, program.options.help_topic);
        break;
    case OPTIONS_COMPLETION:
        help_add_completion(&text, program.options.shell);
        break;
    case OPTIONS_VERSION:
        puts("whorl-get " WHORL_VERSION);
        break;
    case OPTIONS_BAD:
        fprintf(stderr, "whorl-get: %s\nTry 'whorl-get --help'.\n", why);
        status = EXIT_USAGE;
        break;
    case OPTIONS_RUN:
        if (program.options.verify_manifest) {
            status = check_manifest(&program.options);
            break;
        }
        fit_open_files(&program.options);
        status = prepare(&program);
        if (status == 0) {
            status = run(&program);
            leftovers_report_journals(&program.get.leftovers, report_leftover, &program.options);
            bool is_saved = save_cookies(&program) == 0;
            is_saved &= save_manifest(&program) == 0;
            bool is_drawn = write_views(&program) == 0;
            if ((!is_saved || !is_drawn) && status == EXIT_ALL)
                status = EXIT_SOME;
        }
        break;
    }
    target_subdirs_finish(&program.get.subdirs, program.get.dir_fd);
    if (program.get.dir_fd >= 0)
        close(program.get.dir_fd);
    signals_finish(&program.signals);
    source_finish(&program.fetch.source);
    leftovers_finish(&program.get.leftovers);
    taken_finish(&program.get.taken);
    manifest_finish(&program.get.manifest);
    schedule_finish(&program.get.schedule);
    mirror_finish(&program.mirror);
    queue_destroy(program.fetch.queue);
    progress_finish(&program.progress);
    trace_finish(&program.trace);
    report_finish(&program.report);
    writer_finish(&program.messages);
    writer_finish(&program.objects);
    views_finish(&program.views);
    whorl_tls_config_destroy(program.tls);
    whorl_tls_config_destroy(program.proxy_tls);
    whorl_http_netrc_destroy(program.netrc);
    checksums_finish(&program.get.checksums);
    whorl_http_cookies_release(program.cookies);
    user_finish(&program.get.user);
    ask_finish(&program.get.ask);
    options_finish(&program.options);
    if (text.len > 0)
        fputs(text.text, stdout);
    if (text.failed || fflush(stdout) != 0)
        status = EXIT_NONE;
    buffer_finish(&text);
    signals_die(&program.signals);
    return status;
}
