
/*
 * What a label teaches, see the header.
 */


#include "query/ngx_http_clipper_feedback_learn.h"
#include "learn/clipper_combine.h"
#include "learn/clipper_loss.h"
#include "learn/clipper_policy.h"
#include "query/ngx_http_clipper_select.h"
#include "shm/clipper_metrics.h"
#include "worker/ngx_http_clipper_process.h"


/* labels in a row that match no answer, before a line says so */

#define NGX_HTTP_CLIPPER_FEEDBACK_ROW   20
#define NGX_HTTP_CLIPPER_FEEDBACK_LOG   60000000    /* us between two lines */


static ngx_uint_t ngx_http_clipper_feedback_learn_judge(
    ngx_http_clipper_query_t *query, const ngx_str_t *text,
    clipper_record_t *record, clipper_policy_feedback_t *fb, double *loss);
static void ngx_http_clipper_feedback_learn_match(
    ngx_http_clipper_app_t *app, ngx_http_clipper_feedback_match_e match);
static ngx_uint_t ngx_http_clipper_feedback_learn_place(
    const ngx_http_clipper_selection_t *sel, const clipper_record_t *record,
    ngx_uint_t i);
static void ngx_http_clipper_feedback_learn_answers(
    ngx_http_clipper_query_t *query, clipper_record_t *record,
    clipper_policy_answers_t *answers, ngx_uint_t *same);


ngx_str_t  ngx_http_clipper_feedback_learn_matches[] = {
    ngx_string("right"),
    ngx_string("wrong"),
    ngx_string("other_type")
};


ngx_http_clipper_feedback_e
ngx_http_clipper_feedback_learn(ngx_http_clipper_query_t *query,
    const ngx_str_t *label, clipper_record_t *record)
{
    double                         loss[CLIPPER_POLICY_MEMBERS],
                                   delta[CLIPPER_POLICY_STATE_MAX];
    ngx_uint_t                     same[CLIPPER_POLICY_MEMBERS];
    clipper_policy_view_t          view;
    clipper_policy_answers_t       answers;
    clipper_policy_feedback_t      fb;
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    if (!ngx_http_clipper_feedback_learn_judge(query, label, record, &fb,
                                               loss))
    {
        return NGX_HTTP_CLIPPER_FEEDBACK_USELESS;
    }

    ngx_http_clipper_select_view(query, &view);

    if (clipper_combine_mode(query->app->opt.select.policy,
                             &query->app->opt.loss)
        == CLIPPER_POLICY_VOTE)
    {
        ngx_http_clipper_feedback_learn_answers(query, record, &answers, same);
        fb.answers = &answers;
    }

    if (clipper_policy_observe(&query->app->opt.select, &view, &fb,
                               clipper_clock_boot(), delta)
        != NGX_OK)
    {
        return NGX_HTTP_CLIPPER_FEEDBACK_USELESS;
    }

    return ngx_http_clipper_state_add(&sel->lineup->id, &query->uid, delta)
           == NGX_OK ? NGX_HTTP_CLIPPER_FEEDBACK_LEARNED
                     : NGX_HTTP_CLIPPER_FEEDBACK_DROPPED;
}


/*
 * The losses of the members that answered, at their current indices: links may
 * have changed since the query.  0: no loss to learn from.
 */

static ngx_uint_t
ngx_http_clipper_feedback_learn_judge(ngx_http_clipper_query_t *query,
    const ngx_str_t *text, clipper_record_t *record,
    clipper_policy_feedback_t *fb, double *loss)
{
    uint64_t                       bit;
    ngx_uint_t                     i, judged, k, match;
    clipper_value_t                label, output;
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    judged = 0;
    match = NGX_HTTP_CLIPPER_FEEDBACK_OTHER;

    fb->up = 0;
    fb->seen = 0;
    fb->served = CLIPPER_POLICY_ALL;
    fb->propensity = record->propensity;
    fb->loss = loss;
    fb->answers = NULL;

    clipper_value_init(&label, text->data, text->len);

    for (i = 0; i < sel->n; i++) {
        loss[i] = 0;

        k = ngx_http_clipper_feedback_learn_place(sel, record, i);

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
        loss[i] = clipper_loss_value(&query->app->opt.loss, &output, &label);
        judged = 1;

        if (loss[i] < 1) {
            match = NGX_HTTP_CLIPPER_FEEDBACK_RIGHT;

        } else if (match == NGX_HTTP_CLIPPER_FEEDBACK_OTHER
                   && clipper_loss_comparable(&output, &label))
        {
            match = NGX_HTTP_CLIPPER_FEEDBACK_WRONG;
        }
    }

    if (judged) {
        ngx_http_clipper_feedback_learn_match(query->app, match);
    }

    /* a member that has left the application teaches nothing */

    return fb->seen != 0
           && (record->served == CLIPPER_POLICY_ALL
               || fb->served != CLIPPER_POLICY_ALL);
}


/*
 * A policy learns nothing from labels that can never equal an answer, so a
 * line says so: at once after a few of another type, later after many wrong
 * ones, and once a minute for an application.
 */

static void
ngx_http_clipper_feedback_learn_match(ngx_http_clipper_app_t *app,
    ngx_http_clipper_feedback_match_e match)
{
    uint64_t  now_us, *counters;

    if (app->row) {
        counters = clipper_metrics_app(ngx_http_clipper_process.zone,
                                       app->row);
        clipper_metrics_add(&counters[CLIPPER_M_LABEL + match], 1);
    }

    if (match == NGX_HTTP_CLIPPER_FEEDBACK_RIGHT) {
        app->unmatched = 0;
        return;
    }

    app->unmatched++;

    if (app->unmatched < NGX_HTTP_CLIPPER_FEEDBACK_ROW
        || (match == NGX_HTTP_CLIPPER_FEEDBACK_WRONG
            && app->unmatched < 10 * NGX_HTTP_CLIPPER_FEEDBACK_ROW))
    {
        return;
    }

    now_us = clipper_clock_us();

    if (app->unmatched_us
        && now_us - app->unmatched_us < NGX_HTTP_CLIPPER_FEEDBACK_LOG)
    {
        return;
    }

    app->unmatched_us = now_us;

    ngx_log_error(NGX_LOG_WARN, ngx_http_clipper_process.log, 0,
                  "application \"%V\": %ui labels in a row match no answer"
                  "%s; the policy cannot learn from such feedback",
                  &app->name, app->unmatched,
                  match == NGX_HTTP_CLIPPER_FEEDBACK_OTHER
                  ? ", the last is of another type than the answers" : "");
}


/* where the record has a member that is the i-th now */

static ngx_uint_t
ngx_http_clipper_feedback_learn_place(const ngx_http_clipper_selection_t *sel,
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
ngx_http_clipper_feedback_learn_answers(ngx_http_clipper_query_t *query,
    clipper_record_t *record, clipper_policy_answers_t *answers,
    ngx_uint_t *same)
{
    ngx_uint_t                     i, j, k;
    clipper_value_t                output[CLIPPER_POLICY_MEMBERS];
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    answers->answered = 0;
    answers->same = same;

    for (i = 0; i < sel->n; i++) {
        k = ngx_http_clipper_feedback_learn_place(sel, record, i);

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


void
ngx_http_clipper_feedback_learn_count(ngx_http_clipper_app_t *app,
    ngx_http_clipper_feedback_e result)
{
    uint64_t  *counters;

    if (app->row) {
        counters = clipper_metrics_app(ngx_http_clipper_process.zone,
                                       app->row);
        clipper_metrics_add(&counters[CLIPPER_M_FEEDBACK + result], 1);
    }
}
