
/*
 * See the header.
 */


#include "zone_fixture.h"


const u_char  zone_seed[32] = { 1, 2, 3 };
uint64_t      zone_random = 1;
size_t        zone_size = ZONE_SIZE;


uint64_t
zone_chance(uint64_t n)
{
    return splitmix(zone_random++) % n;
}


void *
zone_map(void)
{
    void  *addr;

    addr = mmap(NULL, zone_size, PROT_READ|PROT_WRITE,
                MAP_ANONYMOUS|MAP_SHARED, -1, 0);
    assert_ptr_not_equal(addr, MAP_FAILED);

    return addr;
}


void *
zone_make(void)
{
    void  *addr;

    addr = zone_map();
    assert_int_equal(clipper_zone_create(addr, zone_size, zone_seed,
                                         1700000000), NGX_OK);

    return addr;
}


void
zone_drop(void *addr)
{
    assert_int_equal(munmap(addr, zone_size), 0);
}


/* a process that does nothing */

pid_t
zone_process(void)
{
    pid_t  pid, parent;

    parent = getpid();
    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {

        /* it always dies with the test, and does not hold its output open */

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) close(STDOUT_FILENO);
        (void) close(STDERR_FILENO);

        while (getppid() == parent) {
            (void) sleep(1);
        }

        _exit(0);
    }

    return pid;
}


void
zone_kill(pid_t pid)
{
    int  status;

    (void) kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}


void
zone_assert_locked(view_t *v, const char *where)
{
    const char  *text;

    text = zone_check_locked(v);

    if (text) {
        print_error("%s: %s\n", where, text);
        abort();
    }
}


void
zone_assert(view_t *v, const char *where)
{
    clipper_zone_lock(v);
    zone_assert_locked(v, where);
    clipper_zone_unlock(v);
}


/* a worker with its own process and row */

view_t
worker_make(void *addr)
{
    view_t     v;
    ngx_str_t  generation = ngx_string("g");

    assert_int_equal(clipper_zone_attach(&v, addr, zone_size, zone_process()),
                                         NGX_OK);

    clipper_zone_lock(&v);
    assert_int_not_equal(clipper_registry_enter_locked(&v,
                                  (u_char *) "door", 4, &generation, 1), 0);
    clipper_zone_unlock(&v);

    return v;
}


uint32_t
model_make(view_t *v, const char *name, const char *version)
{
    uint32_t   row;
    ngx_str_t  n, ver;

    n.data = (u_char *) name;
    n.len = strlen(name);
    ver.data = (u_char *) version;
    ver.len = strlen(version);

    clipper_zone_lock(v);
    row = clipper_registry_model_locked(v, &n, &ver);
    clipper_zone_unlock(v);

    assert_int_not_equal(row, 0);

    return row;
}


/* registers only; the token is this letter 16 times, 0: no token */

uint32_t
replica_join(view_t *v, uint32_t model, u_char letter)
{
    u_char                  token[16];
    uint32_t                row;
    clipper_announcement_t  a;

    memset(&a, 0, sizeof(a));
    memset(token, letter, sizeof(token));

    a.model = model;
    a.rpc_version = letter ? 4 : 3;
    a.token.data = token;
    a.token.len = letter ? 16 : 0;

    clipper_zone_lock(v);
    row = clipper_registry_replica_join_locked(v, &a, 1000);
    clipper_zone_unlock(v);

    return row;
}


uint32_t
replica_make(view_t *v, uint32_t model, u_char letter)
{
    uint32_t  row;

    row = replica_join(v, model, letter);
    assert_int_not_equal(row, 0);

    clipper_zone_lock(v);
    clipper_registry_replica_ready_locked(v, row);
    clipper_registry_replica_idle_locked(v, row);
    clipper_zone_unlock(v);

    return row;
}


void
replica_idle(view_t *v, uint32_t row)
{
    clipper_zone_lock(v);
    clipper_registry_replica_idle_locked(v, row);
    clipper_zone_unlock(v);
}


void
replica_gone(view_t *v, uint32_t row)
{
    clipper_zone_lock(v);
    clipper_registry_replica_gone_locked(v, row, 0);
    clipper_zone_unlock(v);
}


/* the input of a name: it begins with the name and has this length */

u_char *
input_of(uint32_t name, size_t len)
{
    size_t         i;
    static u_char  input[ZONE_LONGEST + 8];

    assert_true(len >= 4 && len <= ZONE_LONGEST);

    for (i = 0; i < len; i += 4) {
        memcpy(input + i, &name, 4);
        name = name * 1664525 + 1013904223;
    }

    return input;
}


clipper_task_t
task_make(view_t *v, uint32_t model, uint32_t name, size_t len,
    uint64_t deadline_us)
{
    clipper_task_t  task;

    memset(&task, 0, sizeof(task));

    task.model = model;
    task.key[0] = splitmix(name);
    task.key[1] = name;
    task.shared = 1;
    task.deadline_us = deadline_us;
    task.data = input_of(name, len);
    task.len = len;
    task.queue_max = 100000;
    task.queue_size_max = zone_size;
    task.settled = clipper_queue_settled(v, task.key);

    return task;
}


