/* SPDX-License-Identifier: MIT */
/* Draws the scaling curves as an SVG picture: the cost per operation against the number of tasks.
 * Both axes are logarithmic, so equal slopes mean equal growth, and a flat line means perfect
 * scaling. */
#include "tools/stress/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

enum { WIDTH = 860, HEIGHT = 480, LEFT = 80, RIGHT = 140, TOP = 50, BOTTOM = 60 };

struct axes {
    double x_min, x_max, y_min, y_max; /* decimal logarithms */
};

static double x_of(const struct axes *a, double tasks)
{
    return LEFT + (log10(tasks) - a->x_min) / (a->x_max - a->x_min) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct axes *a, double ns)
{
    return HEIGHT - BOTTOM -
           (log10(ns) - a->y_min) / (a->y_max - a->y_min) * (HEIGHT - TOP - BOTTOM);
}

static bool drawable(const struct result *r)
{
    return !r->error[0] && r->cpu_ns_per_op > 0;
}

static bool find_axes(const struct result *results, size_t count, struct axes *a)
{
    *a = (struct axes){INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (size_t i = 0; i < count; i++) {
        if (!drawable(&results[i]))
            continue;
        a->x_min = fmin(a->x_min, log10((double)results[i].tasks));
        a->x_max = fmax(a->x_max, log10((double)results[i].tasks));
        a->y_min = fmin(a->y_min, floor(log10(results[i].cpu_ns_per_op)));
        a->y_max = fmax(a->y_max, ceil(log10(results[i].cpu_ns_per_op)));
    }
    if (a->x_max < a->x_min)
        return false;
    if (a->x_max - a->x_min < 0.5)
        a->x_max = a->x_min + 1;
    if (a->y_max <= a->y_min)
        a->y_max = a->y_min + 1;
    return true;
}

static const char *ns_label(char *buf, size_t size, double ns)
{
    if (ns < 1e3)
        snprintf(buf, size, "%.0f ns", ns);
    else if (ns < 1e6)
        snprintf(buf, size, "%.0f us", ns / 1e3);
    else
        snprintf(buf, size, "%.0f ms", ns / 1e6);
    return buf;
}

static void draw_grid(FILE *to, const struct axes *a)
{
    char label[32];

    for (double e = ceil(a->x_min - 1e-9); e <= a->x_max + 1e-9; e++) {
        double x = x_of(a, pow(10, e));
        fprintf(to, "<line x1='%.1f' y1='%d' x2='%.1f' y2='%d' stroke='#ddd'/>\n", x, TOP, x,
                HEIGHT - BOTTOM);
        fprintf(to, "<text x='%.1f' y='%d' text-anchor='middle'>%.0f</text>\n", x,
                HEIGHT - BOTTOM + 20, pow(10, e));
    }
    for (double e = a->y_min; e <= a->y_max + 1e-9; e++) {
        double y = y_of(a, pow(10, e));
        fprintf(to, "<line x1='%d' y1='%.1f' x2='%d' y2='%.1f' stroke='#ddd'/>\n", LEFT, y,
                WIDTH - RIGHT, y);
        fprintf(to, "<text x='%d' y='%.1f' text-anchor='end'>%s</text>\n", LEFT - 8, y + 4,
                ns_label(label, sizeof label, pow(10, e)));
    }
    fprintf(to, "<text x='%d' y='%d' text-anchor='middle'>tasks</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 15);
}

/* Colours which colour-blind people can distinguish (Okabe and Ito, 2008). */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73",
                                      "#cc79a7", "#e69f00", "#56b4e9"};

static void draw_curve(FILE *to, const struct axes *a, const struct result *results, size_t count,
                       size_t index)
{
    const char *colour = colours[index % (sizeof colours / sizeof colours[0])];
    const struct workload *workload = &workloads[index];
    double x = 0, y = 0;
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (results[i].workload != workload || !drawable(&results[i]))
            continue;
        double to_x = x_of(a, (double)results[i].tasks), to_y = y_of(a, results[i].cpu_ns_per_op);
        if (any)
            fprintf(to,
                    "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s' "
                    "stroke-width='2'/>\n",
                    x, y, to_x, to_y, colour);
        fprintf(to, "<circle cx='%.1f' cy='%.1f' r='4' fill='%s'/>\n", to_x, to_y, colour);
        x = to_x;
        y = to_y;
        any = true;
    }
    if (any)
        fprintf(to, "<text x='%.1f' y='%.1f' fill='%s'>%s</text>\n", x + 10, y + 4, colour,
                workload->name);
}

int plot_write(const char *path, const struct result *results, size_t count)
{
    struct axes axes;
    FILE *to = fopen(path, "w");

    if (!to)
        return -errno;
    fprintf(to,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d' "
            "font-family='sans-serif' font-size='13'>\n"
            "<rect width='100%%' height='100%%' fill='white'/>\n"
            "<text x='%d' y='28' font-size='16'>CPU time per operation</text>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT);
    if (find_axes(results, count, &axes)) {
        draw_grid(to, &axes);
        for (size_t i = 0; i < workloads_count; i++)
            draw_curve(to, &axes, results, count, i);
    }
    fputs("</svg>\n", to);
    bool failed = ferror(to);
    int err = fclose(to) != 0 ? -errno : 0;
    return failed ? -EIO : err;
}
