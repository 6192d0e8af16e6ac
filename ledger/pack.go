package ledger

import (
	"encoding/binary"
	"errors"
)

// A pack holds cells of one scope, grain and time: the texts that occur in them, each
// once, and then for each cell the numbers of its four texts and its eight sums. All
// numbers are varints. It is read ten times and more as fast as the rows of a table.
const packVersion = 1

// packMost is how many cells a pack has at most, so that none is large.
const packMost = 4096

var errPack = errors.New("a pack of sums is damaged")

// packer gathers cells for a pack.
type packer struct {
	texts []byte
	cells []byte
	ids   map[string]uint64
	count int
}

func (p *packer) add(c *cell, s *sums) {
	if p.ids == nil {
		p.ids = map[string]uint64{}
	}
	for _, text := range [...]string{c.key, c.who, c.provider, c.model} {
		id, has := p.ids[text]
		if !has {
			id = uint64(len(p.ids))
			p.ids[text] = id
			p.texts = append(binary.AppendUvarint(p.texts, uint64(len(text))), text...)
		}
		p.cells = binary.AppendUvarint(p.cells, id)
	}
	for _, n := range s.list() {
		p.cells = binary.AppendVarint(p.cells, n)
	}
	p.count++
}

// bytes is the pack of what was added, and empties the packer.
func (p *packer) bytes() []byte {
	b := binary.AppendUvarint([]byte{packVersion}, uint64(len(p.ids)))
	b = append(b, p.texts...)
	b = binary.AppendUvarint(b, uint64(p.count))
	b = append(b, p.cells...)
	clear(p.ids)
	p.texts, p.cells, p.count = p.texts[:0], p.cells[:0], 0
	return b
}

// unpack gives the cells of a pack to a function: the numbers of their texts among texts,
// in the order of key, who, provider and model, and their sums. What is given is valid
// during the call only. texts is called once, before the first cell.
func unpack(b []byte, texts func([]string), give func(of [4]uint64, s *sums)) error {
	r := unpacker{b: b}
	if len(b) == 0 || b[0] != packVersion {
		return errPack
	}
	r.b = b[1:]
	n := r.count(1)
	list := make([]string, n)
	for i := range list {
		list[i] = r.text()
	}
	if r.bad {
		return errPack
	}
	texts(list)
	var of [4]uint64
	var s sums
	for range r.count(12) {
		for i := range of {
			if of[i] = r.uint(); of[i] >= uint64(n) {
				return errPack
			}
		}
		s = sums{r.int(), r.int(), r.int(), r.int(), r.int(), r.int(), r.int(), r.int()}
		if r.bad {
			return errPack
		}
		give(of, &s)
	}
	if r.bad || len(r.b) > 0 {
		return errPack
	}
	return nil
}

// unpacker reads numbers; after the first that is not there it is bad and gives zeros.
type unpacker struct {
	b   []byte
	bad bool
}

func (r *unpacker) uint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 { // most numbers are small
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *unpacker) int() int64 {
	v := r.uint()
	return int64(v>>1) ^ -int64(v&1)
}

// count reads how many things follow, each of at least some bytes: a damaged number
// allocates nothing.
func (r *unpacker) count(least int) int {
	n := r.uint()
	if n > uint64(len(r.b)/least) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *unpacker) text() string {
	n := r.count(1)
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
