
/*
 * Keys of clipper_rpc, see the header.
 *
 * A certificate is a text of which two lines matter, in a section "curve":
 *
 *     public-key = "40 characters of Z85"
 *     secret-key = "40 characters of Z85"
 */


#include "conf/ngx_http_clipper_conf_curve.h"
#include <zmq.h>


#define NGX_HTTP_CLIPPER_CURVE_FILE  4096       /* bytes that are read */
#define NGX_HTTP_CLIPPER_CURVE_TEXT  40         /* of a key */


static ngx_int_t ngx_http_clipper_curve_make(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint);
static ngx_int_t ngx_http_clipper_curve_secret(ngx_conf_t *cf,
    ngx_http_clipper_curve_t *curve, ngx_str_t *file);
static ngx_int_t ngx_http_clipper_curve_clients(ngx_conf_t *cf,
    ngx_http_clipper_curve_t *curve, ngx_str_t *name);
static ngx_int_t ngx_http_clipper_curve_directory(ngx_conf_t *cf,
    ngx_http_clipper_curve_t *curve, ngx_str_t *name);
static ngx_int_t ngx_http_clipper_curve_client(ngx_conf_t *cf,
    ngx_http_clipper_curve_t *curve, u_char *file);
static ngx_int_t ngx_http_clipper_curve_read(ngx_conf_t *cf, u_char *file,
    const char *member, u_char *key);
static u_char *ngx_http_clipper_curve_member(u_char *text,
    const char *member);
static int ngx_libc_cdecl ngx_http_clipper_curve_compare(const void *one,
    const void *two);


ngx_int_t
ngx_http_clipper_conf_curve(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint, ngx_str_t *value)
{
    ngx_str_t                  name;
    ngx_uint_t                 secret;
    ngx_http_clipper_curve_t  *curve;

    if (ngx_strncmp(value->data, "curve_key=", 10) == 0) {
        secret = 1;
        name.data = value->data + 10;

    } else if (ngx_strncmp(value->data, "curve_clients=", 14) == 0) {
        secret = 0;
        name.data = value->data + 14;

    } else {
        return NGX_DECLINED;
    }

    name.len = value->data + value->len - name.data;

    if (ngx_http_clipper_curve_make(cf, endpoint) != NGX_OK) {
        return NGX_ERROR;
    }

    curve = endpoint->curve;

    if (name.len == 0 || (secret ? curve->has_secret : curve->has_clients)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": %s", value,
                           name.len ? "it is duplicate" : "it has no file");
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    return secret ? ngx_http_clipper_curve_secret(cf, curve, &name)
                  : ngx_http_clipper_curve_clients(cf, curve, &name);
}


static ngx_int_t
ngx_http_clipper_curve_make(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint)
{
    if (endpoint->curve) {
        return NGX_OK;
    }

    if (!zmq_has("curve")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "this libzmq was built without CURVE");
        return NGX_ERROR;
    }

    endpoint->curve = ngx_pcalloc(cf->pool, sizeof(ngx_http_clipper_curve_t));

    if (endpoint->curve == NULL) {
        return NGX_ERROR;
    }

    return ngx_array_init(&endpoint->curve->clients, cf->pool, 4,
                          NGX_HTTP_CLIPPER_CURVE_KEY);
}


