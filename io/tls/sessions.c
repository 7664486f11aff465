/* SPDX-License-Identifier: MIT */
/* Sessions of a server, in a cache of BearSSL. */
#include "io/tls/sessions.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRY_SIZE = 100, /* of BearSSL's cache */
    ID_LEN = 32,      /* as BearSSL makes them; also the size of a SHA-256 value */
};

#define LIFE_NS (3600 * WHORL_SECOND)

struct tls_sessions {
    pthread_mutex_t lock;
    br_ssl_session_cache_lru cache;
    size_t size;
    unsigned char store[];
};

int tls_sessions_create(size_t max, struct tls_sessions **ret)
{
    size_t limit = UINT32_MAX / ENTRY_SIZE; /* BearSSL's */
    size_t size = (max < limit ? max : limit) * ENTRY_SIZE;
    struct tls_sessions *sessions = malloc(sizeof *sessions + size);

    if (!sessions)
        return -ENOMEM;
    pthread_mutex_init(&sessions->lock, NULL);
    sessions->size = size;
    br_ssl_session_cache_lru_init(&sessions->cache, sessions->store, size);
    *ret = sessions;
    return 0;
}

/* The id under which the cache has a session. */
static void make_key(const unsigned char id[ID_LEN], const char *host, int64_t period,
                     unsigned char ret[ID_LEN])
{
    br_sha256_context hash;

    br_sha256_init(&hash);
    br_sha256_update(&hash, id, ID_LEN);
    br_sha256_update(&hash, &period, sizeof period);
    br_sha256_update(&hash, host, strlen(host));
    br_sha256_out(&hash, ret);
}

void tls_sessions_save(struct tls_sessions *sessions, br_ssl_server_context *server,
                       const char *host, int64_t now_ns, const br_ssl_session_parameters *session)
{
    const br_ssl_session_cache_class **cache = &sessions->cache.vtable;
    br_ssl_session_parameters copy = *session;

    make_key(session->session_id, host, now_ns / LIFE_NS, copy.session_id);
    pthread_mutex_lock(&sessions->lock);
    (*cache)->save(cache, server, &copy);
    pthread_mutex_unlock(&sessions->lock);
    explicit_bzero(&copy, sizeof copy);
}

bool tls_sessions_load(struct tls_sessions *sessions, br_ssl_server_context *server,
                       const char *host, int64_t now_ns, br_ssl_session_parameters *session)
{
    const br_ssl_session_cache_class **cache = &sessions->cache.vtable;
    br_ssl_session_parameters copy = *session;
    bool found = false;

    pthread_mutex_lock(&sessions->lock);
    for (int64_t age = 0; age < 2 && !found; age++) {
        make_key(session->session_id, host, now_ns / LIFE_NS - age, copy.session_id);
        found = (*cache)->load(cache, server, &copy);
    }
    pthread_mutex_unlock(&sessions->lock);
    if (found) {
        memcpy(copy.session_id, session->session_id, ID_LEN);
        *session = copy;
    }
    explicit_bzero(&copy, sizeof copy);
    return found;
}

void tls_sessions_destroy(struct tls_sessions *sessions)
{
    if (!sessions)
        return;
    pthread_mutex_destroy(&sessions->lock);
    explicit_bzero(sessions, sizeof *sessions + sessions->size);
    free(sessions);
}
