
/*
 * The time of learned states, see the header.
 */


#include "query/ngx_http_clipper_state_flow.h"
#include "query/ngx_http_clipper_state_text.h"
#include "query/ngx_http_clipper_state_time.h"
#include <math.h>


/* seconds that a reply may be late; a smaller difference is ignored */
#define NGX_HTTP_CLIPPER_STATE_TIME_LATE  1.0


static void ngx_http_clipper_state_time_answered(
    ngx_http_clipper_redis_call_t *call, redisReply *reply);


static ngx_http_clipper_redis_call_t  ngx_http_clipper_state_time_call = {
    ngx_http_clipper_state_time_answered
};

/* Redis' clock less this machine's; 0: not known */
static double  ngx_http_clipper_state_time_shift;


void
ngx_http_clipper_state_time_ask(void)
{
    size_t       len[1];
    const char  *argv[1];

    argv[0] = "TIME";
    len[0] = 4;

    (void) ngx_http_clipper_redis_command(&ngx_http_clipper_state_time_call,
                                          1, argv, len);
}


static void
ngx_http_clipper_state_time_answered(ngx_http_clipper_redis_call_t *call,
    redisReply *reply)
{
    double  seconds, us;

    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && ngx_http_clipper_state_text_number(reply->element[0], &seconds)
           == NGX_OK
        && ngx_http_clipper_state_text_number(reply->element[1], &us)
           == NGX_OK)
    {
        ngx_http_clipper_state_time_told(seconds + us / 1000000);
    }
}


void
ngx_http_clipper_state_time_told(double now)
{
    double  shift;

    shift = now - clipper_clock_boot();

    if (fabs(shift - ngx_http_clipper_state_time_shift)
        > NGX_HTTP_CLIPPER_STATE_TIME_LATE)
    {
        ngx_http_clipper_state_time_shift = shift;
    }
}


void
ngx_http_clipper_state_time_convert(clipper_state_reply_t *reply)
{
    double  here, there;

    here = clipper_clock_boot();
    there = (ngx_http_clipper_state_time_shift != 0)
            ? here + ngx_http_clipper_state_time_shift
            : clipper_clock_wall();

    reply->head[CLIPPER_POLICY_T0] =
                  clipper_policy_state_here(reply->head[CLIPPER_POLICY_T0],
                                            reply->time, there, here);
}
