package ledger

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"time"
)

// pulse is a file that says when this process last lived, while attempts are out. What a
// killed process had out is estimated by how long it was out, and its journal alone does
// not tell: it is silent while answers are awaited.
type pulse struct {
	path string
	file *os.File
}

// pulseEvery is a compromise: a provider writes one or two tokens in that time.
const pulseEvery = 20 * time.Millisecond

func pulsePath(dir string) string { return filepath.Join(dir, "pulse") }

// beat writes the time. What fails here costs the precision of estimates, nothing else.
func (p *pulse) beat() {
	if p.file == nil {
		f, err := os.OpenFile(p.path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return
		}
		p.file = f
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(time.Now().UnixNano()))
	_, _ = p.file.WriteAt(b[:], 0)
}

func (p *pulse) end() {
	if p.file != nil {
		_ = p.file.Close()
		_ = os.Remove(p.path)
	}
}

// lastBeat is when the process that wrote the journal in a folder last lived.
func lastBeat(dir string) time.Time {
	b, err := os.ReadFile(pulsePath(dir))
	if err != nil || len(b) != 8 {
		return time.Time{}
	}
	return time.Unix(0, int64(binary.LittleEndian.Uint64(b))).Add(pulseEvery / 2)
}
