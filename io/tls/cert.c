/* SPDX-License-Identifier: MIT */
/* Reads certificates (RFC 5280) with a strict DER parser. */
#include "io/tls/cert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "io/tls/der.h"

enum {
    TAG_VERSION = 0xa0,
    TAG_ISSUER_ID = 0x81,
    TAG_SUBJECT_ID = 0x82,
    TAG_EXTENSIONS = 0xa3,
    TAG_PERMITTED = 0xa0,
    TAG_EXCLUDED = 0xa1,
};

static const struct tls_bytes oid_common_name = {(const unsigned char *)"\x55\x04\x03", 3};
static const struct tls_bytes oid_organisation = {(const unsigned char *)"\x55\x04\x0a", 3};
static const struct tls_bytes oid_san = {(const unsigned char *)"\x55\x1d\x11", 3};
static const struct tls_bytes oid_eku = {(const unsigned char *)"\x55\x1d\x25", 3};
static const struct tls_bytes oid_basic = {(const unsigned char *)"\x55\x1d\x13", 3};
static const struct tls_bytes oid_key_usage = {(const unsigned char *)"\x55\x1d\x0f", 3};
static const struct tls_bytes oid_constraints = {(const unsigned char *)"\x55\x1d\x1e", 3};
static const struct tls_bytes oid_policies = {(const unsigned char *)"\x55\x1d\x20", 3};
static const struct tls_bytes oid_mappings = {(const unsigned char *)"\x55\x1d\x21", 3};
static const struct tls_bytes oid_inhibit_any = {(const unsigned char *)"\x55\x1d\x36", 3};
static const struct tls_bytes oid_any_eku = {(const unsigned char *)"\x55\x1d\x25\x00", 4};
static const struct tls_bytes oid_client_auth = {
    (const unsigned char *)"\x2b\x06\x01\x05\x05\x07\x03\x02", 8};
