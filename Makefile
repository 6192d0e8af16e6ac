.PHONY: check dev bench

# Everything a reviewer runs.
check:
	.ci/run

# The gateway with simulated providers and no keys.
dev:
	go run ./cmd/llm-gateway demo

# One table: the gateway beside a bare handler that copies the same call.
bench:
	go run ./bench compare