ngx_int_t
submit(view_t *v, clipper_task_t *task, uint64_t now_us)
{
    ngx_int_t  rc;

    clipper_zone_lock(v);
    rc = clipper_queue_submit_locked(v, task, now_us);
    clipper_zone_unlock(v);

    return rc;
}


void
leave(view_t *v, uint32_t waiter, uint32_t gen)
{
    clipper_zone_lock(v);
    clipper_queue_leave_locked(v, waiter, gen);
    clipper_zone_unlock(v);
}


/* a chain on loan, with these bytes unless NULL; 0 when the zone is full */

uint32_t
borrow(view_t *v, const u_char *data, size_t len)
{
    uint32_t  chunk;

    clipper_zone_lock(v);
    chunk = clipper_chunk_borrow_locked(v, len);
    clipper_zone_unlock(v);

    if (chunk && data) {
        clipper_chunk_write(v, chunk, data, len);
    }

    return chunk;
}


void
give_back(view_t *v, uint32_t chunk)
{
    clipper_zone_lock(v);
    clipper_chunk_free_locked(v, chunk);
    clipper_zone_unlock(v);
}


/* up to max inputs for the replica, of any latency */

ngx_uint_t
take(view_t *v, uint32_t replica, ngx_uint_t max, uint64_t now_us,
    clipper_lease_t *leases)
{
    ngx_uint_t            n;
    clipper_take_t        t;
    clipper_batch_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.fixed = max;
    conf.plain = 1;

    memset(&t, 0, sizeof(t));
    t.conf = &conf;
    t.max = max;
    t.now_us = now_us;

    clipper_zone_lock(v);
    n = clipper_queue_lease_take_locked(v, replica, &t, leases);
    clipper_zone_unlock(v);

    return n;
}


/* the output that belongs to the lease's input; its length */

ngx_uint_t
hedge_locked(view_t *v, uint32_t replica, const clipper_lease_t *leases,
    ngx_uint_t n, uint64_t now_us)
{
    clipper_hedge_t  hedge;

    memset(&hedge, 0, sizeof(hedge));
    hedge.sent_us = now_us;
    hedge.now_us = now_us;

    return clipper_queue_hedge_locked(v, replica, leases, n, &hedge);
}


size_t
output_of(view_t *v, const clipper_lease_t *lease, u_char *output)
{
    clipper_flight_t  *f;

    f = &v->flights[lease->flight];

    output[0] = 'y';
    clipper_chunk_read(v, f->input, output + 1, f->input_len);

    return f->input_len + 1;
}


ngx_uint_t
settle_with(view_t *v, uint32_t replica, const clipper_lease_t *lease,
    uint32_t result, const u_char *data, size_t len, uint64_t now_us)
{
    ngx_uint_t        first;
    clipper_output_t  o;

    o.result = result;
    o.data = data;
    o.len = len;
    o.chunk = (len > CLIPPER_INLINE) ? borrow(v, data, len) : 0;

    if (len > CLIPPER_INLINE && o.chunk == 0) {
        o.result = CLIPPER_RESULT_ERROR;
        o.len = 0;
    }

    clipper_zone_lock(v);
    first = clipper_queue_lease_settle_locked(v, replica, lease, &o, now_us);
    clipper_zone_unlock(v);

    return first;
}


ngx_uint_t
settle(view_t *v, uint32_t replica, const clipper_lease_t *lease,
    uint64_t now_us)
{
    size_t  len;
    u_char  output[ZONE_LONGEST + 1];

    if (v->flights[lease->flight].gen != lease->gen) {
        return settle_with(v, replica, lease, 0, (u_char *) "late", 4, now_us);
    }

    len = output_of(v, lease, output);

    return settle_with(v, replica, lease, CLIPPER_RESULT_OUTPUT, output, len,
                       now_us);
}


ngx_uint_t
mail_take(view_t *v, clipper_mail_t *mail, ngx_uint_t n)
{
    clipper_zone_lock(v);
    n = clipper_letter_take_locked(v, mail, n);
    clipper_zone_unlock(v);

    return n;
}


/* whether a letter has the output of this input; releases a held letter */

ngx_uint_t
mail_says(view_t *v, clipper_mail_t *mail, uint32_t name, size_t len)
{
    u_char      output[ZONE_LONGEST + 1];
    ngx_uint_t  yes;

    if (mail->result != CLIPPER_RESULT_OUTPUT
        || mail->len != len + 1)
    {
        return 0;
    }

    if (mail->held) {
        clipper_chunk_read(v, mail->chunk, output, mail->len);

    } else {
        memcpy(output, mail->data, mail->len);
    }

    yes = (output[0] == 'y' && memcmp(output + 1, input_of(name, len), len)
                               == 0);

    if (mail->held) {
        leave(v, mail->waiter, mail->gen);
    }

    return yes;
}
