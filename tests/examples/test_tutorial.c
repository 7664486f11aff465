/* SPDX-License-Identifier: MIT */
/* The tutorial: each program prints what its text says. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ports.h"
#include "subprocess.h"
#include "test.h"

static void expect(const char *program, const char *out)
{
    struct subprocess run;

    subprocess_run(&run, (const char *[]){test_program(program), NULL}, NULL);
    CHECK_STR(run.out, out);
    CHECK_STR(run.err, "");
    CHECK_EQ(run.exit_status, 0);
    subprocess_finish(&run);
}

TEST(hello_greets)
{
    expect("examples/01_hello", "hello, world\n");
}

/* On a virtual clock the times are exact. */
TEST(say_after_takes_the_sum_or_the_longest)
{
    struct subprocess run;

    subprocess_run(&run, (const char *[]){test_program("examples/02_say_after"), "virtual", NULL},
                   NULL);
    CHECK_STR(run.out, "one by one:\n  hello\n  world\n  3.0 s\n"
                       "as tasks:\n  both are started, neither has run\n"
                       "  hello\n  world\n  2.0 s\n"
                       "as a group:\n  hello\n  world\n  2.0 s\n");
    CHECK_EQ(run.exit_status, 0);
    subprocess_finish(&run);
}

TEST(groups_fail_fast_or_collect)
{
    expect("examples/03_groups",
           "fail fast:\n  the sibling: cancelled\n  the group: input/output error\n"
           "collect:\n  the sibling: finished\n  the group: input/output error\n");
}

TEST(copy_cures_the_loop_variable)
{
    expect("examples/04_copy", "a pointer to i: 4 4 4 4\na copy of i: 0 1 2 3\n");
}

TEST(cancel_is_seen_until_the_scope_is_left)
{
    expect("examples/05_cancel",
           "a deadline:\n  first wait:  cancelled\n  second wait: cancelled\n"
           "  the scope:   connection timed out\n"
           "another task:\n  first wait:  cancelled\n  second wait: cancelled\n"
           "  the scope:   cancelled\noutside: waiting works again\n");
}

TEST(shield_lets_clean_up_wait)
{
    expect("examples/06_shield", "goodbye without a shield: cancelled\n"
                                 "goodbye with a shield: sent\nthe worker: cancelled\n");
}

TEST(channel_passes_all_values_on)
{
    expect("examples/07_channel", "1\n4\n9\n16\n25\n");
}

TEST(queue_serves_producers_and_consumers)
{
    expect("examples/08_queue", "12 made, then the queue is closed\n4 + 4 + 4 = 12 used\n");
}

TEST(backpressure_bounds_the_producer)
{
    expect("examples/09_backpressure",
           "used 1 while 3 were made\nused 2 while 4 were made\nused 3 while 5 were made\n"
           "used 4 while 6 were made\nused 5 while 6 were made\nused 6 while 6 were made\n"
           "never more than 2 ahead\n");
}

TEST(select_takes_what_comes_first)
{
    expect("examples/10_select", "received 42\nnothing for a while\nasked to stop\n");
}

TEST(mutex_prevents_the_lost_update)
{
    expect("examples/11_mutex", "without a mutex: 10 deposits make 1\n"
                                "with a mutex: 10 deposits make 10\n");
}

TEST(semaphore_lets_two_in)
{
    expect("examples/12_semaphore", "1 enters\n2 enters\n3 enters\n4 enters\n5 enters\n6 enters\n"
                                    "never more than 2 inside\n");
}

TEST(deadlock_is_reported_and_ends_the_run)
{
    struct subprocess run;

    subprocess_run(&run, (const char *[]){test_program("examples/13_deadlock"), NULL}, NULL);
    CHECK_STR(run.out, "in opposite orders: EDEADLK\nada writes\nbob writes\n"
                       "in the same order: both have written\n");
    CHECK(strstr(run.err, "whorl: these wait for each other in a circle:\n"
                          "  ada waits for mutex \"paper\" held by bob\n"
                          "  bob waits for mutex \"pen\" held by ada\n"));
    CHECK_EQ(run.exit_status, 0);
    subprocess_finish(&run);
}

