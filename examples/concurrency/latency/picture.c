/* SPDX-License-Identifier: MIT */
/* Draws the table of `models latency` on a logarithmic scale.
 *
 *     title                              measured  o classic
 *     L1 cache reference      =====o 1.2 ns
 *     main memory reference   ===============o== 120 ns
 *                             |    |    |    |    |    |
 *                            1 ns 10 ns            1 s
 *                            1 m  10 m       the same as distances
 */
#include <math.h>
#include <string.h>

#include <whorl/text.h>

#include "latency.h"

enum { WIDTH = 760, LEFT = 236, RIGHT = 690, TOP = 58, PITCH = 24, BAR = 12, AXIS = 62 };

/* From 0.1 ns to 1 s. */
enum { DECADE_FIRST = -1, DECADE_LAST = 9 };

/* The colours are those of the timelines. */
static const char style[] =
    "<style>\n"
    ".latency{background:#fff;font-family:system-ui,'Segoe UI',Roboto,'DejaVu "
    "Sans',sans-serif;font-size:12px}\n"
    ".latency text{fill:#1f2430}.latency .dim{fill:#5d6472}\n"
    ".latency .title{font-size:17px;font-weight:600}\n"
    ".latency .page{fill:#fff}.latency .grid{stroke:#e3e6eb}.latency .axis{stroke:#9aa1ad}\n"
    ".latency .bar{fill:#2563eb}.latency .classic{fill:#fff;stroke:#e4574f;stroke-width:2}\n"
    "@media (prefers-color-scheme:dark){\n"
    ".latency{background:#16181d}.latency text{fill:#e6e8ec}.latency .dim{fill:#a3a9b5}\n"
    ".latency .page{fill:#16181d}.latency .grid{stroke:#2b2f37}.latency .axis{stroke:#6b7280}\n"
    ".latency .bar{fill:#6ea8fe}.latency .classic{fill:#16181d;stroke:#d9534f}\n"
    "}\n"
    "</style>\n";

static double x_of(double ns)
{
    double decade = log10(ns);

    if (decade < DECADE_FIRST)
        decade = DECADE_FIRST;
    if (decade > DECADE_LAST)
        decade = DECADE_LAST;
    return LEFT + (decade - DECADE_FIRST) / (DECADE_LAST - DECADE_FIRST) * (RIGHT - LEFT);
}

/* Writes XML text. What is not to be shown is escaped as in other messages. */
static void put_text(const char *text, FILE *to)
{
    char shown[1024];

    whorl_text_escape(text, strlen(text), shown, sizeof shown);
    for (const char *c = shown; *c; c++) {
        if (*c == '&' || *c == '<' || *c == '>')
            fputs(*c == '&' ? "&amp;" : *c == '<' ? "&lt;" : "&gt;", to);
        else
            putc(*c, to);
    }
}

static void put_axis(double bottom, FILE *to)
{
    char text[32];

    fputs("<path class=\"grid\" d=\"", to);
    for (int i = DECADE_FIRST; i <= DECADE_LAST; i++)
        fprintf(to, "M%.1f %dV%.1f", x_of(pow(10, i)), TOP, bottom + 4);
    fprintf(to, "\"/>\n<path class=\"axis\" d=\"M%d %.1fH%d\"/>\n", LEFT, bottom, RIGHT);
    for (int i = DECADE_FIRST + 1; i <= DECADE_LAST; i += 3) {
        fprintf(to, "<text class=\"dim\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                x_of(pow(10, i)), bottom + 20);
        fprintf(to, "1 %s</text>\n", i == 0 ? "ns" : i == 3 ? "\xc2\xb5s" : i == 6 ? "ms" : "s");
        fprintf(to, "<text class=\"dim\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                x_of(pow(10, i)), bottom + 38, latency_distance(text, sizeof text, pow(10, i)));
    }
    fprintf(to, "<text class=\"dim\" x=\"14\" y=\"%.1f\">time</text>\n", bottom + 20);
    fprintf(to, "<text class=\"dim\" x=\"14\" y=\"%.1f\">distance, if 1 ns is 1 m</text>\n",
            bottom + 38);
}

static void put_row(const struct latency_row *row, const struct latency_result *result, double y,
                    FILE *to)
{
    double end = LEFT, middle = y + PITCH / 2.0;
    char text[32];

    fprintf(to, "<text x=\"14\" y=\"%.1f\">", middle + 4);
    put_text(row->name, to);
    fputs("</text>\n", to);
    if (!result->err) {
        end = x_of(result->ns);
        fprintf(to, "<rect class=\"bar\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/>\n",
                LEFT, middle - BAR / 2.0, end - LEFT, BAR);
    }
    if (row->classic_ns > 0) {
        double x = x_of(row->classic_ns);
        fprintf(to, "<circle class=\"classic\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n", x, middle);
        end = x + 6 > end ? x + 6 : end;
    }
    if (!result->err)
        fprintf(to, "<text class=\"dim\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", end + 6, middle + 4,
                latency_text(text, sizeof text, result->ns));
}

int latency_draw(const void *arg, FILE *to)
{
    const struct latency_picture *picture = arg;
    double bottom = TOP + LATENCY_ROWS * PITCH + 6;

    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"latency\" width=\"%d\" "
            "height=\"%.0f\" viewBox=\"0 0 %d %.0f\">\n<title>",
            WIDTH, bottom + AXIS, WIDTH, bottom + AXIS);
    put_text(picture->title, to);
    fprintf(to, "</title>\n%s<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n", style);
    fputs("<text class=\"title\" x=\"14\" y=\"26\">How long it takes</text>\n", to);
    fputs("<text class=\"dim\" x=\"14\" y=\"46\">", to);
    put_text(picture->title, to);
    fputs("</text>\n", to);
    fputs("<rect class=\"bar\" x=\"560\" y=\"16\" width=\"24\" height=\"12\"/>"
          "<text x=\"590\" y=\"26\">measured</text>\n"
          "<circle class=\"classic\" cx=\"664\" cy=\"22\" r=\"5\"/>"
          "<text x=\"676\" y=\"26\">classic table</text>\n",
          to);
    put_axis(bottom, to);
    for (int i = 0; i < LATENCY_ROWS; i++)
        put_row(&latency_rows[i], &picture->results[i], TOP + i * PITCH, to);
    fputs("</svg>\n", to);
    return 0;
}
