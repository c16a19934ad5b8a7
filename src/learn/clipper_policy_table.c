
/*
 * The table of policies, see the header.
 */


#include "learn/clipper_policy_table.h"


static const clipper_policy_t  *clipper_policy_table[] = {
    &clipper_policy_first,
    &clipper_policy_split,
    &clipper_policy_epsilon_greedy,
    &clipper_policy_ucb,
    &clipper_policy_thompson,
    &clipper_policy_exp3,
    &clipper_policy_exp4,
    &clipper_policy_majority,
    &clipper_policy_mean,
    NULL
};


const clipper_policy_t *
clipper_policy_table_find(const ngx_str_t *name)
{
    ngx_uint_t               i;
    const clipper_policy_t  *policy;

    for (i = 0; clipper_policy_table[i]; i++) {
        policy = clipper_policy_table[i];

        if (policy->name.len == name->len
            && ngx_memcmp(policy->name.data, name->data, name->len) == 0)
        {
            return policy;
        }
    }

    return NULL;
}


const clipper_policy_t *
clipper_policy_table_get(ngx_uint_t i)
{
    if (i >= sizeof(clipper_policy_table) / sizeof(void *)) {
        return NULL;
    }

    return clipper_policy_table[i];
}
