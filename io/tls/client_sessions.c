/* SPDX-License-Identifier: MIT */
/* A short array of sessions, from the oldest to the newest. */
#include "io/tls/client_sessions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *key; /* owned */
    int64_t made_s;
    void *session; /* owned */
    void (*release)(void *session);
};

struct tls_client_sessions {
    atomic_size_t refs;
    pthread_mutex_t lock; /* protects what follows */
    size_t count;
    struct entry entries[TLS_CLIENT_SESSIONS_MAX];
};

void tls_client_session_key(char key[TLS_CLIENT_SESSION_KEY_SIZE], const char *library,
                            const char *host, uint16_t port)
{
    snprintf(key, TLS_CLIENT_SESSION_KEY_SIZE, "%s %s %u", library, host, port);
}

struct tls_client_sessions *tls_client_sessions_create(void)
{
    struct tls_client_sessions *sessions = calloc(1, sizeof *sessions);

    if (!sessions)
        return NULL;
    atomic_init(&sessions->refs, 1);
    pthread_mutex_init(&sessions->lock, NULL);
    return sessions;
}

struct tls_client_sessions *tls_client_sessions_hold(struct tls_client_sessions *sessions)
{
    if (sessions)
        atomic_fetch_add_explicit(&sessions->refs, 1, memory_order_relaxed);
    return sessions;
}

/* Removes an entry and returns its session. */
static void *remove_entry(struct tls_client_sessions *sessions, size_t at)
{
    struct entry *entry = &sessions->entries[at];
    void *session = entry->session;

    free(entry->key);
    sessions->count--;
    memmove(entry, entry + 1, (sessions->count - at) * sizeof *entry);
    return session;
}

static void drop_entry(struct tls_client_sessions *sessions, size_t at)
{
    void (*release)(void *) = sessions->entries[at].release;

    release(remove_entry(sessions, at));
}

void tls_client_sessions_release(struct tls_client_sessions *sessions)
{
    if (!sessions || atomic_fetch_sub_explicit(&sessions->refs, 1, memory_order_acq_rel) > 1)
        return;
    while (sessions->count > 0)
        drop_entry(sessions, sessions->count - 1);
    pthread_mutex_destroy(&sessions->lock);
    free(sessions);
}

/* Makes room for one more session with this key. */
static void make_room(struct tls_client_sessions *sessions, const char *key)
{
    size_t oldest = 0, count = 0;

    for (size_t i = sessions->count; i-- > 0;)
        if (strcmp(sessions->entries[i].key, key) == 0) {
            count++;
            oldest = i;
        }
    if (count >= TLS_CLIENT_SESSIONS_PER_KEY_MAX)
        drop_entry(sessions, oldest);
    else if (sessions->count == TLS_CLIENT_SESSIONS_MAX)
        drop_entry(sessions, 0);
}

void tls_client_sessions_put(struct tls_client_sessions *sessions, const char *key, int64_t now_s,
                             void *session, void (*release)(void *session))
{
    char *copy = strdup(key);

    if (!copy) {
        release(session);
        return;
    }
    pthread_mutex_lock(&sessions->lock);
    make_room(sessions, key);
    sessions->entries[sessions->count++] = (struct entry){copy, now_s, session, release};
    pthread_mutex_unlock(&sessions->lock);
}

void *tls_client_sessions_take(struct tls_client_sessions *sessions, const char *key, int64_t now_s)
{
    void *session = NULL;

    pthread_mutex_lock(&sessions->lock);
    for (size_t i = sessions->count; i-- > 0 && !session;) {
        struct entry *entry = &sessions->entries[i];
        bool is_old =
            now_s < entry->made_s || now_s - entry->made_s > TLS_CLIENT_SESSION_LIFETIME_S;
        if (is_old)
            drop_entry(sessions, i);
        else if (strcmp(entry->key, key) == 0)
            session = remove_entry(sessions, i);
    }
    pthread_mutex_unlock(&sessions->lock);
    return session;
}
