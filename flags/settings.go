package flags

var updateName = kind{
	name:   "updateName",
	scope:  ScopeFlag,
	params: []param{{name: "value", shape: textShape, form: someText}},
	writes: []Field{FieldName},
	says:   `rename the flag to "{value}"`,
	apply:  (*work).updateName,
}

// UpdateName changes the flag's name, which is not empty. The key stays.
func UpdateName(name string) Instruction { return build(&updateName, text(name)) }

var updateDescription = kind{
	name:   "updateDescription",
	scope:  ScopeFlag,
	params: []param{{name: "value", shape: textShape, form: anyText}},
	writes: []Field{FieldDescription},
	says:   `describe the flag as "{value}"`,
	apply:  (*work).updateDescription,
}

// UpdateDescription changes the flag's description; "" takes it away.
func UpdateDescription(description string) Instruction {
	return build(&updateDescription, text(description))
}

var updateMaintainerMember = kind{
	name:   "updateMaintainerMember",
	scope:  ScopeFlag,
	params: []param{{name: "value", shape: textShape, form: someText}},
	writes: []Field{FieldMaintainer},
	says:   "make member {value} the maintainer",
	apply:  (*work).updateMaintainerMember,
}

// UpdateMaintainerMember makes a member the maintainer of the flag, in place of
// the member or team that was. What the document tells of them goes.
func UpdateMaintainerMember(memberID string) Instruction {
	return build(&updateMaintainerMember, text(memberID))
}

var updateMaintainerTeam = kind{
	name:   "updateMaintainerTeam",
	scope:  ScopeFlag,
	params: []param{{name: "value", shape: textShape, form: someText}},
	writes: []Field{FieldMaintainer},
	says:   "make team {value} the maintainer",
	apply:  (*work).updateMaintainerTeam,
}

// UpdateMaintainerTeam makes a team the maintainer of the flag, in place of the
// member or team that was.
func UpdateMaintainerTeam(teamKey string) Instruction {
	return build(&updateMaintainerTeam, text(teamKey))
}

var removeMaintainer = kind{
	name:   "removeMaintainer",
	scope:  ScopeFlag,
	writes: []Field{FieldMaintainer},
	says:   "leave the flag without a maintainer",
	apply:  (*work).removeMaintainer,
}

// RemoveMaintainer leaves the flag without a maintainer. It does nothing if
// there is none.
func RemoveMaintainer() Instruction { return build(&removeMaintainer) }

var makeFlagPermanent = kind{
	name:   "makeFlagPermanent",
	scope:  ScopeFlag,
	writes: []Field{FieldTemporary},
	says:   "mark the flag as permanent",
	apply:  (*work).makeFlagPermanent,
}

// MakeFlagPermanent marks the flag as one that is to stay.
func MakeFlagPermanent() Instruction { return build(&makeFlagPermanent) }

var makeFlagTemporary = kind{
	name:   "makeFlagTemporary",
	scope:  ScopeFlag,
	writes: []Field{FieldTemporary},
	says:   "mark the flag as temporary",
	apply:  (*work).makeFlagTemporary,
}

// MakeFlagTemporary marks the flag as one that is to go some day.
func MakeFlagTemporary() Instruction { return build(&makeFlagTemporary) }

// ClientSideAvailability names a sort of SDK that runs on devices of users, by
// the credential it has. Flags are hidden from each unless made available.
type ClientSideAvailability string

// The sorts of client-side SDKs.
const (
	UsingMobileKey     ClientSideAvailability = "usingMobileKey"
	UsingEnvironmentID ClientSideAvailability = "usingEnvironmentId" // the client-side id of the environment
)

var availabilities = []ClientSideAvailability{UsingMobileKey, UsingEnvironmentID}

var turnOnClientSideAvailability = kind{
	name:   "turnOnClientSideAvailability",
	scope:  ScopeFlag,
	params: []param{{name: "value", shape: textShape, form: availText}},
	reads:  []Field{FieldClientSideAvailability},
	writes: []Field{FieldClientSideAvailability},
	says:   "make the flag available to {value}",
	apply:  (*work).turnOnClientSideAvailability,
}

// TurnOnClientSideAvailability makes the flag available to a sort of
// client-side SDK.
func TurnOnClientSideAvailability(to ClientSideAvailability) Instruction {
	return build(&turnOnClientSideAvailability, text(to))
}

var turnOffClientSideAvailability = kind{
	name:   "turnOffClientSideAvailability",
	scope:  ScopeFlag,
	params: []param{{name: "value", shape: textShape, form: availText}},
	reads:  []Field{FieldClientSideAvailability},
	writes: []Field{FieldClientSideAvailability},
	says:   "hide the flag from {value}",
	apply:  (*work).turnOffClientSideAvailability,
}

// TurnOffClientSideAvailability hides the flag from a sort of client-side SDK.
func TurnOffClientSideAvailability(from ClientSideAvailability) Instruction {
	return build(&turnOffClientSideAvailability, text(from))
}

func (w *work) updateName(args []arg) error {
	if name := textOf(args[0]); w.flag.name != name {
		w.own().name = name
	}
	return nil
}

func (w *work) updateDescription(args []arg) error {
	if description := textOf(args[0]); w.flag.description != description {
		w.own().description = description
	}
	return nil
}

func (w *work) updateMaintainerMember(args []arg) error {
	return w.maintain(maintainerBody{member: textOf(args[0])})
}

func (w *work) updateMaintainerTeam(args []arg) error {
	return w.maintain(maintainerBody{team: textOf(args[0])})
}

func (w *work) removeMaintainer([]arg) error { return w.maintain(maintainerBody{}) }

// maintain changes the maintainer. What the document tells of the old one goes.
func (w *work) maintain(by maintainerBody) error {
	if !w.flag.maintainer.same(&by) {
		w.own().maintainer = by
	}
	return nil
}

func (w *work) makeFlagPermanent([]arg) error { return w.make(false) }

func (w *work) makeFlagTemporary([]arg) error { return w.make(true) }

func (w *work) make(temporary bool) error {
	if w.flag.temporary != temporary {
		w.own().temporary = temporary
	}
	return nil
}

func (w *work) turnOnClientSideAvailability(args []arg) error { return w.available(args[0], true) }

func (w *work) turnOffClientSideAvailability(args []arg) error { return w.available(args[0], false) }

func (w *work) available(sort arg, is bool) error {
	to := ClientSideAvailability(textOf(sort))
	if (Flag{w.flag}).AvailableTo(to) == is {
		return nil
	}
	b := w.own()
	b.availability.given = true
	switch to {
	case UsingMobileKey:
		b.availability.mobile = is
	case UsingEnvironmentID:
		b.availability.envID = is
		b.inSnippet.is = is && b.inSnippet.given // the old name of the same
	}
	return nil
}
