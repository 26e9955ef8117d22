package flagstage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// StoredTemplate is a template as an engine keeps it.
type StoredTemplate struct {
	Template
	// Revision is what [Engine.ReplaceTemplate] and [Engine.DeleteTemplate]
	// take to make sure that nobody else has changed the template since.
	Revision int64
	// Warnings are the problems of the request that did not prevent it. Only
	// a call that takes a document returns any.
	Warnings Problems
}

// CreateTemplate creates a template of Go values and keeps it.
//
// The error is a [*ProblemsError] for bad input; it wraps [ErrExists], and
// [ErrInvalidRequest], if the key is taken, and [ErrNotFound] if a workflow is
// asked for that does not exist. It wraps [ErrUnknownOutcome] when the store
// cannot tell whether the template was kept, and the record there now is not
// the one that this very call wrote: read the template, and see.
func (e *Engine) CreateTemplate(ctx context.Context, actor Actor, input TemplateInput) (StoredTemplate, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbCreateTemplate, TemplateKey: input.Key}); err != nil {
		return StoredTemplate{}, err
	}
	if err := e.copyStages(ctx, actor, &input); err != nil {
		return StoredTemplate{}, err
	}
	creation := e.creation(actor)
	if err := judgeInput(&input, creation, e.rules).Err(); err != nil {
		return StoredTemplate{}, err
	}
	template, problems := newTemplate(&input, creation, false)
	return e.keepNew(ctx, template, problems)
}

// copyStages gives a request that names a workflow the stages and the origin of
// that. A workflow that does not exist is left for the judge to report. To copy
// is to read the workflow, which the guard is asked about.
func (e *Engine) copyStages(ctx context.Context, actor Actor, input *TemplateInput) error {
	if input.WorkflowID == "" || input.Stages != nil {
		return nil
	}
	request := Request{Actor: actor, Verb: VerbReadWorkflow, WorkflowID: input.WorkflowID}
	if err := e.ask(ctx, request); err != nil {
		return err
	}
	in, _, err := e.loadWorkflow(ctx, input.WorkflowID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := e.askAgain(ctx, &request, in); err != nil {
		return err
	}
	copied, problems := input.fromWorkflow(StoredWorkflow{Workflow: in.Workflow, Target: in.target})
	if err := problems.Err(); err != nil {
		return err
	}
	*input = copied
	return nil
}

// CreateTemplateJSON reads a request as [ReadTemplate] does, creates the
// template and keeps it. Errors are those of [Engine.CreateTemplate].
func (e *Engine) CreateTemplateJSON(ctx context.Context, actor Actor, document []byte) (StoredTemplate, error) {
	r, err := e.beginDocument(ctx, Request{Actor: actor, Verb: VerbCreateTemplate}, document)
	if err != nil {
		return StoredTemplate{}, err
	}
	if r.whole {
		if err := e.copyStages(ctx, actor, &r.doc.input); err != nil {
			return StoredTemplate{}, err
		}
	}
	creation := e.creation(actor)
	problems := r.judgeRequest(creation)
	if err := problems.Err(); err != nil {
		return StoredTemplate{}, err
	}
	template, more := newTemplate(&r.doc.input, creation, true)
	return e.keepNew(ctx, template, append(problems, more...))
}

// ImportTemplate keeps an exported template: see [Import]. Errors are those of
// [Engine.CreateTemplate].
func (e *Engine) ImportTemplate(ctx context.Context, actor Actor, document []byte, origin Origin) (StoredTemplate, error) {
	r, err := e.beginDocument(ctx, Request{Actor: actor, Verb: VerbImportTemplate}, document)
	if err != nil {
		return StoredTemplate{}, err
	}
	creation := e.creation(actor)
	problems := r.judgeExported(origin, creation)
	if err := problems.Err(); err != nil {
		return StoredTemplate{}, err
	}
	template, more := r.exported(creation)
	return e.keepNew(ctx, template, append(problems, more...))
}

// keepNew keeps a template whose key must be free, unless an error is among the
// problems, and returns the others as warnings.
func (e *Engine) keepNew(ctx context.Context, template *Template, problems Problems) (StoredTemplate, error) {
	if err := problems.Err(); err != nil {
		return StoredTemplate{}, err
	}
	stored, err := e.keep(ctx, template, 0)
	if err != nil {
		return StoredTemplate{}, err
	}
	stored.Warnings = problems
	return stored, nil
}

// keep writes a template whose record must have the given revision, 0 for none.
func (e *Engine) keep(ctx context.Context, template *Template, revision int64) (StoredTemplate, error) {
	if err := e.remember(ctx, template); err != nil {
		return StoredTemplate{}, fmt.Errorf("keep template %s: %w", quoteKey(template.key), err)
	}
	key := templatePrefix + template.key
	operation := e.operations.next()
	value, problems := encodeTemplate(operation, template)
	if err := problems.Err(); err != nil {
		return StoredTemplate{}, err
	}
	written, err := e.write(ctx, Txn{
		If:  []Check{{Key: key, Revision: revision}},
		Put: []Record{{Key: key, Value: value}},
	}, key, func(r Record) bool { return operation.wrote(r.Value) })
	switch {
	case err == nil:
		e.logger.DebugContext(ctx, "kept template", "template", template.key, "revision", written)
		return StoredTemplate{Template: *template, Revision: written}, nil
	case !errors.Is(err, ErrConflict):
		err = fmt.Errorf("keep template %s: %w", quoteKey(template.key), err)
	case revision == 0:
		err = fmt.Errorf("create template: the key %s: %w; choose another, or replace the template", quoteKey(template.key), ErrExists)
	default:
		err = e.overtaken(ctx, template.key, revision)
	}
	return StoredTemplate{}, err
}

// overtaken returns why the store did not take a change of a template of the
// given revision: it has another one by now, or is gone.
func (e *Engine) overtaken(ctx context.Context, key string, revision int64) error {
	record, err := e.find(ctx, key)
	if err != nil {
		return err
	}
	return stale("template", key, record.Revision, revision)
}

// Template returns a template. The error wraps [ErrNotFound] if there is none
// with this key, and is an [*UnreadableError] if there is one that cannot be
// read.
func (e *Engine) Template(ctx context.Context, actor Actor, key string) (StoredTemplate, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbReadTemplate, TemplateKey: key}); err != nil {
		return StoredTemplate{}, err
	}
	record, err := e.find(ctx, key)
	if err != nil {
		return StoredTemplate{}, err
	}
	t, unreadable := decodeTemplate(record)
	if unreadable != nil {
		return StoredTemplate{}, unreadable
	}
	return t, nil
}

