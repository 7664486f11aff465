/* SPDX-License-Identifier: MIT */
/* Which certificates are accepted for which host, and the errors for the others. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/tls.h>

#include "certs.h"
#include "memstream.h"
#include "subprocess.h"
#include "test.h"
#include "tls_server.h"

enum { CERT_ALERT = 256 }; /* base of BearSSL's numbers for received alerts */

/* One handshake over memory. */
struct attempt {
    const char *cert, *host;
    struct whorl_tls_options options; /* ca_file NULL: the authority of certs.h */
    struct tls_server_options server;
    struct whorl_error error; /* error of the client */
    int server_error;         /* error of the server, as a BearSSL number */
};

struct service {
    struct whorl_stream *carrier;
    struct attempt *attempt;
};

static int serve(void *arg)
{
    struct service *service = arg;
    struct tls_server *server = tls_server_create(service->carrier, &service->attempt->server);
    char byte;

    if (tls_server_handshake(server) == 0)
        test_ignore(tls_server_read(server, &byte, 1));
    service->attempt->server_error = tls_server_error(server);
    tls_server_destroy(server);
    return 0;
}

static WHORL_SUSPENDS int run_attempt(struct attempt *attempt)
{
    WHORL_AUTO(tls_config) *config = NULL;
    WHORL_AUTO(group) group = {0};
    struct whorl_stream *client, *server, *stream;

    struct whorl_tls_options options = attempt->options;
    attempt->server.cert = attempt->cert;
    if (!options.ca_file)
        options.ca_file = cert_path("ca.pem");
    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    CHECK_OK(memstream_pair(&client, &server));
    struct service service = {server, attempt};
    CHECK_OK(whorl_spawn(&group, serve, &service));
    attempt->error.text[0] = '\0';
    int err = whorl_tls_connect(config, client, attempt->host, &attempt->error, &stream);
    CHECK(err == 0 || (attempt->error.code == err && attempt->error.text[0]));
    whorl_stream_close(err ? client : stream);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(memstream_alive(), 0);
    return err;
}

static WHORL_SUSPENDS int try_cert(const char *cert, const char *host)
{
    struct attempt attempt = {.cert = cert, .host = host};

    return run_attempt(&attempt);
}

static WHORL_SUSPENDS_SHIELDED void check_refused(struct attempt attempt, int expected,
                                                  const char *text, int alert)
{
    CHECK_ERR(run_attempt(&attempt), expected);
    CHECK_STR(attempt.error.text, text);
    CHECK_STR(attempt.error.step, "TLS");
    CHECK_EQ(attempt.server_error, CERT_ALERT + alert);
}

TEST_VIRTUAL(certificate_of_a_trusted_authority_is_accepted)
{
    struct attempt ec = {.cert = "ec", .host = "one.test"};

    CHECK_OK(try_cert("good", "localhost"));
    CHECK_OK(try_cert("good-ec", "localhost"));
    CHECK_OK(try_cert("good", "LOCALHOST"));
    CHECK_OK(try_cert("good", "two.test."));
    CHECK_OK(try_cert("chain", "localhost"));
    CHECK_ERR(run_attempt(&ec), WHORL_ETLS_TRUST);
    ec.options.ca_file = cert_path("ca-ec.pem");
    CHECK_OK(run_attempt(&ec));
    ec.options.ca_file = cert_path("both-cas.pem");
    CHECK_OK(run_attempt(&ec));
}

TEST_VIRTUAL(address_is_looked_for_in_the_alternative_names)
{
    CHECK_OK(try_cert("good", "127.0.0.1"));
    CHECK_OK(try_cert("good", "::1"));
    CHECK_OK(try_cert("good", "0:0:0:0:0:0:0:1"));
    CHECK_OK(try_cert("ip-only", "127.0.0.1"));
    CHECK_OK(try_cert("ip-only", "::1%lo"));
    CHECK_ERR(try_cert("good", "127.0.0.2"), WHORL_ETLS_NAME);
    CHECK_ERR(try_cert("good", "::2"), WHORL_ETLS_NAME);
    CHECK_ERR(try_cert("good", "::ffff:127.0.0.1"), WHORL_ETLS_NAME);
    CHECK_ERR(try_cert("names-only", "127.0.0.1"), WHORL_ETLS_NAME);
    CHECK_ERR(try_cert("common-name", "127.0.0.1"), WHORL_ETLS_NAME);
}

