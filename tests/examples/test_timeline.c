/* SPDX-License-Identifier: MIT */
/* The recorder of the concurrency models: lanes and marks from threads and processes, and what the
 * trace events say of them. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/run.h>

#include "examples/models/timeline.h"
#include "examples/models/timeline_view.h"
#include "faults.h"
#include "subprocess.h"
#include "test.h"

/* "c0-10 w10-15": what the lane does from when to when, counted from the section's beginning. */
static const char *spans_of(const struct timeline_view_section *section, size_t lane)
{
    test_log_clear();
    for (size_t i = 0; i < section->lanes[lane].count; i++) {
        const struct timeline_span *span = &section->lanes[lane].spans[i];
        test_log("%c%d-%d", span->works ? 'c' : 'w', (int)(span->from_ns - section->began_ns),
                 (int)(span->to_ns - section->began_ns));
    }
    return test_logged();
}

TEST(timeline_marks_become_spans)
{
    struct timeline *t = timeline_create();
    struct timeline_view view;
    int a = timeline_lane(t, "a"), b = timeline_lane(t, "b"), unmarked = timeline_lane(t, "c");

    CHECK_EQ(unmarked, 2);
    timeline_mark_at(t, a, TIMELINE_WORKS, 1000);
    timeline_mark_at(t, b, TIMELINE_WAITS, 1005);
    timeline_mark_at(t, a, TIMELINE_WAITS, 1010);
    timeline_mark_at(t, a, TIMELINE_WAITS, 1012); /* the same again is no other span */
    timeline_mark_at(t, b, TIMELINE_ENDS, 1020);
    timeline_mark_at(t, b, TIMELINE_WORKS, 1030); /* a lane may begin again */
    timeline_mark_at(t, a, TIMELINE_WORKS,
                     1025); /* drew its place later than it looked at the clock */
    timeline_mark_at(t, b, TIMELINE_ENDS, 1040); /* a never ends: it lasts as long as the others */
    CHECK_OK(timeline_view_init(&view, t));
    CHECK_EQ(view.count, 1);
    CHECK_STR(view.sections[0].name, "");
    CHECK_EQ(view.sections[0].count, 2);
    CHECK_STR(view.sections[0].lanes[1].name, "b");
    CHECK_STR(spans_of(&view.sections[0], 0), "c0-10 w10-25 c25-40");
    CHECK_STR(spans_of(&view.sections[0], 1), "w5-20 c30-40");
    CHECK_EQ(view.lost, 0);
    timeline_view_finish(&view);
    timeline_destroy(t);
}

/* A recording of one lane in one section. */
static struct timeline *record(const char *section, const char *lane, int64_t from_ns)
{
    struct timeline *t = timeline_create();

    timeline_section(t, section);
    t->sections[1].began_ns = from_ns;
    timeline_mark_at(t, timeline_lane(t, lane), TIMELINE_WORKS, from_ns + 5);
    timeline_mark_at(t, 0, TIMELINE_ENDS, from_ns + 20);
    return t;
}

TEST(timeline_append_adds_sections_with_their_lanes)
{
    struct timeline *t = timeline_create();
    struct timeline *one = record("one", "a", 100), *two = record("two", "b", 1000);
    struct timeline_view view;

    timeline_append(t, one);
    timeline_append(t, two);
    timeline_append(t, NULL);
    timeline_destroy(one);
    timeline_destroy(two);
    timeline_mark_at(t, timeline_lane(t, "c"), TIMELINE_WAITS, 1010); /* goes on in the last one */
    CHECK_OK(timeline_view_init(&view, t));
    CHECK_EQ(view.count, 2);
    CHECK_STR(view.sections[0].name, "one");
    CHECK_EQ(view.sections[0].count, 1);
    CHECK_STR(view.sections[0].lanes[0].name, "a");
    CHECK_STR(spans_of(&view.sections[0], 0), "c5-20");
    CHECK_STR(view.sections[1].name, "two");
    CHECK_EQ(view.sections[1].count, 2);
    CHECK_STR(view.sections[1].lanes[0].name, "b");
    CHECK_STR(spans_of(&view.sections[1], 0), "c5-20");
    CHECK_STR(spans_of(&view.sections[1], 1), "w10-20");
    timeline_view_finish(&view);
    timeline_destroy(t);
}

