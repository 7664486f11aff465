/* SPDX-License-Identifier: MIT */
/* Credentials of sessions, and what was learnt from challenges. */
#include "io/http/auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/http_auth.h>
#include <whorl/url.h>

#include "io/http/netrc_file.h"
#include "io/url/ascii.h"

enum { SPACES_MAX = 16 };

/* Credentials that the session was given. */
struct auth_entry {
    struct whorl_url origin;
    struct whorl_http_credentials credentials; /* its strings but `origin` are ours */
};

/* How a challenge of an origin was answered. */
struct auth_space {
    bool is_tls;
    uint16_t port;
    char *host;                    /* owned */
    char *user, *password, *token; /* owned; the answer is valid for these only; may be NULL */
    struct auth_answer answer;
};

/* The credentials for a request. */
struct found {
    struct auth_secret secret; /* borrowed */
    enum whorl_http_auth_scheme scheme;
    bool is_preemptive, from_url;
    const char *source; /* where they are, for errors */
    bool has_nul;       /* the URL has "%00", so the strings end too early */
    char *decoded;      /* owned; of the URL */
    size_t decoded_size;
};

static void wipe(char *text)
{
    auth_answer_free_value(text);
}

static int copy(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? -ENOMEM : 0;
}

/* --- checks and copies --- */

int http_auth_check(const struct whorl_http_credentials *c, struct whorl_error *error)
{
    bool is_bearer = c->scheme == WHORL_HTTP_AUTH_BEARER;
    const char *text = NULL;

    if ((unsigned)c->scheme > WHORL_HTTP_AUTH_DIGEST)
        text = "credentials.scheme is unknown";
    else if (is_bearer ? !c->token || c->user || c->password : !c->user || c->token)
        text = "credentials have a user, or for Bearer a token, and not both";
    else if (c->preemptive && c->scheme == WHORL_HTTP_AUTH_DIGEST)
        text = "Digest cannot be preemptive";
    return text ? whorl_error_set(error, -EINVAL, "request", "%s", text) : 0;
}

static int add_entry(struct auth_entry *entry, const struct whorl_http_credentials *c)
{
    char *user, *password, *token;

    int err = c->origin ? http_auth_check(c, NULL) : -EINVAL;
    if (err == 0)
        err = whorl_url_parse(c->origin, NULL, &entry->origin);
    if (err)
        return err;
    err |= copy(c->user, &user);
    err |= copy(c->password, &password);
    err |= copy(c->token, &token);
    entry->credentials = (struct whorl_http_credentials){
        .scheme = c->scheme,
        .user = user,
        .password = password,
        .token = token,
        .preemptive = c->preemptive,
    };
    return err ? -ENOMEM : 0;
}

int http_auth_init(struct http_auth *auth, const struct whorl_http_session_options *options)
{
    size_t count = options->credentials_count;
    int err = 0;

    auth->netrc = options->netrc;
    if (count == 0)
        return 0;
    if (!options->credentials)
        return -EINVAL;
    auth->entries = calloc(count, sizeof *auth->entries);
    if (!auth->entries)
        return -ENOMEM;
    for (size_t i = 0; err == 0 && i < count; i++) {
        auth->entries_count++;
        err = add_entry(&auth->entries[i], &options->credentials[i]);
    }
    return err;
}

static void finish_space(struct auth_space *space)
{
    free(space->host);
    wipe(space->user);
    wipe(space->password);
    wipe(space->token);
    auth_answer_finish(&space->answer);
}

void http_auth_finish(struct http_auth *auth)
{
    for (size_t i = 0; i < auth->entries_count; i++) {
        struct auth_entry *entry = &auth->entries[i];
        whorl_url_finish(&entry->origin);
        wipe((char *)(uintptr_t)entry->credentials.user);
        wipe((char *)(uintptr_t)entry->credentials.password);
        wipe((char *)(uintptr_t)entry->credentials.token);
    }
    for (size_t i = 0; i < auth->spaces_count; i++)
        finish_space(&auth->spaces[i]);
    free(auth->entries);
    free(auth->spaces);
    *auth = (struct http_auth){0};
}

/* --- which credentials a request gets --- */

/* Whether the caller sends an Authorization header of its own to this URL. */
static bool has_own_header(const struct http_outgoing *out)
{
    const struct whorl_http_request *request = out->request;

    if (out->other_origin && !request->trust_redirects)
        return false;
    for (size_t i = 0; i < request->headers_count; i++)
        if (request->headers[i].name && header_equal(request->headers[i].name, "Authorization"))
            return true;
    return false;
}

