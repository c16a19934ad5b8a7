
/*
 * Stops after each store, see the header.
 */


#include "stores.h"
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <sys/mman.h>


unsigned  stores_count;


#if (STORES_CAN_STOP)

#define STORES_TRAP_FLAG  0x100     /* of EFLAGS: one instruction */


static unsigned char  *stores_mem;
static size_t          stores_size;
static void          (*stores_stop)(void);


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


unsigned
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


unsigned
stores_run(void *mem, size_t size, void (*run)(void *data), void *data,
    void (*stop)(void))
{
    run(data);

    return 0;
}

#endif
