
/*
 * What a model fails with: the inputs in a row that ended as errors, and the
 * latest text.
 */


#ifndef _CLIPPER_REGISTRY_FAILURE_H_INCLUDED_
#define _CLIPPER_REGISTRY_FAILURE_H_INCLUDED_


#include "shm/clipper_table.h"


/* so many in a row are more than one client's mistake */

#define CLIPPER_REGISTRY_FAILURES  10


/*
 * After a batch of n inputs, `errors` of which failed.  text: one line of plain
 * text, or empty for an error without one.
 */
void clipper_registry_failure_note_locked(clipper_zone_t *zone,
    clipper_model_row_t *model, ngx_uint_t n, ngx_uint_t errors,
    const ngx_str_t *text, int64_t now);

/* another model begins under the name */
void clipper_registry_failure_forget_locked(clipper_zone_t *zone,
    clipper_model_row_t *model);

/*
 * Read without the mutex: the answers may be out of date anyway.  .._is: it has
 * failed on the latest inputs; .._always: and on all before them.
 */
ngx_uint_t clipper_registry_failure_is(const clipper_model_row_t *model);
ngx_uint_t clipper_registry_failure_always(const clipper_model_row_t *model);

/* copies the latest text to CLIPPER_TEXT bytes, with a NUL; its length */
size_t clipper_registry_failure_text(const clipper_model_row_t *model,
    u_char *dst);


#endif /* _CLIPPER_REGISTRY_FAILURE_H_INCLUDED_ */
