/* SPDX-License-Identifier: MIT */
/* Error classes: each code has one, and that of an errno value depends on the step. */
#include <whorl/error.h>

#include "test.h"

struct code {
    const char *name;
    int number;
};

static const struct code codes[] = {
#define CODE(name, number, text) {#name, number},
    WHORL_ERRORS(CODE)
#undef CODE
};

enum { CODES = sizeof codes / sizeof codes[0] };

static const char *class_of(int code, const char *step)
{
    struct whorl_error error = {.code = code};

    snprintf(error.step, sizeof error.step, "%s", step);
    return whorl_error_class_name(whorl_error_classify(&error));
}

TEST(every_code_has_a_class)
{
    for (int i = 0; i < CODES; i++) {
        char has_none[64] = ""; /* the name of a code that is missing in runtime/error_class.c */
        if (strcmp(class_of(codes[i].number, ""), "none") == 0)
            snprintf(has_none, sizeof has_none, "%s", codes[i].name);
        CHECK_STR(has_none, "");
        CHECK_STR(class_of(-codes[i].number, ""), class_of(codes[i].number, ""));
    }
    CHECK_STR(class_of(0, "connect"), "none");
    CHECK_STR(class_of(-5999, ""), "none");
    CHECK_STR(whorl_error_class_name(99), "none");
}

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);
    return len >= suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/* What a name promises, the class keeps. */
TEST(names_and_classes_of_codes_agree)
{
    for (int i = 0; i < CODES; i++) {
        const char *name = codes[i].name, *class = class_of(codes[i].number, "");
        if (has_prefix(name, "WHORL_EDNS"))
            CHECK_STR(class, "dns");
        else if (has_prefix(name, "WHORL_ETLS"))
            CHECK_STR(class, has_suffix(name, "FILE") ? "local" : "tls");
        else if (has_prefix(name, "WHORL_EHTTP_PROXY"))
            CHECK_STR(class, has_suffix(name, "SETTING") ? "local" : "proxy");
        else if (has_suffix(name, "_TIMEOUT"))
            CHECK_STR(class, "timeout");
        else if (has_suffix(name, "_TOO_LARGE") || has_suffix(name, "_TOO_LONG") ||
                 has_suffix(name, "_TOO_MANY"))
            CHECK_STR(class, "limit");
        else if (has_prefix(name, "WHORL_EHTTP_ENCODING"))
            CHECK_STR(class, "decode");
        else if (!has_prefix(name, "WHORL_EHTTP"))
            CHECK_STR(class, "local");
    }
    CHECK_STR(class_of(WHORL_EHTTP_REDIRECTS, ""), "limit");
    CHECK_STR(class_of(WHORL_EHTTP_CHUNK, "body"), "protocol");
    CHECK_STR(class_of(WHORL_EHTTP_TRUNCATED, "body"), "connect");
}

TEST(the_class_of_an_errno_value_depends_on_the_step)
{
    CHECK_STR(class_of(-ECONNREFUSED, "connect"), "connect");
    CHECK_STR(class_of(-EPERM, "connect"), "connect");
    CHECK_STR(class_of(-ENOENT, "connect"), "connect");
    CHECK_STR(class_of(-ETIMEDOUT, "connect"), "timeout");
    CHECK_STR(class_of(-ECONNRESET, "response"), "connect");
    CHECK_STR(class_of(-EPIPE, "send"), "connect");
    CHECK_STR(class_of(-ECONNRESET, "TLS"), "tls");
    CHECK_STR(class_of(-ENOENT, "TLS"), "local");
    CHECK_STR(class_of(-ECONNREFUSED, "resolve"), "dns");
    CHECK_STR(class_of(-EPIPE, "write"), "local");
    CHECK_STR(class_of(-ENOSPC, "write"), "local");
    CHECK_STR(class_of(-ENOSPC, ""), "local");
}

TEST(a_lack_of_resources_is_local_in_every_step)
{
    static const char *const steps[] = {"resolve", "connect", "TLS", "proxy", "send", "body", ""};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CHECK_STR(class_of(-ENOMEM, steps[i]), "local");
        CHECK_STR(class_of(-EMFILE, steps[i]), "local");
        CHECK_STR(class_of(-ECANCELED, steps[i]), "cancelled");
    }
}

TEST(network_failures_on_the_way_through_a_proxy_are_the_proxys)
{
    CHECK_STR(class_of(-ECONNREFUSED, "proxy"), "proxy");
    CHECK_STR(class_of(WHORL_EDNS_NOTFOUND, "proxy"), "proxy");
    CHECK_STR(class_of(WHORL_ETLS_NAME, "proxy"), "proxy");
    CHECK_STR(class_of(WHORL_EHTTP_CONNECT_TIMEOUT, "proxy"), "timeout");
    CHECK_STR(class_of(WHORL_EHTTP_PROXY_AUTH, "proxy"), "proxy");
    CHECK_STR(class_of(WHORL_EHTTP_PROXY_SETTING, "proxy"), "local");
}

TEST_MAIN()
