
/*
 * Policies in simulation, see the header.
 */


#include "policy_sim.h"
#include "learn/clipper_policy_draw.h"
#include "learn/clipper_policy.h"


#define SIM_USERS  1000


static double
sim_uniform(uint64_t *seed)
{
    return clipper_policy_draw_uniform(clipper_policy_draw_mix(seed));
}


/*
 * The answer of an ensemble to a question with two answers: all wrong answers
 * are equal, the hardest case for a vote.
 */

static double
sim_vote(policy_fixture_t *f, const double *losses, double *confidence)
{
    int         outputs[K_MAX];
    double      right, share, w[K_MAX];
    ngx_uint_t  first, i;

    right = 0;

    for (i = 0; i < f->view.n; i++) {
        outputs[i] = (losses[i] != 0);
    }

    fixture_answers(f, f->view.up, outputs);

    clipper_policy_weights(&f->conf, &f->view, w);

    for (i = 0; i < f->view.n; i++) {
        right += w[i] * (1 - losses[i]);
    }

    for (first = 0; losses[first] != (right < 0.5); first++) { /* void */ }

    share = (right < 0.5) ? 1 - right : right;
    *confidence = clipper_policy_confidence(&f->conf, &f->view, &f->answers,
                                            first, share);
    return right < 0.5;
}


/* one query with the state read before; returns whether the answer was wrong */

static double
sim_ask(policy_fixture_t *f, const double *losses, uint64_t *seed,
    double *confidence)
{
    *confidence = NONE;

    if (fixture_select(f, clipper_policy_draw_mix(seed)) != NGX_OK) {
        abort();
    }

    return (f->pick.serve == ALL) ? sim_vote(f, losses, confidence)
                                  : losses[f->pick.serve];
}


static void
sim_learn(policy_fixture_t *f, const double *losses)
{
    ngx_int_t  served;

    served = f->pick.serve;

    if (served == ALL) {
        (void) fixture_seen(f, f->pick.ask, losses);

    } else {
        (void) fixture_served(f, served, f->pick.propensity, losses[served]);
    }

    fixture_learn(f);
}


/* errors: of each query, the mean over all seeds; zeroed */

void
sim_run(const sim_t *sim, double *errors)
{
    double            confidence, losses[K_MAX];
    uint64_t          seed;
    ngx_uint_t        i, run, t;
    const double     *error;
    policy_fixture_t  f;

    for (run = 0; run < sim->seeds; run++) {
        fixture_init(&f, sim->policy, sim->models, sim->params);
        seed = run;

        for (t = 0; t < sim->before + sim->after; t++) {
            f.now = 1.7e9 + t / sim->rate;
            error = (t < sim->before) ? sim->error : sim->swapped;

            for (i = 0; i < sim->models; i++) {
                losses[i] = sim_uniform(&seed) < error[i];
            }

            fixture_read(&f, 0);
            errors[t] += sim_ask(&f, losses, &seed, &confidence) / sim->seeds;
            sim_learn(&f, losses);
        }
    }
}


double
sim_mean(const double *errors, ngx_uint_t from, ngx_uint_t to)
{
    double      sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = from; i < to; i++) {
        sum += errors[i];
    }

    return sum / (to - from);
}


/*
 * The number of feedbacks until a policy has followed: from then on, in
 * windows of 50, its error is below the mean of the models' errors.
 */

ngx_uint_t
sim_followed(const sim_t *sim, const double *errors)
{
    double      half;
    ngx_uint_t  t;

    half = (sim->swapped[0] + sim->swapped[1]) / 2;

    for (t = sim->after; t >= 50; t -= 50) {
        if (sim_mean(errors + sim->before, t - 50, t) > half) {
            break;
        }
    }

    return t;
}


/*
 * Users of `kinds` kinds take turns until each has given `feedbacks` labels;
 * the first model is the good one for the first kind, the second for the
 * second.  Returns how often their next query is answered wrongly.
 */

double
sim_users(const char *policy, const char *params, ngx_uint_t kinds, double good,
    double bad, ngx_uint_t feedbacks, uint64_t seed)
{
    double            confidence, losses[2], wrong;
    ngx_uint_t        round, u;
    policy_fixture_t  f;

    static double  users[SIM_USERS][CLIPPER_POLICY_STATE_MAX];

    fixture_init(&f, policy, 2, params);
    memset(users, 0, sizeof(users));
    f.now = 1.7e9;
    wrong = 0;

    for (round = 0; round <= feedbacks; round++) {
        for (u = 0; u < SIM_USERS; u++) {
            f.now += 0.01;
            losses[0] = sim_uniform(&seed) < (u % kinds ? bad : good);
            losses[1] = sim_uniform(&seed) < (u % kinds ? good : bad);

            memcpy(f.user, users[u], f.size * sizeof(double));
            fixture_read(&f, 1);

            wrong += sim_ask(&f, losses, &seed, &confidence)
                     * (round == feedbacks);
            sim_learn(&f, losses);
            clipper_policy_state_learn(users[u], f.delta, f.size);
        }
    }

    return wrong / SIM_USERS;
}


void
sim_reliability(const sim_t *sim, double together, sim_diagram_t *d)
{
    double            confidence, common, losses[K_MAX], wrong, x;
    uint64_t          seed;
    ngx_uint_t        bin, i, run, t;
    policy_fixture_t  f;

    for (run = 0; run < sim->seeds; run++) {
        fixture_init(&f, sim->policy, sim->models, sim->params);
        seed = run;

        for (t = 0; t < sim->before; t++) {
            f.now = 1.7e9 + t / sim->rate;
            common = sim_uniform(&seed);

            for (i = 0; i < sim->models; i++) {
                x = sim_uniform(&seed);
                losses[i] = (sim_uniform(&seed) < together ? common : x)
                            < sim->error[i];
            }

            fixture_read(&f, 0);
            wrong = sim_ask(&f, losses, &seed, &confidence);
            sim_learn(&f, losses);

            bin = ngx_min((ngx_uint_t) (confidence * 10), 9);
            d->confidence[bin] += confidence;
            d->right[bin] += 1 - wrong;
            d->n[bin]++;
        }
    }
}


static double
sim_total(const sim_diagram_t *d)
{
    double      n;
    ngx_uint_t  i;

    n = 0;

    for (i = 0; i < 10; i++) {
        n += d->n[i];
    }

    return n;
}


double
sim_error(const sim_diagram_t *d, ngx_uint_t bin, double memory)
{
    double  right;

    /* never 0, also where all answers were right */

    right = (d->right[bin] + 1) / (d->n[bin] + 2);

    return sqrt(right * (1 - right) / (memory * d->n[bin] / sim_total(d)));
}


double
sim_unreliable(const sim_diagram_t *d, double memory, double error,
    double *sigmas)
{
    double      gap, most, se;
    ngx_uint_t  i;

    most = 0;
    *sigmas = 0;

    for (i = 0; i < 10; i++) {
        if (d->n[i] * 1000 < sim_total(d)) {
            continue;
        }

        gap = fabs(d->confidence[i] - d->right[i]) / d->n[i];
        se = sim_error(d, i, memory);
        *sigmas = ngx_max(*sigmas, gap / se);

        if (se <= error) {
            most = ngx_max(most, gap);
        }
    }

    return most;
}
