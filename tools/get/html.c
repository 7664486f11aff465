/* SPDX-License-Identifier: MIT */
/* References of pages, see html.h. */
#include "tools/get/html.h"

#include <errno.h>
#include <gumbo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/get/css.h"
#include "tools/get/html_edits.h"
#include "tools/get/html_tree.h"

struct html {
    const char *text;
    references_fn *visit;
    void *arg;
    struct buffer *ret;

    struct html_edits edits;
    struct buffer value;
    bool failed; /* there was no memory for an edit */
};

/* --- the text of references --- */

static bool is_space(char c)
{
    return c && strchr(" \t\n\f\r", c);
}

/* The length of a UTF-8 character of several bytes; 0: it is none. */
static size_t utf8_len(const char *text, size_t left)
{
    unsigned char c = (unsigned char)*text;
    size_t len = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;

    if (len > left || c >= 0xf5)
        return 0;
    for (size_t i = 1; i < len; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* The length of a character reference that stands for a character of URLs; 0: it is none. */
static size_t reference_at(const char *text, size_t left, char *ret)
{
    static const struct {
        const char *text;
        char c;
    } references[] = {
        {"&amp;", '&'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&lt;", '<'}, {"&gt;", '>'}};

    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        size_t len = strlen(references[i].text);
        if (len <= left && memcmp(text, references[i].text, len) == 0) {
            *ret = references[i].c;
            return len;
        }
    }
    return 0;
}

/* Makes UTF-8 of ISO 8859-1. Characters that are UTF-8 already stay. */
static void add_latin(struct buffer *ret, const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        unsigned char c = (unsigned char)text[i];
        char two[] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))}, plain;
        if (c < 0x80) {
            n = reference_at(text + i, len - i, &plain);
            buffer_add(ret, n ? &plain : text + i, 1);
            n = n ? n : 1;
        } else if ((n = utf8_len(text + i, len - i)) > 0) {
            buffer_add(ret, text + i, n);
        } else {
            buffer_add(ret, two, 2);
            n = 1;
        }
    }
}

/* Where the value of an attribute is in the page, with its quotes. gumbo's own answer is wrong for
 * `href=&amp;a`: it leaves out a character reference at the start of a value without quotes. */
static GumboStringPiece piece_of(const GumboAttribute *attribute)
{
    GumboStringPiece piece = attribute->original_value;
    const char *end = piece.data + piece.length;
    const char *p = attribute->original_name.data + attribute->original_name.length;

    if (piece.length == 0)
        return piece;
    for (bool equals = false; p < end && (is_space(*p) || (*p == '=' && !equals)); p++)
        equals |= *p == '=';
    return (GumboStringPiece){p, (size_t)(end - p)};
}

/* The value of an attribute without the character references. gumbo has put U+FFFD in place of
 * bytes that are not UTF-8, so then the value is taken from the page. */
static const char *value_of(struct html *html, const GumboAttribute *attribute)
{
    GumboStringPiece raw = piece_of(attribute);

    if (!strstr(attribute->value, "\xef\xbf\xbd") ||
        memmem(raw.data, raw.length, "\xef\xbf\xbd", 3) || memchr(raw.data, '\0', raw.length))
        return attribute->value;
    if (raw.length >= 2 && (*raw.data == '"' || *raw.data == '\''))
        raw.data++, raw.length -= 2;
    buffer_clear(&html->value);
    add_latin(&html->value, raw.data, raw.length);
    return html->value.failed ? "" : html->value.text;
}

/* Visits a URL: without spaces at its ends, and without the tabs and newlines in it, as the URL
 * standard of browsers says. */
static const char *visit(struct html *html, enum reference_kind kind, const char *text, size_t len)
{
    char stack[512], *clean = len < sizeof stack ? stack : malloc(len + 1);
    const char *made = NULL;
    size_t n = 0;

    if (!clean) {
        html->failed = true;
        return NULL;
    }
    while (len > 0 && (unsigned char)*text <= ' ')
        text++, len--;
    while (len > 0 && (unsigned char)text[len - 1] <= ' ')
        len--;
    for (size_t i = 0; i < len; i++)
        if (!strchr("\t\r\n", text[i]))
            clean[n++] = text[i];
    clean[n] = '\0';
    if (n > 0)
        made = html->visit(html->arg, kind, clean);
    if (clean != stack)
        free(clean);
    return made;
}

/* --- edits --- */

