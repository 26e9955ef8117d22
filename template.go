package flagstage

import (
	"math"
	"slices"
	"time"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// Origin is the flag that a template was written for. The values in its
// instructions that depend on a flag, such as variation ids, are those of this
// flag in this environment.
type Origin struct {
	ProjectKey     string
	EnvironmentKey string
	FlagKey        string
}

// TemplateInput is a request to create a template: what [ReadTemplate] reads
// from JSON, or a program puts together. [NewTemplate] judges it.
type TemplateInput struct {
	// Key names the template: a letter or digit, followed by at most 255
	// letters, digits, '.', '_' and '-'. Required, and unique in a store.
	Key         string
	Name        string // "" means the key
	Description string
	// WorkflowID names a workflow whose stages are copied; then Stages must
	// be nil. Only an engine can look it up.
	WorkflowID string
	// Origin is required with Stages.
	Origin Origin
	// Stages are at least one and at most 500. Identifiers in them are
	// ignored: a new template has new ones.
	Stages []Stage
}

// Creation is what making a template takes besides the request.
type Creation struct {
	Now   time.Time // becomes the creation date; years 1970 to 9999
	IDs   IDSource  // makes the identifiers; each must be new, and not empty
	Actor Actor     // becomes owner and maintainer
}

// Template is a created template: valid, complete, immutable, and safe for
// concurrent use. The zero Template is none. Slices that its methods return
// belong to the caller.
type Template struct {
	id, key, name, description string
	createdAt                  time.Time
	ownerID, maintainerID      string
	origin                     Origin
	stages                     []Stage
	printed                    int // bytes of the printed form
}

// ReadTemplate reads a request to create a template from JSON: the body of
// LaunchDarkly's POST /api/v2/templates. It finds everything that is wrong
// with the document in one pass. With an error among the problems the input is
// zero; warnings leave it usable. The document is at most 1 MiB.
//
// Members of the published response (_id, _execution, allReviews, …) are
// ignored: use [Import] to keep them.
func ReadTemplate(document []byte, list ...Option) (TemplateInput, Problems) {
	r := newReader(document, false, list)
	doc, ok := r.readDocument()
	var more Problems
	if ok {
		j := judge{problems: &more, now: firstInstant, read: true, broken: r.broken, stage: -1, condition: -1}
		j.key("/key", doc.input.Key)
		j.input(&doc.input)
	}
	problems := r.judged(document, more)
	if problems.Err() != nil {
		return TemplateInput{}, problems
	}
	return doc.input, problems
}

// NewTemplate creates a template. It judges the input by the rules of
// [ReadTemplate], and in addition that no wait ends after the year 9999 when
// counted from creation.Now, and that the printed template is at most 1 MiB.
// With an error among the problems the template is zero.
//
// A WorkflowID is answered with the code not_found: there is no engine here
// that could look it up.
func NewTemplate(input TemplateInput, creation Creation) (Template, Problems) {
	template, _, problems := newTemplate(input, creation, false)
	return template, problems
}

// newTemplate is NewTemplate that also returns the printed template. With read
// the input is what ReadTemplate returned, whose instructions are valid.
func newTemplate(input TemplateInput, creation Creation, read bool) (Template, []byte, Problems) {
	var problems Problems
	j := judge{problems: &problems, now: Instant(creation.Now), read: read, stage: -1, condition: -1}
	j.creation(creation, true, true, true)
	j.key("/key", input.Key)
	j.input(&input)
	if input.WorkflowID != "" && input.Stages == nil {
		j.errorf("/workflowId", flags.CodeNotFound, "there is no such workflow; without an engine there are none")
	}
	if problems.Err() != nil {
		return Template{}, nil, problems
	}
	now, owner := Instant(creation.Now), creation.Actor.Identity()
	return build(&Template{
		id: creation.IDs.NewID(now), key: input.Key, name: input.Name, description: input.Description,
		createdAt: now, ownerID: owner, maintainerID: owner, origin: input.Origin,
	}, input.Stages, func(string) string { return creation.IDs.NewID(now) }, problems)
}

// Import creates a template from an exported document: one item of the
// published listing, or the published answer to a creation. What the document
// says is kept: key, identifiers, dates, owner and maintainer; what is missing
// comes from creation, of which only that much is needed. Executions and
// reviews are dropped. The exported document does not say for which flag the
// template was written, so origin does.
//
// Every template, printed and imported with its origin, is equal to itself.
func Import(document []byte, origin Origin, creation Creation, list ...Option) (Template, Problems) {
	template, _, problems := importTemplate(document, origin, creation, list)
	return template, problems
}

// importTemplate is Import that also returns the printed template.
func importTemplate(document []byte, origin Origin, creation Creation, list []Option) (Template, []byte, Problems) {
	r := newReader(document, true, list)
	doc, ok := r.readDocument()
	var more Problems
	if ok {
		more = r.judgeExported(&doc, origin, creation)
	}
	problems := r.judged(document, more)
	if problems.Err() != nil {
		return Template{}, nil, problems
	}
	created := Instant(creation.Now)
	if doc.created.given {
		created = time.UnixMilli(doc.created.value).UTC()
	}
	pick := func(id string) string {
		if id != "" {
			return id
		}
		return creation.IDs.NewID(created)
	}
	actor := creation.Actor.Identity()
	return build(&Template{
		id: pick(doc.id.value), key: doc.input.Key, name: doc.input.Name, description: doc.input.Description,
		createdAt: created, origin: origin,
		ownerID:      orElse(doc.owner.value, actor),
		maintainerID: orElse(doc.maintainer.value, actor),
	}, doc.input.Stages, pick, problems)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// judgeExported judges an exported document and what must complete it.
func (r *reader) judgeExported(doc *templateDocument, origin Origin, creation Creation) (problems Problems) {
	doc.input.Origin = origin
	if doc.input.Stages == nil {
		doc.input.Stages = []Stage{}
	}
	j := judge{problems: &problems, now: Instant(creation.Now), read: true, broken: r.broken, stage: -1, condition: -1}
	if doc.created.given {
		j.now = time.UnixMilli(doc.created.value).UTC()
		j.instant("/_creationDate", j.now)
	}
	ids := uniqueIDs{judge: &j, stageIDs: map[string]string{}, partIDs: map[string]string{}}
	ids.stages(doc.input.Stages)
	j.creation(creation, !doc.created.given, !doc.id.given || ids.missing, !doc.owner.given || !doc.maintainer.given)
	j.key("/_key", doc.input.Key)
	j.input(&doc.input)
	return problems
}

// build completes a template whose parts are valid, with identifiers that pick
// chooses, and prints it.
func build(t *Template, stages []Stage, pick func(id string) string, problems Problems) (Template, []byte, Problems) {
	if t.name == "" {
		t.name = t.key
	}
	t.stages = make([]Stage, len(stages))
	for i, s := range stages {
		t.stages[i] = copyStage(s, pick)
	}
	printed, more := t.print()
	if more != nil {
		return Template{}, nil, append(problems, more...)
	}
	return *t, printed, problems
}

// print prints a new or changed template, and notes how long that is, unless
// it is too long.
func (t *Template) print() ([]byte, Problems) {
	printed := t.appendJSON(make([]byte, 0, 512+1024*len(t.stages)), maxPrinted)
	if t.printed = len(printed); t.printed > maxPrinted {
		var problems Problems
		problems.Errorf("", flags.CodeTooLarge, "the printed template would have more than %d bytes", maxPrinted)
		return nil, problems
	}
	return printed, nil
}

// creation judges what is needed of a Creation.
func (j *judge) creation(c Creation, date, ids, actor bool) {
	if date && !isInstant(c.Now) {
		j.errorf("/_creationDate", flags.CodeRequired, "Creation.Now must be set, to an instant in the years 1970 to 9999")
	}
	if !isInstant(j.now) {
		j.now = firstInstant // waits are judged all the same
	}
	if ids && c.IDs == nil {
		j.errorf("/_id", flags.CodeRequired, "Creation.IDs must be set: RandomIDs(), or SeededIDs(n) where output must repeat")
	}
	if err := c.Actor.Validate(); actor && err != nil {
		j.errorf("/_ownerId", flags.CodeRequired, "Creation.Actor becomes the owner: %v", err)
	}
}

// uniqueIDs reports identifiers of an exported document that stand twice:
// among the stages, or among conditions and instructions, which parameters
// refer to.
type uniqueIDs struct {
	*judge
	stageIDs, partIDs map[string]string // where each identifier stands
	missing           bool
}

func (u *uniqueIDs) stages(stages []Stage) {
	for i, s := range stages {
		u.stage, u.condition = i, -1
		u.id(u.stageIDs, "/_id", s.ID)
		for k, c := range s.Conditions {
			if c != nil {
				u.condition = k
				u.id(u.partIDs, "/_id", c.ConditionID())
			}
		}
		u.condition = -1
		for k, in := range s.Action.Instructions {
			u.id(u.partIDs, "/action/instructions/"+string(strictjson.AppendInt(nil, int64(k)))+"/_id", in.ID())
		}
	}
	u.stage = -1
}

func (u *uniqueIDs) id(seen map[string]string, below, id string) {
	if id == "" {
		u.missing = true
		return
	}
	pointer := u.pointer() + below
	if first, ok := seen[id]; ok {
		u.errorf(below, flags.CodeDuplicate, "the identifier %s stands at %s too", strictjson.Quote(id), first)
		return
	}
	seen[id] = pointer
}

// ID returns the template's identifier.
func (t Template) ID() string { return t.id }

// Key returns the key that people chose.
func (t Template) Key() string { return t.key }

// Name returns the name, which is the key if none was given.
func (t Template) Name() string { return t.name }

// Description returns the description, "" if there is none.
func (t Template) Description() string { return t.description }

// CreatedAt returns the creation date.
func (t Template) CreatedAt() time.Time { return t.createdAt }

// OwnerID returns the identity of the one who created the template.
func (t Template) OwnerID() string { return t.ownerID }

// MaintainerID returns the identity of the one who looks after the template.
func (t Template) MaintainerID() string { return t.maintainerID }

// Origin returns the flag that the template was written for.
func (t Template) Origin() Origin { return t.origin }

// Stages returns a copy of the stages.
func (t Template) Stages() []Stage { return cloneStages(t.stages) }

// IsZero reports whether t is no template.
func (t Template) IsZero() bool { return t.key == "" }

// Equal reports whether the templates are the same in everything, their
// origin included.
func (t Template) Equal(other Template) bool {
	return t.origin == other.origin && t.printed == other.printed &&
		slices.Equal(t.AppendJSON(nil), other.AppendJSON(nil))
}

// AppendJSON appends the template as the published response to its creation
// shows it, always in the same bytes.
func (t Template) AppendJSON(dst []byte) []byte {
	return t.appendJSON(slices.Grow(dst, t.printed), math.MaxInt)
}

// appendJSON stops somewhere when the result has become longer than limit.
func (t Template) appendJSON(dst []byte, limit int) []byte {
	dst = append(t.appendHead(dst), `,"stages":[`...)
	for i, s := range t.stages {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst = appendStage(dst, s, limit); len(dst) > limit {
			return dst
		}
	}
	return append(dst, "]}"...)
}

// appendHead appends the template up to its stages.
func (t Template) appendHead(dst []byte) []byte {
	dst = appendID(append(dst, '{'), t.id)
	dst = strictjson.AppendString(append(dst, `,"_key":`...), t.key)
	dst = strictjson.AppendInt(append(dst, `,"_creationDate":`...), t.createdAt.UnixMilli())
	dst = strictjson.AppendString(append(dst, `,"_ownerId":`...), t.ownerID)
	dst = strictjson.AppendString(append(dst, `,"_maintainerId":`...), t.maintainerID)
	dst = append(dst, `,"_links":{"self":{"href":"/api/v2/templates/`...)
	dst = append(dst, t.key...) // nothing in a key needs an escape
	dst = append(dst, `","type":"application/json"}},"name":`...)
	dst = strictjson.AppendString(dst, t.name)
	if t.description != "" {
		dst = strictjson.AppendString(append(dst, `,"description":`...), t.description)
	}
	return dst
}

// MarshalJSON returns what [Template.AppendJSON] appends.
func (t Template) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil), nil }
