"""nginx.conf of a cluster, and nginx's error lines about it."""

import re
from typing import Any, List, Mapping, Optional

from .address import join
from .exceptions import ClipperException
from .limits import DEFAULT_LIMITS, make_limits, memory_bytes
from .nginxconf import Directive, directive

#: Directories of the fragments in a generation.
PLACES = ("models", "apps")

#: Open files of a process: connections of clients and of containers.
DESCRIPTORS = 8192

#: Answer to a path without an application.
_NOT_FOUND = (
    '{"error":"Not found","cause":"There is no application at this path"}\n'
)

#: Answers to calls of the management API that do not reach its service.
_NO_MANAGEMENT = "The management service is not running\n"
_ELSEWHERE = "The management service answers this host only\n"

#: The format that `clipper_admin.replay` reads, see conf/clipper_log.conf.
_LOG_FORMAT = (
    '{"time":$msec,"app":"$clipper_app","query_id":"$clipper_query_id",'
    '"uid":"$clipper_uid","models":"$clipper_models",'
    '"model":"$clipper_model","propensity":"$clipper_propensity",'
    '"confidence":"$clipper_confidence","outcome":"$clipper_outcome",'
    '"default_reason":"$clipper_default_reason",'
    '"queue_time":"$clipper_queue_time","model_time":"$clipper_model_time",'
    '"batch_size":"$clipper_batch_size","request_time":$request_time}'
)

_NGINX_LINE = re.compile(r"\[(?:emerg|alert|crit|error)\] (?:\d+#\d+: )?(.*)")


def nginx_line(text: str) -> str:
    """The error line in nginx's output."""
    for line in text.splitlines():
        match = _NGINX_LINE.search(line)
        if match:
            return match.group(1)
    return text.strip() or "it gave no reason"


def records_arguments(
    size: Optional[str], time: Optional[str], redis: Optional[str],
    zone_size: Any,
) -> List[str]:
    """The arguments of `clipper_records`; empty: it is left out.

    Args:
        size: of the memory, or None for the default.
        time: how long Redis keeps them, or None.
        redis: where Redis is, or None.
        zone_size: argument of `clipper_zone`.

    Raises:
        ClipperException: a time is given, but no Redis.
    """
    if time and not redis:
        raise ClipperException(
            "records_time is how long Redis keeps queries: it needs a Redis"
        )
    if not size and not time:
        return []
    if not size:
        # nginx's own default; the directive takes 256k to 1024m.
        kilobytes = memory_bytes(zone_size) // 16 >> 10
        size = "%dk" % min(max(kilobytes, 256), 1 << 20)
    return [size] + (["redis=" + time] if time else [])


def _curve(cluster: Mapping[str, Any]) -> List[str]:
    """The keys of the containers' address, if the cluster has any."""
    keys = cluster.get("curve")
    if not keys:
        return []
    return ["curve_key=%s/server/server.key_secret" % keys,
            "curve_clients=%s/clients" % keys]


def _admin(cluster: Mapping[str, Any]) -> List[Directive]:
    """The location of the management API, if the cluster has the service."""
    if not cluster.get("management"):
        return []
    only = cluster.get("management_allow")
    return [
        directive("location", "/admin/", block=[
            directive("proxy_pass", "http://unix:%s" % cluster["management"]),
            # A change returns when all workers use it.
            directive("proxy_read_timeout", "120s"),
            directive("proxy_request_buffering", "on"),
            directive("client_max_body_size", "16m"),
            directive("error_page", "502", "=503", "@no_management"),
            directive("error_page", "403", "@elsewhere"),
        ] + ([directive("allow", one) for one in only]
             + [directive("deny", "all")] if only else [])),
        directive("location", "@no_management", block=[
            directive("return", 503, _NO_MANAGEMENT)
        ]),
        directive("location", "@elsewhere", block=[
            directive("return", 403, _ELSEWHERE)
        ]),
    ]