TEST(timeline_append_counts_what_has_no_room)
{
    struct timeline *t = timeline_create(), *one = record("one", "a", 100);
    struct timeline_view view;

    t->marks_drawn = TIMELINE_MARKS_MAX - 1;
    for (int i = 0; i < TIMELINE_SECTIONS_MAX + 1; i++)
        timeline_append(t, one);
    CHECK_OK(timeline_view_init(&view, t));
    CHECK_EQ(view.lost, 2 * (TIMELINE_SECTIONS_MAX + 1) - 1);
    CHECK_EQ(view.count, 1);
    CHECK_STR(spans_of(&view.sections[0], 0), "c5-5");
    timeline_view_finish(&view);
    timeline_destroy(t);
    timeline_destroy(one);
}

TEST(timeline_sections_each_begin_at_zero)
{
    struct timeline *t = timeline_create();
    struct timeline_view view;

    timeline_section(t, "threads");
    t->sections[1].began_ns = 100;
    timeline_mark_at(t, timeline_lane(t, "one"), TIMELINE_WORKS, 110);
    timeline_mark_at(t, 0, TIMELINE_ENDS, 150);
    timeline_section(t, "empty");
    timeline_section(t, "tasks");
    t->sections[3].began_ns = 200;
    timeline_mark_at(t, timeline_lane(t, "two"), TIMELINE_WAITS, 200);
    timeline_mark_at(t, 1, TIMELINE_ENDS, 201);
    CHECK_OK(timeline_view_init(&view, t));
    CHECK_EQ(view.count, 2);
    CHECK_STR(view.sections[0].name, "threads");
    CHECK_STR(spans_of(&view.sections[0], 0), "c10-50");
    CHECK_STR(view.sections[1].name, "tasks");
    CHECK_STR(spans_of(&view.sections[1], 0), "w0-1");
    timeline_view_finish(&view);
    timeline_destroy(t);
}

TEST(timeline_null_records_nothing)
{
    timeline_section(NULL, "x");
    CHECK_EQ(timeline_lane(NULL, "x"), -1);
    timeline_mark(NULL, 0, TIMELINE_WORKS);
    timeline_rename(NULL, 0, "x");
    timeline_destroy(NULL);
}

TEST(timeline_cuts_long_names_between_characters)
{
    struct timeline *t = timeline_create();
    char name[80];

    memset(name, 'x', sizeof name);
    memcpy(name + 62, "\xe2\x82\xac", 4); /* its last byte would be the 65th */
    timeline_lane(t, name);
    CHECK_EQ(strlen(t->lanes[0].name), 62);
    timeline_rename(t, 0, "short");
    CHECK_STR(t->lanes[0].name, "short");
    timeline_destroy(t);
}

enum { MARKERS = 4, MARKS = 2000 };

static void *mark_often(void *arg)
{
    struct timeline *t = arg;
    int lane = timeline_lane(t, "thread");

    for (int i = 0; i < MARKS; i++)
        timeline_mark(t, lane, i % 2 ? TIMELINE_WAITS : TIMELINE_WORKS);
    timeline_mark(t, lane, TIMELINE_ENDS);
    return NULL;
}

/* All marks of `lanes` lanes are there, in the order in which each lane made them. */
static void check_all_there(const struct timeline *t, size_t lanes)
{
    struct timeline_view view;

    CHECK_OK(timeline_view_init(&view, t));
    CHECK_EQ(view.count, 1);
    CHECK_EQ(view.sections[0].count, lanes);
    for (size_t i = 0; i < lanes; i++) {
        const struct timeline_view_lane *lane = &view.sections[0].lanes[i];
        CHECK_EQ(lane->count, MARKS);
        for (size_t s = 0; s < lane->count; s++) {
            CHECK_EQ(lane->spans[s].works, s % 2 == 0);
            CHECK(s == 0 || lane->spans[s].from_ns == lane->spans[s - 1].to_ns);
        }
    }
    timeline_view_finish(&view);
}

TEST(timeline_threads_mark_at_once)
{
    struct timeline *t = timeline_create();
    pthread_t threads[MARKERS];

    for (int i = 0; i < MARKERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, mark_often, t), 0);
    for (int i = 0; i < MARKERS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    check_all_there(t, MARKERS);
    timeline_destroy(t);
}

