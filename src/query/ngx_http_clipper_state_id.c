
/*
 * Query ids: a scrambled counter.
 *
 * The instances on one Redis share the key of the permutation, and each has
 * its own range of numbers, so their ids never collide.  Without Redis, and
 * until Redis has assigned a range, the key is the zone's own, and ids of
 * different instances differ as random numbers of 53 bits do.
 *
 * Redis keys, after the prefix: "ids:key", 32 hex digits, and "ids:count".
 */


#include "query/ngx_http_clipper_state_flow.h"
#include "query/ngx_http_clipper_state_id.h"
#include "query/ngx_http_clipper_state_text.h"


#define NGX_HTTP_CLIPPER_STATE_ID_BITS     41      /* of the counter */
#define NGX_HTTP_CLIPPER_STATE_ID_PARTS    4095    /* from 1 */
#define NGX_HTTP_CLIPPER_STATE_ID_KEY_LEN  32

/* ids without a number that are taken for this instance's */
#define NGX_HTTP_CLIPPER_STATE_ID_FIRST    ((uint64_t) 1 << 32)


static void ngx_http_clipper_state_id_learn(clipper_state_header_t *h);
static void ngx_http_clipper_state_id_answered(
    ngx_http_clipper_redis_call_t *call, redisReply *reply);


/* KEYS: the key of the permutation and the count; ARGV: a key to propose */

static char  ngx_http_clipper_state_id_script[] =
    "redis.call('SETNX', KEYS[1], ARGV[1])\n"
    "return { redis.call('GET', KEYS[1]),\n"
    "         tostring((redis.call('INCR', KEYS[2]) - 1) % 4095 + 1) }\n";


static ngx_http_clipper_redis_call_t  ngx_http_clipper_state_id_call = {
    ngx_http_clipper_state_id_answered
};

static clipper_hash_key_t  ngx_http_clipper_state_id_key;
static ngx_uint_t          ngx_http_clipper_state_id_known;


uint64_t
ngx_http_clipper_state_id_next(clipper_zone_t *zone)
{
    uint64_t                 count, number;
    clipper_state_header_t  *h;

    h = zone->states;
    count = __atomic_fetch_add(&zone->header->query_id, 1, __ATOMIC_RELAXED);
    number = __atomic_load_n(&h->ids_number, __ATOMIC_ACQUIRE);

    if (ngx_http_clipper_process.conf->query_id_bits == CLIPPER_SCRAMBLE_SHORT)
    {
        return clipper_hash_scramble_short(&zone->header->key, count);
    }

    if (number == 0) {
        return clipper_hash_scramble(&zone->header->key, count);
    }

    ngx_http_clipper_state_id_learn(h);

    count &= ((uint64_t) 1 << NGX_HTTP_CLIPPER_STATE_ID_BITS) - 1;
    count |= number << NGX_HTTP_CLIPPER_STATE_ID_BITS;

    return clipper_hash_scramble(&ngx_http_clipper_state_id_key, count);
}


static void
ngx_http_clipper_state_id_learn(clipper_state_header_t *h)
{
    if (!ngx_http_clipper_state_id_known) {
        ngx_http_clipper_state_id_key.perm[0] = h->ids_key[0];
        ngx_http_clipper_state_id_key.perm[1] = h->ids_key[1];
        ngx_http_clipper_state_id_known = 1;
    }
}


/*
 * The first ones, without a number, are of the zone's own key.  Where their
 * counter began is not known, and a number has 12 bits: one of another instance
 * that has no number is taken for its own once in 4 096 times.
 */

ngx_uint_t
ngx_http_clipper_state_id_own(clipper_zone_t *zone, uint64_t id)
{
    uint64_t                 back, count, number;
    clipper_state_header_t  *h;

    h = zone->states;
    count = __atomic_load_n(&zone->header->query_id, __ATOMIC_RELAXED);
    number = __atomic_load_n(&h->ids_number, __ATOMIC_ACQUIRE);

    back = (count - 1 - clipper_hash_unscramble(&zone->header->key, id))
           & (((uint64_t) 1 << CLIPPER_SCRAMBLE_BITS) - 1);

    if (back < NGX_HTTP_CLIPPER_STATE_ID_FIRST) {
        return 1;
    }

    if (number == 0) {
        return 0;
    }

    ngx_http_clipper_state_id_learn(h);

    return clipper_hash_unscramble(&ngx_http_clipper_state_id_key, id)
           >> NGX_HTTP_CLIPPER_STATE_ID_BITS == number;
}


