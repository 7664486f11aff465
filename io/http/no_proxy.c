/* SPDX-License-Identifier: MIT */
/* Parses a no_proxy list and compares servers with it. */
#include "io/http/no_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/url/ascii.h"
#include "io/url/host.h"

enum rule_kind { RULE_ANY, RULE_NAME, RULE_NETWORK };

/* An address; the first four bytes are used for IPv4. */
struct address {
    uint8_t bytes[16];
    uint8_t len; /* 4 or 16 */
};

struct no_proxy_rule {
    enum rule_kind kind;
    uint16_t port;               /* 0: every port */
    struct address network;      /* with RULE_NETWORK */
    unsigned bits;               /* of `network` that must be equal */
    char name[URL_HOST_MAX + 2]; /* with RULE_NAME: lower case, no dot at its ends */
};

/* Reads an address without brackets. An IPv4 address that is written as an IPv6 one (RFC 4291
 * §2.5.5.2) is that IPv4 address. */
static bool read_address(const char *text, struct address *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    *ret = (struct address){.len = 4};
    if (inet_pton(AF_INET, text, ret->bytes) == 1)
        return true;
    if (inet_pton(AF_INET6, text, ret->bytes) != 1)
        return false;
    ret->len = 16;
    if (memcmp(ret->bytes, mapped, sizeof mapped) == 0) {
        memcpy(ret->bytes, ret->bytes + 12, 4);
        memset(ret->bytes + 4, 0, 12);
        ret->len = 4;
    }
    return true;
}

static bool same_bits(const struct address *a, const struct address *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (a->len != b->len || memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

/* Reads a decimal number up to `max`; -1 for anything else. */
static long read_number(const char *text, long max)
{
    long number = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (!ascii_is_digit(*text))
            return -1;
        number = number * 10 + (*text - '0');
        if (number > max)
            return -1;
    }
    return number;
}

/* Each of these functions reads a form of entry. They return NULL, or what is wrong. */

static const char *read_network(char *entry, char *slash, struct no_proxy_rule *rule)
{
    bool has_colon = memchr(entry, ':', (size_t)(slash - entry)) != NULL;

    *slash = '\0';
    if (!read_address(entry, &rule->network))
        return "not an address before the slash";
    long bits = read_number(slash + 1, has_colon ? 128 : 32);
    /* Of an IPv4 address that is written as an IPv6 one, 96 bits say just that. */
    if (bits >= 0 && has_colon && rule->network.len == 4)
        bits = bits < 96 ? -1 : bits - 96;
    if (bits < 0)
        return "not a number of bits after the slash";
    rule->kind = RULE_NETWORK;
    rule->bits = (unsigned)bits;
    return NULL;
}

static const char *read_literal(const char *entry, struct no_proxy_rule *rule)
{
    if (!read_address(entry, &rule->network))
        return "not an IPv6 address";
    rule->kind = RULE_NETWORK;
    rule->bits = rule->network.len * 8u;
    return NULL;
}

static const char *read_name(const char *entry, struct no_proxy_rule *rule,
                             struct whorl_error *detail)
{
    bool is_suffix = *entry == '.' || strncmp(entry, "*.", 2) == 0;
    struct url_host host;

    if (strchr(entry, '%')) /* url_host_read() expects that percent signs are checked */
        return "percent sign in the name";
    if (is_suffix)
        entry += *entry == '.' ? 1 : 2;
    if (url_host_read(&host, (struct url_span){entry, strlen(entry)}, false, detail))
        return detail->text;
    if (host.is_ip && is_suffix)
        return "dot before an address";
    if (host.is_ip)
        return read_literal(host.text, rule);
    size_t len = strlen(host.text);
    rule->kind = RULE_NAME;
    memcpy(rule->name, host.text, len + 1);
    if (len > 0 && rule->name[len - 1] == '.')
        rule->name[len - 1] = '\0';
    return rule->name[0] ? NULL : "no name";
}

/* Cuts the port off. */
static const char *read_port(char *colon, struct no_proxy_rule *rule)
{
    long port = read_number(colon + 1, 65535);

    if (port <= 0)
        return "not a port after the colon";
    *colon = '\0';
    rule->port = (uint16_t)port;
    return NULL;
}

static const char *read_entry(char *entry, struct no_proxy_rule *rule, struct whorl_error *detail)
{
    char *slash = strchr(entry, '/'), *colon = strchr(entry, ':');
    const char *why;

    if (strcmp(entry, "*") == 0) {
        rule->kind = RULE_ANY;
        return NULL;
    }
    if (*entry == '[') {
        char *end = strchr(entry, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return "not an IPv6 address in brackets, with or without a port";
        why = end[1] ? read_port(end + 1, rule) : NULL;
        *end = '\0';
        return why ? why : read_literal(entry + 1, rule);
    }
    if (slash)
        return read_network(entry, slash, rule);
    if (colon && strchr(colon + 1, ':'))
        return read_literal(entry, rule);
    why = colon ? read_port(colon, rule) : NULL;
    return why ? why : read_name(entry, rule, detail);
}

static struct no_proxy_rule *add_rule(struct no_proxy *list)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 4;
        struct no_proxy_rule *rules = reallocarray(list->rules, cap, sizeof *rules);
        if (!rules)
            return NULL;
        list->rules = rules;
        list->cap = cap;
    }
    struct no_proxy_rule *rule = &list->rules[list->count++];
    *rule = (struct no_proxy_rule){0};
    return rule;
}

