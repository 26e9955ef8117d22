//go:build unix

package flagstage_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/buntdb"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
)

// slack is by how much a ratio may miss what it must be before a benchmark
// fails, on machines that do other things too.
const slack = 1.3

var liveHeap []byte

// compare measures subject against base by the time of the processors, in short
// slices of both in turn, and reports the median ratio: lower is better. It
// fails if that is more than must, with slack; 0 is no limit.
func compare(b *testing.B, must float64, base, subject func()) {
	compareTimes(b, must, slicesOf(processorTime, base), slicesOf(processorTime, subject))
}

// compareWall is compare by the clock on the wall, for what waits for a disk.
func compareWall(b *testing.B, must float64, base, subject func()) {
	begin := time.Now()
	wall := func() time.Duration { return time.Since(begin) }
	compareTimes(b, must, slicesOf(wall, base), slicesOf(wall, subject))
}

// slicesOf returns what measures how long f takes, by calling it for a while.
func slicesOf(now func() time.Duration, f func()) func() float64 {
	return func() float64 {
		n, begin := 0, now()
		for until := time.Now().Add(15 * time.Millisecond); n == 0 || time.Now().Before(until); n++ {
			f()
		}
		return float64(now()-begin) / float64(n)
	}
}

// processorTime is how long processors have worked for this process, the
// garbage collector included.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// compareTimes is compare for what measures its time itself, in nanoseconds.
func compareTimes(b *testing.B, must float64, base, subject func() float64) {
	liveHeap = make([]byte, 64<<20) // as in a host program
	var bases, subjects, ratios []float64
	for b.Loop() {
		base, subject := base(), subject()
		bases, subjects, ratios = append(bases, base), append(subjects, subject), append(ratios, subject/base)
	}
	median := func(list []float64) float64 {
		slices.Sort(list)
		return list[len(list)/2]
	}
	b.ReportMetric(median(bases), "base-ns")
	b.ReportMetric(median(subjects), "subject-ns")
	b.ReportMetric(median(ratios), "ratio")
	if must == 0 {
		return
	}
	b.ReportMetric(must, "must")
	if len(ratios) >= 6 && median(ratios) > must*slack {
		b.Errorf("the ratio is %.3f, must be at most %.2f", median(ratios), must)
	}
}

// The same document as encoding/json takes it: requests, and what is printed.
type (
	plainTemplate struct {
		ID             string               `json:"_id,omitempty"`
		Key            string               `json:"key,omitempty"`
		PrintedKey     string               `json:"_key,omitempty"`
		CreationDate   int64                `json:"_creationDate,omitempty"`
		OwnerID        string               `json:"_ownerId,omitempty"`
		MaintainerID   string               `json:"_maintainerId,omitempty"`
		Links          map[string]plainLink `json:"_links,omitempty"`
		Name           string               `json:"name,omitempty"`
		Description    string               `json:"description,omitempty"`
		ProjectKey     string               `json:"projectKey,omitempty"`
		EnvironmentKey string               `json:"environmentKey,omitempty"`
		FlagKey        string               `json:"flagKey,omitempty"`
		Stages         []plainStage         `json:"stages"`
	}
	plainLink struct {
		Href string `json:"href"`
		Type string `json:"type"`
	}
	plainStage struct {
		ID         string           `json:"_id,omitempty"`
		Name       string           `json:"name,omitempty"`
		Sequence   bool             `json:"executeConditionsInSequence,omitempty"`
		Conditions []plainCondition `json:"conditions"`
		Action     plainAction      `json:"action"`
		Execution  *plainExecution  `json:"_execution,omitempty"`
	}
	plainExecution struct {
		Status string `json:"status"`
	}
	plainAction struct {
		Kind         string             `json:"kind,omitempty"`
		Instructions []plainInstruction `json:"instructions"`
	}
	plainCondition struct {
		ID               string          `json:"_id,omitempty"`
		Execution        *plainExecution `json:"_execution,omitempty"`
		Description      *string         `json:"description,omitempty"`
		NotifyMemberIDs  *[]string       `json:"notifyMemberIds,omitempty"`
		AllReviews       *[]string       `json:"allReviews,omitempty"`
		ReviewStatus     *string         `json:"reviewStatus,omitempty"`
		Kind             string          `json:"kind"`
		ScheduleKind     string          `json:"scheduleKind,omitempty"`
		ExecutionDate    int64           `json:"executionDate,omitempty"`
		WaitDuration     int64           `json:"waitDuration,omitempty"`
		WaitDurationUnit string          `json:"waitDurationUnit,omitempty"`
		ExecuteNow       bool            `json:"executeNow,omitempty"`
		NotifyTeamKeys   []string        `json:"notifyTeamKeys,omitempty"`
	}
	plainInstruction struct {
		ID                 string         `json:"_id,omitempty"`
		Kind               string         `json:"kind"`
		VariationID        string         `json:"variationId,omitempty"`
		RuleID             string         `json:"ruleId,omitempty"`
		Ref                string         `json:"ref,omitempty"`
		Description        string         `json:"description,omitempty"`
		RolloutContextKind string         `json:"rolloutContextKind,omitempty"`
		RolloutWeights     map[string]int `json:"rolloutWeights,omitempty"`
		Values             []string       `json:"values,omitempty"`
		Clauses            []plainClause  `json:"clauses,omitempty"`
	}
	plainClause struct {
		ContextKind string   `json:"contextKind"`
		Attribute   string   `json:"attribute"`
		Op          string   `json:"op"`
		Negate      bool     `json:"negate"`
		Values      []string `json:"values"`
	}
)

