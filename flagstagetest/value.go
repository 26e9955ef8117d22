package flagstagetest

import (
	"encoding/json"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	// awkward are letters that need care when they are quoted, printed or cut.
	awkward = "ab \"\\/<&~\n\té\u2028\ufffd𝄞"
)

var (
	letter    = rapid.RuneFrom([]rune(letters))
	nextRune  = rapid.RuneFrom([]rune(letters + "._-"))
	anyText   = rapid.StringOfN(rapid.RuneFrom([]rune(awkward)), 0, 8, -1)
	fullText  = rapid.StringOfN(rapid.RuneFrom([]rune(awkward)), 1, 8, -1)
	fullTexts = rapid.SliceOfN(fullText, 0, 3)
)

// Keys generates keys that people choose: of templates, projects,
// environments and flags.
func Keys() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return string(letter.Draw(t, "first")) + rapid.StringOfN(nextRune, 0, 7, -1).Draw(t, "rest")
	})
}

// Actors generates members and service tokens, never nobody.
func Actors() *rapid.Generator[flagstage.Actor] {
	return rapid.Custom(func(t *rapid.T) flagstage.Actor {
		id := Keys().Draw(t, "id")
		if rapid.Bool().Draw(t, "service token") {
			return flagstage.Actor{ServiceTokenID: id}
		}
		return flagstage.Actor{MemberID: id}
	})
}

// usual is the instant to which instants shrink: a Monday morning.
var usual = time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC)

// Instants generates instants of the years 1970 to 2099, in UTC and whole
// milliseconds.
func Instants() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		const before, after = 55 * 365 * 24 * time.Hour, 73 * 365 * 24 * time.Hour
		unit := rapid.SampledFrom([]time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Millisecond}).Draw(t, "unit")
		count := rapid.Int64Range(-int64(before/unit), int64(after/unit)).Draw(t, "count")
		return usual.Add(time.Duration(count) * unit)
	})
}

// Values generates free JSON values: variations, values of clauses. They are
// never absent and never null, but may hold nulls.
func Values() *rapid.Generator[flags.Value] {
	return rapid.Map(freeJSON(2), parseValue)
}

// objects generates free JSON objects.
func objects() *rapid.Generator[flags.Value] {
	return rapid.Map(freeObject(2), parseValue)
}

// parseValue returns the value of a text that this package made.
func parseValue(text string) flags.Value {
	v, err := flags.ParseValue(text)
	if err != nil {
		panic("flagstagetest: generated " + text + ": " + err.Error())
	}
	return v
}

// freeJSON generates the texts of values with at most the given depth.
func freeJSON(depth int) *rapid.Generator[string] {
	generators := []*rapid.Generator[string]{
		rapid.SampledFrom([]string{"true", "false"}),
		rapid.Map(anyText, quote),
		rapid.SampledFrom([]string{"0", "1", "-7", "1.50", "-0", "1E5", "9007199254740993"}),
	}
	if depth > 0 {
		generators = append(generators, freeArray(depth), freeObject(depth))
	}
	return rapid.OneOf(generators...)
}

// freeInside generates what stands in arrays and objects.
func freeInside(depth int) *rapid.Generator[string] {
	return rapid.OneOf(freeJSON(depth-1), rapid.Just("null"))
}

func freeArray(depth int) *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(freeInside(depth), 0, 3), func(list []string) string {
		return "[" + strings.Join(list, ",") + "]"
	})
}

func freeObject(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		names := rapid.SliceOfNDistinct(anyText, 0, 3, rapid.ID[string]).Draw(t, "names")
		for i, name := range names {
			names[i] = quote(name) + ":" + freeInside(depth).Draw(t, "value")
		}
		return "{" + strings.Join(names, ",") + "}"
	})
}

// quote returns s as a JSON string.
func quote(s string) string {
	quoted, _ := json.Marshal(s) // a string can always be written
	return string(quoted)
}

// nilIfEmpty makes an empty list nil, as reading does.
func nilIfEmpty[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
