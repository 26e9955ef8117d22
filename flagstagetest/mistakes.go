package flagstagetest

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// Limits of a request that mistakes exceed.
const (
	maxStages        = 500
	maxConditions    = 50
	maxInstructions  = 200
	maxSlots         = 1000
	maxNotifyMembers = 10
	maxNotifyTeams   = 100
	maxDescription   = 5000
	maxName          = 256 // bytes of keys and identifiers
	maxList          = 10_000
	maxString        = 64 << 10
	maxDocument      = 1 << 20
	maxDepth         = 64
	maxNumber        = 32
)

const (
	sampleClause  = `{"kind":"addRule","variationId":"on","clauses":[{"attribute":"a","op":"in","values":["x"]}]}`
	sampleWeights = `{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"on":60000,"off":40000}}`
)

var badKeys = []string{`"night shift"`, `".hidden"`, `"-a"`, `"a/b"`, `"schlüssel"`, `"a\n"`}

// wrong has values that cannot stand where a type is needed.
var wrong = map[jsonType][]string{
	isString:   {`1`, `true`, `[]`, `{}`},
	isInt:      {`"2"`, `true`, `[]`, `{}`},
	isBool:     {`"true"`, `1`, `[]`, `{}`},
	isArray:    {`1`, `"x"`, `true`, `{}`},
	isTextList: {`1`, `"x"`, `true`, `{}`},
	isFreeList: {`1`, `"x"`, `true`, `{}`},
	isPatch:    {`1`, `true`, `{}`},
	isObject:   {`1`, `"x"`, `true`, `[]`},
}

// mistakes are all sorts of mistakes.
var mistakes = slices.Concat(
	inRequests, inMembers, inConditions, inSchedules, inApprovals, inActions, inInstructions, inText,
)

var inRequests = []mistake{
	{"no key", func(d *draft) []site { return []site{d.request().drop("key")} }},
	{"empty key", func(d *draft) []site { return []site{d.request().set("key", flags.CodeRequired, `""`)} }},
	{"malformed key", func(d *draft) []site { return []site{d.request().set("key", flags.CodeMalformed, badKeys...)} }},
	{"overlong key", func(d *draft) []site {
		return []site{d.request().set("key", flags.CodeTooLarge, repeated("k", maxName+1))}
	}},
	{"no key of the origin", func(d *draft) []site {
		return d.origin(func(p place, name string) site {
			return p.site(p.at(name), flags.CodeRequired, func(t *rapid.T) {
				if how := rapid.SampledFrom([]string{"", `""`, "null"}).Draw(t, "value"); how != "" {
					p.node.set(name, raw(how))
				} else {
					p.node.drop(name)
				}
			})
		})
	}},
	{"malformed key of the origin", func(d *draft) []site {
		return d.origin(func(p place, name string) site { return p.set(name, flags.CodeMalformed, badKeys...) })
	}},
	{"overlong key of the origin", func(d *draft) []site {
		return d.origin(func(p place, name string) site {
			return p.set(name, flags.CodeTooLarge, repeated("k", maxName+1))
		})
	}},
	{"neither stages nor workflow", func(d *draft) []site { return []site{d.request().drop("stages", "workflowId")} }},
	{"both stages and workflow", func(d *draft) []site {
		return every(d.templates(), func(p place) site { return p.set("workflowId", flags.CodeExclusive, `"w"`) })
	}},
	{"overlong workflow id", func(d *draft) []site {
		p := d.request()
		return []site{p.site(p.at("workflowId"), flags.CodeTooLarge, func(*rapid.T) {
			p.node.drop("stages")
			p.node.set("workflowId", raw(repeated("w", maxName+1)))
		})}
	}},
	{"no stage", func(d *draft) []site {
		return every(d.templates(), func(p place) site { return p.set("stages", flags.CodeRequired, `[]`) })
	}},
	{"too many stages", func(d *draft) []site {
		return every(d.templates(), func(p place) site {
			return p.site(p.at("stages"), flags.CodeTooLarge, func(*rapid.T) { fill(p.node.get("stages"), maxStages, `{}`) })
		})
	}},
	{"too many values that depend on the flag", func(d *draft) (sites []site) {
		for a, instructions := range d.patches {
			sites = append(sites, a.site("/stages", flags.CodeTooLarge, func(*rapid.T) {
				others := list()
				fill(others, maxSlots/2, `{"key":"f","variationId":"on"}`) // each has two
				instructions.append(record(member{"kind", str("replacePrerequisites")}, member{"prerequisites", others}))
			}))
		}
		return sites
	}},
}

