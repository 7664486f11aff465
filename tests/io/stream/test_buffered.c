/* SPDX-License-Identifier: MIT */
/* Buffered readers and writers over streams in memory, whose reads return pieces of every size. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/buffered.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "cancel.h"
#include "faults.h"
#include "memstream.h"
#include "test.h"

/* A reader of `text` and the end. Reads of the stream return at most `chunk` bytes. */
struct input {
    struct whorl_stream *peer, *stream;
    struct whorl_reader *reader;
};

static WHORL_SUSPENDS_SHIELDED void open_input(struct input *input, const char *text, size_t len,
                                               size_t chunk,
                                               const struct whorl_reader_options *options)
{
    CHECK_OK(memstream_pair(&input->peer, &input->stream));
    memstream_chunk(input->stream, chunk);
    CHECK_OK(whorl_reader_create(input->stream, options, &input->reader));
    CHECK_OK(whorl_stream_write(input->peer, text, len));
    CHECK_OK(whorl_stream_close_write(input->peer));
}

static void close_input(struct input *input)
{
    whorl_reader_destroy(input->reader);
    whorl_stream_close(input->peer);
    whorl_stream_close(input->stream);
}

/* Reads all lines of `text` in pieces of `chunk` bytes, and writes "[line]" for each. */
static WHORL_SUSPENDS_SHIELDED void lines_of(const char *text, size_t len, size_t chunk, char *ret)
{
    struct whorl_reader_options options = {.size = 4};
    struct input input;
    char *line;
    size_t line_len;
    int got;

    open_input(&input, text, len, chunk, &options);
    while ((got = whorl_reader_read_line(input.reader, &line, &line_len)) == 1) {
        CHECK_EQ(line[line_len], '\0');
        ret += sprintf(ret, "[%s]", line);
    }
    CHECK_ERR(got, 0);
    CHECK_ERR(whorl_reader_read_line(input.reader, &line, NULL), 0); /* the end stays the end */
    close_input(&input);
}

TEST_VIRTUAL(lines_end_with_a_newline_and_an_optional_return)
{
    static const struct {
        const char *text, *lines;
    } cases[] = {
        {"", ""},
        {"\n", "[]"},
        {"\r\n", "[]"},
        {"one\ntwo\n", "[one][two]"},
        {"one\r\ntwo", "[one][two]"},
        {"\n\n\nx", "[][][][x]"},
        {"a\rb\r\r\nc\r", "[a\rb\r][c\r]"}, /* a "\r" alone ends no line */
        {"a line of some length, longer than the buffer\r\nand another\n",
         "[a line of some length, longer than the buffer][and another]"},
    };
    char lines[256];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t chunk = 0; chunk < 6; chunk++) {
            lines[0] = '\0';
            lines_of(cases[i].text, strlen(cases[i].text), chunk, lines);
            CHECK_STR(lines, cases[i].lines);
        }
}

TEST_VIRTUAL(a_line_may_contain_nul)
{
    struct input input;
    char *line;
    size_t len;

    open_input(&input, "a\0b\nc", 5, 0, NULL);
    CHECK_ERR(whorl_reader_read_line(input.reader, &line, &len), 1);
    CHECK_EQ(len, 3);
    CHECK_EQ(memcmp(line, "a\0b", 4), 0);
    CHECK_EQ(whorl_reader_unread(input.reader), 1);
    close_input(&input);
}

TEST_VIRTUAL(a_line_has_a_limit_that_its_end_does_not_count_for)
{
    static const char *const ends[] = {"\n", "\r\n", ""};

    for (size_t size = 1; size < 12; size++)
        for (size_t chunk = 0; chunk < 3; chunk++)
            for (size_t end = 0; end < 3; end++) {
                struct whorl_reader_options options = {.size = size, .part_max = 5};
                struct input input;
                char text[32], *line;
                size_t len;

                snprintf(text, sizeof text, "12345%s", ends[end]);
                open_input(&input, text, strlen(text), chunk, &options);
                CHECK_ERR(whorl_reader_read_line(input.reader, &line, &len), 1);
                CHECK_STR(line, "12345");
                close_input(&input);

                snprintf(text, sizeof text, "123456%s", ends[end]);
                open_input(&input, text, strlen(text), chunk, &options);
                CHECK_ERR(whorl_reader_read_line(input.reader, &line, &len), -EMSGSIZE);
                CHECK_ERR(whorl_reader_read_line(input.reader, &line, &len), -EMSGSIZE);
                CHECK_OK(whorl_reader_read_exact(input.reader, text, 6)); /* nothing is lost */
                CHECK_EQ(memcmp(text, "123456", 6), 0);
                close_input(&input);
            }
}

