
/*
 * Runs code and stops after each instruction that stores to some memory: the
 * memory is write-protected, and a faulting instruction is executed alone.
 * Then the memory is as a death at that instruction would leave it.  Linux on
 * x86-64 only; STORES_CAN_STOP tells.
 */


#ifndef _STORES_H_INCLUDED_
#define _STORES_H_INCLUDED_


#if (__linux__ && __x86_64__)
#define STORES_CAN_STOP  1
#else
#define STORES_CAN_STOP  0
#endif


#include <stddef.h>


/* stops of the current run so far */
extern unsigned  stores_count;

/* mem begins a page; calls stop() after each stop; returns their number */
unsigned stores_run(void *mem, size_t size, void (*run)(void *data),
    void *data, void (*stop)(void));


#endif /* _STORES_H_INCLUDED_ */
