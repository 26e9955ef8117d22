package timeline_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/timeline"
)

var update = flag.Bool("update", false, "write what tests produce into their golden files")

func at(rfc3339 string) time.Time {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		panic(err)
	}
	return t
}

var start = at("2026-10-22T09:00:00+02:00")

func plan(t *testing.T, name string, stages ...flagstage.Stage) flagstage.Plan {
	template, problems := flagstage.NewTemplate(flagstage.TemplateInput{
		Key: "release", Name: name, Stages: stages,
		Origin: flagstage.Origin{ProjectKey: "p", EnvironmentKey: "e", FlagKey: "f"},
	}, flagstage.Creation{Now: start, IDs: flagstage.SeededIDs(1), Actor: flagstage.Actor{MemberID: "alice"}})
	require.Empty(t, problems)
	return template.Plan()
}

// preview makes a timeline of a plan in one future.
func preview(t *testing.T, p flagstage.Plan, s flagstage.Start, answer func(int, int, time.Time) (flagstage.ReviewKind, time.Time)) timeline.Timeline {
	zone, err := calendar.Zone("Europe/Berlin")
	require.NoError(t, err)
	s.At, s.Zone, s.Actor = start, zone, flagstage.Actor{MemberID: "alice"}
	w, events, err := p.Preview(s, flagstage.Future{Answer: answer})
	require.NoError(t, err)
	return timeline.Timeline{
		Plan: p, Zone: zone, Events: events,
		End: timeline.End{Status: w.Status(), At: events[len(events)-1].At, Gates: w.Gates()},
	}
}

func always(kind flagstage.ReviewKind) func(int, int, time.Time) (flagstage.ReviewKind, time.Time) {
	return func(_, _ int, asked time.Time) (flagstage.ReviewKind, time.Time) {
		return kind, asked.Add(90 * time.Second)
	}
}

// everything is a plan in which each kind of line occurs.
func everything(t *testing.T) flagstage.Plan {
	on := flagstage.Patch(flags.TurnFlagOn(), flags.UpdateName("A new name"))
	return plan(t, "Everything that there is",
		flagstage.Stage{},
		flagstage.Stage{Name: "At a date", Conditions: []flagstage.Condition{flagstage.ScheduleAt(start.Add(36 * time.Hour))}, Action: on},
		flagstage.Stage{Name: "At a date that is past", Conditions: []flagstage.Condition{flagstage.ScheduleAt(start)}, Action: on},
		flagstage.Stage{Name: "After a weekend on which the clocks change", Conditions: []flagstage.Condition{
			flagstage.ScheduleNow(), flagstage.ScheduleAfter(0, calendar.Hour), flagstage.ScheduleAfter(3, calendar.Day),
		}, Action: on},
		flagstage.Stage{Name: "With an approval", Conditions: []flagstage.Condition{
			flagstage.Approval{Description: "The numbers look right", NotifyMemberIDs: []string{"m1", "m2"}, NotifyTeamKeys: []string{"team"}},
		}},
		flagstage.Stage{Name: "With one of few words", Conditions: []flagstage.Condition{flagstage.Approval{}}, Action: on},
	)
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		file   string
		start  flagstage.Start
		answer func(int, int, time.Time) (flagstage.ReviewKind, time.Time)
	}{
		{"granted", flagstage.Start{Approvals: flagstage.ApprovalSettings{MinNumApprovals: 2}}, always(flagstage.ReviewApprove)},
		{"declined", flagstage.Start{}, always(flagstage.ReviewDecline)},
		{"expired", flagstage.Start{Approvals: flagstage.ApprovalSettings{ExpiresAfter: 1500 * time.Millisecond}}, nil},
		{"waiting", flagstage.Start{}, nil},
	} {
		t.Run(c.file, func(t *testing.T) {
			result := preview(t, everything(t), c.start, c.answer)
			text := result.Text()
			requireNarrow(t, text)
			golden(t, c.file+".txt", text)
			document, err := json.MarshalIndent(result, "", "  ")
			require.NoError(t, err)
			golden(t, c.file+".json", string(document)+"\n")
		})
	}
}

