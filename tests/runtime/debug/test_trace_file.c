/* SPDX-License-Identifier: MIT */
/* WHORL_DEBUG=trace=FILE: the contents of the file, and that it is valid JSON however the program
 * ends. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/sync.h>

#include "child.h"
#include "subprocess.h"
#include "test.h"

/* Runs `fn(arg)` in a child with WHORL_DEBUG=trace=`file` in the test's own directory. */
static const struct child *trace(const char *file, void (*fn)(void *arg), void *arg)
{
    static struct child child;
    char value[64];

    CHECK_EQ(chdir(test_tmpdir()), 0);
    snprintf(value, sizeof value, "io,trace=%s,check", file);
    setenv("WHORL_DEBUG", value, 1);
    child_run(&child, fn, arg);
    unsetenv("WHORL_DEBUG");
    return &child;
}

static const char *contents(const char *file)
{
    static char text[1 << 20];
    FILE *from = fopen(file, "r");

    CHECK(from);
    text[fread(text, 1, sizeof text - 1, from)] = '\0';
    fclose(from);
    return text;
}

/* Returns the output of a Python program that has the file's events as `events`. It also checks
 * that they are JSON and that every slice that ends has begun. */
static const char *ask(const char *file, const char *program)
{
    static const char check[] =
        "import json, os, sys\n"
        "events = json.load(open(sys.argv[1], encoding='utf-8'))\n"
        "open_, at = {}, {}\n"
        "for e in events:\n"
        "    key = e['pid'], e.get('tid')\n"
        "    if e['ph'] in 'BE':\n"
        "        open_[key] = open_.get(key, 0) + (1 if e['ph'] == 'B' else -1)\n"
        "        assert open_[key] in (0, 1), e\n"
        "        assert e['ts'] >= at.get(key, 0), e\n"
        "        at[key] = e['ts']\n"
        "unfinished = sum(open_.values())\n"
        "kinds = lambda pid: [e.get('name') or e.get('args', {}).get('result', '.')\n"
        "                     for e in events if e['ph'] in 'BE' and e['pid'] == pid]\n"
        "exec(sys.argv[2])\n";
    static char answer[4096];
    struct subprocess python;

    subprocess_run(&python, (const char *[]){"python3", "-c", check, file, program, NULL}, NULL);
    CHECK_STR(python.err, "");
    CHECK_EQ(python.exit_status, 0);
    snprintf(answer, sizeof answer, "%s", python.out);
    subprocess_finish(&python);
    return answer;
}

static struct whorl_mutex mutex = {.name = "log \"1\""};

static int lock(void *arg)
{
    whorl_task_set_name(arg);
    int err = whorl_mutex_lock(&mutex);
    if (err == 0)
        whorl_mutex_unlock(&mutex);
    return err ? err : -EPIPE;
}

static int hold_the_lock(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_mutex_lock(&mutex));
    CHECK_OK(whorl_spawn_with_at(&group, lock, arg, &(struct whorl_spawn_options){.name = "first"},
                                 "task"));
    CHECK_OK(whorl_sleep(1234567));
    whorl_mutex_unlock(&mutex);
    CHECK_OK(whorl_yield());
    return whorl_group_wait(&group);
}

static void run_virtual(void *arg)
{
    CHECK_ERR(whorl_run_virtual(NULL, hold_the_lock, arg), -EPIPE);
}

