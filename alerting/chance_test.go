// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// life is a world in which things happen by chance. The same seed gives the same steps.
type life struct {
	*world
	chance *rand.Rand
	heal   func() // ends what the journal refuses; nil = it takes writes
	mu     sync.Mutex
	luck   *rand.Rand // of the notifiers
	broken int        // of ten attempts to send, so many fail
}

// attempt is the answer of a notifier.
func (l *life) attempt(int, record.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.luck.IntN(10) >= l.broken {
		return nil
	}
	return []error{errDown, errNo, errNoAnswer}[l.luck.IntN(3)]
}

func (l *life) step() {
	check := l.checks[l.chance.IntN(len(l.checks))].Name
	switch l.chance.IntN(16) {
	case 0, 1, 2, 3:
		l.down(check)
	case 4, 5, 6:
		l.up(check)
	case 7:
		l.observe(check, probe.Inconclusive)
	case 8:
		if l.heal == nil {
			l.heal = l.refuse()
		} else {
			l.healed()
		}
	case 9:
		broken := l.chance.IntN(11)
		l.mu.Lock()
		l.broken = broken
		l.mu.Unlock()
	case 10:
		l.healed()
		l.restart()
	case 11:
		l.healed()
		l.kill()
		l.start()
	case 12:
		l.healed() // the journal refuses at the start of the next life
		l.kill()
		l.heal = l.refuse()
		l.start()
	case 13:
		if len(l.checks) > 1 {
			l.checks = l.checks[1:]
		} else {
			l.checks = append(l.checks, probe.Check{Name: fmt.Sprint("N", l.chance.IntN(100))}, probe.Check{Name: "A"})
		}
		l.apply()
	case 14, 15: // some of four targets fail
		var failing []string
		for _, target := range sites {
			if l.chance.IntN(2) == 0 {
				failing = append(failing, target)
			}
		}
		l.fails(check, failing...)
	}
	time.Sleep(time.Duration(l.chance.IntN(20000)) * time.Millisecond)
}

// healed lets the journal take writes, and waits until it has them.
func (l *life) healed() {
	if l.heal != nil {
		l.heal()
		l.heal = nil
	}
	time.Sleep(10 * time.Second)
}

// TestByChance lives through random days of outages, of disk and notifiers too, and compares what was told at their ends.
func TestByChance(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &life{world: newWorld(t, "ops", "other"), chance: rand.New(rand.NewPCG(seed, 0)), luck: rand.New(rand.NewPCG(seed, 1))}
				for _, b := range l.boxes {
					b.reply = l.attempt
				}
				l.start()
				for range 150 {
					l.step()
				}
				l.healed()
				for _, b := range l.boxes {
					b.take()
				}
				time.Sleep(24 * time.Hour)
				l.checkIncidents()
				if p := l.alerter.Pending(); len(p) != 0 {
					t.Errorf("pending: %+v, want nothing", p)
				}
			})
		})
	}
}
