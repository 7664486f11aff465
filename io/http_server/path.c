/* SPDX-License-Identifier: MIT */
/* Paths of URLs as names of files, and media types by the ends of names. */
#include "io/http_server/path.h"

#include <string.h>
#include <strings.h>

#include "io/url/ascii.h"

/* Whether the path contains "..". Clients remove it before they send a target, so a valid request
 * never contains it. */
static bool leads_up(const char *path)
{
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0'))
            return true;
    }
    return false;
}

bool path_decode(const char *path, char *ret, size_t size)
{
    char *at = ret, *end = ret + size;

    path += strspn(path, "/");
    for (; *path; path++) {
        char c = *path;
        if (c == '%') {
            int high = ascii_hex_value(path[1]), low = high < 0 ? -1 : ascii_hex_value(path[2]);
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            if (c == '\0' || c == '/')
                return false;
            path += 2;
        }
        if (end - at < 2)
            return false;
        *at++ = c;
    }
    *at = '\0';
    return !leads_up(ret);
}

const char *path_media_type(const char *path)
{
    static const char *const types[][2] = {
        {"html", "text/html; charset=utf-8"},
        {"htm", "text/html; charset=utf-8"},
        {"txt", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"csv", "text/csv; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"json", "application/json"},
        {"xml", "application/xml"},
        {"pdf", "application/pdf"},
        {"wasm", "application/wasm"},
        {"zip", "application/zip"},
        {"gz", "application/gzip"},
        {"svg", "image/svg+xml"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"avif", "image/avif"},
        {"ico", "image/x-icon"},
        {"woff2", "font/woff2"},
        {"mp3", "audio/mpeg"},
        {"mp4", "video/mp4"},
        {"webm", "video/webm"},
    };
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(dot + 1, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}
