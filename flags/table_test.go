package flags_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

var update = flag.Bool("update", false, "write what tests produce into their golden files")

// examples returns the first instruction of testdata of each kind.
func examples(t testing.TB) map[flags.Kind]flags.Instruction {
	first := map[flags.Kind]flags.Instruction{}
	for _, in := range built(t) {
		if _, there := first[in.Kind()]; !there {
			first[in.Kind()] = in
		}
	}
	return first
}

// TestTableOfKinds holds all that is said of each kind, next to the sentence of
// an example.
func TestTableOfKinds(t *testing.T) {
	const file = "testdata/kinds.txt"
	var b strings.Builder
	example := examples(t)
	for _, kind := range flags.Kinds() {
		info, _ := flags.Describe(kind)
		fmt.Fprintf(&b, "%s, of one %s\n", kind, map[flags.Scope]string{
			flags.ScopeEnvironment: "environment", flags.ScopeFlag: "flag",
		}[info.Scope])
		for _, m := range info.Members {
			fmt.Fprintf(&b, "  %s: %s", m.Name, m.Type)
			if m.Required {
				b.WriteString(", required")
			}
			if len(m.Slots) > 0 {
				fmt.Fprintf(&b, ", slot of %v", m.Slots)
			}
			b.WriteByte('\n')
		}
		for _, choice := range []struct {
			words string
			names []string
		}{{"exactly one of", info.ExactlyOne}, {"at least one of", info.AtLeastOne}} {
			if choice.names != nil {
				fmt.Fprintf(&b, "  %s %v\n", choice.words, choice.names)
			}
		}
		fmt.Fprintf(&b, "  reads %v, writes %v\n  %s\n", info.Reads, info.Writes, example[kind].String())
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test -update to write it")
	require.Equal(t, string(want), b.String())
}

// TestSlotsAreWhatIsDescribed holds that the instructions of testdata have the
// slots that are described for their kinds, all of them and no others.
func TestSlotsAreWhatIsDescribed(t *testing.T) {
	described, found := map[string]bool{}, map[string]bool{}
	for _, in := range built(t) {
		info, _ := flags.Describe(in.Kind())
		for _, m := range info.Members {
			for _, slot := range m.Slots {
				described[fmt.Sprintf("%s/%s %s", in.Kind(), m.Name, slot)] = true
			}
		}
		for _, slot := range in.Slots() {
			member, _, _ := strings.Cut(slot.Pointer[1:], "/")
			found[fmt.Sprintf("%s/%s %s", in.Kind(), member, slot.Kind)] = true
		}
	}
	require.Equal(t, described, found)
}

func TestMembersOfAChoiceAreNamed(t *testing.T) {
	info, _ := flags.Describe("updateVariation")
	require.Equal(t, []string{"name", "value", "description"}, info.AtLeastOne)
	require.Nil(t, info.ExactlyOne)
	info.AtLeastOne[0] = "changed"
	again, _ := flags.Describe("updateVariation")
	require.Equal(t, "name", again.AtLeastOne[0])

	for document, want := range map[string]string{
		`{"kind":"updateVariation","variationId":"v"}`:     "give at least one of name, value and description",
		`{"kind":"updateDefaultVariation"}`:                "give at least one of onVariationValue and offVariationValue",
		`{"kind":"updateFallthroughVariationOrRollout"}`:   "give variationId or rolloutWeights",
		`{"kind":"replaceRules","rules":[{"clauses":[]}]}`: "give variationId or rolloutWeights",
		`{"kind":"updateOffVariation"}`:                    "is missing",
	} {
		_, problems := flags.DecodeInstruction([]byte(document))
		require.Len(t, problems, 1)
		require.Equal(t, flags.CodeRequired, problems[0].Code)
		require.Equal(t, want, problems[0].Message)
	}
	for want, in := range map[string]flags.Instruction{
		"give at least one of name, value and description": flags.UpdateVariation("v"),
		"give variationId or rolloutWeights":               flags.UpdateFallthroughVariationOrRollout(flags.Serve{}),
	} {
		require.Equal(t, want, in.Validate()[0].Message)
	}
	for _, kind := range flags.Kinds() {
		info, _ := flags.Describe(kind)
		for _, m := range info.Members {
			if m.Required {
				require.False(t, slices.Contains(info.ExactlyOne, m.Name) || slices.Contains(info.AtLeastOne, m.Name))
			}
		}
	}
}
