
/* The header is a literal of a Python dict, padded with blanks. */


#include "json/clipper_npy.h"
#include "json/clipper_input_store.h"
#include "json/clipper_input_type.h"
#include <float.h>
#include <math.h>


#define CLIPPER_NPY_PREFIX  10          /* of version 1; two bytes more later */

#define CLIPPER_NPY_DESCR    1
#define CLIPPER_NPY_FORTRAN  2
#define CLIPPER_NPY_SHAPE    4


/* one element */

typedef struct {
    ngx_uint_t     real;
    double         d;
    int64_t        i;
    uint64_t       u;           /* of 'u', also beyond INT64_MAX */
} clipper_npy_number_t;


typedef struct {
    const u_char  *p;
    const u_char  *last;
} clipper_npy_text_t;


static const char *clipper_npy_dict(clipper_npy_t *npy,
    clipper_npy_text_t *text);
static const char *clipper_npy_member(clipper_npy_t *npy,
    clipper_npy_text_t *text, ngx_uint_t *seen);
static const char *clipper_npy_descr(clipper_npy_t *npy, const ngx_str_t *s);
static const char *clipper_npy_fortran(clipper_npy_text_t *text,
    ngx_uint_t *fortran);
static const char *clipper_npy_shape(clipper_npy_t *npy,
    clipper_npy_text_t *text);
static ngx_int_t clipper_npy_string(clipper_npy_text_t *text, ngx_str_t *s);
static ngx_int_t clipper_npy_take(clipper_npy_text_t *text, u_char c);
static void clipper_npy_blank(clipper_npy_text_t *text);
static void clipper_npy_load(const clipper_npy_t *npy, const u_char *src,
    clipper_npy_number_t *number);
static double clipper_npy_real(uint64_t bits, size_t size);
static ngx_int_t clipper_npy_store(ngx_uint_t type,
    const clipper_npy_number_t *number, u_char *dst);


static const char  clipper_npy_broken[] = "The .npy header is broken";


const char *
clipper_npy_header(clipper_npy_t *npy, const u_char *p, size_t len,
    size_t *offset)
{
    size_t               n, prefix;
    const char          *wrong;
    clipper_npy_text_t   text;

    ngx_memzero(npy, sizeof(clipper_npy_t));
    *offset = 0;

    if (len < CLIPPER_NPY_PREFIX || ngx_memcmp(p, "\x93NUMPY", 6) != 0) {
        return "The body is not a .npy file";
    }

    if (p[6] < 1 || p[6] > 3) {
        *offset = 6;
        return "The .npy file has an unknown version";
    }

    prefix = CLIPPER_NPY_PREFIX;
    n = p[8] | (size_t) p[9] << 8;

    if (p[6] > 1) {
        prefix += 2;

        if (len >= prefix) {
            n |= (size_t) p[10] << 16 | (size_t) p[11] << 24;
        }
    }

    *offset = 8;

    if (len < prefix || n > len - prefix) {
        return n > CLIPPER_NPY_HEADER - prefix
               ? "The .npy header is too long" : "The .npy header is cut off";
    }

    npy->header = prefix + n;

    text.p = p + prefix;
    text.last = text.p + n;

    wrong = clipper_npy_dict(npy, &text);
    *offset = text.p - p;

    return wrong;
}


static const char *
clipper_npy_dict(clipper_npy_t *npy, clipper_npy_text_t *text)
{
    ngx_uint_t   seen;
    const char  *wrong;

    if (clipper_npy_take(text, '{') != NGX_OK) {
        return clipper_npy_broken;
    }

    seen = 0;

    while (clipper_npy_take(text, '}') != NGX_OK) {
        wrong = clipper_npy_member(npy, text, &seen);

        if (wrong) {
            return wrong;
        }

        if (clipper_npy_take(text, ',') != NGX_OK
            && (clipper_npy_blank(text), text->p == text->last
                                         || *text->p != '}'))
        {
            return clipper_npy_broken;
        }
    }

    if (seen != (CLIPPER_NPY_DESCR|CLIPPER_NPY_FORTRAN|CLIPPER_NPY_SHAPE)) {
        return "The .npy header lacks descr, fortran_order or shape";
    }

    clipper_npy_blank(text);

    return text->p == text->last ? NULL : clipper_npy_broken;
}


