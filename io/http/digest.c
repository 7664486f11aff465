/* SPDX-License-Identifier: MIT */
/* Answers of the Digest scheme. The hash functions are BearSSL's. */
#include "io/http/digest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bearssl.h>

#include <whorl/error.h>

#include "io/http/header.h"

enum {
    PARAM_MAX = 4096,
    HEX_SIZE = 2 * br_sha256_SIZE + 1,
};

static const char *const algorithm_names[] = {
    [DIGEST_MD5] = "MD5",
    [DIGEST_MD5_SESS] = "MD5-sess",
    [DIGEST_SHA256] = "SHA-256",
    [DIGEST_SHA256_SESS] = "SHA-256-sess",
};

/* --- challenges --- */

int digest_algorithm_of(const struct challenge *challenge)
{
    if (challenge_get(challenge, "algorithm", NULL, 0) < 0)
        return DIGEST_MD5;
    for (int i = 0; i < 4; i++)
        if (challenge_param_is(challenge, "algorithm", algorithm_names[i]))
            return i;
    return -1;
}

/* Copies a parameter. 1; 0: it is missing, too long or has control bytes; -ENOMEM. */
static int copy_param(const struct challenge *c, const char *name, char **ret)
{
    ssize_t len = challenge_get(c, name, NULL, 0);
    if (len < 0 || len > PARAM_MAX)
        return 0;
    char *text = malloc((size_t)len + 1);
    if (!text)
        return -ENOMEM;
    challenge_get(c, name, text, (size_t)len + 1);
    if (!header_is_value(text, (size_t)len)) {
        free(text);
        return 0;
    }
    *ret = text;
    return 1;
}

/* Whether the list of qop contains "auth". */
static bool offers_auth(const struct challenge *c)
{
    char list[128];
    const char *cursor = list, *member;
    size_t member_len;
    ssize_t len = challenge_get(c, "qop", list, sizeof list);

    if (len < 0 || (size_t)len >= sizeof list)
        return false;
    while (header_next_member(&cursor, &member, &member_len))
        if (member_len == 4 && strncasecmp(member, "auth", 4) == 0)
            return true;
    return false;
}

int digest_init(struct digest *ret, const struct challenge *challenge)
{
    int algorithm = digest_algorithm_of(challenge);
    struct digest d = {
        .algorithm = (enum digest_algorithm)algorithm,
        .has_qop = challenge_get(challenge, "qop", NULL, 0) >= 0,
        .is_stale = challenge_param_is(challenge, "stale", "true"),
        .has_userhash = challenge_param_is(challenge, "userhash", "true"),
        .is_utf8 = challenge_param_is(challenge, "charset", "UTF-8"),
    };
    if (algorithm < 0 || (d.has_qop && !offers_auth(challenge)))
        return 0;
    int n = copy_param(challenge, "realm", &d.realm);
    if (n > 0)
        n = copy_param(challenge, "nonce", &d.nonce);
    if (n > 0 && challenge_get(challenge, "opaque", NULL, 0) >= 0)
        n = copy_param(challenge, "opaque", &d.opaque);
    if (n > 0)
        *ret = d;
    else
        digest_finish(&d);
    return n;
}

void digest_finish(struct digest *digest)
{
    free(digest->realm);
    free(digest->nonce);
    free(digest->opaque);
    *digest = (struct digest){0};
}

/* --- answers --- */

/* Writes H of the texts, joined by ":", as hexadecimal digits. A NULL ends the texts. */
static void hash(enum digest_algorithm algorithm, char ret[HEX_SIZE], const char *first, ...)
{
    const br_hash_class *class = algorithm >= DIGEST_SHA256 ? &br_sha256_vtable : &br_md5_vtable;
    size_t size = (class->desc >> BR_HASHDESC_OUT_OFF) & BR_HASHDESC_OUT_MASK;
    br_hash_compat_context ctx;
    unsigned char out[br_sha256_SIZE];
    va_list args;

    class->init(&ctx.vtable);
    va_start(args, first);
    for (const char *text = first; text; text = va_arg(args, const char *)) {
        if (text != first)
            class->update(&ctx.vtable, ":", 1);
        class->update(&ctx.vtable, text, strlen(text));
    }
    va_end(args);
    class->out(&ctx.vtable, out);
    for (size_t i = 0; i < size; i++)
        snprintf(ret + 2 * i, 3, "%02x", out[i]);
    explicit_bzero(&ctx, sizeof ctx);
    explicit_bzero(out, sizeof out);
}

