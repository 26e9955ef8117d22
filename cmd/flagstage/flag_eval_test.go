package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const checkoutQuarter = "../../testdata/new-checkout.quarter.flag.json"

func TestFlagEval(t *testing.T) {
	const tester = `{"kind":"user","key":"tester-1"}`
	r := run("", "flag", "eval", checkout, "--environment", "production", "--context", tester)
	require.Equal(t, result{exitDone, "Serves     New\nValue      true\nVariation  0\nBecause    the context is a target\n", ""}, r)

	staff := written(t, "staff.json", `[{"key":"other"},{"key":"staff","included":["ada"]}]`)
	ada := written(t, "ada.json", `{"kind":"user","key":"ada"}`)
	r = run("", "flag", "eval", checkout, "--environment", "production", "--context", ada, "--segments", staff)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Contains(t, r.stdout, "Because    rule 1 (5a1c7f60…) matches\nRule 1     if user is in segment \"staff\" then New\n")
	listing := written(t, "listing.json", `{"_links":{},"items":[{"key":"staff","included":["ada"]}],"totalCount":1}`)
	require.Equal(t, r, run("", "flag", "eval", checkout, "--environment", "production", "--context", ada, "--segments", listing))
	single := written(t, "single.json", `{"key":"staff","included":["ada"]}`)
	require.Equal(t, r, run(`{"kind":"user","key":"ada"}`, "flag", "eval", checkout, "--environment", "production", "--context", "-", "--segments", single))

	r = run("", "flag", "eval", checkout, "--environment", "production", "--context", ada, "--format", "json")
	require.JSONEq(t, `{"value":false,"variationIndex":1,"reason":{"kind":"FALLTHROUGH"}}`, r.stdout)

	waiting := written(t, "waiting.json", `{"key":"w","kind":"boolean","variations":[{"value":true},{"value":false}],
		"environments":{"production":{"on":true,"fallthrough":{"variation":0},"prerequisites":[{"key":"new-checkout","variation":0}]}}}`)
	r = run("", "flag", "eval", waiting, "--environment", "production", "--context", tester)
	require.Contains(t, r.stdout, "Serves   nothing")
	require.Contains(t, r.stdout, `Because  the prerequisite "new-checkout" is missing`)
	r = run("", "flag", "eval", waiting, "--environment", "production", "--context", tester, "--flags", checkout)
	require.Contains(t, r.stdout, "the default rule serves")
}

func TestFlagEvalOfWhatIsWrong(t *testing.T) {
	const ada = `{"kind":"user","key":"ada"}`
	eval := func(stdin string, arguments ...string) result {
		return run(stdin, append([]string{"flag", "eval", checkout, "--environment", "production"}, arguments...)...)
	}
	r := eval("", "--context", `{"kind":"us er","key":""}`)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, "--context:/kind: ")
	require.Contains(t, r.stderr, "--context:/key: must not be empty [malformed]\n")
	require.Empty(t, r.stdout)

	for document, want := range map[string]string{
		`[{"key":"a"},{"key":"<"}]`:                "-:/1/key: ",
		`{"items":[{"key":"a","version":true}]}`:   "-:/items/0/version: ",
		`{"items":[{"key":"a"},{"key":"b","x":}]}`: "-:/items/1/x: ",
		`{"items":[{"key":"a"}],"x":1,"x":2}`:      "-:/x: ",
		`[{"key":"a"}] 1`:                          "-:: ",
		`{"key":"a","included":1}`:                 "-:/included: ",
		`"staff"`:                                  "-:: is a string, must be an object [wrong_type]",
		`[null]`:                                   "-:/0: is null, must be an object [wrong_type]",
		`[` + strings.Repeat(`{},`, 200) + `{}]`:   "more problems are not listed",
	} {
		r := eval(document, "--context", ada, "--segments", "-")
		require.Equal(t, exitFailed, r.status, document)
		require.Contains(t, r.stderr, want, document)
		require.Empty(t, r.stdout)
	}
	r = eval("", "--context", "ada")
	require.Equal(t, result{exitFailed, "", "flagstage: flag eval: --context is neither JSON that begins with a brace nor a file: open ada: no such file or directory\n"}, r)
	r = eval("", "--context", ada, "--flags", "none.json")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, "flagstage: flag eval: open none.json")

	for _, arguments := range [][]string{
		{"flag", "eval"}, {"flag", "eval", checkout}, {"flag", "eval", checkout, "--environment", "production"}, {"flag", "eval", checkout, "--context", ada},
		{"flag", "eval", checkout, "--environment", "test", "--context", ada},
		{"flag", "eval", checkout, "--environment", "production", "--context", ada, "--format", "xml"},
		{"flag", "eval", "-", "--environment", "production", "--context", "-"},
		{"flag", "eval", "-", "--environment", "production", "--context", ada, "--segments", "-"},
	} {
		r := run("", arguments...)
		require.Equal(t, exitUsage, r.status, arguments)
		require.Contains(t, r.stderr, "flag eval --help", arguments)
		require.Empty(t, r.stdout)
	}
}

