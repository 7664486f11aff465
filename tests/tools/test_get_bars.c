/* SPDX-License-Identifier: MIT */
/* whorl-get's progress lines. */
#include <locale.h>

#include <whorl/base.h>
#include <whorl/text.h>

#include "test.h"
#include "tools/get/bars.h"
#include "tools/get/text.h"

static char line[BARS_LINE_SIZE(400)];

/* Number of columns of `line`, without colour codes. */
static int columns(void)
{
    int n = 0;

    for (const char *p = line; *p;) {
        if (*p == '\x1b') {
            p += strcspn(p, "m") + 1;
            continue;
        }
        uint32_t c;
        size_t len = whorl_text_decode(p, strlen(p), &c);
        CHECK(len > 0);
        CHECK(whorl_text_is_plain(c));
        n += text_columns(c);
        p += len;
    }
    return n;
}

static struct bar receiving(void)
{
    return (struct bar){.label = "file.bin",
                        .share = 0.45,
                        .have = 450000,
                        .rate = 120000,
                        .left_ns = 4100 * WHORL_MILLISECOND};
}

TEST(bar_shows_name_part_size_rate_and_time_left)
{
    struct bar bar = receiving();

    bars_format(line, sizeof line, &bar, 70, false);
    CHECK_STR(line, "file.bin              [=====>      ] 45%   450 kB   120 kB/s      5 s");
    bars_format(line, sizeof line, &bar, 59, false); /* the name needs the columns */
    CHECK_STR(line, "file.bin             [====>      ] 45%   450 kB   120 kB/s");
}

TEST(time_left_is_never_zero_and_never_longer_than_its_columns)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {{0, "   1 s"},
                {1, "   1 s"},
                {59 * WHORL_SECOND, "  59 s"},
                {59 * WHORL_SECOND + 1, "  1:00"},
                {3600 * WHORL_SECOND, "1:00:00"},
                {360000 * WHORL_SECOND, "> 99 h"},
                {INT64_MAX / 2, "> 99 h"},
                {-1, "kB/s"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bar bar = receiving();
        bar.left_ns = rows[i].ns;
        bars_format(line, sizeof line, &bar, 70, false);
        CHECK(columns() <= 70);
        CHECK_STR(line + strlen(line) - strlen(rows[i].text), rows[i].text);
    }
}

TEST(bar_of_unknown_length_shows_no_part)
{
    struct bar bar = receiving();

    bar.share = bar.left_ns = -1;
    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strchr(line, '%') == NULL);
    CHECK(strchr(line, '=') == NULL);
    CHECK(strstr(line, "450 kB") != NULL);
}

TEST(bar_says_why_it_waits_and_keeps_its_part)
{
    struct bar bar = receiving();

    bar.waits = "retry in 7 s (connect)";
    bars_format(line, sizeof line, &bar, 70, false);
    CHECK_STR(line, "file.bin              [=====>      ] 45% retry in 7 s (connect)");
    bar.share = -1;
    bar.waits = "waiting for a connection";
    bars_format(line, sizeof line, &bar, 70, false);
    CHECK_STR(line, "file.bin              [            ]     waiting for a connection");
}

TEST(part_is_never_more_than_all_nor_rounded_up)
{
    struct bar bar = receiving();

    bar.share = 0.9999;
    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strstr(line, " 99%") != NULL);
    bar.share = 1;
    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strstr(line, "100%") != NULL);
    bar.share = 7;
    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strstr(line, "100%") != NULL);
}

TEST(no_bar_is_wider_than_its_terminal)
{
    static const char *const labels[] = {
        "a", "a-rather-long-name-that-does-not-fit-anywhere-at-all-because-it-goes-on.tar.gz",
        "日本語の長い名前がここにありますので幅が二倍になります日本語の長い名前がここに"};

    setlocale(LC_CTYPE, "C.UTF-8");
    for (int width = 0; width <= 400; width++)
        for (size_t i = 0; i < 3; i++)
            for (int waits = 0; waits < 2; waits++)
                for (int colour = 0; colour < 2; colour++) {
                    struct bar bar = {labels[i], waits ? "retry in 86400 s (TLS)" : NULL,
                                      0.5,       123456789012,
                                      999999999, 86400000000000};
                    size_t n = bars_format(line, sizeof line, &bar, width, colour);
                    CHECK_EQ(n, strlen(line));
                    CHECK(columns() <= width);
                }
}

TEST(colour_is_asked_for)
{
    struct bar bar = receiving();

    bars_format(line, sizeof line, &bar, 60, true);
    CHECK(strstr(line, "\x1b[36m") != NULL);
    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strchr(line, '\x1b') == NULL);
}

TEST(total_fits_and_tells_what_is_hidden)
{
    struct bars_total total = {.done = 12,
                               .failed = 3,
                               .files = 1015,
                               .active = 1000,
                               .hidden = 980,
                               .received = 1200000000,
                               .rate = 34000000,
                               .left_ns = -1};

    bars_format_total(line, sizeof line, &total, 120);
    CHECK_STR(line, "12 of 1015 files, 3 failed, 1000 active (980 not shown), 1.2 GB, 34 MB/s");
    total.sent = 4000000;
    total.send_length = 8000000;
    bars_format_total(line, sizeof line, &total, 120);
    CHECK_STR(line, "12 of 1015 files, 3 failed, 1000 active (980 not shown), 1.2 GB, 34 MB/s, "
                    "sent 4.0 MB of 8.0 MB");
    total.send_length = -1; /* of one of the uploads it is not known */
    bars_format_total(line, sizeof line, &total, 120);
    CHECK_STR(line, "12 of 1015 files, 3 failed, 1000 active (980 not shown), 1.2 GB, 34 MB/s, "
                    "sent 4.0 MB");
    total.send_length = 0;
    total.left_ns = 65 * WHORL_SECOND;
    total.queued = 7;
    total.waiting = 2;
    total.open = true;
    bars_format_total(line, sizeof line, &total, 120);
    CHECK_STR(line, "12 of 1015+ files, 3 failed, 1000 active (980 not shown), 2 waiting, 1.2 GB, "
                    "34 MB/s, 1:05 left, 7 queued");
    bars_format_total(line, sizeof line, &total, 60);
    CHECK_STR(line, "12 of 1015+ files, 3 failed, 1000 active (980 not shown)");
    for (int width = 0; width < 120; width++) {
        bars_format_total(line, sizeof line, &total, width);
        CHECK(columns() <= width);
    }
}

TEST_MAIN()
