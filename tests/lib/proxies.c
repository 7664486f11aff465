/* SPDX-License-Identifier: MIT */
/* Configures and starts real proxies. */
#include "proxies.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs.h"
#include "ports.h"
#include "subprocess.h"
#include "test.h"

static const struct proxy_options no_options;
static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};

static uint16_t begin(const char *program)
{
    uint16_t port;

    if (!test_has_program(program))
        test_skip("%s is not installed", program);
    close(port_listen(&port));
    return port;
}

static void wait_until_up(const char *program, uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};

    for (int i = 0; i < 1000 * test_timeout_scale(); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool answers = connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
        close(fd);
        if (answers)
            return;
        poll(NULL, 0, 10);
    }
    test_fail(__FILE__, __LINE__, "%s does not answer", program);
}

/* Opens the file "PROGRAM-PORT.conf" in the test's directory. */
static FILE *open_conf(char path[600], const char *program, uint16_t port)
{
    snprintf(path, 600, "%s/%s-%u.conf", test_tmpdir(), program, port);
    FILE *file = fopen(path, "w");
    if (!file)
        test_fail(__FILE__, __LINE__, "cannot write %s", path);
    return file;
}

/* Writes the passwords for squid's program digest_file_auth. Squid changes its user when root
 * starts it, and that user must be able to read the file. */
static void write_passwords(const struct proxy_options *options, uint16_t port, FILE *conf)
{
    char path[600];

    snprintf(path, sizeof path, "%s/squid-%u.passwords", test_tmpdir(), port);
    FILE *file = fopen(path, "w");
    if (!file)
        test_fail(__FILE__, __LINE__, "cannot write %s", path);
    fprintf(file, "%s:%s\n", options->user, options->password);
    fclose(file);
    CHECK_EQ(chmod(path, 0644), 0);
    CHECK_EQ(chmod(test_tmpdir(), 0711), 0);
    fprintf(conf,
            "auth_param digest program /usr/lib/squid/digest_file_auth %s\n"
            "auth_param digest children 1\nauth_param digest realm squid\n"
            "auth_param digest nonce_max_count 3\n",
            path);
}

/* Squid changes its user when root starts it, so it gets no file to write. Its program
 * basic_fake_auth accepts every password. */
uint16_t proxy_start_squid(const struct proxy_options *options)
{
    uint16_t port = begin("squid");
    char path[600], log[700], name[100];

    if (!options)
        options = &no_options;
    FILE *conf = open_conf(path, "squid", port);
    fprintf(conf, "%s 127.0.0.1:%u", options->cert ? "https_port" : "http_port", port);
    if (options->cert) {
        snprintf(name, sizeof name, "%s.pem", options->cert);
        fprintf(conf, " tls-cert=%s", cert_path(name));
        snprintf(name, sizeof name, "%s.key", options->cert);
        fprintf(conf, " tls-key=%s", cert_path(name));
    }
    fputs("\nvisible_hostname squid.test\npid_filename none\naccess_log none\n"
          "cache_log /dev/null\ncache_store_log none\ncache deny all\npinger_enable off\n"
          "shutdown_lifetime 0 seconds\ndns_nameservers 127.0.0.1\n",
          conf);
    if (options->digest)
        write_passwords(options, port, conf);
    else if (options->user)
        fputs("auth_param basic program /usr/lib/squid/basic_fake_auth\n"
              "auth_param basic children 1\n",
              conf);
    if (options->user)
        fputs("acl known proxy_auth REQUIRED\nhttp_access allow known\n", conf);
    else
        fputs("http_access allow all\n", conf);
    fclose(conf);
    snprintf(log, sizeof log, "%s.log", path);
    subprocess_daemon((const char *[]){"squid", "-N", "-f", path, NULL}, environment, log, NULL);
    wait_until_up("squid", port);
    return port;
}

uint16_t proxy_start_tinyproxy(const struct proxy_options *options)
{
    uint16_t port = begin("tinyproxy");
    char path[600], log[700];

    if (!options)
        options = &no_options;
    FILE *conf = open_conf(path, "tinyproxy", port);
    fprintf(conf, "Listen 127.0.0.1\nPort %u\nLogLevel Critical\nMaxClients 50\n", port);
    if (options->user)
        fprintf(conf, "BasicAuth %s %s\n", options->user, options->password);
    fclose(conf);
    snprintf(log, sizeof log, "%s.log", path);
    subprocess_daemon((const char *[]){"tinyproxy", "-d", "-c", path, NULL}, environment, log,
                      NULL);
    wait_until_up("tinyproxy", port);
    return port;
}

uint16_t proxy_start_microsocks(const struct proxy_options *options)
{
    uint16_t port = begin("microsocks");
    char text[16], log[600];

    if (!options)
        options = &no_options;
    snprintf(text, sizeof text, "%u", port);
    snprintf(log, sizeof log, "%s/microsocks-%u.log", test_tmpdir(), port);
    subprocess_daemon((const char *[]){"microsocks", "-i", "127.0.0.1", "-p", text,
                                       options->user ? "-u" : NULL, options->user, "-P",
                                       options->password, NULL},
                      environment, log, NULL);
    wait_until_up("microsocks", port);
    return port;
}
