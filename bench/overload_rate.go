package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// saturation finds what the gateway sustains, offers several times that, and compares.
func (o *overload) saturation(ctx context.Context, v *verdict) error {
	o.rig.ttft = 50 * time.Millisecond
	if o.cpu > 0 {
		group, err := cpuGroup(o.cpu)
		if err != nil {
			o.say("no limit of its processor (%v): the sender may take it from the gateway", err)
		}
		o.rig.group = group
		defer func() {
			o.rig.stop()
			o.rig.group = nil
			if err := group.remove(); err != nil {
				o.say("%v", err)
			}
		}()
	}
	_, gateway, err := o.servers(ctx)
	if err != nil {
		return err
	}
	for _, sh := range []shape{
		{name: "whole answers", prompt: 1000, tokens: 40},
		{name: "streams of 100 chunks", stream: true, prompt: 1000, tokens: 100, gap: 5 * time.Millisecond},
	} {
		if o.shape != "" && !strings.HasPrefix(sh.name, o.shape) {
			continue
		}
		if err := o.saturate(ctx, v, gateway, &sh); err != nil {
			return err
		}
	}
	return nil
}

func (o *overload) saturate(ctx context.Context, v *verdict, gateway *process, sh *shape) error {
	t, err := sh.target(gateway.base, benchKey)
	if err != nil {
		return err
	}
	load := func(conns int) *flood {
		f := newFlood(gateway.base, t, conns)
		f.connect(ctx)
		return f
	}
	load(32).closed(ctx, 2*time.Second) // warm-up
	workers, best := 0, 0.0
	for _, n := range []int{64, 128, 256, 512, 1024} { // as many in flight as give most
		if r := load(n).closed(ctx, 2*time.Second); r.rate() > best {
			workers, best = n, r.rate()
		}
	}
	var shares, sent []float64
	var peaks, over []*report
	peak, err := o.peak(ctx, gateway, sh, load(workers))
	if err != nil {
		return err
	}
	for range o.rounds {
		offered := o.times * peak.rate()
		var flood *report
		from := load(o.conns)
		took, err := spent(gateway, func() { flood = from.open(ctx, offered, o.length) })
		if err != nil {
			return err
		}
		after, err := o.peak(ctx, gateway, sh, load(workers))
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		share := flood.rate() / ((peak.rate() + after.rate()) / 2)
		left := 1 - float64(flood.failed[errNotSent.Error()])/float64(flood.ok+flood.failures())
		o.say("%s: of %.0f/s offered %.0f %% sent, %.0f/s answered, %.0f %% of the peaks on either side (p99 %s, sent late %s; %s of the gateway's processor for each, %.0f %% of one), %v", sh.name,
			offered, 100*left, flood.rate(), 100*share, at(flood.after, 99), at(flood.late, 99), each(took, flood.ok), 100*took.Seconds()/flood.took.Seconds(), flood.failed)
		shares, sent, peaks, over = append(shares, share), append(sent, left), append(peaks, peak), append(over, flood)
		peak = after
	}
	slices.Sort(sent)
	slices.Sort(shares)
	share := shares[len(shares)/2]
	byP99 := func(a, b *report) int { return int(at(a.after, 99) - at(b.after, 99)) }
	slices.SortFunc(over, byP99)
	slices.SortFunc(peaks, byP99)
	middle := over[len(over)/2]
	p99, usual := at(middle.after, 99), at(peaks[len(peaks)/2].after, 99)
	v.add(share >= 0.8, fmt.Sprintf("%s: answered at %.0f times the sustained rate", sh.name, o.times), ">= 80 % of the peak",
		"%.0f %% (rounds: %.0f to %.0f; %.0f %% of the rate was sent)", 100*share, 100*shares[0], 100*shares[len(shares)-1], 100*sent[len(sent)/2])
	v.add(p99 <= usual+2*time.Second, sh.name+": p99 of what is admitted", "2 s more than at the peak", "%s, at the peak %s (from when a call left; the sender was late by %s)", p99, usual, at(middle.late, 99))
	return nil
}

// peak is what the gateway answers at most, and says so.
func (o *overload) peak(ctx context.Context, gateway *process, sh *shape, load *flood) (*report, error) {
	var r *report
	took, err := spent(gateway, func() { r = load.closed(ctx, o.length) })
	if err != nil {
		return nil, err
	}
	o.say("%s: peak %.0f/s with %d in flight (p99 %s; %s of the gateway's processor for each, %.0f %% of one), %v", sh.name,
		r.rate(), load.conns, at(r.after, 99), each(took, r.ok), 100*took.Seconds()/r.took.Seconds(), r.failed)
	return r, nil
}

// spent is the processor time that a process takes while something is done to it. Where
// it had less than it may have, a rate says what the machine's other programs left.
func spent(p *process, do func()) (time.Duration, error) {
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	do()
	after, err := p.cpu()
	return after - before, err
}

// each is one call's part of a time.
func each(whole time.Duration, calls int64) time.Duration {
	return (whole / time.Duration(max(calls, 1))).Round(time.Microsecond)
}
