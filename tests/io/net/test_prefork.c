/* SPDX-License-Identifier: MIT */
/* Listeners and fork(2): servers whose processes share a socket, and children that close their copy
 * of a listener or use it in runs of their own. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "forked.h"
#include "io_faults.h"
#include "test.h"

#ifdef __SANITIZE_THREAD__
#define SKIP_FORKS_IN_TASKS() test_skip("ThreadSanitizer does not follow a fork out of a task")
#else
#define SKIP_FORKS_IN_TASKS() ((void)0)
#endif

static struct whorl_listener *listen_here(void)
{
    struct whorl_listener *listener;
    struct whorl_addr addr;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener));
    return listener;
}

static struct whorl_listener *listen_at(char path[300])
{
    struct whorl_listener *listener;
    struct whorl_addr addr;
    snprintf(path, 300, "%s/socket", test_tmpdir());
    CHECK_OK(whorl_addr_unix(path, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener));
    return listener;
}

/* Connects without a run. */
static int dial_it(const struct whorl_addr *addr)
{
    int fd = whorl_socket(addr->sa.sa_family, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, &addr->sa, addr->len), 0);
    return fd;
}

/* Connects and returns the byte that the server sends. */
static char answer_of(const struct whorl_addr *addr)
{
    char byte = '-';
    int fd = dial_it(addr);
    CHECK_EQ(recv(fd, &byte, 1, 0), 1);
    close(fd);
    return byte;
}

/* Serves connections: sends each the byte `name`. */
struct server {
    struct whorl_listener *l;
    int count;
    char name;
};

static WHORL_SUSPENDS_SHIELDED void serve_one(const struct server *s)
{
    int fd = whorl_accept(s->l, NULL);
    CHECK(fd >= 0);
    CHECK_OK(whorl_send_all(fd, &s->name, 1, 0));
    CHECK_OK(whorl_close(fd));
}

static int serve(void *arg)
{
    const struct server *s = arg;
    for (int i = 0; i < s->count; i++)
        serve_one(s);
    return 0;
}

static int serve_and_close(void *arg)
{
    struct server *s = arg;
    CHECK_OK(serve(s));
    whorl_listener_close(s->l); /* while an accept is armed */
    return 0;
}

struct own {
    struct whorl_listener *l;
    uint16_t foreign; /* the port of a peer whose connection is another process's; 0: none */
};

/* Dials the listener and accepts that connection, not one that another process has dialled. Parent
 * and child are served by the same socket, so the other one may accept a connection; then tries
 * again. */
static WHORL_SUSPENDS_SHIELDED int accept_own(void *arg)
{
    const struct own *s = arg;
    struct whorl_addr local, peer;
    struct whorl_scope scope;
    int fd;

    for (int tries = 0; tries < 50; tries++) {
        int client = dial_it(whorl_listener_addr(s->l));
        CHECK_OK(whorl_addr_local(client, &local));
        whorl_scope_enter(&scope, whorl_after(100 * WHORL_MILLISECOND));
        while ((fd = whorl_accept(s->l, &peer)) >= 0) {
            close(fd);
            if (whorl_addr_port(&peer) == whorl_addr_port(&local))
                break;
            CHECK(whorl_addr_port(&peer) != s->foreign);
        }
        (void)whorl_scope_leave(&scope, fd < 0 ? fd : 0);
        close(client);
        if (fd >= 0)
            return 0;
        CHECK_ERR(fd, -ECANCELED);
    }
    CHECK(!"the connections arrive");
    return 0;
}

static int accept_own_and_close(void *arg)
{
    struct own *s = arg;
    CHECK_OK(accept_own(s));
    whorl_listener_close(s->l);
    return 0;
}

/* Waits for a child while the run goes on. */
static WHORL_SUSPENDS_SHIELDED void expect_success_in_run(pid_t child)
{
    int status;
    pid_t ended;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(ended, child);
    CHECK_EQ(status, 0);
}

