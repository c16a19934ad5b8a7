
/*
 * Deltas on their way to Redis: write-behind.
 *
 * Shortly after the first change all dirty states, of any worker, are sent,
 * some at a time.  The script ignores a number that it has already seen from
 * this source, so an update with an unknown fate is sent again with the same
 * number and counts once.
 */


#include "query/ngx_http_clipper_state.h"
#include "query/ngx_http_clipper_state_flow.h"
#include "shm/clipper_state_table_delta.h"
#include "learn/clipper_policy_table.h"
#include "query/ngx_http_clipper_state_flush.h"
#include "query/ngx_http_clipper_state_text.h"
#include "query/ngx_http_clipper_state_id.h"
#include "query/ngx_http_clipper_state_time.h"


#define NGX_HTTP_CLIPPER_STATE_PAUSE   20       /* ms, to collect more */
#define NGX_HTTP_CLIPPER_STATE_RETRY   1000     /* ms, after an error */
#define NGX_HTTP_CLIPPER_STATE_WINDOW  64       /* updates in progress */
#define NGX_HTTP_CLIPPER_STATE_LAST    500      /* ms, when the worker exits */
#define NGX_HTTP_CLIPPER_STATE_KEEP    20       /* half-lives: 1e-6 is left */


typedef struct {
    ngx_http_clipper_redis_call_t   call;
    uint32_t                        row;
    uint32_t                        n;
    uint32_t                        nfields;
    uint32_t                        evaled;     /* with the script's text */
    uint64_t                        id[2];
    uint64_t                        seq;
    uint64_t                        key[];
} ngx_http_clipper_state_sent_t;


static void ngx_http_clipper_state_flush_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_clipper_state_flush_send(clipper_state_update_t *u);
static void ngx_http_clipper_state_flush_args(
    ngx_http_clipper_state_args_t *args, clipper_state_update_t *u);
static void ngx_http_clipper_state_flush_answered(
    ngx_http_clipper_redis_call_t *call, redisReply *reply);
static ngx_int_t ngx_http_clipper_state_flush_settle(
    ngx_http_clipper_state_sent_t *sent, redisReply *reply);


/*
 * KEYS: the hash.  ARGV: source, number, age of t0, lambda, u0, mu, v, the
 * half-lives that the hash is kept for (0: for ever), the sender's wall clock,
 * then member fields and their deltas.  The arithmetic is that of
 * clipper_policy_state_add: clocks move before exponents grow large, and when a
 * half-life changes; and that of clipper_policy_state_here if the clock was
 * ahead.  Returns the time, the clocks, the time of the last delta, the number
 * of the source's last delta, and the values of the fields.
 */

