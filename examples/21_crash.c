/* SPDX-License-Identifier: MIT */
/* A process that crashes does not harm the others. The call that it was working on fails, and the
 * pool starts a new worker for the next call. A thread or a task that crashes ends the program.
 * Next: 22_echo.c */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <whorl.h>

static int divide(void *state, const void *request, size_t len, void **ret, size_t *ret_len)
{
    const int *numbers = request; /* runs in a worker */
    int *quotient = malloc(sizeof *quotient);

    (void)state, (void)len;
    if (numbers[1] == 0)
        raise(SIGKILL); /* in place of a real crash */
    if (!quotient)
        return -ENOMEM;
    *quotient = numbers[0] / numbers[1];
    *ret = quotient; /* the pool sends it back and frees it */
    *ret_len = sizeof *quotient;
    return 0;
}

static int root(void *arg)
{
    static const int requests[][2] = {{42, 6}, {42, 0}, {42, 2}};

    for (int i = 0; i < 3; i++) {
        int *quotient = NULL;
        size_t len;
        int err =
            whorl_process_pool_call(arg, requests[i], sizeof requests[i], (void **)&quotient, &len);
        printf("%d / %d: ", requests[i][0], requests[i][1]);
        if (err)
            printf("%s\n", whorl_strerror(err));
        else
            printf("%d\n", *quotient);
        free(quotient);
    }
    return 0;
}

int main(void)
{
    struct whorl_process_pool_options options = {.count = 1, .work = divide};
    WHORL_AUTO(process_pool) *workers = NULL;
    int err = whorl_process_pool_create(&options, &workers);

    if (err == 0)
        err = whorl_io_run(root, workers);
    return err ? (fprintf(stderr, "21_crash: %s\n", whorl_strerror(err)), 1) : 0;
}
