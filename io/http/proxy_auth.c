/* SPDX-License-Identifier: MIT */
/* Answers a proxy that asks for credentials. */
#include "io/http/proxy_auth.h"

#include <string.h>
#include <strings.h>

const char *http_proxy_authorization(const struct http_proxy *proxy, bool at_once)
{
    return proxy->wants_basic || at_once ? proxy->basic : NULL;
}

/* Whether one of the challenges has the scheme (RFC 9110 §11.6.1). A member of the list begins with
 * a scheme, or is a parameter: "realm=x". */
static bool has_challenge(const struct header_list *headers, const char *scheme)
{
    size_t index = 0, scheme_len = strlen(scheme), len;
    const char *value, *member;

    while ((value = header_list_next(headers, "Proxy-Authenticate", &index)))
        while (header_next_member(&value, &member, &len))
            if (len >= scheme_len && strncasecmp(member, scheme, scheme_len) == 0 &&
                (len == scheme_len || member[scheme_len] == ' '))
                return true;
    return false;
}

bool http_proxy_answer(struct http_proxy *proxy, const struct header_list *headers,
                       const char *sent, const char **ret_why)
{
    if (sent)
        *ret_why = "the proxy does not accept the name or the password";
    else if (!proxy->basic)
        *ret_why = "the proxy asks for a name and a password";
    else if (!has_challenge(headers, "Basic"))
        *ret_why = "the proxy asks for a kind of credentials that is not supported";
    else
        return proxy->wants_basic = true;
    return false;
}
