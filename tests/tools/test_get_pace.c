/* SPDX-License-Identifier: MIT */
/* The pace of whorl-get's requests, against servers that limit them. No server is asked: time is a
 * number here. */
#include "test.h"
#include "tools/get/pace.h"

enum { URLS = 100 };

/* A server that accepts `burst` requests at once and then `rate` a second, as token buckets do. */
struct server {
    double rate, burst;
    int64_t silence_ns; /* that it asks for */
    double tokens;
    int64_t at_ns;
    int refusals;
    int64_t known_ns; /* when the first refusal was known */
    int needless;     /* refusals of requests that were made after that */
};

static bool ask(struct server *server, int64_t now_ns)
{
    server->tokens += server->rate * (double)(now_ns - server->at_ns) / (double)WHORL_SECOND;
    server->tokens = server->tokens > server->burst ? server->burst : server->tokens;
    server->at_ns = now_ns;
    if (server->tokens < 1) {
        server->refusals++;
        server->needless += server->known_ns > 0;
        return false;
    }
    server->tokens -= 1;
    return true;
}

/* Fetches all URLs, at most `parallel` at a time. Each answer takes `trip_ns`. Returns the time. */
static int64_t fetch(struct pace *pace, struct server *server, int parallel, int64_t trip_ns)
{
    struct request {
        int64_t started_ns;
        bool is_under_way, accepted;
    } requests[16] = {0};
    int64_t now_ns = WHORL_SECOND, start_ns = now_ns;
    int done = 0, under_way = 0;

    CHECK(parallel <= 16);
    server->tokens = server->burst;
    server->at_ns = now_ns;
    while (done < URLS) {
        int64_t next_ns = INT64_MAX;
        for (int i = 0; i < parallel; i++) {
            struct request *r = &requests[i];
            if (r->is_under_way && r->started_ns + trip_ns <= now_ns) {
                r->is_under_way = false;
                under_way--;
                pace_end(pace, r->started_ns);
                done += r->accepted;
                if (r->accepted)
                    pace_accept(pace, r->started_ns, now_ns);
                else {
                    server->known_ns = server->known_ns ? server->known_ns : now_ns;
                    pace_refuse(pace, r->started_ns, now_ns, server->silence_ns);
                }
            }
        }
        if (done == URLS)
            break;
        for (int i = 0; i < parallel; i++) {
            struct request *r = &requests[i];
            if (!r->is_under_way && done + under_way < URLS && pace_next(pace) <= now_ns) {
                *r = (struct request){now_ns, true, ask(server, now_ns)};
                under_way++;
                pace_start(pace, now_ns);
            }
            if (r->is_under_way && r->started_ns + trip_ns < next_ns)
                next_ns = r->started_ns + trip_ns;
        }
        if (under_way < parallel && done + under_way < URLS && pace_next(pace) < next_ns)
            next_ns = pace_next(pace);
        now_ns = next_ns;
    }
    return now_ns - start_ns;
}

TEST(without_refusals_there_are_no_pauses)
{
    struct pace pace = {0};
    struct server server = {.rate = 1e9, .burst = 1e9};

    CHECK_EQ(fetch(&pace, &server, 10, WHORL_MILLISECOND), URLS / 10 * WHORL_MILLISECOND);
    CHECK_EQ(pace.pause_ns, 0);
}

TEST(a_steady_limit_refuses_three_times_at_most)
{
    static const double rates[] = {1, 5, 10, 50, 200}, bursts[] = {1, 5, 20};

    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 3; j++)
            for (int parallel = 1; parallel <= 6; parallel += 5) {
                struct pace pace = {0};
                struct server server = {
                    .rate = rates[i], .burst = bursts[j], .silence_ns = WHORL_SECOND};
                int64_t best_ns = (int64_t)((URLS - bursts[j]) / rates[i] * (double)WHORL_SECOND);
                int64_t took_ns = fetch(&pace, &server, parallel, 5 * WHORL_MILLISECOND);
                if (server.needless > 3 || took_ns > 2 * best_ns + 16 * WHORL_SECOND)
                    test_log("rate %g, burst %g, %d at a time: %d needless refusals of %d, %lld of "
                             "%lld ms\n",
                             rates[i], bursts[j], parallel, server.needless, server.refusals,
                             (long long)took_ns / 1000000, (long long)best_ns / 1000000);
            }
    CHECK_STR(test_logged(), "");
}

TEST(a_silence_is_kept_by_all)
{
    struct pace pace = {0};

    pace_start(&pace, 1000);
    pace_start(&pace, 1000);
    pace_refuse(&pace, 1000, 2000, 60 * WHORL_SECOND);
    pace_end(&pace, 1000);
    pace_refuse(&pace, 1000, 2500, WHORL_SECOND); /* which had started before */
    pace_end(&pace, 1000);
    CHECK_EQ(pace_next(&pace), 2000 + 60 * WHORL_SECOND);
    CHECK_EQ(pace.refusals, 1);
}

TEST(a_rate_of_the_user_is_never_exceeded)
{
    struct pace pace = {.pause_min_ns = 100 * WHORL_MILLISECOND};
    struct server server = {.rate = 1e9, .burst = 1e9};

    CHECK_EQ(fetch(&pace, &server, 10, WHORL_MILLISECOND),
             (URLS - 1) * 100 * WHORL_MILLISECOND + WHORL_MILLISECOND);
}

TEST_MAIN()
