
/*
 * Feedback, see the header.
 */


#include "query/ngx_http_clipper_feedback.h"
#include "learn/clipper_combine.h"
#include "learn/clipper_loss.h"
#include "learn/clipper_policy.h"
#include "shm/clipper_metrics.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_record.h"
#include "query/ngx_http_clipper_select.h"


static ngx_int_t ngx_http_clipper_feedback_find(
    ngx_http_clipper_feedback_t *feedback, u_char *input, size_t len,
    clipper_record_t *record);
static ngx_int_t ngx_http_clipper_feedback_ask(
    ngx_http_clipper_feedback_t *feedback, u_char *input, size_t len);
static void ngx_http_clipper_feedback_answered(
    ngx_http_clipper_query_t *query);
static void ngx_http_clipper_feedback_asked(
    ngx_http_clipper_feedback_t *feedback);
static ngx_http_clipper_feedback_e ngx_http_clipper_feedback_learn(
    ngx_http_clipper_feedback_t *feedback, clipper_record_t *record);
static ngx_uint_t ngx_http_clipper_feedback_judge(
    ngx_http_clipper_feedback_t *feedback, clipper_record_t *record,
    clipper_policy_feedback_t *fb, double *loss);
static ngx_uint_t ngx_http_clipper_feedback_place(
    const ngx_http_clipper_selection_t *sel, const clipper_record_t *record,
    ngx_uint_t i);
static void ngx_http_clipper_feedback_answers(
    ngx_http_clipper_feedback_t *feedback, clipper_record_t *record,
    clipper_policy_answers_t *answers, ngx_uint_t *same);
static void ngx_http_clipper_feedback_end(
    ngx_http_clipper_feedback_t *feedback, ngx_http_clipper_feedback_e result);


ngx_str_t  ngx_http_clipper_feedback_names[] = {
    ngx_string("learned"),
    ngx_string("ignored"),
    ngx_string("unknown"),
    ngx_string("useless"),
    ngx_string("dropped")
};


/* records are long: there is one buffer, for one record at a time */

static clipper_record_t  ngx_http_clipper_feedback_record;


