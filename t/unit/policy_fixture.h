
/*
 * An application with k members for the tests of policies: its configuration,
 * its state and a user's state, and the calls of a server for a query and for
 * feedback.
 */

#ifndef _POLICY_FIXTURE_H_INCLUDED_
#define _POLICY_FIXTURE_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "value_fixture.h"
#include "learn/clipper_policy.h"
#include "learn/clipper_policy_state.h"


#define K_MAX  CLIPPER_POLICY_MEMBERS
#define NONE   CLIPPER_POLICY_NONE
#define ALL    CLIPPER_POLICY_ALL


typedef struct {
    clipper_policy_conf_t            conf;
    clipper_policy_view_t            view;
    size_t                           size;
    double                           now;
    double                           weight[K_MAX];
    uint64_t                         key[K_MAX];
    double                           app[CLIPPER_POLICY_STATE_MAX];
    double                           user[CLIPPER_POLICY_STATE_MAX];
    double                           delta[CLIPPER_POLICY_STATE_MAX];
    double                           app_rows[
                                          CLIPPER_POLICY_STATE_MAX];
    double                           user_rows[
                                          CLIPPER_POLICY_STATE_MAX];
    clipper_policy_pick_t            pick;
    ngx_uint_t                       same[K_MAX];
    clipper_policy_answers_t         answers;
    ngx_uint_t                       voted;     /* answers are known */
} policy_fixture_t;


/* params: "eta=0.1 half_life=100" or "" */
void fixture_init(policy_fixture_t *f, const char *policy, ngx_uint_t k,
    const char *params);

/* personal: with the user's state */
void fixture_read(policy_fixture_t *f, ngx_uint_t personal);
ngx_int_t fixture_select(policy_fixture_t *f, uint64_t u);

/* feedback about a served member, all up */
ngx_int_t fixture_served(policy_fixture_t *f, ngx_int_t served,
    double propensity, double loss);

/* the answers to the next query */
void fixture_answers(policy_fixture_t *f, uint64_t answered,
    const int *outputs);

/* feedback to an ensemble with some members seen */
ngx_int_t fixture_seen(policy_fixture_t *f, uint64_t seen,
    const double *losses);
void fixture_learn(policy_fixture_t *f);
double *fixture_row(policy_fixture_t *f, double *state, ngx_uint_t i);


#endif /* _POLICY_FIXTURE_H_INCLUDED_ */
