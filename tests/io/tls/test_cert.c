/* SPDX-License-Identifier: MIT */
/* Parsing certificates and matching names. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <time.h>

#include "certs.h"
#include "io/tls/cert.h"
#include "subprocess.h"
#include "test.h"

static bool matches(const char *pattern, const char *host)
{
    struct tls_bytes bytes = {(const unsigned char *)pattern, strlen(pattern)};

    return tls_name_matches(&bytes, host);
}

/* Loads the first certificate of a fixture as DER into memory of its exact size. */
static unsigned char *load(const char *file, size_t *ret_len)
{
    struct subprocess run;

    subprocess_run(
        &run, (const char *[]){"openssl", "x509", "-in", cert_path(file), "-outform", "DER", NULL},
        NULL);
    CHECK_EQ(run.exit_status, 0);
    unsigned char *der = malloc(run.out_len);
    CHECK(der);
    memcpy(der, run.out, run.out_len);
    *ret_len = run.out_len;
    subprocess_finish(&run);
    return der;
}

static bool is_for_ip(const struct tls_cert *cert, const char *text)
{
    unsigned char ip[16];

    if (inet_pton(AF_INET, text, ip) == 1)
        return tls_cert_is_for_ip(cert, ip, 4);
    CHECK_EQ(inet_pton(AF_INET6, text, ip), 1);
    return tls_cert_is_for_ip(cert, ip, 16);
}

TEST(names_match_exactly_and_in_any_case)
{
    CHECK(matches("example.org", "example.org"));
    CHECK(matches("EXAMPLE.org", "example.org"));
    CHECK(matches("localhost", "localhost"));
    CHECK(matches("a_b.example.org", "a_b.example.org"));
    CHECK(!matches("example.org", "example.com"));
    CHECK(!matches("example.org", "www.example.org"));
    CHECK(!matches("www.example.org", "example.org"));
    CHECK(!matches("example.org.", "example.org"));
    CHECK(!matches("", "example.org"));
    CHECK(!matches("example.org", ""));
    CHECK(!matches("", ""));
}

TEST(wildcard_is_one_whole_leftmost_label)
{
    CHECK(matches("*.example.org", "www.example.org"));
    CHECK(matches("*.EXAMPLE.ORG", "www.example.org"));
    CHECK(matches("*.b.example.org", "a.b.example.org"));
    CHECK(matches("*.example.org", "xn--bcher-kva.example.org"));
    CHECK(!matches("*.example.org", "example.org"));
    CHECK(!matches("*.example.org", "a.b.example.org"));
    CHECK(!matches("*.example.org", ".example.org"));
    CHECK(!matches("w*.example.org", "www.example.org"));
    CHECK(!matches("*w.example.org", "www.example.org"));
    CHECK(!matches("www.*.org", "www.example.org"));
    CHECK(!matches("*.*.org", "www.example.org"));
    CHECK(!matches("**.example.org", "www.example.org"));
    CHECK(!matches("*", "localhost"));
    CHECK(!matches("*", "example.org"));
    CHECK(!matches("*.", "example."));
}

TEST(wildcard_needs_two_labels_behind_it)
{
    CHECK(!matches("*.com", "example.com"));
    CHECK(!matches("*.localhost", "a.localhost"));
    CHECK(!matches("*..com", "a..com"));
    CHECK(!matches("*.com.", "a.com."));
}

TEST(name_with_nul_or_space_never_matches)
{
    static const char nul[] = "example.org\0.evil.test";
    struct tls_bytes bytes = {(const unsigned char *)nul, sizeof nul - 1};

    CHECK(!tls_name_matches(&bytes, "example.org"));
    bytes.len = sizeof "example.org";
    CHECK(!tls_name_matches(&bytes, "example.org"));
    CHECK(!matches("example.org ", "example.org"));
    CHECK(!matches(" example.org", "example.org"));
}

TEST(certificate_names_are_found)
{
    struct tls_cert cert;
    size_t len;
    char text[120];
    unsigned char *der = load("good.pem", &len);

    CHECK_OK(tls_cert_parse(der, len, &cert));
    CHECK(tls_cert_is_for_name(&cert, "localhost"));
    CHECK(tls_cert_is_for_name(&cert, "two.test"));
    CHECK(!tls_cert_is_for_name(&cert, "three.test"));
    CHECK(!tls_cert_is_for_name(&cert, "127.0.0.1"));
    CHECK(is_for_ip(&cert, "127.0.0.1"));
    CHECK(is_for_ip(&cert, "::1"));
    CHECK(!is_for_ip(&cert, "127.0.0.2"));
    CHECK(!is_for_ip(&cert, "::2"));
    CHECK(!is_for_ip(&cert, "::ffff:127.0.0.1"));
    tls_cert_names(&cert, text, sizeof text);
    CHECK_STR(text, "localhost, one.test, two.test, 127.0.0.1, ::1");
    tls_cert_names(&cert, text, 32);
    CHECK_STR(text, "localhost, one.test, ...");
    tls_cert_title(&cert.issuer, text, sizeof text);
    CHECK_STR(text, "ca");
    CHECK(cert.not_before < time(NULL) && cert.not_after > time(NULL));
    free(der);
}

