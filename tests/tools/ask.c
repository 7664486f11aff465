/* SPDX-License-Identifier: MIT */
/* A program for test_get_servers.py: sends what whorl-get does not send, and says what whorl-get
 * does not say.
 *
 *     ask bearssl|openssl|any 1|2|any CA PROXY METHOD BODY URL...
 *
 * Requests the URLs one after the other in one session. PROXY is the URL of a proxy and BODY a
 * file, or "-" for none. Each response becomes a line "STATUS VERSION new|reused LENGTH", and its
 * body becomes the file "body-N", from 1. A failure becomes a line "CODE: STEP TEXT" and the
 * status 1. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <whorl.h>

struct questions {
    const char *library, *version, *ca, *proxy, *method, *body, **urls;
};

static WHORL_SUSPENDS int ask(struct whorl_http_session *session, const struct questions *q,
                              int number, struct whorl_error *error)
{
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.method = q->method, .url = q->urls[number - 1]};
    struct whorl_http_timing timing;
    char path[32];
    int fd = -1;

    if (strcmp(q->body, "-") != 0) {
        fd = open(q->body, O_RDONLY | O_CLOEXEC);
        request.body = whorl_http_body_from_file(fd, 0, -1, "application/octet-stream");
    }
    int err = whorl_http_do(session, &request, error, &response);
    if (err == 0) {
        whorl_http_response_get_timing(response, &timing);
        printf("%d %d %s %lld\n", whorl_http_response_status(response),
               (int)whorl_http_response_version(response), timing.reused ? "reused" : "new",
               (long long)whorl_http_response_length(response));
        snprintf(path, sizeof path, "body-%d", number);
        err = whorl_http_response_save(response, path, NULL);
        *error = *whorl_http_response_error(response);
    }
    if (fd >= 0)
        close(fd);
    return err;
}

static int ask_all(void *arg)
{
    static const char *const alpn[][3] = {{"h2", "http/1.1"}, {"http/1.1"}, {"h2"}};
    const struct questions *q = arg;
    int version = strcmp(q->version, "any") == 0 ? WHORL_HTTP_ANY : q->version[0] - '0';
    struct whorl_tls_options tls = {.ca_file = q->ca, .alpn = alpn[version]};
    struct whorl_http_session_options options = {.version = (enum whorl_http_version)version};
    WHORL_AUTO(tls_config) *config = NULL;
    WHORL_AUTO(http_session) *session = NULL;
    struct whorl_error error = {0};

    if (strcmp(q->proxy, "-") != 0)
        options.proxy.url = q->proxy;
    if (strcmp(q->library, "any") != 0)
        tls.library = strcmp(q->library, "openssl") == 0 ? WHORL_TLS_OPENSSL : WHORL_TLS_BEARSSL;
    int err = whorl_tls_config_create(&tls, &error, &config);
    options.tls = config;
    if (err == 0)
        err = whorl_http_session_create(&options, &session);
    for (int i = 0; err == 0 && q->urls[i]; i++)
        err = ask(session, q, i + 1, &error);
    if (err)
        printf("%s: %s %s\n", whorl_error_name(err), error.step, error.text);
    return err;
}

int main(int argc, char **argv)
{
    if (argc < 8)
        return 2;
    struct questions q = {
        argv[1], argv[2], argv[3], argv[4], argv[5], argv[6], (const char **)argv + 7};
    return whorl_io_run(ask_all, &q) ? 1 : 0;
}