// origin returns what build makes of each key of the flag that a template is
// written for.
func (d *draft) origin(build func(p place, name string) site) (sites []site) {
	for _, p := range d.templates() {
		for _, name := range []string{"projectKey", "environmentKey", "flagKey"} {
			sites = append(sites, build(p, name))
		}
	}
	return sites
}

// known returns all objects whose members have fixed names.
func (d *draft) known() []place {
	return d.where(func(p place) bool { return p.role != roleWeights && p.attributes() != nil })
}

var inMembers = []mistake{
	{"unknown member", func(d *draft) []site {
		return every(d.known(), func(p place) site {
			return p.set("unexpected", flags.CodeUnknownMember, `1`, `"x"`, `null`, `{}`, `[]`)
		})
	}},
	{"misspelt member", func(d *draft) []site {
		return d.renamed(func(name string) []string {
			last := name[len(name)-1:]
			return []string{name + last, name[:len(name)-1], name[1:2] + name[:1] + name[2:]}
		})
	}},
	{"member in the wrong case", func(d *draft) []site {
		return d.renamed(func(name string) []string {
			if slips[name] != "" {
				return nil // is accepted
			}
			first := unicode.ToUpper(rune(name[0]))
			return []string{string(first) + name[1:], strings.ToUpper(name)}
		})
	}},
	{"wrong type", func(d *draft) []site {
		sites := everyAttribute(d.known(),
			func(_ place, a attribute) bool { return wrong[a.is] != nil },
			func(p place, a attribute) site { return p.set(a.name, flags.CodeWrongType, wrong[a.is]...) })
		for _, p := range d.of(roleWeights) {
			for _, m := range p.node.members {
				sites = append(sites, p.set(m.name, flags.CodeWrongType, `"1"`, `1.0`, `null`))
			}
		}
		return sites
	}},
	{"null for what is required", func(d *draft) []site {
		return everyAttribute(d.known(),
			func(_ place, a attribute) bool { return a.required },
			func(p place, a attribute) site { return p.set(a.name, flags.CodeWrongType, `null`) })
	}},
	{"wrong type in a list", func(d *draft) (sites []site) {
		for _, p := range d.known() {
			for _, a := range p.attributes() {
				list, bad := p.node.get(a.name), wrong[isObject]
				switch a.is {
				case isPatch:
					list = patchOf(p.node)
				case isTextList:
					bad = []string{`1`, `false`, `{}`}
				case isArray:
				default:
					continue
				}
				if list == nil || list.shape != array {
					continue
				}
				for i := range list.members {
					sites = append(sites, p.site(element(p.at(a.name), i), flags.CodeWrongType, func(t *rapid.T) {
						list.members[i].value = raw(rapid.SampledFrom(append([]string{"null"}, bad...)).Draw(t, "value"))
					}))
				}
			}
		}
		return sites
	}},
	{"member twice", func(d *draft) (sites []site) {
		for _, s := range d.spots(func(s spot) bool { return s.node.shape == object }) {
			for _, m := range s.node.members {
				sites = append(sites, site{below(s.pointer, m.name), flags.CodeDuplicate, func(t *rapid.T) {
					again := m.value
					if rapid.Bool().Draw(t, "another value") {
						again = raw("null")
					}
					s.node.members = append(s.node.members, member{m.name, again})
				}})
			}
		}
		return sites
	}},
}

