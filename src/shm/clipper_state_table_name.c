
/*
 * Texts of the table of states, each kept once, as long as rows refer to it:
 * who sends an update reads them without the lock.
 */


#include "shm/clipper_state_table.h"


static uint32_t *ngx_http_clipper_state_name_bucket(
    ngx_http_clipper_state_table_t *table, const u_char *text, size_t len);


uint32_t
ngx_http_clipper_state_name_get_locked(ngx_http_clipper_state_table_t *table,
    const ngx_str_t *text)
{
    uint32_t                          name, *bucket;
    ngx_http_clipper_state_name_t    *t;
    ngx_http_clipper_state_header_t  *h;

    h = table->header;
    bucket = ngx_http_clipper_state_name_bucket(table, text->data, text->len);

    for (name = *bucket; name; name = t->next) {
        t = &table->names[name];

        if (t->len == text->len
            && ngx_memcmp(t->text, text->data, text->len) == 0)
        {
            ngx_http_clipper_state_save(table, t->refs);
            t->refs++;
            return name;
        }
    }

    name = h->m.free_names;

    if (name == 0 || text->len > NGX_HTTP_CLIPPER_STATE_NAME) {
        return 0;
    }

    t = &table->names[name];

    ngx_http_clipper_state_save(table, h->m.free_names);
    ngx_http_clipper_state_save(table, *bucket);
    ngx_http_clipper_state_save(table, t->next);
    ngx_http_clipper_state_save(table, t->refs);

    h->m.free_names = t->next;

    t->refs = 1;
    t->len = (uint32_t) text->len;
    ngx_memcpy(t->text, text->data, text->len);
    t->next = *bucket;
    *bucket = name;

    return name;
}


void
ngx_http_clipper_state_name_leave_locked(
    ngx_http_clipper_state_table_t *table, uint32_t name)
{
    uint32_t                         *p;
    ngx_http_clipper_state_name_t    *t;
    ngx_http_clipper_state_header_t  *h;

    h = table->header;
    t = &table->names[name];

    ngx_http_clipper_state_save(table, t->refs);

    if (--t->refs) {
        return;
    }

    p = ngx_http_clipper_state_name_bucket(table, t->text, t->len);

    while (*p != name) {
        p = &table->names[*p].next;
    }

    ngx_http_clipper_state_save(table, h->m.free_names);
    ngx_http_clipper_state_save(table, *p);
    *p = t->next;

    ngx_http_clipper_state_save(table, t->next);
    t->next = h->m.free_names;
    h->m.free_names = name;
}


static uint32_t *
ngx_http_clipper_state_name_bucket(ngx_http_clipper_state_table_t *table,
    const u_char *text, size_t len)
{
    size_t    i;
    uint32_t  h;

    h = 2166136261u;

    for (i = 0; i < len; i++) {
        h = (h ^ text[i]) * 16777619u;
    }

    return &table->name_buckets[h % table->header->nnames];
}
