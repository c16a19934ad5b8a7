
/* The object of a request: its members, and the result of the scan. */


#include "json/clipper_input_value.h"


#define CLIPPER_INPUT_IS(kind)  (1 << CLIPPER_KIND_##kind)

#define CLIPPER_INPUT_SCALAR                                                  \
    (CLIPPER_INPUT_IS(NULL) | CLIPPER_INPUT_IS(FALSE)                         \
     | CLIPPER_INPUT_IS(TRUE) | CLIPPER_INPUT_IS(STRING)                      \
     | CLIPPER_INPUT_IS(INTEGER) | CLIPPER_INPUT_IS(REAL))

#define CLIPPER_INPUT_ANY                                                     \
    (CLIPPER_INPUT_SCALAR | CLIPPER_INPUT_IS(OBJECT)                          \
     | CLIPPER_INPUT_IS(ARRAY))


/* a member that a mode reads */

typedef struct clipper_input_row_s  clipper_input_row_t;

struct clipper_input_row_s {
    ngx_str_t         name;
    ngx_uint_t        mode;
    ngx_int_t       (*read)(clipper_input_ctx_t *ctx,
                            const clipper_input_row_t *row);

    /* of scalars */

    size_t            member;
    ngx_uint_t        kinds;        /* allowed */
    const char       *expected;
    ngx_uint_t        raw;          /* strings as written */
};


static ngx_int_t clipper_input_root(clipper_input_ctx_t *ctx);
static ngx_int_t clipper_input_mark(clipper_lex_t *lex);
static ngx_int_t clipper_input_member(clipper_input_ctx_t *ctx);
static ngx_int_t clipper_input_single(clipper_input_ctx_t *ctx,
    const clipper_input_row_t *row);
static ngx_int_t clipper_input_batch(clipper_input_ctx_t *ctx,
    const clipper_input_row_t *row);
static ngx_int_t clipper_input_inputs(clipper_input_ctx_t *ctx);
static ngx_int_t clipper_input_scalar(clipper_input_ctx_t *ctx,
    const clipper_input_row_t *row);
static ngx_int_t clipper_input_scalar_text(clipper_input_ctx_t *ctx,
    const clipper_input_row_t *row, ngx_uint_t *kind);
static void clipper_input_finish(clipper_input_ctx_t *ctx, ngx_int_t rc);
static void clipper_input_point(clipper_input_ctx_t *ctx);


static const clipper_input_row_t  clipper_input_rows[] = {

    { ngx_string("input"), CLIPPER_INPUT_PREDICT,
      clipper_input_single, 0, 0, NULL, 0 },

    { ngx_string("input_batch"), CLIPPER_INPUT_PREDICT,
      clipper_input_batch, 0, 0, NULL, 0 },

    { ngx_string("version"), CLIPPER_INPUT_PREDICT,
      clipper_input_scalar,
      offsetof(clipper_input_t, version),
      CLIPPER_INPUT_IS(STRING), "String", 0 },

    { ngx_string("uid"), CLIPPER_INPUT_PREDICT,
      clipper_input_scalar,
      offsetof(clipper_input_t, uid),
      CLIPPER_INPUT_ANY, "", 0 },

    { ngx_string("input"), CLIPPER_INPUT_UPDATE,
      clipper_input_single, 0, 0, NULL, 0 },

    { ngx_string("uid"), CLIPPER_INPUT_UPDATE,
      clipper_input_scalar,
      offsetof(clipper_input_t, uid),
      CLIPPER_INPUT_IS(STRING) | CLIPPER_INPUT_IS(INTEGER),
      "Integer or String", 0 },

    { ngx_string("label"), CLIPPER_INPUT_UPDATE,
      clipper_input_scalar,
      offsetof(clipper_input_t, label),
      CLIPPER_INPUT_SCALAR, "Number, String, True, False or Null", 1 },

    { ngx_string("query_id"), CLIPPER_INPUT_UPDATE,
      clipper_input_scalar,
      offsetof(clipper_input_t, query_id),
      CLIPPER_INPUT_IS(INTEGER), "Integer", 0 }
};


void
clipper_input_init(clipper_input_t *in, size_t cap)
{
    ngx_memzero(in, sizeof(clipper_input_t));

    in->values.cap = cap;
    in->texts.cap = cap;
    in->index.cap = cap;
}


void
clipper_input_done(clipper_input_t *in)
{
    clipper_input_trim(in, 0);
}


