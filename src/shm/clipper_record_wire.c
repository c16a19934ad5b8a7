
/*
 * A record as bytes, see the header.
 */


#include "shm/clipper_record_wire.h"
#include "base/clipper_wire.h"


#define CLIPPER_RECORD_WIRE_ALL  255


static u_char *
clipper_record_wire_put(u_char *p, uint64_t x)
{
    clipper_wire_put64(p, x);

    return p + 8;
}


static u_char *
clipper_record_wire_put_double(u_char *p, double value)
{
    uint64_t  x;

    ngx_memcpy(&x, &value, 8);

    return clipper_record_wire_put(p, x);
}


static double
clipper_record_wire_get_double(const u_char *p)
{
    double    value;
    uint64_t  x;

    x = clipper_wire_get64(p);
    ngx_memcpy(&value, &x, 8);

    return value;
}


size_t
clipper_record_wire_encode(const clipper_record_t *record,
    const u_char owner[CLIPPER_RECORD_WIRE_OWNER], u_char *out)
{
    u_char    *p;
    uint32_t   i;

    p = out;

    *p++ = CLIPPER_RECORD_WIRE_VERSION;
    p = ngx_cpymem(p, owner, CLIPPER_RECORD_WIRE_OWNER);
    *p++ = (u_char) record->n;
    *p++ = record->served == CLIPPER_POLICY_ALL ? CLIPPER_RECORD_WIRE_ALL
                                                : (u_char) record->served;
    p = clipper_record_wire_put(p, record->up);
    p = clipper_record_wire_put(p, record->seen);
    p = clipper_record_wire_put_double(p, record->propensity);
    p = clipper_record_wire_put_double(p, record->time);

    for (i = 0; i < record->n; i++) {
        p = clipper_record_wire_put(p, record->key[i]);
    }

    p = ngx_cpymem(p, record->len, record->n);

    for (i = 0; i < record->n; i++) {
        if (record->len[i] <= CLIPPER_RECORD_OUTPUT) {
            p = ngx_cpymem(p, record->output[i], record->len[i]);
        }
    }

    return p - out;
}


ngx_int_t
clipper_record_wire_decode(const u_char *data, size_t len,
    clipper_record_t *record)
{
    uint32_t       i;
    const u_char  *p, *end;

    if (len < CLIPPER_RECORD_WIRE_HEAD
        || data[0] != CLIPPER_RECORD_WIRE_VERSION)
    {
        return NGX_ERROR;
    }

    p = data + 1 + CLIPPER_RECORD_WIRE_OWNER;
    end = data + len;

    record->n = p[0];
    record->served = p[1] == CLIPPER_RECORD_WIRE_ALL ? CLIPPER_POLICY_ALL
                                                     : (int32_t) p[1];
    record->up = clipper_wire_get64(p + 2);
    record->seen = clipper_wire_get64(p + 10);
    record->propensity = clipper_record_wire_get_double(p + 18);
    record->time = clipper_record_wire_get_double(p + 26);
    record->shared = 1;

    if (record->n == 0 || record->n > CLIPPER_POLICY_MEMBERS
        || record->served >= (int32_t) record->n
        || !(record->propensity <= 1)
        || (record->served != CLIPPER_POLICY_ALL && !(record->propensity > 0)))
    {
        return NGX_ERROR;
    }

    p = data + CLIPPER_RECORD_WIRE_HEAD;

    if ((size_t) (end - p) < record->n * 9) {
        return NGX_ERROR;
    }

    for (i = 0; i < record->n; i++) {
        record->key[i] = clipper_wire_get64(p);
        p += 8;
    }

    ngx_memcpy(record->len, p, record->n);
    p += record->n;

    for (i = 0; i < record->n; i++) {

        if (record->len[i] == CLIPPER_RECORD_LONG
            || record->len[i] == CLIPPER_RECORD_MISSED)
        {
            continue;
        }

        if (record->len[i] > CLIPPER_RECORD_OUTPUT
            || record->len[i] > end - p)
        {
            return NGX_ERROR;
        }

        ngx_memcpy(record->output[i], p, record->len[i]);
        p += record->len[i];
    }

    return p == end ? NGX_OK : NGX_ERROR;
}