TEST(common_name_counts_only_without_alternative_names)
{
    struct tls_cert cert;
    size_t len;
    unsigned char *der = load("common-name.pem", &len);

    CHECK_OK(tls_cert_parse(der, len, &cert));
    CHECK(tls_cert_is_for_name(&cert, "localhost"));
    CHECK(!tls_cert_is_for_name(&cert, "one.test"));
    CHECK(!is_for_ip(&cert, "127.0.0.1"));
    free(der);

    der = load("wildcard.pem", &len); /* CN=wild.test */
    CHECK_OK(tls_cert_parse(der, len, &cert));
    CHECK(tls_cert_is_for_name(&cert, "a.wild.test"));
    CHECK(!tls_cert_is_for_name(&cert, "wild.test"));
    free(der);

    der = load("ip-only.pem", &len); /* CN=loopback */
    CHECK_OK(tls_cert_parse(der, len, &cert));
    CHECK(!tls_cert_is_for_name(&cert, "loopback"));
    CHECK(is_for_ip(&cert, "127.0.0.1"));
    free(der);
}

TEST(dates_are_read_in_both_forms)
{
    struct tls_cert cert;
    size_t len;
    char text[16];
    unsigned char *der = load("expired.pem", &len);

    CHECK_OK(tls_cert_parse(der, len, &cert));
    CHECK_EQ(cert.not_before, 1577836800);
    CHECK_EQ(cert.not_after, 1609459200);
    tls_cert_date(cert.not_after, text);
    CHECK_STR(text, "2021-01-01");
    free(der);
    der = load("future.pem", &len); /* GeneralizedTime */
    CHECK_OK(tls_cert_parse(der, len, &cert));
    tls_cert_date(cert.not_before, text);
    CHECK_STR(text, "2090-01-01");
    free(der);
    tls_cert_date(INT64_MAX, text);
    CHECK_STR(text, "?");
    tls_cert_date(-62135596800, text);
    CHECK_STR(text, "0001-01-01");
}

/* A DER builder: makes an element with the given contents. */
struct der {
    unsigned char bytes[600];
    size_t len;
};

static struct der element(unsigned tag, const void *contents, size_t len)
{
    struct der der = {.bytes = {(unsigned char)tag}, .len = 1};

    if (len >= 0x80)
        der.bytes[der.len++] = len < 0x100 ? 0x81 : 0x82;
    if (len >= 0x100)
        der.bytes[der.len++] = (unsigned char)(len >> 8);
    der.bytes[der.len++] = (unsigned char)len;
    memcpy(der.bytes + der.len, contents, len);
    der.len += len;
    return der;
}

static void add(struct der *der, struct der more)
{
    CHECK(der->len + more.len <= sizeof der->bytes);
    memcpy(der->bytes + der->len, more.bytes, more.len);
    der->len += more.len;
}

static struct der wrapped(unsigned tag, struct der der)
{
    return element(tag, der.bytes, der.len);
}

static struct der san_extension(const struct der *names)
{
    struct der extension = element(0x06, "\x55\x1d\x11", 3);

    add(&extension, wrapped(0x04, wrapped(0x30, *names)));
    return wrapped(0x30, extension);
}

/* Makes a minimal certificate with these extensions and dates. */
static struct der certificate(const struct der *extensions, const char *from, const char *until)
{
    struct der tbs = element(0x02, "\1", 1), dates, whole;
    struct der algorithm = wrapped(0x30, element(0x06, "\x2a\x03", 2));

    add(&tbs, algorithm);
    add(&tbs, element(0x30, "", 0));
    dates = element(strlen(from) == 13 ? 0x17 : 0x18, from, strlen(from));
    add(&dates, element(strlen(until) == 13 ? 0x17 : 0x18, until, strlen(until)));
    add(&tbs, wrapped(0x30, dates));
    add(&tbs, element(0x30, "", 0));
    add(&tbs, element(0x30, "", 0));
    if (extensions)
        add(&tbs, wrapped(0xa3, wrapped(0x30, *extensions)));
    whole = wrapped(0x30, tbs);
    add(&whole, algorithm);
    add(&whole, element(0x03, "\0\1", 2));
    return wrapped(0x30, whole);
}

