/* SPDX-License-Identifier: MIT */
/* Loads trust anchors from PEM and DER files and from directories of them. */
#include "io/tls/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <bearssl.h>

#include <whorl/base.h>

#include "io/tls/der.h"

/* A bundle has about 200 KiB. A far larger file is not a bundle (/dev/zero, a disk image). */
enum { FILE_BYTES_MAX = 16 << 20 };

enum { TAG_REJECT = 0xa0 };

struct bytes {
    unsigned char *data;
    size_t len, size;
    bool failed; /* there was no memory; a callback of BearSSL cannot return an error */
};

/* The result of reading one file. */
struct tally {
    size_t found;      /* how many certificates */
    bool damaged;      /* a certificate has no end or is not Base64 */
    size_t rejected;   /* certificates that are marked as not trusted for servers */
    int decoder_error; /* of the first certificate that BearSSL could not read; 0: none */
};

static struct tls_trust *system_trust; /* once loaded, it is kept until the process ends */
static pthread_mutex_t system_lock = PTHREAD_MUTEX_INITIALIZER;

static int reserve(struct bytes *bytes, size_t more)
{
    if (bytes->size - bytes->len >= more)
        return 0;
    size_t size = (bytes->len + more) * 2;
    unsigned char *data = realloc(bytes->data, size);
    if (!data)
        return -ENOMEM;
    bytes->data = data;
    bytes->size = size;
    return 0;
}

/* Appends bytes to `ctx`, a struct bytes. BearSSL's decoders call it. */
static void append(void *ctx, const void *src, size_t len)
{
    struct bytes *bytes = ctx;

    if (bytes->failed || reserve(bytes, len)) {
        bytes->failed = true;
        return;
    }
    memcpy(bytes->data + bytes->len, src, len);
    bytes->len += len;
}

static int read_file(const char *path, struct bytes *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = 0;

    if (fd < 0)
        return -errno;
    while (err == 0) {
        err = reserve(bytes, 4096);
        if (err)
            break;
        ssize_t n = read(fd, bytes->data + bytes->len, bytes->size - bytes->len);
        if (n == 0)
            break;
        if (n < 0)
            err = errno == EINTR ? 0 : -errno;
        else
            bytes->len += (size_t)n;
        if (bytes->len > FILE_BYTES_MAX)
            err = -EFBIG;
    }
    close(fd);
    return err;
}

/* Directories contain most certificates twice: under a name and under a hash. */
static bool is_known(const struct tls_trust *trust, const struct tls_bytes *der)
{
    for (size_t i = 0; i < trust->count; i++)
        if (der_equal(&trust->anchors[i].der, der))
            return true;
    return false;
}

static int add_anchor(struct tls_trust *trust, const struct tls_bytes *der)
{
    if (is_known(trust, der))
        return 0;
    if (trust->count == trust->size) {
        size_t size = trust->size ? trust->size * 2 : 16;
        struct tls_cert *anchors = realloc(trust->anchors, size * sizeof *anchors);
        if (!anchors)
            return -ENOMEM;
        trust->anchors = anchors;
        trust->size = size;
    }
    unsigned char *copy = malloc(der->len);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, der->data, der->len);
    if (tls_cert_parse(copy, der->len, &trust->anchors[trust->count])) {
        free(copy); /* cannot happen: the same bytes have been parsed before */
        return 0;
    }
    trust->count++;
    return 0;
}

/* The length that the DER element at `data` states, at most `len`. OpenSSL's "TRUSTED CERTIFICATE"
 * has more data after the certificate. */
static size_t element_len(const unsigned char *data, size_t len)
{
    size_t n, head = 2;

    if (len < 2)
        return len;
    n = data[1];
    if (n & 0x80) {
        size_t count = n & 0x7f;
        if (count > 4 || len < 2 + count)
            return len;
        head += count;
        n = 0;
        for (size_t i = 0; i < count; i++)
            n = n << 8 | data[2 + i];
    }
    return n < len - head ? n + head : len;
}

static bool has_purpose(struct tls_bytes list)
{
    struct tls_bytes oid;

    while (der_expect(&list, DER_OID, &oid))
        if (tls_oid_is_for_servers(&oid))
            return true;
    return false;
}

/* `extra` is what OpenSSL's "TRUSTED CERTIFICATE" has after the certificate (x509(1), "Trusted
 * Certificates"):
 *
 *     SEQUENCE { trust SEQUENCE OF OID OPTIONAL, reject [0] SEQUENCE OF OID OPTIONAL, ... }
 *
 * Returns whether it allows the certificate to vouch for servers. */
