
/*
 * Guards the reader of hiredis, see the header.
 *
 * A reader calls a function for each value that it has read.  A reply begins
 * with a value without a parent, and it does so before hiredis looks for its
 * command: the functions here are hiredis's own behind that check.  One that
 * returns NULL makes the reader fail, "Out of memory" in hiredis's words.
 */


#include "worker/ngx_http_clipper_redis_guard.h"


#define NGX_HTTP_CLIPPER_GUARD_BYTES     (16 * 1024 * 1024)  /* of a reply */
#define NGX_HTTP_CLIPPER_GUARD_ELEMENTS  65536               /* of an array */


#if (HIREDIS_MAJOR >= 1)
typedef size_t  ngx_http_clipper_guard_count_t;
#else
typedef int     ngx_http_clipper_guard_count_t;
#endif


static ngx_uint_t ngx_http_clipper_guard_unasked(const redisReadTask *task);
static void *ngx_http_clipper_guard_string(const redisReadTask *task,
    char *text, size_t len);
static void *ngx_http_clipper_guard_array(const redisReadTask *task,
    ngx_http_clipper_guard_count_t n);
static void *ngx_http_clipper_guard_integer(const redisReadTask *task,
    long long value);
static void *ngx_http_clipper_guard_nil(const redisReadTask *task);
#if (HIREDIS_MAJOR >= 1)
static void *ngx_http_clipper_guard_double(const redisReadTask *task,
    double value, char *text, size_t len);
static void *ngx_http_clipper_guard_bool(const redisReadTask *task,
    int value);
#endif


static redisReplyObjectFunctions  *ngx_http_clipper_guard_plain;
static redisReplyObjectFunctions   ngx_http_clipper_guard_functions;
static const char                 *ngx_http_clipper_guard_why;


void
ngx_http_clipper_redis_guard_attach(redisAsyncContext *ac)
{
    redisReader                *reader;
    redisReplyObjectFunctions  *fn;

    reader = ac->c.reader;
    fn = &ngx_http_clipper_guard_functions;

    ngx_http_clipper_guard_plain = reader->fn;
    ngx_http_clipper_guard_why = NULL;

    *fn = *reader->fn;
    fn->createString = ngx_http_clipper_guard_string;
    fn->createArray = ngx_http_clipper_guard_array;
    fn->createInteger = ngx_http_clipper_guard_integer;
    fn->createNil = ngx_http_clipper_guard_nil;
#if (HIREDIS_MAJOR >= 1)
    fn->createDouble = ngx_http_clipper_guard_double;
    fn->createBool = ngx_http_clipper_guard_bool;
#endif

    reader->fn = fn;
    reader->privdata = ac;
}


void
ngx_http_clipper_redis_guard_read(redisAsyncContext *ac)
{
    redisReader  *reader;

    reader = ac->c.reader;

    if (reader->len - reader->pos > NGX_HTTP_CLIPPER_GUARD_BYTES
        && reader->err == 0)
    {
        ngx_http_clipper_guard_why = "a reply is too large";
        reader->err = REDIS_ERR_PROTOCOL;
    }
}


const char *
ngx_http_clipper_redis_guard_reason(const redisAsyncContext *ac)
{
    if (ngx_http_clipper_guard_why) {
        return ngx_http_clipper_guard_why;
    }

    return ac->err ? ac->errstr : "closed";
}


static ngx_uint_t
ngx_http_clipper_guard_unasked(const redisReadTask *task)
{
    redisAsyncContext  *ac;

    ac = task->privdata;

    if (task->parent || ac->replies.head) {
        return 0;
    }

    ngx_http_clipper_guard_why = "a reply without a command";

    return 1;
}


static void *
ngx_http_clipper_guard_string(const redisReadTask *task, char *text,
    size_t len)
{
    if (task->type != REDIS_REPLY_ERROR
        && ngx_http_clipper_guard_unasked(task))
    {
        return NULL;
    }

    return ngx_http_clipper_guard_plain->createString(task, text, len);
}


static void *
ngx_http_clipper_guard_array(const redisReadTask *task,
    ngx_http_clipper_guard_count_t n)
{
    if (ngx_http_clipper_guard_unasked(task)) {
        return NULL;
    }

    if (n > NGX_HTTP_CLIPPER_GUARD_ELEMENTS) {
        ngx_http_clipper_guard_why = "a reply is too large";
        return NULL;
    }

    return ngx_http_clipper_guard_plain->createArray(task, n);
}


static void *
ngx_http_clipper_guard_integer(const redisReadTask *task, long long value)
{
    return ngx_http_clipper_guard_unasked(task)
           ? NULL
           : ngx_http_clipper_guard_plain->createInteger(task, value);
}


static void *
ngx_http_clipper_guard_nil(const redisReadTask *task)
{
    return ngx_http_clipper_guard_unasked(task)
           ? NULL
           : ngx_http_clipper_guard_plain->createNil(task);
}


#if (HIREDIS_MAJOR >= 1)

static void *
ngx_http_clipper_guard_double(const redisReadTask *task, double value,
    char *text, size_t len)
{
    return ngx_http_clipper_guard_unasked(task)
           ? NULL
           : ngx_http_clipper_guard_plain->createDouble(task, value, text, len);
}


static void *
ngx_http_clipper_guard_bool(const redisReadTask *task, int value)
{
    return ngx_http_clipper_guard_unasked(task)
           ? NULL
           : ngx_http_clipper_guard_plain->createBool(task, value);
}

#endif
