package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// journal is the file that records are appended to before anything depends on them. It
// is cut into segments; one is removed when everything in it, and in those before it, is
// in the store.
//
// A record gets there by write, which may wait for the disk and tells what is wrong, or by
// put, which costs no system call and only ever does it or does not.
type journal struct {
	full bool // survive a power loss: flush before a record counts as written
	most int64

	pen    sync.Mutex // guards what follows, and the order of records
	dir    string
	file   *os.File // nil: the next write opens a segment
	size   int64    // of the records; the file may be longer, by zeros
	window window
	blind  time.Time // no window is made before
	closed bool      // nothing is put any more

	mu      sync.Mutex  // guards what follows; who has the pen alone changes number
	number  int         // of the segment being written, or the last that was
	pending map[int]int // records that are not in the store yet, by segment
	oldest  int
}

// segmentMost is how long a segment gets. Source: routing reference section 7, which has
// 64 MiB for a journal that is the ledger; here a segment only bridges to the store.
const segmentMost = 16 << 20

func segmentName(n int) string { return fmt.Sprintf("%08d.journal", n) }

// segments lists the numbers of the segments in a directory, ascending.
func segments(dir string) ([]int, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, f := range list {
		name, is := strings.CutSuffix(f.Name(), ".journal")
		if n, err := strconv.Atoi(name); is && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// write appends records, all or none, and gives the segment that they are in. When it
// returns nil they survive a killed process, and with full a power loss.
func (j *journal) write(records []byte, count int) (segment int, err error) {
	j.pen.Lock()
	defer j.pen.Unlock()
	return j.writeLocked(records, count)
}

func (j *journal) writeLocked(records []byte, count int) (segment int, err error) {
	if j.file != nil && j.size >= j.most {
		j.abandon()
	}
	if j.file == nil {
		if err := j.open(); err != nil {
			return 0, fmt.Errorf("writing to the journal: %w", err)
		}
	}
	if _, err := j.file.WriteAt(records, j.size); err != nil {
		if j.cut() != nil {
			j.abandon()
		}
		return 0, fmt.Errorf("writing to the journal: %w", err)
	}
	if j.full {
		if err := j.file.Sync(); err != nil {
			j.abandon() // what a failed flush has left is not known: this segment is never trusted again
			return 0, fmt.Errorf("flushing the journal: %w", err)
		}
	}
	return j.wrote(len(records), count), nil
}

// wrote notes what was appended, and gives the segment that it is in.
func (j *journal) wrote(length, count int) (segment int) {
	j.size += int64(length)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pending[j.number] += count
	return j.number
}

// cut takes off what follows the records.
func (j *journal) cut() error {
	j.window.close() // whoever touched it beyond the file's end would be killed
	return j.file.Truncate(j.size)
}

// try says whether records could be written now, and leaves nothing of it: a page, which a
// full disk has no room for.
func (j *journal) try() error {
	j.pen.Lock()
	defer j.pen.Unlock()
	if _, err := j.writeLocked(make([]byte, 4096), 0); err != nil {
		return err
	}
	j.size -= 4096
	if err := j.cut(); err != nil {
		j.abandon() // zeros end a segment as a torn record does
	}
	return nil
}

func (j *journal) open() error {
	f, err := os.OpenFile(filepath.Join(j.dir, segmentName(j.number+1)), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		j.next() // left by a try that failed: its number is not used again
		return err
	}
	if err != nil {
		return err
	}
	if j.full {
		if err := syncDir(j.dir); err != nil {
			return errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}
	j.file, j.size = f, 0
	j.next()
	return nil
}

func (j *journal) next() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.number++
}

// abandon ends a segment; the next write begins another.
func (j *journal) abandon() {
	if j.file != nil {
		_ = j.cut()        // zeros at its end are not records either
		_ = j.file.Close() // everything that counts was written, or has been reported as not
		j.file = nil
	}
}

// close ends the last segment. What is written after it begins another.
func (j *journal) close() {
	j.pen.Lock()
	defer j.pen.Unlock()
	j.closed = true
	j.abandon()
}

// applied says that records of a segment are in the store, and removes what is not
// needed any more. The segment being written stays.
func (j *journal) applied(segment, count int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pending[segment] -= count; j.pending[segment] > 0 {
		return
	}
	j.remove(j.number)
}

// finish removes what is not needed when nothing will be written any more.
func (j *journal) finish() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.remove(j.number + 1)
}

// remove drops the oldest segments of which everything is in the store. The lock is held.
func (j *journal) remove(before int) {
	for j.oldest < before && j.pending[j.oldest] <= 0 {
		delete(j.pending, j.oldest)
		_ = os.Remove(filepath.Join(j.dir, segmentName(j.oldest))) // one that stays is read again at the next start, and changes nothing
		j.oldest++
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
