
/*
 * Clipper: names of applications and models, and versions, as configurations
 * and containers of version 4 may spell them.  Pure.
 */


#ifndef _CLIPPER_NAME_H_INCLUDED_
#define _CLIPPER_NAME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_NAME_MAX  255


/* NGX_OK: [A-Za-z0-9][A-Za-z0-9._-]*, at most CLIPPER_NAME_MAX bytes */

static ngx_inline ngx_int_t
clipper_name(const ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    if (name->len == 0 || name->len > CLIPPER_NAME_MAX) {
        return NGX_DECLINED;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9'))
        {
            continue;
        }

        if (i > 0 && (ch == '.' || ch == '_' || ch == '-')) {
            continue;
        }

        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_inline ngx_uint_t
clipper_name_equal(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


#endif /* _CLIPPER_NAME_H_INCLUDED_ */
