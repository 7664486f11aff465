/* SPDX-License-Identifier: MIT */
/* whorl-doctor: reports what this machine offers to whorl, one line per finding, and what is
 * limited. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <whorl.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* 6.13 */
#endif

/* Memory of a parked task in bytes: one page, and its share of page tables and slabs. */
#define TASK_BYTES 4370
/* Address space of a task with the default stack size: the stack and its guard. Where address space
 * is limited or memory is charged in full, the guard is one page. */
#define TASK_SPACE       (65536 + 69632)
#define TASK_SPACE_SMALL (65536 + 4096)

struct report {
    bool json, any;
    int limits; /* number of findings that report a limitation */
};

/* Prints one finding. `note` describes its effect and may be "". `limits` says that it is a
 * limitation. */
__attribute__((format(printf, 5, 6))) static void say(struct report *report, const char *name,
                                                      bool limits, const char *note,
                                                      const char *format, ...)
{
    char value[256];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    report->limits += limits;
    if (report->json) {
        printf("%s\n  {\"name\":\"%s\",\"value\":\"", report->any ? "," : "", name);
        for (const unsigned char *p = (const unsigned char *)value; *p; p++)
            if (*p == '"' || *p == '\\')
                printf("\\%c", *p);
            else if (*p >= 0x20 && *p != 0x7f)
                putchar(*p);
        printf("\",\"limits\":%s,\"note\":\"%s\"}", limits ? "true" : "false", note);
    } else {
        printf("%-15s %-30s %s%s\n", name, value, limits ? "! " : "", note);
    }
    report->any = true;
}

/* Returns the first line of a small file, or "" when it cannot be read. */
static const char *read_line(const char *path, char *buf, size_t size)
{
    FILE *file = fopen(path, "r");

    buf[0] = '\0';
    if (file) {
        if (!fgets(buf, (int)size, file))
            buf[0] = '\0';
        fclose(file);
    }
    buf[strcspn(buf, "\n")] = '\0';
    return buf;
}

