
/* Failures of models, see the header. */


#include "shm/clipper_registry_failure.h"


void
clipper_registry_failure_note_locked(clipper_zone_t *zone,
    clipper_model_row_t *model, ngx_uint_t n, ngx_uint_t errors,
    const ngx_str_t *text, int64_t now)
{
    size_t  len;

    clipper_zone_locked(zone);

    if (errors < n) {
        model->answered = 1;
        model->failed = 0;

    } else {
        model->failed = (uint32_t) ngx_min(model->failed + errors, UINT32_MAX);
    }

    if (errors == 0 || text->len == 0) {
        return;
    }

    len = ngx_min(text->len, CLIPPER_TEXT - 1);

    ngx_memcpy(model->error, text->data, len);
    ngx_memzero(model->error + len, CLIPPER_TEXT - len);
    model->error_time = now;
}


void
clipper_registry_failure_forget_locked(clipper_zone_t *zone,
    clipper_model_row_t *model)
{
    clipper_zone_locked(zone);

    model->failed = 0;
    model->answered = 0;
    ngx_memzero(model->error, CLIPPER_TEXT);
}


ngx_uint_t
clipper_registry_failure_is(const clipper_model_row_t *model)
{
    return model->failed >= CLIPPER_REGISTRY_FAILURES;
}


ngx_uint_t
clipper_registry_failure_always(const clipper_model_row_t *model)
{
    return clipper_registry_failure_is(model) && !model->answered;
}


size_t
clipper_registry_failure_text(const clipper_model_row_t *model, u_char *dst)
{
    ngx_memcpy(dst, model->error, CLIPPER_TEXT);
    dst[CLIPPER_TEXT - 1] = '\0';

    return ngx_strlen(dst);
}
