package flagstage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// TestStoresOfEveryReleaseOpen opens stores that this version and earlier ones
// wrote: closed, left open by a process that was killed, cut short in the middle
// of a write, and compacted. Files are only ever added; -update makes those of
// the present version that are missing.
func TestStoresOfEveryReleaseOpen(t *testing.T) {
	if *update {
		makeCompat(t, "testdata/compat/format-2")
		makeCompatValues(t, "testdata/compat/format-2-values.db")
		makeCompatReleases(t, "testdata/compat/format-2-releases.db")
		makeCompatDelivery(t, "testdata/compat/format-2-delivery.db")
	}
	files, err := filepath.Glob("testdata/compat/*.db")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 6)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			path := filepath.Join(t.TempDir(), "db")
			require.NoError(t, os.WriteFile(path, text, 0o600))
			for _, options := range [][]flagstage.Option{{flagstage.WithReadOnly()}, nil} {
				e, err := flagstage.Open(path, options...)
				require.NoError(t, err)
				list, err := e.Templates(t.Context(), alice, flagstage.TemplateQuery{})
				require.NoError(t, err)
				require.NotEmpty(t, list.Items)
				document, err := json.MarshalIndent(list, "", "  ")
				require.NoError(t, err)
				golden(t, strings.TrimSuffix(file, ".db")+".json", string(document)+"\n")
				if told := releasesIn(t, e); told != "" {
					golden(t, strings.TrimSuffix(file, ".db")+".releases", told)
				}
				require.NoError(t, e.Close())
			}
		})
	}
}

// makeCompatValues makes a store with a template that is kept with the values of
// its variations, and one without.
func makeCompatValues(t *testing.T, name string) {
	path := filepath.Join(t.TempDir(), "db")
	source := &knownFlags{list: []flags.Flag{banner(t), lamp(t)}}
	input := inputOf(written(t, rollout, prerequisite))
	for key, options := range map[string][]flagstage.Option{"progressive": {flagstage.WithFlagSource(source)}, "plain": nil} {
		e, err := flagstage.Open(path, fixed(options...)...)
		require.NoError(t, err)
		input.Key = key
		_, err = e.CreateTemplate(t.Context(), alice, input)
		require.NoError(t, err)
		require.NoError(t, e.Close())
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	keepCompat(t, name, text)
}

// releasesIn tells of the workflows, events, flags and segments of a store, "" if
// there are none.
func releasesIn(t *testing.T, e *flagstage.Engine) string {
	list, err := e.Workflows(t.Context(), alice, flagstage.WorkflowQuery{Limit: 1000})
	require.NoError(t, err)
	require.Empty(t, list.Unreadable)
	known, err := e.Flags(t.Context(), alice, "")
	require.NoError(t, err)
	require.Empty(t, known.Unreadable)
	if len(list.Items)+len(known.Items) == 0 {
		return ""
	}
	segments, err := e.Segments(t.Context(), alice, theTarget.ProjectKey, theTarget.EnvironmentKey)
	require.NoError(t, err)
	require.Empty(t, segments.Unreadable)
	var b strings.Builder
	for _, part := range []any{list, known, segments.Items} {
		document, err := json.MarshalIndent(part, "", "  ")
		require.NoError(t, err)
		fmt.Fprintf(&b, "%s\n", document)
	}
	for batch, err := range e.Events(t.Context(), alice, flagstage.Cursor{}) {
		require.NoError(t, err)
		for _, event := range batch.Events {
			fmt.Fprintf(&b, "%d %s %+v\n", batch.Cursor.Revision, batch.WorkflowID, event)
		}
	}
	for _, s := range list.Items {
		got, err := e.Workflow(t.Context(), alice, s.ID)
		require.NoError(t, err)
		replays(t, got)
		for _, c := range got.Conflicts {
			fmt.Fprintf(&b, "%s: conflict of %s\n", s.ID, c.StageID)
		}
	}
	return b.String()
}

// TestReleasesOfEveryReleaseGoOn lets what a stored release has begun come to its
// end.
func TestReleasesOfEveryReleaseGoOn(t *testing.T) {
	text, err := os.ReadFile("testdata/compat/format-2-releases.db")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "db")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	e, err := flagstage.Open(path, flagstage.WithClock(flagstage.NewVirtualClock(after(100))), flagstage.WithApplier(&deliveries{}))
	require.NoError(t, err)
	w := &world{TB: t, Engine: e}
	for range 2 {
		_, err := w.Tick(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, flagstage.StatusCompleted, w.get("waiting").Status())
	require.Equal(t, flagstage.StatusCompleted, w.get("delivered").Status())
	_, err = w.Review(t.Context(), carol, "reviewed", flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove})
	require.NoError(t, err)
	_, err = w.Resume(t.Context(), alice, "paused", "")
	require.NoError(t, err)
	_, err = w.Retry(t.Context(), alice, "failed", flagstage.Retry{Reason: "because"})
	require.NoError(t, err)
	again, err := w.StartWorkflow(t.Context(), alice, compatRelease("waiting"))
	require.NoError(t, err, "what was asked for then is known")
	require.Equal(t, w.get("waiting").Revision, again.Revision)
	_, err = w.Purge(t.Context(), alice, after(100))
	require.NoError(t, err)
	require.NoError(t, e.Close())
}