void
clipper_input_trim(clipper_input_t *in, size_t size)
{
    clipper_scratch_trim(&in->values, size);
    clipper_scratch_trim(&in->texts, size);
    clipper_scratch_trim(&in->index, size);

    in->data = NULL;
    in->items = NULL;
    in->nitems = 0;
}


void
clipper_input_clear(clipper_input_t *in, ngx_uint_t mode)
{
    in->values.len = 0;
    in->texts.len = 0;
    in->index.len = 0;

    in->mode = mode;
    in->nitems = 0;
    in->batch = 0;
    in->has_input = 0;

    ngx_memzero(&in->error, sizeof(clipper_input_error_t));
    ngx_memzero(&in->version, sizeof(clipper_member_t));
    ngx_memzero(&in->uid, sizeof(clipper_member_t));
    ngx_memzero(&in->label, sizeof(clipper_member_t));
    ngx_memzero(&in->query_id, sizeof(clipper_member_t));
}


void
clipper_input_fail(clipper_input_t *in, ngx_uint_t code, ngx_uint_t what,
    size_t number)
{
    in->nitems = 0;

    in->error.code = code;
    in->error.what = what;
    in->error.number = number;
    in->error.input = CLIPPER_INPUT_NONE;
    in->error.element = CLIPPER_INPUT_NONE;
}


