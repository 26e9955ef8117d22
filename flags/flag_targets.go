package flags

import (
	"iter"
	"slices"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// userKind is the kind of contexts that are meant when none is named.
const userKind = "user"

func orUser(contextKind string) string {
	if contextKind == "" {
		return userKind
	}
	return contextKind
}

// TargetList names contexts of one kind that are served a variation whatever
// the rules say. It is immutable; the zero TargetList is empty.
type TargetList struct{ body *targetsBody }

type targetsBody struct {
	variation   int
	contextKind string // as in the document; "" is user
	values      []string
	set         map[string]struct{} // of the values, if there are many; nil if not
	more        string
}

var emptyTargets targetsBody

func (t TargetList) get() *targetsBody {
	if t.body == nil {
		return &emptyTargets
	}
	return t.body
}

// ContextKind returns the kind of the contexts, "user" if the document says
// none.
func (t TargetList) ContextKind() string { return t.get().kind() }

// Variation returns the index of the variation that is served.
func (t TargetList) Variation() int { return t.get().variation }

// Len returns how many contexts the list names.
func (t TargetList) Len() int { return len(t.get().values) }

// Values goes through the keys of the contexts.
func (t TargetList) Values() iter.Seq[string] { return slices.Values(t.get().values) }

// Has reports whether the list names a context, in a time that does not depend
// on how long the list is.
func (t TargetList) Has(key string) bool { return t.get().has(key) }

// hashTargetsFrom is the number of values from which on they are looked up in a
// map.
const hashTargetsFrom = 12

func (t *targetsBody) has(key string) bool {
	if t.set != nil {
		_, there := t.set[key]
		return there
	}
	return slices.Contains(t.values, key)
}

// index makes the set of a list that is new.
func (t *targetsBody) index() {
	if len(t.values) < hashTargetsFrom {
		t.set = nil
		return
	}
	t.set = make(map[string]struct{}, len(t.values))
	for _, v := range t.values {
		t.set[v] = struct{}{}
	}
}

// add adds a value to a list that is not shared.
func (t *targetsBody) add(key string) {
	t.values = append(t.values, key)
	if t.set == nil {
		t.index()
	} else {
		t.set[key] = struct{}{}
	}
}

// remove removes values from a list that is not shared.
func (t *targetsBody) remove(keys []string) {
	for _, key := range keys {
		delete(t.set, key)
	}
	gone := func(v string) bool { return slices.Contains(keys, v) }
	if t.set != nil && len(keys) > 8 { // a few are found faster than looked up
		gone = func(v string) bool { return !t.has(v) }
	}
	t.values = slices.DeleteFunc(t.values, gone)
	if len(t.values) < hashTargetsFrom {
		t.set = nil
	}
}

func (t *targetsBody) kind() string { return orUser(t.contextKind) }

// isPlaceholder reports whether a list among those of all kinds of contexts
// says only when the users of its variation are looked at.
func (t *targetsBody) isPlaceholder() bool { return t.kind() == userKind }

// passesOver reports whether evaluations pass over a list that is not empty: one
// of users that has no place among those of all kinds, if there are any of these.
func (e *environmentBody) passesOver(t *targetsBody) bool {
	return t.kind() == userKind && len(e.contexts) > 0 && e.placeholder(t.variation) < 0
}

// list returns the list of a kind of contexts and a variation, nil if there is
// none.
func (e *environmentBody) list(contextKind string, variation int) *targetsBody {
	lists := e.contexts
	if contextKind == userKind {
		lists = e.users
	}
	for _, t := range lists {
		if t.variation == variation && t.kind() == contextKind {
			return t
		}
	}
	return nil
}

// placeholder returns the index of a variation's placeholder for users, or -1.
func (e *environmentBody) placeholder(variation int) int {
	return slices.IndexFunc(e.contexts, func(t *targetsBody) bool { return t.variation == variation && t.isPlaceholder() })
}

func (t *targetsBody) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendStrings(appendName(dst, "values"), t.values)
	dst = strictjson.AppendInt(appendName(dst, "variation"), int64(t.variation))
	dst = appendText(dst, "contextKind", t.contextKind)
	return closeObject(append(dst, t.more...), start)
}

var targetListMembers = []string{"values", "variation", "contextKind"}

// target is a context of a kind.
type target struct{ contextKind, key string }

// targetLists reads the lists of users, or those of all kinds of contexts.
func (r *flagReader) targetLists(users bool) []*targetsBody {
	if r.d.Null() {
		return nil
	}
	variations := map[target]int{} // of all contexts, once there are two lists
	type head struct {
		contextKind string
		variation   int
	}
	heads := map[head]bool{}
	var first *targetsBody
	note := func(t *targetsBody) {
		for _, key := range t.values {
			if other, there := variations[target{t.kind(), key}]; there && other != t.variation {
				r.d.ReportFunc(string(CodeDuplicate), func() string {
					return "serve " + strictjson.Quote(key) + " a second variation; a context has one"
				})
			}
			variations[target{t.kind(), key}] = t.variation
		}
	}
	return readList(&r.reader, 2, func() *targetsBody {
		t := r.targetList(users)
		if r.failed() {
			return t
		}
		if h := (head{t.kind(), t.variation}); heads[h] {
			r.report(CodeDuplicate, "is the second list of this variation and kind of context; put them together")
		} else {
			heads[h] = true
		}
		switch {
		case first == nil:
			first = t
		default:
			if len(variations) == 0 {
				note(first)
			}
			note(t)
		}
		t.index()
		return t
	})
}

func (r *flagReader) targetList(users bool) *targetsBody {
	t := new(targetsBody)
	d := r.d
	valuesGiven, variationGiven := false, false
	var given bool
	t.more, given = r.object(func(name string) bool {
		switch name {
		case "values":
			valuesGiven = true
			if !d.Null() {
				t.values = readList(&r.reader, 2, func() string { return r.text(someText) })
			}
		case "variation":
			variationGiven = true
			t.variation = r.index()
		case "contextKind":
			t.contextKind = r.optional(blankText)
			if users && t.kind() != userKind {
				r.report(CodeMalformed, "must be user: contexts of other kinds stand in contextTargets")
			}
		default:
			return false
		}
		return true
	}, targetListMembers)
	switch {
	case !given && !r.failed():
		r.report(CodeWrongType, messageNull)
	case given && !valuesGiven:
		r.missing("values", messageMissing)
	case given && !variationGiven:
		r.missing("variation", messageMissing)
	case !users && t.isPlaceholder() && len(t.values) > 0:
		d.ReportMember("values", string(CodeMalformed), "must be empty: users stand in targets")
	}
	return t
}