static const struct tls_bytes oid_server_auth = {
    (const unsigned char *)"\x2b\x06\x01\x05\x05\x07\x03\x01", 8};

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

    if (!der_next(from, &tag, &text))
        return false;
    const unsigned char *p = text.data;
    if (tag == DER_GENERALIZED_TIME && text.len == 15) {
        if (!two_digits(p, &century) || !two_digits(p + 2, &year))
            return false;
        p += 4;
    } else if (tag == DER_UTC_TIME && text.len == 13) {
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

/* RFC 5280 §4.2.1.9: SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
static bool read_basic(struct tls_bytes value, struct tls_cert *cert)
{
    struct tls_bytes fields, flag, number;

    if (!der_expect(&value, DER_SEQUENCE, &fields) || value.len > 0)
        return false;
    if (der_expect(&fields, DER_BOOLEAN, &flag)) {
        if (flag.len != 1)
            return false;
        cert->is_ca = flag.data[0] != 0;
    }
    if (der_expect(&fields, DER_INTEGER, &number)) {
        if (number.len == 0 || number.data[0] & 0x80)
            return false;
        cert->path_len = number.len == 1 ? number.data[0] : INT16_MAX;
    }
    return fields.len == 0;
}

/* RFC 5280 §4.2.1.3: a BIT STRING; its first byte counts unused bits. */
static bool read_key_usage(struct tls_bytes value, struct tls_cert *cert)
{
    struct tls_bytes bits;

    if (!der_expect(&value, DER_BITS, &bits) || value.len > 0 || bits.len < 2)
        return false;
    cert->has_key_usage = true;
    for (unsigned i = 0; i < 8; i++)
        cert->key_usage |= (unsigned)(bits.data[1] >> (7 - i) & 1) << i;
    return true;
}

/* RFC 5280 §4.2.1.10 */
static bool read_constraints(struct tls_bytes value, struct tls_cert *cert)
{
    struct tls_bytes fields;

    if (!der_expect(&value, DER_SEQUENCE, &fields) || value.len > 0)
        return false;
    (void)der_expect(&fields, TAG_PERMITTED, &cert->permitted);
    (void)der_expect(&fields, TAG_EXCLUDED, &cert->excluded);
    return fields.len == 0;
}

static bool read_list(struct tls_bytes value, struct tls_bytes *ret)
{
    return der_expect(&value, DER_SEQUENCE, ret) && value.len == 0;
}

/* Bits for the extensions that have been read, to find an extension that comes twice. */
enum { SEEN_SAN = 1, SEEN_EKU = 2, SEEN_BASIC = 4, SEEN_KEY_USAGE = 8, SEEN_CONSTRAINTS = 16 };

/* RFC 5280 §6.1.1: this client requires no policy. So these extensions restrict nothing, unless a
 * policyConstraints extension requires a policy. That extension is not one of these. */
static bool is_policy(const struct tls_bytes *oid)
{
    return der_equal(oid, &oid_policies) || der_equal(oid, &oid_mappings) ||
           der_equal(oid, &oid_inhibit_any);
}

/* Reads one extension; false when it is malformed or comes twice. */
static bool read_extension(struct tls_bytes extension, struct tls_cert *cert, unsigned *seen)
{
    struct tls_bytes oid, value, critical = {0};
    unsigned bit;
    bool ok;

    if (!der_expect(&extension, DER_OID, &oid))
        return false;
    (void)der_expect(&extension, DER_BOOLEAN, &critical);
    if (!der_expect(&extension, DER_OCTETS, &value) || extension.len > 0)
        return false;
    if (der_equal(&oid, &oid_san)) {
        bit = SEEN_SAN;
        ok = read_list(value, &cert->san);
    } else if (der_equal(&oid, &oid_eku)) {
        bit = SEEN_EKU;
        ok = read_list(value, &cert->eku);
    } else if (der_equal(&oid, &oid_basic)) {
        bit = SEEN_BASIC;
        ok = read_basic(value, cert);
    } else if (der_equal(&oid, &oid_key_usage)) {
        bit = SEEN_KEY_USAGE;
        ok = read_key_usage(value, cert);
    } else if (der_equal(&oid, &oid_constraints)) {
        bit = SEEN_CONSTRAINTS;
        ok = read_constraints(value, cert);
    } else {
        cert->has_unknown_critical |= critical.len > 0 && critical.data[0] != 0 && !is_policy(&oid);
        return true;
    }
    ok = ok && !(*seen & bit);
    *seen |= bit;
    return ok;
}

static bool read_extensions(struct tls_bytes tbs, struct tls_cert *cert)
{
    struct tls_bytes wrapper, list, extension;
    unsigned seen = 0;

    der_skip_optional(&tbs, TAG_ISSUER_ID);
    der_skip_optional(&tbs, TAG_SUBJECT_ID);
    if (tbs.len == 0)
        return true;
    if (!der_expect(&tbs, TAG_EXTENSIONS, &wrapper) || tbs.len > 0 ||
        !der_expect(&wrapper, DER_SEQUENCE, &list) || wrapper.len > 0)
        return false;
    while (list.len > 0)
        if (!der_expect(&list, DER_SEQUENCE, &extension) || !read_extension(extension, cert, &seen))
            return false;
    return true;
}

/* SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING } */
static bool read_signed(struct tls_bytes whole, struct tls_cert *cert)
{
    struct tls_bytes algorithm, bits;

    if (!der_expect_whole(&whole, DER_SEQUENCE, &cert->tbs) ||
        !der_expect(&whole, DER_SEQUENCE, &algorithm) ||
        !der_expect(&algorithm, DER_OID, &cert->algorithm) ||
        !der_expect(&whole, DER_BITS, &bits) || whole.len > 0 || bits.len < 2 || bits.data[0] != 0)
        return false;
    cert->signature = (struct tls_bytes){bits.data + 1, bits.len - 1};
    return true;
}

/* RFC 5280 §4.1.1.2: the signed part contains the signature algorithm too, and both are equal. */
static bool read_tbs(struct tls_bytes tbs, struct tls_cert *cert)
{
    struct tls_bytes algorithm, oid, validity, ignored;

    der_skip_optional(&tbs, TAG_VERSION);
    return der_expect(&tbs, DER_INTEGER, &ignored) && der_expect(&tbs, DER_SEQUENCE, &algorithm) &&
           der_expect(&algorithm, DER_OID, &oid) && der_equal(&oid, &cert->algorithm) &&
           der_expect_whole(&tbs, DER_SEQUENCE, &cert->issuer) &&
           der_expect(&tbs, DER_SEQUENCE, &validity) && read_time(&validity, &cert->not_before) &&
           read_time(&validity, &cert->not_after) &&
           der_expect_whole(&tbs, DER_SEQUENCE, &cert->subject) &&
           der_expect_whole(&tbs, DER_SEQUENCE, &cert->public_key) && read_extensions(tbs, cert);
}

int tls_cert_parse(const void *der, size_t len, struct tls_cert *ret)
{
    struct tls_bytes all = {der, len}, whole, tbs, contents;
    struct tls_cert cert = {.der = {der, len}, .path_len = -1};

    if (!der_expect(&all, DER_SEQUENCE, &whole) || all.len > 0 || !read_signed(whole, &cert))
        return -EBADMSG;
    tbs = cert.tbs;
    if (!der_expect(&tbs, DER_SEQUENCE, &contents) || !read_tbs(contents, &cert))
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

    if (!der_expect(&whole, DER_SEQUENCE, &rdns))
        return false;
    while (der_expect(&rdns, DER_SET, &rdn)) {
        while (der_expect(&rdn, DER_SEQUENCE, &attribute)) {
            if (der_expect(&attribute, DER_OID, &oid) && der_equal(&oid, kind) &&
                der_next(&attribute, &tag, &value)) {
                *ret = value;
                found = true;
            }
        }
    }
    return found;
}

bool tls_cert_common_name(const struct tls_cert *cert, struct tls_bytes *ret)
{
    return find_attribute(&cert->subject, &oid_common_name, ret);
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
    while (der_next(&list, &tag, &name))
        if (tag == TLS_NAME_DNS && tls_name_matches(&name, host))
            return true;
    return false;
}

bool tls_cert_is_for_ip(const struct tls_cert *cert, const unsigned char *ip, size_t ip_len)
{
    struct tls_bytes list = cert->san, name;
    unsigned tag;

    while (der_next(&list, &tag, &name))
        if (tag == TLS_NAME_IP && name.len == ip_len && memcmp(name.data, ip, ip_len) == 0)
            return true;
    return false;
}

bool tls_oid_is_for_servers(const struct tls_bytes *oid)
{
    return der_equal(oid, &oid_server_auth) || der_equal(oid, &oid_any_eku);
}

/* Whether the certificate has no extended key usage, or one that is `purpose` or any. */
static bool is_for(const struct tls_cert *cert, const struct tls_bytes *purpose)
{
    struct tls_bytes list = cert->eku, oid;

    if (!list.data)
        return true;
    while (der_expect(&list, DER_OID, &oid))
        if (der_equal(&oid, purpose) || der_equal(&oid, &oid_any_eku))
            return true;
    return false;
}

bool tls_cert_is_for_servers(const struct tls_cert *cert)
{
    return is_for(cert, &oid_server_auth);
}

bool tls_cert_is_for_clients(const struct tls_cert *cert)
{
    return is_for(cert, &oid_client_auth);
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
    while (der_next(&list, &tag, &name)) {
        char one[INET6_ADDRSTRLEN + 64];
        if (tag == TLS_NAME_DNS)
            snprintf(one, sizeof one, "%.*s", (int)(name.len < 64 ? name.len : 64),
                     (const char *)name.data);
        else if (tag != TLS_NAME_IP || (name.len != 4 && name.len != 16) ||
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
