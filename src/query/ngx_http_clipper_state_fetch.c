
/*
 * Reads of states from Redis, one at a time for each state and worker, and the
 * queries that wait for them.  Waiters are called from a posted event, never
 * from inside hiredis.
 */


#include "query/ngx_http_clipper_state_flow.h"
#include "learn/clipper_policy_table.h"
#include "query/ngx_http_clipper_state_fetch.h"
#include "query/ngx_http_clipper_state_text.h"
#include "query/ngx_http_clipper_state_time.h"


#define NGX_HTTP_CLIPPER_STATE_FETCHES  512     /* in progress */
#define NGX_HTTP_CLIPPER_STATE_BUCKETS  256


typedef struct {
    ngx_http_clipper_redis_call_t     call;
    ngx_queue_t                       queue;
    ngx_queue_t                       waiters;
    uint64_t                          acked;        /* by then */
    ngx_http_clipper_state_name_of_t  name;
    ngx_str_t                         names[];      /* its members' texts and
                                                       keys follow */
} ngx_http_clipper_state_fetch_t;


static ngx_http_clipper_state_fetch_t *ngx_http_clipper_state_fetch_copy(
    const ngx_http_clipper_state_name_of_t *name);
static ngx_http_clipper_state_fetch_t *ngx_http_clipper_state_fetch_find(
    const uint64_t id[2]);
static ngx_int_t ngx_http_clipper_state_fetch_send(
    ngx_http_clipper_state_fetch_t *fetch);
static void ngx_http_clipper_state_fetch_args(
    ngx_http_clipper_state_args_t *args, const clipper_state_who_t *who);
static void ngx_http_clipper_state_fetch_answered(
    ngx_http_clipper_redis_call_t *call, redisReply *reply);
static void ngx_http_clipper_state_fetch_load(
    ngx_http_clipper_state_fetch_t *fetch, redisReply *reply);
static void ngx_http_clipper_state_fetch_tell(ngx_event_t *ev);


static ngx_queue_t  ngx_http_clipper_state_fetches[
                                             NGX_HTTP_CLIPPER_STATE_BUCKETS];
static ngx_uint_t        ngx_http_clipper_state_nfetches;
static ngx_queue_t       ngx_http_clipper_state_told;   /* to be called */
static ngx_event_t       ngx_http_clipper_state_event;
static ngx_connection_t  ngx_http_clipper_state_dummy;


void
ngx_http_clipper_state_fetch_init(ngx_log_t *log)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_CLIPPER_STATE_BUCKETS; i++) {
        ngx_queue_init(&ngx_http_clipper_state_fetches[i]);
    }

    ngx_queue_init(&ngx_http_clipper_state_told);
    ngx_http_clipper_state_nfetches = 0;

    ngx_http_clipper_state_dummy.fd = (ngx_socket_t) -1;
    ngx_http_clipper_state_event.handler = ngx_http_clipper_state_fetch_tell;
    ngx_http_clipper_state_event.data = &ngx_http_clipper_state_dummy;
    ngx_http_clipper_state_event.log = log;
}


void
ngx_http_clipper_state_fetch_done(void)
{
    if (ngx_http_clipper_state_event.posted) {
        ngx_delete_posted_event(&ngx_http_clipper_state_event);
    }
}


ngx_int_t
ngx_http_clipper_state_fetch(const ngx_http_clipper_state_name_of_t *name,
    uint64_t acked)
{
    ngx_int_t                        rc;
    ngx_http_clipper_state_fetch_t  *fetch;

    if (ngx_http_clipper_state_fetch_find(name->who.id)) {
        return NGX_OK;
    }

    if (!ngx_http_clipper_redis_up()
        || ngx_http_clipper_state_nfetches >= NGX_HTTP_CLIPPER_STATE_FETCHES)
    {
        return NGX_DECLINED;
    }

    fetch = ngx_http_clipper_state_fetch_copy(name);
    if (fetch == NULL) {
        return NGX_ERROR;
    }

    fetch->call.handler = ngx_http_clipper_state_fetch_answered;
    fetch->acked = acked;
    ngx_queue_init(&fetch->waiters);

    rc = ngx_http_clipper_state_fetch_send(fetch);

    if (rc != NGX_OK) {
        ngx_free(fetch);
        return rc;
    }

    ngx_queue_insert_tail(&ngx_http_clipper_state_fetches[
                  name->who.id[0] % NGX_HTTP_CLIPPER_STATE_BUCKETS],
                  &fetch->queue);
    ngx_http_clipper_state_nfetches++;

    return NGX_OK;
}


