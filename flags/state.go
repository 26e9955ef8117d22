package flags

var turnFlagOn = kind{
	name:   "turnFlagOn",
	scope:  ScopeEnvironment,
	writes: []Field{FieldOn},
	says:   "turn targeting on",
	apply:  (*work).turnFlagOn,
}

// TurnFlagOn turns targeting on in one environment: targets and rules decide
// what is served. It does nothing if targeting is on.
func TurnFlagOn() Instruction { return build(&turnFlagOn) }

var turnFlagOff = kind{
	name:   "turnFlagOff",
	scope:  ScopeEnvironment,
	writes: []Field{FieldOn},
	says:   "turn targeting off",
	apply:  (*work).turnFlagOff,
}

// TurnFlagOff turns targeting off in one environment: everybody is served the
// off variation. It does nothing if targeting is off.
func TurnFlagOff() Instruction { return build(&turnFlagOff) }

func (w *work) turnFlagOn([]arg) error { return w.turn(true) }

func (w *work) turnFlagOff([]arg) error { return w.turn(false) }

func (w *work) turn(on bool) error {
	if w.env().on != on {
		w.ownEnv().on = on
	}
	return nil
}
