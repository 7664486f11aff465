/* SPDX-License-Identifier: MIT */
/* Answers a proxy that asks for credentials. */
#include "io/http/proxy_auth.h"

int http_proxy_auth_write(struct http_proxy_auth *auth, const char *method, const char *uri,
                          bool at_once)
{
    struct auth_secret secret = {.user = auth->proxy->user, .password = auth->proxy->password};
    struct auth_answer first = {.scheme = WHORL_HTTP_AUTH_BASIC};
    struct auth_answer *answer = auth->answer;

    http_proxy_auth_finish(auth);
    auth->tries.sent = WHORL_HTTP_AUTH_ANY;
    if (answer->scheme == WHORL_HTTP_AUTH_ANY && at_once)
        answer = &first;
    if (!secret.user || answer->scheme == WHORL_HTTP_AUTH_ANY)
        return 0;
    auth->tries.sent = answer->scheme;
    return auth_answer_write(answer, &secret, method, uri, &auth->value);
}

int http_proxy_auth_challenged(struct http_proxy_auth *auth, const struct header_list *headers,
                               const char **ret_why)
{
    struct auth_answer answer = {0};

    if (!auth->proxy->user) {
        *ret_why = "the proxy asks for a name and a password";
        return 0;
    }
    int n = auth_answer_choose(&answer, headers, "Proxy-Authenticate", WHORL_HTTP_AUTH_ANY);
    if (n < 0)
        return n;
    bool again = n > 0 && auth_tries_allow(&auth->tries, &answer);
    auth_answer_finish(auth->answer); /* it was wrong, or is replaced */
    if (again) {
        *auth->answer = answer;
        return 1;
    }
    auth_answer_finish(&answer);
    *ret_why = auth->value ? "the proxy does not accept the name or the password"
                           : "the proxy asks for a kind of credentials that is not supported";
    return 0;
}

void http_proxy_auth_finish(struct http_proxy_auth *auth)
{
    auth_answer_free_value(auth->value);
    auth->value = NULL;
}