static char  ngx_http_clipper_state_script[] =
    "local key, source, seq = KEYS[1], ARGV[1], ARGV[2]\n"
    "local age, lambda = tonumber(ARGV[3]), tonumber(ARGV[4])\n"
    "local u, mu = tonumber(ARGV[5]), tonumber(ARGV[6])\n"
    "local function text(x) return string.format('%.17g', x) end\n"
    "local function clock()\n"
    "  if redis.REDIS_VERSION or redis.replicate_commands\n"
    "                            and redis.replicate_commands() then\n"
    "    local time = redis.pcall('TIME')\n"
    "    if time[1] then return time[1] + time[2] / 1000000 end\n"
    "  end\n"
    "  return tonumber(ARGV[9])\n"
    "end\n"
    "local now = clock()\n"
    "local t = now - age\n"
    "local head = redis.call('HMGET', key, 't0', 'lambda', 'u0', 'mu', 'v',\n"
    "                        'n', source, 't1')\n"
    "local t0 = tonumber(head[1] or 0)\n"
    "local lambda0 = tonumber(head[2] or 0)\n"
    "local u0 = tonumber(head[3] or 0)\n"
    "local mu0 = tonumber(head[4] or 0)\n"
    "local v = tonumber(head[5] or 0)\n"
    "local n = tonumber(head[6] or 0) + 1\n"
    "local last = head[7] and string.match(head[7], '^%d+') or '0'\n"
    "local t1 = tonumber(head[8] or 0)\n"
    "local fields = {}\n"
    "for i = 10, #ARGV, 2 do fields[#fields + 1] = ARGV[i] end\n"
    "local function values()\n"
    "  return redis.call('HMGET', key, unpack(fields))\n"
    "end\n"
    "local sums = values()\n"
    "if tonumber(seq) > tonumber(last) then\n"
    "  last = seq\n"
    "  local ahead = math.max(t0, t1) - now\n"
    "  if ahead > 60 then t0 = math.max(t0 - ahead, 0) end\n"
    "  t1 = now\n"
    "  local scale = 1\n"
    "  if mu0 ~= mu then\n"
    "    local growth = 1\n"
    "    if mu0 > 0 then growth = math.exp(-u0) + mu0 * v end\n"
    "    u0, v, scale = u0 + math.log(growth), v / growth, 1 / growth\n"
    "    if mu > 0 then v = (1 - math.exp(-u0)) / mu end\n"
    "    mu0 = mu\n"
    "  end\n"
    "  if u - u0 > 64 then\n"
    "    local factor = math.exp(u0 - u)\n"
    "    u0, v, scale = u, v * factor, scale * factor\n"
    "  end\n"
    "  v = v + tonumber(ARGV[7]) * math.exp(u - u0)\n"
    "  age = t - t0\n"
    "  local moves = lambda * age > 64\n"
    "  if lambda0 ~= lambda then moves = age > 0 end\n"
    "  if moves then\n"
    "    scale = scale * math.exp(-lambda0 * age)\n"
    "    t0, age = t, 0\n"
    "  end\n"
    "  if scale ~= 1 then\n"
    "    local all = redis.call('HGETALL', key)\n"
    "    for i = 1, #all, 2 do\n"
    "      if string.find(all[i], '/', 1, true) then\n"
    "        redis.call('HSET', key, all[i],\n"
    "                   text(tonumber(all[i + 1]) * scale))\n"
    "      end\n"
    "    end\n"
    "    sums = values()\n"
    "  end\n"
    "  lambda0 = lambda\n"
    "  local factor = math.exp(lambda * age + u - u0)\n"
    "  local set = { 't0', text(t0), 'lambda', text(lambda), 'u0', text(u0),\n"
    "                'mu', text(mu), 'v', text(v), 't1', text(t1),\n"
    "                'n', string.format('%.0f', n),\n"
    "                source, seq .. string.format(' %.0f', n) }\n"
    "  for i = 1, #fields do\n"
    "    local delta = tonumber(ARGV[9 + 2 * i])\n"
    "    if delta ~= 0 then\n"
    "      sums[i] = text(tonumber(sums[i] or 0) + delta * factor)\n"
    "      set[#set + 1] = fields[i]\n"
    "      set[#set + 1] = sums[i]\n"
    "    end\n"
    "  end\n"
    "  redis.call('HMSET', key, unpack(set))\n"
    "  local keep = tonumber(ARGV[8])\n"
    "  if keep > 0 and lambda > 0 then\n"
    "    redis.call('EXPIRE', key, math.ceil(keep * math.log(2) / lambda))\n"
    "  elseif keep > 0 then\n"
    "    redis.call('PERSIST', key)\n"
    "  end\n"
    "  if not head[7] then\n"
    "    local count, oldest, first = 0, nil, nil\n"
    "    local all = redis.call('HGETALL', key)\n"
    "    for i = 1, #all, 2 do\n"
    "      if string.sub(all[i], 1, 1) == '@' then\n"
    "        local at = tonumber(string.match(all[i + 1], '%d+$'))\n"
    "        count = count + 1\n"
    "        if not first or at < first then\n"
    "          oldest, first = all[i], at\n"
    "        end\n"
    "      end\n"
    "    end\n"
    "    if count > 16 then redis.call('HDEL', key, oldest) end\n"
    "  end\n"
    "end\n"
    "local result = { text(now), text(t0), text(lambda0), text(u0),\n"
    "                 text(mu0), text(v), text(t1), last }\n"
    "for i = 1, #fields do result[8 + i] = sums[i] end\n"
    "return result\n";


static u_char            ngx_http_clipper_state_script_sha1[40];
static ngx_uint_t        ngx_http_clipper_state_script_known;
static ngx_uint_t        ngx_http_clipper_state_under_way;
static ngx_event_t       ngx_http_clipper_state_flush_event;
static ngx_connection_t  ngx_http_clipper_state_flush_dummy;


ngx_int_t
ngx_http_clipper_state_flush_init(ngx_log_t *log)
{
    u_char      hash[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, ngx_http_clipper_state_script,
                    sizeof(ngx_http_clipper_state_script) - 1);
    ngx_sha1_final(hash, &sha1);
    (void) ngx_hex_dump(ngx_http_clipper_state_script_sha1, hash,
                        sizeof(hash));

    ngx_http_clipper_state_under_way = 0;
    ngx_http_clipper_state_flush_dummy.fd = (ngx_socket_t) -1;
    ngx_http_clipper_state_flush_event.handler =
                                          ngx_http_clipper_state_flush_timer;
    ngx_http_clipper_state_flush_event.data =
                                         &ngx_http_clipper_state_flush_dummy;
    ngx_http_clipper_state_flush_event.log = log;

    return NGX_OK;
}


