
/*
 * The object that the parts of a worker share, see the header.
 */


#include "worker/ngx_http_clipper_process.h"


ngx_http_clipper_process_t  ngx_http_clipper_process;
