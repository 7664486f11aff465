/* SPDX-License-Identifier: MIT */
/* The events of whorl-get's transfers, and what --timeline and --why-slow make of them. */
#include <locale.h>
#include <stdlib.h>

#include <whorl/task.h>

#include "faults.h"
#include "test.h"
#include "tools/get/buffer.h"
#include "tools/get/events.h"
#include "tools/get/outcome.h"
#include "tools/get/timeline.h"
#include "tools/get/timeline_svg.h"
#include "tools/get/why.h"

enum { MANY = 3 * TIMELINE_LANES_MAX };

static struct events events;
static struct timeline timeline;
static struct why why;
static struct buffer text;

static void start(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    events.started_ns = whorl_now();
    timeline_attach(&timeline, &events);
    why_attach(&why, &events);
}

static void stop(void)
{
    timeline_finish(&timeline);
    why_finish(&why);
    buffer_finish(&text);
}

static void begin(struct followed *followed, const char *url, const char *name)
{
    *followed = (struct followed){.id = 1, .url = url, .name = name, .queued_ns = whorl_now()};
    events_start(&events, followed);
}

static void end(struct followed *followed, bool ok)
{
    const struct outcome outcome = {.url = followed->url, .ok = ok, .bytes = 5};

    events_end(&events, followed, followed->id, &outcome);
}

