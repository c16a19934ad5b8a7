
/*
 * Cells of a grid: a model, replicas, an SLO, a load and a trouble, each lived
 * through in virtual time with some mechanisms on or off.
 */


#ifndef _SCHED_GRID_H_INCLUDED_
#define _SCHED_GRID_H_INCLUDED_


#include "sched.h"


#define SCHED_GRID_WARM_US     1000000.0        /* learned until then */
#define SCHED_GRID_TROUBLE_US  2000000.0


typedef struct {
    double             a_us;
    double             b_us;
    double             noise;
    double             stuck;           /* part of the batches that take ten
                                           times as long */
    uint32_t           replicas;
    double             slo;             /* in batches of one */
    double             load;            /* of the capacity */
    sched_trouble_e    trouble;         /* from SCHED_GRID_WARM_US on */
    uint32_t           all;             /* of all replicas */
    uint32_t           names;           /* so many different inputs, or 0: one
                                           in 1024 kills its replica */
} sched_cell_t;


/* how it is lived through */

typedef struct {
    const char        *name;
    uint32_t           no_hedge;
    uint64_t           hedge_us;
    uint32_t           no_halves;
    uint32_t           no_suspects;
    clipper_batch_conf_t  conf;
} sched_way_t;


typedef struct {
    double             asked;           /* after the warm-up, as is all */
    double             on_time;
    double             hedges;
    double             sent;
    double             seconds;
} sched_score_t;


/* copies as the profiles say, compared to other ways */

typedef struct {
    double             queries;         /* in: about */
    double             with;
    double             best;
    uint64_t           best_us;         /* its time; 0: off */
    double             ratio;
} sched_hedging_t;


/* answers per second that the cell's replicas could give at most */
double sched_grid_capacity(const sched_cell_t *cell);

/*
 * Lives through it with about so many queries, more if that is too short.
 * Gives the seconds; the caller finishes the simulation.
 */
double sched_grid_live(const sched_cell_t *cell, const sched_way_t *way,
    uint64_t seed, double queries, sched_t *sim);

/* the same, and its result */
void sched_grid_run(const sched_cell_t *cell, const sched_way_t *way,
    uint64_t seed, double queries, sched_score_t *score);

/*
 * The part of the queries that is answered with "hedge auto" and in the best
 * other way: "off", and some times.  Where chance may have made the difference
 * these are of sixteen other lives, and where it still may, of 32 with what was
 * best in these.
 */
void sched_grid_hedging(const sched_cell_t *cell, sched_hedging_t *h);


#endif /* _SCHED_GRID_H_INCLUDED_ */
