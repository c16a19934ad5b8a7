
/*
 * Bodies that are not JSON: compressed ones and .npy files, in pieces.  The
 * output never passes its limit, results are the same for the body in one
 * piece, and errors have a place in the body.
 *
 * The first three bytes of the data choose the form, the type and where to
 * cut; the rest is the body.
 */

#include "base/clipper_inflate.h"
#include "json/clipper_input_binary.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>


#define LIMIT  4096


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
expect(int good)
{
    if (!good) {
        abort();
    }
}


/* copies each piece into memory of its own */

static void
cut(clipper_segment_t *s, const uint8_t *data, size_t size, size_t at)
{
    size_t  i, n;

    for (i = 0; i < 2; i++) {
        n = i ? size - at : at;
        s[i].pos = malloc(n ? n : 1);
        s[i].last = s[i].pos + n;
        memcpy(s[i].pos, data + (i ? at : 0), n);
    }
}


static void
fuzz_inflate(ngx_uint_t coding, clipper_segment_t *s, clipper_segment_t *whole,
    size_t size)
{
    size_t             offset[2];
    ngx_int_t          rc[2];
    clipper_inflate_t  z;
    clipper_scratch_t  out[2];

    memset(&z, 0, sizeof(z));
    memset(out, 0, sizeof(out));

    rc[0] = clipper_inflate(&z, coding, s, 2, LIMIT, &out[0], &offset[0]);
    rc[1] = clipper_inflate(&z, coding, whole, 1, LIMIT, &out[1], &offset[1]);

    expect(rc[0] == rc[1] && rc[0] != NGX_ERROR);
    expect(out[0].len <= LIMIT && offset[0] <= size);

    if (rc[0] == NGX_OK) {
        expect(out[0].len == out[1].len);
        expect(out[0].len == 0
               || memcmp(out[0].start, out[1].start, out[0].len) == 0);
    }

    clipper_inflate_done(&z);
    clipper_scratch_trim(&out[0], 0);
    clipper_scratch_trim(&out[1], 0);
}


static void
fuzz_binary(ngx_uint_t form, ngx_uint_t type, ngx_uint_t batch,
    clipper_segment_t *s, clipper_segment_t *whole, size_t size)
{
    size_t                i;
    ngx_int_t             rc[2];
    u_char                cause[CLIPPER_INPUT_CAUSE];
    clipper_input_t       in[2];
    clipper_input_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.type = type;
    conf.max_batch = 6;
    conf.max_elements = 1000;

    for (i = 0; i < 2; i++) {
        clipper_input_init(&in[i], 0);
        rc[i] = clipper_input_binary_read(&in[i], &conf, form, batch,
                                          i ? whole : s, i ? 1 : 2);
        (void) clipper_input_error_cause(&in[i].error, 0, cause);
    }

    expect(rc[0] == rc[1]);
    expect(in[0].error.code == in[1].error.code);
    expect(in[0].error.code != CLIPPER_INPUT_NOMEM);
    expect(in[0].error.offset <= size);
    expect(in[0].nitems == in[1].nitems && in[0].nitems <= 6);

    for (i = 0; i < in[0].nitems; i++) {
        expect(in[0].items[i].len == in[1].items[i].len);
        expect(in[0].items[i].len
               <= 1000 * clipper_input_type_size(conf.type));
        expect(in[0].items[i].len == 0
               || memcmp(in[0].data + in[0].items[i].offset,
                         in[1].data + in[1].items[i].offset,
                         in[0].items[i].len) == 0);
    }

    clipper_input_done(&in[0]);
    clipper_input_done(&in[1]);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t             at;
    ngx_uint_t         form, type, batch;
    clipper_segment_t  s[2], whole[2];

    if (size < 3) {
        return 0;
    }

    form = data[0] % 4;
    type = data[1] % 5;
    batch = data[1] & 0x80 ? (data[1] >> 3) % 8 : CLIPPER_INPUT_NONE;
    at = data[2];

    data += 3;
    size -= 3;

    cut(s, data, size, ngx_min(at, size));
    cut(whole, data, size, size);

    if (form < 2) {
        fuzz_inflate(form ? CLIPPER_INFLATE_GZIP : CLIPPER_INFLATE_DEFLATE, s,
                     whole, size);

    } else {
        fuzz_binary(form == 2 ? CLIPPER_INPUT_BINARY_RAW
                              : CLIPPER_INPUT_BINARY_NPY, type, batch, s,
                    whole, size);
    }

    free(s[0].pos);
    free(s[1].pos);
    free(whole[0].pos);
    free(whole[1].pos);

    return 0;
}
