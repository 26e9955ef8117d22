package flags

var turnFlagOn = kind{
	name:   "turnFlagOn",
	scope:  ScopeEnvironment,
	writes: []Field{FieldOn},
	says:   "turn targeting on",
}

// TurnFlagOn turns targeting on in one environment: targets and rules decide
// what is served. It does nothing if targeting is on.
func TurnFlagOn() Instruction { return build(&turnFlagOn) }

var turnFlagOff = kind{
	name:   "turnFlagOff",
	scope:  ScopeEnvironment,
	writes: []Field{FieldOn},
	says:   "turn targeting off",
}

// TurnFlagOff turns targeting off in one environment: everybody is served the
// off variation. It does nothing if targeting is off.
func TurnFlagOff() Instruction { return build(&turnFlagOff) }
