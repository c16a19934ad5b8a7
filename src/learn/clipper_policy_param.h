
/*
 * The parameters of policies: their defaults, and what a configuration sets.
 */


#ifndef _CLIPPER_POLICY_PARAM_H_INCLUDED_
#define _CLIPPER_POLICY_PARAM_H_INCLUDED_


#include "learn/clipper_policy_type.h"


#define CLIPPER_POLICY_ERR_LEN  160             /* of an error's text */


/* sets every parameter to its default */
void clipper_policy_param_init(clipper_policy_conf_t *conf,
    const clipper_policy_t *policy);

/*
 * NGX_ERROR: err says what is wrong, such as `parameter "eta" must be in
 * (0, 10]`, with a NUL.
 */
ngx_int_t clipper_policy_param_set(clipper_policy_conf_t *conf,
    const ngx_str_t *name, const ngx_str_t *value,
    char err[CLIPPER_POLICY_ERR_LEN]);


#endif /* _CLIPPER_POLICY_PARAM_H_INCLUDED_ */
