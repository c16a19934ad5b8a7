
/*
 * Listening sockets of clipper_rpc.
 *
 * ngx_event_process_init() creates no connection for a listening with
 * `reuseport` and the `worker` of another process, so nginx never accepts on
 * it.  Both fields are set after the sockets are opened, so the bind is
 * exclusive: SO_REUSEPORT itself is never set.
 */


#include "conf/ngx_http_clipper_listen.h"
#include "conf/ngx_http_clipper_conf_curve.h"
#include "conf/ngx_http_clipper_listen_check.h"


#if !(NGX_HAVE_REUSEPORT)
#error nginx must be built with SO_REUSEPORT
#endif


#define NGX_HTTP_CLIPPER_MESSAGE_SIZE  (64 * 1024 * 1024)
#define NGX_HTTP_CLIPPER_MESSAGE_MIN   (64 * 1024)
#define NGX_HTTP_CLIPPER_SOCKET_MODE   0660


static ngx_int_t ngx_http_clipper_listen_url(ngx_conf_t *cf, ngx_url_t *u,
    ngx_str_t *text);
static ngx_int_t ngx_http_clipper_listen_parameter(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint, ngx_str_t *value);
static ngx_int_t ngx_http_clipper_listen_allow(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint, ngx_str_t *list);
static ngx_int_t ngx_http_clipper_listen_mode(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint, ngx_str_t *value);
static ngx_int_t ngx_http_clipper_listen_protect(ngx_cycle_t *cycle,
    ngx_http_clipper_endpoint_t *endpoint, ngx_listening_t *ls);
static ngx_int_t ngx_http_clipper_listen_add(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_endpoint_t *common,
    ngx_addr_t *addr);
static ngx_int_t ngx_http_clipper_listen_endpoint(ngx_conf_t *cf,
    ngx_str_t *endpoint, ngx_str_t *text);
static void ngx_http_clipper_listen_handler(ngx_connection_t *c);


