
/*
 * Selection: which models a query asks for each input, and how their answers
 * become one.  It knows the current versions of the links and the state of the
 * application and its user; the policy decides.
 */


#ifndef _NGX_HTTP_CLIPPER_SELECT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_SELECT_H_INCLUDED_


#include "query/ngx_http_clipper_query_type.h"
#include "query/ngx_http_clipper_lineup.h"


struct ngx_http_clipper_selection_s {
    ngx_uint_t                      n;          /* links */
    uint32_t                       *rows;       /* these are the line-up's, */
    uint32_t                       *gens;       /* or of the version that */
    ngx_str_t                      *names;      /* was requested */
    ngx_http_clipper_lineup_t      *lineup;     /* NULL: a version was
                                                   requested, there is no
                                                   choice */
    uint64_t                        up;         /* bit i: link i may be asked */
    uint64_t                        uid;        /* hash of the user; 0: none */
    uint64_t                        user_key[2];/* digest of the user */
    uint64_t                      (*inputs)[2]; /* digests, if it learns */
    double                         *app;        /* rows of the state, or NULL */
    double                         *user;
    double                         *weights;    /* of an ensemble, or NULL */
    ngx_http_clipper_state_wait_t   wait;
    ngx_http_clipper_timer_t        timer;      /* ends the wait */
    ngx_http_clipper_query_handler_pt  chosen;  /* after it */
};


ngx_int_t ngx_http_clipper_select_start(ngx_cycle_t *cycle);

/*
 * The versions of the links, or the one requested; as query_resolve().
 * NGX_DECLINED: the requested version does not exist.
 */
ngx_int_t ngx_http_clipper_select_init(ngx_http_clipper_query_t *query,
    ngx_str_t *version);

/*
 * Chooses the models for each input: sets asked, served and propensity of the
 * answers.  NGX_OK; NGX_AGAIN: the user's state is on its way, chosen(query)
 * will be called; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_clipper_select_choose(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data,
    ngx_http_clipper_query_handler_pt chosen);

/* the choice is no longer needed */
void ngx_http_clipper_select_cancel(ngx_http_clipper_query_t *query);

/* the query is done: releases its selection */
void ngx_http_clipper_select_release(ngx_http_clipper_query_t *query);

/*
 * Reads the state that the policy learns, as far as this host has it.  NGX_OK;
 * NGX_AGAIN: the rest is on its way; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_clipper_select_load(ngx_http_clipper_query_t *query);

/* digest of an input, by which feedback finds its record */
void ngx_http_clipper_select_input(ngx_http_clipper_query_t *query,
    const u_char *data, size_t len, uint64_t key[2]);

/* the probability of this choice, for the log; negative: none */
double ngx_http_clipper_select_propensity(ngx_http_clipper_query_t *query,
    ngx_http_clipper_answer_t *answer);

/* the arguments of the policy; its arrays belong to the selection */
void ngx_http_clipper_select_view(ngx_http_clipper_query_t *query,
    clipper_policy_view_t *view);

/*
 * Sets shares to the probability, for each link of an application, that it
 * answers a query without a user now, or to the weight of its answer among all;
 * 0 without a replica.  Returns the current versions of the links as
 * ngx_http_clipper_lineup() does, or NULL: out of memory.
 */
const ngx_http_clipper_lineup_t *ngx_http_clipper_select_shares(
    ngx_http_clipper_app_t *app, double *shares);


#endif /* _NGX_HTTP_CLIPPER_SELECT_H_INCLUDED_ */
