package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gateway/internal/fakeupstream"
)

// noteText is what an agent is made to write: everything that an escaper, a splitter of
// events or a shell could get wrong.
const noteText = "first line\n\tsecond: \"quoted\", back\\slash, $HOME `id` 'single'\n日本語 naïve 😀 \u2028 {\"json\": [1, 2]}\ndata: [DONE]\nlast line\n"

// toolSearch is Codex's search for tools that it holds back.
const toolSearch = "tool_search"

// readBack and lost are the model's last words.
const (
	readBack = "The note was read back whole."
	lost     = "The note came back changed: "
)

// writesAndReads is a model at work for an agent: it looks for tools where the agent has
// a search for them, writes the note by the agent's own tool, reads it back by another,
// and says whether all of it came back. What it knows it takes from the request, as a
// model does.
func writesAndReads(file string) func(fakeupstream.Seen) fakeupstream.Step {
	return func(seen fakeupstream.Seen) fakeupstream.Step {
		writer, reader := pickTools(seen.Tools)
		if writer == nil || reader == nil {
			return say(fakeupstream.Say{Text: "A note"}) // a title or a summary, asked for on the side
		}
		done := seen.Done
		if slices.ContainsFunc(seen.Tools, func(tool fakeupstream.Tool) bool { return tool.Name == toolSearch }) {
			if len(done) == 0 {
				return say(fakeupstream.Say{Calls: []fakeupstream.Call{{Name: toolSearch, Arguments: `{"query":"write a file"}`}}})
			}
			done = done[1:]
		}
		switch len(done) {
		case 0:
			return say(fakeupstream.Say{Reasoning: "First the file.", Text: "I write the note.",
				Calls: []fakeupstream.Call{writer(file)}})
		case 1:
			return say(fakeupstream.Say{Text: "I read it back.", Calls: []fakeupstream.Call{reader(file)}})
		}
		return say(fakeupstream.Say{Text: verdict(done[1].Result)})
	}
}

func say(words fakeupstream.Say) fakeupstream.Step { return fakeupstream.Step{Say: &words} }

// verdict looks for every line of the note in what a tool read. Tools number the lines,
// wrap them or escape them as JSON, each in its own way.
func verdict(result string) string {
	for _, line := range strings.Split(strings.TrimSpace(noteText), "\n") {
		line = strings.TrimSpace(line)
		if !strings.Contains(result, line) && !strings.Contains(result, strings.Trim(string(encoded(line)), `"`)) {
			return fmt.Sprintf("%sno %q in %q", lost, line, result)
		}
	}
	return readBack
}

func encoded(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err) // only strings and maps of them come here
	}
	return out
}

// toolUse makes a call of a tool for a file.
type toolUse func(file string) fakeupstream.Call

// pickTools finds the tools for writing and reading among those offered, by their names
// and the fields of their schemas; nil where there is none.
func pickTools(tools []fakeupstream.Tool) (writer, reader toolUse) {
	var shell toolUse // writes where no other does
	for _, tool := range tools {
		fields := fieldsOf(tool)
		path := pathField(fields)
		name := strings.ToLower(tool.Name)
		switch {
		case name == "write" && path != "" && slices.Contains(fields, "content"):
			writer = withFields(tool.Name, func(file string) map[string]any { return map[string]any{path: file, "content": noteText} })
		case name == "exec_command" && slices.Contains(fields, "cmd"):
			shell = withFields(tool.Name, func(file string) map[string]any {
				return map[string]any{"cmd": "cat > " + file + " <<'END'\n" + noteText + "END"}
			})
			reader = withFields(tool.Name, func(file string) map[string]any { return map[string]any{"cmd": "cat " + file} })
		case strings.HasSuffix(name, "exec") && slices.Contains(fields, "input"): // JavaScript, with the real tools in it
			writer = withFields(tool.Name, func(file string) map[string]any {
				return map[string]any{"input": "text(await tools.apply_patch(" + string(encoded(addFile(file))) + "));"}
			})
			reader = withFields(tool.Name, func(file string) map[string]any {
				return map[string]any{"input": "text((await tools.exec_command({cmd: " + string(encoded("cat "+file)) + "})).output);"}
			})
		case name == "apply_patch" && writer == nil && len(fields) == 1:
			writer = withFields(tool.Name, func(file string) map[string]any { return map[string]any{fields[0]: addFile(file)} })
		case name == "read" && path != "":
			reader = withFields(tool.Name, func(file string) map[string]any { return map[string]any{path: file} })
		}
	}
	if writer == nil {
		writer = shell
	}
	return writer, reader
}

// addFile is a patch that makes the note.
func addFile(file string) string {
	lines := strings.Split(strings.TrimSuffix(noteText, "\n"), "\n")
	return "*** Begin Patch\n*** Add File: " + file + "\n+" + strings.Join(lines, "\n+") + "\n*** End Patch"
}

func withFields(name string, fields func(string) map[string]any) toolUse {
	return func(file string) fakeupstream.Call {
		return fakeupstream.Call{Name: name, Arguments: string(encoded(fields(file)))}
	}
}

func fieldsOf(tool fakeupstream.Tool) []string {
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if json.Unmarshal(tool.Schema, &schema) != nil {
		return nil
	}
	fields := make([]string, 0, len(schema.Properties))
	for field := range schema.Properties {
		fields = append(fields, field)
	}
	return fields
}

func pathField(fields []string) string {
	for _, name := range []string{"file_path", "filePath", "filepath", "path"} {
		if slices.Contains(fields, name) {
			return name
		}
	}
	return ""
}
