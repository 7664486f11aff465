/* SPDX-License-Identifier: MIT */
/* A name server on loopback, over UDP and TCP. It answers by rules, correctly or incorrectly. */
#include "dns_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

enum {
    MESSAGE_MAX = 8192,
    NAME_SIZE = 256,
    QUESTIONS_MAX = 8192,
    RULES_MAX = 64,
    CONNS_MAX = 16,
    HEADER_SIZE = 12,
};

struct question {
    char name[NAME_SIZE];
    int type;
};

/* An answer that waits to be sent. */
struct reply {
    struct reply *next;
    int64_t due_ms;
    bool held;
    struct sockaddr_in to; /* UDP: the client's address */
    int conn;              /* TCP: the descriptor; UDP: -1 */
    size_t len;
    uint8_t bytes[];
};

struct dns_server {
    pthread_t thread;
    pthread_mutex_t lock; /* protects the fields from here up to `rules` */
    struct question *questions;
    int question_count, tcp_count, edns_count;
    bool released, stopping;

    const struct dns_rule *rules;
    size_t rule_count;
    int used[RULES_MAX];
    char address[32];
    int udp, tcp, wake;
    int conns[CONNS_MAX];
    struct reply *replies;
};

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- messages --- */

static void put16(uint8_t **pos, unsigned value)
{
    *(*pos)++ = (uint8_t)(value >> 8);
    *(*pos)++ = (uint8_t)value;
}

static void put_name(uint8_t **pos, const char *name)
{
    while (*name) {
        size_t label = strcspn(name, ".");
        *(*pos)++ = (uint8_t)label;
        memcpy(*pos, name, label);
        *pos += label;
        name += label + (name[label] == '.');
    }
    *(*pos)++ = 0;
}

/* Reads the question. Returns the number of bytes up to its end, or 0 when it is invalid. */
static size_t parse_question(const uint8_t *query, size_t len, struct question *ret)
{
    size_t pos = HEADER_SIZE, out = 0;

    if (len < HEADER_SIZE || (query[2] & 0x80) || query[4] != 0 || query[5] != 1)
        return 0;
    while (pos < len && query[pos] != 0) {
        size_t label = query[pos++];
        if (label > 63 || pos + label >= len || out + label + 2 > NAME_SIZE)
            return 0;
        for (size_t i = 0; i < label; i++) {
            uint8_t c = query[pos++];
            ret->name[out++] = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
        }
        ret->name[out++] = '.';
    }
    if (pos + 5 > len)
        return 0;
    ret->name[out ? out - 1 : 0] = '\0';
    ret->type = query[pos + 1] << 8 | query[pos + 2];
    return pos + 5;
}

static bool has_edns(const uint8_t *query)
{
    return query[10] != 0 || query[11] != 0; /* clients send no other additional record than EDNS */
}

/* Appends the records of `rule` for `type` and returns their number. */
static unsigned put_records(uint8_t **pos, const struct dns_rule *rule, int type, bool forged)
{
    unsigned n = 0;
    const char *owner = NULL;

    if (rule->cname) {
        put16(pos, 0xc000 | HEADER_SIZE); /* a pointer to the name of the question */
        put16(pos, 5);
        put16(pos, 1);
        put16(pos, rule->ttl_s >> 16);
        put16(pos, rule->ttl_s & 0xffff);
        put16(pos, (unsigned)strlen(rule->cname) + 2);
        put_name(pos, rule->cname);
        owner = rule->cname;
        n++;
    }
    for (const char *text = rule->answer; text && *text;) {
        char one[64];
        uint8_t bytes[16];
        size_t len = strcspn(text, " "), size = type == DNS_AAAA ? 16 : 4;
        snprintf(one, sizeof one, "%.*s", (int)len, text);
        text += len + (text[len] == ' ');
        if (inet_pton(type == DNS_AAAA ? AF_INET6 : AF_INET, one, bytes) != 1)
            continue;
        if (forged)
            bytes[size - 1] ^= 0xff;
        if (owner)
            put_name(pos, owner);
        else
            put16(pos, 0xc000 | HEADER_SIZE);
        put16(pos, (unsigned)type);
        put16(pos, 1);
        put16(pos, rule->ttl_s >> 16);
        put16(pos, rule->ttl_s & 0xffff);
        put16(pos, (unsigned)size);
        memcpy(*pos, bytes, size);
        *pos += size;
        n++;
    }
    return n;
}

/* Writes the answer to `query`, whose question ends at `question_end`. Returns its length. */
static size_t build_answer(const struct dns_rule *rule, const uint8_t *query, size_t question_end,
                           const struct question *question, bool tcp, bool forged, uint8_t *ret)
{
    uint8_t *pos = ret + question_end, *counts = ret + 6;
    bool truncate = rule->truncate && !tcp;
    int rcode = rule->no_edns && has_edns(query) ? DNS_FORMERR : rule->rcode;
    unsigned n = 0;

    memcpy(ret, query, question_end);
    if (forged)
        ret[1] ^= 0x55;
    ret[2] = (uint8_t)(0x80 | (query[2] & 0x79) | (truncate ? 0x02 : 0));
    ret[3] = (uint8_t)(0x80 | rcode);
    if (rcode == 0 && !truncate)
        n = put_records(&pos, rule, question->type, forged);
    if (rule->garbage) {
        memcpy(pos, "\xc0\xff\xee", 3);
        pos += 3;
        n = 1;
    }
    put16(&counts, n);
    put16(&counts, 0);
    put16(&counts, 0);
    return (size_t)(pos - ret);
}