static bool is_trusted_for_servers(struct tls_bytes extra)
{
    struct tls_bytes fields, trust, reject;

    if (!der_expect(&extra, DER_SEQUENCE, &fields))
        return extra.len == 0;
    if (der_expect(&fields, DER_SEQUENCE, &trust) && !has_purpose(trust))
        return false;
    return !der_expect(&fields, TAG_REJECT, &reject) || !has_purpose(reject);
}

static int add_certificate(struct tls_trust *trust, const unsigned char *data, size_t len,
                           struct tally *tally)
{
    br_x509_decoder_context decoder;
    size_t cert_len = element_len(data, len);
    struct tls_bytes der = {data, cert_len}, extra = {data + cert_len, len - cert_len};
    struct tls_cert cert;

    tally->found++;
    br_x509_decoder_init(&decoder, NULL, NULL);
    br_x509_decoder_push(&decoder, data, cert_len);
    if (!br_x509_decoder_get_pkey(&decoder) || tls_cert_parse(data, cert_len, &cert)) {
        if (tally->decoder_error == 0)
            tally->decoder_error = br_x509_decoder_last_error(&decoder);
        return 0;
    }
    if (!is_trusted_for_servers(extra)) {
        tally->rejected++;
        return 0;
    }
    return add_anchor(trust, &der);
}

static bool is_certificate(const char *label)
{
    return strcmp(label, "CERTIFICATE") == 0 || strcmp(label, "X509 CERTIFICATE") == 0 ||
           strcmp(label, "TRUSTED CERTIFICATE") == 0;
}

static int add_pem(struct tls_trust *trust, const unsigned char *text, size_t len,
                   struct tally *tally)
{
    br_pem_decoder_context pem;
    struct bytes der = {0};
    bool inside = false;
    int err = 0;

    br_pem_decoder_init(&pem);
    while (len > 0 && err == 0) {
        size_t n = br_pem_decoder_push(&pem, text, len);
        text += n;
        len -= n;
        switch (br_pem_decoder_event(&pem)) {
        case BR_PEM_BEGIN_OBJ:
            inside = is_certificate(br_pem_decoder_name(&pem));
            der.len = 0;
            br_pem_decoder_setdest(&pem, inside ? append : NULL, &der);
            break;
        case BR_PEM_END_OBJ:
            if (der.failed)
                err = -ENOMEM;
            else if (inside)
                err = add_certificate(trust, der.data, der.len, tally);
            inside = false;
            break;
        case BR_PEM_ERROR:
            tally->damaged |= inside;
            inside = false;
            break;
        }
    }
    tally->damaged |= inside;
    free(der.data);
    return err;
}

/* Removes all CR: the PEM decoder accepts only LF as the end of a line. It also needs an LF after
 * the last line, which the caller appends. */
static void normalise_lines(struct bytes *bytes)
{
    size_t len = 0;

    for (size_t i = 0; i < bytes->len; i++)
        if (bytes->data[i] != '\r')
            bytes->data[len++] = bytes->data[i];
    bytes->len = len;
}

static int add_file(struct tls_trust *trust, const char *path, struct tally *tally)
{
    struct bytes bytes = {0};
    int err = read_file(path, &bytes);

    if (err == 0 && bytes.len > 1 && bytes.data[0] == 0x30 && bytes.data[1] >= 0x80) {
        err = add_certificate(trust, bytes.data, bytes.len, tally);
    } else if (err == 0) {
        normalise_lines(&bytes);
        append(&bytes, "\n", 1);
        err = bytes.failed ? -ENOMEM : add_pem(trust, bytes.data, bytes.len, tally);
    }
    free(bytes.data);
    return err;
}

static int load_file(struct tls_trust *trust, const char *path, struct whorl_error *error)
{
    struct tally tally = {0};
    size_t before = trust->count;
    int err = add_file(trust, path, &tally);

    if (err == -EFBIG)
        return whorl_error_set(error, WHORL_ETLS_CAFILE, "TLS", "%s: too large for certificates",
                               path);
    if (err)
        return whorl_error_set(error, err, "TLS", "%s: %s", path, whorl_strerror(err));
    if (tally.damaged)
        return whorl_error_set(error, WHORL_ETLS_CAFILE, "TLS",
                               "%s: certificate %zu is damaged or cut short", path,
                               tally.found + 1);
    if (tally.found == 0)
        return whorl_error_set(error, WHORL_ETLS_CAFILE, "TLS", "%s: no certificate in it", path);
    if (trust->count == before && tally.rejected > 0)
        return whorl_error_set(error, WHORL_ETLS_CAFILE, "TLS",
                               "%s: no certificate in it is trusted for servers", path);
    if (trust->count == before)
        return whorl_error_set(error, WHORL_ETLS_CAFILE, "TLS",
                               "%s: no certificate with a usable key in it (decoder error %d)",
                               path, tally.decoder_error);
    return 0;
}