/*
 * With a copy of what the name refers to: Redis may answer when the line-up
 * that has the members is gone.
 */

static ngx_http_clipper_state_fetch_t *
ngx_http_clipper_state_fetch_copy(const ngx_http_clipper_state_name_of_t *name)
{
    size_t                           size;
    u_char                          *p;
    uint32_t                         i, n;
    uint64_t                        *key;
    ngx_http_clipper_state_fetch_t  *fetch;

    n = name->who.n;
    size = sizeof(ngx_http_clipper_state_fetch_t)
           + n * (sizeof(ngx_str_t) + sizeof(uint64_t));

    for (i = 0; i < n; i++) {
        size += name->who.names[i].len;
    }

    fetch = ngx_alloc(size, ngx_http_clipper_state_flow.log);
    if (fetch == NULL) {
        return NULL;
    }

    key = (uint64_t *) &fetch->names[n];
    p = (u_char *) &key[n];

    ngx_memcpy(key, name->who.key, n * sizeof(uint64_t));

    for (i = 0; i < n; i++) {
        fetch->names[i].data = p;
        fetch->names[i].len = name->who.names[i].len;
        p = ngx_cpymem(p, name->who.names[i].data, name->who.names[i].len);
    }

    fetch->name = *name;
    fetch->name.who.owner.data = fetch->name.owner;
    fetch->name.who.uid.data = fetch->name.uid;
    fetch->name.who.key = key;
    fetch->name.who.names = fetch->names;

    return fetch;
}