// sixStages returns a template document of 4.2 KB.
func sixStages(b *testing.B) []byte {
	document, err := os.ReadFile("testdata/six-stages.json")
	require.NoError(b, err)
	return document
}

// BenchmarkReadTemplate compares reading and judging a template with
// encoding/json, which judges nothing.
func BenchmarkReadTemplate(b *testing.B) {
	document := sixStages(b)
	compare(b, 0.30, func() {
		var t plainTemplate
		if json.Unmarshal(document, &t) != nil || len(t.Stages) != 6 {
			b.Fatal("encoding/json failed")
		}
	}, func() {
		input, problems := flagstage.ReadTemplate(document)
		if problems != nil || len(input.Stages) != 6 {
			b.Fatal(problems)
		}
	})
}

// BenchmarkPrintTemplate compares printing a template with encoding/json.
func BenchmarkPrintTemplate(b *testing.B) {
	input, problems := flagstage.ReadTemplate(sixStages(b))
	require.Empty(b, problems)
	template := create(b, input)
	printed := template.AppendJSON(nil)
	var plain plainTemplate
	require.NoError(b, json.Unmarshal(printed, &plain))
	same, err := json.Marshal(plain)
	require.NoError(b, err)
	require.JSONEq(b, string(printed), string(same), "both print the same")
	require.LessOrEqual(b, testing.AllocsPerRun(100, func() { _, _ = template.MarshalJSON() }), 1.0)
	compare(b, 0.40, func() {
		if out, err := json.Marshal(&plain); err != nil || len(out) != len(same) {
			b.Fatal(err)
		}
	}, func() {
		if out, err := template.MarshalJSON(); err != nil || len(out) != len(printed) {
			b.Fatal(err)
		}
	})
}

func newYork(b *testing.B) (*time.Location, time.Time) {
	zone, err := calendar.Zone("America/New_York")
	require.NoError(b, err)
	return zone, time.Date(2020, 1, 1, 9, 30, 0, 0, zone)
}

// tenYears is a walk of so many days.
const tenYears = 3652

var day = calendar.Wait{Count: 1, Unit: calendar.Day}

// addDates walks with the standard library.
func addDates(b *testing.B, from time.Time) {
	at := from
	for range tenYears {
		at = at.AddDate(0, 0, 1)
	}
	if at.Hour() != 9 {
		b.Fatal(at)
	}
}