static ngx_int_t
ngx_http_clipper_curve_secret(ngx_conf_t *cf, ngx_http_clipper_curve_t *curve,
    ngx_str_t *file)
{
    ngx_file_info_t  fi;

    if (ngx_http_clipper_curve_read(cf, file->data, "secret-key",
                                    curve->secret)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    curve->has_secret = 1;

    if (ngx_file_info(file->data, &fi) != NGX_FILE_ERROR
        && (ngx_file_access(&fi) & 07))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "every user of this machine can read or write the "
                           "secret key \"%V\", set its mode to 0600", file);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_curve_clients(ngx_conf_t *cf,
    ngx_http_clipper_curve_t *curve, ngx_str_t *name)
{
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    if (ngx_file_info(name->data, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_file_info_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    rc = ngx_is_dir(&fi)
         ? ngx_http_clipper_curve_directory(cf, curve, name)
         : ngx_http_clipper_curve_client(cf, curve, name->data);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    curve->has_clients = 1;

    ngx_qsort(curve->clients.elts, curve->clients.nelts,
              NGX_HTTP_CLIPPER_CURVE_KEY, ngx_http_clipper_curve_compare);

    if (curve->clients.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "no container can connect: \"%V\" has no "
                           "\".key\" file", name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_curve_directory(ngx_conf_t *cf,
    ngx_http_clipper_curve_t *curve, ngx_str_t *name)
{
    u_char      *file, *p;
    size_t       len;
    ngx_dir_t    dir;
    ngx_int_t    rc;

    if (ngx_open_dir(name, &dir) == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_dir_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    while (rc == NGX_OK && ngx_read_dir(&dir) == NGX_OK) {
        len = ngx_de_namelen(&dir);

        if (len < 5 || ngx_de_name(&dir)[0] == '.'
            || ngx_strcmp(ngx_de_name(&dir) + len - 4, ".key") != 0)
        {
            continue;
        }

        file = ngx_pnalloc(cf->temp_pool, name->len + len + 2);

        if (file == NULL) {
            rc = NGX_ERROR;
            break;
        }

        p = ngx_cpymem(file, name->data, name->len);
        *p++ = '/';
        (void) ngx_cpystrn(p, ngx_de_name(&dir), len + 1);

        rc = ngx_http_clipper_curve_client(cf, curve, file);
    }

    (void) ngx_close_dir(&dir);

    return rc;
}


static ngx_int_t
ngx_http_clipper_curve_client(ngx_conf_t *cf, ngx_http_clipper_curve_t *curve,
    u_char *file)
{
    u_char  *key;

    key = ngx_array_push(&curve->clients);

    return key ? ngx_http_clipper_curve_read(cf, file, "public-key", key)
               : NGX_ERROR;
}


static ngx_int_t
ngx_http_clipper_curve_read(ngx_conf_t *cf, u_char *file, const char *member,
    u_char *key)
{
    u_char    text[NGX_HTTP_CLIPPER_CURVE_FILE], *z85;
    ssize_t   n;
    ngx_fd_t  fd;

    fd = ngx_open_file(file, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%s\" failed", file);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, text, sizeof(text) - 1);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%s\" failed", file);
    }

    (void) ngx_close_file(fd);

    if (n == -1) {
        return NGX_ERROR;
    }

    text[n] = '\0';

    z85 = ngx_http_clipper_curve_member(text, member);

    if (z85 == NULL || zmq_z85_decode(key, (char *) z85) == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"%s\" of 40 characters in \"%s\"", member,
                           file);
        n = -1;
    }

    ngx_explicit_memzero(text, sizeof(text));

    return n == -1 ? NGX_ERROR : NGX_OK;
}


/* the value of a line `member = "..."`, which is terminated in the text */

static u_char *
ngx_http_clipper_curve_member(u_char *text, const char *member)
{
    u_char  *p, *line, *next;

    for (line = text; line; line = next) {

        next = (u_char *) ngx_strchr(line, LF);

        if (next) {
            *next++ = '\0';
        }

        p = line + strspn((char *) line, " \t");

        if (ngx_strncmp(p, member, ngx_strlen(member)) != 0) {
            continue;
        }

        p += ngx_strlen(member);
        p += strspn((char *) p, " \t=");

        if (*p++ == '"' && ngx_strlen(p) > NGX_HTTP_CLIPPER_CURVE_TEXT
            && p[NGX_HTTP_CLIPPER_CURVE_TEXT] == '"')
        {
            p[NGX_HTTP_CLIPPER_CURVE_TEXT] = '\0';
            return p;
        }
    }

    return NULL;
}


static int ngx_libc_cdecl
ngx_http_clipper_curve_compare(const void *one, const void *two)
{
    return ngx_memcmp(one, two, NGX_HTTP_CLIPPER_CURVE_KEY);
}


ngx_int_t
ngx_http_clipper_conf_curve_check(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint)
{
    ngx_http_clipper_curve_t  *curve;

    curve = endpoint->curve;

    if (curve == NULL || (curve->has_secret && curve->has_clients)) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s",
                       curve->has_secret
                       ? "\"curve_key\" needs \"curve_clients\", the keys "
                         "of the containers"
                       : "\"curve_clients\" needs \"curve_key\", the key "
                         "of the server");

    return NGX_ERROR;
}


ngx_uint_t
ngx_http_clipper_conf_curve_knows(const ngx_http_clipper_curve_t *curve,
    const u_char *key)
{
    return bsearch(key, curve->clients.elts, curve->clients.nelts,
                   NGX_HTTP_CLIPPER_CURVE_KEY, ngx_http_clipper_curve_compare)
           != NULL;
}
