
/*
 * clipper_redis ADDRESS|off [db=N] [timeout=TIME] [user=NAME]
 * [password_file=FILE] [prefix=TEXT]
 *
 * Names are resolved once, here: hiredis would block on them.
 */


#include "conf/ngx_http_clipper_conf_redis.h"
#include "conf/ngx_http_clipper_conf_value.h"


#define NGX_HTTP_CLIPPER_REDIS_PORT      6379
#define NGX_HTTP_CLIPPER_REDIS_TIMEOUT   1000    /* ms */
#define NGX_HTTP_CLIPPER_REDIS_PASSWORD  4096    /* bytes that are read */


static char *ngx_http_clipper_conf_redis_address(ngx_conf_t *cf,
    ngx_http_clipper_redis_conf_t *redis, ngx_str_t *value);
static char *ngx_http_clipper_conf_redis_param(ngx_conf_t *cf,
    ngx_http_clipper_redis_conf_t *redis, ngx_str_t *value);
static char *ngx_http_clipper_conf_redis_password(ngx_conf_t *cf,
    ngx_http_clipper_redis_conf_t *redis, ngx_str_t *value);


char *
ngx_http_clipper_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_main_conf_t *mcf = conf;

    char                           *rv;
    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_clipper_redis_conf_t  *redis;

    if (mcf->redis_set) {
        return "is duplicate";
    }

    mcf->redis_set = 1;
    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return cf->args->nelts == 2 ? NGX_CONF_OK
                                    : "takes no parameters after \"off\"";
    }

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_http_clipper_redis_conf_t));
    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    redis->timeout = NGX_HTTP_CLIPPER_REDIS_TIMEOUT;
    ngx_str_set(&redis->prefix, "clipper:");

    rv = ngx_http_clipper_conf_redis_address(cf, redis, &value[1]);

    for (i = 2; rv == NGX_CONF_OK && i < cf->args->nelts; i++) {
        rv = ngx_http_clipper_conf_redis_param(cf, redis, &value[i]);
    }

    if (rv == NGX_CONF_OK && redis->user.data && redis->password.data == NULL)
    {
        return "needs \"password_file=\" beside \"user=\"";
    }

    if (rv == NGX_CONF_OK) {
        mcf->redis = redis;
    }

    return rv;
}


static char *
ngx_http_clipper_conf_redis_address(ngx_conf_t *cf,
    ngx_http_clipper_redis_conf_t *redis, ngx_str_t *value)
{
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = *value;
    u.default_port = NGX_HTTP_CLIPPER_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"%V\" of the \"clipper_redis\" directive",
                           u.err ? u.err : "no address", value);
        return NGX_CONF_ERROR;
    }

    if (u.uri.len && u.family != AF_UNIX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid address \"%V\" of the \"clipper_redis\" "
                           "directive", value);
        return NGX_CONF_ERROR;
    }

    redis->address = *value;
    redis->addrs = u.addrs;
    redis->naddrs = u.naddrs;

    return NGX_CONF_OK;
}


static char *
ngx_http_clipper_conf_redis_param(ngx_conf_t *cf,
    ngx_http_clipper_redis_conf_t *redis, ngx_str_t *value)
{
    char       *rv;
    ngx_int_t   n;
    ngx_str_t   s;

    if (ngx_strncmp(value->data, "db=", 3) == 0) {
        n = ngx_atoi(value->data + 3, value->len - 3);

        if (n == NGX_ERROR) {
            goto invalid;
        }

        redis->db = (ngx_uint_t) n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "timeout=", 8) == 0) {
        s.data = value->data + 8;
        s.len = value->len - 8;

        rv = ngx_http_clipper_conf_value_time(cf, &s, &redis->timeout);

        if (rv == NGX_CONF_OK && redis->timeout == 0) {
            goto invalid;
        }

        return rv;
    }

    if (ngx_strncmp(value->data, "prefix=", 7) == 0) {
        redis->prefix.data = value->data + 7;
        redis->prefix.len = value->len - 7;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "user=", 5) == 0 && value->len > 5) {
        redis->user.data = value->data + 5;
        redis->user.len = value->len - 5;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "password_file=", 14) == 0) {
        s.data = value->data + 14;
        s.len = value->len - 14;

        return ngx_http_clipper_conf_redis_password(cf, redis, &s);
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of the \"clipper_redis\" "
                       "directive", value);
    return NGX_CONF_ERROR;
}


/* the password is the first line of the file */

static char *
ngx_http_clipper_conf_redis_password(ngx_conf_t *cf,
    ngx_http_clipper_redis_conf_t *redis, ngx_str_t *value)
{
    u_char    *p;
    size_t     len;
    ssize_t    n;
    ngx_fd_t   fd;

    if (value->len == 0 || ngx_conf_full_name(cf->cycle, value, 1) != NGX_OK) {
        return "has no file after \"password_file=\"";
    }

    p = ngx_pnalloc(cf->pool, NGX_HTTP_CLIPPER_REDIS_PASSWORD);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(value->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", value);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, p, NGX_HTTP_CLIPPER_REDIS_PASSWORD);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", value);
        (void) ngx_close_file(fd);
        return NGX_CONF_ERROR;
    }

    (void) ngx_close_file(fd);

    for (len = 0; len < (size_t) n && p[len] != LF && p[len] != CR; len++) {
        /* void */
    }

    if (len == 0 || len == NGX_HTTP_CLIPPER_REDIS_PASSWORD) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no password in the first line of \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    redis->password.data = p;
    redis->password.len = len;

    return NGX_CONF_OK;
}
