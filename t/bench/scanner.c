
/*
 * Processor time of the input scanner for one body, compared to jansson's for
 * the same body, interleaved in one run: medians over rounds.
 *
 *   scanner [rounds]
 *
 * jansson's time is json_loadb() and the walk over the array that fills the
 * doubles, which is what a handler without the scanner would do.
 */


#include "json/clipper_input.h"
#include "../unit/splitmix.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>


#define N        784
#define REPEATS  20
#define DIGITS   768        /* most of a middle of two doubles */


typedef struct {
    const char   *name;
    ngx_uint_t    type;
    void        (*write)(char *dst, double u);
} shape_t;


static void write3(char *dst, double u);
static void write17(char *dst, double u);
static void write_exponent(char *dst, double u);
static void write_normal(char *dst, double u);
static void write_pixel(char *dst, double u);
static void write_half(char *dst, double u);
static void write_random54(char *dst, double u);
static void write_half20(char *dst, double u);
static void write_random20(char *dst, double u);
static void write_half768(char *dst, double u);
static void write_random768(char *dst, double u);


static const shape_t  shapes[] = {
    { "784 doubles, 3 decimals", CLIPPER_DOUBLES, write3 },
    { "784 doubles, 17 digits", CLIPPER_DOUBLES, write17 },
    { "784 doubles, as Python prints, signed", CLIPPER_DOUBLES,
      write_normal },
    { "784 doubles, exponents", CLIPPER_DOUBLES, write_exponent },
    { "784 floats, 17 digits", CLIPPER_FLOATS, write17 },
    { "784 ints, 0 to 255", CLIPPER_INTS, write_pixel },
    { "784 doubles, 54 digits, random", CLIPPER_DOUBLES, write_random54 },
    { "784 doubles, 54 digits, half-way", CLIPPER_DOUBLES, write_half },
    { "784 doubles, 20 digits, random", CLIPPER_DOUBLES, write_random20 },
    { "784 doubles, 20 digits, half-way", CLIPPER_DOUBLES, write_half20 },
    { "784 doubles, 768 digits, random", CLIPPER_DOUBLES, write_random768 },
    { "784 doubles, 768 digits, half-way", CLIPPER_DOUBLES, write_half768 }
};

static uint64_t  seed = 88172645463325252u;
static double    numbers[N];


static double
uniform(void)
{
    return (double) (splitmix(seed++) >> 11) / 9007199254740992.0;
}


static void
write3(char *dst, double u)
{
    sprintf(dst, "%.3f", u);
}


static void
write17(char *dst, double u)
{
    sprintf(dst, "%.17g", u);
}


static void
write_exponent(char *dst, double u)
{
    sprintf(dst, "%.16e", u);
}


static void
write_normal(char *dst, double u)
{
    int  digits;

    u = u * 6 - 3;

    for (digits = 15; digits <= 17; digits++) {
        sprintf(dst, "%.*g", digits, u);

        if (strtod(dst, NULL) == u) {
            return;
        }
    }
}


static void
write_pixel(char *dst, double u)
{
    sprintf(dst, "%d", (int) (u * 256));
}


static void
write_random(char *dst, size_t n, int exponent)
{
    size_t  i;

    *dst++ = '1';
    *dst++ = '.';

    for (i = 1; i < n; i++) {
        *dst++ = (char) ('0' + (int) (uniform() * 10));
    }

    *dst = '\0';

    if (exponent) {
        sprintf(dst, "e%d", exponent);
    }
}


/* the middle of two doubles from 1 to 2, exactly */

static void
write_half(char *dst, double u)
{
    sprintf(dst, "%.53Lf", (long double) (1 + u) + 0x1p-53L);
}


static void
write_random54(char *dst, double u)
{
    write_random(dst, 54, 0);
}


/* as near to a middle as 20 digits are, and a large power of five */

static void
write_half20(char *dst, double u)
{
    sprintf(dst, "%.19Le", ((long double) (1 + u) + 0x1p-53L) * 0x1p-1000L);
}


static void
write_random20(char *dst, double u)
{
    write_random(dst, 20, -301);
}


/* a middle that needs all digits */

static void
write_half768(char *dst, double u)
{
    sprintf(dst, "%.767Le", ((long double) (1 + u) + 0x1p-53L) * 0x1p-1022L);
}


static void
write_random768(char *dst, double u)
{
    write_random(dst, 768, -308);
}


/* of this process: other work on the machine does not count */

static double
now_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}


static int
compare(const void *a, const void *b)
{
    double  d;

    d = *(const double *) a - *(const double *) b;

    return (d > 0) - (d < 0);
}


static size_t
make_body(char *body, const shape_t *shape)
{
    size_t  i;
    char   *p;

    p = body + sprintf(body, "{\"input\": [");

    for (i = 0; i < N; i++) {
        shape->write(p, uniform());
        p += strlen(p);
        p += sprintf(p, "%s", i + 1 < N ? ", " : "]}");
    }

    return p - body;
}


static void
run_jansson(const char *body, size_t len)
{
    size_t        i;
    json_t       *root, *input;
    json_error_t  error;

    root = json_loadb(body, len, 0, &error);
    input = json_object_get(root, "input");

    for (i = 0; i < N; i++) {
        numbers[i] = json_number_value(json_array_get(input, i));
    }

    json_decref(root);
}


static void
measure(const shape_t *shape, ngx_uint_t rounds)
{
    char                 *body;
    size_t                len;
    double                t, *ours, *theirs;
    ngx_uint_t            i, k;
    clipper_input_t       in;
    clipper_segment_t     segment;
    clipper_input_conf_t  conf;

    body = malloc(N * (DIGITS + 32));
    ours = malloc(rounds * sizeof(double));
    theirs = malloc(rounds * sizeof(double));

    if (body == NULL || ours == NULL || theirs == NULL) {
        exit(1);
    }

    len = make_body(body, shape);

    segment.pos = (u_char *) body;
    segment.last = segment.pos + len;

    ngx_memzero(&conf, sizeof(conf));
    conf.type = shape->type;
    conf.max_batch = 1000;
    conf.max_elements = 1 << 20;
    conf.max_depth = 64;

    clipper_input_init(&in, 0);

    for (i = 0; i < rounds; i++) {
        t = now_us();

        for (k = 0; k < REPEATS; k++) {
            if (clipper_input_scan(&in, &conf, 0, &segment, 1)
                != NGX_OK)
            {
                exit(1);
            }
        }

        ours[i] = (now_us() - t) / REPEATS;
        t = now_us();

        for (k = 0; k < REPEATS / 10; k++) {
            run_jansson(body, len);
        }

        theirs[i] = (now_us() - t) / (REPEATS / 10);
    }

    qsort(ours, rounds, sizeof(double), compare);
    qsort(theirs, rounds, sizeof(double), compare);

    printf("%-40s %6zu B  scanner %7.2f us (%4.0f MB/s)  jansson %7.2f us"
           "  ratio %5.1f\n", shape->name, len, ours[rounds / 2],
           len / ours[rounds / 2], theirs[rounds / 2],
           theirs[rounds / 2] / ours[rounds / 2]);

    clipper_input_done(&in);
    free(theirs);
    free(ours);
    free(body);
}


int
main(int argc, char **argv)
{
    size_t      i;
    ngx_uint_t  rounds;

    rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;

    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        measure(&shapes[i], rounds ? rounds : 1);
    }

    return 0;
}
