
#include "json/clipper_input_binary.h"
#include "json/clipper_npy.h"
#include "base/clipper_utf8.h"


static const char *clipper_input_binary_raw(clipper_input_t *in,
    const clipper_input_conf_t *conf, size_t *offset);
static const char *clipper_input_binary_npy(clipper_input_t *in,
    const clipper_input_conf_t *conf, ngx_uint_t batch, size_t *offset);
static const char *clipper_input_binary_elements(clipper_input_t *in,
    const clipper_input_conf_t *conf, const clipper_npy_t *npy,
    size_t *offset);
static ngx_int_t clipper_input_binary_gather(clipper_scratch_t *out,
    const clipper_segment_t *segments, ngx_uint_t n);
static ngx_int_t clipper_input_binary_items(clipper_input_t *in,
    const clipper_input_conf_t *conf, ngx_uint_t batch);
static ngx_int_t clipper_input_binary_wrong(clipper_input_t *in,
    const char *reason, size_t offset);


/* as the reason: no memory */

static const char  clipper_input_binary_nomem[] = "no memory";


ngx_int_t
clipper_input_binary_read(clipper_input_t *in, const clipper_input_conf_t *conf,
    ngx_uint_t form, ngx_uint_t batch, const clipper_segment_t *segments,
    ngx_uint_t n)
{
    size_t       offset;
    const char  *wrong;

    clipper_input_clear(in, CLIPPER_INPUT_PREDICT);

    /* texts holds the bytes of a file until they are converted to the type */

    if (clipper_scratch_reserve(&in->values, 8) != NGX_OK
        || clipper_input_binary_gather(form == CLIPPER_INPUT_BINARY_RAW
                                       ? &in->values : &in->texts, segments, n)
           != NGX_OK)
    {
        in->error.code = CLIPPER_INPUT_NOMEM;
        return NGX_ERROR;
    }

    offset = 0;

    wrong = form == CLIPPER_INPUT_BINARY_RAW
            ? clipper_input_binary_raw(in, conf, &offset)
            : clipper_input_binary_npy(in, conf, batch, &offset);

    if (wrong == clipper_input_binary_nomem) {
        in->error.code = CLIPPER_INPUT_NOMEM;
        return NGX_ERROR;
    }

    if (wrong) {
        return clipper_input_binary_wrong(in, wrong, offset);
    }

    return clipper_input_binary_items(in, conf, batch);
}


static ngx_int_t
clipper_input_binary_gather(clipper_scratch_t *out,
    const clipper_segment_t *segments, ngx_uint_t n)
{
    size_t      len;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        len = segments[i].last - segments[i].pos;

        if (len == 0) {
            continue;
        }

        if (clipper_scratch_reserve(out, len) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_memcpy(out->start + out->len, segments[i].pos, len);
        out->len += len;
    }

    return NGX_OK;
}


static const char *
clipper_input_binary_raw(clipper_input_t *in, const clipper_input_conf_t *conf,
    size_t *offset)
{
    size_t         len, good;
    const u_char  *p, *last;

    *offset = in->values.len;

    if (in->values.len % clipper_input_type_size(conf->type)) {
        return "The body ends within an element";
    }

    if (conf->type != CLIPPER_STRINGS) {
        return NULL;
    }

    p = in->values.start;
    last = p + in->values.len;

    for ( /* void */ ; p < last; p += len) {
        len = clipper_utf8_len(p, last - p, &good);

        if (len == 0) {
            *offset = p - in->values.start;
            return "The body is not UTF-8";
        }
    }

    return NULL;
}


