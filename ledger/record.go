package ledger

import (
	"encoding/binary"
	"hash/crc32"
	"sync"
	"time"

	"gateway"
)

// A record of the journal: four bytes of length, four of CRC-32C over the rest, then a
// version, a kind, and the fields. Source: routing reference section 7.
const (
	frameHead     = 8
	recordMost    = 16 << 20 // longer than any record, whatever its tags: a length above it is none
	recordVersion = 1
)

type recordKind uint8

const (
	outsetRecord recordKind = 1 // an attempt's body is about to be written to a provider
	settleRecord recordKind = 2 // an attempt has ended, and this is its row
	runRecord    recordKind = 3 // the state of a run
	repeatRecord recordKind = 4 // an Idempotency-Key and the request it stands for
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Booking is a row, and what it puts on accounts.
type Booking struct {
	Entry   gateway.Entry
	Charges []Charge
}

// pens write records one after the other; what one has written is valid until it is put back.
var pens = sync.Pool{New: func() any { return &pen{b: make([]byte, 0, 512)} }}

// begin begins a record; what was written before is gone.
func (p *pen) begin(kind recordKind) {
	var head [frameHead]byte
	p.b = append(append(p.b[:0], head[:]...), recordVersion, byte(kind))
}

// end makes the record whole.
func (p *pen) end() []byte {
	body := p.b[frameHead:]
	binary.LittleEndian.PutUint32(p.b[0:], uint32(len(body)))
	binary.LittleEndian.PutUint32(p.b[4:], crc32.Checksum(body, castagnoli))
	return p.b
}

// unframe gives the first record of b and what follows it; ok is false at a torn tail.
func unframe(b []byte) (kind recordKind, fields page, rest []byte, ok bool) {
	if len(b) < frameHead+2 {
		return 0, page{}, nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	if n < 2 || n > recordMost || int(n) > len(b)-frameHead {
		return 0, page{}, nil, false
	}
	body := b[frameHead : frameHead+int(n)]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return 0, page{}, nil, false
	}
	return recordKind(body[1]), page{b: body[2:]}, b[frameHead+int(n):], true
}

func (p *pen) outset(o *gateway.Outset) []byte {
	p.begin(outsetRecord)
	p.entry(&o.Entry)
	p.num(int64(o.Hold.Amount))
	p.list(len(o.Hold.Places))
	for i := range o.Hold.Places {
		p.charge(&Charge{Account: o.Hold.Places[i].Account, Quarter: o.Hold.Places[i].Quarter})
	}
	for _, n := range [...]int64{int64(o.First), int64(o.Takes), int64(o.Input), int64(o.Output), int64(o.Bills), int64(o.Most)} {
		p.num(n)
	}
	return p.end()
}

func readOutset(p page) (o gateway.Outset, err error) {
	p.entry(&o.Entry)
	o.Hold.Request, o.Hold.Attempt = o.Entry.Request, o.Entry.Attempt
	o.Hold.Amount = gateway.Microcents(p.num())
	for _, c := range p.charges() {
		o.Hold.Places = append(o.Hold.Places, gateway.Place{Account: c.Account, Quarter: c.Quarter})
	}
	o.First, o.Takes = time.Duration(p.num()), time.Duration(p.num())
	o.Input, o.Output = gateway.Picodollars(p.num()), gateway.Picodollars(p.num())
	o.Bills, o.Most = gateway.BillingHabit(p.num()), int(p.num())
	return o, p.err
}

func (p *pen) booking(b *Booking) []byte {
	p.begin(settleRecord)
	p.entry(&b.Entry)
	p.charges(b.Charges)
	return p.end()
}

func readBooking(p page) (b Booking, err error) {
	p.entry(&b.Entry)
	b.Charges = p.charges()
	return b, p.err
}

// chargesOf puts one cost on every account of a hold.
func chargesOf(h gateway.Hold, cost, unsure gateway.Microcents) []Charge {
	if len(h.Places) == 0 {
		return nil
	}
	list := make([]Charge, 0, len(h.Places))
	for _, at := range h.Places {
		list = append(list, Charge{Account: at.Account, Quarter: at.Quarter, Cost: cost, Unsure: unsure})
	}
	return list
}

func unixNano(n int64) time.Time { return time.Unix(0, n).UTC() }
