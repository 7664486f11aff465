/* SPDX-License-Identifier: MIT */
/* Prints results as a table for people and as JSON lines for programs. */
#include "tools/stress/report.h"

#include <inttypes.h>

#include "tools/stack_option.h"

/* Formats a duration in a unit in which it is below 1000: "412 ns", "3.1 us", "27 ms". */
static const char *duration(char *buf, size_t size, int64_t ns)
{
    static const struct {
        double scale;
        const char *name;
    } units[] = {{1, "ns"}, {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}};
    size_t i = 0;

    while (i < 3 && (double)ns >= units[i].scale * 1000)
        i++;
    double value = (double)ns / units[i].scale;
    snprintf(buf, size, "%.*f %s", i > 0 && value < 10 ? 1 : 0, value, units[i].name);
    return buf;
}

void report_header(FILE *to, size_t small_stack_size)
{
    fprintf(to, "stacks: %s\n", stack_option_name(small_stack_size));
    fprintf(to, "%-8s %8s %9s %9s %10s %10s %10s %9s\n", "workload", "tasks", "wall", "CPU/op",
            "wake p50", "wake p99", "bytes/task", "peak RSS");
}

void report_row(FILE *to, const struct result *r)
{
    char cpu[24], p50[24], p99[24];

    if (r->error[0]) {
        fprintf(to, "%-8s %8zu FAILED: %s\n", r->workload->name, r->tasks, r->error);
        return;
    }
    fprintf(to, "%-8s %8zu %7.2f s %9s %10s %10s %10" PRId64 " %6.0f MB\n", r->workload->name,
            r->tasks, r->wall_s, duration(cpu, sizeof cpu, (int64_t)(r->cpu_ns_per_op + 0.5)),
            duration(p50, sizeof p50, r->p50_ns), duration(p99, sizeof p99, r->p99_ns),
            r->bytes_per_task, (double)r->peak_rss / 1e6);
}

void report_json(FILE *to, const struct result *r)
{
    fprintf(to, "{\"workload\":\"%s\",\"tasks\":%zu,\"stack\":\"%s\",\"ok\":%s", r->workload->name,
            r->tasks, stack_option_name(r->small_stack_size), r->error[0] ? "false" : "true");
    if (r->error[0]) {
        fputs(",\"error\":\"", to);
        for (const char *p = r->error; *p; p++)
            if (*p == '"' || *p == '\\')
                fprintf(to, "\\%c", *p);
            else if ((unsigned char)*p >= 0x20)
                putc(*p, to);
        fputs("\"}\n", to);
        return;
    }
    fprintf(to,
            ",\"ops\":%" PRIu64 ",\"wall_s\":%.6f,\"cpu_ns_per_op\":%.1f,\"wake_p50_ns\":%" PRId64
            ",\"wake_p99_ns\":%" PRId64 ",\"bytes_per_task\":%" PRId64
            ",\"peak_rss_bytes\":%" PRId64 "}\n",
            r->ops, r->wall_s, r->cpu_ns_per_op, r->p50_ns, r->p99_ns, r->bytes_per_task,
            r->peak_rss);
}
