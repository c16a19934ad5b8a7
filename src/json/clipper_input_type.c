
/* Input types, see the header. */


#include "json/clipper_input_type.h"


#define CLIPPER_INPUT_TYPE_SYNONYMS  6


/* by type code */

static const ngx_str_t  clipper_input_type_names[CLIPPER_INPUT_TYPES] = {
    ngx_string("bytes"),
    ngx_string("integers"),
    ngx_string("floats"),
    ngx_string("doubles"),
    ngx_string("strings")
};

static const char
    *clipper_input_type_synonyms[CLIPPER_INPUT_TYPES]
                                [CLIPPER_INPUT_TYPE_SYNONYMS] =
{
    { "bytes", "byte", "b" },
    { "integers", "ints", "integer", "int", "i" },
    { "floats", "float", "f" },
    { "doubles", "double", "d" },
    { "strings", "string", "strs", "str", "s" }
};

static const size_t  clipper_input_type_sizes[CLIPPER_INPUT_TYPES] = {
    1,
    sizeof(int32_t),
    sizeof(float),
    sizeof(double),
    1
};


ngx_int_t
clipper_input_type(const ngx_str_t *name)
{
    ngx_uint_t   i, k;
    const char  *synonym;

    for (i = 0; i < CLIPPER_INPUT_TYPES; i++) {

        for (k = 0; k < CLIPPER_INPUT_TYPE_SYNONYMS; k++) {
            synonym = clipper_input_type_synonyms[i][k];

            if (synonym && strlen(synonym) == name->len
                && strncasecmp(synonym, (const char *) name->data, name->len)
                   == 0)
            {
                return i;
            }
        }
    }

    return -1;
}


const ngx_str_t *
clipper_input_type_name(ngx_uint_t type)
{
    if (type >= CLIPPER_INPUT_TYPES) {
        return NULL;
    }

    return &clipper_input_type_names[type];
}


size_t
clipper_input_type_size(ngx_uint_t type)
{
    return clipper_input_type_sizes[type];
}
