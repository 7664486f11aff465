/* SPDX-License-Identifier: MIT */
/* A client of a JSON interface: asks prices.c for a list, then for all its items concurrently. A
 * request that fails for a reason that may pass is repeated, after the time that the server asks
 * for, or after twice the last pause. One deadline limits everything. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include <whorl.h>

static const char *base; /* of all URLs */
static struct whorl_http_session *session;

/* Gets the list if `name` is "", else an item. Reports its failures. */
static WHORL_SUSPENDS int get(const char *name, json_t **ret)
{
    struct whorl_http_retry_policy policy = {.first_ns = 50 * WHORL_MILLISECOND};
    char *url, *text = NULL;
    WHORL_AUTO(http_response) *response = NULL;

    if (asprintf(&url, "%s/items%s%s", base, *name ? "/" : "", name) < 0)
        return -ENOMEM;
    struct whorl_http_request request = {.url = url};
    int err = whorl_http_do_with_retries(session, &request, &policy, NULL, &response);
    int status = err ? 0 : whorl_http_response_status(response);
    if (err == 0)
        err = whorl_http_response_read_to_end(response, 1 << 20, &text, NULL);
    if (err == 0 && status != 200)
        err = status == 404 ? -ENOENT : -EPROTO;
    if (err == 0 && !(*ret = json_loads(text, 0, NULL)))
        err = -EBADMSG;
    free(text);
    if (err)
        fprintf(stderr, "%s: %s\n", url, whorl_strerror(err));
    free(url);
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
