/* SPDX-License-Identifier: MIT */
/* Reads certificates (RFC 5280) with a strict DER parser. */
#include "io/tls/cert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TAG_BOOLEAN = 0x01,
    TAG_INTEGER = 0x02,
    TAG_BITS = 0x03,
    TAG_OCTETS = 0x04,
    TAG_OID = 0x06,
    TAG_UTC_TIME = 0x17,
    TAG_GENERALIZED_TIME = 0x18,
    TAG_SEQUENCE = 0x30,
    TAG_SET = 0x31,
    TAG_VERSION = 0xa0,
    TAG_ISSUER_ID = 0x81,
    TAG_SUBJECT_ID = 0x82,
    TAG_EXTENSIONS = 0xa3,
    SAN_DNS = 0x82,
    SAN_IP = 0x87,
};

static const struct tls_bytes oid_common_name = {(const unsigned char *)"\x55\x04\x03", 3};
static const struct tls_bytes oid_organisation = {(const unsigned char *)"\x55\x04\x0a", 3};
static const struct tls_bytes oid_san = {(const unsigned char *)"\x55\x1d\x11", 3};
static const struct tls_bytes oid_eku = {(const unsigned char *)"\x55\x1d\x25", 3};
static const struct tls_bytes oid_any_eku = {(const unsigned char *)"\x55\x1d\x25\x00", 4};
static const struct tls_bytes oid_server_auth = {
    (const unsigned char *)"\x2b\x06\x01\x05\x05\x07\x03\x01", 8};

