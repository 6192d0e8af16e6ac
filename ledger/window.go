package ledger

import (
	"errors"
	"runtime/debug"
	"time"
)

// window is a stretch of a file that is mapped into memory, and whose blocks on the disk
// are there. What is put into it is the kernel's at once: a process that is killed in the
// next moment has written it, as by write(2), and it has cost no system call. Its zero
// value is closed.
type window struct {
	mem  []byte
	from int64 // of the file
}

const (
	// windowLength is some seven hundred records. A longer one is made more seldom, but
	// leaves more zeros behind a process that is killed, and what of it was used counts as
	// this process's memory.
	windowLength = 256 << 10
	// blindFor is how long no window is made after one could not be: the disk is nearly full,
	// or its kind cannot do that.
	blindFor = time.Second
)

var errFault = errors.New("the mapped file cannot be written")

// put appends a record if that needs nothing but a copy, now and then a new window. False,
// and nothing is changed, where it needs more: write then does it, or says what is wrong.
func (j *journal) put(record []byte) (segment int, ok bool) {
	if j.full {
		return 0, false
	}
	j.pen.Lock()
	defer j.pen.Unlock()
	if j.closed || j.file == nil || j.size >= j.most {
		return 0, false
	}
	at := j.size - j.window.from
	if at+int64(len(record)) > int64(len(j.window.mem)) {
		if !j.slide(len(record)) {
			return 0, false
		}
		at = j.size - j.window.from
	}
	if err := lay(j.window.mem[at:], record); err != nil {
		j.abandon() // a part of it may be there: the segment ends before it
		return 0, false
	}
	return j.wrote(len(record), 1), true
}

// slide moves the window to where the next record goes.
func (j *journal) slide(need int) bool {
	j.window.close()
	if need > windowLength/2 || time.Now().Before(j.blind) {
		return false
	}
	w, err := openWindow(j.file, j.size&^(pageSize-1), windowLength)
	if err != nil {
		j.blind = time.Now().Add(blindFor)
		_ = j.cut() // of what could not be reserved a part may have been
		return false
	}
	j.window = w
	return true
}

const pageSize = 64 << 10 // a multiple of what any processor has

// lay copies into mapped memory. Where a page cannot be had, because the disk fails or
// someone has made the file shorter, the processor stops us there: that is an error of the
// disk and not the end of the process.
func lay(mem, record []byte) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = errFault
		}
	}()
	copy(mem, record)
	return nil
}
