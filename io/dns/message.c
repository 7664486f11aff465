/* SPDX-License-Identifier: MIT */
/* Reads the response code of a DNS message; c-ares parses the rest. */
#include "io/dns/message.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

enum {
    HEADER_SIZE = 12, /* RFC 1035 §4.1.1 */
    LABEL_MAX_LEN = 63,
    TYPE_A = 1,
    TYPE_AAAA = 28,
    CLASS_IN = 1,
};

/* Compares one label with the beginning of `name`. When they are equal, moves `name` past the label
 * and its dot and returns true. */
static bool skip_label(const uint8_t *label, size_t len, const char **name)
{
    const char *rest = *name;

    for (size_t i = 0; i < len; i++, rest++) {
        uint8_t c = label[i];
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + 'a' - 'A');
        if (c == 0 || c != (uint8_t)*rest)
            return false;
    }
    if (*rest != '\0' && *rest++ != '.')
        return false;
    *name = rest;
    return true;
}

int dns_message_rcode(const uint8_t *message, size_t len, const char *name, int family)
{
    size_t pos = HEADER_SIZE;

    /* An answer with exactly one question. */
    if (len < HEADER_SIZE || !(message[2] & 0x80) || message[4] != 0 || message[5] != 1)
        return -EINVAL;
    while (pos < len && message[pos] != 0) {
        size_t label = message[pos++];
        if (label > LABEL_MAX_LEN || label > len - pos)
            return -EINVAL;
        if (*name && !skip_label(message + pos, label, &name))
            return -EINVAL;
        pos += label;
    }
    if (*name || len - pos < 5)
        return -EINVAL;
    if (message[pos + 1] != 0 || message[pos + 2] != (family == AF_INET6 ? TYPE_AAAA : TYPE_A) ||
        message[pos + 3] != 0 || message[pos + 4] != CLASS_IN)
        return -EINVAL;
    return message[3] & 0x0f;
}
