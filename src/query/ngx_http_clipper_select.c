
/*
 * Selection, see the header.
 */


#include "query/ngx_http_clipper_select.h"
#include "base/clipper_hash.h"
#include "base/clipper_random.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "query/ngx_http_clipper_state_fetch.h"
#include "learn/clipper_policy.h"
#include <sys/random.h>


static ngx_int_t ngx_http_clipper_select_version(
    ngx_http_clipper_query_t *query, ngx_str_t *version);
static uint64_t ngx_http_clipper_select_up(const uint32_t *rows, ngx_uint_t n,
    ngx_uint_t ready);
static ngx_uint_t ngx_http_clipper_select_learns(
    ngx_http_clipper_query_t *query);
static ngx_int_t ngx_http_clipper_select_inputs(
    ngx_http_clipper_query_t *query, clipper_item_t *items, u_char *data);
static void ngx_http_clipper_select_pick_all(ngx_http_clipper_query_t *query);
static void ngx_http_clipper_select_pick(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer);
static ngx_int_t ngx_http_clipper_select_read(ngx_http_clipper_query_t *query);
static ngx_int_t ngx_http_clipper_select_rows(ngx_http_clipper_query_t *query,
    ngx_str_t *uid, double **rows);
static void ngx_http_clipper_select_loaded(void *data);
static ngx_int_t ngx_http_clipper_select_weigh(ngx_http_clipper_query_t *query,
    clipper_policy_view_t *view);


static clipper_random_t  ngx_http_clipper_select_random;


ngx_int_t
ngx_http_clipper_select_start(ngx_cycle_t *cycle)
{
    u_char  seed[CLIPPER_HASH_SEED];

    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "getrandom() failed");
        return NGX_ERROR;
    }

    clipper_random_init(&ngx_http_clipper_select_random, seed);

    return ngx_http_clipper_lineup_init(cycle);
}


ngx_int_t
ngx_http_clipper_select_init(ngx_http_clipper_query_t *query,
    ngx_str_t *version)
{
    ngx_int_t                      rc;
    ngx_http_clipper_lineup_t     *lineup;
    ngx_http_clipper_selection_t  *sel;

    sel = ngx_pcalloc(query->pool, sizeof(ngx_http_clipper_selection_t));
    if (sel == NULL) {
        return NGX_ERROR;
    }

    query->selection = sel;

    sel->n = query->app->links.nelts;

    if (sel->n == 0) {
        return version ? NGX_DECLINED : NGX_OK;
    }

    if (version) {
        rc = ngx_http_clipper_select_version(query, version);
        if (rc != NGX_OK) {
            return rc;
        }

    } else {
        lineup = ngx_http_clipper_lineup(query->app);
        if (lineup == NULL) {
            return NGX_ERROR;
        }

        sel->lineup = ngx_http_clipper_lineup_hold(lineup);
        sel->rows = lineup->rows;
        sel->gens = lineup->gens;
        sel->names = lineup->names;
    }

    sel->up = ngx_http_clipper_select_up(sel->rows, sel->n, 1);

    /* if no model has a replica, any of them may get one in time */

    if (sel->up == 0) {
        sel->up = ngx_http_clipper_select_up(sel->rows, sel->n, 0);
    }

    return NGX_OK;
}


/* NGX_DECLINED: the version does not exist */

static ngx_int_t
ngx_http_clipper_select_version(ngx_http_clipper_query_t *query,
    ngx_str_t *version)
{
    ngx_str_t                     *name, *model;
    ngx_http_clipper_link_t       *link;
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;
    link = query->app->links.elts;
    model = &link->model->name;

    sel->n = 1;
    sel->rows = ngx_palloc(query->pool, sizeof(uint32_t));
    sel->gens = ngx_palloc(query->pool, sizeof(uint32_t));
    sel->names = ngx_palloc(query->pool, sizeof(ngx_str_t));

    if (sel->rows == NULL || sel->gens == NULL || sel->names == NULL) {
        return NGX_ERROR;
    }

    sel->rows[0] = ngx_http_clipper_model_version(link, version,
                                                  &sel->gens[0]);
    if (sel->rows[0] == 0) {
        return NGX_DECLINED;
    }

    name = &sel->names[0];
    name->data = ngx_pnalloc(query->pool, model->len + 1 + version->len);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    name->len = ngx_sprintf(name->data, "%V:%V", model, version) - name->data;

    return NGX_OK;
}


void
ngx_http_clipper_select_release(ngx_http_clipper_query_t *query)
{
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    if (sel && sel->lineup) {
        ngx_http_clipper_lineup_release(sel->lineup);
        sel->lineup = NULL;
    }
}


/* the members that have a version, with `ready` also a replica */

