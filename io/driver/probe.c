/* SPDX-License-Identifier: MIT */
/* Reports which driver and which io_uring features a run would get here, without starting one. */
#include <stdio.h>
#include <string.h>

#include <whorl/io.h>

#include "io/driver/driver.h"
#include "io/driver/ring_setup.h"

int whorl_io_probe_run(struct whorl_io_probe *ret)
{
    struct io_driver *driver = NULL;
    struct io_uring uring;
    char why[DRIVER_WHY_SIZE] = "";

    *ret = (struct whorl_io_probe){.ring_disabled = ring_disabled_by_sysctl()};
    int err = driver_create(0, &ret->error, &driver, why);
    if (err == 0) {
        ret->driver = driver->ops->name;
        driver->ops->destroy(driver);
    }
    snprintf(ret->why, sizeof ret->why, "%s", why);
    ret->ring_err = ring_setup(&uring, 64, NULL, &ret->ring_features);
    if (ret->ring_err == 0) {
        ret->ring_flags = uring.flags;
        io_uring_queue_exit(&uring);
    }
    return err;
}
