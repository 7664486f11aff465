/* SPDX-License-Identifier: MIT */
/* whorl-get's command line. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "tools/get/buffer.h"
#include "tools/get/command_line.h"
#include "tools/get/help.h"
#include "tools/get/option_rows.h"
#include "tools/get/queue.h"
#include "tools/get/suggest.h"

static struct options options;
static char why[512];

static char words[1024]; /* of the command line */
static const char *config_home = "/nonexistent";

/* Parses words separated by single spaces; "_" is an empty word. */
static enum options_verdict parse(const char *line)
{
    static char *argv[64];
    int argc = 0;

    setenv("XDG_CONFIG_HOME", config_home, 1);
    options_finish(&options);
    why[0] = '\0';
    argv[argc++] = "whorl-get";
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = strcmp(word, "_") == 0 ? "" : word;
    argv[argc] = NULL;
    return options_parse(&options, argc, argv, why, sizeof why);
}

#define CHECK_BAD(line, text)               \
    do {                                    \
        CHECK_EQ(parse(line), OPTIONS_BAD); \
        CHECK_STR(why, text);               \
    } while (0)

TEST(one_option_says_what_happens_to_existing_files)
{
    CHECK_EQ(parse("http://h/"), OPTIONS_RUN);
    CHECK_EQ(options.existing, EXISTING_KEEP);
    CHECK_EQ(parse("--continue -c http://h/"), OPTIONS_RUN);
    CHECK_EQ(options.existing, EXISTING_CONTINUE);
    CHECK_EQ(parse("--overwrite http://h/"), OPTIONS_RUN);
    CHECK_EQ(options.existing, EXISTING_OVERWRITE);
    CHECK_EQ(parse("--skip-existing http://h/"), OPTIONS_RUN);
    CHECK_EQ(options.existing, EXISTING_SKIP);
    CHECK_EQ(parse("--update http://h/"), OPTIONS_RUN);
    CHECK_EQ(options.existing, EXISTING_UPDATE);
    CHECK_BAD("--update -c http://h/", "--update and --continue cannot be used together");
    CHECK_BAD("--overwrite --skip-existing http://h/",
              "--overwrite and --skip-existing cannot be used together");
    CHECK_BAD("--update --head http://h/", "--update needs GET requests without a body");
    CHECK_BAD("--update --data x http://h/", "--update needs GET requests without a body");
    CHECK_BAD("--update -X PUT http://h/", "--update needs GET requests without a body");
    CHECK_BAD("--update -H If-Match:x http://h/",
              "--update and --header If-Match cannot be used together");
    CHECK_BAD("--update -H range:x http://h/",
              "--update and --header range cannot be used together");
    CHECK_BAD("--update -o - http://h/", "--update and --output - cannot be used together");
}

TEST(manifests_are_for_plain_downloads)
{
    CHECK_EQ(parse("--manifest m http://h/"), OPTIONS_RUN);
    CHECK_STR(options.manifest, "m");
    CHECK_EQ(parse("--verify-manifest m"), OPTIONS_RUN);
    CHECK_STR(options.verify_manifest, "m");
    CHECK_BAD("--manifest m -o f http://h/",
              "--manifest and --output cannot be used together; use --dir");
    CHECK_BAD("--manifest m --head http://h/", "--manifest needs GET requests without a body");
    CHECK_BAD("--manifest m -H if-match:x http://h/",
              "--manifest and --header if-match cannot be used together");
    CHECK_BAD("--manifest m -J http://h/", "--remote-header-name names a file when it arrives, so "
                                           "--manifest cannot be used with it");
    CHECK_BAD("--verify-manifest m http://h/",
              "--verify-manifest fetches nothing; leave the URLs and --manifest out");
    CHECK_BAD("--verify-manifest _ http://h/", "--verify-manifest needs a file name");
}