static bool same(const struct tls_bytes *a, const struct tls_bytes *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Takes the next element from `from`: its tag and contents. False at the end, and when the element
 * is malformed: its length is indefinite, not minimal, or longer than the rest. */
static bool next(struct tls_bytes *from, unsigned *ret_tag, struct tls_bytes *ret)
{
    const unsigned char *p = from->data;
    size_t left = from->len, len;

    if (left < 2 || (p[0] & 0x1f) == 0x1f)
        return false;
    *ret_tag = p[0];
    len = p[1];
    p += 2;
    left -= 2;
    if (len & 0x80) {
        size_t count = len & 0x7f;
        if (count == 0 || count > 3 || left < count || p[0] == 0)
            return false;
        len = 0;
        for (size_t i = 0; i < count; i++)
            len = len << 8 | p[i];
        if (len < 0x80)
            return false;
        p += count;
        left -= count;
    }
    if (len > left)
        return false;
    *ret = (struct tls_bytes){p, len};
    *from = (struct tls_bytes){p + len, left - len};
    return true;
}

/* Takes the next element, which must have this tag. */
static bool expect(struct tls_bytes *from, unsigned tag, struct tls_bytes *ret)
{
    struct tls_bytes rest = *from;
    unsigned found;

    if (!next(&rest, &found, ret) || found != tag)
        return false;
    *from = rest;
    return true;
}

/* Takes the next element when it has this tag. */
static void skip_optional(struct tls_bytes *from, unsigned tag)
{
    struct tls_bytes ignored;

    (void)expect(from, tag, &ignored);
}

/* Takes the next element, which must have this tag. `ret` includes its tag and length. */
static bool expect_whole(struct tls_bytes *from, unsigned tag, struct tls_bytes *ret)
{
    const unsigned char *start = from->data;
    struct tls_bytes contents;

    if (!expect(from, tag, &contents))
        return false;
    *ret = (struct tls_bytes){start, (size_t)(from->data - start)};
    return true;
}

static bool two_digits(const unsigned char *p, int *ret)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *ret = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

/* RFC 5280 §4.1.2.5: YYMMDDHHMMSSZ until 2049, YYYYMMDDHHMMSSZ from 2050 on. */
static bool read_time(struct tls_bytes *from, int64_t *ret)
{
    struct tls_bytes text;
    unsigned tag;
    int century, year, part[5];

    if (!next(from, &tag, &text))
        return false;
    const unsigned char *p = text.data;
    if (tag == TAG_GENERALIZED_TIME && text.len == 15) {
        if (!two_digits(p, &century) || !two_digits(p + 2, &year))
            return false;
        p += 4;
    } else if (tag == TAG_UTC_TIME && text.len == 13) {
        if (!two_digits(p, &year))
            return false;
        century = year < 50 ? 20 : 19;
        p += 2;
    } else {
        return false;
    }
    for (int i = 0; i < 5; i++, p += 2)
        if (!two_digits(p, &part[i]))
            return false;
    if (*p != 'Z' || part[0] < 1 || part[0] > 12 || part[1] < 1 || part[1] > 31 || part[2] > 23 ||
        part[3] > 59 || part[4] > 60)
        return false;
    struct tm tm = {.tm_year = century * 100 + year - 1900,
                    .tm_mon = part[0] - 1,
                    .tm_mday = part[1],
                    .tm_hour = part[2],
                    .tm_min = part[3],
                    .tm_sec = part[4]};
    *ret = timegm(&tm);
    return true;
}

/* Stores one extension in `cert`. False when it is malformed or came before. */
static bool read_extension(struct tls_bytes extension, struct tls_cert *cert)
{
    struct tls_bytes oid, value, *slot;

    if (!expect(&extension, TAG_OID, &oid))
        return false;
    skip_optional(&extension, TAG_BOOLEAN);
    if (!expect(&extension, TAG_OCTETS, &value) || extension.len > 0)
        return false;
    if (same(&oid, &oid_san))
        slot = &cert->san;
    else if (same(&oid, &oid_eku))
        slot = &cert->eku;
    else
        return true;
    if (slot->data)
        return false;
    return expect(&value, TAG_SEQUENCE, slot) && value.len == 0;
}

static bool read_extensions(struct tls_bytes tbs, struct tls_cert *cert)
{
    struct tls_bytes wrapper, list, extension;

    skip_optional(&tbs, TAG_ISSUER_ID);
    skip_optional(&tbs, TAG_SUBJECT_ID);
    if (tbs.len == 0)
        return true;
    if (!expect(&tbs, TAG_EXTENSIONS, &wrapper) || tbs.len > 0 ||
        !expect(&wrapper, TAG_SEQUENCE, &list) || wrapper.len > 0)
        return false;
    while (list.len > 0)
        if (!expect(&list, TAG_SEQUENCE, &extension) || !read_extension(extension, cert))
            return false;
    return true;
}

int tls_cert_parse(const void *der, size_t len, struct tls_cert *ret)
{
    struct tls_bytes all = {der, len}, whole, tbs, validity, ignored;
    struct tls_cert cert = {0};

    if (!expect(&all, TAG_SEQUENCE, &whole) || all.len > 0 || !expect(&whole, TAG_SEQUENCE, &tbs))
        return -EBADMSG;
    skip_optional(&tbs, TAG_VERSION);
    if (!expect(&tbs, TAG_INTEGER, &ignored) || !expect(&tbs, TAG_SEQUENCE, &ignored) ||
        !expect_whole(&tbs, TAG_SEQUENCE, &cert.issuer) || !expect(&tbs, TAG_SEQUENCE, &validity) ||
        !read_time(&validity, &cert.not_before) || !read_time(&validity, &cert.not_after) ||
        !expect_whole(&tbs, TAG_SEQUENCE, &cert.subject) || !expect(&tbs, TAG_SEQUENCE, &ignored) ||
        !read_extensions(tbs, &cert))
        return -EBADMSG;
    *ret = cert;
    return 0;
}

/* Finds the last attribute of this kind in a name; false when there is none. `ret` is its bytes,
 * whatever its string type. */
static bool find_attribute(const struct tls_bytes *name, const struct tls_bytes *kind,
                           struct tls_bytes *ret)
{
    struct tls_bytes whole = *name, rdns, rdn, attribute, oid, value;
    bool found = false;
    unsigned tag;

    if (!expect(&whole, TAG_SEQUENCE, &rdns))
        return false;
    while (expect(&rdns, TAG_SET, &rdn)) {
        while (expect(&rdn, TAG_SEQUENCE, &attribute)) {
            if (expect(&attribute, TAG_OID, &oid) && same(&oid, kind) &&
                next(&attribute, &tag, &value)) {
                *ret = value;
                found = true;
            }
        }
    }
    return found;
}

static char lower(unsigned char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool equal_names(const unsigned char *pattern, const char *host, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (lower(pattern[i]) != lower((unsigned char)host[i]))
            return false;
    return true;
}

/* Whether `name` consists of non-empty labels of letters, digits, hyphens and underscores. Other
 * bytes, such as a NUL or a second asterisk, are refused. */
static bool is_host_name(const unsigned char *name, size_t len)
{
    size_t label = 0;

    for (size_t i = 0; i < len; i++) {
        char c = lower(name[i]);
        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
            continue;
        }
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
        label++;
    }
    return label > 0;
}

bool tls_name_matches(const struct tls_bytes *pattern, const char *host)
{
    const unsigned char *p = pattern->data;
    size_t len = pattern->len, host_len = strlen(host);

    if (!is_host_name((const unsigned char *)host, host_len))
        return false;
    if (len < 2 || p[0] != '*' || p[1] != '.')
        return is_host_name(p, len) && len == host_len && equal_names(p, host, len);
    /* RFC 6125 §6.4.3: the wildcard is the whole leftmost label and matches one label. */
    p += 2;
    len -= 2;
    const char *parent = strchr(host, '.');
    if (!parent || !is_host_name(p, len) || !memchr(p, '.', len))
        return false;
    parent++;
    return strlen(parent) == len && equal_names(p, parent, len);
}

bool tls_cert_is_for_name(const struct tls_cert *cert, const char *host)
{
    struct tls_bytes list = cert->san, name;
    unsigned tag;

    if (!list.data)
        return find_attribute(&cert->subject, &oid_common_name, &name) &&
               tls_name_matches(&name, host);
    while (next(&list, &tag, &name))
        if (tag == SAN_DNS && tls_name_matches(&name, host))
            return true;
    return false;
}

bool tls_cert_is_for_ip(const struct tls_cert *cert, const unsigned char *ip, size_t ip_len)
{
    struct tls_bytes list = cert->san, name;
    unsigned tag;

    while (next(&list, &tag, &name))
        if (tag == SAN_IP && name.len == ip_len && memcmp(name.data, ip, ip_len) == 0)
            return true;
    return false;
}

bool tls_cert_is_for_servers(const struct tls_cert *cert)
{
    struct tls_bytes list = cert->eku, oid;

    if (!list.data)
        return true;
    while (expect(&list, TAG_OID, &oid))
        if (same(&oid, &oid_server_auth) || same(&oid, &oid_any_eku))
            return true;
    return false;
}

void tls_cert_title(const struct tls_bytes *name, char *text, size_t size)
{
    struct tls_bytes value;

    if (!find_attribute(name, &oid_common_name, &value) &&
        !find_attribute(name, &oid_organisation, &value))
        value = (struct tls_bytes){(const unsigned char *)"?", 1};
    snprintf(text, size, "%.*s", (int)(value.len < 64 ? value.len : 64), (const char *)value.data);
}

void tls_cert_names(const struct tls_cert *cert, char *text, size_t size)
{
    struct tls_bytes list = cert->san, name;
    size_t used = 0;
    unsigned tag;

    text[0] = '\0';
    while (next(&list, &tag, &name)) {
        char one[INET6_ADDRSTRLEN + 64];
        if (tag == SAN_DNS)
            snprintf(one, sizeof one, "%.*s", (int)(name.len < 64 ? name.len : 64),
                     (const char *)name.data);
        else if (tag != SAN_IP || (name.len != 4 && name.len != 16) ||
                 !inet_ntop(name.len == 4 ? AF_INET : AF_INET6, name.data, one, sizeof one))
            continue;
        if (used + strlen(one) + sizeof ", ..." > size) {
            snprintf(text + used, size - used, "%s...", used ? ", " : "");
            return;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", one);
    }
    if (used == 0)
        tls_cert_title(&cert->subject, text, size);
}

void tls_cert_date(int64_t time_unix_s, char text[16])
{
    time_t t = (time_t)time_unix_s;
    struct tm tm;

    if (gmtime_r(&t, &tm) && tm.tm_year >= -1900 && tm.tm_year <= 8099)
        snprintf(text, 16, "%04u-%02u-%02u", (unsigned)(tm.tm_year + 1900) % 10000,
                 (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100);
    else
        strcpy(text, "?");
}