static int yield_once(void *arg)
{
    (void)arg;
    return whorl_yield();
}

/* --- made before a fork, used in runs that begin after it ------------------------------------- */

TEST(processes_share_a_listener)
{
    struct whorl_listener *l = listen_here();
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        if ((children[i] = fork_child()) == 0)
            _exit(whorl_io_run(serve, &(struct server){l, 1, (char)('a' + i)}));
    char seen = 0;
    for (int i = 0; i < 3; i++) /* each serves one */
        seen ^= answer_of(whorl_listener_addr(l));
    CHECK_EQ(seen, 'a' ^ 'b' ^ 'c');
    for (int i = 0; i < 3; i++)
        expect_success(children[i]);
    whorl_listener_close(l);
}

TEST(a_child_that_closes_its_copy_leaves_the_parent_listening)
{
    struct whorl_listener *l = listen_here();
    pid_t child = fork_child();
    if (child == 0)
        _exit(whorl_io_run(serve_and_close, &(struct server){l, 1, 'c'}));
    CHECK_EQ(answer_of(whorl_listener_addr(l)), 'c');
    expect_success(child);
    int client = dial_it(whorl_listener_addr(l));
    CHECK_OK(whorl_io_run(serve, &(struct server){l, 1, 'p'}));
    close(client);
    whorl_listener_close(l);
}

TEST(a_parent_that_closes_its_copy_leaves_the_children_listening)
{
    struct whorl_listener *l = listen_here();
    struct whorl_addr addr = *whorl_listener_addr(l);
    int go[2];
    char byte;
    CHECK_OK(pipe(go));
    pid_t child = fork_child();
    if (child == 0) {
        CHECK_EQ(read(go[0], &byte, 1), 1); /* the parent has closed */
        _exit(whorl_io_run(serve, &(struct server){l, 1, 'c'}));
    }
    int client = dial_it(&addr);
    CHECK_OK(whorl_io_run(serve_and_close, &(struct server){l, 1, 'p'}));
    close(client);
    CHECK_EQ(write(go[1], "x", 1), 1);
    CHECK_EQ(answer_of(&addr), 'c');
    expect_success(child);
    close(go[0]);
    close(go[1]);
}

TEST(the_path_of_a_unix_listener_is_removed_by_the_process_that_bound_it)
{
    char path[300];
    struct whorl_listener *l = listen_at(path);
    pid_t child = fork_child();
    if (child == 0)
        _exit(whorl_io_run(serve_and_close, &(struct server){l, 1, 'c'}));
    CHECK_EQ(answer_of(whorl_listener_addr(l)), 'c');
    expect_success(child);
    CHECK_OK(access(path, F_OK));
    int client = dial_it(whorl_listener_addr(l));
    CHECK_OK(whorl_io_run(serve_and_close, &(struct server){l, 1, 'p'}));
    CHECK_EQ(access(path, F_OK), -1);
    close(client);
}

/* --- forks in a run that has used the listener ------------------------------------------------ */

struct scene {
    struct whorl_listener *l;
    pid_t child;
    int client; /* of a connection that the parent has accepted and kept */
};

/* Leaves an accept armed, and forks. The child leaves the run. */
static int fork_while_armed(void *arg)
{
    struct scene *s = arg;
    CHECK_OK(accept_own(&(struct own){s->l, 0}));
    s->child = fork_child();
    if (s->child == 0)
        return 0;
    expect_success_in_run(s->child);
    return accept_own(&(struct own){s->l, 0}); /* the child did not disturb it */
}

TEST(a_listener_that_was_armed_before_a_fork_accepts_in_the_childs_run)
{
    SKIP_FORKS_IN_TASKS();
    struct scene s = {.l = listen_here()};
    CHECK_OK(whorl_io_run(fork_while_armed, &s));
    if (s.child == 0)
        _exit(whorl_io_run(accept_own_and_close, &(struct own){s.l, 0}));
    whorl_listener_close(s.l);
}

