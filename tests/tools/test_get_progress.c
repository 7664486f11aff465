/* SPDX-License-Identifier: MIT */
/* whorl-get's bars on a terminal whose window changes, and which is shared with a shell. */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <whorl/task.h>
#include <whorl/url.h>

#include "test.h"
#include "tools/get/bars.h"
#include "tools/get/events.h"
#include "tools/get/progress.h"
#include "tools/get/report.h"
#include "tools/get/totals.h"
#include "tools/get/writer.h"

/* A terminal, of which only the sequences are known that whorl-get uses. Like most terminals it
 * keeps the lines that leave the window at its top, and when the window becomes higher, it moves
 * them back in. */
enum { LINES = 2000, COLUMNS = 80 };

static struct {
    char lines[LINES][COLUMNS + 1]; /* from the oldest on */
    int top, rows;                  /* the lines in the window */
    int x, y;                       /* the cursor; `y` counts from the oldest line */
} screen;

static void go_down(void)
{
    screen.y++;
    if (screen.y >= screen.top + screen.rows)
        screen.top = screen.y - screen.rows + 1;
    CHECK(screen.y < LINES);
}

static void put_char(char c)
{
    CHECK(c >= ' ' && c <= '~');
    CHECK(screen.x < COLUMNS);
    char *line = screen.lines[screen.y];
    for (int i = (int)strlen(line); i < screen.x; i++)
        line[i] = ' ';
    line[screen.x++] = c;
}

/* Executes ESC [ n kind. */
static void control(int n, char kind)
{
    int bottom = screen.top + screen.rows;

    switch (kind) {
    case 'm':
        break;
    case 'A':
        screen.y = screen.y - n > screen.top ? screen.y - n : screen.top;
        break;
    case 'B':
        screen.y = screen.y + n < bottom ? screen.y + n : bottom - 1;
        break;
    case 'J':
        for (int y = screen.y + 1; y < bottom; y++)
            memset(screen.lines[y], 0, sizeof screen.lines[y]);
        __attribute__((fallthrough));
    case 'K':
        memset(screen.lines[screen.y] + screen.x, 0, (size_t)(COLUMNS + 1 - screen.x));
        break;
    case 'M':
        memmove(screen.lines[screen.y], screen.lines[screen.y + n],
                (size_t)(bottom - screen.y - n) * sizeof screen.lines[0]);
        memset(screen.lines[bottom - n], 0, (size_t)n * sizeof screen.lines[0]);
        break;
    default:
        test_fail(__FILE__, __LINE__, "unknown sequence ESC [ %d %c", n, kind);
    }
}

static void show(const char *text)
{
    while (*text) {
        char c = *text++;
        if (c == '\x1b') {
            CHECK_EQ(*text, '[');
            char *end;
            long n = strtol(text + 1, &end, 10);
            control((int)n, *end);
            text = end + 1;
        } else if (c == '\n') { /* the terminal driver adds a carriage return */
            screen.x = 0;
            go_down();
        } else if (c == '\r') {
            screen.x = 0;
        } else {
            put_char(c);
        }
    }
}

/* Number of lines of the window that contain `text`. */
static int count(const char *text)
{
    int n = 0;

    for (int y = screen.top; y < screen.top + screen.rows; y++)
        n += strstr(screen.lines[y], text) != NULL;
    return n;
}

static int first_line_with(const char *text)
{
    for (int y = screen.top; y < screen.top + screen.rows; y++)
        if (strstr(screen.lines[y], text))
            return y - screen.top;
    return -1;
}

/* The program. */

static struct progress progress;
static struct writer writer;
static struct totals totals;
static struct events events;
static struct followed items[40];
static struct whorl_url urls[40];
static char names[40][32];
static int master, slave;

static void set_window(int rows)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = COLUMNS};

    CHECK_OK(ioctl(slave, TIOCSWINSZ, &size));
    if (rows < screen.rows && screen.y - rows + 1 > screen.top)
        screen.top = screen.y - rows + 1;
    else if (rows > screen.rows)
        screen.top = screen.top > rows - screen.rows ? screen.top - (rows - screen.rows) : 0;
    screen.rows = rows;
}

static void join(int i)
{
    items[i] = (struct followed){.id = (uint64_t)i + 1, .name = names[i], .at = &urls[i]};
    events_start(&events, &items[i]);
}

static void leave(int i)
{
    static const struct outcome outcome = {.ok = true};

    events_end(&events, &items[i], items[i].id, &outcome);
}

static void start(int rows, const char *const *texts, int n)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(slave >= 0);
    screen.rows = rows;
    set_window(rows);
    progress_init(&progress, slave, &writer, &events, &totals);
    for (int i = 0; i < n; i++) {
        char text[100];
        snprintf(text, sizeof text, "http://h/dir%d/x", i);
        CHECK_OK(whorl_url_parse(texts ? texts[i] : text, NULL, &urls[i]));
        snprintf(names[i], sizeof names[i], "%s%02d", texts ? "same" : "bar", texts ? 0 : i);
        join(i);
    }
}

