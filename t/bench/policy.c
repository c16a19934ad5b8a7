
/*
 * The cost of a policy in nanoseconds.  For a query: reading the present state
 * of the application and of a user, and the selection.  For a feedback:
 * observing and adding to both states.  For 5 and for 64 members.  "again" is
 * weights that are known from a tenth of a millisecond before.  Then the time
 * to combine the answers of 5 members.
 *
 *   policy [seconds for each figure]
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "learn/clipper_combine.h"
#include "learn/clipper_policy.h"
#include "learn/clipper_policy_state.h"
#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_param.h"
#include "learn/clipper_policy_draw.h"


#define STATE_MAX  CLIPPER_POLICY_STATE_MAX


typedef struct {
    clipper_policy_conf_t            conf;
    clipper_policy_view_t            view;
    size_t                           size;
    uint64_t                         seed;
    double                           now;
    double                           weight[CLIPPER_POLICY_MEMBERS];
    double                           loss[CLIPPER_POLICY_MEMBERS];
    ngx_uint_t                       same[CLIPPER_POLICY_MEMBERS];
    double                           app[STATE_MAX];
    double                           user[STATE_MAX];
    double                           delta[STATE_MAX];
    double                           rows[2][STATE_MAX];
    clipper_policy_memo_t            memo;
} bench_t;


static clipper_policy_pick_t  pick;


static double
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec * 1e-9;
}


static void
bench_read(bench_t *b, ngx_uint_t personal)
{
    b->view.app = NULL;
    b->view.user = NULL;

    if (b->size == 0) {
        return;
    }

    clipper_policy_state_read(b->app, b->size, b->now, b->rows[0]);
    b->view.app = b->rows[0];

    if (personal) {
        clipper_policy_state_read(b->user, b->size, b->now, b->rows[1]);
        b->view.user = b->rows[1];
    }
}


static void
bench_select(bench_t *b, ngx_uint_t personal)
{
    b->now += 1e-4;
    bench_read(b, personal);

    (void) clipper_policy_select(&b->conf, &b->view,
                                 clipper_policy_draw_mix(&b->seed),
                                 &pick);
}


/* the weights of an ensemble's answer, and thompson's $clipper_propensity */

static void
bench_weights(bench_t *b, ngx_uint_t personal)
{
    double  weights[CLIPPER_POLICY_MEMBERS];

    b->now += 1e-4;
    bench_read(b, personal);
    clipper_policy_weights(&b->conf, &b->view, weights);
    pick.propensity = weights[0];
}


static void
bench_again(bench_t *b, ngx_uint_t personal)
{
    b->view.memo = &b->memo;
    bench_weights(b, personal);
    b->view.memo = NULL;
}


static void
bench_observe(bench_t *b, ngx_uint_t personal)
{
    clipper_policy_answers_t   answers;
    clipper_policy_feedback_t  fb;

    b->now += 1e-4;

    memset(&fb, 0, sizeof(fb));
    answers.answered = b->view.up;
    answers.same = b->same;

    fb.up = b->view.up;
    fb.seen = b->view.up;
    fb.served = clipper_policy_draw_mix(&b->seed) % b->view.n;
    fb.propensity = 0.3;
    fb.loss = b->loss;
    fb.answers = &answers;

    if (b->conf.policy->flags & CLIPPER_POLICY_ASKS) {
        fb.served = CLIPPER_POLICY_ALL;
        fb.propensity = CLIPPER_POLICY_NONE;
    }

    if (clipper_policy_observe(&b->conf, &b->view, &fb, b->now, b->delta)
        != NGX_OK)
    {
        return;
    }

    clipper_policy_state_add(b->app, b->delta, b->size);

    if (personal) {
        clipper_policy_state_add(b->user, b->delta, b->size);
    }
}


