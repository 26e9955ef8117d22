package flags

var archiveFlag = kind{
	name:   "archiveFlag",
	scope:  ScopeFlag,
	reads:  []Field{FieldOtherFlags},
	writes: []Field{FieldArchived},
	says:   "archive the flag",
	apply:  (*work).archiveFlag,
}

// ArchiveFlag archives the flag, in all environments, and notes when. It is an
// error if other flags have it as a prerequisite, and does nothing if the flag
// is archived.
func ArchiveFlag() Instruction { return build(&archiveFlag) }

var restoreFlag = kind{
	name:   "restoreFlag",
	scope:  ScopeFlag,
	writes: []Field{FieldArchived},
	says:   "bring the flag back from the archive",
	apply:  (*work).restoreFlag,
}

// RestoreFlag brings the flag back from the archive. It does nothing if the
// flag is not archived.
func RestoreFlag() Instruction { return build(&restoreFlag) }

var deleteFlag = kind{
	name:   "deleteFlag",
	scope:  ScopeFlag,
	reads:  []Field{FieldOtherFlags},
	writes: []Field{FieldDeleted},
	says:   "delete the flag for ever",
	apply:  (*work).deleteFlag,
}

// DeleteFlag deletes the flag in all environments. There is no way back: what is
// left says what the flag was and when it was deleted, and every other
// instruction is an error from then on. It is an error if other flags have it
// as a prerequisite.
func DeleteFlag() Instruction { return build(&deleteFlag) }

var deprecateFlag = kind{
	name:   "deprecateFlag",
	scope:  ScopeFlag,
	writes: []Field{FieldDeprecated},
	says:   "mark the flag as deprecated",
	apply:  (*work).deprecateFlag,
}

// DeprecateFlag marks the flag as deprecated, which hides it from the list of
// live flags and changes nothing of what it serves, and notes when. It does
// nothing if the flag is deprecated.
func DeprecateFlag() Instruction { return build(&deprecateFlag) }

var restoreDeprecatedFlag = kind{
	name:   "restoreDeprecatedFlag",
	scope:  ScopeFlag,
	writes: []Field{FieldDeprecated},
	says:   "mark the flag as no longer deprecated",
	apply:  (*work).restoreDeprecatedFlag,
}

// RestoreDeprecatedFlag brings the flag back to the list of live flags. It does
// nothing if the flag is not deprecated.
func RestoreDeprecatedFlag() Instruction { return build(&restoreDeprecatedFlag) }

func (w *work) archiveFlag([]arg) error {
	if w.flag.archived.is {
		return nil
	}
	if err := w.unneeded(); err != nil {
		return err
	}
	w.end(&w.own().archived)
	w.ownAll(func(e *environmentBody) { e.archived = true })
	return nil
}

func (w *work) restoreFlag([]arg) error {
	if !w.flag.archived.is {
		return nil
	}
	w.own().archived = lifeBody{}
	w.ownAll(func(e *environmentBody) { e.archived = false })
	return nil
}

func (w *work) deleteFlag([]arg) error {
	if w.flag.deleted.is {
		return nil
	}
	if err := w.unneeded(); err != nil {
		return err
	}
	w.end(&w.own().deleted)
	return nil
}

func (w *work) deprecateFlag([]arg) error {
	if !w.flag.deprecated.is {
		w.end(&w.own().deprecated)
	}
	return nil
}

func (w *work) restoreDeprecatedFlag([]arg) error {
	if w.flag.deprecated.is {
		w.own().deprecated = lifeBody{}
	}
	return nil
}

// end begins one of the states that end the life of a flag.
func (w *work) end(life *lifeBody) {
	*life = lifeBody{is: true, date: number{w.how.Now.UnixMilli(), true}}
}
