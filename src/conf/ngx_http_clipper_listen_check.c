
/*
 * Addresses of clipper_rpc, see the header.
 */


#include "conf/ngx_http_clipper_listen_check.h"
#include "shm/clipper_zone.h"


static ngx_int_t ngx_http_clipper_listen_allowed(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *common, ngx_addr_t *addr);
static ngx_int_t ngx_http_clipper_listen_probe(ngx_conf_t *cf,
    ngx_addr_t *addr, ngx_str_t *text);
static ngx_int_t ngx_http_clipper_listen_directory(ngx_conf_t *cf,
    struct sockaddr_un *sun, ngx_str_t *text);
static ngx_uint_t ngx_http_clipper_listen_loopback(struct sockaddr *sa);
static ngx_uint_t ngx_http_clipper_listen_overlap(struct sockaddr *a,
    socklen_t alen, struct sockaddr *b, socklen_t blen);


ngx_int_t
ngx_http_clipper_listen_check_judge(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_endpoint_t *common,
    ngx_addr_t *addr)
{
    ngx_uint_t                    i;
    ngx_listening_t              *ls;
    ngx_http_clipper_endpoint_t  *endpoint;

    ls = cf->cycle->listening.elts;
    endpoint = mcf->endpoints.elts;

    for (i = 0; i < mcf->endpoints.nelts; i++) {
        if (ngx_http_clipper_listen_overlap(
                                       ls[endpoint[i].listening].sockaddr,
                                       ls[endpoint[i].listening].socklen,
                                       addr->sockaddr, addr->socklen))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"clipper_rpc\" address \"%V\"",
                               &common->address);
            return NGX_ERROR;
        }
    }

    if (ngx_http_clipper_listen_allowed(cf, common, addr) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_clipper_listen_probe(cf, addr, &common->address);
}


/* libzmq would then admit every address of this family, or none */

static ngx_int_t
ngx_http_clipper_listen_allowed(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *common, ngx_addr_t *addr)
{
    ngx_uint_t                 i;
    ngx_http_clipper_allow_t  *allow;

    if (common->allow.nelts == 0) {

        if (common->curve == NULL
            && !ngx_http_clipper_listen_loopback(addr->sockaddr))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"clipper_rpc %V\" accepts connections from "
                               "other machines, and whoever connects can "
                               "answer as a model; restrict it with "
                               "\"allow=\" or CURVE keys",
                               &common->address);
        }

        return NGX_OK;
    }

    if (addr->sockaddr->sa_family == AF_UNIX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"allow\" cannot be used with \"%V\"",
                           &common->address);
        return NGX_ERROR;
    }

    allow = common->allow.elts;

    for (i = 0; i < common->allow.nelts; i++) {
        if (allow[i].family == addr->sockaddr->sa_family) {
            return NGX_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" listens on %V, but no \"allow=\" matches this "
                       "address family", &common->address, &addr->name);

    return NGX_ERROR;
}


/* nginx's own bind would report an unusable address without file and line */

static ngx_int_t
ngx_http_clipper_listen_probe(ngx_conf_t *cf, ngx_addr_t *addr,
    ngx_str_t *text)
{
    int             rc;
    ngx_err_t       err;
    ngx_socket_t    s;
    ngx_sockaddr_t  sa;

    if (addr->sockaddr->sa_family == AF_UNIX) {
        return ngx_http_clipper_listen_directory(cf,
                               (struct sockaddr_un *) addr->sockaddr, text);
    }

    ngx_memcpy(&sa, addr->sockaddr, addr->socklen);
    ngx_inet_set_port(&sa.sockaddr, 0);

    s = ngx_socket(sa.sockaddr.sa_family, SOCK_STREAM, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_socket_errno,
                           ngx_socket_n " \"%V\" failed", text);
        return NGX_ERROR;
    }

    rc = bind(s, &sa.sockaddr, addr->socklen);
    err = ngx_socket_errno;

    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }

    if (rc == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "cannot bind \"clipper_rpc\" to \"%V\"", text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_listen_directory(ngx_conf_t *cf, struct sockaddr_un *sun,
    ngx_str_t *text)
{
    char             *slash, path[sizeof(sun->sun_path) + 1];
    ngx_file_info_t   fi;

    (void) ngx_cpystrn((u_char *) path, (u_char *) sun->sun_path,
                       sizeof(path));

    slash = strrchr(path, '/');

    if (slash == NULL || slash == path) {
        return NGX_OK;
    }

    *slash = '\0';

    if (ngx_file_info(path, &fi) == NGX_FILE_ERROR || !ngx_is_dir(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "directory \"%s\" of \"%V\" does not exist",
                           path, text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_clipper_listen_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr)
               || (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)
                   && sin6->sin6_addr.s6_addr[12] == 127);
#endif

    default: /* AF_UNIX */
        return 1;
    }
}


