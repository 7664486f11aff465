/* SPDX-License-Identifier: MIT */
/* The request line of HTTP/1. It is stricter than many servers: single spaces, no byte that a URL
 * cannot contain, and no target whose percent signs cannot be decoded. */
#include "io/http/request_line.h"

#include <string.h>
#include <strings.h>

#include <whorl/error.h>

#include "io/http/header.h"
#include "io/url/ascii.h"

enum part { PART_METHOD, PART_TARGET, PART_VERSION };

enum { VERSION_LEN = 8 };

/* RFC 3986 allows fewer bytes, but browsers send some of the others unescaped, such as "|". A "#"
 * would begin a fragment, and clients never send fragments. */
static bool is_target_byte(char c)
{
    return c > 0x20 && c < 0x7f && c != '#';
}

static int check_method(struct request_line *line, const char *bytes, size_t len,
                        const char **ret_why)
{
    size_t end = line->checked;

    while (end < len && bytes[end] != ' ' && end <= REQUEST_METHOD_MAX)
        end++;
    if (end > line->checked && !header_is_token(bytes + line->checked, end - line->checked)) {
        *ret_why = "not an HTTP/1 request line";
        return WHORL_EHTTP_REQUEST_LINE;
    }
    line->checked = end;
    if (end > REQUEST_METHOD_MAX) {
        *ret_why = "the method is too long";
        return WHORL_EHTTP_METHOD;
    }
    if (end == len)
        return 0;
    if (end == 0) {
        *ret_why = "the request line begins with a space";
        return WHORL_EHTTP_REQUEST_LINE;
    }
    line->method_len = (uint32_t)end;
    line->target = (uint32_t)end + 1;
    line->checked = end + 1;
    line->part = PART_TARGET;
    return 0;
}

static int check_target(struct request_line *line, const char *bytes, size_t len,
                        const char **ret_why)
{
    size_t end = line->checked;

    while (end < len && is_target_byte(bytes[end]))
        end++;
    line->checked = end;
    if (end - line->target > line->target_max) {
        *ret_why = "the target is too long";
        return WHORL_EHTTP_TARGET_TOO_LONG;
    }
    if (end == len)
        return 0;
    if (bytes[end] != ' ' || end == line->target) {
        *ret_why = "the target has a byte that is not allowed";
        return WHORL_EHTTP_REQUEST_LINE;
    }
    line->target_len = (uint32_t)end - line->target;
    line->checked = end + 1;
    line->part = PART_VERSION;
    return 0;
}

static int check_version(struct request_line *line, const char *bytes, size_t len,
                         const char **ret_why)
{
    static const char pattern[VERSION_LEN + 1] = "HTTP/0.0"; /* 0 is any digit */
    const char *version = bytes + line->target + line->target_len + 1;
    size_t version_len = len - (size_t)(version - bytes);

    /* Checks the bytes in order, so that the result does not depend on how the input is cut. */
    for (size_t i = 0; i < version_len; i++) {
        bool digit = version[i] >= '0' && version[i] <= '9';
        if (i >= VERSION_LEN || (pattern[i] == '0' ? !digit : version[i] != pattern[i])) {
            *ret_why = "the version is not HTTP/1.1 or HTTP/1.0";
            return WHORL_EHTTP_REQUEST_LINE;
        }
        if (i == VERSION_LEN - 1 && (version[5] != '1' || version[7] > '1')) {
            *ret_why = "the request is not in HTTP/1.1 or HTTP/1.0";
            return WHORL_EHTTP_VERSION;
        }
    }
    line->checked = len;
    if (version_len < VERSION_LEN)
        return 0;
    line->version_minor = (uint8_t)(version[7] - '0');
    return 0;
}

int request_line_check(struct request_line *line, const char *bytes, size_t len, bool is_whole,
                       const char **ret_why)
{
    int err = 0;

    if (line->part == PART_METHOD)
        err = check_method(line, bytes, len, ret_why);
    if (err == 0 && line->part == PART_TARGET)
        err = check_target(line, bytes, len, ret_why);
    if (err == 0 && line->part == PART_VERSION)
        err = check_version(line, bytes, len, ret_why);
    if (err || !is_whole)
        return err;
    if (line->part == PART_VERSION && len == line->target + line->target_len + 1 + VERSION_LEN)
        return 0;
    *ret_why = "the request line is too short";
    return WHORL_EHTTP_REQUEST_LINE;
}

/* RFC 9110 §7.2, RFC 3986 §3.2.2, §3.2.3. Userinfo is refused: some recipients would take the part
 * after the @ as the host, and others would not. */
bool request_is_host(const char *text, size_t len)
{
    /* Letters, digits, and -._~!$&'()*+;=%[]: as bits. */
    static const uint64_t allowed[] = {0x2fff6ff200000000, 0x47fffffeaffffffe};

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80 || !(allowed[c / 64] >> c % 64 & 1))
            return false;
    }
    return true;
}

/* Whether all percent signs have one meaning. Recipients disagree about a percent sign without two
 * hexadecimal digits, and about an encoded NUL. */
static bool is_path(const char *path, size_t len)
{
    for (const char *p = path; (p = memchr(p, '%', len - (size_t)(p - path))) != NULL; p++) {
        if (len - (size_t)(p - path) < 3 || ascii_hex_value(p[1]) < 0 ||
            ascii_hex_value(p[2]) < 0 || (p[1] == '0' && p[2] == '0'))
            return false;
    }
    return true;
}

/* Returns the position after "http://" or "https://"; 0 when the target does not begin with
 * either. */
static uint32_t skip_scheme(const char *target, size_t len)
{
    if (len >= 7 && strncasecmp(target, "http://", 7) == 0)
        return 7;
    return len >= 8 && strncasecmp(target, "https://", 8) == 0 ? 8 : 0;
}

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return WHORL_EHTTP_REQUEST_LINE;
}

int request_target_read(const struct request_line *line, const char *bytes,
                        struct request_target *ret, const char **ret_why)
{
    const char *target = bytes + line->target;
    uint32_t at = 0, len = line->target_len;
    struct request_target parts = {0};

    if (line->method_len == 7 && memcmp(bytes, "CONNECT", 7) == 0) {
        *ret_why = "CONNECT asks for a tunnel";
        return WHORL_EHTTP_METHOD;
    }
    if (len == 1 && *target == '*') {
        if (line->method_len != 7 || memcmp(bytes, "OPTIONS", 7) != 0)
            return refuse(ret_why, "only OPTIONS has the target *");
        at = len;
    } else if (*target != '/') {
        at = skip_scheme(target, len);
        if (at == 0)
            return refuse(ret_why, "the target is not a path or an http URL");
        parts.authority = line->target + at;
        while (at < len && target[at] != '/' && target[at] != '?')
            at++;
        parts.authority_len = line->target + at - parts.authority;
        if (parts.authority_len == 0 ||
            !request_is_host(bytes + parts.authority, parts.authority_len))
            return refuse(ret_why, "the URL in the request line has no valid host");
    }
    const char *question = memchr(target + at, '?', len - at);
    uint32_t path_end = question ? (uint32_t)(question - target) : len;
    parts.path = line->target + at;
    parts.path_len = path_end - at;
    if (question) {
        parts.has_query = true;
        parts.query = line->target + path_end + 1;
        parts.query_len = len - path_end - 1;
    }
    if (!is_path(bytes + parts.path, parts.path_len))
        return refuse(ret_why, "the path has a wrong percent sign");
    *ret = parts;
    return 0;
}
