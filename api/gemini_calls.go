package api

import "gateway"

// waitingCalls are the calls of a turn that have no result yet, in order. The zero value
// is none.
type waitingCalls struct {
	left         int
	calls        []gateway.ToolCall
	answered     []bool
	begin        int              // before it, all are answered
	byID, byName map[string][]int // places in calls; those of answered ones go when they are met
}

// add begins a turn: the calls before it are all answered.
func (w *waitingCalls) add(calls []gateway.ToolCall) {
	*w = waitingCalls{left: len(calls), calls: calls, answered: make([]bool, len(calls)), byID: map[string][]int{}, byName: map[string][]int{}}
	for i := range calls {
		w.byID[calls[i].ID] = append(w.byID[calls[i].ID], i)
		w.byName[calls[i].Name] = append(w.byName[calls[i].Name], i)
	}
}

// take is the first call that waits with an id, or with a name if there is no id.
func (w *waitingCalls) take(id, name string) (call gateway.ToolCall, ok bool) {
	index, key := w.byID, id
	if id == "" {
		index, key = w.byName, name
	}
	places := index[key]
	for len(places) > 0 && w.answered[places[0]] {
		places = places[1:]
	}
	if len(places) == 0 {
		delete(index, key)
		return call, false
	}
	at := places[0]
	index[key] = places[1:]
	w.answered[at] = true
	w.left--
	return w.calls[at], true
}

// first is the name of the first call that waits; "" if none does.
func (w *waitingCalls) first() string {
	for ; w.begin < len(w.calls); w.begin++ {
		if !w.answered[w.begin] {
			return w.calls[w.begin].Name
		}
	}
	return ""
}
