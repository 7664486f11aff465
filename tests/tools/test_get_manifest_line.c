/* SPDX-License-Identifier: MIT */
/* Lines of manifests. */
#include <errno.h>
#include <string.h>

#include "test.h"
#include "tools/get/buffer.h"
#include "tools/get/manifest_line.h"

static char why[MANIFEST_WHY_SIZE];

TEST(a_safe_name_stays_inside_of_the_directory)
{
    static const char *const safe[] = {"a", "a/b/c", "..a", "a..", ".a/...", "-rf", "a b"};
    static const char *const unsafe[] = {"",    ".",    "..",  "/",    "/a",   "a/",     "a//b",
                                         "./a", "../a", "a/.", "a/..", "a\nb", "a/\x7f", "\x1b"};

    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        CHECK(manifest_is_safe(safe[i]));
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
        CHECK(!manifest_is_safe(unsafe[i]));
}

TEST(what_is_written_can_be_read)
{
    const struct manifest_line line = {
        .url = "http://me:secret@h/a?\"\\",
        .final_url = "https://h/b",
        .file = "d/\xc3\xa9 \"x\"",
        .size = INT64_MAX,
        .sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .etag = "W/\"v1\"",
        .modified = "Sun, 06 Nov 1994 08:49:37 GMT",
        .mtime_ns = 784111777000000001,
        .fetched = "2026-11-30T10:00:00Z",
    };
    struct buffer text = {0};
    struct manifest_line back;

    manifest_line_write(&text, &line);
    CHECK(text.len > 0 && text.text[text.len - 1] == '\n');
    CHECK_EQ(manifest_line_read(&back, text.text, text.len - 1, why), 0);
    CHECK_STR(back.url, "http://***@h/a?\"\\");
    CHECK_STR(back.final_url, line.final_url);
    CHECK_STR(back.file, line.file);
    CHECK_EQ(back.size, line.size);
    CHECK_STR(back.sha256, line.sha256);
    CHECK_STR(back.etag, line.etag);
    CHECK_STR(back.modified, line.modified);
    CHECK_EQ(back.mtime_ns, line.mtime_ns);
    CHECK_STR(back.fetched, line.fetched);
    manifest_line_finish(&back);
    buffer_finish(&text);
}

TEST(what_is_not_known_is_null)
{
    const struct manifest_line line = {
        .url = "u",
        .file = "f",
        .sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .mtime_ns = -1};
    struct buffer text = {0};
    struct manifest_line back;

    manifest_line_write(&text, &line);
    CHECK_EQ(manifest_line_read(&back, text.text, text.len, why), 0);
    CHECK(!back.final_url && !back.etag && !back.modified && !back.fetched);
    CHECK_EQ(back.mtime_ns, -1);
    manifest_line_finish(&back);
    buffer_finish(&text);
}

TEST(messages_about_lines_have_no_control_bytes)
{
    static const char line[] =
        "{\"url\":\"u\",\"file\":\"/\\u001b[31m\",\"size\":0,\"sha256\":\"\"}";
    struct manifest_line back;

    CHECK_EQ(manifest_line_read(&back, line, strlen(line), why), -EINVAL);
    CHECK(!strchr(why, '\x1b') && strstr(why, "\"file\" is not the name of a file"));
}

TEST_MAIN()