/* --- the server --- */

static const struct dns_rule *find_rule(struct dns_server *server, const struct question *question)
{
    static const struct dns_rule not_found = {.rcode = DNS_NXDOMAIN};

    for (size_t i = 0; i < server->rule_count; i++) {
        const struct dns_rule *rule = &server->rules[i];
        if (rule->name && strcmp(rule->name, question->name) != 0)
            continue;
        if (rule->type != DNS_ANY && rule->type != question->type)
            continue;
        if (rule->times && server->used[i] >= rule->times)
            continue;
        server->used[i]++;
        return rule;
    }
    return &not_found;
}

static void queue_reply(struct dns_server *server, const struct dns_rule *rule,
                        const uint8_t *bytes, size_t len, int conn, const struct sockaddr_in *to)
{
    struct reply *reply = calloc(1, sizeof *reply + len), **link = &server->replies;

    reply->due_ms = now_ms() + rule->delay_ms;
    reply->held = rule->hold;
    reply->conn = conn;
    if (to)
        reply->to = *to;
    reply->len = len;
    memcpy(reply->bytes, bytes, len);
    while (*link)
        link = &(*link)->next;
    *link = reply;
}

static void take_query(struct dns_server *server, const uint8_t *query, size_t len, int conn,
                       const struct sockaddr_in *from)
{
    struct question question;
    uint8_t answer[MESSAGE_MAX];
    size_t end = parse_question(query, len, &question);

    if (end == 0)
        return;
    pthread_mutex_lock(&server->lock);
    if (server->question_count < QUESTIONS_MAX)
        server->questions[server->question_count++] = question;
    server->tcp_count += conn >= 0;
    server->edns_count += has_edns(query);
    pthread_mutex_unlock(&server->lock);

    const struct dns_rule *rule = find_rule(server, &question);
    if (rule->drop)
        return;
    for (int forged = rule->forge; forged >= 0; forged--) {
        size_t n = build_answer(rule, query, end, &question, conn >= 0, forged, answer);
        queue_reply(server, rule, answer, n, conn, from);
    }
}

static void receive_udp(struct dns_server *server)
{
    uint8_t query[MESSAGE_MAX];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(server->udp, query, sizeof query, MSG_DONTWAIT, (struct sockaddr *)&from,
                         &from_len);
    if (n > 0)
        take_query(server, query, (size_t)n, -1, &from);
}

static void close_conn(struct dns_server *server, int i)
{
    for (struct reply *reply = server->replies; reply; reply = reply->next)
        if (reply->conn == server->conns[i])
            reply->len = 0; /* the client has closed the connection */
    close(server->conns[i]);
    server->conns[i] = -1;
}

/* Clients send each query with one write, perhaps several queries together. */
static void receive_tcp(struct dns_server *server, int i)
{
    uint8_t bytes[MESSAGE_MAX];
    ssize_t n = recv(server->conns[i], bytes, sizeof bytes, 0);
    size_t pos = 0;

    if (n <= 0) {
        close_conn(server, i);
        return;
    }
    while (pos + 2 <= (size_t)n) {
        size_t len = (size_t)bytes[pos] << 8 | bytes[pos + 1];
        if (pos + 2 + len > (size_t)n)
            break;
        take_query(server, bytes + pos + 2, len, server->conns[i], NULL);
        pos += 2 + len;
    }
}

