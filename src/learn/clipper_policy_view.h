
/*
 * The data that a policy reads, its choice, and its feedback.
 */


#ifndef _CLIPPER_POLICY_VIEW_H_INCLUDED_
#define _CLIPPER_POLICY_VIEW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_POLICY_MEMBERS   64             /* of one application */

#define CLIPPER_POLICY_ALL       -1             /* no single member is served:
                                                   the answers are combined */
#define CLIPPER_POLICY_NONE      -1.0           /* no propensity */


/*
 * Input and result of the last weights() of a slow policy.  The caller owns
 * one for each set of members, zeroed at first.
 */

typedef struct {
    ngx_uint_t                             n;         /* 0: nothing */
    double                                 in[CLIPPER_POLICY_MEMBERS][2];
    double                                 out[CLIPPER_POLICY_MEMBERS];
} clipper_policy_memo_t;


/*
 * Answers, for policies that look at which members agree.  same[i]: the first
 * member whose answer equals that of member i.
 */

typedef struct {
    uint64_t                               answered;
    const ngx_uint_t                      *same;
} clipper_policy_answers_t;


/*
 * The data that a policy reads; arrays have n elements, or n rows of fields,
 * with the policy's extra rows after those of the application.
 */

typedef struct {
    ngx_uint_t                             n;         /* 1..MEMBERS */
    uint64_t                               up;        /* bit i: has a replica */
    const double                          *weight;    /* of the links, > 0 */
    const uint64_t                        *key;       /* hash of name and
                                                         version, the same in
                                                         all processes; NULL:
                                                         the position */
    const double                          *app;       /* as read() left it;
                                                         NULL: nothing yet */
    const double                          *user;      /* NULL: nothing yet */
    uint64_t                               uid;       /* hash of user and
                                                         application; 0: none */
    clipper_policy_memo_t                 *memo;      /* or NULL */
} clipper_policy_view_t;


typedef struct {
    uint64_t                               ask;       /* members to ask */
    ngx_int_t                              serve;     /* or .._ALL */
    double                                 propensity;/* or .._NONE */
} clipper_policy_pick_t;


/* a query and its label; taken from the record of the query, not drawn again */

typedef struct {
    uint64_t                               up;        /* at its selection */
    uint64_t                               seen;      /* members whose loss
                                                         is known: the one
                                                         served, or those on
                                                         time */
    ngx_int_t                              served;    /* or .._ALL */
    double                                 propensity;
    const double                          *loss;      /* n, in [0,1] if seen */
    const clipper_policy_answers_t        *answers;   /* NULL: not known, or
                                                         nothing to vote on */
} clipper_policy_feedback_t;


#endif /* _CLIPPER_POLICY_VIEW_H_INCLUDED_ */
