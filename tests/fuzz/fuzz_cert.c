/* SPDX-License-Identifier: MIT */
/* Certificates: a parsed certificate points only into the input, and every question about it gets
 * an answer that fits.
 */
#include <string.h>

#include "fuzz.h"
#include "io/tls/cert.h"

static void check_inside(const struct tls_bytes *bytes, const uint8_t *data, size_t len)
{
    if (!bytes->data)
        return;
    FUZZ_CHECK(bytes->data >= data && bytes->data <= data + len);
    FUZZ_CHECK(bytes->len <= (size_t)(data + len - bytes->data));
}

static void check_cert(const struct tls_cert *cert)
{
    static const char *const hosts[] = {"a.test", "x.b.test", "c.test", "b.test", ""};
    static const unsigned char v4[] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
    char text[40];

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        FUZZ_CHECK(!tls_cert_is_for_name(cert, hosts[i]) || hosts[i][0]);
    /* A wildcard stands for a whole label and needs two labels after it. */
    FUZZ_CHECK(!tls_cert_is_for_name(cert, ".b.test"));
    if (!cert->san.data)
        FUZZ_CHECK(!tls_cert_is_for_ip(cert, v4, 4) && !tls_cert_is_for_ip(cert, v6, 16));
    (void)tls_cert_is_for_servers(cert);
    for (size_t size = 8; size <= sizeof text; size += 8) {
        memset(text, 'x', sizeof text);
        tls_cert_names(cert, text, size);
        FUZZ_CHECK(memchr(text, 0, size));
        tls_cert_title(&cert->subject, text, size);
        FUZZ_CHECK(memchr(text, 0, size));
    }
    tls_cert_date(cert->not_before, text);
    FUZZ_CHECK(strlen(text) == 10 || strcmp(text, "?") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tls_cert cert;

    if (tls_cert_parse(data, len, &cert) == 0) {
        check_inside(&cert.issuer, data, len);
        check_inside(&cert.subject, data, len);
        check_inside(&cert.san, data, len);
        check_inside(&cert.eku, data, len);
        check_cert(&cert);
    }
    /* The same bytes, used as a name in a certificate. */
    const struct tls_bytes pattern = {data, len};
    if (tls_name_matches(&pattern, "x.b.test"))
        FUZZ_CHECK(len == strlen("x.b.test") || len == strlen("*.b.test"));
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("0\201\2630\201\253\240\003\002\001\002\002\001\0010\0000\0151\0130\011\006\003U\004\003"
         "\014\002ca0\040\027\015200101000000Z\030\01720600101000000Z0\0211\0170\015\006\003U\004"
         "\003\014\006a.test0\000\243Y0W03\006\003U\035\021\004,0*\202\006a.test\202\010*.b.te"
         "st\207\004\177\000\000\001\207\020\000\000\000\000\000\000\000\000\000\000\000\000\000"
         "\000\000\0010\040\006\003U\035%\001\001\377\004\0260\024\006\010+\006\001\005\005\007"
         "\003\002\006\010+\006\001\005\005\007\003\0010\000\003\001\000");
    SEED("0U0N\240\003\002\001\002\002\001\0010\0000\0151\0130\011\006\003U\004\003\014\002ca0"
         "\036\027\015500101000000Z\027\015491231235959Z0\0211\0170\015\006\003U\004\003\014\006"
         "c.test0\0000\000\003\001\000");
    SEED("0\201\2150\201\205\240\003\002\001\002\002\001\0010\0000\0151\0130\011\006\003U\004\003"
         "\014\002ca0\042\030\01700010101000000Z\030\01799991231235959Z0\0131\0110\007\006\003"
         "U\004\003\014\0000\000\24370503\006\003U\035\021\004,0*\202\006a.test\202\010*.b.tes"
         "t\207\004\177\000\000\001\207\020\000\000\000\000\000\000\000\000\000\000\000\000\000"
         "\000\000\0010\000\003\001\000");
    SEED("*.b.test");
    SEED("x.B.test");
#undef SEED
}
