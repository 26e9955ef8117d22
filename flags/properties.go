package flags

import "slices"

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
}

// AddCustomProperties adds values to a custom property of the flag, which is
// made if it does not exist. The name must be given.
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
}

// ReplaceCustomProperties replaces the values of a custom property of the flag,
// and its name unless that is empty.
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
}

// RemoveCustomProperties removes values from a custom property of the flag, and
// the property with its last value. At most 10,000 values are allowed.
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
}

// RemoveTags removes tags from the flag. Those it does not have are passed
// over. At most 10,000 are allowed.
func RemoveTags(values ...string) Instruction {
	return build(&removeTags, texts(slices.Clone(values)))
}
