/* SPDX-License-Identifier: MIT */
/* Name constraints: compares the names of a certificate with permitted and excluded subtrees. */
#include "io/tls/constraints.h"

#include <strings.h>

#include "io/tls/cert.h"
#include "io/tls/der.h"

enum { WILDCARD_LEN = 2 }; /* "*." */

/* A name of a certificate: its kind, a tag of GeneralName, and its bytes. */
struct name {
    unsigned tag;
    struct tls_bytes value;
};

static bool ends_with(const struct tls_bytes *text, const struct tls_bytes *end)
{
    return text->len >= end->len && strncasecmp((const char *)text->data + text->len - end->len,
                                                (const char *)end->data, end->len) == 0;
}

/* Whether the DNS name `name` is `base` or below it. Some authorities use a base that begins with a
 * dot, which RFC 5280 does not define. It means only the names below it. */
static bool dns_within(const struct tls_bytes *name, const struct tls_bytes *base)
{
    if (base->len == 0)
        return true;
    if (!ends_with(name, base))
        return false;
    return name->len == base->len || base->data[0] == '.' ||
           name->data[name->len - base->len - 1] == '.';
}

/* Whether a DNS name, which may be a wildcard, matches at least one name in the subtree. */
static bool dns_touches(const struct tls_bytes *name, const struct tls_bytes *base)
{
    if (dns_within(name, base))
        return true;
    if (name->len <= WILDCARD_LEN || name->data[0] != '*' || name->data[1] != '.')
        return false;
    /* "*.example.org" also matches "a.example.org", which is in the subtree "a.example.org". */
    struct tls_bytes parent = {name->data + WILDCARD_LEN, name->len - WILDCARD_LEN};
    return base->len > parent.len && dns_within(base, &parent);
}

/* `base` is an address and a mask of the same length. */
static bool ip_within(const struct tls_bytes *ip, const struct tls_bytes *base)
{
    if (base->len != 2 * ip->len)
        return false;
    for (size_t i = 0; i < ip->len; i++)
        if ((ip->data[i] ^ base->data[i]) & base->data[ip->len + i])
            return false;
    return true;
}

/* Whether the name begins with all parts of the base. Both are encoded, as SEQUENCE OF SET. */
static bool directory_within(struct tls_bytes name, struct tls_bytes base)
{
    struct tls_bytes name_parts, base_parts;

    if (!der_expect(&name, DER_SEQUENCE, &name_parts) ||
        !der_expect(&base, DER_SEQUENCE, &base_parts))
        return false;
    return name_parts.len >= base_parts.len &&
           memcmp(name_parts.data, base_parts.data, base_parts.len) == 0;
}

/* Whether the name is in the subtree, which is of the same kind. With `excluded`: whether at least
 * one name that it matches is in the subtree. */
static bool within(const struct name *name, const struct tls_bytes *base, bool excluded)
{
    switch (name->tag) {
    case TLS_NAME_DNS:
        return excluded ? dns_touches(&name->value, base) : dns_within(&name->value, base);
    case TLS_NAME_IP:
        return ip_within(&name->value, base);
    case TLS_NAME_DIRECTORY:
        return directory_within(name->value, *base);
    default:
        return excluded; /* names of these kinds are not compared, so the certificate is refused */
    }
}

/* What a list of subtrees says about a name. */
struct verdict {
    bool malformed;
    bool has_kind; /* there is a subtree of the name's kind */
    bool matches;  /* the name is in one of them */
};

static struct verdict search(struct tls_bytes list, const struct name *name, bool excluded)
{
    struct verdict verdict = {0};
    struct tls_bytes subtree, base;
    unsigned tag;

    while (list.len > 0) {
        /* RFC 5280 §4.2.1.10: minimum and maximum are not used, so nothing may follow the base. */
        if (!der_expect(&list, DER_SEQUENCE, &subtree) || !der_next(&subtree, &tag, &base) ||
            subtree.len > 0) {
            verdict.malformed = true;
            return verdict;
        }
        if (tag != name->tag)
            continue;
        verdict.has_kind = true;
        verdict.matches |= within(name, &base, excluded);
    }
    return verdict;
}

static bool allows(const struct tls_cert *authority, const struct name *name)
{
    struct verdict excluded = search(authority->excluded, name, true);
    struct verdict permitted = search(authority->permitted, name, false);

    if (excluded.malformed || permitted.malformed || excluded.matches)
        return false;
    return !permitted.has_kind || permitted.matches;
}

bool tls_constraints_allow(const struct tls_cert *authority, const struct tls_cert *cert,
                           bool is_leaf)
{
    static const unsigned char empty[] = {DER_SEQUENCE, 0};
    struct tls_bytes list = cert->san;
    struct name name = {.tag = TLS_NAME_DIRECTORY, .value = cert->subject};

    if (!authority->permitted.data && !authority->excluded.data)
        return true;
    bool has_subject = cert->subject.len > sizeof empty;
    if (has_subject && !allows(authority, &name))
        return false;
    if (!list.data) {
        name.tag = TLS_NAME_DNS;
        return !is_leaf || !tls_cert_common_name(cert, &name.value) || allows(authority, &name);
    }
    while (der_next(&list, &name.tag, &name.value))
        if (!allows(authority, &name))
            return false;
    return list.len == 0;
}