TEST(starvation_ends_with_giving_way)
{
    struct subprocess run;
    int greedy, polite, end = 0;

    subprocess_run(&run, (const char *[]){test_program("examples/14_starvation"), NULL}, NULL);
    CHECK_EQ(sscanf(run.out,
                    "not yielding: the other task ran %d times\n"
                    "yielding: the other task ran %d times\n%n",
                    &greedy, &polite, &end),
             2);
    CHECK_EQ(greedy, 0);
    CHECK(polite > 0);
    CHECK_STR(run.out + end, "two tasks share a lock: ababababab\n");
    CHECK(strncmp(run.err, "whorl: task 1 computing has kept its thread for ", 48) == 0);
    CHECK_EQ(run.exit_status, 0);
    subprocess_finish(&run);
}

TEST(offload_leaves_the_thread_to_others)
{
    expect("examples/17_offload", "the thread found 7\nthe other task ticked meanwhile\n");
}

TEST(executor_takes_single_jobs_and_arrays)
{
    expect("examples/18_executor", "4 submitted, none is done yet\n25 primes below 100\n"
                                   "168 primes below 1000\n1229 primes below 10000\n"
                                   "9592 primes below 100000\nmap: 25, 168, 1229, 9592\n");
}

static void write_text(const char *name, const char *text)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
}

TEST(map_reduce_counts_the_same_in_threads_and_in_processes)
{
    static const char *const programs[] = {"examples/19_map_reduce", "examples/20_map_processes"};
    const char *out = "3 files, 10 words, 5 different\n     4 one\n     2 f\xc3\xbcnf\n"
                      "     2 two\n";
    struct subprocess run;

    write_text("a", "One two, one; two... one!\n");
    write_text("b", "");
    write_text("c", "f\xc3\xbcnf three\none 4 f\xc3\xbcnf abcdefghijklmnopqrstuvwxyzabcdefghij");
    for (int i = 0; i < 2; i++) {
        subprocess_run(&run, (const char *[]){test_program(programs[i]), test_tmpdir(), NULL},
                       NULL);
        CHECK_STR(run.err, "");
        CHECK_STR(run.out, out);
        CHECK_EQ(run.exit_status, 0);
        subprocess_finish(&run);
        subprocess_run(&run, (const char *[]){test_program(programs[i]), "/nowhere", NULL}, NULL);
        CHECK_STR(run.out, "");
        CHECK_STR(run.err, "/nowhere: no such file or directory\n");
        CHECK_EQ(run.exit_status, 1);
        subprocess_finish(&run);
    }
}

TEST(map_reduce_names_the_file_that_it_cannot_read)
{
    static const char *const programs[] = {"examples/19_map_reduce", "examples/20_map_processes"};
    struct subprocess run;
    char path[300], complaint[700];

    /* A file that cannot be read, not even by root: no memory is mapped at its beginning. */
    snprintf(path, sizeof path, "%s/memory", test_tmpdir());
    CHECK_EQ(symlink("/proc/self/mem", path), 0);
    snprintf(complaint, sizeof complaint,
             "%s: input/output error\n%s: not counted: input/output error\n", path, test_tmpdir());
    for (int i = 0; i < 2; i++) {
        subprocess_run(&run, (const char *[]){test_program(programs[i]), test_tmpdir(), NULL},
                       NULL);
        CHECK_STR(run.out, "");
        CHECK_STR(run.err, complaint);
        CHECK_EQ(run.exit_status, 1);
        subprocess_finish(&run);
    }
}

TEST(future_serves_all_waiters)
{
    expect("examples/15_future", "the answer is not there yet\n"
                                 "a reader has it: 42\na reader has it: 42\na reader has it: 42\n");
}

TEST(generator_walks_until_enough)
{
    expect("examples/16_generator", "2\n3\n5\n7\n");
}

TEST(crash_of_a_worker_is_an_error_of_its_call)
{
    expect("examples/21_crash", "42 / 6: 7\n42 / 0: the worker process died\n42 / 2: 21\n");
}

