
/*
 * An open-loop load generator: requests are sent at their times, independent
 * of earlier responses, as from many clients.  One thread; a request takes an
 * idle keepalive connection, or a new one up to a bound; beyond the bound the
 * request counts as unsent.
 *
 *     openload PORT PATH RATE SECONDS NUMBERS DIGITS SLO_MS
 *              [CONNECTIONS [poisson|constant [REPEAT]]]
 *
 * The body has NUMBERS numbers with DIGITS digits after the point.  Every
 * body differs; with REPEAT that many different bodies are repeated.
 *
 * Latency runs from the time when the request was due to the kernel's
 * timestamp of the last bytes of the response, so a generator that is behind or
 * reads late neither hides nor adds waiting.  The SLO of the server begins when
 * it gets the request, so lateness is counted from the time of sending.
 *
 * Prints one JSON object: asked, unsent, errors, answers (real answers by
 * the SLO: the goodput), late_answers, defaults, late_defaults (more than
 * 2 ms after the SLO), lag (microseconds that sending was behind, p99), and
 * percentiles of the latency of all and of answers in microseconds.
 */


#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>


#define EVENTS       256
#define BUFFER       16384
#define COUNTER      15          /* digits that make a body unique */
#define LATENCY      (1 << 21)   /* microseconds, one bucket each */
#define GRACE_US     3000000     /* for the last responses */
#define LATE_US      2000        /* of a default that counts as late */


typedef struct connection_s  connection_t;

struct connection_s {
    int            fd;
    char          *request;
    size_t         sent;
    char           response[BUFFER];
    size_t         received;
    uint64_t       due_us;
    uint64_t       sent_us;
    unsigned       used;         /* it has a request */
    connection_t  *next;         /* idle ones */
};


typedef struct {
    uint64_t       n;
    uint64_t       count[LATENCY];
} histogram_t;


static histogram_t    all, answers, lag;
static uint64_t       asked, unsent, errors, good, late_answers, defaults;
static uint64_t       late_defaults;
static char          *template;
static size_t         template_len, counter_at;
static uint64_t       counter, first, repeat;
static uint64_t       slo_us;
static int            epoll, port;
static connection_t  *idle;
static unsigned       connections, busy, connections_max = 4096;


static uint64_t
clock_us(clockid_t id)
{
    struct timespec  ts;

    clock_gettime(id, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void
fail(const char *what)
{
    perror(what);
    exit(1);
}


static void
put(histogram_t *h, int64_t us)
{
    us = us < 0 ? 0 : us;
    h->count[us < LATENCY ? us : LATENCY - 1]++;
    h->n++;
}


static unsigned long long
percentile(const histogram_t *h, double fraction)
{
    uint64_t  i, sum;

    for (i = 0, sum = 0; i < LATENCY; i++) {
        sum += h->count[i];
        if (sum > fraction * h->n) {
            return i;
        }
    }

    return 0;
}


static void
make_template(const char *path, int numbers, int digits)
{
    int     i;
    char   *body, *p;
    size_t  size;

    size = 64 + (size_t) numbers * (digits + 8) + COUNTER;
    body = malloc(size);
    template = malloc(size + 512);

    if (body == NULL || template == NULL || strlen(path) > 200) {
        fail("memory");
    }

    p = body + sprintf(body, "{\"input\":[1.%0*d", COUNTER, 0);

    for (i = 1; i < numbers; i++) {
        p += sprintf(p, ",%.*f", digits, (i * 7919 % 1000) / 997.0);
    }

    p += sprintf(p, "]}");

    template_len = sprintf(template, "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                           "Content-Length: %zu\r\n\r\n", path,
                           (size_t) (p - body));
    counter_at = template_len + sizeof("{\"input\":[1.") - 1;
    memcpy(template + template_len, body, p - body);
    template_len += p - body;

    free(body);
}


static void
watch(connection_t *c, int op, uint32_t events)
{
    struct epoll_event  ee;

    ee.events = events;
    ee.data.ptr = c;

    if (epoll_ctl(epoll, op, c->fd, &ee) == -1) {
        fail("epoll_ctl");
    }
}


static connection_t *
get_connection(void)
{
    int                 one;
    connection_t       *c;
    struct sockaddr_in  sin;

    if (idle) {
        c = idle;
        idle = c->next;
        return c;
    }

    if (connections == connections_max) {
        return NULL;
    }

    c = calloc(1, sizeof(connection_t));
    if (c == NULL || (c->request = malloc(template_len)) == NULL) {
        fail("memory");
    }

    memcpy(c->request, template, template_len);
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        fail("connect");
    }

    one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
    connections++;

    return c;
}


static void
drop_connection(connection_t *c)
{
    connection_t  **p;

    for (p = &idle; *p; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            break;
        }
    }

    close(c->fd);
    free(c->request);
    free(c);
    connections--;
}


