
/*
 * The settings of a replica's batch control, its state, and what it is asked.
 */


#ifndef _CLIPPER_BATCH_TYPE_H_INCLUDED_
#define _CLIPPER_BATCH_TYPE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_BATCH_KNOTS  32
#define CLIPPER_BATCH_MAX    65536
#define CLIPPER_BATCH_LAST   4


typedef struct {
    ngx_uint_t              fixed;      /* "batch N"; 0: no */
    ngx_uint_t              max;        /* "batch_max"; 0: the MAX above */
    uint64_t                wait_us;    /* "batch_wait" */
    unsigned                plain:1;    /* "batch aimd": no profile */

    /* for comparisons */
    unsigned                keep:1;     /* no head is given up for others */
    unsigned                no_probe:1; /* a slow profile is not tried */
    unsigned                no_risk:1;  /* no batch beyond the quantile */
} clipper_batch_conf_t;


/*
 * Plain data without pointers, may live in shared memory.  Only the worker
 * that owns the replica writes it; others may read "cap" and call latency().
 */

typedef struct {
    float                   mean[CLIPPER_BATCH_KNOTS];             /* us */
    float                   dev[CLIPPER_BATCH_KNOTS];              /* us */
    float                   weight[CLIPPER_BATCH_KNOTS];           /* batches */
    float                   exact[CLIPPER_BATCH_KNOTS];            /* of them
                                                        with just this size */
    float                   curve[CLIPPER_BATCH_KNOTS];            /* us */
    float                   quantile[CLIPPER_BATCH_KNOTS];
    float                   last[CLIPPER_BATCH_LAST];              /* us, what
                                                        one task took */
    float                   cap;
    float                   streak;     /* full batches since a miss */
    float                   k;          /* deviations above the mean */
    float                   pace;       /* mean batch latency, us */
    ngx_uint_t              above;      /* outliers in a row */
    uint64_t                aged_us;    /* when the weights were aged last */
    uint64_t                seen_us;    /* last batch sent or observed */
    ngx_uint_t              busy;       /* batches without a pause */
    ngx_uint_t              probe;      /* all but the last one is refused */
    uint64_t                batches;
    uint64_t                misses;
} clipper_batch_t;


/* the queue as its owner sees it when a replica is idle */

typedef struct {
    uint64_t                now_us;
    ngx_uint_t              queued;     /* >= 1 */
    ngx_uint_t              replicas;   /* that serve this queue, >= 1 */
    double                  rate;       /* tasks per us that come; 0: not
                                           known, few */
    int64_t                 head_us;    /* until the earliest deadline */
    int64_t                 tail_us;    /* until the latest deadline, or a
                                           bound of it */
    uint64_t                waited_us;  /* how long the oldest task waits */
    ngx_uint_t              slower;     /* than others: no risk is taken */
    ngx_uint_t              dear;       /* others are faster: a probe takes
                                           a task away from them */
} clipper_batch_load_t;


#endif /* _CLIPPER_BATCH_TYPE_H_INCLUDED_ */