TEST_VIRTUAL(name_must_be_among_the_certificate_names)
{
    CHECK_OK(try_cert("wrong-name", "wrong.test"));
    CHECK_OK(try_cert("wildcard", "a.wild.test"));
    CHECK_OK(try_cert("common-name", "localhost"));
    CHECK_ERR(try_cert("wildcard", "wild.test"), WHORL_ETLS_NAME);
    CHECK_ERR(try_cert("wildcard", "a.b.wild.test"), WHORL_ETLS_NAME);
    CHECK_ERR(try_cert("ip-only", "localhost"), WHORL_ETLS_NAME);
    check_refused((struct attempt){.cert = "wrong-name", .host = "localhost"}, WHORL_ETLS_NAME,
                  "certificate is for wrong.test, not for localhost", 46);
    check_refused((struct attempt){.cert = "good", .host = "example.org"}, WHORL_ETLS_NAME,
                  "certificate is for localhost, one.test, two.test, 127.0.0.1, ::1, not for "
                  "example.org",
                  46);
}

TEST_VIRTUAL(dates_are_checked)
{
    struct attempt expired = {.cert = "expired", .host = "localhost"};

    check_refused(expired, WHORL_ETLS_EXPIRED, "certificate for localhost expired 2021-01-01", 45);
    check_refused((struct attempt){.cert = "future", .host = "one.test"}, WHORL_ETLS_EXPIRED,
                  "certificate for one.test is not valid before 2090-01-01", 45);
    expired.options.time_unix_s = 1590000000; /* 2020-05-20 */
    CHECK_OK(run_attempt(&expired));
    expired.options.time_unix_s = 1609459200; /* its last valid second */
    CHECK_OK(run_attempt(&expired));
    expired.options.time_unix_s++;
    CHECK_ERR(run_attempt(&expired), WHORL_ETLS_EXPIRED);
    expired.options.time_unix_s = -1;
    CHECK_ERR(run_attempt(&expired), WHORL_ETLS_EXPIRED);
}

TEST_VIRTUAL(expired_intermediate_is_named)
{
    struct attempt attempt = {.cert = "chain", .host = "localhost"};

    attempt.options.time_unix_s = 4000000000; /* 2096 */
    CHECK_ERR(run_attempt(&attempt), WHORL_ETLS_EXPIRED);
    CHECK(strncmp(attempt.error.text, "certificate for localhost expired 20", 36) == 0);
}

TEST_VIRTUAL(foreign_authority_is_refused)
{
    struct attempt self_signed = {.cert = "self-signed", .host = "localhost"};

    check_refused((struct attempt){.cert = "foreign", .host = "localhost"}, WHORL_ETLS_TRUST,
                  "certificate for localhost is issued by foreign-ca, which is not trusted", 48);
    check_refused(self_signed, WHORL_ETLS_TRUST,
                  "certificate for localhost is self-signed and not trusted", 48);
    check_refused((struct attempt){.cert = "no-chain", .host = "localhost"}, WHORL_ETLS_TRUST,
                  "certificate for localhost is issued by whorl tests intermediate, which is not "
                  "trusted",
                  48);
    CHECK_ERR(try_cert("not-a-ca", "localhost"), WHORL_ETLS_CERTIFICATE);
    self_signed.options.ca_file = cert_path("self-signed.pem");
    CHECK_OK(run_attempt(&self_signed));
}

TEST_VIRTUAL(leaf_may_be_trusted_itself)
{
    struct attempt attempt = {.cert = "foreign", .host = "localhost"};

    attempt.options.ca_file = cert_path("foreign.pem");
    CHECK_OK(run_attempt(&attempt));
    attempt.host = "example.org";
    CHECK_ERR(run_attempt(&attempt), WHORL_ETLS_NAME);
    attempt.cert = "expired";
    attempt.host = "localhost";
    attempt.options.ca_file = cert_path("expired.pem");
    CHECK_ERR(run_attempt(&attempt), WHORL_ETLS_EXPIRED);
}

TEST_VIRTUAL(chain_may_come_in_any_order_with_others_between)
{
    static const char *const more[] = {"ca.pem", "foreign-ca.pem", NULL};
    static const size_t orders[][6] = {
        {0, 2, 1, SIZE_MAX},    /* leaf, root, intermediate */
        {0, 3, 1, SIZE_MAX},    /* leaf, unrelated, intermediate */
        {0, 0, 1, 1, SIZE_MAX}, /* each one twice */
        {0, 3, 2, 1, SIZE_MAX},
    };
    static const size_t no_leaf_first[] = {1, 0, SIZE_MAX};
    struct attempt attempt = {.cert = "chain", .host = "localhost"};

    attempt.server.more_certs = more;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        attempt.server.chain = orders[i];
        CHECK_OK(run_attempt(&attempt));
    }
    attempt.server.chain = no_leaf_first;
    CHECK(run_attempt(&attempt) < 0);
}

