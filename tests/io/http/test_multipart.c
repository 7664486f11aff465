/* SPDX-License-Identifier: MIT */
/* Forms with files: the bytes of the body, which Python's parser of mail messages reads too, where
 * they come from, and what happens when a file changes. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl.h>

#include "fakehttp.h"
#include "faults.h"
#include "subprocess.h"
#include "test.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

enum { BODY_SIZE = 1 << 20 };

static struct whorl_error error;

/* The bytes of a form's body. */
struct bytes {
    char *at;
    size_t len;
    int err; /* of the read that has failed; 0: none */
};

/* Reads the whole body, `step` bytes at a time. */
static WHORL_SUSPENDS_SHIELDED struct bytes read_all(struct whorl_http_body body, size_t step)
{
    struct bytes bytes = {.at = malloc(BODY_SIZE + 1)};
    ssize_t n = 1;

    while (n > 0 && bytes.len + step <= BODY_SIZE) {
        n = body.read(body.arg, bytes.at + bytes.len, step);
        CHECK(n <= (ssize_t)step);
        bytes.len += n > 0 ? (size_t)n : 0;
    }
    CHECK(n <= 0);
    bytes.at[bytes.len] = '\0';
    bytes.err = (int)n;
    return bytes;
}

/* The body with "BOUNDARY" in the place of the boundary. */
static WHORL_SUSPENDS_SHIELDED char *plain(struct whorl_http_form *form, size_t step)
{
    struct whorl_http_body body;
    char *text = calloc(1, BODY_SIZE), *out = text;

    CHECK_OK(whorl_http_form_get_body(form, &body));
    struct bytes bytes = read_all(body, step);
    CHECK_OK(bytes.err);
    CHECK_EQ(bytes.len, body.len);
    const char *boundary = strstr(body.content_type, "boundary=") + 9;
    for (const char *at = bytes.at; *at;) {
        bool is_boundary = strncmp(at, boundary, strlen(boundary)) == 0;
        if (is_boundary)
            out = stpcpy(out, "BOUNDARY");
        else
            *out++ = *at;
        at += is_boundary ? strlen(boundary) : 1;
    }
    free(bytes.at);
    return text;
}

static char *write_file(const char *name, const char *text)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

/* --- bytes --- */

#define DISPOSITION "\r\nContent-Disposition: form-data; name="

TEST_IO(a_form_has_the_bytes_that_browsers_send)
{
    static const struct whorl_http_form_part text = {.name = "title", .text = "A cat"};
    static const struct whorl_http_form_part empty = {.name = "none"};
    static const struct whorl_http_form_part typed = {
        .name = "json", .data = "{}", .data_len = 2, .content_type = "application/json"};
    static const struct whorl_http_form_part file = {.name = "f", .content_type = "image/png"};
    static const struct whorl_http_form_part renamed = {.name = "g", .file_name = "x.bin"};
    static const struct whorl_http_form_part field = {.name = "h", .file_name = "", .offset = 2};
    static const char expected[] =
        "--BOUNDARY" DISPOSITION "\"title\"\r\n\r\nA cat\r\n"
        "--BOUNDARY" DISPOSITION "\"none\"\r\n\r\n\r\n"
        "--BOUNDARY" DISPOSITION "\"json\"\r\nContent-Type: application/json\r\n\r\n{}\r\n"
        "--BOUNDARY" DISPOSITION "\"f\"; filename=\"cat.png\"\r\n"
        "Content-Type: image/png\r\n\r\nmeow\r\n"
        "--BOUNDARY" DISPOSITION "\"g\"; filename=\"x.bin\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\nmeow\r\n"
        "--BOUNDARY" DISPOSITION "\"h\"\r\n\r\now\r\n"
        "--BOUNDARY--\r\n";
    const char *path = write_file("cat.png", "meow");
    WHORL_AUTO(http_form) *form = NULL;

    CHECK_OK(whorl_http_form_create(&form));
    char *body = plain(form, 100);
    CHECK_STR(body, "--BOUNDARY--\r\n");
    free(body);
    CHECK_OK(whorl_http_form_add(form, &text));
    CHECK_OK(whorl_http_form_add(form, &empty));
    CHECK_OK(whorl_http_form_add(form, &typed));
    CHECK_OK(whorl_http_form_add_file(form, &file, path, &error));
    CHECK_OK(whorl_http_form_add_file(form, &renamed, path, &error));
    CHECK_OK(whorl_http_form_add_file(form, &field, path, &error));
    for (size_t step = 1; step < 1000; step = step * 3 + 1) {
        body = plain(form, step);
        CHECK_STR(body, expected);
        free(body);
    }
}