/* Whether a name is *.pem, *.crt or a hashed name of OpenSSL: eight hex digits, a dot, a number. */
static bool is_anchor_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    if (!dot || dot == name)
        return false;
    if (strcasecmp(dot, ".pem") == 0 || strcasecmp(dot, ".crt") == 0)
        return true;
    return dot - name == 8 && strspn(name, "0123456789abcdefABCDEF") == 8 && dot[1] &&
           dot[1 + strspn(dot + 1, "0123456789")] == '\0';
}

/* Adds the anchors of all files of a directory. Files that cannot be read or contain no usable
 * certificate are skipped. It is an error when the directory adds no anchor. */
static int load_dir(struct tls_trust *trust, const char *path, struct whorl_error *error)
{
    DIR *dir = opendir(path);
    size_t before = trust->count;
    int err = dir ? 0 : -errno;

    for (struct dirent *entry; err == 0 && (entry = readdir(dir));) {
        struct tally tally = {0};
        if (!is_anchor_name(entry->d_name))
            continue;
        char *file = malloc(strlen(path) + 1 + strlen(entry->d_name) + 1);
        if (!file) {
            err = -ENOMEM;
            break;
        }
        stpcpy(stpcpy(stpcpy(file, path), "/"), entry->d_name);
        if (add_file(trust, file, &tally) == -ENOMEM)
            err = -ENOMEM;
        free(file);
    }
    if (dir)
        closedir(dir);
    if (err)
        return whorl_error_set(error, err, "TLS", "%s: %s", path, whorl_strerror(err));
    if (trust->count == before)
        return whorl_error_set(error, WHORL_ETLS_CAFILE, "TLS",
                               "%s: no usable certificate in this directory", path);
    return 0;
}

int tls_trust_load(const char *file, const char *dir, struct whorl_error *error,
                   struct tls_trust **ret)
{
    struct tls_trust *trust = calloc(1, sizeof *trust);
    int err = 0;

    if (!trust)
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    atomic_init(&trust->refs, 1);
    if (file)
        err = load_file(trust, file, error);
    if (dir && err == 0)
        err = load_dir(trust, dir, error);
    if (err) {
        tls_trust_release(trust);
        return err;
    }
    *ret = trust;
    return 0;
}

/* Loads the file or directory that the environment names, else the bundle of the distribution. The
 * paths are those of Debian and its derivatives, Fedora, SUSE, and Alpine and the BSDs. */
static int load_system(struct whorl_error *error, struct tls_trust **ret)
{
    static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    const char *file = secure_getenv("SSL_CERT_FILE"), *dir = secure_getenv("SSL_CERT_DIR");

    if (file && *file)
        return tls_trust_load(file, NULL, error, ret);
    if (dir && *dir)
        return tls_trust_load(NULL, dir, error, ret);
    for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++) {
        if (access(bundles[i], R_OK) == 0)
            return tls_trust_load(bundles[i], NULL, error, ret);
    }
    return whorl_error_set(error, WHORL_ETLS_CAFILE, "TLS",
                           "the system has no certificate bundle, such as %s; name a bundle with "
                           "SSL_CERT_FILE",
                           bundles[0]);
}

int tls_trust_system(struct whorl_error *error, struct tls_trust **ret)
{
    int err = 0;

    pthread_mutex_lock(&system_lock);
    if (!system_trust)
        err = load_system(error, &system_trust);
    if (err == 0) {
        atomic_fetch_add_explicit(&system_trust->refs, 1, memory_order_relaxed);
        *ret = system_trust;
    }
    pthread_mutex_unlock(&system_lock);
    return err;
}

void tls_trust_release(struct tls_trust *trust)
{
    if (!trust || atomic_fetch_sub_explicit(&trust->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < trust->count; i++)
        free((void *)(uintptr_t)trust->anchors[i].der.data);
    free(trust->anchors);
    free(trust);
}
