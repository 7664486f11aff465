/* SPDX-License-Identifier: MIT */
/* The recorder of the concurrency models: lanes and marks from threads and processes, and the trace
 * events made from them. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/run.h>

#include "examples/concurrency/timeline.h"
#include "examples/concurrency/timeline_record.h"
#include "examples/concurrency/timeline_view.h"
#include "faults.h"
#include "subprocess.h"
#include "test.h"

/* Returns the spans of a lane, such as "c0-10 w10-15": the state and its times, counted from the
 * beginning of the section. */
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
    timeline_mark_at(t, a, TIMELINE_WAITS, 1012); /* repeating a state starts no new span */
    timeline_mark_at(t, b, TIMELINE_ENDS, 1020);
    timeline_mark_at(t, b, TIMELINE_WORKS, 1030); /* a lane may start again after its end */
    timeline_mark_at(t, a, TIMELINE_WAITS, 1028);
    timeline_mark_at(t, a, TIMELINE_WORKS, 1025); /* recorded after a later mark of its lane */
    /* Lane a has no end: it lasts as long as the others. */
    timeline_mark_at(t, b, TIMELINE_ENDS, 1040);
    CHECK_OK(timeline_view_init(&view, t));
    CHECK_EQ(view.count, 1);
    CHECK_STR(view.sections[0].name, "");
    CHECK_EQ(view.sections[0].count, 2);
    CHECK_STR(view.sections[0].lanes[1].name, "b");
    CHECK_STR(spans_of(&view.sections[0], 0), "c0-10 w10-25 c25-28 w28-40");
    CHECK_STR(spans_of(&view.sections[0], 1), "w5-20 c30-40");
    CHECK_EQ(view.lost, 0);
    timeline_view_finish(&view);
    timeline_destroy(t);
}

/* Records one lane in one section. */
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
    /* Continues in the last section. */
    timeline_mark_at(t, timeline_lane(t, "c"), TIMELINE_WAITS, 1010);
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
    memcpy(name + 62, "\xe2\x82\xac", 4); /* the last byte of the character would be byte 65 */
    timeline_lane(t, name);
    CHECK_EQ(strlen(t->lanes[0].name), 62);
    timeline_rename(t, 0, "short");
    CHECK_STR(t->lanes[0].name, "short");
    timeline_destroy(t);
}

enum { MARKERS = 4, MARKS = 100000 };

/* In shared memory, so that threads and processes start at the same time. */
static pthread_barrier_t *all_there;

static void make_barrier(void)
{
    pthread_barrierattr_t attr;

    all_there =
        mmap(NULL, sizeof *all_there, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(all_there != MAP_FAILED);
    pthread_barrierattr_init(&attr);
    pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    CHECK_EQ(pthread_barrier_init(all_there, &attr, MARKERS), 0);
    pthread_barrierattr_destroy(&attr);
}

static void *mark_often(void *arg)
{
    struct timeline *t = arg;
    pthread_barrier_wait(all_there);
    int lane = timeline_lane(t, "thread");

    for (int i = 0; i < MARKS; i++)
        timeline_mark(t, lane, i % 2 ? TIMELINE_WAITS : TIMELINE_WORKS);
    timeline_mark(t, lane, TIMELINE_ENDS);
    return NULL;
}

/* Checks that all marks of `lanes` lanes are there, in the order in which each lane made them. */
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

    make_barrier();
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

    make_barrier();
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

/* A place that a killed process has reserved stays empty. */
TEST(timeline_ignores_slots_that_were_never_filled)
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
    int err = whorl_sleep(10);
    whorl_task_set_name(arg);
    return err ? err : whorl_sleep(10);
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

/* On a virtual clock, work takes no time. */
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
    CHECK_EQ(watched->marks_drawn, 8); /* one mark per change, whatever the tasks do in between */
    timeline_view_finish(&view);
    timeline_destroy(watched);
    timeline_watch_run(NULL, 0); /* outside a run too */
    timeline_watch_tasks(NULL);
}

/* When there is no room or memory for a lane, it is missing, and the run continues. */
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

