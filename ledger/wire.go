package ledger

import (
	"encoding/binary"
	"errors"
	"slices"

	"gateway"
)

// pen writes the fields of a record; page reads them back. Numbers are varints, texts
// have their length before them. A record ends where its frame does, so that a later
// version may add fields at the end: what is missing reads as zero.
type pen struct{ b []byte }

func (p *pen) num(n int64)     { p.b = binary.AppendVarint(p.b, n) }
func (p *pen) text(s string)   { p.b = append(binary.AppendUvarint(p.b, uint64(len(s))), s...) }
func (p *pen) list(length int) { p.b = binary.AppendUvarint(p.b, uint64(length)) }

func (p *pen) bit(b bool) {
	var n byte
	if b {
		n = 1
	}
	p.b = append(p.b, n)
}

type page struct {
	b   []byte
	err error
}

// errTorn says that a record holds something else than a record can.
var errTorn = errors.New("the record is damaged")

func (p *page) num() int64 {
	if len(p.b) == 0 {
		return 0
	}
	n, size := binary.Varint(p.b)
	return n * p.took(size)
}

// took moves on by size bytes: 1, or 0 and an error when there were none.
func (p *page) took(size int) int64 {
	if size <= 0 {
		p.b, p.err = nil, errTorn
		return 0
	}
	p.b = p.b[size:]
	return 1
}

func (p *page) list() int {
	if len(p.b) == 0 {
		return 0
	}
	n, size := binary.Uvarint(p.b)
	if p.took(size) == 0 || n > uint64(len(p.b)) { // an element has a byte at least
		p.b, p.err = nil, errTorn
		return 0
	}
	return int(n)
}

func (p *page) text() string {
	n := p.list()
	s := string(p.b[:n])
	p.b = p.b[n:]
	return s
}

func (p *page) bit() bool {
	if len(p.b) == 0 {
		return false
	}
	on := p.b[0] == 1
	p.b = p.b[1:]
	return on
}

func (p *pen) entry(e *gateway.Entry) {
	for _, s := range [...]string{e.Request, e.Key, e.Team, e.Run, e.Op, string(e.Role), e.Provider, e.Model, e.Asked,
		e.Outcome, e.Finish, string(e.Source), e.PriceDate, e.Tariff} {
		p.text(s)
	}
	u := &e.Usage
	for _, n := range [...]int64{int64(e.Attempt), e.Begun.UnixNano(), int64(e.FirstContent), int64(e.Took), int64(e.Status),
		int64(u.Fresh), int64(u.CachedRead), int64(u.CacheWrite5m), int64(u.CacheWrite1h), int64(u.Output), int64(u.Reasoning),
		int64(u.Billed), int64(e.Cost)} {
		p.num(n)
	}
	for _, b := range [...]bool{e.Winner, e.Stream, u.Reported, u.HasBilled, e.Priced} {
		p.bit(b)
	}
	p.list(len(e.Tags))
	if len(e.Tags) == 0 {
		return
	}
	names := make([]string, 0, len(e.Tags))
	for name := range e.Tags {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p.text(name)
		p.text(e.Tags[name])
	}
}

func (p *page) entry(e *gateway.Entry) {
	var role, source string
	for _, s := range [...]*string{&e.Request, &e.Key, &e.Team, &e.Run, &e.Op, &role, &e.Provider, &e.Model, &e.Asked,
		&e.Outcome, &e.Finish, &source, &e.PriceDate, &e.Tariff} {
		*s = p.text()
	}
	e.Role, e.Source = gateway.Role(role), gateway.UsageSource(source)
	e.Attempt = int(p.num())
	e.Begun = unixNano(p.num())
	u := &e.Usage
	for _, n := range [...]*int64{(*int64)(&e.FirstContent), (*int64)(&e.Took)} {
		*n = p.num()
	}
	e.Status = int(p.num())
	for _, n := range [...]*int{&u.Fresh, &u.CachedRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output, &u.Reasoning} {
		*n = int(p.num())
	}
	u.Billed, e.Cost = gateway.Microcents(p.num()), gateway.Microcents(p.num())
	for _, b := range [...]*bool{&e.Winner, &e.Stream, &u.Reported, &u.HasBilled, &e.Priced} {
		*b = p.bit()
	}
	if n := p.list(); n > 0 {
		e.Tags = make(map[string]string, n)
		for range n {
			name := p.text()
			e.Tags[name] = p.text()
		}
	}
}

func (p *pen) charges(list []Charge) {
	p.list(len(list))
	for i := range list {
		p.charge(&list[i])
	}
}

func (p *pen) charge(c *Charge) {
	p.text(c.Account)
	p.num(c.Quarter)
	p.num(int64(c.Cost))
	p.num(int64(c.Unsure))
}

func (p *page) charges() []Charge {
	n := p.list()
	if n == 0 {
		return nil
	}
	list := make([]Charge, 0, n)
	for range n {
		list = append(list, Charge{Account: p.text(), Quarter: p.num(), Cost: gateway.Microcents(p.num()), Unsure: gateway.Microcents(p.num())})
	}
	return list
}
