
/*
 * Records in Redis, see the header.
 *
 * Redis key, after the prefix: "record:APP:ID".  Its value is a record
 * (clipper_record_wire.h), or a claim: "@", 32 hex digits of the instance, and
 * the record, if the instance does not have it itself.
 */


#include "query/ngx_http_clipper_record_redis.h"
#include "query/ngx_http_clipper_lineup.h"
#include "query/ngx_http_clipper_state_flow.h"
#include "query/ngx_http_clipper_state_text.h"
#include "shm/clipper_record_wire.h"
#include "base/clipper_wire.h"


/* commands without a reply: Redis is behind, more would only queue up */
#define NGX_HTTP_CLIPPER_RECORD_WINDOW  4096

/* what a key and a time take as text */
#define NGX_HTTP_CLIPPER_RECORD_KEY     (sizeof("record::") + NGX_INT64_LEN)


static void ngx_http_clipper_record_redis_stored(
    ngx_http_clipper_redis_call_t *call, redisReply *reply);
static ngx_int_t ngx_http_clipper_record_redis_send(
    ngx_http_clipper_record_claim_t *claim, ngx_uint_t eval);
static void ngx_http_clipper_record_redis_answered(
    ngx_http_clipper_redis_call_t *call, redisReply *reply);
static ngx_int_t ngx_http_clipper_record_redis_parse(redisReply *reply,
    clipper_record_t **record);
static size_t ngx_http_clipper_record_redis_key(ngx_http_clipper_app_t *app,
    uint64_t query_id, const char **key);
static void ngx_http_clipper_record_redis_owner(const ngx_str_t *uid,
    u_char owner[CLIPPER_RECORD_WIRE_OWNER]);


/* KEYS: the record.  ARGV: the instance, the user, the mode, ms to keep it */

static char  ngx_http_clipper_record_script[] =
    "local record = redis.call('GET', KEYS[1]) or ''\n"
    "if string.sub(record, 1, 1) == '@' then\n"
    "  if ARGV[3] == 'fresh' or string.sub(record, 1, 33) ~= ARGV[1] then\n"
    "    return false\n"
    "  end\n"
    "  record = string.sub(record, 34)\n"
    "end\n"
    "if record == '' then\n"
    "  if ARGV[3] == 'fresh' then return false end\n"
    "elseif string.sub(record, 2, 17) ~= ARGV[2] then\n"
    "  return false\n"
    "end\n"
    "if ARGV[3] == 'here' then record = '' end\n"
    "redis.call('SET', KEYS[1], ARGV[1] .. record, 'PX', ARGV[4])\n"
    "return record\n";

static const char  *ngx_http_clipper_record_modes[] = {
    "here", "again", "fresh"
};

static u_char      ngx_http_clipper_record_sha1[40];
static ngx_uint_t  ngx_http_clipper_record_under_way;

static ngx_http_clipper_redis_call_t  ngx_http_clipper_record_call = {
    ngx_http_clipper_record_redis_stored
};


double
ngx_http_clipper_record_redis_since(void)
{
    ngx_msec_t  ms;

    ms = ngx_http_clipper_process.conf->records_redis;

    return ms ? clipper_clock_boot() - (double) ms / 1000 : 0;
}


ngx_uint_t
ngx_http_clipper_record_redis_ready(void)
{
    if (ngx_http_clipper_process.conf->records_redis == 0) {
        return 0;
    }

    if (ngx_http_clipper_redis_up()
        && ngx_http_clipper_record_under_way < NGX_HTTP_CLIPPER_RECORD_WINDOW)
    {
        return 1;
    }

    clipper_record_count(ngx_http_clipper_process.zone, 0);

    return 0;
}


/* NX: a claim that was faster stays */

void
ngx_http_clipper_record_redis_put(ngx_http_clipper_app_t *app,
    const ngx_str_t *uid, const clipper_record_t *record)
{
    size_t       len[6];
    u_char       value[CLIPPER_RECORD_WIRE_MAX], ms[NGX_INT64_LEN],
                 owner[CLIPPER_RECORD_WIRE_OWNER];
    const char  *argv[6];

    ngx_http_clipper_record_redis_owner(uid, owner);

    argv[0] = "SET";
    len[0] = 3;
    len[1] = ngx_http_clipper_record_redis_key(app, record->query_id,
                                               &argv[1]);
    argv[2] = (char *) value;
    len[2] = clipper_record_wire_encode(record, owner, value);
    argv[3] = "NX";
    len[3] = 2;
    argv[4] = "PX";
    len[4] = 2;
    argv[5] = (char *) ms;
    len[5] = ngx_sprintf(ms, "%M", ngx_http_clipper_process.conf->records_redis)
             - ms;

    if (len[1] == 0
        || ngx_http_clipper_redis_command(&ngx_http_clipper_record_call, 6,
                                          argv, len)
           != NGX_OK)
    {
        clipper_record_count(ngx_http_clipper_process.zone, 0);
        return;
    }

    ngx_http_clipper_record_under_way++;
}


static void
ngx_http_clipper_record_redis_stored(ngx_http_clipper_redis_call_t *call,
    redisReply *reply)
{
    ngx_http_clipper_record_under_way--;

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        ngx_http_clipper_state_text_error("a record", reply);
        reply = NULL;
    }

    clipper_record_count(ngx_http_clipper_process.zone, reply != NULL);
}


