/* SPDX-License-Identifier: MIT */
/* The demonstration site: an HTTP/1.1 server with one task per connection and a delay per page.
 *
 * Three host names share 160 pages and one port on the loopback interface. The program has all
 * parts of a real server: an accept loop that spawns tasks, a deadline for each wait for a client,
 * and a shutdown on a signal. It needs no clean-up code for its tasks, because leaving a group
 * cancels and joins them.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <whorl.h>

#include "site_pages.h"

enum { HEAD_MAX = 8192, IDLE_S = 30 };

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

/* The parts of a request that this server uses. All pointers point into the head. */
struct request {
    const char *method, *path;
    char host[256]; /* without the port */
    bool keep_alive, has_body;
};

/* One connection and the received bytes that are not answered yet. */
struct conn {
    struct whorl_stream *stream;
    size_t len;
    char head[HEAD_MAX + 1];
};

/* Sends a response. Returns 0, or a negative code that ends the connection. */
static WHORL_SUSPENDS int answer(struct conn *conn, const struct request *request,
                                 const char *status, const char *type, const char *body,
                                 size_t body_len)
{
    char head[512];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nServer: whorl-site\r\nContent-Type: %s\r\n"
                     "Content-Length: %zu\r\n%s%s\r\n",
                     status, type, body_len, request->keep_alive ? "" : "Connection: close\r\n",
                     strncmp(status, "405", 3) == 0 ? "Allow: GET, HEAD\r\n" : "");
    bool is_head = request->method && strcmp(request->method, "HEAD") == 0;
    struct iovec parts[] = {{head, (size_t)n}, {(char *)body, body_len}};
    return whorl_stream_writev(conn->stream, parts, is_head ? 1 : 2);
}

static WHORL_SUSPENDS int refuse(struct conn *conn, struct request *request, const char *status)
{
    return answer(conn, request, status, "text/plain", status, strlen(status));
}

/* Returns the value of a header line if the line has this name, else NULL. Cuts the spaces around
 * the value off, in place. */
static char *header_value(char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    char *value = line + len + 1 + strspn(line + len + 1, " \t");
    for (char *end = value + strlen(value); end > value && strchr(" \t", end[-1]);)
        *--end = '\0';
    return value;
}

/* Parses a head in place. Returns the error status to answer with, or NULL. */
static const char *parse(struct request *request, char *head)
{
    char *rest = head, *line = strsep(&rest, "\r"), *value;
    char *method = strsep(&line, " "), *target = strsep(&line, " "), *version = line;
    bool has_host = false;

    *request = (struct request){.method = method, .path = target};
    if (!target || !version || strncmp(version, "HTTP/1.", 7) != 0)
        return "400 Bad Request";
    request->keep_alive = strcmp(version, "HTTP/1.0") != 0;
    while (rest && *rest++ == '\n' && (line = strsep(&rest, "\r")) && *line) {
        if ((value = header_value(line, "Host"))) {
            has_host = true;
            snprintf(request->host, sizeof request->host, "%.*s", (int)strcspn(value, ":"), value);
        } else if ((value = header_value(line, "Connection"))) {
            if (strcasestr(value, "close"))
                request->keep_alive = false;
            else if (strcasestr(value, "keep-alive"))
                request->keep_alive = true;
        } else if ((value = header_value(line, "Content-Length"))) {
            request->has_body |= strcmp(value, "0") != 0;
        } else if (header_value(line, "Transfer-Encoding")) {
            request->has_body = true;
        }
    }
    if (request->has_body) /* this server reads no bodies, so it cannot find the next request */
        request->keep_alive = false;
    return has_host || !request->keep_alive ? NULL : "400 Bad Request";
}

/* Answers one request. Returns 0, or a negative code that ends the connection. */
static WHORL_SUSPENDS int respond(struct conn *conn, struct request *request)
{
    bool known = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    const char *host = site_host(request->host);

    if (!known)
        return refuse(conn, request, "405 Method Not Allowed");
    if (!host)
        return refuse(conn, request, "404 Not Found: no such host");
    if (strcmp(request->path, "/") == 0) {
        size_t len;
        char *text = site_index(&site, host, &len);
        int err = text ? answer(conn, request, "200 OK", "text/html", text, len) : -ENOMEM;
        free(text);
        return err;
    }
    const struct site_page *page = site_find(&site, host, request->path);
    if (!page)
        return refuse(conn, request, "404 Not Found");
    int err = whorl_sleep(options.latency_ns);
    if (err)
        return err;
    return answer(conn, request, "200 OK", "text/html", page->text, page->len);
}

