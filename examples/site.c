/* SPDX-License-Identifier: MIT */
/* The demonstration site: an HTTP server with a delay per page.
 *
 * Three host names share 160 pages and one port on the loopback interface. The library reads the
 * requests, so the program consists only of the pages, the listeners, and a shutdown on a signal.
 * It needs no clean-up code for its tasks, because leaving a group cancels and joins them.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <whorl.h>

#include "site_pages.h"

struct options {
    uint16_t port;        /* 0: the system chooses a free port */
    int64_t latency_ns;   /* before each page */
    int pages;            /* of all hosts together */
    const char *urls;     /* file to write, or NULL */
    const char *manifest; /* file to write, or NULL */
    bool with_parent;     /* end when the parent process ends */
};

static struct options options = {.latency_ns = 50 * WHORL_MILLISECOND, .pages = 160};
static struct site site;

static WHORL_SUSPENDS int refuse(struct whorl_http_reply *reply, int status, const char *text)
{
    return whorl_http_reply_send(reply, status, "text/plain", text, strlen(text));
}

/* Sends the list of the host's pages. */
static WHORL_SUSPENDS int send_index(struct whorl_http_reply *reply, const char *host)
{
    size_t len;
    char *text = site_index(&site, host, &len);
    int err = text ? whorl_http_reply_send(reply, 200, "text/html", text, len) : -ENOMEM;

    free(text);
    return err;
}

/* Answers one request. */
static WHORL_SUSPENDS int respond(void *arg, struct whorl_http_incoming *incoming,
                                  struct whorl_http_reply *reply)
{
    const char *method = whorl_http_incoming_method(incoming);
    const char *path = whorl_http_incoming_path(incoming);
    const char *asked = whorl_http_incoming_host(incoming);
    char name[256]; /* without the port */

    (void)arg;
    int err = whorl_http_reply_add_header(reply, "Server", "whorl-site");
    if (err)
        return err;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        err = whorl_http_reply_add_header(reply, "Allow", "GET, HEAD");
        return err ? err : refuse(reply, 405, "405 Method Not Allowed");
    }
    snprintf(name, sizeof name, "%.*s", asked ? (int)strcspn(asked, ":") : 0, asked ? asked : "");
    const char *host = site_host(name);
    if (!host)
        return refuse(reply, 404, "404 Not Found: no such host");
    if (strcmp(path, "/") == 0)
        return send_index(reply, host);
    const struct site_page *page = site_find(&site, host, path);
    if (!page)
        return refuse(reply, 404, "404 Not Found");
    err = whorl_sleep(options.latency_ns);
    return err ? err : whorl_http_reply_send(reply, 200, "text/html", page->text, page->len);
}

/* Serves until cancelled. */
static int serve(void *arg)
{
    struct whorl_listener *const *listeners = arg;

    return whorl_http_serve(listeners, listeners[1] ? 2 : 1, NULL, respond, NULL);
}

/* Listens on ::1 as well if the machine has it, because many clients try it first. */
static int listen_both(struct whorl_listener **ret_v4, struct whorl_listener **ret_v6)
{
    struct whorl_listen_options listen_options = {.v6_only = true};
    struct whorl_addr addr;

    int err = whorl_addr_parse("127.0.0.1", options.port, &addr);
    if (err == 0)
        err = whorl_listen(&addr, &listen_options, ret_v4);
    if (err)
        return err;
    options.port = whorl_addr_port(whorl_listener_addr(*ret_v4));
    if (whorl_addr_parse("::1", options.port, &addr) != 0 ||
        whorl_listen(&addr, &listen_options, ret_v6) != 0)
        *ret_v6 = NULL;
    return 0;
}

static int root(void *arg)
{
    static const int numbers[] = {SIGINT, SIGTERM, 0};
    WHORL_AUTO(signals) *signals = NULL;
    WHORL_AUTO(listener) *v4 = NULL;
    WHORL_AUTO(listener) *v6 = NULL;
    struct whorl_listener *listeners[2];
    WHORL_AUTO(group) group = {0};

    (void)arg;
    int err = whorl_signals_open(numbers, &signals);
    if (err == 0)
        err = listen_both(&v4, &v6);
    if (err == 0 && options.urls)
        err = site_write_urls(&site, options.port, options.urls);
    if (err == 0 && options.manifest)
        err = site_write_manifest(&site, options.manifest);
    listeners[0] = v4;
    listeners[1] = v6;
    if (err == 0)
        err = whorl_spawn(&group, serve, listeners);
    if (err)
        return err;
    printf("listening on port %d\n", options.port);
    fflush(stdout);
    /* Leaving the block cancels and joins the server and its connections. */
    return whorl_signals_wait(signals, NULL);
}

static int usage(FILE *out)
{
    fputs("usage: site [--port N] [--latency MS] [--pages N] [--urls FILE] [--manifest FILE]\n"
          "            [--exit-with-parent]\n"
          "Serves one.localhost, two.localhost and three.localhost on loopback until SIGTERM or\n"
          "SIGINT. --urls writes the URLs of the pages to a file, and --manifest writes their\n"
          "digests to a file that sha256sum --check reads.\n",
          out);
    return out == stdout ? 0 : 2;
}

/* Parses the number of an option. Returns -1 unless it is a number from 0 to `max`. */
static long number(const char *text, long max)
{
    char *end;
    long value = strtol(text, &end, 10);
    return end == text || *end || value < 0 || value > max ? -1 : value;
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},     {"latency", required_argument, NULL, 'l'},
        {"pages", required_argument, NULL, 'n'},    {"urls", required_argument, NULL, 'u'},
        {"manifest", required_argument, NULL, 'm'}, {"exit-with-parent", no_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},           {0}};
    long port = 0, latency_ms = 50, pages = 160;

    for (int option; (option = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        switch (option) {
        case 'p':
            port = number(optarg, 65535);
            break;
        case 'l':
            latency_ms = number(optarg, 3600000);
            break;
        case 'n':
            pages = number(optarg, PAGES_MAX);
            break;
        case 'u':
            options.urls = optarg;
            break;
        case 'm':
            options.manifest = optarg;
            break;
        case 'e':
            options.with_parent = true;
            break;
        default:
            return usage(option == 'h' ? stdout : stderr);
        }
    }
    if (optind < argc || port < 0 || latency_ms < 0 || pages < 1)
        return usage(stderr);
    options.port = (uint16_t)port;
    options.latency_ns = latency_ms * WHORL_MILLISECOND;
    if (options.with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    int err = site_create(&site, (int)pages);
    if (err == 0)
        err = whorl_io_run(root, NULL);
    if (err)
        fprintf(stderr, "site: %s\n", whorl_strerror(err));
    site_finish(&site);
    return err ? 1 : 0;
}
