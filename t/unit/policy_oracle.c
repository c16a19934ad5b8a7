
/*
 * Policies for t/test_policy_oracle.py: one application and one user, behind
 * functions that ctypes calls with numbers and arrays of doubles.
 */


#include "policy_fixture.h"
#include "learn/clipper_policy_draw.h"
#include "learn/clipper_policy.h"


policy_fixture_t *
oracle_open(const char *policy, const char *params, int k,
    const double *weights)
{
    policy_fixture_t  *f;

    f = malloc(sizeof(policy_fixture_t));
    fixture_init(f, policy, k, params);
    memcpy(f->weight, weights, k * sizeof(double));

    return f;
}


void
oracle_close(policy_fixture_t *f)
{
    free(f);
}


/* the time, the members that are up, and whether the user asks */

void
oracle_look(policy_fixture_t *f, double now, uint64_t up, int personal)
{
    f->now = now;
    f->view.up = up;
    fixture_read(f, personal);
}


/* the answers of the members; bit i of answered: member i answers */

void
oracle_answers(policy_fixture_t *f, uint64_t answered, const int *outputs)
{
    fixture_answers(f, answered, outputs);
}


double
oracle_confidence(policy_fixture_t *f, int first, double share)
{
    return clipper_policy_confidence(&f->conf, &f->view, &f->answers, first,
                                     share);
}


void
oracle_weights(policy_fixture_t *f, double *weights)
{
    clipper_policy_weights(&f->conf, &f->view, weights);
}


int
oracle_select(policy_fixture_t *f, uint64_t u, double *propensity)
{
    if (fixture_select(f, u) != NGX_OK) {
        abort();
    }

    *propensity = f->pick.propensity;

    return f->pick.serve;
}


/* 0: the policy learned nothing */

int
oracle_observe(policy_fixture_t *f, uint64_t seen, int served,
    double propensity, const double *losses, int personal)
{
    clipper_policy_feedback_t  fb;

    fb.up = f->view.up;
    fb.seen = seen;
    fb.served = served;
    fb.propensity = propensity;
    fb.loss = losses;
    fb.answers = f->voted ? &f->answers : NULL;

    if (clipper_policy_observe(&f->conf, &f->view, &fb, f->now, f->delta)
        != NGX_OK)
    {
        return 0;
    }

    fixture_learn(f);

    if (personal) {
        clipper_policy_state_learn(f->user, f->delta, f->size);
    }

    return 1;
}


/* decayed to the moment of oracle_look() */

void
oracle_rows(policy_fixture_t *f, int personal, double *rows)
{
    memcpy(rows, personal ? f->user_rows : f->app_rows,
           (f->size - CLIPPER_POLICY_ROWS) * sizeof(double));
}


/* the output with the largest weight, or that of the served member */

static int
oracle_answer(policy_fixture_t *f, const int *outputs, double *confidence)
{
    double      w[K_MAX], votes, most;
    ngx_uint_t  best, i, j;

    *confidence = NONE;

    if (f->pick.serve != ALL) {
        return outputs[f->pick.serve];
    }

    fixture_answers(f, f->view.up, outputs);
    clipper_policy_weights(&f->conf, &f->view, w);
    best = 0;
    most = 0;

    for (i = 0; i < f->view.n; i++) {
        votes = 0;

        for (j = 0; j < f->view.n; j++) {
            votes += (outputs[j] == outputs[i]) ? w[j] : 0;
        }

        if (votes > most) {
            most = votes;
            best = i;
        }
    }

    *confidence = clipper_policy_confidence(&f->conf, &f->view, &f->answers,
                                            best, most);
    return outputs[best];
}


/*
 * One query with its feedback a second: outputs has a row of k for each of
 * them, errors gets whether the answer was wrong, confidences how sure the
 * policy was of it.
 */

void
oracle_run(policy_fixture_t *f, int steps, const int *outputs,
    const int *labels, uint64_t seed, double *errors, double *confidences)
{
    int         t;
    double      losses[K_MAX];
    ngx_uint_t  i, served;

    for (t = 0; t < steps; t++, outputs += f->view.n) {
        f->now = 1.7e9 + t;
        fixture_read(f, 0);

        if (fixture_select(f, clipper_policy_draw_mix(&seed)) != NGX_OK) {
            abort();
        }

        for (i = 0; i < f->view.n; i++) {
            losses[i] = outputs[i] != labels[t];
        }

        errors[t] = oracle_answer(f, outputs, &confidences[t]) != labels[t];

        if (f->pick.serve == ALL) {
            (void) fixture_seen(f, f->pick.ask, losses);

        } else {
            served = f->pick.serve;
            (void) fixture_served(f, served, f->pick.propensity,
                                  losses[served]);
        }

        fixture_learn(f);
    }
}
