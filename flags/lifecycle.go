package flags

var archiveFlag = kind{
	name:   "archiveFlag",
	scope:  ScopeFlag,
	reads:  []Field{FieldOtherFlags},
	writes: []Field{FieldArchived},
	says:   "archive the flag",
}

// ArchiveFlag archives the flag, in all environments. It is an error if other
// flags have it as a prerequisite.
func ArchiveFlag() Instruction { return build(&archiveFlag) }

var restoreFlag = kind{
	name:   "restoreFlag",
	scope:  ScopeFlag,
	writes: []Field{FieldArchived},
	says:   "bring the flag back from the archive",
}

// RestoreFlag brings the flag back from the archive. It does nothing if the
// flag is not archived.
func RestoreFlag() Instruction { return build(&restoreFlag) }

var deleteFlag = kind{
	name:   "deleteFlag",
	scope:  ScopeFlag,
	writes: []Field{FieldDeleted},
	says:   "delete the flag for ever",
}

// DeleteFlag deletes the flag in all environments. There is no way back.
func DeleteFlag() Instruction { return build(&deleteFlag) }

var deprecateFlag = kind{
	name:   "deprecateFlag",
	scope:  ScopeFlag,
	writes: []Field{FieldDeprecated},
	says:   "mark the flag as deprecated",
}

// DeprecateFlag marks the flag as deprecated, which hides it from the list of
// live flags and changes nothing of what it serves.
func DeprecateFlag() Instruction { return build(&deprecateFlag) }

var restoreDeprecatedFlag = kind{
	name:   "restoreDeprecatedFlag",
	scope:  ScopeFlag,
	writes: []Field{FieldDeprecated},
	says:   "mark the flag as no longer deprecated",
}

// RestoreDeprecatedFlag brings the flag back to the list of live flags.
func RestoreDeprecatedFlag() Instruction { return build(&restoreDeprecatedFlag) }
