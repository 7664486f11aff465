/* SPDX-License-Identifier: MIT */
/* Loading trust anchors. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/tls.h>

#include "certs.h"
#include "faults.h"
#include "io/tls/config.h"
#include "io/tls/trust.h"
#include "subprocess.h"
#include "test.h"

static const char *path_of(const char *name)
{
    static char paths[16][512];
    static int next;
    char *path = paths[next++ % 16];

    snprintf(path, sizeof paths[0], "%s/%s", test_tmpdir(), name);
    return path;
}

static const char *put(const char *name, const char *text, size_t len)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "we");

    CHECK(file);
    CHECK_EQ(fwrite(text, 1, len, file), len);
    fclose(file);
    return path;
}

static const char *put_text(const char *name, const char *text)
{
    return put(name, text, strlen(text));
}

static char *get(const char *path)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "re");

    CHECK(text && file);
    CHECK(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

/* Number of anchors in a file. Fails the test when loading the file fails. */
static size_t count_in(const char *file)
{
    struct tls_trust *trust;
    struct whorl_error error = {0};
    int err = tls_trust_load(file, NULL, &error, &trust);

    if (err)
        test_fail(__FILE__, __LINE__, "%s: %s", file, error.text);
    size_t n = trust->count;
    tls_trust_release(trust);
    return n;
}

TEST(pem_file_gives_its_anchors)
{
    struct tls_trust *trust;

    CHECK_OK(tls_trust_load(cert_path("both-cas.pem"), NULL, NULL, &trust));
    CHECK_EQ(trust->count, 2);
    CHECK(trust->anchors[0].is_ca);
    CHECK(trust->anchors[1].is_ca);
    CHECK(trust->anchors[0].der.len > trust->anchors[1].der.len); /* RSA, then P-256 */
    tls_trust_release(trust);
}

TEST(pem_file_may_have_crlf_lines_comments_and_no_last_newline)
{
    char *pem = get(cert_path("both-cas.pem"));
    char *crlf = calloc(3, 65536), *to = crlf;

    to = stpcpy(to, "# two authorities\r\nsubject: CN=ca\r\n\r\n");
    for (const char *from = pem; *from; from++) {
        if (*from == '\n')
            *to++ = '\r';
        *to++ = *from;
    }
    CHECK_EQ(count_in(put_text("crlf.pem", crlf)), 2);
    while (to[-1] == '\r' || to[-1] == '\n')
        *--to = '\0';
    CHECK_EQ(count_in(put_text("no-newline.pem", crlf)), 2);
    pem[strlen(pem) - 1] = '\0';
    CHECK_EQ(count_in(put_text("lf-no-newline.pem", pem)), 2);
    free(pem);
    free(crlf);
}

