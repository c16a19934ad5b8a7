
/*
 * The table of policies.  Each policy's file gives its row to it and nothing
 * else, so one header declares them all.
 */


#ifndef _CLIPPER_POLICY_TABLE_H_INCLUDED_
#define _CLIPPER_POLICY_TABLE_H_INCLUDED_


#include "learn/clipper_policy_type.h"


extern const clipper_policy_t  clipper_policy_first;
extern const clipper_policy_t  clipper_policy_split;
extern const clipper_policy_t  clipper_policy_epsilon_greedy;
extern const clipper_policy_t  clipper_policy_ucb;
extern const clipper_policy_t  clipper_policy_thompson;
extern const clipper_policy_t  clipper_policy_exp3;
extern const clipper_policy_t  clipper_policy_exp4;
extern const clipper_policy_t  clipper_policy_majority;
extern const clipper_policy_t  clipper_policy_mean;


/* NULL: no such policy */
const clipper_policy_t  *clipper_policy_table_find(const ngx_str_t *name);

/* the i-th of all, NULL after the last */
const clipper_policy_t  *clipper_policy_table_get(ngx_uint_t i);


#endif /* _CLIPPER_POLICY_TABLE_H_INCLUDED_ */
