package flagstage

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// Limits of a template.
const (
	maxStages        = 500
	maxConditions    = 50   // in a stage
	maxInstructions  = 200  // in a stage
	maxSlots         = 1000 // flag-specific values in a template
	maxNotifyMembers = 10   // published
	maxNotifyTeams   = 100
	maxDescription   = 5000    // characters of an approval's description, published
	maxPrinted       = 1 << 20 // bytes of the printed template
	maxKey           = 256
	maxID            = 256
)

// conditionDepth is how many arrays and objects are open around the members
// of a condition.
const conditionDepth = 5

// The instants that can be written: those of the years 1970 to 9999.
var (
	firstInstant = time.Unix(0, 0).UTC()
	lastInstant  = time.Date(9999, 12, 31, 23, 59, 59, int(999*time.Millisecond), time.UTC)
)

// rules are those of an engine, beside the ones that every template keeps. The
// zero rules add nothing.
type rules struct {
	stages int      // at most so many; 0: no narrower limit
	hosts  []string // the only host kinds that may stand in Go values; nil: any
}

// judge says what is wrong with the values of a template.
type judge struct {
	problems *Problems
	rules    rules
	now      time.Time // waits are counted from here
	// read is set when the values come from a document: its reader has
	// judged the instructions, and reported what is nil.
	read   bool
	broken []string // pointers at and below which nothing more is to be said

	stage, condition int // where the judge stands; -1: outside of any
}

// newJudge returns a judge of Go values, who counts waits from the first
// instant there is.
func newJudge(problems *Problems) judge {
	return judge{problems: problems, now: firstInstant, stage: -1, condition: -1}
}

func (j *judge) pointer() string {
	var b []byte
	if j.stage >= 0 {
		b = strconv.AppendInt(append(b, "/stages/"...), int64(j.stage), 10)
	}
	if j.condition >= 0 {
		b = strconv.AppendInt(append(b, "/conditions/"...), int64(j.condition), 10)
	}
	return string(b)
}

// errorf reports an error at a place below where the judge stands.
func (j *judge) errorf(below string, code flags.Code, format string, args ...any) {
	pointer := j.pointer() + below
	for _, broken := range j.broken {
		if strings.HasPrefix(pointer, broken) && (len(pointer) == len(broken) || pointer[len(broken)] == '/') {
			return
		}
	}
	j.problems.Errorf(pointer, code, format, args...)
}

// request judges a request, and the creation that makes a template of it, if
// there is one.
func (j *judge) request(in *TemplateInput, c *Creation) {
	if c != nil {
		j.now = Instant(c.Now)
		j.creation(c, true, true, true)
	}
	j.key("/key", in.Key)
	j.input(in)
	if c != nil && in.WorkflowID != "" && in.Stages == nil {
		j.errorf("/workflowId", flags.CodeNotFound, "there is no such workflow")
	}
}

// input judges everything that a request says, but for its key.
func (j *judge) input(in *TemplateInput) {
	j.text("/name", in.Name)
	j.text("/description", in.Description)
	given := in.Stages != nil
	switch {
	case given && in.WorkflowID != "":
		j.errorf("/workflowId", flags.CodeExclusive, "stages and workflowId exclude each other; give one of them")
	case !given && in.WorkflowID == "":
		j.errorf("/stages", flags.CodeRequired, "give the stages, or the workflowId of a workflow to copy them from")
	case given && len(in.Stages) == 0:
		j.errorf("/stages", flags.CodeRequired, "a template needs at least one stage")
	}
	if in.WorkflowID != "" {
		if code, defect := idDefect(in.WorkflowID); defect != "" {
			j.errorf("/workflowId", code, "%s", defect)
		}
	}
	missing := ""
	if given {
		missing = "stages need the key of the %s that they were written for"
	}
	j.origin(in.Origin, missing)
	j.stages(in.Stages)
}

// origin judges the three keys. missing is what to say of one that is not
// there, with %s for what it is the key of; "" if that is no mistake.
func (j *judge) origin(o Origin, missing string) {
	for _, k := range []struct{ what, key string }{
		{"project", o.ProjectKey}, {"environment", o.EnvironmentKey}, {"flag", o.FlagKey},
	} {
		pointer := "/" + k.what + "Key"
		switch {
		case k.key != "":
			j.key(pointer, k.key)
		case missing != "":
			j.errorf(pointer, flags.CodeRequired, missing, k.what)
		}
	}
}

// number judges how many stages there are.
func (j *judge) number(stages []Stage) (ok bool) {
	limit := maxStages
	if j.rules.stages > 0 {
		limit = min(limit, j.rules.stages)
	}
	if len(stages) > limit {
		j.errorf("/stages", flags.CodeTooLarge, "%s", tooMany("stages", limit))
		return false
	}
	return true
}

func (j *judge) stages(stages []Stage) {
	if !j.number(stages) {
		return
	}
	slots := 0
	for i := range stages {
		j.stage = i
		slots += j.inStage(&stages[i])
	}
	j.stage = -1
	if slots > maxSlots {
		j.errorf("/stages", flags.CodeTooLarge, "the instructions have %d values that depend on the flag, such as variation ids; at most %d are allowed", slots, maxSlots)
	}
}

