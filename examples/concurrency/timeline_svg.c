/* SPDX-License-Identifier: MIT */
/* Draws a timeline as an execution timing diagram.
 *
 *     title                                      computes  waits
 *     section, its total
 *       name  ----====-------==-----        one lane each
 *       name  --==------====
 *             |      |      |      |
 *             0    0.5 s   1 s   1.5 s      the same scale in all sections
 *
 * The file is small for any recording. The width is divided into columns of about one pixel, and
 * the shade of a column says how much of its time the lane computed: none, some, about half, or
 * all. Columns of the same shade in a row are one stroke, and the strokes of a lane that have the
 * same shade are one path. This takes about ten bytes per change of shade. A thousand short steps
 * in a row look like a mixture. A single short step in a long wait is drawn as a visible tick. The
 * more lanes there are, the thinner they are. With more than LANES_MAX lanes only every nth is
 * shown, and the picture says so.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/text.h>

#include "timeline.h"
#include "timeline_view.h"

enum { WIDTH = 760, MARGIN = 14, TITLE_HEIGHT = 44, HEADING_HEIGHT = 26, AXIS_HEIGHT = 34 };
enum { NAME_MIN = 30, NAME_MAX = 170, NAME_GAP = 8, NAME_PITCH = 12 };
enum { LANES_MAX = 400, TICKS_MAX = 8, TICK_APART = 6 };

/* The shades of a column. The waiting line is drawn behind the first three. */
enum { WAITS, SOME, HALF, COMPUTES, SHADES, ABSENT = SHADES };

static const char *const shades[SHADES] = {"w", "c1", "c2", "c3"};

/* Light or dark colours, as the reader's system prefers; the default is light. The picture has its
 * own background, so it is readable on any page. */
static const char style[] =
    "<style>\n"
    ".timeline{background:#fff;font-family:system-ui,'Segoe UI',Roboto,'DejaVu "
    "Sans',sans-serif;font-size:12px}\n"
    ".timeline text{fill:#1f2430}.timeline .dim{fill:#5d6472}\n"
    ".timeline .title{font-size:17px;font-weight:600}.timeline .heading{font-weight:600}\n"
    ".timeline .page{fill:#fff}.timeline .grid{stroke:#e3e6eb}.timeline .axis{stroke:#9aa1ad}\n"
    ".timeline .w,.timeline .c1,.timeline .c2,.timeline .c3{fill:none;stroke:#2563eb}\n"
    ".timeline .w{stroke:#e4574f}.timeline .c1{stroke-opacity:.55}"
    ".timeline .c2{stroke-opacity:.8}\n"
    "@media (prefers-color-scheme:dark){\n"
    ".timeline{background:#16181d}.timeline text{fill:#e6e8ec}.timeline .dim{fill:#a3a9b5}\n"
    ".timeline .page{fill:#16181d}.timeline .grid{stroke:#2b2f37}.timeline .axis{stroke:#6b7280}\n"
    ".timeline .c1,.timeline .c2,.timeline .c3{stroke:#6ea8fe}.timeline .w{stroke:#d9534f}\n"
    "}\n"
    "</style>\n";

struct picture {
    FILE *to;
    const struct timeline_view *view;
    int64_t longest_ns; /* the scale: the time that the full width represents */
    int64_t tick_ns;
    int left, columns;
    double column_width;
    uint8_t *shade;       /* one per column of a lane */
    double *works, *here; /* per column: the share of time the lane computed and existed */
};

/* --- text ------------------------------------------------------------------------------------- */

/* The approximate width of a character in a name. East Asian characters are wide. */
static double char_width(uint32_t c)
{
    return c >= 0x1000 && (c < 0x2000 || c >= 0x2e80) && c != 0xfffd ? 12 : 6.6;
}

/* Decodes the next character of a name. One that is not to be shown becomes U+FFFD. Returns the
 * number of its bytes, or 0 at the end. */