/* RFC 7616 §3.4.1 to §3.4.3; without qop, §3.4.1 of RFC 2617. */
static void respond(const struct digest *d, const struct digest_input *in, char ret[HEX_SIZE])
{
    char a1[HEX_SIZE], a2[HEX_SIZE], nc[9];
    enum digest_algorithm algorithm = d->algorithm;

    hash(algorithm, a1, in->user, d->realm, in->password, NULL);
    if (algorithm == DIGEST_MD5_SESS || algorithm == DIGEST_SHA256_SESS)
        hash(algorithm, a1, a1, d->nonce, in->cnonce, NULL);
    hash(algorithm, a2, in->method, in->uri, NULL);
    snprintf(nc, sizeof nc, "%08x", in->nc);
    if (d->has_qop)
        hash(algorithm, ret, a1, d->nonce, nc, in->cnonce, "auth", a2, NULL);
    else
        hash(algorithm, ret, a1, d->nonce, a2, NULL);
    explicit_bzero(a1, sizeof a1);
}

static void put_quoted(FILE *f, const char *name, const char *value)
{
    fprintf(f, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            putc('\\', f);
        putc(*value, f);
    }
    fputs("\", ", f);
}

/* username*, RFC 8187 §3.2. */
static void put_extended(FILE *f, const char *value)
{
    fputs("username*=UTF-8''", f);
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        fprintf(f, is_plain ? "%c" : "%%%02X", c);
    }
    fputs(", ", f);
}

static bool is_ascii(const char *text)
{
    while (*text && !((unsigned char)*text & 0x80))
        text++;
    return *text == '\0';
}

static void put_user(FILE *f, const struct digest *d, const char *user)
{
    char hashed[HEX_SIZE];

    if (d->has_userhash) { /* RFC 7616 §3.4.4 */
        hash(d->algorithm, hashed, user, d->realm, NULL);
        put_quoted(f, "username", hashed);
    } else if (d->is_utf8 && !is_ascii(user)) {
        put_extended(f, user);
    } else {
        put_quoted(f, "username", user);
    }
}

int digest_write(const struct digest *digest, const struct digest_input *input, char **ret)
{
    char response[HEX_SIZE], *text = NULL;
    size_t len;

    if (!header_is_value(input->user, strlen(input->user)) ||
        !header_is_value(input->password, strlen(input->password)))
        return WHORL_EHTTP_REQUEST_HEADER;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return -ENOMEM;
    respond(digest, input, response);
    fputs("Digest ", f);
    put_user(f, digest, input->user);
    put_quoted(f, "realm", digest->realm);
    put_quoted(f, "uri", input->uri);
    fprintf(f, "algorithm=%s, ", algorithm_names[digest->algorithm]);
    put_quoted(f, "nonce", digest->nonce);
    if (digest->has_qop) /* RFC 7616 §3.4: neither nc nor qop are quoted */
        fprintf(f, "nc=%08x, cnonce=\"%s\", qop=auth, ", input->nc, input->cnonce);
    if (digest->opaque)
        put_quoted(f, "opaque", digest->opaque);
    if (digest->has_userhash)
        fputs("userhash=true, ", f);
    fprintf(f, "response=\"%s\"", response);
    bool failed = ferror(f);
    if (fclose(f) != 0 || failed) {
        free(text);
        return -ENOMEM;
    }
    *ret = text;
    return 0;
}
