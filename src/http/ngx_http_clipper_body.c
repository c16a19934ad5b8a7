
/*
 * The scanner reads nginx's memory buffers in place; a body in a file is
 * mapped while it is scanned.
 */


#include "http/ngx_http_clipper_body.h"
#include "base/clipper_inflate.h"
#include "http/ngx_http_clipper_coding.h"
#include "json/clipper_input_binary.h"
#include <sys/mman.h>


#define NGX_HTTP_CLIPPER_BODY_SEGMENTS  16              /* without allocation */
#define NGX_HTTP_CLIPPER_BODY_CAP       ((size_t) 1 << 30)
#define NGX_HTTP_CLIPPER_BODY_KEEP      (4 * 1024 * 1024)


/* a mapped file */

typedef struct {
    u_char    *addr;
    size_t     size;
} ngx_http_clipper_map_t;


static void ngx_http_clipper_body_read(ngx_http_request_t *r,
    ngx_http_clipper_app_t *app, ngx_uint_t mode, ngx_uint_t coding,
    clipper_segment_t *segments, ngx_uint_t n);
static ngx_int_t ngx_http_clipper_body_unpack(ngx_http_clipper_app_t *app,
    ngx_uint_t mode, ngx_uint_t coding, clipper_segment_t *segments,
    ngx_uint_t n);
static void ngx_http_clipper_body_binary(ngx_http_request_t *r,
    const clipper_input_conf_t *conf, ngx_uint_t form,
    clipper_segment_t *segments, ngx_uint_t n);
static ngx_int_t ngx_http_clipper_body_segment(ngx_http_request_t *r,
    ngx_buf_t *b, clipper_segment_t *segment, ngx_http_clipper_map_t *map);


static clipper_input_t    ngx_http_clipper_body_input;
static clipper_inflate_t  ngx_http_clipper_body_inflate;
static clipper_scratch_t  ngx_http_clipper_body_unpacked;
static ngx_uint_t         ngx_http_clipper_body_ready;


clipper_input_t *
ngx_http_clipper_body_scan(ngx_http_request_t *r, ngx_http_clipper_app_t *app,
    ngx_uint_t mode, ngx_uint_t coding)
{
    ngx_uint_t              n;
    ngx_chain_t            *cl, *bufs;
    ngx_http_clipper_map_t  map;
    clipper_segment_t       few[NGX_HTTP_CLIPPER_BODY_SEGMENTS];
    clipper_segment_t      *segments;
    clipper_input_t        *in;

    in = &ngx_http_clipper_body_input;

    if (!ngx_http_clipper_body_ready) {
        clipper_input_init(in, NGX_HTTP_CLIPPER_BODY_CAP);
        ngx_http_clipper_body_unpacked.cap = NGX_HTTP_CLIPPER_BODY_CAP;
        ngx_http_clipper_body_ready = 1;
    }

    bufs = r->request_body ? r->request_body->bufs : NULL;

    for (n = 0, cl = bufs; cl; cl = cl->next) {
        n++;
    }

    segments = few;

    if (n > NGX_HTTP_CLIPPER_BODY_SEGMENTS) {
        segments = ngx_palloc(r->pool, n * sizeof(clipper_segment_t));
        if (segments == NULL) {
            return NULL;
        }
    }

    map.addr = NULL;

    for (n = 0, cl = bufs; cl; cl = cl->next) {
        if (ngx_http_clipper_body_segment(r, cl->buf, &segments[n++], &map)
            != NGX_OK)
        {
            in = NULL;
            goto done;
        }
    }

    ngx_http_clipper_body_read(r, app, mode, coding, segments, n);

done:

    if (map.addr && munmap(map.addr, map.size) == -1) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, ngx_errno,
                      "munmap(%p, %uz) failed", map.addr, map.size);
    }

    return in;
}


static void
ngx_http_clipper_body_read(ngx_http_request_t *r, ngx_http_clipper_app_t *app,
    ngx_uint_t mode, ngx_uint_t coding, clipper_segment_t *segments,
    ngx_uint_t n)
{
    ngx_uint_t            form;
    clipper_segment_t     whole;
    clipper_input_conf_t  conf;

    if (coding) {
        if (ngx_http_clipper_body_unpack(app, mode, coding, segments, n)
            != NGX_OK)
        {
            return;
        }

        whole.pos = ngx_http_clipper_body_unpacked.start;
        whole.last = whole.pos + ngx_http_clipper_body_unpacked.len;
        segments = &whole;
        n = 1;
    }

    conf.type = app->opt.input_type;
    conf.strict = app->opt.strict;
    conf.nulls = app->opt.nulls;
    conf.max_batch = app->opt.limits.batch;
    conf.max_elements = app->opt.limits.elements;
    conf.max_depth = app->opt.limits.depth;

    form = app->opt.binary && mode == CLIPPER_INPUT_PREDICT
           ? ngx_http_clipper_coding_form(r) : 0;

    if (form) {
        ngx_http_clipper_body_binary(r, &conf, form, segments, n);
        return;
    }

    (void) clipper_input_scan(&ngx_http_clipper_body_input, &conf, mode,
                              segments, n);
}


