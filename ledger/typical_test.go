package ledger

import (
	"fmt"
	"testing"
	"time"

	"gateway"
)

// What answers are like for clients that stream and for those that do not are two things: a
// chat's are long, and those of a program that asks for a word are short.
func TestTypicalOfEachKindOfClient(t *testing.T) {
	s := openStore(t, t.TempDir())
	for i := range 6 {
		long, short, other := row(fmt.Sprint("long", i), 1), row(fmt.Sprint("short", i), 1), row(fmt.Sprint("other", i), 1)
		long.Usage.Output, long.FirstContent, long.Took = 1000+100*i, 2*time.Second, time.Duration(10+i)*time.Second
		short.Usage.Output, short.FirstContent, short.Took, short.Stream = 5, 499*time.Millisecond, 500*time.Millisecond, false // as one body
		other.Usage.Output, other.Source = 90_000, gateway.UsageEstimated
		mustAppend(t, s, long, short, other)
	}
	chat, err := s.Typical(t.Context(), "deepseek", "deepseek-flash", true)
	if err != nil || chat.Answers != 6 || chat.Output != 1250 || chat.First != 2*time.Second || chat.Writes != 10500*time.Millisecond ||
		len(chat.Whole) != 6 || chat.Whole[0] != (Length{15 * time.Second, 1500}) {
		t.Errorf("those that stream: %+v, %v", chat, err)
	}
	program, err := s.Typical(t.Context(), "deepseek", "deepseek-flash", false)
	if err != nil || program.Answers != 0 || len(program.Whole) != 6 || program.Whole[5] != (Length{500 * time.Millisecond, 5}) {
		t.Errorf("those that do not: %+v, %v", program, err)
	}
	o := gateway.Outset{Entry: gateway.Entry{Op: "chat", Begun: when, Usage: gateway.Usage{Output: 400}}, Bills: gateway.BillsInFull}
	if b := cutOff(&o, program, when.Add(time.Second)); b.Entry.Usage.Output != 5 {
		t.Errorf("booked %d tokens of an answer that has 5", b.Entry.Usage.Output)
	}
}