/* Writes a picture to the standard input of a Python program and returns what the program
 * prints. */
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
              "process_name 1 1 'pool \"of\" threads'\n"
              "thread_name 1 1 'a\\\\b\\n\\x1b\\ufffd\\xe9'\n"
              "computes 1 1 1.0 1.5\n"
              "waits 1 1 2.5 6.5\n"
              "thread_name 1 2 'two'\n"
              "waits 1 2 2.003 5.997\n"
              "process_name 2 1 'tasks'\n"
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

/* --- pictures --------------------------------------------------------------------------------- */

/* A Python program that reads a picture: its texts, and the strokes of each lane in hundredths of
 * the width, "c3:0-25". Strokes of one column, where spans meet, are left out. */
static const char read_svg[] =
    "import re, sys\n"
    "import xml.etree.ElementTree as tree\n"
    "ns = '{http://www.w3.org/2000/svg}'\n"
    "text = sys.stdin.buffer.read().decode()\n"
    "svg = tree.fromstring(text)\n"
    "assert 'http' not in text.replace(ns[1:-1], '')\n" /* self-contained */
    "assert {e.tag.replace(ns, '') for e in svg.iter()} <= {\n"
    "    'svg', 'title', 'style', 'rect', 'text', 'tspan', 'path', 'g'}\n"
    "def plain(element):\n"
    "    return ascii(''.join(element.itertext()))[1:-1]\n"
    "def ends(path):\n"
    "    x = 0\n"
    "    for move, at, length in re.findall(r'([Mm])(-?\\d+) [\\d.]+h(\\d+)', path.get('d')):\n"
    "        x = int(at) if move == 'M' else x + int(at)\n"
    "        yield x, x + int(length)\n"
    "        x += int(length)\n"
    "def of(kind, what):\n"
    "    return svg.findall('.//%s%s[@class=\"%s\"]' % (ns, kind, what))\n"
    "lanes = of('g', 'lane')\n"
    "width = max((to for l in lanes for p in l[1:] for _, to in ends(p)), default=0)\n"
    "def strokes(lane):\n"
    "    return ' '.join(p.get('class') + ':' + ','.join(\n"
    "        '%d-%d' % (round(100 * a / width), round(100 * b / width))\n"
    "        for a, b in ends(p) if b - a > 1)\n"
    "        for p in lane[1:] if any(b - a > 1 for a, b in ends(p)))\n"
    "texts = [plain(t) for t in svg.iter(ns + 'text')]\n";

/* Returns the output of that program continued with `then`. */
static const char *read_picture(const struct timeline *t, const char *title, const char *then)
{
    char program[4096];

    snprintf(program, sizeof program, "%s%s", read_svg, then);
    return ask_python(program, timeline_write_svg, t, title);
}

static int64_t ms(int64_t n)
{
    return n * 1000000;
}

TEST(timeline_svg_has_a_stroke_for_each_span)
{
    struct timeline *t = timeline_create();
    int a = timeline_lane(t, "one"), b = timeline_lane(t, "two");

    timeline_mark_at(t, a, TIMELINE_WORKS, ms(1));
    timeline_mark_at(t, a, TIMELINE_WAITS, ms(2));
    timeline_mark_at(t, b, TIMELINE_WAITS, ms(2));
    timeline_mark_at(t, b, TIMELINE_ENDS, ms(3));
    timeline_mark_at(t, a, TIMELINE_WORKS, ms(4));
    timeline_mark_at(t, b, TIMELINE_WORKS, ms(4));
    timeline_mark_at(t, a, TIMELINE_ENDS, ms(5));
    CHECK_STR(read_picture(t, "pages",
                           "print(texts)\n"
                           "for lane in lanes:\n"
                           "    print(plain(lane[0]), '|', strokes(lane))\n"),
              "['pages: 4.00 ms', 'computes', 'waits', '2 lanes', '0 ms', '0.5 ms', '1.0 ms', "
              "'1.5 ms', '2.0 ms', '2.5 ms', '3.0 ms', '3.5 ms', '4.0 ms', 'one', 'two']\n"
              "one: computes 2.00 ms, waits 2.00 ms | w:25-75 c3:0-25,75-100\n"
              "two: computes 1.00 ms, waits 1.00 ms | w:25-50 c3:75-100\n");
    timeline_destroy(t);
}

