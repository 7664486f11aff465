/* SPDX-License-Identifier: MIT */
/* Certificates and keys of servers: the kinds of keys and files, and what is refused. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/run.h>
#include <whorl/tls_server.h>

#include "certs.h"
#include "faults.h"
#include "io/tls/identity.h"
#include "subprocess.h"
#include "test.h"

static const char *temporary(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", test_tmpdir(), name);
    return path;
}

/* Runs a shell command in the temporary directory; $C is the directory of the certificates. */
static void shell(const char *command)
{
    char certs[600];
    struct subprocess run;
    struct subprocess_options options = {.dir = test_tmpdir()};

    snprintf(certs, sizeof certs, "C=%s", cert_path("."));
    options.env = (const char *const[]){certs, NULL};
    subprocess_run(&run, (const char *[]){"sh", "-ec", command, NULL}, &options);
    if (run.exit_status != 0)
        test_fail(__FILE__, __LINE__, "%s: %s", command, run.err);
    subprocess_finish(&run);
}

static int try_load(const char *cert, const char *key, struct whorl_error *error)
{
    struct whorl_tls_server_options options = {.cert_file = cert, .key_file = key};
    struct whorl_tls_server *server = NULL;

    memset(error, 0, sizeof *error);
    int err = whorl_tls_server_create(&options, error, &server);
    CHECK_EQ(server != NULL, err == 0);
    CHECK_ERR(error->code, err);
    if (err)
        CHECK_STR(error->step, "TLS");
    whorl_tls_server_destroy(server);
    return err;
}

TEST(keys_of_all_kinds_are_read)
{
    struct whorl_error error;

    shell("openssl rsa -traditional -in $C/good.key -out rsa-traditional.key;"
          "openssl pkcs8 -topk8 -nocrypt -in $C/good-ec.key -out ec-pkcs8.key;"
          "openssl ecparam -name prime256v1 -out params.pem;"
          "cat params.pem $C/good-ec.key > ec-params.key;"
          "cat $C/good.pem $C/good.key > both.pem; cat $C/good.key $C/chain.pem > other.pem;"
          "sed 's/$/\\r/' $C/good.pem > crlf.pem; printf %s \"$(cat $C/good.key)\" > no-end.key");
    CHECK_OK(try_load(cert_path("good.pem"), cert_path("good.key"), &error));
    CHECK_OK(try_load(cert_path("good.pem"), temporary("rsa-traditional.key"), &error));
    CHECK_OK(try_load(cert_path("good-ec.pem"), cert_path("good-ec.key"), &error));
    CHECK_OK(try_load(cert_path("good-ec.pem"), temporary("ec-pkcs8.key"), &error));
    CHECK_OK(try_load(cert_path("good-ec.pem"), temporary("ec-params.key"), &error));
    CHECK_OK(try_load(temporary("both.pem"), NULL, &error));
    CHECK_OK(try_load(temporary("crlf.pem"), temporary("no-end.key"), &error));
}

TEST(keys_of_longer_curves_are_read)
{
    struct whorl_error error;
    char command[400], name[32];

    for (int i = 0; i < 2; i++) {
        const char *curve = i ? "P-521" : "P-384";
        snprintf(command, sizeof command,
                 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:%s -nodes -subj /CN=x "
                 "-days 3 -keyout k%d.pem -out c%d.pem",
                 curve, i, i);
        shell(command);
        snprintf(name, sizeof name, "c%d.pem", i);
        const char *cert = temporary(name);
        snprintf(name, sizeof name, "k%d.pem", i);
        CHECK_OK(try_load(cert, temporary(name), &error));
    }
}

/* Checks the result and the text after the file's path. */
static void check_refused(const char *cert, const char *key, int code, const char *file,
                          const char *why)
{
    struct whorl_error error;
    char text[400];

    CHECK_ERR(try_load(cert, key, &error), code);
    snprintf(text, sizeof text, "%s: %s", file, why);
    CHECK_STR(error.text, text);
}

