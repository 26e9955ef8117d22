package flagstage

import (
	"math"

	"github.com/flagstage/flagstage/flags"
)

// The store's keys of flags and segments.
const (
	flagPrefix       = "flag/"
	flagChangePrefix = "flagchange/"
	flagLinksPrefix  = "flaglinks/"
	segmentPrefix    = "segment/"
)

// The first bytes of the values of flags and segments.
const (
	flagFormat      = 1
	flagLinksFormat = 1
	segmentFormat   = 1
)

func flagRecordKey(project, flag string) string { return flagPrefix + project + "/" + flag }

// flagChanges returns what the keys of a flag's changes begin with.
func flagChanges(project, flag string) string { return flagChangePrefix + project + "/" + flag + "/" }

func flagChangeKey(project, flag string, counter int64) string {
	return string(appendHex([]byte(flagChanges(project, flag)), counter))
}

// flagLinksKey returns the key of a project's links. The record there says nothing
// but when flags of the project last changed in a way that other flags can see. It
// is never deleted, since its absence would look as if there had been none yet.
func flagLinksKey(project string) string { return flagLinksPrefix + project }

func segmentRecordKey(project, environment, segment string) string {
	return segmentPrefix + project + "/" + environment + "/" + segment
}

// UnreadableFlagError is the error of a flag or segment that is stored but
// cannot be read: it is damaged, or a later version of this module wrote it. It
// wraps [ErrFormat].
type UnreadableFlagError struct {
	Key      string // of the record
	Revision int64  // of the record
	Reason   string // what is wrong with it
}

// Error names the record and the reason.
func (e *UnreadableFlagError) Error() string {
	return "the stored " + quoteKey(e.Key) + " cannot be read: " + e.Reason
}

// Unwrap returns [ErrFormat].
func (e *UnreadableFlagError) Unwrap() error { return ErrFormat }

// flagState is a flag as the store has it.
type flagState struct {
	flag     flags.Flag
	counter  int64 // how often it has changed
	revision int64 // of the record; 0: there is none
}

func encodeFlag(o operation, flag flags.Flag, counter int64) []byte {
	p := make(packer, 0, 4096)
	p.byte(flagFormat)
	p.bytes(o[:])
	p.uint(uint64(counter))
	return flag.AppendJSON(p)
}

func decodeFlagRecord(r Record) (flagState, error) {
	u, why := unpack(r.Value, flagFormat)
	if why != "" {
		return flagState{}, &UnreadableFlagError{r.Key, r.Revision, why}
	}
	s := flagState{counter: u.int(math.MaxInt64), revision: r.Revision}
	if u.bad {
		return flagState{}, &UnreadableFlagError{r.Key, r.Revision, "its record is cut short"}
	}
	var problems Problems
	if s.flag, problems = flags.DecodeFlag(u.rest); problems.Err() != nil {
		return flagState{}, &UnreadableFlagError{r.Key, r.Revision, "its record is damaged: " + problems.Err().Error()}
	}
	return s, nil
}

func encodeLinks(o operation) []byte { return append([]byte{flagLinksFormat}, o[:]...) }

func encodeSegment(o operation, s flags.Segment) []byte {
	p := make(packer, 0, 1024)
	p.byte(segmentFormat)
	p.bytes(o[:])
	return s.AppendJSON(p)
}

func decodeSegmentRecord(r Record) (flags.Segment, error) {
	u, why := unpack(r.Value, segmentFormat)
	if why != "" {
		return flags.Segment{}, &UnreadableFlagError{r.Key, r.Revision, why}
	}
	s, problems := flags.DecodeSegment(u.rest)
	if err := problems.Err(); err != nil {
		return flags.Segment{}, &UnreadableFlagError{r.Key, r.Revision, "its record is damaged: " + err.Error()}
	}
	return s, nil
}