TEST(der_file_gives_one_anchor)
{
    const char *der = path_of("ca.der");
    struct subprocess run;

    subprocess_run(&run,
                   (const char *[]){"openssl", "x509", "-in", cert_path("ca.pem"), "-outform",
                                    "DER", "-out", der, NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 0);
    subprocess_finish(&run);
    CHECK_EQ(count_in(der), 1);
}

TEST(openssl_trusted_certificate_gives_an_anchor)
{
    const char *pem = path_of("trusted.pem");
    struct subprocess run;

    subprocess_run(&run,
                   (const char *[]){"openssl", "x509", "-in", cert_path("ca.pem"), "-addtrust",
                                    "serverAuth", "-trustout", "-out", pem, NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 0);
    subprocess_finish(&run);
    CHECK_EQ(count_in(pem), 1);
}

TEST(openssl_trusted_certificate_that_is_not_for_servers_is_left_out)
{
    static const char *const options[][2] = {{"-addreject", "serverAuth"},
                                             {"-addreject", "anyExtendedKeyUsage"},
                                             {"-addtrust", "emailProtection"}};
    const char *pem = path_of("rejected.pem");
    struct whorl_error error = {0};
    struct tls_trust *trust;

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct subprocess run;
        subprocess_run(&run,
                       (const char *[]){"openssl", "x509", "-in", cert_path("ca.pem"),
                                        options[i][0], options[i][1], "-trustout", "-out", pem,
                                        NULL},
                       NULL);
        CHECK_EQ(run.exit_status, 0);
        subprocess_finish(&run);
        CHECK_ERR(tls_trust_load(pem, NULL, &error, &trust), WHORL_ETLS_CAFILE);
        CHECK(strstr(error.text, "no certificate in it is trusted for servers"));
    }
}

TEST(file_without_certificates_says_so)
{
    struct tls_trust *trust = NULL;
    struct whorl_error error;
    const char *path = put_text("empty.pem", "");
    char expected[600];

    CHECK_ERR(tls_trust_load(path, NULL, &error, &trust), WHORL_ETLS_CAFILE);
    snprintf(expected, sizeof expected, "%s: no certificate in it", path);
    CHECK_STR(error.text, expected);
    CHECK_STR(error.step, "TLS");
    CHECK_EQ(error.code, WHORL_ETLS_CAFILE);
    CHECK_ERR(tls_trust_load(cert_path("ca.key"), NULL, &error, &trust), WHORL_ETLS_CAFILE);
    CHECK(strstr(error.text, "ca.key: no certificate in it"));
    CHECK(!trust);
}

TEST(missing_file_gives_the_open_error)
{
    struct tls_trust *trust = NULL;
    struct whorl_error error;

    CHECK_ERR(tls_trust_load(path_of("nowhere.pem"), NULL, &error, &trust), -ENOENT);
    CHECK(strstr(error.text, "nowhere.pem: no such file"));
    CHECK_ERR(tls_trust_load(NULL, path_of("nowhere"), &error, &trust), -ENOENT);
    CHECK(strstr(error.text, "nowhere: no such file"));
    CHECK_ERR(tls_trust_load(test_tmpdir(), NULL, &error, &trust), -EISDIR);
    CHECK_ERR(tls_trust_load("/dev/zero", NULL, &error, &trust), WHORL_ETLS_CAFILE);
    CHECK_STR(error.text, "/dev/zero: too large for certificates");
}

TEST(damaged_file_is_refused_and_named)
{
    struct tls_trust *trust = NULL;
    struct whorl_error error;
    char *pem = get(cert_path("both-cas.pem"));
    char *second = strstr(pem + 1, "-----BEGIN");

    second[200] = '!';
    CHECK_ERR(tls_trust_load(put_text("bad.pem", pem), NULL, &error, &trust), WHORL_ETLS_CAFILE);
    CHECK(strstr(error.text, "bad.pem: certificate 2 is damaged or cut short"));
    second[150] = '\0';
    CHECK_ERR(tls_trust_load(put_text("cut.pem", pem), NULL, &error, &trust), WHORL_ETLS_CAFILE);
    CHECK(strstr(error.text, "cut.pem: certificate 2 is damaged or cut short"));
    CHECK_ERR(tls_trust_load(put_text("junk.pem", "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n"
                                                  "-----END CERTIFICATE-----\n"),
                             NULL, &error, &trust),
              WHORL_ETLS_CAFILE);
    CHECK(strstr(error.text, "junk.pem: no certificate with a usable key in it"));
    CHECK(!trust);
    free(pem);
}

TEST(directory_gives_each_anchor_once)
{
    struct tls_trust *trust;
    struct whorl_error error;
    char *ca = get(cert_path("ca.pem")), *ec = get(cert_path("ca-ec.pem"));
    const char *directory = path_of("anchors");

    CHECK_OK(mkdir(directory, 0700));
    CHECK_ERR(tls_trust_load(NULL, directory, &error, &trust), WHORL_ETLS_CAFILE);
    CHECK(strstr(error.text, "anchors: no usable certificate in this directory"));
    put_text("anchors/ca.txt", ca);
    put_text("anchors/.pem", ca);
    put_text("anchors/1234567.0", ca);
    put_text("anchors/12345678.x", ca);
    put_text("anchors/12345678.", ca);
    put_text("anchors/broken.pem", "-----BEGIN CERTIFICATE-----\n!\n");
    CHECK_OK(mkdir(path_of("anchors/directory.pem"), 0700));
    CHECK_ERR(tls_trust_load(NULL, directory, &error, &trust), WHORL_ETLS_CAFILE);
    put_text("anchors/one.CRT", ca);
    put_text("anchors/two.pem", ca);
    put_text("anchors/0a1b2c3d.0", ca);
    put_text("anchors/0a1b2c3d.11", ec);
    CHECK_OK(tls_trust_load(NULL, directory, &error, &trust));
    CHECK_EQ(trust->count, 2);
    tls_trust_release(trust);
    CHECK_OK(tls_trust_load(cert_path("foreign-ca.pem"), directory, &error, &trust));
    CHECK_EQ(trust->count, 3);
    tls_trust_release(trust);
    free(ca);
    free(ec);
}

static void *load_system(void *arg)
{
    struct tls_trust *trust = NULL;

    (void)arg;
    CHECK_OK(tls_trust_system(NULL, &trust));
    return trust;
}

TEST(system_bundle_is_loaded_once_for_all_threads)
{
    pthread_t threads[8];
    void *first = NULL, *trust;

    setenv("SSL_CERT_FILE", cert_path("both-cas.pem"), 1);
    for (int i = 0; i < 8; i++)
        CHECK_OK(pthread_create(&threads[i], NULL, load_system, NULL));
    for (int i = 0; i < 8; i++) {
        CHECK_OK(pthread_join(threads[i], &trust));
        first = first ? first : trust;
        CHECK(trust == first);
        tls_trust_release(trust);
    }
    unsetenv("SSL_CERT_FILE");
    CHECK(load_system(NULL) == first);
    tls_trust_release(first);
    CHECK_EQ(((struct tls_trust *)first)->count, 2);
}

TEST(system_bundle_failure_is_not_remembered)
{
    struct whorl_tls_config *config = NULL;
    struct whorl_error error;

    setenv("SSL_CERT_FILE", "/nowhere", 1);
    CHECK_ERR(whorl_tls_config_create(NULL, &error, &config), -ENOENT);
    CHECK_STR(error.text, "/nowhere: no such file or directory");
    CHECK(!config);
    setenv("SSL_CERT_FILE", cert_path("ca.pem"), 1);
    CHECK_OK(whorl_tls_config_create(NULL, &error, &config));
    whorl_tls_config_destroy(config);
}

TEST(system_bundle_may_be_a_directory_named_in_the_environment)
{
    struct tls_trust *trust;
    char *pem = get(cert_path("ca.pem"));

    CHECK_OK(mkdir(path_of("anchors"), 0700));
    put_text("anchors/ca.pem", pem);
    free(pem);
    setenv("SSL_CERT_FILE", "", 1);
    setenv("SSL_CERT_DIR", path_of("anchors"), 1);
    CHECK_OK(tls_trust_system(NULL, &trust));
    CHECK_EQ(trust->count, 1);
    tls_trust_release(trust);
}

TEST(system_bundle_of_this_machine_loads_whole)
{
    const char *bundle = "/etc/ssl/certs/ca-certificates.crt";
    char command[100];
    struct subprocess run;

    if (access(bundle, R_OK) != 0)
        test_skip("%s does not exist", bundle);
    snprintf(command, sizeof command, "grep -c BEGIN %s", bundle);
    subprocess_run(&run, (const char *[]){"sh", "-c", command, NULL}, NULL);
    /* Authorities that renewed their certificate with the same key count as one anchor. */
    CHECK(count_in(bundle) + 5 > (size_t)atoi(run.out));
    subprocess_finish(&run);
}

TEST(config_options_are_checked_and_copied)
{
    char name[300];
    const char *alpn[] = {"http/1.1", name, NULL};
    struct whorl_tls_options options = {.ca_file = cert_path("ca.pem"), .alpn = alpn};
    struct whorl_tls_config *config = NULL;
    struct whorl_error error;

    memset(name, 'x', sizeof name);
    name[256] = '\0';
    CHECK_ERR(whorl_tls_config_create(&options, &error, &config), -EINVAL);
    name[0] = '\0';
    CHECK_ERR(whorl_tls_config_create(&options, &error, &config), -EINVAL);
    strcpy(name, "h2");
    CHECK_OK(whorl_tls_config_create(&options, &error, &config));
    strcpy(name, "??");
    CHECK_EQ(config->alpn_count, 2);
    CHECK_STR(config->alpn[0], "http/1.1");
    CHECK_STR(config->alpn[1], "h2");
    whorl_tls_config_destroy(config);
    whorl_tls_config_destroy(NULL);
}

TEST(insecure_config_needs_no_anchors)
{
    struct whorl_tls_options options = {.insecure = true};
    struct whorl_tls_config *config;

    setenv("SSL_CERT_FILE", "/nowhere", 1);
    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    whorl_tls_config_destroy(config);
    options.ca_file = "/nowhere";
    CHECK_ERR(whorl_tls_config_create(&options, NULL, &config), -ENOENT);
}

TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    const char *directory = path_of("anchors");
    const char *alpn[] = {"http/1.1", NULL};
    struct whorl_tls_options options = {
        .ca_file = cert_path("both-cas.pem"), .ca_dir = directory, .alpn = alpn};
    char *pem = get(cert_path("foreign-ca.pem"));
    uint64_t n = 0;
    bool hit;

    setenv("SSLKEYLOGFILE", "/nowhere", 1);
    CHECK_OK(mkdir(directory, 0700));
    put_text("anchors/foreign.pem", pem);
    free(pem);
    do {
        struct whorl_tls_config *config = NULL;
        struct whorl_error error = {0};
        long live = faults_live();
        faults_arm(++n);
        int err = whorl_tls_config_create(&options, &error, &config);
        hit = faults_disarm();
        CHECK_ERR(err, hit ? -ENOMEM : 0);
        CHECK(!hit || (error.code == -ENOMEM && error.text[0]));
        whorl_tls_config_destroy(config);
        CHECK_EQ(faults_live(), live);
    } while (hit);
    CHECK(n > 15);
}

TEST_MAIN()
