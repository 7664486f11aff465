/* SPDX-License-Identifier: MIT */
/* Answers to challenges. */
#include "io/http/auth_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <whorl/error.h>

#include "io/http/basic.h"

/* The best challenge so far. */
struct best {
    enum whorl_http_auth_scheme wanted, scheme; /* scheme ANY: none */
    struct digest digest;
};

static bool wants(const struct best *best, enum whorl_http_auth_scheme scheme)
{
    return best->wanted == scheme ||
           (best->wanted == WHORL_HTTP_AUTH_ANY && scheme != WHORL_HTTP_AUTH_BEARER);
}

static int judge_digest(struct best *best, const struct challenge *c)
{
    struct digest digest = {0};
    int algorithm = digest_algorithm_of(c);

    if (best->scheme == WHORL_HTTP_AUTH_DIGEST && algorithm <= (int)best->digest.algorithm)
        return 0;
    int n = digest_init(&digest, c);
    if (n > 0) {
        digest_finish(&best->digest);
        best->digest = digest;
        best->scheme = WHORL_HTTP_AUTH_DIGEST;
    }
    return n;
}

/* Keeps the challenge if it is better than the best one so far. */
static int judge(struct best *best, const struct challenge *c)
{
    if (challenge_is(c, "Digest") && wants(best, WHORL_HTTP_AUTH_DIGEST))
        return judge_digest(best, c);
    if (challenge_is(c, "Bearer") && wants(best, WHORL_HTTP_AUTH_BEARER))
        best->scheme = WHORL_HTTP_AUTH_BEARER;
    if (challenge_is(c, "Basic") && wants(best, WHORL_HTTP_AUTH_BASIC) &&
        best->scheme == WHORL_HTTP_AUTH_ANY)
        best->scheme = WHORL_HTTP_AUTH_BASIC;
    return 0;
}

/* Whether the whole value can be read. */
static bool is_well_formed(const char *value)
{
    struct challenge c;
    int n;

    while ((n = challenge_next(&value, &c)) > 0)
        ;
    return n == 0;
}

int auth_answer_choose(struct auth_answer *answer, const struct header_list *headers,
                       const char *name, enum whorl_http_auth_scheme wanted)
{
    struct best best = {.wanted = wanted};
    struct challenge c;
    const char *value;
    size_t index = 0;
    int err = 0;

    while (err >= 0 && (value = header_list_next(headers, name, &index))) {
        if (!is_well_formed(value))
            continue;
        while (err >= 0 && challenge_next(&value, &c) > 0)
            err = judge(&best, &c);
    }
    if (err < 0 || best.scheme == WHORL_HTTP_AUTH_ANY) {
        digest_finish(&best.digest);
        return err < 0 ? err : 0;
    }
    auth_answer_finish(answer);
    answer->scheme = best.scheme;
    answer->digest = best.digest;
    return 1;
}

static bool may_answer(const struct auth_tries *tries, const struct auth_answer *answer)
{
    bool is_digest = answer->scheme == WHORL_HTTP_AUTH_DIGEST;

    if (tries->answers == 0) /* a nonce of an earlier request may be too old without stale=true */
        return tries->sent != answer->scheme || is_digest;
    return tries->sent == WHORL_HTTP_AUTH_DIGEST && is_digest && answer->digest.is_stale &&
           !tries->has_answered_stale;
}

bool auth_tries_allow(struct auth_tries *tries, const struct auth_answer *answer)
{
    if (!may_answer(tries, answer))
        return false;
    tries->has_answered_stale |= tries->answers > 0;
    tries->answers++;
    return true;
}

static int write_basic(const struct auth_secret *secret, char **ret)
{
    ssize_t len = basic_write_plain(secret->user, secret->password, NULL, 0);
    if (len < 0)
        return (int)len;
    char *value = malloc((size_t)len + 1);
    if (!value)
        return -ENOMEM;
    basic_write_plain(secret->user, secret->password, value, (size_t)len);
    value[len] = '\0';
    *ret = value;
    return 0;
}

static int write_bearer(const struct auth_secret *secret, char **ret)
{
    /* RFC 6750 §2.1: no spaces. The token's other characters are the server's business. */
    for (const char *p = secret->token; *p; p++)
        if (*p <= ' ' || *p == 0x7f)
            return WHORL_EHTTP_REQUEST_HEADER;
    size_t size = sizeof "Bearer " + strlen(secret->token);
    char *value = malloc(size);
    if (!value)
        return -ENOMEM;
    snprintf(value, size, "Bearer %s", secret->token);
    *ret = value;
    return 0;
}

/* Makes the client's nonce. With the -sess algorithms it is part of the key, so it stays the same
 * as long as the server's nonce (RFC 7616 §3.4.2). */
static int make_cnonce(struct auth_answer *answer)
{
    unsigned char bytes[(DIGEST_CNONCE_SIZE - 1) / 2];
    bool is_sess = answer->digest.algorithm == DIGEST_MD5_SESS ||
                   answer->digest.algorithm == DIGEST_SHA256_SESS;

    if (is_sess && answer->nc > 0)
        return 0;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return errno ? -errno : -EIO;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(answer->cnonce + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int write_digest(struct auth_answer *answer, const struct auth_secret *secret,
                        const char *method, const char *uri, char **ret)
{
    int err = make_cnonce(answer);
    struct digest_input input = {
        .user = secret->user,
        .password = secret->password,
        .method = method,
        .uri = uri,
        .cnonce = answer->cnonce,
        .nc = answer->nc + 1,
    };
    if (err == 0)
        err = digest_write(&answer->digest, &input, ret);
    if (err == 0)
        answer->nc++;
    return err;
}

int auth_answer_write(struct auth_answer *answer, const struct auth_secret *secret,
                      const char *method, const char *uri, char **ret)
{
    switch (answer->scheme) {
    case WHORL_HTTP_AUTH_BASIC:
        return write_basic(secret, ret);
    case WHORL_HTTP_AUTH_BEARER:
        return write_bearer(secret, ret);
    case WHORL_HTTP_AUTH_DIGEST:
        return write_digest(answer, secret, method, uri, ret);
    case WHORL_HTTP_AUTH_ANY:
        break;
    }
    return -EINVAL;
}

void auth_answer_free_value(char *value)
{
    if (value)
        explicit_bzero(value, strlen(value));
    free(value);
}

void auth_answer_finish(struct auth_answer *answer)
{
    digest_finish(&answer->digest);
    *answer = (struct auth_answer){0};
}
