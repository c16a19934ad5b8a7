
/* The inputs of a request, as the bytes of their type. */


#include "json/clipper_input_scan.h"
#include "json/clipper_input_array.h"
#include "base/clipper_base64.h"


/* an array type; all but the size and text are NULL for types of one string */

typedef struct {
    size_t                          size;
    const char                     *text;

    ngx_http_clipper_input_run_pt   run;

    /* NGX_DECLINED: the number is not of this type */

    ngx_int_t                     (*put)(u_char *dst,
                                       const ngx_http_clipper_number_t *number,
                                       ngx_uint_t strict);
} ngx_http_clipper_input_codec_t;


static ngx_int_t ngx_http_clipper_input_numbers(
    ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_codec_t *codec);
static ngx_int_t ngx_http_clipper_input_number(
    ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_codec_t *codec);
static ngx_uint_t ngx_http_clipper_input_shortcut(
    ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_codec_t *codec, size_t most);
static ngx_int_t ngx_http_clipper_input_string(
    ngx_http_clipper_input_ctx_t *ctx);
static void ngx_http_clipper_input_remember(ngx_http_clipper_input_ctx_t *ctx,
    ngx_uint_t code, ngx_uint_t what, const char *expected, const char *key,
    size_t offset, ngx_uint_t kind);
static ngx_int_t ngx_http_clipper_input_put_int(u_char *dst,
    const ngx_http_clipper_number_t *number, ngx_uint_t strict);
static ngx_int_t ngx_http_clipper_input_put_float(u_char *dst,
    const ngx_http_clipper_number_t *number, ngx_uint_t strict);
static ngx_int_t ngx_http_clipper_input_put_double(u_char *dst,
    const ngx_http_clipper_number_t *number, ngx_uint_t strict);


/* by type code */

static const ngx_http_clipper_input_codec_t  ngx_http_clipper_input_codecs[] = {

    { 1, NULL, NULL, NULL },

    { sizeof(int32_t), "int", ngx_http_clipper_input_run_ints,
      ngx_http_clipper_input_put_int },

    { sizeof(float), "float", ngx_http_clipper_input_run_floats,
      ngx_http_clipper_input_put_float },

    { sizeof(double), "double", ngx_http_clipper_input_run_doubles,
      ngx_http_clipper_input_put_double },

    { 1, NULL, NULL, NULL }
};


size_t
ngx_http_clipper_input_type_size(ngx_uint_t type)
{
    return ngx_http_clipper_input_codecs[type].size;
}


