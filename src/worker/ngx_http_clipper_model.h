
/*
 * Maps the models of the configuration to rows of the registry: the version
 * that a link means now, the tuning of a version, the containers that fit.
 */


#ifndef _NGX_HTTP_CLIPPER_MODEL_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_MODEL_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "shm/clipper_table.h"


/* at the worker's start: interns and pins all names of the configuration */
void ngx_http_clipper_model_pin(clipper_zone_t *zone,
    ngx_http_clipper_main_conf_t *mcf);

/* the same without a row of the worker: names that other workers pin */
void ngx_http_clipper_model_find(void);

/* names of the configuration that the full registry has no row for yet */
ngx_uint_t ngx_http_clipper_model_lacking(void);

/* tries to pin them again */
void ngx_http_clipper_model_again(void);

/* whether the configuration has a model of this name */
ngx_uint_t ngx_http_clipper_model_configured(ngx_str_t *name);

/* the row that a link means now; 0: no version exists yet */
ngx_uint_t ngx_http_clipper_model_current(ngx_http_clipper_link_t *link);

/*
 * The same by name, asked for anew: for operators, who may also ask about a
 * model without a configuration (NULL).
 */
ngx_uint_t ngx_http_clipper_model_current_row(clipper_zone_t *zone,
    ngx_http_clipper_model_conf_t *conf, ngx_str_t *name);

/*
 * The row of the highest version that is there, of a model whose configuration
 * (or NULL) names none, and when time alone may change it, or 0.
 */
uint32_t ngx_http_clipper_model_highest_locked(clipper_zone_t *zone,
    ngx_http_clipper_model_conf_t *conf, ngx_str_t *name, uint64_t *until_us);

/*
 * The row of a version that a client requests, and the generation of its name;
 * 0: it does not exist.
 */
uint32_t ngx_http_clipper_model_version(ngx_http_clipper_link_t *link,
    ngx_str_t *version, uint32_t *gen);

/* never NULL: of the version, else of the model, else the defaults */
const ngx_http_clipper_tuning_t *ngx_http_clipper_model_tuning(ngx_str_t *name,
    ngx_str_t *version);

/* the same for a row */
const ngx_http_clipper_tuning_t *ngx_http_clipper_model_row_tuning(
    ngx_uint_t row);

/*
 * Whether a container with this input type may serve the model: not if the
 * version is declared with another type, or linked by an application with
 * another type.
 */
ngx_uint_t ngx_http_clipper_model_takes(ngx_str_t *name, ngx_str_t *version,
    ngx_uint_t input_type);


#endif /* _NGX_HTTP_CLIPPER_MODEL_H_INCLUDED_ */
