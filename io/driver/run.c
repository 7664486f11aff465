/* SPDX-License-Identifier: MIT */
/* Runs with I/O: sets up the driver, runs the tasks, then stops and frees everything in order. */
#include <whorl/error.h>
#include <whorl/io.h>

#include "io/driver/driver.h"

int whorl_io_run(whorl_task_fn fn, void *arg)
{
    return whorl_io_run_with(NULL, NULL, fn, arg);
}

int whorl_io_run_with(const struct whorl_io_options *options, struct whorl_error *error,
                      whorl_task_fn fn, void *arg)
{
    static const struct whorl_io_options defaults;
    struct io_driver *driver;

    if (!options)
        options = &defaults;
    if (whorl_poller_current() || io_driver_current())
        return whorl_error_set(error, WHORL_EBUSYRUN, "driver", "%s",
                               whorl_strerror(WHORL_EBUSYRUN));
    int err = driver_create(options->ring_entries, error, &driver, NULL);
    if (err)
        return err;
    io_driver_set(driver);
    err = whorl_run_on(&driver->poller, &options->run, fn, arg);
    io_driver_stop(driver);
    io_driver_set(NULL);
    driver->ops->destroy(driver);
    return err;
}

const char *whorl_io_driver(void)
{
    struct io_driver *driver = io_driver_current();

    return driver ? driver->ops->name : NULL;
}