TEST(defaults_are_sane)
{
    CHECK_EQ(parse("http://h/"), OPTIONS_RUN);
    CHECK_EQ(options.urls_count, 1);
    CHECK_STR(options.urls[0], "http://h/");
    CHECK_EQ(options.jobs, 16);
    CHECK_EQ(options.per_host, 6);
    CHECK_EQ(options.retries, 3);
    CHECK_EQ(options.redirects_max, 10);
    CHECK_EQ(options.timeout_ns, WHORL_FOREVER);
    CHECK_EQ(options.stall_timeout_ns, 60 * WHORL_SECOND);
    CHECK_EQ(options.connect_timeout_ns, 30 * WHORL_SECOND);
    CHECK_EQ(options.size_max, 0);
    CHECK(!options.output && !options.dir && !options.cacert && !options.agent);
    CHECK(!options.allow_downgrade && !options.trust_redirects);
    CHECK(!options.compressed && !options.insecure && !options.quiet && !options.json);
}

TEST(every_option_is_taken)
{
    CHECK_EQ(parse("-i list -i - -d out -j 64 --per-host 32 --retries 0 --max-redirects 2 "
                   "--timeout 1.5 --stall-timeout 200ms --connect-timeout 2m --max-size 1.5M "
                   "--allow-downgrade --trust-redirects --compressed --cacert ca.pem -H A:b "
                   "--header X-Y:1 -A agent -v --json u1 u2"),
             OPTIONS_RUN);
    CHECK_EQ(options.lists_count, 2);
    CHECK_STR(options.lists[0], "list");
    CHECK_STR(options.lists[1], "-");
    CHECK_STR(options.dir, "out");
    CHECK_EQ(options.jobs, 64);
    CHECK_EQ(options.per_host, 32);
    CHECK_EQ(options.retries, 0);
    CHECK_EQ(options.redirects_max, 2);
    CHECK_EQ(options.timeout_ns, 1500 * WHORL_MILLISECOND);
    CHECK_EQ(options.stall_timeout_ns, 200 * WHORL_MILLISECOND);
    CHECK_EQ(options.connect_timeout_ns, 2 * WHORL_MINUTE);
    CHECK_EQ(options.size_max, 3 * 512 * 1024);
    CHECK(options.allow_downgrade && options.trust_redirects);
    CHECK(options.compressed && options.verbose && options.json);
    CHECK_STR(options.cacert, "ca.pem");
    CHECK_EQ(options.headers_count, 2);
    CHECK_STR(options.headers[0].name, "A");
    CHECK_STR(options.headers[0].value, "b");
    CHECK_STR(options.headers[1].name, "X-Y");
    CHECK_STR(options.agent, "agent");
    CHECK_EQ(options.urls_count, 2);
    CHECK_STR(options.urls[1], "u2");
}

TEST(the_password_of_a_user_is_hidden_in_the_arguments)
{
    CHECK_EQ(parse("-u me:a:secret u"), OPTIONS_RUN);
    CHECK_STR(options.user, "me:a:secret");
    CHECK_STR(words + 3, "me:********");
    CHECK_EQ(parse("--user @a:b --netrc u"), OPTIONS_RUN);
    CHECK_STR(words + 7, "@a:b");
    CHECK(options.netrc && !options.netrc_file);
    CHECK_EQ(parse("--netrc-file f u"), OPTIONS_RUN);
    CHECK(options.netrc);
    CHECK_STR(options.netrc_file, "f");
    CHECK_BAD("-u _ u", "--user needs a name");
    CHECK_EQ(parse("--cookies a --save-cookies b u"), OPTIONS_RUN);
    CHECK_STR(options.cookies, "a");
    CHECK_STR(options.save_cookies, "b");
    CHECK_BAD("--cookies _ u", "--cookies needs a file name");
    CHECK_BAD("--save-cookies _ u", "--save-cookies needs a file name");
    CHECK_BAD("--netrc-file _ u", "--netrc-file needs a file name");
}