static ngx_http_clipper_state_fetch_t *
ngx_http_clipper_state_fetch_find(const uint64_t id[2])
{
    ngx_queue_t                     *q, *bucket;
    ngx_http_clipper_state_fetch_t  *fetch;

    bucket = &ngx_http_clipper_state_fetches[
                                     id[0] % NGX_HTTP_CLIPPER_STATE_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        fetch = ngx_queue_data(q, ngx_http_clipper_state_fetch_t, queue);

        if (fetch->name.who.id[0] == id[0] && fetch->name.who.id[1] == id[1]) {
            return fetch;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_clipper_state_fetch_send(ngx_http_clipper_state_fetch_t *fetch)
{
    ngx_int_t                      rc;
    ngx_http_clipper_state_args_t  args;

    ngx_memzero(&args, sizeof(ngx_http_clipper_state_args_t));

    ngx_http_clipper_state_fetch_args(&args, &fetch->name.who);

    if (ngx_http_clipper_state_text_args_make(&args) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_clipper_state_fetch_args(&args, &fetch->name.who);

    rc = ngx_http_clipper_redis_command(&fetch->call, args.argc, args.argv,
                                        args.len);
    ngx_free(args.argv);

    return rc;
}


static void
ngx_http_clipper_state_fetch_args(ngx_http_clipper_state_args_t *args,
    const clipper_state_who_t *who)
{
    uint32_t                 i, k;
    const char              *clock;
    const clipper_policy_t  *policy;

    policy = clipper_policy_table_get(who->policy);

    ngx_http_clipper_state_text_arg(args, "HMGET", 5);
    ngx_http_clipper_state_text_arg_key(args, who->kind, &who->owner,
                                        &who->uid);

    for (i = 0; i < CLIPPER_POLICY_ROWS; i++) {
        clock = ngx_http_clipper_state_text_clocks[i];
        ngx_http_clipper_state_text_arg(args, clock, ngx_strlen(clock));
    }

    ngx_http_clipper_state_text_arg(args, "t1", 2);
    ngx_http_clipper_state_text_arg(args, ngx_http_clipper_state_flow.source,
                                    NGX_HTTP_CLIPPER_STATE_SOURCE_LEN);

    for (i = 0; i < who->n; i++) {
        for (k = 0; k < who->nfields; k++) {
            ngx_http_clipper_state_text_arg_field(args, &who->names[i],
                                                  policy->fields[k]);
        }
    }
}


static void
ngx_http_clipper_state_fetch_answered(ngx_http_clipper_redis_call_t *call,
    redisReply *reply)
{
    ngx_queue_t                     *q;
    ngx_http_clipper_state_fetch_t  *fetch;

    fetch = (ngx_http_clipper_state_fetch_t *) call;

    ngx_queue_remove(&fetch->queue);
    ngx_http_clipper_state_nfetches--;

    if (reply) {
        ngx_http_clipper_state_fetch_load(fetch, reply);
    }

    while (!ngx_queue_empty(&fetch->waiters)) {
        q = ngx_queue_head(&fetch->waiters);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_http_clipper_state_told, q);
    }

    if (!ngx_queue_empty(&ngx_http_clipper_state_told)
        && !ngx_http_clipper_state_event.posted)
    {
        ngx_post_event(&ngx_http_clipper_state_event, &ngx_posted_events);
    }

    ngx_free(fetch);
}


static void
ngx_http_clipper_state_fetch_load(ngx_http_clipper_state_fetch_t *fetch,
    redisReply *reply)
{
    double                 rows[CLIPPER_POLICY_STATE_MAX];
    clipper_state_who_t   *who;
    clipper_state_reply_t  parsed;

    who = &fetch->name.who;

    if (ngx_http_clipper_state_text_parse(reply, 0, &parsed,
                                          who->n * who->nfields, rows)
        != NGX_OK)
    {
        ngx_http_clipper_state_text_error("a read", reply);
        return;
    }

    ngx_http_clipper_state_time_convert(&parsed);

    parsed.acked = fetch->acked;
    parsed.n = who->n;
    parsed.key = who->key;

    (void) clipper_state_table_load(&ngx_http_clipper_state_flow.table, who,
                                    &parsed, clipper_clock_us());
}


/* a handler may cancel other waiters */

static void
ngx_http_clipper_state_fetch_tell(ngx_event_t *ev)
{
    ngx_queue_t                    *q;
    ngx_http_clipper_state_wait_t  *w;

    while (!ngx_queue_empty(&ngx_http_clipper_state_told)) {
        q = ngx_queue_head(&ngx_http_clipper_state_told);
        w = ngx_queue_data(q, ngx_http_clipper_state_wait_t, queue);

        ngx_queue_remove(q);
        w->waiting = 0;
        w->handler(w->data);
    }
}


ngx_int_t
ngx_http_clipper_state_fetch_wait(ngx_http_clipper_state_wait_t *w,
    const ngx_http_clipper_state_id_t *id, const ngx_str_t *uid)
{
    ngx_http_clipper_state_fetch_t   *fetch;
    ngx_http_clipper_state_name_of_t  name;

    if (ngx_http_clipper_state_flow.redis == NULL
        || ngx_http_clipper_state_flow_name(&name, id, uid) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    fetch = ngx_http_clipper_state_fetch_find(name.who.id);

    if (fetch == NULL) {
        return NGX_DECLINED;
    }

    ngx_queue_insert_tail(&fetch->waiters, &w->queue);
    w->waiting = 1;

    return NGX_OK;
}


void
ngx_http_clipper_state_fetch_cancel(ngx_http_clipper_state_wait_t *w)
{
    if (w->waiting) {
        ngx_queue_remove(&w->queue);
        w->waiting = 0;
    }
}
