
/*
 * Losses, see the header.
 */


#include "learn/clipper_loss.h"
#include <math.h>


#define CLIPPER_LOSS_TEXT  256                  /* bytes of a text that may
                                                   be another value */

typedef double (*clipper_loss_pt)(double part);


static clipper_value_t clipper_loss_plain(const clipper_value_t *value,
    u_char *buf);


static double
clipper_loss_zero_one(double part)
{
    return part != 0;
}


static double
clipper_loss_absolute(double part)
{
    return part;
}


static double
clipper_loss_squared(double part)
{
    return part * part;
}


/* by type; the argument is the difference as a fraction of the range */

static const struct {
    ngx_str_t                 name;
    clipper_loss_pt           scale;
} clipper_losses[] = {
    { ngx_string("zero_one"), clipper_loss_zero_one },
    { ngx_string("absolute"), clipper_loss_absolute },
    { ngx_string("squared"), clipper_loss_squared }
};


ngx_int_t
clipper_loss_set(clipper_loss_t *loss, const ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i <= CLIPPER_LOSS_SQUARED; i++) {

        if (clipper_losses[i].name.len == name->len
            && ngx_memcmp(clipper_losses[i].name.data, name->data,
                          name->len) == 0)
        {
            loss->type = i;
            loss->low = 0;
            loss->high = 1;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


ngx_int_t
clipper_loss_range(clipper_loss_t *loss, const ngx_str_t *range)
{
    double           high, low;
    u_char          *colon;
    clipper_value_t  value;

    colon = memchr(range->data, ':', range->len);

    if (colon == NULL) {
        return NGX_ERROR;
    }

    clipper_value_init(&value, range->data, colon - range->data);

    if (clipper_value_number(&value, &low) != NGX_OK) {
        return NGX_ERROR;
    }

    clipper_value_init(&value, colon + 1,
                       range->data + range->len - (colon + 1));

    if (clipper_value_number(&value, &high) != NGX_OK
        || !(low < high) || isinf(high - low))
    {
        return NGX_ERROR;
    }

    loss->low = low;
    loss->high = high;

    return NGX_OK;
}


double
clipper_loss_value(const clipper_loss_t *loss, const clipper_value_t *output,
    const clipper_value_t *label)
{
    double           x, y;
    u_char           first[CLIPPER_LOSS_TEXT], second[CLIPPER_LOSS_TEXT];
    clipper_value_t  one, two;

    one = clipper_loss_plain(output, first);
    two = clipper_loss_plain(label, second);

    if (loss->type != CLIPPER_LOSS_ZERO_ONE
        && clipper_value_number(&one, &x) == NGX_OK
        && clipper_value_number(&two, &y) == NGX_OK)
    {
        return clipper_loss_number(loss, x, y);
    }

    return clipper_value_equal(&one, &two, 0)
           || clipper_value_equal(output, label, 0) ? 0 : 1;
}


static clipper_value_t
clipper_loss_plain(const clipper_value_t *value, u_char *buf)
{
    clipper_value_t  inner;

    if (clipper_value_inner(value, &inner, buf, CLIPPER_LOSS_TEXT) == NGX_OK) {
        return inner;
    }

    return *value;
}


ngx_uint_t
clipper_loss_comparable(const clipper_value_t *output,
    const clipper_value_t *label)
{
    u_char            first[CLIPPER_LOSS_TEXT], second[CLIPPER_LOSS_TEXT];
    clipper_value_t   one, two;
    clipper_token_t   a, b;
    clipper_cursor_t  cursor;

    one = clipper_loss_plain(output, first);
    two = clipper_loss_plain(label, second);

    clipper_value_open(&one, &cursor);
    (void) clipper_value_next(&cursor, &a);

    clipper_value_open(&two, &cursor);
    (void) clipper_value_next(&cursor, &b);

    return a.kind == b.kind;
}


double
clipper_loss_number(const clipper_loss_t *loss, double output, double label)
{
    double  part;

    part = fabs(output - label) / (loss->high - loss->low);

    return clipper_losses[loss->type].scale(ngx_min(part, 1));
}
