// Package deps holds dependencies while the rooms are being built.
package deps

import (
	_ "github.com/DataDog/sketches-go/ddsketch"
	_ "github.com/HdrHistogram/hdrhistogram-go"
	_ "github.com/anthropics/anthropic-sdk-go"
	_ "github.com/asynkron/protoactor-go/actor"
	_ "github.com/gin-gonic/gin"
	_ "github.com/go-json-experiment/json"
	_ "github.com/google/uuid"
	_ "github.com/hashicorp/golang-lru/v2/expirable"
	_ "github.com/invopop/jsonschema"
	_ "github.com/joho/godotenv"
	_ "github.com/openai/openai-go/v3"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "github.com/sony/gobreaker/v2"
	_ "github.com/spf13/cobra"
	_ "github.com/tidwall/gjson"
	_ "github.com/tidwall/sjson"
	_ "go.uber.org/goleak"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/time/rate"
	_ "modernc.org/sqlite"
	_ "pgregory.net/rapid"
)
