# nginx with the Clipper module.
#
#   make image                                    builds "clipper-nginx"
#   docker run -p 1337:1337 -v ./clipper.d:/etc/nginx/clipper.d:ro clipper-nginx
#
# Needs no root, no writable file system (--read-only --tmpfs /tmp), and no
# capabilities (--cap-drop ALL).

FROM debian:bookworm-slim AS build

RUN apt-get -q update \
    && DEBIAN_FRONTEND=noninteractive apt-get -q -y \
           --no-install-recommends install \
           gcc libc6-dev make nginx nginx-dev \
           libzmq3-dev libhiredis-dev libjansson-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY Makefile config ngx_http_clipper_module.c ./
COPY .ci .ci
COPY src src
RUN make module install DESTDIR=/out


FROM debian:bookworm-slim

# Keeps the package from starting its service.
RUN printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d \
    && chmod 755 /usr/sbin/policy-rc.d \
    && apt-get -q update \
    && DEBIAN_FRONTEND=noninteractive apt-get -q -y \
           --no-install-recommends install \
           nginx libzmq5 libhiredis0.14 libjansson4 zlib1g \
    && rm -rf /var/lib/apt/lists/* /var/log/nginx /etc/nginx/sites-* \
              /etc/nginx/modules-enabled /var/www/html \
    && groupadd --system --gid 10001 clipper \
    && useradd --system --uid 10001 --gid 10001 --no-create-home \
           --home-dir /nonexistent --shell /usr/sbin/nologin clipper \
    && mkdir -p /etc/nginx/clipper.d/apps

COPY --from=build /out/usr/lib/nginx/modules/ngx_http_clipper_module.so \
     /usr/lib/nginx/modules/
COPY conf/docker/nginx.conf /etc/nginx/nginx.conf
COPY conf/docker/healthcheck /usr/local/bin/clipper-healthcheck

# A module that cannot be loaded must not become an image. Some engines build
# in the network of their host, where others may listen on the ports.
RUN nginx -e stderr -t 2> /tmp/test \
    || grep -qE 'still could not bind|is already in use' /tmp/test \
    || { cat /tmp/test; exit 1; }; \
    rm -rf /tmp/*

USER 10001:10001

# queries, operator (status, metrics, health), model containers
EXPOSE 1337 1338 7000

# QUIT lets requests finish and containers complete their batches.
STOPSIGNAL SIGQUIT

HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["/usr/local/bin/clipper-healthcheck"]

ENTRYPOINT ["/usr/sbin/nginx", "-e", "stderr"]
CMD ["-g", "daemon off;"]