TEST(timeline_forked_children_mark_at_once)
{
    struct timeline *t = timeline_create();

    for (int i = 0; i < MARKERS; i++)
        if (fork() == 0) {
            mark_often(t);
            _exit(0);
        }
    for (int i = 0; i < MARKERS; i++)
        CHECK(wait(NULL) > 0);
    check_all_there(t, MARKERS);
    timeline_destroy(t);
}

/* A place that a killed process had drawn stays empty. */
TEST(timeline_does_without_what_was_never_filled)
{
    struct timeline *t = timeline_create();
    struct timeline_view view;

    t->lanes_drawn++;
    timeline_mark_at(t, timeline_lane(t, "one"), TIMELINE_WORKS, 10);
    t->marks_drawn++;
    timeline_mark_at(t, 1, TIMELINE_ENDS, 20);
    CHECK_OK(timeline_view_init(&view, t));
    CHECK_EQ(view.sections[0].count, 1);
    CHECK_STR(spans_of(&view.sections[0], 0), "c0-10");
    timeline_view_finish(&view);
    timeline_destroy(t);
}

TEST(timeline_counts_what_there_is_no_room_for)
{
    struct timeline *t = timeline_create();
    struct timeline_view view;

    timeline_mark(t, timeline_lane(t, "one"), TIMELINE_WORKS);
    t->marks_drawn = TIMELINE_MARKS_MAX - 1;
    for (int i = 0; i < 3; i++)
        timeline_mark(t, 0, TIMELINE_ENDS);
    t->lanes_drawn = TIMELINE_LANES_MAX - 1;
    CHECK_EQ(timeline_lane(t, "last"), TIMELINE_LANES_MAX - 1);
    CHECK_EQ(timeline_lane(t, "more"), -1);
    timeline_mark(t, -1, TIMELINE_WORKS);
    CHECK_OK(timeline_view_init(&view, t));
    CHECK_EQ(view.lost, 2);
    CHECK_EQ(view.sections[0].count, 1);
    CHECK_EQ(view.sections[0].lanes[0].count, 1);
    timeline_view_finish(&view);
    timeline_destroy(t);
}

/* --- watching a run --------------------------------------------------------------------------- */

static struct timeline *watched;

static int sleep_20_named(void *arg)
{
    CHECK_OK(whorl_sleep(10));
    whorl_task_set_name(arg);
    return whorl_sleep(10);
}

static int watch_tasks(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    timeline_watch_tasks(watched);
    CHECK_OK(whorl_sleep(5));
    int err = whorl_spawn(&group, sleep_20_named, "late name");
    if (err == 0)
        err = whorl_spawn(&group, sleep_20_named, NULL);
    return err ? err : whorl_group_wait(&group);
}

/* On a virtual clock working takes no time. */
TEST(timeline_watches_the_tasks_of_a_run)
{
    struct timeline_view view;

    watched = timeline_create();
    CHECK_OK(whorl_run_virtual(&(struct whorl_virtual_options){.start_ns = 7}, watch_tasks, NULL));
    CHECK_OK(timeline_view_init(&view, watched));
    CHECK_EQ(view.count, 1);
    const struct timeline_view_section *section = &view.sections[0];
    CHECK_EQ(section->count, 3);
    CHECK_STR(section->lanes[0].name, "root");
    CHECK_STR(section->lanes[1].name, "late name");
    CHECK_STR(section->lanes[2].name, "sleep_20_named 3");
    CHECK_STR(spans_of(section, 0), "w0-0 c0-0 w0-5 c5-5 w5-25 c25-25");
    CHECK_STR(spans_of(section, 1), "w5-5 c5-5 w5-15 c15-15 w15-25 c25-25");
    timeline_view_finish(&view);
    timeline_destroy(watched);
}

static int watch_run(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    timeline_watch_run(watched, timeline_lane(watched, "run"));
    int err = whorl_spawn(&group, sleep_20_named, "");
    CHECK_OK(whorl_sleep(5));
    return err ? err : whorl_group_wait(&group);
}

