// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

// The shape of the file. Sizes are bytes.
const (
	pageSize  = 4096
	frameSize = pageSize + 24 // a page in the write-ahead log
	walHeader = 32
	slotSize  = 64   // of a raw result in its table: a row of 40 to 50, and the slack of pages that were split
	pageFill  = 3000 // what a page of a table with rows of many sizes holds on average
)

// The shares of the file. What they leave is slack for indexes and for pages that are partly filled.
const (
	shareRaw      = 0.45 // both kinds of results
	shareTraces   = 0.20
	shareOutbox   = 0.10 // transitions, deliveries and messages that are done with; pending ones are never evicted
	shareStates   = 0.08
	shareCounters = 0.06
	shareSeries   = 0.03
	shareTexts    = 0.02
	shareMemory   = 0.02
)

// The bounds of single things.
const (
	maxRequestSeries = 1000
	maxTexts         = 4096
	textBytes        = 512 // of an error text kept with a raw result
	counterBytes     = 320 // of the counters of a series, at most on average
)

// geometry is what follows from max_size: the ring's slots, the room of the write-ahead log, the caps of the tables.
type geometry struct {
	wal          int64 // bytes the write-ahead log may reach
	pages        int64 // pages the file may reach
	txn          int64 // pages one transaction may dirty
	slots        int64
	requestSlots int64
	traces       int64 // bytes, as are the caps below
	outbox       int64
	states       int64
	texts        int64
	memory       int64
	seriesBytes  int64
	series       int64 // series of checks
}

func newGeometry(c Config) geometry {
	g := geometry{wal: min(max(int64(c.MaxSize)/8, 256<<10), 16<<20)}
	g.pages = (int64(c.MaxSize) - g.wal) / pageSize
	g.txn = (g.wal-walHeader)/frameSize - 4
	file := float64(g.pages * pageSize)
	raw := file * shareRaw / slotSize
	g.requestSlots = int64(raw * c.RequestShare)
	g.slots = int64(raw) - g.requestSlots
	g.traces, g.outbox, g.states = int64(file*shareTraces), int64(file*shareOutbox), int64(file*shareStates)
	g.texts, g.memory, g.seriesBytes = int64(file*shareTexts), int64(file*shareMemory), int64(file*shareSeries)
	g.series = int64(file * shareCounters / counterBytes)
	return g
}

// overflowPages is a careful count of the pages a value of n bytes fills.
func overflowPages(n int) int64 { return int64(n)/(pageSize-8) + 1 }
