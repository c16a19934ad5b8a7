
/*
 * Runs code and stops after each of its instructions that stores to some
 * memory: the memory is write-protected, an instruction that faults is let
 * through alone.  What stands there then is what a death at that instruction
 * would leave.  Linux on x86-64 only; STORES_CAN_STOP tells.
 */


#ifndef _STORES_H_INCLUDED_
#define _STORES_H_INCLUDED_


#if (__linux__ && __x86_64__)

#define STORES_CAN_STOP   1

#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <sys/mman.h>


#define STORES_TRAP_FLAG  0x100     /* of EFLAGS: one instruction */


static unsigned char  *stores_mem;
static size_t          stores_size;
static void          (*stores_stop)(void);
static unsigned        stores_count;


static void
stores_fault(int signo, siginfo_t *info, void *context)
{
    ucontext_t     *uc;
    unsigned char  *p;

    p = info->si_addr;
    uc = context;

    if (p < stores_mem || p >= stores_mem + stores_size) {
        (void) signal(signo, SIG_DFL);
        return;
    }

    (void) mprotect(stores_mem, stores_size, PROT_READ|PROT_WRITE);
    uc->uc_mcontext.gregs[REG_EFL] |= STORES_TRAP_FLAG;
}


static void
stores_step(int signo, siginfo_t *info, void *context)
{
    ucontext_t  *uc;

    uc = context;
    uc->uc_mcontext.gregs[REG_EFL] &= ~STORES_TRAP_FLAG;

    stores_count++;
    stores_stop();

    (void) mprotect(stores_mem, stores_size, PROT_READ);
}


/* mem begins a page; the number of stops */

static unsigned
stores_run(void *mem, size_t size, void (*run)(void *data), void *data,
    void (*stop)(void))
{
    struct sigaction  sa, segv, trap;

    stores_mem = mem;
    stores_size = size;
    stores_stop = stop;
    stores_count = 0;

    memset(&sa, 0, sizeof(sa));
    sa.sa_flags = SA_SIGINFO;
    sa.sa_sigaction = stores_fault;
    (void) sigaction(SIGSEGV, &sa, &segv);
    sa.sa_sigaction = stores_step;
    (void) sigaction(SIGTRAP, &sa, &trap);

    (void) mprotect(mem, size, PROT_READ);
    run(data);
    (void) mprotect(mem, size, PROT_READ|PROT_WRITE);

    (void) sigaction(SIGSEGV, &segv, NULL);
    (void) sigaction(SIGTRAP, &trap, NULL);

    return stores_count;
}

#else

#define STORES_CAN_STOP   0


static unsigned  stores_count;


static unsigned
stores_run(void *mem, size_t size, void (*run)(void *data), void *data,
    void (*stop)(void))
{
    run(data);

    return 0;
}

#endif


#endif /* _STORES_H_INCLUDED_ */
