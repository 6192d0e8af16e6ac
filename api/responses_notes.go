package api

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// annotate takes the sources that Chat Completions lists. Those that come before the text
// wait for it.
func (w *responsesWriter) annotate(b, list []byte) []byte {
	for _, one := range gjson.ParseBytes(bytes.Clone(list)).Array() {
		cited := one.Get("url_citation")
		if one.Get("type").Str == "url_citation" && cited.Get("url").Type == gjson.String {
			w.sources = append(w.sources, cited)
		}
	}
	return w.cite(b)
}

// cite adds the sources that wait to the open text. Chat Completions has one text, whose
// offsets go on over the parts: those of a part that is over have no place in a stream any
// more.
func (w *responsesWriter) cite(b []byte) []byte {
	o := &w.open
	if o.kind != messageItem || !o.inPart || o.refuses {
		return b
	}
	for _, cited := range w.sources {
		from, to := int(cited.Get("start_index").Int()), int(cited.Get("end_index").Int())
		if w.texted > 0 && cited.Get("end_index").Exists() {
			if from, to = max(0, from-w.texted), to-w.texted; to <= 0 {
				continue
			}
		}
		note := appendInt([]byte(`{"type":"url_citation"`), `,"start_index":`, from)
		note = appendInt(note, `,"end_index":`, to)
		note = append(note, `,"url":`...)
		note = appendString(note, cited.Get("url").Str)
		note = append(note, `,"title":`...)
		note = append(appendString(note, cited.Get("title").Str), '}')
		b = w.partEvent(b, "response.output_text.annotation.added")
		b = appendInt(b, `,"annotation_index":`, len(o.notes))
		b = append(b, `,"annotation":`...)
		b = append(append(b, note...), "}\n\n"...)
		o.notes = append(o.notes, note)
	}
	w.sources = nil
	return b
}
