
/*
 * Deaths at any instruction: a child is stepped through a call on shared
 * memory and killed after some steps.
 */


#ifndef _DEATH_H_INCLUDED_
#define _DEATH_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <cmocka.h>


extern uint64_t  death_random_state;


uint64_t death_random(uint64_t n);
void *death_map(size_t size);

/* runs call() in a child that dies after `steps` steps; returns the steps */
long death_after(void (*call)(void *data), void *data, long steps);


#endif /* _DEATH_H_INCLUDED_ */
