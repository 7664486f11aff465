/* SPDX-License-Identifier: MIT */
/* The store of sessions that clients resume. */
#include <stdio.h>

#include "faults.h"
#include "io/tls/client_sessions.h"
#include "test.h"

enum { NOW_S = 1000000 };

static int released;

static void release(void *session)
{
    (void)session;
    released++;
}

static void put(struct tls_client_sessions *sessions, const char *key, int64_t now_s, intptr_t id)
{
    tls_client_sessions_put(sessions, key, now_s, (void *)id, release);
}

static intptr_t take(struct tls_client_sessions *sessions, const char *key, int64_t now_s)
{
    return (intptr_t)tls_client_sessions_take(sessions, key, now_s);
}

TEST(newest_session_of_the_key_is_taken_once)
{
    struct tls_client_sessions *sessions = tls_client_sessions_create();

    put(sessions, "a", NOW_S, 1);
    put(sessions, "b", NOW_S, 2);
    put(sessions, "a", NOW_S, 3);
    CHECK_EQ(take(sessions, "c", NOW_S), 0);
    CHECK_EQ(take(sessions, "a", NOW_S), 3);
    CHECK_EQ(take(sessions, "a", NOW_S), 1);
    CHECK_EQ(take(sessions, "a", NOW_S), 0);
    CHECK_EQ(take(sessions, "b", NOW_S), 2);
    CHECK_EQ(released, 0); /* the caller owns what it has taken */
    tls_client_sessions_release(sessions);
}

TEST(key_has_library_host_and_port)
{
    char key[TLS_CLIENT_SESSION_KEY_SIZE];

    tls_client_session_key(key, "bearssl", "a.test", 443);
    CHECK_STR(key, "bearssl a.test 443");
}

TEST(old_sessions_are_dropped)
{
    struct tls_client_sessions *sessions = tls_client_sessions_create();

    put(sessions, "a", NOW_S, 1);
    put(sessions, "a", NOW_S + 1, 2);
    CHECK_EQ(take(sessions, "a", NOW_S + TLS_CLIENT_SESSION_LIFETIME_S + 1), 2);
    CHECK_EQ(take(sessions, "a", NOW_S + TLS_CLIENT_SESSION_LIFETIME_S + 1), 0);
    CHECK_EQ(released, 1);
    put(sessions, "a", NOW_S, 3);
    CHECK_EQ(take(sessions, "a", NOW_S - 1), 0); /* the clock was set back */
    CHECK_EQ(released, 2);
    tls_client_sessions_release(sessions);
}

TEST(number_of_sessions_is_limited)
{
    struct tls_client_sessions *sessions = tls_client_sessions_create();
    long live = faults_live();
    char key[20];

    for (intptr_t i = 1; i <= 10; i++)
        put(sessions, "a", NOW_S, i);
    CHECK_EQ(released, 10 - TLS_CLIENT_SESSIONS_PER_KEY_MAX);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "k%d", i);
        put(sessions, key, NOW_S, 100 + i);
    }
    CHECK_EQ(released, 110 - TLS_CLIENT_SESSIONS_MAX);
    CHECK_EQ(faults_live() - live, TLS_CLIENT_SESSIONS_MAX);
    CHECK_EQ(take(sessions, "k67", NOW_S), 0);
    CHECK_EQ(take(sessions, "k68", NOW_S), 168);
    tls_client_sessions_hold(sessions);
    tls_client_sessions_release(sessions);
    CHECK_EQ(take(sessions, "k99", NOW_S), 199);
    tls_client_sessions_release(sessions);
    CHECK_EQ(released, 108);
    tls_client_sessions_release(NULL);
}

TEST(session_without_memory_for_it_is_dropped)
{
    struct tls_client_sessions *sessions = tls_client_sessions_create();

    faults_arm(1);
    put(sessions, "a", NOW_S, 1);
    CHECK(faults_disarm());
    CHECK_EQ(released, 1);
    CHECK_EQ(take(sessions, "a", NOW_S), 0);
    tls_client_sessions_release(sessions);
}

TEST_MAIN()
