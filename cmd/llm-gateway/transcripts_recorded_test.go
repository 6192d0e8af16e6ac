package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var record = flag.Bool("record", false, "write the recorded conversations anew")

// recordings is where recorded conversations are. The grammar's own test reads them too.
const recordings = "../../internal/grammar/testdata/recorded"

// recording is the file of the conversations of one client with one kind of provider.
type recording struct{ client, provider string }

func (r recording) path() string {
	return filepath.Join(recordings, r.client+"."+r.provider+".txtar")
}

// compare wants the conversations to be those that were recorded, or records them.
func (r recording) compare(t *testing.T, all []*transcript) {
	t.Helper()
	if r.client == generateClient.name {
		return // its streams are checked as they come, which is enough beside those of its own kind
	}
	archive := &txtar.Archive{Comment: []byte("Recorded by " + recordCommand + ", from simulated providers in the real formats.\n" +
		"What differs from run to run is numbered: see transcripts_recorded_test.go.\n\n")}
	for _, tr := range all {
		if slices.Contains(tooLong, tr.scene.name) {
			continue
		}
		archive.Files = append(archive.Files, tr.recorded()...)
	}
	now := txtar.Format(archive)
	if err := same(txtar.Parse(now), archive); err != nil {
		t.Fatal(err)
	}
	if *record {
		if err := os.WriteFile(r.path(), now, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	before, err := txtar.ParseFile(r.path())
	if err != nil {
		t.Fatal(err)
	}
	if err := same(before, archive); err != nil {
		t.Errorf("%s: %v\n%s writes it anew", r.path(), err, recordCommand)
	}
}

// tooLong are conversations that would be half of the recordings.
var tooLong = []string{"large-result", "long-arguments"}

const recordCommand = "`go test ./cmd/llm-gateway -run '^TestTranscripts$' -record`"

// same says what the first difference is.
func same(want, got *txtar.Archive) error {
	for i := range min(len(want.Files), len(got.Files)) {
		w, g := want.Files[i], got.Files[i]
		if w.Name != g.Name {
			return fmt.Errorf("%s is here, want %s", g.Name, w.Name)
		}
		if !bytes.Equal(w.Data, g.Data) {
			return fmt.Errorf("%s: %s", w.Name, firstDifference(string(w.Data), string(g.Data)))
		}
	}
	if len(want.Files) != len(got.Files) {
		return fmt.Errorf("%d messages, want %d", len(got.Files), len(want.Files))
	}
	return nil
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n got %q\nwant %q", i+1, b[i], a[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(b), len(a))
}

// recorded is the conversation as files of an archive, three for a turn: what the client
// sent, what the provider was sent for it, and what the client got. In each there is the
// first line, the headers, and behind an empty line the body with one end of line more.
// What the provider answered is left out: it is half as much again, and simulated.
func (tr *transcript) recorded() (files []txtar.File) {
	add := func(turn int, what string, m httpMessage) {
		files = append(files, txtar.File{Name: fmt.Sprintf("%s %d %s", tr.scene.name, turn+1, what), Data: m.recorded()})
	}
	for i, turn := range tr.turns {
		add(i, "client-request", turn.client.request)
		for _, ex := range turn.provider {
			add(i, "provider-request", ex.request)
		}
		add(i, "client-answer", turn.client.answer)
	}
	names := numbering{}
	for i := range files {
		files[i].Data = names.settle(files[i].Data)
	}
	return files
}

func (m httpMessage) recorded() []byte {
	var b bytes.Buffer
	b.WriteString(m.line + "\n")
	names := make([]string, 0, len(m.header))
	for name := range m.header {
		if !slices.Contains(ofTheConnection, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(name + ": " + strings.Join(m.header[name], ", ") + "\n")
	}
	b.WriteByte('\n')
	b.Write(m.body)
	b.WriteByte('\n')
	return b.Bytes()
}

// ofTheConnection are headers that the libraries for HTTP set for themselves.
var ofTheConnection = []string{"Accept-Encoding", "Connection", "Content-Length", "Date", "Transfer-Encoding", "User-Agent"}

// numbering says which of the things that are others in every run one is: the first that
// was seen in the conversation, the second, and so on.
type numbering map[string]int

func (n numbering) of(thing string) int {
	if _, known := n[thing]; !known {
		n[thing] = len(n) + 1
	}
	return n[thing]
}

// variable are the things that are others in every run, and what stands for them.
var variable = []struct {
	what   string
	found  *regexp.Regexp
	settle func(n numbering, found string) string
}{
	{"the gateway's id of a request", regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`),
		func(n numbering, found string) string {
			return fmt.Sprintf("00000000-0000-7000-8000-%012d", n.of(strings.ReplaceAll(found, "-", "")))
		}},
	{"the same inside an id of the Responses API", regexp.MustCompile(`_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}`),
		func(n numbering, found string) string {
			return fmt.Sprintf("_0000000000007000800%013d", n.of(found[1:]))
		}},
	{"the time of an answer that a provider gave none", regexp.MustCompile(`"(created|created_at)":[0-9]{10}`),
		func(_ numbering, found string) string {
			if strings.HasSuffix(found, fakeTime) {
				return found
			}
			name, _, _ := strings.Cut(found, ":")
			return name + ":1800000000"
		}},
}

// fakeTime is when simulated providers answer, always.
const fakeTime = "1795420800"

func (n numbering) settle(data []byte) []byte {
	for _, rule := range variable {
		data = rule.found.ReplaceAllFunc(data, func(found []byte) []byte { return []byte(rule.settle(n, string(found))) })
	}
	return data
}
