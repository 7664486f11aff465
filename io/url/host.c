/* SPDX-License-Identifier: MIT */
/* Hosts of URLs: names are mapped by IDNA, IPv4 has one form only, IPv6 gets its canonical form. */
#include "io/url/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <idn2.h>
#include <string.h>

#include "io/url/ascii.h"

enum { LABEL_MAX = 63 }; /* RFC 1035 §2.3.4 */

static int read_v6(struct url_host *host, struct url_span s, struct whorl_error *error)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (memchr(s.at, '%', s.len))
        return url_refuse(error, "IPv6 zone in the host");
    if (s.len >= sizeof text)
        return url_refuse(error, "not an IPv6 address in brackets");
    memcpy(text, s.at, s.len);
    text[s.len] = '\0';
    if (inet_pton(AF_INET6, text, &addr) != 1)
        return url_refuse(error, "not an IPv6 address in brackets");
    inet_ntop(AF_INET6, &addr, host->text, sizeof host->text);
    host->is_ip = host->is_v6 = true;
    return 0;
}

/* Percent-decodes `s` into `ret`, which may then contain any byte. Returns the length, or -1 when
 * it is above `cap`. */
static ssize_t decode(char *ret, size_t cap, struct url_span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; n++) {
        if (n == cap)
            return -1;
        if (s.at[i] == '%') { /* check_text() has checked the digits */
            ret[n] = (char)(ascii_hex_value(s.at[i + 1]) << 4 | ascii_hex_value(s.at[i + 2]));
            i += 3;
        } else {
            ret[n] = s.at[i++];
        }
    }
    return (ssize_t)n;
}

/* Maps a name by IDNA 2008 with the non-transitional mapping of UTS 46. The caller checks the
 * result like a given name, because the mapping can turn other characters into dots, slashes and
 * digits. */
static int map_international(char *name, size_t cap, struct whorl_error *error)
{
    uint8_t *ascii = NULL;
    int code = idn2_lookup_u8((const uint8_t *)name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

    if (code == IDN2_MALLOC)
        return url_no_memory(error);
    if (code != IDN2_OK)
        return whorl_error_set(error, WHORL_EHTTP_URL, "URL", "international host: %s",
                               idn2_strerror(code));
    size_t len = strlen((const char *)ascii);
    if (len < cap)
        memcpy(name, ascii, len + 1);
    idn2_free(ascii);
    return len < cap ? 0 : url_refuse(error, "host is too long");
}

/* Checks that the name consists of labels of 1 to 63 letters, digits, hyphens and underscores, and
 * converts it to lower case in place. */
static int check_labels(char *name, struct whorl_error *error)
{
    size_t label = 0, len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (c == '.') {
            if (label == 0)
                return url_refuse(error, "empty label in the host");
            label = 0;
            continue;
        }
        if (c >= 'A' && c <= 'Z')
            name[i] = (char)(c | 0x20);
        else if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
            return whorl_error_set(error, WHORL_EHTTP_URL, "URL", "byte 0x%02x in the host",
                                   (unsigned char)c);
        if (++label > LABEL_MAX)
            return url_refuse(error, "label of more than 63 bytes in the host");
    }
    if (len - (name[len - 1] == '.') > URL_HOST_MAX)
        return url_refuse(error, "host is too long");
    return 0;
}

/* Whether the last label is a number, decimal or with 0x. inet_aton(3) and browsers take such a
 * name for an IPv4 address, so it must be a valid one or is refused. */
static bool looks_like_v4(const char *name)
{
    size_t end = strlen(name);
    end -= name[end - 1] == '.';
    size_t start = end;
    while (start > 0 && name[start - 1] != '.')
        start--;
    const char *label = name + start;
    size_t len = end - start;
    if (len >= 2 && label[0] == '0' && label[1] == 'x') {
        for (size_t i = 2; i < len; i++)
            if (ascii_hex_value(label[i]) < 0)
                return false;
        return true;
    }
    for (size_t i = 0; i < len; i++)
        if (!ascii_is_digit(label[i]))
            return false;
    return true;
}

static int read_name(struct url_host *host, struct url_span s, struct whorl_error *error)
{
    char name[1024];
    ssize_t len = decode(name, sizeof name - 1, s);
    bool ascii = true;
    struct in_addr addr;

    if (len < 0)
        return url_refuse(error, "host is too long");
    if (len == 0)
        return url_refuse(error, "no host");
    name[len] = '\0';
    for (ssize_t i = 0; i < len; i++) {
        if (name[i] == '\0')
            return url_refuse(error, "byte 0x00 in the host");
        ascii &= (unsigned char)name[i] < 0x80;
    }
    int err = ascii ? 0 : map_international(name, sizeof name, error);
    if (err == 0 && name[0] == '\0')
        err = url_refuse(error, "no host");
    if (err == 0)
        err = check_labels(name, error);
    if (err)
        return err;
    strcpy(host->text, name); /* check_labels() has checked the length */
    if (!looks_like_v4(name))
        return 0;
    /* inet_pton(3) accepts only four decimal parts without leading zeros. */
    if (inet_pton(AF_INET, name, &addr) != 1)
        return url_refuse(error, "host looks like an IPv4 address but is not four decimal numbers");
    host->is_ip = true;
    return 0;
}

int url_host_read(struct url_host *ret, struct url_span text, bool in_brackets,
                  struct whorl_error *error)
{
    *ret = (struct url_host){0};
    return in_brackets ? read_v6(ret, text, error) : read_name(ret, text, error);
}