TEST(trace_file_has_a_slice_for_all_that_a_task_does)
{
    CHECK_STR(trace("t.json", run_virtual, "caf\xc3\xa9 \"\\\n\xff\xc3")->err, "");
    CHECK_STR(
        contents("t.json"),
        "[\n"
        "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"args\":{\"name\":\"run 1 "
        "(virtual)\"}},\n"
        "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":1,\"args\":{\"name\":\"root\"}},"
        "\n"
        "{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":1,\"tid\":1,"
        "\"args\":{\"sort_index\":1}},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":1,\"ts\":0.000,\"name\":\"ready\"},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":1,\"ts\":0.000},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":1,\"ts\":0.000,\"name\":\"runs\"},\n"
        "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":2,\"args\":{\"name\":\"task\"}},"
        "\n"
        "{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":1,\"tid\":2,"
        "\"args\":{\"sort_index\":2}},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":2,\"ts\":0.000,\"name\":\"ready\"},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":1,\"ts\":0.000},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":1,\"ts\":0.000,\"name\":\"waits: sleep\"},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":2,\"ts\":0.000},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":2,\"ts\":0.000,\"name\":\"runs\"},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":2,\"ts\":0.000},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":2,\"ts\":0.000,\"name\":\"waits: mutex\","
        "\"args\":{\"for\":\"mutex \\\"log \\\"1\\\"\\\" held by root\"}},\n"
        "{\"ph\":\"b\",\"cat\":\"loop\",\"id\":1,\"pid\":1,\"tid\":1,\"name\":\"all "
        "wait\",\"ts\":0.000},\n"
        "{\"ph\":\"e\",\"cat\":\"loop\",\"id\":1,\"pid\":1,\"tid\":1,\"name\":\"all "
        "wait\",\"ts\":1234.567},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":1,\"ts\":1234.567},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":1,\"ts\":1234.567,\"name\":\"runs\"},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":1,\"ts\":1234.567},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":1,\"ts\":1234.567,\"name\":\"ready\"},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":2,\"ts\":1234.567},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":2,\"ts\":1234.567,\"name\":\"runs\"},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":2,\"ts\":1234.567,\"args\":{\"result\":\"EPIPE\"}},\n"
        "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":2,\"args\":{\"name\":"
        "\"caf\xc3\xa9 \\\"\\\\\\u000a\\ufffd\\ufffd\"}},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":1,\"ts\":1234.567},\n"
        "{\"ph\":\"B\",\"pid\":1,\"tid\":1,\"ts\":1234.567,\"name\":\"runs\"},\n"
        "{\"ph\":\"E\",\"pid\":1,\"tid\":1,\"ts\":1234.567,\"args\":{\"result\":\"EPIPE\"}}\n"
        "]\n");
    CHECK_STR(ask("t.json", "print(unfinished, len(events))"), "0 28\n");
}

/* --- several runs ----------------------------------------------------------------------------- */

static int count_down(void *arg)
{
    WHORL_AUTO(group) group = {0};
    intptr_t n = (intptr_t)arg;

    if (n > 0)
        CHECK_OK(whorl_spawn(&group, count_down, (void *)(n - 1)));
    return whorl_group_wait(&group);
}

static void *run_thread(void *arg)
{
    CHECK_OK(whorl_run(count_down, arg));
    return NULL;
}

enum { THREADS = 4, DEPTH = 300 };

static void run_threads(void *arg)
{
    pthread_t threads[THREADS];

    (void)arg;
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, run_thread, (void *)DEPTH), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_ERR(whorl_run_virtual(NULL, hold_the_lock, ""), -EPIPE); /* one more run after them */
}

TEST(trace_file_holds_all_runs_of_the_process)
{
    CHECK_STR(trace("t.json", run_threads, NULL)->err, "");
    CHECK_STR(ask("t.json", "print(unfinished, [sum(e.get('name', '').endswith('_name') and "
                            "e['pid'] == pid for e in events)\n"
                            "                   for pid in range(7)])\n"
                            "print(kinds(5)[-3:])\n"),
              "0 [0, 302, 302, 302, 302, 3, 0]\n['.', 'runs', 'EPIPE']\n");
}

static int fail(void *arg)
{
    (void)arg;
    return -EIO;
}

static void run_in_forked_children(void *arg)
{
    CHECK_ERR(whorl_run(fail, arg), -EIO);
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            CHECK_OK(whorl_run(count_down, NULL));
            CHECK_ERR(whorl_run(fail, NULL), -EIO);
            exit(0);
        }
        CHECK(wait(NULL) > 0);
    }
    CHECK_ERR(whorl_run(fail, arg), -EIO);
}

TEST(trace_file_of_a_forked_child_has_its_number)
{
    CHECK_STR(trace("t.x.json", run_in_forked_children, NULL)->err, "");
    static const char program[] = "import glob\n"
                                  "print(sorted(e['pid'] for e in events if e['ph'] == 'B'))\n"
                                  "print(kinds(1), kinds(2))\n"
                                  "print(len(glob.glob('t.x-*.json')), len(os.listdir()))";
    CHECK_STR(ask("t.x.json", program),
              "[1, 1, 2, 2]\n['ready', '.', 'runs', 'EIO'] ['ready', '.', 'runs', 'EIO']\n2 3\n");
    CHECK_STR(ask("t.x.json", "import glob\n"
                              "for name in glob.glob('t.x-*.json'):\n"
                              "    events = json.load(open(name))\n"
                              "    print(kinds(1), kinds(2))\n"),
              "['ready', '.', 'runs', '.'] ['ready', '.', 'runs', 'EIO']\n"
              "['ready', '.', 'runs', '.'] ['ready', '.', 'runs', 'EIO']\n");
}