static size_t next_char(const char *text, uint32_t *ret)
{
    size_t n = whorl_text_decode(text, strlen(text), ret);

    if (n == 0 || !whorl_text_is_plain(*ret))
        *ret = strchr("\t\n\r", *text) ? ' ' : 0xfffd;
    return *text && n == 0 ? 1 : n;
}

static double text_width(const char *text)
{
    double width = 0;
    uint32_t c;

    for (size_t n; (n = next_char(text, &c)) > 0; text += n)
        width += char_width(c);
    return width;
}

/* Writes XML text (XML 1.0 §2.2, §2.4). Text that is too wide is cut and gets an ellipsis.
 * Characters that XML does not allow become U+FFFD. */
static void put_text(const char *text, double width_max, FILE *to)
{
    bool cut = text_width(text) > width_max;
    double width = cut ? 12 : 0;
    uint32_t c;

    for (size_t n; (n = next_char(text, &c)) > 0; text += n) {
        width += char_width(c);
        if (cut && width > width_max) {
            fputs("\xe2\x80\xa6", to);
            return;
        }
        if (c == 0xfffd)
            fputs("\xef\xbf\xbd", to);
        else if (c == ' ')
            putc(' ', to);
        else if (c == '&' || c == '<' || c == '>')
            fputs(c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;", to);
        else
            fwrite(text, 1, n, to);
    }
}

/* Formats a duration with about three digits: "3.74 s", "742 ms". */
static const char *put_duration(char *buf, size_t size, int64_t ns)
{
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "\xc2\xb5s"}, {1, "ns"}};
    int u = 0;

    while (u < 3 && ns < units[u].ns)
        u++;
    double value = (double)ns / (double)units[u].ns;
    snprintf(buf, size, "%.*f %s",
             units[u].ns == 1 || value >= 100 ? 0
             : value >= 10                    ? 1
                                              : 2,
             value, units[u].name);
    return buf;
}

/* --- the axis --------------------------------------------------------------------------------- */

/* Chooses 1, 2 or 5 times a power of ten, so that there are at most TICKS_MAX + 1 ticks. */
static int64_t choose_tick(int64_t longest_ns)
{
    int64_t power = 1;

    while (longest_ns / power > TICKS_MAX * 5)
        power *= 10;
    for (int i = 1; i <= 5; i = i == 1 ? 2 : i + 3)
        if (longest_ns / (power * i) <= TICKS_MAX)
            return power * i;
    return power * 10;
}

/* Writes the label of a tick, in one unit and with the same number of decimals on the whole
 * axis. */
static void put_tick(const struct picture *p, int64_t at_ns)
{
    int64_t unit = p->longest_ns >= 1000000000 ? 1000000000
                   : p->longest_ns >= 1000000  ? 1000000
                   : p->longest_ns >= 1000     ? 1000
                                               : 1;
    int decimals = 0;

    for (int64_t step = p->tick_ns; step % unit != 0 && decimals < 9; step *= 10)
        decimals++;
    fprintf(p->to, "%.*f%s", at_ns == 0 ? 0 : decimals, (double)at_ns / (double)unit,
            unit == 1000000000 ? " s"
            : unit == 1000000  ? " ms"
            : unit == 1000     ? " \xc2\xb5s"
                               : " ns");
}

static double x_of(const struct picture *p, int64_t at_ns)
{
    return p->left + (double)at_ns / (double)p->longest_ns * p->columns * p->column_width;
}

/* Draws the grid behind the lanes, and the labels of its lines. */
static void put_axis(const struct picture *p, double top, double bottom)
{
    double right = p->left + p->columns * p->column_width;

    fprintf(p->to, "<path class=\"grid\" d=\"");
    for (int64_t at = 0; at <= p->longest_ns; at += p->tick_ns)
        fprintf(p->to, "M%.1f %.1fV%.1f", x_of(p, at), top, bottom + 4);
    fprintf(p->to, "\"/>\n<path class=\"axis\" d=\"M%d %.1fH%.1f\"/>\n", p->left, bottom, right);
    for (int64_t at = 0; at <= p->longest_ns; at += p->tick_ns) {
        double x = x_of(p, at);
        fprintf(p->to, "<text class=\"dim\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x,
                bottom + 18, right - x < 8 ? "end" : "middle");
        put_tick(p, at);
        fputs("</text>\n", p->to);
    }
}

