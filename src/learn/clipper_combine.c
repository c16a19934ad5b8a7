
/*
 * Votes and means, see the header.
 */


#include "learn/clipper_combine.h"
#include "json/clipper_json.h"
#include <float.h>
#include <math.h>


/* sums of weights that differ by less are equal: 0.1 + 0.2 against 0.3 */
#define CLIPPER_COMBINE_EQUAL  1e-12


typedef struct {
    const clipper_combine_member_t           *members;
    ngx_uint_t                                n;
    uint64_t                                  group;
    ngx_uint_t                                size;     /* of the group */
    ngx_uint_t                                index[
                                         CLIPPER_POLICY_MEMBERS];
    double                                    weight[   /* sum is 1 */
                                         CLIPPER_POLICY_MEMBERS];
    double                                    number[
                                         CLIPPER_POLICY_MEMBERS];
    double                                    loss[     /* sums over numbers */
                                         CLIPPER_POLICY_MEMBERS];
    clipper_cursor_t                 cursor[
                                         CLIPPER_POLICY_MEMBERS];
} clipper_combine_mean_t;


/* for each member whose text no earlier one has */

typedef struct {
    uint64_t                  known;
    ngx_uint_t                shape;
    uint64_t                  hash[CLIPPER_POLICY_MEMBERS];
} clipper_combine_hashes_t;


static ngx_int_t clipper_combine_groups(
    const clipper_combine_member_t *members, ngx_uint_t n, ngx_uint_t shape,
    clipper_combine_result_t *result);
static uint64_t clipper_combine_group(const clipper_combine_member_t *members,
    ngx_uint_t n, ngx_uint_t first, uint64_t open,
    clipper_combine_hashes_t *hashes, double *weight);
static ngx_uint_t clipper_combine_agree(
    const clipper_combine_member_t *members, ngx_uint_t one, ngx_uint_t two,
    clipper_combine_hashes_t *hashes);
static uint64_t clipper_combine_hash(const clipper_combine_member_t *members,
    ngx_uint_t i, clipper_combine_hashes_t *hashes);
static void clipper_combine_mean(const clipper_loss_t *loss,
    const clipper_combine_member_t *members, ngx_uint_t n, u_char *dst,
    clipper_combine_result_t *result);
static void  clipper_combine_mean_open(clipper_combine_mean_t *mean);
static u_char *clipper_combine_mean_write(clipper_combine_mean_t *mean,
    u_char *dst, const clipper_loss_t *loss, ngx_uint_t *numbers);
static double  clipper_combine_mean_number(const clipper_combine_mean_t *mean);


clipper_policy_combine_e
clipper_combine_mode(const clipper_policy_t *policy,
    const clipper_loss_t *loss)
{
    if (policy->combine != CLIPPER_POLICY_BY_LOSS) {
        return policy->combine;
    }

    return (loss->type == CLIPPER_LOSS_ZERO_ONE)
           ? CLIPPER_POLICY_VOTE
           : CLIPPER_POLICY_MEAN;
}


/* a number begins the text or follows a bracket, a comma or a colon */

size_t
clipper_combine_size(clipper_policy_combine_e mode,
    const clipper_combine_member_t *members, ngx_uint_t n)
{
    u_char      *p, *last;
    size_t       len, max;
    ngx_uint_t   i;

    max = 0;

    for (i = 0; mode == CLIPPER_POLICY_MEAN && i < n; i++) {

        if (!members[i].answered) {
            continue;
        }

        p = members[i].value.text.data;
        last = p + members[i].value.text.len;
        len = members[i].value.text.len + CLIPPER_JSON_DOUBLE_LEN;

        for ( /* void */ ; p < last; p++) {
            if (*p == '[' || *p == ',' || *p == ':') {
                len += CLIPPER_JSON_DOUBLE_LEN;
            }
        }

        max = ngx_max(max, len);
    }

    return max;
}


