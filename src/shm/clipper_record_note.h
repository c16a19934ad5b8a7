
/*
 * Labels that wait for Redis: notes in the ring of records, which any worker
 * may take, even one of a later configuration.  With zone->notes they are not
 * overwritten; otherwise they are, like records.
 */


#ifndef _CLIPPER_RECORD_NOTE_H_INCLUDED_
#define _CLIPPER_RECORD_NOTE_H_INCLUDED_


#include "shm/clipper_record.h"


/* bytes of a label and a user together */
#define CLIPPER_RECORD_NOTE_MAX                                               \
    (CLIPPER_POLICY_MEMBERS * CLIPPER_RECORD_OUTPUT)


typedef struct {
    uint64_t            query_id;
    uint32_t            app;                    /* registry row */
    uint64_t            key[2];                 /* digest of the user */
    size_t              label;                  /* lengths; the label is first
                                                   in the text */
    size_t              uid;
    u_char              text[CLIPPER_RECORD_NOTE_MAX];
} clipper_record_note_t;


/*
 * Puts one in place of a record that this worker was to claim; key: the
 * digest of the user; mine: it is this worker's, which goes on with its claim.
 * NGX_DONE: it was not this worker's; NGX_DECLINED: the ring has no room for
 * texts of that length.
 */
ngx_int_t clipper_record_note_put(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t key[2], const ngx_str_t *label,
    const ngx_str_t *uid, ngx_uint_t mine);

/*
 * Takes a note for this worker, which has it until clipper_record_claim_end()
 * or clipper_record_claim_leave(); NGX_DECLINED: there is none.
 */
ngx_int_t clipper_record_note_take(clipper_zone_t *zone,
    clipper_record_note_t *note);


#endif /* _CLIPPER_RECORD_NOTE_H_INCLUDED_ */
