
/*
 * The answers of several members become one.
 *
 * vote   members with equal values stand together, the group with the largest
 *        weight answers, in the words of its first member.
 * mean   members with equal shapes stand together (numbers in the same places,
 *        all else equal); the group with the largest weight answers with the
 *        weighted mean of each number.  Without numbers it is a vote.
 *
 * Of equal weights the group of the first member wins.  Members without an
 * answer take no part, but they were asked: the confidence is the weight of the
 * members that agree with the answer, divided by the weight of all that were
 * asked.  After a mean, a member agrees to the degree 1 - its loss against the
 * answer if the loss is one of numbers, else fully.
 */


#ifndef _CLIPPER_COMBINE_H_INCLUDED_
#define _CLIPPER_COMBINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "learn/clipper_loss.h"
#include "learn/clipper_policy_type.h"
#include "json/clipper_value.h"


/* a member that was asked */

typedef struct {
    double                      weight;         /* >= 0 */
    unsigned                    answered:1;
    clipper_value_t             value;          /* set if answered */
} clipper_combine_member_t;

typedef struct {
    ngx_str_t                   output;
    ngx_uint_t                  first;          /* of the group */
    uint64_t                    group;          /* bit i: member i is in it */
    double                      confidence;     /* by weight */
    ngx_uint_t                  same[CLIPPER_POLICY_MEMBERS];
                                                /* the first of its group, of
                                                   each that answered */
} clipper_combine_result_t;


/* CLIPPER_POLICY_VOTE or _MEAN for what the policy says */
clipper_policy_combine_e clipper_combine_mode(const clipper_policy_t *policy,
    const clipper_loss_t *loss);

/* bytes that a mean may write, 0 for a vote */
size_t clipper_combine_size(clipper_policy_combine_e mode,
    const clipper_combine_member_t *members, ngx_uint_t n);

/*
 * n is at most CLIPPER_POLICY_MEMBERS.  The output is in dst or belongs to a
 * member; it is JSON unless that member's is raw.  NGX_DECLINED: no member has
 * answered.
 */
ngx_int_t clipper_combine(clipper_policy_combine_e mode,
    const clipper_loss_t *loss, const clipper_combine_member_t *members,
    ngx_uint_t n, u_char *dst, clipper_combine_result_t *result);


#endif /* _CLIPPER_COMBINE_H_INCLUDED_ */