static uint64_t
ngx_http_clipper_select_up(const uint32_t *rows, ngx_uint_t n,
    ngx_uint_t ready)
{
    uint64_t              up;
    ngx_uint_t            i;
    clipper_model_row_t  *models;

    models = ngx_http_clipper_process.zone->models;
    up = 0;

    for (i = 0; i < n; i++) {
        if (rows[i] && (!ready || models[rows[i]].replicas)) {
            up |= (uint64_t) 1 << i;
        }
    }

    return up;
}


/* --- the state --- */


/* the policy learns from feedback */

static ngx_uint_t
ngx_http_clipper_select_learns(ngx_http_clipper_query_t *query)
{
    return query->selection->lineup && query->app->opt.select.policy->observe;
}


ngx_int_t
ngx_http_clipper_select_choose(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data,
    ngx_http_clipper_query_handler_pt chosen)
{
    ngx_int_t                      rc;
    uint64_t                       now_us;
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    if (ngx_http_clipper_select_learns(query)
        && ngx_http_clipper_select_inputs(query, items, data) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_clipper_select_load(query);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    sel->chosen = chosen;
    sel->wait.handler = ngx_http_clipper_select_loaded;
    sel->wait.data = query;

    if (rc == NGX_OK
        || ngx_http_clipper_state_fetch_wait(&sel->wait, &sel->lineup->id,
                                             &query->uid)
           != NGX_OK)
    {
        ngx_http_clipper_select_pick_all(query);
        return NGX_OK;
    }

    /*
     * a query waits for its user's state for at most a tenth of its time
     */

    sel->timer.handler = ngx_http_clipper_select_loaded;
    sel->timer.data = query;

    now_us = clipper_clock_us();
    ngx_http_clipper_timer_add(&sel->timer,
                               now_us + (uint64_t) query->app->opt.slo * 100);

    return NGX_AGAIN;
}


/* the digests of the inputs, before they are overwritten */

static ngx_int_t
ngx_http_clipper_select_inputs(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data)
{
    ngx_uint_t                     i;
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    sel->inputs = ngx_palloc(query->pool, query->n * sizeof(*sel->inputs) + 1);
    if (sel->inputs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < query->n; i++) {
        ngx_http_clipper_select_input(query, data + items[i].offset,
                                      items[i].len, sel->inputs[i]);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_clipper_select_load(ngx_http_clipper_query_t *query)
{
    uint64_t                       salt[3];
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    if (query->uid.len) {
        salt[0] = query->app->row;
        salt[1] = 0x757365720000ull;                            /* "user" */
        salt[2] = 0;

        clipper_hash_digest(&ngx_http_clipper_process.zone->header->key, salt,
                            query->uid.data, query->uid.len, sel->user_key);

        clipper_hash_siphash(ngx_http_clipper_lineup_public, query->uid.data,
                             query->uid.len, salt);
        sel->uid = salt[0] | 1;
    }

    return ngx_http_clipper_select_learns(query)
           ? ngx_http_clipper_select_read(query) : NGX_OK;
}


static void
ngx_http_clipper_select_loaded(void *data)
{
    ngx_http_clipper_query_t *query = data;

    ngx_http_clipper_select_cancel(query);
    (void) ngx_http_clipper_select_read(query);

    ngx_http_clipper_select_pick_all(query);

    query->selection->chosen(query);
}


void
ngx_http_clipper_select_cancel(ngx_http_clipper_query_t *query)
{
    if (query->selection) {
        ngx_http_clipper_timer_del(&query->selection->timer);
        ngx_http_clipper_state_fetch_cancel(&query->selection->wait);
    }
}


/*
 * NGX_AGAIN: the state that the choice follows is on its way: the user's, of a
 * query without a user the application's.
 */

static ngx_int_t
ngx_http_clipper_select_read(ngx_http_clipper_query_t *query)
{
    ngx_int_t                      rc;
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    rc = ngx_http_clipper_select_rows(query, NULL, &sel->app);

    if (rc == NGX_ERROR || query->uid.len == 0) {
        return rc;
    }

    return ngx_http_clipper_select_rows(query, &query->uid, &sel->user);
}


/* NGX_AGAIN: the state is on its way; the rows have what is known without it */

static ngx_int_t
ngx_http_clipper_select_rows(ngx_http_clipper_query_t *query, ngx_str_t *uid,
    double **rows)
{
    double                      vec[CLIPPER_POLICY_STATE_MAX];
    size_t                      size;
    ngx_int_t                   rc;
    ngx_http_clipper_lineup_t  *lineup;

    lineup = query->selection->lineup;
    size = clipper_policy_state_size(query->app->opt.select.policy,
                                     lineup->id.n);

    rc = ngx_http_clipper_state_get(&lineup->id, uid, vec);

    /* a new user has zeroes; a user whose state is not here yet has no state */

    if (rc == NGX_AGAIN && uid) {
        return NGX_AGAIN;
    }

    if (*rows == NULL) {
        *rows = ngx_palloc(query->pool, size * sizeof(double));
        if (*rows == NULL) {
            return NGX_ERROR;
        }
    }

    clipper_policy_state_read(vec, size, clipper_clock_boot(), *rows);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


void
ngx_http_clipper_select_input(ngx_http_clipper_query_t *query,
    const u_char *data, size_t len, uint64_t key[2])
{
    uint64_t  salt[3];

    salt[0] = query->app->row;
    salt[1] = 0x696e70757400ull;                                /* "input" */
    salt[2] = query->app->opt.input_type;

    clipper_hash_digest(&ngx_http_clipper_process.zone->header->key, salt, data,
                        len, key);
}


/* --- the choice --- */


void
ngx_http_clipper_select_view(ngx_http_clipper_query_t *query,
    clipper_policy_view_t *view)
{
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    view->n = sel->n;
    view->up = sel->up;
    view->weight = query->app->weights;
    view->key = sel->lineup ? sel->lineup->keys : NULL;
    view->app = sel->app;
    view->user = sel->user;
    view->uid = sel->uid;
    view->memo = sel->lineup ? &sel->lineup->memo : NULL;
}


/*
 * Some policies compute the probability of a choice by an integral: only on
 * demand, and it is remembered.
 */

double
ngx_http_clipper_select_propensity(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer)
{
    clipper_policy_view_t   view;
    const clipper_policy_t  *policy;

    policy = query->app->opt.select.policy;

    if (answer->propensity < 0 && answer->served >= 0
        && query->selection->lineup && query->selection->n > 1
        && (policy->flags & CLIPPER_POLICY_SLOW))
    {
        ngx_http_clipper_select_view(query, &view);

        if (ngx_http_clipper_select_weigh(query, &view) == NGX_OK) {
            answer->propensity = query->selection->weights[answer->served];
        }
    }

    return answer->propensity;
}


static void
ngx_http_clipper_select_pick_all(ngx_http_clipper_query_t *query)
{
    ngx_uint_t  i;

    for (i = 0; i < query->n; i++) {
        ngx_http_clipper_select_pick(query, &query->answers[i]);
    }
}


static void
ngx_http_clipper_select_pick(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer)
{
    ngx_http_clipper_selection_t  *sel;
    clipper_policy_pick_t          pick;
    clipper_policy_view_t          view;

    sel = query->selection;

    answer->confidence = -1;
    answer->propensity = -1;
    answer->served = -1;

    if (sel->n == 0) {
        return;
    }

    /* a single candidate is asked anyway, even if only the cache can answer */

    answer->asked = 1;
    answer->served = 0;

    if (sel->n == 1) {
        answer->propensity = sel->lineup ? 1 : -1;
        return;
    }

    ngx_http_clipper_select_view(query, &view);

    if (query->everybody) {
        answer->asked = sel->up;
        answer->served = -1;
        return;
    }

    if (clipper_policy_select(&query->app->opt.select, &view,
                 clipper_random_u64(&ngx_http_clipper_select_random),
                 &pick)
        != NGX_OK)
    {
        return;
    }

    if (pick.serve == CLIPPER_POLICY_ALL
        && ngx_http_clipper_select_weigh(query, &view) != NGX_OK)
    {
        return;
    }

    answer->asked = pick.ask;
    answer->served = pick.serve;
    answer->propensity = pick.propensity;
}


/* the weights of the answers of an ensemble */

static ngx_int_t
ngx_http_clipper_select_weigh(ngx_http_clipper_query_t *query,
    clipper_policy_view_t *view)
{
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    if (sel->weights) {
        return NGX_OK;
    }

    sel->weights = ngx_palloc(query->pool, sel->n * sizeof(double));
    if (sel->weights == NULL) {
        return NGX_ERROR;
    }

    clipper_policy_weights(&query->app->opt.select, view, sel->weights);

    return NGX_OK;
}


const ngx_http_clipper_lineup_t *
ngx_http_clipper_select_shares(ngx_http_clipper_app_t *app, double *shares)
{
    double                           rows[CLIPPER_POLICY_STATE_MAX],
                                     vec[CLIPPER_POLICY_STATE_MAX];
    ngx_http_clipper_lineup_t  *lineup;
    clipper_policy_view_t       view;

    lineup = ngx_http_clipper_lineup(app);
    if (lineup == NULL) {
        return NULL;
    }

    ngx_memzero(&view, sizeof(clipper_policy_view_t));

    view.n = lineup->id.n;
    view.up = ngx_http_clipper_select_up(lineup->rows, view.n, 1);
    view.weight = app->weights;
    view.key = lineup->keys;
    view.memo = &lineup->memo;

    if (app->opt.select.policy->observe) {
        (void) ngx_http_clipper_state_get(&lineup->id, NULL, vec);

        clipper_policy_state_read(vec,
                clipper_policy_state_size(app->opt.select.policy, view.n),
                clipper_clock_boot(), rows);
        view.app = rows;
    }

    clipper_policy_weights(&app->opt.select, &view, shares);

    return lineup;
}
