
/* The inputs of a request, converted to the bytes of their type. */


#include "json/clipper_input_value.h"
#include "json/clipper_input_array.h"
#include "json/clipper_input_store.h"
#include "base/clipper_base64.h"


/* an array type; all but the size and text are NULL for types of one string */

typedef struct {
    size_t                          size;
    const char                     *text;
    uint64_t                        nan;        /* 0: has none */

    clipper_input_run_pt            run;

    /* NGX_DECLINED: the number is not of this type */

    ngx_int_t                     (*put)(u_char *dst,
                                         const clipper_number_t *number,
                                         ngx_uint_t strict);
} clipper_input_codec_t;


static ngx_int_t clipper_input_numbers(clipper_input_ctx_t *ctx,
    const clipper_input_codec_t *codec);
static ngx_int_t clipper_input_number(clipper_input_ctx_t *ctx,
    const clipper_input_codec_t *codec);
static ngx_int_t clipper_input_null(clipper_input_ctx_t *ctx,
    const clipper_input_codec_t *codec);
static ngx_uint_t clipper_input_shortcut(clipper_input_ctx_t *ctx,
    const clipper_input_codec_t *codec, size_t most);
static ngx_int_t  clipper_input_string(clipper_input_ctx_t *ctx);
static void clipper_input_remember(clipper_input_ctx_t *ctx, ngx_uint_t code,
    ngx_uint_t what, const char *expected, const char *key, size_t offset,
    ngx_uint_t kind, size_t number);
static ngx_int_t clipper_input_put_int(u_char *dst,
    const clipper_number_t *number, ngx_uint_t strict);
static ngx_int_t clipper_input_put_float(u_char *dst,
    const clipper_number_t *number, ngx_uint_t strict);
static ngx_int_t clipper_input_put_double(u_char *dst,
    const clipper_number_t *number, ngx_uint_t strict);


/* by type code */

static const clipper_input_codec_t
    clipper_input_codecs[CLIPPER_INPUT_TYPES] =
{

    { 1, NULL, 0, NULL, NULL },

    { sizeof(int32_t), "int", 0, clipper_input_array_run_ints,
      clipper_input_put_int },

    { sizeof(float), "float", 0x7fc00000,
      clipper_input_array_run_floats, clipper_input_put_float },

    { sizeof(double), "double", 0x7ff8000000000000,
      clipper_input_array_run_doubles, clipper_input_put_double },

    { 1, NULL, 0, NULL, NULL }
};


