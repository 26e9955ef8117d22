package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	checkout = "../../testdata/new-checkout.flag.json"
	quarter  = "../../testdata/quarter.patch.json"
)

// written writes a file of a test.
func written(t *testing.T, name, text string) string {
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestFlagValidate(t *testing.T) {
	r := run("", "flag", "validate", checkout)
	require.Equal(t, result{exitDone, checkout + ": valid, boolean flag new-checkout, variations: 2, environments: 1\n", ""}, r)

	r = run(`{"key":"\u001b[2J","kind":"boolean","variations":[{"value":true}],"environments":{"e":{"on":1}}}`, "flag", "validate", "-", checkout)
	require.Equal(t, exitFailed, r.status)
	require.Equal(t, checkout+": valid, boolean flag new-checkout, variations: 2, environments: 1\n", r.stdout)
	require.Contains(t, r.stderr, "-:/environments/e/on: is a number, must be a boolean [wrong_type]\n")
	require.NotContains(t, r.stderr, "\x1b")

	r = run("", "flag", "validate", "none.json")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, "flagstage: flag validate: open none.json")
}

func TestFlagShow(t *testing.T) {
	r := run("", "flag", "show", checkout)
	require.Equal(t, exitDone, r.status, r.stderr)
	for _, line := range []string{
		"Key          new-checkout\n", "Variation 0  New  true  7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21\n", "\nEnvironment  production\n",
		"Targets      1 of kind user get New\n", "Rule 1       if user is in segment \"staff\" then New\n",
		"             Everybody who works here\n", "Otherwise    5 % New and 95 % Old\n", "While off    Old\n",
	} {
		require.Contains(t, r.stdout, line)
	}
	r = run("", "flag", "show", checkout, "--format", "json", "--environment", "production")
	require.Contains(t, r.stdout, `"salt": "bmV3LWNoZWNrb3V0"`)
	require.NotContains(t, r.stdout, "new-checkout")

	canonical := run("", "flag", "show", checkout, "--format=json")
	require.Equal(t, canonical, run(canonical.stdout, "flag", "show", "-", "--format=json"))

	r = run(`{"key":"k","kind":"multivariate","variations":[{"value":"a\u202eb"}],"environments":{"e":{"on":false,"rules":[{"clauses":[],"variation":0,"disabled":true}]}}}`, "flag", "show", "-")
	require.Contains(t, r.stdout, "(disabled) if anything then")
	require.NotContains(t, r.stdout, "\u202e")
}

func TestFlagApply(t *testing.T) {
	fixed := []string{"--now", "2026-10-24T09:00:00+02:00", "--seed", "1"}
	r := run("", append([]string{"flag", "apply", checkout, quarter}, fixed...)...)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Contains(t, r.stdout, `"lastModified": 1792825200000`)
	require.Contains(t, r.stdout, `"version": 5`)
	require.Contains(t, r.stdout, `"_version": 2`)
	after := written(t, "after.json", r.stdout)

	add := `[{"kind":"addRule","variationId":"7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21","clauses":[]}]`
	seeded := append([]string{"flag", "apply", checkout, "-", "--environment", "production"}, fixed...)
	require.Equal(t, run(add, seeded...), run(add, seeded...), "the same seed gives the same identifiers")
	require.NotEqual(t, run(add, seeded[:6]...), run(add, seeded[:6]...), "without one they differ")

	diff := run("", "flag", "diff", checkout, after)
	require.Equal(t, "tags added: released\nproduction: default rule: New 5 % → 25 %\nproduction: user tester-1 no longer always gets New\n", diff.stdout)
	back := run("", "flag", "diff", after, checkout, "--format", "json")
	require.Equal(t, exitDone, back.status, back.stderr)
	restored := run(back.stdout, "flag", "apply", after, "-")
	require.Equal(t, exitDone, restored.status, restored.stderr)
	require.Equal(t, result{}, run(restored.stdout, "flag", "diff", checkout, "-"), "the way back leads back")
}

