package api

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"

	"gateway"
)

// carried is what the maker of a turn wants back unchanged and this API has no field
// for: it travels as the encrypted_content of a reasoning item, which clients return
// as it is. It is encoded, not encrypted: it holds nothing that the client did not
// get from the provider, and is only ever about its own conversation.
type carried struct {
	Thinking []carriedThinking `json:"t,omitempty"`
	Calls    []carriedCall     `json:"c,omitempty"`
	// Reasoning is text whose maker wants it back but does not sign it.
	Reasoning string `json:"r,omitempty"`
}

type carriedThinking struct {
	Maker     string `json:"k"`
	Model     string `json:"m,omitempty"`
	Text      string `json:"x,omitempty"`
	Signature string `json:"s,omitempty"`
	Redacted  string `json:"d,omitempty"`
}

// carriedCall is the signature of one tool call.
type carriedCall struct {
	ID        string `json:"i"`
	Signature string `json:"s"`
}

// carriedMark begins everything that this gateway made, so that it is told from what
// OpenAI encrypted and is not sent there.
const carriedMark = "llmgw1."

func (c *carried) empty() bool {
	return len(c.Thinking) == 0 && len(c.Calls) == 0 && c.Reasoning == ""
}

func (c *carried) think(t gateway.Thinking) {
	c.Thinking = append(c.Thinking, carriedThinking{t.Maker, t.Model, t.Text, t.Signature, t.Redacted})
}

// encoded is the text for encrypted_content. What OpenAI itself encrypted stays as it
// came, so that it can be used without this gateway too.
func (c *carried) encoded() string {
	if len(c.Thinking) == 1 && len(c.Calls) == 0 && c.Reasoning == "" && c.Thinking[0].Maker == openAIMaker {
		return c.Thinking[0].Signature
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return "" // text that is no UTF-8: the provider's state is lost, its answer is not
	}
	return carriedMark + base64.RawURLEncoding.EncodeToString(raw)
}

// openAIMaker marks reasoning that only OpenAI can read.
const openAIMaker = "openai"

// uncarried reads encrypted_content. ok is false for what is damaged: its turn then
// goes on without, for which each format has its downgrade.
func uncarried(text, summary string) (c carried, ok bool) {
	rest, ours := strings.CutPrefix(text, carriedMark)
	if !ours {
		if text == "" {
			return c, false
		}
		c.Thinking = []carriedThinking{{Maker: openAIMaker, Text: summary, Signature: text}}
		return c, true
	}
	raw, err := base64.RawURLEncoding.DecodeString(rest)
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return carried{}, false
	}
	return c, true
}
