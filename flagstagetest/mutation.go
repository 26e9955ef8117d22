package flagstagetest

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// Mutation is a request to create a template with one mistake in it, and the
// problem that must be reported.
type Mutation struct {
	Name     string // of the sort of mistake, one of [MutationNames]
	Document []byte
	// Pointer and Code are those of an error that
	// [flagstage.ReadTemplate] reports. Mistakes in the text itself (code
	// syntax, a document too large or too deep) are the only problem then;
	// others may have consequences that are reported too: whoever writes Key
	// for key has an unknown member, and no key.
	Pointer string
	Code    flags.Code
}

// GoString says what the mistake is and shows the document, so that rapid
// prints it. A document that is long is cut.
func (m Mutation) GoString() string {
	return fmt.Sprintf("%s at %q [%s] in %s", m.Name, m.Pointer, m.Code, clipped(m.Document))
}

// ReportedIn reports whether the error that must be reported is among the
// problems.
func (m Mutation) ReportedIn(problems flagstage.Problems) bool {
	return slices.ContainsFunc(problems, func(p flagstage.Problem) bool {
		return p.Severity == flagstage.SeverityError && p.Omitted == 0 && p.Pointer == m.Pointer && p.Code == m.Code
	})
}

// MutationNames returns the names of all sorts of mistakes, such as "negative
// wait". The slice is the caller's. More may be added.
func MutationNames() []string {
	names := make([]string, len(mistakes))
	for i, m := range mistakes {
		names[i] = m.name
	}
	return names
}

// Mutations generates copies of a request with exactly one mistake each, of
// the named sorts, or of all sorts if none is named. Where the document has
// nothing in which a mistake could be made, such as a schedule for a wrong
// wait, it gets one. White space is dropped; all else is as in the document.
//
// Mutations panics if [flagstage.ReadTemplate] finds an error in the document,
// if a name is unknown, and if no mistake of these sorts is possible: a
// document without stages has room for few.
//
// Documents with very long names or with a hundred warnings have places at
// which a mistake would not be reported in full; none are made there.
func Mutations(document []byte, names ...string) *rapid.Generator[Mutation] {
	_, problems := flagstage.ReadTemplate(document)
	if err := problems.Err(); err != nil {
		panic("flagstagetest: mutations need a document without errors: " + err.Error())
	}
	var possible []mistake
	for _, name := range names {
		if !slices.Contains(MutationNames(), name) {
			panic(fmt.Sprintf("flagstagetest: there is no mistake called %q; see MutationNames", name))
		}
	}
	whole := newDraft(document)
	for _, m := range mistakes {
		if (len(names) == 0 || slices.Contains(names, m.name)) && len(m.sitesIn(whole)) > 0 {
			possible = append(possible, m)
		}
	}
	if len(possible) == 0 {
		panic(fmt.Sprintf("flagstagetest: the document has no room for these mistakes: %q", names))
	}
	return rapid.Custom(func(t *rapid.T) Mutation {
		m := rapid.SampledFrom(possible).Draw(t, "mistake")
		d := newDraft(document)
		s := rapid.SampledFrom(m.sitesIn(d)).Draw(t, "site")
		s.change(t)
		return Mutation{Name: m.name, Document: d.finish(new(spelling).write(d.root)), Pointer: s.pointer, Code: s.code}
	})
}

// mistake is a sort of mistake.
type mistake struct {
	name  string
	sites func(*draft) []site // where it can be made
}

// site is a place where a mistake can be made, what must be reported then, and
// what makes it.
type site struct {
	pointer string
	code    flags.Code
	change  func(*rapid.T)
}

// sitesIn returns where the mistake can be made and is reported in full.
func (m mistake) sitesIn(d *draft) []site {
	return slices.DeleteFunc(m.sites(d), func(s site) bool {
		const longest, longestName = 192, 64 // longer ones are cut
		return len(s.pointer) > longest || slices.ContainsFunc(strings.Split(s.pointer, "/"), func(name string) bool {
			return len(name) > longestName
		})
	})
}

// draft is a request that is about to be broken.
type draft struct {
	root    *node
	objects []place // whose members are known
	finish  func([]byte) []byte
}

func newDraft(document []byte) *draft {
	d := &draft{root: mustParse(string(document)), finish: func(text []byte) []byte { return text }}
	d.objects = objectsIn(place{role: roleRequest, node: d.root})
	for _, p := range d.of(roleAction) {
		if n := p.node.get("instructions"); n != nil && n.isString() {
			p.node.set("instructions", &node{shape: quoted, members: []member{{"", mustParse(n.string())}}})
		}
	}
	d.objects = objectsIn(place{role: roleRequest, node: d.root})
	return d
}

// of returns the objects of some roles.
func (d *draft) of(roles ...role) []place {
	return d.where(func(p place) bool { return slices.Contains(roles, p.role) })
}

func (d *draft) where(match func(place) bool) []place {
	return slices.DeleteFunc(slices.Clone(d.objects), func(p place) bool { return !match(p) })
}

// request returns the request as a place.
func (d *draft) request() place { return d.objects[0] }

