/* SPDX-License-Identifier: MIT */
/* The addresses of a host as the options of dialling say. */
#include "io/net/dial_resolve.h"

#include "io/net/dial_options.h"
#include "io/net/dial_override.h"

/* Keeps the addresses of the family. Returns their count, or WHORL_EDNS_NODATA. */
static int keep_family(struct whorl_addr *addrs, int count, int family)
{
    int kept = 0;

    for (int i = 0; i < count; i++) {
        int is = addrs[i].sa.sa_family;
        if (family == AF_UNSPEC ? is == AF_INET || is == AF_INET6 : is == family)
            addrs[kept++] = addrs[i];
    }
    return kept > 0 ? kept : WHORL_EDNS_NODATA;
}

WHORL_SUSPENDS int dial_resolve_own(const char *host, uint16_t port,
                                    const struct whorl_dial_options *options,
                                    struct whorl_addr *ret, size_t ret_max, bool *ret_given)
{
    const struct whorl_resolver *resolver = &options->resolver;
    const char *override =
        dial_override_find(options->overrides, options->overrides_count, host, port);
    int family = dial_options_family(options), count;
    struct whorl_addr literal;
    const char *why;

    *ret_given = override;
    if (override)
        count = dial_override_parse(override, &why, ret, ret_max);
    else if (resolver->resolve && whorl_addr_parse(host, port, &literal) != 0)
        count = resolver->resolve(resolver->arg, host, port, family, ret, ret_max);
    else
        return 0;
    if (count > 0 && (size_t)count > ret_max)
        count = (int)ret_max;
    return count < 0 ? count : keep_family(ret, count, family);
}

WHORL_SUSPENDS int dial_resolve(const char *host, uint16_t port,
                                const struct whorl_dial_options *options, struct whorl_addr *ret,
                                size_t ret_max)
{
    struct whorl_dial_options asked = options ? *options : (struct whorl_dial_options){0};
    bool given;

    asked.local_addr = NULL;
    int count = dial_resolve_own(host, port, &asked, ret, ret_max, &given);
    return count ? count : whorl_resolve(host, port, asked.family, ret, ret_max);
}