TEST_VIRTUAL(parts_end_with_any_delimiter)
{
    for (size_t chunk = 0; chunk < 6; chunk++) {
        struct whorl_reader_options options = {.size = 2, .part_max = 8};
        struct input input;
        char *part;
        size_t len;

        open_input(&input, "ab--c-d----e", 12, chunk, &options);
        CHECK_ERR(whorl_reader_read_until(input.reader, "--", 2, &part, &len), 1);
        CHECK_STR(part, "ab");
        CHECK_ERR(whorl_reader_read_until(input.reader, "--", 2, &part, &len), 1);
        CHECK_STR(part, "c-d");
        CHECK_ERR(whorl_reader_read_until(input.reader, "--", 2, &part, &len), 1);
        CHECK_EQ(len, 0);
        CHECK_ERR(whorl_reader_read_until(input.reader, "--", 2, &part, &len), 1);
        CHECK_STR(part, "e");
        CHECK_ERR(whorl_reader_read_until(input.reader, "--", 2, &part, &len), 0);
        close_input(&input);

        open_input(&input, "12345678--123456789--", 21, chunk, &options);
        CHECK_ERR(whorl_reader_read_until(input.reader, "--", 2, &part, &len), 1);
        CHECK_EQ(len, 8);
        CHECK_ERR(whorl_reader_read_until(input.reader, "--", 2, &part, &len), -EMSGSIZE);
        close_input(&input);
    }
}

TEST_VIRTUAL(peek_shows_what_is_read_later)
{
    for (size_t chunk = 0; chunk < 4; chunk++) {
        struct whorl_reader_options options = {.size = 3, .part_max = 6};
        struct input input;
        const char *seen;
        char buf[8];

        open_input(&input, "abcdefgh", 8, chunk, &options);
        CHECK(whorl_reader_peek(input.reader, 2, &seen) >= 2);
        CHECK_EQ(memcmp(seen, "ab", 2), 0);
        CHECK(whorl_reader_peek(input.reader, 6, &seen) >= 6);
        CHECK_EQ(memcmp(seen, "abcdef", 6), 0);
        CHECK_ERR(whorl_reader_peek(input.reader, 7, &seen), -EMSGSIZE);
        whorl_reader_skip(input.reader, 1);
        CHECK_OK(whorl_reader_read_exact(input.reader, buf, 4));
        CHECK_EQ(memcmp(buf, "bcde", 4), 0);
        CHECK_ERR(whorl_reader_peek(input.reader, 6, &seen), 3); /* the stream ends there */
        CHECK_EQ(memcmp(seen, "fgh", 3), 0);
        CHECK_ERR(whorl_reader_read_exact(input.reader, buf, 4), -ENODATA);
        CHECK_ERR(whorl_reader_read(input.reader, buf, 4), 0);
        close_input(&input);
    }
}

TEST_VIRTUAL(a_large_read_takes_the_buffer_first)
{
    struct whorl_reader_options options = {.size = 4};
    struct input input;
    const char *seen;
    char buf[100] = "";

    open_input(&input, "0123456789", 10, 0, &options);
    CHECK_ERR(whorl_reader_peek(input.reader, 1, &seen), 4);
    CHECK_ERR(whorl_reader_read(input.reader, buf, sizeof buf), 4);
    CHECK_ERR(whorl_reader_read(input.reader, buf + 4, sizeof buf - 4), 6);
    CHECK_STR(buf, "0123456789");
    CHECK_ERR(whorl_reader_read(input.reader, buf, 0), 0);
    close_input(&input);
}

