# Moult in a container: docs/docker.md

FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package needs a script of its own to be installed
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund
COPY . .
RUN node src/dev/prepare.mjs && rm -r node_modules

FROM node:22-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:22-slim
WORKDIR /app
# Docker sets HOSTNAME to the id of the container, unless it is said here
ENV NODE_ENV=production HOSTNAME=0.0.0.0 PORT=3030
# For a key file that is kept in a volume: the one folder that the service's user may write to
RUN install --directory --owner=1000 --group=1000 --mode=0700 /keys
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app ./
# The user node, as the number that Kubernetes' runAsNonRoot asks for. The app is root's: it can't change itself
USER 1000
EXPOSE 3030
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node itself, which gets the SIGTERM and stops as it should
CMD ["node", "--enable-source-maps", "lib/index.js"]
