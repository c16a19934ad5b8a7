
/*
 * Losses, see the header.
 */


#include "learn/clipper_loss.h"
#include <math.h>


typedef double (*ngx_http_clipper_loss_pt)(double part);


static double
ngx_http_clipper_loss_zero_one(double part)
{
    return part != 0;
}


static double
ngx_http_clipper_loss_absolute(double part)
{
    return part;
}


static double
ngx_http_clipper_loss_squared(double part)
{
    return part * part;
}


/* by type; the function gets the difference as a part of the range */

static const struct {
    ngx_str_t                 name;
    ngx_http_clipper_loss_pt  scale;
} ngx_http_clipper_losses[] = {
    { ngx_string("zero_one"), ngx_http_clipper_loss_zero_one },
    { ngx_string("absolute"), ngx_http_clipper_loss_absolute },
    { ngx_string("squared"), ngx_http_clipper_loss_squared }
};


ngx_int_t
ngx_http_clipper_loss_set(ngx_http_clipper_loss_t *loss, const ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i <= NGX_HTTP_CLIPPER_LOSS_SQUARED; i++) {

        if (ngx_http_clipper_losses[i].name.len == name->len
            && ngx_memcmp(ngx_http_clipper_losses[i].name.data, name->data,
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
ngx_http_clipper_loss_range(ngx_http_clipper_loss_t *loss,
    const ngx_str_t *range)
{
    double                     high, low;
    u_char                    *colon;
    ngx_http_clipper_value_t   value;

    colon = memchr(range->data, ':', range->len);

    if (colon == NULL) {
        return NGX_ERROR;
    }

    ngx_http_clipper_value_init(&value, range->data, colon - range->data);

    if (ngx_http_clipper_value_number(&value, &low) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_clipper_value_init(&value, colon + 1,
                                range->data + range->len - (colon + 1));

    if (ngx_http_clipper_value_number(&value, &high) != NGX_OK
        || !(low < high) || isinf(high - low))
    {
        return NGX_ERROR;
    }

    loss->low = low;
    loss->high = high;

    return NGX_OK;
}


double
ngx_http_clipper_loss_value(const ngx_http_clipper_loss_t *loss,
    const ngx_http_clipper_value_t *output,
    const ngx_http_clipper_value_t *label)
{
    double  x, y;

    if (loss->type != NGX_HTTP_CLIPPER_LOSS_ZERO_ONE
        && ngx_http_clipper_value_number(output, &x) == NGX_OK
        && ngx_http_clipper_value_number(label, &y) == NGX_OK)
    {
        return ngx_http_clipper_loss_number(loss, x, y);
    }

    return ngx_http_clipper_value_equal(output, label, 0) ? 0 : 1;
}


double
ngx_http_clipper_loss_number(const ngx_http_clipper_loss_t *loss,
    double output, double label)
{
    double  part;

    part = fabs(output - label) / (loss->high - loss->low);

    return ngx_http_clipper_losses[loss->type].scale(ngx_min(part, 1));
}
