
/*
 * Selection policies: which members of an application are asked, which one is
 * served, how the answers of several weigh, and what feedback teaches.
 *
 * A policy is pure: time, randomness, and what is known about the members are
 * arguments, what it learns is a vector of doubles that is only added to
 * (clipper_policy_state.h).  It sees members by position; the caller
 * keeps positions and interned names together.  Nothing is allocated, locked
 * or blocked on, so every function may be called with a copy of a state
 * outside of all locks.
 */


#ifndef _CLIPPER_POLICY_H_INCLUDED_
#define _CLIPPER_POLICY_H_INCLUDED_


#include "learn/clipper_policy_type.h"


/* u: 64 random bits.  NGX_DECLINED: no member is up */
ngx_int_t clipper_policy_select(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, uint64_t u,
    clipper_policy_pick_t *pick);

/* the weights() of the policy; all 0 if no member is up */
void clipper_policy_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights);

/*
 * What one feedback at `now` (seconds) changes: a delta with the layout of a
 * state, to be added to the application's state and, if there is a user, to
 * the user's, each at its own clock of feedbacks (clipper_policy_state_learn(),
 * clipper_state_table_add()).  The view's app and user are those of the
 * feedback's time; its up is not used.  NGX_DECLINED: nothing is learned from
 * this one.
 */
ngx_int_t clipper_policy_observe(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view,
    const clipper_policy_feedback_t *feedback, double now, double *delta);


/* as the function of the table; `first` is a member whose answer was taken */
double clipper_policy_confidence(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_answers_t *answers,
    ngx_uint_t first, double share);


#endif /* _CLIPPER_POLICY_H_INCLUDED_ */