static void use(struct found *found, const struct whorl_http_credentials *c)
{
    found->source = "credentials";
    found->secret = (struct auth_secret){
        .user = c->user, .password = c->password ? c->password : "", .token = c->token};
    found->scheme = c->scheme;
    found->is_preemptive = c->preemptive;
}

/* Decodes the userinfo of a URL, which whorl_url_parse() has checked. */
static int use_url(struct found *found, const char *userinfo)
{
    size_t size = strlen(userinfo) + 1;
    char *text = malloc(size), *to = text;

    if (!text)
        return -ENOMEM;
    found->source = "URL";
    found->decoded = text;
    found->decoded_size = size;
    found->secret = (struct auth_secret){.user = text};
    for (const char *p = userinfo; *p; to++) {
        bool is_separator = *p == ':' && !found->secret.password;
        bool is_encoded = *p == '%';
        *to = is_encoded ? (char)(ascii_hex_value(p[1]) << 4 | ascii_hex_value(p[2])) : *p;
        found->has_nul |= is_encoded && !*to;
        if (is_separator) {
            *to = '\0';
            found->secret.password = to + 1;
        }
        p += is_encoded ? 3 : 1;
    }
    *to = '\0';
    if (!found->secret.password)
        found->secret.password = to;
    found->is_preemptive = found->from_url = true;
    return 1;
}

/* 1, and `found` is filled; 0: none; -ENOMEM. */
static int find(const struct http_auth *auth, const struct http_outgoing *out, struct found *found)
{
    const struct netrc_entry *e = NULL;

    *found = (struct found){0};
    if (has_own_header(out))
        return 0;
    if (out->request->credentials && !out->other_origin) {
        use(found, out->request->credentials);
        return 1;
    }
    if (out->url->userinfo)
        return use_url(found, out->url->userinfo);
    for (size_t i = 0; i < auth->entries_count; i++)
        if (whorl_url_same_origin(&auth->entries[i].origin, out->url)) {
            use(found, &auth->entries[i].credentials);
            return 1;
        }
    if (auth->netrc) /* the default entry would go to every host that a redirect names */
        e = netrc_find(&auth->netrc->netrc, out->url->host, NULL, !out->other_origin);
    if (!e)
        return 0;
    found->source = "netrc file";
    found->secret =
        (struct auth_secret){.user = e->login, .password = e->password ? e->password : ""};
    return 1;
}

static void release(struct found *found)
{
    if (found->decoded)
        explicit_bzero(found->decoded, found->decoded_size);
    free(found->decoded);
}

/* --- what is known of an origin --- */

static bool is_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct auth_space *find_space(const struct http_auth *auth, const struct whorl_url *url,
                                     const struct found *found)
{
    for (size_t i = 0; i < auth->spaces_count; i++) {
        struct auth_space *s = &auth->spaces[i];
        if (s->is_tls == url->is_tls && s->port == url->port && strcmp(s->host, url->host) == 0 &&
            is_equal(s->user, found->secret.user) && is_equal(s->token, found->secret.token) &&
            is_equal(s->password, found->secret.password))
            return s;
    }
    return NULL;
}

static void forget(struct http_auth *auth, struct auth_space *space)
{
    size_t index = (size_t)(space - auth->spaces);

    finish_space(space);
    auth->spaces_count--;
    memmove(space, space + 1, (auth->spaces_count - index) * sizeof *space);
}

/* Adds a space without an answer. */
static int add_space(struct http_auth *auth, const struct whorl_url *url, const struct found *found,
                     struct auth_space **ret)
{
    if (!auth->spaces && !(auth->spaces = calloc(SPACES_MAX, sizeof *auth->spaces)))
        return -ENOMEM;
    if (auth->spaces_count == SPACES_MAX)
        forget(auth, auth->spaces);
    struct auth_space *s = &auth->spaces[auth->spaces_count];
    *s = (struct auth_space){.is_tls = url->is_tls, .port = url->port};
    int err = copy(url->host, &s->host);
    err |= copy(found->secret.user, &s->user);
    err |= copy(found->secret.password, &s->password);
    err |= copy(found->secret.token, &s->token);
    if (err) {
        finish_space(s);
        return -ENOMEM;
    }
    auth->spaces_count++;
    *ret = s;
    return 0;
}

/* --- sending and answering --- */

