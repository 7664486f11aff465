/* SPDX-License-Identifier: MIT */
/* Runs a program to its end: one task writes its input while other tasks collect its output. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <whorl/error.h>
#include <whorl/group.h>
#include <whorl/process.h>

#include "io/fd/to_end.h"

struct input {
    struct whorl_stream *stream;
    const void *data;
    size_t len;
};

struct output {
    struct whorl_stream *stream;
    size_t *left; /* bytes that may still come, of standard output and error together */
    bool full;    /* more has come */
    char *data;   /* owned; set at the end, also after a failure */
    size_t len;
};

static int feed(void *arg)
{
    const struct input *input = arg;

    int err = input->len ? whorl_stream_write(input->stream, input->data, input->len) : 0;
    if (err == -EPIPE)
        err = 0; /* the program does not want to read the rest */
    return err ? err : whorl_stream_close_write(input->stream);
}

static WHORL_SUSPENDS ssize_t read_output(void *arg, void *buf, size_t len)
{
    struct output *output = arg;

    if (output->full)
        return -EFBIG;
    ssize_t n = whorl_stream_read(output->stream, buf, len);
    if (n > 0 && (size_t)n > *output->left) {
        output->full = true;
        n = *output->left ? (ssize_t)*output->left : -EFBIG;
    }
    if (n > 0)
        *output->left -= (size_t)n;
    return n;
}

static int collect(void *arg)
{
    struct output *output = arg;

    return to_end_read_partly(read_output, output, TO_END_SIZE, SIZE_MAX, &output->data,
                              &output->len);
}

WHORL_SUSPENDS static int converse(struct whorl_process *process, struct input *input,
                                   struct output *out, struct output *err_out,
                                   struct whorl_process_exit *ret)
{
    WHORL_AUTO(group) group = {0};
    int err = 0;

    if (input->stream)
        err = whorl_spawn(&group, feed, input);
    if (err == 0)
        err = whorl_spawn(&group, collect, out);
    if (err == 0 && err_out->stream)
        err = whorl_spawn(&group, collect, err_out);
    if (err == 0)
        err = whorl_group_wait(&group);
    return err ? err : whorl_process_wait(process, ret);
}

/* Kills the process and collects how it ended. */
static WHORL_SUSPENDS_SHIELDED void kill_and_wait(struct whorl_process *process,
                                                  struct whorl_process_exit *ret)
{
    struct whorl_scope shield;

    int err = whorl_process_kill(process, SIGKILL);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    if (err == 0)
        err = whorl_process_wait(process, ret);
    whorl_scope_leave(&shield, err);
}

WHORL_SUSPENDS int whorl_process_run(const struct whorl_process_options *options, const void *input,
                                     size_t input_len, size_t output_max,
                                     struct whorl_process_output *ret)
{
    struct whorl_process_options piped = *options;
    WHORL_AUTO(process) *process = NULL;

    *ret = (struct whorl_process_output){.exit.status = -1};
    if (!whorl_task_self())
        return WHORL_ENOTASK;
    int err = whorl_check_cancelled();
    if (err)
        return err;
    if (input)
        piped.in.kind = WHORL_PROCESS_PIPE;
    piped.out.kind = WHORL_PROCESS_PIPE;
    err = whorl_process_spawn(&piped, &process);
    if (err)
        return err;
    struct input in = {whorl_process_stdin(process), input, input_len};
    struct output out = {.stream = whorl_process_stdout(process), .left = &output_max};
    struct output err_out = {.stream = whorl_process_stderr(process), .left = &output_max};
    err = converse(process, &in, &out, &err_out, &ret->exit);
    if (err)
        kill_and_wait(process, &ret->exit);
    ret->out = out.data;
    ret->out_len = out.len;
    ret->err = err_out.data;
    ret->err_len = err_out.len;
    return err;
}

void whorl_process_output_finish(struct whorl_process_output *output)
{
    free(output->out);
    free(output->err);
    *output = (struct whorl_process_output){0};
}
