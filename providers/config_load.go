package providers

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gateway"
)

// BadConfig says where the configuration is wrong, how, and what was probably meant.
type BadConfig struct {
	File         string
	Line, Column int
	Text         string
	Nearest      string // the nearest valid name; "" if none is near
}

// Error reads "providers.json:12:9: unknown field "modle", did you mean "model"?".
func (e *BadConfig) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
	if e.Nearest != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return s
}

// source is a file that errors can point into.
type source struct {
	name string
	data []byte
}

func (s source) at(offset int64, nearest, format string, args ...any) *BadConfig {
	offset = max(0, min(offset, int64(len(s.data))))
	before := s.data[:offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return &BadConfig{File: s.name, Line: line, Column: column, Text: fmt.Sprintf(format, args...), Nearest: nearest}
}

// under points at the value of a JSON pointer, or the nearest one above it.
func (s source) under(pointer string, nearest, format string, args ...any) *BadConfig {
	offset := int64(0)
	for p := pointer; ; p = p[:strings.LastIndexByte(p, '/')] {
		if at, ok := s.find(p); ok {
			offset = at
			break
		}
		if p == "" {
			break
		}
	}
	return s.at(offset, nearest, format, args...)
}

// find is where the value of a pointer begins.
func (s source) find(pointer string) (int64, bool) {
	d := jsontext.NewDecoder(bytes.NewReader(s.data))
	for {
		kind := d.PeekKind()
		start := d.InputOffset()
		if kind == 0 {
			return 0, false
		}
		if _, err := d.ReadToken(); err != nil {
			return 0, false
		}
		if kind != '}' && kind != ']' && string(d.StackPointer()) == pointer {
			for start < int64(len(s.data)) && strings.ContainsRune(" \t\r\n,:", rune(s.data[start])) {
				start++
			}
			return start, true
		}
	}
}

// parseConfig reads the file strictly.
func parseConfig(s source) (*Config, error) {
	var c Config
	d := jsontext.NewDecoder(bytes.NewReader(s.data))
	err := jsonv2.UnmarshalDecode(d, &c, jsonv2.RejectUnknownMembers(true))
	if err == nil {
		if _, err = d.ReadToken(); errors.Is(err, io.EOF) {
			return &c, nil
		}
		return nil, s.at(d.InputOffset(), "", "something follows the configuration")
	}
	return nil, s.explain(err, d.InputOffset())
}

func (s source) explain(err error, offset int64) *BadConfig {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return s.at(syntax.ByteOffset, "", "the name %q stands here a second time", syntax.JSONPointer.LastToken())
		}
		return s.at(syntax.ByteOffset, "", "not valid JSON: %v", syntax.Err)
	}
	var sem *jsonv2.SemanticError
	if !errors.As(err, &sem) {
		return s.at(offset, "", "%v", err)
	}
	at := sem.ByteOffset
	pointer := string(sem.JSONPointer)
	if start, ok := s.find(pointer); ok {
		at = start
	}
	if errors.Is(err, jsonv2.ErrUnknownName) {
		name := sem.JSONPointer.LastToken()
		return s.at(at, gateway.Nearest(name, gateway.JSONNames(sem.GoType)), "unknown field %q", name)
	}
	if sem.Err != nil {
		return s.at(at, "", "%s: %v", pointerName(pointer), gateway.Innermost(sem.Err))
	}
	return s.at(at, "", "%s: want %s", pointerName(pointer), cmp.Or(gateway.JSONWord(sem.GoType), "another type"))
}

func pointerName(pointer string) string {
	return strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
}
