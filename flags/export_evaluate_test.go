package flags

import "reflect"

// IsReady reports whether the values of all clauses of a flag are ready for
// comparing as if the clauses had just been made.
func IsReady(f Flag) bool {
	for _, e := range f.body.environments {
		for _, rule := range e.rules {
			for i := range rule.clauses {
				cl := &rule.clauses[i]
				if !reflect.DeepEqual(cl.operands, operandsOf(&cl.Clause, new(patternBudget))) {
					return false
				}
			}
		}
	}
	return true
}

// MostDeep is how long chains of prerequisites and segments may be.
const MostDeep = mostDeep
