
/*
 * What each policy's file gives to the table of clipper_policy.c: its row, and
 * nothing else.  One header for all of them: a policy has no caller of its own.
 */


#ifndef _CLIPPER_POLICY_TABLE_H_INCLUDED_
#define _CLIPPER_POLICY_TABLE_H_INCLUDED_


#include "learn/clipper_policy.h"


extern const clipper_policy_t  clipper_policy_first;
extern const clipper_policy_t  clipper_policy_split;
extern const clipper_policy_t  clipper_policy_epsilon_greedy;
extern const clipper_policy_t  clipper_policy_ucb;
extern const clipper_policy_t  clipper_policy_thompson;
extern const clipper_policy_t  clipper_policy_exp3;
extern const clipper_policy_t  clipper_policy_exp4;
extern const clipper_policy_t  clipper_policy_majority;
extern const clipper_policy_t  clipper_policy_mean;


#endif /* _CLIPPER_POLICY_TABLE_H_INCLUDED_ */