ngx_int_t
ngx_http_clipper_record_redis_claim(ngx_http_clipper_record_claim_t *claim)
{
    u_char      hash[20];
    ngx_sha1_t  sha1;

    if (!ngx_http_clipper_redis_up()) {
        return NGX_DECLINED;
    }

    if (ngx_http_clipper_record_sha1[0] == '\0') {
        ngx_sha1_init(&sha1);
        ngx_sha1_update(&sha1, ngx_http_clipper_record_script,
                        sizeof(ngx_http_clipper_record_script) - 1);
        ngx_sha1_final(hash, &sha1);
        (void) ngx_hex_dump(ngx_http_clipper_record_sha1, hash, sizeof(hash));
    }

    claim->call.handler = ngx_http_clipper_record_redis_answered;

    return ngx_http_clipper_record_redis_send(claim, 0);
}


static ngx_int_t
ngx_http_clipper_record_redis_send(ngx_http_clipper_record_claim_t *claim,
    ngx_uint_t eval)
{
    size_t       len[8];
    u_char       ms[NGX_INT64_LEN], owner[CLIPPER_RECORD_WIRE_OWNER];
    const char  *argv[8];

    claim->evaled = eval;
    ngx_http_clipper_record_redis_owner(&claim->uid, owner);

    if (eval) {
        argv[0] = "EVAL";
        argv[1] = ngx_http_clipper_record_script;
        len[1] = sizeof(ngx_http_clipper_record_script) - 1;

    } else {
        argv[0] = "EVALSHA";
        argv[1] = (char *) ngx_http_clipper_record_sha1;
        len[1] = sizeof(ngx_http_clipper_record_sha1);
    }

    len[0] = ngx_strlen(argv[0]);
    argv[2] = "1";
    len[2] = 1;
    len[3] = ngx_http_clipper_record_redis_key(claim->app, claim->query_id,
                                               &argv[3]);
    argv[4] = (char *) ngx_http_clipper_state_flow.source;
    len[4] = NGX_HTTP_CLIPPER_STATE_SOURCE_LEN;
    argv[5] = (char *) owner;
    len[5] = CLIPPER_RECORD_WIRE_OWNER;
    argv[6] = ngx_http_clipper_record_modes[claim->mode];
    len[6] = ngx_strlen(argv[6]);
    argv[7] = (char *) ms;
    len[7] = ngx_sprintf(ms, "%M", ngx_http_clipper_process.conf->records_redis)
             - ms;

    return len[3] == 0 ? NGX_ERROR
                       : ngx_http_clipper_redis_command(&claim->call, 8, argv,
                                                        len);
}


static void
ngx_http_clipper_record_redis_answered(ngx_http_clipper_redis_call_t *call,
    redisReply *reply)
{
    ngx_int_t                         rc;
    clipper_record_t                 *record;
    ngx_http_clipper_record_claim_t  *claim;

    claim = (ngx_http_clipper_record_claim_t *) call;
    record = NULL;
    rc = NGX_ERROR;

    if (reply && reply->type == REDIS_REPLY_ERROR && !claim->evaled
        && ngx_strncmp(reply->str, "NOSCRIPT", 8) == 0
        && ngx_http_clipper_record_redis_send(claim, 1) == NGX_OK)
    {
        return;
    }

    if (reply) {
        rc = ngx_http_clipper_record_redis_parse(reply, &record);
    }

    if (reply && rc == NGX_ERROR) {
        ngx_http_clipper_state_text_error("a claim", reply);
    }

    claim->handler(claim, rc, record);
}


/*
 * NGX_OK, NGX_ERROR and NGX_DECLINED as of the handler of a claim; a record
 * that this version cannot read is logged.
 */

static ngx_int_t
ngx_http_clipper_record_redis_parse(redisReply *reply,
    clipper_record_t **record)
{
    static clipper_record_t  decoded;

    if (reply->type == REDIS_REPLY_NIL) {
        return NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    if (reply->len == 0) {
        return NGX_OK;
    }

    if (clipper_record_wire_decode((u_char *) reply->str, reply->len, &decoded)
        != NGX_OK)
    {
        ngx_http_clipper_state_text_error("a claim", reply);
        return NGX_DECLINED;
    }

    *record = &decoded;

    return NGX_OK;
}


/* the key is valid until the next call; 0: out of memory */

static size_t
ngx_http_clipper_record_redis_key(ngx_http_clipper_app_t *app,
    uint64_t query_id, const char **key)
{
    size_t      need;
    u_char     *p;
    ngx_str_t  *prefix;

    static u_char  *buf;
    static size_t   size;

    prefix = &ngx_http_clipper_state_flow.redis->prefix;
    need = prefix->len + app->name.len + NGX_HTTP_CLIPPER_RECORD_KEY;

    if (need > size) {
        p = ngx_alloc(need, ngx_http_clipper_state_flow.log);
        if (p == NULL) {
            return 0;
        }

        if (buf) {
            ngx_free(buf);
        }

        buf = p;
        size = need;
    }

    p = ngx_sprintf(buf, "%Vrecord:%V:%uL", prefix, &app->name, query_id);
    *key = (char *) buf;

    return p - buf;
}


static void
ngx_http_clipper_record_redis_owner(const ngx_str_t *uid,
    u_char owner[CLIPPER_RECORD_WIRE_OWNER])
{
    uint64_t  hash[2];

    hash[0] = 0;
    hash[1] = 0;

    if (uid->len) {
        clipper_hash_siphash(ngx_http_clipper_lineup_public, uid->data,
                             uid->len, hash);
    }

    clipper_wire_put64(owner, hash[0]);
    clipper_wire_put64(owner + 8, hash[1]);
}
