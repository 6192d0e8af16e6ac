package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"
)

// Each of many streams at once must carry its own bytes, whole, and leave nothing behind.
func TestManyStreamsAtOnceAreByteExact(t *testing.T) {
	streams := 1000
	if testing.Short() {
		streams = 100
	}
	before := runtime.NumGoroutine()
	func() {
		u := newUpstream(t, func(_ *upstream, w http.ResponseWriter, r *http.Request, prompt string) {
			begin(w, chunk(roleChunk, "null"))
			for _, piece := range pieces(prompt) {
				io.WriteString(w, contentChunk(piece))
				http.NewResponseController(w).Flush()
				time.Sleep(time.Millisecond)
			}
			io.WriteString(w, chunk("{}", `"stop"`)+usageChunk+"data: [DONE]\n\n")
		})
		base, stop := startGateway(t, configFile(t, entry{name: "only", url: u.URL, price: 1}), nil)
		client := newClient(t)
		var all sync.WaitGroup
		for i := range streams {
			all.Go(func() {
				prompt := fmt.Sprintf("stream %d", i)
				got, err := readText(t.Context(), client, base, prompt)
				if want := strings.Join(pieces(prompt), ""); err != nil || got != want {
					t.Errorf("%s: %v\n got %q\nwant %q", prompt, err, got, want)
				}
			})
		}
		all.Wait()
		client.CloseIdleConnections()
		stop()
		u.Server.Close()
	}()
	backToStart(t, before)
}

// backToStart waits for the goroutines to come back to their number at the start.
func backToStart(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); runtime.NumGoroutine() > before+2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			var stacks bytes.Buffer
			pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Fatalf("%d goroutines, %d at the start\n%.6000s", runtime.NumGoroutine(), before, stacks.String())
		}
	}
}

// pieces are the parts of the answer to a prompt: always the same for the same
// prompt, with everything in them that an encoder could get wrong.
func pieces(prompt string) []string {
	sum := fnv.New64a()
	io.WriteString(sum, prompt)
	random := rand.New(rand.NewPCG(sum.Sum64(), 1))
	alphabet := []string{"a", " ", "\n", "\\", `"`, "é", "日本", "😀", "\u2028", "<&>", "\t", "data: ", "\u0000", "[DONE]"}
	out := make([]string, 5+random.IntN(40))
	for i := range out {
		out[i] = prompt[:1]
		for range random.IntN(8) {
			out[i] += alphabet[random.IntN(len(alphabet))]
		}
	}
	return out
}

// readText streams one answer and gives its text; a stream without [DONE] is an error.
func readText(ctx context.Context, client *http.Client, base, prompt string) (string, error) {
	body, err := json.Marshal(map[string]any{
		"model": "auto", "stream": true, "messages": []map[string]string{{"role": "user", "content": prompt}},
	})
	if err != nil {
		return "", err
	}
	res, err := post(ctx, client, base, string(body))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return "", fmt.Errorf("%s: %s", res.Status, text)
	}
	return foldText(res.Body)
}

// errInBand is an error that came inside a stream.
type errInBand struct{ text string }

func (e errInBand) Error() string { return "error in the stream: " + e.text }

func foldText(stream io.Reader) (string, error) {
	var text strings.Builder
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, isData := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !isData {
			continue
		}
		if bytes.Equal(data, []byte("[DONE]")) {
			return text.String(), nil
		}
		var c struct {
			Error   json.RawMessage
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal(data, &c); err != nil {
			return text.String(), fmt.Errorf("chunk %q: %w", data, err)
		}
		if c.Error != nil {
			return text.String(), errInBand{string(c.Error)}
		}
		for _, ch := range c.Choices {
			text.WriteString(ch.Delta.Content)
		}
	}
	return text.String(), errors.Join(errors.New("no [DONE]"), lines.Err())
}
