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
    {"k", "for curl's see --insecure, for wget's see --convert-links"},
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
    {"U", "for curl's see --proxy, whose URL has the password; for wget's see --user-agent"},
    {"proxy-user", "the URL of --proxy has the name and the password"},
    {"socks5-hostname", "here it is --proxy socks5h://HOST:PORT"},
    {"socks5", "here it is --proxy socks5://HOST:PORT"},
    {"abstract-unix-socket", "here it is --unix-socket @NAME"},
    {"connect-to", "see --resolve"},
    {"http2-prior-knowledge", "here it is --http2"},
    {"e", "here it is --header 'Referer: URL'"},
    {"referer", "here it is --header 'Referer: URL'"},
    {"range", "here it is --header 'Range: bytes=A-B'"},
    {"data-ascii", "here it is --data"},
    {"data-binary", "here it is --data, which sends a file as it is"},
    {"data-raw", "here it is --data, where @ begins the name of a file"},
    {"data-urlencode", "here it is --data, which does not encode"},
    {"F", "here it is --form"},
    {"form-string", "here it is --form, where @ begins the name of a file"},
    {"request", "here it is --method"},
    {"include", "here it is --show-headers"},
    {"D", "here it is --show-headers"},
    {"dump-header", "here it is --show-headers"},
    {"trace", "here it is --verbose"},
    {"trace-ascii", "here it is --verbose"},
    {"no-progress-meter", "here it is --quiet"},
    {"Y", "here it is --speed-limit SPEED,TIME"},
    {"y", "here it is --speed-limit SPEED,TIME"},
    {"speed-time", "here it is --speed-limit SPEED,TIME"},
    {"C", "partial files are continued without an option; see --continue"},
    {"continue-at", "partial files are continued without an option; see --continue"},
    {"basic", "--user uses what the server asks for"},
    {"digest", "--user uses what the server asks for"},
    {"anyauth", "--user uses what the server asks for"},
    {"oauth2-bearer", "here it is --header 'Authorization: Bearer TOKEN'"},
    {"proxy-insecure", "here it is --insecure"},
    {"proxy-cacert", "here it is --cacert"},
    {"preproxy", "there is one proxy; see --proxy"},
    {"http1.0", "requests of HTTP/1.0 are not possible; see --http1.1"},
    {"http3", "there is no HTTP/3; see --http2"},
    {"url", "URLs need no option"},
    {"write-out", "see --json"},
    {"w", "for curl's see --json, for wget's see --rate"},
    {"K", "here it is --config"},
    {"V", "here it is --version"},
    /* wget */
    {"output-document", "here it is --output"},
    {"P", "here it is --dir"},
    {"content-disposition", "here it is --remote-header-name"},
    {"directory-prefix", "here it is --dir"},
    {"input-file", "here it is --input"},
    {"t", "here it is --retries"},
    {"tries", "here it is --retries"},
    {"T", "for curl's see --upload-file, for wget's see --timeout"},
    {"post-data", "here it is --data"},
    {"body-data", "here it is --data"},
    {"post-file", "here it is --data @FILE"},
    {"body-file", "here it is --data @FILE"},
    {"spider", "here it is --head"},
    {"server-response", "here it is --show-headers"},
    {"save-headers", "here it is --show-headers"},
    {"wait", "here it is --rate"},
    {"B", "here it is --base"},
    {"ca-directory", "here it is --cacert"},
    {"http-user", "here it is --user NAME:PASSWORD"},
    {"http-password", "here it is --user NAME:PASSWORD"},
    {"password", "here it is --user NAME:PASSWORD"},
    {"dns-timeout", "here it is --connect-timeout"},
    {"secure-protocol", "here it is --tls-min"},
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
    {"max-download-limit", "here it is --limit-rate-each"},
    {"max-overall-download-limit", "here it is --limit-rate"},
    {"lowest-speed-limit", "here it is --speed-limit"},
    {"check-certificate", "here it is --insecure"},
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