// inStage judges a stage and returns how many values in it depend on the
// flag.
func (j *judge) inStage(s *Stage) (slots int) {
	j.text("/name", s.Name)
	if len(s.Conditions) > maxConditions {
		j.errorf("/conditions", flags.CodeTooLarge, "%s", tooMany("conditions in a stage", maxConditions))
	} else {
		for i, c := range s.Conditions {
			if c != nil || !j.read {
				j.condition = i
				j.inCondition(c)
			}
		}
		j.condition = -1
	}
	if len(s.Action.Instructions) > maxInstructions {
		j.errorf("/action/instructions", flags.CodeTooLarge, "%s", tooMany("instructions in a stage", maxInstructions))
		return 0
	}
	for i, in := range s.Action.Instructions {
		slots += in.SlotCount()
		if j.read {
			continue
		}
		if problems := in.Validate(); problems != nil {
			j.problems.AddAll(fmt.Sprintf("%s/action/instructions/%d", j.pointer(), i), problems)
		} else {
			j.host(i, in)
		}
	}
	return slots
}

// host judges whether an instruction of a host's kind is one that the engine knows.
func (j *judge) host(i int, in flags.Instruction) {
	if j.rules.hosts == nil || in.Scope() != "" {
		return
	}
	if kind := string(in.Kind()); !slices.Contains(j.rules.hosts, kind) {
		j.errorf(fmt.Sprintf("/action/instructions/%d/kind", i), flags.CodeUnknownKind,
			"%s is no kind of instruction that this engine knows; make it known with WithHostKinds", strictjson.Quote(kind))
	}
}

// key judges a key that people chose.
func (j *judge) key(below, key string) {
	switch {
	case key == "":
		j.errorf(below, flags.CodeRequired, "the key is missing; choose one of letters, digits, '.', '_' and '-'")
	case len(key) > maxKey:
		j.errorf(below, flags.CodeTooLarge, "the key has %d bytes; at most %d are allowed", len(key), maxKey)
	case !flags.IsKey(key):
		j.errorf(below, flags.CodeMalformed, "the key %s must begin with a letter or digit and go on with letters, digits, '.', '_' and '-'", strictjson.Quote(key))
	}
}

// text judges a text that is free. A document cannot hold a bad one.
func (j *judge) text(below, text string) {
	if j.read {
		return
	}
	if code, defect := strictjson.TextDefect(text); defect != "" {
		j.errorf(below, flags.Code(code), "%s", defect)
	}
}

// names judges a list of names that must not be empty.
func (j *judge) names(below string, names []string, limit int) {
	if len(names) > limit {
		j.errorf(below, flags.CodeTooLarge, "%s", tooMany("entries", limit))
		return
	}
	for i, name := range names {
		if code, defect := idDefect(name); defect != "" {
			j.errorf(fmt.Sprintf("%s/%d", below, i), code, "%s", defect)
		}
	}
}

// value judges a free JSON object, a member of a condition.
func (j *judge) value(below string, v Value) {
	if !strings.HasPrefix(v.String(), "{") {
		j.errorf(below, flags.CodeWrongType, "must be a JSON object")
		return
	}
	if conditionDepth+v.Depth() > strictjson.MaxDepth {
		j.errorf(below, flags.CodeTooLarge, "is nested too deep; the template would go deeper than %d", strictjson.MaxDepth)
	}
	if _, err := flags.ParseValue(v.String()); err != nil {
		j.errorf(below, flags.CodeMalformed, "%v", err)
	}
}

func isInstant(at time.Time) bool { return !at.Before(firstInstant) && !at.After(lastInstant) }

// instant judges a date.
func (j *judge) instant(below string, at time.Time) {
	if !isInstant(at) {
		j.errorf(below, flags.CodeOutOfRange, "the date must lie in the years 1970 to 9999, in Unix milliseconds")
	}
}

// wait judges a wait, and whether it ends within the years that there are.
func (j *judge) wait(w calendar.Wait) {
	if !w.Unit.Valid() {
		j.errorf("/waitDurationUnit", flags.CodeUnknownKind, "%s", unknownWord("unit", string(w.Unit), unitNames()))
	}
	if w.Count < 0 {
		j.errorf("/waitDuration", flags.CodeOutOfRange, "is %d; a wait cannot be negative", w.Count)
	} else if _, err := w.After(j.now, time.UTC); w.Unit.Valid() && err != nil {
		j.errorf("/waitDuration", flags.CodeOutOfRange, "a wait of %s goes beyond the year 9999", w)
	}
}

func unitNames() []string {
	var names []string
	for _, u := range calendar.Units() {
		names = append(names, string(u))
	}
	return names
}

func unitList() string { return strings.Join(unitNames(), ", ") }

func tooMany(what string, limit int) string {
	return fmt.Sprintf("there are too many %s; at most %d are allowed", what, limit)
}

// idDefect says what is wrong with an identifier; both are "" if nothing is.
func idDefect(id string) (flags.Code, string) {
	switch {
	case id == "":
		return flags.CodeMalformed, "the identifier is empty"
	case len(id) > maxID:
		return flags.CodeTooLarge, fmt.Sprintf("the identifier has %d bytes; at most %d are allowed", len(id), maxID)
	}
	code, defect := strictjson.TextDefect(id)
	return flags.Code(code), defect
}
