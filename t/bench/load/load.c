
/*
 * A load generator for the benchmarks: one thread, any number of kept
 * connections, one request at a time on each.  Every request differs from
 * every other one by a counter in its first number, so that no answer comes
 * from a cache.
 *
 *     load PORT PATH CONNECTIONS SECONDS NUMBERS DIGITS
 *
 * NUMBERS is the length of the input and DIGITS how many of each number follow
 * the point.  Prints one JSON object: requests answered, seconds, defaults,
 * errors (status or a closed connection), and latencies in microseconds.
 */


#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define EVENTS    256
#define BUFFER    16384
#define COUNTER   15             /* digits of the counter */
#define LATENCY   (1 << 21)      /* microseconds that are told apart */


typedef struct {
    int        fd;
    char      *request;          /* its own copy: the counter is in it */
    size_t     sent;
    char       response[BUFFER];
    size_t     received;
    uint64_t   start_us;
} connection_t;


typedef struct {
    uint64_t   requests;
    uint64_t   defaults;
    uint64_t   errors;
    uint64_t   latency[LATENCY];
} totals_t;


static totals_t  totals;
static char     *template;
static size_t    template_len;
static size_t    counter_at;
static uint64_t  counter;
static int       epoll;


static uint64_t
now_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void
make_template(const char *path, int numbers, int digits)
{
    int     i;
    char   *body, *p;
    size_t  size, len;

    size = 64 + (size_t) numbers * (digits + 8) + COUNTER;
    body = malloc(size);
    template = malloc(size + 256);

    if (body == NULL || template == NULL) {
        exit(1);
    }

    p = body + sprintf(body, "{\"input\":[1.%0*d", COUNTER, 0);

    for (i = 1; i < numbers; i++) {
        /* as a division leaves it: all digits in use */
        p += sprintf(p, ",%.*f", digits, (i * 7919 % 1000) / 997.0);
    }

    p += sprintf(p, "]}");
    len = p - body;

    template_len = sprintf(template, "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                           "Content-Length: %zu\r\n\r\n", path, len);
    counter_at = template_len + sizeof("{\"input\":[1.") - 1;
    memcpy(template + template_len, body, len);
    template_len += len;

    free(body);
}


static void
watch(connection_t *c, int op, uint32_t events)
{
    struct epoll_event  ee;

    ee.events = events;
    ee.data.ptr = c;

    if (epoll_ctl(epoll, op, c->fd, &ee) == -1) {
        perror("epoll_ctl");
        exit(1);
    }
}


static void
send_rest(connection_t *c)
{
    ssize_t  n;

    n = send(c->fd, c->request + c->sent, template_len - c->sent,
             MSG_NOSIGNAL|MSG_DONTWAIT);

    if (n > 0) {
        c->sent += n;
    }

    if (c->sent < template_len) {
        watch(c, EPOLL_CTL_MOD, EPOLLIN|EPOLLOUT);
    }
}


static void
start_request(connection_t *c)
{
    char  digits[COUNTER + 1];

    snprintf(digits, sizeof(digits), "%0*llu", COUNTER,
             (unsigned long long) ++counter);
    memcpy(c->request + counter_at, digits, COUNTER);

    c->sent = 0;
    c->received = 0;
    c->start_us = now_us();
    send_rest(c);
}


static void
open_connection(connection_t *c, int port)
{
    int                 one = 1;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        perror("connect");
        exit(1);
    }

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
}


/* 1: the response is complete and was counted */

static int
parse_response(connection_t *c)
{
    char      *end, *length;
    size_t     total;
    uint64_t   us;

    c->response[c->received] = '\0';

    end = strstr(c->response, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }

    length = strcasestr(c->response, "\r\ncontent-length:");
    if (length == NULL || length > end) {
        fprintf(stderr, "no length in: %s\n", c->response);
        exit(1);
    }

    total = end + 4 - c->response + strtoul(length + 17, NULL, 10);

    if (c->received < total) {
        return 0;
    }

    us = now_us() - c->start_us;
    totals.latency[us < LATENCY ? us : LATENCY - 1]++;
    totals.requests++;
    totals.errors += strncmp(c->response, "HTTP/1.1 200", 12) != 0;
    totals.defaults += strstr(end, "\"default\":true") != NULL;

    return 1;
}


static void
on_event(connection_t *c, uint32_t events, int port, int more)
{
    ssize_t  n;

    if ((events & EPOLLOUT) && c->sent < template_len) {
        send_rest(c);
        if (c->sent == template_len) {
            watch(c, EPOLL_CTL_MOD, EPOLLIN);
        }
    }

    if (!(events & (EPOLLIN|EPOLLHUP|EPOLLERR))) {
        return;
    }

    n = recv(c->fd, c->response + c->received, BUFFER - 1 - c->received,
             MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        totals.errors++;
        close(c->fd);
        open_connection(c, port);
        start_request(c);
        return;
    }

    c->received += n;

    if (parse_response(c) && more) {
        start_request(c);
    }
}


static uint64_t
percentile(double fraction)
{
    uint64_t  i, sum, rank;

    sum = 0;
    rank = (uint64_t) (fraction * totals.requests);

    for (i = 0; i < LATENCY; i++) {
        sum += totals.latency[i];
        if (sum > rank) {
            return i;
        }
    }

    return 0;
}


int
main(int argc, char **argv)
{
    int                  i, n, port, connections;
    double               seconds;
    uint64_t             start, end, now;
    connection_t        *all, *c;
    struct epoll_event   events[EVENTS];

    if (argc != 7) {
        fprintf(stderr, "load PORT PATH CONNECTIONS SECONDS NUMBERS DIGITS\n");
        return 1;
    }

    port = atoi(argv[1]);
    connections = atoi(argv[3]);
    seconds = atof(argv[4]);
    make_template(argv[2], atoi(argv[5]), atoi(argv[6]));

    epoll = epoll_create1(0);
    all = calloc(connections, sizeof(connection_t));

    if (epoll == -1 || all == NULL) {
        return 1;
    }

    /* other runs against the same server start elsewhere */
    counter = now_us() % 100000000 * 1000000;
    start = now_us();
    end = start + (uint64_t) (seconds * 1e6);

    for (i = 0; i < connections; i++) {
        c = &all[i];
        c->request = malloc(template_len);
        if (c->request == NULL) {
            return 1;
        }
        memcpy(c->request, template, template_len);
        open_connection(c, port);
        start_request(c);
    }

    do {
        n = epoll_wait(epoll, events, EVENTS, 100);
        now = now_us();

        for (i = 0; i < n; i++) {
            on_event(events[i].data.ptr, events[i].events, port, now < end);
        }

    } while (now < end);

    printf("{\"requests\": %llu, \"seconds\": %.6f, \"defaults\": %llu, "
           "\"errors\": %llu, \"p50\": %llu, \"p90\": %llu, \"p99\": %llu, "
           "\"p999\": %llu}\n",
           (unsigned long long) totals.requests, (now - start) / 1e6,
           (unsigned long long) totals.defaults,
           (unsigned long long) totals.errors,
           (unsigned long long) percentile(0.5),
           (unsigned long long) percentile(0.9),
           (unsigned long long) percentile(0.99),
           (unsigned long long) percentile(0.999));

    return 0;
}
