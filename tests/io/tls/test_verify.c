/* SPDX-License-Identifier: MIT */
/* Which certificates are accepted for which host, and the errors for the others. */
#include <stdlib.h>
#include <time.h>

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
    expired.options.ca_file = cert_path("expired.pem"); /* the authority is not that old */
    expired.options.time_unix_s = 1590000000;           /* 2020-05-20 */
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

/* Makes a certificate that the attempt trusts. It is self-signed unless the arguments name an
 * authority. */
static void self_made(struct attempt *attempt, const char *arguments)
{
    static char path[400], pem[410];
    char command[2400];
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
                  "certificate for localhost has an RSA key shorter than 2048 bits", 42);
}

TEST_VIRTUAL(sha1_signatures_are_refused)
{
    struct attempt attempt;

    char arguments[1200];

    snprintf(arguments, sizeof arguments, "-newkey rsa:2048 -sha1 -CA %s -CAkey %s",
             cert_path("ca.pem"), cert_path("ca.key"));
    self_made(&attempt, arguments);
    attempt.options.ca_file = NULL;
    check_refused(attempt, WHORL_ETLS_CERTIFICATE,
                  "certificate for localhost uses an algorithm that is not supported", 42);
}

TEST_VIRTUAL(critical_extension_nobody_knows_is_refused)
{
    struct attempt attempt;

    self_made(&attempt, "-newkey rsa:2048 -addext 1.2.3.4=critical,DER:0500");
    check_refused(attempt, WHORL_ETLS_CERTIFICATE,
                  "certificate for localhost has a critical extension that is not supported", 42);
}

/* --- pins --- */

/* The pin of a certificate of certs.h, as openssl computes it. */
static void find_pin(const char *cert, char pin[100])
{
    char command[1000];
    struct subprocess run;

    snprintf(command, sizeof command,
             "openssl x509 -in %s -pubkey -noout | openssl pkey -pubin -outform der |"
             " openssl dgst -sha256 -binary | openssl base64 -A",
             cert_path(cert));
    subprocess_run(&run, (const char *[]){"sh", "-c", command, NULL}, NULL);
    CHECK_EQ(run.exit_status, 0);
    snprintf(pin, 100, "sha256//%s", run.out);
    subprocess_finish(&run);
}

TEST_VIRTUAL(key_must_be_one_of_the_pinned_ones)
{
    char good[100], other[100], text[200];
    struct attempt attempt = {.cert = "good", .host = "localhost"};

    find_pin("good.pem", good);
    find_pin("good-ec.pem", other);
    attempt.options.pins = (const char *const[]){other, good, NULL};
    CHECK_OK(run_attempt(&attempt));
    attempt.cert = "good-ec";
    CHECK_OK(run_attempt(&attempt));
    attempt.cert = "expired"; /* a pin replaces no other check */
    CHECK_ERR(run_attempt(&attempt), WHORL_ETLS_EXPIRED);
    attempt.cert = "good";
    attempt.options.pins = (const char *const[]){other, NULL};
    snprintf(text, sizeof text, "key of localhost is not one of the pinned ones: it has %s", good);
    check_refused(attempt, WHORL_ETLS_PIN, text, 42);
    attempt.options.insecure = true;
    check_refused(attempt, WHORL_ETLS_PIN, text, 42);
    attempt.cert = "good-ec";
    CHECK_OK(run_attempt(&attempt));
}

