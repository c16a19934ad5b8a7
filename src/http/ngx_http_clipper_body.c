
/*
 * The scanner reads nginx's memory buffers in place; a body in a file is
 * mapped while it is scanned.
 */


#include "http/ngx_http_clipper_body.h"
#include <sys/mman.h>


#define NGX_HTTP_CLIPPER_BODY_SEGMENTS  16              /* without allocation */
#define NGX_HTTP_CLIPPER_BODY_CAP       ((size_t) 1 << 30)
#define NGX_HTTP_CLIPPER_BODY_KEEP      (4 * 1024 * 1024)


/* a mapped file */

typedef struct {
    u_char    *addr;
    size_t     size;
} ngx_http_clipper_map_t;


static ngx_int_t ngx_http_clipper_body_segment(ngx_http_request_t *r,
    ngx_buf_t *b, clipper_segment_t *segment, ngx_http_clipper_map_t *map);


static clipper_input_t  ngx_http_clipper_body_input;
static ngx_uint_t       ngx_http_clipper_body_ready;


clipper_input_t *
ngx_http_clipper_body_scan(ngx_http_request_t *r, ngx_http_clipper_app_t *app,
    ngx_uint_t mode)
{
    ngx_uint_t              n;
    ngx_chain_t            *cl, *bufs;
    ngx_http_clipper_map_t  map;
    clipper_segment_t       few[NGX_HTTP_CLIPPER_BODY_SEGMENTS];
    clipper_segment_t      *segments;
    clipper_input_t        *in;
    clipper_input_conf_t    conf;

    in = &ngx_http_clipper_body_input;

    if (!ngx_http_clipper_body_ready) {
        clipper_input_init(in, NGX_HTTP_CLIPPER_BODY_CAP);
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

    conf.type = app->input_type;
    conf.strict = app->strict;
    conf.max_batch = app->limits.batch;
    conf.max_elements = app->limits.elements;
    conf.max_depth = app->limits.depth;

    (void) clipper_input_scan(in, &conf, mode, segments, n);

done:

    if (map.addr && munmap(map.addr, map.size) == -1) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, ngx_errno,
                      "munmap(%p, %uz) failed", map.addr, map.size);
    }

    return in;
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