// renamed returns the mistakes of calling a member by one of several names
// that mean nothing. The kind of an instruction is left alone: without it,
// nobody knows the other members.
func (d *draft) renamed(names func(string) []string) (sites []site) {
	for _, p := range d.known() {
		for i, m := range p.node.members {
			if p.typeOf(m.name) == isUnknown || p.role == roleInstruction && m.name == "kind" {
				continue
			}
			for _, name := range names(m.name) {
				if p.typeOf(name) != isUnknown || p.node.has(name) {
					continue
				}
				sites = append(sites, p.site(p.at(name), flags.CodeUnknownMember, func(*rapid.T) { p.node.members[i].name = name }))
			}
		}
	}
	return sites
}

var inConditions = []mistake{
	{"condition without kind", func(d *draft) []site {
		return every(d.anyConditions(), func(p place) site { return p.drop("kind") })
	}},
	{"unknown kind of condition", func(d *draft) []site {
		return every(d.anyConditions(), func(p place) site {
			return p.set("kind", flags.CodeUnknownKind, `"metric"`, `"Schedule"`, `"approval"`, `""`)
		})
	}},
	{"approval of another system", func(d *draft) []site {
		return every(d.anyConditions(), func(p place) site { return p.set("kind", flags.CodeUnsupported, `"integration-approval"`) })
	}},
	{"too many conditions", func(d *draft) []site {
		return every(d.of(roleStage), func(p place) site {
			return p.site(p.at("conditions"), flags.CodeTooLarge, func(*rapid.T) {
				conditions := conditionsOf(p.node)
				fill(conditions, maxConditions, `{"kind":"ld-approval"}`)
				p.node.set("conditions", conditions)
			})
		})
	}},
}

// anyConditions returns all conditions, or an approval that each stage could
// get.
func (d *draft) anyConditions() []place {
	if found := d.of(roleCondition); len(found) > 0 {
		return found
	}
	return d.conditions(flagstage.KindApproval)
}

// schedule returns the mistake of schedules with wrong members, which is
// reported at one of them, or at one that is missing.
func schedule(name, at string, code flags.Code, texts ...string) mistake {
	return mistake{name, func(d *draft) []site {
		return every(d.conditions(flagstage.KindSchedule), func(p place) site {
			return p.site(p.at(at), code, func(t *rapid.T) {
				p.node.drop("scheduleKind", "executionDate", "waitDuration", "waitDurationUnit", "executeNow")
				for _, m := range mustParse("{" + rapid.SampledFrom(texts).Draw(t, "members") + "}").members {
					p.node.set(m.name, m.value)
				}
			})
		})
	}}
}