static const char *
clipper_npy_member(clipper_npy_t *npy, clipper_npy_text_t *text,
    ngx_uint_t *seen)
{
    ngx_str_t    name, value;
    ngx_uint_t   fortran;
    const char  *wrong;

    if (clipper_npy_string(text, &name) != NGX_OK
        || clipper_npy_take(text, ':') != NGX_OK)
    {
        return clipper_npy_broken;
    }

    if (name.len == 5 && ngx_memcmp(name.data, "descr", 5) == 0) {
        *seen |= CLIPPER_NPY_DESCR;

        if (clipper_npy_string(text, &value) != NGX_OK) {
            return "The .npy file has elements with fields";
        }

        return clipper_npy_descr(npy, &value);
    }

    if (name.len == 5 && ngx_memcmp(name.data, "shape", 5) == 0) {
        *seen |= CLIPPER_NPY_SHAPE;
        return clipper_npy_shape(npy, text);
    }

    if (name.len == 13 && ngx_memcmp(name.data, "fortran_order", 13) == 0) {
        *seen |= CLIPPER_NPY_FORTRAN;

        wrong = clipper_npy_fortran(text, &fortran);

        return wrong ? wrong
               : fortran ? "The .npy file is not in C order" : NULL;
    }

    return clipper_npy_broken;
}


/* "<f8": byte order, kind and size */

static const char *
clipper_npy_descr(clipper_npy_t *npy, const ngx_str_t *s)
{
    u_char  order, kind;
    size_t  size;

    if (s->len != 3) {
        return "The elements of the .npy file are not numbers";
    }

    order = s->data[0];
    kind = s->data[1];
    size = s->data[2] - '0';

    if (order != '<' && order != '>' && order != '|' && order != '=') {
        return clipper_npy_broken;
    }

    if (!(kind == 'b' && size == 1)
        && !((kind == 'i' || kind == 'u')
             && (size == 1 || size == 2 || size == 4 || size == 8))
        && !(kind == 'f' && (size == 2 || size == 4 || size == 8)))
    {
        return "The elements of the .npy file are not numbers";
    }

    npy->kind = kind;
    npy->size = size;
    npy->swap = (order == '>');

    return NULL;
}


static const char *
clipper_npy_fortran(clipper_npy_text_t *text, ngx_uint_t *fortran)
{
    size_t  left;

    clipper_npy_blank(text);

    left = text->last - text->p;

    if (left >= 5 && ngx_memcmp(text->p, "False", 5) == 0) {
        text->p += 5;
        *fortran = 0;
        return NULL;
    }

    if (left >= 4 && ngx_memcmp(text->p, "True", 4) == 0) {
        text->p += 4;
        *fortran = 1;
        return NULL;
    }

    return clipper_npy_broken;
}


/* "(3, 4)", "(3,)" or "()" */

static const char *
clipper_npy_shape(clipper_npy_t *npy, clipper_npy_text_t *text)
{
    size_t  n;

    if (clipper_npy_take(text, '(') != NGX_OK) {
        return clipper_npy_broken;
    }

    npy->dimensions = 0;
    npy->rows = 1;
    npy->count = 1;

    while (clipper_npy_take(text, ')') != NGX_OK) {
        clipper_npy_blank(text);

        if (text->p == text->last || *text->p < '0' || *text->p > '9') {
            return clipper_npy_broken;
        }

        for (n = 0; text->p < text->last && *text->p >= '0' && *text->p <= '9';
             text->p++)
        {
            if (n > SIZE_MAX / 16) {
                return "The shape of the .npy file is too large";
            }

            n = n * 10 + (*text->p - '0');
        }

        if (npy->dimensions++ == 0) {
            npy->rows = n;
        }

        if (n && npy->count > SIZE_MAX / 16 / n) {
            return "The shape of the .npy file is too large";
        }

        npy->count *= n;

        if (clipper_npy_take(text, ',') != NGX_OK
            && (text->p == text->last || *text->p != ')'))
        {
            return clipper_npy_broken;
        }
    }

    return NULL;
}


static ngx_int_t
clipper_npy_string(clipper_npy_text_t *text, ngx_str_t *s)
{
    u_char         quote;
    const u_char  *end;

    clipper_npy_blank(text);

    if (text->p == text->last || (*text->p != '\'' && *text->p != '"')) {
        return NGX_ERROR;
    }

    quote = *text->p;
    end = memchr(text->p + 1, quote, text->last - text->p - 1);

    if (end == NULL) {
        return NGX_ERROR;
    }

    s->data = (u_char *) text->p + 1;
    s->len = end - s->data;
    text->p = end + 1;

    return NGX_OK;
}


/*
 * Takes one character, with the white space before it; NGX_DECLINED: another
 * one is there.
 */

static ngx_int_t
clipper_npy_take(clipper_npy_text_t *text, u_char c)
{
    clipper_npy_blank(text);

    if (text->p == text->last || *text->p != c) {
        return NGX_DECLINED;
    }

    text->p++;

    return NGX_OK;
}


