
/*
 * Pauses of a worker's listening sockets, see the header.
 */


#include "worker/ngx_http_clipper_accept.h"
#include <ngx_event.h>


static ngx_connection_t *ngx_http_clipper_accept_shared(ngx_listening_t *ls);


static ngx_uint_t  ngx_http_clipper_accept_paused;


/*
 * With "accept_mutex on" nginx adds the events itself, but not for as many
 * rounds as it counts here.
 */

void
ngx_http_clipper_accept_pause(ngx_cycle_t *cycle)
{
    ngx_uint_t         i;
    ngx_listening_t   *ls;
    ngx_connection_t  *c;

    if (ngx_use_accept_mutex) {
        ngx_accept_disabled = NGX_MAX_INT32_VALUE;
    }

    ngx_http_clipper_accept_paused = 1;

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {
        c = ngx_http_clipper_accept_shared(&ls[i]);

        if (c && c->read->active) {
            (void) ngx_del_event(c->read, NGX_READ_EVENT, NGX_DISABLE_EVENT);
        }
    }
}


void
ngx_http_clipper_accept_resume(ngx_cycle_t *cycle)
{
    ngx_uint_t         i;
    ngx_listening_t   *ls;
    ngx_connection_t  *c;

    if (!ngx_http_clipper_accept_paused) {
        return;
    }

    ngx_http_clipper_accept_paused = 0;

    if (ngx_use_accept_mutex) {
        ngx_accept_disabled = 0;
        return;
    }

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {
        c = ngx_http_clipper_accept_shared(&ls[i]);

        if (c && !c->read->active) {
            (void) ngx_add_event(c->read, NGX_READ_EVENT, 0);
        }
    }
}


/* other workers accept there, too; NULL: they do not */

static ngx_connection_t *
ngx_http_clipper_accept_shared(ngx_listening_t *ls)
{
#if (NGX_HAVE_REUSEPORT)

    if (ls->reuseport) {
        return NULL;
    }

#endif

    return ls->type == SOCK_STREAM ? ls->connection : NULL;
}