// story is a workflow that people have to do with.
type story struct {
	t *testing.T
	flagstage.Workflow
	events []flagstage.Event
}

func begin(t *testing.T, p flagstage.Plan, s flagstage.Start) *story {
	zone, err := calendar.Zone("Europe/Berlin")
	require.NoError(t, err)
	s.At, s.Zone, s.Actor = start, zone, flagstage.Actor{MemberID: "alice"}
	w, events, err := flagstage.StartWorkflow(p, s)
	require.NoError(t, err)
	return &story{t, w, events}
}

// then tells what happens next.
func (s *story) then(w flagstage.Workflow, events []flagstage.Event, err error) {
	s.t.Helper()
	require.NoError(s.t, err)
	s.Workflow, s.events = w, append(s.events, events...)
}

func (s *story) advance(at time.Time) {
	w, events := s.Advance(at)
	s.then(w, events, nil)
}

func (s *story) timeline() timeline.Timeline {
	zone, err := calendar.Zone("Europe/Berlin")
	require.NoError(s.t, err)
	end := timeline.End{Status: s.Status(), At: s.StoppedAt(), Gates: s.Gates()}
	if end.At.IsZero() {
		end.At = s.events[len(s.events)-1].At
	}
	return timeline.Timeline{Plan: s.Plan(), Zone: zone, Events: s.events, End: end}
}

func order(who, why string) flagstage.Order {
	return flagstage.Order{Actor: flagstage.Actor{MemberID: who}, Reason: why}
}

// steered is a story with all that people can do to a workflow, and all that
// can become of its actions. It calls look where the release stands otherwise
// than before.
func steered(t *testing.T, look func(*story)) *story {
	on := flagstage.Patch(flags.TurnFlagOn())
	expires := flagstage.Start{Deliver: true, Approvals: flagstage.ApprovalSettings{ExpiresAfter: 48 * time.Hour}}
	s := begin(t, plan(t, "Steered", flagstage.Stage{
		Name: "With a pause", Action: on,
		Conditions: []flagstage.Condition{flagstage.ScheduleAfter(4, calendar.Hour), flagstage.Approval{}, flagstage.Approval{}},
	}, flagstage.Stage{
		Name: "Skipped", Action: on, Conditions: []flagstage.Condition{flagstage.ScheduleAfter(4, calendar.Day)},
	}, flagstage.Stage{
		Name: "Skipped with its approval", Action: on, Conditions: []flagstage.Condition{flagstage.Approval{}},
	}, flagstage.Stage{
		Name: "Tried again", Action: on,
	}, flagstage.Stage{
		Name: "Cancelled", Action: on,
	}, flagstage.Stage{}), expires)
	after := func(d time.Duration) time.Time { return start.Add(d) }
	review := func(condition int, d time.Duration) {
		s.then(s.Review(flagstage.Review{Condition: condition, Kind: flagstage.ReviewApprove, Actor: flagstage.Actor{MemberID: "bob"}, Comment: "Fine!"}, after(d)))
	}
	s.then(s.Pause(order("bob", "waiting for the incident to end"), after(time.Hour)))
	review(1, 2*time.Hour)
	look(s)
	s.then(s.Resume(order("bob", ""), after(3*time.Hour)))
	s.advance(after(6 * time.Hour))
	review(2, 6*time.Hour)
	look(s)
	s.then(s.ActionFailed(flagstage.Failure{Reason: flagstage.ReasonTransient, Message: "connection refused", RetryAt: after(7 * time.Hour)}, after(6*time.Hour)))
	look(s)
	s.then(s.Pause(order("carol", "Lunch."), after(6*time.Hour)))
	s.then(s.Resume(order("carol", "Had lunch."), after(8*time.Hour)))
	look(s)
	s.then(s.Applied(after(9 * time.Hour)))
	s.then(s.Skip(1, order("bob", "nobody needs to wait"), false, after(10*time.Hour)))
	look(s)
	s.then(s.Skip(2, order("carol", "it is urgent"), true, after(11*time.Hour)))
	look(s)
	s.then(s.ActionFailed(flagstage.Failure{Reason: flagstage.ReasonConflict, Message: "dave has turned the flag on"}, after(12*time.Hour)))
	look(s)
	s.then(s.Retry(order("dave", "I have turned it off again"), after(13*time.Hour)))
	s.then(s.ActionFailed(flagstage.Failure{RetryAt: after(15 * time.Hour)}, after(14*time.Hour)))
	s.then(s.Applied(after(15 * time.Hour)))
	s.then(s.Cancel(order("bob", "enough is enough"), after(16*time.Hour)))
	s.then(s.Applied(after(17 * time.Hour)))
	look(s)
	return s
}

