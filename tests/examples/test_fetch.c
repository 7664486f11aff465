/* SPDX-License-Identifier: MIT */
/* The first program of README.md, tested with the demonstration site. */
#include <signal.h>
#include <stdlib.h>

#include "ports.h"
#include "subprocess.h"
#include "test.h"

TEST(fetch_saves_each_page_and_says_what_went_wrong)
{
    struct subprocess site, fetch;
    struct subprocess_options options = {.dir = test_tmpdir()};
    char good[64], missing[64], refused[64], expected[256], path[300];
    int port = 0;

    subprocess_start(&site,
                     (const char *[]){test_program("examples/site"), "--latency", "1",
                                      "--exit-with-parent", NULL},
                     NULL);
    subprocess_wait_output(&site, "\n", false);
    CHECK_EQ(sscanf(site.out, "listening on port %d\n", &port), 1);
    snprintf(good, sizeof good, "http://one.localhost:%d/page-001.html", port);
    snprintf(missing, sizeof missing, "http://two.localhost:%d/page-001.html", port);
    snprintf(refused, sizeof refused, "http://127.0.0.1:%d/", port_refused());
    subprocess_run(&fetch,
                   (const char *[]){test_program("examples/fetch"), good, missing, refused, NULL},
                   &options);
    CHECK_EQ(fetch.exit_status, 1); /* because of the refused connection */
    snprintf(expected, sizeof expected, "%s: 200 page-1\n", good);
    CHECK(strstr(fetch.out, expected));
    snprintf(expected, sizeof expected, "%s: 404 page-2\n", missing);
    CHECK(strstr(fetch.out, expected));
    snprintf(expected, sizeof expected, "%s: 0 connection refused\n", refused);
    CHECK(strstr(fetch.out, expected));
    CHECK_STR(fetch.err, "fetch: connection refused\n");
    snprintf(path, sizeof path, "%s/page-1", test_tmpdir());
    FILE *file = fopen(path, "r");
    char line[32] = "";
    CHECK(file && fgets(line, sizeof line, file));
    CHECK_STR(line, "<!doctype html>\n");
    fclose(file);
    snprintf(path, sizeof path, "%s/page-2", test_tmpdir());
    CHECK(!fopen(path, "r"));
    subprocess_signal(&site, SIGTERM);
    subprocess_wait(&site);
    subprocess_finish(&site);
    subprocess_finish(&fetch);
}

TEST(fetch_says_why_it_cannot_start)
{
    struct subprocess fetch;
    struct subprocess_options options = {.env = (const char *[]){"WHORL_DRIVER=steam", NULL}};

    subprocess_run(&fetch, (const char *[]){test_program("examples/fetch"), NULL}, &options);
    CHECK_EQ(fetch.exit_status, 1);
    CHECK_STR(fetch.err, "fetch: invalid argument\n");
    subprocess_finish(&fetch);
}

TEST_MAIN()