func TestFlagDiffOfWhatIsAddedLeadsThere(t *testing.T) {
	add := `[{"kind":"addRule","ref":"new","variationId":"7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21","clauses":[]}`
	follow := add + `,{"kind":"updateRuleTrackEvents","ruleId":"ref:new","trackEvents":true}]`
	for patch, needed := range map[string]bool{add + "]": false, follow: true} {
		r := run(patch, "flag", "apply", checkout, "-", "--environment", "production")
		require.Equal(t, exitDone, r.status, r.stderr)
		to := written(t, "to.json", r.stdout)
		diff := run("", "flag", "diff", checkout, to, "--format", "json")
		require.Contains(t, diff.stdout, `"newIds": [`)
		there := run(diff.stdout, "flag", "apply", checkout, "-", "--seed", "7")
		require.Equal(t, exitDone, there.status, there.stderr)
		require.Equal(t, result{}, run(there.stdout, "flag", "diff", to, "-"))
		twice := run(diff.stdout, "flag", "apply", to, "-")
		require.Equal(t, exitFailed, twice.status)
		require.Contains(t, twice.stderr, "is taken: it is there already, or the identifiers need another source [duplicate]")

		published := run("", "flag", "diff", checkout, to, "--format", "json", "--no-ids")
		if needed {
			require.Equal(t, exitFailed, published.status)
			require.Empty(t, published.stdout)
			require.Contains(t, published.stderr, "the patch cannot do without newIds")
			continue
		}
		require.NotContains(t, published.stdout, "newIds")
		require.Equal(t, exitDone, run(published.stdout, "flag", "apply", checkout, "-").status)
	}
}

func TestWhatIsPrintedOfALargeFlagCanBeRead(t *testing.T) {
	var values []string
	for i := range 9_000 {
		values = append(values, fmt.Sprintf(`"%0100d"`, i))
	}
	lists := strings.Repeat(`{"op":"in","attribute":"a","values":[]},`, 1000)
	large := `{"key":"k","kind":"multivariate","variations":[{"_id":"v","value":1}],"environments":{"e":{"on":false,"targets":[{"variation":0,"values":[` +
		strings.Join(values, ",") + `]}],"rules":[{"variation":0,"clauses":[` + strings.TrimSuffix(lists, ",") + `]}]}}}`
	for _, command := range [][]string{
		{"flag", "show", "-", "--format", "json"},
		{"flag", "apply", "-", written(t, "on.json", `[{"kind":"turnFlagOn"}]`), "--environment", "e"},
	} {
		r := run(large, command...)
		require.Equal(t, exitDone, r.status, r.stderr)
		require.Equal(t, exitDone, run(r.stdout, "flag", "validate", "-").status)
	}
	var rules []string
	for i := range 7_000 {
		rules = append(rules, fmt.Sprintf(`{"_id":"%d","variation":0,"clauses":[]}`, i))
	}
	long := strings.Repeat("v", 200)
	document := `{"key":"k","kind":"multivariate","variations":[{"_id":"` + long + `","value":1}],"environments":{"e":{"on":false,"rules":[` + strings.Join(rules, ",") + `]}}}`
	empty := written(t, "empty.json", strings.Replace(`{"key":"k","kind":"multivariate","variations":[{"_id":"v","value":1}],"environments":{"e":{"on":false}}}`, `"v"`, `"`+long+`"`, 1))
	r := run(document, "flag", "diff", empty, "-", "--format", "json")
	require.Equal(t, exitFailed, r.status)
	require.Empty(t, r.stdout, "a patch that is too large to be read")
}

func TestFlagApplyOfWhatCannotBeApplied(t *testing.T) {
	for stdin, want := range map[string]string{
		`[{"kind":"turnFlagOff"},{"kind":"updateOffVariation","variationId":"x"}]`: `-:/1/variationId: the flag has no variation "x"; there are`,
		` {"instructions":[{"kind":"updateOffVariation","variationId":"x"}]}`:      `-:/instructions/0/variationId: the flag has no variation "x"; there are`,
		`{"instructions":[{"kind":"turnFlagsOff"}]}`:                               `-:/instructions/0/kind: "turnFlagsOff" is no kind of instruction`,
		`[{"kind":"addPrerequisite","key":"lamp","variationId":"x"}]`:              `-:/0/key: there is no flag "lamp" [not_found]`,
	} {
		r := run(stdin, "flag", "apply", checkout, "-", "--environment", "production")
		require.Equal(t, exitFailed, r.status)
		require.Empty(t, r.stdout)
		require.Contains(t, r.stderr, want)
	}
	r := run(`[{"kind":"turnFlagOff"}]`, "flag", "apply", checkout, "-")
	require.Contains(t, r.stderr, `-:/0: concerns one environment; say which, there is "production" [required]`)
	r = run(strings.Repeat("[", 1000), "flag", "apply", checkout, "-")
	require.Contains(t, r.stderr, "[too_large]")
}

