/* SPDX-License-Identifier: MIT */
/* Reads PEM files with BearSSL's decoder, into memory that is erased afterwards. */
#include "io/tls/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <bearssl.h>

/* A chain of RSA certificates has some 10 KiB. */
enum { FILE_BYTES_MAX = 256 << 10 };

/* Never grows, because realloc() would leave a copy of the bytes behind. */
struct area {
    size_t len;
    unsigned char bytes[FILE_BYTES_MAX + 1];
};

/* Reads the whole file. A full area means that the file is too large. */
static int read_all(const char *path, struct area *area)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    int err = 0;

    if (fd < 0)
        return -errno;
    while (n > 0 && err == 0 && area->len < sizeof area->bytes) {
        n = read(fd, area->bytes + area->len, sizeof area->bytes - area->len);
        if (n > 0)
            area->len += (size_t)n;
        else if (n < 0 && errno != EINTR)
            err = -errno;
        else if (n < 0)
            n = 1;
    }
    close(fd);
    return err;
}

/* The decoder accepts only LF as the end of a line, and needs one after the last line. */
static void normalise_lines(struct area *area)
{
    size_t len = 0;

    for (size_t i = 0; i < area->len; i++)
        if (area->bytes[i] != '\r')
            area->bytes[len++] = area->bytes[i];
    area->bytes[len++] = '\n';
    area->len = len;
}

/* Appends decoded bytes. They are fewer than the bytes of the file, so they fit. */
static void append(void *ctx, const void *bytes, size_t len)
{
    struct area *area = ctx;

    memcpy(area->bytes + area->len, bytes, len);
    area->len += len;
}

static bool is_encrypted(const struct area *text)
{
    static const char mark[] = "Proc-Type: 4,ENCRYPTED"; /* RFC 1421 §4.6.1.1 */

    return memmem(text->bytes, text->len, mark, sizeof mark - 1);
}

static int damaged(const char *path, const struct area *text, size_t found,
                   struct whorl_error *error)
{
    if (is_encrypted(text))
        return whorl_error_set(error, WHORL_ETLS_CERTFILE, "TLS",
                               "%s: private key is encrypted; decrypt it first", path);
    return whorl_error_set(error, WHORL_ETLS_CERTFILE, "TLS",
                           "%s: object %zu is damaged or cut short", path, found + 1);
}

/* Decodes `text` into `der`, object by object. */
static int decode(const char *path, const struct area *text, struct area *der, pem_found_fn found,
                  void *arg, struct whorl_error *error)
{
    br_pem_decoder_context pem;
    size_t count = 0;
    bool inside = false;
    int err = 0;

    br_pem_decoder_init(&pem);
    for (size_t at = 0; at < text->len && err == 0;) {
        at += br_pem_decoder_push(&pem, text->bytes + at, text->len - at);
        switch (br_pem_decoder_event(&pem)) {
        case BR_PEM_BEGIN_OBJ:
            inside = true;
            der->len = 0;
            br_pem_decoder_setdest(&pem, append, der);
            break;
        case BR_PEM_END_OBJ:
            inside = false;
            count++;
            err = found(arg, br_pem_decoder_name(&pem), (struct tls_bytes){der->bytes, der->len});
            break;
        case BR_PEM_ERROR:
            err = damaged(path, text, count, error);
            inside = false;
            break;
        }
    }
    explicit_bzero(&pem, sizeof pem);
    return inside ? damaged(path, text, count, error) : err;
}

static void erase(struct area *area)
{
    if (area)
        explicit_bzero(area, sizeof *area);
    free(area);
}

int pem_read(const char *path, pem_found_fn found, void *arg, struct whorl_error *error)
{
    struct area *text = malloc(sizeof *text), *der = malloc(sizeof *der);
    int err = -ENOMEM;

    if (!text || !der) {
        free(text);
        free(der);
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    }
    text->len = der->len = 0;
    err = read_all(path, text);
    if (err) {
        whorl_error_set(error, err, "TLS", "%s: %s", path, whorl_strerror(err));
    } else if (text->len == sizeof text->bytes) {
        err = whorl_error_set(error, WHORL_ETLS_CERTFILE, "TLS",
                              "%s: too large for certificates and a key", path);
    } else {
        normalise_lines(text);
        err = decode(path, text, der, found, arg, error);
    }
    erase(text);
    erase(der);
    return err;
}
