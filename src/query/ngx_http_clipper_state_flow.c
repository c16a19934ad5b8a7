
/*
 * The state of a worker's part "state", and the name of a row, see the header.
 */


#include "query/ngx_http_clipper_state_flow.h"
#include "learn/clipper_policy_table.h"


static uint32_t ngx_http_clipper_state_flow_policy(
    const clipper_policy_t *policy);
static void ngx_http_clipper_state_flow_uid(
    ngx_http_clipper_state_name_of_t *name, const ngx_str_t *uid);


ngx_http_clipper_state_t  ngx_http_clipper_state_flow;


ngx_int_t
ngx_http_clipper_state_flow_name(ngx_http_clipper_state_name_of_t *name,
    const ngx_http_clipper_state_id_t *id, const ngx_str_t *uid)
{
    u_char                  *p, digest[CLIPPER_STATE_NAME
                                       + CLIPPER_STATE_UID + 2];
    const clipper_policy_t  *policy;

    policy = id->conf->policy;

    if (policy->nfields == 0
        || id->app_name->len + 1 + policy->name.len > CLIPPER_STATE_NAME)
    {
        return NGX_DECLINED;
    }

    p = ngx_cpymem(name->owner, id->app_name->data, id->app_name->len);
    *p++ = ':';
    p = ngx_cpymem(p, policy->name.data, policy->name.len);

    name->who.owner.data = name->owner;
    name->who.owner.len = p - name->owner;
    name->who.policy = ngx_http_clipper_state_flow_policy(policy);
    name->who.nfields = (uint32_t) policy->nfields;
    name->who.n = (uint32_t) id->n;
    name->who.key = id->key;
    name->who.names = id->member_names;

    ngx_http_clipper_state_flow_uid(name, uid);

    if (name->who.kind == CLIPPER_STATE_APP) {
        name->who.n += (uint32_t) policy->nextra;
    }

    p = ngx_cpymem(digest, name->owner, name->who.owner.len);
    *p++ = '\0';
    *p++ = (u_char) name->who.kind;
    p = ngx_cpymem(p, name->uid, name->who.uid.len);

    clipper_hash_siphash(ngx_http_clipper_process.zone->header->key.sip, digest,
                         p - digest, name->who.id);

    return NGX_OK;
}


static uint32_t
ngx_http_clipper_state_flow_policy(const clipper_policy_t *policy)
{
    uint32_t  i;

    for (i = 0; clipper_policy_table_get(i) != policy; i++) { /* void */ }

    return i;
}


static void
ngx_http_clipper_state_flow_uid(ngx_http_clipper_state_name_of_t *name,
    const ngx_str_t *uid)
{
    u_char      hash[20];
    ngx_sha1_t  sha1;

    name->who.uid.data = name->uid;
    name->who.uid.len = 0;

    if (uid == NULL || uid->len == 0) {
        name->who.kind = CLIPPER_STATE_APP;
        return;
    }

    if (uid->len <= CLIPPER_STATE_UID) {
        name->who.kind = CLIPPER_STATE_USER;
        name->who.uid.len = uid->len;
        ngx_memcpy(name->uid, uid->data, uid->len);
        return;
    }

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, uid->data, uid->len);
    ngx_sha1_final(hash, &sha1);

    name->who.kind = CLIPPER_STATE_DIGEST;
    name->who.uid.len = NGX_HTTP_CLIPPER_STATE_DIGEST_LEN;
    (void) ngx_hex_dump(name->uid, hash, sizeof(hash));
}
