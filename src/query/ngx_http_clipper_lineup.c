
/*
 * Line-ups, see the header.
 */


#include "query/ngx_http_clipper_lineup.h"
#include "base/clipper_hash.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_zone.h"


static ngx_uint_t ngx_http_clipper_lineup_fits(
    ngx_http_clipper_lineup_t *lineup, const uint32_t *rows, ngx_uint_t n);
static ngx_http_clipper_lineup_t *ngx_http_clipper_lineup_make(
    ngx_http_clipper_app_t *app, const uint32_t *rows, ngx_uint_t n);
static ngx_http_clipper_lineup_t *ngx_http_clipper_lineup_alloc(
    ngx_http_clipper_app_t *app);
static ngx_uint_t ngx_http_clipper_lineup_named(const u_char *text,
    const ngx_str_t *name);
static void ngx_http_clipper_lineup_member_locked(clipper_zone_t *zone,
    ngx_http_clipper_lineup_t *lineup, ngx_uint_t i,
    ngx_http_clipper_link_t *link, uint32_t row);


/* by the index of the application; the table holds one reference to each */

static ngx_http_clipper_lineup_t  **ngx_http_clipper_lineups;
static ngx_uint_t                   ngx_http_clipper_lineups_n;

const uint64_t  ngx_http_clipper_lineup_public[2] = {
    0x636c697070657221ull, 0x73656c656374696full
};


ngx_int_t
ngx_http_clipper_lineup_init(ngx_cycle_t *cycle)
{
    ngx_http_clipper_lineups_n = ngx_http_clipper_process.conf->apps.nelts;

    ngx_http_clipper_lineups = ngx_pcalloc(cycle->pool,
                                  (ngx_http_clipper_lineups_n + 1)
                                  * sizeof(ngx_http_clipper_lineup_t *));

    return ngx_http_clipper_lineups ? NGX_OK : NGX_ERROR;
}


void
ngx_http_clipper_lineup_done(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_http_clipper_lineups_n; i++) {
        if (ngx_http_clipper_lineups[i]) {
            ngx_http_clipper_lineup_release(ngx_http_clipper_lineups[i]);
        }
    }

    ngx_http_clipper_lineups_n = 0;
}


ngx_http_clipper_lineup_t *
ngx_http_clipper_lineup(ngx_http_clipper_app_t *app)
{
    uint32_t                    rows[CLIPPER_POLICY_MEMBERS];
    ngx_uint_t                  i, n;
    ngx_http_clipper_link_t    *links;
    ngx_http_clipper_lineup_t  *lineup, **present;

    n = app->links.nelts;
    links = app->links.elts;
    present = &ngx_http_clipper_lineups[app->index];

    for (i = 0; i < n; i++) {
        rows[i] = (uint32_t) ngx_http_clipper_model_current(&links[i]);
    }

    if (*present && ngx_http_clipper_lineup_fits(*present, rows, n)) {
        return *present;
    }

    lineup = ngx_http_clipper_lineup_make(app, rows, n);
    if (lineup == NULL) {
        return NULL;
    }

    if (*present) {
        ngx_http_clipper_lineup_release(*present);
    }

    *present = ngx_http_clipper_lineup_hold(lineup);

    return lineup;
}


