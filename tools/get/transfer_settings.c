/* SPDX-License-Identifier: MIT */
/* Settings, see transfer_settings.h. */
#include "tools/get/transfer_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <whorl/url.h>

#include "tools/get/mirror.h"

/* The user name and password of --user. */
static const struct user *user_of(const struct transfer *t)
{
    static const struct user none = {0};

    return t->is_foreign ? &none : &t->get->user;
}

/* Whether a mirror may get the user's headers, name and password: it has the origin of the URL. */
static bool is_trusted(const struct transfer *t, const char *url)
{
    WHORL_AUTO(url) mirror = {0};

    return url == t->scheduled->url ||
           (whorl_url_parse(url, NULL, &mirror) == 0 && whorl_url_same_origin(&mirror, &t->url));
}

const struct user *transfer_user_for(const struct transfer *t, const char *url)
{
    static const struct user none = {0};

    return is_trusted(t, url) ? user_of(t) : &none;
}

static bool is_harmless(const struct whorl_http_header *header)
{
    static const char *const harmless[] = {"Accept", "Accept-Encoding", "Accept-Language",
                                           "Cache-Control", "Pragma"};

    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcasecmp(header->name, harmless[i]) == 0)
            return true;
    return false;
}

size_t transfer_headers_for(const struct transfer *t, const char *url,
                            struct whorl_http_header *ret)
{
    bool all = is_trusted(t, url);
    size_t count = 0;

    for (size_t i = 0; i < t->headers_count; i++)
        if (all || is_harmless(&t->headers[i]))
            ret[count++] = t->headers[i];
    return count;
}

bool transfer_expect_all(struct transfer *t, const char **ret_cause)
{
    const struct options *options = t->get->options;
    const struct entry *entry = &t->entry;
    bool ok = true;

    t->verify.size = entry->size;
    t->verify.size_source = entry->size >= 0 ? "the list" : NULL;
    for (size_t i = 0; i < options->checksums_count; i++) {
        const char *equals = strchr(options->checksums[i], '=');
        enum hash_kind kind;
        if (hash_find(options->checksums[i], (size_t)(equals - options->checksums[i]), &kind))
            ok = ok && verify_expect(&t->verify, kind, equals + 1, "--checksum");
    }
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++)
        if (entry->hashes[kind])
            ok = ok && verify_expect(&t->verify, kind, entry->hashes[kind], "the list");
    *ret_cause = "the expected hashes contradict each other";
    if (!options->checksum_file)
        return ok;
    bool is_known = false;
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++) {
        const char *name = options->output ? options->output : t->target.name;
        const char *hex = checksums_find(&t->get->checksums, name, kind);
        if (hex)
            ok = ok && verify_expect(&t->verify, kind, hex, options->checksum_file);
        is_known |= hex != NULL;
    }
    if (!is_known)
        *ret_cause = "the file of checksums does not have this name";
    return ok && is_known;
}

/* A header of the URL takes the place of those of the same name that all URLs have. */
static int merge_headers(struct transfer *t)
{
    const struct options *options = t->get->options;
    const struct entry *entry = &t->entry;

    t->headers = calloc(options->headers_count + entry->headers_count + EXISTING_HEADERS_MAX,
                        sizeof *t->headers);
    if (!t->headers)
        return whorl_error_set(&t->outcome.error, -ENOMEM, "settings", "out of memory");
    for (size_t i = 0; i < options->headers_count; i++) {
        bool is_replaced = false;
        for (size_t j = 0; j < entry->headers_count; j++)
            is_replaced |= strcasecmp(options->headers[i].name, entry->headers[j].name) == 0;
        if (!is_replaced)
            t->headers[t->headers_count++] = options->headers[i];
    }
    for (size_t j = 0; j < entry->headers_count; j++)
        t->headers[t->headers_count++] = entry->headers[j];
    return 0;
}

void transfer_hide_secrets(struct transfer *t)
{
    size_t count = 0;

    if (!t->get->mirror || t->get->options->trust_redirects ||
        mirror_trusts(t->get->mirror, &t->url))
        return;
    t->is_foreign = true;
    for (size_t i = 0; i < t->headers_count; i++)
        if (is_harmless(&t->headers[i]))
            t->headers[count++] = t->headers[i];
    t->headers_count = count;
}

/* Checks the name that a list gives a file. */
static int check_name(const struct entry *entry, const struct options *options,
                      char why[ENTRY_WHY_SIZE])
{
    const char *fault = entry->is_metalink ? name_path_fault(entry->out) : NULL;

    if (fault)
        snprintf(why, ENTRY_WHY_SIZE,
                 "the name '%.100s' in the Metalink document %s, so it does not name a file below "
                 "the directory",
                 entry->out, fault);
    else if (options->output)
        snprintf(why, ENTRY_WHY_SIZE, "out cannot be used together with --output");
    else if (!entry->is_metalink && !name_is_safe(entry->out))
        snprintf(why, ENTRY_WHY_SIZE, "out is not the name of a file in the directory");
    else
        return 0;
    return -EINVAL;
}

int transfer_take_settings(struct transfer *t)
{
    const struct options *options = t->get->options;
    char why[ENTRY_WHY_SIZE];

    int err = entry_parse(&t->entry, t->scheduled->settings, why);
    if (err == 0 && t->entry.out)
        err = check_name(&t->entry, options, why);
    if (err)
        return whorl_error_set(&t->outcome.error, err, "settings", "%s", why);
    return merge_headers(t);
}
