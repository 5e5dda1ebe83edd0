// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"skywatch/internal/probe"
)

// Which addresses of a name are probed.
const (
	addressesFirst = "first" // one, by the rules of blackbox_exporter
	addressesAny   = "any"   // one after the other up to one that passes
	addressesAll   = "all"   // each must pass
)

// maxAddresses is how many addresses of a name are probed, and shown.
const maxAddresses = 16

var descAddressSuccess = &probe.Desc{Name: "probe_address_success", Labels: []string{"address"}, Help: "Whether the probe of one of the target's addresses succeeded."}

// addressTurn travels in the context of a probe and tells dialer.resolve which address is meant. The first time it has none yet: the
// prober is to look its target up, as it alone knows how to read that, and to go no further.
type addressTurn struct {
	addrs []netip.Addr
	took  time.Duration // of the look-up
	now   netip.Addr    // whose turn it is
}

type addressTurnKey struct{}

// errLookedUp ends the part of a probe that only finds out the addresses. Nobody gets to see it.
var errLookedUp = probe.Failf(probe.ReasonInternal, "looked up, want the addresses one by one")

// take gives the address whose turn it is, after it has made sure that all of them are known.
func (t *addressTurn) take(ctx context.Context, d dialer, host string) (netip.Addr, time.Duration, error) {
	if t.now.IsValid() {
		return t.now, t.took, nil
	}
	start := time.Now()
	found, err := d.lookupAll(ctx, host)
	t.took = time.Since(start)
	if err != nil {
		return netip.Addr{}, t.took, err
	}
	t.addrs = found
	return netip.Addr{}, t.took, errLookedUp
}

// lookupAll gives the addresses that may be probed, each once, those of the wanted family first.
func (d dialer) lookupAll(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, ok := d.literal(host); ok {
		return []netip.Addr{addr}, nil
	}
	found, err := d.find(ctx, host)
	if err != nil {
		return nil, err
	}
	var wanted, others []netip.Addr
	for _, addr := range found {
		list := &others
		if addr = addr.Unmap(); addr.Is4() == (d.wanted == "ip4") {
			list = &wanted
		}
		if !slices.Contains(*list, addr) {
			*list = append(*list, addr)
		}
	}
	if d.fallback {
		wanted = append(wanted, others...)
	}
	if len(wanted) == 0 {
		return nil, d.resolveError(ctx, host, errors.New("no address of the family"))
	}
	return wanted, nil
}

// each makes the probe f of as many addresses of the target as the module says. Each gets an equal share of the time that is left when
// its turn comes.
func (d *dialer) each(ctx context.Context, r *probe.Recorder, f func(context.Context, *probe.Recorder) error) error {
	if d.several == "" {
		return f(ctx, r)
	}
	return d.eachInTurn(ctx, r, f)
}

// eachInTurn is each for several addresses. It is apart, so that the probe of one does not carry its share of the stack.
func (d *dialer) eachInTurn(ctx context.Context, r *probe.Recorder, f func(context.Context, *probe.Recorder) error) error {
	turn := new(addressTurn)
	ctx = context.WithValue(ctx, addressTurnKey{}, turn)
	scout := r.Draft()
	if err := f(ctx, scout); !errors.Is(err, errLookedUp) { // it ended before there was an address, or without one
		r.Adopt(scout)
		return err
	}
	if len(turn.addrs) > maxAddresses {
		r.Log.Warn("too many addresses", "found", len(turn.addrs), "probed", maxAddresses)
		turn.addrs = turn.addrs[:maxAddresses]
	}
	var outcomes []addressOutcome
	for i, addr := range turn.addrs {
		turn.now = addr
		o := addressOutcome{addr: addr, draft: r.Draft()}
		o.err = within(ctx, len(turn.addrs)-i, func(ctx context.Context) error { return f(ctx, o.draft) })
		outcomes = append(outcomes, o)
		r.Set(descAddressSuccess, o.success(), addr.String())
		if o.err == nil && d.several == addressesAny || probe.ReasonOf(o.err) == probe.ReasonAuth {
			break // the same secret at the next address would be the same refusal, and one more of them
		}
	}
	return d.settle(r, outcomes)
}

// within runs f in one of n equal shares of the time left, of which a little is kept to make one outcome of all.
func within(ctx context.Context, n int, f func(context.Context) error) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		return f(ctx)
	}
	left := time.Until(deadline)
	ctx, cancel := context.WithTimeout(ctx, (left-left/20)/time.Duration(n))
	defer cancel()
	return f(ctx)
}

// addressOutcome is what became of the probe of one address.
type addressOutcome struct {
	addr  netip.Addr
	draft *probe.Recorder
	err   error
}

func (o addressOutcome) success() float64 {
	if o.err == nil {
		return 1
	}
	return 0
}

// settle makes one outcome of all: the metrics are those of the address that decides, the first one that fails, or that passed for "any".
func (d dialer) settle(r *probe.Recorder, outcomes []addressOutcome) error {
	failed := func(o addressOutcome) bool { return o.err != nil }
	last := outcomes[len(outcomes)-1]
	if d.several == addressesAny && !failed(last) {
		r.Adopt(last.draft)
		return nil
	}
	i := slices.IndexFunc(outcomes, failed)
	if i < 0 {
		r.Adopt(outcomes[0].draft)
		return nil
	}
	r.Adopt(outcomes[i].draft)
	n := 0
	for _, o := range outcomes {
		if failed(o) {
			n++
			r.Log.Warn("address fails", "address", o.addr, "err", o.err)
		}
	}
	return probe.Failf(probe.ReasonOf(outcomes[i].err), "%d of %d addresses fail, the first of them %s: %w", n, len(outcomes), outcomes[i].addr, outcomes[i].err)
}
