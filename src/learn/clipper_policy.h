
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
 *
 * A new policy is one file, its line in clipper_policy_table.h, and that line's
 * name in the table of clipper_policy.c.
 */


#ifndef _CLIPPER_POLICY_H_INCLUDED_
#define _CLIPPER_POLICY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_POLICY_MEMBERS   64             /* of one application */
#define CLIPPER_POLICY_FIELDS    4              /* of one member, at most */
#define CLIPPER_POLICY_EXTRA     16             /* rows beside the members', at
                                                   most */
#define CLIPPER_POLICY_CELLS                                                  \
    (CLIPPER_POLICY_MEMBERS + CLIPPER_POLICY_EXTRA)
#define CLIPPER_POLICY_PARAMS    6              /* of one policy, at most */
#define CLIPPER_POLICY_ERR_LEN   160            /* of an error's text */

#define CLIPPER_POLICY_ALL       -1             /* no single member is served:
                                                   the answers are combined */
#define CLIPPER_POLICY_NONE      -1.0           /* no propensity */


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
    double                                 param[
                                           CLIPPER_POLICY_PARAMS];
} clipper_policy_conf_t;


/*
 * Input and result of the last weights() of a slow policy.  The caller owns
 * one for each set of members, zeroed at first.
 */

typedef struct {
    ngx_uint_t                             n;         /* 0: nothing */
    double                                 in[
                                         CLIPPER_POLICY_MEMBERS][2];
    double                                 out[
                                         CLIPPER_POLICY_MEMBERS];
} clipper_policy_memo_t;


/*
 * Answers, for policies that look at which members agree.  same[i]: the first
 * member with an answer equal to that of member i, of those who have one.
 */

typedef struct {
    uint64_t                               answered;
    const ngx_uint_t                      *same;
} clipper_policy_answers_t;


/*
 * What a policy looks at; arrays have n elements, or n rows of fields, with
 * the policy's extra rows behind those of the application.
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


/*
 * The table of functions.  weights(): the probability of each member to be
 * served, or of an ensemble its weight; they sum to 1 over view->up, others
 * are 0.  select(): NULL means one draw from weights(), or to ask all.
 * observe(): adds to the zeroed rows of a delta; NULL: learns nothing.
 * confidence(): how likely the answer of a group of members is right, given
 * its share of the weights; NULL: that share.  They are called with a view that
 * has a member up.
 */

struct clipper_policy_s {
    ngx_str_t                              name;
    ngx_uint_t                             links;     /* needs at least */
    ngx_uint_t                             flags;
    clipper_policy_combine_e               combine;
    ngx_uint_t                             nfields;   /* 0: no state */
    const char                            *fields[
                                           CLIPPER_POLICY_FIELDS];
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


/* sets every parameter to its default */
void clipper_policy_conf_init(clipper_policy_conf_t *conf,
    const clipper_policy_t *policy);

/*
 * NGX_ERROR: unknown, malformed or out of range, with a text such as
 * `parameter "eta" must be in (0, 10]` and a NUL in err.
 */
ngx_int_t clipper_policy_param_set(clipper_policy_conf_t *conf,
    const ngx_str_t *name, const ngx_str_t *value,
    char err[CLIPPER_POLICY_ERR_LEN]);

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


/* for policies: weights() from the weights of the links alone */
void clipper_policy_link_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights);

/* for policies: the member that u in [0,1) selects, with its propensity */
void clipper_policy_draw(const double *weights, ngx_uint_t n, double u,
    clipper_policy_pick_t *pick);

/*
 * For policies that draw: no member that is up is less likely than the floor,
 * or than one of k if that is less.  The first does it to their weights; the
 * second, by u in [0,1), to a choice whose weights nobody computes: 0, or who
 * is served for the sake of the floor.
 */
void clipper_policy_floor(const clipper_policy_view_t *view, double floor,
    double *weights);
ngx_uint_t clipper_policy_floor_draw(const clipper_policy_view_t *view,
    double floor, double u, clipper_policy_pick_t *pick);

/*
 * for policies: a double in [0,1) from 64 random bits; the next 64 of a state
 */
double clipper_policy_uniform(uint64_t u);
uint64_t clipper_policy_mix(uint64_t *state);


#endif /* _CLIPPER_POLICY_H_INCLUDED_ */
