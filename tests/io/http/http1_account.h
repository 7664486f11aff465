/* SPDX-License-Identifier: MIT */
/* Accounts of what the HTTP/1.1 parser reads. Each vector is fed whole, byte by byte, and cut at
 * every position, and must always give the same account of events.
 *
 * An account of a response reads: "100;" for each 1xx head, then "200(reason){Name=value|...}". An
 * account of a request reads: "GET /path" with "?query", "@host", "/1.0" when it is that version,
 * and "{Name=value|...}". Then, for both: "<body>", trailers as "{...}", and "end", with "+keep"
 * when the connection can be used again and "+N" for N bytes that are left over. Otherwise it ends
 * with "!NAME" of an error, or with "..." when the parser wants more input.
 */
#ifndef TEST_HTTP1_ACCOUNT_H
#define TEST_HTTP1_ACCOUNT_H

#include <stdlib.h>

#include "io/http/http1.h"
#include "test.h"

struct http1_account {
    char text[32768];
    size_t len;
};

static inline void put(struct http1_account *a, const char *bytes, size_t len)
{
    if (len > sizeof a->text - 1 - a->len)
        len = sizeof a->text - 1 - a->len;
    memcpy(a->text + a->len, bytes, len);
    a->len += len;
    a->text[a->len] = '\0';
}

static inline void put_text(struct http1_account *a, const char *text)
{
    put(a, text, strlen(text));
}

static inline void put_list(struct http1_account *a, const struct header_list *list)
{
    struct whorl_http_header h;
    put_text(a, "{");
    for (size_t i = 0; header_list_at(list, i, &h); i++) {
        put_text(a, i ? "|" : "");
        put_text(a, h.name);
        put_text(a, "=");
        put_text(a, h.value);
    }
    put_text(a, "}");
}

struct http1_setup {
    struct http1_limits limits;
    bool is_request;
    bool is_head; /* the response is one to HEAD */
    bool no_eof;  /* stop before the end of the connection */
};

static inline void put_request_head(struct http1_account *a, const struct http1 *p)
{
    put_text(a, http1_method(p));
    put_text(a, " ");
    put_text(a, http1_path(p));
    if (http1_query(p)) {
        put_text(a, "?");
        put_text(a, http1_query(p));
    }
    if (http1_host(p)) {
        put_text(a, "@");
        put_text(a, http1_host(p));
    }
    put_text(a, http1_version_minor(p) == 0 ? "/1.0" : "");
    put_list(a, http1_headers(p));
}

static inline void put_response_head(struct http1_account *a, const struct http1 *p)
{
    char number[32];

    snprintf(number, sizeof number, "%d(", http1_status(p));
    put_text(a, number);
    put_text(a, http1_reason(p));
    put_text(a, ")");
    put_list(a, http1_headers(p));
}

/* Adds one event to the account. Returns whether it was the last event. */
static inline bool tell(struct http1_account *a, struct http1 *p, const struct http1_setup *setup,
                        int event, struct http1_body_span span, bool *in_body)
{
    char number[32];
    if (event != HTTP1_BODY && *in_body) {
        put_text(a, ">");
        *in_body = false;
    }
    switch (event) {
    case HTTP1_INFORMATIONAL:
        snprintf(number, sizeof number, "%d;", http1_status(p));
        put_text(a, number);
        return false;
    case HTTP1_HEAD:
        if (setup->is_request)
            put_request_head(a, p);
        else
            put_response_head(a, p);
        return false;
    case HTTP1_BODY:
        CHECK(span.len > 0);
        put_text(a, *in_body ? "" : "<");
        *in_body = true;
        put(a, span.data, span.len);
        return false;
    case HTTP1_END:
        if (http1_trailers(p)->count > 0)
            put_list(a, http1_trailers(p));
        put_text(a, "end");
        put_text(a, http1_keep_alive(p) ? "+keep" : "");
        return true;
    default:
        CHECK(event < 0);
        CHECK(http1_error_text(p)[0] != '\0');
        CHECK(strlen(http1_error_text(p)) < 160);
        for (const char *c = http1_error_text(p); *c; c++)
            CHECK(*c >= 0x20 && *c < 0x7f);
        CHECK(!setup->is_request || !strstr(http1_error_text(p), "response"));
        put_text(a, "!");
        put_text(a, whorl_error_name(event));
        return true;
    }
}

/* Feeds `input` in pieces that end at `cuts`. Each piece is an exact copy, so that a read past the
 * end is detected. */
static inline void run(struct http1_account *a, struct http1 *p, const struct http1_setup *setup,
                       const char *input, size_t len, const size_t *cuts, size_t cuts_count)
{
    struct http1_body_span span = {0};
    bool in_body = false, is_last = false;
    size_t from = 0, left = 0;
    int event = HTTP1_NEED_INPUT;

    a->len = 0;
    a->text[0] = '\0';
    if (setup->is_request)
        http1_reset_request(p, &setup->limits);
    else
        http1_reset(p, &setup->limits, setup->is_head);
    for (size_t i = 0; i <= cuts_count && !is_last; i++) {
        size_t to = i < cuts_count ? cuts[i] : len, used, pos = 0, n = to - from;
        char *piece = malloc(n ? n : 1);
        memcpy(piece, input + from, n);
        do {
            event = http1_feed(p, piece + pos, n - pos, &used, &span);
            CHECK(used <= n - pos);
            pos += used;
            if (event == HTTP1_NEED_INPUT) {
                CHECK_EQ(pos, n);
                break;
            }
            is_last = tell(a, p, setup, event, span, &in_body);
        } while (!is_last);
        left = event == HTTP1_END ? len - from - pos : 0;
        free(piece);
        from = to;
    }
    if (event == HTTP1_NEED_INPUT && setup->no_eof)
        put_text(a, "...");
    else if (event == HTTP1_NEED_INPUT)
        tell(a, p, setup, event = http1_eof(p), span, &in_body);
    if (left > 0) {
        char number[32];
        snprintf(number, sizeof number, "+%zu", left);
        put_text(a, number);
    }
    /* Further calls after the end return the same event. */
    size_t used;
    if (event < 0 || event == HTTP1_END) {
        CHECK_EQ(http1_feed(p, "x", 1, &used, &span), event);
        CHECK_EQ(used, 0);
        CHECK_EQ(http1_eof(p), event);
    }
}

/* Checks the account of `input`: fed whole, byte by byte, and cut at every position. */
static inline void expect(const char *file, int line, const struct http1_setup *setup,
                          const char *input, size_t len, const char *expected)
{
    static struct http1_account a; /* static is safe: each test is a process */
    static struct http1 p;
    size_t *all = calloc(len + 1, sizeof *all);

    run(&a, &p, setup, input, len, NULL, 0);
    if (strcmp(a.text, expected) != 0)
        test_fail(file, line, "whole: %s\n#  expected: %s\n#     error: %s", a.text, expected,
                  http1_error_text(&p));
    for (size_t i = 0; i < len; i++)
        all[i] = i + 1;
    run(&a, &p, setup, input, len, all, len);
    if (strcmp(a.text, expected) != 0)
        test_fail(file, line, "byte by byte: %s\n#  expected: %s", a.text, expected);
    for (size_t cut = 0; cut <= len && len <= 4096; cut++) {
        run(&a, &p, setup, input, len, &cut, 1);
        if (strcmp(a.text, expected) != 0)
            test_fail(file, line, "cut at %zu: %s\n#  expected: %s", cut, a.text, expected);
    }
    free(all);
    http1_finish(&p);
}

#endif