TEST(unusable_files_are_named_with_the_reason)
{
    static const struct {
        const char *file, *why;
    } certs[] =
        {
            {"empty.pem", "no certificate in it"},
            {"zero.pem", "too large for certificates and a key"},
            {"cut.pem", "object 1 is damaged or cut short"},
            {"bad.pem", "object 1 is damaged or cut short"},
            {"odd.pem", "first certificate is malformed"},
            {"many.pem", "more than 16 certificates in it"},
            {"client.pem", "first certificate is not meant for servers"},
            {"usage.pem", "key of the first certificate may not sign handshakes"},
        },
      keys[] = {
          {"cut.key", "object 1 is damaged or cut short"},
          {"old-locked.key", "private key is encrypted; decrypt it first"},
          {"locked.key", "private key is encrypted; decrypt it first"},
          {"odd.key", "private key is neither RSA of up to 4096 bits nor EC, or is damaged"},
          {"ed.key", "private key is neither RSA of up to 4096 bits nor EC, or is damaged"},
      };
    const char *good = cert_path("good.pem"), *key = cert_path("good.key");
    const char *expired = cert_path("expired.pem"), *future = cert_path("future.pem");
    const int code = WHORL_ETLS_CERTFILE;

    shell(
        "openssl rsa -aes128 -passout pass:x -traditional -in $C/good.key -out old-locked.key;"
        "openssl pkcs8 -topk8 -passout pass:x -in $C/good.key -out locked.key;"
        "head -c 700 $C/good.pem > cut.pem; head -c 700 $C/good.key > cut.key;"
        "sed '3s/./!/' $C/good.pem > bad.pem; : > empty.pem; head -c 300000 /dev/zero > zero.pem;"
        "printf -- '-----BEGIN PRIVATE KEY-----\\nMAA=\\n-----END PRIVATE KEY-----\\n' > odd.key;"
        "printf -- '-----BEGIN CERTIFICATE-----\\nMAA=\\n-----END CERTIFICATE-----\\n' > odd.pem;"
        "openssl genpkey -algorithm ed25519 -out ed.key;"
        "openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=x -days 3 -keyout short.key "
        "-out short.pem;"
        "openssl req -x509 -key $C/good.key -subj /CN=x -days 3 -out client.pem "
        "-addext extendedKeyUsage=clientAuth;"
        "openssl req -x509 -key $C/good.key -subj /CN=x -days 3 -out usage.pem "
        "-addext keyUsage=critical,keyEncipherment;"
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do cat $C/good.pem; done > many.pem");
    check_refused("/nowhere.pem", key, -ENOENT, "/nowhere.pem", "no such file or directory");
    check_refused(good, "/nowhere.key", -ENOENT, "/nowhere.key", "no such file or directory");
    check_refused("/", key, -EISDIR, "/", "is a directory");
    check_refused(good, NULL, code, good, "no private key in it");
    for (size_t i = 0; i < sizeof certs / sizeof *certs; i++) {
        const char *cert = temporary(certs[i].file);
        check_refused(cert, key, code, cert, certs[i].why);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *bad = temporary(keys[i].file);
        check_refused(good, bad, code, bad, keys[i].why);
    }
    check_refused(temporary("short.pem"), temporary("short.key"), code, temporary("short.key"),
                  "RSA key is shorter than 2048 bits");
    check_refused(expired, cert_path("expired.key"), WHORL_ETLS_EXPIRED, expired,
                  "certificate expired 2021-01-01");
    check_refused(future, cert_path("future.key"), WHORL_ETLS_EXPIRED, future,
                  "certificate is not valid before 2090-01-01");
}

TEST(key_must_belong_to_the_certificate)
{
    static const char *const pairs[][2] = {
        {"good", "ca"}, {"good", "good-ec"}, {"good-ec", "good"}, {"good-ec", "ec"}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char cert[64], key[64], why[400];
        snprintf(cert, sizeof cert, "%s.pem", pairs[i][0]);
        snprintf(key, sizeof key, "%s.key", pairs[i][1]);
        snprintf(why, sizeof why, "private key does not belong to the first certificate in %s",
                 cert_path(cert));
        check_refused(cert_path(cert), cert_path(key), WHORL_ETLS_CERTFILE, cert_path(key), why);
    }
}

TEST(expired_certificate_is_valid_at_an_earlier_time)
{
    struct whorl_tls_server_options options = {.cert_file = cert_path("expired.pem"),
                                               .key_file = cert_path("expired.key"),
                                               .time_unix_s = 1600000000};
    struct whorl_tls_server *server;

    CHECK_OK(whorl_tls_server_create(&options, NULL, &server));
    whorl_tls_server_destroy(server);
}

TEST(options_need_a_certificate_and_sound_protocols)
{
    struct whorl_tls_server_options options = {0};
    struct whorl_tls_server *server;
    struct whorl_error error;

    CHECK_ERR(whorl_tls_server_create(NULL, &error, &server), -EINVAL);
    CHECK_STR(error.text, "no certificate was given");
    CHECK_ERR(whorl_tls_server_create(&options, NULL, &server), -EINVAL);
    options.cert_file = cert_path("good.pem");
    options.key_file = cert_path("good.key");
    options.alpn = (const char *const[]){"", NULL};
    CHECK_ERR(whorl_tls_server_create(&options, &error, &server), -EINVAL);
    CHECK_STR(error.text, "ALPN protocols: invalid argument");
    whorl_tls_server_destroy(NULL);
}

/* Of several pairs, the one that fails is named, and those before it are freed. */
TEST(further_pairs_are_checked_too)
{
    struct whorl_tls_pair more[] = {{cert_path("ec.pem"), cert_path("ec.key")},
                                    {cert_path("good-ec.pem"), "/nowhere.key"},
                                    {0}};
    struct whorl_tls_server_options options = {
        .cert_file = cert_path("good.pem"), .key_file = cert_path("good.key"), .more = more};
    struct whorl_tls_server *server;
    struct whorl_error error;
    long live = faults_live();

    CHECK_ERR(whorl_tls_server_create(&options, &error, &server), -ENOENT);
    CHECK_STR(error.text, "/nowhere.key: no such file or directory");
    CHECK_EQ(faults_live(), live);
}

TEST_MAIN()