static void count_read(void *reads)
{
    ++*(int *)reads;
}

/* Sends a message and reads its lines, each followed by "." in `lines`. Returns the number of reads
 * of the stream. */
static WHORL_SUSPENDS_SHIELDED int reads_of(struct input *input, const char *message,
                                            const char *lines)
{
    char got_lines[64] = "", *line;
    int reads = 0;

    CHECK_OK(whorl_stream_write(input->peer, message, strlen(message)));
    memstream_hook(input->stream, count_read, &reads);
    while (strlen(got_lines) < strlen(lines)) {
        CHECK_ERR(whorl_reader_read_line(input->reader, &line, NULL), 1);
        strcat(strcat(got_lines, line), ".");
    }
    CHECK_STR(got_lines, lines);
    memstream_hook(input->stream, NULL, NULL);
    return reads;
}

TEST_VIRTUAL(a_message_that_fits_is_received_by_one_read)
{
    struct whorl_reader_options options = {.size = 16};
    struct input input;

    CHECK_OK(memstream_pair(&input.peer, &input.stream));
    CHECK_OK(whorl_reader_create(input.stream, &options, &input.reader));
    CHECK_EQ(reads_of(&input, "1234\n", "1234."), 1);
    CHECK_EQ(reads_of(&input, "0123456789012\n", "0123456789012."), 1); /* all room is free */
    CHECK_EQ(reads_of(&input, "01\n345678901\nab", "01.345678901."), 1);
    CHECK_EQ(reads_of(&input, "cdefgh\n", "abcdefgh."), 1); /* the rest makes room */
    close_input(&input);
}

/* Any sequence of calls reads the same bytes as one read would. */
TEST_SEEDS(mixed_calls_read_every_byte_once_and_in_order)
{
    unsigned seed = (unsigned)test_seed();
    static char text[20000], copy[sizeof text];
    struct whorl_reader_options options = {.size = 1 + (size_t)rand_r(&seed) % 64,
                                           .part_max = 200 + (size_t)rand_r(&seed) % 200};
    struct input input;
    size_t at = 0;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = rand_r(&seed) % 10 == 0 ? '\n' : (char)('a' + rand_r(&seed) % 26);
    open_input(&input, text, sizeof text, (size_t)rand_r(&seed) % 100, &options);
    for (;;) {
        const char *seen;
        char *line;
        size_t len = 1 + (size_t)rand_r(&seed) % 150;
        ssize_t n;
        switch (rand_r(&seed) % 4) {
        case 0:
            n = whorl_reader_read(input.reader, copy + at,
                                  len < sizeof copy - at ? len : sizeof copy - at);
            break;
        case 1:
            n = whorl_reader_read_line(input.reader, &line, &len);
            CHECK(n >= 0);
            if (n == 1) {
                memcpy(copy + at, line, len);
                if (at + len < sizeof copy)
                    copy[at + len++] = '\n';
                n = (ssize_t)len;
            }
            break;
        case 2:
            n = whorl_reader_peek(input.reader, len, &seen);
            CHECK(n >= (ssize_t)len || at + (size_t)n == sizeof text);
            memcpy(copy + at, seen, (size_t)n);
            whorl_reader_skip(input.reader, (size_t)n);
            break;
        default:
            if (len > sizeof copy - at)
                continue;
            CHECK_OK(whorl_reader_read_exact(input.reader, copy + at, len));
            n = (ssize_t)len;
        }
        CHECK(n >= 0);
        at += (size_t)n;
        if (n == 0 || at == sizeof text)
            break;
    }
    CHECK_EQ(at, sizeof text);
    CHECK_EQ(memcmp(text, copy, sizeof text), 0);
    close_input(&input);
}

