package flagstagetest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/simulate"
)

// zones are some whose clocks have little in common: changes in spring and in
// autumn, by half an hour, at midnight; odd offsets; a date that was left out.
var zones = []string{
	"", "UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu",
	"Africa/Casablanca", "Pacific/Apia", "Pacific/Kiritimati",
}

// Scenarios generates futures of a template or plan, each of which
// [simulate.Run] accepts for it: with answers to some of its approvals, in
// zones of all parts of the world, with and without a horizon.
func Scenarios(source simulate.Source) *rapid.Generator[simulate.Scenario] {
	plan := source.Plan()
	return rapid.Custom(func(t *rapid.T) simulate.Scenario {
		s := simulate.Scenario{
			Start:     Instants().Draw(t, "start"),
			Zone:      rapid.SampledFrom(zones).Draw(t, "zone"),
			Approvals: approvalSettings(t),
		}
		s.Otherwise = answers(s.Start).Draw(t, "otherwise")
		for pointer := range plan.Approvals() {
			if !rapid.Bool().Draw(t, "answer at "+pointer) {
				continue
			}
			if s.Answers == nil {
				s.Answers = map[string]simulate.Answer{}
			}
			s.Answers[pointer] = answers(s.Start).Draw(t, "answer")
		}
		if rapid.Bool().Draw(t, "has horizon") {
			s.Horizon = s.Start.Add(lengths.Draw(t, "horizon"))
		}
		return s
	})
}

// lengths generates lengths of time from none to 200 days.
var lengths = rapid.Custom(func(t *rapid.T) time.Duration {
	unit := rapid.SampledFrom([]time.Duration{time.Hour, time.Minute, 24 * time.Hour, time.Millisecond}).Draw(t, "unit")
	return time.Duration(rapid.Int64Range(0, 200).Draw(t, "count")) * unit
})

// answers generates answers to approvals of a release that starts at an
// instant.
func answers(start time.Time) *rapid.Generator[simulate.Answer] {
	at := func(t *rapid.T) time.Time {
		return rapid.OneOf(rapid.Map(lengths, start.Add), Instants()).Draw(t, "at")
	}
	return rapid.Custom(func(t *rapid.T) simulate.Answer {
		switch rapid.SampledFrom([]string{"approved after", "approved at", "declined after", "declined at", "never"}).Draw(t, "answer") {
		case "approved after":
			return simulate.ApprovedAfter(lengths.Draw(t, "delay"))
		case "approved at":
			return simulate.ApprovedAt(at(t))
		case "declined after":
			return simulate.DeclinedAfter(lengths.Draw(t, "delay"))
		case "declined at":
			return simulate.DeclinedAt(at(t))
		}
		return simulate.Never()
	})
}

func approvalSettings(t *rapid.T) flagstage.ApprovalSettings {
	settings := flagstage.ApprovalSettings{
		MinNumApprovals:         rapid.IntRange(0, 5).Draw(t, "approvals needed"),
		CanReviewOwnRequest:     rapid.Bool().Draw(t, "own request"),
		CanApplyDeclinedChanges: rapid.Bool().Draw(t, "declined changes"),
	}
	if rapid.Bool().Draw(t, "expires") {
		settings.ExpiresAfter = lengths.Draw(t, "expires after")
	}
	return settings
}
