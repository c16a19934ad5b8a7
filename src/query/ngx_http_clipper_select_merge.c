
/*
 * Answers from asks, see the header.
 */


#include "query/ngx_http_clipper_select_merge.h"
#include "query/ngx_http_clipper_select.h"
#include "query/ngx_http_clipper_ask.h"
#include "query/ngx_http_clipper_record_redis.h"
#include "learn/clipper_combine.h"
#include "learn/clipper_policy.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_record.h"


static void ngx_http_clipper_merge_answer(ngx_http_clipper_query_t *query,
    ngx_uint_t i);
static void ngx_http_clipper_merge_default(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, ngx_http_clipper_reason_e reason);
static void ngx_http_clipper_merge_one(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, ngx_http_clipper_ask_t *ask);
static void ngx_http_clipper_merge_several(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, ngx_http_clipper_ask_t *asks);
static void ngx_http_clipper_merge_output(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, clipper_combine_member_t *members,
    ngx_uint_t n);
static void ngx_http_clipper_merge_confidence(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, const clipper_combine_member_t *members,
    clipper_combine_result_t *result);
static void ngx_http_clipper_merge_record(ngx_http_clipper_query_t *query,
    ngx_uint_t i, ngx_http_clipper_ask_t *asks);
static ngx_uint_t ngx_http_clipper_merge_missed(
    ngx_http_clipper_answer_t *answer, ngx_uint_t k,
    ngx_http_clipper_ask_t *ask);


static ngx_inline ngx_uint_t
ngx_http_clipper_merge_asked(ngx_http_clipper_answer_t *answer, ngx_uint_t i)
{
    return (answer->asked >> i) & 1;
}


void
ngx_http_clipper_select_merge(ngx_http_clipper_query_t *query)
{
    ngx_uint_t  i;

    for (i = 0; i < query->n; i++) {
        ngx_http_clipper_merge_answer(query, i);
    }
}


static void
ngx_http_clipper_merge_answer(ngx_http_clipper_query_t *query, ngx_uint_t i)
{
    ngx_http_clipper_ask_t        *asks;
    ngx_http_clipper_answer_t     *answer;
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;
    answer = &query->answers[i];

    if (answer->asked == 0) {
        ngx_http_clipper_merge_default(query, answer,
                                       NGX_HTTP_CLIPPER_NO_REPLICA);
        return;
    }

    asks = &query->asks[i * sel->n];

    if (answer->served >= 0) {
        ngx_http_clipper_merge_one(query, answer, &asks[answer->served]);

    } else {
        ngx_http_clipper_merge_several(query, answer, asks);
    }

    if (sel->inputs) {
        ngx_http_clipper_merge_record(query, i, asks);
    }
}


static void
ngx_http_clipper_merge_default(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, ngx_http_clipper_reason_e reason)
{
    answer->outcome = NGX_HTTP_CLIPPER_DEFAULT;
    answer->reason = reason;
    answer->output = query->app->opt.output;
}


static void
ngx_http_clipper_merge_one(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, ngx_http_clipper_ask_t *ask)
{
    answer->queue_us = ask->queue_us;
    answer->model_us = ask->model_us;
    answer->batch_size = ask->batch_size;

    if (ask->reason) {
        answer->error = ask->error;
        ngx_http_clipper_merge_default(query, answer, ask->reason);
        return;
    }

    answer->outcome = ask->outcome;
    answer->output = ask->output;
}


/* combines what has arrived, with the weights of the selection */

static void
ngx_http_clipper_merge_several(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, ngx_http_clipper_ask_t *asks)
{
    ngx_uint_t                          i, n, cached, joined, answered;
    ngx_http_clipper_selection_t       *sel;
    ngx_http_clipper_reason_e           reason;
    clipper_combine_member_t   members[
                                             CLIPPER_POLICY_MEMBERS];

    sel = query->selection;
    reason = NGX_HTTP_CLIPPER_NO_REPLICA;
    n = 0;
    cached = 0;
    joined = 0;
    answered = 0;

    for (i = 0; i < sel->n; i++) {

        if (!ngx_http_clipper_merge_asked(answer, i)) {
            continue;
        }

        members[n].weight = sel->weights ? sel->weights[i] : 1;
        members[n].answered = (asks[i].reason == NGX_HTTP_CLIPPER_REASON_NONE);

        if (members[n].answered) {
            clipper_value_init(&members[n].value,
                               asks[i].output.data, asks[i].output.len);
            answered++;
            cached += asks[i].outcome == NGX_HTTP_CLIPPER_CACHED;
            joined += asks[i].outcome == NGX_HTTP_CLIPPER_JOINED;

        } else {
            reason = asks[i].reason;

            if (asks[i].error.len) {
                answer->error = asks[i].error;
            }
        }

        answer->queue_us = ngx_max(answer->queue_us, asks[i].queue_us);
        answer->model_us = ngx_max(answer->model_us, asks[i].model_us);
        answer->batch_size = ngx_max(answer->batch_size, asks[i].batch_size);
        n++;
    }

    if (answered == 0) {
        ngx_http_clipper_merge_default(query, answer, reason);
        return;
    }

    answer->outcome = cached == n ? NGX_HTTP_CLIPPER_CACHED
                      : cached + joined == n ? NGX_HTTP_CLIPPER_JOINED
                      : NGX_HTTP_CLIPPER_ANSWER;

    ngx_http_clipper_merge_output(query, answer, members, n);
}