TEST(the_proxys_credentials_are_hidden_in_the_arguments)
{
    CHECK_EQ(parse("--proxy http://me:secret@p:1 --noproxy a,b u"), OPTIONS_RUN);
    CHECK_STR(options.proxy, "http://me:secret@p:1");
    CHECK_STR(options.no_proxy, "a,b");
    CHECK(!memmem(words, sizeof words, "secret", 6));
}

TEST(the_queues_credentials_are_hidden_in_the_arguments)
{
    const char *missing = "--queue: this whorl-get was built without hiredis";

    CHECK_EQ(parse("--queue redis://me:s3cret@h/?consumer=a@b"),
             queue_is_possible() ? OPTIONS_RUN : OPTIONS_BAD);
    CHECK_STR(why, queue_is_possible() ? "" : missing);
    CHECK_STR(options.queue, "redis://me:s3cret@h/?consumer=a@b");
    CHECK(memmem(words, sizeof words, "s3cret", 6) == NULL);
    CHECK_BAD("--queue redis://me:s3cret@h:x", "--queue: the URL needs a port from 1 to 65535");
    CHECK(memmem(words, sizeof words, "s3cret", 6) == NULL);
    if (!queue_is_possible())
        return;
    CHECK_BAD("--queue redis://h http://h/", "--queue and URLs cannot be used together");
    CHECK_BAD("--queue redis://h -i a", "--queue and --input cannot be used together");
    CHECK_BAD("--queue redis://h -r", "--recursive and --queue cannot be used together");
}

TEST(the_ways_to_connect_are_checked)
{
    CHECK_EQ(parse("-4 --resolve a:1:127.0.0.1 --resolve *:2:::1,[::2] --interface lo u"),
             OPTIONS_RUN);
    CHECK_EQ(options.family, AF_INET);
    CHECK_EQ(options.overrides_count, 2);
    CHECK_STR(options.overrides[0], "a:1:127.0.0.1");
    CHECK_STR(options.overrides[1], "*:2:::1,[::2]");
    CHECK_STR(options.interface, "lo");
    CHECK(!options.local_addr);
    CHECK_EQ(parse("--ipv6 -6 --interface lo --interface ::1 u"), OPTIONS_RUN);
    CHECK_EQ(options.family, AF_INET6);
    CHECK_STR(options.local_addr, "::1");
    CHECK(!options.interface);
    CHECK_EQ(parse("--unix-socket @name u"), OPTIONS_RUN);
    CHECK_STR(options.unix_path, "@name");

    CHECK_BAD("--resolve a:b:127.0.0.1 u",
              "--resolve: override \"a:b:127.0.0.1\": its port is not a number from 1 to 65535, "
              "followed by a colon");
    CHECK_BAD("-4 -6 u", "-4 and -6 cannot be used together");
    CHECK_BAD("--interface _ u", "--interface needs the name of a network interface or a local "
                                 "address, not ''");
    CHECK_BAD("--interface 127.0.0.1 -6 u", "--interface 127.0.0.1 is not an address for -6");
    CHECK_BAD("-4 --interface ::1 u", "--interface ::1 is not an address for -4");
    CHECK_BAD("--unix-socket _ u", "--unix-socket needs a path");
    CHECK_BAD("--unix-socket /s -4 u", "--unix-socket and -4 cannot be used together");
    CHECK_BAD("--unix-socket /s -6 u", "--unix-socket and -6 cannot be used together");
    CHECK_BAD("--unix-socket /s --interface lo u",
              "--unix-socket and --interface cannot be used together");
    CHECK_BAD("--unix-socket /s --interface ::1 u",
              "--unix-socket and --interface cannot be used together");
    CHECK_BAD("--unix-socket /s --resolve a:1:::1 u",
              "--unix-socket and --resolve cannot be used together");
    char line[200];
    snprintf(line, sizeof line, "--unix-socket %0120d u", 1);
    CHECK_EQ(parse(line), OPTIONS_BAD);
    CHECK(strstr(why, "is too long for a Unix socket"));
}

