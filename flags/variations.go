package flags

// Variation is a variation to be added to a flag.
type Variation struct {
	Value       Value  // what is served; not null, and no other variation's value
	Name        string // "" is none
	Description string // "" is none
	// Ref is a name by which later instructions can refer to the variation, 1
	// to 256 letters, digits, dots, underscores and hyphens; "" is none.
	Ref string
}

var addVariation = kind{
	name:  "addVariation",
	scope: ScopeFlag,
	params: []param{
		{name: "value", shape: valueShape},
		{name: "name", shape: textShape, form: blankText, optional: true},
		{name: "description", shape: textShape, form: blankText, optional: true},
		{name: "ref", shape: textShape, form: refText, optional: true},
	},
	reads:  []Field{FieldVariations},
	writes: []Field{FieldVariations},
	says:   `add the variation {value}[ named "{name}"]`,
}

// AddVariation adds a variation to the flag, in all environments. A value that
// another variation has is an error.
func AddVariation(variation Variation) Instruction {
	return build(&addVariation, unlessAbsent(variation.Value),
		unlessEmpty(variation.Name), unlessEmpty(variation.Description), unlessEmpty(variation.Ref))
}

var removeVariation = kind{
	name:   "removeVariation",
	scope:  ScopeFlag,
	params: []param{paramVariationID},
	reads: []Field{
		FieldVariations, FieldTargets, FieldRules, FieldFallthrough, FieldOffVariation, FieldDefaults, FieldOtherFlags,
	},
	writes: []Field{FieldVariations},
	says:   "remove variation {variationId}",
}

// RemoveVariation removes a variation from the flag, in all environments. One
// that does not exist, or that is in use, is an error.
func RemoveVariation(variationID string) Instruction {
	return build(&removeVariation, text(variationID))
}

// VariationChange is one thing that [UpdateVariation] changes. The zero
// VariationChange changes nothing.
type VariationChange struct {
	param int // index in the row
	arg   arg
}

// VariationName changes the name of a variation; "" takes it away.
func VariationName(name string) VariationChange {
	return VariationChange{param: 1, arg: text(name)}
}

// VariationValue changes the value of a variation. Null and the absent Value
// change nothing.
func VariationValue(value Value) VariationChange {
	return VariationChange{param: 2, arg: unlessAbsent(value)}
}

// VariationDescription changes the description of a variation; "" takes it
// away.
func VariationDescription(description string) VariationChange {
	return VariationChange{param: 3, arg: text(description)}
}

var updateVariation = kind{
	name:  "updateVariation",
	scope: ScopeFlag,
	params: []param{
		paramVariationID,
		{name: "name", shape: textShape, form: anyText, optional: true},
		{name: "value", shape: valueShape, optional: true},
		{name: "description", shape: textShape, form: anyText, optional: true},
	},
	some:   true,
	reads:  []Field{FieldVariations},
	writes: []Field{FieldVariations},
	says:   `change variation {variationId}:[ name "{name}"][ value {value}][ description "{description}"]`,
}

// UpdateVariation changes a variation of the flag, in all environments. At
// least one change must be given; of several changes of the same thing the last
// one counts. A variation that does not exist is an error, as is a value that
// another variation has.
func UpdateVariation(variationID string, changes ...VariationChange) Instruction {
	args := []arg{text(variationID), nil, nil, nil}
	for _, change := range changes {
		if change.arg != nil {
			args[change.param] = change.arg
		}
	}
	return build(&updateVariation, args...)
}

var updateDefaultVariation = kind{
	name:  "updateDefaultVariation",
	scope: ScopeFlag,
	params: []param{
		{name: "onVariationValue", alias: "OnVariationValue", shape: valueShape, optional: true},
		{name: "offVariationValue", alias: "OffVariationValue", shape: valueShape, optional: true},
	},
	some:   true,
	reads:  []Field{FieldVariations},
	writes: []Field{FieldDefaults},
	says:   "let new environments serve[ {onVariationValue} while targeting is on][ {offVariationValue} while it is off]",
}

// UpdateDefaultVariation changes which variations new environments of the flag
// begin with, while targeting is on and while it is off. The variations are
// named by their values; the absent Value, and null, leave one as it is. At
// least one must be given. A value that no variation has is an error.
func UpdateDefaultVariation(on, off Value) Instruction {
	return build(&updateDefaultVariation, unlessAbsent(on), unlessAbsent(off))
}
