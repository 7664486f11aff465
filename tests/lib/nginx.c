/* SPDX-License-Identifier: MIT */
/* Runs nginx on loopback, over http and https, for the duration of a test. */
#include "nginx.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs.h"
#include "ports.h"
#include "subprocess.h"
#include "test.h"

struct nginx {
    pid_t pid;
    uint16_t port, tls_port;
    char dir[512]; /* configuration, logs and temporary files */
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        test_fail(__FILE__, __LINE__, "writing %s: %s", path, strerror(errno));
}

/* Returns the whole text of a file; "" when it does not exist. Release it with free(). */
static char *read_file(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = fopen(path, "r");

    if (!file || getdelim(&text, &len, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    if (file)
        fclose(file);
    return text;
}

static void configure(struct nginx *nginx, const struct nginx_options *options, bool v6)
{
    const char *cert = options->cert ? options->cert : "good";
    const char *http2 = options->http2 ? " http2" : "";
    char pem[64], key[64], path[600], v6_lines[128] = "", *text;

    snprintf(pem, sizeof pem, "%s.pem", cert);
    snprintf(key, sizeof key, "%s.key", cert);
    if (v6)
        snprintf(v6_lines, sizeof v6_lines, "listen [::1]:%d; listen [::1]:%d ssl%s;", nginx->port,
                 nginx->tls_port, http2);
    snprintf(path, sizeof path, "%s/docroot", nginx->dir);
    mkdir(path, 0700);
    int n = asprintf(
        &text,
        "daemon off; worker_processes 1; %s pid %s/pid; error_log %s/error.log notice;\n"
        "events { worker_connections 4096; }\n"
        "http {\n"
        "  log_format short '$host $request_method $request_uri $status "
        "connection $connection requests $connection_requests';\n"
        "  access_log %s/access.log short;\n"
        "  client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path %s/fastcgi;\n"
        "  uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
        "  default_type application/octet-stream; keepalive_requests 100000;\n"
        "  %s\n"
        "  server {\n"
        "    listen 127.0.0.1:%d; listen 127.0.0.1:%d ssl%s; %s\n"
        "    server_name localhost; root %s;\n"
        "    ssl_certificate %s; ssl_certificate_key %s; ssl_protocols %s;\n"
        "    %s\n"
        "  }\n"
        "}\n",
        geteuid() == 0 ? "user root;" : "", nginx->dir, nginx->dir, nginx->dir, nginx->dir,
        nginx->dir, nginx->dir, nginx->dir, nginx->dir,
        options->http_conf ? options->http_conf : "", nginx->port, nginx->tls_port, http2, v6_lines,
        options->docroot ? options->docroot : path, cert_path(pem), cert_path(key),
        options->protocols ? options->protocols : "TLSv1.2",
        options->server_conf ? options->server_conf : "");
    if (n < 0)
        test_fail(__FILE__, __LINE__, "no memory");
    snprintf(path, sizeof path, "%s/nginx.conf", nginx->dir);
    write_file(path, text);
    free(text);
}

/* Sends one request to the port and returns whether an answer came. The socket queues the request
 * until nginx has started. */
static bool answers(uint16_t port)
{
    static const char request[] = "GET / HTTP/1.0\r\nHost: up\r\n\r\n";
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = 10 * test_timeout_scale()};
    char answer[16];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    bool good = connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0 &&
                send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0 &&
                recv(fd, answer, sizeof answer, 0) > 0;
    close(fd);
    return good;
}

static void stop_at_end(void *arg)
{
    nginx_stop(arg);
}

struct nginx *nginx_start(const struct nginx_options *options)
{
    static const struct nginx_options none;
    static int count;
    struct nginx *nginx = calloc(1, sizeof *nginx);
    int fds[5], n = 0;
    char inherited[64], conf[600], log[600];

    if (!test_has_program("nginx"))
        test_skip("nginx is not installed");
    snprintf(nginx->dir, sizeof nginx->dir, "%s/nginx-%d", test_tmpdir(), count++);
    if (mkdir(nginx->dir, 0700) != 0)
        test_fail(__FILE__, __LINE__, "mkdir %s: %s", nginx->dir, strerror(errno));

    /* Open the sockets here and pass them to nginx as nginx passes them to its successor, so that
     * no other process can take the ports in between. */
    fds[n++] = port_listen(&nginx->port);
    fds[n++] = port_listen(&nginx->tls_port);
    fds[n++] = port_listen_v6(nginx->port);
    fds[n++] = port_listen_v6(nginx->tls_port);
    bool v6 = fds[2] >= 0 && fds[3] >= 0;
    if (!v6) {
        for (int i = 2; i < 4; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        n = 2;
    }
    fds[n] = -1;
    configure(nginx, options ? options : &none, v6);
    snprintf(inherited, sizeof inherited, "NGINX=%d;%d;", fds[0], fds[1]);
    if (v6)
        snprintf(inherited, sizeof inherited, "NGINX=%d;%d;%d;%d;", fds[0], fds[1], fds[2], fds[3]);
    snprintf(conf, sizeof conf, "%s/nginx.conf", nginx->dir);
    snprintf(log, sizeof log, "%s/output.log", nginx->dir);
    const char *const env[] = {inherited, "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin",
                               NULL};
    const char *const argv[] = {"nginx", "-p", nginx->dir, "-e", log, "-c", conf, NULL};
    nginx->pid = subprocess_daemon(argv, env, log, fds);
    for (int i = 0; i < n; i++)
        close(fds[i]);
    test_at_end(stop_at_end, nginx);
    if (!answers(nginx->port)) {
        char *text = read_file(log);
        test_fail(__FILE__, __LINE__, "nginx does not answer\n%s", text);
    }
    return nginx;
}

uint16_t nginx_port(const struct nginx *nginx)
{
    return nginx->port;
}

uint16_t nginx_tls_port(const struct nginx *nginx)
{
    return nginx->tls_port;
}

int nginx_requests(const struct nginx *nginx, const char *text)
{
    char path[600], *rest, *log;
    int count = 0;

    snprintf(path, sizeof path, "%s/access.log", nginx->dir);
    log = rest = read_file(path);
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        count += *line && strncmp(line, "up ", 3) != 0 && strstr(line, text) != NULL;
    free(log);
    return count;
}

void nginx_wait_requests(const struct nginx *nginx, const char *text, int count)
{
    for (int i = 0; i < 500 * test_timeout_scale(); i++) {
        if (nginx_requests(nginx, text) >= count)
            return;
        poll(NULL, 0, 10);
    }
    test_fail(__FILE__, __LINE__, "nginx logged %d requests with \"%s\", expected %d",
              nginx_requests(nginx, text), text, count);
}

void nginx_stop(struct nginx *nginx)
{
    test_not_at_end(nginx);
    kill(nginx->pid, SIGTERM); /* the master process ends its worker */
    waitpid(nginx->pid, NULL, 0);
    free(nginx);
}