static void
send_rest(connection_t *c)
{
    ssize_t  n;

    n = send(c->fd, c->request + c->sent, template_len - c->sent,
             MSG_NOSIGNAL|MSG_DONTWAIT);

    c->sent += n > 0 ? n : 0;
    watch(c, EPOLL_CTL_MOD,
          c->sent < template_len ? EPOLLIN|EPOLLOUT : EPOLLIN);
}


static void
ask(uint64_t due_us)
{
    char           digits[COUNTER + 1];
    connection_t  *c;

    asked++;
    c = get_connection();

    if (c == NULL) {
        unsent++;
        return;
    }

    snprintf(digits, sizeof(digits), "%0*llu", COUNTER,
             (unsigned long long) (first + (repeat ? ++counter % repeat
                                                   : ++counter)));
    memcpy(c->request + counter_at, digits, COUNTER);

    c->sent = 0;
    c->received = 0;
    c->due_us = due_us;
    c->used = 1;
    busy++;

    c->sent_us = clock_us(CLOCK_REALTIME);

    put(&lag, (int64_t) (c->sent_us - due_us));
    send_rest(c);
}


/* the kernel's timestamp of the last bytes read */

static uint64_t
receive(connection_t *c, ssize_t *n)
{
    char             control[256];
    struct iovec     iov;
    struct msghdr    msg;
    struct cmsghdr  *cmsg;
    struct timespec  ts;

    iov.iov_base = c->response + c->received;
    iov.iov_len = BUFFER - 1 - c->received;

    memset(&msg, 0, sizeof(msg));
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);

    *n = recvmsg(c->fd, &msg, MSG_DONTWAIT);

    for (cmsg = *n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
         cmsg;
         cmsg = CMSG_NXTHDR(&msg, cmsg))
    {
        if (cmsg->cmsg_level == SOL_SOCKET
            && cmsg->cmsg_type == SO_TIMESTAMPNS)
        {
            memcpy(&ts, CMSG_DATA(cmsg), sizeof(ts));
            return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
        }
    }

    return clock_us(CLOCK_REALTIME);
}


static void
count(connection_t *c, const char *body, uint64_t stamp_us)
{
    int64_t  us, late_us;

    us = (int64_t) (stamp_us - c->due_us);
    late_us = (int64_t) (stamp_us - c->sent_us) - (int64_t) slo_us;
    put(&all, us);

    if (strncmp(c->response, "HTTP/1.1 200", 12) != 0) {
        errors++;

    } else if (strstr(body, "\"default\":true")) {
        defaults++;
        late_defaults += late_us > LATE_US;

    } else {
        put(&answers, us);
        good += late_us <= 0;
        late_answers += late_us > 0;
    }
}


static void
on_event(connection_t *c, uint32_t events)
{
    char     *end, *length;
    ssize_t   n;
    uint64_t  stamp_us;

    if ((events & EPOLLOUT) && c->sent < template_len) {
        send_rest(c);
    }

    if (!(events & (EPOLLIN|EPOLLHUP|EPOLLERR))) {
        return;
    }

    stamp_us = receive(c, &n);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        errors += c->used;
        busy -= c->used;
        drop_connection(c);
        return;
    }

    c->received += n;
    c->response[c->received] = '\0';

    end = strstr(c->response, "\r\n\r\n");
    length = strcasestr(c->response, "\r\ncontent-length:");

    if (end == NULL || length == NULL
        || c->received < end + 4 - c->response
                         + strtoul(length + 17, NULL, 10))
    {
        return;
    }

    count(c, end, stamp_us);
    busy--;
    c->used = 0;
    c->next = idle;
    idle = c;
}


