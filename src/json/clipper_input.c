
/* The object of a request: its members, and what the whole scan came to. */


#include "json/clipper_input_scan.h"


#define NGX_HTTP_CLIPPER_INPUT_IS(kind)  (1 << NGX_HTTP_CLIPPER_KIND_##kind)

#define NGX_HTTP_CLIPPER_INPUT_SCALAR                                         \
    (NGX_HTTP_CLIPPER_INPUT_IS(NULL) | NGX_HTTP_CLIPPER_INPUT_IS(FALSE)       \
     | NGX_HTTP_CLIPPER_INPUT_IS(TRUE) | NGX_HTTP_CLIPPER_INPUT_IS(STRING)    \
     | NGX_HTTP_CLIPPER_INPUT_IS(INTEGER) | NGX_HTTP_CLIPPER_INPUT_IS(REAL))

#define NGX_HTTP_CLIPPER_INPUT_ANY                                            \
    (NGX_HTTP_CLIPPER_INPUT_SCALAR | NGX_HTTP_CLIPPER_INPUT_IS(OBJECT)        \
     | NGX_HTTP_CLIPPER_INPUT_IS(ARRAY))


/* a member that a mode reads */

typedef struct ngx_http_clipper_input_row_s  ngx_http_clipper_input_row_t;

struct ngx_http_clipper_input_row_s {
    ngx_str_t         name;
    ngx_uint_t        mode;
    ngx_int_t       (*read)(ngx_http_clipper_input_ctx_t *ctx,
                            const ngx_http_clipper_input_row_t *row);

    /* of scalars */

    size_t            member;
    ngx_uint_t        kinds;        /* allowed */
    const char       *expected;
    ngx_uint_t        raw;          /* strings as written */
};


static ngx_int_t ngx_http_clipper_input_root(ngx_http_clipper_input_ctx_t *ctx);
static ngx_int_t ngx_http_clipper_input_member(
    ngx_http_clipper_input_ctx_t *ctx);
static ngx_int_t ngx_http_clipper_input_single(
    ngx_http_clipper_input_ctx_t *ctx, const ngx_http_clipper_input_row_t *row);
static ngx_int_t ngx_http_clipper_input_batch(
    ngx_http_clipper_input_ctx_t *ctx, const ngx_http_clipper_input_row_t *row);
static ngx_int_t ngx_http_clipper_input_scalar(
    ngx_http_clipper_input_ctx_t *ctx, const ngx_http_clipper_input_row_t *row);
static ngx_int_t ngx_http_clipper_input_scalar_text(
    ngx_http_clipper_input_ctx_t *ctx, const ngx_http_clipper_input_row_t *row,
    ngx_uint_t *kind);
static void ngx_http_clipper_input_finish(ngx_http_clipper_input_ctx_t *ctx,
    ngx_int_t rc);
static void ngx_http_clipper_input_point(ngx_http_clipper_input_ctx_t *ctx);


static const ngx_http_clipper_input_row_t  ngx_http_clipper_input_rows[] = {

    { ngx_string("input"), NGX_HTTP_CLIPPER_INPUT_PREDICT,
      ngx_http_clipper_input_single, 0, 0, NULL, 0 },

    { ngx_string("input_batch"), NGX_HTTP_CLIPPER_INPUT_PREDICT,
      ngx_http_clipper_input_batch, 0, 0, NULL, 0 },

    { ngx_string("version"), NGX_HTTP_CLIPPER_INPUT_PREDICT,
      ngx_http_clipper_input_scalar,
      offsetof(ngx_http_clipper_input_t, version),
      NGX_HTTP_CLIPPER_INPUT_IS(STRING), "String", 0 },

    { ngx_string("uid"), NGX_HTTP_CLIPPER_INPUT_PREDICT,
      ngx_http_clipper_input_scalar,
      offsetof(ngx_http_clipper_input_t, uid),
      NGX_HTTP_CLIPPER_INPUT_ANY, "", 0 },

    { ngx_string("input"), NGX_HTTP_CLIPPER_INPUT_UPDATE,
      ngx_http_clipper_input_single, 0, 0, NULL, 0 },

    { ngx_string("uid"), NGX_HTTP_CLIPPER_INPUT_UPDATE,
      ngx_http_clipper_input_scalar,
      offsetof(ngx_http_clipper_input_t, uid),
      NGX_HTTP_CLIPPER_INPUT_IS(STRING) | NGX_HTTP_CLIPPER_INPUT_IS(INTEGER),
      "Integer or String", 0 },

    { ngx_string("label"), NGX_HTTP_CLIPPER_INPUT_UPDATE,
      ngx_http_clipper_input_scalar,
      offsetof(ngx_http_clipper_input_t, label),
      NGX_HTTP_CLIPPER_INPUT_SCALAR, "Number, String, True, False or Null", 1 },

    { ngx_string("query_id"), NGX_HTTP_CLIPPER_INPUT_UPDATE,
      ngx_http_clipper_input_scalar,
      offsetof(ngx_http_clipper_input_t, query_id),
      NGX_HTTP_CLIPPER_INPUT_IS(INTEGER), "Integer", 0 }
};