TEST(options_may_follow_urls)
{
    CHECK_EQ(parse("u1 -q u2 --insecure"), OPTIONS_RUN);
    CHECK_EQ(options.urls_count, 2);
    CHECK(options.quiet && options.insecure);
    CHECK_EQ(parse("-q -- -u"), OPTIONS_RUN);
    CHECK_STR(options.urls[0], "-u");
}

TEST(library_and_version_of_tls_are_named)
{
    CHECK_EQ(parse("u"), OPTIONS_RUN);
    CHECK(options.tls == WHORL_TLS_ANY && options.tls_min == WHORL_TLS_1_2);
    CHECK_EQ(parse("--tls openssl --tls-min 1.3 u"), OPTIONS_RUN);
    CHECK(options.tls == WHORL_TLS_OPENSSL && options.tls_min == WHORL_TLS_1_3);
    CHECK_EQ(parse("--cert c --key k --pin a --pin b u"), OPTIONS_RUN);
    CHECK_STR(options.cert, "c");
    CHECK_STR(options.key, "k");
    CHECK_EQ(options.pins_count, 2);
    CHECK_STR(options.pins[1], "b");
    CHECK(!options.pins[2]);
    CHECK_EQ(parse("--tls=bearssl --tls-min=1.2 u"), OPTIONS_RUN);
    CHECK(options.tls == WHORL_TLS_BEARSSL && options.tls_min == WHORL_TLS_1_2);
}

TEST(one_version_of_http_can_be_chosen)
{
    CHECK_EQ(parse("u"), OPTIONS_RUN);
    CHECK_EQ(options.http, WHORL_HTTP_ANY);
    CHECK_EQ(parse("--http1.1 u"), OPTIONS_RUN);
    CHECK_EQ(options.http, WHORL_HTTP_1);
    CHECK_EQ(parse("--http2 u"), OPTIONS_RUN);
    CHECK_EQ(options.http, WHORL_HTTP_2);
    CHECK_BAD("--http2 --http1.1 u",
              "--http1.1 and --http2 may be given only once, and not together");
}

TEST(output_takes_one_url)
{
    CHECK_EQ(parse("-o f u"), OPTIONS_RUN);
    CHECK_STR(options.output, "f");
    CHECK_EQ(parse("-o - u"), OPTIONS_RUN);
    CHECK_BAD("-o f u1 u2", "--output takes exactly one URL; use --dir for several");
    CHECK_BAD("-o f -i list", "--output takes exactly one URL; use --dir for several");
    CHECK_BAD("-o f -d x u", "--output and --dir cannot be used together");
    CHECK_BAD("-o f -o g u", "--output may be given only once");
    CHECK_BAD("-o _ u", "--output needs a file name");
    CHECK_BAD("-d _ u", "--dir needs a directory name");
    CHECK_BAD("--json -o - u", "--json and --output - both write to standard output");
    CHECK_BAD("--json --events jsonl u", "--events jsonl and --json both write to standard output");
    CHECK_BAD("-o - --events jsonl:1 u",
              "--events jsonl:1 and --output - both write to standard output");
    CHECK_BAD("--events xml u", "--events needs jsonl, jsonl:DESCRIPTOR or jsonl:FILE, not 'xml'");
    CHECK_BAD("--events jsonl: u",
              "--events needs jsonl, jsonl:DESCRIPTOR or jsonl:FILE, not 'jsonl:'");
}

