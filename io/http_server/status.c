/* SPDX-License-Identifier: MIT */
/* Status codes (RFC 9110 §15, RFC 6585). */
#include "io/http_server/status.h"

#include <stddef.h>

#include <whorl/error.h>

static const struct {
    int status;
    const char *text;
} texts[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *status_text(int status)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "";
}

int status_of_error(int err)
{
    switch (err) {
    case WHORL_EHTTP_REQUEST_LINE:
    case WHORL_EHTTP_HEADER:
    case WHORL_EHTTP_HOST:
    case WHORL_EHTTP_LENGTH:
    case WHORL_EHTTP_TRANSFER_ENCODING:
    case WHORL_EHTTP_CHUNK:
    case WHORL_EHTTP_TRUNCATED:
        return 400;
    case WHORL_EHTTP_HEAD_TIMEOUT:
    case WHORL_EHTTP_STALL_TIMEOUT:
    case WHORL_EHTTP_BODY_RATE:
        return 408;
    case WHORL_EHTTP_BODY_TOO_LARGE:
        return 413;
    case WHORL_EHTTP_TARGET_TOO_LONG:
        return 414;
    case WHORL_EHTTP_EXPECT:
        return 417;
    case WHORL_EHTTP_HEAD_TOO_LARGE:
    case WHORL_EHTTP_HEADERS_TOO_MANY:
        return 431;
    case WHORL_EHTTP_METHOD:
    case WHORL_EHTTP_TRANSFER_CODING:
        return 501;
    case WHORL_EHTTP_TOTAL_TIMEOUT:
        return 503;
    case WHORL_EHTTP_VERSION:
        return 505;
    default:
        return 500;
    }
}
