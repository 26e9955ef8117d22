// Package flagstage runs staged releases of feature flags.
//
// A [Template] says how a release goes: its stages one after the other, each
// with conditions (a [Schedule], an [Approval]) that hold it back and an
// [Action] that changes the flag. Templates are read from the JSON of
// LaunchDarkly's workflow templates ([ReadTemplate], [Import]) or built as Go
// values, and created by [NewTemplate].
//
// A [Plan] is what a template means for one flag: the one that it was written for
// ([Template.Plan]), or any that it is bound to ([Template.Bind]). A [Workflow] is a run of a
// plan: a value that knows how far the release has come, and, told what time
// it is, what happens next. Package simulate walks a workflow through its
// whole life at once.
//
// An [Engine] keeps templates, flags and workflows in a [Store], and runs the
// workflows: when it is told to ([Engine.Tick]), or by itself ([Engine.Run]). It
// changes the flags that it keeps, or has an [Applier] change those of the host.
//
// Package flags says what an action does to a flag, package calendar when a wait is
// over, and package timeline shows what has happened or will.
//
// # Ports
//
// An engine needs nothing but a place for its file, or nothing at all (NewMemory).
// A host can give it a [Store] of its own, a [Guard] that says who may do what, a
// [Notifier] that asks people, an [Applier] and a [FlagSource] for flags that are
// kept elsewhere, a [Clock] and a source of identifiers: see the options, each of
// which begins with "With". What an engine calls must be safe for concurrent use.
//
// # Purity
//
// But for engines and stores, nothing here reads the clock, draws random numbers or
// starts goroutines unless it is told to: the time, the source of identifiers and the acting
// member are arguments, and the same arguments give the same bytes. Values
// are immutable unless their documentation says otherwise, and then safe for
// concurrent use.
//
// # Bad input
//
// Input that is wrong is refused as a whole, with all that is wrong in it at
// once: see [Problems].
package flagstage
