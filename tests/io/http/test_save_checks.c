/* SPDX-License-Identifier: MIT */
/* A caller that looks at the bytes of a save, and decides about the file before it has a name. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/http.h>

#include "fakehttp.h"
#include "listing.h"
#include "saving.h"
#include "test.h"

/* What the caller has seen. */
struct seen {
    char text[100]; /* the first bytes */
    int64_t len;
    bool is_pattern;
    int completions;
    int verdict;
    const char *path; /* to use instead; NULL: none */
    char names[100];  /* of the files at the time of the verdict */
};

static void see_part(void *arg, const char *data, size_t len)
{
    struct seen *seen = arg;

    for (size_t i = 0; i < len; i++, seen->len++) {
        seen->is_pattern &= data[i] == fake_pattern(seen->len);
        if (seen->len < (int64_t)sizeof seen->text - 1)
            seen->text[seen->len] = data[i];
    }
}

static int decide(void *arg, const char **path)
{
    struct seen *seen = arg;

    seen->completions++;
    snprintf(seen->names, sizeof seen->names, "%s", listing());
    if (seen->path)
        *path = seen->path;
    return seen->verdict;
}

static struct whorl_http_save_options watched_by(struct seen *seen)
{
    *seen = (struct seen){.is_pattern = true};
    return (struct whorl_http_save_options){.part = see_part, .complete = decide, .arg = seen};
}

TEST_IO(every_byte_is_shown_once_before_the_verdict)
{
    static const struct fake_step *const scripts[] = {hello, hello_chunked, endless};
    struct seen seen;

    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct whorl_http_save_options options = watched_by(&seen);
        CHECK_OK(save_from(scripts[i], in_tmpdir("f"), &options));
        CHECK_STR(seen.text, "hello");
        CHECK_EQ(seen.len, 5);
        CHECK_EQ(seen.completions, 1);
        CHECK(!strstr(seen.names, "f ") && strcmp(seen.names, "f") != 0);
        CHECK_OK(unlink(in_tmpdir("f")));
    }
    struct whorl_http_save_options options = watched_by(&seen);
    CHECK_OK(save_from(large, in_tmpdir("f"), &options));
    CHECK(seen.is_pattern && seen.len == 1000000 && seen.completions == 1);
    CHECK_STR(seen.names, "");
}

TEST_IO(a_refused_body_leaves_nothing)
{
    static const struct fake_step *const scripts[] = {hello, endless, large};
    struct seen seen;

    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct whorl_http_save_options options = watched_by(&seen);
        seen.verdict = -EBADMSG;
        CHECK_ERR(save_from(scripts[i], in_tmpdir("f"), &options), -EBADMSG);
        CHECK_STR(error.step, "write");
        CHECK_STR(listing(), "");
    }
}

TEST_IO(the_verdict_may_change_the_name)
{
    static const struct fake_step *const scripts[] = {hello, endless, large};
    struct seen seen;
    char path[600];

    snprintf(path, sizeof path, "%s", in_tmpdir("g"));
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct whorl_http_save_options options = watched_by(&seen);
        seen.path = path;
        CHECK_OK(save_from(scripts[i], in_tmpdir("f"), &options));
        CHECK_STR(listing(), "g");
        CHECK_OK(unlink(path));
    }
    write_file(path, "old");
    struct whorl_http_save_options options = watched_by(&seen);
    seen.path = path;
    CHECK_ERR(save_from(hello, in_tmpdir("f"), &options), -EEXIST);
    check_file(path, "old");
}

TEST_IO(bytes_for_a_device_are_shown_once)
{
    static const struct fake_step *const scripts[] = {hello, hello_chunked, endless};
    struct seen seen;

    CHECK_OK(mkfifo(in_tmpdir("pipe"), 0600));
    int fd = open(in_tmpdir("pipe"), O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct whorl_http_save_options options = watched_by(&seen);
        seen.verdict = i == 2 ? -EBADMSG : 0;
        CHECK_ERR(save_from(scripts[i], in_tmpdir("pipe"), &options), seen.verdict);
        CHECK_STR(seen.text, "hello");
        CHECK_EQ(seen.len, 5);
        CHECK_EQ(seen.completions, 1);
    }
    close(fd);
}

TEST_MAIN()
