/* SPDX-License-Identifier: MIT */
/* Draws the timeline of the transfers.
 *
 *     title                                     legend of the phases
 *       name  ..--==================            one lane each
 *       name  ......--====
 *             |      |      |      |
 *             0    0.5 s   1 s   1.5 s
 *
 * The colours, the fonts and the axis are those of the timelines of the models in examples/. A body
 * is a thick stroke, and what a transfer waits for is a thinner one. The strokes of a lane that
 * belong to the same phase are one path. The more lanes there are, the thinner they are.
 */
#include "tools/get/timeline_svg.h"

#include <string.h>

#include <whorl/text.h>

#include "tools/get/buffer.h"
#include "tools/get/text.h"
#include "tools/get/timeline.h"

enum { WIDTH = 760, MARGIN = 14, TITLE_HEIGHT = 36, LEGEND_HEIGHT = 18, AXIS_HEIGHT = 34 };
enum { NAME_MIN = 30, NAME_MAX_WIDTH = 190, NAME_GAP = 8, NAME_PITCH = 12 };
enum { TICKS_MAX = 8 };

/* A stroke is at least this wide, so that a short phase is seen. */
static const double stroke_min = 0.8;

static const struct {
    const char *id;    /* the class of its strokes */
    const char *light; /* colours */
    const char *dark;
} looks[PHASES] = {
    [PHASE_QUEUE] = {"p-queue", "#c9ced8", "#3d434f"},
    [PHASE_REDIRECT] = {"p-redirect", "#94a3b8", "#7b8798"},
    [PHASE_DNS] = {"p-dns", "#9333ea", "#b07cf0"},
    [PHASE_CONNECT] = {"p-connect", "#f59e0b", "#f2b24b"},
    [PHASE_TLS] = {"p-tls", "#a16207", "#c98b2e"},
    [PHASE_FIRST_BYTE] = {"p-first", "#e4574f", "#d9534f"},
    [PHASE_BODY] = {"p-body", "#2563eb", "#6ea8fe"},
    [PHASE_DISK] = {"p-disk", "#0d9488", "#35b8ab"},
    [PHASE_RETRY] = {"p-retry", "#f472b6", "#c9588f"},
    [PHASE_THROTTLED] = {"p-throttled", "#7f1d1d", "#a84444"},
};

struct picture {
    struct buffer *to;
    const struct timeline *timeline;
    int64_t longest_ns; /* the scale: the time that the full width represents */
    int64_t tick_ns;
    int left, width; /* of the lanes */
    double pitch;
    bool used[PHASES];
};

/* --- text ------------------------------------------------------------------------------------- */

static void put(struct buffer *to, const char *text)
{
    buffer_add(to, text, strlen(text));
}

/* The approximate width of a character. East Asian characters are wide. */
static double char_width(uint32_t c)
{
    return c >= 0x1000 && (c < 0x2000 || c >= 0x2e80) ? 12 : 6.6;
}

static double width_of(const char *text)
{
    double width = 0;
    uint32_t c;

    for (size_t n; (n = whorl_text_decode(text, strlen(text), &c)) > 0; text += n)
        width += char_width(c);
    return width;
}

/* Writes XML text (XML 1.0 §2.4). `text` is escaped for a terminal already, so it is UTF-8 without
 * control characters. Text that is too wide is cut and gets an ellipsis. */