ngx_uint_t
ngx_http_clipper_state_flush_done(void)
{
    uint64_t    end_us, now_us;
    ngx_uint_t  i, left;

    now_us = clipper_clock_us();
    end_us = now_us + NGX_HTTP_CLIPPER_STATE_LAST * 1000;

    /*
     * twice: the second pass sends what was added while a row was in progress,
     * or by the replies to claims of records
     */

    for (i = 0; i < 2; i++) {
        ngx_http_clipper_state_flush_now();

        while (ngx_http_clipper_redis_pending() && now_us < end_us
               && ngx_http_clipper_redis_wait((end_us - now_us) / 1000 + 1))
        {
            now_us = clipper_clock_us();
        }
    }

    left = ngx_http_clipper_state_under_way;

    ngx_http_clipper_redis_done();

    if (ngx_http_clipper_state_flush_event.timer_set) {
        ngx_del_timer(&ngx_http_clipper_state_flush_event);
    }

    return left;
}


/* no timer without a connection: it is flushed when the connection is up */

void
ngx_http_clipper_state_flush_later(void)
{
    if (ngx_http_clipper_redis_up()
        && !ngx_http_clipper_state_flush_event.timer_set)
    {
        ngx_add_timer(&ngx_http_clipper_state_flush_event,
                      NGX_HTTP_CLIPPER_STATE_PAUSE);
    }
}


static void
ngx_http_clipper_state_flush_timer(ngx_event_t *ev)
{
    ngx_http_clipper_state_flush_now();
}


void
ngx_http_clipper_state_flush_now(void)
{
    static clipper_state_update_t  update;

    clipper_state_table_t  *table;

    table = &ngx_http_clipper_state_flow.table;

    while (ngx_http_clipper_redis_up()
           && ngx_http_clipper_state_under_way
              < NGX_HTTP_CLIPPER_STATE_WINDOW
           && clipper_state_table_delta_take(table, &update) == NGX_OK)
    {
        if (ngx_http_clipper_state_flush_send(&update) != NGX_OK) {
            clipper_state_table_delta_settle(table, update.row, update.id,
                                             update.seq, NULL, 0);
            ngx_http_clipper_state_flush_later();
            return;
        }
    }
}


static ngx_int_t
ngx_http_clipper_state_flush_send(clipper_state_update_t *u)
{
    ngx_int_t                       rc;
    ngx_http_clipper_state_args_t   args;
    ngx_http_clipper_state_sent_t  *sent;

    sent = ngx_alloc(sizeof(ngx_http_clipper_state_sent_t)
                     + u->n * sizeof(uint64_t),
                     ngx_http_clipper_state_flow.log);
    if (sent == NULL) {
        return NGX_ERROR;
    }

    sent->call.handler = ngx_http_clipper_state_flush_answered;
    sent->row = u->row;
    sent->n = u->n;
    sent->nfields = u->nfields;
    sent->evaled = !ngx_http_clipper_state_script_known;
    sent->id[0] = u->id[0];
    sent->id[1] = u->id[1];
    sent->seq = u->seq;
    ngx_memcpy(sent->key, u->key, u->n * sizeof(uint64_t));

    ngx_memzero(&args, sizeof(ngx_http_clipper_state_args_t));
    ngx_http_clipper_state_flush_args(&args, u);

    if (ngx_http_clipper_state_text_args_make(&args) != NGX_OK) {
        ngx_free(sent);
        return NGX_ERROR;
    }

    ngx_http_clipper_state_flush_args(&args, u);

    rc = ngx_http_clipper_redis_command(&sent->call, args.argc, args.argv,
                                        args.len);
    ngx_free(args.argv);

    if (rc != NGX_OK) {
        ngx_free(sent);
        return NGX_ERROR;
    }

    ngx_http_clipper_state_under_way++;

    return NGX_OK;
}


