package api

import "github.com/tidwall/gjson"

// annotate adds the sources that Chat Completions lists to the open text. Those of a text
// that is over, or not yet begun, have no place in a stream any more.
func (w *responsesWriter) annotate(b, list []byte) []byte {
	o := &w.open
	if o.kind != messageItem || !o.inPart || o.refuses {
		return b
	}
	for _, one := range gjson.ParseBytes(list).Array() {
		cited := one.Get("url_citation")
		if one.Get("type").Str != "url_citation" || cited.Get("url").Type != gjson.String {
			continue
		}
		note := appendInt([]byte(`{"type":"url_citation"`), `,"start_index":`, int(cited.Get("start_index").Int()))
		note = appendInt(note, `,"end_index":`, int(cited.Get("end_index").Int()))
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
	return b
}
