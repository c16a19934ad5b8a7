
/*
 * A policy: its row of functions, its parameters, and their values in a
 * configuration.
 *
 * A new policy is one file, its line in clipper_policy_table.h, and that line's
 * name in the table of clipper_policy_table.c.
 */


#ifndef _CLIPPER_POLICY_TYPE_H_INCLUDED_
#define _CLIPPER_POLICY_TYPE_H_INCLUDED_


#include "learn/clipper_policy_view.h"


#define CLIPPER_POLICY_FIELDS    4              /* of one member, at most */
#define CLIPPER_POLICY_EXTRA     16             /* rows beside the members', at
                                                   most */
#define CLIPPER_POLICY_CELLS     (CLIPPER_POLICY_MEMBERS + CLIPPER_POLICY_EXTRA)
#define CLIPPER_POLICY_PARAMS    6              /* of one policy, at most */


/* how the answers of several members become one */

typedef enum {
    CLIPPER_POLICY_SERVE = 0,                   /* only one is asked */
    CLIPPER_POLICY_VOTE,
    CLIPPER_POLICY_MEAN,
    CLIPPER_POLICY_BY_LOSS                      /* mean where the loss is one
                                                   of numbers, else vote */
} clipper_policy_combine_e;


/* flags of a policy */

#define CLIPPER_POLICY_WEIGHTED  0x01           /* uses the links' weights */
#define CLIPPER_POLICY_ASKS      0x02           /* learns from every member's
                                                   loss: for feedback without
                                                   a record all are asked */
#define CLIPPER_POLICY_SLOW      0x04           /* weights() is an integral:
                                                   give it a memo */


typedef struct clipper_policy_s  clipper_policy_t;

typedef enum {
    CLIPPER_POLICY_NUMBER = 0,
    CLIPPER_POLICY_HALF_LIFE                    /* a time or `off`, and behind
                                                   a bar feedbacks */
} clipper_policy_param_e;

typedef struct {
    ngx_str_t                              name;
    clipper_policy_param_e                 type;
    double                                 value;     /* unless given */
    double                                 min;
    double                                 max;
    unsigned                               open:1;    /* min is not allowed */
    double                                 feedbacks; /* the same of these */
} clipper_policy_param_t;


/* `clipper_select POLICY [PARAM=VALUE...]`, plain data */

typedef struct {
    const clipper_policy_t                *policy;
    double                                 lambda;    /* decay, per second */
    double                                 mu;        /* per feedback */
    double                                 param[CLIPPER_POLICY_PARAMS];
} clipper_policy_conf_t;


/*
 * The table of functions.  weights(): the probability that each member is
 * served, or its weight in an ensemble; they sum to 1 over view->up, others are
 * 0.  select(): NULL means one draw from weights(), or to ask all.  observe():
 * adds to the zeroed rows of a delta; NULL: learns nothing.  confidence(): how
 * likely the answer of a group of members is right, given its share of the
 * weights; NULL: that share.  They are called with a view that has a member up.
 */

struct clipper_policy_s {
    ngx_str_t                              name;
    ngx_uint_t                             links;     /* needs at least */
    ngx_uint_t                             flags;
    clipper_policy_combine_e               combine;
    ngx_uint_t                             nfields;   /* 0: no state */
    const char                            *fields[CLIPPER_POLICY_FIELDS];
    ngx_uint_t                             nextra;    /* rows of the fields,
                                                         only of applications */
    const ngx_str_t                       *extra;     /* names that no member
                                                         can have */
    const clipper_policy_param_t          *params;    /* ends with no name */

    void                                 (*weights)(
                              const clipper_policy_conf_t *conf,
                              const clipper_policy_view_t *view,
                              double *weights);
    void                                 (*select)(
                              const clipper_policy_conf_t *conf,
                              const clipper_policy_view_t *view,
                              uint64_t u,
                              clipper_policy_pick_t *pick);
    ngx_int_t                            (*observe)(
                              const clipper_policy_conf_t *conf,
                              const clipper_policy_view_t *view,
                              const clipper_policy_feedback_t *fb,
                              double *rows);
    double                               (*confidence)(
                              const clipper_policy_conf_t *conf,
                              const clipper_policy_view_t *view,
                              const clipper_policy_answers_t *answers,
                              ngx_uint_t first, double share);
};


#endif /* _CLIPPER_POLICY_TYPE_H_INCLUDED_ */
