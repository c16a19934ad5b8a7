
/*
 * The time of the scanner and the writer compared to jansson's for documents
 * other than queries, interleaved in one run: medians over rounds.
 *
 *   json [rounds]
 *
 * The time of a feedback is that from its body to its members.  A row of the
 * status is a replica with its sixteen members, as in the document.
 */


#include "json/clipper_input.h"
#include "json/clipper_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>


#define REPEATS  50
#define ROWS     10


typedef struct {
    const char   *name;
    void        (*ours)(void);
    void        (*theirs)(void);
    double        divisor;
} place_t;


static const char  by_id[] = "{\"query_id\": 123456789012, \"label\": 1}";
static const char  by_input[] =
    "{\"uid\": \"u0000017\", \"label\": 1.0, \"input\": [0.1, 0.25, 3.5, 4.125,"
    " 5.0625, 6.875, 7.5, 8.125, 9.75, 10.5]}";
static const char  a_default[] =
    "{\"label\": \"none\", \"scores\": [0.5, 0.5]}";

static clipper_input_t  in;
static double           numbers[16];
static char             text[65536];


static double
now_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}


static int
compare(const void *a, const void *b)
{
    double  d;

    d = *(const double *) a - *(const double *) b;

    return (d > 0) - (d < 0);
}


static void
check(int ok)
{
    if (!ok) {
        fprintf(stderr, "a document was not taken\n");
        exit(1);
    }
}


static void
scan_feedback(const char *body, size_t len)
{
    clipper_segment_t     segment;
    clipper_input_conf_t  conf;

    segment.pos = (u_char *) body;
    segment.last = segment.pos + len;

    ngx_memzero(&conf, sizeof(conf));
    conf.type = CLIPPER_DOUBLES;
    conf.max_batch = 1000;
    conf.max_elements = 1 << 20;
    conf.max_depth = 64;

    check(clipper_input_scan(&in, &conf, CLIPPER_INPUT_UPDATE, &segment, 1)
          == NGX_OK);
}


static void
load_feedback(const char *body, size_t len)
{
    char    *label;
    size_t   i;
    json_t  *root, *input;

    root = json_loadb(body, len, 0, NULL);
    check(root != NULL);

    (void) json_integer_value(json_object_get(root, "query_id"));
    (void) json_string_value(json_object_get(root, "uid"));

    label = json_dumps(json_object_get(root, "label"), JSON_ENCODE_ANY);
    check(label != NULL);
    free(label);

    input = json_object_get(root, "input");

    for (i = 0; i < json_array_size(input); i++) {
        numbers[i] = json_number_value(json_array_get(input, i));
    }

    json_decref(root);
}


static void
id_ours(void)
{
    scan_feedback(by_id, sizeof(by_id) - 1);
}


static void
id_theirs(void)
{
    load_feedback(by_id, sizeof(by_id) - 1);
}


static void
input_ours(void)
{
    scan_feedback(by_input, sizeof(by_input) - 1);
}


static void
input_theirs(void)
{
    load_feedback(by_input, sizeof(by_input) - 1);
}


static void
default_ours(void)
{
    clipper_json_output_t  out;

    clipper_json_output(&out, (u_char *) a_default, sizeof(a_default) - 1,
                        CLIPPER_LEX_MAX_DEPTH);
    check(out.verbatim);
}


static void
default_theirs(void)
{
    json_t  *value;

    value = json_loadb(a_default, sizeof(a_default) - 1,
                       JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);
    check(value != NULL);
    json_decref(value);
}


static const char  *members[] = {
    "replica_id", "rpc_version", "worker", "worker_pid", "busy", "batches",
    "inputs", "errors", "connected_ms"
};

static const char  *strings[][2] = {
    { "model", "digits-linear" }, { "version", "17" },
    { "input_type", "doubles" }, { "state", "ready" },
    { "token", "0123456789abcdef0123456789abcdef" },
    { "digest", "0123456789abcdef0123456789abcdef" }
};


static void
rows_ours(void)
{
    size_t   i, k;
    u_char  *p;

    p = (u_char *) text;

    for (i = 0; i < ROWS; i++) {
        *p++ = '{';

        for (k = 0; k < sizeof(members) / sizeof(members[0]); k++) {
            p = clipper_json_string(p, (u_char *) members[k],
                                    strlen(members[k]));
            *p++ = ':';
            p = clipper_json_u64(p, 1234567 + k);
            *p++ = ',';
        }

        for (k = 0; k < sizeof(strings) / sizeof(strings[0]); k++) {
            p = clipper_json_string(p, (u_char *) strings[k][0],
                                    strlen(strings[k][0]));
            *p++ = ':';
            p = clipper_json_string(p, (u_char *) strings[k][1],
                                    strlen(strings[k][1]));
            *p++ = ',';
        }

        p = ngx_cpymem(p, "\"stuck\":false},", 15);
    }
}


static void
rows_theirs(void)
{
    char    *dump;
    size_t   i, k;
    json_t  *rows, *row;

    rows = json_array();

    for (i = 0; i < ROWS; i++) {
        row = json_object();

        for (k = 0; k < sizeof(members) / sizeof(members[0]); k++) {
            json_object_set_new_nocheck(row, members[k],
                                        json_integer(1234567 + k));
        }

        for (k = 0; k < sizeof(strings) / sizeof(strings[0]); k++) {
            json_object_set_new_nocheck(row, strings[k][0],
                                        json_string(strings[k][1]));
        }

        json_object_set_new_nocheck(row, "stuck", json_false());
        json_array_append_new(rows, row);
    }

    dump = json_dumps(rows, JSON_COMPACT);
    check(dump != NULL);
    free(dump);

    json_decref(rows);
}


static const place_t  places[] = {
    { "feedback by query_id", id_ours, id_theirs, 1 },
    { "feedback by 10 doubles", input_ours, input_theirs, 1 },
    { "a default: is it JSON?", default_ours, default_theirs, 1 },
    { "a row of the status", rows_ours, rows_theirs, ROWS }
};


static double
run(void (*handler)(void), double divisor)
{
    size_t  i, n;
    double  t;

    n = REPEATS / divisor;
    t = now_us();

    for (i = 0; i < n; i++) {
        handler();
    }

    return (now_us() - t) / n / divisor;
}


static void
measure(const place_t *place, size_t rounds)
{
    size_t   i;
    double  *ours, *theirs;

    ours = malloc(rounds * sizeof(double));
    theirs = malloc(rounds * sizeof(double));
    check(ours && theirs);

    for (i = 0; i < rounds; i++) {
        ours[i] = run(place->ours, place->divisor);
        theirs[i] = run(place->theirs, place->divisor);
    }

    qsort(ours, rounds, sizeof(double), compare);
    qsort(theirs, rounds, sizeof(double), compare);

    printf("%-28s ours %6.2f us  jansson %6.2f us  ratio %4.1f\n",
           place->name, ours[rounds / 2], theirs[rounds / 2],
           theirs[rounds / 2] / ours[rounds / 2]);

    free(theirs);
    free(ours);
}


int
main(int argc, char **argv)
{
    size_t  i, rounds;

    rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 101;

    clipper_input_init(&in, 0);

    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        measure(&places[i], rounds ? rounds : 1);
    }

    clipper_input_done(&in);

    return 0;
}
