/* SPDX-License-Identifier: MIT */
/* Multipart bodies of parts with any names, types and bytes. A second parser, written for this
 * test, finds the same parts in the body, and no header that was not asked for. */
#include <string.h>

#include <whorl/error.h>

#include "fuzz.h"
#include "io/http/multipart.h"

enum { PARTS_MAX = 8, STEPS = 3 };

/* Names and types are texts, so the fuzzer's NUL bytes separate them. */
struct input {
    const uint8_t *at, *end;
};

static char *take_text(struct input *in)
{
    const uint8_t *nul = in->at < in->end ? memchr(in->at, 0, (size_t)(in->end - in->at)) : NULL;
    size_t len = (size_t)((nul ? nul : in->end) - in->at);
    char *text = calloc(len + 1, 1);

    if (len > 0)
        memcpy(text, in->at, len);
    in->at += len + (nul != NULL);
    return text;
}

struct part {
    struct whorl_http_form_part asked;
    char *name, *file_name, *type, *data;
};

/* Takes `text` from the front of the body. */
static void take(const char **at, const char *end, const char *text, size_t len)
{
    FUZZ_CHECK((size_t)(end - *at) >= len && memcmp(*at, text, len) == 0);
    *at += len;
}

static void take_literal(const char **at, const char *end, const char *text)
{
    take(at, end, text, strlen(text));
}

/* Takes a quoted name, which ends at the first quote, and compares it with the unescaped one. */
static void take_name(const char **at, const char *end, const char *name)
{
    take_literal(at, end, "\"");
    for (; *name; name++) {
        FUZZ_CHECK(*at < end && **at != '\r' && **at != '\n' && **at != '"' && **at != '\0');
        if (*name == '"')
            take_literal(at, end, "%22");
        else if (*name == '\r')
            take_literal(at, end, "%0D");
        else if (*name == '\n')
            take_literal(at, end, "%0A");
        else
            take(at, end, name, 1);
    }
    take_literal(at, end, "\"");
}

static void take_part(const char **at, const char *end, const struct part *part)
{
    take_literal(at, end, "\r\nContent-Disposition: form-data; name=");
    take_name(at, end, part->name);
    if (part->asked.file_name) {
        take_literal(at, end, "; filename=");
        take_name(at, end, part->file_name);
    }
    if (part->asked.content_type || part->asked.file_name) {
        const char *type =
            part->asked.content_type ? part->asked.content_type : "application/octet-stream";
        FUZZ_CHECK(!strpbrk(type, "\r\n"));
        take_literal(at, end, "\r\nContent-Type: ");
        take_literal(at, end, type);
    }
    take_literal(at, end, "\r\n\r\n");
    take(at, end, part->data, strlen(part->data));
    take_literal(at, end, "\r\n");
}

static void check_body(struct multipart *m, const struct part *parts, size_t count, size_t step)
{
    size_t len = (size_t)multipart_len(m), used = 0, n;
    struct multipart_part *file;
    char *body = malloc(len + step);

    multipart_rewind(m);
    while (used <= len && (n = multipart_read(m, body + used, step, &file)) > 0) {
        FUZZ_CHECK(n <= step);
        used += n;
    }
    FUZZ_CHECK(used == len && !file);
    const char *at = body, *end = body + len;
    for (size_t i = 0; i < count; i++) {
        take_literal(&at, end, "--");
        take_literal(&at, end, m->boundary);
        take_part(&at, end, &parts[i]);
    }
    take_literal(&at, end, "--");
    take_literal(&at, end, m->boundary);
    take_literal(&at, end, "--\r\n");
    FUZZ_CHECK(at == end);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const unsigned char random[MULTIPART_RANDOM] = {0x01, 0xff};
    static const size_t steps[STEPS] = {1, 7, 4096};
    struct input in = {data, data + len};
    struct part parts[PARTS_MAX], *all = parts;
    struct multipart m;
    size_t count = 0, kept = 0;

    multipart_init(&m, random);
    while (in.at < in.end && count < PARTS_MAX) {
        struct part *part = &all[count++];
        struct multipart_part *added;
        uint8_t kind = *in.at++;
        *part = (struct part){
            .name = take_text(&in),
            .file_name = take_text(&in),
            .type = take_text(&in),
            .data = take_text(&in),
        };
        part->asked = (struct whorl_http_form_part){
            .name = part->name,
            .file_name = kind & 1 ? part->file_name : NULL,
            .content_type = kind & 2 ? part->type : NULL,
            .text = kind & 4 ? part->data : NULL,
            .data = kind & 4 ? NULL : part->data,
            .data_len = kind & 4 ? 0 : strlen(part->data),
        };
        int err = multipart_add(&m, &part->asked, false, &added);
        bool is_bad = false;
        for (const char *c = part->type; kind & 2 && *c; c++)
            is_bad |= ((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f;
        FUZZ_CHECK(err == (is_bad ? WHORL_EHTTP_REQUEST_HEADER : 0));
        if (err == 0) { /* parts that were added come first */
            struct part swap = all[kept];
            all[kept] = *part;
            *part = kept + 1 < count ? swap : *part;
            kept++;
        }
    }
    for (size_t i = 0; i < STEPS; i++)
        check_body(&m, parts, kept, steps[i]);
    multipart_finish(&m);
    for (size_t i = 0; i < count; i++) {
        free(parts[i].name);
        free(parts[i].file_name);
        free(parts[i].type);
        free(parts[i].data);
    }
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("\x03name\0file.txt\0text/plain\0bytes\r\n--\0");
    SEED("\x04"
         "a\"b\0\0\0text\0"
         "\x01"
         "c\r\nd\0e\"\r\nf\0\0------whorl\0");
    SEED("\x02n\0\0a/b\r\nX: y\0z");
    SEED("");
    SEED("\x07\0\0\0");
#undef SEED
}