/* Reads until the buffer holds a complete head, for at most IDLE_S seconds. Returns the length of
 * the head with its empty line; 0 when the client has closed; -E2BIG when the head is too long; or
 * another negative code. */
static WHORL_SUSPENDS ssize_t read_head(struct conn *conn)
{
    struct whorl_scope scope;
    ssize_t n = 1;
    char *end;

    whorl_scope_enter_timeout(&scope, IDLE_S * WHORL_SECOND);
    conn->head[conn->len] = '\0';
    while (!(end = strstr(conn->head, "\r\n\r\n")) && n > 0) {
        if (conn->len == HEAD_MAX) {
            n = -E2BIG;
            break;
        }
        n = whorl_stream_read(conn->stream, conn->head + conn->len, HEAD_MAX - conn->len);
        if (n > 0)
            conn->len += (size_t)n;
        conn->head[conn->len] = '\0';
    }
    n = whorl_scope_leave(&scope, n < 0 ? (int)n : 0);
    return n < 0 || !end ? n : end + 4 - conn->head;
}

/* The task of one connection: answers requests until one side ends the connection. */
static int serve(void *arg)
{
    struct conn conn = {.stream = arg};
    struct request request = {0};
    ssize_t len;
    int err = 0;

    do {
        len = read_head(&conn);
        if (len == -E2BIG) {
            request = (struct request){0};
            err = refuse(&conn, &request, "431 Request Header Fields Too Large");
        }
        if (len <= 0)
            break;
        conn.head[len - 1] = '\0'; /* so that parse() sees only this head */
        const char *wrong = parse(&request, conn.head);
        if (wrong)
            request.keep_alive = false;
        err = wrong ? refuse(&conn, &request, wrong) : respond(&conn, &request);
        conn.len -= (size_t)len;
        memmove(conn.head, conn.head + len, conn.len);
    } while (err == 0 && request.keep_alive);
    if (err == 0)
        err = whorl_stream_close_write(conn.stream);
    whorl_stream_close(conn.stream);
    return err;
}

/* Accepts connections until cancelled. A failed connection does not end the loop or the others. */
static int listen_loop(void *arg)
{
    struct whorl_listener *listener = arg;
    WHORL_AUTO(group) conns = {.policy = WHORL_GROUP_COLLECT};

    for (;;) {
        int fd = whorl_accept(listener, NULL), err;
        if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
            if ((err = whorl_sleep(100 * WHORL_MILLISECOND)) != 0)
                return err;
            continue;
        }
        if (fd < 0)
            return fd;
        struct whorl_stream *stream;
        if (whorl_stream_from_socket(fd, &stream) != 0)
            close(fd);
        else if (whorl_spawn(&conns, serve, stream) != 0)
            whorl_stream_close(stream);
    }
}

/* Listens on ::1 as well if the machine has it, because many clients try it first. */
static int listen_both(struct whorl_listener **ret_v4, struct whorl_listener **ret_v6)
{
    struct whorl_listen_options listen_options = {.no_delay = true, .v6_only = true};
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
    WHORL_AUTO(group) loops = {0};

    (void)arg;
    int err = whorl_signals_open(numbers, &signals);
    if (err == 0)
        err = listen_both(&v4, &v6);
    if (err == 0 && options.urls)
        err = site_write_urls(&site, options.port, options.urls);
    if (err == 0 && options.manifest)
        err = site_write_manifest(&site, options.manifest);
    if (err == 0)
        err = whorl_spawn(&loops, listen_loop, v4);
    if (err == 0 && v6)
        err = whorl_spawn(&loops, listen_loop, v6);
    if (err)
        return err;
    printf("listening on port %d\n", options.port);
    fflush(stdout);
    /* Leaving the block cancels and joins the accept loops and their connections. */
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
