package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
)

func TestTick(t *testing.T) {
	db := released(t)
	started(t, db, "second", "--zone", "UTC", "--name", "Second")
	require.Equal(t, "Nothing was due. Next due: 2026-10-22T07:00:00Z\n", on(t, db, "2026-10-22T06:59:59Z", "tick"))
	require.Equal(t, `2026-10-22T09:00:00+02:00  checkout: waits for approval of stage 2 since Thu 2026-10-22 09:00 +02:00
2026-10-22T07:00:00Z  second: waits for approval of stage 2 since Thu 2026-10-22 07:00 +00:00
Nothing more is due by itself.
`, on(t, db, "2026-10-22T07:00:00Z", "tick"))
	require.Equal(t, "Nothing was due. Nothing more is due by itself.\n", on(t, db, "2026-10-22T07:00:00Z", "tick"))
	for _, id := range []string{"checkout", "second"} {
		on(t, db, "2026-10-22T08:00:00Z", "review", id, "approve", "--member", "bob")
	}
	text := on(t, db, "2026-10-29T08:00:00Z", "tick")
	require.Equal(t, `2026-10-29T08:00:00Z  second: stage 3 is done; complete on Thu 2026-10-29 08:00 +00:00, 9 days 1 hour after its start
Next due: 2026-10-29T09:00:00Z
`, text, "a week is as long as it is in the zone of the workflow")

	var document struct {
		Now, NextDue            *int64
		Events, Applied, Failed int
		Workflows               []struct {
			ID               string `json:"_id"`
			Status, Standing string
			StagesDone       []int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(on(t, db, "2026-10-29T09:00:00Z", "tick", "--format", "json")), &document))
	require.Equal(t, int64(1793264400000), *document.Now)
	require.Nil(t, document.NextDue)
	require.Equal(t, 1, document.Applied)
	require.Equal(t, 0, document.Failed)
	require.Positive(t, document.Events)
	require.Len(t, document.Workflows, 1)
	require.Equal(t, "checkout", document.Workflows[0].ID)
	require.Equal(t, "completed", document.Workflows[0].Status)
	require.Equal(t, []int{2}, document.Workflows[0].StagesDone)

	started(t, db, "third")
	require.NoError(t, json.Unmarshal([]byte(on(t, db, "2026-10-21T09:00:00Z", "tick", "--format", "json")), &document))
	require.Equal(t, int64(1792652400000), *document.NextDue)
	require.Empty(t, document.Workflows)
}

func TestTickTellsOfSeveralStages(t *testing.T) {
	db := stocked(t)
	hour := func(in string) string {
		return `{"conditions":[{"kind":"schedule","waitDuration":1,"waitDurationUnit":"hour"}],"action":{"instructions":[{"kind":"` + in + `"}]}}`
	}
	file := written(t, "three.json", `{"name":"Three","stages":[`+strings.Join([]string{hour("turnFlagOff"), hour("turnFlagOn"), hour("turnFlagOff")}, ",")+`]}`)
	done(t, "start", "--file", file, "--project", "web-shop", "--environment", "production", "--flag", "new-checkout",
		"--db", db, "--id", "w", "--now", "2026-10-20T09:00:00Z", "--lateness", "240h")
	require.Contains(t, on(t, db, "2026-10-21T09:00:00Z", "tick"), "w: stages 1, 2 and 3 are done; complete on Wed 2026-10-21 09:00 +00:00")
	done(t, "start", "--file", file, "--project", "web-shop", "--environment", "production", "--flag", "new-checkout",
		"--db", db, "--id", "strict", "--now", "2026-10-20T09:00:00Z", "--lateness", "0")
	require.Contains(t, on(t, db, "2026-10-20T10:01:00Z", "tick"), "strict: stage 1 is done; waits for the schedule of stage 2 since Tue 2026-10-20 10:01 +00:00")
}

