
/*
 * The one object that the parts of a worker share.
 */


#ifndef _NGX_HTTP_CLIPPER_PROCESS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PROCESS_H_INCLUDED_


#include "base/clipper_clock.h"
#include "conf/ngx_http_clipper.h"
#include "shm/clipper_table.h"


typedef struct {
    clipper_zone_t                *zone;       /* mapped view */
    ngx_http_clipper_main_conf_t  *conf;
    ngx_cycle_t                   *cycle;
    ngx_log_t                     *log;
    ngx_uint_t                     slot;       /* of this worker; 0: none */
    ngx_uint_t                     retiring;   /* a graceful exit began */

    /*
     * Callbacks for what the parts below need from the worker as a whole; set
     * before any of them starts.
     */

    /* handles the mailbox and the queues of the replicas here */
    void                         (*work)(void);

    /* a worker died: gives back what dead workers held */
    void                         (*bury)(void);

    /* a graceful exit begins; `now`: it must not take longer */
    void                         (*retire)(ngx_uint_t now);
} ngx_http_clipper_process_t;


/* of this worker; zone is NULL if the module is not in use */
extern ngx_http_clipper_process_t  ngx_http_clipper_process;


#endif /* _NGX_HTTP_CLIPPER_PROCESS_H_INCLUDED_ */