def _metrics(cluster: Mapping[str, Any]) -> List[Directive]:
    """The locations of the metrics: the server's, or joined with models'."""
    quiet = directive("access_log", "off")
    own = [directive("clipper_metrics"), quiet]
    server = directive("location", "=", "/metrics/server", block=own)
    targets = [] if not cluster.get("targets") else [
        directive("location", "=", "/metrics/targets", block=[
            directive("proxy_pass", "http://unix:%s" % cluster["targets"]),
            quiet,
        ]),
    ]
    if not cluster.get("model_metrics"):
        return [directive("location", "=", "/metrics", block=own), server,
                *targets]
    return [
        server,
        *targets,
        directive("location", "=", "/metrics", block=[
            directive("proxy_pass",
                      "http://unix:%s" % cluster["model_metrics"]),
            directive("proxy_intercept_errors", "on"),
            # Without the service there is still the server's page.
            directive("error_page", "502", "504", "=200", "/metrics/server"),
            quiet,
        ]),
    ]


def nginx_conf(cluster: Mapping[str, Any], place: str) -> List[Directive]:
    """The configuration of a cluster's nginx.

    Args:
        cluster: members of `cluster.json`.
        place: relative path of the fragments' directory.
    """
    listen = cluster["address"]
    http: List[Directive] = [
        directive("log_format", "clipper", "escape=json", _LOG_FORMAT),
        directive("access_log", *cluster.get("access_log") or ["off"]),
        directive("default_type", "application/json"),
        directive("client_body_buffer_size", "256k"),
        directive("client_header_timeout", "%ds" % cluster["header_timeout"]),
        directive("client_body_timeout", "%ds" % cluster["body_timeout"]),
        directive("keepalive_requests", 1000000),
    ]
    http += make_limits({**DEFAULT_LIMITS, **(cluster.get("limits") or {})})
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        http.append(directive(kind + "_temp_path", "tmp/" + kind))
    http.append(directive("clipper_zone", cluster["zone_size"]))
    http += [
        directive("clipper_cache_zone", cluster["cache_size"]),
        directive(
            "clipper_rpc",
            join(listen, cluster["rpc_port"]),
            *["allow=" + one for one in cluster.get("rpc_allow", [])],
            *_curve(cluster)
        ),
    ]
    if cluster.get("query_id_bits"):
        http.append(
            directive("clipper_query_id_bits", cluster["query_id_bits"])
        )
    if cluster.get("redis"):
        http.append(directive("clipper_redis", cluster["redis"]))
    if cluster.get("records"):
        http.append(directive("clipper_records", *cluster["records"]))
    http += [
        directive("include", place + "/generation.conf"),
        directive("include", place + "/models/*.conf"),
        directive(
            "server",
            block=[
                directive("listen", join(listen, cluster["query_port"])),
                directive(
                    "location", "/", block=[
                        directive("return", 404, _NOT_FOUND)
                    ],
                ),
                *_metrics(cluster),
                directive("include", place + "/apps/*.conf"),
            ],
        ),
        directive(
            "server",
            block=[
                directive("listen", join(listen, cluster["management_port"])),
                directive("access_log", "off"),
            ] + [
                directive(
                    "location", "=", "/" + name,
                    block=[directive("clipper_" + name)],
                )
                for name in cluster["operator_locations"]
                if name != "metrics"
            ] + _metrics(cluster) + _admin(cluster),
        ),
    ]
    main = [
        directive("load_module", cluster["module"]),
        directive("daemon", "off"),
        directive("worker_processes", cluster["workers"]),
        directive("pid", "nginx.pid"),
        directive("error_log", cluster["error_log"], "notice"),
        *(
            # For a program that cannot read the first one.
            [directive("error_log", cluster["emergencies"], "emerg")]
            if cluster.get("emergencies")
            else []
        ),
        *(
            [directive("worker_rlimit_nofile", cluster["descriptors"])]
            if cluster.get("descriptors")
            else []
        ),
        directive(
            "events", block=[directive("worker_connections", 4096)]
        ),
        directive("http", block=http),
    ]
    if cluster.get("user"):
        # Only the owner of the cluster's directory can read it.
        main.insert(0, directive("user", cluster["user"]))
    return main