// templates returns the request if it has stages.
func (d *draft) templates() []place {
	if d.root.get("stages").isNull() {
		return nil
	}
	return []place{d.request()}
}

// conditions returns the conditions of a kind, or, if there are none, one that
// each stage could get.
func (d *draft) conditions(kind flagstage.ConditionKind) []place {
	found := d.where(func(p place) bool { return p.role == roleCondition && p.node.get("kind").string() == string(kind) })
	if len(found) > 0 {
		return found
	}
	for _, s := range d.of(roleStage) {
		n := record(member{"kind", str(string(kind))})
		list := conditionsOf(s.node)
		if len(list.members) >= maxConditions {
			continue
		}
		found = append(found, place{
			role: roleCondition, pointer: element(s.at("conditions"), len(list.members)), node: n,
			attach: func() { s.node.set("conditions", list.append(n)) },
		})
	}
	return found
}

// conditionsOf returns the conditions of a stage, a new list if there are
// none.
func conditionsOf(stage *node) *node {
	if n := stage.get("conditions"); !n.isNull() {
		return n
	}
	return list()
}

// actions returns the action of each stage, one that it could get if there is
// none.
func (d *draft) actions() []place {
	var found []place
	for _, s := range d.of(roleStage) {
		p := place{role: roleAction, pointer: s.at("action"), node: s.node.get("action")}
		if p.node.isNull() {
			n := record()
			p.node, p.attach = n, func() { s.node.set("action", n) }
		}
		found = append(found, p)
	}
	return found
}

// patches returns the actions with room for another instruction, each with
// the list of its instructions. Attaching the action puts the list into it.
func (d *draft) patches(yield func(place, *node) bool) {
	for _, a := range d.actions() {
		instructions := patchOf(a.node)
		attach := a.attach
		if instructions == nil {
			instructions = list()
			a.attach = func() {
				a.node.set("instructions", instructions)
				if attach != nil {
					attach()
				}
			}
		}
		if len(instructions.members) < maxInstructions && !yield(a, instructions) {
			return
		}
	}
}

// parts returns the objects in instructions, and the instructions, that match.
// If there are none, they are those of a sample that each stage could get.
func (d *draft) parts(sample string, match func(place) bool) []place {
	found := d.where(func(p place) bool { return p.kind != "" && match(p) })
	if len(found) > 0 {
		return found
	}
	for a, instructions := range d.patches {
		n := mustParse(sample)
		pointer := element(a.at("instructions"), len(instructions.members))
		for _, p := range objectsIn(place{role: roleInstruction, pointer: pointer, node: n, kind: flags.Kind(n.get("kind").string())}) {
			if match(p) {
				p.attach = func() {
					if a.attach != nil {
						a.attach()
					}
					instructions.append(n)
				}
				found = append(found, p)
			}
		}
	}
	return found
}

// site returns the site of a mistake in an object.
func (p place) site(pointer string, code flags.Code, change func(*rapid.T)) site {
	return site{pointer, code, func(t *rapid.T) {
		if p.attach != nil {
			p.attach()
		}
		change(t)
	}}
}

// set returns the site of a mistake that is one of several texts as the value
// of a member.
func (p place) set(name string, code flags.Code, texts ...string) site {
	return p.site(p.at(name), code, func(t *rapid.T) {
		p.node.set(name, raw(rapid.SampledFrom(texts).Draw(t, "value")))
	})
}

// drop returns the site of a mistake that is the lack of members. It is
// reported at the first.
func (p place) drop(names ...string) site {
	return p.site(p.at(names[0]), flags.CodeRequired, func(*rapid.T) { p.node.drop(names...) })
}

// every returns what build makes of each of several places.
func every(places []place, build func(place) site) (sites []site) {
	for _, p := range places {
		sites = append(sites, build(p))
	}
	return sites
}

// everyAttribute returns what build makes of each member that the objects can
// have and match.
func everyAttribute(places []place, match func(place, attribute) bool, build func(place, attribute) site) (sites []site) {
	for _, p := range places {
		for _, a := range p.attributes() {
			if match(p, a) {
				sites = append(sites, build(p, a))
			}
		}
	}
	return sites
}

// spot is a value of a request, at whatever depth.
type spot struct {
	pointer  string
	node     *node
	inString bool // in JSON that stands in a string
}

// spots returns all values.
func (d *draft) spots(match func(spot) bool) (found []spot) {
	var walk func(parent string, s spot)
	walk = func(parent string, s spot) {
		if s.node.shape == quoted {
			inner := spot{s.pointer, s.node.members[0].value, true}
			if inner.node.shape == object { // it stands for the object around it
				inner.pointer = parent
			}
			walk(parent, inner)
			return
		}
		if match(s) {
			found = append(found, s)
		}
		for i, m := range s.node.members {
			pointer := element(s.pointer, i)
			if s.node.shape == object {
				pointer = below(s.pointer, m.name)
			}
			walk(s.pointer, spot{pointer, m.value, s.inString})
		}
	}
	walk("", spot{"", d.root, false})
	return found
}