/* A program forks workers before its first run. This test is one: its runner was started with the
 * trace setting and forks it. */
TEST(trace_file_of_a_child_forked_before_any_run_has_its_number)
{
    struct subprocess again;
    char name[32];

    if (getenv("WHORL_DEBUG")) {
        CHECK_OK(whorl_run(count_down, NULL));
        return;
    }
    if (test_on_qemu())
        test_skip("qemu does not start the program again");
    char *self = realpath("/proc/self/exe", NULL);
    CHECK(self);
    CHECK_EQ(chdir(test_tmpdir()), 0);
    subprocess_run(
        &again,
        (const char *[]){self, "--only",
                         "trace_file_of_a_child_forked_before_any_run_has_its_number", NULL},
        &(struct subprocess_options){.env = (const char *[]){"WHORL_DEBUG=trace=t.json", NULL}});
    free(self);
    CHECK_EQ(again.exit_status, 0);
    subprocess_finish(&again);
    struct subprocess list;
    subprocess_run(&list, (const char *[]){"ls", NULL}, NULL);
    CHECK_EQ(sscanf(list.out, "t-%31[0-9].json", name), 1);
    CHECK(!strstr(list.out, "t.json"));
    subprocess_finish(&list);
}

static atomic_bool tracing, forked_all;

static int yield_until_forked(void *arg)
{
    (void)arg;
    atomic_store(&tracing, true);
    /* Without pauses, the trace of a slow machine would have millions of events. */
    for (int n = 1; !atomic_load(&forked_all); n++)
        CHECK_OK(n % 100 ? whorl_yield() : whorl_sleep(WHORL_MILLISECOND));
    return 0;
}

static void *keep_tracing(void *arg)
{
    CHECK_OK(whorl_run(yield_until_forked, arg));
    return NULL;
}

static void fork_beside_a_run(void *arg)
{
    pthread_t thread;
    int status;

    CHECK_EQ(pthread_create(&thread, NULL, keep_tracing, arg), 0);
    while (!atomic_load(&tracing))
        sched_yield();
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(10);
            CHECK_OK(whorl_run(count_down, NULL));
            _exit(0);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
    }
    atomic_store(&forked_all, true);
    pthread_join(thread, NULL);
}

/* The fork may happen at any point of a write by another thread's run. */
TEST(trace_file_of_a_child_forked_beside_a_run_is_not_waited_for)
{
    if (test_on_valgrind())
        test_skip("in a child forked from a threaded program the threads' memory counts as leaked");
    const struct child *child = trace("t.json", fork_beside_a_run, NULL);
    CHECK_STR(child->err, "");
    CHECK_EQ(child->exit_status, 0);
    CHECK_STR(ask("t.json", "print(unfinished, {e['pid'] for e in events}, len(os.listdir()))"),
              "0 {1} 101\n");
}

static int fork_in_a_task(void *arg)
{
    CHECK_OK(whorl_yield());
    pid_t pid = fork();
    whorl_task_set_name(pid ? "parent" : "child");
    for (int i = 0; i < (pid ? 10 : 2000); i++) /* the child fills the buffer several times */
        CHECK_OK(whorl_yield());
    if (pid == 0)
        exit(0);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    (void)arg;
    return 0;
}

static void run_fork_in_a_task(void *arg)
{
    CHECK_OK(whorl_run(fork_in_a_task, arg));
}

TEST(trace_file_is_not_the_childs_that_is_forked_in_a_run)
{
#ifdef __SANITIZE_THREAD__
    test_skip("after a fork ThreadSanitizer ignores only the task that forked");
#endif
    CHECK_STR(trace("t.json", run_fork_in_a_task, NULL)->err, "");
    CHECK_STR(ask("t.json", "print(unfinished, len(kinds(1)), len(os.listdir()),\n"
                            "      [e['args']['name'] for e in events if 'args' in e and 'name' in "
                            "e['args']])"),
              "0 48 1 ['run 1 (idle)', 'root', 'parent']\n");
}

TEST(trace_file_may_be_named_after_the_process)
{
    CHECK_STR(trace("a-%p-b", run_in_forked_children, NULL)->err, "");
    struct subprocess list;
    subprocess_run(&list, (const char *[]){"ls", NULL}, NULL);
    int found = 0;
    for (const char *at = list.out; (at = strstr(at, "a-")); at += 2) {
        int number, len = 0;
        CHECK_EQ(sscanf(at, "a-%d-b\n%n", &number, &len), 1);
        CHECK(number > 0 && len > 5);
        found++;
    }
    CHECK_EQ(found, 3);
    subprocess_finish(&list);
}