char *
ngx_http_clipper_listen_rpc(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_main_conf_t *mcf = conf;

    ngx_str_t                    *value;
    ngx_url_t                     u;
    ngx_uint_t                    i;
    ngx_http_clipper_endpoint_t   endpoint;

    value = cf->args->elts;

    if (ngx_http_clipper_listen_url(cf, &u, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&endpoint, sizeof(ngx_http_clipper_endpoint_t));
    endpoint.address = value[1];
    endpoint.fd = (ngx_socket_t) -1;
    endpoint.file = cf->conf_file->file.name.data;
    endpoint.line = cf->conf_file->line;

    if (ngx_array_init(&endpoint.allow, cf->pool, 1,
                       sizeof(ngx_http_clipper_allow_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_clipper_listen_parameter(cf, &endpoint, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_clipper_conf_curve_check(cf, &endpoint) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (endpoint.max_message == 0) {
        endpoint.max_message = NGX_HTTP_CLIPPER_MESSAGE_SIZE;
    }

    for (i = 0; i < u.naddrs; i++) {
        if (ngx_http_clipper_listen_add(cf, mcf, &endpoint, &u.addrs[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    mcf->used = 1;

    return NGX_CONF_OK;
}


/* unlike "listen", a port alone is refused: it would be open to everybody */

static ngx_int_t
ngx_http_clipper_listen_url(ngx_conf_t *cf, ngx_url_t *u, ngx_str_t *text)
{
    ngx_uint_t  resolve;

    for (resolve = 0; resolve < 2; resolve++) {

        ngx_memzero(u, sizeof(ngx_url_t));
        u->url = *text;
        u->listen = 1;
        u->no_resolve = !resolve;

        if (ngx_parse_url(cf->pool, u) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\" of the "
                               "\"clipper_rpc\" directive",
                               u->err ? u->err : "invalid address", text);
            return NGX_ERROR;
        }

        if (u->family != AF_UNIX && (u->no_port || u->host.len == 0)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no %s in \"%V\" of the "
                               "\"clipper_rpc\" directive",
                               u->no_port ? "port" : "host", text);
            return NGX_ERROR;
        }

        if (u->naddrs) {
            break;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_listen_parameter(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint, ngx_str_t *value)
{
    ssize_t    size;
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = ngx_http_clipper_conf_curve(cf, endpoint, value);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_strncmp(value->data, "max_message=", 12) == 0
        && endpoint->max_message == 0)
    {
        text.data = value->data + 12;
        text.len = value->len - 12;

        size = ngx_parse_size(&text);

        if (size >= NGX_HTTP_CLIPPER_MESSAGE_MIN) {
            endpoint->max_message = size;
            return NGX_OK;
        }

        if (size != NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is too small, the minimum is %dk",
                               value, NGX_HTTP_CLIPPER_MESSAGE_MIN / 1024);
            return NGX_ERROR;
        }
    }

    if (ngx_strncmp(value->data, "allow=", 6) == 0) {
        text.data = value->data + 6;
        text.len = value->len - 6;

        return ngx_http_clipper_listen_allow(cf, endpoint, &text);
    }

    if (ngx_strncmp(value->data, "mode=", 5) == 0 && endpoint->mode == 0) {
        return ngx_http_clipper_listen_mode(cf, endpoint, value);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", value);
    return NGX_ERROR;
}


static ngx_int_t
ngx_http_clipper_listen_mode(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint, ngx_str_t *value)
{
    size_t      i;
    ngx_uint_t  mode;

    mode = 0;

    for (i = 5; i < value->len; i++) {
        if (value->data[i] < '0' || value->data[i] > '7') {
            break;
        }

        mode = mode * 8 + (value->data[i] - '0');
    }

    if (i < value->len || value->len < 8 || value->len > 9 || mode == 0
        || mode > 0777)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid mode in \"%V\", it must be octal as "
                           "in 0660",
                           value);
        return NGX_ERROR;
    }

    if (ngx_strncmp(endpoint->address.data, "unix:", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" can only be used with \"unix:\" "
                           "addresses", value);
        return NGX_ERROR;
    }

    endpoint->mode = mode;

    return NGX_OK;
}


/* one CIDR, or several separated by commas */

static ngx_int_t
ngx_http_clipper_listen_allow(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint, ngx_str_t *list)
{
    u_char                    *p, *end, *comma;
    ngx_int_t                  rc;
    ngx_str_t                  text;
    ngx_cidr_t                 cidr;
    ngx_http_clipper_allow_t  *allow;

    p = list->data;
    end = p + list->len;

    do {
        comma = ngx_strlchr(p, end, ',');

        text.data = p;
        text.len = (comma ? comma : end) - p;

        rc = ngx_ptocidr(&text, &cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\" in \"allow=%V\"",
                               &text, list);
            return NGX_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of %V are meaningless",
                               &text);
        }

        allow = ngx_array_push(&endpoint->allow);
        if (allow == NULL) {
            return NGX_ERROR;
        }

        allow->family = (int) cidr.family;
        allow->cidr.len = text.len;
        allow->cidr.data = ngx_pnalloc(cf->pool, text.len + 1);
        if (allow->cidr.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_cpystrn(allow->cidr.data, text.data, text.len + 1);

        p = comma ? comma + 1 : NULL;

    } while (p);

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_listen_add(ngx_conf_t *cf, ngx_http_clipper_main_conf_t *mcf,
    ngx_http_clipper_endpoint_t *common, ngx_addr_t *addr)
{
    ngx_listening_t              *ls;
    ngx_http_clipper_endpoint_t  *endpoint;

    if (ngx_http_clipper_listen_check_judge(cf, mcf, common, addr) != NGX_OK) {
        return NGX_ERROR;
    }

    endpoint = ngx_array_push(&mcf->endpoints);
    if (endpoint == NULL) {
        return NGX_ERROR;
    }

    *endpoint = *common;
    endpoint->family = addr->sockaddr->sa_family;
    endpoint->listening = cf->cycle->listening.nelts;

    ls = ngx_create_listening(cf, addr->sockaddr, addr->socklen);
    if (ls == NULL) {
        return NGX_ERROR;
    }

    ls->handler = ngx_http_clipper_listen_handler;
    ls->logp = &cf->cycle->new_log;

#if (NGX_HAVE_INET6)
    ls->ipv6only = 1;
#endif

    return ngx_http_clipper_listen_endpoint(cf, &endpoint->endpoint,
                                            &ls->addr_text);
}


static ngx_int_t
ngx_http_clipper_listen_endpoint(ngx_conf_t *cf, ngx_str_t *endpoint,
    ngx_str_t *text)
{
    u_char      *p;
    size_t       skip;
    const char  *scheme;

    if (ngx_strncmp(text->data, "unix:", 5) == 0) {
        scheme = "ipc://";
        skip = 5;

    } else {
        scheme = "tcp://";
        skip = 0;
    }

    endpoint->len = 6 + text->len - skip;
    endpoint->data = ngx_pnalloc(cf->pool, endpoint->len + 1);
    if (endpoint->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(endpoint->data, scheme, 6);
    p = ngx_cpymem(p, text->data + skip, text->len - skip);
    *p = '\0';

    return NGX_OK;
}


/* keeps nginx from accepting here, see above */

static void
ngx_http_clipper_listen_handler(ngx_connection_t *c)
{
    ngx_close_connection(c);
}


ngx_int_t
ngx_http_clipper_listen_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_listening_t               *ls;
    ngx_core_conf_t               *ccf;
    ngx_http_clipper_endpoint_t   *endpoint;
    ngx_http_clipper_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_clipper_module);

    if (mcf == NULL || !mcf->used) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    endpoint = mcf->endpoints.elts;
    ls = cycle->listening.elts;

    for (i = 0; i < mcf->endpoints.nelts; i++) {
        ls[endpoint[i].listening].reuseport = 1;
        ls[endpoint[i].listening].worker = (ngx_uint_t) -1;

        endpoint[i].fd = ls[endpoint[i].listening].fd;

        if (endpoint[i].fd == (ngx_socket_t) -1
            && !ngx_http_clipper_listen_check_running(ccf))
        {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "address \"%V\" of \"clipper_rpc\" is already in "
                          "use in %s:%ui", &endpoint[i].address,
                          endpoint[i].file, endpoint[i].line);
            return NGX_ERROR;
        }

        if (endpoint[i].family == AF_UNIX
            && endpoint[i].fd != (ngx_socket_t) -1 && !ngx_test_config
            && ngx_http_clipper_listen_protect(cycle, &endpoint[i],
                                               &ls[endpoint[i].listening])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ccf->timer_resolution != 0) {

        /* the previous log: the level of the new one may drop warnings */

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "\"timer_resolution\" delays answers beyond their SLO, "
                      "remove it");
    }

    if (mcf->endpoints.nelts) {
        ngx_http_clipper_listen_check_files(cycle, ccf);
    }

    ngx_http_clipper_listen_check_workers(ccf, mcf);

    return NGX_OK;
}


/*
 * nginx makes Unix sockets for everybody, and whoever connects can answer as a
 * model.  Who connected before the mode was set is turned away.
 */

static ngx_int_t
ngx_http_clipper_listen_protect(ngx_cycle_t *cycle,
    ngx_http_clipper_endpoint_t *endpoint, ngx_listening_t *ls)
{
    char             *path;
    mode_t            mode;
    ngx_socket_t      s;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    path = (char *) endpoint->endpoint.data + sizeof("ipc://") - 1;
    mode = endpoint->mode ? endpoint->mode : NGX_HTTP_CLIPPER_SOCKET_MODE;

    if (geteuid() == 0 && chown(path, (uid_t) -1, ccf->group) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "chown(\"%s\") of \"clipper_rpc\" failed", path);
        return NGX_ERROR;
    }

    if (chmod(path, mode) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "chmod(\"%s\") of \"clipper_rpc\" failed", path);
        return NGX_ERROR;
    }

    if (ls->inherited || !ls->open) {
        return NGX_OK;
    }

    for ( ;; ) {
        s = accept(endpoint->fd, NULL, NULL);

        if (s == (ngx_socket_t) -1) {
            return NGX_OK;
        }

        (void) ngx_close_socket(s);
    }
}
