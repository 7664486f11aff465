/* SPDX-License-Identifier: MIT */
/* An HTTP server on one end of a stream in memory. */
#include "served.h"

#include <stdlib.h>

#include "memstream.h"
#include "test.h"

static int served_run(void *arg)
{
    struct served_conn *conn = arg;
    struct served_setup *setup = conn->setup;

    setup->result = whorl_http_serve_stream(conn->server, &setup->options, setup->fn, setup->arg);
    whorl_stream_close(conn->server);
    return 0;
}

void served_open(struct served_conn *conn, struct served_setup *setup)
{
    *conn = (struct served_conn){.setup = setup};
    setup->result = 1;
    CHECK_OK(memstream_pair(&conn->client, &conn->server));
    memstream_chunk(conn->server, setup->chunk);
    memstream_capacity(conn->server, setup->capacity);
    CHECK_OK(whorl_spawn(&conn->group, served_run, conn));
}

WHORL_SUSPENDS_SHIELDED void served_send(struct served_conn *conn, const char *bytes, size_t len)
{
    CHECK_OK(whorl_stream_write(conn->client, bytes, len));
}

/* Removes the Date headers, which differ from run to run. */
void served_strip_dates(char *text)
{
    for (char *at = text; (at = strstr(at, "Date: ")) != NULL;) {
        char *end = strstr(at, "\r\n");
        CHECK(end && end - at == 35);
        memmove(at, end + 2, strlen(end + 2) + 1);
    }
}

/* Reads until the server closes, and joins it. free() the result. */
WHORL_SUSPENDS_SHIELDED char *served_close(struct served_conn *conn)
{
    char *text;

    if (!conn->setup->stay_open)
        CHECK_OK(whorl_stream_close_write(conn->client));
    CHECK_OK(whorl_stream_read_to_end(conn->client, 1 << 26, &text, NULL));
    whorl_stream_close(conn->client);
    CHECK_OK(whorl_group_wait(&conn->group));
    served_strip_dates(text);
    return text;
}

WHORL_SUSPENDS_SHIELDED char *served_bytes(struct served_setup *setup, const char *bytes,
                                           size_t len)
{
    struct served_conn conn;

    served_open(&conn, setup);
    served_send(&conn, bytes, len);
    char *replies = served_close(&conn);
    CHECK_EQ(memstream_alive(), 0);
    return replies;
}

WHORL_SUSPENDS_SHIELDED char *served(struct served_setup *setup, const char *text)
{
    return served_bytes(setup, text, strlen(text));
}
