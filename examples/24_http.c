/* SPDX-License-Identifier: MIT */
/* One page over HTTP, with one deadline for the whole request and a text for each error. Name
 * lookup, connecting, TLS and reading the body all suspend, as a sleep does.
 * Next: 25_hidden_switch.c */
#include <stdio.h>

#include <whorl.h>

static WHORL_SUSPENDS int get(const char *url, struct whorl_error *error)
{
    WHORL_AUTO(http_session) *session = NULL;
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.url = url};
    char buf[4096];
    ssize_t n;

    int err = whorl_http_session_create(NULL, &session);
    if (err == 0)
        err = whorl_http_do(session, &request, error, &response);
    if (err)
        return err;
    fprintf(stderr, "status %d\n", whorl_http_response_status(response));
    while ((n = whorl_http_response_read(response, buf, sizeof buf)) > 0)
        fwrite(buf, 1, (size_t)n, stdout);
    if (n < 0)
        *error = *whorl_http_response_error(response);
    return (int)n;
}

static int root(void *arg)
{
    struct whorl_error error = {0};
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, 10 * WHORL_SECOND);
    int err = whorl_scope_leave(&scope, get(arg, &error));
    if (err)
        fprintf(stderr, "%s: %s\n", error.step, error.text[0] ? error.text : whorl_strerror(err));
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: 24_http URL\n");
        return 2;
    }
    return whorl_io_run(root, argv[1]) ? 1 : 0;
}
