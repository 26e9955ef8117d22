// Package flags knows what a release changes: feature flags, the instructions
// of a semantic patch that change them, and whom they reach.
//
// # Flags
//
// A [Flag] comes from the document of the LaunchDarkly REST API by [DecodeFlag].
// It is an immutable value that tells what the document says, keeps members that
// it does not know, and writes a canonical form.
//
// [Apply] applies instructions to a flag in one environment, all or nothing, and
// returns a new flag, which shares with the old one what did not change. It
// reads no clock and draws no random numbers: an [Application] says the instant,
// where identifiers come from, and what other flags there are. An [*ApplyError]
// says which instruction cannot be applied, where, and what exists instead.
//
// [Diff] finds the instructions that turn one flag into another,
// [DescribeChange] says to people in what they differ, and [ChangedFields] names
// the fields in which they do.
//
// # Evaluation
//
// [Evaluate] answers what a flag serves to a [Context], and why, as
// LaunchDarkly's SDKs for servers do. Other flags and each [Segment] that a flag
// names come from a [Lookup], such as [Known]. What can be made ready once, such
// as regular expressions, is made ready when a flag or segment is read or
// changed: evaluating it allocates nothing in usual cases.
//
// [Survey] counts whom a change of a flag reaches, among contexts that are given
// or among those of a [Population], which are made up.
//
// # Instructions
//
// An [Instruction] says one change by its kind and parameters: "turn targeting
// on", "serve these variations by these weights". It comes from a constructor
// called as its kind ([TurnFlagOn], [AddRule]), or from JSON by
// [DecodeInstruction] and [DecodeInstructions]. Its JSON is that of the
// LaunchDarkly REST API, whose 53 kinds for flags [Kinds] lists and [Describe]
// describes. A host program can let kinds of its own pass with [HostKinds].
//
// Constructors never fail; [Instruction.Validate] judges what they made by the
// same rules that reading keeps to. [Instruction.AppendJSON] writes one form
// for each instruction, byte for byte, and what was valid comes back equal.
//
// [Instruction.Reads] and [Instruction.Writes] tell which parts of a flag an
// instruction concerns, and [Instruction.Slots] which parts of it make sense for
// one flag only. [Instruction.WithSlots] puts other values there and leaves the
// rest as it is, byte for byte.
//
// # References
//
// A rule, a clause or a variation that an instruction adds may get a name, its
// Ref. Later instructions say "ref:" and that name where the id of one stands.
// A prerequisite cannot: its variation is one of another flag. [Instruction.Refs]
// tells which names an instruction gives and uses.
//
// # Limits
//
// Input is read as if from an adversary. Names match byte for byte; unknown,
// repeated and missing members are errors; integers are plain digits. A list
// inside an instruction, a flag or a segment has at most 10,000 entries, a string
// 64 KiB, an instruction, a flag and a segment 1 MiB. How many keys a segment
// lists, and how many instructions stand in the array that [DecodeInstructions]
// reads, is limited by the 1 MiB of the document only. Arrays and objects in a
// free [Value] may be nested as deep as a template, which nests 64 deep at most,
// leaves room for. All that is wrong is told at once, as [Problems].
package flags
