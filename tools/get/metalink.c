/* SPDX-License-Identifier: MIT */
/* Metalink documents, see metalink.h. */
#include "tools/get/metalink.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/url.h>

#include "tools/get/entry.h"
#include "tools/get/hash.h"
#include "tools/get/text.h"

#define NAMESPACE "urn:ietf:params:xml:ns:metalink"

enum { URLS_MAX = 64, PRIORITY_LAST = 1000000 }; /* RFC 5854 §4.2.16.1: 999,999 is the last one */

struct source_url {
    char *text; /* owned; as it is sent, so it has no spaces */
    long priority;
    size_t order; /* in the document */
};

static bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && node->ns &&
           strcmp((const char *)node->ns->href, NAMESPACE) == 0 &&
           strcmp((const char *)node->name, name) == 0;
}

/* The content of an element without spaces at its ends. NULL without memory; free() it. */
static char *content_of(xmlNode *node)
{
    xmlChar *raw = xmlNodeGetContent(node);
    char *start = raw ? (char *)raw + strspn((char *)raw, " \t\r\n") : NULL;
    size_t len = start ? strlen(start) : 0;

    while (len > 0 && strchr(" \t\r\n", start[len - 1]))
        len--;
    char *ret = start ? strndup(start, len) : NULL;
    xmlFree(raw);
    return ret;
}

/* " NAME="VALUE"", with the quotes and backslashes of VALUE escaped. */
static void add_setting(struct buffer *ret, const char *name, const char *value)
{
    buffer_printf(ret, " %s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            buffer_add(ret, "\\", 1);
        buffer_add(ret, value, 1);
    }
    buffer_add(ret, "\"", 1);
}

static int by_priority(const void *a, const void *b)
{
    const struct source_url *x = a, *y = b;

    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Adds the URL of an element, if it is one that can be fetched. Returns 0 or -ENOMEM. */
static int take_url(xmlNode *node, struct source_url *urls, size_t *count)
{
    xmlChar *priority = xmlGetNoNsProp(node, (const xmlChar *)"priority");
    char *text = content_of(node);
    WHORL_AUTO(url) url = {0};

    int err = text ? 0 : -ENOMEM;
    if (text && *count < URLS_MAX && whorl_url_parse(text, NULL, &url) == 0) {
        long n = priority ? strtol((char *)priority, NULL, 10) : PRIORITY_LAST;
        urls[*count] = (struct source_url){strdup(url.text), n > 0 ? n : PRIORITY_LAST, *count};
        err = urls[(*count)++].text ? 0 : -ENOMEM;
    }
    free(text);
    xmlFree(priority);
    return err;
}

/* Adds the size or a hash as a setting. Kinds of hashes that are not known are left out. */
static int add_property(struct buffer *ret, xmlNode *node)
{
    xmlChar *type = xmlGetNoNsProp(node, (const xmlChar *)"type");
    char *value = content_of(node);
    enum hash_kind kind;
    int err = value ? 0 : -ENOMEM;

    if (value && is_element(node, "size"))
        add_setting(ret, "size", value);
    else if (value && type && hash_find((char *)type, strlen((char *)type), &kind))
        add_setting(ret, hash_name(kind), value);
    free(value);
    xmlFree(type);
    return err;
}

/* Adds the line of one file. */
static int add_file(struct buffer *ret, xmlNode *file, const char *name)
{
    struct source_url urls[URLS_MAX];
    size_t count = 0;
    int err = 0;

    for (xmlNode *node = file->children; node && err == 0; node = node->next)
        if (is_element(node, "url"))
            err = take_url(node, urls, &count);
    qsort(urls, count, sizeof *urls, by_priority);
    buffer_printf(ret, count > 0 ? "%s" : "#%s", count > 0 ? urls[0].text : name);
    if (count > 0)
        add_setting(ret, ENTRY_METALINK_NAME, name);
    for (xmlNode *node = file->children; node && err == 0 && count > 0; node = node->next)
        if (is_element(node, "size") || is_element(node, "hash"))
            err = add_property(ret, node);
    for (size_t i = 1; i < count; i++)
        add_setting(ret, "mirror", urls[i].text);
    buffer_add(ret, "", 1); /* the NUL */
    for (size_t i = 0; i < count; i++)
        free(urls[i].text);
    return err;
}

static int add_files(struct buffer *ret, xmlNode *root)
{
    int err = 0;

    for (xmlNode *node = root->children; node && err == 0; node = node->next) {
        if (!is_element(node, "file"))
            continue;
        xmlChar *name = xmlGetNoNsProp(node, (const xmlChar *)"name");
        err = add_file(ret, node, name ? (char *)name : "");
        xmlFree(name);
    }
    return err ? err : ret->failed ? -ENOMEM : 0;
}

int metalink_to_lines(const char *text, size_t len, struct buffer *ret, char *why, size_t why_size)
{
    /* Without these options the parser would load external entities, and print messages. */
    xmlDoc *doc = xmlReadMemory(text, (int)len, NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    int err;

    if (!doc) {
        const xmlError *error = xmlGetLastError();
        char raw[256];
        snprintf(raw, sizeof raw, "is not XML: line %d: %s", error ? error->line : 0,
                 error && error->message ? error->message : "unknown error");
        raw[strcspn(raw, "\n")] = '\0';
        text_escape(why, why_size, raw, strlen(raw));
        err = -EINVAL;
    } else if (!root || !is_element(root, "metalink")) {
        snprintf(why, why_size, "is XML, but not a Metalink 4 document");
        err = -EINVAL;
    } else {
        err = add_files(ret, root);
        if (err)
            snprintf(why, why_size, "out of memory");
    }
    xmlFreeDoc(doc);
    return err;
}
