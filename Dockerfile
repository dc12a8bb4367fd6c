# One image for gateway and bridge; which one is the first argument:
#   docker build -t causeway .
#   docker run -v ./gateway.yaml:/etc/causeway.yaml causeway gateway --config /etc/causeway.yaml
#   docker run -v ./bridge.yaml:/etc/causeway.yaml causeway bridge --config /etc/causeway.yaml
# Never built: its authors had no Docker engine.

FROM node:26-slim AS install
WORKDIR /causeway
# The tree is copied before the install: Node runs TypeScript through workspace links, not below node_modules.
COPY package.json package-lock.json .npmrc ./
COPY packages packages
RUN npm ci --omit=dev

FROM node:26-slim
WORKDIR /causeway
ENV NODE_ENV=production
COPY --from=install /causeway /causeway
COPY LICENSE README.md ./
COPY --chmod=0755 docker-entrypoint.sh /usr/local/bin/causeway
USER node
ENTRYPOINT ["causeway"]
