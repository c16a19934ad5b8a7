
/*
 * The loss of an answer, compared with the label from feedback: how wrong it
 * was, from 0 to 1 (clipper_loss).
 */


#ifndef _CLIPPER_LOSS_H_INCLUDED_
#define _CLIPPER_LOSS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "json/clipper_value.h"


typedef enum {
    CLIPPER_LOSS_ZERO_ONE = 0,                  /* equal values or not */
    CLIPPER_LOSS_ABSOLUTE,                      /* |x - y| / (high - low) */
    CLIPPER_LOSS_SQUARED                        /* its square */
} clipper_loss_e;

typedef struct {
    clipper_loss_e              type;
    double                      low;            /* range of the labels; a */
    double                      high;           /* difference over it is 1 */
} clipper_loss_t;


/* sets the type of that name and the range 0:1; NGX_ERROR: unknown */
ngx_int_t  clipper_loss_set(clipper_loss_t *loss, const ngx_str_t *name);

/* reads `LO:HI`, two JSON numbers, LO < HI; NGX_ERROR: invalid */
ngx_int_t  clipper_loss_range(clipper_loss_t *loss, const ngx_str_t *range);

/*
 * A text stands for the value that it would be as an answer: "7" equals 7 and
 * 7.0, "true" equals true.  Unless both are numbers, absolute and squared act
 * as zero_one.
 */
double clipper_loss_value(const clipper_loss_t *loss,
    const clipper_value_t *output, const clipper_value_t *label);

/*
 * Whether an answer and a label are of one kind: numbers, texts, structures of
 * one sort, or true, false and null.  Others are never equal.
 */
ngx_uint_t clipper_loss_comparable(const clipper_value_t *output,
    const clipper_value_t *label);

/* the loss of two numbers; zero_one: whether they differ */
double clipper_loss_number(const clipper_loss_t *loss, double output,
    double label);


#endif /* _CLIPPER_LOSS_H_INCLUDED_ */