static void
ngx_http_clipper_merge_output(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, clipper_combine_member_t *members,
    ngx_uint_t n)
{
    u_char                   *dst;
    ngx_http_clipper_app_t   *app;
    clipper_combine_result_t  result;
    clipper_policy_combine_e  mode;

    app = query->app;
    mode = clipper_combine_mode(app->opt.select.policy, &app->opt.loss);

    dst = ngx_pnalloc(query->pool, clipper_combine_size(mode, members, n) + 1);

    if (dst == NULL
        || clipper_combine(mode, &app->opt.loss, members, n, dst,
                           &result)
           != NGX_OK)
    {
        ngx_http_clipper_merge_default(query, answer,
                                       NGX_HTTP_CLIPPER_MODEL_ERROR);
        return;
    }

    answer->output = result.output;

    if (mode == CLIPPER_POLICY_VOTE && query->selection->lineup) {
        ngx_http_clipper_merge_confidence(query, answer, members, &result);
    }

    if (n > 1) {
        answer->confidence = result.confidence;
    }

    if (result.confidence * 1000000 < app->opt.confidence) {
        ngx_http_clipper_merge_default(query, answer,
                                       NGX_HTTP_CLIPPER_LOW_CONFIDENCE);
    }
}


/* from the places of the asked members to those of the policy */

static void
ngx_http_clipper_merge_confidence(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer, const clipper_combine_member_t *members,
    clipper_combine_result_t *result)
{
    ngx_uint_t                     i, m, place[CLIPPER_POLICY_MEMBERS],
                                   same[CLIPPER_POLICY_MEMBERS];
    clipper_policy_view_t          view;
    clipper_policy_answers_t       answers;
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;
    answers.answered = 0;
    answers.same = same;

    for (i = 0, m = 0; i < sel->n; i++) {

        if (!ngx_http_clipper_merge_asked(answer, i)) {
            continue;
        }

        if (members[m].answered) {
            place[m] = i;
            same[i] = place[result->same[m]];
            answers.answered |= (uint64_t) 1 << i;
        }

        m++;
    }

    ngx_http_clipper_select_view(query, &view);

    result->confidence = clipper_policy_confidence(&query->app->opt.select,
                                                   &view, &answers,
                                                   place[result->first],
                                                   result->confidence);
}


/* records the models that were asked and answered in time, or should have */

static void
ngx_http_clipper_merge_record(ngx_http_clipper_query_t *query, ngx_uint_t i,
    ngx_http_clipper_ask_t *asks)
{
    ngx_uint_t                     k;
    ngx_http_clipper_answer_t     *answer;
    ngx_http_clipper_selection_t  *sel;

    static clipper_record_t  record;

    sel = query->selection;
    answer = &query->answers[i];

    record.query_id = answer->query_id;
    record.uid[0] = sel->user_key[0];
    record.uid[1] = sel->user_key[1];
    record.input[0] = sel->inputs[i][0];
    record.input[1] = sel->inputs[i][1];
    record.up = sel->up;
    record.seen = 0;
    record.propensity = answer->propensity;
    record.time = clipper_clock_boot();
    record.app = (uint32_t) query->app->row;
    record.served = answer->served >= 0 ? (int32_t) answer->served
                                        : CLIPPER_POLICY_ALL;
    record.n = (uint32_t) sel->n;
    record.shared = 0;
    record.owner = 0;
    record.lesson = 0;

    for (k = 0; k < sel->n; k++) {
        record.key[k] = sel->lineup->keys[k];
        record.len[k] = 0;

        if (ngx_http_clipper_merge_asked(answer, k)
            && asks[k].reason == NGX_HTTP_CLIPPER_REASON_NONE)
        {
            record.seen |= (uint64_t) 1 << k;
            clipper_record_output(&record, k, asks[k].output.data,
                                  asks[k].output.len);

        } else if (ngx_http_clipper_merge_missed(answer, k, &asks[k])) {
            record.seen |= (uint64_t) 1 << k;
            record.len[k] = CLIPPER_RECORD_MISSED;
        }
    }

    if (record.seen == 0) {
        return;
    }

    /* what feedback asks for its own sake is of no use to others */

    record.shared = !query->quiet && ngx_http_clipper_record_redis_ready();

    if (clipper_record_put(ngx_http_clipper_process.zone, &record) == NGX_OK
        && record.shared)
    {
        ngx_http_clipper_record_redis_put(query->app, &query->uid, &record);
    }
}


/*
 * A model that is asked alone and misses the deadline is judged by that:
 * otherwise a policy would never learn to leave it.
 */

static ngx_uint_t
ngx_http_clipper_merge_missed(ngx_http_clipper_answer_t *answer, ngx_uint_t k,
    ngx_http_clipper_ask_t *ask)
{
    return answer->served == (ngx_int_t) k
           && (ask->reason == NGX_HTTP_CLIPPER_DEADLINE
               || ask->reason == NGX_HTTP_CLIPPER_MODEL_ERROR);
}
