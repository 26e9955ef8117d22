package flags

import (
	"crypto/sha1"
	"encoding/binary"
	"strconv"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// bucketOutcome says how a context got its place in a rollout.
type bucketOutcome byte

const (
	bucketFound     bucketOutcome = iota // by its key or attribute, or at 0 for want of a usable attribute
	bucketNoContext                      // at 0, for want of a context of the kind
	bucketMalformed                      // not at all: the attribute is no reference
)

// bucket returns the place of the context in a rollout, from 0 up to 1. It
// depends on the seed, or on key and salt if there is none, and on the context's
// attribute, "" for its key. Places are as coarse as the SDKs', whose single
// precision is part of who gets what.
func (e *evaluator) bucket(key, salt string, seed number, contextKind, attribute string) (float32, bucketOutcome) {
	ref := reference{attributeKey, true}
	if attribute != "" {
		ref = newReference(attribute, contextKind)
	}
	if !ref.isValid() {
		return 0, bucketMalformed
	}
	part := e.context.part(orUser(contextKind))
	if part == nil {
		return 0, bucketNoContext
	}
	v := part.find(ref)
	whole := int(v.number)
	if v.sort != strictjson.String && (v.sort != strictjson.Number || float64(whole) != v.number) {
		return 0, bucketFound
	}
	var room [128]byte
	input := room[:0]
	if seed.given {
		input = strconv.AppendInt(input, int64(float64(seed.n)), 10) // the SDKs read numbers as doubles
	} else {
		input = append(append(append(input, key...), '.'), salt...)
	}
	input = append(input, '.')
	if v.sort == strictjson.String {
		input = append(input, v.text...)
	} else {
		input = strconv.AppendInt(input, int64(whole), 10)
	}
	sum := sha1.Sum(input)
	const digits = 60 // bits of the sum that count
	return float32(binary.BigEndian.Uint64(sum[:])>>(64-digits)) / (1<<digits - 1), bucketFound
}

// share returns a weight as a part of 1.
func share(weight int) float32 { return float32(weight) / FullWeight }

// share returns the share of the rollout at a place. If the weights do not
// reach so far, it is the last one.
func (b *rolloutBody) share(at float32) (w WeightedVariation, covered bool) {
	sum := float32(0)
	for i := range b.weights {
		w = b.weights[i].WeightedVariation
		if sum += share(w.Weight); at < sum {
			return w, true
		}
	}
	return w, false
}