func TestTextOfWhatPeopleDo(t *testing.T) {
	var standing []string
	result := steered(t, func(s *story) { standing = append(standing, s.timeline().Standing()) }).timeline()
	text := result.Text()
	requireNarrow(t, text)
	golden(t, "steered.txt", text)
	document, err := json.MarshalIndent(result, "", "  ")
	require.NoError(t, err)
	golden(t, "steered.json", string(document)+"\n")
	require.Equal(t, []string{
		"paused by bob since Thu 2026-10-22 10:00 +02:00; and waits for approval of stage 1 (condition 3) since Thu 2026-10-22 09:00 +02:00, which expires on Sat 2026-10-24 09:00 +02:00",
		"waits for the change of stage 1 since Thu 2026-10-22 15:00 +02:00",
		"tries the change of stage 1 again on Thu 2026-10-22 16:00 +02:00",
		"tries the change of stage 1 again on Thu 2026-10-22 18:00 +02:00",
		"waits for approval of stage 3 since Thu 2026-10-22 19:00 +02:00, which expires on Sat 2026-10-24 19:00 +02:00; stage 2 was skipped",
		"waits for the change of stage 4 since Thu 2026-10-22 20:00 +02:00; stages 2 and 3 were skipped",
		"failed in stage 4 on Thu 2026-10-22 21:00 +02:00: somebody else has changed what the change is about; stages 2 and 3 were skipped",
		"cancelled by bob on Fri 2026-10-23 01:00 +02:00; stages 2 and 3 were skipped",
	}, standing)
}

func TestApprovalsThatNoLongerExpireAreTold(t *testing.T) {
	p := plan(t, "late", flagstage.Stage{Conditions: []flagstage.Condition{flagstage.Approval{}}})
	s := begin(t, p, flagstage.Start{Approvals: flagstage.ApprovalSettings{ExpiresAfter: 1000 * time.Hour}})
	s.then(s.Pause(order("bob", ""), start))
	s.then(s.Resume(order("bob", ""), at("9999-12-31T23:00:00Z")))
	require.Contains(t, s.timeline().Text(), "No longer expires.")
}

func TestAStandingWithoutItsEventsIsTold(t *testing.T) {
	for status, want := range map[flagstage.Status]string{
		flagstage.StatusActive:    "has not begun",
		flagstage.StatusPaused:    "paused since Thu 2026-10-22 07:00 +00:00",
		flagstage.StatusFailed:    "failed on Thu 2026-10-22 07:00 +00:00",
		flagstage.StatusCancelled: "cancelled on Thu 2026-10-22 07:00 +00:00",
	} {
		require.Equal(t, want, timeline.Timeline{End: timeline.End{Status: status, At: start}}.Standing())
	}
}

func golden(t *testing.T, file, text string) {
	t.Helper()
	name := filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err, "run go test -update to write it")
	require.Equal(t, string(want), text)
}

func requireNarrow(t *testing.T, text string) {
	for line := range strings.Lines(text) {
		columns := 0
		for _, r := range strings.TrimSuffix(line, "\n") {
			columns++
			if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
				columns++
			}
		}
		require.LessOrEqual(t, columns, 80, line)
		require.Equal(t, strings.TrimRight(line, " \n")+"\n", line, "no space at the end")
	}
}

func TestUnfinishedReleaseSaysSinceWhen(t *testing.T) {
	result := preview(t, everything(t), flagstage.Start{}, nil)
	require.Equal(t, "waits for approval of stage 5 since Mon 2026-10-26 21:00 +01:00", result.Standing())
}