// compatRelease asks for a workflow that waits, for the compat stores.
func compatRelease(id string) flagstage.WorkflowInput {
	input := releaseOf(id, turnsOff(hours(1)), doing([]flagstage.Condition{hours(2), flagstage.ScheduleAt(after(50))}, flags.UpdateName("by "+id)))
	input.Description, input.MaintainerID = "described", "mallory"
	input.Zone, input.Lateness, input.IgnoreConflicts = "Europe/Berlin", 3*hour, true
	input.Approvals = flagstage.ApprovalSettings{MinNumApprovals: 2, CanReviewOwnRequest: true, CanApplyDeclinedChanges: true, ExpiresAfter: 1000 * hour}
	return input
}

// makeCompatReleases makes a store with workflows in all states, two flags, a
// segment and events.
func makeCompatReleases(t *testing.T, name string) {
	path := filepath.Join(t.TempDir(), "db")
	clock := flagstage.NewVirtualClock(start)
	open := func(options ...flagstage.Option) *world {
		e, err := flagstage.Open(path, append([]flagstage.Option{flagstage.WithClock(clock), flagstage.WithIDs(flagstage.SeededIDs(2))}, options...)...)
		require.NoError(t, err)
		return &world{TB: t, Engine: e, clock: clock, flag: testFlag(t)}
	}
	ok := func(_ flagstage.StoredWorkflow, err error) { require.NoError(t, err) }
	w := open()
	_, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
	require.NoError(t, err)
	_, err = w.PutFlag(t.Context(), alice, theTarget.ProjectKey, lamp(t), flagstage.FlagWrite{})
	require.NoError(t, err)
	document, err := os.ReadFile("testdata/staff.segment.json")
	require.NoError(t, err)
	segment, problems := flags.DecodeSegment(document)
	require.NoError(t, problems.Err())
	_, err = w.PutSegment(t.Context(), alice, theTarget.ProjectKey, theTarget.EnvironmentKey, segment, 0)
	require.NoError(t, err)
	_, err = w.CreateTemplate(t.Context(), alice, flagstage.TemplateInput{Key: "kept", Origin: theTarget, Stages: []flagstage.Stage{turnsOn(hours(70))}})
	require.NoError(t, err)

	ok(w.StartWorkflow(t.Context(), alice, compatRelease("waiting")))
	ok(w.StartWorkflow(t.Context(), alice, flagstage.WorkflowInput{Name: "named", TemplateKey: "kept", Target: theTarget}))
	approval := compatRelease("reviewed")
	approval.Stages = []flagstage.Stage{turnsOn(), turnsOff(hours(1), flagstage.Approval{Description: "ok?"}), turnsOn(hours(1))}
	ok(w.StartWorkflow(t.Context(), flagstage.Actor{ServiceTokenID: "token"}, approval))
	w.starts("paused", turnsOn(), inSequence(turnsOff(flagstage.Approval{}, hours(1))))
	w.starts("failed", turnsOn(flagstage.Approval{}))
	w.starts("skipped", turnsOff(flagstage.Approval{}, hours(1)), turnsOn(hours(60)))
	w.starts("cancelled", turnsOff(hours(30)))
	w.starts("completed", turnsOn())
	w.starts("conflicting", doing([]flagstage.Condition{hours(80)}, flags.UpdateDescription("by conflicting")))
	w.starts("gone", turnsOff(hours(1)))
	require.NoError(t, w.DeleteWorkflow(t.Context(), alice, "gone"))
	w.tick(1)
	ok(w.Review(t.Context(), bob, "reviewed", flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove, Comment: "fine"}))
	ok(w.Review(t.Context(), alice, "reviewed", flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewDecline}))
	ok(w.Review(t.Context(), alice, "reviewed", flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewComment, Comment: "hm"}))
	ok(w.Pause(t.Context(), bob, "paused", "lunch"))
	ok(w.Review(t.Context(), bob, "paused", flagstage.Review{Stage: 1, Kind: flagstage.ReviewApprove}))
	ok(w.Review(t.Context(), bob, "failed", flagstage.Review{Kind: flagstage.ReviewDecline, Comment: "no"}))
	ok(w.Engine.Skip(t.Context(), bob, "skipped", flagstage.Skip{Reason: "because", BypassApproval: true}))
	ok(w.Cancel(t.Context(), bob, "cancelled", "because"))
	require.NoError(t, w.patches("new-checkout", "", whatever, flags.UpdateDescription("theirs")))
	require.NoError(t, w.Close())

	ctx, cancel := context.WithCancel(t.Context())
	w = open(flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error {
		cancel() // nobody will know what became of it
		return errUnavailable
	})))
	w.starts("delivered", turnsOn())
	_, err = w.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, w.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	keepCompat(t, name, text)
}

