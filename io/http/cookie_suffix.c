/* SPDX-License-Identifier: MIT */
/* Public suffixes from libpsl's built-in list, or by a rule of thumb. */
#include "io/http/cookie_suffix.h"

#include <string.h>

#if WHORL_HAVE_PSL
#include <libpsl.h>
#endif

/* The rule without a list, as http_cookies.h describes it. */
static bool looks_public(const char *domain)
{
    const char *dot = strchr(domain, '.');

    if (!dot)
        return true;
    return !strchr(dot + 1, '.') && strlen(dot + 1) <= 2 && dot - domain <= 3;
}

bool cookie_suffix_is_public(const char *domain)
{
    size_t len = strlen(domain);

    /* A dot at the end makes another spelling of the same name, which the list does not know. */
    if (len == 0 || domain[0] == '.' || domain[len - 1] == '.')
        return true;
#if WHORL_HAVE_PSL
    const psl_ctx_t *list = psl_builtin(); /* NULL: libpsl was built without it */
    if (list)
        return psl_is_public_suffix(list, domain);
#endif
    return looks_public(domain);
}
