/* SPDX-License-Identifier: MIT */
/* Checks and copies the options of dialling. */
#include "io/net/dial_options.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "io/net/dial_override.h"

static int refuse(struct whorl_error *error, int err, const char *field, const char *value,
                  const char *why)
{
    if (value)
        return whorl_error_set(error, err, "options", "%s \"%.200s\": %s", field, value, why);
    return whorl_error_set(error, err, "options", "%s: %s", field, why);
}

/* What does not go together with a Unix socket: the name of the field, or NULL. */
static const char *beside_unix(const struct whorl_dial_options *options)
{
    return options->family             ? "family"
           : options->resolver.resolve ? "resolver"
           : options->overrides_count  ? "overrides"
           : options->local_addr       ? "local_addr"
           : options->interface        ? "interface"
                                       : NULL;
}

static int check_unix(const struct whorl_dial_options *options, struct whorl_error *error)
{
    const char *other = beside_unix(options);
    struct whorl_addr addr;

    if (other)
        return refuse(error, -EINVAL, other, NULL, "cannot be combined with unix_path");
    int err = whorl_addr_unix(options->unix_path, &addr);
    if (err == 0 && strcmp(options->unix_path, "@") == 0)
        err = -EINVAL; /* an abstract name that is empty */
    if (err)
        return refuse(error, err, "unix_path", options->unix_path,
                      err == -ENAMETOOLONG ? "longer than an address of a Unix socket"
                                           : "not a path");
    return 0;
}

static int check_local(const struct whorl_dial_options *options, struct whorl_error *error)
{
    struct whorl_addr addr;
    const char *name = options->interface;

    if (options->local_addr) {
        if (whorl_addr_parse(options->local_addr, 0, &addr) != 0)
            return refuse(error, -EINVAL, "local_addr", options->local_addr,
                          "not an IPv4 or IPv6 address");
        if (options->family != AF_UNSPEC && options->family != addr.sa.sa_family)
            return refuse(error, -EINVAL, "local_addr", options->local_addr,
                          "not of the family that is asked for");
    }
    if (name && (!*name || strlen(name) >= IF_NAMESIZE || strpbrk(name, "/ \t\n")))
        return refuse(error, -EINVAL, "interface", name, "not a name of a network interface");
    return 0;
}

int whorl_dial_options_check(const struct whorl_dial_options *options, struct whorl_error *error)
{
    const char *why;

    if (options->family != AF_UNSPEC && options->family != AF_INET && options->family != AF_INET6)
        return refuse(error, -EINVAL, "family", NULL, "not AF_UNSPEC, AF_INET or AF_INET6");
    if (options->attempt_delay_ns < 0)
        return refuse(error, -EINVAL, "attempt_delay_ns", NULL, "negative");
    if (options->unix_path)
        return check_unix(options, error);
    for (size_t i = 0; i < options->overrides_count; i++) {
        if (!options->overrides || !options->overrides[i])
            return refuse(error, -EINVAL, "overrides", NULL, "a NULL pointer");
        if (dial_override_parse(options->overrides[i], &why, NULL, 0) < 0)
            return refuse(error, -EINVAL, "override", options->overrides[i], why);
    }
    return check_local(options, error);
}

int dial_options_family(const struct whorl_dial_options *options)
{
    struct whorl_addr addr;

    if (options->local_addr && whorl_addr_parse(options->local_addr, 0, &addr) == 0)
        return addr.sa.sa_family;
    return options->family;
}

static size_t string_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *copy_string(char **to, const char *text)
{
    if (!text)
        return NULL;
    char *copy = memcpy(*to, text, string_size(text));
    *to += string_size(text);
    return copy;
}

struct whorl_dial_options *dial_options_copy(const struct whorl_dial_options *options)
{
    size_t list_size = options->overrides_count * sizeof(char *);
    size_t size = sizeof *options + list_size + string_size(options->local_addr) +
                  string_size(options->interface) + string_size(options->unix_path);

    for (size_t i = 0; i < options->overrides_count; i++)
        size += string_size(options->overrides[i]);
    struct whorl_dial_options *copy = malloc(size);
    if (!copy)
        return NULL;
    const char **list = (const char **)(void *)(copy + 1);
    char *to = (char *)(copy + 1) + list_size;
    *copy = *options;
    copy->overrides = list;
    for (size_t i = 0; i < options->overrides_count; i++)
        list[i] = copy_string(&to, options->overrides[i]);
    copy->local_addr = copy_string(&to, options->local_addr);
    copy->interface = copy_string(&to, options->interface);
    copy->unix_path = copy_string(&to, options->unix_path);
    return copy;
}
