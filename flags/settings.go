package flags

var updateName = kind{
	name:   "updateName",
	scope:  ScopeFlag,
	params: []param{{name: "value", shape: textShape, form: someText}},
	writes: []Field{FieldName},
	says:   `rename the flag to "{value}"`,
}

// UpdateName changes the flag's name, which is not empty. The key stays.
func UpdateName(name string) Instruction { return build(&updateName, text(name)) }

var updateDescription = kind{
	name:   "updateDescription",
	scope:  ScopeFlag,
	params: []param{{name: "value", shape: textShape, form: anyText}},
	writes: []Field{FieldDescription},
	says:   `describe the flag as "{value}"`,
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
}

// UpdateMaintainerMember makes a member the maintainer of the flag, in place of
// the member or team that was.
func UpdateMaintainerMember(memberID string) Instruction {
	return build(&updateMaintainerMember, text(memberID))
}

var updateMaintainerTeam = kind{
	name:   "updateMaintainerTeam",
	scope:  ScopeFlag,
	params: []param{{name: "value", shape: textShape, form: someText}},
	writes: []Field{FieldMaintainer},
	says:   "make team {value} the maintainer",
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
}

// RemoveMaintainer leaves the flag without a maintainer. It does nothing if
// there is none.
func RemoveMaintainer() Instruction { return build(&removeMaintainer) }

var makeFlagPermanent = kind{
	name:   "makeFlagPermanent",
	scope:  ScopeFlag,
	writes: []Field{FieldTemporary},
	says:   "mark the flag as permanent",
}

// MakeFlagPermanent marks the flag as one that is to stay.
func MakeFlagPermanent() Instruction { return build(&makeFlagPermanent) }

var makeFlagTemporary = kind{
	name:   "makeFlagTemporary",
	scope:  ScopeFlag,
	writes: []Field{FieldTemporary},
	says:   "mark the flag as temporary",
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
}

// TurnOffClientSideAvailability hides the flag from a sort of client-side SDK.
func TurnOffClientSideAvailability(from ClientSideAvailability) Instruction {
	return build(&turnOffClientSideAvailability, text(from))
}
