/* SPDX-License-Identifier: MIT */
/* What the tests of saves have in common: sessions with servers in memory, files in the test's
 * directory, and bodies. */
#ifndef TEST_HTTP_SAVING_H
#define TEST_HTTP_SAVING_H

#include <whorl/http.h>

#include "fakehttp.h"
#include "listing.h"
#include "test.h"

static struct whorl_error error;

static inline const char *in_tmpdir(const char *name)
{
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", test_tmpdir(), name);
    return path;
}

static inline void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file);
    fputs(text, file);
    fclose(file);
}

static inline void check_file(const char *path, const char *text)
{
    char buf[1000];
    FILE *file = fopen(path, "r");
    CHECK(file);
    size_t n = fread(buf, 1, sizeof buf - 1, file);
    fclose(file);
    buf[n] = '\0';
    CHECK_STR(buf, text);
}

static inline void check_pattern_file(const char *path, int64_t len)
{
    FILE *file = fopen(path, "r");
    int64_t at = 0;
    int c;
    CHECK(file);
    while ((c = getc(file)) != EOF)
        if ((char)c != fake_pattern(at++))
            test_fail(__FILE__, __LINE__, "byte %lld is wrong", (long long)at - 1);
    fclose(file);
    CHECK_EQ(at, len);
}

static inline WHORL_SUSPENDS int save_request(struct whorl_http_session *session,
                                              const struct whorl_http_request *request,
                                              const char *path,
                                              const struct whorl_http_save_options *options)
{
    WHORL_AUTO(http_response) *response = NULL;
    error = (struct whorl_error){0};
    int err = whorl_http_do(session, request, &error, &response);
    if (err == 0) {
        err = whorl_http_response_save(response, path, options);
        error = *whorl_http_response_error(response);
    }
    CHECK_EQ(error.code, err);
    return err;
}

static inline WHORL_SUSPENDS int save(struct whorl_http_session *session, const char *path,
                                      const struct whorl_http_save_options *options, bool decode)
{
    struct whorl_http_request request = {.url = "http://a.test/", .decode = decode};
    return save_request(session, &request, path, options);
}

static inline WHORL_SUSPENDS int save_from(const struct fake_step *script, const char *path,
                                           const struct whorl_http_save_options *options)
{
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    return save(session, path, options, false);
}

static const struct fake_step hello[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0},
    {.action = FAKE_REPEAT}};

static const struct fake_step hello_chunked[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n"
     "0\r\n\r\n",
     0},
    {.action = FAKE_REPEAT}};

static const struct fake_step endless[] = {
    {.action = FAKE_HEAD}, {FAKE_SEND, "HTTP/1.1 200 OK\r\n\r\nhello", 0}, {.action = FAKE_CLOSE}};

static const struct fake_step large[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 0},
    {.action = FAKE_BODY, .n = 1000000},
    {0}};

static inline const char *number(void *arg, unsigned attempt)
{
    static char path[600];
    if (attempt > *(unsigned *)arg)
        return NULL;
    snprintf(path, sizeof path, "%s/f.%u", test_tmpdir(), attempt);
    return path;
}

static inline void log_listing(void *arg, int64_t received)
{
    (void)arg, (void)received;
    if (!test_logged()[0])
        test_log("%.3s", listing()[0] ? listing() : "-");
}

static inline const char *no_other_name(void *arg, unsigned attempt)
{
    (void)arg, (void)attempt;
    return NULL;
}

#endif