TEST(timeline_svg_stacks_sections_at_one_scale)
{
    struct timeline *t = timeline_create();

    for (int i = 1; i <= 2; i++) {
        timeline_section(t, i == 1 ? "threads" : "tasks");
        t->sections[i].began_ns = ms(1000 * i);
        int lane = timeline_lane(t, "worker");
        timeline_mark_at(t, lane, TIMELINE_WAITS, ms(1000 * i + 100 * i));
        timeline_mark_at(t, lane, TIMELINE_ENDS, ms(1000 * i + 600 / i));
    }
    CHECK_STR(read_picture(t, "both",
                           "print(texts)\n"
                           "print([strokes(lane) for lane in lanes], len(of('g', 'section')))\n"),
              "['both', 'computes', 'waits', 'threads: 600 ms 1 lane', '0 ms', '100 ms', '200 ms', "
              "'300 ms', '400 ms', '500 ms', '600 ms', 'worker', 'tasks: 300 ms 1 lane', '0 ms', "
              "'100 ms', '200 ms', '300 ms', '400 ms', '500 ms', '600 ms', 'worker']\n"
              "['w:17-100', 'w:33-50'] 2\n");
    timeline_destroy(t);
}

/* A hundred thousand short steps become a mixture in a small file. A single short step stays
 * visible, but two hundred of them must not each look like a long one. */
TEST(timeline_svg_merges_what_is_narrower_than_a_pixel)
{
    struct timeline *t = timeline_create();
    int even = timeline_lane(t, "even"), seldom = timeline_lane(t, "seldom");
    int often = timeline_lane(t, "often");

    for (int i = 0; i < 100000; i++)
        timeline_mark_at(t, even, i % 2 ? TIMELINE_WAITS : TIMELINE_WORKS, i * 1000);
    timeline_mark_at(t, seldom, TIMELINE_WAITS, 0);
    timeline_mark_at(t, seldom, TIMELINE_WORKS, ms(50));
    timeline_mark_at(t, seldom, TIMELINE_WAITS, ms(50) + 1000);
    for (int i = 0; i < 200; i++) {
        timeline_mark_at(t, often, TIMELINE_WAITS, ms(i) / 2);
        timeline_mark_at(t, often, TIMELINE_WORKS, ms(i) / 2 + 30000);
        timeline_mark_at(t, often, TIMELINE_WAITS, ms(i) / 2 + 31000);
    }
    CHECK_STR(read_picture(t, "",
                           "print(strokes(lanes[0]), '|', strokes(lanes[1]))\n"
                           "print([to - at for at, to in ends(lanes[1][-1])])\n"
                           "print([p.get('class') for p in lanes[2][1:]])\n"
                           "print(len(text) < 7000 or len(text))\n"),
              "w:0-100 c2:0-100 | w:0-50,50-100 c3:50-50\n[2]\n['w', 'c1']\nTrue\n");
    timeline_destroy(t);
}

static void mark_lanes(struct timeline *t, int count)
{
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "task %d", i + 1);
        int lane = timeline_lane(t, name);
        timeline_mark_at(t, lane, TIMELINE_WORKS, i);
        timeline_mark_at(t, lane, TIMELINE_ENDS, i + 1000);
    }
}

static const char *const count_lanes =
    "names = of('text', 'name')\n"
    "ys = [float(name.get('y')) for name in names]\n"
    "far = min((b - a for a, b in zip(ys, ys[1:])), default=99)\n"
    "print(len(lanes), len(names), far >= 12, plain(names[-1]), texts[3],\n"
    "      float(svg.get('viewBox').split()[3]) < 1300)\n";

