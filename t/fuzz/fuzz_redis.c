
/*
 * Any bytes from Redis: replies that nothing asked for are an error of the
 * connection, values become sums that are finite and not negative or are
 * refused, a record has the form that it would be written in, and a cause has
 * no control characters.
 *
 * Input: a byte with what is expected, then what Redis sends, in two reads.
 */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clipper_plain.h"
#include "query/ngx_http_clipper_state_text.h"
#include "shm/clipper_record_wire.h"
#include "worker/ngx_http_clipper_redis_guard.h"


#define SUMS   4
#define WORDS  64

#define expect(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* what the formatting of states takes from nginx and from the worker */

ngx_http_clipper_state_t  ngx_http_clipper_state_flow;


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


static void
check_sums(redisReply *reply, ngx_uint_t first)
{
    double                 rows[SUMS];
    ngx_uint_t             i;
    clipper_state_reply_t  out;

    if (ngx_http_clipper_state_text_parse(reply, first, &out, SUMS, rows)
        != NGX_OK)
    {
        return;
    }

    expect(reply->type == REDIS_REPLY_ARRAY);
    expect(reply->elements == first + NGX_HTTP_CLIPPER_STATE_HEAD + SUMS);
    expect(isfinite(out.time) && out.time >= 0);

    for (i = 0; i < CLIPPER_POLICY_ROWS; i++) {
        expect(isfinite(out.head[i]) && out.head[i] >= 0);
    }

    for (i = 0; i < SUMS; i++) {
        expect(isfinite(out.rows[i]) && out.rows[i] >= 0);
    }
}


static void
check_record(redisReply *reply)
{
    size_t            len;
    u_char            bytes[CLIPPER_RECORD_WIRE_MAX];
    clipper_record_t  record;

    if (clipper_record_wire_decode((u_char *) reply->str, reply->len, &record)
        != NGX_OK)
    {
        return;
    }

    expect(record.n >= 1 && record.n <= CLIPPER_POLICY_MEMBERS);
    expect(record.served == CLIPPER_POLICY_ALL
           || (record.served >= 0 && (uint32_t) record.served < record.n));

    len = clipper_record_wire_encode(&record, (u_char *) reply->str + 1, bytes);

    expect(len == reply->len && memcmp(bytes, reply->str, len) == 0);
}


static void
check_cause(redisReply *reply)
{
    u_char      buf[WORDS];
    ngx_str_t   text;
    ngx_uint_t  i;

    text.data = (u_char *) reply->str;
    text.len = reply->len;

    clipper_plain_text(&text, buf, sizeof(buf));
    expect(text.len <= sizeof(buf));

    for (i = 0; i < text.len; i++) {
        expect(text.data[i] >= ' ' && text.data[i] != 0x7f);
    }
}


static void
check_reply(redisReply *reply)
{
    double  number;

    check_sums(reply, 0);
    check_sums(reply, 1);

    if (ngx_http_clipper_state_text_number(reply, &number) == NGX_OK) {
        expect(isfinite(number) && number >= 0);
    }

    switch (reply->type) {

    case REDIS_REPLY_STRING:
        check_record(reply);
        break;

    case REDIS_REPLY_ERROR:
        ngx_http_clipper_state_text_error("a test", reply);
        check_cause(reply);
        break;
    }
}


/* 0: the connection has an error */

static ngx_uint_t
read_replies(redisAsyncContext *ac, const uint8_t *data, size_t size)
{
    void  *reply;

    ngx_http_clipper_redis_guard_read(ac);

    if (redisReaderFeed(ac->c.reader, (const char *) data, size)
        != REDIS_OK)
    {
        return 0;
    }

    for ( ;; ) {
        if (redisReaderGetReply(ac->c.reader, &reply) != REDIS_OK) {
            expect(*ngx_http_clipper_redis_guard_reason(ac));
            return 0;
        }

        if (reply == NULL) {
            return 1;
        }

        expect(ac->replies.head != NULL
               || ((redisReply *) reply)->type == REDIS_REPLY_ERROR);

        check_reply(reply);
        freeReplyObject(reply);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                           cut;
    redisCallback                    call;
    redisAsyncContext                ac;
    ngx_http_clipper_redis_conf_t    redis;
    static ngx_log_t                 log;
    static clipper_state_header_t    header;

    if (size == 0) {
        return 0;
    }

    memset(&redis, 0, sizeof(redis));
    log.log_level = NGX_LOG_ERR;
    ngx_http_clipper_state_flow.redis = &redis;
    ngx_http_clipper_state_flow.log = &log;
    ngx_http_clipper_state_flow.table.header = &header;

    memset(&ac, 0, sizeof(ac));
    ac.c.reader = redisReaderCreate();
    expect(ac.c.reader != NULL);
    ac.replies.head = (data[0] & 1) ? &call : NULL;

    ngx_http_clipper_redis_guard_attach(&ac);

    cut = (size - 1) * (data[0] >> 1) / 128;

    if (read_replies(&ac, data + 1, cut)) {
        (void) read_replies(&ac, data + 1 + cut, size - 1 - cut);
    }

    redisReaderFree(ac.c.reader);

    return 0;
}
