/* SPDX-License-Identifier: MIT */
/* whorl-get's progress lines. */
#include <locale.h>

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

TEST(bar_shows_name_part_size_and_rate)
{
    struct bar bar = {"file.bin", BAR_RECEIVING, 450000, 1000000, 120000, 0};

    bars_format(line, sizeof line, &bar, 60, false);
    CHECK_STR(line, "file.bin          [======>        ] 45%   450 kB   120 kB/s");
}

TEST(bar_of_unknown_length_shows_no_part)
{
    struct bar bar = {"f", BAR_RECEIVING, 450000, -1, 120000, 0};

    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strchr(line, '%') == NULL);
    CHECK(strstr(line, "450 kB") != NULL);
    bar.length = 0;
    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strchr(line, '%') == NULL);
}

TEST(bar_tells_waiting_from_pausing)
{
    struct bar bar = {"f", BAR_ASKING, 0, -1, 0, 0};

    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strstr(line, "waiting") != NULL);
    bar.state = BAR_PAUSING;
    bar.pause_ns = 7000000000;
    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strstr(line, "retry in 7 s") != NULL);
}

TEST(bar_that_got_more_than_announced_is_full)
{
    struct bar bar = {"f", BAR_RECEIVING, 2000, 1000, 0, 0};

    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strstr(line, "100%") != NULL);
    CHECK_EQ(columns(), 59);
}

TEST(no_bar_is_wider_than_its_terminal)
{
    static const char *const labels[] = {
        "a", "a-rather-long-name-that-does-not-fit-anywhere-at-all-because-it-goes-on.tar.gz",
        "日本語の長い名前がここにありますので幅が二倍になります日本語の長い名前がここに"};

    setlocale(LC_CTYPE, "C.UTF-8");
    for (int width = 0; width <= 400; width++)
        for (size_t i = 0; i < 3; i++)
            for (int state = 0; state < 3; state++)
                for (int colour = 0; colour < 2; colour++) {
                    struct bar bar = {labels[i], (enum bar_state)state, 123456789012, 234567890123,
                                      999999999, 86400000000000};
                    size_t n = bars_format(line, sizeof line, &bar, width, colour);
                    CHECK_EQ(n, strlen(line));
                    CHECK(columns() <= width);
                }
}

TEST(colour_is_asked_for)
{
    struct bar bar = {"f", BAR_RECEIVING, 500, 1000, 0, 0};

    bars_format(line, sizeof line, &bar, 60, true);
    CHECK(strstr(line, "\x1b[36m") != NULL);
    bars_format(line, sizeof line, &bar, 60, false);
    CHECK(strchr(line, '\x1b') == NULL);
}

TEST(total_fits_and_tells_what_is_hidden)
{
    struct bars_total total = {12, 3, 1000, 980, 0, 1200000000, 34000000, 65000000000};

    bars_format_total(line, sizeof line, &total, 60);
    CHECK_STR(line, "12 done, 3 failed, 1000 active (980 not shown), 1.2 GB");
    bars_format_total(line, sizeof line, &total, 53);
    CHECK_STR(line, "12 done, 3 failed, 1000 active (980 not shown)");
    bars_format_total(line, sizeof line, &total, 100);
    CHECK_STR(line, "12 done, 3 failed, 1000 active (980 not shown), 1.2 GB, 34 MB/s, 1:05");
    total.queued = 7;
    bars_format_total(line, sizeof line, &total, 100);
    CHECK_STR(line,
              "12 done, 3 failed, 1000 active (980 not shown), 1.2 GB, 34 MB/s, 1:05, 7 queued");
    for (int width = 0; width < 100; width++) {
        bars_format_total(line, sizeof line, &total, width);
        CHECK(columns() <= width);
    }
}

TEST_MAIN()
