/* SPDX-License-Identifier: MIT */
/* A name server on loopback, over UDP and TCP. It answers by rules, correctly or incorrectly.
 *
 *     static const struct dns_rule rules[] = {
 *         {.name = "one.test", .answer = "127.0.0.1 ::1", .ttl_s = 30},
 *         {.name = "slow.test", .type = DNS_AAAA, .delay_ms = 200},       // then: no data
 *         {.name = "dead.test", .drop = true},
 *     };
 *     struct dns_server *server = dns_server_start(rules, 3);
 *     whorl_dns_configure(&(struct whorl_dns_options){.servers = dns_server_address(server)});
 *
 * The first rule that matches a question answers it. Without such a rule the name does not exist.
 * The server runs on a thread of its own and stops with the test.
 */
#ifndef TEST_DNS_SERVER_H
#define TEST_DNS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_ANY = 0, DNS_A = 1, DNS_AAAA = 28 };
enum { DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };

/* A zero-initialised rule is valid: it answers every question with "no data". */
struct dns_rule {
    const char *name; /* in lower case; NULL: any name */
    int type;         /* DNS_A, DNS_AAAA; DNS_ANY: both */
    /* Addresses separated by one space; only those of the requested type are sent. */
    const char *answer;
    const char *cname; /* the name is an alias; the addresses belong to this one */
    uint32_t ttl_s;
    int rcode;
    int delay_ms;
    int times;     /* matches only this many times; 0: always; counted per server */
    bool hold;     /* answer only after dns_server_release() */
    bool drop;     /* never answer */
    bool truncate; /* over UDP: sends an empty answer with the "truncated" flag */
    bool no_edns;  /* answers FORMERR to a question with EDNS */
    bool forge;    /* first send a forged answer with another ID and other addresses */
    bool garbage;  /* answer with a message whose records cannot be parsed */
};

struct dns_server;

/* Starts a server. The rules are borrowed until it stops. */
struct dns_server *dns_server_start(const struct dns_rule *rules, size_t count);

/* "127.0.0.1:PORT" */
const char *dns_server_address(const struct dns_server *server);

/* Sends the held answers. Later answers are not held. */
void dns_server_release(struct dns_server *server);

/* Number of questions received for this name (NULL: any) and type. */
int dns_server_count(struct dns_server *server, const char *name, int type);

/* Number of questions received over TCP, and number with EDNS. */
int dns_server_count_tcp(struct dns_server *server);
int dns_server_count_edns(struct dns_server *server);

/* Stops the server before the test ends. After that its port refuses connections. */
void dns_server_stop(struct dns_server *server);

#endif