TEST(wrong_options_are_named)
{
    CHECK_BAD("", "no URL given");
    CHECK_BAD("--nopenope u", "unknown option --nopenope");
    CHECK_BAD("-1 u", "unknown option -1");
    CHECK_BAD("-q1 u", "unknown option -1");
    CHECK_BAD("--net u", "--net is ambiguous: --netrc, --netrc-file");
    CHECK_BAD("--quiet=1 u", "--quiet takes no value");
    CHECK_BAD("u -o", "-o needs a value");
    CHECK_BAD("u --timeout", "--timeout needs a value");
    CHECK_BAD("--json=1 u", "--json takes no value");
    CHECK_BAD("-q -v u", "--quiet and --verbose cannot be used together");
    CHECK_BAD("--insecure --cacert f u", "--insecure and --cacert cannot be used together");
    CHECK_BAD("--tls gnutls u", "--tls needs bearssl or openssl, not 'gnutls'");
    CHECK_BAD("--tls-min 1.1 u", "--tls-min needs 1.2 or 1.3, not '1.1'");
    CHECK_BAD("--tls bearssl --tls-min 1.3 u",
              "--tls bearssl does not have TLS 1.3; leave one of the options out");
    CHECK_BAD("--key f u", "--key needs --cert");
    CHECK_BAD("-i - -i -", "standard input can be read only once");
}

TEST(numbers_are_checked)
{
    CHECK_BAD("-j 0 u", "--jobs needs a whole number from 1 to 100000, not '0'");
    CHECK_BAD("-j 16x u", "--jobs needs a whole number from 1 to 100000, not '16x'");
    CHECK_BAD("-j -1 u", "--jobs needs a whole number from 1 to 100000, not '-1'");
    CHECK_BAD("-j 99999999999999999999 u",
              "--jobs needs a whole number from 1 to 100000, not '99999999999999999999'");
    CHECK_BAD("--per-host _ u", "--per-host needs a whole number from 1 to 100000, not ''");
    CHECK_BAD("--retries 1.5 u", "--retries needs a whole number from 0 to 1000, not '1.5'");
    CHECK_BAD("--max-redirects x u",
              "--max-redirects needs a whole number from 0 to 1000, not 'x'");
}

TEST(times_and_sizes_are_checked)
{
    CHECK_BAD("--timeout 5d u", "--timeout needs a time such as 30, 1.5s, 200ms or 5m, not '5d'");
    CHECK_BAD("--timeout -1 u", "--timeout needs a time such as 30, 1.5s, 200ms or 5m, not '-1'");
    CHECK_BAD("--timeout 1e3 u", "--timeout needs a time such as 30, 1.5s, 200ms or 5m, not '1e3'");
    CHECK_BAD("--timeout 99999999999h u", "--timeout: '99999999999h' is too long");
    CHECK_BAD("--max-size 10X u",
              "--max-size needs a size such as 500, 20k, 1.5M or 3G, not '10X'");
    CHECK_BAD("--max-size 1.2.3 u",
              "--max-size needs a size such as 500, 20k, 1.5M or 3G, not '1.2.3'");
    CHECK_BAD("--max-size 0 u", "--max-size must be more than 0");
    CHECK_BAD("--max-size 99999999T u", "--max-size: '99999999T' is too large");
    CHECK_EQ(parse("--max-size 3GiB --timeout 0 u"), OPTIONS_RUN);
    CHECK_EQ(options.size_max, 3LL << 30);
    CHECK_EQ(options.timeout_ns, WHORL_FOREVER);
}

TEST(headers_are_checked)
{
    CHECK_BAD("-H nocolon u", "--header needs 'Name: value', not 'nocolon'");
    CHECK_BAD("-H :x u", "--header needs 'Name: value', not ':x'");
    CHECK_BAD("-H a(b:x u", "--header needs 'Name: value', not 'a(b:x'");
    CHECK_BAD("-H a:x\r\nEvil:1 u",
              "--header has a control byte in its value, not 'a:x\\x0d\\x0aEvil:1'");
    CHECK_BAD("-A a\nb u", "--user-agent must not contain control bytes");
    CHECK_EQ(parse("-H a: u"), OPTIONS_RUN);
    CHECK_STR(options.headers[0].value, "");
}

