package flagstagetest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

func TestEveryMutationIsReported(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		document := flagstagetest.Documents().Draw(t, "document")
		mutation := flagstagetest.Mutations(document.JSON).Draw(t, "mutation")
		requireReported(t, mutation)
		_, problems := flagstage.ReadTemplate(document.JSON)
		require.Empty(t, problems, "the document itself was changed")
	})
}

func requireReported(t require.TestingT, m flagstagetest.Mutation) {
	input, problems := flagstage.ReadTemplate(m.Document)
	require.True(t, m.ReportedIn(problems), "%#v\nis reported as %v", m, problems)
	require.Equal(t, flagstage.TemplateInput{}, input)
	require.ErrorIs(t, problems.Err(), flagstage.ErrInvalidRequest)
	if m.Code == flags.CodeSyntax || m.Name == "overlong document" || m.Name == "too deep" {
		require.Len(t, problems, 1)
	}
}

func TestEverySortOfMistakeIsMadeInEveryDocument(t *testing.T) {
	names := flagstagetest.MutationNames()
	require.GreaterOrEqual(t, len(names), 40)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(names))), len(names), "names stand twice")
	codes := map[flags.Code]bool{}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			for i, document := range numbered(examples(flagstagetest.Documents(), 6)) {
				mutation := flagstagetest.Mutations(document.JSON, name).Example(i + 1)
				require.Equal(t, name, mutation.Name)
				requireReported(t, mutation)
				codes[mutation.Code] = true
			}
		})
	}
	for _, code := range []flags.Code{
		flags.CodeSyntax, flags.CodeWrongType, flags.CodeRequired, flags.CodeMalformed, flags.CodeOutOfRange,
		flags.CodeUnknownKind, flags.CodeUnknownMember, flags.CodeExclusive, flags.CodeAmbiguous, flags.CodeDuplicate,
		flags.CodeUnsupported, flags.CodeTooLarge,
	} {
		require.True(t, codes[code], "no mistake has the code %s", code)
	}
}

func TestAllSortsOfMistakesAreDrawn(t *testing.T) {
	seen := map[string]int{}
	for seed, document := range numbered(examples(flagstagetest.Documents(), 50)) {
		mutations := flagstagetest.Mutations(document.JSON)
		for i := range 40 {
			seen[mutations.Example(40*seed+i+1).Name]++
		}
	}
	for _, name := range flagstagetest.MutationNames() {
		require.Positive(t, seen[name], "%s was never drawn", name)
	}
}

func TestMutationsOfOtherDocuments(t *testing.T) {
	for name, document := range map[string]string{
		"no stages":         `{"key":"k","workflowId":"w"}`,
		"nothing in stages": `{"key":"k","projectKey":"p","environmentKey":"e","flagKey":"f","stages":[{"action":null,"conditions":null}]}`,
		"awkward names": `{"key":"k","projectKey":"p","environmentKey":"e","flagKey":"f","stages":[{"conditions":[
			{"kind":"ld-approval","integrationConfig":{"a/b":{"~":"x"},"` + strings.Repeat("n", 80) + `":{"x":"x"}}}]}]}`,
		"far down": `{"key":"k","projectKey":"p","environmentKey":"e","flagKey":"f","stages":[{"conditions":[
			{"kind":"ld-approval","integrationConfig":` + strings.Repeat(`{"`+strings.Repeat("n", 40)+`":`, 5) + `"x"}}}}}}]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			mutations := flagstagetest.Mutations([]byte(document))
			for mutation := range examples(mutations, 300) {
				requireReported(t, mutation)
			}
			for mutation := range examples(flagstagetest.Mutations([]byte(document), "member twice", "control character"), 100) {
				requireReported(t, mutation)
			}
		})
	}
}

func TestSegmentsNeedNoAttribute(t *testing.T) {
	document := `{"key":"k","projectKey":"p","environmentKey":"e","flagKey":"f","stages":[{"action":{"instructions":[
		{"kind":"addClauses","ruleId":"r","clauses":[{"op":"segmentMatch","values":["s"]}]}]}}]}`
	for _, name := range []string{"missing member of an instruction", "null for what is required"} {
		for mutation := range examples(flagstagetest.Mutations([]byte(document), name), 100) {
			requireReported(t, mutation)
		}
	}
}

func TestMutationsRefuse(t *testing.T) {
	const valid = `{"key":"k","workflowId":"w"}`
	for name, mutate := range map[string]func(){
		"a document with errors": func() { flagstagetest.Mutations([]byte(`{"key":"k"}`)) },
		"an unknown name":        func() { flagstagetest.Mutations([]byte(valid), "negative wit") },
		"a mistake without room": func() { flagstagetest.Mutations([]byte(valid), "negative wait") },
	} {
		t.Run(name, func(t *testing.T) { require.Panics(t, mutate) })
	}
}

func TestMutationsSayWhatIsWrong(t *testing.T) {
	document := `{"key":"k","workflowId":"w"}`
	m := flagstagetest.Mutations([]byte(document), "no key").Example(1)
	require.Equal(t, `no key at "/key" [required] in {"workflowId":"w"}`, m.GoString())
	require.False(t, m.ReportedIn(nil))
	require.False(t, m.ReportedIn(flagstage.Problems{{Pointer: "/key", Code: flags.CodeRequired, Severity: flagstage.SeverityWarning}}))
	long := flagstagetest.Mutations([]byte(document), "overlong document").Example(1)
	require.Less(t, len(long.GoString()), 5000)
}