/* Notes that `text` replaces a piece of the page. */
static void add_edit(struct html *html, GumboStringPiece piece, struct buffer *text)
{
    if (!html->ret || text->failed || !text->text) {
        html->failed |= text->failed;
        return;
    }
    size_t start = (size_t)(piece.data - html->text);
    if (!html_edits_add(&html->edits, start, start + piece.length, text))
        html->failed = true;
}

/* Replaces the value of an attribute. */
static void replace(struct html *html, const GumboAttribute *attribute, const char *value)
{
    struct buffer text = {0};

    buffer_add(&text, "\"", 1);
    for (; *value; value++) {
        if (*value == '&')
            buffer_add(&text, "&amp;", 5);
        else if (*value == '"')
            buffer_add(&text, "&quot;", 6);
        else
            buffer_add(&text, value, 1);
    }
    buffer_add(&text, "\"", 1);
    add_edit(html, piece_of(attribute), &text);
    buffer_finish(&text);
}

/* --- attributes --- */

static void take_url(struct html *html, enum reference_kind kind, const GumboAttribute *attribute)
{
    const char *value = value_of(html, attribute);
    const char *made = visit(html, kind, value, strlen(value));

    if (made)
        replace(html, attribute, made);
}

/* HTML §4.8.4.2.1: "a.png 1x, b.png 2x". A URL that ends with commas has no descriptors. */
static void take_srcset(struct html *html, const GumboAttribute *attribute)
{
    const char *p = value_of(html, attribute), *copied = p;
    struct buffer text = {0};
    bool changed = false;

    for (;;) {
        while (is_space(*p) || *p == ',')
            p++;
        if (!*p)
            break;
        const char *start = p, *end;
        while (*p && !is_space(*p))
            p++;
        for (end = p; end[-1] == ',';)
            end--;
        const char *made = visit(html, REFERENCE_RESOURCE, start, (size_t)(end - start));
        if (made) {
            buffer_add(&text, copied, (size_t)(start - copied));
            for (; *made; made++) /* neither ends the URL */
                if (*made == ' ' || *made == ',')
                    buffer_printf(&text, "%%%02X", (unsigned char)*made);
                else
                    buffer_add(&text, made, 1);
            copied = end;
            changed = true;
        }
        int depth = 0;
        for (; end == p && *p && !(*p == ',' && depth == 0); end = ++p)
            depth += *p == '(' ? 1 : *p == ')' && depth > 0 ? -1 : 0;
    }
    buffer_add(&text, copied, strlen(copied));
    html->failed |= text.failed;
    if (changed && text.text)
        replace(html, attribute, text.text);
    buffer_finish(&text);
}

/* HTML §4.2.5.3: "5; url=a.html". */
static void take_refresh(struct html *html, const GumboAttribute *attribute)
{
    const char *value = value_of(html, attribute), *p = value;
    struct buffer text = {0};

    while (is_space(*p))
        p++;
    p += strspn(p, "0123456789.");
    if (!*p || !(is_space(*p) || *p == ';' || *p == ','))
        return;
    while (is_space(*p))
        p++;
    p += *p == ';' || *p == ',';
    while (is_space(*p))
        p++;
    if (strncasecmp(p, "url", 3) == 0) {
        const char *q = p + 3;
        while (is_space(*q))
            q++;
        if (*q == '=') {
            for (p = q + 1; is_space(*p);)
                p++;
        }
    }
    const char *end = p + strlen(p);
    if (*p == '"' || *p == '\'') {
        const char *quote = strchr(p + 1, *p);
        end = quote ? quote : end;
        p++;
    }
    const char *made = visit(html, REFERENCE_PAGE, p, (size_t)(end - p));
    if (!made)
        return;
    buffer_add(&text, value, (size_t)(p - value));
    buffer_printf(&text, "%s%s", made, end);
    html->failed |= text.failed;
    if (text.text)
        replace(html, attribute, text.text);
    buffer_finish(&text);
}

static void take_style(struct html *html, const GumboAttribute *attribute)
{
    const char *value = value_of(html, attribute);
    struct buffer text = {0};

    css_visit(value, strlen(value), html->visit, html->arg, html->ret ? &text : NULL);
    html->failed |= text.failed;
    if (text.text && strcmp(text.text, value) != 0)
        replace(html, attribute, text.text);
    buffer_finish(&text);
}