TEST(timeline_watches_a_run_in_one_lane)
{
    struct timeline_view view;

    watched = timeline_create();
    CHECK_OK(whorl_run_virtual(NULL, watch_run, NULL));
    CHECK_OK(timeline_view_init(&view, watched));
    CHECK_EQ(view.sections[0].count, 1);
    CHECK_STR(spans_of(&view.sections[0], 0), "c0-0 w0-5 c5-5 w5-10 c10-10 w10-20 c20-20");
    timeline_view_finish(&view);
    timeline_destroy(watched);
    timeline_watch_run(NULL, 0); /* outside a run too */
    timeline_watch_tasks(NULL);
}

/* A lane there is no room or memory for is missing; the run goes on. */
static int watch_with_faults(void *arg)
{
    (void)arg;
    watched = timeline_create();
    int err = watched ? whorl_run_virtual(NULL, watch_tasks, NULL) : -ENOMEM;
    if (err == 0)
        err = whorl_run_virtual(NULL, watch_run, NULL);
    timeline_destroy(watched);
    return err;
}

TEST(timeline_watches_as_far_as_memory_goes)
{
    CHECK(faults_sweep(watch_with_faults, NULL) > 6);
}

/* --- trace events ----------------------------------------------------------------------------- */

/* What a picture is, given to a Python program as its standard input; returns what that prints. */
static const char *ask_python(const char *program,
                              int (*write)(const struct timeline *, const char *, FILE *),
                              const struct timeline *timeline, const char *title)
{
    static char answer[1 << 16];
    struct subprocess python;
    char *text;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    CHECK(to);
    CHECK_OK(write(timeline, title, to));
    fclose(to);
    subprocess_run(&python, (const char *[]){"python3", "-c", program, NULL},
                   &(struct subprocess_options){.input = text, .input_len = len});
    free(text);
    CHECK_STR(python.err, "");
    CHECK_EQ(python.exit_status, 0);
    snprintf(answer, sizeof answer, "%s", python.out);
    subprocess_finish(&python);
    return answer;
}

TEST(timeline_trace_is_json_with_a_slice_for_each_span)
{
    struct timeline *t = timeline_create();

    timeline_section(t, "pool \"of\" threads");
    t->sections[1].began_ns = 5000000;
    int a = timeline_lane(t, "a\\b\n\x1b\xff\xc3\xa9"), b = timeline_lane(t, "two");
    timeline_mark_at(t, a, TIMELINE_WORKS, 5001000);
    timeline_mark_at(t, b, TIMELINE_WAITS, 5002003);
    timeline_mark_at(t, a, TIMELINE_WAITS, 5002500);
    timeline_mark_at(t, a, TIMELINE_ENDS, 5009000);
    timeline_mark_at(t, b, TIMELINE_ENDS, 5008000);
    timeline_section(t, "tasks");
    t->sections[2].began_ns = 7000000;
    timeline_mark_at(t, timeline_lane(t, "three"), TIMELINE_WORKS, 7000000);
    timeline_mark_at(t, 2, TIMELINE_ENDS, 7000001);
    CHECK_STR(ask_python("import json, sys\n"
                         "trace = json.load(sys.stdin)\n"
                         "print(trace['otherData'])\n"
                         "for e in trace['traceEvents']:\n"
                         "    if e['ph'] == 'M' and 'name' in e['args']:\n"
                         "        print(e['name'], e['pid'], e['tid'], ascii(e['args']['name']))\n"
                         "    if e['ph'] == 'X':\n"
                         "        print(e['name'], e['pid'], e['tid'], e['ts'], e['dur'])\n",
                         timeline_write_trace, t, "160 <pages>"),
              "{'title': '160 <pages>', 'lost': 0}\n"
              "process_name 1 0 'pool \"of\" threads'\n"
              "thread_name 1 1 'a\\\\b\\n\\x1b\\ufffd\\xe9'\n"
              "computes 1 1 1.0 1.5\n"
              "waits 1 1 2.5 6.5\n"
              "thread_name 1 2 'two'\n"
              "waits 1 2 2.003 5.997\n"
              "process_name 2 0 'tasks'\n"
              "thread_name 2 1 'three'\n"
              "computes 2 1 0.0 0.001\n");
    timeline_destroy(t);
}

TEST(timeline_trace_of_nothing_is_json)
{
    struct timeline *t = timeline_create();

    CHECK_STR(ask_python("import json, sys\nprint(json.load(sys.stdin)['traceEvents'])",
                         timeline_write_trace, t, ""),
              "[]\n");
    timeline_destroy(t);
}

TEST_MAIN()