static ngx_uint_t
ngx_http_clipper_lineup_fits(ngx_http_clipper_lineup_t *lineup,
    const uint32_t *rows, ngx_uint_t n)
{
    ngx_uint_t            i;
    clipper_model_row_t  *models;

    models = ngx_http_clipper_process.zone->models;

    for (i = 0; i < n; i++) {
        if (lineup->rows[i] != rows[i]
            || lineup->gens[i] != __atomic_load_n(&models[rows[i]].gen,
                                                  __ATOMIC_ACQUIRE))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_http_clipper_lineup_t *
ngx_http_clipper_lineup_make(ngx_http_clipper_app_t *app, const uint32_t *rows,
    ngx_uint_t n)
{
    uint64_t                    hash[2];
    ngx_uint_t                  i;
    ngx_http_clipper_link_t    *links;
    clipper_zone_t             *zone;
    ngx_http_clipper_lineup_t  *lineup;

    lineup = ngx_http_clipper_lineup_alloc(app);
    if (lineup == NULL) {
        return NULL;
    }

    zone = ngx_http_clipper_process.zone;
    links = app->links.elts;

    clipper_zone_lock(zone);

    for (i = 0; i < n; i++) {
        ngx_http_clipper_lineup_member_locked(zone, lineup, i, &links[i],
                                              rows[i]);
    }

    clipper_zone_unlock(zone);

    n += app->opt.select.policy->nextra;

    for (i = 0; i < n; i++) {
        clipper_hash_siphash(ngx_http_clipper_lineup_public,
                             lineup->names[i].data,
                             lineup->names[i].len, hash);
        lineup->keys[i] = hash[0] | 1;
    }

    return lineup;
}


static ngx_http_clipper_lineup_t *
ngx_http_clipper_lineup_alloc(ngx_http_clipper_app_t *app)
{
    ngx_uint_t                  i, n, extra;
    ngx_pool_t                 *pool;
    ngx_http_clipper_link_t    *links;
    ngx_http_clipper_lineup_t  *lineup;

    n = app->links.nelts;
    links = app->links.elts;
    extra = app->opt.select.policy->nextra;

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE + sizeof(*lineup),
                           ngx_http_clipper_process.log);
    if (pool == NULL) {
        return NULL;
    }

    lineup = ngx_pcalloc(pool, sizeof(ngx_http_clipper_lineup_t));
    if (lineup == NULL) {
        goto failed;
    }

    lineup->rows = ngx_pcalloc(pool, n * sizeof(uint32_t));
    lineup->gens = ngx_pcalloc(pool, n * sizeof(uint32_t));
    lineup->keys = ngx_pcalloc(pool, (n + extra) * sizeof(uint64_t));
    lineup->names = ngx_pcalloc(pool, (n + extra) * sizeof(ngx_str_t));

    if (lineup->rows == NULL || lineup->gens == NULL || lineup->keys == NULL
        || lineup->names == NULL)
    {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        lineup->names[i].data = ngx_pnalloc(pool, links[i].model->name.len + 1
                                                  + CLIPPER_TEXT);
        if (lineup->names[i].data == NULL) {
            goto failed;
        }
    }

    for (i = 0; i < extra; i++) {
        lineup->names[n + i] = app->opt.select.policy->extra[i];
    }

    lineup->pool = pool;
    lineup->id.app_name = &app->name;
    lineup->id.conf = &app->opt.select;
    lineup->id.n = n;
    lineup->id.key = lineup->keys;
    lineup->id.member_names = lineup->names;

    return lineup;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/*
 * "model:version"; empty for a model without a version, and if the row was
 * given to another model meanwhile
 */

static void
ngx_http_clipper_lineup_member_locked(clipper_zone_t *zone,
    ngx_http_clipper_lineup_t *lineup, ngx_uint_t i,
    ngx_http_clipper_link_t *link, uint32_t row)
{
    ngx_str_t            *name, *model;
    clipper_model_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->models[row];
    model = &link->model->name;

    if (row == 0
        || r->state != CLIPPER_USED
        || !ngx_http_clipper_lineup_named(r->name, model)
        || (link->version
            && !ngx_http_clipper_lineup_named(r->version,
                                              &link->version->version)))
    {
        return;
    }

    name = &lineup->names[i];
    name->len = ngx_sprintf(name->data, "%V:%s", model, r->version)
                - name->data;

    lineup->rows[i] = row;
    lineup->gens[i] = r->gen;
}


static ngx_uint_t
ngx_http_clipper_lineup_named(const u_char *text, const ngx_str_t *name)
{
    return ngx_strlen(text) == name->len
           && ngx_memcmp(text, name->data, name->len) == 0;
}


ngx_http_clipper_lineup_t *
ngx_http_clipper_lineup_hold(ngx_http_clipper_lineup_t *lineup)
{
    lineup->holds++;

    return lineup;
}


void
ngx_http_clipper_lineup_release(ngx_http_clipper_lineup_t *lineup)
{
    if (--lineup->holds == 0) {
        ngx_destroy_pool(lineup->pool);
    }
}