/* --- lanes ------------------------------------------------------------------------------------ */

/* Adds a span to the columns that it overlaps, to each in proportion to the overlap. */
static void add_span(struct picture *p, const struct timeline_span *span, int64_t began_ns)
{
    double scale = (double)p->columns / (double)p->longest_ns;
    double from = (double)(span->from_ns - began_ns) * scale;
    double to = (double)(span->to_ns - began_ns) * scale;

    for (int i = (int)from; i < p->columns && i < to; i++) {
        double share = (to < i + 1 ? to : i + 1) - (from > i ? from : i);
        p->here[i] += share;
        if (span->works)
            p->works[i] += share;
    }
}

/* Returns the number of columns from `column` on, in one direction, in which the lane only waits.
 * Stops counting at `enough`. */
static int count_waits(const struct picture *p, int column, int direction, int enough)
{
    int n = 0;

    while (n < enough && column >= 0 && column < p->columns && p->shade[column] == WAITS) {
        column += direction;
        n++;
    }
    return n;
}

/* A short step in a long wait covers part of one or two columns, which is too pale to see. It
 * becomes a tick in full colour. This is not done where ticks would be close together, because the
 * picture would then show too much work. */
static void show_ticks(struct picture *p)
{
    int far = (int)(TICK_APART / p->column_width), wide = p->column_width < 1 ? 2 : 1, to;

    for (int i = 0; i < p->columns; i = to + 1) {
        for (to = i; to < p->columns && (p->shade[to] == SOME || p->shade[to] == HALF);)
            to++;
        if (to == i || to > i + 2 || count_waits(p, i - 1, -1, far) < far ||
            count_waits(p, to, 1, far) < far)
            continue;
        memset(p->shade + i, COMPUTES, (size_t)(to - i > wide ? to - i : wide));
    }
}

static void shade_lane(struct picture *p, const struct timeline_view_lane *lane, int64_t began_ns)
{
    memset(p->works, 0, (size_t)p->columns * sizeof *p->works);
    memset(p->here, 0, (size_t)p->columns * sizeof *p->here);
    for (size_t i = 0; i < lane->count; i++)
        add_span(p, &lane->spans[i], began_ns);
    for (int i = 0; i < p->columns; i++) {
        double share = p->here[i] > 0 ? p->works[i] / p->here[i] : 0;
        p->shade[i] = p->here[i] <= 0 ? ABSENT
                      : share <= 0    ? WAITS
                      : share < 0.3   ? SOME
                      : share < 0.7   ? HALF
                                      : COMPUTES;
    }
    show_ticks(p);
}

/* Draws all strokes of one shade as one path. The waiting line continues behind the shades that are
 * partly transparent. */
static void put_shade(const struct picture *p, int shade, double y, double thickness)
{
    int at = 0;
    bool any = false;

    for (int i = 0; i < p->columns;) {
        int from = i;
        while (i < p->columns &&
               (p->shade[i] == shade || (shade == WAITS && p->shade[i] < COMPUTES)))
            i++;
        if (i == from) {
            i++;
            continue;
        }
        if (any)
            fprintf(p->to, "m%d 0h%d", from - at, i - from);
        else
            fprintf(p->to, "<path class=\"%s\" stroke-width=\"%.1f\" d=\"M%d %.1fh%d",
                    shades[shade], thickness, from, y, i - from);
        any = true;
        at = i;
    }
    if (any)
        fputs("\"/>", p->to);
}