ngx_int_t
clipper_input_value(clipper_input_ctx_t *ctx, const char *key)
{
    size_t                        start;
    ngx_int_t                     rc;
    ngx_uint_t                    numbers;
    clipper_item_t               *item;
    clipper_input_t              *in;
    const clipper_input_codec_t  *codec;

    in = ctx->in;
    start = in->values.len;
    ctx->start = start;
    ctx->within = 0;
    codec = &clipper_input_codecs[ctx->conf->type];
    numbers = (codec->put != NULL);

    if (clipper_lex_space(&ctx->lex) != (numbers ? '[' : '"')) {

        if (key) {
            return clipper_input_value_refuse(ctx, CLIPPER_INPUT_SCHEMA,
                                              CLIPPER_INPUT_MEMBER,
                                              numbers ? "Array" : "String",
                                              key, 0);
        }

        return clipper_input_value_refuse(ctx, CLIPPER_INPUT_SCHEMA,
                                          CLIPPER_INPUT_ELEMENT,
                                          numbers ? "array" : "string", NULL,
                                          0);
    }

    rc = numbers ? clipper_input_numbers(ctx, codec)
                 : clipper_input_string(ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    if (clipper_scratch_reserve(&in->index, sizeof(clipper_item_t))
        != NGX_OK)
    {
        return clipper_lex_nomem(&ctx->lex);
    }

    item = (clipper_item_t *) (in->index.start + in->index.len);
    item->offset = start;
    item->len = in->values.len - start;

    in->index.len += sizeof(clipper_item_t);
    in->nitems++;

    return NGX_OK;
}


/* NGX_DECLINED: an element is refused, and the rest of the array skipped */

static ngx_int_t
clipper_input_numbers(clipper_input_ctx_t *ctx,
    const clipper_input_codec_t *codec)
{
    size_t              most;
    ngx_int_t           rc;
    ngx_uint_t          depth;
    clipper_lex_t      *lex;
    clipper_scratch_t  *values;

    lex = &ctx->lex;
    depth = lex->depth;
    values = &ctx->in->values;

    /* the length of values at which the array is full */

    most = ngx_min(ctx->conf->max_elements, SIZE_MAX / 16) * codec->size;
    most = values->len + ngx_min(most, SIZE_MAX - values->len);

    if (clipper_lex_open(lex) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->within = 1;

    rc = clipper_lex_more(lex, 1);

    while (rc == NGX_OK) {

        if (clipper_input_shortcut(ctx, codec, most)) {
            clipper_lex_close(lex);
            return NGX_OK;
        }

        if (values->len == most) {
            rc = clipper_input_value_refuse(ctx, CLIPPER_INPUT_LIMIT,
                                            CLIPPER_INPUT_ELEMENTS, NULL, NULL,
                                            ctx->conf->max_elements);

        } else {
            rc = clipper_input_number(ctx, codec);
        }

        if (rc == NGX_DECLINED) {
            rc = clipper_lex_skip_to(lex, depth);
            return rc == NGX_OK ? NGX_DECLINED : rc;
        }

        if (rc == NGX_OK) {
            rc = clipper_lex_more(lex, 0);
        }
    }

    return rc == NGX_DONE ? NGX_OK : rc;
}


/*
 * Takes as many elements as are plain, in this segment, and have room.  1: the
 * array's bracket comes next, after an element.
 */

static ngx_uint_t
clipper_input_shortcut(clipper_input_ctx_t *ctx,
    const clipper_input_codec_t *codec, size_t most)
{
    size_t                       room, n;
    u_char                      *out, *out_last;
    u_char                       copy[CLIPPER_INPUT_BEFORE
                                      + 2 * CLIPPER_INPUT_WINDOW];
    ngx_uint_t          closed;
    const u_char       *p;
    clipper_lex_t      *lex;
    clipper_scratch_t  *values;

    lex = &ctx->lex;
    values = &ctx->in->values;

    if (lex->p - lex->start < CLIPPER_INPUT_BEFORE) {
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

    if (!closed && n < CLIPPER_INPUT_WINDOW) {

        /*
         * the end of the segment without trailing zero bytes, which no number
         * has
         */

        p = copy + CLIPPER_INPUT_BEFORE;

        ngx_memzero(copy, sizeof(copy));
        ngx_memcpy(copy, lex->p - CLIPPER_INPUT_BEFORE,
                   CLIPPER_INPUT_BEFORE + n);

        lex->p += codec->run(p, copy + sizeof(copy), &out, out_last,
                             ctx->conf->strict, &closed)
                  - p;
    }

    values->len = out - values->start;

    return closed;
}


/* NGX_DECLINED: it is refused */

static ngx_int_t
clipper_input_number(clipper_input_ctx_t *ctx,
    const clipper_input_codec_t *codec)
{
    size_t              offset;
    ngx_int_t           c, rc;
    clipper_lex_t      *lex;
    clipper_number_t    number;
    clipper_scratch_t  *values;

    lex = &ctx->lex;
    values = &ctx->in->values;

    c = clipper_lex_space(lex);

    if (c == 'N' && codec->nan && !lex->nan) {
        return clipper_lex_invalid(lex, 0, "NaN is not JSON; clipper_input "
                                   "with nulls=nan accepts it.");
    }

    if (clipper_input_error_kind(c) != CLIPPER_KIND_INTEGER) {

        if (lex->nan && (c == 'n' || c == 'N')) {
            return clipper_input_null(ctx, codec);
        }

        return clipper_input_value_refuse(ctx, CLIPPER_INPUT_SCHEMA,
                                          CLIPPER_INPUT_ELEMENT, codec->text,
                                          NULL, 0);
    }

    offset = clipper_lex_offset(lex);

    if (clipper_lex_scalar_number(lex, &number) != NGX_OK) {
        return NGX_ERROR;
    }

    if (clipper_scratch_reserve(values, codec->size) != NGX_OK) {
        return clipper_lex_nomem(lex);
    }

    rc = codec->put(values->start + values->len, &number, ctx->conf->strict);

    if (rc != NGX_OK) {
        clipper_input_remember(ctx, CLIPPER_INPUT_SCHEMA,
                               CLIPPER_INPUT_ELEMENT, codec->text, NULL,
                               offset, CLIPPER_KIND_INTEGER, 0);
        return NGX_DECLINED;
    }

    values->len += codec->size;

    return NGX_OK;
}


/* a missing value: null, or the NaN of Python's json */

static ngx_int_t
clipper_input_null(clipper_input_ctx_t *ctx,
    const clipper_input_codec_t *codec)
{
    u_char             *p;
    clipper_scratch_t  *values;

    if (clipper_lex_scalar_literal(&ctx->lex) != NGX_OK) {
        return NGX_ERROR;
    }

    values = &ctx->in->values;

    if (clipper_scratch_reserve(values, codec->size) != NGX_OK) {
        return clipper_lex_nomem(&ctx->lex);
    }

    p = values->start + values->len;
    values->len += codec->size;

    if (codec->size == sizeof(float)) {
        clipper_input_store32(p, (uint32_t) codec->nan);

    } else {
        clipper_input_store64(p, codec->nan);
    }

    return NGX_OK;
}


/* NGX_DECLINED: it is refused */

static ngx_int_t
clipper_input_string(clipper_input_ctx_t *ctx)
{
    size_t              start, offset, bad;
    ssize_t             n;
    clipper_scratch_t  *values;

    values = &ctx->in->values;
    start = values->len;
    offset = clipper_lex_offset(&ctx->lex);

    if (clipper_lex_scalar_string(&ctx->lex, values) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->conf->type == CLIPPER_BYTES) {
        n = clipper_base64_decode(values->start + start, values->len - start,
                                  &bad);
        if (n == NGX_ERROR) {
            clipper_input_remember(ctx, CLIPPER_INPUT_SCHEMA,
                                   CLIPPER_INPUT_BASE64, NULL, NULL, offset,
                                   CLIPPER_KIND_STRING, bad);
            return NGX_DECLINED;
        }

        values->len = start + n;
    }

    if (values->len - start > ctx->conf->max_elements) {
        clipper_input_remember(ctx, CLIPPER_INPUT_LIMIT,
                               CLIPPER_INPUT_ELEMENTS,
                               NULL, NULL, offset, CLIPPER_KIND_STRING,
                               ctx->conf->max_elements);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
clipper_input_value_refuse(clipper_input_ctx_t *ctx, ngx_uint_t code,
    ngx_uint_t what, const char *expected, const char *key, size_t number)
{
    ngx_uint_t      kind;
    clipper_lex_t  *lex;

    lex = &ctx->lex;
    kind = clipper_input_error_kind(clipper_lex_space(lex));

    clipper_input_remember(ctx, code, what, expected, key,
                           clipper_lex_offset(lex), kind, number);

    return clipper_lex_skip(lex) == NGX_OK ? NGX_DECLINED : NGX_ERROR;
}


static void
clipper_input_remember(clipper_input_ctx_t *ctx, ngx_uint_t code,
    ngx_uint_t what, const char *expected, const char *key, size_t offset,
    ngx_uint_t kind, size_t number)
{
    ngx_uint_t              numbers;
    clipper_input_error_t  *error;

    error = &ctx->input;
    numbers = (clipper_input_codecs[ctx->conf->type].put != NULL);

    error->code = code;
    error->what = what;
    error->offset = offset;
    error->kind = kind;
    error->expected = expected;
    error->key = key;
    error->number = number;
    error->input = CLIPPER_INPUT_NONE;
    error->element = CLIPPER_INPUT_NONE;

    if (ctx->in->batch && key == NULL) {
        error->input = ctx->in->nitems;
    }

    if (numbers && ctx->within && key == NULL) {
        error->element = (ctx->in->values.len - ctx->start)
                         / clipper_input_type_size(ctx->conf->type);
    }
}


/* NGX_DECLINED: the number is not of this type */

static ngx_int_t
clipper_input_put_int(u_char *dst, const clipper_number_t *number,
    ngx_uint_t strict)
{
    int32_t  value;

    if (clipper_number_int32(number, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    clipper_input_store32(dst, (uint32_t) value);

    return NGX_OK;
}


/* NGX_DECLINED: the number is not of this type */

static ngx_int_t
clipper_input_put_float(u_char *dst, const clipper_number_t *number,
    ngx_uint_t strict)
{
    float     value;
    uint32_t  bits;

    if ((strict && clipper_number_is_int64(number))
        || clipper_number_float(number, &value) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(&bits, &value, sizeof(float));
    clipper_input_store32(dst, bits);

    return NGX_OK;
}


/* NGX_DECLINED: the number is not of this type */

static ngx_int_t
clipper_input_put_double(u_char *dst, const clipper_number_t *number,
    ngx_uint_t strict)
{
    double    value;
    uint64_t  bits;

    if (strict && clipper_number_is_int64(number)) {
        return NGX_DECLINED;
    }

    value = clipper_number_double(number);

    ngx_memcpy(&bits, &value, sizeof(double));
    clipper_input_store64(dst, bits);

    return NGX_OK;
}