static void
run(double rate, double seconds, int constant)
{
    int                 i, n, timer;
    double              due;
    uint64_t            end, now;
    struct itimerspec   its;
    struct epoll_event  events[EVENTS];

    timer = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    events[0].events = EPOLLIN;
    events[0].data.ptr = NULL;

    if (timer == -1 || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, events) == -1) {
        fail("timerfd");
    }

    memset(&its, 0, sizeof(its));
    due = (double) clock_us(CLOCK_REALTIME) + 1000;
    end = (uint64_t) (due + seconds * 1e6);

    for ( ;; ) {
        now = clock_us(CLOCK_REALTIME);

        for (i = 0; i < 64 && due <= now && due < end; i++) {
            ask((uint64_t) due);
            due += constant ? 1e6 / rate : -log(1 - drand48()) / rate * 1e6;
        }

        if (due >= end && (busy == 0 || now > end + GRACE_US)) {
            errors += busy;
            return;
        }

        if (due > now) {
            its.it_value.tv_sec = (uint64_t) (due < end ? due : now + 1e5)
                                  / 1000000;
            its.it_value.tv_nsec = (uint64_t) (due < end ? due : now + 1e5)
                                   % 1000000 * 1000;
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &its, NULL);
        }

        n = epoll_wait(epoll, events, EVENTS, due <= now ? 0 : 200);

        for (i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                (void) !read(timer, &now, sizeof(now));
            } else {
                on_event(events[i].data.ptr, events[i].events);
            }
        }
    }
}


int
main(int argc, char **argv)
{
    double  rate, seconds;

    if (argc < 8) {
        fprintf(stderr, "openload PORT PATH RATE SECONDS NUMBERS DIGITS SLO_MS"
                " [CONNECTIONS [poisson|constant [REPEAT]]]\n");
        return 1;
    }

    port = atoi(argv[1]);
    rate = atof(argv[3]);
    seconds = atof(argv[4]);
    slo_us = (uint64_t) (atof(argv[7]) * 1000);
    connections_max = argc > 8 ? (unsigned) atoi(argv[8]) : connections_max;
    repeat = argc > 10 ? (uint64_t) atoll(argv[10]) : 0;
    first = clock_us(CLOCK_REALTIME) % 1000000000 * 100000;

    if (rate <= 0 || rate > 1e6 || seconds <= 0 || seconds > 120) {
        fprintf(stderr, "rate up to 1e6, up to 120 seconds\n");
        return 1;
    }

    make_template(argv[2], atoi(argv[5]), atoi(argv[6]));
    srand48((long) first);

    epoll = epoll_create1(0);
    if (epoll == -1) {
        fail("epoll_create1");
    }

    run(rate, seconds, argc > 9 && strcmp(argv[9], "constant") == 0);

    printf("{\"asked\": %llu, \"seconds\": %.6f, \"unsent\": %llu, "
           "\"errors\": %llu, \"answers\": %llu, \"late_answers\": %llu, "
           "\"defaults\": %llu, \"late_defaults\": %llu, "
           "\"connections\": %u, \"lag\": %llu, ",
           (unsigned long long) asked, seconds, (unsigned long long) unsent,
           (unsigned long long) errors, (unsigned long long) good,
           (unsigned long long) late_answers, (unsigned long long) defaults,
           (unsigned long long) late_defaults, connections,
           percentile(&lag, 0.99));
    printf("\"p50\": %llu, \"p99\": %llu, \"p999\": %llu, "
           "\"answer_p50\": %llu, \"answer_p99\": %llu, "
           "\"answer_p999\": %llu}\n",
           percentile(&all, 0.5), percentile(&all, 0.99),
           percentile(&all, 0.999), percentile(&answers, 0.5),
           percentile(&answers, 0.99), percentile(&answers, 0.999));

    return 0;
}
