
#include "http/ngx_http_clipper_coding.h"
#include "base/clipper_inflate.h"
#include "json/clipper_input_binary.h"


typedef struct {
    ngx_str_t     name;
    ngx_int_t     value;
} ngx_http_clipper_coding_name_t;


static ngx_int_t ngx_http_clipper_coding_value(
    const ngx_http_clipper_coding_name_t *names, const ngx_str_t *value,
    size_t len, ngx_int_t other);


static const ngx_http_clipper_coding_name_t  ngx_http_clipper_codings[] = {
    { ngx_string("identity"), 0 },
    { ngx_string(""), 0 },
    { ngx_string("gzip"), CLIPPER_INFLATE_GZIP },
    { ngx_string("x-gzip"), CLIPPER_INFLATE_GZIP },
    { ngx_string("deflate"), CLIPPER_INFLATE_DEFLATE },
    { ngx_null_string, 0 }
};

static const ngx_http_clipper_coding_name_t  ngx_http_clipper_forms[] = {
    { ngx_string("application/octet-stream"), CLIPPER_INPUT_BINARY_RAW },
    { ngx_string("application/x-npy"), CLIPPER_INPUT_BINARY_NPY },
    { ngx_null_string, 0 }
};


/* nginx does not parse Content-Encoding of requests */

ngx_int_t
ngx_http_clipper_coding(ngx_http_request_t *r)
{
    ngx_int_t         found, value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    found = 0;
    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return found;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (header[i].key.len != sizeof("Content-Encoding") - 1
            || ngx_strncasecmp(header[i].key.data,
                               (u_char *) "Content-Encoding",
                               sizeof("Content-Encoding") - 1)
               != 0)
        {
            continue;
        }

        value = ngx_http_clipper_coding_value(ngx_http_clipper_codings,
                                              &header[i].value,
                                              header[i].value.len,
                                              NGX_DECLINED);

        /* one coding on top of another is not unpacked */

        if (value == NGX_DECLINED || (value && found)) {
            return NGX_DECLINED;
        }

        if (value) {
            found = value;
        }
    }
}


static ngx_int_t
ngx_http_clipper_coding_value(const ngx_http_clipper_coding_name_t *names,
    const ngx_str_t *value, size_t len, ngx_int_t other)
{
    for ( /* void */ ; names->name.data; names++) {
        if (names->name.len == len
            && ngx_strncasecmp(names->name.data, value->data, len) == 0)
        {
            return names->value;
        }
    }

    return other;
}


ngx_uint_t
ngx_http_clipper_coding_form(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *value;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    value = &r->headers_in.content_type->value;

    for (len = 0; len < value->len; len++) {
        if (value->data[len] == ';' || value->data[len] == ' ') {
            break;
        }
    }

    return ngx_http_clipper_coding_value(ngx_http_clipper_forms, value, len,
                                         0);
}


ngx_int_t
ngx_http_clipper_coding_batch(ngx_http_request_t *r, ngx_uint_t *batch)
{
    ngx_int_t  n;
    ngx_str_t  value;

    *batch = CLIPPER_INPUT_NONE;

    if (ngx_http_arg(r, (u_char *) "batch", sizeof("batch") - 1, &value)
        != NGX_OK)
    {
        return NGX_OK;
    }

    n = ngx_atoi(value.data, value.len);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *batch = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_clipper_coding_member(ngx_http_request_t *r, const char *name,
    clipper_member_t *member)
{
    u_char     *dst, *src;
    ngx_str_t   value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, value.len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    member->kind = CLIPPER_KIND_STRING;
    member->text.data = dst;

    src = value.data;
    ngx_unescape_uri(&dst, &src, value.len, 0);
    member->text.len = dst - member->text.data;

    return NGX_OK;
}