ngx_int_t
ngx_http_clipper_input_value(ngx_http_clipper_input_ctx_t *ctx,
    const char *key)
{
    size_t                                 start;
    ngx_int_t                              rc;
    ngx_uint_t                             numbers;
    ngx_http_clipper_item_t               *item;
    ngx_http_clipper_input_t              *in;
    const ngx_http_clipper_input_codec_t  *codec;

    in = ctx->in;
    start = in->values.len;
    codec = &ngx_http_clipper_input_codecs[ctx->conf->type];
    numbers = (codec->put != NULL);

    if (ngx_http_clipper_lex_space(&ctx->lex) != (numbers ? '[' : '"')) {

        if (key) {
            return ngx_http_clipper_input_refuse(ctx,
                                             NGX_HTTP_CLIPPER_INPUT_SCHEMA,
                                             NGX_HTTP_CLIPPER_INPUT_MEMBER,
                                             numbers ? "Array" : "String",
                                             key);
        }

        return ngx_http_clipper_input_refuse(ctx, NGX_HTTP_CLIPPER_INPUT_SCHEMA,
                                             NGX_HTTP_CLIPPER_INPUT_ELEMENT,
                                             numbers ? "array" : "string",
                                             NULL);
    }

    rc = numbers ? ngx_http_clipper_input_numbers(ctx, codec)
                 : ngx_http_clipper_input_string(ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_clipper_scratch_reserve(&in->index,
                                         sizeof(ngx_http_clipper_item_t))
        != NGX_OK)
    {
        return ngx_http_clipper_lex_nomem(&ctx->lex);
    }

    item = (ngx_http_clipper_item_t *) (in->index.start + in->index.len);
    item->offset = start;
    item->len = in->values.len - start;

    in->index.len += sizeof(ngx_http_clipper_item_t);
    in->nitems++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_input_numbers(ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_codec_t *codec)
{
    size_t                       most;
    ngx_int_t                    rc;
    ngx_uint_t                   depth;
    ngx_http_clipper_lex_t      *lex;
    ngx_http_clipper_scratch_t  *values;

    lex = &ctx->lex;
    depth = lex->depth;
    values = &ctx->in->values;

    /* the length of values at which the array is full */

    most = ngx_min(ctx->conf->max_elements, SIZE_MAX / 16) * codec->size;
    most = values->len + ngx_min(most, SIZE_MAX - values->len);

    if (ngx_http_clipper_lex_open(lex) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_clipper_lex_more(lex, 1);

    while (rc == NGX_OK) {

        if (ngx_http_clipper_input_shortcut(ctx, codec, most)) {
            ngx_http_clipper_lex_close(lex);
            return NGX_OK;
        }

        if (values->len == most) {
            rc = ngx_http_clipper_input_refuse(ctx,
                                               NGX_HTTP_CLIPPER_INPUT_LIMIT,
                                               NGX_HTTP_CLIPPER_INPUT_ELEMENTS,
                                               NULL, NULL);

        } else {
            rc = ngx_http_clipper_input_number(ctx, codec);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_http_clipper_lex_skip_to(lex, depth);
            return rc == NGX_OK ? NGX_DECLINED : rc;
        }

        if (rc == NGX_OK) {
            rc = ngx_http_clipper_lex_more(lex, 0);
        }
    }

    return rc == NGX_DONE ? NGX_OK : rc;
}


/*
 * Takes as many elements as are plain, lie in this segment and have room.
 * 1: the array's bracket comes next, behind an element.
 */

static ngx_uint_t
ngx_http_clipper_input_shortcut(ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_codec_t *codec, size_t most)
{
    size_t                       room, n;
    u_char                      *out, *out_last;
    u_char                       copy[NGX_HTTP_CLIPPER_INPUT_BEFORE
                                      + 2 * NGX_HTTP_CLIPPER_INPUT_WINDOW];
    ngx_uint_t                   closed;
    const u_char                *p;
    ngx_http_clipper_lex_t      *lex;
    ngx_http_clipper_scratch_t  *values;

    lex = &ctx->lex;
    values = &ctx->in->values;

    if (lex->p - lex->start < NGX_HTTP_CLIPPER_INPUT_BEFORE) {
        return 0;
    }

    room = ngx_min(values->size, most) - values->len;
    room -= room % codec->size;

    closed = 0;
    out = values->start + values->len;
    out_last = out + room;

    lex->p = codec->run(lex->p, lex->last, &out, out_last, ctx->conf->strict,
                        &closed);

    n = lex->last - lex->p;

    if (!closed && n < NGX_HTTP_CLIPPER_INPUT_WINDOW) {

        /* the end of the segment, in front of zeros, which no number has */

        p = copy + NGX_HTTP_CLIPPER_INPUT_BEFORE;

        ngx_memzero(copy, sizeof(copy));
        ngx_memcpy(copy, lex->p - NGX_HTTP_CLIPPER_INPUT_BEFORE,
                   NGX_HTTP_CLIPPER_INPUT_BEFORE + n);

        lex->p += codec->run(p, copy + sizeof(copy), &out, out_last,
                             ctx->conf->strict, &closed)
                  - p;
    }

    values->len = out - values->start;

    return closed;
}


static ngx_int_t
ngx_http_clipper_input_number(ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_codec_t *codec)
{
    size_t                       offset;
    ngx_int_t                    rc;
    ngx_http_clipper_lex_t      *lex;
    ngx_http_clipper_number_t    number;
    ngx_http_clipper_scratch_t  *values;

    lex = &ctx->lex;
    values = &ctx->in->values;

    if (ngx_http_clipper_input_kind(ngx_http_clipper_lex_space(lex))
        != NGX_HTTP_CLIPPER_KIND_INTEGER)
    {
        return ngx_http_clipper_input_refuse(ctx, NGX_HTTP_CLIPPER_INPUT_SCHEMA,
                                             NGX_HTTP_CLIPPER_INPUT_ELEMENT,
                                             codec->text, NULL);
    }

    offset = ngx_http_clipper_lex_offset(lex);

    if (ngx_http_clipper_lex_number(lex, &number) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_clipper_scratch_reserve(values, codec->size) != NGX_OK) {
        return ngx_http_clipper_lex_nomem(lex);
    }

    rc = codec->put(values->start + values->len, &number, ctx->conf->strict);

    if (rc != NGX_OK) {
        ngx_http_clipper_input_remember(ctx, NGX_HTTP_CLIPPER_INPUT_SCHEMA,
                                        NGX_HTTP_CLIPPER_INPUT_ELEMENT,
                                        codec->text, NULL, offset,
                                        NGX_HTTP_CLIPPER_KIND_INTEGER);
        return NGX_DECLINED;
    }

    values->len += codec->size;

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_input_string(ngx_http_clipper_input_ctx_t *ctx)
{
    size_t                       start, offset;
    ssize_t                      n;
    ngx_http_clipper_scratch_t  *values;

    values = &ctx->in->values;
    start = values->len;
    offset = ngx_http_clipper_lex_offset(&ctx->lex);

    if (ngx_http_clipper_lex_string(&ctx->lex, values) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->conf->type == NGX_HTTP_CLIPPER_BYTES) {
        n = ngx_http_clipper_base64_decode(values->start + start,
                                           values->len - start);
        if (n == NGX_ERROR) {
            ngx_http_clipper_input_remember(ctx, NGX_HTTP_CLIPPER_INPUT_SCHEMA,
                                            NGX_HTTP_CLIPPER_INPUT_BASE64,
                                            NULL, NULL, offset,
                                            NGX_HTTP_CLIPPER_KIND_STRING);
            return NGX_DECLINED;
        }

        values->len = start + n;
    }

    if (values->len - start > ctx->conf->max_elements) {
        ngx_http_clipper_input_remember(ctx, NGX_HTTP_CLIPPER_INPUT_LIMIT,
                                        NGX_HTTP_CLIPPER_INPUT_ELEMENTS,
                                        NULL, NULL, offset,
                                        NGX_HTTP_CLIPPER_KIND_STRING);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_clipper_input_refuse(ngx_http_clipper_input_ctx_t *ctx,
    ngx_uint_t code, ngx_uint_t what, const char *expected, const char *key)
{
    ngx_uint_t               kind;
    ngx_http_clipper_lex_t  *lex;

    lex = &ctx->lex;
    kind = ngx_http_clipper_input_kind(ngx_http_clipper_lex_space(lex));

    ngx_http_clipper_input_remember(ctx, code, what, expected, key,
                                    ngx_http_clipper_lex_offset(lex), kind);

    return ngx_http_clipper_lex_skip(lex) == NGX_OK ? NGX_DECLINED : NGX_ERROR;
}


static void
ngx_http_clipper_input_remember(ngx_http_clipper_input_ctx_t *ctx,
    ngx_uint_t code, ngx_uint_t what, const char *expected, const char *key,
    size_t offset, ngx_uint_t kind)
{
    ngx_http_clipper_input_error_t  *error;

    error = &ctx->input;

    error->code = code;
    error->what = what;
    error->offset = offset;
    error->kind = kind;
    error->expected = expected;
    error->key = key;
}


static ngx_int_t
ngx_http_clipper_input_put_int(u_char *dst,
    const ngx_http_clipper_number_t *number, ngx_uint_t strict)
{
    int32_t  value;

    if (ngx_http_clipper_number_int32(number, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_clipper_input_store32(dst, (uint32_t) value);

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_input_put_float(u_char *dst,
    const ngx_http_clipper_number_t *number, ngx_uint_t strict)
{
    float     value;
    uint32_t  bits;

    if ((strict && ngx_http_clipper_number_is_int64(number))
        || ngx_http_clipper_number_float(number, &value) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(&bits, &value, sizeof(float));
    ngx_http_clipper_input_store32(dst, bits);

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_input_put_double(u_char *dst,
    const ngx_http_clipper_number_t *number, ngx_uint_t strict)
{
    double    value;
    uint64_t  bits;

    if (strict && ngx_http_clipper_number_is_int64(number)) {
        return NGX_DECLINED;
    }

    value = ngx_http_clipper_number_double(number);

    ngx_memcpy(&bits, &value, sizeof(double));
    ngx_http_clipper_input_store64(dst, bits);

    return NGX_OK;
}