TEST(complaints_hold_no_control_bytes)
{
    CHECK_BAD("-j \x1b[31m u", "--jobs needs a whole number from 1 to 100000, not '\\x1b[31m'");
    CHECK_BAD("--\x1b[2J u", "unknown option --\\x1b[2J");
}

TEST(the_nearest_option_is_suggested)
{
    CHECK_BAD("--retrys 3 u", "unknown option --retrys (did you mean --retries?)");
    CHECK_BAD("--retires=3 u", "unknown option --retires (did you mean --retries?)");
    CHECK_BAD("--jbos 3 u", "unknown option --jbos (did you mean --jobs?)");
    CHECK_BAD("--perhost 3 u", "unknown option --perhost (did you mean --per-host?)");
    CHECK_BAD("--qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq u",
              "unknown option --qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq");
}

TEST(options_of_other_programs_are_known)
{
    CHECK_BAD("-k u", "unknown option -k (for curl's see --insecure, for wget's see "
                      "--convert-links)");
    CHECK_BAD("--max-time 3 u", "unknown option --max-time (here it is --timeout)");
    CHECK_BAD("--output-document=f u", "unknown option --output-document (here it is --output)");
    CHECK_BAD("-F a=b u", "unknown option -F (here it is --form)");
    CHECK_BAD("--post-data=a u", "unknown option --post-data (here it is --data)");
    CHECK_BAD("--include u", "unknown option --include (here it is --show-headers)");
    CHECK_BAD("--spider u", "unknown option --spider (here it is --head)");
    CHECK_BAD("-T 3 u",
              "unknown option -T (for curl's see --upload-file, for wget's see --timeout)");
    for (size_t i = 0; i < suggest_foreign_count; i++) {
        const struct suggest_foreign *foreign = &suggest_foreign[i];
        bool is_ours = strlen(foreign->name) == 1 ? option_find_letter(foreign->name[0])
                                                  : (const void *)option_find(foreign->name);
        CHECK(!is_ours);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(suggest_foreign[j].name, foreign->name) != 0);
        for (const char *p = foreign->here; (p = strstr(p, " --")); p += 3) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(p + 3, " ;,"), p + 3);
            CHECK_STR(option_find(name) ? "" : name, "");
        }
    }
}

/* Writes whorl/get.conf in the directory of the test, which is the home of configuration files. */
static void write_config(const char *text, size_t len)
{
    char path[600];

    config_home = test_tmpdir();
    snprintf(path, sizeof path, "%s/whorl", config_home);
    CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/whorl/get.conf", config_home);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, len), (ssize_t)len);
    close(fd);
}

static void remove_config(void)
{
    char path[600];

    snprintf(path, sizeof path, "%s/whorl/get.conf", config_home);
    CHECK_OK(unlink(path));
}

#define CONFIG(text) write_config(text, sizeof(text) - 1)

/* Checks that the message is about that line of the file, and ends with `text`. */
#define CHECK_BAD_CONFIG(content, text)                      \
    do {                                                     \
        CONFIG(content);                                     \
        CHECK_EQ(parse("u"), OPTIONS_BAD);                   \
        const char *at = strstr(why, "/whorl/get.conf:");    \
        CHECK(at);                                           \
        CHECK_STR(at + sizeof "/whorl/get.conf:" - 1, text); \
    } while (0)

