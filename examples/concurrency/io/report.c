/* SPDX-License-Identifier: MIT */
/* The report: one page that needs no network to open. It shows the times, one diagram per model,
 * and how everything was measured. */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../output.h"
#include "../timeline.h"

/* The times of the classic run of this comparison, see put_classic(). */
static const double classic_s[MODELS] = {14.3, 3.7, 2.6, 5.7};

/* Wide parts scroll in their own boxes, so the page never scrolls sideways. */
static const char style[] =
    ":root{color-scheme:light dark;--text:#1c1e21;--soft:#5c636b;--page:#fff;--line:#d9dde2;"
    "--bar:#8b95a3}\n"
    "@media (prefers-color-scheme:dark){:root{--text:#e6e8eb;--soft:#a0a7b0;--page:#16181b;"
    "--line:#3a3f46;--bar:#7d8794}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:60rem;background:var(--page);"
    "color:var(--text);font:1rem/1.55 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem}\n"
    "h2{font-size:1.2rem;margin:2.5rem 0 .25rem;padding-top:1rem;"
    "border-top:1px solid var(--line)}\n"
    "p{margin:.5rem 0;max-width:44rem}\n"
    ".soft,figcaption{color:var(--soft);font-size:.9rem}\n"
    "table.bars{width:100%}\n"
    "table.bars td:last-child{width:99%;padding:0;text-align:left}\n"
    "table.bars i{display:block;min-width:2px;height:1.1rem;background:var(--bar);"
    "border-radius:2px}\n"
    "figure{margin:1rem 0}\n"
    "figcaption{margin-top:.4rem}\n"
    "figure>div{overflow-x:auto;border:1px solid var(--line);border-radius:4px}\n"
    "figure svg{display:block;width:100%;min-width:48rem;height:auto}\n"
    "table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums;"
    "overflow-wrap:normal}\n"
    "th,td{padding:.2rem .6rem .2rem 0;text-align:right;font-weight:normal;white-space:nowrap}\n"
    "th:first-child,td:first-child{text-align:left}\n"
    "td:nth-child(3){padding-right:1.2rem}td:last-child,th:last-child{padding-right:0}\n"
    "thead th{color:var(--soft);border-bottom:1px solid var(--line);vertical-align:bottom}\n"
    "@media (max-width:26rem){td,th{font-size:.88rem}}\n";

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static void put_escaped(const char *text, FILE *to)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '&':
            fputs("&amp;", to);
            break;
        default:
            fputc(*text, to);
        }
    }
}

/* --- descriptions of the models --------------------------------------------------------------- */

static void describe_sequential(const struct comparison *c, FILE *to)
{
    fprintf(to,
            "One page after the other. The program requests a page, waits for it, and requests the "
            "next. This is the simplest program. Nearly all of its time is red: it waits %d times "
            "and hardly computes, so a faster processor would not help.",
            c->source->batch->count);
}

static void describe_threads(const struct comparison *c, FILE *to)
{
    fprintf(
        to,
        "A pool of %d threads. Each thread takes the next page from a list when it has finished "
        "a page. The kernel can switch between threads at any instruction, so a lock protects "
        "the list, and each thread has its own session in thread-local storage. %d waits "
        "overlap. More overlapping waits need more threads.",
        c->settings->threads, c->outcomes[1].at_once);
}

static void describe_tasks(const struct comparison *c, FILE *to)
{
    fprintf(to,
            "A task for each of the %d pages, all on one thread. A task runs until it has to wait, "
            "and then another task runs. Tasks switch only where they wait, so all of them share "
            "one session without a lock. Only the number of connections limits them, %d to each "
            "site: %d waits overlap. Each step in the diagram is one round of these waits.",
            c->source->batch->count, c->settings->per_site, c->outcomes[2].at_once);
}

static void describe_processes(const struct comparison *c, FILE *to)
{
    fprintf(
        to,
        "A pool of %d processes, which share no memory. An initialiser makes a session in each of "
        "them. Page numbers are sent to the processes, and results are sent back. The processes "
        "could compute on several processors at the same time, but there is little to compute "
        "here. Each process waits for one page, so more overlapping waits need more processes.",
        c->settings->processes);
}