ngx_int_t
ngx_http_clipper_feedback_start(ngx_http_clipper_feedback_t *feedback,
    u_char *input, size_t len, uint64_t start_us)
{
    ngx_http_clipper_query_t  *query;
    clipper_record_t          *record;
    const clipper_policy_t    *policy;

    policy = feedback->app->select.policy;

    if (policy->observe == NULL) {
        ngx_http_clipper_feedback_end(feedback,
                                      NGX_HTTP_CLIPPER_FEEDBACK_IGNORED);
        return NGX_OK;
    }

    query = ngx_http_clipper_query_create(feedback->pool, feedback->log,
                                          feedback->app, start_us);
    if (query == NULL) {
        return NGX_ERROR;
    }

    feedback->query = query;

    query->uid = feedback->uid;
    query->quiet = 1;
    query->handler = ngx_http_clipper_feedback_answered;
    query->data = feedback;

    if (ngx_http_clipper_query_resolve(query, NULL) == NGX_ERROR
        || ngx_http_clipper_select_load(query) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    /* a state that is not here is added to all the same */

    record = &ngx_http_clipper_feedback_record;

    if (ngx_http_clipper_feedback_find(feedback, input, len, record)
        == NGX_OK)
    {
        ngx_http_clipper_feedback_end(feedback,
                          ngx_http_clipper_feedback_learn(feedback, record));
        return NGX_OK;
    }

    if (!feedback->has_id && (policy->flags & CLIPPER_POLICY_ASKS)
        && query->selection->up)
    {
        return ngx_http_clipper_feedback_ask(feedback, input, len);
    }

    ngx_http_clipper_feedback_end(feedback, NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_feedback_find(ngx_http_clipper_feedback_t *feedback,
    u_char *input, size_t len, clipper_record_t *record)
{
    uint64_t                       key[2];
    clipper_zone_t                *zone;
    ngx_http_clipper_selection_t  *sel;

    zone = ngx_http_clipper_process.zone;
    sel = feedback->query->selection;

    if (feedback->has_id) {
        return clipper_record_take(zone, feedback->query_id,
                                   (uint32_t) feedback->app->row,
                                   sel->user_key, record);
    }

    ngx_http_clipper_select_input(feedback->query, input, len, key);

    return clipper_record_find(zone, (uint32_t) feedback->app->row,
                               sel->user_key, key, record);
}


/* no record of the query: asks all members, within one SLO */

static ngx_int_t
ngx_http_clipper_feedback_ask(ngx_http_clipper_feedback_t *feedback,
    u_char *input, size_t len)
{
    ngx_int_t        rc;
    clipper_item_t   item;

    feedback->query->everybody = 1;

    item.offset = 0;
    item.len = len;

    rc = ngx_http_clipper_query_start(feedback->query, &item, input, 1);

    if (rc == NGX_OK) {
        ngx_http_clipper_feedback_asked(feedback);
    }

    return rc;
}


static void
ngx_http_clipper_feedback_answered(ngx_http_clipper_query_t *query)
{
    ngx_http_clipper_feedback_t  *feedback;

    feedback = query->data;

    ngx_http_clipper_feedback_asked(feedback);

    feedback->handler(feedback);
}


/* the answers have left a record, like those of every query */

static void
ngx_http_clipper_feedback_asked(ngx_http_clipper_feedback_t *feedback)
{
    ngx_int_t                  rc;
    clipper_record_t          *record;
    ngx_http_clipper_query_t  *query;

    query = feedback->query;
    record = &ngx_http_clipper_feedback_record;

    rc = clipper_record_take(ngx_http_clipper_process.zone,
                             query->answers[0].query_id,
                             (uint32_t) feedback->app->row,
                             query->selection->user_key, record);

    ngx_http_clipper_feedback_end(feedback,
                       rc == NGX_OK
                       ? ngx_http_clipper_feedback_learn(feedback, record)
                       : NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN);
}


static ngx_http_clipper_feedback_e
ngx_http_clipper_feedback_learn(ngx_http_clipper_feedback_t *feedback,
    clipper_record_t *record)
{
    double                               loss[
                                             CLIPPER_POLICY_MEMBERS];
    ngx_uint_t                           same[
                                             CLIPPER_POLICY_MEMBERS];
    clipper_policy_answers_t             answers;
    double                               delta[
                                           CLIPPER_POLICY_STATE_MAX];
    ngx_http_clipper_selection_t  *sel;
    clipper_policy_view_t          view;
    clipper_policy_feedback_t      fb;

    sel = feedback->query->selection;

    if (!ngx_http_clipper_feedback_judge(feedback, record, &fb, loss)) {
        return NGX_HTTP_CLIPPER_FEEDBACK_USELESS;
    }

    ngx_http_clipper_select_view(feedback->query, &view);

    if (clipper_combine_mode(feedback->app->select.policy,
                             &feedback->app->loss)
        == CLIPPER_POLICY_VOTE)
    {
        ngx_http_clipper_feedback_answers(feedback, record, &answers, same);
        fb.answers = &answers;
    }

    if (clipper_policy_observe(&feedback->app->select, &view, &fb,
                               clipper_clock_wall(), delta)
        != NGX_OK)
    {
        return NGX_HTTP_CLIPPER_FEEDBACK_USELESS;
    }

    return ngx_http_clipper_state_add(&sel->lineup->id, &feedback->uid, delta)
           == NGX_OK ? NGX_HTTP_CLIPPER_FEEDBACK_LEARNED
                     : NGX_HTTP_CLIPPER_FEEDBACK_DROPPED;
}


/*
 * The losses of the members that answered, at their current indices: links may
 * have changed since the query.  0: no loss to learn from.
 */

static ngx_uint_t
ngx_http_clipper_feedback_judge(ngx_http_clipper_feedback_t *feedback,
    clipper_record_t *record, clipper_policy_feedback_t *fb, double *loss)
{
    uint64_t                       bit;
    ngx_uint_t                     i, k;
    clipper_value_t                label, output;
    ngx_http_clipper_selection_t  *sel;

    sel = feedback->query->selection;

    fb->up = 0;
    fb->seen = 0;
    fb->served = CLIPPER_POLICY_ALL;
    fb->propensity = record->propensity;
    fb->loss = loss;
    fb->answers = NULL;

    clipper_value_init(&label, feedback->label.data, feedback->label.len);

    for (i = 0; i < sel->n; i++) {
        loss[i] = 0;

        k = ngx_http_clipper_feedback_place(sel, record, i);

        if (k == record->n) {
            continue;
        }

        bit = (uint64_t) 1 << i;

        if ((record->up >> k) & 1) {
            fb->up |= bit;
        }

        if (record->served == (int32_t) k) {
            fb->served = (ngx_int_t) i;
        }

        if (!((record->seen >> k) & 1)
            || record->len[k] == CLIPPER_RECORD_LONG)
        {
            continue;
        }

        fb->seen |= bit;

        if (record->len[k] == CLIPPER_RECORD_MISSED) {
            loss[i] = 1;
            continue;
        }

        clipper_value_init(&output, record->output[k], record->len[k]);
        loss[i] = clipper_loss_value(&feedback->app->loss, &output, &label);
    }

    /* a member that has left the application teaches nothing */

    return fb->seen != 0
           && (record->served == CLIPPER_POLICY_ALL
               || fb->served != CLIPPER_POLICY_ALL);
}


/* where the record has a member that is the i-th now */

static ngx_uint_t
ngx_http_clipper_feedback_place(const ngx_http_clipper_selection_t *sel,
    const clipper_record_t *record, ngx_uint_t i)
{
    ngx_uint_t  k;

    for (k = 0; k < record->n; k++) {
        if (record->key[k] == sel->lineup->keys[i]) {
            break;
        }
    }

    return k;
}


/* which members agreed, at their present places */

static void
ngx_http_clipper_feedback_answers(ngx_http_clipper_feedback_t *feedback,
    clipper_record_t *record, clipper_policy_answers_t *answers,
    ngx_uint_t *same)
{
    ngx_uint_t                     i, j, k;
    clipper_value_t                output[CLIPPER_POLICY_MEMBERS];
    ngx_http_clipper_selection_t  *sel;

    sel = feedback->query->selection;

    answers->answered = 0;
    answers->same = same;

    for (i = 0; i < sel->n; i++) {
        k = ngx_http_clipper_feedback_place(sel, record, i);

        if (k == record->n || !((record->seen >> k) & 1)
            || record->len[k] > CLIPPER_RECORD_OUTPUT)
        {
            continue;
        }

        clipper_value_init(&output[i], record->output[k], record->len[k]);

        for (j = 0; j < i; j++) {
            if (((answers->answered >> j) & 1) && same[j] == j
                && clipper_value_equal(&output[j], &output[i], 0))
            {
                break;
            }
        }

        same[i] = j;
        answers->answered |= (uint64_t) 1 << i;
    }
}


static void
ngx_http_clipper_feedback_end(ngx_http_clipper_feedback_t *feedback,
    ngx_http_clipper_feedback_e result)
{
    uint64_t  *counters;

    feedback->result = result;

    if (feedback->app->row) {
        counters = clipper_metrics_app(ngx_http_clipper_process.zone,
                                       feedback->app->row);
        clipper_metrics_add(
                     &counters[CLIPPER_M_FEEDBACK + result], 1);
    }
}