// hostile are texts that would do harm if they were printed as they are.
var hostile = []string{
	"\x1b[2J\x1b[31mred", "line\nStage 9 of 9: forged", "a\r\nb", "tab\there", "bell\a", "\u202eright to left\u2066", "zero\u200bwidth",
	"\u2028separator\u2029", "\u0085next", "\x7fdelete", "\ufeffmark", "\U000e0041tag", "\x01",
}

func TestHostileNamesCannotForgeLines(t *testing.T) {
	build := func(s string) timeline.Timeline {
		p := plan(t, s,
			flagstage.Stage{Name: s, Conditions: []flagstage.Condition{
				flagstage.Approval{Description: s, NotifyMemberIDs: []string{s}, NotifyTeamKeys: []string{s}},
			}, Action: flagstage.Patch(flags.UpdateName(s), flags.AddTags(s))},
		)
		result := preview(t, p, flagstage.Start{}, always(flagstage.ReviewApprove))
		result.Assumptions = []string{s}
		for i := range result.Events {
			if result.Events[i].Kind == flagstage.EventReviewed {
				result.Events[i].Comment, result.Events[i].Actor.MemberID = s, s
			}
		}
		return result
	}
	requireHarmless(t, build)
}

// TestHostileCommentsCannotForgeLines lets each event say and be by a text.
func TestHostileCommentsCannotForgeLines(t *testing.T) {
	requireHarmless(t, func(s string) timeline.Timeline {
		told := steered(t, func(*story) {})
		result := told.timeline()
		result.Plan = plan(t, s, told.Plan().Stages()...)
		for i := range result.Events {
			result.Events[i].Comment, result.Events[i].Actor.MemberID = s, s
		}
		return result
	})
}

func requireHarmless(t *testing.T, build func(s string) timeline.Timeline) {
	lines := strings.Count(build("x").Text(), "\n")
	for _, s := range hostile {
		text := build(s).Text()
		for i, r := range text {
			require.True(t, r == '\n' || r >= ' ' && r != 0x7f && !strings.ContainsRune("\u0085\u200b\u2028\u2029\u202e\u2066\ufeff\U000e0041", r), "%q at %d of %q", r, i, text)
		}
		require.InDelta(t, lines, strings.Count(text, "\n"), 0.2*float64(lines)+4, "only wrapping may add lines")
		require.NotContains(t, text, "\nStage 9")
		document, err := json.Marshal(build(s))
		require.NoError(t, err)
		var decoded struct{ Name string }
		require.NoError(t, json.Unmarshal(document, &decoded))
		require.Equal(t, s, decoded.Name)
	}
}

func TestLongTextsDoNotLookLikeLinesOfTheirOwn(t *testing.T) {
	granted := "The approval is granted."
	for _, padding := range []int{10, 20, 30, 32, 40, 45, 50, 60, 70, 78} {
		s := strings.Repeat("z", padding) + " " + granted + " " + strings.Repeat("q", padding) + " At the end: complete. " + strings.Repeat("y", padding) + " Stage 2 of 9: forged"
		p := plan(t, s, flagstage.Stage{Name: s, Conditions: []flagstage.Condition{flagstage.Approval{Description: s}}})
		text := preview(t, p, flagstage.Start{}, nil).Text()
		for line := range strings.Lines(text) {
			require.False(t, strings.HasPrefix(line, "At the end: complete") || strings.HasPrefix(line, "Stage 2 of"), text)
			require.NotRegexp(t, `^ {29}The approval`, line)
		}
	}
}

func TestWideAndEndlessWordsAreBroken(t *testing.T) {
	for _, s := range []string{strings.Repeat("漢字", 100), strings.Repeat("x", 500), strings.Repeat("a\u00a0", 100), strings.Repeat("가", 90) + " b"} {
		result := preview(t, plan(t, s, flagstage.Stage{Name: s, Conditions: []flagstage.Condition{flagstage.Approval{Description: s}}}), flagstage.Start{}, nil)
		requireNarrow(t, result.Text())
		require.Contains(t, strings.Join(strings.Fields(result.Text()), ""), strings.Join(strings.Fields(s), ""))
	}
}