ngx_int_t
clipper_combine(clipper_policy_combine_e mode, const clipper_loss_t *loss,
    const clipper_combine_member_t *members, ngx_uint_t n, u_char *dst,
    clipper_combine_result_t *result)
{
    if (clipper_combine_groups(members, n, mode == CLIPPER_POLICY_MEAN, result)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (mode == CLIPPER_POLICY_MEAN) {
        clipper_combine_mean(loss, members, n, dst, result);
    }

    return NGX_OK;
}


/*
 * Finds the heaviest group; its first member gives the words.  NGX_DECLINED:
 * no member has answered.
 */

static ngx_int_t
clipper_combine_groups(const clipper_combine_member_t *members, ngx_uint_t n,
    ngx_uint_t shape, clipper_combine_result_t *result)
{
    double                    asked, best, weight;
    uint64_t                  group, open;
    ngx_uint_t                i, k;
    clipper_combine_hashes_t  hashes;

    asked = 0;
    open = 0;
    hashes.known = 0;
    hashes.shape = shape;

    for (i = 0; i < n; i++) {
        asked += members[i].weight;
        open |= (uint64_t) members[i].answered << i;
    }

    if (open == 0) {
        return NGX_DECLINED;
    }

    best = 0;
    result->group = 0;

    while (open) {
        i = __builtin_ctzll(open);

        group = clipper_combine_group(members, n, i, open, &hashes, &weight);
        open &= ~group;

        for (k = i; k < n; k++) {
            if ((group >> k) & 1) {
                result->same[k] = i;
            }
        }

        if (result->group == 0
            || weight - best > CLIPPER_COMBINE_EQUAL * asked)
        {
            best = weight;
            result->group = group;
            result->first = i;
        }
    }

    result->output = members[result->first].value.text;
    result->confidence = (asked > 0) ? ngx_min(best / asked, 1) : 0;

    return NGX_OK;
}


/* the open members that agree with the first */

static uint64_t
clipper_combine_group(const clipper_combine_member_t *members, ngx_uint_t n,
    ngx_uint_t first, uint64_t open, clipper_combine_hashes_t *hashes,
    double *weight)
{
    uint64_t    bit, group;
    ngx_uint_t  i;

    group = 0;
    *weight = 0;

    for (i = first; i < n; i++) {
        bit = (uint64_t) 1 << i;

        if ((open & bit) && clipper_combine_agree(members, first, i, hashes)) {
            group |= bit;
            *weight += members[i].weight;
        }
    }

    return group;
}


/*
 * Outputs that differ in their last bytes would be read once for each pair of
 * members, so what is not the same text is told apart by hashes: those of the
 * first group are compared, the others have their hashes then.
 */

static ngx_uint_t
clipper_combine_agree(const clipper_combine_member_t *members, ngx_uint_t one,
    ngx_uint_t two, clipper_combine_hashes_t *hashes)
{
    uint64_t                both;
    const clipper_value_t  *a, *b;

    both = ((uint64_t) 1 << one) | ((uint64_t) 1 << two);

    if ((hashes->known & both) == both
        && hashes->hash[one] != hashes->hash[two])
    {
        return 0;
    }

    a = &members[one].value;
    b = &members[two].value;

    if (a->raw == b->raw && a->text.len == b->text.len
        && ngx_memcmp(a->text.data, b->text.data, a->text.len) == 0)
    {
        return 1;
    }

    return clipper_combine_hash(members, one, hashes)
           == clipper_combine_hash(members, two, hashes)
           && clipper_value_equal(a, b, hashes->shape);
}


static uint64_t
clipper_combine_hash(const clipper_combine_member_t *members, ngx_uint_t i,
    clipper_combine_hashes_t *hashes)
{
    uint64_t  bit;

    bit = (uint64_t) 1 << i;

    if (!(hashes->known & bit)) {
        hashes->known |= bit;
        hashes->hash[i] = clipper_value_hash(&members[i].value,
                                             hashes->shape);
    }

    return hashes->hash[i];
}


static void
clipper_combine_mean(const clipper_loss_t *loss,
    const clipper_combine_member_t *members, ngx_uint_t n, u_char *dst,
    clipper_combine_result_t *result)
{
    double                  agree;
    ngx_uint_t              i, numbers;
    clipper_combine_mean_t  mean;

    mean.members = members;
    mean.n = n;
    mean.group = result->group;

    clipper_combine_mean_open(&mean);

    if (mean.size == 0) {
        result->output.data = dst;
        result->output.len = 0;
        return;
    }

    result->output.data = dst;
    result->output.len = clipper_combine_mean_write(&mean, dst, loss, &numbers)
                         - dst;

    if (loss->type == CLIPPER_LOSS_ZERO_ONE || numbers == 0) {
        return;
    }

    agree = 0;

    for (i = 0; i < mean.size; i++) {
        agree += mean.weight[i] * (1 - mean.loss[i] / numbers);
    }

    /* rounding must not make it negative */

    result->confidence *= ngx_max(agree, 0);
}


static void
clipper_combine_mean_open(clipper_combine_mean_t *mean)
{
    double      sum;
    ngx_uint_t  i, k;

    sum = 0;
    k = 0;

    for (i = 0; i < mean->n; i++) {

        if (mean->group & ((uint64_t) 1 << i)) {
            mean->index[k] = i;
            mean->weight[k] = mean->members[i].weight;
            mean->loss[k] = 0;
            sum += mean->weight[k];

            clipper_value_open(&mean->members[i].value, &mean->cursor[k]);
            k++;
        }
    }

    mean->size = k;

    for (k = 0; k < mean->size; k++) {
        mean->weight[k] = (sum > 0) ? mean->weight[k] / sum : 1.0 / mean->size;
    }
}


/*
 * writes the text of the first member with each number replaced; all cursors
 * advance together
 */

static u_char *
clipper_combine_mean_write(clipper_combine_mean_t *mean, u_char *dst,
    const clipper_loss_t *loss, ngx_uint_t *numbers)
{
    double           value;
    ngx_uint_t       k;
    const u_char    *done;
    clipper_token_t  first, token;

    *numbers = 0;
    done = mean->cursor[0].pos;

    while (clipper_value_next(&mean->cursor[0], &first) == NGX_OK) {

        for (k = 1; k < mean->size; k++) {
            (void) clipper_value_next(&mean->cursor[k], &token);

            if (token.kind == CLIPPER_VALUE_NUMBER) {
                mean->number[k] =
                                clipper_number_double(&token.number);
            }
        }

        if (first.kind != CLIPPER_VALUE_NUMBER) {
            continue;
        }

        mean->number[0] = clipper_number_double(&first.number);
        value = clipper_combine_mean_number(mean);

        for (k = 0; k < mean->size; k++) {
            mean->loss[k] += clipper_loss_number(loss,
                                                      mean->number[k], value);
        }

        dst = ngx_cpymem(dst, done, first.start - done);
        dst = clipper_json_double(dst, value);
        done = first.end;
        (*numbers)++;
    }

    return ngx_cpymem(dst, done, mean->cursor[0].last - done);
}


/*
 * relative to the first number, so that the mean of equal numbers is that
 * number
 */

static double
clipper_combine_mean_number(const clipper_combine_mean_t *mean)
{
    double      value;
    ngx_uint_t  k;

    value = 0;

    for (k = 1; k < mean->size; k++) {
        value += mean->weight[k] * (mean->number[k] - mean->number[0]);
    }

    value += mean->number[0];

    if (isfinite(value)) {
        return value;
    }

    /* near DBL_MAX a difference may be infinite, its parts are not */

    value = 0;

    for (k = 0; k < mean->size; k++) {
        value += mean->weight[k] * mean->number[k];
    }

    return ngx_max(ngx_min(value, DBL_MAX), -DBL_MAX);
}
