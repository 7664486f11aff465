/* SPDX-License-Identifier: MIT */
/* Round trips to servers that this process starts on loopback, each on a thread of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bearssl.h>

#include <whorl.h>

#include "certificate.h"
#include "latency.h"
#include "stopwatch.h"

enum { DNS_HEAD = 12 }; /* RFC 1035 §4.1.1 */

/* Opens a server socket on a free port of 127.0.0.1 and starts its thread. Returns the socket, or a
 * negative code. The process ends soon, so nothing is closed. */
static int start_server(int type, void *(*serve)(void *), struct sockaddr_in *ret)
{
    static int fd;
    socklen_t len = sizeof *ret;
    pthread_t thread;

    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)ret, len) < 0 ||
        getsockname(fd, (struct sockaddr *)ret, &len) < 0 ||
        (type == SOCK_STREAM && listen(fd, 64) < 0))
        return -errno;
    return -pthread_create(&thread, NULL, serve, &fd);
}

static void send_at_once(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

/* --- one byte and back ------------------------------------------------------------------------ */

static void *echo(void *arg)
{
    int fd = accept(*(int *)arg, NULL, NULL);
    char byte;

    send_at_once(fd);
    while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
        ;
    return NULL;
}

int latency_loopback(const struct latency_settings *settings, struct latency_result *ret)
{
    struct sockaddr_in addr;
    struct stopwatch watch;
    char byte = 'x';

    int err = start_server(SOCK_STREAM, echo, &addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (err || fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        return err ? err : -errno;
    send_at_once(fd);
    stopwatch_init(&watch, settings);
    for (long n; (n = stopwatch_next(&watch)) > 0;)
        for (long i = 0; i < n; i++)
            if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
                return -ECONNRESET;
    ret->ns = stopwatch_median_ns(&watch);
    return 0;
}

/* --- a name ----------------------------------------------------------------------------------- */

/* Answers every question with 127.0.0.1, for one hour. */
static void *answer_names(void *arg)
{
    static const unsigned char answer[] = {0xc0, DNS_HEAD, 0, 1, 0,   1, 0, 0,
                                           0x0e, 0x10,     0, 4, 127, 0, 0, 1};
    int fd = *(int *)arg;
    struct sockaddr_in from;
    unsigned char buf[600];

    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n =
            recvfrom(fd, buf, sizeof buf - sizeof answer, 0, (struct sockaddr *)&from, &len);
        if (n <= DNS_HEAD)
            continue;
        size_t end = DNS_HEAD + strnlen((char *)buf + DNS_HEAD, (size_t)n - DNS_HEAD) + 5;
        if (end > (size_t)n)
            continue;
        memcpy(buf + end, answer, sizeof answer); /* in place of an OPT record */
        memcpy(buf + 2, (unsigned char[]){0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}, 10);
        sendto(fd, buf, end + sizeof answer, 0, (struct sockaddr *)&from, len);
    }
    return NULL;
}

struct client {
    const struct latency_settings *settings;
    struct latency_result *result;
    struct sockaddr_in server;
};

/* Each name is looked up once, because answers are kept. */
static int look_up(void *arg)
{
    struct client *client = arg;
    struct whorl_dns_options options = {0};
    struct whorl_addr addr;
    struct stopwatch watch;
    char server[64], name[64];
    long number = 0;

    snprintf(server, sizeof server, "127.0.0.1:%d", ntohs(client->server.sin_port));
    options.servers = server;
    int err = whorl_dns_configure(&options);
    stopwatch_init(&watch, client->settings);
    for (long n; err >= 0 && (n = stopwatch_next(&watch)) > 0;)
        for (long i = 0; i < n && err >= 0; i++) {
            snprintf(name, sizeof name, "name-%ld.test.", number++);
            err = whorl_resolve(name, 80, AF_INET, &addr, 1);
        }
    if (err >= 0)
        client->result->ns = stopwatch_median_ns(&watch);
    return err < 0 ? err : 0;
}

int latency_name(const struct latency_settings *settings, struct latency_result *ret)
{
    struct client client = {.settings = settings, .result = ret};

    int err = start_server(SOCK_DGRAM, answer_names, &client.server);
    return err ? err : whorl_io_run(look_up, &client);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static int read_some(void *arg, unsigned char *buf, size_t len)
{
    ssize_t n = recv(*(int *)arg, buf, len, 0);

    return n > 0 ? (int)n : -1;
}

static int write_some(void *arg, const unsigned char *buf, size_t len)
{
    ssize_t n = send(*(int *)arg, buf, len, MSG_NOSIGNAL);

    return n > 0 ? (int)n : -1;
}

/* Does a handshake with one client after the other, without resumption. */
static void *shake_hands(void *arg)
{
    static const br_x509_certificate chain = {certificate_der, sizeof certificate_der};
    static const br_ec_private_key key = {BR_EC_secp256r1, certificate_key, sizeof certificate_key};
    static unsigned char buf[BR_SSL_BUFSIZE_BIDI];
    static br_ssl_server_context server;
    br_sslio_context io;
    char byte;

    br_ssl_server_init_full_ec(&server, &chain, 1, BR_KEYTYPE_EC, &key);
    br_ssl_engine_set_buffer(&server.eng, buf, sizeof buf, 1);
    for (;;) {
        int fd = accept(*(int *)arg, NULL, NULL);
        if (fd < 0)
            continue;
        send_at_once(fd);
        if (br_ssl_server_reset(&server)) {
            br_sslio_init(&io, &server.eng, read_some, &fd, write_some, &fd);
            br_sslio_read(&io, &byte, 1); /* returns when the client hangs up */
        }
        close(fd);
    }
    return NULL;
}

static WHORL_SUSPENDS int shake_once(struct whorl_tls_config *config, uint16_t port)
{
    struct whorl_stream *tcp;
    WHORL_AUTO(stream) *tls = NULL;

    int err = whorl_dial_stream("127.0.0.1", port, NULL, NULL, &tcp);
    if (err)
        return err;
    err = whorl_tls_connect(config, tcp, "latency.invalid", NULL, &tls);
    if (err)
        whorl_stream_close(tcp);
    return err;
}

static int shake_all(void *arg)
{
    struct client *client = arg;
    struct whorl_tls_options options = {.insecure = true};
    WHORL_AUTO(tls_config) *config = NULL;
    struct stopwatch watch;

    int err = whorl_tls_config_create(&options, NULL, &config);
    stopwatch_init(&watch, client->settings);
    for (long n; err == 0 && (n = stopwatch_next(&watch)) > 0;)
        for (long i = 0; i < n && err == 0; i++)
            err = shake_once(config, ntohs(client->server.sin_port));
    if (err == 0)
        client->result->ns = stopwatch_median_ns(&watch);
    return err;
}

int latency_tls(const struct latency_settings *settings, struct latency_result *ret)
{
    struct client client = {.settings = settings, .result = ret};

    int err = start_server(SOCK_STREAM, shake_hands, &client.server);
    return err ? err : whorl_io_run(shake_all, &client);
}