TEST_VIRTUAL(errors_of_the_stream_leave_what_was_received)
{
    struct input input;
    char *line, buf[8];

    CHECK_OK(memstream_pair(&input.peer, &input.stream));
    memstream_fail(input.peer, 8, -EIO);
    CHECK_OK(whorl_reader_create(input.stream, NULL, &input.reader));
    CHECK_OK(whorl_stream_write(input.peer, "one\ntwo", 8));
    CHECK_ERR(whorl_reader_read_line(input.reader, &line, NULL), 1);
    CHECK_ERR(whorl_reader_read_line(input.reader, &line, NULL), -EIO);
    CHECK_EQ(whorl_reader_unread(input.reader), 4);
    CHECK_ERR(whorl_reader_read(input.reader, buf, sizeof buf), 4);
    close_input(&input);
}

/* --- cancellation ----------------------------------------------------------------------------- */

static struct input cancelled;
static char got[64];

static int send_slowly(void *arg)
{
    const char *text = "first\nsecond\nthird\n";
    int err = 0;
    (void)arg;
    for (; *text && err == 0; text++) {
        err = whorl_sleep(WHORL_MILLISECOND);
        if (err == 0)
            err = whorl_stream_write(cancelled.peer, text, 1);
    }
    return err ? err : whorl_stream_close_write(cancelled.peer);
}

/* A reader whose calls end every 2.5 ms, each time in the middle of a line, reads every line. */
TEST_VIRTUAL(a_cancelled_read_loses_nothing)
{
    WHORL_AUTO(group) group = {0};
    int result = -ECANCELED, rounds = 0;

    CHECK_OK(memstream_pair(&cancelled.peer, &cancelled.stream));
    CHECK_OK(whorl_reader_create(cancelled.stream, NULL, &cancelled.reader));
    CHECK_OK(whorl_spawn(&group, send_slowly, NULL));
    got[0] = '\0';
    for (; result != 0; rounds++) {
        struct whorl_scope scope;
        char *line = "";
        whorl_scope_enter(&scope, whorl_after(5 * WHORL_MILLISECOND / 2));
        result = whorl_reader_read_line(cancelled.reader, &line, NULL);
        if (result == 1)
            strcat(strcat(got, line), ".");
        result = whorl_scope_leave(&scope, result);
        CHECK(result == 0 || result == 1 || result == -ETIMEDOUT);
    }
    CHECK_STR(got, "first.second.third.");
    CHECK(rounds > 6);
    CHECK_OK(whorl_group_wait(&group));
    close_input(&cancelled);
}

/* --- writers ---------------------------------------------------------------------------------- */

struct output {
    struct whorl_stream *stream, *peer;
    struct whorl_writer *writer;
    unsigned char sent[256];
    size_t sent_len;
};

static void open_output(struct output *output, size_t size)
{
    struct whorl_writer_options options = {.size = size};
    memset(output, 0, sizeof *output);
    CHECK_OK(memstream_pair(&output->stream, &output->peer));
    memstream_tap(output->stream, output->sent, sizeof output->sent, &output->sent_len);
    CHECK_OK(whorl_writer_create(output->stream, &options, &output->writer));
}

static void close_output(struct output *output)
{
    whorl_writer_destroy(output->writer);
    whorl_stream_close(output->stream);
    whorl_stream_close(output->peer);
}

TEST_VIRTUAL(small_writes_are_sent_together)
{
    struct output out;
    open_output(&out, 16);
    CHECK_OK(whorl_writer_write(out.writer, "one ", 4));
    CHECK_OK(whorl_writer_write(out.writer, "", 0));
    CHECK_OK(whorl_writer_printf(out.writer, "%d ", 22));
    CHECK_EQ(memstream_writes(out.stream), 0);
    CHECK_OK(whorl_writer_flush(out.writer));
    CHECK_OK(whorl_writer_flush(out.writer));
    CHECK_EQ(memstream_writes(out.stream), 1);
    CHECK_STR((char *)out.sent, "one 22 ");
    CHECK_OK(whorl_writer_write(out.writer, "0123456789", 10));
    CHECK_OK(
        whorl_writer_write(out.writer, "abcdefghij", 10)); /* too much: both are sent at once */
    CHECK_EQ(memstream_writes(out.stream), 2);
    CHECK_STR((char *)out.sent, "one 22 0123456789abcdefghij");
    close_output(&out);
}