/* addresses that cannot both be bound: equal, or one port with a wildcard */

static ngx_uint_t
ngx_http_clipper_listen_overlap(struct sockaddr *a, socklen_t alen,
    struct sockaddr *b, socklen_t blen)
{
    if (a->sa_family != b->sa_family) {
        return 0;
    }

    if (ngx_cmp_sockaddr(a, alen, b, blen, 1) == NGX_OK) {
        return 1;
    }

    if (a->sa_family == AF_UNIX) {
        return 0;
    }

    return ngx_inet_get_port(a) == ngx_inet_get_port(b)
           && (ngx_inet_wildcard(a) || ngx_inet_wildcard(b));
}


ngx_int_t
ngx_http_clipper_listen_check(ngx_conf_t *cf)
{
    ngx_uint_t                     i, p, a;
    ngx_listening_t               *ls;
    ngx_http_conf_addr_t          *addr;
    ngx_http_conf_port_t          *port;
    ngx_http_core_main_conf_t     *cmcf;
    ngx_http_clipper_endpoint_t   *endpoint;
    ngx_http_clipper_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_clipper_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    endpoint = mcf->endpoints.elts;
    ls = cf->cycle->listening.elts;
    port = cmcf->ports->elts;

    for (i = 0; i < mcf->endpoints.nelts; i++) {
        for (p = 0; p < cmcf->ports->nelts; p++) {

            addr = port[p].addrs.elts;

            for (a = 0; a < port[p].addrs.nelts; a++) {

                if (!ngx_http_clipper_listen_overlap(
                                          ls[endpoint[i].listening].sockaddr,
                                          ls[endpoint[i].listening].socklen,
                                          addr[a].opt.sockaddr,
                                          addr[a].opt.socklen))
                {
                    continue;
                }

                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "address \"%V\" is used by both "
                                   "\"clipper_rpc\" and \"listen\"",
                                   &endpoint[i].address);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_clipper_listen_check_running(ngx_core_conf_t *ccf)
{
    u_char     text[NGX_INT64_LEN + 2], *end;
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_int_t  pid;

    fd = ngx_open_file(ccf->pid.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, text, sizeof(text));
    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    for (end = text; end < text + n && *end >= '0' && *end <= '9'; end++) {
        /* void */
    }

    pid = ngx_atoi(text, end - text);

    return pid > 0 && (kill(pid, 0) == 0 || ngx_errno == NGX_EPERM);
}


/* nginx itself only compares worker_connections */

void
ngx_http_clipper_listen_check_files(ngx_cycle_t *cycle, ngx_core_conf_t *ccf)
{
    ngx_uint_t     files, needed;
    struct rlimit  limit;

    if (ccf->rlimit_nofile != NGX_CONF_UNSET) {
        files = ccf->rlimit_nofile;

    } else if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        files = limit.rlim_cur;

    } else {
        return;
    }

    needed = cycle->connection_n + NGX_HTTP_CLIPPER_RPC_OTHERS
             + NGX_HTTP_CLIPPER_RPC_ROOM;

    if (files < needed) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "%ui open files per worker are enough for %ui "
                      "\"worker_connections\", but not also for %d container "
                      "connections; set \"worker_rlimit_nofile\" to %ui or "
                      "more", files, cycle->connection_n,
                      NGX_HTTP_CLIPPER_RPC_ROOM, needed);
    }
}


/* old and new workers are there together during a reload */

void
ngx_http_clipper_listen_check_workers(ngx_core_conf_t *ccf,
    ngx_http_clipper_main_conf_t *mcf)
{
    size_t  room;

    room = clipper_zone_workers(mcf->zone_size - mcf->zone_size / 64) - 1;

    if ((size_t) ccf->worker_processes * 2 > room) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "clipper_zone of %uz bytes has room for %uz workers, "
                      "but a reload runs twice the %i "
                      "\"worker_processes\"; increase it", mcf->zone_size,
                      room, ccf->worker_processes);
    }
}
