/* SPDX-License-Identifier: MIT */
/* libpq on whorl. It has calls that do not block, and a descriptor, so it needs no callbacks: where
 * a call would block, the task waits with whorl_poll_fd(). Here several connections run a query at
 * the same time. */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>

#include <whorl.h>

enum { QUERIES = 4 };

struct query {
    const char *conninfo;
    int number;
    char answer[32];
};

/* PQconnectPoll() says after each step whether to wait for reading or writing. The descriptor may
 * change between two steps. */
static WHORL_SUSPENDS int connect_to(PGconn *conn)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    int got = 1;

    while (got > 0 && status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
        got = whorl_poll_fd(PQsocket(conn), status == PGRES_POLLING_READING ? POLLIN : POLLOUT);
        if (got > 0)
            status = PQconnectPoll(conn);
    }
    return got < 0 ? got : status == PGRES_POLLING_OK ? 0 : -ECONNREFUSED;
}

/* Sends the queued data. It also reads, because otherwise each side could wait for the other to
 * read. */
static WHORL_SUSPENDS int flush(PGconn *conn)
{
    int left, got = 0;

    while (got >= 0 && (left = PQflush(conn)) == 1) {
        got = whorl_poll_fd(PQsocket(conn), POLLIN | POLLOUT);
        if (got > 0 && got & POLLIN && !PQconsumeInput(conn))
            return -ECONNRESET;
    }
    return got < 0 ? got : left < 0 ? -ECONNRESET : 0;
}

/* Waits for the next result. A NULL result means that the query is done. */
static WHORL_SUSPENDS int next_result(PGconn *conn, PGresult **ret)
{
    while (PQisBusy(conn)) {
        int got = whorl_poll_fd(PQsocket(conn), POLLIN);
        if (got < 0)
            return got;
        if (!PQconsumeInput(conn))
            return -ECONNRESET;
    }
    *ret = PQgetResult(conn);
    return 0;
}

static WHORL_SUSPENDS int ask(PGconn *conn, struct query *query)
{
    char text[96];
    PGresult *result;

    snprintf(text, sizeof text, "SELECT %d * %d FROM (SELECT pg_sleep(0.3)) AS nap", query->number,
             query->number);
    if (PQsetnonblocking(conn, 1) != 0 || !PQsendQuery(conn, text))
        return -ECONNRESET;
    int err = flush(conn);
    while (err == 0 && (err = next_result(conn, &result)) == 0 && result) {
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            snprintf(query->answer, sizeof query->answer, "%s", PQgetvalue(result, 0, 0));
        else
            err = -EPROTO;
        PQclear(result);
    }
    return err;
}

static int run_query(void *arg)
{
    struct query *query = arg;
    PGconn *conn = PQconnectStart(query->conninfo);

    int err = !conn || PQstatus(conn) == CONNECTION_BAD ? -ECONNREFUSED : connect_to(conn);
    if (err == 0)
        err = ask(conn, query);
    if (err && err != -ECANCELED)
        fprintf(stderr, "%s", PQerrorMessage(conn));
    PQfinish(conn);
    return err;
}

static int root(void *arg)
{
    struct query queries[QUERIES];
    WHORL_AUTO(group) group = {.stack_size = 262144};
    int64_t began = whorl_now();
    int err = 0;

    for (int i = 0; i < QUERIES && err == 0; i++) {
        queries[i] = (struct query){.conninfo = arg, .number = i + 1};
        err = whorl_spawn(&group, run_query, &queries[i]);
    }
    if (err == 0)
        err = whorl_group_wait(&group);
    for (int i = 0; i < QUERIES && err == 0; i++)
        printf("%d squared is %s\n", i + 1, queries[i].answer);
    fprintf(stderr, "%d queries of 300 ms took %lld ms\n", QUERIES,
            (long long)((whorl_now() - began) / WHORL_MILLISECOND));
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    return whorl_io_run(root, argv[1]) ? 1 : 0;
}
