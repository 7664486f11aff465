/* SPDX-License-Identifier: MIT */
/* Runs inside the event loop of a host program, see embed.h. The scheduler runs step by step. Each
 * call makes the run and its driver the current ones of this thread, and undoes that at its end. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <whorl/embed.h>
#include <whorl/error.h>
#include <whorl/step.h>

#include "io/driver/driver.h"
#include "io/fd/standard.h"

/* Turns per call of whorl_embed_run_ready(). A turn is at most 256 task switches, or about 250 us
 * when tasks compute between the switches. */
#define TURNS_MAX 16

struct whorl_embed {
    struct io_driver *driver;
    struct whorl_stepped *run;
    int fd;
    int result;
    bool ended;
};

int whorl_embed_create(const struct whorl_io_options *options, struct whorl_error *error,
                       whorl_task_fn fn, void *arg, struct whorl_embed **ret)
{
    static const struct whorl_io_options defaults;
    struct whorl_embed *embed;

    if (!options)
        options = &defaults;
    if (whorl_poller_current() || io_driver_current())
        return whorl_error_set(error, WHORL_EBUSYRUN, "driver", "%s",
                               whorl_strerror(WHORL_EBUSYRUN));
    embed = calloc(1, sizeof *embed);
    if (!embed)
        return whorl_error_set(error, -ENOMEM, "driver", "out of memory");
    int err = driver_create(options->ring_entries, error, &embed->driver, NULL);
    if (err)
        goto err_embed;
    struct standard standard = standard_fill();
    embed->fd = embed->driver->ops->event_fd(embed->driver);
    standard_empty(&standard);
    if (embed->fd < 0) {
        err = whorl_error_set(error, embed->fd, "driver", "eventfd: %s", whorl_strerror(embed->fd));
        goto err_driver;
    }
    err = whorl_stepped_create(&embed->driver->poller, &options->run, fn, arg, &embed->run);
    if (err)
        goto err_driver;
    *ret = embed;
    return 0;

err_driver:
    embed->driver->ops->destroy(embed->driver);
err_embed:
    free(embed);
    return err;
}

int whorl_embed_fd(const struct whorl_embed *embed)
{
    return embed->fd;
}

int64_t whorl_embed_deadline(const struct whorl_embed *embed)
{
    if (embed->ended || io_driver_is_copy(embed->driver))
        return 0;
    int64_t run_ns = whorl_stepped_deadline(embed->run);
    int64_t driver_ns = embed->driver->ops->recheck_ns(embed->driver);
    return run_ns < driver_ns ? run_ns : driver_ns;
}

int whorl_embed_timeout_ms(const struct whorl_embed *embed)
{
    int64_t deadline_ns = whorl_embed_deadline(embed);

    if (deadline_ns == WHORL_FOREVER)
        return -1;
    int64_t left_ns = deadline_ns > 0 ? deadline_ns - whorl_now() : 0;
    if (left_ns <= 0)
        return 0;
    int64_t ms = (left_ns - 1) / WHORL_MILLISECOND + 1;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Ends the run: cancels its tasks and waits for them, then stops the modules and requests. */
static void finish(struct whorl_embed *embed)
{
    whorl_stepped_destroy(embed->run);
    embed->run = NULL;
    io_driver_stop(embed->driver);
}

static bool step(struct whorl_embed *embed)
{
    if (io_driver_is_copy(embed->driver)) { /* the run goes on in the parent only */
        embed->result = WHORL_ENOIO;
        return true;
    }
    embed->driver->ops->event_fd(
        embed->driver); /* makes the descriptor unreadable until the next event */
    return whorl_stepped_run(embed->run, TURNS_MAX, &embed->result);
}

bool whorl_embed_run_ready(struct whorl_embed *embed, int *ret_result)
{
    if (!embed->ended) {
        io_driver_set(embed->driver);
        embed->ended = step(embed);
        if (embed->ended)
            finish(embed);
        io_driver_set(NULL);
    }
    if (embed->ended)
        *ret_result = embed->result;
    return embed->ended;
}

void whorl_embed_destroy(struct whorl_embed *embed)
{
    if (!embed)
        return;
    if (!embed->ended) {
        io_driver_set(embed->driver);
        finish(embed);
        io_driver_set(NULL);
    }
    embed->driver->ops->destroy(embed->driver);
    free(embed);
}