static double
measure(bench_t *b, void (*run)(bench_t *b, ngx_uint_t personal),
    ngx_uint_t personal, double limit)
{
    double      start, took;
    ngx_uint_t  i, n;

    n = 0;
    start = seconds();

    do {
        for (i = 0; i < 100; i++) {
            run(b, personal);
        }

        n += 100;
        took = seconds() - start;
    } while (took < limit);

    return took / n * 1e9;
}


static void
bench(const clipper_policy_t *policy, ngx_uint_t n, double limit)
{
    bench_t     b;
    ngx_uint_t  i;

    memset(&b, 0, sizeof(b));
    clipper_policy_param_init(&b.conf, policy);
    b.size = clipper_policy_state_size(policy, n);
    b.seed = 1;
    b.now = 1.7e9;
    b.view.n = n;
    b.view.up = (n == 64) ? ~0ULL : (1ULL << n) - 1;
    b.view.weight = b.weight;

    for (i = 0; i < n; i++) {
        b.weight[i] = 1;
        b.loss[i] = (i % 10) / 10.0;
        b.same[i] = i % 10;
    }

    for (i = 0; i < 1000; i++) {
        bench_observe(&b, i % 10 == 0);
    }

    printf("%-15s %3u %9.0f %9.0f %9.0f %9.0f %9.0f\n", policy->name.data,
           (unsigned) n,
           measure(&b, bench_select, 0, limit),
           measure(&b, bench_select, 1, limit),
           measure(&b, bench_weights, 0, limit),
           measure(&b, bench_again, 0, limit),
           policy->observe ? measure(&b, bench_observe, 1, limit) : 0);
}


/* five answers with different texts; some of their values are equal */

static void
bench_combine(const char *what, clipper_policy_combine_e mode,
    const char **texts, double limit)
{
    double                    start, took;
    u_char                    dst[4096];
    ngx_uint_t                i, k, n;
    clipper_loss_t            loss;
    clipper_combine_member_t  members[5];
    clipper_combine_result_t  result;

    loss.type = CLIPPER_LOSS_ZERO_ONE;
    n = 0;
    start = seconds();

    do {
        for (k = 0; k < 100; k++) {

            for (i = 0; i < 5; i++) {
                members[i].weight = 0.2;
                members[i].answered = 1;
                clipper_value_init(&members[i].value,
                                   (const u_char *) texts[i],
                                   strlen(texts[i]));
            }

            if (clipper_combine_size(mode, members, 5) > sizeof(dst)
                || clipper_combine(mode, &loss, members, 5, dst, &result)
                   != NGX_OK)
            {
                abort();
            }
        }

        n += 100;
        took = seconds() - start;
    } while (took < limit);

    printf("%-29s %9.0f\n", what, took / n * 1e9);
}


int
main(int argc, char **argv)
{
    double                   limit;
    ngx_uint_t               i;
    const clipper_policy_t  *policy;

    limit = (argc > 1) ? atof(argv[1]) : 0.1;

    printf("%-15s %3s %9s %9s %9s %9s %9s   (ns)\n", "policy", "of",
           "select", "personal", "weights", "again", "feedback");

    for (i = 0; (policy = clipper_policy_table_get(i)); i++) {
        bench(policy, 5, limit);
        bench(policy, 64, limit);
    }

    bench_combine("vote of 5 labels", CLIPPER_POLICY_VOTE,
                  (const char *[]) { "3", "3.0", "7", "3", "7" }, limit);
    bench_combine("mean of 5 numbers", CLIPPER_POLICY_MEAN,
                  (const char *[]) { "0.31", "0.5271", "0.11", "0.9", "1.0" },
                  limit);
    bench_combine("mean of 5 times 3 numbers", CLIPPER_POLICY_MEAN,
                  (const char *[]) { "[0.31,0.2,0.49]", "[0.1,0.22,0.68]",
                                     "[0.2,0.2,0.6]", "[0.1,0.8,0.1]",
                                     "[0.5,0.1,0.4]" },
                  limit);

    return 0;
}
