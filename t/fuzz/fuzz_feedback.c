
/*
 * Any feedback, by a client, to any policy, over any outputs of models: its
 * label gives losses in range, the same for equal texts, and what is learned
 * from it stays a state, from which the members get weights that sum to 1.
 *
 * Input: bytes with the policy, with the loss, with the members that were up,
 * and with the propensity; then lines, each the output of a member, and behind
 * an empty line the document.
 */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/clipper_input.h"
#include "learn/clipper_combine.h"
#include "learn/clipper_loss.h"
#include "learn/clipper_policy.h"
#include "learn/clipper_policy_param.h"
#include "learn/clipper_policy_state.h"
#include "learn/clipper_policy_table.h"


#define HEAD     4
#define MEMBERS  6
#define TIMES    8                              /* the label is given */

#define expect(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    clipper_policy_conf_t  conf;
    clipper_policy_view_t  view;
    size_t                 size;
    double                 weight[MEMBERS];
    double                 app[CLIPPER_POLICY_STATE_MAX];
    double                 rows[CLIPPER_POLICY_STATE_MAX];
} learner_t;


/* a member for each output; 0: the policy needs more of them */

static ngx_uint_t
begin(learner_t *l, ngx_uint_t policy, ngx_uint_t n, uint64_t up)
{
    ngx_uint_t  i, count;

    memset(l, 0, sizeof(learner_t));

    for (count = 0; clipper_policy_table_get(count); count++) { /* void */ }

    clipper_policy_param_init(&l->conf,
                              clipper_policy_table_get(policy % count));

    for (i = 0; i < n; i++) {
        l->weight[i] = 1 + i;
    }

    l->size = clipper_policy_state_size(l->conf.policy, n);
    l->view.n = n;
    l->view.up = up;
    l->view.weight = l->weight;

    return n >= l->conf.policy->links && up;
}


static void
weigh(learner_t *l, double now)
{
    double      weights[MEMBERS], sum;
    ngx_uint_t  i;

    if (l->size) {
        expect(clipper_policy_state_check(l->app, l->size) == NGX_OK);
        clipper_policy_state_read(l->app, l->size, now, l->rows);
        l->view.app = l->rows;
    }

    clipper_policy_weights(&l->conf, &l->view, weights);

    sum = 0;

    for (i = 0; i < l->view.n; i++) {
        expect(weights[i] >= 0 && weights[i] <= 1 + 1e-9);
        expect(weights[i] == 0 || l->view.up >> i & 1);
        sum += weights[i];
    }

    expect(fabs(sum - 1) < 1e-6);
}


/* the same label again and again, a minute apart */

static void
learn(learner_t *l, const clipper_value_t *outputs,
    const clipper_loss_t *judged, const double *loss, double propensity,
    uint64_t u)
{
    double                      now, delta[CLIPPER_POLICY_STATE_MAX];
    ngx_int_t                   rc;
    ngx_uint_t                  i, j, k, same[MEMBERS];
    clipper_policy_pick_t       pick;
    clipper_policy_answers_t    answers;
    clipper_policy_feedback_t   fb;

    for (i = 0; i < l->view.n; i++) {
        for (j = 0; !clipper_value_equal(&outputs[j], &outputs[i], 0); j++) {
            /* the first of those that are equal */
        }

        same[i] = j;
    }

    answers.answered = l->view.up;
    answers.same = same;

    for (k = 0; k < TIMES; k++) {
        now = 1000 + 60 * k;
        weigh(l, now);

        expect(clipper_policy_select(&l->conf, &l->view, u, &pick) == NGX_OK);
        expect(pick.ask && (pick.ask & ~l->view.up) == 0);

        fb.up = l->view.up;
        fb.seen = pick.ask;
        fb.served = pick.serve;
        fb.propensity = pick.serve == CLIPPER_POLICY_ALL ? pick.propensity
                                                         : propensity;
        fb.loss = loss;
        fb.answers = clipper_combine_mode(l->conf.policy, judged)
                     == CLIPPER_POLICY_VOTE ? &answers : NULL;

        if (l->size == 0) {
            continue;
        }

        memset(delta, 0, sizeof(delta));
        rc = clipper_policy_observe(&l->conf, &l->view, &fb, now, delta);
        expect(rc == NGX_OK || rc == NGX_DECLINED);

        if (rc == NGX_OK) {
            clipper_policy_state_learn(l->app, delta, l->size);
        }
    }

    weigh(l, now);
}


static void
judge(const clipper_loss_t *loss, const clipper_value_t *outputs, ngx_uint_t n,
    const ngx_str_t *text, double *losses)
{
    ngx_uint_t       i;
    clipper_value_t  label;

    clipper_value_init(&label, text->data, text->len);
    expect(!label.raw);
    expect(clipper_loss_value(loss, &label, &label) == 0);
    expect(clipper_loss_comparable(&label, &label));

    for (i = 0; i < n; i++) {
        losses[i] = clipper_loss_value(loss, &outputs[i], &label);
        expect(losses[i] >= 0 && losses[i] <= 1);
        expect(losses[i] == 1
               || clipper_loss_comparable(&outputs[i], &label)
               || loss->type != CLIPPER_LOSS_ZERO_ONE);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                *copy, *p, *last, *end;
    double                 losses[MEMBERS];
    uint64_t               up;
    ngx_uint_t             n;
    learner_t              learner;
    clipper_loss_t         loss;
    clipper_input_t        in;
    clipper_value_t        outputs[MEMBERS];
    clipper_segment_t      segment;
    clipper_input_conf_t   conf;

    if (size < HEAD) {
        return 0;
    }

    /* in a block of its own: the sanitizer sees a read beyond its end */

    copy = malloc(size);
    expect(copy != NULL);
    memcpy(copy, data, size);

    p = copy + HEAD;
    last = copy + size;

    for (n = 0; n < MEMBERS && p < last && *p != '\n'; n++) {
        end = memchr(p, '\n', last - p);
        end = end ? end : last;
        clipper_value_init(&outputs[n], p, end - p);
        p = ngx_min(end + 1, last);
    }

    segment.pos = p;
    segment.last = last;

    loss.type = data[1] % 3;
    loss.low = -1;
    loss.high = 10;

    memset(&conf, 0, sizeof(conf));
    conf.type = (data[1] >> 2) % CLIPPER_INPUT_TYPES;
    conf.max_batch = 1;
    conf.max_elements = 1000;
    conf.max_depth = 64;

    clipper_input_init(&in, 0);

    if (clipper_input_scan(&in, &conf, CLIPPER_INPUT_UPDATE, &segment, 1)
        == NGX_OK
        && n)
    {
        judge(&loss, outputs, n, &in.label.text, losses);

        up = data[2] & (((uint64_t) 1 << n) - 1);

        if (begin(&learner, data[0], n, up)) {
            learn(&learner, outputs, &loss, losses, (1 + data[3]) / 256.0,
                  (uint64_t) data[3] << 56);
        }
    }

    clipper_input_done(&in);
    free(copy);

    return 0;
}