TEST(timeline_svg_of_many_lanes_can_be_read)
{
    static const struct {
        int lanes;
        const char *expected;
    } rows[] = {
        {1, "1 1 True task 1 1 lane True\n"},
        {40, "40 40 True task 40 40 lanes True\n"},
        {200, "200 40 True task 196 200 lanes True\n"},
        {400, "400 80 True task 396 400 lanes True\n"},
        {401, "201 41 True task 401 401 lanes, of which 1 in 2 is shown True\n"},
        {5000, "385 77 True task 4941 5000 lanes, of which 1 in 13 is shown True\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct timeline *t = timeline_create();
        mark_lanes(t, rows[i].lanes);
        CHECK_STR(read_picture(t, "", count_lanes), rows[i].expected);
        timeline_destroy(t);
    }
}

TEST(timeline_svg_shows_any_name_as_what_it_is)
{
    static const char *const names[] = {
        "</text><script>alert(1)</script>",
        "a & b \"c\" 'd' ]]> &lt;",
        "\x1b[31m tab\there\nline \x01\x7f",
        "\xff\xc3 \xed\xa0\x80 \xef\xbf\xbe \xc0\x80",
        "M\xc3\xbcller \xe4\xb8\x8b\xe8\xbd\xbd",
        "",
        "0123456789012345678901234567890123456789012345678901234567890123456789",
        "\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4"
        "\xb8"
        "\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b\xe4\xb8\x8b",
    };
    struct timeline *t = timeline_create();

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        timeline_mark_at(t, timeline_lane(t, names[i]), TIMELINE_WAITS, ms((int64_t)i));
    CHECK_STR(read_picture(t, "<title> & \xff",
                           "print(texts[0])\n"
                           "print('\\n'.join(map(plain, of('text', 'name'))))\n"
                           "print(plain(lanes[0][0])[:32], plain(lanes[6][0])[:64][60:])\n"),
              "<title> & \\ufffd: 7.00 ms\n"
              "</text><script>alert(1)\\u2026\n"
              "a & b \"c\" \\'d\\' ]]> &lt;\n"
              "\\ufffd[31m tab here line \\ufffd\\ufffd\n"
              "\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd \\ufffd\\ufffd\n"
              "M\\xfcller \\u4e0b\\u8f7d\n"
              "\n"
              "01234567890123456789012\\u2026\n"
              "\\u4e0b\\u4e0b\\u4e0b\\u4e0b\\u4e0b\\u4e0b\\u4e0b\\u4e0b\\u4e0b\\u4e0b\\u4e0b\\u4e0b"
              "\\u4e0b\\u2026\n"
              "</text><script>alert(1)</script> 012:\n");
    timeline_destroy(t);
}

TEST(timeline_svg_says_when_something_or_all_is_missing)
{
    struct timeline *t = timeline_create();

    CHECK_STR(read_picture(t, "empty", "print(texts)\n"),
              "['empty', 'computes', 'waits', 'Nothing was recorded.']\n");
    timeline_mark(t, timeline_lane(t, "one"), TIMELINE_WAITS);
    t->marks_drawn = TIMELINE_MARKS_MAX + 7;
    CHECK_STR(read_picture(t, "full", "print(texts[-1], texts[0])\n"),
              "7 changes are missing, because the recording was full. full: 0 ns\n");
    timeline_destroy(t);
}

TEST(timeline_pictures_tell_of_a_full_disk)
{
    static int (*const writers[])(const struct timeline *, const char *,
                                  FILE *) = {timeline_write_svg, timeline_write_trace};
    struct timeline *t = timeline_create();
    char disk[4096];

    mark_lanes(t, 200);
    for (int i = 0; i < 2; i++) {
        FILE *to = fmemopen(disk, sizeof disk, "w");
        CHECK(to);
        CHECK_ERR(writers[i](t, "", to), -ENOSPC);
        fclose(to);
    }
    timeline_destroy(t);
}

static int write_both(void *arg)
{
    FILE *to = arg;

    rewind(to);
    int err = timeline_write_svg(watched, "", to);
    return err ? err : timeline_write_trace(watched, "", to);
}

TEST(timeline_pictures_tell_of_missing_memory)
{
    static char disk[1 << 16];
    FILE *to = fmemopen(disk, sizeof disk, "w");

    CHECK(to);
    watched = timeline_create();
    mark_lanes(watched, 3);
    CHECK(faults_sweep(write_both, to) >= 5 + 3 + 5);
    timeline_destroy(watched);
    fclose(to);
}

TEST_MAIN()
