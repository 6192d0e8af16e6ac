package api

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gateway"
)

// carried is what the maker of a turn wants back unchanged and this API has no field
// for: it travels as the encrypted_content of a reasoning item, which clients return
// as it is. It is encoded, not encrypted: it holds nothing that the client did not
// get from the provider, and is only ever about its own conversation.
type carried struct {
	Thinking carriedList[carriedThinking] `json:"t,omitempty"`
	Calls    carriedList[carriedCall]     `json:"c,omitempty"`
}

// maxCarried is how much one item may carry. Models give a few pieces of state with a
// turn, and an item of a client's own making must not grow when it is read.
const maxCarried = 256

type carriedList[T carriedThinking | carriedCall] []T

// UnmarshalJSONFrom implements json.UnmarshalerFrom. It refuses a list that is too long
// before it has read it.
func (l *carriedList[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return errors.New("a list is wanted")
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	var one T
	for dec.PeekKind() != ']' {
		if len(*l) == maxCarried {
			return errors.New("the list is too long")
		}
		one = *new(T)
		if err := json.UnmarshalDecode(dec, &one); err != nil {
			return err
		}
		if one != *new(T) { // which says nothing, and would take thirty times its room
			*l = append(*l, one)
		}
	}
	_, err := dec.ReadToken()
	return err
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
	Model     string `json:"m,omitempty"`
	Signature string `json:"s"`
}

// carriedMark begins everything that this gateway made, so that it is told from what
// OpenAI encrypted and is not sent there.
const carriedMark = "llmgw1."

func (c *carried) empty() bool {
	return len(c.Thinking) == 0 && len(c.Calls) == 0
}

// unsigned is reasoning whose maker wants the text back and signs nothing; a zero one
// is of a maker that does not.
func unsigned(a *gateway.Answer) gateway.Thinking {
	p := protocolOf(a)
	if !p.Unsigned {
		return gateway.Thinking{}
	}
	return gateway.Thinking{Maker: p.Maker, Model: a.Model}
}

// text is the state of reasoning that came without any, if its maker is an unsigned one.
func (c *carried) text(text string, maker gateway.Thinking) {
	if text != "" && maker.Maker != "" && len(c.Thinking) == 0 {
		maker.Text = text
		c.think(maker)
	}
}

func (c *carried) think(t gateway.Thinking) {
	c.Thinking = append(c.Thinking, carriedThinking{t.Maker, t.Model, t.Text, t.Signature, t.Redacted})
}

// encoded is the text for encrypted_content. What OpenAI itself encrypted stays as it
// came, so that it can be used without this gateway too.
func (c *carried) encoded() string {
	if len(c.Thinking) == 1 && len(c.Calls) == 0 && c.Thinking[0].Maker == openAIMaker {
		return c.Thinking[0].Signature
	}
	return c.sealed()
}

// sealed is the same for any maker.
func (c *carried) sealed() string {
	raw, err := json.Marshal(c)
	if err != nil {
		return "" // text that is no UTF-8: the provider's state is lost, its answer is not
	}
	return carriedMark + base64.RawURLEncoding.EncodeToString(raw)
}

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

// makerOf is who made a state, "" if it is none or damaged.
func makerOf(state string) (maker, model string) {
	c, ok := uncarried(state, "")
	switch n := len(c.Thinking); {
	case !ok:
		return "", ""
	case n > 0:
		return c.Thinking[n-1].Maker, c.Thinking[n-1].Model
	case len(c.Calls) > 0:
		return geminiMaker, c.Calls[0].Model
	}
	return "", ""
}

// into gives a turn back what its maker made. Signatures of calls are noted by the
// call's id.
func (c *carried) into(m *gateway.Message, signatures map[string]string) {
	for _, t := range c.Thinking {
		m.Thinking = append(m.Thinking, gateway.Thinking{Maker: t.Maker, Model: t.Model, Text: t.Text, Signature: t.Signature, Redacted: t.Redacted})
	}
	for _, call := range c.Calls {
		signatures[call.ID] = call.Signature
	}
}
