package flagstage

import (
	"math"
	"slices"
	"time"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// Origin names a flag in an environment: the one that a template was written for,
// or the one that is released. The values in a template's instructions that depend
// on a flag, such as variation ids, are those of its origin. The zero Origin names
// none.
type Origin struct {
	ProjectKey     string
	EnvironmentKey string
	FlagKey        string
}

// String returns the three keys with slashes between them: project, environment,
// flag.
func (o Origin) String() string {
	return o.ProjectKey + "/" + o.EnvironmentKey + "/" + o.FlagKey
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
	// values are those behind ids of variations, as far as they are known.
	values []variationValue
}

// ReadTemplate reads a request to create a template from JSON: the body of
// LaunchDarkly's POST /api/v2/templates. It finds everything that is wrong
// with the document in one pass. With an error among the problems the input is
// zero; warnings leave it usable. The document is at most 1 MiB.
//
// Members of the published response (_id, _execution, allReviews, …) are
// ignored: use [Import] to keep them.
func ReadTemplate(document []byte, list ...Option) (TemplateInput, Problems) {
	r := newReader(document, false, newOptions(list).reading)
	r.readDocument()
	problems := r.judgeRequest(nil)
	if problems.Err() != nil {
		return TemplateInput{}, problems
	}
	return r.doc.input, problems
}

// judgeRequest returns all that is wrong with a request: as ReadTemplate
// judges it, or, with a creation, as NewTemplate does.
func (r *reader) judgeRequest(creation *Creation) Problems {
	var more Problems
	if r.whole {
		j := r.judge(&more)
		j.request(&r.doc.input, creation)
	}
	return r.judged(more)
}

// NewTemplate creates a template. It judges the input by the rules of
// [ReadTemplate], and in addition that no wait ends after the year 9999 when
// counted from creation.Now, that the identifiers which creation.IDs makes are
// such and differ, and that the printed template is at most 1 MiB.
// Instructions of host-defined kinds pass; an engine knows only its own, see
// [WithHostKinds]. With an error among the problems the template is zero.
//
// A WorkflowID is answered with the code not_found: there is no engine here
// that could look it up.
func NewTemplate(input TemplateInput, creation Creation) (Template, Problems) {
	problems := judgeInput(&input, &creation, rules{})
	if problems != nil {
		return Template{}, problems
	}
	t, problems := newTemplate(&input, &creation, false)
	return t.measured(problems)
}

// judgeInput returns all that is wrong with a request of Go values.
func judgeInput(input *TemplateInput, creation *Creation, rules rules) (problems Problems) {
	j := newJudge(&problems)
	j.rules = rules
	j.request(input, creation)
	return problems
}

// newTemplate makes the template of a request in which nothing is wrong, and
// returns what is wrong with the identifiers made for it. owned says that
// nobody else has the slices of the request.
func newTemplate(input *TemplateInput, creation *Creation, owned bool) (*Template, Problems) {
	ids := minting{source: creation.IDs, at: Instant(creation.Now)}
	owner := creation.Actor.Identity()
	t := &Template{
		id: ids.next(), key: input.Key, name: orElse(input.Name, input.Key), description: input.Description,
		createdAt: ids.at, ownerID: owner, maintainerID: owner, origin: input.Origin,
		stages: input.Stages,
	}
	if !owned {
		t.stages = cloneStages(t.stages)
	}
	return t, t.identify(&ids, func(string) string { return ids.next() })
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
	r := newReader(document, true, newOptions(list).reading)
	r.readDocument()
	return r.template(origin, &creation)
}

// template judges the exported document that was read, and makes the template.
func (r *reader) template(origin Origin, creation *Creation) (Template, Problems) {
	problems := r.judgeExported(origin, creation)
	if problems.Err() != nil {
		return Template{}, problems
	}
	t, more := r.exported(creation)
	return t.measured(append(problems, more...))
}

// exported makes the template of an exported document in which nothing is
// wrong, and returns what is wrong with the identifiers made for it.
func (r *reader) exported(creation *Creation) (*Template, Problems) {
	doc := &r.doc
	ids := minting{source: creation.IDs, at: doc.createdAt(creation)}
	pick := func(id string) string {
		if id == "" {
			return ids.next()
		}
		ids.kept = true
		return id
	}
	actor := creation.Actor.Identity()
	t := &Template{
		id: pick(doc.id.value), key: doc.input.Key, name: orElse(doc.input.Name, doc.input.Key), description: doc.input.Description,
		createdAt: ids.at, origin: doc.input.Origin,
		ownerID:      orElse(doc.owner.value, actor),
		maintainerID: orElse(doc.maintainer.value, actor),
		stages:       doc.input.Stages,
	}
	return t, t.identify(&ids, pick)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// judgeExported returns all that is wrong with an exported document and what
// must complete it.
func (r *reader) judgeExported(origin Origin, creation *Creation) Problems {
	var more Problems
	if r.whole {
		doc := &r.doc
		doc.input.Origin = origin
		if doc.input.Stages == nil {
			doc.input.Stages = []Stage{}
		}
		j := r.judge(&more)
		j.now = doc.createdAt(creation)
		if doc.created.given {
			j.instant("/_creationDate", j.now)
		}
		ids := newUniqueIDs(&j)
		ids.stages(doc.input.Stages)
		j.creation(creation, !doc.created.given, !doc.id.given || ids.missing, !doc.owner.given || !doc.maintainer.given)
		j.key("/_key", doc.input.Key)
		j.input(&doc.input)
	}
	return r.judged(more)
}

// createdAt returns the creation date that an exported document gives, or else
// the one that completes it.
func (doc *templateDocument) createdAt(creation *Creation) time.Time {
	if doc.created.given {
		return time.UnixMilli(doc.created.value).UTC()
	}
	return Instant(creation.Now)
}

// minting makes the identifiers of one template.
type minting struct {
	source IDSource
	at     time.Time
	last   string
	// kept is set when others come from a document. doubtful is set when one
	// was made that is none, or does not sort behind the one before, as new
	// ones do.
	made, kept, doubtful bool
}

func (m *minting) next() string {
	id := m.source.NewID(m.at)
	if _, defect := idDefect(id); defect != "" || id <= m.last {
		m.doubtful = true
	}
	m.last, m.made = id, true
	return id
}

// identify gives all parts of a template the identifiers that pick chooses,
// given those that they have, and judges them if there is doubt.
func (t *Template) identify(ids *minting, pick func(id string) string) (problems Problems) {
	for i := range t.stages {
		t.stages[i].identify(pick)
	}
	if ids.doubtful || ids.made && ids.kept {
		j := newJudge(&problems)
		made := newUniqueIDs(&j)
		made.made = true
		made.id(map[string]string{}, "/_id", t.id)
		made.stages(t.stages)
	}
	return problems
}

// measured returns the template, unless an error is known or it would be too
// long to be read again, and all problems.
func (t *Template) measured(problems Problems) (Template, Problems) {
	if problems.Err() != nil {
		return Template{}, problems
	}
	if _, more := t.print(make([]byte, 0, t.room())); more != nil {
		return Template{}, append(problems, more...)
	}
	return *t, problems
}

// room returns how many bytes the printed template usually takes.
func (t *Template) room() int { return 512 + 1024*len(t.stages) }

// print appends a new or changed template, and notes how long it is, unless it
// is too long.
func (t *Template) print(dst []byte) ([]byte, Problems) {
	start := len(dst)
	dst = t.appendJSON(dst, start+maxPrinted)
	if t.printed = len(dst) - start; t.printed > maxPrinted {
		var problems Problems
		problems.Errorf("", flags.CodeTooLarge, "the printed template would have more than %d bytes", maxPrinted)
		return nil, problems
	}
	return dst, nil
}

// creation judges what is needed of a Creation.
func (j *judge) creation(c *Creation, date, ids, actor bool) {
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

// uniqueIDs reports identifiers that stand twice: among the stages, or among
// conditions and instructions, which parameters refer to.
type uniqueIDs struct {
	*judge
	stageIDs, partIDs map[string]string // where each identifier stands
	missing           bool
	made              bool // by a source that may have made anything
}

func newUniqueIDs(j *judge) uniqueIDs {
	return uniqueIDs{judge: j, stageIDs: map[string]string{}, partIDs: map[string]string{}}
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
	code, defect := idDefect(id)
	switch {
	case u.made && defect != "":
		u.errorf(below, code, "Creation.IDs made something else than an identifier: %s", defect)
		return
	case id == "":
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
func (t Template) IsZero() bool { return t.id == "" }

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
	dst = append(t.appendHead(dst), `,"stages":`...)
	return append(appendStages(dst, t.stages, limit), '}')
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