TEST_VIRTUAL(boundaries_are_never_the_same)
{
    WHORL_AUTO(http_form) *one = NULL;
    WHORL_AUTO(http_form) *other = NULL;
    struct whorl_http_body a, b;

    CHECK_OK(whorl_http_form_create(&one));
    CHECK_OK(whorl_http_form_create(&other));
    CHECK_OK(whorl_http_form_get_body(one, &a));
    CHECK_OK(whorl_http_form_get_body(other, &b));
    CHECK(strcmp(a.content_type, b.content_type) != 0);
    /* 128 bits, of which none is always the same as another. */
    CHECK_EQ(strlen(strstr(a.content_type, "whorl") + 5), 32);
}

TEST_VIRTUAL(no_name_adds_a_header)
{
    static const struct whorl_http_form_part part = {
        .name = "a\"; filename=\"b\r\nX: y\r\n\r\nz",
        .file_name = "c\"\nd\\%22\xc3\xbc\x01",
        .text = "1",
    };
    WHORL_AUTO(http_form) *form = NULL;

    CHECK_OK(whorl_http_form_create(&form));
    CHECK_OK(whorl_http_form_add(form, &part));
    char *body = plain(form, 4096);
    CHECK_STR(body, "--BOUNDARY" DISPOSITION "\"a%22; filename=%22b%0D%0AX: y%0D%0A%0D%0Az\"; "
                    "filename=\"c%22%0Ad\\%22\xc3\xbc\x01\"\r\n"
                    "Content-Type: application/octet-stream\r\n\r\n1\r\n--BOUNDARY--\r\n");
    free(body);
}

/* Prints each part as "NAME|FILE NAME|TYPE|BYTES IN HEXADECIMAL". */
static const char parser[] =
    "import email.policy, sys\n"
    "head = b'MIME-Version: 1.0\\r\\nContent-Type: ' + sys.argv[1].encode() + b'\\r\\n\\r\\n'\n"
    "text = head + sys.stdin.buffer.read()\n"
    "m = email.message_from_bytes(text, policy=email.policy.compat32)\n"
    "assert m.is_multipart() and not m.defects, m.defects\n"
    "for p in m.get_payload():\n"
    "    assert not p.defects and len(p.keys()) <= 2, p.keys()\n"
    "    name = p.get_param('name', None, 'content-disposition')\n"
    "    print(name, p.get_filename(), p['content-type'],\n"
    "          p.get_payload(decode=True).hex(), sep='|')\n";

TEST_IO(an_independent_parser_reads_the_same_parts)
{
    static const char bytes[] = "\0\r\n--\r\n------whorl\r\n--\xff\r";
    static const struct whorl_http_form_part parts[] = {
        {.name = "text", .text = "two\r\nlines\n"},
        {.name = "bytes", .file_name = "f.bin", .data = bytes, .data_len = sizeof bytes - 1},
        {.name = "empty", .file_name = "e", .content_type = "text/html; charset=utf-8"},
        {.name = "a\r\nX-Injected: b", .text = "--"},
    };
    WHORL_AUTO(http_form) *form = NULL;
    struct whorl_http_body body;

    CHECK_OK(whorl_http_form_create(&form));
    for (size_t i = 0; i < 4; i++)
        CHECK_OK(whorl_http_form_add(form, &parts[i]));
    CHECK_OK(whorl_http_form_get_body(form, &body));
    struct bytes all = read_all(body, 7);
    struct subprocess_options options = {.input = all.at, .input_len = all.len};
    struct subprocess run;
    subprocess_run(&run, (const char *[]){"python3", "-c", parser, body.content_type, NULL},
                   &options);
    CHECK_STR(run.err, "");
    CHECK_STR(run.out, "text|None|None|74776f0d0a6c696e65730a\n"
                       "bytes|f.bin|application/octet-stream|"
                       "000d0a2d2d0d0a2d2d2d2d2d2d77686f726c0d0a2d2dff0d\n"
                       "empty|e|text/html; charset=utf-8|\n"
                       "a%0D%0AX-Injected: b|None|None|2d2d\n");
    subprocess_finish(&run);
    free(all.at);
}

/* --- on the wire --- */

/* Posts the form and returns the status or the error. */
static WHORL_SUSPENDS int post(struct whorl_http_session *session, struct whorl_http_form *form)
{
    struct whorl_http_request request = {.method = "POST", .url = "http://a.test/"};
    WHORL_AUTO(http_response) *response = NULL;

    int err = whorl_http_form_get_body(form, &request.body);
    if (err == 0)
        err = whorl_http_do(session, &request, &error, &response);
    return err ? err : whorl_http_response_status(response);
}

