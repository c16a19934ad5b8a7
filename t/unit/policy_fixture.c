
/*
 * See the header.
 */


#include "policy_fixture.h"
#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_param.h"
#include "learn/clipper_policy.h"


/* params: "eta=0.1 half_life=100" or "" */

void
fixture_init(policy_fixture_t *f, const char *policy, ngx_uint_t k,
    const char *params)
{
    char        err[CLIPPER_POLICY_ERR_LEN], text[128], *eq, *p, *save;
    ngx_str_t   name, value;
    ngx_uint_t  i;

    memset(f, 0, sizeof(policy_fixture_t));

    name.data = (u_char *) policy;
    name.len = strlen(policy);

    clipper_policy_param_init(&f->conf, clipper_policy_table_find(&name));

    strcpy(text, params);

    for (p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        eq = strchr(p, '=');
        name.data = (u_char *) p;
        name.len = eq - p;
        value.data = (u_char *) eq + 1;
        value.len = strlen(eq + 1);

        if (clipper_policy_param_set(&f->conf, &name, &value, err)
            != NGX_OK)
        {
            print_error("%s: %s\n", p, err);
            abort();
        }
    }

    for (i = 0; i < k; i++) {
        f->weight[i] = 1;
        f->key[i] = i * 1000003;
    }

    f->size = clipper_policy_state_size(f->conf.policy, k);
    f->view.n = k;
    f->view.up = (k == 64) ? ~0ULL : (1ULL << k) - 1;
    f->view.weight = f->weight;
    f->view.key = f->key;
    f->view.app = f->app_rows;
}


/* personal: with the user's state */

void
fixture_read(policy_fixture_t *f, ngx_uint_t personal)
{
    f->view.user = NULL;
    f->view.app = f->size ? f->app_rows : NULL;

    if (f->size == 0) {
        return;
    }

    clipper_policy_state_read(f->app, f->size, f->now, f->app_rows);

    if (personal) {
        clipper_policy_state_read(f->user, f->size, f->now, f->user_rows);
        f->view.user = f->user_rows;
    }
}


ngx_int_t
fixture_select(policy_fixture_t *f, uint64_t u)
{
    return clipper_policy_select(&f->conf, &f->view, u, &f->pick);
}


/* feedback about a served member, all up */

ngx_int_t
fixture_served(policy_fixture_t *f, ngx_int_t served, double propensity,
    double loss)
{
    double                     losses[K_MAX] = { 0 };
    clipper_policy_feedback_t  fb;

    losses[served] = loss;

    fb.up = f->view.up;
    fb.seen = 1ULL << served;
    fb.served = served;
    fb.propensity = propensity;
    fb.loss = losses;
    fb.answers = NULL;

    return clipper_policy_observe(&f->conf, &f->view, &fb, f->now, f->delta);
}


/* the answers to the next query */

void
fixture_answers(policy_fixture_t *f, uint64_t answered, const int *outputs)
{
    ngx_uint_t  i, k;

    f->voted = 1;
    f->answers.answered = answered;
    f->answers.same = f->same;

    for (i = 0; i < f->view.n; i++) {
        for (k = 0; k < i; k++) {
            if ((answered >> k & 1) && outputs[k] == outputs[i]) {
                break;
            }
        }

        f->same[i] = k;
    }
}


/* feedback to an ensemble with some members seen */

ngx_int_t
fixture_seen(policy_fixture_t *f, uint64_t seen, const double *losses)
{
    clipper_policy_feedback_t  fb;

    fb.up = f->view.up;
    fb.seen = seen;
    fb.served = ALL;
    fb.propensity = NONE;
    fb.loss = losses;
    fb.answers = f->voted ? &f->answers : NULL;

    return clipper_policy_observe(&f->conf, &f->view, &fb, f->now, f->delta);
}


void
fixture_learn(policy_fixture_t *f)
{
    clipper_policy_state_learn(f->app, f->delta, f->size);
}


double *
fixture_row(policy_fixture_t *f, double *state, ngx_uint_t i)
{
    return state + CLIPPER_POLICY_ROWS + i * f->conf.policy->nfields;
}