var inSchedules = []mistake{
	schedule("schedule without a time", "scheduleKind", flags.CodeRequired, ``, `"executeNow":false`, `"scheduleKind":null`),
	schedule("ambiguous schedule", "scheduleKind", flags.CodeAmbiguous,
		`"executionDate":1,"waitDuration":1,"waitDurationUnit":"hour"`, `"waitDuration":1,"executionDate":1`),
	schedule("unknown kind of schedule", "scheduleKind", flags.CodeUnknownKind,
		`"scheduleKind":"Relative","waitDuration":1,"waitDurationUnit":"hour"`, `"scheduleKind":"weekly"`),
	schedule("absolute schedule without date", "executionDate", flags.CodeRequired,
		`"scheduleKind":"absolute"`, `"scheduleKind":"absolute","executionDate":null`),
	schedule("relative schedule without wait", "waitDuration", flags.CodeRequired,
		`"scheduleKind":"relative","waitDurationUnit":"hour"`, `"waitDurationUnit":"minute"`),
	schedule("relative schedule without unit", "waitDurationUnit", flags.CodeRequired,
		`"scheduleKind":"relative","waitDuration":1`, `"waitDuration":0`),
	schedule("unknown unit", "waitDurationUnit", flags.CodeUnknownKind,
		`"waitDuration":1,"waitDurationUnit":"day"`, `"waitDuration":1,"waitDurationUnit":"Minute"`, `"waitDuration":1,"waitDurationUnit":""`),
	schedule("negative wait", "waitDuration", flags.CodeOutOfRange,
		`"waitDuration":-1,"waitDurationUnit":"calendarDay"`, `"waitDuration":-9223372036854775808,"waitDurationUnit":"hour"`),
	schedule("fractional wait", "waitDuration", flags.CodeWrongType,
		`"waitDuration":1.5,"waitDurationUnit":"hour"`, `"waitDuration":2.0,"waitDurationUnit":"hour"`, `"waitDuration":2e0,"waitDurationUnit":"hour"`),
	schedule("wait beyond 64 bits", "waitDuration", flags.CodeOutOfRange, `"waitDuration":9223372036854775808,"waitDurationUnit":"hour"`),
	schedule("wait beyond the year 9999", "waitDuration", flags.CodeOutOfRange,
		`"waitDuration":500000,"waitDurationUnit":"calendarWeek"`, `"waitDuration":9223372036854775807,"waitDurationUnit":"minute"`),
	schedule("overlong number", "waitDuration", flags.CodeTooLarge,
		`"waitDuration":`+strings.Repeat("1", maxNumber+1)+`,"waitDurationUnit":"hour"`),
	schedule("date out of range", "executionDate", flags.CodeOutOfRange, `"executionDate":-1`, `"executionDate":253402300800000`),
	{"number with a leading zero", func(d *draft) []site {
		return every(d.conditions(flagstage.KindSchedule), func(p place) site { return p.set("waitDuration", flags.CodeSyntax, `01`, `-00`) })
	}},
}

// approval returns the mistake of approvals with a wrong member, which is
// reported at what is below.
func approval(name, member, under string, code flags.Code, texts ...string) mistake {
	return mistake{name, func(d *draft) []site {
		return every(d.conditions(flagstage.KindApproval), func(p place) site {
			s := p.set(member, code, texts...)
			s.pointer += under
			return s
		})
	}}
}

var inApprovals = []mistake{
	approval("overlong description", "description", "", flags.CodeTooLarge, repeated("d", maxDescription+1), repeated("é", maxDescription+1)),
	approval("too many members to notify", "notifyMemberIds", "", flags.CodeTooLarge, filled(maxNotifyMembers, `"m"`)),
	approval("too many teams to notify", "notifyTeamKeys", "", flags.CodeTooLarge, filled(maxNotifyTeams, `"t"`)),
	approval("nameless member to notify", "notifyMemberIds", "/0", flags.CodeMalformed, `[""]`, `["","m"]`),
	approval("nameless team to notify", "notifyTeamKeys", "/1", flags.CodeMalformed, `["t",""]`),
	approval("overlong name of a member to notify", "notifyMemberIds", "/0", flags.CodeTooLarge, `[`+repeated("m", maxName+1)+`]`),
}

var inActions = []mistake{
	{"unknown kind of action", func(d *draft) []site {
		return every(d.actions(), func(p place) site { return p.set("kind", flags.CodeUnknownKind, `"json"`, `"Patch"`, `""`) })
	}},
	{"too many instructions", func(d *draft) (sites []site) {
		for a, instructions := range d.patches {
			sites = append(sites, a.site(a.at("instructions"), flags.CodeTooLarge, func(*rapid.T) {
				fill(instructions, maxInstructions, `{"kind":"turnFlagOn"}`)
			}))
		}
		return sites
	}},
	inString("no JSON in the string", "instructions", flags.CodeSyntax, ``, `on`, `[] and more`),
	inString("broken instruction in the string", "instructions/0", flags.CodeSyntax, `[{]`, `{"instructions":[{`),
	inString("no instructions in the string", "instructions", flags.CodeRequired, `{}`),
	inString("unknown member in the string", "comment", flags.CodeUnknownMember, `{"instructions":[],"comment":"x"}`),
}

