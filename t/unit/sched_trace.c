
/*
 * Recorded arrivals, see the header.
 */


#include "sched_trace.h"


void
sched_trace_free(sched_trace_t *trace)
{
    free(trace->arrivals);
}


/* 0: there is no such trace, or it has a mistake */

int
sched_trace_read(sched_trace_t *trace, const char *path)
{
    char                line[256];
    FILE               *f;
    uint32_t            size, app;
    unsigned long long  us;

    memset(trace, 0, sizeof(sched_trace_t));
    size = 0;

    f = fopen(path, "r");
    if (f == NULL) {
        return 0;
    }

    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#'
            || sscanf(line, "model %lf %lf %u", &trace->a_us, &trace->b_us,
                      &trace->replicas)
               == 3)
        {
            continue;
        }

        if (sscanf(line, "app %llu", &us) == 1 && trace->napps < SCHED_APPS) {
            trace->slo_us[trace->napps++] = us;
            continue;
        }

        if (sscanf(line, "%llu %u", &us, &app) != 2 || app >= trace->napps) {
            trace->n = 0;
            break;
        }

        if (trace->n == size) {
            size = size ? size * 2 : 4096;
            trace->arrivals = realloc(trace->arrivals,
                                      size * sizeof(sched_arrival_t));
            if (trace->arrivals == NULL) {
                abort();
            }
        }

        us += trace->n ? trace->arrivals[trace->n - 1].time_us : 0;
        trace->arrivals[trace->n].time_us = us;
        trace->arrivals[trace->n++].app = app;
    }

    fclose(f);

    return trace->n != 0 && trace->replicas != 0
           && trace->replicas <= SCHED_REPLICAS;
}


/* the header's p */

static double
sched_trace_piece(const sched_trace_t *trace)
{
    double    n, p;
    uint32_t  i;

    p = INFINITY;

    for (i = 0; i < trace->napps; i++) {
        n = floor(((double) trace->slo_us[i] - trace->a_us) / trace->b_us);

        if (n >= 1) {
            p = ngx_min(p, trace->a_us / n + trace->b_us);
        }
    }

    return p;
}


/* the arrivals of one app wait in order of deadline: a queue for each */

typedef struct {
    uint32_t  *index;
    uint32_t   head;
    uint32_t   tail;
} sched_trace_queue_t;


/* the app whose first piece has the earliest deadline after now, or -1 */

static int
sched_trace_earliest(const sched_trace_t *trace, sched_trace_queue_t *queues,
    double *left, double now_us, double *deadline_us)
{
    int                   found;
    double                deadline;
    uint32_t              i, k;
    sched_trace_queue_t  *q;

    found = -1;

    for (i = 0; i < trace->napps; i++) {
        q = &queues[i];

        while (q->head < q->tail) {
            k = q->index[q->head];
            deadline = (double) (trace->arrivals[k].time_us
                                 + trace->slo_us[i]);

            if (left[k] > 1e-9 && deadline > now_us) {
                if (found == -1 || deadline < *deadline_us) {
                    found = (int) i;
                    *deadline_us = deadline;
                }
                break;
            }

            q->head++;
        }
    }

    return found;
}


/* answers that no scheduler exceeds */

double
sched_trace_bound(const sched_trace_t *trace)
{
    int                   app;
    double                now_us, next_us, deadline_us, piece, speed, work, us;
    double               *left;
    uint32_t              i, k;
    sched_trace_queue_t   queues[SCHED_APPS], *q;

    piece = sched_trace_piece(trace);
    speed = (double) trace->replicas;
    left = malloc(trace->n * sizeof(double));
    memset(queues, 0, sizeof(queues));

    for (i = 0; i < trace->napps; i++) {
        queues[i].index = malloc(trace->n * sizeof(uint32_t));
    }

    now_us = 0;
    work = 0;
    deadline_us = 0;

    for (i = 0; /* void */ ; ) {
        app = sched_trace_earliest(trace, queues, left, now_us, &deadline_us);

        if (app == -1 && i == trace->n) {
            break;
        }

        next_us = i < trace->n ? (double) trace->arrivals[i].time_us
                               : INFINITY;

        if (app == -1 || next_us <= now_us) {
            now_us = ngx_max(now_us, next_us);
            q = &queues[trace->arrivals[i].app];
            left[i] = piece;
            q->index[q->tail++] = i++;
            continue;
        }

        k = queues[app].index[queues[app].head];
        us = ngx_min(left[k] / speed, ngx_min(next_us, deadline_us) - now_us);
        left[k] -= us * speed;
        work += us * speed;
        now_us += us;
    }

    for (i = 0; i < trace->napps; i++) {
        free(queues[i].index);
    }

    free(left);

    return work / piece;
}


/* the scheduler on a trace; the caller finishes the simulation */

void
sched_trace_run(const sched_trace_t *trace, sched_t *sim, uint32_t fifo)
{
    uint32_t  i;

    sched_init(sim, 1);
    sim->fifo = fifo;
    sim->no_hedge = 1;
    sim->conf.plain = fifo;
    sim->trace = trace->arrivals;
    sim->ntrace = trace->n;
    sim->until_us = trace->arrivals[trace->n - 1].time_us;
    sim->nmodels = 1;
    sim->models[0].a_us = trace->a_us;
    sim->models[0].b_us = trace->b_us;
    sim->models[0].replicas = trace->replicas;
    sim->napps = trace->napps;

    for (i = 0; i < trace->napps; i++) {
        sim->apps[i].slo_us = trace->slo_us[i];
    }

    sched_start(sim);
    sched_run(sim, 0);
}
