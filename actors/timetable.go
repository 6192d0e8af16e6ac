package actors

import (
	"container/heap"
	"time"
)

// timetable orders jobs by when their walk wants to be woken, so that the router needs
// one timer in all instead of several per request.
type timetable []*job

func (t timetable) Len() int           { return len(t) }
func (t timetable) Less(i, j int) bool { return t[i].wake.Before(t[j].wake) }
func (t timetable) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].heapPos, t[j].heapPos = i, j
}

// Push implements heap.Interface.
func (t *timetable) Push(x any) {
	j := x.(*job)
	j.heapPos = len(*t)
	*t = append(*t, j)
}

// Pop implements heap.Interface.
func (t *timetable) Pop() any {
	old := *t
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	j.heapPos = -1
	return j
}

// set moves a job to a new time; the zero time removes it.
func (t *timetable) set(j *job, at time.Time) {
	switch {
	case at.IsZero():
		if j.heapPos >= 0 {
			heap.Remove(t, j.heapPos)
		}
	case j.heapPos < 0:
		j.wake = at
		heap.Push(t, j)
	case !at.Equal(j.wake):
		j.wake = at
		heap.Fix(t, j.heapPos)
	}
}

// due removes and returns the next job whose time has come.
func (t *timetable) due(now time.Time) *job {
	if len(*t) == 0 || now.Before((*t)[0].wake) {
		return nil
	}
	return heap.Pop(t).(*job)
}