// inString returns the mistake of actions whose instructions are a wrong
// string.
func inString(name, below string, code flags.Code, texts ...string) mistake {
	return mistake{name, func(d *draft) []site {
		return every(d.actions(), func(p place) site {
			return p.site(p.pointer+"/"+below, code, func(t *rapid.T) {
				p.node.set("instructions", str(rapid.SampledFrom(texts).Draw(t, "string")))
			})
		})
	}}
}

func isInstruction(p place) bool { return p.role == roleInstruction }

// ofKind returns a match for instructions of a kind.
func ofKind(kind flags.Kind) func(place) bool {
	return func(p place) bool { return p.role == roleInstruction && p.kind == kind }
}

// form returns the mistake of giving something malformed where a form is
// required.
func form(name, sample, form string, code flags.Code, texts ...string) mistake {
	match := func(p place, a attribute) bool { return a.is == isString && a.form == form && p.node.has(a.name) }
	return mistake{name, func(d *draft) []site {
		return everyAttribute(
			d.parts(sample, func(p place) bool {
				return slices.ContainsFunc(p.attributes(), func(a attribute) bool { return match(p, a) })
			}),
			match, func(p place, a attribute) site { return p.set(a.name, code, texts...) })
	}}
}

func isWeights(p place) bool { return p.role == roleWeights && len(p.node.members) > 0 }

// hasWeights matches what is served by weight.
func hasWeights(p place) bool { return !p.node.get("rolloutWeights").isNull() }

