package ledger

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"gateway"
)

// tally adds up cells for a report of everybody: packs where there are some, else the
// table. Texts are numbered, so that a cell is found by numbers.
type tally struct {
	q     gateway.SpendQuery
	tags  []string // "name=" of the tags whose values are asked for
	keep  [5]bool
	when  string // format of the time that is grouped by, or ""
	ids   map[string]uint32
	texts []string
	index map[place]int32
	sums  []sums
	order []place
}

// place is the numbers of time, key, who, provider and model; 0, the empty text, for what
// the report does not tell apart.
type place [5]uint32

func newTally(q gateway.SpendQuery) *tally {
	t := &tally{q: q, ids: map[string]uint32{"": 0}, texts: []string{""}, index: map[place]int32{}}
	for _, g := range q.By {
		switch g {
		case "hour", "day", "month":
			t.when = [...]string{"2006-01-02T15:00Z", time.DateOnly, "2006-01"}[finest(q.By)]
		case "key":
			t.keep[1] = true
		case "provider":
			t.keep[3] = true
		case "model":
			t.keep[3], t.keep[4] = true, true
		default: // team, run, tag, tag:NAME
			t.keep[2] = true
		}
		if name, ok := strings.CutPrefix(g, "tag:"); ok {
			t.tags = append(t.tags, name+"=")
		}
	}
	return t
}

// tallied is the report of a query that names no key and no run.
func tallied(ctx context.Context, tx *sql.Tx, q gateway.SpendQuery, done summed) ([]gateway.SpendLine, error) {
	sc, err := scopeOf(q)
	if err != nil {
		return nil, err
	}
	t := newTally(q)
	for _, st := range span(q, finest(q.By), done) {
		if err := t.packs(ctx, tx, sc, st); err != nil {
			return nil, err
		}
		if st.grain != byHour || st.to <= done.hour {
			continue
		}
		st.from = max(st.from, done.hour)
		if err := t.table(ctx, tx, sc, st); err != nil {
			return nil, err
		}
	}
	return t.lines(), nil
}

func (t *tally) packs(ctx context.Context, tx *sql.Tx, sc scope, st stretch) error {
	rows, err := tx.QueryContext(ctx, "SELECT at, cells FROM packs WHERE scope = ? AND grain = ? AND at >= ? AND at < ? ORDER BY at", sc, st.grain, st.from, st.to)
	if err != nil {
		return err
	}
	defer rows.Close()
	var at int64
	var b sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&at, &b); err != nil {
			return err
		}
		if err := t.unpack(at, b); err != nil {
			return err
		}
	}
	return rows.Err()
}

// unpack adds a pack. Whether a text is wanted is found out once for the pack, and not for
// each cell.
func (t *tally) unpack(at int64, b []byte) error {
	var ids []uint32
	var who, provider []bool
	var texts []string
	when := t.time(at)
	return unpack(b, func(list []string) {
		texts = list
		for _, text := range list {
			ids = append(ids, t.id(text))
			who = append(who, t.wantsWho(text))
			provider = append(provider, t.q.Provider == "" || t.q.Provider == text)
		}
	}, func(of [4]uint64, s *sums) {
		if !who[of[1]] || !provider[of[2]] || !t.wantsModel(texts[of[2]], texts[of[3]]) {
			return
		}
		t.add(place{when, ids[of[0]], ids[of[1]], ids[of[2]], ids[of[3]]}, s)
	})
}

func (t *tally) table(ctx context.Context, tx *sql.Tx, sc scope, st stretch) error {
	rows, err := tx.QueryContext(ctx, "SELECT "+cellColumns+" FROM cells WHERE scope = ? AND grain = ? AND at >= ? AND at < ?", sc, st.grain, st.from, st.to)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c cell
		var s sums
		if err := scanCell(rows, &c, &s); err != nil {
			return err
		}
		if t.wantsWho(c.who) && (t.q.Provider == "" || t.q.Provider == c.provider) && t.wantsModel(c.provider, c.model) {
			t.add(place{t.time(c.at), t.id(c.key), t.id(c.who), t.id(c.provider), t.id(c.model)}, &s)
		}
	}
	return rows.Err()
}

func (t *tally) id(text string) uint32 {
	id, has := t.ids[text]
	if !has {
		id = uint32(len(t.texts))
		t.texts = append(t.texts, text)
		t.ids[text] = id
	}
	return id
}

func (t *tally) time(at int64) uint32 {
	if t.when == "" {
		return 0
	}
	return t.id(hours(at).Format(t.when))
}

func (t *tally) wantsWho(who string) bool {
	for _, name := range t.tags {
		if !strings.HasPrefix(who, name) {
			return false
		}
	}
	return (t.q.Team == "" || t.q.Team == who) && (t.q.Tag == "" || t.q.Tag == who)
}

func (t *tally) wantsModel(provider, model string) bool {
	want := t.q.Model
	return want == "" || want == model ||
		len(want) == len(provider)+1+len(model) && strings.HasPrefix(want, provider) && want[len(provider)] == '/' && strings.HasSuffix(want, model)
}

func (t *tally) add(at place, s *sums) {
	for i := 1; i < len(at); i++ {
		if !t.keep[i] {
			at[i] = 0
		}
	}
	i, has := t.index[at]
	if !has {
		i = int32(len(t.sums))
		t.index[at] = i
		t.sums, t.order = append(t.sums, sums{}), append(t.order, at)
	}
	t.sums[i].plus(s)
}

// lines are the groups in order of their names; without groups, one total of whatever
// there is.
func (t *tally) lines() []gateway.SpendLine {
	if len(t.q.By) == 0 && len(t.sums) == 0 {
		return []gateway.SpendLine{{}}
	}
	type named struct {
		names []string
		sums  *sums
	}
	all := make([]named, len(t.order))
	for i, at := range t.order {
		all[i] = named{t.names(at), &t.sums[i]}
	}
	slices.SortFunc(all, func(a, b named) int { return slices.Compare(a.names, b.names) })
	out := make([]gateway.SpendLine, 0, len(all))
	for _, n := range all {
		s := n.sums
		l := gateway.SpendLine{Attempts: s.attempts, Requests: s.requests, Prompt: s.prompt, Cached: s.cached, Output: s.output,
			Cost: gateway.Microcents(s.cost), Estimated: gateway.Microcents(s.estimated), Unpriced: s.unpriced}
		if len(n.names) > 0 {
			l.Group = make(map[string]string, len(n.names))
			for i, g := range t.q.By {
				l.Group[g] = n.names[i]
			}
		}
		out = append(out, l)
	}
	return out
}

func (t *tally) names(at place) []string {
	names := make([]string, len(t.q.By))
	for i, g := range t.q.By {
		switch g {
		case "hour":
			names[i] = t.texts[at[0]]
		case "day": // a day's name begins an hour's, and a month's both
			names[i] = t.texts[at[0]][:len("2006-01-02")]
		case "month":
			names[i] = t.texts[at[0]][:len("2006-01")]
		case "key":
			names[i] = t.texts[at[1]]
		case "provider":
			names[i] = t.texts[at[3]]
		case "model":
			names[i] = t.texts[at[3]] + "/" + t.texts[at[4]]
		default:
			names[i] = t.texts[at[2]]
			if tag, ok := strings.CutPrefix(g, "tag:"); ok {
				names[i] = names[i][len(tag)+1:]
			}
		}
	}
	return names
}
