package flags

import (
	"slices"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// CustomProperty is a property of the flag that people define, such as the
// issues of a bug tracker that concern it.
type CustomProperty struct {
	Key    string   // not empty
	Name   string   // for people
	Values []string // at most 10,000
}

var (
	paramPropertyKey    = param{name: "key", shape: textShape, form: someText}
	paramPropertyValues = param{name: "values", shape: textsShape, form: anyText}
	paramTags           = param{name: "values", shape: textsShape, form: someText}
)

var addCustomProperties = kind{
	name:  "addCustomProperties",
	scope: ScopeFlag,
	params: []param{
		paramPropertyKey,
		{name: "name", shape: textShape, form: someText},
		paramPropertyValues,
	},
	reads:  []Field{FieldCustomProperties},
	writes: []Field{FieldCustomProperties},
	says:   `add {values} to the custom property {key} ("{name}")`,
	apply:  (*work).addCustomProperties,
}

// AddCustomProperties adds values to a custom property of the flag, which is
// made if it does not exist. Values that it has are passed over. The name must
// be given; it becomes that of the property.
func AddCustomProperties(p CustomProperty) Instruction {
	return build(&addCustomProperties, text(p.Key), text(p.Name), texts(slices.Clone(p.Values)))
}

var replaceCustomProperties = kind{
	name:  "replaceCustomProperties",
	scope: ScopeFlag,
	params: []param{
		paramPropertyKey,
		{name: "name", shape: textShape, form: blankText, optional: true},
		paramPropertyValues,
	},
	reads:  []Field{FieldCustomProperties},
	writes: []Field{FieldCustomProperties},
	says:   `set the custom property {key}[ ("{name}")] to {values}`,
	apply:  (*work).replaceCustomProperties,
}

// ReplaceCustomProperties replaces the values of a custom property of the flag,
// and its name unless that is empty. A property that does not exist is an error.
func ReplaceCustomProperties(p CustomProperty) Instruction {
	return build(&replaceCustomProperties, text(p.Key), unlessEmpty(p.Name), texts(slices.Clone(p.Values)))
}

var removeCustomProperties = kind{
	name:   "removeCustomProperties",
	scope:  ScopeFlag,
	params: []param{paramPropertyKey, paramPropertyValues},
	reads:  []Field{FieldCustomProperties},
	writes: []Field{FieldCustomProperties},
	says:   "remove {values} from the custom property {key}",
	apply:  (*work).removeCustomProperties,
}

// RemoveCustomProperties removes values from a custom property of the flag, and
// the property with its last value. Values, and a property, that do not exist
// are passed over. At most 10,000 values are allowed.
func RemoveCustomProperties(key string, values ...string) Instruction {
	return build(&removeCustomProperties, text(key), texts(slices.Clone(values)))
}

var addTags = kind{
	name:   "addTags",
	scope:  ScopeFlag,
	params: []param{paramTags},
	reads:  []Field{FieldTags},
	writes: []Field{FieldTags},
	says:   "add the tags {values}",
	apply:  (*work).addTags,
}

// AddTags adds tags to the flag. Those it has are passed over. At most 10,000
// are allowed.
func AddTags(values ...string) Instruction { return build(&addTags, texts(slices.Clone(values))) }

var removeTags = kind{
	name:   "removeTags",
	scope:  ScopeFlag,
	params: []param{paramTags},
	reads:  []Field{FieldTags},
	writes: []Field{FieldTags},
	says:   "remove the tags {values}",
	apply:  (*work).removeTags,
}

// RemoveTags removes tags from the flag. Those it does not have are passed
// over. At most 10,000 are allowed.
func RemoveTags(values ...string) Instruction {
	return build(&removeTags, texts(slices.Clone(values)))
}

// property returns the index of a custom property, or -1.
func (b *flagBody) property(key string) int {
	return slices.IndexFunc(b.properties, func(p propertyBody) bool { return p.key == key })
}

// ownProperty returns a custom property to be changed. Its values are still
// shared.
func (w *work) ownProperty(i int) *propertyBody {
	b := w.own()
	b.properties = slices.Clone(b.properties)
	return &b.properties[i]
}

func (w *work) addCustomProperties(args []arg) error {
	key, name, values := textOf(args[0]), textOf(args[1]), args[2].(texts)
	i := w.flag.property(key)
	if i < 0 {
		if code, message := listDefect(len(w.flag.properties) + 1); code != "" {
			return w.fail(code, "the list of custom properties then %s", message)
		}
		b := w.own()
		i = len(b.properties)
		b.properties = append(slices.Clip(b.properties), propertyBody{key: key, name: name})
	}
	if p := &w.flag.properties[i]; p.name != name {
		w.ownProperty(i).name = name
	}
	return w.setValues(i, union(w.flag.properties[i].values, values))
}

// setValues changes the values of a custom property.
func (w *work) setValues(i int, values []string) error {
	if slices.Equal(w.flag.properties[i].values, values) {
		return nil
	}
	if code, message := listDefect(len(values)); code != "" {
		return w.failAt("values", code, "the list of values then %s", message)
	}
	w.ownProperty(i).values = values
	return nil
}

func (w *work) replaceCustomProperties(args []arg) error {
	key, name, values := textOf(args[0]), textOf(args[1]), args[2].(texts)
	i := w.flag.property(key)
	if i < 0 {
		return w.failAt("key", CodeNotFound, "the flag has no custom property %s; there %s", strictjson.Quote(key),
			thereAre(len(w.flag.properties), func(i int) string { return w.flag.properties[i].key }))
	}
	if name != "" && w.flag.properties[i].name != name {
		w.ownProperty(i).name = name
	}
	return w.setValues(i, union(nil, values))
}

func (w *work) removeCustomProperties(args []arg) error {
	i := w.flag.property(textOf(args[0]))
	if i < 0 {
		return nil
	}
	values := without(w.flag.properties[i].values, args[1].(texts))
	if len(values) > 0 {
		return w.setValues(i, values)
	}
	b := w.own()
	b.properties = slices.Delete(slices.Clone(b.properties), i, i+1)
	return nil
}

func (w *work) addTags(args []arg) error { return w.setTags(union(w.flag.tags, args[0].(texts))) }

func (w *work) removeTags(args []arg) error { return w.setTags(without(w.flag.tags, args[0].(texts))) }

func (w *work) setTags(tags []string) error {
	if slices.Equal(w.flag.tags, tags) {
		return nil
	}
	if code, message := listDefect(len(tags)); code != "" {
		return w.failAt("values", code, "the list of tags then %s", message)
	}
	w.own().tags = tags
	return nil
}

// union returns the entries of a list and behind them those of another that it
// lacks, each once. It does not change the list.
func union(list, more []string) []string { return unionBy(list, more, sameText) }

// unionBy is union for entries that are one if their keys are.
func unionBy[T any](list, more []T, key func(T) string) []T {
	if len(more) == 0 {
		return list
	}
	there := make(map[string]struct{}, len(list)+len(more))
	for _, e := range list {
		there[key(e)] = struct{}{}
	}
	result := slices.Clip(list)
	for _, e := range more {
		k := key(e)
		if _, is := there[k]; !is {
			there[k] = struct{}{}
			result = append(result, e)
		}
	}
	return result
}

func sameText(s string) string { return s }

// without returns the entries of a list that do not stand in another. It does
// not change the list.
func without(list, less []string) []string { return withoutBy(list, less, sameText) }

// withoutBy is without for entries that are one if their keys are.
func withoutBy[T any](list, less []T, key func(T) string) []T {
	gone := make(map[string]struct{}, len(less))
	for _, e := range less {
		gone[key(e)] = struct{}{}
	}
	is := func(e T) bool { _, is := gone[key(e)]; return is }
	if !slices.ContainsFunc(list, is) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), is)
}