static int parse_entry(struct no_proxy *list, const char *entry, size_t len,
                       struct whorl_error *error)
{
    char copy[512];
    struct whorl_error detail = {0};
    struct no_proxy_rule *rule = add_rule(list);

    if (!rule)
        return whorl_error_set(error, -ENOMEM, "proxy", "out of memory");
    if (len >= sizeof copy)
        return whorl_error_set(error, WHORL_EHTTP_PROXY_SETTING, "proxy",
                               "no_proxy: entry of more than 511 bytes");
    memcpy(copy, entry, len);
    copy[len] = '\0';
    const char *why = read_entry(copy, rule, &detail);
    if (detail.code == -ENOMEM)
        return whorl_error_set(error, -ENOMEM, "proxy", "out of memory");
    if (why)
        return whorl_error_set(error, WHORL_EHTTP_PROXY_SETTING, "proxy", "no_proxy: %.*s: %s",
                               len < 80 ? (int)len : 80, entry, why);
    return 0;
}

int no_proxy_parse(const char *list, struct whorl_error *error, struct no_proxy *ret)
{
    static const char separators[] = ", \t\r\n";
    struct no_proxy parsed = {0};

    for (const char *at = list + strspn(list, separators); *at; at += strspn(at, separators)) {
        size_t len = strcspn(at, separators);
        int err = parse_entry(&parsed, at, len, error);
        if (err) {
            no_proxy_finish(&parsed);
            return err;
        }
        at += len;
    }
    *ret = parsed;
    return 0;
}

/* Whether a name is `suffix` or below it. */
static bool is_below(const char *name, size_t len, const char *suffix)
{
    size_t suffix_len = strlen(suffix);

    if (len < suffix_len || memcmp(name + len - suffix_len, suffix, suffix_len) != 0)
        return false;
    return len == suffix_len || name[len - suffix_len - 1] == '.';
}

bool no_proxy_matches(const struct no_proxy *list, const char *host, uint16_t port)
{
    struct address address;
    bool is_ip = read_address(host, &address);
    size_t len = strlen(host);

    if (len > 0 && host[len - 1] == '.') /* "example.org." is the same name */
        len--;
    for (size_t i = 0; i < list->count; i++) {
        const struct no_proxy_rule *r = &list->rules[i];
        if (r->port != 0 && r->port != port)
            continue;
        if (r->kind == RULE_ANY ||
            (r->kind == RULE_NETWORK && is_ip && same_bits(&address, &r->network, r->bits)) ||
            (r->kind == RULE_NAME && !is_ip && is_below(host, len, r->name)))
            return true;
    }
    return false;
}

void no_proxy_finish(struct no_proxy *list)
{
    free(list->rules);
    *list = (struct no_proxy){0};
}
