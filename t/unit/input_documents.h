
/*
 * Random request bodies: doc_text and doc_len are the body, doc_seed is the
 * seed of the random numbers.
 */


#ifndef _INPUT_DOCUMENTS_H_INCLUDED_
#define _INPUT_DOCUMENTS_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "json/clipper_input.h"


#define DOC_SIZE  65536


extern uint64_t  doc_seed;
extern char      doc_text[DOC_SIZE];
extern size_t    doc_len;


uint64_t doc_rnd(void);

/* appends if the text and the end of the document still fit */
void doc_put(const char *s);
void doc_number(void);

/* a configuration; a new body, mostly one for it; damage to the body */
void doc_conf(clipper_input_conf_t *conf);
void doc_make(const clipper_input_conf_t *conf, ngx_uint_t mode);
void doc_mutate(void);


#endif /* _INPUT_DOCUMENTS_H_INCLUDED_ */