// find returns the record of a template.
func (e *Engine) find(ctx context.Context, key string) (Record, error) {
	if !flags.IsKey(key) {
		return Record{}, noTemplate(key)
	}
	record, err := e.store.Get(ctx, templatePrefix+key)
	switch {
	case err != nil:
		return Record{}, fmt.Errorf("read template %s: %w", quoteKey(key), err)
	case record.Revision == 0:
		return Record{}, noTemplate(key)
	}
	return record, nil
}

func noTemplate(key string) error {
	return fmt.Errorf("%w: there is no template with the key %s", ErrNotFound, quoteKey(key))
}

// TemplateQuery says which templates to list. The zero query lists all.
type TemplateQuery struct {
	// Search is part of the name or description. Upper and lower case, and
	// other forms of a letter, are the same, by the simple case folding of
	// Unicode: σ and ς, k and the Kelvin sign. It is no text that a template
	// cannot hold, such as one that is not UTF-8.
	Search string
	// Summary leaves out the stages when the list is printed.
	Summary bool
}

// TemplateList is a list of templates, ordered by key. It prints as the
// published listing does.
type TemplateList struct {
	Items []StoredTemplate
	// Unreadable tells of the stored templates that cannot be read, ordered by
	// key. They may or may not be among those asked for, and are not printed.
	Unreadable []*UnreadableError
	summary    bool
}

// MarshalJSON returns the list in the published shape.
func (l TemplateList) MarshalJSON() ([]byte, error) {
	size := 16
	for _, t := range l.Items {
		size += t.printed + 1
	}
	dst := append(make([]byte, 0, size), `{"items":[`...)
	for i, t := range l.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		if l.summary {
			dst = append(t.appendHead(dst), '}')
		} else {
			dst = t.AppendJSON(dst)
		}
	}
	return append(dst, "]}"...), nil
}

