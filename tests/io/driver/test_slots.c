/* SPDX-License-Identifier: MIT */
/* Ids of requests in flight: each one finds its request, and a stale one finds none. */
#include "faults.h"
#include "io/driver/slots.h"
#include "test.h"

TEST(a_name_finds_its_request_until_it_ends)
{
    struct slots slots = {0};
    struct io_op a = {0}, b = {0};
    CHECK_OK(slots_acquire(&slots, &a));
    CHECK_OK(slots_acquire(&slots, &b));
    uint64_t name_a = slots_name(&slots, &a), name_b = slots_name(&slots, &b);
    CHECK(name_a != name_b);
    CHECK((uint32_t)name_a != 0 && (uint32_t)name_b != 0);
    CHECK(slots_find(&slots, name_a) == &a);
    CHECK(slots_find(&slots, name_b) == &b);
    slots_release(&slots, &a);
    CHECK_EQ(a.slot, 0);
    CHECK(slots_find(&slots, name_a) == NULL);
    CHECK(slots_find(&slots, name_b) == &b);
    slots_finish(&slots);
}

TEST(a_stale_name_does_not_find_the_request_that_has_the_slot_now)
{
    struct slots slots = {0};
    struct io_op a = {0}, b = {0};
    CHECK_OK(slots_acquire(&slots, &a));
    uint64_t stale = slots_name(&slots, &a);
    slots_release(&slots, &a);
    CHECK_OK(slots_acquire(&slots, &b));
    CHECK_EQ(b.slot, (uint32_t)stale);
    CHECK(slots_find(&slots, stale) == NULL);
    CHECK(slots_find(&slots, slots_name(&slots, &b)) == &b);
    slots_finish(&slots);
}

TEST(names_that_were_never_given_find_no_request)
{
    struct slots slots = {0};
    struct io_op a = {0};
    CHECK(slots_find(&slots, 1) == NULL); /* there is no table yet */
    CHECK_OK(slots_acquire(&slots, &a));
    CHECK(slots_find(&slots, 0) == NULL);
    CHECK(slots_find(&slots, (uint64_t)1 << 32) == NULL);
    CHECK(slots_find(&slots, slots.len) == NULL);
    CHECK(slots_find(&slots, UINT64_MAX) == NULL);
    CHECK(slots_find(&slots, slots_name(&slots, &a) | (uint64_t)1 << 31) == NULL);
    slots_finish(&slots);
}

TEST(growing_keeps_every_name)
{
    enum { COUNT = 3000 };
    static struct io_op ops[COUNT];
    static uint64_t names[COUNT];
    struct slots slots = {0};
    for (int i = 0; i < COUNT; i++) {
        CHECK_OK(slots_acquire(&slots, &ops[i]));
        names[i] = slots_name(&slots, &ops[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK(slots_find(&slots, names[i]) == &ops[i]);
        if (i % 2)
            slots_release(&slots, &ops[i]);
    }
    uint32_t len = slots.len;
    for (int i = 1; i < COUNT; i += 2) { /* there is room again */
        CHECK_OK(slots_acquire(&slots, &ops[i]));
        CHECK(slots_find(&slots, names[i]) == NULL);
    }
    CHECK_EQ(slots.len, len);
    for (int i = 0; i < COUNT; i += 2)
        CHECK(slots_find(&slots, names[i]) == &ops[i]);
    slots_finish(&slots);
}

TEST(without_memory_the_table_stays_as_it_was)
{
    struct slots slots = {0};
    struct io_op ops[300] = {0};
    int n = 0;
    faults_arm(1);
    CHECK_ERR(slots_acquire(&slots, &ops[0]), -ENOMEM);
    faults_disarm();
    faults_arm(2);
    while (slots_acquire(&slots, &ops[n]) == 0)
        n++;
    CHECK(faults_disarm());
    CHECK_EQ(n, 255);
    CHECK_EQ(ops[n].slot, 0);
    for (int i = 0; i < n; i++)
        CHECK(slots_find(&slots, slots_name(&slots, &ops[i])) == &ops[i]);
    CHECK_OK(slots_acquire(&slots, &ops[n]));
    slots_finish(&slots);
}

TEST_MAIN()
