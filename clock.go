package flagstage

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Clock tells the time. It is asked once in each call, and the answer passed
// down; only a tick asks again, to know how long what it delivers is claimed, and
// when the results come. Clocks are safe for concurrent use. They may jump, also
// back: what is noted of a workflow never is earlier than what was noted before.
type Clock interface {
	Now() time.Time
}

// ClockFunc is a Clock made of a function.
type ClockFunc func() time.Time

// Now calls the function.
func (f ClockFunc) Now() time.Time { return f() }

// SystemClock returns the clock of the machine.
func SystemClock() Clock { return ClockFunc(time.Now) }

// VirtualClock is a clock that stands still until it is moved: for tests and
// for programs that live in a time of their own. The zero VirtualClock stands
// at the zero time; use [NewVirtualClock]. It is safe for concurrent use.
// [Engine.Run] does not hear of it when it is moved: call [Engine.Tick].
type VirtualClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewVirtualClock returns a clock that stands at now.
func NewVirtualClock(now time.Time) *VirtualClock { return &VirtualClock{now: now} }

// Now returns where the clock stands.
func (c *VirtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set moves the clock to now, which may be in its past.
func (c *VirtualClock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// Advance moves the clock by d, backwards if d is negative, and returns where
// it then stands.
func (c *VirtualClock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// Instant returns t as this module keeps instants: in UTC, cut to whole
// milliseconds, without a monotonic reading. It is meant for the years 1970 to
// 9999.
func Instant(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

// ids makes UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, a counter
// of 32 bits, 42 random bits. The counter makes the identifiers of one
// millisecond ascend; it starts anew when the time has moved forward.
type ids struct {
	mu     sync.Mutex
	random *rand.ChaCha8
	last   int64
	count  uint32
}

// RandomIDs returns a source of identifiers that never repeat. It is safe for
// concurrent use.
func RandomIDs() IDSource {
	var seed [32]byte
	crand.Read(seed[:])
	return newIDs(seed)
}

// SeededIDs returns a source whose identifiers are the same for the same seed
// and the same calls, on every machine. Use it where output must repeat, such
// as tests and simulations. It is safe for concurrent use, but then the order
// of the calls, and with it who gets which identifier, is not fixed.
func SeededIDs(seed uint64) IDSource {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	return newIDs(s)
}

func newIDs(seed [32]byte) IDSource {
	return &ids{random: rand.NewChaCha8(seed), last: -1}
}

// NewID returns the next identifier.
func (s *ids) NewID(at time.Time) string {
	s.mu.Lock()
	ms := max(at.UnixMilli(), 0)
	if ms > s.last {
		s.last, s.count = ms, 0
	}
	count, random := s.count, s.random.Uint64()
	s.count++
	s.mu.Unlock()

	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16|0x7000|uint64(count>>20))
	binary.BigEndian.PutUint64(id[8:], 0b10<<62|uint64(count&(1<<20-1))<<42|random&(1<<42-1))
	return id.String()
}

// operation names one write of one engine. It stands in the records that the
// write leaves.
type operation [16]byte

// operations names the writes of an engine. The names begin at a random one, so
// that no two engines make the same, and are of no use to anybody else.
type operations struct {
	first operation
	count atomic.Uint64
}

// begin chooses the first name.
func (o *operations) begin() { crand.Read(o.first[:]) }

// next returns the next name.
func (o *operations) next() operation {
	next := o.first
	low := next[len(next)-8:]
	binary.BigEndian.PutUint64(low, binary.BigEndian.Uint64(low)+o.count.Add(1))
	return next
}