TEST(a_child_closes_an_armed_listener_before_any_run_of_its_own)
{
    SKIP_FORKS_IN_TASKS();
    struct scene s = {.l = listen_here()};
    CHECK_OK(whorl_io_run(fork_while_armed, &s));
    if (s.child == 0) {
        whorl_listener_close(s.l);
        _exit(whorl_io_run(yield_once, NULL));
    }
    whorl_listener_close(s.l);
}

/* One task waits in accept, another forks a child that closes its copy in the parent's run. */
static int fork_and_close_inside(void *arg)
{
    struct server s = {arg, 1, 'p'};
    WHORL_AUTO(group) group = {0};
    CHECK_OK(whorl_spawn(&group, serve, &s));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    pid_t child = fork_child();
    if (child == 0) {
        CHECK_ERR(whorl_accept(s.l, NULL), WHORL_ENOIO);
        whorl_listener_close(s.l);
        _exit(0);
    }
    expect_success(child);
    int client = dial_it(whorl_listener_addr(s.l));
    int err = whorl_group_wait(&group);
    close(client);
    whorl_listener_close(s.l);
    return err;
}

TEST(a_child_closes_a_listener_inside_the_parents_run)
{
    SKIP_FORKS_IN_TASKS();
    CHECK_OK(whorl_io_run(fork_and_close_inside, listen_here()));
}

static int accept_until_cancelled(void *arg)
{
    int fd;
    while ((fd = whorl_accept(arg, NULL)) >= 0)
        close(fd);
    CHECK_ERR(fd, -ECANCELED);
    return 0;
}

/* The child leaves the run while another task waits in accept. */
static int fork_beside_a_daemon(void *arg)
{
    struct scene *s = arg;
    CHECK_OK(whorl_spawn(whorl_root_group(), accept_until_cancelled, s->l));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    s->child = fork_child();
    return 0;
}

TEST(a_child_leaves_a_run_in_which_a_task_waits_in_accept)
{
    SKIP_FORKS_IN_TASKS();
    struct scene s = {.l = listen_here()};
    CHECK_OK(whorl_io_run(fork_beside_a_daemon, &s));
    if (s.child == 0)
        _exit(whorl_io_run(accept_own_and_close, &(struct own){s.l, 0}));
    expect_success(s.child);
    CHECK_OK(whorl_io_run(accept_own_and_close, &(struct own){s.l, 0}));
}

/* --- kept connections ------------------------------------------------------------------------- */

static int keep_one_and_fork(void *arg)
{
    struct scene *s = arg;
    int client = dial_it(whorl_listener_addr(s->l));
    s->client = dial_it(whorl_listener_addr(s->l));
    serve_one(&(struct server){s->l, 1, 'p'}); /* accepts both where one accept stays armed */
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    close(client);
    s->child = fork_child();
    if (s->child != 0)
        expect_success_in_run(s->child);
    return 0;
}

/* A connection that the parent has accepted before the fork is not the child's, and stays open. */
TEST(a_child_does_not_get_its_parents_connections)
{
    SKIP_FORKS_IN_TASKS();
    io_faults_need_multishot(); /* else no connection is kept */
    struct scene s = {.l = listen_here()};
    struct whorl_addr local;
    char byte;
    CHECK_OK(whorl_io_run(keep_one_and_fork, &s));
    CHECK_OK(whorl_addr_local(s.client, &local));
    if (s.child == 0) {
        struct own own = {s.l, whorl_addr_port(&local)};
        CHECK_OK(whorl_io_run(accept_own_and_close, &own));
        CHECK_EQ(recv(s.client, &byte, 1, MSG_DONTWAIT), -1); /* neither served nor closed */
        _exit(0);
    }
    CHECK_OK(whorl_io_run(serve_and_close, &(struct server){s.l, 1, 'p'}));
    CHECK_EQ(recv(s.client, &byte, 1, 0), 1);
    CHECK_EQ(byte, 'p');
    close(s.client);
}

TEST_MAIN()