// stuck makes a workflow that cannot be read fall due in a store.
func stuck(t *testing.T, db string) {
	store, err := flagstage.OpenStore(db, flagstage.DurabilityNever)
	require.NoError(t, err)
	_, err = store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{
		{Key: "workflow/broken-1", Value: []byte("\x63"), Wake: time.UnixMilli(1)},
		{Key: "workflow/broken-2", Value: []byte("\x63"), Wake: time.UnixMilli(1)},
	}})
	require.NoError(t, err)
	require.NoError(t, store.Close())
}

func TestAWorkflowThatCannotGoOnStopsNoOther(t *testing.T) {
	db := released(t)
	stuck(t, db)
	r := run("", "tick", "--db", db, "--now", "2026-10-22T07:00:00Z")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stdout, "checkout: waits for approval of stage 2 since")
	lines := strings.Split(r.stderr, "\n")
	require.Len(t, lines, 3, "each in a line")
	require.Contains(t, lines[0], `"broken-1"`)
	require.Contains(t, lines[1], `"broken-2"`)
}

// runner runs the command run with a clock that moves only when it waits.
type runner struct {
	program
	*flagstage.VirtualClock
	out, errs bytes.Buffer
	waits     []time.Duration
	interrupt context.CancelFunc
	// between is called before each wait, with its number from 1.
	between func(wait int)
}

func newRunner(t *testing.T, now string, between func(wait int)) *runner {
	at, err := time.Parse(time.RFC3339, now)
	require.NoError(t, err)
	r := &runner{VirtualClock: flagstage.NewVirtualClock(at), between: between}
	r.program = program{
		ctx: t.Context(), stdin: strings.NewReader(""), stdout: &r.out, stderr: &r.errs, clock: r.VirtualClock, wait: r.wait,
		untilInterrupted: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, r.interrupt = context.WithCancel(ctx)
			return ctx, r.interrupt
		},
	}
	return r
}

func (r *runner) wait(ctx context.Context, d time.Duration) error {
	r.waits = append(r.waits, d)
	r.between(len(r.waits))
	if ctx.Err() == nil {
		r.Advance(d)
	}
	return ctx.Err()
}

func TestRunDoesWhatIsDueWhenItIsDue(t *testing.T) {
	db := released(t)
	var r *runner
	r = newRunner(t, "2026-10-22T06:30:00Z", func(wait int) {
		switch wait {
		case 2: // others work beside it
			held, err := flagstage.OpenStore(db, flagstage.DurabilityAlways)
			require.NoError(t, err, "it does not hold the store while it waits")
			require.NoError(t, held.Close())
		case 3:
			on(t, db, "2026-10-22T07:00:00Z", "review", "checkout", "approve", "--member", "bob")
		case 5:
			r.Set(time.Date(2026, 10, 30, 9, 0, 0, 0, time.UTC)) // the machine slept
		case 7:
			r.interrupt()
		}
	})
	require.Equal(t, exitDone, r.run([]string{"run", "--db", db, "--poll", "20m"}))
	require.Equal(t, `2026-10-22T09:00:00+02:00  checkout: waits for approval of stage 2 since Thu 2026-10-22 09:00 +02:00
2026-10-30T10:20:00+01:00  checkout: stage 3 is done; complete on Fri 2026-10-30 10:20 +01:00, 10 days 2 hours 20 minutes after its start
`, r.out.String())
	require.Empty(t, r.errs.String())
	poll := 20 * time.Minute
	require.Equal(t, []time.Duration{poll, 10 * time.Minute, poll, poll, poll, poll, poll}, r.waits, "it looks again when something is due, and after --poll")
}

func TestRunOutlivesALock(t *testing.T) {
	db := released(t)
	held, err := flagstage.OpenStore(db, flagstage.DurabilityAlways)
	require.NoError(t, err)
	var r *runner
	r = newRunner(t, "2026-10-22T07:00:00Z", func(int) {
		switch r.waits[len(r.waits)-1] {
		case 10 * time.Second: // the poll, between those for the lock
			if strings.Count(r.errs.String(), "\n") == 2 {
				held.Close()
			}
		}
		if strings.Contains(r.out.String(), "checkout") {
			r.interrupt()
		}
	})
	require.Equal(t, exitDone, r.run([]string{"run", "--db", db}))
	lines := strings.Split(strings.TrimSpace(r.errs.String()), "\n")
	require.Len(t, lines, 2)
	for _, line := range lines {
		require.Regexp(t, `^flagstage: run: .*in use by process.*; trying again$`, line)
	}
	require.Contains(t, r.out.String(), "checkout: waits for approval of stage 2")
}