var inInstructions = []mistake{
	{"unknown kind of instruction", func(d *draft) []site {
		return every(d.parts(sampleClause, isInstruction), func(p place) site {
			return p.set("kind", flags.CodeUnknownKind, `"turnFlagOnn"`, `"TurnFlagOn"`, `"makeCoffee"`, `""`)
		})
	}},
	{"instruction without kind", func(d *draft) []site {
		return every(d.parts(sampleClause, isInstruction), func(p place) site { return p.drop("kind") })
	}},
	{"missing member of an instruction", func(d *draft) []site {
		required := func(p place, a attribute) bool {
			return a.required && p.kind != "" && (p.role != roleInstruction || a.name != "kind")
		}
		return everyAttribute(
			d.parts(sampleClause, func(p place) bool {
				return slices.ContainsFunc(p.attributes(), func(a attribute) bool { return required(p, a) })
			}),
			required, func(p place, a attribute) site { return p.drop(a.name) })
	}},
	{"nothing to serve", func(d *draft) []site {
		return every(d.parts(sampleWeights, func(p place) bool { return p.typeOf("rolloutWeights") != isUnknown }), func(p place) site {
			return p.drop("variationId", "rolloutWeights")
		})
	}},
	{"variation beside weights", func(d *draft) []site {
		return every(d.parts(sampleWeights, hasWeights), func(p place) site {
			return p.site(p.at("rolloutWeights"), flags.CodeExclusive, func(*rapid.T) { p.node.set("variationId", str("on")) })
		})
	}},
	{"weights that miss the sum", func(d *draft) (sites []site) {
		for _, p := range d.parts(sampleWeights, isWeights) {
			for _, m := range p.node.members {
				sites = append(sites, p.site(p.pointer, flags.CodeOutOfRange, func(*rapid.T) {
					weight, _ := strconv.Atoi(m.value.text)
					if weight--; weight < 0 {
						weight = 1
					}
					m.value.text = strconv.Itoa(weight)
				}))
			}
		}
		return sites
	}},
	{"weight out of range", func(d *draft) (sites []site) {
		for _, p := range d.parts(sampleWeights, isWeights) {
			for _, m := range p.node.members {
				sites = append(sites, p.set(m.name, flags.CodeOutOfRange, `-1`, `100001`))
			}
		}
		return sites
	}},
	{"no weights", func(d *draft) []site {
		return every(d.parts(sampleWeights, hasWeights), func(p place) site { return p.set("rolloutWeights", flags.CodeOutOfRange, `{}`) })
	}},
	{"unknown operator", func(d *draft) []site {
		return every(d.parts(sampleClause, func(p place) bool { return p.role == roleClause }), func(p place) site {
			return p.set("op", flags.CodeUnknownKind, `"IN"`, `"equals"`, `""`)
		})
	}},
	{"null among values", func(d *draft) []site {
		hasValues := func(p place) bool { return p.typeOf("values") == isFreeList }
		return every(d.parts(sampleClause, hasValues), func(p place) site {
			values := p.node.get("values")
			return p.site(element(p.at("values"), len(values.members)), flags.CodeWrongType, func(*rapid.T) { values.append(raw("null")) })
		})
	}},
	form("malformed id", sampleClause, formID, flags.CodeMalformed, `""`, `"ref:"`, `"ref:a b"`),
	form("malformed flag key", `{"kind":"removePrerequisite","key":"f"}`, formKey, flags.CodeMalformed, append(badKeys, `""`)...),
	form("malformed name to refer to", `{"kind":"addVariation","value":1,"ref":"r"}`, formName, flags.CodeMalformed, `""`, `"a b"`, `"ref:a"`),
	form("unknown client-side availability", `{"kind":"turnOnClientSideAvailability","value":"usingMobileKey"}`, formAvailability,
		flags.CodeUnknownKind, `"web"`, `"UsingMobileKey"`, `""`),
	{"name to refer to given twice", func(d *draft) []site {
		return every(d.parts(sampleClause, ofKind("addRule")), func(p place) site {
			return p.site(p.at("ref"), flags.CodeDuplicate, func(*rapid.T) {
				p.node.set("clauses", mustParse(`[{"attribute":"a","op":"in","values":[],"ref":"twice"}]`))
				p.node.drop("ref")
				p.node.set("ref", str("twice")) // behind the clauses
			})
		})
	}},
	{"member of another instruction", func(d *draft) []site {
		sites := every(d.parts(sampleClause, ofKind("addRule")), func(p place) site {
			return p.set("trackEvents", flags.CodeUnknownMember, `true`)
		})
		isUser := func(p place) bool { return p.role == roleTarget && p.kind == "replaceUserTargets" }
		users := d.parts(`{"kind":"replaceUserTargets","targets":[{"variationId":"on","values":[]}]}`, isUser)
		return append(sites, every(users, func(p place) site { return p.set("contextKind", flags.CodeUnknownMember, `"device"`) })...)
	}},
	{"change of nothing", func(d *draft) []site {
		sites := every(d.parts(`{"kind":"updateVariation","variationId":"on","name":"n"}`, ofKind("updateVariation")), func(p place) site {
			return p.drop("name", "value", "description")
		})
		return append(sites, every(d.defaults(), func(p place) site {
			return p.drop("onVariationValue", "offVariationValue", "OnVariationValue", "OffVariationValue")
		})...)
	}},
	{"member in two spellings", func(d *draft) []site {
		return every(d.defaults(), func(p place) site {
			return p.site(p.at("OnVariationValue"), flags.CodeDuplicate, func(*rapid.T) {
				p.node.drop("onVariationValue", "OnVariationValue")
				p.node.set("onVariationValue", raw("true"))
				p.node.set("OnVariationValue", raw("true"))
			})
		})
	}},
	{"overlong list", func(d *draft) []site {
		return every(d.parts(`{"kind":"addTags","values":["t"]}`, ofKind("addTags")), func(p place) site {
			return p.set("values", flags.CodeTooLarge, filled(maxList, `"t"`))
		})
	}},
}

