# One image for all programs; the first argument says which:
#   docker build --build-arg COMMIT=$(git rev-parse --short=12 HEAD) -t causeway .
#   docker run -v ./gateway.yaml:/etc/causeway/gateway.yaml causeway gateway --config /etc/causeway/gateway.yaml
#   docker run -v ./bridge.yaml:/etc/causeway/bridge.yaml causeway bridge --config /etc/causeway/bridge.yaml
# It needs no capability, no writable file system and no user of its own: --read-only --cap-drop=all --user ANY work.
# npm run image builds and runs it (docs/releasing.md).

FROM node:26-slim AS build
WORKDIR /source
# The whole workspace: package-lock.json fits no part of it.
COPY package.json package-lock.json .npmrc ./
COPY packages packages
RUN npm ci --omit=dev
COPY bin bin
COPY config config
COPY deploy/release deploy/release
COPY CHANGELOG.md LICENSE README.md ./
ARG COMMIT=unknown
# deploy/release/contents.ts says which files and libraries the image has, Node.js included. Node.js needs libatomic.
RUN node --disable-warning=ExperimentalWarning deploy/release/assemble.ts --commit "$COMMIT" /causeway \
  && cp --dereference /usr/lib/*-linux-gnu/libatomic.so.1 /usr/local/lib/libatomic.so.1 \
  && install --directory --owner=1000 --group=1000 /causeway/cache
# Compiled code of all programs, which halves the processor time of a start. Node.js keeps it for each user id: this one's is that
# of the image. Other users start without.
USER 1000:1000
RUN NODE_COMPILE_CACHE=/causeway/cache deploy/release/warm-cache.sh /causeway

# Not node:26-slim, of which npm and its 1,700 files would remain. Not distroless either: operators need a shell beside the process, and
# hooks of Kubernetes may need sleep.
FROM debian:trixie-slim
LABEL org.opencontainers.image.title="Causeway" \
  org.opencontainers.image.description="One hostname for the Kafka REST API over several regions, which keeps working when a region dies." \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.base.name="docker.io/library/debian:trixie-slim"
COPY --from=build /usr/local/lib/libatomic.so.1 /usr/lib/libatomic.so.1
COPY --from=build --chown=0:0 /causeway /causeway
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="$COMMIT"
ENV NODE_ENV=production NODE_COMPILE_CACHE=/causeway/cache PATH=/causeway/bin:$PATH
WORKDIR /causeway
USER 1000:1000
# Clients; admin API of gateways and management port of bridges, by convention.
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
# For Docker; Kubernetes has probes of its own. CAUSEWAY_HEALTH_URL names another port or https.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["causeway", "healthy"]
ENTRYPOINT ["causeway"]