func TestFlagsOfOneProject(t *testing.T) {
	lamp := written(t, "lamp.json", `{"key":"lamp","kind":"boolean","variations":[{"_id":"on","value":true},{"_id":"off","value":false}]}`)
	require.Equal(t, exitDone, run("", "flag", "validate", lamp).status)
	requires := run(`[{"kind":"addPrerequisite","key":"lamp","variationId":"off"}]`, "flag", "apply", checkout, "-", "--environment", "production", "--other", lamp)
	require.Equal(t, exitDone, requires.status, requires.stderr)
	file := written(t, "requires.json", requires.stdout)

	r := run(`[{"kind":"archiveFlag"}]`, "flag", "apply", lamp, "-", "--other", file)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, `-:/0: this is a prerequisite of flag "new-checkout"; remove it there first [in_use]`)

	r = run("", "flag", "diff", checkout, file, "--format", "json")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, "no instructions can express the difference")
	r = run("", "flag", "diff", checkout, file, "--format", "json", "--other", lamp)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Contains(t, r.stdout, `"variationId": "off"`)
}

func TestFlagDiffOfSeveralEnvironments(t *testing.T) {
	two := func(on string) string {
		return written(t, "two.json", `{"key":"k","kind":"multivariate","variations":[{"value":1}],"environments":{"a":{"on":`+on+`},"b":{"on":`+on+`}}}`)
	}
	from, to := two("false"), two("true")
	require.Equal(t, "a: targeting: off → on\nb: targeting: off → on\n", run("", "flag", "diff", from, to).stdout)
	require.Equal(t, "b: targeting: off → on\n", run("", "flag", "diff", from, to, "--environment", "b").stdout)
	r := run("", "flag", "diff", from, to, "--format", "json")
	require.Equal(t, exitUsage, r.status)
	require.Contains(t, r.stderr, "choose one with --environment: a, b")
	r = run("", "flag", "diff", from, to, "--format", "json", "--environment", "a")
	var patch struct {
		EnvironmentKey string
		Instructions   []struct{ Kind string }
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &patch))
	require.Equal(t, "a", patch.EnvironmentKey)
	require.Equal(t, "turnFlagOn", patch.Instructions[0].Kind)
	require.Equal(t, result{stdout: "{\n  \"instructions\": []\n}\n"}, run("", "flag", "diff", from, from, "--format", "json"))
}

func TestWrongUsageOfFlags(t *testing.T) {
	noEnvironment := written(t, "patch.json", `[{"kind":"addTags","values":["x"]}]`)
	for _, arguments := range [][]string{
		{"flag", "aply"}, {"flag", "validate"}, {"flag", "validate", "-", "-"}, {"flag", "show"}, {"flag", "show", checkout, checkout},
		{"flag", "show", checkout, "--environment", "none"}, {"flag", "show", checkout, "--format", "xml"},
		{"flag", "apply", checkout}, {"flag", "apply", "-", "-"}, {"flag", "apply", checkout, "-", "--other", "-"},
		{"flag", "apply", checkout, quarter, "--now", "tomorrow"}, {"flag", "apply", checkout, quarter, "--now", "1969-12-31T00:00:00Z"},
		{"flag", "apply", checkout, quarter, "--seed", "-1"}, {"flag", "apply", checkout, quarter, "--environment", "test"},
		{"flag", "diff", checkout}, {"flag", "diff", checkout, checkout, "--environment", "none"}, {"flag", "diff", checkout, checkout, "--format", "xml"},
		{"flag", "apply", checkout, noEnvironment, "--environment", "none"},
	} {
		r := run("", arguments...)
		require.Equal(t, exitUsage, r.status, arguments)
		require.Contains(t, r.stderr, "--help", arguments)
		require.Empty(t, r.stdout, arguments)
	}
	r := run("", "flag")
	require.Equal(t, exitUsage, r.status)
	require.Contains(t, r.stderr, "flagstage flag apply")
	require.NotContains(t, r.stderr, "flagstage simulate")
	r = run("", "flag", "--help")
	require.Equal(t, exitDone, r.status)
	require.Contains(t, r.stdout, "flagstage flag diff")
}