/* --- what becomes of the program -------------------------------------------------------------- */

static int wait_for_nobody(void *arg)
{
    struct whorl_event event = {0};

    (void)arg;
    return whorl_event_wait(&event);
}

static void run_deadlock(void *arg)
{
    CHECK_ERR(whorl_run(wait_for_nobody, arg), -EDEADLK);
}

TEST(trace_file_is_whole_after_a_deadlock)
{
    CHECK(strstr(trace("t.json", run_deadlock, NULL)->err, "every task waits on another"));
    CHECK_STR(ask("t.json", "print(unfinished, kinds(1))"),
              "0 ['ready', '.', 'runs', '.', 'waits: event', '.', 'runs', 'ECANCELED']\n");
}

static int end_program(void *arg)
{
    if (arg)
        exit(3);
    CHECK_OK(whorl_sleep(150 * WHORL_MILLISECOND));
    CHECK_OK(whorl_sleep(1)); /* a tenth of a second has passed, so the buffer is written */
    raise(SIGKILL);
    return 0;
}

static void run_end_program(void *arg)
{
    test_ignore(whorl_run(end_program, arg));
}

TEST(trace_file_is_whole_when_the_program_ends_in_a_run)
{
    CHECK_EQ(trace("t.json", run_end_program, "")->exit_status, 3);
    CHECK_STR(ask("t.json", "print(unfinished, kinds(1))"), "1 ['ready', '.', 'runs']\n");
    CHECK_EQ(trace("t.json", run_end_program, NULL)->signal, SIGKILL);
    CHECK_STR(ask("t.json", "print(unfinished, kinds(1))"),
              "1 ['ready', '.', 'runs', '.', 'waits: sleep', '.', 'runs', '.', 'waits: sleep']\n");
}

/* Makes many switches: two tasks pass a mutex to each other. */
static int pass_on(void *arg)
{
    whorl_task_set_name(arg);
    for (int i = 0; i < 600; i++) {
        CHECK_OK(whorl_mutex_lock(&mutex));
        CHECK_OK(whorl_yield());
        whorl_mutex_unlock(&mutex);
    }
    return 0;
}

static int two_pass_on(void *arg)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, pass_on, arg));
    CHECK_OK(whorl_spawn(&group, pass_on, arg));
    return whorl_group_wait(&group);
}

/* A file size limit that acts as a disk of `size` bytes. */
struct full_disk {
    rlim_t size;
    const char *name;
};

static void run_on_a_full_disk(void *arg)
{
    struct full_disk *disk = arg;
    struct rlimit limit = {disk->size, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 2; i++)
        CHECK_OK(whorl_run_virtual(NULL, two_pass_on, (void *)(uintptr_t)disk->name));
}

/* The disk fills up at different places between two events and within one. */
TEST(trace_file_is_whole_on_a_full_disk)
{
    static const char name[] = "a name of some length";

    for (rlim_t i = 0; i < 20; i++) {
        struct full_disk disk = {30000 * (i % 6 + 1) + i, name + i};
        char path[32];
        snprintf(path, sizeof path, "t-%d.json", (int)i);
        const struct child *child = trace(path, run_on_a_full_disk, &disk);
        CHECK_EQ(child->exit_status, 0);
        CHECK(strstr(child->err, ".json: File too large\n"));
        CHECK(!strstr(strstr(child->err, "whorl: ") + 1, "whorl: ")); /* reported once */
    }
    CHECK_STR(ask("t-0.json", "for i in range(20):\n"
                              "    json.load(open('t-%d.json' % i))\n"
                              "print(os.stat('t-5.json').st_size > 120000)"),
              "True\n");
}

TEST(trace_file_that_cannot_be_is_no_reason_to_stop)
{
    const struct child *child = trace("no/where.json", run_virtual, "");

    CHECK_EQ(child->exit_status, 0);
    CHECK(strstr(child->err, "whorl: trace /"));
    CHECK(strstr(child->err, "/no/where.json: No such file or directory\n"));
    char name[40];
    snprintf(name, sizeof name, "%%p/%s", "0123456789012345678901234567890");
    CHECK(strstr(trace(name, run_virtual, "")->err, "/0123456789012345678901234567890: No such"));
    child = trace("", run_virtual, "");
    CHECK_EQ(child->exit_status, 0);
    CHECK_STR(child->err, "whorl: WHORL_DEBUG=trace needs a file: trace=FILE.json\n");
}

TEST_MAIN()