void
ngx_http_clipper_input_init(ngx_http_clipper_input_t *in, size_t cap)
{
    ngx_memzero(in, sizeof(ngx_http_clipper_input_t));

    in->values.cap = cap;
    in->texts.cap = cap;
    in->index.cap = cap;
}


void
ngx_http_clipper_input_done(ngx_http_clipper_input_t *in)
{
    ngx_http_clipper_input_trim(in, 0);
}


void
ngx_http_clipper_input_trim(ngx_http_clipper_input_t *in, size_t size)
{
    ngx_http_clipper_scratch_trim(&in->values, size);
    ngx_http_clipper_scratch_trim(&in->texts, size);
    ngx_http_clipper_scratch_trim(&in->index, size);

    in->data = NULL;
    in->items = NULL;
    in->nitems = 0;
}


ngx_int_t
ngx_http_clipper_input_scan(ngx_http_clipper_input_t *in,
    const ngx_http_clipper_input_conf_t *conf, ngx_uint_t mode,
    const ngx_http_clipper_segment_t *segments, ngx_uint_t n)
{
    ngx_int_t                     rc;
    ngx_http_clipper_input_ctx_t  ctx;

    in->values.len = 0;
    in->texts.len = 0;
    in->index.len = 0;

    in->mode = mode;
    in->nitems = 0;
    in->batch = 0;
    in->has_input = 0;

    ngx_memzero(&in->error, sizeof(ngx_http_clipper_input_error_t));
    ngx_memzero(&in->version, sizeof(ngx_http_clipper_member_t));
    ngx_memzero(&in->uid, sizeof(ngx_http_clipper_member_t));
    ngx_memzero(&in->label, sizeof(ngx_http_clipper_member_t));
    ngx_memzero(&in->query_id, sizeof(ngx_http_clipper_member_t));

    ctx.in = in;
    ctx.conf = conf;
    ctx.seen_input = 0;
    ctx.seen_batch = 0;
    ctx.member = in->error;
    ctx.input = in->error;

    ngx_http_clipper_lex_init(&ctx.lex, segments, n, conf->max_depth,
                              &in->texts);

    rc = ngx_http_clipper_input_root(&ctx);

    ngx_http_clipper_input_finish(&ctx, rc);

    return in->error.code == NGX_HTTP_CLIPPER_INPUT_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_clipper_input_root(ngx_http_clipper_input_ctx_t *ctx)
{
    ngx_int_t                c, rc;
    ngx_http_clipper_lex_t  *lex;

    lex = &ctx->lex;

    /* what results point to exists even if nothing is written */

    if (ngx_http_clipper_scratch_reserve(&ctx->in->values, 8) != NGX_OK
        || ngx_http_clipper_scratch_reserve(&ctx->in->texts, 8) != NGX_OK)
    {
        return ngx_http_clipper_lex_nomem(lex);
    }

    c = ngx_http_clipper_lex_space(lex);

    if (c == NGX_HTTP_CLIPPER_LEX_END) {
        return ngx_http_clipper_lex_invalid(lex, 0, "The document is empty.");
    }

    if (c != '{') {
        ctx->member.code = NGX_HTTP_CLIPPER_INPUT_SCHEMA;
        ctx->member.what = NGX_HTTP_CLIPPER_INPUT_ROOT;
        ctx->member.offset = ngx_http_clipper_lex_offset(lex);
        ctx->member.kind = ngx_http_clipper_input_kind(c);

        if (ngx_http_clipper_lex_skip(lex) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_clipper_lex_done(lex);
    }

    if (ngx_http_clipper_lex_open(lex) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_clipper_lex_more(lex, 1);

    while (rc == NGX_OK) {

        if (ngx_http_clipper_input_member(ctx) == NGX_ERROR) {
            return NGX_ERROR;
        }

        rc = ngx_http_clipper_lex_more(lex, 0);
    }

    return rc == NGX_DONE ? ngx_http_clipper_lex_done(lex) : NGX_ERROR;
}


static ngx_int_t
ngx_http_clipper_input_member(ngx_http_clipper_input_ctx_t *ctx)
{
    size_t                               len, at;
    u_char                              *name;
    ngx_uint_t                           i;
    ngx_http_clipper_scratch_t          *texts;
    const ngx_http_clipper_input_row_t  *row;

    /* the name is only needed here: the next text takes its place */

    texts = &ctx->in->texts;
    at = texts->len;

    if (ngx_http_clipper_lex_name(&ctx->lex, texts) != NGX_OK) {
        return NGX_ERROR;
    }

    len = texts->len - at;
    name = texts->start + at;
    texts->len = at;

    for (i = 0; i < NGX_HTTP_CLIPPER_INPUT_ROWS; i++) {
        row = &ngx_http_clipper_input_rows[i];

        if (row->mode == ctx->in->mode && row->name.len == len
            && ngx_memcmp(row->name.data, name, len) == 0)
        {
            return row->read(ctx, row);
        }
    }

    return ngx_http_clipper_lex_skip(&ctx->lex);
}


static ngx_int_t
ngx_http_clipper_input_single(ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_row_t *row)
{
    if (ctx->seen_input) {
        return ngx_http_clipper_lex_skip(&ctx->lex);
    }

    ctx->seen_input = 1;

    /* forget a batch that came before */

    ctx->in->values.len = 0;
    ctx->in->index.len = 0;
    ctx->in->nitems = 0;
    ctx->in->batch = 0;
    ctx->input = (ngx_http_clipper_input_error_t) { 0 };

    return ngx_http_clipper_input_value(ctx, "input");
}


static ngx_int_t
ngx_http_clipper_input_batch(ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_row_t *row)
{
    ngx_int_t                rc;
    ngx_uint_t               depth;
    ngx_http_clipper_lex_t  *lex;

    lex = &ctx->lex;

    if (ctx->seen_input || ctx->seen_batch) {
        return ngx_http_clipper_lex_skip(lex);
    }

    ctx->seen_batch = 1;
    ctx->in->batch = 1;
    depth = lex->depth;

    if (ngx_http_clipper_lex_space(lex) != '[') {
        return ngx_http_clipper_input_refuse(ctx, NGX_HTTP_CLIPPER_INPUT_SCHEMA,
                                             NGX_HTTP_CLIPPER_INPUT_MEMBER,
                                             "Array", "input_batch");
    }

    if (ngx_http_clipper_lex_open(lex) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_clipper_lex_more(lex, 1);

    while (rc == NGX_OK) {

        if (ctx->in->nitems == ctx->conf->max_batch) {
            rc = ngx_http_clipper_input_refuse(ctx,
                                               NGX_HTTP_CLIPPER_INPUT_LIMIT,
                                               NGX_HTTP_CLIPPER_INPUT_BATCH,
                                               NULL, NULL);

        } else {
            rc = ngx_http_clipper_input_value(ctx, NULL);
        }

        if (rc == NGX_DECLINED) {
            return ngx_http_clipper_lex_skip_to(lex, depth);
        }

        if (rc == NGX_OK) {
            rc = ngx_http_clipper_lex_more(lex, 0);
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_clipper_input_scalar(ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_row_t *row)
{
    size_t                           at, offset;
    ngx_uint_t                       kind;
    ngx_http_clipper_member_t       *member;
    ngx_http_clipper_input_error_t  *error;

    member = (ngx_http_clipper_member_t *) ((u_char *) ctx->in + row->member);

    if (member->kind != NGX_HTTP_CLIPPER_KIND_ABSENT) {
        return ngx_http_clipper_lex_skip(&ctx->lex);
    }

    (void) ngx_http_clipper_lex_space(&ctx->lex);

    at = ctx->in->texts.len;
    offset = ngx_http_clipper_lex_offset(&ctx->lex);

    if (ngx_http_clipper_input_scalar_text(ctx, row, &kind) != NGX_OK) {
        return NGX_ERROR;
    }

    member->kind = kind;
    member->text.len = ctx->in->texts.len - at;
    ctx->offsets[row - ngx_http_clipper_input_rows] = at;

    error = &ctx->member;

    if (!(row->kinds & ((ngx_uint_t) 1 << kind))
        && error->code == NGX_HTTP_CLIPPER_INPUT_OK)
    {
        error->code = NGX_HTTP_CLIPPER_INPUT_SCHEMA;
        error->what = NGX_HTTP_CLIPPER_INPUT_MEMBER;
        error->offset = offset;
        error->kind = kind;
        error->expected = row->expected;
        error->key = (const char *) row->name.data;
    }

    return NGX_OK;
}


/* appends the text of the scalar that comes next, nothing for a container */

static ngx_int_t
ngx_http_clipper_input_scalar_text(ngx_http_clipper_input_ctx_t *ctx,
    const ngx_http_clipper_input_row_t *row, ngx_uint_t *kind)
{
    size_t                      from, to;
    ngx_int_t                   rc;
    ngx_http_clipper_lex_t     *lex;
    ngx_http_clipper_number_t   number;

    lex = &ctx->lex;

    *kind = ngx_http_clipper_input_kind(ngx_http_clipper_lex_space(lex));

    if (*kind == NGX_HTTP_CLIPPER_KIND_STRING && !row->raw) {
        return ngx_http_clipper_lex_string(lex, &ctx->in->texts);
    }

    from = ngx_http_clipper_lex_offset(lex);

    if (*kind == NGX_HTTP_CLIPPER_KIND_INTEGER) {
        rc = ngx_http_clipper_lex_number(lex, &number);

        if (rc == NGX_OK && number.real) {
            *kind = NGX_HTTP_CLIPPER_KIND_REAL;
        }

    } else {
        rc = ngx_http_clipper_lex_skip(lex);
    }

    if (rc != NGX_OK || *kind == NGX_HTTP_CLIPPER_KIND_OBJECT
        || *kind == NGX_HTTP_CLIPPER_KIND_ARRAY)
    {
        return rc;
    }

    to = ngx_http_clipper_lex_offset(lex);

    if (ngx_http_clipper_lex_copy(lex, from, to, &ctx->in->texts) != NGX_OK) {
        return ngx_http_clipper_lex_nomem(lex);
    }

    return NGX_OK;
}


static void
ngx_http_clipper_input_finish(ngx_http_clipper_input_ctx_t *ctx, ngx_int_t rc)
{
    ngx_http_clipper_input_t        *in;
    ngx_http_clipper_input_error_t  *error;

    in = ctx->in;
    error = &in->error;

    in->has_input = ctx->seen_input || ctx->seen_batch;

    if (rc != NGX_OK) {
        error->offset = ctx->lex.offset;
        error->reason = ctx->lex.reason;

        if (ctx->lex.error == NGX_HTTP_CLIPPER_LEX_SYNTAX) {
            error->code = NGX_HTTP_CLIPPER_INPUT_SYNTAX;

        } else if (ctx->lex.error == NGX_HTTP_CLIPPER_LEX_DEPTH) {
            error->code = NGX_HTTP_CLIPPER_INPUT_LIMIT;
            error->what = NGX_HTTP_CLIPPER_INPUT_DEPTH;

        } else {
            error->code = NGX_HTTP_CLIPPER_INPUT_NOMEM;
        }

    } else if (ctx->member.code != NGX_HTTP_CLIPPER_INPUT_OK) {
        *error = ctx->member;

    } else if (ctx->input.code != NGX_HTTP_CLIPPER_INPUT_OK) {
        *error = ctx->input;

    } else if (in->mode == NGX_HTTP_CLIPPER_INPUT_PREDICT) {

        if (!in->has_input) {
            ngx_http_clipper_input_require(in, "input or input_batch");
        }

    } else if (in->label.kind == NGX_HTTP_CLIPPER_KIND_ABSENT) {
        ngx_http_clipper_input_require(in, "label");

    } else if (!in->has_input
               && in->query_id.kind == NGX_HTTP_CLIPPER_KIND_ABSENT)
    {
        ngx_http_clipper_input_require(in, "query_id or input");
    }

    ngx_http_clipper_input_point(ctx);
}


/* the buffers have stopped moving: pointers into them */

static void
ngx_http_clipper_input_point(ngx_http_clipper_input_ctx_t *ctx)
{
    ngx_uint_t                           i;
    ngx_http_clipper_input_t            *in;
    ngx_http_clipper_member_t           *member;
    const ngx_http_clipper_input_row_t  *row;

    in = ctx->in;

    in->data = in->values.start;
    in->items = (ngx_http_clipper_item_t *) in->index.start;

    if (in->error.code != NGX_HTTP_CLIPPER_INPUT_OK) {
        in->nitems = 0;
    }

    for (i = 0; i < NGX_HTTP_CLIPPER_INPUT_ROWS; i++) {
        row = &ngx_http_clipper_input_rows[i];

        if (row->mode == in->mode && row->kinds) {
            member = (ngx_http_clipper_member_t *) ((u_char *) in
                                                    + row->member);

            if (member->kind != NGX_HTTP_CLIPPER_KIND_ABSENT) {
                member->text.data = in->texts.start + ctx->offsets[i];
            }
        }
    }
}
