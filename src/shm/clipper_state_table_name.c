
/*
 * Texts of the table of states, each stored once while rows refer to it: an
 * update is sent without the lock and reads them.  Containers choose some of
 * them, so their hash has a key, and the chains are short.
 */


#include "shm/clipper_state_table_name.h"
#include "base/clipper_hash.h"


static void clipper_state_name_live_locked(clipper_state_table_t *table,
    uint32_t name);
static uint32_t *clipper_state_name_bucket(clipper_state_table_t *table,
    const u_char *text, size_t len);


uint32_t
clipper_state_table_name_get_locked(clipper_state_table_t *table,
    const ngx_str_t *text)
{
    uint32_t                 name, *bucket;
    clipper_state_name_t    *t;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    bucket = clipper_state_name_bucket(table, text->data, text->len);

    for (name = *bucket; name; name = t->next) {
        t = &table->names[name];

        if (t->len == text->len
            && ngx_memcmp(t->text, text->data, text->len) == 0)
        {
            clipper_state_save(table, t->refs);
            t->refs++;
            clipper_state_name_live_locked(table, name);
            return name;
        }
    }

    name = h->m.free_names;

    if (name == 0 || text->len > CLIPPER_STATE_NAME) {
        return 0;
    }

    t = &table->names[name];

    clipper_state_save(table, h->m.free_names);
    clipper_state_save(table, *bucket);
    clipper_state_save(table, t->next);
    clipper_state_save(table, t->refs);

    h->m.free_names = t->next;

    t->refs = 1;
    t->len = (uint32_t) text->len;
    ngx_memcpy(t->text, text->data, text->len);
    t->next = *bucket;
    *bucket = name;

    clipper_state_name_live_locked(table, name);

    return name;
}


/* a sweep that is under way may have passed its application */

static void
clipper_state_name_live_locked(clipper_state_table_t *table, uint32_t name)
{
    clipper_state_table_locked(table);

    table->header->sweep_live[name / 64] |= (uint64_t) 1 << (name % 64);
}


void
clipper_state_table_name_leave_locked(clipper_state_table_t *table,
    uint32_t name)
{
    uint32_t                *p;
    clipper_state_name_t    *t;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    t = &table->names[name];

    clipper_state_save(table, t->refs);

    if (--t->refs) {
        return;
    }

    p = clipper_state_name_bucket(table, t->text, t->len);

    while (*p != name) {
        p = &table->names[*p].next;
    }

    clipper_state_save(table, h->m.free_names);
    clipper_state_save(table, *p);
    *p = t->next;

    clipper_state_save(table, t->next);
    t->next = h->m.free_names;
    h->m.free_names = name;
}


static uint32_t *
clipper_state_name_bucket(clipper_state_table_t *table, const u_char *text,
    size_t len)
{
    uint64_t  hash[2];

    clipper_hash_siphash(table->header->names_key, text, len, hash);

    return &table->name_buckets[hash[0] % table->header->nnames];
}