static const char *
clipper_input_binary_npy(clipper_input_t *in, const clipper_input_conf_t *conf,
    ngx_uint_t batch, size_t *offset)
{
    size_t          len;
    const char     *wrong;
    clipper_npy_t   npy;

    len = in->texts.len;

    wrong = clipper_npy_header(&npy, in->texts.start,
                               ngx_min(len, CLIPPER_NPY_HEADER), offset);
    if (wrong) {
        return wrong;
    }

    if (!clipper_npy_is_convertible(&npy, conf->type)) {
        *offset = 0;
        return "The elements of the .npy file are not of the application's "
               "input type";
    }

    /* count is bounded by the header, so nothing overflows */

    if (len - npy.header != npy.count * npy.size) {
        *offset = ngx_min(len, npy.header + npy.count * npy.size);
        return len - npy.header < npy.count * npy.size
               ? "The .npy file is cut off"
               : "The body goes on after the .npy file";
    }

    if (batch != CLIPPER_INPUT_NONE
        && (npy.dimensions == 0 || npy.rows != batch))
    {
        *offset = 0;
        return "\"batch\" is not the first dimension of the .npy file";
    }

    return clipper_input_binary_elements(in, conf, &npy, offset);
}


static const char *
clipper_input_binary_elements(clipper_input_t *in,
    const clipper_input_conf_t *conf, const clipper_npy_t *npy,
    size_t *offset)
{
    size_t   n, size;
    u_char  *src;

    src = in->texts.start + npy->header;
    size = npy->count * clipper_input_type_size(conf->type);

    if (clipper_scratch_reserve(&in->values, size) != NGX_OK) {
        return clipper_input_binary_nomem;
    }

    in->values.len = size;

    if (clipper_npy_is_native(npy, conf->type)) {
        if (size) {
            ngx_memcpy(in->values.start, src, size);
        }

        return NULL;
    }

    n = clipper_npy_convert(npy, conf->type, src, in->values.start,
                            npy->count);
    if (n == npy->count) {
        return NULL;
    }

    *offset = npy->header + n * npy->size;

    return "An element of the .npy file is too large for the application's "
           "input type";
}


/* cuts the values into inputs of equal length */

static ngx_int_t
clipper_input_binary_items(clipper_input_t *in,
    const clipper_input_conf_t *conf, ngx_uint_t batch)
{
    size_t           len, size, elements;
    ngx_uint_t       i, n;
    clipper_item_t  *items;

    n = batch == CLIPPER_INPUT_NONE ? 1 : batch;
    in->batch = batch != CLIPPER_INPUT_NONE;
    in->has_input = 1;

    size = clipper_input_type_size(conf->type);
    elements = in->values.len / size;

    if (n > conf->max_batch) {
        clipper_input_fail(in, CLIPPER_INPUT_LIMIT, CLIPPER_INPUT_BATCH,
                           conf->max_batch);
        return NGX_ERROR;
    }

    if (n ? elements % n : elements) {
        return clipper_input_binary_wrong(in,
                              "The body does not divide into inputs of "
                              "equal length",
                              in->values.len);
    }

    len = n ? elements / n * size : 0;

    if (n && elements / n > conf->max_elements) {
        clipper_input_fail(in, CLIPPER_INPUT_LIMIT, CLIPPER_INPUT_ELEMENTS,
                           conf->max_elements);
        return NGX_ERROR;
    }

    if (conf->type == CLIPPER_STRINGS && n != 1) {
        return clipper_input_binary_wrong(in,
                              "A batch of strings must be sent as JSON", 0);
    }

    if (clipper_scratch_reserve(&in->index, n * sizeof(clipper_item_t))
        != NGX_OK)
    {
        in->error.code = CLIPPER_INPUT_NOMEM;
        return NGX_ERROR;
    }

    items = (clipper_item_t *) in->index.start;

    for (i = 0; i < n; i++) {
        items[i].offset = i * len;
        items[i].len = len;
    }

    in->index.len = n * sizeof(clipper_item_t);
    in->items = items;
    in->nitems = n;
    in->data = in->values.start;

    return NGX_OK;
}


static ngx_int_t
clipper_input_binary_wrong(clipper_input_t *in, const char *reason,
    size_t offset)
{
    clipper_input_fail(in, CLIPPER_INPUT_SCHEMA, CLIPPER_INPUT_BODY, 0);
    in->error.reason = reason;
    in->error.offset = offset;

    return NGX_ERROR;
}
