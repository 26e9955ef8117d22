package flags

var paramTrackEvents = param{name: "trackEvents", shape: truthShape}

var updateTrackEvents = kind{
	name:   "updateTrackEvents",
	scope:  ScopeEnvironment,
	params: []param{paramTrackEvents},
	writes: []Field{FieldTrackEvents},
	says:   "{trackEvents} event tracking for all rules",
	apply:  (*work).updateTrackEvents,
}

// UpdateTrackEvents turns the tracking of events for the whole flag on or off
// in one environment.
func UpdateTrackEvents(trackEvents bool) Instruction {
	return build(&updateTrackEvents, truth(trackEvents))
}

var updateTrackEventsFallthrough = kind{
	name:   "updateTrackEventsFallthrough",
	scope:  ScopeEnvironment,
	params: []param{paramTrackEvents},
	writes: []Field{FieldTrackEventsFallthrough},
	says:   "{trackEvents} event tracking for the default rule",
	apply:  (*work).updateTrackEventsFallthrough,
}

// UpdateTrackEventsFallthrough turns the tracking of events for the default
// rule on or off in one environment.
func UpdateTrackEventsFallthrough(trackEvents bool) Instruction {
	return build(&updateTrackEventsFallthrough, truth(trackEvents))
}

func (w *work) updateTrackEvents(args []arg) error {
	if track := isOf(args[0]); w.env().track != track {
		w.ownEnv().track = track
	}
	return nil
}

func (w *work) updateTrackEventsFallthrough(args []arg) error {
	if track := isOf(args[0]); w.env().trackDefault != track {
		w.ownEnv().trackDefault = track
	}
	return nil
}