/* Returns the value after "Name:" in a file of /proc, or -1 when there is none. */
static long long read_field(const char *path, const char *name)
{
    FILE *file = fopen(path, "r");
    char line[256];
    long long value = -1;

    while (file && value < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtoll(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

/* `err` is what the probe returned. */
static void check_driver(struct report *report, const struct whorl_io_probe *probe, int err)
{
    const char *forced = getenv("WHORL_DRIVER");

    if (err) {
        say(report, "driver", true, "no run with I/O can start", "none: %s", probe->error.text);
        return;
    }
    bool ring = strcmp(probe->driver, "io_uring") == 0;
    bool asked = forced && *forced;
    say(report, "driver", !ring && !asked,
        ring    ? ""
        : asked ? "set by WHORL_DRIVER"
                : "io_uring is refused; epoll needs more system calls",
        "%s%s%s", probe->driver, probe->why[0] ? ": " : "", probe->why);
}

static void check_ring(struct report *report, const struct whorl_io_probe *probe)
{
    static const struct {
        unsigned bit; /* IORING_SETUP_, from linux/io_uring.h of 6.1 */
        const char *name;
    } names[] = {{1u << 7, "SUBMIT_ALL"},
                 {1u << 12, "SINGLE_ISSUER"},
                 {1u << 13, "DEFER_TASKRUN"},
                 {1u << 8, "COOP_TASKRUN"},
                 {1u << 9, "TASKRUN_FLAG"}};

    say(report, "io_uring sysctl", probe->ring_disabled != 0,
        probe->ring_disabled ? "set kernel.io_uring_disabled to 0 to allow io_uring" : "", "%d",
        probe->ring_disabled);
    if (probe->ring_err) {
        say(report, "io_uring", true, "see the seccomp and sysctl lines", "%s",
            whorl_strerror(probe->ring_err));
        return;
    }
    unsigned missing = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool has = (probe->ring_flags & names[i].bit) != 0;
        missing += !has;
        say(report, i == 0 ? "io_uring flags" : "", false, has ? "" : "the kernel does not have it",
            "%s%s", has ? "" : "no ", names[i].name);
    }
    say(report, "io_uring", missing > 0, missing ? "a newer kernel would be faster" : "",
        "features 0x%x", probe->ring_features);
}

static void check_seccomp(struct report *report)
{
    static const char *const modes[] = {"off", "strict", "filter"};
    long long mode = read_field("/proc/self/status", "Seccomp");

    say(report, "seccomp", false, mode == 2 ? "a filter may refuse io_uring" : "", "%s",
        mode >= 0 && mode <= 2 ? modes[mode] : "unknown");
}

static void say_limit(struct report *report, const char *name, int resource, rlim_t enough,
                      const char *note)
{
    struct rlimit limit;
    char soft[24], hard[24];

    if (getrlimit(resource, &limit) < 0)
        return;
    snprintf(soft, sizeof soft, "%llu", (unsigned long long)limit.rlim_cur);
    snprintf(hard, sizeof hard, "%llu", (unsigned long long)limit.rlim_max);
    bool low = limit.rlim_max != RLIM_INFINITY && limit.rlim_max < enough;
    say(report, name, low, low ? note : "", "%s of %s",
        limit.rlim_cur == RLIM_INFINITY ? "unlimited" : soft,
        limit.rlim_max == RLIM_INFINITY ? "unlimited" : hard);
}

/* Reports how stacks are guarded on this machine, by trying it on a page. Guards that are mappings
 * may take a quarter of the `maps` that a process can have, and each takes two. */
static void check_guards(struct report *report, long long maps)
{
    void *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool installs =
        page != MAP_FAILED && madvise((char *)page + 4096, 4096, MADV_GUARD_INSTALL) == 0;

    if (page != MAP_FAILED)
        munmap(page, 3 * 4096);
    if (installs)
        say(report, "guard pages", false, "not for a program that calls mlockall()",
            "MADV_GUARD_INSTALL");
    else
        say(report, "guard pages", true,
            "other stacks have no guard: raise vm.max_map_count (Linux 6.13 guards all)",
            "mprotect, for %lld stacks", maps / 8);
}

/* The results of the handler of a signal. */
static struct {
    const char *low, *high; /* the alternate stack of the thread */
    bool handled, on_alternate;
} signal_probe;

static void on_probe(int number)
{
    const char *here = __builtin_frame_address(0);

    (void)number;
    signal_probe.handled = true;
    signal_probe.on_alternate = here >= signal_probe.low && here < signal_probe.high;
}

static int raise_probe(void *arg)
{
    stack_t stack;

    (void)arg;
    if (sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE)) {
        signal_probe.low = stack.ss_sp;
        signal_probe.high = signal_probe.low + stack.ss_size;
    }
    raise(SIGUSR1);
    return whorl_yield();
}

static int probe_small(void *arg)
{
    WHORL_AUTO(group) group = {.small_stack_size = 8192};

    int err = whorl_spawn(&group, raise_probe, arg);
    return err ? err : whorl_group_wait(&group);
}

/* Handles a signal in a task with a small stack, whose canary is looked at afterwards. */
static void check_small_stacks(struct report *report)
{
    struct sigaction action = {.sa_handler = on_probe, .sa_flags = SA_ONSTACK}, before;
    char frame[48] = "";

    sigaction(SIGUSR1, &action, &before);
    int err = whorl_run(probe_small, NULL);
    sigaction(SIGUSR1, &before, NULL);
#ifdef _SC_MINSIGSTKSZ
    snprintf(frame, sizeof frame, "a signal takes %ld bytes", sysconf(_SC_MINSIGSTKSZ));
#endif
    bool works = err == 0 && signal_probe.handled && signal_probe.on_alternate;
    say(report, "small stacks", !works,
        works ? "signal handlers need SA_ONSTACK"
              : "signals are not handled on the alternate stack: do not use small stacks",
        "%s", frame[0] ? frame : "work");
}

static void check_memory(struct report *report)
{
    char line[256];
    long long available = read_field("/proc/meminfo", "MemAvailable") * 1024;
    long long overcommit = atoll(read_line("/proc/sys/vm/overcommit_memory", line, sizeof line));
    long long maps = atoll(read_line("/proc/sys/vm/max_map_count", line, sizeof line));
    struct rlimit space;

    check_guards(report, maps);
    check_small_stacks(report);
    say(report, "max_map_count", maps < 32768, maps < 32768 ? "vm.max_map_count is low" : "",
        "%lld", maps);
    say(report, "overcommit", overcommit == 2,
        overcommit == 2 ? "each stack is charged in full: 68 KiB per task, with small guards" : "",
        "vm.overcommit_memory %lld", overcommit);
    read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line);
    say(report, "huge pages", false, "for small stacks: always or madvise", "%s",
        line[0] ? line : "not available");
    say(report, "page size", sysconf(_SC_PAGESIZE) != 4096,
        sysconf(_SC_PAGESIZE) != 4096 ? "each task needs at least one page" : "", "%ld",
        sysconf(_SC_PAGESIZE));
    long long fit = available / TASK_BYTES;
    const char *by = "limited by available memory";
    long long by_space = (1LL << 47) / TASK_SPACE;
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        by_space = (long long)(space.rlim_cur / TASK_SPACE_SMALL);
    if (overcommit == 2 && available / TASK_SPACE_SMALL < by_space)
        by_space = available / TASK_SPACE_SMALL;
    if (by_space < fit) {
        fit = by_space;
        by = "limited by address space";
    }
    say(report, "tasks that fit", fit < 100000, by, "%lld", fit);
}

