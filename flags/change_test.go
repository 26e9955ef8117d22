package flags_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

// TestChangesInWords holds what is said of what each case of testdata/apply.txt
// does, and of the way back: the first are the changes, the others, after an
// arrow, the instructions that undo them.
func TestChangesInWords(t *testing.T) {
	const file = "testdata/changes.txt"
	var b strings.Builder
	for _, c := range applyCases(t) {
		if strings.HasPrefix(c.name, "error: ") {
			continue
		}
		before := testFlag(t, c.flag)
		others := flags.NewFlagSet(testFlag(t, "lamp"))
		after, ids := before, new(counter)
		for _, s := range c.steps {
			next, err := flags.Apply(after, instructions(t, s.instructions), flags.Application{Environment: s.environment, Now: changedAt, IDs: ids, Others: others})
			require.NoError(t, err)
			after = next
		}
		fmt.Fprintf(&b, "# %s\n", c.name)
		for _, change := range flags.DescribeChange(before, after) {
			fmt.Fprintf(&b, "%s\n", change)
		}
		back, err := flags.Diff(after, before, "production", others)
		if err != nil {
			fmt.Fprintf(&b, "<- %v\n", err)
		}
		for _, in := range back.Instructions {
			fmt.Fprintf(&b, "<- %s\n", in)
		}
		b.WriteByte('\n')
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test -update to write it")
	require.Equal(t, string(want), b.String())
}

func TestChangesAreToldExactlyWhenThereAreSome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := flagstagetest.Flags().Draw(t, "flag")
		patch := flagstagetest.PatchesFor(from, "production").Draw(t, "patch")
		to := after(t, from, flags.Patch{Instructions: patch, NewIDs: newIDs(200)}, "production")
		if rapid.IntRange(0, 4).Draw(t, "another flag") == 4 {
			to = flagstagetest.Flags().Draw(t, "to")
		}
		t.Logf("%s\n%s", from.AppendJSON(nil), to.AppendJSON(nil))
		same := true
		for _, key := range append(from.EnvironmentKeys(), to.EnvironmentKeys()...) {
			same = same && from.Same(to, key)
		}
		changes := flags.DescribeChange(from, to)
		require.Equal(t, same, len(changes) == 0, "%v", changes)
		require.Empty(t, flags.DescribeChange(from, from))
		for _, c := range changes {
			require.NotEmpty(t, c.Text)
		}
	})
}

func TestChangesOfWhatIsNotShown(t *testing.T) {
	flag := func(values, description string) flags.Flag {
		return decodeFlag(t, `{"key":"k","kind":"multivariate","description":"`+description+`","variations":[{"_id":"a","value":1}],"environments":{"e":{"on":true,`+
			`"rules":[{"_id":"r","variation":0,"clauses":[{"_id":"c","attribute":"a","op":"in","values":[`+values+`]}]}],"fallthrough":{"variation":0}}}}`)
	}
	long := strings.Repeat("long", 100)
	require.Equal(t, "e: rule 1: a is 1, 2, 3 and 2 more, which differs in what is not shown",
		flags.DescribeChange(flag("1,2,3,4,5", ""), flag("1,2,3,4,6", ""))[0].String())
	words := flags.DescribeChange(flag("1", long+"x"), flag("1", long+"y"))[0].String()
	require.True(t, strings.HasSuffix(words, ", which differs in what is not shown"), words)
}
