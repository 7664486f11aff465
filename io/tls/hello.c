/* SPDX-License-Identifier: MIT */
/* Reads the host out of a ClientHello. It does no I/O. */
#include "io/tls/hello.h"

#include <string.h>

#include "io/tls/der.h"

enum { CLIENT_HELLO = 1, EXTENSION_SERVER_NAME = 0, NAME_HOST = 0 };

/* Takes `len` bytes from the start of `from`; false when there are fewer. */
static bool take(struct tls_bytes *from, size_t len, struct tls_bytes *ret)
{
    if (from->len < len)
        return false;
    *ret = (struct tls_bytes){from->data, len};
    *from = (struct tls_bytes){from->data + len, from->len - len};
    return true;
}

/* Takes a big-endian number of `size` bytes. */
static bool take_number(struct tls_bytes *from, size_t size, size_t *ret)
{
    struct tls_bytes bytes;
    size_t number = 0;

    if (!take(from, size, &bytes))
        return false;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes.data[i];
    *ret = number;
    return true;
}

/* Takes a vector: its length in `size` bytes, and its contents. */
static bool take_vector(struct tls_bytes *from, size_t size, struct tls_bytes *ret)
{
    size_t len;

    return take_number(from, size, &len) && take(from, len, ret);
}

void tls_hello_normalise(const char *host, size_t len, char ret[TLS_HOST_MAX])
{
    if (len > 0 && host[len - 1] == '.')
        len--;
    for (size_t i = 0; i < len; i++) {
        char c = host[i];
        ret[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    ret[len] = '\0';
}

/* RFC 6066 §3: a list with exactly one name, because clients know no other kind than hosts. */
static bool read_server_name(struct tls_bytes extension, char ret[TLS_HOST_MAX])
{
    struct tls_bytes list, name;
    size_t kind;

    if (!take_vector(&extension, 2, &list) || extension.len > 0 || !take_number(&list, 1, &kind) ||
        kind != NAME_HOST || !take_vector(&list, 2, &name) || list.len > 0 ||
        name.len >= TLS_HOST_MAX || memchr(name.data, '\0', name.len))
        return false;
    tls_hello_normalise((const char *)name.data, name.len, ret);
    return true;
}

static bool read_extensions(struct tls_bytes list, char ret[TLS_HOST_MAX])
{
    bool named = false;

    while (list.len > 0) {
        struct tls_bytes extension;
        size_t kind;
        if (!take_number(&list, 2, &kind) || !take_vector(&list, 2, &extension))
            return false;
        if (kind != EXTENSION_SERVER_NAME)
            continue;
        if (named || !read_server_name(extension, ret))
            return false;
        named = true;
    }
    return true;
}

bool tls_hello_host(const unsigned char *bytes, size_t len, char ret[TLS_HOST_MAX])
{
    struct tls_bytes from = {bytes, len}, body, ignored, extensions;
    size_t kind;

    ret[0] = '\0';
    /* The version and the random are before the session, the suites and the compressions. */
    if (!take_number(&from, 1, &kind) || kind != CLIENT_HELLO || !take_vector(&from, 3, &body) ||
        from.len > 0 || !take(&body, 2 + 32, &ignored) || !take_vector(&body, 1, &ignored) ||
        !take_vector(&body, 2, &ignored) || !take_vector(&body, 1, &ignored))
        return false;
    return body.len == 0 || (take_vector(&body, 2, &extensions) && body.len == 0 &&
                             read_extensions(extensions, ret));
}
