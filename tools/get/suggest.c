/* SPDX-License-Identifier: MIT */
/* Suggestions for unknown options, see suggest.h. */
#include "tools/get/suggest.h"

#include <stdio.h>
#include <string.h>

#include "tools/get/option_rows.h"

enum { NAME_MAX_LEN = 40 }; /* a longer word is like no option */

/* The options of curl, wget and aria2 that people type most. */
const struct suggest_foreign suggest_foreign[] = {
    /* curl */
    {"O", "files get the names of their URLs without an option"},
    {"remote-name", "files get the names of their URLs without an option"},
    {"remote-name-all", "files get the names of their URLs without an option"},
    {"L", "redirects are followed without an option; see --max-redirects"},
    {"location", "redirects are followed without an option; see --max-redirects"},
    {"max-redirs", "here it is --max-redirects"},
    {"f", "a status such as 404 is a failure without an option"},
    {"fail", "a status such as 404 is a failure without an option"},
    {"k", "here it is --insecure"},
    {"s", "here it is --quiet"},
    {"S", "failures are always printed"},
    {"silent", "here it is --quiet"},
    {"show-error", "failures are always printed"},
    {"Z", "transfers run in parallel without an option; see --jobs"},
    {"parallel", "transfers run in parallel without an option; see --jobs"},
    {"parallel-max", "here it is --jobs"},
    {"m", "here it is --timeout"},
    {"max-time", "here it is --timeout"},
    {"retry", "here it is --retries"},
    {"max-filesize", "here it is --max-size"},
    {"output-dir", "here it is --dir"},
    {"create-dirs", "--dir creates the directory without an option"},
    {"b", "here it is --cookies"},
    {"cookie", "here it is --cookies"},
    {"cookie-jar", "here it is --save-cookies"},
    {"E", "here it is --cert"},
    {"pinnedpubkey", "here it is --pin"},
    {"capath", "here it is --cacert"},
    {"tlsv1.2", "here it is --tls-min 1.2"},
    {"tlsv1.3", "here it is --tls-min 1.3"},
    {"n", "here it is --netrc"},
    {"U", "the URL of --proxy has the name and the password"},
    {"proxy-user", "the URL of --proxy has the name and the password"},
    {"socks5-hostname", "here it is --proxy socks5h://HOST:PORT"},
    {"socks5", "here it is --proxy socks5://HOST:PORT"},
    {"abstract-unix-socket", "here it is --unix-socket @NAME"},
    {"connect-to", "see --resolve"},
    {"http2-prior-knowledge", "here it is --http2"},
    {"e", "here it is --header 'Referer: URL'"},
    {"referer", "here it is --header 'Referer: URL'"},
    {"r", "here it is --header 'Range: bytes=A-B'"},
    {"range", "here it is --header 'Range: bytes=A-B'"},
    {"K", "here it is --config"},
    {"V", "here it is --version"},
    /* wget */
    {"output-document", "here it is --output"},
    {"P", "here it is --dir"},
    {"directory-prefix", "here it is --dir"},
    {"input-file", "here it is --input"},
    {"t", "here it is --retries"},
    {"tries", "here it is --retries"},
    {"T", "here it is --timeout"},
    {"read-timeout", "here it is --stall-timeout"},
    {"max-redirect", "here it is --max-redirects"},
    {"no-check-certificate", "here it is --insecure"},
    {"ca-certificate", "here it is --cacert"},
    {"certificate", "here it is --cert"},
    {"private-key", "here it is --key"},
    {"load-cookies", "here it is --cookies"},
    {"inet4-only", "here it is --ipv4"},
    {"inet6-only", "here it is --ipv6"},
    {"bind-address", "here it is --interface"},
    {"no-proxy", "here it is --proxy ''"},
    {"nv", "here it is --quiet"},
    {"no-verbose", "here it is --quiet"},
    {"h", "here it is --help"},
    /* aria2 */
    {"max-concurrent-downloads", "here it is --jobs"},
    {"max-connection-per-server", "here it is --per-host"},
    {"max-tries", "here it is --retries"},
    {"disable-ipv6", "here it is --ipv4"},
    {"all-proxy", "here it is --proxy"},
    {"conf-path", "here it is --config"},
};

const size_t suggest_foreign_count = sizeof suggest_foreign / sizeof *suggest_foreign;

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* How many letters must be inserted, left out, replaced or swapped with their neighbour to make one
 * word of the other (the restricted Damerau-Levenshtein distance). */
static size_t distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), rows[3][NAME_MAX_LEN + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_len];
}

const char *suggest_option(const char *name, char ret[SUGGESTION_SIZE])
{
    const struct option_row *nearest = NULL;
    size_t len = strlen(name), best = len / 3 + 1; /* one mistake in three letters */

    ret[0] = '\0';
    for (size_t i = 0; i < suggest_foreign_count; i++)
        if (strcmp(suggest_foreign[i].name, name) == 0) {
            snprintf(ret, SUGGESTION_SIZE, " (%s)", suggest_foreign[i].here);
            return ret;
        }
    if (len < 2 || len > NAME_MAX_LEN)
        return ret;
    for (size_t i = 0; i < option_rows_count; i++) {
        size_t d = strlen(option_rows[i].name) <= NAME_MAX_LEN ? distance(name, option_rows[i].name)
                                                               : best + 1;
        if (d < best || (d == best && !nearest)) {
            best = d;
            nearest = &option_rows[i];
        }
    }
    if (nearest)
        snprintf(ret, SUGGESTION_SIZE, " (did you mean --%s?)", nearest->name);
    return ret;
}

bool suggest_is_topic(const char *name)
{
    for (size_t i = 0; i < TOPIC_COUNT; i++)
        if (strcmp(option_topics[i].name, name) == 0)
            return true;
    return strcmp(name, "all") == 0;
}