static void stop(int n)
{
    for (int i = 0; i < n; i++) {
        if (items[i].link)
            leave(i);
        whorl_url_finish(&urls[i]);
    }
    progress_finish(&progress);
    writer_finish(&writer);
    close(master);
    close(slave);
}

static void flush(void)
{
    if (writer.text.text)
        show(writer.text.text);
    buffer_clear(&writer.text);
}

static void draw(void)
{
    progress_draw(&progress);
    flush();
}

static void print(const char *line)
{
    progress_add_line(&progress, line, strlen(line));
}

TEST_VIRTUAL(lines_scroll_above_the_bars)
{
    start(10, NULL, 3);
    draw();
    print("one\n");
    print("two\n");
    draw();
    CHECK_EQ(first_line_with("one"), 0);
    CHECK_EQ(first_line_with("two"), 1);
    CHECK_EQ(first_line_with("bar00"), 2);
    CHECK_EQ(first_line_with("3 active"), 5);
    print("three\n");
    progress_clear(&progress);
    flush();
    CHECK_EQ(first_line_with("three"), 2);
    CHECK_EQ(count("bar"), 0);
    CHECK_EQ(count("active"), 0);
    stop(3);
}

/* Checks that the window shows each bar once at most, and one line of totals. */
static void check_no_old_rows(void)
{
    CHECK_EQ(count("active"), 1);
    for (int i = 0; i < 40; i++)
        if (*names[i])
            CHECK(count(names[i]) <= 1);
}

TEST_VIRTUAL(no_old_rows_stay_when_the_window_shrinks_and_grows)
{
    static const int heights[] = {24, 8, 24, 12, 6, 3, 30, 5, 7, 40, 4, 60};

    start(24, NULL, 30);
    show("$ whorl-get ...\n");
    for (size_t i = 0; i < sizeof heights / sizeof heights[0]; i++) {
        set_window(heights[i]);
        draw();
        check_no_old_rows();
        draw();
        check_no_old_rows();
        int bars = heights[i] - 2 < 30 ? heights[i] - 2 : 30;
        CHECK_EQ(count("bar"), bars);
    }
    stop(30);
}

TEST_VIRTUAL(no_printed_line_is_lost_when_the_window_shrinks_and_grows)
{
    start(24, NULL, 30);
    print("before\n");
    draw();
    set_window(6);
    draw();
    print("between 1\n");
    draw();
    print("between 2\nbetween 3\n");
    draw();
    draw();
    set_window(16);
    draw();
    check_no_old_rows();
    set_window(60);
    draw();
    check_no_old_rows();
    CHECK_EQ(count("bar"), 30);
    CHECK_EQ(count("before"), 1);
    CHECK_EQ(count("between"), 3);
    CHECK_EQ(first_line_with("between 2") - first_line_with("between 1"), 1);
    CHECK_EQ(first_line_with("bar00") - first_line_with("between 3"), 1);
    stop(30);
}

TEST_VIRTUAL(what_the_shell_printed_stays_after_a_stop)
{
    start(24, NULL, 5);
    draw();
    show("^Z\n[1]+  Stopped\n$ ls\nnotes.txt\n$ fg\n");
    raise(SIGCONT); /* it is blocked, as it is pending when the process goes on */
    draw();
    CHECK_EQ(count("Stopped"), 1);
    CHECK_EQ(count("notes.txt"), 1);
    CHECK_EQ(count("bar00"), 2); /* one above, one below */
    draw();
    CHECK_EQ(count("bar00"), 2);
    show("^Z\n$ fg\n");
    raise(SIGCONT);
    progress_clear(&progress);
    flush();
    CHECK_EQ(count("$ fg"), 2);
    stop(5);
}

TEST_VIRTUAL(bars_of_one_name_show_their_host_or_directory)
{
    static const char *const texts[] = {"http://a/one/x", "http://a/two/x", "http://b/one/x?y=/z"};

    start(24, texts, 3);
    draw();
    CHECK_EQ(first_line_with("a/one/same00 "), 0);
    CHECK_EQ(first_line_with("a/two/same00 "), 1);
    CHECK_EQ(first_line_with("b: same00 "), 2);
    leave(2);
    draw();
    CHECK_EQ(first_line_with("/one/same00 "), 0);
    CHECK_EQ(screen.lines[0][0], '/');
    leave(1);
    draw();
    CHECK_EQ(strncmp(screen.lines[0], "same00 ", 7), 0);
    join(1);
    join(2);
    set_window(3); /* the others are not shown */
    draw();
    CHECK_EQ(first_line_with("same00"), 0);
    CHECK_EQ(strncmp(screen.lines[screen.top], "same00 ", 7), 0);
    stop(3);
}

TEST_VIRTUAL(a_long_directory_shows_its_end)
{
    char text[600] = "http://a/", other[600] = "http://a/";
    const char *const texts[] = {text, other};

    memset(text + 9, 'd', 400);
    strcpy(text + 409, "/one/x");
    memset(other + 9, 'd', 400);
    strcpy(other + 409, "/two/x");
    start(24, texts, 2);
    draw();
    CHECK_EQ(first_line_with("/one/same00 "), 0);
    CHECK_EQ(first_line_with("/two/same00 "), 1);
    stop(2);
}

TEST_MAIN()
