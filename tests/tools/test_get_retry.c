/* SPDX-License-Identifier: MIT */
/* When whorl-get retries, and after what delay. */
#include "test.h"
#include "tools/get/retry.h"

TEST(retry_helps_against_what_may_pass)
{
    static const int codes[] = {
        -ECONNREFUSED,
        -ECONNRESET,
        -ETIMEDOUT,
        -EHOSTUNREACH,
        -EPIPE,
        -EMFILE,
        WHORL_EDNS_SERVFAIL,
        WHORL_EDNS_TIMEOUT,
        WHORL_ETLS_TRUNCATED,
        WHORL_EHTTP_TRUNCATED,
        WHORL_EHTTP_NO_RESPONSE,
        WHORL_EHTTP_CONNECT_TIMEOUT,
        WHORL_EHTTP_TLS_TIMEOUT,
        WHORL_EHTTP_FIRST_BYTE_TIMEOUT,
        WHORL_EHTTP_STALL_TIMEOUT,
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (!retry_helps(codes[i], 0, false))
            test_fail(__FILE__, __LINE__, "no retry for %s", whorl_error_name(codes[i]));
}

TEST(retry_never_helps_against_what_cannot_change)
{
    static const int codes[] = {
        -ENOSPC,
        -EACCES,
        -EROFS,
        -EEXIST,
        -EFBIG,
        -EDQUOT,
        -ECANCELED,
        WHORL_EDNS_NOTFOUND,
        WHORL_EDNS_BADNAME,
        WHORL_ETLS_TRUST,
        WHORL_ETLS_NAME,
        WHORL_ETLS_EXPIRED,
        WHORL_ETLS_CERTIFICATE,
        WHORL_ETLS_VERSION,
        WHORL_ETLS_PIN,
        WHORL_EHTTP_URL,
        WHORL_EHTTP_SCHEME,
        WHORL_EHTTP_HEADER,
        WHORL_EHTTP_LENGTH,
        WHORL_EHTTP_CHUNK,
        WHORL_EHTTP_BODY_TOO_LARGE,
        WHORL_EHTTP_REDIRECTS,
        WHORL_EHTTP_ENCODING,
        WHORL_EHTTP_TOTAL_TIMEOUT,
        WHORL_EHTTP_NOT_REDIRECTABLE,
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (retry_helps(codes[i], 200, false))
            test_fail(__FILE__, __LINE__, "retry for %s", whorl_error_name(codes[i]));
}

TEST(retry_never_helps_against_a_file_that_cannot_be_written)
{
    static const int codes[] = {
        -EPIPE,    -ECONNRESET, -ETIMEDOUT,
        -ENOSPC,   -EIO,        -EACCES,
        -ENOTCONN, -EHOSTDOWN,  WHORL_EHTTP_TOTAL_TIMEOUT,
    };
    static const int shortages[] = {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (retry_helps(codes[i], 200, true))
            test_fail(__FILE__, __LINE__, "retry for %s", whorl_error_name(codes[i]));
    for (size_t i = 0; i < sizeof shortages / sizeof shortages[0]; i++) {
        CHECK(retry_helps(shortages[i], 200, true));
        CHECK(retry_helps(shortages[i], 0, false));
    }
}

TEST(retry_helps_against_few_statuses)
{
    static const int yes[] = {408, 425, 429, 500, 502, 503, 504, 520, 599};
    static const int no[] = {206, 300, 302, 304, 400, 401, 403, 404, 410, 413, 451, 501, 505, 511};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        CHECK(retry_helps(0, yes[i], false));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        CHECK(!retry_helps(0, no[i], false));
}

TEST_MAIN()