ngx_int_t
clipper_input_scan(clipper_input_t *in, const clipper_input_conf_t *conf,
    ngx_uint_t mode, const clipper_segment_t *segments, ngx_uint_t n)
{
    ngx_int_t            rc;
    clipper_input_ctx_t  ctx;

    clipper_input_clear(in, mode);

    ctx.in = in;
    ctx.conf = conf;
    ctx.seen_input = 0;
    ctx.seen_batch = 0;
    ctx.nan = conf->nulls && (conf->type == CLIPPER_DOUBLES
                              || conf->type == CLIPPER_FLOATS);
    ctx.member = in->error;
    ctx.input = in->error;

    clipper_lex_init(&ctx.lex, segments, n, conf->max_depth, &in->texts);

    rc = clipper_input_root(&ctx);

    clipper_input_finish(&ctx, rc);

    return in->error.code == CLIPPER_INPUT_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
clipper_input_root(clipper_input_ctx_t *ctx)
{
    ngx_int_t       c, rc;
    clipper_lex_t  *lex;

    lex = &ctx->lex;

    /* results have something to point to even if nothing is written */

    if (clipper_scratch_reserve(&ctx->in->values, 8) != NGX_OK
        || clipper_scratch_reserve(&ctx->in->texts, 8) != NGX_OK)
    {
        return clipper_lex_nomem(lex);
    }

    c = clipper_lex_space(lex);

    if (c == 0xef && clipper_lex_offset(lex) == 0) {
        if (clipper_input_mark(lex) != NGX_OK) {
            return NGX_ERROR;
        }

        c = clipper_lex_space(lex);
    }

    if (c == CLIPPER_LEX_END) {
        return clipper_lex_invalid(lex, 0, "The document is empty.");
    }

    if (c != '{') {
        ctx->member.code = CLIPPER_INPUT_SCHEMA;
        ctx->member.what = CLIPPER_INPUT_ROOT;
        ctx->member.offset = clipper_lex_offset(lex);
        ctx->member.kind = clipper_input_error_kind(c);
        ctx->member.input = CLIPPER_INPUT_NONE;
        ctx->member.element = CLIPPER_INPUT_NONE;

        if (clipper_lex_skip(lex) != NGX_OK) {
            return NGX_ERROR;
        }

        return clipper_lex_done(lex);
    }

    if (clipper_lex_open(lex) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = clipper_lex_more(lex, 1);

    while (rc == NGX_OK) {

        if (clipper_input_member(ctx) == NGX_ERROR) {
            return NGX_ERROR;
        }

        rc = clipper_lex_more(lex, 0);
    }

    return rc == NGX_DONE ? clipper_lex_done(lex) : NGX_ERROR;
}


/* passes over a byte order mark: RFC 8259, section 8.1 */

static ngx_int_t
clipper_input_mark(clipper_lex_t *lex)
{
    size_t         i, have;
    u_char         buf[3];
    const u_char  *p;

    static const u_char  mark[] = { 0xef, 0xbb, 0xbf };

    p = clipper_lex_peek(lex, buf, 3, &have);

    for (i = 1; i < 3; i++) {
        if (i == have || p[i] != mark[i]) {
            return clipper_lex_invalid(lex, i, "Invalid value.");
        }
    }

    clipper_lex_advance(lex, 3);

    return NGX_OK;
}


static ngx_int_t
clipper_input_member(clipper_input_ctx_t *ctx)
{
    size_t                      len, at;
    u_char                     *name;
    ngx_uint_t                  i;
    clipper_scratch_t          *texts;
    const clipper_input_row_t  *row;

    /* the name is only needed here: the next text overwrites it */

    texts = &ctx->in->texts;
    at = texts->len;

    if (clipper_lex_name(&ctx->lex, texts) != NGX_OK) {
        return NGX_ERROR;
    }

    len = texts->len - at;
    name = texts->start + at;
    texts->len = at;

    for (i = 0; i < CLIPPER_INPUT_ROWS; i++) {
        row = &clipper_input_rows[i];

        if (row->mode == ctx->in->mode && row->name.len == len
            && ngx_memcmp(row->name.data, name, len) == 0)
        {
            return row->read(ctx, row);
        }
    }

    return clipper_lex_skip(&ctx->lex);
}


static ngx_int_t
clipper_input_single(clipper_input_ctx_t *ctx, const clipper_input_row_t *row)
{
    ngx_int_t  rc;

    if (ctx->seen_input) {
        return clipper_lex_skip(&ctx->lex);
    }

    ctx->seen_input = 1;

    /* forgets an earlier batch */

    ctx->in->values.len = 0;
    ctx->in->index.len = 0;
    ctx->in->nitems = 0;
    ctx->in->batch = 0;
    ctx->input = (clipper_input_error_t) { 0 };

    ctx->lex.nan = ctx->nan;

    rc = clipper_input_value(ctx, "input");

    ctx->lex.nan = 0;

    return rc;
}


static ngx_int_t
clipper_input_batch(clipper_input_ctx_t *ctx, const clipper_input_row_t *row)
{
    ngx_int_t  rc;

    if (ctx->seen_input || ctx->seen_batch) {
        return clipper_lex_skip(&ctx->lex);
    }

    ctx->seen_batch = 1;
    ctx->in->batch = 1;
    ctx->within = 0;
    ctx->lex.nan = ctx->nan;

    rc = clipper_input_inputs(ctx);

    ctx->lex.nan = 0;

    return rc;
}


static ngx_int_t
clipper_input_inputs(clipper_input_ctx_t *ctx)
{
    ngx_int_t       rc;
    ngx_uint_t      depth;
    clipper_lex_t  *lex;

    lex = &ctx->lex;
    depth = lex->depth;

    if (clipper_lex_space(lex) != '[') {
        return clipper_input_value_refuse(ctx, CLIPPER_INPUT_SCHEMA,
                                          CLIPPER_INPUT_MEMBER,
                                          "Array", "input_batch", 0);
    }

    if (clipper_lex_open(lex) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = clipper_lex_more(lex, 1);

    while (rc == NGX_OK) {

        if (ctx->in->nitems == ctx->conf->max_batch) {
            ctx->within = 0;
            rc = clipper_input_value_refuse(ctx, CLIPPER_INPUT_LIMIT,
                                            CLIPPER_INPUT_BATCH, NULL, NULL,
                                            ctx->conf->max_batch);

        } else {
            rc = clipper_input_value(ctx, NULL);
        }

        if (rc == NGX_DECLINED) {
            return clipper_lex_skip_to(lex, depth);
        }

        if (rc == NGX_OK) {
            rc = clipper_lex_more(lex, 0);
        }
    }

    return rc;
}


static ngx_int_t
clipper_input_scalar(clipper_input_ctx_t *ctx, const clipper_input_row_t *row)
{
    size_t                  at, offset;
    ngx_uint_t              kind;
    clipper_member_t       *member;
    clipper_input_error_t  *error;

    member = (clipper_member_t *) ((u_char *) ctx->in + row->member);

    if (member->kind != CLIPPER_KIND_ABSENT) {
        return clipper_lex_skip(&ctx->lex);
    }

    (void) clipper_lex_space(&ctx->lex);

    at = ctx->in->texts.len;
    offset = clipper_lex_offset(&ctx->lex);

    if (clipper_input_scalar_text(ctx, row, &kind) != NGX_OK) {
        return NGX_ERROR;
    }

    member->kind = kind;
    member->text.len = ctx->in->texts.len - at;
    ctx->offsets[row - clipper_input_rows] = at;

    error = &ctx->member;

    if (!(row->kinds & ((ngx_uint_t) 1 << kind))
        && error->code == CLIPPER_INPUT_OK)
    {
        error->code = CLIPPER_INPUT_SCHEMA;
        error->what = CLIPPER_INPUT_MEMBER;
        error->offset = offset;
        error->kind = kind;
        error->expected = row->expected;
        error->key = (const char *) row->name.data;
        error->input = CLIPPER_INPUT_NONE;
        error->element = CLIPPER_INPUT_NONE;
    }

    return NGX_OK;
}


/* appends the text of the next scalar, nothing for a container */

static ngx_int_t
clipper_input_scalar_text(clipper_input_ctx_t *ctx,
    const clipper_input_row_t *row, ngx_uint_t *kind)
{
    size_t            from, to;
    ngx_int_t         rc;
    clipper_lex_t    *lex;
    clipper_number_t  number;

    lex = &ctx->lex;

    *kind = clipper_input_error_kind(clipper_lex_space(lex));

    if (*kind == CLIPPER_KIND_STRING && !row->raw) {
        return clipper_lex_scalar_string(lex, &ctx->in->texts);
    }

    from = clipper_lex_offset(lex);

    if (*kind == CLIPPER_KIND_INTEGER) {
        rc = clipper_lex_scalar_number(lex, &number);

        if (rc == NGX_OK && number.real) {
            *kind = CLIPPER_KIND_REAL;
        }

    } else {
        rc = clipper_lex_skip(lex);
    }

    if (rc != NGX_OK || *kind == CLIPPER_KIND_OBJECT
        || *kind == CLIPPER_KIND_ARRAY)
    {
        return rc;
    }

    to = clipper_lex_offset(lex);

    if (clipper_lex_copy(lex, from, to, &ctx->in->texts) != NGX_OK) {
        return clipper_lex_nomem(lex);
    }

    return NGX_OK;
}


static void
clipper_input_finish(clipper_input_ctx_t *ctx, ngx_int_t rc)
{
    clipper_input_t        *in;
    clipper_input_error_t  *error;

    in = ctx->in;
    error = &in->error;

    in->has_input = ctx->seen_input || ctx->seen_batch;

    if (rc != NGX_OK) {
        error->offset = ctx->lex.offset;
        error->reason = ctx->lex.reason;

        if (ctx->lex.error == CLIPPER_LEX_SYNTAX) {
            error->code = CLIPPER_INPUT_SYNTAX;

        } else if (ctx->lex.error == CLIPPER_LEX_DEPTH) {
            error->code = CLIPPER_INPUT_LIMIT;
            error->what = CLIPPER_INPUT_DEPTH;
            error->number = ctx->lex.max_depth;
            error->input = CLIPPER_INPUT_NONE;
            error->element = CLIPPER_INPUT_NONE;

        } else {
            error->code = CLIPPER_INPUT_NOMEM;
        }

    } else if (ctx->member.code != CLIPPER_INPUT_OK) {
        *error = ctx->member;

    } else if (ctx->input.code != CLIPPER_INPUT_OK) {
        *error = ctx->input;

    } else if (in->mode == CLIPPER_INPUT_PREDICT) {

        if (!in->has_input) {
            clipper_input_error_require(error, "input or input_batch");
        }

    } else if (in->label.kind == CLIPPER_KIND_ABSENT) {
        clipper_input_error_require(error, "label");

    } else if (!in->has_input
               && in->query_id.kind == CLIPPER_KIND_ABSENT)
    {
        clipper_input_error_require(error, "query_id or input");
    }

    clipper_input_point(ctx);
}


/* the buffers do not move any more: sets the pointers into them */

static void
clipper_input_point(clipper_input_ctx_t *ctx)
{
    ngx_uint_t                  i;
    clipper_input_t            *in;
    clipper_member_t           *member;
    const clipper_input_row_t  *row;

    in = ctx->in;

    in->data = in->values.start;
    in->items = (clipper_item_t *) in->index.start;

    if (in->error.code != CLIPPER_INPUT_OK) {
        in->nitems = 0;
    }

    for (i = 0; i < CLIPPER_INPUT_ROWS; i++) {
        row = &clipper_input_rows[i];

        if (row->mode == in->mode && row->kinds) {
            member = (clipper_member_t *) ((u_char *) in
                                           + row->member);

            if (member->kind != CLIPPER_KIND_ABSENT) {
                member->text.data = in->texts.start + ctx->offsets[i];
            }
        }
    }
}