/* NGX_ERROR: the error is in the result */

static ngx_int_t
ngx_http_clipper_body_unpack(ngx_http_clipper_app_t *app, ngx_uint_t mode,
    ngx_uint_t coding, clipper_segment_t *segments, ngx_uint_t n)
{
    size_t            offset;
    ngx_int_t         rc;
    clipper_input_t  *in;

    in = &ngx_http_clipper_body_input;
    ngx_http_clipper_body_unpacked.len = 0;

    rc = clipper_inflate(&ngx_http_clipper_body_inflate, coding, segments, n,
                         app->opt.decompress, &ngx_http_clipper_body_unpacked,
                         &offset);
    if (rc == NGX_OK) {
        return NGX_OK;
    }

    clipper_input_clear(in, mode);

    switch (rc) {

    case NGX_DECLINED:
        clipper_input_fail(in, CLIPPER_INPUT_SCHEMA, CLIPPER_INPUT_BODY, 0);
        in->error.offset = offset;
        in->error.reason = coding == CLIPPER_INFLATE_GZIP
                           ? "The body is not gzip, is damaged or cut off"
                           : "The body is not deflate, is damaged or cut off";
        break;

    case NGX_ABORT:
        clipper_input_fail(in, CLIPPER_INPUT_LIMIT, CLIPPER_INPUT_UNPACKED,
                           app->opt.decompress);
        break;

    default: /* NGX_ERROR */
        clipper_input_fail(in, CLIPPER_INPUT_NOMEM, 0, 0);
    }

    return NGX_ERROR;
}


static void
ngx_http_clipper_body_binary(ngx_http_request_t *r,
    const clipper_input_conf_t *conf, ngx_uint_t form,
    clipper_segment_t *segments, ngx_uint_t n)
{
    ngx_uint_t        batch;
    clipper_input_t  *in;

    in = &ngx_http_clipper_body_input;

    if (ngx_http_clipper_coding_batch(r, &batch) != NGX_OK) {
        clipper_input_clear(in, CLIPPER_INPUT_PREDICT);
        clipper_input_fail(in, CLIPPER_INPUT_SCHEMA, CLIPPER_INPUT_BODY, 0);
        in->error.reason = "The argument \"batch\" is not a number";
        return;
    }

    (void) clipper_input_binary_read(in, conf, form, batch, segments, n);

    if (ngx_http_clipper_coding_member(r, "version", &in->version) != NGX_OK
        || ngx_http_clipper_coding_member(r, "uid", &in->uid) != NGX_OK)
    {
        clipper_input_fail(in, CLIPPER_INPUT_NOMEM, 0, 0);
    }
}


static ngx_int_t
ngx_http_clipper_body_segment(ngx_http_request_t *r, ngx_buf_t *b,
    clipper_segment_t *segment, ngx_http_clipper_map_t *map)
{
    void  *addr;

    if (ngx_buf_in_memory(b)) {
        segment->pos = b->pos;
        segment->last = b->last;
        return NGX_OK;
    }

    segment->pos = NULL;
    segment->last = NULL;

    if (!b->in_file || b->file_last <= b->file_pos) {
        return NGX_OK;
    }

    /* nginx spools to a single file, so one map is enough */

    if (map->addr == NULL) {
        map->size = r->request_body->temp_file->file.offset;

        addr = mmap(NULL, map->size, PROT_READ, MAP_PRIVATE,
                    b->file->fd, 0);

        if (addr == MAP_FAILED) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, ngx_errno,
                          "mmap(%uz) of \"%V\" failed",
                          map->size, &b->file->name);
            return NGX_ERROR;
        }

        map->addr = addr;
    }

    if ((size_t) b->file_last > map->size) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "body ends at %O, but its file has only %uz bytes",
                      b->file_last, map->size);
        return NGX_ERROR;
    }

    segment->pos = map->addr + b->file_pos;
    segment->last = map->addr + b->file_last;

    return NGX_OK;
}


void
ngx_http_clipper_body_release(clipper_input_t *in)
{
    clipper_input_trim(in, NGX_HTTP_CLIPPER_BODY_KEEP);
    clipper_scratch_trim(&ngx_http_clipper_body_unpacked,
                         NGX_HTTP_CLIPPER_BODY_KEEP);
}


void
ngx_http_clipper_body_free(ngx_http_request_t *r)
{
    ngx_http_request_body_t       *body;
    ngx_http_clipper_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_clipper_module);
    body = r->request_body;

    if (mcf->request_body || body == NULL || body->buf == NULL
        || body->temp_file)
    {
        return;
    }

    if (ngx_pfree(r->pool, body->buf->start) == NGX_OK) {
        body->bufs = NULL;
        body->buf = NULL;
    }
}


void
ngx_http_clipper_body_conf(ngx_conf_t *cf)
{
    ngx_uint_t                     i;
    ngx_http_variable_t           *v;
    ngx_http_core_main_conf_t     *cmcf;
    ngx_http_clipper_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_clipper_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (v[i].name.len == sizeof("request_body") - 1
            && ngx_strncmp(v[i].name.data, "request_body", v[i].name.len) == 0)
        {
            mcf->request_body = 1;
        }
    }
}