// makeCompatDelivery makes a store with a workflow whose action was being applied
// when the process ended, so that its last events stand in its own record.
func makeCompatDelivery(t *testing.T, name string) {
	path := filepath.Join(t.TempDir(), "db")
	clock := flagstage.NewVirtualClock(start)
	ctx, cancel := context.WithCancel(t.Context())
	e, err := flagstage.Open(path, flagstage.WithClock(clock), flagstage.WithIDs(flagstage.SeededIDs(3)),
		flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error {
			cancel() // nobody will know what became of it
			return errUnavailable
		})))
	require.NoError(t, err)
	w := &world{TB: t, Engine: e, clock: clock, flag: testFlag(t)}
	_, err = w.CreateTemplate(t.Context(), alice, flagstage.TemplateInput{Key: "kept", Origin: theTarget, Stages: []flagstage.Stage{turnsOn(hours(1)), turnsOff()}})
	require.NoError(t, err)
	_, err = w.StartWorkflow(t.Context(), alice, flagstage.WorkflowInput{ID: "delivered", Name: "named", TemplateKey: "kept", Target: theTarget})
	require.NoError(t, err)
	clock.Set(after(1))
	_, err = w.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, w.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	keepCompat(t, name, text)
}

// TestADeliveryOfEveryReleaseIsMadeAgain goes on from a process that ended while an
// action was being applied.
func TestADeliveryOfEveryReleaseIsMadeAgain(t *testing.T) {
	text, err := os.ReadFile("testdata/compat/format-2-delivery.db")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "db")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	got := &deliveries{}
	e, err := flagstage.Open(path, flagstage.WithClock(flagstage.NewVirtualClock(after(2))), flagstage.WithApplier(got))
	require.NoError(t, err)
	w := &world{TB: t, Engine: e}
	require.Equal(t, flagstage.StatusCompleted, w.get("delivered").ConditionStatus(0, 0))
	_, err = w.Tick(t.Context())
	require.NoError(t, err)
	require.Equal(t, flagstage.StatusCompleted, w.get("delivered").Status())
	require.Equal(t, []int64{2, 3}, []int64{got.all()[0].Number, got.all()[1].Number})
	replays(t, w.get("delivered"))
	require.NoError(t, e.Close())
}

// keepCompat writes a file unless there is one.
func keepCompat(t *testing.T, file string, text []byte) {
	if _, err := os.Stat(file); err != nil {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, text, 0o644))
	}
}

func makeCompat(t *testing.T, name string) {
	keep := func(file string, text []byte) { keepCompat(t, file, text) }
	path := filepath.Join(t.TempDir(), "db")
	store, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
	require.NoError(t, err)
	e, err := flagstage.New(store, fixed()...)
	require.NoError(t, err)
	content := func() []byte {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return text
	}
	_, err = e.CreateTemplate(t.Context(), alice, readRollout(t))
	require.NoError(t, err)
	kept, err := e.CreateTemplate(t.Context(), bob, named("kept", "A name"))
	require.NoError(t, err)
	_, err = e.ReplaceTemplate(t.Context(), bob, named("kept", "Another name"), kept.Revision)
	require.NoError(t, err)
	_, err = e.CreateTemplate(t.Context(), bob, named("gone", ""))
	require.NoError(t, err)
	require.NoError(t, e.DeleteTemplate(t.Context(), bob, "gone", 0))
	open := content()
	keep(name+"-killed.db", open)
	keep(name+"-torn.db", open[:len(open)-20])
	require.NoError(t, store.Compact(t.Context(), nil))
	_, err = e.CreateTemplate(t.Context(), bob, named("later", ""))
	require.NoError(t, err)
	keep(name+"-compacted.db", content())
	require.NoError(t, e.Close())
	keep(name+"-closed.db", content())
}