TEST(pins_must_be_hashes)
{
    static const char *const bad[] = {
        "",
        "sha256//",
        "sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", /* bits that do not count */
        "sha256//AAAAAAAAAAAAAAAAAAAAA-AAAAAAAAAAAAAAAAAAAAA=",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "SHA256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
    struct whorl_tls_options options = {.insecure = true};
    struct whorl_tls_config *config;
    struct whorl_error error;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.pins = (const char *const[]){bad[i], NULL};
        CHECK_ERR(whorl_tls_config_create(&options, &error, &config), -EINVAL);
        CHECK(strstr(error.text, "is not sha256// with 44 characters of base64"));
    }
    options.pins =
        (const char *const[]){"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NULL};
    CHECK_OK(whorl_tls_config_create(&options, &error, &config));
    whorl_tls_config_destroy(config);
}

/* --- paths --- */

/* Makes keys and certificates in the test's directory by a shell script, in which
 *
 *     root NAME [EXTENSION...]               makes a self-signed authority
 *     issue NAME ISSUER DAYS [EXTENSION...]  makes a certificate with the subject CN=NAME
 *
 * and as=SUBJECT gives another common name to the next one. */
static void run_script(const char *text)
{
    static const char functions[] =
        "set -e; umask 077\n"
        "ca='basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign'\n"
        "leaf='basicConstraints=CA:FALSE subjectAltName=DNS:localhost'\n"
        "extensions() { for x; do echo \"$x\"; done; }\n"
        "root() { n=$1; shift; openssl ecparam -name prime256v1 -genkey -noout -out $n.key\n"
        "  { printf '[req]\\ndistinguished_name=d\\n[d]\\n[e]\\n'; extensions \"$@\"; } > $n.conf\n"
        "  openssl req -x509 -new -sha256 -key $n.key -out $n.pem -days 30 -subj /CN=${as:-$n} \\\n"
        "    -config $n.conf -extensions e; as=; }\n"
        "issue() { n=$1 i=$2 days=$3; shift 3; openssl ecparam -name prime256v1 -genkey -noout \\\n"
        "    -out $n.key; openssl req -new -key $n.key -out $n.csr -subj /CN=${as:-$n} \\\n"
        "    -config $i.conf; extensions \"$@\" > $n.ext\n"
        "  { printf '[req]\\ndistinguished_name=d\\n[d]\\n[e]\\n'; extensions \"$@\"; } > $n.conf\n"
        "  openssl x509 -req -sha256 -in $n.csr -CA $i.pem -CAkey $i.key -CAcreateserial \\\n"
        "    -days $days -extfile $n.ext -out $n.pem; as=; }\n";
    char *script = malloc(sizeof functions + strlen(text));
    struct subprocess run;

    strcpy(stpcpy(script, functions), text);
    subprocess_run(&run, (const char *[]){"sh", "-c", script, NULL},
                   &(struct subprocess_options){.dir = test_tmpdir(), .timeout_s = 30});
    if (run.exit_status != 0)
        test_fail(__FILE__, __LINE__, "openssl: %s", run.err);
    subprocess_finish(&run);
    free(script);
}

/* The path of a file that run_script() made. */
static const char *made(const char *name)
{
    static char paths[8][500];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", test_tmpdir(), name);
    return path;
}

static WHORL_SUSPENDS int try_made(const char *cert, const char *anchor, const char *host)
{
    struct attempt attempt = {.cert = made(cert), .host = host};

    attempt.options.ca_file = made(anchor);
    return run_attempt(&attempt);
}

/* BearSSL's own verifier compares only subject and key of such an anchor. */
TEST_VIRTUAL(trusted_leaf_vouches_for_nothing_but_itself)
{
    run_script("root pinned basicConstraints=CA:FALSE subjectAltName=DNS:localhost\n"
               /* the same name and key, for another host */
               "cp pinned.key forged.key; printf 'subjectAltName=DNS:bank.test' > forged.ext\n"
               "openssl req -new -key pinned.key -subj /CN=pinned -config pinned.conf |\n"
               "  openssl x509 -req -sha256 -signkey pinned.key -days 5 -extfile forged.ext \\\n"
               "    -out forged.pem\n"
               /* and one that the pinned key has signed */
               "issue below pinned 5 subjectAltName=DNS:bank.test\n");
    CHECK_OK(try_made("pinned", "pinned.pem", "localhost"));
    CHECK_ERR(try_made("pinned", "pinned.pem", "bank.test"), WHORL_ETLS_NAME);
    CHECK_ERR(try_made("forged", "pinned.pem", "bank.test"), WHORL_ETLS_TRUST);
    CHECK_ERR(try_made("below", "pinned.pem", "bank.test"), WHORL_ETLS_TRUST);
}

/* openssl-x509(1) makes such an anchor when it gets no extensions: a certificate of version 1. */
TEST_VIRTUAL(anchor_that_is_no_authority_is_named)
{
    run_script("root old; openssl req -new -key old.key -subj /CN=old -config old.conf |\n"
               "  openssl x509 -req -signkey old.key -days 5 -out old.pem\n"
               "issue leaf old 5 $leaf\n");
    struct attempt attempt = {.cert = made("leaf"), .host = "localhost"};
    attempt.options.ca_file = made("old.pem");
    check_refused(attempt, WHORL_ETLS_TRUST,
                  "certificate for localhost is issued by old, which is trusted as a server, but "
                  "not as an authority: it does not say CA:TRUE",
                  48);
}

TEST_VIRTUAL(purpose_of_an_authority_is_checked)
{
    run_script("root top $ca\n"
               "issue mail top 5 $ca extendedKeyUsage=emailProtection\n"
               "issue web top 5 $ca extendedKeyUsage=serverAuth\n"
               "issue by-mail mail 5 $leaf; cat mail.pem >> by-mail.pem\n"
               "issue by-web web 5 $leaf extendedKeyUsage=critical,serverAuth\n"
               "cat web.pem >> by-web.pem\n"
               "root mail-root $ca extendedKeyUsage=emailProtection\n"
               "issue by-mail-root mail-root 5 $leaf\n");
    struct attempt attempt = {.cert = made("by-mail"), .host = "localhost"};
    attempt.options.ca_file = made("top.pem");
    check_refused(
        attempt, WHORL_ETLS_CERTIFICATE,
        "certificate for localhost is issued by an authority that is not meant for servers", 42);
    CHECK_ERR(try_made("by-mail-root", "mail-root.pem", "localhost"), WHORL_ETLS_CERTIFICATE);
    CHECK_OK(try_made("by-web", "top.pem", "localhost"));
}

TEST_VIRTUAL(name_constraints_hold_for_anchors_and_intermediates)
{
    run_script("root top $ca\n"
               "issue inner top 5 $ca 'nameConstraints=critical,permitted;DNS:in.test,permitted;IP:"
               "10.0.0.0/255.0.0.0,excluded;DNS:secret.in.test'\n"
               "of() { issue $1 $2 5 basicConstraints=CA:FALSE subjectAltName=$3\n"
               "  cat $2.pem >> $1.pem; }\n"
               "of good inner DNS:a.in.test; of bare inner DNS:in.test; of ip inner IP:10.1.2.3\n"
               "of outside inner DNS:bank.test; of near inner DNS:badin.test\n"
               "of secret inner DNS:x.secret.in.test; of wild inner 'DNS:*.in.test'\n"
               "of second inner DNS:a.in.test,DNS:bank.test; of wrong-ip inner IP:11.1.2.3\n"
               "of other-kind inner DNS:a.in.test,email:a@b.test\n"
               "as=bank.test; issue no-san inner 5 basicConstraints=CA:FALSE\n"
               "cat inner.pem >> no-san.pem\n"
               "issue lower inner 5 $ca; issue deep lower 5 basicConstraints=CA:FALSE \\\n"
               "  subjectAltName=DNS:bank.test; cat lower.pem inner.pem >> deep.pem\n"
               "root narrow $ca 'nameConstraints=permitted;DNS:in.test'\n"
               "of n-good narrow DNS:in.test; of n-bad narrow DNS:bank.test\n");
    CHECK_OK(try_made("good", "top.pem", "a.in.test"));
    CHECK_OK(try_made("bare", "top.pem", "in.test"));
    CHECK_OK(try_made("ip", "top.pem", "10.1.2.3"));
    CHECK_OK(try_made("other-kind", "top.pem", "a.in.test")); /* mail is not constrained */
    static const char *const refused[][2] = {
        {"outside", "bank.test"}, {"near", "badin.test"},  {"secret", "x.secret.in.test"},
        {"wild", "a.in.test"},    {"second", "a.in.test"}, {"wrong-ip", "11.1.2.3"},
        {"no-san", "bank.test"},  {"deep", "bank.test"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        CHECK_ERR(try_made(refused[i][0], "top.pem", refused[i][1]), WHORL_ETLS_CERTIFICATE);
    CHECK_OK(try_made("n-good", "narrow.pem", "in.test"));
    CHECK_ERR(try_made("n-bad", "narrow.pem", "bank.test"), WHORL_ETLS_CERTIFICATE);
}

/* "Issuing CA" is no DNS name, so constraints on DNS names do not concern it. */
TEST_VIRTUAL(common_name_of_an_authority_is_not_constrained)
{
    run_script("root top $ca 'nameConstraints=critical,permitted;DNS:localhost'\n"
               "as=Issuing_CA; issue sub top 5 $ca; issue leaf sub 5 $leaf\n"
               "as=sub.localhost; issue low sub 5 $ca; issue deep low 5 $leaf\n"
               "as=bank.test; issue no-san sub 5 $ca\n" /* an authority as the server */
               "cat sub.pem >> leaf.pem; cat sub.pem >> no-san.pem\n"
               "cat low.pem sub.pem >> deep.pem\n");
    CHECK_OK(try_made("leaf", "top.pem", "localhost"));
    CHECK_OK(try_made("deep", "top.pem", "localhost"));
    CHECK_ERR(try_made("no-san", "top.pem", "bank.test"), WHORL_ETLS_CERTIFICATE);
}

/* RFC 5280 §6.1: they restrict nothing unless some policy is required. */
TEST_VIRTUAL(critical_policies_are_accepted_unless_one_is_required)
{
    run_script("root top $ca; issue sub top 5 $ca certificatePolicies=critical,1.2.3.4 \\\n"
               "  inhibitAnyPolicy=critical,0\n"
               "issue leaf sub 5 $leaf certificatePolicies=critical,1.2.3.4\n"
               "issue strict top 5 $ca policyConstraints=critical,requireExplicitPolicy:0\n"
               "issue below strict 5 $leaf\n"
               "cat sub.pem >> leaf.pem; cat strict.pem >> below.pem\n");
    CHECK_OK(try_made("leaf", "top.pem", "localhost"));
    CHECK_ERR(try_made("below", "top.pem", "localhost"), WHORL_ETLS_CERTIFICATE);
}

TEST_VIRTUAL(path_length_and_key_usage_hold_for_anchors_too)
{
    run_script("root short basicConstraints=critical,CA:TRUE,pathlen:0\n"
               "issue mid short 5 $ca; issue two mid 5 $leaf; cat mid.pem >> two.pem\n"
               "issue one short 5 $leaf\n"
               "root mute basicConstraints=critical,CA:TRUE keyUsage=digitalSignature\n"
               "issue by-mute mute 5 $leaf\n"
               "root top $ca; issue enc top 5 $leaf keyUsage=critical,keyEncipherment\n");
    CHECK_OK(try_made("one", "short.pem", "localhost"));
    CHECK_ERR(try_made("two", "short.pem", "localhost"), WHORL_ETLS_CERTIFICATE);
    CHECK_ERR(try_made("by-mute", "mute.pem", "localhost"), WHORL_ETLS_CERTIFICATE);
    CHECK_ERR(try_made("enc", "top.pem", "localhost"), WHORL_ETLS_CERTIFICATE);
}

TEST_VIRTUAL(expired_anchor_vouches_for_nothing)
{
    struct attempt attempt = {.cert = made("leaf"), .host = "localhost"};

    run_script("root top $ca; issue leaf top 90 $leaf\n"); /* the anchor ends in 30 days */
    attempt.options.ca_file = made("top.pem");
    CHECK_OK(run_attempt(&attempt));
    attempt.options.time_unix_s = time(NULL) + 60 * 24 * 3600;
    CHECK_ERR(run_attempt(&attempt), WHORL_ETLS_EXPIRED);
    CHECK(strncmp(attempt.error.text, "certificate of authority top for localhost expired ", 51) ==
          0);
}

/* Two intermediates have the same name and key, and the first one has expired. The same with a
 * first one that is unrelated. */
TEST_VIRTUAL(another_way_is_tried_when_one_is_a_dead_end)
{
    run_script(
        "root top $ca; root other $ca\n"
        "as=mid; issue mid top 60 $ca; cp mid.pem mid-long.pem\n"
        "as=mid; issue mid-new top 5 $ca\n"
        "openssl x509 -req -sha256 -in mid.csr -CA top.pem -CAkey top.key -CAcreateserial \\\n"
        "  -days 5 -extfile mid.ext -out mid-short.pem\n"
        "issue leaf mid 60 $leaf; cp leaf.pem alone.pem; cp leaf.key stranger.key\n"
        "cat alone.pem mid-short.pem mid-long.pem > leaf.pem\n"
        "as=mid; issue stranger-mid other 60 $ca\n"
        "cat alone.pem stranger-mid.pem mid-short.pem mid-long.pem > stranger.pem\n");
    struct attempt attempt = {.cert = made("leaf"), .host = "localhost"};
    attempt.options.ca_file = made("top.pem");
    attempt.options.time_unix_s = time(NULL) + 20 * 24 * 3600;
    CHECK_OK(run_attempt(&attempt));
    attempt.cert = made("stranger");
    CHECK_OK(run_attempt(&attempt));
}

TEST_VIRTUAL(signatures_are_verified)
{
    run_script("root top $ca; as=top; root forged-top $ca; issue forged forged-top 5 $leaf\n"
               "issue mid top 5 $ca; as=mid; issue forged-mid forged-top 5 $ca\n"
               "issue leaf mid 5 $leaf; issue below forged-mid 5 $leaf\n"
               "cp leaf.key mixed.key; cat leaf.pem forged-mid.pem > mixed.pem\n"
               "cat forged-mid.pem >> below.pem\n");
    CHECK_ERR(try_made("forged", "top.pem", "localhost"), WHORL_ETLS_TRUST);
    CHECK_ERR(try_made("below", "top.pem", "localhost"), WHORL_ETLS_TRUST);
    CHECK_ERR(try_made("mixed", "top.pem", "localhost"), WHORL_ETLS_TRUST);
    /* RSA: the name of the usual authority, and the key of another one */
    run_script(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa-top.pem -days 5 \\\n"
        "  -subj '/O=whorl tests/CN=ca'\n"
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout by-rsa.key -out by-rsa.pem -days 5 \\\n"
        "  -CA rsa-top.pem -CAkey rsa.key -subj /CN=x -addext subjectAltName=DNS:localhost\n");
    CHECK_OK(try_made("by-rsa", "rsa-top.pem", "localhost"));
    struct attempt attempt = {.cert = made("by-rsa"), .host = "localhost"};
    CHECK_ERR(run_attempt(&attempt), WHORL_ETLS_TRUST);
}

/* All certificates have the same name and key, so each one has issued all others. There are more
 * orders than can be tried. */
TEST_VIRTUAL(search_for_a_path_is_bounded)
{
    struct attempt attempt = {.cert = made("leaf"), .host = "localhost"};

    run_script("root other $ca; as=same; root same $ca; issue leaf same 5 $leaf\n"
               "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do\n"
               "  openssl req -x509 -new -sha256 -key same.key -days 5 -subj /CN=same \\\n"
               "    -config same.conf -extensions e >> leaf.pem; done\n");
    attempt.options.ca_file = made("other.pem");
    CHECK_ERR(run_attempt(&attempt), WHORL_ETLS_TRUST); /* within the test's time limit */
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