static int dial(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK_EQ(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    char buf[64] = "";

    CHECK_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    CHECK_EQ(recv(fd, buf, strlen(text), MSG_WAITALL), strlen(text));
    CHECK_STR(buf, text);
}

/* Starts the server with an input that stays open; the server runs until the input is closed. */
TEST(echo_serves_several_and_ends_with_its_input)
{
    int in[2], out[2], port = 0, status;
    char line[64] = "", buf[4];

    CHECK_EQ(pipe(in), 0);
    CHECK_EQ(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execl(test_program("examples/22_echo"), "22_echo", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    CHECK(read(out[0], line, sizeof line - 1) > 0);
    CHECK_EQ(sscanf(line, "127.0.0.1:%d\n", &port), 1);
    int one = dial(port), two = dial(port);
    say(two, "second");
    say(one, "first");
    say(two, "second again");
    close(one);
    close(in[1]);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(recv(two, buf, sizeof buf, 0) <= 0);
    close(two);
    close(out[0]);
}

TEST(http_prints_a_page_and_says_what_goes_wrong)
{
    struct subprocess site, run;
    char url[64];
    int port = 0;

    subprocess_start(&site,
                     (const char *[]){test_program("examples/site"), "--latency", "1",
                                      "--exit-with-parent", NULL},
                     NULL);
    subprocess_wait_output(&site, "\n", false);
    CHECK_EQ(sscanf(site.out, "listening on port %d\n", &port), 1);
    snprintf(url, sizeof url, "http://two.localhost:%d/page-002.html", port);
    subprocess_run(&run, (const char *[]){test_program("examples/24_http"), url, NULL}, NULL);
    CHECK_EQ(run.exit_status, 0);
    CHECK_STR(run.err, "status 200\n");
    CHECK(strstr(run.out, "Page 2 of two.localhost"));
    subprocess_finish(&run);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port_refused());
    subprocess_run(&run, (const char *[]){test_program("examples/24_http"), url, NULL}, NULL);
    CHECK_EQ(run.exit_status, 1);
    CHECK(strncmp(run.err, "connect: ", 9) == 0 && strstr(run.err, "refused"));
    subprocess_finish(&run);
    subprocess_signal(&site, SIGTERM);
    subprocess_wait(&site);
    subprocess_finish(&site);
}

TEST(http_server_answers_several_clients)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    struct subprocess server;
    int port = 0, fds[3];

    subprocess_start(&server,
                     (const char *[]){test_program("examples/26_http_server"), "--port", "0", NULL},
                     NULL);
    subprocess_wait_output(&server, "\n", false);
    CHECK_EQ(sscanf(server.out, "listening on port %d\n", &port), 1);
    for (int i = 0; i < 3; i++)
        fds[i] = dial(port);
    for (int i = 2; i >= 0; i--) {
        char reply[512] = "";
        CHECK(send(fds[i], request, sizeof request - 1, MSG_NOSIGNAL) > 0);
        CHECK(recv(fds[i], reply, sizeof reply - 1, 0) > 0);
        CHECK(strstr(reply, "HTTP/1.1 200 OK\r\n") && strstr(reply, "\r\n\r\nhello, world\n"));
        close(fds[i]);
    }
    subprocess_finish(&server);
}

TEST(timeouts_pass_without_waiting)
{
    expect("examples/27_timeouts", "after   0.04 s: an answer\nafter 3540.08 s: an answer\n"
                                   "after 7140.08 s: the end\n");
}

TEST(signals_end_it_in_order)
{
    struct subprocess run;

    subprocess_start(&run, (const char *[]){test_program("examples/23_signals"), NULL}, NULL);
    subprocess_wait_output(&run, "serving until SIGINT or SIGTERM\n", false);
    subprocess_signal(&run, SIGTERM);
    subprocess_wait(&run);
    CHECK_STR(run.out, "serving until SIGINT or SIGTERM\nreceived SIGTERM\n"
                       "server: finished its last job\nlong job: cancelled\n"
                       "stopped: some tasks were cancelled\n");
    CHECK_EQ(run.exit_status, 0);
    subprocess_finish(&run);
}

TEST(chapters_that_do_io_say_why_they_cannot_start)
{
    static const char *const programs[] = {"examples/14_starvation", "examples/20_map_processes",
                                           "examples/21_crash", "examples/22_echo",
                                           "examples/23_signals"};
    struct subprocess_options options = {.env = (const char *[]){"WHORL_DRIVER=steam", NULL}};

    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        struct subprocess run;
        subprocess_run(&run, (const char *[]){test_program(programs[i]), NULL}, &options);
        CHECK_EQ(run.exit_status, 1);
        CHECK(strstr(run.err, ": invalid argument\n"));
        subprocess_finish(&run);
    }
}

TEST_MAIN()