static void put_text(struct buffer *to, const char *text, double width_max)
{
    bool cut = width_of(text) > width_max;
    double width = cut ? 12 : 0;
    uint32_t c;

    for (size_t n; (n = whorl_text_decode(text, strlen(text), &c)) > 0; text += n) {
        width += char_width(c);
        if (cut && width > width_max) {
            put(to, "\xe2\x80\xa6");
            return;
        }
        if (c == '&' || c == '<' || c == '>')
            put(to, c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;");
        else
            buffer_add(to, text, n);
    }
}

/* --- the axis --------------------------------------------------------------------------------- */

/* Chooses 1, 2 or 5 times a power of ten, so that there are at most TICKS_MAX + 1 ticks. */
static int64_t choose_tick(int64_t longest_ns)
{
    static const int steps[] = {1, 2, 5};

    for (int64_t power = 1; power < INT64_MAX / 100; power *= 10)
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
            if (longest_ns / (power * steps[i]) <= TICKS_MAX)
                return power * steps[i];
    return longest_ns;
}

/* Writes the label of a tick, in the same unit on the whole axis. */
static void put_tick(const struct picture *p, int64_t at_ns)
{
    int64_t unit = p->longest_ns >= WHORL_SECOND ? WHORL_SECOND : WHORL_MILLISECOND;
    int decimals = 0;

    for (int64_t step = p->tick_ns; step % unit != 0 && decimals < 9; step *= 10)
        decimals++;
    buffer_printf(p->to, "%.*f %s", at_ns == 0 ? 0 : decimals, (double)at_ns / (double)unit,
                  unit == WHORL_SECOND ? "s" : "ms");
}

static double x_of(const struct picture *p, int64_t at_ns)
{
    return p->left + (double)at_ns / (double)p->longest_ns * p->width;
}

/* Draws the grid behind the lanes, and the labels of its lines. */
static void put_axis(const struct picture *p, double top, double bottom)
{
    double right = p->left + p->width;

    put(p->to, "<path class=\"grid\" d=\"");
    for (int64_t at = 0; at <= p->longest_ns; at += p->tick_ns)
        buffer_printf(p->to, "M%.1f %.1fV%.1f", x_of(p, at), top, bottom + 4);
    buffer_printf(p->to, "\"/>\n<path class=\"axis\" d=\"M%d %.1fH%.1f\"/>\n", p->left, bottom,
                  right);
    for (int64_t at = 0; at <= p->longest_ns; at += p->tick_ns) {
        double x = x_of(p, at);
        buffer_printf(p->to, "<text class=\"dim\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x,
                      bottom + 18, right - x < 8 ? "end" : "middle");
        put_tick(p, at);
        put(p->to, "</text>\n");
    }
}

/* --- lanes ------------------------------------------------------------------------------------ */

/* Writes what a browser shows when the pointer is on the lane. */
static void put_lane_title(const struct picture *p, const struct timeline_lane *lane)
{
    static const char *const ends[] = {"active", "done", "failed", "interrupted"};
    char text[TEXT_NUMBER_SIZE];

    put(p->to, "<title>");
    put_text(p->to, lane->url, 1e9);
    buffer_printf(p->to, ": %s, %s", ends[lane->end], text_size(text, lane->bytes));
    for (int i = 0; i < PHASES; i++)
        if (lane->spent_ns[i] > 0)
            buffer_printf(p->to, "; %s %s", phase_name((enum phase)i),
                          text_time(text, lane->spent_ns[i]));
    put(p->to, "</title>");
}

/* Draws all strokes of one phase as one path. */
static void put_phase(const struct picture *p, const struct timeline_lane *lane, enum phase phase,
                      double y)
{
    double thickness = p->pitch > 4 ? p->pitch * 0.7 : p->pitch * 0.85;
    bool any = false;

    for (size_t i = 0; i < lane->count; i++) {
        const struct timeline_span *span = &lane->spans[i];
        if (span->phase != phase)
            continue;
        double from = x_of(p, span->from_ns - p->timeline->started_ns);
        double width = x_of(p, span->to_ns - p->timeline->started_ns) - from;
        if (!any)
            buffer_printf(p->to, "<path class=\"%s\" stroke-width=\"%.1f\" d=\"", looks[phase].id,
                          phase == PHASE_BODY ? thickness : thickness * 0.6);
        any = true;
        buffer_printf(p->to, "M%.1f %.1fh%.1f", from, y, width > stroke_min ? width : stroke_min);
    }
    if (any)
        put(p->to, "\"/>");
}

/* Marks the end of a transfer that did not succeed with a cross. */
static void put_cross(const struct picture *p, const struct timeline_lane *lane, double y)
{
    double size = p->pitch > 12 ? 3.5 : p->pitch * 0.3;

    if (lane->end == TIMELINE_DONE || lane->count == 0)
        return;
    double x = x_of(p, lane->spans[lane->count - 1].to_ns - p->timeline->started_ns);
    buffer_printf(p->to, "<path class=\"cross\" d=\"M%.1f %.1fl%.1f %.1fm0 %.1fl%.1f %.1f\"/>",
                  x - size, y - size, 2 * size, 2 * size, -2 * size, -2 * size, 2 * size);
}

static void put_lane(const struct picture *p, const struct timeline_lane *lane, double y,
                     bool named)
{
    buffer_printf(p->to, "<g class=\"lane%s\">", lane->end == TIMELINE_FAILED ? " failed" : "");
    put_lane_title(p, lane);
    if (named) {
        buffer_printf(p->to, "<text class=\"name\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                      p->left - NAME_GAP, y + 4);
        put_text(p->to, lane->name, NAME_MAX_WIDTH);
        put(p->to, "</text>");
    }
    for (int i = 0; i < PHASES; i++)
        put_phase(p, lane, (enum phase)i, y);
    put_cross(p, lane, y);
    put(p->to, "</g>\n");
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Computes the scale and the width of the names. */
static void lay_out(struct picture *p)
{
    const struct timeline *timeline = p->timeline;
    double widest = NAME_MIN;

    p->longest_ns = timeline->ended_ns - timeline->started_ns;
    for (size_t i = 0; i < timeline->count; i++) {
        const struct timeline_lane *lane = timeline->lanes[i];
        double width = width_of(lane->name);
        widest = width > widest ? width : widest;
        for (size_t n = 0; n < lane->count; n++) {
            p->used[lane->spans[n].phase] = true;
            if (lane->spans[n].to_ns - timeline->started_ns > p->longest_ns)
                p->longest_ns = lane->spans[n].to_ns - timeline->started_ns;
        }
    }
    if (p->longest_ns <= 0)
        p->longest_ns = 1;
    p->tick_ns = choose_tick(p->longest_ns);
    p->left = MARGIN + (int)(widest < NAME_MAX_WIDTH ? widest + 1 : NAME_MAX_WIDTH) + NAME_GAP;
    p->width = WIDTH - MARGIN - p->left;
    size_t n = timeline->count;
    p->pitch = n <= 24 ? 20 : n <= 40 ? 14 : n <= 200 ? 560.0 / (double)n : 2.8;
}

/* Light or dark colours, as the reader's system prefers; the default is light. */
static void put_style(const struct picture *p)
{
    put(p->to, "<style>\n"
               ".timeline{background:#fff;font-family:system-ui,'Segoe UI',Roboto,'DejaVu "
               "Sans',sans-serif;font-size:12px}\n"
               ".timeline text{fill:#1f2430}.timeline .dim{fill:#5d6472}\n"
               ".timeline .title{font-size:17px;font-weight:600}\n"
               ".timeline .page{fill:#fff}.timeline .grid{stroke:#e3e6eb}"
               ".timeline .axis{stroke:#9aa1ad}\n"
               ".timeline path{fill:none}.timeline .cross{stroke:#b42318;stroke-width:1.5}\n"
               ".timeline .failed text{fill:#b42318}\n");
    for (int i = 0; i < PHASES; i++)
        buffer_printf(p->to, ".timeline .%s{stroke:%s}", looks[i].id, looks[i].light);
    put(p->to, "\n@media (prefers-color-scheme:dark){\n"
               ".timeline{background:#16181d}.timeline text{fill:#e6e8ec}"
               ".timeline .dim{fill:#a3a9b5}\n"
               ".timeline .page{fill:#16181d}.timeline .grid{stroke:#2b2f37}"
               ".timeline .axis{stroke:#6b7280}\n"
               ".timeline .cross{stroke:#f97066}.timeline .failed text{fill:#f97066}\n");
    for (int i = 0; i < PHASES; i++)
        buffer_printf(p->to, ".timeline .%s{stroke:%s}", looks[i].id, looks[i].dark);
    put(p->to, "\n}\n</style>\n");
}

/* Writes the legend, or only measures it when `to` is NULL. Returns the number of its rows. */
static int put_legend(const struct picture *p, struct buffer *to, double y)
{
    double x = MARGIN;
    int rows = 1;

    for (int i = 0; i < PHASES; i++) {
        const char *name = phase_name((enum phase)i);
        double width = 28 + width_of(name) + 14;
        if (!p->used[i])
            continue;
        if (x + width > WIDTH - MARGIN) {
            x = MARGIN;
            rows++;
        }
        if (to)
            buffer_printf(to,
                          "<path class=\"%s\" stroke-width=\"%d\" d=\"M%.1f %.1fh22\"/>"
                          "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                          looks[i].id, i == PHASE_BODY ? 12 : 7, x,
                          y + (rows - 1) * LEGEND_HEIGHT - 4, x + 28,
                          y + (rows - 1) * LEGEND_HEIGHT, name);
        x += width;
    }
    return rows;
}

static void put_title(const struct picture *p)
{
    char time[TEXT_NUMBER_SIZE];

    buffer_printf(p->to, "%llu transfer%s in %s", (unsigned long long)p->timeline->started,
                  p->timeline->started == 1 ? "" : "s", text_time(time, p->longest_ns));
}

/* Writes what the picture does not show. */
static void put_note(const struct picture *p, double y)
{
    const struct timeline *timeline = p->timeline;

    buffer_printf(p->to, "<text class=\"dim\" x=\"%d\" y=\"%.0f\">", MARGIN, y);
    if (timeline->stride > 1)
        buffer_printf(p->to, "1 in %llu transfers is shown. ",
                      (unsigned long long)timeline->stride);
    if (timeline->failed)
        put(p->to, "Parts are missing, because there was no memory for them.");
    if (timeline->started == 0)
        put(p->to, "No transfer has started.");
    put(p->to, "</text>\n");
}

void timeline_svg_format(struct buffer *ret, const struct timeline *timeline)
{
    struct picture picture = {.to = ret, .timeline = timeline}, *p = &picture;
    bool noted = timeline->stride > 1 || timeline->failed || timeline->started == 0;

    lay_out(p);
    double legend = put_legend(p, NULL, 0) * LEGEND_HEIGHT;
    double top = TITLE_HEIGHT + legend + 10;
    double bottom = top + (double)timeline->count * p->pitch;
    double height = bottom + AXIS_HEIGHT + (noted ? 20 : 0);
    size_t named = p->pitch >= NAME_PITCH ? 1 : (size_t)(NAME_PITCH / p->pitch + 1);

    /* In a window of its own a tall picture is scrolled and not made smaller. */
    buffer_printf(ret,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"timeline\" width=\"100%%\" "
                  "height=\"%.0f\" viewBox=\"0 0 %d %.0f\" preserveAspectRatio=\"xMidYMin\">\n",
                  height, WIDTH, height);
    put(ret, "<title>");
    put_title(p);
    put(ret, "</title>\n");
    put_style(p);
    buffer_printf(ret, "<rect class=\"page\" width=\"%d\" height=\"%.0f\" rx=\"6\"/>\n", WIDTH,
                  height);
    buffer_printf(ret, "<text class=\"title\" x=\"%d\" y=\"26\">", MARGIN);
    put_title(p);
    put(ret, "</text>\n<g class=\"legend\">");
    put_legend(p, ret, TITLE_HEIGHT + 14);
    put(ret, "</g>\n");
    put_axis(p, top, bottom);
    for (size_t i = 0; i < timeline->count; i++)
        put_lane(p, timeline->lanes[i], top + ((double)i + 0.5) * p->pitch, i % named == 0);
    if (noted)
        put_note(p, height - 10);
    put(ret, "</svg>\n");
}
