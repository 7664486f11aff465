/* SPDX-License-Identifier: MIT */
/* Challenges: the value of a header. The parser makes progress and stays inside the value, and an
 * answer to a challenge of Digest can be sent: it has no control bytes, and it is read again as one
 * challenge with the same realm and nonce. */
#include <string.h>

#include <whorl/error.h>

#include "fuzz.h"
#include "io/http/challenge.h"
#include "io/http/digest.h"
#include "io/http/header.h"

static void check_param(const struct challenge *c, size_t index, const char *text, size_t len)
{
    const struct challenge_param *p = &c->params[index];
    char name[64], buf[64];

    FUZZ_CHECK(p->name >= text && p->name + p->name_len <= p->value);
    FUZZ_CHECK(p->value_len > 0 && p->value + p->value_len <= text + len);
    FUZZ_CHECK(header_is_token(p->name, p->name_len));
    if (p->name_len >= sizeof name)
        return;
    memcpy(name, p->name, p->name_len);
    name[p->name_len] = '\0';
    ssize_t n = challenge_get(c, name, buf, sizeof buf);
    FUZZ_CHECK(n >= 0 && (size_t)n <= p->value_len);
    FUZZ_CHECK((size_t)n >= sizeof buf || strlen(buf) == (size_t)n);
    FUZZ_CHECK(challenge_get(c, name, NULL, 0) == n);
}

/* The parameter as new text. */
static char *get(const struct challenge *c, const char *name)
{
    ssize_t len = challenge_get(c, name, NULL, 0);
    FUZZ_CHECK(len >= 0);
    char *text = malloc((size_t)len + 1);
    FUZZ_CHECK(challenge_get(c, name, text, (size_t)len + 1) == len);
    return text;
}

static void check_answer(const struct challenge *challenge)
{
    const struct digest_input input = {
        .user = "u\"\\\xc3\xa4", .password = "p", .method = "GET", .uri = "/", .cnonce = "c"};
    struct digest digest = {0};
    struct challenge c;
    char *value = NULL;

    if (digest_init(&digest, challenge) <= 0)
        return;
    FUZZ_CHECK(digest_write(&digest, &input, &value) == 0);
    FUZZ_CHECK(header_is_value(value, strlen(value)));
    const char *cursor = value;
    FUZZ_CHECK(challenge_next(&cursor, &c) == 1 && challenge_is(&c, "digest"));
    FUZZ_CHECK(challenge_next(&cursor, &c) == 0);
    cursor = value;
    FUZZ_CHECK(challenge_next(&cursor, &c) == 1);
    char *realm = get(&c, "realm"), *nonce = get(&c, "nonce");
    FUZZ_CHECK(strcmp(realm, digest.realm) == 0 && strcmp(nonce, digest.nonce) == 0);
    free(realm);
    free(nonce);
    free(value);
    digest_finish(&digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);
    struct challenge c;
    int n;

    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    const char *cursor = text, *before = text;
    while ((n = challenge_next(&cursor, &c)) > 0) {
        FUZZ_CHECK(cursor > before && cursor <= text + len);
        FUZZ_CHECK(header_is_token(c.scheme, c.scheme_len));
        FUZZ_CHECK(c.params_count <= CHALLENGE_PARAMS_MAX);
        for (size_t i = 0; i < c.params_count; i++)
            check_param(&c, i, text, len);
        if (challenge_is(&c, "Digest"))
            check_answer(&c);
        before = cursor;
    }
    FUZZ_CHECK(n == 0 || n == WHORL_EHTTP_HEADER);
    FUZZ_CHECK(n < 0 || *cursor == '\0');
    free(text);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("Basic realm=\"simple\", charset=\"UTF-8\"");
    SEED("Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"");
    SEED("Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "
         "nonce=\"7ypf/xlj9XXwfDPEoM4URrv\", "
         "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"");
    SEED("Digest realm=\"a\\\\b\", nonce=n, algorithm=MD5-sess, userhash=true, charset=UTF-8, "
         "stale=TRUE");
    SEED("Negotiate YWJj==, Bearer error=\"invalid_token\",, NTLM");
    SEED("Digest realm=\"\xc3\xa4\", nonce=\"\", charset=UTF-8");
#undef SEED
}