static int count(const char *part)
{
    int n = 0;

    for (const char *at = text.text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static const char *draw(void)
{
    timeline_end(&timeline);
    buffer_clear(&text);
    timeline_svg_format(&text, &timeline);
    return text.text;
}

static const char *explain(void)
{
    buffer_clear(&text);
    why_format(&text, &why);
    return text.text;
}

static WHORL_SUSPENDS_SHIELDED void pass(int64_t ms)
{
    CHECK_OK(whorl_sleep(ms * WHORL_MILLISECOND));
}

TEST_VIRTUAL(each_instant_belongs_to_one_phase)
{
    static const struct outcome failure = {.error = {-ECONNREFUSED, "connect", "refused"}};
    struct followed followed;
    int64_t sum_ns = 0;

    start();
    followed = (struct followed){.id = 1, .url = "http://h/a", .name = "a"};
    followed.queued_ns = whorl_now();
    pass(10);
    events_start(&events, &followed);
    events_try(&events, &followed);
    pass(20);
    events_enter(&events, &followed, PHASE_DNS);
    pass(30);
    events_enter(&events, &followed, PHASE_CONNECT);
    pass(40);
    events_retry(&events, &followed, &failure, 50 * WHORL_MILLISECOND, false);
    CHECK_STR(followed.cause, "connect");
    pass(50);
    events_try(&events, &followed);
    events_enter(&events, &followed, PHASE_CONNECT);
    pass(60);
    events_retry(&events, &followed, &failure, 70 * WHORL_MILLISECOND, true);
    pass(70);
    end(&followed, false);
    const int64_t expected_ms[PHASES] = {[PHASE_QUEUE] = 30,
                                         [PHASE_DNS] = 30,
                                         [PHASE_CONNECT] = 100,
                                         [PHASE_RETRY] = 50,
                                         [PHASE_THROTTLED] = 70};
    for (int i = 0; i < PHASES; i++) {
        CHECK_EQ(followed.spent_ns[i], expected_ms[i] * WHORL_MILLISECOND);
        CHECK_EQ(events.spent_ns[i], followed.spent_ns[i]);
        sum_ns += followed.spent_ns[i];
    }
    CHECK_EQ(sum_ns, whorl_now() - followed.queued_ns);
    CHECK_STR(explain(),
              "whorl-get: 1 transfer spent 36 % of 280 ms connecting; the servers are far away, or "
              "slow to accept\n"
              "                    all  share  longest  of\n"
              "  queue           30 ms   11 %    30 ms  http://h/a\n"
              "  DNS             30 ms   11 %    30 ms  http://h/a\n"
              "  connect        100 ms   36 %   100 ms  http://h/a\n"
              "  retry pauses    50 ms   18 %    50 ms  http://h/a\n"
              "  throttled       70 ms   25 %    70 ms  http://h/a\n");
    stop();
}

/* A request that is refused before its URL is read, because there is no memory for example. */
TEST_VIRTUAL(a_request_without_a_url_is_no_https)
{
    const struct whorl_http_event event = {.kind = WHORL_HTTP_EVENT_START, .method = "GET"};
    struct followed followed;

    start();
    begin(&followed, "https://h/a", "a");
    events_try(&events, &followed);
    events_observe(&events, &followed, &event);
    CHECK(!followed.https);
    end(&followed, false);
    stop();
}

TEST_VIRTUAL(the_longest_of_each_phase_is_named)
{
    struct followed a, b;

    start();
    begin(&a, "http://me:secret@h/a\x1b", "a");
    begin(&b, "http://h/b", "b");
    events_enter(&events, &a, PHASE_DISK);
    pass(5);
    events_enter(&events, &b, PHASE_DISK);
    pass(10);
    end(&a, true);
    pass(1000);
    end(&b, true);
    CHECK(strstr(explain(), "1.0 s  http://h/b\n") != NULL);
    CHECK(strstr(text.text, " spent 100 % of 1.0 s waiting for the disk\n") != NULL);
    begin(&a, "http://me:secret@h/a\x1b", "a");
    events_enter(&events, &a, PHASE_DISK);
    pass(2000);
    end(&a, true);
    begin(&b, "http://h/b", "b");
    events_enter(&events, &b, PHASE_DISK);
    pass(5);
    end(&b, true);
    CHECK(strstr(explain(), "2.0 s  http://***@h/a\\x1b\n") != NULL);
    stop();
}

TEST_VIRTUAL(nothing_to_explain_is_said)
{
    start();
    CHECK_STR(explain(), "whorl-get: no transfer has started, so no time was spent\n");
    CHECK(strstr(draw(), ">No transfer has started. <") != NULL ||
          strstr(text.text, "No transfer"));
    CHECK_EQ(count("class=\"lane"), 0);
    stop();
}

TEST_VIRTUAL(a_lane_is_as_long_as_its_transfer)
{
    struct followed a, b;

    start();
    begin(&a, "http://h/a", "a");
    events_enter(&events, &a, PHASE_DISK);
    pass(1000);
    begin(&b, "http://h/b", "b");
    events_enter(&events, &b, PHASE_DISK);
    end(&a, true);
    pass(1000);
    end(&b, false);
    draw();
    CHECK_EQ(count("<g class=\"lane\">"), 1);
    CHECK_EQ(count("<g class=\"lane failed\">"), 1);
    CHECK_EQ(count("<path class=\"p-disk\""), 3); /* with the legend */
    CHECK_EQ(count("<path class=\"cross\""), 1);
    CHECK_EQ(count("h346.5\"/>"), 2); /* half of the width each */
    CHECK(strstr(text.text, "<title>2 transfers in 2.0 s</title>") != NULL);
    CHECK(strstr(text.text, "<title>http://h/a: done, 5 B; disk 1.0 s</title>") != NULL);
    stop();
}

TEST_VIRTUAL(foreign_text_is_escaped)
{
    struct followed a;

    start();
    begin(&a, "http://me:secret@h/<&>\xff\x1b", "<b>&\x01\xe2\x80\xae\xff");
    pass(1);
    end(&a, true);
    draw();
    CHECK(strstr(text.text, ">&lt;b&gt;&amp;\\x01\\xe2\\x80\\xae\\xff</text>") != NULL);
    CHECK(strstr(text.text, "http://***@h/&lt;&amp;&gt;\\xff\\x1b: done") != NULL);
    CHECK(strstr(text.text, "secret") == NULL);
    for (size_t i = 0; i < text.len; i++)
        CHECK(text.text[i] == '\n' || (unsigned char)text.text[i] >= ' ');
    stop();
}

TEST_VIRTUAL(of_many_transfers_some_are_drawn)
{
    static struct followed held[8];

    start();
    for (int i = 0; i < 8; i++) /* active all the time: their lanes may be dropped meanwhile */
        begin(&held[i], "http://h/held", "held");
    for (int i = 8; i < MANY; i++) {
        struct followed a;
        begin(&a, "http://h/a", "a");
        end(&a, true);
    }
    pass(1);
    for (int i = 0; i < 8; i++)
        end(&held[i], true);
    draw();
    CHECK_EQ(timeline.stride, 4);
    CHECK_EQ(timeline.count, MANY / 4);
    CHECK_EQ(count("<g class=\"lane\">"), MANY / 4);
    CHECK_EQ(count("http://h/held"), 2);
    CHECK(strstr(text.text, ">1 in 4 transfers is shown. </text>") != NULL);
    stop();
}

TEST_VIRTUAL(without_memory_parts_are_missing_and_it_is_said)
{
    bool failed;
    int said = 0;

    for (unsigned n = 1;; n++) {
        struct followed a;
        start();
        faults_arm(n);
        begin(&a, "http://h/a", "a");
        for (int i = 0; i < 20; i++) {
            events_enter(&events, &a, i % 2 ? PHASE_DISK : PHASE_THROTTLED);
            pass(1);
        }
        end(&a, true);
        draw();
        bool is_drawn = !text.failed;
        bool is_whole = !timeline.failed;
        explain();
        failed = faults_disarm();
        bool is_said = !is_drawn || !is_whole || text.failed;
        for (int i = 0; i < PHASES; i++)
            is_said |= why.longest[i].url.failed;
        CHECK(failed || !is_said);
        said += is_said;
        if (is_drawn && !is_whole) {
            draw();
            CHECK(strstr(text.text, ">Parts are missing, because there was no memory") != NULL);
        }
        stop();
        events = (struct events){0};
        why = (struct why){0};
        if (!failed)
            break;
        CHECK(n < 100);
    }
    CHECK(said > 8); /* a text that cannot be shortened is no failure */
}

TEST_VIRTUAL(the_share_of_a_body_does_not_fall)
{
    struct followed a = {.id = 1, .url = "http://h/a", .name = "a"};

    start();
    events_start(&events, &a);
    CHECK(followed_share(&a) < 0);
    a.length = 1000;
    a.receiving = true;
    events_note_progress(&events, &a, 600);
    CHECK_EQ((int)(1000 * followed_share(&a)), 600);
    a.have = a.counted = 0; /* as events_headers() sets it for a try that begins again */
    events_note_progress(&events, &a, 100);
    CHECK_EQ((int)(1000 * followed_share(&a)), 600);
    events_note_progress(&events, &a, 50); /* late news */
    CHECK_EQ(a.have, 100);
    events_note_progress(&events, &a, 1500);
    CHECK_EQ((int)(1000 * followed_share(&a)), 1000);
    CHECK_EQ(events.received, 600 + 1500);
    CHECK_EQ(followed_left_ns(&a), -1);
    end(&a, true);
    stop();
}

TEST_VIRTUAL(rates_are_those_of_the_last_seconds)
{
    struct followed a = {.id = 1, .url = "http://h/a", .name = "a"};

    start();
    events_start(&events, &a);
    a.length = 100000;
    a.receiving = true;
    for (int i = 1; i <= 50; i++) {
        pass(100);
        events_note_progress(&events, &a, i * 100);
        events_tick(&events);
    }
    CHECK(a.rate > 990 && a.rate < 1010);
    CHECK(events.rate > 990 && events.rate < 1010);
    CHECK_EQ((followed_left_ns(&a) + WHORL_SECOND / 2) / WHORL_SECOND, 95);
    for (int i = 0; i < 100; i++) {
        pass(100);
        events_tick(&events);
    }
    CHECK(a.rate < 10);
    CHECK_EQ(whorl_now() - a.moved_ns, 10 * WHORL_SECOND);
    end(&a, true);
    stop();
}

TEST_MAIN()