func TestRunIsInterruptedWhileItWaitsForALock(t *testing.T) {
	db := released(t)
	held, err := flagstage.OpenStore(db, flagstage.DurabilityAlways)
	require.NoError(t, err)
	defer held.Close()
	var r *runner
	r = newRunner(t, "2026-10-22T07:00:00Z", func(wait int) {
		if wait == 3 {
			r.interrupt()
		}
	})
	require.Equal(t, exitDone, r.run([]string{"run", "--db", db}))
	require.Len(t, r.waits, 3)
	require.Empty(t, r.errs.String())
}

func TestRunGoesOnThoughAWorkflowCannot(t *testing.T) {
	db := released(t)
	stuck(t, db)
	var r *runner
	r = newRunner(t, "2026-10-22T06:59:55Z", func(wait int) {
		if wait == 2 {
			r.interrupt()
		}
	})
	require.Equal(t, exitDone, r.run([]string{"run", "--db", db}))
	require.Contains(t, r.out.String(), "checkout: waits for approval of stage 2")
	require.Equal(t, 4, strings.Count(r.errs.String(), "cannot be read"), "it is told each time")
	require.Equal(t, []time.Duration{10 * time.Second, 10 * time.Second}, r.waits, "it does not spin")
}

func TestRunEndsWhenTheStoreCannotBeUsed(t *testing.T) {
	db := released(t)
	r := newRunner(t, "2026-10-22T06:00:00Z", func(int) { require.NoError(t, os.Remove(db)) })
	require.Equal(t, exitFailed, r.run([]string{"run", "--db", db}))
	require.Contains(t, r.errs.String(), "flagstage: run: ")
	require.Contains(t, r.errs.String(), "no such file")
	require.NoFileExists(t, db, "it makes no new one")

	full := newRunner(t, "2026-10-22T07:00:00Z", func(int) {})
	full.stdout = brokenPipe{}
	require.Equal(t, exitFailed, full.run([]string{"run", "--db", released(t)}))
	require.Equal(t, "flagstage: run: it is done, but cannot be told: broken pipe\n", full.errs.String())
}

func TestWaitEndsWithTheContext(t *testing.T) {
	require.NoError(t, wait(t.Context(), 0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, wait(ctx, time.Hour), context.Canceled)
}

func TestAnInterruptEndsTheContext(t *testing.T) {
	ctx, stop := untilInterrupted(t.Context())
	defer stop()
	require.NoError(t, ctx.Err())
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Signal(os.Interrupt))
	<-ctx.Done()
}

func TestWrongUsageOfTickAndRun(t *testing.T) {
	db := filepath.Join(t.TempDir(), "none")
	for _, arguments := range [][]string{
		{"tick"}, {"tick", "x", "--db", db}, {"tick", "--db", db, "--now", "soon"}, {"tick", "--db", db, "--format", "xml"},
		{"run", "x", "--db", db}, {"run", "--db", db, "--poll", "0s"}, {"run", "--db", db, "--poll", "-1s"}, {"run", "--db", db, "--poll", "soon"}, {"run", "--db", db, "--now", "2026-10-22T07:00:00Z"},
	} {
		require.Contains(t, refused(t, exitUsage, arguments...), "--help", arguments)
	}
	require.Contains(t, refused(t, exitFailed, "tick", "--db", db), "no such file")
	require.NoFileExists(t, db)
	r := newRunner(t, "2026-10-22T07:00:00Z", func(int) {})
	require.Equal(t, exitUsage, r.run([]string{"run"}))
}