TEST_VIRTUAL(oversized_chain_is_refused)
{
    size_t picks[18] = {0};
    struct attempt attempt = {.cert = "chain", .host = "localhost"};

    for (size_t i = 1; i < 16; i++)
        picks[i] = 1;
    picks[16] = SIZE_MAX;
    attempt.server.chain = picks;
    CHECK_OK(run_attempt(&attempt));
    picks[16] = 1;
    picks[17] = SIZE_MAX;
    check_refused(attempt, WHORL_ETLS_CERTIFICATE, "localhost sends an oversized certificate chain",
                  42);
}

TEST_VIRTUAL(insecure_accepts_any_certificate)
{
    static const char *const certs[] = {"good",        "good-ec", "foreign",   "expired",
                                        "self-signed", "future",  "wrong-name"};

    for (size_t i = 0; i < sizeof certs / sizeof *certs; i++) {
        struct attempt attempt = {.cert = certs[i], .host = "localhost"};
        attempt.options.insecure = true;
        CHECK_OK(run_attempt(&attempt));
    }
}

/* Makes a self-signed certificate that is its own authority. The attempt trusts it. */
static void self_made(struct attempt *attempt, const char *arguments)
{
    static char path[400], pem[410];
    char command[1200];
    struct subprocess run;

    snprintf(path, sizeof path, "%s/made", test_tmpdir());
    snprintf(pem, sizeof pem, "%s.pem", path);
    snprintf(command, sizeof command,
             "openssl req -x509 -nodes -days 5 -subj /CN=made -keyout %s.key -out %s "
             "-addext subjectAltName=DNS:localhost %s 2>&1",
             path, pem, arguments);
    subprocess_run(&run, (const char *[]){"sh", "-c", command, NULL}, NULL);
    if (run.exit_status != 0)
        test_skip("this openssl cannot make it: %s", run.out);
    subprocess_finish(&run);
    *attempt = (struct attempt){.cert = path, .host = "localhost"};
    attempt->options.ca_file = pem;
}

TEST_VIRTUAL(purpose_of_the_certificate_is_checked)
{
    struct attempt attempt;

    self_made(&attempt, "-newkey rsa:2048 -addext extendedKeyUsage=clientAuth");
    check_refused(attempt, WHORL_ETLS_CERTIFICATE,
                  "certificate for localhost is not meant for servers", 46);
    self_made(&attempt, "-newkey rsa:2048 -addext extendedKeyUsage=clientAuth,serverAuth");
    CHECK_OK(run_attempt(&attempt));
    self_made(&attempt, "-newkey rsa:2048 -addext extendedKeyUsage=anyExtendedKeyUsage");
    CHECK_OK(run_attempt(&attempt));
}

TEST_VIRTUAL(short_rsa_keys_are_refused)
{
    struct attempt attempt;

    self_made(&attempt, "-newkey rsa:1024");
    check_refused(attempt, WHORL_ETLS_CERTIFICATE,
                  "certificate for localhost has an RSA key shorter than 2048 bits (60)", 42);
}

TEST_VIRTUAL(sha1_signatures_are_refused)
{
    struct attempt attempt;

    self_made(&attempt, "-newkey rsa:2048 -sha1");
    check_refused(attempt, WHORL_ETLS_CERTIFICATE,
                  "certificate for localhost uses an algorithm that is not supported (49)", 42);
}

TEST_VIRTUAL(critical_extension_nobody_knows_is_refused)
{
    struct attempt attempt;

    self_made(&attempt, "-newkey rsa:2048 -addext 1.2.3.4=critical,DER:0500");
    check_refused(attempt, WHORL_ETLS_CERTIFICATE,
                  "certificate for localhost has a critical extension that is not supported (57)",
                  42);
}

TEST_VIRTUAL(every_curve_of_a_certificate_works)
{
    static const char *const curves[] = {"P-256", "P-384", "P-521"};
    char arguments[100];
    struct attempt attempt;

    for (size_t i = 0; i < 3; i++) {
        snprintf(arguments, sizeof arguments, "-newkey ec -pkeyopt ec_paramgen_curve:%s",
                 curves[i]);
        self_made(&attempt, arguments);
        CHECK_OK(run_attempt(&attempt));
    }
}

TEST_MAIN()