static void (*const describe[MODELS])(const struct comparison *c, FILE *to) = {
    describe_sequential, describe_threads, describe_tasks, describe_processes};

/* --- the parts of the page -------------------------------------------------------------------- */

static void put_head(const struct comparison *c, FILE *to)
{
    const struct batch *batch = c->source->batch;

    fprintf(to,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
            "<title>%d pages in four concurrency models</title>\n"
            "<link rel=\"icon\" href=\"data:,\">\n<style>\n%s</style>\n</head>\n<body>\n"
            "<h1>The same %d pages, downloaded in four concurrency models</h1>\n<p>From %d site%s",
            batch->count, style, batch->count, c->source->sites, c->source->sites == 1 ? "" : "s");
    if (c->source->server)
        fprintf(to, ", which delay each page by %d ms", c->settings->latency_ms);
    fputs(". Every model uses the same HTTP client and receives the same bytes. The models differ "
          "only in how they wait.</p>\n",
          to);
}

static void put_bars(const struct comparison *c, FILE *to)
{
    int64_t longest_ns = 1;

    for (int i = 0; i < MODELS; i++)
        if (c->outcomes[i].took_ns > longest_ns)
            longest_ns = c->outcomes[i].took_ns;
    fputs("<table class=\"bars\">\n", to);
    for (int i = 0; i < MODELS; i++) {
        const struct outcome *outcome = &c->outcomes[i];
        fprintf(to,
                "<tr><th>%s</th><td>%.3f&nbsp;s</td><td><i style=\"width:%.1f%%\"></i></td></tr>\n",
                outcome->model->name, seconds(outcome->took_ns),
                100.0 * (double)outcome->took_ns / (double)longest_ns);
    }
    fputs("</table>\n", to);
}

static void title_of(const struct comparison *c, int index, char *ret, size_t size)
{
    const struct model *model = &models[index];
    int count = c->source->batch->count;

    if (model->run == run_threads)
        snprintf(ret, size, "%d pages by a pool of %d threads", count, c->settings->threads);
    else if (model->run == run_processes)
        snprintf(ret, size, "%d pages by a pool of %d processes", count, c->settings->processes);
    else
        snprintf(ret, size, "%d pages, %s", count,
                 model->run == run_tasks ? "a task for each" : "one after the other");
}

/* Writes the <svg> element of the diagram, without the lines before it. */
static int put_diagram(const struct comparison *c, int index, FILE *to)
{
    const struct timeline *timeline = c->outcomes[index].timeline;
    char *text = NULL, title[64];
    size_t len;
    FILE *memory = timeline ? open_memstream(&text, &len) : NULL;

    if (!memory)
        return -ENOMEM;
    title_of(c, index, title, sizeof title);
    int err = timeline_write_svg(timeline, title, memory);
    if (fclose(memory) != 0 && err == 0)
        err = -ENOMEM;
    const char *svg = err ? NULL : strstr(text, "<svg");
    if (svg)
        fprintf(to, "<div tabindex=\"0\">%s</div>\n", svg);
    free(text);
    return err;
}

static int put_model(const struct comparison *c, int index, FILE *to)
{
    const struct outcome *outcome = &c->outcomes[index];

    if (outcome->took_ns)
        fprintf(to, "<section>\n<h2>%s: %.3f s</h2>\n<p>", outcome->model->name,
                seconds(outcome->took_ns));
    else
        fprintf(to, "<section>\n<h2>%s: it did not end</h2>\n<p>", outcome->model->name);
    describe[index](c, to);
    fputs("</p>\n<figure>\n", to);
    int err = put_diagram(c, index, to);
    fprintf(to, "<figcaption>%d pages at once over %d connections", outcome->at_once,
            outcome->connections);
    if (outcome->expected_ns && outcome->took_ns)
        fprintf(to,
                "; expected %.2f s, which is &#8968;%d / %d&#8969; &times; %d ms; measured %.3f s",
                seconds(outcome->expected_ns), c->source->batch->count, outcome->at_once,
                c->settings->latency_ms, seconds(outcome->took_ns));
    fprintf(to,
            ". %d of %d pages correct. At most %.1f MiB of memory. The source is "
            "<code>examples/concurrency/io/%s</code>.</figcaption>\n</figure>\n</section>\n",
            outcome->right, c->source->batch->count, (double)outcome->peak_kib / 1024,
            outcome->model->file);
    return err;
}