/* The text of a <style>. */
static void take_style_text(struct html *html, const GumboNode *node)
{
    GumboStringPiece piece = node->v.text.original_text;
    struct buffer text = {0};

    css_visit(piece.data, piece.length, html->visit, html->arg, html->ret ? &text : NULL);
    if (text.failed || text.len != piece.length ||
        (piece.length > 0 && memcmp(text.text, piece.data, piece.length) != 0))
        add_edit(html, piece, &text);
    buffer_finish(&text);
}

/* --- elements --- */

static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = text; *p;) {
        p += strspn(p, " \t\n\f\r,");
        size_t n = strcspn(p, " \t\n\f\r,");
        if (n == len && strncasecmp(p, word, n) == 0)
            return true;
        p += n;
    }
    return false;
}

static bool is_equal(const GumboElement *element, const char *name, const char *value)
{
    const GumboAttribute *attribute = gumbo_get_attribute(&element->attributes, name);

    return attribute && strcasecmp(attribute->value, value) == 0;
}

/* What a <link> leads to. Returns false when it leads to nothing that can be fetched. */
static bool kind_of_link(const GumboElement *element, enum reference_kind *ret)
{
    static const char *const pages[] = {"alternate", "author",  "bookmark", "canonical",
                                        "help",      "license", "next",     "prev",
                                        "search",    "start",   "up",       "contents"};
    static const char *const none[] = {"dns-prefetch", "preconnect", "pingback", "profile"};
    const GumboAttribute *rel = gumbo_get_attribute(&element->attributes, "rel");

    *ret = REFERENCE_RESOURCE;
    if (!rel || has_word(rel->value, "stylesheet") || has_word(rel->value, "icon"))
        return rel != NULL;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (has_word(rel->value, none[i]))
            return false;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (has_word(rel->value, pages[i]))
            *ret = REFERENCE_PAGE;
    return true;
}

/* The attributes that are URLs, and their elements. */
static const struct {
    GumboTag tag;
    const char *name;
    enum reference_kind kind;
} urls[] = {
    {GUMBO_TAG_A, "href", REFERENCE_PAGE},
    {GUMBO_TAG_AREA, "href", REFERENCE_PAGE},
    {GUMBO_TAG_IFRAME, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_FRAME, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_IMG, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_IMG, "lowsrc", REFERENCE_RESOURCE},
    {GUMBO_TAG_INPUT, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_SCRIPT, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_SOURCE, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_EMBED, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_AUDIO, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_VIDEO, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_VIDEO, "poster", REFERENCE_RESOURCE},
    {GUMBO_TAG_TRACK, "src", REFERENCE_RESOURCE},
    {GUMBO_TAG_OBJECT, "data", REFERENCE_RESOURCE},
    {GUMBO_TAG_BODY, "background", REFERENCE_RESOURCE},
    {GUMBO_TAG_TABLE, "background", REFERENCE_RESOURCE},
    {GUMBO_TAG_TR, "background", REFERENCE_RESOURCE},
    {GUMBO_TAG_TD, "background", REFERENCE_RESOURCE},
    {GUMBO_TAG_TH, "background", REFERENCE_RESOURCE},
};

/* In SVG, the reference is "href" or "xlink:href". An <image> or <use> is a part of the page. */
static void take_svg(struct html *html, const GumboElement *element,
                     const GumboAttribute *attribute)
{
    GumboStringPiece name = element->original_tag;

    if (strcmp(attribute->name, "href") != 0)
        return;
    gumbo_tag_from_original_text(&name);
    bool is_link = name.length == 1 && (*name.data | 0x20) == 'a';
    take_url(html, is_link ? REFERENCE_PAGE : REFERENCE_RESOURCE, attribute);
}

static void take_attribute(struct html *html, const GumboElement *element,
                           const GumboAttribute *attribute)
{
    enum reference_kind kind;

    if (attribute->original_value.length == 0)
        return;
    if (strcmp(attribute->name, "style") == 0)
        take_style(html, attribute);
    else if (strcmp(attribute->name, "srcset") == 0 || strcmp(attribute->name, "imagesrcset") == 0)
        take_srcset(html, attribute);
    else if (element->tag_namespace == GUMBO_NAMESPACE_SVG)
        take_svg(html, element, attribute);
    else if (element->tag == GUMBO_TAG_LINK && strcmp(attribute->name, "href") == 0) {
        if (kind_of_link(element, &kind))
            take_url(html, kind, attribute);
    } else if (element->tag == GUMBO_TAG_META && strcmp(attribute->name, "content") == 0) {
        if (is_equal(element, "http-equiv", "refresh"))
            take_refresh(html, attribute);
    } else {
        for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
            if (urls[i].tag == element->tag && strcmp(urls[i].name, attribute->name) == 0)
                take_url(html, urls[i].kind, attribute);
    }
}

