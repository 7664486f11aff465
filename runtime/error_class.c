/* SPDX-License-Identifier: MIT */
/* The class of each error code. */
#include <string.h>

#include <whorl/error.h>

static enum whorl_error_class class_of_code(enum whorl_error_code code)
{
    /* There is no default: the compiler reports a code without a class. */
    switch (code) {
    case WHORL_EDNS_NOTFOUND:
    case WHORL_EDNS_NODATA:
    case WHORL_EDNS_SERVFAIL:
    case WHORL_EDNS_TIMEOUT:
    case WHORL_EDNS_REFUSED:
    case WHORL_EDNS_BADNAME:
    case WHORL_EDNS_BADRESPONSE:
    case WHORL_EDNS_UNREACHABLE:
    case WHORL_EDNS:
        return WHORL_CLASS_DNS;
    case WHORL_EHTTP_NO_RESPONSE:
    case WHORL_EHTTP_TRUNCATED:
        return WHORL_CLASS_CONNECT;
    case WHORL_ETLS_TRUST:
    case WHORL_ETLS_NAME:
    case WHORL_ETLS_EXPIRED:
    case WHORL_ETLS_CERTIFICATE:
    case WHORL_ETLS_VERSION:
    case WHORL_ETLS_HANDSHAKE:
    case WHORL_ETLS_ALERT:
    case WHORL_ETLS_PROTOCOL:
    case WHORL_ETLS_TRUNCATED:
    case WHORL_ETLS_NOTTLS:
    case WHORL_ETLS_PIN:
        return WHORL_CLASS_TLS;
    case WHORL_EHTTP_PROXY_AUTH:
    case WHORL_EHTTP_PROXY_REFUSED:
    case WHORL_EHTTP_PROXY_FAILED:
    case WHORL_EHTTP_PROXY_PROTOCOL:
        return WHORL_CLASS_PROXY;
    case WHORL_EHTTP_STATUS_LINE:
    case WHORL_EHTTP_VERSION:
    case WHORL_EHTTP_HEADER:
    case WHORL_EHTTP_LENGTH:
    case WHORL_EHTTP_TRANSFER_ENCODING:
    case WHORL_EHTTP_TRANSFER_CODING:
    case WHORL_EHTTP_CHUNK:
    case WHORL_EHTTP_REDIRECT_LOCATION:
    case WHORL_EHTTP_NOT_REDIRECTABLE:
    case WHORL_EHTTP_UPGRADE:
    case WHORL_EHTTP_REQUEST_LINE:
    case WHORL_EHTTP_HOST:
    case WHORL_EHTTP_EXPECT:
    case WHORL_EHTTP_PROTOCOL:
    case WHORL_EHTTP_REFUSED:
    case WHORL_EHTTP_CALM:
        return WHORL_CLASS_PROTOCOL;
    case WHORL_EHTTP_QUEUE_TIMEOUT:
    case WHORL_EHTTP_CONNECT_TIMEOUT:
    case WHORL_EHTTP_TLS_TIMEOUT:
    case WHORL_EHTTP_FIRST_BYTE_TIMEOUT:
    case WHORL_EHTTP_STALL_TIMEOUT:
    case WHORL_EHTTP_TOTAL_TIMEOUT:
    case WHORL_EHTTP_HEAD_TIMEOUT:
    case WHORL_EHTTP_BODY_RATE:
    case WHORL_EHTTP_SPEED_TIMEOUT:
        return WHORL_CLASS_TIMEOUT;
    case WHORL_EHTTP_ENCODING:
    case WHORL_EHTTP_ENCODING_UNKNOWN:
        return WHORL_CLASS_DECODE;
    case WHORL_EHTTP_HEAD_TOO_LARGE:
    case WHORL_EHTTP_HEADERS_TOO_MANY:
    case WHORL_EHTTP_INFORMATIONAL:
    case WHORL_EHTTP_BODY_TOO_LARGE:
    case WHORL_EHTTP_REDIRECTS:
    case WHORL_EHTTP_REDIRECT_DOWNGRADE:
    case WHORL_EHTTP_TARGET_TOO_LONG:
    case WHORL_EHTTP_FLOOD:
        return WHORL_CLASS_LIMIT;
    case WHORL_ENOTASK:
    case WHORL_ENOIO:
    case WHORL_EBUSYRUN:
    case WHORL_EWORKER:
    case WHORL_ETLS_CAFILE:
    case WHORL_ETLS_CERTFILE:
    case WHORL_EHTTP_URL:
    case WHORL_EHTTP_SCHEME:
    case WHORL_EHTTP_REDIRECT_BODY:
    case WHORL_EHTTP_METHOD:
    case WHORL_EHTTP_REQUEST_HEADER:
    case WHORL_EHTTP_REQUEST_BODY:
    case WHORL_EHTTP_REPLY:
    case WHORL_EHTTP_REPLY_BODY:
    case WHORL_EHTTP_PROXY_SETTING:
    case WHORL_EHTTP_AUTH_BODY:
    case WHORL_EHTTP_NETRC:
    case WHORL_EHTTP_COOKIE:
    case WHORL_EHTTP_COOKIE_FILE:
        return WHORL_CLASS_LOCAL;
    }
    return WHORL_CLASS_NONE; /* a number that is not in the table */
}

