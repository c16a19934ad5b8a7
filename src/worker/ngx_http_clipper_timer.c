
/*
 * Timers in microseconds, see the header.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "worker/ngx_http_clipper_timer.h"
#include "worker/ngx_http_clipper_process.h"
#include "worker/ngx_http_clipper_watch.h"
#include <sys/timerfd.h>


#define NGX_HTTP_CLIPPER_TIMER_GUARD  1000      /* ms */


static void ngx_http_clipper_timer_read(ngx_event_t *ev);
static void ngx_http_clipper_timer_guard(ngx_event_t *ev);
static void ngx_http_clipper_timer_arm(void);


static ngx_rbtree_t        ngx_http_clipper_timer_tree;
static ngx_rbtree_node_t   ngx_http_clipper_timer_sentinel;
static ngx_connection_t   *ngx_http_clipper_timer_connection;
static uint64_t            ngx_http_clipper_timer_armed;    /* us; 0: not set */
static ngx_event_t         ngx_http_clipper_timer_guarded;
static ngx_uint_t          ngx_http_clipper_timer_ended;


ngx_int_t
ngx_http_clipper_timer_init(ngx_cycle_t *cycle)
{
    int                fd;
    ngx_connection_t  *c;

    ngx_rbtree_init(&ngx_http_clipper_timer_tree,
                    &ngx_http_clipper_timer_sentinel,
                    ngx_rbtree_insert_value);

    fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK|TFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "timerfd_create() failed");
        return NGX_ERROR;
    }

    c = ngx_http_clipper_watch_get(fd, cycle->log, ngx_http_clipper_timer_read);

    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    ngx_http_clipper_timer_connection = c;
    ngx_http_clipper_timer_armed = 0;

    ngx_http_clipper_watch_alone(&ngx_http_clipper_timer_guarded, cycle->log,
                                 ngx_http_clipper_timer_guard);

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        ngx_http_clipper_timer_done();
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_clipper_timer_done(void)
{
    if (ngx_http_clipper_timer_connection) {
        ngx_close_connection(ngx_http_clipper_timer_connection);
        ngx_http_clipper_timer_connection = NULL;
    }

    if (ngx_http_clipper_timer_guarded.timer_set) {
        ngx_del_timer(&ngx_http_clipper_timer_guarded);
    }
}


void
ngx_http_clipper_timer_add(ngx_http_clipper_timer_t *timer, uint64_t at_us)
{
    ngx_http_clipper_timer_del(timer);

    timer->node.key = (ngx_rbtree_key_t) at_us;
    timer->set = 1;

    ngx_rbtree_insert(&ngx_http_clipper_timer_tree, &timer->node);

    if (ngx_http_clipper_timer_armed == 0
        || at_us < ngx_http_clipper_timer_armed)
    {
        ngx_http_clipper_timer_arm();
    }

    if (ngx_http_clipper_process.retiring) {
        ngx_http_clipper_timer_retire();
    }
}


void
ngx_http_clipper_timer_del(ngx_http_clipper_timer_t *timer)
{
    if (!timer->set) {
        return;
    }

    ngx_rbtree_delete(&ngx_http_clipper_timer_tree, &timer->node);
    timer->set = 0;

    if (ngx_http_clipper_timer_guarded.timer_set
        && ngx_http_clipper_timer_tree.root
           == ngx_http_clipper_timer_tree.sentinel)
    {
        ngx_del_timer(&ngx_http_clipper_timer_guarded);
    }
}


void
ngx_http_clipper_timer_retire(void)
{
    if (!ngx_http_clipper_timer_guarded.timer_set
        && !ngx_http_clipper_timer_ended
        && ngx_http_clipper_timer_tree.root
           != ngx_http_clipper_timer_tree.sentinel)
    {
        ngx_add_timer(&ngx_http_clipper_timer_guarded,
                      NGX_HTTP_CLIPPER_TIMER_GUARD);
    }
}


void
ngx_http_clipper_timer_end(void)
{
    ngx_http_clipper_timer_ended = 1;

    if (ngx_http_clipper_timer_guarded.timer_set) {
        ngx_del_timer(&ngx_http_clipper_timer_guarded);
    }
}


static void
ngx_http_clipper_timer_guard(ngx_event_t *ev)
{
    ngx_http_clipper_timer_retire();
}


static void
ngx_http_clipper_timer_read(ngx_event_t *ev)
{
    uint64_t                   now_us, n;
    ngx_rbtree_t              *tree;
    ngx_connection_t          *c;
    ngx_rbtree_node_t         *node;
    ngx_http_clipper_timer_t  *timer;

    c = ev->data;

    /* worker_shutdown_timeout has passed; the doorbell handles what follows */

    if (c->close || c->error) {
        c->close = 0;
        c->error = 0;
        return;
    }

    /* the descriptor only wakes the loop: its count does not matter */

    if (read(c->fd, &n, sizeof(n)) == -1 && ngx_errno == NGX_EAGAIN) {
        return;
    }

    ngx_http_clipper_timer_armed = 0;

    tree = &ngx_http_clipper_timer_tree;
    now_us = clipper_clock_us();

    while (tree->root != tree->sentinel) {
        node = ngx_rbtree_min(tree->root, tree->sentinel);

        if ((uint64_t) node->key > now_us) {
            break;
        }

        timer = ngx_rbtree_data(node, ngx_http_clipper_timer_t, node);

        ngx_http_clipper_timer_del(timer);
        timer->handler(timer->data);
    }

    ngx_http_clipper_timer_arm();
}


/* sets the descriptor to the earliest timer */

static void
ngx_http_clipper_timer_arm(void)
{
    uint64_t            at_us;
    ngx_rbtree_t       *tree;
    struct itimerspec   its;

    tree = &ngx_http_clipper_timer_tree;

    if (tree->root == tree->sentinel
        || ngx_http_clipper_timer_connection == NULL)
    {
        return;
    }

    at_us = ngx_rbtree_min(tree->root, tree->sentinel)->key;

    if (ngx_http_clipper_timer_armed != 0
        && ngx_http_clipper_timer_armed <= at_us)
    {
        return;
    }

    ngx_memzero(&its, sizeof(its));
    its.it_value.tv_sec = at_us / 1000000;
    its.it_value.tv_nsec = (at_us % 1000000) * 1000;

    if (timerfd_settime(ngx_http_clipper_timer_connection->fd,
                        TFD_TIMER_ABSTIME, &its, NULL) == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "timerfd_settime() failed");
        return;
    }

    ngx_http_clipper_timer_armed = at_us;
}
