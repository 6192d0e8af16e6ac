# syntax=docker/dockerfile:1
FROM golang:1.26-alpine AS build
RUN apk add --no-cache ca-certificates && mkdir -p /out/data
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# nomsgpack leaves out a codec of gin that nothing here uses.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -tags nomsgpack -ldflags "-s -w" -o /out/llm-gateway ./cmd/llm-gateway

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/llm-gateway /llm-gateway
# A volume takes its owner from the folder it covers.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /
VOLUME /data
EXPOSE 8090
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/llm-gateway", "healthcheck"]
ENTRYPOINT ["/llm-gateway"]
# In a container loopback is of no use, so the address is all interfaces; without
# GATEWAY_API_KEYS the server refuses to start there.
CMD ["serve", "--addr", "0.0.0.0", "--data-dir", "/data"]
