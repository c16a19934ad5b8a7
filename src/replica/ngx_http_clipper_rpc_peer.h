
/*
 * Open connections of the ROUTER, by descriptor.
 *
 * A connection is a stranger until a container has registered on it.
 * Strangers are bounded in number and in time, because HTTP shares the limit
 * of descriptors with them; a retiring worker keeps none.
 *
 * libzmq closes the descriptors, and reports a connection's end before it
 * closes.  So a descriptor is shut only after all pending reports were read:
 * its number may belong to an HTTP client by then.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_PEER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_PEER_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* before the ROUTER is made; sync reads all pending reports */
void ngx_http_clipper_rpc_peer_init(ngx_cycle_t *cycle, void (*sync)(void));

/* forgets all: libzmq closes them without further reports */
void ngx_http_clipper_rpc_peer_done(void);

/* what the monitor reports */
void ngx_http_clipper_rpc_peer_opened(int fd);
void ngx_http_clipper_rpc_peer_closed(int fd);

/* all reports were read: ends the oldest strangers if there are too many */
void ngx_http_clipper_rpc_peer_settle(void);

/* all messages were read that had come */
void ngx_http_clipper_rpc_peer_heard(void);

/*
 * NGX_OK: a message that is read now belongs to the open connection there.
 * NGX_AGAIN: perhaps of the one before, whose last messages may be unread.
 * NGX_DECLINED: none is open.
 */
ngx_int_t ngx_http_clipper_rpc_peer_sure(int fd);

/* a container has registered there, or is not there any more */
void ngx_http_clipper_rpc_peer_keep(int fd);
void ngx_http_clipper_rpc_peer_release(int fd);

/*
 * ends a connection that is still open, and no other one that has its
 * descriptor; all reports were read
 */
void ngx_http_clipper_rpc_peer_shut(int fd);


#endif /* _NGX_HTTP_CLIPPER_RPC_PEER_H_INCLUDED_ */