/* several workers may ask; the first reply counts for all */

void
ngx_http_clipper_state_id_ask(void)
{
    size_t                          len[6];
    u_char                          key[NGX_HTTP_CLIPPER_STATE_ID_KEY_LEN],
                                   *names, *p;
    ngx_str_t                      *prefix;
    const char                     *argv[6];
    ngx_http_clipper_state_t       *state;

    state = &ngx_http_clipper_state_flow;

    if (__atomic_load_n(&state->table.header->ids_number, __ATOMIC_ACQUIRE)) {
        return;
    }

    prefix = &state->redis->prefix;

    names = ngx_alloc(2 * (prefix->len + sizeof("ids:count")), state->log);
    if (names == NULL) {
        return;
    }

    (void) ngx_hex_dump(key,
                     (u_char *) ngx_http_clipper_process.zone->header->key.perm,
                     sizeof(key) / 2);

    argv[0] = "EVAL";
    len[0] = 4;
    argv[1] = ngx_http_clipper_state_id_script;
    len[1] = sizeof(ngx_http_clipper_state_id_script) - 1;
    argv[2] = "2";
    len[2] = 1;

    argv[3] = (char *) names;
    p = ngx_cpymem(names, prefix->data, prefix->len);
    p = ngx_cpymem(p, "ids:key", sizeof("ids:key") - 1);
    len[3] = p - names;

    argv[4] = (char *) p;
    p = ngx_cpymem(p, prefix->data, prefix->len);
    p = ngx_cpymem(p, "ids:count", sizeof("ids:count") - 1);
    len[4] = (char *) p - argv[4];

    argv[5] = (char *) key;
    len[5] = sizeof(key);

    (void) ngx_http_clipper_redis_command(&ngx_http_clipper_state_id_call, 6,
                                          argv, len);
    ngx_free(names);
}


static void
ngx_http_clipper_state_id_answered(ngx_http_clipper_redis_call_t *call,
    redisReply *reply)
{
    u_char                  *text;
    uint64_t                 perm[2];
    ngx_int_t                number, digit;
    ngx_uint_t               i;
    clipper_state_header_t  *h;

    h = ngx_http_clipper_state_flow.table.header;

    if (reply == NULL) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[0]->len != NGX_HTTP_CLIPPER_STATE_ID_KEY_LEN
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        ngx_http_clipper_state_text_error("a request for query ids", reply);
        return;
    }

    number = ngx_atoi((u_char *) reply->element[1]->str,
                      reply->element[1]->len);

    if (number < 1 || number > NGX_HTTP_CLIPPER_STATE_ID_PARTS) {
        ngx_http_clipper_state_text_error("a request for query ids", reply);
        return;
    }

    text = (u_char *) reply->element[0]->str;
    perm[0] = 0;
    perm[1] = 0;

    for (i = 0; i < NGX_HTTP_CLIPPER_STATE_ID_KEY_LEN; i++) {
        digit = ngx_hextoi(&text[i], 1);

        if (digit == NGX_ERROR) {
            ngx_http_clipper_state_text_error("a request for query ids",
                                              reply);
            return;
        }

        perm[i / 16] = (perm[i / 16] << 4) | (uint64_t) digit;
    }

    clipper_journal_begin(&h->journal, h, ngx_http_clipper_process.zone->pid);

    if (h->ids_number == 0) {
        h->ids_key[0] = perm[0];
        h->ids_key[1] = perm[1];
        __atomic_store_n(&h->ids_number, (uint64_t) number, __ATOMIC_RELEASE);
    }

    clipper_journal_end(&h->journal);
}