// BenchmarkCalendarDay compares a calendar day later with time.AddDate.
func BenchmarkCalendarDay(b *testing.B) {
	zone, from := newYork(b)
	compare(b, 0.6, func() { addDates(b, from) }, func() {
		at, err := from, error(nil)
		for range tenYears {
			if at, err = day.After(at, zone); err != nil {
				b.Fatal(err)
			}
		}
		if at.In(zone).Hour() != 9 {
			b.Fatal(at)
		}
	})
}

// BenchmarkCalendarCursor compares the same with a cursor.
func BenchmarkCalendarCursor(b *testing.B) {
	zone, from := newYork(b)
	cursor := calendar.NewCursor(zone)
	compare(b, 0.15, func() { addDates(b, from) }, func() {
		at, err := from, error(nil)
		for range tenYears {
			if at, err = cursor.After(at, day); err != nil {
				b.Fatal(err)
			}
		}
		if at.In(zone).Hour() != 9 {
			b.Fatal(at)
		}
	})
}

// benchCreation is the request of a template whose key is its number.
func benchCreation(b *testing.B) func(n int) []byte {
	before, after, ok := bytes.Cut(sixStages(b), []byte(`"six-stages"`))
	require.True(b, ok)
	return func(n int) []byte {
		document := make([]byte, 0, len(before)+len(after)+16)
		document = append(append(document, before...), '"')
		document = append(strconv.AppendInt(document, int64(n), 10), '"')
		return append(document, after...)
	}
}

// compareCreation compares an engine's creation of a template with decoding it
// by encoding/json and keeping the document in buntdb, each in a store of
// its own.
func compareCreation(b *testing.B, compare func(b *testing.B, must float64, base, subject func()), must float64, db *buntdb.DB, engine *flagstage.Engine) {
	document, n, m := benchCreation(b), 0, 0
	ctx, actor := b.Context(), flagstage.Actor{MemberID: "bench"}
	compare(b, must, func() {
		n++
		d := document(n)
		var t plainTemplate
		if json.Unmarshal(d, &t) != nil {
			b.Fatal("encoding/json failed")
		}
		if err := db.Update(func(tx *buntdb.Tx) error {
			_, _, err := tx.Set("template/"+t.Key, string(d), nil)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}, func() {
		m++
		if _, err := engine.CreateTemplateJSON(ctx, actor, document(m)); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkCreateInMemory compares reading, judging, printing and keeping a
// template in memory.
func BenchmarkCreateInMemory(b *testing.B) {
	engine, err := flagstage.NewMemory()
	require.NoError(b, err)
	defer engine.Close()
	compareCreation(b, compare, 0.50, memoryBunt(b), engine)
}

// memoryBunt opens buntdb in memory, until the end of the benchmark.
func memoryBunt(b *testing.B) *buntdb.DB {
	db, err := buntdb.Open(":memory:")
	require.NoError(b, err)
	b.Cleanup(func() { db.Close() })
	return db
}

// plainBunt opens buntdb in a file, until the end of the benchmark.
func plainBunt(b *testing.B, policy buntdb.SyncPolicy) *buntdb.DB {
	db, err := buntdb.Open(filepath.Join(b.TempDir(), "bunt"))
	require.NoError(b, err)
	var config buntdb.Config
	require.NoError(b, db.ReadConfig(&config))
	config.SyncPolicy, config.AutoShrinkDisabled = policy, true
	require.NoError(b, db.SetConfig(config))
	b.Cleanup(func() { db.Close() })
	return db
}

// BenchmarkCreateInFile compares the same in a file that is not synced.
func BenchmarkCreateInFile(b *testing.B) {
	db := plainBunt(b, buntdb.Never)
	engine, err := flagstage.Open(filepath.Join(b.TempDir(), "flagstage"), flagstage.WithDurability(flagstage.DurabilityNever))
	require.NoError(b, err)
	defer engine.Close()
	compareCreation(b, compareWall, 0.60, db, engine)
}