static void
ngx_http_clipper_state_flush_args(ngx_http_clipper_state_args_t *args,
    clipper_state_update_t *u)
{
    uint32_t                 i, k;
    ngx_str_t                uid;
    const clipper_policy_t  *policy;

    policy = clipper_policy_table_get(u->policy);
    uid.data = u->uid;
    uid.len = u->uid_len;

    if (ngx_http_clipper_state_script_known) {
        ngx_http_clipper_state_text_arg(args, "EVALSHA", 7);
        ngx_http_clipper_state_text_arg(args,
                                        ngx_http_clipper_state_script_sha1,
                                 sizeof(ngx_http_clipper_state_script_sha1));
    } else {
        ngx_http_clipper_state_text_arg(args, "EVAL", 4);
        ngx_http_clipper_state_text_arg(args, ngx_http_clipper_state_script,
                                    sizeof(ngx_http_clipper_state_script) - 1);
    }

    ngx_http_clipper_state_text_arg(args, "1", 1);
    ngx_http_clipper_state_text_arg_key(args, u->kind, &u->owner, &uid);

    ngx_http_clipper_state_text_arg(args, ngx_http_clipper_state_flow.source,
                                    NGX_HTTP_CLIPPER_STATE_SOURCE_LEN);
    ngx_http_clipper_state_text_arg_number(args, (double) u->seq);

    ngx_http_clipper_state_text_arg_number(args, clipper_clock_boot()
                                                 - u->head[CLIPPER_POLICY_T0]);

    for (i = CLIPPER_POLICY_T0 + 1; i < CLIPPER_POLICY_ROWS; i++) {
        ngx_http_clipper_state_text_arg_number(args, u->head[i]);
    }

    ngx_http_clipper_state_text_arg_number(args,
                                           u->kind == CLIPPER_STATE_APP
                                           ? 0 : NGX_HTTP_CLIPPER_STATE_KEEP);
    ngx_http_clipper_state_text_arg_number(args, clipper_clock_wall());

    for (i = 0; i < u->n; i++) {
        for (k = 0; k < u->nfields; k++) {
            ngx_http_clipper_state_text_arg_field(args, &u->name[i],
                                                  policy->fields[k]);
            ngx_http_clipper_state_text_arg_number(args,
                                                   u->rows[i * u->nfields + k]);
        }
    }
}


static void
ngx_http_clipper_state_flush_answered(ngx_http_clipper_redis_call_t *call,
    redisReply *reply)
{
    ngx_int_t                       rc;
    ngx_uint_t                      full;
    ngx_http_clipper_state_sent_t  *sent;

    sent = (ngx_http_clipper_state_sent_t *) call;

    full = (ngx_http_clipper_state_under_way
            == NGX_HTTP_CLIPPER_STATE_WINDOW);
    ngx_http_clipper_state_under_way--;

    rc = ngx_http_clipper_state_flush_settle(sent, reply);

    ngx_free(sent);

    if (reply == NULL && ngx_http_clipper_process.retiring) {
        ngx_http_clipper_state_hand_over();
        return;
    }

    if (rc == NGX_ERROR) {

        /* retries, but not as fast as Redis can refuse it */

        if (!ngx_http_clipper_state_flush_event.timer_set) {
            ngx_add_timer(&ngx_http_clipper_state_flush_event,
                          NGX_HTTP_CLIPPER_STATE_RETRY);
        }

        return;
    }

    if (full && rc == NGX_OK) {
        ngx_http_clipper_state_flush_now();

    } else if (clipper_state_table_delta_waiting(
                   &ngx_http_clipper_state_flow.table))
    {
        ngx_http_clipper_state_flush_later();
    }
}


/* NGX_OK: it is in Redis; NGX_AGAIN: not yet; NGX_ERROR: not now */

static ngx_int_t
ngx_http_clipper_state_flush_settle(ngx_http_clipper_state_sent_t *sent,
    redisReply *reply)
{
    double                           rows[CLIPPER_STATE_CELLS
                                          * CLIPPER_STATE_FIELDS];
    double                 now;
    ngx_int_t              rc;
    clipper_state_reply_t  parsed, *arrived;

    arrived = NULL;
    rc = NGX_AGAIN;

    if (reply == NULL) {
        ngx_http_clipper_state_script_known = 0;

    } else if (reply->type == REDIS_REPLY_ERROR
               && ngx_strncmp(reply->str, "NOSCRIPT", 8) == 0)
    {
        ngx_http_clipper_state_script_known = 0;

    } else if (ngx_http_clipper_state_text_parse(reply, 1, &parsed,
                                                 sent->n * sent->nfields, rows)
               != NGX_OK
               || ngx_http_clipper_state_text_number(reply->element[0], &now)
                  != NGX_OK)
    {
        ngx_http_clipper_state_text_error("an update", reply);
        rc = NGX_ERROR;

        /* after a script, the words are inside the text of its error */

        if (reply->type == REDIS_REPLY_ERROR
            && ngx_strstr(reply->str, "READONLY"))
        {
            ngx_http_clipper_redis_refused();
        }

    } else {
        ngx_http_clipper_state_time_told(now);
        ngx_http_clipper_state_time_convert(&parsed);

        parsed.n = sent->n;
        parsed.key = sent->key;
        arrived = &parsed;
        rc = NGX_OK;

        ngx_http_clipper_state_script_known |= sent->evaled;
    }

    clipper_state_table_delta_settle(&ngx_http_clipper_state_flow.table,
                                     sent->row, sent->id, sent->seq, arrived,
                                     clipper_clock_us());

    return rc;
}
