package flags_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

// large returns a flag with so many rules, and ten times as many targets.
func large(t testing.TB, n int) flags.Flag {
	var rules, targets []string
	for i := range n {
		rules = append(rules, fmt.Sprintf(`{"_id":"rule-%d","variation":%d,"clauses":[{"_id":"clause-%d","attribute":"a","op":"in","values":["x"]}]}`, i, i%2, i))
	}
	for i := range 10 * n {
		targets = append(targets, fmt.Sprintf(`"user-%d"`, i))
	}
	half := len(targets) / 2
	return decodeFlag(t, `{"key":"large","kind":"multivariate","variations":[{"_id":"v","value":1},{"_id":"w","value":2},{"_id":"x","value":3}],"environments":{"lab":{"on":true,`+
		`"rules":[`+strings.Join(rules, ",")+`],"targets":[{"variation":0,"values":[`+strings.Join(targets[:half], ",")+`]},{"variation":1,"values":[`+strings.Join(targets[half:], ",")+`]}]}}}`)
}

// TestApplyingIsLinear holds that the memory used for one instruction, and for
// one instruction a rule, grows no faster than the flag.
func TestApplyingIsLinear(t *testing.T) {
	patches := map[string]func(n int) []flags.Instruction{
		"a target more": func(int) []flags.Instruction { return []flags.Instruction{flags.AddUserTargets("v", "new")} },
		"a target less": func(int) []flags.Instruction { return []flags.Instruction{flags.RemoveUserTargets("v", "user-3")} },
		"a rule at the end": func(n int) []flags.Instruction {
			return []flags.Instruction{flags.UpdateRuleDescription(fmt.Sprint("rule-", n-1), "x")}
		},
		"a rule more": func(int) []flags.Instruction {
			return []flags.Instruction{flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v")}, "rule-0")}
		},
		"a variation less": func(int) []flags.Instruction { return []flags.Instruction{flags.RemoveVariation("x")} },
		"every rule": func(n int) (list []flags.Instruction) {
			for i := range n {
				list = append(list, flags.UpdateRuleDescription(fmt.Sprint("rule-", i), "x"))
			}
			return list
		},
		"every clause": func(n int) (list []flags.Instruction) {
			for i := range n {
				list = append(list, flags.AddValuesToClause(fmt.Sprint("rule-", i), fmt.Sprint("clause-", i), flags.IntValue(1)))
			}
			return list
		},
		"as many rules more": func(n int) (list []flags.Instruction) {
			for range n {
				list = append(list, flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v")}, ""))
			}
			return list
		},
		"as many targets more, one by one": func(n int) (list []flags.Instruction) {
			for i := range n {
				list = append(list, flags.AddUserTargets("v", fmt.Sprint("new-", i)))
			}
			return list
		},
		"as many targets less, one by one": func(n int) (list []flags.Instruction) {
			for i := range n {
				list = append(list, flags.RemoveUserTargets("v", fmt.Sprint("user-", i)))
			}
			return list
		},
		"every clause replaced": func(n int) (list []flags.Instruction) {
			for i := range n {
				rule := fmt.Sprint("rule-", i)
				list = append(list, flags.RemoveClauses(rule, fmt.Sprint("clause-", i)), flags.AddClauses(rule, flags.Clause{Attribute: "a", Op: flags.OpIn}))
			}
			return list
		},
		"every rule replaced": func(n int) (list []flags.Instruction) {
			for i := range n {
				list = append(list, flags.RemoveRule(fmt.Sprint("rule-", i)), flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v")}, ""))
			}
			return list
		},
		"the order turned round": func(n int) []flags.Instruction {
			ids := make([]string, n)
			for i := range n {
				ids[i] = fmt.Sprint("rule-", n-1-i)
			}
			return []flags.Instruction{flags.ReorderRules(ids...)}
		},
	}
	const n = 50
	small, big := large(t, n), large(t, 10*n)
	for name, patch := range patches {
		t.Run(name, func(t *testing.T) {
			used := func(f flags.Flag, list []flags.Instruction) uint64 {
				return allocated(func() {
					_, err := flags.Apply(f, list, flags.Application{Environment: "lab", Now: changedAt, IDs: new(counter)})
					require.NoError(t, err)
				})
			}
			a, b := used(small, patch(n)), used(big, patch(10*n))
			require.LessOrEqual(t, b, 15*a+10_000)
		})
	}
}

// TestDiffIsLinear holds that the memory used for finding differences, many or
// few, grows no faster than the flag.
func TestDiffIsLinear(t *testing.T) {
	const n = 50
	small, big := large(t, n), large(t, 10*n)
	for name, patch := range map[string]func(i int) flags.Instruction{
		"rules": func(i int) flags.Instruction { return flags.UpdateRuleTrackEvents(fmt.Sprint("rule-", i), true) },
		"clauses": func(i int) flags.Instruction {
			return flags.AddValuesToClause(fmt.Sprint("rule-", i), fmt.Sprint("clause-", i), flags.IntValue(1))
		},
		"fewer": func(i int) flags.Instruction { return flags.RemoveRule(fmt.Sprint("rule-", 2*i)) },
		"more": func(i int) flags.Instruction {
			return flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v")}, fmt.Sprint("rule-", i))
		},
		"targets": func(i int) flags.Instruction { return flags.AddUserTargets("v", fmt.Sprint("new-", i)) },
	} {
		t.Run(name, func(t *testing.T) {
			used := func(f flags.Flag, n int) uint64 {
				var list []flags.Instruction
				for i := range n {
					list = append(list, patch(i))
				}
				to, err := flags.Apply(f, list, flags.Application{Environment: "lab", Now: changedAt, IDs: new(counter)})
				require.NoError(t, err)
				return allocated(func() {
					diff, err := flags.Diff(f, to, "lab", nil)
					require.NoError(t, err)
					require.NotEmpty(t, diff.Instructions)
					require.NotEmpty(t, flags.DescribeChange(f, to))
				})
			}
			a, b := used(small, n/2), used(big, 10*n/2)
			require.LessOrEqual(t, b, 15*a+10_000)
		})
	}
}
