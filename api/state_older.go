package api

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gateway"
)

// olderMark begins state as it was given to clients of two formats before all had the seal
// of package gateway: base64 of JSON. It is read for the conversations that they still
// hold, and never made any more.
const olderMark = "llmgw1."

// older is what such a text holds. A call was only ever signed by one maker.
type older struct {
	Thinking olderList[olderThinking] `json:"t"`
	Calls    olderList[olderCall]     `json:"c"`
}

type olderThinking struct {
	Maker     string `json:"k"`
	Model     string `json:"m"`
	Text      string `json:"x"`
	Signature string `json:"s"`
	Redacted  string `json:"d"`
}

type olderCall struct {
	ID        string `json:"i"`
	Model     string `json:"m"`
	Signature string `json:"s"`
}

// mostOlder is how much one text may hold: an item of a client's own making must not grow
// when it is read.
const mostOlder = 256

type olderList[T olderThinking | olderCall] []T

// UnmarshalJSONFrom implements json.UnmarshalerFrom. It refuses a list that is too long
// before it has read it.
func (l *olderList[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return errors.New("a list is wanted")
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	var one T
	for dec.PeekKind() != ']' {
		if len(*l) == mostOlder {
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

// unsealOlder reads such a text; false for any other, and what is damaged.
func unsealOlder(text string) (s state, ok bool) {
	rest, ok := strings.CutPrefix(text, olderMark)
	if !ok {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(rest)
	var o older
	if err != nil || json.Unmarshal(raw, &o) != nil {
		return nil, false
	}
	for _, t := range o.Thinking {
		s.think(gateway.Thinking{Maker: t.Maker, Model: t.Model, Text: t.Text, Signature: t.Signature, Redacted: t.Redacted})
	}
	for _, c := range o.Calls {
		s.sign(gateway.Thinking{Maker: geminiMaker, Model: c.Model}, c.ID, c.Signature)
	}
	return s, true
}
