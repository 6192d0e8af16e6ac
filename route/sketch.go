package route

import (
	"math"
	"time"
)

// The buckets of a sketch grow by 4 % from 1 ms to about 280 s: a quantile is within
// 2 % of a sample. Source: routing reference section 1 (estimators).
const (
	gamma    = 1.04
	buckets  = 320
	smallest = time.Millisecond
	slots    = 6
)

var logGamma = math.Log(gamma)

func bucketOf(d time.Duration) int {
	if d <= smallest {
		return 0
	}
	return min(int(math.Log(float64(d)/float64(smallest))/logGamma)+1, buckets-1)
}

func bucketValue(i int) time.Duration {
	return time.Duration(float64(smallest) * math.Pow(gamma, float64(i)-0.5))
}

// sketch counts durations of a sliding window in log buckets. It keeps a running sum,
// so that a quantile is one pass over 320 counters. A call that was cut, or is still
// waiting, is counted as the time it has waited: dropping those would learn the
// quantile from a truncated distribution and double the hedge rate.
type sketch struct {
	slot  time.Duration
	count [slots][buckets]uint32
	total [slots]uint32
	sum   [buckets]uint32
	n     uint32
	cur   int64 // number of the current slot since the epoch; 0 before the first sample
}

func newSketch(window time.Duration) *sketch { return &sketch{slot: window / slots} }

func (s *sketch) roll(now time.Time) int {
	c := now.UnixNano() / int64(s.slot)
	if s.cur == 0 || c-s.cur > slots {
		*s = sketch{slot: s.slot, cur: c}
	}
	for s.cur < c {
		s.cur++
		s.drop(int(s.cur % slots))
	}
	return int(s.cur % slots)
}

func (s *sketch) drop(i int) {
	if s.total[i] == 0 {
		return
	}
	for b, n := range s.count[i] {
		s.sum[b] -= n
	}
	s.n -= s.total[i]
	s.count[i], s.total[i] = [buckets]uint32{}, 0
}

func (s *sketch) add(now time.Time, d time.Duration) { s.many(now, d, 1) }

// many adds a duration so many times.
func (s *sketch) many(now time.Time, d time.Duration, times int) {
	i, b, n := s.roll(now), bucketOf(d), uint32(times)
	s.count[i][b] += n
	s.total[i] += n
	s.sum[b] += n
	s.n += n
}

// quantile is the q-quantile of the window and the number of samples behind it.
func (s *sketch) quantile(now time.Time, q float64) (time.Duration, int) {
	s.roll(now)
	if s.n == 0 {
		return 0, 0
	}
	rank, seen := uint32(q*float64(s.n-1)), uint32(0)
	for b, n := range s.sum {
		if seen += n; seen > rank {
			return bucketValue(b), int(s.n)
		}
	}
	return bucketValue(buckets - 1), int(s.n)
}