TEST_VIRTUAL(formatted_text_of_every_length_is_sent_whole)
{
    for (int before = 0; before <= 16; before++)
        for (int len = 0; len < 40; len++) {
            struct output out;
            char expected[64];
            open_output(&out, 16);
            CHECK_OK(whorl_writer_write(out.writer, "0123456789abcdef", (size_t)before));
            CHECK_OK(whorl_writer_printf(out.writer, "%*s", len, ""));
            CHECK_OK(whorl_writer_flush(out.writer));
            snprintf(expected, sizeof expected, "%.*s%*s", before, "0123456789abcdef", len, "");
            CHECK_STR((char *)out.sent, expected);
            close_output(&out);
        }
}

TEST_VIRTUAL(an_error_of_the_stream_stays)
{
    struct output out;
    open_output(&out, 4);
    memstream_reset(out.peer);
    CHECK_OK(whorl_writer_write(out.writer, "abc", 3));
    CHECK_ERR(whorl_writer_flush(out.writer), -ECONNRESET);
    CHECK_ERR(whorl_writer_write(out.writer, "d", 1), -ECONNRESET);
    CHECK_ERR(whorl_writer_printf(out.writer, "e"), -ECONNRESET);
    CHECK_ERR(whorl_writer_flush(out.writer), -ECONNRESET);
    close_output(&out);
}

TEST_VIRTUAL(a_write_that_is_cut_off_is_an_error_that_stays)
{
    struct whorl_scope scope;
    struct output out;
    open_output(&out, 4);
    memstream_capacity(out.stream, 2);
    CHECK_OK(whorl_writer_write(out.writer, "abc", 3));
    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    int err = whorl_writer_flush(out.writer); /* nobody reads */
    if (err == 0)
        err = whorl_writer_write(out.writer, "defgh", 5);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_ERR(whorl_writer_flush(out.writer), -ECANCELED);
    close_output(&out);
}

TEST_VIRTUAL(a_cancelled_call_that_has_sent_nothing_can_be_repeated)
{
    struct whorl_scope scope;
    struct output out;
    open_output(&out, 16);
    CHECK_OK(whorl_writer_write(out.writer, "abc", 3));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_writer_write(out.writer, "d", 1), -ECANCELED);
    CHECK_ERR(whorl_writer_printf(out.writer, "d"), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, 0), 0);
    CHECK_OK(whorl_writer_printf(out.writer, "%c", 'd'));
    CHECK_OK(whorl_writer_flush(out.writer));
    CHECK_STR((char *)out.sent, "abcd");
    close_output(&out);
}

/* --- shortage --------------------------------------------------------------------------------- */

static int copy_long_lines(void *arg)
{
    struct whorl_reader_options reader_options = {.size = 8};
    struct whorl_writer_options writer_options = {.size = 8};
    WHORL_AUTO(stream) *stream = NULL;
    WHORL_AUTO(stream) *peer = NULL;
    WHORL_AUTO(reader) *reader = NULL;
    WHORL_AUTO(writer) *writer = NULL;
    char *line;
    (void)arg;
    int err = memstream_pair(&stream, &peer);
    if (err == 0)
        err = whorl_reader_create(peer, &reader_options, &reader);
    if (err == 0)
        err = whorl_writer_create(peer, &writer_options, &writer);
    if (err == 0)
        err = whorl_stream_write(stream, "a line that makes the buffer grow\nx", 35);
    if (err == 0)
        err = whorl_reader_read_line(reader, &line, NULL);
    return err == 1 ? whorl_writer_printf(writer, "%s and more", line) : err;
}

static int run_copy(void *arg)
{
    return whorl_run_virtual(NULL, copy_long_lines, arg);
}

TEST(failed_allocations_are_reported_and_leak_nothing)
{
    CHECK(faults_sweep(run_copy, NULL) > 8);
}

TEST_MAIN()
