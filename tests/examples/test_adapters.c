/* SPDX-License-Identifier: MIT */
/* The adapters, each tested with the real library and a real server on loopback. */
#include <arpa/inet.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports.h"
#include "subprocess.h"
#include "test.h"

#if defined(HAVE_HIREDIS) || defined(HAVE_LIBPQ)
/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    uint16_t port;

    close(port_listen(&port));
    return port;
}

static void stop(struct subprocess *server, int signal)
{
    subprocess_signal(server, signal);
    subprocess_wait(server);
    CHECK(!server->timed_out);
    subprocess_finish(server);
}
#endif

TEST_SLOW(curl_multi_fetches_side_by_side, TEST_PLAIN, 30)
{
#ifndef HAVE_CURL_MULTI
    test_skip("libcurl4-openssl-dev is not installed");
#else
    struct subprocess site, run;
    char good[64], also[64], missing[64], refused[64], expected[160];
    int port = 0;

    subprocess_start(&site,
                     (const char *[]){test_program("examples/site"), "--latency", "20",
                                      "--exit-with-parent", NULL},
                     NULL);
    subprocess_wait_output(&site, "\n", false);
    CHECK_EQ(sscanf(site.out, "listening on port %d\n", &port), 1);
    snprintf(good, sizeof good, "http://one.localhost:%d/page-001.html", port);
    snprintf(also, sizeof also, "http://two.localhost:%d/page-002.html", port);
    snprintf(missing, sizeof missing, "http://two.localhost:%d/page-001.html", port);
    snprintf(refused, sizeof refused, "http://127.0.0.1:%d/", port_refused());
    subprocess_run(&run,
                   (const char *[]){test_program("examples/adapters/curl_multi"), good, also,
                                    missing, refused, NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 0);
    CHECK_STR(run.err, "");
    snprintf(expected, sizeof expected, "%s: 200, ", good);
    CHECK(strstr(run.out, expected));
    snprintf(expected, sizeof expected, "%s: 200, ", also);
    CHECK(strstr(run.out, expected));
    snprintf(expected, sizeof expected, "%s: 404, 13 bytes, No error\n", missing);
    CHECK(strstr(run.out, expected));
    snprintf(expected, sizeof expected, "%s: 0, 0 bytes, Couldn't connect to server\n", refused);
    CHECK(strstr(run.out, expected));
    subprocess_finish(&run);
    subprocess_signal(&site, SIGTERM);
    subprocess_wait(&site);
    subprocess_finish(&site);
#endif
}

TEST_SLOW(hiredis_talks_to_a_real_redis, TEST_PLAIN, 30)
{
#ifndef HAVE_HIREDIS
    test_skip("libhiredis-dev is not installed");
#else
    struct subprocess server, run;
    char port[16], refused[16];

    if (!test_has_program("redis-server"))
        test_skip("redis-server is not installed");
    snprintf(port, sizeof port, "%d", free_port());
    subprocess_start(&server,
                     (const char *[]){"redis-server", "--bind", "127.0.0.1", "--port", port,
                                      "--save", "", "--appendonly", "no", "--dir", test_tmpdir(),
                                      NULL},
                     NULL);
    subprocess_wait_output(&server, "eady to accept connections", false);
    subprocess_run(&run, (const char *[]){test_program("examples/adapters/hiredis"), port, NULL},
                   NULL);
    CHECK_STR(run.err, "");
    CHECK_STR(run.out, "greeting: hello\nvisits: 1001\n");
    CHECK_EQ(run.exit_status, 0);
    subprocess_finish(&run);
    stop(&server, SIGTERM);

    snprintf(refused, sizeof refused, "%d", port_refused());
    subprocess_run(&run, (const char *[]){test_program("examples/adapters/hiredis"), refused, NULL},
                   NULL);
    CHECK_STR(run.out, "");
    CHECK_EQ(run.exit_status, 1);
    subprocess_finish(&run);
#endif
}

#ifdef HAVE_LIBPQ
/* Fills `argv` with a prefix that runs a PostgreSQL program as another user, because PostgreSQL
 * refuses to run as root. Returns the number of words; 0 when the test does not run as root. */
static size_t as_nobody(const char *argv[8])
{
    static const char *const prefix[] = {"setpriv", "--reuid",        "nobody",      "--regid",
                                         "nogroup", "--clear-groups", "--pdeathsig", "INT"};

    if (geteuid() != 0)
        return 0;
    memcpy(argv, prefix, sizeof prefix);
    return 8;
}

/* Returns the path of this program of the newest installed PostgreSQL, or NULL. */
static const char *postgres_program(const char *name, char *path, size_t size)
{
    char pattern[128];
    glob_t found;

    snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    snprintf(path, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return path;
}
#endif

TEST_SLOW(libpq_queries_a_real_postgresql, TEST_PLAIN, 60)
{
#ifndef HAVE_LIBPQ
    test_skip("libpq-dev is not installed");
#else
    struct subprocess server, run;
    struct subprocess_options options = {.dir = test_tmpdir(), .timeout_s = 45};
    char initdb[256], postgres[256], port[16], conninfo[128];
    const char *argv[32];

    if (!postgres_program("initdb", initdb, sizeof initdb) ||
        !postgres_program("postgres", postgres, sizeof postgres))
        test_skip("postgresql is not installed");
    if (geteuid() == 0 && !test_has_program("setpriv"))
        test_skip("PostgreSQL refuses to run as root, and there is no setpriv");
    CHECK_EQ(chmod(test_tmpdir(), 0777), 0);

    size_t n = as_nobody(argv);
    const char *const init[] = {initdb,  "-D",        "db",       "-U", "whorl", "-A",
                                "trust", "--no-sync", "--locale", "C",  NULL};
    memcpy(argv + n, init, sizeof init);
    subprocess_run(&run, argv, &options);
    if (run.exit_status != 0)
        test_fail(__FILE__, __LINE__, "initdb: %s%s", run.out, run.err);
    subprocess_finish(&run);

    snprintf(port, sizeof port, "%d", free_port());
    n = as_nobody(argv);
    const char *const serve[] = {postgres,    "-D", "db", "-p", port, "-h",
                                 "127.0.0.1", "-k", "",   "-F", NULL};
    memcpy(argv + n, serve, sizeof serve);
    subprocess_start(&server, argv, &options);
    subprocess_wait_output(&server, "ready to accept connections", true);

    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%s user=whorl dbname=postgres", port);
    subprocess_run(&run, (const char *[]){test_program("examples/adapters/libpq"), conninfo, NULL},
                   NULL);
    if (run.exit_status != 0)
        test_fail(__FILE__, __LINE__, "%s%s", run.out, run.err);
    CHECK_STR(run.out, "1 squared is 1\n2 squared is 4\n3 squared is 9\n4 squared is 16\n");
    subprocess_finish(&run);
    stop(&server, SIGINT);

    subprocess_run(&run, (const char *[]){test_program("examples/adapters/libpq"), conninfo, NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 1);
    CHECK(strstr(run.err, "refused"));
    subprocess_finish(&run);
#endif
}

TEST_MAIN()