/* Whether there are no credentials at all, as for most requests. */
static bool has_none(const struct http_auth *auth, const struct http_outgoing *out)
{
    return !out->request->credentials && !out->url->userinfo && !auth->netrc &&
           auth->entries_count == 0;
}

static bool has_control(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* Refuses what no scheme can send (RFC 7617 §2, RFC 7616 §3.4, RFC 6750 §2.1). */
static int check(const struct found *found, const struct whorl_url *url, struct whorl_error *error)
{
    const struct auth_secret *secret = &found->secret;
    const char *what = found->has_nul                  ? "user name or password"
                       : has_control(secret->user)     ? "user name"
                       : has_control(secret->token)    ? "token"
                       : has_control(secret->password) ? "password"
                                                       : NULL;

    if (!what)
        return 0;
    return whorl_error_set(error, WHORL_EHTTP_REQUEST_HEADER, "request",
                           "%s:%u: the %s in the %s contains a control byte", url->host, url->port,
                           what, found->source);
}

/* Whether the value would have the Basic scheme, and a name that this scheme cannot send. */
static bool has_colon(const struct found *found, const struct http_auth_run *run)
{
    return run->tries.sent == WHORL_HTTP_AUTH_BASIC && found->secret.user &&
           strchr(found->secret.user, ':');
}

/* Writes the value for the next sending, if there is something to send. */
static int write_value(struct http_auth *auth, struct http_auth_run *run,
                       const struct http_outgoing *out, struct found *found)
{
    struct auth_space *space = find_space(auth, out->url, found);
    struct auth_answer first = {.scheme = found->scheme == WHORL_HTTP_AUTH_BEARER
                                              ? WHORL_HTTP_AUTH_BEARER
                                              : WHORL_HTTP_AUTH_BASIC};
    struct auth_answer *answer = space ? &space->answer : &first;

    if (!space && !found->is_preemptive)
        return 0;
    run->tries.sent = answer->scheme;
    if (!space && found->from_url) /* request.c sends them */
        return 0;
    return auth_answer_write(answer, &found->secret, out->method, out->url->target, &run->value);
}

int http_auth_write(struct http_auth *auth, struct http_auth_run *run, struct http_outgoing *out,
                    struct whorl_error *error)
{
    struct found found;

    if (run->value)
        wipe(run->value);
    run->value = NULL;
    run->tries.sent = WHORL_HTTP_AUTH_ANY;
    out->authorization = NULL;
    if (has_none(auth, out))
        return 0;
    int n = find(auth, out, &found);
    if (n <= 0)
        return n;
    int err = check(&found, out->url, error);
    if (err == 0) {
        err = write_value(auth, run, out, &found);
        if ((err == 0 || err == WHORL_EHTTP_REQUEST_HEADER) && has_colon(&found, run))
            err = whorl_error_set(error, WHORL_EHTTP_REQUEST_HEADER, "request",
                                  "%s:%u: the user name in the %s contains a colon, which the "
                                  "Basic scheme cannot send",
                                  out->url->host, out->url->port, found.source);
        else if (err)
            whorl_error_set(error, err, "request", "%s:%u: %s", out->url->host, out->url->port,
                            whorl_strerror(err));
    }
    bool is_left_to_url = run->tries.sent == WHORL_HTTP_AUTH_BASIC && found.from_url;
    out->authorization = run->value ? run->value : is_left_to_url ? NULL : "";
    release(&found);
    return err;
}

int http_auth_challenged(struct http_auth *auth, struct http_auth_run *run,
                         const struct http_outgoing *out, const struct header_list *headers)
{
    struct auth_answer answer = {0};
    struct found found;
    int n = find(auth, out, &found);

    if (n <= 0)
        return n;
    struct auth_space *space = find_space(auth, out->url, &found);
    n = auth_answer_choose(&answer, headers, "WWW-Authenticate", found.scheme);
    if (n > 0 && !auth_tries_allow(&run->tries, &answer))
        n = 0;
    if (n > 0 && !space)
        n = add_space(auth, out->url, &found, &space) == 0 ? 1 : -ENOMEM;
    if (n > 0) {
        auth_answer_finish(&space->answer);
        space->answer = answer;
    } else {
        auth_answer_finish(&answer);
        if (space)
            forget(auth, space); /* its answer was wrong */
    }
    release(&found);
    return n;
}

void http_auth_run_next(struct http_auth_run *run)
{
    run->tries = (struct auth_tries){.sent = run->tries.sent};
}

void http_auth_run_finish(struct http_auth_run *run)
{
    wipe(run->value);
    *run = (struct http_auth_run){0};
}
