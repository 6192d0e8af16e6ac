package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// watch shows how a run gets on, on standard error: a bar for a person, a line every
// five seconds for a file. It sets the plan's watch; the function that it returns ends it.
func watch(name string, p *plan) (stop func()) {
	fills := make(chan *report, 1)
	p.watch = func(r *report) { fills <- r }
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		select {
		case r := <-fills:
			show(name, p.length, r.counts, done)
		case <-done:
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// show draws until done closes.
func show(name string, length time.Duration, counts func() (ok, failed int64), done <-chan struct{}) {
	begun := time.Now()
	if !isTerminal(os.Stderr) {
		every(5*time.Second, done, func() {
			ok, failed := counts()
			fmt.Fprintf(os.Stderr, "%s: %s of %s, %d answered, %d failed\n", name, time.Since(begun).Round(time.Second), length, ok, failed)
		})
		return
	}
	bar := progressbar.NewOptions64(length.Milliseconds(), progressbar.OptionSetWriter(os.Stderr), progressbar.OptionFullWidth(),
		progressbar.OptionSetElapsedTime(false), progressbar.OptionClearOnFinish())
	every(200*time.Millisecond, done, func() {
		ok, failed := counts()
		bar.Describe(fmt.Sprintf("%s: %d answered, %d failed", name, ok, failed))
		_ = bar.Set64(min(time.Since(begun), length).Milliseconds()) // a bar that cannot be drawn stops nothing
	})
	_ = bar.Finish()
}

func every(d time.Duration, done <-chan struct{}, f func()) {
	ticker := time.NewTicker(d)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f()
		case <-done:
			return
		}
	}
}

// isTerminal says whether a person looks at the file.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