func TestFlagAudience(t *testing.T) {
	audience := func(arguments ...string) result {
		return run("", append([]string{"flag", "audience", checkout, checkoutQuarter, "--environment", "production"}, arguments...)...)
	}
	r := audience("--population", "1000", "--attributes", `plan="a,b":1,pro:3,null;beta=true,false:1`, "--attributes", "name=Ada")
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Equal(t, r, audience("--population", "1000"), "these attributes make no difference here")
	require.NotEqual(t, r, audience("--population", "1000", "--seed", "2"))
	require.Contains(t, r.stdout, "VARIATION  BEFORE  AFTER  STAY  LEAVE  COME\n")
	require.Regexp(t, `(?m)^New +\d+ +\d+ +\d+ +0 +\d+$`, r.stdout, "who is in stays in")
	require.Regexp(t, `(?m)^\d+ of 1000 contexts switch to another variation\.$`, r.stdout)
	require.Regexp(t, `(?m)^\d+ +Old \(default rule\)  New \(default rule\)  switch$`, r.stdout)

	r = audience("--population", "0")
	require.Equal(t, exitDone, r.status)
	require.True(t, strings.HasSuffix(r.stdout, "\n0 of 0 contexts switch to another variation.\n"), r.stdout)

	r = audience("--population", "100", "--format", "json", "--kind", "device")
	var told struct {
		Contexts, Switched int
		Values             []struct{ Before, After, Stay int }
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &told))
	require.Equal(t, 100, told.Contexts)
	require.Zero(t, told.Switched, "no users, no shares")
	require.Len(t, told.Values, 2)
}

func TestFlagAudienceOfGivenContexts(t *testing.T) {
	var lines strings.Builder
	for i := range 50 {
		fmt.Fprintf(&lines, "{\"kind\":\"user\",\"key\":\"person-%d\"}\n\n", i)
	}
	staff := written(t, "staff.json", `{"key":"staff","included":["person-7"]}`)
	gone := written(t, "gone.json", `{"key":"new-checkout","kind":"multivariate","variations":[{"value":true,"name":"New"},{"value":"other\u001b[2J"}],
		"environments":{"production":{"on":true,"fallthrough":{"variation":1}}}}`)
	r := run(lines.String()+`{"key":"tester-1"}`, "flag", "audience", checkout, gone, "--environment", "production", "--contexts", "-", "--segments", staff)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Contains(t, r.stdout, "\n51 of 51 contexts switch to another variation.\n")
	require.Regexp(t, `(?m)^1 +New +\(target\) +"other.*switch$`, r.stdout)
	require.Regexp(t, `(?m)^1 +New +\(rule 1\) +"other.*switch$`, r.stdout)
	require.Regexp(t, `(?m)^Old +\d+ +0 +0 +\d+ +0$`, r.stdout, "what only the old flag had")
	require.NotContains(t, r.stdout, "\x1b")

	file := written(t, "contexts.jsonl", lines.String())
	require.Equal(t, exitDone, run("", "flag", "audience", checkout, gone, "--environment", "production", "--contexts", file).status)

	off := written(t, "off.json", `{"key":"new-checkout","kind":"boolean","variations":[{"value":true},{"value":false}],"environments":{"production":{"on":false}}}`)
	r = run(`{"key":"tester-1"}`, "flag", "audience", checkout, off, "--environment", "production", "--contexts", "-")
	require.Contains(t, r.stdout, "New (target)  nothing (off)  switch\n")
	empty := written(t, "empty.json", `{"key":"new-checkout","kind":"boolean","variations":[{"value":true},{"value":false}],"environments":{"production":{"on":true,"prerequisites":[{"key":"p","variation":0}]}}}`)
	r = run(`{"key":"tester-1"}`, "flag", "audience", off, empty, "--environment", "production", "--contexts", "-")
	require.Contains(t, r.stdout, "nothing (off)  nothing (prerequisite p)  stay\n")
	broken := written(t, "broken.json", `{"key":"new-checkout","kind":"boolean","variations":[{"value":true},{"value":false}],"environments":{"production":{"on":true}}}`)
	r = run(`{"key":"tester-1"}`, "flag", "audience", off, broken, "--environment", "production", "--contexts", "-")
	require.Contains(t, r.stdout, "the flag makes no sense")
}

func TestFlagAudienceOfWhatIsWrong(t *testing.T) {
	given := func(stdin string) result {
		return run(stdin, "flag", "audience", checkout, checkoutQuarter, "--environment", "production", "--contexts", "-")
	}
	r := given("{\"key\":\"a\"}\n\n{\"kind\":\"user\"}\n")
	require.Equal(t, result{exitFailed, "", "-:3:/key: is missing [required]\n"}, r)
	r = given(`{"key":"` + strings.Repeat("a", 2<<20) + `"}`)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, "a line has more than")
	r = run("", "flag", "audience", checkout, checkoutQuarter, "--environment", "production", "--contexts", "none.jsonl")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, "open none.jsonl")

	base := []string{"flag", "audience", checkout, checkoutQuarter}
	people := []string{"--environment", "production", "--population", "10"}
	for _, arguments := range [][]string{
		{"flag", "audience", checkout}, base, {"--environment", "production"}, {"--environment", "none", "--population", "1"},
		{"--environment", "production", "--population", "10", "--contexts", "x"}, {"--environment", "production", "--population", "-1"},
		{"--environment", "production", "--population", "many"}, append(people, "--seed", "-1"), append(people, "--kind", "a b"),
		append(people, "--attributes", "country"), append(people, "--attributes", "=a"), append(people, "--attributes", "a=b:c"),
		append(people, "--attributes", "a=b:0"), append(people, "--attributes", "a=b;a=c"), append(people, "--attributes", "key=b"),
		append(people, "--format", "xml"), append(people, "--segments", "-", "--flags", "-"),
	} {
		if arguments[0] != "flag" {
			arguments = append(base[:4:4], arguments...)
		}
		r := run("", arguments...)
		require.Equal(t, exitUsage, r.status, arguments)
		require.Contains(t, r.stderr, "flag audience --help", arguments)
		require.Empty(t, r.stdout)
	}
}
