
/*
 * Losses and combinations for t/test_combine_oracle.py: texts in, text out.
 */


#include "learn/clipper_combine.h"


double
oracle_loss(int type, double low, double high, const char *output,
    size_t output_len, const char *label, size_t label_len)
{
    clipper_loss_t   loss;
    clipper_value_t  x, y;

    loss.type = type;
    loss.low = low;
    loss.high = high;

    clipper_value_init(&x, (u_char *) output, output_len);
    clipper_value_init(&y, (u_char *) label, label_len);

    return clipper_loss_value(&loss, &x, &y);
}


/* a NULL text is a missing answer; returns the output's length, -1: none */

long
oracle_combine(int mean, int type, double low, double high, int n,
    const char **texts, const size_t *lens, const double *weights, char *dst,
    size_t size, double *confidence, uint64_t *group)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    clipper_loss_t            loss;
    clipper_policy_combine_e  mode;
    clipper_combine_result_t  result;
    clipper_combine_member_t  m[CLIPPER_POLICY_MEMBERS];

    loss.type = type;
    loss.low = low;
    loss.high = high;
    mode = mean ? CLIPPER_POLICY_MEAN : CLIPPER_POLICY_VOTE;

    for (i = 0; i < (ngx_uint_t) n; i++) {
        m[i].weight = weights[i];
        m[i].answered = (texts[i] != NULL);

        if (texts[i]) {
            clipper_value_init(&m[i].value, (u_char *) texts[i], lens[i]);
        }
    }

    if (clipper_combine_size(mode, m, n) > size) {
        abort();
    }

    rc = clipper_combine(mode, &loss, m, n, (u_char *) dst, &result);

    if (rc != NGX_OK) {
        return -1;
    }

    *confidence = result.confidence;
    *group = result.group;
    ngx_memmove(dst, result.output.data, result.output.len);

    return result.output.len;
}