static void take_element(struct html *html, const GumboNode *node)
{
    const GumboElement *element = &node->v.element;

    if (element->tag == GUMBO_TAG_BASE)
        return;
    for (unsigned i = 0; i < element->attributes.length; i++)
        take_attribute(html, element, element->attributes.data[i]);
    if (element->tag == GUMBO_TAG_STYLE)
        for (unsigned i = 0; i < element->children.length; i++) {
            const GumboNode *child = element->children.data[i];
            if (child->type == GUMBO_NODE_TEXT || child->type == GUMBO_NODE_WHITESPACE ||
                child->type == GUMBO_NODE_CDATA)
                take_style_text(html, child);
        }
}

/* What concerns all references of the page: the first <base>, wherever it is (HTML §4.2.3), and
 * whether a <meta name=robots> forbids to follow them. */
struct heads {
    const GumboAttribute *base;
    bool nofollow;
};

static void look_at_head(struct heads *heads, const GumboNode *node)
{
    const GumboElement *element = &node->v.element;
    const GumboAttribute *content = gumbo_get_attribute(&element->attributes, "content");
    const GumboAttribute *href = gumbo_get_attribute(&element->attributes, "href");

    if (element->tag == GUMBO_TAG_BASE && href && !heads->base)
        heads->base = href;
    if (element->tag == GUMBO_TAG_META && content &&
        (is_equal(element, "name", "robots") || is_equal(element, "name", "whorl-get")))
        heads->nofollow |= has_word(content->value, "nofollow") || has_word(content->value, "none");
}

/* A place in the tree: an element and the next one of its children. */
struct place {
    const GumboNode *node;
    unsigned next;
};

static bool is_element(const GumboNode *node)
{
    return node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE;
}

/* Goes through all elements without recursion: a page may be nested very deeply. With `heads`,
 * fills it; else visits the references. Returns 0 or -ENOMEM. */
static int walk(struct html *html, const GumboNode *root, struct heads *heads)
{
    size_t depth = 0, size = 64;
    struct place *places = calloc(size, sizeof *places);

    if (!places)
        return -ENOMEM;
    places[depth++] = (struct place){root, 0};
    while (depth > 0) {
        struct place *place = &places[depth - 1];
        const GumboVector *children = &place->node->v.element.children;
        if (place->next == 0 && heads)
            look_at_head(heads, place->node);
        else if (place->next == 0)
            take_element(html, place->node);
        while (place->next < children->length && !is_element(children->data[place->next]))
            place->next++;
        if (place->next == children->length) {
            depth--;
            continue;
        }
        const GumboNode *child = children->data[place->next++];
        if (depth == size) {
            struct place *more = reallocarray(places, 2 * size, sizeof *places);
            if (!more) {
                free(places);
                return -ENOMEM;
            }
            places = more;
            size *= 2;
        }
        places[depth++] = (struct place){child, 0};
    }
    free(places);
    return 0;
}

static int visit_all(struct html *html, const GumboNode *root)
{
    struct heads heads = {0};
    int err = walk(html, root, &heads);

    if (err)
        return err;
    if (heads.base)
        take_url(html, REFERENCE_BASE, heads.base);
    if (heads.nofollow)
        html->visit(html->arg, REFERENCE_NOFOLLOW, "");
    return walk(html, root, NULL);
}

int html_visit(const char *text, size_t len, references_fn *visit_fn, void *arg, struct buffer *ret)
{
    struct html html = {.text = text, .visit = visit_fn, .arg = arg, .ret = ret};
    struct html_tree tree = {0};

    if (len > HTML_MAX)
        return -E2BIG;
    int err = html_tree_parse(&tree, text, len);
    if (err == 0)
        err = visit_all(&html, tree.output->root);
    if (err == 0 && html.failed)
        err = -ENOMEM;
    if (err == 0 && ret)
        html_edits_write(&html.edits, text, len, ret);
    html_tree_finish(&tree);
    html_edits_finish(&html.edits);
    buffer_finish(&html.value);
    return err;
}
