
/* Bodies with a Content-Encoding, see the header. */


#include "base/clipper_inflate.h"


#define CLIPPER_INFLATE_ROOM   16384
#define CLIPPER_INFLATE_PIECE  ((size_t) 1 << 30)       /* zlib counts in int */

/* windowBits of zlib */

#define CLIPPER_INFLATE_BITS_GZIP  (15 + 16)
#define CLIPPER_INFLATE_BITS_ZLIB  15
#define CLIPPER_INFLATE_BITS_RAW   (-15)


static ngx_int_t clipper_inflate_start(clipper_inflate_t *z,
    ngx_uint_t coding, const clipper_segment_t *segments, ngx_uint_t n);
static ngx_uint_t clipper_inflate_is_zlib(const clipper_segment_t *segments,
    ngx_uint_t n);
static ngx_int_t clipper_inflate_piece(clipper_inflate_t *z, size_t limit,
    clipper_scratch_t *out);


void
clipper_inflate_done(clipper_inflate_t *z)
{
    if (z->ready) {
        (void) inflateEnd(&z->stream);
        z->ready = 0;
    }
}


ngx_int_t
clipper_inflate(clipper_inflate_t *z, ngx_uint_t coding,
    const clipper_segment_t *segments, ngx_uint_t n, size_t limit,
    clipper_scratch_t *out, size_t *offset)
{
    size_t       left;
    u_char      *p;
    ngx_int_t    rc;
    ngx_uint_t   i;

    *offset = 0;
    limit = out->len + ngx_min(limit, SIZE_MAX - out->len);

    if (clipper_inflate_start(z, coding, segments, n) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = NGX_AGAIN;

    for (i = 0; i < n; i++) {
        p = segments[i].pos;

        while (p < segments[i].last) {

            if (rc == NGX_DONE) {

                /* another member of a gzip file, but no other bytes */

                if (coding != CLIPPER_INFLATE_GZIP) {
                    return NGX_DECLINED;
                }

                if (inflateReset(&z->stream) != Z_OK) {
                    return NGX_ERROR;
                }
            }

            left = ngx_min((size_t) (segments[i].last - p),
                           CLIPPER_INFLATE_PIECE);
            z->stream.next_in = p;
            z->stream.avail_in = left;

            rc = clipper_inflate_piece(z, limit, out);

            left -= z->stream.avail_in;
            p += left;
            *offset += left;

            if (rc != NGX_AGAIN && rc != NGX_DONE) {
                return rc;
            }
        }
    }

    return rc == NGX_DONE ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
clipper_inflate_start(clipper_inflate_t *z, ngx_uint_t coding,
    const clipper_segment_t *segments, ngx_uint_t n)
{
    int  bits;

    bits = CLIPPER_INFLATE_BITS_GZIP;

    if (coding == CLIPPER_INFLATE_DEFLATE) {
        bits = clipper_inflate_is_zlib(segments, n)
               ? CLIPPER_INFLATE_BITS_ZLIB : CLIPPER_INFLATE_BITS_RAW;
    }

    if (z->ready) {
        return inflateReset2(&z->stream, bits) == Z_OK ? NGX_OK : NGX_ERROR;
    }

    ngx_memzero(&z->stream, sizeof(z_stream));

    if (inflateInit2(&z->stream, bits) != Z_OK) {
        return NGX_ERROR;
    }

    z->ready = 1;

    return NGX_OK;
}


/* the first two bytes of RFC 1950 are a method and a check of both */

static ngx_uint_t
clipper_inflate_is_zlib(const clipper_segment_t *segments, ngx_uint_t n)
{
    u_char      *p, head[2];
    ngx_uint_t   i, have;

    have = 0;

    for (i = 0; i < n; i++) {
        for (p = segments[i].pos; p < segments[i].last; p++) {
            head[have++] = *p;

            if (have == 2) {
                return (head[0] & 0x0f) == 8
                       && (head[0] << 8 | head[1]) % 31 == 0;
            }
        }
    }

    return 1;
}


/*
 * NGX_AGAIN: all of the piece was read; NGX_DONE: a stream ended in it;
 * NGX_DECLINED and NGX_ABORT as for clipper_inflate().
 */

static ngx_int_t
clipper_inflate_piece(clipper_inflate_t *z, size_t limit,
    clipper_scratch_t *out)
{
    int        rc;
    size_t     room;
    u_char     extra;
    z_stream  *s;

    s = &z->stream;

    for ( ;; ) {

        /* at the limit one byte tells whether there is more */

        if (out->len == limit) {
            room = 1;
            s->next_out = &extra;

        } else {

            if (clipper_scratch_reserve(out, ngx_min(limit - out->len,
                                                     CLIPPER_INFLATE_ROOM))
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            room = ngx_min(out->size, limit) - out->len;
            room = ngx_min(room, CLIPPER_INFLATE_PIECE);
            s->next_out = out->start + out->len;
        }

        s->avail_out = room;

        rc = inflate(s, Z_NO_FLUSH);

        room -= s->avail_out;

        if (room && out->len == limit) {
            return NGX_ABORT;
        }

        out->len += room;

        if (rc == Z_STREAM_END) {
            return NGX_DONE;
        }

        if (rc == Z_MEM_ERROR) {
            return NGX_ERROR;
        }

        if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return NGX_DECLINED;
        }

        if (s->avail_in == 0 && s->avail_out) {
            return NGX_AGAIN;
        }

        if (rc == Z_BUF_ERROR && room == 0 && s->avail_out) {
            return NGX_DECLINED;
        }
    }
}