/* The length of a body with one field "f" of 4 bytes from a file "f". */
#define LENGTH 196

TEST_IO(a_form_of_known_length_is_sent_again_after_a_redirect)
{
    static const struct fake_step moves[] = {
        {FAKE_HEAD, "Content-Length: 196\r\n", 0},
        {FAKE_READ, NULL, LENGTH},
        {FAKE_SEND, "HTTP/1.1 307 T\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0},
        {FAKE_HEAD, "Content-Type: multipart/form-data; boundary=----whorl", 0},
        {FAKE_READ, NULL, LENGTH},
        {FAKE_SEND, OK, 0},
        {FAKE_HEAD, "Content-Length: 196\r\n", 0},
        {FAKE_READ, NULL, LENGTH},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {moves}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_form) *form = NULL;
    struct whorl_http_form_part part = {.name = "f"};

    CHECK_OK(whorl_http_form_create(&form));
    CHECK_OK(whorl_http_form_add_file(form, &part, write_file("f", "meow"), NULL));
    CHECK_EQ(post(session, form), 200);
    CHECK_EQ(post(session, form), 200);
}

TEST_IO(a_form_with_a_pipe_is_sent_in_chunks_and_once)
{
    static const struct fake_step moves[] = {
        {FAKE_HEAD, "Transfer-Encoding: chunked\r\n", 0},
        {FAKE_SEND, "HTTP/1.1 100 Continue\r\n\r\n", 0},
        {FAKE_READ, NULL, 100},
        {FAKE_SEND, "HTTP/1.1 307 T\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {moves}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_form) *form = NULL;
    struct whorl_http_form_part part = {.name = "f", .use_fd = true};
    struct whorl_http_body body;
    int fds[2];

    CHECK_OK(whorl_pipe(fds));
    CHECK_EQ(write(fds[1], "hello", 5), 5);
    close(fds[1]);
    part.fd = fds[0];
    CHECK_OK(whorl_http_form_create(&form));
    CHECK_OK(whorl_http_form_add(form, &part));
    CHECK_OK(whorl_http_form_get_body(form, &body));
    CHECK_EQ(body.len, -1);
    CHECK(!body.rewind);
    CHECK_ERR(post(session, form), WHORL_EHTTP_REDIRECT_BODY);
    CHECK_ERR(whorl_http_form_get_body(form, &body), -ENODATA);
    close(fds[0]);
}

static int write_late(void *arg)
{
    int err = whorl_sleep(20 * WHORL_MILLISECOND);
    int fd = err ? err : whorl_openat(AT_FDCWD, arg, O_WRONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    err = whorl_write_all(fd, "late", 4);
    close(fd);
    return err;
}

TEST_IO(a_fifo_is_waited_for)
{
    WHORL_AUTO(http_form) *form = NULL;
    WHORL_AUTO(group) group = {0};
    struct whorl_http_form_part part = {.name = "f", .file_name = ""};
    struct whorl_http_body body;
    char path[4096];

    snprintf(path, sizeof path, "%s/fifo", test_tmpdir());
    CHECK_EQ(mkfifo(path, 0600), 0);
    CHECK_OK(whorl_http_form_create(&form));
    CHECK_OK(whorl_spawn(&group, write_late, path));
    CHECK_OK(whorl_http_form_add_file(form, &part, path, &error));
    CHECK_OK(whorl_http_form_get_body(form, &body));
    struct bytes bytes = read_all(body, 100);
    CHECK_OK(bytes.err);
    CHECK(strstr(bytes.at, "\r\n\r\nlate\r\n--"));
    free(bytes.at);
    CHECK_OK(whorl_group_wait(&group));
}

/* --- files that change --- */

TEST_IO(a_file_that_changes_its_length_fails_before_the_body_is_complete)
{
    static const struct fake_step script[] = {{.action = FAKE_HEAD}, {0}};
    static const off_t lens[] = {0, 3, 5, 100000};

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        FAKE fake = {.scripts = {script}};
        WHORL_AUTO(http_session) *session = fake_session(&fake);
        WHORL_AUTO(http_form) *form = NULL;
        struct whorl_http_form_part part = {.name = "f"};
        struct whorl_http_body body;
        const char *path = write_file("f", "meow");

        CHECK_OK(whorl_http_form_create(&form));
        CHECK_OK(whorl_http_form_add_file(form, &part, path, NULL));
        CHECK_EQ(truncate(path, lens[i]), 0);
        CHECK_ERR(post(session, form), WHORL_EHTTP_REQUEST_BODY);
        CHECK_STR(error.step, "send");
        CHECK_OK(whorl_http_form_get_body(form, &body));
        struct bytes bytes = read_all(body, 100);
        CHECK_ERR(bytes.err, WHORL_EHTTP_REQUEST_BODY);
        CHECK(!strstr(bytes.at, "meow"));
        free(bytes.at);
        CHECK_EQ(truncate(path, 4), 0);
        char *text = plain(form, 100);
        free(text);
    }
}

TEST_IO(an_empty_file_that_has_grown_fails_too)
{
    WHORL_AUTO(http_form) *form = NULL;
    struct whorl_http_form_part part = {.name = "f"};
    struct whorl_http_body body;
    const char *path = write_file("f", "");

    CHECK_OK(whorl_http_form_create(&form));
    CHECK_OK(whorl_http_form_add_file(form, &part, path, NULL));
    free(plain(form, 100));
    CHECK_EQ(truncate(path, 1), 0);
    CHECK_OK(whorl_http_form_get_body(form, &body));
    struct bytes bytes = read_all(body, 100);
    CHECK_ERR(bytes.err, WHORL_EHTTP_REQUEST_BODY);
    free(bytes.at);
}

TEST_IO(a_file_may_be_larger_than_memory)
{
    WHORL_AUTO(http_form) *form = NULL;
    struct whorl_http_form_part part = {.name = "f"};
    struct whorl_http_body body;
    const char *path = write_file("f", "");

    CHECK_EQ(truncate(path, (off_t)1 << 40), 0);
    CHECK_OK(whorl_http_form_create(&form));
    CHECK_OK(whorl_http_form_add_file(form, &part, path, NULL));
    CHECK_OK(whorl_http_form_get_body(form, &body));
    CHECK_EQ(body.len, ((int64_t)1 << 40) + LENGTH - 4);
}

/* --- misuse and failures --- */

TEST_IO(parts_that_cannot_be_sent_are_refused)
{
    static const struct {
        struct whorl_http_form_part part;
        int err;
    } cases[] = {
        {{.text = "1"}, -EINVAL},
        {{.name = "a", .text = "1", .data = "1", .data_len = 1}, -EINVAL},
        {{.name = "a", .text = "1", .use_fd = true}, -EINVAL},
        {{.name = "a", .data_len = 1}, -EINVAL},
        {{.name = "a", .text = "1", .offset = 1}, -EINVAL},
        {{.name = "a", .use_fd = true, .fd = -1}, -EBADF},
        {{.name = "a", .text = "1", .content_type = "a/b\r\nX: y"}, WHORL_EHTTP_REQUEST_HEADER},
        {{.name = "a", .text = "1", .content_type = "a/b\n"}, WHORL_EHTTP_REQUEST_HEADER},
    };
    WHORL_AUTO(http_form) *form = NULL;
    struct whorl_http_form_part part = {.name = "f"};

    CHECK_OK(whorl_http_form_create(&form));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_ERR(whorl_http_form_add(form, &cases[i].part), cases[i].err);
    CHECK_ERR(whorl_http_form_add_file(form, &part, "/none/f", &error), -ENOENT);
    CHECK_STR(error.text, "/none/f: no such file or directory");
    CHECK_ERR(whorl_http_form_add_file(form, &part, test_tmpdir(), NULL), -EISDIR);
    part.offset = 5;
    CHECK_ERR(whorl_http_form_add_file(form, &part, write_file("f", "meow"), NULL), -EINVAL);
    part.offset = -1;
    CHECK_ERR(whorl_http_form_add_file(form, &part, write_file("f", "meow"), NULL), -EINVAL);
    part = (struct whorl_http_form_part){.name = "f", .text = "1"};
    CHECK_ERR(whorl_http_form_add_file(form, &part, write_file("f", "meow"), NULL), -EINVAL);
    char *body = plain(form, 100);
    CHECK_STR(body, "--BOUNDARY--\r\n"); /* nothing was added */
    free(body);
}

TEST_VIRTUAL(a_form_without_memory_is_an_error)
{
    struct whorl_http_form_part part = {.name = "a", .text = "1"};
    struct whorl_http_form *form = NULL;

    faults_arm(1);
    int err = whorl_http_form_create(&form);
    CHECK(faults_disarm());
    CHECK_ERR(err, -ENOMEM);
    CHECK_OK(whorl_http_form_create(&form));
    faults_arm(1);
    err = whorl_http_form_add(form, &part);
    CHECK(faults_disarm());
    CHECK_ERR(err, -ENOMEM);
    whorl_http_form_destroy(form);
    whorl_http_form_destroy(NULL);
}

TEST_MAIN()