static int parse(const struct der *der, struct tls_cert *ret)
{
    return tls_cert_parse(der->bytes, der->len, ret);
}

TEST(odd_alternative_names_match_nothing_else)
{
    struct der names = element(0x82, "a.test\0.evil", 12), extensions, der;
    struct tls_cert cert;
    char text[64];

    add(&names, element(0x87, "\x7f\0\0", 3));
    /* A network, which only authorities may have. */
    add(&names, element(0x87, "\x7f\0\0\1\xff\xff\xff\xff", 8));
    add(&names, element(0x86, "https://b.test/", 15));
    add(&names, element(0x82, "", 0));
    add(&names, element(0x82, "c.test", 6));
    extensions = san_extension(&names);
    der = certificate(&extensions, "200101000000Z", "20600101000000Z");
    CHECK_OK(parse(&der, &cert));
    CHECK(!tls_cert_is_for_name(&cert, "a.test"));
    CHECK(!tls_cert_is_for_name(&cert, "b.test"));
    CHECK(!tls_cert_is_for_name(&cert, ""));
    CHECK(tls_cert_is_for_name(&cert, "c.test"));
    CHECK(!is_for_ip(&cert, "127.0.0.1"));
    tls_cert_names(&cert, text, sizeof text);
    CHECK_STR(text, "a.test, , c.test");
    CHECK(tls_cert_is_for_servers(&cert));
}

TEST(extension_that_comes_twice_is_refused)
{
    struct der names = element(0x82, "a.test", 6), others = element(0x82, "b.test", 6);
    struct der extensions = san_extension(&names), der;
    struct tls_cert cert;

    add(&extensions, san_extension(&others));
    der = certificate(&extensions, "200101000000Z", "300101000000Z");
    CHECK_ERR(parse(&der, &cert), -EBADMSG);
}

TEST(certificate_without_names_is_for_nobody)
{
    struct der none = {.len = 0}, extensions = san_extension(&none);
    struct der der = certificate(&extensions, "200101000000Z", "300101000000Z");
    struct tls_cert cert;
    char text[64];

    CHECK_OK(parse(&der, &cert));
    CHECK(!tls_cert_is_for_name(&cert, "a.test"));
    der = certificate(NULL, "200101000000Z", "300101000000Z");
    CHECK_OK(parse(&der, &cert));
    CHECK(!tls_cert_is_for_name(&cert, "a.test"));
    CHECK(!is_for_ip(&cert, "127.0.0.1"));
    tls_cert_names(&cert, text, sizeof text);
    CHECK_STR(text, "?");
}

TEST(dates_must_be_dates)
{
    static const char *const bad[] = {"2001010000Z",   "200101000000+0100", "201301000000Z",
                                      "200132000000Z", "200101240000Z",     "20010100000aZ",
                                      "200100000000Z", "200001000000Z",     "2001010000000"};
    struct tls_cert cert;
    struct der der = certificate(NULL, "500101000000Z", "491231235960Z");

    CHECK_OK(parse(&der, &cert));
    CHECK_EQ(cert.not_before, -631152000); /* 1950 */
    CHECK_EQ(cert.not_after, 2524608000);  /* 2050; the leap second belongs to it */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        der = certificate(NULL, bad[i], "300101000000Z");
        CHECK_ERR(parse(&der, &cert), -EBADMSG);
    }
}

/* Parses every prefix, and every certificate with one changed byte: the result is an error or a
 * verdict, never a read out of bounds (ASan detects it). */
TEST(damaged_certificates_are_survived)
{
    struct tls_cert cert;
    size_t len;
    char text[64];
    unsigned char *der = load("good-ec.pem", &len);

    for (size_t n = 0; n < len; n++) {
        unsigned char *cut = malloc(n ? n : 1);
        CHECK(cut);
        memcpy(cut, der, n);
        CHECK_EQ(tls_cert_parse(cut, n, &cert), -EBADMSG);
        free(cut);
    }
    for (size_t at = 0; at < len; at++) {
        unsigned char was = der[at];
        for (int change = 1; change < 256; change += change < 4 ? 1 : 36) {
            der[at] = (unsigned char)(was ^ change);
            if (tls_cert_parse(der, len, &cert) == 0) {
                (void)tls_cert_is_for_name(&cert, "one.test");
                (void)tls_cert_is_for_servers(&cert);
                (void)is_for_ip(&cert, "::1");
                tls_cert_names(&cert, text, sizeof text);
                tls_cert_title(&cert.subject, text, sizeof text);
            }
        }
        der[at] = was;
    }
    CHECK_OK(tls_cert_parse(der, len, &cert));
    free(der);
}

TEST_MAIN()