/* A model that did not end has no time. */
static void put_cell(double took_s, double first_s, int decimals, FILE *to)
{
    if (took_s <= 0 || first_s <= 0)
        fputs("<td>&ndash;</td><td>&ndash;</td>", to);
    else
        fprintf(to, "<td>%.*f s</td><td>%.1f&times;</td>", decimals, took_s, first_s / took_s);
}

static void put_classic(const struct comparison *c, FILE *to)
{
    double first_s = seconds(c->outcomes[0].took_ns);

    fputs("<p>The table also shows the classic run of this comparison: a Python program that uses "
          "asyncio for tasks. It ran on another machine and downloaded other pages. So the ratios "
          "can be compared, but not the seconds.</p>\n"
          "<table>\n<thead><tr><th></th><th colspan=\"2\">classic</th>"
          "<th colspan=\"2\">here</th></tr></thead>\n<tbody>\n",
          to);
    for (int i = 0; i < MODELS; i++) {
        double took_s = seconds(c->outcomes[i].took_ns);
        fprintf(to, "<tr><th>%s</th>", models[i].name);
        put_cell(classic_s[i], classic_s[0], 1, to);
        put_cell(took_s, first_s, took_s < 1 ? 3 : 2, to);
        fputs("</tr>\n", to);
    }
    fputs("</tbody>\n</table>\n", to);
}

static void put_note(const struct comparison *c, FILE *to)
{
    const struct settings *settings = c->settings;

    fputs("<section>\n<h2>How this was measured</h2>\n<p>", to);
    if (settings->runs == 1)
        fputs("Each model ran once, in a process of its own. ", to);
    else
        fprintf(to,
                "Each time is the median of %d runs, and each diagram shows the run with that "
                "time. Each run has a process of its own. ",
                settings->runs);
    if (c->source->server)
        fputs("The sites run on this machine and use the loopback interface. So there is no "
              "network delay, only the delay that was chosen for each page. ",
              to);
    fprintf(to,
            "A session opens at most %d connections to a site and reuses them. The length and "
            "digest of every page were compared with those of %s. Memory is the sum over all "
            "processes of a model; shared memory is counted in each of them.</p>\n",
            settings->per_site,
            c->source->server ? "the original" : "the page that the first model received");
    fprintf(to, "<p>The machine: %d processor%s, ", c->machine.processors,
            c->machine.processors == 1 ? "" : "s");
    put_escaped(c->machine.cpu, to);
    fputs("; ", to);
    put_escaped(c->machine.kernel, to);
    fputs(".</p>\n<p>Threads and processes use whorl's client too. Each has a run with a single "
          "task, which blocks its thread as a blocking client would. So the models differ, but not "
          "the library.</p>\n",
          to);
    put_classic(c, to);
    fputs("</section>\n", to);
}

static int put_page(const void *arg, FILE *to)
{
    const struct comparison *c = arg;
    int err = 0;

    put_head(c, to);
    put_bars(c, to);
    fputs(
        "<p class=\"soft\">Each diagram has one lane for each thread, task or process. A lane is "
        "blue while it computes, and red while it waits. Each diagram has a scale of its own. In a "
        "narrow window a diagram can be scrolled sideways.</p>\n",
        to);
    for (int i = 0; i < MODELS && err == 0; i++)
        err = put_model(c, i, to);
    put_note(c, to);
    fputs("</body>\n</html>\n", to);
    return err;
}

int report_write(const struct comparison *comparison)
{
    return output_write(comparison->settings->report, put_page, comparison);
}
