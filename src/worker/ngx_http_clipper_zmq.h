
/*
 * A libzmq socket in nginx's event loop.  libzmq owns the descriptor of
 * ZMQ_FD; nginx watches it as a connection that it never closes.
 */


#ifndef _NGX_HTTP_CLIPPER_ZMQ_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_ZMQ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <zmq.h>


typedef struct {
    void              *socket;
    ngx_connection_t  *connection;
    void             (*read)(void);
    ngx_event_t        again;           /* to be posted for the next bite */
} ngx_http_clipper_zmq_t;


/* calls read when work may be pending, and when "again" is posted */
ngx_int_t ngx_http_clipper_zmq_watch(ngx_cycle_t *cycle,
    ngx_http_clipper_zmq_t *s, void (*read)(void));

/* closes the socket as well */
void ngx_http_clipper_zmq_unwatch(ngx_http_clipper_zmq_t *s);

/*
 * Posts `again` if a message is pending.  The descriptor reports only what
 * arrives while libzmq believes that its reader sleeps, and any call on the
 * socket may swallow that report: call it after every call on the socket
 * outside its events, even a failed one.
 */
void ngx_http_clipper_zmq_check(ngx_http_clipper_zmq_t *s);

/* sets an option that is an int, and logs a failure */
ngx_int_t ngx_http_clipper_zmq_set(void *socket, int option, int value,
    ngx_log_t *log);

/* whether a message is pending */
ngx_uint_t ngx_http_clipper_zmq_readable(ngx_http_clipper_zmq_t *s);

/* without waiting, as libzmq's, but a signal is no failure */
int ngx_http_clipper_zmq_recv(void *socket, zmq_msg_t *part);
int ngx_http_clipper_zmq_send(void *socket, const void *data, size_t len,
    int flags);


#endif /* _NGX_HTTP_CLIPPER_ZMQ_H_INCLUDED_ */
