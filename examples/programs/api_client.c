/* SPDX-License-Identifier: MIT */
/* A client of a JSON interface: asks prices.c for a list, then for all its items concurrently. A
 * request that fails for a reason that may pass is repeated after the time that the server asks
 * for, or after twice the last pause. One deadline limits everything. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <whorl.h>

static const char *base; /* of all URLs */
static struct whorl_http_session *session;

/* Asks once. If asking again makes no sense, sets `*pause_ns` to -1. */
static WHORL_SUSPENDS int try_get(const char *url, int64_t *pause_ns, json_t **ret)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *text = NULL;

    int err = whorl_http_get(session, url, &response);
    if (err == 0)
        err = whorl_http_response_read_to_end(response, 1 << 20, &text, NULL);
    if (err)
        return err;
    int status = whorl_http_response_status(response);
    const char *later = whorl_http_response_header(response, "Retry-After");
    int64_t asked_ns = whorl_http_retry_after(later, time(NULL));
    *pause_ns = status != 429 && status < 500 ? -1 : asked_ns >= 0 ? asked_ns : *pause_ns;
    *ret = status == 200 ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return *ret ? 0 : status == 404 ? -ENOENT : -EPROTO;
}

static WHORL_SUSPENDS int get(const char *name, json_t **ret)
{
    int64_t pause_ns = 50 * WHORL_MILLISECOND;
    char url[1024];

    snprintf(url, sizeof url, "%s/items%s%s", base, *name ? "/" : "", name);
    int err = try_get(url, &pause_ns, ret);
    for (int tries = 1; err && pause_ns >= 0 && tries < 4; tries++, pause_ns *= 2)
        if ((err = whorl_sleep(pause_ns)) == 0)
            err = try_get(url, &pause_ns, ret);
    if (err)
        fprintf(stderr, "%s: %s\n", url, whorl_strerror(err));
    return err;
}

static int print_price(void *arg)
{
    const char *const *name = arg;
    json_t *json = NULL;

    int err = get(*name, &json);
    if (err == 0)
        printf("%s: %lld\n", *name, json_integer_value(json_object_get(json, "price")));
    json_decref(json);
    return err;
}

static int root(void *arg)
{
    const char *names[100];
    size_t count = 0;
    json_t *list = NULL;
    struct whorl_scope scope;

    base = arg;
    whorl_scope_enter_timeout(&scope, 10 * WHORL_SECOND);
    int err = whorl_http_session_create(NULL, &session);
    if (err == 0)
        err = get("", &list);
    while (count < 100 && (names[count] = json_string_value(json_array_get(list, count))))
        count++;
    if (err == 0)
        err = whorl_map(print_price, names, sizeof *names, count, 6, NULL);
    json_decref(list);
    whorl_http_session_destroy(session);
    return whorl_scope_leave(&scope, err);
}

int main(int argc, char **argv) /* api_client URL */
{
    struct whorl_io_options options = {.run.stack_size = 1 << 20}; /* jansson's parser recurses */

    return argc == 2 && whorl_io_run_with(&options, NULL, root, argv[1]) == 0 ? 0 : 1;
}