// Templates returns the templates that match, ordered by key. One that cannot
// be read is no error, and does not hide the others: see
// [TemplateList.Unreadable]. The error wraps [ErrInvalidRequest] if the text to
// search for can stand in no template.
func (e *Engine) Templates(ctx context.Context, actor Actor, query TemplateQuery) (TemplateList, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbListTemplates}); err != nil {
		return TemplateList{}, err
	}
	if _, defect := strictjson.TextDefect(query.Search); defect != "" {
		return TemplateList{}, fmt.Errorf("%w: list templates: the text to search for %s", ErrInvalidRequest, defect)
	}
	list := TemplateList{Items: []StoredTemplate{}, summary: query.Summary}
	search := fold(query.Search)
	for record, err := range e.store.Scan(ctx, templatePrefix) {
		if err != nil {
			return TemplateList{}, fmt.Errorf("list templates: %w", err)
		}
		t, unreadable := decodeTemplate(record)
		if unreadable != nil {
			list.Unreadable = append(list.Unreadable, unreadable)
			continue
		}
		if search == "" || strings.Contains(fold(t.name), search) || strings.Contains(fold(t.description), search) {
			list.Items = append(list.Items, t)
		}
	}
	return list, nil
}

// fold returns a text in which all forms of a letter are the same one: the
// first of those that Unicode's simple case folding takes for equal.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		first := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			first = min(first, next)
		}
		return first
	}, s)
}

// ReplaceTemplate puts another template in the place of the one that has the
// input's key. Its identifier, creation date and owner stay; the maintainer
// too. revision is that of the template to be replaced. Waits are counted from
// now, or from the creation date if that is later.
//
// The error wraps [ErrNotFound] if there is no such template, and
// [ErrConflict] if it has another revision by now; it is an [*UnreadableError]
// if it cannot be read: then delete it, and create another. All of these come
// before what is wrong with the input. Otherwise errors are those of
// [Engine.CreateTemplate].
func (e *Engine) ReplaceTemplate(ctx context.Context, actor Actor, input TemplateInput, revision int64) (StoredTemplate, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbReplaceTemplate, TemplateKey: input.Key}); err != nil {
		return StoredTemplate{}, err
	}
	record, err := e.find(ctx, input.Key)
	if err != nil {
		return StoredTemplate{}, err
	}
	if record.Revision != revision {
		return StoredTemplate{}, stale("template", input.Key, record.Revision, revision)
	}
	before, unreadable := decodeTemplate(record)
	if unreadable != nil {
		return StoredTemplate{}, unreadable
	}
	if err := e.copyStages(ctx, actor, &input); err != nil {
		return StoredTemplate{}, err
	}
	creation := e.creation(actor)
	if creation.Now.Before(before.createdAt) {
		creation.Now = before.createdAt
	}
	if err := judgeInput(&input, creation, e.rules).Err(); err != nil {
		return StoredTemplate{}, err
	}
	template, problems := newTemplate(&input, creation, false)
	if err := problems.Err(); err != nil {
		return StoredTemplate{}, err
	}
	template.id, template.createdAt = before.id, before.createdAt
	template.ownerID, template.maintainerID = before.ownerID, before.maintainerID
	return e.keep(ctx, template, revision)
}

// stale is the error of a change of what does not have the revision that the
// caller has read, but another, or 0: there is none.
func stale(what, key string, is, was int64) error {
	if is == 0 {
		return fmt.Errorf("%w: there is no %s %s, and so none of revision %d; leave out the revision to keep a new one", ErrConflict, what, quoteKey(key), was)
	}
	return fmt.Errorf("%w: the %s %s has revision %d by now, not %d; read it again", ErrConflict, what, quoteKey(key), is, was)
}

// DeleteTemplate deletes a template of the given revision, or of any if that
// is 0; then it does not matter who changes it meanwhile. Workflows that were
// made from it go on. The error wraps [ErrNotFound] if there is none, and
// [ErrConflict] if it has another revision.
//
// When the store cannot tell what became of the deletion, and the template is
// gone, that is no error: this call has deleted it, or one at the same time.
func (e *Engine) DeleteTemplate(ctx context.Context, actor Actor, key string, revision int64) error {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbDeleteTemplate, TemplateKey: key}); err != nil {
		return err
	}
	at := templatePrefix + key
	for tried := int64(0); ; {
		record, err := e.find(ctx, key)
		switch {
		case err != nil:
			return err
		case revision != 0 && record.Revision != revision:
			return stale("template", key, record.Revision, revision)
		}
		_, err = e.write(ctx, Txn{
			If:     []Check{{Key: at, Revision: record.Revision}},
			Delete: []string{at},
		}, at, func(r Record) bool { return r.Revision == 0 })
		switch {
		case err == nil:
			e.logger.DebugContext(ctx, "deleted template", "template", key)
			return nil
		case !errors.Is(err, ErrConflict) || record.Revision == tried: // a store that contradicts itself
			return fmt.Errorf("delete template %s: %w", quoteKey(key), err)
		}
		tried = record.Revision
	}
}

