package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/fakeupstream"
)

// formats compares what a stream of Messages costs the gateway by who answers: an
// Anthropic provider, whose events are relayed, or one of another format.
type formats struct {
	binary  string
	streams int
	at      int
	rounds  int
	tokens  int
	most    float64
}

// formatSides are the providers, the relayed one first.
var formatSides = []struct {
	kind        fakeupstream.Kind
	wire, model string // whose name says what it takes, with some vendors
}{
	{fakeupstream.Anthropic, "anthropic", "m"}, {fakeupstream.OpenAI, "openai_compatible", "m"}, {fakeupstream.DeepSeek, "openai_compatible", "m"},
	{fakeupstream.Gemini, "gemini", "gemini-3-pro"}, {fakeupstream.Ollama, "ollama", "m"}, {fakeupstream.OpenAIResponses, "openai_responses", "m"},
}

// formatScenes are what is asked and answered: the fields of the request beside model,
// limit and stream. The bar is for streams: one that counts the reading and writing anew of
// a long request as well has none.
var formatScenes = []struct {
	name, fields string
	noBar        bool
}{
	{name: "text", fields: `"messages":[{"role":"user","content":"Hello"}]`},
	{name: "tools", fields: `"messages":[{"role":"user","content":"Write the file."}],"tools":[{"name":"write","description":"Writes a file.",` +
		`"input_schema":{"type":"object","properties":{"path":{"type":"string"},"content":{"type":"string"}},"required":["path","content"]}}]`},
	{name: "thinking", fields: `"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"Hello"}]`},
	{name: "history", noBar: true, fields: `"messages":[` + strings.Repeat(`{"role":"user","content":"`+strings.Repeat("What was asked. ", 40)+`"},{"role":"assistant","content":"`+
		strings.Repeat("What was said. ", 80)+`"},`, 100) + `{"role":"user","content":"Hello"}]`},
}

// script answers with two calls whose arguments are as long as an answer when tools
// are offered, and else as any model does.
func (f *formats) script(seen fakeupstream.Seen) fakeupstream.Step {
	if len(seen.Tools) == 0 {
		return fakeupstream.Step{}
	}
	content, err := json.Marshal(fakeupstream.Text("file", f.tokens/2))
	if err != nil {
		return fakeupstream.Step{}
	}
	var calls []fakeupstream.Call
	for _, path := range [...]string{"a.txt", "b.txt"} {
		calls = append(calls, fakeupstream.Call{Name: seen.Tools[0].Name,
			Arguments: fmt.Sprintf(`{"path":%q,"content":%s}`, path, content)})
	}
	return fakeupstream.Step{Say: &fakeupstream.Say{Calls: calls}}
}

func newFormats() *cobra.Command {
	f := &formats{}
	cmd := &cobra.Command{
		Use:   "formats",
		Short: "Compare what a stream of Messages costs relayed and translated",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVar(&f.binary, "gateway", "", "binary of the gateway; built if none is named")
	cmd.Flags().IntVar(&f.streams, "streams", 300, "streams of each provider in a round")
	cmd.Flags().IntVar(&f.at, "at-once", 4, "streams at one time")
	cmd.Flags().IntVar(&f.rounds, "rounds", 5, "rounds, in each of which every provider has its turn")
	cmd.Flags().IntVar(&f.tokens, "tokens", 100, "tokens of an answer")
	cmd.Flags().Float64Var(&f.most, "most", 1.5, "how many times the CPU of a relayed stream a translated one may cost, long histories aside; more is a failure")
	return cmd
}

func (f *formats) run(ctx context.Context, out io.Writer) error {
	folder, err := os.MkdirTemp("", "bench-formats-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	config := &strings.Builder{}
	for i, side := range formatSides {
		server, err := fakeupstream.Start(fakeupstream.Config{Kind: side.kind, Tokens: f.tokens, Script: f.script})
		if err != nil {
			return err
		}
		defer server.Close()
		comma := map[bool]string{true: ",", false: ""}[i > 0]
		quirks := "{}"
		if side.kind == fakeupstream.DeepSeek { // it thinks, and refuses a history that lost its reasoning
			quirks = `{"thinking":true,"reasoning_back":true}`
		}
		fmt.Fprintf(config, `%s%q:{"kind":%q,"env_key":"BENCH_API_KEY","base_url":%q,"default_model":%q,"quirks":%s}`, comma, side.kind, side.wire, server.Base(), side.model, quirks)
	}
	r := &rig{folder: folder, binary: f.binary, sync: "normal"}
	defer r.stop()
	gw, err := r.gatewayWith(ctx, []byte(`{"routing":{"hedge":"off"},"providers":{`+config.String()+`}}`))
	if err != nil {
		return err
	}
	spent := make([][]time.Duration, len(formatScenes))
	for round := range f.rounds + 1 {
		for n, scene := range formatScenes {
			if round == 0 {
				spent[n] = make([]time.Duration, len(formatSides))
			}
			for i, side := range formatSides {
				took, err := f.turn(ctx, gw, side.kind.String()+"/"+side.model, scene.fields)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", scene.name, side.kind, err)
				}
				if round > 0 { // the first warms up
					spent[n][i] += took
				}
			}
		}
	}
	return f.report(out, spent)
}

// report prints what each provider's streams cost. Its error says which cost too much.
func (f *formats) report(out io.Writer, spent [][]time.Duration) error {
	var dear []error
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "stream\tprovider\tevents\tCPU per stream\tof a relayed one")
	for n, scene := range formatScenes {
		for i, side := range formatSides {
			how := "translated"
			if i == 0 {
				how = "relayed"
			}
			ratio := float64(spent[n][i]) / float64(spent[n][0])
			if ratio > f.most && !scene.noBar {
				dear = append(dear, fmt.Errorf("%s: a stream of %s costs %.2f times a relayed one, at most %.2f is wanted", scene.name, side.kind, ratio, f.most))
			}
			each := spent[n][i] / time.Duration(f.rounds*f.streams)
			fmt.Fprintf(table, "%s\t%s\t%s\t%v\t%.2f\n", scene.name, side.kind, how, each.Round(time.Microsecond), ratio)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "A translated stream of text, tools or thinking may cost %.2f times a relayed one. The rows named history have no bar:\n"+
		"beside the stream they count the reading and writing anew of a request of 201 turns (190 KB), which a relay passes on.\n", f.most)
	return errors.Join(dear...)
}

// turn asks for the streams of one provider and gives the processor time that the gateway used.
func (f *formats) turn(ctx context.Context, gw *process, model, fields string) (time.Duration, error) {
	before, err := gw.cpu()
	if err != nil {
		return 0, err
	}
	client := newClient()
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(f.streams))
	var group sync.WaitGroup
	failures := make(chan error, f.at)
	for range f.at {
		group.Go(func() { // ends with the streams
			for left.Add(-1) >= 0 {
				if err := messagesStream(ctx, client, gw.base, model, fields); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return 0, err
	default:
	}
	after, err := gw.cpu()
	return after - before, err
}

// messagesStream reads one stream to its end, which must be a whole one.
func messagesStream(ctx context.Context, client *http.Client, base, model, fields string) error {
	body := fmt.Sprintf(`{"model":%q,"max_tokens":4000,"stream":true,%s}`, model, fields)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/messages", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Api-Key", benchKey)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(said, []byte("event: message_stop")) {
		return errors.New("no whole message: " + resp.Status + " " + string(said[max(0, len(said)-300):]))
	}
	return nil
}
