package grammar

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// clients are those whose conversations were recorded.
var clients = map[string]recordedClient{
	"chat":      {check: checkChat, answered: chatAnswered},
	"messages":  {check: checkMessages, answered: messagesAnswered},
	"responses": {check: checkResponses, answered: responsesAnswered},
}

// recordedClient is one format's way to read a stream, and to answer calls of tools.
type recordedClient struct {
	check func(stream string) (Ending, []Call, error)
	// answered are the calls of a conversation that have results, by their ids.
	answered func(body []byte) ([]string, error)
}

// kinds are the providers that conversations were recorded with.
var kinds = []string{"anthropic", "deepseek", "gemini", "ollama", "openai", "openai_responses"}

// Every stream of the recorded conversations keeps to its grammar, the next request brings
// the results of its calls, and cut at any event it is not whole.
func TestRecordedConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.txtar")
	if err != nil || len(files) != len(clients)*len(kinds) {
		t.Fatalf("%d files, %v; want one for each client and kind of provider", len(files), err)
	}
	conversations, streams, cuts := 0, 0, 0
	for name, client := range clients {
		for _, kind := range kinds {
			for scene, turns := range conversationsOf(t, "testdata/recorded/"+name+"."+kind+".txtar") {
				at := fmt.Sprintf("%s.%s, %s", name, kind, scene)
				conversations++
				for i, turn := range turns {
					if turn.status != "200 OK" {
						continue // an error is no stream
					}
					ending, calls, err := client.check(turn.stream)
					if err != nil || ending == Cut || ending == Failed && i < len(turns)-1 {
						t.Errorf("%s, turn %d: it ends %q, %v", at, i+1, ending, err)
						continue
					}
					streams++
					cuts += cutEverywhere(t, at, client, turn.stream)
					if i == len(turns)-1 {
						continue
					}
					results, err := client.answered(turns[i+1].request)
					if err != nil || len(calls) == 0 {
						t.Errorf("%s, turn %d: %d calls, %v", at, i+1, len(calls), err)
					}
					for _, c := range calls {
						if !slices.Contains(results, c.ID) {
							t.Errorf("%s, turn %d: no result of %s in the next request", at, i+1, c.ID)
						}
					}
				}
			}
		}
	}
	t.Logf("%d recorded conversations with tools, %d streams, cut at %d events", conversations, streams, cuts)
	if conversations < 200 {
		t.Errorf("%d conversations are too few", conversations)
	}
}

// cutEverywhere wants no beginning of a stream to be taken for whole, or for one that failed.
func cutEverywhere(t *testing.T, at string, client recordedClient, stream string) (cuts int) {
	t.Helper()
	for end := 0; end < len(stream); cuts++ {
		ending, _, err := client.check(stream[:end])
		if err != nil || ending != Cut {
			t.Errorf("%s: cut at %d of %d bytes it ends %q, %v", at, end, len(stream), ending, err)
			return cuts
		}
		next := strings.Index(stream[end:], "\n\n")
		if next < 0 {
			t.Errorf("%s: no empty line at the end", at)
			return cuts
		}
		end += next + 2
	}
	return cuts
}

// recordedTurn is a request of a client and what it got.
type recordedTurn struct {
	request        []byte
	status, stream string
}

// conversationsOf reads a file of recorded conversations.
func conversationsOf(t *testing.T, path string) map[string][]recordedTurn {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]recordedTurn{}
	for _, f := range archive.Files {
		var scene, what string
		var turn int
		if _, err := fmt.Sscanf(f.Name, "%s %d %s", &scene, &turn, &what); err != nil {
			t.Fatalf("%s: %s: %v", path, f.Name, err)
		}
		head, body, is := strings.Cut(string(f.Data), "\n\n")
		if !is {
			t.Fatalf("%s: %s has no body", path, f.Name)
		}
		body = strings.TrimSuffix(body, "\n") // the file's
		switch what {
		case "client-request":
			all[scene] = append(all[scene], recordedTurn{request: []byte(body)})
		case "client-answer":
			last := &all[scene][len(all[scene])-1]
			last.status, _, _ = strings.Cut(head, "\n")
			last.stream = body
		case "provider-request":
			if !json.Valid([]byte(body)) {
				t.Errorf("%s: %s is no JSON", path, f.Name)
			}
		default:
			t.Errorf("%s: what is %s?", path, f.Name)
		}
		if turn != len(all[scene]) {
			t.Errorf("%s: %s is turn %d", path, f.Name, len(all[scene]))
		}
	}
	return all
}

func checkChat(stream string) (Ending, []Call, error) {
	got, err := Chat(stream, true)
	if got == nil {
		return "", nil, err
	}
	return got.Ending, got.Calls, err
}

func checkMessages(stream string) (Ending, []Call, error) {
	got, err := Messages(stream)
	if got == nil {
		return "", nil, err
	}
	var calls []Call
	for _, b := range got.Blocks {
		if b.Type == "tool_use" {
			calls = append(calls, Call{b.ID, b.Name, b.Input})
		}
	}
	return got.Ending, calls, err
}

func checkResponses(stream string) (Ending, []Call, error) {
	got, err := Responses(stream)
	if got == nil {
		return "", nil, err
	}
	var calls []Call
	for _, item := range got.Items {
		if item.Type == "function_call" {
			calls = append(calls, Call{item.CallID, item.Name, item.Arguments})
		}
	}
	return got.Ending, calls, err
}

func chatAnswered(body []byte) (ids []string, err error) {
	var request struct {
		Messages []struct {
			ID string `json:"tool_call_id"`
		} `json:"messages"`
	}
	err = json.Unmarshal(body, &request)
	for _, m := range request.Messages {
		ids = append(ids, m.ID)
	}
	return ids, err
}

func messagesAnswered(body []byte) (ids []string, err error) {
	var request struct {
		Messages []struct {
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	for _, m := range request.Messages {
		var blocks []struct {
			ID string `json:"tool_use_id"`
		}
		if json.Unmarshal(m.Content, &blocks) == nil { // else it is a text
			for _, b := range blocks {
				ids = append(ids, b.ID)
			}
		}
	}
	return ids, nil
}

func responsesAnswered(body []byte) (ids []string, err error) {
	var request struct {
		Input []struct {
			Type string `json:"type"`
			ID   string `json:"call_id"`
		} `json:"input"`
	}
	err = json.Unmarshal(body, &request)
	for _, item := range request.Input {
		if item.Type == "function_call_output" {
			ids = append(ids, item.ID)
		}
	}
	return ids, err
}
