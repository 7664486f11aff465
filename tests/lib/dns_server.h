/* SPDX-License-Identifier: MIT */
/* A name server on loopback, over UDP and TCP, that answers by rules, well- or ill-behaved.
 *
 *     static const struct dns_rule rules[] = {
 *         {.name = "one.test", .answer = "127.0.0.1 ::1", .ttl_s = 30},
 *         {.name = "slow.test", .type = DNS_AAAA, .delay_ms = 200},       // then: no data
 *         {.name = "dead.test", .drop = true},
 *     };
 *     struct dns_server *server = dns_server_start(rules, 3);
 *     whorl_dns_configure(&(struct whorl_dns_options){.servers = dns_server_address(server)});
 *
 * The first rule that fits a question answers it; without one the name does not exist. The server has
 * a thread of its own and stops with the test.
 */
#ifndef TEST_DNS_SERVER_H
#define TEST_DNS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_ANY = 0, DNS_A = 1, DNS_AAAA = 28 };
enum { DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };

/* Zero-initialised is valid: any question gets "no data". */
struct dns_rule {
    const char *name;   /* in lower case; NULL: any */
    int type;           /* DNS_A, DNS_AAAA; DNS_ANY: both */
    const char *answer; /* addresses with one space between; those of the type asked for are sent */
    const char *cname;  /* the name is an alias; the addresses belong to this one */
    uint32_t ttl_s;
    int rcode;
    int delay_ms;
    int times;     /* fits so often only; 0: always. Per server */
    bool hold;     /* answer only after dns_server_release() */
    bool drop;     /* never answer */
    bool truncate; /* over UDP: no answer but the flag that says so */
    bool no_edns;  /* FORMERR when asked with EDNS */
    bool forge;    /* precede the answer with one that has another ID and other addresses */
    bool garbage;  /* answer with a message whose records do not parse */
};

struct dns_server;

/* The rules are borrowed until it stops. */
struct dns_server *dns_server_start(const struct dns_rule *rules, size_t count);

/* "127.0.0.1:PORT" */
const char *dns_server_address(const struct dns_server *server);

/* Sends the answers held back, and holds none from now on. */
void dns_server_release(struct dns_server *server);

/* How many questions came for this name (NULL: any) and type. */
int dns_server_count(struct dns_server *server, const char *name, int type);

/* How many questions came over TCP, and how many with EDNS. */
int dns_server_count_tcp(struct dns_server *server);
int dns_server_count_edns(struct dns_server *server);

/* Stops it before the test ends; its port refuses from then on. */
void dns_server_stop(struct dns_server *server);

#endif