// templatePrefix begins the store's keys of templates.
const templatePrefix = "template/"

// The first byte of a stored template is its format. Behind it stand the operation
// that wrote it, the three keys of its origin, each behind its length, and the
// printed template. With values, the values behind ids of variations come before
// the printed template: their number, and for each the key of the flag, the id and
// the value, each behind its length. What has no values has the format without.
const (
	templateFormat       = 1
	templateFormatValues = 2
)

// encodeTemplate returns the record's value of a template, which it prints.
func encodeTemplate(o operation, t *Template) ([]byte, Problems) {
	origin := [...]string{t.origin.ProjectKey, t.origin.EnvironmentKey, t.origin.FlagKey}
	room := recordHead + t.room()
	for _, key := range origin {
		room += binary.MaxVarintLen16 + len(key)
	}
	p := make(packer, 0, room)
	if len(t.values) > 0 {
		p.byte(templateFormatValues)
	} else {
		p.byte(templateFormat)
	}
	p.bytes(o[:])
	for _, key := range origin {
		p.text(key)
	}
	if len(t.values) > 0 {
		p.uint(uint64(len(t.values)))
		for _, v := range t.values {
			p.text(v.flagKey)
			p.text(v.id)
			p.text(v.value.String())
		}
	}
	return t.print(p)
}

// values reads the values behind ids of variations.
func (u *unpacker) values() (values []variationValue) {
	for range u.count() {
		v := variationValue{flagKey: u.text(), id: u.text()}
		text := u.text()
		value, err := flags.ParseValue(text)
		last := len(values) - 1
		if err != nil || value.String() != text || last >= 0 && values[last].compare(v.flagKey, v.id) >= 0 {
			u.fail()
		}
		v.value = value
		values = append(values, v)
	}
	if values == nil {
		u.fail() // what has none has another format
	}
	return values
}

// decodeTemplate returns the template of a record. Host kinds of any name pass:
// they were judged when it was written, perhaps by another engine.
func decodeTemplate(r Record) (StoredTemplate, *UnreadableError) {
	key := strings.TrimPrefix(r.Key, templatePrefix)
	unreadable := func(why string) (StoredTemplate, *UnreadableError) {
		return StoredTemplate{}, &UnreadableError{TemplateKey: key, Revision: r.Revision, Reason: why}
	}
	u, why := unpack(r.Value, templateFormat, templateFormatValues)
	if why != "" {
		return unreadable(why)
	}
	origin := Origin{ProjectKey: u.text(), EnvironmentKey: u.text(), FlagKey: u.text()}
	if u.bad {
		return unreadable("its record is cut short")
	}
	var values []variationValue
	if r.Value[0] == templateFormatValues {
		if values = u.values(); u.bad {
			return unreadable("its record is damaged: the values of variations in it cannot be read")
		}
	}
	reader := newReader(u.rest, true, flags.Reading{AnyHostKind: true})
	reader.readDocument()
	template, problems := reader.template(origin, &Creation{})
	if err := problems.Err(); err != nil {
		return unreadable("its record is damaged: " + err.Error())
	}
	if template.key != key {
		return unreadable("its record is that of the template " + quoteKey(template.key))
	}
	template.values = values
	return StoredTemplate{Template: template, Revision: r.Revision}, nil
}

// UnreadableError is the error of a stored template that cannot be read:
// something has damaged it, or a later version of this module wrote it. It
// wraps [ErrFormat]. [Engine.DeleteTemplate] can still delete the template.
type UnreadableError struct {
	TemplateKey string
	Revision    int64  // of the record
	Reason      string // a sentence
}

// Error names the template and says what is wrong with its record.
func (e *UnreadableError) Error() string {
	return "the stored template " + quoteKey(e.TemplateKey) + " cannot be read: " + e.Reason
}

// Unwrap returns [ErrFormat].
func (e *UnreadableError) Unwrap() error { return ErrFormat }
