package main

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// Who does what in releases that processes run until they are killed.
var (
	starter   = flagstage.Actor{MemberID: "starter"}
	reviewers = []flagstage.Actor{{MemberID: "ann"}, {MemberID: "ben"}, {MemberID: "cleo"}}
	operator  = flagstage.Actor{MemberID: "operator"}
)

// Where the flags are.
const (
	releaseProject     = "shop"
	releaseEnvironment = "production"
	onVariation        = "on"
	offVariation       = "off"
)

// A generation of flags is what so many processes work on, one after the
// other: so that flags do not grow without end.
const (
	generation      = 5 // processes
	generationFlags = 3
)

// newFlag returns a flag that nobody has changed.
func newFlag(key string) (flags.Flag, error) {
	flag, problems := flags.DecodeFlag(fmt.Appendf(nil, `{"key": %q, "kind": "boolean", "_version": 1,
		"variations": [{"_id": %q, "value": true}, {"_id": %q, "value": false}],
		"environments": {%q: {"on": true, "version": 1, "fallthrough": {"variation": 1}, "offVariation": 1}}}`,
		key, onVariation, offVariation, releaseEnvironment))
	return flag, problems.Err()
}

// flagKey returns the key of one of the flags of a generation.
func flagKey(generation, flag int) string { return fmt.Sprintf("g%d-f%d", generation, flag) }

// releaseName returns the name of a new release of a flag. It is the identifier of
// its workflow, until that is deleted and the identifier is used again: see again.
func releaseName(flag string, random *rand.Rand) string {
	return fmt.Sprintf("%s-%016x", flag, random.Uint64())
}

// behindID stands between the identifier in a name and what tells releases apart
// that had the identifier one after the other.
const behindID = "~"

// idOf returns the identifier of the workflow of a release.
func idOf(name string) string {
	id, _, _ := strings.Cut(name, behindID)
	return id
}

// again returns the name of another release that has the identifier of one.
func again(name string, random *rand.Rand) string {
	return fmt.Sprintf("%s%s%08x", idOf(name), behindID, random.Uint32())
}

// How many templates there are, and one in how many releases is of one of them.
const (
	commonTemplates = 3
	commonShare     = 4
)

func templateKey(n int) string { return fmt.Sprint("common-", n) }

// templateOf returns a template whose releases all have the same plan. It changes
// nothing, so that no flag has to tell how many of them there were.
func templateOf(n int) flagstage.TemplateInput {
	random := rand.New(rand.NewPCG(uint64(n), 8))
	stages := releaseStages(random, func(int) flagstage.Action { return flagstage.Action{} })
	return flagstage.TemplateInput{Key: templateKey(n), Origin: originOf("any"), Stages: stages}
}

func originOf(flag string) flagstage.Origin {
	return flagstage.Origin{ProjectKey: releaseProject, EnvironmentKey: releaseEnvironment, FlagKey: flag}
}

// releaseOf returns what a release is to be. All of it is made of the name, so that
// whoever looks at what became of the workflow knows what was asked for.
func releaseOf(name string) flagstage.WorkflowInput {
	h := fnv.New64a()
	h.Write([]byte(name))
	random := rand.New(rand.NewPCG(h.Sum64(), 2))
	id := idOf(name)
	input := flagstage.WorkflowInput{
		ID: id, Name: name,
		Target:          originOf(id[:strings.LastIndexByte(id, '-')]),
		Approvals:       flagstage.ApprovalSettings{MinNumApprovals: 1 + random.IntN(2)},
		IgnoreConflicts: random.IntN(4) == 0,
	}
	if random.IntN(4) == 0 {
		input.Approvals.ExpiresAfter = time.Duration(1+random.IntN(12)) * time.Hour
	}
	if random.IntN(commonShare) == 0 {
		n := random.IntN(commonTemplates)
		input.TemplateKey, input.Stages = templateKey(n), templateOf(n).Stages
		return input
	}
	input.Stages = releaseStages(random, func(stage int) flagstage.Action {
		if random.IntN(8) == 0 {
			return flagstage.Action{}
		}
		return flagstage.Patch(marking(actionMark(name, stage), random, 8)...)
	})
	return input
}

// requestOf returns the request that starts a release.
func requestOf(name string) flagstage.WorkflowInput {
	input := releaseOf(name)
	if input.TemplateKey != "" {
		input.Stages = nil // they are those of the template
	}
	return input
}

// releaseStages returns one to four stages that wait and ask.
func releaseStages(random *rand.Rand, action func(stage int) flagstage.Action) (list []flagstage.Stage) {
	for stage := range 1 + random.IntN(4) {
		s := flagstage.Stage{Name: fmt.Sprint("stage ", stage), ExecuteConditionsInSequence: random.IntN(2) == 0}
		if random.IntN(4) > 0 {
			s.Conditions = append(s.Conditions, flagstage.ScheduleAfter(random.Int64N(90), calendar.Minute))
		}
		if random.IntN(4) == 0 {
			s.Conditions = append(s.Conditions, flagstage.Approval{Description: fmt.Sprint("May stage ", stage, " go on?")})
		}
		s.Action = action(stage)
		list = append(list, s)
	}
	return list
}

// actionMark names the action of a stage.
func actionMark(name string, stage int) string { return fmt.Sprintf("%s/%d", name, stage) }

// patchMark names a change that somebody makes by hand.
const patchMark = "patch/"

// marking returns instructions that leave a mark each time that they are
// applied, a rule which only says what it is called: done twice, it stands
// there twice. One in so many changes what is served by default too, which others want
// to change.
func marking(mark string, random *rand.Rand, contended int) []flags.Instruction {
	list := []flags.Instruction{flags.AddRule(flags.Rule{Description: mark, Serve: flags.ServeVariation(onVariation)}, "")}
	if random.IntN(contended) == 0 {
		share := random.IntN(flags.FullWeight + 1)
		list = append(list, flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{Weights: []flags.Weight{
			{VariationID: onVariation, Weight: share}, {VariationID: offVariation, Weight: flags.FullWeight - share},
		}})))
	}
	return list
}

// markOf returns the mark that instructions leave, "" if they leave none.
func markOf(list []flags.Instruction) string {
	flag, err := newFlag("flag")
	if err != nil {
		return ""
	}
	flag, err = flags.Apply(flag, list, flags.Application{Environment: releaseEnvironment, Now: releasesStart, IDs: flagstage.SeededIDs(1)})
	if err != nil {
		return ""
	}
	marks := marksOf(flag)
	if len(marks) != 1 {
		return ""
	}
	return marks[0]
}

// marksOf returns the marks that a flag has, in the order in which they came.
func marksOf(flag flags.Flag) (list []string) {
	environment, _ := flag.Environment(releaseEnvironment)
	for _, rule := range environment.Rules() {
		list = append(list, rule.Description())
	}
	return list
}
