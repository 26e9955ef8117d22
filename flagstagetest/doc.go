// Package flagstagetest generates templates, requests, overrides of parameters,
// scenarios, flags and instructions that apply to them for property tests of
// programs that use this module, and makes mistakes in requests that such a
// program must find.
//
// Its functions return generators for pgregory.net/rapid. All that they
// generate, but for mutations and [InstructionsFor], is valid:
// [flagstage.NewTemplate] and [flagstage.ReadTemplate] accept it without a
// warning, [simulate.Run] runs it, and [flags.Apply] applies it. Values are small and shrink to smaller ones; sizes near the limits
// of the module are not drawn.
//
// # Documents and mistakes
//
// [Documents] spells requests as differently as JSON allows, and says what
// each of them means. [Mutations] makes exactly one mistake in a request, and
// says which problem must be reported.
//
// # Caveats
//
// [Scenarios] names time zones. Where the machine has no zone database, import
// time/tzdata.
//
// When a property fails, rapid prints what was drawn. Documents and mutations
// print as their JSON; for a template, log what [flagstage.Template.AppendJSON]
// gives.
//
// Which values a seed of rapid gives may change with every release of this
// module.
package flagstagetest
