/* SPDX-License-Identifier: MIT */
/* Decides which names are valid, and which names have an answer without a query. */
#include "io/dns/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <whorl/error.h>

enum {
    NAME_MAX_LEN = 253, /* RFC 1035 §2.3.4: 255 on the wire */
    LABEL_MAX_LEN = 63,
};

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Decimal or hexadecimal, as inet_aton(3) would read it. */
static bool is_number(const char *label, size_t len)
{
    const char *digits = "0123456789";

    if (len >= 2 && label[0] == '0' && label[1] == 'x') {
        label += 2;
        len -= 2;
        digits = "0123456789abcdef";
    }
    return strspn(label, digits) >= len;
}

/* Whether `name` of `len` bytes is `zone` or a name below it. */
static bool is_within(const char *name, size_t len, const char *zone)
{
    size_t zone_len = strlen(zone);

    if (len < zone_len || memcmp(name + len - zone_len, zone, zone_len) != 0)
        return false;
    return len == zone_len || name[len - zone_len - 1] == '.';
}

int dns_name_prepare(const char *host, char ret[static DNS_NAME_SIZE])
{
    size_t size = strnlen(host, NAME_MAX_LEN + 2), len = size, label = 0;
    char name[DNS_NAME_SIZE];

    if (len > 0 && host[len - 1] == '.')
        len--;
    if (len == 0 || len > NAME_MAX_LEN)
        return WHORL_EDNS_BADNAME;
    for (size_t i = 0; i < len; i++) {
        name[i] = to_lower(host[i]);
        if (name[i] == '.') {
            if (i == label)
                return WHORL_EDNS_BADNAME;
            label = i + 1;
        } else if (!is_label_byte(name[i]) || i - label >= LABEL_MAX_LEN) {
            return WHORL_EDNS_BADNAME;
        }
    }
    memcpy(name + len, host + len, size - len);
    name[size] = '\0';
    if (label == len || is_number(name + label, len - label))
        return WHORL_EDNS_BADNAME;
    memcpy(ret, name, size + 1);
    if (is_within(name, len, "localhost"))
        return DNS_NAME_LOCALHOST;
    if (is_within(name, len, "invalid") || is_within(name, len, "onion"))
        return DNS_NAME_NONEXISTENT;
    return DNS_NAME_ORDINARY;
}