TEST(the_configuration_file_comes_before_the_command_line)
{
    CONFIG("# a comment\n\n  jobs = 5\r\ntimeout=1m\nheader = A: 1\n\tquiet\t\nhttp2\ndir = a b ");
    CHECK_EQ(parse("-H B:2 --timeout 2 u"), OPTIONS_RUN);
    CHECK_EQ(options.jobs, 5);
    CHECK_EQ(options.timeout_ns, 2 * WHORL_SECOND);
    CHECK_EQ(options.headers_count, 2);
    CHECK_STR(options.headers[0].value, "1");
    CHECK_STR(options.headers[1].name, "B");
    CHECK(options.quiet);
    CHECK_STR(options.dir, "a b");
    CHECK_EQ(options.http, WHORL_HTTP_2);
    CHECK_EQ(parse("--http1.1 u"), OPTIONS_RUN);
    CHECK_EQ(options.http, WHORL_HTTP_1);
    CHECK_EQ(parse("-o f u"), OPTIONS_RUN); /* which is not in `dir` */
    CHECK(!options.dir);
    CONFIG("update\n");
    CHECK_EQ(parse("--data x u"), OPTIONS_RUN);
    CHECK_EQ(options.existing, EXISTING_UPDATE);
    CHECK_EQ(parse("--overwrite u"), OPTIONS_RUN);
    CHECK_EQ(options.existing, EXISTING_OVERWRITE);
    CHECK_EQ(parse("--no-config u"), OPTIONS_RUN);
    CHECK(options.jobs == 16 && !options.quiet);
    CHECK_EQ(parse("--config /dev/null u"), OPTIONS_RUN);
    CHECK_EQ(options.jobs, 16);
    CHECK_BAD("--config /nonexistent/f u", "/nonexistent/f: no such file or directory");
    remove_config();
    CHECK_EQ(parse("u"), OPTIONS_RUN);
}

TEST(wrong_lines_of_the_configuration_file_are_named)
{
    CHECK_BAD_CONFIG("\njobz = 3\n", "2: unknown option 'jobz' (did you mean --jobs?)");
    CHECK_BAD_CONFIG("jobs\n", "1: 'jobs' needs a value: jobs = N");
    CHECK_BAD_CONFIG("jobs = x", "1: --jobs needs a whole number from 1 to 100000, not 'x'");
    CHECK_BAD_CONFIG("quiet = yes", "1: 'quiet' takes no value");
    CHECK_BAD_CONFIG("# \0\n", "1: a NUL byte");
    CHECK_BAD_CONFIG("output = f", "1: 'output' belongs on the command line");
    CHECK_BAD_CONFIG("\x1b[2J = 1", "1: unknown option '\\x1b[2J'");
    remove_config();
}

/* A line of --help is at most 79 columns wide. Returns the number of lines. */
static int measure_help(const char *topic)
{
    struct buffer text = {0};
    int lines = 0;

    help_add(&text, topic);
    CHECK(!text.failed && text.len > 0);
    for (const char *p = text.text; *p; lines++) {
        size_t n = strcspn(p, "\n");
        CHECK(n <= 79);
        p += n + 1;
    }
    buffer_finish(&text);
    return lines;
}

TEST(help_fits_a_screen)
{
    CHECK(measure_help("") <= 23);
    measure_help("all");
    for (size_t i = 0; i < TOPIC_COUNT; i++)
        CHECK(measure_help(option_topics[i].name) <= 40);
}

TEST(help_has_topics)
{
    CHECK_EQ(parse("--help"), OPTIONS_HELP);
    CHECK_STR(options.help_topic, "");
    CHECK_EQ(parse("--help tls"), OPTIONS_HELP);
    CHECK_STR(options.help_topic, "tls");
    CHECK_EQ(parse("--help http://h/"), OPTIONS_HELP);
    CHECK_STR(options.help_topic, "");
    CHECK_EQ(parse("--help=all"), OPTIONS_HELP);
    CHECK_STR(options.help_topic, "all");
    CHECK_BAD("--help=tea", "--help has no topic 'tea'; try --help all");
    CHECK_EQ(parse("--version"), OPTIONS_VERSION);
    CHECK_EQ(parse("--completion fish"), OPTIONS_COMPLETION);
    CHECK_BAD("--completion csh", "--completion needs bash, zsh or fish, not 'csh'");
}

TEST_MAIN()