static void check_tls(struct report *report)
{
    struct whorl_tls_config *config = NULL;
    struct whorl_error error = {0};

    int err = whorl_tls_config_create(NULL, &error, &config);
    whorl_tls_config_destroy(config);
    say(report, "CA bundle", err != 0, err ? "https needs --cacert" : "", "%s",
        err ? "none" : "loaded");
#ifdef __x86_64__
    bool aes = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
    say(report, "AES in hardware", false,
        aes ? "AES-GCM is offered first" : "ChaCha20 is offered first", "%s", aes ? "yes" : "no");
#endif
}

static void print_help(void)
{
    fputs("usage: whorl-doctor [--json]\n"
          "Report what this machine offers to whorl. A line marked ! reports a limitation.\n\n"
          "      --json  print one object:\n"
          "              {\"ok\": ..., \"findings\": [{name, value, limits, note}, ...]}\n"
          "  -h, --help  print this help\n\n"
          "Exit status: 0 no limitation, 1 a limitation, 2 wrong usage.\n",
          stdout);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct report report = {0};
    struct utsname kernel;
    int c;

    while ((c = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
        if (c == 'h') {
            print_help();
            return 0;
        }
        if (c != 'j') {
            fputs("see whorl-doctor --help\n", stderr);
            return 2;
        }
        report.json = true;
    }
    if (optind < argc) {
        fprintf(stderr, "whorl-doctor: unexpected argument '%s'; see whorl-doctor --help\n",
                argv[optind]);
        return 2;
    }
    if (report.json)
        printf("{\"findings\":[");
    if (uname(&kernel) == 0)
        say(&report, "kernel", false, "", "%s %s %s", kernel.sysname, kernel.release,
            kernel.machine);
    struct whorl_io_probe probe;
    int err = whorl_io_probe_run(&probe);
    check_driver(&report, &probe, err);
    check_ring(&report, &probe);
    check_seccomp(&report);
    say_limit(&report, "memlock", RLIMIT_MEMLOCK, 65536, "old kernels charge io_uring to it");
    say_limit(&report, "open files", RLIMIT_NOFILE, 4096, "each connection needs one");
    check_memory(&report);
    check_tls(&report);
    if (report.json)
        printf("\n],\"ok\":%s}\n", report.limits ? "false" : "true");
    if (ferror(stdout) || fflush(stdout) != 0) {
        fprintf(stderr, "whorl-doctor: cannot write: %s\n", whorl_strerror(errno));
        return 1;
    }
    return report.limits ? 1 : 0;
}