static void
clipper_npy_blank(clipper_npy_text_t *text)
{
    while (text->p < text->last && (*text->p == ' ' || *text->p == LF)) {
        text->p++;
    }
}


ngx_uint_t
clipper_npy_is_native(const clipper_npy_t *npy, ngx_uint_t type)
{
    if (npy->swap && npy->size > 1) {
        return 0;
    }

    switch (type) {

    case CLIPPER_BYTES:
        return npy->size == 1;

    case CLIPPER_INTS:
        return npy->kind == 'i' && npy->size == sizeof(int32_t);

    case CLIPPER_FLOATS:
        return npy->kind == 'f' && npy->size == sizeof(float);

    case CLIPPER_DOUBLES:
        return npy->kind == 'f' && npy->size == sizeof(double);
    }

    return 0;
}


ngx_uint_t
clipper_npy_is_convertible(const clipper_npy_t *npy, ngx_uint_t type)
{
    switch (type) {

    case CLIPPER_BYTES:
        return npy->size == 1;

    case CLIPPER_INTS:
        return npy->kind != 'f';

    case CLIPPER_FLOATS:
    case CLIPPER_DOUBLES:
        return 1;
    }

    return 0;
}


size_t
clipper_npy_convert(const clipper_npy_t *npy, ngx_uint_t type,
    const u_char *src, u_char *dst, size_t count)
{
    size_t                i, size;
    clipper_npy_number_t  number;

    size = clipper_input_type_size(type);

    for (i = 0; i < count; i++) {
        clipper_npy_load(npy, src + i * npy->size, &number);

        if (clipper_npy_store(type, &number, dst + i * size) != NGX_OK) {
            break;
        }
    }

    return i;
}


static void
clipper_npy_load(const clipper_npy_t *npy, const u_char *src,
    clipper_npy_number_t *number)
{
    size_t     i, shift;
    uint64_t   bits;

    bits = 0;
    i = 0;

    do {
        bits |= (uint64_t) src[npy->swap ? npy->size - 1 - i : i] << (8 * i);
    } while (++i < npy->size);

    shift = 64 - 8 * npy->size;

    number->real = (npy->kind == 'f');
    number->d = 0;
    number->u = 0;
    number->i = 0;

    switch (npy->kind) {

    case 'f':
        number->d = clipper_npy_real(bits, npy->size);
        return;

    case 'i':
        number->i = (int64_t) (bits << shift) >> shift;
        number->d = (double) number->i;
        return;

    default: /* 'u', 'b' */
        number->u = bits;
        number->i = bits > INT64_MAX ? INT64_MAX : (int64_t) bits;
        number->d = (double) bits;
    }
}


static double
clipper_npy_real(uint64_t bits, size_t size)
{
    int       exponent;
    float     f;
    double    d;
    uint32_t  word;

    if (size == sizeof(double)) {
        ngx_memcpy(&d, &bits, sizeof(double));
        return d;
    }

    if (size == sizeof(float)) {
        word = (uint32_t) bits;
        ngx_memcpy(&f, &word, sizeof(float));
        return f;
    }

    /* binary16: a sign, 5 bits of the exponent, 10 of the fraction */

    exponent = bits >> 10 & 0x1f;
    d = (double) (bits & 0x3ff);

    if (exponent == 0x1f) {
        d = d ? NAN : INFINITY;

    } else if (exponent) {
        d = ldexp(d + 1024, exponent - 25);

    } else {
        d = ldexp(d, -24);
    }

    return bits & 0x8000 ? -d : d;
}


/* NGX_DECLINED: the number is beyond the type */

static ngx_int_t
clipper_npy_store(ngx_uint_t type, const clipper_npy_number_t *number,
    u_char *dst)
{
    float     f;
    double    d;
    uint32_t  word;
    uint64_t  bits;

    d = number->d;

    switch (type) {

    case CLIPPER_INTS:

        if (number->i < INT32_MIN || number->i > INT32_MAX) {
            return NGX_DECLINED;
        }

        clipper_input_store32(dst, (uint32_t) number->i);
        return NGX_OK;

    case CLIPPER_FLOATS:

        /* from the integer itself: rounded once */

        f = number->real ? (float) d
            : number->u ? (float) number->u : (float) number->i;

        if (isinf(f) && !isinf(d)) {
            return NGX_DECLINED;
        }

        ngx_memcpy(&word, &f, sizeof(float));
        clipper_input_store32(dst, word);
        return NGX_OK;

    default: /* CLIPPER_DOUBLES */
        ngx_memcpy(&bits, &d, sizeof(double));
        clipper_input_store64(dst, bits);
        return NGX_OK;
    }
}