func TestLongWaitsAreToldRight(t *testing.T) {
	p := plan(t, "long", flagstage.Stage{Conditions: []flagstage.Condition{flagstage.ScheduleAfter(200000, calendar.Day)}})
	w, events, err := p.Preview(flagstage.Start{At: start, Actor: flagstage.Actor{MemberID: "a"}}, flagstage.Future{})
	require.NoError(t, err)
	result := timeline.Timeline{Plan: p, Events: events, End: timeline.End{Status: w.Status(), At: w.StoppedAt()}}
	require.NotContains(t, result.Text(), "clocks change")
	require.Contains(t, result.Standing(), "200000 days after its start")
}

func TestConditionsOfOneKindAreTold(t *testing.T) {
	result := preview(t, plan(t, "two", flagstage.Stage{Conditions: []flagstage.Condition{flagstage.Approval{}, flagstage.ScheduleNow(), flagstage.Approval{}}}), flagstage.Start{}, nil)
	require.Contains(t, result.Text(), "Condition 3: Asks for approval.")
	require.NotContains(t, result.Text(), "Condition 2")
	require.Equal(t, "waits for approval of stage 1 (condition 1) since Thu 2026-10-22 09:00 +02:00; "+
		"and waits for approval of stage 1 (condition 3) since Thu 2026-10-22 09:00 +02:00", result.Standing())
}

func TestHorizonIsTold(t *testing.T) {
	result := preview(t, everything(t), flagstage.Start{}, nil)
	require.NotContains(t, result.Text(), "Looked ahead")
	result.Horizon = start.Add(time.Hour)
	require.Contains(t, result.Text(), "Looked ahead until Thu 2026-10-22 10:00 +02:00.\n")
	document, err := json.Marshal(result)
	require.NoError(t, err)
	require.Contains(t, string(document), `"horizon":1792656000000`)
}

func TestReleaseThatEndsAtOnceSaysSo(t *testing.T) {
	result := preview(t, plan(t, "now", flagstage.Stage{}), flagstage.Start{}, nil)
	require.Equal(t, "complete on Thu 2026-10-22 09:00 +02:00, at once", result.Standing())
}

func TestAnyTimelineCanBeShown(t *testing.T) {
	var zero timeline.Timeline
	require.NotPanics(t, func() { _ = zero.Text() })
	document, err := json.Marshal(zero)
	require.NoError(t, err)
	require.True(t, json.Valid(document))
	p := everything(t)
	for _, kind := range []flagstage.EventKind{
		"", "unknown\n", flagstage.EventStageArmed, flagstage.EventConditionArmed, flagstage.EventApprovalRequested,
		flagstage.EventReviewed, flagstage.EventConditionCompleted, flagstage.EventConditionFailed, flagstage.EventActionApplied,
		flagstage.EventStageCompleted, flagstage.EventStageFailed, flagstage.EventWorkflowCompleted, flagstage.EventActionFailed,
		flagstage.EventActionRescheduled, flagstage.EventConditionRescheduled, flagstage.EventStageSkipped, flagstage.EventStageRetried,
		flagstage.EventWorkflowPaused, flagstage.EventWorkflowResumed, flagstage.EventWorkflowCancelled,
	} {
		for stage := -2; stage < 9; stage++ {
			for condition := -2; condition < 5; condition++ {
				odd := timeline.Timeline{Plan: p, Events: []flagstage.Event{{Kind: kind, Stage: stage, Condition: condition}}}
				require.NotPanics(t, func() {
					requireNarrow(t, odd.Text())
					_, _ = odd.MarshalJSON()
				})
			}
		}
	}
}

func TestShowingIsLinear(t *testing.T) {
	allocations := func(n int) float64 {
		result := preview(t, plan(t, "n", make([]flagstage.Stage, n)...), flagstage.Start{}, nil)
		return testing.AllocsPerRun(2, func() {
			_ = result.Text()
			_, _ = result.MarshalJSON()
		})
	}
	require.LessOrEqual(t, allocations(500), 15*allocations(50))
}