static void accept_conn(struct dns_server *server)
{
    int fd = accept4(server->tcp, NULL, NULL, SOCK_CLOEXEC);

    for (int i = 0; i < CONNS_MAX && fd >= 0; i++) {
        if (server->conns[i] < 0) {
            server->conns[i] = fd;
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

static void send_reply(struct dns_server *server, const struct reply *reply)
{
    if (reply->conn < 0) {
        sendto(server->udp, reply->bytes, reply->len, 0, (const struct sockaddr *)&reply->to,
               sizeof reply->to);
    } else if (reply->len > 0) {
        uint8_t bytes[MESSAGE_MAX + 2], *pos = bytes;
        put16(&pos, (unsigned)reply->len);
        memcpy(pos, reply->bytes, reply->len);
        send(reply->conn, bytes, reply->len + 2, MSG_NOSIGNAL);
    }
}

/* Sends the due answers. Returns the time until the next one in ms, or -1. */
static int send_due(struct dns_server *server)
{
    int64_t now = now_ms(), next = INT64_MAX;

    pthread_mutex_lock(&server->lock);
    bool released = server->released;
    pthread_mutex_unlock(&server->lock);
    for (struct reply **link = &server->replies; *link;) {
        struct reply *reply = *link;
        if ((reply->held && !released) || reply->due_ms > now) {
            if (!reply->held && reply->due_ms < next)
                next = reply->due_ms;
            link = &reply->next;
            continue;
        }
        send_reply(server, reply);
        *link = reply->next;
        free(reply);
    }
    return next == INT64_MAX ? -1 : (int)(next - now);
}

static bool is_stopping(struct dns_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool stopping = server->stopping;
    pthread_mutex_unlock(&server->lock);
    return stopping;
}

static void *serve(void *arg)
{
    struct dns_server *server = arg;

    while (!is_stopping(server)) {
        struct pollfd fds[3 + CONNS_MAX] = {{.fd = server->wake, .events = POLLIN},
                                            {.fd = server->udp, .events = POLLIN},
                                            {.fd = server->tcp, .events = POLLIN}};
        for (int i = 0; i < CONNS_MAX; i++)
            fds[3 + i] = (struct pollfd){.fd = server->conns[i], .events = POLLIN};
        poll(fds, 3 + CONNS_MAX, send_due(server));
        if (fds[0].revents) {
            uint64_t count;
            if (read(server->wake, &count, sizeof count) < 0)
                break;
        }
        if (fds[1].revents)
            receive_udp(server);
        for (int i = 0; i < CONNS_MAX; i++)
            if (server->conns[i] >= 0 && fds[3 + i].revents)
                receive_tcp(server, i);
        if (fds[2].revents)
            accept_conn(server);
    }
    return NULL;
}

static void wake(struct dns_server *server)
{
    if (write(server->wake, &(uint64_t){1}, sizeof(uint64_t)) < 0)
        test_fail(__FILE__, __LINE__, "eventfd: %s", strerror(errno));
}

/* Binds both sockets to the same free port. Returns false when the port is taken for the other
 * protocol. */
static bool bind_both(struct dns_server *server)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;

    server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->udp, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        getsockname(server->udp, (struct sockaddr *)&addr, &len) != 0)
        test_fail(__FILE__, __LINE__, "binding a port of 127.0.0.1: %s", strerror(errno));
    if (bind(server->tcp, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        listen(server->tcp, 64) != 0) {
        close(server->udp);
        close(server->tcp);
        return false;
    }
    snprintf(server->address, sizeof server->address, "127.0.0.1:%d", ntohs(addr.sin_port));
    return true;
}

static void stop_at_end(void *arg)
{
    dns_server_stop(arg);
}

struct dns_server *dns_server_start(const struct dns_rule *rules, size_t count)
{
    struct dns_server *server = calloc(1, sizeof *server);
    sigset_t all, old;
    int tries = 0;

    if (count > RULES_MAX)
        test_fail(__FILE__, __LINE__, "more than %d rules", RULES_MAX);
    while (!bind_both(server))
        if (++tries == 100)
            test_fail(__FILE__, __LINE__, "no port is free for both UDP and TCP");
    server->rules = rules;
    server->rule_count = count;
    server->questions = malloc(QUESTIONS_MAX * sizeof *server->questions);
    server->wake = eventfd(0, EFD_CLOEXEC);
    memset(server->conns, -1, sizeof server->conns);
    pthread_mutex_init(&server->lock, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&server->thread, NULL, serve, server);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err)
        test_fail(__FILE__, __LINE__, "pthread_create: %s", strerror(err));
    test_at_end(stop_at_end, server);
    return server;
}

const char *dns_server_address(const struct dns_server *server)
{
    return server->address;
}

void dns_server_release(struct dns_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->released = true;
    pthread_mutex_unlock(&server->lock);
    wake(server);
}

int dns_server_count(struct dns_server *server, const char *name, int type)
{
    int n = 0;

    pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->question_count; i++)
        n += (!name || strcmp(server->questions[i].name, name) == 0) &&
             (type == DNS_ANY || server->questions[i].type == type);
    pthread_mutex_unlock(&server->lock);
    return n;
}

int dns_server_count_tcp(struct dns_server *server)
{
    pthread_mutex_lock(&server->lock);
    int n = server->tcp_count;
    pthread_mutex_unlock(&server->lock);
    return n;
}

int dns_server_count_edns(struct dns_server *server)
{
    pthread_mutex_lock(&server->lock);
    int n = server->edns_count;
    pthread_mutex_unlock(&server->lock);
    return n;
}

void dns_server_stop(struct dns_server *server)
{
    test_not_at_end(server);
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    wake(server);
    pthread_join(server->thread, NULL);
    for (int i = 0; i < CONNS_MAX; i++)
        if (server->conns[i] >= 0)
            close(server->conns[i]);
    while (server->replies) {
        struct reply *reply = server->replies;
        server->replies = reply->next;
        free(reply);
    }
    close(server->udp);
    close(server->tcp);
    close(server->wake);
    free(server->questions);
    free(server);
}