/* Whether the errno value says something about the network. The others, such as ENOMEM, EMFILE and
 * ENOSPC, are about this machine. */
static bool is_about_network(int number)
{
    switch (number) {
    case EPIPE:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case EPROTO:
        return true;
    default:
        return false;
    }
}

/* Whether a lack of resources is the cause, in whatever step. */
static bool is_lack(int number)
{
    return number == ENOMEM || number == EMFILE || number == ENFILE || number == ENOBUFS ||
           number == EAGAIN || number == EINVAL;
}

static enum whorl_error_class class_of_errno(int number, const char *step)
{
    if (number == ECANCELED)
        return WHORL_CLASS_CANCELLED;
    if (strcmp(step, "write") == 0 || is_lack(number))
        return WHORL_CLASS_LOCAL;
    if (number == ETIMEDOUT)
        return WHORL_CLASS_TIMEOUT;
    if (strcmp(step, "resolve") == 0)
        return WHORL_CLASS_DNS;
    /* Whatever else connect(2) says: a firewall here answers EPERM, a Unix socket ENOENT. */
    if (strcmp(step, "connect") == 0)
        return WHORL_CLASS_CONNECT;
    if (!is_about_network(number))
        return WHORL_CLASS_LOCAL;
    return strcmp(step, "TLS") == 0 ? WHORL_CLASS_TLS : WHORL_CLASS_CONNECT;
}

enum whorl_error_class whorl_error_classify(const struct whorl_error *error)
{
    int code = error->code > 0 ? -error->code : error->code;
    enum whorl_error_class kind;

    if (code == 0)
        return WHORL_CLASS_NONE;
    if (code > -4096)
        kind = class_of_errno(-code, error->step);
    else
        kind = class_of_code((enum whorl_error_code)code);
    if (strcmp(error->step, "proxy") == 0 &&
        (kind == WHORL_CLASS_DNS || kind == WHORL_CLASS_CONNECT || kind == WHORL_CLASS_TLS ||
         kind == WHORL_CLASS_PROTOCOL))
        return WHORL_CLASS_PROXY;
    return kind;
}

const char *whorl_error_class_name(enum whorl_error_class kind)
{
    static const char *const names[] = {
        [WHORL_CLASS_NONE] = "none",           [WHORL_CLASS_DNS] = "dns",
        [WHORL_CLASS_CONNECT] = "connect",     [WHORL_CLASS_TLS] = "tls",
        [WHORL_CLASS_PROXY] = "proxy",         [WHORL_CLASS_PROTOCOL] = "protocol",
        [WHORL_CLASS_TIMEOUT] = "timeout",     [WHORL_CLASS_DECODE] = "decode",
        [WHORL_CLASS_LIMIT] = "limit",         [WHORL_CLASS_LOCAL] = "local",
        [WHORL_CLASS_CANCELLED] = "cancelled",
    };

    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "none";
}
