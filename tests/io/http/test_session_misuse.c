/* SPDX-License-Identifier: MIT */
/* Mistakes with sessions, responses and requests: the message that the program gets, or ends
 * with. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/run.h>
#include <whorl/task.h>

#include "child.h"
#include "fakehttp.h"
#include "test.h"

static const struct fake_step hello[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0},
    {.action = FAKE_REPEAT},
};

static struct whorl_http_session *kept;

static WHORL_SUSPENDS struct whorl_http_response *get(struct whorl_http_session *session)
{
    struct whorl_http_response *response = NULL;
    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    return response;
}

/* --- sessions --------------------------------------------------------------------------------- */

static int use_after_destroy(void *arg)
{
    struct whorl_http_session_stats stats;
    struct whorl_http_session *other, *session;
    const char *how = arg;

    CHECK_OK(whorl_http_session_create(NULL, &other));
    CHECK_OK(whorl_http_session_create(NULL, &session));
    whorl_http_session_destroy(session);
    if (strcmp(how, "get") == 0)
        test_ignore((intptr_t)get(session));
    else if (strcmp(how, "stats") == 0)
        whorl_http_session_get_stats(session, &stats);
    else if (strcmp(how, "idle") == 0)
        whorl_http_session_close_idle(session);
    else
        whorl_http_session_destroy(session);
    return 0;
}

static int spawn_client(void *arg)
{
    WHORL_AUTO(group) group = {0};
    CHECK_OK(whorl_spawn_with(&group, use_after_destroy, arg,
                              &(struct whorl_spawn_options){.name = "client"}));
    return whorl_group_wait(&group);
}

static void run_use_after_destroy(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, spawn_client, arg));
}

TEST(a_session_used_after_it_was_destroyed_ends_the_program)
{
    const char *const uses[] = {"get", "stats", "idle", "destroy"};
    struct child child;

    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        child_run(&child, run_use_after_destroy, (void *)(uintptr_t)uses[i]);
        CHECK_EQ(child.signal, SIGABRT);
        CHECK(strstr(child.err, "an HTTP session was used after it was destroyed"));
        CHECK(strstr(child.err, "\n  task 2 client: running  (spawned as use_after_destroy at "));
    }
}

static int keep_session(void *arg)
{
    (void)arg;
    return whorl_http_session_create(NULL, &kept);
}

static int use_kept(void *arg)
{
    (void)arg;
    test_ignore((intptr_t)get(kept));
    return 0;
}

static void use_in_second_run(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, keep_session, arg));
    test_ignore(whorl_run_virtual(NULL, use_kept, arg));
}

TEST(a_session_used_in_a_second_run_ends_the_program)
{
    struct child child;

    child_run(&child, use_in_second_run, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "an HTTP session was used outside the run in which it was made"));
    CHECK(strstr(child.err, "\n  task 1 root"));
}

static void *use_in_thread(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, use_kept, arg));
    return NULL;
}

static int lend_to_thread(void *arg)
{
    pthread_t thread;

    CHECK_OK(keep_session(arg));
    CHECK_EQ(pthread_create(&thread, NULL, use_in_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

static void run_lend_to_thread(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, lend_to_thread, arg));
}

TEST(a_session_used_on_another_thread_ends_the_program)
{
    struct child child;

    child_run(&child, run_lend_to_thread, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "on a thread that did not make it"));
}

/* --- responses -------------------------------------------------------------------------------- */

static int misuse_response(void *arg)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_response *response = get(session);
    const char *how = arg;
    char buf[16];

    whorl_http_response_close(response);
    if (strcmp(how, "read") == 0)
        test_ignore(whorl_http_response_read(response, buf, sizeof buf));
    else if (strcmp(how, "save") == 0)
        test_ignore(whorl_http_response_save(response, "/dev/null", NULL));
    else if (strcmp(how, "to end") == 0)
        test_ignore(whorl_http_response_read_to_end(response, 99, &(char *){NULL}, NULL));
    else if (strcmp(how, "status") == 0)
        test_ignore(whorl_http_response_status(response));
    else if (strcmp(how, "again") == 0)
        whorl_http_response_close(response);
    else { /* the memory could belong to another response by now */
        struct whorl_http_response *next = get(session);
        whorl_http_response_close(response);
        whorl_http_response_close(next);
    }
    return 0;
}

static void run_misuse_response(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, misuse_response, arg));
}

static void check_closed(const char *how)
{
    struct child child;

    child_run(&child, run_misuse_response, (void *)(uintptr_t)how);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "an HTTP response was used or closed after it was closed"));
    CHECK(strstr(child.err, "\n  task 1 root"));
}

TEST(a_response_that_is_closed_twice_or_used_after_the_close_ends_the_program)
{
    unsetenv("WHORL_DEBUG");
    check_closed("again");
    check_closed("read");
    check_closed("save");
    check_closed("to end");
    check_closed("status");
}

TEST(with_checks_a_second_close_is_found_although_there_are_new_responses)
{
    setenv("WHORL_DEBUG", "check", 1);
    check_closed("again");
    check_closed("after the next");
}

static int close_many(void *arg)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    (void)arg;
    for (int i = 0; i < 200; i++)
        whorl_http_response_close(get(session));
    return 0;
}

TEST(with_checks_many_responses_work_as_without)
{
    setenv("WHORL_DEBUG", "check", 1);
    CHECK_OK(whorl_run_virtual(NULL, close_many, NULL));
}

/* --- requests --------------------------------------------------------------------------------- */

static WHORL_SUSPENDS_SHIELDED void check_refused(struct whorl_http_session *session,
                                                  const struct whorl_http_request *request,
                                                  int expected, const char *text)
{
    struct whorl_http_response *response = NULL;
    struct whorl_error error = {0};

    CHECK_ERR(whorl_http_do(session, request, &error, &response), expected);
    CHECK_STR(error.step, "request");
    CHECK(strstr(error.text, text));
}

static WHORL_SUSPENDS ssize_t give(void *arg, void *buf, size_t len)
{
    (void)arg, (void)buf, (void)len;
    return 0;
}

TEST_VIRTUAL(a_body_that_is_set_only_in_part_is_refused_before_anything_is_sent)
{
    static const struct {
        struct whorl_http_body body;
        const char *text;
    } cases[] = {
        {{.data = "text"}, "body.data is set without body.len"},
        {{.data = "text", .len = -1}, "body.len of body.data is negative"},
        {{.len = 4}, "body.len is set without body.data, body.read or body.use_fd"},
        {{.len = -1}, "body.len is set without body.data, body.read or body.use_fd"},
        {{.data = "text", .read = give, .len = 4}, "only one of"},
        {{.read = give, .len = -2}, "below -1"},
        {{.read = give, .len = -1, .trailers_count = 1}, "body.trailers is NULL"},
    };
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct whorl_http_request request = {
            .method = "POST", .url = "http://a.test/", .body = cases[i].body};
        check_refused(session, &request, -EINVAL, cases[i].text);
    }
    CHECK_EQ(fake.dialled, 0);
}

TEST_VIRTUAL(a_header_without_a_value_is_named)
{
    struct whorl_http_header header = {.name = "X-Key"};
    struct whorl_http_request request = {
        .url = "http://a.test/", .headers = &header, .headers_count = 1};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    check_refused(session, &request, WHORL_EHTTP_REQUEST_HEADER,
                  "header without a value (NULL): X-Key");
    request.headers = NULL;
    check_refused(session, &request, -EINVAL, "headers is NULL");
}

TEST_MAIN()
