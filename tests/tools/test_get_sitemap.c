/* SPDX-License-Identifier: MIT */
/* Sitemaps. */
#include <errno.h>
#include <stdlib.h>

#include <zlib.h>

#include "test.h"
#include "tools/get/buffer.h"
#include "tools/get/sitemap.h"

static struct buffer found;
static char why[256];

static int note(void *arg, bool is_sitemap, const char *url)
{
    buffer_printf(&found, "%s%s%s", found.len ? " " : "", is_sitemap ? "sitemap:" : "", url);
    return arg ? -ECANCELED : 0;
}

static int read_bytes(const char *text, size_t len)
{
    buffer_clear(&found);
    buffer_add(&found, "", 0);
    why[0] = '\0';
    return sitemap_read(text, len, note, NULL, why, sizeof why);
}

static const char *find(const char *text)
{
    CHECK_EQ(read_bytes(text, strlen(text)), 0);
    return found.text;
}

#define NS "xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'"

TEST(xml_has_urls)
{
    static const char map[] = "\xef\xbb\xbf<?xml version='1.0'?>\n<urlset " NS " xmlns:i='urn:i'>\n"
                              "<url><loc> http://h/a?b&amp;c </loc><lastmod>2005</lastmod>"
                              "<i:image><i:loc>http://h/image</i:loc></i:image></url>"
                              "<other><loc>http://h/other</loc></other><url/><url><loc/></url>"
                              "<url><loc><![CDATA[http://h/x]]></loc></url></urlset>";

    CHECK_STR(find(map), "http://h/a?b&c http://h/x");
    CHECK(sitemap_is_xml(map, sizeof map - 1));
    CHECK_STR(find("<sitemapindex " NS "><sitemap><loc>http://h/m</loc></sitemap>"
                   "<url><loc>http://h/no</loc></url></sitemapindex>"),
              "sitemap:http://h/m");
    CHECK(!sitemap_is_xml("<metalink/>", 11));
    CHECK(!sitemap_is_xml("http://h/", 9));
    CHECK(!sitemap_is_xml("", 0));
    buffer_finish(&found);
}

TEST(text_has_a_url_on_each_line)
{
    CHECK_STR(find("http://h/a\r\n\n  HTTPS://h/b c \nhttp://h/d"),
              "http://h/a HTTPS://h/b c http://h/d");
    CHECK_STR(find(""), "");
    buffer_finish(&found);
}

TEST(wrong_sitemaps_say_why)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"<html><body/></html>", "is XML, but not a sitemap"},
        {"<urlset><url>", "is not XML: line 1: "},
        {"http://h/a\nhello", "is neither XML nor text with a URL on each line"},
        {"\x1f\x8b\x08xxxxxxxxxxxxxxxx", "is not valid gzip data"},
        {"\x1f\x8b", "is not valid gzip data"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_EQ(read_bytes(cases[i].text, strlen(cases[i].text)), -EINVAL);
        CHECK_EQ(strncmp(why, cases[i].why, strlen(cases[i].why)), 0);
    }
    buffer_finish(&found);
}

TEST(entities_are_neither_loaded_nor_expanded)
{
    find("<!DOCTYPE u [<!ENTITY f SYSTEM 'file:///etc/passwd'><!ENTITY a 'aaaa'>]>"
         "<urlset><url><loc>http://h/&f;&a;</loc></url></urlset>");
    CHECK_STR(found.text, "http://h/");
    buffer_finish(&found);
}

TEST(the_taker_can_end_the_reading)
{
    CHECK_EQ(sitemap_read("http://h/a\nhttp://h/b\n", 22, note, &found, why, sizeof why),
             -ECANCELED);
    CHECK_STR(found.text, "http://h/a");
    buffer_finish(&found);
}

static void compress_all(const char *text, size_t len, struct buffer *ret)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)len};

    CHECK_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t most = deflateBound(&stream, len);
    stream.next_out = (Bytef *)buffer_room(ret, most);
    stream.avail_out = (uInt)most;
    CHECK_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    ret->len = stream.total_out;
    deflateEnd(&stream);
}

TEST(gzip_is_decompressed_within_the_limit)
{
    struct buffer packed = {0};
    char *spaces;

    compress_all("http://h/a\n", 11, &packed);
    CHECK_EQ(read_bytes(packed.text, packed.len), 0);
    CHECK_STR(found.text, "http://h/a");
    CHECK_EQ(read_bytes(packed.text, packed.len - 6), -EINVAL);
    buffer_finish(&packed);
    spaces = malloc(SITEMAP_MAX + 1);
    memset(spaces, ' ', SITEMAP_MAX + 1);
    CHECK_EQ(read_bytes(spaces, SITEMAP_MAX + 1), -EINVAL);
    CHECK_STR(why, "is longer than 50 MiB");
    compress_all(spaces, SITEMAP_MAX + 1, &packed);
    CHECK_EQ(read_bytes(packed.text, packed.len), -EINVAL);
    CHECK_STR(why, "is longer than 50 MiB");
    buffer_finish(&packed);
    free(spaces);
    buffer_finish(&found);
}

TEST(there_is_a_limit_to_urls)
{
    struct buffer text = {0};

    for (int i = 0; i <= SITEMAP_URLS_MAX; i++)
        buffer_printf(&text, "http://h/%d\n", i);
    CHECK_EQ(read_bytes(text.text, text.len), -EINVAL);
    CHECK_STR(why, "has more than 50000 URLs");
    buffer_clear(&text);
    buffer_printf(&text, "http://h/%0*d\n", SITEMAP_URL_MAX, 1);
    CHECK_EQ(read_bytes(text.text, text.len), -EINVAL);
    buffer_finish(&text);
    buffer_finish(&found);
}

TEST_MAIN()
