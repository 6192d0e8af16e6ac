package fakeupstream

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// talk is a conversation in no provider's format. The formats disagree on how turns
// are cut (some merge them, some split results off); the fields that answers are made
// from are the same however a conversation is carried.
type talk struct {
	model        string
	account      string // whose key it came with: state that is bound to one is of use to nobody else
	stream       bool
	includeUsage bool
	thinking     bool
	showThoughts bool // where they are shown on demand only
	encrypts     bool // thoughts go out encrypted, to be handed back
	maxTokens    int  // of a choice; 0: no limit
	choices      int  // that were asked for; 0: one

	turns      []turn
	tools      []Tool
	unlikes    map[string]unlike // those of the Responses API that are no plain functions
	toolChoice choice
	oneCall    bool // parallel calls were forbidden

	wantsJSON bool
	schema    jsontext.Value // of the wanted JSON, may be nil

	question string // the text of the last user turns
}

// choice is what the caller wants of tools: nothing said, "none", "required" or "named".
type choice struct{ mode, name string }

type role uint8

const (
	system role = iota
	user
	assistant
	toolResult
)

// turn is one message. A result of a tool is a turn of its own.
type turn struct {
	role  role
	text  string
	calls []Call // of an assistant
	id    string // of the call that a result answers
	name  string // of the tool, where a result says it

	thought bool // an assistant turn begins with what it thought
}

// Tool is one that the caller offers.
type Tool struct {
	Name   string
	Schema jsontext.Value
}

// Call is a tool call of the model. Arguments are a JSON object.
type Call struct {
	ID        string
	Name      string
	Arguments string
}

// refusal is a request turned down.
type refusal struct {
	status     int
	code       string // the provider's word, where it has one
	message    string
	param      string
	retryAfter time.Duration
}

var wrongKey = refusal{status: http.StatusUnauthorized, code: "invalid_api_key", message: "Incorrect API key provided."}

func invalid(format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request_error", message: fmt.Sprintf(format, args...)}
}

// check refuses what every provider refuses, and works out the question.
func (t *talk) check(c Config) *refusal {
	if t.model == "" {
		return invalid("you must provide a model parameter")
	}
	if len(c.Models) > 0 && !slices.Contains(c.Models, t.model) {
		return &refusal{status: http.StatusNotFound, code: "model_not_found",
			message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", t.model)}
	}
	if len(t.turns) == 0 {
		return invalid("messages must not be empty")
	}
	t.question = question(t.turns)
	return checkPairs(t.turns)
}

// checkPairs wants the results of all calls of a turn right after it, and no others.
func checkPairs(turns []turn) *refusal {
	var open []string
	for _, t := range turns {
		if t.role == toolResult {
			at := slices.Index(open, t.id)
			if at < 0 {
				return invalid("a tool result for %q must follow the tool call with that id", t.id)
			}
			open = slices.Delete(open, at, at+1)
			continue
		}
		if len(open) > 0 {
			return invalid("tool calls must be followed by their results; these have none: %s", strings.Join(open, ", "))
		}
		for _, c := range t.calls {
			open = append(open, c.ID)
		}
	}
	if len(open) > 0 {
		return invalid("tool calls must be followed by their results; these have none: %s", strings.Join(open, ", "))
	}
	return nil
}

// question is the text of the last run of user turns, spaces made equal: whether a
// format merges two user turns must not change the answer.
func question(turns []turn) string {
	var words []string
	for i := len(turns) - 1; i >= 0; i-- {
		if turns[i].role == user {
			words = append(strings.Fields(turns[i].text), words...)
		} else if len(words) > 0 && turns[i].role != system {
			break
		}
	}
	return strings.Join(words, " ")
}

// id is the one that the user gave the conversation last: a turn may follow it that has
// no words, as where the picture that a tool gave comes in a turn of the user.
func (t *talk) id() string {
	for i := len(t.turns) - 1; i >= 0; i-- {
		if t.turns[i].role == user {
			if id := markedID(t.turns[i].text); id != "" {
				return id
			}
		}
	}
	return ""
}

// results are those after the last assistant turn, in order, each with its tool's name.
func (t *talk) results() []turn {
	var found []turn
	for i := len(t.turns) - 1; i >= 0; i-- {
		switch one := t.turns[i]; one.role {
		case toolResult:
			found = append(found, one)
		case assistant:
			slices.Reverse(found)
			for j := range found {
				if at := slices.IndexFunc(one.calls, func(c Call) bool { return c.ID == found[j].id }); at >= 0 {
					found[j].name = one.calls[at].Name
				}
			}
			return found
		}
	}
	return nil
}

// promptTokens counts the prompt, and the part of it that a cache would have: all
// before the last assistant turn, in whole blocks of 64, as providers do.
func (t *talk) promptTokens() (all, cached int) {
	for _, one := range t.tools {
		all += Tokens(one.Name + string(one.Schema))
	}
	for _, one := range t.turns {
		if one.role == assistant {
			cached = all / 64 * 64
		}
		all += 3 + Tokens(one.text)
		for _, c := range one.calls {
			all += Tokens(c.Name + c.Arguments)
		}
	}
	return max(all, 1), cached
}

// Tokens is how many tokens a text has here: one for each four bytes that begin.
func Tokens(text string) int { return (len(text) + 3) / 4 }

// sum hashes a text.
func sum(text string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(text)) // never fails
	return hash.Sum64()
}

// opaque is a text that only this server understands, made of what it stands for.
func opaque(text string) string {
	return fmt.Sprintf("%x", binary.BigEndian.AppendUint64([]byte("fake"), sum(text)))
}

// canonical is a result of a tool without the freedoms of JSON, and without the
// wrapper {"output": …} that formats which know only objects put around text.
func canonical(text string) string {
	var wrapped struct {
		Output *string `json:"output"`
	}
	if json.Unmarshal([]byte(text), &wrapped, json.RejectUnknownMembers(true)) == nil && wrapped.Output != nil {
		text = *wrapped.Output
	}
	value := jsontext.Value(strings.TrimSpace(text))
	if value.Canonicalize() != nil {
		return text
	}
	return string(value)
}

func mustJSON(v any) []byte {
	out, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true)) // names come out of addresses too
	if err != nil {
		panic(err) // only types of this package come here, and they all encode
	}
	return out
}