static void put_lane(struct picture *p, const struct timeline_view_lane *lane, int64_t began_ns,
                     double y, double pitch)
{
    int64_t works_ns = 0, waits_ns = 0;
    char works[32], waits[32];

    for (size_t i = 0; i < lane->count; i++)
        *(lane->spans[i].works ? &works_ns : &waits_ns) +=
            lane->spans[i].to_ns - lane->spans[i].from_ns;
    fputs("<g class=\"lane\"><title>", p->to);
    put_text(lane->name, 1e9, p->to);
    fprintf(p->to, ": computes %s, waits %s</title>", put_duration(works, sizeof works, works_ns),
            put_duration(waits, sizeof waits, waits_ns));
    shade_lane(p, lane, began_ns);
    double thickness = pitch > 4 ? pitch * 0.7 : pitch * 0.85;
    for (int shade = 0; shade < SHADES; shade++)
        put_shade(p, shade, y + pitch / 2, shade == WAITS ? thickness * 0.6 : thickness);
    fputs("</g>\n", p->to);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Every nth lane is drawn: this is n. */
static size_t stride_of(const struct timeline_view_section *section)
{
    return (section->count + LANES_MAX - 1) / LANES_MAX;
}

static double pitch_of(const struct timeline_view_section *section)
{
    size_t shown = (section->count + stride_of(section) - 1) / stride_of(section);

    return shown <= 24 ? 20 : shown <= 40 ? 14 : shown <= 200 ? 560.0 / (double)shown : 2.8;
}

static double height_of(const struct timeline_view_section *section)
{
    size_t shown = (section->count + stride_of(section) - 1) / stride_of(section);

    return HEADING_HEIGHT + (double)shown * pitch_of(section) + AXIS_HEIGHT;
}

static void put_total(const struct picture *p, const struct timeline_view_section *section)
{
    char total[32];

    fprintf(p->to, ": %s",
            put_duration(total, sizeof total, section->ended_ns - section->began_ns));
}

static void put_section(struct picture *p, const struct timeline_view_section *section, double top)
{
    double pitch = pitch_of(section), y = top + HEADING_HEIGHT;
    size_t stride = stride_of(section);
    size_t named = pitch >= NAME_PITCH ? 1 : (size_t)(NAME_PITCH / pitch + 1);
    double bottom = y + height_of(section) - HEADING_HEIGHT - AXIS_HEIGHT;

    fprintf(p->to, "<g class=\"section\">\n<text x=\"%d\" y=\"%.1f\">", MARGIN, top + 16);
    if (section->name[0]) {
        fputs("<tspan class=\"heading\">", p->to);
        put_text(section->name, WIDTH / 2, p->to);
        put_total(p, section);
        fputs("</tspan> ", p->to);
    }
    fprintf(p->to, "<tspan class=\"dim\">%zu lane%s", section->count,
            section->count == 1 ? "" : "s");
    if (stride > 1)
        fprintf(p->to, ", of which 1 in %zu is shown", stride);
    fputs("</tspan></text>\n", p->to);
    put_axis(p, y, bottom);
    for (size_t i = 0, row = 0; i < section->count; i += stride, row++) {
        if (row % named != 0)
            continue;
        fprintf(p->to, "<text class=\"name\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                p->left - NAME_GAP, y + ((double)row + 0.5) * pitch + 4);
        put_text(section->lanes[i].name, NAME_MAX, p->to);
        fputs("</text>\n", p->to);
    }
    fprintf(p->to, "<g transform=\"translate(%d 0) scale(%g 1)\">\n", p->left, p->column_width);
    for (size_t i = 0, row = 0; i < section->count; i += stride, row++)
        put_lane(p, &section->lanes[i], section->began_ns, y + (double)row * pitch, pitch);
    fputs("</g>\n</g>\n", p->to);
}

static void put_legend(const struct picture *p)
{
    fprintf(p->to,
            "<g class=\"legend\"><path class=\"c3\" stroke-width=\"12\" d=\"M%d 22h22\"/>"
            "<text x=\"%d\" y=\"26\">computes</text>"
            "<path class=\"w\" stroke-width=\"7\" d=\"M%d 22h22\"/>"
            "<text x=\"%d\" y=\"26\">waits</text></g>\n",
            WIDTH - MARGIN - 172, WIDTH - MARGIN - 145, WIDTH - MARGIN - 64, WIDTH - MARGIN - 37);
}

/* Computes the scale and the width of the names, which are the same in all sections. */
static int lay_out(struct picture *p)
{
    double widest = NAME_MIN;
    size_t lanes = 0;

    for (size_t s = 0; s < p->view->count; s++) {
        const struct timeline_view_section *section = &p->view->sections[s];
        if (section->ended_ns - section->began_ns > p->longest_ns)
            p->longest_ns = section->ended_ns - section->began_ns;
        lanes += section->count;
        for (size_t i = 0; i < section->count; i++) {
            double width = text_width(section->lanes[i].name);
            widest = width > widest ? width : widest;
        }
    }
    if (p->longest_ns == 0)
        p->longest_ns = 1;
    p->tick_ns = choose_tick(p->longest_ns);
    p->left = MARGIN + (int)(widest < NAME_MAX ? widest + 1 : NAME_MAX) + NAME_GAP;
    p->column_width = lanes <= 64 ? 0.5 : 1;
    p->columns = (int)((WIDTH - MARGIN - p->left) / p->column_width);
    p->shade = malloc((size_t)p->columns);
    p->works = malloc((size_t)p->columns * sizeof *p->works);
    p->here = malloc((size_t)p->columns * sizeof *p->here);
    return p->shade && p->works && p->here ? 0 : -ENOMEM;
}

static void put_picture(struct picture *p, const char *title)
{
    double height = TITLE_HEIGHT + MARGIN, y = TITLE_HEIGHT;

    for (size_t i = 0; i < p->view->count; i++)
        height += height_of(&p->view->sections[i]);
    if (p->view->count == 0 || p->view->lost > 0)
        height += HEADING_HEIGHT;
    /* In a window of its own a tall picture is scrolled and not made smaller. */
    fprintf(p->to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"timeline\" width=\"100%%\" "
            "height=\"%.0f\" "
            "viewBox=\"0 0 %d %.0f\" preserveAspectRatio=\"xMidYMin\">\n<title>",
            height, WIDTH, height);
    put_text(title, 1e9, p->to);
    fprintf(p->to, "</title>\n%s<rect class=\"page\" width=\"%d\" height=\"%.0f\" rx=\"6\"/>\n",
            style, WIDTH, height);
    fprintf(p->to, "<text class=\"title\" x=\"%d\" y=\"28\">", MARGIN);
    put_text(title, 320, p->to); /* measured as a name; title letters are wider */
    if (p->view->count == 1 && !p->view->sections[0].name[0])
        put_total(p, &p->view->sections[0]);
    fputs("</text>\n", p->to);
    put_legend(p);
    for (size_t i = 0; i < p->view->count; i++) {
        put_section(p, &p->view->sections[i], y);
        y += height_of(&p->view->sections[i]);
    }
    if (p->view->count == 0)
        fprintf(p->to, "<text class=\"dim\" x=\"%d\" y=\"%.0f\">Nothing was recorded.</text>\n",
                MARGIN, y + 16);
    else if (p->view->lost > 0)
        fprintf(p->to,
                "<text class=\"dim\" x=\"%d\" y=\"%.0f\">%zu changes are missing, because the "
                "recording was full.</text>\n",
                MARGIN, y + 12, p->view->lost);
    fputs("</svg>\n", p->to);
}

int timeline_write_svg(const struct timeline *timeline, const char *title, FILE *to)
{
    struct timeline_view view;

    int err = timeline_view_init(&view, timeline);
    if (err)
        return err;
    struct picture picture = {.to = to, .view = &view};
    err = lay_out(&picture);
    if (err == 0) {
        errno = 0; /* afterwards it is the error of the first failed write, if any */
        put_picture(&picture, title);
        if (fflush(to) != 0 || ferror(to))
            err = errno ? -errno : -EIO;
    }
    free(picture.shade);
    free(picture.works);
    free(picture.here);
    timeline_view_finish(&view);
    return err;
}
