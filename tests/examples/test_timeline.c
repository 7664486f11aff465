/* SPDX-License-Identifier: MIT */
/* The recorder of the concurrency models: lanes and marks from threads and processes, and what the
 * trace events say of them. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "examples/models/timeline.h"
#include "examples/models/timeline_view.h"
#include "subprocess.h"
#include "test.h"

/* Puts a mark at an instant of its own, as a thread would that looked at the clock then. */
static void mark_at(struct timeline *timeline, int lane, enum timeline_state state, int64_t at_ns)
{
    int64_t place = timeline->marks_drawn;

    timeline_mark(timeline, lane, state);
    timeline->marks[place].at_ns = at_ns;
}

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
    mark_at(t, a, TIMELINE_WORKS, 1000);
    mark_at(t, b, TIMELINE_WAITS, 1005);
    mark_at(t, a, TIMELINE_WAITS, 1010);
    mark_at(t, a, TIMELINE_WAITS, 1012); /* the same again is no other span */
    mark_at(t, b, TIMELINE_ENDS, 1020);
    mark_at(t, b, TIMELINE_WORKS, 1030); /* a lane may begin again */
    mark_at(t, a, TIMELINE_WORKS, 1025); /* drew its place later than it looked at the clock */
    mark_at(t, b, TIMELINE_ENDS, 1040);  /* a never ends: it lasts as long as the others */
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

TEST(timeline_sections_each_begin_at_zero)
{
    struct timeline *t = timeline_create();
    struct timeline_view view;

    timeline_section(t, "threads");
    t->sections[1].began_ns = 100;
    mark_at(t, timeline_lane(t, "one"), TIMELINE_WORKS, 110);
    mark_at(t, 0, TIMELINE_ENDS, 150);
    timeline_section(t, "empty");
    timeline_section(t, "tasks");
    t->sections[3].began_ns = 200;
    mark_at(t, timeline_lane(t, "two"), TIMELINE_WAITS, 200);
    mark_at(t, 1, TIMELINE_ENDS, 201);
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
    mark_at(t, timeline_lane(t, "one"), TIMELINE_WORKS, 10);
    t->marks_drawn++;
    mark_at(t, 1, TIMELINE_ENDS, 20);
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
    mark_at(t, a, TIMELINE_WORKS, 5001000);
    mark_at(t, b, TIMELINE_WAITS, 5002003);
    mark_at(t, a, TIMELINE_WAITS, 5002500);
    mark_at(t, a, TIMELINE_ENDS, 5009000);
    mark_at(t, b, TIMELINE_ENDS, 5008000);
    timeline_section(t, "tasks");
    t->sections[2].began_ns = 7000000;
    mark_at(t, timeline_lane(t, "three"), TIMELINE_WORKS, 7000000);
    mark_at(t, 2, TIMELINE_ENDS, 7000001);
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
