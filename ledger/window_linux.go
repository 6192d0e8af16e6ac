package ledger

import (
	"os"
	"syscall"
)

// populateWrite is MADV_POPULATE_WRITE (Linux 5.14): it has every page ready to be written,
// so that a disk that is slow to give one stops a system call, and not a processor on which
// goroutines run.
const populateWrite = 23

// openWindow has the blocks of a stretch of a file reserved, and maps it. The file grows
// by zeros.
func openWindow(f *os.File, from int64, length int) (window, error) {
	fd := int(f.Fd())
	if err := syscall.Fallocate(fd, 0, from, int64(length)); err != nil {
		return window{}, err
	}
	mem, err := syscall.Mmap(fd, from, length, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return window{}, err
	}
	_ = syscall.Madvise(mem, populateWrite) // an older kernel gives the pages one by one
	return window{mem, from}, nil
}

// close unmaps it. What was put into it stays.
func (w *window) close() {
	if w.mem != nil {
		_ = syscall.Munmap(w.mem)
		*w = window{}
	}
}
