/* SPDX-License-Identifier: MIT */
/* What an idle connection costs the server: memory of its task, its stream and its buffers. */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "test.h"

enum {
    IDLE_MAX = 8192, /* bytes of an idle connection, with its stack */
    WARM = 50,
    MEASURED = 400,
};

static struct whorl_listener *listener;
static int clients[WARM + MEASURED];

/* A handler that uses much of its stack. */
static WHORL_SUSPENDS int answer(void *arg, struct whorl_http_incoming *incoming,
                                 struct whorl_http_reply *reply)
{
    volatile char deep[20000];
    (void)arg, (void)incoming;
    for (size_t i = 0; i < sizeof deep; i += 1000)
        deep[i] = (char)i;
    char text[] = {deep[0]};
    return whorl_http_reply_send(reply, 200, "text/plain", text, sizeof text);
}

static int serve(void *arg)
{
    (void)arg;
    return whorl_http_serve(&listener, 1, NULL, answer, NULL);
}

/* Bytes of private memory that are present: neither files nor the page cache count. */
static long resident(void)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "re");
    CHECK(status);
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "RssAnon: %ld", &kib) == 1)
            break;
    fclose(status);
    CHECK(kib > 0);
    return kib * 1024;
}

/* Opens connections `first` to `end`, each with one request, and waits until they are idle. */
static WHORL_SUSPENDS_SHIELDED void open_idle(uint16_t port, int first, int end)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    char reply[512];
    for (int i = first; i < end; i++) {
        struct sockaddr_in addr = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(clients[i] >= 0);
        CHECK_OK(connect(clients[i], (struct sockaddr *)&addr, sizeof addr));
        for (int j = 0; j < 8; j++) {
            CHECK_EQ(write(clients[i], get, sizeof get - 1), sizeof get - 1);
            CHECK(whorl_recv(clients[i], reply, sizeof reply, 0) > 0);
        }
    }
    CHECK_OK(whorl_sleep(1200 * WHORL_MILLISECOND));
}

TEST_IO(an_idle_connection_costs_less_than_8_kib)
{
    struct rlimit files = {0};
    WHORL_AUTO(group) group = {0};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    test_skip("the sanitizer needs memory of its own");
#endif
    if (test_on_valgrind() || test_on_qemu())
        test_skip("only the kernel knows what is resident");
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    CHECK_OK(whorl_listen_ip("127.0.0.1", 0, NULL, &listener));
    uint16_t port = whorl_addr_port(whorl_listener_addr(listener));
    CHECK_OK(whorl_spawn(&group, serve, NULL));
    open_idle(port, 0, WARM);
    long before = resident();
    open_idle(port, WARM, WARM + MEASURED);
    long each = (resident() - before) / MEASURED;
    printf("# %ld bytes for each idle connection\n", each);
    for (int i = 0; i < WARM + MEASURED; i++)
        close(clients[i]);
    CHECK_OK(whorl_group_stop(&group, WHORL_SECOND));
    whorl_listener_close(listener);
    CHECK(each < IDLE_MAX);
}

TEST_MAIN()
