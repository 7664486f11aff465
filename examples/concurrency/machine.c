/* SPDX-License-Identifier: MIT */
/* Reads the properties of the machine, see machine.h. */
#include "machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* Only x86 has a "model name"; on other machines the machine type is used. */
static void read_cpu(struct machine *ret, const char *kind)
{
    FILE *from = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(ret->cpu, sizeof ret->cpu, "%s", kind);
    while (from && fgets(line, sizeof line, from)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value && value[1]) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(ret->cpu, sizeof ret->cpu, "%.*s", (int)sizeof ret->cpu - 1, value + 2);
            break;
        }
    }
    if (from)
        fclose(from);
}

void machine_read(struct machine *ret)
{
    struct utsname names = {0};
    cpu_set_t set;

    uname(&names);
    snprintf(ret->kernel, sizeof ret->kernel, "%.32s %.90s", names.sysname, names.release);
    read_cpu(ret, names.machine);
    ret->processors = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}