func (d *draft) defaults() []place {
	return d.parts(`{"kind":"updateDefaultVariation","onVariationValue":true}`, ofKind("updateDefaultVariation"))
}

// inText are mistakes that no reader gets past, but for the first two.
var inText = []mistake{
	{"overlong string", func(d *draft) []site {
		return []site{
			d.request().set("name", flags.CodeTooLarge, repeated("n", maxString+1)),
			d.request().set("description", flags.CodeTooLarge, repeated("n", maxString+1)),
		}
	}},
	{"request in an array", func(d *draft) []site {
		return []site{{"", flags.CodeWrongType, func(*rapid.T) { d.root = list(d.root) }}}
	}},
	badString("not UTF-8", false, "\"\xff\"", "\"a\xc3\"", "\"\xed\xa0\x80\""),
	badString("half of a surrogate pair", true, `"\ud800"`, `"\udc00"`, `"\ud83d\u0041"`),
	badString("character NUL", true, `"\u0000"`, `"a\u0000b"`),
	badString("control character", true, "\"\x01\"", "\"a\nb\""),
	badString("unknown escape", true, `"\x41"`, `"\u12"`),
	{"trailing comma", func(d *draft) (sites []site) {
		for _, s := range d.spots(func(s spot) bool { return len(s.node.members) > 0 }) {
			pointer := s.pointer
			if s.node.shape == array {
				pointer = element(pointer, len(s.node.members))
			}
			sites = append(sites, site{pointer, flags.CodeSyntax, func(*rapid.T) { s.node.tail = "," }})
		}
		return sites
	}},
	rewrite("trailing data", flags.CodeSyntax, func(t *rapid.T, text []byte) []byte {
		return append(text, rapid.SampledFrom([]string{"{}", " x", "]", ",", "\x00"}).Draw(t, "data")...)
	}),
	rewrite("byte order mark", flags.CodeSyntax, func(_ *rapid.T, text []byte) []byte { return append([]byte("\ufeff"), text...) }),
	rewrite("end cut off", flags.CodeSyntax, func(_ *rapid.T, text []byte) []byte { return text[:len(text)-1] }),
	rewrite("overlong document", flags.CodeTooLarge, func(_ *rapid.T, text []byte) []byte {
		return append(text, strings.Repeat(" ", maxDocument+1-len(text))...)
	}),
	{"too deep", func(d *draft) []site {
		deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) // and the request around it
		s := d.request().set("_links", flags.CodeTooLarge, deep)
		s.pointer += strings.Repeat("/0", maxDepth-1)
		return []site{s}
	}},
}

// badString returns the mistake of a string that is no JSON.
func badString(name string, inStrings bool, texts ...string) mistake {
	return mistake{name, func(d *draft) (sites []site) {
		for _, s := range d.spots(func(s spot) bool { return s.node.isString() && (inStrings || !s.inString) }) {
			sites = append(sites, site{s.pointer, flags.CodeSyntax, func(t *rapid.T) {
				s.node.text = rapid.SampledFrom(texts).Draw(t, "text")
			}})
		}
		return sites
	}}
}

// rewrite returns a mistake in the document's text as a whole.
func rewrite(name string, code flags.Code, change func(*rapid.T, []byte) []byte) mistake {
	return mistake{name, func(d *draft) []site {
		return []site{{"", code, func(t *rapid.T) {
			d.finish = func(text []byte) []byte { return change(t, text) }
		}}}
	}}
}

// repeated returns a JSON string of n times the same letter.
func repeated(letter string, n int) string { return quote(strings.Repeat(letter, n)) }

// filled returns an array of one element more than the limit.
func filled(limit int, text string) string {
	return "[" + strings.Repeat(text+",", limit) + text + "]"
}

// fill appends elements to an array until it exceeds the limit.
func fill(list *node, limit int, text string) {
	for len(list.members) <= limit {
		list.append(raw(text))
	}
}
